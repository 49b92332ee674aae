//! Assemble: what Spark staged and counted becomes the changeset that process would have written.
//!
//! Spark commits nothing. It leaves Parquet files in a folder of the attempt below each table and, last, what it counted.
//! Nothing of that is believed without a second look: the rows are those of the files' footers, every column has the
//! type that the table must have, and the source objects still are the planned versions.

mod files;
mod numbers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::columns::{INGESTION_DATE, StoredColumn, quarantine_columns, silver_columns};
use sluice_core::engine::Engine;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{GoldTable, SilverTable, WriteMode};
use sluice_core::run::{Changeset, Plan, ReadFrom, RunAction, StagedFile, TableChange};
use sluice_core::source::SourceId;
use sluice_core::spark::metrics::{EtlMetrics, MetricName, TableMetrics};
use sluice_core::spec::SourceFormat;

use self::files::{Missing, StageFolder};
pub(super) use self::numbers::{number, numbers, read_metrics};
use super::changes::{has_inputs, in_order, open_planned};
use crate::delta::OpenTable;
use crate::engine::{BronzeTable, Merged, SilverContext, SilverOutcome, gold_change, gold_columns, whole};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{AT_ONCE, verify_version};

/// The changeset of a plan whose Spark step is complete. Writes nothing; the same output gives the same changes.
///
/// # Errors
/// [`LakeError::EtlFailed`] naming the table and file when the output is incomplete or not what the plan asked for;
/// [`LakeError::SourceChanged`] when a source object is not what the plan saw; [`LakeError::Conflict`] when a table is
/// gone since the plan.
pub async fn assemble(lake: &Lake, now: Timestamp, plan: &Plan) -> Result<Changeset, LakeError> {
    if plan.engine.engine != Engine::Emr || plan.request.action != RunAction::Ingest {
        return Err(LakeError::Invalid { message: format!("run `{}` was not planned for Spark", plan.run.run_id) });
    }
    let metrics = read_metrics(lake, &plan.run).await?;
    let output = SparkOutput { lake, plan, metrics, tables: open_planned(lake, plan).await? };
    let bronze = output.bronze().await?;
    let mut silver = Vec::with_capacity(plan.pipeline.silver.len());
    for table in &plan.pipeline.silver {
        silver.push(output.silver(table).await?);
    }
    let mut changes = in_order(plan, bronze, silver);
    for gold in &plan.pipeline.gold {
        let exists = |input: &TableRef| output.tables.contains_key(input);
        let due = plan.refresh.contains(&gold.table) && has_inputs(gold, exists, &changes);
        let change = output.gold(gold, due).await?;
        changes.extend(change);
    }
    // Last, so that whatever Spark has read came before: it reads by address and not by version.
    let landed = plan.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing);
    stream::iter(landed)
        .map(|planned| verify_version(&planned.object, lake.options()))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(Changeset { run: plan.run.clone(), staged_at: now, tables: changes, missing_keys: BTreeSet::new() })
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

    async fn bronze(&self) -> Result<TableChange, LakeError> {
        let reference = &self.plan.pipeline.bronze;
        let sources = self.sources(reference);
        let mut table = BronzeTable::new(reference, self.tables.get(reference))?;
        let shapes = self.plan.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing);
        let met: BTreeSet<String> = shapes
            .flat_map(|planned| &planned.shape)
            .flat_map(|shape| &shape.columns)
            .map(|column| table.meet(column))
            .collect();
        let folder = self.folder(reference);
        let found = folder.find(&[INGESTION_DATE.to_owned()]).await?;
        if matches!(self.plan.pipeline.source_format, SourceFormat::Ndjson | SourceFormat::Json) {
            // The keys of JSON objects are only known from the records: what Spark met is in its files.
            let fixed: BTreeSet<String> = table.columns().into_iter().map(|column| column.name).collect();
            for column in found.iter().flat_map(|file| &file.columns).filter(|column| !fixed.contains(&column.name)) {
                table.meet(&column.name);
            }
        }
        let columns = table.columns();
        folder.check(&found, &columns, &[INGESTION_DATE.to_owned()], Missing::SourceColumns)?;
        for column in met {
            let has = |file: &files::FoundFile| file.columns.iter().any(|c| c.name == column);
            if !found.is_empty() && !found.iter().any(has) {
                return Err(self.failed(format!(
                    "table `{reference}`: no staged file has the source column `{column}` of the objects read"
                )));
            }
        }
        let adds = files::with_rows(found);
        let rows = self.agree(reference, &adds, !sources.is_empty())?;
        if !sources.is_empty() {
            let read = self.number(reference, MetricName::SourceRows)?;
            if read != rows {
                return Err(self.failed(format!(
                    "table `{reference}`: Spark read {read} source rows and staged {rows}; bronze takes every one"
                )));
            }
        }
        Ok(table.change(adds, sources))
    }

    /// The changes of a silver table and of its quarantine.
    async fn silver(&self, table: &SilverTable) -> Result<(TableChange, TableChange), LakeError> {
        let context = SilverContext {
            lake: self.lake,
            run: &self.plan.run,
            table,
            existing: self.tables.get(&table.table),
            quarantine: self.tables.get(&table.quarantine),
            replay: false,
        };
        let sources = self.sources(&table.table);
        let partition_by: Vec<String> = table.contract.partition_by.iter().map(ToString::to_string).collect();
        let adds = self.files(&table.table, &silver_columns(table), &partition_by).await?;
        self.agree(&table.table, &adds, !sources.is_empty())?;
        let refused = self.files(&table.quarantine, &quarantine_columns(), &[]).await?;
        let planned = self.sources(&table.quarantine);
        let refused_rows = self.agree(&table.quarantine, &refused, !planned.is_empty())?;
        if sources.is_empty() {
            let silver = context.silver_change(SilverOutcome { adds, ..SilverOutcome::default() }, sources)?;
            return Ok((silver, context.quarantine_change(refused, BTreeSet::new(), BTreeMap::new())?));
        }
        let outcome = SilverOutcome {
            adds,
            merged: self.merged(table)?,
            source: self.number(&table.table, MetricName::SourceRows)?,
            quarantined: self.number(&table.table, MetricName::QuarantinedRows)?,
            present: 0,
            accepted: self.number(&table.table, MetricName::AcceptedRows)?,
            broken_rules: self.broken_rules(table)?,
        };
        if planned == sources && refused_rows != outcome.quarantined {
            return Err(self.failed(format!(
                "table `{}`: Spark counted {} quarantined rows and staged {refused_rows} in `{}`",
                table.table, outcome.quarantined, table.quarantine
            )));
        }
        let broken_rules = outcome.broken_rules.clone();
        let silver = context.silver_change(outcome, sources)?;
        self.check_table_rows(&silver)?;
        Ok((silver, context.quarantine_change(refused, BTreeSet::new(), broken_rules)?))
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
        folder.check(&found, columns, partition_by, Missing::Nothing)?;
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
                Ok(Merged { removes: replaced.iter().map(|file| file.path.clone()).collect(), replaced: rows })
            }
        }
    }

    /// Broken rules as process notes them: those that a row broke.
    fn broken_rules(&self, table: &SilverTable) -> Result<BTreeMap<String, u64>, LakeError> {
        let broken = &self.numbers(&table.table)?.broken_rules;
        Ok(broken.iter().filter(|(_, count)| **count > 0).map(|(id, count)| (id.clone(), *count)).collect())
    }
}
