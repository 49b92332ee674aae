//! What versions of a table changed.

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use sluice_core::name::TableRef;

use super::entry::{Action, FileAction, LogEntry};
use super::{Log, READ_AT_ONCE};
use crate::delta::DataFile;
use crate::delta::file::check_readable;
use crate::error::LakeError;
use crate::lake::Lake;

/// What one version changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionChanges {
    /// The version.
    pub version: u64,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// Files whose rows came in. Empty when the writer recorded the changed rows.
    pub added: Vec<DataFile>,
    /// Files whose rows went out. Empty when the writer recorded the changed rows.
    pub removed: Vec<DataFile>,
    /// Files of changed rows, when the writer recorded them.
    pub recorded: Vec<DataFile>,
    /// Whether the version gave the table other columns or settings.
    pub redefined: bool,
}

/// What the versions `from` to `to`, both included, changed. The caller makes sure that `to` exists, and limits the number
/// of versions.
///
/// # Errors
/// [`LakeError::VersionGone`] for a version without its log entry; [`LakeError::Violation`] for files with deletion vectors.
pub async fn changes(lake: &Lake, table: &TableRef, from: u64, to: u64) -> Result<Vec<VersionChanges>, LakeError> {
    futures::stream::iter(from..=to)
        .map(|version| changes_of(lake, table, version))
        .buffered(READ_AT_ONCE)
        .try_collect()
        .await
}

async fn changes_of(lake: &Lake, table: &TableRef, version: u64) -> Result<VersionChanges, LakeError> {
    let entry = Log::of(lake, table).entry(version).await?;
    VersionChanges::of(table, &entry)
}

impl VersionChanges {
    fn of(table: &TableRef, entry: &LogEntry) -> Result<Self, LakeError> {
        let mut changes = Self {
            version: entry.version,
            committed_at: entry.written_at,
            added: Vec::new(),
            removed: Vec::new(),
            recorded: Vec::new(),
            redefined: false,
        };
        for action in entry.actions() {
            match action.map_err(entry.unreadable(table))? {
                Action::CommitInfo(info) => changes.committed_at = info.committed_at().unwrap_or(changes.committed_at),
                Action::Metadata => changes.redefined = true,
                Action::Add(file) if file.data_change => changes.added.push(data_file(table, file)?),
                Action::Remove(file) if file.data_change => changes.removed.push(data_file(table, file)?),
                // Recorded changes are no change of the table's own files.
                Action::ChangedRows(file) => changes.recorded.push(data_file(table, file)?),
                Action::Add(_) | Action::Remove(_) | Action::Transaction(_) | Action::Other => {}
            }
        }
        if !changes.recorded.is_empty() {
            changes.added.clear();
            changes.removed.clear();
        }
        Ok(changes)
    }
}

fn data_file(table: &TableRef, action: FileAction) -> Result<DataFile, LakeError> {
    check_readable(table, &action.path, action.deletion_vector.is_some())?;
    Ok(DataFile {
        path: action.path,
        size_bytes: action.size.unwrap_or_default(),
        rows: action.stats.as_deref().and_then(rows_in),
        partition_values: action.partition_values.unwrap_or_default(),
        stats: action.stats,
        modified_at_ms: action.modification_time.or(action.deletion_timestamp).unwrap_or_default(),
    })
}

/// Rows of a file, when its statistics say so.
fn rows_in(stats: &str) -> Option<u64> {
    let stats: serde_json::Value = serde_json::from_str(stats).ok()?;
    stats.get("numRecords")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<VersionChanges, LakeError> {
        let written_at = Timestamp::from_millisecond(7).expect("instant");
        let entry = LogEntry { version: 3, text: lines.join("\n").into(), written_at };
        VersionChanges::of(&"silver/sales/t".parse().expect("table"), &entry)
    }

    #[test]
    fn entries_say_what_changed() {
        let check = |lines: &[&str], expected: (i64, &[&str], &[&str], &[&str])| {
            let changes = parse(lines).expect("entry");
            let paths = |files: &[DataFile]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
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
        assert!(matches!(parse(&[r#"{"add":"#]), Err(LakeError::Unreadable { .. })));
    }

    #[test]
    fn rows_are_those_of_the_statistics() {
        let check = |stats: Option<&str>, expected: Option<u64>| {
            let stats = stats.map_or(serde_json::Value::Null, Into::into);
            let add = serde_json::json!({ "add": { "path": "a", "size": 1, "dataChange": true, "stats": stats } });
            let changes = parse(&[&add.to_string()]).expect("entry");
            let rows: Vec<Option<u64>> = changes.added.iter().map(|file| file.rows).collect();
            assert_eq!(rows, [expected], "{stats:?}");
        };
        check(Some(r#"{"numRecords":3}"#), Some(3));
        check(Some("{}"), None);
        check(Some("x"), None);
        check(None, None);
    }
}
