//! The run as events of OpenLineage, kept with its documents and sent to where catalogues of data take them.
//!
//! The events are kept before they are sent (`runs/<pipeline>/<run>/lineage-<attempt>.json`), so that those that could
//! not be sent are not lost: `sluice runs openlineage RUN --send` sends them again. What cannot be made or sent is
//! logged as an error and counted, and notify goes on: a server of catalogues that is down must not make the state
//! machine repeat messages to people.

mod http;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_core::document::StepDocument;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::openlineage::{LineagePlan, RunFacts, Target, events};
use sluice_core::run::{Changeset, DocumentKind, Report, RunRef, Verdict};
use sluice_core::uri::LakePath;
use sluice_documents::DocumentStore;

pub(crate) use self::http::HttpEndpoint;
pub use self::http::{ApiKey, ApiKeyError};
use crate::announce::{Announce, Announcement};
use crate::metrics::{LINEAGE_NOT_SENT, MetricsLog};
use crate::report::reported_run;

/// Longest event in bytes. An event bus takes 256 KiB with what is around it, Amazon DataZone 300,000 bytes.
const MAX_EVENT_BYTES: usize = 240_000;
/// Longest time for all events of a run. With the 25 s that each of SNS and EventBridge may take for its message these
/// are 70 s of the 90 s that notify has; the rest is for documents.
const SENDING_TIMEOUT: Duration = Duration::from_secs(20);

/// Whoever takes events, one at a time.
pub trait Receiver: Send + Sync {
    /// Sends one event: a line of JSON.
    fn receive<'a>(&'a self, event: &'a str) -> BoxFuture<'a, Result<(), StepError>>;
}

/// Where events go after they are kept.
pub enum Destination {
    /// Nowhere.
    Kept,
    /// To a file of lines in this folder: `<pipeline>-<run>-<attempt>.ndjson`.
    Folder(DocumentStore),
    /// To a server or an event bus.
    Receiver(Box<dyn Receiver>),
}

impl Destination {
    /// The destination of a process that has no event bus.
    ///
    /// # Errors
    /// `InvalidInput` for the target `events`, and for a folder that cannot be one; `Internal` where no client can be
    /// made.
    pub fn without_bus(target: Target, key: Option<ApiKey>) -> Result<Self, StepError> {
        match target {
            Target::Lake => Ok(Self::Kept),
            Target::Folder(folder) => Ok(Self::Folder(DocumentStore::open(&folder, &BTreeMap::new())?)),
            Target::Http(url) => Ok(Self::Receiver(Box::new(HttpEndpoint::new(url, key)?))),
            Target::Events => Err(StepError::message(
                ErrorName::InvalidInput,
                "OpenLineage events cannot go to `events` from here: only the function notify of a deployment has an \
                 event bus; write https://host/api/v1/lineage, file:///folder or `lake`",
            )),
        }
    }

    /// Sends the events of an attempt, in their order.
    ///
    /// # Errors
    /// That of the first event that cannot be sent, with how many were sent before it; those behind it are not tried.
    pub async fn send(&self, run: &RunRef, events: &[String]) -> Result<(), StepError> {
        match self {
            Self::Kept => Ok(()),
            Self::Folder(folder) => {
                let name = format!("{}-{}-{}.ndjson", run.pipeline, run.run_id, run.attempt);
                let path = name.parse::<LakePath>().map_err(|error| StepError::new(ErrorName::Internal, &error))?;
                let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
                folder.keep_text(&path, &lines).await?;
                Ok(())
            }
            Self::Receiver(receiver) => send_each(receiver.as_ref(), events).await,
        }
    }
}

async fn send_each(receiver: &dyn Receiver, events: &[String]) -> Result<(), StepError> {
    let mut sent = 0_usize;
    let sending = async {
        for event in events {
            receiver.receive(event).await?;
            sent += 1;
        }
        Ok::<(), StepError>(())
    };
    let ended = tokio::time::timeout(SENDING_TIMEOUT, sending).await;
    let fault = match ended {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(fault)) => fault,
        Err(_) => {
            let message = format!("it took longer than {} s", SENDING_TIMEOUT.as_secs());
            StepError::message(ErrorName::Unavailable, message)
        }
    };
    let StepError { name, message } = fault;
    Err(StepError { name, message: format!("{sent} of {} OpenLineage events were sent: {message}", events.len()) })
}

/// The events of an attempt, as they are kept with its documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptEvents {
    /// The events, in the order of their times.
    pub events: Vec<Value>,
}

impl StepDocument for KeptEvents {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Lineage;
}

impl KeptEvents {
    /// Each event as a line of JSON.
    pub fn lines(&self) -> Vec<String> {
        self.events.iter().map(Value::to_string).collect()
    }
}

/// The attempt that a report is about; `None` when its pipeline is not known.
pub fn reported_attempt(report: &Report) -> Option<RunRef> {
    Some(reported_run(report)?.attempt(report.attempt))
}

/// Makes the events of a run from its report and the documents of the attempt that the report is about.
///
/// # Errors
/// Faults of the store, and documents that cannot be read.
pub async fn events_of(documents: &DocumentStore, report: &Report) -> Result<KeptEvents, StepError> {
    let Some(run) = reported_attempt(report) else { return Ok(KeptEvents { events: Vec::new() }) };
    let of_run = documents.of(&run);
    let plan: Option<LineagePlan> = of_run.get().await?;
    let changeset: Option<Changeset> = of_run.get().await?;
    let verdict: Option<Verdict> = of_run.get().await?;
    let facts = RunFacts { plan: plan.as_ref(), changeset: changeset.as_ref(), verdict: verdict.as_ref(), report };
    let mut kept = Vec::new();
    for event in events(documents.root(), &facts) {
        match event.to_json_below(MAX_EVENT_BYTES).and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            Some(event) => kept.push(event),
            None => tracing::error!(
                run_id = %run.run_id,
                "an OpenLineage event is left out, because it has more than {MAX_EVENT_BYTES} bytes without the \
                 lineage of its columns"
            ),
        }
    }
    Ok(KeptEvents { events: kept })
}

/// Keeps the events of each announced run, and sends them. Cheap to clone.
#[derive(Clone)]
pub struct LineageEvents {
    documents: DocumentStore,
    destination: Arc<Destination>,
    metrics: Option<MetricsLog>,
    /// Why the last events were not sent.
    fault: Arc<Mutex<Option<String>>>,
}

impl fmt::Debug for LineageEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineageEvents").field("documents", &self.documents).finish_non_exhaustive()
    }
}

impl LineageEvents {
    /// Events of the runs of this lake.
    pub fn new(documents: DocumentStore, destination: Destination) -> Self {
        Self { documents, destination: Arc::new(destination), metrics: None, fault: Arc::default() }
    }

    /// With a metric for ends whose events were not sent.
    #[must_use]
    pub fn with_metrics(self, metrics: MetricsLog) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Why the last events were not sent, once; `None` where they were.
    pub fn take_fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn keep_and_send(&self, report: &Report) -> Result<(), StepError> {
        let Some(run) = reported_attempt(report) else { return Ok(()) };
        let kept = events_of(&self.documents, report).await?;
        self.documents.of(&run).replace(&kept).await?;
        self.destination.send(&run, &kept.lines()).await
    }

    async fn try_to_send(&self, report: &Report) {
        let Err(StepError { name, message }) = self.keep_and_send(report).await else { return };
        tracing::error!(
            run_id = %report.run_id,
            error_name = %name,
            error_message = message.as_str(),
            "OpenLineage events were not sent; `sluice runs openlineage {} --send` sends them",
            report.run_id
        );
        if let Some(metrics) = &self.metrics {
            metrics.not_sent(LINEAGE_NOT_SENT, report);
        }
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }
}

impl Announce for LineageEvents {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        async {
            self.try_to_send(&announcement.report).await;
            Ok(())
        }
        .boxed()
    }

    fn not_counted(&self) -> Option<&'static str> {
        Some("requests for events of OpenLineage")
    }
}

#[cfg(test)]
mod tests;
