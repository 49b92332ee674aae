//! The rows of a sheet, as its cells come.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufReader;

use calamine::{XlsxCellReader, XlsxError};
use sluice_core::spec::{CellRange, XlsxSpec};

use super::cell::text;
use super::fault::XlsxFault;
use super::places::Places;

/// Rows and columns of a sheet.
const SHEET_ROWS: u32 = 1_048_576;
const SHEET_COLUMNS: u32 = 16_384;

/// Row and column of a cell, and its text where it has a value.
type SheetCell<'a> = (u32, u32, Option<Cow<'a, str>>);

/// Which cells of a sheet are read. Rows and columns count from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    first_row: u32,
    last_row: Option<u32>,
    first_column: u32,
    last_column: Option<u32>,
}

impl Window {
    pub(super) fn of(spec: &XlsxSpec) -> Self {
        let first_row = spec.range.map_or(0, |range| range.first_row()).saturating_add(spec.skip_lines);
        let first_column = spec.range.map_or(0, |range| range.first_column());
        let last_column = spec.range.map(|range| range.last_column());
        Self { first_row, last_row: spec.range.and_then(|range| range.last_row()), first_column, last_column }
    }

    /// How many columns it has, where it has a last one.
    pub(super) fn width(self) -> Option<usize> {
        let last = self.last_column?;
        usize::try_from(last.checked_sub(self.first_column)?).ok()?.checked_add(1)
    }

    /// The letters of a column of the sheet, by its index in the window.
    pub(super) fn letters(self, index: usize) -> String {
        CellRange::letters(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(self.first_column))
    }

    fn has_column(self, column: u32) -> bool {
        column >= self.first_column && self.last_column.is_none_or(|last| column <= last)
    }

    fn is_before(self, row: u32) -> bool {
        self.last_row.is_some_and(|last| last < row)
    }
}

/// A row that has a value.
#[derive(Debug, Default)]
pub(super) struct SheetRow<'a> {
    /// Its number in the sheet, from 1.
    pub(super) number: u64,
    /// Its values with their columns, from 0 at the begin of the window; ascending.
    pub(super) cells: Vec<(usize, Cow<'a, str>)>,
}

impl SheetRow<'_> {
    /// How many columns it has up to its last value.
    pub(super) fn width(&self) -> usize {
        self.cells.last().map_or(0, |(column, _)| column + 1)
    }

    /// Bytes of its values.
    pub(super) fn bytes(&self) -> usize {
        self.cells.iter().map(|(_, text)| text.len()).sum()
    }
}

/// Reads the rows of a sheet that have a value, in their order.
pub(super) struct SheetRows<'a> {
    cells: XlsxCellReader<'a, BufReader<File>>,
    sheet: &'a str,
    window: Window,
    is_1904: bool,
    places: Places,
    /// Cells that were met, with a value or without.
    met: u64,
    /// The row in which the library may be wrong about places.
    unsure_row: Option<u32>,
    /// The last cell that was met.
    at: Option<(u32, u32)>,
    /// The first value of the next row.
    next: Option<(u32, usize, Cow<'a, str>)>,
    /// Whether the sheet, or the window, has ended: the library reads on behind the sheet when it is asked again.
    has_ended: bool,
}

impl<'a> SheetRows<'a> {
    pub(super) fn new(
        cells: XlsxCellReader<'a, BufReader<File>>,
        places: Places,
        sheet: &'a str,
        window: Window,
        is_1904: bool,
    ) -> Self {
        Self { cells, sheet, window, is_1904, places, met: 0, unsure_row: None, at: None, next: None, has_ended: false }
    }

    /// Puts the next row with a value into `row`; `false` at the end.
    pub(super) fn read(&mut self, row: &mut SheetRow<'a>) -> Result<bool, XlsxFault> {
        row.cells.clear();
        let mut number: Option<u32> = None;
        loop {
            let next = match self.next.take() {
                Some(next) => Some(next),
                None => self.next_value()?,
            };
            let Some((at, column, text)) = next else { break };
            if number.is_some_and(|number| number != at) {
                self.next = Some((at, column, text));
                break;
            }
            number = Some(at);
            row.cells.push((column, text));
        }
        row.number = number.map_or(0, |number| u64::from(number) + 1);
        Ok(number.is_some())
    }

    /// The next value in the window, with its row and its column within the window.
    fn next_value(&mut self) -> Result<Option<(u32, usize, Cow<'a, str>)>, XlsxFault> {
        let found = if self.has_ended { None } else { self.found()? };
        self.has_ended = found.is_none();
        Ok(found)
    }

    fn found(&mut self) -> Result<Option<(u32, usize, Cow<'a, str>)>, XlsxFault> {
        loop {
            let Some((row, column, text)) = self.next_cell()? else { return Ok(None) };
            if row >= SHEET_ROWS || column >= SHEET_COLUMNS || self.at.is_some_and(|at| at >= (row, column)) {
                let cell = format!("{}{}", CellRange::letters(column), u64::from(row) + 1);
                return Err(XlsxFault::Unordered { sheet: self.sheet.to_owned(), cell });
            }
            self.at = Some((row, column));
            if self.window.is_before(row) {
                return Ok(None);
            }
            if row < self.window.first_row || !self.window.has_column(column) {
                continue;
            }
            if let Some(text) = text {
                let column = usize::try_from(column - self.window.first_column).unwrap_or(usize::MAX);
                return Ok(Some((row, column, text)));
            }
        }
    }

    /// The next cell: its row, its column, and its text where it has a value.
    fn next_cell(&mut self) -> Result<Option<SheetCell<'a>>, XlsxFault> {
        let number = self.met;
        self.met += 1;
        let ((row, column), text) = match self.cells.next_cell() {
            Ok(None) => return Ok(None),
            Ok(Some(cell)) => {
                let place = cell.get_position();
                let is_unsure = self.unsure_row == Some(place.0);
                let found = if is_unsure { self.places.of(number) } else { Ok(None) };
                let found = found.map_err(|source| self.fault(source))?;
                (found.unwrap_or(place), text(cell.get_value(), self.is_1904))
            }
            // A text like any other: what it means is said by the types of the contract and the null words.
            Err(XlsxError::CellError(error)) => {
                let found = self.places.of(number).map_err(|source| self.fault(source))?;
                let Some(place) = found else { return Err(self.fault(XlsxError::CellError(error))) };
                self.unsure_row = Some(place.0);
                (place, (!error.is_empty()).then_some(Cow::Owned(error)))
            }
            Err(source) => return Err(self.fault(source)),
        };
        Ok(Some((row, column, text)))
    }

    fn fault(&self, source: XlsxError) -> XlsxFault {
        let row = self.at.map_or(0, |(row, _)| u64::from(row) + 1);
        XlsxFault::Sheet { sheet: self.sheet.to_owned(), row, source: Box::new(source) }
    }
}
