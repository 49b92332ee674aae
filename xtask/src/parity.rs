//! `cargo xtask parity`: generated pipelines and the retail one through Polars and Spark, compared row by row.

use anyhow::{Result, bail};
use clap::Args;

use crate::judge_tools::{self, Tool};
use crate::spark_tools;
use crate::workspace::{Workspace, run};

/// Which cases are taken through both engines.
#[derive(Args)]
pub(crate) struct Options {
    /// Generated cases
    #[arg(long, default_value_t = 200)]
    cases: u64,
    /// Seed of the first case; each further case counts one up
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only the case of this seed, or `retail`
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// Polars on both sides: tries the generator and the comparison without Spark
    #[arg(long)]
    without_spark: bool,
}

/// Runs the cases; the table of what was compared is printed at the end.
///
/// # Errors
/// When a case differs, when no case had a feature that has to be there, or when this machine has no Spark.
pub(crate) fn run_cases(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(only) = options.only.as_deref().filter(|only| *only != "retail" && only.parse::<u64>().is_err()) {
        bail!("--only takes the seed of a case or `retail`, not {only}");
    }
    if !options.without_spark
        && let Tool::Missing(reason) = spark_tools::ready(workspace)?
    {
        bail!("there is no Spark on this machine: {reason}");
    }
    let mut test = workspace.cargo();
    // The selection of the other tests, so that nothing is compiled a second time.
    test.args([
        "test",
        "--workspace",
        "--test",
        "it",
        "--",
        "--ignored",
        "--exact",
        "--nocapture",
        "parity::both_engines_agree_on_every_case",
    ]);
    test.env("SLUICE_PARITY_CASES", options.cases.to_string()).env("SLUICE_PARITY_SEED", options.seed.to_string());
    test.env("SLUICE_PARITY_ONLY", options.only.as_deref().unwrap_or_default());
    test.env("SLUICE_PARITY_WITHOUT_SPARK", if options.without_spark { "1" } else { "" });
    judge_tools::export(&mut test, workspace, None);
    run(&mut test)
}
