//! What has changed between two profiles of one file or table.
//!
//! A change is reported where a person would want to know of it, not where a number differs: every delivery differs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::values::ALL_LISTED;
use super::{ColumnProfile, Frequent, Profile};
use crate::columns::is_own_of_bronze;
use crate::contract::ColumnType;

/// Percentage points by which the share of nulls must differ.
const NULL_POINTS: f64 = 5.0;
/// How many times more or fewer rows are a change.
const ROW_FACTOR: u64 = 2;
/// A range of numbers is shifted where it goes beyond the earlier one by more than this part of its width.
const WIDTH_PART: f64 = 0.5;
/// Values that a message names.
const NAMED: usize = 5;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// At least twice as many rows, or at most half.
    Rows,
    /// A column is new.
    NewColumn,
    /// A column is missing.
    LostColumn,
    /// A column has another type.
    Type,
    /// The share of nulls differs by at least 5 percentage points, or nulls are new.
    Nulls,
    /// A column with at most 50 different values has others than before.
    NewValues,
    /// One of at most 50 values no longer occurs.
    LostValues,
    /// Every value occurred once, and some occur more often now.
    NotUnique,
    /// Values are beyond the earlier range.
    Range,
    /// Most values have another pattern.
    Pattern,
}

/// A change, with what it is in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The column; `None`: the whole file or table.
    pub column: Option<String>,
    /// What has changed.
    pub kind: ChangeKind,
    /// Before and now, in a sentence.
    pub text: String,
}

/// What has changed from an earlier profile to this one, in the order of the columns.
pub fn compare(before: &Profile, now: &Profile) -> Vec<Change> {
    let mut changes = Changes { column: None, found: Vec::new() };
    let (earlier, rows) = (before.rows, now.rows);
    let is_other = rows >= earlier.saturating_mul(ROW_FACTOR) || rows.saturating_mul(ROW_FACTOR) <= earlier;
    if rows != earlier && is_other {
        changes.add(ChangeKind::Rows, format!("{rows} rows, {earlier} before"));
    }
    // Where rows come from is another place with every delivery.
    let is_of_data = |column: &&ColumnProfile| !is_own_of_bronze(&column.name);
    for column in now.columns.iter().filter(is_of_data) {
        changes.column = Some(column.name.clone());
        match before.columns.iter().find(|earlier| earlier.name == column.name) {
            Some(earlier) => changes.compare((earlier, before.rows), (column, now.rows)),
            None => changes.add(ChangeKind::NewColumn, format!("a new column of type {}", column.column_type)),
        }
    }
    let is_lost = |earlier: &&ColumnProfile| !now.columns.iter().any(|column| column.name == earlier.name);
    for lost in before.columns.iter().filter(is_of_data).filter(is_lost) {
        changes.column = Some(lost.name.clone());
        changes.add(ChangeKind::LostColumn, "the column no longer exists".to_owned());
    }
    changes.found
}

/// A column, and the rows of its table.
type Side<'p> = (&'p ColumnProfile, u64);

struct Changes {
    column: Option<String>,
    found: Vec<Change>,
}

impl Changes {
    fn add(&mut self, kind: ChangeKind, text: String) {
        self.found.push(Change { column: self.column.clone(), kind, text });
    }

    fn compare(&mut self, before: Side<'_>, now: Side<'_>) {
        self.compare_nulls(before, now);
        let ((earlier, earlier_rows), (column, rows)) = (before, now);
        if earlier.values(earlier_rows) == 0 || column.values(rows) == 0 {
            return;
        }
        if earlier.column_type != column.column_type {
            // Ranges and values of two types are not comparable.
            self.add(ChangeKind::Type, format!("type {}, {} before", column.column_type, earlier.column_type));
            return;
        }
        self.compare_values(earlier, column);
        if earlier.is_unique(earlier_rows) && column.distinct_is_exact && !column.is_unique(rows) {
            let (values, distinct) = (column.values(rows), column.distinct);
            self.add(ChangeKind::NotUnique, format!("no longer unique: {values} values, {distinct} of them different"));
        }
        // Ids grow.
        let are_ids = earlier.is_unique(earlier_rows)
            && matches!(column.column_type, ColumnType::Int32 | ColumnType::Int64)
            && column.is_unique(rows);
        if !are_ids {
            self.compare_ranges(earlier, column);
        }
        self.compare_patterns(before, now);
    }

    fn compare_nulls(&mut self, (earlier, earlier_rows): Side<'_>, (column, rows): Side<'_>) {
        if earlier_rows == 0 || rows == 0 {
            return;
        }
        let (share_before, share) = (percent(earlier.nulls, earlier_rows), percent(column.nulls, rows));
        let is_new = earlier.nulls == 0 && column.nulls > 0;
        if is_new || (share - share_before).abs() >= NULL_POINTS {
            self.add(ChangeKind::Nulls, format!("{share:.1} % null, {share_before:.1} % before"));
        }
    }

    fn compare_values(&mut self, earlier: &ColumnProfile, column: &ColumnProfile) {
        let is_listed = |column: &ColumnProfile| column.distinct_is_exact && column.distinct <= ALL_LISTED as u64;
        // Where every value is another one, new ones say nothing.
        let repeats = |column: &ColumnProfile| column.top.iter().any(|value| value.count > 1);
        if !is_listed(earlier) || !repeats(earlier) {
            return;
        }
        let (old, new) = (texts(&earlier.top), texts(&column.top));
        let added: Vec<&str> = new.difference(&old).copied().collect();
        if !added.is_empty() && is_listed(column) {
            self.add(ChangeKind::NewValues, format!("new values: {}", listed(&added)));
        } else if !is_listed(column) {
            let (distinct, before) = (column.distinct, earlier.distinct);
            let about = if column.distinct_is_exact { "" } else { "about " };
            self.add(ChangeKind::NewValues, format!("{about}{distinct} different values, {before} before"));
            return;
        }
        let lost: Vec<&str> = old.difference(&new).copied().collect();
        if !lost.is_empty() {
            self.add(ChangeKind::LostValues, format!("values that no longer occur: {}", listed(&lost)));
        }
    }

    fn compare_ranges(&mut self, earlier: &ColumnProfile, column: &ColumnProfile) {
        let (Some(old_least), Some(old_greatest)) = (&earlier.least, &earlier.greatest) else { return };
        let (Some(least), Some(greatest)) = (&column.least, &column.greatest) else { return };
        let is_shifted = match column.column_type {
            ColumnType::Int32 | ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. } => {
                is_beyond([old_least, old_greatest], [least, greatest])
            }
            // Later days are what one expects; earlier ones are late, or wrong.
            ColumnType::Date | ColumnType::Timestamp => least < old_least,
            ColumnType::Text | ColumnType::Boolean | ColumnType::Array(_) | ColumnType::Object(_) => false,
        };
        if is_shifted {
            self.add(ChangeKind::Range, format!("{least} to {greatest}, {old_least} to {old_greatest} before"));
        }
    }

    fn compare_patterns(&mut self, (earlier, earlier_rows): Side<'_>, (column, rows): Side<'_>) {
        // A number has as many digits as it needs.
        if column.column_type != ColumnType::Text {
            return;
        }
        let (Some(old), Some(new)) = (most((earlier, earlier_rows)), most((column, rows))) else { return };
        if old.value != new.value {
            self.add(ChangeKind::Pattern, format!("most values are like `{}`, like `{}` before", new.value, old.value));
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

fn texts(values: &[Frequent]) -> BTreeSet<&str> {
    values.iter().map(|value| value.value.as_str()).collect()
}

fn listed(values: &[&str]) -> String {
    let mut named: Vec<String> = values.iter().take(NAMED).map(|value| format!("`{value}`")).collect();
    if values.len() > NAMED {
        named.push(format!("and {} more", values.len() - NAMED));
    }
    named.join(", ")
}

/// Whether a range of numbers goes beyond the earlier one by more than half of its width.
fn is_beyond(old: [&String; 2], new: [&String; 2]) -> bool {
    let number = |text: &String| text.parse::<f64>().ok();
    let ([Some(old_least), Some(old_greatest)], [Some(least), Some(greatest)]) = (old.map(number), new.map(number))
    else {
        return false;
    };
    let margin = (old_greatest - old_least) * WIDTH_PART;
    least < old_least - margin || greatest > old_greatest + margin
}

/// The pattern that more than half of the values have.
fn most((column, rows): Side<'_>) -> Option<&Frequent> {
    column.patterns.first().filter(|pattern| pattern.count.saturating_mul(2) > column.values(rows))
}
