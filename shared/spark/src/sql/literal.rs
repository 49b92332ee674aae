//! Literals, as Spark writes them.

use std::fmt::Write;

use jiff::civil;
use jiff::tz::TimeZone;
use sluice_core::sql::{SqlError, not_portable, refused};
use sqlparser::ast::{Expr, Spanned, Value};

use super::types::{MAX_DIGITS, SqlType, Typed};

pub(super) fn literal(value: &Value, node: &impl Spanned) -> Result<Typed, SqlError> {
    match value {
        Value::Number(digits, _) => number(digits)
            .ok_or_else(|| not_portable(format!("the number {digits}"), node, "write at most 38 digits, or 64 bits")),
        Value::SingleQuotedString(text) => Ok(Typed::new(quoted_text(text), SqlType::Text)),
        Value::Boolean(true) => Ok(Typed::new("TRUE", SqlType::Boolean)),
        Value::Boolean(false) => Ok(Typed::new("FALSE", SqlType::Boolean)),
        Value::Null => Ok(Typed::new("NULL", SqlType::Null)),
        other => Err(refused::literal(other, node)),
    }
}

/// With a point an exact decimal, with an exponent a double, else an integer of 32 or 64 bits.
fn number(digits: &str) -> Option<Typed> {
    if digits.contains(['e', 'E']) {
        let double: f64 = digits.parse().ok()?;
        return double.is_finite().then(|| Typed::new(format!("{digits}D"), SqlType::Double));
    }
    let Some((whole, fraction)) = digits.split_once('.') else {
        let number: i64 = digits.parse().ok()?;
        return Some(match i32::try_from(number) {
            Ok(_) => Typed::new(number.to_string(), SqlType::Int32),
            Err(_) => Typed::new(format!("{number}L"), SqlType::Int64),
        });
    };
    let whole = whole.trim_start_matches('0');
    let precision = u8::try_from(whole.len() + fraction.len()).ok()?.max(1);
    let scale = u8::try_from(fraction.len()).ok()?;
    let text = if fraction.is_empty() { format!("{whole:0>1}BD") } else { format!("{whole:0>1}.{fraction}BD") };
    (precision <= MAX_DIGITS).then(|| Typed::new(text, SqlType::Decimal { precision, scale }))
}

/// A text in quotes that Spark reads back as it is. Its command line also ends statements, drops comments and replaces
/// variables inside of texts, so what it looks for is written as escapes.
pub(super) fn quoted_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' | '`' | ';' | '$' => escape(&mut quoted, c),
            c if c.is_ascii_control() => escape(&mut quoted, c),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted.replace("--", "-\\u002D").replace("/*", "/\\u002A")
}

fn escape(quoted: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(quoted, "\\u{:04X}", u32::from(c));
}

/// The text of a literal, in parentheses or not.
pub(super) fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => literal_text(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The whole number of a literal, in parentheses or not, with its sign.
pub(super) fn literal_number(expr: &Expr) -> Option<i64> {
    use sqlparser::ast::UnaryOperator::{Minus, Plus};
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { op: Plus, expr: inner } => literal_number(inner),
        Expr::UnaryOp { op: Minus, expr: inner } => literal_number(inner)?.checked_neg(),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// `DATE '…'` or `TIMESTAMP '…'` of an ISO text.
pub(super) fn temporal(text: &str, sql_type: SqlType, node: &impl Spanned) -> Result<Typed, SqlError> {
    let read = match sql_type {
        SqlType::Date => day(text.trim_ascii()).map(|day| format!("DATE '{day}'")),
        _ => instant(text.trim_ascii()).map(|instant| format!("TIMESTAMP '{instant}'")),
    };
    let hint = "write it by ISO 8601, as 2020-12-31 or 2020-12-31 23:59:59";
    let text = read.ok_or_else(|| not_portable(format!("'{text}', which is no {sql_type},"), node, hint))?;
    Ok(Typed::new(text, sql_type))
}

fn day(text: &str) -> Option<civil::Date> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.parse::<civil::Date>().ok().filter(|day| plain && day.year() >= 1)
}

/// A day with or without a time `hh:mm`, `hh:mm:ss` or `hh:mm:ss.ffffff`, and with a time `Z` or `±hh:mm`, as UTC.
fn instant(text: &str) -> Option<String> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (day(date)?, time),
        None => (day(text)?, "00:00"),
    };
    let (clock, offset) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
    let digits = |text: &str, from: usize| text.get(from..from + 2).is_some_and(is_digits);
    let (minutes, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let colons = minutes.bytes().enumerate().all(|(index, byte)| (byte == b':') == (index == 2 || index == 5));
    let shape = matches!(minutes.len(), 5 | 8) && colons && (0..minutes.len()).step_by(3).all(|at| digits(minutes, at));
    let kept = fraction.len() <= 6 || fraction.get(6..).is_some_and(|rest| rest.bytes().all(|byte| byte == b'0'));
    let plain = shape && minutes.get(6..).is_none_or(|seconds| seconds < "60");
    let dotted = !clock.contains('.') || minutes.len() == 8;
    let bounded = (1..=9).contains(&fraction.len()) && is_digits(fraction) && kept;
    let zoned = matches!(offset, "" | "Z") || (offset.len() == 6 && offset.as_bytes().get(3) == Some(&b':'));
    if !(plain && dotted && bounded && zoned) {
        return None;
    }
    let instant = if offset.is_empty() {
        format!("{date}T{clock}").parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()
    } else {
        format!("{date}T{clock}{offset}").parse::<jiff::Timestamp>().ok()?
    };
    Some(instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.f").to_string())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
