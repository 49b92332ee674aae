//! Values of table rows, for people and for JSON.

use std::fmt;

use jiff::civil::date;
use jiff::{SignedDuration, ToSpan};
use polars::prelude::{AnyValue, TimeUnit};
use serde::{Serialize, Serializer};

use crate::engine::shown::json_of;

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// Whole number.
    Integer(i64),
    /// Floating point number; what is no number is one of the texts `NaN`, `Infinity` and `-Infinity` in JSON.
    #[serde(serialize_with = "double")]
    Number(f64),
    /// Text; also decimals (all digits of their scale), days and instants (ISO 8601), so that JSON keeps them exact, and
    /// lists and objects as JSON texts.
    Text(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => match not_a_number(*value) {
                Some(text) => f.write_str(text),
                None => write!(f, "{value}"),
            },
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Cell {
    /// The cell of a Polars value.
    pub(crate) fn of(value: &AnyValue<'_>) -> Self {
        match value {
            AnyValue::Null => Self::Null,
            AnyValue::Boolean(value) => Self::Boolean(*value),
            AnyValue::Int32(value) => Self::Integer((*value).into()),
            AnyValue::Int64(value) => Self::Integer(*value),
            AnyValue::Float64(value) => Self::Number(*value),
            AnyValue::String(text) => Self::Text((*text).to_owned()),
            AnyValue::StringOwned(text) => Self::Text(text.to_string()),
            AnyValue::Decimal(unscaled, _, scale) => Self::Text(decimal_text(*unscaled, *scale)),
            AnyValue::Date(days) => Self::Text(day_text(*days)),
            AnyValue::Datetime(count, unit, _) => Self::Text(instant_text(*count, *unit)),
            AnyValue::DatetimeOwned(count, unit, _) => Self::Text(instant_text(*count, *unit)),
            AnyValue::List(_) | AnyValue::Struct(..) | AnyValue::StructOwned(_) => {
                Self::Text(json_of(value).unwrap_or_else(|_| value.to_string()))
            }
            // Sluice writes no other type; Polars' own text beats none.
            other => Self::Text(other.to_string()),
        }
    }
}

/// The text of a double that JSON has no number for: the words of JavaScript, which Spark and DuckDB read as well.
fn not_a_number(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_finite() => None,
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => Some("NaN"),
    }
}

/// As serde calls it.
fn double<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match not_a_number(*value) {
        Some(text) => serializer.serialize_str(text),
        None => serializer.serialize_f64(*value),
    }
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

fn day_text(days: i32) -> String {
    match date(1970, 1, 1).checked_add(i64::from(days).days()) {
        Ok(day) => day.to_string(),
        Err(_) => format!("day {days} after 1970-01-01"),
    }
}

fn instant_text(count: i64, unit: TimeUnit) -> String {
    let since = match unit {
        TimeUnit::Milliseconds => SignedDuration::from_millis(count),
        TimeUnit::Microseconds => SignedDuration::from_micros(count),
        TimeUnit::Nanoseconds => SignedDuration::from_nanos(count),
    };
    // Not an instant of jiff, which ends before 9999-12-31: that day is what many write for no end.
    match date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since) {
        Ok(instant) => format!("{instant}Z"),
        Err(_) => format!("{count} after 1970-01-01"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_print_values_exactly() {
        let check = |value: AnyValue<'_>, printed: &str, json: &str| {
            let cell = Cell::of(&value);
            assert_eq!(cell.to_string(), printed, "{value:?}");
            assert_eq!(serde_json::to_string(&cell).unwrap(), json, "{value:?}");
        };
        check(AnyValue::Null, "", "null");
        check(AnyValue::Boolean(true), "true", "true");
        check(AnyValue::Int32(-7), "-7", "-7");
        check(AnyValue::Float64(-1.5), "-1.5", "-1.5");
        check(AnyValue::Float64(f64::NAN), "NaN", r#""NaN""#);
        check(AnyValue::Float64(f64::INFINITY), "Infinity", r#""Infinity""#);
        check(AnyValue::Float64(f64::NEG_INFINITY), "-Infinity", r#""-Infinity""#);
        check(AnyValue::String("a\"b"), "a\"b", r#""a\"b""#);
        check(AnyValue::Decimal(2550, 12, 3), "2.550", r#""2.550""#);
        check(AnyValue::Decimal(-5, 12, 3), "-0.005", r#""-0.005""#);
        check(AnyValue::Decimal(12, 12, 0), "12", r#""12""#);
        check(AnyValue::Date(20_458), "2026-01-05", r#""2026-01-05""#);
        let eight = 1_767_601_560_000_000;
        check(
            AnyValue::Datetime(eight, TimeUnit::Microseconds, None),
            "2026-01-05T08:26:00Z",
            r#""2026-01-05T08:26:00Z""#,
        );
        check(
            AnyValue::DatetimeOwned(eight, TimeUnit::Microseconds, None),
            "2026-01-05T08:26:00Z",
            r#""2026-01-05T08:26:00Z""#,
        );
        check(
            AnyValue::Datetime(253_402_214_400_000_000, TimeUnit::Microseconds, None),
            "9999-12-31T00:00:00Z",
            r#""9999-12-31T00:00:00Z""#,
        );
        check(
            AnyValue::Datetime(-1, TimeUnit::Milliseconds, None),
            "1969-12-31T23:59:59.999Z",
            r#""1969-12-31T23:59:59.999Z""#,
        );
    }
}
