//! New rows that meet those of their table, by mode.

use polars::prelude::{DataFrame, Schema};
use sluice_core::pipeline::SilverTable;

use super::merge::{MergeRows, Merged};
use super::snapshot::{CompareRows, SnapshotOrder};
use super::stage::StageWriter;
use crate::delta::OpenTable;
use crate::error::LakeError;

/// New rows on their way to the files of a table whose rows they meet.
pub(super) enum Combine {
    /// Merge and history.
    Merge(Box<MergeRows>),
    /// Full snapshots.
    Compare(Box<CompareRows>),
}

impl Combine {
    /// `None` for modes in which rows meet no others. `meets_files`: the table has files that new rows may meet.
    pub(super) fn new(
        table: &SilverTable,
        schema: Schema,
        meets_files: bool,
        snapshots: SnapshotOrder,
    ) -> Option<Self> {
        if table.compares_snapshots() {
            return CompareRows::new(table, schema, snapshots).map(Box::new).map(Self::Compare);
        }
        MergeRows::new(table, schema, meets_files).map(Box::new).map(Self::Merge)
    }

    /// Takes new rows.
    ///
    /// # Errors
    /// [`LakeError::Io`] when the local disk is full or absent.
    pub(super) fn push(&mut self, rows: DataFrame) -> Result<(), LakeError> {
        match self {
            Self::Merge(merge) => merge.push(rows),
            Self::Compare(compare) => compare.push(rows),
        }
    }

    /// Takes new delete events.
    ///
    /// # Errors
    /// As [`Self::push`]; [`LakeError::Internal`] for a table that takes full snapshots, which have no events.
    pub(super) fn push_deletes(&mut self, events: &DataFrame) -> Result<(), LakeError> {
        match self {
            Self::Merge(merge) => merge.push_deletes(events),
            Self::Compare(_) => Err(LakeError::Internal {
                message: "delete events came for a table that takes full snapshots".to_owned(),
            }),
        }
    }

    /// Meets the rows of the table, and the delete events that are stored of it, and writes what is to stand in the
    /// place of the replaced files.
    ///
    /// # Errors
    /// [`LakeError`] when a file cannot be read or written.
    pub(super) fn finish(
        self,
        existing: Option<&OpenTable>,
        deletes: Option<&OpenTable>,
        writer: &mut StageWriter,
    ) -> Result<Merged, LakeError> {
        match self {
            Self::Merge(merge) => merge.finish(existing, deletes, writer),
            Self::Compare(compare) => compare.finish(existing, writer),
        }
    }
}
