use proptest::prelude::*;
use sluice_core::spec::{FixedColumn, FixedWidthSpec, SourceFormat};

use super::*;
use crate::source::testing::{ReadTest, SMALL, WHOLE_BY_BYTES, corrupt, good};

fn spec(yaml: &str) -> FixedWidthSpec {
    serde_json::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

/// `id` in 3 characters, a character that is not read, `name` in 4.
fn two_columns(more: &str) -> FixedWidthSpec {
    spec(&format!(r#"{{"columns": [{{"name": "id", "width": 3}}, {{"name": "name", "start": 5, "width": 4}}]{more}}}"#))
}

fn read(more: &str, bytes: &[u8]) -> ReadTest {
    ReadTest::new(SourceFormat::FixedWidth, bytes).fixed_width(two_columns(more))
}

#[test]
fn values_are_cut_by_characters_and_trimmed() {
    let check = |text: &str, expected: &[[Option<&str>; 2]]| {
        for limits in [ReadLimits::default(), SMALL] {
            let table = read("", text.as_bytes()).limits(limits).table();
            assert_eq!(table.columns, ["id", "name"]);
            let rows: Vec<_> = (1..).zip(expected).map(|(row, cells)| good(row, cells)).collect();
            assert_eq!(table.rows, rows, "{text:?}");
        }
    };
    check("123xann \n", &[[Some("123"), Some("ann")]]);
    check("  7   é \r\n 8  d e\r\n", &[[Some("7"), Some("é")], [Some("8"), Some("d e")]]);
    check("äöü ÄÖÜ?   \n", &[[Some("äöü"), Some("ÄÖÜ?")]]);
    check("1\n\n    \n2   b", &[[Some("1"), None], [Some("2"), Some("b")]]);
    check("    b\n", &[[None, Some("b")]]);
    check("\t1  \u{a0}\n", &[[Some("\t1"), Some("\u{a0}")]]);
}

#[test]
fn lines_that_are_no_records_of_the_table_are_set_aside() {
    let check = |line: &[u8], raw: &str, says: &str| {
        let text = [b"1   a\n\n".as_slice(), line, b"\n2   b\n"].concat();
        let table = read("", &text).table();
        let rows = [good(1, &[Some("1"), Some("a")]), corrupt(2, 2, raw), good(3, &[Some("2"), Some("b")])];
        assert_eq!(table.rows, rows);
        assert_eq!(table.reasons, [format!("line 3 (record 2) {says}")]);
    };
    let long = "has 9 characters where the columns end at 8; correct the widths, or the line";
    check(b"1   abcde", "1   abcde", long);
    check("ü   abcdé ".as_bytes(), "ü   abcdé ", long);
    check(b"1   a\xff", "1   a\u{fffd}", "is not UTF-8; deliver the file as UTF-8");
    check(b"1   a\0", "1   a\0", "holds a NUL byte");
}

#[test]
fn front_and_comments_are_skipped() {
    let more = r##", "skip_lines": 2, "comment": "#""##;
    let table = read(more, b"Report\nof today, a long line\n# id\n1   a\n#\n2   b\n").table();
    assert_eq!(table.rows, [good(1, &[Some("1"), Some("a")]), good(2, &[Some("2"), Some("b")])]);
    let table = read(more, b"Report\n\n# id\n1   abcdef\n").table();
    assert!(table.reasons[0].starts_with("line 4 (record 1) has 10 characters"), "{:?}", table.reasons);
}

#[test]
fn other_encodings_have_their_characters() {
    let table = read(r#", "encoding": "windows-1252""#, b"\xe4\xf6\xfc \xc4\xd6\xdc?\n").table();
    assert_eq!(table.rows, [good(1, &[Some("äöü"), Some("ÄÖÜ?")])]);
}

#[test]
fn objects_without_a_record_are_empty() {
    for text in ["", "\n \n", "# only\n", "a\nb"] {
        let error = read(r##", "skip_lines": 0, "comment": "#""##, text.as_bytes());
        let error = if text == "a\nb" { read(r#", "skip_lines": 2"#, text.as_bytes()).error() } else { error.error() };
        assert!(matches!(error, SourceError::EmptyObject { .. }), "{text:?}: {error:?}");
    }
}

#[test]
fn a_line_of_any_length_is_bounded() {
    let text = format!("1   a\n{}\n", "x".repeat(10 * SMALL.record_bytes));
    let error = read("", text.as_bytes()).limits(SMALL).error();
    assert!(matches!(error, SourceError::RecordTooLarge { .. }), "{error:?}");
    assert!(error.to_string().contains("line 2 (record 2)"), "{error}");
}

#[test]
fn records_begin_at_their_byte() {
    let (frames, summary) = read("", b"1   a\n\n2   b\n").read(WHOLE_BY_BYTES).expect("records");
    let found = crate::source::testing::located(&frames);
    assert_eq!(found.iter().map(|row| row.position).collect::<Vec<_>>(), [0, 7]);
    assert_eq!(summary.found.map(|found| (found.begin, found.end)), Some((0, 13)));
}

/// A value without spaces around it: empty for null.
fn value(width: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![Just('a'), Just('7'), Just('é'), Just('漢'), Just('😀'), Just(' ')],
        0..=width,
    )
    .prop_map(|characters| characters.into_iter().collect::<String>().trim().to_owned())
}

/// The widths of columns, gaps before them, and rows of values whose first one is not null.
fn table() -> impl Strategy<Value = (Vec<(usize, usize)>, Vec<Vec<String>>)> {
    proptest::collection::vec((1_usize..6, 0_usize..3), 1..6).prop_flat_map(|columns| {
        let values: Vec<_> = columns.iter().map(|(width, _)| value(*width)).collect();
        let row = values.prop_map(|mut row: Vec<String>| {
            if let Some(first) = row.first_mut().filter(|first| first.is_empty()) {
                first.push('x');
            }
            row
        });
        (Just(columns), proptest::collection::vec(row, 1..20))
    })
}

fn printed(columns: &[(usize, usize)], rows: &[Vec<String>], to_the_right: bool, line_end: &str) -> String {
    let mut text = String::new();
    for row in rows {
        for ((width, gap), value) in columns.iter().zip(row) {
            let padding = " ".repeat(width - value.chars().count());
            text.push_str(&"|".repeat(*gap));
            text.push_str(&if to_the_right { format!("{padding}{value}") } else { format!("{value}{padding}") });
        }
        text.push_str(line_end);
    }
    text
}

proptest! {
    #[test]
    fn a_printed_table_is_read_back_at_any_size_of_chunks(
        (columns, rows) in table(),
        to_the_right in any::<bool>(),
        is_crlf in any::<bool>(),
        (chunk_bytes, workers, piece_bytes) in (1_usize..100, 1_usize..4, 1_usize..40),
        cuts in proptest::collection::vec(1_u64..400, 0..4),
    ) {
        let mut at = 1;
        let mut fixed = Vec::new();
        for (index, (width, gap)) in columns.iter().enumerate() {
            let start = u32::try_from(at + gap).unwrap();
            fixed.push(FixedColumn { name: format!("c{index}"), start: Some(start), width: u32::try_from(*width).unwrap() });
            at += gap + width;
        }
        let spec = FixedWidthSpec { columns: fixed, ..two_columns("") };
        let text = printed(&columns, &rows, to_the_right, if is_crlf { "\r\n" } else { "\n" });
        let limits = ReadLimits { chunk_bytes, workers, piece_bytes, record_bytes: 400, ..SMALL };
        let test = || {
            ReadTest::new(SourceFormat::FixedWidth, text.as_bytes()).fixed_width(spec.clone()).limits(limits)
        };
        let expected: Vec<_> = (1..).zip(&rows).map(|(number, row)| {
            let cells: Vec<Option<&str>> = row.iter().map(|value| Some(value.as_str()).filter(|v| !v.is_empty())).collect();
            good(number, &cells)
        }).collect();
        prop_assert_eq!(test().table().rows, expected);
        let size = text.len() as u64;
        let mut cuts: Vec<u64> = cuts.into_iter().filter(|cut| *cut < size).collect();
        cuts.sort_unstable();
        cuts.dedup();
        test().check_ranges(&cuts);
    }
}
