//! CSV with a header line, RFC 4180 and the usual leniencies.
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
//! | too many or too few fields, text after a closing quote, invalid UTF-8, NUL | corrupt record with its raw text |
//! | a quote that is never closed | the object is refused: nobody can tell where records end |
//!
//! One parser finds the fields and the records, so the two cannot disagree. A first, far cheaper pass over the quotes
//! alone finds where records end, which is all that is needed to divide a chunk among threads.

mod dialect;
mod piece;
mod record;
#[cfg(test)]
mod tests;

use std::thread;

use polars::error::PolarsError;
use polars::prelude::Column;
use sluice_core::spec::CsvSpec;

use self::dialect::{Dialect, cut_records};
use self::piece::{Piece, PieceError};
use self::record::{FieldKind, RecordParser};
use super::batch::SourceBatch;
use super::chunk::{Chunk, ChunkReader, Next, ReadLimits, count_lines};
use super::columns::{ColumnFault, SourceColumns};
use super::error::{CorruptRecord, Place, SourceError};
use super::stream::{SourceInput, open_text};
use super::{Sink, SourceSummary};

/// The names in the header.
pub(super) fn read_header(spec: CsvSpec, input: SourceInput, object: &str) -> Result<Vec<String>, SourceError> {
    Ok(CsvSource::open(spec, input, object, ReadLimits::sniff())?.columns.names().to_vec())
}

/// Reads a whole object.
pub(super) fn read(
    spec: CsvSpec,
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let mut source = CsvSource::open(spec, input, object, limits)?;
    let mut next = source.next()?;
    loop {
        match next {
            Next::Chunk(chunk) => {
                let (pieces, after) = source.parse_while_reading_on(&chunk);
                source.hand_out(pieces?, chunk.lines_before, sink)?;
                // A later error is returned after the records before it were handed out, so it does not depend on chunks.
                next = after?;
            }
            Next::TooLarge { line } => {
                return Err(source.too_large(Place::Record { row: source.rows + 1, line: Some(line) }));
            }
            Next::End => return Ok(source.into_summary()),
        }
    }
}

type ParsedPieces = Vec<Result<Piece, PieceError>>;

struct CsvSource<'a> {
    object: &'a str,
    dialect: Dialect,
    columns: SourceColumns,
    reader: ChunkReader<'a>,
    limits: ReadLimits,
    /// Records handed out.
    rows: u64,
    /// Those of them that are corrupt.
    corrupt_rows: u64,
}

impl<'a> CsvSource<'a> {
    fn open(spec: CsvSpec, input: SourceInput, object: &'a str, limits: ReadLimits) -> Result<Self, SourceError> {
        let dialect =
            Dialect::new(spec).map_err(|character| SourceError::Dialect { object: object.to_owned(), character })?;
        let mut reader = ChunkReader::new(open_text(input, object)?, object, limits);
        let Some(columns) = reader.take_front(|bytes, at_end| parse_header(dialect, object, bytes, at_end))? else {
            let (object, place) = (object.to_owned(), Place::Header { line: 1 });
            return Err(SourceError::RecordTooLarge { object, place, limit_bytes: limits.record_bytes });
        };
        Ok(Self { object, dialect, columns, reader, limits, rows: 0, corrupt_rows: 0 })
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        let (dialect, limits) = (self.dialect, self.limits);
        self.reader.next(|bytes, at_end| cut_records(dialect, bytes, at_end, &limits))
    }

    /// Parses the pieces of a chunk, a thread for each, while this thread reads the next chunk.
    fn parse_while_reading_on(
        &mut self,
        chunk: &Chunk,
    ) -> (Result<ParsedPieces, SourceError>, Result<Next, SourceError>) {
        let dialect = self.dialect;
        let record_bytes = self.limits.record_bytes;
        let columns = std::mem::take(&mut self.columns);
        let names = columns.names();
        let (pieces, next) = thread::scope(|scope| {
            let threads: Vec<_> = chunk
                .pieces()
                .map(|bytes| scope.spawn(move || piece::parse(dialect, names, bytes, record_bytes)))
                .collect();
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
        let batch = SourceBatch::new(batch.columns, rows, first_row, &batch.corrupt)
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
            PieceError::RecordTooLarge { row, line } => {
                let row = self.rows + rows_before + row as u64 + 1;
                self.too_large(Place::Record { row, line: Some(lines_before + line + 1) })
            }
            PieceError::NotWhole => self.defect(),
        }
    }

    fn too_large(&self, place: Place) -> SourceError {
        SourceError::RecordTooLarge { object: self.object.to_owned(), place, limit_bytes: self.limits.record_bytes }
    }

    fn into_summary(self) -> SourceSummary {
        let columns = self.columns.names().to_vec();
        SourceSummary { rows: self.rows, corrupt_rows: self.corrupt_rows, columns }
    }
}

/// The pieces of a chunk, one behind the other.
#[derive(Default)]
struct Joined {
    columns: Vec<Column>,
    rows: usize,
    corrupt: Vec<CorruptRecord>,
    lines: u64,
}

impl Joined {
    /// Adds a piece before which the object has this many lines.
    fn append(&mut self, piece: Piece, lines_before: u64) -> Result<(), PolarsError> {
        self.corrupt.extend(piece.corrupt.into_iter().map(|record| record.moved(self.rows, lines_before)));
        if self.columns.is_empty() {
            self.columns = piece.columns;
        } else {
            for (column, more) in self.columns.iter_mut().zip(&piece.columns) {
                column.append(more)?;
            }
        }
        self.rows += piece.rows;
        self.lines += piece.lines;
        Ok(())
    }
}

/// The columns of the header and its end, once the header is whole.
fn parse_header(
    dialect: Dialect,
    object: &str,
    bytes: &[u8],
    at_end: bool,
) -> Result<Option<(SourceColumns, usize)>, SourceError> {
    let mut parser = RecordParser::new(dialect);
    let mut at = 0;
    let record = loop {
        if at >= bytes.len() {
            return if at_end { Err(SourceError::EmptyObject { object: object.to_owned() }) } else { Ok(None) };
        }
        let record = parser.next(bytes, at);
        if !record.terminated && !at_end {
            return Ok(None);
        }
        if !parser.is_blank() {
            break record;
        }
        at = record.next;
    };
    let line_of = |offset: usize| count_lines(bytes.get(..offset).unwrap_or_default()) + 1;
    if let Some(quote) = record.open_quote {
        return Err(SourceError::UnclosedQuote { object: object.to_owned(), line: line_of(quote) });
    }
    let place = Place::Header { line: line_of(record.start) };
    let refuse = |fault| SourceError::Columns { object: object.to_owned(), place, fault };
    let raw = bytes.get(record.start..record.end).unwrap_or_default();
    let text = std::str::from_utf8(raw).map_err(|_| refuse(ColumnFault::HeaderUtf8))?;
    if text.contains('\0') {
        return Err(refuse(ColumnFault::HeaderNul));
    }
    if record.text_after_quote {
        return Err(refuse(ColumnFault::HeaderQuote));
    }
    let quote = char::from(dialect.quote);
    let doubled: String = [quote, quote].iter().collect();
    let mut names = Vec::with_capacity(parser.fields.len());
    for field in &parser.fields {
        let name = text.get(field.start - record.start..field.end - record.start).unwrap_or_default();
        if field.kind == FieldKind::Plain && name.contains('\r') {
            return Err(refuse(ColumnFault::HeaderCarriageReturn));
        }
        names.push(name.replace(&doubled, quote.encode_utf8(&mut [0; 4])));
    }
    let columns = SourceColumns::from_header(&names).map_err(refuse)?;
    Ok(Some((columns, record.next)))
}
