//! Bad input gives a named error or a quarantined row and leaves every table unchanged.

mod another_writer;
mod between_steps;
mod computed;
mod documents;
mod full_disk;
mod lines;
mod mapped;
mod names;
mod nested;
mod never_stuck;
mod objects;
mod optional_columns;
mod spec;
mod together;
mod variants;

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sluice_tests::content::LakeContent;
use sluice_tests::lab::Lab;

/// The header of the order files.
const HEADER: &str = "id,name,amount,day\n";

/// A good file with two orders whose numbers start at `first`.
fn good_file(first: u32) -> String {
    format!("{HEADER}{first},ann,1.50,2026-01-01\n{},bob,2.25,2026-01-02\n", first + 1)
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// The content of the tables, and the files of their logs: if both are unchanged, nothing was committed.
fn state_of(lab: &Lab) -> (LakeContent, Vec<std::path::PathBuf>) {
    (lab.content(), lab.log_files())
}

/// Rows by table.
fn row_counts(lab: &Lab) -> BTreeMap<String, u64> {
    lab.tables().into_iter().map(|(table, state)| (table, state.rows)).collect()
}
