//! Runs of earlier processes, from the documents that their steps left in the lake.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::failure::MachineError;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::ReportedError;
use sluice_executions::ports::{Execution, ExecutionFault, ExecutionStatus};
use sluice_executions::submission;
use sluice_lake::inspect::{self, RunState, RunSummary};
use sluice_lake::{Lake, LakeError};
use tokio::sync::Mutex;

/// How many runs of earlier processes are listed: the newest ones.
const MAX_EARLIER: usize = 1000;
/// How long their list is kept. It is one listing of all documents of runs, and one call of the API may read many pages of it.
const KEPT: Duration = Duration::from_secs(2);

/// Runs with the time of their first document.
type Listed = Arc<Vec<(Timestamp, RunId)>>;

/// The runs of a lake that have documents. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    lake: Lake,
    listed: Arc<Mutex<Option<(Instant, Listed)>>>,
}

impl Earlier {
    pub(super) fn new(lake: Lake) -> Self {
        Self { lake, listed: Arc::default() }
    }

    /// The execution of a run, as its documents have it. Where they do not say how it ended, as those of a stopped run do
    /// not, it ended as this process remembers.
    pub(super) async fn execution(
        &self,
        run: &RunId,
        of: Option<&PipelineName>,
        remembered: Option<Execution>,
    ) -> Result<Option<Execution>, ExecutionFault> {
        let found = self.documented(run, of).await?;
        let Some(remembered) = remembered else { return Ok(found) };
        match found {
            Some(found) if found.status == ExecutionStatus::Aborted => {
                Ok(Some(Execution { input: found.input, ..remembered }))
            }
            Some(found) => Ok(Some(found)),
            // It ended before it had a document of its own.
            None => {
                let doing = || format!("find run {run}");
                let asked = submission::find(self.lake.documents(), run).await;
                let asked = asked.map_err(|error| fault(doing(), &LakeError::from(error)))?;
                let asked = asked.map(|asked| serde_json::to_value(asked.request)).transpose();
                let asked = asked.map_err(|error| unexpected(doing(), error.to_string()))?;
                Ok(Some(match asked {
                    Some(input) => Execution { input, ..remembered },
                    None => remembered,
                }))
            }
        }
    }

    /// The execution of a run. Where several pipelines have a run of this name, that of pipeline `of`; none where it is not
    /// said, because a name alone is no run then.
    async fn documented(&self, run: &RunId, of: Option<&PipelineName>) -> Result<Option<Execution>, ExecutionFault> {
        let doing = || format!("find run {run}");
        let pipelines = inspect::pipelines_of_run(&self.lake, run).await.map_err(|error| fault(doing(), &error))?;
        let pipeline = match pipelines.as_slice() {
            [] => return Ok(None),
            [one] => one,
            several => match of.filter(|wanted| several.contains(wanted)) {
                Some(wanted) => wanted,
                None => {
                    tracing::warn!(run_id = %run, "several pipelines have a run of this name: the API shows none");
                    return Ok(None);
                }
            },
        };
        let details = match inspect::run_details(&self.lake, pipeline, run).await {
            Ok(details) => details,
            Err(LakeError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(fault(doing(), &error)),
        };
        let request = match details.plan {
            Some(plan) => Some(plan.request),
            // It failed before there was a plan.
            None => {
                let asked = submission::find(self.lake.documents(), run).await;
                let asked = asked.map_err(|error| fault(doing(), &LakeError::from(error)))?;
                asked.map(|asked| asked.request).filter(|request| request.pipeline == *pipeline)
            }
        };
        let request = request.as_ref().map(serde_json::to_value).transpose();
        let request = request.map_err(|error| unexpected(doing(), error.to_string()))?;
        Ok(Some(of_documents(details.summary, request)))
    }

    /// The newest runs, in no order. No document is read, so that one that cannot be read ends no list. Names that several pipelines have
    /// are left out. One caller lists, the others wait for it.
    pub(super) async fn list(&self) -> Result<Listed, ExecutionFault> {
        let mut listed = self.listed.lock().await;
        if let Some((at, runs)) = &*listed
            && at.elapsed() < KEPT
        {
            return Ok(runs.clone());
        }
        let newest = inspect::newest_runs(&self.lake, None, MAX_EARLIER).await;
        let newest = newest.map_err(|error| fault("list runs".to_owned(), &error))?;
        let mut runs: BTreeMap<RunId, (Timestamp, usize)> = BTreeMap::new();
        for (at, run) in newest {
            runs.entry(run.run_id).or_insert((at, 0)).1 += 1;
        }
        let of_one = runs.into_iter().filter(|(_, (_, pipelines))| *pipelines == 1);
        let runs: Listed = Arc::new(of_one.map(|(run, (at, _))| (at, run)).collect());
        *listed = Some((Instant::now(), runs.clone()));
        Ok(runs)
    }
}

/// A run, read from its documents. A run without an end was abandoned when the process that ran it ended.
fn of_documents(summary: RunSummary, request: Option<Value>) -> Execution {
    let status = match summary.state {
        RunState::Published | RunState::Skipped | RunState::Rejected | RunState::Accepted => ExecutionStatus::Succeeded,
        RunState::Failed => ExecutionStatus::Failed,
        RunState::Unfinished | RunState::Unreadable => ExecutionStatus::Aborted,
    };
    let given_up =
        || ReportedError { error: MachineError::Stopped.into(), cause: "the process that ran it ended".to_owned() };
    let started_at = summary.planned_at.or(summary.ended_at).unwrap_or(Timestamp::UNIX_EPOCH);
    Execution {
        status,
        started_at,
        ended_at: summary.ended_at.or(Some(started_at)),
        redrives: 0,
        input: request.unwrap_or_else(|| json!({ "pipeline": summary.pipeline })),
        error: if status == ExecutionStatus::Aborted { Some(given_up()) } else { summary.error },
        run_id: summary.run_id,
    }
}

pub(super) fn unexpected(doing: String, message: String) -> ExecutionFault {
    ExecutionFault::Unexpected { doing, message }
}

fn fault(doing: String, error: &LakeError) -> ExecutionFault {
    let message = with_sources(error);
    match error.name() {
        ErrorName::Throttled => ExecutionFault::Throttled { doing, message },
        ErrorName::Unavailable => ExecutionFault::Unavailable { doing, message },
        ErrorName::AccessDenied => ExecutionFault::Denied { doing, message },
        _ => ExecutionFault::Unexpected { doing, message },
    }
}
