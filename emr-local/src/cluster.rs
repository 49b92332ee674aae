//! Clusters: their states, and how time moves them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::fault::ClusterFault;
use crate::step::{ActionOnFailure, Step, StepState};
use crate::times::{Delays, epoch_seconds};

/// Reason of steps that end with their cluster.
const STEP_OF_ENDED_CLUSTER: &str = "Cluster terminated.";

/// States of a cluster, as EMR names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClusterState {
    /// Its machines are being created.
    Starting,
    /// Its software is being set up.
    Bootstrapping,
    /// Runs steps.
    Running,
    /// Has no work.
    Waiting,
    /// Is being terminated.
    Terminating,
    /// Is terminated.
    Terminated,
    /// Is terminated because of an error.
    TerminatedWithErrors,
}

impl ClusterState {
    /// The name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Bootstrapping => "BOOTSTRAPPING",
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::Terminating => "TERMINATING",
            Self::Terminated => "TERMINATED",
            Self::TerminatedWithErrors => "TERMINATED_WITH_ERRORS",
        }
    }

    /// Whether it accepts steps, tags and new sizes.
    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::Starting | Self::Bootstrapping | Self::Running | Self::Waiting)
    }

    fn is_ready(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }
}

/// Why a cluster ends, and in which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    state: ClusterState,
    code: &'static str,
    message: String,
}

impl Ending {
    pub(crate) fn user_request() -> Self {
        let message = "Terminated by user request".to_owned();
        Self { state: ClusterState::Terminated, code: "USER_REQUEST", message }
    }

    fn steps_completed() -> Self {
        let message = "Steps completed".to_owned();
        Self { state: ClusterState::Terminated, code: "ALL_STEPS_COMPLETED", message }
    }

    fn step_failed() -> Self {
        let message = "Shut down as step failed".to_owned();
        Self { state: ClusterState::TerminatedWithErrors, code: "STEP_FAILURE", message }
    }

    fn idle(seconds: u64) -> Self {
        let message = format!("Auto-terminated after being idle for {seconds} seconds");
        Self { state: ClusterState::Terminated, code: "USER_REQUEST", message }
    }

    fn fault(fault: ClusterFault) -> Self {
        let (code, message) = match fault {
            ClusterFault::NoCapacity => ("INTERNAL_ERROR", "EC2 is out of capacity. Insufficient capacity".to_owned()),
            ClusterFault::Invalid(message) => ("VALIDATION_ERROR", message),
            ClusterFault::Bootstrap => (
                "BOOTSTRAP_FAILURE",
                "On the master instance, bootstrap action 1 returned a non-zero return code".to_owned(),
            ),
        };
        Self { state: ClusterState::TerminatedWithErrors, code, message }
    }
}

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The request that created it.
    request: Map<String, Value>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) state: ClusterState,
    pub(crate) steps: Vec<Step>,
    pub(crate) created_at: Timestamp,
    ready_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// When the state ends by itself.
    due: Option<Instant>,
    keep_alive: bool,
    pub(crate) protected: bool,
    concurrency: usize,
    idle_timeout_seconds: Option<u64>,
    idle_since: Option<Instant>,
    fault: Option<ClusterFault>,
    ending: Option<Ending>,
}

/// What a cluster is created from.
#[derive(Debug)]
pub(crate) struct ClusterPlan {
    pub(crate) name: String,
    pub(crate) request: Map<String, Value>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) keep_alive: bool,
    pub(crate) protected: bool,
    pub(crate) concurrency: usize,
    pub(crate) idle_timeout_seconds: Option<u64>,
}

impl Cluster {
    pub(crate) fn new(id: String, plan: ClusterPlan, fault: Option<ClusterFault>, delays: Delays) -> Self {
        Self {
            id,
            name: plan.name,
            request: plan.request,
            tags: plan.tags,
            state: ClusterState::Starting,
            steps: Vec::new(),
            created_at: Timestamp::now(),
            ready_at: None,
            ended_at: None,
            due: Some(Instant::now() + delays.starting()),
            keep_alive: plan.keep_alive,
            protected: plan.protected,
            concurrency: plan.concurrency,
            idle_timeout_seconds: plan.idle_timeout_seconds,
            idle_since: None,
            fault,
            ending: None,
        }
    }

    /// Begins to terminate and cancels the steps that are not done. Does nothing when the cluster is already terminating.
    pub(crate) fn terminate(&mut self, ending: Ending, delays: Delays) {
        if !self.state.is_active() {
            return;
        }
        let now = Timestamp::now();
        for step in &mut self.steps {
            step.cancel(STEP_OF_ENDED_CLUSTER, now);
        }
        self.state = ClusterState::Terminating;
        self.ending = Some(ending);
        self.due = Some(Instant::now() + delays.terminating());
    }

    /// Moves the cluster to the present time, and returns the positions of the steps that begin to run.
    pub(crate) fn advance(&mut self, delays: Delays) -> Vec<usize> {
        let now = Instant::now();
        let is_due = self.due.is_some_and(|due| due <= now);
        match self.state {
            ClusterState::Starting if is_due => {
                if matches!(self.fault, Some(ClusterFault::NoCapacity | ClusterFault::Invalid(_))) {
                    self.fail(delays);
                } else {
                    self.state = ClusterState::Bootstrapping;
                    self.due = Some(now + delays.bootstrapping());
                }
            }
            ClusterState::Bootstrapping if is_due => {
                if self.fault.is_some() {
                    self.fail(delays);
                } else {
                    self.ready_at = Some(Timestamp::now());
                    self.due = None;
                    self.state = ClusterState::Waiting;
                }
            }
            ClusterState::Terminating if is_due && !self.steps.iter().any(|step| step.state.is_running()) => {
                self.state = self.ending.as_ref().map_or(ClusterState::Terminated, |ending| ending.state);
                self.ended_at = Some(Timestamp::now());
                self.due = None;
            }
            _ => {}
        }
        if self.state.is_ready() { self.work(now, delays) } else { Vec::new() }
    }

    fn fail(&mut self, delays: Delays) {
        if let Some(fault) = self.fault.take() {
            self.terminate(Ending::fault(fault), delays);
        }
    }

    /// Starts steps as far as the concurrency allows; terminates when no work is left and nothing keeps it alive.
    fn work(&mut self, now: Instant, delays: Delays) -> Vec<usize> {
        let running = self.steps.iter().filter(|step| step.state.is_running()).count();
        let age =
            |step: &Step| Duration::try_from(Timestamp::now().duration_since(step.created_at)).unwrap_or_default();
        let pending = self.steps.iter().enumerate().filter(|(_, step)| step.state == StepState::Pending);
        let starting: Vec<usize> = pending
            .take(self.concurrency.saturating_sub(running))
            .filter(|(_, step)| age(step) >= delays.step_pending())
            .map(|(position, _)| position)
            .collect();
        if self.steps.iter().any(|step| step.state.is_active()) {
            (self.state, self.idle_since) = (ClusterState::Running, None);
            return starting;
        }
        self.state = ClusterState::Waiting;
        let idle_for = now.duration_since(*self.idle_since.get_or_insert(now));
        if !self.keep_alive {
            self.terminate(Ending::steps_completed(), delays);
        } else if let Some(seconds) = self.idle_timeout_seconds.filter(|seconds| idle_for >= delays.idle(*seconds)) {
            self.terminate(Ending::idle(seconds), delays);
        }
        Vec::new()
    }

    /// A step failed: the cluster does what the step says about that.
    pub(crate) fn after_failure(&mut self, position: usize, delays: Delays) {
        let Some(action) = self.steps.get(position).map(|step| step.config.action_on_failure) else { return };
        if action.ends_the_cluster() {
            self.terminate(Ending::step_failed(), delays);
        } else if action == ActionOnFailure::CancelAndWait {
            let now = Timestamp::now();
            for step in self.steps.iter_mut().filter(|step| step.state == StepState::Pending) {
                step.cancel("Cancelled because an earlier step failed", now);
            }
        }
    }

    pub(crate) fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Where EMR would write its logs.
    pub(crate) fn log_uri(&self) -> Option<&str> {
        self.request.get("LogUri")?.as_str()
    }

    pub(crate) fn active_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.state.is_active()).count()
    }

    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:elasticmapreduce:us-east-1:000000000000:cluster/{}", self.id)
    }

    /// As `ListClusters` shows it.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "Id": self.id,
            "Name": self.name,
            "Status": self.status(),
            "NormalizedInstanceHours": 0,
            "ClusterArn": self.arn(),
        })
    }

    /// As `DescribeCluster` shows it.
    pub(crate) fn describe(&self) -> Value {
        let tags: Vec<Value> = self.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        let mut cluster = json!({
            "AutoTerminate": !self.keep_alive,
            "TerminationProtected": self.protected,
            "StepConcurrencyLevel": self.concurrency,
            "Tags": tags,
        });
        if let (Some(cluster), Value::Object(summary)) = (cluster.as_object_mut(), self.summary()) {
            cluster.extend(summary);
            let kept =
                ["ReleaseLabel", "LogUri", "ServiceRole", "Applications", "VisibleToAllUsers", "SecurityConfiguration"];
            for name in kept {
                if let Some(value) = self.request.get(name) {
                    cluster.insert(name.to_owned(), value.clone());
                }
            }
        }
        cluster
    }

    fn status(&self) -> Value {
        let reason =
            self.ending.as_ref().map_or(json!({}), |ending| json!({ "Code": ending.code, "Message": ending.message }));
        let mut timeline = Map::from_iter([("CreationDateTime".to_owned(), json!(epoch_seconds(self.created_at)))]);
        for (name, at) in [("ReadyDateTime", self.ready_at), ("EndDateTime", self.ended_at)] {
            if let Some(at) = at {
                timeline.insert(name.to_owned(), json!(epoch_seconds(at)));
            }
        }
        json!({ "State": self.state.as_str(), "StateChangeReason": reason, "Timeline": timeline })
    }
}
