//! Staging: rows become Parquet files in the table's folder that no reader can see until they are committed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use object_store::buffered::BufWriter as ObjectWriter;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    ArrowDataType, CompatLevel, DataFrame, Expr, IntoLazy, KeyValueMetadata, ParquetCompression, ParquetWriter,
    PolarsResult, Schema, SchemaExt, StatisticsOptions,
};
use polars_parquet::write::schema_to_metadata_key;
use sluice_core::columns::StoredColumn;
use sluice_core::engine::ROW_GROUP_ROWS;
use sluice_core::name::TableRef;
use sluice_core::run::{RunRef, StagedFile};
use sluice_core::uri::LakePath;
use sluice_core::uri::layout::{self, MAX_FOLDER_BYTES};
use sluice_documents::usage;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::types::canonical_text;
use crate::delta::schema::polars_schema;
use crate::delta::staged_file;
use crate::error::LakeError;
use crate::lake::Lake;

/// Rows of a file before the next one is begun: about 200 MB of Parquet for ten columns, so that readers can work on
/// several files at once and a rewritten file costs seconds.
const MAX_ROWS_PER_FILE: usize = 8_000_000;
/// Bytes of a page before the next one is begun. The widest number is a decimal of 16 bytes, 17 with its rounding: 128 Ki
/// of them are 2.2 MB, so every column of numbers has one page in a row group. It must, because the writer sums the
/// statistics of several pages up wrongly: decimals as if their bytes had no sign, and doubles past a NaN.
const PAGE_BYTES: usize = 4 << 20;
/// Zstandard level: 1 writes about three times as fast as the default of 3 and gives up a few percent of size.
const ZSTD_LEVEL: i32 = 1;
/// Files open at once for one table: a year of days. Two such tables stay below the 1024 files that a function may have
/// open, and the buffers of each take 400 x 256 KiB = 100 MiB at most.
///
/// When a run brings more partitions, the file with the most rows is closed for the next one, and a partition whose
/// file was closed gets another. So a run stages at most one file for each partition of each batch: 4000 partitions
/// that are mixed in each of 50 batches give up to 200 000 files, and rows sorted by partition one file each. The
/// fullest is closed, and not the one that was written longest ago: where every batch brings the partitions in the same
/// order, that one is always the next to be wanted, so 401 partitions would give 401 files for each batch.
const MAX_OPEN_PARTITIONS: usize = 400;
/// Buffer of each open file.
const WRITE_BUFFER_BYTES: usize = 256 << 10;
/// Part size of uploads to S3, whose smallest is 5 MiB; 10 000 parts of it are 80 GB.
const UPLOAD_PART_BYTES: usize = 8 << 20;

/// A partition: column and value, in partition order.
type Partition = Vec<(String, Option<String>)>;

/// Writes the rows of one table. Blocking: use it on a blocking thread of a tokio runtime.
pub(crate) struct StageWriter {
    lake: Lake,
    table: TableRef,
    run: RunRef,
    /// Where its files are: the table's own folder, unless another one is given.
    folder: LakePath,
    schema: Schema,
    partition_by: Vec<StoredColumn>,
    fixed: Partition,
    open: BTreeMap<Partition, OpenFile>,
    done: Vec<StagedFile>,
}

struct OpenFile {
    local: PathBuf,
    /// Kept so that a file that is uploaded afterwards goes away with it.
    scratch: Option<tempfile::TempDir>,
    path: String,
    writer: BatchedWriter<BufWriter<File>>,
    rows: usize,
}

impl StageWriter {
    /// A writer of rows with these columns, partitioned by these of them.
    pub(crate) fn new(
        lake: &Lake,
        run: &RunRef,
        table: &TableRef,
        columns: &[StoredColumn],
        partition_by: &[String],
    ) -> Self {
        let in_file: Vec<StoredColumn> = columns.iter().filter(|c| !partition_by.contains(&c.name)).cloned().collect();
        Self {
            lake: lake.clone(),
            table: table.clone(),
            run: run.clone(),
            folder: layout::table(table),
            schema: polars_schema(&in_file),
            partition_by: partition_by
                .iter()
                .filter_map(|name| columns.iter().find(|column| &column.name == name).cloned())
                .collect(),
            fixed: Partition::new(),
            open: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    /// Its files go below this folder, and not below that of the table.
    pub(crate) fn with_folder(self, folder: LakePath) -> Self {
        Self { folder, ..self }
    }

    /// Takes files that another writer of the same table has staged.
    pub(crate) fn take(&mut self, files: Vec<StagedFile>) {
        self.done.extend(files);
    }

    /// All rows written go to this one partition; frames then come without the partition columns.
    pub(crate) fn with_fixed_partition(mut self, column: &str, value: &str) -> Self {
        self.partition_by.clear();
        self.fixed = vec![(column.to_owned(), Some(value.to_owned()))];
        self
    }

    /// Writes a frame that has the table's columns.
    ///
    /// # Errors
    /// [`LakeError::Io`] (a full disk, for one), [`LakeError::Partitions`] or [`LakeError::Polars`].
    pub(crate) fn write(&mut self, frame: &DataFrame) -> Result<(), LakeError> {
        if frame.height() == 0 {
            return Ok(());
        }
        if self.partition_by.is_empty() {
            return self.write_partition(&self.fixed.clone(), frame);
        }
        let doing = format!("partitioning rows of table `{}`", self.table);
        let names: Vec<String> = (0..self.partition_by.len()).map(|place| format!("_partition_{place}")).collect();
        let values = self
            .partition_by
            .iter()
            .zip(&names)
            .map(|(column, name)| canonical_text(&column.name, &column.column_type).alias(name.as_str()));
        let values: Vec<Expr> = values.collect();
        let frame = frame.clone().lazy().with_columns(values).collect().map_err(LakeError::polars(doing.clone()))?;
        // Split by text: Polars splits by texts of any kind, and not by every type.
        for part in
            frame.partition_by(names.iter().map(String::as_str), true).map_err(LakeError::polars(doing.clone()))?
        {
            let partition = self.partition_of(&part, &names).map_err(LakeError::polars(doing.clone()))?;
            let surplus =
                names.iter().map(String::as_str).chain(self.partition_by.iter().map(|column| column.name.as_str()));
            self.write_partition(&partition, &part.drop_many(surplus))?;
        }
        Ok(())
    }

    /// The partition of rows that have the same values in the columns `names`.
    fn partition_of(&self, part: &DataFrame, names: &[String]) -> PolarsResult<Partition> {
        let columns = self.partition_by.iter().zip(names);
        columns
            .map(|(column, name)| Ok((column.name.clone(), part.column(name)?.str()?.get(0).map(str::to_owned))))
            .collect()
    }

    fn write_partition(&mut self, partition: &Partition, frame: &DataFrame) -> Result<(), LakeError> {
        if !self.open.contains_key(partition) {
            if self.open.len() >= MAX_OPEN_PARTITIONS {
                self.close_fullest()?;
            }
            let file = self.begin(partition)?;
            self.open.insert(partition.clone(), file);
        }
        let Some(file) = self.open.get_mut(partition) else {
            return Err(LakeError::Internal { message: "a partition just opened is not open".to_owned() });
        };
        for rows in row_groups(frame) {
            file.writer.write_batch(&rows).map_err(|source| write_error(&file.local, source))?;
        }
        file.rows += frame.height();
        if file.rows >= MAX_ROWS_PER_FILE { self.close_partition(partition) } else { Ok(()) }
    }

    /// Closes the file with the most rows, to make room for another.
    fn close_fullest(&mut self) -> Result<(), LakeError> {
        let fullest = self.open.iter().max_by_key(|(_, file)| file.rows).map(|(partition, _)| partition.clone());
        fullest.map_or(Ok(()), |partition| self.close_partition(&partition))
    }

    /// Closes the file of a partition; its next rows begin another.
    fn close_partition(&mut self, partition: &Partition) -> Result<(), LakeError> {
        if let Some(file) = self.open.remove(partition) {
            let staged = self.close(partition, &file)?;
            self.done.push(staged);
        }
        Ok(())
    }

    fn begin(&self, partition: &Partition) -> Result<OpenFile, LakeError> {
        let mut path = String::new();
        for (column, value) in partition {
            let value = value.as_deref().map_or_else(|| layout::NULL_PARTITION.to_owned(), folder_name);
            let folder = format!("{column}={value}");
            // Rows of silver with such a value are in quarantine; rows of gold are computed, and have none.
            if folder.len() > MAX_FOLDER_BYTES {
                return Err(LakeError::Partitions {
                    table: self.table.clone(),
                    message: format!(
                        "a value of partition column `{column}` makes a folder name of {} bytes, and {MAX_FOLDER_BYTES} are \
                         allowed; shorten it in the SQL, or partition by another column",
                        folder.len()
                    ),
                });
            }
            path.push_str(&folder);
            path.push('/');
        }
        path.push_str(&layout::staged_name(&self.run.run_id, Uuid::now_v7()));
        let (local, scratch) = match self.lake.local_folder(&self.folder)? {
            Some(folder) => (folder.join(&path), None),
            None => {
                let scratch = scratch_folder()?;
                (scratch.path().join("part.parquet"), Some(scratch))
            }
        };
        if let Some(folder) = local.parent() {
            std::fs::create_dir_all(folder).map_err(|source| LakeError::Io {
                doing: "create folder",
                path: folder.to_owned(),
                source,
            })?;
        }
        let file =
            File::create(&local).map_err(|source| LakeError::Io { doing: "write", path: local.clone(), source })?;
        let writer = parquet_writer(BufWriter::with_capacity(WRITE_BUFFER_BYTES, file), &self.schema)
            .map_err(|source| write_error(&local, source))?;
        Ok(OpenFile { local, scratch, path, writer, rows: 0 })
    }

    fn close(&self, partition: &Partition, file: &OpenFile) -> Result<StagedFile, LakeError> {
        file.writer.finish().map_err(|source| write_error(&file.local, source))?;
        let io = |doing, source| LakeError::Io { doing, path: file.local.clone(), source };
        // The log will say that this file exists, so the file must survive a power cut before the log does.
        File::open(&file.local).and_then(|file| file.sync_all()).map_err(|source| io("flush", source))?;
        let below_lake = layout::below(&self.folder, &file.path)
            .map_err(|error| LakeError::Internal { message: format!("{error}") })?;
        let key = self.lake.documents().key(&below_lake)?;
        let store = self.lake.documents().objects().clone();
        Handle::current().block_on(async {
            if file.scratch.is_some() {
                let failed = |source| LakeError::Store { doing: "upload", location: below_lake.to_string(), source };
                let mut from = tokio::fs::File::open(&file.local).await.map_err(|source| io("read", source))?;
                let mut to = ObjectWriter::with_capacity(store.clone(), key.clone(), UPLOAD_PART_BYTES);
                let copied = tokio::io::copy(&mut from, &mut to).await;
                copied.map_err(|error| failed(as_store_error(error)))?;
                to.shutdown().await.map_err(|error| failed(as_store_error(error)))?;
            }
            let staged = staged_file(&store, key, file.path.clone(), partition.iter().cloned().collect()).await?;
            if file.scratch.is_none() {
                usage::count_put(staged.size_bytes);
            }
            Ok(staged)
        })
    }

    /// Closes every file and gives what was staged.
    ///
    /// # Errors
    /// As [`Self::write`], and the store's.
    pub(crate) fn finish(mut self) -> Result<Vec<StagedFile>, LakeError> {
        for (partition, file) in std::mem::take(&mut self.open) {
            let staged = self.close(&partition, &file)?;
            self.done.push(staged);
        }
        Ok(self.done)
    }
}

fn as_store_error(error: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "upload", source: Box::new(error) }
}

/// A folder on local disk that goes away with its owner.
pub(crate) fn scratch_folder() -> Result<tempfile::TempDir, LakeError> {
    tempfile::Builder::new().prefix("sluice-").tempdir().map_err(|source| LakeError::Io {
        doing: "create scratch folder in",
        path: std::env::temp_dir(),
        source,
    })
}

/// The bytes of a stream as a file, which goes away with the folder.
///
/// # Errors
/// [`LakeError::Io`].
pub(crate) fn scratch_copy(reader: &mut dyn std::io::Read) -> Result<(PathBuf, tempfile::TempDir), LakeError> {
    let scratch = scratch_folder()?;
    let path = scratch.path().join("source");
    let io = |source| LakeError::Io { doing: "copy source object to", path: path.clone(), source };
    let mut file = File::create(&path).map_err(io)?;
    std::io::copy(reader, &mut file).map_err(io)?;
    Ok((path, scratch))
}

/// A Parquet writer as every file of ours is written.
pub(crate) fn parquet_writer<W: std::io::Write>(
    target: W,
    schema: &Schema,
) -> Result<BatchedWriter<W>, polars::prelude::PolarsError> {
    // Readers that use Arrow take the types from here. Polars would write its own texts, which are views, and PyArrow
    // compares no text with a view: a filter on a text failed through `deltalake`.
    let mut types = schema.to_arrow(CompatLevel::oldest());
    for field in types.iter_values_mut() {
        narrow_texts(&mut field.dtype);
    }
    let types = schema_to_metadata_key(&types);
    let types = types.value.map(|value| KeyValueMetadata::from_static(vec![(types.key, value)]));
    ParquetWriter::new(target)
        .with_key_value_metadata(types)
        .with_compression(ParquetCompression::Zstd(polars_parquet::write::ZstdLevel::try_new(ZSTD_LEVEL).ok()))
        .with_statistics(StatisticsOptions::full())
        .with_data_page_size(Some(PAGE_BYTES))
        .batched(schema)
}

/// Texts, and lists, whose places are counted with 32 bits, as other readers have them; those inside others, too.
fn narrow_texts(dtype: &mut ArrowDataType) {
    match dtype {
        ArrowDataType::LargeUtf8 => *dtype = ArrowDataType::Utf8,
        ArrowDataType::LargeList(items) => {
            narrow_texts(&mut items.dtype);
            *dtype = ArrowDataType::List(items.clone());
        }
        ArrowDataType::Struct(fields) => fields.iter_mut().for_each(|field| narrow_texts(&mut field.dtype)),
        _ => {}
    }
}

/// A failed write with the system's own fault in front, so that a full disk is called one.
pub(crate) fn write_error(path: &std::path::Path, source: polars::prelude::PolarsError) -> LakeError {
    match source {
        polars::prelude::PolarsError::IO { error, .. } => LakeError::Io {
            doing: "write",
            path: path.to_owned(),
            source: std::io::Error::new(error.kind(), error.to_string()),
        },
        source => match system_fault(&source.to_string()) {
            Some(source) => LakeError::Io { doing: "write", path: path.to_owned(), source },
            None => LakeError::Internal { message: format!("write {}: {source}", path.display()) },
        },
    }
}

/// The frame in parts of about the same size, none of them larger than a row group may be.
fn row_groups(frame: &DataFrame) -> impl Iterator<Item = DataFrame> {
    let frame = in_one_chunk(frame);
    let rows = frame.height().div_ceil(frame.height().div_ceil(ROW_GROUP_ROWS as usize).max(1)).max(1);
    (0..frame.height()).step_by(rows).map(move |start| frame.slice(i64::try_from(start).unwrap_or(i64::MAX), rows))
}

/// The frame in one chunk, which becomes one row group; the writer takes no frames whose columns are cut differently.
pub(crate) fn in_one_chunk(frame: &DataFrame) -> DataFrame {
    let mut frame = frame.clone();
    frame.rechunk_mut_par();
    frame
}

/// The system's own fault, of which the Parquet writer keeps only the words: they end with its number.
fn system_fault(text: &str) -> Option<std::io::Error> {
    let (_, number) = text.rsplit_once("(os error ")?;
    number.split(')').next()?.parse().ok().map(std::io::Error::from_raw_os_error)
}

/// What a folder name has as it is; every other byte of a partition value is percent-encoded.
const IN_FOLDER_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

fn folder_name(value: &str) -> String {
    utf8_percent_encode(value, IN_FOLDER_NAMES).to_string()
}

#[cfg(test)]
mod tests;
