//! `sluice runs openlineage`.

use anyhow::Result;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::openlineage::Target;
use sluice_lake::Lake;
use sluice_lake::inspect::RunDetails;
use sluice_notify::openlineage::reported_attempt;

use crate::console::Console;
use crate::execution::{destination, run_events};
use crate::fault::{Exit, Fault};

/// Prints the events of a run, or sends them.
pub(super) async fn show(
    lake: &Lake,
    details: &RunDetails,
    (send, target): (bool, Option<&Target>),
    console: &Console,
) -> Result<Exit> {
    let run_id = &details.summary.run_id;
    let Some(report) = &details.report else {
        let message = format!("run {run_id} has not ended, and its events are made when it ends");
        let next = "run the pipeline again: the next run completes what this one began";
        return Err(Fault::new(Exit::Failed, message).named(ErrorName::NotFound).next(next).into());
    };
    let events = run_events(lake, report).await?;
    if !send {
        for event in &events {
            console.line(event)?;
        }
        return Ok(Exit::Done);
    }
    let Some(target) = target else {
        let message = "--send needs the place that events go to";
        let next = "give --openlineage https://host/api/v1/lineage or file:///folder, or set SLUICE_OPENLINEAGE";
        return Err(Fault::new(Exit::WrongUse, message).next(next).into());
    };
    if let Some(run) = reported_attempt(report) {
        let sent = destination(target)?.send(&run, &events).await;
        sent.map_err(|StepError { name, message }| Fault::new(Exit::Failed, message).named(name))?;
    }
    console.line(&format!("sent {} events of run {run_id} to {target}", events.len()))?;
    Ok(Exit::Done)
}
