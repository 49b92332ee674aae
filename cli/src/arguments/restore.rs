//! Arguments of `sluice restore`.

use clap::Args;
use jiff::Timestamp;

use super::LakeOption;
use crate::place::Place;

/// Set the tables of a damaged lake back to a point that they had together
///
/// Reads every version of every table, checks the files it needs, and shows the newest versions that fit together: every run is kept in
/// all its tables or in none. With --yes, later entries of the tables' logs are moved to restores/ in the lake. What the tables lack
/// then is taken from the landing folder by the next run. Stop what starts runs before, and start it again after.
///
/// A copy of a lake in another bucket, such as a replica, is promoted with --was: its tables learn the addresses that the delivered
/// files have in the copy, so that no file is ingested again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice restore --lake s3://my-lake                                    # shows what would be done
  sluice restore --lake s3://my-lake --yes
  sluice restore --lake s3://my-lake --at 2026-01-31T12:00:00Z --yes    # nothing that was committed later
  sluice restore --lake s3://my-replica --was s3://my-lake --yes")]
pub struct RestoreArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Keep nothing that was committed after this instant
    #[arg(long, value_name = "INSTANT")]
    pub at: Option<Timestamp>,
    /// Address of the lake that this one is a copy of
    #[arg(long, value_name = "ADDRESS")]
    pub was: Option<Place>,
    /// Do it; without, it is only shown
    #[arg(long)]
    pub yes: bool,
}
