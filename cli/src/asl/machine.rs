//! A parsed state machine: every field checked, nothing left to interpret by name at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::choice::ChoiceRule;
use super::event::StateType;
use super::path::ReferencePath;
use super::placeholder::PlaceholderError;
use super::retry::{Catcher, Placement, Retrier};
use super::template::Template;

/// A definition in which every field was read and understood.
///
/// Parse with [`StateMachine::parse`], run with [`execute`](super::execute).
#[derive(Debug, Clone)]
pub struct StateMachine {
    pub(super) name: String,
    pub(super) start_at: String,
    pub(super) timeout: Option<Duration>,
    pub(super) states: States,
}

/// States by name: those of a machine, or those of an item processor.
pub(super) type States = BTreeMap<String, State>;

/// Why a definition is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Not JSON, or a key twice in one object.
    #[error("the definition is not plain JSON: {0}")]
    Json(String),
    /// An unknown or ill-typed field at the top level.
    #[error("top level of the definition: {0}")]
    TopLevel(String),
    /// Placeholders and substitutions do not fit together.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// One state is wrong or uses something that this interpreter does not support.
    #[error("state `{state}`: {problem}")]
    State {
        /// Name of the state.
        state: String,
        /// What is wrong with it.
        problem: StateProblem,
    },
    /// Two states have one name.
    #[error("two states are called `{state}`: names are unique in the whole definition, within item processors too")]
    DuplicateName {
        /// Their name.
        state: String,
    },
    /// `StartAt`, `Next`, `Default` or a rule names a state that does not exist.
    #[error("{origin} names state `{target}`, which does not exist")]
    DanglingTarget {
        /// The field or state that names it.
        origin: String,
        /// The missing state.
        target: String,
    },
    /// No path from `StartAt` leads to the state.
    #[error("state `{state}` cannot be reached from `StartAt`")]
    Unreachable {
        /// Name of the state.
        state: String,
    },
    /// No path from the state leads to an end.
    #[error("state `{state}` leads to no terminal state: add a path to a Succeed or Fail state, or `End`")]
    NoTerminal {
        /// Name of the state.
        state: String,
    },
}

/// What is wrong with one state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateProblem {
    /// A state type that this interpreter does not support, or no type at all.
    #[error("type `{0}` is not supported: use Pass, Task, Choice, Wait, Map, Succeed or Fail")]
    UnsupportedType(String),
    /// A Task resource other than `arn:aws:states:::lambda:invoke`.
    #[error("resource `{0}` is not supported: use `arn:aws:states:::lambda:invoke`")]
    UnsupportedResource(String),
    /// The states of an item processor are wrong.
    #[error("`ItemProcessor`: {0}")]
    ItemProcessor(Box<DefinitionError>),
    /// An unknown field, a missing field, or a value out of range; the text names it.
    #[error("{0}")]
    Field(String),
}

impl From<String> for StateProblem {
    fn from(problem: String) -> Self {
        Self::Field(problem)
    }
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) input: Selection,
    pub(super) output: Selection,
    pub(super) action: Action,
}

/// `InputPath` and `OutputPath`.
#[derive(Debug, Clone)]
pub(super) enum Selection {
    /// `null`: an empty object.
    Empty,
    At(ReferencePath),
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    Pass { value: PassValue, result_path: Placement, then: Then },
    Task(Box<TaskAction>),
    Choice { rules: Vec<ChoiceRule>, default: Option<String> },
    Wait { until: WaitUntil, then: Then },
    Map(Box<MapAction>),
    Succeed,
    Fail { error: Text, cause: Text },
}

#[derive(Debug, Clone)]
pub(super) enum PassValue {
    Input,
    Result(Value),
    Parameters(Template),
}

#[derive(Debug, Clone)]
pub(super) struct TaskAction {
    pub(super) function: String,
    pub(super) payload: Template,
    pub(super) result_selector: Option<Template>,
    pub(super) result_path: Placement,
    pub(super) timeout: Duration,
    pub(super) retry: Vec<Retrier>,
    pub(super) catch: Vec<Catcher>,
    pub(super) then: Then,
}

/// A Map in mode DISTRIBUTED: each item is an execution of the processor.
#[derive(Debug, Clone)]
pub(super) struct MapAction {
    /// Stands in the ids of these executions.
    pub(super) label: String,
    pub(super) items: ReferencePath,
    pub(super) at_once: AtOnce,
    /// The input of an execution; the item itself without one.
    pub(super) item_selector: Option<Template>,
    pub(super) processor: Processor,
    pub(super) result_selector: Option<Template>,
    pub(super) result_path: Placement,
    pub(super) then: Then,
}

/// `MaxConcurrency` and `MaxConcurrencyPath`; zero is as many as the service allows.
#[derive(Debug, Clone)]
pub(super) enum AtOnce {
    Fixed(u64),
    At(ReferencePath),
}

/// What each item of a Map goes through.
#[derive(Debug, Clone)]
pub(super) struct Processor {
    pub(super) start_at: String,
    pub(super) states: States,
}

#[derive(Debug, Clone)]
pub(super) enum Then {
    Next(String),
    End,
}

#[derive(Debug, Clone)]
pub(super) enum WaitUntil {
    Seconds(u64),
    SecondsPath(ReferencePath),
    Timestamp(Timestamp),
    TimestampPath(ReferencePath),
}

/// `Error`/`ErrorPath` and `Cause`/`CausePath` of a Fail state.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Fixed(String),
    Computed(Template),
}

impl StateMachine {
    /// Sets the name that `$$.StateMachine.Name` gives; `local` without this.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Names of all states, those of item processors included, in alphabetical order.
    #[must_use]
    pub fn state_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.every_state().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// Names of the functions that Task states call, also those of item processors, in alphabetical order, each once.
    #[must_use]
    pub fn functions(&self) -> Vec<&str> {
        let called = self.every_state().filter_map(|(_, state)| match &state.action {
            Action::Task(task) => Some(task.function.as_str()),
            _ => None,
        });
        called.collect::<BTreeSet<&str>>().into_iter().collect()
    }

    /// Every state with its name, those of item processors included.
    fn every_state(&self) -> impl Iterator<Item = (&str, &State)> {
        let inner = self.states.values().filter_map(State::processor).flat_map(|processor| &processor.states);
        self.states.iter().chain(inner).map(|(name, state)| (name.as_str(), state))
    }

    /// Whether every name is that of one state.
    pub(super) fn check_names(&self) -> Result<(), DefinitionError> {
        let mut seen = BTreeSet::new();
        match self.every_state().find(|(name, _)| !seen.insert(*name)) {
            Some((name, _)) => Err(DefinitionError::DuplicateName { state: name.to_owned() }),
            None => Ok(()),
        }
    }
}

impl State {
    /// What the items of a Map go through; `None` for every other state.
    fn processor(&self) -> Option<&Processor> {
        match &self.action {
            Action::Map(map) => Some(&map.processor),
            _ => None,
        }
    }

    pub(super) fn state_type(&self) -> StateType {
        match self.action {
            Action::Pass { .. } => StateType::Pass,
            Action::Task(_) => StateType::Task,
            Action::Choice { .. } => StateType::Choice,
            Action::Wait { .. } => StateType::Wait,
            Action::Map(_) => StateType::Map,
            Action::Succeed => StateType::Succeed,
            Action::Fail { .. } => StateType::Fail,
        }
    }
}
