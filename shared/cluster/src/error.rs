//! What goes wrong with a cluster or its step, and what each fault is called.

use sluice_core::error::{ErrorName, StepError};
use sluice_core::uri::ObjectUri;
use sluice_documents::DocumentError;
use sluice_spark::SparkError;

use crate::ports::{ClusterFault, ClusterId, ClusterState, StepFailure, StepId, StepState};

/// There is no cluster, or it did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// EMR did not do what it was asked.
    #[error(transparent)]
    Fault(#[from] ClusterFault),
    /// A document of the run cannot be read or written.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The attempt is over, and a late call asked for its cluster or its step.
    #[error("cluster '{name}' is not wanted any more: the attempt was closed, see '{mark}'; start another run")]
    Closed {
        /// Name of the cluster.
        name: String,
        /// Address of the mark.
        mark: ObjectUri,
    },
    /// The cluster of the attempt ended before its work was done.
    #[error("cluster {cluster} ('{name}') is {state}: {reason}")]
    Ended {
        /// The cluster.
        cluster: ClusterId,
        /// Its name.
        name: String,
        /// Its state.
        state: ClusterState,
        /// Why, in EMR's words.
        reason: String,
    },
    /// Every launch that was tried left neither an answer nor a cluster.
    #[error("{rounds} launches of cluster '{name}' left neither an answer nor a cluster: see the health of EMR")]
    NeverLaunched {
        /// Name of the cluster.
        name: String,
        /// How many launches.
        rounds: u32,
    },
    /// Every submission that was tried left neither an answer nor a step.
    #[error(
        "{rounds} submissions of step '{name}' to cluster {cluster} left neither an answer nor a step: see the health of EMR"
    )]
    NeverSubmitted {
        /// Name of the step.
        name: String,
        /// The cluster.
        cluster: ClusterId,
        /// How many submissions.
        rounds: u32,
    },
    /// The step did not succeed.
    #[error("step {step} of cluster {cluster} is {state}: {failure}")]
    StepFailed {
        /// The step.
        step: StepId,
        /// Its cluster.
        cluster: ClusterId,
        /// Its state.
        state: StepState,
        /// What EMR says about it.
        failure: StepFailure,
    },
    /// The cluster is of another run or another lake.
    #[error(
        "cluster {cluster} is not '{name}' of lake '{lake}': give the cluster that start-emr named for this attempt"
    )]
    Foreign {
        /// The cluster.
        cluster: ClusterId,
        /// Name that it was to have.
        name: String,
        /// The lake that it was to work on.
        lake: String,
    },
    /// The attempt has no plan.
    #[error("plan '{uri}' does not exist: run validate first")]
    NoPlan {
        /// Address of the plan.
        uri: ObjectUri,
    },
    /// The rows of the attempt were not read.
    #[error("'{uri}' does not exist: run process first, which reads what Spark combines")]
    NotRead {
        /// Address of what process leaves.
        uri: ObjectUri,
    },
    /// The plan cannot be written as Spark SQL.
    #[error("plan '{uri}' cannot be executed on Spark")]
    Script {
        /// Address of the plan.
        uri: ObjectUri,
        /// Why.
        #[source]
        source: SparkError,
    },
}

impl ClusterError {
    /// The stable name of the fault.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Fault(ClusterFault::Throttled { .. }) => ErrorName::Throttled,
            Self::Fault(ClusterFault::Unavailable { .. }) => ErrorName::Unavailable,
            Self::Fault(ClusterFault::Refused { .. })
            | Self::Closed { .. }
            | Self::Ended { .. }
            | Self::NeverLaunched { .. } => ErrorName::ClusterFailed,
            Self::Fault(ClusterFault::Denied { .. }) => ErrorName::AccessDenied,
            Self::Fault(ClusterFault::Unexpected { .. }) => ErrorName::Internal,
            Self::Document(error) => error.name(),
            Self::NeverSubmitted { .. } | Self::StepFailed { .. } => ErrorName::EtlFailed,
            Self::NoPlan { .. } | Self::NotRead { .. } => ErrorName::NotFound,
            Self::Foreign { .. } | Self::Script { .. } => ErrorName::InvalidInput,
        }
    }
}

impl From<ClusterError> for StepError {
    fn from(error: ClusterError) -> Self {
        Self::new(error.name(), &error)
    }
}
