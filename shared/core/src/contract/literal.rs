//! Values written in a contract, read as the type of the column they are compared with.

use std::cmp::Ordering;

use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use super::error::{Refusal, refuse};
use super::model::ColumnType;
use crate::decimal::DecimalNumber;

/// Digits that a binary double keeps of every decimal number.
const EXACT_DIGITS: usize = 15;

/// A value of a column's type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(DecimalNumber),
    Double(f64),
    Boolean(bool),
    Date(civil::Date),
    Instant(jiff::Timestamp),
}

impl Literal {
    /// Reads a value for a column of this type; `zone` is the zone of timestamps without one.
    pub(super) fn read(value: &Value, column_type: &ColumnType, zone: Option<&str>) -> Result<Self, Refusal> {
        match (column_type, value) {
            (ColumnType::Text, Value::String(text)) => Ok(Self::Text(text.clone())),
            (ColumnType::Text, other) => refuse!("{other} is no text: write it in quotes"),
            (ColumnType::Int32 | ColumnType::Int64 | ColumnType::Decimal { .. }, _) => {
                let number = number(value)?;
                check_fits(number, column_type)?;
                Ok(Self::Number(number))
            }
            (ColumnType::Double, Value::Number(number)) => match number.as_f64() {
                Some(double) => Ok(Self::Double(double)),
                None => refuse!("{number} is no double"),
            },
            (ColumnType::Boolean, Value::Bool(value)) => Ok(Self::Boolean(*value)),
            (ColumnType::Date, Value::String(text)) => match (text.len(), text.parse::<civil::Date>()) {
                (10, Ok(date)) => Ok(Self::Date(date)),
                _ => refuse!("'{text}' is no date: write it as 2020-12-31"),
            },
            (ColumnType::Timestamp, Value::String(text)) => instant(text, zone).map(Self::Instant),
            (column_type, value) => refuse!("{value} is no {column_type}"),
        }
    }

    /// The canonical text: decimals with exactly the digits of their scale, days as `2020-12-31`, instants as
    /// `2020-12-31T23:59:59Z`.
    pub(super) fn canonical(&self, column_type: &ColumnType) -> String {
        match (self, column_type) {
            (Self::Number(number), ColumnType::Decimal { scale, .. }) if *scale > 0 => {
                let text = number.to_string();
                let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
                format!("{whole}.{fraction:0<width$}", width = usize::from(*scale))
            }
            (Self::Text(text), _) => text.clone(),
            (Self::Number(number), _) => number.to_string(),
            (Self::Double(number), _) => number.to_string(),
            (Self::Boolean(value), _) => value.to_string(),
            (Self::Date(date), _) => date.to_string(),
            (Self::Instant(instant), _) => instant.to_string(),
        }
    }

    /// The order of two values of one type.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Instant(a), Self::Instant(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// An exact number of the document.
pub(super) fn number(value: &Value) -> Result<DecimalNumber, Refusal> {
    let Value::Number(number) = value else { refuse!("{value} is no number") };
    if number.is_f64() && significant_digits(number) > EXACT_DIGITS {
        refuse!("{number} has more than {EXACT_DIGITS} digits, which YAML readers round: write a shorter number");
    }
    number.to_string().parse().map_err(|error: crate::decimal::DecimalError| Refusal(error.to_string()))
}

fn significant_digits(number: &Number) -> usize {
    let text = number.to_string();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = if mantissa.ends_with(".0") { digits.trim_end_matches('0') } else { &digits };
    digits.trim_start_matches('0').len()
}

/// Digits after the point.
pub(super) fn decimals(number: DecimalNumber) -> usize {
    number.to_string().split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

fn check_fits(number: DecimalNumber, column_type: &ColumnType) -> Result<(), Refusal> {
    let range = |low: i64, high: i64| (DecimalNumber::from(low)..=DecimalNumber::from(high)).contains(&number);
    let (scale, fits) = match column_type {
        ColumnType::Int32 => (0, range(i32::MIN.into(), i32::MAX.into())),
        ColumnType::Int64 => (0, range(i64::MIN, i64::MAX)),
        ColumnType::Decimal { precision, scale } => {
            let text = number.to_string();
            let whole = text.trim_start_matches('-').split('.').next().unwrap_or_default().trim_start_matches('0');
            (*scale, whole.len() <= usize::from(precision.saturating_sub(*scale)))
        }
        _ => return Ok(()),
    };
    if !fits || decimals(number) > usize::from(scale) {
        refuse!("{number} is no {column_type}");
    }
    Ok(())
}

fn instant(text: &str, zone: Option<&str>) -> Result<jiff::Timestamp, Refusal> {
    let instant = match (text.parse::<jiff::Timestamp>(), text.parse::<civil::DateTime>()) {
        (Ok(instant), _) => instant,
        (Err(_), Ok(_)) if !matches!(zone, None | Some("UTC" | "Etc/UTC" | "GMT" | "Etc/GMT")) => {
            refuse!("'{text}' needs its offset, as in 2020-12-31T23:59:59+01:00, because defaultTimezone is not UTC")
        }
        (Err(_), Ok(datetime)) => match datetime.to_zoned(TimeZone::UTC) {
            Ok(zoned) => zoned.timestamp(),
            Err(_) => refuse!("'{text}' is out of the range of timestamps"),
        },
        (Err(_), Err(_)) => refuse!("'{text}' is no timestamp: write it as 2020-12-31T23:59:59Z"),
    };
    if instant.subsec_nanosecond() % 1000 != 0 {
        refuse!("'{text}' has more digits than the microseconds that a timestamp keeps");
    }
    Ok(instant)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MONEY: ColumnType = ColumnType::Decimal { precision: 5, scale: 2 };

    #[test]
    fn values_become_canonical_text() {
        let check = |value: Value, column_type: ColumnType, zone: Option<&str>, expected: &str| {
            let text = Literal::read(&value, &column_type, zone).map(|literal| literal.canonical(&column_type));
            assert_eq!(text, Ok(expected.to_owned()), "{value}");
        };
        check(json!("x"), ColumnType::Text, None, "x");
        check(json!(3), ColumnType::Int32, None, "3");
        check(json!(3.0), ColumnType::Int64, None, "3");
        check(json!(1.5), MONEY, None, "1.50");
        check(json!(-999), MONEY, None, "-999.00");
        check(json!(0.25), MONEY, None, "0.25");
        check(json!(true), ColumnType::Boolean, None, "true");
        check(json!("2020-02-29"), ColumnType::Date, None, "2020-02-29");
        check(json!("2020-01-01 00:00:00"), ColumnType::Timestamp, None, "2020-01-01T00:00:00Z");
        check(json!("2020-01-01T10:00:00+10:00"), ColumnType::Timestamp, Some("Asia/Tokyo"), "2020-01-01T00:00:00Z");
        check(json!(i64::MIN), ColumnType::Int64, None, "-9223372036854775808");
    }

    #[test]
    fn values_that_the_column_cannot_hold_are_refused() {
        let check = |value: Value, column_type: ColumnType, zone: Option<&str>, expected: &str| {
            let error = Literal::read(&value, &column_type, zone).unwrap_err().0;
            assert!(error.contains(expected), "{error}");
        };
        check(json!(1), ColumnType::Text, None, "write it in quotes");
        check(json!(0.5), ColumnType::Int32, None, "0.5 is no INT");
        check(json!(2_147_483_648_i64), ColumnType::Int32, None, "is no INT");
        check(json!(0.125), MONEY, None, "is no DECIMAL(5,2)");
        check(json!(1000), MONEY, None, "is no DECIMAL(5,2)");
        check(json!("1"), MONEY, None, "\"1\" is no number");
        check(json!(12_345_678_901_234_567.0), ColumnType::Decimal { precision: 38, scale: 2 }, None, "15 digits");
        check(json!("2020-02-30"), ColumnType::Date, None, "no date");
        check(json!("2020-01-01T10:00"), ColumnType::Date, None, "no date");
        check(json!("01/02/2020"), ColumnType::Timestamp, None, "no timestamp");
        check(json!("2020-01-01 00:00:00"), ColumnType::Timestamp, Some("Asia/Tokyo"), "needs its offset");
        check(json!("2020-01-01T00:00:00.0000001Z"), ColumnType::Timestamp, None, "microseconds");
        check(json!("yes"), ColumnType::Boolean, None, "is no BOOLEAN");
    }
}
