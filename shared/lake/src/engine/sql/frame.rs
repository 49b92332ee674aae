//! Steps over one frame whose columns all have names of their own: what Polars' SQL is asked to evaluate.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use polars::prelude::{AllowedOptimizations, DslPlan, Expr as Column, LazyFrame, PolarsError, col};
use polars::sql::SQLContext;
use sqlparser::ast::Expr;

use super::days::read_texts;
use super::functions::Functions;
use super::scope::column;
use crate::engine::EngineError;
use crate::spread::spread_column;

/// The table that a text for Polars reads.
pub(super) const ROWS: &str = "rows";

/// A statement that does not fit its tables.
pub(super) fn refused(message: String) -> EngineError {
    PolarsError::SQLInterface(message.into()).into()
}

/// The rows of a frame for which the condition holds; all of them without one.
///
/// # Errors
/// As [`run`].
pub(super) fn filtered(mut frame: LazyFrame, condition: Option<Expr>) -> Result<LazyFrame, EngineError> {
    match condition {
        // In parentheses: Polars decides equalities of two literals by their text.
        Some(mut condition) => {
            read_texts(&mut condition, &mut frame)?;
            run(frame, &format!("SELECT * FROM {ROWS} WHERE ({condition})"))
        }
        None => Ok(frame),
    }
}

/// The frame with these expressions over its columns as further columns.
///
/// A column that is added has as many values as the frame. A selected one does not: where nothing else is selected in the
/// end, Polars makes one row of an expression that is the same in many, as a CASE whose conditions are. Constants are
/// [spread out](crate::spread), so that what is computed from them is one value for each row as well.
///
/// # Errors
/// As [`run`].
pub(super) fn extended(mut frame: LazyFrame, computed: &[(Expr, String)]) -> Result<LazyFrame, EngineError> {
    if computed.is_empty() {
        return Ok(frame);
    }
    let mut items = Vec::with_capacity(computed.len());
    for (expr, name) in computed {
        let mut expr = expr.clone();
        read_texts(&mut expr, &mut frame)?;
        items.push(format!("{expr} AS {}", column(name)));
    }
    let selected = run(frame.clone(), &format!("SELECT {} FROM {ROWS}", items.join(", ")))?;
    let added = selected_expressions(&selected.logical_plan);
    let added = added.ok_or_else(|| refused(format!("{}: not a value of a row", items.join(", "))))?;
    let spread_out: Vec<Column> = computed.iter().map(|(_, name)| spread_column(col(name.as_str()))).collect();
    Ok(frame.with_columns(added).with_columns(spread_out))
}

/// The expressions of a SELECT without anything else. Those of literals alone are computed first and then selected.
fn selected_expressions(plan: &DslPlan) -> Option<&[Column]> {
    match plan {
        DslPlan::IR { dsl, .. } => selected_expressions(dsl),
        DslPlan::Select { expr, input, .. } => match input.as_ref() {
            DslPlan::HStack { exprs, .. } if expr.iter().all(|expr| matches!(expr, Column::Column(_))) => Some(exprs),
            _ => Some(expr),
        },
        _ => None,
    }
}

/// The names of the columns of a frame.
///
/// # Errors
/// As [`run`].
pub(super) fn names(frame: &mut LazyFrame) -> Result<Vec<String>, EngineError> {
    Ok(frame.collect_schema()?.iter_names().map(ToString::to_string).collect())
}

/// The columns that a resolved expression reads.
pub(super) fn columns_of(expr: &Expr) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    let _: ControlFlow<()> = sqlparser::ast::visit_expressions(expr, |inner| {
        if let Expr::Identifier(ident) = inner {
            columns.insert(ident.value.clone());
        }
        ControlFlow::Continue(())
    });
    columns
}

/// The answer of a text that reads the frame as [`ROWS`].
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the frame.
pub(super) fn run(frame: LazyFrame, sql: &str) -> Result<LazyFrame, EngineError> {
    let mut context = SQLContext::new().with_function_registry(Arc::new(Functions));
    context.register(ROWS, frame);
    context.execute(sql).map_err(|error| {
        // Sums and texts put together are functions of functions to Polars, whose parser follows some 45.
        if error.to_string().contains("recursion limit") {
            refused(
                "more operations inside each other than the engine follows: compute a part in a subquery".to_owned(),
            )
        } else {
            error.into()
        }
    })
}

/// The rows of a union, which are not counted by adding up the counts of its parts: this build of Polars adds them up in a type that it
/// has not.
pub(super) fn uncounted(union: LazyFrame) -> LazyFrame {
    let allowed = AllowedOptimizations::PROJECTION_PUSHDOWN
        | AllowedOptimizations::PREDICATE_PUSHDOWN
        | AllowedOptimizations::SLICE_PUSHDOWN
        | AllowedOptimizations::STREAMING;
    union.map(Ok, allowed, None, Some("union"))
}
