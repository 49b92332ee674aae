//! The portable SQL subset on Polars.
//!
//! Polars SQL evaluates expressions over one table, and is taken as it is where it means what the subset promises; where
//! it does not, the statement is rewritten on its way in (see `dialect`): exact decimal literals and products, `ROUND` and
//! `CAST` half away from zero, sums that do not wrap. Names, joins, groups and subqueries are planned here (see `plan`).
//! Tables have the one-word names of [`sluice_core::sql::engine_name`].

mod arguments;
mod arithmetic;
mod calendar;
mod conform;
mod conversion;
mod days;
mod dialect;
mod extremes;
mod failing;
mod fit;
mod frame;
mod functions;
mod group;
mod items;
mod join;
mod numbers;
mod plan;
mod scope;
mod text;

use polars::prelude::{DataFrame, DataType, DslPlan, Expr, IntoLazy, LazyFrame, PlSmallStr, Schema};
use sluice_core::contract::TableContract;
use sluice_core::sql::Predicate;
use sqlparser::ast::{Expr as SqlExpr, Query, SelectItem, SetExpr};

use super::EngineError;
use super::types::polars_type;

pub(crate) use conform::{conform, conform_with, misfits};
pub(crate) use failing::failure_name;
pub(super) use numbers::round_double;

/// Plans a statement over these tables. Nothing is read until the frame is collected.
///
/// # Errors
/// [`EngineError::Query`] when the statement does not fit the tables.
pub(crate) fn run(query: Query, tables: Vec<(String, LazyFrame)>) -> Result<LazyFrame, EngineError> {
    resolved(dialect::statement(query), tables)
}

/// As [`run`], for a statement that failed there: branches of `CASE` and `COALESCE` that are not taken cannot fail here,
/// which takes up to twice the work. `None` where the statement has no such branches.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_by_branches(
    query: Query,
    tables: Vec<(String, LazyFrame)>,
) -> Result<Option<LazyFrame>, EngineError> {
    let statement = dialect::statement(query);
    if !failing::has_branches(&statement) {
        return Ok(None);
    }
    resolved(failing::by_branches(statement), tables).map(Some)
}

/// As [`run`], for a row-wise statement that failed there: what cannot be computed is null here, and a column
/// [`failure_name`] says why for each selected column that can fail. These columns are given, too.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_explained(
    query: Query,
    tables: Vec<(String, LazyFrame)>,
) -> Result<(LazyFrame, Vec<String>), EngineError> {
    let (statement, failing) = failing::explained(dialect::statement(query));
    Ok((resolved(statement, tables)?, failing))
}

fn resolved(statement: Query, tables: Vec<(String, LazyFrame)>) -> Result<LazyFrame, EngineError> {
    let mut planned = plan::plan(statement, tables)?;
    // Polars finds unknown columns and types that do not go together only when it resolves the schema.
    planned.collect_schema()?;
    Ok(planned)
}

/// Checks that a row predicate fits a contract's columns.
///
/// # Errors
/// [`EngineError::Query`] when it does not.
pub(crate) fn check_predicate(predicate: &Predicate, contract: &TableContract) -> Result<(), EngineError> {
    predicate_over(predicate, &columns_of(contract)).map(|_| ())
}

/// A row predicate over a contract's columns, judged for every row.
pub(crate) struct JudgedPredicate {
    /// Boolean; null where the predicate is, or cannot be computed.
    pub(crate) holds: Expr,
    /// Why it cannot be computed, for the rows for which it cannot; `None` where it always can.
    pub(crate) failure: Option<Expr>,
}

/// A row predicate over a contract's columns, which fails no statement.
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the columns.
pub(crate) fn judged_predicate(
    predicate: &Predicate,
    contract: &TableContract,
) -> Result<JudgedPredicate, EngineError> {
    let columns = columns_of(contract);
    let condition = row_expression(predicate.engine_expr())?;
    let boolean = boolean(failing::lenient(condition.clone()), predicate, &columns)?;
    let failure = match failing::reason(&condition) {
        Some(reason) => Some(translated(reason, &columns)?.0.ok_or_else(|| not_boolean(predicate))?),
        None => None,
    };
    Ok(JudgedPredicate { holds: boolean, failure })
}

/// A row predicate over these columns as a Boolean expression; null where the predicate is.
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the columns.
pub(crate) fn predicate_over(predicate: &Predicate, columns: &Schema) -> Result<Expr, EngineError> {
    boolean(row_expression(predicate.engine_expr())?, predicate, columns)
}

fn columns_of(contract: &TableContract) -> Schema {
    contract.columns.iter().map(|c| (PlSmallStr::from(c.name.as_str()), polars_type(&c.column_type))).collect()
}

fn not_boolean(predicate: &Predicate) -> EngineError {
    EngineError::not_boolean(&predicate.engine_expr().to_string())
}

/// The expression as `dialect` writes it.
fn row_expression(expression: SqlExpr) -> Result<SqlExpr, EngineError> {
    let mut statement = dialect::statement(plan::projection(expression, "value", "rows")?);
    let written = match statement.body.as_mut() {
        SetExpr::Select(select) => select.projection.pop(),
        _ => None,
    };
    match written {
        Some(SelectItem::ExprWithAlias { expr, .. }) => Ok(expr),
        _ => Err(EngineError::not_boolean(&statement.to_string())),
    }
}

fn boolean(written: SqlExpr, predicate: &Predicate, columns: &Schema) -> Result<Expr, EngineError> {
    match translated(written, columns)? {
        (Some(expr), DataType::Boolean | DataType::Null) => Ok(expr.cast(DataType::Boolean)),
        _ => Err(not_boolean(predicate)),
    }
}

/// An expression as `dialect` writes it, over these columns, in the words of Polars, and its type.
fn translated(written: SqlExpr, columns: &Schema) -> Result<(Option<Expr>, DataType), EngineError> {
    let rows = DataFrame::empty_with_schema(columns).lazy();
    let statement = plan::projection(written, "value", "rows")?;
    let mut planned = plan::plan(statement, vec![("rows".to_owned(), rows)])?;
    // Resolving the schema replaces the plan, so the expression is taken first. Polars gives no other way to translate
    // one that calls registered functions.
    let translated = computed(&planned.logical_plan, "value").cloned();
    let found = planned.collect_schema()?.get("value").cloned();
    Ok((translated, found.unwrap_or(DataType::Null)))
}

/// The expression that a plan computes for this column. Some are computed first, and then selected and named.
fn computed<'p>(plan: &'p DslPlan, name: &str) -> Option<&'p Expr> {
    let (exprs, input) = match plan {
        DslPlan::Select { expr, input, .. } => (expr, input),
        DslPlan::HStack { exprs, input, .. } => (exprs, input),
        DslPlan::IR { dsl, .. } => return computed(dsl, name),
        _ => return None,
    };
    let found = exprs.iter().find(|expr| matches!(expr, Expr::Alias(_, alias) if alias == name));
    match found {
        Some(Expr::Alias(inner, _)) => match inner.as_ref() {
            Expr::Column(column) => computed(input, column).or(found),
            _ => found,
        },
        _ => computed(input, name),
    }
}

#[cfg(test)]
mod tests;
