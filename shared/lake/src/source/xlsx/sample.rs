//! The first rows of a workbook for `sluice init`, as CSV: what is known of tables in texts holds for sheets, too.

use super::rows::{SheetRow, SheetRows, Window};
use super::{Workbook, XlsxFault, XlsxOptions, refused};
use crate::source::error::SourceError;
use crate::source::stream::SourceInput;

/// Most rows of a sample.
const MAX_ROWS: usize = 1000;
/// Most bytes of a sample, and a row: cells may share one large text.
const MAX_BYTES: usize = 8 << 20;

/// The sheets of a workbook, and the first rows of the first one.
pub(crate) struct SheetSample {
    /// Their names.
    pub(crate) sheets: Vec<String>,
    /// CSV with a line for each row of the sheet. A row has as many fields as it has cells up to its last value.
    pub(crate) rows: String,
}

/// Reads a sample.
///
/// # Errors
/// [`SourceError`] for what is not a workbook.
pub(crate) fn sample_sheet(input: SourceInput, object: &str) -> Result<SheetSample, SourceError> {
    let options = XlsxOptions::default();
    let mut workbook = Workbook::open(input, object)?;
    let sheets = workbook.sheets();
    let sheet = workbook.choose(&options).map_err(|fault| refused(object, fault))?;
    let is_1904 = workbook.book.has_1904_epoch();
    let places = workbook.places(&sheet);
    let cells = workbook.book.worksheet_cells_reader(&sheet).map_err(|source| {
        refused(object, XlsxFault::Sheet { sheet: sheet.clone(), row: 0, source: Box::new(source) })
    })?;
    let mut rows = SheetRows::new(cells, places, &sheet, Window::of(options.spec()), is_1904);
    let (mut row, mut text, mut line) = (SheetRow::default(), String::new(), 1);
    for _ in 0..MAX_ROWS {
        // Whoever reads the records finds what is wrong behind the first ones.
        if text.len() > MAX_BYTES || !rows.read(&mut row).unwrap_or(false) || row.bytes() > MAX_BYTES {
            break;
        }
        while line < row.number {
            text.push('\n');
            line += 1;
        }
        push_row(&mut text, &row);
        line += 1;
    }
    Ok(SheetSample { sheets, rows: text })
}

fn push_row(text: &mut String, row: &SheetRow<'_>) {
    let mut next = 0;
    for (column, value) in &row.cells {
        while next < *column {
            text.push(',');
            next += 1;
        }
        if value.contains([',', '"', ';', '\t', '|', '\'', '\n', '\r', '#']) {
            text.push('"');
            text.push_str(&value.replace('"', "\"\"").replace(['\n', '\r'], " "));
            text.push('"');
        } else {
            text.push_str(value);
        }
    }
    text.push('\n');
}
