//! The Python package `sluice-data`: checked, built, and its wheel tested against the built `sluice`.

use anyhow::{Context, Result};

use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, run};

/// What builds and tests it.
const PINS: &str = "python/requirements-test.txt";
/// Lints, builds the wheel, installs it into an environment of its own, and runs pytest there.
const TESTS: &str = "python/tests/run.py";

/// Checks, builds and tests the package; returns what could not be done on this machine.
///
/// # Errors
/// When a check or a test fails; it has said why on the terminal. When the pinned packages cannot be installed.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let python = match judge_tools::python_with(workspace, PINS)? {
        Tool::Ready(python) => python,
        Tool::Missing(reason) => return Ok(vec![format!("the Python package: {reason}")]),
    };
    let mut tests = workspace.command(&python);
    // Nothing is written into the source tree.
    tests.arg("-B").arg(workspace.root().join(TESTS)).env("SLUICE_BIN", workspace.sluice());
    run(&mut tests).context("the Python package does not pass its tests")?;
    Ok(Vec::new())
}
