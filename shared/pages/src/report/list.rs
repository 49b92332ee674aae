//! Tables of a report, which is stored with its run, and so is smaller than a page of the console.

pub(super) use crate::grid::Cell;
use crate::grid::{Bound, bounded_table};
use crate::html::Html;

/// What a table may have. A report has at most twelve tables and two pictures.
const BOUND: Bound = Bound { rows: 200, bytes: 60_000 };

/// Adds a table of `total` rows, of which those that fit are written, and a line that says how many were left out. A
/// title that begins with `>` is that of a column of numbers.
pub(super) fn table(
    html: &mut Html,
    caption: &str,
    titles: &[&str],
    total: u64,
    rows: impl IntoIterator<Item = Vec<Cell>>,
) {
    bounded_table(html, BOUND, (caption, titles), total, rows);
}
