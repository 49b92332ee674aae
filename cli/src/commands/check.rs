//! `sluice check`.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::error::{StepError, with_sources};
use sluice_core::pipeline::{Pipeline, SilverTable};
use sluice_core::product::RegisteredProduct;
use sluice_core::spec::FeedSpec;

use crate::alerting;
use crate::arguments::{CheckArguments, SchemaOf};
use crate::console::{Console, Tone};
use crate::fault::{Exit, Fault};
use crate::neighbours::Neighbours;
use crate::place::Place;
use crate::spec_files::SpecFiles;

/// Reports every problem of a pipeline, or that it has none.
pub(crate) async fn run(arguments: CheckArguments, console: &Console) -> Result<Exit> {
    if let Some(document) = arguments.schema {
        console.json_page(&match document {
            SchemaOf::Pipeline => sluice_core::spec::json_schema(),
            SchemaOf::Policy => sluice_core::access::json_schema(),
        })?;
        return Ok(Exit::Done);
    }
    let folder = arguments.folder.context("no pipeline folder was given")?;
    let files = SpecFiles::read(&folder)?;
    let resolved = match (checked(&files).await?, arguments.lake) {
        (Ok(checked), Some(lake)) => compared(checked, &lake).await?,
        (resolved, _) => resolved,
    };
    let name = files.spec().pipeline.as_str();
    match resolved {
        Ok(Checked { pipeline, products, warnings }) => {
            let tables = pipeline.tables();
            let products: Vec<String> = products.iter().map(|product| product.product.to_string()).collect();
            if console.is_json() {
                let gates = pipeline.silver.iter().map(|silver| {
                    let percent = silver.quarantined_percent_below.percent_below();
                    let mut gate = json!({ "table": silver.table, "quarantined_percent_below": percent });
                    if let (true, Some(gate)) = (silver.compares_snapshots(), gate.as_object_mut()) {
                        let percent = silver.deleted_percent_below.percent_below();
                        gate.insert("deleted_percent_below".to_owned(), json!(percent));
                    }
                    gate
                });
                let mut page = json!({
                    "pipeline": name, "problems": [], "tables": tables, "gates": gates.collect::<Vec<_>>(),
                    "products": products, "warnings": warnings,
                });
                let feeds: Vec<Value> =
                    fed_tables(&files, &pipeline).map(|(feed, silver)| fed_json(feed, silver)).collect();
                if let (false, Some(page)) = (feeds.is_empty(), page.as_object_mut()) {
                    page.insert("feeds".to_owned(), json!(feeds));
                }
                console.json_page(&page)?;
            } else {
                for warning in &warnings {
                    console.note(&format!("{} {warning}", console.paint_err(Tone::Warning, "warning:")));
                }
                console.line(&format!("{} pipeline `{name}` can run; it writes", console.paint(Tone::Good, "ok:")))?;
                for table in tables {
                    console.line(&format!("  {table}"))?;
                }
                if !products.is_empty() {
                    console.line(&format!("and offers {}", products.join(", ")))?;
                }
                for (feed, silver) in fed_tables(&files, &pipeline) {
                    console.line(&fed_text(feed, silver))?;
                }
                for silver in &pipeline.silver {
                    console.line(&gate_text(silver))?;
                    if silver.compares_snapshots() {
                        console.line(&deleted_text(silver))?;
                    }
                }
            }
            Ok(Exit::Done)
        }
        Err(problems) => {
            if console.is_json() {
                console.json_page(&json!({ "pipeline": name, "problems": problems }))?;
            } else {
                for problem in &problems {
                    console.note(&format!("{} {problem}", console.paint_err(Tone::Bad, "error:")));
                }
                let count = problems.len();
                let what = if count == 1 { "problem" } else { "problems" };
                console.note(&format!("pipeline `{name}` in {} has {count} {what} and cannot run", folder.display()));
            }
            Ok(Exit::Failed)
        }
    }
}

/// The tables that follow a feed by its name.
fn fed_tables<'a>(
    files: &'a SpecFiles,
    pipeline: &'a Pipeline,
) -> impl Iterator<Item = (FeedSpec, &'a SilverTable)> + 'a {
    files.spec().silver.iter().filter_map(move |spec| {
        let silver = pipeline.silver.iter().find(|silver| silver.table.table() == &spec.table)?;
        Some((spec.feed?, silver))
    })
}

/// What a feed stands for.
fn fed_json(feed: FeedSpec, silver: &SilverTable) -> Value {
    json!({ "table": silver.table, "feed": feed, "delete_when": silver.delete_when, "sql": silver.sql })
}

/// What a feed stands for.
fn fed_text(feed: FeedSpec, silver: &SilverTable) -> String {
    let condition = silver.delete_when.as_ref().map(ToString::to_string).unwrap_or_default();
    let sql = silver.sql.as_ref().map(|sql| format!(", and for the sql {sql}")).unwrap_or_default();
    format!("feed {} of {} stands for delete_when {condition}{sql}", feed.as_str(), silver.table)
}

/// The share of quarantined rows that rejects a run.
fn gate_text(silver: &SilverTable) -> String {
    let (table, limit) = (&silver.table, silver.quarantined_percent_below);
    let spared = if limit.spares_one() { ", and more than one" } else { "" };
    match limit.percent_below() {
        Some(percent) => {
            format!("a run is rejected when {percent} % or more of its rows for {table} are quarantined{spared}")
        }
        None => format!("a run is published however many of its rows for {table} are quarantined"),
    }
}

/// The share of missing keys that rejects a snapshot.
fn deleted_text(silver: &SilverTable) -> String {
    let (table, limit) = (&silver.table, silver.deleted_percent_below);
    let spared = if limit.spares_one() { ", and more than one" } else { "" };
    match limit.percent_below() {
        Some(percent) => {
            format!("a run is rejected when a snapshot lacks {percent} % or more of the keys of {table}{spared}")
        }
        None => format!("a run is published however many keys of {table} a snapshot lacks"),
    }
}

/// A pipeline that can run, with its data products.
pub(super) struct Checked {
    pub(super) pipeline: Pipeline,
    pub(super) products: Vec<RegisteredProduct>,
    pub(super) warnings: Vec<String>,
}

/// The pipeline and its products when they are valid; otherwise every problem.
pub(super) async fn checked(files: &SpecFiles) -> Result<Result<Checked, Vec<String>>> {
    let pipeline = match files.resolve() {
        Ok(pipeline) => plan(pipeline).await?,
        Err(problems) => Err(problems),
    };
    let pipeline = match pipeline {
        Ok(pipeline) => pipeline,
        Err(problems) => return Ok(Err(problems)),
    };
    let problems = unknown_channels(&pipeline)?;
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let (problems, unknown) = match pipeline.inputs.is_empty() {
        true => (Vec::new(), Vec::new()),
        false => Neighbours::of(files.folder())?.compared_with(&pipeline),
    };
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    Ok(files.resolve_products(&pipeline, Timestamp::now()).map(|(products, mut warnings)| {
        warnings.extend(unknown);
        Checked { pipeline, products, warnings }
    }))
}

/// The channels of its alerts that the environment of the command does not have, where that has channels at all.
fn unknown_channels(pipeline: &Pipeline) -> Result<Vec<String>> {
    let Some(alerts) = &pipeline.alerts else { return Ok(Vec::new()) };
    let channels = match alerting::channels() {
        Ok(Some(channels)) => channels,
        Ok(None) => return Ok(Vec::new()),
        Err(StepError { name, message }) => return Err(Fault::new(Exit::WrongUse, message).named(name).into()),
    };
    let unknown = alerts.named().into_iter().filter(|(_, name)| channels.get(name).is_none());
    let problems = unknown.map(|(list, name)| {
        format!(
            "alerts.{list} names channel `{name}`, which SLUICE_ALERT_CHANNELS does not have (it has: {}); correct the \
             name, or add the channel",
            channels.names()
        )
    });
    Ok(problems.collect())
}

/// Compares a pipeline that could run with the tables of a lake: what the next run refuses are problems.
async fn compared(mut checked: Checked, lake: &Place) -> Result<Result<Checked, Vec<String>>> {
    let comparison = sluice_lake::check::compare(&lake.open_lake().await?, &checked.pipeline).await?;
    if !comparison.refusals.is_empty() {
        return Ok(Err(comparison.refusals));
    }
    checked.warnings.extend(comparison.changes);
    Ok(Ok(checked))
}

/// Lets the engine plan every query on empty tables.
async fn plan(pipeline: Pipeline) -> Result<Result<Pipeline, Vec<String>>> {
    let checked = tokio::task::spawn_blocking(move || {
        let result = sluice_lake::check::check_pipeline(&pipeline);
        result.map(|()| pipeline).map_err(|error| vec![with_sources(&error)])
    });
    Ok(checked.await?)
}
