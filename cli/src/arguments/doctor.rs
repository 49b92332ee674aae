//! Arguments of `sluice doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::place::Place;

/// Check this machine, a lake and pipelines, and say how to fix what is wrong
///
/// Checks memory, temporary files and the disk; whether the lake can be reached, read and written, and whether its store
/// creates an object only once, with a small object below `doctor/` that it deletes again; then runs, tables, source objects,
/// quarantine, deployed pipelines and policies. Nothing else is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice doctor
  sluice doctor --lake lake pipelines/retail
  sluice doctor --lake s3://my-lake --read-only
  sluice doctor --lake s3://my-lake --json

Exit codes:
  0  nothing is wrong; warnings are no problems
  1  at least one problem
  2  the command was used wrongly

Of a large lake, the newest runs and the first tables are checked; a line says what was not.")]
pub struct DoctorArguments {
    /// Folders with pipeline.yaml and its contracts
    #[arg(value_name = "PIPELINE FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Folder, or file:// or s3:// address, of the lake
    #[arg(long, env = "SLUICE_LAKE", value_name = "FOLDER OR URL")]
    pub lake: Option<Place>,
    /// Write nothing into the lake, not even the small object that shows whether it can be written
    #[arg(long, requires = "lake")]
    pub read_only: bool,
}
