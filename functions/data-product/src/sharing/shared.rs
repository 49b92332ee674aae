//! A table in the form in which a caller may have its files.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sluice_core::access::Treatment;
use sluice_core::columns::StoredColumn;
use sluice_core::uri::{LakePath, layout};
use sluice_http::{Problem, ProblemCode};
use sluice_lake::LakeError;
use sluice_lake::delta::{Bound, DataFile, OpenTable, version_at};
use sluice_lake::serve::{ServeError, Version, read_type};

use crate::problem::problem_of;
use crate::state::in_time;
use crate::{Access, ProductsApi};

/// What a table is to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    /// Id of the table.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Its columns, as far as the caller may know of them; without those of lineage, which a table's own files have as well.
    pub(super) columns: Vec<StoredColumn>,
    /// Partition columns.
    pub(super) partition_by: Vec<String>,
}

/// A file that is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedFile {
    /// Where it is in the lake.
    pub(super) path: LakePath,
    /// What it is called for clients.
    pub(super) id: String,
    /// Bytes.
    pub(super) size_bytes: u64,
    /// Rows, when they are known.
    pub(super) rows: Option<u64>,
    /// Partition values, as text.
    pub(super) partition_values: BTreeMap<String, Option<String>>,
    /// Delta statistics, JSON text.
    pub(super) stats: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub(super) modified_at_ms: i64,
}

impl SharedFile {
    /// A file of the port's table.
    ///
    /// # Errors
    /// `internal` for a file outside the table's folder, which another engine may have named.
    pub(super) fn of_table(access: &Access, file: DataFile) -> Result<Self, Problem> {
        let path = layout::table_file(&access.port.table, &file.path).map_err(|error| {
            tracing::error!(%error, table = %access.port.table, "a file of the table is not in its folder");
            Problem::new(ProblemCode::Internal, unreadable(access))
        })?;
        Ok(Self {
            id: file_id(&path),
            path,
            size_bytes: file.size_bytes,
            rows: file.rows,
            partition_values: file.partition_values,
            stats: file.stats,
            modified_at_ms: file.modified_at_ms,
        })
    }
}

/// What a file is called: says nothing of its name, which may hold a partition value.
pub(super) fn file_id(path: &LakePath) -> String {
    blake3::hash(path.as_str().as_bytes()).to_hex().chars().take(32).collect()
}

/// Which version is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The newest.
    Newest,
    /// By number.
    Version(u64),
    /// The one at this instant.
    At(Timestamp),
}

impl ProductsApi {
    /// The port's table at the version asked for. The newest may be two seconds old.
    ///
    /// # Errors
    /// `not-found`, `version-gone` and the faults of the lake; `query-too-slow`.
    pub(super) async fn shared_table(&self, access: &Access, asked: Asked) -> Result<Arc<OpenTable>, Problem> {
        let version = match asked {
            Asked::Newest => Version::Newest,
            Asked::Version(version) => Version::At(version),
            Asked::At(instant) => Version::At(self.shared_version(access, instant, Bound::AtOrBefore).await?),
        };
        let opened = self.snapshots.open(&access.port.table, version).await;
        opened.map_err(|error| not_opened(access, &error))
    }

    /// The version that an instant means.
    ///
    /// # Errors
    /// `invalid-request` when the table had no version at that instant.
    pub(super) async fn shared_version(
        &self,
        access: &Access,
        instant: Timestamp,
        bound: Bound,
    ) -> Result<u64, Problem> {
        let found = in_time(version_at(&self.lake, &access.port.table, instant, bound)).await?;
        found.map_err(|error| fault(access, &error))?.ok_or_else(|| {
            let side = match bound {
                Bound::AtOrBefore => "or before",
                Bound::AtOrAfter => "or after",
            };
            let detail = format!("port `{}` has no version at {instant} {side}: choose another time", access.port.name);
            Problem::new(ProblemCode::InvalidRequest, detail)
        })
    }
}

/// What the table is to the caller.
pub(super) fn definition(access: &Access, table: &OpenTable) -> Result<Definition, Problem> {
    let name = access.port.name.to_string();
    let id = table.id().map_err(|error| fault(access, &error))?;
    if access.table.is_whole(table.columns()) {
        let partition_by = table.partition_by().map_err(|error| fault(access, &error))?;
        return Ok(Definition { id, name, columns: visible_columns(access, table.columns()), partition_by });
    }
    // Another id than the table's own, so that no client takes the one for the other. Copies have no partitions.
    let id = uuid_of(&format!("{id}\n{}", access_form(access, table.columns())));
    Ok(Definition { id, name, columns: visible_columns(access, table.columns()), partition_by: Vec::new() })
}

/// The columns that the caller gets, with the types they have then.
pub(super) fn visible_columns(access: &Access, columns: &[StoredColumn]) -> Vec<StoredColumn> {
    let column = |(column, treatment): (&StoredColumn, Treatment)| StoredColumn {
        name: column.name.clone(),
        column_type: read_type(column, treatment),
    };
    access.table.visible(columns).map(column).collect()
}

/// The form in which a caller reads these columns, as text: the same for callers who read the same.
pub(super) fn access_form(access: &Access, columns: &[StoredColumn]) -> String {
    let column = |(column, treatment): (&StoredColumn, Treatment)| format!("{} {treatment:?}", column.name);
    let columns: Vec<String> = access.table.visible(columns).map(column).collect();
    format!("{}\n{}", columns.join("\n"), access.table.rows.as_deref().unwrap_or_default())
}

/// A text's hash in the form of a UUID.
fn uuid_of(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Why a table cannot be opened, as an answer to the caller.
fn not_opened(access: &Access, error: &ServeError) -> Problem {
    let port = &access.port.name;
    match error {
        ServeError::NoTable => Problem::new(ProblemCode::NotFound, format!("port `{port}` has no rows yet")),
        ServeError::NoVersion { .. } => no_such_version(access),
        ServeError::VersionGone { version } => version_gone(access, *version),
        ServeError::Lake(lake) => {
            tracing::error!(error_name = %lake.name, error_message = lake.message, "cannot share a table");
            Problem::of_lake(lake.name, unreadable(access))
        }
        other => problem_of(other, "version"),
    }
}

fn no_such_version(access: &Access) -> Problem {
    let detail = format!("port `{}` has no such version: ask for `/version`", access.port.name);
    Problem::new(ProblemCode::NotFound, detail)
}

fn version_gone(access: &Access, version: u64) -> Problem {
    let detail = format!("version {version} of port `{}` has been cleaned up: choose a newer one", access.port.name);
    Problem::new(ProblemCode::VersionGone, detail)
}

/// A fault of the lake as an answer to the caller: without the names of tables and files, which are not theirs to know.
pub(super) fn fault(access: &Access, error: &LakeError) -> Problem {
    match error {
        LakeError::VersionGone { version, .. } => version_gone(access, *version),
        LakeError::NotFound { .. } => no_such_version(access),
        _ => {
            let message = sluice_core::error::with_sources(error);
            tracing::error!(error_name = %error.name(), error_message = message, "cannot share a table");
            Problem::of_lake(error.name(), unreadable(access))
        }
    }
}

/// The table is not as Sluice writes tables.
fn unreadable(access: &Access) -> String {
    format!(
        "the table of port `{}` cannot be read, or has features that are not shared (deletion vectors, column mapping): \
         report it to its owner",
        access.port.name
    )
}
