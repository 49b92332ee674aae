//! Publish: the one step that makes rows visible.

use jiff::Timestamp;
use sluice_core::name::TableRef;
use sluice_core::run::{
    Changeset, CommittedTable, Decision, Earlier, EarlierCommit, Plan, Receipt, RunRef, TableChange, Verdict,
};
use sluice_core::uri::layout;

use super::{document, required};
use crate::delta::{commit, open_table};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::runs;

/// Commits the changeset of an attempt, table by table, or finds that it was committed.
///
/// Called again after a crash between two tables, it finds the first by its record and goes on with the second.
///
/// # Errors
/// [`LakeError::Invalid`] when the gate did not let the run pass; [`LakeError::Conflict`] when another writer came first.
pub async fn publish(lake: &Lake, now: Timestamp, run: &RunRef) -> Result<Receipt, LakeError> {
    if let Some(receipt) = document(lake, run, "receipt").await? {
        return Ok(receipt);
    }
    let plan: Plan = required(lake, run, "plan").await?;
    let changeset: Changeset = required(lake, run, "changeset").await?;
    let verdict: Verdict = required(lake, run, "verdict").await?;
    if verdict.decision == Decision::Rejected {
        return Err(LakeError::Invalid {
            message: format!("run `{}` was rejected by the gate; accept it or release its source objects", run.run_id),
        });
    }
    let mut receipt = Receipt { run: run.clone(), published_at: now, tables: Vec::new() };
    let path = |kind| layout::attempt_document(&run.pipeline, &run.run_id, run.attempt, kind);
    if let Err(error) = commit_all(lake, &plan, &changeset, &mut receipt).await {
        // The run plans again: the next attempt tells what this one has brought already.
        if matches!(error, LakeError::Conflict { .. }) && !receipt.tables.is_empty() {
            let _: Receipt = lake.settle_document(&path("partial"), receipt).await?;
        }
        return Err(error);
    }
    for object in plan.all_objects() {
        runs::let_go(lake, &run.pipeline, &object.id()).await?;
    }
    lake.settle_document(&path("receipt"), receipt).await
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
    let run = &before.run;
    let mut earlier = before.earlier.clone();
    let Some(partial): Option<Receipt> = document(lake, run, "partial").await? else { return Ok(earlier) };
    let changeset: Changeset = required(lake, run, "changeset").await?;
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
/// [`LakeError::Conflict`] when one of them has moved on: the aggregate would not be of any version of it.
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
