//! Every path through the deployed definition, with scripted functions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{ExecutionResult, StateMachine};
use super::support::{Answer, Script, Trace, run};

pub(super) const DEFINITION: &str = include_str!("../../../../statemachines/pipeline.asl.json");

/// The states of a good run of the small branch.
pub(super) const GOOD: [&str; 10] = [
    "Receive",
    "Validate",
    "PlanStatus",
    "Process",
    "ChooseEngine",
    "QualityCheck",
    "Gate",
    "Publish",
    "NotifyPublished",
    "Published",
];

pub(super) const FUNCTIONS: [&str; 8] =
    ["validate", "process", "start-emr", "run-etl", "terminate", "quality-check", "publish", "notify"];

pub(super) fn substitutions() -> BTreeMap<String, String> {
    let names = ["Validate", "Process", "StartEmr", "RunEtl", "Terminate", "QualityCheck", "Publish", "Notify"];
    names.iter().zip(FUNCTIONS).map(|(name, function)| (format!("{name}FunctionArn"), function.to_owned())).collect()
}

pub(super) fn machine() -> StateMachine {
    StateMachine::parse(DEFINITION, &substitutions()).unwrap()
}

pub(super) fn give(value: Value) -> Answer {
    Answer::Give(value)
}

pub(super) fn run_ref(attempt: u64) -> Value {
    json!({ "pipeline": "retail", "run_id": "r1", "attempt": attempt })
}

pub(super) fn planned(attempt: u64, status: &str) -> Answer {
    planned_on("lambda", attempt, status)
}

pub(super) fn planned_on(engine: &str, attempt: u64, status: &str) -> Answer {
    let plan = json!({ "status": status, "engine": engine, "uri": format!("runs/retail/r1/plan-{attempt}.json") });
    give(json!({ "run": run_ref(attempt), "plan": plan }))
}

pub(super) fn planned_in_parts(attempt: u64, numbers: &[u64]) -> Answer {
    planned_in_parts_on("lambda", attempt, numbers)
}

/// A plan in parts, of which two are read at the same time.
pub(super) fn planned_in_parts_on(engine: &str, attempt: u64, numbers: &[u64]) -> Answer {
    let uri = format!("runs/retail/r1/plan-{attempt}.json");
    let parts = json!({ "numbers": numbers, "at_once": 2 });
    let plan = json!({ "status": "planned", "engine": engine, "uri": uri, "parts": parts });
    give(json!({ "run": run_ref(attempt), "plan": plan }))
}

/// What process answers about a part.
pub(super) fn part(number: u64) -> Answer {
    let uri = format!("parts/retail/r1/1/part-{number}.json");
    give(json!({ "uri": uri, "part": number, "rows": 10 }))
}

/// What process answers about an attempt: the changeset, or, where Spark combines, what was read.
pub(super) fn processed(engine: &str) -> Answer {
    let document = if engine == "emr" { "read" } else { "changeset" };
    give(json!({ "uri": format!("runs/retail/r1/{document}.json"), "engine": engine, "tables": 3 }))
}

pub(super) fn uri(document: &str) -> Answer {
    give(json!({ "uri": format!("runs/retail/r1/{document}.json"), "more": "not kept" }))
}

pub(super) fn verdict(decision: &str) -> Answer {
    give(json!({ "decision": decision, "uri": "runs/retail/r1/verdict.json" }))
}

/// All functions succeed, and the gate passes.
pub(super) fn good() -> Script {
    Script::default()
        .with("validate", [planned(1, "planned")])
        .with("process", [processed("lambda")])
        .with("quality-check", [verdict("passed")])
        .with("publish", [uri("receipt")])
        .with("notify", [give(Value::Null)])
}

pub(super) fn start(script: &Script) -> Trace {
    run(&machine(), json!({ "pipeline": "retail" }), script)
}

pub(super) fn check_success(script: &Script, states: &[&str]) -> Value {
    let trace = start(script);
    assert_eq!(trace.states(), states);
    match trace.result {
        ExecutionResult::Succeeded { last_state, output } => {
            assert_eq!(Some(&last_state.as_str()), states.last());
            output
        }
        failed @ ExecutionResult::Failed { .. } => panic!("{failed:?}"),
    }
}

pub(super) fn check_failure(script: &Script, states: &[&str], error: &str) -> Trace {
    let trace = start(script);
    assert_eq!(trace.states(), states);
    assert_eq!((trace.failure().0, trace.failure().2), (error, *states.last().unwrap()));
    trace
}

#[test]
fn a_good_run_is_published() {
    let script = good();
    let output = check_success(&script, &GOOD);
    let expected = json!({
        "request": { "pipeline": "retail" },
        "run": run_ref(1),
        "plan": { "status": "planned", "engine": "lambda", "uri": "runs/retail/r1/plan-1.json" },
        "processed": { "uri": "runs/retail/r1/changeset.json", "engine": "lambda" },
        "verdict": { "decision": "passed", "uri": "runs/retail/r1/verdict.json" },
        "receipt": { "uri": "runs/retail/r1/receipt.json" },
    });
    assert_eq!(output, expected);
    let request = json!({ "execution_name": "run-1", "request": { "pipeline": "retail" } });
    assert_eq!(script.payloads("validate"), [request]);
    for function in ["process", "quality-check", "publish"] {
        assert_eq!(script.payloads(function), [json!({ "run": run_ref(1) })], "{function}");
    }
    let message = json!({ "outcome": "published", "execution_name": "run-1", "state": expected });
    assert_eq!(script.payloads("notify"), [message]);
}

#[test]
fn nothing_new_is_skipped() {
    let script = good().with("validate", [planned(1, "skipped")]);
    let states = ["Receive", "Validate", "PlanStatus", "NotifySkipped", "Skipped"];
    let output = check_success(&script, &states);
    assert_eq!(output["plan"]["status"], "skipped");
    assert_eq!(script.payloads("notify")[0]["outcome"], "skipped");
}

#[test]
fn a_rejection_is_a_result_and_publishes_nothing() {
    let script = good().with("quality-check", [verdict("rejected")]);
    check_success(
        &script,
        &[
            "Receive",
            "Validate",
            "PlanStatus",
            "Process",
            "ChooseEngine",
            "QualityCheck",
            "Gate",
            "NotifyRejected",
            "Rejected",
        ],
    );
    assert_eq!(script.payloads("notify")[0]["outcome"], "rejected");
    assert!(script.payloads("publish").is_empty());
}

#[test]
fn an_accepted_run_is_published_without_processing() {
    let script = good().with("validate", [planned(1, "accepted")]);
    let states = ["Receive", "Validate", "PlanStatus", "Publish", "NotifyPublished", "Published"];
    let output = check_success(&script, &states);
    assert_eq!(output.get("processed"), None);
    assert!(script.payloads("process").is_empty());
}

#[test]
fn an_accepted_verdict_passes_the_gate() {
    let script = good().with("quality-check", [verdict("accepted")]);
    let output = check_success(&script, &GOOD);
    assert_eq!(output["verdict"]["decision"], "accepted");
}

#[test]
fn a_commit_conflict_plans_again_and_forgets_the_old_attempt() {
    let script = good()
        .with("validate", [planned(1, "planned"), planned(2, "planned")])
        .with("publish", [Answer::Fail("CommitConflict"), uri("receipt")]);
    let output = check_success(
        &script,
        &[
            "Receive",
            "Validate",
            "PlanStatus",
            "Process",
            "ChooseEngine",
            "QualityCheck",
            "Gate",
            "Publish",
            "Replan",
            "PlanStatus",
            "Process",
            "ChooseEngine",
            "QualityCheck",
            "Gate",
            "Publish",
            "NotifyPublished",
            "Published",
        ],
    );
    assert_eq!(output["run"]["attempt"], 2);
    assert_eq!(output.get("error"), None);
    let conflict = json!({ "Error": "CommitConflict", "Cause": "CommitConflict for a reason" });
    let replan = json!({ "run": run_ref(1), "request": { "pipeline": "retail" }, "conflict": conflict });
    assert_eq!(script.payloads("validate")[1], replan);
    assert_eq!(script.payloads("process")[1], json!({ "run": run_ref(2) }));
}

#[test]
fn a_changed_source_plans_again_and_may_find_nothing_left() {
    let script = good()
        .with("validate", [planned(1, "planned"), planned(2, "skipped")])
        .with("process", [Answer::Fail("SourceChanged")]);
    let states = ["Receive", "Validate", "PlanStatus", "Process", "Replan", "PlanStatus", "NotifySkipped", "Skipped"];
    check_success(&script, &states);
    assert_eq!(script.payloads("validate")[1]["conflict"]["Error"], "SourceChanged");
}
