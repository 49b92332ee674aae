//! The pages of pipelines: every example on them is run or read, and every link leads somewhere.
//!
//! The first line of a fenced block says what the block is. What is on a page happens from top to bottom, in a folder
//! of its own with a lake `lake`:
//!
//! | first line | the block is |
//! |---|---|
//! | `csv lake/landing/orders/1.csv` | this file; what is not a text (`.xlsx`, `.avro`, …) is made of it by `files` |
//! | `text silver/sales/orders` | the rows of this table in these columns, in any order; `NULL` is null |
//! | `console` | commands after `$`, each with what it prints, if that is shown; `…` stands for anything |
//! | `yaml spec`, `yaml source`, `yaml silver` | a part of a spec, of its source or of a silver table |

mod blocks;
mod files;
mod links;
mod printed;

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use serde_json::Value;
use sluice_core::name::TableRef;
use sluice_core::spec::{self, PipelineSpec};
use sluice_tests::files::{entries, remove_folder, repository};
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use self::blocks::{Block, Fragment, Kind};
use crate::small::rows;

/// A test for each page, because they are independent and each takes seconds.
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        /// The pages whose examples are checked.
        const PAGES: &[&str] = &[$($path),*];

        mod every_example_is_what_happens_on_the_page {
            $(
                #[test]
                fn $name() {
                    super::check_page($path);
                }
            )*
        }
    };
}

pages! {
    pipelines: "pipelines/README.md",
    archives: "docs/sources/archives.md",
    lineage: "docs/lineage.md",
    avro: "docs/sources/avro.md",
    columns: "docs/sources/columns.md",
    csv: "docs/sources/csv.md",
    files: "docs/sources/files.md",
    fixed_width: "docs/sources/fixed-width.md",
    init: "docs/sources/init.md",
    json: "docs/sources/json.md",
    parquet: "docs/sources/parquet.md",
    several: "docs/sources/several.md",
    values: "docs/sources/values.md",
    xlsx: "docs/sources/xlsx.md",
    xml: "docs/sources/xml.md",
    change_feeds: "docs/tables/change-feeds.md",
    inputs: "docs/tables/inputs.md",
    modes: "docs/tables/modes.md",
    nested: "docs/tables/nested.md",
}

/// Does what a page shows, and compares what comes out.
fn check_page(page: &str) {
    let text = fs::read_to_string(repository().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let lab = Lab::new();
    remove_folder(&lab.pipeline());
    let (mut pipelines, mut results) = (BTreeSet::new(), 0);
    for Block { line, info, text } in blocks::of(&text) {
        let place = format!("{page}:{line}");
        match blocks::kind_of(&info) {
            Some(Kind::File(path)) => {
                files::write(&lab, path, &text);
                pipelines.extend(path.strip_suffix("/pipeline.yaml").map(str::to_owned));
            }
            Some(Kind::Table(table)) => {
                check_table(&lab, &table, &text, &place);
                results += 1;
            }
            Some(Kind::Console) => results += check_console(&lab, &text, &place),
            Some(Kind::Fragment(kind)) => check_fragment(kind, &text, &place),
            None => panic!("{place}: nothing checks the block '{info}': tests/tests/it/docs/mod.rs has what it may be"),
        }
    }
    for folder in pipelines {
        let _ = Run::of(lab.command(["check", &folder])).expect_code(0);
    }
    assert!(results > 0, "{page} shows no result");
}

fn check_table(lab: &Lab, table: &TableRef, text: &str, place: &str) {
    let mut lines = text.lines().map(printed::cells);
    let columns = lines.next().unwrap_or_else(|| panic!("{place}: the table has no header"));
    let line = |cells: Vec<&str>| {
        assert_eq!(cells.len(), columns.len(), "{place}: the header has other columns than {cells:?}");
        cells.join("|")
    };
    let mut expected: Vec<String> = lines.map(line).collect();
    expected.sort_unstable();
    assert_eq!(rows(lab, &table.to_string(), &columns), expected, "{place}: {table}");
}

/// Runs the commands of a block, and compares what they print where the page shows it. Returns how often it does.
fn check_console(lab: &Lab, text: &str, place: &str) -> usize {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut rest = lines.as_slice();
    let mut compared = 0;
    while let Some((command, others)) = rest.split_first() {
        let Some(words) = command.strip_prefix("$ sluice ") else {
            panic!("{place}: `{command}` is not a command of sluice");
        };
        let until = others.iter().position(|line| line.starts_with("$ ")).unwrap_or(others.len());
        let (shown, next) = others.split_at(until);
        let run = Run::of(lab.command(words.split_whitespace())).expect_code(0);
        if !shown.is_empty() {
            let lines: Vec<&str> = run.stdout.trim_end().lines().map(str::trim_end).collect();
            assert!(printed::fits(shown, &lines), "{place}: `{command}` prints other lines:\n{run}");
            compared += 1;
        }
        rest = next;
    }
    compared
}

/// Reads parts of specs as a spec is read.
fn check_fragment(kind: Fragment, text: &str, place: &str) {
    for fragment in text.split("---\n") {
        let whole = blocks::whole(kind, fragment);
        if let Err(error) = PipelineSpec::parse(&whole, place) {
            panic!("{error}\n{whole}");
        }
    }
}

#[test]
fn every_page_about_sources_and_tables_is_checked() {
    let folders = ["docs/sources", "docs/tables"].map(|folder| repository().join(folder));
    let on_disk = folders.iter().flat_map(|folder| entries(folder));
    let on_disk = on_disk.map(|path| path.strip_prefix(repository()).unwrap().display().to_string());
    let on_disk: BTreeSet<String> =
        on_disk.chain(["docs/lineage.md", "pipelines/README.md"].map(str::to_owned)).collect();
    let checked: BTreeSet<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    assert_eq!(checked, on_disk);
}

/// The keys of objects at any depth of a schema, each with whether it has a description.
fn keys_of(schema: &Value, found: &mut Vec<(String, bool)>) {
    match schema {
        Value::Object(parts) => {
            if let Some(Value::Object(properties)) = parts.get("properties") {
                for (key, part) in properties {
                    found.push((key.clone(), part.get("description").is_some()));
                }
            }
            parts.values().for_each(|part| keys_of(part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| keys_of(part, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_a_spec_is_described_in_an_editor_and_on_a_page() {
    let mut keys = Vec::new();
    keys_of(&serde_json::to_value(spec::json_schema()).unwrap(), &mut keys);
    assert!(keys.len() > 60, "only {} keys were found", keys.len());
    let pages = PAGES.iter().chain(&["docs/engines.md"]);
    let text: String = pages.map(|page| fs::read_to_string(repository().join(page)).unwrap()).collect();
    for (key, is_described) in keys {
        assert!(is_described, "`{key}` has no description in the JSON Schema: write a doc comment");
        let named = Regex::new(&format!(r"`[^`\n]*\b{key}\b[^`\n]*`")).unwrap();
        assert!(named.is_match(&text), "`{key}` is on no page");
    }
}
