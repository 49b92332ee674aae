//! However the events of a feed are ordered, split into runs and repeated, the table is that of a replay in order.

use std::collections::BTreeMap;

use polars::prelude::df;
use proptest::prelude::*;
use sluice_core::columns::{SOURCE_MODIFIED_AT, SOURCE_ROW};
use sluice_core::pipeline::Versioned;

use super::super::{STORED_VALID_TO, instant, newest, versions};
use super::*;
use crate::engine::spill::key_hash;

/// An event of a feed, in the order of which is newer but for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    key: i64,
    at: i64,
    modified: i64,
    row: i64,
    is_delete: bool,
}

/// A row of the table: its event, and until when a history says that it is valid.
type Row = (Event, Option<i64>);

/// What is stored: rows, and delete events.
#[derive(Debug, Default)]
struct Stored {
    rows: Vec<Row>,
    deletes: Vec<Event>,
}

fn by() -> Versioned {
    Versioned { keys: vec!["id".parse().expect("name")], latest_by: "at".parse().expect("name") }
}

/// Candidates: each with the time until when it is valid as the table has it, and whether it is new.
fn frame(candidates: &[(Row, bool)], history: bool) -> DataFrame {
    let numbers = |of: fn(&Event) -> i64| candidates.iter().map(|((event, _), _)| of(event)).collect::<Vec<i64>>();
    let is_delete: Vec<bool> = candidates.iter().map(|((event, _), _)| event.is_delete).collect();
    let ends: Vec<Option<i64>> = candidates.iter().map(|((_, end), _)| *end).collect();
    let is_new: Vec<bool> = candidates.iter().map(|(_, is_new)| *is_new).collect();
    let frame = df!(
        "id" => numbers(|event| event.key),
        "at" => numbers(|event| event.at),
        SOURCE_MODIFIED_AT => numbers(|event| event.modified),
        "_source_file" => vec!["feed"; candidates.len()],
        "_ingested_at" => vec![0_i64; candidates.len()],
        SOURCE_ROW => numbers(|event| event.row),
        IS_DELETE => is_delete,
        IS_NEW => is_new,
        STORED_VALID_TO => ends,
    );
    let frame = frame.expect("frame").lazy().with_column(key_hash(["id"]));
    let frame = frame.with_column(col(STORED_VALID_TO).cast(instant())).collect().expect("hashes");
    if history { frame } else { frame.drop_many([IS_NEW, STORED_VALID_TO]) }
}

fn numbers(rows: &DataFrame, name: &str) -> Vec<Option<i64>> {
    let column = rows.column(name).and_then(|column| column.cast(&DataType::Int64)).expect(name);
    column.i64().expect(name).iter().collect()
}

impl Stored {
    /// A run that dies after its delete events are stored: the next one brings its events again.
    fn die(&mut self, events: &[Event]) {
        self.deletes.extend(events.iter().filter(|event| event.is_delete));
    }

    /// A run that brings these events. As in a lake, it reads all rows of the files that it meets, and of the stored
    /// delete events those of its keys.
    fn run(&mut self, events: &[Event], history: bool) {
        if events.is_empty() {
            return;
        }
        let mut candidates: Vec<(Row, bool)> = self.rows.iter().map(|row| (*row, false)).collect();
        candidates.extend(events.iter().map(|event| ((*event, None), true)));
        let met = self.deletes.iter().filter(|delete| events.iter().any(|event| event.key == delete.key));
        candidates.extend(met.map(|delete| ((*delete, None), false)));
        self.deletes.extend(events.iter().filter(|event| event.is_delete));
        let candidates = frame(&candidates, history);
        let found = if history { versions(candidates, &by()) } else { newest(candidates, &by()) };
        let found = found.expect("rows");
        let columns = ["id", "at", SOURCE_MODIFIED_AT, SOURCE_ROW].map(|name| numbers(&found, name));
        let ends = if history { numbers(&found, "_valid_to") } else { vec![None; found.height()] };
        let event = |place: usize| {
            let [key, at, modified, row] = [0, 1, 2, 3].map(|column: usize| columns[column][place].expect("a number"));
            Event { key, at, modified, row, is_delete: false }
        };
        self.rows = ends.into_iter().enumerate().map(|(place, end)| (event(place), end)).collect();
        self.rows.sort_unstable();
    }
}

/// The rows that a table has after these events.
fn model(events: &[Event], history: bool) -> Vec<Row> {
    let mut winners: BTreeMap<(i64, i64), Event> = BTreeMap::new();
    for event in events {
        let kept = winners.entry((event.key, event.at)).or_insert(*event);
        *kept = (*kept).max(*event);
    }
    let next = |event: &Event| winners.values().find(|other| other.key == event.key && other.at > event.at);
    let rows = winners.values().filter(|event| !event.is_delete);
    if history {
        return rows.map(|event| (*event, next(event).map(|other| other.at))).collect();
    }
    rows.filter(|event| next(event).is_none()).map(|event| (*event, None)).collect()
}

/// Events, and a way to deliver them: in any order, some of them repeatedly, split into runs.
fn deliveries() -> impl Strategy<Value = (Vec<Event>, Vec<Vec<Event>>)> {
    let event = (0..3_i64, 0..5_i64, 0..3_i64, prop::bool::weighted(0.4));
    prop::collection::vec(event, 1..14).prop_flat_map(|drawn| {
        let numbered = drawn.into_iter().zip(1..);
        let events: Vec<Event> =
            numbered.map(|((key, at, modified, is_delete), row)| Event { key, at, modified, row, is_delete }).collect();
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

fn check(events: &[Event], runs: &[Vec<Event>], history: bool) {
    let mut in_order = Stored::default();
    let mut sorted = events.to_vec();
    sorted.sort_unstable_by_key(|event| (event.at, event.modified, event.row));
    for event in sorted {
        in_order.run(&[event], history);
    }
    let mut expected = model(events, history);
    expected.sort_unstable();
    assert_eq!(in_order.rows, expected, "in order");
    let (mut delivered, mut died) = (Stored::default(), Stored::default());
    for run in runs {
        delivered.run(run, history);
        died.die(run);
        died.run(run, history);
    }
    assert_eq!(delivered.rows, expected, "as delivered");
    assert_eq!(died.rows, expected, "as delivered by runs that died and came again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merge_converges_however_the_events_of_a_feed_arrive((events, runs) in deliveries()) {
        check(&events, &runs, false);
    }

    #[test]
    fn scd2_converges_however_the_events_of_a_feed_arrive((events, runs) in deliveries()) {
        check(&events, &runs, true);
    }
}
