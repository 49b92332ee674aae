//! The portable SQL subset: what Polars SQL and Spark SQL both run with the same result.
//!
//! Everything else is refused at check time with its position, never passed on to an engine to see what happens.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, ObjectName,
    ObjectNamePart, Query, Select, SelectItem, SetExpr, Spanned, Statement, TableAlias, TableFactor,
    TableWithJoins, UnaryOperator, Value, VisitMut, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use crate::name::{Layer, TableName};

/// Functions with one meaning on every engine. `ROUND` rounds half away from zero, `DATEDIFF(end, start)` counts days.
const FUNCTIONS: &[&str] = &[
    "abs", "avg", "ceil", "coalesce", "count", "datediff", "floor", "greatest", "least", "left", "length", "lower",
    "ltrim", "max", "min", "nullif", "replace", "right", "round", "rtrim", "sign", "substr", "sum", "upper",
];

/// Functions that read more than one row.
const AGGREGATES: &[&str] = &["avg", "count", "max", "min", "sum"];

/// The most decimals that `ROUND` takes: those of the widest decimal type.
const MAX_ROUND_DECIMALS: u32 = 18;

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

fn position(node: &impl Spanned) -> Position {
    let start = node.span().start;
    Position { line: start.line, column: start.column }
}

fn not_portable(what: impl Into<String>, node: &impl Spanned, hint: &'static str) -> SqlError {
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
        return Err(SqlError::UnknownTable { name: name.to_string(), position, hint: "silver reads FROM bronze alone" });
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
    let mut expr = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&sqlparser::tokenizer::Token::EOF)?;
            Ok(expr)
        })
        .map_err(syntax)?;
    check_expr(&expr)?;
    forbid_aggregates(&expr, "a row rule looks at one row")?;
    let _: ControlFlow<()> = expr.visit(&mut Rewriter { tables: &BTreeSet::new() });
    Ok(expr.to_string())
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

fn syntax(error: sqlparser::parser::ParserError) -> SqlError {
    SqlError::Syntax { message: error.to_string() }
}

fn parse_query(text: &str) -> Result<Query, SqlError> {
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

fn check_query(query: &Query) -> Result<(), SqlError> {
    let plain = query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && query.for_clause.is_none()
        && query.settings.is_none()
        && query.format_clause.is_none()
        && query.pipe_operators.is_empty();
    if !plain {
        return Err(not_portable("ORDER BY, LIMIT or a clause after the query", query, "tables have no order"));
    }
    if let Some(with) = &query.with {
        if with.recursive {
            return Err(not_portable("WITH RECURSIVE", with, "write it without recursion"));
        }
        for cte in &with.cte_tables {
            check_query(&cte.query)?;
        }
    }
    check_set_expr(&query.body)
}

fn check_set_expr(body: &SetExpr) -> Result<(), SqlError> {
    match body {
        SetExpr::Select(select) => check_select(select),
        SetExpr::Query(query) => check_query(query),
        SetExpr::SetOperation { left, right, .. } => {
            check_set_expr(left)?;
            check_set_expr(right)
        }
        other => Err(not_portable("this form of query", other, "write SELECT … FROM …")),
    }
}

fn check_select(select: &Select) -> Result<(), SqlError> {
    let plain = select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none();
    if !plain {
        return Err(not_portable("a clause of this SELECT", select, "use SELECT, FROM, JOIN, WHERE, GROUP BY, HAVING"));
    }
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => check_expr(expr)?,
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                if options.to_string() != "" {
                    return Err(not_portable("an option of *", item, "name the columns"));
                }
            }
            other => return Err(not_portable("this select item", other, "name the columns")),
        }
    }
    for table in &select.from {
        check_table_factor(&table.relation)?;
        for join in &table.joins {
            check_table_factor(&join.relation)?;
        }
    }
    if let GroupByExpr::Expressions(expressions, modifiers) = &select.group_by {
        if let Some(expr) = expressions.first().filter(|_| !modifiers.is_empty()) {
            return Err(not_portable("ROLLUP, CUBE or GROUPING SETS", expr, "write one GROUP BY per table"));
        }
        expressions.iter().try_for_each(check_expr)?;
    }
    select.selection.iter().chain(&select.having).try_for_each(check_expr)
}

fn check_table_factor(factor: &TableFactor) -> Result<(), SqlError> {
    match factor {
        TableFactor::Table { args: None, sample: None, version: None, .. } => Ok(()),
        TableFactor::Derived { lateral: false, subquery, sample: None, .. } => check_query(subquery),
        TableFactor::NestedJoin { table_with_joins, .. } => {
            check_table_factor(&table_with_joins.relation)?;
            table_with_joins.joins.iter().try_for_each(|join| check_table_factor(&join.relation))
        }
        other => Err(not_portable("this table expression", other, "read named tables or subqueries")),
    }
}

fn check_expr(expr: &Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::TypedString(_) => Ok(()),
        Expr::Value(value) => match &value.value {
            Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => Ok(()),
            _ => Err(not_portable(format!("the literal {expr}"), expr, "use numbers and 'text'")),
        },
        Expr::Nested(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::Extract { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. } => check_expr(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::Not, expr: inner } => {
            check_expr(inner)
        }
        Expr::BinaryOp { left, op, right } => {
            check_operator(op, expr)?;
            check_expr(left)?;
            check_expr(right)
        }
        Expr::Between { expr: inner, low, high, .. } => [inner, low, high].into_iter().try_for_each(|e| check_expr(e)),
        Expr::InList { expr: inner, list, .. } => {
            check_expr(inner)?;
            list.iter().try_for_each(check_expr)
        }
        Expr::Like { any: false, expr: inner, pattern, escape_char: None, .. } => {
            check_expr(inner)?;
            check_expr(pattern)
        }
        Expr::Cast { kind: CastKind::Cast, expr: inner, .. } => check_expr(inner),
        Expr::Case { operand, conditions, else_result, .. } => {
            operand.iter().chain(else_result).try_for_each(|e| check_expr(e))?;
            conditions.iter().try_for_each(|when| {
                check_expr(&when.condition)?;
                check_expr(&when.result)
            })
        }
        Expr::Trim { expr: inner, trim_what: None, trim_characters: None, .. } => check_expr(inner),
        Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
            check_expr(inner)?;
            substring_from.iter().chain(substring_for).try_for_each(|e| check_expr(e))
        }
        Expr::Function(function) => check_function(function, expr),
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            Err(not_portable("a subquery in an expression", expr, "join a subquery in FROM instead"))
        }
        other => Err(not_portable(format!("the expression `{other}`"), expr, "see docs/sql.md for what is")),
    }
}

fn check_operator(op: &BinaryOperator, expr: &Expr) -> Result<(), SqlError> {
    match op {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo
        | BinaryOperator::StringConcat
        | BinaryOperator::Gt
        | BinaryOperator::Lt
        | BinaryOperator::GtEq
        | BinaryOperator::LtEq
        | BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::And
        | BinaryOperator::Or => Ok(()),
        other => Err(not_portable(format!("the operator {other}"), expr, "use + - * / % || = <> < <= > >= AND OR")),
    }
}

fn check_function(function: &sqlparser::ast::Function, expr: &Expr) -> Result<(), SqlError> {
    let name = function.name.to_string().to_ascii_lowercase();
    if function.over.is_some() {
        return Err(not_portable("a window function", expr, "join an aggregated subquery instead"));
    }
    if !FUNCTIONS.contains(&name.as_str()) {
        return Err(not_portable(format!("the function {}", name.to_uppercase()), expr, "see docs/sql.md for what is"));
    }
    let plain = function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty()
        && matches!(function.parameters, FunctionArguments::None);
    let FunctionArguments::List(list) = &function.args else {
        return Err(not_portable(format!("this call of {name}"), expr, "give it arguments in parentheses"));
    };
    if !plain || !list.clauses.is_empty() {
        return Err(not_portable(format!("a clause in {name}(…)"), expr, "use CASE inside the function"));
    }
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => check_expr(argument)?,
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if name == "count" => {}
            _ => return Err(not_portable(format!("this argument of {name}"), expr, "give plain expressions")),
        }
    }
    if name == "round" && round_decimals(&list.args).is_none() {
        return Err(not_portable("this ROUND", expr, "ROUND(number, decimals) with 0 to 18 written as a number"));
    }
    Ok(())
}

fn round_decimals(args: &[FunctionArg]) -> Option<u32> {
    match args {
        [_] => Some(0),
        [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] => match &value.value {
            Value::Number(digits, _) => digits.parse().ok().filter(|decimals| *decimals <= MAX_ROUND_DECIMALS),
            _ => None,
        },
        _ => None,
    }
}

fn forbid_aggregates(expr: &Expr, hint: &'static str) -> Result<(), SqlError> {
    let found = sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            if AGGREGATES.contains(&name.as_str()) {
                ControlFlow::Break(not_portable(format!("the aggregate {}", name.to_uppercase()), inner, hint))
            } else {
                ControlFlow::Continue(())
            }
        }
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
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

/// Turns the portable dialect into the engine's: one-word table names, `ROUND` with its rounding rule in the name.
fn rewrite(query: &mut Query, tables: &BTreeSet<String>) {
    let _: ControlFlow<()> = query.visit(&mut Rewriter { tables });
}

/// Name under which engines know "round half away from zero to `decimals`".
pub fn round_function(decimals: u32) -> String {
    format!("round_half_away_{decimals}")
}

/// Name under which engines know "days from start to end".
pub const DATEDIFF_FUNCTION: &str = "datediff";

/// Every decimals that [`round_function`] is asked for.
pub fn round_decimals_range() -> std::ops::RangeInclusive<u32> {
    0..=MAX_ROUND_DECIMALS
}

struct Rewriter<'a> {
    tables: &'a BTreeSet<String>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor {
            let parts: Vec<&str> = name.0.iter().filter_map(ident).collect();
            let joined = parts.join(".");
            if self.tables.contains(&joined) {
                let short = parts.last().map(|last| Ident::new(*last));
                if let (None, Some(short)) = (&alias, short) {
                    *alias = Some(TableAlias { explicit: true, name: short, columns: vec![], at: None });
                }
                *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', joined))]);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && function.name.to_string().eq_ignore_ascii_case("round")
            && let FunctionArguments::List(list) = &mut function.args
            && let Some(decimals) = round_decimals(&list.args)
        {
            list.args.truncate(1);
            function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(round_function(decimals)))]);
        }
        ControlFlow::Continue(())
    }
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
