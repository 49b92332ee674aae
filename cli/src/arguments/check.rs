//! Arguments of `sluice check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::place::Place;

/// Check a pipeline's spec and contracts without running it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice check pipelines/retail
  sluice check pipelines/retail --lake s3://my-lake/prod # compares with the tables that exist there
  sluice check --schema > pipeline.schema.json           # for editors
  sluice check --schema policy > policy.schema.json")]
pub struct CheckArguments {
    /// Folder with pipeline.yaml and its contracts
    #[arg(value_name = "PIPELINE FOLDER", required_unless_present = "schema")]
    pub folder: Option<PathBuf>,
    /// Also compare with the tables of this lake, and say what the next run refuses
    #[arg(long, value_name = "FOLDER OR URL", conflicts_with = "schema")]
    pub lake: Option<Place>,
    /// Print the JSON Schema of pipeline.yaml, or of product.policy.yaml, instead of checking
    #[arg(long, conflicts_with = "folder", value_name = "DOCUMENT", num_args = 0..=1, default_missing_value = "pipeline")]
    pub schema: Option<SchemaOf>,
}

/// A document that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// `pipeline.yaml`
    Pipeline,
    /// `product.policy.yaml`
    Policy,
}
