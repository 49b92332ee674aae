//! Bronze: every source record as text, with its lineage.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, Scalar, Series, TimeUnit};
use sluice_core::columns::{
    BronzeNames, CORRUPT, INGESTION_DATE, SOURCE_MODIFIED_AT, StoredColumn, bronze_columns, is_own_of_bronze,
    lineage_names, missing_lineage,
};
use sluice_core::contract::ColumnType;
use sluice_core::name::TableRef;
use sluice_core::run::{ChangeKind, PlannedTable, RowCounts, RunRef, StagedFile, TableChange};
use sluice_core::source::{SourceId, SourceObject};

use super::stage::StageWriter;
use crate::delta::OpenTable;
use crate::engine::types::polars_type;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::source::SourceBatch;

/// A bronze table before a run, and the source columns that the run has met.
pub(crate) struct BronzeTable {
    table: TableRef,
    read_version: Option<u64>,
    rows_before: u64,
    /// Source columns of the table; grows with the files read.
    names: BronzeNames,
    /// Columns that the table gets.
    added: Vec<String>,
}

impl BronzeTable {
    /// The table as it is now.
    ///
    /// # Errors
    /// [`LakeError`] when the table's files cannot be listed.
    pub(crate) fn new(table: &TableRef, existing: Option<&OpenTable>) -> Result<Self, LakeError> {
        let names = existing.map(|table| BronzeNames::of_table(table.columns())).unwrap_or_default();
        let rows_before = match existing {
            Some(table) => table.rows()?.unwrap_or_default(),
            None => 0,
        };
        let added = match existing {
            Some(table) => missing_lineage(table.columns()).map(|column| column.name).collect(),
            None => Vec::new(),
        };
        let read_version = existing.map(OpenTable::version);
        Ok(Self { table: table.clone(), read_version, rows_before, names, added })
    }

    /// The table as a plan saw it, for a part of the run: without the rows that it has.
    pub(crate) fn planned(planned: &PlannedTable) -> Self {
        let names = BronzeNames::of_table(&planned.columns);
        let (table, read_version) = (planned.table.clone(), planned.read_version);
        Self { table, read_version, rows_before: 0, names, added: Vec::new() }
    }

    /// Takes notice of a source column of an object, and returns the name under which the table stores it.
    pub(crate) fn meet(&mut self, column: &str) -> String {
        if self.names.add(column) {
            self.added.push(column.to_owned());
        }
        self.names.stored(column).unwrap_or(column).to_owned()
    }

    /// All columns of the table, with those met.
    pub(crate) fn columns(&self) -> Vec<StoredColumn> {
        self.names.columns()
    }

    /// The change that adds these files.
    pub(crate) fn change(self, adds: Vec<StagedFile>, sources: BTreeSet<SourceId>) -> TableChange {
        let columns = self.columns();
        let rows: u64 = adds.iter().map(|file| file.rows).sum();
        let schema_changes = match self.read_version {
            Some(_) => self.added.iter().map(|name| format!("column `{name}` is new")).collect(),
            None => Vec::new(),
        };
        TableChange {
            table: self.table,
            read_version: self.read_version,
            // A new column changes the table's metadata, which no other commit may do at the same time.
            kind: if self.added.is_empty() { ChangeKind::Append } else { ChangeKind::Rewrite },
            columns,
            partition_by: vec![INGESTION_DATE.to_owned()],
            adds,
            removes: Vec::new(),
            sources,
            inputs: BTreeSet::new(),
            rows: RowCounts { source: rows, staged: rows, ..RowCounts::default() },
            table_rows: self.rows_before + rows,
            broken_rules: std::collections::BTreeMap::new(),
            schema_changes,
            audited: None,
        }
    }
}

/// Stages the bronze rows of a run.
pub(crate) struct BronzeStage {
    lake: Lake,
    run: RunRef,
    planned_at: Timestamp,
    table: BronzeTable,
    /// The writer of the current file, with the source columns it was opened for.
    writer: Option<(Vec<String>, StageWriter)>,
    staged: Vec<StagedFile>,
}

impl BronzeStage {
    /// Begins a stage on the table as it is now.
    ///
    /// # Errors
    /// [`LakeError`] when the table's files cannot be listed.
    pub(crate) fn new(
        lake: &Lake,
        run: &RunRef,
        table: &TableRef,
        existing: Option<&OpenTable>,
        planned_at: Timestamp,
    ) -> Result<Self, LakeError> {
        Ok(Self::on(lake, run, BronzeTable::new(table, existing)?, planned_at))
    }

    /// Begins a stage of one part of the run.
    pub(crate) fn of_part(lake: &Lake, run: &RunRef, planned: &PlannedTable, planned_at: Timestamp) -> Self {
        Self::on(lake, run, BronzeTable::planned(planned), planned_at)
    }

    fn on(lake: &Lake, run: &RunRef, table: BronzeTable, planned_at: Timestamp) -> Self {
        Self { lake: lake.clone(), run: run.clone(), planned_at, table, writer: None, staged: Vec::new() }
    }

    /// Takes notice of the columns of an object, whether or not it has a record.
    pub(crate) fn announce<'c>(&mut self, columns: impl IntoIterator<Item = &'c String>) {
        for column in columns {
            self.table.meet(column);
        }
    }

    /// The source columns of the table, with those of the objects read so far.
    pub(crate) fn source_columns(&self) -> BTreeSet<String> {
        self.table.names.source_columns().iter().cloned().collect()
    }

    /// The name under which the table stores a source column; its own where the table does not have it.
    pub(crate) fn stored_name<'n>(&'n self, column: &'n str) -> &'n str {
        self.table.names.stored(column).unwrap_or(column)
    }

    /// The rows of a batch of an object with their lineage, as they are staged and as silver tables read them.
    ///
    /// # Errors
    /// [`LakeError::Polars`] when the engine fails.
    pub(crate) fn rows(&self, object: &SourceObject, batch: SourceBatch) -> Result<DataFrame, LakeError> {
        with_lineage(batch.frame, object, &self.run, self.planned_at)
    }

    /// Stages [`Self::rows`].
    ///
    /// # Errors
    /// As [`StageWriter::write`].
    pub(crate) fn push(&mut self, rows: &DataFrame) -> Result<(), LakeError> {
        let (columns, stored) = self.as_stored(rows)?;
        if self.writer.as_ref().is_some_and(|(open_for, _)| open_for != &columns) {
            self.close_file()?;
        }
        if self.writer.is_none() {
            let in_file = bronze_columns(columns.iter().cloned());
            let day = self.planned_at.to_zoned(TimeZone::UTC).date().to_string();
            let writer =
                StageWriter::new(&self.lake, &self.run, &self.table.table, &in_file, &[INGESTION_DATE.to_owned()])
                    .with_fixed_partition(INGESTION_DATE, &day);
            self.writer = Some((columns, writer));
        }
        if let Some((_, writer)) = &mut self.writer {
            writer.write(&stored)?;
        }
        Ok(())
    }

    /// The source columns of a frame under the names that the table has for them, and the frame with these names.
    fn as_stored(&mut self, frame: &DataFrame) -> Result<(Vec<String>, DataFrame), LakeError> {
        let mut stored = frame.clone();
        let mut columns = Vec::new();
        let mut all = Vec::with_capacity(frame.width());
        for name in frame.get_column_names() {
            if is_own_of_bronze(name) {
                all.push(name.to_string());
            } else {
                let name = self.table.meet(name);
                columns.push(name.clone());
                all.push(name);
            }
        }
        let doing = || LakeError::polars(format!("names of columns of table `{}`", self.table.table));
        stored.set_column_names(&all).map_err(doing())?;
        Ok((columns, stored))
    }

    /// Whether the table has these columns of a part's files under the same names, or not yet.
    pub(crate) fn fits(&self, columns: &[String]) -> bool {
        let is_same = |column: &String| self.table.names.stored(column).is_none_or(|stored| stored == column);
        columns.iter().all(is_same)
    }

    /// Takes what a part of the run has staged.
    pub(crate) fn take_part(&mut self, files: Vec<StagedFile>, columns: &[String]) {
        self.announce(columns);
        self.staged.extend(files);
    }

    /// Ends the stage of a part: its files, and the source columns of the table as they have them.
    ///
    /// # Errors
    /// As [`StageWriter::finish`].
    pub(crate) fn into_part(mut self) -> Result<(Vec<StagedFile>, Vec<String>), LakeError> {
        self.close_file()?;
        Ok((self.staged, self.table.names.source_columns().to_vec()))
    }

    /// Ends the stage.
    ///
    /// # Errors
    /// As [`StageWriter::finish`].
    pub(crate) fn finish(mut self, sources: BTreeSet<SourceId>) -> Result<TableChange, LakeError> {
        self.close_file()?;
        Ok(self.table.change(self.staged, sources))
    }

    fn close_file(&mut self) -> Result<(), LakeError> {
        if let Some((_, writer)) = self.writer.take() {
            self.staged.extend(writer.finish()?);
        }
        Ok(())
    }
}

/// The source columns of a frame in bronze shape.
pub(crate) fn source_columns(frame: &DataFrame) -> Vec<String> {
    frame.get_column_names().into_iter().filter(|name| !is_own_of_bronze(name)).map(|name| name.to_string()).collect()
}

/// The batch with its lineage columns, in bronze order.
fn with_lineage(
    mut frame: DataFrame,
    object: &SourceObject,
    run: &RunRef,
    planned_at: Timestamp,
) -> Result<DataFrame, LakeError> {
    let height = frame.height();
    let failed = |source| LakeError::Polars { doing: format!("lineage of {}", object.uri), source };
    let text = |name: &str, value: &str| {
        Column::new_scalar(
            name.into(),
            Scalar::new(DataType::String, polars::prelude::AnyValue::StringOwned(value.into())),
            height,
        )
    };
    let instant = |name: &str, time: Option<Timestamp>| {
        Series::new(name.into(), [time.map(|time| time.as_microsecond())])
            .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
            .and_then(|series| series.cast(&polars_type(&ColumnType::Timestamp)))
            .map(|series| series.into_column().new_from_index(0, height))
    };
    for column in [
        instant("_ingested_at", Some(planned_at)).map_err(failed)?,
        text("_source_file", object.uri.as_str()),
        text("_source_etag", &object.etag),
        instant(SOURCE_MODIFIED_AT, object.modified_at).map_err(failed)?,
        text("_run_id", run.run_id.as_str()),
    ] {
        frame.with_column(column).map_err(failed)?;
    }
    let order: Vec<String> = source_columns(&frame)
        .into_iter()
        .chain(CORRUPT.map(str::to_owned))
        .chain(lineage_names().map(str::to_owned))
        .collect();
    let mut ordered = frame.select(order).map_err(failed)?;
    // Read by several threads, it comes in several chunks; every step from here on is faster on one.
    ordered.rechunk_mut_par();
    Ok(ordered)
}
