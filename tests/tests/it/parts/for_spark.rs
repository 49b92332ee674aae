//! What process reads for Spark to combine: the same from every call, and never rows that are gone.

use std::thread;

use jiff::ToSpan;
use sluice_core::error::ErrorName;
use sluice_core::run::{Plan, ReadRun};
use sluice_core::uri::layout;
use sluice_lake::steps::{self, Processed};
use sluice_tests::content::wait;
use sluice_tests::lab::Lab;

use super::ONE_EACH;
use crate::modes::{MERGE, spec};
use crate::small::{Steps, assert_says, land_at, orders_with};

/// A lab whose runs Spark combines, with two objects of three rows, one of which breaks a rule.
fn for_spark(mode: &str, more: &str) -> (Lab, Plan) {
    let lab = orders_with(&format!("{}engine: emr\n{more}", spec(mode)));
    for (name, id) in [("0.csv", 1), ("1.csv", 2)] {
        let lines = format!("id,name,amount,day\n{id},a,1,2026-01-05\n9,b,{id},2026-01-06\nx,c,1,2026-01-05\n");
        land_at(&lab, name, lines, 0);
    }
    let plan = Steps::new(&lab).validate().unwrap();
    (lab, plan)
}

fn read(lab: &Lab, plan: &Plan) -> ReadRun {
    match wait(steps::process(&lab.open(), plan.planned_at, &plan.run)).unwrap() {
        Processed::Read(read) => *read,
        Processed::Changeset(changeset) => panic!("it was combined: {changeset:?}"),
    }
}

#[test]
fn every_call_for_spark_answers_what_the_first_has_read() {
    for more in ["", ONE_EACH] {
        for mode in ["mode: append", MERGE] {
            let (lab, plan) = for_spark(mode, more);
            let found: Vec<ReadRun> = thread::scope(|scope| {
                let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| read(&lab, &plan))).collect();
                calls.into_iter().map(|call| call.join().unwrap()).collect()
            });
            assert!(found.iter().all(|one| one == &found[0]), "{mode} {more}");
            let first = read(&lab, &plan);
            assert_eq!(first, found[0], "{mode} {more}");
            let bronze: u64 = first.bronze.adds.iter().map(|file| file.rows).sum();
            let [table] = first.tables.as_slice() else { panic!("{first:?}") };
            let rows = |files: &[sluice_core::run::StagedFile]| files.iter().map(|file| file.rows).sum::<u64>();
            let counted = [bronze, table.source, rows(&table.accepted_files), rows(&table.quarantine_files)];
            assert_eq!(counted, [6, 6, 4, 2], "{mode} {more}");
            let audited = table.audited.as_ref().map(|audited| audited.rows);
            let by_parts = mode != MERGE && more == ONE_EACH;
            assert_eq!(audited, by_parts.then_some(4), "Spark counts what no part has: {mode} {more}");
            let folder = if mode == MERGE {
                lab.lake().join(layout::typed(&plan.run, &table.table).as_str())
            } else {
                lab.lake().join(layout::table(&table.table).as_str())
            };
            assert!(table.accepted_files.iter().all(|file| folder.join(&file.path).is_file()), "{mode} {more}");
        }
    }
}

#[test]
fn delete_events_are_left_to_spark_in_files_of_their_own_table() {
    for more in ["", ONE_EACH] {
        let (lab, plan) = for_spark(&format!("{MERGE}\n    delete_when: name = 'b'"), more);
        let read = read(&lab, &plan);
        let [table] = read.tables.as_slice() else { panic!("{read:?}") };
        assert_eq!([table.source, table.accepted, table.deleted(), table.quarantined], [6, 2, 2, 2], "{more}");
        let folder = lab.lake().join("deletes/sales/orders");
        assert!(table.delete_files.iter().all(|file| folder.join(&file.path).is_file()), "{more}");
    }
}

#[test]
fn rows_that_may_be_gone_when_spark_comes_are_read_again() {
    let check = |mode: &str, hours: i64, expected: Option<ErrorName>| {
        let (lab, plan) = for_spark(mode, "");
        let _ = read(&lab, &plan);
        let later = wait(steps::process(&lab.open(), plan.planned_at + hours.hours(), &plan.run));
        assert_eq!(later.err().map(|error| error.name()), expected, "{mode} {hours}");
    };
    check(MERGE, 14 * 24, None);
    check(MERGE, 15 * 24 - 10, Some(ErrorName::CommitConflict));
    check("mode: append", 20 * 24, None);
}

/// An earlier version wrote the script from the plan alone.
#[test]
fn a_run_that_spark_was_to_read_is_planned_again() {
    let (lab, plan) = for_spark(MERGE, "");
    let lake = lab.open();
    let _ = wait(lake.documents().create_text(&layout::script(&plan.run), "SELECT 1;".to_owned())).unwrap();
    let error = wait(steps::process(&lake, plan.planned_at, &plan.run)).unwrap_err();
    assert_eq!(error.name(), ErrorName::CommitConflict, "{error}");
    assert_says(&error.to_string(), &["planned by an earlier version of Sluice"], "an old script");
    let next = wait(steps::replan(&lake, plan.planned_at, &plan.run)).unwrap();
    let _ = read(&lab, &next);
}
