//! A strict local interpreter for the state machine that the deployment runs.
//!
//! It knows the part of the Amazon States Language (`JSONPath`) that `statemachines/*.asl.json` use: the states Pass,
//! Task (`arn:aws:states:::lambda:invoke`), Choice, Wait, Map (over an array, in mode DISTRIBUTED), Succeed and Fail,
//! with Retry, Catch, timeouts, payload templates, reference paths and the context object. Everything else is refused
//! by name when the definition is parsed, so a green local run never means that a field was ignored.
//!
//! Where the public specification and the service differ, the service wins: a path that finds nothing is
//! `States.Runtime`, which no Retry and no Catch sees; a payload over 256 KiB is `States.DataLimitExceeded`, likewise;
//! an execution ends after 25,000 history events.

mod choice;
mod error_name;
mod event;
mod execute;
mod graph;
mod intrinsic;
mod json;
mod limit;
mod machine;
mod parse;
mod path;
mod placeholder;
mod port;
mod retry;
mod template;
mod wire;

#[cfg(test)]
mod tests;

pub use event::{ExecutionEvent, ExecutionResult, ItemEnd, StateType};
pub use execute::{Place, execute, redrive};
pub use machine::{DefinitionError, StateMachine, StateProblem};
pub use path::PathError;
pub use placeholder::PlaceholderError;
pub use port::{LocalTimer, Observer, TaskFailure, TaskHandler, Timer, WallTimer};
