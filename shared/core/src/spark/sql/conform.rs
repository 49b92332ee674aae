//! What a query answers, as its contract has it.

use super::relation::SparkQuery;
use super::types::{SqlType, quoted};
use crate::contract::{ColumnType, TableContract};

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
        /// The columns that are there.
        found: String,
    },
    /// A column is not in the contract.
    #[error(
        "sql gives the column `{column}` ({found}), which the contract does not have; add it there or leave it out"
    )]
    ExtraColumn {
        /// The column.
        column: String,
        /// Its type.
        found: SqlType,
    },
    /// A column is of a type that cannot become the contract's without loss.
    #[error("column `{column}` is {expected} in the contract but sql gives {found}; {fix}")]
    WrongType {
        /// The column.
        column: String,
        /// Its type in the contract.
        expected: ColumnType,
        /// Its type in the query.
        found: SqlType,
        /// What to write instead.
        fix: &'static str,
    },
}

/// The query with exactly the contract's columns, in order and of its types, and the `carried` columns behind them.
///
/// Only casts that lose nothing are made; a value that does not fit fails. Columns whose name begins with `_` are
/// dropped.
///
/// # Errors
/// [`ConformError`] by column name.
pub fn conform(query: &SparkQuery, contract: &TableContract, carried: &[&str]) -> Result<String, ConformError> {
    let extra = |name: &str| contract.column(name).is_none() && !name.starts_with('_') && !carried.contains(&name);
    if let Some((name, found)) = query.columns.iter().find(|(name, _)| extra(name)) {
        return Err(ConformError::ExtraColumn { column: name.clone(), found: *found });
    }
    let mut selected = Vec::with_capacity(contract.columns.len() + carried.len());
    for column in &contract.columns {
        let name = column.name.as_str();
        let found =
            query.columns.iter().find(|(given, _)| given == name).map(|(_, found)| *found).ok_or_else(|| {
                let names: Vec<&str> = query.columns.iter().map(|(name, _)| name.as_str()).collect();
                ConformError::MissingColumn {
                    column: name.to_owned(),
                    expected: column.column_type.clone(),
                    found: names.join(", "),
                }
            })?;
        if let Some(fix) = refusal(&column.column_type, found) {
            let expected = column.column_type.clone();
            return Err(ConformError::WrongType { column: name.to_owned(), expected, found, fix });
        }
        selected.push(format!("CAST({0} AS {1}) AS {0}", quoted(name), column.column_type));
    }
    selected.extend(carried.iter().map(|name| quoted(name)));
    Ok(format!("SELECT\n  {}\nFROM (\n{}\n)", selected.join(",\n  "), query.text))
}

/// Why a type cannot become a column's; `None` where it can.
fn refusal(expected: &ColumnType, found: SqlType) -> Option<&'static str> {
    match (expected, found) {
        (_, SqlType::Null) => None,
        (column, found) if SqlType::from(column) == found => None,
        (ColumnType::Int32 | ColumnType::Int64 | ColumnType::Decimal { .. } | ColumnType::Double, whole)
            if whole.is_whole() =>
        {
            None
        }
        (ColumnType::Decimal { scale, .. }, SqlType::Decimal { scale: places, .. }) => {
            (places > *scale).then_some("round it: ROUND(x, decimals)")
        }
        (ColumnType::Decimal { .. } | ColumnType::Int32 | ColumnType::Int64, SqlType::Double) => {
            Some("doubles are not exact; compute it from integers and decimals, without AVG or /, or CAST it")
        }
        (ColumnType::Double, SqlType::Decimal { .. }) => None,
        _ => Some("CAST it, or change the contract"),
    }
}
