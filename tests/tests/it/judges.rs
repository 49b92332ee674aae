//! Independent readers can read the tables as Delta tables.

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::files::{copy_files, entries};
use sluice_tests::judges::Judges;
use sluice_tests::lab::{BRONZE, CUSTOMER_RFM, DAILY_REVENUE, Lab, QUARANTINE, SILVER, Sample};

/// Commits after which every table has a checkpoint.
const CHECKPOINT_AFTER: u64 = 10;

/// Asserts what two Delta readers find in all five tables after `runs` runs, each of which changed silver: equal
/// contents, statistics and partition values on every file, every version readable, checkpoints.
pub(crate) fn assert_tables_are_sound(judges: &Judges, lab: &Lab, runs: u64) {
    let judged = judges.judge_tables(lab.lake());
    let names: Vec<&str> = judged.iter().filter_map(|table| table["table"].as_str()).collect();
    assert_eq!(names, [BRONZE, CUSTOMER_RFM, DAILY_REVENUE, QUARANTINE, SILVER]);
    for table in &judged {
        let count = |name: &str| table[name].as_u64().unwrap_or_else(|| panic!("no {name}: {table}"));
        let (name, version) = (table["table"].as_str().unwrap(), count("version"));
        let versions = table["versions"].as_array().unwrap();
        eprintln!(
            "  {name}: {} versions read by both, {} rows, {} files, {} adds with statistics",
            versions.len(),
            count("rows"),
            count("files"),
            count("adds")
        );
        assert_eq!(versions.len() as u64, version + 1, "{name}: versions that can be read");
        assert!(count("adds") > 0 && count("rows") > 0, "{name} is empty: {table}");
        if name != QUARANTINE {
            assert_eq!(version + 1, runs, "{name}: one version per run");
        }
        assert_time_travel_changes(name, versions);
        let checkpoints = entries(&lab.lake().join(name).join("_delta_log"))
            .iter()
            .filter(|path| path.to_string_lossy().ends_with(".checkpoint.parquet"))
            .count();
        let expected = version / CHECKPOINT_AFTER;
        assert!(checkpoints as u64 >= expected, "{name}: {checkpoints} checkpoints at version {version}");
    }
}

/// Bronze, silver and quarantine grow from version to version, so that a reader that always shows the newest one is noticed.
fn assert_time_travel_changes(name: &str, versions: &[Value]) {
    let rows: Vec<u64> = versions.iter().map(|version| version["rows"].as_u64().unwrap()).collect();
    assert!(rows.is_sorted() && rows[0] > 0, "{name}: {rows:?}");
    if name == BRONZE || name == SILVER {
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {rows:?}");
    }
}

#[test]
fn two_delta_readers_read_the_same_from_every_table() {
    let Some(judges) = Judges::or_skip("judges::two_delta_readers_read_the_same_from_every_table") else { return };
    let lab = Lab::new();
    let folder = lab.folder().join("samples");
    // Enough runs for a checkpoint and commits after it.
    let sample = Sample { start: "2026-01-05", days: 13, rows: 200, dirt: "0.05" };
    let files = lab.sample(&folder, &sample);
    for file in &files {
        copy_files([file], &lab.landing());
        let _ = lab.run().expect(Outcome::Published);
    }
    assert_tables_are_sound(&judges, &lab, files.len() as u64);
}
