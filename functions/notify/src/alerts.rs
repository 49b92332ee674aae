//! Alerts: what the ends of runs mean for people, sent to the channels of the environment.
//!
//! [`sluice_core::alert`] decides what is due; this module keeps the pipeline's book in the lake, renders each message
//! as its channel's API wants it and sends it. Only addresses of the environment are asked, and redirects are not
//! followed.

mod quiet;
pub mod render;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use reqwest::Client;
use sluice_core::alert::{
    Alert, AlertBook, AlertChannel, AlertChannels, AlertTarget, AlertsSpec, ChannelAddress, ChannelPlace, Due, Found,
    Message, RunEnd, SecretRef,
};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::{ChannelName, PipelineName};
use sluice_core::uri::{FolderUri, LakePath, layout};
use sluice_documents::{DocumentStore, DocumentVersion};
use tokio::time::{Instant, timeout_at};

use self::render::Letter;
use crate::announce::Announcement;
use crate::metrics::{ALERTS_NOT_SENT, MetricsLog};
pub use crate::post::Answer;
use crate::post::{client, send};

/// Longest time for all messages of one end. Channels are served at the same time, and at the same time as SNS,
/// EventBridge and OpenLineage, which take 70 s at worst: notify has 90 s.
const CHANNEL_BUDGET: Duration = Duration::from_secs(25);
/// How often the book is written until it is, where other ends of the pipeline write it, too.
const MAX_WRITES: usize = 5;

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
    metrics: Option<MetricsLog>,
    /// Why some channel did not get the last message.
    fault: Mutex<Option<String>>,
}

/// One end of a run on its way to the channels.
struct Delivery<'a> {
    announcement: &'a Announcement,
    pipeline: &'a PipelineName,
    routes: Option<Routes>,
    now: Timestamp,
    deadline: Instant,
    /// What channels took.
    sent: Vec<(ChannelName, Alert)>,
    /// What went wrong since the book was read.
    faults: Vec<StepError>,
}

impl Delivery<'_> {
    /// Records the end in a book, with what was sent about it before.
    fn record(&self, book: &mut AlertBook, lake: &FolderUri) {
        if let Some(Routes(routes)) = &self.routes {
            book.set_routes(routes.clone());
        }
        let owner = book.routes().and_then(|routes| routes.owner.clone());
        let (report, pipeline) = (&self.announcement.report, self.pipeline);
        let (page, owner) = (self.announcement.page_uri.as_ref(), owner.as_deref());
        if book.record(&RunEnd { report, pipeline, lake, page, owner }) == Found::Late {
            tracing::info!(run_id = report.run_id.as_str(), "no alert: a later run has ended before");
        }
        for (channel, alert) in &self.sent {
            book.sent(channel, alert, self.now);
        }
    }
}

/// The book at a path, with its version. One that cannot be read must not silence all that follow: it is replaced.
async fn book_at(
    documents: &DocumentStore,
    path: &LakePath,
) -> Result<(Option<AlertBook>, DocumentVersion), StepError> {
    match documents.read_version(path).await {
        Ok(found) => Ok(found),
        Err(error) if error.is_damaged() => {
            let error_message = StepError::from(error).message;
            tracing::error!(error_message, "a new book of alerts is begun");
            Ok((None, DocumentVersion::any()))
        }
        Err(error) => Err(error.into()),
    }
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
        Self { channels, secrets, mail, metrics: None, fault: Mutex::default() }
    }

    /// The channels.
    pub fn channels(&self) -> &AlertChannels {
        &self.channels
    }

    /// With a metric for ends that some channel was not sent.
    #[must_use]
    pub fn with_metrics(self, metrics: MetricsLog) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Why some channel did not get the last message, once; `None` where all did.
    pub fn take_fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records an end in the book of its pipeline, and sends what is due.
    ///
    /// What cannot be sent is an error of the log and of the metric, and not of the run: a repeated call would send the
    /// messages of other announcers again, and a run that published its tables has not failed. The book keeps what is
    /// missing, so that the next end sends it.
    pub(crate) async fn announce(
        &self,
        documents: &DocumentStore,
        announcement: &Announcement,
        routes: Option<Routes>,
        now: Timestamp,
    ) {
        let report = &announcement.report;
        let Some(pipeline) = &report.pipeline else {
            tracing::warn!(run_id = report.run_id.as_str(), "no alert: the pipeline is not known");
            return;
        };
        let deadline = Instant::now() + CHANNEL_BUDGET;
        let mut delivery =
            Delivery { announcement, pipeline, routes, now, deadline, sent: Vec::new(), faults: Vec::new() };
        if let Err(fault) = self.record_and_send(documents, &mut delivery).await {
            delivery.faults.push(fault);
        }
        for StepError { name, message } in &delivery.faults {
            let (run_id, error_message) = (report.run_id.as_str(), message.as_str());
            tracing::error!(run_id, error_name = name.as_str(), error_message, "an alert was not sent");
        }
        if !delivery.faults.is_empty() {
            if let Some(metrics) = &self.metrics {
                metrics.not_sent(ALERTS_NOT_SENT, report);
            }
            let messages: Vec<String> = delivery.faults.into_iter().map(|fault| fault.message).collect();
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(messages.join("; "));
        }
    }

    /// Sends what is due, and writes that down. Where another end of the pipeline has written its own meanwhile, what
    /// was sent is added to that, so that none of them is forgotten.
    async fn record_and_send(&self, documents: &DocumentStore, delivery: &mut Delivery<'_>) -> Result<(), StepError> {
        let path = layout::alerts(delivery.pipeline);
        for _ in 0..MAX_WRITES {
            let (before, version) = book_at(documents, &path).await?;
            let mut book = before.clone().unwrap_or_default();
            delivery.faults.clear();
            delivery.record(&mut book, documents.root());
            self.send_due(&mut book, delivery).await;
            book.tidy(&self.channels);
            if before.as_ref() == Some(&book) || documents.write_version(&path, &book, &version).await? {
                return Ok(());
            }
        }
        let uri = documents.root().object(&path);
        let message = format!("'{uri}' is written by other ends of runs all the time: alerts may be sent again");
        Err(StepError::message(ErrorName::Unavailable, message))
    }

    async fn send_due(&self, book: &mut AlertBook, delivery: &mut Delivery<'_>) {
        let now = delivery.now;
        let is_quiet = book.routes().and_then(|routes| routes.quiet_hours.as_ref());
        let due = book.due(&self.channels, now, is_quiet.is_some_and(|hours| quiet::is_in(hours, now)));
        if due.withheld > 0 {
            tracing::info!(
                withheld = due.withheld,
                "quiet hours: sent by the first run that ends after them, if still so"
            );
        }
        delivery.faults.extend(self.check_known(&due).err());
        let results = self.deliver(&due.messages, delivery).await;
        for (message, sent) in results {
            match sent {
                Ok(_) => {
                    book.sent(&message.channel.name, &message.alert, now);
                    delivery.sent.push((message.channel.name.clone(), message.alert.clone()));
                }
                Err(fault) => delivery.faults.push(fault),
            }
        }
    }

    /// Sends a test message to a channel, and ends the incident that it opened, where the channel opens incidents.
    ///
    /// # Errors
    /// `InvalidInput` for an address, a secret or a message that is refused, `AccessDenied`, `NotFound`, `Throttled`,
    /// `Unavailable`.
    pub async fn test(&self, channel: &AlertChannel, alert: &Alert, now: Timestamp) -> Result<Answer, StepError> {
        let client = client()?;
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
        &Delivery { now, deadline, .. }: &Delivery<'_>,
    ) -> Vec<(&'a Message<'a>, Result<Answer, StepError>)> {
        if messages.is_empty() {
            return Vec::new();
        }
        let client = match client() {
            Ok(client) => client,
            Err(error) => return messages.iter().map(|message| (message, Err(error.clone()))).collect(),
        };
        let mut by_channel: BTreeMap<&ChannelName, Vec<&'a Message<'a>>> = BTreeMap::new();
        for message in messages {
            by_channel.entry(&message.channel.name).or_default().push(message);
        }
        let client = &client;
        let sending = by_channel.into_values().map(|of_channel| async move {
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
                return Ok(Answer { status: 200, body: "published to the topic".to_owned() });
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
        send(client, &format!("channel `{}` of kind {}", channel.name, channel.target.kind()), &post).await
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
