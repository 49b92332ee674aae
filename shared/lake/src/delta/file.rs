//! Data files of a table.

use std::collections::BTreeMap;

use sluice_core::name::TableRef;

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
    /// [`LakeError::Violation`] for files with deletion vectors, and for files outside of the table's folder, which Sluice
    /// does not read yet.
    pub fn files(&self) -> Result<Vec<DataFile>, LakeError> {
        let snapshot = self.table.snapshot().map_err(LakeError::log(&self.reference))?;
        let mut files = Vec::new();
        for file in snapshot.log_data() {
            let path = file.path();
            check_readable(&self.reference, &path, file.deletion_vector_descriptor().is_some())?;
            files.push(DataFile {
                path: path.into_owned(),
                size_bytes: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().and_then(|rows| u64::try_from(rows).ok()),
                partition_values: file.partition_values_map().into_iter().collect(),
                stats: file.stats(),
                modified_at_ms: file.modification_time(),
            });
        }
        Ok(files)
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

#[cfg(test)]
mod tests {
    use super::*;

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
