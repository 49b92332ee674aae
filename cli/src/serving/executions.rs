//! Executions in this process, with the interface of Step Functions.
//!
//! Running executions and the newest that ended are in memory. Older ones, and runs of earlier processes, are read from
//! the documents that their steps left in the lake. How an older one ended is remembered, because a run that was stopped
//! leaves no document that says so.

mod earlier;
mod forgotten;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::json;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::failure::MachineError;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{ReportedError, RunRequest};
use sluice_executions::history::{PassedState, Transition, take};
use sluice_executions::ports::{
    Execution, ExecutionFault, ExecutionPage, ExecutionStatus, Executions, ListedExecution, Redriven, Started,
};
use sluice_lake::Lake;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use self::earlier::{Earlier, unexpected};
use self::forgotten::Forgotten;
use crate::asl::{ExecutionEvent, ExecutionResult, Observer, Place};
use crate::execution::Execution as Interpreted;

/// Executions at the same time; further ones wait. Each may use the memory and cores of one function, and of up to four
/// while it reads a large run in parts.
const AT_ONCE: usize = 2;
/// Executions of one pipeline at the same time: they work on the same tables, so a second one would only meet the commits of the first.
const AT_ONCE_OF_PIPELINE: usize = 1;
/// Most executions of one pipeline that run or wait.
const MAX_OPEN: usize = 16;
/// Most ended executions that are kept: the newest. Of the others the documents in the lake say what is known, as of those of earlier
/// processes.
const MAX_ENDED: usize = 100;

/// The executions of one lake in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalExecutions {
    lake: Lake,
    earlier: Earlier,
    places: Places,
    known: Known,
    /// Locked after `known`, where both are.
    forgotten: Arc<Mutex<Forgotten>>,
}

/// Where executions run. Cheap to clone.
#[derive(Debug, Clone)]
struct Places {
    all: Arc<Semaphore>,
    /// Those of each pipeline, within all: the executions of one do not keep those of others waiting.
    of_pipelines: Arc<Mutex<BTreeMap<PipelineName, Arc<Semaphore>>>>,
}

impl Places {
    fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), of_pipelines: Arc::default() }
    }

    /// Waits for a place, which is free again when what is returned is dropped.
    async fn taken(&self, pipeline: &PipelineName) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let fresh = || Arc::new(Semaphore::new(AT_ONCE_OF_PIPELINE));
        let own = lock(&self.of_pipelines).entry(pipeline.clone()).or_insert_with(fresh).clone();
        let own = own.acquire_owned().await.ok()?;
        Some((own, self.all.clone().acquire_owned().await.ok()?))
    }
}

type Known = Arc<Mutex<BTreeMap<RunId, Entry>>>;

#[derive(Debug)]
struct Entry {
    pipeline: PipelineName,
    execution: Execution,
    states: Vec<PassedState>,
    /// The state that runs, or that ended the execution.
    place: Option<Place>,
    stop: Arc<Notify>,
}

/// Records the states of one launch of an execution.
struct Passed {
    known: Known,
    forgotten: Arc<Mutex<Forgotten>>,
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
        forget(&mut lock(&self.known), &self.forgotten);
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

/// Whether another execution of this pipeline may be started.
fn admitted(known: &BTreeMap<RunId, Entry>, pipeline: &PipelineName) -> Result<(), ExecutionFault> {
    let is_open = |entry: &&Entry| entry.pipeline == *pipeline && entry.execution.status == ExecutionStatus::Running;
    let open = known.values().filter(is_open).count();
    if open < MAX_OPEN {
        return Ok(());
    }
    let (doing, message) =
        (format!("start a run of pipeline `{pipeline}`"), format!("{open} of its runs have not ended"));
    Err(ExecutionFault::Throttled { doing, message })
}

/// Forgets the ended executions beyond the newest, but how they ended.
fn forget(known: &mut BTreeMap<RunId, Entry>, forgotten: &Mutex<Forgotten>) {
    let ended = known.iter().filter_map(|(run, entry)| Some((entry.execution.ended_at?, run.clone())));
    let mut ended: Vec<(Timestamp, RunId)> = ended.collect();
    ended.sort_unstable();
    let beyond = ended.len().saturating_sub(MAX_ENDED);
    for (_, run) in ended.into_iter().take(beyond) {
        if let Some(entry) = known.remove(&run) {
            lock(forgotten).add(&entry.pipeline, entry.execution);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is complete before the lock is released, even if the thread panics afterwards.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalExecutions {
    /// Executions over this lake, with the specs that are deployed in it. Starts nothing.
    pub fn new(lake: Lake) -> Self {
        let earlier = Earlier::new(lake.clone());
        Self { lake, earlier, places: Places::new(), known: Known::default(), forgotten: Arc::default() }
    }

    /// Runs an execution that is already recorded as running, as soon as a slot is free.
    fn launch(&self, run: &RunId, request: RunRequest, from: Option<Place>, stop: Arc<Notify>, launch: u32) {
        let (known, forgotten) = (self.known.clone(), self.forgotten.clone());
        let passed = Passed { known, forgotten, run: run.clone(), launch };
        let (lake, places) = (self.lake.clone(), self.places.clone());
        tokio::spawn(async move {
            let place = tokio::select! {
                place = places.taken(&request.pipeline) => place,
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

    /// The execution of a run; where several pipelines have one of this name, that of pipeline `of`.
    async fn execution(&self, run: &RunId, of: Option<&PipelineName>) -> Result<Option<Execution>, ExecutionFault> {
        let known = lock(&self.known).get(run).map(|entry| entry.execution.clone());
        match known {
            Some(execution) => Ok(Some(execution)),
            None => {
                let forgotten = lock(&self.forgotten).get(run).cloned();
                self.earlier.execution(run, of, forgotten).await
            }
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
    async fn admit(&self, pipeline: &PipelineName) -> Result<(), ExecutionFault> {
        admitted(&lock(&self.known), pipeline)
    }

    async fn start(&self, run: &RunId, request: &RunRequest) -> Result<Started, ExecutionFault> {
        let input = serde_json::to_value(request).map_err(|e| unexpected(format!("start run {run}"), e.to_string()))?;
        let before = self.execution(run, Some(&request.pipeline)).await?;
        let mut known = lock(&self.known);
        // Another call may have started it in the meantime.
        let there = known.get(run).map(|entry| &entry.execution).or(before.as_ref());
        let ended_here = lock(&self.forgotten).get(run).is_some();
        if let Some(there) = there {
            // Of a forgotten run without documents, only the pipeline is known.
            let is_unknown = ended_here && there.input == json!({ "pipeline": request.pipeline });
            if there.input != input && !is_unknown {
                return Ok(Started::Conflicting);
            }
            // A run that another process abandoned is resumed: its steps continue from the documents that exist. One that
            // ended in this process is not, also when it was forgotten.
            let left_behind = there.status == ExecutionStatus::Aborted && !known.contains_key(run) && !ended_here;
            if !left_behind {
                let runs = there.status == ExecutionStatus::Running;
                return Ok(if runs { Started::Running } else { Started::Ended });
            }
        }
        admitted(&known, &request.pipeline)?;
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
        let pipeline = request.pipeline.clone();
        known.insert(run.clone(), Entry { pipeline, execution, states: Vec::new(), place: None, stop: stop.clone() });
        drop(known);
        self.launch(run, request.clone(), None, stop, 0);
        Ok(Started::Running)
    }

    async fn describe(&self, run: &RunId) -> Result<Option<Execution>, ExecutionFault> {
        self.execution(run, None).await
    }

    /// The states of runs of earlier processes are not stored.
    async fn history(&self, run: &RunId) -> Result<Option<Vec<PassedState>>, ExecutionFault> {
        Ok(lock(&self.known).get(run).map(|entry| entry.states.clone()))
    }

    async fn list(&self, limit: usize, from: Option<&str>) -> Result<ExecutionPage, ExecutionFault> {
        let after = from.map(place).transpose()?;
        let earlier = self.earlier.list().await?;
        let mut all: BTreeMap<(Timestamp, RunId), ListedExecution> = BTreeMap::new();
        let mut add = |run_id: RunId, started_at| {
            all.insert((started_at, run_id.clone()), ListedExecution { run_id, started_at });
        };
        {
            let known = lock(&self.known);
            for (run, entry) in known.iter() {
                add(run.clone(), entry.execution.started_at);
            }
            for (at, run) in earlier.iter().filter(|(_, run)| !known.contains_key(run)) {
                add(run.clone(), *at);
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
            let status = known.get(run).map_or(before.status, |entry| entry.execution.status);
            if !status.is_redrivable() {
                return refused("the run is still running or has succeeded");
            }
            admitted(&known, &request.pipeline)?;
            let (pipeline, stop) = (request.pipeline.clone(), Arc::new(Notify::new()));
            let fresh = || Entry { pipeline, execution: before, states: Vec::new(), place: None, stop: stop.clone() };
            let entry = known.entry(run.clone()).or_insert_with(fresh);
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
        let mut known = lock(&self.known);
        if let Some(entry) = known.get_mut(run)
            && entry.execution.status == ExecutionStatus::Running
        {
            let error = ReportedError { error: MachineError::Stopped.into(), cause: cause.to_owned() };
            end(&mut entry.execution, ExecutionStatus::Aborted, Some(error));
            entry.stop.notify_one();
            forget(&mut known, &self.forgotten);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
