//! Data flow, the states without a task, and the limits of an execution.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::limit::{HISTORY_LIMIT_EVENTS, PAYLOAD_LIMIT_BYTES};
use super::super::{ExecutionEvent, ExecutionResult, StateType, Timer, WallTimer, execute};
use super::support::{
    Answer, Recorder, Script, TestTimer, merged, parse, run, run_named, run_with, start_time, task, with_state,
};

fn check_output(state: Value, input: Value, expected: &Value) {
    let definition = with_state(state);
    let trace = run(&parse(&definition), input, &Script::default().with("work", [Answer::Give(json!({ "rows": 3 }))]));
    assert_eq!(trace.output(), expected, "{definition}");
}

fn check_failure(state: Value, input: Value, error: &str, named: &str) {
    let trace = run(&parse(&with_state(state)), input, &Script::default().with("work", [Answer::Give(json!({}))]));
    let (given, cause, last_state) = trace.failure();
    assert_eq!((given, last_state), (error, "S"), "{cause}");
    assert!(cause.contains(named), "`{cause}` does not name `{named}`");
    assert_eq!(trace.retry_waits(), [] as [u64; 0], "a final error is not retried");
    let last = trace.events.last().unwrap();
    assert!(matches!(last, ExecutionEvent::ExecutionFailed { .. }), "{last:?}");
}

#[test]
fn pass_states_shape_data() {
    let pass = |more: Value| merged(json!({ "Type": "Pass", "Next": "Done" }), more);
    let input = json!({ "a": { "b": 1 }, "c": 2 });
    let cases = [
        (json!({}), input.clone()),
        (json!({ "Result": null }), Value::Null),
        (json!({ "Result": { "x.$": "kept as written" } }), json!({ "x.$": "kept as written" })),
        (json!({ "Result": 7, "ResultPath": "$.a.new" }), json!({ "a": { "b": 1, "new": 7 }, "c": 2 })),
        (json!({ "Result": 7, "ResultPath": null }), input.clone()),
        (json!({ "Parameters": { "got.$": "$.a" } }), json!({ "got": { "b": 1 } })),
        (json!({ "InputPath": "$.a" }), json!({ "b": 1 })),
        (json!({ "InputPath": null }), json!({})),
        (json!({ "InputPath": "$.a", "Parameters": { "got.$": "$.b" } }), json!({ "got": 1 })),
        (json!({ "InputPath": "$.a", "Result": 7, "ResultPath": "$.r" }), json!({ "a": { "b": 1 }, "c": 2, "r": 7 })),
        (json!({ "InputPath": "$$.Execution.Name" }), json!("run-1")),
        (json!({ "OutputPath": "$.a.b" }), json!(1)),
        (json!({ "OutputPath": null }), json!({})),
        (json!({ "Result": 7, "ResultPath": "$.r", "OutputPath": "$.r" }), json!(7)),
    ];
    for (more, expected) in cases {
        check_output(pass(more), input.clone(), &expected);
    }
}

#[test]
fn task_states_shape_data() {
    let input = json!({ "a": 1 });
    let answer = json!({ "ExecutedVersion": "$LATEST", "Payload": { "rows": 3 }, "StatusCode": 200 });
    let cases = [
        (json!({}), answer.clone()),
        (json!({ "ResultPath": "$.r" }), json!({ "a": 1, "r": answer })),
        (json!({ "ResultPath": null }), input.clone()),
        (
            json!({ "ResultSelector": { "n.$": "$.Payload.rows" }, "ResultPath": "$.r" }),
            json!({ "a": 1, "r": { "n": 3 } }),
        ),
        (
            json!({ "ResultSelector": { "in.$": "$$.Execution.Input", "n.$": "$.Payload.rows" } }),
            json!({ "in": { "a": 1 }, "n": 3 }),
        ),
        (json!({ "OutputPath": "$.Payload" }), json!({ "rows": 3 })),
    ];
    for (more, expected) in cases {
        check_output(task(more), input.clone(), &expected);
    }
}

#[test]
fn choice_and_succeed_filter_data() {
    let choice = |more: Value| {
        merged(
            json!({ "Type": "Choice", "Choices": [
        { "Variable": "$.v", "NumericEquals": 1, "Next": "Done" } ] }),
            more,
        )
    };
    check_output(choice(json!({})), json!({ "v": 1 }), &json!({ "v": 1 }));
    check_output(choice(json!({ "InputPath": "$.in" })), json!({ "in": { "v": 1 } }), &json!({ "v": 1 }));
    check_output(choice(json!({ "OutputPath": "$.v" })), json!({ "v": 1 }), &json!(1));
    check_failure(choice(json!({})), json!({ "v": 2 }), "States.NoChoiceMatched", "`S`");
    check_failure(choice(json!({})), json!({}), "States.Runtime", "$.v");
    let succeed =
        json!({ "StartAt": "S", "States": { "S": { "Type": "Succeed", "InputPath": "$.a", "OutputPath": "$.b" } } });
    let trace = run(&parse(&succeed), json!({ "a": { "b": 5 } }), &Script::default());
    assert_eq!(trace.result, ExecutionResult::Succeeded { last_state: "S".to_owned(), output: json!(5) });
}

#[test]
fn fail_states_report_error_and_cause() {
    let check = |more: Value, error: &str, cause: &str| {
        let fail = merged(json!({ "Type": "Fail" }), more);
        let machine = parse(&json!({ "StartAt": "S", "States": { "S": fail } }));
        let trace = run(&machine, json!({ "e": "Named", "n": 1, "c": "why" }), &Script::default());
        assert_eq!(trace.failure(), (error, cause, "S"));
        assert!(!trace.events.iter().any(|event| matches!(event, ExecutionEvent::StateExited { .. })));
    };
    check(json!({}), "", "");
    check(json!({ "Error": "E", "Cause": "fixed" }), "E", "fixed");
    check(json!({ "ErrorPath": "$.e", "CausePath": "$.c" }), "Named", "why");
    check(json!({ "CausePath": "States.Format('{}: {}', $.e, $.c)" }), "", "Named: why");
    let runtime = "States.Runtime";
    check(json!({ "ErrorPath": "$.n" }), runtime, "`ErrorPath` gives 1, not a string");
    check(
        json!({ "CausePath": "$.none" }),
        runtime,
        "the path `$.none` specified for the field `CausePath` could not be found in the input",
    );
}

#[test]
fn wait_states_sleep() {
    let check = |until: Value, expected: &[u64]| {
        let wait = merged(json!({ "Type": "Wait", "Next": "Done" }), until);
        let input = json!({ "s": 7, "t": "2026-11-20T08:01:00.25Z" });
        let trace = run(&parse(&with_state(wait)), input.clone(), &Script::default());
        assert_eq!(*trace.output(), input);
        let slept: Vec<u64> = trace.slept.iter().map(std::time::Duration::as_secs).collect();
        assert_eq!(slept, expected);
    };
    check(json!({ "Seconds": 5 }), &[5]);
    check(json!({ "SecondsPath": "$.s" }), &[7]);
    check(json!({ "Timestamp": "2026-11-20T08:00:10.25Z" }), &[10]);
    check(json!({ "Timestamp": "2020-01-01T00:00:00Z" }), &[0]);
    check(json!({ "TimestampPath": "$.t" }), &[60]);
    let wait = |until: Value| merged(json!({ "Type": "Wait", "Next": "Done" }), until);
    for (value, path) in [(json!(-1), "SecondsPath"), (json!(1.5), "SecondsPath"), (json!("soon"), "TimestampPath")] {
        check_failure(wait(json!({ path: "$.v" })), json!({ "v": value }), "States.Runtime", "`$.v` is");
    }
    check_failure(wait(json!({ "SecondsPath": "$.v" })), json!({}), "States.Runtime", "`$.v`");
}

#[test]
fn the_context_object_describes_the_execution() {
    let parameters = json!({
        "id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "input.$": "$$.Execution.Input",
        "started.$": "$$.Execution.StartTime", "state.$": "$$.State.Name", "entered.$": "$$.State.EnteredTime",
        "machine.$": "$$.StateMachine.Name",
    });
    let machine = parse(&json!({ "StartAt": "Sleep", "States": {
        "Sleep": { "Type": "Wait", "Seconds": 61, "Next": "S" },
        "S": { "Type": "Pass", "Parameters": parameters, "End": true },
    } }));
    let trace = run(&machine.with_name("pipeline"), json!({ "a": 1 }), &Script::default());
    assert_eq!(
        *trace.output(),
        json!({
            "id": "arn:aws:states:local:000000000000:execution:pipeline:run-1", "name": "run-1", "input": { "a": 1 },
            "started": "2026-11-20T08:00:00.250Z", "state": "S", "entered": "2026-11-20T08:01:01.250Z", "machine": "pipeline",
        })
    );
}

#[test]
fn a_path_without_a_node_ends_the_execution_past_every_catch() {
    let all = json!([{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Done" }]);
    let retry = json!([{ "ErrorEquals": ["States.ALL"] }]);
    let guarded = |more: Value| merged(task(json!({ "Catch": all, "Retry": retry })), more);
    let payload = json!({ "FunctionName": "work", "Payload": { "x.$": "$.none" } });
    let cases = [
        (json!({ "Parameters": payload }), "$.none"),
        (json!({ "InputPath": "$.none" }), "InputPath"),
        (json!({ "OutputPath": "$.none" }), "OutputPath"),
        (json!({ "ResultSelector": { "x.$": "$.Payload.none" } }), "$.Payload.none"),
    ];
    for (more, named) in cases {
        check_failure(guarded(more), json!({ "a": 1 }), "States.Runtime", named);
    }
}

#[test]
fn a_result_that_does_not_fit_its_path_can_be_caught() {
    let state = task(json!({
        "ResultPath": "$.text.inner",
        "Catch": [{ "ErrorEquals": ["States.ResultPathMatchFailure"], "ResultPath": "$.error", "Next": "Done" }],
    }));
    let script = Script::default().with("work", [Answer::Give(json!({}))]);
    let trace = run(&parse(&with_state(state)), json!({ "text": "t" }), &script);
    assert_eq!(trace.output()["error"]["Error"], "States.ResultPathMatchFailure");
    check_failure(
        json!({ "Type": "Pass", "Result": 1, "ResultPath": "$.text.inner", "Next": "Done" }),
        json!({ "text": "t" }),
        "States.ResultPathMatchFailure",
        "`$.text.inner`",
    );
}

/// A JSON string of exactly `bytes` bytes, quotes included.
fn text_of(bytes: usize) -> Value {
    Value::String("x".repeat(bytes - 2))
}

#[test]
fn payloads_over_the_limit_end_the_execution_past_every_catch() {
    let pass = json!({ "Type": "Pass", "Next": "Done" });
    check_output(pass.clone(), text_of(PAYLOAD_LIMIT_BYTES), &text_of(PAYLOAD_LIMIT_BYTES));
    check_failure(
        pass,
        text_of(PAYLOAD_LIMIT_BYTES + 1),
        "States.DataLimitExceeded",
        "execution input has 262145 bytes",
    );

    let all = json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Done" }] });
    let big_payload = json!({ "FunctionName": "work", "Payload": { "a.$": "$", "b.$": "$" } });
    let half = text_of(PAYLOAD_LIMIT_BYTES / 2);
    let state = merged(task(json!({ "Parameters": big_payload })), all.clone());
    check_failure(state, half.clone(), "States.DataLimitExceeded", "'S'");

    let script = Script::default().with("work", [Answer::Give(text_of(PAYLOAD_LIMIT_BYTES))]);
    let trace = run(&parse(&with_state(task(all))), json!({}), &script);
    assert_eq!(trace.failure().0, "States.DataLimitExceeded");

    let doubling = json!({ "Type": "Pass", "Parameters": { "a.$": "$", "b.$": "$" }, "Next": "Done" });
    check_failure(doubling, half, "States.DataLimitExceeded", "'S'");
}

fn looping(seconds: u64, timeout: Value) -> Value {
    let machine = json!({ "StartAt": "S", "States": {
        "S": { "Type": "Wait", "Seconds": seconds, "Next": "More" },
        "More": { "Type": "Choice", "Choices": [{ "Variable": "$.stop", "IsPresent": true, "Next": "Done" }], "Default": "S" },
        "Done": { "Type": "Succeed" },
    } });
    merged(machine, timeout)
}

#[test]
fn an_execution_ends_at_its_timeout() {
    let trace = run(&parse(&looping(40, json!({ "TimeoutSeconds": 100 }))), json!({}), &Script::default());
    let (error, cause, last_state) = trace.failure();
    assert_eq!((error, last_state), ("States.Timeout", "S"));
    assert!(cause.contains("`TimeoutSeconds`"));
    let slept: Vec<u64> = trace.slept.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(slept, [40, 40, 20]);
}

#[test]
fn a_loop_ends_at_the_history_limit() {
    let trace = run(&parse(&looping(0, json!({}))), json!({}), &Script::default());
    let (error, cause, _) = trace.failure();
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("(25000)"), "{cause}");
    assert_eq!(trace.events.len(), usize::try_from(HISTORY_LIMIT_EVENTS).unwrap() - 1);
}

#[test]
fn execution_names_follow_the_rules_of_the_service() {
    let machine = parse(&with_state(json!({ "Type": "Pass", "Next": "Done" })));
    let check = |name: &str, is_valid: bool| {
        let trace = run_named(&machine, name, json!({}), &Script::default(), &TestTimer::new(1.0));
        match &trace.result {
            ExecutionResult::Succeeded { .. } => assert!(is_valid, "{name}"),
            ExecutionResult::Failed { error, .. } => {
                assert_eq!((error.as_str(), is_valid), ("InvalidName", false), "{name}");
                assert!(trace.states().is_empty());
            }
        }
    };
    check("retail-2026-11-20.01_a", true);
    check(&"n".repeat(80), true);
    check(&"n".repeat(81), false);
    for name in ["", "a b", "a/b", "a:b", "a#b", "a\"b", "a\u{7f}b"] {
        check(name, false);
    }
}

#[test]
fn events_are_reported_in_order_and_completely() {
    let trace =
        run(&parse(&with_state(json!({ "Type": "Pass", "Result": 1, "Next": "Done" }))), json!({}), &Script::default());
    let at = start_time();
    let entered =
        |name: &str, state_type, input| ExecutionEvent::StateEntered { name: name.to_owned(), state_type, input, at };
    let exited = |name: &str, output| ExecutionEvent::StateExited { name: name.to_owned(), output, at };
    let expected = [
        entered("S", StateType::Pass, json!({})),
        exited("S", json!(1)),
        entered("Done", StateType::Succeed, json!(1)),
        exited("Done", json!(1)),
        ExecutionEvent::ExecutionSucceeded { output: json!(1), at },
    ];
    assert_eq!(trace.events, expected);
    let text = serde_json::to_value(&trace.events[0]).unwrap();
    assert_eq!(text["event"], "state_entered");
    assert_eq!(text["state_type"], "Pass");
}

#[test]
fn an_execution_can_move_between_threads() {
    fn require_send<F: Future + Send>(future: F) -> F {
        future
    }
    let machine = parse(&with_state(json!({ "Type": "Pass", "Next": "Done" })));
    let (script, recorder) = (Script::default(), Recorder::default());
    let execution = require_send(execute(&machine, "run-1", json!({}), &script, &WallTimer, &recorder));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(runtime.block_on(execution), ExecutionResult::Succeeded { .. }));
}

/// Makes every Wait state a tenth as long.
struct HurriedTimer(TestTimer);

impl Timer for HurriedTimer {
    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }

    async fn wait(&self, duration: Duration) {
        self.sleep(duration / 10).await;
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn jitter(&self, max: Duration) -> Duration {
        self.0.jitter(max)
    }
}

#[test]
fn a_timer_may_shorten_wait_states_and_nothing_else() {
    let check = |machine_seconds: u64, expected: &[u64], error: &str| {
        let definition = json!({ "StartAt": "W", "TimeoutSeconds": machine_seconds, "States": {
            "W": { "Type": "Wait", "SecondsPath": "$.seconds", "Next": "T" },
            "T": task(json!({
                "TimeoutSeconds": 30,
                "Retry": [{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 4, "MaxAttempts": 1 }],
            })),
            "Done": { "Type": "Succeed" },
        } });
        let timer = HurriedTimer(TestTimer::new(1.0));
        let script = Script::default().with("work", [Answer::Hang]);
        let (result, _) = run_with(&parse(&definition), "run-1", json!({ "seconds": 50 }), &script, &timer);
        let slept: Vec<u64> = timer.0.slept.lock().unwrap().iter().map(Duration::as_secs).collect();
        assert_eq!(slept, expected);
        assert!(matches!(&result, ExecutionResult::Failed { error: found, .. } if found == error), "{result:?}");
    };
    check(1000, &[5, 30, 4, 30], "States.Timeout");
    // A wait that lasts beyond the execution is not shortened: no poll can follow it.
    check(40, &[40], "States.Timeout");
}
