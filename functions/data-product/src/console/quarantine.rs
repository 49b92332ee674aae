//! The quarantined rows of a pipeline: how many, by which rules, and where they come from.

use sluice_core::access::RunRight;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::pipeline::SilverTable;
use sluice_http::{Caller, Problem};
use sluice_lake::inspect::{self, QuarantinedPlace};
use sluice_pages::Content;
use sluice_pages::quarantine::{QuarantineFacts, QuarantineTable, RowPlace, page as quarantine_page};

use super::address::missing;
use super::sources::lake_problem;
use crate::App;
use crate::state::in_time;

/// Rows of a table that are listed.
const ROWS: u32 = 50;

/// The page of the quarantined rows of a pipeline, for those who may read its runs. No value of a row is read for it.
///
/// # Errors
/// Not found for others; faults of the lake.
pub(super) async fn page(app: &App, caller: &Caller, pipeline: PipelineName) -> Result<Content, Problem> {
    of_runs(app, caller, pipeline, None).await
}

/// The page of the rows that one run has quarantined.
///
/// # Errors
/// Not found for those who may not read the pipeline's runs; faults of the lake.
pub(super) async fn of_run(app: &App, caller: &Caller, pipeline: PipelineName, run: RunId) -> Result<Content, Problem> {
    of_runs(app, caller, pipeline, Some(run)).await
}

async fn of_runs(app: &App, caller: &Caller, pipeline: PipelineName, run: Option<RunId>) -> Result<Content, Problem> {
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    rights.check(&pipeline, RunRight::Read, missing)?;
    caller.trail.note(|event| event.run.clone_from(&run));
    let run = run.map(|run| run.to_string());
    let deployed = app.deployed.all().await?;
    let mut tables = Vec::new();
    for silver in deployed.pipelines.get(&pipeline).into_iter().flat_map(|deployed| &deployed.pipeline.silver) {
        tables.extend(in_time(table(app, silver, run.as_deref())).await??);
    }
    Ok(quarantine_page(&QuarantineFacts { pipeline, lake: app.lake.root().clone(), run, tables }))
}

/// A quarantine table; `None` before the first row is in it.
async fn table(app: &App, silver: &SilverTable, run: Option<&str>) -> Result<Option<QuarantineTable>, Problem> {
    let counts = inspect::quarantine_counts(&app.lake, &silver.quarantine).await;
    let Some(counts) = counts.map_err(|error| lake_problem(&error))? else { return Ok(None) };
    let places = inspect::quarantine_places(&app.lake, &silver.quarantine, run, ROWS).await;
    let place = |QuarantinedPlace { rules, source_file, source_row, run_id }| RowPlace {
        rules,
        object: source_file,
        position: source_row,
        run: run_id,
    };
    Ok(Some(QuarantineTable {
        table: silver.quarantine.clone(),
        silver: silver.table.clone(),
        rows: counts.rows,
        counts: counts.by_run,
        rules: silver.contract.row_rules.clone(),
        places: places.map_err(|error| lake_problem(&error))?.into_iter().map(place).collect(),
    }))
}
