//! What can go wrong when consumers read, and what the answer says.

use polars::prelude::PolarsError;
use serde::{Deserialize, Serialize};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::TableRef;
use sluice_core::sql::SqlError;

use crate::engine::EngineError;
use crate::error::{LakeError, file_fault, polars_name};

/// Why an answer cannot be given.
///
/// The texts of all but [`ServeError::Lake`] and [`ServeError::Engine`] are for callers: they hold what the caller wrote and the names of
/// columns that the caller may see, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServeError {
    /// There is no table yet.
    #[error("the table has no data yet: its pipeline has not published")]
    NoTable,
    /// A version that never was.
    #[error("there is no version {asked}; the newest is {newest}")]
    NoVersion {
        /// The version asked for.
        asked: u64,
        /// The newest there is.
        newest: u64,
    },
    /// No version is as old as that.
    #[error("the table has no version that was there at that instant")]
    NothingThen,
    /// A version that was there.
    #[error("version {version} has been cleaned up; ask for a newer one")]
    VersionGone {
        /// The version.
        version: u64,
    },
    /// A statement or predicate that does not fit the columns.
    #[error("{message}")]
    DoesNotFit {
        /// The planner's words.
        message: String,
    },
    /// A column that is not there for the caller.
    #[error("there is no column `{column}` here for you")]
    NoColumn {
        /// As the caller wrote it.
        column: String,
    },
    /// A value that the statement cannot work with: a division by zero, a text that is no number, a number out of range.
    #[error(
        "the statement fails on a value, as by a division by zero, a CAST of a text that is no number, or a result out of range"
    )]
    Value,
    /// More than one call may read or answer.
    #[error("{what}")]
    TooLarge {
        /// What is too large, the limit and the fix.
        what: String,
    },
    /// Longer than one call may take.
    #[error("no answer within {seconds} s: narrow the question")]
    TooSlow {
        /// The limit.
        seconds: u64,
    },
    /// All places for questions are taken.
    #[error("too many questions at once: call again in some seconds")]
    TooBusy,
    /// Others waited for the place of a long question.
    #[error("the question was ended after {seconds} s because others wait: call again later, or narrow it")]
    Displaced {
        /// How long it had its place.
        seconds: u64,
    },
    /// The lake failed. For the log.
    #[error(transparent)]
    Lake(StepError),
    /// The engine failed. For the log: its words may hold values.
    #[error("the engine failed on table `{table}`: {words}")]
    Engine {
        /// The table, or the first of them.
        table: TableRef,
        /// The engine's words.
        words: String,
    },
}

impl From<LakeError> for ServeError {
    fn from(error: LakeError) -> Self {
        Self::Lake(error.into())
    }
}

impl ServeError {
    /// A fault of planning: it knows names and types alone, so its words may be passed on.
    pub(super) fn planning(error: &EngineError) -> Self {
        Self::DoesNotFit { message: first_line(&sluice_core::error::with_sources(error)) }
    }

    /// What the check of a statement or condition refuses: its words are about what the caller wrote.
    pub(super) fn refusing(error: &SqlError) -> Self {
        Self::DoesNotFit { message: error.to_string() }
    }

    /// A fault while rows are read. Its words may hold values, and are not passed on. Statements were planned before, so the faults
    /// that computing has are those of a value; all others are the store's, the file's or ours.
    pub(super) fn running(table: &TableRef, source: PolarsError) -> Self {
        match source {
            PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => Self::running(table, *error),
            source if file_fault(&source).is_some() => {
                Self::Lake(LakeError::polars(format!("files of table `{table}`"))(source).into())
            }
            PolarsError::ComputeError(_) | PolarsError::InvalidOperation(_) | PolarsError::OutOfBounds(_) => {
                Self::Value
            }
            // Some functions check the types of their arguments only when they are called.
            PolarsError::SchemaMismatch(_) => {
                Self::DoesNotFit { message: "a function gets a type that it does not take: CAST its arguments".to_owned() }
            }
            PolarsError::ShapeMismatch(_) => Self::DoesNotFit {
                message: "an expression gives one value where each row needs its own, as ORDER BY a constant does: name a column"
                    .to_owned(),
            },
            source if polars_name(&source) == ErrorName::VersionGone => {
                Self::Lake(LakeError::Polars { doing: format!("files of table `{table}`"), source }.into())
            }
            source => Self::Engine { table: table.clone(), words: sluice_core::error::with_sources(&source) },
        }
    }
}

/// What Polars says first; after it come plans and hints for its own users.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
