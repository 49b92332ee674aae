//! Parses a run of whole lines into columns.

use std::str::CharIndices;

use memchr::memchr;
use polars::prelude::{IntoColumn, StringChunkedBuilder};
use sluice_core::run::Positions;

use crate::source::corrupt::{CorruptRecord, FaultReason};
use crate::source::joined::Piece;
use crate::source::place::count_lines;

/// How the pieces of an object are parsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// The columns.
    pub(super) names: &'a [String],
    /// Where they begin and end in the line, in characters; ascending.
    pub(super) spans: &'a [(usize, usize)],
    /// What a line begins with that is no record.
    pub(super) comment: Option<u8>,
    /// Largest record.
    pub(super) record_bytes: usize,
    pub(super) positions: Positions,
}

/// A record is larger than the limit; row and line are counted from the start of the piece, from 0, and the offset is
/// that in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) row: usize,
    pub(super) line: u64,
    pub(super) offset: u64,
}

/// Parses `bytes`, which are whole lines and begin at the byte `offset` of the object.
pub(super) fn parse(rules: Rules<'_>, offset: u64, bytes: &[u8]) -> Result<Piece, TooLarge> {
    let lines = count_lines(bytes);
    let room = usize::try_from(lines).unwrap_or_default() + 1;
    let mut columns: Vec<StringChunkedBuilder> =
        rules.names.iter().map(|name| StringChunkedBuilder::new(name.into(), room)).collect();
    let (mut rows, mut line, mut at) = (0, 0, offset);
    let (mut offsets, mut corrupt, mut rest) = (Vec::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).map_or(rest.len(), |line_feed| line_feed + 1);
        let (raw, after) = rest.split_at(end);
        let record = without_line_end(raw);
        let is_comment = rules.comment.is_some() && record.first().copied() == rules.comment;
        if !is_comment && record.iter().any(|byte| *byte != b' ') {
            if record.len() > rules.record_bytes {
                return Err(TooLarge { row: rows, line, offset: at });
            }
            if rules.positions == Positions::Bytes {
                offsets.push(at);
            }
            if let Err(reason) = push(&mut columns, rules.spans, record) {
                let raw = String::from_utf8_lossy(record).into_owned();
                corrupt.push(CorruptRecord { index: rows, line: Some(line + 1), reason, raw });
                columns.iter_mut().for_each(StringChunkedBuilder::append_null);
            }
            rows += 1;
        }
        line += 1;
        at += end as u64;
        rest = after;
    }
    let columns = columns.into_iter().map(|column| column.finish().into_column()).collect();
    Ok(Piece { columns, rows, offsets, corrupt, lines })
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Adds the values of a line, or nothing.
fn push(columns: &mut [StringChunkedBuilder], spans: &[(usize, usize)], record: &[u8]) -> Result<(), FaultReason> {
    let text = simdutf8::basic::from_utf8(record).map_err(|_| FaultReason::InvalidUtf8)?;
    if memchr(0, record).is_some() {
        return Err(FaultReason::Nul);
    }
    let expected = spans.last().map_or(0, |(_, end)| *end);
    // Most lines are no longer than the table in bytes, so they are not in characters either.
    if record.len() > expected && Characters::of(text).after(expected).bytes().any(|byte| byte != b' ') {
        let found = text.trim_end_matches(' ').chars().count();
        return Err(FaultReason::LineLength { expected, found });
    }
    let mut characters = Characters::of(text);
    for (column, (begin, end)) in columns.iter_mut().zip(spans) {
        match characters.between(*begin, *end).trim_matches(' ') {
            "" => column.append_null(),
            value => column.append_value(value),
        }
    }
    Ok(())
}

/// Finds characters of a text by their number, which may only grow.
enum Characters<'t> {
    /// Characters are bytes.
    Ascii(&'t str),
    /// They are not.
    Wide {
        text: &'t str,
        /// Behind the last character that was asked for.
        rest: CharIndices<'t>,
        /// How many characters are before it.
        passed: usize,
    },
}

impl<'t> Characters<'t> {
    fn of(text: &'t str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text);
        }
        Self::Wide { text, rest: text.char_indices(), passed: 0 }
    }

    /// The byte at which a character begins, or the end of the text.
    fn byte_of(&mut self, character: usize) -> usize {
        match self {
            Self::Ascii(text) => character.min(text.len()),
            Self::Wide { rest, passed, .. } => {
                if let Some(last) = character.saturating_sub(*passed).checked_sub(1) {
                    rest.nth(last);
                    *passed = character;
                }
                rest.offset()
            }
        }
    }

    fn between(&mut self, begin: usize, end: usize) -> &'t str {
        let (begin, end) = (self.byte_of(begin), self.byte_of(end));
        self.text().get(begin..end).unwrap_or_default()
    }

    fn after(mut self, character: usize) -> &'t str {
        let begin = self.byte_of(character);
        self.text().get(begin..).unwrap_or_default()
    }

    fn text(&self) -> &'t str {
        match self {
            Self::Ascii(text) | Self::Wide { text, .. } => text,
        }
    }
}
