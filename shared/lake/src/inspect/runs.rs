//! Runs, from the documents that their steps left.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;
use serde::Serialize;
use sluice_core::document::StepDocument;
use sluice_core::engine::EngineChoice;
use sluice_core::error::with_sources;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{
    Changeset, Decision, DocumentKind, Outcome, Plan, PlanStatus, ReadRun, Receipt, Report, ReportedError, RunAction,
    RunKey, RunRef, Verdict,
};
use sluice_core::uri::{LakePath, layout};
use sluice_documents::DocumentError;

use super::folders;
use crate::error::LakeError;
use crate::lake::Lake;

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate said no.
    Rejected,
    /// The gate said no and a person said yes.
    Accepted,
    /// A step failed.
    Failed,
    /// It is under way, or was stopped; running the pipeline again brings its rows to the tables.
    Unfinished,
    /// One of its documents is damaged, so that nobody can say how far it came. Its tables are as their logs say.
    Unreadable,
}

impl RunState {
    /// The state as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Skipped => "skipped",
            Self::Rejected => "rejected",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A run in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub run_id: RunId,
    /// How far it came.
    pub state: RunState,
    /// What it was asked to do; unknown when it failed before there was a plan.
    pub action: Option<RunAction>,
    /// The newest attempt; 0 when there was no plan.
    pub attempt: u32,
    /// When it was planned.
    pub planned_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Source objects it took.
    pub sources: u64,
    /// Rows it read from them; 0 before the rows were staged.
    pub rows_read: u64,
    /// Broken error rules, as `<table>: <rule>`.
    pub broken_rules: Vec<String>,
    /// The error of a failed run; of an unreadable one, what is wrong with its document.
    pub error: Option<ReportedError>,
}

impl RunSummary {
    /// A run one of whose documents cannot be read: no more is known of it than what is wrong with the document.
    fn unreadable(run: RunKey, fault: &DocumentError) -> Self {
        Self {
            pipeline: run.pipeline,
            run_id: run.run_id,
            state: RunState::Unreadable,
            action: None,
            attempt: 0,
            planned_at: None,
            ended_at: None,
            sources: 0,
            rows_read: 0,
            broken_rules: Vec::new(),
            error: Some(ReportedError { error: fault.name().into(), cause: with_sources(fault) }),
        }
    }
}

/// A run with the documents of its newest attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunDetails {
    /// The run in one line.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// What it was going to do.
    pub plan: Option<Plan>,
    /// Who combines its rows, or did; `None` where it has no plan.
    pub engine: Option<EngineChoice>,
    /// What it staged.
    pub changeset: Option<Changeset>,
    /// What the gate decided.
    pub verdict: Option<Verdict>,
    /// What was committed.
    pub receipt: Option<Receipt>,
    /// The run in one page.
    pub report: Option<Report>,
}

/// The newest runs, of one pipeline or of all, newest first, at most `limit`.
///
/// Newest by the time of a run's first document, as the store has it: ids may be chosen by people. A run with a damaged
/// document is listed as [`RunState::Unreadable`], and does not keep the others from the reader.
///
/// # Errors
/// Faults of the store.
pub async fn runs(lake: &Lake, pipeline: Option<&PipelineName>, limit: usize) -> Result<Vec<RunSummary>, LakeError> {
    let mut summaries = Vec::new();
    for (_, run) in newest_runs(lake, pipeline, limit).await? {
        match run_details(lake, &run.pipeline, &run.run_id).await {
            Ok(details) => summaries.push(details.summary),
            Err(LakeError::Document(fault)) if fault.is_damaged() => {
                summaries.push(RunSummary::unreadable(run, &fault));
            }
            // Deleted since it was listed.
            Err(LakeError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(summaries)
}

/// The newest runs without what their documents say, as [`runs`] has them, each with the time of its first document.
///
/// # Errors
/// [`LakeError::Store`] when runs cannot be listed.
pub async fn newest_runs(
    lake: &Lake,
    pipeline: Option<&PipelineName>,
    limit: usize,
) -> Result<Vec<(Timestamp, RunKey)>, LakeError> {
    let folder = layout::all_runs();
    let prefix = lake.documents().key(&folder)?;
    let listed = lake.documents().objects().list(Some(&prefix)).try_collect::<Vec<_>>().await;
    let listed = listed.map_err(|source| LakeError::Store { doing: "list", location: folder.to_string(), source })?;
    let mut first_seen = BTreeMap::new();
    for object in listed {
        let below = object.location.as_ref().strip_prefix(prefix.as_ref()).unwrap_or_default();
        let mut names = below.trim_start_matches('/').split('/');
        let (Some(Ok(name)), Some(Ok(run))) = (names.next().map(str::parse), names.next().map(str::parse)) else {
            continue;
        };
        let (name, run): (PipelineName, RunId) = (name, run);
        if names.next().is_none() || pipeline.is_some_and(|wanted| *wanted != name) {
            continue;
        }
        let seen: &mut _ = first_seen.entry((name, run)).or_insert(object.last_modified);
        *seen = object.last_modified.min(*seen);
    }
    let mut newest: Vec<_> = first_seen.into_iter().map(|((pipeline, run), seen)| (seen, run, pipeline)).collect();
    newest.sort();
    let found = newest.into_iter().rev().take(limit).map(|(seen, run_id, pipeline)| {
        let seen = Timestamp::from_microsecond(seen.timestamp_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
        (seen, RunKey { pipeline, run_id })
    });
    Ok(found.collect())
}

/// The newest run of a pipeline that listed its landing folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewestIngestion {
    /// Its plan; `None` when no plan can be read.
    pub plan: Option<Plan>,
    /// Newer plans, which are damaged.
    pub damaged: Vec<DamagedPlan>,
}

/// A plan that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPlan {
    /// The attempt that it is of.
    pub run: RunRef,
    /// Its address.
    pub location: String,
    /// What is wrong with it.
    pub fault: String,
}

/// The plan of the newest run of a pipeline that listed its landing folder. Newest by the time of the plan, as the store
/// has it. Damaged plans are passed over and named.
///
/// # Errors
/// Faults of the store.
pub async fn newest_ingestion(lake: &Lake, pipeline: &PipelineName) -> Result<NewestIngestion, LakeError> {
    newest(lake, pipeline, |plan| plan.request.action == RunAction::Ingest).await
}

/// The newest plan of a pipeline that can be read, whatever its run was asked to do.
///
/// # Errors
/// Faults of the store.
pub async fn newest_plan(lake: &Lake, pipeline: &PipelineName) -> Result<Option<Plan>, LakeError> {
    Ok(newest(lake, pipeline, |_| true).await?.plan)
}

async fn newest(
    lake: &Lake,
    pipeline: &PipelineName,
    is_wanted: impl Fn(&Plan) -> bool,
) -> Result<NewestIngestion, LakeError> {
    /// Plans that are read. Others than replays are rare, and nobody replays twenty times between two deliveries.
    const MOST_READ: usize = 20;
    let folder = layout::runs(pipeline);
    let prefix = lake.documents().key(&folder)?;
    let listed = lake.documents().objects().list(Some(&prefix)).try_collect::<Vec<_>>().await;
    let listed = listed.map_err(|source| LakeError::Store { doing: "list", location: folder.to_string(), source })?;
    let mut plans: Vec<_> = listed
        .into_iter()
        .filter_map(|object| {
            let below = object.location.as_ref().strip_prefix(prefix.as_ref())?.trim_start_matches('/').to_owned();
            match layout::attempt_of(&format!("{folder}/{below}").parse().ok()?)? {
                (run, DocumentKind::Plan) => Some((object.last_modified, run.attempt, run)),
                _ => None,
            }
        })
        .collect();
    plans.sort_by_key(|(seen, attempt, _)| std::cmp::Reverse((*seen, *attempt)));
    let mut newest = NewestIngestion::default();
    for (_, _, run) in plans.into_iter().take(MOST_READ) {
        let read = lake.documents().of(&run).get::<Plan>().await;
        match read {
            Ok(Some(plan)) if is_wanted(&plan) => {
                newest.plan = Some(plan);
                break;
            }
            Ok(_) => {}
            Err(fault) if fault.is_damaged() => {
                let location = lake.root().object(&Plan::path(&run)).to_string();
                newest.damaged.push(DamagedPlan { run, location, fault: with_sources(&fault) });
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(newest)
}

/// Pipelines that have runs.
///
/// # Errors
/// [`LakeError::Store`] when the folder cannot be listed.
pub async fn pipelines_with_runs(lake: &Lake) -> Result<Vec<PipelineName>, LakeError> {
    pipelines_below(lake, &layout::all_runs()).await
}

/// Pipelines that hold source objects.
///
/// # Errors
/// [`LakeError::Store`] when the folder cannot be listed.
pub async fn held_pipelines(lake: &Lake) -> Result<Vec<PipelineName>, LakeError> {
    pipelines_below(lake, &layout::all_holds()).await
}

/// The pipelines that have a run of this name. People choose names of runs, so several may have one.
///
/// # Errors
/// [`LakeError::Store`] and [`LakeError::Document`] when folders cannot be listed.
pub async fn pipelines_of_run(lake: &Lake, run: &RunId) -> Result<Vec<PipelineName>, LakeError> {
    let mut found = Vec::new();
    for pipeline in pipelines_with_runs(lake).await? {
        if !lake.documents().list(&layout::run(&pipeline, run)).await?.is_empty() {
            found.push(pipeline);
        }
    }
    Ok(found)
}

/// The pipeline of a run.
///
/// # Errors
/// [`LakeError::NotFound`] when no pipeline has the run, [`LakeError::Invalid`] when several have.
pub async fn find_run(lake: &Lake, run: &RunId) -> Result<PipelineName, LakeError> {
    let found = pipelines_of_run(lake, run).await?;
    match found.as_slice() {
        [pipeline] => Ok(pipeline.clone()),
        [] => Err(LakeError::NotFound { what: format!("run `{run}` does not exist in {}", lake.root()) }),
        several => {
            let names: Vec<&str> = several.iter().map(PipelineName::as_str).collect();
            Err(LakeError::Invalid {
                message: format!("run `{run}` exists in several pipelines: {}; name one", names.join(", ")),
            })
        }
    }
}

/// A run with its documents.
///
/// # Errors
/// [`LakeError::NotFound`] when the run left none; [`LakeError::Document`] naming the one that cannot be read.
pub async fn run_details(lake: &Lake, pipeline: &PipelineName, run: &RunId) -> Result<RunDetails, LakeError> {
    let key = RunKey { pipeline: pipeline.clone(), run_id: run.clone() };
    let attempts = lake.documents().of(&key).attempts().await?;
    if attempts.is_empty() {
        let what = format!("run `{run}` of pipeline `{pipeline}` does not exist in {}", lake.root());
        return Err(LakeError::NotFound { what });
    }
    let newest = attempts.newest_attempt::<Plan>();
    let (plan, engine, changeset, verdict, receipt) = match &newest {
        Some(newest) => {
            let documents = lake.documents().of(newest);
            let plan: Option<Plan> = documents.get().await?;
            let changeset: Option<Changeset> = documents.get().await?;
            let verdict: Option<Verdict> = documents.get().await?;
            let receipt: Option<Receipt> = documents.get().await?;
            let engine = match (&plan, &changeset) {
                (Some(plan), Some(changeset)) => Some(changeset.engine(plan).clone()),
                (Some(plan), None) => {
                    let read: Option<ReadRun> = documents.get().await?;
                    read.and_then(|read| read.engine).or_else(|| Some(plan.engine.clone()))
                }
                (None, _) => None,
            };
            (plan, engine, changeset, verdict, receipt)
        }
        None => (None, None, None, None, None),
    };
    let report: Option<Report> = lake.documents().of(&key).get().await?;
    let sources = match (&plan, &report) {
        (Some(plan), _) => plan.all_objects().count(),
        (None, Some(report)) => report.sources.len(),
        (None, None) => 0,
    };
    let summary = RunSummary {
        pipeline: pipeline.clone(),
        run_id: run.clone(),
        state: state(plan.as_ref(), verdict.as_ref(), receipt.as_ref(), report.as_ref()),
        action: plan.as_ref().map(|plan| plan.request.action.clone()),
        attempt: newest.map_or(0, |newest| newest.attempt),
        planned_at: plan.as_ref().map(|plan| plan.planned_at),
        ended_at: report
            .as_ref()
            .map(|report| report.ended_at)
            .or(receipt.as_ref().map(|receipt| receipt.published_at)),
        sources: sources as u64,
        rows_read: rows_read(plan.as_ref(), changeset.as_ref()),
        broken_rules: verdict.iter().flat_map(|verdict| verdict.broken().into_iter().map(|(name, _)| name)).collect(),
        error: report.as_ref().and_then(|report| report.error.clone()),
    };
    Ok(RunDetails { summary, plan, engine, changeset, verdict, receipt, report })
}

/// Rows read for the run: every table counts its own sources, and the largest count covers all objects.
fn rows_read(plan: Option<&Plan>, changeset: Option<&Changeset>) -> u64 {
    let earlier = plan.into_iter().flat_map(|plan| plan.earlier.tables.iter().map(|earlier| earlier.rows.source));
    let newest = changeset.into_iter().flat_map(|changeset| changeset.tables.iter().map(|table| table.rows.source));
    earlier.chain(newest).max().unwrap_or_default()
}

fn state(
    plan: Option<&Plan>,
    verdict: Option<&Verdict>,
    receipt: Option<&Receipt>,
    report: Option<&Report>,
) -> RunState {
    let accepted = verdict.is_some_and(|verdict| verdict.decision == Decision::Accepted);
    if receipt.is_some() {
        return if accepted { RunState::Accepted } else { RunState::Published };
    }
    if accepted {
        return RunState::Accepted;
    }
    match report.map(|report| report.outcome) {
        Some(Outcome::Published) => RunState::Published,
        Some(Outcome::Skipped) => RunState::Skipped,
        Some(Outcome::Rejected) => RunState::Rejected,
        Some(Outcome::Failed) => RunState::Failed,
        None if verdict.is_some_and(|verdict| verdict.decision == Decision::Rejected) => RunState::Rejected,
        None if plan.is_some_and(|plan| plan.status == PlanStatus::Skipped) => RunState::Skipped,
        None => RunState::Unfinished,
    }
}

async fn pipelines_below(lake: &Lake, folder: &LakePath) -> Result<Vec<PipelineName>, LakeError> {
    Ok(folders(lake, folder).await?.iter().filter_map(|name| name.parse().ok()).collect())
}

#[cfg(test)]
mod tests;
