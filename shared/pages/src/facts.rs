//! What the page of a run is made of: the documents that the run has left.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use sluice_core::alert::AlertsSpec;
use sluice_core::cost::RunCost;
use sluice_core::document::StepDocument;
use sluice_core::engine::Estimate;
use sluice_core::name::{SourceName, TableRef};
use sluice_core::run::{
    Changeset, Cuts, DocumentKind, Earlier, EngineChoice, Plan, PlanStatus, PlannedObject, Receipt, Report, RunAction,
    RunRef, Verdict,
};
use sluice_core::source::{FirstOf, HeldObject, PassedByList, SourceObject};

/// The documents of a run's newest attempt, as far as it has them.
#[derive(Debug, Clone, Default)]
pub struct RunFacts {
    /// What the attempt was going to do.
    pub plan: Option<PlanFacts>,
    /// What it staged.
    pub changeset: Option<Changeset>,
    /// What the gate decided.
    pub verdict: Option<Verdict>,
    /// What it published.
    pub receipt: Option<Receipt>,
    /// How the run ended; `None` of a run that has not.
    pub report: Option<Report>,
    /// What it cost, where its report says that.
    pub cost: Option<RunCost>,
}

/// The part of a plan that is reported. The rest, with the contracts, is for the steps.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PlanFacts {
    /// What was asked for.
    pub request: RequestFacts,
    /// When the plan was made.
    pub planned_at: Option<Timestamp>,
    /// What validate decided.
    pub status: Option<PlanStatus>,
    /// The engine.
    pub engine: Option<EngineChoice>,
    /// What the run would need on lambda.
    pub estimate: Option<Estimate>,
    /// The tables of the pipeline.
    pub pipeline: Option<PipelineFacts>,
    /// Objects to read.
    pub objects: Vec<PlannedObject>,
    /// How they are divided into parts.
    pub cuts: Cuts,
    /// Gold tables that are left as they are, and why.
    pub waiting: BTreeMap<TableRef, String>,
    /// Objects left out because they are held.
    pub held: Vec<SourceObject>,
    /// Objects that this run holds.
    pub held_by_run: FirstOf<HeldObject>,
    /// What else of the landing folder was left out.
    pub passed_by: PassedByList,
    /// What earlier attempts of the run committed.
    pub earlier: Earlier,
}

impl StepDocument for PlanFacts {
    type Of = RunRef;
    const KIND: DocumentKind = Plan::KIND;
}

/// The part of a request that is reported.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RequestFacts {
    /// What the run does.
    pub action: RunAction,
}

/// The tables of a pipeline, and which are made of which.
#[derive(Debug, Clone, Deserialize)]
pub struct PipelineFacts {
    /// The name of the first source, where the spec names its sources.
    #[serde(default)]
    pub source: Option<SourceName>,
    /// The raw table of the first source.
    pub bronze: TableRef,
    /// The other sources.
    #[serde(default)]
    pub other_sources: Vec<SourceFacts>,
    /// Clean tables.
    #[serde(default)]
    pub silver: Vec<SilverFacts>,
    /// Aggregates, each after the ones it reads.
    #[serde(default)]
    pub gold: Vec<GoldFacts>,
    /// Who is alerted of the ends of its runs.
    #[serde(default)]
    pub alerts: Option<AlertsSpec>,
}

/// A source after the first.
#[derive(Debug, Clone, Deserialize)]
pub struct SourceFacts {
    /// Its name.
    #[serde(default)]
    pub source: Option<SourceName>,
    /// Its raw table.
    pub bronze: TableRef,
}

/// A clean table.
#[derive(Debug, Clone, Deserialize)]
pub struct SilverFacts {
    /// The table.
    pub table: TableRef,
    /// The source that it reads, where the spec names its sources.
    #[serde(default)]
    pub source: Option<SourceName>,
    /// Where rows go that break an error rule.
    pub quarantine: TableRef,
}

/// An aggregate.
#[derive(Debug, Clone, Deserialize)]
pub struct GoldFacts {
    /// The table.
    pub table: TableRef,
    /// Tables it reads.
    #[serde(default)]
    pub inputs: BTreeSet<TableRef>,
}

impl PipelineFacts {
    /// Each source with its raw table.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Option<&SourceName>, &TableRef)> {
        let others = self.other_sources.iter().map(|source| (source.source.as_ref(), &source.bronze));
        std::iter::once((self.source.as_ref(), &self.bronze)).chain(others)
    }

    /// The raw table of the source with this name; of the first one where the pipeline has no other.
    pub(crate) fn bronze_of(&self, source: Option<&SourceName>) -> &TableRef {
        self.sources().find(|(name, _)| *name == source).map_or(&self.bronze, |(_, bronze)| bronze)
    }
}

impl RunFacts {
    /// The engine that combined the rows, or was to.
    pub(crate) fn engine(&self) -> Option<&EngineChoice> {
        let after_reading = self.changeset.as_ref().and_then(|changeset| changeset.engine.as_ref());
        after_reading.or_else(|| self.plan.as_ref()?.engine.as_ref())
    }

    /// The source objects of the run, with those of its earlier attempts.
    pub(crate) fn sources(&self) -> Vec<&SourceObject> {
        match (&self.plan, &self.report) {
            (Some(plan), _) => plan.earlier.and(&plan.objects).collect(),
            (None, Some(report)) => report.sources.iter().collect(),
            (None, None) => Vec::new(),
        }
    }

    /// The objects that the run held.
    pub(crate) fn held(&self) -> FirstOf<HeldObject> {
        match (&self.report, &self.plan) {
            (Some(report), _) => report.held.clone(),
            (None, Some(plan)) => plan.held_by_run.clone(),
            (None, None) => FirstOf::default(),
        }
    }
}
