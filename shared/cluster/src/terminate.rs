//! No cluster outlives its run: attempts and runs are closed when they end, and a sweep finds what that missed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{MAX_ATTEMPTS, Plan, Report, RunKey, RunRef, Verdict};
use sluice_documents::DocumentStore;

use crate::documents;
use crate::error::ClusterError;
use crate::ports::{Cluster, ClusterId, ClusterQuery, Clusters};
use crate::request::{NAME_PREFIX, attempt_of_name};
use crate::start::{clusters_of, is_of};

/// Age at which a cluster is terminated whatever its run says. An execution ends after 24 h at the latest, and then its
/// own end terminates the cluster; 2 h more are for that.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(26);

/// A cluster that is not needed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// What was done about it.
    pub status: EndedStatus,
}

/// What was done about a cluster that is not needed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedStatus {
    /// It existed, and EMR was asked to terminate it.
    Terminating,
    /// It was going or gone already.
    Terminated,
}

/// Closes an attempt and terminates its clusters.
///
/// The attempt is closed first: a launch that is under way either is found here or finds the attempt closed.
///
/// # Errors
/// Faults of EMR and of the store. Every cluster is tried before the first error is returned.
pub async fn of_attempt<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    now: Timestamp,
    run: &RunRef,
) -> Result<Vec<Ended>, ClusterError> {
    documents::close(documents, now, run).await?;
    let found = clusters_of(documents, clusters, run).await?;
    end_all(clusters, found).await
}

/// Closes every attempt of a run that was planned, and terminates their clusters.
///
/// Without a pipeline nothing can be closed, and nothing has to be: such a run was never planned. Its clusters are looked
/// for by the run's id all the same.
///
/// # Errors
/// As for an attempt.
pub async fn of_run<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    now: Timestamp,
    run_id: &RunId,
    pipeline: Option<&PipelineName>,
) -> Result<Vec<Ended>, ClusterError> {
    let Some(pipeline) = pipeline else {
        let all = living(documents, clusters).await?;
        let of_run = all.into_iter().filter(|(run, _)| run.run_id == *run_id).map(|(_, cluster)| cluster);
        return end_all(clusters, of_run.collect()).await;
    };
    let (mut ended, mut fault) = (Vec::new(), None);
    let key = RunKey { pipeline: pipeline.clone(), run_id: run_id.clone() };
    // Every attempt is looked up by itself, not in a listing: a store whose listings lag must not leave a cluster running.
    for attempt in 1..=MAX_ATTEMPTS {
        let run = key.attempt(attempt);
        if !documents.of(&run).has::<Plan>().await? {
            break;
        }
        match of_attempt(documents, clusters, now, &run).await {
            Ok(more) => ended.extend(more),
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    fault.map_or(Ok(ended), Err)
}

/// Checks every living cluster of the lake and terminates those whose attempt is over, or that are older than 26 h.
///
/// # Errors
/// As for an attempt. A run whose documents cannot be read keeps its cluster until it is too old.
pub async fn sweep<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    now: Timestamp,
) -> Result<Vec<Ended>, ClusterError> {
    let (mut over, mut fault) = (Vec::new(), None);
    for (run, cluster) in living(documents, clusters).await? {
        let too_old = now.duration_since(cluster.summary.created_at) > MAX_AGE;
        match if too_old { Ok(true) } else { is_over(documents, &run).await } {
            Ok(true) => {
                // Nobody who is late may make another.
                if let Err(error) = documents::close(documents, now, &run).await {
                    fault = fault.or(Some(error.into()));
                }
                over.push(cluster);
            }
            Ok(false) => {}
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    let ended = end_all(clusters, over).await?;
    fault.map_or(Ok(ended), Err)
}

/// The living clusters of the lake with their attempts. Clusters of other lakes and of others' making are left alone.
async fn living<C: Clusters>(documents: &DocumentStore, clusters: &C) -> Result<Vec<(RunRef, Cluster)>, ClusterError> {
    let query = ClusterQuery { name_prefix: NAME_PREFIX.to_owned(), created_after: None, include_ended: false };
    let mut living = Vec::new();
    for summary in clusters.list(&query).await? {
        let Some(run) = attempt_of_name(&summary.name) else { continue };
        let cluster = clusters.describe(&summary.id).await?;
        let ours = cluster.filter(|cluster| is_of(cluster, documents.root(), &run));
        living.extend(ours.map(|cluster| (run, cluster)));
    }
    Ok(living)
}

/// Whether nobody needs a cluster for this attempt any more: it is closed, audited, or reported.
async fn is_over(documents: &DocumentStore, run: &RunRef) -> Result<bool, ClusterError> {
    if documents::is_closed(documents, run).await? || documents.of(run).has::<Verdict>().await? {
        return Ok(true);
    }
    let report: Option<Report> = documents.of(&run.key()).get().await?;
    // A rejected run that a person accepted has a report, and may be at work again as a later attempt.
    Ok(report.is_some_and(|report| report.attempt >= run.attempt))
}

async fn end_all<C: Clusters>(clusters: &C, found: Vec<Cluster>) -> Result<Vec<Ended>, ClusterError> {
    let (mut ended, mut fault) = (Vec::new(), None);
    for Cluster { summary, .. } in found {
        let status = if summary.state.is_over() {
            EndedStatus::Terminated
        } else {
            if let Err(error) = clusters.terminate(&summary.id).await {
                fault = fault.or(Some(error));
            }
            EndedStatus::Terminating
        };
        ended.push(Ended { cluster_id: summary.id, status });
    }
    fault.map_or(Ok(ended), |error| Err(error.into()))
}
