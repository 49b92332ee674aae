//! Rows that bronze has already are read in parts, as those of the landing folder are.

use sluice_core::error::ErrorName;
use sluice_core::run::{Plan, ReadFrom};
use sluice_tests::content::{assert_same, wait};
use sluice_tests::lab::Lab;

use super::{ONE_EACH, planned, read_at_once};
use crate::modes::{MERGE, SCD2, spec};
use crate::small::{ORDERS, QUARANTINE, SILVER, Steps, assert_says, land_at, orders_with, rows};

fn land(lab: &Lab, name: &str, second: u64, ids: &[&str]) {
    let lines: String = ids.iter().map(|id| format!("{id},a,1,2026-01-05\n")).collect();
    land_at(lab, name, format!("id,name,amount,day\n{lines}"), second);
}

/// Where the objects of a plan are read.
fn places(plan: &Plan) -> Vec<ReadFrom> {
    plan.objects.iter().map(|planned| planned.read_from).collect()
}

/// Reads these parts by calls of their own, and leaves the others to process.
fn read(steps: &Steps, plan: &Plan, parts: &[u32]) {
    for number in parts {
        let _ = steps.read_part(&plan.run, super::part(*number)).unwrap();
    }
}

#[test]
fn rows_that_only_bronze_has_are_the_same_in_parts() {
    for mode in ["mode: append", MERGE, SCD2] {
        for parts in [&[][..], &[3, 1], &[1, 2, 3, 4]] {
            let lab = orders_with(&format!("{}{ONE_EACH}", spec(mode)));
            for (number, name) in ["0.csv", "1.csv", "2.csv"].iter().enumerate() {
                land(&lab, name, 0, &[&number.to_string(), &(number + 1).to_string(), "x"]);
            }
            let steps = Steps::new(&lab);
            steps.die_after_bronze();
            land(&lab, "3.csv", 0, &["3", "y"]);
            let plan = planned(&steps, 4);
            assert_eq!(places(&plan)[2..], [ReadFrom::Bronze, ReadFrom::Landing], "{mode}");
            read(&steps, &plan, parts);
            let _ = steps.finish(&plan.run);
            assert_same(&read_at_once(&lab, &spec(mode)), &lab.content(), &format!("{mode}: {parts:?}"));
        }
    }
}

#[test]
fn a_snapshot_whose_other_files_are_read_again_is_the_same_in_parts() {
    let lab = orders_with(&format!("{}{ONE_EACH}", spec("mode: replace\n    snapshot: folder")));
    let steps = Steps::new(&lab);
    land(&lab, "day/0.csv", 1, &["0", "x"]);
    let _ = steps.run().expect("the first file is new");
    land(&lab, "day/1.csv", 2, &["1"]);
    let plan = planned(&steps, 2);
    assert_eq!(places(&plan), [ReadFrom::Bronze, ReadFrom::Landing]);
    read(&steps, &plan, &[1, 2]);
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1"]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["2"]);
}

/// An earlier version cut the landing objects of a plan alone.
#[test]
fn a_plan_that_was_cut_otherwise_is_planned_again() {
    let lab = orders_with(&format!("{}{ONE_EACH}", spec("mode: append")));
    land(&lab, "0.csv", 0, &["0"]);
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    land(&lab, "1.csv", 0, &["1"]);
    land(&lab, "2.csv", 0, &["2"]);
    let plan = planned(&steps, 3);
    let cuts = serde_json::from_value(serde_json::json!([1, 1])).unwrap();
    let cut = Plan { cuts, ..plan };
    wait(steps.lake.documents().of(&cut.run).replace(&cut)).unwrap();
    let errors = [steps.read_part(&cut.run, super::part(1)).unwrap_err(), steps.process(&cut.run).unwrap_err()];
    for error in errors {
        assert_eq!(error.name(), ErrorName::CommitConflict, "{error}");
        assert_says(&error.to_string(), &["planned by an earlier version of Sluice"], "cut otherwise");
    }
    let next = steps.replan(&cut.run).unwrap();
    let _ = steps.finish(&next.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2"]);
}

/// A lab with a record in bronze alone, whose spec then reads `day` where it read `date`.
fn mapped_otherwise() -> (Lab, Steps) {
    let before = ORDERS.replace("format: csv", "format: ndjson").replace("day: day }", "day: date }");
    let lab = orders_with(&format!("{before}{ONE_EACH}"));
    let steps = Steps::new(&lab);
    land_at(&lab, "0.json", r#"{"id": 1, "name": "a", "amount": 1, "date": "2026-01-05"}"#, 0);
    steps.die_after_bronze();
    lab.edit_pipeline("pipeline.yaml", "day: date }", "day: day }");
    (lab, steps)
}

#[test]
fn a_column_that_bronze_lacks_may_come_with_another_part() {
    for parts in [&[][..], &[1], &[2, 1]] {
        let (lab, steps) = mapped_otherwise();
        land_at(&lab, "1.json", r#"{"id": 2, "name": "b", "amount": 1, "day": "2026-01-06"}"#, 0);
        let plan = planned(&steps, 2);
        assert_eq!(places(&plan), [ReadFrom::Bronze, ReadFrom::Landing]);
        read(&steps, &plan, parts);
        let _ = steps.finish(&plan.run);
        assert_eq!(rows(&lab, SILVER, &["id", "day"]), ["1|NULL", "2|2026-01-06"], "{parts:?}");
    }
}

#[test]
fn a_column_that_bronze_lacks_and_no_part_brings_is_missing() {
    let (lab, steps) = mapped_otherwise();
    land_at(&lab, "1.json", "oops", 0);
    let plan = planned(&steps, 2);
    read(&steps, &plan, &[1, 2]);
    let error = steps.process(&plan.run).unwrap_err();
    assert_eq!(error.name(), ErrorName::ContractViolation, "{error}");
    assert_says(&error.to_string(), &["source column 'day' (for `day`) is missing"], "nobody has it");
}
