//! What a run would need in the function `process`, told from what is known before it starts.
//!
//! The numbers are upper bounds of measured runs, not averages: `cargo xtask bench` prints both side by side and fails
//! where an estimate is below what it measured.

use serde::{Deserialize, Serialize};

/// Text that process holds of one batch, in bytes: readers hand on about 32 MiB at a time.
const BATCH_BYTES: u64 = 32 << 20;
/// Memory of one value beside its text, in bytes: its place in a text column.
const VALUE_BYTES: u64 = 16;
/// Copies of a batch that exist at once: as read, with lineage, typed, checked and on their way to two files, while the
/// next batch is read.
const BATCH_COPIES: u64 = 8;
/// Memory that does not grow with the input: code, buffers of open files and uploads, and the audit's and gold's scans.
const FIXED_BYTES: u64 = 500_000_000;
/// Memory per row of the tables that are merged or aggregated: hashes, groups and buckets. 46 million rows (4 GB of CSV)
/// were measured to take 8 bytes each beyond the rest.
const ROW_BYTES: u64 = 16;
/// Fewest bytes a value is taken to have, so that a table of empty fields is not taken to hold endless values.
const LEAST_VALUE_BYTES: u64 = 2;
/// Bytes of text that process takes through all layers in a second, on two cores: 4.0 GB of CSV took 73.5 s.
const TEXT_BYTES_PER_SECOND: u64 = 50_000_000;
/// Rows of existing tables that are read again, merged and written in a second, on two cores.
const ROWS_PER_SECOND: u64 = 500_000;
/// Time that does not grow with the input, in seconds.
const FIXED_SECONDS: u64 = 3;
/// Text of Parquet values is up to this many times as large as the same values encoded.
const PARQUET_EXPANSION: u64 = 4;

/// How often text fits into an object that was not looked at: as gzip packs CSV.
const UNSEEN_EXPANSION: u64 = 4;
/// Bytes of a row of such an object.
const UNSEEN_ROW_BYTES: u64 = 64;
/// Columns of such an object.
const UNSEEN_COLUMNS: u64 = 10;

/// What is known of a source object of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectMeasure {
    /// Size as stored, in bytes.
    pub size_bytes: u64,
    /// Size unpacked, in bytes; estimated from a sample where the object is packed.
    pub unpacked_bytes: u64,
    /// Rows, estimated from a sample where the format does not tell.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
}

/// What is known of a table that a run reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableMeasure {
    /// Size of its files, in bytes.
    pub size_bytes: u64,
    /// Its rows.
    pub rows: u64,
}

impl ObjectMeasure {
    /// A guess at an object that was not looked at, such as one whose rows are read from bronze: packed text of short
    /// rows.
    pub fn unseen(size_bytes: u64) -> Self {
        let unpacked_bytes = size_bytes.saturating_mul(UNSEEN_EXPANSION);
        Self { size_bytes, unpacked_bytes, rows: unpacked_bytes / UNSEEN_ROW_BYTES, columns: UNSEEN_COLUMNS }
    }
}

/// What a run has to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Workload {
    /// The source objects; those that bronze has already count as their rows there.
    pub objects: Vec<ObjectMeasure>,
    /// Whether the objects are Parquet, whose values are smaller in the file than as text.
    pub parquet: bool,
    /// Silver tables that new rows are merged with, as they are.
    pub merged: Vec<TableMeasure>,
    /// Tables that gold is computed from, as they are.
    pub aggregated: Vec<TableMeasure>,
}

/// What a run would need in the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Source objects.
    pub objects: u64,
    /// Their size as stored, in bytes.
    pub stored_bytes: u64,
    /// Their size as text, in bytes.
    pub text_bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Rows of existing tables that are read again.
    pub table_rows: u64,
    /// Most memory that the process may hold at once, in bytes.
    pub peak_memory_bytes: u64,
    /// Time of the step that takes longest, in seconds.
    pub duration_seconds: u64,
}

/// Estimates what a run would need in the function.
pub fn estimate(workload: &Workload) -> Estimate {
    let objects = &workload.objects;
    let sum = |of: fn(&ObjectMeasure) -> u64| objects.iter().map(of).fold(0, u64::saturating_add);
    let expansion = if workload.parquet { PARQUET_EXPANSION } else { 1 };
    let rows = sum(|object| object.rows);
    let text_bytes = sum(|object| object.unpacked_bytes).saturating_mul(expansion);
    let tables = workload.merged.iter().chain(&workload.aggregated);
    let table_rows = tables.map(|table| table.rows).fold(0, u64::saturating_add);
    let batch = objects.iter().map(|object| batch_bytes(object, expansion)).max().unwrap_or_default();
    // Merging is done before gold is computed, and one gold table before the next.
    let merged = workload.merged.iter().map(|table| table.rows).fold(0, u64::saturating_add);
    let aggregated = workload.aggregated.iter().map(|table| table.rows).max().unwrap_or_default();
    let held_rows = rows.saturating_add(merged.max(aggregated));
    Estimate {
        objects: objects.len() as u64,
        stored_bytes: sum(|object| object.size_bytes),
        text_bytes,
        rows,
        table_rows,
        peak_memory_bytes: FIXED_BYTES
            .saturating_add(batch.saturating_mul(BATCH_COPIES))
            .saturating_add(held_rows.saturating_mul(ROW_BYTES)),
        duration_seconds: FIXED_SECONDS
            .saturating_add(text_bytes.div_ceil(TEXT_BYTES_PER_SECOND))
            .saturating_add(table_rows.div_ceil(ROWS_PER_SECOND)),
    }
}

/// Memory of one batch of an object, in bytes: its text and a place for each value.
fn batch_bytes(object: &ObjectMeasure, expansion: u64) -> u64 {
    let values = object.rows.saturating_mul(object.columns.max(1)).max(1);
    let value_bytes = (object.unpacked_bytes / values).max(LEAST_VALUE_BYTES);
    // A small object is one small batch.
    let batch = object.unpacked_bytes.min(BATCH_BYTES);
    (batch / value_bytes).saturating_mul(VALUE_BYTES).saturating_add(batch.saturating_mul(expansion))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the benchmark's file have some 86 bytes in 8 columns.
    fn retail(unpacked_bytes: u64) -> Workload {
        let object =
            ObjectMeasure { size_bytes: unpacked_bytes, unpacked_bytes, rows: unpacked_bytes / 86, columns: 8 };
        Workload { objects: vec![object], ..Workload::default() }
    }

    #[test]
    fn estimates_are_not_below_what_was_measured() {
        let check = |size_bytes: u64, peak_memory_bytes: u64, seconds: u64| {
            let estimate = estimate(&retail(size_bytes));
            assert!(estimate.peak_memory_bytes >= peak_memory_bytes, "{size_bytes}: {estimate:?}");
            assert!(estimate.duration_seconds >= seconds, "{size_bytes}: {estimate:?}");
            assert!(estimate.peak_memory_bytes < 2 * peak_memory_bytes, "{size_bytes}: {estimate:?}");
        };
        // `cargo xtask bench` on two cores.
        check(250_000_000, 1_008_000_000, 5);
        check(1_000_000_000, 985_000_000, 16);
        check(4_000_000_000, 1_360_000_000, 74);
    }

    #[test]
    fn more_work_is_never_estimated_lower() {
        let base = estimate(&retail(1_000_000_000));
        let check = |what: &str, change: fn(&mut Workload)| {
            let mut workload = retail(1_000_000_000);
            change(&mut workload);
            let more = estimate(&workload);
            assert!(more.peak_memory_bytes > base.peak_memory_bytes, "{what}: {more:?}");
            assert!(more.duration_seconds >= base.duration_seconds, "{what}: {more:?}");
        };
        check("another object", |w| w.objects.push(w.objects[0]));
        check("rows to merge with", |w| w.merged.push(TableMeasure { size_bytes: 1 << 30, rows: 50_000_000 }));
        check("rows to aggregate", |w| w.aggregated.push(TableMeasure { size_bytes: 1 << 30, rows: 50_000_000 }));
        check("narrow values", |w| w.objects[0].columns = 40);
        check("encoded values", |w| w.parquet = true);
    }

    #[test]
    fn nothing_and_everything_can_be_estimated() {
        assert_eq!(estimate(&Workload::default()).peak_memory_bytes, FIXED_BYTES);
        let huge = ObjectMeasure { size_bytes: u64::MAX, unpacked_bytes: u64::MAX, rows: u64::MAX, columns: u64::MAX };
        let estimate = estimate(&Workload { objects: vec![huge, huge], ..Workload::default() });
        assert_eq!(estimate.stored_bytes, u64::MAX);
    }
}
