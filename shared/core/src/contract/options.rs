//! `logicalTypeOptions`: limits of values and formats of text.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::column_type::Declared;
use super::document::Property;
use super::error::{Refusal, refuse};
use super::literal::{self, Literal};
use super::model::{ColumnType, RowCheck, TextFormat};
use super::pattern;
use super::time_format;

/// What the options of a column lead to.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub format: TextFormat,
    /// Checks with the last part of their rule's id.
    pub checks: Vec<(&'static str, RowCheck)>,
}

/// Reads the options of a property. Every option is executed or refused.
pub(super) fn read(property: &Property, declared: &Declared) -> Result<Options, Refusal> {
    let options = &property.logical_type_options;
    let column_type = &declared.column_type;
    let allowed: &[&str] = match column_type {
        ColumnType::Text => &["minLength", "maxLength", "pattern", "format"],
        ColumnType::Int32 | ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. } => {
            &["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "format"]
        }
        ColumnType::Date => &["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "format"],
        ColumnType::Timestamp => {
            &["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "format", "timezone", "defaultTimezone"]
        }
        // Of these, each value inside has its own.
        ColumnType::Boolean | ColumnType::Array(_) | ColumnType::Object(_) => &[],
    };
    if let Some(key) = options.keys().find(|key| !allowed.contains(&key.as_str())) {
        refuse!("logicalTypeOptions.{key} is no option of {column_type}");
    }
    let mut read = Options::default();
    match column_type {
        ColumnType::Text => text(options, declared.max_length, &mut read)?,
        ColumnType::Date | ColumnType::Timestamp => time(options, column_type, &mut read)?,
        ColumnType::Int32 | ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. } => {
            number(property, declared, &mut read)?;
        }
        ColumnType::Boolean | ColumnType::Array(_) | ColumnType::Object(_) => {}
    }
    range(options, column_type, &mut read)?;
    Ok(read)
}

fn text(options: &Map<String, Value>, declared_length: Option<u64>, read: &mut Options) -> Result<(), Refusal> {
    let length = |key: &str| match options.get(key) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(length) => Ok(Some(length)),
            None => refuse!("logicalTypeOptions.{key}: {value} is no number of characters"),
        },
    };
    let (least, most) = (length("minLength")?, length("maxLength")?);
    let most = match (most, declared_length) {
        (Some(most), Some(declared)) if most > declared => {
            refuse!("logicalTypeOptions.maxLength {most} contradicts the {declared} characters of the physicalType")
        }
        (most, declared) => most.or(declared),
    };
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        refuse!("logicalTypeOptions.minLength {least} is above the greatest length {most}");
    }
    if let Some(characters) = least.filter(|least| *least > 0) {
        read.checks.push(("min_length", RowCheck::MinLength { characters }));
    }
    if let Some(characters) = most {
        read.checks.push(("max_length", RowCheck::MaxLength { characters }));
    }
    if let Some(pattern) = options.get("pattern").and_then(Value::as_str) {
        read.checks.push(("pattern", RowCheck::Pattern { regex: pattern::translate(pattern)? }));
    }
    if let Some(format) = options.get("format").and_then(Value::as_str) {
        let Some(regex) = pattern::named_format(format) else {
            refuse!("logicalTypeOptions.format {format} is not executed (email, uuid and ipv4 are); use a pattern");
        };
        read.checks.push(("format", RowCheck::Pattern { regex: regex.to_owned() }));
    }
    Ok(())
}

fn number(property: &Property, declared: &Declared, read: &mut Options) -> Result<(), Refusal> {
    let options = &property.logical_type_options;
    let column_type = &declared.column_type;
    if let Some(format) = options.get("format") {
        let executed = match (property.logical_type.as_deref(), format.as_str()) {
            // Formats of integers were resolved together with the type.
            (Some("integer"), _) => true,
            (Some("number"), Some("f64")) => *column_type == ColumnType::Double,
            _ => false,
        };
        if !executed {
            refuse!("logicalTypeOptions.format {format} is not executed for {column_type}");
        }
    }
    if let Some((low, high)) = declared.range {
        let bound = |bound: i128| bound.to_string();
        read.checks.push(("format_minimum", RowCheck::Minimum { bound: bound(low), exclusive: false }));
        read.checks.push(("format_maximum", RowCheck::Maximum { bound: bound(high), exclusive: false }));
    }
    if let Some(step) = options.get("multipleOf") {
        let step = literal::number(step)?;
        let scale = match column_type {
            ColumnType::Double => refuse!("logicalTypeOptions.multipleOf is not exact for DOUBLE; make it a DECIMAL"),
            ColumnType::Decimal { scale, .. } => usize::from(*scale),
            _ => 0,
        };
        if !step.is_positive() || literal::decimals(step) > scale {
            refuse!("logicalTypeOptions.multipleOf {step} is no step of {column_type}");
        }
        read.checks.push(("multiple_of", RowCheck::MultipleOf { step }));
    }
    Ok(())
}

fn time(options: &Map<String, Value>, column_type: &ColumnType, read: &mut Options) -> Result<(), Refusal> {
    let format = options.get("format").and_then(Value::as_str);
    let format = format.map(|format| time_format::translate(format, column_type)).transpose()?;
    match (options.get("timezone").and_then(Value::as_bool), &format) {
        (Some(true), None) => refuse!("logicalTypeOptions.timezone true needs a format with an offset (X)"),
        (Some(true), Some(format)) if !format.has_offset => {
            refuse!("logicalTypeOptions.timezone is true but the format has no offset (X)")
        }
        (Some(false), Some(format)) if format.has_offset => {
            refuse!("logicalTypeOptions.timezone is false but the format has an offset, or counts from 1970 in UTC")
        }
        _ => {}
    }
    let zone = options.get("defaultTimezone").and_then(Value::as_str);
    if let Some(zone) = zone.filter(|zone| !time_format::is_zone(zone)) {
        refuse!("logicalTypeOptions.defaultTimezone '{zone}' is no IANA time zone, such as Europe/Berlin");
    }
    read.format.strftime = format.map(|format| format.strftime);
    read.format.default_timezone = zone.map(str::to_owned);
    Ok(())
}

/// Reads the four bounds, which all ordered types share.
fn range(options: &Map<String, Value>, column_type: &ColumnType, read: &mut Options) -> Result<(), Refusal> {
    let zone = read.format.default_timezone.clone();
    let bound = |key: &str| {
        let read = |value| Literal::read(value, column_type, zone.as_deref());
        options.get(key).map(read).transpose().map_err(|error| Refusal(format!("logicalTypeOptions.{key}: {error}")))
    };
    let low = [(bound("minimum")?, false, "minimum"), (bound("exclusiveMinimum")?, true, "exclusive_minimum")];
    let high = [(bound("maximum")?, false, "maximum"), (bound("exclusiveMaximum")?, true, "exclusive_maximum")];
    for (low, low_exclusive, _) in &low {
        for (high, high_exclusive, _) in &high {
            let (Some(low), Some(high)) = (low, high) else { continue };
            let order = low.order(high);
            if order == Some(Ordering::Greater) || order == Some(Ordering::Equal) && (*low_exclusive || *high_exclusive)
            {
                let (low, high) = (low.canonical(column_type), high.canonical(column_type));
                refuse!("no value lies between the minimum {low} and the maximum {high}");
            }
        }
    }
    for (literal, exclusive, id) in low {
        let Some(literal) = literal else { continue };
        read.checks.push((id, RowCheck::Minimum { bound: literal.canonical(column_type), exclusive }));
    }
    for (literal, exclusive, id) in high {
        let Some(literal) = literal else { continue };
        read.checks.push((id, RowCheck::Maximum { bound: literal.canonical(column_type), exclusive }));
    }
    Ok(())
}
