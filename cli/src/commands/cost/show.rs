//! Bills and receipts as text.

use sluice_core::cost::{Money, Receipt};
use sluice_core::run::Outcome;

use super::bill::{Bill, cost_of};
use super::csv::{amount, sure};
use super::gather::{Found, FoundRun};
use crate::console::{Console, Tone};
use crate::grid::{Grid, count};

/// Runs that are listed; JSON and CSV have all.
const LISTED: usize = 20;

/// The receipts of runs, line by line.
pub(super) fn receipts(found: &Found, console: &Console) -> String {
    let texts: Vec<String> = found.runs.iter().map(|run| receipt_text(run, console)).collect();
    texts.join("\n\n")
}

fn receipt_text(run: &FoundRun, console: &Console) -> String {
    let title = format!("{} {} {}", run.run.pipeline, run.run.run_id, outcome(run.report.outcome));
    let mut text = console.paint(Tone::Strong, &title);
    let Some(receipt) = &run.receipt else {
        text.push_str("\nnot known: the run was made by a version of Sluice that counted nothing");
        return text;
    };
    text.push_str(&format!("\nprices of {}, {}, in {}\n\n", receipt.region, receipt.prices_as_of, receipt.currency));
    let mut grid = Grid::new(["what", "function", ">amount", "unit", ">cost", "how", "arithmetic"]);
    for line in &receipt.lines {
        grid.row([
            line.item.to_string(),
            line.function.clone().unwrap_or_default(),
            amount(line),
            line.item.unit().to_owned(),
            line.cost.to_string(),
            sure(line.billed_as).to_owned(),
            line.arithmetic.clone(),
        ]);
    }
    text.push_str(&grid.text());
    text.push_str(&format!("\n\ntotal      {} {}", receipt.total, receipt.currency));
    text.push_str(&format!("\nestimated  {} of it", receipt.estimated()));
    text.push_str(&unknown_text(receipt));
    if !receipt.is_billed {
        text.push_str(&format!("\n{LOCAL}"));
    }
    text
}

/// What is said of runs on this machine.
const LOCAL: &str = "not billed: calls ran on a machine of one's own, and this is what they would have cost on Lambda, \
                     if they had taken as long there";

fn unknown_text(receipt: &Receipt) -> String {
    receipt.not_known.iter().map(|what| format!("\nnot known  {what}")).collect()
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Published => "published",
        Outcome::Skipped => "skipped",
        Outcome::Rejected => "rejected",
        Outcome::Failed => "failed",
    }
}

/// The bill of runs.
pub(super) fn bill(bill: &Bill, found: &Found, console: &Console) -> String {
    if found.runs.is_empty() {
        return format!("no run has ended{}", without_report(found));
    }
    let title = |text: &str| console.paint(Tone::Strong, text);
    let mut parts = vec![runs_text(found)];
    let mut months = Grid::new(["=month", ">runs", ">cost"]);
    for (month, part) in &bill.months {
        months.row([month.clone(), count(part.runs), part.cost.rounded()]);
    }
    parts.push(format!("{}\n{}", title("by month"), months.text()));
    let mut tables = Grid::new(["=table", ">cost"]);
    for (table, cost) in &bill.tables {
        tables.row([table.clone(), cost.rounded()]);
    }
    parts.push(format!("{}\n{}", title("by table, by rows staged and quarantined"), tables.text()));
    if !bill.products.is_empty() {
        parts.push(format!("{}\n{}", title("by product, by rows of its tables"), products_text(bill)));
    }
    for advice in &bill.advice {
        parts.push(format!("{} {}\n  {}", title("advice:"), advice.change, advice.arithmetic));
        parts.push(format!("  saves {} in the time of these runs", advice.saves.rounded()));
    }
    parts.push(total_text(bill, found));
    parts.join("\n\n")
}

fn runs_text(found: &Found) -> String {
    let mut grid = Grid::new(["=ended", "pipeline", "=run", "outcome", ">cost", ">estimated", ">not known"]);
    for run in found.runs.iter().take(LISTED) {
        let (cost, estimated, unknown) = match &run.receipt {
            Some(receipt) => {
                (receipt.total.rounded(), receipt.estimated().rounded(), count(receipt.not_known.len() as u64))
            }
            None => ("not known".to_owned(), String::new(), String::new()),
        };
        grid.row([
            format!("{:.0}", run.report.ended_at),
            run.run.pipeline.to_string(),
            run.run.run_id.to_string(),
            outcome(run.report.outcome).to_owned(),
            cost,
            estimated,
            unknown,
        ]);
    }
    let mut text = grid.text();
    if let Some(more @ 1..) = found.runs.len().checked_sub(LISTED) {
        let cost: Money = found.runs.iter().skip(LISTED).map(cost_of).sum();
        text.push_str(&format!("\nand {more} more, {}: --json has all of them", cost.rounded()));
    }
    text
}

fn products_text(bill: &Bill) -> String {
    let header =
        ["product", ">cost", ">published", ">rejected", ">rows", ">quarantined", ">reads", ">rows read", ">readers"];
    let mut grid = Grid::new(header);
    for product in &bill.products {
        let value = &product.value;
        let [reads, rows, readers] = match &product.reads {
            Some(reads) => [reads.allowed, reads.rows, reads.callers.len() as u64].map(count),
            None => ["-", "-", "-"].map(str::to_owned),
        };
        grid.row([
            product.product.clone(),
            product.cost.rounded(),
            count(value.published),
            count(value.rejected),
            count(value.rows),
            count(value.quarantined),
            reads,
            rows,
            readers,
        ]);
    }
    grid.text()
}

fn total_text(bill: &Bill, found: &Found) -> String {
    let mut text = format!("total {}", bill.total.rounded());
    let receipts = || found.runs.iter().filter_map(|run| run.receipt.as_ref());
    if let Some(receipt) = receipts().next() {
        text.push_str(&format!(" {}, prices of {}", receipt.currency, receipt.prices_as_of));
    }
    let local = receipts().filter(|receipt| !receipt.is_billed).count();
    if local > 0 {
        text.push_str(&format!("\n{local} of {} runs {LOCAL}", found.runs.len()));
    }
    if bill.not_counted > 0 {
        text.push_str(&format!("\nnot known: {} runs of versions that counted nothing", bill.not_counted));
    }
    text.push_str(&without_report(found));
    text
}

fn without_report(found: &Found) -> String {
    match found.without_report {
        0 => String::new(),
        runs => format!("\nnot known: {runs} runs without a report, which are under way or were killed"),
    }
}
