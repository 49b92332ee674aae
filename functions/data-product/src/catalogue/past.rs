//! What the runs of a product's pipeline recorded: quality and lineage.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_core::access::{AccessPath, Treatment};
use sluice_core::document::StepDocument;
use sluice_core::name::{PipelineName, TableRef};
use sluice_core::run::{DocumentKind, Plan, Receipt, RunRef, Verdict};
use sluice_core::uri::layout;
use sluice_http::{Credentials, Json, Problem, ProblemCode, Query};
use utoipa::ToSchema;

use super::about::{OfPort, found, one};
use crate::refusal::Refusals;
use crate::{Access, App};

/// Most runs in a history.
const RUNS: usize = 20;

/// The audits of a port's table, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Quality {
    port: String,
    /// Audits of published runs.
    audits: Vec<Audit>,
}

/// An audit.
#[derive(Debug, Serialize, ToSchema)]
struct Audit {
    run_id: String,
    audited_at: String,
    /// Share of rules that hold, 0 to 100.
    score: String,
    /// The rules, without those about columns that you may not read.
    rules: Vec<Rule>,
    /// How many are left out.
    hidden_rules: usize,
}

/// The outcome of a rule.
#[derive(Debug, Serialize, ToSchema)]
struct Rule {
    rule: String,
    description: String,
    dimension: Option<String>,
    passed: bool,
    expected: String,
    /// What was counted; null where rows are held back from you.
    observed: Option<String>,
}

/// Shows the quality of a port
///
/// Scores and rules of the newest 20 published runs, the newest first.
#[utoipa::path(
    get, path = "/data-products/{domain}/{product}/quality", tag = "catalogue",
    params(("domain" = String, Path, description = "the product's domain"), ("product" = String, Path, description = "the product's name"), OfPort),
    responses((status = 200, description = "The audits", body = Quality), Refusals),
    security(("token" = []))
)]
pub(super) async fn quality(
    State(api): State<App>,
    credentials: Credentials,
    Path((domain, product)): Path<(String, String)>,
    Query(of): Query<OfPort>,
) -> Result<Json<Quality>, Problem> {
    let caller = api.caller(&credentials).await?;
    let access = one(&api, &caller, &domain, &product, &of.port, "quality").await?;
    let mut audits = Vec::new();
    for receipt in receipts(&api, &access.product.pipeline).await? {
        if audits.len() >= RUNS {
            break;
        }
        if let Some(verdict) = read::<Verdict>(&api, &receipt.run).await? {
            audits.extend(audit(&verdict, &access));
        }
    }
    api.audit.write(&api.allowed(&caller, AccessPath::Catalogue, "quality", &access));
    Ok(Json(Quality { port: access.port.name.to_string(), audits }))
}

fn audit(verdict: &Verdict, access: &Access) -> Option<Audit> {
    let table = verdict.tables.iter().find(|audited| audited.table == access.port.table)?;
    let hidden: Vec<&str> =
        access.table.columns.iter().filter(|c| c.treatment == Treatment::Hide).map(|c| c.name.as_str()).collect();
    // A rule names its columns in its id, its words or both.
    let names_hidden = |rule: &&sluice_core::run::RuleResult| {
        hidden.iter().any(|column| rule.rule.contains(column) || rule.description.contains(column))
    };
    let (left_out, shown): (Vec<_>, Vec<_>) = table.rules.iter().partition(names_hidden);
    let rule = |rule: &sluice_core::run::RuleResult| Rule {
        rule: rule.rule.clone(),
        description: rule.description.clone(),
        dimension: rule.dimension.clone(),
        passed: rule.passed,
        expected: rule.expected.clone(),
        observed: access.table.rows.is_none().then(|| rule.observed.clone()),
    };
    Some(Audit {
        run_id: verdict.run.run_id.to_string(),
        audited_at: verdict.audited_at.to_string(),
        score: table.score.clone(),
        rules: shown.into_iter().map(rule).collect(),
        hidden_rules: left_out.len(),
    })
}

/// Where a product comes from and goes to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lineage {
    /// What it is made from.
    upstream: Vec<Step>,
    /// What is made from it.
    downstream: Vec<Step>,
    /// The run that recorded it, the newest that published; null before the first.
    run_id: Option<String>,
}

/// One step of a lineage.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
struct Step {
    /// What is read.
    from: String,
    /// What is made.
    to: String,
}

/// Shows where a data product comes from, and what is made from it
#[utoipa::path(
    get, path = "/data-products/{domain}/{product}/lineage", tag = "catalogue",
    params(("domain" = String, Path, description = "the product's domain"), ("product" = String, Path, description = "the product's name")),
    responses((status = 200, description = "The steps", body = Lineage), Refusals),
    security(("token" = []))
)]
pub(super) async fn lineage(
    State(api): State<App>,
    credentials: Credentials,
    Path((domain, product)): Path<(String, String)>,
) -> Result<Json<Lineage>, Problem> {
    let caller = api.caller(&credentials).await?;
    let (registered, accesses) = found(&api, &caller, &domain, &product).await?;
    let newest = receipts(&api, &registered.pipeline).await?.into_iter().next();
    let plan = match &newest {
        Some(Receipt { run, .. }) => read::<Plan>(&api, run).await?,
        None => None,
    };
    let ports: BTreeSet<&TableRef> = accesses.iter().map(|access| &access.port.table).collect();
    let mut upstream: BTreeSet<Step> = registered
        .inputs
        .iter()
        .map(|input| Step { from: format!("contract {}", input.contract_id), to: registered.product.to_string() })
        .collect();
    let mut downstream = BTreeSet::new();
    if let Some(plan) = &plan {
        let (up, down) = steps(plan, &ports);
        upstream.extend(up);
        downstream.extend(down);
    }
    let contracts: BTreeSet<&str> = accesses.iter().map(|access| access.port.contract.contract_id.as_str()).collect();
    for (other, _) in api.visible(&caller).await? {
        let reads = other.inputs.iter().filter(|input| contracts.contains(input.contract_id.as_str()));
        let reads = reads.filter(|_| other.product != registered.product);
        downstream.extend(
            reads.map(|input| Step { from: format!("contract {}", input.contract_id), to: other.product.to_string() }),
        );
    }
    api.audit.write(&api.about(&caller, "lineage", &registered.product));
    Ok(Json(Lineage {
        upstream: upstream.into_iter().collect(),
        downstream: downstream.into_iter().collect(),
        run_id: newest.map(|receipt| receipt.run.run_id.to_string()),
    }))
}

/// The steps that lead to these tables, and those that lead from them.
fn steps(plan: &Plan, ports: &BTreeSet<&TableRef>) -> (Vec<Step>, Vec<Step>) {
    let pipeline = &plan.pipeline;
    let step = |from: &dyn std::fmt::Display, to: &TableRef| Step { from: from.to_string(), to: to.to_string() };
    let source = step(&pipeline.source_prefix, &pipeline.bronze);
    let silver = pipeline.silver.iter().map(|table| (vec![pipeline.bronze.clone()], table.table.clone()));
    let gold = pipeline.gold.iter().map(|table| (table.inputs.iter().cloned().collect(), table.table.clone()));
    let all: Vec<(Vec<TableRef>, TableRef)> = silver.chain(gold).collect();
    let mut above: BTreeSet<TableRef> = ports.iter().map(|table| (*table).clone()).collect();
    // Gold comes after what it reads, so one look from the end finds all that lead here.
    let mut upstream = vec![source];
    for (inputs, table) in all.iter().rev() {
        if above.contains(table) {
            upstream.extend(inputs.iter().map(|input| step(input, table)));
            above.extend(inputs.iter().cloned());
        }
    }
    let reads_a_port = |(inputs, table): &&(Vec<TableRef>, TableRef)| {
        !ports.contains(table) && inputs.iter().any(|input| ports.contains(input))
    };
    let downstream = all.iter().filter(reads_a_port).flat_map(|(inputs, table)| {
        inputs
            .iter()
            .filter(|input| ports.contains(*input))
            .map(move |input| Step { from: input.to_string(), to: table.to_string() })
    });
    (upstream, downstream.collect())
}

/// Receipts of the newest published runs, the newest first. Names of runs begin with their time, so they sort by it.
async fn receipts(api: &App, pipeline: &PipelineName) -> Result<Vec<Receipt>, Problem> {
    let paths = api.lake.documents().list(&layout::runs(pipeline)).await.map_err(|error| unreadable(&error))?;
    let documents = paths.iter().rev().filter_map(layout::attempt_of);
    let mut receipts = Vec::new();
    for (run, _) in documents.filter(|(_, kind)| *kind == DocumentKind::Receipt).take(RUNS) {
        receipts.extend(read::<Receipt>(api, &run).await?);
    }
    receipts.sort_by_key(|receipt| std::cmp::Reverse(receipt.published_at));
    Ok(receipts)
}

async fn read<T>(api: &App, run: &RunRef) -> Result<Option<T>, Problem>
where
    T: StepDocument<Of = RunRef> + DeserializeOwned,
{
    api.lake.documents().of(run).get().await.map_err(|error| unreadable(&error))
}

fn unreadable(error: &sluice_documents::DocumentError) -> Problem {
    tracing::error!(error_message = sluice_core::error::with_sources(error), "cannot read the documents of a run");
    Problem::new(ProblemCode::Unavailable, "the lake does not answer: call again")
}
