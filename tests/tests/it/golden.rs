//! Delta tables of other writers: each is read as it was written, or refused by its name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sluice_tests::files::{entries, repository};
use sluice_tests::judges::Judges;
use sluice_tests::skip;

/// Tables of the archives that are read right. The others have types or features that Sluice refuses, or are damaged.
const RIGHT: usize = 50;

#[test]
fn tables_of_other_writers_are_right_in_every_version_or_refused_by_name() {
    let test = "golden::tables_of_other_writers_are_right_in_every_version_or_refused_by_name";
    let Some(judges) = Judges::or_skip(test) else { return };
    let all = repository().parent().map(|above| above.join("shared/data/public/delta-golden/tables"));
    let Some(all) = all.filter(|folder| folder.is_dir()) else {
        skip(test, "needs the golden tables of delta-kernel-rs in ../shared/data/public/delta-golden/tables");
        return;
    };
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|end| end == "zst");
    let archives: Vec<PathBuf> = entries(&all).into_iter().filter(is_archive).collect();
    let folder = tempfile::tempdir().unwrap();
    let judged = judges.judge_golden(&archives, folder.path());

    let mut counts: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for one in &judged {
        *counts.entry((one.verdict.as_str(), one.error.as_deref())).or_default() += 1;
    }
    eprintln!("  {} tables in {} archives: {counts:?}", judged.len(), archives.len());
    let wrong: Vec<_> = judged.iter().filter(|one| !matches!(one.verdict.as_str(), "right" | "refused")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Refusing everything would be no achievement.
    assert!(counts.get(&("right", None)).is_some_and(|right| *right >= RIGHT), "{counts:?}");
}
