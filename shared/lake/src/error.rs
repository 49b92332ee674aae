//! What can go wrong in the lake, and what the caller does next.

use std::path::PathBuf;

use deltalake::DeltaTableError;
use polars::prelude::PolarsError;
use sluice_core::error::{ErrorName, StepError, with_sources};
use sluice_core::name::TableRef;
use sluice_core::run::RunRef;
use sluice_core::spec::SpecError;
use sluice_core::uri::ObjectUri;
use sluice_documents::DocumentError;

use crate::engine::EngineError;
use crate::source::SourceError;

/// An error of the lake. Messages name the object and the fix; [`LakeError::name`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A step document could not be read or written.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A source object is wrong.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The engine refused a contract, a SQL text or a value.
    #[error("table `{table}`")]
    Engine {
        /// The table worked on.
        table: TableRef,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// The spec or a contract is wrong.
    #[error("{}", .problems.iter().map(|problem| with_sources(problem)).collect::<Vec<_>>().join("\n"))]
    Spec {
        /// Every problem found.
        problems: Vec<SpecError>,
    },
    /// The Delta log could not be read or written.
    #[error("table `{table}`: delta log")]
    Delta {
        /// The table.
        table: TableRef,
        /// What the library said.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// Polars failed outside a user's SQL.
    #[error("{doing}")]
    Polars {
        /// What was being done, with the object's name.
        doing: String,
        /// What Polars said.
        #[source]
        source: PolarsError,
    },
    /// A local file could not be read or written.
    #[error("{doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The object store failed.
    #[error("{doing} {location}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// The object.
        location: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// A source object is not what the plan saw.
    #[error(
        "source object {uri} was {what} after the plan was made; the run plans again without it or with its new content"
    )]
    SourceChanged {
        /// The object.
        uri: ObjectUri,
        /// `deleted` or `replaced`.
        what: &'static str,
    },
    /// Another writer came first.
    #[error("table `{table}`: {detail}; the run plans again on the new version")]
    Conflict {
        /// The table.
        table: TableRef,
        /// What changed.
        detail: String,
    },
    /// Too many conflicts in a row.
    #[error("run `{run}` met other writers {attempts} times in a row and gave up; run it again when they are done")]
    ConflictsWithoutEnd {
        /// The run.
        run: String,
        /// Attempts made.
        attempts: u32,
    },
    /// What Spark left is not what the plan asked for.
    #[error(
        "what Spark left of run `{}`, attempt {}: {problem}; nothing was published: read the log of the run's EMR \
         step, then run again, or with engine lambda",
        .run.run_id, .run.attempt
    )]
    EtlFailed {
        /// The attempt.
        run: RunRef,
        /// What is missing or wrong, with the table and file.
        problem: String,
    },
    /// The request cannot be carried out as it is.
    #[error("{message}")]
    Invalid {
        /// What is wrong and the fix.
        message: String,
    },
    /// The data's schema breaks the contract in a way that no quarantine solves.
    #[error("table `{table}`: {message}")]
    Violation {
        /// The table.
        table: TableRef,
        /// What is broken and the fix.
        message: String,
    },
    /// A version was there and its log entry is not any more.
    #[error("version {version} of table `{table}` has been cleaned up: choose a newer one")]
    VersionGone {
        /// The table.
        table: TableRef,
        /// The version.
        version: u64,
    },
    /// Something named does not exist.
    #[error("{what}")]
    NotFound {
        /// What is missing and where it was looked for.
        what: String,
    },
    /// A broken invariant: a defect of Sluice or a document someone changed by hand.
    #[error("{message}")]
    Internal {
        /// What was expected.
        message: String,
    },
}

impl LakeError {
    /// The stable name.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Document(error) => error.name(),
            Self::Source(error) => error.name(),
            Self::Engine { source, .. } => source.name(),
            Self::Spec { .. } | Self::Invalid { .. } => ErrorName::InvalidInput,
            Self::Delta { source, .. } => delta_name(source),
            Self::Polars { .. } | Self::Internal { .. } => ErrorName::Internal,
            Self::Io { source, .. } => io_name(source),
            Self::Store { source, .. } => sluice_documents::classify(source),
            Self::SourceChanged { .. } => ErrorName::SourceChanged,
            Self::Conflict { .. } | Self::ConflictsWithoutEnd { .. } => ErrorName::CommitConflict,
            Self::EtlFailed { .. } => ErrorName::EtlFailed,
            Self::Violation { .. } => ErrorName::ContractViolation,
            Self::NotFound { .. } | Self::VersionGone { .. } => ErrorName::NotFound,
        }
    }

    /// Wraps a Polars error with what was being done.
    pub(crate) fn polars(doing: impl Into<String>) -> impl FnOnce(PolarsError) -> Self {
        let doing = doing.into();
        move |source| Self::Polars { doing, source }
    }

    /// Wraps an engine error with the table worked on.
    pub(crate) fn engine(table: &TableRef) -> impl Fn(EngineError) -> Self {
        let table = table.clone();
        move |source| Self::Engine { table: table.clone(), source }
    }

    /// Wraps a Delta error with its table.
    pub(crate) fn delta(table: &TableRef) -> impl Fn(DeltaTableError) -> Self {
        let table = table.clone();
        move |source| Self::Delta { table: table.clone(), source: Box::new(source) }
    }
}

impl From<LakeError> for StepError {
    fn from(error: LakeError) -> Self {
        Self::new(error.name(), &error)
    }
}

fn io_name(error: &std::io::Error) -> ErrorName {
    match error.kind() {
        std::io::ErrorKind::NotFound => ErrorName::NotFound,
        // A full disk or a passing fault: nothing was committed, so the run can simply be made again.
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::QuotaExceeded
        | std::io::ErrorKind::Interrupted
        | std::io::ErrorKind::TimedOut => ErrorName::Unavailable,
        std::io::ErrorKind::PermissionDenied => ErrorName::InvalidInput,
        _ => ErrorName::Internal,
    }
}

fn delta_name(error: &DeltaTableError) -> ErrorName {
    match error {
        DeltaTableError::NotATable(_) => ErrorName::NotFound,
        // The store's fault is wrapped differently by reads, commits and checkpoints.
        _ => std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source())
            .find_map(|cause| cause.downcast_ref::<object_store::Error>())
            .map_or(ErrorName::Internal, sluice_documents::classify),
    }
}
