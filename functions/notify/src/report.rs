//! The run in one page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_core::document::StepDocument;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::failure::MachineError;
use sluice_core::name::PipelineName;
use sluice_core::run::{
    Changeset, DocumentKind, Earlier, Outcome, Plan, PlannedObject, Receipt, Report, ReportedError, RunKey, RunRef,
    Verdict,
};
use sluice_core::uri::FolderUri;
use sluice_documents::DocumentStore;
use sluice_documents::trigger::Trigger;

use crate::Input;

/// The run that the report is about; `None` when the pipeline is not known.
pub(crate) fn reported_run(report: &Report) -> Option<RunKey> {
    Some(RunKey { pipeline: report.pipeline.clone()?, run_id: report.run_id.clone() })
}

/// Makes the report and writes it. A report of the same end is kept, with its time; that of another end, which the run
/// had before it was redriven or accepted, is replaced.
pub(crate) async fn settle(documents: &DocumentStore, now: Timestamp, input: Input) -> Result<Report, StepError> {
    let report = make(documents, now, input).await?;
    let Some(run) = reported_run(&report) else { return Ok(report) };
    let documents = documents.of(&run);
    if let Some(before) = documents.get::<Report>().await? {
        let same = Report { ended_at: before.ended_at, ..report.clone() };
        if before == same {
            return Ok(before);
        }
    }
    documents.replace(&report).await?;
    Ok(report)
}

/// The part of a plan that is reported. The rest, with the whole spec and its contracts, is not this function's business.
#[derive(Deserialize)]
struct PlannedObjects {
    objects: Vec<PlannedObject>,
    #[serde(default)]
    earlier: Earlier,
}

impl StepDocument for PlannedObjects {
    type Of = RunRef;
    const KIND: DocumentKind = Plan::KIND;
}

async fn make(documents: &DocumentStore, now: Timestamp, input: Input) -> Result<Report, StepError> {
    let Input { outcome, execution_name, state } = input;
    let mut report = Report {
        pipeline: state.request.and_then(|request| requested_pipeline(documents.root(), request)),
        run_id: execution_name,
        attempt: 0,
        outcome,
        ended_at: now,
        sources: Vec::new(),
        rows: BTreeMap::new(),
        committed: Vec::new(),
        broken_rules: Vec::new(),
        warnings: Vec::new(),
        error: if outcome == Outcome::Failed {
            Some(state.error.map_or_else(unknown, ReportedError::unwrapped))
        } else {
            None
        },
    };
    let Some(run) = state.run else {
        return if outcome == Outcome::Failed {
            Ok(report)
        } else {
            let message = "`state.run` is missing: only a run that failed in validate may end without an attempt";
            Err(StepError::message(ErrorName::InvalidInput, message))
        };
    };
    let is_needed = |kind: DocumentKind| match outcome {
        Outcome::Published => kind == DocumentKind::Receipt,
        Outcome::Rejected => kind == DocumentKind::Verdict,
        Outcome::Skipped => kind == DocumentKind::Plan,
        Outcome::Failed => false,
    };
    if let Some(plan) = read::<PlannedObjects>(documents, &run, is_needed).await? {
        report.sources = plan.earlier.and(&plan.objects).cloned().collect();
        report.rows = plan.earlier.tables.iter().map(|e| (e.committed.table.to_string(), e.rows)).collect();
        report.committed = plan.earlier.tables.into_iter().map(|earlier| earlier.committed).collect();
    }
    if let Some(changeset) = read::<Changeset>(documents, &run, is_needed).await? {
        report.rows.extend(changeset.tables.into_iter().map(|change| (change.table.to_string(), change.rows)));
    }
    if let Some(verdict) = read::<Verdict>(documents, &run, is_needed).await? {
        report.broken_rules = verdict.broken().into_iter().map(|(rule, _)| rule).collect();
        report.warnings = verdict.warnings().into_iter().map(Into::into).collect();
    }
    if let Some(receipt) = read::<Receipt>(documents, &run, is_needed).await? {
        report.committed.retain(|earlier| receipt.tables.iter().all(|table| table.table != earlier.table));
        report.committed.extend(receipt.tables);
    }
    Ok(Report { pipeline: Some(run.pipeline), run_id: run.run_id, attempt: run.attempt, ..report })
}

async fn read<T: StepDocument<Of = RunRef> + DeserializeOwned>(
    documents: &DocumentStore,
    run: &RunRef,
    is_needed: impl Fn(DocumentKind) -> bool,
) -> Result<Option<T>, StepError> {
    let document = documents.of(run).get().await?;
    if document.is_none() && is_needed(T::KIND) {
        let (kind, uri) = (T::KIND, documents.root().object(&T::path(run)));
        let message = format!("the run ended with a {kind}, but '{uri}' does not exist");
        return Err(StepError::message(ErrorName::NotFound, message));
    }
    Ok(document)
}

/// The pipeline of a request that validate may have refused for something else.
fn requested_pipeline(lake: &FolderUri, request: Value) -> Option<PipelineName> {
    let named = request.get("pipeline").and_then(Value::as_str).and_then(|name| name.parse().ok());
    named.or_else(|| Some(serde_json::from_value::<Trigger>(request).ok()?.into_request(lake).ok()?.pipeline))
}

fn unknown() -> ReportedError {
    ReportedError { error: MachineError::Unknown.into(), cause: "the state machine reported no error".to_owned() }
}
