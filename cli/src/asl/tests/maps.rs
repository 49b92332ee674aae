//! Map states: items at the same time, their executions, and what becomes of their outputs and failures.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{ExecutionEvent, ExecutionResult, ItemEnd, TaskFailure, TaskHandler, Timer};
use super::support::{Answer, Script, Trace, merged, parse, redriven, run, run_with, start_time, task, with_state};

/// An item processor of these states, of which the first one begins.
pub(super) fn processor(start_at: &str, states: &Value) -> Value {
    json!({
        "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
        "StartAt": start_at,
        "States": states,
    })
}

/// Calls `work` for an item and answers what it answers; the Task has the fields of `more`.
pub(super) fn working(more: Value) -> Value {
    let work = merged(task(json!({ "OutputPath": "$.Payload", "Next": "Worked" })), more);
    processor("Work", &json!({ "Work": work, "Worked": { "Type": "Succeed" } }))
}

/// A Map that calls `work` for each of `$.items` and goes to `Done`, with the fields of `more`.
pub(super) fn map(more: Value) -> Value {
    let base = json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": working(json!({})), "Next": "Done" });
    merged(base, more)
}

/// Runs a Map with the fields of `more`.
fn mapped(more: Value, input: Value, script: &Script) -> Trace {
    run(&parse(&with_state(map(more))), input, script)
}

fn ok() -> Answer {
    Answer::Give(json!({ "ok": true }))
}

/// Items that ended, in that order.
fn ends(events: &[ExecutionEvent]) -> Vec<(usize, &ItemEnd)> {
    let ends = events.iter().filter_map(|event| match event {
        ExecutionEvent::ItemEnded { index, end, .. } => Some((*index, end)),
        _ => None,
    });
    ends.collect()
}

/// A function that answers a part after as many turns as its number says.
#[derive(Debug, Default)]
struct Parts {
    at_once: Option<usize>,
    /// The part that fails.
    failing: Option<u64>,
    /// The part that never answers.
    hanging: Option<u64>,
    calls: Mutex<Vec<u64>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

/// A call, until it has ended or is dropped.
struct Call<'p>(&'p Parts);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TaskHandler for Parts {
    async fn invoke(&self, _function: &str, payload: Value) -> Result<Value, TaskFailure> {
        let part = payload.as_u64().unwrap();
        self.calls.lock().unwrap().push(part);
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(running, Ordering::Relaxed);
        let _call = Call(self);
        for _ in 0..part {
            tokio::task::yield_now().await;
        }
        if self.hanging == Some(part) {
            std::future::pending::<()>().await;
        }
        if self.failing == Some(part) {
            return Err(TaskFailure { error: "Internal".to_owned(), cause: "for a reason".to_owned() });
        }
        Ok(json!({ "part": part }))
    }

    fn at_once(&self) -> usize {
        self.at_once.unwrap_or(usize::MAX)
    }
}

/// A clock that stands still: nothing times out.
struct StoppedTimer;

impl Timer for StoppedTimer {
    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }

    fn now(&self) -> Timestamp {
        start_time()
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}

fn run_parts(more: Value, input: Value, parts: &Parts) -> (ExecutionResult, Vec<ExecutionEvent>) {
    run_with(&parse(&with_state(map(more))), "run-1", input, parts, &StoppedTimer)
}

#[test]
fn outputs_are_in_the_order_of_the_items_whichever_ends_first() {
    let parts = Parts::default();
    let (result, events) = run_parts(json!({}), json!({ "items": [3, 1, 2] }), &parts);
    let output = json!([{ "part": 3 }, { "part": 1 }, { "part": 2 }]);
    assert_eq!(result, ExecutionResult::Succeeded { last_state: "Done".to_owned(), output });
    let ended: Vec<usize> = ends(&events).iter().map(|(index, _)| *index).collect();
    assert_eq!(ended, [1, 2, 0]);
    let started = ExecutionEvent::MapStarted { name: "S".to_owned(), items: 3, at: start_time() };
    assert_eq!(events[1], started);
    let ended = serde_json::to_value(&events[2]).unwrap();
    let at = "2026-11-20T08:00:00.25Z";
    let expected =
        json!({ "event": "item_ended", "name": "S", "index": 1, "items": 3, "output": { "part": 1 }, "at": at });
    assert_eq!(ended, expected);
}

#[test]
fn as_many_items_run_at_once_as_the_definition_and_the_handler_allow() {
    let check = |more: Value, at_once: Option<usize>, most: usize| {
        let parts = Parts { at_once, ..Parts::default() };
        let input = json!({ "items": [5, 5, 5, 5, 5, 5], "at_once": 3, "unbounded": 0 });
        let (result, events) = run_parts(more.clone(), input, &parts);
        assert!(matches!(result, ExecutionResult::Succeeded { .. }), "{more}: {result:?}");
        assert_eq!(parts.most.load(Ordering::Relaxed), most, "{more} {at_once:?}");
        assert_eq!(ends(&events).len(), 6, "{more}");
    };
    check(json!({}), None, 6);
    check(json!({ "MaxConcurrency": 0 }), None, 6);
    check(json!({ "MaxConcurrency": 10_000 }), None, 6);
    check(json!({ "MaxConcurrency": 1 }), None, 1);
    check(json!({ "MaxConcurrency": 2 }), None, 2);
    check(json!({ "MaxConcurrencyPath": "$.at_once" }), None, 3);
    check(json!({ "MaxConcurrencyPath": "$.unbounded" }), None, 6);
    check(json!({}), Some(4), 4);
    check(json!({ "MaxConcurrency": 5 }), Some(2), 2);
    check(json!({ "MaxConcurrency": 2 }), Some(5), 2);
    check(json!({ "MaxConcurrencyPath": "$.at_once" }), Some(1), 1);
    // A handler that has no place for any item must not stop the execution for ever.
    check(json!({}), Some(0), 1);
}

#[test]
fn an_item_gets_what_the_selector_makes_of_it() {
    let check = |more: Value, expected: &[Value]| {
        let script = Script::default().with("work", [ok()]);
        let input = json!({ "items": ["a", { "b": 1 }], "run": 7 });
        let trace = mapped(more.clone(), input, &script);
        assert_eq!(script.payloads("work"), expected, "{more}");
        assert_eq!(*trace.output(), json!([{ "ok": true }, { "ok": true }]), "{more}");
    };
    let items = [json!("a"), json!({ "b": 1 })];
    check(json!({}), &items);
    check(json!({ "InputPath": "$.items", "ItemsPath": "$" }), &items);
    check(json!({ "ItemsPath": "$$.Execution.Input.items" }), &items);
    check(
        json!({ "ItemSelector": { "run.$": "$.run", "part.$": "$$.Map.Item.Value", "n.$": "$$.Map.Item.Index" } }),
        &[json!({ "run": 7, "part": "a", "n": 0 }), json!({ "run": 7, "part": { "b": 1 }, "n": 1 })],
    );
    check(
        json!({ "ItemSelector": { "all": [{ "x.$": "$$.Map.Item.Value" }, 1], "name.$": "$$.Execution.Name" } }),
        &items.map(|item| json!({ "all": [{ "x": item }, 1], "name": "run-1" })),
    );
    let default_path =
        json!({ "Type": "Map", "InputPath": "$.items", "ItemProcessor": working(json!({})), "Next": "Done" });
    let script = Script::default().with("work", [ok()]);
    run(&parse(&with_state(default_path)), json!({ "items": [1, 2] }), &script);
    assert_eq!(script.payloads("work"), [json!(1), json!(2)]);
}

#[test]
fn an_item_is_an_execution_of_its_own() {
    let parameters = json!({
        "id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "input.$": "$$.Execution.Input",
        "state.$": "$$.State.Name", "machine.$": "$$.StateMachine.Name",
    });
    let tell = processor("Tell", &json!({ "Tell": { "Type": "Pass", "Parameters": parameters, "End": true } }));
    let check = |more: Value, label: &str| {
        let machine = parse(&with_state(merged(map(more), json!({ "ItemProcessor": tell })))).with_name("pipeline");
        let trace = run(&machine, json!({ "items": ["a", "b"] }), &Script::default());
        let mut names = BTreeSet::new();
        for (output, item) in trace.output().as_array().unwrap().iter().zip(["a", "b"]) {
            let name = output["name"].as_str().unwrap();
            let expected = json!({
                "id": format!("arn:aws:states:local:000000000000:execution:pipeline/{label}:{name}"), "name": name,
                "input": item, "state": "Tell", "machine": format!("pipeline/{label}"),
            });
            assert_eq!(*output, expected);
            names.insert(name);
        }
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(trace.states(), ["S", "Done"], "the states of items are not reported");
    };
    check(json!({}), "S");
    check(json!({ "Label": "Parts" }), "Parts");
}

#[test]
fn results_go_where_the_paths_say() {
    let check = |more: Value, items: Value, expected: Value| {
        let script = Script::default().with("work", [ok()]);
        let trace = mapped(more.clone(), json!({ "items": items, "run": 7 }), &script);
        assert_eq!(*trace.output(), expected, "{more}");
    };
    let both = json!([{ "ok": true }, { "ok": true }]);
    check(json!({}), json!([1, 2]), both.clone());
    check(json!({}), json!([]), json!([]));
    check(json!({ "ResultPath": null }), json!([1, 2]), json!({ "items": [1, 2], "run": 7 }));
    check(json!({ "ResultPath": "$.done" }), json!([1, 2]), json!({ "items": [1, 2], "run": 7, "done": both }));
    check(json!({ "ResultSelector": { "first.$": "$[0].ok" } }), json!([1, 2]), json!({ "first": true }));
    check(json!({ "OutputPath": "$[1]" }), json!([1, 2]), json!({ "ok": true }));
    check(json!({ "ResultPath": "$.done", "OutputPath": "$.run" }), json!([1]), json!(7));
}

#[test]
fn outputs_that_are_dropped_may_be_of_any_size() {
    let large = || Script::default().with("work", [Answer::Give(json!("x".repeat(100 * 1024)))]);
    let input = json!({ "items": [1, 2, 3] });
    assert_eq!(*mapped(json!({ "ResultPath": null }), input.clone(), &large()).output(), input);
    let kept = mapped(json!({}), input, &large());
    assert_eq!((kept.failure().0, kept.failure().2), ("States.DataLimitExceeded", "S"));
}

#[test]
fn items_have_histories_of_their_own() {
    let pass = processor("P", &json!({ "P": { "Type": "Pass", "Next": "E" }, "E": { "Type": "Succeed" } }));
    let more = json!({ "ItemProcessor": pass, "ResultPath": null });
    let items: Vec<usize> = (0..5_000).collect();
    // Of 6 events each: together more than one history has.
    let trace = mapped(more, json!({ "items": items }), &Script::default());
    assert_eq!(trace.states(), ["S", "Done"]);
    assert_eq!(ends(&trace.events).len(), 5_000);
    // One that never ends fails as every execution does.
    let wait = json!({ "Type": "Wait", "Seconds": 0, "Next": "C" });
    let choice =
        json!({ "Type": "Choice", "Choices": [{ "Variable": "$", "IsNull": true, "Next": "E" }], "Default": "W" });
    let states = json!({ "W": wait, "C": choice, "E": { "Type": "Succeed" } });
    let trace =
        mapped(json!({ "ItemProcessor": processor("W", &states) }), json!({ "items": [1] }), &Script::default());
    assert_eq!(ends(&trace.events), [(0, &ItemEnd::Error("States.Runtime".to_owned()))]);
}

#[test]
fn the_first_item_that_fails_fails_the_map_and_stops_the_others() {
    let parts = Parts { failing: Some(1), hanging: Some(2), ..Parts::default() };
    let (result, events) = run_parts(json!({ "MaxConcurrency": 2 }), json!({ "items": [2, 1, 3, 4] }), &parts);
    let failed = ExecutionResult::Failed {
        error: "States.ExceedToleratedFailureThreshold".to_owned(),
        cause: "The specified tolerated failure threshold was exceeded".to_owned(),
        last_state: "S".to_owned(),
    };
    assert_eq!(result, failed);
    assert_eq!(ends(&events), [(1, &ItemEnd::Error("Internal".to_owned()))]);
    assert_eq!(*parts.calls.lock().unwrap(), [2, 1], "no other item begins");
    assert_eq!(parts.running.load(Ordering::Relaxed), 0, "no call goes on");
}

#[test]
fn every_failure_of_an_item_fails_the_map() {
    let check = |processor: Value, error: &str| {
        let script = Script::default().with("work", [Answer::Fail("E")]);
        let trace = mapped(json!({ "ItemProcessor": processor }), json!({ "items": [1] }), &script);
        assert_eq!((trace.failure().0, trace.failure().2), ("States.ExceedToleratedFailureThreshold", "S"));
        assert_eq!(ends(&trace.events), [(0, &ItemEnd::Error(error.to_owned()))]);
    };
    let one = |state: Value| processor("One", &json!({ "One": state }));
    check(working(json!({})), "E");
    check(one(json!({ "Type": "Fail", "Error": "Mine" })), "Mine");
    // It only has the name of a time-out of the execution.
    check(one(json!({ "Type": "Fail", "Error": "States.Timeout" })), "States.Timeout");
    check(one(json!({ "Type": "Pass", "InputPath": "$.none", "End": true })), "States.Runtime");
    let large = json!({ "x": "x".repeat(200 * 1024), "items": [1] });
    let selector = json!({ "ItemSelector": { "a.$": "$", "b.$": "$" } });
    let trace = mapped(selector, large, &Script::default());
    assert_eq!(ends(&trace.events), [(0, &ItemEnd::Error("States.DataLimitExceeded".to_owned()))]);
}

#[test]
fn an_item_retries_and_catches_for_itself() {
    let retry = json!({ "Retry": [{ "ErrorEquals": ["E"], "IntervalSeconds": 4, "MaxAttempts": 1 }] });
    let script = Script::default().with("work", [Answer::Fail("E"), ok(), Answer::Fail("E"), ok()]);
    let trace = mapped(json!({ "ItemProcessor": working(retry.clone()) }), json!({ "items": [1, 2] }), &script);
    assert_eq!(trace.retry_waits(), [4, 4]);
    assert_eq!(script.payloads("work"), [1, 1, 2, 2].map(Value::from));
    assert_eq!(*trace.output(), json!([{ "ok": true }, { "ok": true }]));

    let left = json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Left" }] });
    let mut caught = working(merged(retry, left));
    caught["States"]["Left"] = json!({ "Type": "Succeed", "OutputPath": "$.error.Error" });
    let script = Script::default().with("work", [Answer::Fail("E"), Answer::Fail("E"), ok()]);
    let input = json!({ "items": [{ "part": 1 }, { "part": 2 }] });
    let trace = mapped(json!({ "ItemProcessor": caught }), input, &script);
    assert_eq!(*trace.output(), json!(["E", { "ok": true }]));
    let caught = trace.events.iter().filter_map(|event| match event {
        ExecutionEvent::Caught { name, next, .. } => Some((name.as_str(), next.as_str())),
        _ => None,
    });
    assert_eq!(caught.collect::<Vec<_>>(), [("Work", "Left")], "it is shown why an item failed");
}

#[test]
fn the_time_of_the_execution_ends_its_items() {
    let check = |more: Value, slept: &[u64]| {
        let all = json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Worked" }] });
        let state = map(json!({ "ItemProcessor": working(merged(more, all)) }));
        let definition = merged(with_state(state), json!({ "TimeoutSeconds": 100 }));
        let script = Script::default().with("work", [Answer::Hang]);
        let trace = run(&parse(&definition), json!({ "items": [1, 2, 3] }), &script);
        let (error, cause, last_state) = trace.failure();
        assert_eq!((error, last_state), ("States.Timeout", "S"));
        assert!(cause.contains("`TimeoutSeconds`"), "{cause}");
        assert_eq!(trace.slept.iter().map(Duration::as_secs).collect::<Vec<_>>(), slept);
    };
    check(json!({}), &[100]);
    // Two items time out by themselves and are caught; the third has no time left for that.
    check(json!({ "TimeoutSeconds": 40 }), &[40, 40, 20]);
    let retry =
        json!({ "TimeoutSeconds": 40, "Retry": [{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 70 }] });
    check(retry, &[40, 60]);
}

#[test]
fn data_that_a_map_cannot_use_ends_the_execution() {
    let check = |more: Value, input: Value, named: &str| {
        let trace = mapped(more, input, &Script::default());
        let (error, cause, last_state) = trace.failure();
        assert_eq!((error, last_state), ("States.Runtime", "S"), "{cause}");
        assert!(cause.contains(named), "`{cause}` does not name `{named}`");
        assert!(ends(&trace.events).is_empty(), "{cause}");
    };
    for items in [json!({ "a": 1 }), json!("text"), Value::Null, json!(3)] {
        check(json!({}), json!({ "items": items }), "`ItemsPath`");
    }
    check(json!({}), json!({}), "$.items");
    let most = || json!({ "MaxConcurrencyPath": "$.most" });
    for value in [json!("2"), json!(-1), json!(1.5), Value::Null] {
        check(most(), json!({ "items": [1], "most": value }), "`MaxConcurrencyPath`");
    }
    check(most(), json!({ "items": [1] }), "$.most");
    check(json!({ "ItemSelector": { "x.$": "$.none" } }), json!({ "items": [1] }), "$.none");
    check(json!({ "InputPath": "$.none" }), json!({ "items": [1] }), "InputPath");
}

#[test]
fn a_redrive_enters_the_map_again_with_all_items() {
    let machine = parse(&with_state(map(json!({}))));
    let input = json!({ "items": [1, 2] });
    let failed = run(&machine, input.clone(), &Script::default().with("work", [ok(), Answer::Fail("E")]));
    assert_eq!(failed.failure().2, "S");
    let script = Script::default().with("work", [ok()]);
    let trace = redriven(&machine, &failed, input, &script);
    assert_eq!(trace.states(), ["S", "Done"]);
    assert_eq!(script.payloads("work"), [json!(1), json!(2)]);
}
