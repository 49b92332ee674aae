//! Nested data: records in a list inside a document, and values inside columns.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sluice_core::run::{Changeset, Outcome};
use sluice_tests::content::assert_same;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{BRONZE, Python, QUARANTINE, SILVER, Steps, assert_says, contract, lab, land, land_at, rows};

/// Orders of an API, each with its customer.
const SPEC: &str = "\
pipeline: retail
domain: sales
source:
  prefix: landing/orders
  format: json
  records: $.Records[*]
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns:
      id: order_id
      customer: $.customer.id
      city: $.customer['home address'].city
      first_tag: { from: '$.tags[0]', null_words: [NA] }
      amount: $.total.amount
      tags: $.tags
    mode: append
    gate: { quarantined_percent_below: none }
";
const COLUMNS: [&str; 6] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: customer, logicalType: string",
    "name: city, logicalType: string",
    "name: first_tag, logicalType: string",
    "name: amount, logicalType: number, physicalType: 'DECIMAL(12,3)'",
    "name: tags, logicalType: string",
];
const SHOWN: [&str; 6] = ["id", "customer", "city", "first_tag", "amount", "tags"];
const FIRST: &str = concat!(
    r#"{"order_id":1,"customer":{"id":"c1","home address":{"city":"Köln \"am Rhein\""}},"#,
    r#""tags":["a",{"b":1}],"total":{"amount":1.50}}"#,
);
const SECOND: &str = concat!(
    r#"{"order_id":2,"customer":{"id":7,"home address":null},"#,
    r#""tags":["NA"],"total":{"amount":"-2.125","currency":"EUR"}}"#,
);
const THIRD: &str = r#"{"order_id":3,"customer":{},"tags":[],"total":null}"#;
static ROWS: [&str; 3] =
    [r#"1|c1|Köln "am Rhein"|a|1.500|["a",{"b":1}]"#, r#"2|7|NULL|NULL|-2.125|["NA"]"#, "3|NULL|NULL|NULL|NULL|[]"];

fn envelope(records: &[&str]) -> String {
    format!(r#"{{"next":null,"Records":[{}],"meta":{{"Records":7}}}}"#, records.join(","))
}

fn orders(spec: &str) -> Lab {
    lab(spec, &[("orders", contract("orders", &COLUMNS, &[]))])
}

fn replay(lab: &Lab) -> Run {
    Run::of(lab.replay_command(lab.lake()))
}

#[test]
fn records_in_an_envelope_become_rows_with_their_nested_values() {
    let lab = orders(SPEC);
    land(&lab, "a.json", envelope(&[FIRST, SECOND, THIRD]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS, "{run}");
    assert!(!lab.tables().contains_key(QUARANTINE), "{run}");
    // Bronze has what was delivered.
    let bronze = rows(&lab, BRONZE, &["_source_row", "order_id", "customer"]);
    assert_eq!(bronze[2], "3|3|{}");
    assert_says(&bronze[0], &["1|1|{\"id\":\"c1\",\"home address\":{\"city\":\"Köln"], "bronze");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_list_without_records_is_taken_in() {
    let lab = orders(SPEC);
    land(&lab, "a.json", envelope(&[FIRST]));
    land(&lab, "b.json", envelope(&[]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS[..1], "{run}");
    assert!(lab.held().is_empty(), "{run}");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_line_of_ndjson_gives_any_number_of_records() {
    let lab = orders(&SPEC.replace("format: json", "format: ndjson"));
    let lines = format!("{}\n\n{}\n{}\n", envelope(&[FIRST, SECOND]), envelope(&[]), envelope(&[THIRD]));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(lines.as_bytes()).unwrap();
    land(&lab, "a.ndjson.gz", gzip.finish().unwrap());
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS, "{run}");
    assert_eq!(rows(&lab, BRONZE, &["_source_row", "order_id"]), ["1|1", "2|2", "3|3"]);
}

/// Two records of a line begin at one byte, so records of such objects have numbers.
#[test]
fn large_objects_of_ndjson_with_record_paths_have_numbered_records() {
    let spec = SPEC.replace("format: json", "format: ndjson");
    let lab = orders(&format!("{spec}parts: {{ size_mb: 1, ranges_from_mb: 1 }}\n"));
    let line = envelope(&[FIRST, SECOND]);
    let count = (3 << 20) / line.len();
    land(&lab, "a.ndjson", format!("{line}\n").repeat(count));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(lab.rows(SILVER), 2 * count as u64, "{run}");
    let mut numbers: Vec<usize> =
        rows(&lab, BRONZE, &["_source_row"]).iter().map(|number| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=2 * count), "records are numbered");
}

/// Delivers each record in a file of its own.
fn deliver(lab: &Lab) {
    let pad = " ".repeat(700_000);
    for (number, record) in [FIRST, SECOND, THIRD].iter().enumerate() {
        land_at(lab, format!("{number}.json"), format!("{}{pad}", envelope(&[record])), number as u64);
    }
}

/// A run of these files in parts.
fn run_in_parts(spec: &str) -> (Lab, Changeset) {
    let lab = orders(&format!("{spec}parts: {{ size_mb: 1 }}\n"));
    deliver(&lab);
    let steps = Steps::new(&lab);
    let plan = steps.validate().unwrap();
    assert!(plan.cuts.count() > 1, "{:?}", plan.engine);
    for part in plan.cuts.numbers() {
        let _ = steps.read_part(&plan.run, part).unwrap();
    }
    let changeset = steps.finish(&plan.run);
    (lab, changeset)
}

#[test]
fn a_run_in_parts_has_the_same_rows() {
    let whole = orders(SPEC);
    deliver(&whole);
    let _ = Steps::new(&whole).run().expect("a run");
    let (cut, _) = run_in_parts(SPEC);
    assert_eq!(rows(&cut, SILVER, &SHOWN), ROWS);
    assert_same(&whole.content(), &cut.content(), "in parts");
}

#[test]
fn a_path_that_no_part_has_is_warned_of() {
    let check = |spec: &str, expected: &[&str]| {
        let (_, changeset) = run_in_parts(spec);
        assert!(changeset.missing_keys.iter().eq(expected), "{:?}", changeset.missing_keys);
    };
    // The last part has an empty object and an empty list alone.
    check(SPEC, &[]);
    check(&SPEC.replace("$.total.amount", "$.total.amuont"), &["$.total.amuont"]);
}

#[test]
fn a_path_that_no_row_has_is_warned_of() {
    let spec = SPEC.replace("$.total.amount", "$.total.amuont").replace("home address", "home adress");
    let lab = orders(&spec);
    let warnings = |name: &str, records: &[&str]| {
        land(&lab, name, envelope(records));
        let run = lab.run().expect(Outcome::Published);
        run.lines().pop().unwrap()["warnings"].as_array().unwrap().clone()
    };
    let found = warnings("a.json", &[FIRST, SECOND, THIRD]);
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(warning["rule"], format!("{BRONZE}: missing_keys"));
    assert_says(&warning.to_string(), &["'$.total.amuont'", "'$.customer['home adress'].city'"], "the warning");
    assert!(!["tags", "customer.id"].iter().any(|met| warning.to_string().contains(met)), "{warning}");
    // Null before the last step says nothing about it.
    let null = r#"{"order_id":4,"customer":null,"tags":null,"total":null}"#;
    assert_eq!(warnings("b.json", &[null]).len(), 0);
    let rare = r#"{"order_id":5,"customer":{"id":5,"home adress":{"city":null}},"tags":null,"total":{"amuont":1}}"#;
    assert_eq!(warnings("c.json", &[FIRST, rare, FIRST]).len(), 0);
}

#[test]
fn a_null_word_in_place_of_an_object_or_list_is_null() {
    let lab = orders(&SPEC.replace("  records: $.Records[*]\n", "  records: $.Records[*]\n  null_words: [NA]\n"));
    let whole = r#"{"order_id":4,"customer":"NA","tags":"NA","total":" NA "}"#;
    let inside = r#"{"order_id":5,"customer":{"id":"NA","home address":"NA"},"tags":["NA"],"total":{"amount":"NA"}}"#;
    land(&lab, "a.json", envelope(&[whole, inside]));
    let run = lab.run().expect(Outcome::Published);
    let expected = ["4|NULL|NULL|NULL|NULL|NULL", r#"5|NULL|NULL|NULL|NULL|["NA"]"#];
    assert_eq!(rows(&lab, SILVER, &SHOWN), expected, "{run}");
    assert!(!lab.tables().contains_key(QUARANTINE), "{run}");
}

#[test]
fn quarantine_has_a_long_text_once_however_many_columns_are_read_from_it() {
    let lab = orders(&SPEC.replace("$.total.amount", "$.customer.amount"));
    let long = "x".repeat(1 << 20);
    land(&lab, "a.json", envelope(&[FIRST, &format!(r#"{{"order_id":4,"customer":"{long}","tags":null}}"#)]));
    let run = lab.run().expect(Outcome::Published);
    let broken = rows(&lab, QUARANTINE, &["_broken_rules"]);
    assert_eq!(broken.len(), 1, "{run}");
    let says = ["customer.readable", "city.readable", "amount.readable", &long[..200]];
    assert_says(&broken[0], &says, "the broken rules");
    assert!(broken[0].len() < 1000, "{} bytes", broken[0].len());
    for (table, column) in [(QUARANTINE, "_raw"), (BRONZE, "customer")] {
        assert!(rows(&lab, table, &[column]).iter().any(|text| text.contains(&long)), "{table} keeps the whole text");
    }
}

#[test]
fn a_value_that_does_not_fit_the_path_costs_its_row_and_can_be_replayed() {
    let lab = orders(SPEC);
    let text = r#"{"order_id":4,"customer":"c4","total":{"amount":"1,5"}}"#;
    let list = r#"{"order_id":5,"customer":[{"id":"c5"}],"tags":{"0":"a"}}"#;
    let twice = r#"{"order_id":6,"customer":{"id":"a","id":"b"}}"#;
    land(&lab, "a.json", envelope(&[FIRST, text, list, twice]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS[..1], "{run}");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert_says(&refused[0], &["2|", "customer.readable", "\"c4\"", "city.readable", "amount.readable", "1,5"], "text");
    assert_says(&refused[1], &["3|", "customer.readable", "first_tag.readable"], "a list and an object");
    assert_says(&refused[2], &["4|", "customer.readable"], "a key that occurs twice");

    lab.edit_pipeline("pipeline.yaml", "customer: $.customer.id", "customer: customer");
    lab.edit_pipeline("pipeline.yaml", "city: $.customer['home address'].city", "city: $.total.city");
    lab.edit_pipeline("pipeline.yaml", "amount: $.total.amount", "amount: { from: $.total.amount, decimal: ',' }");
    let _ = replay(&lab).expect(Outcome::Published);
    let fourth = "4|c4|NULL|NULL|1.500|NULL";
    let sixth = r#"6|{"id":"a","id":"b"}|NULL|NULL|NULL|NULL"#;
    assert_eq!(rows(&lab, SILVER, &SHOWN), [ROWS[0], fourth, sixth]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["3"]);
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_later_run_may_bring_new_nested_keys() {
    let lab = orders(SPEC);
    land(&lab, "a.json", envelope(&[THIRD]));
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.json", envelope(&[FIRST, r#"{"order_id":2,"new":{"x":1}}"#]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), [ROWS[0], "2|NULL|NULL|NULL|NULL|NULL", ROWS[2]], "{run}");
    assert_eq!(rows(&lab, BRONZE, &["order_id", "new"])[1], r#"2|{"x":1}"#);
}

#[test]
fn rows_of_bronze_are_read_by_the_same_paths() {
    let lab = orders(SPEC);
    land(&lab, "a.json", envelope(&[FIRST, SECOND, THIRD]));
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().expect("bronze has rows that silver lacks");
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS);
}

#[test]
fn a_column_whose_name_looks_like_a_path_is_written_in_brackets() {
    let spec = SPEC.replace("$.tags\n", "\"$['$.odd']\"\n");
    let lab = orders(&spec);
    land(&lab, "a.json", envelope(&[r#"{"order_id":1,"customer":null,"tags":null,"total":null,"$.odd":"x"}"#]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "tags"]), ["1|x"], "{run}");
}

/// Writes a Parquet file with structs and lists.
const PARQUET: &str = "
import pyarrow as pa, pyarrow.parquet as pq
rows = pa.table({
    'order_id': [1, 2],
    'customer': pa.array([{'id': 'c1', 'home address': {'city': 'Köln'}}, None]),
    'tags': pa.array([['a', 'b'], []]),
    'total': pa.array([{'amount': 1.5}, {'amount': None}]),
})
pq.write_table(rows, path)
";

#[test]
fn nested_columns_of_parquet_are_read_by_paths() {
    let Some(python) = Python::or_skip("modes::nested::nested_columns_of_parquet_are_read_by_paths") else { return };
    let lab = orders(&SPEC.replace("format: json\n  records: $.Records[*]", "format: parquet"));
    std::fs::create_dir_all(lab.landing()).unwrap();
    let path = lab.landing().join("a.parquet").display().to_string();
    python.run(&format!("path = {path:?}\n{PARQUET}"));
    let run = lab.run().expect(Outcome::Published);
    let found = rows(&lab, SILVER, &["id", "customer", "city", "first_tag", "amount"]);
    assert_eq!(found, ["1|c1|Köln|a|1.500", "2|NULL|NULL|NULL|NULL"], "{run}");
}
