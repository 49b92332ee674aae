//! The report as a page, next to the documents of the run.

use sluice_core::error::StepError;
use sluice_core::run::Report;
use sluice_core::uri::{ObjectUri, layout};
use sluice_documents::DocumentStore;
use sluice_pages::run_report;

use crate::report::{Facts, reported_run};

/// Writes the page of the run that has this report, and returns where it is; `None` when the run's pipeline is not known.
///
/// The same report and documents make the same page, which is written once. An attempt that ends again, after a redrive
/// or an acceptance, has its page replaced.
pub(crate) async fn keep(
    documents: &DocumentStore,
    report: &Report,
    facts: Facts,
) -> Result<Option<ObjectUri>, StepError> {
    let Some(run) = reported_run(report).map(|run| run.attempt(report.attempt)) else { return Ok(None) };
    let page = run_report(documents.root(), &run, &facts.with(report));
    let path = layout::report_page(&run);
    documents.keep_text(&path, &page).await?;
    Ok(Some(documents.root().object(&path)))
}
