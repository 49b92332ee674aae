//! Conditions of clients, to leave out files that cannot hold a row of them.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use sluice_core::columns::StoredColumn;
use sluice_core::contract::ColumnType;

use super::shared::SharedFile;

/// A condition. What is not understood of it may always be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Hint {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    IsNull(StoredColumn),
    Compare(StoredColumn, Comparison, Scalar),
    Unknown,
}

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value in an ordered form; two of different kinds have no order.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Scalar {
    Integer(i64),
    Number(f64),
    Text(String),
    Boolean(bool),
    Date(Date),
    Instant(Timestamp),
}

/// What rows of a file may be to a condition: true for some, false for some. Neither when it is null for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Possible {
    yes: bool,
    no: bool,
}

const ANYTHING: Possible = Possible { yes: true, no: true };

/// A node of the protocol's form.
#[derive(Deserialize)]
struct Node {
    op: String,
    #[serde(default)]
    children: Vec<Node>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

/// What the log says of a column of a file.
struct Facts {
    bounds: Option<(Scalar, Scalar)>,
    has_nulls: Option<bool>,
    has_values: Option<bool>,
}

impl Hint {
    /// The condition of this JSON text over these columns; `None` when it is no condition.
    pub(super) fn parse(text: &str, columns: &[StoredColumn]) -> Option<Self> {
        serde_json::from_str::<Node>(text).ok().map(|node| Self::of(&node, columns))
    }

    fn of(node: &Node, columns: &[StoredColumn]) -> Self {
        let children = || node.children.iter().map(|child| Self::of(child, columns)).collect();
        let comparison = match (node.op.as_str(), node.children.as_slice()) {
            ("and", _) => return Self::All(children()),
            ("or", _) => return Self::Any(children()),
            ("not", [child]) => return Self::Not(Box::new(Self::of(child, columns))),
            ("isNull", [child]) => return column(child, columns).map_or(Self::Unknown, Self::IsNull),
            ("equal", _) => Comparison::Equal,
            ("lessThan", _) => Comparison::Less,
            ("lessThanOrEqual", _) => Comparison::LessOrEqual,
            ("greaterThan", _) => Comparison::Greater,
            ("greaterThanOrEqual", _) => Comparison::GreaterOrEqual,
            _ => return Self::Unknown,
        };
        let [left, right] = node.children.as_slice() else { return Self::Unknown };
        let found = match (column(left, columns), column(right, columns)) {
            (Some(column), None) => Some((column, comparison, right)),
            (None, Some(column)) => Some((column, comparison.turned(), left)),
            _ => None,
        };
        let compared = found.and_then(|(column, comparison, literal)| {
            let literal = literal.value.as_deref().filter(|_| literal.op == "literal")?;
            let value = Scalar::read(&column.column_type, literal)?;
            Some(Self::Compare(column, comparison, value))
        });
        compared.unwrap_or(Self::Unknown)
    }

    /// Whether the file may hold a row for which the condition is true.
    pub(super) fn may_hold(&self, file: &SharedFile) -> bool {
        let stats = file.stats.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        self.possible(file, &stats).yes
    }

    fn possible(&self, file: &SharedFile, stats: &Value) -> Possible {
        let of = |hint: &Self| hint.possible(file, stats);
        match self {
            Self::All(hints) => hints.iter().map(of).fold(Possible { yes: true, no: false }, |all, one| Possible {
                yes: all.yes && one.yes,
                no: all.no || one.no,
            }),
            Self::Any(hints) => hints.iter().map(of).fold(Possible { yes: false, no: true }, |all, one| Possible {
                yes: all.yes || one.yes,
                no: all.no && one.no,
            }),
            Self::Not(hint) => {
                let Possible { yes, no } = of(hint);
                Possible { yes: no, no: yes }
            }
            Self::IsNull(column) => {
                let facts = Facts::of(column, file, stats);
                Possible { yes: facts.has_nulls.unwrap_or(true), no: facts.has_values.unwrap_or(true) }
            }
            Self::Compare(column, comparison, value) => {
                let facts = Facts::of(column, file, stats);
                match &facts.bounds {
                    _ if facts.has_values == Some(false) => Possible { yes: false, no: false },
                    Some((low, high)) => comparison.possible(low, high, value, &column.column_type),
                    None => ANYTHING,
                }
            }
            Self::Unknown => ANYTHING,
        }
    }
}

fn column(node: &Node, columns: &[StoredColumn]) -> Option<StoredColumn> {
    let name = node.name.as_deref().filter(|_| node.op == "column")?;
    columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)).cloned()
}

impl Comparison {
    /// The same with the sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    fn possible(self, low: &Scalar, high: &Scalar, value: &Scalar, column_type: &ColumnType) -> Possible {
        if low.partial_cmp(value).is_none() || high.partial_cmp(value).is_none() {
            return ANYTHING;
        }
        let (yes, no) = match self {
            Self::Equal => (low <= value && value <= high, !(low == value && value == high)),
            Self::Less => (low < value, high >= value),
            Self::LessOrEqual => (low <= value, high > value),
            Self::Greater => (high > value, low <= value),
            Self::GreaterOrEqual => (high >= value, low < value),
        };
        match column_type {
            // Bounds of doubles leave out NaN, which is greater than all numbers.
            ColumnType::Double if matches!(self, Self::Greater | Self::GreaterOrEqual) => ANYTHING,
            // Bounds of these are not exact, or were rounded when they were read.
            ColumnType::Double | ColumnType::Decimal { .. } | ColumnType::Timestamp | ColumnType::Text => {
                let rounded =
                    matches!(self, Self::Less | Self::Greater) && matches!(column_type, ColumnType::Decimal { .. });
                Possible { yes: yes || (rounded && low <= value && value <= high), no: true }
            }
            _ => Possible { yes, no },
        }
    }
}

impl Scalar {
    /// The value of this text as the column's type.
    fn read(column_type: &ColumnType, text: &str) -> Option<Self> {
        match column_type {
            ColumnType::Text => Some(Self::Text(text.to_owned())),
            ColumnType::Int32 | ColumnType::Int64 => text.parse().ok().map(Self::Integer),
            ColumnType::Double | ColumnType::Decimal { .. } => {
                text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Number)
            }
            ColumnType::Boolean => text.to_ascii_lowercase().parse().ok().map(Self::Boolean),
            ColumnType::Date => text.parse().ok().map(Self::Date),
            ColumnType::Timestamp => text.parse().ok().map(Self::Instant),
        }
    }

    fn of_statistic(column_type: &ColumnType, value: &Value) -> Option<Self> {
        match (column_type, value) {
            (ColumnType::Double | ColumnType::Decimal { .. }, Value::Number(number)) => {
                number.as_f64().map(Self::Number)
            }
            (ColumnType::Int32 | ColumnType::Int64, Value::Number(number)) => number.as_i64().map(Self::Integer),
            (ColumnType::Text | ColumnType::Date | ColumnType::Timestamp, Value::String(text)) => {
                Self::read(column_type, text)
            }
            _ => None,
        }
    }
}

impl Facts {
    fn of(column: &StoredColumn, file: &SharedFile, stats: &Value) -> Self {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn file() -> SharedFile {
        let stats = r#"{"numRecords":10,"minValues":{"a":5,"t":"b","f":1.5,"at":"2026-01-01T00:00:00.000Z"},
            "maxValues":{"a":9,"t":"d","f":2.5,"at":"2026-01-02T00:00:00.000Z"},"nullCount":{"a":0,"t":3,"empty":10}}"#;
        SharedFile {
            path: "silver/s/t/x".parse().expect("path"),
            id: "f".to_owned(),
            size_bytes: 5,
            rows: Some(10),
            partition_values: BTreeMap::from([("d".to_owned(), Some("2026-01-05".to_owned())), ("n".to_owned(), None)]),
            stats: Some(stats.to_owned()),
            modified_at_ms: 3,
        }
    }

    fn columns() -> Vec<StoredColumn> {
        [
            ("a", ColumnType::Int64),
            ("t", ColumnType::Text),
            ("f", ColumnType::Double),
            ("at", ColumnType::Timestamp),
            ("d", ColumnType::Date),
            ("n", ColumnType::Text),
            ("empty", ColumnType::Int32),
        ]
        .map(|(name, column_type)| StoredColumn { name: name.to_owned(), column_type })
        .to_vec()
    }

    fn compare(op: &str, column: &str, value: &str) -> String {
        format!(
            r#"{{"op":"{op}","children":[{{"op":"column","name":"{column}","valueType":"x"}},
            {{"op":"literal","value":"{value}","valueType":"x"}}]}}"#
        )
    }

    #[test]
    fn files_are_left_out_only_when_no_row_can_be_meant() {
        let check = |text: &str, expected: bool| {
            let hint = Hint::parse(text, &columns()).expect(text);
            assert_eq!(hint.may_hold(&file()), expected, "{text}");
        };
        check(&compare("equal", "a", "5"), true);
        check(&compare("equal", "A", "4"), false);
        check(&compare("lessThan", "a", "5"), false);
        check(&compare("lessThanOrEqual", "a", "5"), true);
        check(&compare("greaterThan", "a", "9"), false);
        check(&compare("greaterThanOrEqual", "a", "9"), true);
        check(&compare("equal", "a", "many"), true);
        check(&compare("equal", "other", "1"), true);
        check(&compare("equal", "t", "e"), false);
        check(&compare("greaterThan", "f", "9"), true);
        check(&compare("lessThan", "f", "1.5"), false);
        check(&compare("equal", "at", "2026-01-02T00:00:00.0005Z"), true);
        check(&compare("equal", "at", "2026-01-03T00:00:00Z"), false);
        check(&compare("equal", "d", "2026-01-05"), true);
        check(&compare("equal", "d", "2026-01-06"), false);
        check(&compare("equal", "n", "x"), false);
        check(&compare("equal", "empty", "1"), false);
        let not = |text: &str| format!(r#"{{"op":"not","children":[{text}]}}"#);
        check(&not(&compare("greaterThanOrEqual", "a", "5")), false);
        check(&not(&compare("equal", "d", "2026-01-05")), false);
        check(&not(&compare("equal", "empty", "1")), false);
        check(&not(&compare("equal", "t", "b")), true);
        let both = |op: &str, a: &str, b: &str| format!(r#"{{"op":"{op}","children":[{a},{b}]}}"#);
        check(&both("and", &compare("equal", "a", "5"), &compare("equal", "a", "4")), false);
        check(&both("or", &compare("equal", "a", "5"), &compare("equal", "a", "4")), true);
        check(&both("lessThan", r#"{"op":"literal","value":"9"}"#, r#"{"op":"column","name":"a"}"#), false);
        let null = |name: &str| format!(r#"{{"op":"isNull","children":[{{"op":"column","name":"{name}"}}]}}"#);
        check(&null("a"), false);
        check(&null("t"), true);
        check(&null("n"), true);
        check(&null("d"), false);
        check(&not(&null("empty")), false);
        check(r#"{"op":"in","children":[]}"#, true);
    }

    #[test]
    fn what_is_no_condition_is_passed_over() {
        for text in ["", "a = 1", "[]", "{\"children\":[]}"] {
            assert_eq!(Hint::parse(text, &columns()), None, "{text}");
        }
    }
}
