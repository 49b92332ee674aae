//! Arguments of `sluice completions` and `sluice man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Print a script with which a shell completes commands and options
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice completions bash > ~/.local/share/bash-completion/completions/sluice
  sluice completions zsh > ~/.zfunc/_sluice                  # with fpath+=~/.zfunc before compinit
  sluice completions fish > ~/.config/fish/completions/sluice.fish
  source <(sluice completions bash)                          # for this shell alone")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Print a manual page, or write those of all commands into a folder
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice man | man -l -
  sluice man runs list | man -l -
  sluice man --out ~/.local/share/man/man1                   # then: man sluice-run")]
pub struct ManArguments {
    /// The command of the page, such as `runs list`; without one, sluice itself
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub of: Vec<String>,
    /// Write the pages of all commands into this folder, which is created if it does not exist
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}
