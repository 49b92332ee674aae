//! The marks of an attempt's cluster in the folder of its run.
//!
//! EMR takes no token with a launch or a step, so that the same request twice makes two. Whoever wants to make one first
//! makes a small document that only one caller can make:
//!
//! - `launch-<attempt>-<round>.json`, `step-<attempt>-<round>.json`: somebody's turn to launch, to submit;
//! - `cluster-<attempt>-<round>.json`: the cluster that came of it;
//! - `closed-<attempt>.json`: no cluster is wanted any more.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::run::{ClusterMark, DocumentKind, RunRef};
use sluice_core::uri::{LakePath, layout};
use sluice_documents::{Created, DocumentError, DocumentStore};
use uuid::Uuid;

use crate::ports::ClusterId;

/// How long a turn belongs to the caller that took it. It acts within 60 s, because its function is killed then; after
/// twice as long again, whatever EMR accepted in its last second is in EMR's lists. 60 s + 120 s.
pub const TURN: SignedDuration = SignedDuration::from_secs(180);

/// Most turns. After 3 × 180 s = 9 minutes of answers that were lost and left nothing, EMR is out of order.
pub const MAX_ROUNDS: u32 = 3;

/// What EMR is asked for once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Once {
    /// The cluster of an attempt.
    Launch,
    /// The step of an attempt.
    Step,
}

impl Once {
    fn mark(self) -> ClusterMark {
        match self {
            Self::Launch => ClusterMark::Launch,
            Self::Step => ClusterMark::Step,
        }
    }
}

/// A turn: who may ask EMR, since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Turn {
    /// Made up by the caller, so that it knows its own turn when the answer to its write was lost.
    caller: Uuid,
    /// When the caller began.
    pub(crate) taken_at: Timestamp,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The caller's own, in this round.
    Mine(u32),
    /// Another caller's, who may still be at it.
    Others,
    /// Nobody's: every round came to nothing.
    Nobodys,
}

/// What a launch made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Launched {
    cluster_id: ClusterId,
    launched_at: Timestamp,
}

/// That an attempt is over. For people: the presence of the mark is what counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Closed {
    closed_at: Timestamp,
}

impl StepDocument for Closed {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Closed;
}

/// Path of the mark that closes an attempt.
pub fn closed_path(run: &RunRef) -> LakePath {
    Closed::path(run)
}

/// Closes an attempt: whoever launches a cluster for it from now on terminates it again.
pub(crate) async fn close(documents: &DocumentStore, now: Timestamp, run: &RunRef) -> Result<(), DocumentError> {
    // An attempt that somebody closed before is as closed.
    documents.create(&closed_path(run), &Closed { closed_at: now }).await.map(|_| ())
}

/// Whether an attempt is closed.
pub(crate) async fn is_closed(documents: &DocumentStore, run: &RunRef) -> Result<bool, DocumentError> {
    documents.of(run).has::<Closed>().await
}

/// When the first turn was taken; `None` when EMR was never asked.
pub(crate) async fn first_turn(
    documents: &DocumentStore,
    once: Once,
    run: &RunRef,
) -> Result<Option<Timestamp>, DocumentError> {
    let first: Option<Turn> = documents.read(&layout::cluster_mark(run, once.mark(), 1)).await?;
    Ok(first.map(|turn| turn.taken_at))
}

/// Takes the turn, if it is free. Of all callers, one at most has a round.
///
/// The caller must have looked for what it is about to ask for after `now`, so that what an earlier turn made is found.
pub(crate) async fn take_turn(
    documents: &DocumentStore,
    once: Once,
    run: &RunRef,
    now: Timestamp,
) -> Result<Whose, DocumentError> {
    let mine = Turn { caller: Uuid::now_v7(), taken_at: now };
    for round in 1..=MAX_ROUNDS {
        let path = layout::cluster_mark(run, once.mark(), round);
        let turn = match documents.read::<Turn>(&path).await? {
            Some(turn) => turn,
            None => match documents.create(&path, &mine).await? {
                Created::Created => return Ok(Whose::Mine(round)),
                // Somebody was faster, or this very write was repeated after a lost answer.
                Created::AlreadyExists => match documents.read::<Turn>(&path).await? {
                    Some(turn) if turn == mine => return Ok(Whose::Mine(round)),
                    Some(_) | None => return Ok(Whose::Others),
                },
            },
        };
        if now.duration_since(turn.taken_at) < TURN {
            return Ok(Whose::Others);
        }
    }
    Ok(Whose::Nobodys)
}

/// Notes the cluster that a round made, so that it is found before EMR's lists have it.
pub(crate) async fn note_cluster(
    documents: &DocumentStore,
    run: &RunRef,
    round: u32,
    cluster: &ClusterId,
    now: Timestamp,
) -> Result<(), DocumentError> {
    let launched = Launched { cluster_id: cluster.clone(), launched_at: now };
    documents.create(&layout::cluster_mark(run, ClusterMark::Cluster, round), &launched).await.map(|_| ())
}

/// The clusters noted by the rounds of an attempt.
pub(crate) async fn noted_clusters(documents: &DocumentStore, run: &RunRef) -> Result<Vec<ClusterId>, DocumentError> {
    let mut noted = Vec::new();
    for round in 1..=MAX_ROUNDS {
        let launched: Option<Launched> =
            documents.read(&layout::cluster_mark(run, ClusterMark::Cluster, round)).await?;
        noted.extend(launched.map(|launched| launched.cluster_id));
    }
    Ok(noted)
}
