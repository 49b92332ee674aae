//! Entries of a table's log: the one parser of their actions. The ledger, the history, the changes of versions and restore fold them.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use sluice_core::name::TableRef;
use sluice_core::run::RunRef;
use sluice_core::uri::layout;

use crate::error::LakeError;

/// An entry of a table's log: lines of JSON, one action each.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    /// The version that it makes.
    pub(crate) version: u64,
    /// Its text.
    pub(crate) text: Bytes,
    /// When the object was written, for writers that do not say when they committed.
    pub(crate) written_at: Timestamp,
}

/// An action of an entry.
#[derive(Debug)]
pub(crate) enum Action {
    /// Who committed, when and why.
    CommitInfo(CommitInfo),
    /// A file whose rows come in.
    Add(FileAction),
    /// A file whose rows go out.
    Remove(FileAction),
    /// A file of changed rows, which is no part of the table.
    ChangedRows(FileAction),
    /// A mark of a writer in the table.
    Transaction(Transaction),
    /// Other columns or settings.
    Metadata,
    /// What changes nothing that is read here, such as the versions of the protocol.
    Other,
}

/// What an entry says of its commit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommitInfo {
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    in_commit_timestamp: Option<i64>,
    /// What the writer called it, such as `WRITE`.
    #[serde(default)]
    pub(crate) operation: Option<String>,
    #[serde(default, rename = "sluice.pipeline")]
    pipeline: Option<String>,
    /// The run that committed, when Sluice did.
    #[serde(default, rename = "sluice.run_id")]
    pub(crate) run_id: Option<String>,
    #[serde(default, rename = "sluice.attempt")]
    attempt: Option<u32>,
}

/// A file that an entry adds or removes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileAction {
    /// Path below the table's folder, not percent-encoded.
    #[serde(deserialize_with = "percent_decoded")]
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) partition_values: Option<BTreeMap<String, Option<String>>>,
    /// Bytes; removals may leave it out.
    #[serde(default)]
    pub(crate) size: Option<u64>,
    #[serde(default)]
    pub(crate) modification_time: Option<i64>,
    #[serde(default)]
    pub(crate) deletion_timestamp: Option<i64>,
    /// Whether the table's rows are others because of it; rows that are only laid out otherwise are not.
    #[serde(default)]
    pub(crate) data_change: bool,
    #[serde(default)]
    pub(crate) stats: Option<String>,
    #[serde(default)]
    pub(crate) deletion_vector: Option<IgnoredAny>,
}

/// The mark of a writer: the newest version of an application id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transaction {
    /// The application id.
    pub(crate) app_id: String,
    /// Its version.
    pub(crate) version: i64,
}

/// A line as it is written: an object with the action under its name.
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
    txn: Option<Transaction>,
    #[serde(default)]
    meta_data: Option<IgnoredAny>,
}

impl LogEntry {
    /// The actions, in order.
    ///
    /// # Errors
    /// For a line that was cut or overwritten.
    pub(crate) fn actions(&self) -> impl Iterator<Item = Result<Action, serde_json::Error>> {
        self.lines().map(Action::parse)
    }

    /// The marks of writers. Most lines of an entry are files with long statistics, so only those that can be a mark are parsed.
    ///
    /// # Errors
    /// As [`Self::actions`], for these lines.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = Result<Transaction, serde_json::Error>> {
        let transaction = |action| match action {
            Ok(Action::Transaction(transaction)) => Some(Ok(transaction)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        self.lines_with(b"\"txn\"").map(Action::parse).filter_map(transaction)
    }

    /// What the entry says of its commit; `None` for writers that say nothing. Only lines that can be it are parsed.
    ///
    /// # Errors
    /// As [`Self::actions`], for these lines.
    pub(crate) fn commit_info(&self) -> Result<Option<CommitInfo>, serde_json::Error> {
        for line in self.lines_with(b"\"commitInfo\"") {
            if let Action::CommitInfo(info) = Action::parse(line)? {
                return Ok(Some(info));
            }
        }
        Ok(None)
    }

    /// Checks that every line is an action, and that there is one: every writer notes at least its commit, so an entry
    /// without a line was cut.
    ///
    /// # Errors
    /// [`LakeError::Unreadable`] naming the file of the entry.
    pub(crate) fn check(&self, table: &TableRef) -> Result<(), LakeError> {
        self.check_not_empty(table)?;
        for action in self.actions() {
            action.map_err(self.unreadable(table))?;
        }
        Ok(())
    }

    /// Checks that there is a line.
    ///
    /// # Errors
    /// [`LakeError::Unreadable`] naming the file of the entry.
    pub(crate) fn check_not_empty(&self, table: &TableRef) -> Result<(), LakeError> {
        if self.lines().next().is_none() {
            return Err(damaged(table, self.version, "it is empty"));
        }
        Ok(())
    }

    /// The error for an entry that cannot be read.
    pub(crate) fn unreadable(&self, table: &TableRef) -> impl Fn(serde_json::Error) -> LakeError {
        let (table, version) = (table.clone(), self.version);
        move |error| damaged(&table, version, &error.to_string())
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
    }

    fn lines_with(&self, name: &'static [u8]) -> impl Iterator<Item = &[u8]> {
        self.lines().filter(move |line| memmem::find(line, name).is_some())
    }
}

/// The error for the entry of a version.
fn damaged(table: &TableRef, version: u64, problem: &str) -> LakeError {
    let file = layout::log_entry(table, version);
    LakeError::Unreadable { what: format!("table `{table}`: file '{file}' of its log is damaged: {problem}") }
}

impl Action {
    fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        let line: Line = serde_json::from_slice(line)?;
        Ok(match line {
            Line { commit_info: Some(info), .. } => Self::CommitInfo(info),
            Line { add: Some(file), .. } => Self::Add(file),
            Line { remove: Some(file), .. } => Self::Remove(file),
            Line { cdc: Some(file), .. } => Self::ChangedRows(file),
            Line { txn: Some(transaction), .. } => Self::Transaction(transaction),
            Line { meta_data: Some(_), .. } => Self::Metadata,
            _ => Self::Other,
        })
    }
}

impl CommitInfo {
    /// When it was committed.
    pub(crate) fn committed_at(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.in_commit_timestamp.or(self.timestamp)?).ok()
    }

    /// The attempt that made the commit; `None` for other writers.
    pub(crate) fn attempt(&self) -> Option<RunRef> {
        let pipeline = self.pipeline.as_deref()?.parse().ok()?;
        Some(RunRef { pipeline, run_id: self.run_id.as_deref()?.parse().ok()?, attempt: self.attempt? })
    }
}

fn percent_decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(percent_decode_str(&text).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use sluice_core::error::ErrorName;

    use super::*;

    fn entry(lines: &[&str]) -> LogEntry {
        LogEntry { version: 3, text: lines.join("\n").into(), written_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn every_action_is_read_by_its_name() {
        let entry = entry(&[
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
            r#"{"metaData":{"id":"x","schemaString":"{}"}}"#,
            r#"{"commitInfo":{"timestamp":1000,"operation":"WRITE","sluice.pipeline":"retail","sluice.run_id":"d1","sluice.attempt":2}}"#,
            "",
            r#"{"txn":{"appId":"a","version":4}}"#,
            r#"{"add":{"path":"d=1/a%20b.parquet","size":5,"dataChange":true}}"#,
            r#"{"remove":{"path":"c","dataChange":true}}"#,
            r#"{"cdc":{"path":"x","dataChange":false,"size":1}}"#,
        ]);
        let name = |action: Action| match action {
            Action::CommitInfo(info) => format!("commit of {:?}", info.attempt().map(|run| run.attempt)),
            Action::Add(file) => format!("add {}", file.path),
            Action::Remove(file) => format!("remove {}", file.path),
            Action::ChangedRows(file) => format!("cdc {}", file.path),
            Action::Transaction(mark) => format!("txn {} {}", mark.app_id, mark.version),
            Action::Metadata => "metadata".to_owned(),
            Action::Other => "other".to_owned(),
        };
        let names: Vec<String> = entry.actions().map(|action| name(action.expect("action"))).collect();
        let expected =
            ["other", "metadata", "commit of Some(2)", "txn a 4", "add d=1/a b.parquet", "remove c", "cdc x"];
        assert_eq!(names, expected);
        assert_eq!(entry.transactions().count(), 1);
        let info = entry.commit_info().expect("readable").expect("there");
        assert_eq!(
            (info.committed_at().map(Timestamp::as_millisecond), info.operation.as_deref()),
            (Some(1000), Some("WRITE"))
        );
    }

    #[test]
    fn a_torn_line_spoils_only_what_has_to_read_it() {
        let torn = entry(&[r#"{"commitInfo":{"timestamp":7,"inCommitTimestamp":9}}"#, r#"{"add":{"path":"#]);
        assert!(torn.actions().any(|action| action.is_err()));
        assert_eq!(torn.transactions().count(), 0);
        let info = torn.commit_info().expect("readable").expect("there");
        assert_eq!(info.committed_at().map(Timestamp::as_millisecond), Some(9));
        assert!(entry(&[r#"{"txn":{"appId":"a""#]).transactions().all(|mark| mark.is_err()));
        assert!(entry(&[]).commit_info().expect("readable").is_none());
    }

    #[test]
    fn a_damaged_entry_is_named_by_its_file() {
        let table = "silver/sales/t".parse().expect("table");
        let whole = [r#"{"commitInfo":{"timestamp":7}}"#, r#"{"add":{"path":"a"}}"#];
        assert!(entry(&whole).check(&table).is_ok());
        for damage in ["", "\n \n", "garbage", "{\"add\":", "\0\0", "7", "{}\n{"] {
            let error = entry(&[damage]).check(&table).expect_err(damage);
            assert_eq!(error.name(), ErrorName::TableUnreadable, "{damage}");
            let text = error.to_string();
            let file = "table `silver/sales/t`: file 'silver/sales/t/_delta_log/00000000000000000003.json'";
            assert!(text.starts_with(file), "{damage}: {text}");
        }
    }
}
