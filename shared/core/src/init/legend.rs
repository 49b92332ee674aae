//! Lines behind the last blank line of a CSV text that are no records: legends, sources, rights.

use super::csv::Candidate;
use super::header::is_typed;
use super::split::{Cell, MAX_ROWS, Row};
use super::{rulers, split};
use crate::spec::CsvSpec;

/// Most lines that a spec can leave out.
const MAX_LINES: usize = 1000;

/// The lines at the end of a text that are no records of its table.
pub(super) struct Tail {
    /// Lines of the text before them.
    line: usize,
    /// Lines that are not blank.
    count: usize,
    /// The first of them.
    first: String,
    /// What it begins with and no record does; `None` where the lines may be records that are too short.
    begin: Option<String>,
}

impl Tail {
    /// The lines behind a blank line at the end, where each has fewer fields than the table and none counts it.
    pub(super) fn of(text: &str, Candidate { marks, rows, .. }: &Candidate, width: usize) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let is_blank = |line: &str| line.trim().is_empty();
        let end = lines.iter().rposition(|line| !is_blank(line))?;
        let blank = lines.get(..end)?.iter().rposition(|line| is_blank(line))?;
        let line = blank + 1;
        let (table, tail) = (lines.get(..blank)?, lines.get(line..=end)?);
        if tail.len() > MAX_LINES || tail.iter().any(|line| rulers::is_drawn(line.trim())) {
            return None;
        }
        let (records, seen) = rows.split_at_checked(rows.partition_point(|row| row.line < line))?;
        // The last records of a long text are not among these. A field in quotes may have the blank line in it.
        let is_seen = seen.len() == tail.len() || (seen.is_empty() && rows.len() == MAX_ROWS);
        let quote = char::from(marks.quote);
        let behind = split::rows(&tail.join("\n"), *marks);
        let are_short = behind.len() == tail.len() && behind.iter().all(|row| row.cells.len() < width);
        let full = records.iter().filter(|row| row.cells.len() >= width).count();
        if !is_seen || !are_short || full < 2 || tail.iter().any(|line| line.contains(quote)) {
            return None;
        }
        let first = (*tail.first()?).to_owned();
        let begin = is_remark(behind.first()?).then(|| beginning(&first, table)).flatten();
        Some(Self { line, count: tail.len(), first, begin })
    }

    /// The records of the table.
    pub(super) fn records_before<'r>(&self, rows: &'r [Row]) -> &'r [Row] {
        rows.get(..rows.partition_point(|row| row.line < self.line)).unwrap_or(rows)
    }
}

/// Whether a record is a sentence or a label with what it means, and no value.
fn is_remark(row: &Row) -> bool {
    let is_worded = |cell: &Cell| cell.text.trim().contains([' ', ':']) && !is_typed(cell);
    row.cells.first().is_some_and(is_worded)
}

/// The first word of a line, which begins no line of the table.
fn beginning(line: &str, table: &[&str]) -> Option<String> {
    let word = line.split_whitespace().next()?;
    let is_free = line.starts_with(word) && !table.iter().any(|line| line.starts_with(word));
    is_free.then(|| word.to_owned())
}

/// Leaves the lines out, where they are clear, and says so.
pub(super) fn leave_out(tail: Tail, spec: &mut CsvSpec) -> String {
    let Tail { count, first, begin, .. } = tail;
    let shown: String = first.trim().chars().take(40).collect();
    let Some(begin) = begin else {
        return format!("ragged quarantine: the last {count} lines, behind a blank one, are short, such as `{shown}`");
    };
    spec.skip_last_lines = u32::try_from(count).unwrap_or_default();
    spec.last_lines_begin = Some(begin);
    format!(
        "skip_last_lines {count}: what follows the last blank line is no record, such as `{shown}`; a file without \
         such lines is held"
    )
}
