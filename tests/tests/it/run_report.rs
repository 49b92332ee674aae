//! Every run leaves its report as a page, which the command shows; a run without one gets it from its documents.

use std::fs;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{land, orders};

/// A row that the contract refuses, with a value that no page may show.
const SECRET: &str = "sesame-4711";

/// Runs the pipeline, and returns the run with the text of its page.
fn run_with_page(lab: &Lab, outcome: Outcome) -> (Run, String) {
    let run = lab.run().expect(outcome);
    let last = run.lines().pop().unwrap();
    let address = last["report_page"].as_str().unwrap_or_else(|| panic!("no report_page: {run}"));
    let (_, name) = address.rsplit_once('/').unwrap();
    assert!(address.contains(&format!("/runs/retail/{}/report-", run.run_id())), "{address}");
    let path = lab.lake().join(format!("runs/retail/{}/{name}", run.run_id()));
    let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (run, page)
}

/// What `sluice runs report` prints.
fn printed(lab: &Lab, run_id: &str) -> String {
    let mut command = lab.command(["runs", "report", run_id, "--lake"]);
    command.arg(lab.lake());
    Run::of(command).expect_code(0).stdout
}

#[test]
fn a_run_leaves_a_page_that_the_command_prints_and_writes() {
    let lab = orders();
    land(&lab, "1.csv", format!("id,name,amount,day\n1,ann,2.50,2026-01-05\n2,bob,{SECRET},2026-01-05\n"));
    let (run, page) = run_with_page(&lab, Outcome::Published);
    let id = run.run_id().to_string();
    for words in ["published</span>", "silver/sales/orders", "gold/sales/totals", "1.csv", "amount.readable"] {
        assert!(page.contains(words), "no {words:?} in the page of {id}");
    }
    assert!(!page.contains(SECRET), "the page shows a value of a cell");
    assert!(!page.contains("<script") && !page.contains("https://"), "the page needs more than itself");

    assert_eq!(printed(&lab, &id).trim_end(), page.trim_end());
    let out = lab.folder().join("page.html");
    let words = ["runs", "report", id.as_str(), "--out", out.to_str().unwrap()];
    let written: Value = lab.sluice(&words).expect_code(0).page();
    assert_eq!(written["file"].as_str(), out.to_str());
    assert_eq!(fs::read_to_string(&out).unwrap(), page);
    let mut show = lab.command(["runs", "show", &id, "--lake"]);
    show.arg(lab.lake());
    let shown = Run::of(show).expect_code(0);
    assert!(shown.stdout.contains("report    file://") && shown.stdout.contains("report-1.html"), "{shown}");

    // The lake of an earlier version has no page.
    fs::remove_file(lab.lake().join(format!("runs/retail/{id}/report-1.html"))).unwrap();
    assert_eq!(printed(&lab, &id).trim_end(), page.trim_end(), "it is made of the same documents");
    let _ = lab.sluice(&["runs", "report", "nobody"]).expect_code(2);
}

#[test]
fn a_skipped_and_a_rejected_run_have_pages_with_what_to_do() {
    let lab = orders();
    land(&lab, "1.csv", "id,name,amount,day\n1,ann,2.50,2026-01-05\n");
    let _ = run_with_page(&lab, Outcome::Published);
    let (_, skipped) = run_with_page(&lab, Outcome::Skipped);
    assert!(skipped.contains("skipped, nothing new</span>"), "{skipped}");
    lab.edit_pipeline("pipeline.yaml", "quarantined_percent_below: none", "quarantined_percent_below: 10");
    land(&lab, "2.csv", format!("id,name,amount,day\n2,bob,{SECRET},2026-01-05\n"));
    let (run, rejected) = run_with_page(&lab, Outcome::Rejected);
    let release = format!("sluice source release --run {} --lake ", run.run_id());
    for words in ["rejected</span>", "First broken rule: ", &release] {
        assert!(rejected.contains(words), "no {words:?}");
    }
    assert!(!rejected.contains(SECRET), "the page shows a value of a cell");
}
