//! The cluster of an attempt: launched once, found by everybody else.
//!
//! Who launches is decided by [`crate::documents`]. After that, EMR is asked what there is: a cluster is that of an
//! attempt when its name and its tags say so, whoever launched it and whether its answer arrived or not.

mod find;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::run::RunRef;
use sluice_documents::DocumentStore;

use crate::documents::{self, Once, Whose};
use crate::error::ClusterError;
use crate::etl;
use crate::ports::{Cluster, ClusterId, ClusterState, Clusters};
use crate::request::{cluster_name, cluster_request};
use crate::settings::ClusterSettings;

pub(crate) use find::{closed_error, clusters_of, ended_error, is_of};

/// First wait between two polls of a cluster that is starting.
const FIRST_WAIT_SECONDS: u64 = 15;
/// Longest wait. Clusters take 4 to 10 minutes, so a cluster of 7 minutes is asked for about 9 times and found ready at
/// most a minute late.
const MAX_WAIT_SECONDS: u64 = 60;

/// Whether a cluster takes steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterStatus {
    /// Not yet.
    Starting,
    /// Yes.
    Ready,
}

/// How far the cluster of an attempt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The cluster; `None` while another call's launch is without answer.
    pub cluster_id: Option<ClusterId>,
    /// Whether it takes steps.
    pub status: ClusterStatus,
    /// Clusters of the attempt that were one too many and were terminated.
    pub terminated: Vec<ClusterId>,
}

/// How long to wait before the next poll of a cluster, after `poll` polls: 15, 30, then 60 s.
pub fn wait_seconds(poll: u32) -> u64 {
    crate::request::doubling_seconds(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, poll)
}

/// Makes sure that the attempt has a cluster, and says how far it is.
///
/// `now` must be taken before the call: what was launched before it is looked for after it.
///
/// # Errors
/// [`ClusterError`]: `Closed` when the attempt is over, `Ended` when its cluster is, `NeverLaunched` when three launches
/// came to nothing; faults of EMR and of the store. After `Unavailable` the cluster may be there and is found next time.
pub async fn ensure<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    settings: &ClusterSettings,
    now: Timestamp,
    run: &RunRef,
) -> Result<Started, ClusterError> {
    let found = clusters_of(documents, clusters, run).await?;
    if documents::is_closed(documents, run).await? {
        return refuse(documents, clusters, found, run).await;
    }
    if let Some(started) = settle(clusters, found, run).await? {
        return Ok(started);
    }
    match documents::take_turn(documents, Once::Launch, run, now).await? {
        Whose::Mine(round) => launch(documents, clusters, settings, now, run, round).await,
        Whose::Others => Ok(Started { cluster_id: None, status: ClusterStatus::Starting, terminated: Vec::new() }),
        Whose::Nobodys => Err(ClusterError::NeverLaunched { name: cluster_name(run), rounds: documents::MAX_ROUNDS }),
    }
}

/// What the clusters of an attempt that is not closed say: the oldest living one counts, and others go. `None` when there
/// is no cluster at all.
async fn settle<C: Clusters>(clusters: &C, found: Vec<Cluster>, run: &RunRef) -> Result<Option<Started>, ClusterError> {
    let (over, living): (Vec<Cluster>, Vec<Cluster>) =
        found.into_iter().partition(|cluster| cluster.summary.state.is_over());
    let mut living = living.into_iter();
    if let Some(oldest) = living.next() {
        let mut terminated = Vec::new();
        for younger in living {
            clusters.terminate(&younger.summary.id).await?;
            terminated.push(younger.summary.id);
        }
        return Ok(Some(Started {
            status: status_of(oldest.summary.state),
            cluster_id: Some(oldest.summary.id),
            terminated,
        }));
    }
    match (finished(clusters, &over, run).await?, over.into_iter().next()) {
        (Some(started), _) => Ok(Some(started)),
        (None, Some(ended)) => Err(ended_error(ended)),
        (None, None) => Ok(None),
    }
}

fn status_of(state: ClusterState) -> ClusterStatus {
    if state.is_ready() { ClusterStatus::Ready } else { ClusterStatus::Starting }
}

/// The cluster that did its work before it ended, if there is one: a run that is resumed needs no second cluster.
async fn finished<C: Clusters>(clusters: &C, over: &[Cluster], run: &RunRef) -> Result<Option<Started>, ClusterError> {
    for cluster in over {
        let id = &cluster.summary.id;
        if etl::is_completed(&clusters.steps(id).await?, run) {
            let (cluster_id, status) = (Some(id.clone()), ClusterStatus::Ready);
            return Ok(Some(Started { cluster_id, status, terminated: Vec::new() }));
        }
    }
    Ok(None)
}

/// The end of a call for a closed attempt: existing clusters are terminated, and only one that did its work counts.
async fn refuse<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    found: Vec<Cluster>,
    run: &RunRef,
) -> Result<Started, ClusterError> {
    let (over, living): (Vec<Cluster>, Vec<Cluster>) =
        found.into_iter().partition(|cluster| cluster.summary.state.is_over());
    for cluster in living {
        clusters.terminate(&cluster.summary.id).await?;
    }
    finished(clusters, &over, run).await?.ok_or_else(|| closed_error(documents, run))
}

async fn launch<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    settings: &ClusterSettings,
    now: Timestamp,
    run: &RunRef,
    round: u32,
) -> Result<Started, ClusterError> {
    let id = clusters.launch(&cluster_request(settings, documents.root(), run)).await?;
    // The attempt may have been closed since the first look. Whoever closed it looked for clusters after that: either
    // that look found this one, or this look finds the mark.
    if documents::is_closed(documents, run).await? {
        clusters.terminate(&id).await?;
        return Err(closed_error(documents, run));
    }
    documents::note_cluster(documents, run, round, &id, now).await?;
    Ok(Started { cluster_id: Some(id), status: ClusterStatus::Starting, terminated: Vec::new() })
}
