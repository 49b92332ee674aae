//! Who is alerted: what a pipeline's spec says.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::AlertSeverity;
use crate::contract::is_zone;
use crate::name::ChannelName;
use crate::text::serde_as_text;

/// Longest name of an owner, in characters.
const MAX_OWNER_CHARS: usize = 100;

/// Which channels get the alerts of a pipeline. What the channels are is in the environment (`SLUICE_ALERT_CHANNELS`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsSpec {
    /// Who looks after the data: a team or a role. Messages name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Channels of what stops the data: failed and rejected runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error: Vec<ChannelName>,
    /// Channels of what somebody has to read about: held source objects, broken warning rules, gold tables that were
    /// not computed, and runs that somebody stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warning: Vec<ChannelName>,
    /// Channels of every published run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub info: Vec<ChannelName>,
    /// The hours of each day in which only errors are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

impl AlertsSpec {
    /// The channels of this severity.
    pub fn channels(&self, severity: AlertSeverity) -> &[ChannelName] {
        match severity {
            AlertSeverity::Error => &self.error,
            AlertSeverity::Warning => &self.warning,
            AlertSeverity::Info => &self.info,
        }
    }

    /// Every channel that it names, once, with the key that names it first.
    pub fn named(&self) -> Vec<(&'static str, &ChannelName)> {
        let mut seen = BTreeSet::new();
        let lists = [AlertSeverity::Error, AlertSeverity::Warning, AlertSeverity::Info];
        let all = lists
            .into_iter()
            .flat_map(|severity| self.channels(severity).iter().map(move |name| (severity.as_str(), name)));
        all.filter(|(_, name)| seen.insert(*name)).collect()
    }

    /// What is wrong with it, and the fix; `None` where nothing is.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.named().is_empty() {
            return Some("alerts names no channel: write `error: [name]`, or take alerts out".to_owned());
        }
        for severity in [AlertSeverity::Error, AlertSeverity::Warning, AlertSeverity::Info] {
            let (mut seen, list) = (BTreeSet::new(), severity.as_str());
            if let Some(twice) = self.channels(severity).iter().find(|name| !seen.insert(*name)) {
                return Some(format!("alerts.{list} names channel `{twice}` twice; take one out"));
            }
        }
        if let Some(owner) = &self.owner {
            let is_short = (1..=MAX_OWNER_CHARS).contains(&owner.chars().count());
            if !is_short || owner.trim() != owner || owner.chars().any(char::is_control) {
                return Some(format!(
                    "alerts.owner is not one line of 1 to {MAX_OWNER_CHARS} characters without spaces around it"
                ));
            }
        }
        let quiet = self.quiet_hours.as_ref()?;
        if quiet.from == quiet.to {
            return Some(format!(
                "alerts.quiet_hours begin and end at {}, which is no time at all; write two times, or take them out",
                quiet.from
            ));
        }
        if self.warning.is_empty() && self.info.is_empty() {
            return Some(
                "alerts.quiet_hours change nothing, because errors are sent at any hour and no channel gets warnings or \
                 infos; take them out, or name channels under `warning`"
                    .to_owned(),
            );
        }
        None
    }
}

/// Hours of each day, which may go past midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// First minute, such as `"20:00"`.
    pub from: ClockTime,
    /// First minute after them, such as `"07:00"`.
    pub to: ClockTime,
    /// IANA time zone of both, such as `Europe/Berlin`.
    pub time_zone: TimeZoneName,
}

impl QuietHours {
    /// Whether this minute of the day in the time zone is one of them; 0 is midnight.
    pub fn contains(&self, minute: u16) -> bool {
        let (from, to) = (self.from.minute, self.to.minute);
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }
}

/// A time of the day, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockTime {
    minute: u16,
}

/// Why a text is not a [`ClockTime`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not a time of the day: write hours and minutes from 00:00 to 23:59, such as \"07:30\"")]
pub struct ClockTimeError {
    /// The refused text, shortened to 80 characters.
    pub text: String,
}

impl FromStr for ClockTime {
    type Err = ClockTimeError;

    fn from_str(text: &str) -> Result<Self, ClockTimeError> {
        let digits = |part: &str| {
            let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { part.parse::<u16>().ok() } else { None }
        };
        let minute = text.split_once(':').and_then(|(hours, minutes)| {
            let (hours, minutes) = (digits(hours)?, digits(minutes)?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        });
        match minute {
            Some(minute) => Ok(Self { minute }),
            None => Err(ClockTimeError { text: text.chars().take(80).collect() }),
        }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

impl JsonSchema for ClockTime {
    fn schema_name() -> Cow<'static, str> {
        "ClockTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "description": "HH:MM" })
    }
}

/// Name of an IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a [`TimeZoneName`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not an IANA time zone, such as Europe/Berlin")]
pub struct TimeZoneError {
    /// The refused text, shortened to 80 characters.
    pub text: String,
}

impl FromStr for TimeZoneName {
    type Err = TimeZoneError;

    fn from_str(text: &str) -> Result<Self, TimeZoneError> {
        if is_zone(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TimeZoneError { text: text.chars().take(80).collect() })
        }
    }
}

impl fmt::Display for TimeZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for TimeZoneName {
    fn schema_name() -> Cow<'static, str> {
        "TimeZoneName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "IANA time zone, such as Europe/Berlin" })
    }
}

serde_as_text!(ClockTime, TimeZoneName);
