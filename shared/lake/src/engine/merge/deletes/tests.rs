//! However the events of a feed are ordered, split into runs and repeated, the table is that of a replay in order.

use std::collections::BTreeMap;

use polars::prelude::df;
use proptest::prelude::*;
use serde_json::Value;
use sluice_core::columns::{SOURCE_MODIFIED_AT, SOURCE_ROW, UNCHANGED};
use sluice_core::pipeline::Versioned;

use super::super::{STORED_VALID_TO, for_each_recalled, instant, newest, versions};
use super::*;
use crate::engine::spill::{concatenate, key_hash};

/// An event of a feed. Of two of one time, the one that was modified later is newer, and then that of the later row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    key: i64,
    at: i64,
    modified: i64,
    row: i64,
    value: i64,
    is_delete: bool,
}

/// A row of the table: its event, until when a history says that it is valid, and what it remembers.
#[derive(Debug, Clone)]
struct Row {
    event: Event,
    until: Option<i64>,
    unchanged: Option<String>,
}

impl Row {
    fn of(event: &Event) -> Self {
        Self { event: *event, until: None, unchanged: None }
    }
}

/// A row as tests compare it: its event, its end, and the rows of the events that it remembers.
type Shown = (Event, Option<i64>, Vec<i64>);

/// How a table takes its events.
#[derive(Debug, Clone, Copy)]
struct Feed {
    history: bool,
    /// Whether `latest_by` is given; without it the time of the file decides.
    by_at: bool,
    /// Whether a version begins where the value changes, and not with every event.
    tracked: bool,
}

const MERGE: Feed = Feed { history: false, by_at: true, tracked: false };
const SCD2: Feed = Feed { history: true, by_at: true, tracked: false };
const TRACKED: Feed = Feed { history: true, by_at: true, tracked: true };

impl Feed {
    fn by_file(self) -> Self {
        Self { by_at: false, ..self }
    }

    fn by(self) -> Versioned {
        let name = |name: &str| name.parse().expect("name");
        let track = if self.tracked { vec![name("v")] } else { Vec::new() };
        Versioned { keys: vec![name("id")], latest_by: self.by_at.then(|| name("at")), track }
    }

    fn time(self, event: &Event) -> i64 {
        if self.by_at { event.at } else { event.modified }
    }

    /// Candidates, each with whether it is new. Of a delete event, only what decides is stored, and its lineage.
    fn frame(self, candidates: &[(Row, bool)]) -> DataFrame {
        let count = candidates.len();
        let events = || candidates.iter().map(|(row, _)| row.event);
        let frame = df!(
            "id" => events().map(|event| event.key).collect::<Vec<_>>(),
            "at" => events().map(|event| (self.by_at || !event.is_delete).then_some(event.at)).collect::<Vec<_>>(),
            "v" => events().map(|event| (!event.is_delete).then_some(event.value)).collect::<Vec<_>>(),
            SOURCE_MODIFIED_AT => events().map(|event| event.modified).collect::<Vec<_>>(),
            "_source_file" => vec!["feed"; count],
            "_source_etag" => vec!["e"; count],
            "_run_id" => vec!["r"; count],
            "_ingested_at" => vec![0_i64; count],
            SOURCE_ROW => events().map(|event| event.row).collect::<Vec<_>>(),
            IS_DELETE => events().map(|event| event.is_delete).collect::<Vec<_>>(),
            IS_NEW => candidates.iter().map(|(_, is_new)| *is_new).collect::<Vec<_>>(),
            STORED_VALID_TO => candidates.iter().map(|(row, _)| row.until).collect::<Vec<_>>(),
            IS_RECALLED => vec![false; count],
            UNCHANGED => candidates.iter().map(|(row, _)| row.unchanged.as_deref()).collect::<Vec<_>>(),
        );
        let frame = frame.expect("frame").lazy().with_column(key_hash(["id"]));
        let frame = frame.with_column(col(STORED_VALID_TO).cast(instant())).collect().expect("hashes");
        let of_histories = [IS_NEW, STORED_VALID_TO, IS_RECALLED, UNCHANGED];
        if self.history { frame } else { frame.drop_many(of_histories) }
    }
}

fn numbers(rows: &DataFrame, name: &str) -> Vec<Option<i64>> {
    let column = rows.column(name).and_then(|column| column.cast(&DataType::Int64)).expect(name);
    column.i64().expect(name).iter().collect()
}

fn texts(rows: &DataFrame, name: &str) -> Vec<Option<String>> {
    let column = rows.column(name).expect(name);
    column.str().expect(name).iter().map(|text| text.map(str::to_owned)).collect()
}

/// What is stored: rows, and delete events.
#[derive(Debug, Default)]
struct Stored {
    rows: Vec<Row>,
    deletes: Vec<Event>,
}

impl Stored {
    /// A run that dies after its delete events are stored: the next one brings its events again.
    fn die(&mut self, events: &[Event]) {
        self.deletes.extend(events.iter().filter(|event| event.is_delete));
    }

    /// The rows of the table as a run takes them: those of a history with the events that they remember.
    fn taken(&self, feed: Feed) -> Vec<DataFrame> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let stored: Vec<(Row, bool)> = self.rows.iter().map(|row| (row.clone(), false)).collect();
        let stored = feed.frame(&stored);
        if !feed.history {
            return vec![stored];
        }
        let mut taken = Vec::new();
        let take = |rows: DataFrame| {
            taken.push(rows);
            Ok(())
        };
        for_each_recalled(&stored, &feed.by(), take).expect("events");
        taken
    }

    /// A run that brings these events. As in a lake, it reads all rows of the files that it meets, and of the stored
    /// delete events those of its keys.
    fn run(&mut self, events: &[Event], feed: Feed) {
        if events.is_empty() {
            return;
        }
        let mut brought: Vec<(Row, bool)> = events.iter().map(|event| (Row::of(event), true)).collect();
        let met = self.deletes.iter().filter(|delete| events.iter().any(|event| event.key == delete.key));
        brought.extend(met.map(|delete| (Row::of(delete), false)));
        self.deletes.extend(events.iter().filter(|event| event.is_delete));
        let mut candidates = self.taken(feed);
        candidates.push(feed.frame(&brought));
        let candidates = concatenate(candidates).expect("candidates");
        let (found, recalled) = if feed.history {
            let found = versions(candidates, &feed.by()).expect("versions");
            (found.rows, found.recalled)
        } else {
            (newest(candidates, &feed.by()).expect("rows"), 0)
        };
        let accepted = events.iter().filter(|event| !event.is_delete).count();
        let read = (accepted + self.rows.len()) as u64 + recalled;
        assert!(found.height() as u64 <= read, "each row was read or recalled");
        self.rows = rows_of(&found, feed);
    }

    fn shown(&self) -> Vec<Shown> {
        let remembered = |text: &String| -> Vec<i64> {
            let events: Vec<Value> = serde_json::from_str(text).expect("events");
            events.iter().map(|event| event["row"].as_i64().expect("a row")).collect()
        };
        let shown = |row: &Row| {
            let unchanged = row.unchanged.as_ref().map(remembered);
            (row.event, row.until, unchanged.unwrap_or_default())
        };
        let mut rows: Vec<Shown> = self.rows.iter().map(shown).collect();
        rows.sort_unstable();
        rows
    }
}

/// The rows of a table.
fn rows_of(found: &DataFrame, feed: Feed) -> Vec<Row> {
    let columns = ["id", "at", SOURCE_MODIFIED_AT, SOURCE_ROW, "v"].map(|name| numbers(found, name));
    let ends = if feed.history { numbers(found, "_valid_to") } else { vec![None; found.height()] };
    let unchanged = if feed.history { texts(found, UNCHANGED) } else { vec![None; found.height()] };
    let row = |(place, (until, unchanged)): (usize, (Option<i64>, Option<String>))| {
        let number = |column: usize| columns[column][place].expect("a number");
        let [key, at, modified, row, value] = [0, 1, 2, 3, 4].map(number);
        Row { event: Event { key, at, modified, row, value, is_delete: false }, until, unchanged }
    };
    ends.into_iter().zip(unchanged).enumerate().map(row).collect()
}

/// The rows that a table has after a replay of these events in the order of their time.
fn model(events: &[Event], feed: Feed) -> Vec<Shown> {
    let mut winners: BTreeMap<(i64, i64), Event> = BTreeMap::new();
    for event in events {
        let kept = winners.entry((event.key, feed.time(event))).or_insert(*event);
        if (event.modified, event.row) > (kept.modified, kept.row) {
            *kept = *event;
        }
    }
    if !feed.history {
        let newest: BTreeMap<i64, Event> = winners.into_values().map(|event| (event.key, event)).collect();
        let live = newest.into_values().filter(|event| !event.is_delete);
        return live.map(|event| (event, None, Vec::new())).collect();
    }
    let mut rows: Vec<Shown> = Vec::new();
    let mut before: Option<Event> = None;
    for event in winners.into_values() {
        // The event before, where it is of this key and no delete event: the last row is of its version.
        let open = before.filter(|before| before.key == event.key && !before.is_delete);
        let repeats = feed.tracked && !event.is_delete && open.is_some_and(|open| open.value == event.value);
        match rows.last_mut() {
            Some((_, _, remembered)) if repeats => remembered.push(event.row),
            Some((_, until, _)) if open.is_some() => *until = Some(feed.time(&event)),
            _ => {}
        }
        if !repeats && !event.is_delete {
            rows.push((event, None, Vec::new()));
        }
        before = Some(event);
    }
    rows.sort_unstable();
    rows
}

/// Events, and a way to deliver them: in any order, some of them repeatedly, split into runs.
fn deliveries() -> impl Strategy<Value = (Vec<Event>, Vec<Vec<Event>>)> {
    let event = (0..3_i64, 0..5_i64, 0..4_i64, 0..2_i64, prop::bool::weighted(0.3));
    prop::collection::vec(event, 1..14).prop_flat_map(|drawn| {
        let numbered = drawn.into_iter().zip(1..);
        let event = |((key, at, modified, value, is_delete), row)| Event { key, at, modified, row, value, is_delete };
        let events: Vec<Event> = numbered.map(event).collect();
        let repeated = prop::collection::vec(prop::sample::select(events.clone()), 0..4);
        let delivered = repeated.prop_flat_map({
            let events = events.clone();
            move |repeated| Just([events.clone(), repeated].concat()).prop_shuffle()
        });
        let runs = (delivered, prop::collection::vec(1..5_usize, 1..8)).prop_map(|(delivered, sizes)| {
            let (mut runs, mut rest) = (Vec::new(), delivered.as_slice());
            for size in sizes {
                let (run, after) = rest.split_at(size.min(rest.len()));
                runs.push(run.to_vec());
                rest = after;
            }
            runs.push(rest.to_vec());
            runs
        });
        (Just(events), runs)
    })
}

fn check(events: &[Event], runs: &[Vec<Event>], feed: Feed) {
    // Where it is not the time, `at` is not tracked: a row that was remembered has that of its version.
    let without_at = |event: &Event| if feed.by_at { *event } else { Event { at: 0, ..*event } };
    let events: Vec<Event> = events.iter().map(without_at).collect();
    let mut in_order = Stored::default();
    let mut sorted = events.clone();
    sorted.sort_unstable_by_key(|event| (feed.time(event), event.modified, event.row));
    for event in sorted {
        in_order.run(&[event], feed);
    }
    let mut expected = model(&events, feed);
    expected.sort_unstable();
    assert_eq!(in_order.shown(), expected, "{feed:?}: in order");
    let (mut delivered, mut died) = (Stored::default(), Stored::default());
    for run in runs {
        let run: Vec<Event> = run.iter().map(without_at).collect();
        delivered.run(&run, feed);
        died.die(&run);
        died.run(&run, feed);
    }
    assert_eq!(delivered.shown(), expected, "{feed:?}: as delivered");
    assert_eq!(died.shown(), expected, "{feed:?}: as delivered by runs that died and came again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merge_converges_however_the_events_of_a_feed_arrive((events, runs) in deliveries()) {
        for feed in [MERGE, MERGE.by_file()] {
            check(&events, &runs, feed);
        }
    }

    #[test]
    fn scd2_converges_however_the_events_of_a_feed_arrive((events, runs) in deliveries()) {
        for feed in [SCD2, SCD2.by_file()] {
            check(&events, &runs, feed);
        }
    }

    #[test]
    fn scd2_that_compares_values_converges_however_the_events_of_a_feed_arrive((events, runs) in deliveries()) {
        for feed in [TRACKED, TRACKED.by_file()] {
            check(&events, &runs, feed);
        }
    }
}

/// An event of one key: its time, and its value or `None` for a delete event. What comes later is newer.
type Of = (i64, Option<i64>);

/// A version: value, begin, end, and how many events it remembers.
type Version = (i64, i64, Option<i64>, usize);

#[test]
fn two_equal_rows_with_a_delete_event_between_them_are_two_versions() {
    let check = |runs: &[&[Of]], expected: &[Version]| {
        for feed in [TRACKED, TRACKED.by_file()] {
            let mut stored = Stored::default();
            let mut row = 0;
            for run in runs {
                let event = |(at, value): &Of| {
                    row += 1;
                    // By file, the time is that of the file, so that what is newer of one time is the later row.
                    let modified = if feed.by_at { row } else { *at };
                    let (value, is_delete) = (value.unwrap_or_default(), value.is_none());
                    Event { key: 1, at: *at, modified, row, value, is_delete }
                };
                let events: Vec<Event> = run.iter().map(event).collect();
                stored.run(&events, feed);
            }
            let version = |(event, until, remembered): Shown| (event.value, feed.time(&event), until, remembered.len());
            let found: Vec<Version> = stored.shown().into_iter().map(version).collect();
            assert_eq!(found, expected, "{feed:?}: {runs:?}");
        }
    };
    let (a, end) = (Some(7), None);
    let two: &[Version] = &[(7, 1, Some(3), 0), (7, 5, None, 0)];
    check(&[&[(1, a), (3, end), (5, a)]], two);
    check(&[&[(1, a)], &[(3, end)], &[(5, a)]], two);
    check(&[&[(5, a)], &[(3, end)], &[(1, a)]], two);
    check(&[&[(1, a), (3, end), (4, end), (5, a)]], two);
    // It comes late, between a version and the event that this remembers.
    check(&[&[(1, a), (5, a)], &[(3, end)]], two);
    check(&[&[(1, a), (5, a), (6, a)], &[(3, end)]], &[(7, 1, Some(3), 0), (7, 5, None, 1)]);
    check(&[&[(1, a), (2, a), (5, a), (6, a)], &[(3, end)]], &[(7, 1, Some(3), 1), (7, 5, None, 1)]);
    // What comes late between them is no second version, on either side.
    check(&[&[(1, a), (3, end), (6, a)], &[(2, a), (5, a)]], &[(7, 1, Some(3), 1), (7, 5, None, 1)]);
    // Before the first, after the last, and at the time of an event, which is gone then.
    check(&[&[(1, a), (5, a)], &[(0, end)]], &[(7, 1, None, 1)]);
    check(&[&[(1, a), (5, a)], &[(7, end)]], &[(7, 1, Some(7), 1)]);
    check(&[&[(1, a), (5, a), (6, a)], &[(5, end)]], &[(7, 1, Some(5), 0), (7, 6, None, 0)]);
    check(&[&[(1, a), (5, a)], &[(1, end)]], &[(7, 5, None, 0)]);
    // A row of its time that is newer takes the gap away.
    check(&[&[(1, a), (3, end), (5, a)], &[(3, a)]], &[(7, 1, None, 2)]);
}
