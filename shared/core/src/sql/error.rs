//! Why a SQL text is refused, and where in it.

use std::fmt;

use sqlparser::ast::Spanned;

/// Why a SQL text is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SqlError {
    /// Not SQL.
    #[error("{message}")]
    Syntax {
        /// The parser's words, which hold the position.
        message: String,
    },
    /// SQL, but outside the portable subset.
    #[error("{what} at {position} is not in the portable SQL subset: {hint}")]
    NotPortable {
        /// The refused construct.
        what: String,
        /// Line and column, from 1.
        position: Position,
        /// What to write instead.
        hint: &'static str,
    },
    /// Longer than anything that a person writes.
    #[error("the text has {size} {unit}, more than the {limit} that are taken: shorten it")]
    TooLong {
        /// How long it is.
        size: usize,
        /// What is counted.
        unit: &'static str,
        /// Most of it.
        limit: usize,
    },
    /// A table that the statement may not read.
    #[error("table '{name}' at {position} is unknown here: {hint}")]
    UnknownTable {
        /// The name as written.
        name: String,
        /// Line and column, from 1.
        position: Position,
        /// What may be read.
        hint: &'static str,
    },
}

/// A place in a SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1; 0 where unknown.
    pub line: u64,
    /// Column, from 1; 0 where unknown.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

pub(super) fn position(node: &impl Spanned) -> Position {
    let start = node.span().start;
    Position { line: start.line, column: start.column }
}

/// The refusal of a part of a statement, with its position.
pub fn not_portable(what: impl Into<String>, node: &impl Spanned, hint: &'static str) -> SqlError {
    SqlError::NotPortable { what: what.into(), position: position(node), hint }
}
