//! Arguments of `sluice profile`.

use clap::Args;

use crate::place::Place;

/// Describe the columns of a file or table: nulls, different values, ranges, lengths, frequent values, patterns
///
/// Reads all of it with bounded memory. A file may have any format that a pipeline reads; how it is written and the
/// types of its columns are found as `sluice init` finds them. Beyond about 50,000 different values in a column their
/// number is an estimate, and said to be one. With --against it shows what has changed since an earlier profile or
/// version.
///
/// A profile contains values of the data: keep it as confidential as the data.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice profile incoming/orders.csv
  sluice profile silver/sales/orders --lake lake --columns amount,ordered_on
  sluice profile incoming/orders.csv --json > monday.json
  sluice profile incoming/orders-2.csv --against monday.json
  sluice profile silver/sales/orders --lake lake --against 12     # an earlier version of the table")]
pub struct ProfileArguments {
    /// A file, or a table such as silver/sales/orders; write ./silver/sales/orders for a file of that name
    #[arg(value_name = "FILE OR TABLE")]
    pub of: String,
    /// The lake of the table
    #[arg(long, env = "SLUICE_LAKE", value_name = "FOLDER OR URL")]
    pub lake: Option<Place>,
    /// Only these columns, with all that is known of them
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Version of the table; the newest by default
    #[arg(long)]
    pub version: Option<u64>,
    /// Show what has changed since this profile, a file that `sluice profile --json` wrote, or since this version of
    /// the table
    #[arg(long, value_name = "FILE OR VERSION")]
    pub against: Option<String>,
}
