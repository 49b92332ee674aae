//! Runs that committed to a table which shows no trace of it.
//!
//! A table whose newest log entry is lost looks like one that the run did not commit to. What the run staged and what it noted as committed
//! is in its documents.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use sluice_core::name::{RunId, TableRef};
use sluice_core::restore::is_torn;
use sluice_core::run::{Changeset, PartialReceipt, Receipt, RunRef};
use sluice_documents::DocumentError;

use super::history::Files;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::AT_ONCE;

/// A document that was read; `None` also for one that is damaged, which says no more than one that is lost.
fn unless_damaged<T>(read: Result<Option<T>, DocumentError>) -> Result<Option<T>, LakeError> {
    match read {
        Ok(document) => Ok(document),
        Err(fault) if fault.is_damaged() => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// Where an attempt is seen.
#[derive(Default)]
struct Seen {
    tables: BTreeSet<TableRef>,
    /// Whether it made the newest commit of a table.
    is_newest: bool,
}

/// The runs of these tables that have lost a commit.
///
/// # Errors
/// Faults of the store.
pub(super) async fn runs(lake: &Lake, files: &[Files]) -> Result<BTreeSet<RunId>, LakeError> {
    let mut attempts: BTreeMap<(RunId, u32), (RunRef, Seen)> = BTreeMap::new();
    for files in files {
        for (attempt, is_newest) in files.attempts() {
            let key = (attempt.run_id.clone(), attempt.attempt);
            let (_, seen) = attempts.entry(key).or_insert_with(|| (attempt.clone(), Seen::default()));
            seen.tables.insert(files.table().clone());
            seen.is_newest |= is_newest;
        }
    }
    let judged = async |(attempt, seen): (RunRef, Seen)| {
        Ok::<_, LakeError>(is_lost(lake, &attempt, &seen).await?.then_some(attempt.run_id))
    };
    let lost: Vec<Option<RunId>> =
        futures::stream::iter(attempts.into_values()).map(judged).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(lost.into_iter().flatten().collect())
}

async fn is_lost(lake: &Lake, attempt: &RunRef, seen: &Seen) -> Result<bool, LakeError> {
    let documents = lake.documents().of(attempt);
    let receipt: Option<Receipt> = unless_damaged(documents.get().await)?;
    let noted = match receipt {
        Some(receipt) => Some(receipt),
        None => unless_damaged(documents.get::<PartialReceipt>().await)?.map(|PartialReceipt(receipt)| receipt),
    };
    if let Some(noted) = noted {
        return Ok(noted.tables.iter().any(|committed| !seen.tables.contains(&committed.table)));
    }
    let changeset: Option<Changeset> = unless_damaged(documents.get().await)?;
    Ok(match changeset {
        Some(changeset) => {
            let staged: Vec<TableRef> = changeset.tables.into_iter().map(|change| change.table).collect();
            is_torn(&staged, &seen.tables)
        }
        // Old runs' documents expire. Those of the newest commit have to be there; in a copy they may not have arrived yet.
        None => seen.is_newest,
    })
}
