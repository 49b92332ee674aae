//! The portable SQL subset as Spark 3.5 SQL: a typed translation that means on Spark what the subset means on Polars.
//!
//! Types are inferred here, so that every operation can be written with the widths and places that the subset promises,
//! and so that what engines read differently is refused with its position before any run. The text assumes these
//! settings of the session: [`SETTINGS`].

mod arithmetic;
mod caller;
mod cast;
mod conform;
mod expression;
mod function;
mod group;
mod literal;
mod query;
mod relation;
mod scope;
mod set_operation;
mod types;

use std::collections::BTreeMap;

pub use self::conform::conform;
use self::expression::Expressions;
use self::query::Translator;
pub use self::relation::{Relation, SparkQuery};
use self::scope::{Field, Scope, Source};
pub use self::types::SqlType;
use sluice_core::contract::ColumnType;
use sluice_core::sql::{MetricSql, Predicate, ProductSql, RowSql, SqlError, TableSql, not_portable};

/// Settings that the translated text needs, with the reason of each.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("spark.sql.ansi.enabled", "true", "an overflow or a wrong cast is an error, never a silent null"),
    ("spark.sql.session.timeZone", "UTC", "instants are in UTC"),
    ("spark.sql.decimalOperations.allowPrecisionLoss", "false", "products keep the places of both factors"),
    (
        "spark.sql.subexpressionElimination.skipForShortcutExpr",
        "true",
        "what stands behind AND or OR is computed only when it decides",
    ),
];

/// The statement of a silver table over its typed source columns.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn projection(sql: &RowSql, bronze: &Relation) -> Result<SparkQuery, SqlError> {
    let tables = BTreeMap::from([("bronze".to_owned(), bronze)]);
    Translator::new(tables).whole(sql.query())
}

/// The statement of a gold table over the tables that it reads, each under the name that the statement has for it.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn query(sql: &TableSql, inputs: &BTreeMap<String, Relation>) -> Result<SparkQuery, SqlError> {
    let tables = inputs.iter().map(|(name, relation)| (name.clone(), relation)).collect();
    Translator::new(tables).whole(sql.query())
}

/// The query of a rule over its table, written `object`: one row with one number.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn metric(sql: &MetricSql, object: &Relation) -> Result<SparkQuery, SqlError> {
    let query = sql.query();
    let translated = Translator::new(BTreeMap::from([("object".to_owned(), object)])).unnamed(query)?;
    match translated.columns.as_slice() {
        [(_, answer)] if answer.is_number() => Ok(translated),
        _ => Err(not_portable("a rule that answers no number", query, "select one number, such as COUNT(*)")),
    }
}

/// The condition of a row rule over the columns of its table.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn predicate(sql: &Predicate, columns: &[(String, ColumnType)]) -> Result<String, SqlError> {
    let fields = columns.iter().map(|(name, column_type)| Field::named(name, SqlType::from(column_type)));
    let scope = Scope::of(Source { name: None, fields: fields.collect() });
    Ok(Expressions::of_rows(&scope).condition(sql.expr())?.text)
}

/// Checks the types of a caller's statement over the tables that it reads, each under the name that
/// [`product_engine_name`](sluice_core::sql::product_engine_name) gives it, as they are checked for the tables of a pipeline.
///
/// Its columns may be without names, or have one name twice; GROUP BY, HAVING and ORDER BY may call what is selected by
/// its name.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn check_statement(sql: &ProductSql, tables: &[Relation]) -> Result<(), SqlError> {
    let tables = tables.iter().map(|table| (table.name.clone(), table)).collect();
    Translator::of_caller(tables).unnamed(sql.query()).map(|_| ())
}

/// Checks the types of a caller's condition over the columns that it reads.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn check_condition(sql: &Predicate, columns: &[(String, ColumnType)]) -> Result<(), SqlError> {
    let fields = columns.iter().map(|(name, column_type)| Field::named(name, SqlType::from(column_type)));
    let scope = Scope::of(Source { name: None, fields: fields.collect() });
    Expressions::of_rows(&scope).checking(true).condition(sql.expr()).map(|_| ())
}

#[cfg(test)]
mod tests;
