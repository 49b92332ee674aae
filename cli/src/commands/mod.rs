//! What the commands do.

mod alerts;
mod check;
mod cost;
mod deploy;
mod doctor;
mod init;
mod lineage;
mod named;
mod openlineage;
mod profile;
mod quarantine;
mod report;
mod restore;
mod run;
mod runs;
pub(crate) mod sample;
pub(crate) mod serve;
mod share;
mod shell;
mod source;
mod table;
mod watch;

use anyhow::Result;

use crate::arguments::Command;
use crate::console::Console;
use crate::fault::Exit;

/// Carries out a command.
pub(crate) async fn dispatch(command: Command, console: &Console) -> Result<Exit> {
    match command {
        Command::Sample(arguments) => sample::run(arguments, console),
        Command::Serve(arguments) => serve::run(arguments, console).await,
        Command::Ui(arguments) => serve::open(arguments, console).await,
        Command::ServeWorker(arguments) => crate::serving::worker::run(arguments).await,
        Command::Init(arguments) => init::run(arguments, console).await,
        Command::Profile(arguments) => profile::run(arguments, console).await,
        Command::Alerts(command) => alerts::run(command, console).await,
        Command::Check(arguments) => check::run(arguments, console).await,
        Command::Lineage(arguments) => lineage::run(arguments, console),
        Command::Deploy(arguments) => deploy::run(arguments, console).await,
        Command::Restore(arguments) => restore::run(arguments, console).await,
        Command::Run(arguments) => run::ingest(arguments, console).await,
        Command::Watch(arguments) => watch::run(arguments, console).await,
        Command::Runs(command) => runs::run(command, console).await,
        Command::Cost(arguments) => cost::run(arguments, console).await,
        Command::Share(command) => share::run(command, console).await,
        Command::Source(command) => source::run(command, console).await,
        Command::Table(command) => table::run(command, console).await,
        Command::Quarantine(command) => quarantine::run(command, console).await,
        Command::Doctor(arguments) => doctor::run(arguments, console).await,
        Command::Completions(arguments) => shell::completions(&arguments, console),
        Command::Man(arguments) => shell::man(&arguments, console),
    }
}
