//! The parser, and what it made of a text.

use std::fmt;

use sqlparser::ast::{Expr, Query, Statement};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::error::{Position, SqlError, not_portable};

/// A SQL text with the tree that the parser made of it, so that nobody parses it again. Equal texts have equal trees.
#[derive(Clone)]
pub(super) struct Parsed<T> {
    text: String,
    tree: Box<T>,
}

impl<T: fmt::Display> Parsed<T> {
    /// A tree, which is written as its text.
    pub(super) fn of(tree: T) -> Self {
        Self { text: tree.to_string(), tree: Box::new(tree) }
    }
}

impl<T> Parsed<T> {
    /// The tree of a text, which is kept as a person wrote it.
    pub(super) fn new(text: &str, tree: T) -> Self {
        Self { text: text.to_owned(), tree: Box::new(tree) }
    }

    /// The tree.
    pub(super) fn tree(&self) -> &T {
        &self.tree
    }
}

impl<T> PartialEq for Parsed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Parsed<T> {}

impl<T> fmt::Debug for Parsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<T> fmt::Display for Parsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The one query of a text.
pub(crate) fn parse_query(text: &str) -> Result<Query, SqlError> {
    let mut statements = Parser::parse_sql(&GenericDialect {}, text).map_err(syntax)?;
    match (statements.pop(), statements.pop()) {
        (Some(Statement::Query(query)), None) => Ok(*query),
        (Some(other), None) => Err(not_portable("this statement", &other, "write one SELECT")),
        (last, _) => {
            let what = if last.is_some() { "a second statement" } else { "an empty text" };
            let position = Position { line: 1, column: 1 };
            Err(SqlError::NotPortable { what: what.to_owned(), position, hint: "write one SELECT" })
        }
    }
}

/// `SELECT * FROM <table>`, for planners that put statements together.
///
/// # Errors
/// [`SqlError`] for a name that SQL takes for something else.
pub fn select_all(table: &str) -> Result<Query, SqlError> {
    parse_query(&format!("SELECT * FROM {table}"))
}

/// The one condition of a text.
pub(super) fn parse_expr(text: &str) -> Result<Expr, SqlError> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| {
        let expr = parser.parse_expr()?;
        parser.expect_token(&Token::EOF)?;
        Ok(expr)
    });
    parsed.map_err(syntax)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn syntax(error: ParserError) -> SqlError {
    SqlError::Syntax { message: error.to_string() }
}
