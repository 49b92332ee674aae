//! What the function is asked: by the state machine, by EventBridge, by a schedule.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{RunAction, RunRef};
use sluice_core::uri::FolderUri;
use sluice_documents::trigger::Trigger;

/// The input of terminate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is read per call")]
pub enum Input {
    /// `{"run": …}`: the state machine is done with the cluster of this attempt.
    Attempt(RunRef),
    /// An execution ended without its own end: EventBridge `Step Functions Execution Status Change`.
    Execution(EndedExecution),
    /// `{"sweep": true}`: a schedule has every cluster checked.
    Sweep,
}

/// An execution that failed, timed out or was aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedExecution {
    name: RunId,
    /// The execution's input, where the event has it and it is one of ours.
    trigger: Option<Trigger>,
}

/// The run of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    /// The run.
    pub run_id: RunId,
    /// Its pipeline, as far as the event says.
    pub pipeline: Option<PipelineName>,
}

impl EndedExecution {
    /// The run that the execution was about, in the lake at `lake`: its own, or the one that it was to accept.
    ///
    /// An input that names no pipeline never came as far as a cluster; the run is still looked for by its id.
    pub fn run(self, lake: &FolderUri) -> EndedRun {
        match self.trigger.map(|trigger| trigger.into_request(lake)) {
            Some(Ok(request)) => {
                let run_id = match request.action {
                    RunAction::Accept { run_id } => run_id,
                    RunAction::Ingest | RunAction::Replay => self.name,
                };
                EndedRun { run_id, pipeline: Some(request.pipeline) }
            }
            Some(Err(_)) | None => EndedRun { run_id: self.name, pipeline: None },
        }
    }
}

/// The ends of an execution after which nobody else terminates its cluster. `SUCCEEDED` has its own state for that.
const ENDS: [&str; 3] = ["FAILED", "TIMED_OUT", "ABORTED"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRun {
    run: RunRef,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSweep {
    sweep: bool,
}

/// The parts of the event that matter here. AWS adds fields as it likes.
#[derive(Deserialize)]
struct Event {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    name: RunId,
    status: String,
    /// The input as JSON text; null when it is too large for an event.
    #[serde(default)]
    input: Option<String>,
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // Recognised by the field that every EventBridge event has, so that errors are about the shape that was meant.
        if value.get("detail-type").is_some() {
            return of_event(parse(value).map_err(D::Error::custom)?).map_err(D::Error::custom);
        }
        if value.get("sweep").is_some() {
            let OfSweep { sweep } = parse(value).map_err(D::Error::custom)?;
            return if sweep {
                Ok(Self::Sweep)
            } else {
                Err(D::Error::custom("at `sweep`: write true or leave it out"))
            };
        }
        parse(value).map(|OfRun { run }| Self::Attempt(run)).map_err(D::Error::custom)
    }
}

fn of_event(event: Event) -> Result<Input, String> {
    let Event { source, detail_type, detail: Detail { name, status, input } } = event;
    if (source.as_str(), detail_type.as_str()) != ("aws.states", "Step Functions Execution Status Change") {
        return Err(format!(
            "event '{detail_type}' of '{source}' does not end a run: send 'Step Functions Execution Status Change' of 'aws.states'"
        ));
    }
    if !ENDS.contains(&status.as_str()) {
        return Err(format!(
            "at `detail.status`: '{status}' is not an end after which clusters are terminated: send {}",
            ENDS.join(", ")
        ));
    }
    let trigger = input.and_then(|text| serde_json::from_str(&text).ok());
    Ok(Input::Execution(EndedExecution { name, trigger }))
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| format!("at `{}`: {}", error.path(), error.inner()))
}
