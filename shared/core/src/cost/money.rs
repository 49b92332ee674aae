//! Amounts of money that add up.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits after the point: picodollars. A request to S3 costs some hundred thousand of them.
const DIGITS: usize = 12;
/// Picodollars of one dollar.
const ONE: u128 = 1_000_000_000_000;
/// Most digits before the point.
const MAX_WHOLE_DIGITS: usize = 12;

/// An amount of money, never below 0, in whole picodollars (of whatever currency the prices have).
///
/// Read from and printed as a plain decimal: `0.0000133334`. `parse(print(x)) == x` for every value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u128);

/// Why a text is not an amount of money.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not an amount such as 0.0000133334: at most 12 digits before and 12 after the point, no sign")]
pub struct MoneyError {
    /// The refused text.
    pub text: String,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many picodollars.
    pub const fn of_pico(pico: u128) -> Self {
        Self(pico)
    }

    /// The amount in picodollars.
    pub const fn pico(self) -> u128 {
        self.0
    }

    /// This price for `amount` of the units of which `units` make one priced unit, rounded to the nearest picodollar. Free for
    /// 0 `units`.
    pub(crate) fn times(self, amount: u128, units: u128) -> Self {
        let product = self.0.saturating_mul(amount);
        Self(product.saturating_add(units / 2).checked_div(units).unwrap_or_default())
    }

    /// The difference, 0 where the other is more.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount with six digits after the point, for people; what is less is shown as `<0.000001`.
    pub fn rounded(self) -> String {
        /// Picodollars of the last digit that is shown.
        const SHOWN: u128 = 1_000_000;
        if self.0 > 0 && self.0 < SHOWN / 2 {
            return "<0.000001".to_owned();
        }
        let micro = self.0.saturating_add(SHOWN / 2) / SHOWN;
        format!("{}.{:06}", micro / SHOWN, micro % SHOWN)
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / ONE, self.0 % ONE);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{part:0DIGITS$}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let refused = || MoneyError { text: text.to_owned() };
        let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
        let is_number = |digits: &str, most: usize| {
            !digits.is_empty() && digits.len() <= most && digits.bytes().all(|digit| digit.is_ascii_digit())
        };
        if !is_number(whole, MAX_WHOLE_DIGITS) || part.is_some_and(|part| !is_number(part, DIGITS)) {
            return Err(refused());
        }
        let padded = format!("{:0<DIGITS$}", part.unwrap_or_default());
        let whole: u128 = whole.parse().map_err(|_| refused())?;
        let part: u128 = padded.parse().map_err(|_| refused())?;
        Ok(Self(whole.saturating_mul(ONE).saturating_add(part)))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
