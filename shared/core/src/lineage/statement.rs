//! What the columns of a statement are computed from. Works on the tree that `sql` has checked; a name that no table of
//! the statement has leads nowhere, because `sluice check` refuses it.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{
    Distinct, GroupByExpr, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAlias, TableFactor, TableWithJoins,
};

use super::scope::{Named, Scope};
use super::{ColumnRef, Kind};
use crate::name::TableRef;

/// A column, or the rows of a table, that something is computed from, and the value inside the column that is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// The column, or the rows.
    pub(super) column: ColumnRef,
    /// The way to a value inside it.
    pub(super) path: Option<String>,
}

/// What something is computed from, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inputs(BTreeSet<(Source, Kind)>);

impl Inputs {
    /// One source.
    pub(super) fn of(source: Source, kind: Kind) -> Self {
        Self(BTreeSet::from([(source, kind)]))
    }

    /// Adds a source.
    pub(super) fn insert(&mut self, source: Source, kind: Kind) {
        self.0.insert((source, kind));
    }

    /// Adds what a value is computed from that takes part in this way.
    pub(super) fn add(&mut self, kind: Kind, of: &Self) {
        self.0.extend(of.0.iter().map(|(source, inner)| (source.clone(), kind.over(*inner))));
    }

    /// Each source with its kinds. Of the direct ones the strongest stays: a sum is an aggregation, whatever else is done
    /// with the same column.
    pub(super) fn strongest(self) -> Vec<(Source, Kind)> {
        let mut kept: Vec<(Source, Kind)> = Vec::new();
        for (source, kind) in self.0 {
            // Those of one source follow each other: the direct kinds first, the weakest before the others.
            if kind.is_direct() {
                let _ = kept.pop_if(|(last, _)| *last == source);
            }
            kept.push((source, kind));
        }
        kept
    }
}

/// A column of a statement.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// Its name; empty where it has none.
    pub(super) name: String,
    /// What it is computed from.
    pub(super) inputs: Inputs,
}

/// A table, or what a statement makes of tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    /// Its columns, in order.
    pub(super) columns: Vec<Output>,
    /// What decides which rows it has.
    pub(super) rows: Inputs,
    /// The tables whose rows it has, or counts.
    pub(super) bases: BTreeSet<TableRef>,
}

impl Relation {
    /// A table with these columns.
    pub(super) fn of_table<'a>(table: &TableRef, columns: impl IntoIterator<Item = &'a str>) -> Self {
        let column = |name: &str| {
            let source = Source { column: ColumnRef::new(table.clone(), name), path: None };
            Output { name: name.to_owned(), inputs: Inputs::of(source, Kind::Identity) }
        };
        let columns = columns.into_iter().map(column).collect();
        Self { columns, rows: Inputs::default(), bases: BTreeSet::from([table.clone()]) }
    }

    /// The column of this name: the one in its case, or else in any.
    pub(super) fn column(&self, name: &str) -> Option<&Output> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
    }

    /// With the names of columns that an alias gives.
    fn renamed(mut self, alias: &TableAlias) -> Self {
        for (column, definition) in self.columns.iter_mut().zip(&alias.columns) {
            column.name.clone_from(&definition.name.value);
        }
        self
    }

    /// Rows that are equal become one, or meet those of another relation, by all columns.
    fn decide_rows_by_columns(&self, kind: Kind, rows: &mut Inputs) {
        for column in &self.columns {
            rows.add(kind, &column.inputs);
        }
    }
}

/// What a query makes of these tables, each under the name that it has in SQL.
pub(super) fn of_query(query: &Query, tables: &BTreeMap<String, Relation>) -> Relation {
    Reader { tables }.query(query, &[])
}

/// The tables of `WITH` that are known so far, the newest last.
type Visible = (String, Relation);

struct Reader<'a> {
    tables: &'a BTreeMap<String, Relation>,
}

impl Reader<'_> {
    fn query(&self, query: &Query, outer: &[Visible]) -> Relation {
        let mut visible = outer.to_vec();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let relation = self.query(&cte.query, &visible).renamed(&cte.alias);
            visible.push((cte.alias.name.value.to_ascii_lowercase(), relation));
        }
        self.body(&query.body, &visible)
    }

    fn body(&self, body: &SetExpr, visible: &[Visible]) -> Relation {
        match body {
            SetExpr::Select(select) => self.select(select, visible),
            SetExpr::Query(query) => self.query(query, visible),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let (left, right) = (self.body(left, visible), self.body(right, visible));
                let is_all = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
                combined(left, &right, matches!(op, SetOperator::Union), is_all)
            }
            _ => Relation::default(),
        }
    }

    fn select(&self, select: &Select, visible: &[Visible]) -> Relation {
        let (mut scope, mut rows) = (Scope::default(), Inputs::default());
        for tables in &select.from {
            self.tables(tables, visible, &mut scope, &mut rows);
        }
        if let Some(filter) = &select.selection {
            scope.read(filter, Kind::Filter, &mut rows);
        }
        let columns: Vec<Output> = select.projection.iter().flat_map(|item| selected(item, &scope)).collect();
        scope.set_selected(columns.clone());
        if let GroupByExpr::Expressions(expressions, _) = &select.group_by {
            for expr in expressions {
                scope.read(expr, Kind::GroupBy, &mut rows);
            }
        }
        if let Some(condition) = &select.having {
            scope.read(condition, Kind::Filter, &mut rows);
        }
        let mut relation = Relation { columns, rows: Inputs::default(), bases: scope.bases() };
        if matches!(select.distinct, Some(Distinct::Distinct)) {
            relation.decide_rows_by_columns(Kind::GroupBy, &mut rows);
        }
        relation.rows = rows;
        relation
    }

    fn tables(&self, tables: &TableWithJoins, visible: &[Visible], scope: &mut Scope, rows: &mut Inputs) {
        self.factor(&tables.relation, visible, scope, rows);
        for join in &tables.joins {
            let before = scope.count();
            self.factor(&join.relation, visible, scope, rows);
            match constraint(&join.join_operator) {
                Some((JoinConstraint::On(condition), _)) => scope.read(condition, Kind::Join, rows),
                Some((JoinConstraint::Using(columns), kept)) => {
                    for name in columns.iter().flat_map(parts) {
                        scope.merge(name, before, kept, rows);
                    }
                }
                _ => {}
            }
        }
    }

    fn factor(&self, factor: &TableFactor, visible: &[Visible], scope: &mut Scope, rows: &mut Inputs) {
        let (relation, alias, names) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let parts: Vec<&str> = parts(name).collect();
                let full = parts.join(".");
                let last = parts.last().map(|last| (*last).to_owned()).unwrap_or_default();
                (self.table(&full, visible), alias, vec![full, last])
            }
            TableFactor::Derived { subquery, alias, .. } => (self.query(subquery, visible), alias, Vec::new()),
            TableFactor::NestedJoin { table_with_joins, .. } => {
                return self.tables(table_with_joins, visible, scope, rows);
            }
            _ => return,
        };
        let (relation, names) = match alias {
            Some(alias) => (relation.renamed(alias), vec![alias.name.value.clone()]),
            None => (relation, names),
        };
        rows.add(Kind::Identity, &relation.rows);
        scope.add(Named { names, relation });
    }

    /// A table of `WITH`, or one of the lake.
    fn table(&self, name: &str, visible: &[Visible]) -> Relation {
        let folded = name.to_ascii_lowercase();
        let cte = visible.iter().rev().find(|(known, _)| *known == folded).map(|(_, relation)| relation);
        let found = cte.or_else(|| self.tables.get(name)).or_else(|| self.tables.get(&folded));
        found.cloned().unwrap_or_default()
    }
}

/// Which value a column has that `USING` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// That of the left side.
    Left,
    /// That of the right side.
    Right,
    /// That of the side that has one.
    Both,
}

fn constraint(operator: &JoinOperator) -> Option<(&JoinConstraint, Kept)> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => Some((constraint, Kept::Left)),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => Some((constraint, Kept::Right)),
        JoinOperator::FullOuter(constraint) => Some((constraint, Kept::Both)),
        _ => None,
    }
}

/// The parts of a name, as they are written.
fn parts(name: &ObjectName) -> impl Iterator<Item = &str> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str())
}

/// The columns that one item of a `SELECT` stands for.
fn selected(item: &SelectItem, scope: &Scope) -> Vec<Output> {
    let (expr, name) = match item {
        SelectItem::UnnamedExpr(expr) => (expr, Scope::name_of(expr)),
        SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone()),
        SelectItem::Wildcard(_) => return scope.every_column(None),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            return scope.every_column(Some(&parts(name).collect::<Vec<_>>().join(".")));
        }
        _ => return Vec::new(),
    };
    let mut inputs = Inputs::default();
    scope.read(expr, Kind::Identity, &mut inputs);
    vec![Output { name, inputs }]
}

/// The rows of a set operation. `EXCEPT` and `INTERSECT` give rows of the left side alone; the right side decides which.
fn combined(mut left: Relation, right: &Relation, is_union: bool, is_all: bool) -> Relation {
    let mut rows = left.rows.clone();
    rows.add(Kind::Identity, &right.rows);
    if is_union {
        for (column, other) in left.columns.iter_mut().zip(&right.columns) {
            column.inputs.add(Kind::Identity, &other.inputs);
        }
        if !is_all {
            left.decide_rows_by_columns(Kind::GroupBy, &mut rows);
        }
    } else {
        left.decide_rows_by_columns(Kind::Filter, &mut rows);
        right.decide_rows_by_columns(Kind::Filter, &mut rows);
    }
    left.rows = rows;
    left.bases.extend(right.bases.iter().cloned());
    left
}
