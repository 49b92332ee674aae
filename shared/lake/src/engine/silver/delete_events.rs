//! The delete events of a run: staged for the table of such, unless it has them already, and taken to the rows that they end.

use polars::prelude::DataFrame;
use sluice_core::columns::delete_columns;
use sluice_core::pipeline::SilverTable;
use sluice_core::run::{RunRef, StagedFile};
use sluice_core::uri::layout;

use crate::engine::combine::Combine;
use crate::engine::stage::StageWriter;
use crate::engine::typed::read_deletes;
use crate::error::LakeError;
use crate::lake::Lake;

/// Stages the delete events of one silver table.
///
/// A run that died between the commits of the events and of the silver table, or has not come to the second yet, leaves
/// events in their table whose rows the silver table still lacks. Who reads the objects again takes these events to the
/// rows once more, and stores none of them twice.
pub(super) struct DeleteStage {
    fresh: StageWriter,
    /// Of events that are stored already, where the rows that they end are merged by another call.
    stored: StageWriter,
}

/// Staged files of delete events.
#[derive(Default)]
pub(super) struct DeleteFiles {
    /// To be committed to the table of such.
    pub(super) fresh: Vec<StagedFile>,
    /// Of events that it has already.
    pub(super) stored: Vec<StagedFile>,
}

impl DeleteStage {
    /// `None` where the table has no delete events.
    pub(super) fn new(lake: &Lake, run: &RunRef, table: &SilverTable) -> Option<Self> {
        let (deletes, by) = table.deletes()?;
        let columns = delete_columns(&table.contract, by);
        let writer = || StageWriter::new(lake, run, &deletes, &columns, &[]);
        Some(Self { fresh: writer(), stored: writer().with_folder(layout::typed(run, &deletes)) })
    }

    /// Takes events, and brings them to the rows if these are merged in the same call.
    pub(super) fn take(
        &mut self,
        events: &DataFrame,
        are_new: bool,
        merge: Option<&mut Combine>,
    ) -> Result<(), LakeError> {
        if are_new {
            self.fresh.write(events)?;
        }
        match merge {
            Some(merge) => merge.push_deletes(events),
            None if are_new => Ok(()),
            None => self.stored.write(events),
        }
    }

    /// Takes what parts have staged.
    pub(super) fn take_files(&mut self, files: DeleteFiles) {
        self.fresh.take(files.fresh);
        self.stored.take(files.stored);
    }

    pub(super) fn finish(self) -> Result<DeleteFiles, LakeError> {
        Ok(DeleteFiles { fresh: self.fresh.finish()?, stored: self.stored.finish()? })
    }
}

impl DeleteFiles {
    pub(super) fn add(&mut self, fresh: Vec<StagedFile>, stored: Vec<StagedFile>) {
        self.fresh.extend(fresh);
        self.stored.extend(stored);
    }

    /// The events in all files, a batch at a time.
    pub(super) fn read(
        &self,
        lake: &Lake,
        run: &RunRef,
        table: &SilverTable,
        mut take: impl FnMut(DataFrame) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let Some((deletes, _)) = table.deletes() else { return Ok(()) };
        read_deletes(lake, &layout::table(&deletes), table, &self.fresh, &mut take)?;
        read_deletes(lake, &layout::typed(run, &deletes), table, &self.stored, take)
    }
}
