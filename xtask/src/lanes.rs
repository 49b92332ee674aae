//! Two lanes of steps: cargo's, one after the other, and next to them those of other programs (installing judges, npm,
//! Python), which mostly wait or use one core.
//!
//! Cargo's lane has the terminal. The other lane runs each step as a process of its own and prints its lines with the
//! step's name in front.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::judge_tools;
use crate::test_steps::{Outcome, Step, seconds};
use crate::workspace::Workspace;

/// What has happened in both lanes.
#[derive(Default)]
struct Progress {
    outcomes: Vec<Outcome>,
    error: Option<anyhow::Error>,
}

struct Lanes<'w> {
    steps: &'w [Step],
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// Runs these steps. After the first failure no step begins; its error is returned with all outcomes.
///
/// # Errors
/// When this program does not know its own file.
pub(crate) fn run(workspace: &Workspace, steps: &[Step]) -> Result<(Vec<Outcome>, Result<()>)> {
    let lanes = Lanes { steps, progress: Mutex::default(), changed: Condvar::new() };
    // Asked before the build replaces the file.
    let xtask = std::env::current_exe()?;
    let (cargo, others): (Vec<Step>, Vec<Step>) = steps.iter().partition(|step| step.is_cargo());
    if cargo.is_empty() {
        lanes.follow(&others, |step| step.execute(workspace));
    } else {
        thread::scope(|scope| {
            scope.spawn(|| lanes.follow(&others, |step| in_a_process(workspace, &xtask, step)));
            lanes.follow(&cargo, |step| step.execute(workspace));
        });
    }
    let progress = lanes.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((progress.outcomes, progress.error.map_or(Ok(()), Err)))
}

impl Lanes<'_> {
    fn follow(&self, lane: &[Step], execute: impl Fn(Step) -> Result<Vec<String>>) {
        for &step in lane {
            if !self.may_begin(step) {
                return;
            }
            println!("\n=== {} ===", step.title());
            let began = Instant::now();
            let result = execute(step);
            let time = began.elapsed();
            let ended = if result.is_ok() { "passed" } else { "FAILED" };
            println!("--- {}: {ended} after {}", step.title(), seconds(time));
            let mut progress = self.progress();
            let skipped = match result {
                Ok(skipped) => Some(skipped),
                Err(error) => {
                    progress.error.get_or_insert(error);
                    None
                }
            };
            progress.outcomes.push(Outcome { step, time, skipped });
            self.changed.notify_all();
        }
    }

    /// Waits for the steps that this one comes after; false when a step has failed.
    fn may_begin(&self, step: Step) -> bool {
        let mut progress = self.progress();
        loop {
            if progress.error.is_some() {
                return false;
            }
            let has_ended = |step: &Step| progress.outcomes.iter().any(|outcome| outcome.step == *step);
            if step.after().iter().filter(|step| self.steps.contains(step)).all(has_ended) {
                return true;
            }
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a step as `xtask test --only <step>`, and prints its lines with its name in front.
fn in_a_process(workspace: &Workspace, xtask: &Path, step: Step) -> Result<Vec<String>> {
    let name = step.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let skips = judge_tools::folder(workspace).join(format!("skipped-{name}.txt"));
    std::fs::create_dir_all(judge_tools::folder(workspace))?;
    let mut command = Command::new(xtask);
    command.args(["test", "--only", &name, "--skips"]).arg(&skips);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start the step {name}"))?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| forward(output, &name));
        forward(errors, &name);
    });
    let status = child.wait()?;
    if !status.success() {
        bail!("{}; the lines that begin with `{name} |` say why", step.failure());
    }
    Ok(std::fs::read_to_string(&skips)?.lines().map(str::to_owned).collect())
}

fn forward(lines: Option<impl Read>, name: &str) {
    // A pipe that breaks ends with its process, whose exit code counts.
    for line in lines.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
        println!("{name} | {line}");
    }
}
