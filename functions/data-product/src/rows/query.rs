//! `POST /query`: one read-only statement over the ports that the caller may read.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sluice_core::access::{AccessPath, TableAccess};
use sluice_core::columns::StoredColumn;
use sluice_core::sql::{Mentions, ProductSql, product_engine_name};
use sluice_http::audit::column_text;
use sluice_http::{Caller, Json, Problem, ProblemCode};
use sluice_lake::serve::{Question as Asked, Version};
use utoipa::ToSchema;

use crate::answer::Format;
use crate::problem::problem_of;
use crate::refusal::Refusals;
use crate::{Access, App, ProductsApi};

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
    caller: Caller,
    headers: HeaderMap,
    Json(question): Json<Question>,
) -> Result<Response, Problem> {
    let format = Format::chosen(question.format, &headers)?;
    let statement = ProductSql::parse(&question.sql)
        .map_err(|error| Problem::new(ProblemCode::InvalidSql, error.to_string()).in_field("sql"))?;
    if statement.inputs().len() > MAX_TABLES {
        let detail = format!("the statement reads {} ports, more than {MAX_TABLES}", statement.inputs().len());
        return Err(Problem::new(ProblemCode::QueryTooLarge, detail).in_field("sql"));
    }
    let mentions = statement.mentions();
    let mut tables = Vec::new();
    for (index, (product, port)) in statement.inputs().iter().enumerate() {
        if index > 0 {
            caller.trail.another();
        }
        let access = api.authorize(&caller, product, port, AccessPath::Query).await?;
        let open = api.snapshots.open(&access.port.table, Version::Newest).await;
        let open = open.map_err(|error| problem_of(&error, "sql"))?;
        let table = access.table.asking(mentions.names());
        caller.trail.note(|event| {
            event.version = Some(open.version());
            event.columns = columns_read(&table, open.columns(), &mentions);
        });
        tables.push((product_engine_name(product, port), api.form(&Access { table, ..access }, open.version())));
    }
    let asked = Asked::Statement { sql: statement, tables, format: format.into() };
    let answered = api.ask(&caller, asked).await.map_err(|error| problem_of(&error, "sql"))?;
    caller.trail.note_all(|event| {
        event.rows = Some(answered.rows);
        event.files = Some((answered.files_read, answered.files_total));
    });
    ProductsApi::respond(&api, &caller, format, answered, |mut rows| {
        rows.splice(0..0, br#"{"rows":"#.iter().copied());
        rows.push(b'}');
        rows
    })
    .await
}

/// The columns of a table that a statement names.
fn columns_read(access: &TableAccess, columns: &[StoredColumn], mentions: &Mentions) -> Vec<String> {
    let read = access.visible(columns).filter(|(column, _)| mentions.includes(&column.name));
    read.filter_map(|(column, treatment)| column_text(&column.name, treatment)).collect()
}
