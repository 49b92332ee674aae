//! What `sluice cost` reads: reports, prices, products and audit events.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use sluice_core::cost::{CallUsage, Prices, Reads, Receipt, ReportCost, RunUsage, receipt};
use sluice_core::error::ErrorName;
use sluice_core::name::{PipelineName, ProductRef, RunId};
use sluice_core::product::RegisteredProduct;
use sluice_core::run::RunKey;
use sluice_core::uri::layout;
use sluice_lake::{Lake, inspect};

use crate::arguments::Month;
use crate::fault::{Exit, Fault};

/// Reports that are read at the same time.
const AT_ONCE: usize = 16;
/// The region whose prices runs have that were in no region, such as those on this machine.
const USUAL_REGION: &str = "us-east-1";

/// A run that has ended.
pub(super) struct FoundRun {
    pub(super) run: RunKey,
    pub(super) report: ReportCost,
    /// What it cost at the prices of today; `None` of a run that has counted nothing.
    pub(super) receipt: Option<Receipt>,
}

impl FoundRun {
    /// What it used; `None` of a run that has counted nothing.
    pub(super) fn usage(&self) -> Option<&RunUsage> {
        self.report.cost.as_ref().map(|cost| &cost.usage)
    }
}

/// The runs of a lake, newest first.
pub(super) struct Found {
    pub(super) runs: Vec<FoundRun>,
    /// Runs without a report: they are under way, or were killed. What they cost is not known.
    pub(super) without_report: u64,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Keeps the runs that ended in this month. Of runs without a report, nobody knows the month.
    pub(super) fn keep(&mut self, month: Option<Month>) {
        if let Some(month) = month {
            self.runs.retain(|run| Month::of(run.report.ended_at) == month);
        }
    }

    /// What the calls of all runs used, in the order of their ends.
    pub(super) fn calls(&self) -> impl Iterator<Item = &CallUsage> {
        self.runs.iter().rev().filter_map(FoundRun::usage).flat_map(|usage| &usage.calls)
    }
}

/// The prices to count with.
pub(super) enum PriceList {
    /// Those of a file, for every run.
    Given(Box<Prices>),
    /// Those of the region of each run.
    BuiltIn,
}

impl PriceList {
    /// Those of this file, or those that this version has.
    ///
    /// # Errors
    /// A [`Fault`] of wrong use for a file that has no prices.
    pub(super) fn read(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Ok(Self::BuiltIn) };
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let prices = Prices::parse(&text, &file.display().to_string());
        let prices =
            prices.map_err(|error| Fault::new(Exit::WrongUse, error.to_string()).named(ErrorName::InvalidInput))?;
        Ok(Self::Given(Box::new(prices)))
    }

    /// The prices to count with in a region; `None` of a region that this version has no prices of.
    pub(super) fn of_region(&self, region: &str) -> Option<Prices> {
        match self {
            Self::Given(prices) => Some((**prices).clone()),
            Self::BuiltIn => Prices::of_region(region),
        }
    }

    /// The prices of what a run used.
    fn of(&self, usage: &RunUsage) -> Result<Prices> {
        let region = usage.calls.iter().find_map(|call| call.region.as_deref()).unwrap_or(USUAL_REGION);
        self.of_region(region).ok_or_else(|| {
            let known: Vec<&str> = Prices::known_regions().collect();
            let message = format!("this version has no prices of {region}; it has those of {}", known.join(" and "));
            let next = "copy a file of prices/ in Sluice's repository, change it, and give it with --prices";
            Fault::new(Exit::WrongUse, message).named(ErrorName::NotFound).next(next).into()
        })
    }
}

/// The runs of a lake that have ended.
///
/// # Errors
/// Faults of the store; reports that cannot be read; a region without prices.
pub(super) async fn runs(
    lake: &Lake,
    pipeline: Option<&PipelineName>,
    only: Option<&RunId>,
    prices: &PriceList,
) -> Result<Found> {
    let all = inspect::newest_runs(lake, pipeline, usize::MAX).await?;
    let wanted = all.into_iter().map(|(_, run)| run).filter(|run| only.is_none_or(|only| run.run_id == *only));
    let read = |run: RunKey| async move {
        let report: Option<ReportCost> = lake.documents().of(&run).get().await?;
        Ok::<_, anyhow::Error>((run, report))
    };
    let read: Vec<(RunKey, Option<ReportCost>)> =
        stream::iter(wanted).map(read).buffered(AT_ONCE).try_collect().await?;
    let mut found = Found { runs: Vec::new(), without_report: 0 };
    for (run, report) in read {
        let Some(report) = report else {
            found.without_report += 1;
            continue;
        };
        let receipt = match &report.cost {
            Some(cost) => Some(receipt(&cost.usage, &prices.of(&cost.usage)?)),
            None => None,
        };
        found.runs.push(FoundRun { run, report, receipt });
    }
    found.runs.sort_by_key(|run| std::cmp::Reverse(run.report.ended_at));
    Ok(found)
}

/// The products of a lake, or of one pipeline.
///
/// # Errors
/// Faults of the store, and documents that cannot be read.
pub(super) async fn products(lake: &Lake, pipeline: Option<&PipelineName>) -> Result<Vec<RegisteredProduct>> {
    let mut products: Vec<RegisteredProduct> = Vec::new();
    for path in lake.documents().list(&layout::products()).await? {
        if let Some(product) = lake.documents().read::<RegisteredProduct>(&path).await?
            && pipeline.is_none_or(|pipeline| product.pipeline == *pipeline)
        {
            products.push(product);
        }
    }
    Ok(products)
}

/// The part of an audit event that is counted. Events have more.
#[derive(Deserialize)]
struct Access {
    at: Timestamp,
    caller: String,
    #[serde(rename = "door")]
    access_path: String,
    #[serde(default)]
    product: Option<ProductRef>,
    #[serde(default)]
    rows: Option<u64>,
    decision: String,
}

/// Who read each product, from a file of audit events.
///
/// # Errors
/// When the file cannot be read, and for a line that is not an audit event.
pub(super) fn reads(file: &Path, month: Option<Month>) -> Result<BTreeMap<ProductRef, Reads>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut all: BTreeMap<ProductRef, Reads> = BTreeMap::new();
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let access: Access = serde_json::from_str(line).map_err(|error| {
            let message = format!("{}, line {}: not an audit event: {error}", file.display(), place + 1);
            Fault::new(Exit::WrongUse, message).next("give a file that `sluice serve --audit FILE` has written")
        })?;
        let is_wanted = month.is_none_or(|month| Month::of(access.at) == month);
        // The catalogue describes products: nobody reads a row there.
        let (Some(product), true) = (access.product, is_wanted && access.access_path != "catalogue") else { continue };
        let reads = all.entry(product).or_default();
        match access.decision.as_str() {
            "allowed" => {
                reads.allowed += 1;
                reads.rows = reads.rows.saturating_add(access.rows.unwrap_or_default());
                reads.callers.insert(access.caller);
            }
            "denied" => reads.denied += 1,
            _ => {}
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_of_products_are_counted_from_audit_events() {
        // The name that stored events have.
        let field = "door";
        let line = |at: &str, caller: &str, way: &str, decision: &str, rows: u64| {
            format!(
                "{{\"at\":\"{at}\",\"caller\":\"{caller}\",\"{field}\":\"{way}\",\"operation\":\"rows\",\
                 \"product\":\"sales/orders\",\"row_filter\":false,\"rows\":{rows},\"decision\":\"{decision}\"}}"
            )
        };
        let lines = [
            line("2026-12-01T10:00:00Z", "ann", "rows", "allowed", 5),
            line("2026-12-02T10:00:00Z", "bob", "query", "allowed", 7),
            line("2026-12-03T10:00:00Z", "ann", "catalogue", "allowed", 0),
            line("2026-12-04T10:00:00Z", "eve", "rows", "denied", 0),
            line("2026-12-05T10:00:00Z", "ann", "sharing", "failed", 0),
            line("2026-11-30T10:00:00Z", "tom", "rows", "allowed", 100),
            String::new(),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), lines.join("\n")).unwrap();
        let all = reads(file.path(), Some("2026-12".parse().unwrap())).unwrap();
        let expected = Reads { allowed: 2, denied: 1, rows: 12, callers: ["ann", "bob"].map(str::to_owned).into() };
        assert_eq!(all, BTreeMap::from([("sales/orders".parse().unwrap(), expected)]));
        assert_eq!(reads(file.path(), None).unwrap().values().map(|reads| reads.rows).sum::<u64>(), 112);
    }
}
