//! The source objects of a pipeline.

use futures::future::try_join_all;
use sluice_core::access::RunRight;
use sluice_core::error::with_sources;
use sluice_core::name::PipelineName;
use sluice_core::run::{Report, RunKey};
use sluice_http::problem::document_problem;
use sluice_http::{Caller, Problem};
use sluice_lake::runs::Held;
use sluice_lake::{LakeError, inspect, runs};
use sluice_pages::Content;
use sluice_pages::sources::{HeldLine, SourcesFacts, page as sources_page};

use super::address::missing;
use crate::App;

/// Runs whose source objects are listed.
const RUNS: usize = 20;
/// Reports that are read at once.
const AT_ONCE: usize = 16;

/// The page of the source objects of a pipeline, for those who may read its runs.
///
/// # Errors
/// Not found for others; faults of the lake.
pub(super) async fn page(app: &App, caller: &Caller, pipeline: PipelineName) -> Result<Content, Problem> {
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    rights.check(&pipeline, RunRight::Read, missing)?;
    let held = runs::held(&app.lake, &pipeline).await.map_err(|error| lake_problem(&error))?;
    let newest = inspect::newest_ingestion(&app.lake, &pipeline).await.map_err(|error| lake_problem(&error))?;
    let deployed = app.deployed.all().await?;
    let sources = deployed.pipelines.get(&pipeline).into_iter().flat_map(|deployed| deployed.pipeline.sources());
    Ok(sources_page(&SourcesFacts {
        lake: app.lake.root().clone(),
        prefixes: sources.map(|source| source.prefix.to_string()).collect(),
        held: held.into_iter().map(held_line).collect(),
        passed_by: newest.plan.map(|plan| plan.passed_by).unwrap_or_default(),
        reports: reports(app, &pipeline, RUNS).await?,
        pipeline,
    }))
}

fn held_line(held: Held) -> HeldLine {
    let id = held.source();
    match held {
        Held::Known(hold) => HeldLine {
            id,
            object: Some(hold.object.uri.to_string()),
            run: Some(hold.run_id.to_string()),
            at: Some(hold.held_at),
            reason: hold.reason,
        },
        // What is wrong with it names the place of a document, and is in the log.
        Held::Damaged { fault, .. } => {
            tracing::warn!(source = %id, fault, "the document of a hold is damaged");
            let reason = "the document of its hold is damaged; releasing the object removes it".to_owned();
            HeldLine { id, object: None, run: None, at: None, reason }
        }
    }
}

/// The reports of at most so many of the newest runs of a pipeline, the newest first. Which runs have one is known from
/// the listing that is kept for a moment. A report that cannot be read is left out.
///
/// # Errors
/// Faults of the store.
pub(super) async fn reports(app: &App, pipeline: &PipelineName, most: usize) -> Result<Vec<Report>, Problem> {
    let listed = app.console.recent.listed().await?;
    let ended = listed.runs.iter().filter(|run| run.run.pipeline == *pipeline && run.reported_at.is_some());
    let keys: Vec<&RunKey> = ended.take(most).map(|run| &run.run).collect();
    let mut reports: Vec<Report> = Vec::new();
    for some in keys.chunks(AT_ONCE) {
        let mut reading = Vec::new();
        for key in some {
            reading.push(report(app, key));
        }
        reports.extend(try_join_all(reading).await?.into_iter().flatten());
    }
    reports.sort_by_key(|report| std::cmp::Reverse(report.ended_at));
    Ok(reports)
}

async fn report(app: &App, key: &RunKey) -> Result<Option<Report>, Problem> {
    match app.lake.documents().of(key).get::<Report>().await {
        Ok(report) => Ok(report),
        Err(error) if error.is_damaged() => {
            tracing::warn!(run = %key.run_id, error_message = with_sources(&error), "a report cannot be read");
            Ok(None)
        }
        Err(error) => Err(document_problem(&error)),
    }
}

/// A fault of the lake: logged here with its cause, answered without it.
pub(super) fn lake_problem(error: &LakeError) -> Problem {
    let name = error.name();
    tracing::error!(error_name = %name, error_message = with_sources(error), "a page cannot read the lake");
    Problem::of_lake(name, "the lake cannot be read: its owner finds the reason in the log")
}
