//! `cargo xtask fuzz-sql`: random statements of the SQL subset over small random tables, here and on DuckDB.

use anyhow::{Result, bail};
use clap::Args;

use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, run};

/// Which statements are drawn.
#[derive(Args)]
pub(crate) struct Options {
    /// Statements; each 20 of them are over tables of their own seed
    #[arg(long, default_value_t = 20_000)]
    cases: u64,
    /// Seed of the first tables; each further ones count one up
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the statements; what differs is printed with its seed, statement and tables.
///
/// # Errors
/// When an answer differs, or this machine has no Python for DuckDB.
pub(crate) fn run_cases(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = match judge_tools::python(workspace)? {
        Tool::Ready(python) => python,
        Tool::Missing(reason) => bail!("there is no DuckDB on this machine: {reason}"),
    };
    let mut test = workspace.cargo();
    test.args([
        "test",
        "--package",
        "sluice-lake",
        "--lib",
        "--",
        "--ignored",
        "--exact",
        "--nocapture",
        "engine::sql::tests::fuzz::duckdb_answers_every_statement_alike",
    ]);
    judge_tools::export(&mut test, workspace, Some(&python));
    test.env("SLUICE_FUZZ_CASES", options.cases.to_string()).env("SLUICE_FUZZ_SEED", options.seed.to_string());
    run(&mut test)
}
