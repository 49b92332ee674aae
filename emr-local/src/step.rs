//! Steps: their states, and what a step is to do.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::times::epoch_seconds;

/// States of a step, as EMR names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepState {
    /// Waits for the cluster, or for steps before it.
    Pending,
    /// Runs, and is to be stopped.
    CancelPending,
    /// Runs.
    Running,
    /// Did its work.
    Completed,
    /// Was stopped by a request, or never began.
    Cancelled,
    /// Ended with an error.
    Failed,
}

impl StepState {
    /// The name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::CancelPending => "CANCEL_PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether it still counts as work of its cluster.
    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::Pending | Self::CancelPending | Self::Running)
    }

    /// Whether its process exists.
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::CancelPending | Self::Running)
    }
}

/// A step as a request writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct StepConfig {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) action_on_failure: ActionOnFailure,
    pub(crate) hadoop_jar_step: HadoopJarStep,
}

/// What a failed step does to its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ActionOnFailure {
    TerminateJobFlow,
    #[default]
    TerminateCluster,
    CancelAndWait,
    Continue,
}

impl ActionOnFailure {
    fn as_str(self) -> &'static str {
        match self {
            Self::TerminateJobFlow => "TERMINATE_JOB_FLOW",
            Self::TerminateCluster => "TERMINATE_CLUSTER",
            Self::CancelAndWait => "CANCEL_AND_WAIT",
            Self::Continue => "CONTINUE",
        }
    }

    pub(crate) fn ends_the_cluster(self) -> bool {
        matches!(self, Self::TerminateJobFlow | Self::TerminateCluster)
    }
}

/// The program of a step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct HadoopJarStep {
    pub(crate) jar: String,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    #[serde(default)]
    pub(crate) main_class: Option<String>,
    #[serde(default)]
    pub(crate) properties: Vec<Value>,
}

/// Why a step failed, as in `FailureDetails`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepFailure {
    /// EMR's own name for the kind of failure.
    pub(crate) reason: String,
    /// The last error output of the program.
    pub(crate) message: String,
    /// Where its output is.
    pub(crate) log_file: Option<String>,
}

/// A step of a cluster.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) config: StepConfig,
    pub(crate) state: StepState,
    /// Why it was cancelled.
    pub(crate) reason: Option<String>,
    pub(crate) failure: Option<StepFailure>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    /// Becomes true when the step has to stop.
    pub(crate) stop: Arc<watch::Sender<bool>>,
}

impl Step {
    pub(crate) fn new(id: String, config: StepConfig, now: Timestamp) -> Self {
        Self {
            id,
            config,
            state: StepState::Pending,
            reason: None,
            failure: None,
            created_at: now,
            started_at: None,
            ended_at: None,
            stop: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Stops it: immediately when it has not begun, otherwise by signalling its program.
    pub(crate) fn cancel(&mut self, reason: &str, now: Timestamp) {
        match self.state {
            StepState::Pending => {
                self.end(StepState::Cancelled, now);
                self.reason = Some(reason.to_owned());
            }
            StepState::Running => {
                self.state = StepState::CancelPending;
                self.reason = Some(reason.to_owned());
                self.stop.send_replace(true);
            }
            StepState::CancelPending | StepState::Completed | StepState::Cancelled | StepState::Failed => {}
        }
    }

    pub(crate) fn end(&mut self, state: StepState, now: Timestamp) {
        self.state = state;
        self.ended_at = Some(now);
    }

    /// As `DescribeStep` and `ListSteps` show it.
    pub(crate) fn describe(&self) -> Value {
        let config = &self.config;
        let mut status = json!({
            "State": self.state.as_str(),
            "StateChangeReason": self.reason.as_ref().map_or(json!({}), |reason| json!({ "Message": reason })),
            "Timeline": timeline(self),
        });
        if let (Some(failure), Some(status)) = (&self.failure, status.as_object_mut()) {
            let StepFailure { reason, message, log_file } = failure;
            let mut details = json!({ "Reason": reason, "Message": message });
            if let (Some(file), Some(details)) = (log_file, details.as_object_mut()) {
                details.insert("LogFile".to_owned(), json!(file));
            }
            status.insert("FailureDetails".to_owned(), details);
        }
        json!({
            "Id": self.id,
            "Name": config.name,
            "Config": { "Jar": config.hadoop_jar_step.jar, "Args": config.hadoop_jar_step.args, "Properties": {} },
            "ActionOnFailure": config.action_on_failure.as_str(),
            "Status": status,
        })
    }
}

fn timeline(step: &Step) -> Value {
    let mut timeline = json!({ "CreationDateTime": epoch_seconds(step.created_at) });
    if let Some(timeline) = timeline.as_object_mut() {
        let times = [("StartDateTime", step.started_at), ("EndDateTime", step.ended_at)];
        for (name, at) in times.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            timeline.insert(name.to_owned(), json!(epoch_seconds(at)));
        }
    }
    timeline
}
