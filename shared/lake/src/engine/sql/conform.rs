//! What a query answers, as its contract has it: the contract's columns, in order, in its types, or a named error.

use polars::prelude::{DataType, Expr, LazyFrame, NULL, NonExistent, Schema, TimeUnit, TimeZone, col, lit, when};
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
        selected.push(as_contract(column, found, Fit::Strict)?);
    }
    selected.extend(carried.iter().map(|name| col(*name)));
    Ok(rows.select(selected))
}

/// For each column whose values may not fit their type: its name, and a text for each row whose value does not.
///
/// # Errors
/// As [`conform`].
pub(crate) fn misfits(schema: &Schema, contract: &TableContract) -> Result<Vec<(String, Expr)>, EngineError> {
    let mut misfits = Vec::new();
    for column in &contract.columns {
        let Some(found) = schema.get(column.name.as_str()) else { continue };
        if *found == polars_type(&column.column_type) {
            continue;
        }
        let fitted = as_contract(column, found, Fit::Lenient)?;
        let misfit = col(column.name.as_str()).is_not_null().and(fitted.is_null());
        let reason = format!("the value does not fit {}", column.column_type);
        let text = when(misfit).then(lit(reason)).otherwise(lit(NULL).cast(DataType::String));
        misfits.push((column.name.to_string(), text));
    }
    Ok(misfits)
}

/// How a value becomes one of the contract's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// One that does not fit fails the statement.
    Strict,
    /// One that does not fit becomes null.
    Lenient,
}

fn as_contract(column: &Column, found: &DataType, fit: Fit) -> Result<Expr, ConformError> {
    let value = col(column.name.as_str());
    let expected = polars_type(&column.column_type);
    if *found == expected {
        return Ok(value);
    }
    let fitted = || match fit {
        Fit::Strict => value.clone().strict_cast(expected.clone()),
        Fit::Lenient => value.clone().cast(expected.clone()),
    };
    let refuse = |fix: &'static str| ConformError::wrong_type(column, &sql_name(found), fix);
    let whole = found.is_integer() || *found == DataType::Null;
    match (&column.column_type, found) {
        (_, DataType::Null) => Ok(fitted()),
        (ColumnType::Int32 | ColumnType::Int64 | ColumnType::Decimal { .. }, _) if whole => Ok(fitted()),
        (ColumnType::Decimal { scale, .. }, DataType::Decimal(_, places)) if *places <= usize::from(*scale) => {
            Ok(fitted())
        }
        (ColumnType::Decimal { .. }, DataType::Decimal(..)) => Err(refuse(ConformError::ROUND)),
        (ColumnType::Decimal { .. } | ColumnType::Int32 | ColumnType::Int64, DataType::Float32 | DataType::Float64) => {
            Err(refuse(ConformError::NOT_EXACT))
        }
        (ColumnType::Double, _) if whole || found.is_decimal() || found.is_float() => Ok(fitted()),
        (ColumnType::Timestamp, DataType::Datetime(TimeUnit::Microseconds | TimeUnit::Milliseconds, None)) => {
            let micros = value.clone().cast(DataType::Datetime(TimeUnit::Microseconds, None));
            Ok(micros.dt().replace_time_zone(Some(TimeZone::UTC), lit("raise"), NonExistent::Raise))
        }
        _ => Err(refuse(ConformError::CAST)),
    }
}

/// A Polars type in the words of the contract, where it has one.
pub(super) fn sql_name(found: &DataType) -> String {
    match found {
        DataType::Datetime(_, None) => "TIMESTAMP without zone".to_owned(),
        // Counts have no sign for Polars.
        other if other.is_unsigned_integer() => ColumnType::Int64.to_string(),
        other => crate::engine::types::column_type(other).map_or_else(|| other.to_string(), |known| known.to_string()),
    }
}
