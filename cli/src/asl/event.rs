//! What an execution reports while it runs and when it ends.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// Type of a state, as the definition writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StateType {
    /// Shapes data.
    Pass,
    /// Calls a function.
    Task,
    /// Decides where to go.
    Choice,
    /// Sleeps.
    Wait,
    /// Executes states for each item of an array.
    Map,
    /// Ends the execution well.
    Succeed,
    /// Ends the execution as failed.
    Fail,
}

/// One event of an execution. `at` is the time of the event by the execution's [`Timer`](super::Timer).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ExecutionEvent {
    /// A state begins; `input` is its raw input.
    StateEntered {
        /// Name of the state.
        name: String,
        /// Its type.
        state_type: StateType,
        /// Raw input.
        input: Value,
        /// When.
        at: Timestamp,
    },
    /// A state ended, by itself or through a catcher; a Fail state is never exited.
    StateExited {
        /// Name of the state.
        name: String,
        /// Output, which is the next state's input.
        output: Value,
        /// When.
        at: Timestamp,
    },
    /// One attempt of a Task failed.
    TaskFailed {
        /// Name of the state.
        name: String,
        /// Error name.
        error: String,
        /// Text for people; empty for a timeout.
        cause: String,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// A retrier answered; the next attempt starts after `wait`.
    RetryScheduled {
        /// Name of the state.
        name: String,
        /// Number of the attempt that will follow, from 2.
        attempt: u32,
        /// Time until then.
        wait: Duration,
        /// When.
        at: Timestamp,
    },
    /// A catcher answered; the execution goes on at `next`.
    Caught {
        /// Name of the state that failed.
        name: String,
        /// Error name.
        error: String,
        /// Text for people.
        cause: String,
        /// Name of the state that follows.
        next: String,
        /// When.
        at: Timestamp,
    },
    /// The items of a Map begin. Each is an execution of its own, whose steps are not reported; its failed attempts,
    /// retries and catches are, under the names of its states.
    MapStarted {
        /// Name of the Map state.
        name: String,
        /// Number of items.
        items: usize,
        /// When.
        at: Timestamp,
    },
    /// An item of a Map ended.
    ItemEnded {
        /// Name of the Map state.
        name: String,
        /// Which item, from 0.
        index: usize,
        /// Number of items of the Map.
        items: usize,
        /// How it ended: the field `output` or the field `error`.
        #[serde(flatten)]
        end: ItemEnd,
        /// When.
        at: Timestamp,
    },
    /// The execution reached a Succeed state or a state with `End`.
    ExecutionSucceeded {
        /// Output of the execution.
        output: Value,
        /// When.
        at: Timestamp,
    },
    /// The execution failed: Fail state, uncaught error, or the machine's own timeout.
    ExecutionFailed {
        /// Error name.
        error: String,
        /// Text for people.
        cause: String,
        /// When.
        at: Timestamp,
    },
}

/// How an item of a Map ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemEnd {
    /// With this output.
    Output(Value),
    /// With an error of this name.
    Error(String),
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ExecutionResult {
    /// Reached a Succeed state or a state with `End`.
    Succeeded {
        /// Name of the state in which it ended.
        last_state: String,
        /// Output of that state.
        output: Value,
    },
    /// Failed; the machine's own timeout is `States.Timeout`.
    Failed {
        /// Error name; empty when a Fail state gives none.
        error: String,
        /// Text for people.
        cause: String,
        /// Name of the state in which it ended; the first state when it never began.
        last_state: String,
    },
}
