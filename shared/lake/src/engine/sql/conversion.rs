//! `CAST` to numbers and truth values: text by the strict grammar of source columns, numbers by value.

use polars::prelude::arity::{try_unary_elementwise, unary_elementwise};
use polars::prelude::{
    BooleanType, ChunkedArray, Column, DataType, Float64Type, Int32Type, Int64Type, Int128Type, IntoColumn,
    PolarsError, PolarsResult,
};

use super::arguments::first;
use super::conform::sql_name;
use super::fit::{as_decimals, fitted, misfit};
use super::numbers::{double_units, doubles, half_away, power_of_ten};
use crate::engine::cast::numbers;

/// The type that `CAST` was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// `INT`.
    Int,
    /// `BIGINT`.
    BigInt,
    /// `DOUBLE`.
    Double,
    /// `BOOLEAN`.
    Boolean,
    /// `DECIMAL(precision, scale)`.
    Decimal {
        /// Digits.
        precision: usize,
        /// Those after the point.
        scale: usize,
    },
}

impl Target {
    /// The name of the function that converts to it.
    pub(super) fn function(self) -> String {
        match self {
            Self::Int => "to_int".to_owned(),
            Self::BigInt => "to_bigint".to_owned(),
            Self::Double => "to_double".to_owned(),
            Self::Boolean => "to_boolean".to_owned(),
            Self::Decimal { precision, scale } => format!("to_decimal_{precision}_{scale}"),
        }
    }

    /// The type of the function with this name.
    pub(super) fn of(function: &str) -> Option<Self> {
        match function {
            "to_int" => Some(Self::Int),
            "to_bigint" => Some(Self::BigInt),
            "to_double" => Some(Self::Double),
            "to_boolean" => Some(Self::Boolean),
            _ => {
                let (precision, scale) = function.strip_prefix("to_decimal_")?.split_once('_')?;
                Some(Self::Decimal { precision: precision.parse().ok()?, scale: scale.parse().ok()? })
            }
        }
    }

    fn dtype(self) -> DataType {
        match self {
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Decimal { precision, scale } => DataType::Decimal(precision, scale),
        }
    }
}

pub(super) fn converted_type(target: Target, types: &[DataType]) -> PolarsResult<DataType> {
    let from = first(types)?.clone().materialize_unknown(true)?;
    let known = match target {
        Target::Int | Target::BigInt => from.is_numeric() || from.is_bool(),
        Target::Double | Target::Decimal { .. } => from.is_numeric(),
        Target::Boolean => from.is_bool(),
    };
    if known || from.is_string() || from.is_null() {
        return Ok(target.dtype());
    }
    let message = format!("there is no CAST of {} AS {}", sql_name(&from), sql_name(&target.dtype()));
    Err(PolarsError::InvalidOperation(message.into()))
}

/// The values as a type: decimals half away from zero, doubles by their shortest decimal text, whole numbers without
/// what is after the point. What cannot be read or does not fit is an error.
pub(super) fn converted(target: Target, column: &Column) -> PolarsResult<Column> {
    let dtype = converted_type(target, &[column.dtype().clone()])?;
    match (target, column.dtype()) {
        (_, DataType::String) => read(target, column),
        (_, DataType::Null) => column.strict_cast(&dtype),
        (Target::Double, _) => doubles(column),
        (Target::Decimal { precision, scale }, _) => to_decimal(column, precision, scale),
        (Target::Int | Target::BigInt, DataType::Decimal(_, scale)) => {
            let unit = power_of_ten(*scale)?;
            let whole = |units: Option<i128>| {
                let cut = |units: i128| {
                    let whole = units / unit;
                    i64::try_from(whole).map_err(|_| misfit(Some(whole.to_string()), &dtype))
                };
                units.map(cut).transpose()
            };
            let whole: ChunkedArray<Int64Type> = try_unary_elementwise(column.decimal()?.physical(), whole)?;
            fitted(&whole.into_column(), &dtype)
        }
        _ => fitted(column, &dtype),
    }
}

fn to_decimal(column: &Column, precision: usize, scale: usize) -> PolarsResult<Column> {
    let dtype = DataType::Decimal(precision, scale);
    let own = match column.dtype() {
        DataType::Decimal(_, own) => *own,
        DataType::Float32 | DataType::Float64 => {
            let units = |value: Option<f64>| {
                let units =
                    |value: f64| double_units(value, scale).ok_or_else(|| misfit(Some(format!("{value:?}")), &dtype));
                value.map(units).transpose()
            };
            let doubles = column.cast(&DataType::Float64)?;
            let units: ChunkedArray<Int128Type> = try_unary_elementwise(doubles.f64()?, units)?;
            return as_decimals(units, precision, scale, column);
        }
        _ => return fitted(column, &dtype),
    };
    if own <= scale {
        return fitted(column, &dtype);
    }
    let unit = power_of_ten(own - scale)?;
    let round = |units: Option<i128>| units.map(|units| half_away(units, unit));
    as_decimals(unary_elementwise(column.decimal()?.physical(), round), precision, scale, column)
}

fn read(target: Target, column: &Column) -> PolarsResult<Column> {
    let text = column.str()?;
    let unreadable = |text: &str| {
        let shown: String = text.chars().take(40).collect();
        PolarsError::ComputeError(format!("CAST: '{shown}' is no {}", sql_name(&target.dtype())).into())
    };
    /// Every text by one function; blanks around it are passed over.
    macro_rules! each {
        ($polars:ty, $read:expr) => {{
            let read = |text: Option<&str>| match text {
                Some(text) => $read(text.trim_ascii()).map(Some).ok_or_else(|| unreadable(text)),
                None => Ok(None),
            };
            let values: ChunkedArray<$polars> = try_unary_elementwise(text, read)?;
            values
        }};
    }
    Ok(match target {
        Target::Int => each!(Int32Type, numbers::integer::<i32>).into_column(),
        Target::BigInt => each!(Int64Type, numbers::integer::<i64>).into_column(),
        Target::Double => each!(Float64Type, numbers::double).into_column(),
        Target::Boolean => each!(BooleanType, numbers::boolean).into_column(),
        Target::Decimal { precision, scale } => {
            let digits = u32::try_from(precision).unwrap_or(u32::MAX);
            let units = each!(Int128Type, |text| numbers::decimal(text, digits, scale));
            units.into_decimal_unchecked(precision, scale).into_column()
        }
    })
}
