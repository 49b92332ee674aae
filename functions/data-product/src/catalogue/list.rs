//! `GET /data-products`: discovery.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sluice_core::access::Treatment;
use sluice_core::cursor;
use sluice_core::product::RegisteredProduct;
use sluice_http::{Caller, Json, Problem, ProblemCode, Query};
use utoipa::{IntoParams, ToSchema};

use crate::refusal::Refusals;
use crate::{Access, App};

/// Products of a page when nobody says how many.
const DEFAULT_LIMIT: usize = 50;
/// Most products of a page.
const MAX_LIMIT: usize = 100;

/// What is looked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only products of this domain.
    #[param(max_length = 64)]
    domain: Option<String>,
    /// Only products with this tag.
    #[param(max_length = 64)]
    tag: Option<String>,
    /// Only products with this text in their name, purpose, tags, ports or columns, in any case.
    #[param(max_length = 256)]
    q: Option<String>,
    /// Most products of the page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
    /// The page after the one that gave this cursor; the other parameters must be the same.
    #[param(max_length = 2048)]
    cursor: Option<String>,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProductsPage {
    /// The products, by domain and name.
    products: Vec<ProductSummary>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
struct ProductSummary {
    /// Domain.
    domain: String,
    /// Name.
    name: String,
    /// Version.
    version: String,
    /// `proposed`, `draft`, `active`, `deprecated` or `retired`.
    status: String,
    /// What it is for.
    purpose: Option<String>,
    /// Words to find it by.
    tags: Vec<String>,
    /// Its ports that you may find.
    ports: Vec<String>,
    /// Its page.
    href: String,
}

/// Finds data products
///
/// Those that you may read in some way, and no others.
#[utoipa::path(
    get, path = "/data-products", tag = "catalogue", params(Wanted),
    responses((status = 200, description = "A page", body = ProductsPage), Refusals),
    security(("token" = []))
)]
pub(super) async fn products(
    State(api): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<ProductsPage>, Problem> {
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` is {limit}: take 1 to {MAX_LIMIT}");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail).in_field("limit"));
    }
    let Wanted { domain, tag, q, .. } = &wanted;
    let question = format!("products {:?} {domain:?} {tag:?} {q:?}", caller.principal);
    let key = api.secret.cursor_key();
    let after: Option<String> = wanted
        .cursor
        .as_deref()
        .map(|text| cursor::open(&key, &question, text))
        .transpose()
        .map_err(|error| Problem::new(ProblemCode::InvalidCursor, error.to_string()).in_field("cursor"))?;
    let found = api.visible(&caller).await?;
    let mut matching = found.iter().filter(|(product, ports)| {
        after.as_ref().is_none_or(|after| product.product.to_string() > *after) && fits(&wanted, product, ports)
    });
    let products: Vec<ProductSummary> =
        matching.by_ref().take(limit).map(|(product, ports)| summary(&api.settings.endpoint, product, ports)).collect();
    let last = products.last().map(|product| format!("{}/{}", product.domain, product.name));
    let next = last.filter(|_| matching.next().is_some()).map(|last| cursor::seal(&key, &question, &last)).transpose();
    Ok(Json(ProductsPage {
        products,
        next_cursor: next.map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?,
    }))
}

fn fits(wanted: &Wanted, product: &RegisteredProduct, ports: &[Access]) -> bool {
    let is_in = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    let has = |part: &str| {
        // Of columns only those that the caller sees, so that nobody finds out by asking.
        let mut visible =
            ports.iter().flat_map(|access| &access.table.columns).filter(|c| c.treatment != Treatment::Hide);
        is_in(product.product.product().as_str(), part)
            || product.about.purpose.as_deref().is_some_and(|purpose| is_in(purpose, part))
            || product.about.tags.iter().any(|tag| is_in(tag, part))
            || ports.iter().any(|access| is_in(access.port.name.as_str(), part))
            || visible.any(|column| is_in(&column.name, part))
    };
    wanted.domain.as_deref().is_none_or(|domain| product.product.domain().as_str() == domain)
        && wanted.tag.as_ref().is_none_or(|tag| product.about.tags.contains(tag))
        && wanted.q.as_deref().is_none_or(has)
}

fn summary(endpoint: &str, product: &RegisteredProduct, ports: &[Access]) -> ProductSummary {
    ProductSummary {
        domain: product.product.domain().to_string(),
        name: product.product.product().to_string(),
        version: product.about.version.clone(),
        status: product.about.status.clone(),
        purpose: product.about.purpose.clone(),
        tags: product.about.tags.clone(),
        ports: ports.iter().map(|access| access.port.name.to_string()).collect(),
        href: format!("{endpoint}/data-products/{}", product.product),
    }
}
