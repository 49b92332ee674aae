//! What is needed of whatever runs executions.

use jiff::Timestamp;
use serde_json::Value;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{ReportedError, RunRequest};

use crate::history::PassedState;

/// Executions of one state machine.
pub trait Executions: Send + Sync {
    /// Whether another execution of this pipeline may be started now; [`Executions::start`] decides again. So a request that nothing is
    /// started for need not be kept. A service that has limits of its own says so when it starts.
    ///
    /// # Errors
    /// [`ExecutionFault::Throttled`] when too many of them run or wait.
    fn admit(&self, _: &PipelineName) -> impl Future<Output = Result<(), ExecutionFault>> + Send {
        std::future::ready(Ok(()))
    }

    /// Starts the execution of a run. The same run with the same request again starts nothing.
    ///
    /// # Errors
    /// An [`ExecutionFault`].
    fn start(&self, run: &RunId, request: &RunRequest) -> impl Future<Output = Result<Started, ExecutionFault>> + Send;

    /// The execution of a run; `None` when it does not exist.
    ///
    /// # Errors
    /// An [`ExecutionFault`].
    fn describe(&self, run: &RunId) -> impl Future<Output = Result<Option<Execution>, ExecutionFault>> + Send;

    /// The states that an execution has passed, in order; `None` where there is no execution or its history is gone.
    ///
    /// # Errors
    /// An [`ExecutionFault`].
    fn history(&self, run: &RunId) -> impl Future<Output = Result<Option<Vec<PassedState>>, ExecutionFault>> + Send;

    /// One page of all executions, newest first, at most `limit`, from `token` of the page before.
    ///
    /// # Errors
    /// [`ExecutionFault::UnknownToken`] for a token that no page gave; else an [`ExecutionFault`].
    fn list(
        &self,
        limit: usize,
        token: Option<&str>,
    ) -> impl Future<Output = Result<ExecutionPage, ExecutionFault>> + Send;

    /// Goes on with an execution that failed, timed out or was stopped, from the state in which it ended.
    ///
    /// # Errors
    /// An [`ExecutionFault`].
    fn redrive(&self, run: &RunId) -> impl Future<Output = Result<Redriven, ExecutionFault>> + Send;

    /// Stops an execution. One that has ended, or does not exist, is not an error.
    ///
    /// # Errors
    /// An [`ExecutionFault`].
    fn stop(&self, run: &RunId, cause: &str) -> impl Future<Output = Result<(), ExecutionFault>> + Send;
}

/// What came of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The execution runs: by this call, or by an earlier one with the same request.
    Running,
    /// An execution of this run with the same request has ended.
    Ended,
    /// An execution of this name has another request.
    Conflicting,
}

/// What came of a redrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redriven {
    /// The execution goes on.
    Running,
    /// It cannot: it runs, succeeded, or is too old.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// How far an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// Runs, or waits for its turn.
    Running,
    /// Reached a Succeed state.
    Succeeded,
    /// Reached a Fail state.
    Failed,
    /// Took longer than the state machine may.
    TimedOut,
    /// Was stopped.
    Aborted,
}

impl ExecutionStatus {
    /// Whether the execution can be redriven.
    pub fn is_redrivable(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Aborted)
    }
}

/// An execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The run.
    pub run_id: RunId,
    /// How far it is.
    pub status: ExecutionStatus,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// How often it was redriven.
    pub redrives: u32,
    /// What it was started with: a request of ours or an event of S3.
    pub input: Value,
    /// Why it ended without success.
    pub error: Option<ReportedError>,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedExecution {
    /// The run.
    pub run_id: RunId,
    /// When it was started.
    pub started_at: Timestamp,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecutionPage {
    /// Executions, newest first. There may be fewer than asked for although more follow.
    pub executions: Vec<ListedExecution>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// What runs executions did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionFault {
    /// Too much at once; nothing was done.
    #[error("cannot {doing}: {message}")]
    Throttled {
        /// What was tried, such as `start run api-…`.
        doing: String,
        /// What was answered.
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
    /// The token of a page is not valid.
    #[error("cannot {doing}: {message}")]
    UnknownToken {
        /// What was tried.
        doing: String,
        /// What was answered.
        message: String,
    },
    /// Rights or credentials are missing, expired or refused; nothing was done.
    #[error("cannot {doing}: {message}")]
    Denied {
        /// What was tried.
        doing: String,
        /// What was answered.
        message: String,
    },
    /// What was named does not exist, such as the state machine; nothing was done.
    #[error("cannot {doing}: {message}")]
    Missing {
        /// What was tried.
        doing: String,
        /// What was answered.
        message: String,
    },
    /// The request is refused as it is, such as one that is too large; nothing was done.
    #[error("cannot {doing}: {message}")]
    Refused {
        /// What was tried.
        doing: String,
        /// What was answered.
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

impl ExecutionFault {
    /// The stable name of the fault.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Throttled { .. } => ErrorName::Throttled,
            Self::Unavailable { .. } => ErrorName::Unavailable,
            Self::UnknownToken { .. } | Self::Refused { .. } => ErrorName::InvalidInput,
            Self::Denied { .. } => ErrorName::AccessDenied,
            Self::Missing { .. } => ErrorName::NotFound,
            Self::Unexpected { .. } => ErrorName::Internal,
        }
    }
}

impl From<ExecutionFault> for StepError {
    fn from(fault: ExecutionFault) -> Self {
        Self::new(fault.name(), &fault)
    }
}
