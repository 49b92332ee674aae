//! How much of a run may go to quarantine, and how many keys of a table a snapshot may lack.

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

/// The share of a run's rows that goes to quarantine must be below it. By default 10 %: far above what dirty cells make, far
/// below what a renamed column or another date format does. One bad cell costs its row, in a small delivery as well.
pub type QuarantineLimit = PercentBelow<10>;

/// The share of a table's keys that its snapshot lacks must be below it. By default 50 %: a torn export or a failed join
/// lacks half of the keys, and what comes and goes between two extracts is far below.
pub type DeletedLimit = PercentBelow<50>;

/// A share that must be below this many percent: above 0, up to 100, or `none`. Where a spec says nothing it is
/// `DEFAULT_PERCENT`, and a single one rejects no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PercentBelow<const DEFAULT_PERCENT: u64>(Limit);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Limit {
    #[default]
    Default,
    Below(DecimalNumber),
    None,
}

/// Why a text is no [`PercentBelow`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not a share: it must be above 0 and at most 100 (percent), or `none` for no limit")]
pub struct PercentBelowError {
    /// The refused text.
    pub text: String,
}

impl<const DEFAULT_PERCENT: u64> PercentBelow<DEFAULT_PERCENT> {
    /// Whether it is what a spec means that does not say it.
    pub fn is_default(&self) -> bool {
        self.0 == Limit::Default
    }

    /// The percentage that a run must stay below; `None` without a limit.
    pub fn percent_below(self) -> Option<DecimalNumber> {
        match self.0 {
            Limit::Default => Some(DecimalNumber::from(DEFAULT_PERCENT)),
            Limit::Below(percent) => Some(percent),
            Limit::None => None,
        }
    }

    /// Whether a single one is within the limit, whatever its share.
    pub fn spares_one(self) -> bool {
        self.0 == Limit::Default
    }

    /// Whether so many of these are within the limit.
    pub fn allows(self, count: u64, of: u64) -> bool {
        let below = |percent| DecimalNumber::percent(count, of) < percent;
        self.percent_below().is_none_or(below) || (self.spares_one() && count <= 1)
    }

    /// Reads the limit of a plan. Those of before there was a default have null for none.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub(crate) fn of_plan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(Self(Limit::None)))
    }
}

impl<const DEFAULT_PERCENT: u64> FromStr for PercentBelow<DEFAULT_PERCENT> {
    type Err = PercentBelowError;

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
        limit.map(Self).ok_or_else(|| PercentBelowError { text: text.to_owned() })
    }
}

impl<const DEFAULT_PERCENT: u64> fmt::Display for PercentBelow<DEFAULT_PERCENT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Limit::Default => f.write_str(DEFAULT),
            Limit::Below(percent) => write!(f, "{percent}"),
            Limit::None => f.write_str(NO_LIMIT),
        }
    }
}

impl<const DEFAULT_PERCENT: u64> Serialize for PercentBelow<DEFAULT_PERCENT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const DEFAULT_PERCENT: u64> Deserialize<'de> for PercentBelow<DEFAULT_PERCENT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, DESCRIPTION)
    }
}

impl<const DEFAULT_PERCENT: u64> schemars::JsonSchema for PercentBelow<DEFAULT_PERCENT> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PercentBelow{DEFAULT_PERCENT}").into()
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
        let check = |written: &str, expected: Result<&str, &str>| {
            let read = serde_json::from_str::<QuarantineLimit>(written);
            match (read, expected) {
                (Ok(limit), Ok(printed)) => {
                    assert_eq!(limit.to_string(), printed, "{written}");
                    let again = serde_json::to_string(&limit).expect("json");
                    assert_eq!(serde_json::from_str::<QuarantineLimit>(&again).expect(&again), limit);
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{written}: {error}"),
                (read, _) => panic!("{written}: {read:?}"),
            }
        };
        check("5", Ok("5"));
        check("0.5", Ok("0.5"));
        check("\"100\"", Ok("100"));
        check("\"none\"", Ok("none"));
        check("\"default\"", Ok("default"));
        for refused in ["0", "-1", "100.1", "\"\"", "\"None\"", "\"10%\""] {
            check(refused, Err("above 0 and at most 100"));
        }
        for refused in ["null", "true", "[]", "{}"] {
            check(refused, Err("`none` for no limit"));
        }
    }

    #[test]
    fn a_share_is_within_a_limit_when_it_is_below() {
        let check = |limit: &str, quarantined: u64, rows: u64, expected: bool| {
            let limit: QuarantineLimit = limit.parse().expect(limit);
            assert_eq!(limit.allows(quarantined, rows), expected, "{limit}: {quarantined} of {rows}");
        };
        check("default", 0, 0, true);
        check("default", 9, 100, true);
        check("default", 10, 100, false);
        check("default", 1, 1, true);
        check("default", 2, 2, false);
        check("10", 1, 10, false);
        check("0.5", 1, 200, false);
        check("0.5", 1, 201, true);
        check("100", 1, 1, false);
        check("none", 7, 7, true);
    }

    #[test]
    fn a_spec_without_a_limit_has_the_default_and_an_old_plan_without_one_has_none() {
        #[derive(Deserialize)]
        struct Planned {
            #[serde(deserialize_with = "QuarantineLimit::of_plan")]
            limit: QuarantineLimit,
        }
        let planned = |text: &str| serde_json::from_str::<Planned>(text).expect(text).limit.to_string();
        assert_eq!(QuarantineLimit::default().to_string(), "default");
        assert_eq!(planned(r#"{"limit":null}"#), "none");
        assert_eq!(planned(r#"{"limit":"35.5"}"#), "35.5");
    }

    #[test]
    fn the_default_of_keys_is_half_of_them_and_spares_one() {
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
