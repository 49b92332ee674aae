//! Bounds of a column in the JSON forms that the Delta protocol has for its type, rounded outwards.

use jiff::SignedDuration;
use jiff::civil::date;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use sluice_core::contract::ColumnType;

/// Characters of a text bound. Spark cuts at the same length, and a log with short bounds is read faster.
const MAX_TEXT_CHARACTERS: usize = 32;

/// A bound as Parquet has it. Those of one column are all of one kind.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Stored {
    Boolean(bool),
    Integer(i128),
    Double(f64),
    Text(String),
}

/// The bounds of a column as JSON texts. One is missing where no value of the JSON form is outside of all rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// At or below every value.
    pub(super) lowest: Option<String>,
    /// At or above every value.
    pub(super) highest: Option<String>,
}

impl Bounds {
    /// The bounds of the leaf column `index` over all row groups. None where a row group does not say, or has only nulls.
    pub(super) fn of_column(groups: &[RowGroupMetaData], index: usize, column_type: &ColumnType) -> Self {
        match over_groups(groups, index) {
            Some((low, high)) => Self { lowest: lower(&low, column_type), highest: upper(&high, column_type) },
            None => Self::default(),
        }
    }
}

/// Lowest and highest value over all row groups; `None` when one of them has no statistics.
fn over_groups(groups: &[RowGroupMetaData], index: usize) -> Option<(Stored, Stored)> {
    let mut found: Option<(Stored, Stored)> = None;
    for group in groups {
        let statistics = group.column(index).statistics()?;
        if statistics.null_count_opt() == u64::try_from(group.num_rows()).ok() {
            continue;
        }
        let (low, high) = stored(statistics)?;
        found = Some(match found {
            None => (low, high),
            Some((least, most)) => (if low < least { low } else { least }, if high > most { high } else { most }),
        });
    }
    found
}

fn stored(statistics: &Statistics) -> Option<(Stored, Stored)> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|text| Stored::Text(text.to_owned()));
    let number = |bytes: &[u8]| big_endian(bytes).map(Stored::Integer);
    Some(match statistics {
        Statistics::Boolean(s) => (Stored::Boolean(*s.min_opt()?), Stored::Boolean(*s.max_opt()?)),
        Statistics::Int32(s) => (Stored::Integer((*s.min_opt()?).into()), Stored::Integer((*s.max_opt()?).into())),
        Statistics::Int64(s) => (Stored::Integer((*s.min_opt()?).into()), Stored::Integer((*s.max_opt()?).into())),
        // A NaN among the values is the bound that the writer found; where it belongs is not agreed between readers.
        Statistics::Double(s) if !s.min_opt()?.is_nan() && !s.max_opt()?.is_nan() => {
            (Stored::Double(*s.min_opt()?), Stored::Double(*s.max_opt()?))
        }
        // A writer that shortens text bounds rounds them outwards, so they are bounds all the same.
        Statistics::ByteArray(s) => (text(s.min_opt()?.data())?, text(s.max_opt()?.data())?),
        Statistics::FixedLenByteArray(s) => (number(s.min_opt()?.data())?, number(s.max_opt()?.data())?),
        Statistics::Double(_) | Statistics::Float(_) | Statistics::Int96(_) => return None,
    })
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

/// The JSON text of a lower bound.
fn lower(bound: &Stored, column_type: &ColumnType) -> Option<String> {
    match (bound, column_type) {
        (Stored::Text(text), ColumnType::Text) => quoted(&text.chars().take(MAX_TEXT_CHARACTERS).collect::<String>()),
        (Stored::Integer(micros), ColumnType::Timestamp) => instant(micros.div_euclid(1000)),
        _ => exact(bound, column_type),
    }
}

/// The JSON text of an upper bound.
fn upper(bound: &Stored, column_type: &ColumnType) -> Option<String> {
    match (bound, column_type) {
        (Stored::Text(text), ColumnType::Text) => quoted(&text_above(text)?),
        (Stored::Integer(micros), ColumnType::Timestamp) => {
            // The last microsecond of 9999 is what many write for no end. Readers take no year of five digits, but they do
            // look one millisecond beyond the bound, because other writers cut it down.
            instant(micros.checked_add(999)?.div_euclid(1000)).or_else(|| instant(micros.div_euclid(1000)))
        }
        _ => exact(bound, column_type),
    }
}

/// The JSON text of a bound that needs no rounding.
fn exact(bound: &Stored, column_type: &ColumnType) -> Option<String> {
    match (bound, column_type) {
        (Stored::Boolean(value), ColumnType::Boolean) => Some(value.to_string()),
        (Stored::Integer(number), ColumnType::Int32 | ColumnType::Int64) => Some(number.to_string()),
        // JSON has no infinity.
        (Stored::Double(number), ColumnType::Double) if number.is_finite() => serde_json::to_string(number).ok(),
        (Stored::Integer(unscaled), ColumnType::Decimal { scale, .. }) => decimal(*unscaled, (*scale).into()),
        (Stored::Integer(days), ColumnType::Date) => day(*days),
        _ => None,
    }
}

/// The text itself if it is short, else the least short text above all texts that begin like it. It is shorter than the
/// limit, because readers take a bound of exactly that length for one that was cut without being raised.
fn text_above(text: &str) -> Option<String> {
    if text.chars().nth(MAX_TEXT_CHARACTERS).is_none() {
        return Some(text.to_owned());
    }
    let mut kept: Vec<char> = text.chars().take(MAX_TEXT_CHARACTERS - 1).collect();
    while let Some(last) = kept.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            kept.push(next);
            return Some(kept.into_iter().collect());
        }
    }
    None
}

fn quoted(text: &str) -> Option<String> {
    serde_json::to_string(text).ok()
}

/// A decimal with all digits of its scale: a JSON number may have as many as it likes, and Spark writes them so, too.
fn decimal(unscaled: i128, scale: usize) -> Option<String> {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(scale)?)?;
    let (sign, point) = (if unscaled < 0 { "-" } else { "" }, if scale == 0 { "" } else { "." });
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// Years that every reader takes in four digits.
fn is_common_year(year: i16) -> bool {
    (1..=9999).contains(&year)
}

fn day(days: i128) -> Option<String> {
    let days = jiff::Span::new().try_days(i64::try_from(days).ok()?).ok()?;
    let day = date(1970, 1, 1).checked_add(days).ok().filter(|day| is_common_year(day.year()))?;
    quoted(&day.to_string())
}

/// An instant in the milliseconds that Delta keeps.
fn instant(millis: i128) -> Option<String> {
    // Not an instant of jiff, whose last one leaves room for all offsets: 9999-12-31 is what many write for no end.
    let since = SignedDuration::from_millis(i64::try_from(millis).ok()?);
    let at = date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since).ok().filter(|at| is_common_year(at.year()))?;
    quoted(&at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests;
