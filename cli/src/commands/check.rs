//! `sluice check`.

use anyhow::{Context, Result};
use serde_json::json;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::json_schema;

use crate::arguments::CheckArguments;
use crate::console::{Console, Tone};
use crate::fault::Exit;
use crate::spec_files::SpecFiles;

/// Tells every problem of a pipeline, or that there is none.
pub(crate) async fn run(arguments: CheckArguments, console: &Console) -> Result<Exit> {
    if arguments.schema {
        console.json_page(&json_schema())?;
        return Ok(Exit::Done);
    }
    let folder = arguments.folder.context("no pipeline folder was named")?;
    let files = SpecFiles::read(&folder)?;
    let resolved = match files.resolve() {
        Ok(pipeline) => plan(pipeline).await?,
        Err(problems) => Err(problems),
    };
    let name = files.spec().pipeline.as_str();
    match resolved {
        Ok(pipeline) => {
            let tables = pipeline.tables();
            if console.is_json() {
                console.json_page(&json!({ "pipeline": name, "problems": [], "tables": tables }))?;
            } else {
                console.line(&format!("{} pipeline `{name}` can run; it writes", console.paint(Tone::Good, "ok:")))?;
                for table in tables {
                    console.line(&format!("  {table}"))?;
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

/// Lets the engine plan every query on empty tables.
async fn plan(pipeline: Pipeline) -> Result<Result<Pipeline, Vec<String>>> {
    let checked = tokio::task::spawn_blocking(move || {
        let result = sluice_lake::check::check_pipeline(&pipeline);
        result.map(|()| pipeline).map_err(|error| vec![StepError::new(ErrorName::InvalidInput, &error).message])
    });
    Ok(checked.await?)
}
