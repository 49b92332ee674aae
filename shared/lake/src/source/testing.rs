//! Reads sources in tests and checks what came out.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use polars::prelude::DataFrame;
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW, is_own_of_bronze};
use sluice_core::run::Positions;
use sluice_core::spec::{ColumnCase, CsvSpec, FixedWidthSpec, SourceFormat};

use super::archive::ArchiveOptions;
use super::chunk::ReadLimits;
use super::csv::CsvOptions;
use super::extent::{Begin, Extent};
use super::{SourceBatch, SourceError, SourceInput, SourceOptions, SourceSummary, read_columns, read_with_limits};

/// Limits at which nearly every record meets the edge of a chunk.
pub(super) const SMALL: ReadLimits =
    ReadLimits { chunk_bytes: 7, record_bytes: 200, workers: 3, piece_bytes: 8, guess_bytes: 5 };

/// A whole object whose records are numbered.
pub(super) const WHOLE: Extent<'static> = Extent { positions: Positions::Numbers, begin: Begin::Object, end: None };
/// A whole object whose records are found by bytes.
pub(super) const WHOLE_BY_BYTES: Extent<'static> =
    Extent { positions: Positions::Bytes, begin: Begin::Object, end: None };

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
    options: SourceOptions,
    bytes: Vec<u8>,
    limits: ReadLimits,
}

impl ReadTest {
    pub(super) fn new(format: SourceFormat, bytes: &[u8]) -> Self {
        Self { format, options: SourceOptions::default(), bytes: bytes.to_vec(), limits: ReadLimits::default() }
    }

    pub(super) fn limits(mut self, limits: ReadLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(super) fn csv(self, csv: CsvSpec) -> Self {
        self.csv_for(csv, &[])
    }

    /// Options of a spec whose silver tables read these columns.
    pub(super) fn csv_for(mut self, csv: CsvSpec, mapped: &[&str]) -> Self {
        self.options.set_csv(CsvOptions::reading(csv, mapped));
        self
    }

    /// Lines with these columns.
    pub(super) fn fixed_width(mut self, spec: FixedWidthSpec) -> Self {
        self.options.set_fixed_width(spec);
        self
    }

    /// Records at a path.
    pub(super) fn records(mut self, path: &str) -> Self {
        self.options.set_records(path.parse().expect(path));
        self
    }

    /// Elements of XML that are lists, each by the names on the way to it.
    pub(super) fn lists(mut self, lists: &[&[&str]]) -> Self {
        let ways = lists.iter().map(|way| way.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>());
        self.options.set_lists(ways.collect(), ColumnCase::Exact);
        self
    }

    /// The same, of a source in whose columns case does not count.
    pub(super) fn lists_in_any_case(mut self, lists: &[&[&str]]) -> Self {
        let ways = lists.iter().map(|way| way.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>());
        self.options.set_lists(ways.collect(), ColumnCase::Ignore);
        self
    }

    /// Objects that may be archives.
    pub(super) fn archive(mut self, archive: ArchiveOptions) -> Self {
        self.options.set_archive(archive);
        self
    }

    pub(super) fn run(self) -> Result<(Vec<DataFrame>, SourceSummary), SourceError> {
        self.read(WHOLE)
    }

    /// The records of an extent.
    pub(super) fn read(&self, extent: Extent<'_>) -> Result<(Vec<DataFrame>, SourceSummary), SourceError> {
        let begin = usize::try_from(extent.stream_begin()).expect("a small object").min(self.bytes.len());
        self.read_from(Box::new(Cursor::new(self.bytes[begin..].to_vec())), extent)
    }

    /// The records of an extent, from a stream that starts where it must.
    pub(super) fn read_from(
        &self,
        stream: Box<dyn Read + Send>,
        extent: Extent<'_>,
    ) -> Result<(Vec<DataFrame>, SourceSummary), SourceError> {
        let mut frames = Vec::new();
        let mut sink = |batch: SourceBatch| {
            frames.push(batch.frame);
            Ok(())
        };
        let input = SourceInput::Stream(stream);
        let summary = read_with_limits(self.format, &self.options, input, "data", extent, self.limits, &mut sink)?;
        Ok((frames, summary))
    }

    /// The columns of the beginning; none where it cannot be read.
    pub(super) fn columns(&self) -> Vec<String> {
        self.columns_from(Box::new(Cursor::new(self.bytes.clone()))).unwrap_or_default()
    }

    /// The columns of the beginning of this stream.
    pub(super) fn columns_from(&self, stream: Box<dyn Read + Send>) -> Result<Vec<String>, SourceError> {
        read_columns(self.format, &self.options, SourceInput::Stream(stream), "data")
    }

    /// Reads the ranges between these bytes and joins them as a run does: a range whose begin was guessed wrongly is
    /// read again.
    pub(super) fn walk(&self, columns: &[String], cuts: &[u64]) -> Result<Walked, SourceError> {
        let mut walked = Walked::default();
        for (index, end) in cuts.iter().copied().map(Some).chain([None]).enumerate() {
            let extent = |begin| Extent { positions: Positions::Bytes, begin, end };
            let begin = match index.checked_sub(1) {
                None => Begin::Object,
                Some(last) => Begin::Guessed { at: cuts[last], before: self.options.record_end_bytes(), columns },
            };
            let begins = |summary: &SourceSummary| summary.found.map(|found| found.begin);
            let (frames, summary) = match self.read(extent(begin)) {
                Ok((frames, summary)) if begins(&summary) == Some(walked.reached) => (frames, summary),
                Err(error) if index == 0 || !error.is_refusal() => return Err(error),
                Ok(_) | Err(_) => {
                    walked.read_again += 1;
                    self.read(extent(Begin::Proven { at: walked.reached, columns }))?
                }
            };
            let found = summary.found.expect("positions are bytes");
            assert_eq!(found.begin, walked.reached, "the proven begin is where records begin");
            let rows = located(&frames);
            assert_eq!(rows.len() as u64, summary.rows);
            walked.rows.extend(rows);
            walked.reached = found.end;
        }
        Ok(walked)
    }

    /// Whether the ranges between these bytes have the rows or the error of the whole object.
    pub(super) fn check_ranges(&self, cuts: &[u64]) -> Walked {
        let columns = self.columns();
        let whole = self.read(WHOLE_BY_BYTES);
        let walked = self.walk(&columns, cuts);
        let text = String::from_utf8_lossy(&self.bytes);
        match (whole, walked) {
            (Ok((frames, summary)), Ok(walked)) => {
                assert_eq!(walked.rows, located(&frames), "{text:?} cut at {cuts:?}");
                let found = summary.found.expect("positions are bytes");
                assert_eq!((found.begin, found.end), (0, self.bytes.len() as u64), "{text:?}");
                assert_eq!(walked.reached, found.end, "{text:?} cut at {cuts:?}");
                walked
            }
            // A range does not know that no other has a record.
            (Err(SourceError::EmptyObject { .. }), Ok(walked))
                if matches!(self.format, SourceFormat::Ndjson | SourceFormat::FixedWidth) =>
            {
                assert!(walked.rows.is_empty(), "{text:?} cut at {cuts:?}");
                walked
            }
            (whole, walked) => {
                let message = |error: SourceError| error.to_string();
                let (whole, walked) = (whole.err().map(message), walked.err().map(message));
                assert_eq!(walked, whole, "{text:?} cut at {cuts:?}");
                Walked::default()
            }
        }
    }

    /// Whether each row stands where its position says, and is what it is where rows are numbered.
    pub(super) fn check_positions(&self) {
        let (Ok((numbered, _)), Ok((by_bytes, _))) = (self.read(WHOLE), self.read(WHOLE_BY_BYTES)) else { return };
        let columns = self.columns();
        let (numbered, by_bytes) = (located(&numbered), located(&by_bytes));
        assert!(by_bytes.is_sorted_by(|before, after| before.position < after.position));
        assert_eq!(numbered.len(), by_bytes.len());
        for (row, numbered) in by_bytes.iter().zip(&numbered) {
            assert_eq!((&row.cells, &row.raw), (&numbered.cells, &numbered.raw));
            let at = u64::try_from(row.position).expect("an offset");
            let begin = Begin::Proven { at, columns: &columns };
            let extent = Extent { positions: Positions::Bytes, begin, end: Some(at + 1) };
            let (frames, summary) = self.read(extent).expect("a record");
            assert_eq!(located(&frames), std::slice::from_ref(row), "byte {at}");
            assert_eq!(summary.rows, 1);
        }
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

/// A row by the names of its columns: late columns of other batches do not count.
#[derive(Debug, PartialEq)]
pub(super) struct Located {
    pub(super) position: i64,
    /// Those that are not null.
    pub(super) cells: BTreeMap<String, String>,
    pub(super) raw: Option<String>,
    pub(super) reason: Option<String>,
}

/// What the ranges of an object have together.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) rows: Vec<Located>,
    /// Ranges whose begin was not guessed rightly.
    pub(super) read_again: usize,
    /// Where the last one ends.
    pub(super) reached: u64,
}

/// The rows of all frames.
pub(super) fn located(frames: &[DataFrame]) -> Vec<Located> {
    frames.iter().flat_map(located_in).collect()
}

fn located_in(frame: &DataFrame) -> Vec<Located> {
    let names: Vec<String> = frame.get_column_names().iter().map(|name| name.to_string()).collect();
    let source = names.iter().filter(|name| !is_own_of_bronze(name));
    let columns: Vec<(&String, Vec<Option<String>>)> = source.map(|name| (name, texts(frame, name))).collect();
    let positions: Vec<i64> =
        frame.column(SOURCE_ROW).expect("column").i64().expect("Int64").iter().flatten().collect();
    let (raws, reasons) = (texts(frame, CORRUPT_RECORD), texts(frame, CORRUPT_REASON));
    let cells = |row: usize| {
        let cell = |(name, texts): &(&String, Vec<Option<String>>)| Some(((*name).clone(), texts[row].clone()?));
        columns.iter().filter_map(cell).collect()
    };
    let located = |(row, position): (usize, &i64)| Located {
        position: *position,
        cells: cells(row),
        raw: raws[row].clone(),
        reason: reasons[row].clone(),
    };
    positions.iter().enumerate().map(located).collect()
}

/// A stream that cannot give more than so many bytes.
pub(super) struct Bounded {
    pub(super) bytes: Cursor<Vec<u8>>,
    pub(super) left: usize,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.left);
        if wanted == 0 && !buffer.is_empty() {
            return Err(io::Error::other("more was read than the range needs"));
        }
        let count = self.bytes.read(&mut buffer[..wanted])?;
        self.left -= count;
        Ok(count)
    }
}

fn rows(frame: &DataFrame, columns: &[String]) -> Vec<Row> {
    let names = frame.get_column_names();
    let source = names.len() - 3;
    // Members of an archive may have some of the columns, in an order of their own.
    assert!(names[..source].iter().all(|name| columns.iter().any(|column| column == name.as_str())), "{names:?}");
    let own: Vec<&str> = names[source..].iter().map(|name| name.as_str()).collect();
    assert_eq!(own, [SOURCE_ROW, CORRUPT_RECORD, CORRUPT_REASON]);
    let text =
        |name: &str, row: usize| frame.column(name).expect("column").str().expect("String").get(row).map(str::to_owned);
    let number =
        |row: usize| frame.column(SOURCE_ROW).expect("column").i64().expect("Int64").get(row).expect("not null");
    let cells = |row: usize| {
        columns.iter().map(|name| if frame.column(name).is_ok() { text(name, row) } else { None }).collect()
    };
    (0..frame.height()).map(|row| (number(row), cells(row), text(CORRUPT_RECORD, row))).collect()
}

fn texts(frame: &DataFrame, name: &str) -> Vec<Option<String>> {
    frame.column(name).expect("column").str().expect("String").iter().map(|text| text.map(str::to_owned)).collect()
}
