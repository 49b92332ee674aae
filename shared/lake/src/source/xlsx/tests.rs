mod workbook;

use std::io::Write;

use polars::prelude::DataFrame;
use proptest::prelude::*;
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW};
use sluice_core::spec::XlsxSpec;

use self::workbook::{Workbook as Written, archive, rows_xml};
use super::*;
use crate::source::testing::SMALL;

fn spec(yaml: &str) -> XlsxSpec {
    serde_json::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

/// A table as lines: the names, then each record with its number, `NULL` and its reason.
fn read_with(options: &XlsxOptions, bytes: &[u8], limits: ReadLimits) -> Result<Vec<String>, SourceError> {
    let file = file(bytes);
    let mut frames: Vec<DataFrame> = Vec::new();
    let input = SourceInput::File(file.path().to_owned());
    let summary = super::read(options, input, "data", limits, &mut |batch| {
        frames.push(batch.frame);
        Ok(())
    })?;
    let columns = super::look(options, SourceInput::File(file.path().to_owned()), "data").expect("the beginning").0;
    assert_eq!(columns, summary.columns);
    let mut lines = vec![columns.join("|")];
    for frame in &frames {
        let text = |name: &str, row: usize| -> Option<String> {
            frame.column(name).expect(name).str().expect("text").get(row).map(str::to_owned)
        };
        for row in 0..frame.height() {
            let number = frame.column(SOURCE_ROW).expect("column").i64().expect("numbers").get(row).expect("a number");
            assert_eq!(number, i64::try_from(lines.len()).expect("few"), "records are numbered");
            lines.push(match (text(CORRUPT_RECORD, row), text(CORRUPT_REASON, row)) {
                (Some(raw), Some(reason)) => format!("{raw}: {reason}"),
                _ => {
                    let values = columns.iter().map(|name| text(name, row).unwrap_or_else(|| "NULL".to_owned()));
                    values.collect::<Vec<_>>().join("|")
                }
            });
        }
    }
    assert_eq!(summary.rows, lines.len() as u64 - 1);
    Ok(lines)
}

fn read(yaml: &str, bytes: &[u8]) -> Vec<String> {
    let options = XlsxOptions::reading(spec(yaml), &[]);
    let lines = read_with(&options, bytes, ReadLimits::default()).unwrap_or_else(|error| panic!("{yaml}: {error:?}"));
    let small = read_with(&options, bytes, SMALL).expect("in small batches");
    assert_eq!(lines, small);
    lines
}

fn error_of(yaml: &str, bytes: &[u8]) -> String {
    let error = read_with(&XlsxOptions::reading(spec(yaml), &[]), bytes, ReadLimits::default()).expect_err(yaml);
    assert!(error.is_refusal(), "{error:?}");
    sluice_core::error::with_sources(&error)
}

#[test]
fn every_kind_of_cell_has_its_text() {
    let rows = r#"<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
        <row r="2"><c r="A2"><v>1.50</v></c><c r="B2"><v>7</v></c></row>
        <row r="3" hidden="1"><c r="A3" t="b"><v>1</v></c><c r="B3" t="b"><v>0</v></c></row>
        <row r="4"><c r="A4" s="1"><v>45943</v></c><c r="B4" s="2"><v>45943.5</v></c></row>
        <row r="5"><c r="A5" s="2"><v>0.25</v></c><c r="B5" s="3"><v>1.5</v></c></row>
        <row r="6"><c r="A6" t="e"><v>#N/A</v></c><c r="B6" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>
        <row r="7"><c r="A7"><f>A2+1</f><v>2.5</v></c><c r="B7" t="str"><f>"a"</f><v>a &amp; b</v></c></row>
        <row r="8"><c r="A8" t="inlineStr"><is><r><t>ri</t></r><r><rPr><b/></rPr><t>ch</t></r></is></c><c r="B8" t="s"><v>2</v></c></row>
        <row r="9"><c r="A9" t="d"><v>2024-01-31T10:00:00</v></c><c r="B9" t="str"><v></v></c></row>
        <row r="10"><c r="A10" s="1"/><c r="B10" t="str"><f>""</f><v></v></c></row>
        <row r="11"><c r="A11"><v>12345678901234</v></c></row>"#;
    let book = Written::new()
        .sheet("S", rows)
        .text("<t>a</t>")
        .text("<t>b</t>")
        .text("<r><t>sha</t></r><r><rPr><i/></rPr><t>red</t></r>")
        .format("yyyy-mm-dd")
        .format("hh:mm")
        .format("[h]:mm:ss");
    let expected = [
        "a|b",
        "1.5|7",
        "true|false",
        "2025-10-13|2025-10-13T12:00:00",
        "06:00:00|PT36H0M0S",
        "#N/A|#DIV/0!",
        "2.5|a & b",
        "rich|shared",
        "2024-01-31T10:00:00|NULL",
        "12345678901234|NULL",
    ];
    assert_eq!(read("{}", &book.bytes()), expected);
}

#[test]
fn errors_of_other_programs_are_texts_wherever_they_are() {
    let text = |text: &str| format!(r#"<c t="inlineStr"><is><t>{text}</t></is></c>"#);
    let header = format!(r#"<row r="1">{}{}{}</row>"#, text("a"), text("b"), text("c"));
    let rows = r##"<row r="2"><c r="A2"><v>1</v></c><c r="C2" t="e"><v>#ERROR!</v></c></row>
        <row r="3"><c><v>2</v></c><c t="e"><f>X()</f><v>#SPILL!</v></c><c><v>3</v></c></row>
        <row r="4"><c t="e"><v>#ERROR!</v></c><c/><c t="e"><v>#BUSY!</v></c></row>
        <row r="5"><c r="B5"><f t="shared" si="0" ref="B5:B6">A5</f><v>4</v></c></row>
        <row r="6"><c r="B6" t="e"><f t="shared" si="0"/><v>#GETTING_DATA</v></c><c r="C6" t="e"><v>#N/A</v></c></row>"##;
    let expected =
        ["a|b|c", "1|NULL|#ERROR!", "2|#SPILL!|3", "#ERROR!|NULL|#BUSY!", "NULL|4|NULL", "NULL|#GETTING_DATA|#N/A"];
    assert_eq!(read("{}", &Written::new().sheet("S", &format!("{header}{rows}")).bytes()), expected);
    // Looking for their places would take memory for a billion formulas.
    let formulas = rows.replace(r#"si="0""#, r#"si = '1000000000'"#);
    let error = error_of("{}", &Written::new().sheet("S", &format!("{header}{formulas}")).bytes());
    assert!(error.contains("sheet 'S' cannot be read behind row 2") && error.contains("#ERROR!"), "{error}");
}

#[test]
fn days_are_counted_from_the_year_that_the_workbook_says() {
    let rows = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>d</t></is></c></row>
        <row r="2"><c r="A2" s="1"><v>1</v></c></row><row r="3"><c r="A3" s="1"><v>44481</v></c></row>"#;
    let book = || Written::new().sheet("S", rows).format("d.m.yyyy");
    assert_eq!(read("{}", &book().bytes()), ["d", "1900-01-01", "2021-10-12"]);
    assert_eq!(read("{}", &book().since_1904().bytes()), ["d", "1904-01-02", "2025-10-13"]);
}

#[test]
fn merged_cells_have_their_value_in_the_first_one() {
    let sheet = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="inlineStr"><is><t>b</t></is></c></row>
        <row r="2"><c r="A2"><v>1</v></c><c r="B2"/></row><row r="3"><c r="A3"/><c r="B3"><v>2</v></c></row>"#;
    assert_eq!(read("{}", &Written::new().sheet("S", sheet).bytes()), ["a|b", "1|NULL", "NULL|2"]);
}

#[test]
fn rows_without_a_value_are_no_records_and_the_header_says_the_columns() {
    let check = |yaml: &str, rows: &[&[&str]], expected: &[&str]| {
        assert_eq!(read(yaml, &Written::of_cells(rows).bytes()), expected, "{yaml}");
    };
    check("{}", &[&[], &["id", "x"], &[], &["1", ""], &["", "2"], &[], &[]], &["id|x", "1|NULL", "NULL|2"]);
    check("{}", &[&["", "id"], &["0", "1"]], &["column_1|id", "0|1"]);
    check("{}", &[&["id", "x", "x"], &["1", "2", "3"]], &["id|x|x_3", "1|2|3"]);
    check("{}", &[&["id"]], &["id"]);
    check(r#"{"header": "absent"}"#, &[&["1", "a"], &["2"]], &["column_1|column_2", "1|a", "2|NULL"]);
    check(r#"{"header": "absent", "names": ["n", "m"]}"#, &[&["1"], &["2", "b"]], &["n|m", "1|NULL", "2|b"]);
    check(r#"{"names": ["n", "m"]}"#, &[&["x", "x"], &["2", "b"]], &["n|m", "2|b"]);
    check(r#"{"skip_lines": 2}"#, &[&["Report", "of", "today"], &[], &["id"], &["1"]], &["id", "1"]);
    let behind = r#"["1",null,"x"]: line 2 (record 1) has a value in column C of the sheet, and the table ends with column B; move it, or write a wider source.xlsx.range"#;
    check("{}", &[&["id", "n"], &["1", "", "x"], &["2", "y"]], &["id|n", behind, "2|y"]);
}

#[test]
fn a_range_has_its_cells_and_no_others() {
    let rows: &[&[&str]] = &[&["no", "no", "no", "no"], &["no", "id", "n", "no"], &["", "1", "", "x"], &["", "2", "b"]];
    let check = |range: &str, expected: &[&str]| {
        let yaml = format!(r#"{{"range": "{range}"}}"#);
        assert_eq!(read(&yaml, &Written::of_cells(rows).bytes()), expected, "{range}");
    };
    check("B2:C", &["id|n", "1|NULL", "2|b"]);
    check("B2:C3", &["id|n", "1|NULL"]);
    check("B2:B", &["id", "1", "2"]);
    check("B2:F", &["id|n|no|column_4|column_5", "1|NULL|x|NULL|NULL", "2|b|NULL|NULL|NULL"]);
}

#[test]
fn a_sheet_is_chosen_by_name_or_number() {
    let book = || {
        let sheet = |value: &str| rows_xml(&[&["id"], &[value]]);
        Written::new().sheet("Orders", &sheet("1")).sheet("2", &sheet("2")).sheet("Notes", "").bytes()
    };
    let check = |yaml: &str, expected: &str| assert_eq!(read(yaml, &book()), ["id", expected], "{yaml}");
    check("{}", "1");
    check(r#"{"sheet": 2}"#, "2");
    check(r#"{"sheet": "2"}"#, "2");
    check(r#"{"sheet": "Orders"}"#, "1");
    let check = |yaml: &str, says: &str| {
        let error = error_of(yaml, &book());
        assert!(error.contains(says) && error.contains("'data'"), "{yaml}: {error}");
    };
    check(r#"{"sheet": "orders"}"#, "sheet 'orders' is missing; it has Orders, 2, Notes");
    check(r#"{"sheet": 4}"#, "sheet 4 is missing; it has Orders, 2, Notes");
    check(r#"{"sheet": 3}"#, "sheet 'Notes' has no value; fill it");
    check(r#"{"range": "C5:D"}"#, "sheet 'Orders' has no value in C5:D");
}

#[test]
fn headers_that_cannot_be_used_are_refused() {
    let book = Written::of_cells(&[&[], &["id", "ID"], &["1", "2"]]).bytes();
    let options = XlsxOptions::reading(XlsxSpec::default(), &["id"]);
    let error = read_with(&options, &book, ReadLimits::default()).expect_err("two columns");
    let error = sluice_core::error::with_sources(&error);
    assert!(
        error.contains("row 2") && error.contains("'ID' as column 2") && error.contains("source.xlsx.names"),
        "{error}"
    );
    let error = error_of(r#"{"names": ["a"]}"#, &book);
    assert!(error.contains("the header in row 2 has 2 columns, and source.xlsx.names 1"), "{error}");
    let error = error_of("{}", &Written::of_cells(&[&["_source_row"], &["1"]]).bytes());
    assert!(error.contains("line 1: column 1 `_source_row`"), "{error}");
}

#[test]
fn what_is_no_workbook_is_named() {
    let check = |bytes: &[u8], says: &str| {
        let error = error_of("{}", bytes);
        assert!(error.contains(says) && error.contains("object 'data'"), "{error}");
    };
    check(b"", "is empty");
    check(b"id,name\n1,a\n", "is no zip archive");
    let good = Written::of_cells(&[&["id"], &["1"]]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&good.bytes()).unwrap();
    check(&gzip.finish().unwrap(), "is packed with gzip");
    let ole = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [&b"\xD0\xCF\x11\xE0"[..], &[0; 600], &name].concat()
    };
    check(&ole("EncryptedPackage"), "protected with a password");
    check(&ole("Workbook"), "an old Excel (.xls)");
    let parts = |name: &str| archive(&[(name.to_owned(), b"x".to_vec())]);
    check(&parts("orders.csv"), "a zip archive without a workbook");
    check(&parts("xl/workbook.bin"), "a binary workbook (.xlsb)");
    check(&parts("content.xml"), "an OpenDocument file");
    check(&good.part("xl/styles.xml", b"<styleSheet/>").bytes(), "has a part twice");
    let stream = SourceInput::Stream(Box::new(std::io::empty()));
    let error = super::read(&XlsxOptions::default(), stream, "data", SMALL, &mut |_| Ok(())).expect_err("a stream");
    assert!(matches!(error, SourceError::XlsxStream { .. }), "{error:?}");
}

#[test]
fn damaged_workbooks_are_refused_and_never_stop_the_reader() {
    let good = Written::of_cells(&[&["id", "name"], &["1", "a"], &["2", "b"]]).bytes();
    for kept in (4..good.len()).step_by(7) {
        let error = error_of("{}", &good[..kept]);
        assert!(error.contains("object 'data'"), "{kept}: {error}");
    }
    let sheet = |rows: &str| error_of("{}", &Written::new().sheet("S", rows).bytes());
    let unordered = sheet(r#"<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>"#);
    assert!(unordered.contains("sheet 'S': cell A1 is not behind the one before it"), "{unordered}");
    let unclosed = sheet(r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="A2"><v>"#);
    assert!(unclosed.contains("sheet 'S'"), "{unclosed}");
    let text = sheet(r#"<row r="1"><c r="A1" t="s"><v>7</v></c></row>"#);
    assert!(text.contains("sheet 'S' cannot be read behind row 0"), "{text}");
}

#[test]
fn workbooks_that_would_take_too_much_memory_are_refused_before_they_do() {
    let check = |bytes: &[u8], limits: PackageLimits, says: &str| {
        let mut file = file(bytes).into_file();
        match package::check(&mut file, limits) {
            Err(PackageError::Fault(fault)) => assert!(fault.to_string().contains(says), "{fault}"),
            other => panic!("{says}: {other:?}"),
        }
    };
    let all = PackageLimits::default();
    let book = || Written::of_cells(&[&["id"], &["1"]]);
    let bytes = book().bytes();
    check(&bytes, PackageLimits { stored: 100, ..all }, "too large (a file of ");
    check(&bytes, PackageLimits { parts: 500, ..all }, "too large (parts of ");
    check(&bytes, PackageLimits { texts: 10, ..all }, "too large (shared texts of ");
    // Sizes in the directory that are too small: the zeros unpack to more.
    let mut lying = book().part("xl/media/bomb", vec![0; 100_000]).bytes();
    let size = 100_000_u32.to_le_bytes();
    let places: Vec<usize> = lying.windows(4).enumerate().filter(|(_, w)| *w == size).map(|(at, _)| at).collect();
    for at in places {
        lying[at..at + 4].copy_from_slice(&7_u32.to_le_bytes());
    }
    check(&lying, PackageLimits { parts: 10_000, ..all }, "too large (parts of more than 10000 bytes");
    let with = |changed: &str, with: &[u8]| {
        let mut parts = book().all_parts();
        let (_, content) = parts.iter_mut().find(|(name, _)| name == changed).expect(changed);
        *content = with.to_vec();
        archive(&parts)
    };
    // The library would take memory for a billion texts.
    let texts = r#"<sst count="1" uniqueCount="1000000000"><si><t>a</t></si></sst>"#;
    check(&with("xl/sharedStrings.xml", texts.as_bytes()), all, "announced as 1000000000");
    let utf16: Vec<u8> = texts.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&with("xl/sharedStrings.xml", &utf16), all, "announced as 1000000000");
    // It would copy the name of the font for each format.
    let styles = format!(r#"<styleSheet><name val="{}"/>{}"#, "x".repeat(1 << 20), "<xf/>".repeat(2_000));
    check(&with("xl/styles.xml", styles.as_bytes()), all, "too large (styles, names and links of ");
    let error = check_size("a.xlsx", 2 << 30).expect_err("2 GB");
    let error = sluice_core::error::with_sources(&error);
    assert!(error.contains("'a.xlsx'") && error.contains("2147483648") && error.contains("CSV or Parquet"), "{error}");
}

proptest! {
    #[test]
    fn a_written_sheet_is_read_back_at_any_size_of_batches(
        rows in proptest::collection::vec(proptest::collection::vec("[a-h]{0,3}|[1-9][0-9]{0,8}", 4), 1..20),
        chunk_bytes in 1_usize..500,
    ) {
        let header: &[&str] = &["a", "b", "c", "d"];
        let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        let all: Vec<&[&str]> = std::iter::once(header).chain(cells.iter().map(Vec::as_slice)).collect();
        let bytes = Written::of_cells(&all).bytes();
        let limits = ReadLimits { chunk_bytes, ..ReadLimits::default() };
        let read = read_with(&XlsxOptions::default(), &bytes, limits).unwrap();
        let shown = |cell: &&str| if cell.is_empty() { "NULL".to_owned() } else { (*cell).to_owned() };
        let expected: Vec<String> = cells
            .iter()
            .filter(|row| row.iter().any(|cell| !cell.is_empty()))
            .map(|row| row.iter().map(shown).collect::<Vec<_>>().join("|"))
            .collect();
        prop_assert_eq!(&read[1..], expected.as_slice());
    }
}
