//! Lambda function: makes sure that no cluster outlives its run. Links neither Polars nor Delta.

mod input;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_cluster::ports::Clusters;
use sluice_cluster::terminate::{self, Ended};
use sluice_core::error::StepError;
use sluice_documents::DocumentStore;

pub use input::Input;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The clusters concerned, each with the state it was found in or brought to.
    pub clusters: Vec<Ended>,
}

/// What the function works with.
pub struct Ports<C> {
    /// Documents of the lake.
    pub documents: DocumentStore,
    /// EMR.
    pub clusters: C,
}

/// Closes an attempt or a run, so that no late call can launch a cluster for it, and terminates the clusters that are
/// there; or looks through all clusters of the lake for those whose run is over.
///
/// # Errors
/// `Throttled` and `Unavailable` when the same call may succeed later; `ClusterFailed` when EMR refuses; `AccessDenied`.
/// Every cluster is tried before the first error is returned.
pub async fn handle<C: Clusters>(ports: &Ports<C>, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let Ports { documents, clusters } = ports;
    let ended = match input {
        Input::Attempt(run) => terminate::of_attempt(documents, clusters, now, &run).await?,
        Input::Execution(ended) => {
            let run = ended.run(documents.root());
            terminate::of_run(documents, clusters, now, &run.run_id, run.pipeline.as_ref()).await?
        }
        Input::Sweep => terminate::sweep(documents, clusters, now).await?,
    };
    Ok(Output { clusters: ended })
}

#[cfg(test)]
mod tests;
