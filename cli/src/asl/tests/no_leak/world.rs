//! EMR and the functions, as far as clusters are concerned: what each call creates, finds or ends. Independent of the definition.

use serde_json::{Value, json};

use super::super::super::TaskFailure;
use super::super::pipeline::run_ref;

/// The polls after which a cluster is ready, and after which a step is done.
const POLLS: u64 = 2;

/// What happens to the clusters of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClusterStory {
    Ready,
    NeverReady,
    /// Returns an unknown status.
    Odd,
    Dies,
}

/// What happens to its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepStory {
    Completes,
    NeverEnds,
    Odd,
    Fails,
    /// The cluster ends under it.
    LosesCluster,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cluster {
    attempt: u64,
    is_alive: bool,
    step: Option<StepStory>,
}

/// The clusters of one run, dead ones included.
#[derive(Debug, Clone)]
pub(super) struct Emr {
    clusters: Vec<Cluster>,
    cluster_story: ClusterStory,
    step_story: StepStory,
}

type Answer = Result<Value, TaskFailure>;

impl Emr {
    pub(super) fn new(cluster_story: ClusterStory, step_story: StepStory) -> Self {
        Self { clusters: Vec::new(), cluster_story, step_story }
    }

    pub(super) fn alive(&self) -> usize {
        self.clusters.iter().filter(|cluster| cluster.is_alive).count()
    }

    /// The function `start-emr`: creates the cluster of the attempt unless it exists.
    pub(super) fn start(&mut self, payload: &Value) -> Answer {
        let (attempt, poll) = (attempt_of(payload), payload["poll"].as_u64().unwrap());
        if self.find(attempt).is_none() {
            self.clusters.push(Cluster { attempt, is_alive: true, step: None });
        }
        let story = self.cluster_story;
        let cluster = self.find(attempt).unwrap();
        if story == ClusterStory::Dies && poll + 1 >= POLLS {
            cluster.is_alive = false;
        }
        if !cluster.is_alive {
            return Err(TaskFailure::of_function("ClusterFailed", "the cluster ended"));
        }
        let status = match story {
            ClusterStory::Odd => "odd",
            ClusterStory::Ready if poll >= POLLS => "ready",
            _ => "starting",
        };
        let id = format!("j-{attempt}");
        Ok(json!({ "cluster_id": id, "status": status, "poll": poll + 1, "wait_seconds": 15 }))
    }

    /// The function `run-etl`: creates the step of the attempt unless it exists.
    pub(super) fn run_etl(&mut self, payload: &Value) -> Answer {
        let (attempt, poll) = (attempt_of(payload), payload["poll"].as_u64().unwrap());
        let story = self.step_story;
        let Some(cluster) = self.find(attempt).filter(|cluster| cluster.is_alive) else {
            return Err(TaskFailure::of_function("ClusterFailed", "the cluster ended"));
        };
        cluster.step = Some(story);
        let status = match story {
            StepStory::Fails if poll + 1 >= POLLS => {
                return Err(TaskFailure::of_function("EtlFailed", "the step failed"));
            }
            StepStory::LosesCluster if poll + 1 >= POLLS => {
                cluster.is_alive = false;
                return Err(TaskFailure::of_function("ClusterFailed", "the cluster ended"));
            }
            StepStory::Odd => "odd",
            StepStory::Completes if poll >= POLLS => "completed",
            _ if poll == 0 => "pending",
            _ => "running",
        };
        Ok(json!({ "step_id": format!("s-{attempt}"), "status": status, "poll": poll + 1, "wait_seconds": 15 }))
    }

    /// The function `terminate`, called by the state machine: ends the clusters of the attempt.
    pub(super) fn terminate(&mut self, payload: &Value) -> Answer {
        let attempt = attempt_of(payload);
        self.end(|cluster| cluster.attempt == attempt);
        Ok(json!({ "clusters": [] }))
    }

    /// The function `terminate`, called by the rule for ended executions, or by the sweeper after the end of the execution.
    pub(super) fn terminate_run(&mut self) {
        self.end(|_| true);
    }

    /// Idle auto-termination: a cluster ends when it has had no step for a while. A step that never ends keeps it.
    pub(super) fn end_idle(&mut self) {
        self.end(|cluster| cluster.step != Some(StepStory::NeverEnds));
    }

    fn find(&mut self, attempt: u64) -> Option<&mut Cluster> {
        self.clusters.iter_mut().find(|cluster| cluster.attempt == attempt)
    }

    fn end(&mut self, is_meant: impl Fn(&Cluster) -> bool) {
        self.clusters.iter_mut().filter(|cluster| is_meant(cluster)).for_each(|cluster| cluster.is_alive = false);
    }
}

pub(super) fn attempt_of(payload: &Value) -> u64 {
    let attempt = payload["run"]["attempt"].as_u64().unwrap();
    assert_eq!(payload["run"], run_ref(attempt), "{payload}");
    attempt
}
