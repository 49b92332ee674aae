//! Lists and objects as JSON texts.

use jiff::civil::date;
use polars::prelude::{
    AnyValue, Column, DataType, Expr, Field, IntoColumn, PolarsResult, Series, StringChunked, TimeUnit, col,
};

/// Whether values of this type are lists or objects.
pub(crate) fn is_nested(dtype: &DataType) -> bool {
    matches!(dtype, DataType::List(_) | DataType::Struct(_))
}

/// A column of lists or objects as JSON texts; null where a value is null.
pub(crate) fn json_expr(column: &str) -> Expr {
    col(column).map_with_fmt_str(
        |column: Column| Ok(json_texts(column.as_materialized_series())?.into_column()),
        |_, field: &Field| Ok(Field::new(field.name().clone(), DataType::String)),
        "json_text",
    )
}

/// Values as JSON texts, in the forms in which the HTTP API shows them: decimals are texts with all digits of their
/// scale, days ISO 8601, instants RFC 3339 in UTC, and doubles that are no numbers null.
///
/// # Errors
/// Those of Polars, for a type that no table of Sluice has.
pub(crate) fn json_texts(values: &Series) -> PolarsResult<StringChunked> {
    let is_null = values.is_null();
    let texts = texts(values)?;
    let kept: StringChunked =
        texts.into_iter().zip(is_null.iter()).map(|(text, is_null)| (is_null != Some(true)).then_some(text)).collect();
    Ok(kept.with_name(values.name().clone()))
}

/// One list or object as JSON text.
///
/// # Errors
/// As [`json_texts`].
pub(crate) fn json_of(value: &AnyValue<'_>) -> PolarsResult<String> {
    match value {
        AnyValue::List(items) => list(items),
        other => {
            let one = Series::from_any_values("".into(), std::slice::from_ref(other), false)?;
            Ok(texts(&one)?.concat())
        }
    }
}

/// One JSON text for each value.
fn texts(values: &Series) -> PolarsResult<Vec<String>> {
    match values.dtype() {
        DataType::List(_) => {
            // Not `get_as_series`, which gives days and decimals as the numbers that store them.
            (0..values.len())
                .map(|row| match values.get(row)? {
                    AnyValue::List(items) => list(&items),
                    _ => Ok(null()),
                })
                .collect()
        }
        DataType::Struct(_) => objects(values),
        DataType::String => Ok(values.str()?.iter().map(|text| text.map_or_else(null, quoted)).collect()),
        DataType::Boolean => Ok(values.bool()?.iter().map(|value| shown(value.as_ref())).collect()),
        DataType::Int32 => Ok(values.i32()?.iter().map(|value| shown(value.as_ref())).collect()),
        DataType::Int64 => Ok(values.i64()?.iter().map(|value| shown(value.as_ref())).collect()),
        DataType::Float64 => Ok(values.f64()?.iter().map(|value| value.map_or_else(null, double)).collect()),
        DataType::Date => {
            let days = values.cast(&DataType::Int32)?;
            Ok(days.i32()?.iter().map(|days| days.and_then(day).map_or_else(null, |text| quoted(&text))).collect())
        }
        DataType::Datetime(TimeUnit::Microseconds, _) => {
            let micros = values.cast(&DataType::Int64)?;
            let instants = micros.i64()?.iter();
            Ok(instants.map(|micros| micros.and_then(instant).map_or_else(null, |text| quoted(&text))).collect())
        }
        _ => {
            let written = values.cast(&DataType::String)?;
            Ok(written.str()?.iter().map(|text| text.map_or_else(null, quoted)).collect())
        }
    }
}

fn null() -> String {
    "null".to_owned()
}

fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(null, ToString::to_string)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn double(value: f64) -> String {
    serde_json::Value::from(value).to_string()
}

fn day(days: i32) -> Option<String> {
    let days = jiff::Span::new().try_days(i64::from(days)).ok()?;
    date(1970, 1, 1).checked_add(days).ok().map(|day| day.to_string())
}

fn instant(micros: i64) -> Option<String> {
    let instant = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(instant.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn list(items: &Series) -> PolarsResult<String> {
    Ok(format!("[{}]", texts(items)?.join(",")))
}

fn objects(values: &Series) -> PolarsResult<Vec<String>> {
    let is_null = values.is_null();
    let mut objects = vec![String::new(); values.len()];
    for field in values.struct_()?.fields_as_series() {
        let name = quoted(field.name().as_str());
        for (object, text) in objects.iter_mut().zip(texts(&field)?) {
            object.push_str(if object.is_empty() { "{" } else { "," });
            object.push_str(&format!("{name}:{text}"));
        }
    }
    let whole = objects.into_iter().zip(is_null.iter());
    Ok(whole.map(|(object, is_null)| if is_null == Some(true) { null() } else { format!("{object}}}") }).collect())
}
