//! The few bytes that matter, and where records end judging by quotes and comments alone.

use memchr::{memchr, memchr2, memrchr};
use sluice_core::spec::{AsciiChar, CsvSpec};

use crate::source::chunk::{Cut, ReadLimits};

/// How records are written. Delimiter, quote and comment are different ASCII bytes, none a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    /// What begins a line that is no record.
    pub(super) comment: Option<u8>,
    /// Whether an empty field at the end of a record is dropped.
    pub(super) trailing_delimiter: bool,
}

impl Dialect {
    /// RFC 4180.
    #[cfg(test)]
    pub(super) const COMMA: Self = Self { delimiter: b',', quote: b'"', comment: None, trailing_delimiter: false };

    /// The error is the character that is used for both delimiter and quote.
    pub(super) fn new(delimiter: u8, quote: u8, spec: &CsvSpec) -> Result<Self, char> {
        if delimiter == quote {
            return Err(char::from(quote));
        }
        let comment = spec.comment.map(AsciiChar::byte);
        Ok(Self { delimiter, quote, comment, trailing_delimiter: spec.trailing_delimiter })
    }

    /// Where the line after a comment begins, or the bytes end, if a comment begins at `at`, which is the begin of a
    /// line outside of quotes. Quotes in a comment are text.
    #[inline]
    pub(super) fn comment_end(self, bytes: &[u8], at: usize) -> Option<usize> {
        let comment = self.comment?;
        let rest = bytes.get(at..)?;
        if rest.first() != Some(&comment) {
            return None;
        }
        Some(memchr(b'\n', rest).map_or(bytes.len(), |line_feed| at + line_feed + 1))
    }

    /// The next quote at or after `from` that opens a field, where `from` is outside of quotes and comments.
    pub(super) fn opening_quote(self, bytes: &[u8], from: usize) -> Option<usize> {
        if let Some(comment) = self.comment {
            return self.opening_quote_behind(comment, bytes, from);
        }
        let mut at = from;
        loop {
            let quote = at + memchr(self.quote, bytes.get(at..)?)?;
            let before = quote.checked_sub(1).and_then(|i| bytes.get(i));
            if before.is_none_or(|&byte| byte == self.delimiter || byte == b'\n') {
                return Some(quote);
            }
            at = quote + 1;
        }
    }

    /// The same where lines may be comments.
    fn opening_quote_behind(self, comment: u8, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let found = at + memchr2(self.quote, comment, bytes.get(at..)?)?;
            let before = found.checked_sub(1).and_then(|i| bytes.get(i)).copied();
            let begins_line = before.is_none_or(|byte| byte == b'\n');
            let is_quote = bytes.get(found) == Some(&self.quote);
            if is_quote && (begins_line || before == Some(self.delimiter)) {
                return Some(found);
            }
            at = match self.comment_end(bytes, found) {
                Some(end) if begins_line => end,
                Some(_) | None => found + 1,
            };
        }
    }

    /// The quote that closes the field whose text starts at `from`, and whether there were doubled quotes before it.
    #[inline]
    pub(super) fn closing_quote(self, bytes: &[u8], from: usize) -> Option<(usize, bool)> {
        let mut at = from;
        loop {
            let quote = at + memchr(self.quote, bytes.get(at..)?)?;
            if bytes.get(quote + 1) != Some(&self.quote) {
                return Some((quote, at != from));
            }
            at = quote + 2;
        }
    }
}

/// Where the whole records of `bytes` end, divided into as many groups as the limits ask for. `bytes` starts with a
/// record.
///
/// The first record end at or after `end` is the last one, if the bytes reach that far. Only quotes and comments are
/// examined: between two quoted fields every line feed ends a record or a comment.
pub(super) fn cut_records(dialect: Dialect, bytes: &[u8], at_end: bool, end: usize, limits: &ReadLimits) -> Cut {
    let mut search = CutSearch::new(b'\n', bytes, end, limits);
    let mut outside = 0;
    while let Some(open) = dialect.opening_quote(bytes, outside) {
        if search.outside_of_quotes(outside, open) {
            return search.finish();
        }
        match dialect.closing_quote(bytes, open + 1) {
            // The last byte of the buffer may be the first half of a doubled quote.
            Some((close, _)) if close + 1 < bytes.len() || at_end => outside = close + 1,
            _ if at_end => return Cut::Unclosed(open),
            _ => return search.finish(),
        }
    }
    if !search.outside_of_quotes(outside, bytes.len()) && at_end {
        search.end_with_bytes();
    }
    search.finish()
}

/// Finds the ends of groups of records that end with one byte.
pub(super) struct CutSearch<'a> {
    /// The byte.
    line_end: u8,
    bytes: &'a [u8],
    /// The first record end from here on is the last one.
    end: usize,
    ends: Vec<usize>,
    /// End of the last whole record so far.
    last: usize,
    stride: usize,
    /// The next group should end at the first record end from here on.
    target: usize,
}

impl<'a> CutSearch<'a> {
    pub(super) fn new(line_end: u8, bytes: &'a [u8], end: usize, limits: &ReadLimits) -> Self {
        let stride = (bytes.len() / limits.pieces(bytes.len())).max(1);
        Self { line_end, bytes, end, ends: Vec::new(), last: 0, stride, target: stride }
    }

    /// Takes the record ends between these offsets, and says whether the last one of all is among them.
    pub(super) fn outside_of_quotes(&mut self, start: usize, stop: usize) -> bool {
        let Some(outside) = self.bytes.get(start..stop) else { return false };
        let byte = self.line_end;
        let from = self.end.saturating_sub(1).max(start);
        let reached = self.bytes.get(from..stop).and_then(|rest| memchr(byte, rest)).map(|found| from + found);
        if let Some(found) = reached.or_else(|| memrchr(byte, outside).map(|found| start + found)) {
            self.last = found + 1;
        }
        while self.target < self.last {
            let from = self.target.max(start);
            let rest = self.bytes.get(from..self.last);
            let Some(found) = rest.and_then(|rest| memchr(byte, rest)) else { break };
            self.ends.push(from + found + 1);
            self.target = from + found + 1 + self.stride;
        }
        reached.is_some()
    }

    /// The bytes end with the last record.
    pub(super) fn end_with_bytes(&mut self) {
        self.last = self.bytes.len();
    }

    pub(super) fn finish(mut self) -> Cut {
        if self.last == 0 {
            return Cut::More;
        }
        if self.ends.last() != Some(&self.last) {
            self.ends.push(self.last);
        }
        Cut::Ends(self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect::COMMA;

    #[test]
    fn cuts_only_where_records_end() {
        let check = |text: &str, at_end: bool, expected: &[usize]| {
            let limits = ReadLimits { chunk_bytes: 1, record_bytes: 1000, workers: 1, piece_bytes: 1, guess_bytes: 1 };
            let expected = if expected.is_empty() { Cut::More } else { Cut::Ends(expected.to_vec()) };
            assert_eq!(cut_records(COMMA, text.as_bytes(), at_end, usize::MAX, &limits), expected, "{text:?}");
        };
        check("a,b\nc", false, &[4]);
        check("a,b\nc", true, &[5]);
        check("a,b", false, &[]);
        check("a,\"b\n", false, &[]);
        check("x\na,\"b\n", false, &[2]);
        check("a,\"b\n\"", false, &[]);
        check("a,\"b\n\"\n", false, &[7]);
        check("a,\"b\n\"\"\n\"\nc", false, &[10]);
        check("a,12\" b\nc", false, &[8]);
        check("\"a\"b\"\nc", false, &[6]);
        check("\"\"\n", false, &[3]);
    }

    #[test]
    fn quotes_in_comments_are_text() {
        let dialect = Dialect { comment: Some(b'#'), ..COMMA };
        let check = |text: &str, at_end: bool, expected: &[usize]| {
            let limits = ReadLimits { chunk_bytes: 1, record_bytes: 1000, workers: 1, piece_bytes: 1, guess_bytes: 1 };
            let expected = if expected.is_empty() { Cut::More } else { Cut::Ends(expected.to_vec()) };
            assert_eq!(cut_records(dialect, text.as_bytes(), at_end, usize::MAX, &limits), expected, "{text:?}");
        };
        check("#,\"b\nc", false, &[5]);
        check("a\n#\"\nb", true, &[6]);
        check("a\n#,\"", true, &[5]);
        check("a\n#,\"", false, &[2]);
        check("a#,\"b\n\"\nc", false, &[8]);
        check("\"\n#\"\nc", false, &[5]);
        check("#\n#,\"\n\"#\n\",1\n2", false, &[13]);
    }

    #[test]
    fn an_open_quote_at_the_end_is_found() {
        let limits = ReadLimits::default();
        assert_eq!(cut_records(COMMA, b"a,b\n1,\"2\n3", true, usize::MAX, &limits), Cut::Unclosed(6));
        assert_eq!(cut_records(COMMA, b"a,b\n1,2\"\n3", true, usize::MAX, &limits), Cut::Ends(vec![10]));
    }

    #[test]
    fn groups_are_divided_at_record_ends() {
        let limits = ReadLimits { chunk_bytes: 1, record_bytes: 1000, workers: 3, piece_bytes: 4, guess_bytes: 1 };
        assert_eq!(cut_records(COMMA, b"a,b\nc,d\ne,f\n", false, usize::MAX, &limits), Cut::Ends(vec![8, 12]));
        assert_eq!(cut_records(COMMA, b"\"\n\n\n\n\n\n\n\"\n", false, usize::MAX, &limits), Cut::Ends(vec![10]));
    }

    #[test]
    fn the_first_record_end_at_or_after_the_end_is_the_last_one() {
        let text = b"a,b\n\"1\n\n\",2\n\n3,4\n5,6\n";
        let check = |end: usize, expected: usize| {
            for workers in [1, 9] {
                let limits = ReadLimits { chunk_bytes: 1, record_bytes: 1000, workers, piece_bytes: 1, guess_bytes: 1 };
                for at_end in [false, true] {
                    let Cut::Ends(ends) = cut_records(COMMA, text, at_end, end, &limits) else { panic!("no end") };
                    assert_eq!(ends.last(), Some(&expected), "{end}: {ends:?}");
                    assert!(ends.is_sorted_by(|before, after| before < after), "{end}: {ends:?}");
                }
            }
        };
        check(1, 4);
        check(4, 4);
        for end in 5..=12 {
            check(end, 12);
        }
        check(13, 13);
        check(14, 17);
        check(18, 21);
        check(21, 21);
        check(22, 21);
    }
}
