//! One table: its version, what it is, and its files.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use sluice_core::access::{AccessPath, Treatment};
use sluice_core::name::ProductRef;
use sluice_http::audit::column_text;
use sluice_http::body::named;
use sluice_http::{Caller, Json, Problem, ProblemCode, Query};
use sluice_lake::delta::{Bound, OpenTable};
use utoipa::{IntoParams, ToSchema};

use super::capability::Capabilities;
use super::lines::{Answer, NDJSON, of_version};
use super::shared::{Asked, SharedFile, definition, fault};
use crate::refusal::Refusals;
use crate::{Access, App, ProductsApi};
use sluice_core::pruning::{Condition, FileFacts};

/// Most hints of a question that are read: each is compared with every file.
const MAX_HINTS: usize = 32;

/// Which table: share, schema and table of the path.
pub(super) type TablePath = Path<(String, String, String)>;

/// From which time on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionQuery {
    /// Ask for the oldest version at this time or after it, such as `2026-01-31T12:00:00Z`; else for the newest.
    #[param(format = DateTime)]
    starting_timestamp: Option<String>,
}

/// Which files. Fields of the protocol that are not named here are passed over.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilesQuery {
    /// Conditions in SQL, all of which hold for the rows that are wanted.
    #[serde(default)]
    predicate_hints: Option<Vec<String>>,
    /// A condition as JSON text, in the protocol's form. Files that cannot hold a row of it are left out.
    #[serde(default)]
    json_predicate_hints: Option<String>,
    /// So many rows are enough: files beyond are left out. Not together with conditions.
    #[serde(default)]
    limit_hint: Option<u32>,
    /// Version of the table.
    #[serde(default)]
    #[schema(minimum = 0)]
    version: Option<u64>,
    /// The version at this time, such as `2026-01-31T12:00:00Z`.
    #[serde(default)]
    timestamp: Option<String>,
    /// Not taken: ask for `/changes`.
    #[serde(default)]
    starting_version: Option<u64>,
    /// Not taken: ask for `/changes`.
    #[serde(default)]
    ending_version: Option<u64>,
}

impl ProductsApi {
    /// What the caller may do with the table of the path, whose names may be in any case.
    ///
    /// # Errors
    /// `not-found`, `forbidden`.
    pub(super) async fn table_access(&self, caller: &Caller, path: &TablePath) -> Result<Access, Problem> {
        let Path((share, schema, table)) = path;
        let domain = named("share", &share.to_lowercase())?;
        let product = ProductRef::new(domain, named("schema", &schema.to_lowercase())?);
        let port = named("table", &table.to_lowercase())?;
        self.authorize(caller, &product, &port, AccessPath::Sharing).await
    }
}

/// Notes what was given out of a table.
pub(super) fn note_given(caller: &Caller, access: &Access, table: &OpenTable, out: Given) {
    // The table's own files hold columns that its schema for the caller leaves out.
    let whole = access.table.is_whole(table.columns());
    let columns = table.columns().iter().filter_map(|column| {
        let treatment = if whole { Treatment::Clear } else { access.table.treatment(&column.name) };
        column_text(&column.name, treatment)
    });
    caller.trail.note(|event| {
        event.version = Some(table.version());
        event.columns = columns.collect();
        event.rows = out.rows;
        event.files = Some((out.files, out.of));
    });
}

/// What was given out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given {
    /// Rows in the files, when they are known.
    pub(super) rows: Option<u64>,
    /// Files handed out.
    pub(super) files: u64,
    /// Files there are.
    pub(super) of: u64,
}

/// An instant of a request.
///
/// # Errors
/// `invalid-request` naming the field.
pub(super) fn instant(field: &'static str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| {
        let detail = format!("`{field}` is not a time: write it as 2026-01-31T12:00:00Z");
        Problem::new(ProblemCode::InvalidRequest, detail).in_field(field)
    })
}

/// Version of a table
///
/// In the header `delta-table-version`.
#[utoipa::path(
    get, path = "/sharing/shares/{share}/schemas/{schema}/tables/{table}/version", tag = "sharing",
    params(("share" = String, Path, description = "domain"), ("schema" = String, Path, description = "data product"),
        ("table" = String, Path, description = "output port"), VersionQuery),
    responses(
        (status = 200, description = "The version, in the header",
            headers(("delta-table-version" = u64, description = "the version"))),
        Refusals,
    )
)]
pub(super) async fn version(
    State(api): State<App>,
    caller: Caller,
    path: TablePath,
    Query(query): Query<VersionQuery>,
) -> Result<Response, Problem> {
    let access = api.table_access(&caller, &path).await?;
    let version = match query.starting_timestamp.as_deref() {
        Some(text) => {
            let instant = instant("startingTimestamp", text)?;
            api.shared_version(&access, instant, Bound::AtOrAfter).await?
        }
        None => api.shared_table(&access, Asked::Newest).await?.version(),
    };
    caller.trail.note(|event| event.version = Some(version));
    Ok(of_version(().into_response(), version))
}

/// What a table is
///
/// Protocol and metadata of the newest version, one JSON object per line.
#[utoipa::path(
    get, path = "/sharing/shares/{share}/schemas/{schema}/tables/{table}/metadata", tag = "sharing",
    params(("share" = String, Path, description = "domain"), ("schema" = String, Path, description = "data product"),
        ("table" = String, Path, description = "output port"),
        ("delta-sharing-capabilities" = Option<String>, Header, description = "what the client can read")),
    responses(
        (status = 200, description = "Two lines", content_type = NDJSON, body = String,
            headers(("delta-table-version" = u64, description = "the version"),
                ("delta-sharing-capabilities" = String, description = "the form of the answer"))),
        Refusals,
    )
)]
pub(super) async fn metadata(
    State(api): State<App>,
    caller: Caller,
    path: TablePath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let access = api.table_access(&caller, &path).await?;
    let table = api.shared_table(&access, Asked::Newest).await?;
    caller.trail.note(|event| event.version = Some(table.version()));
    let mut totals = None;
    if access.table.is_whole(table.columns()) {
        let files = table.files_by_path().map_err(|error| fault(&access, &error))?;
        totals = Some((files.iter().map(|file| file.size_bytes).sum(), files.len() as u64));
    }
    let most = api.settings.max_answer_bytes;
    let mut answer = Answer::new(Capabilities::of(&headers), table.version(), false, most)?;
    answer.metadata(&definition(&access, &table)?, totals, None)?;
    answer.finish()
}

/// Files of a table
///
/// Protocol, metadata and one line per file, with addresses that are good for some minutes.
#[utoipa::path(
    post, path = "/sharing/shares/{share}/schemas/{schema}/tables/{table}/query", tag = "sharing",
    params(("share" = String, Path, description = "domain"), ("schema" = String, Path, description = "data product"),
        ("table" = String, Path, description = "output port"),
        ("delta-sharing-capabilities" = Option<String>, Header, description = "what the client can read")),
    request_body = FilesQuery,
    responses(
        (status = 200, description = "Two lines and one per file", content_type = NDJSON, body = String,
            headers(("delta-table-version" = u64, description = "the version"),
                ("delta-sharing-capabilities" = String, description = "the form of the answer"))),
        Refusals,
    )
)]
pub(super) async fn query(
    State(api): State<App>,
    caller: Caller,
    path: TablePath,
    headers: HeaderMap,
    Json(query): Json<FilesQuery>,
) -> Result<Response, Problem> {
    let access = api.table_access(&caller, &path).await?;
    let asked = query.asked()?;
    let table = api.shared_table(&access, asked).await?;
    let definition = definition(&access, &table)?;
    let files = api.shared_files((&caller, &access), &table, asked).await?;
    let totals = (files.iter().map(|file| file.size_bytes).sum(), files.len() as u64);
    let chosen = query.chosen(&definition.columns, files);

    let most = api.settings.max_answer_bytes;
    let mut answer = Answer::new(Capabilities::of(&headers), table.version(), false, most)?;
    answer.metadata(&definition, Some(totals), None)?;
    let of = [access.file_of(table.version())];
    for file in &chosen {
        answer.file(file, &api.links.address(&file.path, &caller.principal, &of, api.now()).await?)?;
    }
    let given = Given { rows: chosen.iter().map(|file| file.rows).sum(), files: chosen.len() as u64, of: totals.1 };
    note_given(&caller, &access, &table, given);
    answer.finish()
}

impl FilesQuery {
    fn asked(&self) -> Result<Asked, Problem> {
        let refused =
            |field: &'static str, detail: &str| Err(Problem::new(ProblemCode::InvalidRequest, detail).in_field(field));
        if self.starting_version.is_some() || self.ending_version.is_some() {
            return refused(
                "startingVersion",
                "`startingVersion` and `endingVersion` are not supported here: ask for `/changes`",
            );
        }
        match (self.version, self.timestamp.as_deref()) {
            (Some(_), Some(_)) => refused("timestamp", "`version` and `timestamp` are both given: give one"),
            (Some(version), None) => Ok(Asked::Version(version)),
            (None, Some(text)) => instant("timestamp", text).map(Asked::At),
            (None, None) => Ok(Asked::Newest),
        }
    }

    /// The files that may hold what is asked for.
    fn chosen(&self, columns: &[sluice_core::columns::StoredColumn], files: Vec<SharedFile>) -> Vec<SharedFile> {
        // A hint that is not understood leaves out nothing, and neither does one beyond the limit.
        let sql = self.predicate_hints.iter().flatten().take(MAX_HINTS).map(|hint| Condition::of_sql(hint, columns));
        let json = self.json_predicate_hints.iter();
        let json = json.map(|hint| Condition::of_json(hint, columns).unwrap_or(Condition::Unknown));
        let conditions: Vec<Condition> = sql.chain(json).collect();
        if !conditions.is_empty() {
            let condition = Condition::All(conditions);
            let may_hold = |file: &SharedFile| {
                condition.may_hold(FileFacts { stats: file.stats.as_deref(), partition_values: &file.partition_values })
            };
            return files.into_iter().filter(may_hold).collect();
        }
        let Some(limit) = self.limit_hint else { return files };
        let (mut rows, mut chosen) = (0_u64, Vec::new());
        for file in files {
            if rows >= u64::from(limit) {
                break;
            }
            rows += file.rows.unwrap_or_default();
            chosen.push(file);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::columns::StoredColumn;
    use sluice_core::contract::ColumnType;

    use super::*;

    #[test]
    fn questions_are_taken_or_refused_by_field() {
        let check = |body: &str, expected: Result<Asked, &str>| {
            let query: FilesQuery = serde_json::from_str(body).expect(body);
            let asked = query.asked().map_err(|problem| problem.field.unwrap_or_default());
            assert_eq!(asked.as_ref().map_err(String::as_str), expected.as_ref().map_err(|field| *field), "{body}");
        };
        check("{}", Ok(Asked::Newest));
        check(r#"{"version":3,"idempotencyKey":"x"}"#, Ok(Asked::Version(3)));
        check(r#"{"timestamp":"1970-01-01T00:00:00Z"}"#, Ok(Asked::At(Timestamp::UNIX_EPOCH)));
        check(r#"{"timestamp":"yesterday"}"#, Err("timestamp"));
        check(r#"{"version":3,"timestamp":"1970-01-01T00:00:00Z"}"#, Err("timestamp"));
        check(r#"{"startingVersion":0}"#, Err("startingVersion"));
    }

    #[test]
    fn files_beyond_the_limit_are_left_out() {
        let file = |rows: Option<u64>| SharedFile {
            path: "silver/s/t/x".parse().expect("path"),
            id: "f".to_owned(),
            size_bytes: 5,
            rows,
            partition_values: std::collections::BTreeMap::new(),
            stats: rows.map(|rows| {
                format!(r#"{{"numRecords":{rows},"minValues":{{"n":1}},"maxValues":{{"n":5}},"nullCount":{{"n":0}}}}"#)
            }),
            modified_at_ms: 3,
        };
        let columns = [StoredColumn { name: "n".to_owned(), column_type: ColumnType::Int64 }];
        let check = |body: &str, expected: usize| {
            let query: FilesQuery = serde_json::from_str(body).expect(body);
            let files = vec![file(Some(5)), file(None), file(Some(5)), file(Some(5))];
            assert_eq!(query.chosen(&columns, files).len(), expected, "{body}");
        };
        check("{}", 4);
        check(r#"{"limitHint":0}"#, 0);
        check(r#"{"limitHint":5}"#, 1);
        check(r#"{"limitHint":6}"#, 3);
        check(r#"{"limitHint":5,"predicateHints":["a = 1"]}"#, 4);
        check(r#"{"limitHint":5,"jsonPredicateHints":"nonsense"}"#, 4);
        check(r#"{"predicateHints":["n > 5"]}"#, 1);
        check(r#"{"predicateHints":["n > 5", "n < 5"]}"#, 1);
        check(r#"{"predicateHints":["n > 0"]}"#, 4);
        check(r#"{"predicateHints":["nonsense ("]}"#, 4);
    }
}
