//! Parquet: typed columns become the text a careful person would have written into a CSV file; see [`text`].

#[cfg(test)]
mod tests;
mod text;

use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use polars::error::{PolarsError, PolarsResult};
use polars::prelude::{
    DataFrame, Engine, HiveOptions, IdxSize, LazyFrame, ParquetReader, PlRefPath, ScanArgsParquet, Schema, SchemaRef,
    SerReader,
};
use sluice_core::source::Codec;

use self::text::{text_column, without_text};
use super::batch::SourceBatch;
use super::chunk::ReadLimits;
use super::columns::SourceColumns;
use super::error::{Place, SourceError};
use super::stream::SourceInput;
use super::{Sink, SourceSummary};

/// What a value takes in a column of text in addition to the text itself, in bytes.
const TEXT_PLACE_BYTES: usize = 16;

/// The names in the footer.
pub(super) fn read_columns(input: SourceInput, object: &str) -> Result<Vec<String>, SourceError> {
    Ok(ParquetSource::open(input, object)?.columns.names().to_vec())
}

/// Reads a whole object.
pub(super) fn read(
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let source = ParquetSource::open(input, object)?;
    let unreadable = |source| SourceError::Parquet { object: object.to_owned(), source };
    let batch_rows = source.batch_rows(limits.chunk_bytes);
    let mut rows = 0;
    for frame in source.frames(batch_rows) {
        let frame = frame.map_err(unreadable)?;
        let row = rows + 1;
        let texts: PolarsResult<Vec<_>> = frame
            .columns()
            .iter()
            .zip(source.columns.names())
            .map(|(column, name)| text_column(column).map(|column| column.with_name(name.into())))
            .collect();
        let batch = texts.and_then(|columns| SourceBatch::new(columns, frame.height(), row, &[]));
        let batch = batch.map_err(|source| SourceError::Batch { object: object.to_owned(), row, source })?;
        rows += frame.height() as u64;
        if frame.height() > 0 {
            sink(batch).map_err(|source| SourceError::Sink { object: object.to_owned(), row, source })?;
        }
    }
    // The frames come over a channel, which also ends when the thread behind it dies.
    if rows != source.announced_rows {
        return Err(SourceError::ParquetRows {
            object: object.to_owned(),
            announced: source.announced_rows,
            read: rows,
        });
    }
    Ok(SourceSummary { rows, corrupt_rows: 0, columns: source.columns.names().to_vec() })
}

struct ParquetSource {
    scan: LazyFrame,
    columns: SourceColumns,
    announced_rows: u64,
    /// Rows of each row group.
    group_rows: Vec<usize>,
    /// Size of all columns before compression.
    unpacked_bytes: usize,
}

impl ParquetSource {
    fn open(input: SourceInput, object: &str) -> Result<Self, SourceError> {
        let SourceInput::File(path) = input else {
            return Err(SourceError::ParquetStream { object: object.to_owned() });
        };
        let file = open_parquet(&path, object)?;
        let unreadable = |source| SourceError::Parquet { object: object.to_owned(), source };
        let mut reader = ParquetReader::new(file);
        let metadata = reader.get_metadata().map_err(unreadable)?;
        let announced_rows = metadata.num_rows as u64;
        let unpacked_bytes = metadata.row_groups.iter().map(|group| group.total_byte_size()).sum();
        let group_rows = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
        let (scan, schema) = scan(&path).map_err(unreadable)?;
        refuse_types_without_text(&schema, object)?;
        let columns = SourceColumns::from_header(schema.iter_names()).map_err(|fault| SourceError::Columns {
            object: object.to_owned(),
            place: Place::Footer,
            fault,
        })?;
        Ok(Self { scan, columns, announced_rows, group_rows, unpacked_bytes })
    }

    /// The file in frames of about so many rows, in order.
    ///
    /// A scan fetches and decodes row groups as fast as it can, up to the whole file. So each is read by a scan of its own;
    /// small ones share one.
    fn frames(&self, batch_rows: NonZeroUsize) -> impl Iterator<Item = PolarsResult<DataFrame>> + '_ {
        stretches(&self.group_rows, batch_rows.get()).into_iter().flat_map(move |(start, rows)| {
            let frames = self.stretch(start, rows, batch_rows);
            let (frames, failure) = match frames {
                Ok(frames) => (Some(frames), None),
                Err(error) => (None, Some(Err(error))),
            };
            frames.into_iter().flatten().chain(failure)
        })
    }

    fn stretch(
        &self,
        start: usize,
        rows: usize,
        batch_rows: NonZeroUsize,
    ) -> PolarsResult<impl Iterator<Item = PolarsResult<DataFrame>> + use<>> {
        let too_long = |_| PolarsError::ComputeError("a row group has more than 2³² rows".into());
        let (start, rows) = (i64::try_from(start).map_err(too_long)?, IdxSize::try_from(rows).map_err(too_long)?);
        self.scan.clone().slice(start, rows).collect_batches(Engine::Streaming, true, Some(batch_rows), true)
    }

    /// Rows whose values take about this many bytes. The file has the size of encoded values. Repeated values take almost no
    /// space there, but each takes its place in a column of text here.
    fn batch_rows(&self, batch_bytes: usize) -> NonZeroUsize {
        let rows = usize::try_from(self.announced_rows).unwrap_or(usize::MAX).max(1);
        let places = self.columns.names().len() * TEXT_PLACE_BYTES;
        let row_bytes = (self.unpacked_bytes / rows).max(places).max(1);
        NonZeroUsize::new(batch_bytes / row_bytes).unwrap_or(NonZeroUsize::MIN)
    }
}

/// First row and number of rows of consecutive row groups that together have at least so many rows.
fn stretches(group_rows: &[usize], least_rows: usize) -> Vec<(usize, usize)> {
    let (mut stretches, mut start, mut rows) = (Vec::new(), 0, 0);
    for group in group_rows {
        rows += group;
        if rows >= least_rows {
            stretches.push((start, rows));
            (start, rows) = (start + rows, 0);
        }
    }
    if rows > 0 {
        stretches.push((start, rows));
    }
    stretches
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

fn scan(path: &Path) -> Result<(LazyFrame, SchemaRef), PolarsError> {
    let args = ScanArgsParquet {
        // The path is a name and nothing else: no pattern, no partition values.
        glob: false,
        hive_options: HiveOptions { enabled: Some(false), ..HiveOptions::default() },
        cache: false,
        ..ScanArgsParquet::default()
    };
    let mut scan = LazyFrame::scan_parquet(PlRefPath::try_from_pathbuf(PathBuf::from(path))?, args)?;
    let schema = scan.collect_schema()?;
    Ok((scan, schema))
}

fn refuse_types_without_text(schema: &Schema, object: &str) -> Result<(), SourceError> {
    for (name, data_type) in schema.iter() {
        if let Some(fix) = without_text(data_type) {
            let (object, column, data_type) = (object.to_owned(), name.to_string(), data_type.to_string());
            return Err(SourceError::ParquetType { object, column, data_type, fix });
        }
    }
    Ok(())
}
