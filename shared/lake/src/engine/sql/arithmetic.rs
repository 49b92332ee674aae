//! Exact arithmetic: what Polars rounds, wraps around or turns into doubles.

use polars::prelude::arity::broadcast_try_binary_elementwise;
use polars::prelude::{
    ChunkedArray, Column, DataType, Float64Type, Int64Type, Int128Type, IntoColumn, PolarsError, PolarsResult,
};

use super::arguments::wrong_arguments;
use super::fit::fitted;
use super::numbers::{MAX_DIGITS, doubles, is_number, places};

/// Fewest digits after the point of a decimal quotient.
const LEAST_QUOTIENT_PLACES: usize = 6;
/// Most digits after the point of a decimal quotient, as Spark has them.
const MOST_QUOTIENT_PLACES: usize = 18;
/// Most digits before the point of a decimal divisor and quotient, as Spark has them. With the places above they fill
/// a decimal.
const MOST_QUOTIENT_DIGITS: usize = 20;

/// An operation of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// `a + b`.
    Sum,
    /// `a - b`.
    Difference,
    /// `a * b`.
    Product,
    /// `a / b`.
    Quotient,
    /// `a % b`, with the sign of `a`.
    Remainder,
}

impl Operation {
    /// What it is in messages.
    fn noun(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Difference => "difference",
            Self::Product => "product",
            Self::Quotient => "quotient",
            Self::Remainder => "remainder",
        }
    }
}

/// The type of a result: whole numbers are 64 bits wide and decimals have 38 digits.
pub(super) fn operation_type(operation: Operation, types: &[DataType]) -> PolarsResult<DataType> {
    let [left, right] = types else { return Err(wrong_arguments(2)) };
    let (left, right) = (left.clone().materialize_unknown(true)?, right.clone().materialize_unknown(true)?);
    let noun = operation.noun();
    let refuse = |message: String| Err(PolarsError::InvalidOperation(message.into()));
    if !is_number(&left) || !is_number(&right) {
        return refuse(format!("there is no {noun} of {left} and {right}; use numbers, and DATEDIFF for days"));
    }
    let decimal = left.is_decimal() || right.is_decimal();
    match (places(&left), places(&right)) {
        (Some(a), Some(b)) if decimal => {
            let (kept, most) = match operation {
                Operation::Product => (a + b, MAX_DIGITS),
                Operation::Quotient => (a.max(b).max(LEAST_QUOTIENT_PLACES), MOST_QUOTIENT_PLACES),
                _ => (a.max(b), MAX_DIGITS),
            };
            if kept > most {
                return refuse(format!("a {noun} of decimals with {a} and {b} places has more than {most}; round one"));
            }
            Ok(DataType::Decimal(MAX_DIGITS, kept))
        }
        (Some(_), Some(_)) if operation != Operation::Quotient => Ok(DataType::Int64),
        _ if operation == Operation::Remainder => {
            refuse(format!("a remainder of {left} and {right} is not exact; use integers or decimals"))
        }
        _ => Ok(DataType::Float64),
    }
}

/// The exact result row by row, null where an operand is null. What leaves 64 bits or 38 digits is an error, and so is
/// a division by zero.
pub(super) fn operate(operation: Operation, [left, right]: [&Column; 2]) -> PolarsResult<Column> {
    match operation_type(operation, &[left.dtype().clone(), right.dtype().clone()])? {
        DataType::Int64 => whole(operation, left, right),
        DataType::Decimal(_, kept) => decimal(operation, left, right, kept),
        _ => {
            let (left, right) = (doubles(left)?, doubles(right)?);
            match operation {
                Operation::Sum => &left + &right,
                Operation::Difference => &left - &right,
                Operation::Product => &left * &right,
                Operation::Quotient | Operation::Remainder => quotients(&left, &right),
            }
        }
    }
}

fn whole(operation: Operation, left: &Column, right: &Column) -> PolarsResult<Column> {
    let (left, right) = (left.strict_cast(&DataType::Int64)?, right.strict_cast(&DataType::Int64)?);
    let compute = |a: Option<i64>, b: Option<i64>| {
        let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
        let result = match operation {
            Operation::Sum => a.checked_add(b),
            Operation::Difference => a.checked_sub(b),
            Operation::Product => a.checked_mul(b),
            Operation::Quotient | Operation::Remainder if b == 0 => return Err(by_zero()),
            Operation::Quotient => a.checked_div(b),
            Operation::Remainder => Some(a.wrapping_rem(b)),
        };
        result.map(Some).ok_or_else(|| {
            let noun = operation.noun();
            PolarsError::ComputeError(format!("overflow: the {noun} of {a} and {b} leaves 64 bits").into())
        })
    };
    let results: ChunkedArray<Int64Type> = broadcast_try_binary_elementwise(left.i64()?, right.i64()?, compute)?;
    Ok(results.into_column())
}

fn decimal(operation: Operation, left: &Column, right: &Column, kept: usize) -> PolarsResult<Column> {
    // A product is exact with the places of each factor; everything else wants the same places on both sides.
    let units = |side: &Column| {
        let own = if operation == Operation::Product { places(side.dtype()).unwrap_or(kept) } else { kept };
        fitted(side, &DataType::Decimal(MAX_DIGITS, own))
    };
    let (left, right) = (units(left)?, units(right)?);
    let compute = |a: Option<i128>, b: Option<i128>| {
        let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
        let result = match operation {
            Operation::Sum => a.checked_add(b),
            Operation::Difference => a.checked_sub(b),
            Operation::Product => a.checked_mul(b),
            Operation::Quotient | Operation::Remainder if b == 0 => return Err(by_zero()),
            Operation::Quotient => divided(a, b, kept),
            Operation::Remainder => Some(a.wrapping_rem(b)),
        };
        result.map(Some).ok_or_else(|| {
            let (noun, digits) = match operation {
                Operation::Quotient => ("quotient or its divisor", MOST_QUOTIENT_DIGITS + kept),
                other => (other.noun(), MAX_DIGITS),
            };
            PolarsError::ComputeError(format!("overflow: a decimal {noun} has more than {digits} digits").into())
        })
    };
    let (a, b) = (left.decimal()?, right.decimal()?);
    let results: ChunkedArray<Int128Type> = broadcast_try_binary_elementwise(a.physical(), b.physical(), compute)?;
    let results = results.into_decimal(MAX_DIGITS, kept).map_err(|_| {
        let noun = operation.noun();
        PolarsError::ComputeError(format!("overflow: a decimal {noun} has more than {MAX_DIGITS} digits").into())
    })?;
    Ok(results.into_column())
}

/// The quotient of two numbers in units of 10^-`places`, in the same units, rounded half away from zero; `None` where
/// the divisor or the quotient has more digits before the point than Spark has room for.
fn divided(dividend: i128, divisor: i128, places: usize) -> Option<i128> {
    let limit = 10_u128.checked_pow(u32::try_from(MOST_QUOTIENT_DIGITS + places).ok()?)?;
    let (a, b) = (dividend.unsigned_abs(), divisor.unsigned_abs());
    if b >= limit {
        return None;
    }
    let unit = 10_u128.checked_pow(u32::try_from(places).ok()?)?;
    let (whole, rest) = match a.checked_mul(unit) {
        Some(scaled) => (scaled / b, scaled % b),
        None => long_division(a, b, places)?,
    };
    let rounded = if rest >= b - rest { whole.checked_add(1)? } else { whole };
    let magnitude = i128::try_from(rounded).ok().filter(|_| rounded < limit)?;
    Some(if (dividend < 0) == (divisor < 0) { magnitude } else { -magnitude })
}

/// `a * 10^places / b` and its rest, digit by digit, where the dividend does not fit 128 bits. `b` is at most 10^38, so
/// that twice of it does.
fn long_division(a: u128, b: u128, places: usize) -> Option<(u128, u128)> {
    let (mut whole, mut rest) = (a / b, a % b);
    for _ in 0..places {
        whole = whole.checked_mul(10)?;
        let mut tenfold = 0_u128;
        for _ in 0..10 {
            tenfold += rest;
            if tenfold >= b {
                tenfold -= b;
                whole = whole.checked_add(1)?;
            }
        }
        rest = tenfold;
    }
    Some((whole, rest))
}

/// Quotients of doubles. Polars multiplies by the reciprocal where the divisor is a constant, and so is a digit off now and
/// then.
fn quotients(left: &Column, right: &Column) -> PolarsResult<Column> {
    let divide = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(_), Some(0.0)) => Err(by_zero()),
        (Some(dividend), Some(divisor)) => Ok(Some(dividend / divisor)),
        _ => Ok(None),
    };
    let quotients: ChunkedArray<Float64Type> = broadcast_try_binary_elementwise(left.f64()?, right.f64()?, divide)?;
    Ok(quotients.into_column())
}

fn by_zero() -> PolarsError {
    PolarsError::ComputeError("division by zero; write NULLIF(divisor, 0)".into())
}

/// The type of `-x`.
pub(super) fn negation_type(types: &[DataType]) -> PolarsResult<DataType> {
    let [number] = types else { return Err(wrong_arguments(1)) };
    operation_type(Operation::Difference, &[number.clone(), number.clone()])
}

/// `-x`; whole numbers are 64 bits wide.
pub(super) fn negation(number: &Column) -> PolarsResult<Column> {
    match negation_type(&[number.dtype().clone()])? {
        // From minus zero, so that the opposite of a zero is one with the other sign, as everywhere with doubles.
        DataType::Float64 => &Column::new(number.name().clone(), [-0.0_f64]) - &doubles(number)?,
        _ => operate(Operation::Difference, [&Column::new(number.name().clone(), [0_i32]), number]),
    }
}
