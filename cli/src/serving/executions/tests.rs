use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sluice_core::run::{Outcome, Report};
use sluice_core::uri::LakePath;
use sluice_executions::contract::{self, Samples};

use super::*;

fn lake(folder: &tempfile::TempDir) -> Lake {
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    Lake::open(&root, &BTreeMap::new()).unwrap()
}

fn request(body: Value) -> RunRequest {
    serde_json::from_value(body).unwrap()
}

/// A lake with the pipeline of the samples and an empty landing folder.
fn deployed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/retail");
    let to = folder.path().join("pipelines/retail");
    copy(&from, &to);
    std::fs::create_dir_all(folder.path().join("landing/retail")).unwrap();
    folder
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_executions_holds() {
    let folder = deployed();
    let executions = LocalExecutions::new(lake(&folder));
    let good = request(json!({ "pipeline": "retail" }));
    let missing = format!("file://{}/landing/retail/none.csv", folder.path().display());
    let bad = request(json!({ "pipeline": "retail", "objects": [missing] }));
    contract::check(&executions, &Samples { good, bad }, tokio::time::sleep).await.unwrap();
    // Another process knows the runs by their documents.
    let later = LocalExecutions::new(lake(&folder));
    let page = later.list(10, None).await.unwrap();
    assert_eq!(page.executions.len(), 2, "{page:?}");
    let failed = later.describe(&"contract-bad".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((failed.status, failed.error.unwrap().error.as_str()), (ExecutionStatus::Failed, "NotFound"));
}

async fn failed(executions: &LocalExecutions, run: &RunId) -> Execution {
    // A run that fails in validate takes milliseconds; this is a minute.
    for _ in 0..600 {
        let execution = executions.describe(run).await.unwrap().unwrap();
        if execution.status != ExecutionStatus::Running {
            assert_eq!(execution.status, ExecutionStatus::Failed);
            return execution;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{run} does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_goes_on_with_the_task_that_failed() {
    let folder = deployed();
    let lake = lake(&folder);
    let executions = LocalExecutions::new(lake.clone());
    let run: RunId = "redriven".parse().unwrap();
    let missing = format!("file://{}/landing/retail/none.csv", folder.path().display());
    executions.start(&run, &request(json!({ "pipeline": "retail", "objects": [missing] }))).await.unwrap();
    let first = failed(&executions, &run).await;
    // What the rule for ended executions does on AWS: the failure is reported.
    let path: LakePath = "runs/retail/redriven/report.json".parse().unwrap();
    let report: Report = lake.documents().read(&path).await.unwrap().unwrap();
    assert_eq!((report.outcome, report.error), (Outcome::Failed, first.error.map(ReportedError::unwrapped)));
    assert_eq!(executions.redrive(&run).await.unwrap(), Redriven::Running);
    assert_eq!(failed(&executions, &run).await.redrives, 1);
    let states = executions.history(&run).await.unwrap().unwrap();
    let names: Vec<&str> = states.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(names, ["Receive", "Validate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_stays_stopped() {
    let folder = deployed();
    let executions = LocalExecutions::new(lake(&folder));
    let run = "stopped".parse().unwrap();
    executions.start(&run, &request(json!({ "pipeline": "retail" }))).await.unwrap();
    executions.stop(&run, "by ann").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let execution = executions.describe(&run).await.unwrap().unwrap();
    assert_eq!((execution.status, execution.error.unwrap().cause.as_str()), (ExecutionStatus::Aborted, "by ann"));
}
