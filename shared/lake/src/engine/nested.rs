//! Values inside columns that hold JSON: what a mapping reads by a path becomes a column of texts, before it is read as
//! the contract says.

use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame, IntoColumn, PlSmallStr, PolarsResult, StringChunkedBuilder};
use sluice_core::name::ColumnName;
use sluice_core::path::PathStep;
use sluice_core::pipeline::SilverTable;

use crate::source::{NestedText, NoValue};

/// Characters that are kept of a text that a path does not fit: it may be a whole record, and each column that is read
/// from it keeps one.
const MISFIT_CHARS: usize = 200;

/// The columns of a silver table that are read by a path.
pub(super) struct NestedColumns {
    /// By the column of bronze, whose texts are parsed once for all of them.
    by_source: BTreeMap<String, Vec<ParentValue>>,
    /// See [`Self::paths_met`].
    paths_met: BTreeMap<ColumnName, bool>,
}

/// A value inside a column of bronze, which is parsed once for all columns that are read from it.
struct ParentValue {
    /// The way to it; no step where it is the value of the column itself.
    steps: Vec<PathStep>,
    columns: Vec<NestedColumn>,
}

struct NestedColumn {
    name: ColumnName,
    /// From the parent to the value.
    last: PathStep,
    null_words: Vec<String>,
}

/// Name of the column with the texts at the path of a mapped column. Columns of a source have no control characters in
/// their names, so none has this one.
pub(super) fn text_name(column: &str) -> String {
    format!("\u{1}text of {column}")
}

/// Name of the column with the texts of bronze that the path of a mapped column does not fit, as far as they are kept;
/// null where it does.
pub(super) fn misfit_name(column: &str) -> String {
    format!("\u{1}misfit of {column}")
}

impl NestedColumns {
    /// Those of a table.
    pub(super) fn of(table: &SilverTable) -> Self {
        let mut by_source: BTreeMap<String, Vec<ParentValue>> = BTreeMap::new();
        for (name, source) in &table.columns {
            let Some(reading) = table.readings.get(name) else { continue };
            let Some((last, steps)) = reading.path().and_then(|path| path.steps().split_last()) else { continue };
            let (last, null_words) = (last.clone(), reading.null_words().to_vec());
            let column = NestedColumn { name: name.clone(), last, null_words };
            let parents = by_source.entry(source.clone()).or_default();
            match parents.iter_mut().find(|parent| parent.steps == steps) {
                Some(parent) => parent.columns.push(column),
                None => parents.push(ParentValue { steps: steps.to_vec(), columns: vec![column] }),
            }
        }
        Self { by_source, paths_met: BTreeMap::new() }
    }

    /// The rows with the columns of [`text_name`] and [`misfit_name`].
    ///
    /// # Errors
    /// Those of Polars, for a column that is missing or has no texts.
    pub(super) fn opened(&mut self, rows: &DataFrame) -> PolarsResult<DataFrame> {
        let mut opened = rows.clone();
        for (source, parents) in &self.by_source {
            let mut values: Vec<Vec<NestedValues>> = parents
                .iter()
                .map(|parent| parent.columns.iter().map(|_| NestedValues::new(rows.height())).collect())
                .collect();
            for text in rows.column(source)?.str()?.iter() {
                let text = text.unwrap_or_default();
                let parsed = NestedText::open(text);
                for (parent, values) in parents.iter().zip(&mut values) {
                    parent.read(&parsed, text, values);
                }
            }
            let columns = parents.iter().flat_map(|parent| &parent.columns);
            for (column, values) in columns.zip(values.into_iter().flatten()) {
                if let Some(is_met) = values.is_met {
                    *self.paths_met.entry(column.name.clone()).or_default() |= is_met;
                }
                for built in values.into_columns(column.name.as_str()) {
                    opened.with_column(built)?;
                }
            }
        }
        Ok(opened)
    }

    /// Which paths the rows so far have: see [`ReadTable::paths_met`](sluice_core::run::ReadTable::paths_met).
    pub(super) fn paths_met(&self) -> &BTreeMap<ColumnName, bool> {
        &self.paths_met
    }

    /// Adds those of other rows.
    pub(super) fn add_paths_met(&mut self, others: BTreeMap<ColumnName, bool>) {
        for (column, is_met) in others {
            *self.paths_met.entry(column).or_default() |= is_met;
        }
    }
}

impl ParentValue {
    /// Reads the columns of one row. `source` is `text`, parsed.
    fn read(&self, source: &NestedText<'_>, text: &str, values: &mut [NestedValues]) {
        let walked = source.walk(&self.steps);
        let parent = walked.as_ref().unwrap_or(source);
        for (column, values) in self.columns.iter().zip(values) {
            let (value, misfit, is_met) = match parent.value_at(&column.last) {
                Ok(value) => (value, None, Some(true)),
                Err(NoValue::Missing) => (None, None, Some(false)),
                Err(NoValue::Null) => (None, None, None),
                Err(NoValue::Misfit(found)) if column.is_null(found.as_deref()) => (None, None, None),
                Err(NoValue::Misfit(_)) => (None, Some(beginning(text)), None),
            };
            values.texts.append_option(value.as_deref());
            values.misfits.append_option(misfit);
            // `true` where any row has it, then `false`, and nothing where no row says either.
            values.is_met = values.is_met.max(is_met);
        }
    }
}

impl NestedColumn {
    /// Whether a value that a step of the path meets, and does not fit, is a word for null.
    fn is_null(&self, found: Option<&str>) -> bool {
        found.is_some_and(|found| self.null_words.iter().any(|word| word == found.trim_ascii()))
    }
}

pub(super) fn beginning(text: &str) -> &str {
    text.char_indices().nth(MISFIT_CHARS).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// What becomes of one nested column.
struct NestedValues {
    texts: StringChunkedBuilder,
    misfits: StringChunkedBuilder,
    is_met: Option<bool>,
}

impl NestedValues {
    fn new(rows: usize) -> Self {
        let builder = || StringChunkedBuilder::new(PlSmallStr::EMPTY, rows);
        Self { texts: builder(), misfits: builder(), is_met: None }
    }

    fn into_columns(self, name: &str) -> [Column; 2] {
        let named = |builder: StringChunkedBuilder, name: String| builder.finish().into_column().with_name(name.into());
        [named(self.texts, text_name(name)), named(self.misfits, misfit_name(name))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_kept_to_its_beginning() {
        let check = |text: &str, chars: usize| {
            let kept = beginning(text);
            assert!(text.starts_with(kept));
            assert_eq!(kept.chars().count(), chars);
        };
        check("", 0);
        check(&"é".repeat(200), 200);
        check(&"é".repeat(201), 200);
        check(&"x".repeat(1 << 20), 200);
    }
}
