//! Parsed pieces of a chunk of text, as readers divide it among threads, and what they are together.

use polars::error::PolarsError;
use polars::prelude::Column;

use super::corrupt::CorruptRecord;

/// Records as columns; rows and lines are counted from the start of the piece.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
    /// The byte of the object at which each record begins, where records are found by bytes.
    pub(super) offsets: Vec<u64>,
    /// Corrupt records by row, ascending.
    pub(super) corrupt: Vec<CorruptRecord>,
    pub(super) lines: u64,
}

/// The pieces of a chunk, one behind the other.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
    pub(super) offsets: Vec<u64>,
    pub(super) corrupt: Vec<CorruptRecord>,
    pub(super) lines: u64,
}

impl Joined {
    /// Adds a piece before which the object has this many lines.
    pub(super) fn append(&mut self, piece: Piece, lines_before: u64) -> Result<(), PolarsError> {
        self.corrupt.extend(piece.corrupt.into_iter().map(|record| record.moved(self.rows, lines_before)));
        if self.columns.is_empty() {
            self.columns = piece.columns;
        } else {
            for (column, more) in self.columns.iter_mut().zip(&piece.columns) {
                column.append(more)?;
            }
        }
        self.rows += piece.rows;
        self.offsets.extend(piece.offsets);
        self.lines += piece.lines;
        Ok(())
    }
}
