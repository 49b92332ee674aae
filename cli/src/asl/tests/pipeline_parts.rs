//! The deployed definition with plans that are read in parts, with scripted functions.

use serde_json::{Value, json};

use super::super::limit::PAYLOAD_LIMIT_BYTES;
use super::super::{ExecutionEvent, ItemEnd};
use super::pipeline::{
    GOOD, check_failure, check_success, give, good, machine, part, planned, planned_in_parts, processed, run_ref, start,
};
use super::support::{Answer, Script, Trace, redriven};

/// The states up to the one that reads the parts.
const TO_READ: [&str; 4] = ["Receive", "Validate", "PlanStatus", "Read"];

/// The states of a good run that is read in parts.
fn good_states() -> Vec<&'static str> {
    [&TO_READ[..], &GOOD[3..]].concat()
}

/// A run in three parts, with these answers of process.
fn in_parts(answers: impl IntoIterator<Item = Answer>) -> Script {
    good().with("validate", [planned_in_parts(1, &[1, 2, 3])]).with("process", answers)
}

/// What process is asked: about a part, or without one to combine all.
fn asked(number: Option<u64>) -> Value {
    match number {
        Some(number) => json!({ "run": run_ref(1), "part": number }),
        None => json!({ "run": run_ref(1) }),
    }
}

/// Names of the states of items that an error was caught in, with that error.
fn caught(trace: &Trace) -> Vec<(&str, &str, &str)> {
    let caught = trace.events.iter().filter_map(|event| match event {
        ExecutionEvent::Caught { name, error, next, .. } => Some((name.as_str(), error.as_str(), next.as_str())),
        _ => None,
    });
    caught.collect()
}

#[test]
fn a_plan_in_parts_is_read_before_it_is_processed() {
    let script = in_parts([part(1), part(2), part(3), processed("lambda")]);
    let output = check_success(&script, &good_states());
    let calls = [Some(1), Some(2), Some(3), None].map(asked);
    assert_eq!(script.payloads("process"), calls);
    let parts = json!({ "numbers": [1, 2, 3], "at_once": 2 });
    let expected = json!({
        "request": { "pipeline": "retail" },
        "run": run_ref(1),
        "plan": { "status": "planned", "engine": "lambda", "uri": "runs/retail/r1/plan-1.json", "parts": parts },
        "processed": { "uri": "runs/retail/r1/changeset.json", "engine": "lambda" },
        "verdict": { "decision": "passed", "uri": "runs/retail/r1/verdict.json" },
        "receipt": { "uri": "runs/retail/r1/receipt.json" },
    });
    assert_eq!(output, expected, "nothing of the parts is in the state data");
    assert_eq!(script.payloads("quality-check"), [json!({ "run": run_ref(1) })]);
}

#[test]
fn a_plan_with_parts_is_read_in_parts_for_every_engine() {
    let check = |plan: Value, next: &str| {
        let planned = give(json!({ "run": run_ref(1), "plan": plan }));
        let script = good().with("validate", [planned]).with("process", [Answer::Fail("Internal")]);
        assert_eq!(start(&script).states()[3], next, "{plan}");
    };
    let parts = json!({ "numbers": [1], "at_once": 1 });
    for engine in ["lambda", "emr"] {
        check(json!({ "status": "planned", "engine": engine, "parts": parts }), "Read");
        check(json!({ "status": "planned", "engine": engine }), "Process");
    }
    check(json!({ "status": "skipped", "engine": "lambda", "parts": parts }), "NotifySkipped");
    check(json!({ "status": "accepted", "engine": "lambda", "parts": parts }), "Publish");
}

#[test]
fn a_part_that_fails_is_left_to_process_which_fails_under_its_name() {
    let states = [&TO_READ[..], &["Process"]].concat();
    for error in ["ContractViolation", "Internal", "AccessDenied", "NotFound"] {
        let script = in_parts([part(1), Answer::Fail(error), part(3), Answer::Fail(error)]);
        let trace = check_failure(&script, &states, error);
        assert_eq!(trace.failure().1, format!("{error} for a reason"));
        assert_eq!(caught(&trace), [("ReadPart", error, "LeftToProcess")]);
        assert_eq!(script.payloads("process"), [Some(1), Some(2), Some(3), None].map(asked), "{error}");
    }
}

#[test]
fn a_part_that_is_left_may_be_read_by_process() {
    let check = |error: &'static str, attempts: usize| {
        let failing = std::iter::repeat_n(Answer::Fail(error), attempts);
        let answers = [part(1)].into_iter().chain(failing).chain([part(3), processed("lambda")]);
        let script = in_parts(answers);
        let output = check_success(&script, &good_states());
        assert_eq!(output["receipt"]["uri"], "runs/retail/r1/receipt.json", "{error}");
        assert_eq!(script.payloads("process").len(), 3 + attempts, "{error}");
    };
    check("ContractViolation", 1);
    // Memory, a lost answer, the end of its 15 minutes: once more, and then left to process.
    check("Runtime.ExitError", 2);
    check("Sandbox.Timedout", 2);
    check("Throttled", 6);
    check("Lambda.TooManyRequestsException", 21);
}

#[test]
fn a_part_is_retried_as_process_is() {
    let busy = "Lambda.TooManyRequestsException";
    let answers = [Answer::Fail(busy), part(1), Answer::Fail("Throttled"), part(2), part(3), processed("lambda")];
    let script = in_parts(answers);
    let trace = start(&script);
    assert_eq!(trace.retry_waits(), [10, 2]);
    assert_eq!(script.payloads("process"), [Some(1), Some(1), Some(2), Some(2), Some(3), None].map(asked));
    assert_eq!(trace.states(), good_states());

    let script = in_parts([Answer::Hang, Answer::Hang, part(2), part(3), processed("lambda")]);
    let trace = start(&script);
    let slept: Vec<u64> = trace.slept.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(slept, [930, 5, 930]);
    assert_eq!(caught(&trace), [("ReadPart", "States.Timeout", "LeftToProcess")]);
    assert_eq!(trace.states(), good_states());
}

#[test]
fn a_changed_source_plans_again_and_reads_the_parts_of_the_next_attempt() {
    let script = good().with("validate", [planned_in_parts(1, &[1, 2]), planned_in_parts(2, &[1])]).with(
        "process",
        [part(1), Answer::Fail("SourceChanged"), Answer::Fail("SourceChanged"), part(1), processed("lambda")],
    );
    let replanned = ["Replan", "PlanStatus", "Read"];
    let output = check_success(&script, &[&TO_READ[..], &["Process"], &replanned, &GOOD[3..]].concat());
    assert_eq!((&output["run"], output.get("error")), (&run_ref(2), None));
    let second = |number: u64| json!({ "run": run_ref(2), "part": number });
    assert_eq!(script.payloads("process")[3..], [second(1), json!({ "run": run_ref(2) })]);

    // The next attempt may be small enough for one call.
    let script = good()
        .with("validate", [planned_in_parts(1, &[1]), planned(2, "planned")])
        .with("process", [part(1), Answer::Fail("ObjectsHeld"), processed("lambda")]);
    check_success(&script, &[&TO_READ[..], &["Process"], &replanned[..2], &GOOD[3..]].concat());
}

#[test]
fn an_answer_that_is_not_one_about_a_part_fails_the_map() {
    let script = in_parts([part(1), processed("lambda")]);
    let trace = check_failure(&script, &TO_READ, "States.ExceedToleratedFailureThreshold");
    let ends = trace.events.iter().filter_map(|event| match event {
        ExecutionEvent::ItemEnded { index, end, .. } => Some((*index, end.clone())),
        _ => None,
    });
    let read = ItemEnd::Output(json!({ "part": 1, "rows": 10 }));
    assert_eq!(ends.collect::<Vec<_>>(), [(0, read), (1, ItemEnd::Error("States.Runtime".to_owned()))]);
    // A redrive reads all parts again: those that have a document answer at once.
    let script = in_parts([part(1), part(2), part(3), processed("lambda")]);
    let after = redriven(&machine(), &trace, json!({ "pipeline": "retail" }), &script);
    assert_eq!(after.states(), good_states()[3..]);
    assert_eq!(script.payloads("process"), [Some(1), Some(2), Some(3), None].map(asked));
}

#[test]
fn a_redrive_of_process_does_not_read_the_parts_again() {
    let failed = start(&in_parts([part(1), part(2), part(3), Answer::Fail("Internal")]));
    assert_eq!(failed.failure().2, "Process");
    let script = in_parts([processed("lambda")]);
    let after = redriven(&machine(), &failed, json!({ "pipeline": "retail" }), &script);
    assert_eq!(after.states(), GOOD[3..]);
    assert_eq!(script.payloads("process"), [asked(None)]);
}

/// The most parts that a plan has.
const MAX_PARTS: u64 = 1000;

#[test]
fn as_many_parts_as_a_plan_can_have_are_read() {
    let numbers: Vec<u64> = (1..=MAX_PARTS).collect();
    let answers = numbers.iter().map(|number| part(*number)).chain([processed("lambda")]);
    let script = good().with("validate", [planned_in_parts(1, &numbers)]).with("process", answers);
    check_success(&script, &good_states());
    assert_eq!(script.payloads("process").len(), 1001);
    // Should the service count the answers before it drops them.
    let answer = json!({ "part": MAX_PARTS, "rows": u64::MAX }).to_string();
    assert!(1000 * (answer.len() + 1) < PAYLOAD_LIMIT_BYTES / 2, "{answer}");
}
