//! What a bound allows, and how metrics and bounds are printed.

use std::fmt;

use super::model::{Bound, DatasetRule, Metric, MetricUnit};
use crate::decimal::DecimalNumber;
use crate::name::ColumnName;

impl DatasetRule {
    /// The key without which a row does not count in the rule's share: what it lacks cannot occur twice. `None` where the
    /// number is no share, or a share of all rows.
    pub fn share_of_keys(&self) -> Option<&[ColumnName]> {
        match (&self.metric, self.unit) {
            (Metric::DuplicateValues { columns }, MetricUnit::Percent) => Some(columns),
            _ => None,
        }
    }
}

impl Bound {
    /// Whether an observed number satisfies the bound.
    ///
    /// Both `between` operators include their ends, as datacontract-cli has it (the standard's text leaves it open).
    pub fn holds(&self, observed: DecimalNumber) -> bool {
        match self {
            Self::Be(value) => observed == *value,
            Self::NotBe(value) => observed != *value,
            Self::GreaterThan(value) => observed > *value,
            Self::GreaterOrEqualTo(value) => observed >= *value,
            Self::LessThan(value) => observed < *value,
            Self::LessOrEqualTo(value) => observed <= *value,
            Self::Between(low, high) => (*low..=*high).contains(&observed),
            Self::NotBetween(low, high) => !(*low..=*high).contains(&observed),
        }
    }

    /// Whether zero is the only count, or share, that satisfies the bound: no violating row is tolerated.
    pub fn allows_only_zero(&self, unit: MetricUnit) -> bool {
        if !self.holds(DecimalNumber::ZERO) {
            return false;
        }
        match (unit, self) {
            // Counts are whole, so what refuses one refuses every larger count for these operators.
            (MetricUnit::Rows, Self::LessThan(_) | Self::LessOrEqualTo(_) | Self::Between(..)) => {
                !self.holds(DecimalNumber::from(1_u64))
            }
            (MetricUnit::Percent, Self::LessOrEqualTo(high) | Self::Between(_, high)) => high.is_zero(),
            (_, Self::Be(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Be(value) => write!(f, "= {value}"),
            Self::NotBe(value) => write!(f, "!= {value}"),
            Self::GreaterThan(value) => write!(f, "> {value}"),
            Self::GreaterOrEqualTo(value) => write!(f, ">= {value}"),
            Self::LessThan(value) => write!(f, "< {value}"),
            Self::LessOrEqualTo(value) => write!(f, "<= {value}"),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
            Self::NotBetween(low, high) => write!(f, "not between {low} and {high}"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowCount => f.write_str("rows"),
            Self::NullValues { column } => write!(f, "null values of {column}"),
            Self::MissingValues { column, .. } => write!(f, "missing values of {column}"),
            Self::InvalidValues { column, .. } => write!(f, "invalid values of {column}"),
            Self::DuplicateValues { columns } => {
                f.write_str("duplicate values of ")?;
                for (index, column) in columns.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{column}")?;
                }
                Ok(())
            }
            Self::Sql { query } => write!(f, "{query}"),
        }
    }
}
