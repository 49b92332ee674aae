//! Parses a run of whole records into columns.

use memchr::memchr;
use polars::prelude::{IntoColumn, StringChunkedBuilder};
use sluice_core::run::Positions;

use super::general::GeneralParser;
use super::record::{FieldKind, Record, RecordParser};
use super::syntax::{Records, Syntax};
use crate::source::corrupt::{CorruptRecord, FaultReason};
use crate::source::joined::Piece;
use crate::source::place::count_lines;

/// How the pieces of an object are parsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) syntax: &'a Syntax,
    /// The columns.
    pub(super) names: &'a [String],
    /// Largest record.
    pub(super) record_bytes: usize,
    pub(super) positions: Positions,
    pub(super) shape: RecordShape,
}

/// Which numbers of fields a record may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordShape {
    /// Whether fields that are missing at the end are null.
    pub(super) pad: bool,
    /// Whether the number of columns is that of a header.
    pub(super) has_header: bool,
}

/// Why a piece cannot be parsed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceError {
    /// A record is larger than the limit; row and line are counted from the start of the piece, from 0, and the offset
    /// is that in the object.
    RecordTooLarge { row: usize, line: u64, offset: u64 },
    /// The piece does not end where a record ends: a defect of ours.
    NotWhole,
}

/// Parses `bytes`, which are whole records and begin at the byte `offset` of the object.
pub(super) fn parse(rules: Rules<'_>, offset: u64, bytes: &[u8]) -> Result<Piece, PieceError> {
    match rules.syntax {
        Syntax::Usual(dialect) => parse_with(RecordParser::new(*dialect), rules, offset, bytes),
        Syntax::General(general) => parse_with(GeneralParser::new(general), rules, offset, bytes),
    }
}

fn parse_with<R: Records>(mut parser: R, rules: Rules<'_>, offset: u64, bytes: &[u8]) -> Result<Piece, PieceError> {
    let Rules { syntax, names, record_bytes, positions, shape } = rules;
    let mut builder = PieceBuilder::new(names, shape, bytes);
    let mut at = 0;
    while at < bytes.len() {
        if let Some(next) = parser.comment_end(bytes, at) {
            at = next;
            continue;
        }
        let record = parser.next(bytes, at);
        at = record.next;
        if record.open_quote.is_some() {
            return Err(PieceError::NotWhole);
        }
        if names.len() != 1 && record.is_blank() {
            continue;
        }
        if record.end - record.start > record_bytes {
            let (row, line) = (builder.rows, builder.lines_before(record));
            return Err(PieceError::RecordTooLarge { row, line, offset: offset + record.start as u64 });
        }
        if positions == Positions::Bytes {
            builder.offsets.push(offset + record.start as u64);
        }
        match builder.check(record, &parser) {
            Ok(text) => builder.push(&parser, text)?,
            Err(reason) => builder.push_corrupt(record, reason, syntax.has_lines()),
        }
    }
    Ok(builder.finish())
}

/// Text that fields are cut from: `text` starts at the offset `base` of the piece.
#[derive(Clone, Copy)]
struct RecordText<'a> {
    text: &'a str,
    base: usize,
}

struct PieceBuilder<'a> {
    bytes: &'a [u8],
    /// All of `bytes`, if it is clean: valid UTF-8 and no NUL. Otherwise each record is checked for itself.
    clean: Option<&'a str>,
    shape: RecordShape,
    columns: Vec<StringChunkedBuilder>,
    rows: usize,
    offsets: Vec<u64>,
    corrupt: Vec<CorruptRecord>,
    /// An offset in `bytes` and the lines before it: lines are counted once, whatever the number of corrupt records.
    counted: (usize, u64),
    unescaped: String,
}

impl<'a> PieceBuilder<'a> {
    fn new(names: &[String], shape: RecordShape, bytes: &'a [u8]) -> Self {
        let clean = simdutf8::basic::from_utf8(bytes).ok().filter(|_| memchr(0, bytes).is_none());
        let lines = usize::try_from(count_lines(bytes)).unwrap_or_default();
        // More lines than records is possible, but then records are long and the estimate is small.
        let columns = names.iter().map(|name| StringChunkedBuilder::new(name.into(), lines + 1)).collect();
        Self {
            bytes,
            clean,
            shape,
            columns,
            rows: 0,
            offsets: Vec::new(),
            corrupt: Vec::new(),
            counted: (0, 0),
            unescaped: String::new(),
        }
    }

    #[inline]
    fn check<R: Records>(&self, record: Record, parser: &R) -> Result<RecordText<'a>, FaultReason> {
        let text = match self.clean {
            Some(text) => RecordText { text, base: 0 },
            None => {
                let raw = self.bytes.get(record.start..record.end).unwrap_or_default();
                let text = simdutf8::basic::from_utf8(raw).map_err(|_| FaultReason::InvalidUtf8)?;
                if memchr(0, raw).is_some() {
                    return Err(FaultReason::Nul);
                }
                RecordText { text, base: record.start }
            }
        };
        if record.text_after_quote {
            let raw = self.bytes.get(record.start..record.end).unwrap_or_default();
            let escaped =
                parser.quote_without_escape().filter(|quote| raw.windows(2).any(|pair| pair == [b'\\', *quote]));
            return Err(match escaped {
                Some(quote) => FaultReason::EscapedQuote { quote: char::from(quote) },
                None => FaultReason::TextAfterQuote,
            });
        }
        if let Some((sign, code)) = parser.bad_escape() {
            return Err(FaultReason::Escape { sign, code });
        }
        let (expected, found) = (self.columns.len(), parser.fields().len());
        if found == expected || (self.shape.pad && found < expected) {
            return Ok(text);
        }
        Err(match self.shape.has_header {
            true => FaultReason::FieldCount { expected, found },
            false => FaultReason::ColumnCount { expected, found },
        })
    }

    #[inline]
    fn push<R: Records>(&mut self, parser: &R, record: RecordText<'a>) -> Result<(), PieceError> {
        let fields = parser.fields();
        for (column, field) in self.columns.iter_mut().zip(fields) {
            if field.is_null() {
                column.append_null();
                continue;
            }
            // Delimiters, quotes and record ends are characters, so fields are cut between characters.
            let range = field.start - record.base..field.end - record.base;
            let value = record.text.get(range).ok_or(PieceError::NotWhole)?;
            match field.kind {
                FieldKind::Plain | FieldKind::Quoted => column.append_value(value),
                FieldKind::Escaped | FieldKind::EscapedPlain => {
                    parser.unescape(field.kind, value, &mut self.unescaped);
                    column.append_value(&self.unescaped);
                }
            }
        }
        for column in self.columns.get_mut(fields.len()..).unwrap_or_default() {
            column.append_null();
        }
        self.rows += 1;
        Ok(())
    }

    #[cold]
    fn push_corrupt(&mut self, record: Record, reason: FaultReason, has_lines: bool) {
        let line = has_lines.then(|| self.lines_before(record) + 1);
        let raw = self.bytes.get(record.start..record.end).unwrap_or_default();
        let raw = String::from_utf8_lossy(raw).into_owned();
        self.corrupt.push(CorruptRecord { index: self.rows, line, reason, raw });
        self.columns.iter_mut().for_each(StringChunkedBuilder::append_null);
        self.rows += 1;
    }

    fn lines_before(&mut self, record: Record) -> u64 {
        let (offset, lines) = self.counted;
        let lines = lines + count_lines(self.bytes.get(offset..record.start).unwrap_or_default());
        self.counted = (record.start, lines);
        lines
    }

    fn finish(self) -> Piece {
        Piece {
            columns: self.columns.into_iter().map(|column| column.finish().into_column()).collect(),
            rows: self.rows,
            offsets: self.offsets,
            corrupt: self.corrupt,
            lines: count_lines(self.bytes),
        }
    }
}
