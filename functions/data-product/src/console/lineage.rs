//! The lineage of what a caller may know of.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::access::Treatment;
use sluice_core::lineage::ColumnRef;
use sluice_core::name::TableRef;
use sluice_http::{Caller, Problem};
use sluice_pages::Content;
use sluice_pages::lineage::{LineageFacts, ProductOf, SourceOf, page as lineage_page};

use crate::{Access, App};

/// Longest name that is looked for: names of source columns may be long, and similar ones are searched for.
const MAX_NAME: usize = 300;

/// The page of lineage: of a table or a column, or of all tables.
///
/// # Errors
/// Faults of the lake.
pub(super) async fn page(app: &App, caller: &Caller, of: Option<String>) -> Result<Content, Problem> {
    let mut facts = facts(app, caller).await?;
    let asked = of.as_deref().map(str::trim).filter(|of| !of.is_empty());
    match asked {
        None => {}
        Some(of) if of.len() > MAX_NAME => {
            facts.unknown = Some("no table and no column has such a long name".to_owned());
        }
        Some(of) => match facts.lineage.find(of) {
            Ok(found) => facts.of = Some(found),
            // It names only what is in the lineage, which is what the caller may know of.
            Err(error) => facts.unknown = Some(error.to_string()),
        },
    }
    Ok(lineage_page(&facts))
}

/// The lineage of what the caller may know of: all tables of pipelines whose runs they may read, and of the tables of
/// products that they may find the columns that exist for them. An edge is shown where both its ends are.
///
/// # Errors
/// Faults of the lake.
pub(super) async fn facts(app: &App, caller: &Caller) -> Result<LineageFacts, Problem> {
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    let deployed = app.deployed.all().await?;
    let visible = app.visible(caller).await?;
    let mut readable: BTreeSet<TableRef> = BTreeSet::new();
    let mut sources = BTreeSet::new();
    for (name, deployed) in deployed.pipelines.iter().filter(|(name, _)| rights.may_read(name)) {
        readable.extend(deployed.pipeline.tables());
        sources.extend(deployed.pipeline.sources().map(|source| SourceOf {
            pipeline: name.clone(),
            prefix: source.prefix.to_string(),
            bronze: source.bronze.clone(),
        }));
    }
    let mut offered: BTreeMap<&TableRef, Vec<&Access>> = BTreeMap::new();
    let mut products = BTreeSet::new();
    for access in visible.iter().flat_map(|(_, ports)| ports) {
        let (table, port) = (access.port.table.clone(), access.port.name.clone());
        products.insert(ProductOf { product: access.product.product.clone(), port, table });
        offered.entry(&access.port.table).or_default().push(access);
    }
    let may_know = |column: &ColumnRef| {
        readable.contains(column.table())
            || offered.get(column.table()).is_some_and(|accesses| accesses.iter().any(|access| has(access, column)))
    };
    Ok(LineageFacts {
        lineage: deployed.lineage.only(may_know),
        of: None,
        unknown: None,
        sources: sources.into_iter().collect(),
        products: products.into_iter().collect(),
    })
}

/// Whether a column exists for the caller; the rows of a table do.
fn has(access: &Access, column: &ColumnRef) -> bool {
    column.column().is_none_or(|name| access.table.treatment(name) != Treatment::Hide)
}
