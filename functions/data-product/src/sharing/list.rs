//! Shares, schemas and tables: domains, products and ports, as far as the caller may read them by Delta Sharing.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use serde::Serialize;
use sluice_core::access::AccessPath;
use sluice_http::{Caller, Json, Problem, ProblemCode, Query};
use utoipa::ToSchema;

use super::page::{Page, PageQuery};
use crate::refusal::Refusals;
use crate::{App, ProductsApi};

/// A share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Share {
    /// Name of the domain.
    name: String,
}

/// One share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OneShare {
    /// The share.
    share: Share,
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ShareSchema {
    /// Name of the data product.
    name: String,
    /// Its share.
    share: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ShareTable {
    /// Name of the output port.
    name: String,
    /// Its schema.
    schema: String,
    /// Its share.
    share: String,
}

/// What a caller may read: share, schema, tables.
type Shared = BTreeMap<String, BTreeMap<String, Vec<String>>>;

impl ProductsApi {
    async fn shares(&self, caller: &Caller) -> Result<Shared, Problem> {
        let mut shares = Shared::new();
        for product in self.registry.products().await?.iter() {
            let ports = self.accesses(caller, product, AccessPath::Sharing);
            if !ports.is_empty() {
                let tables = ports.iter().map(|access| access.port.name.to_string()).collect();
                let schemas = shares.entry(product.product.domain().to_string()).or_default();
                schemas.insert(product.product.product().to_string(), tables);
            }
        }
        Ok(shares)
    }

    fn listed<T>(
        &self,
        caller: &Caller,
        list: &str,
        query: &PageQuery,
        items: impl IntoIterator<Item = (String, T)>,
    ) -> Result<Json<Page<T>>, Problem> {
        let list = format!("{list}\n{}", caller.principal);
        let mut items: Vec<(String, T)> = items.into_iter().collect();
        items.sort_by(|(a, _), (b, _)| a.cmp(b));
        query.page(&self.secret.cursor_key(), &list, items).map(Json)
    }
}

/// The share of this name, whose case does not count.
fn share_named(
    caller: &Caller,
    mut shares: Shared,
    share: &str,
) -> Result<(String, BTreeMap<String, Vec<String>>), Problem> {
    let name = share.to_lowercase();
    let found = shares.remove(&name).map(|schemas| (name, schemas));
    found.ok_or_else(|| {
        caller.trail.deny("no share of this name for the caller");
        Problem::new(ProblemCode::NotFound, "there is no share of this name for you: list `/shares`")
    })
}

/// Shares
///
/// The domains that have something to read for the caller.
#[utoipa::path(
    get, path = "/sharing/shares", tag = "sharing", params(PageQuery),
    responses((status = 200, description = "A page of shares", body = Page<Share>), Refusals)
)]
pub(super) async fn list_shares(
    State(api): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Share>>, Problem> {
    let shares = api.shares(&caller).await?;
    api.listed(&caller, "shares", &query, shares.into_keys().map(|name| (name.clone(), Share { name })))
}

/// One share
#[utoipa::path(
    get, path = "/sharing/shares/{share}", tag = "sharing", params(("share" = String, Path, description = "domain")),
    responses((status = 200, description = "The share", body = OneShare), Refusals)
)]
pub(super) async fn get_share(
    State(api): State<App>,
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<OneShare>, Problem> {
    let (name, _) = share_named(&caller, api.shares(&caller).await?, &share)?;
    Ok(Json(OneShare { share: Share { name } }))
}

/// Schemas of a share
///
/// The data products of a domain.
#[utoipa::path(
    get, path = "/sharing/shares/{share}/schemas", tag = "sharing",
    params(("share" = String, Path, description = "domain"), PageQuery),
    responses((status = 200, description = "A page of schemas", body = Page<ShareSchema>), Refusals)
)]
pub(super) async fn list_schemas(
    State(api): State<App>,
    caller: Caller,
    Path(share): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ShareSchema>>, Problem> {
    let (share, schemas) = share_named(&caller, api.shares(&caller).await?, &share)?;
    let items = schemas.into_keys().map(|name| (name.clone(), ShareSchema { name, share: share.clone() }));
    api.listed(&caller, &format!("schemas of {share}"), &query, items)
}

/// Tables of a schema
///
/// The output ports of a data product.
#[utoipa::path(
    get, path = "/sharing/shares/{share}/schemas/{schema}/tables", tag = "sharing",
    params(("share" = String, Path, description = "domain"), ("schema" = String, Path, description = "data product"), PageQuery),
    responses((status = 200, description = "A page of tables", body = Page<ShareTable>), Refusals)
)]
pub(super) async fn list_tables(
    State(api): State<App>,
    caller: Caller,
    Path((share, schema)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ShareTable>>, Problem> {
    let (share, mut schemas) = share_named(&caller, api.shares(&caller).await?, &share)?;
    let schema = schema.to_lowercase();
    let tables = schemas.remove(&schema).ok_or_else(|| {
        caller.trail.deny("no schema of this name for the caller");
        Problem::new(ProblemCode::NotFound, format!("share `{share}` has no schema of this name for you"))
    })?;
    let table = |name: String| (name.clone(), ShareTable { name, schema: schema.clone(), share: share.clone() });
    api.listed(&caller, &format!("tables of {share}.{schema}"), &query, tables.into_iter().map(table))
}

/// Tables of a share
#[utoipa::path(
    get, path = "/sharing/shares/{share}/all-tables", tag = "sharing",
    params(("share" = String, Path, description = "domain"), PageQuery),
    responses((status = 200, description = "A page of tables", body = Page<ShareTable>), Refusals)
)]
pub(super) async fn list_all_tables(
    State(api): State<App>,
    caller: Caller,
    Path(share): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ShareTable>>, Problem> {
    let (share, schemas) = share_named(&caller, api.shares(&caller).await?, &share)?;
    let tables = schemas.into_iter().flat_map(|(schema, tables)| {
        let share = share.clone();
        tables.into_iter().map(move |name| {
            (format!("{schema}.{name}"), ShareTable { name, schema: schema.clone(), share: share.clone() })
        })
    });
    api.listed(&caller, &format!("all tables of {share}"), &query, tables)
}
