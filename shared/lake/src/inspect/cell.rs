//! Values of table rows, for people and for JSON.

use std::fmt;

use jiff::civil::date;
use jiff::{Timestamp, ToSpan};
use polars::prelude::{AnyValue, TimeUnit};
use serde::Serialize;

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
    /// Floating point number.
    Number(f64),
    /// Text; also decimals (all digits of their scale), days and instants (ISO 8601), so that JSON keeps them exact.
    Text(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Cell {
    /// The cell of a Polars value.
    pub(super) fn of(value: &AnyValue<'_>) -> Self {
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
            // Sluice writes no other type; Polars' own text beats none.
            other => Self::Text(other.to_string()),
        }
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
    let instant = match unit {
        TimeUnit::Milliseconds => Timestamp::from_millisecond(count),
        TimeUnit::Microseconds => Timestamp::from_microsecond(count),
        TimeUnit::Nanoseconds => Ok(Timestamp::from_nanosecond(count.into()).unwrap_or(Timestamp::MAX)),
    };
    match instant {
        Ok(instant) => instant.to_string(),
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
            AnyValue::Datetime(-1, TimeUnit::Milliseconds, None),
            "1969-12-31T23:59:59.999Z",
            r#""1969-12-31T23:59:59.999Z""#,
        );
    }
}
