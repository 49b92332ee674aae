//! Events of OpenLineage: where they go, and those of a run that has ended.

use anyhow::Result;
use sluice_aws::env::{self, Env};
use sluice_core::error::StepError;
use sluice_core::openlineage::Target;
use sluice_core::run::Report;
use sluice_lake::Lake;
use sluice_notify::openlineage::{ApiKey, Destination, KeptEvents, events_of, reported_attempt};

use crate::fault::{Exit, Fault};

/// Where a target leads from this process.
///
/// # Errors
/// A [`Fault`] of wrong use for the target `events`, which only a deployment has, and for a text that cannot be a key.
pub fn destination(target: &Target) -> Result<Destination> {
    let environment = Env::of_process();
    let key = match environment.get(env::OPENLINEAGE_KEY) {
        Some(_) if matches!(target, Target::Http(_)) => {
            let key: Result<ApiKey, _> = environment.parse(env::OPENLINEAGE_KEY);
            Some(key.map_err(|error| wrong_use(error.into()))?)
        }
        _ => None,
    };
    Ok(Destination::without_bus(target.clone(), key).map_err(wrong_use)?)
}

fn wrong_use(StepError { name, message }: StepError) -> Fault {
    Fault::new(Exit::WrongUse, message).named(name)
}

/// The events of a run that has ended: those that are kept with it, or else those that are made of its documents.
///
/// # Errors
/// Faults of the store, and documents that cannot be read.
pub async fn run_events(lake: &Lake, report: &Report) -> Result<Vec<String>> {
    if let Some(run) = reported_attempt(report)
        && let Some(kept) = lake.documents().of(&run).get::<KeptEvents>().await?
    {
        return Ok(kept.lines());
    }
    let made = events_of(lake.documents(), report).await;
    let made = made.map_err(|StepError { name, message }| Fault::new(Exit::Failed, message).named(name))?;
    Ok(made.lines())
}
