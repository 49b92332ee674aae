//! Lines at the end of an object that are no records, such as one with totals.

use std::collections::VecDeque;
use std::io::{self, Read};

use memchr::memmem::Finder;
use sluice_core::spec::{AsciiChar, CsvSpec};

use crate::source::error::SourceError;
use crate::source::extent::Extent;
use crate::source::stream::Text;

/// Bytes that are read at a time.
const INPUT_BYTES: usize = 64 << 10;
/// Most bytes of the lines that may be the last ones.
const MOST_BYTES: usize = 64 << 20;
/// Characters of a wrong line that a message shows.
const SHOWN_CHARACTERS: usize = 40;

/// What is wrong with the last lines.
#[derive(Debug, thiserror::Error)]
#[error("the last lines are not those that the spec says")]
pub(crate) enum FooterFault {
    /// The first of them begins in another way.
    Begin { lines: u32, expected: String, found: String },
    /// They have too many bytes.
    TooLarge { lines: u32 },
}

impl FooterFault {
    /// The error of an object.
    pub(crate) fn of(self, object: String) -> SourceError {
        match self {
            Self::Begin { lines, expected, found } => SourceError::LastLines { object, lines, expected, found },
            Self::TooLarge { lines } => SourceError::LastLinesTooLarge { object, lines, limit_bytes: MOST_BYTES },
        }
    }
}

/// The text without the last lines, where the spec says that they are no records.
///
/// # Errors
/// [`SourceError::Extent`] where records are found by bytes: whoever reads a range does not see the last lines.
pub(super) fn without_last_lines(
    spec: &CsvSpec,
    text: Text,
    object: &str,
    extent: Extent<'_>,
) -> Result<Text, SourceError> {
    if spec.skip_last_lines == 0 {
        return Ok(text);
    }
    if !extent.positions.are_numbers() {
        let problem = "its last lines are not known where records are found by bytes";
        return Err(SourceError::Extent { object: object.to_owned(), problem });
    }
    Ok(Text { stream: Box::new(WithoutLastLines::new(text.stream, spec)), begin: text.begin })
}

/// A stream that holds the last lines back, and drops them at the end. Blank lines are not counted.
struct WithoutLastLines<R> {
    raw: R,
    lines: u32,
    expected: Option<String>,
    quote: Option<char>,
    line_end: Finder<'static>,
    /// Bytes of the stream, of which those before `given` were given out, and those before `free` may be.
    held: Vec<u8>,
    given: usize,
    free: usize,
    /// Where the line begins whose end was not found yet.
    line_begin: usize,
    /// Where the last lines begin that are not blank: as many as are dropped, or all.
    begins: VecDeque<usize>,
    is_done: bool,
}

impl<R: Read> WithoutLastLines<R> {
    fn new(raw: R, spec: &CsvSpec) -> Self {
        Self {
            raw,
            lines: spec.skip_last_lines,
            expected: spec.last_lines_begin.clone(),
            quote: spec.quote.sign().map(AsciiChar::byte).map(char::from),
            line_end: Finder::new(spec.record_end.as_str()).into_owned(),
            held: Vec::new(),
            given: 0,
            free: 0,
            line_begin: 0,
            begins: VecDeque::new(),
            is_done: false,
        }
    }

    /// Reads more, and frees the lines that cannot be the last ones any more.
    fn advance(&mut self) -> io::Result<()> {
        self.drop_given();
        let from = self.held.len();
        let count = self.raw.by_ref().take(INPUT_BYTES as u64).read_to_end(&mut self.held)?;
        self.is_done = count < INPUT_BYTES;
        self.find_lines(from);
        if self.is_done {
            self.end_line(self.held.len());
        } else if self.held.len() > MOST_BYTES {
            return Err(io::Error::other(FooterFault::TooLarge { lines: self.lines }));
        }
        if u32::try_from(self.begins.len()).is_ok_and(|count| count == self.lines) {
            self.free = self.begins.front().copied().unwrap_or_default();
        }
        if self.is_done { self.check_last_lines() } else { Ok(()) }
    }

    fn drop_given(&mut self) {
        let given = std::mem::take(&mut self.given);
        self.held.drain(..given);
        self.free -= given;
        self.line_begin -= given;
        self.begins.iter_mut().for_each(|begin| *begin -= given);
    }

    /// Finds the lines that end in the bytes from `from` on.
    fn find_lines(&mut self, from: usize) {
        let length = self.line_end.needle().len();
        // The begin of a line end may have come before.
        let mut from = from.saturating_sub(length - 1).max(self.line_begin);
        while let Some(found) = self.held.get(from..).and_then(|rest| self.line_end.find(rest)) {
            self.end_line(from + found);
            from += found + length;
            self.line_begin = from;
        }
    }

    /// Takes the line that ends at `end`.
    fn end_line(&mut self, end: usize) {
        let line = self.held.get(self.line_begin..end).unwrap_or_default();
        if line.iter().all(|byte| *byte == b'\r') {
            return;
        }
        self.begins.push_back(self.line_begin);
        if u32::try_from(self.begins.len()).is_ok_and(|count| count > self.lines) {
            self.begins.pop_front();
        }
    }

    fn check_last_lines(&mut self) -> io::Result<()> {
        let Some(expected) = self.expected.take() else { return Ok(()) };
        // Whoever reads a text without a line says that it is empty.
        if self.begins.is_empty() {
            return Ok(());
        }
        let line = self.held.get(self.free..).unwrap_or_default();
        let line = line.get(..self.line_end.find(line).unwrap_or(line.len())).unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        let text = self.quote.and_then(|quote| text.strip_prefix(quote)).unwrap_or(text);
        let are_all = u32::try_from(self.begins.len()).is_ok_and(|count| count == self.lines);
        if are_all && text.starts_with(&expected) {
            return Ok(());
        }
        let found = text.chars().take(SHOWN_CHARACTERS).collect();
        Err(io::Error::other(FooterFault::Begin { lines: self.lines, expected, found }))
    }
}

impl<R: Read> Read for WithoutLastLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.free {
            if self.is_done {
                return Ok(0);
            }
            self.advance()?;
        }
        let mut rest = self.held.get(self.given..self.free).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn spec(json: &str) -> CsvSpec {
        serde_json::from_str(json).unwrap()
    }

    fn read(spec: &CsvSpec, text: &str) -> Result<String, FooterFault> {
        let mut read = String::new();
        match WithoutLastLines::new(Cursor::new(text.to_owned()), spec).read_to_string(&mut read) {
            Ok(_) => Ok(read),
            Err(error) => Err(error.downcast::<FooterFault>().expect("a fault of the lines")),
        }
    }

    #[test]
    fn the_last_lines_are_dropped_with_the_blank_ones_around_them() {
        let check = |json: &str, text: &str, expected: &str| {
            assert_eq!(read(&spec(json), text).unwrap(), expected, "{json}: {text:?}");
        };
        let one = r#"{"skip_last_lines": 1}"#;
        check(one, "a\n1\nTotal\n", "a\n1\n");
        check(one, "a\n1\nTotal", "a\n1\n");
        check(one, "a\r\n1\r\n\r\nTotal\r\n\r\n\r\n", "a\r\n1\r\n\r\n");
        check(one, "Total", "");
        check(one, "\n\n", "");
        check(one, "", "");
        check(r#"{"skip_last_lines": 2}"#, "a\n1\n\nTotal\n\nEnd\n\n", "a\n1\n\n");
        check(r#"{"skip_last_lines": 2}"#, "a\n", "");
        check(r#"{"skip_last_lines": 1, "record_end": "~\n"}"#, "a~\n1\n2~\nTotal\n!~\n", "a~\n1\n2~\n");
    }

    #[test]
    fn a_file_without_its_last_lines_is_refused() {
        let begins = spec(r#"{"skip_last_lines": 2, "last_lines_begin": "Total"}"#);
        for good in ["a\n1\nTotal: 1\nEnd\n", "a\n1\n\"Total\",1\nEnd", "a\n1\n Total\n\nEnd\n"] {
            assert!(read(&begins, good).is_ok(), "{good:?}");
        }
        for (bad, shown) in [("a\n1\n2\nEnd\n", "2"), ("Total\n", "Total")] {
            let fault = read(&begins, bad).expect_err(bad);
            assert!(matches!(&fault, FooterFault::Begin { lines: 2, found, .. } if found == shown), "{fault:?}");
        }
        // An empty file is empty, and has no wrong line.
        for empty in ["", "\n\r\n"] {
            assert_eq!(read(&begins, empty).unwrap(), "");
        }
    }

    #[test]
    fn last_lines_that_are_too_long_are_called_so() {
        let lines = format!("a\n{}", format!("{}\n", "x".repeat(1 << 20)).repeat(66));
        let fault = read(&spec(r#"{"skip_last_lines": 1000}"#), &lines).expect_err("too long");
        let error = fault.of("x.csv".to_owned());
        assert!(error.is_refusal());
        let said = "object 'x.csv': its last 1000 lines have more than 67108864 bytes; make source.csv.skip_last_lines \
                    smaller, or deliver the lines apart";
        assert_eq!(error.to_string(), said);
    }

    proptest! {
        #[test]
        fn all_other_lines_come_out_whatever_the_size(lines in 1usize..5, body in 0usize..3000, width in 0usize..200) {
            let rows: String = (0..body).map(|n| format!("{n}{}\n", "x".repeat(n % (width + 1)))).collect();
            let footer = "Total\n".repeat(lines);
            let spec = spec(&format!(r#"{{"skip_last_lines": {lines}}}"#));
            prop_assert_eq!(read(&spec, &format!("{rows}{footer}")).unwrap(), rows);
        }
    }
}
