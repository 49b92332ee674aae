//! The tables that the expressions of one `SELECT` can name, and what an expression reads of them.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::statement::{Inputs, Kept, Output, Relation, Source};
use super::{ColumnRef, Kind};
use crate::name::TableRef;
use crate::sql::is_aggregate;

/// A table under the names that columns can have before a point.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// Its alias; or its whole name and the last part of it.
    pub(super) names: Vec<String>,
    /// The table.
    pub(super) relation: Relation,
}

impl Named {
    fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The tables of one `SELECT`.
#[derive(Debug, Default)]
pub(super) struct Scope {
    tables: Vec<Named>,
    /// The columns that `USING` names, the newest last.
    merged: Vec<Output>,
    /// What is selected, which `GROUP BY` and `HAVING` may name.
    selected: Vec<Output>,
}

impl Scope {
    /// The scope of an expression over one table.
    pub(super) fn of(relation: Relation) -> Self {
        Self { tables: vec![Named { names: Vec::new(), relation }], ..Self::default() }
    }

    /// Adds a table.
    pub(super) fn add(&mut self, table: Named) {
        self.tables.push(table);
    }

    /// How many tables it has.
    pub(super) fn count(&self) -> usize {
        self.tables.len()
    }

    /// From now on, names that no table has are those of what is selected.
    pub(super) fn set_selected(&mut self, columns: Vec<Output>) {
        self.selected = columns;
    }

    /// The tables of the lake whose rows it has.
    pub(super) fn bases(&self) -> BTreeSet<TableRef> {
        self.tables.iter().flat_map(|table| table.relation.bases.iter().cloned()).collect()
    }

    /// Joins the first `before` tables with the others by a column of both.
    pub(super) fn merge(&mut self, name: &str, before: usize, kept: Kept, rows: &mut Inputs) {
        let of = |table: &Named| table.relation.column(name).map(|column| column.inputs.clone());
        let left = self.merged(name).cloned().or_else(|| self.tables.iter().take(before).find_map(of));
        let right = self.tables.iter().skip(before).find_map(of);
        let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
        rows.add(Kind::Join, &left);
        rows.add(Kind::Join, &right);
        let inputs = match kept {
            Kept::Left => left,
            Kept::Right => right,
            Kept::Both => {
                let mut both = Inputs::default();
                both.add(Kind::Transformation, &left);
                both.add(Kind::Transformation, &right);
                both
            }
        };
        self.merged.push(Output { name: name.to_owned(), inputs });
    }

    fn merged(&self, name: &str) -> Option<&Inputs> {
        let found = self.merged.iter().rev().find(|column| column.name.eq_ignore_ascii_case(name));
        found.map(|column| &column.inputs)
    }

    /// The columns of `*`, or of `table.*`. Of all tables, a column that `USING` names comes once, before the others.
    pub(super) fn every_column(&self, table: Option<&str>) -> Vec<Output> {
        let of = self.tables.iter().filter(|named| table.is_none_or(|name| named.is_called(name)));
        let columns = of.flat_map(|named| named.relation.columns.iter().cloned());
        if table.is_some() {
            return columns.collect();
        }
        let mut every: Vec<Output> = Vec::new();
        for Output { name, .. } in &self.merged {
            if let Some(inputs) = self.merged(name)
                && !every.iter().any(|column| column.name.eq_ignore_ascii_case(name))
            {
                every.push(Output { name: name.clone(), inputs: inputs.clone() });
            }
        }
        every.extend(columns.filter(|column| self.merged(&column.name).is_none()));
        every
    }

    /// The name that a selected expression has without `AS`; empty where it has none.
    pub(super) fn name_of(expr: &Expr) -> String {
        match expr {
            Expr::Identifier(name) => name.value.clone(),
            Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()).unwrap_or_default(),
            Expr::Nested(inner) => Self::name_of(inner),
            _ => String::new(),
        }
    }

    fn find(&self, table: Option<&str>, column: &str) -> Option<&Inputs> {
        if table.is_none()
            && let Some(merged) = self.merged(column)
        {
            return Some(merged);
        }
        let mut tables = self.tables.iter().filter(|named| table.is_none_or(|name| named.is_called(name)));
        let found = tables.find_map(|named| named.relation.column(column)).or_else(|| {
            let mut selected = self.selected.iter().filter(|_| table.is_none());
            selected.find(|output| output.name.eq_ignore_ascii_case(column))
        });
        found.map(|output| &output.inputs)
    }

    /// Adds what an expression reads. `at` is how its value takes part in the column or the rows that it is for.
    pub(super) fn read(&self, expr: &Expr, at: Kind, out: &mut Inputs) {
        let within = at.over(Kind::Transformation);
        match expr {
            Expr::Identifier(name) => self.column(None, &name.value, at, out),
            Expr::CompoundIdentifier(parts) => {
                if let Some((column, table)) = parts.split_last() {
                    let table: Vec<&str> = table.iter().map(|part| part.value.as_str()).collect();
                    self.column(Some(&table.join(".")), &column.value, at, out);
                }
            }
            Expr::Nested(inner) => self.read(inner, at, out),
            Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::Extract { expr: inner, .. }
            | Expr::Ceil { expr: inner, .. }
            | Expr::Floor { expr: inner, .. }
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Cast { expr: inner, .. }
            | Expr::Trim { expr: inner, .. } => self.read(inner, within, out),
            Expr::BinaryOp { left, right, .. } => self.all([&**left, &**right], within, out),
            Expr::Between { expr: inner, low, high, .. } => self.all([&**inner, &**low, &**high], within, out),
            Expr::InList { expr: inner, list, .. } => {
                self.read(inner, within, out);
                self.all(list, within, out);
            }
            Expr::Like { expr: inner, pattern, .. } => self.all([&**inner, &**pattern], within, out),
            Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
                self.read(inner, within, out);
                self.all(substring_from.as_deref(), within, out);
                self.all(substring_for.as_deref(), within, out);
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let deciding = at.over(Kind::Conditional);
                self.all(operand.as_deref(), deciding, out);
                self.all(conditions.iter().map(|when| &when.condition), deciding, out);
                self.all(conditions.iter().map(|when| &when.result), within, out);
                self.all(else_result.as_deref(), within, out);
            }
            Expr::Function(function) => self.call(function, at, out),
            _ => {}
        }
    }

    fn all<'e>(&self, expressions: impl IntoIterator<Item = &'e Expr>, at: Kind, out: &mut Inputs) {
        for expr in expressions {
            self.read(expr, at, out);
        }
    }

    fn column(&self, table: Option<&str>, column: &str, at: Kind, out: &mut Inputs) {
        if let Some(inputs) = self.find(table, column) {
            out.add(at, inputs);
        }
    }

    fn call(&self, function: &Function, at: Kind, out: &mut Inputs) {
        let name = function.name.to_string();
        let FunctionArguments::List(list) = &function.args else { return };
        let kind = if is_aggregate(&name) { Kind::Aggregation } else { Kind::Transformation };
        // What NULLIF compares with decides, and is never the result.
        let compares = name.eq_ignore_ascii_case("nullif");
        for (place, argument) in list.args.iter().enumerate() {
            let kind = if compares && place > 0 { Kind::Conditional } else { kind };
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => self.read(argument, at.over(kind), out),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {
                    for table in self.bases() {
                        out.insert(Source { column: ColumnRef::rows(table), path: None }, at.over(kind));
                    }
                }
                _ => {}
            }
        }
    }
}
