//! How the records of an object are written: in the usual way, which is read fastest, or in another one.

use memchr::memchr_iter;
use sluice_core::spec::CsvSpec;

use super::dialect::{Dialect, cut_records};
use super::general::{General, GeneralParser};
use super::record::{Field, FieldKind, Record, RecordParser};
use crate::source::chunk::{Cut, ReadLimits};

/// How the records of an object are written. Which of the two is decided once for an object.
#[derive(Debug, Clone)]
pub(super) enum Syntax {
    /// One byte between fields, another one around them, line feeds between records.
    Usual(Dialect),
    /// Anything else.
    General(General),
}

impl Syntax {
    /// The error is the character that is used for both delimiter and quote.
    pub(super) fn of(spec: &CsvSpec) -> Result<Self, char> {
        match (spec.delimiter.byte(), spec.quote.sign(), spec.escape_sign()) {
            (Some(delimiter), Some(quote), None) if spec.record_end.is_line_feed() => {
                Dialect::new(delimiter, quote.byte(), spec).map(Self::Usual)
            }
            _ => Ok(Self::General(General::new(spec))),
        }
    }

    /// Whether records end with lines, so that the number of a line says where one is.
    pub(super) fn has_lines(&self) -> bool {
        match self {
            Self::Usual(_) => true,
            Self::General(general) => general.has_lines(),
        }
    }

    /// Where the line after so many lines begins, whatever quotes they have.
    pub(super) fn after_lines(&self, bytes: &[u8], lines: u32) -> Option<usize> {
        let Some(before) = usize::try_from(lines).unwrap_or(usize::MAX).checked_sub(1) else { return Some(0) };
        match self {
            Self::Usual(_) => memchr_iter(b'\n', bytes).nth(before).map(|line_feed| line_feed + 1),
            Self::General(general) => (0..=before).try_fold(0, |at, _| general.line_end(bytes, at)),
        }
    }

    /// Where the whole records of `bytes` end; see [`cut_records`].
    pub(super) fn cut(&self, bytes: &[u8], at_end: bool, end: usize, limits: &ReadLimits) -> Cut {
        match self {
            Self::Usual(dialect) => cut_records(*dialect, bytes, at_end, end, limits),
            Self::General(general) => general.cut(bytes, at_end, end, limits),
        }
    }
}

/// Finds records and their fields.
pub(super) trait Records {
    /// The record that starts at `start`; its fields are in `fields` afterwards.
    fn next(&mut self, bytes: &[u8], start: usize) -> Record;

    /// The fields of the last record.
    fn fields(&self) -> &[Field];

    /// Where the line after a comment begins, or the bytes end, if a comment begins at `at`, which is the begin of a
    /// line outside of quotes.
    fn comment_end(&self, bytes: &[u8], at: usize) -> Option<usize>;

    /// The quote of a dialect that has no escape.
    fn quote_without_escape(&self) -> Option<u8>;

    /// The sign and code of an escape in the last record that means nothing.
    fn bad_escape(&self) -> Option<(char, char)> {
        None
    }

    /// Writes the value of a field with escapes or doubled quotes into `into`.
    fn unescape(&self, kind: FieldKind, text: &str, into: &mut String);

    /// The name that a field of the header is.
    fn name(&self, kind: FieldKind, text: &str) -> String;
}

impl Records for RecordParser {
    #[inline]
    fn next(&mut self, bytes: &[u8], start: usize) -> Record {
        Self::next(self, bytes, start)
    }

    #[inline]
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn quote_without_escape(&self) -> Option<u8> {
        Some(self.dialect.quote)
    }

    #[inline]
    fn comment_end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        self.dialect.comment_end(bytes, at)
    }

    #[inline]
    fn unescape(&self, _kind: FieldKind, text: &str, into: &mut String) {
        let quote = char::from(self.dialect.quote);
        into.clear();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(quote) {
            into.push_str(before);
            into.push(quote);
            rest = after.strip_prefix(quote).unwrap_or(after);
        }
        into.push_str(rest);
    }

    fn name(&self, _kind: FieldKind, text: &str) -> String {
        let quote = char::from(self.dialect.quote);
        let doubled: String = [quote, quote].iter().collect();
        text.replace(&doubled, quote.encode_utf8(&mut [0; 4]))
    }
}

impl Records for GeneralParser<'_> {
    fn next(&mut self, bytes: &[u8], start: usize) -> Record {
        Self::next(self, bytes, start)
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn quote_without_escape(&self) -> Option<u8> {
        self.dialect.quote_without_escape()
    }

    fn comment_end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let dialect = self.dialect;
        dialect.begins_comment(bytes, at).then(|| dialect.line_end(bytes, at).unwrap_or(bytes.len()))
    }

    fn bad_escape(&self) -> Option<(char, char)> {
        self.bad_escape
    }

    fn unescape(&self, kind: FieldKind, text: &str, into: &mut String) {
        self.dialect.unescape(kind, text, into);
    }

    fn name(&self, kind: FieldKind, text: &str) -> String {
        let mut name = String::new();
        match kind {
            FieldKind::Plain | FieldKind::Quoted => name.push_str(text),
            FieldKind::Escaped | FieldKind::EscapedPlain => self.unescape(kind, text, &mut name),
        }
        name
    }
}
