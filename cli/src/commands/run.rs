//! `sluice run`, and everything else that executes the state machine.

use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;
use sluice_core::name::RunId;
use sluice_core::run::{RunAction, RunRequest};
use sluice_lake::Lake;

use crate::arguments::{LakeOption, RunArguments};
use crate::console::Console;
use crate::execution::{Ended, Execution, View, new_run_id};
use crate::fault::Exit;
use crate::spec_files::SpecFiles;

/// Takes the new files of a pipeline to its tables.
pub(crate) async fn ingest(arguments: RunArguments, console: &Console) -> Result<Exit> {
    let files = SpecFiles::read(&arguments.folder)?;
    let landing = arguments.landing.as_ref().map(|place| place.existing("landing")).transpose()?;
    let request = RunRequest {
        pipeline: files.spec().pipeline.clone(),
        spec: Some(files.folder_uri()?),
        landing,
        action: RunAction::Ingest,
    };
    let lake = arguments.lake.place.open_or_make_lake().await?;
    let run_id = named_or_new(arguments.run_id)?;
    execute(&lake, request, &run_id, console).await
}

/// Takes the quarantined rows of a pipeline through its contracts as they are now.
pub(crate) async fn replay(folder: &Path, lake: &LakeOption, run_id: Option<RunId>, console: &Console) -> Result<Exit> {
    let files = SpecFiles::read(folder)?;
    let request = RunRequest {
        pipeline: files.spec().pipeline.clone(),
        spec: Some(files.folder_uri()?),
        landing: None,
        action: RunAction::Replay,
    };
    let run_id = named_or_new(run_id)?;
    execute(&lake.place.open_lake().await?, request, &run_id, console).await
}

/// Executes the state machine, shows it, and tells how it ended.
pub(crate) async fn execute(lake: &Lake, request: RunRequest, run_id: &RunId, console: &Console) -> Result<Exit> {
    let view = View::new(*console);
    view.begin(&request.pipeline, run_id)?;
    let execution = Execution::new(lake, request, run_id)?;
    let ended = tokio::select! {
        ended = execution.run(&view) => ended?,
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            Ended::interrupted(&execution)
        }
    };
    view.finish(&ended)?;
    Ok(ended.exit())
}

fn named_or_new(run_id: Option<RunId>) -> Result<RunId> {
    run_id.map_or_else(|| new_run_id(Timestamp::now()), Ok)
}
