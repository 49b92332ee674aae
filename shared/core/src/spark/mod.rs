//! The large engine: a plan as one Spark SQL script, and what Spark answers.
//!
//! The script is complete: it reads the planned objects and the read versions of the tables, stages plain Parquet files in
//! the tables' folders, and last writes what it counted. It commits nothing. Every setting that changes a result is in it,
//! so that it gives the same tables wherever it is run.

pub mod metrics;
pub mod sql;

mod audit;
mod cast;
mod check;
mod compile;
mod error;
mod gold;
mod regex;
mod rules;
mod silver;
mod source;
mod tables;
mod text;

pub use self::check::{CheckError, check};
use self::compile::Compiler;
pub use self::compile::SparkScript;
pub use self::error::SparkError;
pub use self::source::check_format;
use crate::run::{PlannedWork, RunAction};
use crate::uri::FolderUri;

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
