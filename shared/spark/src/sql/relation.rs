//! What a statement reads, and what it answers.

use sluice_core::contract::ColumnType;

use super::scope::Field;
use super::types::SqlType;

/// A table or view as Spark knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its name in Spark, unquoted: one part.
    pub name: String,
    /// Its columns, by name.
    pub columns: Vec<(String, ColumnType)>,
}

/// A query in Spark's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkQuery {
    /// The text, without a semicolon.
    pub text: String,
    /// What it answers.
    pub columns: Vec<(String, SqlType)>,
}

/// A translated query with the columns that it answers.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) fields: Vec<Field>,
}
