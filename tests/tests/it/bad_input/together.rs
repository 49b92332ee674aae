//! Faults of several files of one run, and values that fail with the rows of the whole run: what cannot be computed in
//! gold or for a rule holds the files of the run, and later files are published.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::{HEADER, good_file, state_of};
use crate::small::{
    BRONZE, GOLD, ORDER_COLUMNS, ORDERS, SILVER, TOTAL_COLUMNS, assert_says, contract, error_of, lab, land, orders,
    orders_with, rows,
};

/// A file with one order.
fn order(id: u32, name: &str) -> String {
    format!("{HEADER}{id},{name},1.00,2026-01-01\n")
}

/// Names of the held files, sorted.
fn held(lab: &Lab) -> Vec<String> {
    let mut names: Vec<String> =
        lab.held().iter().map(|held| held.uri.rsplit('/').next().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

/// Orders whose gold fails on names that are no numbers.
fn totals_by_number() -> Lab {
    orders_with(&ORDERS.replace("SUM(amount)", "SUM(CAST(name AS BIGINT))"))
}

#[test]
fn several_bad_files_cost_one_run() {
    let lab = orders();
    land(&lab, "a.csv", good_file(0));
    for number in 0..7 {
        land(&lab, format!("bad-{number}.csv"), format!("{HEADER}1,\"open,1.00,2026-01-01\n"));
    }
    land(&lab, "z.csv", good_file(10));
    let run = lab.run().expect(Outcome::Failed);
    let (error, message) = error_of(&run);
    assert_eq!(error, "InvalidInput", "{run}");
    assert_says(
        &message,
        &["bad-0.csv' line 2", "never closed", "bad-4.csv", "and 2 more (7 source objects are held"],
        "all",
    );
    assert!(!message.contains("bad-5.csv"), "{message}");
    assert_eq!(held(&lab), (0..7).map(|number| format!("bad-{number}.csv")).collect::<Vec<_>>());
    for each in lab.held() {
        assert_says(&each.reason, &[each.uri.as_str(), "never closed"], "a hold names its own file");
    }
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "10", "11"]);
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_file_of_very_many_partitions_is_published() {
    let name = "name: name, logicalType: string, partitioned: true, partitionKeyPosition: 1";
    let columns = [ORDER_COLUMNS[0], name, ORDER_COLUMNS[2], ORDER_COLUMNS[3]];
    let contracts =
        [("orders", contract("orders", &columns, &[])), ("totals", contract("totals", &TOTAL_COLUMNS, &[]))];
    let many: String = (0..1_001).map(|id| format!("{id},n{id},1.00,2026-01-01\n")).collect();
    for mode in ["mode: append", "mode: merge\n    keys: [id]\n    latest_by: day"] {
        let lab = lab(&ORDERS.replace("mode: append", mode), &contracts);
        land(&lab, "a.csv", format!("{HEADER}{many}"));
        land(&lab, "b.csv", order(2_000, "n7"));
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(held(&lab).len(), 0, "{mode}");
        let mut expected: Vec<String> = (0..1_001).chain([2_000]).map(|id: u32| id.to_string()).collect();
        expected.sort_unstable();
        assert_eq!(rows(&lab, SILVER, &["id"]), expected, "{mode}");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

/// The fault is far behind the rows of the file that were staged before it was met.
#[test]
fn rows_of_a_refused_file_count_for_no_other_file() {
    let many: String = (100..5_000).map(|id| format!("{id},n{id},1.00,2026-01-01\n")).collect();
    for mode in ["mode: append", "mode: replace", "mode: merge\n    keys: [id]\n    latest_by: day"] {
        let lab = orders_with(&ORDERS.replace("mode: append", mode));
        land(&lab, "a.csv", format!("{HEADER}{many}5000,\"open,1.00,2026-01-01\n"));
        land(&lab, "b.csv", good_file(0));
        let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
        assert_eq!(error, "InvalidInput", "{mode}: {message}");
        assert_says(&message, &["/a.csv'", "never closed", "(held"], mode);
        assert_eq!(held(&lab), ["a.csv"], "{mode}");
        let _ = lab.run().expect(Outcome::Published);
        for table in [BRONZE, SILVER] {
            assert_eq!(rows(&lab, table, &["id"]), ["0", "1"], "{mode}: {table}");
        }
        assert_eq!(rows(&lab, GOLD, &["name", "amount", "orders"]), ["ann|1.50|1", "bob|2.25|1"], "{mode}");
    }
}

#[test]
fn a_value_that_gold_cannot_compute_holds_the_files_of_its_run() {
    let check = |lab: &Lab, good: [&str; 3], bad: &str, says: &[&str]| {
        land(lab, "a.csv", order(1, good[0]));
        let _ = lab.run().expect(Outcome::Published);
        let before = state_of(lab);
        land(lab, "b.csv", order(2, bad));
        land(lab, "c.csv", order(3, good[1]));
        let run = lab.run().expect(Outcome::Failed);
        let (error, message) = error_of(&run);
        assert_eq!(error, "ContractViolation", "{run}");
        assert_says(&message, &[GOLD, "2 source objects are held"], "the message");
        assert_says(&message, says, "the message");
        assert_eq!(held(lab), ["b.csv", "c.csv"], "{run}");
        for each in lab.held() {
            assert_says(&each.reason, &[GOLD], "a hold");
            assert_says(&each.reason, says, "a hold");
        }
        assert_eq!(state_of(lab), before, "{run}");
        land(lab, "d.csv", order(4, good[2]));
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(lab, SILVER, &["id"]), ["1", "4"]);
        let _ = lab.run().expect(Outcome::Skipped);
        // The file that was right all along is released.
        let right = lab.held().into_iter().find(|held| held.uri.ends_with("/c.csv")).expect("c.csv is held");
        let _ = lab.sluice(&["source", "release", &right.id.to_string()]).expect_code(0);
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(lab, SILVER, &["id"]), ["1", "3", "4"]);
    };
    check(&totals_by_number(), ["7", "8", "9"], "abc", &["CAST: 'abc' is no BIGINT"]);

    let name = "name: name, logicalType: string, partitioned: true, partitionKeyPosition: 1";
    let columns = [name, TOTAL_COLUMNS[1], TOTAL_COLUMNS[2]];
    let contracts =
        [("orders", contract("orders", &ORDER_COLUMNS, &[])), ("totals", contract("totals", &columns, &[]))];
    let long = "x".repeat(300);
    check(&lab(ORDERS, &contracts), ["a", "b", "c"], &long, &["partition column `name`", "305 bytes"]);
}

#[test]
fn the_first_files_of_a_pipeline_are_held_for_gold_too() {
    let lab = totals_by_number();
    land(&lab, "a.csv", order(1, "abc"));
    let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
    assert_eq!((error.as_str(), held(&lab)), ("ContractViolation", vec!["a.csv".to_owned()]), "{message}");
    land(&lab, "b.csv", order(2, "7"));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["2"]);
}

/// Rows that are published already fail it, so no file of the run is to blame.
#[test]
fn a_gold_statement_that_fails_without_the_run_holds_nothing() {
    let lab = orders();
    land(&lab, "a.csv", order(1, "ann"));
    let _ = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "SUM(amount)", "SUM(CAST(name AS BIGINT))");
    land(&lab, "b.csv", order(2, "7"));
    let run = lab.run().expect(Outcome::Failed);
    let (error, message) = error_of(&run);
    assert_eq!(error, "ContractViolation", "{run}");
    assert_says(&message, &[GOLD, "CAST: 'ann' is no BIGINT"], "the message");
    assert!(!message.contains("held"), "{message}");
    assert_eq!(held(&lab).len(), 0, "{run}");
    lab.edit_pipeline("pipeline.yaml", "SUM(CAST(name AS BIGINT))", "SUM(amount)");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
}

/// Orders with a rule whose query fails on names that are no numbers, and a run with such a name after a good one.
fn ruled(severity: &str) -> (Lab, Run) {
    let rule = format!(
        "id: numbers, type: sql, query: 'SELECT SUM(CAST(name AS BIGINT)) FROM {{object}}', mustBeGreaterThan: 0, \
         severity: {severity}"
    );
    let contracts = [
        ("orders", contract("orders", &ORDER_COLUMNS, &[rule.as_str()])),
        ("totals", contract("totals", &TOTAL_COLUMNS, &[])),
    ];
    let lab = lab(ORDERS, &contracts);
    land(&lab, "a.csv", order(1, "7"));
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.csv", order(2, "abc"));
    let run = lab.run();
    (lab, run)
}

#[test]
fn a_rule_that_fails_on_a_value_rejects_its_run() {
    let (lab, run) = ruled("error");
    let run = run.expect(Outcome::Rejected);
    let broken = run.lines().pop().unwrap()["broken_rules"][0].clone();
    assert_eq!(broken["rule"], format!("{SILVER}: numbers"), "{run}");
    assert_says(broken["observed"].as_str().unwrap(), &["none (", "CAST: 'abc' is no BIGINT"], "observed");
    assert_eq!(held(&lab), ["b.csv"]);
    assert_says(&lab.held()[0].reason, &["numbers: observed none (", "'abc'", "expected > 0"], "the hold");
    land(&lab, "c.csv", order(3, "9"));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "3"]);
}

#[test]
fn a_warning_that_fails_on_a_value_is_a_warning() {
    let (lab, run) = ruled("warning");
    let run = run.expect(Outcome::Published);
    let warning = run.lines().pop().unwrap()["warnings"][0].clone();
    assert_eq!(warning["rule"], format!("{SILVER}: numbers"), "{run}");
    assert_says(warning["observed"].as_str().unwrap(), &["none (", "CAST: 'abc' is no BIGINT"], "observed");
    assert_eq!(held(&lab).len(), 0);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
}

#[test]
fn a_key_that_no_file_of_the_run_has_holds_its_files() {
    let lab = orders_with(&ORDERS.replace("format: csv", "format: ndjson"));
    land(&lab, "a.json", "{\"id\": 1, \"amount\": 1, \"day\": null}\n");
    land(&lab, "b.json", "{\"id\": 2, \"amount\": 1}\n");
    let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
    assert_eq!(error, "InvalidInput");
    let says = ["/a.json' lacks column name; it has id, amount, day", "/b.json' lacks column name; it has id, amount"];
    assert_says(&message, &says, "the message");
    assert_eq!(held(&lab), ["a.json", "b.json"]);
    land(&lab, "c.json", "{\"id\": 3, \"amount\": 1, \"day\": null, \"name\": \"ann\"}\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["3"]);
}

/// The refused file brings the key once it is corrected.
#[test]
fn a_key_that_a_refused_file_has_holds_no_other_file() {
    let lab = orders_with(&ORDERS.replace("format: csv", "format: json"));
    let record = |id: u32| format!("{{\"id\": {id}, \"amount\": 1, \"day\": null, \"name\": \"ann\"}}\n");
    // Torn far behind what is read of a file before a run.
    let many: String = (0..2_000).map(record).collect();
    land(&lab, "a.json", format!("{many}{{\"id\": 1, \"am"));
    land(&lab, "b.json", "{\"id\": 2, \"amount\": 1, \"day\": null}\n");
    let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
    assert_eq!(error, "InvalidInput", "{message}");
    assert_says(&message, &["/a.json'", "(held"], "the message");
    assert!(!message.contains("b.json"), "{message}");
    assert_eq!(held(&lab), ["a.json"]);
    land(&lab, "a.json", record(1));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|ann", "2|NULL"]);
}

#[test]
fn a_key_that_another_file_or_bronze_has_may_be_missing() {
    for format in ["ndjson", "json"] {
        let lab = orders_with(&ORDERS.replace("format: csv", &format!("format: {format}")));
        let without = |id: u32| format!("{{\"id\": {id}, \"amount\": 1}}\n");
        // In one run, before and after the file that has the keys.
        land(&lab, "a.json", without(1));
        land(&lab, "b.json", "{\"id\": 2, \"amount\": 1, \"name\": \"ann\", \"day\": \"2026-01-01\"}\n");
        land(&lab, "c.json", without(3));
        let _ = lab.run().expect(Outcome::Published);
        // In a run of its own: bronze has the keys.
        land(&lab, "d.json", without(4));
        let _ = lab.run().expect(Outcome::Published);
        let expected = ["1|NULL|NULL", "2|ann|2026-01-01", "3|NULL|NULL", "4|NULL|NULL"];
        assert_eq!(rows(&lab, SILVER, &["id", "name", "day"]), expected, "{format}");
        assert_eq!(held(&lab).len(), 0, "{format}");
    }
}
