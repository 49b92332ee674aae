//! Runs on one lake: every step as deployed, with an engine in between.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::PipelineName;
use sluice_core::run::{Changeset, Decision, Plan, PlanStatus, Receipt, RunAction, RunRef, RunRequest, Verdict};
use sluice_lake::{Lake, LakeError, steps};

use super::engines::Engine;
use crate::content::wait;
use crate::lab::{folder_uri, open_lake};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate rejected the data.
    Rejected,
    /// A step failed.
    Failed(&'static str),
}

/// A run with its documents.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The message of the failed step.
    pub message: String,
    /// The plan.
    pub plan: Option<Plan>,
    /// The changeset.
    pub changeset: Option<Changeset>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The receipt.
    pub receipt: Option<Receipt>,
}

/// The step that failed, and its error.
type Failed = (&'static str, StepError);

fn failed_in(step: &'static str) -> impl FnOnce(LakeError) -> Failed {
    move |error| (step, error.into())
}

/// A lake and the pipeline that runs on it.
pub struct Side {
    /// The lake.
    pub lake: Lake,
    scratch: PathBuf,
    request: RunRequest,
    runs: i64,
}

/// The folders of the pipeline and of its files, for all lakes of a case.
#[derive(Debug, Clone)]
pub struct Place {
    /// The pipeline's name.
    pub pipeline: PipelineName,
    /// Folder of spec and contracts.
    pub spec: PathBuf,
    /// Folder of the files.
    pub landing: PathBuf,
}

impl Side {
    /// A lake in this folder, which is created.
    pub fn new(folder: &Path, place: &Place) -> Self {
        let scratch = folder.with_file_name("scratch");
        for made in [folder, &scratch] {
            std::fs::create_dir_all(made).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
        }
        let request = RunRequest {
            pipeline: place.pipeline.clone(),
            spec: Some(folder_uri(&place.spec)),
            landing: Some(folder_uri(&place.landing)),
            action: RunAction::Ingest,
            engine: None,
            objects: None,
        };
        Self { lake: open_lake(folder), scratch, request, runs: 0 }
    }

    /// The next run, with the same instant and name on every lake.
    pub fn run(&mut self, engine: &mut dyn Engine) -> Outcome {
        self.runs += 1;
        let start: Timestamp = "2026-01-05T23:30:00Z".parse().expect("an instant");
        let now = start + (self.runs * 17).minutes();
        let run_id = format!("run-{:04}", self.runs).parse().expect("a run id");
        let request = RunRequest { engine: Some(engine.preference()), ..self.request.clone() };
        let mut outcome = Outcome {
            ending: Ending::Failed("validate"),
            message: String::new(),
            plan: None,
            changeset: None,
            verdict: None,
            receipt: None,
        };
        if let Err((step, error)) = self.steps(engine, now, run_id, request, &mut outcome) {
            (outcome.ending, outcome.message) = (Ending::Failed(step), error.to_string());
        }
        outcome
    }

    fn steps(
        &self,
        engine: &mut dyn Engine,
        now: Timestamp,
        run_id: sluice_core::name::RunId,
        request: RunRequest,
        outcome: &mut Outcome,
    ) -> Result<(), Failed> {
        let mut plan = wait(steps::validate(&self.lake, now, run_id, request)).map_err(failed_in("validate"))?;
        // An object at fault is held, and the run is planned again without it, as the state machine does.
        while let Err((step, error)) = self.attempt(engine, now, &plan, outcome) {
            if error.name != ErrorName::ObjectsHeld {
                return Err((step, error));
            }
            plan = wait(steps::replan(&self.lake, now, &plan.run)).map_err(failed_in("replan"))?;
        }
        Ok(())
    }

    /// The steps of one attempt.
    fn attempt(
        &self,
        engine: &mut dyn Engine,
        now: Timestamp,
        plan: &Plan,
        outcome: &mut Outcome,
    ) -> Result<(), Failed> {
        outcome.plan = Some(plan.clone());
        if plan.status == PlanStatus::Skipped {
            outcome.ending = Ending::Skipped;
            return Ok(());
        }
        let run = &plan.run;
        engine.stage(&self.lake, now, plan, &self.scratch).map_err(|error| ("process", error))?;
        let verdict = wait(steps::quality_check(&self.lake, now, run)).map_err(failed_in("quality check"))?;
        outcome.changeset = Some(self.changeset(run));
        outcome.verdict = Some(verdict.clone());
        if verdict.decision == Decision::Rejected {
            outcome.ending = Ending::Rejected;
            return Ok(());
        }
        outcome.receipt = Some(wait(steps::publish(&self.lake, now, run)).map_err(failed_in("publish"))?);
        outcome.ending = Ending::Published;
        Ok(())
    }

    fn changeset(&self, run: &RunRef) -> Changeset {
        wait(self.lake.documents().of(run).require()).expect("what was audited was staged")
    }
}
