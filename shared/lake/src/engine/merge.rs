//! Merge and history: new rows meet the rows of the table that have their keys.

use std::collections::HashSet;

use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, NULL, PlSmallStr, PolarsResult, Schema, SortMultipleOptions,
    UniqueKeepStrategy, col, lit,
};
use sluice_core::columns::{IS_DELETE, NEWER, UNCHANGED};
use sluice_core::contract::ColumnType;
use sluice_core::pipeline::{SilverTable, Versioned, WriteMode};
use sluice_core::run::SnapshotRows;

mod deletes;

pub(super) use self::deletes::without_deletes;
use super::collect_streaming;
use super::history::{
    IS_NEW, IS_RECALLED, STORED_VALID_TO, Versions, for_each_recalled, instant, next_height, versions,
};
use super::spill::{KEY_HASH, KeyedRows, hashes, key_hash};
use super::stage::StageWriter;
use crate::delta::{DataFile, FileStatistics, OpenTable};
use crate::error::LakeError;
use crate::overlap::overlapped;

/// Key hashes of new rows that are kept to find the files they meet: 64 MB. Beyond, every file that may hold such keys
/// by its statistics is rewritten.
const MAX_KEY_HASHES: usize = 8_000_000;
/// Rows of an existing file read at a time.
const READ_ROWS: u32 = 500_000;
/// Rows of a file of a history that are read first, because nobody knows yet how much they remember.
const FIRST_ROWS: u32 = 10_000;

/// New rows of a merged table on their way to its files.
pub(crate) struct MergeRows {
    by: Versioned,
    history: bool,
    /// Whether delete events are among the rows.
    has_deletes: bool,
    rows: KeyedRows,
    hashes: Option<HashSet<u64>>,
    /// Lowest and highest value of the first text key, to pass by files that cannot hold any of the keys.
    range: Option<(String, String)>,
    range_key: Option<String>,
    incoming: u64,
}

/// What a merge did.
#[derive(Debug, Default, Clone)]
pub(crate) struct Merged {
    /// Paths of the files that were replaced.
    pub(crate) removes: Vec<String>,
    /// Their rows.
    pub(crate) replaced: u64,
    /// Events of a history that are versions now and were not before.
    pub(crate) recalled: u64,
    /// What a snapshot did to the keys of the table.
    pub(crate) snapshot: Option<SnapshotRows>,
}

impl MergeRows {
    /// For modes merge and scd2; `None` for the others. `meets_files`: the table has files that new rows may meet.
    pub(crate) fn new(table: &SilverTable, mut schema: Schema, meets_files: bool) -> Option<Self> {
        let (by, history) = match &table.mode {
            WriteMode::Merge(by) => (by.clone(), false),
            WriteMode::Scd2(by) => (by.clone(), true),
            WriteMode::Append | WriteMode::Replace | WriteMode::Snapshot(_) => return None,
        };
        let first_key = by.keys.first()?.clone();
        if history {
            schema.insert(IS_NEW.into(), DataType::Boolean);
            schema.insert(STORED_VALID_TO.into(), instant());
            schema.insert(IS_RECALLED.into(), DataType::Boolean);
            schema.insert(UNCHANGED.into(), DataType::String);
        }
        let has_deletes = table.delete_when.is_some();
        if has_deletes {
            schema.insert(IS_DELETE.into(), DataType::Boolean);
        }
        schema.insert(KEY_HASH.into(), polars::prelude::DataType::UInt64);
        let is_text = |key: &&sluice_core::name::ColumnName| {
            table.contract.column(key.as_str()).is_some_and(|c| c.column_type == ColumnType::Text)
        };
        let range_key = by.keys.iter().find(is_text).map(ToString::to_string);
        Some(Self {
            by,
            history,
            has_deletes,
            rows: KeyedRows::new(schema, first_key.as_str()),
            hashes: meets_files.then(HashSet::new),
            range: None,
            range_key,
            incoming: 0,
        })
    }

    fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        self.by.keys.iter().map(|key| key.as_str())
    }

    fn with_hash(&self, frame: DataFrame) -> Result<DataFrame, LakeError> {
        frame.lazy().with_column(key_hash(self.keys())).collect().map_err(LakeError::polars("hashing keys"))
    }

    /// Takes new rows.
    ///
    /// # Errors
    /// As [`KeyedRows::push`].
    pub(crate) fn push(&mut self, frame: DataFrame) -> Result<(), LakeError> {
        if frame.height() == 0 {
            return Ok(());
        }
        let mut marks = Vec::new();
        if self.history {
            marks.extend([
                lit(true).alias(IS_NEW),
                lit(NULL).cast(instant()).alias(STORED_VALID_TO),
                lit(false).alias(IS_RECALLED),
                lit(NULL).cast(DataType::String).alias(UNCHANGED),
            ]);
        }
        if self.has_deletes {
            marks.push(lit(false).alias(IS_DELETE));
        }
        if marks.is_empty() {
            return self.take_new(frame);
        }
        let marked = frame.lazy().with_columns(marks).collect().map_err(LakeError::polars("marking new rows"))?;
        self.take_new(marked)
    }

    /// Takes new rows and events, in the shape of [`KeyedRows`] but for the hash.
    fn take_new(&mut self, frame: DataFrame) -> Result<(), LakeError> {
        self.incoming += frame.height() as u64;
        if let Some(key) = self.range_key.clone() {
            self.widen(&frame, &key).map_err(LakeError::polars("reading key bounds"))?;
        }
        let frame = self.with_hash(frame)?;
        if let Some(seen) = &mut self.hashes {
            seen.extend(hashes(&frame)?.iter().flatten());
            if seen.len() > MAX_KEY_HASHES {
                self.hashes = None;
            }
        }
        self.rows.push(frame)
    }

    fn widen(&mut self, frame: &DataFrame, key: &str) -> PolarsResult<()> {
        use polars::prelude::*;
        let bounds =
            frame.clone().lazy().select([col(key).min().alias("low"), col(key).max().alias("high")]).collect()?;
        let text =
            |name: &str| -> PolarsResult<Option<String>> { Ok(bounds.column(name)?.str()?.get(0).map(str::to_owned)) };
        if let (Some(low), Some(high)) = (text("low")?, text("high")?) {
            self.range = Some(match self.range.take() {
                None => (low, high),
                Some((least, most)) => (least.min(low), most.max(high)),
            });
        }
        Ok(())
    }

    /// Meets the table's rows, and the delete events that are stored of it, and writes what is to stand in the replaced
    /// files' place.
    ///
    /// # Errors
    /// [`LakeError`] when a file cannot be read or written.
    pub(crate) fn finish(
        mut self,
        existing: Option<&OpenTable>,
        deletes: Option<&OpenTable>,
        writer: &mut StageWriter,
    ) -> Result<Merged, LakeError> {
        let mut merged = Merged::default();
        if self.incoming == 0 {
            return Ok(merged);
        }
        if let Some(table) = existing {
            for file in table.files()? {
                if self.meets(table, &file)? {
                    self.take_file(table, &file, &mut merged)?;
                }
            }
        }
        if let Some(deletes) = deletes.filter(|_| self.has_deletes) {
            self.take_deletes(deletes)?;
        }
        let (by, history, rows) = (self.by, self.history, self.rows);
        // The next group is read back and deduplicated while this one is written.
        overlapped(
            |put| {
                rows.for_each_group(|rows| {
                    let kept = if history {
                        versions(rows, &by)?
                    } else {
                        let newest = newest(rows, &by);
                        let rows = newest.map_err(LakeError::polars("choosing the newest row of each key"))?;
                        Versions { rows, recalled: 0 }
                    };
                    put(kept).map_err(|stopped| LakeError::Internal { message: stopped.to_string() })
                })
            },
            |kept: Versions| {
                merged.recalled += kept.recalled;
                writer.write(&kept.rows)
            },
        )?;
        Ok(merged)
    }

    /// Whether a file may hold a key of the new rows, by its statistics.
    fn may_meet(&self, file: &DataFile) -> bool {
        match (&self.range_key, &self.range) {
            (Some(key), Some((low, high))) => {
                FileStatistics::parse(file.stats.as_deref()).may_hold_text(key, low, high)
            }
            _ => true,
        }
    }

    /// Whether a file holds a key of the new rows.
    fn meets(&self, table: &OpenTable, file: &DataFile) -> Result<bool, LakeError> {
        if !self.may_meet(file) {
            return Ok(false);
        }
        let Some(seen) = &self.hashes else { return Ok(true) };
        let keys = table.scan_files([file.path.as_str()])?.select([key_hash(self.keys())]);
        let found = collect_streaming(keys).map_err(LakeError::polars(format!("reading keys of {}", file.path)))?;
        Ok(hashes(&found)?.iter().flatten().any(|hash| seen.contains(&hash)))
    }

    fn take_file(&mut self, table: &OpenTable, file: &DataFile, merged: &mut Merged) -> Result<(), LakeError> {
        let stored = |name: &str| table.columns().iter().any(|column| column.name == name);
        let column = |(name, data_type): (&PlSmallStr, &DataType)| match stored(name) {
            _ if *name == IS_NEW => lit(false).alias(IS_NEW),
            _ if *name == STORED_VALID_TO => col("_valid_to").alias(STORED_VALID_TO),
            _ if *name == IS_RECALLED => lit(false).alias(IS_RECALLED),
            _ if *name == IS_DELETE => lit(false).alias(IS_DELETE),
            true => col(name.clone()),
            // A column that the contract has gained since: the rows there do not have it.
            false => lit(NULL).cast(data_type.clone()).alias(name.clone()),
        };
        let columns: Vec<Expr> = self.rows.schema().iter().filter(|(name, _)| *name != KEY_HASH).map(column).collect();
        let (mut offset, mut height) = (0, if self.history { FIRST_ROWS } else { READ_ROWS });
        loop {
            let rows = table
                .scan_slice(&file.path, offset, height)?
                .select(columns.clone())
                .collect()
                .map_err(LakeError::polars(format!("reading {}", file.path)))?;
            if rows.height() == 0 {
                break;
            }
            offset += i64::from(height);
            merged.replaced += rows.height() as u64;
            if self.history {
                height = next_height(&rows, READ_ROWS)?;
                let by = self.by.clone();
                for_each_recalled(&rows, &by, |rows| {
                    let rows = self.with_hash(rows)?;
                    self.rows.push(rows)
                })?;
            } else {
                let rows = self.with_hash(rows)?;
                self.rows.push(rows)?;
            }
        }
        merged.removes.push(file.path.clone());
        Ok(())
    }
}

/// The columns that decide which of two rows of one key is newer: the business column, if any, then as [`NEWER`] says.
/// Nulls come first, so the row of a version that did not record when its object was modified is the older one.
fn order(by: &Versioned) -> Vec<String> {
    by.latest_by.iter().map(|column| column.as_str()).chain(NEWER).map(str::to_owned).collect()
}

/// The newest row of each key, sorted by the first key so that files have narrow statistics.
fn newest(rows: DataFrame, by: &Versioned) -> PolarsResult<DataFrame> {
    let keys: Vec<&str> = by.keys.iter().map(|key| key.as_str()).collect();
    let kept = without_deletes(last_of(rows, &keys, by)?)?;
    sorted_by_first(kept.drop(KEY_HASH)?, &keys)
}

/// The last row of each identity in [`order`]. Most identities occur once, so only those that may occur twice are sorted.
pub(super) fn last_of(rows: DataFrame, identity: &[&str], by: &Versioned) -> PolarsResult<DataFrame> {
    let duplicated = rows.column(KEY_HASH)?.as_materialized_series().u64()?.clone();
    let duplicated = polars::prelude::is_duplicated(&polars::prelude::IntoSeries::into_series(duplicated))?;
    if !duplicated.any() {
        return Ok(rows);
    }
    let single = rows.filter(&!&duplicated)?;
    // With the hash there are always several columns: Polars cannot group by a decimal alone.
    let names: Vec<String> = identity.iter().chain([&KEY_HASH]).map(|name| (*name).to_owned()).collect();
    let several = rows
        .filter(&duplicated)?
        .sort(order(by), SortMultipleOptions::default().with_maintain_order(true))?
        .unique_stable(Some(&names), UniqueKeepStrategy::Last, None)?;
    single.vstack(&several)
}

fn sorted_by_first(rows: DataFrame, keys: &[&str]) -> PolarsResult<DataFrame> {
    match keys.first() {
        Some(first) => rows.sort([*first], SortMultipleOptions::default()),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;
    use sluice_core::columns::{SOURCE_MODIFIED_AT, SOURCE_ROW};

    use super::*;

    fn by() -> Versioned {
        let name = |name: &str| name.parse().expect("name");
        Versioned { keys: vec![name("id")], latest_by: Some(name("at")), track: Vec::new() }
    }

    /// Rows of one key and one business time: when their file was modified, its name, the time of the run, the row.
    fn ties(rows: &[(Option<i64>, &str, i64, i64)]) -> DataFrame {
        let frame = df!(
            "id" => vec![1_i64; rows.len()],
            "at" => vec![1_767_600_000_000_000_i64; rows.len()],
            SOURCE_MODIFIED_AT => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "_source_file" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "_source_etag" => vec!["e"; rows.len()],
            "_run_id" => vec!["r"; rows.len()],
            "_ingested_at" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            SOURCE_ROW => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        );
        frame.expect("frame").lazy().with_column(key_hash(["id"])).collect().expect("hashes")
    }

    /// As a history has them: new, or with the end of their time as the table has it.
    fn marked(rows: DataFrame, is_new: bool, valid_to: Option<i64>) -> DataFrame {
        let valid_to = valid_to.map_or(lit(NULL), lit).cast(instant()).alias(STORED_VALID_TO);
        let unchanged = lit(NULL).cast(DataType::String).alias(UNCHANGED);
        let marks = [lit(is_new).alias(IS_NEW), valid_to, lit(false).alias(IS_RECALLED), unchanged];
        rows.lazy().with_columns(marks).collect().expect("marks")
    }

    #[test]
    fn of_rows_with_the_same_business_time_the_one_that_was_delivered_last_stays() {
        // The last of the rows stays, in whichever order they come.
        let check = |rows: &[(Option<i64>, &str, i64, i64)]| {
            let kept = *rows.last().expect("a row");
            let reversed: Vec<_> = rows.iter().rev().copied().collect();
            for rows in [rows, reversed.as_slice()] {
                let history = versions(marked(ties(rows), true, None), &by()).expect("versions").rows;
                for found in [newest(ties(rows), &by()).expect("rows"), history] {
                    assert_eq!(found.height(), 1, "{rows:?}");
                    let file = found.column("_source_file").and_then(|column| column.str().cloned()).expect("texts");
                    let row = found.column(SOURCE_ROW).and_then(|column| column.i64().cloned()).expect("numbers");
                    assert_eq!((file.get(0), row.get(0)), (Some(kept.1), Some(kept.3)), "{rows:?}");
                }
            }
        };
        check(&[(Some(1), "export_9", 1, 1), (Some(2), "export_10", 2, 1)]);
        // The newer file is taken in first.
        check(&[(Some(1), "export_9", 2, 1), (Some(2), "export_10", 1, 1)]);
        check(&[(Some(2), "export_10", 1, 1), (Some(2), "export_9", 1, 1)]);
        check(&[(Some(2), "a", 1, 9), (Some(2), "a", 2, 1)]);
        check(&[(Some(2), "a", 1, 1), (Some(2), "a", 1, 2)]);
        // Rows of a version that did not record the time.
        check(&[(None, "z", 2, 1), (Some(1), "a", 1, 1)]);
        check(&[(None, "a", 2, 1), (None, "b", 1, 1)]);
    }

    #[test]
    fn a_key_without_a_new_row_keeps_the_times_that_it_has() {
        let row =
            |day: i64| ties(&[(Some(day), "a", day, 1)]).lazy().with_column(lit(day).alias("at")).collect().unwrap();
        let check = |rows: [DataFrame; 2], expected: [(Option<i64>, bool); 2]| {
            let both = rows[0].vstack(&rows[1]).expect("rows");
            let found = versions(both, &by()).expect("versions").rows;
            let ends = found.column("_valid_to").unwrap().cast(&DataType::Int64).unwrap();
            let current = found.column("_is_current").unwrap();
            let found: Vec<_> = ends.i64().unwrap().iter().zip(current.bool().unwrap().iter().flatten()).collect();
            assert_eq!(found, expected);
        };
        // The version in between is in a file that no new row meets.
        check([marked(row(1), false, Some(2)), marked(row(3), false, None)], [(Some(2), false), (None, true)]);
        check([marked(row(1), false, Some(2)), marked(row(3), true, None)], [(Some(3), false), (None, true)]);
        check([marked(row(1), true, None), marked(row(3), false, None)], [(Some(3), false), (None, true)]);
    }
}
