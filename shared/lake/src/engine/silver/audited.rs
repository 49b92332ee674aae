//! The part of the audit that each part of a run makes of the rows that it has staged: the row rules.

use sluice_core::columns::silver_columns;
use sluice_core::pipeline::SilverTable;
use sluice_core::run::{AuditedRows, StagedFile};

use super::partition_by;
use crate::delta::scan_table_files;
use crate::engine::{metrics, rules};
use crate::error::LakeError;
use crate::lake::Lake;

/// Counts the rows of files that are staged for a table, and those of them that break its row rules: read back from
/// storage, as the audit of a run does.
///
/// # Errors
/// [`LakeError::Engine`] when a rule cannot be executed or a file not be read.
pub(super) fn count_staged(lake: &Lake, table: &SilverTable, files: &[StagedFile]) -> Result<AuditedRows, LakeError> {
    let failed = LakeError::engine(&table.table);
    let tests = rules::compile(&table.contract).map_err(&failed)?;
    let folder = lake.table_folder(&table.table)?;
    let (columns, partition_by) = (silver_columns(table), partition_by(table));
    let paths = files.iter().map(|file| file.path.as_str());
    let staged = scan_table_files(&table.table, &folder, lake.options(), &columns, &partition_by, paths)?;
    metrics::count_row_rules(staged, &tests).map_err(failed)
}

/// What parts have counted in the files that were taken from them.
#[derive(Debug, Default)]
pub(super) enum CountedParts {
    /// No part was taken.
    #[default]
    NoPart,
    /// Every part has counted.
    All {
        /// Files taken.
        files: usize,
        /// What was counted in them.
        audited: AuditedRows,
    },
    /// A part has counted nothing, or other rules than those before it.
    NotAll,
}

impl CountedParts {
    /// Takes what a part has counted in so many files.
    pub(super) fn take(&mut self, files: usize, audited: Option<AuditedRows>) {
        *self = match (std::mem::take(self), audited) {
            (Self::NoPart, Some(audited)) => Self::All { files, audited },
            (Self::All { files: before, audited: so_far }, Some(audited)) => match so_far.and(&audited) {
                Some(audited) => Self::All { files: before + files, audited },
                None => Self::NotAll,
            },
            (Self::NotAll, _) | (_, None) => Self::NotAll,
        };
    }

    /// What was counted in the files that are staged; `None` where not all of them are from parts that have counted.
    pub(super) fn of(self, staged: &[StagedFile]) -> Option<AuditedRows> {
        match self {
            Self::All { files, audited } if files == staged.len() => Some(audited),
            Self::NoPart | Self::All { .. } | Self::NotAll => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn audited(rows: u64, rule: &str) -> AuditedRows {
        AuditedRows { rows, broken: BTreeMap::from([(rule.to_owned(), 1)]) }
    }

    fn staged(files: usize) -> Vec<StagedFile> {
        let file = StagedFile {
            path: "a.parquet".to_owned(),
            size_bytes: 1,
            rows: 1,
            partition_values: BTreeMap::new(),
            stats: "{}".to_owned(),
        };
        vec![file; files]
    }

    #[test]
    fn rows_are_counted_where_every_part_has_and_all_files_are_from_parts() {
        let check = |parts: &[(usize, Option<AuditedRows>)], files: usize, rows: Option<u64>| {
            let mut counted = CountedParts::default();
            for (files, audited) in parts {
                counted.take(*files, audited.clone());
            }
            let found = counted.of(&staged(files));
            assert_eq!(found.as_ref().map(|audited| audited.rows), rows, "{parts:?} {files}");
            let broken = found.map(|audited| audited.broken["a"]);
            assert_eq!(broken, rows.map(|_| parts.len() as u64), "{parts:?} {files}");
        };
        let some = |rows: u64| Some(audited(rows, "a"));
        check(&[], 0, None);
        check(&[(1, some(3))], 1, Some(3));
        check(&[(1, some(3)), (0, some(0)), (2, some(5))], 3, Some(8));
        // A file that was staged without a part.
        check(&[(1, some(3))], 2, None);
        check(&[(1, some(3)), (1, None)], 2, None);
        check(&[(1, None), (1, some(3))], 2, None);
        check(&[(0, None), (1, None), (1, some(3))], 2, None);
        check(&[(1, some(3)), (1, Some(audited(2, "b"))), (1, some(3))], 3, None);
    }
}
