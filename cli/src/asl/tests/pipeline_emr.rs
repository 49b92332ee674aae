//! The branch of the deployed definition that runs on Spark on EMR, with scripted functions.

use serde_json::{Value, json};

use super::pipeline::{
    GOOD, check_failure, check_success, give, good, machine, part, planned_in_parts_on, planned_on, processed, run_ref,
    start, uri, verdict,
};
use super::support::{Answer, Script, Trace, redriven};

const TO_CLUSTER: [&str; 8] =
    ["Receive", "Validate", "PlanStatus", "Process", "ChooseEngine", "BeginCluster", "StartEmr", "ClusterStatus"];
const TO_ETL: [&str; 3] = ["BeginEtl", "RunEtl", "EtlStatus"];
const FROM_DONE: [&str; 6] = ["TerminateEmr", "QualityCheck", "Gate", "Publish", "NotifyPublished", "Published"];
const FAILED: [&str; 2] = ["TerminateAfterFailure", "ReplanAfterFailure"];

fn cluster(status: &str, poll: u64) -> Answer {
    // A launch whose answer was lost has no id yet.
    let id = if poll == 1 { Value::Null } else { json!("j-1") };
    give(json!({ "cluster_id": id, "status": status, "poll": poll, "wait_seconds": 15, "terminated": [] }))
}

fn etl(status: &str, poll: u64) -> Answer {
    let id = if poll == 1 { Value::Null } else { json!("s-1") };
    give(json!({ "step_id": id, "status": status, "poll": poll, "wait_seconds": 10 }))
}

/// All functions succeed, and Spark combines.
fn good_on_spark() -> Script {
    good()
        .with("validate", [planned_on("emr", 1, "planned")])
        .with("process", [processed("emr")])
        .with("start-emr", [cluster("starting", 1), cluster("ready", 2)])
        .with("run-etl", [etl("pending", 1), etl("running", 2), etl("completed", 3)])
        .with("terminate", [give(json!({ "clusters": [{ "cluster_id": "j-1", "status": "terminating" }] }))])
}

/// What validate answers after this failure, before a redrive: the failure.
fn failing_with(script: Script, error: &'static str) -> Script {
    script.with("validate", [planned_on("emr", 1, "planned"), Answer::Fail(error)])
}

fn through(parts: &[&[&'static str]]) -> Vec<&'static str> {
    parts.concat()
}

#[test]
fn a_good_run_polls_terminates_and_is_published() {
    let script = good_on_spark();
    let states = through(&[
        &TO_CLUSTER,
        &["WaitForCluster", "StartEmr", "ClusterStatus"],
        &TO_ETL,
        &["WaitForEtl", "RunEtl", "EtlStatus", "WaitForEtl", "RunEtl", "EtlStatus"],
        &FROM_DONE,
    ]);
    let output = check_success(&script, &states);
    let run = run_ref(1);
    assert_eq!(script.payloads("start-emr"), [json!({ "run": run, "poll": 0 }), json!({ "run": run, "poll": 1 })]);
    let polls = |poll: u64| json!({ "run": run, "cluster_id": "j-1", "poll": poll });
    assert_eq!(script.payloads("run-etl"), [polls(0), polls(1), polls(2)]);
    assert_eq!(script.payloads("terminate"), [json!({ "run": run })]);
    assert_eq!(script.payloads("quality-check"), [json!({ "run": run })]);
    assert_eq!(script.payloads("process"), [json!({ "run": run })]);
    let expected = json!({
        "request": { "pipeline": "retail" },
        "run": run,
        "plan": { "status": "planned", "engine": "emr", "uri": "runs/retail/r1/plan-1.json" },
        "processed": { "uri": "runs/retail/r1/read.json", "engine": "emr" },
        "cluster": { "cluster_id": "j-1", "status": "ready", "poll": 2, "wait_seconds": 15 },
        "etl": { "step_id": "s-1", "status": "completed", "poll": 3, "wait_seconds": 10 },
        "verdict": { "decision": "passed", "uri": "runs/retail/r1/verdict.json" },
        "receipt": { "uri": "runs/retail/r1/receipt.json" },
    });
    assert_eq!(output, expected);
    assert_eq!(script.payloads("notify")[0]["state"], expected);
}

/// Names of the functions that were called, in their order.
fn called(script: &Script) -> Vec<String> {
    script.calls.lock().unwrap().iter().map(|(function, _)| function.clone()).collect()
}

#[test]
fn a_plan_in_parts_is_read_before_a_cluster_is_requested() {
    let script = good_on_spark()
        .with("validate", [planned_in_parts_on("emr", 1, &[1, 2])])
        .with("process", [part(1), part(2), processed("emr")]);
    let trace = start(&script);
    let states = trace.states();
    assert_eq!(states[..3], TO_CLUSTER[..3]);
    assert_eq!(states[3], "Read");
    assert_eq!(states[4..9], TO_CLUSTER[3..]);
    assert_eq!(states[states.len() - 6..], FROM_DONE);
    assert_eq!(called(&script)[..5], ["validate", "process", "process", "process", "start-emr"]);
    let run = run_ref(1);
    let parts = [1, 2].map(|number| json!({ "run": run, "part": number }));
    assert_eq!(script.payloads("process"), [&parts[..], &[json!({ "run": run })]].concat());
    let output = trace.output();
    assert_eq!(output["processed"], json!({ "uri": "runs/retail/r1/read.json", "engine": "emr" }));
    assert_eq!(script.payloads("quality-check"), [json!({ "run": run })]);
}

#[test]
fn process_says_which_engine_combines_whatever_the_plan_names() {
    for named in ["lambda", "emr", "odd"] {
        let script = good_on_spark().with("validate", [planned_on(named, 1, "planned")]);
        assert_eq!(start(&script).states()[..8], TO_CLUSTER, "{named}");
        let script = script.with("process", [processed("lambda")]);
        assert_eq!(start(&script).states(), GOOD, "{named}");
    }
}

#[test]
fn what_process_meets_plans_again_or_fails_without_a_cluster() {
    for error in ["SourceChanged", "ObjectsHeld", "CommitConflict"] {
        let met = |next: Answer| {
            good_on_spark()
                .with("validate", [planned_on("emr", 1, "planned"), next])
                .with("process", [Answer::Fail(error), processed("emr")])
        };
        let script = met(planned_on("emr", 2, "skipped"));
        check_success(&script, &through(&[&TO_CLUSTER[..4], &["Replan", "PlanStatus", "NotifySkipped", "Skipped"]]));
        assert_eq!(script.payloads("validate")[1]["conflict"]["Error"], error);
        assert_eq!(called(&script), ["validate", "process", "validate", "notify"], "{error}");
        // The next attempt has the only cluster.
        let script = met(planned_on("emr", 2, "planned"));
        let trace = start(&script);
        assert_eq!((&trace.output()["run"], trace.output().get("error")), (&run_ref(2), None), "{error}");
        assert_eq!(called(&script)[..5], ["validate", "process", "validate", "process", "start-emr"], "{error}");
        assert!(script.payloads("start-emr").iter().all(|payload| payload["run"] == run_ref(2)), "{error}");
        assert_eq!(script.payloads("terminate"), [json!({ "run": run_ref(2) })], "{error}");
    }
    for error in ["ContractViolation", "NotFound", "Internal", "AccessDenied"] {
        let script = good_on_spark().with("process", [Answer::Fail(error)]);
        check_failure(&script, &TO_CLUSTER[..4], error);
        assert_eq!(called(&script), ["validate", "process"], "{error}");
    }
}

#[test]
fn the_function_says_how_long_to_wait() {
    let slept: Vec<u64> = start(&good_on_spark()).slept.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(slept, [15, 10, 10]);
}

#[test]
fn every_failure_of_the_branch_terminates_the_cluster_and_ends_in_a_task() {
    let odd = |function: &str, answer: Answer| good_on_spark().with(function, [answer]);
    let starting: Vec<Answer> = (1..=60).map(|poll| cluster("starting", poll)).collect();
    let running: Vec<Answer> = (1..=240).map(|poll| etl("running", poll)).collect();
    let cluster_loop = ["WaitForCluster", "StartEmr", "ClusterStatus"].repeat(59);
    let etl_loop = ["WaitForEtl", "RunEtl", "EtlStatus"].repeat(239);
    let ready = through(&[&TO_CLUSTER, &["WaitForCluster", "StartEmr", "ClusterStatus"]]);
    let cases: [(Script, Vec<&str>, &str); 8] = [
        (odd("start-emr", Answer::Fail("ClusterFailed")), TO_CLUSTER[..7].to_vec(), "ClusterFailed"),
        (odd("start-emr", cluster("odd", 2)), through(&[&TO_CLUSTER, &["ClusterNotUnderstood"]]), "ClusterFailed"),
        (
            good_on_spark().with("start-emr", starting),
            through(&[&TO_CLUSTER, &cluster_loop, &["ClusterOverdue"]]),
            "ClusterFailed",
        ),
        (odd("run-etl", Answer::Fail("EtlFailed")), through(&[&ready, &TO_ETL[..2]]), "EtlFailed"),
        (odd("run-etl", Answer::Fail("ClusterFailed")), through(&[&ready, &TO_ETL[..2]]), "ClusterFailed"),
        (odd("run-etl", Answer::Fail("Internal")), through(&[&ready, &TO_ETL[..2]]), "Internal"),
        (odd("run-etl", etl("odd", 2)), through(&[&ready, &TO_ETL, &["EtlNotUnderstood"]]), "EtlFailed"),
        (
            good_on_spark().with("run-etl", running),
            through(&[&ready, &TO_ETL, &etl_loop, &["EtlOverdue"]]),
            "EtlFailed",
        ),
    ];
    for (script, prefix, error) in cases {
        let script = failing_with(script, error);
        let trace = check_failure(&script, &through(&[&prefix, &FAILED]), error);
        assert_eq!(script.payloads("terminate"), [json!({ "run": run_ref(1) })], "{error}");
        let asked = &script.payloads("validate")[1];
        assert_eq!((&asked["run"], &asked["request"]), (&run_ref(1), &json!({ "pipeline": "retail" })));
        assert_eq!(asked["failure"]["Error"], error);
        assert!(asked["failure"]["Cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{asked}");
        assert_eq!(trace.place().input.get("terminate_error"), None);
        assert!(script.payloads("publish").is_empty());
    }
}

#[test]
fn a_poll_count_that_is_not_a_number_ends_the_loop() {
    let poll =
        |value: Value| give(json!({ "cluster_id": "j-1", "status": "starting", "poll": value, "wait_seconds": 1 }));
    let script = failing_with(good_on_spark().with("start-emr", [poll(json!("1"))]), "ClusterFailed");
    check_failure(&script, &through(&[&TO_CLUSTER, &["ClusterOverdue"], &FAILED]), "ClusterFailed");
}

#[test]
fn a_cluster_that_cannot_be_terminated_fails_no_good_run() {
    let script = good_on_spark().with("terminate", [Answer::Fail("Internal")]);
    let trace = start(&script);
    assert_eq!(trace.states()[trace.states().len() - 6..], FROM_DONE);
    assert_eq!(trace.output()["terminate_error"]["Error"], "Internal");
    assert_eq!(trace.output().get("error"), None);
    assert_eq!(script.payloads("notify")[0]["outcome"], "published");
}

#[test]
fn a_failed_run_keeps_its_own_error_when_its_cluster_cannot_be_terminated() {
    let script =
        good_on_spark().with("run-etl", [Answer::Fail("EtlFailed")]).with("terminate", [Answer::Fail("Internal")]);
    let trace = start(&failing_with(script, "EtlFailed"));
    assert_eq!((trace.failure().0, trace.failure().2), ("EtlFailed", "ReplanAfterFailure"));
    let input = trace.place().input;
    assert_eq!(
        (&input["error"]["Error"], &input["terminate_error"]["Error"]),
        (&json!("EtlFailed"), &json!("Internal"))
    );
}

fn redrive(before: &Trace, script: &Script) -> Trace {
    redriven(&machine(), before, json!({ "pipeline": "retail" }), script)
}

#[test]
fn a_redrive_after_a_failed_cluster_plans_the_next_attempt_on_another_cluster() {
    for (function, error) in [("start-emr", "ClusterFailed"), ("run-etl", "EtlFailed"), ("quality-check", "EtlFailed")]
    {
        let failed = start(&failing_with(good_on_spark().with(function, [Answer::Fail(error)]), error));
        assert_eq!((failed.failure().0, failed.failure().2), (error, "ReplanAfterFailure"), "{function}");
        let script = good_on_spark().with("validate", [planned_on("emr", 2, "planned")]);
        let trace = redrive(&failed, &script);
        let states = trace.states();
        assert_eq!(states[..4], ["ReplanAfterFailure", "PlanStatus", "Process", "ChooseEngine"], "{function}");
        assert_eq!(states[states.len() - 6..], FROM_DONE, "{function}");
        let output = trace.output();
        assert_eq!((&output["run"], output.get("error")), (&run_ref(2), None), "{function}");
        assert_eq!(script.payloads("process"), [json!({ "run": run_ref(2) })]);
        assert_eq!(script.payloads("start-emr")[0], json!({ "run": run_ref(2), "poll": 0 }));
        assert_eq!(script.payloads("terminate"), [json!({ "run": run_ref(2) })]);
    }
}

/// The rule for ended executions has closed the attempt and ended its cluster, wherever the execution was cut off.
#[test]
fn a_redrive_of_a_stopped_run_finds_its_attempt_closed_and_plans_the_next_one() {
    let cut_off = start(&good_on_spark());
    let closed = || {
        good_on_spark()
            .with("validate", [planned_on("emr", 2, "planned")])
            .with("start-emr", [Answer::Fail("ClusterFailed"), cluster("starting", 1), cluster("ready", 2)])
            .with("run-etl", [Answer::Fail("ClusterFailed"), etl("completed", 1)])
    };
    for state in ["StartEmr", "WaitForCluster", "RunEtl", "WaitForEtl"] {
        // The answer of a closed attempt comes from the function that is called first.
        let script = if state.ends_with("Etl") {
            closed().with("start-emr", [cluster("starting", 1), cluster("ready", 2)])
        } else {
            closed().with("run-etl", [etl("completed", 1)])
        };
        let trace = redriven(&machine(), &cut_off.up_to(state), json!({ "pipeline": "retail" }), &script);
        let states = trace.states();
        let at = states.iter().position(|name| *name == "TerminateAfterFailure").unwrap();
        assert_eq!(states[at + 1..at + 3], ["ReplanAfterFailure", "PlanStatus"], "{state}");
        assert_eq!(trace.output()["run"], run_ref(2), "{state}");
    }
}

#[test]
fn a_conflict_plans_again_and_forgets_the_cluster() {
    let check = |script: Script, engine: &str| {
        let script = script
            .with("validate", [planned_on("emr", 1, "planned"), planned_on(engine, 2, "planned")])
            .with("process", [processed("emr"), processed(engine)]);
        let output = start(&script).output().clone();
        assert_eq!((&output["run"]["attempt"], &output["processed"]["engine"]), (&json!(2), &json!(engine)));
        assert_eq!(script.payloads("process"), [json!({ "run": run_ref(1) }), json!({ "run": run_ref(2) })]);
        assert_eq!((output.get("error"), output.get("terminate_error")), (None, None), "{engine}");
        let runs: Vec<Value> = script.payloads("start-emr").iter().map(|payload| payload["run"].clone()).collect();
        if engine == "emr" {
            assert_eq!(runs, [run_ref(1), run_ref(1), run_ref(2)]);
            let polls: Vec<Value> = script.payloads("run-etl").iter().map(|payload| payload["poll"].clone()).collect();
            assert_eq!(polls, [0, 1, 2, 0]);
            assert_eq!(script.payloads("terminate"), [json!({ "run": run_ref(1) }), json!({ "run": run_ref(2) })]);
            assert_eq!(output["cluster"]["status"], "ready");
        } else {
            assert_eq!(runs, [run_ref(1), run_ref(1)]);
            assert_eq!((output.get("cluster"), output.get("etl")), (None, None));
        }
    };
    for engine in ["emr", "lambda"] {
        for conflict in ["ObjectsHeld", "CommitConflict"] {
            check(good_on_spark().with("quality-check", [Answer::Fail(conflict), verdict("passed")]), engine);
        }
        check(good_on_spark().with("publish", [Answer::Fail("CommitConflict"), uri("receipt")]), engine);
        // The terminate of the first attempt fails, and is forgotten with it.
        let lost = good_on_spark().with("terminate", [Answer::Fail("Internal"), give(json!({ "clusters": [] }))]);
        check(lost.with("quality-check", [Answer::Fail("ObjectsHeld"), verdict("passed")]), engine);
    }
}
