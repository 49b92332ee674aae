//! Lakes that older versions of Sluice made are continued by this one.
//!
//! `tests/old_lakes/<date>` holds such lakes as `tests/old_lakes/make.sh` left them, made by the `sluice` of that day.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sluice_core::run::Outcome;
use sluice_tests::content::assert_same;
use sluice_tests::files::{copy_folder, repository};
use sluice_tests::lab::{BRONZE, Lab, SILVER, Sample};

use crate::parts;
use crate::small::{Steps, rows};

/// The lake of a version that did not record when source objects were modified.
const WITHOUT_TIMES: &str = "2026-11-28";
/// Where the lakes were made: source objects are known by their address.
const PLACE: &str = "/tmp/sluice-old-lake";

/// The old lake at the place where it was made. One test at a time has it, of all tests on this machine.
struct OldLake {
    lab: Lab,
    _lock: File,
}

impl OldLake {
    fn unpack(kept: &Path) -> Self {
        let lock = File::create(format!("{PLACE}.lock")).expect("a lock file");
        lock.lock().expect("a lock");
        let place = Path::new(PLACE);
        remove(place);
        copy_folder(kept, place);
        fs::create_dir_all(place.join("tmp")).expect("a folder");
        // A lab has its pipeline elsewhere; the documents of the old runs name the one they were planned with.
        copy_folder(&place.join("retail"), &place.join("pipelines/retail"));
        Self { lab: Lab::at(place), _lock: lock }
    }
}

impl Drop for OldLake {
    fn drop(&mut self) {
        remove(Path::new(PLACE));
    }
}

fn remove(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the folder of the old lake can be removed");
    }
}

fn old_lakes() -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join("tests/old_lakes")).expect("tests/old_lakes");
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect()
}

/// What a lake holds that this version brought all the files to, with the gate open for the bad day.
fn brought_by_this_version(landing: &Path) -> sluice_tests::content::LakeContent {
    let lab = Lab::new();
    lab.edit_pipeline("pipeline.yaml", "quarantined_percent_below: 10", "quarantined_percent_below: 90");
    copy_folder(landing, &lab.landing());
    let _ = lab.run().expect(Outcome::Published);
    lab.content()
}

/// The next days are brought by one call, or in so many parts.
#[derive(Clone, Copy)]
enum Next {
    OneCall,
    Parts(usize),
}

impl Next {
    fn run(self, lab: &Lab) {
        match self {
            Self::OneCall => drop(lab.run().expect(Outcome::Published)),
            Self::Parts(parts) => {
                lab.edit_pipeline("pipeline.yaml", "source:\n", &format!("{}source:\n", parts::ONE_EACH));
                let _ = parts::run(&Steps::new(lab), parts);
            }
        }
    }
}

#[test]
fn a_lake_that_an_older_version_made_is_listed_accepted_and_continued() {
    let kept = old_lakes();
    assert!(kept.len() > 1, "tests/old_lakes has {kept:?}");
    for kept in kept {
        check(&kept, Next::OneCall);
        check(&kept, Next::Parts(2));
    }
}

fn check(kept: &Path, next: Next) {
    let old = OldLake::unpack(kept);
    let lab = &old.lab;
    let runs = lab.runs();
    let mut states: Vec<(&str, &str)> = runs.runs.iter().map(|run| (run.run_id.as_str(), run.state.as_str())).collect();
    states.sort_unstable();
    let expected = [("good-days", "published"), ("next-good-day", "published"), ("poisoned-day", "rejected")];
    assert_eq!(states, expected, "{}", kept.display());
    assert_eq!(lab.held().len(), 1, "{}: the bad day is held", kept.display());

    let before = lab.tables();
    let _ = lab.run().expect(Outcome::Skipped);
    assert_eq!(lab.tables(), before, "every file had been taken by the older version");

    let accepted = ["runs", "accept", "poisoned-day", "--by", "tester", "--reason", "known and wanted"];
    let _ = lab.sluice(&accepted).expect(Outcome::Published);
    assert_eq!(lab.held(), [], "what was accepted is held no longer");

    let days = Sample { start: "2026-01-09", days: 2, rows: 200, dirt: "0.03" };
    lab.sample(&lab.landing(), &days);
    next.run(lab);
    let when = format!("{} continued by this version", kept.display());
    assert_same(&brought_by_this_version(&lab.landing()), &lab.content(), &when);
    for table in [BRONZE, SILVER] {
        let times = rows(lab, table, &["_source_modified_at"]);
        let unknown = times.iter().filter(|time| *time == "NULL").count();
        assert_eq!(unknown > 0, kept.ends_with(WITHOUT_TIMES), "{when}: {table}");
        assert!(unknown < times.len(), "{when}: {table} has the time of new objects");
    }
}
