//! What callers may write that no table of a pipeline may: an order, and names of what is selected in other clauses.

use sqlparser::ast::{Expr, OrderByKind, Query, Select, SelectItem};

use super::scope::Field;

/// What is selected, under the name that the statement gives it.
pub(super) type Alias<'a> = (&'a str, &'a Expr);

/// What a query is ordered by, which those of callers may be.
pub(super) fn ordering(query: &Query) -> Vec<&Expr> {
    match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(list)) => list.iter().map(|by| &by.expr).collect(),
        _ => Vec::new(),
    }
}

/// Whether an expression is the name of a column of the answer.
pub(super) fn is_name(expr: &Expr, fields: &[Field]) -> bool {
    match expr {
        Expr::Identifier(ident) => fields.iter().any(|field| field.name.as_deref() == Some(ident.value.as_str())),
        _ => false,
    }
}

/// What is selected under names that the statement gives.
pub(super) fn aliases(select: &Select) -> Vec<Alias<'_>> {
    let mut aliases = Vec::new();
    for item in &select.projection {
        if let SelectItem::ExprWithAlias { expr, alias } = item {
            aliases.push((alias.value.as_str(), expr));
        }
    }
    aliases
}
