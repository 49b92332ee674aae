//! The parser, and what it made of a text. Every text passes its limits of length, width and depth here.

use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};

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

/// How long a text may be before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes.
    bytes: usize,
    /// Words and signs. Each level of a tree takes two of them, and freeing a level takes less than 512 bytes of stack:
    /// 4,000 need 1 MB of the 2 MB of a thread.
    tokens: usize,
}

impl Limits {
    /// Of a text in a document: some ten times the longest that we know.
    pub(crate) const DOCUMENT: Self = Self { bytes: 64 * 1024, tokens: 4_000 };
    /// Of a text of a caller, who pays for nothing.
    pub(crate) const CALLER: Self = Self { bytes: 16 * 1024, tokens: 500 };
}

/// Most brackets of any kind, and `CASE`s, inside each other, which is also what the parser follows.
const MAX_BRACKETS: usize = 30;
/// What an `INTERVAL` counts for: without optimisation the parser takes 33 kB of stack for each, of the 2 MB of a thread.
const INTERVAL_BRACKETS: usize = 3;
/// Most levels of a tree: of `a AND b AND c` each AND is one. From some 450 levels on the planner leaves the 2 MB of a
/// thread's stack, so this takes a third of it.
const MAX_LEVELS: usize = 150;
/// Most SELECTs and most tables of a statement. Each is a step of the engine's plan, over which it goes as over levels.
const MAX_SELECTS: usize = 100;
const MAX_TABLES: usize = 100;

/// The one query of a text.
pub(crate) fn parse_query(text: &str, limits: Limits) -> Result<Query, SqlError> {
    let mut statements = parser(text, limits)?.parse_statements().map_err(syntax)?;
    match (statements.pop(), statements.pop()) {
        (Some(Statement::Query(query)), None) => {
            check_tree(&*query)?;
            Ok(*query)
        }
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
    parse_query(&format!("SELECT * FROM {table}"), Limits::DOCUMENT)
}

/// The one condition of a text.
pub(super) fn parse_expr(text: &str, limits: Limits) -> Result<Expr, SqlError> {
    let mut parser = parser(text, limits)?;
    let parsed = parser.parse_expr().and_then(|expr| {
        parser.expect_token(&Token::EOF)?;
        Ok(expr)
    });
    let expr = parsed.map_err(syntax)?;
    check_tree(&expr)?;
    Ok(expr)
}

/// The parser of a text that is short and flat enough to be parsed, and to be freed again whatever it becomes.
fn parser(text: &str, limits: Limits) -> Result<Parser<'static>, SqlError> {
    within(text.len(), "bytes", limits.bytes)?;
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| syntax(error.into()))?;
    let read = || tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_)));
    within(read().count(), "words and signs", limits.tokens)?;
    within(brackets(read()), "brackets and CASEs inside each other", MAX_BRACKETS)?;
    Ok(Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens))
}

/// How many brackets are inside each other, and `CASE … END`, which is one. Those of `ARRAY<…>` and `STRUCT<…>`, the pairs of
/// `INT[][]`, `INTERVAL` and `->` count as brackets that are never closed: the parser follows each without a limit of its own.
fn brackets<'a>(tokens: impl Iterator<Item = &'a Token>) -> usize {
    let (mut open, mut most, mut of_type, mut opened) = (0_usize, 0_usize, false, false);
    for token in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => open += 1,
            Token::RBracket if opened => {}
            Token::RParen | Token::RBracket | Token::RBrace => open = open.saturating_sub(1),
            Token::Lt if of_type => open += 1,
            Token::Word(word) if word.keyword == Keyword::CASE => open += 1,
            Token::Word(word) if word.keyword == Keyword::END => open = open.saturating_sub(1),
            Token::Word(word) if word.keyword == Keyword::INTERVAL => open += INTERVAL_BRACKETS,
            Token::Arrow => open += 1,
            _ => {}
        }
        opened = matches!(token, Token::LBracket);
        of_type = matches!(token, Token::Word(word) if matches!(word.keyword, Keyword::ARRAY | Keyword::STRUCT));
        most = most.max(open);
    }
    most
}

/// Refuses a tree that is too deep or too wide for those who go over it.
fn check_tree(tree: &impl Visit) -> Result<(), SqlError> {
    let mut size = Size::default();
    let _: ControlFlow<()> = tree.visit(&mut size);
    within(size.most_levels, "levels of conditions and sums inside each other", MAX_LEVELS)?;
    within(size.selects, "SELECTs", MAX_SELECTS)?;
    within(size.tables, "tables in FROM", MAX_TABLES)
}

#[derive(Default)]
struct Size {
    levels: usize,
    most_levels: usize,
    selects: usize,
    tables: usize,
}

impl Visitor for Size {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.levels += 1;
        self.most_levels = self.most_levels.max(self.levels);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.levels = self.levels.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.selects += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<()> {
        self.tables += 1;
        ControlFlow::Continue(())
    }
}

fn within(size: usize, unit: &'static str, limit: usize) -> Result<(), SqlError> {
    if size > limit { Err(SqlError::TooLong { size, unit, limit }) } else { Ok(()) }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn syntax(error: ParserError) -> SqlError {
    SqlError::Syntax { message: error.to_string() }
}
