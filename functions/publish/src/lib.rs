//! Lambda function: commits what passed the audit, table by table. No other function writes a Delta log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::error::StepError;
use sluice_core::name::TableRef;
use sluice_core::run::{Receipt, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_lake::{Lake, steps};

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The attempt that passed.
    pub run: RunRef,
}

/// The receipt, by address, and the versions published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Address of the receipt.
    pub uri: ObjectUri,
    /// Tables in the order of their commits.
    pub tables: Vec<TableVersion>,
}

/// A version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableVersion {
    /// The table.
    pub table: TableRef,
    /// Its version.
    pub version: u64,
}

/// Commits the attempt, or finds that it is committed.
///
/// # Errors
/// `CommitConflict` when another writer changed a table; `InvalidInput` for an attempt that did not pass, `NotFound`,
/// `Throttled`, `Unavailable`, `Internal`.
pub async fn handle(lake: &Lake, now: Timestamp, Input { run }: Input) -> Result<Output, StepError> {
    let receipt = steps::publish(lake, now, &run).await?;
    let tables =
        receipt.tables.into_iter().map(|committed| TableVersion { table: committed.table, version: committed.version });
    Ok(Output { uri: lake.root().object(&Receipt::path(&run)), tables: tables.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_events_decode() {
        let input: Input = serde_json::from_str(include_str!("../../../events/publish.json")).expect("event");
        assert_eq!((input.run.pipeline.as_str(), input.run.attempt), ("retail", 1));
    }
}
