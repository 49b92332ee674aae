//! Keys of JSON records, of which any part may have the only one.

use sluice_core::error::ErrorName;
use sluice_tests::content::assert_same;
use sluice_tests::lab::Lab;

use super::{ONE_EACH, part, planned, read_at_once, run};
use crate::small::{BRONZE, ORDERS, SILVER, Steps, assert_says, land_at, orders_with, rows};

fn ndjson() -> String {
    ORDERS.replace("format: csv", "format: ndjson")
}

fn in_parts() -> String {
    format!("{}{ONE_EACH}", ndjson())
}

fn land(lab: &Lab, records: &[&str]) {
    for (number, record) in records.iter().enumerate() {
        land_at(lab, format!("{number}.json"), format!("{record}\n"), 0);
    }
}

#[test]
fn a_mapped_key_may_be_in_one_part_alone() {
    let lab = orders_with(&in_parts());
    land(
        &lab,
        &[r#"{"id": 1, "amount": 2, "more": 1}"#, r#"{"id": 2, "amount": 3, "day": "2026-01-05", "name": "b"}"#],
    );
    let _ = run(&Steps::new(&lab), 2);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "day"]), ["1|NULL|NULL", "2|b|2026-01-05"]);
    assert_same(&read_at_once(&lab, &ndjson()), &lab.content(), "keys");
}

#[test]
fn an_optional_column_may_be_in_the_header_of_one_part_alone() {
    let older = |id: u32| format!("id,amount,day\n{id},1.50,2026-01-05\n");
    let newer = "id,name,amount,day\n9,b,1.50,2026-01-05\n".to_owned();
    for texts in [[older(1), newer.clone()], [newer, older(1)]] {
        let lab = orders_with(&format!("{ORDERS}{ONE_EACH}"));
        for (number, text) in texts.iter().enumerate() {
            land_at(&lab, format!("{number}.csv"), text, 0);
        }
        let steps = Steps::new(&lab);
        let changeset = run(&steps, 2);
        assert_eq!(changeset.missing_keys.len(), 0, "{texts:?}");
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|NULL", "9|b"], "{texts:?}");
        assert_same(&read_at_once(&lab, ORDERS), &lab.content(), "an optional column");
        land_at(&lab, "2.csv", older(2), 0);
        land_at(&lab, "3.csv", older(3), 0);
        let changeset = run(&steps, 2);
        assert!(changeset.missing_keys.iter().eq(["name"]), "{:?}", changeset.missing_keys);
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|NULL", "2|NULL", "3|NULL", "9|b"], "{texts:?}");
    }
}

#[test]
fn a_mapped_key_that_no_part_has_holds_the_objects_of_all_parts() {
    let lab = orders_with(&in_parts());
    land(&lab, &[r#"{"id": 1, "amount": 2, "name": "a"}"#, r#"{"id": 2, "amount": 3, "name": "b", "extra": 1}"#]);
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 2);
    for number in [2, 1] {
        let _ = steps.read_part(&plan.run, part(number)).unwrap();
    }
    let error = steps.process(&plan.run).unwrap_err();
    assert_eq!(error.name(), ErrorName::ObjectsHeld);
    assert_says(&error.to_string(), &["lacks column day", "0.json", "1.json", "2 source objects are held"], "no key");
    assert_eq!(lab.held().len(), 2);
}

/// Each part calls a new column as it meets it, and the table has one name for all: that of the first.
#[test]
fn parts_that_write_a_new_key_in_another_case_share_its_column() {
    let record =
        |id: u32, key: &str| format!(r#"{{"id": {id}, "amount": 2, "name": "a", "day": null, "{key}": "{id}"}}"#);
    let lab = orders_with(&in_parts());
    let texts = [record(1, "Extra"), record(2, "EXTRA"), record(3, "extra"), record(4, "Extra")];
    land(&lab, &texts.each_ref().map(String::as_str));
    let changeset = run(&Steps::new(&lab), 4);
    let again = |number: u32| lab.lake().join(format!("parts/retail/run-0001/1/part-{number}-again.json")).is_file();
    assert_eq!([1, 2, 3, 4].map(again), [false, true, true, false], "what was read again is kept for the next call");
    assert_eq!(rows(&lab, BRONZE, &["id", "Extra"]), ["1|1", "2|2", "3|3", "4|4"]);
    assert_eq!(changeset.tables[0].rows.staged, 4);
    assert_same(&read_at_once(&lab, &ndjson()), &lab.content(), "another case");
}
