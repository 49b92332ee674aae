//! A run as a page for people: the one that notify has stored, or one that is made of the run's documents.

use sluice_core::cost::ReportCost;
use sluice_core::run::RunRef;
use sluice_core::uri::{LakePath, layout};
use sluice_lake::inspect::RunDetails;
use sluice_lake::{Lake, LakeError};
use sluice_pages::{PlanFacts, RunFacts, run_report};

/// The attempt that a page of the run is about: the one that ended it, or else its newest.
fn attempt(details: &RunDetails) -> RunRef {
    let summary = &details.summary;
    RunRef {
        pipeline: summary.pipeline.clone(),
        run_id: summary.run_id.clone(),
        attempt: details.report.as_ref().map_or(summary.attempt, |report| report.attempt),
    }
}

/// Where the page of a run is stored; `None` for a run without one, such as one that has not ended, or of a version that
/// wrote no pages.
///
/// # Errors
/// Faults of the store.
pub async fn stored_page(lake: &Lake, details: &RunDetails) -> Result<Option<LakePath>, LakeError> {
    if details.report.is_none() {
        return Ok(None);
    }
    let path = layout::report_page(&attempt(details));
    Ok(lake.documents().exists(&path).await?.then_some(path))
}

/// The page of a run as HTML: the stored one at `stored`, or one that is made of the run's documents.
///
/// # Errors
/// Faults of the store, and documents that cannot be read.
pub async fn page_text(lake: &Lake, details: &RunDetails, stored: Option<&LakePath>) -> Result<String, LakeError> {
    if let Some(path) = stored
        && let Some(text) = lake.documents().read_text(path).await?
    {
        return Ok(text);
    }
    let run = attempt(details);
    let plan: Option<PlanFacts> = match &details.plan {
        Some(_) => lake.documents().of(&run).get().await?,
        None => None,
    };
    let costed: Option<ReportCost> = match &details.report {
        Some(_) => lake.documents().of(&run.key()).get().await?,
        None => None,
    };
    let facts = RunFacts {
        plan,
        changeset: details.changeset.clone(),
        verdict: details.verdict.clone(),
        receipt: details.receipt.clone(),
        report: details.report.clone(),
        cost: costed.and_then(|report| report.cost),
    };
    Ok(run_report(lake.root(), &run, &facts))
}
