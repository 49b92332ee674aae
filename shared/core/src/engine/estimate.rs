//! What a run would need in the function `process`, estimated from what is known before it starts.
//!
//! The numbers are upper bounds of measured runs, not averages: `cargo xtask bench` prints both side by side and fails
//! where an estimate is below what it measured.

use serde::{Deserialize, Serialize};

/// Text that process holds of one batch, in bytes: readers hand on about 32 MiB at a time.
const BATCH_BYTES: u64 = 32 << 20;
/// Memory of one value in addition to its text, in bytes: its place in a text column.
const VALUE_BYTES: u64 = 16;
/// Copies of a batch that exist at once: as read, with lineage, typed, checked and on their way to two files, while the
/// next batch is read.
const BATCH_COPIES: u64 = 8;
/// Memory that does not grow with the input: code, buffers of open files and uploads, and the audit's and gold's scans.
const FIXED_BYTES: u64 = 500_000_000;
/// Memory per row of the tables that are merged or aggregated: hashes, groups and buckets. 46 million rows (4 GB of CSV)
/// were measured to take 8 bytes each beyond the rest.
const ROW_BYTES: u64 = 16;
/// Disk that a row takes that waits to be merged, in addition to its text, in bytes: lineage and the hash of its key. 1 GB of
/// CSV was measured to take 0.38 GB with them, because values repeat.
const SPILLED_ROW_BYTES: u64 = 16;
/// How many times larger the rows of a table are on that disk than in its files, where they are packed: 4.4 was measured.
const SPILLED_EXPANSION: u64 = 5;
/// Rows of a row group of our own files, at most. Whoever reads a table holds several decoded row groups at once (Polars:
/// more than ten), so large ones cost every reader memory: at 700 000 rows gold needed 2.2 GB for a table that it needs
/// 1 GB for so.
pub const ROW_GROUP_ROWS: u32 = 128 * 1024;
/// Fewest bytes a value has in text: the delimiter after it.
const LEAST_VALUE_BYTES: u64 = 1;
/// Bytes of text that process takes through all layers in a second, on two cores: 4.0 GB of CSV took 73.5 s.
const TEXT_BYTES_PER_SECOND: u64 = 50_000_000;
/// Rows of existing tables that are read again, merged and written in a second, on two cores.
const ROWS_PER_SECOND: u64 = 500_000;
/// Rows whose rules are counted in a second, on two cores: by the part that has staged them, or by the audit.
const AUDITED_ROWS_PER_SECOND: u64 = 2_000_000;
/// Time that does not grow with the input, in seconds.
const FIXED_SECONDS: u64 = 3;
/// What an object weighs in a part before its first byte: opening it takes some 20 ms, in which 1 MB of text is read.
const OBJECT_BYTES: u64 = 1_000_000;
/// Fewest bytes that a value of a Parquet file is taken to have as text: in the file, repeated values take next to none.
const PARQUET_TEXT_BYTES: u64 = 12;

/// How many times larger than an unread object its text is: as gzip packs CSV.
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
    /// Rows of its largest row group; 0 for formats without.
    pub group_rows: u64,
    /// Memory that it takes as long as it is read, whatever a batch has, in bytes: the texts that the cells of a workbook
    /// share; 0 for formats without.
    pub held_bytes: u64,
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
    /// A guess for an object that was not read, such as one whose rows are read from bronze: packed text of short rows.
    pub fn unseen(size_bytes: u64) -> Self {
        let unpacked_bytes = size_bytes.saturating_mul(UNSEEN_EXPANSION);
        Self {
            size_bytes,
            unpacked_bytes,
            rows: unpacked_bytes / UNSEEN_ROW_BYTES,
            columns: UNSEEN_COLUMNS,
            ..Self::default()
        }
    }

    /// Typed rows that were read and counted, in Parquet files of this size, as Sluice writes them.
    pub fn counted(size_bytes: u64, rows: u64, columns: u64) -> Self {
        let unpacked_bytes = size_bytes.saturating_mul(SPILLED_EXPANSION);
        Self { size_bytes, unpacked_bytes, rows, columns, group_rows: rows.min(ROW_GROUP_ROWS.into()), held_bytes: 0 }
    }

    /// What the object weighs in a part: its text, and what opening it takes, in bytes of text.
    pub fn weight(&self, parquet: bool) -> u64 {
        text_bytes(self, parquet).saturating_add(OBJECT_BYTES)
    }
}

/// What is known of the parts that a run is read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartsMeasure {
    /// How many there are.
    pub count: u64,
    /// What the largest weighs, in bytes of text.
    pub largest_bytes: u64,
}

/// What a run has to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Workload {
    /// The source objects; those that bronze has already count as their rows there.
    pub objects: Vec<ObjectMeasure>,
    /// Whether the objects are Parquet, whose values are smaller in the file than as text.
    pub parquet: bool,
    /// The parts that the objects are read in; `None` where one call reads all of them.
    pub parts: Option<PartsMeasure>,
    /// Whether the rows of the run meet each other after reading: they are merged, gold is computed from them, or a rule is
    /// about all of them, such as that keys are unique. Where they do not, each part audits its own.
    pub rows_meet: bool,
    /// Silver tables that new rows are merged with, as they are; a table that does not exist yet has no row.
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
    /// Parts that the objects are read in; 0 where one call reads all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parts: u64,
    /// Most memory that the process may hold at once, in bytes.
    pub peak_memory_bytes: u64,
    /// Disk that rows may take which wait to be merged, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spilled_bytes: u64,
    /// Time of the step that takes longest, in seconds.
    pub duration_seconds: u64,
}

/// Estimates what a run would need in the function.
pub fn estimate(workload: &Workload) -> Estimate {
    let objects = &workload.objects;
    let sum = |of: fn(&ObjectMeasure) -> u64| objects.iter().map(of).fold(0, u64::saturating_add);
    let rows = sum(|object| object.rows);
    let text_bytes = objects.iter().map(|object| text_bytes(object, workload.parquet)).fold(0, u64::saturating_add);
    let tables = workload.merged.iter().chain(&workload.aggregated);
    let table_rows = tables.map(|table| table.rows).fold(0, u64::saturating_add);
    let held = if workload.parquet { held_of_parquet } else { held_of_text };
    let batches = objects.iter().map(held).max().unwrap_or_default();
    // Merging is done before gold is computed, and one gold table before the next.
    let merged = workload.merged.iter().map(|table| table.rows).fold(0, u64::saturating_add);
    let aggregated = workload.aggregated.iter().map(|table| table.rows).max().unwrap_or_default();
    // Rows that were read by other calls are held only where they meet.
    let own_rows = if workload.parts.is_some() && !workload.rows_meet { 0 } else { rows };
    let held_rows = own_rows.saturating_add(merged.max(aggregated));
    Estimate {
        objects: objects.len() as u64,
        stored_bytes: sum(|object| object.size_bytes),
        text_bytes,
        rows,
        table_rows,
        peak_memory_bytes: FIXED_BYTES.saturating_add(batches).saturating_add(held_rows.saturating_mul(ROW_BYTES)),
        parts: workload.parts.map_or(0, |parts| parts.count),
        spilled_bytes: spilled_bytes(&workload.merged, text_bytes, rows),
        duration_seconds: FIXED_SECONDS.saturating_add(match workload.parts {
            None => reading_seconds(text_bytes).saturating_add(table_rows.div_ceil(ROWS_PER_SECOND)),
            Some(parts) => {
                let part_rows = share(rows, parts.largest_bytes, text_bytes);
                let reading = reading_seconds(parts.largest_bytes).saturating_add(audit_seconds(part_rows));
                // Wide rows take longer to sort and write than narrow ones.
                let own = if workload.rows_meet { reading_seconds(text_bytes) } else { 0 };
                let combining = own_rows.saturating_add(table_rows).div_ceil(ROWS_PER_SECOND).max(own);
                // What the parts have counted themselves is not counted again.
                let audit = audit_seconds(own_rows.saturating_add(table_rows));
                reading.max(combining).max(audit)
            }
        }),
    }
}

/// Disk that rows may take which wait to be merged with these tables: those of all tables wait at the same time.
fn spilled_bytes(merged: &[TableMeasure], text_bytes: u64, rows: u64) -> u64 {
    let new = text_bytes.saturating_add(rows.saturating_mul(SPILLED_ROW_BYTES));
    let of_table = |table: &TableMeasure| new.saturating_add(table.size_bytes.saturating_mul(SPILLED_EXPANSION));
    merged.iter().map(of_table).fold(0, u64::saturating_add)
}

fn reading_seconds(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(TEXT_BYTES_PER_SECOND)
}

fn audit_seconds(rows: u64) -> u64 {
    rows.div_ceil(AUDITED_ROWS_PER_SECOND)
}

/// So many rows of these as some bytes are of all bytes.
fn share(rows: u64, bytes: u64, of_bytes: u64) -> u64 {
    let share = u128::from(rows) * u128::from(bytes) / u128::from(of_bytes.max(1));
    u64::try_from(share).unwrap_or(u64::MAX).min(rows)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn values(object: &ObjectMeasure) -> u64 {
    object.rows.saturating_mul(object.columns.max(1))
}

/// Size of an object as text, in bytes.
fn text_bytes(object: &ObjectMeasure, parquet: bool) -> u64 {
    let least = if parquet { values(object).saturating_mul(PARQUET_TEXT_BYTES) } else { 0 };
    object.unpacked_bytes.max(least)
}

/// Memory of the batches of an object of text that exist at once, in bytes.
fn held_of_text(object: &ObjectMeasure) -> u64 {
    let value_bytes = (object.unpacked_bytes / values(object).max(1)).max(LEAST_VALUE_BYTES);
    // A small object is one small batch.
    let batch = object.unpacked_bytes.min(BATCH_BYTES);
    ((batch / value_bytes * VALUE_BYTES + batch) * BATCH_COPIES).saturating_add(object.held_bytes)
}

/// Memory of a Parquet file's row group and of the batches that exist at once, in bytes.
fn held_of_parquet(object: &ObjectMeasure) -> u64 {
    let (rows, columns) = (object.rows.max(1), object.columns.max(1));
    let row_bytes = (object.unpacked_bytes / rows).max(columns.saturating_mul(VALUE_BYTES));
    let batch_rows = rows.min(BATCH_BYTES / row_bytes).max(1);
    let decoded = |rows: u64| {
        let value_bytes = VALUE_BYTES.saturating_add(text_bytes(object, true) / values(object).max(1));
        rows.saturating_mul(columns).saturating_mul(value_bytes)
    };
    let batches = decoded(batch_rows).saturating_mul(BATCH_COPIES);
    batches.saturating_add(decoded(object.group_rows.max(batch_rows)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Divisible, cut};

    /// Rows of the benchmark's file have some 86 bytes in 8 columns.
    fn retail(unpacked_bytes: u64) -> Workload {
        let object = ObjectMeasure {
            size_bytes: unpacked_bytes,
            unpacked_bytes,
            rows: unpacked_bytes / 86,
            columns: 8,
            ..ObjectMeasure::default()
        };
        Workload { objects: vec![object], ..Workload::default() }
    }

    /// Rows that pyarrow writes into a row group.
    const ROW_GROUP: u64 = 1 << 20;

    #[test]
    fn estimates_are_not_below_what_was_measured() {
        let check = |what: &str, workload: &Workload, peak_memory_bytes: u64, seconds: u64| {
            let estimate = estimate(workload);
            assert!(estimate.peak_memory_bytes >= peak_memory_bytes, "{what}: {estimate:?}");
            assert!(estimate.duration_seconds >= seconds, "{what}: {estimate:?}");
            assert!(estimate.peak_memory_bytes < 5 * peak_memory_bytes / 2, "{what}: {estimate:?}");
        };
        let of = |size_bytes, unpacked_bytes, rows: u64, parquet| {
            let group_rows = if parquet { rows.min(ROW_GROUP) } else { 0 };
            let object = ObjectMeasure { size_bytes, unpacked_bytes, rows, columns: 8, group_rows, held_bytes: 0 };
            Workload { objects: vec![object], parquet, ..Workload::default() }
        };
        // `cargo xtask bench` on two cores.
        check("0.25 GB", &retail(250_000_000), 1_008_000_000, 5);
        check("1 GB", &retail(1_000_000_000), 985_000_000, 16);
        check("4 GB", &retail(4_000_000_000), 1_360_000_000, 74);
        check("50 MB", &of(50_402_516, 50_402_516, 581_390, false), 539_697_152, 3);
        check("50 MB as gzip", &of(9_395_483, 50_402_516, 581_390, false), 543_305_728, 3);
        check("50 MB as NDJSON", &of(126_391_016, 126_391_016, 580_625, false), 529_580_032, 3);
        check("50 MB as Parquet", &of(3_107_070, 4_180_090, 580_625, true), 505_753_600, 3);
        check("250 MB as gzip", &of(45_839_404, 252_050_133, 2_906_970, false), 887_558_144, 5);
        check("250 MB as Parquet", &of(15_325_440, 20_007_561, 2_896_287, true), 708_292_608, 4);
        check("the same without dictionaries", &of(31_895_994, 320_188_381, 2_896_287, true), 978_640_896, 4);
        check("1 GB as Parquet", &of(61_299_078, 80_030_244, 11_585_148, true), 839_614_464, 13);
        check("1 GB without dictionaries", &of(127_581_288, 1_280_753_524, 11_585_148, true), 1_067_421_696, 15);
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
        let of_groups = |group_rows| {
            let object = ObjectMeasure { group_rows, ..retail(1_000_000_000).objects[0] };
            estimate(&Workload { objects: vec![object], parquet: true, ..Workload::default() }).peak_memory_bytes
        };
        assert!(of_groups(10_000_000) > of_groups(1_000_000));
    }

    #[test]
    fn a_run_in_parts_takes_as_long_as_its_longest_call() {
        let parts = |workload: &mut Workload, part_bytes: u64| {
            let whole = |object: &ObjectMeasure| Divisible::no(object.weight(workload.parquet));
            let weights: Vec<Divisible> = workload.objects.iter().map(whole).collect();
            workload.parts = cut(&weights, part_bytes).1;
        };
        let mut workload = Workload { objects: vec![retail(1_000_000_000).objects[0]; 50], ..Workload::default() };
        let whole = estimate(&workload);
        parts(&mut workload, 1_100_000_000);
        let read = estimate(&workload);
        assert_eq!((whole.parts, read.parts), (0, 50));
        assert!(read.peak_memory_bytes < whole.peak_memory_bytes);
        // A part reads 1 GB in 21 s and audits 12 million rows in 6 s; no call audits all 580 million.
        assert_eq!((whole.duration_seconds, read.duration_seconds), (1003, 30));
        workload.rows_meet = true;
        let merged = estimate(&workload);
        assert_eq!(merged.peak_memory_bytes, whole.peak_memory_bytes);
        assert_eq!(merged.duration_seconds, 1166);
        workload.objects.truncate(2);
        parts(&mut workload, 1_100_000_000);
        assert_eq!(estimate(&workload).duration_seconds, 50);
        workload.rows_meet = false;
        assert_eq!(estimate(&workload).duration_seconds, 30);
    }

    #[test]
    fn estimates_neither_vanish_nor_overflow_at_the_extremes() {
        assert_eq!(estimate(&Workload::default()).peak_memory_bytes, FIXED_BYTES);
        let huge = ObjectMeasure {
            size_bytes: u64::MAX,
            unpacked_bytes: u64::MAX,
            rows: u64::MAX,
            columns: u64::MAX,
            group_rows: u64::MAX,
            held_bytes: u64::MAX,
        };
        let estimate = estimate(&Workload { objects: vec![huge, huge], ..Workload::default() });
        assert_eq!(estimate.stored_bytes, u64::MAX);
        assert_eq!([share(10, 3, 20), share(10, 30, 20), share(10, 3, 0)], [1, 10, 10]);
        assert_eq!(share(u64::MAX, u64::MAX, 1), u64::MAX);
    }
}
