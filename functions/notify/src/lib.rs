//! Lambda function: writes the report of a run and announces how it ended. Links neither Polars nor Delta.

pub mod announce;
#[cfg(feature = "lambda")]
pub mod aws;
pub mod metrics;
mod report;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::document::StepDocument;
use sluice_core::error::StepError;
use sluice_core::name::RunId;
use sluice_core::run::{Outcome, Report, ReportedError, RunRef};
use sluice_core::uri::ObjectUri;
use sluice_documents::DocumentStore;

use crate::announce::{Announce, Announcement};

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// How the run ended.
    pub outcome: Outcome,
    /// Name of the execution. The run's id, unless the execution publishes another run that a person accepted.
    pub execution_name: RunId,
    /// The state machine's data.
    pub state: State,
}

/// The state machine's data, as far as it got. Pointers to the step documents are in it too; they are not read, because
/// the attempt says where its documents are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct State {
    /// Input of the execution, which may be anything when the run failed in validate.
    pub request: Option<serde_json::Value>,
    /// The attempt that ended; absent when there is no plan.
    pub run: Option<RunRef>,
    /// The error of a failed run.
    pub error: Option<ReportedError>,
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
}

/// Writes the report and sends it to every channel.
///
/// Called again for the same end of the same attempt, it keeps the report and sends it again: receivers that must
/// not act twice compare run, attempt and outcome.
///
/// # Errors
/// `NotFound` when the document of the outcome is missing, such as the receipt of a published run. When an announcer
/// fails, the others are still called, and the first failure is returned: `Throttled`, `Unavailable`, `NotFound`, `Internal`.
pub async fn handle(ports: &Ports, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let outcome = input.outcome;
    let report = report::settle(&ports.documents, now, input).await?;
    let uri = report::reported_run(&report).map(|run| ports.documents.root().object(&Report::path(&run)));
    let announcement = Announcement { report, report_uri: uri.clone() };
    let mut result = Ok(Output { uri, outcome });
    for announcer in &ports.announcers {
        let announced = announcer.announce(&announcement).await;
        result = result.and_then(|output| announced.map(|()| output));
    }
    result
}

#[cfg(test)]
mod tests;
