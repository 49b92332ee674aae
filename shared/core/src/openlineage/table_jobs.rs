//! The jobs that compute tables: what each reads, writes, and by which statement.

use std::slice;

use super::datasets::Datasets;
use super::model::{InputDataset, OutputDataset};
use crate::name::TableRef;
use crate::pipeline::{GoldTable, SilverTable, Source};
use crate::run::RunAction;

/// A job that computes one table, and what else comes of the same rows.
pub(super) struct TableJob {
    /// The table that the job is named after.
    pub(super) table: TableRef,
    pub(super) inputs: Vec<InputDataset>,
    /// What was committed: nothing in a run that was rejected or failed.
    pub(super) outputs: Vec<OutputDataset>,
    /// The statement, where the spec has one.
    pub(super) sql: Option<String>,
}

/// The jobs of the tables that the run staged or committed something for, in the order in which they are computed.
pub(super) fn table_jobs(datasets: &Datasets<'_>, action: &RunAction) -> Vec<TableJob> {
    let pipeline = datasets.pipeline;
    let bronze = pipeline.sources().filter_map(|source| of_bronze(datasets, source));
    let silver = pipeline.silver.iter().filter_map(|silver| of_silver(datasets, silver, action));
    let gold = pipeline.gold.iter().filter_map(|gold| of_gold(datasets, gold));
    bronze.chain(silver).chain(gold).collect()
}

fn of_bronze(datasets: &Datasets<'_>, source: &Source) -> Option<TableJob> {
    job(datasets, &source.bronze, slice::from_ref(&source.bronze), None, || vec![datasets.landing(source)])
}

fn of_silver(datasets: &Datasets<'_>, silver: &SilverTable, action: &RunAction) -> Option<TableJob> {
    let deletes = silver.deletes().map(|(table, _)| table);
    let tables: Vec<TableRef> = [silver.table.clone(), silver.quarantine.clone()].into_iter().chain(deletes).collect();
    let sql = silver.sql.as_ref().map(ToString::to_string);
    let read = match action {
        // A replay reads again what was refused.
        RunAction::Replay => &silver.quarantine,
        RunAction::Ingest | RunAction::Accept { .. } => bronze_of(datasets, silver),
    };
    job(datasets, &silver.table, &tables, sql, || vec![datasets.input(read)])
}

fn bronze_of<'a>(datasets: &Datasets<'a>, silver: &SilverTable) -> &'a TableRef {
    let pipeline = datasets.pipeline;
    let of_silver = pipeline.sources().find(|source| source.name == silver.source);
    &of_silver.unwrap_or(&pipeline.source).bronze
}

fn of_gold(datasets: &Datasets<'_>, gold: &GoldTable) -> Option<TableJob> {
    let inputs = || -> Vec<InputDataset> { gold.inputs.iter().map(|table| datasets.input(table)).collect() };
    job(datasets, &gold.table, slice::from_ref(&gold.table), Some(gold.sql.to_string()), inputs)
}

/// The job of these tables; `None` where the run has nothing for any of them.
fn job(
    datasets: &Datasets<'_>,
    table: &TableRef,
    tables: &[TableRef],
    sql: Option<String>,
    inputs: impl FnOnce() -> Vec<InputDataset>,
) -> Option<TableJob> {
    if tables.iter().all(|table| datasets.change(table).is_none() && datasets.committed(table).is_none()) {
        return None;
    }
    let committed = tables.iter().filter(|table| datasets.committed(table).is_some());
    let outputs = committed.map(|table| datasets.output(table)).collect();
    Some(TableJob { table: table.clone(), inputs: inputs(), outputs, sql })
}
