//! The names that an execution fails with: those of steps, those of the state machine, and those of AWS.
//!
//! They reach us as text, from Step Functions or from the report of a run, and are parsed once, here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorName;

/// The name of the error that ended an execution. Stored and sent as its text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FailureName {
    /// A step failed.
    Step(ErrorName),
    /// The state machine ended the execution without the error of a step.
    Machine(MachineError),
    /// A name that AWS gives, such as `Lambda.ServiceException`, or one of another version. Empty where a Fail state
    /// gives none.
    Other(String),
}

impl FailureName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Step(name) => name.as_str(),
            Self::Machine(name) => name.as_str(),
            Self::Other(name) => name,
        }
    }

    /// What a person does next: one phrase, as [`ErrorName::next_step`].
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Step(name) => name.next_step(),
            Self::Machine(name) => name.next_step(),
            Self::Other(_) => UNKNOWN_NEXT_STEP,
        }
    }

    /// The message of an error of this name as callers of the API may read it. Names whose messages name objects alone keep theirs;
    /// every other message may quote what a file or a row holds, so the meaning of the name stands in its place.
    pub fn message_for_callers(&self, message: String) -> String {
        let meaning = match self {
            Self::Step(
                ErrorName::NotFound
                | ErrorName::SourceChanged
                | ErrorName::CommitConflict
                | ErrorName::ClusterFailed
                | ErrorName::Throttled
                | ErrorName::Unavailable,
            ) => return message,
            Self::Step(name) => name.meaning(),
            Self::Machine(MachineError::Unknown) | Self::Other(_) => "The run failed.",
            Self::Machine(_) => return message,
        };
        format!("{meaning} Its own message may quote rows: `sluice runs show` prints it.")
    }

    /// Whether an execution that failed with this name can go on when it is redriven.
    pub fn is_redrivable(&self) -> bool {
        match self {
            Self::Machine(name) => name.is_redrivable(),
            Self::Step(_) | Self::Other(_) => true,
        }
    }
}

impl From<String> for FailureName {
    fn from(text: String) -> Self {
        let step = ErrorName::parse(&text).map(Self::Step);
        step.or_else(|| MachineError::parse(&text).map(Self::Machine)).unwrap_or(Self::Other(text))
    }
}

impl From<FailureName> for String {
    fn from(name: FailureName) -> Self {
        match name {
            FailureName::Other(text) => text,
            known => known.as_str().to_owned(),
        }
    }
}

impl From<ErrorName> for FailureName {
    fn from(name: ErrorName) -> Self {
        Self::Step(name)
    }
}

impl From<MachineError> for FailureName {
    fn from(name: MachineError) -> Self {
        Self::Machine(name)
    }
}

impl Default for FailureName {
    /// No name.
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for FailureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the state machine ended an execution without the error of a step. The names are public API: never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MachineError {
    /// Validate answered what the definition does not know.
    PlanNotUnderstood,
    /// Quality-check answered what the definition does not know.
    VerdictNotUnderstood,
    /// The run needs an engine that is not deployed.
    EngineUnavailable,
    /// The execution, or a function that it called, took too long. Step Functions has this name for both.
    TimedOut,
    /// Somebody stopped the execution, or the process that ran it ended.
    Stopped,
    /// The execution failed without an error.
    Unknown,
}

const UNKNOWN_NEXT_STEP: &str = "read the message and the execution's history, then run again or redrive the run: what was \
                                 published is not published twice";

impl MachineError {
    /// Every name.
    pub const ALL: [Self; 6] = [
        Self::PlanNotUnderstood,
        Self::VerdictNotUnderstood,
        Self::EngineUnavailable,
        Self::TimedOut,
        Self::Stopped,
        Self::Unknown,
    ];

    /// The name as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlanNotUnderstood => "PlanNotUnderstood",
            Self::VerdictNotUnderstood => "VerdictNotUnderstood",
            Self::EngineUnavailable => "EngineUnavailable",
            Self::TimedOut => "States.Timeout",
            Self::Stopped => "Stopped",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether an execution that failed with this name can go on when it is redriven. Those that cannot ended in a Fail
    /// state: Step Functions enters that state again and fails again, with the same definition.
    pub fn is_redrivable(self) -> bool {
        match self {
            Self::PlanNotUnderstood | Self::VerdictNotUnderstood | Self::EngineUnavailable => false,
            Self::TimedOut | Self::Stopped | Self::Unknown => true,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// What has happened. Whole sentences, for documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::PlanNotUnderstood => "The definition of the state machine does not know the answer of validate.",
            Self::VerdictNotUnderstood => {
                "The definition of the state machine does not know the answer of quality-check."
            }
            Self::EngineUnavailable => "The run needs an engine that this deployment does not have.",
            Self::TimedOut => "The execution, or a function that it called, took longer than its time limit.",
            Self::Stopped => "Somebody stopped the run, or the process that ran it ended.",
            Self::Unknown => "The state machine reported a failure without a name.",
        }
    }

    /// What a person does next: one phrase, as [`ErrorName::next_step`].
    pub fn next_step(self) -> &'static str {
        match self {
            Self::PlanNotUnderstood | Self::VerdictNotUnderstood | Self::EngineUnavailable => {
                "deploy the functions and the state machine from one version, then run again"
            }
            Self::TimedOut => "read the function's log, then run again or redrive the run",
            Self::Stopped => "run again, or redrive the run: what was published is not published twice",
            Self::Unknown => UNKNOWN_NEXT_STEP,
        }
    }
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_once_and_keep_their_text() {
        let check = |text: &str, expected: FailureName| {
            assert_eq!(FailureName::from(text.to_owned()), expected);
            assert_eq!(serde_json::to_value(&expected).unwrap(), text);
            assert_eq!(serde_json::from_value::<FailureName>(text.into()).unwrap(), expected);
        };
        for name in ErrorName::ALL {
            check(name.as_str(), FailureName::Step(name));
        }
        for name in MachineError::ALL {
            check(name.as_str(), FailureName::Machine(name));
        }
        check("Lambda.ServiceException", FailureName::Other("Lambda.ServiceException".to_owned()));
        check("", FailureName::default());
    }

    #[test]
    fn messages_that_may_quote_rows_are_not_for_callers() {
        let check = |name: &str, is_shown: bool| {
            let shown = FailureName::from(name.to_owned()).message_for_callers("'17850' is no number".to_owned());
            assert_eq!(shown.contains("17850"), is_shown, "{name}: {shown}");
        };
        for name in ["InvalidInput", "ContractViolation", "EtlFailed", "Internal", "Unknown", "Lambda.Unknown", ""] {
            check(name, false);
        }
        for name in ["NotFound", "SourceChanged", "Throttled", "Unavailable", "CommitConflict", "Stopped"] {
            check(name, true);
        }
    }

    #[test]
    fn every_name_has_a_meaning_and_a_next_step() {
        let steps = ErrorName::ALL.map(|name| (name.meaning(), name.next_step()));
        let machine = MachineError::ALL.map(|name| (name.meaning(), name.next_step()));
        for (meaning, next_step) in steps.into_iter().chain(machine) {
            assert!(meaning.ends_with('.'), "{meaning}");
            assert!(!next_step.is_empty() && !next_step.ends_with('.'), "{next_step}");
        }
    }

    #[test]
    fn only_an_end_in_a_fail_state_cannot_be_redriven() {
        let is_redrivable = |text: &str| FailureName::from(text.to_owned()).is_redrivable();
        for name in ["PlanNotUnderstood", "VerdictNotUnderstood", "EngineUnavailable"] {
            assert!(!is_redrivable(name), "{name}");
        }
        for name in ["EtlFailed", "Throttled", "States.Timeout", "Stopped", "Lambda.Unknown", ""] {
            assert!(is_redrivable(name), "{name}");
        }
    }
}
