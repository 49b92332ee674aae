//! Rows of a source, typed, projected and judged by the row rules of a silver table.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{BooleanChunked, DataFrame, DataType, Expr, IntoLazy, LazyFrame, col, lit, when};
use sluice_core::columns::{IS_DELETE, lineage_names};
use sluice_core::contract::TableContract;
use sluice_core::name::ColumnName;
use sluice_core::pipeline::SilverTable;

use super::projection::Projection;
use super::rules::RowTest;
use super::{EngineError, rules, sql};
use crate::error::LakeError;

/// Whether a row breaks a rule of severity `error`.
const BAD: &str = "_bad";

/// The statement and the rules of a silver table, ready for batches.
pub(super) struct RowJudge<'a> {
    table: &'a SilverTable,
    projection: Projection,
    /// The tests of rows that are not delete events.
    tests: Arc<[RowTest]>,
    /// Those of all rows, and the columns of delete events; `None` where the table has none of these.
    deletes: Option<(Arc<[RowTest]>, TableContract)>,
}

/// A batch that was judged.
pub(super) struct Judged {
    /// Its rows, typed and projected, with what the tests read.
    pub(super) rows: DataFrame,
    /// Which of them break a rule of severity `error`.
    pub(super) bad: BooleanChunked,
    /// The others but delete events, as the contract has them, with their lineage.
    pub(super) accepted: DataFrame,
    /// The delete events among the others; `None` where the table has none.
    pub(super) deletes: Option<DataFrame>,
    /// The tests that were made.
    pub(super) tests: Arc<[RowTest]>,
}

impl<'a> RowJudge<'a> {
    /// Compiles the statement and the rules.
    ///
    /// # Errors
    /// [`LakeError::Engine`] when the contract or the SQL cannot be executed.
    pub(super) fn new(table: &'a SilverTable) -> Result<Self, LakeError> {
        let failed = LakeError::engine(&table.table);
        let tests = rules::compile_table(table).map_err(&failed)?;
        let deletes = table.deletes().map(|(_, by)| {
            let deciding = table.contract.columns.iter().filter(|column| by.decides(column.name.as_str()));
            let contract = TableContract { columns: deciding.cloned().collect(), ..table.contract.clone() };
            (rules::with_deletes(&tests, by, |column| table.computes_deciding(column)).into(), contract)
        });
        Ok(Self { table, projection: Projection::new(table).map_err(&failed)?, tests: tests.into(), deletes })
    }

    /// Which paths the rows so far have: see [`ReadTable::paths_met`](sluice_core::run::ReadTable::paths_met).
    pub(super) fn paths_met(&self) -> &BTreeMap<ColumnName, bool> {
        self.projection.paths_met()
    }

    /// Adds those of other rows.
    pub(super) fn add_paths_met(&mut self, others: BTreeMap<ColumnName, bool>) {
        self.projection.add_paths_met(others);
    }

    /// Judges a batch in bronze shape. A value that the statement cannot compute, or that does not fit its column, breaks
    /// the rule `<column>.computed` of its row.
    ///
    /// # Errors
    /// [`LakeError::Engine`] when the statement does not fit the rows, [`LakeError::Polars`] when the engine fails.
    pub(super) fn judge(&mut self, batch: &DataFrame) -> Result<Judged, LakeError> {
        let table = self.table;
        let failed = LakeError::engine(&table.table);
        let rows = self.projection.plan(batch).map_err(&failed)?;
        // Computed for all rows at once; only where that fails, row by row, which is slower by far.
        let tests = self.deletes.as_ref().map_or(&self.tests, |(tests, _)| tests);
        self.judged(batch, rows, Arc::clone(tests)).or_else(|_| {
            let (rows, failing) = self.explained(batch).map_err(&failed)?;
            let mut tests = rules::with_computed(&self.tests, &failing);
            if let Some((_, by)) = table.deletes() {
                tests = rules::with_deletes(&tests, by, |column| table.computes_deciding(column));
            }
            self.judged(batch, rows, tests.into())
        })
    }

    /// The rows with null for what cannot be computed, the columns that have a reason for that, and the reasons.
    fn explained(&mut self, batch: &DataFrame) -> Result<(LazyFrame, Vec<String>), EngineError> {
        let (mut rows, mut failing) = self.projection.plan_explained(batch)?;
        let schema = rows.collect_schema()?;
        let mut reasons = Vec::new();
        for (column, misfit) in sql::misfits(&schema, &self.table.contract)? {
            let name = sql::failure_name(&column);
            let reason = if failing.contains(&column) {
                when_null(col(name.as_str()), misfit)
            } else {
                failing.push(column);
                misfit
            };
            reasons.push(reason.alias(name));
        }
        Ok((rows.with_columns(reasons), failing))
    }

    fn judged(&self, batch: &DataFrame, rows: LazyFrame, tests: Arc<[RowTest]>) -> Result<Judged, LakeError> {
        let table = self.table;
        let failed = |doing: &'static str| {
            move |error| LakeError::engine(&table.table)(EngineError::while_running(doing)(error))
        };
        let rows = match self.deletes {
            // A condition that is null, or cannot be computed, makes no delete event.
            Some(_) => rows.with_column(col(IS_DELETE).cast(DataType::Boolean).fill_null(lit(false))),
            None => rows,
        };
        let rows =
            rows.with_column(rules::any_error_expr(&tests).alias(BAD)).collect().map_err(failed("the statement"))?;
        if rows.height() != batch.height() {
            return Err(LakeError::Internal {
                message: format!("table `{}`: {} rows became {}", table.table, batch.height(), rows.height()),
            });
        }
        let bad = rows.column(BAD).and_then(|bad| bad.bool().cloned()).map_err(failed("the row rules"))?;
        let good = if bad.any() { rows.filter(&!&bad).map_err(failed("the row rules"))? } else { rows.clone() };
        let conform = |rows: LazyFrame, contract: &TableContract| -> Result<DataFrame, LakeError> {
            let conform = sql::conform_with(rows, contract, &lineage_names());
            conform.map_err(LakeError::engine(&table.table))?.collect().map_err(failed("the types of the contract"))
        };
        let Some((_, deciding)) = &self.deletes else {
            let accepted = conform(good.lazy(), &table.contract)?;
            return Ok(Judged { rows, bad, accepted, deletes: None, tests });
        };
        let is_delete = good.column(IS_DELETE).and_then(|is| is.bool().cloned()).map_err(failed("delete_when"))?;
        let events = good.filter(&is_delete).map_err(failed("delete_when"))?;
        let good = good.filter(&!&is_delete).map_err(failed("delete_when"))?;
        let columns = deciding.columns.iter().map(|column| col(column.name.as_str()));
        let columns: Vec<Expr> = columns.chain(lineage_names().map(col)).collect();
        let deletes = conform(events.lazy().select(columns), deciding)?;
        Ok(Judged { rows, bad, accepted: conform(good.lazy(), &table.contract)?, deletes: Some(deletes), tests })
    }
}

fn when_null(text: Expr, otherwise: Expr) -> Expr {
    when(text.clone().is_null()).then(otherwise).otherwise(text)
}
