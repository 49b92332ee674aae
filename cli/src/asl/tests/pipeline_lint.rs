//! Rules that every Task of the deployed definition keeps, read from its plain JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sluice_core::error::ErrorName;
use sluice_core::failure::{FailureName, MachineError};

use super::super::limit::HISTORY_LIMIT_EVENTS;
use super::pipeline::{DEFINITION, FUNCTIONS, machine};

/// The states of the definition and those of its item processor.
fn states() -> Map<String, Value> {
    let definition: Value = serde_json::from_str(DEFINITION).unwrap();
    let outer = definition["States"].as_object().unwrap();
    let inner = outer.values().filter_map(|state| state["ItemProcessor"]["States"].as_object()).flatten();
    outer.iter().chain(inner).map(|(name, state)| (name.clone(), state.clone())).collect()
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
fn every_task_retries_named_transient_errors() {
    for (name, task) in tasks() {
        let retry = task["Retry"].as_array().unwrap_or_else(|| panic!("{name} has no Retry"));
        // The first rule that matches counts: a call without a free place has one of its own, whose wait is certain.
        assert_eq!(names(&retry[0]["ErrorEquals"]), BTreeSet::from(["Lambda.TooManyRequestsException".to_owned()]));
        assert_eq!(retry[0].get("JitterStrategy"), None, "{name}");
        let mut retried = BTreeSet::new();
        for (index, rule) in retry.iter().enumerate() {
            assert!(index == 0 || rule["JitterStrategy"] == "FULL", "{name}");
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

/// The waits of the first rule of a task, added up: how long a call waits for a free place of its function.
fn seconds_for_a_place(task: &Value) -> f64 {
    let rule = &task["Retry"][0];
    let number = |field: &str| rule[field].as_f64().unwrap();
    let attempts = i32::try_from(rule["MaxAttempts"].as_i64().unwrap()).unwrap();
    let wait =
        |retry: i32| (number("IntervalSeconds") * number("BackoffRate").powi(retry)).min(number("MaxDelaySeconds"));
    (0..attempts).map(wait).sum()
}

#[test]
fn a_call_waits_for_a_place_longer_than_two_functions_can_keep_it() {
    for (name, task) in tasks() {
        let seconds = seconds_for_a_place(&task);
        assert!(seconds > 2.0 * 900.0, "{name}: {seconds}");
    }
}

#[test]
fn every_caught_error_is_kept() {
    for (name, task) in tasks() {
        // What a part failed with stays in the history of its own execution, and Process meets it again.
        if name == "ReadPart" {
            continue;
        }
        for rule in task["Catch"].as_array().into_iter().flatten() {
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

/// A redrive begins with the state that ended the execution, and enters a Fail state only to fail again. So a failed task
/// ends the execution itself. All errors are caught only where a cluster has to be ended first.
#[test]
fn a_failed_task_ends_the_execution_unless_a_cluster_may_be_left() {
    for (name, task) in tasks() {
        let rules: Vec<(BTreeSet<String>, &str)> = task["Catch"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|rule| (names(&rule["ErrorEquals"]), rule["Next"].as_str().unwrap()))
            .collect();
        let all = rules.iter().find(|(errors, _)| errors.contains("States.ALL")).map(|(_, next)| *next);
        let expected = match name.as_str() {
            "StartEmr" | "RunEtl" => Some("TerminateAfterFailure"),
            "TerminateAfterFailure" => Some("ReplanAfterFailure"),
            // The work is done: a cluster that stays is left to the other nets and is no reason to lose the work.
            "TerminateEmr" => Some("QualityCheck"),
            // The error of an item would lose its name.
            "ReadPart" => Some("LeftToProcess"),
            _ => None,
        };
        assert_eq!(all, expected, "{name}");
        let mut others = rules.iter().filter(|(errors, _)| !errors.contains("States.ALL")).map(|(_, next)| *next);
        assert!(others.all(|next| ["Replan", "ReplanAfterFailure"].contains(&next)), "{name}");
    }
}

/// Process reads a part that is left to it with the same call, and whoever waits for the one can wait for the other.
#[test]
fn a_part_is_called_as_process_is() {
    let tasks = tasks();
    let (part, process) = (&tasks["ReadPart"], &tasks["Process"]);
    for field in ["Resource", "TimeoutSeconds", "Retry"] {
        assert_eq!(part[field], process[field], "{field}");
    }
    assert_eq!(part["Parameters"]["FunctionName"], process["Parameters"]["FunctionName"]);
    for (name, task) in &tasks {
        assert_eq!(task["Retry"], process["Retry"], "{name}");
    }
}

/// A Map fails with a name of its own when one of its items fails. So no item does: every error is caught, and no state
/// is a Fail state. A path that finds nothing is past every Catch, and a defect of process.
#[test]
fn no_item_of_a_map_fails() {
    let states = states();
    let maps: Vec<&Value> = states.values().filter(|state| state["Type"] == "Map").collect();
    assert_eq!(maps.len(), 1);
    for map in maps {
        assert_eq!((&map["Retry"], &map["Catch"], &map["ResultPath"]), (&Value::Null, &Value::Null, &Value::Null));
        for (name, state) in map["ItemProcessor"]["States"].as_object().unwrap() {
            match state["Type"].as_str().unwrap() {
                "Task" => {
                    let last = state["Catch"].as_array().unwrap().last().unwrap();
                    assert_eq!(last["ErrorEquals"], json!(["States.ALL"]), "{name}");
                    assert!(ends_well(&states[last["Next"].as_str().unwrap()]), "{name}");
                }
                _ => assert!(ends_well(state), "{name}"),
            }
        }
    }
}

/// Whether the state ends its execution, and cannot fail.
fn ends_well(state: &Value) -> bool {
    state["Type"] == "Succeed" || (state["Type"] == "Pass" && state["End"] == true && state["Parameters"].is_null())
}

#[test]
fn only_answers_that_nobody_understands_end_in_a_fail_state() {
    for (name, state) in states().iter().filter(|(_, state)| state["Type"] == "Fail") {
        let error = FailureName::from(state["Error"].as_str().unwrap().to_owned());
        assert!(matches!(error, FailureName::Machine(_)) && !error.is_redrivable(), "{name}: {error}");
    }
    let made: BTreeSet<&str> =
        MachineError::ALL.into_iter().filter(|e| !e.is_redrivable()).map(MachineError::as_str).collect();
    let states = states();
    let fails = states.values().filter(|state| state["Type"] == "Fail").map(|state| state["Error"].as_str().unwrap());
    assert_eq!(fails.collect::<BTreeSet<_>>(), made);
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

/// A cluster costs money while it waits, so all that can be refused without one is refused before.
#[test]
fn a_cluster_is_only_requested_for_what_process_has_read() {
    let states = states();
    let before = |next: &str| {
        let leading = states.iter().filter(|(_, state)| targets(state).contains(&next));
        leading.map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>()
    };
    assert_eq!(before("StartEmr"), BTreeSet::from(["BeginCluster", "WaitForCluster"]));
    assert_eq!(before("BeginCluster"), BTreeSet::from(["ChooseEngine"]));
    assert_eq!(before("ChooseEngine"), BTreeSet::from(["Process"]));
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
    let on_lambda = seconds("Process") + gate;
    check(on_lambda, 3);
    let cluster = polls("ClusterStatus", "WaitForCluster") * (WAIT_SECONDS.0 + POLL_SECONDS);
    let etl = polls("EtlStatus", "WaitForEtl") * (WAIT_SECONDS.1 + POLL_SECONDS);
    let on_spark = on_lambda + cluster + etl + seconds("TerminateEmr");
    check(on_spark, 1);
    // 1000 parts, 32 at a time, each as long as a call can be: once more on Lambda, and not on Spark.
    let parts = 1000_u64.div_ceil(32) * seconds("ReadPart");
    check(parts + on_lambda, 1);
    check(parts + on_spark, 0);
    assert!(2 * (parts + on_spark) > total, "the comment of the definition says so");
    // Every call of a run and of three replans waits for its place as long as it can: 1 + 4 × 4 calls of half an hour.
    let place = 1882_u32;
    assert!(seconds_for_a_place(&tasks["Process"]) <= f64::from(place));
    let waiting = u64::from(place) * (1 + 4 * 4);
    assert!(4 * (seconds("Replan") + on_lambda) + waiting <= total, "{waiting} s of waiting");
}

#[test]
fn the_definition_calls_exactly_our_functions() {
    let machine = machine();
    let mut expected = FUNCTIONS.to_vec();
    expected.sort_unstable();
    assert_eq!(machine.functions(), expected);
}
