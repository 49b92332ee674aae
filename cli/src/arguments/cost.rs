//! Arguments of `sluice cost`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sluice_core::name::RunId;

use super::{LakeOption, PipelineOption};

/// Show what runs cost, what could be saved, and what the gate stopped
///
/// Made of the reports of the runs: what their functions have used, at the prices of a dated file. What was measured, what is
/// estimated and what is not known are three things, and each is named. Runs on this machine cost nothing on AWS: for these,
/// it is shown what their calls would have cost on Lambda.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice cost --lake lake
  sluice cost --lake s3://my-lake --month 2026-12 --pipeline retail
  sluice cost --lake s3://my-lake --run 20260105T090000Z-a1b2c3      # every line with its arithmetic
  sluice cost --lake s3://my-lake --csv > cost.csv                    # to compare with the Cost and Usage Report")]
pub struct CostArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: PipelineOption,
    /// Only runs that ended in this month (UTC)
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<Month>,
    /// Only this run, with every line of its receipt
    #[arg(long, value_name = "RUN ID")]
    pub run: Option<RunId>,
    /// Print every line of every receipt as CSV, in columns of the Cost and Usage Report
    #[arg(long)]
    pub csv: bool,
    /// Prices to count with, as the files in prices/ of Sluice's repository; those of the region of each run by default
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Count who read each product in this file of `sluice serve --audit`
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
}

/// A month of UTC, such as 2026-12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    month: i8,
}

/// Why a text is not a month.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not a month such as 2026-12")]
pub struct MonthError {
    /// The refused text.
    pub text: String,
}

impl Month {
    /// The month of an instant.
    pub fn of(at: Timestamp) -> Self {
        let date = at.to_zoned(TimeZone::UTC).date();
        Self { year: date.year(), month: date.month() }
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let refused = || MonthError { text: text.to_owned() };
        let date: Date = format!("{text}-01").parse().map_err(|_| refused())?;
        let month = Self { year: date.year(), month: date.month() };
        // Other forms of dates, such as 202612, are not what is written here.
        if month.to_string() == text { Ok(month) } else { Err(refused()) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_as_it_is_printed() {
        let check = |text: &str, is_month: bool| {
            let month = text.parse::<Month>();
            assert_eq!(month.as_ref().ok().map(ToString::to_string).as_deref(), is_month.then_some(text), "{text}");
        };
        check("2026-12", true);
        check("0999-01", true);
        for refused in ["2026-13", "2026-00", "2026", "2026-1", "2026-12-01", "12-2026", "202612", ""] {
            check(refused, false);
        }
        let last: Timestamp = "2026-11-30T23:59:59.9Z".parse().unwrap();
        assert_eq!(Month::of(last).to_string(), "2026-11");
    }
}
