//! The beginning of a CSV text as records, by the rules of the reader: enough of it to choose between dialects.

/// Most records that are split.
pub(super) const MAX_ROWS: usize = 1000;

/// The characters that structure a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    pub(super) comment: Option<u8>,
    /// The sign that makes a sign of the dialect behind it text.
    pub(super) escape: Option<u8>,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) is_quoted: bool,
}

impl Cell {
    /// Whether nothing is written for it.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.is_quoted
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Lines of the text before it.
    pub(super) line: usize,
    pub(super) cells: Vec<Cell>,
    /// Whether its quotes are those of another dialect.
    pub(super) is_broken: bool,
}

impl Row {
    /// Fields without the empty one at the end, where that is to be dropped.
    pub(super) fn width(&self, drops_end: bool) -> usize {
        let width = self.cells.len();
        if drops_end && width > 1 && self.ends_empty() { width - 1 } else { width }
    }

    /// Whether nothing is written for its last field.
    pub(super) fn ends_empty(&self) -> bool {
        self.cells.last().is_some_and(Cell::is_empty)
    }
}

/// The first records of a text, without blank lines and comments.
pub(super) fn rows(text: &str, marks: Marks) -> Vec<Row> {
    all_rows(text, marks).take(MAX_ROWS).collect()
}

/// The records of a text, without blank lines and comments.
pub(super) fn all_rows(text: &str, marks: Marks) -> impl Iterator<Item = Row> + '_ {
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 0);
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let begin = at;
            if marks.comment.is_some() && bytes.get(at).copied() == marks.comment {
                at = line_after(bytes, at);
                line += 1;
                continue;
            }
            let (row, next) = row(text, at, line, marks);
            at = next;
            line += bytes.get(begin..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            let is_blank = matches!(row.cells.as_slice(), [only] if only.is_empty());
            if !is_blank {
                return Some(row);
            }
        }
        None
    })
}

fn row(text: &str, begin: usize, line: usize, marks: Marks) -> (Row, usize) {
    let bytes = text.as_bytes();
    let mut row = Row { line, cells: Vec::new(), is_broken: false };
    let mut at = begin;
    loop {
        let is_quoted = bytes.get(at) == Some(&marks.quote);
        let (quoted, from) = if is_quoted { quoted(text, at + 1, marks) } else { (Some(String::new()), at) };
        let Some(quoted) = quoted else {
            row.is_broken = true;
            row.cells.push(Cell { text: text.get(at..).unwrap_or_default().to_owned(), is_quoted });
            return (row, bytes.len());
        };
        let found = field_end(bytes, from, marks);
        let ends_here = bytes.get(found) != Some(&marks.delimiter);
        let rest = text.get(from..found).unwrap_or_default();
        let rest = if ends_here { rest.strip_suffix('\r').unwrap_or(rest) } else { rest };
        row.is_broken |= is_quoted && !rest.is_empty();
        let text = if is_quoted { quoted } else { rest.to_owned() };
        row.cells.push(Cell { text, is_quoted });
        at = found + 1;
        if ends_here {
            return (row, at.min(bytes.len()));
        }
    }
}

/// The text of a quoted field from behind its quote, `None` where it is never closed, and where the rest begins.
fn quoted(text: &str, from: usize, marks: Marks) -> (Option<String>, usize) {
    let Marks { quote, escape, .. } = marks;
    let (sign, escape, mut read, mut at) = (char::from(quote), escape.map(char::from), String::new(), from);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(close) = rest.find(|c: char| c == sign || Some(c) == escape) else { return (None, text.len()) };
        read.push_str(rest.get(..close).unwrap_or_default());
        at += close + 1;
        let behind = rest.get(close + 1..).and_then(|rest| rest.chars().next());
        if !rest.get(close..).is_some_and(|rest| rest.starts_with(sign)) {
            // An escape, which is text before anything but a sign of the dialect.
            match behind.filter(|c| *c == sign || Some(*c) == escape) {
                Some(escaped) => {
                    read.push(escaped);
                    at += escaped.len_utf8();
                }
                None => read.extend(escape),
            }
            continue;
        }
        if text.as_bytes().get(at) != Some(&quote) {
            return (Some(read), at);
        }
        read.push(sign);
        at += 1;
    }
}

fn field_end(bytes: &[u8], from: usize, marks: Marks) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let mut is_escaped = false;
    let end = rest.iter().position(|byte| {
        let ends = (*byte == marks.delimiter || *byte == b'\n') && !is_escaped;
        is_escaped = marks.escape == Some(*byte) && !is_escaped;
        ends
    });
    end.map_or(bytes.len(), |offset| from + offset)
}

/// Where the next line begins, or the bytes end.
fn line_after(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |offset| from + offset + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_as_the_reader_splits_them() {
        let check = |text: &str, comment: Option<u8>, expected: &[(usize, &[&str], bool)]| {
            let rows = rows(text, Marks { delimiter: b',', quote: b'"', comment, escape: None });
            let found: Vec<(usize, Vec<&str>, bool)> = rows
                .iter()
                .map(|row| (row.line, row.cells.iter().map(|cell| cell.text.as_str()).collect(), row.is_broken))
                .collect();
            let expected: Vec<(usize, Vec<&str>, bool)> =
                expected.iter().map(|(line, cells, broken)| (*line, cells.to_vec(), *broken)).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("a,b\r\n1,2\r\n", None, &[(0, &["a", "b"], false), (1, &["1", "2"], false)]);
        check("\n\na,b,\n1", None, &[(2, &["a", "b", ""], false), (3, &["1"], false)]);
        check("\"a,\n\"\"b\"\"\",c\nd\n", None, &[(0, &["a,\n\"b\"", "c"], false), (2, &["d"], false)]);
        check("\"a\"b,c\n", None, &[(0, &["a", "c"], true)]);
        check("a,\"b\nc\n", None, &[(0, &["a", "\"b\nc\n"], true)]);
        check("# x \"\na\n#\n", Some(b'#'), &[(1, &["a"], false)]);
        check("12\" x,y\n", None, &[(0, &["12\" x", "y"], false)]);
    }

    #[test]
    fn an_escape_makes_the_sign_behind_it_text() {
        let check = |text: &str, expected: &[&str], is_broken: bool| {
            let marks = Marks { delimiter: b',', quote: b'"', comment: None, escape: Some(b'\\') };
            let rows = rows(text, marks);
            let found: Vec<&str> = rows.iter().flat_map(|row| &row.cells).map(|cell| cell.text.as_str()).collect();
            assert_eq!((found.as_slice(), rows.iter().any(|row| row.is_broken)), (expected, is_broken), "{text:?}");
        };
        check("1,\"say \\\"hi\\\", ok\"\n", &["1", "say \"hi\", ok"], false);
        check("\"C:\\\\\",\"a\\b\"\n", &["C:\\", "a\\b"], false);
        check("\"a\\\",b\n", &["\"a\\\",b\n"], true);
        check("a\\,b,c\n", &["a\\,b", "c"], false);
    }
}
