//! Properties that hold for every machine and every text.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::limit::HISTORY_LIMIT_EVENTS;
use super::super::path::ReferencePath;
use super::super::{ExecutionEvent, ExecutionResult, StateMachine, graph};
use super::support::{Answer, Script, Trace, run};

const STATES: usize = 6;
/// Items of each Map.
const ITEMS: u64 = 2;
const ERRORS: [&str; 3] = ["A", "B", "C"];

fn target() -> impl Strategy<Value = String> {
    (0..STATES).prop_map(|index| format!("S{index}"))
}

fn errors() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::sample::subsequence(ERRORS.to_vec(), 1..=3).prop_map(|names| json!(names)),
        Just(json!(["States.TaskFailed"])),
        Just(json!(["States.Timeout"])),
    ]
}

fn task() -> impl Strategy<Value = Value> {
    let retrier = (errors(), 1_u64..5, 0_u32..4, 1.0_f64..3.0, 6_u64..20).prop_map(
        |(errors, interval, attempts, rate, longest)| {
            json!({ "ErrorEquals": errors, "IntervalSeconds": interval, "MaxAttempts": attempts, "BackoffRate": rate,
                "MaxDelaySeconds": longest, "JitterStrategy": "FULL" })
        },
    );
    let catcher = (errors(), target())
        .prop_map(|(errors, next)| json!({ "ErrorEquals": errors, "ResultPath": "$.error", "Next": next }));
    let lists = (proptest::collection::vec(retrier, 0..3), proptest::collection::vec(catcher, 0..3));
    (lists, target(), 1_u64..100).prop_map(|((retry, catch), next, timeout)| {
        json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": timeout,
            "Parameters": { "FunctionName": "work", "Payload": {} }, "ResultPath": "$.result",
            "Retry": retry, "Catch": catch, "Next": next })
    })
}

/// A Map that calls a function for each item. Its processor gets a name in [`definition`].
fn map() -> impl Strategy<Value = Value> {
    (task(), target(), 0_u64..3).prop_map(|(mut task, next, at_once)| {
        let fields = task.as_object_mut().unwrap();
        // They lead to states of the machine.
        fields.retain(|name, _| !["Catch", "Next"].contains(&name.as_str()));
        fields.insert("End".to_owned(), json!(true));
        json!({ "Type": "Map", "ItemsPath": "$$.Execution.Input.items", "MaxConcurrency": at_once, "Task": task,
            "ResultPath": "$.map", "Next": next })
    })
}

/// The Map with its item processor, whose only state is called like this: names are unique in the whole machine.
fn with_processor(mut state: Value, name: String) -> Value {
    if let Some(task) = state.as_object_mut().unwrap().remove("Task") {
        state["ItemProcessor"] = json!({
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": name, "States": { name: task },
        });
    }
    state
}

fn state() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => task(),
        1 => map(),
        1 => target().prop_map(|next| json!({ "Type": "Pass", "Result": 1, "ResultPath": "$.pass", "Next": next })),
        1 => (target(), 0_u64..9).prop_map(|(next, seconds)| json!({ "Type": "Wait", "Seconds": seconds, "Next": next })),
        1 => target().prop_map(|next| json!({ "Type": "Wait", "SecondsPath": "$.pass", "Next": next })),
        2 => (target(), target()).prop_map(|(error, none)| json!({ "Type": "Choice", "Default": none,
            "Choices": [{ "Variable": "$.error", "IsPresent": true, "Next": error }] })),
        1 => Just(json!({ "Type": "Succeed" })),
        1 => Just(json!({ "Type": "Fail", "Error": "Failed" })),
    ]
}

/// Random states; what `StartAt` does not reach is removed, so that most machines parse.
fn definition() -> impl Strategy<Value = Value> {
    (proptest::collection::vec(state(), STATES), proptest::option::of(50_u64..500)).prop_map(|(states, timeout)| {
        let mut all: BTreeMap<String, Value> = states
            .into_iter()
            .enumerate()
            .map(|(index, state)| (format!("S{index}"), with_processor(state, format!("I{index}"))))
            .collect();
        let mut reached = BTreeSet::new();
        let mut open = vec!["S0".to_owned()];
        while let Some(name) = open.pop() {
            if reached.insert(name.clone()) {
                collect_targets(&all[&name], &mut open);
            }
        }
        all.retain(|name, _| reached.contains(name));
        let mut machine = json!({ "StartAt": "S0", "States": all });
        if let Some(seconds) = timeout {
            machine["TimeoutSeconds"] = json!(seconds);
        }
        machine
    })
}

fn collect_targets(value: &Value, targets: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "Next" || key == "Default" => targets.push(target.clone()),
                    value => collect_targets(value, targets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_targets(item, targets)),
        _ => {}
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => Just(Answer::Give(json!({ "ok": true }))),
        3 => proptest::sample::select(&ERRORS[..]).prop_map(Answer::Fail),
        1 => Just(Answer::Hang),
    ]
}

/// The steps follow the graph, and the result agrees with where they end.
fn check_steps(machine: &StateMachine, trace: &Trace) {
    let states = trace.states();
    assert_eq!(states[0], machine.start_at);
    for pair in states.windows(2) {
        let targets = graph::targets(&machine.states[pair[0]]);
        assert!(targets.contains(&pair[1]), "{} cannot follow {}", pair[1], pair[0]);
    }
    let last = *states.last().unwrap();
    match &trace.result {
        ExecutionResult::Succeeded { last_state, .. } | ExecutionResult::Failed { last_state, .. } => {
            // A failure at the history limit or the timeout may come before the next state is entered.
            let may_follow = graph::targets(&machine.states[last]).contains(&last_state.as_str());
            assert!(last_state == last || may_follow, "{last_state} after {last}");
        }
    }
}

/// Whether an item of a Map has the event in its own history.
fn is_of_item(event: &ExecutionEvent) -> bool {
    match event {
        ExecutionEvent::TaskFailed { name, .. } | ExecutionEvent::RetryScheduled { name, .. } => name.starts_with('I'),
        ExecutionEvent::ItemEnded { .. } => true,
        _ => false,
    }
}

/// The Task of this name, with how often it runs in one visit of a state.
fn task_of<'d>(definition: &'d Value, name: &str) -> (&'d Value, u64) {
    let states = definition["States"].as_object().unwrap();
    match states.get(name) {
        Some(task) => (task, 1),
        None => {
            let inner = states.values().find_map(|state| state["ItemProcessor"]["States"].get(name));
            (inner.unwrap(), ITEMS)
        }
    }
}

/// Every visit of a state makes at most the attempts of its retriers, and waits no longer than they say.
fn check_retries(machine: &StateMachine, definition: &Value, trace: &Trace) {
    let mut retries = 0_u64;
    for event in &trace.events {
        match event {
            ExecutionEvent::StateEntered { .. } => retries = 0,
            ExecutionEvent::RetryScheduled { name, wait, .. } => {
                retries += 1;
                let (task, times) = task_of(definition, name);
                let rules = task["Retry"].as_array().unwrap();
                let allowed = times * rules.iter().map(|rule| rule["MaxAttempts"].as_u64().unwrap()).sum::<u64>();
                let longest = rules.iter().map(|rule| rule["MaxDelaySeconds"].as_u64().unwrap()).max().unwrap();
                assert!(retries <= allowed, "{retries} retries in {name}");
                assert!(wait.as_secs() <= longest, "{wait:?} in {name}");
            }
            _ => {}
        }
    }
    if let Some(timeout) = machine.timeout {
        let total: std::time::Duration = trace.slept.iter().sum();
        assert!(total <= timeout, "slept {total:?} of {timeout:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_valid_machine_ends_within_its_bounds(
        definition in definition(),
        answers in proptest::collection::vec(answer(), 1..12),
    ) {
        // A machine without a path to a terminal state is refused; such cases do not count.
        let parsed = StateMachine::parse(&definition.to_string(), &BTreeMap::new());
        prop_assume!(parsed.is_ok());
        let machine = parsed.unwrap();
        let items = vec![json!({}); usize::try_from(ITEMS).unwrap()];
        let trace = run(&machine, json!({ "items": items }), &Script::default().with("work", answers));
        let own = trace.events.iter().filter(|event| !is_of_item(event)).count();
        prop_assert!(own <= usize::try_from(HISTORY_LIMIT_EVENTS).unwrap());
        check_steps(&machine, &trace);
        check_retries(&machine, &definition, &trace);
    }

    #[test]
    fn what_is_placed_is_found(
        steps in proptest::collection::vec("[a-z]{1,3}|\\['[a-z .$]{0,4}'\\]", 0..4),
        value in "[a-z]{0,4}",
    ) {
        let text = steps.iter().fold("$".to_owned(), |path, step| {
            if step.starts_with('[') { path + step } else { path + "." + step }
        });
        let path: ReferencePath = text.parse().unwrap();
        let placed = path.place(json!({}), json!(value)).unwrap();
        prop_assert_eq!(path.find(&placed, &Value::Null), Some(&json!(value)));
    }

    #[test]
    fn parsing_never_panics(text in ".{0,40}", call in "States\\.[A-Z][a-z]{3,6}\\([$'{}\\\\a, ().\\[\\]]{0,12}") {
        let _: Result<ReferencePath, _> = text.parse();
        let pass = json!({ "StartAt": text, "States": { "S": { "Type": "Pass", "Parameters": { "k.$": call }, "End": true } } });
        let _ = StateMachine::parse(&pass.to_string(), &BTreeMap::new());
    }
}
