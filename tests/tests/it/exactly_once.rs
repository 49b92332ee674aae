//! The same input again changes nothing; a changed file under an old name is a new object.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use sluice_core::run::Outcome;
use sluice_tests::content::assert_same;
use sluice_tests::data::{lines, plain_fields, record_count, write_lines};
use sluice_tests::lab::{BRONZE, Lab, QUARANTINE, SILVER, Sample};

const DAYS: Sample<'_> = Sample { start: "2026-01-05", days: 3, rows: 300, dirt: "0.03" };

/// A lab with three days published, and the files.
fn published() -> (Lab, Vec<std::path::PathBuf>) {
    let lab = Lab::new();
    let files = lab.sample(&lab.landing(), &DAYS);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(lab.tables().len(), 5, "{:?}", lab.tables());
    assert_eq!(lab.rows(BRONZE), record_count(&files));
    (lab, files)
}

/// Asserts that a run is skipped and leaves every table and every log unchanged.
fn check_skipped(lab: &Lab, why: &str) {
    let (tables, logs) = (lab.tables(), lab.log_files());
    let run = lab.run().expect(Outcome::Skipped);
    assert_eq!(run.times_entered("Process"), 0, "{why}: {run}");
    assert_eq!(lab.tables(), tables, "{why}");
    assert_eq!(lab.log_files(), logs, "{why}");
    eprintln!("skipped in {:.2} s: {why}", run.time.as_secs_f64());
}

#[test]
fn the_same_input_again_is_skipped() {
    let (lab, _) = published();
    check_skipped(&lab, "the same files again");
    check_skipped(&lab, "and again");
}

#[test]
fn a_file_with_other_time_stamps_is_the_same_object() {
    let (lab, files) = published();
    let touched = File::options().write(true).open(&files[0]).unwrap();
    touched.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    check_skipped(&lab, "a touched file");
    let aside = lab.folder().join("aside.csv");
    fs::copy(&files[1], &aside).unwrap();
    fs::remove_file(&files[1]).unwrap();
    check_skipped(&lab, "a file taken away");
    fs::copy(&aside, &files[1]).unwrap();
    check_skipped(&lab, "a file copied back");
}

/// Whether a record is easy to edit and breaks no rule.
fn is_plain_sale(record: &str) -> bool {
    plain_fields(record).is_some_and(|f| f[0].len() == 6 && !f[2].is_empty() && f[3].parse().is_ok_and(|n: i32| n > 0))
}

#[test]
fn a_changed_file_at_an_old_name_is_a_new_object() {
    let (lab, files) = published();
    let before = lab.content();
    let changed = &files[1];
    let mut records = lines(changed);
    let place = records.iter().skip(1).position(|record| is_plain_sale(record));
    let place = place.expect("a plain line of a sale") + 1;
    let mut fields = plain_fields(&records[place]).unwrap();
    // The key and the time stay, so that only the time of the file decides which row is newer.
    fields[2] = "A BETTER DESCRIPTION";
    let record = fields.join(",");
    records[place] = record;
    write_lines(changed, &records);
    let _ = lab.run().expect(Outcome::Published);

    let after = lab.content();
    let name = changed.file_name().unwrap().to_str().unwrap();
    let of_file = |rows: &[String]| -> Vec<String> {
        let mark = format!("_source_file={name} ");
        rows.iter().filter(|row| row.contains(&mark)).cloned().collect()
    };
    let bronze = of_file(&after[BRONZE].rows);
    let etag = |row: &String| row.split("_source_etag=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let etags: std::collections::BTreeSet<String> = bronze.iter().map(etag).collect();
    assert_eq!(bronze.len(), 2 * (records.len() - 1), "bronze keeps both versions");
    assert_eq!(etags.len(), 2, "distinguished by _source_etag");

    assert_eq!(after[SILVER].rows.len(), before[SILVER].rows.len(), "silver has no duplicate row");
    let better = |rows: &[String]| rows.iter().filter(|row| row.contains("A BETTER DESCRIPTION")).count();
    assert_eq!((better(&before[SILVER].rows), better(&after[SILVER].rows)), (0, 1), "silver shows the newer row");
    let old = of_file(&before[QUARANTINE].rows).len();
    assert!(old > 0, "the changed file has quarantined rows");
    assert_eq!(of_file(&after[QUARANTINE].rows).len(), 2 * old, "quarantined rows are kept per version of the object");
    check_skipped(&lab, "the changed file again");
}

#[test]
fn one_run_for_all_files_and_one_run_per_file_give_the_same_tables() {
    let (together, files) = published();
    let apart = Lab::new();
    for file in &files {
        sluice_tests::files::copy_files([file], &apart.landing());
        let _ = apart.run().expect(Outcome::Published);
    }
    assert_same(&together.content(), &apart.content(), "three runs against one");
}
