//! From JSON text to a [`StateMachine`].

mod map;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::choice::{ChoiceRule, parse_timestamp};
use super::machine::{
    Action, DefinitionError, PassValue, Selection, State, StateMachine, StateProblem, States, TaskAction, Text, Then,
    WaitUntil,
};
use super::path::ReferencePath;
use super::placeholder::substitute;
use super::retry::{Catcher, ErrorMatcher, MAX_DELAY_SECONDS, Placement, Retrier};
use super::template::Template;
use super::wire::{
    CatcherWire, ChoiceWire, FailWire, InvokeWire, JitterWire, MachineWire, PassWire, PathField, RetrierWire,
    SucceedWire, TaskWire, WaitWire,
};
use super::{graph, json};

/// The largest number of seconds or attempts that the service accepts in one field.
const MAX_SECONDS: u64 = 99_999_999;

impl StateMachine {
    /// Parses `definition` (JSON text) and puts `substitutions` in place of its `${Name}` placeholders.
    ///
    /// # Errors
    /// Anything that this interpreter would have to ignore or guess: see [`DefinitionError`].
    pub fn parse(definition: &str, substitutions: &BTreeMap<String, String>) -> Result<Self, DefinitionError> {
        let mut value = json::parse_unique(definition).map_err(|error| DefinitionError::Json(error.to_string()))?;
        substitute(&mut value, substitutions)?;
        let wire = MachineWire::deserialize(value).map_err(|error| DefinitionError::TopLevel(error.to_string()))?;
        let top = |problem: String| DefinitionError::TopLevel(problem);
        if let Some(version) = wire.version.filter(|version| version != "1.0") {
            return Err(top(format!("`Version` is `{version}`: only `1.0` is supported")));
        }
        let timeout = wire
            .timeout_seconds
            .map(|seconds| bounded("TimeoutSeconds", seconds, 1, MAX_SECONDS).map(Duration::from_secs))
            .transpose()
            .map_err(top)?;
        let states = parse_states(&wire.start_at, wire.states)?;
        let machine = Self { name: "local".to_owned(), start_at: wire.start_at, timeout, states };
        machine.check_names()?;
        Ok(machine)
    }
}

/// The states of a machine or of an item processor, checked as a graph of their own.
fn parse_states(start_at: &str, wires: Map<String, Value>) -> Result<States, DefinitionError> {
    let mut states = States::new();
    for (name, value) in wires {
        match parse_state(&name, value) {
            Ok(state) => states.insert(name, state),
            Err(problem) => return Err(DefinitionError::State { state: name, problem }),
        };
    }
    graph::check(start_at, &states)?;
    Ok(states)
}

fn parse_state(name: &str, value: Value) -> Result<State, StateProblem> {
    if name.is_empty() || name.chars().count() > 80 {
        return Err("a state name has 1 to 80 characters".to_owned().into());
    }
    let Value::Object(mut fields) = value else {
        return Err("a state is a JSON object".to_owned().into());
    };
    match fields.remove("Type") {
        Some(Value::String(state_type)) => match state_type.as_str() {
            "Pass" => parse_pass(read(fields)?),
            "Task" => parse_task(fields),
            "Choice" => parse_choice(read(fields)?),
            "Wait" => parse_wait(read(fields)?),
            "Map" => map::parse(name, read(fields)?),
            "Succeed" => parse_succeed(read(fields)?),
            "Fail" => parse_fail(read(fields)?),
            _ => Err(StateProblem::UnsupportedType(state_type)),
        },
        Some(other) => Err(format!("`Type` must be a string, not {other}").into()),
        None => Err("missing field `Type`".to_owned().into()),
    }
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, StateProblem> {
    T::deserialize(Value::Object(fields)).map_err(|error| StateProblem::Field(error.to_string()))
}

fn parse_pass(wire: PassWire) -> Result<State, StateProblem> {
    let value = match (wire.result, wire.parameters) {
        (Some(_), Some(_)) => return Err("`Result` and `Parameters` exclude each other".to_owned().into()),
        (Some(result), None) => PassValue::Result(result),
        (None, Some(parameters)) => PassValue::Parameters(Template::parse_object("Parameters", &parameters)?),
        (None, None) => PassValue::Input,
    };
    Ok(State {
        input: selection("InputPath", wire.input_path)?,
        output: selection("OutputPath", wire.output_path)?,
        action: Action::Pass { value, result_path: placement(wire.result_path)?, then: then(wire.next, wire.end)? },
    })
}

fn parse_task(fields: Map<String, Value>) -> Result<State, StateProblem> {
    // The resource decides what `Parameters` may hold, so it is checked first.
    match fields.get("Resource") {
        Some(Value::String(resource)) if resource != "arn:aws:states:::lambda:invoke" => {
            return Err(StateProblem::UnsupportedResource(resource.clone()));
        }
        _ => {}
    }
    let wire: TaskWire = read(fields)?;
    let result_selector =
        wire.result_selector.map(|selector| Template::parse_object("ResultSelector", &selector)).transpose()?;
    let task = TaskAction {
        payload: payload(&wire.parameters)?,
        function: wire.parameters.function_name,
        result_selector,
        result_path: placement(wire.result_path)?,
        timeout: Duration::from_secs(bounded(
            "TimeoutSeconds",
            wire.timeout_seconds.unwrap_or(MAX_SECONDS),
            1,
            MAX_SECONDS,
        )?),
        retry: rules("Retry", wire.retry, retrier)?,
        catch: rules("Catch", wire.catch, catcher)?,
        then: then(wire.next, wire.end)?,
    };
    Ok(State {
        input: selection("InputPath", wire.input_path)?,
        output: selection("OutputPath", wire.output_path)?,
        action: Action::Task(Box::new(task)),
    })
}

fn payload(wire: &InvokeWire) -> Result<Template, String> {
    match (&wire.payload, &wire.payload_path) {
        (Some(template), None) => Template::parse(template).map_err(|problem| format!("`Payload`: {problem}")),
        (None, Some(expression)) => Template::parse_expression("Payload.$", expression),
        (Some(_), Some(_)) => Err("`Payload` and `Payload.$` are the same field".to_owned()),
        (None, None) => Err("`Parameters` has no `Payload`".to_owned()),
    }
}

fn rules<W, R>(field: &str, wires: Vec<W>, parse: impl Fn(W, bool) -> Result<R, String>) -> Result<Vec<R>, String> {
    let count = wires.len();
    wires
        .into_iter()
        .enumerate()
        .map(|(index, wire)| {
            parse(wire, index + 1 == count).map_err(|problem| format!("`{field}[{index}]`: {problem}"))
        })
        .collect()
}

fn retrier(wire: RetrierWire, is_last: bool) -> Result<Retrier, String> {
    let interval_seconds = wire.interval_seconds.unwrap_or(1);
    bounded("IntervalSeconds", u64::from(interval_seconds), 1, MAX_SECONDS)?;
    let max_attempts = wire.max_attempts.unwrap_or(3);
    bounded("MaxAttempts", u64::from(max_attempts), 0, MAX_SECONDS)?;
    let backoff_rate = wire.backoff_rate.unwrap_or(2.0);
    if backoff_rate < 1.0 {
        return Err(format!("`BackoffRate` is {backoff_rate}: it must be at least 1.0"));
    }
    let max_delay_seconds = match wire.max_delay_seconds {
        Some(seconds) => bounded("MaxDelaySeconds", seconds, u64::from(interval_seconds) + 1, MAX_DELAY_SECONDS - 1)?,
        None => MAX_DELAY_SECONDS,
    };
    Ok(Retrier {
        errors: ErrorMatcher::parse(wire.error_equals, is_last)?,
        interval_seconds,
        max_attempts,
        backoff_rate,
        max_delay_seconds,
        full_jitter: wire.jitter_strategy == Some(JitterWire::Full),
    })
}

fn catcher(wire: CatcherWire, is_last: bool) -> Result<Catcher, String> {
    Ok(Catcher {
        errors: ErrorMatcher::parse(wire.error_equals, is_last)?,
        result_path: placement(wire.result_path)?,
        next: wire.next,
    })
}

fn parse_choice(wire: ChoiceWire) -> Result<State, StateProblem> {
    if wire.choices.is_empty() {
        return Err("`Choices` is empty".to_owned().into());
    }
    let rules = wire
        .choices
        .into_iter()
        .enumerate()
        .map(|(index, rule)| ChoiceRule::parse(rule).map_err(|problem| format!("`Choices[{index}]`: {problem}")))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(State {
        input: selection("InputPath", wire.input_path)?,
        output: selection("OutputPath", wire.output_path)?,
        action: Action::Choice { rules, default: wire.default },
    })
}

fn parse_wait(wire: WaitWire) -> Result<State, StateProblem> {
    let until = match (wire.seconds, wire.seconds_path, wire.timestamp, wire.timestamp_path) {
        (Some(seconds), None, None, None) => WaitUntil::Seconds(bounded("Seconds", seconds, 0, MAX_SECONDS)?),
        (None, Some(path), None, None) => WaitUntil::SecondsPath(reference("SecondsPath", &path)?),
        (None, None, Some(text), None) => WaitUntil::Timestamp(
            parse_timestamp(&text)
                .ok_or_else(|| format!("`Timestamp`: `{text}` is not an RFC 3339 time with T and Z"))?,
        ),
        (None, None, None, Some(path)) => WaitUntil::TimestampPath(reference("TimestampPath", &path)?),
        _ => {
            let problem = "needs exactly one of `Seconds`, `SecondsPath`, `Timestamp` and `TimestampPath`";
            return Err(problem.to_owned().into());
        }
    };
    Ok(State {
        input: selection("InputPath", wire.input_path)?,
        output: selection("OutputPath", wire.output_path)?,
        action: Action::Wait { until, then: then(wire.next, wire.end)? },
    })
}

fn parse_succeed(wire: SucceedWire) -> Result<State, StateProblem> {
    Ok(State {
        input: selection("InputPath", wire.input_path)?,
        output: selection("OutputPath", wire.output_path)?,
        action: Action::Succeed,
    })
}

fn parse_fail(wire: FailWire) -> Result<State, StateProblem> {
    let text = |name: &str, fixed: Option<String>, expression: Option<String>| match (fixed, expression) {
        (Some(_), Some(_)) => Err(format!("`{name}` and `{name}Path` exclude each other")),
        (fixed, None) => Ok(Text::Fixed(fixed.unwrap_or_default())),
        (None, Some(expression)) => Template::parse_expression(&format!("{name}Path"), &expression).map(Text::Computed),
    };
    let action = Action::Fail {
        error: text("Error", wire.error, wire.error_path)?,
        cause: text("Cause", wire.cause, wire.cause_path)?,
    };
    let whole = selection("InputPath", None)?;
    Ok(State { input: whole.clone(), output: whole, action })
}

fn then(next: Option<String>, end: Option<bool>) -> Result<Then, String> {
    match (next, end) {
        (Some(next), None) => Ok(Then::Next(next)),
        (None, Some(true)) => Ok(Then::End),
        _ => Err("needs exactly one of `Next` and `End: true`".to_owned()),
    }
}

fn selection(field: &str, path: PathField) -> Result<Selection, String> {
    match path {
        None => reference(field, "$").map(Selection::At),
        Some(None) => Ok(Selection::Empty),
        Some(Some(path)) => reference(field, &path).map(Selection::At),
    }
}

fn placement(path: PathField) -> Result<Placement, String> {
    let path = match path {
        None => "$".to_owned(),
        Some(None) => return Ok(Placement::Discard),
        Some(Some(path)) => path,
    };
    let path = reference("ResultPath", &path)?;
    if path.is_writable() {
        Ok(Placement::At(path))
    } else {
        Err(format!("`ResultPath`: `{path}` is in the context object, which is read-only"))
    }
}

fn reference(field: &str, path: &str) -> Result<ReferencePath, String> {
    path.parse().map_err(|error: super::PathError| format!("`{field}`: {error}"))
}

fn bounded(field: &str, value: u64, least: u64, most: u64) -> Result<u64, String> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("`{field}` is {value}: it must be from {least} to {most}"))
    }
}
