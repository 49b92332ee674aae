//! Rules that every Task of the deployed definition keeps, read from its plain JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sluice_core::error::ErrorName;
use sluice_core::failure::FailureName;

use super::super::limit::HISTORY_LIMIT_EVENTS;
use super::pipeline::{DEFINITION, FUNCTIONS, machine};

fn states() -> Map<String, Value> {
    let definition: Value = serde_json::from_str(DEFINITION).unwrap();
    definition["States"].as_object().unwrap().clone()
}

fn tasks() -> Map<String, Value> {
    states().into_iter().filter(|(_, state)| state["Type"] == "Task").collect()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_task_has_a_timeout_below_the_limit_of_a_function_and_its_report() {
    for (name, task) in tasks() {
        let seconds = task["TimeoutSeconds"].as_u64().unwrap_or_else(|| panic!("{name} has no timeout"));
        assert!((1..=930).contains(&seconds), "{name}: {seconds}");
    }
}

#[test]
fn every_task_retries_named_transient_errors_with_full_jitter() {
    for (name, task) in tasks() {
        let retry = task["Retry"].as_array().unwrap_or_else(|| panic!("{name} has no Retry"));
        let mut retried = BTreeSet::new();
        for rule in retry {
            assert_eq!(rule["JitterStrategy"], "FULL", "{name}");
            assert!(rule["MaxDelaySeconds"].is_u64(), "{name}");
            assert!(rule["MaxAttempts"].is_u64(), "{name}");
            assert!(rule["BackoffRate"].is_f64(), "{name}: the emulator's parser needs a fraction");
            retried.extend(names(&rule["ErrorEquals"]));
        }
        for error in ["Lambda.TooManyRequestsException", "Lambda.Unknown", "States.Timeout", "Throttled", "Unavailable"]
        {
            assert!(retried.contains(error), "{name} does not retry {error}");
        }
        let lasting = ["States.ALL", "States.TaskFailed", "InvalidInput", "ContractViolation", "Internal"];
        assert!(lasting.iter().all(|error| !retried.contains(*error)), "{name} retries what will not pass");
    }
}

#[test]
fn every_task_catches_everything_last_and_keeps_the_error() {
    for (name, task) in tasks() {
        let catch = task["Catch"].as_array().unwrap_or_else(|| panic!("{name} has no Catch"));
        let last = catch.last().unwrap();
        assert_eq!(names(&last["ErrorEquals"]), BTreeSet::from(["States.ALL".to_owned()]), "{name}");
        for rule in catch {
            let path = rule["ResultPath"].as_str().unwrap_or_else(|| panic!("{name} drops the error"));
            assert!(path.starts_with("$.") && path.ends_with("error"), "{name}: {path}");
        }
    }
}

#[test]
fn every_error_name_is_known() {
    for (name, task) in tasks() {
        for rule in [&task["Retry"], &task["Catch"]].into_iter().filter_map(Value::as_array).flatten() {
            for error in names(&rule["ErrorEquals"]) {
                let of_the_service =
                    ["Lambda.", "Runtime.", "Sandbox.", "States."].iter().any(|start| error.starts_with(start));
                assert!(of_the_service || ErrorName::parse(&error).is_some(), "{name}: {error}");
            }
        }
    }
}

#[test]
fn every_error_that_a_state_makes_has_a_documented_name() {
    for (state, fields) in states() {
        let made = [&fields["Error"], &fields["Parameters"]["Error"]].into_iter().filter_map(Value::as_str);
        for error in made {
            let name = FailureName::from(error.to_owned());
            assert!(matches!(name, FailureName::Step(_) | FailureName::Machine(_)), "{state}: {name}");
        }
    }
}

#[test]
fn every_failure_is_reported_before_the_execution_fails() {
    let states = states();
    let to_failed = |state: &Value| state["Next"] == "Failed";
    let ways: Vec<&String> = states.iter().filter(|(_, state)| to_failed(state)).map(|(name, _)| name).collect();
    assert_eq!(ways, ["NotifyFailed"]);
    for (name, task) in tasks() {
        let expected = match name.as_str() {
            "NotifyFailed" => "Failed",
            "NotifyPublished" | "NotifySkipped" | "NotifyRejected" => "Unannounced",
            "StartEmr" | "RunEtl" => "TerminateAfterFailure",
            // The work is done: a cluster that stays is left to the other nets and is no reason to lose the work.
            "TerminateEmr" => "QualityCheck",
            _ => "NotifyFailed",
        };
        assert_eq!(task["Catch"].as_array().unwrap().last().unwrap()["Next"], expected, "{name}");
    }
}

#[test]
fn every_state_says_what_it_is_for() {
    for (name, state) in states() {
        assert!(state["Comment"].as_str().is_some_and(|comment| comment.len() > 10), "{name}");
    }
}

/// What `Next`, `Default`, `Choices` and `Catch` of a state name.
fn targets(state: &Value) -> Vec<&str> {
    let rules = [&state["Choices"], &state["Catch"]].into_iter().filter_map(Value::as_array).flatten();
    rules.map(|rule| &rule["Next"]).chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str).collect()
}

/// From the first call of start-emr on, an end, another attempt and the gate are reached only through one of the two
/// states that terminate the cluster.
#[test]
fn the_branch_is_left_only_through_a_state_that_terminates() {
    let states = states();
    let (mut seen, mut open) = (BTreeSet::new(), vec!["StartEmr"]);
    while let Some(name) = open.pop() {
        if ["TerminateEmr", "TerminateAfterFailure"].contains(&name) || !seen.insert(name) {
            continue;
        }
        open.extend(targets(&states[name]));
    }
    let expected = [
        "BeginEtl",
        "ClusterNotUnderstood",
        "ClusterOverdue",
        "ClusterStatus",
        "EtlNotUnderstood",
        "EtlOverdue",
        "EtlStatus",
        "RunEtl",
        "StartEmr",
        "WaitForCluster",
        "WaitForEtl",
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// The bound of polls that a state checks before it goes on to a Wait state.
fn polls(state: &str, wait: &str) -> u64 {
    let state = states()[state].clone();
    let rule = state["Choices"].as_array().unwrap().iter().find(|rule| rule["Next"] == wait).unwrap();
    rule["And"].as_array().unwrap().iter().find_map(|condition| condition["NumericLessThan"].as_u64()).unwrap()
}

/// Longest waits that start-emr and run-etl request.
const WAIT_SECONDS: (u64, u64) = (60, 120);
/// What a poll takes by itself, with a cold start.
const POLL_SECONDS: u64 = 5;

#[test]
fn every_loop_is_bounded() {
    let states = states();
    let waits: Vec<&String> =
        states.iter().filter(|(_, state)| state["Type"] == "Wait").map(|(name, _)| name).collect();
    assert_eq!(waits, ["WaitForCluster", "WaitForEtl"]);
    assert_eq!(polls("ClusterStatus", "WaitForCluster") * WAIT_SECONDS.0, 3600);
    assert_eq!(polls("EtlStatus", "WaitForEtl") * WAIT_SECONDS.1, 8 * 3600);
    // 9 events a poll: two for each of the three states, three for the call. Half of the history is for everything else.
    let events = 9 * (polls("ClusterStatus", "WaitForCluster") + polls("EtlStatus", "WaitForEtl"));
    assert!(4 * events < HISTORY_LIMIT_EVENTS.into(), "four attempts have {} events", 4 * events);
}

#[test]
fn the_execution_has_time_for_its_longest_paths() {
    let tasks = tasks();
    let seconds = |name: &str| tasks[name]["TimeoutSeconds"].as_u64().unwrap();
    let definition: Value = serde_json::from_str(DEFINITION).unwrap();
    let total = definition["TimeoutSeconds"].as_u64().unwrap();
    let check = |round: u64, replans: u64| {
        let longest = seconds("Validate") + round + replans * (seconds("Replan") + round) + seconds("NotifyPublished");
        assert!(longest <= total, "{replans} replans: {longest} of {total} seconds");
    };
    let gate = seconds("QualityCheck") + seconds("Publish");
    check(seconds("Process") + gate, 3);
    let cluster = polls("ClusterStatus", "WaitForCluster") * (WAIT_SECONDS.0 + POLL_SECONDS);
    let etl = polls("EtlStatus", "WaitForEtl") * (WAIT_SECONDS.1 + POLL_SECONDS);
    check(cluster + etl + seconds("TerminateEmr") + gate, 1);
}

#[test]
fn the_definition_calls_exactly_our_functions() {
    let machine = machine();
    let mut expected = FUNCTIONS.to_vec();
    expected.sort_unstable();
    assert_eq!(machine.functions(), expected);
}
