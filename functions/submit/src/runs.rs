//! Runs as their executions and documents describe them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sluice_core::access::RunRight;
use sluice_core::error::StepError;
use sluice_core::name::RunId;
use sluice_core::run::{Changeset, Report, RunAction, RunKey, Verdict};
use sluice_documents::DocumentError;
use sluice_documents::trigger::Trigger;
use sluice_executions::history::PassedState;
use sluice_executions::ports::{Execution, ExecutionFault, ExecutionStatus, Executions};
use sluice_executions::submission::{self, Submission};
use sluice_http::{Caller, Problem, ProblemCode};

use crate::RunsApi;
use crate::answers::{CommitAnswer, RunAnswer, RunState, RunSummary};
use crate::cursor;

/// How long Step Functions may take to show an execution that it has started: it says seconds.
const STARTING: SignedDuration = SignedDuration::from_secs(60);

pub(crate) fn document_problem(error: &DocumentError) -> Problem {
    Problem::of_step(&StepError::new(error.name(), error))
}

pub(crate) fn fault_problem(fault: ExecutionFault) -> Problem {
    match fault {
        ExecutionFault::UnknownToken { .. } => {
            cursor::invalid("cursor has expired or is not valid: begin at the first page, without `cursor`")
        }
        // Callers named no state machine: what is missing is missing in the deployment.
        fault @ ExecutionFault::Missing { .. } => Problem::new(ProblemCode::Internal, fault.to_string()),
        fault => Problem::of_step(&fault.into()),
    }
}

pub(crate) fn no_run(run: &RunId) -> Problem {
    Problem::new(ProblemCode::NotFound, format!("there is no run `{run}`: see GET /runs"))
}

impl RunsApi {
    /// Whether the caller has this right on a run, which is noted on their trail.
    ///
    /// # Errors
    /// `not-found` for a run that does not exist or that the caller may not know of, without difference; `forbidden` for one that they may
    /// only read, and for whoever has no right on any run.
    pub(crate) async fn check(&self, caller: &Caller, run: &RunId, right: RunRight) -> Result<(), Problem> {
        caller.trail.note(|event| event.run = Some(run.clone()));
        let rights = self.pipelines.rights(caller).await?;
        let execution = self.executions.describe(run).await.map_err(fault_problem)?;
        let pipeline = match &execution {
            Some(execution) => self.run_of(execution).map(|run| run.pipeline),
            None => {
                let submitted = submission::find(&self.documents, run).await;
                submitted.map_err(|error| document_problem(&error))?.map(|submitted| submitted.request.pipeline)
            }
        };
        let pipeline = pipeline.ok_or_else(|| no_run(run))?;
        rights.check(&pipeline, right, || no_run(run)).map(|_| ())
    }

    /// The run whose documents belong to an execution: its own, or the one it accepts.
    pub(crate) fn run_of(&self, execution: &Execution) -> Option<RunKey> {
        let trigger = serde_json::from_value::<Trigger>(execution.input.clone()).ok()?;
        let request = trigger.into_request(self.documents.root()).ok()?;
        let run_id = match request.action {
            RunAction::Accept { run_id } => run_id,
            RunAction::Ingest | RunAction::Replay => execution.run_id.clone(),
        };
        Some(RunKey { pipeline: request.pipeline, run_id })
    }

    async fn report(&self, run: Option<&RunKey>) -> Result<Option<Report>, Problem> {
        let Some(run) = run else { return Ok(None) };
        self.documents.of(run).get().await.map_err(|error| document_problem(&error))
    }

    async fn passed(&self, run: &RunId) -> Result<Vec<PassedState>, Problem> {
        Ok(self.executions.history(run).await.map_err(fault_problem)?.unwrap_or_default())
    }

    /// A run in one line.
    pub(crate) async fn summary(&self, execution: &Execution) -> Result<RunSummary, Problem> {
        let key = self.run_of(execution);
        let report = match execution.status {
            ExecutionStatus::Succeeded => self.report(key.as_ref()).await?,
            _ => None,
        };
        let states = match (execution.status, &report) {
            (ExecutionStatus::Succeeded, None) => self.passed(&execution.run_id).await?,
            _ => Vec::new(),
        };
        Ok(summary_of(execution, key.as_ref(), report.as_ref(), &states))
    }

    /// Everything that is known of a run.
    pub(crate) async fn run(&self, run: &RunId, now: Timestamp) -> Result<RunAnswer, Problem> {
        let submitted = submission::find(&self.documents, run).await.map_err(|error| document_problem(&error))?;
        let Some(execution) = self.executions.describe(run).await.map_err(fault_problem)? else {
            return self.run_without_execution(run, submitted.as_ref(), now).await;
        };
        let key = self.run_of(&execution);
        let report = self.report(key.as_ref()).await?;
        let states = self.passed(run).await?;
        let mut answer = RunAnswer {
            summary: summary_of(&execution, key.as_ref(), report.as_ref(), &states),
            requested_by: submitted.map(|submitted| submitted.caller),
            states: states.into_iter().map(Into::into).collect(),
            rows: BTreeMap::new(),
            committed: Vec::new(),
            verdict: None,
            error: execution.error.map(Into::into),
        };
        if let Some(key) = key {
            self.tell_documents(&mut answer, &key, report).await?;
        }
        Ok(answer)
    }

    /// A run that the service forgot, as it does after 90 days, or does not show yet.
    async fn run_without_execution(
        &self,
        run: &RunId,
        submitted: Option<&Submission>,
        now: Timestamp,
    ) -> Result<RunAnswer, Problem> {
        let Some(submitted) = submitted else { return Err(no_run(run)) };
        let key = RunKey { pipeline: submitted.request.pipeline.clone(), run_id: run.clone() };
        let report = self.report(Some(&key)).await?;
        let (state, ended_at) = match &report {
            Some(report) => (report.outcome.into(), Some(report.ended_at)),
            None if now.duration_since(submitted.accepted_at) < STARTING => (RunState::Running, None),
            None => {
                let detail = format!(
                    "run `{run}` was accepted, but its execution does not exist: send the same request with the same key again"
                );
                return Err(Problem::new(ProblemCode::NotFound, detail));
            }
        };
        let mut answer = RunAnswer {
            summary: RunSummary {
                run_id: run.to_string(),
                pipeline: Some(key.pipeline.to_string()),
                state,
                started_at: submitted.accepted_at,
                ended_at,
                redrives: 0,
            },
            requested_by: Some(submitted.caller.clone()),
            states: Vec::new(),
            rows: BTreeMap::new(),
            committed: Vec::new(),
            verdict: None,
            error: report.as_ref().and_then(|report| report.error.clone()).map(Into::into),
        };
        self.tell_documents(&mut answer, &key, report).await?;
        Ok(answer)
    }

    /// Adds what the documents of the newest attempt say.
    async fn tell_documents(
        &self,
        answer: &mut RunAnswer,
        run: &RunKey,
        report: Option<Report>,
    ) -> Result<(), Problem> {
        let wrong = |error: DocumentError| document_problem(&error);
        let attempts = self.documents.of(run).attempts().await.map_err(wrong)?;
        if let Some(audited) = attempts.newest_attempt::<Verdict>() {
            let verdict: Option<Verdict> = self.documents.of(&audited).get().await.map_err(wrong)?;
            answer.verdict = verdict.as_ref().map(Into::into);
        }
        match report {
            Some(report) => {
                answer.rows = report.rows.into_iter().map(|(table, rows)| (table, rows.into())).collect();
                let committed = report.committed.into_iter();
                answer.committed = committed
                    .map(|c| CommitAnswer { table: c.table.to_string(), version: c.version, rows: c.rows })
                    .collect();
            }
            // The rows are known before the run has ended.
            None => {
                if let Some(staged) = attempts.newest_attempt::<Changeset>() {
                    let changeset: Option<Changeset> = self.documents.of(&staged).get().await.map_err(wrong)?;
                    let tables = changeset.into_iter().flat_map(|changeset| changeset.tables);
                    answer.rows = tables.map(|change| (change.table.to_string(), change.rows.into())).collect();
                }
            }
        }
        Ok(())
    }
}

fn summary_of(
    execution: &Execution,
    key: Option<&RunKey>,
    report: Option<&Report>,
    states: &[PassedState],
) -> RunSummary {
    let state = match execution.status {
        ExecutionStatus::Running => RunState::Running,
        ExecutionStatus::Failed | ExecutionStatus::TimedOut => RunState::Failed,
        ExecutionStatus::Aborted => RunState::Stopped,
        // The name of the last state is the result; without a history the report says the same.
        ExecutionStatus::Succeeded => match states.last().map(|state| state.name.as_str()) {
            Some("Published") => RunState::Published,
            Some("Skipped") => RunState::Skipped,
            Some("Rejected") => RunState::Rejected,
            _ => report.map_or(RunState::Succeeded, |report| report.outcome.into()),
        },
    };
    RunSummary {
        run_id: execution.run_id.to_string(),
        pipeline: key.map(|key| key.pipeline.to_string()),
        state,
        started_at: execution.started_at,
        ended_at: execution.ended_at,
        redrives: execution.redrives,
    }
}
