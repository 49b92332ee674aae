//! Delta statistics of staged files, read from their Parquet footers, whichever engine wrote them.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sluice_core::run::StagedFile;

use self::bounds::Bounds;
use super::footer::{Footer, column_type};
use crate::error::LakeError;

mod bounds;

/// The part of Delta statistics that Sluice itself prunes with.
#[derive(Debug, Clone, Default)]
pub struct FileStatistics {
    minimum: Map<String, Value>,
    maximum: Map<String, Value>,
}

impl FileStatistics {
    /// Reads the `stats` text of a log entry; unreadable or absent statistics prune nothing.
    pub fn parse(stats: Option<&str>) -> Self {
        let object = |value: &Value, key: &str| value.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        match stats.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            Some(value) => Self { minimum: object(&value, "minValues"), maximum: object(&value, "maxValues") },
            None => Self::default(),
        }
    }

    /// Whether the file may hold values of `column` between these bounds (text columns only; others may always).
    pub fn may_hold_text(&self, column: &str, lowest: &str, highest: &str) -> bool {
        match (self.minimum.get(column).and_then(Value::as_str), self.maximum.get(column).and_then(Value::as_str)) {
            (Some(minimum), Some(maximum)) => minimum <= highest && lowest <= maximum,
            _ => true,
        }
    }
}

/// The staged file at `key`, with size, rows and statistics from its footer. `path` is its path below the table.
///
/// # Errors
/// [`LakeError::Store`] or [`LakeError::Unreadable`] when the file or its footer cannot be read.
pub async fn staged_file(
    store: &Arc<dyn ObjectStore>,
    key: Path,
    path: String,
    partition_values: BTreeMap<String, Option<String>>,
) -> Result<StagedFile, LakeError> {
    Footer::read(store, key).await?.staged_file(path, partition_values)
}

impl Footer {
    /// The file as it is staged: `path` is its path below the table.
    ///
    /// # Errors
    /// [`LakeError::Internal`] when its statistics cannot be written.
    pub(crate) fn staged_file(
        &self,
        path: String,
        partition_values: BTreeMap<String, Option<String>>,
    ) -> Result<StagedFile, LakeError> {
        let stats = serde_json::to_string(&DeltaStatistics::of_file(&self.metadata))
            .map_err(|error| LakeError::Internal { message: format!("statistics of file {path}: {error}") })?;
        Ok(StagedFile { path, size_bytes: self.size_bytes, rows: self.rows(), partition_values, stats })
    }
}

/// Delta statistics of a file, as its log has them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeltaStatistics {
    num_records: i64,
    /// JSON numbers with more digits than a double has pass through as texts.
    min_values: BTreeMap<String, Box<RawValue>>,
    max_values: BTreeMap<String, Box<RawValue>>,
    null_count: BTreeMap<String, u64>,
}

impl DeltaStatistics {
    /// What a footer says of the file's top-level columns. Columns of types that no table of Sluice has get no bounds.
    fn of_file(footer: &ParquetMetaData) -> Self {
        let mut found = Self {
            num_records: footer.file_metadata().num_rows(),
            min_values: BTreeMap::new(),
            max_values: BTreeMap::new(),
            null_count: BTreeMap::new(),
        };
        let schema = footer.file_metadata().schema_descr();
        for index in 0..schema.num_columns() {
            let column = schema.column(index);
            if column.path().parts().len() != 1 {
                continue;
            }
            let name = || column.name().to_owned();
            if let Some(count) = null_count(footer.row_groups(), index) {
                found.null_count.insert(name(), count);
            }
            let Ok(column_type) = column_type(column.self_type()) else { continue };
            let Bounds { lowest, highest } = Bounds::of_column(footer.row_groups(), index, &column_type);
            let raw = |bound: Option<String>| bound.and_then(|text| RawValue::from_string(text).ok());
            found.min_values.extend(raw(lowest).map(|bound| (name(), bound)));
            found.max_values.extend(raw(highest).map(|bound| (name(), bound)));
        }
        found
    }
}

fn null_count(groups: &[RowGroupMetaData], index: usize) -> Option<u64> {
    groups.iter().map(|group| group.column(index).statistics()?.null_count_opt()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_statistics_prune_nothing() {
        let known = FileStatistics::parse(Some(r#"{"minValues":{"k":"b"},"maxValues":{"k":"d"}}"#));
        assert!(known.may_hold_text("k", "c", "z") && known.may_hold_text("other", "a", "b"));
        assert!(!known.may_hold_text("k", "e", "f") && !known.may_hold_text("k", "", "a"));
        assert!(FileStatistics::parse(None).may_hold_text("k", "a", "b"));
    }
}
