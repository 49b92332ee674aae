//! Delta statistics of staged files, read from their Parquet footers, whichever engine wrote them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::basic::LogicalType;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};
use sluice_core::run::StagedFile;

use super::footer::Footer;
use crate::error::LakeError;

/// Longest text that a statistic holds, in bytes. Longer bounds are left out: a cut maximum would be a wrong one.
const MAX_TEXT_BYTES: usize = 256;

/// The part of Delta statistics that Sluice itself prunes with.
#[derive(Debug, Clone, Default)]
pub struct FileStatistics {
    minimum: Map<String, Value>,
    maximum: Map<String, Value>,
}

impl FileStatistics {
    /// Reads the `stats` text of a log entry; unreadable or absent statistics prune nothing.
    pub fn parse(stats: Option<&str>) -> Self {
        let object = |value: &Value, key: &str| value.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        match stats.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            Some(value) => Self { minimum: object(&value, "minValues"), maximum: object(&value, "maxValues") },
            None => Self::default(),
        }
    }

    /// Whether the file may hold values of `column` between these bounds (text columns only; others may always).
    pub fn may_hold_text(&self, column: &str, lowest: &str, highest: &str) -> bool {
        match (self.minimum.get(column).and_then(Value::as_str), self.maximum.get(column).and_then(Value::as_str)) {
            (Some(minimum), Some(maximum)) => minimum <= highest && lowest <= maximum,
            _ => true,
        }
    }
}

/// The staged file at `key`, with size, rows and statistics from its footer. `path` is its path below the table.
///
/// # Errors
/// [`LakeError::Store`] or [`LakeError::Unreadable`] when the file or its footer cannot be read.
pub async fn staged_file(
    store: &Arc<dyn ObjectStore>,
    key: Path,
    path: String,
    partition_values: BTreeMap<String, Option<String>>,
) -> Result<StagedFile, LakeError> {
    Ok(Footer::read(store, key).await?.staged_file(path, partition_values))
}

impl Footer {
    /// The file as it is staged: `path` is its path below the table.
    pub(crate) fn staged_file(&self, path: String, partition_values: BTreeMap<String, Option<String>>) -> StagedFile {
        let stats = delta_stats(&self.metadata).to_string();
        StagedFile { path, size_bytes: self.size_bytes, rows: self.rows(), partition_values, stats }
    }
}

/// Delta statistics of a file: `numRecords`, `minValues`, `maxValues`, `nullCount` of its top-level columns.
fn delta_stats(footer: &ParquetMetaData) -> Value {
    let (mut nulls, mut minimum, mut maximum) = (Map::new(), Map::new(), Map::new());
    let schema = footer.file_metadata().schema_descr();
    for index in 0..schema.num_columns() {
        let column = schema.column(index);
        if column.path().parts().len() != 1 {
            continue;
        }
        let name = column.name().to_owned();
        let logical = column.logical_type_ref();
        if let Some(count) = null_count(footer.row_groups(), index) {
            nulls.insert(name.clone(), json!(count));
        }
        if let Some((low, high)) = bounds(footer.row_groups(), index, logical) {
            minimum.insert(name.clone(), low);
            maximum.insert(name, high);
        }
    }
    let rows = footer.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": minimum, "maxValues": maximum, "nullCount": nulls })
}

fn null_count(groups: &[RowGroupMetaData], index: usize) -> Option<u64> {
    groups.iter().map(|group| group.column(index).statistics()?.null_count_opt()).sum()
}

/// A bound in an ordered form, kept next to its JSON form.
#[derive(PartialEq, PartialOrd)]
enum Ordered {
    Integer(i128),
    Double(f64),
    Text(String),
}

/// Lowest and highest value over all row groups; `None` when one of them has no statistics.
fn bounds(groups: &[RowGroupMetaData], index: usize, logical: Option<&LogicalType>) -> Option<(Value, Value)> {
    let mut found: Option<(Ordered, Ordered)> = None;
    for group in groups {
        let statistics = group.column(index).statistics()?;
        if statistics.null_count_opt() == u64::try_from(group.num_rows()).ok() {
            continue;
        }
        let (low, high) = group_bounds(statistics)?;
        found = Some(match found {
            None => (low, high),
            Some((least, most)) => (if low < least { low } else { least }, if high > most { high } else { most }),
        });
    }
    let (low, high) = found?;
    Some((to_json(&low, logical, Rounding::Down)?, to_json(&high, logical, Rounding::Up)?))
}

fn group_bounds(statistics: &Statistics) -> Option<(Ordered, Ordered)> {
    let text = |bytes: &[u8]| -> Option<Ordered> {
        if bytes.len() > MAX_TEXT_BYTES {
            return None;
        }
        std::str::from_utf8(bytes).ok().map(|text| Ordered::Text(text.to_owned()))
    };
    match statistics {
        Statistics::Int32(s) => {
            Some((Ordered::Integer((*s.min_opt()?).into()), Ordered::Integer((*s.max_opt()?).into())))
        }
        Statistics::Int64(s) => {
            Some((Ordered::Integer((*s.min_opt()?).into()), Ordered::Integer((*s.max_opt()?).into())))
        }
        Statistics::Double(s) if !s.min_opt()?.is_nan() && !s.max_opt()?.is_nan() => {
            Some((Ordered::Double(*s.min_opt()?), Ordered::Double(*s.max_opt()?)))
        }
        // A writer that shortens text bounds rounds them outwards, so they are bounds all the same.
        Statistics::ByteArray(s) => Some((text(s.min_opt()?.data())?, text(s.max_opt()?.data())?)),
        Statistics::FixedLenByteArray(s) => Some((
            Ordered::Integer(big_endian(s.min_opt()?.data())?),
            Ordered::Integer(big_endian(s.max_opt()?.data())?),
        )),
        _ => None,
    }
}

/// A two's complement number of up to 16 bytes, as Parquet stores wide decimals.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let mut value: i128 = if first & 0x80 == 0 { 0 } else { -1 };
    for byte in bytes {
        value = (value << 8) | i128::from(*byte);
    }
    Some(value)
}

#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Up,
}

/// The JSON form that Delta prescribes for the column's type.
fn to_json(bound: &Ordered, logical: Option<&LogicalType>, rounding: Rounding) -> Option<Value> {
    match (bound, logical) {
        (Ordered::Text(text), Some(LogicalType::String)) => Some(json!(text)),
        (Ordered::Double(number), None) => Some(json!(number)),
        (Ordered::Integer(number), None | Some(LogicalType::Integer { .. })) => {
            Some(json!(i64::try_from(*number).ok()?))
        }
        (Ordered::Integer(days), Some(LogicalType::Date)) => {
            let epoch = jiff::civil::date(1970, 1, 1);
            let days = i64::try_from(*days).ok()?;
            epoch.checked_add(jiff::Span::new().try_days(days).ok()?).ok().map(|date| json!(date.to_string()))
        }
        (Ordered::Integer(micros), Some(LogicalType::Timestamp { .. })) => {
            timestamp(i64::try_from(*micros).ok()?, rounding)
        }
        (Ordered::Integer(unscaled), Some(LogicalType::Decimal(decimal_type))) => {
            decimal(*unscaled, decimal_type.scale)
        }
        _ => None,
    }
}

/// Delta keeps timestamp bounds to the millisecond, so the lower is rounded down and the upper up.
fn timestamp(micros: i64, rounding: Rounding) -> Option<Value> {
    let millis = match rounding {
        Rounding::Down => micros.div_euclid(1000),
        Rounding::Up => micros.checked_add(999)?.div_euclid(1000),
    };
    let instant = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_millis(millis)).ok()?;
    Some(json!(instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()))
}

/// A decimal bound as the JSON number that reads back as it. Left out where an `f64` cannot hold it exactly enough for
/// its digits, since a reader would then prune by a wrong bound.
fn decimal(unscaled: i128, scale: i32) -> Option<Value> {
    const EXACT_DIGITS: usize = 15;
    let digits = unscaled.unsigned_abs().to_string();
    if digits.len() > EXACT_DIGITS {
        return None;
    }
    let scale = usize::try_from(scale).ok()?;
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at_checked(padded.len().checked_sub(scale)?)?;
    let sign = if unscaled < 0 { "-" } else { "" };
    let text = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_print_as_the_numbers_they_are() {
        let check = |unscaled: i128, scale: i32, expected: &str| {
            assert_eq!(
                decimal(unscaled, scale).map(|v| v.to_string()).unwrap_or_default(),
                expected,
                "{unscaled}/{scale}"
            );
        };
        check(12_345, 3, "12.345");
        check(-5, 2, "-0.05");
        check(0, 2, "0.0");
        check(7, 0, "7");
        check(1_234_567_890_123_456, 2, "");
    }

    #[test]
    fn timestamps_round_outwards() {
        assert_eq!(timestamp(1_500, Rounding::Down), Some(json!("1970-01-01T00:00:00.001Z")));
        assert_eq!(timestamp(1_500, Rounding::Up), Some(json!("1970-01-01T00:00:00.002Z")));
        assert_eq!(timestamp(-1_500, Rounding::Down), Some(json!("1969-12-31T23:59:59.998Z")));
    }

    #[test]
    fn wide_decimals_keep_their_sign() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[]), None);
    }

    #[test]
    fn unknown_statistics_prune_nothing() {
        let known = FileStatistics::parse(Some(r#"{"minValues":{"k":"b"},"maxValues":{"k":"d"}}"#));
        assert!(known.may_hold_text("k", "c", "z") && known.may_hold_text("other", "a", "b"));
        assert!(!known.may_hold_text("k", "e", "f") && !known.may_hold_text("k", "", "a"));
        assert!(FileStatistics::parse(None).may_hold_text("k", "a", "b"));
    }
}
