//! Dialects that are not the usual one: delimiters and record ends of several signs, no quotes, escapes, headers of
//! several records, lines at the end.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use sluice_core::spec::CsvSpec;

use super::ranges::cuts;
use super::{limits, read};
use crate::source::SourceError;
use crate::source::chunk::ReadLimits;
use crate::source::testing::{ReadTest, Row, SMALL, Table, WHOLE_BY_BYTES, corrupt, good, located};

fn spec(json: &str) -> CsvSpec {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn table(options: &str, text: &str) -> Table {
    let of = |limits| read(text.as_bytes()).csv(spec(options)).limits(limits).table();
    let table = of(ReadLimits::default());
    assert_eq!(of(SMALL), table, "{options}: {text:?}");
    table
}

fn check(options: &str, text: &str, columns: &[&str], rows: &[Row]) {
    let table = table(options, text);
    assert_eq!(table.columns, columns, "{options}: {text:?}");
    assert_eq!(table.rows, rows, "{options}: {text:?}");
}

fn check_error(options: &str, text: &str, says: &str) {
    for limits in [SMALL, ReadLimits::default()] {
        let error = read(text.as_bytes()).csv(spec(options)).limits(limits).error();
        assert!(error.to_string().contains(says), "{options}: {text:?}: {error}");
        assert!(error.is_refusal(), "{error}");
    }
}

const AB: [&str; 2] = ["a", "b"];

fn two() -> [Row; 2] {
    [good(1, &[Some("1"), Some("2")]), good(2, &[Some("3"), Some("4")])]
}

#[test]
fn files_of_other_programs_give_their_rows() {
    check(r#"{"delimiter": "||"}"#, "a||b\n1||2\r\n3||4", &AB, &two());
    check(r#"{"delimiter": "~|~", "record_end": "~\n"}"#, "a~|~b~\n1~|~2~\n3~|~4~\n", &AB, &two());
    check(r#"{"record_end": "\r"}"#, "a,b\r1,2\r\r3,4\r", &AB, &two());
    check(r#"{"delimiter": "\u0001", "quote": "none"}"#, "a\u{1}b\n1\u{1}2\n3\u{1}4\n", &AB, &two());
    let inches = [good(1, &[Some("\"12"), Some("13\"")])];
    check(r#"{"quote": "none"}"#, "a,b\n\"12,13\"\n", &AB, &inches);
    let copy = r#"{"delimiter": "\t", "quote": "none", "escapes": "copy", "header": "absent", "names": ["a", "b"]}"#;
    check(copy, "1\t\\N\n\tx\\ty\\\\\n", &AB, &[good(1, &[Some("1"), None]), good(2, &[Some(""), Some("x\ty\\")])]);
    let quoted = [good(1, &[Some("say \"hi\""), Some("C:\\new")])];
    check(r#"{"escape": "\\"}"#, "a,b\n\"say \\\"hi\\\"\",C:\\new\n", &AB, &quoted);
    check(r##"{"delimiter": "||", "comment": "#"}"##, "#x\na||b\n#\"\n1||2\n3||4\n#", &AB, &two());
}

#[test]
fn headers_of_several_records_give_one_name_a_column() {
    let joined = r#"{"header_lines": {"count": 2, "join": "_"}}"#;
    check(joined, "a,b\nx,\n1,2\n3,4\n", &["a_x", "b"], &two());
    check(joined, "\na,b\n\n\"x\ny\", \n1,2\n3,4\n", &["a_x\ny", "b"], &two());
    check(r#"{"header_lines": {"count": 2, "take": 1}}"#, "a,b\nkm\n1,2\n3,4\n", &AB, &two());
    check(r#"{"header_lines": {"count": 3, "take": 2}}"#, "x\na,b\nkm,s\n1,2\n3,4\n", &AB, &two());
    check(r#"{"header_lines": {"count": 2}, "names": ["a", "b"]}"#, "x\ny,z\n1,2\n3,4\n", &AB, &two());
    check_error(joined, "a,b\nx\n1,2\n", "line 2: record 2 of the header has 1 field, and the first one 2");
    check_error(joined, "a,b\n", "is empty");
}

#[test]
fn lines_at_the_end_are_no_records() {
    let last = r#"{"skip_last_lines": 1, "last_lines_begin": "Total"}"#;
    check(last, "a,b\n1,2\n3,4\nTotal,\"open\n\n", &AB, &two());
    check_error(last, "a,b\n1,2\n3,4\n", "begins with '3,4' and not with 'Total'");
    let by_bytes = read(b"a\n1\nTotal\n").csv(spec(last)).read(WHOLE_BY_BYTES);
    assert!(matches!(by_bytes, Err(SourceError::Extent { .. })), "no range shows the last lines");
    assert!(!spec(last).is_divisible());
}

#[test]
fn a_record_end_without_its_line_feed_is_refused() {
    let carriage_return = r#"{"record_end": "\r"}"#;
    check_error(carriage_return, "a,b\r\n1,2\r\n", "byte 0: a line feed follows the record end '\\r'");
    check_error(r#"{"record_end": "~", "header": "absent"}"#, "1,2~\n3,4~\n", "the record end '~'");
    check(carriage_return, "a,b\r\"\n1\",2\r", &AB, &[good(1, &[Some("\n1"), Some("2")])]);
    check(carriage_return, "a,b\r", &AB, &[]);
}

#[test]
fn a_delimiter_that_is_twice_that_of_the_spec_is_refused() {
    let bar = r#"{"delimiter": "|"}"#;
    check_error(bar, "a||b||c\n1||2||3\n", "the delimiter seems to be '||'");
    check(bar, "a||b\n1|2|3\n", &["a", "column_2", "b"], &[good(1, &[Some("1"), Some("2"), Some("3")])]);
    // In the usual signs, columns without a name are usual, too.
    check("{}", "a,,b\n1,,3\n", &["a", "column_2", "b"], &[good(1, &[Some("1"), None, Some("3")])]);
    check_error("{}", "a,,b,,c\n1,,2,,3\n", "the delimiter seems to be ',,'");
    check_error(r#"{"delimiter": ";"}"#, "a;;b;;c\n1;;2;;3\n", "the delimiter seems to be ';;'");
    let named = r#"{"delimiter": "|", "names": ["a", "b", "c"]}"#;
    check(named, "a||b\n1||3\n", &["a", "b", "c"], &[good(1, &[Some("1"), None, Some("3")])]);
}

#[test]
fn a_record_with_which_a_range_begins_is_found_behind_an_end_of_several_signs() {
    let text = "a,b~\n1,2~\n3,4~\n5,6~\n";
    let test = read(text.as_bytes()).csv(spec(r#"{"record_end": "~\n"}"#));
    let walked = test.check_ranges(&[text.find('3').unwrap() as u64]);
    assert_eq!(walked.read_again, 0);
}

#[test]
fn corrupt_records_keep_their_text() {
    let copy = r#"{"escapes": "copy", "quote": "none"}"#;
    let found = table(copy, "a,b\n1,\\q\n3,4\n");
    assert_eq!(found.rows, [corrupt(1, 2, "1,\\q"), good(2, &[Some("3"), Some("4")])]);
    assert_eq!(found.reasons, ["line 2 (record 1) has \\q, which is not a code of COPY; write \\\\ where \\ is text"]);
    let returns = table(r#"{"record_end": "\r"}"#, "a,b\r1\r3,4\r");
    assert_eq!(returns.rows[0], corrupt(1, 2, "1"));
    assert_eq!(returns.reasons, ["record 1 has 1 field where the header has 2"]);
    assert_eq!(table(r#"{"delimiter": "||"}"#, "a||b\n\"x\"y||2\n").rows, [corrupt(1, 2, "\"x\"y||2")]);
    check_error(
        r#"{"delimiter": "||"}"#,
        "a||b\n1||\"2\n",
        "line 2: the quoted field that starts here is never closed",
    );
    check_error(r#"{"record_end": "\r"}"#, "a,b\r1,\"2\r", "byte 6: the quoted field that starts here");
}

/// How a table is written.
#[derive(Debug, Clone)]
struct Foreign {
    delimiter: &'static str,
    quote: Option<char>,
    escape: Option<char>,
    has_codes: bool,
    end: &'static str,
    has_comments: bool,
    trailing_delimiter: bool,
    last_end: bool,
    /// Records of the header: 1 or 2, whose names are joined.
    header_lines: usize,
    /// Lines at the end.
    footer: usize,
}

fn foreign() -> impl Strategy<Value = Foreign> {
    let signs = (
        select(vec![",", "\t", "||", "~|~", "§", "\u{1}"]),
        select(vec![Some('"'), Some('\''), None]),
        select(vec![None, Some('\\'), Some('!')]),
        select(vec!["\n", "\r\n", "\r", "\u{1e}", "%\n"]),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (signs, flags, 1usize..3, 0usize..3).prop_map(|(signs, flags, header_lines, footer)| {
        let (delimiter, quote, escape, end) = signs;
        let (has_codes, has_comments, trailing_delimiter, last_end) = flags;
        let has_codes = has_codes && escape == Some('\\');
        Foreign {
            delimiter,
            quote,
            escape,
            has_codes,
            end,
            has_comments,
            trailing_delimiter,
            last_end,
            header_lines,
            footer,
        }
    })
}

/// A value, and whether it is quoted where it need not be.
type Value = (Option<String>, bool);

fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let parts = vec![
        "a",
        "é",
        "\"",
        "'",
        ",",
        "\t",
        "|",
        "||",
        "~",
        "§",
        "#",
        "\n",
        "\r",
        "\\",
        "\\n",
        "!",
        "%",
        "N",
        "\u{1e}",
        " ",
        "x is not inlined at all",
    ];
    let text = proptest::option::of(proptest::collection::vec(select(parts), 0..5).prop_map(|parts| parts.concat()));
    proptest::collection::vec(proptest::collection::vec((text, any::<bool>()), 3), 1..12)
}

impl Foreign {
    fn spec(&self) -> CsvSpec {
        let mut json = serde_json::json!({
            "delimiter": self.delimiter,
            "quote": self.quote.map_or_else(|| "none".to_owned(), String::from),
            "record_end": self.end,
            "trailing_delimiter": self.trailing_delimiter,
            "skip_last_lines": self.footer,
        });
        if self.end == "\r\n" {
            // Written with both, read as either.
            json["record_end"] = "\n".into();
        }
        if let Some(escape) = self.escape {
            json["escape"] = escape.to_string().into();
        }
        if self.has_codes {
            json["escapes"] = "copy".into();
        }
        if self.has_comments {
            json["comment"] = "#".into();
        }
        if self.header_lines == 2 {
            json["header_lines"] = serde_json::json!({"count": 2, "join": " "});
        }
        serde_json::from_value(json).unwrap()
    }

    fn columns(&self) -> [&'static str; 3] {
        if self.header_lines == 2 { ["a x", "b", "c z"] } else { ["a", "b", "c"] }
    }

    /// Whether a character has a meaning between fields or records.
    fn is_sign(&self, character: char) -> bool {
        self.delimiter.contains(character) || self.end.contains(character) || matches!(character, '\n' | '\r')
    }

    /// The value that can be written in place of this one.
    fn fit(&self, value: &Value) -> Option<String> {
        let text = value.0.as_ref()?;
        if self.quote.is_some() {
            return Some(text.clone());
        }
        // Without quotes, signs need an escape, and one sign of several cannot have it.
        let is_single = |character: char| {
            self.delimiter.chars().eq([character]) || (self.end.chars().eq([character]) && character != '\r')
        };
        let can_be = |character: &char| match (self.has_codes, self.escape) {
            (true, _) => !self.is_sign(*character) || is_single(*character) || "\n\r\t".contains(*character),
            (false, Some(_)) => !self.is_sign(*character) || is_single(*character),
            (false, None) => !self.is_sign(*character) && *character != '#',
        };
        let text: String = text.chars().filter(can_be).collect();
        // Nothing is null, unless a code says so.
        (!text.is_empty() || self.has_codes).then_some(text)
    }

    fn cell(&self, text: Option<&str>, quoted: bool) -> String {
        let Some(text) = text else { return if self.has_codes { "\\N".to_owned() } else { String::new() } };
        let must_quote = (text.is_empty() && !self.has_codes)
            || self.quote.is_some_and(|quote| text.starts_with(quote))
            || text.starts_with('#')
            || text.contains(|character: char| self.is_sign(character));
        match self.quote.filter(|_| must_quote || quoted) {
            Some(quote) => {
                let mut written = String::from(quote);
                for character in text.chars() {
                    if self.escape == Some(character) {
                        written.push(character);
                    } else if character == quote {
                        written.push(self.escape.unwrap_or(quote));
                    }
                    written.push(character);
                }
                written.push(quote);
                written
            }
            None => text.chars().map(|character| self.plain(character)).collect(),
        }
    }

    fn plain(&self, character: char) -> String {
        let code = match character {
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            _ => None,
        };
        match (code.filter(|_| self.has_codes), self.escape) {
            (Some(code), _) => code.to_owned(),
            (None, Some(escape)) if character == escape || self.is_sign(character) => format!("{escape}{character}"),
            (None, Some(escape)) if character == '#' && self.has_comments => format!("{escape}#"),
            _ => character.to_string(),
        }
    }

    fn text(&self, rows: &[Vec<Value>]) -> String {
        let mut records: Vec<String> = vec![["a", "b", "c"].join(self.delimiter)];
        if self.header_lines == 2 {
            records.push(["x", "", "z"].join(self.delimiter));
        }
        let body = rows.iter().map(|row| {
            let cells: Vec<String> = row.iter().map(|value| self.cell(self.fit(value).as_deref(), value.1)).collect();
            cells.join(self.delimiter)
        });
        records.extend(body);
        let mut lines = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            if self.has_comments && index % 3 == 1 {
                lines.push(format!("#{}\"'open", self.delimiter));
            }
            lines.push(if self.trailing_delimiter { record + self.delimiter } else { record });
        }
        lines.extend((0..self.footer).map(|index| format!("Total {index}{}\"open", self.delimiter)));
        let mut text = lines.join(self.end);
        if self.last_end {
            text.push_str(self.end);
        }
        text
    }

    fn test(&self, rows: &[Vec<Value>], limits: ReadLimits) -> ReadTest {
        read(self.text(rows).as_bytes()).csv(self.spec()).limits(limits)
    }
}

proptest! {
    #[test]
    fn what_was_written_in_any_dialect_is_read_in_it(foreign in foreign(), rows in rows(), limits in limits()) {
        let expected: Vec<Vec<Option<String>>> =
            rows.iter().map(|row| row.iter().map(|value| foreign.fit(value)).collect()).collect();
        let table = foreign.test(&rows, limits).table();
        let read: Vec<Vec<Option<String>>> = table.rows.iter().map(|row| row.1.clone()).collect();
        prop_assert_eq!(&table.columns, &foreign.columns());
        prop_assert_eq!(&table.reasons, &Vec::<String>::new(), "{:?}", foreign.text(&rows));
        prop_assert_eq!(&read, &expected, "{:?}", foreign.text(&rows));
    }

    #[test]
    fn ranges_in_any_dialect_have_the_rows_of_the_whole_object(
        foreign in foreign(),
        rows in rows(),
        places in proptest::collection::vec(any::<Index>(), 0..8),
        each in any::<bool>(),
        limits in limits(),
    ) {
        let foreign = Foreign { footer: 0, ..foreign };
        let test = foreign.test(&rows, limits);
        test.check_ranges(&cuts(foreign.text(&rows).len(), &places, each));
        test.check_positions();
    }

    #[test]
    fn rubbish_in_any_dialect_does_not_depend_on_chunks_and_ranges(
        foreign in foreign(),
        parts in proptest::collection::vec(select(vec![
            "a", ",", "\"", "'", "\n", "\r", "\\", "!", "||", "|", "~", "~|~", "§", "\0", "%", "#", "\u{1e}", "\u{1}",
        ]), 0..60),
        places in proptest::collection::vec(any::<Index>(), 0..8),
        each in any::<bool>(),
        limits in limits(),
    ) {
        let foreign = Foreign { footer: 0, header_lines: 1, has_comments: false, ..foreign };
        let text = format!("a{}b{}{}", foreign.delimiter, foreign.end, parts.concat());
        let test = read(text.as_bytes()).csv(foreign.spec()).limits(limits);
        test.check_ranges(&cuts(text.len(), &places, each));
        test.check_positions();
        let whole = read(text.as_bytes()).csv(foreign.spec()).read(WHOLE_BY_BYTES);
        let parts = test.read(WHOLE_BY_BYTES);
        match (whole, parts) {
            (Ok((whole, _)), Ok((parts, _))) => prop_assert_eq!(located(&parts), located(&whole)),
            (whole, parts) => {
                let message = |error: SourceError| error.to_string();
                prop_assert_eq!(parts.err().map(message), whole.err().map(message));
            }
        }
    }
}
