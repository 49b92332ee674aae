//! `sluice run`, and everything else that executes the state machine.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use sluice_core::error::StepError;
use sluice_core::name::{RunId, SourceName, TableRef};
use sluice_core::run::{RunAction, RunRequest};
use sluice_core::spec::PipelineSpec;
use sluice_core::uri::FolderUri;
use sluice_documents::trigger::Trigger;

use crate::alerting;
use crate::arguments::{LakeOption, OpenLineageOption, RunArguments};
use crate::console::Console;
use crate::execution::{Ended, Execution, RemoteFunctions, Trace, View, destination, new_run_id};
use crate::fault::{Exit, Fault};
use crate::neighbours::{Neighbour, Neighbours};
use crate::place::Place;
use crate::spec_files::SpecFiles;

/// Runs a pipeline over its new files.
pub(crate) async fn ingest(arguments: RunArguments, console: &Console) -> Result<Exit> {
    let place = &arguments.lake.place;
    let (request, event) = match &arguments.folder {
        Some(folder) => {
            let request = request_of(folder, arguments.landing.as_ref(), RunAction::Ingest)?;
            let objects = (!arguments.object.is_empty()).then(|| arguments.object.into_iter().collect());
            (RunRequest { engine: arguments.engine, objects, ..request }, None)
        }
        None => {
            let event = read_event(arguments.event.as_deref())?;
            (request_of_event(&event, &place.to_uri()?)?, Some(event))
        }
    };
    let lake = place.open_or_make_lake().await?;
    let execution = |request: RunRequest, run_id: Option<RunId>| -> Result<Execution> {
        let destination = arguments.openlineage.target().map(destination).transpose()?;
        let execution = Execution::new(&lake, request, &named_or_new(run_id)?)?.with_lineage(destination);
        Ok(match arguments.functions.clone() {
            Some(endpoint) => execution.with_functions(RemoteFunctions::new(endpoint)?),
            None => execution,
        })
    };
    // Before anything runs: a folder that cannot be read is the user's to correct first.
    let downstream = match arguments.folder.as_deref().filter(|_| arguments.with_downstream) {
        Some(folder) => Neighbours::of(folder)?.downstream()?,
        None => Vec::new(),
    };
    let mut first = execution(request, arguments.run_id)?;
    if let Some(event) = event {
        first = first.with_input(event);
    }
    let trace = arguments.trace.as_deref().map(Trace::create).transpose()?;
    let ended = execute_to_end(&first, trace, console).await?;
    let mut exit = ended.exit();
    let mut changed: BTreeSet<TableRef> = ended.committed().cloned().collect();
    for Neighbour { folder, pipeline } in &downstream {
        if exit == Exit::Interrupted || !pipeline.inputs.iter().any(|input| changed.contains(&input.table)) {
            continue;
        }
        let request = RunRequest { engine: arguments.engine, ..request_of(folder, None, RunAction::Ingest)? };
        let ended = execute_to_end(&execution(request, None)?, None, console).await?;
        // The command ends as the first run that did not end well.
        exit = if exit == Exit::Done || ended.exit() == Exit::Interrupted { ended.exit() } else { exit };
        changed.extend(ended.committed().cloned());
    }
    Ok(exit)
}

pub(super) fn request_of(folder: &Path, landing: Option<&Place>, action: RunAction) -> Result<RunRequest> {
    let files = SpecFiles::read(folder)?;
    if let Some(folder) = landing.and_then(Place::local) {
        check_landing(&folder, files.spec())?;
    }
    let landing = landing.map(|place| place.existing("landing")).transpose()?;
    let (pipeline, spec) = (files.spec().pipeline.clone(), Some(files.folder_uri()?));
    Ok(RunRequest { pipeline, spec, landing, action, engine: None, objects: None })
}

/// Files of named sources are in folders of their names. A folder that has files and none of these would be read as if
/// nothing had arrived.
fn check_landing(folder: &Path, spec: &PipelineSpec) -> Result<()> {
    let names: Vec<&str> = spec.sources.keys().map(SourceName::as_str).collect();
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if names.is_empty() || is_empty || names.iter().any(|name| folder.join(name).is_dir()) {
        return Ok(());
    }
    let message = format!("landing folder {} has no folder of a source of the pipeline", folder.display());
    let next = format!("put the files of each source into a folder of its name: {}", names.join(", "));
    Err(Fault::new(Exit::WrongUse, message).next(next).into())
}

fn read_event(path: Option<&Path>) -> Result<Value> {
    let Some(path) = path else {
        return Err(Fault::new(Exit::WrongUse, "give a pipeline folder, or an event with --event").into());
    };
    let wrong = |error: &dyn Display| Fault::new(Exit::WrongUse, format!("event {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    serde_json::from_str(&text).map_err(|error| wrong(&error).into())
}

/// The request that an event stands for. The functions read the event again; this command needs the name of the pipeline.
fn request_of_event(event: &Value, lake: &FolderUri) -> Result<RunRequest> {
    let wrong = |error: &dyn Display| Fault::new(Exit::WrongUse, format!("the event does not start a run: {error}"));
    let trigger: Trigger = serde_json::from_value(event.clone()).map_err(|error| wrong(&error))?;
    trigger.into_request(lake).map_err(|error| wrong(&error).into())
}

/// Re-validates the quarantined rows of a pipeline against its current contracts.
pub(crate) async fn replay(
    folder: &Path,
    (lake, openlineage): (&LakeOption, &OpenLineageOption),
    run_id: Option<RunId>,
    console: &Console,
) -> Result<Exit> {
    let destination = openlineage.target().map(destination).transpose()?;
    let request = request_of(folder, None, RunAction::Replay)?;
    let run_id = named_or_new(run_id)?;
    let execution = Execution::new(&lake.place.open_lake().await?, request, &run_id)?.with_lineage(destination);
    execute(&execution, None, console).await
}

/// Executes the state machine, shows its progress, and reports how it ended.
pub(crate) async fn execute(execution: &Execution, trace: Option<Trace>, console: &Console) -> Result<Exit> {
    Ok(execute_to_end(execution, trace, console).await?.exit())
}

async fn execute_to_end(execution: &Execution, trace: Option<Trace>, console: &Console) -> Result<Ended> {
    // Before anything runs: channels that cannot be read would only be found when it has ended.
    alerting::channels().map_err(|StepError { name, message }| Fault::new(Exit::WrongUse, message).named(name))?;
    let view = View::new(*console, execution);
    view.begin(execution)?;
    let ended = tokio::select! {
        ended = execution.run(&view, trace.as_ref()) => ended?,
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            execution.stop().await;
            Ended::interrupted(execution)
        }
    };
    view.finish(&ended)?;
    if let Some(fault) = execution.lineage_fault() {
        let again = format!("sluice runs openlineage {} --send", ended.run_id());
        console.note(&format!("warning: {fault}; the events are kept with the run, and `{again}` sends them"));
    }
    if let Some(fault) = execution.alert_fault() {
        console.note(&format!("warning: an alert was not sent: {fault}"));
    }
    trace.map_or(Ok(()), Trace::finish)?;
    Ok(ended)
}

fn named_or_new(run_id: Option<RunId>) -> Result<RunId> {
    run_id.map_or_else(|| new_run_id(Timestamp::now()), Ok)
}
