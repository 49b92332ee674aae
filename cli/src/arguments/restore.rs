//! Arguments of `sluice restore`.

use clap::Args;
use jiff::Timestamp;

use super::LakeOption;
use crate::place::Place;

/// Restore the tables of a damaged lake to a consistent point
///
/// Checks every version of every table and the files it needs, and shows the newest versions that are consistent: each run is kept
/// either in all of its tables or in none of them. With --yes, later entries of the table logs are moved to restores/ in the lake. The
/// next run then reads what the tables lack from the landing folder again. Before you restore, stop whatever starts runs; start it
/// again afterwards.
///
/// To promote a copy of a lake in another bucket, such as a replica, give the address of the original with --was. The tables then
/// record the addresses that the delivered files have in the copy, so that no file is read a second time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice restore --lake s3://my-lake                                    # show what would be done
  sluice restore --lake s3://my-lake --yes
  sluice restore --lake s3://my-lake --at 2026-01-31T12:00:00Z --yes    # drop what was committed later
  sluice restore --lake s3://my-replica --was s3://my-lake --yes")]
pub struct RestoreArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Drop everything that was committed after this instant
    #[arg(long, value_name = "INSTANT")]
    pub at: Option<Timestamp>,
    /// Address of the original, when this lake is a copy of it
    #[arg(long, value_name = "ADDRESS")]
    pub was: Option<Place>,
    /// Change the lake; without this option the command only shows what it would do
    #[arg(long)]
    pub yes: bool,
}
