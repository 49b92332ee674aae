//! Byte ranges: together they have what the whole object has, and no begin is guessed wrongly.

use std::io::Cursor;

use proptest::prelude::*;
use proptest::sample::Index;
use sluice_core::run::{FoundRange, Positions};
use sluice_core::spec::SourceFormat;

use crate::source::SourceError;
use crate::source::chunk::ReadLimits;
use crate::source::error::Place;
use crate::source::extent::{Begin, Extent};
use crate::source::testing::{Bounded, ReadTest, SMALL, WHOLE_BY_BYTES, located};

fn read(bytes: &[u8]) -> ReadTest {
    ReadTest::new(SourceFormat::Ndjson, bytes)
}

fn by_bytes(begin: Begin<'_>, end: Option<u64>) -> Extent<'_> {
    Extent { positions: Positions::Bytes, begin, end }
}

fn guessed(at: u64) -> Begin<'static> {
    Begin::Guessed { at, before: 1, columns: &[] }
}

#[test]
fn a_range_has_the_lines_that_begin_in_it() {
    let bytes = b"\xEF\xBB\xBF{\"a\":1}\r\n\n  {\"a\":2}\n{\"b\":3}";
    // Lines begin at 3, 12, 13 and 23; the records of the first, third and fourth at 3, 15 and 23.
    let check = |begin: Begin<'_>, end: Option<u64>, expected: &[i64], found: (u64, u64)| {
        for limits in [SMALL, ReadLimits::default()] {
            let (frames, summary) = read(bytes).limits(limits).read(by_bytes(begin, end)).expect("readable");
            let rows: Vec<i64> = located(&frames).iter().map(|row| row.position).collect();
            assert_eq!(rows, expected, "{begin:?} to {end:?}");
            assert_eq!(summary.found, Some(FoundRange { begin: found.0, end: found.1 }), "{begin:?} to {end:?}");
        }
    };
    check(Begin::Object, None, &[3, 15, 23], (0, 30));
    check(Begin::Object, Some(4), &[3], (0, 12));
    check(guessed(4), Some(13), &[], (12, 13));
    check(guessed(13), Some(14), &[15], (13, 23));
    check(guessed(14), Some(23), &[], (23, 23));
    check(guessed(23), None, &[23], (23, 30));
    check(guessed(24), None, &[], (30, 30));
    check(Begin::Proven { at: 23, columns: &[] }, Some(14), &[], (23, 23));
    check(Begin::Proven { at: 30, columns: &[] }, None, &[], (30, 30));
}

#[test]
fn places_are_bytes_where_positions_are() {
    let (frames, _) = read(b"{\"a\":1}\n [1]\n").read(WHOLE_BY_BYTES).expect("readable");
    assert_eq!(located(&frames)[1].reason.as_deref(), Some("byte 9 is no JSON object"));
    let (frames, _) = read(b"{\"a\":1}\n{\"A\":1,\"a\":2}\n").read(WHOLE_BY_BYTES).expect("readable");
    let reason = located(&frames)[1].reason.clone().expect("a corrupt record");
    assert!(reason.starts_with("byte 8 has the keys 'A' and 'a'"), "{reason}");
    let long = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n", "x".repeat(500));
    let check = |begin: Begin<'_>, offset: u64| {
        let error = read(long.as_bytes()).limits(SMALL).read(by_bytes(begin, None)).expect_err("too large");
        let expected = Place::Byte { offset };
        assert!(matches!(&error, SourceError::RecordTooLarge { place, .. } if *place == expected), "{error:?}");
    };
    check(Begin::Object, 8);
    check(guessed(5), 8);
    check(guessed(20), 20);
}

#[test]
fn each_range_has_the_names_of_its_own_first_records() {
    let bytes = b"{\"a\":1}\n{\"A\":2}\n{\"a\":3}\n";
    let columns = |begin: Begin<'_>, end: Option<u64>| {
        let (frames, summary) = read(bytes).read(by_bytes(begin, end)).expect("readable");
        let cells: Vec<String> =
            located(&frames).into_iter().flat_map(|row| row.cells.into_values().collect::<Vec<_>>()).collect();
        (summary.columns, cells.concat())
    };
    assert_eq!(columns(Begin::Object, None), (vec!["a".to_owned()], "123".to_owned()));
    assert_eq!(columns(guessed(8), None), (vec!["A".to_owned()], "23".to_owned()));
}

#[test]
fn only_a_whole_object_is_called_empty() {
    let blank = b"\n \n\n";
    assert!(matches!(read(blank).read(WHOLE_BY_BYTES), Err(SourceError::EmptyObject { .. })));
    for extent in [by_bytes(Begin::Object, Some(2)), by_bytes(guessed(2), None)] {
        assert_eq!(read(blank).read(extent).expect("a range").1.rows, 0);
    }
}

#[test]
fn a_range_reads_no_more_of_the_stream_than_it_needs() {
    let bytes: Vec<u8> =
        (0..300_000).fold(String::new(), |text, n| text + &format!("{{\"a\":1{n:08}}}\n")).into_bytes();
    let check = |begin: Begin<'_>, end: u64, expected: u64| {
        let extent = by_bytes(begin, Some(end));
        let from = usize::try_from(extent.stream_begin()).expect("small");
        let stream = Bounded { bytes: Cursor::new(bytes[from..].to_vec()), left: 160_000 + (65 << 10) };
        let summary = read(b"").read_from(Box::new(stream), extent).expect("no more is read").1;
        assert_eq!(summary.rows, expected);
    };
    check(Begin::Object, 160_000, 10_000);
    check(Begin::Proven { at: 1_600_000, columns: &[] }, 1_760_000, 10_000);
    check(guessed(1_600_001), 1_760_001, 10_000);
}

proptest! {
    #[test]
    fn ranges_have_the_rows_of_the_whole_object(
        lines in proptest::collection::vec(proptest::sample::select(vec![
            b"{\"a\":1}".as_slice(), b"{\"b\":\"x, y\"}", b" {\"a\":null,\"c\":[1, 2]} ", b"", b"  ", b"[1]", b"{\"a\":", b"\xFF",
            b"{\"a\":1,\"a\":2}", "{\"é\":\"\\n\"}".as_bytes(), b"{\"long\":\"0123456789012345678901234567890123456789\"}",
        ]), 0..20),
        ends in proptest::collection::vec(proptest::sample::select(vec![b"\n".as_slice(), b"\r\n", b"\n\n"]), 3),
        mark in any::<bool>(),
        last_end in any::<bool>(),
        places in proptest::collection::vec(any::<Index>(), 0..8),
        (chunk_bytes, guess_bytes) in (1usize..200, 1usize..100),
    ) {
        let mut bytes = if mark { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
        for (index, line) in lines.iter().enumerate() {
            bytes.extend_from_slice(line);
            if last_end || index + 1 < lines.len() {
                bytes.extend_from_slice(ends[index % ends.len()]);
            }
        }
        let limits = ReadLimits { chunk_bytes, guess_bytes, ..ReadLimits::default() };
        let mut cuts: Vec<u64> = places.iter().map(|place| place.index(bytes.len().max(1)) as u64).collect();
        let next: Vec<u64> = cuts.iter().step_by(2).map(|at| at + 1).collect();
        cuts.extend(next);
        cuts.sort_unstable();
        cuts.dedup();
        // Before the end of the byte order mark, no line begins.
        cuts.retain(|at| *at > 3 && *at < bytes.len() as u64);
        let test = read(&bytes).limits(limits);
        let walked = test.check_ranges(&cuts);
        prop_assert_eq!(walked.read_again, 0);
        test.check_positions();
    }
}
