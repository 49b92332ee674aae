//! Quarantined rows are re-validated against a changed contract, exactly once.

use std::collections::BTreeMap;
use std::path::Path;

use sluice_core::run::Outcome;
use sluice_lake::inspect;
use sluice_tests::content::{LakeContent, assert_same, lake_content, wait};
use sluice_tests::files::{copy_folder, remove_folder};
use sluice_tests::lab::{BRONZE, Lab, QUARANTINE, SILVER, Sample, open_lake};
use sluice_tests::sluice::{Run, kill_at_event};

const CONTRACT: &str = "contracts/transactions.odcs.yaml";
const STRICT: &str = r"'^[AC]?\d{6}$'";
/// Accepts all invoice numbers of the samples.
const LOOSE: &str = r"'^(INV-|X)?[AC]?\d{5,8}$'";
const DAYS: Sample<'_> = Sample { start: "2026-01-05", days: 3, rows: 400, dirt: "0.07" };

/// A lake whose quarantine has rows that broke only one rule, which was loosened afterwards; and the content of a lake that
/// had the loose rule from the start.
fn loosened() -> (Lab, LakeContent) {
    let lab = Lab::new();
    lab.sample(&lab.landing(), &DAYS);
    let _ = lab.run().expect(Outcome::Published);
    let loose = Lab::new();
    loose.edit_pipeline(CONTRACT, STRICT, LOOSE);
    copy_folder(&lab.landing(), &loose.landing());
    let _ = loose.run().expect(Outcome::Published);
    let (before, expected) = (lab.content(), loose.content());
    let rows = |content: &LakeContent, table: &str| content[table].rows.len();
    let freed = rows(&before, QUARANTINE) - rows(&expected, QUARANTINE);
    eprintln!("{} rows in quarantine, {freed} of them because of the loosened rule only", rows(&before, QUARANTINE));
    assert!(freed > 0 && rows(&expected, QUARANTINE) > 0, "the sample has no such rows");
    lab.edit_pipeline(CONTRACT, STRICT, LOOSE);
    (lab, expected)
}

fn replay(lab: &Lab, lake: &Path) -> Run {
    Run::of(lab.replay_command(lake))
}

#[test]
fn replayed_rows_leave_the_quarantine_and_arrive_once() {
    let (lab, expected) = loosened();
    let before = lab.tables();
    let counts = lab.quarantines();
    assert_eq!(counts[0].rows, before[QUARANTINE].rows);
    let _ = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_same(&expected, &lab.content(), "replayed");
    let after = lab.tables();
    let moved = before[QUARANTINE].rows - after[QUARANTINE].rows;
    eprintln!("{moved} rows left the quarantine, silver grew by {}", after[SILVER].rows - before[SILVER].rows);
    assert_eq!(after[BRONZE], before[BRONZE], "bronze already had them");

    let again = replay(&lab, lab.lake());
    assert_eq!(again.code, Some(0), "{again}");
    assert_same(&expected, &lab.content(), "replayed twice");
    let _ = lab.run().expect(Outcome::Skipped);
    assert_same(&expected, &lab.content(), "run after the replay");
}

#[test]
fn a_replay_without_a_change_changes_nothing() {
    let lab = Lab::new();
    lab.sample(&lab.landing(), &DAYS);
    let _ = lab.run().expect(Outcome::Published);
    let (content, tables) = (lab.content(), lab.tables());
    let again = replay(&lab, lab.lake());
    assert_eq!(again.code, Some(0), "{again}");
    assert_same(&content, &lab.content(), "replayed without a change");
    eprintln!("replayed without a change: {:?}", again.outcome());
    assert_eq!(lab.tables(), tables, "no table has a new version");
}

#[test]
fn an_empty_quarantine_has_nothing_to_replay() {
    let lab = Lab::new();
    lab.sample(&lab.landing(), &Sample { dirt: "0", ..DAYS });
    let _ = lab.run().expect(Outcome::Published);
    let tables = lab.tables();
    let _ = replay(&lab, lab.lake()).expect(Outcome::Skipped);
    assert_eq!(lab.tables(), tables);
}

#[test]
fn a_killed_replay_is_completed_by_the_next() {
    let (lab, expected) = loosened();
    let prepared = lab.folder().join("prepared");
    copy_folder(lab.lake(), &prepared);
    let lake = lab.folder().join("killed");
    let mut landed = Vec::new();
    for boundary in 1..=20 {
        remove_folder(&lake);
        copy_folder(&prepared, &lake);
        let Ok(killed) = kill_at_event(lab.replay_command(&lake), boundary) else { break };
        landed.push(killed.events().last().map_or("start".to_owned(), |event| event.state().to_owned()));
        let when = format!("replayed after a kill at boundary {boundary}");
        let run = replay(&lab, &lake);
        assert_eq!(run.code, Some(0), "{when}: {run}");
        // If the killed replay left gold stale, an ordinary run recomputes it.
        let run = Run::of(lab.run_command(&lake, &lab.landing()));
        assert_eq!(run.code, Some(0), "{when}: {run}");
        assert_same(&expected, &lake_content(&open_lake(&lake)), &when);
    }
    eprintln!("replays killed at {landed:?}");
    assert!(landed.len() >= 16, "only {} replays could be killed", landed.len());
}

#[test]
fn quarantined_rows_are_counted_and_placed_by_run() {
    let lab = Lab::new();
    lab.sample(&lab.landing(), &DAYS);
    let run = lab.run().expect(Outcome::Published).run_id().to_string();
    let listed = lab.quarantines().remove(0);
    let (lake, table) = (lab.open(), listed.table.clone());
    let of_run = |run: Option<&str>| {
        let places = inspect::quarantine_places(&lake, &table, run, 50);
        wait(places).expect("places")
    };
    let counts = wait(inspect::quarantine_counts(&lake, &table)).expect("counts").expect("a quarantine");
    assert_eq!(counts.rows, listed.rows);
    assert_eq!(counts.by_run, BTreeMap::from([(run.clone(), listed.rules)]));
    let places = of_run(None);
    assert_eq!(places.len() as u64, listed.rows.min(50));
    assert!(places.iter().all(|place| place.run_id == run && !place.rules.is_empty() && place.source_row.is_some()));
    assert_eq!((of_run(Some(&run)).len(), of_run(Some("another")).len()), (places.len(), 0));
    let missing = "quarantine/sales/missing".parse().expect("a table");
    assert_eq!(wait(inspect::quarantine_counts(&lake, &missing)).expect("no fault"), None);
}
