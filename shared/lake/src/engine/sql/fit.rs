//! Values as another type. One that does not fit is an error with the value, in the words of the contract.

use polars::prelude::{ChunkedArray, Column, DataType, Int128Type, IntoColumn, PolarsError, PolarsResult};

use super::conform::sql_name;

/// The values as this type; the first one that does not fit is an error.
pub(super) fn fitted(column: &Column, dtype: &DataType) -> PolarsResult<Column> {
    column.strict_cast(dtype).map_err(|_| first_misfit(column, dtype))
}

/// Numbers in units of 10^-`scale` as decimals of at most `precision` digits. They were computed from the values of
/// this column, of which the first one that does not fit is an error.
pub(super) fn as_decimals(
    units: ChunkedArray<Int128Type>,
    precision: usize,
    scale: usize,
    of: &Column,
) -> PolarsResult<Column> {
    let kept = units.clone();
    let decimals = units.into_decimal(precision, scale).map_err(|_| {
        let limit = u32::try_from(precision).ok().and_then(|digits| 10_u128.checked_pow(digits)).unwrap_or(u128::MAX);
        let row = kept.iter().position(|units| units.is_some_and(|units: i128| units.unsigned_abs() >= limit));
        let value = row.and_then(|row| of.get(row).ok()).map(|value| value.to_string());
        misfit(value, &DataType::Decimal(precision, scale))
    })?;
    Ok(decimals.into_column())
}

/// A value that does not fit a type; without its text where that is not known.
pub(super) fn misfit(value: Option<String>, dtype: &DataType) -> PolarsError {
    let value = value.unwrap_or_else(|| "a value".to_owned());
    PolarsError::ComputeError(format!("{value} does not fit {}", sql_name(dtype)).into())
}

fn first_misfit(column: &Column, dtype: &DataType) -> PolarsError {
    let value = column.cast(dtype).ok().and_then(|cast| {
        let misfits = cast.is_null() & column.is_not_null();
        let row = misfits.iter().position(|misfit| misfit == Some(true))?;
        column.get(row).ok().map(|value| value.to_string())
    });
    misfit(value, dtype)
}
