//! Rows that wait to be deduplicated: in memory while they are few, in hash buckets on local disk beyond.

use std::fs::File;
use std::io::BufWriter;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, ParquetCompression, ParquetReader, ParquetWriter, Schema, SerReader,
    StatisticsOptions, UInt64Chunked, col, lit,
};

use polars::io::parquet::write::BatchedWriter;

use super::stage::{scratch_folder, write_error};
use crate::error::LakeError;

/// Rows kept in memory before they go to disk. At 100 to 200 bytes a row this is at most 300 MB, and deduplicating them
/// takes about as much again.
const MAX_ROWS_IN_MEMORY: usize = 1_500_000;
/// Buckets on disk. A bucket is deduplicated in memory: 64 of them hold 100 million rows at 1.5 million each, more than
/// fits a Lambda's disk.
const BUCKETS: usize = 64;
/// Rows of a bucket collected before they are written, so that a bucket's file has no tiny row groups:
/// 64 buckets of 16 000 rows are 1 million rows, 200 MB.
const BUCKET_BUFFER_ROWS: usize = 16_000;

/// Name of the internal column with the hash of the key.
pub(crate) const KEY_HASH: &str = "_key_hash";

/// Rows of one schema, kept by the hash of their key.
pub(crate) struct KeyedRows {
    schema: Schema,
    /// The column that buckets are made by: rows that share it stay together, which keeps an invoice's lines side by side
    /// in the table, so that grouping by it later needs little memory.
    first_key: String,
    in_memory: Vec<DataFrame>,
    rows_in_memory: usize,
    spilled: Option<Spilled>,
}

struct Spilled {
    folder: tempfile::TempDir,
    buckets: Vec<Bucket>,
}

#[derive(Default)]
struct Bucket {
    buffered: Vec<DataFrame>,
    buffered_rows: usize,
    file: Option<(PathBuf, BatchedWriter<BufWriter<File>>)>,
}

impl KeyedRows {
    /// No rows yet; frames that come have this schema, [`KEY_HASH`] included.
    pub(crate) fn new(schema: Schema, first_key: &str) -> Self {
        Self { schema, first_key: first_key.to_owned(), in_memory: Vec::new(), rows_in_memory: 0, spilled: None }
    }

    /// The columns of every frame.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// [`LakeError::Io`] when the local disk is full or absent.
    pub(crate) fn push(&mut self, frame: DataFrame) -> Result<(), LakeError> {
        if frame.height() == 0 {
            return Ok(());
        }
        if self.spilled.is_none() && self.rows_in_memory + frame.height() <= MAX_ROWS_IN_MEMORY {
            self.rows_in_memory += frame.height();
            self.in_memory.push(frame);
            return Ok(());
        }
        let (schema, first_key) = (&self.schema, &self.first_key);
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => {
                let buckets = std::iter::repeat_with(Bucket::default).take(BUCKETS).collect();
                self.spilled.insert(Spilled { folder: scratch_folder()?, buckets })
            }
        };
        for waiting in self.in_memory.drain(..).chain([frame]) {
            spilled.push(schema, first_key, &waiting)?;
        }
        self.rows_in_memory = 0;
        Ok(())
    }

    /// Gives the rows in groups that hold all rows of each of their keys, one group after the other.
    ///
    /// # Errors
    /// As `take`, and [`LakeError::Io`] when a bucket cannot be read back.
    pub(crate) fn for_each_group(
        self,
        mut take: impl FnMut(DataFrame) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let Some(spilled) = self.spilled else {
            return if self.in_memory.is_empty() { Ok(()) } else { take(concatenate(self.in_memory)?) };
        };
        let Spilled { folder, buckets } = spilled;
        for mut bucket in buckets {
            bucket.flush(&self.schema, folder.path())?;
            let Some((path, writer)) = bucket.file else { continue };
            writer.finish().map_err(|source| write_error(&path, source))?;
            let io = |source| LakeError::Io { doing: "read", path: path.clone(), source };
            let rows = ParquetReader::new(File::open(&path).map_err(io)?)
                .finish()
                .map_err(LakeError::polars(format!("read {}", path.display())))?;
            std::fs::remove_file(&path).map_err(io)?;
            take(rows)?;
        }
        Ok(())
    }
}

impl Spilled {
    fn push(&mut self, schema: &Schema, first_key: &str, frame: &DataFrame) -> Result<(), LakeError> {
        let failed = |source| LakeError::Polars { doing: "splitting rows by key".to_owned(), source };
        let number = BUCKETS as u64;
        let with_bucket = frame
            .clone()
            .lazy()
            .with_column((key_hash([first_key]) % lit(number)).cast(DataType::UInt8).alias("_bucket"))
            .collect()
            .map_err(failed)?;
        for part in with_bucket.partition_by(["_bucket"], true).map_err(failed)? {
            let index = part.column("_bucket").and_then(|c| c.u8().map(|c| c.get(0))).map_err(failed)?;
            let bucket = index.and_then(|index| self.buckets.get_mut(usize::from(index)));
            let bucket = bucket.ok_or_else(|| LakeError::Internal { message: "a row has no bucket".to_owned() })?;
            let rows = part.drop("_bucket").map_err(failed)?;
            bucket.buffered_rows += rows.height();
            bucket.buffered.push(rows);
        }
        let due = self.buckets.iter_mut().filter(|bucket| bucket.buffered_rows >= BUCKET_BUFFER_ROWS);
        flush_all(due.collect(), schema, self.folder.path())
    }
}

impl Bucket {
    fn flush(&mut self, schema: &Schema, folder: &Path) -> Result<(), LakeError> {
        if self.buffered.is_empty() {
            return Ok(());
        }
        let rows = concatenate(std::mem::take(&mut self.buffered))?;
        self.buffered_rows = 0;
        if self.file.is_none() {
            let path = folder.join(format!("{}.parquet", uuid::Uuid::now_v7()));
            let file =
                File::create(&path).map_err(|source| LakeError::Io { doing: "write", path: path.clone(), source })?;
            // Read back once by ourselves on the same disk, whole: compression and statistics would be for nobody.
            let writer = ParquetWriter::new(BufWriter::new(file))
                .with_compression(ParquetCompression::Uncompressed)
                .with_statistics(StatisticsOptions::empty())
                .batched(schema)
                .map_err(|source| write_error(&path, source))?;
            self.file = Some((path, writer));
        }
        match &mut self.file {
            Some((path, writer)) => writer.write_batch(&rows).map_err(|source| write_error(path, source)),
            None => Err(LakeError::Internal { message: "a bucket just opened is not open".to_owned() }),
        }
    }
}

/// Flushes buckets, on as many threads as there are cores: the columns of a bucket are too short to be shared out.
fn flush_all(mut buckets: Vec<&mut Bucket>, schema: &Schema, folder: &Path) -> Result<(), LakeError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let each = buckets.len().div_ceil(cores).max(1);
    let flush = |buckets: &mut [&mut Bucket]| buckets.iter_mut().try_for_each(|bucket| bucket.flush(schema, folder));
    thread::scope(|scope| {
        let threads: Vec<_> = buckets.chunks_mut(each).map(|buckets| scope.spawn(move || flush(buckets))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// One frame of all rows, in order.
pub(crate) fn concatenate(frames: Vec<DataFrame>) -> Result<DataFrame, LakeError> {
    let failed = |source| LakeError::Polars { doing: "joining batches".to_owned(), source };
    let mut frames = frames.into_iter();
    let mut all = frames.next().unwrap_or_default();
    for frame in frames {
        all.vstack_mut_owned(frame).map_err(failed)?;
    }
    all.rechunk_mut_par();
    Ok(all)
}

/// A hash over all key columns; equal keys have equal hashes, nulls included.
pub(crate) fn key_hash<'a>(keys: impl IntoIterator<Item = &'a str>) -> Expr {
    // Each column has its own seed, so that swapped values of two columns do not cancel out.
    let seeded = keys.into_iter().zip(1_u64..).map(|(key, seed)| col(key).hash(seed, seed + 7, seed + 13, seed + 29));
    seeded.reduce(Expr::xor).unwrap_or_else(|| lit(0_u64)).alias(KEY_HASH)
}

/// The hashes of a frame that has them.
pub(crate) fn hashes(frame: &DataFrame) -> Result<UInt64Chunked, LakeError> {
    frame.column(KEY_HASH).and_then(|c| c.u64().cloned()).map_err(LakeError::polars("reading key hashes"))
}
