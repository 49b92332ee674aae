//! The functions that the portable subset has and Polars SQL lacks, or has with another meaning.

use polars::lazy::dsl::BaseColumnUdf;
use polars::lazy::dsl::udf::UserDefinedFunction;
use polars::prelude::{Column, DataType, Field, PlSmallStr, PolarsError, PolarsResult};
use polars::sql::{FunctionOptions, FunctionRegistry};
use sluice_core::sql::{DATEDIFF_FUNCTION, round_decimals_range, round_function};

use super::arguments::wrong_arguments;
use super::arithmetic::{Operation, negation, negation_type, operate, operation_type};
use super::calendar::{datediff, datediff_type, day_type, instant_type, to_day, to_instant};
use super::conversion::{Target, converted, converted_type};
use super::numbers::{
    Whole, magnitude, magnitude_type, roomy, roomy_type, rounded, rounded_type, sign, sign_type, total, total_type,
    whole, whole_type, widened, widened_type,
};
use super::text::{End, Trimmed, end, part, replaced, text_type, trimmed};

/// Name of the exact sum; `dialect` writes it for `+`.
pub(super) const SUM: &str = "exact_sum";
/// Name of the exact difference; `dialect` writes it for `-` of two numbers.
pub(super) const DIFFERENCE: &str = "exact_difference";
/// Name of the opposite number; `dialect` writes it for `-` before one.
pub(super) const NEGATION: &str = "exact_negation";
/// Name of the exact product; `dialect` writes it for `*`.
pub(super) const PRODUCT: &str = "exact_product";
/// Name of the quotient; `dialect` writes it for `/`.
pub(super) const QUOTIENT: &str = "exact_quotient";
/// Name of the remainder; `dialect` writes it for `%`.
pub(super) const REMAINDER: &str = "exact_remainder";
/// Name of the function that makes room for sums; `dialect` writes it inside `SUM`.
pub(super) const WIDEN: &str = "widened";
/// Name of the function that gives decimals all digits; `dialect` writes it around values that are brought to one type.
pub(super) const ROOM: &str = "all_digits";
/// Name of the function that checks a sum; `dialect` writes it around `SUM`.
pub(super) const TOTAL: &str = "checked_total";
/// Name of the conversion to days; `dialect` writes it for `CAST(… AS DATE)` and `DATE '…'`.
pub(super) const DAY: &str = "to_day";
/// Name of the conversion to instants; `dialect` writes it for `CAST(… AS TIMESTAMP)` and `TIMESTAMP '…'`.
pub(super) const INSTANT: &str = "to_instant";
/// Name of the part of a text; `dialect` writes it for `SUBSTR`.
pub(super) const PART: &str = "text_part";
/// Name of `TRIM`, which the parser has a form of its own for.
pub(super) const TRIM: &str = "text_trim";
/// Name of `LTRIM`.
pub(super) const TRIM_LEFT: &str = "text_trim_left";
/// Name of `RTRIM`.
pub(super) const TRIM_RIGHT: &str = "text_trim_right";
/// Functions of the subset with another meaning in Polars, each with its name here.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("abs", "exact_abs"),
    ("ceil", CEIL),
    ("floor", FLOOR),
    ("left", "text_left"),
    ("ltrim", TRIM_LEFT),
    ("replace", "text_replace"),
    ("right", "text_right"),
    ("rtrim", TRIM_RIGHT),
    ("sign", "exact_sign"),
];
/// Name of `CEIL`, which the parser has a form of its own for.
pub(super) const CEIL: &str = "whole_ceil";
/// Name of `FLOOR`, which the parser has a form of its own for.
pub(super) const FLOOR: &str = "whole_floor";

/// Every function, for Polars' SQL.
pub(super) struct Functions;

impl FunctionRegistry for Functions {
    fn register(&mut self, name: &str, _: UserDefinedFunction) -> PolarsResult<()> {
        Err(PolarsError::SQLInterface(format!("function {name} is not ours to add").into()))
    }

    fn get_udf(&self, name: &str) -> PolarsResult<Option<UserDefinedFunction>> {
        Ok(function(name))
    }

    fn contains(&self, name: &str) -> bool {
        function(name).is_some()
    }
}

fn function(name: &str) -> Option<UserDefinedFunction> {
    let operation = match name {
        SUM => Some(Operation::Sum),
        DIFFERENCE => Some(Operation::Difference),
        PRODUCT => Some(Operation::Product),
        QUOTIENT => Some(Operation::Quotient),
        REMAINDER => Some(Operation::Remainder),
        _ => None,
    };
    if let Some(operation) = operation {
        let dtype = move |types: &[DataType]| operation_type(operation, types);
        return Some(elementwise(name, dtype, move |columns| operate(operation, two(columns)?)));
    }
    if let Some(target) = Target::of(name) {
        let dtype = move |types: &[DataType]| converted_type(target, types);
        return Some(elementwise(name, dtype, move |columns| converted(target, one(columns)?)));
    }
    if let Some(decimals) = round_decimals_range().find(|decimals| round_function(*decimals) == name) {
        let dtype = move |types: &[DataType]| rounded_type(types, decimals);
        return Some(elementwise(name, dtype, move |columns| rounded(one(columns)?, decimals)));
    }
    Some(match name {
        NEGATION => elementwise(name, negation_type, |columns| negation(one(columns)?)),
        WIDEN => elementwise(name, widened_type, |columns| widened(one(columns)?)),
        ROOM => elementwise(name, roomy_type, |columns| roomy(one(columns)?)),
        TOTAL => elementwise(name, total_type, |columns| total(one(columns)?)),
        DAY => elementwise(name, day_type, |columns| to_day(one(columns)?)),
        INSTANT => elementwise(name, instant_type, |columns| to_instant(one(columns)?)),
        DATEDIFF_FUNCTION => elementwise(name, datediff_type, |columns| datediff(two(columns)?)),
        CEIL => elementwise(name, whole_type, |columns| whole(one(columns)?, Whole::Ceil)),
        FLOOR => elementwise(name, whole_type, |columns| whole(one(columns)?, Whole::Floor)),
        "exact_abs" => elementwise(name, magnitude_type, |columns| magnitude(one(columns)?)),
        "exact_sign" => elementwise(name, sign_type, |columns| sign(one(columns)?)),
        "text_left" => elementwise(name, |types| text_type(types, 1), |columns| end(two(columns)?, End::Left)),
        "text_right" => elementwise(name, |types| text_type(types, 1), |columns| end(two(columns)?, End::Right)),
        TRIM => elementwise(name, |types| text_type(types, 1), |columns| trimmed(one(columns)?, Trimmed::Both)),
        TRIM_LEFT => elementwise(name, |types| text_type(types, 1), |columns| trimmed(one(columns)?, Trimmed::Left)),
        TRIM_RIGHT => elementwise(name, |types| text_type(types, 1), |columns| trimmed(one(columns)?, Trimmed::Right)),
        PART => elementwise(name, |types| text_type(types, 1), part),
        "text_replace" => elementwise(name, |types| text_type(types, 3), replaced),
        _ => return None,
    })
}

/// A function of rows, so that the streaming engine runs it batch by batch.
fn elementwise(
    name: &str,
    dtype: impl Fn(&[DataType]) -> PolarsResult<DataType> + Send + Sync + 'static,
    function: impl Fn(&[Column]) -> PolarsResult<Column> + Send + Sync + 'static,
) -> UserDefinedFunction {
    let field = move |_: &polars::prelude::Schema, fields: &[Field]| {
        let types: Vec<DataType> = fields.iter().map(|field| field.dtype().clone()).collect();
        let name = fields.first().map(|field| field.name().clone()).unwrap_or_default();
        Ok(Field::new(name, dtype(&types)?.materialize_unknown(true)?))
    };
    let call = move |columns: &mut [Column]| function(columns);
    let mut defined = UserDefinedFunction::new(PlSmallStr::from(name), BaseColumnUdf::new(call, field));
    defined.options = FunctionOptions::elementwise();
    defined
}

fn one(columns: &[Column]) -> PolarsResult<&Column> {
    match columns {
        [only] => Ok(only),
        _ => Err(wrong_arguments(1)),
    }
}

fn two(columns: &[Column]) -> PolarsResult<[&Column; 2]> {
    match columns {
        [a, b] => Ok([a, b]),
        _ => Err(wrong_arguments(2)),
    }
}
