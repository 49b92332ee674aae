//! The types of the subset, and which of them go together.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use sluice_core::contract::ColumnType;

/// Most digits of a decimal.
pub(super) const MAX_DIGITS: u8 = 38;
/// Longest text that a value keeps in a check.
const MOST_BRIEF: usize = 64;

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// UTF-8 text.
    Text,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// IEEE 754 double.
    Double,
    /// Exact decimal.
    Decimal {
        /// Digits in all, 1 to 38. Spark may know that fewer are needed.
        precision: u8,
        /// Digits after the point; the same on every engine.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// Calendar day.
    Date,
    /// Instant in UTC with microseconds.
    Timestamp,
    /// A list or an object. It is only passed on, so that which one is all there is to know.
    Nested {
        /// Hash of its type's name.
        shape: u64,
    },
    /// `NULL` alone, which becomes every type.
    Null,
}

impl From<&ColumnType> for SqlType {
    fn from(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Self::Text,
            ColumnType::Int32 => Self::Int32,
            ColumnType::Int64 => Self::Int64,
            ColumnType::Double => Self::Double,
            ColumnType::Decimal { precision, scale } => Self::Decimal { precision: *precision, scale: *scale },
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Array(_) | ColumnType::Object(_) => {
                let mut hasher = DefaultHasher::new();
                column_type.to_string().hash(&mut hasher);
                Self::Nested { shape: hasher.finish() }
            }
        }
    }
}

impl fmt::Display for SqlType {
    /// Prints the name in Spark's SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("STRING"),
            Self::Int32 => f.write_str("INT"),
            Self::Int64 => f.write_str("BIGINT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Nested { .. } => f.write_str("list or object"),
            Self::Null => f.write_str("VOID"),
        }
    }
}

impl SqlType {
    /// Whether it is a list or an object.
    pub(super) fn is_nested(self) -> bool {
        matches!(self, Self::Nested { .. })
    }

    /// A decimal with all digits and these places.
    pub(super) fn widest_decimal(scale: u8) -> Self {
        Self::Decimal { precision: MAX_DIGITS, scale }
    }

    /// Whether it is a whole number, or null.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Null)
    }

    pub(super) fn is_decimal(self) -> bool {
        matches!(self, Self::Decimal { .. })
    }

    /// Whether it is a number, or null.
    pub(super) fn is_number(self) -> bool {
        self.is_whole() || self.is_decimal() || self == Self::Double
    }

    /// Whether it is a day or an instant.
    pub(super) fn is_temporal(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp)
    }

    /// Digits after the point of an exact number; `None` for doubles and what is no number.
    pub(super) fn places(self) -> Option<u8> {
        match self {
            Self::Decimal { scale, .. } => Some(scale),
            other => other.is_whole().then_some(0),
        }
    }

    fn whole_digits(self) -> u8 {
        match self {
            Self::Int32 => 10,
            Self::Int64 => 19,
            Self::Decimal { precision, scale } => precision.saturating_sub(scale),
            _ => 0,
        }
    }

    /// The one type of values of both, as `CASE` and `UNION` need it; `None` where no such type exists.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Null, known) | (known, Self::Null) => Some(known),
            (Self::Int32 | Self::Int64, Self::Int32 | Self::Int64) => Some(Self::Int64),
            (a, b) if a.is_number() && b.is_number() => match (a.places(), b.places()) {
                (Some(left), Some(right)) => {
                    let scale = left.max(right);
                    let digits = a.whole_digits().max(b.whole_digits()).saturating_add(scale);
                    Some(Self::Decimal { precision: digits.clamp(1, MAX_DIGITS), scale })
                }
                _ => Some(Self::Double),
            },
            _ => None,
        }
    }

    /// Whether values of both can be compared.
    pub(super) fn compares_with(self, other: Self) -> bool {
        self.common(other).is_some() || (self.is_temporal() && other.is_temporal())
    }
}

/// A translated expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    /// Text that stands in any expression without parentheses around it.
    pub(super) text: String,
    pub(super) sql_type: SqlType,
}

impl Typed {
    pub(super) fn new(text: impl Into<String>, sql_type: SqlType) -> Self {
        Self { text: text.into(), sql_type }
    }

    /// The value with a short text, the same for the same text: for checks, which compare texts and pass none on. A text
    /// names some of its parts more than once, so that a few of them inside each other would have one without end.
    pub(super) fn brief(self) -> Self {
        if self.text.len() <= MOST_BRIEF {
            return self;
        }
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        Self { text: format!("`#{:016x}`", hasher.finish()), ..self }
    }

    /// The text of the value as this type.
    pub(super) fn cast(&self, target: SqlType) -> String {
        if self.sql_type == target { self.text.clone() } else { self.explicit_cast(target) }
    }

    /// The text of the value as this type, though it may be of it: Spark may know a decimal by fewer digits.
    pub(super) fn explicit_cast(&self, target: SqlType) -> String {
        format!("CAST({} AS {target})", self.text)
    }
}

/// A name in backticks.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
