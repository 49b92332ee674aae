//! The stable names of step errors: public API, matched by the state machines.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a failed step is called, by what the caller does next.
///
/// State machines match these names and people search logs for them: a name is never changed, only added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ErrorName {
    /// The request, spec or a source object is wrong; the same call fails again.
    InvalidInput,
    /// Data and contract disagree in a way that no quarantine can solve (breaking schema change).
    ContractViolation,
    /// Something named in the request does not exist.
    NotFound,
    /// A source object was replaced or deleted between plan and process: plan again.
    SourceChanged,
    /// The store or service asked to slow down; retry later.
    Throttled,
    /// The store or service did not answer; retry.
    Unavailable,
    /// Another writer changed a table since the plan: plan again.
    CommitConflict,
    /// The EMR cluster ended with an error.
    ClusterFailed,
    /// The Spark step ended with an error.
    EtlFailed,
    /// A defect or an unknown fault; look at the logs.
    Internal,
}

impl ErrorName {
    /// Every name.
    pub const ALL: [Self; 10] = [
        Self::InvalidInput,
        Self::ContractViolation,
        Self::NotFound,
        Self::SourceChanged,
        Self::Throttled,
        Self::Unavailable,
        Self::CommitConflict,
        Self::ClusterFailed,
        Self::EtlFailed,
        Self::Internal,
    ];

    /// The name as the state machine sees it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::ContractViolation => "ContractViolation",
            Self::NotFound => "NotFound",
            Self::SourceChanged => "SourceChanged",
            Self::Throttled => "Throttled",
            Self::Unavailable => "Unavailable",
            Self::CommitConflict => "CommitConflict",
            Self::ClusterFailed => "ClusterFailed",
            Self::EtlFailed => "EtlFailed",
            Self::Internal => "Internal",
        }
    }

    /// Whether the same call may succeed when it is simply made again.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::InvalidInput
            | Self::ContractViolation
            | Self::NotFound
            | Self::SourceChanged
            | Self::CommitConflict
            | Self::ClusterFailed
            | Self::EtlFailed
            | Self::Internal => false,
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed step: its stable name and one message that names the object and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{name}: {message}")]
pub struct StepError {
    /// The stable name.
    pub name: ErrorName,
    /// The message with its causes, in one line or a short list.
    pub message: String,
}

/// What an error and all its sources say.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Some libraries print their source themselves; the same words twice help nobody.
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

impl StepError {
    /// An error of this name, whose message is the error's and all its sources'.
    pub fn new(name: ErrorName, error: &dyn std::error::Error) -> Self {
        Self { name, message: with_sources(error) }
    }

    /// An error of this name with this message.
    pub fn message(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}
