//! The Spark script of an attempt: written once, submitted once, polled until it ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::run::{Plan, RunRef};
use sluice_core::uri::layout;
use sluice_documents::DocumentStore;
use sluice_spark::ReadFiles;

use crate::documents::{self, Once, Whose};
use crate::error::ClusterError;
use crate::ports::{Cluster, ClusterId, Clusters, Step, StepId, StepState};
use crate::request::{cluster_name, step_name, step_request};
use crate::settings::RoleArn;
use crate::start::{closed_error, ended_error, is_of};

/// First wait between two polls of a step.
const FIRST_WAIT_SECONDS: u64 = 10;
/// Longest wait. A step of an hour is asked for about 33 times and found done at most two minutes late.
const MAX_WAIT_SECONDS: u64 = 120;

/// How far a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EtlStatus {
    /// Submitted, or about to be.
    Pending,
    /// Being executed.
    Running,
    /// Executed to its end.
    Completed,
}

/// How far the script of an attempt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etl {
    /// The step; `None` while another call's submission is without answer.
    pub step_id: Option<StepId>,
    /// How far it is.
    pub status: EtlStatus,
}

/// How long to wait before the next poll of a step, after `poll` polls: 10, 20, 40, 80, then 120 s.
pub fn wait_seconds(poll: u32) -> u64 {
    crate::request::doubling_seconds(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, poll)
}

/// Makes sure that the script of the attempt is executed on its cluster, and says how far it is.
///
/// `now` must be taken before the call: what was submitted before it is looked for after it.
///
/// # Errors
/// [`ClusterError`]: `StepFailed` when the script failed or was cancelled, `Ended` when the cluster ended before it was
/// done, `Closed` when the attempt is over and was never submitted, `Foreign` for a cluster of another run, `NoPlan`,
/// `NotRead`, `Script`, `NeverSubmitted`; faults of EMR and of the store.
pub async fn ensure<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    role: Option<&RoleArn>,
    now: Timestamp,
    run: &RunRef,
    cluster_id: &ClusterId,
) -> Result<Etl, ClusterError> {
    let described = clusters.describe(cluster_id).await?;
    let Some(cluster) = described.filter(|cluster| is_of(cluster, documents.root(), run)) else {
        let (name, lake) = (cluster_name(run), documents.root().to_string());
        return Err(ClusterError::Foreign { cluster: cluster_id.clone(), name, lake });
    };
    let steps = steps_of(clusters.steps(cluster_id).await?, run);
    if let Some(first) = steps.first() {
        return follow(clusters, cluster, first, &steps).await;
    }
    if documents::is_closed(documents, run).await? {
        return Err(closed_error(documents, run));
    }
    if cluster.summary.state.is_over() {
        return Err(ended_error(cluster));
    }
    write_script(documents, run).await?;
    match documents::take_turn(documents, Once::Step, run, now).await? {
        Whose::Mine(_) => {
            let request = step_request(documents.root(), run, role);
            let step_id = clusters.add_step(cluster_id, &request).await?;
            Ok(Etl { step_id: Some(step_id), status: EtlStatus::Pending })
        }
        Whose::Others => Ok(Etl { step_id: None, status: EtlStatus::Pending }),
        Whose::Nobodys => Err(ClusterError::NeverSubmitted {
            name: step_name(run),
            cluster: cluster_id.clone(),
            rounds: documents::MAX_ROUNDS,
        }),
    }
}

/// Whether one of the steps executed the script of the attempt, and none is still at it.
pub(crate) fn is_completed(steps: &[Step], run: &RunRef) -> bool {
    let ours = || steps.iter().filter(|step| step.name == step_name(run));
    ours().any(|step| step.state == StepState::Completed) && !ours().any(|step| is_under_way(step.state))
}

/// The steps of an attempt, oldest first. EMR lists the newest first.
fn steps_of(steps: Vec<Step>, run: &RunRef) -> Vec<Step> {
    let name = step_name(run);
    steps.into_iter().rev().filter(|step| step.name == name).collect()
}

fn is_under_way(state: StepState) -> bool {
    matches!(state, StepState::Pending | StepState::CancelPending | StepState::Running)
}

/// What the steps of an attempt say. There is one, unless EMR accepted two whose answers were lost: then those that wait
/// are cancelled, and nothing is done before the last of them ended, because both write the same files.
async fn follow<C: Clusters>(
    clusters: &C,
    cluster: Cluster,
    first: &Step,
    steps: &[Step],
) -> Result<Etl, ClusterError> {
    for step in steps.iter().skip(1).filter(|step| step.state == StepState::Pending) {
        clusters.cancel_step(&cluster.summary.id, &step.id).await?;
    }
    let state = |wanted: StepState| steps.iter().find(move |step| step.state == wanted);
    let over = cluster.summary.state.is_over();
    let running = state(StepState::Running);
    let waiting = steps.iter().find(|step| is_under_way(step.state));
    if let Some(step) = running.or(waiting).filter(|_| !over) {
        let status = if running.is_some() { EtlStatus::Running } else { EtlStatus::Pending };
        return Ok(Etl { step_id: Some(step.id.clone()), status });
    }
    if let Some(step) = state(StepState::Completed) {
        return Ok(Etl { step_id: Some(step.id.clone()), status: EtlStatus::Completed });
    }
    let step = state(StepState::Failed).unwrap_or(first);
    // A step that went down with its cluster has no reason of its own.
    if over && step.state != StepState::Failed {
        return Err(ended_error(cluster));
    }
    let Step { id, state, failure, .. } = step.clone();
    Err(ClusterError::StepFailed { step: id, cluster: cluster.summary.id, state, failure })
}

/// Writes the script of the attempt if it does not exist. The first one stays, as the first plan does.
async fn write_script(documents: &DocumentStore, run: &RunRef) -> Result<(), ClusterError> {
    if documents.exists(&layout::script(run)).await? {
        return Ok(());
    }
    let uri = documents.root().object(&Plan::path(run));
    let Some(plan) = documents.of(run).get::<Plan>().await? else {
        return Err(ClusterError::NoPlan { uri });
    };
    let Some(read) = documents.of(run).get::<ReadFiles>().await? else {
        return Err(ClusterError::NotRead { uri: documents.root().object(&ReadFiles::path(run)) });
    };
    let script = sluice_spark::script(documents.root(), plan.work(), &read);
    let script = script.map_err(|source| ClusterError::Script { uri, source })?;
    // Of two callers at once, both wrote the script of the same plan.
    documents.create_text(&layout::script(run), script.text).await.map(|_| ()).map_err(ClusterError::from)
}
