//! Which columns a name stands for.

use sluice_core::sql::{SqlError, not_portable};
use sqlparser::ast::{Expr, Ident, Spanned};

use super::types::{SqlType, Typed, quoted};

/// A column of a table in `FROM`, or of a query; without a name where the query gives it none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Option<String>,
    pub(super) sql_type: SqlType,
}

impl Field {
    pub(super) fn named(name: &str, sql_type: SqlType) -> Self {
        Self { name: Some(name.to_owned()), sql_type }
    }
}

/// A table in `FROM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Its name or alias; `None` for a subquery without one.
    pub(super) name: Option<String>,
    pub(super) fields: Vec<Field>,
}

impl Source {
    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_deref() == Some(name))
    }

    /// A column of it in Spark's text.
    pub(super) fn reference(&self, name: &str, sql_type: SqlType) -> Typed {
        let column = quoted(name);
        match &self.name {
            Some(table) => Typed::new(format!("{}.{column}", quoted(table)), sql_type),
            None => Typed::new(column, sql_type),
        }
    }
}

/// The tables of one `FROM`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) sources: Vec<Source>,
    /// The columns of `USING`, which stand for those of both tables.
    pub(super) merged: Vec<(String, SqlType)>,
}

impl Scope {
    pub(super) fn of(source: Source) -> Self {
        Self { sources: vec![source], merged: Vec::new() }
    }

    /// Adds the tables of another one.
    pub(super) fn join(&mut self, other: Self, node: &impl Spanned) -> Result<(), SqlError> {
        for source in &other.sources {
            let taken = |known: &Source| match (&known.name, &source.name) {
                (Some(known), Some(name)) => known.eq_ignore_ascii_case(name),
                _ => false,
            };
            if self.sources.iter().any(taken) {
                return Err(not_portable("two tables of one name", node, "give one of them another name with AS"));
            }
        }
        self.sources.extend(other.sources);
        self.merged.extend(other.merged);
        Ok(())
    }

    /// Whether a table has a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source.field(name).is_some())
    }

    /// The column of a name without a table.
    pub(super) fn column(&self, ident: &Ident) -> Result<Typed, SqlError> {
        let name = ident.value.as_str();
        if let Some((_, sql_type)) = self.merged.iter().find(|(merged, _)| merged == name) {
            return Ok(Typed::new(quoted(name), *sql_type));
        }
        let mut found = self.sources.iter().filter_map(|source| Some((source, source.field(name)?)));
        match (found.next(), found.next()) {
            (Some((source, field)), None) => Ok(source.reference(name, field.sql_type)),
            (Some(_), Some(_)) => {
                let what = format!("the column `{name}`, which more than one table has,");
                Err(not_portable(what, &placed(ident), "write the table before it, as t.column"))
            }
            (None, _) => Err(unknown(name, &placed(ident))),
        }
    }

    /// The column of a table.
    pub(super) fn column_of(&self, table: &Ident, column: &Ident) -> Result<Typed, SqlError> {
        let source = self.source(&table.value).ok_or_else(|| unknown_table(&table.value, &placed(table)))?;
        let name = column.value.as_str();
        let field = source.field(name).ok_or_else(|| unknown(&format!("{}.{name}", table.value), &placed(table)))?;
        Ok(source.reference(name, field.sql_type))
    }

    pub(super) fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name.as_deref() == Some(name))
    }
}

fn unknown(name: &str, node: &impl Spanned) -> SqlError {
    not_portable(format!("the unknown column `{name}`"), node, "name a column of a table in FROM; case counts")
}

pub(super) fn unknown_table(name: &str, node: &impl Spanned) -> SqlError {
    not_portable(format!("the unknown table `{name}`"), node, "name a table of FROM by its alias, if it has one")
}

/// A name as a node with a position.
fn placed(ident: &Ident) -> Expr {
    Expr::Identifier(ident.clone())
}
