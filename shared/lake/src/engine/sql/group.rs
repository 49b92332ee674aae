//! Groups in two steps: first each aggregate over the keys, and then everything else over their results.
//!
//! Polars' own SQL finds out by heuristics which selected expression is a key, which an aggregate and which both, and
//! has HAVING for aggregates alone. Where each of them is a column, no such question is left.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, VisitMut, VisitorMut};

use super::frame::{columns_of, refused};
use super::scope::column;
use crate::engine::EngineError;

/// Functions that are computed over groups, under the names that the dialect leaves.
const AGGREGATES: [&str; 4] = ["count", "max", "min", "sum"];

/// Expressions over the columns of a frame, each with the name of its own column.
type Named = Vec<(Expr, String)>;

/// The keys and aggregates of a query, each with the name of its column.
pub(super) struct Groups {
    keys: Named,
    totals: Named,
}

impl Groups {
    /// Groups by these expressions over the columns of a frame.
    pub(super) fn by(expressions: Vec<Expr>) -> Self {
        let mut keys: Named = Vec::with_capacity(expressions.len());
        for key in expressions.into_iter().map(bare) {
            if keys.iter().any(|(known, _)| *known == key) {
                continue;
            }
            let name = match &key {
                Expr::Identifier(ident) => ident.value.clone(),
                _ => format!("_key_{}", keys.len()),
            };
            keys.push((key, name));
        }
        Self { keys, totals: Vec::new() }
    }

    /// The keys that are not columns already.
    pub(super) fn computed_keys(&self) -> Named {
        self.keys.iter().filter(|(key, _)| !matches!(key, Expr::Identifier(_))).cloned().collect()
    }

    /// The names of the keys.
    pub(super) fn key_names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(_, name)| name.as_str())
    }

    /// The aggregates, each over columns of the frame, and those of these columns that are to be computed first: what an
    /// aggregate is over that reads no column has one value for Polars, whatever the number of rows.
    pub(super) fn totals_over_columns(&self) -> (Named, Named) {
        let (mut totals, mut constants) = (self.totals.clone(), Vec::new());
        for (total, _) in &mut totals {
            let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = total else { continue };
            for argument in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = argument
                    && columns_of(value).is_empty()
                {
                    let name = format!("_constant_{}", constants.len());
                    constants.push((std::mem::replace(value, column(&name)), name));
                }
            }
        }
        (totals, constants)
    }

    /// Registers the aggregates of an expression, which becomes one over the columns of keys and aggregates.
    ///
    /// # Errors
    /// For a column outside of aggregates that is not grouped by.
    pub(super) fn over(&mut self, expr: &mut Expr) -> Result<(), EngineError> {
        match VisitMut::visit(expr, &mut Replacing { groups: self }) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    fn total(&mut self, aggregate: &Expr) -> &str {
        let known = self.totals.iter().position(|(total, _)| total == aggregate);
        let index = known.unwrap_or_else(|| {
            self.totals.push((aggregate.clone(), format!("_total_{}", self.totals.len())));
            self.totals.len() - 1
        });
        self.totals.get(index).map_or("", |(_, name)| name.as_str())
    }
}

/// Whether a query that selects these is one over groups, even without GROUP BY.
pub(super) fn has_aggregates<'a>(expressions: impl IntoIterator<Item = &'a Expr>) -> bool {
    let found = |expr: &Expr| {
        let visited = sqlparser::ast::visit_expressions(expr, |inner| {
            if is_aggregate(inner) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        visited.is_break()
    };
    expressions.into_iter().any(found)
}

fn is_aggregate(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    AGGREGATES.contains(&function.name.to_string().to_ascii_lowercase().as_str())
}

/// The expression without parentheses around it.
fn bare(expr: Expr) -> Expr {
    match expr {
        Expr::Nested(inner) => bare(*inner),
        other => other,
    }
}

struct Replacing<'a> {
    groups: &'a mut Groups,
}

impl VisitorMut for Replacing<'_> {
    type Break = EngineError;

    // Before its parts: what is replaced has none that are visited after it.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<EngineError> {
        if let Some((_, name)) = self.groups.keys.iter().find(|(key, _)| *key == *expr) {
            *expr = column(name);
        } else if is_aggregate(expr) {
            if let Expr::Function(function) = &*expr
                && let ControlFlow::Break(()) = sqlparser::ast::visit_expressions(&function.args, |inner| {
                    if is_aggregate(inner) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
            {
                return ControlFlow::Break(refused("an aggregate of an aggregate: aggregate in a subquery".to_owned()));
            }
            *expr = column(self.groups.total(expr));
        } else if let Expr::Identifier(ident) = expr {
            return ControlFlow::Break(refused(format!(
                "`{}` is not grouped by: group by it, or aggregate it with MIN or MAX",
                ident.value
            )));
        }
        ControlFlow::Continue(())
    }
}
