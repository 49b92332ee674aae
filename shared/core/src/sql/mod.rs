//! The portable SQL subset: what Polars SQL and Spark SQL both run with the same result.
//!
//! Everything else is refused at check time with its position, never passed on to an engine to see what happens.

mod portable;
mod product;
mod rewrite;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Spanned, Statement,
    TableFactor, TableWithJoins, VisitMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

pub(crate) use self::portable::is_aggregate;
use self::portable::{check_expr, check_query, check_whole_query, forbid_aggregates};
pub use self::product::{ProductSql, check_caller_predicate, product_engine_name};
pub(crate) use self::rewrite::round_decimals;
pub use self::rewrite::{DATEDIFF_FUNCTION, round_decimals_range, round_function};
use self::rewrite::{Rewriter, rewrite};
use crate::name::{Layer, TableName};

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

pub(crate) fn position(node: &impl Spanned) -> Position {
    let start = node.span().start;
    Position { line: start.line, column: start.column }
}

pub(crate) fn not_portable(what: impl Into<String>, node: &impl Spanned, hint: &'static str) -> SqlError {
    SqlError::NotPortable { what: what.into(), position: position(node), hint }
}

/// A row-wise projection of the bronze table: `SELECT <expressions> FROM bronze`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSql {
    query: Query,
}

impl RowSql {
    /// Parses and checks a silver table's SQL.
    ///
    /// # Errors
    /// [`SqlError`] with the position of what is refused: filters, joins, aggregates and everything outside the subset.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let mut query = parse_query(text)?;
        check_query(&query)?;
        let select = only_select(&query)?;
        check_row_wise(select)?;
        rewrite(&mut query, &BTreeSet::new());
        Ok(Self { query })
    }

    /// The statement for the engine, with these columns of the bronze view carried through beside the selected ones.
    pub fn engine_sql(&self, carried: &[&str]) -> String {
        let mut query = self.query.clone();
        if let SetExpr::Select(select) = query.body.as_mut() {
            let carry = |name: &&str| SelectItem::UnnamedExpr(Expr::Identifier(Ident::with_quote('"', *name)));
            select.projection.extend(carried.iter().map(carry));
        }
        query.to_string()
    }
}

fn only_select(query: &Query) -> Result<&Select, SqlError> {
    match query.body.as_ref() {
        SetExpr::Select(select) if query.with.is_none() => Ok(select),
        _ => Err(not_portable("this form of query", query, "silver takes one SELECT <expressions> FROM bronze")),
    }
}

fn check_row_wise(select: &Select) -> Result<(), SqlError> {
    if let Some(filter) = &select.selection {
        let hint = "silver keeps or quarantines every row; use a rule, or filter in gold";
        return Err(not_portable("WHERE", filter, hint));
    }
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    if grouped || select.having.is_some() || select.distinct.is_some() {
        let hint = "silver is row by row, so that each row has one source record; aggregate in gold";
        return Err(not_portable("GROUP BY, HAVING or DISTINCT", select, hint));
    }
    let [TableWithJoins { relation: TableFactor::Table { name, .. }, joins }] = select.from.as_slice() else {
        return Err(not_portable("this FROM clause", select, "silver reads FROM bronze alone"));
    };
    if !joins.is_empty() {
        return Err(not_portable("JOIN", select, "silver reads FROM bronze alone; join in gold"));
    }
    if !name.to_string().eq_ignore_ascii_case("bronze") {
        let position = position(name);
        return Err(SqlError::UnknownTable {
            name: name.to_string(),
            position,
            hint: "silver reads FROM bronze alone",
        });
    }
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            forbid_aggregates(expr, "silver is row by row; aggregate in gold")?;
        }
    }
    Ok(())
}

/// A predicate over one row's columns, such as the condition of a count-of-bad-rows rule.
///
/// # Errors
/// [`SqlError`] with the position of what is refused, aggregates and subqueries included.
pub fn check_row_predicate(text: &str) -> Result<String, SqlError> {
    let mut expr = parse_predicate(text)?;
    let _: ControlFlow<()> = expr.visit(&mut Rewriter { tables: &BTreeSet::new() });
    Ok(expr.to_string())
}

/// A checked predicate as it is written.
pub(crate) fn parse_predicate(text: &str) -> Result<Expr, SqlError> {
    let expr = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&sqlparser::tokenizer::Token::EOF)?;
            Ok(expr)
        })
        .map_err(syntax)?;
    check_expr(&expr)?;
    forbid_aggregates(&expr, "a row rule looks at one row")?;
    Ok(expr)
}

/// A query over the tables of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSql {
    query: Query,
    inputs: BTreeSet<(Layer, TableName)>,
}

impl TableSql {
    /// Parses and checks a gold table's SQL, which reads `silver.<table>` and `gold.<table>`.
    ///
    /// # Errors
    /// [`SqlError`] with the position of what is refused.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let mut query = parse_query(text)?;
        check_query(&query)?;
        let mut inputs = BTreeSet::new();
        collect_inputs(&query, &mut BTreeSet::new(), &mut inputs)?;
        rewrite(&mut query, &inputs.iter().map(|(layer, table)| engine_name(*layer, table)).collect());
        Ok(Self { query, inputs })
    }

    /// Parses and checks a metric query over one table, written `{object}` in the contract and `object` here.
    ///
    /// # Errors
    /// [`SqlError`] with the position of what is refused.
    pub fn parse_metric(text: &str) -> Result<String, SqlError> {
        let mut query = parse_query(text)?;
        check_query(&query)?;
        rewrite(&mut query, &BTreeSet::new());
        Ok(query.to_string())
    }

    /// The tables it reads.
    pub fn inputs(&self) -> &BTreeSet<(Layer, TableName)> {
        &self.inputs
    }

    /// The statement for the engine: each input is one table named as [`engine_name`] says.
    pub fn engine_sql(&self) -> String {
        self.query.to_string()
    }
}

/// The one-word name under which an engine registers a table that SQL calls `<layer>.<table>`.
pub fn engine_name(layer: Layer, table: &TableName) -> String {
    format!("{}.{table}", layer.as_str())
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn syntax(error: sqlparser::parser::ParserError) -> SqlError {
    SqlError::Syntax { message: error.to_string() }
}

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

fn collect_inputs(
    query: &Query,
    visible: &mut BTreeSet<String>,
    inputs: &mut BTreeSet<(Layer, TableName)>,
) -> Result<(), SqlError> {
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        visible.insert(cte.alias.name.value.to_ascii_lowercase());
    }
    let result = sqlparser::ast::visit_relations(query, |name| match input(name, visible) {
        Ok(Some(found)) => {
            inputs.insert(found);
            ControlFlow::Continue(())
        }
        Ok(None) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match result {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn input(name: &ObjectName, visible: &BTreeSet<String>) -> Result<Option<(Layer, TableName)>, SqlError> {
    let parts: Vec<&str> = name.0.iter().filter_map(ident).collect();
    let found = match parts.as_slice() {
        [cte] if visible.contains(&cte.to_ascii_lowercase()) => return Ok(None),
        ["silver", table] => Some((Layer::Silver, *table)),
        ["gold", table] => Some((Layer::Gold, *table)),
        _ => None,
    };
    found.and_then(|(layer, table)| Some(Some((layer, table.parse().ok()?)))).ok_or_else(|| SqlError::UnknownTable {
        name: name.to_string(),
        position: position(name),
        hint: "gold reads silver.<table> and gold.<table> of its own pipeline",
    })
}

fn ident(part: &ObjectNamePart) -> Option<&str> {
    part.as_ident().map(|ident| ident.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_sql_is_one_projection_of_bronze() {
        let check = |sql: &str, expected: &str| match RowSql::parse(sql) {
            Ok(_) => assert_eq!(expected, "ok", "{sql}"),
            Err(error) => {
                assert_ne!(expected, "ok", "{sql}: {error}");
                assert!(error.to_string().contains(expected), "{sql}: {error}");
            }
        };
        check("SELECT a, TRIM(b) AS b, c LIKE 'C%' AS d FROM bronze", "ok");
        check("SELECT CASE WHEN a LIKE '%.0' THEN LEFT(a, LENGTH(a) - 2) ELSE a END AS a FROM bronze", "ok");
        check("SELECT a FROM bronze WHERE a > 1", "WHERE at line 1, column 28");
        check("SELECT SUM(a) FROM bronze", "aggregate SUM at line 1, column 8");
        check("SELECT a FROM bronze GROUP BY a", "GROUP BY");
        check("SELECT a FROM silver.t", "table 'silver.t'");
        check("SELECT a FROM bronze JOIN x ON 1 = 1", "JOIN");
        check("SELECT a\nFROM bronze ORDER BY a", "tables have no order");
        check("SELECT REGEXP_REPLACE(a, 'x', '') FROM bronze", "function REGEXP_REPLACE at line 1, column 8");
        check("SELECT ROW_NUMBER() OVER () FROM bronze", "window function");
        check("SELECT (SELECT 1) FROM bronze", "subquery");
        check("SELECT a FROM bronze; DROP TABLE x", "second statement");
        check("DELETE FROM bronze", "one SELECT");
        check("SELEC a FROM bronze", "Expected");
        check("", "empty text");
    }

    #[test]
    fn gold_sql_refuses_what_engines_read_differently() {
        let check = |sql: &str, expected: &str| {
            let error = TableSql::parse(sql).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{sql}: {error}");
        };
        check("SELECT a FROM silver.t GROUP BY ALL", "GROUP BY ALL");
        check("SELECT a FROM silver.t GROUP BY 1", "position");
        check("SELECT DISTINCT ON (a) a FROM silver.t", "DISTINCT ON");
        check("SELECT a FROM silver.t NATURAL JOIN silver.u", "without condition");
        check("SELECT a FROM silver.t LEFT SEMI JOIN silver.u ON t.a = u.a", "kind of join");
        check("SELECT a FROM silver.t JOIN silver.u ON SOUNDEX(t.a) = u.a", "SOUNDEX");
        check("SELECT CAST(a AS TINYINT) FROM silver.t", "CAST AS TINYINT");
        check("SELECT SUM(DISTINCT a) FROM silver.t", "only COUNT");
        check(r"SELECT a LIKE 'x\_' FROM silver.t", "backslash");
    }

    #[test]
    fn carried_columns_and_rounding_reach_the_engine() {
        let sql = RowSql::parse("SELECT ROUND(a * b, 2) AS c FROM bronze").expect("sql").engine_sql(&["_source_row"]);
        assert_eq!(sql, "SELECT round_half_away_2(a * b) AS c, \"_source_row\" FROM bronze");
    }

    #[test]
    fn gold_sql_names_its_inputs() {
        let sql = TableSql::parse(
            "WITH d AS (SELECT * FROM silver.t) SELECT t.a, COUNT(DISTINCT d.b) AS n FROM gold.u AS t JOIN d ON t.a = d.a GROUP BY t.a",
        )
        .expect("sql");
        let inputs: Vec<String> = sql.inputs().iter().map(|(layer, table)| engine_name(*layer, table)).collect();
        assert_eq!(inputs, ["silver.t", "gold.u"]);
        assert!(sql.engine_sql().contains("FROM \"silver.t\" AS t"), "{}", sql.engine_sql());
        for sql in ["SELECT * FROM bronze", "SELECT * FROM other.t", "SELECT * FROM silver.\"../x\""] {
            assert!(matches!(TableSql::parse(sql), Err(SqlError::UnknownTable { .. })), "{sql}");
        }
    }
}
