//! XLSX: a sheet of a workbook.
//!
//! | cell | text |
//! |---|---|
//! | number | the shortest that reads back equal; whole numbers without a fraction |
//! | number that is shown as a date or time | `2024-01-31`, `2024-01-31T13:30:00`, or `13:30:00` where it has no day |
//! | number that is shown as a duration (`[h]:mm`) | `PT36H30M0S` |
//! | boolean | `true`, `false` |
//! | text, also with formatted parts | its characters |
//! | error | `#N/A`, `#REF!`, …; also those of other programs |
//! | formula | its value when the workbook was saved |
//! | empty, empty text, all but the first cell of merged ones | null |
//!
//! Rows without a value are skipped and not counted; hidden ones are read. The cells of the sheet come as a stream, but
//! the texts that cells share are in memory: [`package`] bounds them.

mod batch;
mod cell;
mod fault;
mod options;
mod package;
mod places;
mod rows;
mod sample;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use calamine::{Reader as _, SheetType, Xlsx};
use sluice_core::engine::ObjectMeasure;
use sluice_core::spec::{CsvHeader, CsvSpec, SheetChoice};

use self::batch::SheetBatch;
pub(super) use self::fault::XlsxFault;
pub(crate) use self::options::XlsxOptions;
use self::package::{Package, PackageError, PackageLimits};
use self::places::Places;
use self::rows::{SheetRow, SheetRows, Window};
pub(crate) use self::sample::sample_sheet;
use super::chunk::ReadLimits;
use super::columns::{ColumnFault, SourceColumns};
use super::error::{Place, SourceError};
use super::stream::SourceInput;
use super::{Sink, SourceSummary};

/// Refuses a workbook that is too large as it is stored, before it is copied to this machine.
///
/// # Errors
/// [`SourceError::Xlsx`].
pub(crate) fn check_size(object: &str, size_bytes: u64) -> Result<(), SourceError> {
    package::check_stored(PackageLimits::default(), size_bytes).map_err(|fault| refused(object, fault))
}

/// Reads a whole sheet.
pub(super) fn read(
    options: &XlsxOptions,
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let mut workbook = Workbook::open(input, object)?;
    let sheet = workbook.choose(options).map_err(|fault| refused(object, fault))?;
    let mut table = workbook.table(options, &sheet)?;
    let names = table.columns.names().to_vec();
    let mut batch = SheetBatch::new(&names, table.window);
    let (mut handed, mut corrupt_rows) = (0_u64, 0_u64);
    let mut hand_out = |batch: &mut SheetBatch<'_>| -> Result<(), SourceError> {
        let (row, rows) = (handed + 1, batch.rows as u64);
        if rows == 0 {
            return Ok(());
        }
        let of_batch = |source| SourceError::Batch { object: object.to_owned(), row, source };
        let (batch, corrupt) = batch.take(row).map_err(of_batch)?;
        handed += rows;
        corrupt_rows += corrupt;
        sink(batch).map_err(|source| SourceError::Sink { object: object.to_owned(), row, source })
    };
    let mut rows = 0_u64;
    let stopped = loop {
        match table.next() {
            Ok(None) => break Ok(()),
            Ok(Some(row)) if row.bytes() > limits.record_bytes => {
                let place = Place::Record { row: rows + 1, line: Some(row.number) };
                let limit_bytes = limits.record_bytes;
                break Err(SourceError::RecordTooLarge { object: object.to_owned(), place, limit_bytes });
            }
            Ok(Some(row)) => {
                rows += 1;
                batch.push(row);
            }
            Err(fault) => break Err(refused(object, fault)),
        }
        if batch.size_bytes >= limits.chunk_bytes {
            hand_out(&mut batch)?;
        }
    };
    // What came before a fault is handed out, wherever batches end.
    hand_out(&mut batch)?;
    stopped.map(|()| SourceSummary { rows: handed, corrupt_rows, columns: names.clone(), found: None })
}

/// The names of the columns, and what is in the workbook as far as it is known without reading its cells.
pub(super) fn look(
    options: &XlsxOptions,
    input: SourceInput,
    object: &str,
) -> Result<(Vec<String>, ObjectMeasure), SourceError> {
    let mut workbook = Workbook::open(input, object)?;
    let sheet = workbook.choose(options).map_err(|fault| refused(object, fault))?;
    let measured = workbook.measure();
    let names = workbook.table(options, &sheet)?.columns.names().to_vec();
    let measured = ObjectMeasure { columns: names.len() as u64, rows: rows_of(measured, names.len()), ..measured };
    Ok((names, measured))
}

/// How many rows a sheet with so many columns can have.
fn rows_of(measured: ObjectMeasure, columns: usize) -> u64 {
    /// Bytes of a cell in the XML of a sheet: `<c r="A12"><v>1234</v></c>`.
    const CELL_BYTES: u64 = 24;
    measured.unpacked_bytes / CELL_BYTES.saturating_mul(columns.max(1) as u64)
}

fn refused(object: &str, source: XlsxFault) -> SourceError {
    SourceError::Xlsx { object: object.to_owned(), source }
}

/// A workbook of bearable size.
struct Workbook<'o> {
    book: Xlsx<BufReader<File>>,
    path: PathBuf,
    package: Package,
    size_bytes: u64,
    object: &'o str,
}

impl<'o> Workbook<'o> {
    fn open(input: SourceInput, object: &'o str) -> Result<Self, SourceError> {
        let SourceInput::File(path) = input else {
            return Err(SourceError::XlsxStream { object: object.to_owned() });
        };
        let open = |source| SourceError::Open { object: object.to_owned(), source };
        let mut file = File::open(&path).map_err(open)?;
        let size_bytes = file.metadata().map_err(open)?.len();
        if size_bytes == 0 {
            return Err(SourceError::EmptyObject { object: object.to_owned() });
        }
        let package = package::check(&mut file, PackageLimits::default()).map_err(|error| match error {
            PackageError::Io(source) => SourceError::Read { object: object.to_owned(), source },
            PackageError::Fault(fault) => refused(object, fault),
        })?;
        let book = Xlsx::new(BufReader::new(file))
            .map_err(|source| refused(object, XlsxFault::Workbook { source: Box::new(source) }))?;
        Ok(Self { book, path, package, size_bytes, object })
    }

    fn measure(&self) -> ObjectMeasure {
        /// How many times larger than their XML the texts that cells share are in memory.
        const TEXT_EXPANSION: u64 = 3;
        let Package { cell_bytes, text_bytes, .. } = self.package;
        ObjectMeasure {
            size_bytes: self.size_bytes,
            unpacked_bytes: cell_bytes,
            held_bytes: text_bytes.saturating_mul(TEXT_EXPANSION),
            ..ObjectMeasure::default()
        }
    }

    /// The places of the cells of a sheet.
    fn places(&self, sheet: &str) -> Places {
        /// Formulas that cells share and that are in memory as long as places are read: some 7 MB.
        const MOST_FORMULAS: u64 = 1 << 17;
        Places::new(self.path.clone(), sheet, self.package.formulas <= MOST_FORMULAS)
    }

    /// The names of its worksheets.
    fn sheets(&self) -> Vec<String> {
        let sheets = self.book.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        sheets.map(|sheet| sheet.name.clone()).collect()
    }

    /// The name of the sheet that is read.
    fn choose(&self, options: &XlsxOptions) -> Result<String, XlsxFault> {
        let sheets = self.sheets();
        let choice = options.spec().sheet.clone().unwrap_or(SheetChoice::Number(1));
        let found = match &choice {
            SheetChoice::Name(name) => sheets.iter().find(|sheet| *sheet == name),
            SheetChoice::Number(number) => {
                usize::try_from(*number).ok().and_then(|number| sheets.get(number.checked_sub(1)?))
            }
        };
        match found {
            Some(sheet) => Ok(sheet.clone()),
            None => Err(XlsxFault::NoSheet { sheet: choice.to_string(), sheets }),
        }
    }

    /// The table of a sheet, at its first record.
    fn table<'t>(&'t mut self, options: &XlsxOptions, sheet: &'t str) -> Result<SheetTable<'t>, SourceError> {
        let (object, sheets, is_1904) = (self.object, self.sheets(), self.book.has_1904_epoch());
        let (window, places) = (Window::of(options.spec()), self.places(sheet));
        let cells = self.book.worksheet_cells_reader(sheet).map_err(|source| {
            refused(object, XlsxFault::Sheet { sheet: sheet.to_owned(), row: 0, source: Box::new(source) })
        })?;
        let mut rows = SheetRows::new(cells, places, sheet, window, is_1904);
        let mut first = SheetRow::default();
        if !rows.read(&mut first).map_err(|fault| refused(object, fault))? {
            let place = options.spec().range.map(|range| range.to_string());
            return Err(refused(object, XlsxFault::EmptySheet { sheet: sheet.to_owned(), place, sheets }));
        }
        let columns = columns(options, window, &first, object)?;
        let is_record = options.spec().header == CsvHeader::Absent;
        Ok(SheetTable { window, columns, rows, row: first, is_record })
    }
}

/// The columns of a table with this first row.
fn columns(
    options: &XlsxOptions,
    window: Window,
    first: &SheetRow<'_>,
    object: &str,
) -> Result<SourceColumns, SourceError> {
    let spec = options.spec();
    let width = window.width().unwrap_or(first.width());
    let found = match (spec.header, &spec.names) {
        (CsvHeader::Present, Some(names)) if names.len() != width => {
            let fault = XlsxFault::NameCount { row: first.number, named: names.len(), found: width };
            return Err(refused(object, fault));
        }
        (_, Some(names)) => SourceColumns::from_header(names),
        (CsvHeader::Absent, None) => SourceColumns::from_header((1..=width).map(CsvSpec::generated_name)),
        (CsvHeader::Present, None) => {
            let mut header = vec![String::new(); width];
            for (at, text) in &first.cells {
                if let Some(name) = header.get_mut(*at) {
                    name.push_str(text);
                }
            }
            SourceColumns::by_position(&header, options.mapped())
        }
    };
    found.map_err(|fault| match fault {
        ColumnFault::Ambiguous { position, name, first_position, first_name } => {
            refused(object, XlsxFault::Ambiguous { row: first.number, position, name, first_position, first_name })
        }
        fault => {
            let (object, place) = (object.to_owned(), Place::Line { line: first.number });
            SourceError::Columns { object, place, fault }
        }
    })
}

/// The records of a sheet.
struct SheetTable<'t> {
    window: Window,
    columns: SourceColumns,
    rows: SheetRows<'t>,
    row: SheetRow<'t>,
    /// Whether `row` is a record that was not handed out yet.
    is_record: bool,
}

impl<'t> SheetTable<'t> {
    fn next(&mut self) -> Result<Option<&SheetRow<'t>>, XlsxFault> {
        let is_read = std::mem::take(&mut self.is_record) || self.rows.read(&mut self.row)?;
        Ok(is_read.then_some(&self.row))
    }
}
