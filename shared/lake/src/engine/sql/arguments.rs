//! What every function of ours says of a call with the wrong number of arguments.

use polars::prelude::{DataType, PolarsError, PolarsResult};

pub(super) fn first(types: &[DataType]) -> PolarsResult<&DataType> {
    types.first().ok_or_else(|| wrong_arguments(1))
}

pub(super) fn wrong_arguments(expected: usize) -> PolarsError {
    PolarsError::SQLInterface(format!("the function takes {expected} argument(s)").into())
}
