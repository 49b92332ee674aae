//! The large engine: a plan as one Spark SQL script, and what Spark answers.
//!
//! The script is complete: it reads the planned objects and the read versions of the tables, stages plain Parquet files in
//! the tables' folders, and last writes what it counted. It commits nothing. Every setting that changes a result is in it,
//! so that it gives the same tables wherever it is run.

pub mod metrics;
pub mod sql;

mod audit;
mod cast;
mod compile;
mod gold;
mod regex;
mod rules;
mod silver;
mod source;
mod tables;
mod text;

use self::compile::Compiler;
pub use self::source::check_format;
use self::sql::ConformError;
use crate::name::TableRef;
use crate::run::{PlannedWork, RunAction};
use crate::sql::SqlError;
use crate::uri::FolderUri;

/// A plan as Spark SQL: one readable script for `spark-sql -f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkScript {
    /// The statements, with comments.
    pub text: String,
}

/// Why a plan cannot be written as Spark SQL. `sluice check` finds it before any run.
#[derive(Debug, thiserror::Error)]
pub enum SparkError {
    /// A part of the pipeline is not executed on Spark.
    #[error("{what} is not executed on Spark: {hint}")]
    NotExecuted {
        /// What it is.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// The SQL of a table.
    #[error("table `{table}`: sql")]
    Sql {
        /// The table.
        table: TableRef,
        /// What is refused, with its position.
        #[source]
        source: SqlError,
    },
    /// What the SQL of a table gives is not what its contract says.
    #[error("table `{table}`")]
    Conform {
        /// The table.
        table: TableRef,
        /// The column that does not fit.
        #[source]
        source: ConformError,
    },
    /// The SQL of a rule.
    #[error("rule `{rule}`: sql")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What is refused, with its position.
        #[source]
        source: SqlError,
    },
}

/// Settings that must be given when the session starts; everything else is set in the script itself.
pub const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension"),
    ("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"),
    // The script's own tables are for this session alone: no metastore has to know them.
    ("spark.sql.catalogImplementation", "in-memory"),
];

/// The script of a plan's work, whose tables are in this lake.
///
/// # Errors
/// [`SparkError`] naming the part that is not executed.
pub fn script(lake: &FolderUri, plan: PlannedWork<'_>) -> Result<SparkScript, SparkError> {
    check_format(plan.pipeline.source_format)?;
    if plan.request.action == RunAction::Replay {
        return Err(SparkError::NotExecuted {
            what: "a replay".to_owned(),
            hint: "it reads the quarantine alone, which fits the engine lambda".to_owned(),
        });
    }
    Compiler::new(lake, plan)?.compile()
}

#[cfg(test)]
mod tests;
