//! Finds the fields of one record.

use memchr::memchr2;

use super::dialect::Dialect;

/// A field as it stands in the file: its text is `start..end`, without the quotes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: FieldKind,
}

impl Field {
    /// Whether nothing was written for it, so that it is null.
    #[inline]
    pub(super) fn is_null(&self) -> bool {
        self.kind == FieldKind::Plain && self.start == self.end
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Not quoted. Empty means null.
    Plain,
    /// Quoted, to be taken as it is. Empty means empty text.
    Quoted,
    /// Quoted, with doubled quotes or escapes inside.
    Escaped,
    /// Not quoted, with escapes inside.
    EscapedPlain,
}

/// One record: `start..end` is its raw text without line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Start of the next record.
    pub(super) next: usize,
    /// Whether a record end ended it, and not the end of the bytes.
    pub(super) terminated: bool,
    /// Whether a closing quote is followed by text.
    pub(super) text_after_quote: bool,
    /// The quote that is still open at the end of the bytes.
    pub(super) open_quote: Option<usize>,
}

impl Record {
    /// Whether it is a line without any character.
    #[inline]
    pub(super) fn is_blank(self) -> bool {
        self.start == self.end
    }
}

/// Splits records into fields; keeps the list of fields from record to record.
#[derive(Debug)]
pub(super) struct RecordParser {
    pub(super) dialect: Dialect,
    pub(super) fields: Vec<Field>,
}

impl RecordParser {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, fields: Vec::new() }
    }

    /// The record that starts at `start`; its fields are in `fields` afterwards.
    pub(super) fn next(&mut self, bytes: &[u8], start: usize) -> Record {
        self.fields.clear();
        let mut text_after_quote = false;
        let mut at = start;
        loop {
            let (field_start, kind, found) = if bytes.get(at) == Some(&self.dialect.quote) {
                let Some((close, escaped)) = self.dialect.closing_quote(bytes, at + 1) else {
                    return self.unclosed(bytes, start, at);
                };
                let kind = if escaped { FieldKind::Escaped } else { FieldKind::Quoted };
                self.fields.push(Field { start: at + 1, end: close, kind });
                let found = self.field_end(bytes, close + 1);
                let (rest, _) = line_end(bytes, close + 1, found);
                text_after_quote |= rest != close + 1;
                (at, kind, found)
            } else {
                (at, FieldKind::Plain, self.field_end(bytes, at))
            };
            if bytes.get(found) == Some(&self.dialect.delimiter) {
                if kind == FieldKind::Plain {
                    self.fields.push(Field { start: field_start, end: found, kind });
                }
                at = found + 1;
                continue;
            }
            let (end, next) = line_end(bytes, field_start, found);
            if kind == FieldKind::Plain {
                self.fields.push(Field { start: field_start, end, kind });
            }
            if self.dialect.trailing_delimiter {
                self.drop_empty_end();
            }
            return Record { start, end, next, terminated: found < bytes.len(), text_after_quote, open_quote: None };
        }
    }

    /// Drops an empty field at the end; not the only one, which is a value that is missing.
    fn drop_empty_end(&mut self) {
        if let [_, .., last] = self.fields.as_slice()
            && last.is_null()
        {
            self.fields.pop();
        }
    }

    /// The delimiter or line feed at or after `from`, or the end of the bytes.
    #[inline]
    fn field_end(&self, bytes: &[u8], from: usize) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        memchr2(self.dialect.delimiter, b'\n', rest).map_or(bytes.len(), |offset| from + offset)
    }

    fn unclosed(&mut self, bytes: &[u8], start: usize, quote: usize) -> Record {
        let end = bytes.len();
        self.fields.push(Field { start: quote + 1, end, kind: FieldKind::Quoted });
        Record { start, end, next: end, terminated: false, text_after_quote: false, open_quote: Some(quote) }
    }
}

/// End of the text before a line end found at `found` (which may be the end of the bytes or, for the check of what
/// follows a quote, a delimiter), not before `start`, and the start of the next line.
#[inline]
fn line_end(bytes: &[u8], start: usize, found: usize) -> (usize, usize) {
    let ends_line = bytes.get(found).is_none_or(|&byte| byte == b'\n');
    let has_return = ends_line && found > start && bytes.get(found - 1) == Some(&b'\r');
    (if has_return { found - 1 } else { found }, (found + 1).min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(Vec<(String, FieldKind)>, bool)> {
        parse_in(Dialect::COMMA, text)
    }

    fn parse_in(dialect: Dialect, text: &str) -> Vec<(Vec<(String, FieldKind)>, bool)> {
        let mut parser = RecordParser::new(dialect);
        let (mut records, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let record = parser.next(text.as_bytes(), at);
            let fields = parser.fields.iter().map(|f| (text[f.start..f.end].to_owned(), f.kind)).collect();
            records.push((fields, record.text_after_quote));
            at = record.next;
        }
        records
    }

    #[test]
    fn records_are_split_into_plain_quoted_and_escaped_fields() {
        use FieldKind::{Escaped, Plain, Quoted};
        let check = |text: &str, expected: &[&[(&str, FieldKind)]], text_after_quote: bool| {
            let got = parse(text);
            let want: Vec<Vec<_>> =
                expected.iter().map(|r| r.iter().map(|(t, k)| ((*t).to_owned(), *k)).collect()).collect();
            assert_eq!(got.iter().map(|(fields, _)| fields.clone()).collect::<Vec<_>>(), want, "{text:?}");
            assert_eq!(got.iter().any(|(_, bad)| *bad), text_after_quote, "{text:?}");
        };
        check("a,b\n1,2", &[&[("a", Plain), ("b", Plain)], &[("1", Plain), ("2", Plain)]], false);
        check("a,b\r\n", &[&[("a", Plain), ("b", Plain)]], false);
        check("a,b\r", &[&[("a", Plain), ("b", Plain)]], false);
        check("a\rb,c\r\r\n", &[&[("a\rb", Plain), ("c\r", Plain)]], false);
        check(",\n", &[&[("", Plain), ("", Plain)]], false);
        check("a,", &[&[("a", Plain), ("", Plain)]], false);
        check("\n\r\n", &[&[("", Plain)], &[("", Plain)]], false);
        check("\"a,\n\",\"\"\r\n", &[&[("a,\n", Quoted), ("", Quoted)]], false);
        check("\"a\"\"b\",\"\"\"\"", &[&[("a\"\"b", Escaped), ("\"\"", Escaped)]], false);
        check("12\" x,\" y\n", &[&[("12\" x", Plain), (" y\n", Quoted)]], false);
        check("a, \"b\"\n", &[&[("a", Plain), (" \"b\"", Plain)]], false);
        check("\"a\"b,c\nd,e", &[&[("a", Quoted), ("c", Plain)], &[("d", Plain), ("e", Plain)]], true);
        check("\"a\"\rb,c\n", &[&[("a", Quoted), ("c", Plain)]], true);
        check("\"a\"\r,c\n", &[&[("a", Quoted), ("c", Plain)]], true);
        check("\"a\" \n", &[&[("a", Quoted)]], true);
    }

    #[test]
    fn one_empty_field_at_the_end_is_dropped_where_records_end_with_a_delimiter() {
        let dialect = Dialect { trailing_delimiter: true, ..Dialect::COMMA };
        let check = |text: &str, expected: &[&str]| {
            let records = parse_in(dialect, text);
            let fields: Vec<&str> = records[0].0.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!((records.len(), fields.as_slice()), (1, expected), "{text:?}");
        };
        check("a,b,\n", &["a", "b"]);
        check("a,b,\r\n", &["a", "b"]);
        check("a,b\n", &["a", "b"]);
        check("a,,", &["a", ""]);
        check("a,\"\"\n", &["a", ""]);
        check("a,b, \n", &["a", "b", " "]);
        check(",\n", &[""]);
        check("\n", &[""]);
    }
}
