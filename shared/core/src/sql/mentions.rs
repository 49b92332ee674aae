//! The columns that a statement names.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, Visit, Visitor};

use super::rewrite::ident;

/// The columns that a statement names, of whichever of its tables. An alias of the same name counts as the column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mentions {
    names: BTreeSet<String>,
    every: bool,
}

impl Mentions {
    pub(super) fn of(tree: &impl Visit) -> Self {
        let mut mentions = Self::default();
        let _: ControlFlow<()> = tree.visit(&mut mentions);
        mentions
    }

    /// Whether the statement may read this column: it names it, or asks for all with `*`.
    pub fn includes(&self, column: &str) -> bool {
        self.every || self.names.contains(column)
    }

    /// The names, those that no table has included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// Whether a select computes its column `column` from the column `from`. What it takes without `AS` keeps its name.
pub(super) fn computes(query: &Query, column: &str, from: &str) -> bool {
    // Engines take no notice of case in names.
    let names = |expr: &Expr| Mentions::of(expr).names().any(|name| name.eq_ignore_ascii_case(from));
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    select.projection.iter().any(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => alias.value.eq_ignore_ascii_case(column) && names(expr),
        _ => false,
    })
}

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let is_every = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        self.every |= select.projection.iter().any(is_every);
        for join in select.from.iter().flat_map(|tables| &tables.joins) {
            if let JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) = &join.join_operator
                && let JoinConstraint::Using(columns) = constraint
            {
                let parts = columns.iter().flat_map(|column| &column.0);
                self.names.extend(parts.filter_map(ident).map(str::to_owned));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        self.names.extend(name.map(|name| name.value.clone()));
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, parse_query};
    use super::*;

    #[test]
    fn columns_are_found_wherever_a_statement_names_them() {
        let check = |sql: &str, names: &str, every: bool| {
            let mentions = Mentions::of(&parse_query(sql, Limits::CALLER).expect(sql));
            assert_eq!(mentions.names().collect::<Vec<_>>().join(" "), names, "{sql}");
            assert_eq!(mentions.includes("other"), every, "{sql}");
        };
        check("SELECT a FROM t", "a", false);
        check("SELECT COUNT(*) AS n FROM t", "", false);
        check("SELECT x.* FROM t AS x", "", true);
        check("WITH c AS (SELECT * FROM t) SELECT a FROM c", "a", true);
        check("SELECT SUM(t.a) AS s FROM t WHERE b > 1 GROUP BY c HAVING MAX(d) > 1 ORDER BY e", "a b c d e", false);
        check("SELECT t.a FROM t JOIN u USING (k) LEFT JOIN v ON u.x = v.y", "a k x y", false);
        check("SELECT a FROM (SELECT a, \"B c\" FROM t) AS s UNION ALL SELECT z FROM u", "B c a z", false);
    }
}
