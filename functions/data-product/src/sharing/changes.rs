//! What versions of a table changed.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sluice_http::{Caller, Problem, ProblemCode, Query};
use sluice_lake::delta::{self, Bound, OpenTable, VersionChanges};
use utoipa::IntoParams;

use super::capability::Capabilities;
use super::lines::{Answer, Change, ChangedAt, NDJSON};
use super::shared::{Asked, SharedFile, definition, fault};
use super::table::{Given, instant, note_given};
use crate::refusal::Refusals;
use crate::state::in_time;
use crate::{Access, App, ProductsApi};

/// Most versions of one answer.
const MAX_VERSIONS: u64 = 1000;

/// Which versions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangesQuery {
    /// The first version; it or `startingTimestamp` is needed.
    #[param(minimum = 0)]
    starting_version: Option<u64>,
    /// The first version is the oldest at this time or after it.
    #[param(format = DateTime)]
    starting_timestamp: Option<String>,
    /// The last version; the newest when left out.
    #[param(minimum = 0)]
    ending_version: Option<u64>,
    /// The last version is the newest at this time or before it.
    #[param(format = DateTime)]
    ending_timestamp: Option<String>,
    /// `true` for the metadata of every version that changed the columns.
    include_historical_metadata: Option<String>,
}

/// The versions asked for, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Versions {
    from: u64,
    to: u64,
}

/// Changes of a table
///
/// Protocol, metadata and one line per file whose rows came in or went out, for versions of the log that are still there.
/// Only for callers who read every column and row as it is: files of older rows cannot be masked afterwards.
#[utoipa::path(
    get, path = "/sharing/shares/{share}/schemas/{schema}/tables/{table}/changes", tag = "sharing",
    params(("share" = String, Path, description = "domain"), ("schema" = String, Path, description = "data product"),
        ("table" = String, Path, description = "output port"), ChangesQuery,
        ("delta-sharing-capabilities" = Option<String>, Header, description = "what the client can read")),
    responses(
        (status = 200, description = "Two lines and one per file", content_type = NDJSON, body = String,
            headers(("delta-table-version" = u64, description = "the first version"),
                ("delta-sharing-capabilities" = String, description = "the form of the answer"))),
        Refusals,
    )
)]
pub(super) async fn changes(
    State(api): State<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
    Query(query): Query<ChangesQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let historical = query.historical()?;
    let access = api.table_access(&caller, &path).await?;
    let (versions, newest) = api.versions(&access, &query).await?;
    let changed = in_time(delta::changes(&api.lake, &access.port.table, versions.from, versions.to)).await?;
    let changed = changed.map_err(|error| fault(&access, &error))?;
    let tables = in_time(api.defining_tables(&access, versions, &changed, newest)).await??;

    let most = api.settings.max_answer_bytes;
    let mut answer = Answer::new(Capabilities::of(&headers), versions.from, true, most)?;
    // Readers take the first for all versions, unless they asked for each.
    let first = if historical { tables.first() } else { tables.last() };
    if let Some((_, table)) = first {
        answer.metadata(&definition(&access, table)?, None, Some(versions.from))?;
    }
    let mut given = Given { rows: Some(0), ..Given::default() };
    for version in changed {
        let redefined = tables.iter().find(|(at, _)| historical && *at == version.version && *at > versions.from);
        if let Some((at, table)) = redefined {
            answer.metadata(&definition(&access, table)?, None, Some(*at))?;
        }
        api.add_changes((&caller, &access), &mut answer, version, &mut given).await?;
    }
    given.of = given.files;
    if let Some((_, table)) = tables.last() {
        note_given(&caller, &access, table, given);
    }
    answer.finish()
}

impl ChangesQuery {
    fn historical(&self) -> Result<bool, Problem> {
        match self.include_historical_metadata.as_deref() {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => {
                let detail = "`includeHistoricalMetadata` is neither true nor false";
                Err(Problem::new(ProblemCode::InvalidRequest, detail).in_field("includeHistoricalMetadata"))
            }
        }
    }
}

impl ProductsApi {
    /// The versions asked for, and the table at the newest that is known of.
    async fn versions(&self, access: &Access, query: &ChangesQuery) -> Result<(Versions, Arc<OpenTable>), Problem> {
        let refused =
            |field: &'static str, detail: String| Problem::new(ProblemCode::InvalidRequest, detail).in_field(field);
        let newest = self.shared_table(access, Asked::Newest).await?;
        let from = match (query.starting_version, query.starting_timestamp.as_deref()) {
            (Some(version), None) => version,
            (None, Some(text)) => {
                self.shared_version(access, instant("startingTimestamp", text)?, Bound::AtOrAfter).await?
            }
            _ => {
                let detail = "give `startingVersion` or `startingTimestamp`, and not both".to_owned();
                return Err(refused("startingVersion", detail));
            }
        };
        let newest = self.at_least(access, newest, [query.ending_version, Some(from)]).await?;
        let to = match (query.ending_version, query.ending_timestamp.as_deref()) {
            (Some(version), None) => version.min(newest.version()),
            (None, Some(text)) => {
                self.shared_version(access, instant("endingTimestamp", text)?, Bound::AtOrBefore).await?
            }
            (None, None) => newest.version(),
            (Some(_), Some(_)) => {
                let detail = "`endingVersion` and `endingTimestamp` are both given: give one".to_owned();
                return Err(refused("endingVersion", detail));
            }
        };
        if from > to {
            let detail = format!("the first version, {from}, is after the last, {to}: begin earlier");
            return Err(refused("startingVersion", detail));
        }
        if to - from >= MAX_VERSIONS {
            let detail = format!("{} versions are asked for: ask for at most {MAX_VERSIONS} at once", to - from + 1);
            return Err(Problem::new(ProblemCode::QueryTooLarge, detail).in_field("endingVersion"));
        }
        Ok((Versions { from, to }, newest))
    }

    /// The table at its newest or at one of the named versions, if that is newer. The newest may be two seconds old,
    /// and the caller may know of a newer one from another server.
    ///
    /// # Errors
    /// Those of `shared_table`; a named version that does not exist is no error.
    async fn at_least(
        &self,
        access: &Access,
        newest: Arc<OpenTable>,
        named: [Option<u64>; 2],
    ) -> Result<Arc<OpenTable>, Problem> {
        let mut newest = newest;
        for version in named.into_iter().flatten() {
            if version <= newest.version() {
                continue;
            }
            match self.shared_table(access, Asked::Version(version)).await {
                Ok(open) => newest = open,
                Err(problem) if problem.code == ProblemCode::NotFound => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(newest)
    }

    /// The table at every version that says what its columns are: before the first change, where the columns changed, and
    /// at the last. The caller reads each of them as it is.
    ///
    /// # Errors
    /// `forbidden` when one of them has a column or row that the caller does not read as it is; those of `shared_table`.
    async fn defining_tables(
        &self,
        access: &Access,
        versions: Versions,
        changed: &[VersionChanges],
        newest: Arc<OpenTable>,
    ) -> Result<Vec<(u64, Arc<OpenTable>)>, Problem> {
        // Files that went out were written before.
        let is_new = changed.first().is_none_or(|first| first.removed.is_empty());
        let before = (!is_new).then(|| versions.from.saturating_sub(1));
        let redefined = changed.iter().filter(|version| version.redefined).map(|version| version.version);
        let mut wanted: Vec<u64> = redefined.chain([versions.from, versions.to]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut tables = Vec::new();
        for version in before.into_iter().chain(wanted) {
            let table = if version == newest.version() {
                newest.clone()
            } else {
                self.shared_table(access, Asked::Version(version)).await?
            };
            if !access.table.is_whole(table.columns()) {
                let detail = format!(
                    "the policy gives you a part of port `{}`, and changes are available for whole tables only: read versions",
                    access.port.name
                );
                return Err(Problem::new(ProblemCode::Forbidden, detail));
            }
            if version >= versions.from {
                tables.push((version, table));
            }
        }
        Ok(tables)
    }

    async fn add_changes(
        &self,
        (caller, access): (&Caller, &Access),
        answer: &mut Answer,
        version: VersionChanges,
        given: &mut Given,
    ) -> Result<(), Problem> {
        let at = ChangedAt { version: version.version, committed_at: version.committed_at };
        let kinds =
            [(Change::Add, version.added), (Change::Remove, version.removed), (Change::Recorded, version.recorded)];
        let of = [access.file_of(version.version)];
        for (change, files) in kinds {
            for file in files {
                let file = SharedFile::of_table(access, file)?;
                given.files += 1;
                given.rows = given.rows.zip(file.rows).map(|(all, rows)| all + rows);
                let address = self.links.address(&file.path, &caller.principal, &of, self.now()).await?;
                answer.change(&file, &address, change, at)?;
            }
        }
        Ok(())
    }
}
