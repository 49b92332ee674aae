//! Dialects of CSV: files as other programs write them give the rows that they show.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;

use crate::small::{BRONZE, ORDERS, QUARANTINE, SILVER, assert_says, held_by, land, orders, orders_with, rows};

const SHOWN: [&str; 5] = ["id", "name", "amount", "day", "_source_row"];
/// The rows of every file.
const ROWS: [&str; 2] = ["1|größe|1.50|2026-01-01|1", "2|b|-2.00|NULL|2"];

fn lab(csv: &str) -> Lab {
    orders_with(&ORDERS.replace("format: csv", &format!("format: csv, csv: {{ {csv} }}")))
}

/// A file in a dialect gives the rows, and nothing is quarantined.
fn check(csv: &str, bytes: impl AsRef<[u8]>) {
    let lab = lab(csv);
    land(&lab, "a.csv", bytes);
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS, "{csv}: {run}");
    assert!(!lab.tables().contains_key(QUARANTINE), "{csv}");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn every_option_reads_what_it_is_for() {
    let table = "id,name,amount,day\n1,größe,1.50,2026-01-01\n2,b,-2.00,\n";
    let body = "1,größe,1.50,2026-01-01\n2,b,-2.00,\n";
    check("header: absent, names: [id, name, amount, day]", body);
    check("names: [id, name, amount, day]", format!("Nr,,Sum,Sum\n{body}"));
    check("skip_lines: 2", format!("Report \"of 2026\n\n{table}"));
    check("comment: '#'", format!("# all \"orders\n{}# end\n", table.replace("2,b", "#,\"\n2,b")));
    check("trailing_delimiter: true", table.replace('\n', ",\n"));
    check("ragged: pad", table.replace("-2.00,", "-2.00"));
    check("delimiter: '||'", table.replace(',', "||"));
    check("delimiter: \"\\x01\", quote: none", table.replace(',', "\u{1}"));
    check("delimiter: '~|~', record_end: \"~\\n\"", table.replace(',', "~|~").replace('\n', "~\n"));
    check("record_end: \"\\r\"", table.replace('\n', "\r"));
    check("header_lines: { count: 2, take: 1 }", table.replacen('\n', "\n,,EUR,\n", 1));
    check("skip_last_lines: 1, last_lines_begin: Total", format!("{table}Total,2 \"orders\n\n"));
    let copy = "1\tgröße\t1.50\t2026-01-01\n2\tb\t-2.00\t\\N\n";
    check("delimiter: \"\\t\", quote: none, escapes: copy, header: absent, names: [id, name, amount, day]", copy);
    check("encoding: iso-8859-1", b"id,name,amount,day\n1,gr\xf6\xdfe,1.50,2026-01-01\n2,b,-2.00,\n");
    let utf16: Vec<u8> = table.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check("encoding: utf-16be", &utf16);
    check("quote: '\"'", [&[0xfe, 0xff][..], &utf16].concat());
    let all = "header: absent, names: [id, name, amount, day], skip_lines: 1, comment: '#', delimiter: ';', \
               trailing_delimiter: true, ragged: pad, encoding: windows-1252";
    check(all, b"Report\r\n#\r\n1;gr\xf6\xdfe;1.50;2026-01-01;\r\n2;b;-2.00;\r\n");
}

#[test]
fn columns_without_a_header_and_names_have_their_position_as_name() {
    let spec = ORDERS.replace(
        "columns: { id: id, name: name, amount: amount, day: day }",
        "columns: { id: column_1, name: column_2, amount: column_3, day: column_4 }",
    );
    let lab = orders_with(&spec.replace("format: csv", "format: csv, csv: { header: absent }"));
    land(&lab, "a.csv", "1,größe,1.50,2026-01-01\n2,b,-2.00,\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS);
}

#[test]
fn columns_without_a_name_and_repeated_ones_that_nobody_reads_are_kept_in_bronze() {
    let lab = orders();
    land(&lab, "pandas.csv", ",id,name,amount,day,note,note\n0,1,größe,1.50,2026-01-01,x,y\n1,2,b,-2.00,,,z\n");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS, "{run}");
    assert_eq!(rows(&lab, BRONZE, &["column_1", "note", "note_7"]), ["0|x|y", "1|NULL|z"]);
}

/// The first column of one file has no name, and the other file does not have it.
#[test]
fn files_with_row_numbers_of_pandas_and_without_them_are_read_by_one_run() {
    let lab = orders();
    land(&lab, "pandas.csv", ",id,name,amount,day\n0,1,a,1.50,\n1,2,b,2.50,\n");
    land(&lab, "good.csv", "id,name,amount,day\n7,g,3.50,\n");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|a", "2|b", "7|g"], "{run}");
    assert_eq!(rows(&lab, BRONZE, &["id", "column_1"]), ["1|0", "2|1", "7|NULL"]);
}

#[test]
fn a_repeated_name_that_is_mapped_later_holds_new_files_and_keeps_the_first_column() {
    let lab = orders();
    land(&lab, "a.csv", "id,name,amount,day,note,note\n1,a,1.50,,x,y\n");
    let _ = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "name: name,", "name: note,");
    land(&lab, "b.csv", "id,name,amount,day,note,note\n2,b,1.50,,x,y\n");
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["b.csv", "`note` repeats column 5", "source.csv.names"], "mapped now");
    assert_eq!(rows(&lab, BRONZE, &["id", "note", "note_6"]), ["1|x|y"]);
    lab.edit_pipeline("pipeline.yaml", "name: note,", "name: note_6,");
    land(&lab, "c.csv", "id,name,amount,day,note,note\n3,c,1.50,,x,z\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|a", "3|z"], "by its position");
}

#[test]
fn strict_header_names_refuse_such_objects() {
    let lab = lab("header_names: strict");
    land(&lab, "a.csv", ",id,name,amount,day\n0,1,a,1.50,2026-01-01\n");
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["a.csv", "line 1", "column 1 has no name"], "blank");
    land(&lab, "a.csv", "id,name,amount,day,note,note\n1,a,1.50,2026-01-01,x,y\n");
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["a.csv", "line 1", "`note` repeats column 5"], "repeated");
}

#[test]
fn objects_that_do_not_fit_the_names_are_refused_with_both_numbers() {
    let lab = lab("names: [id, name, amount, day]");
    land(&lab, "a.csv", "Nr,Name,Sum\n1,a,1.50\n");
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["a.csv", "the header has 3 columns, and source.csv.names 4"], "number");
}

#[test]
fn lines_in_messages_are_those_of_the_file() {
    let lab = lab("skip_lines: 1, comment: '#', header: absent, names: [id, name, amount, day]");
    land(&lab, "a.csv", "Report\n#\n1,a,1.50,2026-01-01\n# a comment\n2,b\n3,c,1.50,2026-01-01\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "_source_row"]), ["1|1", "3|3"]);
    let reasons = rows(&lab, BRONZE, &["_source_row", "_corrupt_reason"]);
    let expected = "2|line 5 (record 2) has 2 fields where the object has 4 columns";
    assert!(reasons.contains(&expected.to_owned()), "{reasons:?}");
}
