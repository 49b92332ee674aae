//! Lambda function: makes sure that an attempt of a run has a cluster. Links neither Polars nor Delta.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_cluster::ports::{ClusterId, Clusters};
use sluice_cluster::settings::ClusterSettings;
use sluice_cluster::start::{self, ClusterStatus};
use sluice_core::error::StepError;
use sluice_core::run::RunRef;
use sluice_documents::DocumentStore;

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The attempt that needs a cluster.
    pub run: RunRef,
    /// How often it was asked before; the wait grows with it.
    pub poll: u32,
}

/// How far the cluster is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The cluster; null while nobody knows whether a launch without an answer made one.
    pub cluster_id: Option<ClusterId>,
    /// Whether it takes steps.
    pub status: ClusterStatus,
    /// What to give as `poll` when asking again.
    pub poll: u32,
    /// How long to wait before that; 0 when it is ready.
    pub wait_seconds: u64,
    /// Clusters of the attempt that were one too many and were terminated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminated: Vec<ClusterId>,
}

/// What the function works with.
pub struct Ports<C> {
    /// Documents of the lake.
    pub documents: DocumentStore,
    /// EMR.
    pub clusters: C,
    /// What a cluster is like.
    pub settings: ClusterSettings,
}

/// Launches the cluster of an attempt, or finds the one that an earlier call launched, and says how far it is.
///
/// # Errors
/// `ClusterFailed` when the cluster ended, EMR refuses to make one, or the run was closed; `Throttled` and `Unavailable`
/// when the same call may succeed later, also after a launch without an answer; `AccessDenied`.
pub async fn handle<C: Clusters>(ports: &Ports<C>, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let Input { run, poll } = input;
    let started = start::ensure(&ports.documents, &ports.clusters, &ports.settings, now, &run).await?;
    let wait_seconds = match started.status {
        ClusterStatus::Ready => 0,
        ClusterStatus::Starting => start::wait_seconds(poll),
    };
    Ok(Output {
        cluster_id: started.cluster_id,
        status: started.status,
        poll: poll.saturating_add(1),
        wait_seconds,
        terminated: started.terminated,
    })
}

#[cfg(test)]
mod tests;
