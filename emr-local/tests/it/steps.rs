//! States of steps: order, concurrency, cancellation, what a failure does.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_emr_local::{CommandSteps, Fault, FaultKind, ScriptedSteps, StepEnd, StepFault};

use crate::client::{Client, step};

fn failing(call: &sluice_emr_local::StepCall) -> StepEnd {
    match call.arguments.first().map(String::as_str) {
        Some("fail") => StepEnd::Failed(StepFault {
            reason: "Unknown Error.".to_owned(),
            message: "boom".to_owned(),
            log_file: None,
        }),
        _ => StepEnd::Completed,
    }
}

fn states(list: &Value) -> Vec<&str> {
    list["Steps"].as_array().unwrap().iter().map(|step| step["Status"]["State"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_step_completes_or_fails_as_its_work_does() {
    let client = Client::start(ScriptedSteps::new(failing)).await;
    let id = client.launch(json!({})).await;
    let steps = client.add_steps(&id, &[step(&["ok"]), step(&["fail"])]).await;
    let done = client.until_step(&id, &steps[0], "COMPLETED").await;
    assert_eq!(done["Config"]["Args"], json!(["ok"]));
    let failed = client.until_step(&id, &steps[1], "FAILED").await;
    assert_eq!(failed["Status"]["FailureDetails"], json!({ "Reason": "Unknown Error.", "Message": "boom" }));
    assert_eq!(client.until_cluster(&id, "WAITING").await.last().unwrap(), "WAITING");
    let list = client.ok("ListSteps", json!({ "ClusterId": id })).await;
    assert_eq!(states(&list), ["FAILED", "COMPLETED"]);
    let list = client.ok("ListSteps", json!({ "ClusterId": id, "StepStates": ["COMPLETED"] })).await;
    assert_eq!(states(&list), ["COMPLETED"]);
    let list = client.ok("ListSteps", json!({ "ClusterId": id, "StepIds": [steps[1]] })).await;
    assert_eq!(states(&list), ["FAILED"]);
}

#[tokio::test]
async fn a_failed_step_does_to_its_cluster_what_its_action_on_failure_says() {
    let client = Client::start(ScriptedSteps::new(failing)).await;
    let check = async |action: &str, cluster_state: &str, next: &str| {
        let id = client.launch(json!({})).await;
        let mut first = step(&["fail"]);
        first["ActionOnFailure"] = json!(action);
        let steps = client.add_steps(&id, &[first, step(&["ok"])]).await;
        client.until_step(&id, &steps[0], "FAILED").await;
        client.until_step(&id, &steps[1], next).await;
        client.until_cluster(&id, cluster_state).await;
    };
    check("CONTINUE", "WAITING", "COMPLETED").await;
    check("CANCEL_AND_WAIT", "WAITING", "CANCELLED").await;
    check("TERMINATE_CLUSTER", "TERMINATED_WITH_ERRORS", "CANCELLED").await;
}

#[tokio::test]
async fn no_more_steps_run_at_once_than_the_cluster_allows() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let check = async |level: u32, expected: [&str; 3]| {
        client.emr.add_fault(Fault::once(FaultKind::StepNeverEnds).times(3));
        let id = client.launch(json!({ "StepConcurrencyLevel": level })).await;
        let steps = client.add_steps(&id, &[step(&[]), step(&[]), step(&[])]).await;
        client.until_step(&id, &steps[0], "RUNNING").await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let list = client.ok("ListSteps", json!({ "ClusterId": id })).await;
        assert_eq!(states(&list), expected, "{level}");
        client.control("DELETE", "faults", "").await;
    };
    check(1, ["PENDING", "PENDING", "RUNNING"]).await;
    check(2, ["PENDING", "RUNNING", "RUNNING"]).await;
    check(3, ["RUNNING", "RUNNING", "RUNNING"]).await;
}

#[tokio::test]
async fn cancelled_steps_stop_whether_they_run_or_not() {
    let command = ["sh", "-c", "sleep 600"].map(str::to_owned).to_vec();
    let client = Client::start(CommandSteps::new(command).unwrap()).await;
    let id = client.launch(json!({})).await;
    let steps = client.add_steps(&id, &[step(&[]), step(&[])]).await;
    client.until_step(&id, &steps[0], "RUNNING").await;
    let answer = client.ok("CancelSteps", json!({ "ClusterId": id, "StepIds": [steps[1], steps[0]] })).await;
    let infos = answer["CancelStepsInfoList"].as_array().unwrap();
    assert!(infos.iter().all(|info| info["Status"] == "SUBMITTED"), "{infos:?}");
    client.until_step(&id, &steps[1], "CANCELLED").await;
    client.until_step(&id, &steps[0], "CANCELLED").await;
    let answer = client.ok("CancelSteps", json!({ "ClusterId": id, "StepIds": [steps[0]] })).await;
    assert_eq!(answer["CancelStepsInfoList"][0]["Status"], "FAILED");
}

#[tokio::test]
async fn steps_are_cancelled_with_their_cluster() {
    let command = ["sh", "-c", "sleep 600"].map(str::to_owned).to_vec();
    let client = Client::start(CommandSteps::new(command).unwrap()).await;
    let id = client.launch(json!({})).await;
    let steps = client.add_steps(&id, &[step(&[]), step(&[])]).await;
    client.until_step(&id, &steps[0], "RUNNING").await;
    client.ok("TerminateJobFlows", json!({ "JobFlowIds": [id] })).await;
    client.until_cluster(&id, "TERMINATED").await;
    let list = client.ok("ListSteps", json!({ "ClusterId": id })).await;
    assert_eq!(states(&list), ["CANCELLED", "CANCELLED"]);
}

#[tokio::test]
async fn logs_of_commands_are_kept_where_the_cluster_says() {
    let logs = tempfile::tempdir().unwrap();
    let script = "echo out; echo cluster $SLUICE_CLUSTER_ID $1 >&2; exit 7";
    let command = ["sh", "-c", script, "x"].map(str::to_owned).to_vec();
    let client = Client::start(CommandSteps::new(command).unwrap()).await;
    let id = client.launch(json!({ "LogUri": format!("file://{}/", logs.path().display()) })).await;
    let steps = client.add_steps(&id, &[step(&["argument"])]).await;
    let failed = client.until_step(&id, &steps[0], "FAILED").await;
    let details = &failed["Status"]["FailureDetails"];
    assert_eq!(details["Message"], json!(format!("cluster {id} argument")));
    let kept = logs.path().join(&id).join("steps").join(&steps[0]);
    assert_eq!(details["LogFile"], json!(kept.join("stderr")));
    assert_eq!(fs::read_to_string(kept.join("stdout")).unwrap(), "out\n");
}

#[tokio::test]
async fn a_stopped_server_leaves_no_program_and_no_folder() {
    let place = tempfile::tempdir().unwrap();
    let written = place.path().join("written");
    let script = format!("sleep 600 & echo $! $PWD > '{}'; wait", written.display());
    let client = Client::start(CommandSteps::new(["sh", "-c", &script].map(str::to_owned).to_vec()).unwrap()).await;
    let id = client.launch(json!({ "Steps": [step(&[])] })).await;
    client.until_cluster(&id, "RUNNING").await;
    let text = loop {
        match fs::read_to_string(&written) {
            Ok(text) if text.ends_with('\n') => break text,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let (pid, folder) = text.trim().split_once(' ').unwrap();
    assert!(std::path::Path::new(folder).is_dir());
    client.emr.stop().await;
    assert!(!std::path::Path::new(folder).exists());
    let mut state = String::from("?");
    for _ in 0..200 {
        let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
        state = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        if state.is_empty() || state.starts_with('Z') {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("process {pid} is still {state}");
}
