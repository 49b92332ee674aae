//! The clusters of an attempt, as EMR has them.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use sluice_core::run::RunRef;
use sluice_core::uri::FolderUri;
use sluice_documents::DocumentStore;

use crate::documents::{self, Once};
use crate::error::ClusterError;
use crate::ports::{Cluster, ClusterQuery, Clusters};
use crate::request::{cluster_name, identity_tags};

/// How far the clocks of EMR and of a function may be apart. Both follow AWS's time service to within seconds.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The clusters of an attempt, those that ended included, oldest first. EMR is asked only when somebody had a turn.
pub(crate) async fn clusters_of<C: Clusters>(
    documents: &DocumentStore,
    clusters: &C,
    run: &RunRef,
) -> Result<Vec<Cluster>, ClusterError> {
    let Some(first) = documents::first_turn(documents, Once::Launch, run).await? else {
        return Ok(Vec::new());
    };
    let name_prefix = cluster_name(run);
    let query = ClusterQuery {
        name_prefix: name_prefix.clone(),
        // Keeps the list short; the name alone would search two months of clusters.
        created_after: Some(first.saturating_sub(CLOCK_SKEW).unwrap_or(first)),
        include_ended: true,
    };
    let listed = clusters.list(&query).await?.into_iter().filter(|summary| summary.name == name_prefix);
    let mut ids: BTreeSet<_> = listed.map(|summary| summary.id).collect();
    ids.extend(documents::noted_clusters(documents, run).await?);
    let mut found = Vec::new();
    for id in ids {
        let cluster = clusters.describe(&id).await?;
        found.extend(cluster.filter(|cluster| is_of(cluster, documents.root(), run)));
    }
    found.sort_by(|a, b| (a.summary.created_at, &a.summary.id).cmp(&(b.summary.created_at, &b.summary.id)));
    Ok(found)
}

/// Whether a cluster is that of the attempt in the lake at `lake`: by its name and by its tags.
pub(crate) fn is_of(cluster: &Cluster, lake: &FolderUri, run: &RunRef) -> bool {
    cluster.summary.name == cluster_name(run)
        && identity_tags(lake, run).iter().all(|(key, value)| cluster.tags.get(key) == Some(value))
}

pub(crate) fn closed_error(documents: &DocumentStore, run: &RunRef) -> ClusterError {
    let mark = documents.root().object(&documents::closed_path(run));
    ClusterError::Closed { name: cluster_name(run), mark }
}

pub(crate) fn ended_error(cluster: Cluster) -> ClusterError {
    let Cluster { summary, reason, .. } = cluster;
    let reason = reason.unwrap_or_else(|| "EMR gives no reason".to_owned());
    ClusterError::Ended { cluster: summary.id, name: summary.name, state: summary.state, reason }
}
