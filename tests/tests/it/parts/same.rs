//! However a run is cut, and in whichever order its parts are read, the tables are those of one call.

use std::io::Write;

use sluice_core::run::Outcome;
use sluice_tests::content::assert_same;
use sluice_tests::data::retail_files;
use sluice_tests::files;
use sluice_tests::lab::{Lab, Sample};
use sluice_tests::parity::case::Case;
use sluice_tests::parity::engines::{Polars, PolarsInParts};
use sluice_tests::parity::suite::Suite;
use sluice_tests::skip;

use super::{ONE_EACH, planned, read_at_once, run};
use crate::modes::{MERGE, SCD2, spec};
use crate::small::{self, ORDER_COLUMNS, ORDERS, Steps, TOTAL_COLUMNS, contract, land_at, orders_with};

/// Seeds of generated pipelines; `SLUICE_PARTS_CASES` takes more.
const CASES: u64 = 24;

#[test]
fn generated_pipelines_have_the_same_tables_in_parts() {
    let cases = std::env::var("SLUICE_PARTS_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let (mut left, mut right) = (Polars, PolarsInParts::new(17));
    let mut suite = Suite::new(&mut left, &mut right);
    for seed in 0..cases {
        suite.case(&Case::drawn(seed));
    }
    suite.judge_differences();
    assert!(right.parts() as u64 > cases, "{} parts", right.parts());
    assert!(right.ranges() as u64 > cases, "{} ranges", right.ranges());
}

#[test]
fn the_retail_data_has_the_same_tables_in_parts() {
    let Some(data) = retail_files() else {
        return skip("parts::the_retail_data_has_the_same_tables_in_parts", "needs ../shared/data/retail");
    };
    let (mut left, mut right) = (Polars, PolarsInParts::new(4));
    let mut suite = Suite::new(&mut left, &mut right);
    suite.retail(&data[..12], 6);
    suite.judge_differences();
    assert!(right.parts() > 2, "{} parts", right.parts());
}

/// A record: id, name, amount and day.
type Record = [String; 4];

/// Records of a file of a run: repeated, newer and older than those of other files, and some without an id.
fn records(run: u32, file: u32) -> Vec<Record> {
    let record = |row: u32| {
        let id = if row % 11 == 5 { "x".to_owned() } else { ((row * 7 + file * 3) % 23).to_string() };
        [id, format!("n{}", row % 3), format!("{row}.5"), format!("2026-01-{:02}", 1 + (row + file + run) % 28)]
    };
    (0..40).map(record).collect()
}

fn csv(records: &[Record]) -> Vec<u8> {
    let lines: String = records.iter().map(|record| format!("{}\n", record.join(","))).collect();
    format!("id,name,amount,day\n{lines}").into_bytes()
}

fn json_lines(records: &[Record]) -> Vec<u8> {
    let line = |[id, name, amount, day]: &Record| {
        format!("{}\n", serde_json::json!({"id": id, "name": name, "amount": amount, "day": day}))
    };
    records.iter().map(line).collect::<String>().into_bytes()
}

fn json_array(records: &[Record]) -> Vec<u8> {
    let lines = String::from_utf8(json_lines(records)).unwrap();
    format!("[{}]", lines.trim_end().replace('\n', ",\n")).into_bytes()
}

fn gzip(records: &[Record]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&csv(records)).unwrap();
    encoder.finish().unwrap()
}

/// Two runs of three files each, in one lake in parts and in the other at once.
fn check(spec: &str, partitioned: bool, write: fn(&[Record]) -> Vec<u8>) {
    let lab = |more: &str| {
        let mut columns = ORDER_COLUMNS.to_vec();
        if partitioned {
            columns[1] = "name: name, logicalType: string, partitioned: true, partitionKeyPosition: 1";
        }
        let orders = contract("orders", &columns, &[]);
        small::lab(&format!("{spec}{more}"), &[("orders", orders), ("totals", contract("totals", &TOTAL_COLUMNS, &[]))])
    };
    let (in_parts, at_once) = (lab(ONE_EACH), lab(""));
    let (parts, whole) = (Steps::new(&in_parts), Steps::new(&at_once));
    for delivery in 0..2 {
        for number in 0..3 {
            let (name, bytes) = (format!("{delivery}-{number}"), write(&records(delivery, number)));
            for lab in [&in_parts, &at_once] {
                land_at(lab, &name, &bytes, u64::from(number));
            }
        }
        let found = run(&parts, 3);
        let expected = whole.run().expect("something is new");
        assert_eq!(found.tables.len(), expected.tables.len(), "{spec}");
        for (change, wanted) in found.tables.iter().zip(&expected.tables) {
            assert_eq!(change.table, wanted.table, "{spec}");
            assert_eq!(change.rows, wanted.rows, "{spec}: {}", change.table);
            assert_eq!(change.broken_rules, wanted.broken_rules, "{spec}: {}", change.table);
            assert_eq!(change.table_rows, wanted.table_rows, "{spec}: {}", change.table);
        }
        assert_same(&at_once.content(), &in_parts.content(), spec);
        assert!(parts.validate().unwrap().objects.is_empty(), "{spec}: nothing is left");
    }
}

#[test]
fn every_mode_has_the_same_tables_in_parts() {
    let feeds = [MERGE, SCD2].map(|mode| format!("{mode}\n    delete_when: name = 'n1'"));
    let modes = ["mode: append", "mode: replace\n    snapshot: folder", "mode: replace", MERGE, SCD2];
    for mode in modes.into_iter().chain(feeds.iter().map(String::as_str)) {
        check(&spec(mode), false, csv);
    }
}

#[test]
fn partitioned_tables_are_the_same_in_parts() {
    for mode in ["mode: append", MERGE, SCD2] {
        check(&spec(mode), true, csv);
    }
}

#[test]
fn every_format_has_the_same_tables_in_parts() {
    let of = |format: &str| spec(MERGE).replace("format: csv", &format!("format: {format}"));
    check(&of("csv"), false, gzip);
    check(&of("ndjson"), false, json_lines);
    check(&of("json"), false, json_array);
}

#[test]
fn one_call_reads_what_is_small_and_small_objects_share_a_part() {
    let check = |size_mb: u32, objects: usize, parts: usize| {
        let lab = orders_with(&format!("{ORDERS}parts: {{ size_mb: {size_mb} }}\n"));
        for number in 0..objects {
            land_at(&lab, format!("{number}.csv"), "id,name,amount,day\n1,a,1,2026-01-01\n", 0);
        }
        let plan = planned(&Steps::new(&lab), parts);
        assert_eq!(plan.estimate.unwrap().parts, parts as u64);
        let says = plan.engine.reason.contains(&format!(", read in {parts} parts"));
        assert_eq!(says, parts > 0, "{}", plan.engine.reason);
    };
    check(1000, 5, 0);
    check(1, 1, 0);
    check(1, 3, 3);
    // Opening an object counts as 1 MB.
    check(3, 5, 3);
}

#[test]
fn the_command_reads_parts_and_combines_them() {
    let labs = [Lab::new(), Lab::new()];
    labs[1].edit_pipeline("pipeline.yaml", "domain: sales\n", "domain: sales\nparts: { size_mb: 1, at_once: 2 }\n");
    let mut sample = Sample { start: "2026-01-05", days: 4, rows: 250, dirt: "0.04" };
    for start in ["2026-01-05", "2026-02-05"] {
        sample.start = start;
        let files = labs[0].sample(&labs[0].landing(), &sample);
        files::copy_files(&files, &labs[1].landing());
        let [whole, in_parts] = labs.each_ref().map(|lab| lab.run().expect(Outcome::Published));
        drop(whole);
        let events: Vec<String> =
            in_parts.lines().iter().filter_map(|line| line["event"].as_str().map(str::to_owned)).collect();
        assert!(events.contains(&"map_started".to_owned()), "{events:?}");
        assert_same(&labs[0].content(), &labs[1].content(), start);
        let left = files::all_files(&labs[1].lake().join("parts"));
        assert!(left.is_empty(), "what the parts of a run have left is removed with its end: {left:?}");
    }
}

#[test]
fn a_part_brings_columns_that_no_other_part_has() {
    let spec = format!("{ORDERS}{ONE_EACH}");
    let lab = orders_with(&spec);
    land_at(&lab, "0.csv", "id,name,amount,day\n1,a,1,2026-01-01\n", 0);
    land_at(&lab, "1.csv", "id,name,amount,day,Extra\n2,a,1,2026-01-01,e\n", 0);
    land_at(&lab, "2.csv", "EXTRA,id,name,amount,day,Other\nf,3,a,1,2026-01-01,o\n", 0);
    let _ = run(&Steps::new(&lab), 3);
    assert_same(&read_at_once(&lab, ORDERS), &lab.content(), "other columns");
}
