//! Full snapshots meet the rows of their table: keys that a snapshot lacks go or end, changed ones are written, and files
//! whose rows all stay are not touched.
//!
//! Every row gets the number of its snapshot: 0 for what the table has, then one for each snapshot of the run, from the
//! oldest. A row goes on with the one before it where key and values are the same and no snapshot is between them. Such
//! runs of rows are the versions of a key: the last one of them is what the table shows now.

mod compare;

use std::collections::HashMap;

use polars::prelude::{
    BooleanChunked, DataFrame, DataType, Expr, IntoColumn, IntoLazy, NULL, NamedFrom, PlSmallStr, PolarsResult, Schema,
    Series, col, lit,
};
use sluice_core::columns::{SOURCE_FILE, silver_columns};
use sluice_core::pipeline::{SilverTable, Versioned, WriteMode};
use sluice_core::spec::DeletedLimit;

use self::compare::{Comparison, Totals};
use super::history::instant;
use super::merge::Merged;
use super::spill::{KEY_HASH, KeyedRows, key_hash};
use super::stage::StageWriter;
use crate::delta::schema::polars_schema;
use crate::delta::{DataFile, OpenTable};
use crate::error::LakeError;

/// Rows of an existing file read at a time.
const READ_ROWS: u32 = 500_000;
/// Number of the snapshot that a row is of; 0 for rows of the table.
const SNAPSHOT: &str = "_snapshot";
/// Number of the file that a row of the table is in.
const FILE: &str = "_file";
/// Place of a row of the table in its file.
const PLACE: &str = "_place";
const VALID_FROM: &str = "_valid_from";
const IS_CURRENT: &str = "_is_current";

/// The snapshots that a run brings to a table, from the oldest.
#[derive(Debug, Clone, Default)]
pub(crate) struct SnapshotOrder {
    /// When each of them was made, in microseconds of Unix time.
    times: Vec<Option<i64>>,
    /// The snapshot, from 1, that rows of an object are of; empty where all are of the only one.
    of_object: HashMap<String, i64>,
}

impl SnapshotOrder {
    /// One snapshot, of which every row of the run is.
    pub(crate) fn one() -> Self {
        Self { times: vec![None], of_object: HashMap::new() }
    }

    /// Snapshots from the oldest, each with its time and the addresses of its objects.
    pub(crate) fn of(snapshots: impl IntoIterator<Item = (Option<i64>, Vec<String>)>) -> Self {
        let mut order = Self::default();
        for ((time, objects), number) in snapshots.into_iter().zip(1_i64..) {
            order.times.push(time);
            order.of_object.extend(objects.into_iter().map(|object| (object, number)));
        }
        order
    }

    fn number_of(&self, object: Option<&str>) -> Option<i64> {
        match object {
            _ if self.of_object.is_empty() => Some(1),
            Some(object) => self.of_object.get(object).copied(),
            None => None,
        }
    }

    /// When a snapshot was made.
    fn time(&self, number: i64) -> Option<i64> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.times.get(index).copied().flatten()
    }

    fn count(&self) -> i64 {
        i64::try_from(self.times.len()).unwrap_or(i64::MAX)
    }
}

/// New rows of full snapshots on their way to the files of their table.
pub(crate) struct CompareRows {
    order: SnapshotOrder,
    /// The keys; that the newest delivery counts.
    by: Versioned,
    /// The columns that make a change.
    compared: Vec<String>,
    history: bool,
    /// How many keys a snapshot may lack.
    limit: DeletedLimit,
    /// Columns of the table.
    columns: Schema,
    rows: KeyedRows,
    totals: Totals,
}

/// Which rows of a file of the table stay.
struct StoredFile {
    path: String,
    stays: Vec<bool>,
}

impl CompareRows {
    /// For tables that are compared with snapshots; `None` for the others.
    pub(super) fn new(table: &SilverTable, mut schema: Schema, order: SnapshotOrder) -> Option<Self> {
        if !table.compares_snapshots() {
            return None;
        }
        let (keys, track) = match &table.mode {
            WriteMode::Snapshot(by) => (by.keys.clone(), Vec::new()),
            WriteMode::Scd2(by) => (by.keys.clone(), by.track.clone()),
            WriteMode::Append | WriteMode::Replace | WriteMode::Merge(_) => return None,
        };
        let first_key = keys.first()?.clone();
        let history = matches!(table.mode, WriteMode::Scd2(_));
        let all = table.contract.columns.iter().map(|column| &column.name).filter(|name| !keys.contains(*name));
        let compared = if history { track } else { all.cloned().collect() };
        let compared = compared.iter().map(ToString::to_string).collect();
        schema.insert(SNAPSHOT.into(), DataType::Int64);
        schema.insert(FILE.into(), DataType::Int64);
        schema.insert(PLACE.into(), DataType::Int64);
        if history {
            schema.insert(VALID_FROM.into(), instant());
        }
        schema.insert(KEY_HASH.into(), DataType::UInt64);
        let columns = polars_schema(&silver_columns(table));
        Some(Self {
            order,
            by: Versioned { keys, latest_by: None, track: Vec::new() },
            compared,
            history,
            limit: table.deleted_percent_below,
            columns,
            rows: KeyedRows::new(schema, first_key.as_str()),
            totals: Totals::default(),
        })
    }

    /// Takes new rows.
    ///
    /// # Errors
    /// As [`KeyedRows::push`].
    pub(super) fn push(&mut self, frame: DataFrame) -> Result<(), LakeError> {
        if frame.height() == 0 {
            return Ok(());
        }
        let order = &self.order;
        let numbered = |mut rows: DataFrame| -> PolarsResult<DataFrame> {
            let files = rows.column(SOURCE_FILE)?.str()?;
            let numbers: Vec<Option<i64>> = files.iter().map(|file| order.number_of(file)).collect();
            let _ = rows.with_column(Series::new(SNAPSHOT.into(), numbers).into_column())?;
            // Rows of a snapshot that was passed by: of two with one time, the one of the greater name counts.
            let is_of_one = rows.column(SNAPSHOT)?.is_not_null();
            rows.filter(&is_of_one)
        };
        let rows = numbered(frame).map_err(LakeError::polars("numbering the snapshots of rows"))?;
        self.keep(rows, &lit(NULL).cast(instant()))
    }

    /// Keeps rows with the columns of the schema; `valid_from` is null in those of snapshots.
    fn keep(&mut self, rows: DataFrame, valid_from: &Expr) -> Result<(), LakeError> {
        let has = |name: &str| rows.column(name).is_ok();
        let column = |(name, data_type): (&PlSmallStr, &DataType)| match name.as_str() {
            VALID_FROM => valid_from.clone().alias(VALID_FROM),
            KEY_HASH => key_hash(self.by.keys.iter().map(|key| key.as_str())),
            name if has(name) => col(name),
            // A column that the contract has gained since, or one of rows of the table alone.
            name => lit(NULL).cast(data_type.clone()).alias(name),
        };
        let columns: Vec<Expr> = self.rows.schema().iter().map(column).collect();
        let rows = rows.lazy().select(columns).collect();
        self.rows.push(rows.map_err(LakeError::polars("rows of a snapshot"))?)
    }

    /// Compares the snapshots with the table and writes what is to stand in the place of the files that change.
    ///
    /// # Errors
    /// [`LakeError`] when a file cannot be read or written.
    pub(super) fn finish(
        mut self,
        existing: Option<&OpenTable>,
        writer: &mut StageWriter,
    ) -> Result<Merged, LakeError> {
        if self.order.count() == 0 {
            return Ok(Merged::default());
        }
        let mut files = Vec::new();
        if let Some(table) = existing {
            for file in table.files()? {
                let number = i64::try_from(files.len()).unwrap_or(i64::MAX);
                files.push(self.take_file(table, &file, number)?);
            }
        }
        let Self { order, by, compared, history, limit, columns, rows, mut totals } = self;
        let compare = Comparison { order: &order, by: &by, compared: &compared, history, columns: &columns };
        rows.for_each_group(|rows| {
            let written = compare.group(rows, &mut files, &mut totals)?;
            writer.write(&written)
        })?;
        let mut merged = Merged { snapshot: Some(totals.finish(order.count(), limit)), ..Merged::default() };
        if let Some(table) = existing {
            for file in files.into_iter().filter(|file| file.stays.contains(&false)) {
                merged.replaced += file.stays.len() as u64;
                write_rest(table, &file, &columns, writer)?;
                merged.removes.push(file.path);
            }
        }
        Ok(merged)
    }

    /// Takes the rows of a file of the table; of a history those that are valid now, because the others stay.
    fn take_file(&mut self, table: &OpenTable, file: &DataFile, number: i64) -> Result<StoredFile, LakeError> {
        let doing = || LakeError::polars(format!("reading {}", file.path));
        let mut stays = Vec::new();
        let mut offset = 0_i64;
        loop {
            let rows = table.scan_slice(&file.path, offset, READ_ROWS)?.collect().map_err(doing())?;
            if rows.height() == 0 {
                break;
            }
            let numbered = || -> PolarsResult<(DataFrame, BooleanChunked)> {
                let places: Vec<i64> = (offset..).take(rows.height()).collect();
                let mut placed = rows.clone();
                let _ = placed.with_column(Series::new(PLACE.into(), places).into_column())?;
                let marks =
                    [lit(0_i64).cast(DataType::Int64).alias(SNAPSHOT), lit(number).cast(DataType::Int64).alias(FILE)];
                let placed = placed.lazy().with_columns(marks).collect()?;
                let is_compared = if self.history {
                    placed.column(IS_CURRENT)?.bool()?.clone()
                } else {
                    placed.column(PLACE)?.is_not_null()
                };
                Ok((placed.filter(&is_compared)?, is_compared))
            };
            let (compared, is_compared) = numbered().map_err(doing())?;
            stays.extend(is_compared.iter().map(|is_compared| is_compared != Some(true)));
            self.keep(compared, &if self.history { col(VALID_FROM) } else { lit(NULL).cast(instant()) })?;
            offset += i64::from(READ_ROWS);
        }
        Ok(StoredFile { path: file.path.clone(), stays })
    }
}

/// Writes the rows of a file that stay, where others of it do not.
fn write_rest(
    table: &OpenTable,
    file: &StoredFile,
    columns: &Schema,
    writer: &mut StageWriter,
) -> Result<(), LakeError> {
    let doing = || LakeError::polars(format!("reading {}", file.path));
    let mut offset = 0_i64;
    let mut stays = file.stays.iter().copied();
    loop {
        let rows = table.scan_slice(&file.path, offset, READ_ROWS)?.collect().map_err(doing())?;
        if rows.height() == 0 {
            return Ok(());
        }
        let mask: BooleanChunked = stays.by_ref().take(rows.height()).map(Some).collect();
        let rest = || -> PolarsResult<DataFrame> {
            let of_table = |(name, data_type): (&PlSmallStr, &DataType)| match rows.column(name) {
                Ok(_) => col(name.clone()),
                // A column that the contract has gained since.
                Err(_) => lit(NULL).cast(data_type.clone()).alias(name.clone()),
            };
            let shown: Vec<Expr> = columns.iter().map(of_table).collect();
            rows.filter(&mask)?.lazy().select(shown).collect()
        };
        writer.write(&rest().map_err(doing())?)?;
        offset += i64::from(READ_ROWS);
    }
}
