//! Batches of records: all columns, read by several threads, as many records at a time as fit into memory.

use std::fs::File;
use std::sync::Arc;
use std::thread;

use polars::prelude::Column;

use super::TEXT_PLACE_BYTES;
use super::aside::set_aside;
use super::column::{ColumnSource, ColumnTexts};
use super::fault::ParquetFault;
use crate::source::corrupt::CorruptRecord;

/// Records of the first batch, from which the size of a record is learnt. The file does not say it: one value of a
/// dictionary stands for any number of records. A megabyte of values of 1 kB.
const FIRST_ROWS: usize = 1_024;
/// How much larger a batch may be than the one before, in records. From 1,024 records, four batches later a batch has
/// the 262,144 records that are 32 MiB of 128 bytes each.
const MAX_GROWTH: usize = 4;
/// How much larger a batch may be than was meant. Records are rarely all of one size: a batch that is meant to have
/// 32 MiB and has up to 64 MiB is taken as it is, and a larger one is halved until it fits.
const MAX_EXCESS: usize = 2;

/// Some records of all columns.
pub(super) struct Batch {
    pub(super) rows: usize,
    pub(super) columns: Vec<Column>,
    pub(super) corrupt: Vec<CorruptRecord>,
}

/// The columns of a file and the threads that read them.
pub(super) struct Batches<'s> {
    workers: Vec<Worker<'s>>,
    /// Size that a batch is meant to have.
    batch_bytes: usize,
    /// Records of the next batch.
    rows: usize,
}

/// Some of the columns, and the file that they are read from.
pub(super) struct Worker<'s> {
    pub(super) file: Arc<File>,
    pub(super) columns: Vec<ColumnSource<'s>>,
}

impl Worker<'_> {
    fn load(&mut self, rows: usize) -> Result<(), ParquetFault> {
        self.columns.iter_mut().try_for_each(|column| column.load(&self.file, rows))
    }

    fn write(&mut self, rows: usize) -> Result<Vec<ColumnTexts>, ParquetFault> {
        self.columns.iter_mut().map(|column| column.write(rows)).collect()
    }
}

impl<'s> Batches<'s> {
    pub(super) fn new(workers: Vec<Worker<'s>>, batch_bytes: usize) -> Self {
        let columns: usize = workers.iter().map(|worker| worker.columns.len()).sum();
        let places = columns.saturating_mul(TEXT_PLACE_BYTES).max(1);
        Self { workers, batch_bytes, rows: FIRST_ROWS.min(batch_bytes / places).max(1) }
    }

    /// The next records, at least one and at most `left`.
    ///
    /// # Errors
    /// [`ParquetFault`].
    pub(super) fn read(&mut self, left: usize) -> Result<Batch, ParquetFault> {
        let wanted = self.rows.min(left);
        each(&mut self.workers, |worker| worker.load(wanted))?;
        let (rows, bytes) = self.fitting(wanted);
        let columns = each(&mut self.workers, |worker| worker.write(rows))?;
        self.rows = next_rows(rows, bytes, self.batch_bytes);
        let names = self.columns().map(ColumnSource::name).collect::<Vec<_>>();
        let (columns, corrupt) = set_aside(&names, columns.into_iter().flatten().collect())?;
        Ok(Batch { rows, columns, corrupt })
    }

    fn columns(&self) -> impl Iterator<Item = &ColumnSource<'s>> {
        self.workers.iter().flat_map(|worker| &worker.columns)
    }

    /// So many of the loaded records as fit into a batch, and their size.
    fn fitting(&self, wanted: usize) -> (usize, usize) {
        let size = |rows| self.columns().map(|column| column.size(rows)).fold(0, usize::saturating_add);
        let mut rows = self.columns().map(ColumnSource::at_hand).min().unwrap_or(wanted).min(wanted);
        let mut bytes = size(rows);
        while rows > 1 && bytes > self.batch_bytes.saturating_mul(MAX_EXCESS) {
            rows /= 2;
            bytes = size(rows);
        }
        (rows, bytes)
    }
}

/// Records of the batch after one with so many records and bytes.
fn next_rows(rows: usize, bytes: usize, batch_bytes: usize) -> usize {
    let row_bytes = bytes.div_ceil(rows.max(1)).max(1);
    (batch_bytes / row_bytes).min(rows.saturating_mul(MAX_GROWTH)).max(1)
}

/// Work of all workers at once, each on a thread of its own, where a panic about a damaged file ends nothing else.
fn each<'s, T: Send>(
    workers: &mut [Worker<'s>],
    work: impl Fn(&mut Worker<'s>) -> Result<T, ParquetFault> + Sync,
) -> Result<Vec<T>, ParquetFault> {
    let work = &work;
    let done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(move || work(worker))).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| Err(ParquetFault::panicked(&*panic)))
        };
        workers.into_iter().map(join).collect()
    });
    done.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_follows_the_size_of_the_records_before_it() {
        const MIB: usize = 1 << 20;
        let check = |rows, bytes, expected| {
            assert_eq!(next_rows(rows, bytes, 32 * MIB), expected, "{rows} rows of {bytes} bytes");
        };
        // Small records: four times as many, until 32 MiB are full.
        check(1_024, 1_024 * 20, 4_096);
        check(1_024 * 1024, 1_024 * 1024 * 32, 1_024 * 1024);
        // 20 kB each.
        check(1_024, 1_024 * 20_000, 1_677);
        // One record that is larger than a batch.
        check(1, 60 * MIB, 1);
        check(1_000_000, 0, 4_000_000);
    }
}
