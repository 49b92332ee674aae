//! Days and instants in SQL: text is read strictly, instants are in UTC.

use polars::prelude::arity::try_unary_elementwise;
use polars::prelude::{
    ChunkedArray, Column, DataType, Int32Type, Int64Type, IntoColumn, PolarsError, PolarsResult, TimeUnit, TimeZone,
};
use sluice_core::contract::ColumnType;

use super::arguments::{first, wrong_arguments};
use crate::engine::cast::{day, micros};
use crate::engine::types::polars_type;

/// The type of `CAST(x AS DATE)`.
pub(super) fn day_type(types: &[DataType]) -> PolarsResult<DataType> {
    match first(types)? {
        DataType::String | DataType::Date | DataType::Datetime(..) | DataType::Null => Ok(DataType::Date),
        other => Err(PolarsError::InvalidOperation(format!("{other} is no DATE").into())),
    }
}

/// `CAST(x AS DATE)`: of an instant its UTC day; text must be an ISO day.
pub(super) fn to_day(column: &Column) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::String => {
            let read = |text: Option<&str>| match text {
                Some(text) => day(text.trim_ascii()).map(Some).ok_or_else(|| unreadable(text, "DATE")),
                None => Ok(None),
            };
            let days: ChunkedArray<Int32Type> = try_unary_elementwise(column.str()?, read)?;
            Ok(days.into_date().into_column())
        }
        // The wall clock of UTC is the instant without its zone.
        DataType::Datetime(unit, Some(_)) => {
            column.cast(&DataType::Datetime(*unit, None))?.strict_cast(&DataType::Date)
        }
        _ => column.strict_cast(&DataType::Date),
    }
}

/// The type of `CAST(x AS TIMESTAMP)`.
pub(super) fn instant_type(types: &[DataType]) -> PolarsResult<DataType> {
    match first(types)? {
        DataType::String | DataType::Date | DataType::Datetime(..) | DataType::Null => {
            Ok(polars_type(&ColumnType::Timestamp))
        }
        other => Err(PolarsError::InvalidOperation(format!("{other} is no TIMESTAMP").into())),
    }
}

/// `CAST(x AS TIMESTAMP)`: of a day its midnight in UTC; text must be an ISO instant, in UTC where it has no offset.
pub(super) fn to_instant(column: &Column) -> PolarsResult<Column> {
    let micros: ChunkedArray<Int64Type> = match column.dtype() {
        DataType::String => {
            let read = |text: Option<&str>| match text {
                Some(text) => micros(text.trim_ascii()).map(Some).ok_or_else(|| unreadable(text, "TIMESTAMP")),
                None => Ok(None),
            };
            try_unary_elementwise(column.str()?, read)?
        }
        _ => column.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?.cast(&DataType::Int64)?.i64()?.clone(),
    };
    Ok(micros.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_column())
}

fn unreadable(text: &str, what: &str) -> PolarsError {
    let shown: String = text.chars().take(40).collect();
    PolarsError::ComputeError(format!("'{shown}' is no {what}; write ISO 8601").into())
}

/// The type of `DATEDIFF(end, start)`.
pub(super) fn datediff_type(types: &[DataType]) -> PolarsResult<DataType> {
    let is_day = |t: &DataType| matches!(t, DataType::Date | DataType::Datetime(..) | DataType::Null);
    match types {
        [end, start] if is_day(end) && is_day(start) => Ok(DataType::Int32),
        [end, start] => {
            Err(PolarsError::InvalidOperation(format!("DATEDIFF takes dates, not {end} and {start}").into()))
        }
        _ => Err(wrong_arguments(2)),
    }
}

/// Days from start to end; instants count by their UTC day.
pub(super) fn datediff([end, start]: [&Column; 2]) -> PolarsResult<Column> {
    datediff_type(&[end.dtype().clone(), start.dtype().clone()])?;
    let number = |column: &Column| to_day(column)?.cast(&DataType::Int32);
    number(end)? - number(start)?
}
