//! What is needed of EMR.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::{ClusterRequest, StepRequest};

/// Defines an identifier that EMR gives; nothing about it is known but its text.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier that EMR gave.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
identifier!(
    /// Identifier of a cluster, such as `j-2AXXXXXXGAPLF`.
    ClusterId
);
identifier!(
    /// Identifier of a step of a cluster, such as `s-1XXXXXXXXXXA`.
    StepId
);

/// The clusters of one account and region.
///
/// Nothing here is repeated by the caller within one call of a function, so implementations repeat what is harmless by
/// themselves: everything but `launch` and `add_step`, which EMR would do twice.
pub trait Clusters: Send + Sync {
    /// Asks for a cluster. There is no token that makes a repetition harmless: after `Unavailable` it may exist.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn launch(&self, request: &ClusterRequest) -> impl Future<Output = Result<ClusterId, ClusterFault>> + Send;

    /// The clusters that the query is about, newest first. A cluster that was launched seconds ago may be missing.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn list(&self, query: &ClusterQuery) -> impl Future<Output = Result<Vec<ClusterSummary>, ClusterFault>> + Send;

    /// One cluster with its tags; also one that ended, for the two months that EMR keeps it. `None` for a cluster that
    /// EMR does not know.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn describe(&self, cluster: &ClusterId) -> impl Future<Output = Result<Option<Cluster>, ClusterFault>> + Send;

    /// Ends a cluster. Ending one that has ended is not an error.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn terminate(&self, cluster: &ClusterId) -> impl Future<Output = Result<(), ClusterFault>> + Send;

    /// Adds a step to a cluster. As with `launch`, a repetition adds another one.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn add_step(
        &self,
        cluster: &ClusterId,
        request: &StepRequest,
    ) -> impl Future<Output = Result<StepId, ClusterFault>> + Send;

    /// The steps of a cluster, newest first; also of one that ended.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn steps(&self, cluster: &ClusterId) -> impl Future<Output = Result<Vec<Step>, ClusterFault>> + Send;

    /// Cancels a step that waits for its turn. A step that has ended since is not an error.
    ///
    /// # Errors
    /// A [`ClusterFault`].
    fn cancel_step(&self, cluster: &ClusterId, step: &StepId) -> impl Future<Output = Result<(), ClusterFault>> + Send;
}

/// Which clusters are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterQuery {
    /// What their names begin with.
    pub name_prefix: String,
    /// Only those created after this instant.
    pub created_after: Option<Timestamp>,
    /// Whether those that ended are listed, too.
    pub include_ended: bool,
}

/// The state of a cluster, as EMR names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterState {
    /// Instances are being made.
    Starting,
    /// Software is being put on them.
    Bootstrapping,
    /// A step runs.
    Running,
    /// Ready, with nothing to do.
    Waiting,
    /// Ending.
    Terminating,
    /// Ended, as asked or after its work.
    Terminated,
    /// Ended, because something failed.
    TerminatedWithErrors,
}

impl ClusterState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Starting,
        Self::Bootstrapping,
        Self::Running,
        Self::Waiting,
        Self::Terminating,
        Self::Terminated,
        Self::TerminatedWithErrors,
    ];

    /// The name that EMR has for it.
    pub fn as_str(self) -> &'static str {
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

    /// Whether steps can be added and are executed.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }

    /// Whether the cluster is ending or has ended: it does not take steps any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Terminating | Self::Terminated | Self::TerminatedWithErrors)
    }
}

impl fmt::Display for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A cluster as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSummary {
    /// Identifier.
    pub id: ClusterId,
    /// Name.
    pub name: String,
    /// State.
    pub state: ClusterState,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A cluster in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// What lists show of it.
    pub summary: ClusterSummary,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Why it is in its state, in EMR's words: code and message. `None` when EMR gives no reason.
    pub reason: Option<String>,
}

/// The state of a step, as EMR names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepState {
    /// Waits for its turn.
    Pending,
    /// Is being cancelled while it waits for its turn.
    CancelPending,
    /// Runs.
    Running,
    /// Succeeded.
    Completed,
    /// Cancelled.
    Cancelled,
    /// Failed.
    Failed,
    /// Ended with its cluster, or because a step before it failed.
    Interrupted,
}

impl StepState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::CancelPending,
        Self::Running,
        Self::Completed,
        Self::Cancelled,
        Self::Failed,
        Self::Interrupted,
    ];

    /// The name that EMR has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::CancelPending => "CANCEL_PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Identifier.
    pub id: StepId,
    /// Name.
    pub name: String,
    /// State.
    pub state: StepState,
    /// What EMR says about a step that did not succeed.
    pub failure: StepFailure,
}

/// What EMR says about a step that did not succeed. Each part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepFailure {
    /// What EMR recognised, such as `Unknown Error.`.
    pub reason: Option<String>,
    /// What the program said last.
    pub message: Option<String>,
    /// Address of the log with the details.
    pub log_file: Option<String>,
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().unwrap_or("EMR gives no reason");
        f.write_str(reason)?;
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        match &self.log_file {
            Some(log_file) => write!(f, " (log: {log_file})"),
            None => Ok(()),
        }
    }
}

/// EMR did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterFault {
    /// EMR asked to slow down; nothing was done.
    #[error("cannot {doing}: {message}")]
    Throttled {
        /// What was tried, such as `launch cluster sluice/…`.
        doing: String,
        /// EMR's words.
        message: String,
    },
    /// No answer, a broken answer or a fault of the service. What was asked may have been done.
    #[error("cannot {doing}: {message}")]
    Unavailable {
        /// What was tried.
        doing: String,
        /// What happened.
        message: String,
    },
    /// EMR understood and refused: no such cluster, no capacity, a quota, a wrong setting. Nothing was done.
    #[error("cannot {doing}: {message}")]
    Refused {
        /// What was tried.
        doing: String,
        /// EMR's code and words.
        message: String,
    },
    /// Rights or credentials are missing, expired or refused. Nothing was done.
    #[error("cannot {doing}: {message}")]
    Denied {
        /// What was tried.
        doing: String,
        /// EMR's code and words, or why there are no credentials.
        message: String,
    },
    /// An answer that makes no sense, or an unknown fault.
    #[error("cannot {doing}: {message}")]
    Unexpected {
        /// What was tried.
        doing: String,
        /// What happened.
        message: String,
    },
}
