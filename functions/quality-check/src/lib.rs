//! Lambda function: audits exactly the staged files against the contracts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::error::StepError;
use sluice_core::run::{Decision, RunRef, Verdict};
use sluice_core::uri::ObjectUri;
use sluice_lake::{Lake, steps};

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The attempt staged.
    pub run: RunRef,
}

/// The verdict, by address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The decision. A rejection is a result, not an error.
    pub decision: Decision,
    /// Address of the verdict.
    pub uri: ObjectUri,
}

/// Audits the attempt, or finds that it is audited.
///
/// # Errors
/// `ObjectsHeld` when some objects of the run spoil it and are held now; `NotFound` when nothing is staged;
/// `InvalidInput`, `ContractViolation`, `Throttled`, `Unavailable`, `Internal`.
pub async fn handle(lake: &Lake, now: Timestamp, Input { run }: Input) -> Result<Output, StepError> {
    let verdict = steps::quality_check(lake, now, &run).await?;
    Ok(Output { decision: verdict.decision, uri: lake.root().object(&Verdict::path(&run)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_events_decode() {
        let input: Input = serde_json::from_str(include_str!("../../../events/quality-check.json")).expect("event");
        assert_eq!((input.run.pipeline.as_str(), input.run.attempt), ("retail", 1));
    }
}
