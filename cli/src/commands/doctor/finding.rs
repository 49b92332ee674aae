//! What a check has found.

use anyhow::Error;
use serde::Serialize;
use sluice_core::error::{texts, with_sources};
use sluice_lake::LakeError;

use crate::console::{Console, Tone};
use crate::fault::Fault;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Nothing is wrong.
    Ok,
    /// It could not be checked, or not in whole.
    Skipped,
    /// Something that a person should know; runs work.
    Warning,
    /// Something that keeps runs from working, or data from being read.
    Problem,
}

/// A check, and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Stable name of the check.
    check: &'static str,
    state: State,
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, state: State::Ok, message: message.into(), fix: None }
    }

    pub(super) fn skipped(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, state: State::Skipped, message: message.into(), fix: None }
    }

    pub(super) fn warning(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    pub(super) fn problem(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Problem, message: message.into(), fix: Some(fix.into()) }
    }

    /// A check that ended with a fault of the command.
    pub(super) fn of_error(check: &'static str, error: &Error) -> Self {
        if let Some(fault) = error.downcast_ref::<Fault>() {
            let next = fault.next_step().or(fault.name().map(|name| name.next_step())).map(str::to_owned);
            return Self { check, state: State::Problem, message: fault.to_string(), fix: next };
        }
        if let Some(error) = error.downcast_ref::<LakeError>() {
            return Self::of_lake_error(check, error);
        }
        Self { check, state: State::Problem, message: texts(&**error).join(": "), fix: None }
    }

    /// A check that ended with a fault of the lake.
    pub(super) fn of_lake_error(check: &'static str, error: &LakeError) -> Self {
        Self::problem(check, with_sources(error), error.name().next_step())
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The finding as text, its fix in a line of its own.
    pub(super) fn text(&self, console: &Console) -> String {
        let (tone, state) = match self.state {
            State::Ok => (Tone::Good, "ok"),
            State::Skipped => (Tone::Faint, "skipped"),
            State::Warning => (Tone::Warning, "warning"),
            State::Problem => (Tone::Bad, "problem"),
        };
        let state = console.paint(tone, &format!("{state:8}"));
        let mut text = format!("{state} {:12} {}", self.check, self.message);
        if let Some(fix) = &self.fix {
            text.push_str(&format!("\n{:21} {} {fix}", "", console.paint(Tone::Strong, "fix:")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Exit;

    #[test]
    fn a_finding_shows_its_fix_below_it() {
        let check = |finding: Finding, expected: &str| assert_eq!(finding.text(&Console::new(true)), expected);
        check(Finding::ok("memory", "8.0 GB"), "ok       memory       8.0 GB");
        check(
            Finding::warning("held", "3 objects", "release them"),
            "warning  held         3 objects\n                      fix: release them",
        );
    }

    #[test]
    fn a_fault_keeps_its_next_step_as_the_fix() {
        let fault = Fault::new(Exit::WrongUse, "lake folder x does not exist").next("create it");
        let finding = Finding::of_error("lake", &fault.into());
        assert_eq!(finding, Finding::problem("lake", "lake folder x does not exist", "create it"));
    }
}
