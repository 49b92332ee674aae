//! The changes of a silver table, of its quarantine and of its delete events.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::columns::{StoredColumn, delete_columns, quarantine_columns, silver_columns};
use sluice_core::pipeline::WriteMode;
use sluice_core::run::{AuditedRows, ChangeKind, RowCounts, StagedFile, TableChange};
use sluice_core::source::SourceId;

use super::{SilverContext, partition_by};
use crate::delta::OpenTable;
use crate::engine::Merged;
use crate::error::LakeError;

/// What a run wants to do to a silver table and to the tables next to it.
#[derive(Debug)]
pub(crate) struct SilverChanges {
    /// The change of the silver table.
    pub(crate) silver: TableChange,
    /// That of its quarantine.
    pub(crate) quarantine: TableChange,
    /// That of its delete events; `None` where it has none.
    pub(crate) deletes: Option<TableChange>,
}

/// What a run did for a silver table.
#[derive(Debug, Default)]
pub(crate) struct SilverOutcome {
    /// The files staged.
    pub(crate) adds: Vec<StagedFile>,
    /// The files that they replace.
    pub(crate) merged: Merged,
    /// Rows read from the source.
    pub(crate) source: u64,
    /// Rows of them that broke an error rule.
    pub(crate) quarantined: u64,
    /// Rows of them that a replay found in the table.
    pub(crate) present: u64,
    /// Rows of them that are delete events.
    pub(crate) deleted: u64,
    /// The others.
    pub(crate) accepted: u64,
    /// Broken rules, by id.
    pub(crate) broken_rules: BTreeMap<String, u64>,
    /// What parts have counted in the files staged, where they are all from parts.
    pub(crate) audited: Option<AuditedRows>,
}

impl SilverContext<'_> {
    /// The change of the silver table.
    ///
    /// # Errors
    /// [`LakeError`] when the table's files cannot be listed.
    pub(crate) fn silver_change(
        &self,
        outcome: SilverOutcome,
        sources: BTreeSet<SourceId>,
    ) -> Result<TableChange, LakeError> {
        let table = self.table;
        let staged = staged_rows(&outcome.adds);
        let replaced = outcome.merged.replaced;
        let rows = RowCounts {
            source: outcome.source,
            replaced: if table.mode == WriteMode::Replace { 0 } else { replaced },
            staged,
            quarantined: outcome.quarantined,
            collapsed: if table.mode.merges() {
                (outcome.accepted + replaced + outcome.merged.recalled).saturating_sub(staged)
            } else {
                outcome.present
            },
            deleted: outcome.deleted,
            recalled: outcome.merged.recalled,
            snapshot: outcome.merged.snapshot,
        };
        let columns = silver_columns(table);
        Ok(TableChange {
            table: table.table.clone(),
            read_version: self.existing.map(OpenTable::version),
            kind: match table.mode {
                WriteMode::Append => ChangeKind::Append,
                WriteMode::Replace => ChangeKind::Overwrite,
                WriteMode::Merge(_) | WriteMode::Scd2(_) | WriteMode::Snapshot(_) => ChangeKind::Rewrite,
            },
            schema_changes: schema_changes(self.existing, &columns),
            columns,
            partition_by: partition_by(table),
            adds: outcome.adds,
            removes: outcome.merged.removes,
            sources,
            inputs: BTreeSet::new(),
            rows,
            table_rows: (rows_of(self.existing)? + staged).saturating_sub(replaced),
            broken_rules: outcome.broken_rules,
            audited: outcome.audited,
        })
    }

    /// The change of its quarantine.
    ///
    /// # Errors
    /// [`LakeError`] when the table's files cannot be listed.
    pub(crate) fn quarantine_change(
        &self,
        adds: Vec<StagedFile>,
        sources: BTreeSet<SourceId>,
        broken_rules: BTreeMap<String, u64>,
    ) -> Result<TableChange, LakeError> {
        let staged = staged_rows(&adds);
        let replaced = if self.replay { whole(self.quarantine)? } else { Merged::default() };
        Ok(TableChange {
            table: self.table.quarantine.clone(),
            read_version: self.quarantine.map(OpenTable::version),
            kind: if self.replay { ChangeKind::Rewrite } else { ChangeKind::Append },
            columns: quarantine_columns(),
            partition_by: Vec::new(),
            adds,
            removes: replaced.removes,
            sources,
            inputs: BTreeSet::new(),
            rows: RowCounts { source: staged, staged, replaced: replaced.replaced, ..RowCounts::default() },
            table_rows: (rows_of(self.quarantine)? + staged).saturating_sub(replaced.replaced),
            broken_rules,
            schema_changes: Vec::new(),
            audited: None,
        })
    }
}

impl SilverContext<'_> {
    /// The change of the table of its delete events; `None` where it has none. Events are only added: whatever is
    /// stored, the newest of a key decides.
    ///
    /// # Errors
    /// [`LakeError`] when the table's files cannot be listed.
    pub(crate) fn deletes_change(&self, adds: Vec<StagedFile>) -> Result<Option<TableChange>, LakeError> {
        let Some((table, by)) = self.table.deletes() else { return Ok(None) };
        let staged = staged_rows(&adds);
        Ok(Some(TableChange {
            table,
            read_version: self.deletes.map(OpenTable::version),
            kind: ChangeKind::Append,
            columns: delete_columns(&self.table.contract, by),
            partition_by: Vec::new(),
            adds,
            removes: Vec::new(),
            sources: BTreeSet::new(),
            inputs: BTreeSet::new(),
            rows: RowCounts { source: staged, staged, ..RowCounts::default() },
            table_rows: rows_of(self.deletes)? + staged,
            broken_rules: BTreeMap::new(),
            schema_changes: Vec::new(),
            audited: None,
        }))
    }
}

/// Rows of staged files.
fn staged_rows(files: &[StagedFile]) -> u64 {
    files.iter().map(|file| file.rows).sum()
}

fn rows_of(table: Option<&OpenTable>) -> Result<u64, LakeError> {
    Ok(match table {
        Some(table) => table.rows()?.unwrap_or_default(),
        None => 0,
    })
}

/// All files of a table, to be replaced.
pub(crate) fn whole(table: Option<&OpenTable>) -> Result<Merged, LakeError> {
    let Some(table) = table else { return Ok(Merged::default()) };
    let files = table.files()?;
    let replaced = files.iter().filter_map(|file| file.rows).sum();
    Ok(Merged { removes: files.into_iter().map(|file| file.path).collect(), replaced, ..Merged::default() })
}

fn schema_changes(existing: Option<&OpenTable>, columns: &[StoredColumn]) -> Vec<String> {
    let Some(existing) = existing else { return Vec::new() };
    let new = columns.iter().filter(|c| !existing.columns().iter().any(|e| e.name == c.name));
    new.map(|c| format!("column `{}` is new", c.name)).collect()
}
