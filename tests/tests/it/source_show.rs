//! The way back from a row to the record of its file: `sluice source show`.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{BRONZE, ORDERS, assert_says, land, orders, orders_with, rows};

const SMALL: &str = "id,name,amount,day\n1,ann,1.00,2026-01-01\n2,\"b\"\"b\",,2026-01-02\n\n3,short\n4,dora,4.00,\n";

fn show(lab: &Lab, file: &str, at: u64, more: &[&str]) -> Run {
    lab.sluice(&[&["source", "show", file, "--at", &at.to_string()], more].concat())
}

/// The record at a position, which must exist.
fn shown(lab: &Lab, file: &str, at: u64, more: &[&str]) -> Value {
    show(lab, file, at, more).expect_code(0).page()
}

/// What people read.
fn text(lab: &Lab, file: &str, at: u64) -> String {
    let mut command = lab.command(["source", "show", file, "--at", &at.to_string()]);
    command.arg("--lake").arg(lab.lake());
    Run::of(command).expect_code(0).stdout
}

/// Asserts that a command ends with this code, and that its message and next step have these parts.
fn refused(run: Run, code: i32, says: &[&str]) {
    let error: Value = run.expect_code(code).page();
    assert_says(&error["error"].to_string(), says, "source show");
}

#[test]
fn a_record_of_a_small_file_is_found_by_its_number() {
    let lab = orders();
    let path = land(&lab, "2026/a b.csv", SMALL);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, BRONZE, &["_source_row"]), ["1", "2", "3", "4"]);

    let second = shown(&lab, "2026/a b.csv", 2, &[]);
    assert!(second["uri"].as_str().unwrap().ends_with("/landing/2026/a%20b.csv"), "{second}");
    assert_eq!((&second["positions"], &second["position"]), (&json!("numbers"), &json!(2)));
    assert_eq!(second["values"], json!({ "id": "2", "name": "b\"b", "amount": null, "day": "2026-01-02" }));
    assert_eq!((&second["raw"], &second["reason"]), (&Value::Null, &Value::Null));
    assert_eq!(shown(&lab, second["uri"].as_str().unwrap(), 2, &[]), second, "by its address");
    assert_eq!(shown(&lab, path.to_str().unwrap(), 2, &["--pipeline", "retail"]), second, "by its path");

    let third = shown(&lab, "2026/a b.csv", 3, &[]);
    let reason = "line 5 (record 3) has 2 fields where the header has 4";
    assert_eq!((&third["raw"], &third["reason"]), (&json!("3,short"), &json!(reason)));

    let (good, corrupt) = (text(&lab, "2026/a b.csv", 2), text(&lab, "2026/a b.csv", 3));
    assert_says(&good, &["record 2 of file:///", "column", "b\"b", "NULL"], "a good record");
    assert_says(&corrupt, &["record 3 of file:///", &format!("corrupt: {reason}\n3,short\n")], "a corrupt record");
}

#[test]
fn a_record_of_every_text_format_is_found() {
    let check = |format: &str, content: &str| {
        let lab = orders_with(&ORDERS.replace("format: csv", &format!("format: {format}")));
        land(&lab, "a.data", content);
        let _ = lab.run().expect(Outcome::Published);
        let record = shown(&lab, "a.data", 2, &[]);
        let expected = json!({ "id": "2", "name": "bob", "amount": "2.00", "day": null });
        assert_eq!(record["values"], expected, "{format}");
    };
    let one = r#"{"id":1,"name":"ann","amount":"1.00","day":"2026-01-01"}"#;
    let two = r#"{"id":2,"name":"bob","amount":"2.00","day":null}"#;
    check("ndjson", &format!("{one}\n{two}\n"));
    check("json", &format!("[{one},{two}]"));
}

#[test]
fn what_does_not_exist_is_refused_with_what_is_near_it() {
    let lab = orders();
    land(&lab, "a.csv", SMALL);
    refused(show(&lab, "a.csv", 1, &[]), 2, &["the lake has no run", "--pipeline"]);
    let _ = lab.run().expect(Outcome::Published);
    let header = "id,name,amount,day\n".len() as u64;
    let second = header + "1,ann,1.00,2026-01-01\n".len() as u64;
    assert_eq!(shown(&lab, "a.csv", second, &["--by", "byte"])["values"]["id"], "2");

    refused(show(&lab, "a.csv", 5, &[]), 2, &["has no record 5: it has 4 records", "_source_row"]);
    refused(show(&lab, "a.csv", 0, &[]), 2, &["numbered from 1"]);
    refused(show(&lab, "b.csv", 1, &[]), 2, &["NotFound", "no file exists at", "/landing/b.csv"]);
    refused(show(&lab, "../b.csv", 1, &[]), 2, &["../b.csv does not exist"]);
    refused(show(&lab, "a.csv", 1, &["--pipeline", "other"]), 2, &["pipeline.yaml", "sluice runs list"]);
    refused(show(&lab, "a.csv", 999, &["--by", "byte"]), 2, &["no record begins at byte 999", "bytes"]);
    let near = format!("records near it begin at bytes {header} and {second}");
    refused(show(&lab, "a.csv", header + 1, &["--by", "byte"]), 2, &[&near]);
    let near = format!("a record near it begins at byte {header}");
    refused(show(&lab, "a.csv", 0, &["--by", "byte"]), 2, &["no record begins at byte 0", &near]);

    land(&lab, "fault.csv", "id,name,amount,day\n1,ann,1.00,2026-01-01\n2,\"bob,2.00,\n");
    refused(show(&lab, "fault.csv", 2, &[]), 1, &["InvalidInput", "fault.csv", "is never closed"]);
    land(&lab, "packed.csv", gzip(SMALL.as_bytes()));
    assert_eq!(shown(&lab, "packed.csv", 4, &[])["values"]["name"], "dora");
    refused(show(&lab, "packed.csv", 0, &["--by", "byte"]), 2, &["numbers only", "not packed"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// More than 5 MB of records, and the byte at which each begins. Every fifth has line ends in quotes, every hundredth
/// is too short.
fn large() -> (String, Vec<u64>) {
    let (mut file, mut begins) = ("id,name,amount,day\r\n".to_owned(), Vec::new());
    let long = "x".repeat(400);
    for id in 0.. {
        if file.len() > 5_100_000 {
            break;
        }
        if id % 7 == 0 {
            file.push_str("\r\n\n");
        }
        begins.push(file.len() as u64);
        match id % 100 {
            99 => writeln!(file, "{id},short"),
            n if n % 5 == 0 => writeln!(file, "{id},\"line\n{id},{long},1.00,\n\",1.00,2026-01-01"),
            _ => writeln!(file, "{id},{long},1.00,2026-01-01"),
        }
        .unwrap();
    }
    (file, begins)
}

#[test]
fn a_record_of_a_large_file_is_found_by_its_byte() {
    let lab = orders_with(&format!("{ORDERS}parts: {{ ranges_from_mb: 1 }}\n"));
    let (file, begins) = large();
    land(&lab, "large.csv", &file);
    let _ = lab.run().expect(Outcome::Published);
    let mut stored: Vec<u64> = rows(&lab, BRONZE, &["_source_row"]).iter().map(|row| row.parse().unwrap()).collect();
    stored.sort_unstable();
    assert_eq!(stored, begins, "rows have the bytes at which their records begin");

    // Those at the front are found by reading from the beginning, the last ones by reading from their byte.
    let last = begins.len() - 1;
    for id in [0, 1, 5, 700, last - 1, last] {
        let record = shown(&lab, "large.csv", begins[id], &[]);
        assert_eq!((&record["positions"], &record["position"]), (&json!("bytes"), &json!(begins[id])));
        match id % 100 {
            99 => assert_eq!(record["raw"], format!("{id},short"), "{record}"),
            _ => assert_eq!(record["values"]["id"], id.to_string(), "{record}"),
        }
        let number = id as u64 + 1;
        let by_number = shown(&lab, "large.csv", number, &["--by", "number"]);
        assert_eq!(by_number["values"], record["values"], "record {number}");
    }
    let short = begins[(last / 100 - 1) * 100 + 99];
    let reason = format!("byte {short} has 2 fields where the header has 4");
    assert_eq!(shown(&lab, "large.csv", short, &[])["reason"], reason);
    assert_says(&text(&lab, "large.csv", short), &[&format!("record at byte {short} of file:///")], "a byte");
    let near = format!("records near it begin at bytes {} and {}", begins[3], begins[4]);
    refused(show(&lab, "large.csv", begins[3] + 1, &[]), 2, &["no record begins at byte", &near]);
    refused(show(&lab, "large.csv", begins[last] + 1, &[]), 2, &["no record begins at byte"]);
}

#[test]
fn a_line_of_a_large_ndjson_file_is_found_by_its_byte() {
    let spec = ORDERS.replace("format: csv", "format: ndjson");
    let lab = orders_with(&format!("{spec}parts: {{ ranges_from_mb: 1 }}\n"));
    let (mut file, mut begins) = (String::new(), Vec::new());
    let long = "x".repeat(900);
    while file.len() < 4_500_000 {
        begins.push(file.len() as u64);
        let id = begins.len();
        writeln!(file, r#"{{"id":{id},"name":"{long}","amount":"1.00","day":"2026-01-01"}}"#).unwrap();
    }
    land(&lab, "large.ndjson", &file);
    let _ = lab.run().expect(Outcome::Published);
    for id in [1, 2, begins.len()] {
        let record = shown(&lab, "large.ndjson", begins[id - 1], &[]);
        assert_eq!((&record["positions"], &record["values"]["id"]), (&json!("bytes"), &json!(id.to_string())));
    }
}

/// A spec that was changed since would cut the file into other records.
#[test]
fn a_file_is_read_as_the_run_read_it_that_has_stored_it() {
    let lab = orders();
    land(&lab, "old.csv", SMALL);
    let run = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "format: csv", "format: csv, csv: { delimiter: ';' }");
    land(&lab, "new.csv", "id;name;amount;day\n7;\"a,b\";1.00;\n");
    let _ = lab.run().expect(Outcome::Published);
    let old = json!({ "id": "2", "name": "b\"b", "amount": null, "day": "2026-01-02" });
    assert_eq!(shown(&lab, "old.csv", 2, &[])["values"], old);
    assert_eq!(shown(&lab, "new.csv", 1, &[])["values"]["name"], "a,b");
    // A file that no run has stored is read as the newest run reads files.
    land(&lab, "next.csv", "id;name;amount;day\n8;x;1.00;\n");
    assert_eq!(shown(&lab, "next.csv", 1, &[])["values"]["id"], "8");

    std::fs::remove_dir_all(lab.lake().join(format!("runs/retail/{}", run.run_id()))).unwrap();
    let without_plan = show(&lab, "old.csv", 1, &[]).expect_code(0);
    assert_says(&without_plan.stderr, &["the plan of run", "old.csv", "as the newest run"], "a plan that is gone");
}

#[test]
fn records_in_lists_are_found_by_the_path_of_their_run() {
    let spec = ORDERS.replace("format: csv", "format: ndjson, records: '$.items[*]'");
    let lab = orders_with(&spec);
    let record = |id: u32| format!(r#"{{"id":{id},"name":"a","amount":"1.00","day":null}}"#);
    land(&lab, "old.ndjson", format!("{{\"items\":[{},{}]}}\n", record(1), record(2)));
    let _ = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "$.items[*]", "$.rows[*]");
    land(&lab, "new.ndjson", format!("{{\"rows\":[{}]}}\n", record(3)));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(shown(&lab, "old.ndjson", 2, &[])["values"]["id"], "2");
    assert_eq!(shown(&lab, "new.ndjson", 1, &[])["values"]["id"], "3");
}
