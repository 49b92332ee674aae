//! Places of cells that the library does not say.
//!
//! It stops at a cell with an error that Excel does not have (`#ERROR!` of Google Sheets, `#GETTING_DATA`), goes on behind
//! it, and says neither where that was nor, in sheets whose cells do not name their places, rightly where the rest of the
//! row is. Another reading of the sheet, which looks for formulas, passes over values and says where every cell is.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use calamine::{Reader as _, Xlsx, XlsxError};

/// Places that are known at a time: some 8 MB, and all cells of most sheets.
const KNOWN: usize = 1 << 20;

/// The places of the cells of a sheet, read when the first of them is asked for.
pub(super) struct Places {
    path: PathBuf,
    sheet: String,
    /// Whether looking for formulas takes bearable memory.
    is_bearable: bool,
    /// The number of the first cell that is known.
    first: u64,
    known: Vec<(u32, u32)>,
}

impl Places {
    pub(super) fn new(path: PathBuf, sheet: &str, is_bearable: bool) -> Self {
        Self { path, sheet: sheet.to_owned(), is_bearable, first: 0, known: Vec::new() }
    }

    /// Row and column of the cell with this number, from 0, among those of the sheet, whether they have a value or not;
    /// `None` where they cannot be known.
    pub(super) fn of(&mut self, number: u64) -> Result<Option<(u32, u32)>, XlsxError> {
        if !self.is_bearable {
            return Ok(None);
        }
        if self.index_of(number).is_none_or(|index| index >= self.known.len()) {
            self.read(number)?;
        }
        Ok(self.index_of(number).and_then(|index| self.known.get(index).copied()))
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// Reads the places from this cell on.
    fn read(&mut self, from: u64) -> Result<(), XlsxError> {
        let mut book: Xlsx<BufReader<File>> = Xlsx::new(BufReader::new(File::open(&self.path)?))?;
        let mut cells = book.worksheet_cells_reader(&self.sheet)?;
        self.known.clear();
        self.first = from;
        let mut number = 0;
        while self.known.len() < KNOWN {
            let Some(cell) = cells.next_formula()? else { break };
            if number >= from {
                self.known.push(cell.get_position());
            }
            number += 1;
        }
        Ok(())
    }
}
