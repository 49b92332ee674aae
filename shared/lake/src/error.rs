//! What can go wrong in the lake, and what the caller does next.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use deltalake::DeltaTableError;
use polars::prelude::PolarsError;
use sluice_core::error::{ErrorName, StepError, with_sources};
use sluice_core::name::TableRef;
use sluice_core::run::RunRef;
use sluice_core::spec::SpecError;
use sluice_core::uri::ObjectUri;
use sluice_documents::{DocumentError, S3Error};

use crate::engine::EngineError;
use crate::source::SourceError;

/// How Polars' words begin when a Parquet file is damaged; the kind of the error says less.
const DAMAGED_FILE: &str = "parquet: ";
/// How they begin when the columns of a file are not those of its table. Functions have the same kind of error.
const OTHER_COLUMNS: [&str; 2] = ["data type mismatch for column ", "extra column in file "];
/// What comes before an option of Polars that would help.
const HINT: &str = ", hint: ";

/// An error of the lake. Messages name the object and the fix; [`LakeError::name`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A step document could not be read or written.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A call of S3 failed.
    #[error(transparent)]
    S3(#[from] S3Error),
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
    /// The Delta log could not be written.
    #[error("table `{table}`: delta log")]
    Delta {
        /// The table.
        table: TableRef,
        /// What the library said.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// The Delta log cannot be read: damaged, incomplete, or of a kind that the library does not know.
    #[error("table `{table}`: its log cannot be read")]
    Log {
        /// The table.
        table: TableRef,
        /// What the library said.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A file of a table, or an entry of its log, holds something else than it must.
    #[error("{what}")]
    Unreadable {
        /// Which file, and what is wrong with it.
        what: String,
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
    /// The store refuses to read one source object, and will again.
    #[error(
        "source object {uri} cannot be read: the store answered {answer}; its encryption or its key is the usual \
         reason: copy it with the bucket's own encryption, or enable its key and give the function the right to use it"
    )]
    ObjectRefused {
        /// The object.
        uri: ObjectUri,
        /// Code, status and words of the store.
        answer: String,
    },
    /// A source object is not what the plan saw.
    #[error(
        "source object {uri} was {what} after the plan was made; the run plans again without it or with its new content"
    )]
    SourceChanged {
        /// The object.
        uri: ObjectUri,
        /// What happened to it.
        what: SourceChange,
    },
    /// Another writer came first.
    #[error("table `{table}`: {detail}; the run plans again on the new version")]
    Conflict {
        /// The table.
        table: TableRef,
        /// What changed.
        detail: String,
    },
    /// Too many attempts in a row.
    #[error(
        "run `{run}` was planned {attempts} times, because other writers came first or source objects changed or are held \
         now, and gave up; run it again"
    )]
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
    /// Rows of a table cannot be put into partitions.
    #[error("table `{table}`: {message}")]
    Partitions {
        /// The table.
        table: TableRef,
        /// What is wrong with the values and the fix.
        message: String,
    },
    /// Source objects of the run are held for their faults.
    #[error("{message}")]
    Refused {
        /// The first faults, and how many objects are held.
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

/// What happens to a source object between plan and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceChange {
    /// Nothing is at its address.
    Deleted,
    /// Another version is.
    Replaced,
}

impl fmt::Display for SourceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
        })
    }
}

impl LakeError {
    /// The stable name.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Document(error) => error.name(),
            Self::S3(error) => error.name(),
            Self::Source(error) => error.name(),
            Self::Engine { source, .. } => source.name(),
            Self::Spec { .. } | Self::Invalid { .. } => ErrorName::InvalidInput,
            Self::Delta { source, .. } => store_name(source).unwrap_or(ErrorName::Internal),
            Self::Log { source, .. } => log_name(source),
            Self::Unreadable { .. } => ErrorName::TableUnreadable,
            Self::Polars { source, .. } => polars_name(source),
            Self::Internal { .. } => ErrorName::Internal,
            Self::Io { source, .. } => io_name(source),
            Self::Store { source, .. } => sluice_documents::classify(source),
            Self::ObjectRefused { .. } => ErrorName::AccessDenied,
            Self::SourceChanged { .. } => ErrorName::SourceChanged,
            Self::Conflict { .. } | Self::ConflictsWithoutEnd { .. } => ErrorName::CommitConflict,
            Self::EtlFailed { .. } => ErrorName::EtlFailed,
            Self::Violation { .. } | Self::Partitions { .. } => ErrorName::ContractViolation,
            Self::Refused { .. } => ErrorName::ObjectsHeld,
            Self::NotFound { .. } => ErrorName::NotFound,
            Self::VersionGone { .. } => ErrorName::VersionGone,
        }
    }

    /// Wraps what the store answered about a source object: a refusal of this object alone, or a fault of the store.
    pub(crate) fn of_object(uri: &ObjectUri, doing: &'static str, source: object_store::Error) -> Self {
        match sluice_documents::object_refusal(&source) {
            Some(answer) => Self::ObjectRefused { uri: uri.clone(), answer },
            None => Self::Store { doing, location: uri.to_string(), source },
        }
    }

    /// Wraps a Polars error with what was being done.
    pub(crate) fn polars(doing: impl Into<String>) -> impl FnOnce(PolarsError) -> Self {
        let doing = doing.into();
        move |source| match file_fault(&source) {
            Some(words) => Self::Unreadable { what: format!("{doing}: {words}") },
            None => Self::Polars { doing, source },
        }
    }

    /// Wraps an engine error with the table worked on.
    pub(crate) fn engine(table: &TableRef) -> impl Fn(EngineError) -> Self {
        let table = table.clone();
        move |source| Self::Engine { table: table.clone(), source }
    }

    /// Wraps an error of reading a Delta log with its table.
    pub(crate) fn log(table: &TableRef) -> impl Fn(DeltaTableError) -> Self {
        let table = table.clone();
        move |source| Self::Log { table: table.clone(), source: Box::new(source) }
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
        std::io::ErrorKind::PermissionDenied => ErrorName::AccessDenied,
        std::io::ErrorKind::InvalidFilename => ErrorName::InvalidInput,
        _ => ErrorName::Internal,
    }
}

/// The name of the store's fault in an error, which is wrapped differently by reads, commits and checkpoints.
fn store_name(error: &(dyn Error + 'static)) -> Option<ErrorName> {
    std::iter::successors(Some(error), |cause| (*cause).source())
        .find_map(|cause| cause.downcast_ref::<object_store::Error>())
        .map(sluice_documents::classify)
}

/// What a log that cannot be read is called: a fault of the store by its own name, and all else is the log's.
fn log_name(error: &DeltaTableError) -> ErrorName {
    match error {
        DeltaTableError::NotATable(_) => ErrorName::NotFound,
        _ => match store_name(error) {
            Some(name) if name.is_retryable() || name == ErrorName::AccessDenied => name,
            // A part of the log that another part names is missing, or is not what the protocol says.
            _ => ErrorName::TableUnreadable,
        },
    }
}

/// What Polars says of a Parquet file that does not fit its table: a damaged one, or one whose columns have other types
/// or names, as other engines write them. `None` for every other fault. Hints for callers of Polars are left out.
pub(crate) fn file_fault(error: &PolarsError) -> Option<&str> {
    match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => file_fault(error),
        PolarsError::ComputeError(words) if words.starts_with(DAMAGED_FILE) => Some(words),
        PolarsError::SchemaMismatch(words) if OTHER_COLUMNS.iter().any(|start| words.starts_with(start)) => {
            words.split(HINT).next()
        }
        _ => None,
    }
}

/// What a fault of Polars is called. A file that it does not find is one that the log of a table names.
pub(crate) fn polars_name(error: &PolarsError) -> ErrorName {
    if file_fault(error).is_some() {
        return ErrorName::TableUnreadable;
    }
    match fault_of_store(error) {
        None => ErrorName::Internal,
        Some(ErrorName::NotFound) => ErrorName::VersionGone,
        Some(name) => name,
    }
}

/// Whether Polars did not find a file.
pub(crate) fn is_missing_file(error: &PolarsError) -> bool {
    fault_of_store(error) == Some(ErrorName::NotFound)
}

fn fault_of_store(error: &PolarsError) -> Option<ErrorName> {
    let fault = std::iter::successors(Some(error as &(dyn Error + 'static)), |cause| (*cause).source())
        .find_map(|cause| cause.downcast_ref::<std::io::Error>())?;
    let of_store = fault.get_ref().and_then(|inner| store_name(inner));
    Some(of_store.unwrap_or_else(|| io_name(fault)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn faults_of_tables_are_called_by_what_is_wrong_with_them() {
        let check = |error: LakeError, expected: ErrorName| {
            let text = error.to_string();
            assert_eq!(error.name(), expected, "{text}");
        };
        let io = |kind: std::io::ErrorKind| PolarsError::IO { error: Arc::new(kind.into()), msg: None };
        let polars = |source: PolarsError| LakeError::Polars { doing: "scan".to_owned(), source };
        check(polars(io(std::io::ErrorKind::NotFound)), ErrorName::VersionGone);
        check(polars(io(std::io::ErrorKind::PermissionDenied)), ErrorName::AccessDenied);
        let gone = object_store::Error::NotFound { path: "a".to_owned(), source: "404".into() };
        let remote = PolarsError::IO { error: Arc::new(std::io::Error::other(gone)), msg: None };
        check(polars(remote), ErrorName::VersionGone);
        check(polars(PolarsError::ComputeError("defect".into())), ErrorName::Internal);
        check(polars(PolarsError::SchemaMismatch("a function's".into())), ErrorName::Internal);

        let table: TableRef = "silver/sales/t".parse().unwrap();
        let log = |source: DeltaTableError| LakeError::log(&table)(source);
        let store = |source: object_store::Error| DeltaTableError::ObjectStore { source };
        let denied = object_store::Error::PermissionDenied { path: "a".to_owned(), source: "403".into() };
        check(log(DeltaTableError::Generic("no protocol".to_owned())), ErrorName::TableUnreadable);
        check(log(store(denied)), ErrorName::AccessDenied);
        let missing = object_store::Error::NotFound { path: "a".to_owned(), source: "404".into() };
        check(log(store(missing)), ErrorName::TableUnreadable);
        check(LakeError::delta(&table)(DeltaTableError::Generic("defect".to_owned())), ErrorName::Internal);
        check(LakeError::VersionGone { table, version: 3 }, ErrorName::VersionGone);
    }

    #[test]
    fn a_file_that_does_not_fit_its_table_makes_the_table_unreadable() {
        let check = |source: PolarsError, says: &str| {
            assert_eq!(polars_name(&source), ErrorName::TableUnreadable, "{source}");
            let error = LakeError::polars("scan")(source);
            assert_eq!((error.name(), error.to_string().as_str()), (ErrorName::TableUnreadable, says));
        };
        let damaged = PolarsError::ComputeError("parquet: File out of specification: invalid utf8".into());
        check(damaged.clone(), "scan: parquet: File out of specification: invalid utf8");
        let within = PolarsError::Context { error: Box::new(damaged), msg: "scanning".into() };
        check(within, "scan: parquet: File out of specification: invalid utf8");
        let other = "data type mismatch for column at: incoming: Datetime('ns') != target: Datetime('μs', 'UTC')";
        check(PolarsError::SchemaMismatch(format!("{other}, hint: pass options").into()), &format!("scan: {other}"));
    }
}
