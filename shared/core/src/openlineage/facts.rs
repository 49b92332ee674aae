//! What events are made of: the documents that a run has left.

use jiff::Timestamp;
use serde::Deserialize;

use crate::document::StepDocument;
use crate::pipeline::Pipeline;
use crate::run::{
    Changeset, DocumentKind, Earlier, EngineChoice, Plan, PlannedObject, PlannedTable, Report, RunAction, RunRef,
    Verdict,
};
use crate::uri::FolderUri;

/// The documents of the attempt that a report is about, as far as it has them.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// What the attempt was going to do.
    pub plan: Option<&'a LineagePlan>,
    /// What it staged.
    pub changeset: Option<&'a Changeset>,
    /// What the gate decided.
    pub verdict: Option<&'a Verdict>,
    /// How the run ended, and what it committed.
    pub report: &'a Report,
}

/// The part of a plan that events are made of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LineagePlan {
    /// What was asked for.
    pub request: LineageRequest,
    /// When the plan was made.
    pub planned_at: Option<Timestamp>,
    /// The engine.
    pub engine: Option<EngineChoice>,
    /// The pipeline as resolved for the run.
    pub pipeline: Option<Pipeline>,
    /// Objects to read.
    pub objects: Vec<PlannedObject>,
    /// Where every table of the pipeline and each of its inputs stands.
    pub tables: Vec<PlannedTable>,
    /// What earlier attempts of the run committed.
    pub earlier: Earlier,
}

impl StepDocument for LineagePlan {
    type Of = RunRef;
    const KIND: DocumentKind = Plan::KIND;
}

/// The part of a request that events are made of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LineageRequest {
    /// Folder of new files, where it is not the pipeline's own.
    pub landing: Option<FolderUri>,
    /// What the run does.
    pub action: RunAction,
}
