//! Full snapshots that are compared with the table: mode snapshot, and histories of snapshots.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sluice_core::name::TableRef;
use sluice_core::run::{ChangeKind, Changeset, SnapshotRows, TableChange};
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::writes::spec;
use crate::small::{GOLD, SILVER, Steps, assert_says, land_at, orders_with, rows};

const SNAPSHOT: &str = "mode: snapshot\n    keys: [id]";
const HISTORY: &str = "mode: scd2\n    keys: [id]\n    snapshot: object";

/// The pipeline of orders without a limit of missing keys.
fn lab(mode: &str) -> (Lab, Steps) {
    let spec = spec(mode).replace("percent_below: none", "percent_below: none, deleted_percent_below: none");
    let lab = orders_with(&spec);
    let steps = Steps::new(&lab);
    (lab, steps)
}

fn deliver(lab: &Lab, name: &str, second: u64, records: &str) {
    land_at(lab, name, format!("id,name,amount,day\n{records}"), second);
}

fn change<'a>(changeset: &'a Changeset, table: &str) -> Option<&'a TableChange> {
    let table: TableRef = table.parse().unwrap();
    changeset.tables.iter().find(|change| change.table == table)
}

/// Keys that are added, changed, removed and unchanged.
fn counts(changeset: &Changeset) -> [u64; 4] {
    let rows = change(changeset, SILVER).unwrap().rows;
    let read = rows.source + rows.replaced;
    assert_eq!(read, rows.staged + rows.quarantined + rows.collapsed, "every row is in exactly one place");
    let SnapshotRows { added, changed, removed, unchanged, .. } = rows.snapshot.unwrap();
    [added, changed, removed, unchanged]
}

#[test]
fn a_snapshot_adds_changes_and_removes_rows_and_leaves_the_others() {
    let (lab, steps) = lab(SNAPSHOT);
    let columns = ["id", "name", "_source_file"];
    let shown = || {
        let short = |row: String| {
            let (values, file) = row.rsplit_once('|').unwrap();
            format!("{values}|{}", file.rsplit('/').next().unwrap())
        };
        rows(&lab, SILVER, &columns).into_iter().map(short).collect::<Vec<_>>()
    };
    deliver(&lab, "1.csv", 1, "1,a,1,\n2,b,1,\n3,c,1,\n");
    assert_eq!(counts(&steps.run().unwrap()), [3, 0, 0, 0]);
    deliver(&lab, "2.csv", 2, "1,a,1,\n2,B,1,\n4,d,1,\n4,last,1,\nx,bad,1,\n");
    assert_eq!(counts(&steps.run().unwrap()), [1, 1, 1, 1]);
    assert_eq!(shown(), ["1|a|1.csv", "2|B|2.csv", "4|last|2.csv"]);
    deliver(&lab, "3.csv", 3, "1,a,1,\n2,B,1,\n4,d,1,\n5,e,1,\n");
    let changeset = steps.run().unwrap();
    assert_eq!(counts(&changeset), [1, 1, 0, 2]);
    assert_eq!(shown(), ["1|a|1.csv", "2|B|2.csv", "4|d|3.csv", "5|e|3.csv"]);
    // An empty one takes all of them away, if the spec allows it.
    deliver(&lab, "4.csv", 4, "");
    assert_eq!(counts(&steps.run().unwrap()), [0, 0, 4, 0]);
    assert_eq!(shown(), Vec::<String>::new());
    assert!(steps.run().is_none(), "nothing is left");
}

#[test]
fn a_file_whose_rows_all_stay_is_not_written_again() {
    let (lab, steps) = lab(SNAPSHOT);
    deliver(&lab, "1.csv", 1, "1,a,1,\n2,b,1,\n");
    let _ = steps.run().unwrap();
    deliver(&lab, "2.csv", 2, "1,a,1,\n2,b,1,\n3,c,1,\n");
    let changeset = steps.run().unwrap();
    let silver = change(&changeset, SILVER).unwrap();
    assert_eq!((silver.adds.len(), silver.removes.len(), silver.rows.staged, silver.table_rows), (1, 0, 1, 3));
    deliver(&lab, "3.csv", 3, "1,a,1,\n2,b,1,\n3,C,1,\n");
    let changeset = steps.run().unwrap();
    let silver = change(&changeset, SILVER).unwrap();
    assert_eq!((silver.adds.len(), silver.removes.len(), silver.rows.staged, silver.table_rows), (1, 1, 1, 3));
}

#[test]
fn a_snapshot_that_comes_twice_changes_nothing_and_neither_does_an_older_one() {
    for mode in [SNAPSHOT, HISTORY] {
        let (lab, steps) = lab(mode);
        deliver(&lab, "2.csv", 2, "1,a,1,\n2,b,1,\n");
        let _ = steps.run().unwrap();
        let columns = ["id", "name", "_source_file", "_source_row"];
        let (silver, gold) = (rows(&lab, SILVER, &columns), rows(&lab, GOLD, &["name", "amount"]));
        for (file, second, records) in [("3.csv", 3, "2,b,1,\n1,a,1,\n"), ("1.csv", 1, "7,x,1,\n")] {
            deliver(&lab, file, second, records);
            let changeset = steps.run().unwrap();
            for table in [SILVER, GOLD] {
                let change = change(&changeset, table).unwrap();
                assert_eq!((change.adds.len(), change.removes.len()), (0, 0), "{mode}, {file}: {table}");
            }
            assert_eq!(change(&changeset, GOLD).unwrap().kind, ChangeKind::Rewrite);
            assert_eq!(rows(&lab, SILVER, &columns), silver, "{mode}, {file}");
            assert_eq!(rows(&lab, GOLD, &["name", "amount"]), gold, "{mode}, {file}");
            assert!(steps.run().is_none(), "{mode}, {file}: gold is not stale");
        }
    }
}

#[test]
fn an_edited_query_of_gold_counts_also_where_a_snapshot_changes_nothing() {
    let (lab, steps) = lab(SNAPSHOT);
    deliver(&lab, "1.csv", 1, "1,a,1,\n2,a,2,\n");
    let _ = steps.run().unwrap();
    assert_eq!(rows(&lab, GOLD, &["name", "amount"]), ["a|3.00"]);
    lab.edit_pipeline("pipeline.yaml", "FROM silver.orders", "FROM silver.orders WHERE id > 1");
    deliver(&lab, "2.csv", 2, "1,a,1,\n2,a,2,\n");
    let _ = steps.run().unwrap();
    assert_eq!(rows(&lab, GOLD, &["name", "amount"]), ["a|2.00"]);
}

#[test]
fn a_folder_is_one_snapshot_whose_parts_may_come_late() {
    let (lab, steps) = lab(&format!("{SNAPSHOT}\n    snapshot: folder"));
    deliver(&lab, "day/0.csv", 1, "1,a,1,\n2,b,1,\n");
    let _ = steps.run().unwrap();
    deliver(&lab, "day/1.csv", 2, "3,c,1,\n");
    let changeset = steps.run().unwrap();
    assert_eq!(counts(&changeset), [1, 0, 0, 2], "the first part is read again");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2", "3"]);
    assert!(steps.run().is_none());
}

/// No time is left in which the other was true.
#[test]
fn of_two_snapshots_of_one_second_in_one_run_the_one_of_the_greater_name_counts() {
    for mode in [SNAPSHOT, HISTORY] {
        let (lab, steps) = lab(mode);
        deliver(&lab, "1.csv", 1, "1,a,1,\n2,b,1,\n");
        let _ = steps.run().unwrap();
        deliver(&lab, "2.csv", 2, "1,a,1,\n");
        deliver(&lab, "3.csv", 2, "1,A,1,\n2,b,1,\n");
        let changeset = steps.run().unwrap();
        assert_eq!(counts(&changeset), [0, 1, 0, 1], "{mode}");
        assert_eq!(change(&changeset, SILVER).unwrap().rows.source, 2, "{mode}: the other is passed by");
        let names: &[&str] = if mode == HISTORY { &["A", "a", "b"] } else { &["A", "b"] };
        assert_eq!(rows(&lab, SILVER, &["name"]), names, "{mode}");
        assert!(steps.run().is_none(), "{mode}: nothing is left");
    }
}

#[test]
fn one_spared_key_hides_no_snapshot_of_the_run_that_lacks_more() {
    let many: String = (1..10).map(|id| format!("{id},n,1,\n")).collect();
    let few = "1,n,1,\n2,n,1,\n3,n,1,\n4,n,1,\n";
    let lab = orders_with(&spec(HISTORY));
    deliver(&lab, "1.csv", 1, "0,n,1,\n");
    let _ = lab.run().expect(sluice_core::run::Outcome::Published);
    // The second lacks the only key, which is one; the third lacks five of nine.
    deliver(&lab, "2.csv", 2, &many);
    deliver(&lab, "3.csv", 3, few);
    let run = lab.run();
    assert_eq!(run.code, Some(3), "{run}");
    assert_says(&run.stdout, &["silver/sales/orders: deleted_share", "55.55 %"], "five of nine");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0"]);
}

#[test]
fn half_a_snapshot_is_rejected() {
    let check = |limit: &str, second: &str, rejected: bool| {
        let lab = orders_with(&spec(SNAPSHOT).replace("percent_below: none", &format!("percent_below: none{limit}")));
        deliver(&lab, "1.csv", 1, "1,a,1,\n2,b,1,\n3,c,1,\n4,d,1,\n");
        let _ = lab.run().expect(sluice_core::run::Outcome::Published);
        deliver(&lab, "2.csv", 2, second);
        let run = lab.run();
        assert_eq!(run.code, Some(if rejected { 3 } else { 0 }), "{limit} {second}: {run}");
        if rejected {
            assert_says(&run.stdout, &["silver/sales/orders: deleted_share"], second);
            assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2", "3", "4"]);
        }
    };
    check("", "1,a,1,\n2,b,1,\n3,c,1,\n", false);
    check("", "1,a,1,\n2,b,1,\n5,e,1,\n", true);
    check("", "", true);
    check(", deleted_percent_below: none", "", false);
    check(", deleted_percent_below: 51", "1,a,1,\n2,b,1,\n", false);
    check(", deleted_percent_below: 20", "1,a,1,\n2,b,1,\n3,c,1,\n", true);
}

#[test]
fn spark_is_refused_for_one_run_as_well() {
    let (lab, _) = lab(SNAPSHOT);
    deliver(&lab, "1.csv", 1, "1,a,1,\n");
    let mut command = lab.run_command(lab.lake(), &lab.landing());
    command.args(["--engine", "emr"]);
    let run = Run::of(command).expect_code(1);
    assert_says(&run.stdout, &["engine emr was asked for", "silver/sales/orders"], "emr");
}

/// At which second a snapshot of a law was made, from its number.
fn second(number: usize) -> u64 {
    number as u64 + 1
}

/// The versions of each key in a replay of snapshots in their order: key, value, from and until, by the number of the
/// snapshot.
fn model(snapshots: &[BTreeSet<(u8, u8)>]) -> Vec<String> {
    let instant = |number: usize| format!("2026-01-05T08:00:0{}Z", second(number));
    let mut versions = Vec::new();
    for id in 0..4_u8 {
        let value = |number: usize| snapshots[number].iter().find(|(key, _)| *key == id).map(|(_, value)| *value);
        let mut since: Option<(usize, u8)> = None;
        for number in 0..snapshots.len() {
            match (since, value(number)) {
                (Some((_, before)), Some(now)) if before == now => {}
                (open, now) => {
                    if let Some((from, value)) = open {
                        versions.push(format!("{id}|{value}.00|{}|{}", instant(from), instant(number)));
                    }
                    since = now.map(|now| (number, now));
                }
            }
        }
        if let Some((from, value)) = since {
            versions.push(format!("{id}|{value}.00|{}|NULL", instant(from)));
        }
    }
    versions.sort_unstable();
    versions
}

/// Snapshots without two rows of a key, and the numbers of snapshots after which a run begins.
fn snapshots() -> impl Strategy<Value = (Vec<BTreeSet<(u8, u8)>>, Vec<bool>)> {
    let snapshot = prop::collection::btree_map(0..4_u8, 0..2_u8, 0..4);
    prop::collection::vec((snapshot, any::<bool>()), 1..5).prop_map(|all| {
        let (snapshots, ends): (Vec<BTreeMap<u8, u8>>, Vec<bool>) = all.into_iter().unzip();
        let snapshots: Vec<BTreeSet<(u8, u8)>> =
            snapshots.into_iter().map(|snapshot| snapshot.into_iter().collect()).collect();
        (snapshots, ends)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_are_those_of_a_replay_in_order_however_snapshots_are_split((snapshots, ends) in snapshots()) {
        for mode in [SNAPSHOT, HISTORY] {
            let (lab, steps) = lab(mode);
            for (number, (snapshot, ends)) in snapshots.iter().zip(&ends).enumerate() {
                let records: String = snapshot.iter().map(|(id, value)| format!("{id},n,{value},\n")).collect();
                deliver(&lab, &format!("{number}.csv"), second(number), &records);
                if *ends || number + 1 == snapshots.len() {
                    let changeset = steps.run().expect("a snapshot is new");
                    let _ = counts(&changeset);
                }
            }
            let versions = model(&snapshots);
            if mode == HISTORY {
                let columns = ["id", "amount", "_valid_from", "_valid_to"];
                prop_assert_eq!(rows(&lab, SILVER, &columns), versions);
            } else {
                let current: Vec<String> = versions.iter().filter(|row| row.ends_with("|NULL")).cloned().collect();
                let ids = |row: &String| row.split('|').take(2).collect::<Vec<_>>().join("|");
                let current: Vec<String> = current.iter().map(ids).collect();
                prop_assert_eq!(rows(&lab, SILVER, &["id", "amount"]), current);
            }
        }
    }
}
