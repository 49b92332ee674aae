//! What is in the portable subset, and what is refused with its position.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Distinct, DuplicateTreatment, ExactNumberInfo, Expr, FunctionArg,
    FunctionArgExpr, FunctionArguments, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, OrderByKind,
    Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor, TableWithJoins, TimezoneInfo,
    UnaryOperator, Value,
};

use super::error::{SqlError, not_portable};
use super::refused;
use super::rewrite::round_decimals;

/// Functions with one meaning on every engine. `ROUND` rounds half away from zero, `DATEDIFF(end, start)` counts days.
const FUNCTIONS: &[&str] = &[
    "abs", "avg", "ceil", "coalesce", "count", "datediff", "floor", "greatest", "least", "left", "length", "lower",
    "ltrim", "max", "min", "nullif", "replace", "right", "round", "rtrim", "sign", "substr", "sum", "upper",
];

/// Functions that read more than one row.
const AGGREGATES: &[&str] = &["avg", "count", "max", "min", "sum"];

/// Whether a function reads more than one row.
pub fn is_aggregate(function: &str) -> bool {
    AGGREGATES.contains(&function.to_ascii_lowercase().as_str())
}

/// A query whose answer goes to a person: as [`check_query`], and with ORDER BY expressions and plain LIMIT and OFFSET at its end.
pub(super) fn check_whole_query(query: &Query) -> Result<(), SqlError> {
    if let Some(order) = &query.order_by {
        let OrderByKind::Expressions(expressions) = &order.kind else {
            return Err(not_portable("ORDER BY ALL", query, "name the columns"));
        };
        if order.interpolate.is_some() || expressions.iter().any(|by| by.with_fill.is_some()) {
            return Err(not_portable(
                "a clause of ORDER BY",
                query,
                "use expressions with ASC or DESC, NULLS FIRST or LAST",
            ));
        }
        for by in expressions {
            if matches!(by.expr, Expr::Value(_)) {
                return Err(not_portable("ORDER BY a position", &by.expr, "name the columns"));
            }
            check_expr(&by.expr)?;
        }
    }
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            limit.iter().chain(offset.iter().map(|offset| &offset.value)).try_for_each(check_count)?;
        }
        Some(_) => return Err(not_portable("this LIMIT", query, "write LIMIT <rows> OFFSET <rows>")),
    }
    check_body(query)
}

fn check_count(expr: &Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Value(value) if matches!(&value.value, Value::Number(digits, _) if digits.parse::<u32>().is_ok()) => {
            Ok(())
        }
        other => Err(not_portable("this number of rows", other, "write it as a number")),
    }
}

/// Refuses a query with anything outside the subset, with its position.
pub(crate) fn check_query(query: &Query) -> Result<(), SqlError> {
    if query.order_by.is_some() || query.limit_clause.is_some() {
        return Err(not_portable("ORDER BY, LIMIT or a clause after the query", query, "tables have no order"));
    }
    check_body(query)
}

fn check_body(query: &Query) -> Result<(), SqlError> {
    let plain = query.fetch.is_none()
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
            if cte.alias.name.value.contains('.') {
                return Err(not_portable(
                    "a name with a point in WITH",
                    &cte.alias,
                    "tables of a lake have such names",
                ));
            }
            check_query(&cte.query)?;
        }
    }
    check_set_expr(&query.body)
}

fn check_set_expr(body: &SetExpr) -> Result<(), SqlError> {
    match body {
        SetExpr::Select(select) => check_select(select),
        SetExpr::Query(query) => check_query(query),
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            check_set_operation(*op, *set_quantifier, body)?;
            check_set_expr(left)?;
            check_set_expr(right)
        }
        other => Err(refused::query_form(other)),
    }
}

/// Refuses set operations that engines do not have alike: those that match columns by name, and those that count how
/// often a row occurs.
fn check_set_operation(op: SetOperator, quantifier: SetQuantifier, body: &SetExpr) -> Result<(), SqlError> {
    match (op, quantifier) {
        (SetOperator::Union, SetQuantifier::All)
        | (
            SetOperator::Union | SetOperator::Except | SetOperator::Intersect,
            SetQuantifier::None | SetQuantifier::Distinct,
        ) => Ok(()),
        (op, quantifier) => Err(refused::set_operation(op, quantifier, body)),
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
            other => return Err(refused::select_item(other)),
        }
    }
    if matches!(select.distinct, Some(Distinct::On(_))) {
        return Err(not_portable("DISTINCT ON", select, "use GROUP BY"));
    }
    select.from.iter().try_for_each(check_tables)?;
    check_group_by(select)?;
    select.selection.iter().chain(&select.having).try_for_each(check_expr)
}

fn check_group_by(select: &Select) -> Result<(), SqlError> {
    let GroupByExpr::Expressions(expressions, modifiers) = &select.group_by else {
        return Err(not_portable("GROUP BY ALL", select, "name the columns"));
    };
    for expr in expressions {
        if !modifiers.is_empty() {
            return Err(not_portable("ROLLUP, CUBE or GROUPING SETS", expr, "write one GROUP BY per table"));
        }
        if matches!(expr, Expr::Value(_)) {
            return Err(not_portable("GROUP BY a position", expr, "name the columns"));
        }
        check_expr(expr)?;
    }
    Ok(())
}

fn check_tables(tables: &TableWithJoins) -> Result<(), SqlError> {
    check_table_factor(&tables.relation)?;
    tables.joins.iter().try_for_each(check_join)
}

fn check_join(join: &Join) -> Result<(), SqlError> {
    check_table_factor(&join.relation)?;
    let constraint = match &join.join_operator {
        JoinOperator::CrossJoin(JoinConstraint::None) => return Ok(()),
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => constraint,
        _ => return Err(refused::join_kind(join)),
    };
    match constraint {
        JoinConstraint::On(condition) => check_expr(condition),
        JoinConstraint::Using(_) => Ok(()),
        JoinConstraint::Natural | JoinConstraint::None => Err(refused::join_without_condition(join)),
    }
}

/// Types that every engine names and reads alike.
fn check_cast_type(data_type: &DataType, expr: &Expr) -> Result<(), SqlError> {
    match data_type {
        DataType::Int(None)
        | DataType::Integer(None)
        | DataType::BigInt(None)
        | DataType::Double(ExactNumberInfo::None)
        | DataType::String(None)
        | DataType::Boolean
        | DataType::Date
        | DataType::Timestamp(None, TimezoneInfo::None)
        | DataType::Decimal(ExactNumberInfo::PrecisionAndScale(..)) => Ok(()),
        other => {
            let hint = "use INT, BIGINT, DOUBLE, DECIMAL(p, s), STRING, BOOLEAN, DATE or TIMESTAMP";
            Err(not_portable(format!("CAST AS {other}"), expr, hint))
        }
    }
}

fn check_table_factor(factor: &TableFactor) -> Result<(), SqlError> {
    match factor {
        TableFactor::Table { args: None, sample: None, version: None, .. } => Ok(()),
        TableFactor::Derived { lateral: false, subquery, sample: None, .. } => check_query(subquery),
        TableFactor::NestedJoin { table_with_joins, .. } => check_tables(table_with_joins),
        other => Err(refused::table_expression(other)),
    }
}

pub(super) fn check_expr(expr: &Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::TypedString(_) => Ok(()),
        Expr::Value(value) => match &value.value {
            Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => Ok(()),
            _ => Err(refused::literal(expr, expr)),
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
            if pattern.to_string().contains('\\') {
                return Err(not_portable("a backslash in LIKE", expr, "engines differ on what it escapes"));
            }
            check_expr(inner)?;
            check_expr(pattern)
        }
        Expr::Cast { kind: CastKind::Cast, expr: inner, data_type, format: None, array: false } => {
            check_cast_type(data_type, expr)?;
            check_expr(inner)
        }
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
        other => Err(refused::expression(other)),
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
        return Err(refused::call(&name, expr));
    };
    if name != "count" && list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err(not_portable(format!("DISTINCT in {name}(…)"), expr, "only COUNT takes DISTINCT"));
    }
    if !plain || !list.clauses.is_empty() {
        return Err(not_portable(format!("a clause in {name}(…)"), expr, "use CASE inside the function"));
    }
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => check_expr(argument)?,
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if name == "count" => {}
            _ => return Err(refused::argument(&name, expr)),
        }
    }
    if name == "round" && round_decimals(&list.args).is_none() {
        return Err(not_portable("this ROUND", expr, "ROUND(number, decimals) with 0 to 18 written as a number"));
    }
    Ok(())
}

pub(super) fn forbid_aggregates(expr: &Expr, hint: &'static str) -> Result<(), SqlError> {
    let found = sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::Function(function) => {
            let name = function.name.to_string();
            if is_aggregate(&name) {
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
