//! What the user reads when a command does not succeed, and the exit code it ends with.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use sluice_core::error::ErrorName;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Done: for a run, published or skipped.
    Done,
    /// Failed.
    Failed,
    /// The command was used wrongly.
    WrongUse,
    /// The gate rejected the data.
    Rejected,
    /// Stopped with Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The code: 0 done, 1 failed, 2 wrong use, 3 rejected, 130 interrupted.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::WrongUse => 2,
            Self::Rejected => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A failure and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    exit: Exit,
    name: Option<ErrorName>,
    message: String,
    next: Option<String>,
}

impl Fault {
    /// A fault without a next step.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, name: None, message: message.into(), next: None }
    }

    /// With the stable name of the error.
    #[must_use]
    pub fn named(mut self, name: ErrorName) -> Self {
        self.name = Some(name);
        self
    }

    /// With what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Stable name of the error, when it has one.
    pub fn name(&self) -> Option<ErrorName> {
        self.name
    }

    /// What to do next.
    pub fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
