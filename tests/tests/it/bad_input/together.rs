//! Faults of several files of one run, and faults that only show with the rows of the whole run: gold or a rule that cannot
//! be computed, too many broken rows. Each holds the files that have it, and the others are published.

use sluice_core::error::ErrorName;
use sluice_core::run::{Decision, Outcome};
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::{HEADER, good_file};
use crate::small::{
    BRONZE, GOLD, ORDER_COLUMNS, ORDERS, QUARANTINE, SILVER, Steps, TOTAL_COLUMNS, assert_says, contract, error_of,
    held_by, lab, land, orders, orders_with, rows,
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
fn several_bad_files_cost_themselves() {
    let lab = orders();
    land(&lab, "a.csv", good_file(0));
    for number in 0..7 {
        land(&lab, format!("bad-{number}.csv"), format!("{HEADER}1,\"open,1.00,2026-01-01\n"));
    }
    land(&lab, "z.csv", good_file(10));
    let run = lab.run().expect(Outcome::Published);
    assert_says(&held_by(&run), &["bad-0.csv' line 2", "never closed", "bad-6.csv"], "all");
    assert_eq!(run.times_entered("Replan"), 1, "all are found at once: {run}");
    assert_eq!(held(&lab), (0..7).map(|number| format!("bad-{number}.csv")).collect::<Vec<_>>());
    for each in lab.held() {
        assert_says(&each.reason, &[each.uri.as_str(), "never closed"], "a hold names its own file");
    }
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
        let run = lab.run().expect(Outcome::Published);
        assert_says(&held_by(&run), &["/a.csv'", "never closed"], mode);
        assert_eq!(held(&lab), ["a.csv"], "{mode}");
        for table in [BRONZE, SILVER] {
            assert_eq!(rows(&lab, table, &["id"]), ["0", "1"], "{mode}: {table}");
        }
        assert_eq!(rows(&lab, GOLD, &["name", "amount", "orders"]), ["ann|1.50|1", "bob|2.25|1"], "{mode}");
    }
}

#[test]
fn a_value_that_gold_cannot_compute_holds_its_file() {
    let check = |lab: &Lab, good: [&str; 3], bad: &str, says: &[&str]| {
        land(lab, "a.csv", order(1, good[0]));
        let _ = lab.run().expect(Outcome::Published);
        land(lab, "b.csv", order(2, bad));
        for (name, id) in [("c.csv", 3), ("d.csv", 4), ("e.csv", 5)] {
            land(lab, name, order(id, good[1]));
        }
        let run = lab.run().expect(Outcome::Published);
        assert_says(&held_by(&run), &[GOLD], "what is held");
        assert_says(&held_by(&run), says, "what is held");
        assert_eq!(held(lab), ["b.csv"], "{run}");
        assert_eq!(rows(lab, SILVER, &["id"]), ["1", "3", "4", "5"], "{run}");
        land(lab, "f.csv", order(6, good[2]));
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(lab, SILVER, &["id"]), ["1", "3", "4", "5", "6"]);
        let _ = lab.run().expect(Outcome::Skipped);
        let total: i64 = rows(lab, GOLD, &["orders"]).iter().map(|orders| orders.parse::<i64>().unwrap()).sum();
        assert_eq!(total, 5, "gold counts what silver has");
    };
    check(&totals_by_number(), ["7", "8", "9"], "abc", &["CAST: 'abc' is no BIGINT"]);

    let name = "name: name, logicalType: string, partitioned: true, partitionKeyPosition: 1";
    let columns = [name, TOTAL_COLUMNS[1], TOTAL_COLUMNS[2]];
    let contracts =
        [("orders", contract("orders", &ORDER_COLUMNS, &[])), ("totals", contract("totals", &columns, &[]))];
    let long = "x".repeat(300);
    check(&lab(ORDERS, &contracts), ["a", "b", "c"], &long, &["partition column `name`", "305 bytes"]);
}

/// Each is right alone: their sum does not fit the column.
#[test]
fn of_files_that_gold_cannot_compute_together_the_later_one_is_held() {
    let columns =
        [TOTAL_COLUMNS[0], "name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)'", TOTAL_COLUMNS[2]];
    let contracts =
        [("orders", contract("orders", &ORDER_COLUMNS, &[])), ("totals", contract("totals", &columns, &[]))];
    let lab = lab(&ORDERS.replace("SUM(amount)", "CAST(SUM(amount) AS DECIMAL(10,2))"), &contracts);
    for (name, id) in [("a.csv", 1), ("b.csv", 2)] {
        land(&lab, name, format!("{HEADER}{id},ann,60000000.00,2026-01-01\n"));
    }
    land(&lab, "c.csv", order(3, "bob"));
    let run = lab.run();
    assert_eq!(held(&lab), ["b.csv"], "{run}");
    let _ = run.expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "3"]);
}

/// A hundred good rows in each file but the last, and a limit of 10 %: what brings the run over it is one file.
#[test]
fn a_file_over_the_limit_of_the_gate_costs_itself() {
    let file = |first: u32, amount: &str| {
        let line = |id: u32| format!("{id},ann,{amount},2026-01-01\n");
        format!("{HEADER}{}", (first..first + 100).map(line).collect::<String>())
    };
    let spec = ORDERS.replace("    gate: { quarantined_percent_below: none }\n", "");
    for mode in ["mode: append", "mode: merge\n    keys: [id]\n    latest_by: day"] {
        let lab = orders_with(&spec.replace("mode: append", mode));
        land(&lab, "a.csv", file(100, "1.00"));
        land(&lab, "b.csv", file(200, "\"1,5\""));
        land(&lab, "c.csv", file(300, "1.00") + "400,ann,x,2026-01-01\n");
        let run = lab.run().expect(Outcome::Published);
        let says = ["/b.csv'", "100 of the 100 rows", "`amount.readable`", "below 10 %"];
        assert_says(&held_by(&run), &says, mode);
        assert_eq!(held(&lab), ["b.csv"], "{mode}: {run}");
        assert_eq!(rows(&lab, SILVER, &["id"]).len(), 200, "{mode}");
        assert_eq!(rows(&lab, QUARANTINE, &["_broken_rules"]).len(), 1, "{mode}: the bad row of a good file");
        let _ = lab.run().expect(Outcome::Skipped);
        // With others, it is held again. In a run over it alone it is the run that is wrong: a person may accept it.
        let held = lab.held().remove(0);
        let _ = lab.sluice(&["source", "release", &held.id.to_string()]).expect_code(0);
        land(&lab, "d.csv", file(500, "1.00"));
        let mut alone = lab.run_command(lab.lake(), &lab.landing());
        alone.args(["--object", &held.uri]);
        let run = Run::of(alone).expect(Outcome::Rejected);
        let run_id = run.lines().pop().unwrap()["run_id"].as_str().unwrap().to_owned();
        let _ = lab.sluice(&["runs", "accept", &run_id, "--by", "ann", "--reason", "decimal commas"]).expect_code(0);
        assert_eq!(rows(&lab, QUARANTINE, &["_broken_rules"]).len(), 101, "{mode}: accepted");
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id"]).len(), 300, "{mode}: and the file that came meanwhile");
    }
}

/// Its keys are not those of the run any more, and the others lack one of them.
#[test]
fn a_json_file_over_the_limit_costs_no_file_that_lacks_its_keys() {
    let spec = ORDERS.replace("    gate: { quarantined_percent_below: none }\n", "");
    for format in ["ndjson", "json"] {
        let lab = orders_with(&spec.replace("format: csv", &format!("format: {format}")));
        let bad = "{\"id\": 1, \"amount\": \"x\", \"day\": null, \"name\": \"ann\"}\n";
        land(&lab, "a.json", bad.repeat(5));
        // Torn within what is read of a file before a run.
        land(&lab, "b.json", "{\"id\": 2, \"amount\": 1, \"day\": null}\n{\"id\": 3, \"am");
        for (name, id) in [("c.json", 4), ("d.json", 5)] {
            land(&lab, name, format!("{{\"id\": {id}, \"amount\": 1, \"day\": null}}\n").repeat(20));
        }
        let run = lab.run().expect(Outcome::Published);
        let expected: &[&str] = if format == "json" { &["a.json", "b.json"] } else { &["a.json"] };
        assert_eq!(held(&lab), expected, "{format}: {run}");
        let ids = rows(&lab, SILVER, &["id"]);
        assert!(ids.contains(&"4".to_owned()) && ids.contains(&"5".to_owned()), "{format}: {ids:?}");
    }
}

#[test]
fn a_snapshot_of_which_a_file_is_over_the_limit_is_rejected_as_a_whole() {
    let spec = ORDERS
        .replace("    gate: { quarantined_percent_below: none }\n", "")
        .replace("mode: append", "mode: replace\n    snapshot: folder");
    let lab = orders_with(&spec);
    land(&lab, "day1/a.csv", good_file(0));
    land(&lab, "day1/b.csv", format!("{HEADER}20,ann,x,2026-01-01\n21,ann,x,2026-01-01\n"));
    let run = lab.run().expect(Outcome::Rejected);
    assert_eq!(held(&lab), ["a.csv", "b.csv"], "{run}");
    let run_id = run.lines().pop().unwrap()["run_id"].as_str().unwrap().to_owned();
    let _ = lab.sluice(&["runs", "accept", &run_id, "--by", "ann", "--reason", "known"]).expect_code(0);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1"]);
}

#[test]
fn a_run_that_has_staged_nothing_cannot_be_accepted() {
    let lab = orders();
    land(&lab, "a.csv", format!("{HEADER}1,\"open,1.00,2026-01-01\n"));
    let run = lab.run().expect(Outcome::Rejected);
    let last = run.lines().pop().unwrap();
    assert!(!last["next"].to_string().contains("accept"), "{last}");
    let run_id = last["run_id"].as_str().unwrap().to_owned();
    let refused = lab.sluice(&["runs", "accept", &run_id, "--by", "ann", "--reason", "known"]).expect_code(2);
    assert!(refused.to_string().contains("has staged nothing"), "{refused}");
}

/// Another writer comes first at gold, after bronze and silver were committed: the next attempt has no object left.
#[test]
fn a_run_that_has_committed_its_good_file_is_not_rejected_for_the_other() {
    let lab = orders();
    let steps = Steps::new(&lab);
    land(&lab, "a.csv", order(1, "ann"));
    assert!(steps.run().is_some());
    land(&lab, "b.csv", order(2, "bob"));
    land(&lab, "c.csv", format!("{HEADER}3,\"open,1.00,2026-01-01\n"));
    let first = steps.validate().unwrap();
    assert_eq!(steps.process(&first.run).unwrap_err().name(), ErrorName::ObjectsHeld);
    let plan = steps.replan(&first.run).unwrap();
    assert_eq!((plan.objects.len(), plan.held_by_run.count), (1, 1));
    let _ = steps.process(&plan.run).unwrap();
    assert_eq!(steps.quality_check(&plan.run).unwrap().decision, Decision::Passed);
    let log = lab.lake().join("gold/sales/totals/_delta_log");
    std::fs::write(log.join(format!("{:020}.json", 1)), "{\"commitInfo\":{\"timestamp\":1}}\n").unwrap();
    assert_eq!(steps.publish(&plan.run).unwrap_err().name(), ErrorName::CommitConflict);
    let again = steps.replan(&plan.run).unwrap();
    assert_eq!((again.objects.len(), again.held_by_run.count), (0, 1), "b.csv is committed, c.csv is held");
    let _ = steps.finish(&again.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
    assert_eq!(held(&lab), ["c.csv"]);
}

#[test]
fn a_run_whose_files_are_all_over_the_limit_is_rejected_as_a_whole() {
    let lab = orders_with(&ORDERS.replace("    gate: { quarantined_percent_below: none }\n", ""));
    for name in ["a.csv", "b.csv"] {
        land(&lab, name, format!("{HEADER}1,ann,x,2026-01-01\n2,ann,y,2026-01-01\n"));
    }
    let run = lab.run().expect(Outcome::Rejected);
    assert_eq!(run.times_entered("Replan"), 0, "{run}");
    assert_eq!(held(&lab), ["a.csv", "b.csv"]);
    assert_says(&lab.held()[0].reason, &["quarantined_share"], "the broken rule");
}

#[test]
fn the_first_files_of_a_pipeline_are_held_for_gold_too() {
    let lab = totals_by_number();
    land(&lab, "a.csv", order(1, "abc"));
    let _ = lab.run().expect(Outcome::Rejected);
    assert_eq!(held(&lab), ["a.csv"]);
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
fn a_file_without_an_answer_to_a_rule_costs_itself() {
    let (lab, _) = ruled("error");
    for held in lab.held() {
        let _ = lab.sluice(&["source", "release", &held.id.to_string()]).expect_code(0);
    }
    land(&lab, "c.csv", order(3, "9"));
    land(&lab, "d.csv", order(4, "10"));
    let run = lab.run().expect(Outcome::Published);
    assert_says(&held_by(&run), &["rule `numbers` has no answer for rows of", "/b.csv'", "'abc'"], "the hold");
    assert_eq!(held(&lab), ["b.csv"]);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "3", "4"]);
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
    let run = lab.run().expect(Outcome::Rejected);
    let says = ["/a.json' lacks column name; it has id, amount, day", "/b.json' lacks column name; it has id, amount"];
    assert_says(&held_by(&run), &says, "what is held");
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
    let run = lab.run().expect(Outcome::Published);
    assert_eq!((held(&lab), held_by(&run).contains("/a.json'")), (vec!["a.json".to_owned()], true), "{run}");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["2|NULL"]);
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
        // In a run of its own: bronze has the keys. They may be rare, or renamed, so it is said.
        land(&lab, "d.json", without(4));
        let run = lab.run().expect(Outcome::Published);
        let warning = run.lines().pop().unwrap()["warnings"][0].clone();
        assert_eq!(warning["rule"], format!("{BRONZE}: missing_keys"), "{run}");
        assert_says(&warning.to_string(), &["'name'", "'day'"], "the warning");
        land(&lab, "e.json", without(5).replace("}", ", \"name\": null, \"day\": null}"));
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(run.lines().pop().unwrap()["warnings"].as_array().unwrap().len(), 0, "{run}");
        let expected = ["1|NULL|NULL", "2|ann|2026-01-01", "3|NULL|NULL", "4|NULL|NULL", "5|NULL|NULL"];
        assert_eq!(rows(&lab, SILVER, &["id", "name", "day"]), expected, "{format}");
        assert_eq!(held(&lab).len(), 0, "{format}");
    }
}
