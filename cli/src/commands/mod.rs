//! What the commands do.

mod check;
mod deploy;
mod quarantine;
mod restore;
mod run;
mod runs;
pub(crate) mod sample;
mod serve;
mod share;
mod source;
mod table;

use anyhow::{Error, Result};
use sluice_core::error::ErrorName;
use sluice_lake::LakeError;

use crate::arguments::Command;
use crate::console::Console;
use crate::fault::{Exit, Fault};

/// Carries out a command.
pub(crate) async fn dispatch(command: Command, console: &Console) -> Result<Exit> {
    match command {
        Command::Sample(arguments) => sample::run(arguments, console),
        Command::Serve(arguments) => serve::run(arguments, console).await,
        Command::Check(arguments) => check::run(arguments, console).await,
        Command::Deploy(arguments) => deploy::run(arguments, console).await,
        Command::Restore(arguments) => restore::run(arguments, console).await,
        Command::Run(arguments) => run::ingest(arguments, console).await,
        Command::Runs(command) => runs::run(command, console).await,
        Command::Share(command) => share::run(command, console).await,
        Command::Source(command) => source::run(command, console).await,
        Command::Table(command) => table::run(command, console).await,
        Command::Quarantine(command) => quarantine::run(command, console).await,
    }
}

/// When the user named something that does not exist or is of another kind, the command was used wrongly; it did not fail.
fn named_wrongly(error: LakeError, next: &str) -> Error {
    match error.name() {
        name @ (ErrorName::NotFound | ErrorName::InvalidInput) if !matches!(error, LakeError::Document(_)) => {
            Fault::new(Exit::WrongUse, error.to_string()).named(name).next(next).into()
        }
        _ => error.into(),
    }
}
