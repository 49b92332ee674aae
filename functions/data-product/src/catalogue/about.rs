//! The page of a product, its schema, its contracts.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::access::{AccessPath, Treatment};
use sluice_core::name::{PortName, ProductRef};
use sluice_core::product::{RegisteredProduct, ServiceLevel};
use sluice_http::body::named;
use sluice_http::{Caller, Json, Problem, ProblemCode, Query};
use sluice_lake::serve::{Governed, ServeError, Version};
use utoipa::{IntoParams, ToSchema};

use crate::problem::problem_of;
use crate::refusal::Refusals;
use crate::{Access, App};

/// Versions of a table on its page.
const VERSIONS: usize = 10;

/// The page of a product.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Manifest {
    domain: String,
    name: String,
    version: String,
    /// `proposed`, `draft`, `active`, `deprecated` or `retired`.
    status: String,
    purpose: Option<String>,
    limitations: Option<String>,
    usage: Option<String>,
    tags: Vec<String>,
    team: Option<String>,
    owners: Vec<String>,
    support: Vec<Support>,
    /// When it was deployed.
    deployed_at: String,
    /// The ports you may find.
    ports: Vec<Port>,
}

/// Where help is.
#[derive(Debug, Serialize, ToSchema)]
struct Support {
    channel: String,
    url: String,
    description: Option<String>,
}

/// A port.
#[derive(Debug, Serialize, ToSchema)]
struct Port {
    name: String,
    version: String,
    description: Option<String>,
    contract: ContractName,
    /// The columns you may read.
    columns: Vec<SchemaColumn>,
    /// Whether rows are held back from you.
    row_filter: bool,
    /// The table; null until its pipeline has published.
    table: Option<TableState>,
    /// What its owner promises.
    sla: Vec<Promise>,
    /// How you may read it.
    how_to_read: Vec<HowTo>,
}

/// A contract by name.
#[derive(Debug, Serialize, ToSchema)]
struct ContractName {
    id: String,
    version: String,
}

/// A column as you read it.
#[derive(Debug, Serialize, ToSchema)]
struct SchemaColumn {
    name: String,
    /// Type as you read it.
    r#type: String,
    description: Option<String>,
    /// `public`, `internal`, `confidential` or `restricted`.
    classification: String,
    /// `clear`, `hash`, `partial` or `null`.
    treatment: String,
}

/// The state of a table.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct TableState {
    /// Newest version.
    version: u64,
    /// When it was committed.
    committed_at: Option<String>,
    /// Rows; null where rows are held back from you.
    rows: Option<u64>,
    /// Its newest versions.
    versions: Vec<TableVersion>,
}

/// A version of a table.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct TableVersion {
    version: u64,
    committed_at: Option<String>,
    run_id: Option<String>,
}

/// A promise, and whether it is kept.
#[derive(Debug, Serialize, ToSchema)]
struct Promise {
    property: String,
    value: String,
    unit: Option<String>,
    /// Whether it is kept now; null where nobody measures it.
    met: Option<bool>,
    /// What was measured.
    observed: Option<String>,
}

/// A way to read.
#[derive(Debug, Serialize, ToSchema)]
struct HowTo {
    /// `rows`, `query` or `sharing`.
    #[serde(rename = "door")]
    access_path: String,
    /// Its address.
    url: String,
    /// A line to begin with.
    example: String,
}

/// Shows a data product
///
/// Owner, support, and for each port its columns, promises and whether they are kept, freshness, versions, and how to read it.
#[utoipa::path(
    get, path = "/data-products/{domain}/{product}", tag = "catalogue",
    params(("domain" = String, Path, description = "the product's domain"), ("product" = String, Path, description = "the product's name")),
    responses((status = 200, description = "The page", body = Manifest), Refusals),
    security(("token" = []))
)]
pub(super) async fn manifest(
    State(api): State<App>,
    caller: Caller,
    Path((domain, product)): Path<(String, String)>,
) -> Result<Json<Manifest>, Problem> {
    let (registered, accesses) = found(&api, &caller, &product_of(&domain, &product)?).await?;
    let mut ports = Vec::new();
    for access in &accesses {
        ports.push(port(&api, &caller, access).await?);
    }
    let RegisteredProduct { product, about, deployed_at, .. } = &*registered;
    let support = about.support.iter().map(|one| Support {
        channel: one.channel.clone(),
        url: one.url.clone(),
        description: one.description.clone(),
    });
    Ok(Json(Manifest {
        domain: product.domain().to_string(),
        name: product.product().to_string(),
        version: about.version.clone(),
        status: about.status.clone(),
        purpose: about.purpose.clone(),
        limitations: about.limitations.clone(),
        usage: about.usage.clone(),
        tags: about.tags.clone(),
        team: about.team.clone(),
        owners: about.owners.clone(),
        support: support.collect(),
        deployed_at: deployed_at.to_string(),
        ports,
    }))
}

/// Which port.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfPort {
    /// The output port.
    #[param(max_length = 64, pattern = "^[a-z][a-z0-9_]{0,63}$")]
    pub(super) port: String,
}

/// The columns of a port.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Schema {
    port: String,
    contract: ContractName,
    /// The columns you may read.
    columns: Vec<SchemaColumn>,
}

/// Lists the columns of a port, as you read them
#[utoipa::path(
    get, path = "/data-products/{domain}/{product}/schema", tag = "catalogue",
    params(("domain" = String, Path, description = "the product's domain"), ("product" = String, Path, description = "the product's name"), OfPort),
    responses((status = 200, description = "The columns", body = Schema), Refusals),
    security(("token" = []))
)]
pub(super) async fn schema(
    State(api): State<App>,
    caller: Caller,
    Path((domain, product)): Path<(String, String)>,
    Query(of): Query<OfPort>,
) -> Result<Json<Schema>, Problem> {
    let access = one(&api, &caller, &domain, &product, &of.port).await?;
    Ok(Json(Schema { port: access.port.name.to_string(), contract: contract_name(&access), columns: columns(&access) }))
}

/// Gives the contract of a port
///
/// The ODCS document as it was deployed, for callers to whom no column of it is hidden.
#[utoipa::path(
    get, path = "/data-products/{domain}/{product}/contract", tag = "catalogue",
    params(("domain" = String, Path, description = "the product's domain"), ("product" = String, Path, description = "the product's name"), OfPort),
    responses((status = 200, description = "The contract", body = Object, content_type = "application/yaml"), Refusals),
    security(("token" = []))
)]
pub(super) async fn contract(
    State(api): State<App>,
    caller: Caller,
    Path((domain, product)): Path<(String, String)>,
    Query(of): Query<OfPort>,
) -> Result<Response, Problem> {
    let access = one(&api, &caller, &domain, &product, &of.port).await?;
    if access.table.columns.iter().any(|column| column.treatment == Treatment::Hide) {
        caller.trail.deny("the contract names hidden columns");
        let detail = "the contract names columns that you may not read: see /schema for those that you may";
        return Err(Problem::new(ProblemCode::Forbidden, detail));
    }
    let mut response = access.port.contract_text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    Ok(response)
}

/// The product that an address names.
pub(super) fn product_of(domain: &str, product: &str) -> Result<ProductRef, Problem> {
    Ok(ProductRef::new(named("domain", domain)?, named("data product", product)?))
}

/// The product, with the ports that the caller may find.
///
/// # Errors
/// `not-found` for what does not exist or must not be known, without difference.
pub(crate) async fn found(
    api: &App,
    caller: &Caller,
    product: &ProductRef,
) -> Result<(Arc<RegisteredProduct>, Vec<Access>), Problem> {
    caller.trail.note(|event| event.product = Some(product.clone()));
    let denied = |reason: &str| {
        caller.trail.deny(reason);
        Problem::new(ProblemCode::NotFound, format!("there is no data product `{product}`"))
    };
    let registered = api.registry.product(product).await?.ok_or_else(|| denied("no such product"))?;
    let accesses = api.accesses(caller, &registered, AccessPath::Catalogue);
    if accesses.is_empty() { Err(denied("no grant names the caller")) } else { Ok((registered, accesses)) }
}

/// A port that the caller may find.
pub(super) async fn one(
    api: &App,
    caller: &Caller,
    domain: &str,
    product: &str,
    port: &str,
) -> Result<Access, Problem> {
    let product = product_of(domain, product)?;
    let port: PortName = named("port", port)?;
    api.authorize(caller, &product, &port, AccessPath::Catalogue).await
}

fn contract_name(access: &Access) -> ContractName {
    let contract = &access.port.contract;
    ContractName { id: contract.contract_id.clone(), version: contract.contract_version.clone() }
}

fn columns(access: &Access) -> Vec<SchemaColumn> {
    let contract = &access.port.contract;
    let visible = access.table.columns.iter().filter(|column| column.treatment != Treatment::Hide);
    let column = |column: &sluice_core::access::ColumnAccess| {
        let described = contract.column(&column.name)?;
        let is_text = matches!(column.treatment, Treatment::Hash | Treatment::Partial);
        Some(SchemaColumn {
            name: column.name.clone(),
            r#type: if is_text { "STRING".to_owned() } else { described.column_type.to_string() },
            description: described.description.clone(),
            classification: column.classification.to_string(),
            treatment: match column.treatment {
                Treatment::Clear => "clear",
                Treatment::Null => "null",
                Treatment::Hash => "hash",
                Treatment::Partial => "partial",
                Treatment::Hide => "hide",
            }
            .to_owned(),
        })
    };
    visible.filter_map(column).collect()
}

async fn port(api: &App, caller: &Caller, access: &Access) -> Result<Port, Problem> {
    let table = table(api, access).await?;
    let committed_at = table.as_ref().and_then(|table| table.committed_at.as_deref()?.parse().ok());
    Ok(Port {
        name: access.port.name.to_string(),
        version: access.port.version.clone(),
        description: access.port.description.clone(),
        contract: contract_name(access),
        columns: columns(access),
        row_filter: access.table.rows.is_some(),
        sla: access.port.sla.iter().map(|level| promise(level, committed_at, api.now())).collect(),
        how_to_read: how_to_read(api, caller, access),
        table,
    })
}

async fn table(api: &App, access: &Access) -> Result<Option<TableState>, Problem> {
    let open = match api.snapshots.open(&access.port.table, Version::Newest).await {
        Ok(open) => open,
        Err(ServeError::NoTable) => return Ok(None),
        Err(error) => return Err(problem_of(&error, "port")),
    };
    let history = api.snapshots.history(&open, VERSIONS).await.map_err(|error| problem_of(&error, "port"))?;
    let governed = Governed::new(open, access.table.clone(), api.mask_key(&access.product));
    let rows = if governed.has_row_filter() { None } else { governed.rows() };
    let version = |entry: &sluice_lake::delta::HistoryEntry| TableVersion {
        version: entry.version,
        committed_at: entry.committed_at.map(|at| at.to_string()),
        run_id: entry.run_id.clone(),
    };
    let versions: Vec<TableVersion> = history.iter().map(version).collect();
    let committed_at = versions.first().and_then(|newest| newest.committed_at.clone());
    Ok(Some(TableState { version: governed.table().version(), committed_at, rows, versions }))
}

/// Whether a promise about the age of the data is kept: the newest commit must not be older than promised.
fn promise(level: &ServiceLevel, committed_at: Option<Timestamp>, now: Timestamp) -> Promise {
    let age = committed_at.map(|at| now.duration_since(at));
    let judged = level.oldest().zip(age);
    Promise {
        property: level.property.clone(),
        value: level.value.clone(),
        unit: level.unit.clone(),
        met: judged.map(|(most, age)| age <= most),
        observed: judged.map(|(_, age)| format!("the newest commit is {:.1} hours old", age.as_secs_f64() / 3600.0)),
    }
}

fn how_to_read(api: &App, caller: &Caller, access: &Access) -> Vec<HowTo> {
    let endpoint = &api.settings.endpoint;
    let (product, port) = (&access.product.product, &access.port.name);
    let table = format!("{}.{}.{port}", product.domain(), product.product());
    let ways = [
        (AccessPath::Rows, format!("{endpoint}/data-products/{product}/rows?port={port}"), None),
        (AccessPath::Query, format!("{endpoint}/query"), Some(format!("SELECT * FROM {table} LIMIT 10"))),
        (
            AccessPath::Sharing,
            format!("{endpoint}/sharing"),
            Some(format!("delta_sharing.load_as_pandas(\"profile.share#{table}\")")),
        ),
    ];
    let may = |access_path: AccessPath| {
        api.accesses(caller, &access.product, access_path).iter().any(|one| one.port.name == *port)
    };
    ways.into_iter()
        .filter(|(access_path, ..)| may(*access_path))
        .map(|(access_path, url, example)| HowTo {
            access_path: access_path.to_string(),
            example: example.unwrap_or_else(|| format!("curl -H 'Authorization: Bearer …' '{url}&limit=10'")),
            url,
        })
        .collect()
}
