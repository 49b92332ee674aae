use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
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
