//! An execution that ended without success, as EventBridge reports it: `Step Functions Execution Status Change`.
//!
//! The rule for these events invokes terminate, which ends the clusters of the run, and notify, which reports it.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sluice_core::failure::{FailureName, MachineError};
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{ReportedError, RunAction};
use sluice_core::uri::FolderUri;

use crate::event::{EventError, EventKind, detail_of};
use crate::trigger::{Trigger, named_pipeline};

const STATUS_CHANGE: EventKind =
    EventKind { service: "aws.states", detail_type: "Step Functions Execution Status Change", effect: "end" };

/// How an execution ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Failed,
    TimedOut,
    Aborted,
}

/// An execution that failed, timed out or was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedExecution {
    name: RunId,
    /// The execution's input, where the event has it and it is one of ours.
    trigger: Option<Trigger>,
    /// The pipeline that the input names, even where the rest of it cannot be read.
    named: Option<PipelineName>,
    ended_at: Option<Timestamp>,
    error: ReportedError,
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
    /// An input that names no pipeline was never planned; the run is then known by its id alone.
    pub fn run(&self, lake: &FolderUri) -> EndedRun {
        match self.trigger.clone().map(|trigger| trigger.into_request(lake)) {
            Some(Ok(request)) => {
                let run_id = match request.action {
                    RunAction::Accept { run_id } => run_id,
                    RunAction::Ingest | RunAction::Replay => self.name.clone(),
                };
                EndedRun { run_id, pipeline: Some(request.pipeline) }
            }
            Some(Err(_)) | None => EndedRun { run_id: self.name.clone(), pipeline: self.named.clone() },
        }
    }

    /// When it ended; `None` when the event does not say.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// Why it ended, with the function's own message. An event without an error gets the name that its status has.
    pub fn error(&self) -> &ReportedError {
        &self.error
    }
}

/// The parts of the event's detail that matter here. AWS adds fields as it likes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    name: RunId,
    status: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    stop_date: Option<i64>,
    /// The input as JSON text; null when it is too large for an event.
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    error: Option<FailureName>,
    #[serde(default)]
    cause: Option<String>,
}

impl TryFrom<Value> for EndedExecution {
    type Error = EventError;

    fn try_from(event: Value) -> Result<Self, EventError> {
        let Detail { name, status, stop_date, input, error, cause } = detail_of(event, STATUS_CHANGE)?;
        let end = match status.as_str() {
            "FAILED" => End::Failed,
            "TIMED_OUT" => End::TimedOut,
            "ABORTED" => End::Aborted,
            _ => return Err(EventError::NotAnEnd { status }),
        };
        let input: Option<Value> = input.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self {
            name,
            named: input.as_ref().and_then(named_pipeline),
            trigger: input.and_then(|input| serde_json::from_value(input).ok()),
            ended_at: stop_date.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok()),
            error: reported(end, error, cause),
        })
    }
}

fn reported(end: End, error: Option<FailureName>, cause: Option<String>) -> ReportedError {
    let (name, words) = match end {
        End::Failed => (MachineError::Unknown, "the state machine reported no error"),
        End::TimedOut => (MachineError::TimedOut, "the execution took longer than the state machine allows"),
        End::Aborted => (MachineError::Stopped, "the execution was stopped"),
    };
    let error = error.filter(|error| !error.as_str().is_empty());
    // An empty cause belongs to its error: Step Functions leaves the cause of a timeout empty.
    let cause = cause.unwrap_or_else(|| if error.is_none() { words.to_owned() } else { String::new() });
    ReportedError { error: error.unwrap_or_else(|| name.into()), cause }.unwrapped()
}

impl<'de> Deserialize<'de> for EndedExecution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(status: &str, more: &Value) -> Value {
        let mut detail = json!({
            "executionArn": "arn:aws:states:eu-central-1:123456789012:execution:sluice-dev:r1",
            "name": "r1", "status": status, "startDate": 1_767_592_800_000_i64, "stopDate": 1_767_596_400_000_i64,
            "input": "{\"pipeline\":\"retail\"}", "inputDetails": {"included": true}, "output": null,
        });
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({
            "version": "0", "id": "315c1398-40ff-a850-213b-158f73e60175", "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change", "account": "123456789012",
            "time": "2026-01-05T07:00:00Z", "region": "eu-central-1", "resources": [], "detail": detail,
        })
    }

    fn ended(status: &str, more: &Value) -> EndedExecution {
        event(status, more).try_into().unwrap()
    }

    #[test]
    fn every_input_of_an_execution_names_its_run() {
        let check = |input: Value, run_id: &str, pipeline: Option<&str>| {
            let run = ended("FAILED", &json!({"input": input})).run(&"s3://lake/prod".parse().unwrap());
            let found = (run.run_id.as_str(), run.pipeline.as_ref().map(|name| name.as_str()));
            assert_eq!(found, (run_id, pipeline), "{input}");
        };
        check(json!("{\"pipeline\": \"retail\"}"), "r1", Some("retail"));
        check(json!("[{\"pipeline\": \"retail\"}]"), "r1", Some("retail"));
        check(
            json!("{\"pipeline\": \"retail\", \"action\": {\"accept\": {\"run_id\": \"r0\"}}}"),
            "r0",
            Some("retail"),
        );
        // Refused by validate for something else, and still about this pipeline.
        check(json!("[{\"pipeline\": \"retail\", \"landing\": 7}]"), "r1", Some("retail"));
        check(json!("[]"), "r1", None);
        check(json!("no JSON"), "r1", None);
        check(Value::Null, "r1", None);
    }

    #[test]
    fn the_error_is_the_events_or_that_of_the_status() {
        let check = |status: &str, more: Value, error: &str, cause: &str| {
            let ended = ended(status, &more);
            assert_eq!((ended.error().error.as_str(), ended.error().cause.as_str()), (error, cause));
        };
        let wrapped = "{\"errorMessage\": \"no such column\", \"errorType\": \"ContractViolation\"}";
        check("FAILED", json!({"error": "ContractViolation", "cause": wrapped}), "ContractViolation", "no such column");
        check("FAILED", json!({"error": "States.Timeout", "cause": ""}), "States.Timeout", "");
        check("FAILED", json!({"error": "Lambda.Unknown"}), "Lambda.Unknown", "");
        check("FAILED", json!({"error": null, "cause": null}), "Unknown", "the state machine reported no error");
        check("TIMED_OUT", json!({}), "States.Timeout", "the execution took longer than the state machine allows");
        check("ABORTED", json!({}), "Stopped", "the execution was stopped");
        check("ABORTED", json!({"cause": "stopped by ann"}), "Stopped", "stopped by ann");
        let at = ended("FAILED", &json!({})).ended_at();
        assert_eq!(at, Some("2026-01-05T07:00:00Z".parse().unwrap()));
        assert_eq!(ended("FAILED", &json!({"stopDate": null})).ended_at(), None);
    }

    #[test]
    fn other_events_are_refused_by_name() {
        let check = |event: Value, expected: &str| {
            let error = EndedExecution::try_from(event).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(event("RUNNING", &json!({})), "'RUNNING' is not an end");
        check(event("SUCCEEDED", &json!({})), "'SUCCEEDED' is not an end");
        check(event("FAILED", &json!({"name": "a b"})), "at `detail.name`");
        let mut other = event("FAILED", &json!({}));
        other["source"] = json!("aws.s3");
        check(other, "event 'Step Functions Execution Status Change' of 'aws.s3' does not end a run");
        let mut empty = event("FAILED", &json!({}));
        empty["detail"] = Value::Null;
        check(empty, "at `detail`");
        check(json!({"source": "aws.states", "detail-type": "x"}), "missing field `time`");
    }
}
