//! What is written, and what is refused so that nothing is.

use std::fs;

use sluice_core::run::Outcome;
use sluice_tests::sluice::Run;

use super::{SILVER, init, lab};
use crate::small::{assert_says, land, rows};
use crate::workbook::archive;

#[test]
fn personal_data_get_a_classification() {
    let lab = lab();
    land(
        &lab,
        "a.csv",
        "id,email,iban\n1,ann@example.com,DE89370400440532013000\n2,bob@example.com,GB82WEST12345698765432\n",
    );
    let _ = init(&lab, &[]).expect_code(0);
    let contract = fs::read_to_string(lab.pipeline().join("contracts/t.odcs.yaml")).unwrap();
    assert_says(&contract, &["classification: confidential", "classification: restricted"], "hints");
    let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
    assert_says(&spec, &["mode: append", "keys: [id]"], "the key");
}

#[test]
fn an_archive_is_described_by_its_first_member() {
    let lab = lab();
    let member = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    land(&lab, "a.zip", archive(&[member("x/1.csv", "id;n\n1;2\n"), member("x/2.csv", "id;n\n2;3\n")]));
    let _ = init(&lab, &[]).expect_code(0);
    let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
    assert_says(&spec, &["format: csv", "archive: {}", "delimiter: "], "the members");
    let _ = lab.run().expect(Outcome::Published);
}

#[test]
fn of_an_archive_with_notes_only_the_tables_are_read() {
    let check = |notes: (&str, &str), data: (&str, &str), include: &str| {
        let lab = lab();
        let member = |(name, text): (&str, &str)| (name.to_owned(), text.as_bytes().to_vec());
        land(&lab, "a.zip", archive(&[member(notes), member(data)]));
        let _ = init(&lab, &[]).expect_code(0);
        let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
        assert_says(&spec, &[include, notes.0, "are left out"], "the members");
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"], "{run}");
    };
    let readme = ("README.txt", "What is in here, and why: orders of January, as delivered.\n");
    check(readme, ("2026/orders.csv", "id,n\n1,2\n2,3\n"), "include: ['**/*.csv']");
    check(readme, ("o.xml", "<o><r id='1'><n>2</n></r><r id='2'><n>3</n></r></o>"), "include: ['**/*.xml']");
    check(("lines.csv", "k,l,m\n1,1,a\n"), ("orders.csv", "id,n\n1,2\n2,3\n"), "include: ['orders.csv']");
}

#[test]
fn elements_of_xml_that_repeat_are_arrays_and_a_later_file_fits() {
    let lab = lab();
    let order = |id: u32, inside: &str| format!("<order id='{id}'><amount cur='EUR'>1.50</amount>{inside}</order>");
    let lines = "<line><sku>a</sku></line><line><sku>b</sku></line>";
    let first = [order(1, &format!("<tag>x</tag><lines>{lines}</lines>")), order(2, "<tag>y</tag><tag>z</tag>")];
    land(&lab, "a.xml", format!("<orders>{}</orders>", first.concat()));
    let made = init(&lab, &[]).expect_code(0);
    let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
    assert_says(&spec, &["amount: '$.amount.#text'", "arrays, because some records have several"], "the spec");
    let contract = fs::read_to_string(lab.pipeline().join("contracts/t.odcs.yaml")).unwrap();
    let items = "items: { logicalType: object, properties: [{ name: sku, logicalType: string }] }";
    assert_says(&contract, &["logicalType: array", "items: { logicalType: string }", items], &made.to_string());
    let later = [order(3, "<tag>q</tag><lines><line><sku>c</sku></line></lines>"), order(4, "")];
    land(&lab, "b.xml", format!("<orders>{}</orders>", later.concat()));
    let run = lab.run().expect(Outcome::Published);
    let expected =
        [r#"1|["x"]|[{"sku":"a"},{"sku":"b"}]"#, r#"2|["y","z"]|NULL"#, r#"3|["q"]|[{"sku":"c"}]"#, "4|NULL|NULL"];
    assert_eq!(rows(&lab, SILVER, &["id", "tag", "lines_line"]), expected, "{run}");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let lab = lab();
    land(&lab, "a.csv", "id,n\n1,2\n");
    let _ = init(&lab, &[]).expect_code(0);
    let run = init(&lab, &[]).expect_code(2);
    assert_says(&run.stdout, &["exists", "--force"], "a second time");
    let _ = init(&lab, &["--force"]).expect_code(0);
}

#[test]
fn what_is_no_table_is_refused_with_the_fix_and_nothing_is_written() {
    let check = |files: &[(&str, &[u8])], code: i32, says: &str| {
        let lab = lab();
        for (name, bytes) in files {
            land(&lab, name, bytes);
        }
        let run = init(&lab, &[]).expect_code(code);
        assert_says(&run.stdout, &[says], says);
        assert!(!lab.pipeline().exists(), "{says}");
    };
    check(&[], 2, "no file that a pipeline would take");
    check(&[("a.csv", b"")], 1, "is empty");
    check(&[("a.csv", b"id,name\n")], 1, "has a header and no record");
    check(&[("a.json", b"{}\n{}\n")], 1, "have no keys");
    check(&[("a.json", b"{\"x\":[{\"a\":1}]}"), ("b.json", b"{\"y\":[{\"a\":1}]}")], 1, "records in `$.x[*]`");
    check(&[("a.xlsx", b"PK\x03\x04\x14\0")], 1, "no workbook of Excel");
    check(&[("a.csv", b"id,n\r1,2\r\n3,4\r5,6\r")], 1, "carriage returns alone, and others");
    check(&[("a.bin", b"\0\x01\x02\xff\0\x03")], 1, "binary data");
    check(&[("a.csv", b"id,n\n1,2\n"), ("b.csv", b"{\"id\": 1}\n")], 1, "is NDJSON");
    check(&[("a.csv", b"id,n\n1,2\n"), ("b.csv", b"id;n\n1;2\n")], 1, "delimiter");
    check(&[("a.csv", b"id,n\n1,2\n"), ("b.csv", b"x,y\n1,2\n")], 1, "no column in common");
}

#[test]
fn options_of_a_dialect_are_written_as_a_spec_reads_them() {
    let check = |text: &str, expected: &[&str]| {
        let lab = lab();
        land(&lab, "a.csv", text);
        let _ = init(&lab, &[]).expect_code(0);
        let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
        assert_says(&spec, expected, text);
        let _ = lab.run().expect(Outcome::Published);
    };
    check("id,n\r1,\"a\nb\"\r3,4\r", &["record_end: \"\\r\""]);
    check("id\tn\n1\ta\\tb\n2\t\\N\n", &["delimiter: \"\\t\"", "quote: none", "escapes: copy"]);
    check("id,n\n1,2\n3,4\n(2 rows)\n", &["skip_last_lines: 1", "last_lines_begin: '('"]);
}

#[test]
fn names_and_values_are_shown_as_they_are_and_on_one_line() {
    let lab = lab();
    let records: String = (1..=60).map(|id| format!("{id},{id}.50\n")).collect();
    land(&lab, "a.csv", format!("id,it's\n{records}61,it's\n"));
    let mut command = lab.command(["init", "landing/a.csv", "--to", "made", "--name", "t"]);
    command.env("COLUMNS", "200");
    let run = Run::of(command).expect_code(0);
    assert!(run.stdout.contains("it's") && !run.stdout.contains("\\'"), "{}", run.stdout);
    land(&lab, "a\nb\u{1b}[31m.csv", "");
    let mut command = lab.command(["init"]);
    command.arg(lab.landing().join("a\nb\u{1b}[31m.csv")).args(["--to", "other", "--name", "t"]);
    let run = Run::of(command).expect_code(1);
    assert!(run.stderr.contains("a\\nb\\u{1b}[31m.csv is empty"), "{}", run.stderr);
}

#[test]
fn an_encoding_that_cannot_be_found_is_asked_for_and_taken() {
    let lab = lab();
    land(&lab, "a.csv", b"id,name\n1,\x93\x8c\x8b\x9e\n2,\x91\xe5\x8d\xe3\n");
    let refused = init(&lab, &[]).expect_code(1);
    assert_says(&refused.stdout, &["Windows-1252", "--encoding", "shift_jis"], "neither UTF-8 nor Windows-1252");
    let other = init(&lab, &["--encoding", "utf-8"]).expect_code(1);
    assert_says(&other.stdout, &["is not utf-8", "not characters of it"], "another encoding");
    let _ = init(&lab, &["--encoding", "Shift_JIS"]).expect_code(0);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, "silver/main/t", &["id", "name"]), ["1|東京", "2|大阪"]);
}
