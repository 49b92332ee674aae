use sluice_core::error::ErrorName;

use super::emr::Fate;
use super::{Bed, LAKE, at, bed, run, settings};
use crate::documents;
use crate::error::ClusterError;
use crate::ports::{ClusterState, StepState};
use crate::request::{ClusterRequest, cluster_request, step_name};
use crate::start::{ClusterStatus, Started, ensure, wait_seconds};

impl Bed {
    async fn start(&self, second: i64) -> Result<Started, ClusterError> {
        ensure(&self.documents, &self.emr, &self.settings, at(second), &run(1)).await
    }

    fn launches(&self) -> usize {
        self.emr.calls("launch").len()
    }
}

fn started(cluster: Option<&str>, status: ClusterStatus) -> Started {
    Started { cluster_id: cluster.map(crate::ports::ClusterId::new), status, terminated: Vec::new() }
}

fn request(lake: &str, attempt: u32) -> ClusterRequest {
    cluster_request(&settings(), &lake.parse().unwrap(), &run(attempt))
}

#[tokio::test]
async fn the_first_call_launches_and_later_calls_poll() {
    let bed = bed();
    assert_eq!(bed.start(0).await.unwrap(), started(Some("j-1"), ClusterStatus::Starting));
    for state in ClusterState::ALL {
        bed.emr.set_state("j-1", state);
        let expected = match state {
            ClusterState::Starting | ClusterState::Bootstrapping => Some(ClusterStatus::Starting),
            ClusterState::Running | ClusterState::Waiting => Some(ClusterStatus::Ready),
            ClusterState::Terminating | ClusterState::Terminated | ClusterState::TerminatedWithErrors => None,
        };
        match (bed.start(1000).await, expected) {
            (Ok(found), Some(status)) => assert_eq!(found, started(Some("j-1"), status)),
            (Err(error), None) => assert_eq!(error.name(), ErrorName::ClusterFailed, "{error}"),
            (found, expected) => panic!("{state}: {found:?} is not {expected:?}"),
        }
    }
    assert_eq!(bed.emr.calls("launch"), ["sluice/retail/day1/1"]);
}

#[tokio::test]
async fn of_many_calls_at_once_one_launches() {
    let bed = bed();
    let calls = tokio::join!(bed.start(0), bed.start(0), bed.start(1), bed.start(0), bed.start(2));
    for found in [calls.0, calls.1, calls.2, calls.3, calls.4] {
        let found = found.unwrap();
        assert_eq!(found.status, ClusterStatus::Starting);
        assert!(found.cluster_id.is_none_or(|id| id.as_str() == "j-1"));
    }
    assert_eq!(bed.launches(), 1);
}

#[tokio::test]
async fn a_cluster_whose_launch_was_not_answered_is_found() {
    let bed = bed();
    bed.emr.order([Fate::LostAnswer]);
    let error = bed.start(0).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Unavailable);
    assert_eq!(bed.start(2).await.unwrap(), started(Some("j-1"), ClusterStatus::Starting));
    // Also long after its turn.
    assert_eq!(bed.start(5000).await.unwrap(), started(Some("j-1"), ClusterStatus::Starting));
    assert_eq!(bed.launches(), 1);
}

#[tokio::test]
async fn a_launch_that_came_to_nothing_is_taken_over_by_one_caller_and_three_times_at_most() {
    let bed = bed();
    bed.emr.order([Fate::LostRequest; 3]);
    assert_eq!(bed.start(0).await.unwrap_err().name(), ErrorName::Unavailable);
    for (round, second) in [(1, 0), (2, 180), (3, 360)] {
        // Too early: the launch may still be under way, or not be listed yet.
        assert_eq!(bed.start(second + 179).await.unwrap(), started(None, ClusterStatus::Starting));
        assert_eq!(bed.launches(), round);
        if round < 3 {
            let calls = tokio::join!(bed.start(second + 180), bed.start(second + 180), bed.start(second + 180));
            let failed = [calls.0, calls.1, calls.2].into_iter().filter(Result::is_err).count();
            assert_eq!((failed, bed.launches()), (1, round + 1));
        }
    }
    let error = bed.start(540).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::ClusterFailed);
    assert!(error.to_string().contains("3 launches of cluster 'sluice/retail/day1/1'"), "{error}");
    assert_eq!(bed.launches(), 3);
}

#[tokio::test]
async fn a_takeover_that_succeeds_is_the_cluster_of_the_attempt() {
    let bed = bed();
    bed.emr.order([Fate::Throttled]);
    assert_eq!(bed.start(0).await.unwrap_err().name(), ErrorName::Throttled);
    bed.emr.set_time(at(200));
    assert_eq!(bed.start(200).await.unwrap(), started(Some("j-1"), ClusterStatus::Starting));
    assert_eq!(bed.start(201).await.unwrap(), started(Some("j-1"), ClusterStatus::Starting));
}

#[tokio::test]
async fn refusals_have_emrs_words() {
    for (fate, name) in [(Fate::Refused, ErrorName::ClusterFailed), (Fate::Denied, ErrorName::AccessDenied)] {
        let bed = bed();
        bed.emr.order([fate]);
        let error = bed.start(0).await.unwrap_err();
        assert_eq!(error.name(), name);
        assert!(error.to_string().contains(&format!("{fate:?}")), "{error}");
    }
}

#[tokio::test]
async fn a_cluster_is_found_before_lists_show_it() {
    let bed = bed();
    bed.start(0).await.unwrap();
    bed.emr.set_listed("j-1", false);
    bed.emr.set_state("j-1", ClusterState::Waiting);
    assert_eq!(bed.start(1000).await.unwrap(), started(Some("j-1"), ClusterStatus::Ready));
    assert_eq!(bed.launches(), 1);
}

#[tokio::test]
async fn clusters_of_others_are_not_taken() {
    let bed = bed();
    bed.emr.order([Fate::LostRequest]);
    bed.start(0).await.unwrap_err();
    bed.emr.put(&request("s3://lake/test/", 1), at(0));
    bed.emr.put(&request(LAKE, 10), at(0));
    let untagged = ClusterRequest { tags: std::collections::BTreeMap::new(), ..request(LAKE, 1) };
    bed.emr.put(&untagged, at(0));
    assert_eq!(bed.start(1).await.unwrap(), started(None, ClusterStatus::Starting));
    assert_eq!(bed.emr.living().len(), 3);
}

#[tokio::test]
async fn of_two_clusters_the_younger_is_ended_and_reported() {
    let bed = bed();
    bed.emr.order([Fate::LostAnswer]);
    bed.start(0).await.unwrap_err();
    bed.emr.put(&request(LAKE, 1), at(-60));
    bed.emr.put(&request(LAKE, 1), at(60));
    let found = bed.start(70).await.unwrap();
    assert_eq!(found.cluster_id.unwrap().as_str(), "j-2");
    assert_eq!(found.terminated.iter().map(ToString::to_string).collect::<Vec<_>>(), ["j-1", "j-3"]);
    assert_eq!(bed.emr.living(), ["j-2"]);
    assert_eq!(bed.start(71).await.unwrap(), started(Some("j-2"), ClusterStatus::Starting));
}

#[tokio::test]
async fn a_cluster_that_ended_says_why_unless_it_did_its_work() {
    let bed = bed();
    bed.start(0).await.unwrap();
    bed.emr.set_state("j-1", ClusterState::TerminatedWithErrors);
    bed.emr.set_reason("j-1", "VALIDATION_ERROR: no subnet");
    let error = bed.start(1).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::ClusterFailed);
    let expected = "cluster j-1 ('sluice/retail/day1/1') is TERMINATED_WITH_ERRORS: VALIDATION_ERROR: no subnet";
    assert_eq!(error.to_string(), expected);
    bed.emr.put_step("j-1", &step_name(&run(1)), StepState::Failed);
    assert!(bed.start(2).await.is_err());
    bed.emr.put_step("j-1", &step_name(&run(2)), StepState::Completed);
    assert!(bed.start(3).await.is_err());
    bed.emr.put_step("j-1", &step_name(&run(1)), StepState::Completed);
    assert_eq!(bed.start(4).await.unwrap(), started(Some("j-1"), ClusterStatus::Ready));
    assert_eq!(bed.launches(), 1);
}

#[tokio::test]
async fn a_closed_attempt_gets_no_cluster() {
    let bed = bed();
    documents::close(&bed.documents, at(0), &run(1)).await.unwrap();
    let error = bed.start(1).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::ClusterFailed);
    assert!(error.to_string().contains("s3://lake/prod/runs/retail/day1/closed-1.json"), "{error}");
    assert_eq!((bed.launches(), bed.emr.living().len()), (0, 0));
    // Another attempt of the run is another thing.
    ensure(&bed.documents, &bed.emr, &bed.settings, at(1), &run(2)).await.unwrap();
    assert_eq!(bed.emr.living(), ["j-1"]);
}

#[tokio::test]
async fn a_launch_after_the_end_of_its_attempt_is_undone() {
    for lost in [false, true] {
        let bed = bed();
        bed.emr.close_during_launch(&bed.documents);
        bed.emr.order(lost.then_some(Fate::LostAnswer));
        let expected = if lost { ErrorName::Unavailable } else { ErrorName::ClusterFailed };
        assert_eq!(bed.start(0).await.unwrap_err().name(), expected);
        // The state machine repeats `Unavailable`.
        assert_eq!(bed.start(2).await.unwrap_err().name(), ErrorName::ClusterFailed);
        assert_eq!(bed.emr.calls("terminate"), ["j-1"]);
        assert!(bed.emr.living().is_empty());
    }
}

#[tokio::test]
async fn a_closed_attempt_that_did_its_work_is_ready() {
    let bed = bed();
    bed.start(0).await.unwrap();
    bed.emr.put_step("j-1", &step_name(&run(1)), StepState::Completed);
    bed.emr.set_state("j-1", ClusterState::Terminated);
    documents::close(&bed.documents, at(1), &run(1)).await.unwrap();
    assert_eq!(bed.start(2).await.unwrap(), started(Some("j-1"), ClusterStatus::Ready));
}

#[test]
fn waits_double_up_to_a_minute() {
    let waits = [0, 1, 2, 3, 63, 64, u32::MAX].map(wait_seconds);
    assert_eq!(waits, [15, 30, 60, 60, 60, 60, 60]);
}
