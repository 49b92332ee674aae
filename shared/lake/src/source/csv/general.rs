//! Any way to write records but the usual one: delimiters and record ends of several bytes, no quotes, escapes.
//!
//! One parser finds fields and records, and its record ends are those at which an object is cut. Where neither quotes
//! nor escapes can hide a record end of one byte, that byte alone is searched for.

use memchr::{memchr, memchr2, memchr3, memmem};
use sluice_core::spec::{AsciiChar, CsvSpec, EscapeCodes};

use super::dialect::CutSearch;
use super::record::{Field, FieldKind, Record};
use crate::source::chunk::{Cut, ReadLimits};

/// How records are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct General {
    delimiter: Vec<u8>,
    quote: Option<u8>,
    escape: Option<u8>,
    /// Whether letters behind an escape are codes.
    has_codes: bool,
    end: Vec<u8>,
    /// Whether a carriage return before the record end is a part of it.
    takes_return: bool,
    comment: Option<u8>,
    trailing_delimiter: bool,
    /// The bytes that a field may end with, and the escape.
    stops: [u8; 3],
}

/// What ends a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Delimiter,
    Record,
    /// The end of the bytes.
    Bytes,
}

/// Where a field ends.
#[derive(Debug, Clone, Copy)]
struct FieldEnd {
    at: usize,
    stop: Stop,
    has_escapes: bool,
}

impl General {
    pub(super) fn new(spec: &CsvSpec) -> Self {
        let delimiter = spec.delimiter.as_str().as_bytes().to_vec();
        let end = spec.record_end.as_str().as_bytes().to_vec();
        let escape = spec.escape_sign().map(AsciiChar::byte);
        // Neither is empty.
        let first = delimiter.first().copied().unwrap_or(b',');
        let last = end.first().copied().unwrap_or(b'\n');
        Self {
            quote: spec.quote.sign().map(AsciiChar::byte),
            escape,
            has_codes: spec.escapes == EscapeCodes::Copy,
            takes_return: spec.record_end.is_line_feed(),
            comment: spec.comment.map(AsciiChar::byte),
            trailing_delimiter: spec.trailing_delimiter,
            stops: [first, last, escape.unwrap_or(first)],
            delimiter,
            end,
        }
    }

    /// Whether records end with lines.
    pub(super) fn has_lines(&self) -> bool {
        self.end.contains(&b'\n')
    }

    /// Whether every record end in the bytes ends a record.
    pub(super) fn shows_ends(&self) -> bool {
        self.quote.is_none() && self.escape.is_none()
    }

    /// Whether a comment begins at `at`, which is the begin of a line.
    pub(super) fn begins_comment(&self, bytes: &[u8], at: usize) -> bool {
        self.comment.is_some_and(|comment| bytes.get(at) == Some(&comment))
    }

    /// What comes behind the next record end at or after `from`, whatever is before it.
    pub(super) fn line_end(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        memmem::find(rest, &self.end).map(|found| from + found + self.end.len())
    }

    /// Where the whole records of `bytes`, which begin with one, end; see [`super::dialect::cut_records`].
    pub(super) fn cut(&self, bytes: &[u8], at_end: bool, end: usize, limits: &ReadLimits) -> Cut {
        if let ([byte], true) = (self.end.as_slice(), self.shows_ends()) {
            let mut search = CutSearch::new(*byte, bytes, end, limits);
            if !search.outside_of_quotes(0, bytes.len()) && at_end {
                search.end_with_bytes();
            }
            return search.finish();
        }
        let stride = (bytes.len() / limits.pieces(bytes.len())).max(1);
        let mut parser = GeneralParser::new(self);
        let (mut ends, mut at, mut target) = (Vec::new(), 0, stride);
        while at < bytes.len() && (at == 0 || at < end) {
            let next = if self.begins_comment(bytes, at) {
                self.line_end(bytes, at).or_else(|| at_end.then_some(bytes.len()))
            } else {
                let record = parser.next(bytes, at);
                match record.open_quote {
                    Some(quote) if at_end => return Cut::Unclosed(quote),
                    _ => (record.terminated || at_end).then_some(record.next),
                }
            };
            let Some(next) = next else { break };
            at = next;
            if at >= target {
                ends.push(at);
                target = at + stride;
            }
        }
        if at == 0 {
            return Cut::More;
        }
        if ends.last() != Some(&at) {
            ends.push(at);
        }
        Cut::Ends(ends)
    }

    /// The quote, where no escape goes before it.
    pub(super) fn quote_without_escape(&self) -> Option<u8> {
        self.quote.filter(|_| self.escape.is_none())
    }

    /// Writes the value of a field with escapes or doubled quotes into `into`.
    pub(super) fn unescape(&self, kind: FieldKind, text: &str, into: &mut String) {
        let quote = self.quote.filter(|_| kind == FieldKind::Escaped);
        let bytes = text.as_bytes();
        into.clear();
        // What is before `kept` is written, or means nothing; `at` is where the search goes on.
        let (mut kept, mut at) = (0, 0);
        while let Some(found) = self.next_escape(quote, bytes, at) {
            into.push_str(text.get(kept..found).unwrap_or_default());
            let behind = bytes.get(found + 1..).unwrap_or_default();
            if self.escape != bytes.get(found).copied() {
                // The first of two quotes: the second one is the value.
                kept = found + 1;
                at = found + 2;
            } else if let Some(code) = self.code(behind) {
                into.push(code);
                kept = found + 2;
                at = kept;
            } else {
                let length = self.escaped(behind);
                kept = if length == 0 { found } else { found + 1 };
                at = found + 1 + length;
            }
        }
        into.push_str(text.get(kept..).unwrap_or_default());
    }

    fn next_escape(&self, quote: Option<u8>, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let found = match (self.escape, quote) {
            (Some(escape), Some(quote)) => memchr2(escape, quote, rest),
            (Some(sign), None) | (None, Some(sign)) => memchr(sign, rest),
            (None, None) => None,
        };
        found.map(|offset| from + offset)
    }

    /// The character that a letter behind an escape stands for.
    fn code(&self, behind: &[u8]) -> Option<char> {
        let letter = *behind.first().filter(|_| self.has_codes)?;
        Some(match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'v' => '\u{b}',
            b'Z' => '\u{1a}',
            _ => return None,
        })
    }

    /// How many of the bytes behind an escape are text because of it; none where the escape itself is text.
    fn escaped(&self, behind: &[u8]) -> usize {
        let Some(first) = behind.first() else { return 0 };
        if behind.starts_with(&self.end) {
            self.end.len()
        } else if self.takes_return && behind.starts_with(b"\r\n") {
            2
        } else if behind.starts_with(&self.delimiter) {
            self.delimiter.len()
        } else {
            let is_sign = [self.quote, self.escape, self.comment].contains(&Some(*first));
            usize::from(is_sign || self.has_codes)
        }
    }

    /// The code of the first escape in a field that means nothing: where letters are codes, other letters and digits.
    fn bad_code(&self, text: &[u8]) -> Option<char> {
        let escape = self.escape.filter(|_| self.has_codes)?;
        let mut at = 0;
        loop {
            let behind = at + memchr(escape, text.get(at..)?)? + 1;
            let rest = text.get(behind..)?;
            if let Some(letter) = rest.first().filter(|byte| byte.is_ascii_alphanumeric())
                && self.code(rest).is_none()
            {
                return Some(char::from(*letter));
            }
            at = behind + self.escaped(rest);
        }
    }

    /// Where the field that goes on at `from`, outside of quotes, ends.
    fn field_end(&self, bytes: &[u8], from: usize) -> FieldEnd {
        let [first, second, third] = self.stops;
        let (mut at, mut has_escapes) = (from, false);
        loop {
            let found = bytes.get(at..).and_then(|rest| memchr3(first, second, third, rest));
            let Some(found) = found.map(|offset| at + offset) else {
                return FieldEnd { at: bytes.len(), stop: Stop::Bytes, has_escapes };
            };
            let rest = bytes.get(found..).unwrap_or_default();
            if rest.starts_with(&self.end) {
                return FieldEnd { at: found, stop: Stop::Record, has_escapes };
            }
            if rest.starts_with(&self.delimiter) {
                return FieldEnd { at: found, stop: Stop::Delimiter, has_escapes };
            }
            at = found + 1;
            if self.escape.is_some() && self.escape == rest.first().copied() {
                has_escapes = true;
                at += self.escaped(rest.get(1..).unwrap_or_default());
            }
        }
    }

    /// The quote that closes the field whose text starts at `from`, and whether something before it is not the value.
    fn closing_quote(&self, quote: u8, bytes: &[u8], from: usize) -> Option<(usize, bool)> {
        let escape = self.escape.unwrap_or(quote);
        let (mut at, mut is_escaped) = (from, false);
        loop {
            let found = at + memchr2(quote, escape, bytes.get(at..)?)?;
            if self.escape == bytes.get(found).copied() {
                at = found + 1 + self.escaped(bytes.get(found + 1..)?);
            } else if bytes.get(found + 1) == Some(&quote) {
                at = found + 2;
            } else {
                return Some((found, is_escaped));
            }
            is_escaped = true;
        }
    }

    /// Where the text before a field end ends, not before `start`.
    fn text_end(&self, bytes: &[u8], start: usize, found: FieldEnd) -> usize {
        let ends_record = found.stop != Stop::Delimiter;
        let has_return = self.takes_return && ends_record && found.at > start;
        if has_return && bytes.get(found.at - 1) == Some(&b'\r') { found.at - 1 } else { found.at }
    }

    fn end_length(&self, stop: Stop) -> usize {
        match stop {
            Stop::Delimiter => self.delimiter.len(),
            Stop::Record => self.end.len(),
            Stop::Bytes => 0,
        }
    }
}

/// Splits records into fields; keeps the list of fields from record to record.
#[derive(Debug)]
pub(super) struct GeneralParser<'d> {
    pub(super) dialect: &'d General,
    pub(super) fields: Vec<Field>,
    /// The sign and code of an escape in the record that means nothing.
    pub(super) bad_escape: Option<(char, char)>,
}

impl<'d> GeneralParser<'d> {
    pub(super) fn new(dialect: &'d General) -> Self {
        Self { dialect, fields: Vec::new(), bad_escape: None }
    }

    /// The record that starts at `start`; its fields are in `fields` afterwards.
    pub(super) fn next(&mut self, bytes: &[u8], start: usize) -> Record {
        let dialect = self.dialect;
        self.fields.clear();
        self.bad_escape = None;
        let mut text_after_quote = false;
        let mut at = start;
        loop {
            let (found, end) = match dialect.quote.filter(|quote| bytes.get(at) == Some(quote)) {
                Some(quote) => {
                    let Some((close, is_escaped)) = dialect.closing_quote(quote, bytes, at + 1) else {
                        return self.unclosed(bytes, start, at);
                    };
                    let kind = if is_escaped { FieldKind::Escaped } else { FieldKind::Quoted };
                    self.push(bytes, Field { start: at + 1, end: close, kind });
                    let found = dialect.field_end(bytes, close + 1);
                    let end = dialect.text_end(bytes, close + 1, found);
                    text_after_quote |= end != close + 1;
                    (found, end)
                }
                None => {
                    let found = dialect.field_end(bytes, at);
                    let end = dialect.text_end(bytes, at, found);
                    self.push_plain(bytes, at, end, found);
                    (found, end)
                }
            };
            let next = found.at + dialect.end_length(found.stop);
            if found.stop == Stop::Delimiter {
                at = next;
                continue;
            }
            let terminated = found.stop == Stop::Record;
            return Record { start, end, next, terminated, text_after_quote, open_quote: None };
        }
    }

    fn push_plain(&mut self, bytes: &[u8], start: usize, end: usize, found: FieldEnd) {
        let dialect = self.dialect;
        let is_last = found.stop != Stop::Delimiter;
        // Not the only one, which is a value that is missing.
        if start == end && is_last && dialect.trailing_delimiter && !self.fields.is_empty() {
            return;
        }
        let text = bytes.get(start..end).unwrap_or_default();
        let field = match (dialect.has_codes, text) {
            // What is missing has a code of its own.
            (true, []) => Field { start, end, kind: FieldKind::Quoted },
            (true, [escape, b'N']) if Some(*escape) == dialect.escape => {
                Field { start, end: start, kind: FieldKind::Plain }
            }
            _ if found.has_escapes => Field { start, end, kind: FieldKind::EscapedPlain },
            _ => Field { start, end, kind: FieldKind::Plain },
        };
        self.push(bytes, field);
    }

    fn push(&mut self, bytes: &[u8], field: Field) {
        let has_escapes = matches!(field.kind, FieldKind::Escaped | FieldKind::EscapedPlain);
        if has_escapes && self.bad_escape.is_none() {
            let code = self.dialect.bad_code(bytes.get(field.start..field.end).unwrap_or_default());
            self.bad_escape = self.dialect.escape.map(char::from).zip(code);
        }
        self.fields.push(field);
    }

    fn unclosed(&mut self, bytes: &[u8], start: usize, quote: usize) -> Record {
        let end = bytes.len();
        self.fields.push(Field { start: quote + 1, end, kind: FieldKind::Quoted });
        Record { start, end, next: end, terminated: false, text_after_quote: false, open_quote: Some(quote) }
    }
}

/// Guesses where the first record at or after a byte begins: behind the first record end from which on the next records
/// look like records. A wrong guess costs a second reading; see [`super::begin`].
#[derive(Debug)]
pub(super) struct GeneralGuess<'d> {
    pub(super) dialect: &'d General,
    /// Columns of the header.
    pub(super) columns: usize,
    /// Whether a record may have fewer fields than that.
    pub(super) pad: bool,
    pub(super) limits: ReadLimits,
}

/// Whether records begin at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Good,
    Bad,
    /// As far as the bytes go.
    Open,
}

impl GeneralGuess<'_> {
    /// Good records after which a place is taken.
    const ENOUGH_RECORDS: usize = 4;
    /// How much more than the first bytes are read before the best of unclear answers is taken.
    const ENOUGH: usize = 16;

    /// The offset at which the first record after the first byte begins; the length of `bytes` where none follows.
    /// `None`: more bytes are needed.
    pub(super) fn begin(&self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let enough = self.limits.guess_bytes.saturating_mul(Self::ENOUGH).min(self.limits.record_bytes);
        let must_decide = at_end || bytes.len() >= enough;
        let Some(first) = self.dialect.line_end(bytes, 0) else { return at_end.then_some(bytes.len()) };
        if self.dialect.shows_ends() {
            return Some(first);
        }
        let mut next = Some(first);
        while let Some(begin) = next.filter(|begin| *begin < bytes.len()) {
            match self.looks(bytes, begin, at_end) {
                Looks::Good => return Some(begin),
                Looks::Open => return must_decide.then_some(begin),
                Looks::Bad => next = self.dialect.line_end(bytes, begin),
            }
        }
        must_decide.then_some(first)
    }

    fn looks(&self, bytes: &[u8], begin: usize, at_end: bool) -> Looks {
        let mut parser = GeneralParser::new(self.dialect);
        let (mut at, mut good) = (begin, 0);
        while at < bytes.len() && good < Self::ENOUGH_RECORDS {
            if self.dialect.begins_comment(bytes, at) {
                at = self.dialect.line_end(bytes, at).unwrap_or(bytes.len());
                continue;
            }
            let record = parser.next(bytes, at);
            if !record.terminated && !at_end {
                return Looks::Open;
            }
            at = record.next;
            if self.columns != 1 && record.is_blank() {
                continue;
            }
            let found = parser.fields.len();
            let has_fields = found == self.columns || (self.pad && found < self.columns);
            let is_broken = record.text_after_quote || record.open_quote.is_some() || parser.bad_escape.is_some();
            // A quote at the end of a field closes it in most files.
            if is_broken || !has_fields || parser.fields.iter().any(|field| self.is_stray(bytes, field)) {
                return Looks::Bad;
            }
            good += 1;
        }
        if good >= Self::ENOUGH_RECORDS || at_end { Looks::Good } else { Looks::Open }
    }

    /// Whether a field that no quote opens ends with one.
    fn is_stray(&self, bytes: &[u8], field: &Field) -> bool {
        let last = field.end.checked_sub(1).filter(|last| *last >= field.start).and_then(|last| bytes.get(last));
        let is_plain = matches!(field.kind, FieldKind::Plain | FieldKind::EscapedPlain);
        is_plain && self.dialect.quote.is_some() && last.copied() == self.dialect.quote
    }
}

#[cfg(test)]
mod tests;
