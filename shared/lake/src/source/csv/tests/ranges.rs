//! Byte ranges: together they have what the whole object has.

use std::io::Cursor;

use proptest::prelude::*;
use proptest::sample::Index;
use sluice_core::run::{FoundRange, Positions};
use sluice_core::spec::SourceFormat;

use super::{Cell, cell, limits, read};
use crate::source::chunk::ReadLimits;
use crate::source::error::Place;
use crate::source::extent::{Begin, Extent};
use crate::source::testing::{Bounded, ReadTest, SMALL, WHOLE_BY_BYTES, located};
use crate::source::{SourceError, SourceSummary};

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|name| (*name).to_owned()).collect()
}

fn by_bytes(begin: Begin<'_>, end: Option<u64>) -> Extent<'_> {
    Extent { positions: Positions::Bytes, begin, end }
}

/// The begins of the rows, and what was found.
fn rows(test: &ReadTest, extent: Extent<'_>) -> (Vec<i64>, FoundRange) {
    let (frames, summary) = test.read(extent).expect("readable");
    (located(&frames).iter().map(|row| row.position).collect(), summary.found.expect("positions are bytes"))
}

#[test]
fn a_range_has_the_records_that_begin_in_it() {
    let bytes = b"\xEF\xBB\xBFa,b\r\n1,2\r\n\r\n\"3\n\n\",4\r\n5,6\r\n7,8";
    // Records begin at 8, 15, 24 and 29; a blank line stands at 13.
    let columns = names(&["a", "b"]);
    let check = |begin: Begin<'_>, end: Option<u64>, expected: &[i64], found: (u64, u64)| {
        for limits in [SMALL, ReadLimits::default()] {
            let got = rows(&read(bytes).limits(limits), by_bytes(begin, end));
            let found = FoundRange { begin: found.0, end: found.1 };
            assert_eq!(got, (expected.to_vec(), found), "{begin:?} to {end:?}");
        }
    };
    let guessed = |at| Begin::Guessed { at, before: 1, columns: &columns };
    let proven = |at| Begin::Proven { at, columns: &columns };
    check(Begin::Object, None, &[8, 15, 24, 29], (0, 32));
    check(Begin::Object, Some(1), &[], (0, 8));
    check(Begin::Object, Some(8), &[], (0, 8));
    check(Begin::Object, Some(9), &[8], (0, 13));
    check(Begin::Object, Some(14), &[8], (0, 15));
    check(Begin::Object, Some(16), &[8, 15], (0, 24));
    check(guessed(8), Some(9), &[8], (8, 13));
    check(guessed(9), Some(16), &[15], (13, 24));
    check(guessed(16), Some(17), &[], (24, 24));
    check(guessed(18), Some(26), &[24], (24, 29));
    check(guessed(26), None, &[29], (29, 32));
    check(guessed(31), None, &[], (32, 32));
    check(proven(15), Some(16), &[15], (15, 24));
    check(proven(24), Some(18), &[], (24, 24));
    check(proven(24), None, &[24, 29], (24, 32));
    check(proven(32), None, &[], (32, 32));
}

#[test]
fn places_are_bytes_where_positions_are() {
    let bytes = b"a,b\n1,2\n3\n4,5\n";
    let (frames, _) = read(bytes).read(WHOLE_BY_BYTES).expect("readable");
    let rows = located(&frames);
    assert_eq!(rows[1].reason.as_deref(), Some("byte 8 has 1 field where the header has 2"));
    let check = |bytes: &[u8], expected: &str| {
        for limits in [SMALL, ReadLimits::default()] {
            let error = read(bytes).limits(limits).read(WHOLE_BY_BYTES).expect_err("refused");
            assert_eq!(error.to_string(), expected);
        }
    };
    check(
        b"a,b\n1,2\n3,\"4\n5,6\n",
        "object 'data' byte 10: the quoted field that starts here is never closed; close it, or double the quote: a \
         backslash before it means nothing",
    );
    check(
        b"\xEF\xBB\xBF\na,b\xFF\n",
        "object 'data' byte 4: the header is not UTF-8; deliver the file in UTF-8, or write its encoding into \
         source.csv.encoding",
    );
}

#[test]
fn a_record_above_the_limit_is_refused_in_a_range_too() {
    let text = format!("a,b\n1,2\n3,{}\n5,6\n", "x".repeat(300));
    let columns = names(&["a", "b"]);
    let check = |begin: Begin<'_>, offset: u64| {
        let error = read(text.as_bytes()).limits(SMALL).read(by_bytes(begin, None)).expect_err("too large");
        let expected = Place::Byte { offset };
        assert!(matches!(&error, SourceError::RecordTooLarge { place, .. } if *place == expected), "{error:?}");
        assert!(error.is_refusal());
    };
    check(Begin::Object, 8);
    check(Begin::Proven { at: 4, columns: &columns }, 8);
    check(Begin::Guessed { at: 5, before: 1, columns: &columns }, 8);
    check(Begin::Guessed { at: 50, before: 1, columns: &columns }, 50);
}

#[test]
fn what_looks_packed_within_an_object_is_text() {
    let columns = names(&["a", "b"]);
    for text in [b"a,b\n\x1F\x8B,2\n".as_slice(), b"a,b\n\xEF\xBB\xBF1,2\n", b"a,b\n\xFF\xFE,2\n"] {
        let test = read(text);
        let whole = located(&test.read(WHOLE_BY_BYTES).expect("whole").0);
        let range = located(&test.read(by_bytes(Begin::Proven { at: 4, columns: &columns }, None)).expect("range").0);
        assert_eq!(range, whole);
    }
}

#[test]
fn an_extent_that_no_reader_can_find_is_a_defect() {
    let columns = names(&["a"]);
    let check = |format: SourceFormat, extent: Extent<'_>, says: &str| {
        let error = ReadTest::new(format, b"a\n1\n").read(extent).expect_err("refused");
        assert!(matches!(error, SourceError::Extent { .. }) && error.to_string().contains(says), "{error}");
        assert_eq!(error.name(), sluice_core::error::ErrorName::Internal);
        assert!(!error.is_refusal());
    };
    let numbers = Extent { positions: Positions::Numbers, begin: Begin::Object, end: Some(2) };
    check(SourceFormat::Csv, numbers, "cannot be numbered");
    check(SourceFormat::Ndjson, numbers, "cannot be numbered");
    check(SourceFormat::Json, numbers, "not found by bytes");
    let proven = by_bytes(Begin::Proven { at: 2, columns: &columns }, None);
    check(SourceFormat::Json, proven, "not found by bytes");
    check(SourceFormat::Parquet, proven, "not found by bytes");
    check(SourceFormat::Csv, by_bytes(Begin::Proven { at: 2, columns: &[] }, None), "without the columns");
}

#[test]
fn a_range_reads_no_more_of_the_stream_than_it_needs() {
    let header = "aaaaaaa,bbbbbbb\n".to_owned();
    let bytes: Vec<u8> = (1..300_000).fold(header, |text, n| text + &format!("{n:07},{n:07}\n")).into_bytes();
    let columns = names(&["aaaaaaa", "bbbbbbb"]);
    let check = |begin: Begin<'_>, end: u64, left: usize, expected: u64| {
        let extent = by_bytes(begin, Some(end));
        let from = usize::try_from(extent.stream_begin()).expect("small");
        let stream = Bounded { bytes: Cursor::new(bytes[from..].to_vec()), left };
        let read = read(b"").read_from(Box::new(stream), extent);
        let summary = read.expect("no more is read").1;
        assert_eq!(summary.rows, expected);
    };
    let (range, slack) = (160_000, 160_000 + (65 << 10));
    check(Begin::Object, range, slack, 9_999);
    check(Begin::Proven { at: 1_600_000, columns: &columns }, 1_600_000 + range, slack, 10_000);
    // The guess needs up to 1 MiB.
    let guessed = Begin::Guessed { at: 1_600_001, before: 1, columns: &columns };
    check(guessed, 1_600_001 + range, 1 << 20, 10_000);
}

/// The begins that are guessed wrongly, if the object is cut at each of its bytes.
fn wrong_guesses(text: &str) -> Vec<u64> {
    let test = read(text.as_bytes());
    let columns = test.columns();
    let (frames, _) = test.read(WHOLE_BY_BYTES).expect("whole");
    let begins: Vec<u64> = located(&frames).iter().map(|row| u64::try_from(row.position).expect("an offset")).collect();
    let length = text.len() as u64;
    let is_wrong = |at: &u64| {
        let expected = begins.iter().copied().find(|begin| begin >= at).unwrap_or(length);
        let extent = by_bytes(Begin::Guessed { at: *at, before: 1, columns: &columns }, Some(*at));
        let (_, SourceSummary { found, .. }) = test.read(extent).expect("a guess");
        found != Some(FoundRange { begin: expected, end: expected })
    };
    (1..length).filter(is_wrong).collect()
}

#[test]
fn guesses_are_right_in_ordinary_files() {
    let check = |header: &str, record: &dyn Fn(usize) -> String| {
        let text = (0..150).fold(format!("{header}\n"), |text, n| text + &record(n));
        assert_eq!(wrong_guesses(&text), Vec::<u64>::new(), "{text}");
    };
    check("id,name,amount", &|n| format!("{n},name {n},{}.5\n", n * 7));
    check("id,text,amount", &|n| match n % 30 {
        7 => format!("{n},\"two\nlines, and a comma\",{n}\r\n"),
        20 => format!("{n},\"say \"\"hi\"\"\n\n\"\"three\"\" lines\",{n}\r\n"),
        _ => format!("{n},text {n},{n}\r\n"),
    });
    // The text is the first column, or the only one.
    check("text,id", &|n| if n % 25 == 3 { format!("\"two\nlines\",{n}\n") } else { format!("text,{n}\n") });
    check("text", &|n| if n % 25 == 3 { "\"two\nlines\"\n".to_owned() } else { format!("text {n}\n") });
    // Everything is quoted.
    check("a,b,c", &|n| match n % 20 {
        9 => format!("\"{n}\",\"two\nlines\",\"\"\n"),
        _ => format!("\"{n}\",\"{n} \"\"x\"\"\",\"\"\n"),
    });
    // A text that looks like the file.
    check("a,b,c", &|n| if n % 40 == 11 { format!("{n},\"1,2,3\n4,5,6\n7,8,9\",x\n") } else { format!("{n},b,c\n") });
}

#[test]
fn a_sign_for_inches_closes_no_field_as_long_as_more_of_them_follow() {
    let record = |n: usize| match n % 5 {
        1 => format!("{n},12\" CANDLE,{n}\n"),
        2 => format!("{n},12\",{n}\n"),
        _ => format!("{n},text,{n}\n"),
    };
    let text = (0..150).fold("id,text,amount\n".to_owned(), |text, n| text + &record(n));
    // Record 147 has the last one.
    let last = text.find("\n145,").expect("a record") as u64;
    let wrong = wrong_guesses(&text);
    assert!(wrong.iter().all(|at| *at > last), "{wrong:?} before {last}");
}

#[test]
fn a_wrong_guess_is_proved_wrong() {
    // Within the text, every line is a record like the others, and its quotes are as they should be.
    let lines = "1,2\n".repeat(40);
    let text = format!("a,b\n1,2\n\"{lines}\",2\n3,4\n");
    let limits = ReadLimits { guess_bytes: 4, ..ReadLimits::default() };
    let walked = read(text.as_bytes()).limits(limits).check_ranges(&[20, 40]);
    assert_eq!((walked.rows.len(), walked.read_again), (3, 2));
}

/// Bytes at which an object of this length may be cut.
pub(super) fn cuts(length: usize, places: &[Index], each: bool) -> Vec<u64> {
    let all = 1..length.max(1) as u64;
    if each && length < 120 {
        return all.collect();
    }
    let mut cuts: Vec<u64> = places.iter().map(|place| place.index(length.max(1)) as u64).collect();
    // Ranges of one byte.
    let next: Vec<u64> = cuts.iter().step_by(2).map(|at| at + 1).collect();
    cuts.extend(next);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.retain(|at| all.contains(at));
    cuts
}

/// A record as it is written: cells, or what is no record of the file.
#[derive(Debug, Clone)]
enum Line {
    Cells(Vec<Cell>),
    Raw(&'static str),
}

fn line() -> impl Strategy<Value = Line> {
    let raw = vec!["", "x,y,z,more,and,more", "\"a\"b,c", "12\" CANDLE,2", "a\0", "\"two\nlines", "\" \"\" \"", ",\","];
    prop_oneof![
        12 => proptest::collection::vec(cell(), 4).prop_map(Line::Cells),
        1 => proptest::sample::select(raw).prop_map(Line::Raw),
    ]
}

fn written(lines: &[Line], columns: usize, ends: &[&str], mark: bool, last_end: bool) -> String {
    let header: Vec<&str> = ["a", "b", "c", "d"].into_iter().take(columns).collect();
    let mut text = format!("{}{}{}", if mark { "\u{FEFF}" } else { "" }, header.join(","), ends[0]);
    for (index, line) in lines.iter().enumerate() {
        match line {
            Line::Raw(raw) => text.push_str(raw),
            Line::Cells(cells) => {
                for (column, cell) in cells.iter().take(columns).enumerate() {
                    if column > 0 {
                        text.push(',');
                    }
                    cell.write(&mut text);
                }
            }
        }
        if last_end || index + 1 < lines.len() {
            text.push_str(ends[index % ends.len()]);
        }
    }
    text
}

proptest! {
    #[test]
    fn ranges_have_the_rows_of_the_whole_object(
        lines in proptest::collection::vec(line(), 0..20),
        columns in 1usize..5,
        ends in proptest::collection::vec(proptest::sample::select(vec!["\n", "\r\n", "\n\n"]), 3),
        mark in any::<bool>(),
        last_end in any::<bool>(),
        places in proptest::collection::vec(any::<Index>(), 0..8),
        each in any::<bool>(),
        limits in limits(),
    ) {
        let text = written(&lines, columns, &ends, mark, last_end);
        let test = read(text.as_bytes()).limits(limits);
        test.check_ranges(&cuts(text.len(), &places, each));
        test.check_positions();
    }

    #[test]
    fn ranges_of_rubbish_have_what_the_whole_has(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            b"a".as_slice(), b",", b"\"", b"\n", b"\r", b"\xFF", b"\0", "é".as_bytes(), b"\"\"", b",\"", b"\",", b"\"\n",
        ]), 0..60),
        one_column in any::<bool>(),
        places in proptest::collection::vec(any::<Index>(), 0..8),
        each in any::<bool>(),
        limits in limits(),
    ) {
        let header = if one_column { b"a\n".to_vec() } else { b"a,b\n".to_vec() };
        let bytes = [header, parts.concat()].concat();
        let test = read(&bytes).limits(limits);
        test.check_ranges(&cuts(bytes.len(), &places, each));
        test.check_positions();
    }
}
