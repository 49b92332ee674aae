//! Lambda function: executes a plan with Polars and stages what it would change, invisible to readers. A large plan has
//! parts: each is read by a call of its own, and one more call combines them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::error::StepError;
use sluice_core::run::{Changeset, PartNumber, PartRef, ReadPart, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_lake::{Lake, steps};

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The attempt planned.
    pub run: RunRef,
    /// The part to read; without one, the attempt is staged as a whole, with whatever its parts have staged.
    #[serde(default)]
    pub part: Option<PartNumber>,
}

/// What was staged, by address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Output {
    /// The attempt.
    Changeset {
        /// Address of the changeset.
        uri: ObjectUri,
        /// Tables it changes.
        tables: usize,
    },
    /// One part of it.
    Part {
        /// Address of the part's document.
        uri: ObjectUri,
        /// The part.
        part: PartNumber,
        /// Its records.
        rows: u64,
    },
}

/// Stages the attempt's changes or those of one part, or finds that they are staged.
///
/// # Errors
/// `SourceChanged` when a planned object is another one now; `ObjectsHeld` when objects are at fault and held now;
/// `InvalidInput`, `ContractViolation`, `NotFound`, `CommitConflict`, `Throttled`, `Unavailable`, `Internal`.
pub async fn handle(lake: &Lake, now: Timestamp, Input { run, part }: Input) -> Result<Output, StepError> {
    let Some(part) = part else {
        let changeset = steps::process(lake, now, &run).await?;
        let uri = lake.root().object(&Changeset::path(&run));
        return Ok(Output::Changeset { uri, tables: changeset.tables.len() });
    };
    let read = steps::read_part(lake, now, &run, part).await?;
    let uri = lake.root().object(&ReadPart::path(&PartRef::first(&run, part)));
    Ok(Output::Part { uri, part, rows: read.rows() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_events_decode() {
        let input: Input = serde_json::from_str(include_str!("../../../events/process.json")).expect("event");
        assert_eq!((input.run.pipeline.as_str(), input.run.attempt, input.part), ("retail", 1, None));
        let part: Input = serde_json::from_str(include_str!("../../../events/process-part.json")).expect("event");
        assert_eq!((part.run, part.part.map(|part| part.to_string())), (input.run, Some("2".to_owned())));
    }

    #[test]
    fn the_answer_says_what_was_staged() {
        let check = |answer: serde_json::Value, expected: fn(&Output) -> bool| {
            let output: Output = serde_json::from_value(answer.clone()).expect("answer");
            assert!(expected(&output), "{output:?}");
            assert_eq!(serde_json::to_value(&output).expect("answer"), answer);
        };
        let changeset = serde_json::json!({"uri": "s3://lake/runs/retail/day-1/changeset-1.json", "tables": 3});
        check(changeset, |output| matches!(output, Output::Changeset { .. }));
        let uri = "s3://lake/parts/retail/day-1/1/part-2.json";
        let part = serde_json::json!({"uri": uri, "part": 2, "rows": 5});
        check(part, |output| matches!(output, Output::Part { .. }));
    }
}
