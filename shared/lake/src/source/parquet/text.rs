//! The canonical text of typed values.
//!
//! | type | text |
//! |---|---|
//! | integers | digits |
//! | decimals | plain, with as many decimals as the type has |
//! | floats | the shortest that reads back as the same number; `NaN`, `inf`, `-inf` |
//! | booleans | `true`, `false` |
//! | dictionary-encoded text (categories) | the text |
//! | dates | `2010-12-01` |
//! | times | `08:26:00.000000` |
//! | timestamps | `2010-12-01T08:26:00.000000`, in UTC and with `Z` if the type has a time zone |
//! | lists, structs | JSON without white space; dates and times as strings, floats that are no numbers as strings |
//! | binary, durations and others | none: the object is refused |
//!
//! Times and timestamps have six decimals, or nine where nanoseconds are not zero.

use std::fmt::Write as _;

use polars::error::{PolarsResult, polars_bail};
use polars::prelude::{
    Column, DataType, Int64Chunked, IntoColumn, IntoSeries, PlSmallStr, Series, StringChunked, TimeUnit,
};

/// What to do about a type that has no text; `None` if it has one.
pub(super) fn without_text(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Binary | DataType::BinaryOffset => Some("write it as a string (annotated as UTF-8) or leave it out"),
        DataType::Duration(_) => Some("write it as a number, with the unit in its name"),
        DataType::List(inner) => without_text(inner),
        DataType::Struct(fields) => fields.iter().find_map(|field| without_text(field.dtype())),
        plain if is_plain(plain) => None,
        _ => Some("write it as one of the common types"),
    }
}

/// Whether the text is that of a cast by Polars.
fn is_plain(data_type: &DataType) -> bool {
    let temporal = matches!(data_type, DataType::Date | DataType::Time | DataType::Datetime(..));
    let text = matches!(data_type, DataType::String | DataType::Categorical(..) | DataType::Enum(..));
    let other = text || matches!(data_type, DataType::Boolean | DataType::Null);
    temporal || other || data_type.is_primitive_numeric() || data_type.is_decimal()
}

/// The column as text; nulls stay null.
pub(super) fn text_column(column: &Column) -> PolarsResult<Column> {
    let series = column.as_materialized_series();
    if matches!(series.dtype(), DataType::List(_) | DataType::Struct(_)) {
        let (texts, present) = (json_texts(series)?, series.is_not_null());
        let texts =
            texts.iter().zip(present.iter()).map(|(text, present)| (present == Some(true)).then_some(text.as_str()));
        return Ok(named(series.name(), texts.collect()).into_column());
    }
    Ok(text_series(series)?.into_column())
}

fn named(name: &PlSmallStr, texts: StringChunked) -> Series {
    texts.with_name(name.clone()).into_series()
}

fn text_series(series: &Series) -> PolarsResult<Series> {
    match series.dtype() {
        DataType::Date => {
            let days = series.date()?.physical().clone();
            let texts = days.iter().map(|days| days.map(|days| date_text(i64::from(days))));
            Ok(named(series.name(), texts.collect()))
        }
        DataType::Time => Ok(named(series.name(), texts_of(series.time()?.physical(), time_text))),
        DataType::Datetime(unit, zone) => {
            let suffix = if zone.is_some() { "Z" } else { "" };
            let per_second = match unit {
                TimeUnit::Nanoseconds => 1_000_000_000,
                TimeUnit::Microseconds => 1_000_000,
                TimeUnit::Milliseconds => 1_000,
            };
            let text = |ticks| timestamp_text(ticks, per_second, suffix);
            Ok(named(series.name(), texts_of(series.datetime()?.physical(), text)))
        }
        plain if is_plain(plain) => series.cast(&DataType::String),
        other => polars_bail!(InvalidOperation: "{other} has no text form"),
    }
}

fn texts_of(ticks: &Int64Chunked, text: impl Fn(i64) -> String) -> StringChunked {
    ticks.iter().map(|ticks| ticks.map(&text)).collect()
}

/// Proleptic Gregorian date of a day counted from 1970-01-01. Years beyond four digits have a sign, as ISO 8601 wants.
fn date_text(days: i64) -> String {
    // Days are counted from 0000-03-01 so that the leap day ends the year; 146 097 days are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    match year {
        0..=9999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:+05}-{month:02}-{day:02}"),
    }
}

/// Time of day, in nanoseconds since midnight.
fn time_text(nanos: i64) -> String {
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match nanos % 1000 {
        0 => format!("{hour:02}:{minute:02}:{second:02}.{:06}", nanos / 1000),
        _ => format!("{hour:02}:{minute:02}:{second:02}.{nanos:09}"),
    }
}

fn timestamp_text(ticks: i64, per_second: i64, suffix: &str) -> String {
    let (seconds, fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let nanos = second * 1_000_000_000 + fraction * (1_000_000_000 / per_second);
    format!("{}T{}{suffix}", date_text(days), time_text(nanos))
}

/// One JSON text per row, `null` for nulls.
fn json_texts(series: &Series) -> PolarsResult<Vec<String>> {
    match series.dtype() {
        DataType::List(_) => {
            let lists = series.list()?;
            (0..lists.len()).map(|row| json_list(lists.get_as_series(row))).collect()
        }
        DataType::Struct(_) => json_structs(series),
        data_type => {
            let quoted = !data_type.is_integer() && !data_type.is_decimal() && *data_type != DataType::Boolean;
            let may_be_number = data_type.is_float();
            let texts = text_series(series)?;
            let text = |text: Option<&str>| match text {
                None => "null".to_owned(),
                Some(text) if !quoted || (may_be_number && text.parse().is_ok_and(f64::is_finite)) => text.to_owned(),
                Some(text) => json_string(text),
            };
            Ok(texts.str()?.iter().map(text).collect())
        }
    }
}

fn json_list(elements: Option<Series>) -> PolarsResult<String> {
    match elements {
        Some(elements) => Ok(format!("[{}]", json_texts(&elements)?.join(","))),
        None => Ok("null".to_owned()),
    }
}

fn json_structs(series: &Series) -> PolarsResult<Vec<String>> {
    let fields = series.struct_()?.fields_as_series();
    let mut texts: Vec<String> = vec![String::from("{"); series.len()];
    for (index, field) in fields.iter().enumerate() {
        let key = json_string(field.name());
        let comma = if index == 0 { "" } else { "," };
        for (text, value) in texts.iter_mut().zip(json_texts(field)?) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{key}:{value}");
        }
    }
    let present = series.is_not_null();
    for (text, present) in texts.iter_mut().zip(present.iter()) {
        if present == Some(true) { text.push('}') } else { *text = "null".to_owned() }
    }
    Ok(texts)
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_iso_dates_in_every_year() {
        let check = |days, expected: &str| assert_eq!(date_text(days), expected);
        check(0, "1970-01-01");
        check(-1, "1969-12-31");
        check(11_016, "2000-02-29");
        check(11_017, "2000-03-01");
        check(14_944, "2010-12-01");
        check(-719_528, "0000-01-01");
        check(-719_529, "-0001-12-31");
        check(2_932_896, "9999-12-31");
        check(2_932_897, "+10000-01-01");
    }

    #[test]
    fn ticks_become_iso_timestamps_with_their_precision() {
        let check = |ticks, per_second, suffix, expected: &str| {
            assert_eq!(timestamp_text(ticks, per_second, suffix), expected);
        };
        check(0, 1_000, "", "1970-01-01T00:00:00.000000");
        check(-1, 1_000_000, "Z", "1969-12-31T23:59:59.999999Z");
        check(1_291_191_960_123, 1_000, "Z", "2010-12-01T08:26:00.123000Z");
        check(1_291_191_960_123_456_000, 1_000_000_000, "", "2010-12-01T08:26:00.123456");
        check(1_291_191_960_123_456_789, 1_000_000_000, "", "2010-12-01T08:26:00.123456789");
        // The ends of the range have a text too.
        assert!(timestamp_text(i64::MAX, 1_000, "").starts_with('+'));
        assert!(timestamp_text(i64::MIN, 1_000, "").starts_with('-'));
    }
}
