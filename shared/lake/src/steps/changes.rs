//! What is the same for every engine: the tables a plan was made on, which changes a changeset has, and their order.

use std::collections::BTreeMap;

use sluice_core::name::TableRef;
use sluice_core::pipeline::GoldTable;
use sluice_core::run::{Plan, PlannedTable, RunAction, TableChange};

use crate::delta::{OpenTable, open_table};
use crate::engine::SilverChanges;
use crate::error::LakeError;
use crate::lake::Lake;

/// The tables that exist, at the versions that the plan was made on.
///
/// # Errors
/// [`LakeError::Conflict`] when one is gone since.
pub(super) async fn open_planned(lake: &Lake, plan: &Plan) -> Result<BTreeMap<TableRef, OpenTable>, LakeError> {
    let mut tables = BTreeMap::new();
    for planned in &plan.tables {
        if let Some(open) = open_one(lake, planned).await? {
            tables.insert(planned.table.clone(), open);
        }
    }
    Ok(tables)
}

/// A table at the version that the plan was made on; `None` where it did not exist.
///
/// # Errors
/// [`LakeError::Conflict`] when it is gone since.
pub(super) async fn open_one(lake: &Lake, planned: &PlannedTable) -> Result<Option<OpenTable>, LakeError> {
    let Some(version) = planned.read_version else { return Ok(None) };
    let open = open_table(lake, &planned.table, Some(version)).await?;
    let gone = || LakeError::Conflict { table: planned.table.clone(), detail: "it is gone since the plan".to_owned() };
    open.ok_or_else(gone).map(Some)
}

/// The changes of bronze, silver, quarantine and delete events in the order of publication, without those that change
/// nothing. `bronze` has the change of each source, and `silver` each silver table with the tables next to it, whose
/// sources are filled in here.
///
/// Delete events are committed before the rows that they end: a row that comes later and is older than an event must
/// meet it, and a run that died in between leaves an event that is true all the same.
///
/// Quarantined rows are committed before the accepted ones, so that a silver table that has an object proves that the
/// object's quarantined rows are committed too. A replay takes rows out of quarantine, so they go to silver first.
pub(super) fn in_order(plan: &Plan, bronze: Vec<TableChange>, silver: Vec<SilverChanges>) -> Vec<TableChange> {
    let replay = plan.request.action == RunAction::Replay;
    let (mut refused, mut ending, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
    for SilverChanges { mut silver, mut quarantine, mut deletes } in silver {
        if let Some(planned) = plan.table(&silver.table) {
            silver.sources.extend(planned.superseded.iter().cloned());
        }
        for change in [Some(&mut quarantine), deletes.as_mut()].into_iter().flatten() {
            if !change.adds.is_empty()
                && !replay
                && let Some(planned) = plan.table(&change.table)
            {
                change.sources.clone_from(&planned.sources);
            }
        }
        ending.extend(deletes);
        accepted.push(silver);
        refused.push(quarantine);
    }
    let (first, last) = if replay { (Vec::new(), refused) } else { (refused, Vec::new()) };
    let mut changes = bronze;
    changes.extend(first.into_iter().chain(ending).chain(accepted).chain(last));
    changes.retain(|change| !(change.adds.is_empty() && change.removes.is_empty() && change.sources.is_empty()));
    changes
}

/// Whether every table that a gold table reads exists, or is made by the changes before it.
pub(super) fn has_inputs(gold: &GoldTable, exists: impl Fn(&TableRef) -> bool, changes: &[TableChange]) -> bool {
    gold.inputs.iter().all(|input| exists(input) || changes.iter().any(|change| &change.table == input))
}
