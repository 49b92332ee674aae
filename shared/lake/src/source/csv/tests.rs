mod dialects;
mod foreign;
mod ranges;

use std::io::{Cursor, Read};
use std::time::Instant;

use proptest::prelude::*;
use sluice_core::spec::{AsciiChar, CsvSpec, SourceFormat};

use crate::source::chunk::ReadLimits;
use crate::source::columns::ColumnFault;
use crate::source::corrupt::FaultReason;
use crate::source::csv::CsvOptions;
use crate::source::error::Place;
use crate::source::testing::{ReadTest, Row, SMALL, Table, WHOLE, corrupt, good};
use crate::source::{SourceError, SourceInput, SourceOptions, read_columns, read_source};

fn read(bytes: &[u8]) -> ReadTest {
    ReadTest::new(SourceFormat::Csv, bytes)
}

/// Reads with small and with production limits, which must not differ.
fn table(bytes: &[u8]) -> Table {
    let table = read(bytes).table();
    assert_eq!(read(bytes).limits(SMALL).table(), table, "{:?}", String::from_utf8_lossy(bytes));
    table
}

fn check(text: &str, columns: &[&str], rows: &[Row]) {
    let table = table(text.as_bytes());
    assert_eq!(table.columns, columns, "{text:?}");
    assert_eq!(table.rows, rows, "{text:?}");
}

#[test]
fn line_ends_blank_lines_and_a_byte_order_mark_do_not_change_the_rows() {
    let two = [good(1, &[Some("1"), Some("2")]), good(2, &[Some("3"), Some("4")])];
    check("a,b\n1,2\n3,4\n", &["a", "b"], &two);
    check("a,b\n1,2\n3,4", &["a", "b"], &two);
    check("a,b\r\n1,2\r\n3,4\r\n", &["a", "b"], &two);
    check("a,b\r\n1,2\n3,4\r", &["a", "b"], &two);
    check("\u{FEFF}a,b\n1,2\n3,4\n", &["a", "b"], &two);
    check("\u{FEFF}\"a\",\" b \"\n\"1\",2\n3,\"4\"", &["a", "b"], &two);
    check("\n\r\na,b\n1,2\n\n\r\n3,4\n\n\n", &["a", "b"], &two);
    check("a,b\n", &["a", "b"], &[]);
    check("a,b", &["a", "b"], &[]);
}

#[test]
fn an_empty_cell_is_null_and_a_quoted_one_keeps_its_text() {
    let cell = |raw: &str, expected: Option<&str>| {
        check(
            &format!("a,b\nx,{raw}\ny,z\n"),
            &["a", "b"],
            &[good(1, &[Some("x"), expected]), good(2, &[Some("y"), Some("z")])],
        );
    };
    cell("", None);
    cell("\"\"", Some(""));
    cell(" ", Some(" "));
    cell("\"a,b\"", Some("a,b"));
    cell("\"a\nb\r\nc\"", Some("a\nb\r\nc"));
    cell("\"say \"\"hi\"\"\"", Some("say \"hi\""));
    cell("\"\"\"\"", Some("\""));
    cell("12\" CANDLE", Some("12\" CANDLE"));
    cell(" \"x\"", Some(" \"x\""));
    cell("a\rb", Some("a\rb"));
    cell("Grüße 你好 🚀 longer than twelve bytes", Some("Grüße 你好 🚀 longer than twelve bytes"));
    cell("\"1,234.50\"", Some("1,234.50"));
}

#[test]
fn in_a_file_of_one_column_a_blank_line_is_a_null() {
    check("a\n1\n\n2\n", &["a"], &[good(1, &[Some("1")]), good(2, &[None]), good(3, &[Some("2")])]);
    check("a\n\"\"\n", &["a"], &[good(1, &[Some("")])]);
}

#[test]
fn delimiter_and_quote_can_be_chosen() {
    let csv = |delimiter, quote| CsvSpec {
        delimiter: AsciiChar::try_from(delimiter).unwrap().into(),
        quote: AsciiChar::try_from(quote).unwrap().into(),
        ..CsvSpec::default()
    };
    let table = read(b"a;b\n'1;''2';\"3\"\n").csv(csv(';', '\'')).table();
    assert_eq!(table.rows, [good(1, &[Some("1;'2"), Some("\"3\"")])]);
    let table = read(b"a\tb\n1, 2\t\n").csv(csv('\t', '"')).table();
    assert_eq!(table.rows, [good(1, &[Some("1, 2"), None])]);
    let error = read(b"a\n").csv(csv('"', '"')).error();
    assert_eq!(error.to_string(), "object 'data': delimiter and quote are both '\"'; choose two different characters");
}

#[test]
fn corrupt_records_keep_their_text_and_place() {
    let check = |raw: &[u8], shown: &str, reason: FaultReason| {
        let bytes = [b"a,b\n1,\"x\ny\"\n".as_slice(), raw, b"\r\n3,4\n"].concat();
        let table = table(&bytes);
        let rows = [good(1, &[Some("1"), Some("x\ny")]), corrupt(2, 2, shown), good(3, &[Some("3"), Some("4")])];
        assert_eq!(table.rows, rows, "{shown:?}");
        assert_eq!(table.reasons, [format!("line 4 (record 2) {reason}")], "{shown:?}");
    };
    let count = |found| FaultReason::FieldCount { expected: 2, found };
    check(b"1", "1", count(1));
    check(b"1,2,3", "1,2,3", count(3));
    check(b"1,2,", "1,2,", count(3));
    check(b" ", " ", count(1));
    check(b"1,\"a\nb\",3", "1,\"a\nb\",3", count(3));
    check(b"\"a\"b,2", "\"a\"b,2", FaultReason::TextAfterQuote);
    check(b"1,\"2\" ", "1,\"2\" ", FaultReason::TextAfterQuote);
    check(b"1,\"a \\\"b\\\" c\"", "1,\"a \\\"b\\\" c\"", FaultReason::EscapedQuote { quote: '"' });
    check(b"1,\xFF", "1,\u{FFFD}", FaultReason::InvalidUtf8);
    check(b"1,caf\xE9,3", "1,caf\u{FFFD},3", FaultReason::InvalidUtf8);
    check(b"1,\0", "1,\0", FaultReason::Nul);
}

#[test]
fn a_backslash_before_a_quote_is_shown_with_the_quote_of_the_source() {
    let check = |quote: char, record: &str, expected: FaultReason| {
        let spec = CsvSpec { quote: AsciiChar::try_from(quote).unwrap().into(), ..CsvSpec::default() };
        let table = read(format!("a,b\n{record}\n").as_bytes()).csv(spec).table();
        assert_eq!(table.reasons, [format!("line 2 (record 1) {expected}")], "{record}");
    };
    check('\'', r"1,'a \'b\' c'", FaultReason::EscapedQuote { quote: '\'' });
    check('"', r#"1,"a \"b\" c""#, FaultReason::EscapedQuote { quote: '"' });
    check('\'', r#"1,'a'b\""#, FaultReason::TextAfterQuote);
    let escaped = FaultReason::EscapedQuote { quote: '\'' }.to_string();
    assert!(escaped.contains(r"this record has \' as MySQL writes it"), "{escaped}");
}

#[test]
fn lines_are_those_of_the_object_however_it_is_cut() {
    let text = format!("a,b\n{}", "1,\"2\n\"\n\nx\n".repeat(50));
    let expected: Vec<String> =
        (1..=50).map(|n| format!("line {} (record {}) has 1 field where the header has 2", 4 * n + 1, 2 * n)).collect();
    for limits in [SMALL, ReadLimits::default()] {
        assert_eq!(read(text.as_bytes()).limits(limits).table().reasons, expected);
    }
}

#[test]
fn an_unreadable_file_is_refused_with_the_fix() {
    let check = |bytes: &[u8], expected: &str| {
        for limits in [SMALL, ReadLimits::default()] {
            assert_eq!(read(bytes).limits(limits).error().to_string(), expected);
        }
    };
    for empty in [b"".as_slice(), b"\xEF\xBB\xBF", b"\n\r\n\n"] {
        check(empty, "object 'data' is empty: it has no header and no record; deliver it again or remove it");
    }
    check(
        b"a,b\xFF\n",
        "object 'data' line 1: the header is not UTF-8; deliver the file in UTF-8, or write its encoding into \
         source.csv.encoding",
    );
    check(
        b"\na,b\0\n",
        "object 'data' line 2: the header holds a NUL byte; this is no CSV text, unless it is UTF-16: then set \
         source.csv.encoding",
    );
    check(
        b"a,b\r1,2\r3,4\r",
        "object 'data' line 1: the header holds a carriage return that no line feed follows; end lines with LF or CRLF, \
         or write `record_end: \"\\r\"` under source.csv",
    );
    check(
        b"a,\"b\"c\n",
        "object 'data' line 1: the header has text after a closing quote; a quote inside a quoted name is written twice",
    );
    check(
        b"a,b\n1,2\n3,\"4\n5,6\n",
        "object 'data' line 3: the quoted field that starts here is never closed; close it, or double the quote: a \
         backslash before it means nothing",
    );
    check(
        b"a,\"b\n1,2\n",
        "object 'data' line 1: the quoted field that starts here is never closed; close it, or double the quote: a \
         backslash before it means nothing",
    );
    let reserved = read(b"_source_row\n1\n").error();
    assert!(matches!(reserved, SourceError::Columns { fault: ColumnFault::Reserved { position: 1, .. }, .. }));
}

#[test]
fn a_record_above_the_limit_is_refused_at_its_place() {
    for field in ["x".repeat(300), format!("\"{}\"", "x\n".repeat(150)), format!("\"{}", "x".repeat(3000))] {
        for chunk_bytes in [7, 100, 1000] {
            let text = format!("a,b\n1,2\n3,{field}\n5,6\n");
            let limits = ReadLimits { chunk_bytes, ..SMALL };
            let error = read(text.as_bytes()).limits(limits).error();
            // Where the whole object fits into a chunk, the open quote itself is found first.
            let open_quote = matches!(error, SourceError::UnclosedQuote { place: Place::Line { line: 3 }, .. });
            let place = Place::Record { row: 2, line: Some(3) };
            let too_large = matches!(&error, SourceError::RecordTooLarge { place: at, .. } if *at == place);
            assert!(too_large || (open_quote && field.len() == 3001), "{chunk_bytes}: {error:?}");
        }
    }
}

#[test]
fn a_field_of_ten_megabytes_is_a_field() {
    let long = "0123456789".repeat(1 << 20);
    let text = format!("a,b\n1,{long}\n2,\"{long}\"\n");
    let table = read(text.as_bytes()).table();
    assert_eq!(table.rows, [good(1, &[Some("1"), Some(&long)]), good(2, &[Some("2"), Some(&long)])]);
}

#[test]
fn reading_the_header_reads_no_further_than_needed() {
    let check = |stream: Box<dyn Read + Send>, expected: &[&str]| {
        let columns =
            read_columns(SourceFormat::Csv, &SourceOptions::default(), SourceInput::Stream(stream), "data").unwrap();
        assert_eq!(columns, expected);
    };
    check(Box::new(Cursor::new("a,\"b\nc\"\n1,2\n")), &["a", "b\nc"]);
    // Reads no further than it needs.
    check(Box::new(Cursor::new("a,b\n").chain(std::io::repeat(b'x'))), &["a", "b"]);
}

#[test]
fn a_sink_that_fails_stops_the_reader() {
    let input = SourceInput::Stream(Box::new(Cursor::new("a\n1\n")));
    let mut sink = |_| Err("disk full".into());
    let options = SourceOptions::default();
    let error = read_source(SourceFormat::Csv, &options, input, "data", WHOLE, &mut sink).expect_err("sink");
    assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("disk full"));
}

/// How a cell is written.
#[derive(Debug, Clone)]
struct Cell {
    text: Option<String>,
    quoted: bool,
}

impl Cell {
    fn write(&self, into: &mut String) {
        let Some(text) = &self.text else { return };
        let must_quote = text.is_empty() || text.starts_with('"') || text.contains([',', '\n']) || text.ends_with('\r');
        if self.quoted || must_quote {
            *into += &format!("\"{}\"", text.replace('"', "\"\""));
        } else {
            *into += text;
        }
    }
}

fn cell() -> impl Strategy<Value = Cell> {
    let text = proptest::option::of(proptest::collection::vec(
        proptest::sample::select(vec![
            "a",
            "é",
            "\"",
            "\"\"",
            ",",
            "\n",
            "\r\n",
            "\r",
            " ",
            "long enough not to be inlined",
        ]),
        0..6,
    ));
    (text, any::<bool>()).prop_map(|(text, quoted)| Cell { text: text.map(|parts| parts.concat()), quoted })
}

fn limits() -> impl Strategy<Value = ReadLimits> {
    (1usize..200, 1usize..5, 1usize..60, 1usize..100).prop_map(|(chunk_bytes, workers, piece_bytes, guess_bytes)| {
        ReadLimits { chunk_bytes, record_bytes: 1 << 20, workers, piece_bytes, guess_bytes }
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_whatever_the_chunks(
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 3), 0..20),
        ends in proptest::collection::vec(proptest::sample::select(vec!["\n", "\r\n"]), 21),
        last_end in any::<bool>(),
        limits in limits(),
    ) {
        let mut text = format!("a,b,c{}", ends[20]);
        for (index, (row, end)) in rows.iter().zip(&ends).enumerate() {
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    text.push(',');
                }
                cell.write(&mut text);
            }
            if last_end || index + 1 < rows.len() {
                text.push_str(end);
            }
        }
        let expected: Vec<Row> = rows.iter().zip(1..).map(|(row, number)| {
            good(number, &row.iter().map(|cell| cell.text.as_deref()).collect::<Vec<_>>())
        }).collect();
        let table = read(text.as_bytes()).limits(limits).table();
        prop_assert_eq!(&table.rows, &expected, "{:?}", text);
    }

    #[test]
    fn rubbish_never_panics_and_does_not_depend_on_chunks(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            b"a".as_slice(), b",", b"\"", b"\n", b"\r", b"\xFF", b"\0", "é".as_bytes(), b"\"\"", b",\"", b"\",", b"\"\n",
        ]), 0..60),
        limits in limits(),
    ) {
        // `testing::table` checks that rows are numbered without gaps and that good and corrupt records are all of them.
        let bytes = [b"a,b\n".to_vec(), parts.concat()].concat();
        let whole = read(&bytes).limits(ReadLimits { workers: 1, ..ReadLimits::default() }).run().map_err(|e| e.to_string());
        let parts = read(&bytes).limits(limits).run().map_err(|e| e.to_string());
        match (whole, parts) {
            (Ok((frames, summary)), Ok(parts)) => {
                let whole = crate::source::testing::table(&frames, summary);
                prop_assert_eq!(whole.rows.len() as u64, whole.summary.rows);
                prop_assert_eq!(crate::source::testing::table(&parts.0, parts.1), whole);
            }
            (whole, parts) => prop_assert_eq!(whole.err(), parts.err()),
        }
    }
}

/// `cargo test -p sluice-lake -- --ignored throughput --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn throughput() {
    let mut text = String::from("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n");
    for n in 0u64.. {
        if text.len() > 200 << 20 {
            break;
        }
        let quote = if n % 50 == 0 { "\"" } else { "" };
        text += &format!(
            "{},{}A,{quote}WHITE HANGING HEART T-LIGHT HOLDER{quote},{},2010-12-01 08:{:02}:00,{}.55,{}.0,United Kingdom\n",
            536_365 + n / 20,
            10_000 + n % 3000,
            n % 12 + 1,
            n % 60,
            n % 9,
            12_000 + n % 5000,
        );
    }
    let bytes: std::sync::Arc<[u8]> = text.into_bytes().into();
    for workers in [1, 2] {
        let input = SourceInput::Stream(Box::new(Cursor::new(bytes.clone())));
        let limits = ReadLimits { workers, ..ReadLimits::default() };
        let start = Instant::now();
        let mut batches = 0;
        let summary = super::read(&CsvOptions::default(), input, "data", WHOLE, limits, &mut |batch| {
            batches += usize::from(batch.frame.height() > 0);
            Ok(())
        })
        .unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = bytes.len() as f64 / 1e6;
        println!(
            "{workers} workers: {megabytes:.0} MB, {} rows, {batches} batches, {:.0} MB/s",
            summary.rows,
            megabytes / seconds
        );
    }
    let start = Instant::now();
    let options = polars::prelude::CsvReadOptions::default().with_infer_schema_length(Some(0));
    let frame =
        polars::prelude::SerReader::finish(options.into_reader_with_file_handle(Cursor::new(bytes.clone()))).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("Polars alone: {} rows, {:.0} MB/s", frame.height(), bytes.len() as f64 / 1e6 / seconds);
}

/// `cargo test -p sluice-lake -- --ignored peak_memory --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn peak_memory() {
    let block = "536365,85123A,\"WHITE, HANGING\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n".repeat(10_000);
    let block: std::sync::Arc<[u8]> = block.into_bytes().into();
    for megabytes in [64, 256, 1024] {
        let header = Cursor::new("a,b,c,d,e,f,g,h\n");
        let blocks = std::iter::repeat_n(block.clone(), (megabytes << 20) / block.len());
        let stream: Box<dyn Read + Send> =
            Box::new(header.chain(Blocks { blocks, current: Cursor::new(block.clone()) }));
        let options = SourceOptions::default();
        let summary =
            read_source(SourceFormat::Csv, &options, SourceInput::Stream(stream), "data", WHOLE, &mut |_| Ok(()))
                .unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak not known");
        println!("{megabytes} MiB, {} rows: {peak}", summary.rows);
    }
}

/// Blocks one behind the other.
struct Blocks<I> {
    blocks: I,
    current: Cursor<std::sync::Arc<[u8]>>,
}

impl<I: Iterator<Item = std::sync::Arc<[u8]>>> Read for Blocks<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.current.read(buffer)? {
            0 => match self.blocks.next() {
                Some(block) => {
                    self.current = Cursor::new(block);
                    self.current.read(buffer)
                }
                None => Ok(0),
            },
            count => Ok(count),
        }
    }
}
