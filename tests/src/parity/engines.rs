//! The engines that execute a case, behind one call: stage what a plan says.

use std::path::Path;

use jiff::Timestamp;
use sluice_core::engine::EnginePreference;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::Plan;
use sluice_core::spark::script;
use sluice_lake::{Lake, steps};

use super::spark::SparkSession;
use crate::content::wait;

/// Stages the changes of a plan; everything before and after is the same for all engines.
pub trait Engine {
    /// The engine preference of a request for this engine.
    fn preference(&self) -> EnginePreference;

    /// Stages the changes. `scratch` is a folder for the engine's own files, which help to analyse failures.
    ///
    /// # Errors
    /// That of the engine.
    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), StepError>;
}

/// Polars, in this process.
pub struct Polars;

impl Engine for Polars {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Lambda
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, _: &Path) -> Result<(), StepError> {
        Ok(wait(steps::process(lake, now, &plan.run)).map(drop)?)
    }
}

/// Spark, in a session that many runs share.
pub struct Spark(pub SparkSession);

impl Engine for Spark {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Emr
    }

    fn stage(&mut self, lake: &Lake, _: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), StepError> {
        let failed = |message: String| StepError::message(ErrorName::EtlFailed, message);
        let script = script(lake.root(), plan.work()).map_err(|error| failed(format!("no script: {error}")))?;
        self.0.run(&script.text, &scratch.join(format!("{}.sql", plan.run.run_id))).map_err(failed)
    }
}
