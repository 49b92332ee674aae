//! Arguments of `sluice lineage`.

use clap::Args;

/// Show which columns a column is computed from, or what is computed from it
///
/// Reads the specs alone: no lake is needed, and nothing runs. What decides which rows a table has (filters, joins, keys) is
/// shown once for each table. Tables of other pipelines end a way, unless the folders of these pipelines are given, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice lineage pipelines/retail daily_revenue.net_revenue
  sluice lineage pipelines/* silver/sales/transactions.quantity --downstream
  sluice lineage pipelines/retail --json                  # every column and edge")]
pub struct LineageArguments {
    /// Folders with pipeline.yaml, then a table or column such as gold/sales/daily_revenue.orders, or daily_revenue.orders.
    /// Without a folder: this one, or those in pipelines/
    #[arg(value_name = "PIPELINE FOLDER | TABLE | TABLE.COLUMN")]
    pub of: Vec<String>,
    /// Show what is computed from it, instead of what it is computed from
    #[arg(long)]
    pub downstream: bool,
}
