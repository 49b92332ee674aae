//! What a query answers, as its contract has it: the contract's columns, in order, in its types, or a named error.

use polars::prelude::{DataType, Expr, LazyFrame, NonExistent, TimeUnit, TimeZone, col, lit};
use sluice_core::contract::{Column, ColumnType, ConformError, TableContract};

use crate::engine::EngineError;
use crate::engine::types::polars_type;

/// The frame with exactly the contract's columns, in order and of its types.
///
/// Only casts that lose nothing are made, and they are strict: a value that does not fit fails the collect. Columns
/// whose name begins with `_` are ours and are dropped.
///
/// # Errors
/// [`EngineError::Conform`] by column name.
pub(crate) fn conform(rows: LazyFrame, contract: &TableContract) -> Result<LazyFrame, EngineError> {
    conform_with(rows, contract, &[])
}

/// [`conform`], with these columns carried through behind the contract's.
///
/// # Errors
/// As [`conform`].
pub(crate) fn conform_with(
    mut rows: LazyFrame,
    contract: &TableContract,
    carried: &[&str],
) -> Result<LazyFrame, EngineError> {
    let schema = rows.collect_schema()?;
    let extra = |name: &str| contract.column(name).is_none() && !name.starts_with('_') && !carried.contains(&name);
    if let Some((name, found)) = schema.iter().find(|(name, _)| extra(name)) {
        return Err(ConformError::ExtraColumn { column: name.to_string(), found: found.to_string() }.into());
    }
    let mut selected = Vec::with_capacity(contract.columns.len() + carried.len());
    for column in &contract.columns {
        let found = schema.get(column.name.as_str());
        let given = || schema.iter_names().map(|name| name.as_str());
        let found = found.ok_or_else(|| ConformError::missing(column, given()))?;
        selected.push(as_contract(column, found)?);
    }
    selected.extend(carried.iter().map(|name| col(*name)));
    Ok(rows.select(selected))
}

fn as_contract(column: &Column, found: &DataType) -> Result<Expr, ConformError> {
    let value = col(column.name.as_str());
    let expected = polars_type(&column.column_type);
    if *found == expected {
        return Ok(value);
    }
    let refuse = |fix: &'static str| ConformError::wrong_type(column, &sql_name(found), fix);
    let whole = found.is_integer() || *found == DataType::Null;
    match (&column.column_type, found) {
        (_, DataType::Null) => Ok(value.strict_cast(expected)),
        (ColumnType::Int32 | ColumnType::Int64 | ColumnType::Decimal { .. }, _) if whole => {
            Ok(value.strict_cast(expected))
        }
        (ColumnType::Decimal { scale, .. }, DataType::Decimal(_, places)) if *places <= usize::from(*scale) => {
            Ok(value.strict_cast(expected))
        }
        (ColumnType::Decimal { .. }, DataType::Decimal(..)) => Err(refuse(ConformError::ROUND)),
        (ColumnType::Decimal { .. } | ColumnType::Int32 | ColumnType::Int64, DataType::Float32 | DataType::Float64) => {
            Err(refuse(ConformError::NOT_EXACT))
        }
        (ColumnType::Double, _) if whole || found.is_decimal() || found.is_float() => Ok(value.strict_cast(expected)),
        (ColumnType::Timestamp, DataType::Datetime(TimeUnit::Microseconds | TimeUnit::Milliseconds, None)) => {
            let micros = value.cast(DataType::Datetime(TimeUnit::Microseconds, None));
            Ok(micros.dt().replace_time_zone(Some(TimeZone::UTC), lit("raise"), NonExistent::Raise))
        }
        _ => Err(refuse(ConformError::CAST)),
    }
}

/// A Polars type in the words of the contract, where it has one.
fn sql_name(found: &DataType) -> String {
    match found {
        DataType::Datetime(_, None) => "TIMESTAMP without zone".to_owned(),
        other => crate::engine::types::column_type(other).map_or_else(|| other.to_string(), |known| known.to_string()),
    }
}
