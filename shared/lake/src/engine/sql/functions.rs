//! The functions that the portable subset has and Polars SQL lacks, or has with another meaning.

use std::sync::Arc;

use polars::lazy::dsl::BaseColumnUdf;
use polars::lazy::dsl::udf::UserDefinedFunction;
use polars::prelude::{Column, DataType, Field, PlSmallStr, PolarsError, PolarsResult};
use polars::sql::{FunctionOptions, FunctionRegistry};
use sluice_core::sql::{DATEDIFF_FUNCTION, round_decimals_range, round_function};

use super::arguments::wrong_arguments;
use super::arithmetic::{Operation, negation, negation_type, operate, operation_type};
use super::calendar::{datediff, datediff_type, day_type, instant_type, to_day, to_instant};
use super::conversion::{Target, converted, converted_type};
use super::extremes::{Kept, extreme, extreme_type, from_ordinal, from_ordinal_type, ordinal, ordinal_type};
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
/// Name of the function that gives doubles their places in order; `dialect` writes it inside `MAX`.
pub(super) const ORDINAL: &str = "ordinal";
/// Name of the function that gives the doubles of places; `dialect` writes it around `MAX`.
pub(super) const FROM_ORDINAL: &str = "from_ordinal";
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
    ("greatest", "exact_greatest"),
    ("least", "exact_least"),
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

/// Before the name of a function: null for each row that it fails for.
pub(super) const LENIENT: &str = "try_";
/// Before the name of a function: why it fails, for each row that it fails for; null for all others.
const REASON: &str = "why_";
/// Name of the function that gives its first argument, or fails with its second where that is not null.
pub(super) const CHECKED: &str = "checked_value";
/// Functions that have a result for all values of their types.
const NEVER_FAIL: &[&str] = &[FROM_ORDINAL, ORDINAL, ROOM, TRIM, TRIM_LEFT, TRIM_RIGHT, "exact_sign", "text_replace"];
/// Longest reason shown, in characters.
const MOST_REASON_CHARACTERS: usize = 200;

/// Every function, for Polars' SQL. Each has three names: its own fails the statement with its first failing row,
/// [`lenient`] and [`reason`] answer for each row.
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

/// The name of the function that answers null where this one fails; `None` for a function that is not ours.
pub(super) fn lenient(name: &str) -> Option<String> {
    definition(name).map(|_| format!("{LENIENT}{name}"))
}

/// The name of the function that says why this one fails; `None` for a function that never does, or is not ours.
pub(super) fn reason(name: &str) -> Option<String> {
    let fails = !NEVER_FAIL.contains(&name) && definition(name).is_some();
    fails.then(|| format!("{REASON}{name}"))
}

fn function(name: &str) -> Option<UserDefinedFunction> {
    if name == CHECKED {
        let first = |types: &[DataType]| types.first().cloned().ok_or_else(|| wrong_arguments(2));
        return Some(elementwise(name, first, |columns| checked(two(columns)?)));
    }
    if let Some(own) = name.strip_prefix(LENIENT) {
        let Definition { dtype, compute } = definition(own)?;
        let result = Arc::clone(&dtype);
        let value = move |columns: &[Column]| {
            let types: Vec<DataType> = columns.iter().map(|column| column.dtype().clone()).collect();
            let missing = Column::full_null("".into(), 1, &(*result)(&types)?);
            each_row(columns, &*compute, &|outcome, _| Ok(outcome.unwrap_or_else(|_| missing.clone())))
        };
        return Some(elementwise(name, move |types| (*dtype)(types), value));
    }
    if let Some(own) = name.strip_prefix(REASON) {
        let Definition { dtype, compute } = definition(own)?;
        let reasons = move |columns: &[Column]| {
            each_row(columns, &*compute, &|outcome, rows| {
                Ok(match outcome {
                    Ok(_) => Column::full_null("".into(), rows, &DataType::String),
                    Err(error) => Column::new("".into(), [shown(&error)]),
                })
            })
        };
        return Some(elementwise(name, move |types| (*dtype)(types).map(|_| DataType::String), reasons));
    }
    let Definition { dtype, compute } = definition(name)?;
    Some(elementwise(name, move |types| (*dtype)(types), move |columns| (*compute)(columns)))
}

/// Computes rows together; where that fails, each half by itself, down to the rows that fail alone. `outcome` turns what
/// a number of rows gave into as many values.
///
/// Takes about twice the logarithm of the number of rows in calls for each failing row.
fn each_row(
    columns: &[Column],
    compute: &dyn Fn(&[Column]) -> PolarsResult<Column>,
    outcome: &dyn Fn(PolarsResult<Column>, usize) -> PolarsResult<Column>,
) -> PolarsResult<Column> {
    let rows = columns.iter().map(Column::len).find(|rows| *rows != 1).unwrap_or(1);
    let computed = compute(columns);
    if computed.is_ok() || rows <= 1 {
        return outcome(computed, rows);
    }
    let half = |offset: usize, length: usize| -> PolarsResult<Column> {
        let part = |column: &Column| match column.len() {
            1 => column.clone(),
            _ => column.slice(i64::try_from(offset).unwrap_or(i64::MAX), length),
        };
        let parts: Vec<Column> = columns.iter().map(part).collect();
        each_row(&parts, compute, outcome)
    };
    let mut all = half(0, rows / 2)?;
    all.append(&half(rows / 2, rows - rows / 2)?)?;
    Ok(all.rechunk())
}

/// What an error says, without the hints of the engine that follow.
fn shown(error: &PolarsError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().chars().take(MOST_REASON_CHARACTERS).collect()
}

fn checked([value, reason]: [&Column; 2]) -> PolarsResult<Column> {
    let reasons = reason.cast(&DataType::String)?;
    match reasons.str()?.iter().flatten().next() {
        Some(reason) => Err(PolarsError::ComputeError(reason.to_owned().into())),
        None => Ok(value.clone()),
    }
}

/// What a function makes of its arguments.
type Computation<A, R> = Arc<dyn Fn(&[A]) -> PolarsResult<R> + Send + Sync>;

/// A function of ours: the type of its result by those of its arguments, and its result.
struct Definition {
    dtype: Computation<DataType, DataType>,
    compute: Computation<Column, Column>,
}

fn defined(
    dtype: impl Fn(&[DataType]) -> PolarsResult<DataType> + Send + Sync + 'static,
    compute: impl Fn(&[Column]) -> PolarsResult<Column> + Send + Sync + 'static,
) -> Definition {
    Definition { dtype: Arc::new(dtype), compute: Arc::new(compute) }
}

fn definition(name: &str) -> Option<Definition> {
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
        return Some(defined(dtype, move |columns| operate(operation, two(columns)?)));
    }
    if let Some(target) = Target::of(name) {
        let dtype = move |types: &[DataType]| converted_type(target, types);
        return Some(defined(dtype, move |columns| converted(target, one(columns)?)));
    }
    if let Some(decimals) = round_decimals_range().find(|decimals| round_function(*decimals) == name) {
        let dtype = move |types: &[DataType]| rounded_type(types, decimals);
        return Some(defined(dtype, move |columns| rounded(one(columns)?, decimals)));
    }
    Some(match name {
        NEGATION => defined(negation_type, |columns| negation(one(columns)?)),
        WIDEN => defined(widened_type, |columns| widened(one(columns)?)),
        ROOM => defined(roomy_type, |columns| roomy(one(columns)?)),
        TOTAL => defined(total_type, |columns| total(one(columns)?)),
        ORDINAL => defined(ordinal_type, |columns| ordinal(one(columns)?)),
        FROM_ORDINAL => defined(from_ordinal_type, |columns| from_ordinal(one(columns)?)),
        DAY => defined(day_type, |columns| to_day(one(columns)?)),
        INSTANT => defined(instant_type, |columns| to_instant(one(columns)?)),
        DATEDIFF_FUNCTION => defined(datediff_type, |columns| datediff(two(columns)?)),
        CEIL => defined(whole_type, |columns| whole(one(columns)?, Whole::Ceil)),
        FLOOR => defined(whole_type, |columns| whole(one(columns)?, Whole::Floor)),
        "exact_abs" => defined(magnitude_type, |columns| magnitude(one(columns)?)),
        "exact_greatest" => defined(extreme_type, |columns| extreme(columns, Kept::Greatest)),
        "exact_least" => defined(extreme_type, |columns| extreme(columns, Kept::Least)),
        "exact_sign" => defined(sign_type, |columns| sign(one(columns)?)),
        "text_left" => defined(|types| text_type(types, 1), |columns| end(two(columns)?, End::Left)),
        "text_right" => defined(|types| text_type(types, 1), |columns| end(two(columns)?, End::Right)),
        TRIM => defined(|types| text_type(types, 1), |columns| trimmed(one(columns)?, Trimmed::Both)),
        TRIM_LEFT => defined(|types| text_type(types, 1), |columns| trimmed(one(columns)?, Trimmed::Left)),
        TRIM_RIGHT => defined(|types| text_type(types, 1), |columns| trimmed(one(columns)?, Trimmed::Right)),
        PART => defined(|types| text_type(types, 1), part),
        "text_replace" => defined(|types| text_type(types, 3), replaced),
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
