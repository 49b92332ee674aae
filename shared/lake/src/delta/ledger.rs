//! The record of what is in a table: the `txn` actions of its own log, so it cannot disagree with the table.

use std::collections::BTreeMap;
use std::io::BufRead;

use deltalake::DeltaTable;
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{ObjectStore, ObjectStoreExt};
use futures::TryStreamExt;
use polars::prelude::{ParquetReader, SerReader};
use serde::Deserialize;
use sluice_core::name::TableRef;
use sluice_core::run::RunRef;
use sluice_core::source::SourceId;

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

    /// The version of `input` that the table was computed from.
    pub fn input_version(&self, input: &TableRef) -> Option<u64> {
        self.transactions.get(&input_app_id(input)).and_then(|version| u64::try_from(*version).ok())
    }

    /// Reads the ledger of a table at the version it is open at: newest checkpoint, then the commits after it.
    pub(super) async fn read(reference: &TableRef, table: &DeltaTable) -> Result<Self, LakeError> {
        let version = table.version().unwrap_or_default();
        let store = table.log_store().object_store(None);
        let failed = |doing: &'static str, path: &Path| {
            let location = format!("{reference}/{path}");
            move |source| LakeError::Store { doing, location, source }
        };
        let log = Path::from("_delta_log");
        let mut names: Vec<Path> = store
            .list(Some(&log))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .map_err(failed("list", &log))?;
        names.sort();
        let mut ledger = Self::default();
        let parts = newest_checkpoint(&names, version);
        let checkpoint_version = parts.first().and_then(log_version);
        for part in &parts {
            let bytes = read_all(store.as_ref(), part).await.map_err(failed("read", part))?;
            ledger.add_checkpoint(reference, part, bytes)?;
        }
        for name in &names {
            let Some(commit) = log_version(name).filter(|_| is_commit(name)) else {
                continue;
            };
            if commit <= version && checkpoint_version.is_none_or(|checkpoint| commit > checkpoint) {
                let bytes = read_all(store.as_ref(), name).await.map_err(failed("read", name))?;
                ledger.add_commit(reference, name, &bytes)?;
            }
        }
        Ok(ledger)
    }

    fn add_commit(&mut self, reference: &TableRef, name: &Path, bytes: &[u8]) -> Result<(), LakeError> {
        #[derive(Deserialize)]
        struct Line {
            txn: Option<Txn>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Txn {
            app_id: String,
            version: i64,
        }
        for line in bytes.lines() {
            let line = line.map_err(|source| LakeError::Io { doing: "read", path: name.as_ref().into(), source })?;
            // Most lines are file actions with long statistics; only those that can be a txn are parsed.
            if !line.contains("\"txn\"") {
                continue;
            }
            let parsed: Line = serde_json::from_str(&line).map_err(|error| LakeError::Internal {
                message: format!("table `{reference}`: commit {name} has an unreadable txn action: {error}"),
            })?;
            if let Some(txn) = parsed.txn {
                self.transactions.insert(txn.app_id, txn.version);
            }
        }
        Ok(())
    }

    fn add_checkpoint(&mut self, reference: &TableRef, name: &Path, bytes: bytes::Bytes) -> Result<(), LakeError> {
        let failed = |source| LakeError::Polars { doing: format!("checkpoint {name} of table `{reference}`"), source };
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

async fn read_all(store: &dyn ObjectStore, path: &Path) -> Result<bytes::Bytes, object_store::Error> {
    store.get(path).await?.bytes().await
}

/// The version in a log file's name, `00000000000000000012.json` or `….checkpoint.parquet`.
fn log_version(path: &Path) -> Option<u64> {
    path.filename()?.split('.').next()?.parse().ok()
}

fn is_commit(path: &Path) -> bool {
    path.filename().is_some_and(|name| name.len() == 25 && name.ends_with(".json"))
}

/// The files of the newest checkpoint at or before `version`; empty where there is none.
fn newest_checkpoint(names: &[Path], version: u64) -> Vec<Path> {
    let checkpoints = || {
        names.iter().filter(|name| {
            name.filename().is_some_and(|file| file.contains(".checkpoint.") && file.ends_with(".parquet"))
                && log_version(name).is_some_and(|v| v <= version)
        })
    };
    let newest = checkpoints().filter_map(log_version).max();
    checkpoints().filter(|name| log_version(name) == newest).cloned().collect()
}
