//! The page of a run in the console.

use sluice_core::name::ProductRef;
use sluice_core::run::{Outcome, RunRef};
use sluice_core::uri::FolderUri;

use crate::facts::RunFacts;
use crate::grid::link;
use crate::html::Html;
use crate::report::run_body;
use crate::run_lines::pipeline_links;
use crate::{Content, address};

/// What the page of a run links to, and whether it changes while it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSurroundings {
    /// The products of the run's pipeline that the reader may find.
    pub products: Vec<ProductRef>,
    /// Whether the page is sent again every few seconds.
    pub is_live: bool,
    /// Whether the run goes on.
    pub is_running: bool,
}

/// The page of a run: what its report has, of the documents that exist now.
pub fn run_page(lake: &FolderUri, run: &RunRef, facts: &RunFacts, around: &RunSurroundings) -> Content {
    let mut links = Html::default();
    if around.is_running {
        let address = format!("runs/{}/{}", run.pipeline, run.run_id);
        links.markup("<p class=\"note\">");
        if around.is_live {
            links.markup("The run goes on, and this page is loaded again every 5 seconds. ");
            link(&mut links, &format!("{address}?live=no"), "Stop that");
        } else {
            links.markup("The run goes on. ");
            link(&mut links, &address, "Load this page again every 5 seconds");
        }
        links.markup("</p>\n");
    }
    links.append(&pipeline_links(&run.pipeline));
    if has_quarantined(facts) {
        links.markup("<p>");
        let address = address::quarantine_of_run(&run.pipeline, run.run_id.as_str());
        link(&mut links, &address, "Quarantined rows of this run");
        links.markup("</p>\n");
    }
    if !around.products.is_empty() {
        links.markup("<p>Products of this pipeline:");
        for product in &around.products {
            links.markup(" ");
            link(&mut links, &format!("products/{product}"), &product.to_string());
        }
        links.markup("</p>\n");
    }
    let above = vec![
        ("Runs".to_owned(), "runs".to_owned()),
        (format!("Runs of {}", run.pipeline), format!("runs/{}", run.pipeline)),
    ];
    Content { title: format!("Run {}", run.run_id), above, body: run_body(lake, run, facts, &links, around.is_running) }
}

/// Whether rows of the run are in quarantine. Those of a run that was not published are in no table.
fn has_quarantined(facts: &RunFacts) -> bool {
    let Some(report) = facts.report.as_ref() else { return false };
    let is_published = report.outcome == Outcome::Published || facts.receipt.is_some();
    is_published && report.rows.values().any(|rows| rows.quarantined > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page_of(facts: &RunFacts, around: &RunSurroundings) -> String {
        let run = RunRef { pipeline: "retail".parse().unwrap(), run_id: "day-1".parse().unwrap(), attempt: 0 };
        let lake = "file:///lake/".parse().unwrap();
        run_page(&lake, &run, facts, around).body.into_string()
    }

    fn page(around: &RunSurroundings) -> String {
        page_of(&RunFacts::default(), around)
    }

    #[test]
    fn a_run_with_rows_in_quarantine_leads_to_them() {
        let check = |outcome: &str, quarantined: u64, expected: bool| {
            let rows = json!({"source": 9, "replaced": 0, "staged": 9, "quarantined": quarantined, "collapsed": 0});
            let report = json!({"pipeline": "retail", "run_id": "day-1", "attempt": 1, "outcome": outcome,
                "ended_at": "2026-01-05T07:00:02Z", "sources": [], "rows": {"silver/sales/orders": rows},
                "committed": [], "broken_rules": []});
            let facts = RunFacts { report: serde_json::from_value(report).unwrap(), ..RunFacts::default() };
            let text = page_of(&facts, &RunSurroundings::default());
            let found = text.contains("href=\"/console/quarantine/retail/day-1\"");
            assert_eq!(found, expected, "{outcome} {quarantined}: {text}");
        };
        check("published", 1, true);
        check("published", 0, false);
        check("rejected", 1, false);
    }

    #[test]
    fn a_page_of_a_run_that_goes_on_can_be_stopped_and_followed_again() {
        let (live, stopped) = ("?live=no\">Stop that</a>", ">Load this page again");
        let check = |is_running: bool, is_live: bool, expected: (bool, bool)| {
            let text = page(&RunSurroundings { products: Vec::new(), is_live, is_running });
            assert_eq!((text.contains(live), text.contains(stopped)), expected, "{is_running} {is_live}");
        };
        check(true, true, (true, false));
        check(true, false, (false, true));
        check(false, false, (false, false));
    }

    #[test]
    fn a_page_of_a_run_links_to_what_belongs_to_it() {
        let text = page(&RunSurroundings { products: vec!["sales/retail".parse().unwrap()], ..Default::default() });
        for address in ["sources/retail", "quarantine/retail", "products/sales/retail"] {
            assert!(text.contains(&format!("href=\"/console/{address}\"")), "{address} is missing in {text}");
        }
        assert!(text.contains("not finished"));
    }
}
