//! What people were alerted of about one pipeline, and what is due now.
//!
//! The book is a document of the lake. Every end of a run is recorded in it, which opens, counts and closes alerts;
//! then what each channel should have received is compared with what it has. So a repeated end sends nothing twice, a
//! channel that failed gets its message at the next end, and what quiet hours withheld is sent after them if it is
//! still so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::facts::RunEnd;
use super::{Alert, AlertChannel, AlertChannels, AlertSeverity, AlertState, AlertsSpec};
use crate::name::{ChannelName, RunId};
use crate::run::{Outcome, Report};

/// How long after a message people are reminded, by the next run that finds the same fact.
pub const REMIND_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What people were alerted of about one pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlertBook {
    /// What the newest plan says of alerts, for runs that fail before they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    routes: Option<AlertsSpec>,
    /// The newest end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<EndMark>,
    /// Alerts that are open, or whose end some channel has not received.
    #[serde(default)]
    alerts: Vec<Entry>,
}

/// One end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EndMark {
    run_id: RunId,
    attempt: u32,
    outcome: Outcome,
    ended_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    alert: Alert,
    /// Channels that received it while it was open, and when.
    #[serde(default)]
    sent: BTreeMap<ChannelName, Timestamp>,
}

/// What recording an end came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The newest end so far.
    News,
    /// The same end once more: what was not sent before is due.
    Repeated,
    /// An end before the newest one: it changes nothing.
    Late,
}

/// A message that a channel should receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The channel.
    pub channel: &'a AlertChannel,
    /// The alert.
    pub alert: Alert,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due<'a> {
    /// Messages to send, in this order.
    pub messages: Vec<Message<'a>>,
    /// Messages that quiet hours withhold.
    pub withheld: usize,
    /// Channels that the spec names and the environment does not have.
    pub unknown: BTreeSet<ChannelName>,
}

impl AlertBook {
    /// What the newest known spec says of alerts.
    pub fn routes(&self) -> Option<&AlertsSpec> {
        self.routes.as_ref()
    }

    /// Keeps what the plan of a run says of alerts.
    pub fn set_routes(&mut self, routes: Option<AlertsSpec>) {
        self.routes = routes;
    }

    /// The alerts in it.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().map(|entry| &entry.alert)
    }

    /// Records an end: opens what is new, counts what is found again, and closes what is over.
    pub fn record(&mut self, end: &RunEnd<'_>) -> Found {
        let mark = EndMark::of(end.report);
        match &self.newest {
            Some(newest) if *newest == mark => return Found::Repeated,
            Some(newest) if newest.ended_at > mark.ended_at => return Found::Late,
            _ => self.newest = Some(mark),
        }
        // What an earlier run published is old news now.
        let run_id = &end.report.run_id;
        self.alerts.retain(|entry| entry.alert.severity != AlertSeverity::Info || entry.alert.run_id == *run_id);
        let found = end.alerts();
        for Entry { alert, .. } in &mut self.alerts {
            let is_open = alert.state == AlertState::Firing;
            if is_open && end.ends(alert.fact) && found.iter().all(|again| again.key != alert.key) {
                end.close(alert);
            }
        }
        for alert in found {
            match self.alerts.iter_mut().find(|entry| entry.alert.key == alert.key) {
                Some(entry) => {
                    // A run may end more than once: it is redriven, or its end could not be reported at first.
                    let is_another = entry.alert.run_id != alert.run_id;
                    let count = entry.alert.count.saturating_add(u64::from(is_another));
                    let since = entry.alert.since;
                    entry.alert = Alert { since, count, ..alert };
                }
                None => self.alerts.push(Entry { alert, sent: BTreeMap::new() }),
            }
        }
        Found::News
    }

    /// What the channels should receive now. `is_quiet` says whether this instant is in the quiet hours of the routes.
    pub fn due<'a>(&self, channels: &'a AlertChannels, now: Timestamp, is_quiet: bool) -> Due<'a> {
        let mut due = Due::default();
        if let Some(routes) = &self.routes {
            let named = routes.named().into_iter().map(|(_, name)| name);
            due.unknown = named.filter(|name| channels.get(name).is_none()).cloned().collect();
        }
        for entry in &self.alerts {
            for channel in channels.iter().filter(|channel| self.owes(entry, channel, now)) {
                // People who are asleep are woken by what stops the data, and want to know when it is over.
                if is_quiet && entry.alert.severity < AlertSeverity::Error {
                    due.withheld += 1;
                } else {
                    due.messages.push(Message { channel, alert: entry.alert.clone() });
                }
            }
        }
        due
    }

    /// Whether a channel lacks the message about an alert as it is now.
    fn owes(&self, entry: &Entry, channel: &AlertChannel, now: Timestamp) -> bool {
        let sent = entry.sent.get(&channel.name);
        match entry.alert.state {
            AlertState::Resolved => sent.is_some(),
            AlertState::Firing => match sent {
                None => self.is_for(&entry.alert, channel),
                Some(_) if entry.alert.severity == AlertSeverity::Info => false,
                Some(at) => self.is_for(&entry.alert, channel) && now.duration_since(*at) >= REMIND_AFTER,
            },
        }
    }

    /// Whether alerts like this go to the channel.
    fn is_for(&self, alert: &Alert, channel: &AlertChannel) -> bool {
        let is_info = alert.severity == AlertSeverity::Info;
        if is_info && channel.target.opens_incidents() {
            return false;
        }
        match &self.routes {
            Some(routes) => routes.channels(alert.severity).contains(&channel.name),
            None => channel.is_default && !is_info,
        }
    }

    /// Notes that a channel has received this alert. One that the book lacks, because another end has written it
    /// meanwhile, is added: whoever got the beginning gets the end.
    pub fn sent(&mut self, channel: &ChannelName, alert: &Alert, now: Timestamp) {
        let Some(entry) = self.alerts.iter_mut().find(|entry| entry.alert.key == alert.key) else {
            if alert.state == AlertState::Firing && alert.severity != AlertSeverity::Info {
                let sent = BTreeMap::from([(channel.clone(), now)]);
                self.alerts.push(Entry { alert: alert.clone(), sent });
            }
            return;
        };
        match alert.state {
            AlertState::Firing => {
                entry.sent.insert(channel.clone(), now);
            }
            AlertState::Resolved => {
                entry.sent.remove(channel);
            }
        }
    }

    /// Takes out what is over and was received by all that had received its beginning. Channels that the environment
    /// has no more cannot receive it.
    pub fn tidy(&mut self, channels: &AlertChannels) {
        for entry in &mut self.alerts {
            entry.sent.retain(|name, _| channels.get(name).is_some());
        }
        self.alerts.retain(|entry| entry.alert.state == AlertState::Firing || !entry.sent.is_empty());
    }
}

impl EndMark {
    fn of(report: &Report) -> Self {
        let Report { run_id, attempt, outcome, ended_at, .. } = report;
        Self { run_id: run_id.clone(), attempt: *attempt, outcome: *outcome, ended_at: *ended_at }
    }
}
