//! `emr-local`: the local EMR as a process, for tests in other languages.

#![allow(clippy::print_stdout, reason = "the address is printed on standard output")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use sluice_emr_local::{CommandSteps, Delays, LocalEmr, Options, ScriptedSteps, SparkLimits, SparkSteps, SparkTools};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Amazon EMR on this machine.
///
/// The first line on standard output is the address, such as http://127.0.0.1:41234. Ends on SIGTERM, on Ctrl-C, or, with
/// --until-stdin-closes, when standard input is closed; no step outlives it. The documentation of the crate describes the
/// control API.
#[derive(Debug, Parser)]
#[command(name = "emr-local", version)]
struct Arguments {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What runs the steps
    #[arg(long, value_enum, default_value_t = Executor::SparkSql)]
    executor: Executor,
    /// Threads of one Spark step
    #[arg(long, value_name = "NUMBER")]
    cores: Option<NonZeroUsize>,
    /// Heap of one Spark step in MiB
    #[arg(long, value_name = "MIB")]
    memory_mb: Option<u32>,
    /// How long states last, as JSON: {"starting_ms":300,…}
    #[arg(long, value_name = "JSON", value_parser = delays, default_value = "{}")]
    delays: Delays,
    /// Clusters and steps on one page of a list
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    page_size: usize,
    /// Keep the logs of steps in this folder
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// End when standard input is closed, so that no server outlives the test that started it
    #[arg(long)]
    until_stdin_closes: bool,
    /// With --executor command: the program and its first arguments; the step's arguments follow
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Executor {
    /// spark-sql of this machine
    SparkSql,
    /// A command
    Command,
    /// Nothing: every step completes immediately
    None,
}

fn delays(text: &str) -> Result<Delays, serde_json::Error> {
    serde_json::from_str(text)
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if (arguments.executor == Executor::Command) == arguments.command.is_empty() {
        bail!("give a command with --executor command, and only with it");
    }
    let Arguments { listen, delays, page_size, logs, .. } = arguments;
    let options = Options { listen, delays, page_size, logs };
    let emr = match arguments.executor {
        Executor::SparkSql => {
            let limits = SparkLimits::default();
            let limits = SparkLimits {
                cores: arguments.cores.unwrap_or(limits.cores),
                memory_mb: arguments.memory_mb.unwrap_or(limits.memory_mb),
            };
            LocalEmr::start(options, SparkSteps::new(SparkTools::find()?, limits)).await
        }
        Executor::Command => {
            let steps = CommandSteps::new(arguments.command).context("the command is empty")?;
            LocalEmr::start(options, steps).await
        }
        Executor::None => LocalEmr::start(options, ScriptedSteps::completing()).await,
    };
    let emr = emr.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("{}", emr.endpoint());
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        () = stdin_closed(), if arguments.until_stdin_closes => {}
    }
    emr.stop().await;
    Ok(())
}

/// Returns when standard input is closed.
async fn stdin_closed() {
    let (closed, is_closed) = oneshot::channel();
    // A thread, because a read of standard input cannot be cancelled.
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        closed.send(()).ok();
    });
    drop(is_closed.await);
}
