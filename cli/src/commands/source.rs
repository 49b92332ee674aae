//! `sluice source`: lists what runs leave out of landing folders, releases held source objects, and shows a record of
//! one.

mod show;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use sluice_core::error::ErrorName;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::source::{PassedBy, SourceId};
use sluice_lake::inspect::NewestIngestion;
use sluice_lake::runs::Held;
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
    /// Its address; like the next three, `None` when the document of its hold is damaged.
    pub(crate) uri: Option<String>,
    /// Its size in bytes.
    pub(crate) size_bytes: Option<u64>,
    /// The run that held it.
    pub(crate) run_id: Option<RunId>,
    /// Since when.
    pub(crate) held_at: Option<Timestamp>,
    /// Why; or what is wrong with the document, and how it is released.
    pub(crate) reason: String,
}

impl HeldSource {
    fn new(pipeline: &PipelineName, held: Held) -> Self {
        let id = held.source();
        match held {
            Held::Known(hold) => Self {
                id,
                pipeline: pipeline.clone(),
                uri: Some(hold.object.uri.to_string()),
                size_bytes: Some(hold.object.size_bytes),
                run_id: Some(hold.run_id),
                held_at: Some(hold.held_at),
                reason: hold.reason,
            },
            Held::Damaged { fault, .. } => Self {
                reason: format!("its hold is damaged; `sluice source release {id}` removes the hold: {fault}"),
                id,
                pipeline: pipeline.clone(),
                uri: None,
                size_bytes: None,
                run_id: None,
                held_at: None,
            },
        }
    }

    /// What people call it.
    fn name(&self) -> &str {
        self.uri.as_deref().unwrap_or("a source object whose address is not known")
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

/// Lists what runs leave out, releases held source objects, or shows a record.
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
                Some(run) => held.into_iter().filter(|source| source.run_id.as_ref() == Some(run)).collect(),
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
                    let (name, pipeline) = (source.name(), &source.pipeline);
                    console.line(&format!("released {name}; the next run of `{pipeline}` reads it"))?;
                }
            }
        }
        SourceCommand::Show { file, at, by, lake, pipeline, source } => {
            let lake = lake.place.open_lake().await?;
            return show::run(&lake, show::Asked { file, at, by, pipeline, source }, console).await;
        }
    }
    Ok(Exit::Done)
}

/// Prints what is held, what is passed by, and which plans are damaged.
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
        held.extend(runs::held(lake, &pipeline).await?.into_iter().map(|held| HeldSource::new(&pipeline, held)));
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
        let HeldSource { id, pipeline, run_id, held_at, reason, .. } = source;
        let by = match (held_at, run_id) {
            (Some(held_at), Some(run_id)) => format!("since {held_at:.0}, by run {run_id}"),
            _ => format!("of pipeline {pipeline}"),
        };
        format!("held  {}\n      id {id}, {by}\n      {reason}", source.name())
    };
    held.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// The held sources of these ids, addresses or file names.
fn choose(held: &[HeldSource], wanted: &[String]) -> Result<Vec<HeldSource>> {
    let mut chosen: Vec<HeldSource> = Vec::new();
    for text in wanted {
        let named = |source: &&HeldSource| {
            let uri = source.uri.as_deref();
            let file_name = uri.and_then(|uri| uri.rsplit('/').next());
            source.id.as_str() == text || [uri, file_name].contains(&Some(text.as_str()))
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
            uri: Some(format!("file:///landing/{name}")),
            size_bytes: Some(1),
            run_id: "r".parse().ok(),
            held_at: Some(Timestamp::UNIX_EPOCH),
            reason: "bad".to_owned(),
        };
        let id = "d".repeat(32).parse().unwrap();
        let damaged = Held::Damaged { source: id, fault: "document 'holds/retail/d.json' is not readable".to_owned() };
        let damaged = HeldSource::new(&"retail".parse().unwrap(), damaged);
        assert!(damaged.reason.contains(&format!("`sluice source release {}`", "d".repeat(32))), "{damaged:?}");
        let held = [source('a', "one.csv"), source('b', "two.csv"), source('c', "two.csv"), damaged];
        let check = |wanted: &[&str], ids: Option<&str>| {
            let wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
            let chosen = choose(&held, &wanted).ok();
            let first = |source: &HeldSource| source.id.as_str().chars().next().unwrap();
            assert_eq!(chosen.map(|c| c.iter().map(first).collect::<String>()).as_deref(), ids, "{wanted:?}");
        };
        check(&[&"a".repeat(32)], Some("a"));
        check(&["file:///landing/one.csv", "one.csv"], Some("a"));
        check(&["two.csv"], Some("bc"));
        check(&[&"d".repeat(32)], Some("d"));
        check(&["one.csv", "other.csv"], None);
        check(&[""], None);
    }
}
