//! What the log says of a file's columns.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::columns::StoredColumn;
use crate::contract::ColumnType;

/// Characters to which other writers cut texts in statistics.
const CUT_TEXT_CHARACTERS: usize = 32;

/// A value in an ordered form; two of different kinds have no order.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Scalar {
    /// A whole number.
    Integer(i64),
    /// A double, or a decimal rounded to one.
    Number(f64),
    /// A text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// A day.
    Date(Date),
    /// An instant.
    Instant(Timestamp),
}

/// What the log says of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// Delta statistics, as JSON text.
    pub stats: Option<&'a str>,
    /// Partition values, as text.
    pub partition_values: &'a BTreeMap<String, Option<String>>,
}

/// What the log says of a column of a file.
pub(super) struct Facts {
    pub(super) bounds: Option<(Scalar, Scalar)>,
    pub(super) has_nulls: Option<bool>,
    pub(super) has_values: Option<bool>,
}

impl Scalar {
    /// The value of this text as the column's type.
    pub(super) fn read(column_type: &ColumnType, text: &str) -> Option<Self> {
        match column_type {
            ColumnType::Text => Some(Self::Text(text.to_owned())),
            ColumnType::Int32 | ColumnType::Int64 => text.parse().ok().map(Self::Integer),
            ColumnType::Double | ColumnType::Decimal { .. } => {
                text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Number)
            }
            ColumnType::Boolean => text.to_ascii_lowercase().parse().ok().map(Self::Boolean),
            ColumnType::Date => text.parse().ok().map(Self::Date),
            ColumnType::Timestamp => text.parse().ok().map(Self::Instant),
            ColumnType::Array(_) | ColumnType::Object(_) => None,
        }
    }

    fn of_statistic(column_type: &ColumnType, value: &Value) -> Option<Self> {
        match (column_type, value) {
            (ColumnType::Double | ColumnType::Decimal { .. }, Value::Number(number)) => {
                number.as_f64().map(Self::Number)
            }
            (ColumnType::Int32 | ColumnType::Int64, Value::Number(number)) => number.as_i64().map(Self::Integer),
            (ColumnType::Boolean, Value::Bool(value)) => Some(Self::Boolean(*value)),
            (ColumnType::Text | ColumnType::Date | ColumnType::Timestamp, Value::String(text)) => {
                Self::read(column_type, text)
            }
            _ => None,
        }
    }
}

impl Facts {
    pub(super) fn of(column: &StoredColumn, file: FileFacts<'_>, stats: &Value) -> Self {
        if let Some(value) = file.partition_values.get(&column.name) {
            // An empty text is null, as Delta has it.
            let value = value.as_deref().filter(|text| !text.is_empty());
            let read = value.and_then(|text| Scalar::read(&column.column_type, text));
            let (nulls, values) = (value.is_none(), value.is_some());
            return Self { bounds: read.clone().zip(read), has_nulls: Some(nulls), has_values: Some(values) };
        }
        let of = |kind: &str| stats.get(kind).and_then(|values| values.get(&column.name));
        let bound = |kind: &str| of(kind).and_then(|value| Scalar::of_statistic(&column.column_type, value));
        let high = bound("maxValues").and_then(|high| match high {
            // Some writers cut instants to the millisecond.
            Scalar::Instant(high) => high.checked_add(SignedDuration::from_millis(1)).ok().map(Scalar::Instant),
            // The protocol wants the last sign made greater afterwards, which not every writer does.
            Scalar::Text(high) => (high.chars().count() != CUT_TEXT_CHARACTERS).then_some(Scalar::Text(high)),
            other => Some(other),
        });
        let nulls = of("nullCount").and_then(Value::as_u64);
        let rows = stats.get("numRecords").and_then(Value::as_u64);
        Self {
            bounds: bound("minValues").zip(high),
            has_nulls: nulls.map(|nulls| nulls > 0),
            has_values: nulls.zip(rows).map(|(nulls, rows)| nulls < rows),
        }
    }
}
