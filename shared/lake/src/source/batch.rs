//! Builds the frames that readers hand out.

use polars::error::PolarsResult;
use polars::prelude::{
    Column, DataFrame, DataType, Int64Chunked, IntoColumn, NewChunkedArray, PlSmallStr, StringChunkedBuilder,
};

use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW};

use super::error::CorruptRecord;

/// Some records of one object, in their order.
#[derive(Debug)]
pub(crate) struct SourceBatch {
    /// The source columns as `String`, then `_source_row` (`Int64`, number of the record from 1), `_corrupt_record`
    /// (`String`, raw text of a record that could not be split into columns) and `_corrupt_reason` (`String`, its place
    /// and what is wrong with it); the last two are null for good records.
    pub(crate) frame: DataFrame,
}

impl SourceBatch {
    /// A batch of `rows` records, the first of which has the number `first_row`.
    ///
    /// `corrupt`: the corrupt records by their index in the batch, ascending.
    pub(super) fn new(
        mut columns: Vec<Column>,
        rows: usize,
        first_row: u64,
        corrupt: &[CorruptRecord],
    ) -> PolarsResult<Self> {
        let numbers = (first_row..).take(rows).map(|row| i64::try_from(row).unwrap_or(i64::MAX));
        columns.push(Int64Chunked::from_iter_values(SOURCE_ROW.into(), numbers).into_column());
        columns.push(corrupt_column(CORRUPT_RECORD, rows, corrupt, |record| record.raw.clone()));
        columns.push(corrupt_column(CORRUPT_REASON, rows, corrupt, |record| record.explain(first_row)));
        Ok(Self { frame: DataFrame::new(rows, columns)? })
    }
}

fn corrupt_column(
    name: &'static str,
    rows: usize,
    corrupt: &[CorruptRecord],
    text: impl Fn(&CorruptRecord) -> String,
) -> Column {
    let name = PlSmallStr::from_static(name);
    if corrupt.is_empty() {
        return Column::full_null(name, rows, &DataType::String);
    }
    let mut builder = StringChunkedBuilder::new(name, rows);
    let mut corrupt = corrupt.iter().peekable();
    for row in 0..rows {
        match corrupt.next_if(|record| record.index == row) {
            Some(record) => builder.append_value(text(record)),
            None => builder.append_null(),
        }
    }
    builder.finish().into_column()
}
