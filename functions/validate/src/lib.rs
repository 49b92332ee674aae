//! Lambda function: plans a run, or plans it again after another writer or a changed source object overtook it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::engine::Engine;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::failure::FailureName;
use sluice_core::name::RunId;
use sluice_core::run::{Outcome, PartNumber, Plan, PlanStatus, Report, ReportedError, RunRef};
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
    /// To end an attempt that failed on Spark, or to plan the next one when a person redrove the execution since.
    AfterFailure {
        /// The attempt that failed.
        run: RunRef,
        /// What happened to it.
        failure: ReportedError,
    },
}

/// The payloads as the state machine writes them: Validate sends `execution_name` and `request`; Replan sends `run`,
/// `conflict` and the `request`, which is then in the plan already; ReplanAfterFailure sends `failure` for `conflict`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    execution_name: Option<RunId>,
    request: Option<Trigger>,
    run: Option<RunRef>,
    conflict: Option<ReportedError>,
    failure: Option<ReportedError>,
}

impl TryFrom<Payload> for Input {
    type Error = &'static str;

    fn try_from(payload: Payload) -> Result<Self, &'static str> {
        let Payload { execution_name, request, run, conflict, failure } = payload;
        match (execution_name, request, run, conflict, failure) {
            (Some(run_id), Some(trigger), None, None, None) => Ok(Self::Plan { run_id, trigger }),
            (None, _, Some(run), Some(conflict), None) => Ok(Self::Replan { run, conflict }),
            (None, _, Some(run), None, Some(failure)) => Ok(Self::AfterFailure { run, failure }),
            _ => Err("send either `execution_name` and `request`, or `run`, `request` and `conflict` or `failure`"),
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
    /// The parts that are read by calls of their own, before process combines them; `None` where one call reads the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartsToRead>,
}

/// The parts of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsToRead {
    /// Their numbers.
    pub numbers: Vec<PartNumber>,
    /// Most of them that are read at the same time.
    pub at_once: u32,
}

impl PlanPointer {
    fn new(lake: &Lake, plan: &Plan) -> Self {
        let (cuts, at_once) = (&plan.cuts, plan.pipeline.parts.at_once);
        let parts = PartsToRead { numbers: cuts.numbers().collect(), at_once };
        Self {
            status: plan.status,
            engine: plan.engine.engine,
            uri: lake.root().object(&Plan::path(&plan.run)),
            parts: (plan.status == PlanStatus::Planned && !cuts.is_whole()).then_some(parts),
        }
    }
}

/// Plans the run, or finds that it is planned.
///
/// # Errors
/// `InvalidInput`, `ContractViolation`, `NotFound`; `CommitConflict` when the run was planned too often; `Throttled`,
/// `Unavailable`, `Internal`; after a failure on Spark that failure, until the execution is redriven.
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
        Input::AfterFailure { run, failure } => {
            if !is_reported(lake, &run).await? {
                return Err(failed(failure));
            }
            tracing::warn!(attempt = run.attempt, error = failure.error.as_str(), "redriven: planning again");
            steps::replan(lake, now, &run).await
        }
    };
    let plan = planned?;
    Ok(Output { plan: PlanPointer::new(lake, &plan), run: plan.run })
}

/// Whether the failure of an attempt was reported. Notify does that after the execution has ended, so whoever asks again
/// after that was redriven. A redrive within the seconds before it fails as the execution did, and can be repeated.
async fn is_reported(lake: &Lake, run: &RunRef) -> Result<bool, StepError> {
    let report: Option<Report> = lake.documents().of(&run.key()).get().await?;
    Ok(report.is_some_and(|report| report.outcome == Outcome::Failed && report.attempt >= run.attempt))
}

/// The failure as an error of a step. What the state machine would retry is not new, so that it is not retried here too.
fn failed(failure: ReportedError) -> StepError {
    let ReportedError { error, cause } = failure.unwrapped();
    match error {
        FailureName::Step(name) if !name.is_retryable() => StepError::message(name, cause),
        other => StepError::message(ErrorName::ClusterFailed, format!("{other}: {cause}")),
    }
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
        check(include_str!("../../../events/validate-delivery.json"));
        let Input::Replan { run, conflict } = event(include_str!("../../../events/validate-replan.json")) else {
            panic!("not a replan")
        };
        assert_eq!((run.attempt, conflict.error.as_str()), (1, "CommitConflict"));
        let failed = event(include_str!("../../../events/validate-after-failure.json"));
        let Input::AfterFailure { run, failure } = failed else { panic!("not after a failure: {failed:?}") };
        assert_eq!((run.attempt, failure.error.as_str()), (1, "EtlFailed"));
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
        let error = json!({"Error": "EtlFailed"});
        check(json!({"run": run, "request": request, "conflict": error, "failure": error}), "send either");
        check(json!({"execution_name": "r", "request": [request, request]}), "request: an array of 2 inputs");
    }

    #[test]
    fn a_failure_keeps_its_name_unless_it_would_be_retried() {
        let check = |error: &str, cause: &str, expected: (ErrorName, &str)| {
            let failure = ReportedError { error: error.to_owned().into(), cause: cause.to_owned() };
            let StepError { name, message } = failed(failure);
            assert_eq!((name, message.as_str()), expected);
        };
        let wrapped = r#"{"errorMessage": "step s-1 is FAILED", "errorType": "EtlFailed"}"#;
        check("EtlFailed", wrapped, (ErrorName::EtlFailed, "step s-1 is FAILED"));
        check("Internal", "no right", (ErrorName::Internal, "no right"));
        check("Throttled", "slower", (ErrorName::ClusterFailed, "Throttled: slower"));
        check("States.Timeout", "", (ErrorName::ClusterFailed, "States.Timeout: "));
        let busy = "Lambda.TooManyRequestsException";
        check(busy, "Rate Exceeded", (ErrorName::ClusterFailed, "Lambda.TooManyRequestsException: Rate Exceeded"));
    }

    fn ended(outcome: Outcome, attempt: u32) -> Report {
        Report {
            pipeline: Some("retail".parse().expect("pipeline")),
            run_id: "r".parse().expect("run"),
            attempt,
            outcome,
            ended_at: Timestamp::UNIX_EPOCH,
            sources: Vec::new(),
            held: Default::default(),
            waiting: Default::default(),
            rows: std::collections::BTreeMap::new(),
            committed: Vec::new(),
            broken_rules: Vec::new(),
            warnings: Vec::new(),
            error: None,
        }
    }

    #[tokio::test]
    async fn only_a_reported_failure_of_the_attempt_is_planned_again() {
        let check = async |reported: Option<Report>, expected: ErrorName| {
            let folder = tempfile::tempdir().expect("folder");
            let root = format!("file://{}", folder.path().display()).parse().expect("lake");
            let lake = Lake::open(&root, &std::collections::BTreeMap::new()).expect("lake");
            let run: RunRef =
                serde_json::from_value(json!({"pipeline": "retail", "run_id": "r", "attempt": 2})).expect("run");
            if let Some(report) = &reported {
                lake.documents().of(&run.key()).replace(report).await.expect("report");
            }
            let failure = ReportedError { error: ErrorName::EtlFailed.into(), cause: "why".to_owned() };
            let error = handle(&lake, Timestamp::UNIX_EPOCH, Input::AfterFailure { run, failure }).await;
            assert_eq!(error.expect_err("an error").name, expected, "{reported:?}");
        };
        check(None, ErrorName::EtlFailed).await;
        check(Some(ended(Outcome::Failed, 1)), ErrorName::EtlFailed).await;
        check(Some(ended(Outcome::Published, 2)), ErrorName::EtlFailed).await;
        // Planned again: the plan of the attempt, which it begins with, is not there.
        check(Some(ended(Outcome::Failed, 2)), ErrorName::NotFound).await;
    }
}
