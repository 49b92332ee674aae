//! Why what a query answers is not what its contract says, in the same words for every engine.

use std::fmt::Display;

use super::model::{Column, ColumnType};

/// Why a query does not answer what its contract says.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConformError {
    /// A column of the contract is missing.
    #[error("sql gives no column `{column}`, which the contract has as {expected}; it gives {found}")]
    MissingColumn {
        /// The column.
        column: String,
        /// Its type in the contract.
        expected: ColumnType,
        /// The columns that the query gives.
        found: String,
    },
    /// A column is not in the contract.
    #[error(
        "sql gives the column `{column}` ({found}), which the contract does not have; add it there or leave it out"
    )]
    ExtraColumn {
        /// The column.
        column: String,
        /// Its type, as the engine names it.
        found: String,
    },
    /// A column is of a type that cannot become the contract's without loss.
    #[error("column `{column}` is {expected} in the contract but sql gives {found}; {fix}")]
    WrongType {
        /// The column.
        column: String,
        /// Its type in the contract.
        expected: ColumnType,
        /// Its type in the query, as the engine names it.
        found: String,
        /// What to write instead.
        fix: &'static str,
    },
}

impl ConformError {
    /// What to do about decimals with more places than the contract has.
    pub const ROUND: &str = "round it: ROUND(x, decimals)";
    /// What to do about doubles where the contract wants exact numbers.
    pub const NOT_EXACT: &str =
        "doubles are not exact; compute it from integers and decimals, without AVG or /, or CAST it";
    /// What to do about all other types.
    pub const CAST: &str = "CAST it, or change the contract";

    /// The column is not among those that the query gives.
    pub fn missing<'a>(column: &Column, given: impl IntoIterator<Item = &'a str>) -> Self {
        let found = given.into_iter().collect::<Vec<_>>().join(", ");
        Self::MissingColumn { column: column.name.to_string(), expected: column.column_type.clone(), found }
    }

    /// The query gives the column in a type that cannot become its own; `fix` says what to write instead.
    pub fn wrong_type(column: &Column, found: &impl Display, fix: &'static str) -> Self {
        let (name, expected) = (column.name.to_string(), column.column_type.clone());
        Self::WrongType { column: name, expected, found: found.to_string(), fix }
    }
}
