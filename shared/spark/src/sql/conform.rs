//! What a query answers, as its contract has it.

use sluice_core::contract::{ColumnType, ConformError, TableContract};

use super::relation::SparkQuery;
use super::types::{SqlType, quoted};

/// The query with exactly the contract's columns, in order and of its types.
///
/// Only casts that lose nothing are made; a value that does not fit fails. Columns whose name begins with `_` are
/// dropped.
///
/// # Errors
/// [`ConformError`] by column name.
pub fn conform(query: &SparkQuery, contract: &TableContract) -> Result<String, ConformError> {
    let extra = |name: &str| contract.column(name).is_none() && !name.starts_with('_');
    if let Some((name, found)) = query.columns.iter().find(|(name, _)| extra(name)) {
        return Err(ConformError::ExtraColumn { column: name.clone(), found: found.to_string() });
    }
    let mut selected = Vec::with_capacity(contract.columns.len());
    for column in &contract.columns {
        let name = column.name.as_str();
        let found = query.columns.iter().find(|(given, _)| given == name).map(|(_, found)| *found);
        let found =
            found.ok_or_else(|| ConformError::missing(column, query.columns.iter().map(|(name, _)| name.as_str())))?;
        if let Some(fix) = refusal(&column.column_type, found) {
            return Err(ConformError::wrong_type(column, &found, fix));
        }
        selected.push(format!("CAST({0} AS {1}) AS {0}", quoted(name), column.column_type));
    }
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
            (places > *scale).then_some(ConformError::ROUND)
        }
        (ColumnType::Decimal { .. } | ColumnType::Int32 | ColumnType::Int64, SqlType::Double) => {
            Some(ConformError::NOT_EXACT)
        }
        (ColumnType::Double, SqlType::Decimal { .. }) => None,
        _ => Some(ConformError::CAST),
    }
}
