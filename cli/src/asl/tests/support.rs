//! A scripted handler, a clock that only sleeping moves, and a recorder.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{
    ExecutionEvent, ExecutionResult, Observer, Place, StateMachine, TaskFailure, TaskHandler, Timer, execute, redrive,
};

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Give(Value),
    Fail(&'static str),
    /// Never answers.
    Hang,
}

/// Answers the calls of each function in order; the last answer repeats.
#[derive(Debug, Default)]
pub(super) struct Script {
    answers: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    pub(super) calls: Mutex<Vec<(String, Value)>>,
}

impl Script {
    pub(super) fn with(self, function: &str, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers.lock().unwrap().insert(function.to_owned(), answers.into_iter().collect());
        self
    }

    pub(super) fn payloads(&self, function: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(called, _)| called == function).map(|(_, payload)| payload.clone()).collect()
    }
}

impl TaskHandler for Script {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, TaskFailure> {
        self.calls.lock().unwrap().push((function.to_owned(), payload));
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            let queue = answers.get_mut(function).unwrap_or_else(|| panic!("no script for `{function}`"));
            if queue.len() > 1 { queue.pop_front().unwrap() } else { queue.front().unwrap().clone() }
        };
        match answer {
            Answer::Give(value) => Ok(value),
            Answer::Fail(error) => Err(TaskFailure { error: error.to_owned(), cause: format!("{error} for a reason") }),
            Answer::Hang => std::future::pending().await,
        }
    }
}

/// Time moves only when something sleeps. Jitter takes `jitter_share` of the longest wait.
#[derive(Debug)]
pub(super) struct TestTimer {
    now: Mutex<Timestamp>,
    pub(super) slept: Mutex<Vec<Duration>>,
    jitter_share: f64,
}

pub(super) fn start_time() -> Timestamp {
    "2026-11-20T08:00:00.25Z".parse().unwrap()
}

impl TestTimer {
    pub(super) fn new(jitter_share: f64) -> Self {
        Self { now: Mutex::new(start_time()), slept: Mutex::default(), jitter_share }
    }
}

impl Timer for TestTimer {
    async fn sleep(&self, duration: Duration) {
        self.slept.lock().unwrap().push(duration);
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::try_from(duration).unwrap()).unwrap();
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn jitter(&self, max: Duration) -> Duration {
        max.mul_f64(self.jitter_share)
    }
}

#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<Vec<ExecutionEvent>>);

impl Observer for Recorder {
    fn on(&self, event: &ExecutionEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Everything that one execution produced.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) result: ExecutionResult,
    pub(super) events: Vec<ExecutionEvent>,
    pub(super) slept: Vec<Duration>,
}

impl Trace {
    pub(super) fn states(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                ExecutionEvent::StateEntered { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn output(&self) -> &Value {
        match &self.result {
            ExecutionResult::Succeeded { output, .. } => output,
            failed @ ExecutionResult::Failed { .. } => panic!("not a success: {failed:?}"),
        }
    }

    /// Error, cause and last state.
    pub(super) fn failure(&self) -> (&str, &str, &str) {
        match &self.result {
            ExecutionResult::Failed { error, cause, last_state } => (error, cause, last_state),
            succeeded @ ExecutionResult::Succeeded { .. } => panic!("not a failure: {succeeded:?}"),
        }
    }

    /// Where the execution ended: its last state, with the input that it had.
    pub(super) fn place(&self) -> Place {
        let entered = |event: &ExecutionEvent| match event {
            ExecutionEvent::StateEntered { name, input, .. } => {
                Some(Place { state: name.clone(), input: input.clone() })
            }
            _ => None,
        };
        self.events.iter().rev().find_map(entered).expect("a state")
    }

    /// The trace as it would be if the execution had been stopped in this state, when it was first in it.
    pub(super) fn up_to(&self, state: &str) -> Self {
        let is_entry =
            |event: &ExecutionEvent| matches!(event, ExecutionEvent::StateEntered { name, .. } if name == state);
        let at = self.events.iter().position(is_entry).unwrap_or_else(|| panic!("{state} was not entered"));
        Self { events: self.events[..=at].to_vec(), result: self.result.clone(), slept: Vec::new() }
    }

    /// Longest waits between attempts, in whole seconds.
    pub(super) fn retry_waits(&self) -> Vec<u64> {
        let wait = |event: &ExecutionEvent| match event {
            ExecutionEvent::RetryScheduled { wait, .. } => Some(wait.as_secs()),
            _ => None,
        };
        self.events.iter().filter_map(wait).collect()
    }
}

pub(super) fn run_named(machine: &StateMachine, name: &str, input: Value, script: &Script, timer: &TestTimer) -> Trace {
    let (result, events) = run_with(machine, name, input, script, timer);
    Trace { result, events, slept: timer.slept.lock().unwrap().clone() }
}

/// Result and events of an execution with any handler and any timer.
pub(super) fn run_with(
    machine: &StateMachine,
    name: &str,
    input: Value,
    handler: &impl TaskHandler,
    timer: &impl Timer,
) -> (ExecutionResult, Vec<ExecutionEvent>) {
    let recorder = Recorder::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = runtime.block_on(execute(machine, name, input, handler, timer, &recorder));
    (result, recorder.0.into_inner().unwrap())
}

pub(super) fn run(machine: &StateMachine, input: Value, script: &Script) -> Trace {
    run_named(machine, "run-1", input, script, &TestTimer::new(1.0))
}

pub(super) fn parse(definition: &Value) -> StateMachine {
    StateMachine::parse(&definition.to_string(), &BTreeMap::new()).unwrap()
}

/// The text of the error that refuses `definition`.
pub(super) fn refusal(definition: &Value) -> String {
    StateMachine::parse(&definition.to_string(), &BTreeMap::new()).unwrap_err().to_string()
}

/// A machine of one state `S` that starts there and goes to the Succeed state `Done`.
pub(super) fn with_state(state: Value) -> Value {
    let mut machine = json!({ "StartAt": "S", "States": { "Done": { "Type": "Succeed" } } });
    machine["States"]["S"] = state;
    machine
}

/// `base` with the fields of `more`.
pub(super) fn merged(mut base: Value, more: Value) -> Value {
    let Value::Object(fields) = more else { panic!("{more} is not an object") };
    base.as_object_mut().unwrap().extend(fields);
    base
}

/// A Task that calls `work` with its whole input and goes to `Done`, with the fields of `more`.
pub(super) fn task(more: Value) -> Value {
    let base = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": { "FunctionName": "work", "Payload.$": "$" },
        "Next": "Done",
    });
    merged(base, more)
}

/// The execution redriven from where `before` ended.
pub(super) fn redriven(machine: &StateMachine, before: &Trace, input: Value, script: &Script) -> Trace {
    let (recorder, timer) = (Recorder::default(), TestTimer::new(1.0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = runtime.block_on(redrive(machine, "run-1", input, before.place(), script, &timer, &recorder));
    let slept = timer.slept.lock().unwrap().clone();
    Trace { result, events: recorder.0.into_inner().unwrap(), slept }
}
