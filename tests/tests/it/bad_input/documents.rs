//! Documents of a lake that were damaged, as by a disk that was full or by a hand: lists name them and show all else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::good_file;
use crate::small::{assert_says, land, orders};

/// Texts of documents that were damaged.
const DAMAGES: [&str; 3] = ["", "garbage", "\0\0\0\0"];

/// The command without `--json`.
fn in_words(lab: &Lab, words: &[&str]) -> String {
    let mut command = lab.command(words);
    command.arg("--lake").arg(lab.lake());
    Run::of(command).expect_code(0).stdout
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn documents_below(folder: &Path) -> Vec<PathBuf> {
    let is_document = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    sluice_tests::files::entries(folder).into_iter().filter(is_document).collect()
}

#[test]
fn a_damaged_document_of_a_run_keeps_no_other_run_from_the_list() {
    let lab = orders();
    land(&lab, "a.csv", good_file(0));
    let whole = lab.run().expect(Outcome::Published).run_id();
    land(&lab, "b.csv", good_file(1));
    let damaged = lab.run().expect(Outcome::Published).run_id();
    let mut unreadable = BTreeSet::new();
    for path in documents_below(&lab.lake().join(format!("runs/retail/{damaged}"))) {
        let before = fs::read(&path).unwrap();
        for damage in DAMAGES {
            fs::write(&path, damage).unwrap();
            let page: Value = lab.sluice(&["runs", "list"]).expect_code(0).page();
            let run = |id: &str| page["runs"].as_array().unwrap().iter().find(|run| run["run_id"] == id).cloned();
            assert_eq!(run(whole.as_str()).unwrap()["state"], "published", "{}: {page}", path.display());
            let listed = run(damaged.as_str()).unwrap();
            if listed["state"] == "unreadable" {
                let cause = listed["error"]["Cause"].as_str().unwrap();
                assert_says(cause, &[name_of(&path), "is not readable"], "the cause");
                let text = in_words(&lab, &["runs", "list"]);
                assert_says(&text, &[whole.as_str(), damaged.as_str(), "unreadable"], "the list");
                unreadable.insert(name_of(&path).to_owned());
            }
        }
        fs::write(&path, before).unwrap();
    }
    for name in ["plan-1.json", "changeset-1.json", "verdict-1.json", "receipt-1.json"] {
        assert!(unreadable.contains(name), "{name} is read for the list: {unreadable:?}");
    }
}

#[test]
fn a_damaged_plan_is_listed_with_what_an_older_run_passed_by() {
    let lab = orders();
    land(&lab, "a.csv", good_file(0));
    land(&lab, "notes.md", "# Orders\n");
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.csv", good_file(1));
    let damaged = lab.run().expect(Outcome::Published).run_id();
    let plan = lab.lake().join(format!("runs/retail/{damaged}/plan-1.json"));
    for damage in DAMAGES {
        fs::write(&plan, damage).unwrap();
        let entries: Vec<Value> = lab.sluice(&["source", "list"]).expect_code(0).page();
        let states: Vec<&str> = entries.iter().map(|entry| entry["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["passed_by", "damaged"], "{entries:?}");
        assert!(entries[0]["uri"].as_str().unwrap().ends_with("/notes.md"), "{entries:?}");
        assert!(entries[1]["uri"].as_str().unwrap().ends_with("/plan-1.json"), "{entries:?}");
        assert_eq!(entries[1]["run_id"], damaged.as_str(), "{entries:?}");
        let text = in_words(&lab, &["source", "list"]);
        assert_says(&text, &["notes.md", "plan-1.json", damaged.as_str(), "is not readable"], "the list");
    }
    land(&lab, "c.csv", good_file(2));
    let _ = lab.run().expect(Outcome::Published);
}

#[test]
fn a_file_whose_hold_is_damaged_stays_held_and_is_released_by_its_id() {
    let lab = orders();
    land(&lab, "bad.csv", "");
    let _ = lab.run().expect(Outcome::Rejected);
    let id = lab.held()[0].id.to_string();
    let (document, release) = (format!("holds/retail/{id}.json"), format!("sluice source release {id}"));
    let says = [document.as_str(), release.as_str()];
    for (number, damage) in (0_u32..).zip(DAMAGES) {
        fs::write(lab.lake().join(&document), damage).unwrap();
        let entries: Vec<Value> = lab.sluice(&["source", "list"]).expect_code(0).page();
        let of_state = |state: &str| entries.iter().filter(|entry| entry["state"] == state).count();
        assert_eq!((entries.len(), of_state("held")), (1, 1), "{entries:?}");
        assert_eq!((entries[0]["id"].as_str(), &entries[0]["uri"]), (Some(id.as_str()), &Value::Null), "{entries:?}");
        assert_says(entries[0]["reason"].as_str().unwrap(), &says, "the reason");
        assert_says(&in_words(&lab, &["source", "list"]), &says, "the list");
        let _ = lab.sluice(&["runs", "list"]).expect_code(0);
        land(&lab, format!("good-{number}.csv"), good_file(10 * number));
        let _ = lab.run().expect(Outcome::Published);
    }
    let _ = lab.sluice(&["source", "release", id.as_str()]).expect_code(0);
    let _ = lab.run().expect(Outcome::Rejected);
    let held = lab.held();
    assert_eq!((held.len(), held[0].id.to_string()), (1, id), "it is read again, and is still empty: {held:?}");
}
