//! Commands and options of `sluice share`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sluice_core::name::RecipientName;
use url::Url;

use super::LakeOption;

/// Longest life of a token, in days.
pub const MAX_TOKEN_DAYS: i64 = 400;

/// Give others a token to read data products with.
#[derive(Debug, Subcommand)]
pub enum ShareCommand {
    /// Make a token for a recipient and write it into a profile file, which clients of Delta Sharing take
    ///
    /// The token is in the file and nowhere else: the lake keeps its hash. A recipient may have several, so that one can be
    /// replaced before it expires. What they may read is in the policies of the data products, as recipient:NAME.
    #[command(after_help = "Examples:
  sluice share create --lake lake --recipient acme
  sluice share create --lake lake --recipient acme --expires 30d --out acme.share
  sluice share create --lake s3://my-lake --recipient acme --expires 2027-06-30 --endpoint https://data.example.org")]
    Create {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Who gets it, as policies name them after recipient:
        #[arg(long, value_name = "NAME")]
        recipient: RecipientName,
        /// When it becomes void: after so many days, or with the begin of a day (UTC); at most 400 days
        #[arg(long, default_value = "90d", value_name = "DAYSd OR YYYY-MM-DD")]
        expires: Lifetime,
        /// Address that the recipient reaches the API at
        #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
        endpoint: Url,
        /// The profile file; RECIPIENT.share when left out. An existing file is never replaced
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List recipients and their tokens; never a token itself
    #[command(after_help = "Example:\n  sluice share list --lake lake")]
    List {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
    },
    /// Revoke a recipient's tokens. Servers that are running refuse them within 5 seconds
    #[command(after_help = "Examples:
  sluice share revoke acme --lake lake
  sluice share revoke acme --token 1f2e3d4c5b6a --lake lake")]
    Revoke {
        /// Whose
        #[arg(value_name = "RECIPIENT")]
        recipient: RecipientName,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Only the token of this id
        #[arg(long, value_name = "ID")]
        token: Option<String>,
    },
}

/// How long a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So many days from now.
    Days(i64),
    /// Until this day begins.
    Until(Date),
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| *days > 0);
        match (days, text.parse()) {
            (Some(days), _) => Ok(Self::Days(days)),
            (None, Ok(date)) => Ok(Self::Until(date)),
            (None, Err(_)) => Err("write days, such as 90d, or a date, such as 2027-06-30".to_owned()),
        }
    }
}

impl Lifetime {
    /// The instant from which the token is void.
    ///
    /// # Errors
    /// For one that has passed or is more than 400 days away.
    pub fn ends_at(self, now: Timestamp) -> Result<Timestamp, String> {
        let after = |days: i64| days.checked_mul(24).and_then(|h| now.checked_add(SignedDuration::from_hours(h)).ok());
        let ends_at = match self {
            Self::Days(days) => after(days),
            Self::Until(date) => date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        };
        match (ends_at, after(MAX_TOKEN_DAYS)) {
            (Some(at), _) if at <= now => Err("the token would have expired already: choose a later day".to_owned()),
            (Some(at), Some(last)) if at <= last => Ok(at),
            _ => Err(format!("a token is good for at most {MAX_TOKEN_DAYS} days: make another one then")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_end_as_asked_for() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().expect("time");
        let check = |text: &str, expected: Option<&str>| {
            let ends_at = text.parse::<Lifetime>().and_then(|lifetime| lifetime.ends_at(now));
            assert_eq!(ends_at.ok().map(|at| at.to_string()).as_deref(), expected, "{text}");
        };
        check("90d", Some("2027-02-24T12:00:00Z"));
        check("400d", Some("2027-12-31T12:00:00Z"));
        check("401d", None);
        check("99999999999999d", None);
        check("0d", None);
        check("-1d", None);
        check("2026-11-27", Some("2026-11-27T00:00:00Z"));
        check("2026-11-26", None);
        check("2028-01-01", None);
        check("90", None);
        check("", None);
    }
}
