//! Lambda function: writes the report of a run and announces how it ended. Links neither Polars nor Delta.

pub mod alerts;
pub mod announce;
#[cfg(feature = "lambda")]
pub mod aws;
mod cost;
pub mod metrics;
pub mod openlineage;
mod page;
mod post;
mod report;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sluice_core::document::StepDocument;
use sluice_core::error::StepError;
use sluice_core::name::RunId;
use sluice_core::run::{Outcome, Report, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_documents::DocumentStore;
use sluice_documents::ended::EndedExecution;
use sluice_documents::event::is_event;

use crate::alerts::Alerts;
use crate::announce::{Announce, Announcement};
use crate::cost::StillToCome;
use crate::report::Settled;

/// What the function is asked.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is read per call")]
pub enum Input {
    /// By the state machine: the run reached a result.
    Result(Reached),
    /// By EventBridge: an execution ended without success (`Step Functions Execution Status Change`).
    Execution(EndedExecution),
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if is_event(&value) {
            return value.try_into().map(Self::Execution).map_err(D::Error::custom);
        }
        let reached = serde_path_to_error::deserialize(value).map(Self::Result);
        reached.map_err(|error| D::Error::custom(format!("at `{}`: {}", error.path(), error.inner())))
    }
}

/// A run that reached a result.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The result.
    pub outcome: RunResult,
    /// Name of the execution. The run's id, unless the execution publishes another run that a person accepted.
    pub execution_name: RunId,
    /// The state machine's data.
    pub state: State,
}

/// What a run can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate rejected the data.
    Rejected,
}

impl From<RunResult> for Outcome {
    fn from(result: RunResult) -> Self {
        match result {
            RunResult::Published => Self::Published,
            RunResult::Skipped => Self::Skipped,
            RunResult::Rejected => Self::Rejected,
        }
    }
}

/// The part of the state machine's data that is needed. Pointers to the step documents are in it too; they are not read,
/// because the attempt says where its documents are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct State {
    /// The attempt that reached the result.
    pub run: RunRef,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Address of the report; `None` when not even the run's pipeline is known.
    pub uri: Option<ObjectUri>,
    /// How the run ended.
    pub outcome: Outcome,
}

/// What the function works with.
pub struct Ports {
    /// Documents of the lake.
    pub documents: DocumentStore,
    /// The channels, in this order.
    pub announcers: Vec<Box<dyn Announce>>,
    /// The channels for alerts; `None` where they are turned off.
    pub alerts: Option<Alerts>,
}

/// Writes the report and its page for people, sends both to every channel, and alerts whom the spec names.
///
/// A page that cannot be written keeps no message from the channels: it is sent without the page, and the fault is
/// returned afterwards.
///
/// Called again for the same end of the same attempt, it keeps the report and sends it again: receivers that must
/// not act twice compare run, attempt and outcome. An event that comes after a later end of the same run was reported
/// changes and sends nothing.
///
/// # Errors
/// `NotFound` when the document of the outcome is missing, such as the receipt of a published run. When an announcer
/// fails, the others are still called, and the first failure is returned: `Throttled`, `Unavailable`, `NotFound`,
/// `Internal`. A run that reached its result is complete whatever happens here, and the message says so. Alerts and
/// OpenLineage events that cannot be sent are logged and counted, and fail nothing.
pub async fn handle(ports: &Ports, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let still_to_come = StillToCome::of(ports);
    match input {
        Input::Execution(ended) => {
            announce(ports, now, report::of_execution(&ports.documents, now, &ended, &still_to_come).await?).await
        }
        Input::Result(reached) => {
            let settled = report::of_result(&ports.documents, now, reached, &still_to_come).await?;
            let run_id = settled.report.run_id.clone();
            announce(ports, now, settled).await.map_err(|StepError { name, message }| {
                let message = format!(
                    "run `{run_id}` is complete and needs no repair, but its end was not reported in full: {message}"
                );
                StepError { name, message }
            })
        }
    }
}

async fn announce(
    ports: &Ports,
    now: Timestamp,
    Settled { report, is_news, facts }: Settled,
) -> Result<Output, StepError> {
    let uri = report::reported_run(&report).map(|run| ports.documents.root().object(&Report::path(&run)));
    let outcome = report.outcome;
    let routes = facts.routes();
    let page = if is_news { page::keep(&ports.documents, &report, facts).await } else { Ok(None) };
    let (page_uri, fault) = match page {
        Ok(page_uri) => (page_uri, None),
        Err(fault) => (None, Some(fault)),
    };
    let announcement = Announcement { report, report_uri: uri.clone(), page_uri };
    let announced = async {
        let mut result = fault.map_or(Ok(Output { uri, outcome }), Err);
        for announcer in ports.announcers.iter().filter(|_| is_news) {
            let announced = announcer.announce(&announcement).await;
            result = result.and_then(|output| announced.map(|()| output));
        }
        result
    };
    let alerted = async {
        if let Some(alerts) = ports.alerts.as_ref().filter(|_| is_news) {
            alerts.announce(&ports.documents, &announcement, routes, now).await;
        }
    };
    // At the same time, so that the longest of both counts and not their sum.
    let (announced, ()) = futures::join!(announced, alerted);
    announced
}

#[cfg(test)]
mod tests;
