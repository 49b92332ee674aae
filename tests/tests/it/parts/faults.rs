//! What goes wrong in a part, between parts, and in calls that come twice, at the same time or late.

use std::thread;

use jiff::{Timestamp, ToSpan};
use sluice_core::error::ErrorName;
use sluice_core::run::{PartRef, ReadPart, RunRef};
use sluice_lake::steps;
use sluice_tests::content::{assert_same, wait};
use sluice_tests::files;
use sluice_tests::lab::Lab;

use super::{ONE_EACH, part, planned, read_at_once};
use crate::modes::{MERGE, spec};
use crate::small::{ORDERS, SILVER, Steps, assert_says, land_at, orders_with, rows};

fn in_parts(spec: &str) -> String {
    format!("{spec}{ONE_EACH}")
}

fn land(lab: &Lab, name: &str, ids: &[u32]) {
    let lines: String = ids.iter().map(|id| format!("{id},a,{id},2026-01-05\n")).collect();
    land_at(lab, name, format!("id,name,amount,day\n{lines}"), 0);
}

/// A lab with three objects of two rows, each a part, and merged where rows of two have one id.
fn three(mode: &str) -> Lab {
    let lab = orders_with(&in_parts(&spec(mode)));
    for (number, name) in ["0.csv", "1.csv", "2.csv"].iter().enumerate() {
        land(&lab, name, &[number as u32, number as u32 + 1]);
    }
    lab
}

/// The document of a part.
fn document(steps: &Steps, run: &RunRef, number: u32) -> Option<ReadPart> {
    wait(steps.lake.documents().of(&PartRef::first(run, part(number))).get()).unwrap()
}

#[test]
fn process_reads_the_parts_that_nobody_has_read() {
    for read in [&[][..], &[2], &[3, 1], &[1, 2, 3]] {
        for mode in ["mode: append", MERGE] {
            let lab = three(mode);
            let steps = Steps::new(&lab);
            let plan = planned(&steps, 3);
            for number in read {
                let _ = steps.read_part(&plan.run, part(*number)).unwrap();
            }
            let _ = steps.finish(&plan.run);
            assert!((1..=3).all(|number| document(&steps, &plan.run, number).is_some()), "{read:?}");
            assert_same(&read_at_once(&lab, &spec(mode)), &lab.content(), &format!("{mode}: {read:?}"));
        }
    }
}

#[test]
fn a_part_that_is_read_twice_or_by_two_at_once_is_what_the_first_made_of_it() {
    let lab = three("mode: append");
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 3);
    let (lake, run) = (&steps.lake, &plan.run);
    let now: Timestamp = "2026-01-05T00:10:00Z".parse().unwrap();
    for number in 1..=3 {
        let read = || wait(steps::read_part(lake, now, run, part(number))).unwrap();
        let found: Vec<ReadPart> = thread::scope(|scope| {
            let calls: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert!(found.iter().all(|read| *read == found[0]), "part {number}");
        assert_eq!(read(), found[0]);
        assert_eq!((found[0].rows(), found[0].read_at), (2, now));
    }
    let both: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| wait(steps::process(lake, now, run)).unwrap())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(both[0], both[1]);
    let _ = steps.finish(run);
    assert_same(&read_at_once(&lab, ORDERS), &lab.content(), "two calls at once");
    // A delivery that comes after everything.
    assert_eq!(wait(steps::read_part(lake, now, run, part(2))).unwrap(), document(&steps, run, 2).unwrap());
}

/// An array of one record, with this behind it. Validate reads the beginning alone.
fn array(id: u32, end: &str) -> String {
    format!(r#"[{{"id": {id}, "name": "a", "amount": 1, "day": "2026-01-05"}}{end}"#)
}

#[test]
fn objects_at_fault_in_any_part_are_held_and_the_others_published() {
    // Whether the parts were read before process, or process meets the faults by itself.
    for first_reads in [true, false] {
        let lab = orders_with(&in_parts(&ORDERS.replace("format: csv", "format: json")));
        for (number, end) in ["]", ", {", "]", ", nul]", "]"].iter().enumerate() {
            land_at(&lab, format!("{number}.json"), array(number as u32, end), 0);
        }
        let steps = Steps::new(&lab);
        let plan = planned(&steps, 5);
        let read = |part| steps.read_part(&plan.run, part).err().map(|error| error.name());
        let refused: Vec<_> = plan.cuts.numbers().filter(|_| first_reads).filter_map(read).collect();
        assert_eq!(refused, if first_reads { vec![ErrorName::ObjectsHeld; 2] } else { Vec::new() });
        let error = steps.process(&plan.run).unwrap_err();
        assert_eq!(error.name(), ErrorName::ObjectsHeld, "{error}");
        assert_says(&error.to_string(), &["1.json", "3.json", "2 source objects are held"], "all are named at once");
        let next = steps.replan(&plan.run).unwrap();
        assert_eq!((next.cuts.count(), next.held_by_run.count), (3, 2));
        let _ = steps.finish(&next.run);
        assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "2", "4"], "first_reads: {first_reads}");
        assert_eq!(lab.held().len(), 2);
    }
}

#[test]
fn an_object_that_changes_before_its_part_is_read_is_planned_again() {
    let lab = three("mode: append");
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 3);
    let _ = steps.read_part(&plan.run, part(1)).unwrap();
    land(&lab, "1.csv", &[7, 8]);
    let error = steps.read_part(&plan.run, part(2)).unwrap_err();
    assert_eq!(error.name(), ErrorName::SourceChanged);
    assert_eq!(document(&steps, &plan.run, 2), None);
    let _ = steps.read_part(&plan.run, part(3)).unwrap();
    assert_eq!(steps.process(&plan.run).unwrap_err().name(), ErrorName::SourceChanged);
    let next = steps.replan(&plan.run).unwrap();
    let _ = steps.finish(&next.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2", "3", "7", "8"]);
}

/// A bucket takes them away after 15 days, and whoever cleans up by hand at any time.
#[test]
fn rows_that_wait_to_be_merged_and_are_gone_are_read_again() {
    for (removed, days) in [(true, 0), (true, 15), (false, 15)] {
        let lab = three(MERGE);
        let steps = Steps::new(&lab);
        let plan = planned(&steps, 3);
        for part in plan.cuts.numbers() {
            let _ = steps.read_part(&plan.run, part).unwrap();
        }
        let waiting = lab.lake().join("parts/retail/run-0001/1/sales.orders");
        assert_eq!(files::all_files(&waiting).len(), 3);
        if removed {
            files::remove_folder(&waiting);
        }
        let error = wait(steps::process(&steps.lake, plan.planned_at + (days * 24).hours(), &plan.run)).unwrap_err();
        assert_eq!(error.name(), ErrorName::CommitConflict, "{error}");
        assert_says(&error.to_string(), &["table `silver/sales/orders`: typed rows of the run", "are gone"], "gone");
        let next = steps.replan(&plan.run).unwrap();
        assert_eq!(next.cuts.count(), 3);
        let _ = steps.finish(&next.run);
        assert_same(&read_at_once(&lab, &spec(MERGE)), &lab.content(), "15 days later");
    }
}

#[test]
fn only_rows_that_wait_to_be_merged_may_be_gone() {
    let lab = three("mode: append");
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 3);
    for part in plan.cuts.numbers() {
        let _ = steps.read_part(&plan.run, part).unwrap();
    }
    let _ = wait(steps::process(&steps.lake, plan.planned_at + (20 * 24).hours(), &plan.run)).unwrap();
    let _ = steps.finish(&plan.run);
    assert_same(&read_at_once(&lab, ORDERS), &lab.content(), "20 days later");
}

/// A child of the Map that answers late and process, which reads the parts that it does not find.
#[test]
fn process_and_calls_for_its_parts_at_the_same_time_make_one_result() {
    for mode in ["mode: append", MERGE] {
        let lab = three(mode);
        let steps = Steps::new(&lab);
        let plan = planned(&steps, 3);
        let (lake, run, now) = (&steps.lake, &plan.run, plan.planned_at);
        thread::scope(|scope| {
            for part in plan.cuts.numbers() {
                scope.spawn(move || wait(steps::read_part(lake, now, run, part)).unwrap());
            }
            for _ in 0..2 {
                scope.spawn(|| wait(steps::process(lake, now, run)).unwrap());
            }
        });
        let _ = steps.finish(run);
        assert_same(&read_at_once(&lab, &spec(mode)), &lab.content(), mode);
    }
}

#[test]
fn a_part_that_the_plan_does_not_have_is_refused_by_its_number() {
    let check = |lab: &Lab, parts: usize, number: u32| {
        let steps = Steps::new(lab);
        let plan = steps.validate().unwrap();
        let error = steps.read_part(&plan.run, part(number)).unwrap_err();
        assert_eq!(error.name(), ErrorName::InvalidInput, "{error}");
        let expected = format!("attempt 1 of run `run-0001` has {parts} parts to read, and no part {number}");
        assert_says(&error.to_string(), &[&expected], "no such part");
    };
    check(&three("mode: append"), 3, 4);
    let whole = orders_with(ORDERS);
    land(&whole, "0.csv", &[1]);
    check(&whole, 0, 1);
}
