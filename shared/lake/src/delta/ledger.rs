//! The record of what is in a table: the `txn` actions of its own log, so it cannot disagree with the table.

use std::collections::BTreeMap;

use polars::prelude::{ParquetReader, SerReader};
use sluice_core::name::{RunId, TableRef};
use sluice_core::run::RunRef;
use sluice_core::source::SourceId;

use super::log::{Log, LogFile, newest_checkpoint};
use crate::error::LakeError;

const SOURCE_PREFIX: &str = "sluice.source/";
const RUN_PREFIX: &str = "sluice.run/";
const INPUT_PREFIX: &str = "sluice.input/";

/// The `txn` application id that records a source object in a table.
pub fn source_app_id(source: &SourceId) -> String {
    format!("{SOURCE_PREFIX}{source}")
}

/// The `txn` application id that records an attempt of a run in a table.
pub fn run_app_id(run: &RunRef) -> String {
    format!("{RUN_PREFIX}{}/{}", run.run_id, run.attempt)
}

/// The `txn` application id whose version is the version of an input that a table was computed from.
pub(crate) fn input_app_id(input: &TableRef) -> String {
    format!("{INPUT_PREFIX}{input}")
}

/// The input whose version a `txn` application id records; `None` for other ids.
pub(crate) fn input_of(app_id: &str) -> Option<TableRef> {
    app_id.strip_prefix(INPUT_PREFIX)?.parse().ok()
}

/// The newest version of every `txn` application id of a table.
///
/// The library answers for one id at a time and reads the whole log for each; a run asks for thousands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    transactions: BTreeMap<String, i64>,
}

impl Ledger {
    /// Whether the rows of this source object are in the table.
    pub fn has_source(&self, source: &SourceId) -> bool {
        self.transactions.contains_key(&source_app_id(source))
    }

    /// All source objects in the table.
    pub fn sources(&self) -> impl Iterator<Item = SourceId> + '_ {
        self.transactions.keys().filter_map(|id| id.strip_prefix(SOURCE_PREFIX)?.parse().ok())
    }

    /// Whether this attempt of a run was committed.
    pub fn has_run(&self, run: &RunRef) -> bool {
        self.transactions.contains_key(&run_app_id(run))
    }

    /// The newest attempt of a run that was committed.
    pub fn newest_attempt(&self, run: &RunId) -> Option<u32> {
        let attempts = format!("{RUN_PREFIX}{run}/");
        self.transactions.keys().filter_map(|id| id.strip_prefix(&attempts)?.parse().ok()).max()
    }

    /// The version of `input` that the table was computed from.
    pub fn input_version(&self, input: &TableRef) -> Option<u64> {
        self.transactions.get(&input_app_id(input)).and_then(|version| u64::try_from(*version).ok())
    }

    /// Reads the ledger of a table at a version: newest checkpoint, then the commits after it.
    pub(super) async fn read(log: &Log<'_>, version: u64) -> Result<Self, LakeError> {
        let files = log.files().await?;
        let checkpoint = newest_checkpoint(&files, version);
        let mut ledger = Self::default();
        for part in &checkpoint {
            ledger.add_checkpoint(log.table(), part, log.bytes(part).await?)?;
        }
        let summed_up = checkpoint.first().map(|part| part.version);
        let is_needed = |file: &&LogFile| {
            file.is_commit() && file.version <= version && summed_up.is_none_or(|summed_up| file.version > summed_up)
        };
        for commit in files.iter().filter(is_needed) {
            let entry = log.entry(commit.version).await?;
            // Some readers pass over an empty file, and the rows that it named would be missing without a word.
            entry.check_not_empty(log.table())?;
            for transaction in entry.transactions() {
                let transaction = transaction.map_err(entry.unreadable(log.table()))?;
                ledger.transactions.insert(transaction.app_id, transaction.version);
            }
        }
        Ok(ledger)
    }

    fn add_checkpoint(&mut self, table: &TableRef, part: &LogFile, bytes: bytes::Bytes) -> Result<(), LakeError> {
        let failed =
            |source| LakeError::Polars { doing: format!("checkpoint {} of table `{table}`", part.name), source };
        let frame = ParquetReader::new(std::io::Cursor::new(bytes))
            .with_columns(Some(vec!["txn".to_owned()]))
            .finish()
            .map_err(failed)?;
        let txn = frame.column("txn").and_then(|column| column.struct_().cloned()).map_err(failed)?;
        let app_ids = txn.field_by_name("appId").map_err(failed)?;
        let versions = txn.field_by_name("version").map_err(failed)?;
        let (app_ids, versions) = (app_ids.str().map_err(failed)?, versions.i64().map_err(failed)?);
        for (app_id, version) in app_ids.iter().zip(versions.iter()) {
            if let (Some(app_id), Some(version)) = (app_id, version) {
                self.transactions.insert(app_id.to_owned(), version);
            }
        }
        Ok(())
    }
}
