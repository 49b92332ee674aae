//! The deployed form on this machine: `tests/aws` runs the state machine in an interpreter that nobody here wrote, over the
//! real function binaries and the S3 protocol.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, output_of, run};

/// Where the bed and its scenarios are.
const FOLDER: &str = "tests/aws";

/// What a soak does. Without options: every case there is, then random fault runs from seed 1, 30 minutes in all.
#[derive(Args)]
pub(crate) struct Options {
    /// Seed of the first random run; each further run counts one up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to begin new random runs; the other cases, 300 runs against clusters among them, come first
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// Only scenarios or cases with this in their name, once; `random` is the random run of the seed
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// Every scenario once, with the small set of random runs; returns what could not be checked here.
///
/// # Errors
/// When a scenario fails, or something is left behind.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut command = match scenarios(workspace)? {
        Ok(command) => command,
        Err(reason) => return Ok(vec![format!("the deployed form: {reason}")]),
    };
    let skips = judge_tools::folder(workspace).join("skipped-scenarios.txt");
    fs::create_dir_all(judge_tools::folder(workspace))?;
    fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
    run(command.env("SLUICE_SKIPS", &skips))?;
    Ok(fs::read_to_string(&skips)?.lines().map(str::to_owned).collect())
}

/// Random fault runs for some time, or some scenarios once.
///
/// # Errors
/// When a run fails; it names its seed. When this machine cannot run the scenarios.
pub(crate) fn soak(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut command = match scenarios(workspace)? {
        Ok(command) => command,
        Err(reason) => bail!("the scenarios cannot run on this machine: {reason}"),
    };
    command.args(["--soak", "--seed", &options.seed.to_string()]);
    match &options.only {
        Some(name) => command.args(["--only", name, "--seeds", "1", "--minutes", "0"]),
        None => command.args(["--minutes", &options.minutes.to_string()]),
    };
    run(&mut command)
}

/// Cold starts of the release build, as a table; the numbers as JSON in `<target>/bench/cold-starts.json`.
///
/// # Errors
/// When a build or a start fails.
pub(crate) fn cold_starts(workspace: &Workspace, starts: u32) -> Result<()> {
    println!("Building the release binaries: about 25 minutes when it is the first time.");
    run(workspace.cargo().args(["build", "--release", "--workspace", "--bins"]))?;
    let mut command = match script(workspace, "cold_starts.py", &workspace.target().join("release"))? {
        Ok(command) => command,
        Err(reason) => bail!("cold starts cannot be measured on this machine: {reason}"),
    };
    let measured = output_of(command.args(["--starts", &starts.to_string()]))?;
    let functions: Vec<ColdStart> = serde_json::from_slice(&measured).context("what cold_starts.py printed")?;
    println!("\n{starts} cold starts each; times in ms, median and 95th percentile, sizes in MB\n");
    println!(
        "  {:<14} {:>15} {:>15} {:>12} {:>9} {:>8}",
        "function", "first poll", "first event", "peak memory", "program", "zipped"
    );
    for one in &functions {
        let ColdStart { function, first_poll_ms: poll, first_event_ms: event, .. } = one;
        println!(
            "  {function:<14} {:>6.0} / {:>6.0} {:>6.0} / {:>6.0} {:>12.0} {:>9.1} {:>8.1}",
            poll.median, poll.p95, event.median, event.p95, one.peak_memory_mb, one.program_mb, one.zipped_mb
        );
    }
    let report = workspace.target().join("bench/cold-starts.json");
    fs::create_dir_all(workspace.target().join("bench"))?;
    fs::write(&report, measured)?;
    println!("\nNumbers: {}", workspace.shown(&report));
    Ok(())
}

/// What `cold_starts.py` measured of one function.
#[derive(Deserialize)]
struct ColdStart {
    function: String,
    first_poll_ms: Spread,
    first_event_ms: Spread,
    peak_memory_mb: f64,
    program_mb: f64,
    zipped_mb: f64,
}

#[derive(Deserialize)]
struct Spread {
    median: f64,
    p95: f64,
}

/// The command that runs the scenarios, or why they cannot run here.
fn scenarios(workspace: &Workspace) -> Result<Result<Command, String>> {
    script(workspace, "run.py", &workspace.target().join("debug"))
}

/// A script of the bed over the functions of this folder, or why it cannot run here.
pub(crate) fn script(workspace: &Workspace, name: &str, functions: &Path) -> Result<Result<Command, String>> {
    workspace.build_binaries()?;
    let python = match judge_tools::python_with(workspace, &format!("{FOLDER}/requirements.txt"))? {
        Tool::Ready(python) => python,
        Tool::Missing(reason) => return Ok(Err(reason)),
    };
    let mut command = workspace.command(&python);
    command.arg(format!("{FOLDER}/{name}"));
    command.arg("--bed").arg(workspace.target().join("debug/sluice-bed"));
    command.arg("--functions").arg(functions).arg("--sluice").arg(workspace.sluice());
    command.arg("--moto").arg(python.with_file_name("moto_server"));
    command.arg("--emr").arg(workspace.target().join("debug/emr-local"));
    if let Tool::Ready(apis) = judge_tools::apis_python(workspace)? {
        command.env("SLUICE_APIS_PYTHON", apis);
    }
    let assembly = workspace.target().join("cdk/dev");
    if assembly.is_dir() {
        command.env("SLUICE_CDK_ASSEMBLY", assembly);
    }
    Ok(Ok(command))
}
