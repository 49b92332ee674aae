//! Exact decimal numbers of the contract language: bounds, steps and observed values.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::text_or_number;

/// An exact decimal: up to 38 significant digits, at most 18 of them after the point.
///
/// Parsing accepts plain (`-12.50`) and exponent (`1e3`) notation; printing gives the shortest plain form.
/// `parse(print(x)) == x` for every value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecimalNumber {
    /// Value times 10^18.
    scaled: i128,
}

/// What belongs into a document.
const DESCRIPTION: &str = "exact decimal number";
/// Digits after the point that a [`DecimalNumber`] keeps.
const SCALE: u32 = 18;

/// Why a text is no [`DecimalNumber`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is no decimal number with at most 20 digits before and 18 after the point")]
pub struct DecimalError {
    /// The refused text.
    pub text: String,
}

impl DecimalNumber {
    /// Zero.
    pub const ZERO: Self = Self { scaled: 0 };

    /// The ratio `100 * part / whole`, cut to 18 digits after the point; 0 when `whole` is 0.
    pub fn percent(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ZERO;
        }
        let one = 10_i128.pow(SCALE);
        // part <= 2^64 and 100 * 10^18 < 2^67: the product overflows i128 only above 2^60 rows.
        let numerator = i128::from(part).saturating_mul(100).saturating_mul(one);
        Self { scaled: numerator / i128::from(whole) }
    }

    /// Whether the number is zero.
    pub fn is_zero(self) -> bool {
        self.scaled == 0
    }

    /// Whether the number is above zero.
    pub fn is_positive(self) -> bool {
        self.scaled > 0
    }
}

impl From<u64> for DecimalNumber {
    fn from(value: u64) -> Self {
        Self { scaled: i128::from(value).saturating_mul(10_i128.pow(SCALE)) }
    }
}

impl From<i64> for DecimalNumber {
    fn from(value: i64) -> Self {
        Self { scaled: i128::from(value).saturating_mul(10_i128.pow(SCALE)) }
    }
}

impl PartialOrd for DecimalNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DecimalNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scaled.cmp(&other.scaled)
    }
}

impl FromStr for DecimalNumber {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_scaled(text).map(|scaled| Self { scaled }).ok_or_else(|| DecimalError { text: text.to_owned() })
    }
}

/// The text as a multiple of 10^-18, or `None` where it is no number or does not fit.
fn parse_scaled(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    if value == 0 {
        return Some(0);
    }
    let shift = i32::try_from(SCALE).ok()?.checked_add(exponent)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if shift >= 0 {
        value = value.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?;
    } else {
        let divisor = 10_i128.checked_pow(shift.unsigned_abs())?;
        if value % divisor != 0 {
            return None;
        }
        value /= divisor;
    }
    Some(if negative { -value } else { value })
}

impl fmt::Display for DecimalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u128.pow(SCALE);
        let magnitude = self.scaled.unsigned_abs();
        let sign = if self.scaled < 0 { "-" } else { "" };
        let (whole, fraction) = (magnitude / one, magnitude % one);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:018}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Serialize for DecimalNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DecimalNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, DESCRIPTION)
    }
}

impl schemars::JsonSchema for DecimalNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DecimalNumber".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["number", "string"], "description": DESCRIPTION })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_print_in_their_shortest_form() {
        let check = |text: &str, printed: &str| {
            assert_eq!(text.parse::<DecimalNumber>().map(|n| n.to_string()), Ok(printed.to_owned()), "{text}");
        };
        check("0", "0");
        check("-0.0", "0");
        check("12.500", "12.5");
        check("+7", "7");
        check("1e3", "1000");
        check("2.5E-1", "0.25");
        check(".5", "0.5");
        check("-0.001", "-0.001");
    }

    #[test]
    fn texts_that_are_not_numbers_are_refused() {
        for text in ["", ".", "-", "1,000", "abc", "1.2.3", "1e", "1e99", "0.0000000000000000001", "١"] {
            assert!(text.parse::<DecimalNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn percent_of_nothing_is_zero() {
        assert_eq!(DecimalNumber::percent(1, 0), DecimalNumber::ZERO);
        assert_eq!(DecimalNumber::percent(1, 8).to_string(), "12.5");
    }
}
