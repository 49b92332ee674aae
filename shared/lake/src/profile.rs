//! Profiles of files and tables: their values, read block by block, for [`Profiler`].

use std::collections::HashMap;
use std::path::Path;

use polars::error::PolarsResult;
use polars::prelude::{Column, DataFrame, Expr, col};
use sluice_core::columns::{CORRUPT_REASON, StoredColumn, is_own_of_bronze};
use sluice_core::init::{SampleTable, Written, propose};
use sluice_core::name::TableRef;
use sluice_core::profile::{Profile, ProfileError, Profiler, Reading};
use sluice_core::run::Positions;

use crate::delta::OpenTable;
use crate::error::LakeError;
use crate::init::{SampleError, name_of, recognise_file, sample_file};
use crate::inspect::{Cell, existing};
use crate::lake::Lake;
use crate::objects::blocking;
use crate::source::{Extent, SourceBatch, SourceInput, SourceOptions, read_source};

/// Most rows of a table that are read at a time, of at most [`TABLE_COLUMNS`] columns.
const TABLE_ROWS: u32 = 100_000;
/// Rows that are read first of each file, which show how long they are.
const FIRST_ROWS: u32 = 1000;
/// Memory that the rows should take which are read at a time: texts may be long.
const BLOCK_BYTES: usize = 64 << 20;
/// Columns of a table that are read at a time. Of Parquet, other columns are not read.
const TABLE_COLUMNS: usize = 8;

/// The profile of a file, and how it is written.
#[derive(Debug)]
pub struct FileProfile {
    /// What is in its columns.
    pub profile: Profile,
    /// What it was recognised as, and on what evidence.
    pub written: Written,
}

/// Profiles a file of any format that a pipeline reads; all of its columns, or those that are `wanted`. Their types are
/// guessed from its first 10,000 records. Reads it whole, with bounded memory; `progress` gets the number of records
/// after each block. Blocks.
///
/// # Errors
/// [`SampleError`] where it cannot be read, or lacks a column that is wanted.
pub fn profile_file(
    path: &Path,
    wanted: Option<Vec<String>>,
    progress: &mut dyn FnMut(u64),
) -> Result<FileProfile, SampleError> {
    let written = recognise_file(path)?;
    let readings = readings(sample_file(path, &written)?);
    let mut profiler = Profiler::new(readings, wanted);
    let file = name_of(path);
    let options = SourceOptions::of_sample(&written);
    let input = SourceInput::File(path.to_owned());
    let extent = Extent::whole(Positions::Numbers);
    let outcome = read_source(written.format, &options, input, &file, extent, &mut |batch| {
        progress(take_batch(&mut profiler, &batch)?);
        Ok(())
    });
    let summary = outcome.map_err(|source| SampleError::Source { file: file.clone(), source })?;
    for name in &summary.columns {
        // Also those that have no value at all.
        let _ = profiler.column(name);
    }
    Ok(FileProfile { profile: profiler.finish(&file, None)?, written })
}

/// How `sluice init` would read the columns. Where it would refuse the file, they are texts.
fn readings(sample: SampleTable) -> HashMap<String, Reading> {
    let Ok(proposal) = propose(&[sample]) else { return HashMap::new() };
    let reading = |column| Reading::proposed(column, &proposal.null_words);
    proposal.columns.iter().map(|column| (column.source.name().to_owned(), reading(column))).collect()
}

/// Takes the values of a batch, and says how many records there were so far.
fn take_batch(profiler: &mut Profiler, batch: &SourceBatch) -> PolarsResult<u64> {
    let frame = &batch.frame;
    let is_good: Vec<bool> = frame.column(CORRUPT_REASON)?.str()?.iter().map(|reason| reason.is_none()).collect();
    for column in frame.columns() {
        let name = column.name().as_str();
        if is_own_of_bronze(name) {
            continue;
        }
        let Some(place) = profiler.column(name) else { continue };
        for (text, is_good) in column.str()?.iter().zip(&is_good) {
            if let (Some(text), true) = (text, *is_good) {
                profiler.add(place, text);
            }
        }
    }
    let good = is_good.iter().filter(|is_good| **is_good).count();
    Ok(profiler.count(good as u64, (is_good.len() - good) as u64))
}

/// Profiles a table at its newest version or at the one given; all of its columns, or those that are `wanted`. Reads it
/// whole, with bounded memory; `progress` gets the number of rows after each block of the first columns.
///
/// # Errors
/// [`LakeError::NotFound`] where the table or version does not exist; [`LakeError::Invalid`] where it lacks a column
/// that is wanted; those of reading it.
pub async fn profile_table(
    lake: &Lake,
    table: &TableRef,
    version: Option<u64>,
    wanted: Option<Vec<String>>,
    mut progress: impl FnMut(u64) + Send + 'static,
) -> Result<Profile, LakeError> {
    let open = existing(lake, table, version).await?;
    blocking(move || profile_open(&open, wanted, &mut progress)).await
}

fn profile_open(
    open: &OpenTable,
    wanted: Option<Vec<String>>,
    progress: &mut dyn FnMut(u64),
) -> Result<Profile, LakeError> {
    let readings =
        open.columns().iter().map(|column| (column.name.clone(), Reading::stored(column.column_type.clone())));
    let mut profiler = Profiler::new(readings.collect(), wanted);
    let places: Vec<(usize, &StoredColumn)> =
        open.columns().iter().filter_map(|column| Some((profiler.column(&column.name)?, column))).collect();
    let of = open.reference().to_string();
    let refused = |error: ProfileError| LakeError::Invalid { message: error.to_string() };
    profiler.check(&of).map_err(refused)?;
    let files = open.files()?;
    for (block, columns) in places.chunks(TABLE_COLUMNS).enumerate() {
        let selected: Vec<Expr> = columns.iter().map(|(_, column)| col(column.name.as_str())).collect();
        for file in &files {
            let (mut offset, mut most) = (0, FIRST_ROWS);
            loop {
                let failed = LakeError::polars(format!("read rows of table `{}`", open.reference()));
                let rows = open.scan_slice(&file.path, offset, most)?.select(selected.clone()).collect();
                let rows =
                    rows.and_then(|rows| take_rows(&mut profiler, columns, &rows).map(|()| rows)).map_err(failed)?;
                let height = rows.height() as u64;
                if block == 0 {
                    progress(profiler.count(height, 0));
                }
                if height < u64::from(most) {
                    break;
                }
                offset += i64::from(most);
                most = next_rows(rows.estimated_size(), rows.height());
            }
        }
    }
    profiler.finish(&of, Some(open.version())).map_err(refused)
}

/// How many rows to read next, where those before took so many bytes.
fn next_rows(bytes: usize, rows: usize) -> u32 {
    let row_bytes = (bytes / rows.max(1)).max(1);
    u32::try_from(BLOCK_BYTES / row_bytes).unwrap_or(TABLE_ROWS).clamp(1, TABLE_ROWS)
}

/// Takes the values of some rows in these columns.
fn take_rows(profiler: &mut Profiler, columns: &[(usize, &StoredColumn)], rows: &DataFrame) -> PolarsResult<()> {
    for (place, stored) in columns {
        let column = rows.column(stored.name.as_str())?;
        if let Ok(texts) = column.str() {
            texts.iter().flatten().for_each(|text| profiler.add(*place, text));
        } else {
            take_typed(profiler, *place, column)?;
        }
    }
    Ok(())
}

/// Takes values that are not texts, as `sluice table head` prints them.
fn take_typed(profiler: &mut Profiler, place: usize, column: &Column) -> PolarsResult<()> {
    for row in 0..column.len() {
        match Cell::of(&column.get(row)?) {
            Cell::Null => {}
            cell => profiler.add(place, &cell.to_string()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sluice_core::profile::ColumnProfile;

    use super::*;

    fn profiled(name: &str, bytes: &[u8], wanted: Option<&str>) -> Result<FileProfile, SampleError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        profile_file(&path, wanted.map(|name| vec![name.to_owned()]), &mut |_| {})
    }

    #[test]
    fn a_file_is_profiled_in_the_types_that_init_guesses() {
        let check = |name: &str, bytes: &[u8], expected: &[&str]| {
            let profile = profiled(name, bytes, None).expect("a profile").profile;
            let text = |column: &ColumnProfile| {
                let (least, greatest) = (column.least.as_deref(), column.greatest.as_deref());
                let (least, greatest) = (least.unwrap_or_default(), greatest.unwrap_or_default());
                format!("{} {} {} {least} {greatest}", column.name, column.column_type, column.nulls)
            };
            assert_eq!(profile.columns.iter().map(text).collect::<Vec<_>>(), expected, "{name}");
        };
        check(
            "a.csv",
            b"Nr;Betrag;Am\n1;1.299,50;31.01.2024\n2;NA;01.02.2024\n10;-0,25;\n",
            &["Nr BIGINT 0 1 10", "Betrag DECIMAL(18,2) 1 -0.25 1299.50", "Am DATE 1 2024-01-31 2024-02-01"],
        );
        check("a.ndjson", b"{\"a\":\"x\"}\n{\"a\":\"y\",\"b\":[1,2]}\n", &["a STRING 0 x y", "b STRING 1 [1,2] [1,2]"]);
    }

    #[test]
    fn records_that_cannot_be_split_are_counted_apart() {
        let records: String = (1..=30).map(|id| format!("{id},x\n")).collect();
        let profile =
            profiled("a.csv", format!("id,n\n{records}31,x,y\n").as_bytes(), None).expect("a profile").profile;
        assert_eq!((profile.rows, profile.corrupt), (30, 1));
        assert_eq!(profile.columns[0].distinct, 30);
    }

    #[test]
    fn long_rows_are_read_a_few_at_a_time() {
        let check = |bytes: usize, rows: usize, expected: u32| assert_eq!(next_rows(bytes, rows), expected);
        check(400_000, 1000, TABLE_ROWS);
        check(64 << 20, 1000, 1000);
        check(1 << 30, 1, 1);
        check(0, 0, TABLE_ROWS);
    }

    #[test]
    fn a_column_that_the_file_lacks_is_named() {
        let profile = profiled("a.csv", b"id,n\n1,2\n", Some("n")).expect("a profile").profile;
        assert_eq!(profile.columns.len(), 1);
        let error = profiled("a.csv", b"id,n\n1,2\n", Some("x")).expect_err("a refusal").to_string();
        assert!(error.ends_with("has no column `x`; it has id, n"), "{error}");
    }
}
