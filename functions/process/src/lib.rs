//! Lambda function: executes a plan with Polars and stages what it would change, invisible to readers. A large plan has
//! parts: each is read by a call of its own, and one more call combines them, or leaves that to Spark.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::engine::Engine;
use sluice_core::error::StepError;
use sluice_core::run::{Changeset, PartNumber, PartRef, ReadPart, ReadRun, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_lake::Lake;
use sluice_lake::steps::{self, Processed};

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
    Attempt {
        /// Address of the changeset; of what was read, where Spark combines.
        uri: ObjectUri,
        /// Who combines: lambda has.
        engine: Engine,
        /// Tables that change; where Spark combines, silver tables that were read.
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
        let (path, engine, tables) = match steps::process(lake, now, &run).await? {
            Processed::Changeset(changeset) => (Changeset::path(&run), Engine::Lambda, changeset.tables.len()),
            Processed::Read(read) => (ReadRun::path(&run), Engine::Emr, read.tables.len()),
        };
        return Ok(Output::Attempt { uri: lake.root().object(&path), engine, tables });
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
        let uri = "s3://lake/runs/retail/day-1/changeset-1.json";
        let changeset = serde_json::json!({"uri": uri, "engine": "lambda", "tables": 3});
        check(changeset, |output| matches!(output, Output::Attempt { engine: Engine::Lambda, .. }));
        let read = serde_json::json!({"uri": "s3://lake/runs/retail/day-1/read-1.json", "engine": "emr", "tables": 1});
        check(read, |output| matches!(output, Output::Attempt { engine: Engine::Emr, .. }));
        let uri = "s3://lake/parts/retail/day-1/1/part-2.json";
        let part = serde_json::json!({"uri": uri, "part": 2, "rows": 5});
        check(part, |output| matches!(output, Output::Part { .. }));
    }
}
