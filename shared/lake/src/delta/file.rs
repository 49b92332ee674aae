//! Data files of a table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use sluice_core::contract::ColumnType;
use sluice_core::name::TableRef;
use sluice_core::uri::layout;

use super::OpenTable;
use crate::error::LakeError;

/// A data file of a table, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path below the table's folder.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Rows, when the log says so.
    pub rows: Option<u64>,
    /// Partition values, as text.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Delta statistics (JSON text), when the log has them.
    pub stats: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub modified_at_ms: i64,
}

impl OpenTable {
    /// Data files of this version, in the order of the log.
    ///
    /// # Errors
    /// [`LakeError::Violation`] for files that Sluice does not read yet: with deletion vectors, outside of the table's
    /// folder, or in a folder of another partition than the log says.
    pub fn files(&self) -> Result<Vec<DataFile>, LakeError> {
        let snapshot = self.table.snapshot().map_err(LakeError::log(&self.reference))?;
        let mut files = Vec::new();
        for file in snapshot.log_data() {
            let path = file.path();
            check_readable(&self.reference, &path, file.deletion_vector_descriptor().is_some())?;
            let partition_values: BTreeMap<_, _> = file.partition_values_map().into_iter().collect();
            self.check_folders(&path, &partition_values)?;
            files.push(DataFile {
                path: path.into_owned(),
                size_bytes: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().and_then(|rows| u64::try_from(rows).ok()),
                partition_values,
                stats: file.stats(),
                modified_at_ms: file.modification_time(),
            });
        }
        Ok(files)
    }

    /// Refuses a file whose folders say other partition values than the log: the engine takes those of folders.
    fn check_folders(&self, path: &str, values: &BTreeMap<String, Option<String>>) -> Result<(), LakeError> {
        for (name, value) in values {
            let Some(folder) = folder_value(path, name) else { continue };
            let column = self.columns.iter().find(|column| column.name == *name);
            let is_instant = column.is_some_and(|column| column.column_type == ColumnType::Timestamp);
            if !is_same_value(&folder, value.as_deref(), is_instant) {
                let message = format!(
                    "file {path} has another value of `{name}` in the log than in the name of its folder, which is not \
                     read yet; write the table again"
                );
                return Err(LakeError::Violation { table: self.reference.clone(), message });
            }
        }
        Ok(())
    }

    /// Data files of this version in order of their paths.
    ///
    /// # Errors
    /// As [`Self::files`].
    pub fn files_by_path(&self) -> Result<Vec<DataFile>, LakeError> {
        let mut files = self.files()?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Rows of this version, from the log's statistics; `None` when another writer left them out.
    pub fn rows(&self) -> Result<Option<u64>, LakeError> {
        Ok(self.files()?.iter().map(|file| file.rows).sum())
    }
}

/// Refuses a file some of whose rows are deleted without the file being written again, and a file of another folder.
pub(super) fn check_readable(table: &TableRef, path: &str, has_deletion_vector: bool) -> Result<(), LakeError> {
    let message = if has_deletion_vector {
        format!("file {path} has a deletion vector, which is not read yet; rewrite the table without")
    } else if is_outside(path) {
        format!("file {path} is outside of the table's folder, which is not read yet; copy the table with its files")
    } else {
        return Ok(());
    };
    Err(LakeError::Violation { table: table.clone(), message })
}

/// Whether a file is not below the folder of the table: an absolute path or address, as in a shallow clone, or a path
/// that climbs.
fn is_outside(path: &str) -> bool {
    let is_address = path
        .split_once(":/")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_address || path.starts_with('/') || path.split('/').any(|segment| segment == "..")
}

/// The value of a partition column in the folders of a path, as the engine finds it; `None` where no folder has it.
pub(super) fn folder_value<'a>(path: &'a str, column: &str) -> Option<Cow<'a, str>> {
    let (folders, _) = path.rsplit_once('/')?;
    let text = folders.split('/').find_map(|folder| folder.strip_prefix(column)?.strip_prefix('='))?;
    // Other writers escape these; the engine passes over a folder that has them.
    if text.contains(['=', '*']) { None } else { Some(percent_decode_str(text).decode_utf8_lossy()) }
}

/// Whether the value in the name of a folder is the value in the log, where an empty text stands for null.
fn is_same_value(folder: &str, logged: Option<&str>, is_instant: bool) -> bool {
    match logged {
        None | Some("") => folder == layout::NULL_PARTITION,
        Some(logged) if is_instant => instant(folder) == instant(logged),
        Some(logged) => folder == logged,
    }
}

/// An instant in one form: Delta allows `2020-01-01 08:09:10.5` and `2020-01-01T08:09:10.500000Z`.
fn instant(text: &str) -> String {
    let text = text.trim_end_matches('Z').replacen('T', " ", 1);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_folders_are_compared_with_the_log() {
        let check = |path: &str, logged: Option<&str>, is_instant: bool, expected: Option<bool>| {
            let found = folder_value(path, "p").map(|folder| is_same_value(&folder, logged, is_instant));
            assert_eq!(found, expected, "{path} {logged:?}");
        };
        check("p=a%20b/f.parquet", Some("a b"), false, Some(true));
        check("q=1/p=2/f.parquet", Some("2"), false, Some(true));
        check("q=1/p=2/f.parquet", Some("1"), false, Some(false));
        check("p=__HIVE_DEFAULT_PARTITION__/f.parquet", None, false, Some(true));
        check("p=__HIVE_DEFAULT_PARTITION__/f.parquet", Some(""), false, Some(true));
        check("p=1/f.parquet", None, false, Some(false));
        check("p=2020-01-01 08%3A09%3A10.001/f.parquet", Some("2020-01-01T08:09:10.001000Z"), true, Some(true));
        check("p=2020-01-01 08%3A09%3A10/f.parquet", Some("2020-01-01 16:09:10"), true, Some(false));
        check("ap=1/f.parquet", Some("1"), false, None);
        check("p=1=2/f.parquet", Some("1=2"), false, None);
        check("p=1.parquet", Some("1"), false, None);
    }

    #[test]
    fn files_of_other_folders_are_recognised_by_their_paths() {
        for path in
            ["/a/b.parquet", "file:/a/b.parquet", "s3://bucket/b.parquet", "../t/b.parquet", "p=1/../../b.parquet"]
        {
            assert!(is_outside(path), "{path}");
        }
        for path in
            ["b.parquet", "p=1/b.parquet", "p=x:/b.parquet", "p=../b.parquet", "a..b.parquet", "at=08:09:10/b.parquet"]
        {
            assert!(!is_outside(path), "{path}");
        }
    }
}
