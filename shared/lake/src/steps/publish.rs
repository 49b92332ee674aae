//! Publish: the one step that makes rows visible.

use futures::{TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::name::TableRef;
use sluice_core::run::{
    Changeset, CommittedTable, Decision, Earlier, EarlierCommit, PartialReceipt, Plan, Receipt, RunRef, TableChange,
    Verdict,
};
use sluice_core::source::{SourceId, SourceObject};

use crate::delta::{commit, open_table};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::AT_ONCE;
use crate::runs;

/// Commits the changeset of an attempt, table by table, or finds that it was committed.
///
/// Called again after a crash between two tables, it finds the first by its record and goes on with the second.
///
/// # Errors
/// [`LakeError::Invalid`] when the gate did not let the run pass; [`LakeError::Conflict`] when another writer came first.
pub async fn publish(lake: &Lake, now: Timestamp, run: &RunRef) -> Result<Receipt, LakeError> {
    let documents = lake.documents().of(run);
    if let Some(receipt) = documents.get().await? {
        return Ok(receipt);
    }
    let plan: Plan = documents.require().await?;
    let changeset: Changeset = documents.require().await?;
    let verdict: Verdict = documents.require().await?;
    if verdict.decision == Decision::Rejected {
        return Err(LakeError::Invalid {
            message: format!("run `{}` was rejected by the gate; accept it or release its source objects", run.run_id),
        });
    }
    let mut receipt = Receipt { run: run.clone(), published_at: now, tables: Vec::new() };
    if let Err(error) = commit_all(lake, &plan, &changeset, &mut receipt).await {
        // The run plans again: the next attempt reports what this one has committed already.
        if matches!(error, LakeError::Conflict { .. }) && !receipt.tables.is_empty() {
            documents.settle(PartialReceipt(receipt)).await?;
        }
        return Err(error);
    }
    // What an attempt before this one committed in part may be held since: it is not published.
    let is_held = |object: &SourceObject| plan.held.iter().any(|held| held.is_same_version(object));
    let published: Vec<SourceId> = plan.all_objects().filter(|object| !is_held(object)).map(SourceObject::id).collect();
    stream::iter(published.into_iter().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |id| async move { runs::let_go(lake, &run.pipeline, &id).await })
        .await?;
    Ok(documents.settle(receipt).await?)
}

/// Commits table after table and notes each in the receipt.
async fn commit_all(lake: &Lake, plan: &Plan, changeset: &Changeset, receipt: &mut Receipt) -> Result<(), LakeError> {
    for change in &changeset.tables {
        let inputs = input_versions(lake, plan, change, &receipt.tables).await?;
        let committed = commit(lake, &receipt.run, change, &inputs, receipt.published_at).await?;
        receipt.tables.push(CommittedTable {
            table: change.table.clone(),
            version: committed.version,
            rows: change.table_rows,
            files_added: change.adds.len() as u64,
            files_removed: change.removes.len() as u64,
        });
    }
    Ok(())
}

/// What the attempts up to this one have committed, though the run has to plan again.
pub(super) async fn committed_so_far(lake: &Lake, before: &Plan) -> Result<Earlier, LakeError> {
    let documents = lake.documents().of(&before.run);
    let mut earlier = before.earlier.clone();
    let Some(PartialReceipt(partial)) = documents.get().await? else { return Ok(earlier) };
    let changeset: Changeset = documents.require().await?;
    for committed in partial.tables {
        let Some(change) = changeset.tables.iter().find(|change| change.table == committed.table) else { continue };
        earlier.tables.retain(|commit| commit.committed.table != committed.table);
        earlier.tables.push(EarlierCommit { kind: change.kind, rows: change.rows, committed });
    }
    earlier.objects = before.all_objects().cloned().collect();
    Ok(earlier)
}

/// Versions of the tables that a gold table was computed from.
///
/// # Errors
/// [`LakeError::Conflict`] when one of this pipeline has moved on: the aggregate would not be of any version of it.
async fn input_versions(
    lake: &Lake,
    plan: &Plan,
    change: &TableChange,
    committed: &[CommittedTable],
) -> Result<Vec<(TableRef, u64)>, LakeError> {
    let mut versions = Vec::new();
    for input in &change.inputs {
        if let Some(done) = committed.iter().find(|done| &done.table == input) {
            versions.push((input.clone(), done.version));
            continue;
        }
        let read = plan.table(input).and_then(|planned| planned.read_version);
        // Another pipeline goes on meanwhile, and the next run computes gold from where it got to.
        if let (Some(read), Some(_)) = (read, plan.pipeline.input(input)) {
            versions.push((input.clone(), read));
            continue;
        }
        let current = open_table(lake, input, None).await?.map(|table| table.version());
        match (read, current) {
            (Some(read), Some(current)) if read == current => versions.push((input.clone(), read)),
            _ => {
                let detail = format!("its input `{input}` moved from version {read:?} to {current:?}");
                return Err(LakeError::Conflict { table: change.table.clone(), detail });
            }
        }
    }
    Ok(versions)
}
