//! All clusters of a server, and the operations of the API on them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cluster::{Cluster, ClusterState, Ending};
use crate::error::ApiError;
use crate::fault::Faults;
use crate::request::{
    AddJobFlowSteps, AddTags, CancelSteps, ListClusters, ListSteps, MAX_ACTIVE_STEPS, OneCluster, OneStep, RemoveTags,
    RunJobFlow, TerminateJobFlows, check_actions, decode,
};
use crate::step::{Step, StepConfig, StepState};
use crate::times::{Delays, epoch_seconds, instant};

/// Characters of EMR's identifiers.
const ID_ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Length of an identifier after its prefix.
const ID_LENGTH: usize = 13;

/// An operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    RunJobFlow,
    ListClusters,
    DescribeCluster,
    AddJobFlowSteps,
    ListSteps,
    DescribeStep,
    CancelSteps,
    TerminateJobFlows,
    AddTags,
    RemoveTags,
}

impl Operation {
    const ALL: [Self; 10] = [
        Self::RunJobFlow,
        Self::ListClusters,
        Self::DescribeCluster,
        Self::AddJobFlowSteps,
        Self::ListSteps,
        Self::DescribeStep,
        Self::CancelSteps,
        Self::TerminateJobFlows,
        Self::AddTags,
        Self::RemoveTags,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variants have the names of the operations.
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Operation {
    type Err = ApiError;

    /// Reads `X-Amz-Target`: `ElasticMapReduce.<operation>`.
    fn from_str(target: &str) -> Result<Self, ApiError> {
        let name = target.strip_prefix("ElasticMapReduce.");
        let found = Self::ALL.into_iter().find(|operation| name.is_some_and(|name| name == operation.to_string()));
        found.ok_or_else(|| ApiError::unknown_operation(target))
    }
}

/// A call that was received.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Name of the operation.
    pub operation: String,
    /// When it arrived.
    pub at: Timestamp,
    /// The request.
    pub request: Value,
    /// `ok`, `lost`, or the name of the returned error.
    pub answer: String,
}

/// All clusters.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) faults: Faults,
    pub(crate) calls: Vec<Call>,
    pub(crate) delays: Delays,
    page_size: usize,
}

impl World {
    pub(crate) fn new(delays: Delays, page_size: usize) -> Self {
        Self { clusters: Vec::new(), faults: Faults::default(), calls: Vec::new(), delays, page_size: page_size.max(1) }
    }

    /// Does one operation.
    pub(crate) fn execute(&mut self, operation: Operation, request: Value) -> Result<Value, ApiError> {
        match operation {
            Operation::RunJobFlow => self.run_job_flow(request),
            Operation::ListClusters => self.list_clusters(&decode(request)?),
            Operation::DescribeCluster => {
                let OneCluster { cluster_id } = decode(request)?;
                Ok(json!({ "Cluster": self.cluster(&cluster_id)?.describe() }))
            }
            Operation::AddJobFlowSteps => self.add_steps(decode(request)?),
            Operation::ListSteps => self.list_steps(&decode(request)?),
            Operation::DescribeStep => {
                let OneStep { cluster_id, step_id } = decode(request)?;
                let step = self.cluster(&cluster_id)?.step(&step_id);
                let step = step.ok_or_else(|| invalid("Step", &step_id))?;
                Ok(json!({ "Step": step.describe() }))
            }
            Operation::CancelSteps => self.cancel_steps(&decode(request)?),
            Operation::TerminateJobFlows => self.terminate(&decode(request)?),
            Operation::AddTags => {
                let request: AddTags = decode(request)?;
                let cluster = self.cluster_mut(&request.resource_id)?;
                cluster.tags.extend(request.into_tags()?);
                Ok(json!({}))
            }
            Operation::RemoveTags => {
                let RemoveTags { resource_id, tag_keys } = decode(request)?;
                self.cluster_mut(&resource_id)?.tags.retain(|key, _| !tag_keys.contains(key));
                Ok(json!({}))
            }
        }
    }

    fn run_job_flow(&mut self, request: Value) -> Result<Value, ApiError> {
        let RunJobFlow { cluster, steps } = RunJobFlow::read(request)?;
        let fault = self.faults.of_cluster();
        let mut cluster = Cluster::new(new_id("j-"), cluster, fault, self.delays);
        push_steps(&mut cluster, steps);
        let answer = json!({ "JobFlowId": cluster.id, "ClusterArn": cluster.arn() });
        self.clusters.push(cluster);
        Ok(answer)
    }

    /// Newest first, without those that are too new to be listed.
    fn list_clusters(&self, request: &ListClusters) -> Result<Value, ApiError> {
        let bound = |seconds: Option<f64>| -> Result<Option<Timestamp>, ApiError> {
            let Some(seconds) = seconds else { return Ok(None) };
            instant(seconds)
                .map(Some)
                .ok_or_else(|| ApiError::validation("CreatedAfter or CreatedBefore is not a valid time"))
        };
        let (after, before) = (bound(request.created_after)?, bound(request.created_before)?);
        let listed = |cluster: &&Cluster| {
            let age = Timestamp::now().duration_since(cluster.created_at);
            let states = &request.cluster_states;
            after.is_none_or(|after| cluster.created_at > after)
                && before.is_none_or(|before| cluster.created_at < before)
                && (states.is_empty() || states.iter().any(|state| state == cluster.state.as_str()))
                && std::time::Duration::try_from(age).unwrap_or_default() >= self.delays.listing()
        };
        let clusters: Vec<&Cluster> = self.clusters.iter().rev().filter(listed).collect();
        let (page, marker) = self.page(&clusters, request.marker.as_deref(), |cluster| &cluster.id)?;
        let page: Vec<Value> = page.iter().map(|cluster| cluster.summary()).collect();
        Ok(with_marker(json!({ "Clusters": page }), marker))
    }

    fn list_steps(&self, request: &ListSteps) -> Result<Value, ApiError> {
        let cluster = self.cluster(&request.cluster_id)?;
        let (ids, states) = (&request.step_ids, &request.step_states);
        if ids.len() > 10 {
            return Err(ApiError::invalid_request("At most 10 StepIds can be given"));
        }
        let listed = |step: &&Step| {
            (ids.is_empty() || ids.contains(&step.id))
                && (states.is_empty() || states.iter().any(|state| state == step.state.as_str()))
        };
        let steps: Vec<&Step> = cluster.steps.iter().rev().filter(listed).collect();
        let (page, marker) = self.page(&steps, request.marker.as_deref(), |step| &step.id)?;
        let page: Vec<Value> = page.iter().map(|step| step.describe()).collect();
        Ok(with_marker(json!({ "Steps": page }), marker))
    }

    /// The items after the one that the marker names, and the marker of what follows.
    fn page<'i, T>(
        &self,
        items: &'i [&'i T],
        marker: Option<&str>,
        id: impl Fn(&T) -> &str,
    ) -> Result<(&'i [&'i T], Option<String>), ApiError> {
        let start = match marker {
            None => 0,
            Some(marker) => {
                let last = items.iter().position(|item| id(item) == marker);
                1 + last.ok_or_else(|| ApiError::invalid_request(format!("Marker '{marker}' is not valid.")))?
            }
        };
        let rest = items.get(start..).unwrap_or_default();
        let page = rest.get(..self.page_size).unwrap_or(rest);
        let marker = page.last().filter(|_| rest.len() > page.len()).map(|last| id(last).to_owned());
        Ok((page, marker))
    }

    fn add_steps(&mut self, request: AddJobFlowSteps) -> Result<Value, ApiError> {
        let cluster = self.job_flow(&request.job_flow_id)?;
        if !cluster.state.is_active() {
            let message = "A job flow that is shutting down, terminated, or finished may not be modified.";
            return Err(ApiError::validation(message));
        }
        if cluster.active_steps() + request.steps.len() > MAX_ACTIVE_STEPS {
            let message = "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded.";
            return Err(ApiError::validation(message));
        }
        check_actions(&request.steps, cluster.concurrency())?;
        Ok(json!({ "StepIds": push_steps(cluster, request.steps) }))
    }

    fn cancel_steps(&mut self, request: &CancelSteps) -> Result<Value, ApiError> {
        let cluster = self.cluster_mut(&request.cluster_id)?;
        let now = Timestamp::now();
        let mut infos = Vec::new();
        for id in &request.step_ids {
            let step = cluster.steps.iter_mut().find(|step| &step.id == id).ok_or_else(|| invalid("Step", id))?;
            infos.push(if matches!(step.state, StepState::Pending | StepState::Running) {
                step.cancel("Cancelled by user request", now);
                json!({ "StepId": id, "Status": "SUBMITTED" })
            } else {
                let reason = format!("Step is in {} state and can not be cancelled.", step.state.as_str());
                json!({ "StepId": id, "Status": "FAILED", "Reason": reason })
            });
        }
        Ok(json!({ "CancelStepsInfoList": infos }))
    }

    fn terminate(&mut self, request: &TerminateJobFlows) -> Result<Value, ApiError> {
        let delays = self.delays;
        let ids: BTreeSet<&String> = request.job_flow_ids.iter().collect();
        for id in &ids {
            if self.job_flow(id)?.protected {
                let message = "Could not shut down one or more job flows since they are termination protected.";
                return Err(ApiError::validation(message));
            }
        }
        for id in ids {
            self.job_flow(id)?.terminate(Ending::user_request(), delays);
        }
        Ok(json!({}))
    }

    fn cluster(&self, id: &str) -> Result<&Cluster, ApiError> {
        self.clusters.iter().find(|cluster| cluster.id == id).ok_or_else(|| invalid("Cluster", id))
    }

    pub(crate) fn cluster_mut(&mut self, id: &str) -> Result<&mut Cluster, ApiError> {
        self.clusters.iter_mut().find(|cluster| cluster.id == id).ok_or_else(|| invalid("Cluster", id))
    }

    /// A cluster, with the error that the older operations have.
    fn job_flow(&mut self, id: &str) -> Result<&mut Cluster, ApiError> {
        self.cluster_mut(id).map_err(|_| ApiError::validation("Specified job flow ID does not exist."))
    }

    /// All clusters with their steps, for people and tests.
    pub(crate) fn describe(&self) -> Value {
        let whole = |cluster: &Cluster| {
            let mut whole = cluster.describe();
            if let Some(whole) = whole.as_object_mut() {
                let steps: Vec<Value> = cluster.steps.iter().map(Step::describe).collect();
                whole.insert("Steps".to_owned(), Value::Array(steps));
                whole.insert("IsActive".to_owned(), Value::Bool(is_there(cluster.state)));
            }
            whole
        };
        json!({ "now": epoch_seconds(Timestamp::now()), "clusters": self.clusters.iter().map(whole).collect::<Vec<_>>() })
    }
}

/// Whether it costs money.
pub(crate) fn is_there(state: ClusterState) -> bool {
    state.is_active() || state == ClusterState::Terminating
}

fn push_steps(cluster: &mut Cluster, steps: Vec<StepConfig>) -> Vec<String> {
    let now = Timestamp::now();
    let mut ids = Vec::new();
    for config in steps {
        let id = new_id("s-");
        ids.push(id.clone());
        cluster.steps.push(Step::new(id, config, now));
    }
    ids
}

fn with_marker(mut answer: Value, marker: Option<String>) -> Value {
    if let (Some(answer), Some(marker)) = (answer.as_object_mut(), marker) {
        answer.insert("Marker".to_owned(), Value::String(marker));
    }
    answer
}

fn invalid(what: &str, id: &str) -> ApiError {
    ApiError::invalid_request(format!("{what} id '{id}' is not valid."))
}

/// A new identifier in EMR's style.
fn new_id(prefix: &str) -> String {
    let mut number = Uuid::now_v7().as_u128();
    let mut characters = Vec::new();
    for _ in 0..ID_LENGTH {
        let place = usize::try_from(number % 36).unwrap_or_default();
        characters.extend(ID_ALPHABET.get(place).map(|&byte| char::from(byte)));
        number /= 36;
    }
    prefix.chars().chain(characters).collect()
}
