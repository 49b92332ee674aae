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
mod dialect;
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
use sqlparser::ast::Query;

use super::EngineError;
use super::types::polars_type;

pub(crate) use conform::{conform, conform_with};
pub(super) use numbers::round_double;

/// Plans a statement over these tables. Nothing is read until the frame is collected.
///
/// # Errors
/// [`EngineError::Query`] when the statement does not fit the tables.
pub(crate) fn run(query: Query, tables: Vec<(String, LazyFrame)>) -> Result<LazyFrame, EngineError> {
    let mut planned = plan::plan(dialect::statement(query), tables)?;
    // Polars finds unknown columns and types that do not go together only when it resolves the schema.
    planned.collect_schema()?;
    Ok(planned)
}

/// A row predicate over a contract's columns as a Boolean expression; null where the predicate is.
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the columns.
pub(crate) fn predicate(predicate: &Predicate, contract: &TableContract) -> Result<Expr, EngineError> {
    let fields = contract.columns.iter().map(|c| (PlSmallStr::from(c.name.as_str()), polars_type(&c.column_type)));
    predicate_over(predicate, &fields.collect())
}

/// A row predicate over these columns as a Boolean expression; null where the predicate is.
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the columns.
pub(crate) fn predicate_over(predicate: &Predicate, columns: &Schema) -> Result<Expr, EngineError> {
    let rows = DataFrame::empty_with_schema(columns).lazy();
    let condition = predicate.engine_expr();
    let not_boolean = EngineError::not_boolean(&condition.to_string());
    let statement = dialect::statement(plan::projection(condition, "broken", "rows")?);
    let mut planned = plan::plan(statement, vec![("rows".to_owned(), rows)])?;
    // Resolving the schema replaces the plan, so the expression is taken first. Polars gives no other way to translate
    // one that calls registered functions.
    let translated = only_expression(&planned.logical_plan).cloned();
    let found = planned.collect_schema()?.get("broken").cloned();
    if !matches!(found, Some(DataType::Boolean | DataType::Null)) {
        return Err(not_boolean);
    }
    let translated = translated.ok_or(not_boolean)?;
    Ok(translated.cast(DataType::Boolean))
}

/// The expression of a plan that projects one; Polars computes it first and selects it by name after.
fn only_expression(plan: &DslPlan) -> Option<&Expr> {
    match plan {
        DslPlan::Select { expr, input, .. } => match expr.as_slice() {
            [Expr::Column(_)] => only_expression(input),
            [only] => Some(only),
            _ => None,
        },
        DslPlan::HStack { exprs, .. } => match exprs.as_slice() {
            [only] => Some(only),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
