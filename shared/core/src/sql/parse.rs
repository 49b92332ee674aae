//! The parser, and what it made of a text. Every text passes its limits of length, width and depth here.

use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, TableFactor, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::error::{Position, SqlError};

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
/// What a bracket counts for around a table, a join or a subquery in `FROM`: the parser takes more than 60 kB for each.
const TABLE_BRACKETS: usize = 2;
/// Most brackets inside each other that the parser reads in two ways. Where the innermost one is wrong, each level doubles
/// the work: ten are 1,024 readings of it, some 0.3 s without optimisation; sixteen took 16 s.
const MAX_READ_TWICE: usize = 10;
/// Most levels of a tree: of `a AND b AND c` each AND is one. From some 450 levels on the planner leaves the 2 MB of a
/// thread's stack, so this takes a third of it.
const MAX_LEVELS: usize = 150;
/// Most SELECTs and most tables of a statement. Each is a step of the engine's plan, over which it goes as over levels.
const MAX_SELECTS: usize = 100;
const MAX_TABLES: usize = 100;

/// The one query of a text.
pub(crate) fn parse_query(text: &str, limits: Limits) -> Result<Query, SqlError> {
    let mut parser = parser(text, limits)?;
    let first = parser.peek_token();
    let refused = |what: &str, token: &TokenWithSpan| {
        let start = token.span.start;
        let position = Position { line: start.line, column: start.column };
        SqlError::NotPortable { what: what.to_owned(), position, hint: "write one SELECT" }
    };
    // Other statements are not parsed: some hold statements that hold statements.
    match (&first.token, keyword_of(&first.token)) {
        (Token::EOF, _) => {
            let position = Position { line: 1, column: 1 };
            let what = "an empty text".to_owned();
            return Err(SqlError::NotPortable { what, position, hint: "write one SELECT" });
        }
        (_, Keyword::NoKeyword | Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM) => {}
        _ => return Err(refused("this statement", &first)),
    }
    let query = parser.parse_query().map_err(syntax)?;
    let is_ended = parser.consume_token(&Token::SemiColon);
    while parser.consume_token(&Token::SemiColon) {}
    let rest = parser.peek_token();
    if is_ended && rest.token != Token::EOF {
        return Err(refused("a second statement", &rest));
    }
    parser.expect_token(&Token::EOF).map_err(syntax)?;
    check_tree(&*query)?;
    Ok(*query)
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
    within(read_twice(read()), "calls such as CAST( and NOT( inside each other", MAX_READ_TWICE)?;
    Ok(Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens))
}

/// How many brackets are inside each other, and `CASE … END`, which is one. Those of `ARRAY<…>` and `STRUCT<…>`, the pairs of
/// `INT[][]`, `INTERVAL` and `->` count as brackets that are never closed: the parser follows each without a limit of its own.
fn brackets<'a>(tokens: impl Iterator<Item = &'a Token>) -> usize {
    let (mut open, mut part): (Vec<Open>, Part) = (Vec::new(), Part::Other);
    let (mut never_closed, mut most) = (0_usize, 0_usize);
    let mut before = &Token::EOF;
    for token in tokens {
        let keyword = keyword_of(token);
        let closes = match token {
            Token::RParen | Token::RBracket | Token::RBrace => Some(Closed::ByBracket),
            _ => (keyword == Keyword::END).then_some(Closed::ByEnd),
        };
        if let Some(closed) = open.pop_if(|open| Some(open.closed) == closes) {
            part = closed.part;
        }
        let opens = match token {
            Token::LParen if part == Part::Tables => Some((Closed::ByBracket, TABLE_BRACKETS)),
            Token::LParen | Token::LBracket | Token::LBrace => Some((Closed::ByBracket, 1)),
            _ => (keyword == Keyword::CASE).then_some((Closed::ByEnd, 1)),
        };
        if let Some((closed, counts)) = opens {
            open.push(Open { closed, counts, part });
        }
        // A subquery, wherever it is.
        if matches!(keyword, Keyword::SELECT | Keyword::WITH)
            && let (Token::LParen, Some(subquery)) = (before, open.last_mut())
        {
            subquery.counts = TABLE_BRACKETS;
        }
        never_closed += match token {
            Token::RBracket => usize::from(*before == Token::LBracket),
            Token::Lt => usize::from(matches!(keyword_of(before), Keyword::ARRAY | Keyword::STRUCT)),
            Token::Arrow => 1,
            _ => {
                if keyword == Keyword::INTERVAL {
                    INTERVAL_BRACKETS
                } else {
                    0
                }
            }
        };
        part = part.after(token, keyword);
        before = token;
        most = most.max(never_closed + open.iter().map(|open| open.counts).sum::<usize>());
    }
    most
}

/// How many brackets are inside each other that the parser reads in two ways, if the first one fails: as what the keyword
/// before them means, and as the call of a function that has its name.
fn read_twice<'a>(tokens: impl Iterator<Item = &'a Token>) -> usize {
    let (mut open, mut most): (Vec<bool>, usize) = (Vec::new(), 0);
    let mut before = &Token::EOF;
    for token in tokens {
        match token {
            Token::LParen => {
                open.push(begins_expression(keyword_of(before)));
                most = most.max(open.iter().filter(|is_read_twice| **is_read_twice).count());
            }
            Token::RParen => {
                let _ = open.pop();
            }
            _ => {}
        }
        before = token;
    }
    most
}

/// Whether an expression that begins with this keyword is read by rules of its own, in the parser's
/// `parse_expr_prefix_by_reserved_word`, and the keyword may be a name as well.
fn begins_expression(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::ARRAY
            | Keyword::BOX
            | Keyword::CASE
            | Keyword::CAST
            | Keyword::CEIL
            | Keyword::CIRCLE
            | Keyword::CONVERT
            | Keyword::EXTRACT
            | Keyword::FLOOR
            | Keyword::LAMBDA
            | Keyword::LINE
            | Keyword::LSEG
            | Keyword::MATCH
            | Keyword::NOT
            | Keyword::OVERLAY
            | Keyword::PATH
            | Keyword::POINT
            | Keyword::POLYGON
            | Keyword::POSITION
            | Keyword::PRIOR
            | Keyword::SAFE_CAST
            | Keyword::SUBSTR
            | Keyword::SUBSTRING
            | Keyword::TRY_CAST
            | Keyword::TRY_CONVERT
    )
}

/// Something that is open.
struct Open {
    closed: Closed,
    counts: usize,
    /// The part of the statement that goes on after it.
    part: Part,
}

/// What closes something that is open.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Closed {
    ByBracket,
    ByEnd,
}

/// A part of a statement, as far as it matters for what a bracket is.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Part {
    /// A bracket is around a table, a join or a subquery.
    Tables,
    /// The condition of a join; after a comma tables come.
    Condition,
    Other,
}

impl Part {
    fn after(self, token: &Token, keyword: Keyword) -> Self {
        match keyword {
            Keyword::FROM | Keyword::JOIN => Self::Tables,
            Keyword::ON | Keyword::USING => Self::Condition,
            Keyword::SELECT | Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::ORDER => Self::Other,
            _ if self == Self::Condition && *token == Token::Comma => Self::Tables,
            _ => self,
        }
    }
}

fn keyword_of(token: &Token) -> Keyword {
    if let Token::Word(word) = token { word.keyword } else { Keyword::NoKeyword }
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
