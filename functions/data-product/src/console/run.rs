//! `/console/runs/{pipeline}/{run}`: a run as its documents have it now.

use serde::Deserialize;
use sluice_core::access::RunRight;
use sluice_core::cost::CostedReport;
use sluice_core::document::StepDocument;
use sluice_core::name::ProductRef;
use sluice_core::run::{Changeset, Receipt, RunKey, RunRef, Verdict};
use sluice_http::problem::document_problem;
use sluice_http::{Caller, Problem};
use sluice_pages::{Content, PlanFacts, RunFacts, RunSurroundings, run_page};

use super::address::missing;
use super::recent;
use crate::App;

/// What is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// `no`: the page of a run that goes on is not loaded again.
    live: Option<String>,
}

/// The page, and whether it is to be loaded again in some seconds.
pub(super) async fn page(
    app: &App,
    caller: &Caller,
    run: &RunKey,
    wanted: &Wanted,
) -> Result<(Content, bool), Problem> {
    caller.trail.note(|event| event.run = Some(run.run_id.clone()));
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    rights.check(&run.pipeline, RunRight::Read, missing)?;
    let attempts = app.lake.documents().of(run).attempts().await.map_err(|error| document_problem(&error))?;
    if attempts.is_empty() {
        return Err(missing());
    }
    let newest = attempts.newest_attempt::<PlanFacts>();
    let report: Option<CostedReport> =
        app.lake.documents().of(run).get().await.map_err(|error| document_problem(&error))?;
    let facts = facts(app, newest.as_ref(), report).await?;
    let is_running = facts.report.is_none() && facts.receipt.is_none() && is_recent(app, run).await?;
    let is_live = is_running && wanted.live.as_deref() != Some("no");
    let attempt = facts.report.as_ref().map(|report| report.attempt).or(newest.map(|newest| newest.attempt));
    let shown = run.attempt(attempt.unwrap_or_default());
    let around = RunSurroundings { products: products(app, caller, run).await?, is_live, is_running };
    Ok((run_page(app.lake.root(), &shown, &facts, &around), is_live))
}

/// What the documents of the newest attempt say.
async fn facts(app: &App, newest: Option<&RunRef>, report: Option<CostedReport>) -> Result<RunFacts, Problem> {
    let (report, cost) = report.map_or((None, None), |costed| (Some(costed.report), costed.cost));
    let Some(newest) = newest else { return Ok(RunFacts { report, cost, ..RunFacts::default() }) };
    let (plan, changeset, verdict, receipt) = futures::try_join!(
        read::<PlanFacts>(app, newest),
        read::<Changeset>(app, newest),
        read::<Verdict>(app, newest),
        read::<Receipt>(app, newest),
    )?;
    Ok(RunFacts { plan, changeset, verdict, receipt, report, cost })
}

async fn read<T>(app: &App, run: &RunRef) -> Result<Option<T>, Problem>
where
    T: StepDocument<Of = RunRef> + serde::de::DeserializeOwned,
{
    app.lake.documents().of(run).get().await.map_err(|error| document_problem(&error))
}

/// Whether a run without a report has written something not long ago, or is too young to be listed.
async fn is_recent(app: &App, run: &RunKey) -> Result<bool, Problem> {
    let listed = app.console.recent.listed().await?;
    let found = listed.runs.iter().find(|listed| listed.run == *run);
    Ok(found.is_none_or(|listed| recent::goes_on(listed, app.now())))
}

/// The products of the run's pipeline that the caller may find.
async fn products(app: &App, caller: &Caller, run: &RunKey) -> Result<Vec<ProductRef>, Problem> {
    let found = app.visible(caller).await?;
    let of_pipeline = found.into_iter().filter(|(product, _)| product.pipeline == run.pipeline);
    Ok(of_pipeline.map(|(product, _)| product.product.clone()).collect())
}
