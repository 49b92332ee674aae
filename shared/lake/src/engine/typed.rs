//! Typed rows that reading has staged, and that are still to be merged.

use polars::prelude::DataFrame;
use sluice_core::columns::accepted_columns;
use sluice_core::pipeline::SilverTable;
use sluice_core::run::{RunRef, StagedFile};
use sluice_core::uri::layout;

use crate::delta::scan_file_slice;
use crate::error::{LakeError, is_missing_file};
use crate::lake::Lake;

/// Rows read at a time: those of a row group, as they were written.
const READ_ROWS: u32 = 128 * 1024;

/// The typed rows of these files of an attempt, a batch at a time, in their order.
///
/// # Errors
/// As `take`; [`LakeError::Conflict`] when a file is gone, [`LakeError::Polars`] when it cannot be read.
pub(super) fn read_typed(
    lake: &Lake,
    run: &RunRef,
    table: &SilverTable,
    files: &[StagedFile],
    mut take: impl FnMut(DataFrame) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let (columns, folder) = (accepted_columns(table), lake.folder(&layout::typed(run, &table.table))?);
    for file in files {
        let mut offset = 0;
        while offset < file.rows {
            let start = i64::try_from(offset).unwrap_or(i64::MAX);
            let rows = scan_file_slice(&table.table, &folder, lake.options(), &columns, &file.path, start, READ_ROWS)?;
            let rows = rows.collect().map_err(|source| match is_missing_file(&source) {
                true => gone(table),
                false => LakeError::polars(format!("reading {folder}{}", file.path))(source),
            })?;
            if rows.height() == 0 {
                let message = format!("{folder}{} has fewer than the {} rows that were staged", file.path, file.rows);
                return Err(LakeError::Unreadable { what: message });
            }
            offset += rows.height() as u64;
            take(rows)?;
        }
    }
    Ok(())
}

/// Typed rows of a run that wait to be merged are gone: they are to be read again.
pub(crate) fn gone(table: &SilverTable) -> LakeError {
    let detail = "typed rows of the run that wait to be merged into it are gone".to_owned();
    LakeError::Conflict { table: table.table.clone(), detail }
}
