//! Properties of merge and scd2: the tables do not depend on the order of files, the split into runs or repeated delivery.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluice_core::name::TableRef;
use sluice_core::run::RowCounts;
use sluice_tests::lab::Lab;

use super::writes::{MERGE, SCD2, spec};
use crate::small::{BRONZE, QUARANTINE, SILVER, Steps, land_at, orders_with, rows};

/// The same modes, in the order of the files.
pub(super) const MERGE_BY_FILE: &str = "mode: merge\n    keys: [id]";
pub(super) const SCD2_BY_FILE: &str = "mode: scd2\n    keys: [id]";
/// A history of one column: the others change without a version.
const SCD2_TRACKED: &str = "mode: scd2\n    keys: [id]\n    latest_by: day\n    track: [amount]";

/// The second at which each file was modified last; of two with the same, the name decides.
const MODIFIED: [u64; 5] = [3, 1, 4, 1, 3];

/// A record: id (`None` cannot be read), day of January (`None` is null) and amount.
type Record = (Option<u8>, Option<u8>, u8);

fn records() -> impl Strategy<Value = Vec<Record>> {
    let id = prop_oneof![9 => (0..4_u8).prop_map(Some), 1 => Just(None)];
    let day = prop_oneof![5 => (1..5_u8).prop_map(Some), 1 => Just(None)];
    // Few amounts, so that many events change nothing.
    prop::collection::vec((id, day, 0..3_u8), 0..6)
}

/// Files by number, and two ways to deliver them: the files that arrive for each run, some of them repeatedly.
fn deliveries() -> impl Strategy<Value = (Vec<Vec<Record>>, [Vec<Vec<usize>>; 2])> {
    prop::collection::vec(records(), 1..6).prop_flat_map(|files| {
        let count = files.len();
        let way = || {
            let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
            (order, prop::collection::vec(1..4_usize, count), prop::collection::vec(0..count, 0..3))
        };
        (Just(files), way(), way()).prop_map(|(files, one, other)| (files, [split(one), split(other)]))
    })
}

/// Splits an order of files into runs, and delivers some files again in the last run.
fn split((order, sizes, again): (Vec<usize>, Vec<usize>, Vec<usize>)) -> Vec<Vec<usize>> {
    let (mut runs, mut rest) = (Vec::new(), order.as_slice());
    for size in sizes {
        let (run, after) = rest.split_at(size.min(rest.len()));
        runs.push(run.to_vec());
        rest = after;
    }
    runs.retain(|run| !run.is_empty());
    runs.push(again);
    runs
}

fn text(records: &[Record], tracked: bool) -> String {
    let mut file = "id,name,amount,day\n".to_owned();
    for (row, (id, day, amount)) in records.iter().enumerate() {
        let id = id.map_or("?".to_owned(), |id| id.to_string());
        let day = day.map_or(String::new(), |day| format!("2026-01-0{day}"));
        let name = if tracked { format!("row {}", row + 1) } else { "same".to_owned() };
        file.push_str(&format!("{id},{name},{amount},{day}\n"));
    }
    file
}

/// Delivers the files and returns the lab with the sum of what the runs did to silver.
fn deliver(mode: &str, files: &[Vec<Record>], runs: &[Vec<usize>]) -> (Lab, RowCounts) {
    let lab = orders_with(&spec(mode));
    let steps = Steps::new(&lab);
    let silver: TableRef = SILVER.parse().unwrap();
    let mut sum = RowCounts::default();
    for run in runs {
        for file in run {
            land_at(&lab, format!("{file}.csv"), text(&files[*file], mode == SCD2_TRACKED), MODIFIED[*file]);
        }
        let Some(changeset) = steps.run() else { continue };
        for change in changeset.tables.iter().filter(|change| change.table == silver) {
            let RowCounts { source, replaced, staged, quarantined, collapsed, deleted, recalled, .. } = change.rows;
            let places = staged + quarantined + collapsed + deleted;
            assert_eq!(source + replaced + recalled, places, "every row is in exactly one place");
            sum.recalled += recalled;
            sum.source += source;
            sum.replaced += replaced;
            sum.staged += staged;
            sum.quarantined += quarantined;
            sum.collapsed += collapsed;
            sum.deleted += deleted;
        }
    }
    assert!(steps.run().is_none(), "nothing is left to do");
    (lab, sum)
}

/// Good records as (id, day, file with its time, row, amount).
type Good = (u8, Option<u8>, (u64, usize), usize, u8);

fn good(files: &[Vec<Record>]) -> Vec<Good> {
    let of_file = |(file, records): (usize, &Vec<Record>)| {
        let numbered = records.clone().into_iter().enumerate();
        numbered
            .filter_map(move |(row, (id, day, amount))| Some((id?, day, (MODIFIED[file], file), row + 1, amount)))
            .collect::<Vec<_>>()
    };
    files.iter().enumerate().flat_map(of_file).collect()
}

fn day_text(day: Option<u8>) -> String {
    day.map_or("NULL".to_owned(), |day| format!("2026-01-0{day}"))
}

fn model_merge(files: &[Vec<Record>], by_day: bool) -> Vec<String> {
    let mut newest: BTreeMap<u8, Good> = BTreeMap::new();
    let order = |(id, day, file, row, amount): Good| (id, day.filter(|_| by_day), file, row, amount);
    for row in good(files) {
        let kept = newest.entry(row.0).or_insert(row);
        if order(row) > order(*kept) {
            *kept = row;
        }
    }
    newest
        .values()
        .map(|(id, day, (_, file), row, amount)| format!("{id}|{}|{file}|{row}|{amount}.00", day_text(*day)))
        .collect()
}

/// A replay of all events in the order of their time: one that has the values of the event before it is no version. These
/// are the amount, and the day where it is not the time.
fn model_history(files: &[Vec<Record>], by_day: bool) -> Vec<String> {
    let mut events: BTreeMap<(u8, Option<u64>), Good> = BTreeMap::new();
    for row in good(files) {
        let time = if by_day { row.1.map(u64::from) } else { Some(row.2.0) };
        let kept = events.entry((row.0, time)).or_insert(row);
        if (row.2, row.3) > (kept.2, kept.3) {
            *kept = row;
        }
    }
    let mut versions: BTreeMap<(u8, Option<u64>), Good> = BTreeMap::new();
    let mut before: Option<(u8, u8, Option<u8>)> = None;
    for (event, row) in &events {
        let values = Some((row.0, row.4, row.1.filter(|_| !by_day)));
        if before != values {
            versions.insert(*event, *row);
        }
        before = values;
    }
    let instant = |time: Option<u64>| match time {
        None => "NULL".to_owned(),
        Some(day) if by_day => format!("2026-01-0{day}T00:00:00Z"),
        Some(second) => format!("2026-01-05T08:00:0{second}Z"),
    };
    let line = |((id, time), (_, day, (_, file), row, amount)): (&(u8, Option<u64>), &Good)| {
        let next = versions.keys().find(|(other, later)| other == id && later > time);
        let until = next.map_or("NULL".to_owned(), |(_, later)| instant(*later));
        format!("{id}|{}|{file}|{row}|{amount}.00|{}|{until}|{}", day_text(*day), instant(*time), next.is_none())
    };
    let mut lines: Vec<String> = versions.iter().map(line).collect();
    lines.sort_unstable();
    lines
}

/// Rows of silver with the number of their file.
fn found(lab: &Lab, history: bool) -> Vec<String> {
    let columns = ["id", "day", "_source_file", "_source_row", "amount", "_valid_from", "_valid_to", "_is_current"];
    let shown = if history { &columns[..] } else { &columns[..5] };
    let number = |row: &String| {
        let mut cells: Vec<&str> = row.split('|').collect();
        cells[2] = cells[2].rsplit('/').next().unwrap().trim_end_matches(".csv");
        cells.join("|")
    };
    let mut lines: Vec<String> = rows(lab, SILVER, shown).iter().map(number).collect();
    lines.sort_unstable();
    lines
}

fn check(mode: &str, files: &[Vec<Record>], ways: &[Vec<Vec<usize>>; 2]) {
    let history = mode.starts_with("mode: scd2");
    let by_day = mode.contains("latest_by");
    let expected = if history { model_history(files, by_day) } else { model_merge(files, by_day) };
    let records: usize = files.iter().map(Vec::len).sum();
    for runs in ways {
        let (lab, sum) = deliver(mode, files, runs);
        if !lab.tables().contains_key(SILVER) {
            assert_eq!(records, 0);
            continue;
        }
        assert_eq!(found(&lab, history), expected, "{mode}: {runs:?}");
        let refused = lab.rows(QUARANTINE);
        assert_eq!(refused as usize, records - good(files).len(), "each refused record once: {runs:?}");
        assert_eq!(rows(&lab, BRONZE, &["_source_row"]).len(), records, "bronze has each record once: {runs:?}");
        assert_eq!(sum.source as usize, records, "{runs:?}");
        assert_eq!(expected.len() as u64, sum.staged - sum.replaced, "{runs:?}");
        let read = sum.source + sum.recalled;
        assert_eq!(read, expected.len() as u64 + sum.quarantined + sum.collapsed, "{runs:?}");
        assert_eq!(sum.quarantined, refused);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merge_is_the_same_however_files_arrive((files, ways) in deliveries()) {
        check(MERGE, &files, &ways);
    }

    #[test]
    fn scd2_is_the_same_however_files_arrive((files, ways) in deliveries()) {
        check(SCD2, &files, &ways);
    }

    #[test]
    fn scd2_that_tracks_some_columns_is_the_same_however_files_arrive((files, ways) in deliveries()) {
        check(SCD2_TRACKED, &files, &ways);
    }

    #[test]
    fn merge_by_the_time_of_files_is_the_same_however_files_arrive((files, ways) in deliveries()) {
        check(MERGE_BY_FILE, &files, &ways);
    }

    #[test]
    fn scd2_by_the_time_of_files_is_the_same_however_files_arrive((files, ways) in deliveries()) {
        check(SCD2_BY_FILE, &files, &ways);
    }
}
