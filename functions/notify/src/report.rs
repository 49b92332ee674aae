//! The run in one page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::failure::MachineError;
use sluice_core::name::PipelineName;
use sluice_core::run::{Changeset, Earlier, Outcome, PlannedObject, Receipt, Report, ReportedError, RunRef, Verdict};
use sluice_core::uri::{FolderUri, LakePath, layout};
use sluice_documents::DocumentStore;
use sluice_documents::trigger::Trigger;

use crate::Input;

/// Where the report is; `None` when the pipeline is not known.
pub(crate) fn path(report: &Report) -> Option<LakePath> {
    report.pipeline.as_ref().map(|pipeline| layout::run_document(pipeline, &report.run_id, "report"))
}

/// Makes the report and writes it. A report of the same end is kept, with its time; that of another end, which the run
/// had before it was redriven or accepted, is replaced.
pub(crate) async fn settle(documents: &DocumentStore, now: Timestamp, input: Input) -> Result<Report, StepError> {
    let report = make(documents, now, input).await?;
    let Some(path) = path(&report) else { return Ok(report) };
    if let Some(before) = documents.read::<Report>(&path).await? {
        let same = Report { ended_at: before.ended_at, ..report.clone() };
        if before == same {
            return Ok(before);
        }
    }
    documents.write(&path, &report).await?;
    Ok(report)
}

/// The part of a plan that is reported. The rest, with the whole spec and its contracts, is not this function's business.
#[derive(Deserialize)]
struct PlannedObjects {
    objects: Vec<PlannedObject>,
    #[serde(default)]
    earlier: Earlier,
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
    let needs = |kind: &str| match outcome {
        Outcome::Published => kind == "receipt",
        Outcome::Rejected => kind == "verdict",
        Outcome::Skipped => kind == "plan",
        Outcome::Failed => false,
    };
    if let Some(plan) = read::<PlannedObjects>(documents, &run, "plan", needs("plan")).await? {
        report.sources = plan.earlier.and(&plan.objects).cloned().collect();
        report.rows = plan.earlier.tables.iter().map(|e| (e.committed.table.to_string(), e.rows)).collect();
        report.committed = plan.earlier.tables.into_iter().map(|earlier| earlier.committed).collect();
    }
    if let Some(changeset) = read::<Changeset>(documents, &run, "changeset", false).await? {
        report.rows.extend(changeset.tables.into_iter().map(|change| (change.table.to_string(), change.rows)));
    }
    if let Some(verdict) = read::<Verdict>(documents, &run, "verdict", needs("verdict")).await? {
        report.broken_rules = verdict.broken().into_iter().map(|(rule, _)| rule).collect();
    }
    if let Some(receipt) = read::<Receipt>(documents, &run, "receipt", needs("receipt")).await? {
        report.committed.retain(|earlier| receipt.tables.iter().all(|table| table.table != earlier.table));
        report.committed.extend(receipt.tables);
    }
    Ok(Report { pipeline: Some(run.pipeline), run_id: run.run_id, attempt: run.attempt, ..report })
}

async fn read<T: DeserializeOwned>(
    documents: &DocumentStore,
    run: &RunRef,
    kind: &str,
    needed: bool,
) -> Result<Option<T>, StepError> {
    let path = layout::attempt_document(&run.pipeline, &run.run_id, run.attempt, kind);
    let document = documents.read(&path).await?;
    if needed && document.is_none() {
        let message = format!("the run ended with a {kind}, but '{}' does not exist", documents.root().object(&path));
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
