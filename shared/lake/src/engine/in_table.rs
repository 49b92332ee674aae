//! Documents of which a table has records: a replay has split them.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataFrame, PolarsResult, col, lit};
use sluice_core::columns::{DocumentRow, SOURCE_FILE, SOURCE_ROW};
use sluice_core::name::RunId;
use sluice_core::run::ByteRange;
use sluice_core::uri::layout;

use super::collect_streaming;
use super::reread::may_hold_rows;
use crate::delta::OpenTable;
use crate::error::LakeError;

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DocumentKey {
    /// Address of its object.
    pub(super) file: String,
    /// Version of its object.
    pub(super) etag: String,
    /// Its place in the object.
    pub(super) row: i64,
}

/// The documents of which a table has records, each with the replays that have brought them; `None` for a data file
/// that does not say it.
#[derive(Debug, Default)]
pub(crate) struct DocumentsInTable(BTreeMap<DocumentKey, BTreeSet<Option<RunId>>>);

impl DocumentsInTable {
    /// Those of a table to which rows are only added: each data file has the rows of one run, and its name says which.
    /// Reads only files that may have such rows.
    ///
    /// # Errors
    /// [`LakeError::Polars`] when a file cannot be read.
    pub(crate) fn read(table: &OpenTable) -> Result<Self, LakeError> {
        let failed = || LakeError::polars(format!("split records of table `{}`", table.reference()));
        let above = u64::try_from(DocumentRow::LOWEST).ok().and_then(|lowest| ByteRange::new(lowest, None));
        let mut all = Self::default();
        for file in table.files()? {
            if above.is_some_and(|above| !may_hold_rows(file.stats.as_deref(), above)) {
                continue;
            }
            let rows = table.scan_files([file.path.as_str()])?.filter(col(SOURCE_ROW).gt_eq(lit(DocumentRow::LOWEST)));
            let rows = collect_streaming(rows.select([col(SOURCE_FILE), col("_source_etag"), col(SOURCE_ROW)]));
            let run = layout::run_of_staged(&file.path);
            all.add(&rows.map_err(failed())?, run.as_ref()).map_err(failed())?;
        }
        Ok(all)
    }

    /// Adds the documents of rows that a run has brought.
    fn add(&mut self, rows: &DataFrame, run: Option<&RunId>) -> PolarsResult<()> {
        let files = rows.column(SOURCE_FILE)?.str()?;
        let (etags, places) = (rows.column("_source_etag")?.str()?, rows.column(SOURCE_ROW)?.i64()?);
        for ((file, etag), place) in files.iter().zip(etags.iter()).zip(places.iter()) {
            let (Some(file), Some(etag), Some(place)) = (file, etag, place.and_then(DocumentRow::of)) else { continue };
            let row = place.document().cast_signed();
            let key = DocumentKey { file: file.to_owned(), etag: etag.to_owned(), row };
            self.0.entry(key).or_default().insert(run.cloned());
        }
        Ok(())
    }

    /// The replays that have brought records of a document.
    pub(super) fn runs_of(&self, document: &DocumentKey) -> impl Iterator<Item = &Option<RunId>> {
        self.0.get(document).into_iter().flatten()
    }

    /// These documents.
    #[cfg(test)]
    pub(super) fn of(documents: impl IntoIterator<Item = (DocumentKey, Option<RunId>)>) -> Self {
        let mut all = Self::default();
        for (document, run) in documents {
            let _ = all.0.entry(document).or_default().insert(run);
        }
        all
    }
}
