//! The engines that execute a case, behind one call: stage what a plan says.

use std::path::Path;

use jiff::Timestamp;
use sluice_core::engine::{EnginePreference, cut};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{PartNumber, Plan};
use sluice_lake::{Lake, steps};
use sluice_spark::{ReadFiles, script};

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

/// Cuts plans at random places, and reads their parts in a random order: some twice, and some not before process, which
/// reads those by itself.
///
/// A plan decides by itself how it is cut, so that one case is the same alone and after others.
struct RandomParts {
    seed: u64,
    /// Parts of all plans so far.
    count: usize,
}

impl RandomParts {
    fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The random numbers of a plan.
    fn random(&self, plan: &Plan) -> Random {
        let number = |text: &str| text.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let of_run = number(plan.run.run_id.as_str()).wrapping_add(u64::from(plan.run.attempt));
        let sizes = plan.objects.iter().map(|planned| planned.object.size_bytes);
        Random::new(sizes.fold(self.seed ^ of_run, |sum, size| sum.wrapping_mul(31).wrapping_add(size)))
    }

    /// Writes the plan, cut somewhere else, in the place of the one in the lake, and reads parts of it.
    fn read(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, random: &mut Random) -> Plan {
        let mut weight = || u64::try_from(random.between(1, 6)).expect("above 0");
        let part_bytes = weight();
        let weights: Vec<u64> = plan.objects.iter().map(|_| weight()).collect();
        let plan = Plan { cuts: cut(&weights, part_bytes), ..plan.clone() };
        wait(lake.documents().of(&plan.run).replace(&plan)).expect("the plan can be written");
        let mut parts: Vec<PartNumber> = plan.cuts.numbers().collect();
        self.count += parts.len();
        random.shuffle(&mut parts);
        for part in parts {
            for _ in 0..random.below(3) {
                // As in the state machine: whatever a part meets, process meets again.
                let _ = wait(steps::read_part(lake, now, &plan.run, part));
            }
        }
        plan
    }
}

/// Polars in this process, with every plan in parts.
pub struct PolarsInParts(RandomParts);

impl PolarsInParts {
    /// The engine with the random numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(RandomParts::new(seed))
    }

    /// Parts of all plans so far.
    pub fn parts(&self) -> usize {
        self.0.count
    }
}

impl Engine for PolarsInParts {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Lambda
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, _: &Path) -> Result<(), StepError> {
        let mut random = self.0.random(plan);
        let plan = self.0.read(lake, now, plan, &mut random);
        Ok(wait(steps::process(lake, now, &plan.run)).map(drop)?)
    }
}

/// Polars reads in this process, half of the plans in parts, and Spark combines, in a session that many runs share.
pub struct Spark {
    session: SparkSession,
    parts: RandomParts,
}

impl Spark {
    /// The engine with this session.
    pub fn new(session: SparkSession) -> Self {
        Self { session, parts: RandomParts::new(29) }
    }
}

impl Engine for Spark {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Emr
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), StepError> {
        let failed = |message: String| StepError::message(ErrorName::EtlFailed, message);
        let mut random = self.parts.random(plan);
        if random.happens(50) {
            let _ = self.parts.read(lake, now, plan, &mut random);
        }
        if wait(steps::process(lake, now, &plan.run))?.changeset().is_some() {
            return Err(failed("process has combined a run of Spark".to_owned()));
        }
        let read: ReadFiles =
            wait(lake.documents().of(&plan.run).require()).map_err(|error| failed(error.to_string()))?;
        let script = script(lake.root(), plan.work(), &read).map_err(|error| failed(format!("no script: {error}")))?;
        self.session.run(&script.text, &scratch.join(format!("{}.sql", plan.run.run_id))).map_err(failed)
    }
}
