//! What the runs of a product's pipeline recorded: quality and lineage.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_core::access::Treatment;
use sluice_core::contract::Concern;
use sluice_core::document::StepDocument;
use sluice_core::name::{PipelineName, TableRef};
use sluice_core::run::{DocumentKind, Plan, Receipt, RuleResult, RunRef, Verdict};
use sluice_core::uri::layout;
use sluice_http::{Caller, Json, Problem, ProblemCode, Query};
use utoipa::ToSchema;

use super::about::{OfPort, found, one, product_of};
use crate::refusal::Refusals;
use crate::{Access, App};

/// Most runs in a history.
const RUNS: usize = 20;
/// Rules of the audit itself, which no contract has. They are about the number of rows.
const OF_EVERY_RUN: [&str; 2] = ["control_total", "quarantined_share"];

/// The audits of a port's table, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Quality {
    port: String,
    /// Audits of published runs.
    audits: Vec<Audit>,
}

/// An audit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Audit {
    pub(crate) run_id: String,
    audited_at: String,
    /// Share of the listed rules that hold, 0 to 100; missing where rows are held back from you.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<String>,
    /// The rules, without those about columns that do not exist for you.
    pub(crate) rules: Vec<Rule>,
    /// How many are left out.
    pub(crate) hidden_rules: usize,
}

/// The outcome of a rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rule {
    pub(crate) rule: String,
    pub(crate) description: String,
    dimension: Option<String>,
    /// Whether it holds; null where rows are held back from you, because those decide as well.
    pub(crate) passed: Option<bool>,
    pub(crate) expected: String,
    /// What was measured; null where rows are held back from you, and of columns that you do not read as they are.
    pub(crate) observed: Option<String>,
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
    caller: Caller,
    Path((domain, product)): Path<(String, String)>,
    Query(of): Query<OfPort>,
) -> Result<Json<Quality>, Problem> {
    let access = one(&api, &caller, &domain, &product, &of.port).await?;
    let mut audits = Vec::new();
    for receipt in receipts(&api, &access.product.pipeline).await? {
        if audits.len() >= RUNS {
            break;
        }
        if let Some(verdict) = read::<Verdict>(&api, &receipt.run).await? {
            audits.extend(audit(&verdict, &access));
        }
    }
    Ok(Json(Quality { port: access.port.name.to_string(), audits }))
}

/// The verdicts of at most so many of the newest published runs, the newest first.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn newest_verdicts(api: &App, pipeline: &PipelineName, most: usize) -> Result<Vec<Verdict>, Problem> {
    let mut verdicts = Vec::new();
    for receipt in newest_receipts(api, pipeline, most).await? {
        verdicts.extend(read::<Verdict>(api, &receipt.run).await?);
    }
    Ok(verdicts)
}

/// The audit of a port's table, as far as the caller may see it; `None` where the verdict is not about the table.
pub(crate) fn audit(verdict: &Verdict, access: &Access) -> Option<Audit> {
    let table = verdict.tables.iter().find(|audited| audited.table == access.port.table)?;
    let contract = &access.port.contract;
    let is_of_contract = table.contract == format!("{} {}", contract.contract_id, contract.contract_version);
    let concern = |rule: &str| if is_of_contract { contract.concern(rule) } else { Concern::Unknown };
    let rules: Vec<Rule> = table.rules.iter().filter_map(|rule| shown(rule, concern(&rule.rule), access)).collect();
    let passed = rules.iter().filter(|rule| rule.passed == Some(true)).count();
    let of_listed = || if rules.len() == table.rules.len() { table.score.clone() } else { score(passed, rules.len()) };
    Some(Audit {
        run_id: verdict.run.run_id.to_string(),
        audited_at: verdict.audited_at.to_string(),
        score: access.table.rows.is_none().then(of_listed),
        hidden_rules: table.rules.len() - rules.len(),
        rules,
    })
}

/// A rule as the caller may see it. Its measurement is a value of the columns it is about: whoever does not read all of them as they are
/// learns whether it holds, and whoever may not know of one of them does not learn of the rule. Where rows are held back, they decide as
/// well, so that the outcome of a rule says something about them.
fn shown(rule: &RuleResult, concern: Concern<'_>, access: &Access) -> Option<Rule> {
    let columns = &access.table.columns;
    let held_back = access.table.rows.is_some();
    let is_clear = |name: &str| access.table.treatment(name).is_clear();
    let is_measured_for_caller = match concern {
        Concern::Columns(concerned) => {
            if concerned.iter().any(|name| access.table.treatment(name) == Treatment::Hide) {
                return None;
            }
            concerned.into_iter().all(is_clear)
        }
        // What the audit counts in every run says how many rows were delivered.
        Concern::Unknown if OF_EVERY_RUN.contains(&rule.rule.as_str()) => {
            if held_back {
                return None;
            }
            true
        }
        Concern::Unknown => columns.iter().all(|column| column.treatment.is_clear()),
    };
    // Its id and words are its author's, and may name others.
    let hidden = columns.iter().filter(|column| column.treatment == Treatment::Hide);
    let names_hidden = hidden.map(|column| column.name.as_str()).any(|column| {
        rule.rule.contains(column) || rule.description.contains(column) || rule.expected.contains(column)
    });
    (!names_hidden).then(|| Rule {
        rule: rule.rule.clone(),
        description: rule.description.clone(),
        dimension: rule.dimension.clone(),
        passed: (!held_back).then_some(rule.passed),
        expected: rule.expected.clone(),
        observed: (is_measured_for_caller && !held_back).then(|| rule.observed.clone()),
    })
}

/// Share of rules that hold, in percent with at most two digits after the point, never rounded up.
fn score(passed: usize, of: usize) -> String {
    let hundredths = passed.saturating_mul(10_000).checked_div(of).unwrap_or(10_000);
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
    caller: Caller,
    Path((domain, product)): Path<(String, String)>,
) -> Result<Json<Lineage>, Problem> {
    let (registered, accesses) = found(&api, &caller, &product_of(&domain, &product)?).await?;
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
    let bronze_of = |table: &TableRef| pipeline.source_of(table).map(|source| source.bronze.clone());
    let silver = pipeline
        .silver
        .iter()
        .map(|table| (bronze_of(&table.table).into_iter().collect::<Vec<_>>(), table.table.clone()));
    let gold = pipeline.gold.iter().map(|table| (table.inputs.iter().cloned().collect(), table.table.clone()));
    let all: Vec<(Vec<TableRef>, TableRef)> = silver.chain(gold).collect();
    let mut above: BTreeSet<TableRef> = ports.iter().map(|table| (*table).clone()).collect();
    // Gold comes after what it reads, so one look from the end finds all that lead here.
    let mut upstream = Vec::new();
    for (inputs, table) in all.iter().rev() {
        if above.contains(table) {
            upstream.extend(inputs.iter().map(|input| step(input, table)));
            above.extend(inputs.iter().cloned());
        }
    }
    // The only source of a pipeline leads to all its tables.
    let is_only = pipeline.other_sources.is_empty();
    let leads_here = pipeline.sources().filter(|source| is_only || above.contains(&source.bronze));
    let from_sources = leads_here.map(|source| step(&source.prefix, &source.bronze));
    let upstream: Vec<Step> = from_sources.chain(upstream).collect();
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
    newest_receipts(api, pipeline, RUNS).await
}

async fn newest_receipts(api: &App, pipeline: &PipelineName, most: usize) -> Result<Vec<Receipt>, Problem> {
    let paths = api.lake.documents().list(&layout::runs(pipeline)).await.map_err(|error| unreadable(&error))?;
    let documents = paths.iter().rev().filter_map(layout::attempt_of);
    let mut receipts = Vec::new();
    for (run, _) in documents.filter(|(_, kind)| *kind == DocumentKind::Receipt).take(most) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_of_the_rules_that_are_listed() {
        let check = |passed: usize, of: usize, expected: &str| assert_eq!(score(passed, of), expected);
        check(3, 3, "100");
        check(0, 3, "0");
        check(1, 2, "50");
        check(2, 3, "66.66");
        check(1, 8, "12.5");
        check(0, 0, "100");
    }
}
