//! Exact arithmetic: what Polars rounds, wraps around or turns into doubles.

use polars::prelude::arity::broadcast_try_binary_elementwise;
use polars::prelude::{
    ChunkedArray, Column, DataType, Int64Type, Int128Type, IntoColumn, PolarsError, PolarsResult, RoundMode,
    RoundSeries,
};

use super::functions::{first, wrong_arguments};

/// Fewest digits after the point of a decimal quotient.
const LEAST_QUOTIENT_PLACES: usize = 6;
/// Most digits of a decimal.
const MAX_DIGITS: usize = 38;

pub(super) fn rounded_type(dtype: &DataType, decimals: u32) -> DataType {
    match dtype {
        DataType::Decimal(precision, scale) => DataType::Decimal(*precision, (*scale).min(decimals as usize)),
        other => other.clone(),
    }
}

/// Half away from zero. A decimal keeps no more places than it was rounded to; what is no fraction stays as it is.
pub(super) fn rounded(column: &Column, decimals: u32) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::Decimal(..) => {
            let rounded = column.as_materialized_series().round(decimals, RoundMode::HalfAwayFromZero)?;
            let cut = rounded.strict_cast(&rounded_type(column.dtype(), decimals))?;
            Ok(cut.into_column())
        }
        DataType::Float32 | DataType::Float64 => {
            Ok(column.as_materialized_series().round(decimals, RoundMode::HalfAwayFromZero)?.into_column())
        }
        _ => Ok(column.clone()),
    }
}

pub(super) fn product_type(types: &[DataType]) -> PolarsResult<DataType> {
    let [left, right] = types else { return Err(wrong_arguments(2)) };
    Ok(match (left.clone().materialize_unknown(true)?, right.clone().materialize_unknown(true)?) {
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) => {
            if a + b > MAX_DIGITS {
                let message =
                    format!("the product of decimals with {a} and {b} places has no room in 38 digits; round one");
                return Err(PolarsError::InvalidOperation(message.into()));
            }
            DataType::Decimal(MAX_DIGITS, a + b)
        }
        (DataType::Decimal(_, scale), other) | (other, DataType::Decimal(_, scale))
            if other.is_integer() || other.is_null() =>
        {
            DataType::Decimal(MAX_DIGITS, scale)
        }
        (a, b) if (a.is_integer() || a.is_null()) && (b.is_integer() || b.is_null()) => DataType::Int64,
        (a, b) if (a.is_numeric() || a.is_null()) && (b.is_numeric() || b.is_null()) => DataType::Float64,
        (a, b) => return Err(PolarsError::InvalidOperation(format!("{a} and {b} cannot be multiplied").into())),
    })
}

/// The exact product: decimals keep the places of both, integers that leave 64 bits are an error.
pub(super) fn product([left, right]: [&Column; 2]) -> PolarsResult<Column> {
    let dtype = product_type(&[left.dtype().clone(), right.dtype().clone()])?;
    if dtype != DataType::Int64 {
        // Decimals of equal places multiply exactly when the places are those of the result.
        return left.strict_cast(&dtype)? * right.strict_cast(&dtype)?;
    }
    let (left, right) = (left.strict_cast(&dtype)?, right.strict_cast(&dtype)?);
    let (a, b) = (left.i64()?, right.i64()?);
    let multiply = |a: Option<i64>, b: Option<i64>| match (a, b) {
        (Some(a), Some(b)) => {
            let overflow = || PolarsError::ComputeError(format!("overflow in the product of {a} and {b}").into());
            a.checked_mul(b).map(Some).ok_or_else(overflow)
        }
        _ => Ok(None),
    };
    let product: ChunkedArray<Int64Type> = broadcast_try_binary_elementwise(a, b, multiply)?;
    Ok(product.into_column())
}

pub(super) fn quotient_type(types: &[DataType]) -> PolarsResult<DataType> {
    let [left, right] = types else { return Err(wrong_arguments(2)) };
    let places = |dtype: &DataType| match dtype {
        DataType::Decimal(_, scale) => Some(*scale),
        other => (other.is_integer() || other.is_null()).then_some(0),
    };
    let (left, right) = (left.clone().materialize_unknown(true)?, right.clone().materialize_unknown(true)?);
    let number = |dtype: &DataType| dtype.is_numeric() || dtype.is_decimal() || dtype.is_null();
    match (places(&left), places(&right)) {
        (Some(a), Some(b)) if left.is_decimal() || right.is_decimal() => {
            Ok(DataType::Decimal(MAX_DIGITS, a.max(b).max(LEAST_QUOTIENT_PLACES)))
        }
        _ if number(&left) && number(&right) => Ok(DataType::Float64),
        _ => Err(PolarsError::InvalidOperation(format!("{left} cannot be divided by {right}").into())),
    }
}

/// The quotient: of decimals a decimal, rounded half away from zero; else a double. Division by zero is an error.
pub(super) fn quotient([left, right]: [&Column; 2]) -> PolarsResult<Column> {
    let dtype = quotient_type(&[left.dtype().clone(), right.dtype().clone()])?;
    let DataType::Decimal(digits, places) = dtype else {
        let (left, right) = (left.cast(&dtype)?, right.cast(&dtype)?);
        if right.f64()?.iter().any(|divisor| divisor == Some(0.0)) {
            return Err(by_zero());
        }
        return left / right;
    };
    let (left, right) = (left.strict_cast(&dtype)?, right.strict_cast(&dtype)?);
    let unit = 10_i128.pow(u32::try_from(places).unwrap_or_default());
    let divide = |a: Option<i128>, b: Option<i128>| match (a, b) {
        (_, Some(0)) => Err(by_zero()),
        (Some(a), Some(b)) => {
            let overflow = || PolarsError::ComputeError(format!("overflow in the quotient of {a} and {b}").into());
            let scaled = a.checked_mul(unit).ok_or_else(overflow)?;
            let (whole, rest) = (scaled / b, scaled % b);
            let away = if (scaled < 0) == (b < 0) { 1 } else { -1 };
            let up = rest.unsigned_abs() >= b.unsigned_abs() - rest.unsigned_abs();
            Ok(Some(if up && rest != 0 { whole + away } else { whole }))
        }
        _ => Ok(None),
    };
    let (a, b) = (left.decimal()?, right.decimal()?);
    let quotient: ChunkedArray<Int128Type> = broadcast_try_binary_elementwise(a.physical(), b.physical(), divide)?;
    Ok(quotient.into_decimal(digits, places)?.into_column())
}

pub(super) fn widened_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match first(types)? {
        DataType::Decimal(_, scale) => DataType::Decimal(MAX_DIGITS, *scale),
        other if other.is_integer() => DataType::Int64,
        other => other.clone(),
    })
}

/// The same numbers with room for sums.
pub(super) fn widened(column: &Column) -> PolarsResult<Column> {
    column.strict_cast(&widened_type(&[column.dtype().clone()])?)
}

/// The type of a remainder: the wider of the two, as exact as both.
pub(super) fn remainder_type(types: &[DataType]) -> PolarsResult<DataType> {
    let [left, right] = types else { return Err(wrong_arguments(2)) };
    Ok(match (left.clone().materialize_unknown(true)?, right.clone().materialize_unknown(true)?) {
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) => DataType::Decimal(MAX_DIGITS, a.max(b)),
        (DataType::Decimal(_, scale), other) | (other, DataType::Decimal(_, scale))
            if other.is_integer() || other.is_null() =>
        {
            DataType::Decimal(MAX_DIGITS, scale)
        }
        (a, b) if (a.is_integer() || a.is_null()) && (b.is_integer() || b.is_null()) => DataType::Int64,
        (a, b) => {
            return Err(PolarsError::InvalidOperation(
                format!("{a} % {b} is not exact; use integers or decimals").into(),
            ));
        }
    })
}

/// The remainder with the sign of the dividend, as SQL has it. Division by zero is an error.
pub(super) fn remainder([left, right]: [&Column; 2]) -> PolarsResult<Column> {
    let dtype = remainder_type(&[left.dtype().clone(), right.dtype().clone()])?;
    let (left, right) = (left.strict_cast(&dtype)?, right.strict_cast(&dtype)?);
    if let DataType::Decimal(digits, places) = dtype {
        let divide = |a: Option<i128>, b: Option<i128>| match (a, b) {
            (_, Some(0)) => Err(by_zero()),
            (Some(a), Some(b)) => Ok(Some(a.wrapping_rem(b))),
            _ => Ok(None),
        };
        let rest: ChunkedArray<Int128Type> =
            broadcast_try_binary_elementwise(left.decimal()?.physical(), right.decimal()?.physical(), divide)?;
        return Ok(rest.into_decimal_unchecked(digits, places).into_column());
    }
    let divide = |a: Option<i64>, b: Option<i64>| match (a, b) {
        (_, Some(0)) => Err(by_zero()),
        (Some(a), Some(b)) => Ok(Some(a.wrapping_rem(b))),
        _ => Ok(None),
    };
    let rest: ChunkedArray<Int64Type> = broadcast_try_binary_elementwise(left.i64()?, right.i64()?, divide)?;
    Ok(rest.into_column())
}

fn by_zero() -> PolarsError {
    PolarsError::ComputeError("division by zero; write NULLIF(divisor, 0)".into())
}
