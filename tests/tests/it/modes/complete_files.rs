//! `source.files`: files that are too young or too small to count as complete wait for a later run, and nothing else does.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_core::error::StepError;
use sluice_core::run::{Outcome, Plan, PlanStatus};
use sluice_tests::lab::Lab;

use super::spec;
use crate::small::{ORDERS, SILVER, Steps, assert_says, land, orders_with, rows};

/// The second at which the clock of [`Steps`] begins: 2026-01-05T00:00:00Z. Each run is a minute later than the last.
const BEGIN: u64 = 1_767_571_200;

fn waiting(files: &str, mode: &str) -> String {
    let source = format!("format: csv, files: {{ {files} }} }}");
    spec(mode).replace("format: csv }", &source)
}

/// Lands an order that was modified last at this minute of the clock.
fn deliver(lab: &Lab, name: &str, minute: u64, id: &str) {
    let path = land(lab, name, format!("id,name,amount,day\n{id},a,1,\n"));
    set_time(&path, UNIX_EPOCH + Duration::from_secs(BEGIN + minute * 60));
}

fn set_time(path: &std::path::Path, time: SystemTime) {
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn passed_by(plan: &Plan) -> Vec<String> {
    plan.passed_by.named.iter().map(|by| format!("{} {}", by.uri, by.reason)).collect()
}

#[test]
fn a_young_file_waits_and_a_later_run_takes_it() {
    let lab = orders_with(&waiting("complete_after_minutes: 3", "mode: append"));
    let steps = Steps::new(&lab);
    deliver(&lab, "old.csv", 0, "1");
    deliver(&lab, "young.csv", 1, "2");
    deliver(&lab, "future.csv", 600, "3");
    // The first run is in minute 1, the second in minute 2.
    for minute in [1, 2] {
        let plan = steps.validate().unwrap();
        assert_eq!((plan.status, plan.passed_by.count), (PlanStatus::Skipped, 3), "minute {minute}");
        assert_eq!(plan.held_by_run.count, 0, "what waits is never held");
    }
    let plan = steps.validate().unwrap();
    let passed = passed_by(&plan);
    assert_eq!(passed.len(), 2, "{passed:?}");
    assert_says(&passed[0], &["/future.csv it waits", "less than 3 min before the run"], "the clock is ahead");
    assert_says(&passed[1], &["/young.csv it waits", "2026-01-05T00:01:00Z"], "two minutes");
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
    let _ = steps.run().expect("the young file is three minutes old");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
    // What is stored does not wait again when somebody touches it.
    deliver(&lab, "young.csv", 600, "2");
    let plan = steps.validate().unwrap();
    assert_eq!((plan.status, plan.passed_by.count), (PlanStatus::Skipped, 1), "{:?}", passed_by(&plan));
}

#[test]
fn a_small_file_waits_until_it_has_grown() {
    let lab = orders_with(&waiting("min_bytes: 20", "mode: append"));
    let steps = Steps::new(&lab);
    land(&lab, "a.csv", "");
    let plan = steps.validate().unwrap();
    assert_eq!(plan.status, PlanStatus::Skipped);
    assert_says(
        &passed_by(&plan)[0],
        &["/a.csv it waits", "its size is 0 B", "20 B of source.files.min_bytes"],
        "empty",
    );
    deliver(&lab, "a.csv", 0, "1");
    let _ = steps.run().expect("the file is complete");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
}

#[test]
fn without_the_options_no_file_waits() {
    for files in ["complete_after_minutes: 0, min_bytes: 0", "include: ['**']"] {
        let lab = orders_with(&waiting(files, "mode: append"));
        let steps = Steps::new(&lab);
        deliver(&lab, "future.csv", 600, "1");
        let _ = steps.run().expect("no file waits");
        assert_eq!(rows(&lab, SILVER, &["id"]), ["1"], "{files}");
    }
}

#[test]
fn a_folder_with_a_part_that_waits_is_no_snapshot_yet() {
    let lab = orders_with(&waiting("complete_after_minutes: 2", "mode: replace\n    snapshot: folder"));
    let steps = Steps::new(&lab);
    deliver(&lab, "before/part-0.csv", 0, "9");
    assert!(steps.run().is_none(), "the part is too young");
    let _ = steps.run().expect("the first snapshot is complete");
    deliver(&lab, "day/part-0.csv", 1, "0");
    deliver(&lab, "day/part-1.csv", 2, "1");
    let plan = steps.validate().unwrap_or_else(|error| panic!("{}", StepError::from(error)));
    let passed = passed_by(&plan);
    assert_eq!(passed.len(), 2, "{passed:?}");
    assert_says(&passed[0], &["/day/ ", SILVER, "/day/part-1.csv'", "is not complete yet"], "the folder");
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["9"], "half a snapshot is not shown");
    let _ = steps.run().expect("the second part is old enough");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1"]);
}

#[test]
fn a_run_says_that_files_wait() {
    let lab = orders_with(&ORDERS.replace("format: csv }", "format: csv, files: { complete_after_minutes: 60 } }"));
    land(&lab, "a.csv", "id,name,amount,day\n1,a,1,\n");
    let run = lab.run().expect(Outcome::Skipped);
    let last = run.lines().pop().unwrap();
    assert_eq!((last["passed_by"].as_u64(), last["incomplete_files"].as_u64()), (Some(1), Some(1)), "{run}");
    let passed = lab.passed_by();
    assert!(passed[0].reason.contains("source.files.complete_after_minutes"), "{}", passed[0].reason);
    assert!(lab.held().is_empty());
}
