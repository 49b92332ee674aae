//! Lambda function: makes sure that the Spark script of an attempt is executed on its cluster. Links neither Polars nor
//! Delta.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_cluster::etl::{self, EtlStatus};
use sluice_cluster::ports::{ClusterId, Clusters, StepId};
use sluice_cluster::settings::RoleArn;
use sluice_core::error::StepError;
use sluice_core::run::RunRef;
use sluice_documents::DocumentStore;

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The attempt to execute.
    pub run: RunRef,
    /// Its cluster, as start-emr named it.
    pub cluster_id: ClusterId,
    /// How often it was asked before; the wait grows with it.
    pub poll: u32,
}

/// How far the script is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The step; null while nobody knows whether a call without an answer added one.
    pub step_id: Option<StepId>,
    /// How far it is.
    pub status: EtlStatus,
    /// What to give as `poll` when asking again.
    pub poll: u32,
    /// How long to wait before that; 0 when it is completed.
    pub wait_seconds: u64,
}

/// What the function works with.
pub struct Ports<C> {
    /// Documents of the lake.
    pub documents: DocumentStore,
    /// EMR.
    pub clusters: C,
    /// The role that the step runs as; without it, the role of the instances.
    pub step_role: Option<RoleArn>,
}

/// Writes the attempt's script and submits it as a step, or finds the step of an earlier call, and says how far it is.
///
/// # Errors
/// `EtlFailed` with EMR's reason and the log's address when the step failed or was cancelled; `ClusterFailed` when the
/// cluster ended before the step was completed; `NotFound` when the attempt has no plan; `InvalidInput` for plans that
/// Spark does not execute; `Throttled` and `Unavailable` when the same call may succeed later; `AccessDenied`.
pub async fn handle<C: Clusters>(ports: &Ports<C>, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let Input { run, cluster_id, poll } = input;
    let role = ports.step_role.as_ref();
    let etl = etl::ensure(&ports.documents, &ports.clusters, role, now, &run, &cluster_id).await?;
    let wait_seconds = match etl.status {
        EtlStatus::Completed => 0,
        EtlStatus::Pending | EtlStatus::Running => etl::wait_seconds(poll),
    };
    Ok(Output { step_id: etl.step_id, status: etl.status, poll: poll.saturating_add(1), wait_seconds })
}

#[cfg(test)]
mod tests;
