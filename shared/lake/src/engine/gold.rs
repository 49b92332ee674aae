//! Gold: aggregates, recomputed from the tables as they will be after the run.

use std::collections::BTreeSet;

use polars::prelude::{DataFrame, IntoLazy, LazyFrame};
use sluice_core::columns::{StoredColumn, contract_columns};
use sluice_core::name::TableRef;
use sluice_core::pipeline::GoldTable;
use sluice_core::run::{ChangeKind, RowCounts, RunRef, StagedFile, TableChange};

use super::passes::group_in_passes;
use super::stage::StageWriter;
use super::{EngineError, collect_streaming, sql};
use crate::delta::OpenTable;
use crate::error::LakeError;
use crate::lake::Lake;

/// Computes a gold table and stages it in place of all its files. Gives its rows to the tables that read it.
///
/// # Errors
/// [`LakeError::Engine`] when the SQL fails or its columns are not the contract's.
pub(crate) fn stage_gold(
    lake: &Lake,
    run: &RunRef,
    gold: &GoldTable,
    existing: Option<&OpenTable>,
    inputs: impl Fn(&TableRef) -> Result<GoldInput, LakeError>,
) -> Result<(TableChange, DataFrame), LakeError> {
    let rows = compute(gold, inputs)?;
    let mut writer = StageWriter::new(lake, run, &gold.table, &gold_columns(gold), &partition_by(gold));
    writer.write(&rows)?;
    let change = gold_change(gold, existing, writer.finish()?)?;
    Ok((change, rows))
}

/// All columns of a gold table.
pub(crate) fn gold_columns(gold: &GoldTable) -> Vec<StoredColumn> {
    contract_columns(&gold.contract).collect()
}

fn partition_by(gold: &GoldTable) -> Vec<String> {
    gold.contract.partition_by.iter().map(ToString::to_string).collect()
}

/// The change that puts these files in place of all files of a gold table.
///
/// # Errors
/// [`LakeError`] when the table's files cannot be listed.
pub(crate) fn gold_change(
    gold: &GoldTable,
    existing: Option<&OpenTable>,
    adds: Vec<StagedFile>,
) -> Result<TableChange, LakeError> {
    let columns = gold_columns(gold);
    let staged = adds.iter().map(|file| file.rows).sum();
    let removes = match existing {
        Some(table) => table.files()?.into_iter().map(|file| file.path).collect(),
        None => Vec::new(),
    };
    let schema_changes = match existing {
        Some(table) if table.columns() != columns => vec!["columns follow the contract".to_owned()],
        _ => Vec::new(),
    };
    Ok(TableChange {
        table: gold.table.clone(),
        read_version: existing.map(OpenTable::version),
        kind: ChangeKind::Overwrite,
        columns,
        partition_by: partition_by(gold),
        adds,
        removes,
        sources: BTreeSet::new(),
        inputs: gold.inputs.clone(),
        rows: RowCounts { staged, ..RowCounts::default() },
        table_rows: staged,
        broken_rules: std::collections::BTreeMap::new(),
        schema_changes,
        audited: None,
    })
}

/// The change of a gold table that stays as it is, and takes note of the versions of its inputs.
///
/// # Errors
/// [`LakeError`] when the table's files cannot be listed.
pub(crate) fn same_gold(gold: &GoldTable, existing: &OpenTable) -> Result<TableChange, LakeError> {
    Ok(TableChange {
        kind: ChangeKind::Rewrite,
        removes: Vec::new(),
        table_rows: existing.rows()?.unwrap_or_default(),
        ..gold_change(gold, Some(existing), Vec::new())?
    })
}

fn compute(
    gold: &GoldTable,
    inputs: impl Fn(&TableRef) -> Result<GoldInput, LakeError>,
) -> Result<DataFrame, LakeError> {
    let failed = LakeError::engine(&gold.table);
    let (mut tables, mut most_rows) = (Vec::new(), 0);
    for (name, input) in gold.named_inputs() {
        let GoldInput { scan, rows } = inputs(&input)?;
        most_rows = rows.max(most_rows);
        tables.push((name, scan));
    }
    let collect = |planned: LazyFrame| {
        let planned = sql::conform(planned, &gold.contract).map_err(&failed)?;
        group_in_passes(planned, most_rows)
            .and_then(collect_streaming)
            .map_err(|error| failed(EngineError::while_running("the statement")(error)))
    };
    let query = gold.sql.engine_query();
    collect(sql::run(query.clone(), tables.clone()).map_err(&failed)?).or_else(|error| {
        // It may have failed in a branch of CASE that no row takes.
        match sql::run_by_branches(query, tables).map_err(&failed)? {
            Some(planned) => collect(planned),
            None => Err(error),
        }
    })
}

/// A table that a gold table is computed from, as it will be after the run.
pub(crate) struct GoldInput {
    /// Its rows.
    pub(crate) scan: LazyFrame,
    /// How many they are.
    pub(crate) rows: u64,
}

impl GoldInput {
    /// A gold table that was just computed.
    pub(crate) fn computed(rows: &DataFrame) -> Self {
        Self { scan: rows.clone().lazy(), rows: rows.height() as u64 }
    }
}
