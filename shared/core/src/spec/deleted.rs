//! How many keys of a table a snapshot may lack.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal::DecimalNumber;
use crate::text::text_or_number;

/// What belongs into a spec.
const DESCRIPTION: &str = "a percentage above 0 and at most 100, or `none` for no limit";
/// The word for what counts when a spec says nothing.
const DEFAULT: &str = "default";
/// The word for no limit.
const NO_LIMIT: &str = "none";
/// The percentage from which on a run is rejected whose spec says nothing: a torn export or a failed join lacks half of
/// the keys, and what comes and goes between two extracts is far below.
const DEFAULT_PERCENT: u64 = 50;

/// The share of a table's keys that its snapshot lacks must be below this many percent: above 0, up to 100, or `none`.
///
/// By default it is 50, and a single missing key rejects no run, in a small table as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeletedLimit(Limit);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Limit {
    #[default]
    Default,
    Below(DecimalNumber),
    None,
}

/// Why a text is not a [`DeletedLimit`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not a share of keys: write a percentage above 0 and at most 100, or `none` for no limit")]
pub struct DeletedLimitError {
    /// The refused text.
    pub text: String,
}

impl DeletedLimit {
    /// Whether it is what a spec means that does not say it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The percentage that a run must stay below; `None` without a limit.
    pub fn percent_below(self) -> Option<DecimalNumber> {
        match self.0 {
            Limit::Default => Some(DecimalNumber::from(DEFAULT_PERCENT)),
            Limit::Below(percent) => Some(percent),
            Limit::None => None,
        }
    }

    /// Whether a single missing key is within the limit, whatever its share.
    pub fn spares_one_key(self) -> bool {
        self.0 == Limit::Default
    }

    /// Whether so many missing keys of so many keys are within the limit.
    pub fn allows(self, missing: u64, keys: u64) -> bool {
        let below = |percent| DecimalNumber::percent(missing, keys) < percent;
        self.percent_below().is_none_or(below) || (self.spares_one_key() && missing <= 1)
    }
}

impl FromStr for DeletedLimit {
    type Err = DeletedLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = || {
            let percent = text.parse::<DecimalNumber>().ok()?;
            (percent.is_positive() && percent <= DecimalNumber::from(100_u64)).then_some(Limit::Below(percent))
        };
        let limit = match text {
            DEFAULT => Some(Limit::Default),
            NO_LIMIT => Some(Limit::None),
            _ => percent(),
        };
        limit.map(Self).ok_or_else(|| DeletedLimitError { text: text.to_owned() })
    }
}

impl fmt::Display for DeletedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Limit::Default => f.write_str(DEFAULT),
            Limit::Below(percent) => write!(f, "{percent}"),
            Limit::None => f.write_str(NO_LIMIT),
        }
    }
}

impl Serialize for DeletedLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeletedLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, DESCRIPTION)
    }
}

impl schemars::JsonSchema for DeletedLimit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DeletedLimit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": DESCRIPTION,
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0, "maximum": 100 },
                { "type": "string" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_percentage_or_none() {
        let check = |text: &str, missing: u64, keys: u64, allowed: bool| {
            let limit: DeletedLimit = text.parse().expect(text);
            assert_eq!(limit.allows(missing, keys), allowed, "{text}: {missing} of {keys}");
            assert_eq!(limit.to_string(), text);
        };
        check("default", 49, 100, true);
        check("default", 50, 100, false);
        check("default", 1, 1, true);
        check("default", 2, 2, false);
        check("20", 1, 5, false);
        check("100", 4, 5, true);
        check("100", 5, 5, false);
        check("none", 5, 5, true);
        check("50", 0, 0, true);
        for refused in ["0", "-1", "101", "half", ""] {
            assert!(refused.parse::<DeletedLimit>().is_err(), "{refused}");
        }
    }
}
