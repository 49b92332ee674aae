//! What people are alerted of: the facts of a run's end, one alert each, and which channels get them.
//!
//! Everything here decides and nothing sends: `functions/notify` renders an [`Alert`] for each kind of channel and
//! keeps the [`AlertBook`] of a pipeline in the lake. No alert has the value of a cell: it has names of tables, rules
//! and objects, counts, and messages of errors only where these name objects alone.

mod book;
mod channel;
mod facts;
mod routes;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::book::{AlertBook, Due, Found, Message, REMIND_AFTER};
pub use self::channel::{
    AlertChannel, AlertChannels, AlertTarget, ChannelAddress, ChannelAddressError, ChannelPlace, ChannelsError,
    SecretRef, SecretRefError,
};
pub use self::facts::RunEnd;
pub use self::routes::{AlertsSpec, ClockTime, ClockTimeError, QuietHours, TimeZoneError, TimeZoneName};
use crate::name::{PipelineName, RunId};

/// How urgent an alert is. Ordered: the last is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// Nothing has to be done.
    Info,
    /// The tables are as they should be, and somebody has to read about the data.
    Warning,
    /// The tables are not updated until somebody does something.
    Error,
}

impl AlertSeverity {
    /// As specs and messages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Whether what an alert says is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It is.
    Firing,
    /// A later run ended it.
    Resolved,
}

impl AlertState {
    /// As messages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertFact {
    /// A run failed.
    Failed,
    /// The gate rejected a run.
    Rejected,
    /// A run was published without some of its source objects.
    Held,
    /// A run was published, and its data broke warning rules.
    Warnings,
    /// A run was published without some of its gold tables.
    Waiting,
    /// A run was published.
    Published,
    /// Somebody tries a channel.
    Test,
}

impl AlertFact {
    /// As keys and messages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Warnings => "warnings",
            Self::Waiting => "waiting",
            Self::Published => "published",
            Self::Test => "test",
        }
    }
}

/// A number or name of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertNumber {
    /// What it is, such as `Rows quarantined`.
    pub label: String,
    /// The number.
    pub value: String,
}

/// One fact that people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for the same fact of the same pipeline in the same lake; at most 170 characters of `a-z A-Z 0-9 : . _
    /// -`.
    pub key: String,
    /// What it is about.
    pub fact: AlertFact,
    /// Whether it is still so.
    pub state: AlertState,
    /// How urgent it is.
    pub severity: AlertSeverity,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Who looks after the pipeline, as its spec says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// One line, at most 120 characters.
    pub title: String,
    /// What a failed step says, at most 600 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Numbers of the run, at most 8.
    pub numbers: Vec<AlertNumber>,
    /// The first broken rule, as `<table>: <rule>`, with what was expected where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_broken_rule: Option<String>,
    /// What a person does next.
    pub next_step: String,
    /// Where the report of the run is as a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The command that opens the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The run.
    pub run_id: RunId,
    /// When the run ended.
    pub ended_at: Timestamp,
    /// When the fact was first found.
    pub since: Timestamp,
    /// How many runs in a row found it.
    pub count: u64,
}

impl Alert {
    /// Names one message about this alert: the same for a repeated attempt to send it, and another for the next one.
    pub fn message_id(&self) -> String {
        let text = format!("{}\n{}\n{}\n{}", self.key, self.run_id, self.ended_at, self.state.as_str());
        let digits: String = blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect();
        format!("msg_{digits}")
    }

    /// One word for people: `error`, `warning`, `info` or `resolved`.
    pub fn label(&self) -> &'static str {
        match self.state {
            AlertState::Firing => self.severity.as_str(),
            AlertState::Resolved => self.state.as_str(),
        }
    }

    /// The message that shows that a channel works.
    pub fn test(pipeline: PipelineName, run_id: RunId, now: Timestamp) -> Self {
        Self {
            key: format!("sluice:test:{run_id}"),
            fact: AlertFact::Test,
            state: AlertState::Firing,
            severity: AlertSeverity::Warning,
            pipeline,
            owner: None,
            title: "Sluice: test message".to_owned(),
            message: Some("Somebody tried this channel with `sluice alerts test`.".to_owned()),
            numbers: vec![AlertNumber { label: "Rows quarantined".to_owned(), value: "0".to_owned() }],
            first_broken_rule: None,
            next_step: "nothing: this is a test".to_owned(),
            link: None,
            command: None,
            run_id,
            ended_at: now,
            since: now,
            count: 1,
        }
    }

    /// The alert with another state, as a test of a channel that opens incidents ends the one that it opened.
    #[must_use]
    pub fn resolved(self) -> Self {
        Self { state: AlertState::Resolved, ..self }
    }
}

#[cfg(test)]
mod tests;
