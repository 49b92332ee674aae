//! What runs cost together: by month, table and product, with advice.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value as Json, json};
use sluice_core::cost::{Advice, FunctionUse, IdleRuns, Money, Reads, Value, idle, memory, shares};
use sluice_core::name::ProductRef;
use sluice_core::product::RegisteredProduct;
use sluice_core::run::{Outcome, RowCounts};

use super::gather::{Found, FoundRun, PriceList};
use crate::arguments::Month;

/// Stands for the table or product of runs that staged no rows, or none of a product.
pub(super) const NOT_DIVIDED: &str = "(not divided)";

/// A number of runs and their cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Part {
    pub(super) runs: u64,
    pub(super) cost: Money,
}

/// What a product cost and gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ProductBill {
    /// Its name; `(not divided)` for runs of pipelines without products.
    pub(super) product: String,
    pub(super) cost: Money,
    pub(super) value: Value,
    /// Who read it; `None` without a file of audit events.
    pub(super) reads: Option<Reads>,
}

/// What runs cost together.
pub(super) struct Bill {
    pub(super) total: Money,
    pub(super) months: BTreeMap<String, Part>,
    pub(super) tables: BTreeMap<String, Money>,
    pub(super) products: Vec<ProductBill>,
    pub(super) advice: Vec<Advice>,
    /// Runs that have a report and have counted nothing.
    pub(super) not_counted: u64,
}

impl Bill {
    pub(super) fn new(
        found: &Found,
        products: &[RegisteredProduct],
        reads: Option<&BTreeMap<ProductRef, Reads>>,
        prices: &PriceList,
    ) -> Self {
        let mut bill = Self {
            total: found.runs.iter().map(cost_of).sum(),
            months: BTreeMap::new(),
            tables: BTreeMap::new(),
            products: of_products(found, products, reads),
            advice: advice(found, prices),
            not_counted: found.runs.iter().filter(|run| run.receipt.is_none()).count() as u64,
        };
        for run in &found.runs {
            let month = bill.months.entry(Month::of(run.report.ended_at).to_string()).or_default();
            month.runs += 1;
            month.cost = month.cost + cost_of(run);
            for (table, share) in of_tables(run) {
                let cost = bill.tables.entry(table).or_default();
                *cost = *cost + share;
            }
        }
        bill
    }

    /// The whole bill, with every receipt.
    pub(super) fn json(&self, found: &Found) -> Json {
        let runs: Vec<Json> = found
            .runs
            .iter()
            .map(|run| {
                json!({
                    "pipeline": run.run.pipeline, "run_id": run.run.run_id, "outcome": run.report.outcome,
                    "ended_at": run.report.ended_at, "usage": run.usage(), "receipt": run.receipt,
                })
            })
            .collect();
        json!({
            "total": self.total, "runs": runs, "months": self.months, "tables": self.tables, "products": self.products,
            "advice": self.advice, "runs_that_counted_nothing": self.not_counted,
            "runs_without_report": found.without_report,
        })
    }
}

/// What is known that a run cost.
pub(super) fn cost_of(run: &FoundRun) -> Money {
    run.receipt.as_ref().map(|receipt| receipt.total).unwrap_or_default()
}

/// Rows that a table made work of: those that were staged, and those that were quarantined.
fn weight(rows: &RowCounts) -> u64 {
    rows.staged.saturating_add(rows.quarantined)
}

/// The cost of a run by table, by rows. The shares add up to the cost.
fn of_tables(run: &FoundRun) -> Vec<(String, Money)> {
    let weights: Vec<u64> = run.report.rows.values().map(weight).collect();
    match shares(cost_of(run), &weights) {
        Some(parts) => run.report.rows.keys().cloned().zip(parts).collect(),
        None => vec![(NOT_DIVIDED.to_owned(), cost_of(run))],
    }
}

/// The cost of a run by product of its pipeline, by rows of their tables; of a run that changed no table of any, in equal parts.
fn of_run<'p>(run: &FoundRun, products: &[&'p RegisteredProduct]) -> Vec<(&'p RegisteredProduct, Money)> {
    let rows_of = |product: &&RegisteredProduct| -> u64 {
        let tables = product.ports.iter().map(|port| port.table.to_string());
        tables.filter_map(|table| run.report.rows.get(&table)).map(weight).sum()
    };
    let weights: Vec<u64> = products.iter().map(rows_of).collect();
    let equal = vec![1; products.len()];
    let parts = shares(cost_of(run), &weights).or_else(|| shares(cost_of(run), &equal));
    products.iter().copied().zip(parts.unwrap_or_default()).collect()
}

fn of_products(
    found: &Found,
    products: &[RegisteredProduct],
    reads: Option<&BTreeMap<ProductRef, Reads>>,
) -> Vec<ProductBill> {
    let mut bills: BTreeMap<&ProductRef, ProductBill> = BTreeMap::new();
    for product in products {
        let reads = reads.map(|reads| reads.get(&product.product).cloned().unwrap_or_default());
        let (cost, value) = (Money::ZERO, Value::default());
        let name = product.product.to_string();
        bills.insert(&product.product, ProductBill { product: name, cost, value, reads });
    }
    let mut rest = Money::ZERO;
    for run in &found.runs {
        let own: Vec<&RegisteredProduct> =
            products.iter().filter(|product| product.pipeline == run.run.pipeline).collect();
        if own.is_empty() {
            rest = rest + cost_of(run);
        }
        for (product, share) in of_run(run, &own) {
            let Some(bill) = bills.get_mut(&product.product) else { continue };
            bill.cost = bill.cost + share;
            note(&mut bill.value, run, product);
        }
    }
    let mut all: Vec<ProductBill> = bills.into_values().collect();
    if rest > Money::ZERO {
        let (product, value) = (NOT_DIVIDED.to_owned(), Value::default());
        all.push(ProductBill { product, cost: rest, value, reads: None });
    }
    all
}

/// What the gate did for a product in a run: rows of its tables, and quarantined rows of all tables before them.
fn note(value: &mut Value, run: &FoundRun, product: &RegisteredProduct) {
    value.published += u64::from(run.report.outcome == Outcome::Published);
    value.rejected += u64::from(run.report.outcome == Outcome::Rejected);
    let of_product = |table: &str| product.ports.iter().any(|port| port.table.to_string() == table);
    for (table, rows) in &run.report.rows {
        value.quarantined = value.quarantined.saturating_add(rows.quarantined);
        if of_product(table) {
            value.rows = value.rows.saturating_add(rows.staged);
        }
    }
}

/// What to change, most savings first. Without numbers, no advice.
fn advice(found: &Found, prices: &PriceList) -> Vec<Advice> {
    let region = found.calls().find_map(|call| call.region.as_deref());
    let Some(prices) = region.and_then(|region| prices.of_region(region)) else { return Vec::new() };
    let mut all: Vec<Advice> =
        FunctionUse::of_calls(found.calls()).iter().filter_map(|of| memory(of, &prices)).collect();
    let mut pipelines: BTreeMap<&str, IdleRuns> = BTreeMap::new();
    for run in found.runs.iter().filter(|run| run.usage().is_some_and(|usage| usage.is_on_lambda())) {
        let of = pipelines.entry(run.run.pipeline.as_str()).or_default();
        of.runs += 1;
        if run.report.outcome == Outcome::Skipped {
            of.idle += 1;
            of.cost = of.cost + cost_of(run);
        }
    }
    all.extend(pipelines.into_iter().filter_map(|(pipeline, of)| idle(pipeline, of)));
    all.sort_by_key(|advice| std::cmp::Reverse(advice.saves));
    all
}

#[cfg(test)]
mod tests;
