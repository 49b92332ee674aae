//! The header of a CSV text: whether a record is one, and the names in it.

use std::collections::BTreeSet;

use super::numbers::{SIGNS, number};
use super::split::{Cell, Row};
use super::{times, words};
use crate::columns::{folded_name, is_own_of_bronze};
use crate::spec::CsvSpec;

/// Longest name of a column that is kept, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// Whether the first record of a table is its header, and why.
pub(super) struct Judgement {
    pub(super) is_header: bool,
    /// Whether nothing but texts was found, so that it may be wrong.
    pub(super) is_assumed: bool,
    pub(super) reason: String,
}

/// Records below the first one that are read to judge it.
const JUDGES: usize = 100;

/// Judges the first record by those below it.
pub(super) fn judge(first: &Row, below: &[Row]) -> Judgement {
    let yes = |reason: String| Judgement { is_header: true, is_assumed: false, reason };
    let no = |reason: String| Judgement { is_header: false, is_assumed: false, reason };
    if are_years(first) {
        return yes("its numbers are years in a row".to_owned());
    }
    let (mut names, mut typed_cells) = (Vec::new(), Vec::new());
    for (column, cell) in first.cells.iter().enumerate() {
        let text = cell.text.trim();
        let is_typed_column = is_typed_column(first, below, column);
        if is_typed(cell) && (is_typed_column || values(first, below, column).next().is_none()) {
            typed_cells.push(text);
        } else if is_typed_column && !is_typed(cell) && !text.is_empty() && !words::may_be_null(text) {
            names.push(text);
        }
    }
    if let Some(value) = typed_cells.first().filter(|_| typed_cells.len() >= names.len()) {
        return no(format!("`{value}` is a value, and no name"));
    }
    if let Some(name) = names.first() {
        return yes(format!("below `{name}` are numbers, dates or truth values"));
    }
    for (column, cell) in first.cells.iter().enumerate() {
        let text = cell.text.trim();
        if !text.is_empty() && values(first, below, column).any(|value| value.text == cell.text) {
            return no(format!("`{text}` occurs again in its column"));
        }
    }
    let reason = "assumed: all values are texts, and none of the first record occurs again".to_owned();
    Judgement { is_header: true, is_assumed: true, reason }
}

/// Whether most values of a column are numbers, dates or truth values.
fn is_typed_column(first: &Row, below: &[Row], column: usize) -> bool {
    let (mut typed, mut all) = (0_usize, 0_usize);
    for cell in values(first, below, column) {
        all += 1;
        typed += usize::from(is_typed(cell));
    }
    all > 0 && typed * 5 >= all * 4
}

/// Whether a record is a header without doubt: names alone, all different, and values of a type below some of them.
pub(super) fn is_clear(row: &Row, below: &[Row], width: usize) -> bool {
    let mut seen = BTreeSet::new();
    let is_name = |cell: &Cell| {
        let text = cell.text.trim();
        !text.is_empty() && !is_typed(cell) && !words::may_be_null(text)
    };
    let are_names =
        row.cells.iter().take(width).all(|cell| is_name(cell) && seen.insert(folded_name(cell.text.trim())));
    are_names && (0..width).any(|column| is_typed_column(row, below, column))
}

/// Whether a record above a clear header belongs to a title: it has a label with a colon before something else, or a
/// value of a type and a text in a column of values of a type. Names may all end with a colon.
pub(super) fn is_title(row: &Row, header: &Row, below: &[Row]) -> bool {
    let is_label = |cell: &Cell| cell.text.trim().ends_with(':');
    let is_odd = |(column, cell): (usize, &Cell)| {
        !cell.text.trim().is_empty() && !is_typed(cell) && is_typed_column(header, below, column)
    };
    let has_label = row.cells.iter().any(is_label) && !row.cells.iter().all(is_label);
    has_label || (row.cells.iter().any(is_typed) && row.cells.iter().enumerate().any(is_odd))
}

/// Values of a column. A header that is repeated, where files were joined, says nothing about them.
fn values<'r>(first: &'r Row, below: &'r [Row], column: usize) -> impl Iterator<Item = &'r Cell> {
    let rows = below.iter().take(JUDGES).filter(move |row| row.cells != first.cells);
    rows.filter_map(move |row| row.cells.get(column)).filter(|cell| !cell.text.trim().is_empty())
}

/// Whether a text is a number, a day, an instant or a truth value.
pub(super) fn is_typed(cell: &Cell) -> bool {
    let text = cell.text.trim();
    SIGNS.iter().any(|signs| number(text, *signs).is_some())
        || times::is_iso_instant(text)
        || text.eq_ignore_ascii_case("true")
        || text.eq_ignore_ascii_case("false")
        || !times::patterns_of(text).is_empty()
}

/// Names of columns as tables of statistics have them: `Country`, `2019`, `2020`, `2021`.
fn are_years(first: &Row) -> bool {
    let years: Vec<u32> = first.cells.iter().filter_map(|cell| cell.text.trim().parse().ok()).collect();
    let in_a_row = years.iter().zip(years.iter().skip(1)).all(|(year, next)| *next == year + 1);
    years.len() >= 2 && in_a_row && years.iter().all(|year| (1800..=2200).contains(year))
}

/// Names for the columns of a header where it has some that a reader cannot map: repeated ones, those of lineage, and
/// such that cannot be kept. `None`: the header's own do.
pub(super) fn names_instead(header: &[&str]) -> Option<Vec<String>> {
    let names = names_of(header);
    let mut pairs = names.iter().zip(header.iter().map(|name| name.trim()));
    let same = pairs.all(|(name, given)| given.is_empty() || name == given);
    (!same).then_some(names)
}

/// A name for each column of a header: its own where that can be mapped.
pub(super) fn names_of(header: &[&str]) -> Vec<String> {
    let trimmed: Vec<&str> = header.iter().map(|name| name.trim()).collect();
    let mut names: Vec<String> = Vec::with_capacity(trimmed.len());
    for (position, name) in (1..).zip(&trimmed) {
        let wanted = if name.is_empty() { CsvSpec::generated_name(position) } else { cleaned(name, position) };
        let mut free = wanted.clone();
        // Those that come later keep the names that only they have.
        let is_taken = |free: &str, names: &[String]| {
            let folded = folded_name(free);
            let before = names.iter().any(|earlier| folded_name(earlier) == folded);
            before || (free != wanted && trimmed.iter().any(|other| folded_name(other) == folded))
        };
        while is_taken(&free, &names) {
            free = format!("{free}_{position}");
        }
        names.push(free);
    }
    names
}

/// A name that bronze can have.
fn cleaned(name: &str, position: usize) -> String {
    let is_kept = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let mut kept: String = name.chars().filter(is_kept).collect();
    while kept.len() > MAX_NAME_BYTES - 8 {
        kept.pop();
    }
    let kept = kept.trim();
    let kept = if is_own_of_bronze(&folded_name(kept)) { kept.trim_start_matches('_') } else { kept };
    if kept.is_empty() { CsvSpec::generated_name(position) } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::split::{Marks, rows};

    #[test]
    fn the_first_record_is_a_header_where_the_others_say_so() {
        let check = |text: &str, expected: bool| {
            let rows = rows(text, Marks { delimiter: b',', quote: b'"', comment: None, escape: None });
            let (first, below) = rows.split_first().expect("a record");
            let judgement = judge(first, below);
            assert_eq!(judgement.is_header, expected, "{text:?}: {}", judgement.reason);
        };
        check("id,name\n1,a\n2,b\n", true);
        check("1,a\n2,b\n", false);
        check("name,city\nAnn,Bonn\n", true);
        check("Ann,Bonn\nBob,Bonn\n", false);
        check("Country,2019,2020,2021\nFR,1,2,3\n", true);
        check("a,2024-01-05\nb,2024-01-06\n", false);
        check(",x\n0,a\n1,b\n", true);
        check("id,name\n1,a\nid,name\n2,b\n", true);
        check("day,amount\n", true);
        check("1,2\n", false);
    }

    #[test]
    fn a_title_is_no_record_of_the_table() {
        let check = |text: &str, expected: bool| {
            let rows = rows(text, Marks { delimiter: b';', quote: b'"', comment: None, escape: None });
            let (Some(title), Some(header)) = (rows.first(), rows.get(1)) else { panic!("two records") };
            let below = rows.get(2..).unwrap_or_default();
            let found = is_clear(header, below, 2) && is_title(title, header, below);
            assert_eq!(found, expected, "{text:?}");
        };
        check("Report:;2024\nid;amount\n1;2\n3;4\n", true);
        check("Sales;2024\nid;amount\n1;2\n3;4\n", true);
        check("Stand:;gestern\nname;amount\nAnn;2\nBob;4\n", true);
        // Records of a file without header, one with a broken value.
        check("1;a\nabc;b\n2;c\n3;d\n", false);
        check("1;a\n2;b\n3;c\n", false);
        check("Name:;City:\nAnn;Bonn\nBob;Ulm\n", false);
        check("Name:;Amount:\nAnn;open\nBob;2\nEve;4\n", false);
        check("Country;2019\nFR;1\nDE;2\n", false);
        check("id;unit\nn/a;kg\n1;kg\n", false);
    }

    #[test]
    fn names_that_cannot_be_mapped_get_others() {
        let check = |header: &[&str], expected: Option<&[&str]>| {
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            assert_eq!(names_instead(header), expected, "{header:?}");
        };
        check(&["a", " b ", ""], None);
        check(&["a", "A", ""], Some(&["a", "A_2", "column_3"]));
        check(&["a", "a", "a_2"], Some(&["a", "a_2_2", "a_2"]));
        check(&["_source_row", "b"], Some(&["source_row", "b"]));
        check(&["a\u{1b}", "b"], Some(&["a", "b"]));
        let long = "e".repeat(256);
        let lengths = names_instead(&[long.as_str()]).map(|names| names.iter().map(String::len).collect::<Vec<_>>());
        assert_eq!(lengths, Some(vec![247]));
    }
}
