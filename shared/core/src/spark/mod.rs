//! The large engine: a plan as one Spark SQL script, and what Spark answers.

pub mod metrics;
pub mod sql;

use crate::run::Plan;
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
}

/// Settings that must be given when the session starts; everything else is set in the script itself.
pub const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension"),
    ("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"),
];

/// The script of a plan, whose tables are in this lake.
///
/// # Errors
/// [`SparkError`] naming the part that is not executed.
pub fn script(_lake: &FolderUri, _plan: &Plan) -> Result<SparkScript, SparkError> {
    let hint = "the compiler is not written yet".to_owned();
    Err(SparkError::NotExecuted { what: "this plan".to_owned(), hint })
}
