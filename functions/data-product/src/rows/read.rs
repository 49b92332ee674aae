//! `GET /data-products/{domain}/{product}/rows`: a page of rows of one port.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sluice_core::access::{AccessPath, TableAccess};
use sluice_core::columns::StoredColumn;
use sluice_core::cursor;
use sluice_core::name::{PortName, ProductRef};
use sluice_core::sql::caller_predicate;
use sluice_http::audit::column_text;
use sluice_http::body::named;
use sluice_http::{Caller, Problem, ProblemCode, Query};
use sluice_lake::serve::{Answer, Position, Question, RowsQuestion, Version};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{self, Format};
use crate::catalogue::found;
use crate::problem::problem_of;
use crate::refusal::Refusals;
use crate::{Access, App, ProductsApi};

/// Rows of a page when nobody says how many.
const DEFAULT_LIMIT: u32 = 100;
/// Most rows of a page.
const MAX_LIMIT: u32 = 10_000;

/// What is asked of the rows.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The output port; may be left out where the product has one that you may read.
    #[param(max_length = 64, pattern = "^[a-z][a-z0-9_]{0,63}$")]
    port: Option<String>,
    /// Columns, separated by commas; all that you may read when left out.
    #[param(max_length = 4096, example = "country,net_revenue")]
    columns: Option<String>,
    /// Only rows for which this predicate of the portable SQL subset is true.
    #[param(max_length = 8192, example = "country = 'France' AND net_revenue > 100")]
    filter: Option<String>,
    /// Columns to order by, separated by commas, `-` for descending.
    #[param(max_length = 1024, example = "-net_revenue,country")]
    order: Option<String>,
    /// Most rows of the page: 1 to 10,000.
    #[param(minimum = 1, maximum = 10000, default = 100)]
    limit: Option<u32>,
    /// The page after the one that gave this cursor; the other parameters must be the same.
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// The table as it was at this version.
    version: Option<u64>,
    /// The table as it was at this instant, RFC 3339.
    #[param(format = DateTime)]
    as_of: Option<String>,
    /// Format of the answer; goes before `Accept`.
    #[param(inline)]
    format: Option<Format>,
}

/// What a cursor holds.
#[derive(Debug, Clone, Copy, serde::Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    version: u64,
    from: Position,
}

/// A page of rows in JSON.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is written by hand, because rows are written by the engine")]
pub(crate) struct RowsPage {
    /// Version of the table; the pages that follow are of the same.
    version: u64,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
    /// The rows: decimals and instants are texts, see the columns' types.
    rows: Vec<std::collections::HashMap<String, serde_json::Value>>,
}

/// Reads rows of a port
///
/// Pages follow each other by `cursor` and are all of one version of the table, whatever is published meanwhile. In other formats than JSON the
/// cursor stands in the header `sluice-next-cursor` alone. Answers too large for one response are in a file whose address stands in `Location`.
#[utoipa::path(
    get, path = "/data-products/{domain}/{product}/rows", tag = "rows",
    params(
        ("domain" = String, Path, description = "the product's domain"),
        ("product" = String, Path, description = "the product's name"),
        Parameters,
    ),
    responses(
        (status = 200, description = "The page",
            headers(("sluice-table-version" = u64, description = "version of the table"), ("sluice-next-cursor" = String, description = "not there on the last page")),
            content(
                (RowsPage = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"),
                (Vec<u8> = "application/vnd.apache.parquet"), (Vec<u8> = "application/vnd.apache.arrow.stream"),
            )),
        (status = 303, description = "The page is in the file at `Location`", headers(("location" = String, description = "good for some minutes"))),
        Refusals,
    ),
    security(("token" = []))
)]
pub(crate) async fn rows(
    State(api): State<App>,
    caller: Caller,
    Path((domain, product)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let product = ProductRef::new(named("domain", &domain)?, named("data product", &product)?);
    let format = Format::chosen(parameters.format, &headers)?;
    let port = port(&api, &caller, &product, parameters.port.as_deref()).await?;
    let access = api.authorize(&caller, &product, &port, AccessPath::Rows).await?;
    let question = question(&parameters)?;
    let table = access.table.asking(question.named().iter().map(String::as_str));
    let access = Access { table, ..access };
    let digest = digest(&parameters, &access, &caller);
    let (version, page) = page(&api, &parameters, (question, format), &digest, (&caller, &access)).await?;
    caller.trail.note(|event| {
        event.version = Some(version);
        event.rows = Some(page.rows);
        event.files = Some((page.files_read, page.files_total));
    });
    let next = page.next.map(|from| cursor::seal(&api.secret.cursor_key(), &digest, &Place { version, from }));
    let next = next.transpose().map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    let next_cursor = next.clone();
    let response = ProductsApi::respond(&api, &caller, format, page, move |mut rows| {
        let next = next_cursor.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""));
        rows.splice(0..0, format!(r#"{{"version":{version},"next_cursor":{next},"rows":"#).into_bytes());
        rows.push(b'}');
        rows
    })
    .await?;
    let response = answer::with_header(response, answer::TABLE_VERSION, &version.to_string());
    Ok(match next {
        Some(next) => answer::with_header(response, answer::NEXT_CURSOR, &next),
        None => response,
    })
}

/// The page asked for, and the version that it is of.
async fn page(
    api: &App,
    parameters: &Parameters,
    (mut question, format): (RowsQuestion, Format),
    digest: &str,
    (caller, access): (&Caller, &Access),
) -> Result<(u64, Answer), Problem> {
    let version = match &parameters.cursor {
        Some(cursor) => {
            let place: Place = cursor::open(&api.secret.cursor_key(), digest, cursor)
                .map_err(|error| Problem::new(ProblemCode::InvalidCursor, error.to_string()).in_field("cursor"))?;
            question.from = Some(place.from);
            Version::At(place.version)
        }
        None => version(parameters)?,
    };
    let open = api.snapshots.open(&access.port.table, version).await.map_err(|error| problem_of(&error, "version"))?;
    let version = open.version();
    caller.trail.note(|event| event.columns = columns_read(&access.table, open.columns(), &question));
    let asked = Question::Page { table: api.form(access, version), asked: question, format: format.into() };
    let answered = api.ask(caller, asked).await;
    answered.map(|page| (version, page)).map_err(|error| problem_of(&error, "filter"))
}

/// The columns that a question reads, in the order of the answer; those of its filter and order alone come after.
fn columns_read(access: &TableAccess, columns: &[StoredColumn], question: &RowsQuestion) -> Vec<String> {
    let given = question.columns.clone();
    let given = given.unwrap_or_else(|| access.visible(columns).map(|(column, _)| column.name.clone()).collect());
    let named = question.named().into_iter().filter(|name| !given.contains(name)).collect::<Vec<_>>();
    let read = given.iter().chain(&named).filter(|name| columns.iter().any(|column| column.name == **name));
    read.filter_map(|name| column_text(name, access.treatment(name))).collect()
}

/// The port asked for, or the only one that the caller may read.
async fn port(api: &App, caller: &Caller, product: &ProductRef, asked: Option<&str>) -> Result<PortName, Problem> {
    if let Some(asked) = asked {
        return named("port", asked);
    }
    let registered = found(api, caller, product).await?.0;
    let readable: Vec<Access> = api.accesses(caller, &registered, AccessPath::Rows);
    match readable.as_slice() {
        [only] => Ok(only.port.name.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|access| access.port.name.as_str()).collect();
            let detail = format!(
                "name the port: you may read {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            );
            Err(Problem::new(ProblemCode::InvalidRequest, detail).in_field("port"))
        }
    }
}

fn question(parameters: &Parameters) -> Result<RowsQuestion, Problem> {
    let refused = |field: &str, detail: String| Problem::new(ProblemCode::InvalidRequest, detail).in_field(field);
    let names = |field: &str, text: &str| -> Result<Vec<String>, Problem> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let distinct: std::collections::BTreeSet<&str> =
            names.iter().map(|name| name.trim_start_matches('-')).collect();
        if names.iter().any(String::is_empty) || distinct.len() != names.len() {
            return Err(refused(
                field,
                format!("`{field}` has an empty or repeated name: write each column once, separated by commas"),
            ));
        }
        Ok(names)
    };
    let filter = parameters.filter.as_deref().map(caller_predicate).transpose();
    let filter = filter.map_err(|error| Problem::new(ProblemCode::InvalidSql, error.to_string()).in_field("filter"))?;
    let limit = parameters.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(refused("limit", format!("`limit` is {limit}: take 1 to {MAX_LIMIT}")));
    }
    let order = match &parameters.order {
        Some(text) => names("order", text)?,
        None => Vec::new(),
    };
    let order = order.into_iter().map(|name| match name.strip_prefix('-') {
        Some(column) => (column.to_owned(), true),
        None => (name, false),
    });
    Ok(RowsQuestion {
        columns: parameters.columns.as_deref().map(|text| names("columns", text)).transpose()?,
        filter,
        order: order.collect(),
        limit,
        from: None,
    })
}

fn version(parameters: &Parameters) -> Result<Version, Problem> {
    let refused = |field: &str, detail: &str| Problem::new(ProblemCode::InvalidRequest, detail).in_field(field);
    match (parameters.version, &parameters.as_of) {
        (Some(_), Some(_)) => Err(refused("as_of", "`version` and `as_of` are two ways to say one thing: send one")),
        (Some(version), None) => Ok(Version::At(version)),
        (None, Some(text)) => text
            .parse()
            .map(Version::AsOf)
            .map_err(|_| refused("as_of", "`as_of` is no instant: write it as 2026-01-05T10:00:00Z")),
        (None, None) => Ok(Version::Newest),
    }
}

/// What a cursor is bound to: the caller, the form in which they read, and the question but for its page.
fn digest(parameters: &Parameters, access: &Access, caller: &Caller) -> String {
    let Parameters { columns, filter, order, version, as_of, .. } = parameters;
    let asked = format!("{columns:?} {filter:?} {order:?} {version:?} {as_of:?}");
    let form = format!("{:?} {} {:?}", access.table, access.port.table, caller.principal);
    blake3::hash(format!("{}/{} {asked} {form}", access.product.product, access.port.name).as_bytes())
        .to_hex()
        .to_string()
}
