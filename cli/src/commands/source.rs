//! `sluice source`: lists what runs leave out of landing folders, and releases held source objects.

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use sluice_core::error::ErrorName;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::source::{Hold, PassedBy, SourceId};
use sluice_lake::inspect::NewestIngestion;
use sluice_lake::{Lake, inspect, runs};

use super::named::named_wrongly;
use crate::arguments::SourceCommand;
use crate::console::Console;
use crate::fault::{Exit, Fault};

/// A held source object.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HeldSource {
    /// Its id.
    pub(crate) id: SourceId,
    /// The pipeline that would read it.
    pub(crate) pipeline: PipelineName,
    /// Its address.
    pub(crate) uri: String,
    /// Its size in bytes.
    pub(crate) size_bytes: u64,
    /// The run that held it.
    pub(crate) run_id: RunId,
    /// Since when.
    pub(crate) held_at: Timestamp,
    /// Why.
    pub(crate) reason: String,
}

impl HeldSource {
    fn new(pipeline: &PipelineName, hold: Hold) -> Self {
        Self {
            id: hold.object.id(),
            pipeline: pipeline.clone(),
            uri: hold.object.uri.to_string(),
            size_bytes: hold.object.size_bytes,
            run_id: hold.run_id,
            held_at: hold.held_at,
            reason: hold.reason,
        }
    }
}

/// Something in a landing folder that is no source object.
#[derive(Debug, Clone, Serialize)]
struct PassedSource {
    /// The pipeline that would read it.
    pipeline: PipelineName,
    /// Its address; with a final slash, a folder with all that is in it.
    uri: String,
    /// The newest run that listed the folder.
    run_id: RunId,
    /// When it did.
    seen_at: Timestamp,
    /// Why.
    reason: String,
}

/// A plan that cannot be read, so that nobody can say what its run passed by.
#[derive(Debug, Clone, Serialize)]
struct DamagedSource {
    /// The pipeline.
    pipeline: PipelineName,
    /// The address of the plan.
    uri: String,
    /// The run that it is of.
    run_id: RunId,
    /// What is wrong with it.
    reason: String,
}

/// What runs leave out, and what keeps that from being known.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum LeftOut {
    Held(HeldSource),
    PassedBy(PassedSource),
    Damaged(DamagedSource),
}

/// Lists what runs leave out, or releases held source objects.
pub(crate) async fn run(command: SourceCommand, console: &Console) -> Result<Exit> {
    match command {
        SourceCommand::List { lake, pipeline } => {
            let lake = lake.place.open_lake().await?;
            let held = held_sources(&lake, pipeline.name.as_ref()).await?;
            list(held, passed_sources(&lake, pipeline.name.as_ref()).await?, console)?;
        }
        SourceCommand::Release { sources, run, lake, pipeline } => {
            let lake = lake.place.open_lake().await?;
            let held = held_sources(&lake, pipeline.name.as_ref()).await?;
            let chosen = match &run {
                Some(run) => held.into_iter().filter(|source| source.run_id == *run).collect(),
                None => choose(&held, &sources)?,
            };
            if chosen.is_empty() {
                let message = run.map_or("no source object was given".to_owned(), |run| {
                    format!("run `{run}` holds no source objects")
                });
                return Err(Fault::new(Exit::WrongUse, message).next("`sluice source list` shows what is held").into());
            }
            for source in &chosen {
                let released = runs::release(&lake, &source.pipeline, &source.id).await;
                released.map_err(|error| named_wrongly(error, "`sluice source list` shows what is held"))?;
            }
            if console.is_json() {
                console.json_page(&chosen)?;
            } else {
                for source in &chosen {
                    console
                        .line(&format!("released {}; the next run of `{}` reads it", source.uri, source.pipeline))?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

fn list(held: Vec<HeldSource>, passed: Passed, console: &Console) -> Result<()> {
    let Passed { sources: passed, not_named, damaged } = passed;
    if console.is_json() {
        let mut all: Vec<LeftOut> = held.into_iter().map(LeftOut::Held).collect();
        all.extend(passed.into_iter().map(LeftOut::PassedBy));
        all.extend(damaged.into_iter().map(LeftOut::Damaged));
        console.json_page(&all)?;
        return Ok(());
    }
    if held.is_empty() && passed.is_empty() && damaged.is_empty() {
        console.line("nothing is held back or passed by")?;
    }
    if !held.is_empty() {
        console.line(&held_text(&held))?;
    }
    if !passed.is_empty() {
        console.line(&passed_text(&passed))?;
    }
    if not_named > 0 {
        console.line(&format!("and {not_named} more that are passed by"))?;
    }
    if !damaged.is_empty() {
        console.line(&damaged_text(&damaged))?;
    }
    Ok(())
}

/// The source objects that one pipeline, or every pipeline, holds back.
pub(crate) async fn held_sources(lake: &Lake, pipeline: Option<&PipelineName>) -> Result<Vec<HeldSource>> {
    let pipelines = match pipeline {
        Some(pipeline) => vec![pipeline.clone()],
        None => inspect::held_pipelines(lake).await?,
    };
    let mut held = Vec::new();
    for pipeline in pipelines {
        held.extend(runs::held(lake, &pipeline).await?.into_iter().map(|hold| HeldSource::new(&pipeline, hold)));
    }
    Ok(held)
}

/// What is passed by.
#[derive(Default)]
struct Passed {
    sources: Vec<PassedSource>,
    /// How many more there are, which no document names.
    not_named: u64,
    /// Newer plans, which cannot be read.
    damaged: Vec<DamagedSource>,
}

/// What the newest runs of one pipeline, or of every pipeline, passed by in their landing folders.
async fn passed_sources(lake: &Lake, pipeline: Option<&PipelineName>) -> Result<Passed> {
    let pipelines = match pipeline {
        Some(pipeline) => vec![pipeline.clone()],
        None => inspect::pipelines_with_runs(lake).await?,
    };
    let mut passed = Passed::default();
    for pipeline in pipelines {
        let NewestIngestion { plan, damaged } = inspect::newest_ingestion(lake, &pipeline).await?;
        passed.damaged.extend(damaged.into_iter().map(|damaged| DamagedSource {
            pipeline: pipeline.clone(),
            uri: damaged.location,
            run_id: damaged.run.run_id,
            reason: damaged.fault,
        }));
        let Some(plan) = plan else { continue };
        passed.not_named += plan.passed_by.count - (plan.passed_by.named.len() as u64).min(plan.passed_by.count);
        passed.sources.extend(plan.passed_by.named.into_iter().map(|PassedBy { uri, reason }| PassedSource {
            pipeline: pipeline.clone(),
            uri,
            run_id: plan.run.run_id.clone(),
            seen_at: plan.planned_at,
            reason: reason.to_string(),
        }));
    }
    Ok(passed)
}

/// What is passed by as text, a few lines for each.
fn passed_text(passed: &[PassedSource]) -> String {
    let text = |source: &PassedSource| {
        let PassedSource { pipeline, uri, run_id, seen_at, reason } = source;
        format!("passed by  {uri}\n      of pipeline {pipeline}, seen {seen_at:.0} by run {run_id}\n      {reason}")
    };
    passed.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Damaged plans as text, a few lines for each.
fn damaged_text(damaged: &[DamagedSource]) -> String {
    let text = |source: &DamagedSource| {
        let DamagedSource { pipeline, uri, run_id, reason } = source;
        let what = format!("of pipeline {pipeline}: what run {run_id} passed by is not known");
        format!("damaged  {uri}\n      {what}\n      {reason}")
    };
    damaged.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Held sources as text, a few lines for each: people copy the addresses and ids, which do not fit in a table.
pub(crate) fn held_text(held: &[HeldSource]) -> String {
    let text = |source: &HeldSource| {
        let HeldSource { id, uri, run_id, held_at, reason, .. } = source;
        format!("held  {uri}\n      id {id}, since {held_at:.0}, by run {run_id}\n      {reason}")
    };
    held.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// The held sources of these ids, addresses or file names.
fn choose(held: &[HeldSource], wanted: &[String]) -> Result<Vec<HeldSource>> {
    let mut chosen: Vec<HeldSource> = Vec::new();
    for text in wanted {
        let named = |source: &&HeldSource| {
            source.id.as_str() == text || source.uri == *text || source.uri.rsplit('/').next() == Some(text)
        };
        let found: Vec<&HeldSource> = held.iter().filter(named).collect();
        if found.is_empty() {
            let message = format!("no source object `{text}` is held");
            return Err(Fault::new(Exit::WrongUse, message)
                .named(ErrorName::NotFound)
                .next("`sluice source list` shows what is held")
                .into());
        }
        for source in found {
            if !chosen.iter().any(|other| other.id == source.id && other.pipeline == source.pipeline) {
                chosen.push(source.clone());
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_source_is_found_by_id_address_or_file_name() {
        let source = |id: char, name: &str| HeldSource {
            id: id.to_string().repeat(32).parse().unwrap(),
            pipeline: "retail".parse().unwrap(),
            uri: format!("file:///landing/{name}"),
            size_bytes: 1,
            run_id: "r".parse().unwrap(),
            held_at: Timestamp::UNIX_EPOCH,
            reason: "bad".to_owned(),
        };
        let held = [source('a', "one.csv"), source('b', "two.csv"), source('c', "two.csv")];
        let check = |wanted: &[&str], ids: Option<&str>| {
            let wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
            let chosen = choose(&held, &wanted).ok();
            let first = |source: &HeldSource| source.id.as_str().chars().next().unwrap();
            assert_eq!(chosen.map(|c| c.iter().map(first).collect::<String>()).as_deref(), ids, "{wanted:?}");
        };
        check(&[&"a".repeat(32)], Some("a"));
        check(&["file:///landing/one.csv", "one.csv"], Some("a"));
        check(&["two.csv"], Some("bc"));
        check(&["one.csv", "other.csv"], None);
        check(&[""], None);
    }
}
