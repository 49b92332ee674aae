//! `sluice runs`.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{RunAction, RunRequest};
use sluice_core::uri::ObjectUri;
use sluice_lake::inspect::{self, RunDetails, RunState, RunSummary};
use sluice_lake::{Lake, runs};

use super::named::named_wrongly;
use super::source::{held_sources, held_text};
use super::{openlineage, report, run};
use crate::arguments::RunsCommand;
use crate::console::{Console, Tone};
use crate::execution::{Execution, broken_rules_text, destination, new_run_id, stored_page, table_ends, tables_text};
use crate::fault::Exit;
use crate::grid::{Grid, count};

const NEXT: &str = "`sluice runs list` shows the runs of a lake";

/// Shows runs, or publishes a rejected one.
pub(crate) async fn run(command: RunsCommand, console: &Console) -> Result<Exit> {
    match command {
        RunsCommand::List { lake, pipeline, limit } => {
            let lake = lake.place.open_lake().await?;
            let runs = inspect::runs(&lake, pipeline.name.as_ref(), limit).await?;
            let held = held_sources(&lake, pipeline.name.as_ref()).await?;
            if console.is_json() {
                console.json_page(&json!({ "runs": runs, "held": held }))?;
                return Ok(Exit::Done);
            }
            console.line(&if runs.is_empty() { "no runs yet".to_owned() } else { list_text(&runs) })?;
            if !held.is_empty() {
                console.line(&format!("\n{}", held_text(&held)))?;
            }
            Ok(Exit::Done)
        }
        RunsCommand::Show { run_id, lake, pipeline } => {
            let lake = lake.place.open_lake().await?;
            let details = find(&lake, pipeline.name, &run_id).await?;
            if console.is_json() {
                console.json_page(&details)?;
            } else {
                let page = stored_page(&lake, &details).await?.map(|path| lake.root().object(&path));
                console.line(&details_text(&details, page.as_ref(), console))?;
            }
            Ok(Exit::Done)
        }
        RunsCommand::Report { run_id, lake, pipeline, open, out } => {
            let lake = lake.place.open_lake().await?;
            let details = find(&lake, pipeline.name, &run_id).await?;
            report::show(&lake, &details, (open, out), console).await
        }
        RunsCommand::OpenLineage { run_id, lake, pipeline, send, openlineage } => {
            let lake = lake.place.open_lake().await?;
            let details = find(&lake, pipeline.name, &run_id).await?;
            openlineage::show(&lake, &details, (send, openlineage.target()), console).await
        }
        RunsCommand::Accept { run_id, lake: place, pipeline, reason, by, openlineage } => {
            let destination = openlineage.target().map(destination).transpose()?;
            let lake = place.place.open_lake().await?;
            let summary = find(&lake, pipeline.name, &run_id).await?.summary;
            let accepted = runs::accept(&lake, &summary.pipeline, &run_id, &by, &reason, Timestamp::now()).await;
            accepted.map_err(|error| named_wrongly(error, "`sluice runs show` shows how the run ended"))?;
            let request = RunRequest {
                pipeline: summary.pipeline,
                spec: None,
                landing: None,
                action: RunAction::Accept { run_id },
                engine: None,
                objects: None,
            };
            let execution = Execution::new(&lake, request, &new_run_id(Timestamp::now())?)?;
            run::execute(&execution.with_lineage(destination), None, console).await
        }
    }
}

async fn find(lake: &Lake, pipeline: Option<PipelineName>, run: &RunId) -> Result<RunDetails> {
    let pipeline = match pipeline {
        Some(pipeline) => pipeline,
        None => inspect::find_run(lake, run).await.map_err(|error| named_wrongly(error, NEXT))?,
    };
    inspect::run_details(lake, &pipeline, run).await.map_err(|error| named_wrongly(error, NEXT))
}

fn state_text(state: RunState, console: &Console) -> String {
    let tone = match state {
        RunState::Published | RunState::Accepted => Tone::Good,
        RunState::Skipped => Tone::Faint,
        RunState::Unfinished | RunState::Rejected => Tone::Warning,
        RunState::Failed | RunState::Unreadable => Tone::Bad,
    };
    console.paint(tone, state.as_str())
}

fn list_text(runs: &[RunSummary]) -> String {
    let mut grid = Grid::new(["=run", "pipeline", "=state", ">files", ">rows read", "why"]);
    for run in runs {
        grid.row([
            run.run_id.to_string(),
            run.pipeline.to_string(),
            run.state.as_str().to_owned(),
            count(run.sources),
            count(run.rows_read),
            why(run),
        ]);
    }
    grid.text()
}

fn why(run: &RunSummary) -> String {
    match (&run.error, run.state) {
        (Some(error), RunState::Failed) => format!("{}: {}", error.error, error.cause),
        (Some(error), RunState::Unreadable) => error.cause.clone(),
        (_, RunState::Rejected | RunState::Accepted) => run.broken_rules.join("; "),
        (_, RunState::Unfinished) => "stopped or still running; run the pipeline again".to_owned(),
        _ => match &run.action {
            Some(RunAction::Replay) => "replay of the quarantine".to_owned(),
            _ => String::new(),
        },
    }
}

fn details_text(details: &RunDetails, page: Option<&ObjectUri>, console: &Console) -> String {
    let summary = &details.summary;
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| format!("{at:.0}"));
    let mut text =
        format!("{} {}\n", console.paint(Tone::Strong, summary.run_id.as_str()), state_text(summary.state, console));
    for (name, value) in [
        ("pipeline", summary.pipeline.to_string()),
        ("attempt", summary.attempt.to_string()),
        ("planned", time(summary.planned_at)),
        ("ended", time(summary.ended_at)),
        (
            "engine",
            details.engine.as_ref().map_or("-".to_owned(), |choice| format!("{}: {}", choice.engine, choice.reason)),
        ),
    ] {
        text.push_str(&format!("{name:10}{value}\n"));
    }
    for planned in details.plan.iter().flat_map(|plan| &plan.objects) {
        text.push_str(&format!("{:10}{}\n", "source", planned.object.uri));
    }
    if let Some(page) = page {
        text.push_str(&format!("{:10}{page}\n", "report"));
    }
    if let Some(error) = &summary.error {
        text.push_str(&format!("{:10}{}: {}\n", "error", error.error, error.cause));
    }
    if let Some(acceptance) = details.verdict.as_ref().and_then(|verdict| verdict.acceptance.as_ref()) {
        text.push_str(&format!(
            "{:10}by {} at {:.0}: {}\n",
            "accepted", acceptance.by, acceptance.at, acceptance.reason
        ));
    }
    let tables = table_ends(details);
    if !tables.is_empty() {
        text.push_str(&format!("\n{}\n", tables_text(&tables)));
    }
    let rules = broken_rules_text(details);
    if !rules.is_empty() {
        text.push_str(&format!("\n{rules}\n"));
    }
    text.trim_end().to_owned()
}
