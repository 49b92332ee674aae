use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use sluice_cluster::documents::closed_path;
use sluice_cluster::ports::{
    Cluster, ClusterFault, ClusterId, ClusterQuery, ClusterState, ClusterSummary, Step, StepId,
};
use sluice_cluster::request::{ClusterRequest, StepRequest, attempt_of_name, identity_tags};
use sluice_core::run::RunRef;
use sluice_core::uri::FolderUri;

use super::*;

const ATTEMPT: &str = include_str!("../../../events/terminate-attempt.json");
const ABORTED: &str = include_str!("../../../events/terminate-execution-aborted.json");
const TIMED_OUT: &str = include_str!("../../../events/terminate-execution-timed-out.json");
const FAILED_ACCEPT: &str = include_str!("../../../events/terminate-execution-failed-accept.json");
/// Started by a delivery, through EventBridge Pipes.
const FAILED_DELIVERY: &str = include_str!("../../../events/terminate-execution-failed-delivery.json");
const SWEEP: &str = include_str!("../../../events/terminate-sweep.json");

/// Has living clusters of these names, `j-1` and so on, all of the lake and made in 1970; can only end them.
struct Living {
    lake: FolderUri,
    names: Vec<&'static str>,
    ended: Mutex<Vec<ClusterId>>,
}

impl Living {
    fn summaries(&self) -> Vec<ClusterSummary> {
        let ended = self.ended.lock().unwrap();
        let summary = |(index, name): (usize, &&str)| {
            let id = ClusterId::new(format!("j-{}", index + 1));
            let state = if ended.contains(&id) { ClusterState::Terminating } else { ClusterState::Waiting };
            ClusterSummary { id, name: (*name).to_owned(), state, created_at: Timestamp::UNIX_EPOCH }
        };
        self.names.iter().enumerate().map(summary).collect()
    }
}

impl Clusters for Living {
    async fn launch(&self, _: &ClusterRequest) -> Result<ClusterId, ClusterFault> {
        unreachable!("terminate launches nothing")
    }

    async fn list(&self, query: &ClusterQuery) -> Result<Vec<ClusterSummary>, ClusterFault> {
        let is_asked_for = |summary: &ClusterSummary| {
            summary.name.starts_with(&query.name_prefix) && (query.include_ended || !summary.state.is_over())
        };
        Ok(self.summaries().into_iter().filter(is_asked_for).collect())
    }

    async fn describe(&self, cluster: &ClusterId) -> Result<Option<Cluster>, ClusterFault> {
        let summary = self.summaries().into_iter().find(|summary| summary.id == *cluster);
        Ok(summary.map(|summary| {
            let tags = attempt_of_name(&summary.name).map(|run| identity_tags(&self.lake, &run));
            Cluster { summary, tags: tags.unwrap_or_default(), reason: None }
        }))
    }

    async fn terminate(&self, cluster: &ClusterId) -> Result<(), ClusterFault> {
        self.ended.lock().unwrap().push(cluster.clone());
        Ok(())
    }

    async fn add_step(&self, _: &ClusterId, _: &StepRequest) -> Result<StepId, ClusterFault> {
        unreachable!("terminate submits nothing")
    }

    async fn steps(&self, _: &ClusterId) -> Result<Vec<Step>, ClusterFault> {
        unreachable!("terminate does not read steps")
    }

    async fn cancel_step(&self, _: &ClusterId, _: &StepId) -> Result<(), ClusterFault> {
        unreachable!("terminate cancels nothing")
    }
}

fn input(event: &str) -> Input {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(event)).unwrap()
}

fn run() -> RunRef {
    let Input::Attempt(run) = input(ATTEMPT) else { panic!("an attempt") };
    run
}

async fn ports(folder: &tempfile::TempDir) -> Ports<Living> {
    let lake: FolderUri = format!("file://{}", folder.path().display()).parse().unwrap();
    let documents = DocumentStore::open(&lake, &BTreeMap::new()).unwrap();
    let put = async |path: &str, document: Value| documents.write(&path.parse().unwrap(), &document).await.unwrap();
    let folder = "runs/retail/20260105T060000Z-4f9c2a";
    put(&format!("{folder}/plan-1.json"), json!({})).await;
    let turn = json!({"caller": "019b8d2e-7a00-7000-8000-000000000000", "taken_at": "1970-01-01T00:00:00Z"});
    put(&format!("{folder}/launch-1-1.json"), turn).await;
    let names = vec!["sluice/retail/20260105T060000Z-4f9c2a/1", "sluice/retail/20260106T060000Z-aaaaaa/1"];
    Ports { documents, clusters: Living { lake, names, ended: Mutex::default() } }
}

#[tokio::test]
async fn every_sample_event_ends_the_cluster_and_again_is_harmless() {
    let check = async |event: &str, closes: bool, expected: Value, again: Value| {
        let folder = tempfile::tempdir().unwrap();
        let ports = ports(&folder).await;
        let now = Timestamp::UNIX_EPOCH;
        for expected in [expected, again] {
            let output = handle(&ports, now, input(event)).await.unwrap();
            assert_eq!(serde_json::to_value(output).unwrap(), json!({"clusters": expected}), "{event}");
        }
        assert_eq!(ports.documents.exists(&closed_path(&run())).await.unwrap(), closes, "{event}");
    };
    let ended = json!([{"cluster_id": "j-1", "status": "terminating"}]);
    let again = json!([{"cluster_id": "j-1", "status": "terminated"}]);
    check(ATTEMPT, true, ended.clone(), again.clone()).await;
    check(ABORTED, true, ended.clone(), again.clone()).await;
    check(FAILED_ACCEPT, true, ended.clone(), again.clone()).await;
    check(FAILED_DELIVERY, true, ended.clone(), again).await;
    // The event's lake is another one, so the run is looked for by its id.
    check(TIMED_OUT, false, ended, json!([])).await;
    // Both are young and nothing says that they are over.
    check(SWEEP, false, json!([]), json!([])).await;
}

#[tokio::test]
async fn the_sweep_uses_the_time_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ports(&folder).await;
    let later = Timestamp::from_second(27 * 3600).unwrap();
    assert_eq!(handle(&ports, later, input(SWEEP)).await.unwrap().clusters.len(), 2);
}

#[test]
fn events_name_their_run() {
    let check = |event: &str, lake: &str, run_id: &str, pipeline: Option<&str>| {
        let Input::Execution(ended) = input(event) else { panic!("{event}") };
        let run = ended.run(&lake.parse().unwrap());
        assert_eq!((run.run_id.as_str(), run.pipeline.as_ref().map(AsRef::as_ref)), (run_id, pipeline));
    };
    let id = "20260105T060000Z-4f9c2a";
    check(ABORTED, "s3://example-lake/prod", id, Some("retail"));
    check(TIMED_OUT, "s3://example-lake/prod", id, Some("retail"));
    check(TIMED_OUT, "s3://other", id, None);
    check(FAILED_ACCEPT, "s3://example-lake/prod", id, Some("retail"));
    check(FAILED_DELIVERY, "s3://example-lake/prod", id, Some("retail"));
    for input in ["null", "\"no JSON\"", "\"{}\"", "\"{\\\"pipeline\\\":\\\"../x\\\"}\""] {
        let mut event: Value = serde_json::from_str(ABORTED).unwrap();
        event["detail"]["input"] = serde_json::from_str(input).unwrap();
        check(&event.to_string(), "s3://example-lake/prod", id, None);
    }
}

#[test]
fn wrong_shapes_are_named() {
    let check = |value: Value, expected: &str| {
        let error = serde_json::from_value::<Input>(value).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    let event = |source: &str, status: &str| {
        let detail_type = "Step Functions Execution Status Change";
        let detail = json!({"name": "r", "status": status});
        let time = "2026-01-05T07:00:00Z";
        json!({"detail-type": detail_type, "source": source, "time": time, "resources": [], "detail": detail})
    };
    check(event("aws.states", "RUNNING"), "'RUNNING' is not an end");
    check(event("aws.states", "SUCCEEDED"), "'SUCCEEDED' is not an end");
    check(event("aws.s3", "FAILED"), "of 'aws.s3' does not end a run");
    let mut nameless = event("aws.states", "FAILED");
    nameless["detail"].as_object_mut().unwrap().remove("name");
    check(nameless, "at `detail`");
    check(json!({"sweep": false}), "at `sweep`");
    check(json!({"sweep": true, "run": {}}), "unknown field");
    check(json!({}), "missing field `run`");
    check(json!({"run": {"pipeline": "re tail", "run_id": "r", "attempt": 1}}), "at `run.pipeline`");
}
