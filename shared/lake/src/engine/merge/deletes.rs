//! Delete events of a merged table: they end the rows of their key that are older than they are.
//!
//! A run takes its own events and those that are stored of its keys. They compete with rows as rows do, so the newest
//! of a key decides, whichever run brought it: events stay stored, and a row that comes late meets the event that ended
//! it.

use polars::prelude::{BooleanChunked, DataFrame, DataType, Expr, IntoLazy, NULL, PlSmallStr, PolarsResult, col, lit};
use sluice_core::columns::IS_DELETE;

use super::{IS_NEW, IS_RECALLED, MergeRows, READ_ROWS};
use crate::delta::OpenTable;
use crate::engine::spill::{KEY_HASH, hashes};
use crate::error::LakeError;

impl MergeRows {
    /// Takes new delete events, which have the columns of the table of these.
    ///
    /// # Errors
    /// As [`MergeRows::push`].
    pub(crate) fn push_deletes(&mut self, events: &DataFrame) -> Result<(), LakeError> {
        if events.height() == 0 {
            return Ok(());
        }
        let columns = self.columns_of_deletes(|name| events.column(name).is_ok(), true);
        let marked = events.clone().lazy().select(columns).collect();
        self.take_new(marked.map_err(LakeError::polars("marking delete events"))?)
    }

    /// Rows of the table made of delete events that have some of its columns.
    fn columns_of_deletes(&self, has: impl Fn(&str) -> bool, is_new: bool) -> Vec<Expr> {
        let column = |(name, data_type): (&PlSmallStr, &DataType)| match has(name.as_str()) {
            _ if *name == IS_NEW => lit(is_new).alias(IS_NEW),
            _ if *name == IS_DELETE => lit(true).alias(IS_DELETE),
            _ if *name == IS_RECALLED => lit(false).alias(IS_RECALLED),
            true => col(name.clone()),
            false => lit(NULL).cast(data_type.clone()).alias(name.clone()),
        };
        self.rows.schema().iter().filter(|(name, _)| *name != KEY_HASH).map(column).collect()
    }

    /// Takes the stored delete events of keys of the new rows. They stay where they are.
    pub(super) fn take_deletes(&mut self, table: &OpenTable) -> Result<(), LakeError> {
        let stored = |name: &str| table.columns().iter().any(|column| column.name == name);
        let columns = self.columns_of_deletes(stored, false);
        for file in table.files()? {
            if !self.may_meet(&file) {
                continue;
            }
            let failed = || LakeError::polars(format!("reading {} of table `{}`", file.path, table.reference()));
            let mut offset = 0;
            loop {
                let rows = table.scan_slice(&file.path, offset, READ_ROWS)?.select(columns.clone());
                let rows = rows.collect().map_err(failed())?;
                if rows.height() == 0 {
                    break;
                }
                offset += i64::from(READ_ROWS);
                let mut rows = self.with_hash(rows)?;
                if let Some(seen) = &self.hashes {
                    let met = hashes(&rows)?;
                    let met: BooleanChunked =
                        met.iter().map(|hash| Some(hash.is_some_and(|hash| seen.contains(&hash)))).collect();
                    rows = rows.filter(&met).map_err(failed())?;
                }
                self.rows.push(rows)?;
            }
        }
        Ok(())
    }
}

/// The rows that are no delete events. A key whose newest row is one is no longer in the table, and a time at which a
/// history has one begins no version.
pub(in crate::engine) fn without_deletes(mut rows: DataFrame) -> PolarsResult<DataFrame> {
    let is_delete = rows.column(IS_DELETE).ok().map(|column| column.bool().cloned()).transpose()?;
    let Some(is_delete) = is_delete else { return Ok(rows) };
    let _ = rows.drop_in_place(IS_DELETE)?;
    rows.filter(&!&is_delete)
}

#[cfg(test)]
mod tests;
