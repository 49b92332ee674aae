//! Silver, gold and quarantine equal an independent computation in DuckDB, however the files arrive.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sluice_core::run::Outcome;
use sluice_tests::data::{lines, plain_fields, retail_files, write_lines};
use sluice_tests::files::{copy_files, entries};
use sluice_tests::judges::{Judges, Oracle};
use sluice_tests::lab::{CUSTOMER_RFM, DAILY_REVENUE, Lab, QUARANTINE, SILVER, Sample};
use sluice_tests::random::Random;
use sluice_tests::skip;

/// The counts of the 68 files, determined once by hand, so that an oracle and a lake that lose the same file do not agree.
const REAL_COUNTS: [(&str, u64); 7] = [
    ("files", 68),
    ("source_rows", 105_335),
    ("silver_rows", 104_056),
    ("quarantined_rows", 304),
    ("collapsed_rows", 975),
    ("daily_revenue_rows", 349),
    ("customer_rfm_rows", 1_682),
];

/// The real files and the judges; without them the test is reported as skipped.
fn real_data(test: &str) -> Option<(Vec<PathBuf>, Judges)> {
    let Some(files) = retail_files() else {
        skip(test, "needs the retail data set in ../shared/data/retail");
        return None;
    };
    Some((files, Judges::or_skip(test)?))
}

fn real_oracle(judges: &Judges, lab: &Lab, files: &[PathBuf]) -> Oracle {
    let oracle = judges.oracle(files, &lab.folder().join("oracle"));
    for (name, count) in REAL_COUNTS {
        assert_eq!(oracle.count(name), count, "{name}: {}", oracle.summary);
    }
    oracle
}

/// Delivers the files group by group, with a run after each, and compares the result with the oracle's.
fn arrive(lab: &Lab, groups: &[Vec<PathBuf>], judges: &Judges, oracle: &Oracle, when: &str) {
    let started = Instant::now();
    for group in groups {
        copy_files(group, &lab.landing());
        let _ = lab.run().expect(Outcome::Published);
    }
    eprintln!("{when}: {} runs in {:.1} s", groups.len(), started.elapsed().as_secs_f64());
    judges.assert_equal(lab.lake(), oracle, when);
    assert_counts(lab, oracle, when);
    let _ = lab.run().expect(Outcome::Skipped);
}

/// Asserts that the command's own counts equal the oracle's and that every source row is accounted for, over all runs.
fn assert_counts(lab: &Lab, oracle: &Oracle, when: &str) {
    let tables = lab.tables();
    for (table, name) in [
        (SILVER, "silver_rows"),
        (QUARANTINE, "quarantined_rows"),
        (DAILY_REVENUE, "daily_revenue_rows"),
        (CUSTOMER_RFM, "customer_rfm_rows"),
    ] {
        assert_eq!(tables[table].rows, oracle.count(name), "{when}: {table}");
    }
    let changesets = lab.published_changesets();
    let silver = || changesets.iter().flat_map(|c| &c.tables).filter(|t| t.table.to_string() == SILVER).map(|t| t.rows);
    let source: u64 = silver().map(|rows| rows.source).sum();
    let quarantined: u64 = silver().map(|rows| rows.quarantined).sum();
    let collapsed: u64 = silver().map(|rows| rows.collapsed).sum();
    eprintln!("{when}: {source} source rows, {quarantined} quarantined, {collapsed} collapsed, by the changesets");
    let counted = ["source_rows", "quarantined_rows", "collapsed_rows"].map(|name| oracle.count(name));
    assert_eq!([source, quarantined, collapsed], counted, "{when}: control total over all runs");
}

/// The files in a seeded random order, split into groups of 1 to `largest`.
fn shuffled_groups(files: &[PathBuf], largest: usize, seed: u64) -> Vec<Vec<PathBuf>> {
    let mut random = Random::new(seed);
    let mut shuffled = files.to_vec();
    random.shuffle(&mut shuffled);
    let mut groups = Vec::new();
    let mut rest = shuffled.as_slice();
    while !rest.is_empty() {
        let (group, after) = rest.split_at((1 + random.below(largest)).min(rest.len()));
        groups.push(group.to_vec());
        rest = after;
    }
    groups
}

#[test]
fn real_data_in_one_run_equals_the_oracle() {
    let Some((files, judges)) = real_data("oracle::real_data_in_one_run_equals_the_oracle") else { return };
    let lab = Lab::new();
    let oracle = real_oracle(&judges, &lab, &files);
    arrive(&lab, &[files], &judges, &oracle, "68 files in one run");
}

#[test]
fn real_data_file_by_file_equals_the_oracle() {
    let Some((files, judges)) = real_data("oracle::real_data_file_by_file_equals_the_oracle") else { return };
    let lab = Lab::new();
    let oracle = real_oracle(&judges, &lab, &files);
    let groups: Vec<Vec<PathBuf>> = files.iter().map(|file| vec![file.clone()]).collect();
    arrive(&lab, &groups, &judges, &oracle, "68 files in 68 runs");
    super::judges::assert_tables_are_sound(&judges, &lab, 68);
}

#[test]
fn real_data_in_shuffled_groups_equals_the_oracle() {
    let Some((files, judges)) = real_data("oracle::real_data_in_shuffled_groups_equals_the_oracle") else { return };
    let lab = Lab::new();
    let oracle = real_oracle(&judges, &lab, &files);
    let groups = shuffled_groups(&files, 7, 68);
    arrive(&lab, &groups, &judges, &oracle, "68 files shuffled, in small groups");
}

/// Sample days, and two files that deliver some lines of the first day again: lines with another description at the same,
/// an earlier and a later time, so that every rule for ties is used across files. One file is named before that day and
/// modified after it, the other is named after it and modified before it.
fn sample_files(lab: &Lab) -> Vec<PathBuf> {
    let folder = lab.folder().join("samples");
    let sample = Sample { start: "2026-01-05", days: 5, rows: 400, dirt: "0.03" };
    let mut files = lab.sample(&folder, &sample);
    let first = lines(&files[0]);
    let plain: Vec<Vec<&str>> = first[1..].iter().filter_map(|record| plain_fields(record)).collect();
    assert!(plain.len() >= 180, "the sample has too few plain lines: {}", plain.len());
    let again = |index: usize, description: &str, time: &str| {
        let mut fields = plain[index].clone();
        (fields[2], fields[4]) = (description, time);
        fields.join(",")
    };
    let modified = std::fs::metadata(&files[0]).unwrap().modified().unwrap();
    let hour = Duration::from_secs(3600);
    for (name, from, modified) in
        [("2026-01-04-again.csv", 0, modified + hour), ("2026-01-31-again.csv", 90, modified - hour)]
    {
        let mut redelivered = vec![first[0].clone()];
        for index in (from..from + 90).step_by(3) {
            redelivered.push(again(index, "SAME TIME", plain[index][4]));
            redelivered.push(again(index + 1, "EARLIER", "2001-02-03 04:05:06"));
            redelivered.push(again(index + 2, "LATER", "2026-06-07 08:09:10"));
        }
        let file = folder.join(name);
        write_lines(&file, &redelivered);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(modified).unwrap();
        files.push(file);
    }
    files
}

#[test]
fn sample_data_equals_the_oracle_however_it_arrives() {
    let Some(judges) = Judges::or_skip("oracle::sample_data_equals_the_oracle_however_it_arrives") else { return };
    let maker = Lab::new();
    let files = sample_files(&maker);
    let oracle = judges.oracle(&files, &maker.folder().join("oracle"));
    assert!(oracle.count("quarantined_rows") > 0 && oracle.count("collapsed_rows") >= 90, "{}", oracle.summary);
    let one_by_one: Vec<Vec<PathBuf>> = files.iter().map(|file| vec![file.clone()]).collect();
    let backwards: Vec<Vec<PathBuf>> = one_by_one.iter().rev().cloned().collect();
    let arrangements = [
        ("samples in one run", vec![files.clone()]),
        ("samples one by one", one_by_one),
        ("samples one by one, newest first", backwards),
        ("samples shuffled", shuffled_groups(&files, 3, 5)),
    ];
    for (when, groups) in arrangements {
        let lab = Lab::new();
        arrive(&lab, &groups, &judges, &oracle, when);
        assert_eq!(entries(&lab.landing()).len(), files.len());
    }
}
