//! Commands and options.

mod alerts;
mod check;
mod cost;
mod doctor;
mod init;
mod lineage;
mod openlineage;
mod profile;
mod restore;
mod share;
mod shell;
mod source;
mod ui;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;
use sluice_core::access::Principal;
use sluice_core::engine::EnginePreference;
use sluice_core::name::{PipelineName, RunId, TableRef};
use sluice_core::uri::ObjectUri;
use url::Url;

pub use self::alerts::AlertsCommand;
pub use self::check::{CheckArguments, SchemaOf};
pub use self::cost::{CostArguments, Month, MonthError};
pub use self::doctor::DoctorArguments;
pub use self::init::InitArguments;
pub use self::lineage::LineageArguments;
pub use self::openlineage::{OpenLineageOption, OpenLineageSetting};
pub use self::profile::ProfileArguments;
pub use self::restore::RestoreArguments;
pub use self::share::{Lifetime, MAX_TOKEN_DAYS, ShareCommand};
pub use self::shell::{CompletionsArguments, ManArguments};
pub use self::source::{PositionKind, SourceCommand};
pub use self::ui::UiArguments;
pub use self::watch::{Span, SpanError, WatchArguments};
use crate::place::Place;
use crate::sample::{MAX_DAYS, MAX_ROWS_PER_DAY, Share};

const EXAMPLES: &str = "\
Examples:
  sluice init orders.csv --to pipelines/orders
  sluice profile orders.csv
  sluice sample landing --start 2026-01-05 --days 5
  sluice check pipelines/retail
  sluice run pipelines/retail --lake lake --landing landing
  sluice table list --lake lake
  sluice doctor --lake lake

Exit codes:
  0  done; a run was published, or skipped because nothing was new
  1  failed
  2  the command was used wrongly
  3  rejected by the quality gate: nothing was published
  130  stopped with Ctrl-C; the next run completes what was begun";

/// Turn raw files into audited, published Delta tables
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 110)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON on standard output, errors too
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the variants' documentation is the help text of the types they hold")]
pub enum Command {
    Sample(SampleArguments),
    Serve(ServeArguments),
    Ui(UiArguments),
    #[command(hide = true)]
    ServeWorker(WorkerArguments),
    Init(InitArguments),
    Profile(ProfileArguments),
    Check(CheckArguments),
    Lineage(LineageArguments),
    Deploy(DeployArguments),
    Run(RunArguments),
    Watch(WatchArguments),
    /// List and show runs, or publish a rejected one on your responsibility
    #[command(subcommand)]
    Runs(RunsCommand),
    Cost(CostArguments),
    /// List the channels for alerts, and try one
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Create and revoke the tokens that others read data products with
    #[command(subcommand)]
    Share(ShareCommand),
    /// List what runs leave out of landing folders, release source objects that are held back, and show a record of one
    #[command(subcommand)]
    Source(SourceCommand),
    /// List and show tables
    #[command(subcommand)]
    Table(TableCommand),
    Restore(RestoreArguments),
    /// Show quarantined rows, or re-validate them against the current contracts
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    Doctor(DoctorArguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// Generate daily retail files that look like real ones, with some broken lines
///
/// The files have the columns of the UCI "Online Retail" data set and its quirks: cancellations, repeated lines, missing
/// customers. The same options always give the same bytes, and another call can add more days later.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice sample landing --start 2026-01-05 --days 5
  sluice sample landing --start 2026-01-10 --dirt 0.35 --seed 9
  sluice sample big --start 2026-01-05 --rows 11000000    # about 1 GB")]
pub struct SampleArguments {
    /// Folder for the files; created if it does not exist
    #[arg(value_name = "FOLDER", required_unless_present = "out")]
    pub folder: Option<PathBuf>,
    /// The same folder, given as an option
    #[arg(long, value_name = "FOLDER", conflicts_with = "folder")]
    pub out: Option<PathBuf>,
    /// Date of the first file
    #[arg(long, default_value = "2026-01-05", value_name = "YYYY-MM-DD")]
    pub start: Date,
    /// Number of files, one per day
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    pub days: u32,
    /// Rows per file
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..=MAX_ROWS_PER_DAY))]
    pub rows: u64,
    /// Seed of the random data: another seed gives other sales
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Fraction of the lines that break an error rule, from 0 to 1
    #[arg(long, default_value = "0.01", value_name = "SHARE")]
    pub dirt: Share,
    /// Replace existing files whose content differs
    #[arg(long)]
    pub force: bool,
}

/// Deploy a pipeline and its data products into a lake
///
/// Runs every check of `sluice check` first. Deploying the same folder again changes nothing. A product whose files were removed
/// from the folder is deregistered. New policies apply to callers within seconds.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice deploy pipelines/retail --lake lake
  sluice deploy pipelines/retail --lake s3://my-lake --json")]
pub struct DeployArguments {
    /// Folder with pipeline.yaml, its contracts, and a .odps.yaml and .policy.yaml for each data product
    #[arg(value_name = "PIPELINE FOLDER")]
    pub folder: PathBuf,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
}

/// Run a pipeline: turn its new files into audited, published tables
///
/// Executes the same state machine as a deployment, with its functions in this process.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice run pipelines/retail --lake lake --landing landing
  sluice run pipelines/retail --lake s3://my-lake --json
  sluice run pipelines/weather --lake lake --with-downstream    # then pipelines/flights, which reads its table
  sluice run --event arrived.json --lake lake
  sluice run pipelines/retail --lake lake --functions http://127.0.0.1:9000

A run that was killed or failed needs no repair: the next run adds what is missing. The same --run-id continues the
same run.")]
pub struct RunArguments {
    /// Folder with pipeline.yaml and its contracts
    #[arg(value_name = "PIPELINE FOLDER", required_unless_present = "event")]
    pub folder: Option<PathBuf>,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Read new files from this folder or s3:// address instead of the lake's own landing prefix; of a pipeline with
    /// `sources`, from the folder of each source's name in it
    #[arg(long, value_name = "FOLDER OR URL")]
    pub landing: Option<Place>,
    /// Take only this source object of the landing folder, by its address as `source list` shows it; may be repeated
    #[arg(long, value_name = "ADDRESS", conflicts_with = "event")]
    pub object: Vec<ObjectUri>,
    /// Engine of this run; overrides the spec: lambda (or polars) in this process, emr (or spark) on the Spark that is
    /// installed here; auto chooses by size
    #[arg(long, value_name = "ENGINE", conflicts_with = "event")]
    pub engine: Option<EnginePreference>,
    /// Id of the run; an existing run is continued
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// Start from this event instead: an S3 "Object Created" event, or a request as schedules send it. Spec and files are
    /// those in the lake unless the request names others
    #[arg(long, value_name = "FILE", conflicts_with_all = ["folder", "landing"])]
    pub event: Option<PathBuf>,
    /// Run the pipelines of the folders next to this one afterwards that read a table which the run has changed, each after
    /// those that it reads, and once
    #[arg(long, conflicts_with_all = ["event", "trace"])]
    pub with_downstream: bool,
    /// Call the functions at this Lambda endpoint, such as `cargo lambda watch`, instead of in this process. They must be
    /// configured with the same SLUICE_LAKE
    #[arg(long, value_name = "URL")]
    pub functions: Option<Url>,
    /// Write every event of the execution, with inputs and outputs, to this file
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Events of OpenLineage.
    #[command(flatten)]
    pub openlineage: OpenLineageOption,
}

/// Serve the HTTP APIs and the console on this machine: runs, data products, SQL, Delta Sharing
///
/// Serves the same routes as the functions submit and data-product on AWS, on 127.0.0.1 only. Callers authenticate with bearer
/// tokens (`sluice share create`); with --as, calls without a token are made as that principal. Policies of products and `runs` of specs
/// decide what each caller may do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice serve --lake lake
  sluice serve --lake lake --as arn:aws:iam::123456789012:role/analyst
  sluice serve --lake lake --port 9000 --audit audit.jsonl
  curl http://127.0.0.1:8080/data-products        # in another terminal")]
pub struct ServeArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Principal of calls without a token, as policies name it
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub caller: Option<Principal>,
    /// Append one JSON line per access to this file
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
}

/// Answer questions of `sluice serve`, which starts this by itself
#[derive(Debug, Args)]
pub struct WorkerArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Most bytes of addresses of this process
    #[arg(long)]
    pub address_bytes: u64,
    /// Most seconds of the processor
    #[arg(long)]
    pub cpu_seconds: u64,
}

/// The lake option, shared by all commands.
#[derive(Debug, Args)]
pub struct LakeOption {
    /// Folder, or file:// or s3:// address, of the lake
    #[arg(long = "lake", env = "SLUICE_LAKE", value_name = "FOLDER OR URL")]
    pub place: Place,
}

/// The option that limits a command to one pipeline.
#[derive(Debug, Args)]
pub struct PipelineOption {
    /// Only this pipeline
    #[arg(long = "pipeline", value_name = "NAME")]
    pub name: Option<PipelineName>,
}

/// Lists, shows and accepts runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the newest runs, and which source objects are held back and why
    #[command(after_help = "Example:\n  sluice runs list --lake lake")]
    List {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
        /// Maximum number of runs to list
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show a run: its plan, what it staged, the verdict, and what was published
    #[command(after_help = "Example:\n  sluice runs show 20260105T090000Z-a1b2c3 --lake lake")]
    Show {
        /// Id of the run
        #[arg(value_name = "RUN ID")]
        run_id: RunId,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
    },
    /// Show a run as a page: its outcome, times, tables, rules, sources and lineage, in one HTML file
    ///
    /// The page that is stored with the run, or, where the run has none, one that is made of its documents. Without options
    /// it is printed.
    #[command(after_help = "Examples:
  sluice runs report 20260105T090000Z-a1b2c3 --lake lake --open
  sluice runs report 20260105T090000Z-a1b2c3 --lake s3://my-lake --out report.html")]
    Report {
        /// Id of the run
        #[arg(value_name = "RUN ID")]
        run_id: RunId,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
        /// Open it in the browser: the one that BROWSER names, or the one of this machine
        #[arg(long)]
        open: bool,
        /// Write it to this file, in place of one that exists
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the OpenLineage events of a run that has ended, one JSON object a line, or send them
    ///
    /// The events that are kept with the run, or, where it has none, those that are made of its documents. They are the same
    /// each time, so sending them again adds nothing to a catalogue.
    #[command(
        name = "openlineage",
        after_help = "Examples:
  sluice runs openlineage 20260105T090000Z-a1b2c3 --lake lake
  sluice runs openlineage 20260105T090000Z-a1b2c3 --lake lake --send --openlineage https://host/api/v1/lineage"
    )]
    OpenLineage {
        /// Id of the run
        #[arg(value_name = "RUN ID")]
        run_id: RunId,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
        /// Send them instead of printing them
        #[arg(long)]
        send: bool,
        /// Where they go.
        #[command(flatten)]
        openlineage: OpenLineageOption,
    },
    /// Publish what a rejected run staged, on your responsibility
    #[command(after_help = "Example:
  sluice runs accept 20260105T090000Z-a1b2c3 --lake lake --reason \"supplier confirmed the returns\"")]
    Accept {
        /// Id of the rejected run
        #[arg(value_name = "RUN ID")]
        run_id: RunId,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// The pipeline.
        #[command(flatten)]
        pipeline: PipelineOption,
        /// Reason; recorded in the verdict
        #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
        reason: String,
        /// Name of the person who accepts; recorded in the verdict
        #[arg(long, env = "USER", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        by: String,
        /// Events of OpenLineage.
        #[command(flatten)]
        openlineage: OpenLineageOption,
    },
}

/// Lists and shows tables.
#[derive(Debug, Subcommand)]
pub enum TableCommand {
    /// List all tables with version, rows and size
    #[command(after_help = "Example:\n  sluice table list --lake lake")]
    List {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
    },
    /// Show a table's columns
    #[command(after_help = "Example:\n  sluice table show silver/sales/transactions --lake lake")]
    Show {
        /// The table, such as silver/sales/transactions
        table: TableRef,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Version to show; the newest by default
        #[arg(long)]
        version: Option<u64>,
    },
    /// Show the first rows of a table
    ///
    /// With --json each row is a line. Decimals are texts with all their digits; doubles that JSON has no number for are the
    /// texts "NaN", "Infinity" and "-Infinity".
    #[command(after_help = "Example:\n  sluice table head gold/sales/daily_revenue --lake lake --rows 5")]
    Head {
        /// The table, such as gold/sales/daily_revenue
        table: TableRef,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Maximum number of rows to show
        #[arg(long, default_value_t = 10)]
        rows: u32,
        /// Version to show; the newest by default
        #[arg(long)]
        version: Option<u64>,
    },
    /// List a table's versions, newest first
    #[command(after_help = "Example:\n  sluice table history silver/sales/transactions --lake lake")]
    History {
        /// The table, such as silver/sales/transactions
        table: TableRef,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Maximum number of versions to list
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
}

/// Lists, shows and replays quarantined rows.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List the quarantine tables and the rules their rows broke
    #[command(after_help = "Example:\n  sluice quarantine list --lake lake")]
    List {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
    },
    /// Show quarantined rows: their source, the rules they broke, and their raw text
    #[command(after_help = "Example:
  sluice quarantine show quarantine/sales/transactions --lake lake --rule quantity.readable")]
    Show {
        /// The quarantine table
        table: TableRef,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Only rows that broke this rule
        #[arg(long)]
        rule: Option<String>,
        /// Maximum number of rows to show
        #[arg(long, default_value_t = 10)]
        rows: usize,
    },
    /// Re-validate quarantined rows against the current contracts, in a run of its own
    #[command(after_help = "Example:\n  sluice quarantine replay pipelines/retail --lake lake")]
    Replay {
        /// Folder with pipeline.yaml and its contracts
        #[arg(value_name = "PIPELINE FOLDER")]
        folder: PathBuf,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Id of the run; an existing run is continued
        #[arg(long, value_name = "ID")]
        run_id: Option<RunId>,
        /// Events of OpenLineage.
        #[command(flatten)]
        openlineage: OpenLineageOption,
    },
}

#[cfg(test)]
mod tests;
