//! `cargo xtask bench`: what a whole run costs, compared with two scripts that do the same job on the same file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::bench_apis;
use crate::bench_attackers;
use crate::bench_data::{self, Source};
use crate::bench_formats::{self, Format};
use crate::bench_latency;
use crate::bench_merge;
use crate::bench_sources;
use crate::deployed;
use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, line, output_of};

/// Largest size that is also measured in other formats than CSV, in bytes.
const CONVERTED_BYTES: u64 = 1_000_000_000;

#[derive(Args)]
pub(crate) struct Options {
    /// Size of the file the three jobs are compared on, in 10⁹ bytes.
    #[arg(long, value_parser = bytes_from, default_value = "1")]
    gb: u64,
    /// Sizes at which the peak memory of a run is measured; an empty text leaves this out.
    #[arg(long, value_name = "GB,…", default_value = "0.25,1,4")]
    memory_gb: String,
    /// Formats in which the sizes up to 1 GB are measured in addition to plain CSV.
    #[arg(long, value_delimiter = ',', default_value = "gzip,ndjson,parquet")]
    memory_formats: Vec<Format>,
    /// Times each job runs; the median by wall time counts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// Leave out the comparison, measure memory only.
    #[arg(long)]
    skip_comparison: bool,
    /// Leave pandas out: at 1 GB it needs several GB of memory.
    #[arg(long)]
    skip_pandas: bool,
    /// Measure this many cold starts of every function instead: release build, over the S3 protocol.
    #[arg(long, value_name = "STARTS", value_parser = clap::value_parser!(u32).range(2..))]
    cold_starts: Option<u32>,
    /// Measure instead how many requests to S3 every function of a run sends, by the number of parts; each takes 25 ms.
    #[arg(long, conflicts_with_all = ["cold_starts", "merge", "apis"])]
    latency: bool,
    /// Measure instead what new rows cost that are merged into a table, next to `deltalake` and DuckDB.
    #[arg(long, conflicts_with_all = ["cold_starts", "apis"])]
    merge: bool,
    /// Measure instead what every format and way of writing costs, next to plain CSV.
    #[arg(long, conflicts_with_all = ["cold_starts", "latency", "merge", "apis"])]
    sources: bool,
    /// Measure the HTTP APIs instead: many callers at once on `sluice serve`, compared with DuckDB.
    #[arg(long, conflicts_with = "cold_starts")]
    apis: bool,
    /// Callers at once.
    #[arg(long, requires = "apis", default_value_t = 200)]
    callers: u32,
    /// Seconds for each question.
    #[arg(long, requires = "apis", default_value_t = 60)]
    seconds: u32,
    /// Measure instead what so many of the callers do to the others, when they ask for all that they can get.
    #[arg(long, requires = "apis", value_name = "CALLERS", value_parser = clap::value_parser!(u32).range(1..))]
    attackers: Option<u32>,
}

/// What a command cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall_seconds: f64,
    pub(crate) cpu_seconds: f64,
    peak_memory_bytes: u64,
}

struct Measured {
    job: &'static str,
    cost: Cost,
}

/// A job that is measured several times.
struct Job {
    name: &'static str,
    /// The script of a rival.
    script: Option<&'static str>,
    costs: Vec<Cost>,
}

impl Job {
    /// The median by wall time.
    fn into_measured(mut self) -> Result<Measured> {
        self.costs.sort_by(|one, other| one.wall_seconds.total_cmp(&other.wall_seconds));
        let cost = self.costs.get(self.costs.len() / 2).copied().context("nothing was measured")?;
        Ok(Measured { job: self.name, cost })
    }
}

/// Builds, generates, measures, prints tables and leaves the numbers as JSON in `<target>/bench`.
///
/// # Errors
/// When a job fails, or when the jobs did not compute the same.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(starts) = options.cold_starts {
        return deployed::cold_starts(workspace, starts);
    }
    if options.latency {
        return bench_latency::measure(workspace);
    }
    if let Some(attackers) = options.attackers {
        return bench_attackers::measure(workspace, options.callers, options.seconds, attackers);
    }
    if options.apis {
        return bench_apis::measure(workspace, options.callers, options.seconds);
    }
    let memory_sizes = sizes_from(&options.memory_gb).context("--memory-gb")?;
    let Tool::Ready(python) = judge_tools::python(workspace)? else {
        bail!("the benchmark needs Python 3.11 or newer: it measures the processes and runs the rivals");
    };
    println!("Building the binaries, in the one profile that demo and tests use too.");
    workspace.build_binaries()?;
    let bench = Bench { workspace, python, folder: workspace.target().join("bench") };
    if options.sources {
        return bench_sources::measure(&bench);
    }
    if options.merge {
        let merges = bench_merge::measure(&bench)?;
        return bench.leave("merge.json", &json!({ "logical_cpus": logical_cpus()?, "merges": merges }));
    }
    let comparison = if options.skip_comparison { Value::Null } else { bench.compare(options)? };
    let memory = bench.memory(&memory_sizes, &options.memory_formats)?;
    let report = json!({
        "logical_cpus": logical_cpus()?,
        "comparison": comparison,
        "memory": memory,
    });
    bench.leave("report.json", &report)
}

fn logical_cpus() -> Result<usize> {
    Ok(std::thread::available_parallelism()?.get())
}

pub(crate) struct Bench<'w> {
    workspace: &'w Workspace,
    python: PathBuf,
    folder: PathBuf,
}

impl Bench<'_> {
    pub(crate) fn workspace(&self) -> &Workspace {
        self.workspace
    }

    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// Where everything is that a benchmark makes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the numbers as JSON.
    fn leave(&self, name: &str, report: &Value) -> Result<()> {
        let file = self.folder.join(name);
        fs::create_dir_all(&self.folder)?;
        fs::write(&file, serde_json::to_string_pretty(report)?)?;
        println!("\nNumbers: {}", self.workspace.shown(&file));
        Ok(())
    }

    fn compare(&self, options: &Options) -> Result<Value> {
        let source = self.source(options.gb)?;
        let mut jobs = vec![Job { name: "sluice run", script: None, costs: Vec::new() }];
        let rivals = [("DuckDB script", "duckdb_job.py"), ("pandas script", "pandas_job.py")];
        let rivals = rivals.into_iter().take(if options.skip_pandas { 1 } else { 2 });
        jobs.extend(rivals.map(|(name, script)| Job { name, script: Some(script), costs: Vec::new() }));
        let mut found = None;
        // In turns: a machine that is slow for a while is slow for all of them.
        for _ in 0..options.repeat {
            for job in &mut jobs {
                let cost = self.measure_job(job, &source, &mut found)?;
                job.costs.push(cost);
            }
        }
        let (summary, partitions) = found.context("no job ran")?;
        let measured = jobs.into_iter().map(Job::into_measured).collect::<Result<Vec<_>>>()?;
        println!("\nThe same job on the same {:.2} GB of CSV (all computed {summary}):", gigabytes(source.size_bytes));
        println!(
            "sluice also writes bronze, lineage columns, statistics and Delta logs, and audits before it publishes.\n"
        );
        print_comparison(&measured);
        fs::remove_dir_all(self.folder.join("data"))?;
        let jobs: Vec<Value> = measured.iter().map(|one| one.cost.to_json(one.job)).collect();
        Ok(
            json!({ "source_bytes": source.size_bytes, "partition_columns": partitions, "result": summary, "jobs": jobs }),
        )
    }

    /// Runs a job once; every one has to find what the first has found.
    fn measure_job(&self, job: &Job, source: &Source, found: &mut Option<(Value, Vec<String>)>) -> Result<Cost> {
        let Some(script) = job.script else {
            let cost = self.measure_sluice(source, Path::new("pipelines/retail"))?;
            *found = Some(self.lake_summary()?);
            return Ok(cost);
        };
        let (summary, partitions) = found.as_ref().context("sluice is to run first")?;
        let (cost, theirs) = self.measure_rival(script, source, partitions)?;
        ensure!(
            theirs == *summary,
            "{} computed {theirs}, sluice {summary}: not the same job, so no comparison",
            job.name
        );
        Ok(cost)
    }

    /// Measures runs of these sizes, and compares each with what its plan had estimated.
    fn memory(&self, sizes: &[u64], formats: &[Format]) -> Result<Value> {
        if sizes.is_empty() {
            return Ok(Value::Null);
        }
        let mut measured = Vec::new();
        for size in sizes {
            let source = self.source(*size)?;
            measured.push(self.measure_estimated(&source, Format::Csv)?);
            for format in formats.iter().filter(|format| **format != Format::Csv && *size <= CONVERTED_BYTES) {
                let converted = bench_formats::convert(self.workspace, &self.python, &source, *format, &self.folder)?;
                measured.push(self.measure_estimated(&converted, *format)?);
            }
            fs::remove_dir_all(self.folder.join("data"))?;
        }
        println!("\nPeak memory of `sluice run` by size and format of the input, compared with validate's estimate:\n");
        for run in &measured {
            println!("  {}", run.line());
        }
        println!("\n  Aim: under 1500 MB at 4 GB of CSV, and no estimate below its measurement.");
        fs::remove_dir_all(self.lake())?;
        let low: Vec<String> = measured.iter().filter(|run| run.is_underestimated()).map(EstimatedRun::line).collect();
        ensure!(low.is_empty(), "validate estimated less than these runs needed:\n  {}", low.join("\n  "));
        Ok(measured.iter().map(EstimatedRun::to_json).collect())
    }

    fn measure_estimated(&self, source: &Source, format: Format) -> Result<EstimatedRun> {
        let pipeline = bench_formats::pipeline(self.workspace, format, &self.folder)?;
        let cost = self.measure_sluice(source, &pipeline)?;
        let estimated_bytes = bench_formats::estimated_memory(&self.lake())?;
        let run = EstimatedRun { format, source_bytes: source.size_bytes, cost, estimated_bytes };
        println!("  {}", run.line());
        Ok(run)
    }

    fn source(&self, wanted_bytes: u64) -> Result<Source> {
        println!("Generating {} GB of CSV …", gigabytes(wanted_bytes));
        bench_data::generate(self.workspace, &self.folder.join("data"), wanted_bytes)
    }

    fn lake(&self) -> PathBuf {
        self.folder.join("lake")
    }

    fn measure_sluice(&self, source: &Source, pipeline: &Path) -> Result<Cost> {
        let lake = self.lake();
        empty(&lake)?;
        let mut command = self.workspace.command(self.workspace.sluice());
        command.arg("run").arg(pipeline).arg("--lake").arg(&lake).arg("--landing").arg(source.folder());
        // Whatever the estimate says: what is measured here is this engine.
        command.args(["--engine", "lambda"]);
        self.measure("sluice", &command)
    }

    fn measure_rival(&self, script: &str, source: &Source, partitions: &[String]) -> Result<(Cost, Value)> {
        let out = self.folder.join("rival");
        empty(&out)?;
        let mut command = self.workspace.command(&self.python);
        command.arg(self.workspace.root().join("bench").join(script)).arg("--source").arg(&source.file);
        command.arg("--out").arg(&out).arg("--partition-by").args(partitions);
        let cost = self.measure(script, &command)?;
        let last = self.last_line(script)?;
        let summary = serde_json::from_str(&last).with_context(|| format!("{script} printed no summary: {last}"))?;
        empty(&out)?;
        Ok((cost, summary))
    }

    /// Runs a command under `bench/measure.py`: only the kernel's accounting at the process's end has its true peak.
    pub(crate) fn measure(&self, name: &str, command: &Command) -> Result<Cost> {
        println!("$ {}", line(command));
        fs::create_dir_all(&self.folder)?;
        let cost = self.folder.join(format!("{name}.cost.json"));
        let log = self.log(name);
        let mut measure = self.workspace.command(&self.python);
        measure.arg(self.workspace.root().join("bench/measure.py")).arg("--out").arg(&cost).arg("--log").arg(&log);
        measure.arg("--").arg(command.get_program()).args(command.get_args());
        if let Err(error) = output_of(&mut measure) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(error.context(format!("`{}` failed and said:\n{said}", line(command))));
        }
        let cost = Cost::from_json(&serde_json::from_slice(&fs::read(&cost)?)?)?;
        println!("  {:.1} s wall, {:.1} s CPU, peak {:.0} MB", cost.wall_seconds, cost.cpu_seconds, cost.megabytes());
        Ok(cost)
    }

    /// The last line that a measured command has printed.
    pub(crate) fn last_line(&self, name: &str) -> Result<String> {
        let printed = fs::read_to_string(self.log(name))?;
        Ok(printed.lines().next_back().unwrap_or_default().to_owned())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// What the run left in the lake, in the words of the rivals, and the columns silver is partitioned by.
    fn lake_summary(&self) -> Result<(Value, Vec<String>)> {
        let mut command = self.workspace.command(&self.python);
        command.arg(self.workspace.root().join("bench/lake_summary.py")).arg("--lake").arg(self.lake());
        let printed: Value = serde_json::from_slice(&output_of(&mut command)?)?;
        let columns = printed
            .get("partition_columns")
            .and_then(Value::as_array)
            .context("lake_summary.py named no partition columns")?;
        // A lineage column has one value in a single run: it splits nothing, and the rivals have none.
        let names = columns.iter().filter_map(Value::as_str).filter(|name| !name.starts_with('_'));
        let summary = printed.get("summary").cloned().context("lake_summary.py printed no summary")?;
        Ok((summary, names.map(str::to_owned).collect()))
    }
}

impl Cost {
    fn from_json(cost: &Value) -> Result<Self> {
        let number = |key: &str| {
            cost.get(key).and_then(Value::as_f64).with_context(|| format!("measure.py wrote no {key}: {cost}"))
        };
        Ok(Self {
            wall_seconds: number("wall_seconds")?,
            cpu_seconds: number("user_seconds")? + number("system_seconds")?,
            peak_memory_bytes: cost
                .get("peak_memory_bytes")
                .and_then(Value::as_u64)
                .context("measure.py wrote no peak_memory_bytes")?,
        })
    }

    pub(crate) fn to_json(self, job: &str) -> Value {
        json!({
            "job": job,
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
        })
    }

    pub(crate) fn megabytes(self) -> f64 {
        self.peak_memory_bytes as f64 / 1e6
    }
}

/// Sizes in bytes from a list of decimal GB.
fn sizes_from(list: &str) -> Result<Vec<u64>> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(bytes_from).collect()
}

/// A decimal number of GB (10⁹ bytes), to the megabyte, as bytes.
fn bytes_from(gigabytes: &str) -> Result<u64> {
    let (whole, fraction) = gigabytes.split_once('.').unwrap_or((gigabytes, ""));
    let digits = |text: &str| text.chars().all(|digit| digit.is_ascii_digit());
    let megabytes = match (whole.len(), fraction.len()) {
        (1..=4, 0..=3) if digits(whole) && digits(fraction) => format!("{whole}{fraction:0<3}").parse::<u64>()?,
        _ => 0,
    };
    ensure!(megabytes > 0, "'{gigabytes}' is no size in GB: write it like 1 or 0.25, down to 0.001");
    Ok(megabytes * 1_000_000)
}

fn print_comparison(measured: &[Measured]) {
    let Some(base) = measured.first().map(|one| one.cost) else {
        return;
    };
    println!(
        "  {:<14} {:>9} {:>9} {:>10}   {:>9} {:>9} {:>9}",
        "job", "wall s", "CPU s", "peak MB", "wall ×", "CPU ×", "memory ×"
    );
    for Measured { job, cost } in measured {
        println!(
            "  {job:<14} {:>9.1} {:>9.1} {:>10.0}   {:>9.2} {:>9.2} {:>9.2}",
            cost.wall_seconds,
            cost.cpu_seconds,
            cost.megabytes(),
            cost.wall_seconds / base.wall_seconds,
            cost.cpu_seconds / base.cpu_seconds,
            cost.megabytes() / base.megabytes(),
        );
    }
    println!("\n  × is that job's cost divided by that of sluice: above 1, sluice is cheaper.");
    println!("  Aim: wall × at least 1 for DuckDB and 10 for pandas.");
}

/// A measured run, and what its plan had estimated.
struct EstimatedRun {
    format: Format,
    source_bytes: u64,
    cost: Cost,
    estimated_bytes: u64,
}

impl EstimatedRun {
    fn is_underestimated(&self) -> bool {
        self.estimated_bytes < self.cost.peak_memory_bytes
    }

    fn line(&self) -> String {
        format!(
            "{:>6.2} GB {:<8} peak {:>6.0} MB, estimated {:>6.0} MB, {:>7.1} s wall",
            gigabytes(self.source_bytes),
            self.format.as_str(),
            self.cost.megabytes(),
            self.estimated_bytes as f64 / 1e6,
            self.cost.wall_seconds
        )
    }

    fn to_json(&self) -> Value {
        json!({
            "format": self.format.as_str(),
            "source_bytes": self.source_bytes,
            "estimated_memory_bytes": self.estimated_bytes,
            "cost": self.cost.to_json("sluice run"),
        })
    }
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

pub(crate) fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot empty {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::sizes_from;

    fn check(list: &str, expected: Option<&[u64]>) {
        assert_eq!(sizes_from(list).ok().as_deref(), expected, "{list}");
    }

    #[test]
    fn sizes_are_decimal_gigabytes_above_zero() {
        check("0.25,1, 4", Some(&[250_000_000, 1_000_000_000, 4_000_000_000]));
        check("0.001", Some(&[1_000_000]));
        check("", Some(&[]));
        for refused in ["1,-1", "1,big", "0", "0.0001", ".5", "1e3", "99999"] {
            check(refused, None);
        }
    }
}
