//! Lines of fixed width: each column has its characters of the line.
//!
//! | input | result |
//! |---|---|
//! | LF or CRLF ends a record | also mixed; the last record may lack it |
//! | spaces around a value | dropped; a value of spaces alone is null |
//! | a line that ends before a column | the column is null |
//! | a line of spaces alone, a line that begins with the spec's `comment` | skipped and not counted |
//! | text behind the last column, invalid UTF-8, NUL | corrupt record with its raw text |
//!
//! Characters are those of Unicode, whatever the encoding, and not bytes. Every line is a record of its own, so chunks
//! are divided among threads, and objects into byte ranges, at any line feed.

mod piece;
#[cfg(test)]
mod tests;

use std::thread;

use memchr::{memchr, memchr_iter, memrchr};
use sluice_core::run::Positions;
use sluice_core::spec::{AsciiChar, FixedWidthSpec};

use self::piece::{Rules, TooLarge};
use super::batch::SourceBatch;
use super::chunk::{Chunk, ChunkReader, Cut, Next, ReadLimits};
use super::error::{Place, SourceError};
use super::extent::{Begin, Extent};
use super::joined::{Joined, Piece};
use super::place::{RowPositions, Spot};
use super::stream::{SourceInput, open_extent};
use super::{Sink, SourceSummary};

/// Reads the records of an extent.
pub(super) fn read(
    spec: Option<&FixedWidthSpec>,
    input: SourceInput,
    object: &str,
    extent: Extent<'_>,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let Some(spec) = spec else {
        let problem = "the pipeline says nothing of its columns";
        return Err(SourceError::Extent { object: object.to_owned(), problem });
    };
    let mut source = FixedWidthSource::open(spec, input, object, extent, limits)?;
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
            // Of a part of an object nobody knows that the rest is empty, too.
            Next::End if source.rows == 0 && extent.is_whole() => {
                return Err(SourceError::EmptyObject { object: object.to_owned() });
            }
            Next::End => return Ok(source.into_summary()),
        }
    }
}

type ParsedPieces = Vec<Result<Piece, TooLarge>>;

struct FixedWidthSource<'a> {
    object: &'a str,
    names: Vec<String>,
    /// Where the columns begin and end in the line, in characters.
    spans: Vec<(usize, usize)>,
    comment: Option<u8>,
    positions: Positions,
    reader: ChunkReader<'a>,
    limits: ReadLimits,
    /// Records handed out.
    rows: u64,
    /// Those of them that are corrupt.
    corrupt_rows: u64,
}

impl<'a> FixedWidthSource<'a> {
    fn open(
        spec: &FixedWidthSpec,
        input: SourceInput,
        object: &'a str,
        extent: Extent<'_>,
        limits: ReadLimits,
    ) -> Result<Self, SourceError> {
        let mut reader = ChunkReader::new(open_extent(input, object, extent, spec.encoding)?, object, extent, limits);
        match extent.begin {
            Begin::Object if spec.skip_lines > 0 => skip_lines(&mut reader, spec.skip_lines, object, limits)?,
            // No guess: a line feed always ends a record.
            Begin::Guessed { .. } => reader.skip_to(|bytes, at_end| match memchr(b'\n', bytes) {
                Some(line_feed) => Some(line_feed + 1),
                None => at_end.then_some(bytes.len()),
            })?,
            Begin::Object | Begin::Proven { .. } => {}
        }
        let (mut names, mut spans) = (Vec::new(), Vec::new());
        for (name, begin, end) in spec.spans() {
            names.push(name.to_owned());
            spans.push((begin, end));
        }
        let (comment, positions) = (spec.comment.map(AsciiChar::byte), extent.positions);
        Ok(Self { object, names, spans, comment, positions, reader, limits, rows: 0, corrupt_rows: 0 })
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        let limits = self.limits;
        self.reader.next(|bytes, at_end, end| cut_lines(bytes, at_end, end, &limits))
    }

    /// Parses the pieces of a chunk, a thread for each, while this thread reads the next chunk.
    fn parse_while_reading_on(
        &mut self,
        chunk: &Chunk,
    ) -> (Result<ParsedPieces, SourceError>, Result<Next, SourceError>) {
        let (names, spans) = (std::mem::take(&mut self.names), std::mem::take(&mut self.spans));
        let rules = Rules {
            names: &names,
            spans: &spans,
            comment: self.comment,
            record_bytes: self.limits.record_bytes,
            positions: self.positions,
        };
        let (pieces, next) = thread::scope(|scope| {
            let threads: Vec<_> =
                chunk.pieces().map(|(offset, bytes)| scope.spawn(move || piece::parse(rules, offset, bytes))).collect();
            let next = self.next();
            let pieces: Result<ParsedPieces, _> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
            (pieces, next)
        });
        (self.names, self.spans) = (names, spans);
        let row = self.rows + 1;
        (pieces.map_err(|_panic| SourceError::Parser { object: self.object.to_owned(), row }), next)
    }

    fn hand_out(&mut self, pieces: ParsedPieces, lines_before: u64, sink: Sink<'_>) -> Result<(), SourceError> {
        let row = self.rows + 1;
        let of_batch = |source| SourceError::Batch { object: self.object.to_owned(), row, source };
        let mut batch = Joined::default();
        for piece in pieces {
            let lines_before = lines_before + batch.lines;
            let piece = piece.map_err(|TooLarge { row, line, offset }| {
                let row = self.rows + batch.rows as u64 + row as u64 + 1;
                self.too_large(row, Spot { line: Some(lines_before + line + 1), offset })
            })?;
            batch.append(piece, lines_before).map_err(of_batch)?;
        }
        if batch.rows == 0 {
            return Ok(());
        }
        let (rows, corrupt_rows) = (batch.rows as u64, batch.corrupt.len() as u64);
        let positions = match self.positions {
            Positions::Numbers => RowPositions::Numbered { first: row },
            Positions::Bytes => RowPositions::Offsets(batch.offsets),
        };
        let batch = SourceBatch::new(batch.columns, batch.rows, &positions, &batch.corrupt).map_err(of_batch)?;
        self.rows += rows;
        self.corrupt_rows += corrupt_rows;
        sink(batch).map_err(|source| SourceError::Sink { object: self.object.to_owned(), row, source })
    }

    fn too_large(&self, row: u64, spot: Spot) -> SourceError {
        let place = Place::of_record(self.positions, row, spot);
        SourceError::RecordTooLarge { object: self.object.to_owned(), place, limit_bytes: self.limits.record_bytes }
    }

    fn into_summary(self) -> SourceSummary {
        let found = self.reader.found();
        SourceSummary { rows: self.rows, corrupt_rows: self.corrupt_rows, columns: self.names, found }
    }
}

/// Takes the lines before the first record off the object.
fn skip_lines(reader: &mut ChunkReader<'_>, lines: u32, object: &str, limits: ReadLimits) -> Result<(), SourceError> {
    let origin = reader.origin();
    let before = usize::try_from(lines).unwrap_or(usize::MAX).saturating_sub(1);
    let skipped = reader.take_front(|bytes, at_end| match memchr_iter(b'\n', bytes).nth(before) {
        Some(line_feed) => Ok(Some(((), line_feed + 1))),
        None if at_end => Err(SourceError::EmptyObject { object: object.to_owned() }),
        None => Ok(None),
    })?;
    skipped.ok_or_else(|| {
        let (object, place) = (object.to_owned(), origin.place(&[], 0));
        SourceError::RecordTooLarge { object, place, limit_bytes: limits.record_bytes }
    })
}

/// Where whole lines end, divided into as many groups as the limits ask for. `end`: the first line end at or after it is
/// the last one.
fn cut_lines(bytes: &[u8], at_end: bool, end: usize, limits: &ReadLimits) -> Cut {
    let from = end.saturating_sub(1);
    let reached = bytes.get(from..).and_then(|rest| memchr(b'\n', rest)).map(|line_feed| from + line_feed + 1);
    let last = match reached {
        Some(last) => last,
        None if at_end => bytes.len(),
        None => match memrchr(b'\n', bytes) {
            Some(line_feed) => line_feed + 1,
            None => return Cut::More,
        },
    };
    let stride = last.div_ceil(limits.pieces(last)).max(1);
    let (mut ends, mut target) = (Vec::new(), stride);
    while target < last {
        let rest = bytes.get(target - 1..last).unwrap_or_default();
        let Some(line_feed) = memchr(b'\n', rest).filter(|line_feed| target + line_feed < last) else { break };
        ends.push(target + line_feed);
        target += line_feed + stride;
    }
    ends.push(last);
    Cut::Ends(ends)
}
