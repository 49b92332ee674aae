//! What the runs of the month cost.

use std::collections::BTreeMap;

use jiff::civil::Date;
use sluice_core::cost::Money;

use super::{MAX_LISTED, OverviewFacts, day_of};
use crate::cost_line::CostLine;
use crate::grid::{begin_table, end_table, heading_link};
use crate::html::Html;
use crate::units::count;

/// What the runs of this month cost, as far as their reports are on the page.
pub(super) fn section(body: &mut Html, facts: &OverviewFacts) {
    if facts.pipelines.iter().all(|state| state.month_runs == 0) {
        return;
    }
    let first = day_of(facts.now).first_of_month();
    let month = first.strftime("%Y-%m").to_string();
    body.markup("<section aria-labelledby=\"cost\"><h2 id=\"cost\">Cost this month</h2>\n");
    let runs = facts.pipelines.iter().flat_map(|state| &state.runs);
    if runs.filter(|run| day_of(run.began_at) >= first).any(|run| run.cost.is_some()) {
        costs_table(body, facts, first, &format!("Cost of runs that began in {month}, in UTC"));
        body.markup("<p>Counted are the runs of the grid above whose reports have a receipt. ");
    } else {
        body.markup("<p>No report of a run above has a receipt, as runs outside of AWS have none. ");
    }
    body.markup("For every run of the month: ");
    body.element("code", &format!("sluice cost --lake LAKE --month {month}")).markup("</p></section>\n");
}

fn costs_table(body: &mut Html, facts: &OverviewFacts, first: Date, caption: &str) {
    begin_table(body, None, caption, &["Pipeline", ">Cost", ">Runs counted", ">Runs of the month"]);
    for state in facts.pipelines.iter().filter(|state| state.month_runs > 0).take(MAX_LISTED) {
        let of_month = state.runs.iter().filter(|run| day_of(run.began_at) >= first);
        let known: Vec<&CostLine> = of_month.filter_map(|run| run.cost.as_ref()).collect();
        body.markup("<tr>");
        heading_link(body, &format!("runs/{}", state.pipeline), state.pipeline.as_str());
        body.element("td class=\"n\"", &sums(&known)).element("td class=\"n\"", &count(known.len() as u64));
        body.element("td class=\"n\"", &count(state.month_runs)).markup("</tr>\n");
    }
    end_table(body);
}

/// The sum of costs, for each currency and for what is billed and what is not.
fn sums(costs: &[&CostLine]) -> String {
    let mut sums: BTreeMap<(bool, &str), Money> = BTreeMap::new();
    for cost in costs {
        let sum = sums.entry((!cost.is_billed, cost.currency.as_str())).or_default();
        *sum = *sum + cost.total;
    }
    let words = |((not_billed, currency), total): ((bool, &str), Money)| {
        CostLine { total, currency: currency.to_owned(), is_billed: !not_billed }.words()
    };
    let words: Vec<String> = sums.into_iter().map(words).collect();
    if words.is_empty() { "not known".to_owned() } else { words.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::super::{PipelineState, overview_page};
    use super::*;
    use crate::run_lines::tests::line;
    use crate::run_lines::{LineState, RunLine};

    #[test]
    fn costs_are_of_this_month_and_say_how_many_runs_they_cover() {
        let run = |id: &str, began: &str, cost: Option<(&str, bool)>| RunLine {
            cost: cost.map(|(total, is_billed)| CostLine {
                total: total.parse().unwrap(),
                currency: "USD".to_owned(),
                is_billed,
            }),
            ..line(id, LineState::Published, began)
        };
        let runs = vec![
            run("day-4", "2026-02-02T06:00:00Z", Some(("0.25", false))),
            run("day-3", "2026-02-01T07:00:00Z", Some(("0.5", true))),
            run("day-2", "2026-02-01T06:00:00Z", Some(("0.75", true))),
            run("day-1", "2026-02-01T05:00:00Z", None),
            run("day-0", "2026-01-31T06:00:00Z", Some(("100", true))),
        ];
        let state = |pipeline: &str, runs: Vec<RunLine>, month_runs: u64| PipelineState {
            pipeline: pipeline.parse().unwrap(),
            held: 0,
            runs,
            more: Vec::new(),
            month_runs,
        };
        let facts = OverviewFacts {
            now: "2026-02-03T00:00:00Z".parse().unwrap(),
            products: Vec::new(),
            pipelines: vec![state("retail", runs, 9), state("quiet", Vec::new(), 0), state("silent", Vec::new(), 1)],
        };
        let text = overview_page(&facts).body.into_string();
        let costs = text.split_once("Cost this month").unwrap().1;
        for part in [
            "1.250000 USD; 0.250000 USD, not billed</td><td class=\"n\">3</td><td class=\"n\">9</td>",
            "not known</td><td class=\"n\">0</td><td class=\"n\">1</td>",
            "--month 2026-02",
        ] {
            assert!(costs.contains(part), "{part} is missing in {costs}");
        }
        assert!(!costs.contains(">quiet<"), "{costs}");
        let unknown = OverviewFacts { pipelines: vec![state("silent", Vec::new(), 1)], ..facts };
        let text = overview_page(&unknown).body.into_string();
        let costs = text.split_once("Cost this month").unwrap().1;
        assert!(
            costs.contains("has a receipt, as runs outside of AWS have none") && !costs.contains("<table"),
            "{costs}"
        );
    }
}
