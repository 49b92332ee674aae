//! Record paths and column paths that do not fit: refused by the check, or the object is held with the keys that it has.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{BRONZE, ORDERS, QUARANTINE, SILVER, assert_says, held_by, land, orders_with, rows};

const RECORD: &str = r#"{"id":1,"name":"ann","amount":1.5,"day":null}"#;

fn spec(format: &str, records: &str) -> String {
    ORDERS.replace("format: csv }", &format!("format: {format}, records: '{records}' }}"))
}

/// What the check says of a spec that it refuses.
fn refused(spec: &str) -> String {
    let lab = orders_with(spec);
    let mut command = lab.command(["check"]);
    command.arg(lab.pipeline());
    let run = Run::of(command).expect_code(1);
    format!("{}{}", run.stdout, run.stderr)
}

#[test]
fn paths_that_cannot_be_are_refused_by_the_check_with_the_fix() {
    let check = |spec: &str, says: &[&str]| assert_says(&refused(spec), says, spec);
    check(&spec("json", "$.Records"), &["line 3", "character 10", "must end with [*]"]);
    check(&spec("json", "Records[*]"), &["line 3", "character 1", "`$.name`"]);
    check(&spec("json", "$.a b[*]"), &["character 4"]);
    check(&spec("csv", "$.Records[*]"), &["source.records", "json, ndjson, avro and xml"]);
    check(&spec("parquet", "$.Records[*]"), &["source.records", "json, ndjson, avro and xml"]);
    let mapped = |format: &str, path: &str| {
        ORDERS.replace("format: csv", &format!("format: {format}")).replace("name: name", &format!("name: \"{path}\""))
    };
    check(&mapped("csv", "$.name.first"), &["columns: `name`", "csv", "`$['$.name.first']`"]);
    check(&mapped("csv", "$.name"), &["columns: `name`", "csv", "`$['$.name']`"]);
    check(&mapped("csv", "$['name'].first"), &["csv", r"`$['$[\'name\'].first']`"]);
    check(&mapped("csv", "$['name"), &["csv", r"`$['$[\'name']`"]);
    check(&mapped("json", "$.name..first"), &["columns: `name`", "character 8", "`$['$.name..first']`"]);
    check(&mapped("json", "$.names[*]"), &["columns: `name`", "such as [0]"]);
    check(&mapped("json", "$[0].name"), &["columns: `name`", "must name a column"]);
    check(&mapped("ndjson", "$._source_file.x"), &["columns: `name`", "`_source_file`"]);
    check(&mapped("json", "$._SOURCE_FILE.x"), &["columns: `name`", "`_SOURCE_FILE`", "lineage"]);
    for path in ["$['a\\0'].b", "$['a\\0']", "a\\0"] {
        check(&mapped("json", path), &["columns: `name`", "a\\0", "control character U+0000"]);
    }
    let long = "n".repeat(256);
    for path in [format!("$.{long}.first"), format!("$.{long}"), long] {
        check(&mapped("parquet", &path), &["columns: `name`", "256 bytes", "at most 255"]);
    }
}

#[test]
fn a_column_of_csv_may_be_called_like_a_path() {
    let lab = orders_with(&ORDERS.replace("name: name", "name: \"$['$.name']\""));
    land(&lab, "a.csv", "id,$.name,amount,day\n1,ann,1.50,2026-01-01\n");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|ann"], "{run}");
}

/// The object is held, and the next one is published.
fn held(lab: &Lab, document: &str, says: &[&str]) {
    land(lab, "bad.json", document);
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), says, document);
}

#[test]
fn a_path_that_matches_nothing_holds_the_object_with_the_keys_that_it_has() {
    let lab = orders_with(&spec("json", "$.Records[*]"));
    held(&lab, r#"{"next":1,"data":[]}"#, &["bad.json", "`$.Records` is missing", "next, data", "source.records"]);
    held(&lab, &format!("[{RECORD}]"), &["bad.json", "`$` is a list", "needs an object"]);
    held(&lab, r#"{"Records":{"a":1}}"#, &["bad.json", "`$.Records` is an object", "needs a list"]);
    // The fault stands behind a record.
    let late = format!("{{\"Records\":[{RECORD}]}}{{\"error\":\"later\"}}");
    held(&lab, &late, &["bad.json", "document 2", "`$` has error"]);
    land(&lab, "good.json", format!("{{\"Records\":[{RECORD}]}}"));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|ann"], "{run}");
    assert_eq!(lab.rows(BRONZE), 1, "nothing of the held object is kept");
}

#[test]
fn a_line_that_the_path_does_not_fit_is_quarantined() {
    let lab = orders_with(&spec("ndjson", "$.Records[*]"));
    land(&lab, "a", format!("{{\"Records\":[{RECORD}]}}\n{{\"error\":\"later\"}}\n{{\"Records\":[5]}}\n"));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"], "{run}");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_says(&refused[0], &["2|", "corrupt_record", "line 2", "`$.Records` is missing", "error"], "a miss");
    assert_says(&refused[1], &["3|", "corrupt_record", "is no JSON object"], "a number");
}

#[test]
fn a_path_whose_column_no_object_has_is_a_missing_column() {
    let lab = orders_with(&ORDERS.replace("format: csv", "format: json").replace("name: name", "name: $.nmae.first"));
    land(&lab, "a.json", format!("[{RECORD}]"));
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["lacks column nmae;", "it has", "name"], "a misspelt column");
    // Another case of the column's name is named.
    lab.edit_pipeline("pipeline.yaml", "$.nmae.first", "$.Name.first");
    land(&lab, "b.json", format!("[{RECORD}]"));
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["`name`", "`Name`"], "another case");
}
