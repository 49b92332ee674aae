//! The options of CSV: headers, names, preambles, comments, encodings, ends of records.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use sluice_core::spec::CsvSpec;

use super::ranges::cuts;
use super::{limits, read};
use crate::source::SourceError;
use crate::source::chunk::ReadLimits;
use crate::source::columns::ColumnFault;
use crate::source::testing::{ReadTest, Row, SMALL, Table, corrupt, good};

fn spec(json: &str) -> CsvSpec {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn table(options: &str, bytes: &[u8]) -> Table {
    let of = |limits| read(bytes).csv(spec(options)).limits(limits).table();
    let table = of(ReadLimits::default());
    assert_eq!(of(SMALL), table, "{options}: {:?}", String::from_utf8_lossy(bytes));
    table
}

fn check(options: &str, bytes: &[u8], columns: &[&str], rows: &[Row]) {
    let table = table(options, bytes);
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(table.columns, columns, "{options}: {text:?}");
    assert_eq!(table.rows, rows, "{options}: {text:?}");
}

fn check_error(options: &str, bytes: &[u8], expected: &str) {
    for limits in [SMALL, ReadLimits::default()] {
        let error = read(bytes).csv(spec(options)).limits(limits).error();
        assert_eq!(error.to_string(), expected, "{options}: {:?}", String::from_utf8_lossy(bytes));
    }
}

/// The columns and the rows of most tables here.
const AB: [&str; 2] = ["a", "b"];

fn two() -> [Row; 2] {
    [good(1, &[Some("1"), Some("2")]), good(2, &[Some("3"), Some("4")])]
}

#[test]
fn blank_and_repeated_names_stop_no_object_unless_a_table_reads_them() {
    let row = [good(1, &[Some("1"), Some("2"), Some("3")])];
    check("{}", b"a,,a\n1,2,3\n", &["a", "column_2", "a_3"], &row);
    check("{}", b",b, B \n1,2,3\n", &["column_1", "b", "B_3"], &row);
    let of = |mapped: &[&str]| read(b"\na,b,A\n1,2,3\n").csv_for(spec("{}"), mapped);
    assert_eq!(of(&["b", "A_3"]).table().rows, row);
    for mapped in ["a", "A"] {
        let error = of(&[mapped]).error();
        let expected = "object 'data' line 2: column 3 `A` repeats column 1 `a` (spaces around and case do not count), \
                        and a silver table reads it; rename one at the source, or name the columns by position in \
                        source.csv.names";
        assert_eq!(error.to_string(), expected);
        assert!(error.is_refusal());
    }
}

#[test]
fn strict_header_names_are_neither_blank_nor_repeated() {
    let strict = r#"{"header_names":"strict"}"#;
    check(strict, b"a,b\n1,2\n3,4\n", &AB, &two());
    check_error(strict, b"a,\n1,2\n", "object 'data' line 1: column 2 has no name; name every column in the header");
    check_error(
        strict,
        b"a,b, A\n",
        "object 'data' line 1: column 3 `A` repeats column 1 `a` (spaces around and case do not count)",
    );
}

#[test]
fn without_a_header_the_first_record_is_a_record() {
    let absent = r#"{"header":"absent"}"#;
    let named = r#"{"header":"absent","names":["a","b"]}"#;
    check(absent, b"1,2\n3,4\n", &["column_1", "column_2"], &two());
    check(absent, b"\xEF\xBB\xBF\r\n\"1\",2\r\n3,4", &["column_1", "column_2"], &two());
    check(named, b"1,2\n\n3,4", &AB, &two());
    check(absent, b"\n1\n\n", &["column_1"], &[good(1, &[None]), good(2, &[Some("1")]), good(3, &[None])]);
    let table = table(named, b"1\n3,4\n");
    assert_eq!(table.rows, [corrupt(1, 2, "1"), good(2, &[Some("3"), Some("4")])]);
    assert_eq!(table.reasons, ["line 1 (record 1) has 1 field where the object has 2 columns"]);
    for empty in [b"".as_slice(), b"\n\n"] {
        let message = "object 'data' is empty: it has no header and no record; deliver it again or remove it";
        check_error(named, empty, message);
    }
}

#[test]
fn names_of_the_spec_replace_those_of_the_header() {
    let named = r#"{"names":["a","b"]}"#;
    check(named, b"x,x\n1,2\n3,4\n", &AB, &two());
    check(named, b",\xFF\n1,2\n3,4\n", &AB, &two());
    check(r#"{"names":["a","b"],"trailing_delimiter":true}"#, b"x,y,\n1,2,\n3,4,\n", &AB, &two());
    for (header, columns) in [("x,y,z", "3 columns"), ("x", "1 column")] {
        let message = format!(
            "object 'data' line 2: the header has {columns}, and source.csv.names 2; name each column of the file, in \
             its order"
        );
        check_error(named, format!("\n{header}\n1,2\n").as_bytes(), &message);
    }
}

#[test]
fn lines_before_the_header_are_skipped_and_count_as_lines() {
    let skipped = r#"{"skip_lines":2}"#;
    check(skipped, b"Report, \"of\nall\r\na,b\n1,2\n3,4\n", &AB, &two());
    check(skipped, b"\n\n\na,b\n1,2\n3,4\n", &AB, &two());
    check(skipped, b"\xEF\xBB\xBFx\ny\na,b\n1,2\n3,4\n", &AB, &two());
    check(r#"{"skip_lines":1,"header":"absent","names":["a","b"]}"#, b"x,y,z\n1,2\n3,4\n", &AB, &two());
    let table = table(skipped, b"x\n\"y\na,b\n1\n3,4\n");
    assert_eq!(table.reasons, ["line 4 (record 1) has 1 field where the header has 2"]);
    for short in [b"".as_slice(), b"x\n", b"x\ny", b"x\ny\n", b"x\ny\n\n"] {
        let message = "object 'data' is empty: it has no header and no record; deliver it again or remove it";
        check_error(skipped, short, message);
    }
}

#[test]
fn comments_are_skipped_with_the_quotes_in_them() {
    let hash = r##"{"comment":"#"}"##;
    check(hash, b"# by \"x\n#\na,b\n#1,\"\n1,2\n\n#\r\n3,4\n# end,\"", &AB, &two());
    check(r##"{"comment":"#","header":"absent"}"##, b"#x,y,z\n1,2\n#\n3,4", &["column_1", "column_2"], &two());
    check(r##"{"comment":"#","skip_lines":1}"##, b"x\n#\na,b\n1,2\n3,4\n#", &AB, &two());
    // Only as the first character of a line, and not in quotes.
    let rows = [good(1, &[Some("#1"), Some("#2\n#3")]), good(2, &[Some(" #"), None])];
    check(hash, b"a,b\n\"#1\",\"#2\n#3\"\n #,\n", &AB, &rows);
    check(hash, b"#\na\n\n#\n1\n", &["a"], &[good(1, &[None]), good(2, &[Some("1")])]);
    let table = table(hash, b"#\na,b\n#\n1,2\n#\n5\n3,4\n");
    assert_eq!(table.reasons, ["line 6 (record 2) has 1 field where the header has 2"]);
}

#[test]
fn one_delimiter_at_the_end_of_a_record_is_dropped() {
    let trailing = r#"{"trailing_delimiter":true}"#;
    check(trailing, b"a,b,\n1,2,\r\n3,4,\n", &AB, &two());
    check(trailing, b"a,b\n1,2,\n3,4", &AB, &two());
    check(trailing, b"a,b,\n1,,\n,,\n", &AB, &[good(1, &[Some("1"), None]), good(2, &[None, None])]);
    check(trailing, b"a,\n1,\n\n,\n", &["a"], &[good(1, &[Some("1")]), good(2, &[None]), good(3, &[None])]);
    let table = table(trailing, b"a,b,\n1,\n,\n1,2,3,\n1,2,,\n");
    let expected = [
        "line 2 (record 1) has 1 field where the header has 2",
        "line 3 (record 2) has 1 field where the header has 2",
        "line 4 (record 3) has 3 fields where the header has 2",
        "line 5 (record 4) has 3 fields where the header has 2",
    ];
    assert_eq!(table.reasons, expected);
    assert_eq!(table.rows[0], corrupt(1, 2, "1,"));
}

#[test]
fn missing_fields_at_the_end_are_null_where_records_are_padded() {
    let pad = r#"{"ragged":"pad"}"#;
    let row = |number, cells: [Option<&str>; 3]| good(number, &cells);
    check(
        pad,
        b"a,b,c\n1\n1,2\n\n1,2,3\n\"\"\n1,2,3,4\n",
        &["a", "b", "c"],
        &[
            row(1, [Some("1"), None, None]),
            row(2, [Some("1"), Some("2"), None]),
            row(3, [Some("1"), Some("2"), Some("3")]),
            row(4, [Some(""), None, None]),
            corrupt(5, 3, "1,2,3,4"),
        ],
    );
    assert_eq!(table(pad, b"a,b\n1,2,3\n").reasons, ["line 2 (record 1) has 3 fields where the header has 2"]);
    assert_eq!(table(pad, b"a,b\n\"1\"x\n").rows, [corrupt(1, 2, "\"1\"x")]);
}

#[test]
fn ranges_of_padded_records_have_the_rows_of_the_whole_object() {
    let text = "a,b,c\n1\n\"2\n\n\",x\n3,y,z\n\n4,\"p,\n\"\"q\"\n5,,,\n6\n";
    for limits in [SMALL, ReadLimits::default()] {
        let test = read(text.as_bytes()).csv(spec(r#"{"ragged":"pad"}"#)).limits(limits);
        let all: Vec<u64> = (1..text.len() as u64).collect();
        assert_eq!(test.check_ranges(&all).rows.len(), 6);
        for at in all {
            test.check_ranges(&[at]);
        }
        test.check_positions();
    }
}

#[test]
fn text_of_other_encodings_is_read_as_text() {
    let rows = [good(1, &[Some("grö\u{df}e"), Some("€")])];
    let text = "a,b\ngröße,€\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(r#"{"encoding":"windows-1252"}"#, b"a,b\ngr\xF6\xDFe,\x80\n", &AB, &rows);
    check(r#"{"encoding":"utf-16le"}"#, &utf16, &AB, &rows);
    check("{}", &[b"\xFF\xFE".as_slice(), &utf16].concat(), &AB, &rows);
    check(r#"{"encoding":"windows-1252"}"#, format!("\u{FEFF}{text}").as_bytes(), &AB, &rows);
    let half = [b"\xFF\xFE".as_slice(), &utf16, b"\x00\xDC"].concat();
    check_error(
        "{}",
        &half,
        "object 'data' line 3 (byte 26): these bytes are not UTF-16LE, although its byte order mark says so; deliver \
         the whole file again, or in UTF-8",
    );
    let strange = read(b"\xFF\xFEa\0\n\0").read(crate::source::testing::WHOLE_BY_BYTES);
    assert!(matches!(strange, Err(SourceError::Extent { .. })), "its bytes are not those of the text");
    let wrong = read(&utf16).error();
    assert!(matches!(wrong, SourceError::Columns { fault: ColumnFault::HeaderNul, .. }), "{wrong}");
}

/// How a table is written.
#[derive(Debug, Clone)]
struct Written {
    delimiter: char,
    quote: char,
    has_header: bool,
    has_names: bool,
    has_comments: bool,
    trailing_delimiter: bool,
    /// Lines before the header.
    preamble: Vec<&'static str>,
    end: &'static str,
    last_end: bool,
    mark: bool,
    encoding: &'static str,
}

fn written() -> impl Strategy<Value = Written> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let signs = (select(vec![',', ';', '\t', '|']), select(vec!['"', '\'']), select(vec!["\n", "\r\n"]));
    let lines = proptest::collection::vec(select(vec!["", "Report", "\"open", "#", "a,b,c,d,\"x\"", "'"]), 0..4);
    let encoding = select(vec!["utf-8", "utf-16le", "utf-16be", "windows-1252"]);
    (flags, signs, lines, encoding).prop_map(|(flags, (delimiter, quote, end), preamble, encoding)| {
        let (has_header, has_names, has_comments, trailing_delimiter, last_end, mark) = flags;
        Written {
            delimiter,
            quote,
            has_header,
            has_names,
            has_comments,
            trailing_delimiter,
            preamble,
            end,
            last_end,
            mark: mark && encoding != "windows-1252",
            encoding,
        }
    })
}

/// A cell, and whether it is quoted where it need not be.
type DialectCell = (Option<String>, bool);

fn rows() -> impl Strategy<Value = Vec<Vec<DialectCell>>> {
    let parts = vec!["a", "é", "\"", "'", ",", ";", "\t", "|", "#", "\n", "\r\n", "\r", " ", "x is not inlined at all"];
    let text = proptest::option::of(proptest::collection::vec(select(parts), 0..5).prop_map(|parts| parts.concat()));
    proptest::collection::vec(proptest::collection::vec((text, any::<bool>()), 3), 1..15)
}

impl Written {
    fn spec(&self) -> CsvSpec {
        let mut json = serde_json::json!({
            "delimiter": self.delimiter,
            "quote": self.quote,
            "header": if self.has_header { "present" } else { "absent" },
            "skip_lines": self.preamble.len(),
            "trailing_delimiter": self.trailing_delimiter,
            "encoding": self.encoding,
        });
        if self.has_names {
            json["names"] = serde_json::json!(["x", "y", "z"]);
        }
        if self.has_comments {
            json["comment"] = "#".into();
        }
        serde_json::from_value(json).unwrap()
    }

    fn columns(&self) -> [&'static str; 3] {
        match (self.has_names, self.has_header) {
            (true, _) => ["x", "y", "z"],
            (false, true) => ["a", "b", "c"],
            (false, false) => ["column_1", "column_2", "column_3"],
        }
    }

    fn cell(&self, (text, quoted): &DialectCell) -> String {
        let Some(text) = text else { return String::new() };
        let must_quote = text.is_empty()
            || text.starts_with(self.quote)
            || text.starts_with('#')
            || text.contains([self.delimiter, '\n'])
            || text.ends_with('\r')
            // One record alone with such a text is taken for lines that end with it.
            || (text.contains('\r') && !self.has_header && !self.last_end);
        if !must_quote && !quoted {
            return text.clone();
        }
        let (quote, doubled) = (self.quote.to_string(), self.quote.to_string().repeat(2));
        format!("{quote}{}{quote}", text.replace(self.quote, &doubled))
    }

    fn text(&self, rows: &[Vec<DialectCell>]) -> String {
        let delimiter = self.delimiter.to_string();
        let mut lines: Vec<String> = self.preamble.iter().map(|line| (*line).to_owned()).collect();
        let mut records = Vec::new();
        if self.has_header {
            records.push(["a", "b", "c"].join(&delimiter));
        }
        records.extend(rows.iter().map(|row| {
            let cells: Vec<String> = row.iter().map(|cell| self.cell(cell)).collect();
            cells.join(&delimiter)
        }));
        for (index, record) in records.into_iter().enumerate() {
            if self.has_comments && index % 3 == 1 {
                lines.push(format!("#{delimiter}{}{delimiter}open", self.quote));
            }
            lines.push(if self.trailing_delimiter { record + &delimiter } else { record });
        }
        let mut text = lines.join(self.end);
        if self.last_end {
            text.push_str(self.end);
        }
        if self.mark { format!("\u{FEFF}{text}") } else { text }
    }

    fn bytes(&self, rows: &[Vec<DialectCell>]) -> Vec<u8> {
        let text = self.text(rows);
        match self.encoding {
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            "windows-1252" => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            _ => text.into_bytes(),
        }
    }

    fn test(&self, rows: &[Vec<DialectCell>], limits: ReadLimits) -> ReadTest {
        read(&self.bytes(rows)).csv(self.spec()).limits(limits)
    }
}

proptest! {
    #[test]
    fn what_was_written_in_a_dialect_is_read_in_it(written in written(), rows in rows(), limits in limits()) {
        let expected: Vec<Row> = (1..).zip(&rows).map(|(number, row)| {
            good(number, &row.iter().map(|(text, _)| text.as_deref()).collect::<Vec<_>>())
        }).collect();
        let table = written.test(&rows, limits).table();
        prop_assert_eq!(&table.columns, &written.columns());
        prop_assert_eq!(&table.rows, &expected, "{:?}", written.text(&rows));
    }

    #[test]
    fn ranges_in_a_dialect_have_the_rows_of_the_whole_object(
        written in written(),
        rows in rows(),
        places in proptest::collection::vec(any::<Index>(), 0..8),
        each in any::<bool>(),
        limits in limits(),
    ) {
        let written = Written { encoding: "utf-8", ..written };
        let test = written.test(&rows, limits);
        test.check_ranges(&cuts(written.bytes(&rows).len(), &places, each));
        test.check_positions();
    }
}
