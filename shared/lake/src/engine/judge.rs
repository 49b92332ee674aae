//! Rows of a source, typed, projected and judged by the row rules of a silver table.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{BooleanChunked, DataFrame, Expr, IntoLazy, LazyFrame, col, when};
use sluice_core::columns::lineage_names;
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
    tests: Arc<[RowTest]>,
}

/// A batch that was judged.
pub(super) struct Judged {
    /// Its rows, typed and projected, with what the tests read.
    pub(super) rows: DataFrame,
    /// Which of them break a rule of severity `error`.
    pub(super) bad: BooleanChunked,
    /// All others as the contract has them, with their lineage.
    pub(super) accepted: DataFrame,
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
        Ok(Self { table, projection: Projection::new(table).map_err(&failed)?, tests: tests.into() })
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
        self.judged(batch, rows, Arc::clone(&self.tests)).or_else(|_| {
            let (rows, failing) = self.explained(batch).map_err(&failed)?;
            self.judged(batch, rows, rules::with_computed(&self.tests, &failing).into())
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
        let rows =
            rows.with_column(rules::any_error_expr(&tests).alias(BAD)).collect().map_err(failed("the statement"))?;
        if rows.height() != batch.height() {
            return Err(LakeError::Internal {
                message: format!("table `{}`: {} rows became {}", table.table, batch.height(), rows.height()),
            });
        }
        let bad = rows.column(BAD).and_then(|bad| bad.bool().cloned()).map_err(failed("the row rules"))?;
        let good = if bad.any() { rows.filter(&!&bad).map_err(failed("the row rules"))? } else { rows.clone() };
        let accepted = sql::conform_with(good.lazy(), &table.contract, &lineage_names())
            .map_err(LakeError::engine(&table.table))?
            .collect()
            .map_err(failed("the types of the contract"))?;
        Ok(Judged { rows, bad, accepted, tests })
    }
}

fn when_null(text: Expr, otherwise: Expr) -> Expr {
    when(text.clone().is_null()).then(otherwise).otherwise(text)
}
