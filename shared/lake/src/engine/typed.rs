//! Typed rows that reading has staged, and that are still to be merged.

use std::thread;

use polars::prelude::DataFrame;
use sluice_core::columns::{StoredColumn, accepted_columns, delete_columns};
use sluice_core::engine::ROW_GROUP_ROWS;
use sluice_core::pipeline::SilverTable;
use sluice_core::run::{RunRef, StagedFile};
use sluice_core::uri::{FolderUri, LakePath, layout};

use crate::delta::scan_file_slice;
use crate::error::{LakeError, is_missing_file};
use crate::lake::Lake;
use crate::objects::AT_ONCE;
use crate::overlap::{Stopped, overlapped};

/// The typed rows of these files of an attempt, a batch at a time, in their order. The next batch is read while this one
/// is taken.
///
/// # Errors
/// As `take`; [`LakeError::Conflict`] when a file is gone, [`LakeError::Polars`] when it cannot be read.
pub(super) fn read_typed(
    lake: &Lake,
    run: &RunRef,
    table: &SilverTable,
    files: &[StagedFile],
    take: impl FnMut(DataFrame) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let (columns, folder) = (accepted_columns(table), lake.folder(&layout::typed(run, &table.table))?);
    let typed = TypedFiles { lake, table, columns, folder };
    let stopped = |stopped: Stopped| LakeError::Internal { message: stopped.to_string() };
    overlapped(|put| typed.read(files, |rows| put(rows).map_err(stopped)), take)
}

/// The delete events of a table in these staged files of `folder`, as [`read_typed`] gives rows.
///
/// # Errors
/// As [`read_typed`].
pub(super) fn read_deletes(
    lake: &Lake,
    folder: &LakePath,
    table: &SilverTable,
    files: &[StagedFile],
    take: impl FnMut(DataFrame) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let Some((_, by)) = table.deletes() else { return Ok(()) };
    let (columns, folder) = (delete_columns(&table.contract, by), lake.folder(folder)?);
    TypedFiles { lake, table, columns, folder }.read(files, take)
}

/// Files of typed rows of one table.
struct TypedFiles<'a> {
    lake: &'a Lake,
    table: &'a SilverTable,
    columns: Vec<StoredColumn>,
    folder: FolderUri,
}

impl TypedFiles<'_> {
    fn read(
        &self,
        files: &[StagedFile],
        mut put: impl FnMut(DataFrame) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let mut rest = files;
        while !rest.is_empty() {
            let (group, after) = rest.split_at(read_at_once(rest));
            rest = after;
            match group {
                [file] => self.slices(file, &mut put)?,
                several => several_at_once(several, |file| self.slice(file, 0))?.into_iter().try_for_each(&mut put)?,
            }
        }
        Ok(())
    }

    /// The rows of a file of any size.
    fn slices(
        &self,
        file: &StagedFile,
        put: &mut impl FnMut(DataFrame) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let mut offset = 0;
        while offset < file.rows {
            let rows = self.slice(file, offset)?;
            offset += rows.height() as u64;
            put(rows)?;
        }
        Ok(())
    }

    /// The rows of a file from `offset` on, at least one.
    fn slice(&self, file: &StagedFile, offset: u64) -> Result<DataFrame, LakeError> {
        let Self { lake, table, columns, folder } = self;
        let start = i64::try_from(offset).unwrap_or(i64::MAX);
        let rows = scan_file_slice(&table.table, folder, lake.options(), columns, &file.path, start, ROW_GROUP_ROWS)?;
        let rows = rows.collect().map_err(|source| match is_missing_file(&source) {
            true => gone(table),
            false => LakeError::polars(format!("reading {folder}{}", file.path))(source),
        })?;
        if rows.height() == 0 {
            let message = format!("{folder}{} has fewer than the {} rows that were staged", file.path, file.rows);
            return Err(LakeError::Unreadable { what: message });
        }
        Ok(rows)
    }
}

/// How many of these files are read at the same time: one that is large, or as many small ones as have the rows of one batch
/// together. A run in many parts may have many small files, and each of them waits for the store.
fn read_at_once(files: &[StagedFile]) -> usize {
    let sums = files.iter().take(AT_ONCE).scan(0_u64, |rows, file| {
        *rows = rows.saturating_add(file.rows);
        Some(*rows)
    });
    sums.take_while(|rows| *rows <= u64::from(ROW_GROUP_ROWS)).count().max(1)
}

/// The rows of small files, in their order.
fn several_at_once(
    files: &[StagedFile],
    read: impl Fn(&StagedFile) -> Result<DataFrame, LakeError> + Sync,
) -> Result<Vec<DataFrame>, LakeError> {
    let read = &read;
    thread::scope(|scope| {
        let files = files.iter().filter(|file| file.rows > 0);
        let threads: Vec<_> = files.map(|file| scope.spawn(move || read(file))).collect();
        let died = |_| LakeError::Internal { message: "a thread that reads typed rows died".to_owned() };
        threads.into_iter().map(|thread| thread.join().map_err(died)?).collect()
    })
}

/// Typed rows of a run that wait to be merged are gone: they are to be read again.
pub(crate) fn gone(table: &SilverTable) -> LakeError {
    let detail = "typed rows of the run that wait to be merged into it are gone".to_owned();
    LakeError::Conflict { table: table.table.clone(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_read_at_the_same_time_and_a_large_one_alone() {
        let check = |rows: &[u64], expected: &[usize]| {
            let file = |rows: &u64| StagedFile {
                path: format!("{rows}.parquet"),
                size_bytes: 1,
                rows: *rows,
                partition_values: std::collections::BTreeMap::new(),
                stats: "{}".to_owned(),
            };
            let files: Vec<StagedFile> = rows.iter().map(file).collect();
            let (mut rest, mut groups) = (files.as_slice(), Vec::new());
            while !rest.is_empty() {
                let count = read_at_once(rest);
                groups.push(count);
                rest = &rest[count..];
            }
            assert_eq!(groups, expected, "{rows:?}");
        };
        check(&[], &[]);
        check(&[5_000_000, 1, 2, 131_069, 1, 131_072, 131_073], &[1, 3, 1, 1, 1]);
        check(&[1; 40], &[16, 16, 8]);
    }
}
