//! Reads sources in tests and checks what came out.

use std::io::Cursor;

use polars::prelude::DataFrame;
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW};
use sluice_core::spec::{CsvSpec, SourceFormat};

use super::chunk::ReadLimits;
use super::{SourceError, SourceInput, SourceSummary, read_with_limits};

/// Limits at which nearly every record meets the edge of a chunk.
pub(super) const SMALL: ReadLimits = ReadLimits { chunk_bytes: 7, record_bytes: 200, workers: 3, piece_bytes: 8 };

/// One row: number, source columns, raw text if corrupt.
pub(super) type Row = (i64, Vec<Option<String>>, Option<String>);

/// A good record.
pub(super) fn good(row: i64, cells: &[Option<&str>]) -> Row {
    (row, cells.iter().map(|cell| cell.map(str::to_owned)).collect(), None)
}

/// A corrupt record.
pub(super) fn corrupt(row: i64, columns: usize, raw: &str) -> Row {
    (row, vec![None; columns], Some(raw.to_owned()))
}

/// Everything that was in an object. Batches without a late column are widened with nulls.
#[derive(Debug, PartialEq)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Place and reason of each corrupt record.
    pub(super) reasons: Vec<String>,
    pub(super) summary: SourceSummary,
}

/// An object to read.
pub(super) struct ReadTest {
    format: SourceFormat,
    csv: CsvSpec,
    bytes: Vec<u8>,
    limits: ReadLimits,
}

impl ReadTest {
    pub(super) fn new(format: SourceFormat, bytes: &[u8]) -> Self {
        Self { format, csv: CsvSpec::default(), bytes: bytes.to_vec(), limits: ReadLimits::default() }
    }

    pub(super) fn limits(mut self, limits: ReadLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(super) fn csv(mut self, csv: CsvSpec) -> Self {
        self.csv = csv;
        self
    }

    pub(super) fn run(self) -> Result<(Vec<DataFrame>, SourceSummary), SourceError> {
        let input = SourceInput::Stream(Box::new(Cursor::new(self.bytes)));
        let mut frames = Vec::new();
        let summary = read_with_limits(self.format, self.csv, input, "data", self.limits, &mut |batch| {
            frames.push(batch.frame);
            Ok(())
        })?;
        Ok((frames, summary))
    }

    pub(super) fn frames(self) -> Vec<DataFrame> {
        self.run().expect("readable").0
    }

    pub(super) fn error(self) -> SourceError {
        self.run().expect_err("an error")
    }

    pub(super) fn table(self) -> Table {
        let (frames, summary) = self.run().expect("readable");
        table(&frames, summary)
    }
}

/// The rows of all frames, which must be numbered from 1 and agree with the summary.
pub(super) fn table(frames: &[DataFrame], summary: SourceSummary) -> Table {
    let rows: Vec<Row> = frames.iter().flat_map(|frame| rows(frame, &summary.columns)).collect();
    let numbers = 1..=i64::try_from(summary.rows).expect("few rows");
    assert!(rows.iter().map(|row| row.0).eq(numbers), "rows are numbered");
    assert_eq!(rows.iter().filter(|row| row.2.is_some()).count() as u64, summary.corrupt_rows);
    let reasons: Vec<String> = frames.iter().flat_map(|frame| texts(frame, CORRUPT_REASON)).flatten().collect();
    assert_eq!(reasons.len() as u64, summary.corrupt_rows);
    Table { columns: summary.columns.clone(), rows, reasons, summary }
}

fn rows(frame: &DataFrame, columns: &[String]) -> Vec<Row> {
    let names = frame.get_column_names();
    let source = names.len() - 3;
    assert!(names[..source].iter().map(|n| n.as_str()).eq(columns[..source].iter().map(String::as_str)));
    let own: Vec<&str> = names[source..].iter().map(|name| name.as_str()).collect();
    assert_eq!(own, [SOURCE_ROW, CORRUPT_RECORD, CORRUPT_REASON]);
    let text =
        |name: &str, row: usize| frame.column(name).expect("column").str().expect("String").get(row).map(str::to_owned);
    let number =
        |row: usize| frame.column(SOURCE_ROW).expect("column").i64().expect("Int64").get(row).expect("not null");
    let cells = |row: usize| {
        let known = names[..source].iter().map(|name| text(name.as_str(), row));
        known.chain(std::iter::repeat_n(None, columns.len() - source)).collect()
    };
    (0..frame.height()).map(|row| (number(row), cells(row), text(CORRUPT_RECORD, row))).collect()
}

fn texts(frame: &DataFrame, name: &str) -> Vec<Option<String>> {
    frame.column(name).expect("column").str().expect("String").iter().map(|text| text.map(str::to_owned)).collect()
}
