//! Runs as their executions and documents describe them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sluice_core::access::RunRight;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{Changeset, Report, RunAction, RunKey, Verdict};
use sluice_documents::DocumentError;
use sluice_documents::trigger::Trigger;
use sluice_executions::history::PassedState;
use sluice_executions::ports::{Execution, ExecutionFault, ExecutionStatus, Executions};
use sluice_executions::submission::{self, Submission, SubmissionError};
use sluice_http::pipelines::Rights;
pub(crate) use sluice_http::problem::document_problem;
use sluice_http::{Caller, Problem, ProblemCode};

use crate::RunsApi;
use crate::answers::{CommitAnswer, RunAnswer, RunState, RunSummary};
use crate::cursor;

/// How long Step Functions may take to show an execution that it has started: it says seconds.
const STARTING: SignedDuration = SignedDuration::from_secs(60);

/// A fault of executions, for callers. Its message is that of a service or of the lake, so the log has it.
pub(crate) fn fault_problem(fault: &ExecutionFault) -> Problem {
    if let ExecutionFault::UnknownToken { .. } = fault {
        return cursor::invalid("cursor has expired or is not valid: begin at the first page, without `cursor`");
    }
    let name = fault.name();
    tracing::error!(error_name = %name, error_message = with_sources(fault), "an execution cannot be used");
    match fault {
        ExecutionFault::Throttled { .. } => {
            Problem::new(ProblemCode::TooManyRequests, "too many runs are started or read at once: call again")
        }
        ExecutionFault::Unavailable { .. } => {
            Problem::new(ProblemCode::Unavailable, "what runs executions does not answer: call again")
        }
        ExecutionFault::Refused { .. } => Problem::new(
            ProblemCode::InvalidRequest,
            "what runs executions refuses the request, which may be too large: name fewer `objects`",
        ),
        // Callers named no state machine: what is missing is missing in the deployment.
        ExecutionFault::UnknownToken { .. }
        | ExecutionFault::Denied { .. }
        | ExecutionFault::Missing { .. }
        | ExecutionFault::Unexpected { .. } => {
            Problem::new(ProblemCode::Internal, "the executions cannot be used: give the operator the request id")
        }
    }
}

/// Why a request did not become a run, for callers.
pub(crate) fn submission_problem(error: SubmissionError) -> Problem {
    match error {
        error @ (SubmissionError::OtherRequest { .. } | SubmissionError::OtherExecution { .. }) => {
            Problem::new(ProblemCode::Conflict, error.to_string()).in_field("Idempotency-Key")
        }
        SubmissionError::Document(error) => document_problem(&error),
        SubmissionError::Execution(fault) => fault_problem(&fault),
        error @ SubmissionError::Encode { .. } => {
            tracing::error!(error_message = with_sources(&error), "a request cannot be kept");
            Problem::new(ProblemCode::Internal, "the request cannot be kept: give the operator the request id")
        }
    }
}

/// Why a run cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunFault {
    /// Its execution cannot be read.
    #[error(transparent)]
    Execution(#[from] ExecutionFault),
    /// A document of it cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl RunFault {
    /// Whether it is about the store or service, so that other runs cannot be read either.
    fn is_of_all(&self) -> bool {
        let name = match self {
            Self::Execution(fault) => fault.name(),
            Self::Document(error) => error.name(),
        };
        matches!(name, ErrorName::Throttled | ErrorName::Unavailable | ErrorName::AccessDenied)
    }
}

impl From<RunFault> for Problem {
    fn from(fault: RunFault) -> Self {
        match fault {
            RunFault::Execution(fault) => fault_problem(&fault),
            RunFault::Document(error) => document_problem(&error),
        }
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
        let execution = self.executions.describe(run).await.map_err(|fault| fault_problem(&fault))?;
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

    async fn report(&self, run: Option<&RunKey>) -> Result<Option<Report>, RunFault> {
        let Some(run) = run else { return Ok(None) };
        Ok(self.documents.of(run).get().await?)
    }

    async fn passed(&self, run: &RunId) -> Result<Vec<PassedState>, RunFault> {
        Ok(self.executions.history(run).await?.unwrap_or_default())
    }

    /// A run of a list in one line, when it is of this pipeline and the caller may read it. One that cannot be read is left out: it must
    /// not keep the others from the caller.
    ///
    /// # Errors
    /// What keeps every run from being read.
    pub(crate) async fn listed(
        &self,
        run: &RunId,
        pipeline: Option<&PipelineName>,
        rights: &Rights<'_>,
    ) -> Result<Option<RunSummary>, RunFault> {
        match self.listed_or_fault(run, pipeline, rights).await {
            Err(fault) if !fault.is_of_all() => {
                let error_message = with_sources(&fault);
                tracing::error!(run_id = %run, error_message, "a run cannot be read, so it is not listed");
                Ok(None)
            }
            listed => listed,
        }
    }

    async fn listed_or_fault(
        &self,
        run: &RunId,
        pipeline: Option<&PipelineName>,
        rights: &Rights<'_>,
    ) -> Result<Option<RunSummary>, RunFault> {
        let Some(execution) = self.executions.describe(run).await? else { return Ok(None) };
        let Some(key) = self.run_of(&execution) else { return Ok(None) };
        if pipeline.is_some_and(|wanted| *wanted != key.pipeline) || !rights.may_read(&key.pipeline) {
            return Ok(None);
        }
        self.summary(&execution).await.map(Some)
    }

    /// A run in one line.
    pub(crate) async fn summary(&self, execution: &Execution) -> Result<RunSummary, RunFault> {
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
        let Some(execution) = self.executions.describe(run).await.map_err(|fault| fault_problem(&fault))? else {
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
