//! Data products: their list, the page of one, and the page of a table.

mod facts;
mod sample;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use sluice_core::access::AccessPath;
use sluice_core::name::{PipelineName, PortName, ProductRef};
use sluice_core::product::RegisteredProduct;
use sluice_core::run::Verdict;
use sluice_http::{Caller, Problem};
use sluice_pages::Content;
use sluice_pages::port::page as port_page;
use sluice_pages::product::{ProductFacts, ProductLine, TableLine, TableState, list_page, product_page};

use self::facts::{port_facts, promise_line, quality_line, table_state};
use crate::catalogue::{found, newest_verdicts};
use crate::{Access, App};

/// Tables of the list that are opened; the others are on their own pages.
const MAX_OPENED: usize = 100;
/// Pipelines of the list whose newest verdict is read.
const MAX_VERDICTS: usize = 50;
/// What is read at once.
const AT_ONCE: usize = 16;

/// The verdict of the newest published run, by pipeline.
type Verdicts = BTreeMap<PipelineName, Vec<Verdict>>;

/// The page of all products that the caller may find.
///
/// # Errors
/// Faults of the lake.
pub(super) async fn list(app: &App, caller: &Caller) -> Result<Content, Problem> {
    let visible = app.visible(caller).await?;
    let accesses: Vec<&Access> = visible.iter().flat_map(|(_, ports)| ports).collect();
    let tables = lines(app, &accesses).await?;
    let mut tables = tables.into_iter();
    let mut products = Vec::new();
    for (registered, ports) in &visible {
        products.push(line(registered, tables.by_ref().take(ports.len()).collect()));
    }
    Ok(list_page(&products, app.now()))
}

/// The page of a product.
///
/// # Errors
/// Not found for a product that the caller may not find; faults of the lake.
pub(super) async fn page(app: &App, caller: &Caller, product: ProductRef) -> Result<Content, Problem> {
    let (registered, ports) = found(app, caller, &product).await?;
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    let accesses: Vec<&Access> = ports.iter().collect();
    let tables = lines(app, &accesses).await?;
    Ok(product_page(&ProductFacts {
        line: line(&registered, tables),
        deployed_at: registered.deployed_at,
        pipeline: rights.may_read(&registered.pipeline).then(|| registered.pipeline.clone()),
        inputs: registered.inputs.iter().map(|input| input.contract_id.clone()).collect(),
        now: app.now(),
    }))
}

/// The page of a table of a product.
///
/// # Errors
/// Not found for a table that the caller may not find; faults of the lake.
pub(super) async fn port(app: &App, caller: &Caller, product: ProductRef, port: PortName) -> Result<Content, Problem> {
    let access = app.authorize(caller, &product, &port, AccessPath::Catalogue).await?;
    Ok(port_page(&port_facts(app, caller, &access).await?))
}

/// The page of a table with some rows of it, as the caller may read them. This is a read, and written down as one.
///
/// # Errors
/// As [`port`]; `forbidden` for a caller who may find the table and not read its rows; those of the read.
pub(super) async fn sample(
    app: &App,
    caller: &Caller,
    product: ProductRef,
    port: PortName,
) -> Result<Content, Problem> {
    let access = app.authorize(caller, &product, &port, AccessPath::Rows).await?;
    let rows = sample::read(app, caller, &access).await?;
    // Whoever may read may find.
    let findable = app.accesses(caller, &access.product, AccessPath::Catalogue);
    let described = findable.into_iter().find(|one| one.port.name == port).unwrap_or(access);
    let mut facts = port_facts(app, caller, &described).await?;
    facts.sample = Some(rows);
    Ok(port_page(&facts))
}

fn line(registered: &RegisteredProduct, tables: Vec<TableLine>) -> ProductLine {
    ProductLine { product: registered.product.clone(), about: registered.about.clone(), tables }
}

/// Tables in one line each, in this order. Of many, the first are opened.
async fn lines(app: &App, accesses: &[&Access]) -> Result<Vec<TableLine>, Problem> {
    let verdicts = verdicts(app, accesses).await?;
    let mut lines = Vec::new();
    let (opened, others) = accesses.split_at(accesses.len().min(MAX_OPENED));
    for some in opened.chunks(AT_ONCE) {
        let mut reading = Vec::new();
        for access in some {
            reading.push(table_state(app, access));
        }
        let states = try_join_all(reading).await?;
        lines.extend(some.iter().zip(states).map(|(access, state)| table_line(app, access, state, &verdicts)));
    }
    lines.extend(others.iter().map(|access| table_line(app, access, TableState::NotOpened, &verdicts)));
    Ok(lines)
}

fn table_line(app: &App, access: &Access, state: TableState, verdicts: &Verdicts) -> TableLine {
    TableLine {
        port: access.port.name.clone(),
        description: access.port.description.clone(),
        state,
        promise: promise_line(app, access, state),
        quality: verdicts.get(&access.product.pipeline).and_then(|verdicts| quality_line(access, verdicts)),
    }
}

/// The newest verdicts of the pipelines of these tables.
async fn verdicts(app: &App, accesses: &[&Access]) -> Result<Verdicts, Problem> {
    let pipelines: BTreeSet<&PipelineName> = accesses.iter().map(|access| &access.product.pipeline).collect();
    let pipelines: Vec<&PipelineName> = pipelines.into_iter().take(MAX_VERDICTS).collect();
    let mut verdicts = Verdicts::new();
    for some in pipelines.chunks(AT_ONCE) {
        let mut reading = Vec::new();
        for pipeline in some {
            reading.push(newest_verdicts(app, pipeline, 1));
        }
        let read = try_join_all(reading).await?;
        verdicts.extend(some.iter().map(|pipeline| (*pipeline).clone()).zip(read));
    }
    Ok(verdicts)
}
