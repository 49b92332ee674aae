//! The large engine: one Spark SQL script that combines what was read of a plan, and what Spark answers.
//!
//! Source objects are read, typed and checked in Rust, at any size: Spark never sees them. The script is complete: it reads
//! the staged rows and the read versions of the tables, stages plain Parquet files in the tables' folders, and last writes
//! what it counted. It commits nothing. Every setting that changes a result is in it, so that it gives the same tables
//! wherever it is run.

pub mod metrics;
pub mod sql;

mod audit;
mod check;
mod compile;
mod error;
mod files;
mod gold;
mod history;
mod read;
mod regex;
mod rules;
mod silver;
mod tables;
mod text;

use sluice_core::run::{PlannedWork, RunAction};
use sluice_core::uri::FolderUri;

pub use self::check::resolve;
use self::compile::Compiler;
pub use self::compile::SparkScript;
pub use self::error::SparkError;
pub use self::read::{ReadFiles, RowsFile, TableFiles};

/// What a script is for: a plan, and what was read of it.
#[derive(Clone, Copy)]
struct ReadRows<'a> {
    /// The lake's root.
    lake: &'a FolderUri,
    /// The plan's work.
    plan: PlannedWork<'a>,
    /// What was read.
    read: &'a ReadFiles,
}

/// Settings that must be given when the session starts; everything else is set in the script itself.
pub const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension"),
    ("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"),
    // The script's own tables are for this session alone: no metastore has to know them.
    ("spark.sql.catalogImplementation", "in-memory"),
];

/// The script that combines what was read of a plan, whose tables are in this lake.
///
/// # Errors
/// [`SparkError`] naming the part that is not executed.
pub fn script(lake: &FolderUri, plan: PlannedWork<'_>, read: &ReadFiles) -> Result<SparkScript, SparkError> {
    if plan.request.action == RunAction::Replay {
        return Err(SparkError::NotExecuted {
            what: "a replay".to_owned(),
            hint: "it reads the quarantine alone, which fits the engine lambda".to_owned(),
        });
    }
    Compiler::new(ReadRows { lake, plan, read }).compile()
}

#[cfg(test)]
mod tests;
