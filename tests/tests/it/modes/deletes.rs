//! Change feeds: what delete events do to tables of the modes merge and scd2, in whichever order and runs they come.

use sluice_core::error::ErrorName;
use sluice_core::name::{Layer, TableRef};
use sluice_core::run::{Outcome, RowCounts};
use sluice_lake::delta;
use sluice_tests::content::wait;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::laws::MERGE_BY_FILE;
use super::writes::{MERGE, SCD2, spec};
use crate::parts::{self, ONE_EACH};
use crate::small::{self, GOLD, QUARANTINE, SILVER, Steps, assert_says, contract, held_by, land_at, orders_with, rows};

/// The delete events of the table of orders.
const DELETES: &str = "deletes/sales/orders";

/// A feed of orders in this mode, whose column `op` says what kind of event a row is.
pub(super) fn feed(mode: &str) -> String {
    spec(&format!("{mode}\n    delete_when: op = 'D'")).replace("day: day }", "day: day, op: op }")
}

pub(super) fn land_events(lab: &Lab, name: &str, second: u64, events: &str) {
    land_at(lab, name, format!("id,name,amount,day,op\n{events}"), second);
}

/// One run: a file, its second and its events; then where the run's rows went and what silver must hold.
struct Step {
    file: (&'static str, u64, &'static str),
    /// Source, replaced, staged, quarantined, collapsed and deleted rows. What these leave open are recalled ones.
    counts: [u64; 6],
    silver: &'static [&'static str],
}

fn check(mode: &str, columns: &[&str], history: &[Step]) -> Lab {
    let lab = orders_with(&feed(mode));
    let steps = Steps::new(&lab);
    let table: TableRef = SILVER.parse().unwrap();
    for Step { file: (name, second, events), counts, silver } in history {
        let when = format!("{mode}, {name}");
        land_events(&lab, name, *second, events);
        let changeset = steps.run().unwrap_or_else(|| panic!("{when}: nothing is new"));
        let change = changeset.tables.iter().find(|change| change.table == table).unwrap();
        let [source, replaced, staged, quarantined, collapsed, deleted] = *counts;
        let recalled = staged + quarantined + collapsed + deleted - source - replaced;
        let snapshot = None;
        let expected = RowCounts { source, replaced, staged, quarantined, collapsed, deleted, recalled, snapshot };
        assert_eq!(change.rows, expected, "{when}");
        assert_eq!(rows(&lab, SILVER, columns), *silver, "{when}");
        assert_eq!(change.table_rows, silver.len() as u64, "{when}");
        assert!(steps.run().is_none(), "{when}: nothing is left");
    }
    lab
}

#[test]
fn merge_removes_the_key_of_a_delete_event_and_no_older_row_brings_it_back() {
    let lab = check(
        MERGE,
        &["id", "name", "day"],
        &[
            Step {
                file: ("a.csv", 0, "1,one,1,2026-01-01,I\n2,two,1,2026-01-01,\n3,three,1,2026-01-01,I\n"),
                counts: [3, 0, 3, 0, 0, 0],
                silver: &["1|one|2026-01-01", "2|two|2026-01-01", "3|three|2026-01-01"],
            },
            // Of an event, only the key and the time count: no amount, and a bad one. One of a key that nobody has ends
            // nothing.
            Step {
                file: ("b.csv", 1, "1,,,2026-01-03,D\n2,,x,2026-01-02,D\n9,,,2026-01-01,D\n"),
                counts: [3, 3, 1, 0, 2, 3],
                silver: &["3|three|2026-01-01"],
            },
            // A row between the insert and its end comes late; a row after the end is a new one.
            Step {
                file: ("c.csv", 2, "1,late,1,2026-01-02,U\n2,again,1,2026-01-05,I\n"),
                counts: [2, 0, 1, 0, 1, 0],
                silver: &["2|again|2026-01-05", "3|three|2026-01-01"],
            },
            // An event that comes late ends nothing that is newer.
            Step {
                file: ("d.csv", 3, "2,,,2026-01-04,D\n9,nine,1,2025-12-31,I\n"),
                counts: [2, 1, 1, 0, 1, 1],
                silver: &["2|again|2026-01-05", "3|three|2026-01-01"],
            },
        ],
    );
    assert_eq!(rows(&lab, GOLD, &["name"]), ["again", "three"]);
    let stored = rows(&lab, DELETES, &["id", "day"]);
    assert_eq!(stored, ["1|2026-01-03", "2|2026-01-02", "2|2026-01-04", "9|2026-01-01"]);
}

#[test]
fn scd2_ends_the_current_version_and_begins_no_other() {
    let _ = check(
        SCD2,
        &["id", "name", "_valid_from", "_valid_to", "_is_current"],
        &[
            Step {
                file: ("a.csv", 0, "1,one,1,2026-01-01,I\n2,two,1,2026-01-01,I\n"),
                counts: [2, 0, 2, 0, 0, 0],
                silver: &["1|one|2026-01-01T00:00:00Z|NULL|true", "2|two|2026-01-01T00:00:00Z|NULL|true"],
            },
            Step {
                file: ("b.csv", 1, "1,,,2026-01-05,D\n"),
                counts: [1, 2, 2, 0, 0, 1],
                silver: &[
                    "1|one|2026-01-01T00:00:00Z|2026-01-05T00:00:00Z|false",
                    "2|two|2026-01-01T00:00:00Z|NULL|true",
                ],
            },
            // Versions that come late are placed around the event, and one that is newer begins after a gap.
            Step {
                file: ("c.csv", 2, "1,between,1,2026-01-03,U\n1,new,1,2026-01-07,I\n"),
                counts: [2, 2, 4, 0, 0, 0],
                silver: &[
                    "1|between|2026-01-03T00:00:00Z|2026-01-05T00:00:00Z|false",
                    "1|new|2026-01-07T00:00:00Z|NULL|true",
                    "1|one|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "2|two|2026-01-01T00:00:00Z|NULL|true",
                ],
            },
            // An event that ended nothing when it came ends a version that comes after it.
            Step {
                file: ("d.csv", 3, "2,,,2025-12-31,D\n"),
                counts: [1, 4, 4, 0, 0, 1],
                silver: &[
                    "1|between|2026-01-03T00:00:00Z|2026-01-05T00:00:00Z|false",
                    "1|new|2026-01-07T00:00:00Z|NULL|true",
                    "1|one|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "2|two|2026-01-01T00:00:00Z|NULL|true",
                ],
            },
            Step {
                file: ("e.csv", 4, "2,first,1,2025-12-30,I\n"),
                counts: [1, 4, 5, 0, 0, 0],
                silver: &[
                    "1|between|2026-01-03T00:00:00Z|2026-01-05T00:00:00Z|false",
                    "1|new|2026-01-07T00:00:00Z|NULL|true",
                    "1|one|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "2|first|2025-12-30T00:00:00Z|2025-12-31T00:00:00Z|false",
                    "2|two|2026-01-01T00:00:00Z|NULL|true",
                ],
            },
        ],
    );
}

/// A key that was gone and is back is another version, whatever its values, and whenever the event comes.
#[test]
fn scd2_has_two_versions_of_equal_rows_with_a_delete_event_between_them() {
    let _ = check(
        SCD2,
        &["id", "name", "_valid_from", "_valid_to", "_is_current"],
        &[
            Step {
                file: ("a.csv", 0, "1,one,1,2026-01-01,I\n1,one,1,2026-01-05,U\n1,one,1,2026-01-07,U\n"),
                counts: [3, 0, 1, 0, 2, 0],
                silver: &["1|one|2026-01-01T00:00:00Z|NULL|true"],
            },
            // Late, between the version and the first event that it remembers: that one is a version now.
            Step {
                file: ("b.csv", 1, "1,,,2026-01-03,D\n"),
                counts: [1, 1, 2, 0, 0, 1],
                silver: &[
                    "1|one|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "1|one|2026-01-05T00:00:00Z|NULL|true",
                ],
            },
            // Rows on both sides of the event: one is remembered, and one begins the second version.
            Step {
                file: ("c.csv", 2, "1,one,1,2026-01-02,U\n1,one,1,2026-01-04,U\n"),
                counts: [2, 2, 2, 0, 2, 0],
                silver: &[
                    "1|one|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "1|one|2026-01-04T00:00:00Z|NULL|true",
                ],
            },
            // At the time of an event that is remembered, which is gone then.
            Step {
                file: ("d.csv", 3, "1,,,2026-01-05,D\n"),
                counts: [1, 2, 3, 0, 0, 1],
                silver: &[
                    "1|one|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "1|one|2026-01-04T00:00:00Z|2026-01-05T00:00:00Z|false",
                    "1|one|2026-01-07T00:00:00Z|NULL|true",
                ],
            },
            // A row of the time of the first event that is newer than it: the gap is gone.
            Step {
                file: ("e.csv", 4, "1,one,1,2026-01-03,U\n"),
                counts: [1, 3, 2, 0, 2, 0],
                silver: &[
                    "1|one|2026-01-01T00:00:00Z|2026-01-05T00:00:00Z|false",
                    "1|one|2026-01-07T00:00:00Z|NULL|true",
                ],
            },
        ],
    );
}

#[test]
fn without_latest_by_the_time_of_the_file_says_what_a_delete_event_ends() {
    let lab = orders_with(&feed(MERGE_BY_FILE));
    let steps = Steps::new(&lab);
    // A delete event needs no day then. The file that comes last is older than it.
    for (file, second, events) in [
        ("b.csv", 3, "1,one,1,,I\n2,two,1,,I\n"),
        ("c.csv", 5, "1,,,,D\n2,,,,D\n2,again,1,,I\n"),
        ("a.csv", 4, "1,late,1,2027-01-01,U\n"),
    ] {
        land_events(&lab, file, second, events);
        let _ = steps.run().unwrap_or_else(|| panic!("{file} is new"));
    }
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["2|again"]);
    assert_eq!(rows(&lab, DELETES, &["id", "_source_modified_at"]).len(), 2);
    assert!(!lab.tables().contains_key(QUARANTINE), "an event needs its key alone");
}

#[test]
fn a_delete_event_without_its_key_or_time_goes_to_quarantine() {
    for mode in [MERGE, SCD2] {
        let lab = orders_with(&feed(mode));
        let events = "1,one,1,2026-01-01,I\nx,,,2026-01-02,D\n1,,,,D\n1,,,soon,D\n,,,2026-01-02,D\n\
                      2,two,x,2026-01-01,I\n";
        land_events(&lab, "a.csv", 0, events);
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id"]), ["1"], "{mode}");
        let broken = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
        let rules: Vec<String> = broken
            .iter()
            .map(|row| {
                let (row, rules) = row.split_once('|').unwrap();
                let rules: Vec<serde_json::Value> = serde_json::from_str(rules).unwrap();
                let names: Vec<&str> = rules.iter().filter_map(|rule| rule["rule"].as_str()).collect();
                format!("{row} {}", names.join(" "))
            })
            .collect();
        let expected = ["2 id.readable", "3 day.required", "4 day.readable", "5 id.required", "6 amount.readable"];
        assert_eq!(rules, expected, "{mode}");
        assert!(!lab.tables().contains_key(DELETES), "{mode}: no event is left");
    }
}

/// The condition reads what the SQL reads, and columns of the SQL that fail for the row of an event do not matter.
#[test]
fn a_file_without_the_column_of_the_condition_is_held() {
    let lab = orders_with(&feed(MERGE));
    land_events(&lab, "a.csv", 0, "1,one,1,2026-01-01,I\n");
    land_at(&lab, "b.csv", "id,name,amount,day,Op\n1,one,1,2026-01-02,D\n", 1);
    let run = lab.run().expect(Outcome::Published);
    let held = held_by(&run);
    assert_says(&held, &["b.csv", "`op`"], "the column has another name");
    assert_eq!(rows(&lab, SILVER, &["id", "day"]), ["1|2026-01-01"]);
}

#[test]
fn a_condition_on_helpers_decides_before_the_other_columns_are_computed() {
    let sql = "sql: SELECT id, name, CAST(name AS DECIMAL(10,2)) AS amount, day FROM bronze\n    mode: merge";
    let spec = feed(MERGE)
        .replace("amount: amount, ", "")
        .replace("op = 'D'", "UPPER(op) IN ('D', 'DELETE')")
        .replace("mode: merge", sql);
    let lab = orders_with(&spec);
    land_events(&lab, "a.csv", 0, "1,1.5,,2026-01-01,i\n2,2.5,,2026-01-01,i\n3,three,,2026-01-01,i\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
    land_events(&lab, "b.csv", 1, "1,one,,2026-01-02,delete\n2,,,2026-01-02,d\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), Vec::<String>::new());
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["3"], "of the rows that are no events");
    assert_eq!(rows(&lab, DELETES, &["id"]), ["1", "2"]);
}

/// The example of the documentation.
#[test]
fn envelopes_of_debezium_are_merged_by_the_key_before_or_after_the_event() {
    let spec = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: ndjson }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns:
      id_before: { from: $.before.id, type: integer }
      id_after: { from: $.after.id, type: integer }
      name: $.after.name
      changed_at: { from: ts_ms, formats: [epoch_milliseconds] }
      op: op
    sql: SELECT COALESCE(id_after, id_before) AS id, name, changed_at FROM bronze
    mode: merge
    keys: [id]
    latest_by: changed_at
    delete_when: op = 'd'
";
    let columns = [
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        "name: name, logicalType: string, required: true",
        "name: changed_at, logicalType: timestamp, required: true",
    ];
    let lab = small::lab(spec, &[("orders", contract("orders", &columns, &[]))]);
    let snapshot = "{\"before\":null,\"after\":{\"id\":1,\"name\":\"one\"},\"op\":\"r\",\"ts_ms\":1767600000000}\n\
                    {\"before\":null,\"after\":{\"id\":2,\"name\":\"two\"},\"op\":\"r\",\"ts_ms\":1767600000000}\n";
    land_at(&lab, "a.json", snapshot, 0);
    let _ = lab.run().expect(Outcome::Published);
    let changes = "{\"before\":{\"id\":2,\"name\":\"two\"},\"after\":null,\"op\":\"d\",\"ts_ms\":1767600002000}\n\
                   {\"before\":{\"id\":1,\"name\":\"one\"},\"after\":{\"id\":1,\"name\":\"uno\"},\"op\":\"u\",\
                   \"ts_ms\":1767600001000}\n";
    land_at(&lab, "b.json", changes, 1);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|uno"]);
    assert_eq!(rows(&lab, DELETES, &["id", "changed_at"]), ["2|2026-01-05T08:00:02Z"]);
    assert!(!lab.tables().contains_key(QUARANTINE), "an event needs no name");
}

#[test]
fn a_run_that_died_after_its_delete_events_loses_and_repeats_nothing() {
    for (mode, in_parts) in [(MERGE, false), (SCD2, false), (MERGE, true), (SCD2, true)] {
        let of = |parts: &str| orders_with(&format!("{}{parts}", feed(mode)));
        let (died, whole) = (of(if in_parts { ONE_EACH } else { "" }), of(""));
        let deliver = |lab: &Lab, steps: &Steps, dies: bool| {
            land_events(lab, "a.csv", 0, "1,one,1,2026-01-01,I\n2,two,1,2026-01-01,I\n5,five,1,2026-01-01,I\n");
            let _ = steps.run();
            // No other row of the run has the key 5: its event alone, which is stored already then, must end it.
            land_events(lab, "b.csv", 1, "1,,,2026-01-03,D\n2,three,1,2026-01-04,U\n5,,,2026-01-03,D\n");
            if dies {
                steps.die_after(&[Layer::Bronze, Layer::Deletes]);
            }
            land_events(lab, "c.csv", 2, "1,late,1,2026-01-02,U\n2,,,2026-01-02,D\n");
            match dies && in_parts {
                true => drop(parts::run(steps, 2)),
                false => drop(steps.run()),
            }
            assert!(steps.run().is_none(), "{mode}: nothing is left");
        };
        deliver(&died, &Steps::new(&died), true);
        deliver(&whole, &Steps::new(&whole), false);
        let columns: &[&str] = match mode {
            SCD2 => &["id", "name", "day", "_valid_to", "_is_current"],
            _ => &["id", "name", "day"],
        };
        let when = format!("{mode}, in parts: {in_parts}");
        assert_eq!(rows(&died, SILVER, columns), rows(&whole, SILVER, columns), "{when}");
        let has_version = rows(&died, SILVER, &["id", "day"]).contains(&"5|2026-01-01".to_owned());
        assert_eq!(has_version, mode == SCD2, "the row of an event that came alone is gone, or is a version");
        if mode == SCD2 {
            let ends = rows(&died, SILVER, &["id", "_valid_to", "_is_current"]);
            assert!(ends.contains(&"5|2026-01-03T00:00:00Z|false".to_owned()), "{ends:?}");
        }
        let has_late = rows(&died, SILVER, &["name"]).contains(&"late".to_owned());
        assert_eq!(has_late, mode == SCD2, "a version before its end, and no row of a key that is gone");
        assert_eq!(rows(&died, DELETES, &["id", "day"]), ["1|2026-01-03", "2|2026-01-02", "5|2026-01-03"], "{when}");
    }
}

#[test]
fn of_two_runs_over_the_same_events_one_stores_them() {
    // Where the other run stands when the second one is planned.
    for layers in [&[Layer::Bronze][..], &[Layer::Bronze, Layer::Deletes]] {
        let lab = orders_with(&feed(MERGE));
        land_events(&lab, "a.csv", 0, "1,one,1,2026-01-01,I\n2,two,1,2026-01-01,I\n");
        let steps = Steps::new(&lab);
        let _ = steps.run();
        land_events(&lab, "b.csv", 1, "1,,,2026-01-03,D\n");
        let plan = steps.validate().unwrap();
        let changeset = steps.process(&plan.run).unwrap();
        let _ = steps.quality_check(&plan.run).unwrap();
        let now = "2026-01-06T00:00:00Z".parse().unwrap();
        let commit = |change: &_| {
            let _ = wait(delta::commit(&steps.lake, &plan.run, change, &[], now)).unwrap();
        };
        let (before, after): (Vec<_>, Vec<_>) =
            changeset.tables.iter().partition(|change| layers.contains(&change.table.layer()));
        before.into_iter().for_each(commit);
        let other = steps.validate().unwrap();
        let _ = steps.process(&other.run).unwrap();
        let _ = steps.quality_check(&other.run).unwrap();
        after.into_iter().for_each(commit);
        let met = steps.publish(&other.run).unwrap_err();
        assert_eq!(met.name(), ErrorName::CommitConflict, "{layers:?}: {met}");
        assert_eq!(rows(&lab, DELETES, &["id", "day"]), ["1|2026-01-03"], "{layers:?}");
        assert_eq!(rows(&lab, SILVER, &["id"]), ["2"], "{layers:?}");
    }
}

#[test]
fn events_that_leave_the_quarantine_end_what_was_older() {
    let lab = orders_with(&feed(MERGE));
    // The time of the event cannot be read until the spec says how.
    land_events(&lab, "a.csv", 0, "1,one,1,2026-01-01,I\n1,,,03.01.2026,D\n2,two,1,2026-01-01,I\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"]);
    lab.edit_pipeline("pipeline.yaml", "day: day,", "day: { from: day, formats: ['%Y-%m-%d', '%d.%m.%Y'] },");
    let _ = Run::of(lab.replay_command(lab.lake())).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["2"]);
    assert_eq!(lab.rows(QUARANTINE), 0);
    land_events(&lab, "b.csv", 1, "1,late,1,2026-01-02,U\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["2"]);
}
