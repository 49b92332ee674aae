//! What both the check of the subset and the translation to Spark refuse, with the words for it.
//!
//! The check comes first, so that a translation meets these only when one of the two has learned something that the other
//! has not.

use std::fmt::Display;

use sqlparser::ast::{Expr, Join, SelectItem, SetExpr, SetOperator, SetQuantifier, Spanned, TableFactor};

use super::error::{SqlError, not_portable};

/// A body of a query that is neither `SELECT` nor made of such.
pub fn query_form(body: &SetExpr) -> SqlError {
    not_portable("this form of query", body, "write SELECT … FROM …")
}

/// A set operation that not every engine has.
pub fn set_operation(op: SetOperator, quantifier: SetQuantifier, node: &impl Spanned) -> SqlError {
    let what = format!("{op} {quantifier}");
    let hint = "use UNION, UNION ALL, EXCEPT or INTERSECT, which take columns by position";
    not_portable(what.trim_end(), node, hint)
}

/// What is selected and is neither an expression nor `*`.
pub fn select_item(item: &SelectItem) -> SqlError {
    not_portable("this select item", item, "name the columns")
}

/// What is in `FROM` and is neither a table nor a subquery.
pub fn table_expression(factor: &TableFactor) -> SqlError {
    not_portable("this table expression", factor, "read named tables or subqueries")
}

/// A join that not every engine has.
pub fn join_kind(join: &Join) -> SqlError {
    not_portable("this kind of join", join, "use INNER, LEFT, RIGHT, FULL or CROSS JOIN")
}

/// A join that does not say what goes together.
pub fn join_without_condition(join: &Join) -> SqlError {
    not_portable("a join without condition", join, "write ON … or USING (…)")
}

/// An expression of a form that the subset does not have.
pub fn expression(expr: &Expr) -> SqlError {
    not_portable(format!("the expression `{expr}`"), expr, "see docs/sql.md for what is")
}

/// A literal that engines write differently.
pub fn literal(literal: &impl Display, node: &impl Spanned) -> SqlError {
    not_portable(format!("the literal {literal}"), node, "use numbers and 'text'")
}

/// A function without parentheses, or with a query in them.
pub fn call(function: &str, expr: &Expr) -> SqlError {
    not_portable(format!("this call of {function}"), expr, "give it arguments in parentheses")
}

/// An argument with a name, or a `*`.
pub fn argument(function: &str, expr: &Expr) -> SqlError {
    not_portable(format!("this argument of {function}"), expr, "give plain expressions")
}
