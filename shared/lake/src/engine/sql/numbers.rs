//! Numbers by themselves: rounding half away from zero, whole numbers, magnitudes, and room for sums.

use polars::prelude::arity::{try_unary_elementwise, unary_elementwise};
use polars::prelude::{
    ChunkedArray, Column, DataType, Float64Type, Int32Type, Int64Type, Int128Type, IntoColumn, PolarsError,
    PolarsResult,
};

use super::arguments::first;
use super::fit::as_decimals;

/// Most digits of a decimal.
pub(super) const MAX_DIGITS: usize = 38;
/// Most digits of a decimal in a sum: the sums of 10^10 of them have 38.
const SUMMED_DIGITS: usize = 28;

/// Whether it is a number, or null.
pub(super) fn is_number(dtype: &DataType) -> bool {
    dtype.is_numeric() || dtype.is_null()
}

/// Digits after the point of an exact number; `None` for doubles and what is no number.
pub(super) fn places(dtype: &DataType) -> Option<usize> {
    match dtype {
        DataType::Decimal(_, scale) => Some(*scale),
        other => (other.is_integer() || other.is_null()).then_some(0),
    }
}

fn number_type(types: &[DataType]) -> PolarsResult<DataType> {
    let dtype = first(types)?.clone().materialize_unknown(true)?;
    if is_number(&dtype) {
        return Ok(dtype);
    }
    Err(PolarsError::InvalidOperation(format!("{dtype} is no number; CAST it").into()))
}

/// The nearest doubles. Polars divides, which is exact only while both numbers are.
pub(super) fn doubles(column: &Column) -> PolarsResult<Column> {
    let DataType::Decimal(_, scale) = column.dtype() else { return column.strict_cast(&DataType::Float64) };
    let exponent = i32::try_from(*scale).unwrap_or(i32::MAX);
    let nearest = |units: Option<i128>| units.map(|units| nearest(units, exponent));
    let doubles: ChunkedArray<Float64Type> = unary_elementwise(column.decimal()?.physical(), nearest);
    Ok(doubles.into_column())
}

/// `units * 10^-places` as the nearest double.
#[expect(clippy::cast_precision_loss, reason = "both numbers are below 2^53, or 10^22, which doubles hold exactly")]
fn nearest(units: i128, places: i32) -> f64 {
    if units.unsigned_abs() < 1 << 53 && places <= 22 {
        return units as f64 / 10_f64.powi(places);
    }
    // A number in this form is always a double.
    format!("{units}e-{places}").parse().unwrap_or(f64::NAN)
}

/// A double as its shortest decimal text has it: digits * 10^exponent.
struct Shortest {
    negative: bool,
    digits: u64,
    exponent: i32,
}

impl Shortest {
    /// `None` for what is no finite number.
    fn of(value: f64) -> Option<Self> {
        let text = format!("{:e}", value.abs());
        let (digits, exponent) = text.split_once('e')?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        Some(Self { negative: value < 0.0, digits: format!("{whole}{fraction}").parse().ok()?, exponent })
    }

    /// In units of 10^-`places`, half away from zero; `None` beyond 128 bits.
    fn units(&self, places: i32) -> Option<i128> {
        let digits = i128::from(self.digits);
        let shift = self.exponent.checked_add(places)?;
        let unit = 10_i128.checked_pow(shift.unsigned_abs());
        let units = match (shift >= 0, unit) {
            _ if digits == 0 => 0,
            (true, unit) => digits.checked_mul(unit?)?,
            (false, Some(unit)) => half_away(digits, unit),
            (false, None) => 0,
        };
        Some(if self.negative { -units } else { units })
    }
}

/// A double in units of 10^-`places`, half away from zero by its shortest decimal text; `None` where that is no number
/// of 128 bits.
pub(super) fn double_units(value: f64, places: usize) -> Option<i128> {
    Shortest::of(value)?.units(i32::try_from(places).ok()?)
}

/// `value / unit`, half away from zero. The unit is positive.
pub(super) fn half_away(value: i128, unit: i128) -> i128 {
    let (whole, rest) = (value / unit, value % unit);
    if rest.abs() >= unit - rest.abs() { whole + value.signum() } else { whole }
}

/// Ten to the places that a decimal gives up.
pub(super) fn power_of_ten(places: usize) -> PolarsResult<i128> {
    let power = u32::try_from(places).ok().and_then(|places| 10_i128.checked_pow(places));
    power.ok_or_else(|| PolarsError::ComputeError(format!("a decimal has no {places} places").into()))
}

pub(super) fn rounded_type(types: &[DataType], decimals: u32) -> PolarsResult<DataType> {
    Ok(match number_type(types)? {
        DataType::Decimal(precision, scale) => DataType::Decimal(precision, scale.min(decimals as usize)),
        other => other,
    })
}

/// Half away from zero; doubles by their shortest decimal text. A decimal keeps no more places than it was rounded to;
/// what is no fraction stays as it is.
pub(super) fn rounded(column: &Column, decimals: u32) -> PolarsResult<Column> {
    match (column.dtype(), rounded_type(&[column.dtype().clone()], decimals)?) {
        (DataType::Decimal(_, own), DataType::Decimal(precision, scale)) if scale < *own => {
            let unit = power_of_ten(own - scale)?;
            let round = |units: Option<i128>| units.map(|units| half_away(units, unit));
            let rounded: ChunkedArray<Int128Type> = unary_elementwise(column.decimal()?.physical(), round);
            as_decimals(rounded, precision, scale, column)
        }
        (DataType::Float32 | DataType::Float64, _) => {
            let round = |value: Option<f64>| value.map(|value| round_double(value, decimals));
            let doubles = column.cast(&DataType::Float64)?;
            let rounded: ChunkedArray<Float64Type> = unary_elementwise(doubles.f64()?, round);
            Ok(rounded.into_column())
        }
        _ => Ok(column.clone()),
    }
}

/// Half away from zero on the shortest decimal text that reads back as the number, to at most so many places.
pub(in crate::engine) fn round_double(value: f64, decimals: u32) -> f64 {
    let places = i32::try_from(decimals).unwrap_or(i32::MAX);
    match Shortest::of(value) {
        Some(shortest) if shortest.exponent < -places => match shortest.units(places) {
            Some(units) => nearest(units, places),
            None => value,
        },
        // Zero has no sign here, as in Spark.
        _ => value + 0.0,
    }
}

/// `CEIL` or `FLOOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// The least whole number that is not below.
    Ceil,
    /// The greatest whole number that is not above.
    Floor,
}

pub(super) fn whole_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match number_type(types)? {
        DataType::Decimal(..) => DataType::Decimal(MAX_DIGITS, 0),
        other => other,
    })
}

/// `CEIL` and `FLOOR`: doubles stay doubles, decimals lose their places.
pub(super) fn whole(column: &Column, towards: Whole) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::Decimal(_, scale) => {
            let unit = power_of_ten(*scale)?;
            let cut = |units: i128| match towards {
                Whole::Floor => units.div_euclid(unit),
                Whole::Ceil => -(-units).div_euclid(unit),
            };
            let cut: ChunkedArray<Int128Type> =
                unary_elementwise(column.decimal()?.physical(), |units: Option<i128>| units.map(cut));
            Ok(cut.into_decimal(MAX_DIGITS, 0)?.into_column())
        }
        DataType::Float32 | DataType::Float64 => {
            let cut = |value: f64| match towards {
                Whole::Floor => value.floor() + 0.0,
                Whole::Ceil => value.ceil() + 0.0,
            };
            let doubles = column.cast(&DataType::Float64)?;
            let cut: ChunkedArray<Float64Type> = unary_elementwise(doubles.f64()?, |value: Option<f64>| value.map(cut));
            Ok(cut.into_column())
        }
        _ => Ok(column.clone()),
    }
}

pub(super) fn magnitude_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match number_type(types)? {
        other if other.is_integer() || other.is_null() => DataType::Int64,
        other => other,
    })
}

/// `ABS`, 64 bits wide for whole numbers; an overflow is an error.
pub(super) fn magnitude(column: &Column) -> PolarsResult<Column> {
    match magnitude_type(&[column.dtype().clone()])? {
        DataType::Decimal(precision, scale) => {
            let positive = |units: Option<i128>| units.map(i128::abs);
            let values: ChunkedArray<Int128Type> = unary_elementwise(column.decimal()?.physical(), positive);
            return Ok(values.into_decimal_unchecked(precision, scale).into_column());
        }
        DataType::Int64 => {}
        _ => {
            let doubles = column.cast(&DataType::Float64)?;
            let values: ChunkedArray<Float64Type> =
                unary_elementwise(doubles.f64()?, |value: Option<f64>| value.map(f64::abs));
            return Ok(values.into_column());
        }
    }
    let overflow = || PolarsError::ComputeError("overflow: ABS of the least number of 64 bits".into());
    let positive = |value: Option<i64>| value.map(|value| value.checked_abs().ok_or_else(overflow)).transpose();
    let wide = column.strict_cast(&DataType::Int64)?;
    let values: ChunkedArray<Int64Type> = try_unary_elementwise(wide.i64()?, positive)?;
    Ok(values.into_column())
}

pub(super) fn sign_type(types: &[DataType]) -> PolarsResult<DataType> {
    number_type(types).map(|_| DataType::Int32)
}

/// `SIGN`: -1, 0 or 1.
pub(super) fn sign(column: &Column) -> PolarsResult<Column> {
    let signs: ChunkedArray<Int32Type> = match column.dtype() {
        DataType::Decimal(..) => {
            let sign = |units: i128| i32::from(units > 0) - i32::from(units < 0);
            unary_elementwise(column.decimal()?.physical(), |units: Option<i128>| units.map(sign))
        }
        _ => {
            let sign = |value: f64| i32::from(value > 0.0) - i32::from(value < 0.0);
            unary_elementwise(column.strict_cast(&DataType::Float64)?.f64()?, |value: Option<f64>| value.map(sign))
        }
    };
    Ok(signs.into_column())
}

pub(super) fn widened_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match number_type(types)? {
        DataType::Decimal(_, scale) if scale > SUMMED_DIGITS => {
            let message = format!("a sum of decimals with {scale} places has more than {SUMMED_DIGITS}; round them");
            return Err(PolarsError::InvalidOperation(message.into()));
        }
        DataType::Decimal(_, scale) => DataType::Decimal(MAX_DIGITS, scale),
        DataType::Int64 | DataType::UInt64 => DataType::Int128,
        other if other.is_integer() || other.is_null() => DataType::Int64,
        _ => DataType::Float64,
    })
}

/// The same numbers with room for sums, which Polars does not check: 128 bits for those of 64, and decimals that are
/// short enough. Sums of 32-bit integers have room in 64 bits.
pub(super) fn widened(column: &Column) -> PolarsResult<Column> {
    match widened_type(&[column.dtype().clone()])? {
        DataType::Decimal(digits, scale) => {
            let units = column.decimal()?.physical();
            let short = units.clone().into_decimal(SUMMED_DIGITS, scale).map_err(|_| {
                PolarsError::ComputeError(format!("a sum takes decimals of at most {SUMMED_DIGITS} digits").into())
            })?;
            Ok(short.physical().clone().into_decimal_unchecked(digits, scale).into_column())
        }
        wide => column.strict_cast(&wide),
    }
}

pub(super) fn roomy_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match first(types)? {
        DataType::Decimal(_, scale) => DataType::Decimal(MAX_DIGITS, *scale),
        other => other.clone(),
    })
}

/// The same values; decimals with all the digits that one can have, so that the type they have in common with others has them, too.
pub(super) fn roomy(column: &Column) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::Decimal(_, scale) => {
            Ok(column.decimal()?.physical().clone().into_decimal_unchecked(MAX_DIGITS, *scale).into_column())
        }
        _ => Ok(column.clone()),
    }
}

pub(super) fn total_type(types: &[DataType]) -> PolarsResult<DataType> {
    Ok(match first(types)? {
        DataType::Int128 => DataType::Int64,
        other => other.clone(),
    })
}

/// A sum of widened numbers; one of whole numbers that leaves 64 bits is an error.
pub(super) fn total(column: &Column) -> PolarsResult<Column> {
    if *column.dtype() != DataType::Int128 {
        return Ok(column.clone());
    }
    let narrow = |sum: Option<i128>| {
        let overflow = |sum: i128| PolarsError::ComputeError(format!("overflow: the sum {sum} leaves 64 bits").into());
        sum.map(|sum| i64::try_from(sum).map_err(|_| overflow(sum))).transpose()
    };
    let sums: ChunkedArray<Int64Type> = try_unary_elementwise(column.i128()?, narrow)?;
    Ok(sums.into_column())
}
