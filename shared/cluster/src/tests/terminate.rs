use serde_json::{Value, json};
use sluice_core::error::ErrorName;

use super::{Bed, LAKE, at, bed, run, settings};
use crate::error::ClusterError;
use crate::ports::ClusterState;
use crate::request::cluster_request;
use crate::start;
use crate::terminate::{Ended, EndedStatus, of_attempt, of_run, sweep};

impl Bed {
    /// The cluster of an attempt, launched as the functions do it.
    async fn launch(&self, attempt: u32) {
        start::ensure(&self.documents, &self.emr, &self.settings, at(0), &run(attempt)).await.unwrap();
    }

    async fn end(&self, attempt: u32) -> Result<Vec<Ended>, ClusterError> {
        of_attempt(&self.documents, &self.emr, at(10), &run(attempt)).await
    }

    async fn sweep(&self, second: i64) -> Result<Vec<Ended>, ClusterError> {
        sweep(&self.documents, &self.emr, at(second)).await
    }

    async fn is_closed(&self, attempt: u32) -> bool {
        self.documents.exists(&crate::documents::closed_path(&run(attempt))).await.unwrap()
    }
}

fn ended(cluster: &str, status: EndedStatus) -> Ended {
    Ended { cluster_id: crate::ports::ClusterId::new(cluster), status }
}

#[tokio::test]
async fn an_attempt_ends_once_and_stays_ended() {
    let bed = bed();
    bed.launch(1).await;
    bed.launch(2).await;
    assert_eq!(bed.end(1).await.unwrap(), [ended("j-1", EndedStatus::Terminating)]);
    assert_eq!(bed.end(1).await.unwrap(), [ended("j-1", EndedStatus::Terminated)]);
    bed.emr.set_state("j-1", ClusterState::Terminated);
    assert_eq!(bed.end(1).await.unwrap(), [ended("j-1", EndedStatus::Terminated)]);
    assert_eq!(bed.emr.calls("terminate"), ["j-1"]);
    assert_eq!(bed.emr.living(), ["j-2"]);
    let late = start::ensure(&bed.documents, &bed.emr, &bed.settings, at(20), &run(1)).await.unwrap_err();
    assert_eq!(late.name(), ErrorName::ClusterFailed);
}

#[tokio::test]
async fn an_attempt_without_a_launch_is_closed_and_emr_is_not_asked() {
    let bed = bed();
    assert_eq!(bed.end(1).await.unwrap(), []);
    assert!(bed.is_closed(1).await);
    assert!(bed.emr.calls("list").is_empty());
}

#[tokio::test]
async fn two_ends_at_once_are_one() {
    let bed = bed();
    bed.launch(1).await;
    let (one, other) = tokio::join!(bed.end(1), bed.end(1));
    assert_eq!((one.unwrap().len(), other.unwrap().len()), (1, 1));
    assert!(bed.emr.living().is_empty());
}

#[tokio::test]
async fn whatever_the_order_of_start_and_end_nothing_is_left() {
    let bed = bed();
    let start = async || start::ensure(&bed.documents, &bed.emr, &bed.settings, at(0), &run(1)).await;
    let (started, ended) = tokio::join!(start(), bed.end(1));
    ended.unwrap();
    assert!(bed.emr.living().is_empty(), "{started:?}");
    assert!(start().await.is_err());
    assert!(bed.emr.living().is_empty());
}

#[tokio::test]
async fn a_run_ends_with_all_its_planned_attempts() {
    let bed = bed();
    for attempt in [1, 2, 3] {
        bed.launch(attempt).await;
    }
    bed.put("runs/retail/day1/plan-1.json", json!({})).await;
    bed.put("runs/retail/day1/plan-2.json", json!({})).await;
    let pipeline = "retail".parse().unwrap();
    let gone = of_run(&bed.documents, &bed.emr, at(10), &run(1).run_id, Some(&pipeline)).await.unwrap();
    assert_eq!(gone, [ended("j-1", EndedStatus::Terminating), ended("j-2", EndedStatus::Terminating)]);
    assert_eq!((bed.is_closed(1).await, bed.is_closed(2).await, bed.is_closed(3).await), (true, true, false));
    // By the run's id alone.
    let gone = of_run(&bed.documents, &bed.emr, at(10), &run(1).run_id, None).await.unwrap();
    assert_eq!(gone, [ended("j-3", EndedStatus::Terminating)]);
    let gone = of_run(&bed.documents, &bed.emr, at(10), &"day2".parse().unwrap(), None).await.unwrap();
    assert_eq!(gone, []);
}

#[tokio::test]
async fn every_cluster_is_tried_before_an_error_is_returned() {
    let bed = bed();
    for attempt in [1, 2] {
        bed.launch(attempt).await;
        bed.put(&format!("runs/retail/day1/plan-{attempt}.json"), json!({})).await;
    }
    bed.emr.refuse_to_terminate("j-1");
    let pipeline = "retail".parse().unwrap();
    let fault = of_run(&bed.documents, &bed.emr, at(10), &run(1).run_id, Some(&pipeline)).await.unwrap_err();
    assert_eq!(fault.name(), ErrorName::Throttled);
    assert_eq!(bed.emr.living(), ["j-1"]);

    let bed = super::bed();
    for attempt in [1, 2] {
        bed.launch(attempt).await;
    }
    bed.emr.refuse_to_terminate("j-2");
    assert_eq!(bed.sweep(27 * 3600).await.unwrap_err().name(), ErrorName::Throttled);
    assert_eq!(bed.emr.living(), ["j-2"]);
}

fn report(attempt: u32, outcome: &str) -> Value {
    json!({
        "pipeline": "retail", "run_id": "day1", "attempt": attempt, "outcome": outcome, "ended_at": at(5),
        "sources": [], "rows": {}, "committed": [], "broken_rules": [],
    })
}

#[tokio::test]
async fn the_sweep_ends_clusters_whose_run_is_over_or_too_old() {
    let check = async |documents: &[(&str, Value)], second: i64, is_swept: bool| {
        let bed = bed();
        bed.launch(2).await;
        for (path, document) in documents {
            bed.put(&format!("runs/retail/day1/{path}"), document.clone()).await;
        }
        let swept = bed.sweep(second).await.unwrap();
        assert_eq!(swept.len(), usize::from(is_swept), "{documents:?} at {second}");
        assert_eq!(bed.emr.living().len(), usize::from(!is_swept));
        let closed = documents.iter().any(|(path, _)| *path == "closed-2.json");
        assert_eq!(bed.is_closed(2).await, is_swept || closed);
        assert_eq!(bed.sweep(second).await.unwrap(), []);
    };
    check(&[], 3600, false).await;
    check(&[], 26 * 3600, false).await;
    check(&[], 26 * 3600 + 1, true).await;
    check(&[("plan-2.json", json!({}))], 3600, false).await;
    check(&[("closed-2.json", json!({}))], 3600, true).await;
    check(&[("closed-1.json", json!({}))], 3600, false).await;
    check(&[("verdict-2.json", json!({}))], 3600, true).await;
    check(&[("verdict-1.json", json!({}))], 3600, false).await;
    check(&[("report.json", report(2, "failed"))], 3600, true).await;
    // Rejected, then accepted by a person, and planned again: the report is of the attempt before.
    check(&[("report.json", report(1, "rejected"))], 3600, false).await;
}

#[tokio::test]
async fn the_sweep_keeps_unknown_clusters() {
    let bed = bed();
    let ours = cluster_request(&settings(), &LAKE.parse().unwrap(), &run(1));
    let other_lake = cluster_request(&settings(), &"s3://lake/test/".parse().unwrap(), &run(1));
    bed.emr.put(&other_lake, at(0));
    bed.emr.put(&crate::request::ClusterRequest { name: "nightly report".to_owned(), ..ours.clone() }, at(0));
    bed.emr.put(&crate::request::ClusterRequest { name: "sluice/sandbox".to_owned(), ..ours.clone() }, at(0));
    // Launched by a call that died before it could note anything.
    bed.emr.put(&ours, at(0));
    assert_eq!(bed.sweep(100_000).await.unwrap(), [ended("j-4", EndedStatus::Terminating)]);
    assert_eq!(bed.emr.living(), ["j-1", "j-2", "j-3"]);
}

#[tokio::test]
async fn a_run_that_cannot_be_judged_keeps_its_cluster_and_the_others_go() {
    let bed = bed();
    bed.launch(1).await;
    bed.launch(2).await;
    bed.put("runs/retail/day1/report.json", json!("torn")).await;
    bed.put("runs/retail/day1/verdict-1.json", json!({})).await;
    assert_eq!(bed.sweep(3600).await.unwrap_err().name(), ErrorName::InvalidInput);
    assert_eq!(bed.emr.living(), ["j-2"]);
}
