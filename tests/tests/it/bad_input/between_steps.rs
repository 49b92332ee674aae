//! Source objects that change between the plan and the read.

use std::fs;

use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{Plan, PlanStatus};
use sluice_lake::LakeError;
use sluice_tests::lab::Lab;

use super::{good_file, gzip, state_of};
use crate::small::{BRONZE, SILVER, Steps, assert_says, land, orders, rows};

/// A lab with one published file and a plan for two more, `b.csv` and `c.csv`.
fn planned() -> (Lab, Steps, Plan) {
    let lab = orders();
    let steps = Steps::new(&lab);
    land(&lab, "a.csv", good_file(0));
    let _ = steps.run().expect("a.csv is new");
    land(&lab, "b.csv", good_file(10));
    land(&lab, "c.csv", good_file(20));
    let plan = steps.validate().unwrap();
    assert_eq!((plan.status, plan.objects.len()), (PlanStatus::Planned, 2));
    (lab, steps, plan)
}

fn assert_changed(error: LakeError, says: &[&str]) {
    let reported = StepError::from(error);
    assert_eq!(reported.name, ErrorName::SourceChanged, "{reported}");
    assert_says(&reported.message, says, "the message");
    assert_says(&reported.message, &["plans again"], "the message says what happens next");
}

#[test]
fn a_deleted_object_is_left_out_by_the_next_attempt() {
    let (lab, steps, plan) = planned();
    let before = state_of(&lab);
    fs::remove_file(lab.landing().join("b.csv")).unwrap();
    assert_changed(steps.process(&plan.run).unwrap_err(), &["/b.csv", "deleted"]);
    assert_eq!(state_of(&lab), before);
    let again = steps.replan(&plan.run).unwrap();
    assert_eq!((again.run.attempt, again.objects.len()), (2, 1));
    let _ = steps.finish(&again.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "20", "21"]);
    assert_eq!(lab.held(), [], "a deleted object is not held");
}

#[test]
fn a_replaced_object_is_read_as_it_is_now() {
    let replacements: [(&str, Vec<u8>); 4] = [
        ("other rows", good_file(30).into_bytes()),
        ("fewer bytes", b"id,name,amount,day\n30,x,1.00,2026-01-01\n31,x,1.00,2026-01-01\n".to_vec()),
        ("packed now", gzip(good_file(30))),
        ("the same length", good_file(30).into_bytes()),
    ];
    for (name, bytes) in replacements {
        let (lab, steps, plan) = planned();
        let before = state_of(&lab);
        land(&lab, "b.csv", bytes);
        assert_changed(steps.process(&plan.run).unwrap_err(), &["/b.csv", "replaced"]);
        assert_eq!(state_of(&lab), before, "{name}");
        let again = steps.replan(&plan.run).unwrap();
        let _ = steps.finish(&again.run);
        assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "20", "21", "30", "31"], "{name}");
        assert_eq!(rows(&lab, BRONZE, &["id"]).len(), 6, "{name}: nothing of the old content was read");
    }
}

#[test]
fn an_object_replaced_by_a_bad_one_is_reported_as_replaced_and_then_refused() {
    let (lab, steps, plan) = planned();
    let before = state_of(&lab);
    let packed = gzip(good_file(30));
    for bad in [&b""[..], &packed[..20], b"id,name\n1,x\n"] {
        land(&lab, "b.csv", bad);
        assert_changed(steps.process(&plan.run).unwrap_err(), &["/b.csv", "replaced"]);
    }
    let again = steps.replan(&plan.run).unwrap();
    assert_eq!((again.objects.len(), again.held_by_run.count), (1, 1), "the bad one is held, the good one is planned");
    assert_says(&again.held_by_run.named[0].reason, &["/b.csv", "lacks column amount, day"], "the second plan");
    assert_eq!(state_of(&lab), before);
    let _ = steps.finish(&again.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "20", "21"]);
}

#[test]
fn an_object_that_was_replaced_once_is_taken_by_all_later_attempts() {
    let (lab, steps, plan) = planned();
    land(&lab, "b.csv", good_file(30));
    assert_changed(steps.process(&plan.run).unwrap_err(), &["/b.csv", "replaced"]);
    let second = steps.replan(&plan.run).unwrap();
    let third = steps.replan(&second.run).expect("as after a conflict with another writer");
    assert_eq!((third.run.attempt, third.objects.len(), third.passed_by.count), (3, 2, 0));
    let _ = steps.finish(&third.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "20", "21", "30", "31"]);
}

/// Lands `log.csv`, which gets a line while the first two attempts of a run read it: the third attempt, and the log.
fn changed_twice(lab: &Lab, steps: &Steps) -> (Plan, String) {
    let mut log = good_file(10);
    land(lab, "log.csv", &log);
    let mut plan = steps.validate().unwrap();
    for attempt in 1..=2 {
        assert_eq!((plan.run.attempt, plan.passed_by.count), (attempt, 0));
        log = format!("{log}2{attempt},ann,1.50,2026-01-01\n");
        land(lab, "log.csv", &log);
        assert_changed(steps.process(&plan.run).unwrap_err(), &["/log.csv", "replaced"]);
        plan = steps.replan(&plan.run).unwrap();
    }
    (plan, log)
}

fn assert_log_is_passed_by(lab: &Lab) {
    let passed = lab.passed_by();
    assert_eq!(passed.len(), 1, "{passed:?}");
    assert_says(&passed[0].uri, &["/log.csv"], "the object");
    assert_says(&passed[0].reason, &["still being written"], "its reason");
    assert_eq!(lab.held(), []);
}

#[test]
fn a_file_that_keeps_changing_does_not_block_the_others() {
    let lab = orders();
    let steps = Steps::new(&lab);
    land(&lab, "good.csv", good_file(0));
    let (plan, log) = changed_twice(&lab, &steps);
    assert_eq!((plan.run.attempt, plan.status, plan.objects.len()), (3, PlanStatus::Planned, 1));
    assert_log_is_passed_by(&lab);
    land(&lab, "log.csv", format!("{log}23,ann,1.50,2026-01-01\n"));
    let plan = steps.replan(&plan.run).expect("as after a conflict with another writer");
    assert_eq!((plan.run.attempt, plan.objects.len()), (4, 1), "the run goes on without it to its end");
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1"]);
    assert_log_is_passed_by(&lab);
    let _ = steps.run().expect("the log is complete");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "10", "11", "21", "22", "23"]);
    assert_eq!(lab.passed_by().len(), 0);
}

#[test]
fn a_run_that_has_nothing_but_a_changing_file_is_skipped() {
    let lab = orders();
    let steps = Steps::new(&lab);
    land(&lab, "good.csv", good_file(0));
    let _ = steps.run().expect("good.csv is new");
    let before = state_of(&lab);
    let (plan, _) = changed_twice(&lab, &steps);
    assert_eq!(plan.status, PlanStatus::Skipped);
    assert_log_is_passed_by(&lab);
    assert_eq!(state_of(&lab), before);
}

#[test]
fn a_touched_or_rewritten_object_is_the_same() {
    let (lab, steps, plan) = planned();
    land(&lab, "b.csv", good_file(10));
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "10", "11", "20", "21"]);
}

#[test]
fn objects_that_change_after_they_were_staged_do_not_matter() {
    let (lab, steps, plan) = planned();
    let _ = steps.process(&plan.run).unwrap();
    fs::remove_file(lab.landing().join("b.csv")).unwrap();
    land(&lab, "c.csv", good_file(30));
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "10", "11", "20", "21"]);
    let _ = steps.run().expect("the changed object is a new one");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "10", "11", "20", "21", "30", "31"]);
}

#[test]
fn when_all_objects_are_gone_the_run_is_skipped() {
    let (lab, steps, plan) = planned();
    let before = state_of(&lab);
    fs::remove_file(lab.landing().join("b.csv")).unwrap();
    fs::remove_file(lab.landing().join("c.csv")).unwrap();
    assert_changed(steps.process(&plan.run).unwrap_err(), &["deleted"]);
    assert_eq!(steps.replan(&plan.run).unwrap().status, PlanStatus::Skipped);
    assert_eq!(state_of(&lab), before);
}
