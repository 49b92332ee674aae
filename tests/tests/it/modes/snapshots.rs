//! Mode replace: snapshots of several files, and snapshots that come late, however they are split into runs.

use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::{Layer, TableRef};
use sluice_tests::lab::Lab;

use super::writes::spec;
use crate::small::{BRONZE, GOLD, QUARANTINE, SILVER, Steps, assert_says, land_at, orders_with, rows};

/// A lab whose silver table is replaced, with a folder as one snapshot.
fn replaced() -> (Lab, Steps) {
    replaced_by("\n    snapshot: folder")
}

fn replaced_by(snapshot: &str) -> (Lab, Steps) {
    let lab = orders_with(&spec(&format!("mode: replace{snapshot}")));
    let steps = Steps::new(&lab);
    (lab, steps)
}

/// Lands a file with these ids, modified last at this second.
fn deliver(lab: &Lab, name: &str, second: u64, ids: &[&str]) {
    let lines: String = ids.iter().map(|id| format!("{id},a,1,\n")).collect();
    land_at(lab, name, format!("id,name,amount,day\n{lines}"), second);
}

#[test]
fn parts_of_a_snapshot_may_come_in_several_runs() {
    let (lab, steps) = replaced();
    deliver(&lab, "day/part-0.csv", 1, &["0", "x"]);
    let _ = steps.run().expect("the first part is new");
    deliver(&lab, "day/part-1.csv", 2, &["1"]);
    let plan = steps.validate().unwrap();
    let again: Vec<bool> = plan.objects.iter().map(|planned| planned.again).collect();
    assert_eq!(again, [true, false], "the first part is read again");
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1"]);
    deliver(&lab, "day/part-2.csv", 3, &["2", "y"]);
    let changeset = steps.run().expect("the third part is new");
    let silver: TableRef = SILVER.parse().unwrap();
    let change = changeset.tables.iter().find(|change| change.table == silver).unwrap();
    assert_eq!((change.rows.source, change.rows.quarantined, change.table_rows), (5, 2, 3));
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2"]);
    assert_eq!(rows(&lab, BRONZE, &["id"]), ["0", "1", "2", "x", "y"], "bronze has each row once");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["2", "2"], "and so has quarantine");
    assert_eq!(rows(&lab, GOLD, &["orders"]), ["3"]);
    assert!(steps.run().is_none(), "nothing is left");
}

/// The first part was passed by when another snapshot was newer, so neither silver nor quarantine had its rows.
#[test]
fn a_part_that_was_passed_by_comes_back_with_a_newer_part() {
    let (lab, steps) = replaced();
    deliver(&lab, "day/part-0.csv", 4, &["0", "x"]);
    deliver(&lab, "z.csv", 5, &["9"]);
    let _ = steps.run().expect("both are new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["9"]);
    deliver(&lab, "day/part-1.csv", 6, &["1"]);
    let _ = steps.run().expect("the second part is new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1"]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["2"]);
    assert!(steps.run().is_none(), "nothing is left");
}

/// Spark, for one, gives the parts of a folder that it writes again other names.
#[test]
fn a_folder_that_is_written_again_loses_its_earlier_parts() {
    let (lab, steps) = replaced();
    deliver(&lab, "daily/part-0-a.csv", 1, &["0"]);
    deliver(&lab, "daily/part-1-a.csv", 1, &["1"]);
    let _ = steps.run().expect("the parts are new");
    for name in ["daily/part-0-a.csv", "daily/part-1-a.csv"] {
        std::fs::remove_file(lab.landing().join(name)).unwrap();
    }
    deliver(&lab, "daily/part-0-b.csv", 2, &["2"]);
    let _ = steps.run().expect("a part of the new delivery");
    deliver(&lab, "daily/part-1-b.csv", 2, &["3"]);
    let _ = steps.run().expect("its other part");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["2", "3"]);
    deliver(&lab, "daily/part-1-b.csv", 3, &["4"]);
    let _ = steps.run().expect("a corrected part");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["2", "4"]);
}

/// A lab that shows one day, and of whose next day one part is good and the other held.
fn half_a_day() -> (Lab, Steps) {
    let (lab, steps) = replaced();
    deliver(&lab, "day1/part-0.csv", 1, &["0"]);
    let _ = steps.run().expect("the first day is new");
    deliver(&lab, "day2/part-0.csv", 2, &["1", "x"]);
    land_at(&lab, "day2/part-1.csv", "id,name,amount,day\n2,\"open,1,\n", 3);
    let refused = steps.validate().and_then(|plan| steps.process(&plan.run)).expect_err("a quote is never closed");
    assert_says(&StepError::from(refused).message, &["/day2/part-1.csv'", "never closed"], "the second day");
    (lab, steps)
}

#[test]
fn a_folder_with_a_held_part_waits_as_a_whole() {
    let (lab, steps) = half_a_day();
    let plan = steps.validate().unwrap();
    let named: Vec<String> = plan.passed_by.named.iter().map(|by| format!("{} {}", by.uri, by.reason)).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert_says(&named[0], &["/day2/ ", SILVER, "/day2/part-1.csv'"], "the folder is passed by");
    let changeset = steps.finish(&plan.run);
    let changed: Vec<Layer> = changeset.tables.iter().map(|change| change.table.layer()).collect();
    assert_eq!(changed, [Layer::Bronze], "bronze takes the good part, and nothing else changes");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0"]);
    assert_eq!(rows(&lab, BRONZE, &["id"]), ["0", "1", "x"]);
    assert!(steps.run().is_none(), "nothing else is to be done");
    deliver(&lab, "day2/part-1.csv", 4, &["2"]);
    let _ = steps.run().expect("the second part is replaced");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["2"]);
    assert_eq!(rows(&lab, GOLD, &["orders"]), ["2"]);
    assert!(steps.run().is_none(), "nothing is left");
}

#[test]
fn a_folder_with_a_part_that_keeps_changing_waits_as_a_whole() {
    let (lab, steps) = replaced();
    deliver(&lab, "day1/part-0.csv", 1, &["0"]);
    let _ = steps.run().expect("the first day is new");
    deliver(&lab, "day2/part-0.csv", 2, &["1"]);
    deliver(&lab, "day2/part-1.csv", 3, &["2"]);
    let mut plan = steps.validate().unwrap();
    for (second, id) in [(4, "3"), (5, "4")] {
        deliver(&lab, "day2/part-1.csv", second, &[id]);
        let changed = steps.process(&plan.run).expect_err("the second part is another one");
        assert_eq!(StepError::from(changed).name, ErrorName::SourceChanged);
        plan = steps.replan(&plan.run).unwrap();
    }
    let named: Vec<String> = plan.passed_by.named.iter().map(|by| format!("{} {}", by.uri, by.reason)).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert_says(&named[0], &["/day2/ ", SILVER, "/day2/part-1.csv'"], "the folder is passed by");
    assert_says(&named[1], &["/day2/part-1.csv ", "still being written"], "its second part is passed by");
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0"]);
    assert_eq!(rows(&lab, BRONZE, &["id"]), ["0", "1"], "bronze takes the other part");
    let _ = steps.run().expect("the second part is complete");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "4"]);
    assert!(steps.run().is_none(), "nothing is left");
}

#[test]
fn a_folder_whose_held_part_is_removed_is_whole() {
    let (lab, steps) = half_a_day();
    std::fs::remove_file(lab.landing().join("day2/part-1.csv")).unwrap();
    let _ = steps.run().expect("the second day is whole without it");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
    assert!(steps.run().is_none(), "nothing is left");
}

#[test]
fn a_newer_folder_does_not_wait_for_one_with_a_held_part() {
    let (lab, steps) = half_a_day();
    deliver(&lab, "day3/part-0.csv", 5, &["3"]);
    let _ = steps.run().expect("the third day is new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["3"]);
    std::fs::remove_file(lab.landing().join("day2/part-1.csv")).unwrap();
    while steps.run().is_some() {
        assert_eq!(rows(&lab, SILVER, &["id"]), ["3"], "the second day is older");
    }
}

#[test]
fn folders_below_a_folder_are_snapshots_of_their_own() {
    let (lab, steps) = replaced();
    deliver(&lab, "daily/2026-01-05/part-0.csv", 1, &["0"]);
    deliver(&lab, "daily/2026-01-06/part-0.csv", 2, &["1"]);
    let _ = steps.run().expect("both are new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
}

#[test]
fn files_of_one_folder_may_each_be_a_snapshot() {
    let (lab, steps) = replaced_by("\n    snapshot: object");
    deliver(&lab, "daily/2026-01-05.csv", 1, &["0"]);
    deliver(&lab, "daily/2026-01-06.csv", 2, &["1"]);
    let _ = steps.run().expect("both are new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
    deliver(&lab, "daily/2026-01-07.csv", 3, &["2"]);
    let _ = steps.run().expect("the third is new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["2"]);
}

/// Either answer would be wrong for somebody: the rows of two days together, or one part of a delivery.
#[test]
fn a_folder_of_several_files_needs_a_word_in_the_spec() {
    let (lab, steps) = replaced_by("");
    deliver(&lab, "daily/2026-01-05.csv", 1, &["0"]);
    let _ = steps.run().expect("a folder of one file is clear");
    deliver(&lab, "daily/2026-01-06.csv", 2, &["1"]);
    let refused = StepError::from(steps.validate().expect_err("two files in a folder"));
    assert_eq!(refused.name, ErrorName::InvalidInput, "{refused}");
    assert_says(&refused.message, &[SILVER, "/daily/", "`snapshot: folder`", "`snapshot: object`"], "two files");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0"], "nothing has changed");
}

#[test]
fn a_snapshot_that_only_bronze_has_is_as_new_as_its_delivery() {
    let (lab, steps) = replaced();
    deliver(&lab, "a.csv", 1, &["0"]);
    let _ = steps.run().expect("a.csv is new");
    deliver(&lab, "b.csv", 9, &["1"]);
    steps.die_after_bronze();
    // Only the rows in bronze say when it came.
    std::fs::remove_file(lab.landing().join("b.csv")).unwrap();
    deliver(&lab, "c.csv", 5, &["2"]);
    let _ = steps.run().expect("b.csv waits, and c.csv is new");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
    assert!(steps.run().is_none(), "nothing is left");
}

#[test]
fn a_version_that_only_bronze_has_does_not_replace_the_next_one() {
    let (lab, steps) = replaced();
    deliver(&lab, "full.csv", 1, &["0"]);
    steps.die_after_bronze();
    deliver(&lab, "full.csv", 2, &["1"]);
    while steps.run().is_some() {
        assert_eq!(rows(&lab, SILVER, &["id"]), ["1"]);
    }
    assert_eq!(rows(&lab, BRONZE, &["id"]), ["0", "1"]);
}

#[test]
fn an_older_snapshot_does_not_fill_a_table_that_the_newest_left_empty() {
    let (lab, steps) = replaced();
    deliver(&lab, "a.csv", 1, &["0"]);
    let _ = steps.run().expect("a.csv is new");
    deliver(&lab, "e.csv", 5, &[]);
    let _ = steps.run().expect("e.csv is new");
    deliver(&lab, "b.csv", 3, &["1"]);
    let _ = steps.run().expect("b.csv is new");
    assert_eq!(rows(&lab, SILVER, &["id"]), Vec::<String>::new());
    assert!(steps.run().is_none(), "nothing is left");
}

/// An attempt that takes the other parts along is planned again when the table has moved.
#[test]
fn two_runs_that_each_bring_a_part_keep_both() {
    let (lab, steps) = replaced();
    deliver(&lab, "day/part-0.csv", 1, &["0"]);
    let _ = steps.run().expect("the first part is new");
    deliver(&lab, "day/part-1.csv", 2, &["1"]);
    let slow = steps.validate().unwrap();
    let _ = steps.process(&slow.run).unwrap();
    let _ = steps.quality_check(&slow.run).unwrap();
    deliver(&lab, "day/part-2.csv", 3, &["2"]);
    let _ = steps.run().expect("both parts are new to the fast run");
    let _ = steps.publish(&slow.run).expect_err("another run was faster");
    let next = steps.replan(&slow.run).unwrap();
    assert!(next.objects.is_empty(), "{:?}", next.objects);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2"]);
}
