//! The functions that the portable subset has and Polars SQL lacks, or has with another meaning.

use polars::lazy::dsl::BaseColumnUdf;
use polars::lazy::dsl::udf::UserDefinedFunction;
use polars::prelude::{Column, DataType, Field, PlSmallStr, PolarsError, PolarsResult};
use polars::sql::{FunctionOptions, FunctionRegistry};
use sluice_core::sql::{DATEDIFF_FUNCTION, round_decimals_range, round_function};

use super::arithmetic::{
    product, product_type, quotient, quotient_type, remainder, remainder_type, rounded, rounded_type, widened,
    widened_type,
};
use super::calendar::{datediff, datediff_type, day_type, instant_type, to_day, to_instant};

/// Name of the exact product; `dialect` writes it for `*`.
pub(super) const PRODUCT: &str = "exact_product";
/// Name of the quotient; `dialect` writes it for `/`.
pub(super) const QUOTIENT: &str = "exact_quotient";
/// Name of the function that makes room for sums; `dialect` writes it inside `SUM`.
pub(super) const WIDEN: &str = "widened";

/// Name of the remainder; `dialect` writes it for `%`.
pub(super) const REMAINDER: &str = "exact_remainder";
/// Name of the conversion to days; `dialect` writes it for `CAST(… AS DATE)` and `DATE '…'`.
pub(super) const DAY: &str = "to_day";
/// Name of the conversion to instants; `dialect` writes it for `CAST(… AS TIMESTAMP)` and `TIMESTAMP '…'`.
pub(super) const INSTANT: &str = "to_instant";

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
    match name {
        PRODUCT => Some(elementwise(name, product_type, |columns| product(two(columns)?))),
        QUOTIENT => Some(elementwise(name, quotient_type, |columns| quotient(two(columns)?))),
        REMAINDER => Some(elementwise(name, remainder_type, |columns| remainder(two(columns)?))),
        DAY => Some(elementwise(name, day_type, |columns| to_day(one(columns)?))),
        INSTANT => Some(elementwise(name, instant_type, |columns| to_instant(one(columns)?))),
        WIDEN => Some(elementwise(name, widened_type, |columns| widened(one(columns)?))),
        DATEDIFF_FUNCTION => Some(elementwise(name, datediff_type, |columns| datediff(two(columns)?))),
        _ => {
            let decimals = round_decimals_range().find(|decimals| round_function(*decimals) == name)?;
            let dtype = move |types: &[DataType]| Ok(rounded_type(first(types)?, decimals));
            Some(elementwise(name, dtype, move |columns| rounded(one(columns)?, decimals)))
        }
    }
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

pub(super) fn first(types: &[DataType]) -> PolarsResult<&DataType> {
    types.first().ok_or_else(|| wrong_arguments(1))
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

pub(super) fn wrong_arguments(expected: usize) -> PolarsError {
    PolarsError::SQLInterface(format!("the function takes {expected} argument(s)").into())
}
