//! What append, replace, merge and scd2 do with the rows of consecutive runs.

use sluice_core::name::TableRef;
use sluice_core::run::{Outcome, RowCounts};
use sluice_tests::judges::Judges;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{BRONZE, GOLD, ORDERS, QUARANTINE, SILVER, Steps, land, land_at, orders_with, rows};

/// The columns that the tests compare.
const SHOWN: [&str; 4] = ["id", "name", "amount", "day"];

/// The pipeline of orders in another mode.
pub(crate) fn spec(mode: &str) -> String {
    ORDERS.replace("mode: append", mode)
}

pub(crate) const MERGE: &str = "mode: merge\n    keys: [id]\n    latest_by: day";
pub(crate) const SCD2: &str = "mode: scd2\n    keys: [id]\n    latest_by: day";

/// One run: the files, then what silver must hold and where the run's rows went.
struct Step {
    files: &'static [(&'static str, &'static str)],
    silver: &'static [&'static str],
    counts: [u64; 5],
}

fn step(files: &'static [(&'static str, &'static str)], counts: [u64; 5], silver: &'static [&'static str]) -> Step {
    Step { files, silver, counts }
}

/// Runs the steps; `counts` are source, replaced, staged, quarantined and collapsed rows of silver. All files have one
/// time, so that their names decide what is newer.
fn check(mode: &str, columns: &[&str], history: &[Step]) -> Lab {
    let lab = orders_with(&spec(mode));
    let steps = Steps::new(&lab);
    let silver: TableRef = SILVER.parse().unwrap();
    for (number, Step { files, silver: expected, counts }) in history.iter().enumerate() {
        let when = format!("{mode}, run {}", number + 1);
        for (name, records) in *files {
            land_at(&lab, name, format!("id,name,amount,day\n{records}"), 0);
        }
        let changeset = steps.run().unwrap_or_else(|| panic!("{when}: nothing is new"));
        let change = changeset.tables.iter().find(|change| change.table == silver).unwrap();
        let [source, replaced, staged, quarantined, collapsed] = *counts;
        let rows_of = RowCounts { source, replaced, staged, quarantined, collapsed, ..RowCounts::default() };
        assert_eq!(change.rows, rows_of, "{when}");
        assert_eq!(rows(&lab, SILVER, columns), *expected, "{when}");
        assert_eq!(change.table_rows, expected.len() as u64, "{when}");
        assert!(steps.run().is_none(), "{when}: nothing is left");
    }
    lab
}

#[test]
fn append_keeps_every_row() {
    let lab = check(
        "mode: append",
        &SHOWN,
        &[
            step(&[("a.csv", "1,a,1,2026-01-01\n1,a,1,2026-01-01\n")], [2, 0, 2, 0, 0], &["1|a|1.00|2026-01-01"; 2]),
            step(&[("b.csv", "1,a,1,2026-01-01\nx,a,1,\n")], [2, 0, 1, 1, 0], &["1|a|1.00|2026-01-01"; 3]),
            step(&[("a.csv", "1,a,1,2026-01-01\n")], [1, 0, 1, 0, 0], &["1|a|1.00|2026-01-01"; 4]),
        ],
    );
    assert_eq!(rows(&lab, GOLD, &["name", "amount", "orders"]), ["a|4.00|4"]);
}

#[test]
fn replace_keeps_the_rows_of_the_newest_snapshot() {
    let lab = check(
        "mode: replace",
        &SHOWN,
        &[
            step(&[("a.csv", "1,a,1,\n2,b,1,\n"), ("b.csv", "3,c,1,\n")], [1, 0, 1, 0, 0], &["3|c|1.00|NULL"]),
            step(&[("c.csv", "1,a,2,\nx,x,1,\n")], [2, 0, 1, 1, 0], &["1|a|2.00|NULL"]),
            step(&[("d.csv", "")], [0, 0, 0, 0, 0], &[]),
            step(&[("e.csv", "4,d,1,\n")], [1, 0, 1, 0, 0], &["4|d|1.00|NULL"]),
        ],
    );
    assert_eq!(rows(&lab, BRONZE, &["id"]), ["1", "1", "2", "3", "4", "x"], "bronze keeps everything");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["2"]);
    assert_eq!(rows(&lab, GOLD, &["name", "orders"]), ["d|1"]);
}

/// Whichever runs they are taken in by: a name that sorts later is no newer snapshot, nor is one that is released later.
#[test]
fn the_snapshot_that_was_modified_last_replaces_all_others() {
    let snapshot = |lab: &Lab, name: &str, second: u64, id: u32| {
        land_at(lab, name, format!("id,name,amount,day\n{id},a,1,\n"), second);
    };
    // Name, seconds, run; then the ids that silver has at the end.
    let check = |files: &[(&str, u64, usize)], expected: &[&str]| {
        let lab = orders_with(&spec("mode: replace\n    snapshot: folder"));
        let steps = Steps::new(&lab);
        for run in 0..=1 {
            for (id, (name, second, _)) in files.iter().enumerate().filter(|(_, (.., of))| *of == run) {
                snapshot(&lab, name, *second, u32::try_from(id).unwrap());
            }
            let _ = steps.run();
            assert!(steps.run().is_none(), "{files:?}: nothing is left");
        }
        assert_eq!(rows(&lab, SILVER, &["id"]), expected, "{files:?}");
        assert_eq!(rows(&lab, BRONZE, &["id"]).len(), files.len(), "bronze keeps everything");
    };
    for second_run in [0, 1] {
        check(&[("export_9.csv", 1, 0), ("export_10.csv", 2, second_run)], &["1"]);
        check(&[("export_10.csv", 2, 0), ("export_9.csv", 1, second_run)], &["0"]);
        check(&[("a.csv", 1, 0), ("b.csv", 1, second_run)], &["1"]);
        // A folder is one snapshot, as new as its newest file.
        check(&[("z.csv", 5, 0), ("day/0.csv", 4, second_run), ("day/1.csv", 6, second_run)], &["1", "2"]);
        check(&[("z.csv", 7, 0), ("day/0.csv", 4, second_run), ("day/1.csv", 6, second_run)], &["0"]);
        check(&[("day/0.csv", 4, 0), ("day/1.csv", 6, 0), ("z.csv", 5, second_run)], &["0", "1"]);
    }
}

#[test]
fn merge_keeps_the_newest_row_of_each_key() {
    let lab = check(
        MERGE,
        &SHOWN,
        &[
            step(
                &[("b.csv", "1,first,1,2026-01-02\n2,x,1,2026-01-01\n1,tie,1,2026-01-02\n")],
                [3, 0, 2, 0, 1],
                &["1|tie|1.00|2026-01-02", "2|x|1.00|2026-01-01"],
            ),
            // An older and a newer row by the business column, and a tie in a file that sorts earlier: only the newer one wins.
            step(
                &[("a.csv", "1,late,1,2026-01-01\n2,newer,1,2026-01-05\n1,tie of a,1,2026-01-02\n3,new,1,\n")],
                [4, 2, 3, 0, 3],
                &["1|tie|1.00|2026-01-02", "2|newer|1.00|2026-01-05", "3|new|1.00|NULL"],
            ),
            // A tie in a file that sorts later wins; a row without a time loses to any row with a time.
            step(
                &[("c.csv", "1,tie of c,1,2026-01-02\n2,none,1,\n3,timed,1,1999-01-01\nx,bad,1,\n")],
                [4, 3, 3, 1, 3],
                &["1|tie of c|1.00|2026-01-02", "2|newer|1.00|2026-01-05", "3|timed|1.00|1999-01-01"],
            ),
        ],
    );
    assert_eq!(rows(&lab, GOLD, &["name", "orders"]), ["newer|1", "tie of c|1", "timed|1"]);
}

/// Whichever runs they are taken in by, and whatever their names: of rows with the same `latest_by` the one whose file
/// was modified last stays.
#[test]
fn of_rows_with_the_same_business_time_the_one_delivered_last_stays() {
    // Name, seconds, run; then the number of the file whose row stays.
    let check = |files: &[(&str, u64, usize)], expected: usize| {
        for mode in [MERGE, SCD2] {
            let lab = orders_with(&spec(mode));
            let steps = Steps::new(&lab);
            for run in 0..=1 {
                for (number, (name, second, _)) in files.iter().enumerate().filter(|(_, (.., of))| *of == run) {
                    // The last row of a file is the newest of it.
                    let records = format!("id,name,amount,day\n1,x,1,2026-01-01\n1,file {number},1,2026-01-01\n");
                    land_at(&lab, name, records, *second);
                }
                let _ = steps.run();
                assert!(steps.run().is_none(), "{mode}, {files:?}: nothing is left");
            }
            let found = rows(&lab, SILVER, &["id", "name", "_source_modified_at"]);
            let (_, second, _) = files[expected];
            assert_eq!(found, [format!("1|file {expected}|2026-01-05T08:00:0{second}Z")], "{mode}, {files:?}");
        }
    };
    for second_run in [0, 1] {
        check(&[("export_9.csv", 1, 0), ("export_10.csv", 2, second_run)], 1);
        check(&[("export_10.csv", 2, 0), ("export_9.csv", 1, second_run)], 0);
        check(&[("export_10.csv", 1, 0), ("export_9.csv", 2, second_run)], 1);
        check(&[("export_9.csv", 2, 0), ("export_10.csv", 1, second_run)], 0);
        // Of one time, the name decides.
        check(&[("export_9.csv", 1, 0), ("export_10.csv", 1, second_run)], 0);
    }
}

/// A row that leaves the quarantine is as old as the file it came with.
#[test]
fn a_replayed_row_does_not_win_over_a_newer_delivery() {
    let lab = orders_with(&spec(MERGE));
    land_at(&lab, "export_9.csv", "id,name,amount,day\n1,old,,2026-01-01\n2,freed,,2026-01-01\n", 1);
    let _ = lab.run().expect(Outcome::Published);
    land_at(&lab, "export_10.csv", "id,name,amount,day\n1,new,1,2026-01-01\n", 2);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|new"]);
    let optional = "physicalType: 'DECIMAL(10,2)'";
    lab.edit_pipeline("contracts/orders.yaml", &format!("{optional}, required: true"), optional);
    let _ = Run::of(lab.replay_command(lab.lake())).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|new", "2|freed"]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), Vec::<String>::new());
}

#[test]
fn scd2_keeps_every_version_of_each_key() {
    let columns = ["id", "name", "day", "_valid_from", "_valid_to", "_is_current"];
    let lab = check(
        SCD2,
        &columns,
        &[
            step(
                &[("b.csv", "1,one,1,2026-01-01\n2,two,1,2026-01-01\n1,three,1,2026-01-03\n1,tie,1,2026-01-03\n")],
                [4, 0, 3, 0, 1],
                &[
                    "1|one|2026-01-01|2026-01-01T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "1|tie|2026-01-03|2026-01-03T00:00:00Z|NULL|true",
                    "2|two|2026-01-01|2026-01-01T00:00:00Z|NULL|true",
                ],
            ),
            // A version that arrives late is inserted between its neighbours.
            step(
                &[("a.csv", "1,between,1,2026-01-02\n1,before,1,2025-12-31\n")],
                [2, 3, 5, 0, 0],
                &[
                    "1|before|2025-12-31|2025-12-31T00:00:00Z|2026-01-01T00:00:00Z|false",
                    "1|between|2026-01-02|2026-01-02T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "1|one|2026-01-01|2026-01-01T00:00:00Z|2026-01-02T00:00:00Z|false",
                    "1|tie|2026-01-03|2026-01-03T00:00:00Z|NULL|true",
                    "2|two|2026-01-01|2026-01-01T00:00:00Z|NULL|true",
                ],
            ),
            step(
                &[("c.csv", "2,later,1,2026-01-09\nx,bad,1,2026-01-01\n")],
                [2, 5, 6, 1, 0],
                &[
                    "1|before|2025-12-31|2025-12-31T00:00:00Z|2026-01-01T00:00:00Z|false",
                    "1|between|2026-01-02|2026-01-02T00:00:00Z|2026-01-03T00:00:00Z|false",
                    "1|one|2026-01-01|2026-01-01T00:00:00Z|2026-01-02T00:00:00Z|false",
                    "1|tie|2026-01-03|2026-01-03T00:00:00Z|NULL|true",
                    "2|later|2026-01-09|2026-01-09T00:00:00Z|NULL|true",
                    "2|two|2026-01-01|2026-01-01T00:00:00Z|2026-01-09T00:00:00Z|false",
                ],
            ),
        ],
    );
    let Some(judges) = Judges::or_skip("modes::writes::scd2_keeps_every_version_of_each_key, by two readers") else {
        return;
    };
    assert_eq!(judges.judge_tables(lab.lake()).len(), 4);
}

/// A late event makes a later one a version that it was not, and takes the difference away that made another one.
#[test]
fn scd2_makes_versions_of_changes_alone() {
    let columns = ["id", "name", "_valid_from", "_valid_to", "_source_file"];
    let lab = orders_with(&spec(SCD2));
    let steps = Steps::new(&lab);
    let silver: TableRef = SILVER.parse().unwrap();
    let run = |file: &str, records: &str, counts: [u64; 4], expected: &[&str]| {
        land_at(&lab, file, format!("id,name,amount,day\n{records}"), 0);
        let changeset = steps.run().unwrap_or_else(|| panic!("{file}: nothing is new"));
        let change = changeset.tables.iter().find(|change| change.table == silver).unwrap();
        let RowCounts { replaced, staged, collapsed, recalled, .. } = change.rows;
        assert_eq!([replaced, staged, collapsed, recalled], counts, "{file}");
        let last_step = |row: String| {
            let (values, file) = row.rsplit_once('|').unwrap();
            format!("{values}|{}", file.rsplit('/').next().unwrap())
        };
        let found: Vec<String> = rows(&lab, SILVER, &columns).into_iter().map(last_step).collect();
        assert_eq!(found, expected, "{file}");
    };
    let day = |day: u8| format!("2026-01-0{day}T00:00:00Z");
    let one = format!("1|a|{}|NULL|a.csv", day(1));
    run("a.csv", "1,a,1,2026-01-01\n", [0, 1, 0, 0], &[&one]);
    run("b.csv", "1,a,1,2026-01-05\n1,a,1,2026-01-07\n", [1, 1, 2, 0], &[&one]);
    // It comes between: what b.csv said of day 5 is a version, and that of day 7 is not.
    let (first, other) = (format!("1|a|{}|{}|a.csv", day(1), day(3)), format!("1|b|{}|{}|c.csv", day(3), day(5)));
    let later = format!("1|a|{}|NULL|b.csv", day(5));
    run("c.csv", "1,b,1,2026-01-03\n", [1, 3, 0, 1], &[&first, &later, &other]);
    // The correction of day 3 takes the difference away: one version again, which remembers three events.
    run("d.csv", "1,a,1,2026-01-03\n", [3, 1, 3, 0], &[&one]);
    let last = format!("1|c|{}|NULL|e.csv", day(7));
    let closed = format!("1|a|{}|{}|a.csv", day(1), day(7));
    run("e.csv", "1,c,1,2026-01-07\n", [1, 2, 0, 0], &[&closed, &last]);
}

#[test]
fn without_latest_by_the_time_of_the_file_decides() {
    let lab = orders_with(&spec("mode: merge\n    keys: [id]"));
    let steps = Steps::new(&lab);
    land_at(&lab, "b.csv", "id,name,amount,day\n1,new,1,\n", 5);
    let _ = steps.run().expect("new");
    land_at(&lab, "c.csv", "id,name,amount,day\n1,old,1,2027-01-01\n2,one,1,\n2,two,1,\n", 4);
    let _ = steps.run().expect("new");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|new", "2|two"]);

    let lab = orders_with(&spec("mode: scd2\n    keys: [id]"));
    let steps = Steps::new(&lab);
    for (file, name, second) in [("z.csv", "b", 3), ("a.csv", "a", 1), ("b.csv", "a", 2), ("c.csv", "b", 4)] {
        land_at(&lab, file, format!("id,name,amount,day\n1,{name},1,\n"), second);
        let _ = steps.run().expect("new");
    }
    let history = rows(&lab, SILVER, &["name", "_valid_from", "_valid_to", "_is_current"]);
    let expected = ["a|2026-01-05T08:00:01Z|2026-01-05T08:00:03Z|false", "b|2026-01-05T08:00:03Z|NULL|true"];
    assert_eq!(history, expected);
}

#[test]
fn every_mode_runs_through_the_command() {
    for mode in ["mode: append", "mode: replace", MERGE, SCD2] {
        let lab = orders_with(&spec(mode));
        land(&lab, "a.csv", "id,name,amount,day\n1,a,1,2026-01-01\n1,b,1,2026-01-02\n");
        let _ = lab.run().expect(Outcome::Published);
        let expected: &[&str] = if mode == MERGE { &["1|b"] } else { &["1|a", "1|b"] };
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), expected, "{mode}");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}
