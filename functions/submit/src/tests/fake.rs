use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use sluice_core::error::ErrorName;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{ReportedError, RunRequest};
use sluice_executions::history::PassedState;
use sluice_executions::ports::{
    Execution, ExecutionFault, ExecutionPage, ExecutionStatus, Executions, ListedExecution, Redriven, Started,
};

/// Fakes a service of executions: keeps them in memory and runs nothing. Executions stay as they are until a test sets
/// another status, or has them end after some looks. Its page tokens are numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeExecutions(Arc<Mutex<Fake>>);

#[derive(Debug, Default)]
struct Fake {
    executions: Vec<Execution>,
    starts: usize,
    lists: usize,
    /// Looks until a running execution has succeeded; never without.
    looks_left: Option<u32>,
    /// The next start answers that the service is not there.
    start_fails: bool,
    /// Most executions that may be started; any number without.
    most: Option<usize>,
    /// What is answered instead of the executions of these runs.
    broken: BTreeMap<String, ExecutionFault>,
}

impl FakeExecutions {
    pub(super) fn ending_after(looks: u32) -> Self {
        let fake = Self::default();
        fake.0.lock().unwrap().looks_left = Some(looks);
        fake
    }

    pub(super) fn fail_next_start(&self) {
        self.0.lock().unwrap().start_fails = true;
    }

    /// No further execution may be started from now on.
    pub(super) fn fill(&self) {
        self.leave_room(0);
    }

    /// So many further executions may be started from now on.
    pub(super) fn leave_room(&self, further: usize) {
        let mut fake = self.0.lock().unwrap();
        fake.most = Some(fake.starts + further);
    }

    /// The execution of this run cannot be read from now on.
    pub(super) fn break_run(&self, run: &str, fault: ExecutionFault) {
        self.0.lock().unwrap().broken.insert(run.to_owned(), fault);
    }

    /// Executions that were started, not counting starts that found one.
    pub(super) fn starts(&self) -> usize {
        self.0.lock().unwrap().starts
    }

    /// Pages that were asked for.
    pub(super) fn lists(&self) -> usize {
        self.0.lock().unwrap().lists
    }

    pub(super) fn put(&self, run: &str, pipeline: &str, status: ExecutionStatus, redrives: u32) {
        let ended_at = (status != ExecutionStatus::Running).then_some(Timestamp::UNIX_EPOCH);
        let error = (status == ExecutionStatus::Failed)
            .then(|| ReportedError { error: ErrorName::NotFound.into(), cause: "no table".to_owned() });
        self.0.lock().unwrap().executions.push(Execution {
            run_id: run.parse().unwrap(),
            status,
            started_at: Timestamp::UNIX_EPOCH,
            ended_at,
            redrives,
            input: serde_json::json!({ "pipeline": pipeline }),
            error,
        });
    }

    /// A run that a delivery started, through EventBridge Pipes, and that failed with this error.
    pub(super) fn put_failed_delivery(&self, run: &str, pipeline: &str, error: &str) {
        self.put(run, pipeline, ExecutionStatus::Failed, 0);
        let mut fake = self.0.lock().unwrap();
        let execution = fake.executions.last_mut().unwrap();
        execution.input = serde_json::json!([{ "pipeline": pipeline }]);
        execution.error = Some(ReportedError { error: error.to_owned().into(), cause: "why".to_owned() });
    }

    pub(super) fn status(&self, run: &str) -> ExecutionStatus {
        let fake = self.0.lock().unwrap();
        fake.executions.iter().find(|execution| execution.run_id.as_str() == run).unwrap().status
    }
}

impl Fake {
    fn admitted(&self, pipeline: &PipelineName) -> Result<(), ExecutionFault> {
        if self.most.is_none_or(|most| self.starts < most) {
            return Ok(());
        }
        let (doing, message) = (format!("start a run of `{pipeline}`"), "too many".to_owned());
        Err(ExecutionFault::Throttled { doing, message })
    }
}

impl Executions for FakeExecutions {
    async fn admit(&self, pipeline: &PipelineName) -> Result<(), ExecutionFault> {
        self.0.lock().unwrap().admitted(pipeline)
    }

    async fn start(&self, run: &RunId, request: &RunRequest) -> Result<Started, ExecutionFault> {
        let input = serde_json::to_value(request).unwrap();
        let mut fake = self.0.lock().unwrap();
        if std::mem::take(&mut fake.start_fails) {
            let (doing, message) = (format!("start run {run}"), "no answer".to_owned());
            return Err(ExecutionFault::Unavailable { doing, message });
        }
        if let Some(there) = fake.executions.iter().find(|execution| execution.run_id == *run) {
            return Ok(match there.status {
                _ if there.input != input => Started::Conflicting,
                ExecutionStatus::Running => Started::Running,
                _ => Started::Ended,
            });
        }
        fake.admitted(&request.pipeline)?;
        fake.starts += 1;
        fake.executions.push(Execution {
            run_id: run.clone(),
            status: ExecutionStatus::Running,
            started_at: Timestamp::now(),
            ended_at: None,
            redrives: 0,
            input,
            error: None,
        });
        Ok(Started::Running)
    }

    async fn describe(&self, run: &RunId) -> Result<Option<Execution>, ExecutionFault> {
        let mut fake = self.0.lock().unwrap();
        if let Some(fault) = fake.broken.get(run.as_str()) {
            return Err(fault.clone());
        }
        let ends = match &mut fake.looks_left {
            Some(looks) => {
                *looks = looks.saturating_sub(1);
                *looks == 0
            }
            None => false,
        };
        let Some(there) = fake.executions.iter_mut().find(|there| there.run_id == *run) else { return Ok(None) };
        if ends && there.status == ExecutionStatus::Running {
            (there.status, there.ended_at) = (ExecutionStatus::Succeeded, Some(Timestamp::now()));
        }
        Ok(Some(there.clone()))
    }

    async fn history(&self, run: &RunId) -> Result<Option<Vec<PassedState>>, ExecutionFault> {
        let found = self.describe(run).await?;
        let at = Timestamp::UNIX_EPOCH;
        let state = |name: &str, exited_at| PassedState { name: name.to_owned(), entered_at: at, exited_at };
        Ok(found.map(|execution| match execution.status {
            ExecutionStatus::Succeeded => vec![state("Receive", Some(at)), state("Published", Some(at))],
            _ => vec![state("Receive", Some(at)), state("Validate", None)],
        }))
    }

    async fn list(&self, limit: usize, token: Option<&str>) -> Result<ExecutionPage, ExecutionFault> {
        let unknown = |_| ExecutionFault::UnknownToken { doing: "list".to_owned(), message: "no token".to_owned() };
        let from: usize = token.map_or(Ok(0), str::parse).map_err(unknown)?;
        let mut fake = self.0.lock().unwrap();
        fake.lists += 1;
        let newest = fake.executions.iter().rev().skip(from).take(limit);
        let executions: Vec<_> = newest
            .map(|there| ListedExecution { run_id: there.run_id.clone(), started_at: there.started_at })
            .collect();
        let end = from + executions.len();
        Ok(ExecutionPage { executions, next: (end < fake.executions.len()).then(|| end.to_string()) })
    }

    async fn redrive(&self, run: &RunId) -> Result<Redriven, ExecutionFault> {
        let mut fake = self.0.lock().unwrap();
        let there = fake.executions.iter_mut().find(|there| there.run_id == *run).unwrap();
        if !there.status.is_redrivable() {
            return Ok(Redriven::Refused { reason: "not redrivable".to_owned() });
        }
        (there.status, there.ended_at, there.redrives) = (ExecutionStatus::Running, None, there.redrives + 1);
        Ok(Redriven::Running)
    }

    async fn stop(&self, run: &RunId, _: &str) -> Result<(), ExecutionFault> {
        let mut fake = self.0.lock().unwrap();
        if let Some(there) = fake.executions.iter_mut().find(|there| there.run_id == *run) {
            there.status = ExecutionStatus::Aborted;
        }
        Ok(())
    }
}
