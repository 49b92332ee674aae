//! Arguments of `sluice init`.

use std::path::PathBuf;

use clap::Args;
use sluice_core::name::{DomainName, PipelineName};
use sluice_core::spec::{TextEncoding, UnknownEncoding};

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
  sluice init export.csv --encoding shift_jis
  sluice init s3://bucket/incoming/orders/                # the newest 20 objects

Then:
  sluice check orders
  sluice run orders --lake lake --landing incoming")]
pub struct InitArguments {
    /// Files, or folders with files, of one kind; on S3, s3://bucket/key, or s3://bucket/folder/ for its newest 20
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
    /// Encoding of CSV files, where it cannot be found: shift_jis, big5, gb18030, euc-kr, koi8-r, iso-8859-2 and others
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub encoding: Option<TextEncoding>,
    /// Replace the files of an existing pipeline
    #[arg(long)]
    pub force: bool,
}

/// The encoding of this label.
fn encoding(label: &str) -> Result<TextEncoding, UnknownEncoding> {
    TextEncoding::try_from(label.trim().to_owned())
}
