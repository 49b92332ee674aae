//! Columns that are a key of the sample.

use std::collections::HashSet;

use super::column::{Column, Read};
use super::hints;
use crate::contract::ColumnType;

/// Columns of which pairs are tried.
const PAIRED: usize = 6;
/// Words of names of columns that are the second part of a key.
const SECOND: [&str; 10] = ["line", "item", "position", "pos", "seq", "sequence", "row", "date", "day", "language"];

/// The columns, by index, that are unique and never null in at least two records and named like a key: one, or two.
pub(super) fn find(columns: &[Column<'_>], reads: &[Read], nulls: &[usize]) -> Vec<usize> {
    let is_whole = |index: &usize| {
        let (Some(column), Some(read)) = (columns.get(*index), reads.get(*index)) else { return false };
        nulls.get(*index) == Some(&0)
            && column.missing_in.is_empty()
            && read.refused.is_empty()
            && !matches!(read.column_type, ColumnType::Double | ColumnType::Boolean)
    };
    let name = |index: &usize| columns.get(*index).map_or("", |column| column.name.as_str());
    let whole: Vec<usize> = (0..columns.len()).filter(is_whole).collect();
    let named: Vec<usize> = whole.iter().copied().filter(|index| hints::is_key(name(index))).collect();
    if let Some(only) = named.iter().find(|index| is_unique(columns, &[**index])) {
        return vec![*only];
    }
    let is_second = |index: &usize| name(index).split('_').any(|word| SECOND.contains(&word));
    let seconds: Vec<usize> = whole.iter().copied().filter(|index| is_second(index) || named.contains(index)).collect();
    for first in named.iter().take(PAIRED) {
        for second in seconds.iter().filter(|second| *second != first).take(PAIRED) {
            if is_unique(columns, &[*first, *second]) {
                return vec![*first, *second];
            }
        }
    }
    Vec::new()
}

fn is_unique(columns: &[Column<'_>], indexes: &[usize]) -> bool {
    let chosen: Vec<&Column<'_>> = indexes.iter().filter_map(|index| columns.get(*index)).collect();
    let rows = chosen.first().map_or(0, |column| column.cells.len());
    let mut seen = HashSet::with_capacity(rows);
    rows >= 2 && (0..rows).all(|row| seen.insert(chosen.iter().map(|column| column.cells.get(row)).collect::<Vec<_>>()))
}
