//! The `sluice` command as a library: everything but `main`.
//!
//! `run` executes the state machine that the deployment runs, with the handlers that the deployment runs, in this
//! process over any lake. All other commands show what is in a lake or record a person's decision in it.

mod alerting;
pub mod arguments;
pub mod asl;
mod commands;
pub mod console;
pub mod execution;
pub mod fault;
mod grid;
mod init;
mod neighbours;
pub mod place;
pub mod sample;
pub mod serving;
pub mod spec_files;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, Command};
use crate::console::Console;
use crate::fault::{Exit, Fault};

/// Runs the command with these arguments, the first of which is the program's name, and returns how it ended.
pub fn run_command(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&arguments, &error),
    };
    let console = Console::new(parsed.json);
    let result = start(parsed.command, &console);
    match result {
        Ok(exit) => exit,
        Err(error) => console.failure(&error),
    }
}

fn start(command: Command, console: &Console) -> anyhow::Result<Exit> {
    if let Command::Sample(arguments) = command {
        return commands::sample::run(arguments, console);
    }
    if let Command::ServeWorker(arguments) = &command {
        serving::worker::limit_this_process(arguments)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(commands::dispatch(command, console));
    // After Ctrl-C a step may still compute on a worker thread; waiting for it would delay the stop.
    runtime.shutdown_background();
    result
}

/// Help and version are results; any other parse error is wrong use.
fn refuse(arguments: &[OsString], error: &clap::Error) -> Exit {
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    if wants_json && !is_answer {
        let message = error.render().to_string();
        let message = message.trim().trim_start_matches("error: ").to_owned();
        return Console::new(true).failure(&Fault::new(Exit::WrongUse, message).into());
    }
    // When standard output is closed, nobody can read the message.
    drop(error.print());
    if is_answer { Exit::Done } else { Exit::WrongUse }
}
