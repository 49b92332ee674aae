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

/// Longest lifetime of a token, in days.
pub const MAX_TOKEN_DAYS: i64 = 400;

/// Creates, lists and revokes the tokens that others read data products with.
#[derive(Debug, Subcommand)]
pub enum ShareCommand {
    /// Create a token for a recipient and write it to a profile file for Delta Sharing clients
    ///
    /// Only the file contains the token: the lake stores a hash of it. A recipient may have several tokens, so that one can be
    /// replaced before it expires. The policies of the data products decide what recipient:NAME may read.
    #[command(after_help = "Examples:
  sluice share create --lake lake --recipient acme
  sluice share create --lake lake --recipient acme --expires 30d --out acme.share
  sluice share create --lake s3://my-lake --recipient acme --expires 2027-06-30 --endpoint https://data.example.org")]
    Create {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Recipient of the token: the NAME in recipient:NAME of the policies
        #[arg(long, value_name = "NAME")]
        recipient: RecipientName,
        /// When the token expires: after a number of days, or at the start of a day (UTC); at most 400 days
        #[arg(long, default_value = "90d", value_name = "DAYSd OR YYYY-MM-DD")]
        expires: Lifetime,
        /// Address at which the recipient reaches the API
        #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
        endpoint: Url,
        /// Profile file to write; RECIPIENT.share by default. An existing file is never replaced
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List recipients and the ids and states of their tokens; never shows a token itself
    #[command(after_help = "Example:\n  sluice share list --lake lake")]
    List {
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
    },
    /// Revoke a recipient's tokens. Running APIs refuse them within 5 seconds
    #[command(after_help = "Examples:
  sluice share revoke acme --lake lake
  sluice share revoke acme --token 1f2e3d4c5b6a --lake lake")]
    Revoke {
        /// Recipient whose tokens to revoke
        #[arg(value_name = "RECIPIENT")]
        recipient: RecipientName,
        /// The lake.
        #[command(flatten)]
        lake: LakeOption,
        /// Revoke only the token with this id
        #[arg(long, value_name = "ID")]
        token: Option<String>,
    },
}

/// How long a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// This number of days from now.
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
    /// The instant at which the token expires.
    ///
    /// # Errors
    /// When that instant is in the past or more than 400 days away.
    pub fn ends_at(self, now: Timestamp) -> Result<Timestamp, String> {
        let after = |days: i64| days.checked_mul(24).and_then(|h| now.checked_add(SignedDuration::from_hours(h)).ok());
        let ends_at = match self {
            Self::Days(days) => after(days),
            Self::Until(date) => date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        };
        match (ends_at, after(MAX_TOKEN_DAYS)) {
            (Some(at), _) if at <= now => Err("the token would already have expired: choose a later day".to_owned()),
            (Some(at), Some(last)) if at <= last => Ok(at),
            _ => Err(format!(
                "a token is valid for at most {MAX_TOKEN_DAYS} days: choose an earlier day, and create another token before it expires"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_expires_on_the_day_given_or_after_the_days_given() {
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
