//! Alerts: what the ends of runs mean for people, sent to the channels of the environment.
//!
//! [`sluice_core::alert`] decides what is due; this module keeps the pipeline's book in the lake, renders each message
//! as its channel's API wants it and sends it. Only addresses of the environment are asked, and redirects are not
//! followed.

mod quiet;
pub mod render;
mod send;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use reqwest::Client;
use sluice_core::alert::{
    Alert, AlertBook, AlertChannel, AlertChannels, AlertTarget, AlertsSpec, ChannelAddress, ChannelPlace, Due, Found,
    Message, RunEnd, SecretRef,
};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::ChannelName;
use sluice_core::uri::layout;
use sluice_documents::DocumentStore;
use tokio::time::{Instant, timeout_at};

use self::render::Letter;
pub use self::send::Answer;
use crate::announce::Announcement;

/// Longest time for all messages of one channel. Channels are served at the same time, and at the same time as SNS and
/// EventBridge, which take 50 s at worst: notify has 60 s.
const CHANNEL_BUDGET: Duration = Duration::from_secs(25);

/// Where secrets are kept.
pub trait Secrets: Send + Sync {
    /// The text of a secret, without line ends after it.
    fn text<'a>(&'a self, reference: &'a SecretRef) -> BoxFuture<'a, Result<String, StepError>>;
}

/// How e-mails are sent.
pub trait Mail: Send + Sync {
    /// Publishes to the topic with this ARN.
    fn send<'a>(&'a self, topic: &'a str, letter: &'a Letter) -> BoxFuture<'a, Result<(), StepError>>;
}

/// What the plan of a run says of alerts; `None` inside where its spec says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes(pub Option<AlertsSpec>);

/// The channels of the environment, and what is needed to send.
pub struct Alerts {
    channels: AlertChannels,
    secrets: Box<dyn Secrets>,
    mail: Option<Box<dyn Mail>>,
}

/// The value of an environment variable that a channel names.
///
/// # Errors
/// `InvalidInput` when it is not set, or empty.
pub fn from_variable(name: &str) -> Result<String, StepError> {
    match std::env::var(name) {
        Ok(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(invalid(format!("environment variable {name}, which a channel for alerts names, is not set: set it"))),
    }
}

impl Alerts {
    /// Alerts for these channels. Without `mail`, channels of kind email fail.
    pub fn new(channels: AlertChannels, secrets: Box<dyn Secrets>, mail: Option<Box<dyn Mail>>) -> Self {
        Self { channels, secrets, mail }
    }

    /// The channels.
    pub fn channels(&self) -> &AlertChannels {
        &self.channels
    }

    /// Records an end in the book of its pipeline, and sends what is due.
    pub(crate) async fn announce(
        &self,
        documents: &DocumentStore,
        announcement: &Announcement,
        routes: Option<Routes>,
        now: Timestamp,
    ) -> Result<(), StepError> {
        let Some(pipeline) = &announcement.report.pipeline else {
            tracing::warn!(run_id = announcement.report.run_id.as_str(), "no alert: the pipeline is not known");
            return Ok(());
        };
        let path = layout::alerts(pipeline);
        let before: Option<AlertBook> = documents.read(&path).await?;
        let mut book = before.clone().unwrap_or_default();
        if let Some(Routes(routes)) = routes {
            book.set_routes(routes);
        }
        let owner = book.routes().and_then(|routes| routes.owner.clone());
        let found = book.record(&RunEnd {
            report: &announcement.report,
            pipeline,
            lake: documents.root(),
            page: announcement.page_uri.as_ref(),
            owner: owner.as_deref(),
        });
        if found == Found::Late {
            tracing::info!(run_id = announcement.report.run_id.as_str(), "no alert: a later run has ended before");
        }
        let is_quiet = book.routes().and_then(|routes| routes.quiet_hours.as_ref());
        let due = book.due(&self.channels, now, is_quiet.is_some_and(|hours| quiet::is_in(hours, now)));
        if due.withheld > 0 {
            tracing::info!(
                withheld = due.withheld,
                "quiet hours: sent by the first run that ends after them, if still so"
            );
        }
        let mut result = self.check_known(&due);
        for (message, sent) in self.deliver(&due.messages, now).await {
            match sent {
                Ok(_) => book.sent(&message.channel.name, &message.alert, now),
                Err(error) => {
                    let (channel, error_name) = (message.channel.name.as_str(), error.name.as_str());
                    tracing::error!(channel, error_name, error_message = error.message, "an alert was not sent");
                    result = result.and(Err(error));
                }
            }
        }
        book.tidy(&self.channels);
        if before.as_ref() != Some(&book) {
            documents.write(&path, &book).await?;
        }
        result
    }

    /// Sends a test message to a channel, and ends the incident that it opened, where the channel opens incidents.
    ///
    /// # Errors
    /// `InvalidInput` for an address, a secret or a message that is refused, `AccessDenied`, `NotFound`, `Throttled`,
    /// `Unavailable`.
    pub async fn test(&self, channel: &AlertChannel, alert: &Alert, now: Timestamp) -> Result<Answer, StepError> {
        let client = send::client()?;
        let answer = self.send(&client, channel, alert, now).await?;
        if channel.target.opens_incidents() {
            self.send(&client, channel, &alert.clone().resolved(), now).await?;
        }
        Ok(answer)
    }

    /// A channel that the spec names and the environment lacks is an error: somebody believes to be alerted.
    fn check_known(&self, due: &Due<'_>) -> Result<(), StepError> {
        match due.unknown.first() {
            None => Ok(()),
            Some(name) => Err(invalid(format!(
                "the spec's alerts name channel `{name}`, and SLUICE_ALERT_CHANNELS has {}: add it there, or take it out \
                 of the spec",
                if self.channels.iter().next().is_none() { "none".to_owned() } else { self.channels.names() }
            ))),
        }
    }

    /// Sends the messages: those of one channel one after the other, the channels at the same time.
    async fn deliver<'a>(
        &self,
        messages: &'a [Message<'a>],
        now: Timestamp,
    ) -> Vec<(&'a Message<'a>, Result<Answer, StepError>)> {
        if messages.is_empty() {
            return Vec::new();
        }
        let client = match send::client() {
            Ok(client) => client,
            Err(error) => return messages.iter().map(|message| (message, Err(error.clone()))).collect(),
        };
        let mut by_channel: BTreeMap<&ChannelName, Vec<&'a Message<'a>>> = BTreeMap::new();
        for message in messages {
            by_channel.entry(&message.channel.name).or_default().push(message);
        }
        let client = &client;
        let sending = by_channel.into_values().map(|of_channel| async move {
            let deadline = Instant::now() + CHANNEL_BUDGET;
            let mut results = Vec::new();
            for message in of_channel {
                let sent = timeout_at(deadline, self.send(client, message.channel, &message.alert, now)).await;
                results.push((message, sent.unwrap_or_else(|_| Err(too_long(message.channel)))));
            }
            results
        });
        join_all(sending).await.into_iter().flatten().collect()
    }

    async fn send(
        &self,
        client: &Client,
        channel: &AlertChannel,
        alert: &Alert,
        now: Timestamp,
    ) -> Result<Answer, StepError> {
        let post = match &channel.target {
            AlertTarget::Email { topic } => {
                let Some(mail) = &self.mail else {
                    return Err(invalid(format!(
                        "channel `{}` sends e-mails through SNS, which only the deployed notify does",
                        channel.name
                    )));
                };
                mail.send(topic, &render::email::letter(alert)).await?;
                return Ok(Answer::of_topic());
            }
            AlertTarget::Slack { place } => render::slack::post(&self.address(channel, place).await?, alert),
            AlertTarget::Teams { place } => render::teams::post(&self.address(channel, place).await?, alert),
            AlertTarget::PagerDuty { address, key } => {
                render::pagerduty::post(address, &self.secret(channel, key).await?, alert)
            }
            AlertTarget::Opsgenie { address, key } => {
                render::opsgenie::post(address, &self.secret(channel, key).await?, alert)
            }
            AlertTarget::Webhook { place, key } => {
                let (address, key) = (self.address(channel, place).await?, self.secret(channel, key).await?);
                let post = render::webhook::post(&address, &key, alert, now);
                post.map_err(|error| invalid(format!("channel `{}`: {error}", channel.name)))?
            }
        };
        send::post(client, channel, &post).await
    }

    async fn address(&self, channel: &AlertChannel, place: &ChannelPlace) -> Result<ChannelAddress, StepError> {
        match place {
            ChannelPlace::Address(address) => Ok(address.clone()),
            ChannelPlace::Secret(reference) => {
                let text = self.secret(channel, reference).await?;
                let address = text.parse::<ChannelAddress>();
                address.map_err(|error| invalid(format!("channel `{}`: {reference}: {error}", channel.name)))
            }
        }
    }

    /// A secret that can be sent in a header.
    async fn secret(&self, channel: &AlertChannel, reference: &SecretRef) -> Result<String, StepError> {
        let text = self.secrets.text(reference).await?.trim().to_owned();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let name = &channel.name;
            return Err(invalid(format!(
                "channel `{name}`: {reference} does not hold one line of ASCII without spaces"
            )));
        }
        Ok(text)
    }
}

fn invalid(message: String) -> StepError {
    StepError::message(ErrorName::InvalidInput, message)
}

fn too_long(channel: &AlertChannel) -> StepError {
    let (name, seconds) = (&channel.name, CHANNEL_BUDGET.as_secs());
    let message = format!("channel `{name}` did not take its messages within {seconds} s; the next run sends them");
    StepError::message(ErrorName::Unavailable, message)
}

#[cfg(test)]
mod tests;
