//! The statement of a silver table on rows in bronze shape.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataFrame, DataType, Expr, IntoLazy, LazyFrame, Schema, coalesce, col};
use sluice_core::columns::{CORRUPT, IS_DELETE, LINEAGE, lineage_names};
use sluice_core::name::ColumnName;
use sluice_core::pipeline::SilverTable;
use sluice_core::reading::Reading;
use sqlparser::ast::{Ident, Query, SelectItem, SetExpr};

use super::inside::{InsideColumns, fault_name, value_name};
use super::nested::{NestedColumns, misfit_name, text_name};
use super::origin::{self, OriginTexts};
use super::{EngineError, cast, rules, sql, types};
use crate::spread::spread_column;

/// A silver table's statement, ready for batches.
pub(super) struct Projection {
    sql: Query,
    nested: NestedColumns,
    origin: OriginTexts,
    inside: InsideColumns,
    /// The mapped columns of a batch; one that its rows lack is the same for all of them.
    sources: Vec<Expr>,
    view: Vec<Expr>,
}

impl Projection {
    /// Compiles the statement and the reading of the mapped columns.
    ///
    /// # Errors
    /// [`EngineError`] when a mapped column is not one of the table, or has a name that SQL takes for something else.
    pub(super) fn new(table: &SilverTable) -> Result<Self, EngineError> {
        let mut carried: Vec<String> = carried().map(str::to_owned).collect();
        let mut view: Vec<Expr> = carried.iter().map(|name| col(name.as_str())).collect();
        let by_contract = Reading::default();
        for (name, source) in &table.columns {
            let reading = table.readings.get(name).unwrap_or(&by_contract);
            let column = table.column(name.as_str()).ok_or_else(|| EngineError::unknown_column(name.as_str()))?;
            let [value, unreadable] = if column.column_type.is_nested() {
                [col(value_name(name.as_str())), col(fault_name(name.as_str()))]
            } else if let Some(exprs) = origin::time_exprs(column, source) {
                exprs
            } else if OriginTexts::has_text_of(source, reading) {
                cast::read_exprs(column, reading, &text_name(name.as_str()))?
            } else if reading.path().is_some() {
                let [value, unreadable] = cast::read_exprs(column, reading, &text_name(name.as_str()))?;
                [value, coalesce(&[col(misfit_name(name.as_str())), unreadable])]
            } else {
                cast::read_exprs(column, reading, source)?
            };
            let flag = cast::unreadable_name(name.as_str());
            view.extend([value.alias(name.as_str()), unreadable.alias(flag.as_str())]);
            carried.push(flag);
        }
        let carried: Vec<&str> = carried.iter().map(String::as_str).collect();
        let sources: BTreeSet<&str> = table.columns.iter().map(|(_, source)| source.as_str()).collect();
        let sources = sources.into_iter().map(|source| spread_column(col(source))).collect();
        let (nested, origin, inside) = (NestedColumns::of(table), OriginTexts::of(table), InsideColumns::of(table)?);
        let mut sql = table.projection()?.engine_query(&carried);
        if let (Some(condition), SetExpr::Select(select)) = (&table.delete_when, sql.body.as_mut()) {
            let alias = Ident::with_quote('"', IS_DELETE);
            select.projection.push(SelectItem::ExprWithAlias { expr: condition.engine_expr(), alias });
        }
        Ok(Self { sql, nested, origin, inside, sources, view })
    }

    /// Which paths the rows so far have: see [`NestedColumns::paths_met`].
    pub(super) fn paths_met(&self) -> &BTreeMap<ColumnName, bool> {
        self.nested.paths_met()
    }

    /// Adds those of other rows.
    pub(super) fn add_paths_met(&mut self, others: BTreeMap<ColumnName, bool>) {
        self.nested.add_paths_met(others);
    }

    /// The typed and projected rows. They keep their lineage and, for each mapped column, the text that could not be read.
    /// Where the table has delete events, [`IS_DELETE`] says whether a row is one.
    ///
    /// # Errors
    /// [`EngineError`] when the engine refuses the statement.
    pub(super) fn plan(&mut self, bronze: &DataFrame) -> Result<LazyFrame, EngineError> {
        sql::run(self.sql.clone(), self.tables(bronze)?)
    }

    /// As [`Projection::plan`], for rows of which some fail there: what cannot be computed is null here, and the columns
    /// named by [`sql::failure_name`] say why. Gives the columns that have one.
    ///
    /// # Errors
    /// As [`Projection::plan`].
    pub(super) fn plan_explained(&mut self, bronze: &DataFrame) -> Result<(LazyFrame, Vec<String>), EngineError> {
        sql::run_explained(self.sql.clone(), self.tables(bronze)?)
    }

    fn tables(&mut self, bronze: &DataFrame) -> Result<Vec<(String, LazyFrame)>, EngineError> {
        let rows = self.inside.added(self.origin.added(self.nested.opened(bronze)?)?)?.lazy();
        Ok(vec![("bronze".to_owned(), rows.with_columns(self.sources.clone()).select(self.view.clone()))])
    }
}

/// What passes the statement unseen.
fn carried() -> impl Iterator<Item = &'static str> {
    lineage_names().into_iter().chain(CORRUPT)
}

/// The columns that the statement will give, found without data.
///
/// # Errors
/// As [`Projection::new`] and [`Projection::plan`], and when the result is not what the contract says.
pub(crate) fn plan_projection(table: &SilverTable) -> Result<Schema, EngineError> {
    let texts = table.of_source().map(|(_, source)| source.as_str()).chain(CORRUPT);
    let mut schema: Schema = texts.map(|name| (name.into(), DataType::String)).collect();
    for (name, column_type) in LINEAGE {
        schema.insert(name.into(), types::polars_type(&column_type));
    }
    let projected = Projection::new(table)?.plan(&DataFrame::empty_with_schema(&schema))?;
    let tests = rules::compile_table(table)?;
    let checked = projected.with_column(rules::any_error_expr(&tests).alias("_bad"));
    let mut planned = sql::conform_with(checked, &table.contract, &lineage_names())?;
    planned.collect_schema().map(|schema| schema.as_ref().clone()).map_err(EngineError::from)
}
