//! The paths of the deployed definition that end in a failure, or come close to one.

use serde_json::{Value, json};

use super::pipeline::{GOOD, check_failure, give, good, machine, planned, processed, run_ref, start, uri, verdict};
use super::support::{Answer, Script, Trace, redriven, run};

#[test]
fn the_bound_of_replans_ends_the_run_as_failed() {
    let script = good()
        .with("validate", [planned(1, "accepted"), planned(2, "accepted"), Answer::Fail("CommitConflict")])
        .with("publish", [Answer::Fail("CommitConflict")]);
    let states = ["Receive", "Validate", "PlanStatus", "Publish", "Replan", "PlanStatus", "Publish", "Replan"];
    let trace = check_failure(&script, &states, "CommitConflict");
    assert_eq!(trace.place().input["run"], run_ref(2));
}

/// Each function of a run with the number of states up to its own.
const STEPS: [(&str, usize); 5] =
    [("validate", 2), ("process", 4), ("quality-check", 6), ("publish", 8), ("notify", 9)];

#[test]
fn any_other_error_fails_the_execution_in_its_task() {
    for (function, count) in STEPS {
        let script = good().with(function, [Answer::Fail("ContractViolation")]);
        let trace = check_failure(&script, &GOOD[..count], "ContractViolation");
        assert_eq!(trace.failure().1, "ContractViolation for a reason");
        assert_eq!(script.payloads(function).len(), 1, "{function} must not be retried");
    }
}

fn redrive(before: &Trace, script: &Script) -> Trace {
    redriven(&machine(), before, json!({ "pipeline": "retail" }), script)
}

#[test]
fn a_redrive_begins_with_the_task_that_failed() {
    for (function, count) in STEPS {
        let failed = start(&good().with(function, [Answer::Fail("Internal")]));
        let script = good();
        let trace = redrive(&failed, &script);
        assert_eq!(trace.states(), GOOD[count - 1..], "{function}");
        // The same call as the one that failed, with everything that the states before it had found.
        assert_eq!(script.payloads(function).len(), 1);
        assert_eq!(trace.output(), start(&good()).output(), "{function}");
        // Twice, and then for good.
        let again = redrive(&failed, &good().with(function, [Answer::Fail("Internal")]));
        assert_eq!(again.failure().2, GOOD[count - 1]);
        assert_eq!(redrive(&again, &good()).output()["run"], run_ref(1));
    }
}

#[test]
fn a_redrive_has_all_retries_and_the_whole_time_again() {
    let throttled = || good().with("process", [Answer::Fail("Lambda.TooManyRequestsException")]);
    let failed = start(&throttled());
    assert_eq!((failed.failure().0, failed.retry_waits().len()), ("Lambda.TooManyRequestsException", 20));
    assert_eq!(redrive(&failed, &throttled()).retry_waits().len(), 20);
}

#[test]
fn an_end_in_a_fail_state_stays_one() {
    let failed = start(&good().with("quality-check", [verdict("maybe")]));
    let trace = redrive(&failed, &good());
    assert_eq!(trace.states(), ["VerdictNotUnderstood"]);
    assert_eq!(trace.failure(), failed.failure());
}

#[test]
fn a_call_without_a_free_place_is_tried_again_for_half_an_hour() {
    let busy = "Lambda.TooManyRequestsException";
    for (function, _) in STEPS {
        let trace = start(&good().with(function, [Answer::Fail(busy)]));
        assert_eq!(trace.failure().0, busy);
        let waits = trace.retry_waits();
        assert_eq!(waits[..9], [10, 15, 22, 33, 50, 75, 113, 120, 120], "{function}");
        let waited: f64 = trace.slept.iter().map(std::time::Duration::as_secs_f64).sum();
        assert!((1881.0..1882.0).contains(&waited), "{function}: {waited}");
        // A free place in between: the call has not counted as another error.
        let answers = [Answer::Fail(busy), Answer::Fail("Throttled"), Answer::Fail(busy)];
        let good = good();
        let answer = |name: &str| match name {
            "validate" => planned(1, "planned"),
            "process" => processed("lambda"),
            "quality-check" => verdict("passed"),
            _ => uri("document"),
        };
        let script = good.with(function, answers.into_iter().chain([answer(function)]));
        assert_eq!(start(&script).retry_waits(), [10, 2, 15], "{function}");
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
    let states = ["Receive", "Validate"];
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
    let states = ["Receive", "Validate", "PlanStatus", "Process"];
    let trace = check_failure(&script, &states, "States.Timeout");
    let slept: Vec<u64> = trace.slept.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(slept, [930, 5, 930]);
}

#[test]
fn what_the_definition_does_not_know_fails_by_name() {
    let plan = |plan: Value| good().with("validate", [give(json!({ "run": run_ref(1), "plan": plan }))]);
    let to_plan = ["Receive", "Validate", "PlanStatus"];
    let to_engine = ["Receive", "Validate", "PlanStatus", "Process", "ChooseEngine"];
    let to_gate = ["Receive", "Validate", "PlanStatus", "Process", "ChooseEngine", "QualityCheck", "Gate"];
    let cases: [(Script, &[&str], &str, &str); 6] = [
        (plan(json!({ "status": "odd" })), &to_plan, "PlanNotUnderstood", "odd"),
        (plan(json!({})), &to_plan, "PlanNotUnderstood", "{}"),
        (good().with("process", [processed("odd")]), &to_engine, "EngineUnavailable", "\"engine\":\"odd\""),
        (good().with("process", [processed("")]), &to_engine, "EngineUnavailable", "changeset.json"),
        (good().with("quality-check", [verdict("maybe")]), &to_gate, "VerdictNotUnderstood", "maybe"),
        (good().with("quality-check", [verdict("")]), &to_gate, "VerdictNotUnderstood", "\"decision\":\"\""),
    ];
    for (script, prefix, error, named) in cases {
        let states = [prefix, &[error]].concat();
        let trace = check_failure(&script, &states, error);
        assert!(trace.failure().1.contains(named), "{}", trace.failure().1);
        assert!(script.payloads("publish").is_empty());
    }
}

#[test]
fn an_answer_of_process_without_its_engine_fails_in_its_state() {
    let states = ["Receive", "Validate", "PlanStatus", "Process"];
    check_failure(&good().with("process", [uri("changeset")]), &states, "States.Runtime");
}

#[test]
fn a_lost_notification_fails_the_execution_and_the_result_stands() {
    let failed = start(&good().with("notify", [Answer::Fail("Internal")]));
    assert_eq!((failed.failure().0, failed.failure().2), ("Internal", "NotifyPublished"));
    assert_eq!(failed.place().input["receipt"]["uri"], "runs/retail/r1/receipt.json");
    assert_eq!(redrive(&failed, &good()).states(), ["NotifyPublished", "Published"]);
}

#[test]
fn any_request_reaches_validate_and_any_failure_keeps_it() {
    for request in [json!("text"), json!([{ "pipeline": "retail" }]), Value::Null, json!({ "error": 1, "run": 2 })] {
        let script = good().with("validate", [Answer::Fail("InvalidInput")]);
        let trace = run(&machine(), request.clone(), &script);
        assert_eq!(trace.failure().0, "InvalidInput");
        assert_eq!(script.payloads("validate")[0]["request"], request);
        assert_eq!(trace.place().input["request"], request);
    }
}
