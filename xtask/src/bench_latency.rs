//! `cargo xtask bench --latency`: requests to S3 and wall time of every function of a run in the deployed form, with a
//! slower S3. What a part costs must not depend on how many parts the run has.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::deployed;
use crate::workspace::{Workspace, output_of};

/// How much later S3 answers: what a small request to S3 takes.
const LATENCY_MS: u64 = 25;

/// Runs of more and more parts, as a table; the numbers as JSON in `<target>/bench/latency.json`.
///
/// # Errors
/// When the build or a run fails.
pub(crate) fn measure(workspace: &Workspace) -> Result<()> {
    let mut command = match deployed::script(workspace, "latency.py", &workspace.target().join("debug"))? {
        Ok(command) => command,
        Err(reason) => bail!("requests to S3 cannot be measured on this machine: {reason}"),
    };
    println!("Runs of up to 100 parts, in two write modes: about 2 minutes.");
    let measured = output_of(command.args(["--latency-ms", &LATENCY_MS.to_string()]))?;
    let runs: Vec<MeasuredRun> = serde_json::from_slice(&measured).context("what latency.py printed")?;
    print(&runs);
    let report = workspace.target().join("bench/latency.json");
    fs::create_dir_all(workspace.target().join("bench"))?;
    fs::write(&report, measured)?;
    println!("\nNumbers: {}", workspace.shown(&report));
    Ok(())
}

fn print(runs: &[MeasuredRun]) {
    let at_once = runs.first().map_or(0, |run| run.at_once);
    println!("\nRequests to S3 and wall time, {LATENCY_MS} ms for each request, {at_once} parts at once.");
    println!("Of several calls: fewest and most requests, kinds of the call with most, median and longest time.\n");
    println!(
        "  {:<7} {:>5}  {:<15} {:>5} {:>11}   {:>5} {:>5} {:>5} {:>5} {:>6} {:>17}",
        "mode", "parts", "step", "calls", "requests", "GET", "HEAD", "LIST", "PUT", "DELETE", "wall ms"
    );
    for run in runs {
        for step in &run.steps {
            println!("{}", run.line(&step.step, step.calls, &step.total(), &step.requests, &step.wall()));
        }
        let calls = run.steps.iter().map(|step| step.calls).sum();
        let (total, wall) = (run.requests.total.to_string(), run.wall_ms.to_string());
        println!("{}\n", run.line("the whole run", calls, &total, &run.requests, &wall));
    }
    println!("  Aim: the requests of a part do not grow with the number of parts.");
}

/// What `latency.py` measured of one run.
#[derive(Deserialize)]
struct MeasuredRun {
    mode: String,
    parts: u32,
    at_once: u32,
    wall_ms: u64,
    requests: Requests,
    steps: Vec<Step>,
}

impl MeasuredRun {
    fn line(&self, step: &str, calls: u32, total: &str, requests: &Requests, wall: &str) -> String {
        let Self { mode, parts, .. } = self;
        let Requests { get, head, list, put, delete, .. } = requests;
        format!(
            "  {mode:<7} {parts:>5}  {step:<15} {calls:>5} {total:>11}   {get:>5} {head:>5} {list:>5} {put:>5} \
             {delete:>6} {wall:>17}"
        )
    }
}

#[derive(Deserialize)]
struct Requests {
    total: u32,
    get: u32,
    head: u32,
    list: u32,
    put: u32,
    delete: u32,
}

/// The calls of one step.
#[derive(Deserialize)]
struct Step {
    step: String,
    calls: u32,
    fewest_requests: u32,
    /// Of the call that sent the most.
    requests: Requests,
    median_ms: f64,
    longest_ms: u64,
}

impl Step {
    fn total(&self) -> String {
        let (fewest, most) = (self.fewest_requests, self.requests.total);
        if fewest == most { most.to_string() } else { format!("{fewest} – {most}") }
    }

    fn wall(&self) -> String {
        let (median, longest) = (self.median_ms, self.longest_ms);
        if self.calls == 1 { longest.to_string() } else { format!("{median:.0} / {longest}") }
    }
}
