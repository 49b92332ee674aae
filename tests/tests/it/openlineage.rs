//! A run as events of OpenLineage: kept with the run, sent, printed, judged by the standard's schemas, without values.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::judges::Judges;
use sluice_tests::lab::{Lab, Sample};
use sluice_tests::skip;
use sluice_tests::sluice::Run;

use crate::small::{ORDERS, contract, lab, land, orders};

/// A value that a contract refuses.
const SECRET: &str = "sesame-4711";
/// Values of cells: a name, and an amount that no number of rows is.
const CELLS: [&str; 3] = [SECRET, "wilhelmine", "7431.25"];

/// Runs the pipeline, with events that go to `target`.
fn run_to(lab: &Lab, target: &str, outcome: Outcome) -> Run {
    let mut command = lab.run_command(lab.lake(), &lab.landing());
    command.args(["--openlineage", target]);
    Run::of(command).expect(outcome)
}

fn folder(lab: &Lab) -> PathBuf {
    lab.folder().join("events")
}

fn address(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

/// Runs the pipeline, and returns the file with its events.
fn events_of(lab: &Lab, outcome: Outcome) -> (Run, PathBuf) {
    let run = run_to(lab, &address(&folder(lab)), outcome);
    let file = folder(lab).join(format!("retail-{}-1.ndjson", run.run_id()));
    assert!(file.is_file(), "no {}: {run}", file.display());
    (run, file)
}

fn read(file: &Path) -> (String, Vec<Value>) {
    let text = fs::read_to_string(file).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, events)
}

/// Types of events by job, such as `START FAIL`.
fn story(events: &[Value], job: &str) -> String {
    let of_job = events.iter().filter(|event| event["job"]["name"] == job);
    of_job.map(|event| event["eventType"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// The pipeline of small orders, with a SQL rule whose number is the value of a cell.
fn judged_by_a_greatest_amount(most: &str) -> Lab {
    let rule =
        format!("type: sql, name: greatest, query: 'SELECT MAX(amount) FROM {{object}}', mustBeLessThan: {most}");
    let contracts = [
        ("orders", contract("orders", &crate::small::ORDER_COLUMNS, &[&rule])),
        ("totals", contract("totals", &crate::small::TOTAL_COLUMNS, &[])),
    ];
    lab(ORDERS, &contracts)
}

fn land_orders(lab: &Lab) {
    let rows = format!("1,wilhelmine,7431.25,2026-01-05\n2,wilhelmine,{SECRET},2026-01-05\n");
    land(lab, "1.csv", format!("id,name,amount,day\n{rows}"));
}

#[test]
fn a_run_leaves_its_events_and_the_command_prints_and_sends_them() {
    let lab = orders();
    land_orders(&lab);
    let (run, file) = events_of(&lab, Outcome::Published);
    let (text, events) = read(&file);
    assert_eq!(story(&events, "retail"), "START RUNNING COMPLETE");
    for job in ["retail.bronze.sales.orders", "retail.silver.sales.orders", "retail.gold.sales.totals"] {
        assert_eq!(story(&events, job), "START COMPLETE", "{job}");
    }
    assert_eq!(story(&events, "retail.quality_check"), "START COMPLETE");
    let id = run.run_id().to_string();
    assert!(lab.lake().join(format!("runs/retail/{id}/lineage-1.json")).is_file());

    let mut print = lab.command(["runs", "openlineage", &id, "--lake"]);
    print.arg(lab.lake());
    assert_eq!(Run::of(print).expect_code(0).stdout, text);
    // A lake of an earlier version has no such document: the events are made of the others, and are the same.
    fs::remove_file(lab.lake().join(format!("runs/retail/{id}/lineage-1.json"))).unwrap();
    fs::remove_file(&file).unwrap();
    let mut send =
        lab.command(["runs", "openlineage", &id, "--send", "--openlineage", &address(&folder(&lab)), "--lake"]);
    send.arg(lab.lake());
    let _ = Run::of(send).expect_code(0);
    assert_eq!(read(&file).0, text);
}

#[test]
fn no_event_has_a_value_of_a_cell() {
    for (most, outcome, end) in [("9000", Outcome::Published, "COMPLETE"), ("10", Outcome::Rejected, "FAIL")] {
        let lab = judged_by_a_greatest_amount(most);
        land_orders(&lab);
        let (run, file) = events_of(&lab, outcome);
        let (text, events) = read(&file);
        assert_eq!(story(&events, "retail.quality_check"), format!("START {end}"));
        assert!(text.contains("\"name\":\"greatest\""), "the rule is among the assertions");
        let kept = fs::read_to_string(lab.lake().join(format!("runs/retail/{}/lineage-1.json", run.run_id()))).unwrap();
        for cell in CELLS {
            assert!(
                !text.contains(cell) && !kept.contains(cell),
                "{cell} is in the events of a run that is {outcome:?}"
            );
        }
        // The test would find them: the verdict has the number, and the statistics have the name.
        let documents = lab.lake().join(format!("runs/retail/{}", run.run_id()));
        let verdict = fs::read_to_string(documents.join("verdict-1.json")).unwrap();
        let changeset = fs::read_to_string(documents.join("changeset-1.json")).unwrap();
        assert!(verdict.contains("7431.25") && changeset.contains("wilhelmine"));
    }
}

#[test]
fn a_run_without_news_completes_and_a_failed_one_says_why_without_a_value() {
    let lab = orders();
    land_orders(&lab);
    let _ = events_of(&lab, Outcome::Published);
    let (_, skipped) = events_of(&lab, Outcome::Skipped);
    assert_eq!(story(&read(&skipped).1, "retail"), "START COMPLETE");
    assert_eq!(read(&skipped).1.len(), 2);
}

#[test]
fn a_server_that_is_not_there_does_not_fail_the_run() {
    let lab = orders();
    land_orders(&lab);
    let run = run_to(&lab, "http://127.0.0.1:9/api/v1/lineage", Outcome::Published);
    assert!(run.stderr.contains("0 of ") && run.stderr.contains("sluice runs openlineage"), "{run}");
    assert!(lab.lake().join(format!("runs/retail/{}/lineage-1.json", run.run_id())).is_file());

    let mut wrong = lab.run_command(lab.lake(), &lab.landing());
    wrong.args(["--openlineage", "kinesis:stream"]);
    assert!(Run::of(wrong).expect_code(2).to_string().contains("write `events`"));
    let mut events = lab.run_command(lab.lake(), &lab.landing());
    events.args(["--openlineage", "events"]);
    let _ = Run::of(events).expect_code(2);
}

#[test]
fn the_schemas_of_the_standard_and_its_client_take_every_event() {
    let test = "openlineage::the_schemas_of_the_standard_and_its_client_take_every_event";
    let Some(judges) = Judges::or_skip(test) else { return };
    let lab = Lab::new();
    let samples = lab.folder().join("samples");
    let days = lab.sample(&samples, &Sample { start: "2026-01-05", days: 1, rows: 200, dirt: "0.05" });
    sluice_tests::files::copy_files(&days, &lab.landing());
    let (_, published) = events_of(&lab, Outcome::Published);
    let (_, skipped) = events_of(&lab, Outcome::Skipped);
    let refused = judged_by_a_greatest_amount("10");
    land_orders(&refused);
    let (_, rejected) = events_of(&refused, Outcome::Rejected);
    for (name, file) in [("published", published), ("skipped", skipped), ("rejected", rejected)] {
        let Some(judged) = judges.judge_openlineage(&file) else {
            return skip(test, "needs the schemas of OpenLineage in ../shared/specs/openlineage");
        };
        assert_eq!(judged["problems"], serde_json::json!([]), "{name}: {judged:#}");
        let caught = judged["caught"].as_object().unwrap();
        // The judge can fail: it finds every fault that is put into these very events.
        assert!(caught.len() >= 7 && caught.values().all(|found| found == true), "{name}: {judged:#}");
        if name == "published" {
            assert_eq!(caught.len(), 12, "{judged:#}");
            for facet in
                ["schema", "columnLineage", "dataQualityMetrics", "dataQualityAssertions", "outputStatistics", "sql"]
            {
                assert!(judged["facets"][facet].as_u64().is_some_and(|times| times > 0), "no {facet}: {judged:#}");
            }
        }
    }
}
