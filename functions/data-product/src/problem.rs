//! Refusals of the engine, as callers get them.

use sluice_core::error::with_sources;
use sluice_http::{Problem, ProblemCode};
use sluice_lake::serve::ServeError;

/// A refusal of the engine, as callers get it. What may hold values of the data goes to the log and nowhere else. `field` is the part
/// of the request that statements and predicates are in.
pub(crate) fn problem_of(error: &ServeError, field: &str) -> Problem {
    let problem = |code| Problem::new(code, error.to_string());
    match error {
        ServeError::NoTable | ServeError::NoVersion { .. } | ServeError::NothingThen => problem(ProblemCode::NotFound),
        ServeError::VersionGone { .. } => problem(ProblemCode::VersionGone),
        ServeError::DoesNotFit { .. } | ServeError::NoColumn { .. } | ServeError::Value => {
            problem(ProblemCode::InvalidSql).in_field(field)
        }
        ServeError::TooLarge { .. } => problem(ProblemCode::QueryTooLarge),
        ServeError::TooSlow { .. } => problem(ProblemCode::QueryTooSlow),
        ServeError::TooBusy | ServeError::Displaced { .. } => problem(ProblemCode::TooManyRequests),
        ServeError::Lake(lake) => {
            tracing::error!(error_name = %lake.name, error_message = lake.message, "cannot read a table");
            Problem::of_lake(lake.name, "the table cannot be read: its owner finds the reason in the log")
        }
        ServeError::Engine { .. } => {
            tracing::error!(error_message = with_sources(error), "the engine failed on a question");
            Problem::new(ProblemCode::Internal, "the engine failed on this question")
        }
    }
}
