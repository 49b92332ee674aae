//! Keeps the tables of `docs/errors.md` equal to the types. This crate is the lowest that has both kinds of names.

use std::fs;

use sluice_core::error::ErrorName;
use sluice_core::failure::MachineError;

use crate::ProblemCode;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");

/// The committed page has the tables of the types; `SLUICE_UPDATE=1` writes them again.
#[test]
fn the_tables_of_the_committed_page_are_those_of_the_types() {
    let committed = fs::read_to_string(PAGE).unwrap();
    let page = with_table(&committed, "step errors", &step_errors());
    let page = with_table(&page, "state machine errors", &machine_errors());
    let page = with_table(&page, "problem codes", &problem_codes());
    if std::env::var_os("SLUICE_UPDATE").is_some() {
        fs::write(PAGE, &page).unwrap();
    } else {
        assert!(committed == page, "docs/errors.md is stale: SLUICE_UPDATE=1 cargo test -p sluice-http");
    }
}

/// The page with this table between the two comments that name it.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->\n"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no {end}"));
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn step_errors() -> String {
    let rows = ErrorName::ALL.map(|name| {
        let again = if name.is_retryable() { "may succeed" } else { "fails again" };
        format!("| `{name}` | {} | {again} | {} |\n", name.meaning(), sentence(name.next_step()))
    });
    format!("| name | meaning | the same call again | next step |\n|---|---|---|---|\n{}", rows.concat())
}

fn machine_errors() -> String {
    let rows =
        MachineError::ALL.map(|name| format!("| `{name}` | {} | {} |\n", name.meaning(), sentence(name.next_step())));
    format!("| name | meaning | next step |\n|---|---|---|\n{}", rows.concat())
}

fn problem_codes() -> String {
    let rows = ProblemCode::ALL.map(|code| {
        let status = code.status().as_u16();
        format!("| `{code}` | {status} | {} | {} |\n", sentence(code.title()), sentence(code.next_step()))
    });
    format!("| code | status | meaning | next step |\n|---|---|---|---|\n{}", rows.concat())
}

/// A phrase with a capital and a full stop.
fn sentence(phrase: &str) -> String {
    let mut characters = phrase.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}
