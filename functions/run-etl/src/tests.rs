use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_cluster::ports::{
    Cluster, ClusterFault, ClusterQuery, ClusterState, ClusterSummary, Step, StepFailure, StepState,
};
use sluice_cluster::request::{ClusterRequest, StepRequest, cluster_name, identity_tags, step_name};
use sluice_core::error::ErrorName;
use sluice_core::uri::{FolderUri, layout};

use super::*;

const EVENTS: [(&str, u32); 2] =
    [(include_str!("../../../events/run-etl.json"), 0), (include_str!("../../../events/run-etl-again.json"), 5)];

/// Has the cluster of the sample events, with one step of this state once it was submitted; cannot do anything else.
struct OneStep {
    lake: FolderUri,
    state: StepState,
    roles: std::sync::Mutex<Vec<Option<String>>>,
}

impl Clusters for OneStep {
    async fn launch(&self, _: &ClusterRequest) -> Result<ClusterId, ClusterFault> {
        unreachable!("run-etl launches nothing")
    }

    async fn list(&self, _: &ClusterQuery) -> Result<Vec<ClusterSummary>, ClusterFault> {
        unreachable!("run-etl is given its cluster")
    }

    async fn describe(&self, cluster: &ClusterId) -> Result<Option<Cluster>, ClusterFault> {
        let run = input(EVENTS[0].0).run;
        let (name, state) = (cluster_name(&run), ClusterState::Waiting);
        let summary = ClusterSummary { id: cluster.clone(), name, state, created_at: Timestamp::UNIX_EPOCH };
        Ok(Some(Cluster { summary, tags: identity_tags(&self.lake, &run), reason: None }))
    }

    async fn terminate(&self, _: &ClusterId) -> Result<(), ClusterFault> {
        unreachable!("run-etl terminates nothing")
    }

    async fn add_step(&self, _: &ClusterId, request: &StepRequest) -> Result<StepId, ClusterFault> {
        self.roles.lock().unwrap().push(request.role.clone());
        Ok(StepId::new("s-1"))
    }

    async fn steps(&self, _: &ClusterId) -> Result<Vec<Step>, ClusterFault> {
        let failure = StepFailure { message: Some("OUT_OF_MEMORY".to_owned()), ..StepFailure::default() };
        let name = step_name(&input(EVENTS[0].0).run);
        let submitted = self.roles.lock().unwrap().len();
        Ok(vec![Step { id: StepId::new("s-1"), name, state: self.state, failure }; submitted])
    }

    async fn cancel_step(&self, _: &ClusterId, _: &StepId) -> Result<(), ClusterFault> {
        unreachable!("there is one step")
    }
}

async fn ports(folder: &tempfile::TempDir, state: StepState) -> Ports<OneStep> {
    let lake: FolderUri = format!("file://{}", folder.path().display()).parse().unwrap();
    let documents = DocumentStore::open(&lake, &BTreeMap::new()).unwrap();
    let script = layout::script(&input(EVENTS[0].0).run);
    let _ = documents.create_text(&script, "SELECT 1;".to_owned()).await.unwrap();
    let step_role = Some("arn:aws:iam::123456789012:role/etl".parse().unwrap());
    Ports { documents, clusters: OneStep { lake, state, roles: std::sync::Mutex::default() }, step_role }
}

fn input(event: &str) -> Input {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(event)).unwrap()
}

#[test]
fn sample_events_decode() {
    for (event, poll) in EVENTS {
        let input = input(event);
        assert_eq!(
            (input.run.pipeline.as_str(), input.cluster_id.as_str(), input.poll),
            ("retail", "j-2AXXXXXXGAPLF", poll)
        );
    }
    let missing = json!({"run": {"pipeline": "retail", "run_id": "r", "attempt": 1}, "poll": 0});
    assert!(serde_json::from_value::<Input>(missing).is_err());
}

#[tokio::test]
async fn the_answer_says_how_far_the_script_is_and_when_to_ask_again() {
    let check = async |state: StepState, expected: Value| {
        let folder = tempfile::tempdir().unwrap();
        let ports = ports(&folder, state).await;
        let [first, again] = EVENTS.map(|(event, _)| input(event));
        let submitted = json!({"step_id": "s-1", "status": "pending", "poll": 1, "wait_seconds": 10});
        for (input, expected) in [(first, submitted), (again, expected)] {
            let output = handle(&ports, Timestamp::UNIX_EPOCH, input).await.unwrap();
            assert_eq!(serde_json::to_value(output).unwrap(), expected);
        }
        let roles = ports.clusters.roles.lock().unwrap().clone();
        assert_eq!(roles, [Some("arn:aws:iam::123456789012:role/etl".to_owned())]);
    };
    let answer = |status: &str, wait: u64| json!({"step_id": "s-1", "status": status, "poll": 6, "wait_seconds": wait});
    check(StepState::Pending, answer("pending", 120)).await;
    check(StepState::Running, answer("running", 120)).await;
    check(StepState::Completed, answer("completed", 0)).await;
}

#[tokio::test]
async fn a_script_that_failed_is_an_error_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ports(&folder, StepState::Failed).await;
    let [first, again] = EVENTS.map(|(event, _)| input(event));
    handle(&ports, Timestamp::UNIX_EPOCH, first).await.unwrap();
    let error = handle(&ports, Timestamp::UNIX_EPOCH, again).await.unwrap_err();
    assert_eq!(error.name, ErrorName::EtlFailed);
    assert!(error.message.contains("OUT_OF_MEMORY"), "{error}");
}
