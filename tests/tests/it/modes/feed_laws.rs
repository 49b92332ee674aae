//! Change feeds whose events come out of order, split and repeated make the tables of a replay in order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluice_core::name::TableRef;
use sluice_core::run::RowCounts;

use super::deletes::{feed, land_events};
use super::laws::{MERGE_BY_FILE, SCD2_BY_FILE};
use super::writes::{MERGE, SCD2};
use crate::small::{SILVER, Steps, orders_with, rows};

/// An event: id, day of January (`None` is null), amount, and whether it deletes.
type Event = (u8, Option<u8>, u8, bool);

/// The second at which each file was modified last; of two with the same, the name decides.
const MODIFIED: [u64; 5] = [3, 1, 4, 1, 3];

fn events() -> impl Strategy<Value = Vec<Event>> {
    let day = prop_oneof![6 => (1..5_u8).prop_map(Some), 1 => Just(None)];
    // Few amounts, so that many events change nothing.
    prop::collection::vec((0..3_u8, day, 0..2_u8, prop::bool::weighted(0.3)), 0..6)
}

/// Files by number, and a way to deliver them: those that arrive for each run, some of them repeatedly.
fn deliveries() -> impl Strategy<Value = (Vec<Vec<Event>>, Vec<Vec<usize>>)> {
    prop::collection::vec(events(), 1..6).prop_flat_map(|files| {
        let count = files.len();
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        let runs = (order, 1..4_usize, prop::collection::vec(0..count, 0..3)).prop_map(|(order, size, again)| {
            let mut runs: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
            runs.push(again);
            runs
        });
        (Just(files), runs)
    })
}

fn text(events: &[Event]) -> String {
    let line = |(id, day, amount, is_delete): &Event| {
        let day = day.map_or(String::new(), |day| format!("2026-01-0{day}"));
        match is_delete {
            true => format!("{id},,,{day},D\n"),
            false => format!("{id},{amount},{amount},{day},U\n"),
        }
    };
    events.iter().map(line).collect()
}

/// The winning event of each key and time, with its file and row.
type Winners = BTreeMap<(u8, Option<u64>), ((u64, usize, usize), Event)>;

/// The time of an event is its day, or the second of its file.
fn winners(files: &[Vec<Event>], by_day: bool) -> Winners {
    let mut winners = Winners::new();
    for (file, events) in files.iter().enumerate() {
        for (row, event) in events.iter().enumerate() {
            let (id, day, _, is_delete) = *event;
            let time = if by_day { day.map(u64::from) } else { Some(MODIFIED[file]) };
            // A delete event without a time goes to quarantine.
            if is_delete && time.is_none() {
                continue;
            }
            let place = (MODIFIED[file], file, row);
            let kept = winners.entry((id, time)).or_insert((place, *event));
            if place > kept.0 {
                *kept = (place, *event);
            }
        }
    }
    winners
}

/// A replay of all events in the order of their time. A history has a version where an event has other values than the
/// one before it, or comes after a delete event. The values are the amount, and the day where it is not the time.
fn model(files: &[Vec<Event>], mode: &str) -> Vec<String> {
    let (history, by_day) = (mode.contains("scd2"), mode.contains("latest_by"));
    let values = |(_, day, amount, _): Event| (amount, day.filter(|_| !by_day));
    let mut kept: Vec<(Event, Option<u64>)> = Vec::new();
    let mut before: Option<Event> = None;
    for ((id, time), (_, event)) in winners(files, by_day) {
        let is_delete = event.3;
        // The event before, where it is of this key and no delete event: what is kept last is of its version.
        let open = before.filter(|before| before.0 == id && !before.3);
        let repeats = history && !is_delete && open.is_some_and(|open| values(open) == values(event));
        if let Some((_, until)) = kept.last_mut().filter(|_| open.is_some() && !repeats) {
            *until = time;
        }
        if !repeats && !is_delete {
            kept.push((event, None));
        }
        before = Some(event);
    }
    let day_text = |day: Option<u8>| day.map_or("NULL".to_owned(), |day| format!("2026-01-0{day}"));
    let instant = |time: u64| match by_day {
        true => format!("2026-01-0{time}T00:00:00Z"),
        false => format!("2026-01-05T08:00:0{time}Z"),
    };
    let line = |((id, day, amount, _), until): &(Event, Option<u64>)| {
        let row = format!("{id}|{amount}|{}", day_text(*day));
        match history {
            true => format!("{row}|{}|{}", until.map_or("NULL".to_owned(), instant), until.is_none()),
            false => row,
        }
    };
    let mut lines: Vec<String> = kept.iter().filter(|(_, until)| history || until.is_none()).map(line).collect();
    lines.sort_unstable();
    lines
}

fn check_feed(mode: &str, files: &[Vec<Event>], runs: &[Vec<usize>]) {
    let lab = orders_with(&feed(mode));
    let steps = Steps::new(&lab);
    let silver: TableRef = SILVER.parse().unwrap();
    for run in runs {
        for file in run {
            land_events(&lab, &format!("{file}.csv"), MODIFIED[*file], &text(&files[*file]));
        }
        let Some(changeset) = steps.run() else { continue };
        for change in changeset.tables.iter().filter(|change| change.table == silver) {
            let RowCounts { source, replaced, staged, quarantined, collapsed, deleted, recalled, .. } = change.rows;
            let places = staged + quarantined + collapsed + deleted;
            assert_eq!(source + replaced + recalled, places, "every row is in exactly one place");
        }
    }
    assert!(steps.run().is_none(), "nothing is left to do");
    let columns = ["id", "name", "day", "_valid_to", "_is_current"];
    let shown = if mode.contains("scd2") { &columns[..] } else { &columns[..3] };
    let expected = model(files, mode);
    if expected.is_empty() && !lab.tables().contains_key(SILVER) {
        return;
    }
    assert_eq!(rows(&lab, SILVER, shown), expected, "{mode}: {runs:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merge_of_a_feed_is_the_same_however_its_files_arrive((files, runs) in deliveries()) {
        check_feed(MERGE, &files, &runs);
    }

    #[test]
    fn scd2_of_a_feed_is_the_same_however_its_files_arrive((files, runs) in deliveries()) {
        check_feed(SCD2, &files, &runs);
    }

    #[test]
    fn merge_of_a_feed_by_the_time_of_files_is_the_same_however_its_files_arrive((files, runs) in deliveries()) {
        check_feed(MERGE_BY_FILE, &files, &runs);
    }

    #[test]
    fn scd2_of_a_feed_by_the_time_of_files_is_the_same_however_its_files_arrive((files, runs) in deliveries()) {
        check_feed(SCD2_BY_FILE, &files, &runs);
    }
}
