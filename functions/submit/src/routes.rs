//! The routes.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use sluice_core::access::RunRight;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::uri::{LakePath, layout};
use sluice_executions::control::{self, Controlled};
use sluice_executions::ports::{ExecutionStatus, Executions, Started};
use sluice_executions::submission::{self, Submission};
use sluice_http::{Caller, Json, Problem, ProblemCode, Query};
use utoipa::IntoParams;

use crate::RunsApi;
use crate::answers::{RunAnswer, RunState, RunSummary, RunsAnswer};
use crate::request::{NamedRun, ProcessBody, WaitQuery, key_of};
use crate::runs::{document_problem, fault_problem, no_run, submission_problem};

/// Time between two reads of a run while a call waits for it: at most 25 reads per call, far below the service's quota.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most executions read for one page: 200 calls, 8 at once, of 50 ms each are 1.3 s.
const MAX_LOOKS: usize = 200;
/// Reads that a list of executions counts as, however few it has: so one page of runs takes at most 20 of them.
const LOOKS_OF_LIST: usize = 10;
/// Calls at once.
const AT_ONCE: usize = 8;
/// Most runs of a page.
const MAX_LIMIT: usize = 100;
/// Runs of a page when nothing is said.
const DEFAULT_LIMIT: usize = 20;

/// Starts a run.
///
/// With the header `Idempotency-Key`, the same request of the same caller again finds its run; without it, every request
/// starts one.
#[utoipa::path(
    post, path = "/process", tag = "runs",
    params(
        WaitQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "the caller's own name for this request, 1 to 255 visible ASCII characters"),
    ),
    request_body = ProcessBody,
    responses(
        (status = 202, description = "the run is on its way", body = RunSummary, headers(("Location" = String, description = "address of the run"))),
        (status = 200, description = "the run ended while it was waited for", body = RunAnswer, headers(("Location" = String, description = "address of the run"))),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the spec of the pipeline does not give you the right", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not-found`: no such pipeline", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request-timeout`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: the key was used with another body", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body-too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-requests`", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn process(
    State(api): State<RunsApi>,
    caller: Caller,
    Query(wait): Query<WaitQuery>,
    headers: HeaderMap,
    Json(body): Json<ProcessBody>,
) -> Result<Response, Problem> {
    let now = Timestamp::now();
    let pipeline = body.pipeline().clone();
    let rights = api.pipelines.rights(&caller).await?;
    let spec = rights.check(&pipeline, RunRight::Start, || {
        let detail =
            format!("pipeline `{pipeline}` is not deployed: there is no '{}' for you", layout::spec(&pipeline));
        Problem::new(ProblemCode::NotFound, detail).in_field("pipeline")
    })?;
    let (wait, key) = (wait.seconds()?, key_of(&headers)?);
    let folders: Vec<LakePath> = spec.all_sources().map(|(_, source)| source.prefix.clone()).collect();
    let request = body.into_request(api.documents.root(), &folders, !spec.sources.is_empty())?;
    // Keys belong to the role, so that another session of it finds the run of the first.
    let run_id = submission::run_id(&caller.name(), key.as_ref())
        .map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    caller.trail.note(|event| event.run = Some(run_id.clone()));
    let starting = api.starting.lock().await;
    check_room(&api, &pipeline, &run_id).await?;
    let asked = Submission::new(run_id, &caller.presented, now, request).map_err(submission_problem)?;
    let (settled, started) =
        submission::submit(&api.documents, &api.executions, asked).await.map_err(submission_problem)?;
    drop(starting);
    let repeated = settled.accepted_at != now;
    tracing::info!(caller = caller.presented, run_id = %settled.run_id, %pipeline, repeated, "run started");
    if ended_within(&api, &settled.run_id, wait).await? {
        let answer = api.run(&settled.run_id, Timestamp::now()).await?;
        return Ok(located(&settled.run_id, (StatusCode::OK, Json(answer)).into_response()));
    }
    let execution = match started {
        Started::Ended => api.executions.describe(&settled.run_id).await.map_err(|fault| fault_problem(&fault))?,
        _ => None,
    };
    let summary = match execution {
        Some(execution) => api.summary(&execution).await?,
        None => RunSummary {
            run_id: settled.run_id.to_string(),
            pipeline: Some(pipeline.to_string()),
            state: RunState::Running,
            started_at: settled.accepted_at,
            ended_at: None,
            redrives: 0,
        },
    };
    Ok(located(&settled.run_id, (StatusCode::ACCEPTED, Json(summary)).into_response()))
}

/// Whether a run of this pipeline may be started. One that a request asked for before is found, however many there are.
///
/// # Errors
/// `too-many-requests`, before anything is kept of the request.
async fn check_room(api: &RunsApi, pipeline: &PipelineName, run: &RunId) -> Result<(), Problem> {
    let Err(fault) = api.executions.admit(pipeline).await else { return Ok(()) };
    let kept = submission::find(&api.documents, run).await.map_err(|error| document_problem(&error))?;
    if kept.is_some() { Ok(()) } else { Err(fault_problem(&fault)) }
}

/// Whether the run ends within this time. Bounded: it is read now and once per second.
async fn ended_within(api: &RunsApi, run: &RunId, seconds: u64) -> Result<bool, Problem> {
    for _ in 0..seconds {
        tokio::time::sleep(LOOK_EVERY).await;
        // An execution that was just started may not be shown yet.
        let execution = api.executions.describe(run).await.map_err(|fault| fault_problem(&fault))?;
        if execution.is_some_and(|execution| execution.status != ExecutionStatus::Running) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn located(run: &RunId, mut response: Response) -> Response {
    // Run ids have no character that a header has not.
    if let Ok(value) = HeaderValue::from_str(&format!("/runs/{run}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// Shows a run: how far it is, the states it has passed, rows, verdict and error.
#[utoipa::path(
    get, path = "/runs/{id}", tag = "runs",
    params(("id" = String, Path, description = "identifier of the run")),
    responses(
        (status = 200, description = "the run", body = RunAnswer),
        (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the spec of the pipeline does not give you the right", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-requests`", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_run(
    State(api): State<RunsApi>,
    caller: Caller,
    NamedRun(run): NamedRun,
) -> Result<Json<RunAnswer>, Problem> {
    api.check(&caller, &run, RunRight::Read).await?;
    api.run(&run, Timestamp::now()).await.map(Json)
}

/// Which runs are listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunsQuery {
    /// Only runs of this pipeline.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    pipeline: Option<PipelineName>,
    /// Most runs of the page; 20 by default.
    #[serde(default)]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// Lists runs, newest first. A page may have fewer runs than `limit` although more follow: go on until there is no
/// `next_cursor`.
#[utoipa::path(
    get, path = "/runs", tag = "runs",
    params(RunsQuery),
    responses(
        (status = 200, description = "a page of runs", body = RunsAnswer),
        (status = 400, description = "`invalid-request`, `invalid-cursor`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the spec of the pipeline does not give you the right", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-requests`", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_runs(
    State(api): State<RunsApi>,
    caller: Caller,
    Query(query): Query<RunsQuery>,
) -> Result<Json<RunsAnswer>, Problem> {
    let RunsQuery { pipeline, limit, cursor } = query;
    caller.trail.note(|event| event.pipeline.clone_from(&pipeline));
    let rights = api.pipelines.rights(&caller).await?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` is {limit}: ask for 1 to {MAX_LIMIT} runs");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail).in_field("limit"));
    }
    let mut token = cursor.map(|text| api.cursors.token(&caller, pipeline.as_ref(), &text)).transpose()?;
    let (mut runs, mut looks) = (Vec::new(), 0);
    while runs.len() < limit && looks < MAX_LOOKS {
        let wanted = (limit - runs.len()).min(MAX_LOOKS - looks);
        let page = api.executions.list(wanted, token.as_deref()).await.map_err(|fault| fault_problem(&fault))?;
        looks += page.executions.len().max(LOOKS_OF_LIST);
        let summaries: Vec<Option<RunSummary>> = stream::iter(page.executions)
            .map(|listed| {
                let (api, pipeline, rights) = (api.clone(), pipeline.as_ref(), &rights);
                async move { api.listed(&listed.run_id, pipeline, rights).await }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        runs.extend(summaries.into_iter().flatten());
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    let next_cursor = token.map(|token| api.cursors.text(&caller, pipeline.as_ref(), token)).transpose()?;
    Ok(Json(RunsAnswer { runs, next_cursor }))
}

/// Goes on with a run that failed or was stopped, from the state in which it ended. The same call twice redrives once.
#[utoipa::path(
    post, path = "/runs/{id}/redrive", tag = "runs",
    params(("id" = String, Path, description = "identifier of the run")),
    responses(
        (status = 202, description = "the run goes on", body = RunSummary, headers(("Location" = String, description = "address of the run"))),
        (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the spec of the pipeline does not give you the right", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: the run did not fail, or cannot be redriven any more", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-requests`", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn redrive_run(
    State(api): State<RunsApi>,
    caller: Caller,
    NamedRun(run): NamedRun,
) -> Result<Response, Problem> {
    api.check(&caller, &run, RunRight::Control).await?;
    let controlled = control::redrive(&api.executions, &run).await.map_err(|fault| fault_problem(&fault))?;
    let summary = match controlled {
        Controlled::Done(execution) => {
            let summary = api.summary(&execution).await?;
            let pipeline = summary.pipeline.as_deref().unwrap_or_default();
            tracing::info!(caller = caller.presented, run_id = %run, pipeline, "run redriven");
            let redrives = summary.redrives.saturating_add(1);
            RunSummary { state: RunState::Running, ended_at: None, redrives, ..summary }
        }
        Controlled::Already(execution) => api.summary(&execution).await?,
        Controlled::Unknown => return Err(no_run(&run)),
        Controlled::Refused { reason } => return Err(Problem::new(ProblemCode::Conflict, reason)),
    };
    Ok(located(&run, (StatusCode::ACCEPTED, Json(summary)).into_response()))
}

/// Stops a run. What it has committed stays; clusters that it has are ended after it.
#[utoipa::path(
    delete, path = "/runs/{id}", tag = "runs",
    params(("id" = String, Path, description = "identifier of the run")),
    responses(
        (status = 202, description = "the run is being stopped", body = RunSummary),
        (status = 200, description = "the run had ended before", body = RunSummary),
        (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the spec of the pipeline does not give you the right", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-requests`", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stop_run(
    State(api): State<RunsApi>,
    caller: Caller,
    NamedRun(run): NamedRun,
) -> Result<Response, Problem> {
    api.check(&caller, &run, RunRight::Control).await?;
    let cause = format!("stopped by {}", caller.presented);
    match control::stop(&api.executions, &run, &cause).await.map_err(|fault| fault_problem(&fault))? {
        Controlled::Done(execution) => {
            let summary = api.summary(&execution).await?;
            let pipeline = summary.pipeline.as_deref().unwrap_or_default();
            tracing::info!(caller = caller.presented, run_id = %run, pipeline, "run stopped");
            Ok((StatusCode::ACCEPTED, Json(summary)).into_response())
        }
        Controlled::Already(execution) => Ok((StatusCode::OK, Json(api.summary(&execution).await?)).into_response()),
        Controlled::Unknown => Err(no_run(&run)),
        Controlled::Refused { reason } => Err(Problem::new(ProblemCode::Conflict, reason)),
    }
}
