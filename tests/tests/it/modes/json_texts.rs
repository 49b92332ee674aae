//! The texts of nst/JSONTestSuite as values of records: what is JSON is taken as it is, and what is not is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::files::{entries, repository};
use sluice_tests::lab::Lab;
use sluice_tests::skip;

use crate::small::{QUARANTINE, SILVER, contract, lab, land, rows};

/// Each record has one value, which is kept as text.
const SPEC: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: FORMAT }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns: { doc: doc }
    mode: append
    gate: { quarantined_percent_below: none }
";

/// A text of the suite.
struct Text {
    /// The name of its file, which begins with what a reader has to do: `y_` take it, `n_` refuse it, `i_` either.
    name: String,
    bytes: Vec<u8>,
}

/// What became of the file with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Published,
    Quarantined,
    Held,
}

impl Text {
    /// Whether the text is taken. Of what the suite leaves open, all is that is UTF-8 without a byte order mark: a number
    /// that no double holds and half of a surrogate pair are kept as they are written.
    fn is_taken(&self) -> bool {
        match self.name.split_once('_') {
            Some(("y", _)) => true,
            Some(("n", _)) => false,
            Some(("i", _)) => std::str::from_utf8(&self.bytes).is_ok_and(|text| !text.starts_with('\u{feff}')),
            _ => panic!("{} is not a text of the suite", self.name),
        }
    }

    /// The value that is kept of a text that is JSON: as it is written, without white space around it.
    fn kept(&self) -> String {
        let text = std::str::from_utf8(&self.bytes).unwrap().trim();
        match serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", self.name)) {
            Value::Null => "NULL".to_owned(),
            Value::String(content) => content,
            _ => text.to_owned(),
        }
    }
}

/// The texts of the suite; without it the test is reported as skipped.
fn texts_or_skip(test: &str) -> Option<Vec<Text>> {
    let suite = repository().parent().map(|above| above.join("shared/data/public/json-test-suite/test_parsing"));
    let Some(suite) = suite.filter(|folder| folder.is_dir()) else {
        skip(test, "needs nst/JSONTestSuite in ../shared/data/public/json-test-suite/test_parsing");
        return None;
    };
    let text = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Text { name, bytes: fs::read(path).unwrap() }
    };
    Some(entries(&suite).into_iter().map(text).collect())
}

/// A lab with one file for each text, called by its number, with the text as the value of its only record.
fn delivered(format: &str, texts: &[Text]) -> Lab {
    let contracts = [("orders", contract("orders", &["name: doc, logicalType: string"], &[]))];
    let lab = lab(&SPEC.replace("FORMAT", format), &contracts);
    for (number, text) in texts.iter().enumerate() {
        let record = [&b"{\"doc\":"[..], &text.bytes, b"}\n"].concat();
        land(&lab, format!("{number}.json"), record);
    }
    lab
}

/// The number in the address of a file of [`delivered`].
fn number_of(uri: &str) -> usize {
    let name = uri.rsplit('/').next().unwrap_or_default();
    name.trim_end_matches(".json").parse::<usize>().unwrap_or_else(|error| panic!("{uri}: {error}"))
}

/// What became of each file, once for each of its rows in a table, and once where it is held.
fn fates(lab: &Lab) -> BTreeMap<usize, Vec<Fate>> {
    let mut fates: BTreeMap<usize, Vec<Fate>> = BTreeMap::new();
    for (table, fate) in [(SILVER, Fate::Published), (QUARANTINE, Fate::Quarantined)] {
        if lab.tables().contains_key(table) {
            for file in rows(lab, table, &["_source_file"]) {
                fates.entry(number_of(&file)).or_default().push(fate);
            }
        }
    }
    for held in lab.held() {
        assert!(held.reason.contains(&held.uri), "a hold names its own file: {held:?}");
        fates.entry(number_of(&held.uri)).or_default().push(Fate::Held);
    }
    fates
}

/// Asserts that every file has the fate that is expected of its text, and that what is published is what was delivered.
fn check(lab: &Lab, texts: &[Text], expected: impl Fn(&Text) -> Fate) {
    let found = fates(lab);
    let mut wrong = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let (fates, expected) = (found.get(&number).map_or(&[][..], Vec::as_slice), expected(text));
        if fates.is_empty() || fates.iter().any(|fate| *fate != expected) {
            wrong.push(format!("{}: {fates:?}, expected {expected:?}", text.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for row in rows(lab, SILVER, &["_source_file", "doc"]) {
        let (file, doc) = row.split_once('|').unwrap();
        let text = &texts[number_of(file)];
        if text.name.starts_with("y_") {
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(doc), squeezed(&text.kept()), "{}", text.name);
        }
    }
}

#[test]
fn the_texts_of_the_json_test_suite_are_taken_or_refused_as_it_says() {
    let test = "modes::json_texts::the_texts_of_the_json_test_suite_are_taken_or_refused_as_it_says";
    let Some(texts) = texts_or_skip(test) else { return };
    let count = |kind: &str| texts.iter().filter(|text| text.name.starts_with(kind)).count();
    assert_eq!([count("y_"), count("n_"), count("i_")], [95, 188, 35], "the suite is whole");

    // A document with a fault is held as a whole.
    let lab = delivered("json", &texts);
    let _ = lab.run().expect(Outcome::Published);
    check(&lab, &texts, |text| if text.is_taken() { Fate::Published } else { Fate::Held });
    let _ = lab.run().expect(Outcome::Skipped);

    // A line with a fault is quarantined by itself, and a record cannot go over several lines.
    let lab = delivered("ndjson", &texts);
    let _ = lab.run().expect(Outcome::Published);
    let is_line = |text: &Text| text.is_taken() && !text.bytes.contains(&b'\n');
    check(&lab, &texts, |text| if is_line(text) { Fate::Published } else { Fate::Quarantined });
    assert!(lab.held().is_empty());
    let _ = lab.run().expect(Outcome::Skipped);
}
