//! Assemble: what was read, and what Spark staged and counted, becomes the changeset that process would have written.
//!
//! Spark commits nothing. It leaves Parquet files in a folder of the attempt below each table that it combines and, last, what
//! it counted. Nothing of that is believed without a second look: the rows are those of the files' footers, and every column
//! has the type that the table must have.

mod files;
mod numbers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_core::columns::{StoredColumn, silver_columns};
use sluice_core::name::TableRef;
use sluice_core::pipeline::{GoldTable, SilverTable, WriteMode};
use sluice_core::run::{Changeset, Plan, ReadRun, ReadTable, StagedFile, TableChange};
use sluice_core::source::SourceId;
use sluice_spark::metrics::{EtlMetrics, MetricName, TableMetrics};

use self::files::StageFolder;
pub(super) use self::numbers::{number, numbers, read_metrics};
use super::changes::{has_inputs, in_order, open_planned};
use crate::delta::OpenTable;
use crate::engine::{
    Merged, SilverChanges, SilverContext, SilverOutcome, SnapshotOrder, gold_change, gold_columns, whole,
};
use crate::error::LakeError;
use crate::lake::Lake;

/// The changeset of a plan whose Spark step is complete. Writes nothing; the same output gives the same changes.
///
/// # Errors
/// [`LakeError::EtlFailed`] naming the table and file when the output is incomplete or not what the plan asked for;
/// [`LakeError::Conflict`] when a table is gone since the plan.
pub async fn assemble(lake: &Lake, now: Timestamp, plan: &Plan) -> Result<Changeset, LakeError> {
    let ReadRun { bronze, other_bronze, tables: read, missing_keys, engine, .. } =
        lake.documents().of(&plan.run).require().await?;
    let metrics = read_metrics(lake, &plan.run).await?;
    let output = SparkOutput { lake, plan, metrics, tables: open_planned(lake, plan).await? };
    let mut silver = Vec::with_capacity(plan.pipeline.silver.len());
    let mut read: BTreeMap<TableRef, ReadTable> = read.into_iter().map(|of| (of.table.clone(), of)).collect();
    for table in &plan.pipeline.silver {
        let read = read.remove(&table.table).ok_or_else(|| LakeError::Internal {
            message: format!("what was read of run `{}` says nothing of table `{}`", plan.run.run_id, table.table),
        })?;
        silver.push(output.silver(table, read).await?);
    }
    let bronze = std::iter::once(bronze).chain(other_bronze).collect();
    let mut changes = in_order(plan, bronze, silver);
    for gold in &plan.pipeline.gold {
        let exists = |input: &TableRef| output.tables.contains_key(input);
        let due = plan.refresh.contains(&gold.table) && has_inputs(gold, exists, &changes);
        let change = output.gold(gold, due).await?;
        changes.extend(change);
    }
    Ok(Changeset { run: plan.run.clone(), staged_at: now, tables: changes, missing_keys, engine })
}

/// What Spark left of a plan.
struct SparkOutput<'a> {
    lake: &'a Lake,
    plan: &'a Plan,
    metrics: EtlMetrics,
    tables: BTreeMap<TableRef, OpenTable>,
}

impl SparkOutput<'_> {
    fn failed(&self, problem: String) -> LakeError {
        LakeError::EtlFailed { run: self.plan.run.clone(), problem }
    }

    fn numbers(&self, table: &TableRef) -> Result<&TableMetrics, LakeError> {
        numbers(&self.plan.run, &self.metrics, table)
    }

    fn number(&self, table: &TableRef, metric: MetricName) -> Result<u64, LakeError> {
        number(&self.plan.run, &self.metrics, table, metric)
    }

    fn sources(&self, table: &TableRef) -> BTreeSet<SourceId> {
        self.plan.table(table).map(|planned| planned.sources.clone()).unwrap_or_default()
    }

    fn folder(&self, table: &TableRef) -> StageFolder<'_> {
        StageFolder::new(self.lake, &self.plan.run, table)
    }

    /// The rows of files that a table gets, which must be those that Spark counted in them. A table that gets no source
    /// object must get no rows.
    fn agree(&self, table: &TableRef, files: &[StagedFile], due: bool) -> Result<u64, LakeError> {
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        if !due {
            return match files.first() {
                None => Ok(0),
                Some(file) => Err(self.failed(format!(
                    "table `{table}` has the staged file {} though the plan brings nothing to it",
                    file.path
                ))),
            };
        }
        let counted = self.number(table, MetricName::StagedRows)?;
        if rows == counted {
            return Ok(rows);
        }
        let count = files.len();
        Err(self.failed(format!(
            "table `{table}`: Spark counted {counted} staged rows, and the {count} staged files hold {rows}"
        )))
    }

    /// The rows that a table will have, as Spark counted them, which must be those that follow from the log.
    fn check_table_rows(&self, change: &TableChange) -> Result<(), LakeError> {
        let counted = self.number(&change.table, MetricName::TableRows)?;
        let known = match self.tables.get(&change.table) {
            // Another writer may have left the rows of its files out of the log: then there is nothing to compare with.
            Some(table) => table.rows()?.is_some(),
            None => true,
        };
        if !known || counted == change.table_rows {
            return Ok(());
        }
        Err(self.failed(format!(
            "table `{}`: Spark counted {counted} rows of the table after the run, and by its log it will have {}",
            change.table, change.table_rows
        )))
    }

    /// The changes of a silver table, of its quarantine and of its delete events.
    async fn silver(&self, table: &SilverTable, read: ReadTable) -> Result<SilverChanges, LakeError> {
        let context = SilverContext {
            lake: self.lake,
            run: &self.plan.run,
            table,
            existing: self.tables.get(&table.table),
            quarantine: self.tables.get(&table.quarantine),
            deletes: table.deletes().and_then(|(deletes, _)| self.tables.get(&deletes)),
            replay: false,
            snapshots: SnapshotOrder::default(),
        };
        let sources = self.sources(&table.table);
        let due = !sources.is_empty();
        let (broken_rules, deleted) = (read.broken_rules.clone(), read.deleted());
        let adds = if table.mode.merges() {
            let partition_by: Vec<String> = table.contract.partition_by.iter().map(ToString::to_string).collect();
            self.files(&table.table, &silver_columns(table), &partition_by).await?
        } else {
            read.accepted_files
        };
        self.agree(&table.table, &adds, due)?;
        let outcome = SilverOutcome {
            adds,
            merged: if due { self.merged(table)? } else { Merged::default() },
            source: read.source,
            quarantined: read.quarantined,
            present: 0,
            deleted,
            accepted: read.accepted,
            broken_rules: read.broken_rules,
            audited: read.audited,
        };
        let silver = context.silver_change(outcome, sources)?;
        if due {
            self.check_table_rows(&silver)?;
        }
        let quarantine = context.quarantine_change(read.quarantine_files, BTreeSet::new(), broken_rules)?;
        Ok(SilverChanges { silver, quarantine, deletes: context.deletes_change(read.delete_files)? })
    }

    /// Gold is computed again as a whole, when it is due.
    async fn gold(&self, gold: &GoldTable, due: bool) -> Result<Option<TableChange>, LakeError> {
        let partition_by: Vec<String> = gold.contract.partition_by.iter().map(ToString::to_string).collect();
        let adds = self.files(&gold.table, &gold_columns(gold), &partition_by).await?;
        self.agree(&gold.table, &adds, due)?;
        if !due {
            return Ok(None);
        }
        let change = gold_change(gold, self.tables.get(&gold.table), adds)?;
        self.check_table_rows(&change)?;
        Ok(Some(change))
    }

    /// The staged files of a table whose files must have all its columns.
    async fn files(
        &self,
        table: &TableRef,
        columns: &[StoredColumn],
        partition_by: &[String],
    ) -> Result<Vec<StagedFile>, LakeError> {
        let folder = self.folder(table);
        let found = folder.find(partition_by).await?;
        folder.check(&found, columns, partition_by)?;
        Ok(files::with_rows(found))
    }

    /// The files that the staged rows of a silver table replace.
    fn merged(&self, table: &SilverTable) -> Result<Merged, LakeError> {
        let removed = &self.numbers(&table.table)?.removed_files;
        let existing = self.tables.get(&table.table);
        match &table.mode {
            WriteMode::Replace => whole(existing),
            WriteMode::Append => match removed.first() {
                None => Ok(Merged::default()),
                Some(file) => {
                    Err(self.failed(format!("table `{}` only gets rows, and {file} is to be replaced", table.table)))
                }
            },
            WriteMode::Snapshot(_) => Err(self.failed(format!(
                "table `{}` is compared with snapshots, which Spark does not do: plan the run again",
                table.table
            ))),
            WriteMode::Merge(_) | WriteMode::Scd2(_) => {
                let entries = match existing {
                    Some(existing) => existing.files()?,
                    None => Vec::new(),
                };
                let replaced = files::entries_of(&entries, &table.table, removed).map_err(|file| {
                    self.failed(format!("table `{}` has no file {file} to replace at its planned version", table.table))
                })?;
                let rows = self.number(&table.table, MetricName::ReplacedRows)?;
                let by_log: Option<u64> = replaced.iter().map(|file| file.rows).sum();
                if by_log.is_some_and(|by_log| by_log != rows) {
                    return Err(self.failed(format!(
                        "table `{}`: Spark read {rows} rows of the {} files it replaces, and by the log they hold {}",
                        table.table,
                        replaced.len(),
                        by_log.unwrap_or_default()
                    )));
                }
                let removes = replaced.iter().map(|file| file.path.clone()).collect();
                // Only the scripts of histories count these.
                let recalled = self.numbers(&table.table)?.number(MetricName::RecalledRows).unwrap_or_default();
                Ok(Merged { removes, replaced: rows, recalled, snapshot: None })
            }
        }
    }
}
