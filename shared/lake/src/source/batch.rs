//! Builds the frames that readers hand out.

use polars::error::PolarsResult;
use polars::prelude::{
    Column, DataFrame, DataType, Int64Chunked, IntoColumn, NewChunkedArray, PlSmallStr, StringChunkedBuilder,
};

use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW};

use super::corrupt::CorruptRecord;
use super::place::RowPositions;

/// Some records of one object, in their order.
#[derive(Debug)]
pub(crate) struct SourceBatch {
    /// The source columns as `String`, then `_source_row` (`Int64`, number of the record from 1 or the byte at which
    /// it begins), `_corrupt_record` (`String`, raw text of a record that could not be split into columns) and
    /// `_corrupt_reason` (`String`, its place and what is wrong with it); the last two are null for good records.
    pub(crate) frame: DataFrame,
    /// Names in another case under which records have columns of the frame, each when it comes first: records of JSON
    /// may write one key differently.
    pub(crate) other_names: Vec<String>,
}

impl SourceBatch {
    /// A batch of `rows` records, which stand at these positions.
    ///
    /// `corrupt`: the corrupt records by their index in the batch, ascending.
    pub(super) fn new(
        mut columns: Vec<Column>,
        rows: usize,
        positions: &RowPositions,
        corrupt: &[CorruptRecord],
    ) -> PolarsResult<Self> {
        columns.push(position_column(rows, positions));
        columns.push(corrupt_column(CORRUPT_RECORD, rows, corrupt, |record| record.raw.clone()));
        columns.push(corrupt_column(CORRUPT_REASON, rows, corrupt, |record| record.explain(positions)));
        Ok(Self { frame: DataFrame::new(rows, columns)?, other_names: Vec::new() })
    }

    /// The batch with other names of its columns.
    pub(super) fn with_other_names(self, other_names: Vec<String>) -> Self {
        Self { other_names, ..self }
    }
}

fn position_column(rows: usize, positions: &RowPositions) -> Column {
    let signed = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
    let name = PlSmallStr::from_static(SOURCE_ROW);
    let column = match positions {
        RowPositions::Numbered { first } => Int64Chunked::from_iter_values(name, (*first..).take(rows).map(signed)),
        RowPositions::Offsets(offsets) => {
            Int64Chunked::from_iter_values(name, offsets.iter().map(|offset| signed(*offset)))
        }
    };
    column.into_column()
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
