//! Collects rows of a sheet until a batch is full.

use polars::error::PolarsResult;
use polars::prelude::{Column, IntoColumn, StringChunkedBuilder};

use super::rows::{SheetRow, Window};
use crate::source::batch::SourceBatch;
use crate::source::corrupt::{CorruptRecord, FaultReason};
use crate::source::place::RowPositions;

/// Rows of a batch for which columns get room at first.
const ROOM: usize = 1024;

/// Rows of a sheet as columns.
pub(super) struct SheetBatch<'n> {
    names: &'n [String],
    window: Window,
    columns: Vec<StringChunkedBuilder>,
    pub(super) rows: usize,
    /// Bytes of the rows, about as much as they take in memory.
    pub(super) size_bytes: usize,
    corrupt: Vec<CorruptRecord>,
}

impl<'n> SheetBatch<'n> {
    pub(super) fn new(names: &'n [String], window: Window) -> Self {
        Self { names, window, columns: builders(names), rows: 0, size_bytes: 0, corrupt: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &SheetRow<'_>) {
        /// Memory of a value in addition to its text.
        const VALUE_BYTES: usize = 16;
        self.size_bytes += row.bytes() + self.names.len() * VALUE_BYTES;
        match self.fault(row) {
            Some(reason) => {
                let raw = raw_text(row);
                self.corrupt.push(CorruptRecord { index: self.rows, line: Some(row.number), reason, raw });
                self.columns.iter_mut().for_each(StringChunkedBuilder::append_null);
            }
            None => {
                let mut cells = row.cells.iter().peekable();
                for (index, column) in self.columns.iter_mut().enumerate() {
                    match cells.next_if(|(at, _)| *at == index) {
                        Some((_, text)) => column.append_value(text),
                        None => column.append_null(),
                    }
                }
            }
        }
        self.rows += 1;
    }

    fn fault(&self, row: &SheetRow<'_>) -> Option<FaultReason> {
        let columns = self.names.len();
        if let Some((at, _)) = row.cells.last().filter(|(at, _)| *at >= columns) {
            let (column, last) = (self.window.letters(*at), self.window.letters(columns.saturating_sub(1)));
            return Some(FaultReason::BehindTable { column, last });
        }
        let has_nul = row.cells.iter().any(|(_, text)| text.contains('\0'));
        has_nul.then_some(FaultReason::Nul)
    }

    /// The rows so far, of which `first_row` is the first, and how many of them are corrupt.
    pub(super) fn take(&mut self, first_row: u64) -> PolarsResult<(SourceBatch, u64)> {
        let columns = std::mem::replace(&mut self.columns, builders(self.names));
        let columns: Vec<Column> = columns.into_iter().map(|column| column.finish().into_column()).collect();
        let corrupt = std::mem::take(&mut self.corrupt);
        let rows = std::mem::take(&mut self.rows);
        self.size_bytes = 0;
        let batch = SourceBatch::new(columns, rows, &RowPositions::Numbered { first: first_row }, &corrupt)?;
        Ok((batch, corrupt.len() as u64))
    }
}

fn builders(names: &[String]) -> Vec<StringChunkedBuilder> {
    names.iter().map(|name| StringChunkedBuilder::new(name.into(), ROOM)).collect()
}

/// The values of a row for people: a JSON array with null where no value is.
fn raw_text(row: &SheetRow<'_>) -> String {
    let mut values: Vec<Option<&str>> = vec![None; row.width()];
    for (at, text) in &row.cells {
        if let Some(value) = values.get_mut(*at) {
            *value = Some(&**text);
        }
    }
    // Texts and nulls always have a JSON text.
    serde_json::to_string(&values).unwrap_or_default()
}
