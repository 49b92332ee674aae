//! Runs that start at the same instant add every source row exactly once.

use std::path::PathBuf;

use sluice_core::run::Outcome;
use sluice_tests::content::{LakeContent, assert_same};
use sluice_tests::data::record_count;
use sluice_tests::judges::Judges;
use sluice_tests::lab::{BRONZE, Lab, Sample};
use sluice_tests::sluice::{Run, Started};

const ROWS: u32 = 400;

/// Two folders with two days each below the landing folder.
fn land(lab: &Lab) -> Vec<PathBuf> {
    let mut files =
        lab.sample(&lab.landing().join("a"), &Sample { start: "2026-01-05", days: 2, rows: ROWS, dirt: "0.03" });
    files.extend(
        lab.sample(&lab.landing().join("b"), &Sample { start: "2026-01-07", days: 2, rows: ROWS, dirt: "0.03" }),
    );
    files
}

/// A lake after one run over the same files.
fn undisturbed() -> LakeContent {
    let lab = Lab::new();
    let files = land(&lab);
    let _ = lab.run().expect(Outcome::Published);
    let content = lab.content();
    assert_eq!(content[BRONZE].rows.len() as u64, record_count(&files));
    content
}

/// Starts a run on each of these folders below the landing folder at the same time, and waits for all.
fn at_once(lab: &Lab, folders: &[&str]) -> Vec<Run> {
    let start = |(index, folder): (usize, &&str)| lab.start(&lab.landing().join(folder), &format!("run-{index}"));
    let started: Vec<Started> = folders.iter().enumerate().map(start).collect();
    started.into_iter().map(Started::wait).collect()
}

/// Runs on these folders at the same time, then checks that the lake holds what one run would have added. Returns how often
/// a run had to plan again because another one committed first.
fn check(expected: &LakeContent, folders: &[&str], when: &str) -> usize {
    let lab = Lab::new();
    let files = land(&lab);
    let runs = at_once(&lab, folders);
    let mut replans = 0;
    let mut outcomes = Vec::new();
    for run in &runs {
        let outcome = run.outcome();
        assert!(
            run.code == Some(0) && matches!(outcome, Some(Outcome::Published | Outcome::Skipped)),
            "{when}: a run failed: {run}"
        );
        replans += run.times_entered("Replan");
        outcomes.push(outcome.unwrap());
    }
    eprintln!("{when}: {outcomes:?}, {replans} times planned again");
    assert!(outcomes.contains(&Outcome::Published), "{when}: nobody published");
    assert_same(expected, &lab.content(), when);
    if let Some(judges) = Judges::or_skip(&format!("concurrency: {when}, by the oracle")) {
        let oracle = judges.oracle(&files, &lab.folder().join("oracle"));
        judges.assert_equal(lab.lake(), &oracle, when);
    }
    let tables = lab.tables();
    let _ = lab.run().expect(Outcome::Skipped);
    assert_eq!(lab.tables(), tables, "{when}: everything was already published");
    replans
}

#[test]
fn runs_at_the_same_instant_bring_each_row_once() {
    let expected = undisturbed();
    let mut replans = 0;
    replans += check(&expected, &["", ""], "two runs on the same files");
    replans += check(&expected, &["", "", "", ""], "four runs on the same files");
    replans += check(&expected, &["", "a"], "two runs on overlapping sets");
    replans += check(&expected, &["a", "b"], "two runs on different sets");
    replans += check(&expected, &["", "a", "b", ""], "four runs on overlapping sets");
    assert!(replans > 0, "no run conflicted with another one: the test proved nothing");
}

#[test]
fn runs_at_the_same_instant_on_a_lake_with_tables_bring_each_row_once() {
    let expected = undisturbed();
    let lab = Lab::new();
    land(&lab);
    // Only the first folder is published; the concurrent runs add the second to existing tables.
    let _ = Run::of(lab.run_command(lab.lake(), &lab.landing().join("a"))).expect(Outcome::Published);
    let runs = at_once(&lab, &["", "b", "b"]);
    let replans: usize = runs.iter().map(|run| run.times_entered("Replan")).sum();
    eprintln!(
        "three runs on a lake with tables: {:?}, {replans} times planned again",
        runs.iter().map(Run::outcome).collect::<Vec<_>>()
    );
    for run in &runs {
        assert_eq!(run.code, Some(0), "{run}");
    }
    assert_same(&expected, &lab.content(), "three runs on a lake with tables");
}
