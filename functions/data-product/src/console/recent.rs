//! Runs and holds, read from the lake and kept for a moment.
//!
//! One listing names the runs, and says which have published. Of those that a page shows, the reports are read,
//! and kept for as long as the listing has them with the same time: a page of 200 runs reads 200 reports once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use sluice_core::cost::CostedReport;
use sluice_core::error::with_sources;
use sluice_core::failure::{FailureName, MachineError};
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{Outcome, Report, RunKey};
use sluice_http::Problem;
use sluice_http::problem::document_problem;
use sluice_http::reading::{Current, Reading};
use sluice_lake::inspect::{self, ListedRun};
use sluice_lake::{Lake, LakeError};
use sluice_pages::{CostLine, LineState, RunLine};
use tokio::sync::Mutex;

/// How long listings are kept.
const KEPT: Duration = Duration::from_secs(5);
/// Reports that are read at once: 200 of 30 ms each are read in 0.4 s.
const AT_ONCE: usize = 16;
/// Most lines that are kept, of some 300 bytes each; beyond it, all are made again.
const MAX_LINES: usize = 5000;
/// How long after its newest document a run without a report counts as one that goes on. A step of a function takes 15
/// minutes at most; one of Spark writes nothing for as long as it takes.
const GOES_ON: SignedDuration = SignedDuration::from_hours(1);

/// What the listings say.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// All runs, newest first.
    pub(crate) runs: Vec<ListedRun>,
    /// When each pipeline published last.
    pub(crate) published: BTreeMap<PipelineName, Timestamp>,
    /// How many source objects each pipeline holds.
    pub(crate) held: BTreeMap<PipelineName, u64>,
}

/// A run as its report has it.
#[derive(Debug, Clone)]
pub(crate) struct ReadRun {
    /// Its line.
    pub(crate) line: RunLine,
    /// Rows of all its tables; `None` without a report that can be read.
    pub(crate) rows: Option<RunRows>,
}

/// Rows of a run, over all tables of its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RunRows {
    /// Rows read for its tables.
    pub(crate) source: u64,
    /// Rows written for its tables.
    pub(crate) staged: u64,
    /// Rows that broke an error rule.
    pub(crate) quarantined: u64,
}

impl RunRows {
    fn of(report: &Report) -> Self {
        let mut rows = Self::default();
        for of_table in report.rows.values() {
            rows.source += of_table.source;
            rows.staged += of_table.staged;
            rows.quarantined += of_table.quarantined;
        }
        rows
    }
}

/// Runs with reports, with the time of the report.
type Lines = HashMap<(PipelineName, RunId), (Timestamp, ReadRun)>;

/// Runs and holds. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Recent(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lake: Lake,
    listed: Mutex<Option<Reading<Arc<Listed>>>>,
    lines: std::sync::Mutex<Lines>,
}

impl Recent {
    pub(crate) fn new(lake: Lake) -> Self {
        Self(Arc::new(Shared { lake, listed: Mutex::default(), lines: std::sync::Mutex::default() }))
    }

    /// What the listings say. One caller reads them, the others wait for it; as long as they are asked for, they are
    /// read again before their time is up, and nobody waits.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn listed(&self) -> Result<Arc<Listed>, Problem> {
        let mut kept = self.0.listed.lock().await;
        if let Some(Current { value, is_due }) = kept.as_mut().and_then(|reading| reading.current(KEPT)) {
            if is_due {
                tokio::spawn(self.clone().renew());
            }
            return Ok(value);
        }
        let listed = self.read().await.map_err(|error| fault(&error))?;
        *kept = Some(Reading::new(Instant::now(), listed.clone()));
        Ok(listed)
    }

    /// Lists again. Where that fails, it is done when the time of the listings is up.
    async fn renew(self) {
        let began = Instant::now();
        match self.read().await {
            Ok(listed) => {
                if let Some(reading) = &mut *self.0.listed.lock().await {
                    reading.renew(began, listed);
                }
            }
            // Logged, and answered to nobody.
            Err(error) => drop(fault(&error)),
        }
    }

    async fn read(&self) -> Result<Arc<Listed>, LakeError> {
        let lake = &self.0.lake;
        let (runs, held) = futures::try_join!(inspect::listed_runs(lake), inspect::held_objects(lake))?;
        let mut published: BTreeMap<PipelineName, Timestamp> = BTreeMap::new();
        for listed in &runs {
            if let Some(at) = listed.published_at {
                let newest = published.entry(listed.run.pipeline.clone()).or_insert(at);
                *newest = at.max(*newest);
            }
        }
        Ok(Arc::new(Listed { runs, published, held }))
    }

    /// These runs in one line each, in the same order.
    ///
    /// # Errors
    /// Those of the store. A report that cannot be read is in its line.
    pub(crate) async fn lines(&self, runs: Vec<ListedRun>, now: Timestamp) -> Result<Vec<RunLine>, Problem> {
        Ok(self.read_runs(runs, now).await?.into_iter().map(|run| run.line).collect())
    }

    /// These runs with their rows, in the same order.
    ///
    /// # Errors
    /// Those of [`Self::lines`].
    pub(crate) async fn read_runs(&self, runs: Vec<ListedRun>, now: Timestamp) -> Result<Vec<ReadRun>, Problem> {
        let read = |listed: ListedRun| {
            let recent = self.clone();
            async move { recent.read_run(listed, now).await }
        };
        stream::iter(runs.into_iter().map(read)).buffered(AT_ONCE).try_collect().await
    }

    async fn read_run(self, listed: ListedRun, now: Timestamp) -> Result<ReadRun, Problem> {
        let without = |line: RunLine| ReadRun { line, rows: None };
        let Some(reported_at) = listed.reported_at else { return Ok(without(without_report(listed, now))) };
        let key = (listed.run.pipeline.clone(), listed.run.run_id.clone());
        if let Some((_, run)) = self.lock().get(&key).filter(|(at, _)| *at == reported_at) {
            return Ok(run.clone());
        }
        let read = self.0.lake.documents().of(&listed.run).get::<CostedReport>().await;
        let run = match read {
            Ok(Some(report)) => {
                let rows = Some(RunRows::of(&report.report));
                ReadRun { line: with_report(listed, report), rows }
            }
            // Deleted since it was listed.
            Ok(None) => return Ok(without(without_report(listed, now))),
            Err(error) if error.is_damaged() => {
                tracing::warn!(error_message = with_sources(&error), "a report cannot be read");
                without(bare(listed, LineState::Unreadable))
            }
            Err(error) => return Err(document_problem(&error)),
        };
        let mut lines = self.lock();
        if lines.len() >= MAX_LINES {
            lines.clear();
        }
        lines.insert(key, (reported_at, run.clone()));
        Ok(run)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        // Every change is complete before the lock is released.
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bare(listed: ListedRun, state: LineState) -> RunLine {
    let ListedRun { run, began_at, .. } = listed;
    let RunKey { pipeline, run_id } = run;
    RunLine { pipeline, run_id, state, began_at, ended_at: None, held: 0, reason: None, cost: None }
}

/// Whether a run without a report goes on.
pub(crate) fn goes_on(listed: &ListedRun, now: Timestamp) -> bool {
    listed.reported_at.is_none() && listed.published_at.is_none() && now.duration_since(listed.changed_at) < GOES_ON
}

fn without_report(listed: ListedRun, now: Timestamp) -> RunLine {
    let state = match listed.published_at {
        Some(_) => LineState::Published,
        None if goes_on(&listed, now) => LineState::Running,
        None => LineState::Unfinished,
    };
    let ended_at = listed.published_at;
    RunLine { ended_at, ..bare(listed, state) }
}

fn with_report(listed: ListedRun, CostedReport { report, cost }: CostedReport) -> RunLine {
    let is_stopped =
        report.error.as_ref().is_some_and(|error| error.error == FailureName::Machine(MachineError::Stopped));
    let state = match report.outcome {
        Outcome::Published => LineState::Published,
        Outcome::Skipped => LineState::Skipped,
        // A person has accepted it since.
        Outcome::Rejected if listed.published_at.is_some() => LineState::Published,
        Outcome::Rejected => LineState::Rejected,
        Outcome::Failed if is_stopped => LineState::Stopped,
        Outcome::Failed => LineState::Failed,
    };
    let reason = match state {
        LineState::Rejected => report.broken_rules.first().cloned(),
        LineState::Failed => report.error.as_ref().map(|error| error.error.to_string()),
        _ => None,
    };
    // The gate holds every object of a run that it rejects.
    let by_gate = if state == LineState::Rejected { report.sources.len() as u64 } else { 0 };
    let (ended_at, held) = (Some(report.ended_at), report.held.count + by_gate);
    let cost = cost.and_then(|cost| cost.receipt).map(|receipt| CostLine::of(&receipt));
    RunLine { ended_at, held, reason, cost, ..bare(listed, state) }
}

/// A fault of the lake: logged here with its cause, answered without it.
fn fault(error: &LakeError) -> Problem {
    let name = error.name();
    tracing::error!(error_name = %name, error_message = with_sources(error), "the runs cannot be listed");
    Problem::of_lake(name, "the runs of the lake cannot be listed: give the operator the request id")
}
