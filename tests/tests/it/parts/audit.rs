//! Row rules that each part counts on the rows that it has staged: the verdict is that of a run that one call reads, and a
//! file that has changed since is found.

use std::fs;
use std::path::{Path, PathBuf};

use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{AuditedRows, Changeset, PartRef, Plan, ReadPart, RunRef, TableChange, TableVerdict};
use sluice_tests::content::wait;
use sluice_tests::lab::Lab;

use super::{ONE_EACH, part, planned, run};
use crate::modes::{MERGE, SCD2, spec};
use crate::small::{self, ORDER_COLUMNS, SILVER, Steps, TOTAL_COLUMNS, assert_says, contract, land_at};

/// A rule that rejects no row.
const NAME_KNOWN: &str = "quality: [{ id: name_known, metric: nullValues, mustBe: 0, severity: warning }]";

/// A lab whose orders may lack a name, which is a warning.
fn lab(mode: &str, partitioned: bool, more: &str) -> Lab {
    let by_name = if partitioned { "partitioned: true, partitionKeyPosition: 1, " } else { "" };
    let name = format!("name: name, logicalType: string, {by_name}{NAME_KNOWN}");
    let mut columns = ORDER_COLUMNS.to_vec();
    columns[1] = &name;
    let orders = contract("orders", &columns, &["id: enough, metric: rowCount, mustBeGreaterThan: 1"]);
    let totals = contract("totals", &TOTAL_COLUMNS, &[]);
    small::lab(&format!("{}{more}", spec(mode)), &[("orders", orders), ("totals", totals)])
}

/// Files of rows, one more in each: every name is one of these, and each file has a row without an id.
fn land(lab: &Lab, names: &[&str]) {
    land_in(lab, "", names);
}

/// The same, in this folder of the landing folder.
fn land_in(lab: &Lab, folder: &str, names: &[&str]) {
    for file in 0..3_usize {
        let line = |row: usize| format!("{}{row},{},1.5,2026-01-05\n", file + 1, names[row % names.len()]);
        let lines: String = (0..file + 2).map(line).collect();
        let text = format!("id,name,amount,day\n{lines}x,a,1,2026-01-05\n");
        land_at(lab, format!("{folder}{file}.csv"), text, file as u64);
    }
}

fn silver(changeset: &Changeset) -> &TableChange {
    changeset.tables.iter().find(|change| change.table.to_string() == SILVER).unwrap()
}

fn verdicts(steps: &Steps, run: &RunRef) -> Vec<TableVerdict> {
    steps.quality_check(run).unwrap().tables
}

/// The parts of a snapshot are in a folder of its own.
fn folder_of(mode: &str) -> &'static str {
    if mode.contains("snapshot: folder") { "day/" } else { "" }
}

/// What the audit finds where one call reads the same files.
fn of_one_call(mode: &str, partitioned: bool, names: &[&str]) -> Vec<TableVerdict> {
    let lab = lab(mode, partitioned, "");
    land_in(&lab, folder_of(mode), names);
    let steps = Steps::new(&lab);
    let changeset = steps.run().expect("something is new");
    assert_eq!(silver(&changeset).audited, None, "{mode}");
    verdicts(&steps, &changeset.run)
}

/// Rows that lack a name, as a verdict has them.
fn without_name(verdicts: &[TableVerdict]) -> &str {
    let of_silver = verdicts.iter().find(|verdict| verdict.table.to_string() == SILVER).unwrap();
    &of_silver.rules.iter().find(|rule| rule.rule == "name_known").unwrap().observed
}

#[test]
fn verdicts_of_a_run_in_parts_are_those_of_one_call() {
    let check = |mode: &str, partitioned: bool, names: &[&str], broken: &str| {
        let what = format!("{mode} {partitioned} {names:?}");
        let lab = lab(mode, partitioned, ONE_EACH);
        land_in(&lab, folder_of(mode), names);
        let steps = Steps::new(&lab);
        let changeset = run(&steps, 3);
        let change = silver(&changeset);
        let merges = [MERGE, SCD2].contains(&mode);
        assert_eq!(change.audited.is_some(), !merges, "{what}");
        let found = verdicts(&steps, &changeset.run);
        assert_eq!(found, of_one_call(mode, partitioned, names), "{what}");
        assert_eq!(without_name(&found), broken, "{what}");
        if let Some(AuditedRows { rows, broken: counted }) = &change.audited {
            assert_eq!(*rows, change.rows.staged, "{what}");
            assert_eq!(counted["name_known"].to_string(), broken, "{what}");
            assert_eq!(counted["id.required"], 0, "{what}");
        }
    };
    let (known, unknown) = (&["a", "b"][..], &["a", ""][..]);
    for partitioned in [false, true] {
        for mode in ["mode: append", MERGE, SCD2] {
            check(mode, partitioned, known, "0");
            check(mode, partitioned, unknown, "4");
        }
        // The last file alone is in the table: the other parts stage no row of it.
        check("mode: replace", partitioned, known, "0");
        check("mode: replace", partitioned, unknown, "2");
        check("mode: replace\n    snapshot: folder", partitioned, unknown, "4");
    }
}

#[test]
fn a_part_without_a_good_row_has_counted_none() {
    let lab = lab("mode: append", false, ONE_EACH);
    land(&lab, &["a"]);
    land_at(&lab, "1.csv", "id,name,amount,day\nx,a,1,2026-01-05\n", 1);
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 3);
    let rows = |number: u32| {
        let read = steps.read_part(&plan.run, part(number)).unwrap();
        let audited = read.tables[0].audited.clone().unwrap();
        (audited.rows, audited.broken["name_known"], read.tables[0].accepted_files.len())
    };
    assert_eq!([rows(1), rows(2), rows(3)], [(2, 0, 1), (0, 0, 0), (4, 0, 1)]);
    assert_eq!(silver(&steps.finish(&plan.run)).audited.as_ref().map(|audited| audited.rows), Some(6));
}

/// A run in parts that is ready to be audited.
fn processed(names: &[&str]) -> (Lab, Steps, Plan, Changeset) {
    let lab = lab("mode: append", false, ONE_EACH);
    land(&lab, names);
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 3);
    let changeset = steps.process(&plan.run).unwrap();
    (lab, steps, plan, changeset)
}

#[test]
fn a_staged_file_that_is_not_what_its_part_has_counted_is_named() {
    let check = |what: &str, spoil: fn(&Path, &Path), says: &[&str]| {
        let (lab, steps, plan, changeset) = processed(&["a", "b"]);
        let files: Vec<&String> = silver(&changeset).adds.iter().map(|file| &file.path).collect();
        let [other, file, _] = files.as_slice() else { panic!("{what}: {files:?}") };
        let place = |path: &str| -> PathBuf { lab.lake().join(SILVER).join(path) };
        let (file, other) = (file.as_str(), other.as_str());
        spoil(&place(file), &place(other));
        let error = steps.quality_check(&plan.run).unwrap_err();
        assert_eq!(error.name(), ErrorName::TableUnreadable, "{what}: {error}");
        let message = StepError::from(error).to_string();
        assert_says(&message, &["table `silver/sales/orders`", file, "run again"], what);
        assert_says(&message, says, what);
    };
    check("removed", |file, _| fs::remove_file(file).unwrap(), &["is gone since its rows were counted"]);
    check(
        "another file in its place",
        |file, other| assert!(fs::copy(other, file).unwrap() > 0),
        &["has 2 rows in ", "and had 3 rows in "],
    );
    let no_parquet = ["is not the one whose rows were counted", "no readable Parquet footer"];
    check("no Parquet", |file, _| fs::write(file, "not parquet").unwrap(), &no_parquet);
    let longer = |file: &Path, _: &Path| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, [&bytes[..4], &[0; 8][..], &bytes[4..]].concat()).unwrap();
    };
    check("as many rows in more bytes", longer, &["has 3 rows in ", "and had 3 rows in "]);
}

#[test]
fn rows_that_were_counted_and_not_staged_are_found() {
    let (_lab, steps, plan, mut changeset) = processed(&["a", "b"]);
    for change in &mut changeset.tables {
        change.audited.iter_mut().for_each(|audited| audited.rows += 1);
    }
    wait(steps.lake.documents().of(&plan.run).replace(&changeset)).unwrap();
    let error = steps.quality_check(&plan.run).unwrap_err();
    assert_eq!(error.name(), ErrorName::TableUnreadable, "{error}");
    let says = ["table `silver/sales/orders`: its 3 staged files have 9 rows, and 10 were counted"];
    assert_says(&error.to_string(), &says, "a row too many");
}

/// An earlier version left the rows to the audit.
#[test]
fn rows_that_a_part_has_not_counted_are_counted_by_the_audit() {
    let expected = of_one_call("mode: append", false, &["a", ""]);
    for uncounted in [&[2][..], &[1, 2, 3]] {
        let lab = lab("mode: append", false, ONE_EACH);
        land(&lab, &["a", ""]);
        let steps = Steps::new(&lab);
        let plan = planned(&steps, 3);
        for number in plan.cuts.numbers() {
            let _ = steps.read_part(&plan.run, number).unwrap();
        }
        for number in uncounted {
            let of = PartRef::first(&plan.run, part(*number));
            let mut read: ReadPart = wait(steps.lake.documents().of(&of).get()).unwrap().unwrap();
            read.tables.iter_mut().for_each(|table| table.audited = None);
            assert!(!serde_json::to_string(&read).unwrap().contains("audited"), "as it was written");
            wait(steps.lake.documents().of(&of).replace(&read)).unwrap();
        }
        let changeset = steps.finish(&plan.run);
        assert_eq!(silver(&changeset).audited, None, "{uncounted:?}");
        assert_eq!(verdicts(&steps, &plan.run), expected, "{uncounted:?}");
    }
}
