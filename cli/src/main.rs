//! The `sluice` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_cli::run_command(std::env::args_os()).into()
}
