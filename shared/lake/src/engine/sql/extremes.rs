//! The greatest and the least values, with NaN as the greatest double. Polars passes NaN by in `MAX`, and in `GREATEST` and
//! `LEAST` now and then, by the form in which it keeps the columns.

use polars::prelude::arity::{try_unary_elementwise, unary_elementwise};
use polars::prelude::{
    ChunkCompareIneq, ChunkFillNullValue, ChunkedArray, Column, DataType, Float64Type, Int128Type, IntoColumn,
    PolarsError, PolarsResult, Series,
};
use polars_core::utils::try_get_supertype;

use super::arguments::{first, wrong_arguments};
use super::fit::fitted;
use super::numbers::doubles;

pub(super) fn ordinal_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match first(types)? {
        DataType::Float32 | DataType::Float64 => DataType::Int128,
        other => other.clone(),
    })
}

/// The place of each double among all. Other values have their order already.
pub(super) fn ordinal(column: &Column) -> PolarsResult<Column> {
    if !matches!(column.dtype(), DataType::Float32 | DataType::Float64) {
        return Ok(column.clone());
    }
    let place = |value: f64| {
        let bits = if value.is_nan() { f64::NAN.abs() } else { value }.to_bits().cast_signed();
        i128::from(if bits < 0 { bits ^ i64::MAX } else { bits })
    };
    let places: ChunkedArray<Int128Type> = unary_elementwise(doubles(column)?.f64()?, |value| value.map(place));
    Ok(places.into_column())
}

pub(super) fn from_ordinal_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match first(types)? {
        DataType::Int128 => DataType::Float64,
        other => other.clone(),
    })
}

/// The doubles at these places. No value but a place has 128 bits without a point.
pub(super) fn from_ordinal(column: &Column) -> PolarsResult<Column> {
    if *column.dtype() != DataType::Int128 {
        return Ok(column.clone());
    }
    let value = |place: i128| {
        let bits = i64::try_from(place)
            .map_err(|_| PolarsError::ComputeError(format!("no double has the place {place}").into()))?;
        Ok::<_, PolarsError>(f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }).cast_unsigned()))
    };
    let values: ChunkedArray<Float64Type> =
        try_unary_elementwise(column.i128()?, |place: Option<i128>| place.map(value).transpose())?;
    Ok(values.into_column())
}

/// Which of several values of a row is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    Greatest,
    Least,
}

/// The type that all arguments are brought to: the same when the statement is planned, where literals have no type of
/// their own yet, and when it runs. Counts, which have no sign for Polars, are whole numbers like all others.
pub(super) fn extreme_type(types: &[DataType]) -> PolarsResult<DataType> {
    let stored = |dtype: &DataType| -> PolarsResult<DataType> {
        let dtype = dtype.clone().materialize_unknown(true)?;
        Ok(if dtype.is_unsigned_integer() { DataType::Int64 } else { dtype })
    };
    let mut types = types.iter();
    let one = stored(types.next().ok_or_else(|| wrong_arguments(2))?)?;
    types.try_fold(one, |known, next| try_get_supertype(&known, &stored(next)?))
}

/// The greatest or least value of each row, passing nulls by.
pub(super) fn extreme(columns: &[Column], kept: Kept) -> PolarsResult<Column> {
    let types: Vec<DataType> = columns.iter().map(|column| column.dtype().clone()).collect();
    let dtype = extreme_type(&types)?;
    let ordered = |column: &Column| -> PolarsResult<Series> {
        let value = if dtype == DataType::Float64 { doubles(column)? } else { fitted(column, &dtype)? };
        Ok(ordinal(&value)?.take_materialized_series())
    };
    let mut columns = columns.iter();
    let one = columns.next().ok_or_else(|| wrong_arguments(2))?;
    let found = columns.try_fold(ordered(one)?, |a, column| {
        let b = ordered(column)?;
        let better = match kept {
            Kept::Greatest => a.gt_eq(&b)?,
            Kept::Least => a.lt_eq(&b)?,
        };
        a.zip_with(&(better.fill_null_with_values(false)? | b.is_null()), &b)
    })?;
    from_ordinal(&found.into_column())
}
