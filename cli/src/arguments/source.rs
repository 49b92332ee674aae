//! Arguments of `sluice source`.

use clap::{Subcommand, ValueEnum};
use sluice_core::name::{PipelineName, RunId, SourceName};
use sluice_core::run::Positions;

use super::{LakeOption, PipelineOption};

/// Lists what is left out, releases held source objects, and shows a record of one.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// List the source objects that rejected or failed runs hold back, and what the newest run passed by, with the reasons
    #[command(after_help = "Example:\n  sluice source list --lake lake")]
    List {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
    },
    /// Release held source objects, so that the next run reads them again
    #[command(after_help = "Examples:
  sluice source release 0f343b0931126a20f133d67c2b018a3b --lake lake
  sluice source release --run 20260105T090000Z-a1b2c3 --lake lake")]
    Release {
        /// Ids or addresses of the source objects, as `source list` shows them
        #[arg(value_name = "SOURCE", required_unless_present = "run")]
        sources: Vec<String>,
        /// Release all source objects that this run holds
        #[arg(long, value_name = "RUN ID", conflicts_with = "sources")]
        run: Option<RunId>,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
    },
    /// Show the record of a landing file that a row of bronze, silver or quarantine came from
    ///
    /// A row has the address of its file in `_source_file` and the position of its record in `_source_row`: the number of
    /// the record, or, in a large file of CSV, NDJSON or fixed width that is not packed, the byte at which the record
    /// begins, or, of a record that a replay has split out of a line, its place in the line. A file is read as the run
    /// read it that has stored it, in the version that exists now; one that no run has stored as the newest run of the
    /// pipeline reads files.
    #[command(after_help = "Examples:
  sluice source show 2026-01-05.csv --at 17 --lake lake
  sluice source show s3://my-lake/landing/retail/2026-01-05.csv --at 1043274 --lake s3://my-lake --json
  sluice source show 2026-01-05.csv --at 1043274 --by byte --lake lake")]
    Show {
        /// The file: its address, a path, or its name below the pipeline's landing folder
        #[arg(value_name = "FILE")]
        file: String,
        /// Position of the record, as `_source_row` has it
        #[arg(long, value_name = "N")]
        at: u64,
        /// What the position is; by default what a run with the same spec would write for this file
        #[arg(long, value_name = "KIND")]
        by: Option<PositionKind>,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline that read the file; needed where the lake has runs of several
        #[arg(long, value_name = "NAME")]
        pipeline: Option<PipelineName>,
        /// The source of the pipeline that the file is of; needed where it has several and FILE is in the folder of none
        #[arg(long, value_name = "NAME")]
        source: Option<SourceName>,
    },
}

/// What the position of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PositionKind {
    /// The number of the record, from 1
    Number,
    /// The byte at which it begins, from 0
    Byte,
}

impl From<PositionKind> for Positions {
    fn from(kind: PositionKind) -> Self {
        match kind {
            PositionKind::Number => Self::Numbers,
            PositionKind::Byte => Self::Bytes,
        }
    }
}
