//! CSV, RFC 4180 and the usual leniencies.
//!
//! | input | result |
//! |---|---|
//! | LF or CRLF ends a record | also mixed; the last record may lack it |
//! | `"a,b"`, `"a""b"`, line ends inside quotes | quoted fields, unescaped |
//! | a quote inside a field that does not start with one (`12" CANDLE`) | text |
//! | a carriage return that no line feed follows | text |
//! | spaces around a field | text; around a column name: dropped |
//! | empty field | null |
//! | quoted empty field `""` | empty text |
//! | blank line | skipped and not counted; in an object with one column it is a record with null |
//! | too many fields, or too few where the spec does not pad records | corrupt record with its raw text |
//! | text after a closing quote, invalid UTF-8, NUL | the same |
//! | a line that begins with the spec's `comment` | skipped and not counted; quotes in it are text |
//! | a quote that is never closed | the object is refused: nobody can tell where records end |
//!
//! A spec may say otherwise: see [`general`] for delimiters and record ends of several bytes, no quotes, and escapes. What
//! reads the usual way knows nothing of these, so that it is as fast as if they did not exist.
//!
//! One parser finds the fields and the records, so the two cannot disagree. A first, far cheaper pass over quotes (and
//! comments) alone finds where records end, which is all that is needed to divide a chunk among threads, and to end a
//! range of an object where a record ends.

mod begin;
mod dialect;
mod footer;
mod general;
mod header;
mod options;
mod piece;
mod record;
mod syntax;
#[cfg(test)]
mod tests;

use std::thread;

use polars::error::PolarsError;
use sluice_core::run::Positions;
use sluice_core::spec::{CsvHeader, RaggedRecords};

use self::begin::Guess;
pub(super) use self::footer::FooterFault;
use self::footer::without_last_lines;
use self::general::GeneralGuess;
use self::header::{known_columns, take_columns};
pub(crate) use self::options::CsvOptions;
use self::piece::{PieceError, RecordShape, Rules};
use self::syntax::Syntax;
use super::batch::SourceBatch;
use super::chunk::{Chunk, ChunkReader, Next, ReadLimits};
use super::columns::SourceColumns;
use super::error::{Place, SourceError};
use super::extent::{Begin, Extent};
use super::joined::{Joined, Piece};
use super::place::{RowPositions, Spot};
use super::stream::{SourceInput, open_extent};
use super::{Sink, SourceSummary};

/// The names of the columns.
pub(super) fn read_header(csv: &CsvOptions, input: SourceInput, object: &str) -> Result<Vec<String>, SourceError> {
    let extent = Extent::whole(Positions::Numbers);
    Ok(CsvSource::open(csv, input, object, extent, ReadLimits::sniff())?.columns.names().to_vec())
}

/// Reads the records of an extent.
pub(super) fn read(
    csv: &CsvOptions,
    input: SourceInput,
    object: &str,
    extent: Extent<'_>,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let mut source = CsvSource::open(csv, input, object, extent, limits)?;
    let mut next = source.next()?;
    loop {
        match next {
            Next::Chunk(chunk) => {
                let (pieces, after) = source.parse_while_reading_on(&chunk);
                source.hand_out(pieces?, chunk.lines_before, sink)?;
                // A later error is returned after the records before it were handed out, so it does not depend on chunks.
                next = after?;
            }
            Next::TooLarge(spot) => return Err(source.too_large(source.rows + 1, spot)),
            Next::End => return Ok(source.into_summary()),
        }
    }
}

type ParsedPieces = Vec<Result<Piece, PieceError>>;

struct CsvSource<'a> {
    object: &'a str,
    syntax: Syntax,
    shape: RecordShape,
    positions: Positions,
    columns: SourceColumns,
    reader: ChunkReader<'a>,
    limits: ReadLimits,
    /// Records handed out.
    rows: u64,
    /// Those of them that are corrupt.
    corrupt_rows: u64,
}

impl<'a> CsvSource<'a> {
    fn open(
        csv: &CsvOptions,
        input: SourceInput,
        object: &'a str,
        extent: Extent<'_>,
        limits: ReadLimits,
    ) -> Result<Self, SourceError> {
        let spec = csv.spec();
        let syntax =
            Syntax::of(spec).map_err(|character| SourceError::Dialect { object: object.to_owned(), character })?;
        let shape =
            RecordShape { pad: spec.ragged == RaggedRecords::Pad, has_header: spec.header == CsvHeader::Present };
        let text = without_last_lines(spec, open_extent(input, object, extent, spec.encoding)?, object, extent)?;
        let mut reader = ChunkReader::new(text, object, extent, limits).with_lines(syntax.has_lines());
        let columns = match extent.begin {
            Begin::Object => take_columns(&mut reader, csv, &syntax, object, limits)?,
            Begin::Guessed { columns, .. } => {
                seek_begin(&mut reader, &syntax, columns.len(), shape.pad, limits)?;
                known_columns(columns, object)?
            }
            Begin::Proven { columns, .. } => known_columns(columns, object)?,
        };
        let positions = extent.positions;
        Ok(Self { object, syntax, shape, positions, columns, reader, limits, rows: 0, corrupt_rows: 0 })
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        let (syntax, limits) = (&self.syntax, self.limits);
        self.reader.next(|bytes, at_end, end| syntax.cut(bytes, at_end, end, &limits))
    }

    /// Parses the pieces of a chunk, a thread for each, while this thread reads the next chunk.
    fn parse_while_reading_on(
        &mut self,
        chunk: &Chunk,
    ) -> (Result<ParsedPieces, SourceError>, Result<Next, SourceError>) {
        let columns = std::mem::take(&mut self.columns);
        let syntax = self.syntax.clone();
        let rules = Rules {
            syntax: &syntax,
            names: columns.names(),
            record_bytes: self.limits.record_bytes,
            positions: self.positions,
            shape: self.shape,
        };
        let (pieces, next) = thread::scope(|scope| {
            let threads: Vec<_> =
                chunk.pieces().map(|(offset, bytes)| scope.spawn(move || piece::parse(rules, offset, bytes))).collect();
            let next = self.next();
            let pieces: Result<ParsedPieces, _> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
            (pieces, next)
        });
        self.columns = columns;
        (pieces.map_err(|_panic| self.defect()), next)
    }

    fn hand_out(&mut self, pieces: ParsedPieces, lines_before: u64, sink: Sink<'_>) -> Result<(), SourceError> {
        let first_row = self.rows + 1;
        let mut batch = Joined::default();
        for piece in pieces {
            let lines_before = lines_before + batch.lines;
            let piece = piece.map_err(|error| self.piece_error(error, batch.rows as u64, lines_before))?;
            batch.append(piece, lines_before).map_err(|source| self.batch_error(first_row, source))?;
        }
        if batch.rows == 0 {
            return Ok(());
        }
        let (rows, corrupt_rows) = (batch.rows, batch.corrupt.len() as u64);
        let positions = match self.positions {
            Positions::Numbers => RowPositions::Numbered { first: first_row },
            Positions::Bytes => RowPositions::Offsets(batch.offsets),
        };
        let batch = SourceBatch::new(batch.columns, rows, &positions, &batch.corrupt)
            .map_err(|e| self.batch_error(first_row, e))?;
        self.rows += rows as u64;
        self.corrupt_rows += corrupt_rows;
        sink(batch).map_err(|source| SourceError::Sink { object: self.object.to_owned(), row: first_row, source })
    }

    fn batch_error(&self, row: u64, source: PolarsError) -> SourceError {
        SourceError::Batch { object: self.object.to_owned(), row, source }
    }

    fn defect(&self) -> SourceError {
        SourceError::Parser { object: self.object.to_owned(), row: self.rows + 1 }
    }

    fn piece_error(&self, error: PieceError, rows_before: u64, lines_before: u64) -> SourceError {
        match error {
            PieceError::RecordTooLarge { row, line, offset } => {
                let row = self.rows + rows_before + row as u64 + 1;
                let line = self.syntax.has_lines().then_some(lines_before + line + 1);
                self.too_large(row, Spot { line, offset })
            }
            PieceError::NotWhole => self.defect(),
        }
    }

    fn too_large(&self, row: u64, spot: Spot) -> SourceError {
        let place = Place::of_record(self.positions, row, spot);
        SourceError::RecordTooLarge { object: self.object.to_owned(), place, limit_bytes: self.limits.record_bytes }
    }

    fn into_summary(self) -> SourceSummary {
        let columns = self.columns.names().to_vec();
        SourceSummary { rows: self.rows, corrupt_rows: self.corrupt_rows, columns, found: self.reader.found() }
    }
}

/// Goes on to the first record, whose begin is a guess.
fn seek_begin(
    reader: &mut ChunkReader<'_>,
    syntax: &Syntax,
    columns: usize,
    pad: bool,
    limits: ReadLimits,
) -> Result<(), SourceError> {
    match syntax {
        Syntax::Usual(dialect) => {
            let guess = Guess { dialect: *dialect, columns, pad, limits };
            reader.skip_to(|bytes, at_end| guess.begin(bytes, at_end))
        }
        Syntax::General(dialect) => {
            let guess = GeneralGuess { dialect, columns, pad, limits };
            reader.skip_to(|bytes, at_end| guess.begin(bytes, at_end))
        }
    }
}
