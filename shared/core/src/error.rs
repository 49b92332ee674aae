//! The stable names of step errors: public API, matched by the state machines.
//!
//! [`ErrorName`] says once what a name means and what a person does next. The command, the API of runs and the table in
//! `docs/errors.md` are made from it. Names that an execution can fail with besides these are in [`crate::failure`].

mod foreign;

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
    /// Source objects are at fault and held now: plan again without them.
    ObjectsHeld,
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
    /// The store, a service or the file system refused the credentials or rights.
    AccessDenied,
    /// The log of a table, or a file that it names, cannot be read.
    TableUnreadable,
    /// A version of a table was cleaned up, or a file of it.
    VersionGone,
    /// A defect or an unknown fault; read the logs.
    Internal,
}

impl ErrorName {
    /// Every name.
    pub const ALL: [Self; 14] = [
        Self::InvalidInput,
        Self::ContractViolation,
        Self::NotFound,
        Self::SourceChanged,
        Self::ObjectsHeld,
        Self::Throttled,
        Self::Unavailable,
        Self::CommitConflict,
        Self::ClusterFailed,
        Self::EtlFailed,
        Self::AccessDenied,
        Self::TableUnreadable,
        Self::VersionGone,
        Self::Internal,
    ];

    /// The name as the state machine sees it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::ContractViolation => "ContractViolation",
            Self::NotFound => "NotFound",
            Self::SourceChanged => "SourceChanged",
            Self::ObjectsHeld => "ObjectsHeld",
            Self::Throttled => "Throttled",
            Self::Unavailable => "Unavailable",
            Self::CommitConflict => "CommitConflict",
            Self::ClusterFailed => "ClusterFailed",
            Self::EtlFailed => "EtlFailed",
            Self::AccessDenied => "AccessDenied",
            Self::TableUnreadable => "TableUnreadable",
            Self::VersionGone => "VersionGone",
            Self::Internal => "Internal",
        }
    }

    /// The name that is written like this; `None` for names that no step gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// Whether the same call may succeed when it is simply made again.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::InvalidInput
            | Self::ContractViolation
            | Self::NotFound
            | Self::SourceChanged
            | Self::ObjectsHeld
            | Self::CommitConflict
            | Self::ClusterFailed
            | Self::EtlFailed
            | Self::AccessDenied
            | Self::TableUnreadable
            | Self::VersionGone
            | Self::Internal => false,
        }
    }

    /// What has happened, and what the state machine does about it by itself. Whole sentences, for documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::InvalidInput => "The request, the spec or a contract is wrong.",
            Self::ContractViolation => {
                "Data and contract disagree in a way that neither quarantine nor holding a source object can solve: a \
                 breaking schema change, or rows of an earlier run that fail now."
            }
            Self::NotFound => {
                "Something that was named does not exist: a spec, a document, a table, a version or a bucket."
            }
            Self::SourceChanged => {
                "A source object was replaced or deleted after the plan was made. When process finds this, the state \
                 machine plans again by itself."
            }
            Self::ObjectsHeld => {
                "Source objects cannot be read, or their rows not be computed or stored. They are held: this run and \
                 later ones leave them out until they are released or replaced. The state machine plans again without \
                 them, up to 8 attempts per run."
            }
            Self::Throttled => "The store or a service asked to slow down. The state machine retries 5 times.",
            Self::Unavailable => {
                "The store or a service did not answer, or the local disk is full. The state machine retries 5 times."
            }
            Self::CommitConflict => {
                "Another writer changed a table after the plan was made. When process or publish finds this, the state \
                 machine plans again by itself, up to 8 attempts per run."
            }
            Self::ClusterFailed => {
                "EMR refused to start a cluster (no capacity, a quota, a wrong setting), the cluster ended before its \
                 work was done or was not ready in time, a late call asked for the cluster of an attempt that is \
                 over, or a function for clusters could not be called. The message has EMR's own code and words. No \
                 cluster is left running."
            }
            Self::EtlFailed => {
                "The Spark step failed, was cancelled or did not end in time. The message has EMR's reason, the last \
                 lines of Spark's output and the address of the log."
            }
            Self::AccessDenied => {
                "The store, a service or the file system refused the credentials or rights of the function or person."
            }
            Self::TableUnreadable => {
                "The log of a table is damaged, another engine wrote what Sluice does not read into it, or a Parquet file \
                 that it names is damaged."
            }
            Self::VersionGone => {
                "The version of a table that was asked for existed, and its log entry or a file of it has been cleaned up."
            }
            Self::Internal => "A defect, or an unknown fault.",
        }
    }

    /// What a person does next: one phrase without a capital and a full stop, as the command prints it after `next:`.
    ///
    /// # Example
    ///
    /// ```
    /// use sluice_core::error::ErrorName;
    ///
    /// let name = ErrorName::parse("SourceChanged");
    /// assert_eq!(name, Some(ErrorName::SourceChanged));
    /// assert_eq!(name.map(ErrorName::next_step), Some("run again when the other writer is done"));
    /// ```
    pub fn next_step(self) -> &'static str {
        match self {
            Self::InvalidInput => {
                "correct what the message names, then run again; `sluice check` finds faults of specs and contracts"
            }
            Self::ContractViolation => {
                "change the contract or the source so that they agree, or write to a new table; then run again"
            }
            Self::NotFound => "put back what the message names, or name another, then run again",
            Self::SourceChanged | Self::CommitConflict => "run again when the other writer is done",
            Self::ObjectsHeld => {
                "run again, which takes the other objects; correct and deliver what the message names, or `sluice source \
                 release` it after you changed the contract"
            }
            Self::Throttled => "run again later, or redrive the run; nothing was lost and nothing is done twice",
            Self::Unavailable => {
                "run again when the store answers and the disk has room, or redrive the run; nothing was lost and \
                 nothing is done twice"
            }
            Self::ClusterFailed => {
                "no capacity: allow more instance types (`SLUICE_EMR_WORKER_TYPES`) or subnets; a quota: raise it; a \
                 wrong setting: correct it; then run again"
            }
            Self::EtlFailed => {
                "read the log that the message names; if memory or disk ran out, raise `SLUICE_EMR_MAX_UNITS` or choose \
                 larger instance types; then run again"
            }
            Self::AccessDenied => "give the rights, or renew the credentials, that the message names, then run again",
            Self::TableUnreadable => {
                "correct what the message names with the engine that wrote it, or set the table back with `sluice restore`; \
                 then run again"
            }
            Self::VersionGone => {
                "name a newer version; if the newest lacks a file, set the table back with `sluice restore`"
            }
            Self::Internal => {
                "read the message and the function's log, then run again or redrive the run: what was published is not \
                 published twice; a redrive uses functions and settings as they were when the run began; after a \
                 deployment, start the pipeline again; if it fails the same way, report it with the message"
            }
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

/// What an error says, and then each of its sources. Some libraries print their source themselves: words that an error
/// before has said are left out. So are backtraces, and hints about settings of libraries that Sluice does not have.
pub fn texts(error: &dyn std::error::Error) -> Vec<String> {
    let mut said = vec![foreign::cleaned(&error.to_string())];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = foreign::cleaned(&cause.to_string());
        if !said.iter().any(|said| said.contains(&text)) {
            said.push(text);
        }
        source = cause.source();
    }
    said
}

/// What an error and all its sources say, as one text.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    texts(error).join(": ")
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
