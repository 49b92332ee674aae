//! What a grouped query may select.

use std::ops::ControlFlow;

use sluice_core::sql::{SqlError, is_aggregate, not_portable};
use sqlparser::ast::{Expr, Function, GroupByExpr, Select, SelectItem, Visit, Visitor};

use super::expression::Expressions;

fn groups(select: &Select) -> &[Expr] {
    match &select.group_by {
        GroupByExpr::Expressions(expressions, _) => expressions,
        GroupByExpr::All(_) => &[],
    }
}

/// What a query groups by, as texts.
pub(super) fn group_texts(select: &Select, rows: &Expressions<'_>) -> Result<Vec<String>, SqlError> {
    groups(select).iter().map(|expr| Ok(rows.typed(expr)?.text)).collect()
}

/// Refuses a column outside of aggregates that is not grouped by, and names that mean a column to one engine and what
/// is selected under that name to another. `ordered` is by what the groups are ordered.
pub(super) fn check_grouped(
    select: &Select,
    rows: &Expressions<'_>,
    groups_by: &[String],
    ordered: &[&Expr],
) -> Result<(), SqlError> {
    let mut visitor = Grouped { rows, groups: groups_by, covered: 0 };
    for item in &select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            return Err(not_portable("* with groups", item, "name the columns"));
        };
        if let ControlFlow::Break(error) = expr.visit(&mut visitor) {
            return Err(error);
        }
        if let SelectItem::ExprWithAlias { expr, alias } = item {
            let own = rows.scope.column(alias).ok().map(|column| rows.kept(column).text);
            let same = rows.typed(expr).ok().map(|typed| typed.text) == own;
            let named = |found: &Expr| matches!(found, Expr::Identifier(ident) if ident.value == alias.value);
            let grouped = groups(select).iter().any(|group| mentions(group, &named));
            if own.is_some() && !same && (grouped || select.having.iter().any(|having| mentions(having, &named))) {
                let what = format!("`{}`, which is both a column and what is selected,", alias.value);
                return Err(not_portable(what, item, "give what is selected another name, or write table.column"));
            }
        }
    }
    for expr in select.having.iter().chain(ordered.iter().copied()) {
        if let ControlFlow::Break(error) = expr.visit(&mut visitor) {
            return Err(error);
        }
    }
    Ok(())
}

fn mentions(expr: &Expr, test: &impl Fn(&Expr) -> bool) -> bool {
    let found = sqlparser::ast::visit_expressions(expr, |inner| {
        if test(inner) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found.is_break()
}

struct Grouped<'a> {
    rows: &'a Expressions<'a>,
    groups: &'a [String],
    /// How deep the visit is below an aggregate or what is grouped by.
    covered: usize,
}

impl Visitor for Grouped<'_> {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
        let aggregate = |function: &Function| is_aggregate(&function.name.to_string());
        let covers = self.covered > 0
            || matches!(expr, Expr::Function(function) if aggregate(function))
            || self.rows.is_alias(expr)
            || self.rows.typed(expr).is_ok_and(|typed| self.groups.contains(&typed.text));
        if covers {
            self.covered += 1;
        } else if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            let hint = "group by it, or aggregate it with MIN or MAX";
            return ControlFlow::Break(not_portable(format!("`{expr}`, which is not grouped by,"), expr, hint));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<SqlError> {
        self.covered = self.covered.saturating_sub(1);
        ControlFlow::Continue(())
    }
}
