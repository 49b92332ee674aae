use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_cluster::ports::{Cluster, ClusterFault, ClusterQuery, ClusterState, ClusterSummary, Step, StepId};
use sluice_cluster::request::{ClusterRequest, StepRequest};
use sluice_cluster::settings::SettingsText;
use sluice_core::error::ErrorName;

use super::*;

const EVENTS: [(&str, u32); 2] =
    [(include_str!("../../../events/start-emr.json"), 0), (include_str!("../../../events/start-emr-again.json"), 3)];

/// Knows one cluster, which is in this state once it was launched; cannot do anything else.
struct OneCluster {
    state: ClusterState,
    launched: std::sync::Mutex<Vec<ClusterRequest>>,
}

impl OneCluster {
    fn summary(&self) -> Option<ClusterSummary> {
        let launched = self.launched.lock().unwrap();
        let request = launched.first()?;
        Some(ClusterSummary {
            id: ClusterId::new("j-1"),
            name: request.name.clone(),
            state: self.state,
            created_at: Timestamp::UNIX_EPOCH,
        })
    }
}

impl Clusters for OneCluster {
    async fn launch(&self, request: &ClusterRequest) -> Result<ClusterId, ClusterFault> {
        self.launched.lock().unwrap().push(request.clone());
        Ok(ClusterId::new("j-1"))
    }

    async fn list(&self, _: &ClusterQuery) -> Result<Vec<ClusterSummary>, ClusterFault> {
        Ok(self.summary().into_iter().collect())
    }

    async fn describe(&self, _: &ClusterId) -> Result<Option<Cluster>, ClusterFault> {
        let tags = self.launched.lock().unwrap().first().map_or_else(BTreeMap::new, |request| request.tags.clone());
        Ok(self.summary().map(|summary| Cluster { summary, tags, reason: Some("NO_CAPACITY: none".to_owned()) }))
    }

    async fn terminate(&self, _: &ClusterId) -> Result<(), ClusterFault> {
        unreachable!("start-emr has nothing to terminate here")
    }

    async fn add_step(&self, _: &ClusterId, _: &StepRequest) -> Result<StepId, ClusterFault> {
        unreachable!("start-emr submits nothing")
    }

    async fn steps(&self, _: &ClusterId) -> Result<Vec<Step>, ClusterFault> {
        Ok(Vec::new())
    }

    async fn cancel_step(&self, _: &ClusterId, _: &StepId) -> Result<(), ClusterFault> {
        unreachable!("start-emr cancels nothing")
    }
}

fn ports(folder: &tempfile::TempDir, state: ClusterState) -> Ports<OneCluster> {
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let settings = SettingsText {
        log_uri: Some("s3://logs/"),
        subnets: Some("subnet-0a1b2c3d"),
        service_role: Some("service"),
        instance_profile: Some("instance"),
        security_configuration: Some("encrypted"),
        ..SettingsText::default()
    };
    Ports {
        documents: DocumentStore::open(&root, &BTreeMap::new()).unwrap(),
        clusters: OneCluster { state, launched: std::sync::Mutex::default() },
        settings: ClusterSettings::parse(&settings).unwrap(),
    }
}

fn input(event: &str) -> Input {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(event)).unwrap()
}

#[test]
fn sample_events_decode() {
    for (event, poll) in EVENTS {
        let input = input(event);
        assert_eq!((input.run.pipeline.as_str(), input.run.attempt, input.poll), ("retail", 1, poll));
    }
    let unknown = json!({"run": {"pipeline": "retail", "run_id": "r", "attempt": 1}, "poll": 0, "pole": 0});
    assert!(serde_json::from_value::<Input>(unknown).is_err());
}

#[tokio::test]
async fn the_answer_says_how_far_the_cluster_is_and_when_to_ask_again() {
    let check = async |state: ClusterState, expected: [Value; 2]| {
        let folder = tempfile::tempdir().unwrap();
        let ports = ports(&folder, state);
        for ((event, _), expected) in EVENTS.into_iter().zip(expected) {
            let output = handle(&ports, Timestamp::UNIX_EPOCH, input(event)).await.unwrap();
            assert_eq!(serde_json::to_value(output).unwrap(), expected);
        }
        assert_eq!(ports.clusters.launched.lock().unwrap().len(), 1);
    };
    let launched = json!({"cluster_id": "j-1", "status": "starting", "poll": 1, "wait_seconds": 15});
    let starting = json!({"cluster_id": "j-1", "status": "starting", "poll": 4, "wait_seconds": 60});
    let ready = json!({"cluster_id": "j-1", "status": "ready", "poll": 4, "wait_seconds": 0});
    check(ClusterState::Starting, [launched.clone(), starting.clone()]).await;
    check(ClusterState::Bootstrapping, [launched.clone(), starting]).await;
    check(ClusterState::Waiting, [launched.clone(), ready.clone()]).await;
    check(ClusterState::Running, [launched, ready]).await;
}

#[tokio::test]
async fn a_cluster_that_ended_is_an_error_with_emrs_words() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ports(&folder, ClusterState::TerminatedWithErrors);
    let [first, again] = EVENTS.map(|(event, _)| input(event));
    handle(&ports, Timestamp::UNIX_EPOCH, first).await.unwrap();
    let error = handle(&ports, Timestamp::UNIX_EPOCH, again).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ClusterFailed);
    assert!(error.message.contains("j-1") && error.message.contains("NO_CAPACITY: none"), "{error}");
}
