//! Executions in this process, with the interface of Step Functions.
//!
//! Running executions are in memory. Runs of earlier processes are read from the documents that their steps left in the lake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::failure::MachineError;
use sluice_core::name::RunId;
use sluice_core::run::{ReportedError, RunRequest};
use sluice_executions::history::{PassedState, Transition, take};
use sluice_executions::ports::{
    Execution, ExecutionFault, ExecutionPage, ExecutionStatus, Executions, ListedExecution, Redriven, Started,
};
use sluice_lake::inspect::{self, RunState, RunSummary};
use sluice_lake::{Lake, LakeError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use crate::asl::{ExecutionEvent, ExecutionResult, Observer, Place};
use crate::execution::Execution as Interpreted;

/// Executions at the same time; further ones wait. Each may use the memory and cores of one function.
const AT_ONCE: usize = 2;
/// How many runs of earlier processes are listed: the newest ones.
const MAX_EARLIER: usize = 1000;

/// The executions of one lake in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalExecutions {
    lake: Lake,
    places: Arc<Semaphore>,
    known: Known,
}

type Known = Arc<Mutex<BTreeMap<RunId, Entry>>>;

#[derive(Debug)]
struct Entry {
    execution: Execution,
    states: Vec<PassedState>,
    /// The state that runs, or that ended the execution.
    place: Option<Place>,
    stop: Arc<Notify>,
}

/// Records the states of one launch of an execution.
struct Passed {
    known: Known,
    run: RunId,
    /// Number of the launch: events of a launch that was stopped are not recorded for the next one.
    launch: u32,
}

impl Passed {
    fn update(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = lock(&self.known).get_mut(&self.run)
            && entry.execution.redrives == self.launch
            && entry.execution.status == ExecutionStatus::Running
        {
            change(entry);
        }
    }

    fn end(&self, status: ExecutionStatus, error: Option<ReportedError>) {
        self.update(|entry| end(&mut entry.execution, status, error));
    }
}

impl Observer for Passed {
    fn on(&self, event: &ExecutionEvent) {
        let transition = match event {
            ExecutionEvent::StateEntered { name, at, input, .. } => {
                let place = Place { state: name.clone(), input: input.clone() };
                self.update(|entry| entry.place = Some(place));
                Transition::Entered { name: name.clone(), at: *at }
            }
            ExecutionEvent::StateExited { name, at, .. } => Transition::Exited { name: name.clone(), at: *at },
            _ => return,
        };
        self.update(|entry| take(&mut entry.states, transition));
    }
}

fn end(execution: &mut Execution, status: ExecutionStatus, error: Option<ReportedError>) {
    execution.status = status;
    execution.ended_at = Some(Timestamp::now());
    execution.error = error;
}

fn lock(known: &Known) -> MutexGuard<'_, BTreeMap<RunId, Entry>> {
    // Every change is complete before the lock is released, even if the thread panics afterwards.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalExecutions {
    /// Executions over this lake, with the specs that are deployed in it. Starts nothing.
    pub fn new(lake: Lake) -> Self {
        Self { lake, places: Arc::new(Semaphore::new(AT_ONCE)), known: Known::default() }
    }

    /// Runs an execution that is already recorded as running, as soon as a slot is free.
    fn launch(&self, run: &RunId, request: RunRequest, from: Option<Place>, stop: Arc<Notify>, launch: u32) {
        let passed = Passed { known: self.known.clone(), run: run.clone(), launch };
        let (lake, places) = (self.lake.clone(), self.places.clone());
        tokio::spawn(async move {
            let place = tokio::select! {
                place = places.acquire_owned() => place,
                () = stop.notified() => return,
            };
            // Handlers compute for a long time between awaits; a thread of its own keeps them from blocking others.
            let runtime = Handle::current();
            let passed = Arc::new(passed);
            let observer = passed.clone();
            let executed = tokio::task::spawn_blocking(move || {
                runtime.block_on(execute(&lake, request, from, &observer, &stop));
            });
            if let Err(broken) = executed.await {
                let cause = format!("the execution panicked: {broken}");
                passed.end(ExecutionStatus::Failed, Some(ReportedError { error: ErrorName::Internal.into(), cause }));
            }
            drop(place);
        });
    }

    /// A run of an earlier process.
    async fn earlier(&self, run: &RunId) -> Result<Option<Execution>, ExecutionFault> {
        let doing = || format!("find run {run}");
        let details = match inspect::find_run(&self.lake, run).await {
            Ok(pipeline) => inspect::run_details(&self.lake, &pipeline, run).await,
            Err(error) => Err(error),
        };
        match details {
            Ok(details) => {
                let request = details.plan.as_ref().map(|plan| serde_json::to_value(&plan.request)).transpose();
                let request = request.map_err(|error| unexpected(doing(), error.to_string()))?;
                Ok(Some(of_documents(details.summary, request)))
            }
            Err(LakeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(fault(doing(), &error)),
        }
    }
}

/// Executes until the end or the stop, and records how it ended.
async fn execute(lake: &Lake, request: RunRequest, from: Option<Place>, passed: &Passed, stop: &Notify) {
    let execution = match (Interpreted::new(lake, request, &passed.run), from) {
        (Ok(execution), Some(place)) => execution.redriven(place),
        (Ok(execution), None) => execution,
        (Err(error), _) => {
            let error = ReportedError { error: ErrorName::Internal.into(), cause: with_sources(&*error) };
            return passed.end(ExecutionStatus::Failed, Some(error));
        }
    };
    let result = tokio::select! {
        result = execution.observed(passed) => Some(result),
        () = stop.notified() => None,
    };
    match result {
        Some(ExecutionResult::Succeeded { .. }) => passed.end(ExecutionStatus::Succeeded, None),
        Some(ExecutionResult::Failed { error, cause, .. }) => {
            passed.end(ExecutionStatus::Failed, Some(ReportedError { error: error.into(), cause }));
        }
        // Whoever stopped it has recorded that.
        None => execution.stop().await,
    }
}

/// A run, read from its documents. A run without an end was abandoned when the process that ran it ended.
fn of_documents(summary: RunSummary, request: Option<Value>) -> Execution {
    let status = match summary.state {
        RunState::Published | RunState::Skipped | RunState::Rejected | RunState::Accepted => ExecutionStatus::Succeeded,
        RunState::Failed => ExecutionStatus::Failed,
        RunState::Unfinished => ExecutionStatus::Aborted,
    };
    let given_up =
        || ReportedError { error: MachineError::Stopped.into(), cause: "the process that ran it ended".to_owned() };
    let started_at = started_at(&summary);
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

fn started_at(summary: &RunSummary) -> Timestamp {
    summary.planned_at.or(summary.ended_at).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn unexpected(doing: String, message: String) -> ExecutionFault {
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

/// The cursor that continues the list after this execution.
fn token(listed: &ListedExecution) -> String {
    format!("{}|{}", listed.started_at, listed.run_id)
}

fn place(token: &str) -> Result<(Timestamp, RunId), ExecutionFault> {
    let parsed = token.split_once('|').and_then(|(at, run)| Some((at.parse().ok()?, run.parse().ok()?)));
    parsed.ok_or_else(|| ExecutionFault::UnknownToken {
        doing: "list runs".to_owned(),
        message: "the page token was not issued by this process: list again from the first page".to_owned(),
    })
}

impl Executions for LocalExecutions {
    async fn start(&self, run: &RunId, request: &RunRequest) -> Result<Started, ExecutionFault> {
        let input = serde_json::to_value(request).map_err(|e| unexpected(format!("start run {run}"), e.to_string()))?;
        let before = self.describe(run).await?;
        let mut known = lock(&self.known);
        // Another call may have started it in the meantime.
        let there = known.get(run).map(|entry| &entry.execution).or(before.as_ref());
        if let Some(there) = there {
            if there.input != input {
                return Ok(Started::Conflicting);
            }
            // A run that another process abandoned is resumed: its steps continue from the documents that exist.
            let left_behind = there.status == ExecutionStatus::Aborted && !known.contains_key(run);
            if !left_behind {
                let runs = there.status == ExecutionStatus::Running;
                return Ok(if runs { Started::Running } else { Started::Ended });
            }
        }
        let stop = Arc::new(Notify::new());
        let execution = Execution {
            run_id: run.clone(),
            status: ExecutionStatus::Running,
            started_at: Timestamp::now(),
            ended_at: None,
            redrives: 0,
            input,
            error: None,
        };
        known.insert(run.clone(), Entry { execution, states: Vec::new(), place: None, stop: stop.clone() });
        drop(known);
        self.launch(run, request.clone(), None, stop, 0);
        Ok(Started::Running)
    }

    async fn describe(&self, run: &RunId) -> Result<Option<Execution>, ExecutionFault> {
        let known = lock(&self.known).get(run).map(|entry| entry.execution.clone());
        match known {
            Some(execution) => Ok(Some(execution)),
            None => self.earlier(run).await,
        }
    }

    /// The states of runs of earlier processes are not stored.
    async fn history(&self, run: &RunId) -> Result<Option<Vec<PassedState>>, ExecutionFault> {
        Ok(lock(&self.known).get(run).map(|entry| entry.states.clone()))
    }

    async fn list(&self, limit: usize, from: Option<&str>) -> Result<ExecutionPage, ExecutionFault> {
        let after = from.map(place).transpose()?;
        let earlier = inspect::runs(&self.lake, None, MAX_EARLIER).await;
        let earlier = earlier.map_err(|error| fault("list runs".to_owned(), &error))?;
        let mut all: BTreeMap<(Timestamp, RunId), ListedExecution> = BTreeMap::new();
        let mut add = |run_id: RunId, started_at| {
            all.insert((started_at, run_id.clone()), ListedExecution { run_id, started_at });
        };
        {
            let known = lock(&self.known);
            for (run, entry) in known.iter() {
                add(run.clone(), entry.execution.started_at);
            }
            for summary in earlier.into_iter().filter(|summary| !known.contains_key(&summary.run_id)) {
                let at = started_at(&summary);
                add(summary.run_id, at);
            }
        }
        let mut rest = all.into_iter().rev().filter(|(at, _)| after.as_ref().is_none_or(|after| at < after));
        let executions: Vec<ListedExecution> = rest.by_ref().take(limit).map(|(_, listed)| listed).collect();
        let more = rest.next().is_some();
        let next = executions.last().filter(|_| more).map(token);
        Ok(ExecutionPage { executions, next })
    }

    /// Goes on in the state that ended the execution, as Step Functions does. A run of an earlier process, whose states are
    /// not stored, begins with its first state: each step finds the document that it wrote before, so nothing is done twice.
    async fn redrive(&self, run: &RunId) -> Result<Redriven, ExecutionFault> {
        let doing = || format!("redrive run {run}");
        let refused = |reason: &str| Ok(Redriven::Refused { reason: reason.to_owned() });
        let Some(before) = self.describe(run).await? else { return refused("the run does not exist") };
        let request: RunRequest = serde_json::from_value(before.input.clone())
            .map_err(|error| unexpected(doing(), format!("its request cannot be read: {error}")))?;
        let (from, stop, launch) = {
            let mut known = lock(&self.known);
            let stop = Arc::new(Notify::new());
            let fresh = || Entry { execution: before, states: Vec::new(), place: None, stop: stop.clone() };
            let entry = known.entry(run.clone()).or_insert_with(fresh);
            if !entry.execution.status.is_redrivable() {
                return refused("the run is still running or has succeeded");
            }
            entry.stop = stop.clone();
            let execution = &mut entry.execution;
            (execution.status, execution.ended_at, execution.error) = (ExecutionStatus::Running, None, None);
            execution.redrives = execution.redrives.saturating_add(1);
            (entry.place.clone(), stop, execution.redrives)
        };
        self.launch(run, request, from, stop, launch);
        Ok(Redriven::Running)
    }

    async fn stop(&self, run: &RunId, cause: &str) -> Result<(), ExecutionFault> {
        if let Some(entry) = lock(&self.known).get_mut(run)
            && entry.execution.status == ExecutionStatus::Running
        {
            let error = ReportedError { error: MachineError::Stopped.into(), cause: cause.to_owned() };
            end(&mut entry.execution, ExecutionStatus::Aborted, Some(error));
            entry.stop.notify_one();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
