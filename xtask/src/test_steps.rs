//! `cargo xtask test`: everything CI checks, in one build profile.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::cdk;
use crate::deployed;
use crate::judge_tools::{self, Tool};
use crate::spark_tools;
use crate::state_machine;
use crate::workspace::{Workspace, run as run_command};

#[derive(Args)]
pub(crate) struct Options {
    /// Run this step only (may be repeated). Steps keep their order.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    Format,
    Clippy,
    Judges,
    Build,
    Tests,
    Docs,
    StateMachine,
    Cdk,
    Deployed,
}

impl Step {
    fn title(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Clippy => "clippy, warnings denied",
            Self::Judges => "third-party judges",
            Self::Build => "build of the binaries",
            Self::Tests => "all tests",
            Self::Docs => "documentation",
            Self::StateMachine => "state machine lint",
            Self::Cdk => "the CDK app",
            Self::Deployed => "the deployed form",
        }
    }

    /// What to do when the step fails.
    fn remedy(self) -> &'static str {
        match self {
            Self::Format => "run `cargo fmt --all`",
            Self::Clippy => "fix the lints above; `cargo xtask test --only clippy` checks again",
            Self::Judges => "the pins are in tests/judges; `cargo xtask test --only judges` tries again",
            Self::Build => "fix the compile errors above",
            Self::Tests => {
                "`cargo test -p <crate> <name>` runs one test; `cargo xtask test --only tests` runs them all"
            }
            Self::Docs => "fix the rustdoc warnings above; `cargo xtask test --only docs` checks again",
            Self::StateMachine => "fix statemachines/*.asl.json; `cargo xtask test --only state-machine` checks again",
            Self::Cdk => "`npm run lint|types|test` in cdk/ run its parts; `cargo xtask test --only cdk` runs it all",
            Self::Deployed => {
                "`cargo xtask soak --only NAME` runs one scenario of tests/aws again, `--seed N` one random run"
            }
        }
    }
}

/// How a step ended, with what it could not check on this machine.
struct Outcome {
    step: Step,
    time: Duration,
    skipped: Vec<String>,
}

/// Runs the steps in order and stops at the first failure.
///
/// # Errors
/// Names the failed step and what to do about it.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let wanted = |step: &&Step| options.only.is_empty() || options.only.contains(step);
    let steps = TestSteps { workspace, python: RefCell::new(None) };
    let mut outcomes = Vec::new();
    for step in Step::value_variants().iter().filter(wanted) {
        println!("\n=== {} ===", step.title());
        let started = Instant::now();
        let result = steps.execute(*step);
        let time = started.elapsed();
        match result {
            Ok(skipped) => {
                println!("--- {}: passed in {}", step.title(), seconds(time));
                outcomes.push(Outcome { step: *step, time, skipped });
            }
            Err(error) => {
                print_summary(&outcomes);
                println!("  {:<28} {:>9}  FAILED", step.title(), seconds(time));
                return Err(error.context(format!("step `{}` failed: {}", step.title(), step.remedy())));
            }
        }
    }
    print_summary(&outcomes);
    Ok(())
}

struct TestSteps<'w> {
    workspace: &'w Workspace,
    /// Looked for once, by the first step that needs it.
    python: RefCell<Option<Tool>>,
}

impl TestSteps<'_> {
    /// Runs one step; returns what it could not check on this machine.
    fn execute(&self, step: Step) -> Result<Vec<String>> {
        let cargo = || self.workspace.cargo();
        match step {
            Step::Format => {
                run_command(cargo().args(["fmt", "--all", "--check"]))?;
                run_command(deployed::cargo(self.workspace, "fmt").arg("--check")).map(none)
            }
            Step::Clippy => {
                let lints = ["--all-targets", "--", "-D", "warnings"];
                run_command(cargo().args(["clippy", "--workspace"]).args(lints))?;
                run_command(deployed::cargo(self.workspace, "clippy").args(lints)).map(none)
            }
            Step::Judges => self.judges(),
            Step::Build => self.workspace.build_binaries().map(none),
            Step::Tests => self.tests(),
            Step::Docs => {
                let mut doc = cargo();
                doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
                run_command(&mut doc).map(none)
            }
            Step::StateMachine => state_machine::lint(self.workspace),
            Step::Cdk => cdk::check(self.workspace),
            Step::Deployed => deployed::check(self.workspace),
        }
    }

    fn judges(&self) -> Result<Vec<String>> {
        let mut skipped = Vec::new();
        self.python()?;
        match &*self.python.borrow() {
            Some(Tool::Missing(reason)) => skipped.push(format!("Python judges: {reason}")),
            Some(Tool::Ready(python)) => println!("Python judges: {}", python.display()),
            None => {}
        }
        match judge_tools::apis_python(self.workspace)? {
            Tool::Missing(reason) => skipped.push(format!("clients of the HTTP APIs: {reason}")),
            Tool::Ready(python) => println!("clients of the HTTP APIs: {}", python.display()),
        }
        match judge_tools::node_programs(self.workspace)? {
            Tool::Missing(reason) => skipped.push(format!("npm judges: {reason}")),
            Tool::Ready(programs) => println!("npm judges: {}", programs.display()),
        }
        match spark_tools::ready(self.workspace)? {
            Tool::Missing(reason) => skipped.push(format!("Spark: {reason}")),
            Tool::Ready(folder) => println!("Spark: {}", folder.display()),
        }
        Ok(skipped)
    }

    /// The judges' Python, if this machine can have one.
    fn python(&self) -> Result<Option<PathBuf>> {
        if self.python.borrow().is_none() {
            self.python.replace(Some(judge_tools::python(self.workspace)?));
        }
        Ok(match &*self.python.borrow() {
            Some(Tool::Ready(python)) => Some(python.clone()),
            _ => None,
        })
    }

    /// Unit, integration and documentation tests. A test that cannot run on this machine appends a line with its name
    /// and the reason to the file `SLUICE_SKIPS`: the test harness swallows what a passing test prints.
    fn tests(&self) -> Result<Vec<String>> {
        let python = self.python()?;
        let skips = judge_tools::folder(self.workspace).join("skipped-tests.txt");
        fs::create_dir_all(judge_tools::folder(self.workspace))?;
        fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
        let mut tests = self.workspace.cargo();
        tests.args(["test", "--workspace"]).env("SLUICE_SKIPS", &skips);
        judge_tools::export(&mut tests, self.workspace, python.as_deref());
        if let Tool::Ready(apis) = judge_tools::apis_python(self.workspace)? {
            tests.env("SLUICE_APIS_PYTHON", apis);
        }
        run_command(&mut tests)?;
        Ok(fs::read_to_string(&skips)?.lines().map(str::to_owned).collect())
    }
}

fn none((): ()) -> Vec<String> {
    Vec::new()
}

fn print_summary(outcomes: &[Outcome]) {
    println!("\nSummary");
    for outcome in outcomes {
        let result = if outcome.skipped.is_empty() { "passed" } else { "passed, with SKIPS" };
        println!("  {:<28} {:>9}  {result}", outcome.step.title(), seconds(outcome.time));
        for skip in &outcome.skipped {
            println!("      skipped: {skip}");
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
