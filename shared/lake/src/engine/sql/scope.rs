//! Which columns the names of a statement stand for.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, VisitMut, VisitorMut};

use super::frame::refused;
use crate::engine::EngineError;

/// A column under the name that SQL has for it, and the one that it has in the frame of all tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) in_frame: String,
}

/// A table in `FROM`; without a name where it is a subquery that has none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    name: Option<String>,
    columns: Vec<Column>,
}

/// The tables of one `FROM`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    sources: Vec<Source>,
    /// The columns of `USING`, which stand for those of both tables.
    merged: Vec<Column>,
}

impl Scope {
    /// One table, whose columns keep their names in the frame.
    pub(super) fn of(name: Option<String>, columns: impl IntoIterator<Item = String>) -> Self {
        let columns = columns.into_iter().map(|name| Column { in_frame: name.clone(), name }).collect();
        Self { sources: vec![Source { name, columns }], merged: Vec::new() }
    }

    /// One table, whose columns are named after it in the frame.
    pub(super) fn apart(mut self, label: &str) -> Self {
        for column in self.sources.iter_mut().flat_map(|source| &mut source.columns) {
            column.in_frame = format!("{label}.{}", column.name);
        }
        self
    }

    /// The tables of both.
    ///
    /// # Errors
    /// When a table or a column of one has the name of one of the other.
    pub(super) fn and(mut self, other: Self) -> Result<Self, EngineError> {
        let known = self.in_frame();
        if let Some(twice) = other.in_frame().into_iter().find(|column| known.contains(column)) {
            return Err(refused(format!("there are two of `{twice}`: give one of the tables another name with AS")));
        }
        let named = |scope: &Self| scope.sources.iter().filter_map(|source| source.name.clone()).collect::<Vec<_>>();
        let known = named(&self);
        if let Some(twice) = named(&other).into_iter().find(|name| known.contains(name)) {
            return Err(refused(format!("two tables are called `{twice}`: give one of them another name with AS")));
        }
        self.sources.extend(other.sources);
        self.merged.extend(other.merged);
        Ok(self)
    }

    /// Lets these columns stand for those of both tables that have their names.
    pub(super) fn merge(&mut self, merged: Vec<Column>) {
        self.merged.retain(|known| merged.iter().all(|new| new.name != known.name));
        self.merged.extend(merged);
    }

    /// The names of all columns in the frame, each once, in the order of the tables.
    pub(super) fn in_frame(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let all = self.sources.iter().flat_map(|source| &source.columns).chain(&self.merged);
        all.map(|column| column.in_frame.as_str()).filter(|name| seen.insert(*name)).collect()
    }

    /// What `*` stands for: each column with the name of its table.
    ///
    /// # Errors
    /// After `USING`, where engines order the columns differently.
    pub(super) fn all(&self) -> Result<Vec<(Option<&str>, &Column)>, EngineError> {
        if !self.merged.is_empty() {
            return Err(refused("* after USING: name the columns".to_owned()));
        }
        Ok(self.sources.iter().flat_map(|source| source.columns.iter().map(|c| (source.name.as_deref(), c))).collect())
    }

    /// What `table.*` stands for.
    ///
    /// # Errors
    /// Without such a table.
    pub(super) fn all_of(&self, table: &str) -> Result<&[Column], EngineError> {
        let source = self.sources.iter().find(|source| source.name.as_deref() == Some(table));
        let source = source.ok_or_else(|| {
            refused(format!("there is no table `{table}` in FROM: a table with an alias is called by it"))
        })?;
        Ok(&source.columns)
    }

    /// The name in the frame of a column without a table; `None` where no table has it.
    ///
    /// # Errors
    /// Where more than one table has it.
    pub(super) fn column(&self, name: &str) -> Result<Option<&str>, EngineError> {
        if let Some(merged) = self.merged.iter().find(|column| column.name == name) {
            return Ok(Some(&merged.in_frame));
        }
        let all = self.sources.iter().flat_map(|source| &source.columns);
        let mut found = all.filter(|column| column.name == name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(refused(format!("more than one table has the column `{name}`: write table.{name}")))
            }
            (first, _) => Ok(first.map(|column| column.in_frame.as_str())),
        }
    }

    fn column_of(&self, table: &str, name: &str) -> Result<&str, EngineError> {
        let column = self.all_of(table)?.iter().find(|column| column.name == name);
        column.map(|column| column.in_frame.as_str()).ok_or_else(|| unknown(&format!("{table}.{name}")))
    }

    /// The expression over the columns of the frame. `others` gives what a name that is no column stands for.
    ///
    /// # Errors
    /// For a name that is unknown, or could mean more than one column.
    pub(super) fn resolve(&self, expr: &mut Expr, others: &[(String, Expr)]) -> Result<(), EngineError> {
        match VisitMut::visit(expr, &mut Resolver { scope: self, others }) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

fn unknown(name: &str) -> EngineError {
    refused(format!("there is no column `{name}` here"))
}

/// A column of a frame in SQL.
pub(super) fn column(in_frame: &str) -> Expr {
    Expr::Identifier(Ident::with_quote('"', in_frame))
}

struct Resolver<'a> {
    scope: &'a Scope,
    others: &'a [(String, Expr)],
}

impl Resolver<'_> {
    fn resolved(&self, expr: &Expr) -> Result<Option<Expr>, EngineError> {
        Ok(Some(match expr {
            Expr::Identifier(ident) => match self.scope.column(&ident.value)? {
                Some(in_frame) => column(in_frame),
                None => {
                    let other = self.others.iter().find(|(name, _)| *name == ident.value);
                    Expr::Nested(Box::new(other.ok_or_else(|| unknown(&ident.value))?.1.clone()))
                }
            },
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => column(self.scope.column_of(&table.value, &name.value)?),
                _ => return Err(refused(format!("the name {expr}: write column or table.column"))),
            },
            _ => return Ok(None),
        }))
    }
}

impl VisitorMut for Resolver<'_> {
    type Break = EngineError;

    // After its parts, so that what a name stands for is not resolved again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<EngineError> {
        match self.resolved(expr) {
            Ok(Some(resolved)) => *expr = resolved,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}
