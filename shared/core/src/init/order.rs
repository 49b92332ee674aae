//! The order of texts by what they mean: numbers by value, days by date, others by their characters.

use std::cmp::Ordering;

use super::numbers::{Signs, number};
use super::times;
use crate::contract::ColumnType;
use crate::decimal::DecimalNumber;
use crate::spec::ReadSpec;

/// How the texts of a column are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValueOrder(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Texts,
    /// ISO 8601: the order of the characters, but for `Z` after the seconds, which comes behind a fraction of them.
    Instants,
    Numbers(Signs),
    /// Days, or instants by their day, in these patterns.
    Days(Vec<String>),
}

/// Where a text stands among the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// By its characters; the text as it is compared.
    Text(String),
    /// By value; the number as SQL writes it.
    Number {
        /// To compare quickly. Rounding keeps the order.
        value: f64,
        /// Decides where the values are equal: the exact number, where it has few enough digits.
        exact: Option<DecimalNumber>,
        /// As SQL writes it.
        plain: String,
    },
    /// By year, month and day.
    Day(usize, usize, usize),
}

impl ValueOrder {
    /// The order of a type; `read`: how the texts of a source are read as it.
    pub(crate) fn of(column_type: &ColumnType, read: Option<&ReadSpec>) -> Self {
        let formats = read.and_then(|read| read.formats.as_deref()).unwrap_or_default();
        let plain = Signs { decimal: '.', thousands: None };
        Self(match column_type {
            ColumnType::Text | ColumnType::Boolean | ColumnType::Array(_) | ColumnType::Object(_) => Kind::Texts,
            ColumnType::Int32 | ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. } => {
                Kind::Numbers(Signs {
                    decimal: read.and_then(|read| read.decimal).unwrap_or('.'),
                    thousands: read.and_then(|read| read.thousands),
                })
            }
            ColumnType::Date | ColumnType::Timestamp => match formats {
                [] => Kind::Instants,
                formats if formats.iter().any(|format| format.starts_with("epoch_")) => Kind::Numbers(plain),
                formats => Kind::Days(formats.to_vec()),
            },
        })
    }

    /// Whether texts stand in the order of their characters, and none is refused.
    pub(crate) fn is_of_characters(&self) -> bool {
        self.0 == Kind::Texts
    }

    /// Where a text stands; `None` where it is not of the type.
    pub(crate) fn standing(&self, text: &str) -> Option<Standing> {
        match &self.0 {
            Kind::Texts => Some(Standing::Text(text.to_owned())),
            Kind::Instants => {
                let text = text.trim_ascii();
                text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'))
                    .then(|| Standing::Text(text.strip_suffix('Z').unwrap_or(text).to_owned()))
            }
            Kind::Numbers(signs) => {
                let number = number(text.trim_ascii(), *signs)?;
                let (value, exact) = (number.value(), number.plain.parse().ok());
                Some(Standing::Number { value, exact, plain: number.plain })
            }
            Kind::Days(formats) => {
                let text = text.trim_ascii();
                let (year, month, day) = formats.iter().find_map(|format| times::day(format, text))?;
                Some(Standing::Day(year, month, day))
            }
        }
    }
}

impl Standing {
    /// The order of two texts of one column.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(mine), Self::Text(theirs)) => mine.cmp(theirs),
            (Self::Number { value, exact, .. }, Self::Number { value: other_value, exact: other_exact, .. }) => {
                value.total_cmp(other_value).then_with(|| match (exact, other_exact) {
                    (Some(mine), Some(theirs)) => mine.cmp(theirs),
                    _ => Ordering::Equal,
                })
            }
            (Self::Day(year, month, day), Self::Day(other_year, other_month, other_day)) => {
                (year, month, day).cmp(&(other_year, other_month, other_day))
            }
            // A column has one order.
            _ => Ordering::Equal,
        }
    }

    /// What stands there, as SQL writes it where it is a number or a day; `text` is what it was made of.
    pub(crate) fn written(&self, text: &str) -> String {
        match self {
            Self::Text(_) => text.to_owned(),
            Self::Number { plain, .. } => plain.clone(),
            Self::Day(year, month, day) => format!("{year:04}-{month:02}-{day:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_ordered_by_what_they_mean() {
        let check = |column_type: ColumnType, read: ReadSpec, texts: &[&str], expected: &[&str]| {
            let order = ValueOrder::of(&column_type, Some(&read));
            let mut found: Vec<(Standing, &str)> =
                texts.iter().filter_map(|text| Some((order.standing(text)?, *text))).collect();
            found.sort_by(|(mine, _), (theirs, _)| mine.compare(theirs));
            let written: Vec<String> = found.iter().map(|(standing, text)| standing.written(text)).collect();
            assert_eq!(written, expected, "{column_type}");
        };
        let none = ReadSpec::default;
        let formats = |format: &str| ReadSpec { formats: Some(vec![format.to_owned()]), ..ReadSpec::default() };
        check(ColumnType::Text, none(), &["b", "10", "9"], &["10", "9", "b"]);
        check(ColumnType::Int64, none(), &["10", "9", "x", "-1"], &["-1", "9", "10"]);
        // Doubles do not tell these apart.
        let (large, larger) = ("9007199254740993", "9007199254740992");
        check(ColumnType::Int64, none(), &[large, larger], &[larger, large]);
        let german = ReadSpec { decimal: Some(','), thousands: Some('.'), ..ReadSpec::default() };
        check(ColumnType::Double, german, &["1.299,50", "7,25"], &["7.25", "1299.50"]);
        check(ColumnType::Date, formats("%d.%m.%Y"), &["01.02.2024", "31.01.2024"], &["2024-01-31", "2024-02-01"]);
        check(ColumnType::Timestamp, formats("epoch_seconds"), &["1704449472", "999"], &["999", "1704449472"]);
        let (whole, half) = ("2024-01-05T10:00:00Z", "2024-01-05T10:00:00.5Z");
        check(ColumnType::Timestamp, none(), &[half, whole, "soon"], &[whole, half]);
    }
}
