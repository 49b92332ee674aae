//! Retry, Catch and timeouts of Task states.

use serde_json::{Value, json};

use super::super::{ExecutionEvent, TaskFailure};
use super::support::{Answer, Script, TestTimer, Trace, merged, parse, run, run_named, task, with_state};

fn attempts(task_fields: Value, answers: impl IntoIterator<Item = Answer>) -> (Trace, usize) {
    let script = Script::default().with("work", answers);
    let trace = run(&parse(&with_state(task(task_fields))), json!({ "a": 1 }), &script);
    let calls = script.payloads("work").len();
    (trace, calls)
}

fn ok() -> Answer {
    Answer::Give(json!({ "ok": true }))
}

#[test]
fn retries_wait_with_backoff_up_to_the_longest_delay() {
    let check = |fields: Value, expected: &[u64]| {
        let retry = json!({ "Retry": [merged(json!({ "ErrorEquals": ["E"] }), fields)] });
        let (trace, calls) = attempts(retry, [Answer::Fail("E")]);
        assert_eq!(trace.retry_waits(), expected);
        assert_eq!(calls, expected.len() + 1);
        assert_eq!(trace.failure(), ("E", "E for a reason", "S"));
    };
    check(json!({}), &[1, 2, 4]);
    check(json!({ "MaxAttempts": 0 }), &[]);
    check(json!({ "IntervalSeconds": 3, "MaxAttempts": 4 }), &[3, 6, 12, 24]);
    check(json!({ "IntervalSeconds": 3, "MaxAttempts": 4, "MaxDelaySeconds": 10 }), &[3, 6, 10, 10]);
    check(json!({ "IntervalSeconds": 2, "BackoffRate": 1.0, "MaxAttempts": 2 }), &[2, 2]);
    check(json!({ "BackoffRate": 1.0e300, "MaxAttempts": 3 }), &[1, 31_622_400, 31_622_400]);
}

#[test]
fn full_jitter_takes_a_part_of_the_wait() {
    let retry = |strategy: &str| {
        task(json!({ "Retry": [{ "ErrorEquals": ["E"], "IntervalSeconds": 8, "JitterStrategy": strategy }] }))
    };
    let check = |strategy: &str, share: f64, expected: &[u64]| {
        let script = Script::default().with("work", [Answer::Fail("E")]);
        let machine = parse(&with_state(retry(strategy)));
        let trace = run_named(&machine, "run-1", json!({}), &script, &TestTimer::new(share));
        assert_eq!(trace.retry_waits(), expected);
    };
    check("FULL", 0.25, &[2, 4, 8]);
    check("FULL", 0.0, &[0, 0, 0]);
    check("NONE", 0.25, &[8, 16, 32]);
}

#[test]
fn each_retrier_counts_for_itself_and_the_first_match_decides() {
    let retry = json!({ "Retry": [
        { "ErrorEquals": ["A", "B"], "IntervalSeconds": 10, "MaxAttempts": 2 },
        { "ErrorEquals": ["States.ALL"], "IntervalSeconds": 100, "MaxAttempts": 1 },
    ] });
    let fail = Answer::Fail;
    let (trace, _) = attempts(retry.clone(), [fail("A"), fail("C"), fail("B"), ok()]);
    assert_eq!(trace.retry_waits(), [10, 100, 20]);
    assert_eq!(trace.states(), ["S", "Done"]);
    // The first retrier is exhausted: the second one is not tried, although it would match.
    let (trace, calls) = attempts(retry, [fail("A")]);
    assert_eq!(trace.retry_waits(), [10, 20]);
    assert_eq!((calls, trace.failure().0), (3, "A"));
}

#[test]
fn wildcards_match_what_the_service_says() {
    let check = |name: &str, answer: Answer, is_match: bool| {
        let fields = json!({ "TimeoutSeconds": 5, "Catch": [{ "ErrorEquals": [name], "Next": "Done" }] });
        let (trace, _) = attempts(fields, [answer]);
        let caught = trace.events.iter().any(|event| matches!(event, ExecutionEvent::Caught { .. }));
        assert_eq!(caught, is_match, "{name}");
    };
    check("States.ALL", Answer::Fail("Anything"), true);
    check("States.ALL", Answer::Hang, true);
    check("States.TaskFailed", Answer::Fail("Anything"), true);
    check("States.TaskFailed", Answer::Hang, false);
    check("States.Timeout", Answer::Hang, true);
    check("States.Timeout", Answer::Fail("Anything"), false);
    check("Anything", Answer::Fail("Anything"), true);
    check("anything", Answer::Fail("Anything"), false);
    check("Any", Answer::Fail("Anything"), false);
}

#[test]
fn the_first_catcher_that_matches_takes_the_error() {
    let check = |catch: Value, expected: &Value| {
        let (trace, _) = attempts(merged(json!({ "OutputPath": "$.never" }), catch), [Answer::Fail("E")]);
        assert_eq!(trace.output(), expected);
        assert_eq!(trace.states(), ["S", "Done"]);
    };
    let error = json!({ "Error": "E", "Cause": "E for a reason" });
    check(json!({ "Catch": [{ "ErrorEquals": ["E"], "Next": "Done" }] }), &error);
    check(
        json!({ "Catch": [{ "ErrorEquals": ["E"], "ResultPath": "$.x.error", "Next": "Done" }] }),
        &json!({ "a": 1, "x": { "error": error } }),
    );
    check(json!({ "Catch": [{ "ErrorEquals": ["E"], "ResultPath": null, "Next": "Done" }] }), &json!({ "a": 1 }));
    check(
        json!({ "Catch": [
            { "ErrorEquals": ["Other"], "ResultPath": "$.wrong", "Next": "Done" },
            { "ErrorEquals": ["E", "F"], "ResultPath": "$.right", "Next": "Done" },
            { "ErrorEquals": ["States.ALL"], "ResultPath": "$.wrong", "Next": "Done" },
        ] }),
        &json!({ "a": 1, "right": error }),
    );
    let unmatched = json!({ "Catch": [{ "ErrorEquals": ["Other"], "Next": "Done" }] });
    assert_eq!(attempts(unmatched, [Answer::Fail("E")]).0.failure().0, "E");
}

#[test]
fn retries_come_before_catch() {
    let fields = json!({
        "Retry": [{ "ErrorEquals": ["E"], "MaxAttempts": 2 }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Done" }],
    });
    let (trace, calls) = attempts(fields, [Answer::Fail("E")]);
    assert_eq!(calls, 3);
    assert_eq!(trace.output()["error"]["Error"], "E");
    let kinds: Vec<&str> = trace
        .events
        .iter()
        .map(|event| match event {
            ExecutionEvent::StateEntered { .. } => "entered",
            ExecutionEvent::StateExited { .. } => "exited",
            ExecutionEvent::TaskFailed { attempt: 1, .. } => "failed 1",
            ExecutionEvent::TaskFailed { attempt: 2, .. } => "failed 2",
            ExecutionEvent::TaskFailed { .. } => "failed 3",
            ExecutionEvent::RetryScheduled { attempt: 2, .. } => "attempt 2",
            ExecutionEvent::RetryScheduled { .. } => "attempt 3",
            ExecutionEvent::Caught { .. } => "caught",
            ExecutionEvent::MapStarted { .. } | ExecutionEvent::ItemEnded { .. } => "of a Map",
            ExecutionEvent::ExecutionSucceeded { .. } => "succeeded",
            ExecutionEvent::ExecutionFailed { .. } => "failed",
        })
        .collect();
    let expected = [
        "entered",
        "failed 1",
        "attempt 2",
        "failed 2",
        "attempt 3",
        "failed 3",
        "caught",
        "exited",
        "entered",
        "exited",
        "succeeded",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_task_that_hangs_times_out_and_may_be_retried() {
    let fields = json!({
        "TimeoutSeconds": 30,
        "Retry": [{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 4, "MaxAttempts": 1 }],
    });
    let (trace, calls) = attempts(fields.clone(), [Answer::Hang, ok()]);
    assert_eq!((trace.states(), calls), (vec!["S", "Done"], 2));
    let slept: Vec<u64> = trace.slept.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(slept, [30, 4]);
    let (trace, _) = attempts(fields, [Answer::Hang]);
    assert_eq!(trace.failure(), ("States.Timeout", "", "S"));
}

#[test]
fn the_timeout_of_the_execution_is_stronger_than_retry_and_catch() {
    let check = |state: Value, answer: Answer, total: u64| {
        let all = json!({
            "Retry": [{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 70 }],
            "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Done" }],
        });
        let definition = merged(with_state(task(merged(state, all))), json!({ "TimeoutSeconds": 100 }));
        let trace = run(&parse(&definition), json!({}), &Script::default().with("work", [answer]));
        assert_eq!((trace.failure().0, trace.failure().2), ("States.Timeout", "S"));
        assert_eq!(trace.slept.iter().map(std::time::Duration::as_secs).sum::<u64>(), total);
    };
    check(json!({}), Answer::Hang, 100);
    check(json!({ "TimeoutSeconds": 100 }), Answer::Hang, 100);
    check(json!({ "TimeoutSeconds": 20 }), Answer::Hang, 100);
    check(json!({}), Answer::Fail("E"), 100);
}

#[test]
fn a_task_error_with_the_name_of_a_final_error_is_still_a_task_error() {
    let fields = json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Done" }] });
    let (trace, _) = attempts(fields, [Answer::Fail("States.Runtime")]);
    assert_eq!(trace.output()["error"]["Error"], "States.Runtime");
}

#[test]
fn every_attempt_gets_its_number_and_a_fresh_payload() {
    let fields = json!({
        "Parameters": { "FunctionName": "work", "Payload": { "count.$": "$$.State.RetryCount", "a.$": "$.a" } },
        "Retry": [{ "ErrorEquals": ["States.ALL"], "MaxAttempts": 2 }],
    });
    let script = Script::default().with("work", [Answer::Fail("A"), Answer::Fail("B"), ok()]);
    run(&parse(&with_state(task(fields))), json!({ "a": 1 }), &script);
    let expected: Vec<Value> = (0..3).map(|count| json!({ "count": count, "a": 1 })).collect();
    assert_eq!(script.payloads("work"), expected);
}

#[test]
fn a_function_error_has_the_shape_that_lambda_gives_it() {
    let failure = TaskFailure::of_function("SourceChanged", "object \"a.csv\" was replaced");
    let cause: Value = serde_json::from_str(&failure.cause).unwrap();
    assert_eq!(cause, json!({ "errorType": "SourceChanged", "errorMessage": "object \"a.csv\" was replaced" }));
    assert_eq!(failure.error, "SourceChanged");
}
