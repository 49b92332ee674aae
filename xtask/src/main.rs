//! Project commands, run as `cargo xtask <command>`: the only way the README and CI build, test, show and measure Sluice.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

mod bench;
mod bench_apis;
mod bench_attackers;
mod bench_data;
mod bench_formats;
mod bench_latency;
mod bench_merge;
mod bench_sources;
mod browser;
mod cdk;
#[cfg(test)]
mod circles;
mod demo;
mod demo_story;
mod deployed;
mod features;
mod fuzz_sql;
mod judge_tools;
mod lanes;
mod parity;
mod python_package;
mod spark_tools;
mod state_machine;
mod test_steps;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, tests, demonstrates and measures Sluice.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything CI checks: format, clippy, all tests, documentation, state machine lint, the deployed form.
    Test(test_steps::Options),
    /// The main job end to end on sample data: five days, a new day, nothing new, a poisoned day, the next good day.
    Demo(demo::Options),
    /// Wall time, CPU time and peak memory of a run, compared with DuckDB and pandas doing the same job on the same file.
    Bench(bench::Options),
    /// Polars against Spark: generated pipelines and the retail one, their tables compared row by row.
    Parity(parity::Options),
    /// Random statements of the SQL subset over small random tables, compared with DuckDB.
    FuzzSql(fuzz_sql::Options),
    /// The deployed form under faults, for as long as you like: real binaries, S3 protocol, Step Functions interpreter.
    Soak(deployed::Options),
    /// Installs Spark and Delta's jars for the large engine on this machine, once.
    SparkTools,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Workspace::discover().and_then(|workspace| match arguments.command {
        Command::Test(options) => test_steps::run(&workspace, &options),
        Command::Demo(options) => demo::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Parity(options) => parity::run_cases(&workspace, &options),
        Command::FuzzSql(options) => fuzz_sql::run_cases(&workspace, &options),
        Command::Soak(options) => deployed::soak(&workspace, &options),
        Command::SparkTools => spark_tools::install(&workspace),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
