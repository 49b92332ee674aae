//! The log of a table as it is shared: its files, its versions by time, and what each version changed.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use sluice_core::name::TableRef;
use sluice_core::uri::layout;

use super::{OpenTable, open_table};
use crate::error::LakeError;
use crate::lake::Lake;

/// Log entries that are read at once.
const READ_AT_ONCE: usize = 8;

/// A data file as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedFile {
    /// Path below the table's folder.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Partition values, as text.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Delta statistics (JSON text), when the log has them.
    pub stats: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub modified_at_ms: i64,
}

impl LoggedFile {
    /// Rows, when the statistics say so.
    pub fn rows(&self) -> Option<u64> {
        let stats: serde_json::Value = serde_json::from_str(self.stats.as_deref()?).ok()?;
        stats.get("numRecords")?.as_u64()
    }
}

/// What one version changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionChanges {
    /// The version.
    pub version: u64,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// Files whose rows came in. Empty when the writer recorded the changed rows.
    pub added: Vec<LoggedFile>,
    /// Files whose rows went out. Empty when the writer recorded the changed rows.
    pub removed: Vec<LoggedFile>,
    /// Files of changed rows, when the writer recorded them.
    pub recorded: Vec<LoggedFile>,
    /// Whether the version gave the table other columns or settings.
    pub redefined: bool,
}

/// Which version an instant means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The newest that was committed at the instant or before.
    AtOrBefore,
    /// The oldest that was committed at the instant or after.
    AtOrAfter,
}

impl OpenTable {
    /// The table's id.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn id(&self) -> Result<String, LakeError> {
        let snapshot = self.table.snapshot().map_err(LakeError::delta(&self.reference))?;
        Ok(snapshot.metadata().id().to_owned())
    }

    /// Data files of this version as the log has them, in order of their paths.
    ///
    /// # Errors
    /// [`LakeError::Violation`] for files with deletion vectors and for columns that are named otherwise in the files.
    pub fn logged_files(&self) -> Result<Vec<LoggedFile>, LakeError> {
        let snapshot = self.table.snapshot().map_err(LakeError::delta(&self.reference))?;
        let mapping = snapshot.metadata().configuration().get("delta.columnMapping.mode");
        if mapping.is_some_and(|mode| mode != "none") {
            let message =
                "its columns have other names in the files (column mapping), which is not read yet".to_owned();
            return Err(LakeError::Violation { table: self.reference.clone(), message });
        }
        let mut files = Vec::new();
        for file in snapshot.log_data() {
            if file.deletion_vector_descriptor().is_some() {
                return Err(self.deleted_rows(&file.path()));
            }
            files.push(LoggedFile {
                path: file.path().into_owned(),
                size_bytes: u64::try_from(file.size()).unwrap_or_default(),
                partition_values: file.partition_values_map().into_iter().collect(),
                stats: file.stats(),
                modified_at_ms: file.modification_time(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn deleted_rows(&self, path: &str) -> LakeError {
        deleted_rows(&self.reference, path)
    }
}

fn deleted_rows(table: &TableRef, path: &str) -> LakeError {
    let message = format!("file {path} has a deletion vector, which is not read yet; rewrite the table without");
    LakeError::Violation { table: table.clone(), message }
}

/// Opens a table as [`open_table`] does, and tells a version that was cleaned up from other faults.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::VersionGone`].
pub async fn open_version(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<Option<OpenTable>, LakeError> {
    let opened = open_table(lake, table, version).await;
    let (Err(LakeError::Delta { .. }), Some(version)) = (&opened, version) else { return opened };
    // The version is not newer than the table, or the answer were another. A version needs its own entry.
    if lake.documents().exists(&layout::log_entry(table, version)).await? {
        opened
    } else {
        Err(LakeError::VersionGone { table: table.clone(), version })
    }
}

/// The version that an instant means; `None` when there is none on that side.
///
/// # Errors
/// [`LakeError::Store`] and [`LakeError::Internal`] when the log cannot be read.
pub async fn version_at(
    lake: &Lake,
    table: &TableRef,
    instant: Timestamp,
    bound: Bound,
) -> Result<Option<u64>, LakeError> {
    let versions = logged_versions(lake, table).await?;
    // Commits follow each other in time, so a few entries are enough. The first `low` versions are before the instant.
    let (mut low, mut high) = (0, versions.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some(version) = versions.get(middle) else { break };
        let committed_at = read_entry(lake, table, *version).await?.committed_at;
        let is_before = match bound {
            Bound::AtOrBefore => committed_at <= instant,
            Bound::AtOrAfter => committed_at < instant,
        };
        if is_before { low = middle + 1 } else { high = middle }
    }
    let index = match bound {
        Bound::AtOrBefore => low.checked_sub(1),
        Bound::AtOrAfter => Some(low),
    };
    Ok(index.and_then(|index| versions.get(index)).copied())
}

/// What the versions `from` to `to`, both included, changed. The caller has made sure that `to` is there, and bounds how
/// many there are.
///
/// # Errors
/// [`LakeError::VersionGone`] for a version without its log entry; [`LakeError::Violation`] for files with deletion vectors.
pub async fn changes(lake: &Lake, table: &TableRef, from: u64, to: u64) -> Result<Vec<VersionChanges>, LakeError> {
    futures::stream::iter(from..=to)
        .map(|version| read_entry(lake, table, version))
        .buffered(READ_AT_ONCE)
        .try_collect()
        .await
}

/// Versions that have their log entry, the oldest first.
async fn logged_versions(lake: &Lake, table: &TableRef) -> Result<Vec<u64>, LakeError> {
    let paths = lake.documents().list(&layout::log(table)).await?;
    let version = |path: &str| {
        let digits = path.rsplit('/').next()?.strip_suffix(".json")?;
        if digits.len() == 20 { digits.parse().ok() } else { None }
    };
    Ok(paths.iter().filter_map(|path| version(path.as_str())).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAction {
    path: String,
    #[serde(default)]
    partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    modification_time: Option<i64>,
    #[serde(default)]
    deletion_timestamp: Option<i64>,
    #[serde(default)]
    data_change: bool,
    #[serde(default)]
    stats: Option<String>,
    #[serde(default)]
    deletion_vector: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo {
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    in_commit_timestamp: Option<i64>,
}

/// A line of a log entry; what of it is not named here changes no rows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    commit_info: Option<CommitInfo>,
    #[serde(default)]
    add: Option<FileAction>,
    #[serde(default)]
    remove: Option<FileAction>,
    #[serde(default)]
    cdc: Option<FileAction>,
    #[serde(default)]
    meta_data: Option<serde::de::IgnoredAny>,
}

async fn read_entry(lake: &Lake, table: &TableRef, version: u64) -> Result<VersionChanges, LakeError> {
    let path = layout::log_entry(table, version);
    let key = lake.documents().key(&path)?;
    let failed = |source| LakeError::Store { doing: "reading log entry", location: path.to_string(), source };
    let (text, written_at) = match lake.documents().objects().get(&key).await {
        Ok(object) => {
            let written_at = object.meta.last_modified.timestamp_millis();
            (object.bytes().await.map_err(failed)?, written_at)
        }
        Err(object_store::Error::NotFound { .. }) => {
            return Err(LakeError::VersionGone { table: table.clone(), version });
        }
        Err(source) => return Err(failed(source)),
    };
    parse_entry(table, version, &text, written_at)
}

/// Reads a log entry. `written_at` is the time of the object, for writers that do not say when they committed.
fn parse_entry(table: &TableRef, version: u64, text: &[u8], written_at: i64) -> Result<VersionChanges, LakeError> {
    let mut committed_at = written_at;
    let mut changes = VersionChanges {
        version,
        committed_at: Timestamp::UNIX_EPOCH,
        added: Vec::new(),
        removed: Vec::new(),
        recorded: Vec::new(),
        redefined: false,
    };
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let line: Line = serde_json::from_slice(line).map_err(|error| LakeError::Internal {
            message: format!("table `{table}`: log entry of version {version} is not readable: {error}"),
        })?;
        if let Some(info) = line.commit_info {
            committed_at = info.in_commit_timestamp.or(info.timestamp).unwrap_or(committed_at);
        }
        changes.redefined |= line.meta_data.is_some();
        let actions =
            [(line.add, &mut changes.added), (line.remove, &mut changes.removed), (line.cdc, &mut changes.recorded)];
        for (index, (action, target)) in actions.into_iter().enumerate() {
            // Files of recorded changes are no change of the table's own data.
            let Some(action) = action.filter(|action| action.data_change || index == 2) else { continue };
            if action.deletion_vector.is_some() {
                return Err(deleted_rows(table, &action.path));
            }
            target.push(logged(action));
        }
    }
    if !changes.recorded.is_empty() {
        changes.added.clear();
        changes.removed.clear();
    }
    changes.committed_at = Timestamp::from_millisecond(committed_at).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(changes)
}

fn logged(action: FileAction) -> LoggedFile {
    LoggedFile {
        path: percent_decode_str(&action.path).decode_utf8_lossy().into_owned(),
        size_bytes: action.size.unwrap_or_default(),
        partition_values: action.partition_values.unwrap_or_default(),
        stats: action.stats,
        modified_at_ms: action.modification_time.or(action.deletion_timestamp).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<VersionChanges, LakeError> {
        parse_entry(&"silver/sales/t".parse().expect("table"), 3, lines.join("\n").as_bytes(), 7)
    }

    #[test]
    fn entries_say_what_changed() {
        let check = |lines: &[&str], expected: (i64, &[&str], &[&str], &[&str])| {
            let changes = parse(lines).expect("entry");
            let paths = |files: &[LoggedFile]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
            let found = (
                changes.committed_at.as_millisecond(),
                paths(&changes.added),
                paths(&changes.removed),
                paths(&changes.recorded),
            );
            let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            assert_eq!(found, (expected.0, texts(expected.1), texts(expected.2), texts(expected.3)), "{lines:?}");
        };
        let add = r#"{"add":{"path":"d=1/a%20b.parquet","partitionValues":{"d":"1"},"size":5,"modificationTime":1,"dataChange":true}}"#;
        let remove = r#"{"remove":{"path":"c","dataChange":true,"deletionTimestamp":2}}"#;
        check(&[add, remove], (7, &["d=1/a b.parquet"], &["c"], &[]));
        check(&[r#"{"commitInfo":{"timestamp":9,"x":1}}"#, add, ""], (9, &["d=1/a b.parquet"], &[], &[]));
        check(&[&add.replace("true", "false"), &remove.replace("true", "false")], (7, &[], &[], &[]));
        check(&[add, remove, r#"{"cdc":{"path":"x","dataChange":false,"size":1}}"#], (7, &[], &[], &["x"]));
        check(&[r#"{"txn":{"appId":"a","version":1}}"#], (7, &[], &[], &[]));
    }

    #[test]
    fn deletion_vectors_and_torn_entries_are_refused() {
        let vector = r#"{"add":{"path":"a","dataChange":true,"deletionVector":{"storageType":"u"}}}"#;
        assert!(matches!(parse(&[vector]), Err(LakeError::Violation { .. })));
        assert!(matches!(parse(&[r#"{"add":"#]), Err(LakeError::Internal { .. })));
    }

    #[test]
    fn rows_are_those_of_the_statistics() {
        let file = |stats: Option<&str>| LoggedFile {
            path: "a".to_owned(),
            size_bytes: 1,
            partition_values: BTreeMap::new(),
            stats: stats.map(str::to_owned),
            modified_at_ms: 0,
        };
        let check = |stats: Option<&str>, expected: Option<u64>| assert_eq!(file(stats).rows(), expected, "{stats:?}");
        check(Some(r#"{"numRecords":3}"#), Some(3));
        check(Some("{}"), None);
        check(Some("x"), None);
        check(None, None);
    }
}
