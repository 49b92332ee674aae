//! An EMR in memory.
//!
//! What it has of the real one: clusters with names, tags, states and steps; lists filtered by name, time and state; a
//! second cluster or step for the same request made twice; termination that takes its time. What a test can order: lost
//! answers (with and without effect), refusals, clusters that lists do not show yet, and somebody who closes the attempt
//! while a launch is under way. Nothing starts, runs or ends by itself: tests set states.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;
use sluice_documents::DocumentStore;

use super::{at, run};
use crate::documents;
use crate::ports::{
    Cluster, ClusterFault, ClusterId, ClusterQuery, ClusterState, ClusterSummary, Clusters, Step, StepFailure, StepId,
    StepState,
};
use crate::request::{ClusterRequest, StepRequest};

/// What becomes of the next launch or step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is made, and the answer is lost.
    LostAnswer,
    /// The request is lost.
    LostRequest,
    /// Too many requests.
    Throttled,
    /// No capacity.
    Refused,
    /// No right.
    Denied,
}

#[derive(Default)]
pub(super) struct FakeEmr {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clusters: Vec<Entry>,
    fates: VecDeque<Fate>,
    /// Who closes the attempt while a launch is under way.
    closer: Option<DocumentStore>,
    calls: Vec<String>,
    now: Option<Timestamp>,
    stubborn: Vec<ClusterId>,
}

struct Entry {
    cluster: Cluster,
    steps: Vec<Step>,
    is_listed: bool,
}

impl FakeEmr {
    pub(super) fn order(&self, fates: impl IntoIterator<Item = Fate>) {
        self.state.lock().unwrap().fates.extend(fates);
    }

    pub(super) fn close_during_launch(&self, documents: &DocumentStore) {
        self.state.lock().unwrap().closer = Some(documents.clone());
    }

    pub(super) fn set_time(&self, now: Timestamp) {
        self.state.lock().unwrap().now = Some(now);
    }

    /// Termination of this cluster fails.
    pub(super) fn refuse_to_terminate(&self, cluster: &str) {
        self.state.lock().unwrap().stubborn.push(ClusterId::new(cluster));
    }

    /// Every call so far, such as `launch sluice/retail/day1/1`.
    pub(super) fn calls(&self, verb: &str) -> Vec<String> {
        let calls = &self.state.lock().unwrap().calls;
        calls.iter().filter_map(|call| call.strip_prefix(verb)?.strip_prefix(' ')).map(str::to_owned).collect()
    }

    /// A cluster that nobody here launched.
    pub(super) fn put(&self, request: &ClusterRequest, created_at: Timestamp) -> ClusterId {
        self.state.lock().unwrap().make(request, created_at)
    }

    fn entry<T>(&self, cluster: &str, change: impl FnOnce(&mut Entry) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        change(state.clusters.iter_mut().find(|entry| entry.cluster.summary.id.as_str() == cluster).unwrap())
    }

    pub(super) fn set_state(&self, cluster: &str, state: ClusterState) {
        self.entry(cluster, |entry| entry.cluster.summary.state = state);
    }

    pub(super) fn set_reason(&self, cluster: &str, reason: &str) {
        self.entry(cluster, |entry| entry.cluster.reason = Some(reason.to_owned()));
    }

    pub(super) fn set_listed(&self, cluster: &str, is_listed: bool) {
        self.entry(cluster, |entry| entry.is_listed = is_listed);
    }

    pub(super) fn set_step(&self, cluster: &str, step: &str, state: StepState, failure: StepFailure) {
        self.entry(cluster, |entry| {
            let step = entry.steps.iter_mut().find(|each| each.id.as_str() == step).unwrap();
            (step.state, step.failure) = (state, failure);
        });
    }

    pub(super) fn put_step(&self, cluster: &str, name: &str, state: StepState) {
        self.entry(cluster, |entry| entry.add(name, state));
    }

    pub(super) fn living(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let living = state.clusters.iter().map(|entry| &entry.cluster.summary).filter(|each| !each.state.is_over());
        living.map(|each| each.id.to_string()).collect()
    }
}

impl Entry {
    fn add(&mut self, name: &str, state: StepState) -> StepId {
        let id = StepId::new(format!("s-{}", self.steps.len() + 1));
        // Newest first, as EMR lists them.
        self.steps.insert(0, Step { id: id.clone(), name: name.to_owned(), state, failure: StepFailure::default() });
        id
    }
}

impl State {
    fn make(&mut self, request: &ClusterRequest, created_at: Timestamp) -> ClusterId {
        let id = ClusterId::new(format!("j-{}", self.clusters.len() + 1));
        let (name, state) = (request.name.clone(), ClusterState::Starting);
        let summary = ClusterSummary { id: id.clone(), name, state, created_at };
        let cluster = Cluster { summary, tags: request.tags.clone(), reason: None };
        self.clusters.push(Entry { cluster, steps: Vec::new(), is_listed: true });
        id
    }
}

fn fault(fate: Fate) -> ClusterFault {
    let (doing, message) = ("do it".to_owned(), format!("{fate:?}"));
    match fate {
        Fate::LostAnswer | Fate::LostRequest => ClusterFault::Unavailable { doing, message },
        Fate::Throttled => ClusterFault::Throttled { doing, message },
        Fate::Refused => ClusterFault::Refused { doing, message },
        Fate::Denied => ClusterFault::Denied { doing, message },
    }
}

impl Clusters for FakeEmr {
    async fn launch(&self, request: &ClusterRequest) -> Result<ClusterId, ClusterFault> {
        let closer = self.state.lock().unwrap().closer.take();
        if let Some(documents) = closer {
            documents::close(&documents, at(0), &run(1)).await.unwrap();
        }
        // Others have their turn here.
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        state.calls.push(format!("launch {}", request.name));
        let fate = state.fates.pop_front();
        let created_at = state.now.unwrap_or(at(0));
        match fate {
            None => Ok(state.make(request, created_at)),
            Some(fate) => {
                if fate == Fate::LostAnswer {
                    state.make(request, created_at);
                }
                Err(fault(fate))
            }
        }
    }

    async fn list(&self, query: &ClusterQuery) -> Result<Vec<ClusterSummary>, ClusterFault> {
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        state.calls.push(format!("list {}", query.name_prefix));
        let is_asked_for = |summary: &ClusterSummary| {
            summary.name.starts_with(&query.name_prefix)
                && query.created_after.is_none_or(|after| summary.created_at > after)
                && (query.include_ended || !summary.state.is_over())
        };
        let listed = state.clusters.iter().rev().filter(|entry| entry.is_listed);
        Ok(listed.map(|entry| entry.cluster.summary.clone()).filter(is_asked_for).collect())
    }

    async fn describe(&self, cluster: &ClusterId) -> Result<Option<Cluster>, ClusterFault> {
        let state = self.state.lock().unwrap();
        Ok(state.clusters.iter().map(|entry| &entry.cluster).find(|each| each.summary.id == *cluster).cloned())
    }

    async fn terminate(&self, cluster: &ClusterId) -> Result<(), ClusterFault> {
        self.state.lock().unwrap().calls.push(format!("terminate {cluster}"));
        if self.state.lock().unwrap().stubborn.contains(cluster) {
            return Err(fault(Fate::Throttled));
        }
        self.set_state(cluster.as_str(), ClusterState::Terminating);
        Ok(())
    }

    async fn add_step(&self, cluster: &ClusterId, request: &StepRequest) -> Result<StepId, ClusterFault> {
        tokio::task::yield_now().await;
        self.state.lock().unwrap().calls.push(format!("add_step {cluster} {}", request.arguments.join(" ")));
        let fate = self.state.lock().unwrap().fates.pop_front();
        match fate {
            None => Ok(self.entry(cluster.as_str(), |entry| entry.add(&request.name, StepState::Pending))),
            Some(fate) => {
                if fate == Fate::LostAnswer {
                    self.entry(cluster.as_str(), |entry| entry.add(&request.name, StepState::Pending));
                }
                Err(fault(fate))
            }
        }
    }

    async fn steps(&self, cluster: &ClusterId) -> Result<Vec<Step>, ClusterFault> {
        tokio::task::yield_now().await;
        Ok(self.entry(cluster.as_str(), |entry| entry.steps.clone()))
    }

    async fn cancel_step(&self, cluster: &ClusterId, step: &StepId) -> Result<(), ClusterFault> {
        self.state.lock().unwrap().calls.push(format!("cancel_step {cluster} {step}"));
        self.set_step(cluster.as_str(), step.as_str(), StepState::Cancelled, StepFailure::default());
        Ok(())
    }
}
