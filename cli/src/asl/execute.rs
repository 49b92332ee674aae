//! Runs a state machine: one state after the other, with the semantics of the service.

mod map;
mod task;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error_name::ServiceError;
use super::event::{ExecutionEvent, ExecutionResult};
use super::limit::{Failure, HISTORY_LIMIT_EVENTS, after, between, check_name, check_size, missing};
use super::machine::{Action, PassValue, Selection, State, StateMachine, States, Text, Then, WaitUntil};
use super::path::ReferencePath;
use super::port::{Observer, TaskHandler, Timer};
use super::retry::Placement;
use super::template::{MissingNode, Template};

/// Runs `machine` from its first state to an end.
///
/// `execution_name` follows the service's rule: 1 to 80 characters without white space, control characters and the
/// characters that the service reserves (brackets, quotes, wildcards, separators). Another name fails with the error
/// `InvalidName` before the first state.
///
/// The execution always ends, even when the states form a loop: at the latest after 25,000 history events.
pub async fn execute<H: TaskHandler, T: Timer, O: Observer>(
    machine: &StateMachine,
    execution_name: &str,
    input: Value,
    handler: &H,
    timer: &T,
    observer: &O,
) -> ExecutionResult {
    let first = Place { state: machine.start_at.clone(), input: input.clone() };
    redrive(machine, execution_name, input, first, handler, timer, observer).await
}

/// A state with the input that it had: where an execution ended, and where it goes on when it is redriven.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Name of the state.
    pub state: String,
    /// Its raw input.
    pub input: Value,
}

/// Goes on with an execution in the state that ended it, by the service's rules for a redrive: the same definition, name and
/// `input` of the execution; the state is entered again, with its input; retriers count from zero; the time limit of the
/// execution begins again. A Map begins with all its items, where the service goes on with those that had not
/// succeeded: the function of our Map answers at once about a part that it has read.
pub async fn redrive<H: TaskHandler, T: Timer, O: Observer>(
    machine: &StateMachine,
    execution_name: &str,
    input: Value,
    from: Place,
    handler: &H,
    timer: &T,
    observer: &O,
) -> ExecutionResult {
    let started = timer.now();
    let mut execution = Execution {
        machine: &machine.name,
        states: &machine.states,
        handler,
        timer,
        observer,
        deadline: machine.timeout.and_then(|timeout| after(started, timeout)),
        history_events: EVENTS_OF_EXECUTION,
        context: context(&machine.name, execution_name, &input, started),
        is_item: false,
    };
    let Place { mut state, input: state_input } = from;
    let outcome = match check_name(execution_name).and_then(|()| check_size("execution input", &input)) {
        Ok(()) => execution.run(&mut state, state_input).await,
        Err(failure) => Err(failure),
    };
    let at = timer.now();
    match outcome {
        Ok(output) => {
            observer.on(&ExecutionEvent::ExecutionSucceeded { output: output.clone(), at });
            ExecutionResult::Succeeded { last_state: state, output }
        }
        Err(Failure { error, cause, .. }) => {
            let error = error.to_string();
            observer.on(&ExecutionEvent::ExecutionFailed { error: error.clone(), cause: cause.clone(), at });
            ExecutionResult::Failed { error, cause, last_state: state }
        }
    }
}

/// `ExecutionStarted`, and the event that ends the execution.
const EVENTS_OF_EXECUTION: u32 = 2;

/// The context object of an execution that begins.
fn context(machine: &str, name: &str, input: &Value, started: Timestamp) -> Value {
    json!({
        "Execution": {
            "Id": format!("arn:aws:states:local:000000000000:execution:{machine}:{name}"),
            "Input": input,
            "Name": name,
            "StartTime": format!("{started:.3}"),
        },
        "State": {},
        "StateMachine": { "Name": machine },
    })
}

/// Where a state leads, with its output.
struct Step {
    then: Then,
    output: Value,
}

/// An execution of a machine, or of what an item of a Map goes through.
struct Execution<'a, H, T, O> {
    /// Name of the machine.
    machine: &'a str,
    states: &'a States,
    handler: &'a H,
    timer: &'a T,
    observer: &'a O,
    deadline: Option<Timestamp>,
    history_events: u32,
    context: Value,
    /// Whether an item of a Map goes through it: nobody can follow each step of 1000 items.
    is_item: bool,
}

impl<'a, H: TaskHandler, T: Timer, O: Observer> Execution<'a, H, T, O> {
    /// Runs until an end; `current` is always the state that runs.
    async fn run(&mut self, current: &mut String, mut input: Value) -> Result<Value, Failure> {
        loop {
            let state = self.begin(current, &input)?;
            let step = match &state.action {
                Action::Map(map) => self.map(current, state, map, input).await?,
                _ => self.step(current, state, input).await?,
            };
            input = match self.end(current, step)? {
                Step { then: Then::Next(next), output } => {
                    *current = next;
                    output
                }
                Step { then: Then::End, output } => return Ok(output),
            };
        }
    }

    /// Enters the state of this name.
    fn begin(&mut self, name: &str, input: &Value) -> Result<&'a State, Failure> {
        let states = self.states;
        let state = states.get(name).ok_or_else(|| Failure::runtime(format!("state `{name}` does not exist")))?;
        self.count_events(1)?;
        self.remaining()?;
        self.enter(name, state, input);
        Ok(state)
    }

    /// Leaves the state of this name.
    fn end(&mut self, name: &str, step: Step) -> Result<Step, Failure> {
        check_size(&format!("state/task '{name}'"), &step.output)?;
        self.count_events(1)?;
        if !self.is_item {
            let (name, output) = (name.to_owned(), step.output.clone());
            self.observer.on(&ExecutionEvent::StateExited { name, output, at: self.timer.now() });
        }
        Ok(step)
    }

    fn enter(&mut self, name: &str, state: &State, input: &Value) {
        let at = self.timer.now();
        let mut fields = json!({ "Name": name, "EnteredTime": format!("{at:.3}") });
        if let (Action::Task(_), Some(fields)) = (&state.action, fields.as_object_mut()) {
            fields.insert("RetryCount".to_owned(), json!(0));
        }
        self.set_state_context(fields);
        if self.is_item {
            return;
        }
        self.observer.on(&ExecutionEvent::StateEntered {
            name: name.to_owned(),
            state_type: state.state_type(),
            input: input.clone(),
            at,
        });
    }

    fn set_state_context(&mut self, fields: Value) {
        if let Some(context) = self.context.as_object_mut() {
            context.insert("State".to_owned(), fields);
        }
    }

    fn set_retry_count(&mut self, count: u32) {
        if let Some(state) = self.context.get_mut("State").and_then(Value::as_object_mut) {
            state.insert("RetryCount".to_owned(), json!(count));
        }
    }

    /// The step of every state but a Map.
    async fn step(&mut self, name: &str, state: &State, raw: Value) -> Result<Step, Failure> {
        let data = self.select("InputPath", &state.input, &raw)?;
        let (then, result) = match &state.action {
            Action::Pass { value, result_path, then } => {
                let result = match value {
                    PassValue::Input => data,
                    PassValue::Result(result) => result.clone(),
                    PassValue::Parameters(parameters) => parameters.fill(&data, &self.context)?,
                };
                (then.clone(), place(name, result_path, raw, result)?)
            }
            Action::Task(task) => match self.task(name, task, &raw, &data).await {
                Ok(result) => (task.then.clone(), result),
                // What a catcher passes on is not filtered by `OutputPath`.
                Err(failure) => return self.catch(name, task, raw, failure),
            },
            Action::Choice { rules, default } => {
                let mut chosen = None;
                for rule in rules {
                    let holds = rule.holds(&data, &self.context).map_err(|path| missing("Variable", &path))?;
                    if holds {
                        chosen = Some(rule.next.clone());
                        break;
                    }
                }
                let next = chosen.or_else(|| default.clone()).ok_or_else(|| {
                    Failure::last(
                        ServiceError::NoChoiceMatched,
                        format!("no rule of `{name}` holds and it has no `Default`"),
                    )
                })?;
                (Then::Next(next), data)
            }
            Action::Wait { until, then } => {
                let wait = self.wait_time(until, &data)?;
                self.wait(wait).await?;
                (then.clone(), data)
            }
            // `run` takes those of a machine, and the parser refuses one in an item processor.
            Action::Map(_) => return Err(Failure::runtime(format!("`{name}` is a Map within a Map"))),
            Action::Succeed => (Then::End, data),
            Action::Fail { error, cause } => {
                let error = self.text("ErrorPath", error, &data)?;
                let cause = self.text("CausePath", cause, &data)?;
                return Err(Failure::last(error, cause));
            }
        };
        let output = self.select("OutputPath", &state.output, &result)?;
        Ok(Step { then, output })
    }

    fn select(&self, field: &str, selection: &Selection, value: &Value) -> Result<Value, Failure> {
        match selection {
            Selection::Empty => Ok(json!({})),
            Selection::At(path) => path.find(value, &self.context).cloned().ok_or_else(|| missing(field, path)),
        }
    }

    fn text(&self, field: &str, text: &Text, data: &Value) -> Result<String, Failure> {
        match text {
            Text::Fixed(text) => Ok(text.clone()),
            Text::Computed(template) => computed_text(field, template, data, &self.context),
        }
    }

    fn wait_time(&self, until: &WaitUntil, data: &Value) -> Result<Duration, Failure> {
        let node = |field: &str, path: &ReferencePath| {
            path.find(data, &self.context).cloned().ok_or_else(|| missing(field, path))
        };
        let time = match until {
            WaitUntil::Seconds(seconds) => return Ok(Duration::from_secs(*seconds)),
            WaitUntil::SecondsPath(path) => {
                let value = node("SecondsPath", path)?;
                return value.as_u64().map(Duration::from_secs).ok_or_else(|| {
                    Failure::runtime(format!("`SecondsPath`: `{path}` is {value}, not a whole number of seconds"))
                });
            }
            WaitUntil::Timestamp(time) => *time,
            WaitUntil::TimestampPath(path) => {
                let value = node("TimestampPath", path)?;
                value.as_str().and_then(super::choice::parse_timestamp).ok_or_else(|| {
                    Failure::runtime(format!("`TimestampPath`: `{path}` is {value}, not an RFC 3339 time"))
                })?
            }
        };
        Ok(between(self.timer.now(), time))
    }

    /// Sleeps for `wait`, or to the end of the execution's time and then fails.
    async fn pause(&self, wait: Duration) -> Result<(), Failure> {
        match self.remaining()? {
            Some(remaining) if wait >= remaining => {
                self.timer.sleep(remaining).await;
                Err(Failure::execution_timeout())
            }
            _ => {
                self.timer.sleep(wait).await;
                Ok(())
            }
        }
    }

    /// The pause of a Wait state, which the timer may shorten. A pause that lasts beyond the execution's time limit is not shortened.
    async fn wait(&self, wait: Duration) -> Result<(), Failure> {
        match self.remaining()? {
            Some(remaining) if wait >= remaining => self.pause(wait).await,
            _ => {
                self.timer.wait(wait).await;
                Ok(())
            }
        }
    }

    /// Time left for the execution, `None` without a limit; an error when no time is left.
    fn remaining(&self) -> Result<Option<Duration>, Failure> {
        match self.deadline.map(|deadline| between(self.timer.now(), deadline)) {
            Some(Duration::ZERO) => Err(Failure::execution_timeout()),
            remaining => Ok(remaining),
        }
    }

    fn count_events(&mut self, events: u32) -> Result<(), Failure> {
        self.history_events = self.history_events.saturating_add(events);
        if self.history_events > HISTORY_LIMIT_EVENTS {
            let cause = format!("the execution reached the maximum number of history events ({HISTORY_LIMIT_EVENTS})");
            return Err(Failure::runtime(cause));
        }
        Ok(())
    }
}

fn computed_text(field: &str, template: &Template, data: &Value, context: &Value) -> Result<String, Failure> {
    match template.fill(data, context) {
        Ok(Value::String(text)) => Ok(text),
        Ok(other) => Err(Failure::runtime(format!("`{field}` gives {other}, not a string"))),
        Err(missing) => Err(MissingNode { field: field.to_owned(), ..missing }.into()),
    }
}

/// Puts a result into the raw input, as `ResultPath` says.
fn place(name: &str, placement: &Placement, raw: Value, result: Value) -> Result<Value, Failure> {
    match placement {
        Placement::Discard => Ok(raw),
        Placement::At(path) => path.place(raw, result).ok_or_else(|| {
            let cause = format!("the `ResultPath` `{path}` of `{name}` cannot be applied to the state's input");
            Failure::task(ServiceError::ResultPathMatchFailure, cause)
        }),
    }
}
