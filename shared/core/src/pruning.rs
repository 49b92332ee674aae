//! Conditions of callers, to leave out files that cannot hold a row of them.
//!
//! Two forms are read: predicates of the portable SQL subset, and the JSON conditions of Delta Sharing. What is not understood of a
//! condition may always be true, so leaving out files never changes an answer.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use sqlparser::ast::{BinaryOperator, DataType, Expr, TypedString, UnaryOperator};

use crate::columns::StoredColumn;
use crate::contract::ColumnType;
use crate::sql::{Predicate, caller_predicate};

mod facts;

use self::facts::Facts;
pub use self::facts::{FileFacts, Scalar};

/// Longest condition in JSON, in bytes: as of other texts of callers.
const MAX_JSON_BYTES: usize = 16 * 1024;

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

impl Condition {
    /// The condition of this predicate over these columns.
    pub fn of_predicate(predicate: &Predicate, columns: &[StoredColumn]) -> Self {
        Self::of_expr(predicate.expr(), columns)
    }

    /// The condition of a caller's text over these columns. What is not a predicate of the portable SQL subset, or too long for one,
    /// may always be true: whoever evaluates it says what is wrong.
    pub fn of_sql(text: &str, columns: &[StoredColumn]) -> Self {
        caller_predicate(text).map_or(Self::Unknown, |predicate| Self::of_predicate(&predicate, columns))
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

    /// What of the condition is about columns for which this holds; the rest may always be.
    #[must_use]
    pub fn about(self, holds: &impl Fn(&str) -> bool) -> Self {
        let each = |conditions: Vec<Self>| conditions.into_iter().map(|one| one.about(holds)).collect();
        match self {
            Self::All(conditions) => Self::All(each(conditions)),
            Self::Any(conditions) => Self::Any(each(conditions)),
            Self::Not(condition) => Self::Not(Box::new(condition.about(holds))),
            Self::IsNull(column) | Self::Compare(column, ..) if !holds(&column.name) => Self::Unknown,
            known => known,
        }
    }

    /// The condition of a caller's JSON text over these columns; `None` when it is no condition, or longer than one.
    pub fn of_json(text: &str, columns: &[StoredColumn]) -> Option<Self> {
        if text.len() > MAX_JSON_BYTES {
            return None;
        }
        // The parser follows 127 levels.
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

#[cfg(test)]
mod tests;
