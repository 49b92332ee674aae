//! Lambda function: plans a run, or plans it again after another writer or a changed source object overtook it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::engine::Engine;
use sluice_core::error::StepError;
use sluice_core::name::RunId;
use sluice_core::run::{Plan, PlanStatus, ReportedError, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_documents::trigger::Trigger;
use sluice_lake::{Lake, steps};

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Payload")]
pub enum Input {
    /// To plan the run of an execution.
    Plan {
        /// Name of the execution, which is the run's id: started again under the same name, it is the same run.
        run_id: RunId,
        /// Input of the execution.
        trigger: Trigger,
    },
    /// To plan the next attempt of a run.
    Replan {
        /// The attempt that was overtaken.
        run: RunRef,
        /// What happened to it.
        conflict: ReportedError,
    },
}

/// The two payloads as the state machine writes them: Validate sends `execution_name` and `request`, Replan sends `run`,
/// `conflict` and the `request`, which is then in the plan already.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    execution_name: Option<RunId>,
    request: Option<Trigger>,
    run: Option<RunRef>,
    conflict: Option<ReportedError>,
}

impl TryFrom<Payload> for Input {
    type Error = &'static str;

    fn try_from(payload: Payload) -> Result<Self, &'static str> {
        match payload {
            Payload { execution_name: Some(run_id), request: Some(trigger), run: None, conflict: None } => {
                Ok(Self::Plan { run_id, trigger })
            }
            Payload { execution_name: None, request: _, run: Some(run), conflict: Some(conflict) } => {
                Ok(Self::Replan { run, conflict })
            }
            _ => Err("send either `execution_name` and `request`, or `run`, `conflict` and `request`"),
        }
    }
}

/// The attempt planned, and what the state machine decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The attempt.
    pub run: RunRef,
    /// Its plan.
    pub plan: PlanPointer,
}

/// A plan, by address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanPointer {
    /// What was decided.
    pub status: PlanStatus,
    /// The engine.
    pub engine: Engine,
    /// Address of the plan.
    pub uri: ObjectUri,
}

/// Plans the run, or finds that it is planned.
///
/// # Errors
/// `InvalidInput`, `ContractViolation`, `NotFound`; `CommitConflict` when the run was overtaken too often; `Throttled`,
/// `Unavailable`, `Internal`.
pub async fn handle(lake: &Lake, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let planned = match input {
        Input::Plan { run_id, trigger } => steps::validate(lake, now, run_id, trigger.into_request(lake.root())?).await,
        Input::Replan { run, conflict } => {
            tracing::warn!(
                attempt = run.attempt,
                error = conflict.error.as_str(),
                cause = conflict.cause,
                "planning again"
            );
            steps::replan(lake, now, &run).await
        }
    };
    let Plan { run, status, engine, .. } = planned?;
    Ok(Output { plan: PlanPointer { status, engine: engine.engine, uri: lake.root().object(&Plan::path(&run)) }, run })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(text: &str) -> Input {
        serde_json::from_str(text).expect("event")
    }

    #[test]
    fn sample_events_decode() {
        let lake = "s3://example-lake/prod".parse().expect("lake");
        let check = |text: &str| {
            let Input::Plan { trigger, .. } = event(text) else { panic!("not a plan: {text}") };
            assert_eq!(trigger.into_request(&lake).expect("request").pipeline.as_str(), "retail");
        };
        check(include_str!("../../../events/validate-request.json"));
        check(include_str!("../../../events/validate-request-local.json"));
        check(include_str!("../../../events/validate-accept.json"));
        check(include_str!("../../../events/validate-scheduler.json"));
        check(include_str!("../../../events/validate-s3-object-created.json"));
        let Input::Replan { run, conflict } = event(include_str!("../../../events/validate-replan.json")) else {
            panic!("not a replan")
        };
        assert_eq!((run.attempt, conflict.error.as_str()), (1, "CommitConflict"));
    }

    #[test]
    fn wrong_payloads_are_named() {
        let check = |payload: Value, expected: &str| {
            let error = serde_path_to_error::deserialize::<_, Input>(payload).expect_err(expected);
            assert!(format!("{}: {}", error.path(), error.inner()).contains(expected), "{error}");
        };
        let request = json!({"pipeline": "retail"});
        check(json!({"request": request}), "`execution_name` and `request`");
        check(json!({"execution_name": "r"}), "`execution_name` and `request`");
        check(json!({"execution_name": "a b", "request": request}), "execution_name: 'a b' is no run id");
        check(json!({"execution_name": "r", "request": {"pipeline": "Retail"}}), "request: at `pipeline`");
        check(json!({"execution_name": "r", "request": request, "dry_run": true}), "unknown field `dry_run`");
        let run = json!({"pipeline": "retail", "run_id": "r", "attempt": 1});
        check(json!({"execution_name": "r", "request": request, "run": run}), "send either");
    }
}
