//! The front of a CSV text: where its table begins, and what the columns are called.

use super::csv::Candidate;
use super::header::{self, judge, names_instead, names_of};
use super::rulers;
use super::split::{Cell, Marks, Row, rows};
use crate::spec::{CsvHeader, CsvSpec};

/// Most lines before a header that a spec can skip.
const MAX_SKIPPED_LINES: usize = 1000;
/// Most lines of a title above a header that have as many fields as the table.
const TITLE_LINES: usize = 10;

/// Where the table begins.
pub(super) struct Front {
    /// Index of the first record of the table, which may be its header.
    pub(super) first: usize,
    pub(super) width: usize,
    pub(super) spec: CsvSpec,
    pub(super) reason: String,
}

/// Where the table begins, and what its columns are called.
pub(super) fn front(text: &str, candidate: &Candidate) -> Front {
    let Candidate { marks, rows: records, shape } = candidate;
    let width_of = |row: &Row| row.width(shape.drops_end);
    let mut spec = CsvSpec::default();
    let (mut first, mut width) =
        (records.iter().position(|row| width_of(row) == shape.width).unwrap_or(0), shape.width);
    // Records that lack values at their end are shorter than the header.
    let widest = records.iter().map(width_of).max().unwrap_or(width);
    let is_wide_header =
        |row: &Row| width_of(row) == widest && row.cells.iter().all(|cell| !cell.is_empty() && !header::is_typed(cell));
    if widest > width
        && let Some(index) = records.iter().take(first + 1).position(is_wide_header)
    {
        (first, width) = (index, widest);
    }
    first = below_padded_title(records, first, width).unwrap_or(first);
    first = below_title(records, first, width, shape.drops_end).unwrap_or(first);
    let Some(row) = records.get(first) else {
        return Front { first, width, spec, reason: "no record".to_owned() };
    };
    let below = records.get(first + 1..).unwrap_or_default();
    if let Some(ruler) = below.first().filter(|below| rulers::is_under(row, below)) {
        let cells: Vec<&str> = row.cells.iter().take(width).map(|cell| cell.text.as_str()).collect();
        (spec.header, spec.names) = (CsvHeader::Absent, Some(names_of(&cells)));
        spec.skip_lines = lines(ruler.line + 1);
        let reason = "the line under the names is a ruler, so that names and ruler are skipped".to_owned();
        return Front { first: first + 1, width, spec, reason };
    }
    let judgement = judge(row, below);
    let above = match (judgement.is_header, judgement.is_assumed) {
        (false, _) => row_names(candidate, first).or_else(|| names_in_comment(text, candidate, first)),
        // Where all values are texts, a record that is shorter by one is a header that names no names of rows.
        (true, true) if shape.width > 2 => row_names(candidate, first),
        (true, _) => None,
    };
    if let Some(names) = above {
        spec.header = CsvHeader::Absent;
        spec.skip_lines = if marks.comment.is_some() && first == 0 { 0 } else { lines(row.line) };
        spec.names = Some(names.names);
        return Front { first: first.saturating_sub(1), width, spec, reason: names.reason };
    }
    spec.skip_lines = if first == 0 { 0 } else { lines(row.line) };
    if judgement.is_header {
        let cells: Vec<&str> = row.cells.iter().take(width).map(|cell| cell.text.as_str()).collect();
        spec.names = names_instead(&cells);
    } else {
        spec.header = CsvHeader::Absent;
    }
    Front { first, width, spec, reason: judgement.reason }
}

/// The header below a title that has as many fields as the table by chance, as in `Report:;2024`.
fn below_title(records: &[Row], first: usize, width: usize, drops_end: bool) -> Option<usize> {
    let is_header = |index: &usize| {
        let (Some(row), Some(below)) = (records.get(*index), records.get(*index + 1..)) else { return false };
        let mut above = records.iter().take(*index).skip(first);
        row.width(drops_end) == width
            && header::is_clear(row, below, width)
            && above.all(|title| header::is_title(title, row, below))
    };
    (first + 1..=first + TITLE_LINES).find(is_header)
}

/// The header below a title that a spreadsheet has filled up with delimiters: records with a text in their first field
/// or nothing, above one with a name in each field.
fn below_padded_title(records: &[Row], first: usize, width: usize) -> Option<usize> {
    let is_blank = |cell: &Cell| cell.text.trim().is_empty();
    let is_title = |row: &&Row| {
        let mut cells = row.cells.iter();
        let is_text = cells.next().is_some_and(|cell| is_blank(cell) || !header::is_typed(cell));
        is_text && cells.all(is_blank)
    };
    let titles = records.iter().skip(first).take(TITLE_LINES).take_while(is_title).count();
    let index = first + titles;
    let (row, below) = (records.get(index)?, records.get(index + 1..)?);
    let is_header = || {
        let are_names = row.cells.iter().take(width).all(|cell| is_name(&cell.text));
        let is_one = || header::is_clear(row, below, width) || (width > 2 && judge(row, below).is_header);
        are_names && row.cells.len() >= width && is_one()
    };
    // A table whose records have one value each shows nothing.
    let has_full = || below.iter().any(|row| row.cells.iter().filter(|cell| !is_blank(cell)).count() >= width);
    (width > 1 && titles > 0 && is_header() && has_full()).then_some(index)
}

fn lines(line: usize) -> u32 {
    if line > MAX_SKIPPED_LINES { 0 } else { u32::try_from(line).unwrap_or_default() }
}

/// Names of columns that stand above the records in another form than a header.
struct NamesAbove {
    names: Vec<String>,
    reason: String,
}

fn is_name(text: &str) -> bool {
    let cell = Cell { text: text.to_owned(), is_quoted: true };
    !text.trim().is_empty() && !header::is_typed(&cell)
}

/// Names in a header without a name above the names of rows, as R writes it.
fn row_names(candidate: &Candidate, first: usize) -> Option<NamesAbove> {
    let above = candidate.rows.get(first.checked_sub(1)?)?;
    let names: Vec<&str> = above.cells.iter().map(|cell| cell.text.trim()).collect();
    if names.len() + 1 != candidate.shape.width || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    let names: Vec<&str> = ["row_name"].into_iter().chain(names).collect();
    let names = names_instead(&names).unwrap_or_else(|| names.iter().map(|name| (*name).to_owned()).collect());
    let reason = "the header has one name less than the records have fields: the first are the names of rows";
    Some(NamesAbove { names, reason: reason.to_owned() })
}

/// Names in the last comment before the records.
fn names_in_comment(text: &str, candidate: &Candidate, first: usize) -> Option<NamesAbove> {
    let Candidate { marks, rows: records, shape } = candidate;
    let first_row = records.get(first)?;
    let comment = marks.comment.map(char::from)?;
    let line = text.lines().nth(first_row.line.checked_sub(1)?)?.strip_prefix(comment)?.trim_start_matches(comment);
    let header = rows(line.trim(), Marks { comment: None, ..*marks });
    let names: Vec<&str> = header.first()?.cells.iter().map(|cell| cell.text.trim()).collect();
    if names.len() != shape.width || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    let names = names_instead(&names).unwrap_or_else(|| names.iter().map(|name| (*name).to_owned()).collect());
    Some(NamesAbove { names, reason: "the last comment before the records has the names".to_owned() })
}
