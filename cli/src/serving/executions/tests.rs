use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::run::{Outcome, Report, RunKey};
use sluice_core::uri::LakePath;
use sluice_executions::contract::{self, Samples};
use sluice_executions::submission;

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

/// The report of a run that another process skipped.
async fn skipped(lake: &Lake, pipeline: &str, run: &str) {
    let report: Report = serde_json::from_value(json!({
        "pipeline": pipeline, "run_id": run, "attempt": 1, "outcome": "skipped", "ended_at": "2026-01-05T09:00:00Z",
        "sources": [], "rows": {}, "committed": [], "broken_rules": [],
    }))
    .unwrap();
    let run = RunKey { pipeline: pipeline.parse().unwrap(), run_id: run.parse().unwrap() };
    lake.documents().of(&run).replace(&report).await.unwrap();
}

async fn listed(executions: &LocalExecutions) -> Vec<String> {
    let page = executions.list(100, None).await.unwrap();
    page.executions.into_iter().map(|listed| listed.run_id.to_string()).collect()
}

#[tokio::test]
async fn a_name_that_several_pipelines_have_or_a_broken_document_ends_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder);
    for (pipeline, run) in [("retail", "day1"), ("payroll", "day1"), ("retail", "day2")] {
        skipped(&lake, pipeline, run).await;
    }
    std::fs::create_dir_all(folder.path().join("runs/retail/day3")).unwrap();
    std::fs::write(folder.path().join("runs/retail/day3/plan-1.json"), "{}").unwrap();
    let executions = LocalExecutions::new(lake);
    let mut names = listed(&executions).await;
    names.sort();
    assert_eq!(names, ["day2", "day3"]);
    let describe = async |run: &str| executions.describe(&run.parse().unwrap()).await;
    assert_eq!(describe("day1").await, Ok(None));
    assert_eq!(describe("day2").await.unwrap().unwrap().status, ExecutionStatus::Succeeded);
    assert!(matches!(describe("day3").await, Err(ExecutionFault::Unexpected { .. })));
}

#[tokio::test]
async fn so_many_runs_of_a_pipeline_run_or_wait_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let executions = LocalExecutions::new(lake(&folder));
    let _no_place = executions.places.all.clone().acquire_many_owned(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
    let start = async |pipeline: &str, number: usize| {
        let run: RunId = format!("{pipeline}-{number}").parse().unwrap();
        executions.start(&run, &request(json!({ "pipeline": pipeline }))).await
    };
    for number in 0..MAX_OPEN {
        assert_eq!(start("retail", number).await, Ok(Started::Running));
    }
    let refused = start("retail", MAX_OPEN).await;
    assert!(matches!(refused, Err(ExecutionFault::Throttled { .. })), "{refused:?}");
    assert_eq!(executions.describe(&format!("retail-{MAX_OPEN}").parse().unwrap()).await, Ok(None));
    assert!(executions.admit(&"retail".parse().unwrap()).await.is_err());
    // A run that was started is found, and other pipelines have room of their own.
    assert_eq!(start("retail", 0).await, Ok(Started::Running));
    assert_eq!(start("payroll", 0).await, Ok(Started::Running));
    let first = "retail-0".parse().unwrap();
    executions.stop(&first, "by ann").await.unwrap();
    assert_eq!(start("retail", MAX_OPEN).await, Ok(Started::Running));
    let redriven = executions.redrive(&first).await;
    assert!(matches!(redriven, Err(ExecutionFault::Throttled { .. })), "{redriven:?}");
}

#[tokio::test]
async fn the_runs_of_one_pipeline_leave_a_place_to_those_of_others() {
    let places = Places::new();
    let (retail, payroll): (PipelineName, PipelineName) = ("retail".parse().unwrap(), "payroll".parse().unwrap());
    let first = places.taken(&retail).await;
    let second = tokio::time::timeout(Duration::from_millis(50), places.taken(&retail)).await;
    assert!(second.is_err(), "two runs of one pipeline at once");
    assert!(tokio::time::timeout(Duration::from_secs(10), places.taken(&payroll)).await.is_ok());
    drop(first);
    assert!(tokio::time::timeout(Duration::from_secs(10), places.taken(&retail)).await.is_ok());
}

#[tokio::test]
async fn only_the_newest_runs_that_ended_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let executions = LocalExecutions::new(lake(&folder));
    let ended = MAX_ENDED + 50;
    for second in 0..=ended {
        let run: RunId = format!("run-{second}").parse().unwrap();
        let ended_at = (second < ended).then(|| Timestamp::from_second(i64::try_from(second).unwrap()).unwrap());
        let execution = Execution {
            run_id: run.clone(),
            status: if ended_at.is_some() { ExecutionStatus::Failed } else { ExecutionStatus::Running },
            started_at: Timestamp::UNIX_EPOCH,
            ended_at,
            redrives: 0,
            input: json!({ "pipeline": "retail" }),
            error: None,
        };
        let (pipeline, stop) = ("retail".parse().unwrap(), Arc::new(Notify::new()));
        lock(&executions.known).insert(run, Entry { pipeline, execution, states: Vec::new(), place: None, stop });
    }
    executions.stop(&format!("run-{ended}").parse().unwrap(), "by ann").await.unwrap();
    let known = lock(&executions.known);
    assert_eq!(known.len(), MAX_ENDED);
    let kept = |second: usize| known.contains_key(&format!("run-{second}").parse::<RunId>().unwrap());
    assert!(kept(ended) && kept(ended - 1) && kept(ended - MAX_ENDED + 1) && !kept(ended - MAX_ENDED));
}

#[tokio::test]
async fn a_run_that_failed_before_its_plan_keeps_what_it_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder);
    skipped(&lake, "retail", "api-1").await;
    let asked = request(json!({ "pipeline": "retail", "engine": "emr" }));
    let submission = submission::Submission::new("api-1".parse().unwrap(), "ann", Timestamp::now(), asked.clone());
    let path: LakePath = "requests/api-1.json".parse().unwrap();
    lake.documents().write(&path, &submission.unwrap()).await.unwrap();
    let found = LocalExecutions::new(lake).describe(&"api-1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.input, serde_json::to_value(&asked).unwrap());
}

#[tokio::test]
async fn one_listing_of_earlier_runs_serves_many_pages() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder);
    skipped(&lake, "retail", "day1").await;
    let executions = LocalExecutions::new(lake);
    let first = executions.earlier.list().await.unwrap();
    assert!(Arc::ptr_eq(&first, &executions.earlier.list().await.unwrap()));
}

#[tokio::test]
async fn a_stopped_run_stays_stopped_when_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder);
    let executions = LocalExecutions::new(lake.clone());
    let _no_place = executions.places.all.clone().acquire_many_owned(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
    let asked = request(json!({ "pipeline": "retail", "engine": "emr" }));
    let (kept, bare): (RunId, RunId) = ("api-1".parse().unwrap(), "api-2".parse().unwrap());
    let submission = submission::Submission::new(kept.clone(), "ann", Timestamp::now(), asked.clone());
    let path: LakePath = "requests/api-1.json".parse().unwrap();
    lake.documents().write(&path, &submission.unwrap()).await.unwrap();
    let others = (0..MAX_ENDED).map(|number| format!("run-{number}").parse::<RunId>().unwrap());
    for run in [kept.clone(), bare.clone()].into_iter().chain(others) {
        assert_eq!(executions.start(&run, &asked).await, Ok(Started::Running));
        executions.stop(&run, "by ann").await.unwrap();
    }
    for (run, input) in [(kept, serde_json::to_value(&asked).unwrap()), (bare, json!({ "pipeline": "retail" }))] {
        assert!(!lock(&executions.known).contains_key(&run), "{run} is forgotten");
        assert_eq!(executions.start(&run, &asked).await, Ok(Started::Ended), "{run}");
        let found = executions.describe(&run).await.unwrap().unwrap();
        assert_eq!((found.status, found.error.unwrap().cause.as_str()), (ExecutionStatus::Aborted, "by ann"));
        assert_eq!(found.input, input);
    }
    let other = request(json!({ "pipeline": "retail" }));
    assert_eq!(executions.start(&"api-1".parse().unwrap(), &other).await, Ok(Started::Conflicting));
    // A redrive says that it goes on.
    assert_eq!(executions.redrive(&"api-1".parse().unwrap()).await, Ok(Redriven::Running));
}
