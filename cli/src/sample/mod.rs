//! `sluice sample`: daily retail files that look like the UCI "Online Retail" data set, including its flaws.
//!
//! A file depends only on the seed, its date, the rows per day and the share of dirt, never on the other days of the
//! call, so that days can be added later. Invoice numbers come from the date: see [`InvoiceNumbers`].

mod catalogue;
mod day;
mod dirt;
mod fields;
mod files;
mod invoice_numbers;
mod random;
mod text;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::str::FromStr;

use jiff::civil::Date;
use serde::Serialize;

pub use files::{FileState, SampleFile, SampleReport, write_samples};
pub use invoice_numbers::InvoiceNumbers;

/// Most days of one call: the invoice numbers of this many days of ordinary size fit into six digits.
pub const MAX_DAYS: u32 = 2_000;
/// Most rows of one day.
pub const MAX_ROWS_PER_DAY: u64 = 1_000_000_000;

/// What to make.
#[derive(Debug, Clone)]
pub struct SampleOrder {
    /// Folder of the files; created if it does not exist.
    pub folder: PathBuf,
    /// Date of the first file.
    pub start: Date,
    /// Number of files, one per day: 1 to [`MAX_DAYS`].
    pub days: u32,
    /// Data lines per file: 1 to [`MAX_ROWS_PER_DAY`].
    pub rows_per_day: u64,
    /// Seed; the same order with the same seed gives the same bytes.
    pub seed: u64,
    /// Share of the lines that break an error rule.
    pub dirt: Share,
    /// Replaces files that have other content.
    pub force: bool,
}

/// A share from 0 to 1, kept in millionths so that counts derived from it are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    millionths: u32,
}

/// Why a text is not a [`Share`].
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not a share: write a number from 0 to 1 with at most 6 decimals, such as 0.01")]
pub struct ShareError {
    text: String,
}

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// This share of `rows`, rounded half up.
    pub fn of(self, rows: u64) -> u64 {
        let whole = u128::from(Self::WHOLE);
        let part = (u128::from(rows) * u128::from(self.millionths) + whole / 2) / whole;
        // A share is at most 1, so the part never exceeds `rows`.
        u64::try_from(part).unwrap_or(rows)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let refused = || ShareError { text: text.to_owned() };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 6 || whole.len() > 3 {
            return Err(refused());
        }
        let whole: u32 = whole.parse().map_err(|_| refused())?;
        let decimals: u32 = format!("{decimals:0<6}").parse().map_err(|_| refused())?;
        let millionths = whole * Self::WHOLE + decimals;
        if millionths > Self::WHOLE { Err(refused()) } else { Ok(Self { millionths }) }
    }
}
