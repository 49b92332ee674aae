//! Arguments of `sluice init`.

use std::path::PathBuf;

use clap::Args;
use sluice_core::name::{DomainName, PipelineName};

/// Write a pipeline for files that you have: how they are written, names, types, keys
///
/// Reads the first 10,000 records of each file (CSV in any usual dialect, NDJSON, JSON, XML, Avro, Parquet, XLSX; texts
/// packed with gzip or zstd, too) and writes pipeline.yaml with one silver table and its contract. It says what it
/// decided and on what evidence; what the files leave open stays text. The list of records in a JSON document is found,
/// and nested objects become columns. The pipeline can run as it is, and comments in it say what you may change.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice init orders.csv                                  # writes the folder `orders`
  sluice init incoming/ --to pipelines/weather --domain science
  sluice init a.csv.gz b.csv.gz --name readings --json

Then:
  sluice check orders
  sluice run orders --lake lake --landing incoming")]
pub struct InitArguments {
    /// Files, or folders with files, of one kind
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Folder to write; by default one in the working folder that is named after the pipeline
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Name of the pipeline and its tables; by default that of the first file, without dates
    #[arg(long, value_name = "NAME")]
    pub name: Option<PipelineName>,
    /// Business domain: the folder above the tables
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub domain: DomainName,
    /// Replace the files of an existing pipeline
    #[arg(long)]
    pub force: bool,
}
