//! `cargo xtask test`: everything CI checks, in one build profile.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::browser;
use crate::cdk;
use crate::deployed;
use crate::features;
use crate::judge_tools::{self, Tool};
use crate::lanes;
use crate::python_package;
use crate::spark_tools;
use crate::state_machine;
use crate::workspace::{Workspace, run as run_command};

#[derive(Args)]
pub(crate) struct Options {
    /// Run this step only (may be repeated). Steps keep their order.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Append what could not be checked to this file instead of printing a summary: how a lane runs its steps.
    #[arg(long, value_name = "FILE", hide = true)]
    skips: Option<PathBuf>,
}

/// One step, in the order of the summary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Step {
    Format,
    Features,
    Clippy,
    Docs,
    Build,
    Tests,
    Judges,
    StateMachine,
    Cdk,
    Browser,
    Python,
    Deployed,
}

impl Step {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Features => "one feature set",
            Self::Clippy => "clippy, warnings denied",
            Self::Docs => "documentation",
            Self::Build => "build of binaries and tests",
            Self::Tests => "all tests",
            Self::Judges => "third-party judges",
            Self::StateMachine => "state machine lint",
            Self::Cdk => "the CDK app",
            Self::Browser => "the console in a browser",
            Self::Python => "the Python package",
            Self::Deployed => "the deployed form",
        }
    }

    /// Whether cargo does it. Cargo's steps take turns, because each locks the target folder and uses all cores.
    pub(crate) fn is_cargo(self) -> bool {
        self < Self::Judges
    }

    /// The steps that make what this one uses.
    pub(crate) fn after(self) -> &'static [Self] {
        match self {
            Self::Tests => &[Self::Judges, Self::Build],
            Self::Cdk | Self::Browser | Self::Python | Self::Deployed => &[Self::Build],
            _ => &[],
        }
    }

    /// What to do when the step fails.
    fn remedy(self) -> &'static str {
        match self {
            Self::Format => "run `cargo fmt --all`",
            Self::Features => "name the crates above in shared/feature-set/Cargo.toml",
            Self::Clippy => "fix the lints above; `cargo xtask test --only clippy` checks again",
            Self::Docs => "fix the rustdoc warnings above; `cargo xtask test --only docs` checks again",
            Self::Build => "fix the compile errors above",
            Self::Tests => {
                "`cargo test -p <crate> <name>` runs one test; `cargo xtask test --only tests` runs them all"
            }
            Self::Judges => "the pins are in tests/judges; `cargo xtask test --only judges` tries again",
            Self::StateMachine => "fix statemachines/*.asl.json; `cargo xtask test --only state-machine` checks again",
            Self::Cdk => "`npm run lint|types|test` in cdk/ run its parts; `cargo xtask test --only cdk` runs it all",
            Self::Browser => {
                "pictures of the pages are in <target>/browser; `cargo xtask test --only browser` checks again"
            }
            Self::Python => "fix what is named above; `cargo xtask test --only build --only python` runs it again",
            Self::Deployed => {
                "`cargo xtask soak --only NAME` runs one scenario of tests/aws again, `--seed N` one random run"
            }
        }
    }

    /// Runs the step; returns what it could not check on this machine.
    ///
    /// # Errors
    /// When the step fails: what failed, which step that was, and what to do.
    pub(crate) fn execute(self, workspace: &Workspace) -> Result<Vec<String>> {
        let result = match self {
            Self::Format => run_command(workspace.cargo().args(["fmt", "--all", "--check"])).map(nothing_skipped),
            Self::Features => features::check(workspace).map(nothing_skipped),
            Self::Clippy => {
                let mut clippy = workspace.cargo();
                clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
                run_command(&mut clippy).map(nothing_skipped)
            }
            Self::Docs => {
                let mut doc = workspace.cargo();
                doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
                run_command(&mut doc).map(nothing_skipped)
            }
            Self::Build => workspace.build_tests().map(nothing_skipped),
            Self::Tests => tests(workspace),
            Self::Judges => judges(workspace),
            Self::StateMachine => state_machine::lint(workspace),
            Self::Cdk => cdk::check(workspace),
            Self::Browser => browser::check(workspace),
            Self::Python => python_package::check(workspace),
            Self::Deployed => deployed::check(workspace),
        };
        result.with_context(|| self.failure())
    }

    /// What is said when the step fails.
    pub(crate) fn failure(self) -> String {
        format!("step `{}` failed: {}", self.title(), self.remedy())
    }
}

/// How a step ended, with what it could not check on this machine.
pub(crate) struct Outcome {
    pub(crate) step: Step,
    pub(crate) time: Duration,
    /// `None` when the step failed.
    pub(crate) skipped: Option<Vec<String>>,
}

/// Runs the steps. Those of other programs run next to those of cargo; no step begins after one has failed.
///
/// # Errors
/// Names the failed step and what to do about it.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if let ([step], Some(skips)) = (options.only.as_slice(), &options.skips) {
        let skipped = step.execute(workspace)?;
        return fs::write(skips, skipped.join("\n")).with_context(|| format!("cannot write {}", skips.display()));
    }
    let wanted = |step: &&Step| options.only.is_empty() || options.only.contains(step);
    let steps: Vec<Step> = Step::value_variants().iter().filter(wanted).copied().collect();
    let (mut outcomes, result) = lanes::run(workspace, &steps)?;
    outcomes.sort_unstable_by_key(|outcome| outcome.step);
    print_summary(&outcomes);
    result
}

/// Installs the tools that tests ask. What cannot be installed on this machine is skipped.
fn judges(workspace: &Workspace) -> Result<Vec<String>> {
    let tools = [
        ("Python judges", judge_tools::python(workspace)?),
        ("clients of the HTTP APIs", judge_tools::apis_python(workspace)?),
        ("npm judges", judge_tools::node_programs(workspace)?),
        ("Spark", spark_tools::ready(workspace)?),
    ];
    let mut skipped = Vec::new();
    for (name, tool) in tools {
        match tool {
            Tool::Missing(reason) => skipped.push(format!("{name}: {reason}")),
            Tool::Ready(place) => println!("{name}: {}", place.display()),
        }
    }
    Ok(skipped)
}

/// Unit, integration and documentation tests. A test that cannot run on this machine appends a line with its name
/// and the reason to the file `SLUICE_SKIPS`: the test harness swallows what a passing test prints.
fn tests(workspace: &Workspace) -> Result<Vec<String>> {
    let skips = judge_tools::folder(workspace).join("skipped-tests.txt");
    fs::create_dir_all(judge_tools::folder(workspace))?;
    fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
    let mut tests = workspace.cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]).env("SLUICE_SKIPS", &skips);
    let python = match judge_tools::python(workspace)? {
        Tool::Ready(python) => Some(python),
        Tool::Missing(_) => None,
    };
    judge_tools::export(&mut tests, workspace, python.as_deref());
    if let Tool::Ready(apis) = judge_tools::apis_python(workspace)? {
        tests.env("SLUICE_APIS_PYTHON", apis);
    }
    run_command(&mut tests)?;
    Ok(fs::read_to_string(&skips)?.lines().map(str::to_owned).collect())
}

fn nothing_skipped((): ()) -> Vec<String> {
    Vec::new()
}

fn print_summary(outcomes: &[Outcome]) {
    println!("\nSummary");
    for Outcome { step, time, skipped } in outcomes {
        let result = match skipped {
            None => "FAILED",
            Some(skipped) if skipped.is_empty() => "passed",
            Some(_) => "passed, with SKIPS",
        };
        println!("  {:<28} {:>9}  {result}", step.title(), seconds(*time));
        for skip in skipped.iter().flatten() {
            println!("      skipped: {skip}");
        }
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
