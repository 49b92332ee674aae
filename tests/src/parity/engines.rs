//! The engines that a case runs through, behind one call: stage what a plan says.

use std::path::Path;

use jiff::Timestamp;
use sluice_core::engine::EnginePreference;
use sluice_core::error::StepError;
use sluice_core::run::Plan;
use sluice_core::spark::script;
use sluice_lake::{Lake, steps};

use super::spark::SparkSession;
use crate::content::wait;

/// Stages the changes of a plan; everything before and after is the same for all engines.
pub trait Engine {
    /// What a request asks for to get this engine.
    fn preference(&self) -> EnginePreference;

    /// Stages. `scratch` is a folder for files of the engine's own that help to find out what happened.
    ///
    /// # Errors
    /// What the engine said.
    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), String>;
}

/// Polars, in this process.
pub struct Polars;

impl Engine for Polars {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Lambda
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, _: &Path) -> Result<(), String> {
        wait(steps::process(lake, now, &plan.run)).map(drop).map_err(|error| StepError::from(error).to_string())
    }
}

/// Spark, in a session that many runs share.
pub struct Spark(pub SparkSession);

impl Engine for Spark {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Emr
    }

    fn stage(&mut self, lake: &Lake, _: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), String> {
        let script = script(lake.root(), plan).map_err(|error| format!("no script: {error}"))?;
        self.0.run(&script.text, &scratch.join(format!("{}.sql", plan.run.run_id)))
    }
}
