//! Lambda function: executes a plan with Polars and stages what it would change, invisible to readers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::error::StepError;
use sluice_core::run::{Changeset, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_lake::{Lake, steps};

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The attempt planned.
    pub run: RunRef,
}

/// The changeset, by address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Address of the changeset.
    pub uri: ObjectUri,
    /// Tables it changes.
    pub tables: usize,
}

/// Stages the attempt's changes, or finds that they are staged.
///
/// # Errors
/// `SourceChanged` when a planned object is another one now; `ObjectsHeld` when objects are at fault and held now;
/// `InvalidInput`, `ContractViolation`, `NotFound`, `CommitConflict`, `Throttled`, `Unavailable`, `Internal`.
pub async fn handle(lake: &Lake, now: Timestamp, Input { run }: Input) -> Result<Output, StepError> {
    let changeset = steps::process(lake, now, &run).await?;
    Ok(Output { uri: lake.root().object(&Changeset::path(&run)), tables: changeset.tables.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_events_decode() {
        let input: Input = serde_json::from_str(include_str!("../../../events/process.json")).expect("event");
        assert_eq!((input.run.pipeline.as_str(), input.run.attempt), ("retail", 1));
    }
}
