//! The engines that execute a case, behind one call: stage what a plan says.

use std::path::Path;

use jiff::Timestamp;
use sluice_core::engine::{EnginePreference, cut};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{PartNumber, Plan};
use sluice_core::spark::script;
use sluice_lake::{Lake, steps};

use super::spark::SparkSession;
use crate::content::wait;
use crate::random::Random;

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

/// Polars in this process, with every plan cut at random places and its parts read in a random order: some twice, and some
/// not before process, which reads those by itself.
pub struct PolarsInParts {
    random: Random,
    /// Parts of all plans so far.
    pub parts: usize,
}

impl PolarsInParts {
    /// The engine with the random numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), parts: 0 }
    }

    /// The plan, cut somewhere else, in the place of the one in the lake.
    fn cut(&mut self, lake: &Lake, plan: &Plan) -> Plan {
        let mut weight = || u64::try_from(self.random.between(1, 6)).expect("above 0");
        let part_bytes = weight();
        let weights: Vec<u64> = plan.landing().map(|_| weight()).collect();
        let plan = Plan { cuts: cut(&weights, part_bytes), ..plan.clone() };
        wait(lake.documents().of(&plan.run).replace(&plan)).expect("the plan can be written");
        plan
    }
}

impl Engine for PolarsInParts {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Lambda
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, _: &Path) -> Result<(), StepError> {
        let plan = self.cut(lake, plan);
        let mut parts: Vec<PartNumber> = plan.cuts.numbers().collect();
        self.parts += parts.len();
        self.random.shuffle(&mut parts);
        for part in parts {
            for _ in 0..self.random.below(3) {
                // As in the state machine: whatever a part meets, process meets again.
                let _ = wait(steps::read_part(lake, now, &plan.run, part));
            }
        }
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
