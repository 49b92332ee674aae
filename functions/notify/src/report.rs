//! The run in one page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_core::cost::{CallUsage, CostedReport, ReportWithCost, RunCost, UsageOf};
use sluice_core::document::StepDocument;
use sluice_core::engine::Engine;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{
    Changeset, Decision, DocumentKind, Outcome, Plan, PlanStatus, ReadRun, Receipt, Report, ReportedError, RunKey,
    RunRef, Verdict,
};
use sluice_core::source::{FirstOf, SourceObject};
use sluice_documents::DocumentStore;
use sluice_documents::ended::{EndedExecution, EndedRun};
use sluice_pages::{PlanFacts, RunFacts};

use crate::alerts::Routes;
use crate::cost::StillToCome;
use crate::{Reached, RunResult, cost};

/// A report, and whether it is to be announced.
pub(crate) struct Settled {
    pub(crate) report: Report,
    /// False when a later end of the run was reported already.
    pub(crate) is_news: bool,
    /// What the steps of the attempt wrote, for the page.
    pub(crate) facts: Facts,
}

/// The run that the report is about; `None` when the pipeline is not known.
pub(crate) fn reported_run(report: &Report) -> Option<RunKey> {
    Some(RunKey { pipeline: report.pipeline.clone()?, run_id: report.run_id.clone() })
}

/// Reports a run that reached a result. A report of the same result is kept, with its time; that of another end, which
/// the run had before it was redriven or accepted, is replaced.
pub(crate) async fn of_result(
    documents: &DocumentStore,
    now: Timestamp,
    reached: Reached,
    still_to_come: &StillToCome,
) -> Result<Settled, StepError> {
    let run = reached.state.run;
    let mut facts = Facts::read(documents, &run).await?;
    let (path, kind, exists) = match reached.outcome {
        RunResult::Published => (Receipt::path(&run), Receipt::KIND, facts.receipt.is_some()),
        RunResult::Rejected => (Verdict::path(&run), Verdict::KIND, facts.verdict.is_some()),
        RunResult::Skipped => (Plan::path(&run), Plan::KIND, facts.plan.is_some()),
    };
    if !exists {
        let message = format!("the run ended with a {kind}, but '{}' does not exist", documents.root().object(&path));
        return Err(StepError::message(ErrorName::NotFound, message));
    }
    let report = facts.report(&run, reached.outcome.into(), now, None);
    if let Some(CostedReport { report: before, cost }) = documents.of(&run.key()).get().await? {
        let same = Report { ended_at: before.ended_at, ..report.clone() };
        if before == same {
            facts.cost = cost;
            return Ok(Settled { report: before, is_news: true, facts });
        }
    }
    let report = keep(documents, &run.key(), report, &mut facts, still_to_come).await?;
    Ok(Settled { report, is_news: true, facts })
}

/// Writes the report of a run, with what the run cost.
async fn keep(
    documents: &DocumentStore,
    run: &RunKey,
    report: Report,
    facts: &mut Facts,
    still_to_come: &StillToCome,
) -> Result<Report, StepError> {
    let cost = cost::of_run(&report, facts, still_to_come);
    let with_cost = ReportWithCost { report, cost };
    documents.of(run).replace(&with_cost).await?;
    facts.cost = Some(with_cost.cost);
    Ok(with_cost.report)
}

/// Reports an execution that ended without success.
///
/// What the run reached is read from the documents of its newest attempt: a run that published its tables and could not
/// announce that is published. The event may come twice, and late: the report of a later end, which the run had after it
/// was redriven, stays and is not announced again.
pub(crate) async fn of_execution(
    documents: &DocumentStore,
    now: Timestamp,
    ended: &EndedExecution,
    still_to_come: &StillToCome,
) -> Result<Settled, StepError> {
    let ended_at = ended.ended_at().unwrap_or(now);
    let EndedRun { run_id, pipeline } = ended.run(documents.root());
    let Some(pipeline) = pipeline else {
        let report = unplanned(None, run_id, ended_at, ended.error());
        return Ok(Settled { report, is_news: true, facts: Facts::default() });
    };
    let key = RunKey { pipeline, run_id };
    let (report, mut facts) = match documents.of(&key).attempts().await?.newest_attempt::<Plan>() {
        Some(run) => {
            let facts = Facts::read(documents, &run).await?;
            (facts.report(&run, facts.outcome(), ended_at, Some(ended.error().clone())), facts)
        }
        None => {
            let RunKey { pipeline, run_id } = key.clone();
            (unplanned(Some(pipeline), run_id, ended_at, ended.error()), Facts::default())
        }
    };
    let report = match documents.of(&key).get::<CostedReport>().await? {
        Some(before) if before.report.ended_at > ended_at => {
            return Ok(Settled { report: before.report, is_news: false, facts });
        }
        Some(before) if before.report == report => {
            facts.cost = before.cost;
            before.report
        }
        _ => keep(documents, &key, report, &mut facts, still_to_come).await?,
    };
    Ok(Settled { report, is_news: true, facts })
}

/// The report of a run that failed before it had a plan.
fn unplanned(pipeline: Option<PipelineName>, run_id: RunId, ended_at: Timestamp, error: &ReportedError) -> Report {
    bare(pipeline, (run_id, 0), Outcome::Failed, ended_at, Some(error.clone()))
}

/// A report without what the documents of a run say.
fn bare(
    pipeline: Option<PipelineName>,
    (run_id, attempt): (RunId, u32),
    outcome: Outcome,
    ended_at: Timestamp,
    error: Option<ReportedError>,
) -> Report {
    Report {
        pipeline,
        run_id,
        attempt,
        outcome,
        ended_at,
        sources: Vec::new(),
        held: FirstOf::default(),
        waiting: BTreeMap::new(),
        rows: BTreeMap::new(),
        committed: Vec::new(),
        broken_rules: Vec::new(),
        warnings: Vec::new(),
        error,
    }
}

/// A document, after what its call used was noted.
fn noted<T: StepDocument>(
    found: Option<(T, Option<CallUsage>)>,
    used: &mut Vec<(DocumentKind, Option<CallUsage>)>,
) -> Option<T> {
    let (document, usage) = found?;
    used.push((T::KIND, usage));
    Some(document)
}

/// What the steps of an attempt wrote.
#[derive(Default)]
pub(crate) struct Facts {
    plan: Option<PlanFacts>,
    changeset: Option<Changeset>,
    verdict: Option<Verdict>,
    receipt: Option<Receipt>,
    /// What the calls used that wrote them, in the order of the steps; `None` of a document that does not say it.
    pub(crate) used: Vec<(DocumentKind, Option<CallUsage>)>,
    /// What the report says that the run cost, once it is written.
    cost: Option<RunCost>,
}

impl Facts {
    async fn read(documents: &DocumentStore, run: &RunRef) -> Result<Self, StepError> {
        let documents = documents.of(run);
        let mut used = Vec::new();
        let plan = noted(documents.get_with_usage::<PlanFacts>().await?, &mut used);
        let changeset: Option<Changeset> = noted(documents.get_with_usage().await?, &mut used);
        // Where Spark has combined the rows, the changeset is not by process.
        if plan.as_ref().and_then(|plan| plan.engine.as_ref()).is_some_and(|choice| choice.engine == Engine::Emr)
            && let Some(read) = documents.get::<UsageOf<ReadRun>>().await?
        {
            used.push((ReadRun::KIND, read.usage));
        }
        let verdict: Option<Verdict> = noted(documents.get_with_usage().await?, &mut used);
        let receipt: Option<Receipt> = noted(documents.get_with_usage().await?, &mut used);
        Ok(Self { plan, changeset, verdict, receipt, used, cost: None })
    }

    /// What the attempt was going to do.
    pub(crate) fn plan(&self) -> Option<&PlanFacts> {
        self.plan.as_ref()
    }

    /// Whether a person has accepted what the gate rejected.
    pub(crate) fn is_accepted(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.decision == Decision::Accepted)
    }

    /// The engine that combined the rows, or was to.
    pub(crate) fn engine(&self) -> Option<Engine> {
        let after_reading = self.changeset.as_ref().and_then(|changeset| changeset.engine.as_ref());
        after_reading.or_else(|| self.plan.as_ref()?.engine.as_ref()).map(|choice| choice.engine)
    }

    /// What the plan says of alerts; `None` without a plan.
    pub(crate) fn routes(&self) -> Option<Routes> {
        let pipeline = self.plan.as_ref()?.pipeline.as_ref()?;
        Some(Routes(pipeline.alerts.clone()))
    }

    /// The facts for the page of a run with this report.
    pub(crate) fn with(self, report: &Report) -> RunFacts {
        let Self { plan, changeset, verdict, receipt, used: _, cost } = self;
        RunFacts { plan, changeset, verdict, receipt, report: Some(report.clone()), cost }
    }

    /// How far the attempt came. The receipt is written after the last commit.
    fn outcome(&self) -> Outcome {
        let is_rejected = self.verdict.as_ref().is_some_and(|verdict| verdict.decision == Decision::Rejected);
        let is_skipped = self.plan.as_ref().is_some_and(|plan| plan.status == Some(PlanStatus::Skipped));
        match self.receipt {
            Some(_) => Outcome::Published,
            None if is_rejected => Outcome::Rejected,
            None if is_skipped => Outcome::Skipped,
            None => Outcome::Failed,
        }
    }

    fn report(&self, run: &RunRef, outcome: Outcome, ended_at: Timestamp, error: Option<ReportedError>) -> Report {
        let attempt = (run.run_id.clone(), run.attempt);
        let mut report = bare(Some(run.pipeline.clone()), attempt, outcome, ended_at, error);
        if let Some(plan) = &self.plan {
            report.held = plan.held_by_run.clone();
            report.waiting.clone_from(&plan.waiting);
            let is_held = |object: &&SourceObject| plan.held.iter().any(|held| held.is_same_version(object));
            report.sources = plan.earlier.and(&plan.objects).filter(|object| !is_held(object)).cloned().collect();
            report.rows = plan.earlier.tables.iter().map(|e| (e.committed.table.to_string(), e.rows)).collect();
            report.committed = plan.earlier.tables.iter().map(|earlier| earlier.committed.clone()).collect();
        }
        if let Some(changeset) = &self.changeset {
            report.rows.extend(changeset.tables.iter().map(|change| (change.table.to_string(), change.rows)));
        }
        if let Some(verdict) = &self.verdict {
            report.broken_rules = verdict.broken().into_iter().map(|(rule, _)| rule).collect();
            report.warnings = verdict.warnings().into_iter().map(Into::into).collect();
        }
        if let Some(receipt) = &self.receipt {
            report.committed.retain(|earlier| receipt.tables.iter().all(|table| table.table != earlier.table));
            report.committed.extend(receipt.tables.iter().cloned());
        }
        report
    }
}
