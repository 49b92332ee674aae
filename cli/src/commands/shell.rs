//! `sluice completions` and `sluice man`: both made from the arguments themselves, so that they say what this version takes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::CommandFactory;
use serde_json::json;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::console::Console;
use crate::fault::{Exit, Fault};

/// Name of the command, as it is typed.
const NAME: &str = "sluice";

/// Prints the script of a shell.
pub(crate) fn completions(arguments: &CompletionsArguments, console: &Console) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut visible(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    if console.is_json() {
        console.json_page(&json!({ "shell": arguments.shell.to_string(), "script": script }))?;
    } else {
        console.line(script.trim_end())?;
    }
    Ok(Exit::Done)
}

/// The command without those that it calls itself: scripts of shells would offer them, too.
fn visible() -> clap::Command {
    let whole = Arguments::command();
    let below = whole.get_subcommands().filter(|below| !below.is_hide_set()).cloned();
    clap::Command::new(NAME).version(env!("CARGO_PKG_VERSION")).args(whole.get_arguments().cloned()).subcommands(below)
}

/// A manual page.
struct Page {
    /// Name of its file: `sluice-runs-list.1`.
    file: String,
    text: String,
}

impl Page {
    fn of(command: &clap::Command) -> Result<Self> {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let mut text = Vec::new();
        clap_mangen::Man::new(command.clone())
            .render(&mut text)
            .with_context(|| format!("cannot make the manual page {name}"))?;
        Ok(Self { file: format!("{name}.1"), text: String::from_utf8_lossy(&text).into_owned() })
    }
}

/// Prints the manual page of a command, or writes the pages of all.
pub(crate) fn man(arguments: &ManArguments, console: &Console) -> Result<Exit> {
    let root = whole();
    match &arguments.out {
        Some(folder) => write_pages(&root, folder, console)?,
        None => {
            let page = Page::of(found(&root, &arguments.of)?)?;
            if console.is_json() {
                console.json_page(&json!({ "file": page.file, "text": page.text }))?;
            } else {
                console.line(page.text.trim_end())?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The command with all below it, each with its whole name, such as `sluice-runs-list`, and without the `help` that only
/// repeats them.
fn whole() -> clap::Command {
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    root
}

/// The command of these words.
fn found<'a>(root: &'a clap::Command, words: &[String]) -> Result<&'a clap::Command> {
    let mut command = root;
    for word in words {
        command = command.find_subcommand(word).filter(|command| !command.is_hide_set()).ok_or_else(|| {
            let message = format!("`{NAME} {}` is not a command", words.join(" "));
            Fault::new(Exit::WrongUse, message).next(format!("`{NAME} --help` lists the commands"))
        })?;
    }
    Ok(command)
}

/// This page and those of all commands below it.
fn pages(command: &clap::Command) -> Result<Vec<Page>> {
    let mut found = vec![Page::of(command)?];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        found.extend(pages(below)?);
    }
    Ok(found)
}

fn write_pages(root: &clap::Command, folder: &Path, console: &Console) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let mut written: Vec<PathBuf> = Vec::new();
    for page in pages(root)? {
        let path = folder.join(&page.file);
        fs::write(&path, &page.text).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    if console.is_json() {
        console.json_page(&json!({ "files": written }))?;
    } else {
        console.line(&format!("{} pages in {}", written.len(), folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_the_whole_names_of_commands_and_hidden_commands_have_no_page() {
        let pages = pages(&whole()).unwrap();
        let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
        for file in ["sluice.1", "sluice-run.1", "sluice-runs.1", "sluice-runs-list.1", "sluice-doctor.1"] {
            assert!(files.contains(&file), "{file} of {files:?}");
        }
        assert!(!files.iter().any(|file| file.contains("worker") || file.contains("help")), "{files:?}");
        for page in &pages {
            assert!(page.text.contains(".SH NAME") && page.text.contains(".SH SYNOPSIS"), "{}", page.file);
        }
    }

    #[test]
    fn scripts_offer_every_command_that_is_not_hidden() {
        let mut script = Vec::new();
        clap_complete::generate(clap_complete::Shell::Bash, &mut visible(), NAME, &mut script);
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("quarantine") && script.contains("--json"), "{script}");
        assert!(!script.contains("serve-worker"), "{script}");
    }

    #[test]
    fn a_command_is_found_by_its_words_and_others_are_refused() {
        let root = whole();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let check = |text: &str, expected: Option<&str>| {
            let command = found(&root, &words(text)).ok().map(clap::Command::get_name);
            assert_eq!(command, expected, "{text}");
        };
        check("", Some("sluice"));
        check("runs list", Some("list"));
        check("serve-worker", None);
        check("runs nonsense", None);
    }
}
