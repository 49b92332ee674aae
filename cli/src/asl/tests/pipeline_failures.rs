//! The paths of the deployed definition that end in a failure, or come close to one.

use serde_json::{Value, json};

use super::super::ExecutionEvent;
use super::pipeline::{check_failure, give, good, machine, planned, run_ref, start, uri, verdict};
use super::support::{Answer, Script, run};

#[test]
fn the_bound_of_replans_ends_the_run_as_failed() {
    let script = good()
        .with("validate", [planned(1, "accepted"), planned(2, "accepted"), Answer::Fail("CommitConflict")])
        .with("publish", [Answer::Fail("CommitConflict")]);
    let states = [
        "Receive",
        "Validate",
        "PlanStatus",
        "Publish",
        "Replan",
        "PlanStatus",
        "Publish",
        "Replan",
        "NotifyFailed",
        "Failed",
    ];
    check_failure(&script, &states, "CommitConflict");
    assert_eq!(script.payloads("notify")[0]["state"]["run"], run_ref(2));
}

#[test]
fn any_other_error_is_reported_and_fails_the_execution() {
    let prefix = ["Receive", "Validate", "PlanStatus", "ChooseEngine", "Process", "QualityCheck", "Gate", "Publish"];
    let cases = [("validate", 2), ("process", 5), ("quality-check", 6), ("publish", 8)];
    for (function, count) in cases {
        let script = good().with(function, [Answer::Fail("ContractViolation")]);
        let states = [&prefix[..count], &["NotifyFailed", "Failed"]].concat();
        let trace = check_failure(&script, &states, "ContractViolation");
        assert_eq!(trace.failure().1, "ContractViolation for a reason");
        let messages = script.payloads("notify");
        assert_eq!((messages.len(), &messages[0]["outcome"]), (1, &json!("failed")), "{function}");
        let error = json!({ "Error": "ContractViolation", "Cause": "ContractViolation for a reason" });
        assert_eq!(messages[0]["state"]["error"], error, "{function}");
        assert_eq!(script.payloads(function).len(), 1, "{function} must not be retried");
    }
}

#[test]
fn transient_errors_are_retried_and_then_forgotten() {
    let script =
        good().with("publish", [Answer::Fail("Throttled"), Answer::Fail("Lambda.ServiceException"), uri("receipt")]);
    let trace = start(&script);
    assert_eq!(trace.output()["receipt"]["uri"], "runs/retail/r1/receipt.json");
    assert_eq!(trace.retry_waits(), [2, 4]);
}

#[test]
fn exhausted_retries_fail_the_execution() {
    let states = ["Receive", "Validate", "NotifyFailed", "Failed"];
    let script = good().with("validate", [Answer::Fail("Unavailable")]);
    let trace = check_failure(&script, &states, "Unavailable");
    assert_eq!(trace.retry_waits(), [2, 4, 8, 16, 32]);
    let script = good().with("validate", [Answer::Fail("Runtime.ExitError")]);
    let trace = check_failure(&script, &states, "Runtime.ExitError");
    assert_eq!(trace.retry_waits(), [5]);
}

#[test]
fn a_hanging_function_times_out_once_again_and_fails_the_execution() {
    let script = good().with("process", [Answer::Hang]);
    let states = ["Receive", "Validate", "PlanStatus", "ChooseEngine", "Process", "NotifyFailed", "Failed"];
    let trace = check_failure(&script, &states, "States.Timeout");
    let slept: Vec<u64> = trace.slept.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(slept, [930, 5, 930]);
}

#[test]
fn what_the_definition_does_not_know_fails_by_name() {
    let plan = |plan: Value| good().with("validate", [give(json!({ "run": run_ref(1), "plan": plan }))]);
    let to_plan = ["Receive", "Validate", "PlanStatus"];
    let to_engine = ["Receive", "Validate", "PlanStatus", "ChooseEngine"];
    let to_gate = ["Receive", "Validate", "PlanStatus", "ChooseEngine", "Process", "QualityCheck", "Gate"];
    let cases: [(Script, &[&str], &str, &str); 6] = [
        (plan(json!({ "status": "odd" })), &to_plan, "PlanNotUnderstood", "odd"),
        (plan(json!({})), &to_plan, "PlanNotUnderstood", "{}"),
        (plan(json!({ "status": "planned", "engine": "odd" })), &to_engine, "EngineUnavailable", "\"engine\":\"odd\""),
        (plan(json!({ "status": "planned" })), &to_engine, "EngineUnavailable", "planned"),
        (good().with("quality-check", [verdict("maybe")]), &to_gate, "VerdictNotUnderstood", "maybe"),
        (good().with("quality-check", [verdict("")]), &to_gate, "VerdictNotUnderstood", "\"decision\":\"\""),
    ];
    for (script, prefix, error, named) in cases {
        let states = [prefix, &[error, "NotifyFailed", "Failed"]].concat();
        let trace = check_failure(&script, &states, error);
        assert!(trace.failure().1.contains(named), "{}", trace.failure().1);
        assert!(script.payloads("publish").is_empty());
    }
}

#[test]
fn a_lost_notification_is_reported_and_the_result_stands() {
    let lost = good().with("notify", [Answer::Fail("Internal")]);
    let trace = start(&lost);
    assert_eq!(trace.states()[8..], ["NotifyPublished", "Unannounced"]);
    let (error, cause, _) = trace.failure();
    assert_eq!(error, "NotificationFailed");
    assert!(cause.contains("needs no repair") && cause.ends_with("Internal: Internal for a reason"), "{cause}");
    let entered = trace.events.iter().rev().find_map(|event| match event {
        ExecutionEvent::StateEntered { input, .. } => Some(input),
        _ => None,
    });
    assert_eq!(entered.unwrap()["receipt"]["uri"], "runs/retail/r1/receipt.json");
}

#[test]
fn a_failed_run_shows_its_own_error_when_notify_fails_too() {
    let script = good().with("process", [Answer::Fail("ContractViolation")]).with("notify", [Answer::Fail("Internal")]);
    let states = ["Receive", "Validate", "PlanStatus", "ChooseEngine", "Process", "NotifyFailed", "Failed"];
    check_failure(&script, &states, "ContractViolation");
}

#[test]
fn any_request_reaches_validate_and_any_failure_keeps_it() {
    for request in [json!("text"), json!([1]), Value::Null, json!({ "error": 1, "run": 2 })] {
        let script = good().with("validate", [Answer::Fail("InvalidInput")]);
        let trace = run(&machine(), request.clone(), &script);
        assert_eq!(trace.failure().0, "InvalidInput");
        assert_eq!(script.payloads("validate")[0]["request"], request);
        assert_eq!(script.payloads("notify")[0]["state"]["request"], request);
    }
}
