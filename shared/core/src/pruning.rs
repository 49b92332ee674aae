//! Conditions of callers, to leave out files that cannot hold a row of them.
//!
//! Two forms are read: predicates of the portable SQL subset, and the JSON conditions of Delta Sharing. What is not understood of a
//! condition may always be true, so leaving out files never changes an answer.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use sqlparser::ast::{BinaryOperator, DataType, Expr, TypedString, UnaryOperator};

use crate::columns::StoredColumn;
use crate::contract::ColumnType;
use crate::sql::parse_predicate;

/// A condition. What is not understood of it may always be.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// The column is null.
    IsNull(StoredColumn),
    /// The column compared with a value.
    Compare(StoredColumn, Comparison, Scalar),
    /// Anything else.
    Unknown,
}

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

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

/// What the log says of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// Delta statistics, as JSON text.
    pub stats: Option<&'a str>,
    /// Partition values, as text.
    pub partition_values: &'a BTreeMap<String, Option<String>>,
}

/// What the log says of a column of a file.
struct Facts {
    bounds: Option<(Scalar, Scalar)>,
    has_nulls: Option<bool>,
    has_values: Option<bool>,
}

impl Condition {
    /// The condition of this predicate of the portable SQL subset over these columns. What is no such predicate may always be true:
    /// whoever evaluates it says what is wrong.
    pub fn of_sql(text: &str, columns: &[StoredColumn]) -> Self {
        parse_predicate(text).map_or(Self::Unknown, |expr| Self::of_expr(&expr, columns))
    }

    fn of_expr(expr: &Expr, columns: &[StoredColumn]) -> Self {
        let of = |inner: &Expr| Self::of_expr(inner, columns);
        match expr {
            Expr::Nested(inner) => of(inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => Self::Not(Box::new(of(inner))),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => Self::All(vec![of(left), of(right)]),
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => Self::Any(vec![of(left), of(right)]),
            Expr::BinaryOp { left, op, right } => comparison(op).map_or(Self::Unknown, |(comparison, negated)| {
                Self::compared(left, comparison, right, negated, columns)
            }),
            Expr::IsNull(inner) => sql_column(inner, columns).map_or(Self::Unknown, Self::IsNull),
            Expr::IsNotNull(inner) => {
                sql_column(inner, columns).map_or(Self::Unknown, |column| Self::Not(Box::new(Self::IsNull(column))))
            }
            Expr::Between { expr: inner, negated: false, low, high } => Self::All(vec![
                Self::compared(inner, Comparison::GreaterOrEqual, low, false, columns),
                Self::compared(inner, Comparison::LessOrEqual, high, false, columns),
            ]),
            Expr::InList { expr: inner, list, negated: false } => Self::Any(
                list.iter().map(|one| Self::compared(inner, Comparison::Equal, one, false, columns)).collect(),
            ),
            _ => Self::Unknown,
        }
    }

    fn compared(left: &Expr, comparison: Comparison, right: &Expr, negated: bool, columns: &[StoredColumn]) -> Self {
        let found = match (sql_column(left, columns), sql_column(right, columns)) {
            (Some(column), None) => Some((column, comparison, right)),
            (None, Some(column)) => Some((column, comparison.turned(), left)),
            _ => None,
        };
        let compared = found.and_then(|(column, comparison, literal)| {
            let value = sql_literal(&column.column_type, literal)?;
            Some(Self::Compare(column, comparison, value))
        });
        match compared {
            Some(compared) if negated => Self::Not(Box::new(compared)),
            Some(compared) => compared,
            None => Self::Unknown,
        }
    }

    /// Whether every column that the condition looks at is one of those for which this holds.
    pub fn is_about(&self, holds: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().all(|one| one.is_about(holds)),
            Self::Not(condition) => condition.is_about(holds),
            Self::IsNull(column) | Self::Compare(column, ..) => holds(&column.name),
            Self::Unknown => true,
        }
    }

    /// The condition of this JSON text over these columns; `None` when it is no condition.
    pub fn of_json(text: &str, columns: &[StoredColumn]) -> Option<Self> {
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
    pub fn may_hold(&self, file: FileFacts<'_>) -> bool {
        let stats = file.stats.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        self.possible(file, &stats).yes
    }

    fn possible(&self, file: FileFacts<'_>, stats: &Value) -> Possible {
        let of = |condition: &Self| condition.possible(file, stats);
        match self {
            Self::All(conditions) => conditions.iter().map(of).fold(Possible { yes: true, no: false }, |all, one| {
                Possible { yes: all.yes && one.yes, no: all.no || one.no }
            }),
            Self::Any(conditions) => conditions.iter().map(of).fold(Possible { yes: false, no: true }, |all, one| {
                Possible { yes: all.yes || one.yes, no: all.no && one.no }
            }),
            Self::Not(condition) => {
                let Possible { yes, no } = of(condition);
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

/// A comparison, and whether it is meant the other way round.
fn comparison(op: &BinaryOperator) -> Option<(Comparison, bool)> {
    match op {
        BinaryOperator::Eq => Some((Comparison::Equal, false)),
        BinaryOperator::NotEq => Some((Comparison::Equal, true)),
        BinaryOperator::Lt => Some((Comparison::Less, false)),
        BinaryOperator::LtEq => Some((Comparison::LessOrEqual, false)),
        BinaryOperator::Gt => Some((Comparison::Greater, false)),
        BinaryOperator::GtEq => Some((Comparison::GreaterOrEqual, false)),
        _ => None,
    }
}

/// A column by its name, which SQL and engine take with its case.
fn sql_column(expr: &Expr, columns: &[StoredColumn]) -> Option<StoredColumn> {
    match expr {
        Expr::Identifier(name) => columns.iter().find(|column| column.name == name.value).cloned(),
        Expr::Nested(inner) => sql_column(inner, columns),
        _ => None,
    }
}

/// A literal as a value of this column type; `None` where the engine would compare another type than the column's.
fn sql_literal(column_type: &ColumnType, expr: &Expr) -> Option<Scalar> {
    use sqlparser::ast::Value as Sql;
    match (column_type, expr) {
        (_, Expr::Nested(inner)) => sql_literal(column_type, inner),
        (_, Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner }) => match sql_literal(column_type, inner)? {
            Scalar::Integer(number) => number.checked_neg().map(Scalar::Integer),
            Scalar::Number(number) => Some(Scalar::Number(-number)),
            _ => None,
        },
        (ColumnType::Date, Expr::TypedString(TypedString { data_type: DataType::Date, value, .. })) => {
            match &value.value {
                Sql::SingleQuotedString(text) => Scalar::read(column_type, text),
                _ => None,
            }
        }
        (ColumnType::Timestamp, Expr::TypedString(TypedString { data_type: DataType::Timestamp(..), value, .. })) => {
            match &value.value {
                Sql::SingleQuotedString(text) => instant(text).map(Scalar::Instant),
                _ => None,
            }
        }
        (_, Expr::Value(value)) => match (column_type, &value.value) {
            (ColumnType::Text, Sql::SingleQuotedString(text)) => Some(Scalar::Text(text.clone())),
            (ColumnType::Boolean, Sql::Boolean(value)) => Some(Scalar::Boolean(*value)),
            (
                ColumnType::Int32 | ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. },
                Sql::Number(digits, _),
            ) => Scalar::read(column_type, digits),
            _ => None,
        },
        _ => None,
    }
}

/// An instant as SQL writes it: UTC, where it names no offset.
fn instant(text: &str) -> Option<Timestamp> {
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| civil().map(|zoned| zoned.timestamp()))
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
    fn of(column: &StoredColumn, file: FileFacts<'_>, stats: &Value) -> Self {
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
    use super::*;

    /// Partition values and statistics.
    fn file() -> (BTreeMap<String, Option<String>>, String) {
        let stats = r#"{"numRecords":10,"minValues":{"a":5,"t":"b","f":1.5,"at":"2026-01-01T00:00:00.000Z"},
            "maxValues":{"a":9,"t":"d","f":2.5,"at":"2026-01-02T00:00:00.000Z"},"nullCount":{"a":0,"t":3,"empty":10}}"#;
        let values = BTreeMap::from([("d".to_owned(), Some("2026-01-05".to_owned())), ("n".to_owned(), None)]);
        (values, stats.to_owned())
    }

    fn may_hold(condition: &Condition) -> bool {
        let (partition_values, stats) = file();
        condition.may_hold(FileFacts { stats: Some(&stats), partition_values: &partition_values })
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
            let condition = Condition::of_json(text, &columns()).expect(text);
            assert_eq!(may_hold(&condition), expected, "{text}");
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
    fn predicates_leave_out_the_same_files() {
        let check = |text: &str, expected: bool| {
            assert_eq!(may_hold(&Condition::of_sql(text, &columns())), expected, "{text}");
        };
        check("a = 5", true);
        check("a = 4", false);
        check("a <> 4", true);
        check("4 = a", false);
        check("a BETWEEN 1 AND 4", false);
        check("a BETWEEN 1 AND 5", true);
        check("a NOT BETWEEN 1 AND 100", true);
        check("a IN (1, 2, 3)", false);
        check("a IN (1, 2, 5)", true);
        check("a > -1 AND t = 'e'", false);
        check("a < -1 OR t = 'b'", true);
        check("NOT (a >= 5)", false);
        check("a + 1 = 4", true);
        check("CAST(a AS STRING) = '4'", true);
        check("a = '4'", true);
        check("d = DATE '2026-01-05'", true);
        check("d = DATE '2026-01-06'", false);
        check("d = '2026-01-06'", true);
        check("at >= TIMESTAMP '2026-01-03 00:00:00'", false);
        check("at >= TIMESTAMP '2026-01-01 10:00:00' AND at < TIMESTAMP '2026-01-01 10:30:00'", true);
        check("n IS NOT NULL", false);
        check("t IS NULL", true);
        check("a IS NULL", false);
        check("A = 4", true);
        check("other = 4", true);
        check("f < 1.5", false);
        check("f > 9.5", true);
        check("DELETE FROM x", true);
    }

    #[test]
    fn conditions_know_their_columns() {
        let condition = Condition::of_sql("a = 1 AND (t = 'x' OR NOT d IS NULL)", &columns());
        assert!(condition.is_about(&|name| ["a", "t", "d"].contains(&name)));
        assert!(!condition.is_about(&|name| ["a", "t"].contains(&name)));
    }

    #[test]
    fn what_is_no_condition_is_passed_over() {
        for text in ["", "a = 1", "[]", "{\"children\":[]}"] {
            assert_eq!(Condition::of_json(text, &columns()), None, "{text}");
        }
    }
}
