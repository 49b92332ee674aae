//! Faults that tests request through the control API.

use serde_json::{Value, json};
use sluice_emr_local::{Fault, FaultKind, ScriptedSteps};

use crate::client::{Client, cluster, step};

#[tokio::test]
async fn a_planned_fault_refuses_a_call_or_loses_its_response() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let plan = async |fault: Value| {
        let (status, body) = client.control("POST", "faults", &fault.to_string()).await;
        assert_eq!(status, 200, "{fault}: {body}");
    };
    plan(json!({ "kind": "throttle", "operation": "ListClusters", "times": 2 })).await;
    plan(json!({ "kind": "internal_error", "operation": "ListClusters" })).await;
    let refusals = async || client.refusal("ListClusters", json!({})).await;
    let throttled = (400, "ThrottlingException".to_owned(), "Rate exceeded".to_owned());
    // All faults that match an event are counted; the first one is what happens.
    assert_eq!(refusals().await, throttled);
    assert_eq!(refusals().await, throttled);
    assert_eq!(refusals().await.1, "InternalServerException");
    client.ok("ListClusters", json!({})).await;

    plan(json!({ "kind": "lost_answer", "operation": "RunJobFlow" })).await;
    assert_eq!(client.call("RunJobFlow", cluster(json!({}))).await, None);
    let list = client.ok("ListClusters", json!({})).await;
    assert_eq!(list["Clusters"].as_array().unwrap().len(), 1, "the work was done");

    plan(json!({ "kind": "refuse_cluster", "message": "Subnet is required" })).await;
    let refused = client.refusal("RunJobFlow", cluster(json!({}))).await;
    assert_eq!((refused.1.as_str(), refused.2.as_str()), ("ValidationException", "Subnet is required"));

    let (_, calls) = client.control("GET", "calls", "").await;
    let answers: Vec<&str> =
        calls["calls"].as_array().unwrap().iter().map(|call| call["answer"].as_str().unwrap()).collect();
    assert_eq!(
        answers,
        [
            "ThrottlingException",
            "ThrottlingException",
            "InternalServerException",
            "ok",
            "lost",
            "ok",
            "ValidationException"
        ]
    );
    assert_eq!(calls["calls"][4]["request"]["Name"], "sluice/retail/r1/1");
    client.control("DELETE", "calls", "").await;
    assert!(client.emr.calls().is_empty());
}

#[tokio::test]
async fn a_failed_cluster_has_the_reason_that_emr_gives() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let check = async |fault: FaultKind, code: &str, words: &str| {
        client.emr.add_fault(Fault::once(fault.clone()));
        let id = client.launch(json!({ "Steps": [step(&[])] })).await;
        client.until_cluster(&id, "TERMINATED_WITH_ERRORS").await;
        let status = client.cluster(&id).await["Status"].take();
        assert_eq!(status["StateChangeReason"]["Code"], code, "{fault:?}");
        assert!(status["StateChangeReason"]["Message"].as_str().unwrap().contains(words), "{fault:?}: {status}");
        let steps = client.ok("ListSteps", json!({ "ClusterId": id })).await;
        assert_eq!(steps["Steps"][0]["Status"]["State"], "CANCELLED", "{fault:?}");
    };
    check(FaultKind::NoCapacity, "INTERNAL_ERROR", "Insufficient capacity").await;
    check(FaultKind::ClusterInvalid { message: "no such subnet".to_owned() }, "VALIDATION_ERROR", "no such subnet")
        .await;
    check(FaultKind::BootstrapFails, "BOOTSTRAP_FAILURE", "bootstrap action 1").await;
}

#[tokio::test]
async fn a_planned_fault_ends_its_step() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let id = client.launch(json!({})).await;
    let check = async |fault: FaultKind, expected: &str, words: &str| {
        client.emr.add_fault(Fault::once(fault.clone()));
        let steps = client.add_steps(&id, &[step(&[])]).await;
        let ended = client.until_step(&id, &steps[0], expected).await;
        assert!(ended["Status"].to_string().contains(words), "{fault:?}: {ended}");
    };
    check(FaultKind::StepFails { message: "lost a node".to_owned() }, "FAILED", "lost a node").await;
    check(FaultKind::StepCancelled, "CANCELLED", "Cancelled by user").await;
    let command = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    check(FaultKind::AfterStep { command: command("test -n \"$SLUICE_STEP_ID\"") }, "COMPLETED", "COMPLETED").await;
    check(FaultKind::AfterStep { command: command("echo spoilt >&2; exit 1") }, "FAILED", "spoilt").await;
    assert!(client.emr.faults().is_empty());

    client.emr.add_fault(Fault::once(FaultKind::StepNeverEnds));
    let steps = client.add_steps(&id, &[step(&[])]).await;
    client.until_step(&id, &steps[0], "RUNNING").await;
    client.ok("CancelSteps", json!({ "ClusterId": id, "StepIds": steps })).await;
    client.until_step(&id, &steps[0], "CANCELLED").await;

    client.emr.add_fault(Fault::once(FaultKind::ClusterLost));
    let steps = client.add_steps(&id, &[step(&[])]).await;
    client.until_step(&id, &steps[0], "CANCELLED").await;
    client.until_cluster(&id, "TERMINATED").await;
}

#[tokio::test]
async fn the_control_api_refuses_what_it_does_not_know() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let check = async |method: &str, path: &str, body: &str, expected: u16| {
        let (status, answer) = client.control(method, path, body).await;
        assert_eq!(status, expected, "{method} {path} {body}: {answer}");
    };
    check("POST", "faults", r#"{"kind":"nonsense"}"#, 400).await;
    check("POST", "faults", r#"{"kind":"throttle","operation":"x","often":3}"#, 400).await;
    check("POST", "delays", r#"{"starting":3}"#, 400).await;
    check("POST", "delays", r#"{"starting_ms":3}"#, 200).await;
    check("GET", "delays", "", 200).await;
    check("POST", "age", r#"{"cluster_id":"j-0","seconds":3}"#, 404).await;
    check("GET", "clusters", "", 200).await;
    check("GET", "nonsense", "", 404).await;
}
