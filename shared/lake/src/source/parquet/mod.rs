//! Parquet: typed columns become the text a careful person would have written into a CSV file; see "Parquet values as
//! text" in `docs/contracts.md`.
//!
//! Each leaf is read with its levels by the `parquet` crate, which gives values as they are stored: Polars' reader clamps
//! far timestamps, drops zones and types of nested values, and does not read some types at all. What is not certain is
//! refused: sizes, checksums and numbers of values are compared before and after decoding.

mod aside;
mod batches;
mod column;
mod fault;
mod leaf;
mod levels;
mod pages;
mod records;
mod schema;
#[cfg(test)]
mod tests;
pub(super) mod text;
mod thrift;
pub(super) mod values;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use sluice_core::source::Codec;

use self::batches::{Batches, Worker};
use self::column::ColumnSource;
pub(super) use self::fault::{ParquetFault, is_of_the_system};
use self::schema::{ColumnType, NoText, columns};
use super::batch::SourceBatch;
use super::chunk::ReadLimits;
use super::columns::SourceColumns;
use super::error::{Place, SourceError};
use super::place::RowPositions;
use super::stream::SourceInput;
use super::{Sink, SourceSummary};

/// What a value takes in a column of text in addition to the text itself, in bytes.
const TEXT_PLACE_BYTES: usize = 16;

/// The names in the footer.
pub(super) fn read_columns(input: SourceInput, object: &str) -> Result<Vec<String>, SourceError> {
    Ok(ParquetSource::open(input, object)?.footer.names)
}

/// The names in a footer that was read already.
pub(super) fn columns_of(metadata: &ParquetMetaData, object: &str) -> Result<Vec<String>, SourceError> {
    Ok(Footer::of(metadata, object)?.names)
}

/// Reads a whole object.
pub(super) fn read(
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let source = ParquetSource::open(input, object)?;
    let mut batches = Batches::new(source.workers(limits, object)?, limits.chunk_bytes);
    let (mut read, mut corrupt_rows) = (0, 0);
    while read < source.footer.rows {
        let left = usize::try_from(source.footer.rows - read).unwrap_or(usize::MAX);
        let batch = batches.read(left).map_err(|source| unreadable(object, source))?;
        let (row, rows) = (read + 1, batch.rows);
        corrupt_rows += batch.corrupt.len() as u64;
        let batch = SourceBatch::new(batch.columns, rows, &RowPositions::Numbered { first: row }, &batch.corrupt);
        let batch = batch.map_err(|source| SourceError::Batch { object: object.to_owned(), row, source })?;
        read += rows as u64;
        sink(batch).map_err(|source| SourceError::Sink { object: object.to_owned(), row, source })?;
    }
    Ok(SourceSummary { rows: read, corrupt_rows, columns: source.footer.names.clone(), found: None })
}

fn unreadable(object: &str, source: ParquetFault) -> SourceError {
    SourceError::Parquet { object: object.to_owned(), source }
}

/// What the footer says about the rows and columns.
struct Footer {
    columns: Vec<ColumnType>,
    names: Vec<String>,
    rows: u64,
}

impl Footer {
    fn of(metadata: &ParquetMetaData, object: &str) -> Result<Self, SourceError> {
        let negative = |_| unreadable(object, ParquetFault::footer("has a negative number of rows"));
        let rows = u64::try_from(metadata.file_metadata().num_rows()).map_err(negative)?;
        let mut group_rows = 0_u64;
        for group in metadata.row_groups() {
            group_rows = group_rows.saturating_add(u64::try_from(group.num_rows()).map_err(negative)?);
        }
        if rows != group_rows {
            return Err(SourceError::ParquetRows { object: object.to_owned(), announced: rows, in_groups: group_rows });
        }
        refuse_large_values(metadata).map_err(|fault| unreadable(object, fault))?;
        let columns = alone(|| columns(metadata.file_metadata())).map_err(|fault| unreadable(object, fault))?;
        let columns = columns.map_err(|NoText { column, data_type, fix }| SourceError::ParquetType {
            object: object.to_owned(),
            column,
            data_type,
            fix,
        })?;
        let names = SourceColumns::from_header(columns.iter().map(|column| &column.name))
            .map_err(|fault| SourceError::Columns { object: object.to_owned(), place: Place::Footer, fault })?;
        Ok(Self { columns, names: names.names().to_vec(), rows })
    }
}

/// Values cannot all be smaller than they are on average.
fn refuse_large_values(metadata: &ParquetMetaData) -> Result<(), ParquetFault> {
    /// Most bytes of a value: as of a record of text.
    const MAX_VALUE_BYTES: i64 = 64 << 20;
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        if chunk.uncompressed_size() / chunk.num_values().max(1) > MAX_VALUE_BYTES {
            let column = chunk.column_path().string();
            return Err(ParquetFault::footer(format!("column `{column}` has values of more than 64 MiB; split them")));
        }
    }
    Ok(())
}

struct ParquetSource {
    path: PathBuf,
    metadata: ParquetMetaData,
    footer: Footer,
}

impl ParquetSource {
    fn open(input: SourceInput, object: &str) -> Result<Self, SourceError> {
        let SourceInput::File(path) = input else {
            return Err(SourceError::ParquetStream { object: object.to_owned() });
        };
        let file = open_parquet(&path, object)?;
        // Nothing is decided by statistics, so a file with wrong ones can be read.
        let options = ParquetMetaDataOptions::new().with_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
        let metadata = alone(|| reader.parse_and_finish(&file)).and_then(|metadata| Ok(metadata?));
        let metadata = metadata.map_err(|fault| unreadable(object, fault))?;
        let footer = Footer::of(&metadata, object)?;
        Ok(Self { path, metadata, footer })
    }

    /// Divides the columns among so many workers, or fewer. Each has a file of its own: readers move its position.
    fn workers(&self, limits: ReadLimits, object: &str) -> Result<Vec<Worker<'_>>, SourceError> {
        let columns = self.footer.columns.iter().zip(&self.footer.names);
        let sources: Vec<_> =
            columns.map(|(column, name)| ColumnSource::new(&self.metadata, column, name, limits)).collect();
        let share = sources.len().div_ceil(limits.workers.max(1)).max(1);
        let mut workers = Vec::new();
        let mut sources = sources.into_iter().peekable();
        while sources.peek().is_some() {
            let open = |source| SourceError::Open { object: object.to_owned(), source };
            let file = Arc::new(File::open(&self.path).map_err(open)?);
            workers.push(Worker { file, columns: sources.by_ref().take(share).collect() });
        }
        Ok(workers)
    }
}

/// Runs work of the library on a thread of its own, where a panic about a damaged file ends nothing else.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, ParquetFault> {
    thread::scope(|scope| scope.spawn(work).join().map_err(|panic| ParquetFault::panicked(&*panic)))
}

fn open_parquet(path: &Path, object: &str) -> Result<File, SourceError> {
    let open = |source| SourceError::Open { object: object.to_owned(), source };
    let mut magic = Vec::new();
    File::open(path).map_err(open)?.take(4).read_to_end(&mut magic).map_err(open)?;
    if magic.is_empty() {
        return Err(SourceError::EmptyObject { object: object.to_owned() });
    }
    match Codec::of(&magic) {
        Codec::Plain => File::open(path).map_err(open),
        codec => Err(SourceError::ParquetPacked { object: object.to_owned(), codec }),
    }
}
