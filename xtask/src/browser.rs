//! The console in a real browser: `tests/browser`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, output_of, run};

/// Where the suite is.
const FOLDER: &str = "tests/browser";
/// Names of the browser's program, by system.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Opens every page of the console in Chromium; returns what could not be checked on this machine. Pictures of the
/// pages are in `<target>/browser`.
///
/// # Errors
/// When something is found on a page, or Chromium is missing and cannot be installed.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    workspace.build_sluice()?;
    let python = match judge_tools::python_with(workspace, &format!("{FOLDER}/requirements.txt"))? {
        Tool::Ready(python) => python,
        Tool::Missing(reason) => return Ok(vec![format!("the browser: {reason}")]),
    };
    let axe = match judge_tools::node_programs(workspace)? {
        Tool::Ready(programs) => programs.with_file_name("axe-core").join("axe.min.js"),
        Tool::Missing(reason) => return Ok(vec![format!("axe-core: {reason}")]),
    };
    suite(workspace, &python, &axe, &chromium(workspace)?)?;
    Ok(Vec::new())
}

fn suite(workspace: &Workspace, python: &Path, axe: &Path, chromium: &str) -> Result<()> {
    let shots: PathBuf = workspace.target().join("browser");
    let mut command = workspace.command(python);
    command.arg(format!("{FOLDER}/console.py")).arg("--sluice").arg(workspace.sluice()).arg("--axe").arg(axe);
    command.args(["--chromium", chromium]).arg("--shots").arg(&shots);
    run(&mut command)
        .with_context(|| format!("a page of the console has findings; pictures are in {}", shots.display()))
}

/// The program of Chromium. Where this machine has none, it is installed with apt, for which the user has to be root.
fn chromium(workspace: &Workspace) -> Result<String> {
    if let Some(found) = installed(workspace) {
        return Ok(found);
    }
    let mut lists = workspace.command("apt-get");
    run(lists.arg("update"))
        .context("Chromium is not on the PATH, and apt-get finds no packages: install it yourself")?;
    let mut install = workspace.command("apt-get");
    install.args(["install", "-y", "--no-install-recommends", "chromium"]).env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut install).context("Chromium is not on the PATH, and apt-get cannot install it: install it yourself")?;
    installed(workspace).context("apt-get has installed Chromium, and its program is not on the PATH")
}

/// The first program that says its version, by its whole path: Playwright looks for none on the PATH.
fn installed(workspace: &Workspace) -> Option<String> {
    let runs = |name: &&&str| output_of(workspace.command(name).arg("--version")).is_ok();
    let name = PROGRAMS.iter().find(runs)?;
    let path = std::env::var_os("PATH")?;
    let place = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|place| place.is_file())?;
    Some(place.display().to_string())
}
