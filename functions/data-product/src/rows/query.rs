//! `POST /query`: one read-only statement over the ports that the caller may read.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sluice_core::access::AccessPath;
use sluice_core::sql::{ProductSql, product_engine_name};
use sluice_http::{Credentials, Json, Problem, ProblemCode};
use sluice_lake::serve::{Question as Asked, Version};
use utoipa::ToSchema;

use super::problem_of;
use crate::answer::{self, Format};
use crate::refusal::Refusals;
use crate::{App, ProductsApi};

/// Most ports that one statement may read.
const MAX_TABLES: usize = 8;

/// A question in SQL.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// One SELECT of the portable SQL subset; tables are called `<domain>.<product>.<port>`.
    #[schema(
        max_length = 16384,
        example = "SELECT country, SUM(net_revenue) AS revenue FROM sales.retail.daily_revenue GROUP BY country"
    )]
    sql: String,
    /// Format of the answer; goes before `Accept`.
    #[serde(default)]
    format: Option<Format>,
}

/// The rows of an answer in JSON.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is written by hand, because rows are written by the engine")]
pub(crate) struct Rows {
    /// The rows: decimals and instants are texts, see the columns' types.
    rows: Vec<std::collections::HashMap<String, serde_json::Value>>,
}

/// Asks by SQL
///
/// One SELECT over the ports you may read by `query`, with your row filters and masks applied. An answer has at most 10,000 rows and is
/// given within 25 s. Answers too large for one response are in a file whose address stands in `Location`.
#[utoipa::path(
    post, path = "/query", tag = "rows", request_body = Question,
    responses(
        (status = 200, description = "The rows", content(
            (Rows = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"), (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = 303, description = "The rows are in the file at `Location`", headers(("location" = String, description = "good for some minutes"))),
        Refusals,
    ),
    security(("token" = []))
)]
pub(crate) async fn query(
    State(api): State<App>,
    credentials: Credentials,
    headers: HeaderMap,
    Json(question): Json<Question>,
) -> Result<Response, Problem> {
    let caller = api.caller(&credentials).await?;
    let format = Format::chosen(question.format, &headers)?;
    let statement = ProductSql::parse(&question.sql)
        .map_err(|error| Problem::new(ProblemCode::InvalidSql, error.to_string()).in_field("sql"))?;
    if statement.inputs().len() > MAX_TABLES {
        let detail = format!("the statement reads {} ports, more than {MAX_TABLES}", statement.inputs().len());
        return Err(Problem::new(ProblemCode::QueryTooLarge, detail).in_field("sql"));
    }
    let (mut accesses, mut tables) = (Vec::new(), Vec::new());
    for (product, port) in statement.inputs() {
        let access = api.authorize(&caller, product, port, AccessPath::Query, "query").await?;
        let failed =
            |error: &_| api.failed(api.allowed(&caller, AccessPath::Query, "query", &access), problem_of(error, "sql"));
        let open = api.snapshots.open(&access.port.table, Version::Newest).await.map_err(|error| failed(&error))?;
        tables.push((product_engine_name(product, port), api.form(&access.port.table, open.version(), &access.table)));
        accesses.push((access, open.version()));
    }
    let asked = Asked::Statement { sql: statement, tables, format: format.into() };
    let answered = match api.questions.answer(&caller.name(), asked).await {
        Ok(answered) => answered,
        Err(error) => {
            let problem = problem_of(&error, "sql");
            let each = accesses.iter().map(|(access, _)| api.allowed(&caller, AccessPath::Query, "query", access));
            return Err(each.fold(problem, |problem, event| api.failed(event, problem)));
        }
    };
    for (access, version) in &accesses {
        let mut event = api.allowed(&caller, AccessPath::Query, "query", access);
        event.version = Some(*version);
        event.rows = Some(answered.rows);
        event.files = Some((answered.files_read, answered.files_total));
        api.audit.write(&event);
    }
    ProductsApi::respond(&api, format, answered, |mut rows| {
        rows.splice(0..0, br#"{"rows":"#.iter().copied());
        rows.push(b'}');
        rows
    })
    .await
    .map(answer::finished)
}
