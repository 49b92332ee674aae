//! Arguments of `sluice watch`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::LakeOption;
use crate::place::Place;

/// Run pipelines whenever files arrive in their landing folders
///
/// Lists the folders again and again, and runs a pipeline when something in its folder has changed, one run at a time. The first
/// run of each is at once. A run that fails does not end the watching: it is repeated after longer and longer waits, up to five
/// minutes. Ctrl-C waits for the run that works; a second Ctrl-C breaks it off, and the next run completes what it began.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice watch pipelines/retail --lake lake --landing landing
  sluice watch pipelines/orders pipelines/shops --lake s3://my-lake --every 1m
  sluice watch pipelines/retail --lake lake --for 8h --json

Ends with code 0 when it is stopped between two runs, and with 130 when a run was broken off. With --for or --runs, ends
as the last run did that did not end well. A folder of more than 100,000 files is not watched: deploy the pipeline, whose
runs are then started by the events of the store.")]
pub struct WatchArguments {
    /// Folders with pipeline.yaml and its contracts
    #[arg(value_name = "PIPELINE FOLDER", required = true)]
    pub folders: Vec<PathBuf>,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Read new files from this folder or s3:// address instead of the landing prefix in the lake, for a single pipeline
    #[arg(long, value_name = "FOLDER OR URL")]
    pub landing: Option<Place>,
    /// Time between two looks into the folders, at least 100ms
    #[arg(long, default_value = "5s", value_name = "TIME")]
    pub every: Span,
    /// Stop after this time
    #[arg(long = "for", value_name = "TIME")]
    pub stop_after: Option<Span>,
    /// Stop after this number of runs
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: Option<u32>,
}

/// A length of time, such as `500ms`, `5s`, `2m`, `8h` or `1d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(Duration);

impl Span {
    /// The length.
    pub fn duration(self) -> Duration {
        self.0
    }
}

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// No number with a unit.
    #[error("write a whole number and a unit: 500ms, 5s, 2m, 8h or 1d")]
    Form,
    /// Too short or too long.
    #[error("the time is from 100ms to 365d")]
    Range,
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or(SpanError::Form)?;
        let number: u64 = number.parse().map_err(|_| SpanError::Form)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(SpanError::Form),
        };
        let millis = number.checked_mul(millis).ok_or(SpanError::Range)?;
        let span = Duration::from_millis(millis);
        if span < Duration::from_millis(100) || span > Duration::from_secs(365 * 86_400) {
            return Err(SpanError::Range);
        }
        Ok(Self(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_bounds() {
        let check = |text: &str, expected: Result<u64, SpanError>| {
            let millis = |span: Span| u64::try_from(span.duration().as_millis()).unwrap();
            assert_eq!(text.parse::<Span>().map(millis), expected, "{text}");
        };
        check("500ms", Ok(500));
        check("5s", Ok(5_000));
        check("2m", Ok(120_000));
        check("8h", Ok(28_800_000));
        check("365d", Ok(31_536_000_000));
        check("366d", Err(SpanError::Range));
        check("99ms", Err(SpanError::Range));
        check("99999999999999999999d", Err(SpanError::Form));
        check("9999999999999999999d", Err(SpanError::Range));
        for text in ["", "5", "s", "-5s", "5 s", "1.5s", "5S", "5µs"] {
            check(text, Err(SpanError::Form));
        }
    }
}
