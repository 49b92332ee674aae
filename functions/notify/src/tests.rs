use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sluice_core::error::ErrorName;
use sluice_core::run::{Report, ReportedWarning};
use sluice_core::uri::LakePath;

use super::*;
use crate::announce::outcome_text;

const PUBLISHED: &str = include_str!("../../../events/notify-published.json");
const SKIPPED: &str = include_str!("../../../events/notify-skipped.json");
const REJECTED: &str = include_str!("../../../events/notify-rejected.json");
const FAILED: &str = include_str!("../../../events/notify-failed.json");
const FAILED_VALIDATE: &str = include_str!("../../../events/notify-failed-validate.json");
const TIMED_OUT: &str = include_str!("../../../events/notify-timed-out.json");
const STOPPED: &str = include_str!("../../../events/notify-stopped.json");

/// Remembers what it received; answers with its error, if it has one.
#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Vec<Announcement>>>,
    answer: Option<ErrorName>,
}

impl Announce for Listener {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        self.heard.lock().unwrap().push(announcement.clone());
        async { self.answer.map_or(Ok(()), |name| Err(StepError::message(name, "refused"))) }.boxed()
    }
}

struct Bed {
    folder: tempfile::TempDir,
    ports: Ports,
    listener: Listener,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let listener = Listener::default();
    let documents = DocumentStore::open(&root, &BTreeMap::new()).unwrap();
    Bed { folder, ports: Ports { documents, announcers: vec![Box::new(listener.clone())], alerts: None }, listener }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_592_800 + second).unwrap()
}

fn input(event: &str) -> Input {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(event)).unwrap()
}

impl Bed {
    async fn notify(&self, second: i64, event: &str) -> Result<Output, StepError> {
        handle(&self.ports, at(second), input(event)).await
    }

    async fn put(&self, path: &str, document: Value) {
        self.ports.documents.write(&path.parse().unwrap(), &document).await.unwrap();
    }

    async fn report(&self, run: &str) -> Option<Report> {
        let path: LakePath = format!("runs/retail/{run}/report.json").parse().unwrap();
        self.ports.documents.read(&path).await.unwrap()
    }

    fn last_heard(&self) -> Announcement {
        self.listener.heard.lock().unwrap().last().cloned().unwrap()
    }
}

fn run(id: &str, attempt: u32) -> Value {
    json!({"pipeline": "retail", "run_id": id, "attempt": attempt})
}

/// The documents of the published run, written as the steps write them.
async fn put_published(bed: &Bed) {
    let id = "20260105T060000Z-4f9c2a";
    let object = json!({"uri": "s3://b/landing/retail/a.csv", "etag": "e", "size_bytes": 9});
    bed.put(
        &format!("runs/retail/{id}/plan-1.json"),
        json!({"status": "planned", "objects": [{"object": object, "read_from": "landing"}]}),
    )
    .await;
    let counts = json!({"source": 10, "replaced": 0, "staged": 8, "quarantined": 1, "collapsed": 1});
    let change = json!({
        "table": "silver/sales/transactions", "read_version": null, "kind": "append", "columns": [], "partition_by": [],
        "adds": [], "removes": [], "sources": [], "inputs": [], "rows": counts, "table_rows": 8, "broken_rules": {},
        "schema_changes": [],
    });
    let changeset = json!({"run": run(id, 1), "staged_at": at(0), "tables": [change]});
    bed.put(&format!("runs/retail/{id}/changeset-1.json"), changeset).await;
    let committed =
        json!({"table": "silver/sales/transactions", "version": 3, "rows": 8, "files_added": 1, "files_removed": 0});
    let receipt = json!({"run": run(id, 1), "published_at": at(1), "tables": [committed]});
    bed.put(&format!("runs/retail/{id}/receipt-1.json"), receipt).await;
}

#[tokio::test]
async fn a_published_run_is_reported_from_its_documents() {
    let bed = bed();
    put_published(&bed).await;
    let output = bed.notify(5, PUBLISHED).await.unwrap();
    assert!(output.uri.unwrap().as_str().ends_with("/runs/retail/20260105T060000Z-4f9c2a/report.json"));
    let report = bed.report("20260105T060000Z-4f9c2a").await.unwrap();
    assert_eq!((report.outcome, report.attempt, report.sources.len()), (Outcome::Published, 1, 1));
    assert_eq!(report.rows["silver/sales/transactions"].quarantined, 1);
    assert_eq!(report.committed[0].version, 3);
    assert_eq!(report.error, None);
    let announcement = bed.last_heard();
    assert_eq!((announcement.report.clone(), announcement.subject().as_str()), (report, "Sluice: retail published"));
    for line in
        ["silver/sales/transactions version 3, 8 rows", "1 of 10 rows of silver/sales/transactions", "report.json"]
    {
        assert!(announcement.body().contains(line), "{}", announcement.body());
    }
}

#[tokio::test]
async fn what_an_earlier_attempt_committed_is_reported_too() {
    let bed = bed();
    put_published(&bed).await;
    let id = "20260105T060000Z-4f9c2a";
    let object = json!({"uri": "s3://b/landing/retail/a.csv", "etag": "e", "size_bytes": 9});
    let counts = json!({"source": 12, "replaced": 0, "staged": 12, "quarantined": 0, "collapsed": 0});
    let bronze =
        json!({"table": "bronze/sales/transactions", "version": 1, "rows": 12, "files_added": 1, "files_removed": 0});
    let earlier = json!({
        "objects": [object], "tables": [{"committed": bronze, "kind": "append", "rows": counts}],
    });
    bed.put(&format!("runs/retail/{id}/plan-1.json"), json!({"status": "planned", "objects": [], "earlier": earlier}))
        .await;
    bed.notify(5, PUBLISHED).await.unwrap();
    let report = bed.report(id).await.unwrap();
    assert_eq!(report.sources.len(), 1);
    let committed: Vec<String> = report.committed.iter().map(|c| format!("{} {}", c.table, c.version)).collect();
    assert_eq!(committed, ["bronze/sales/transactions 1", "silver/sales/transactions 3"]);
    assert_eq!(report.rows["bronze/sales/transactions"].staged, 12);
    assert_eq!(report.rows["silver/sales/transactions"].staged, 8);
}

/// The end of the published run's execution as an event, at this second, with this error.
fn ended(run: &str, second: i64, status: &str, error: &str) -> String {
    let mut event: Value = serde_json::from_str(FAILED).unwrap();
    let more = json!({"name": run, "stopDate": at(second).as_millisecond(), "status": status, "error": error});
    event["detail"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event.to_string()
}

#[tokio::test]
async fn a_repeated_event_keeps_the_report_and_a_new_end_replaces_it() {
    let bed = bed();
    let id = "20260105T060000Z-4f9c2a";
    bed.put(&format!("runs/retail/{id}/plan-1.json"), json!({"status": "planned", "objects": []})).await;
    for _ in 0..2 {
        bed.notify(9, &ended(id, 1, "FAILED", "Unavailable")).await.unwrap();
    }
    let before = bed.report(id).await.unwrap();
    let found = (before.outcome, before.attempt, before.ended_at, before.error.unwrap().error);
    assert_eq!(found, (Outcome::Failed, 1, at(1), ErrorName::Unavailable.into()));
    put_published(&bed).await;
    bed.notify(20, PUBLISHED).await.unwrap();
    bed.notify(21, PUBLISHED).await.unwrap();
    let after = bed.report(id).await.unwrap();
    assert_eq!((after.outcome, after.ended_at, after.error), (Outcome::Published, at(20), None));
    assert_eq!(bed.listener.heard.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_late_event_does_not_undo_what_the_redriven_run_reached() {
    let bed = bed();
    put_published(&bed).await;
    let id = "20260105T060000Z-4f9c2a";
    bed.notify(20, PUBLISHED).await.unwrap();
    let output = bed.notify(30, &ended(id, 10, "FAILED", "Throttled")).await.unwrap();
    assert_eq!(output.outcome, Outcome::Published);
    let report = bed.report(id).await.unwrap();
    assert_eq!((report.outcome, report.ended_at), (Outcome::Published, at(20)));
    assert_eq!(bed.listener.heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_execution_that_could_not_announce_is_announced_with_what_it_reached() {
    let bed = bed();
    put_published(&bed).await;
    let id = "20260105T060000Z-4f9c2a";
    let output = bed.notify(0, &ended(id, 10, "FAILED", "Throttled")).await.unwrap();
    assert_eq!(output.outcome, Outcome::Published);
    let report = bed.report(id).await.unwrap();
    assert_eq!((report.committed[0].version, report.error.unwrap().error), (3, ErrorName::Throttled.into()));

    let skipped = json!({"status": "skipped", "objects": []});
    bed.put("runs/retail/none-new/plan-1.json", skipped).await;
    bed.notify(0, &ended("none-new", 10, "FAILED", "Throttled")).await.unwrap();
    assert_eq!(bed.report("none-new").await.unwrap().outcome, Outcome::Skipped);

    bed.put("runs/retail/dirty/plan-1.json", json!({"status": "planned", "objects": []})).await;
    let verdict = json!({"run": run("dirty", 1), "audited_at": at(0), "decision": "rejected", "tables": []});
    bed.put("runs/retail/dirty/verdict-1.json", verdict).await;
    bed.notify(0, &ended("dirty", 10, "FAILED", "Throttled")).await.unwrap();
    assert_eq!(bed.report("dirty").await.unwrap().outcome, Outcome::Rejected);
}

#[tokio::test]
async fn an_end_without_its_document_is_refused() {
    for (event, missing) in [(PUBLISHED, "receipt-1.json"), (SKIPPED, "plan-1.json"), (REJECTED, "verdict-1.json")] {
        let bed = bed();
        let error = bed.notify(0, event).await.unwrap_err();
        assert_eq!(error.name, ErrorName::NotFound);
        assert!(error.message.contains(missing), "{error}");
        assert!(bed.listener.heard.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_rejected_run_names_its_broken_rules() {
    let bed = bed();
    let rule = |name: &str, passed: bool, severity: &str| {
        json!({"rule": name, "description": "", "severity": severity, "dimension": null, "observed": "12 %",
               "expected": "< 10 %", "passed": passed})
    };
    let rules = [
        rule("quarantined_share", false, "error"),
        rule("keys_unique", true, "error"),
        rule("customer_id", false, "warning"),
        rule("customer_name", true, "warning"),
    ];
    let table = json!({"table": "silver/sales/transactions", "contract": "c", "score": "33.3", "rules": rules});
    let id = "20260106T060000Z-77ab01";
    let verdict = json!({"run": run(id, 1), "audited_at": at(0), "decision": "rejected", "tables": [table]});
    bed.put(&format!("runs/retail/{id}/verdict-1.json"), verdict).await;
    bed.notify(0, REJECTED).await.unwrap();
    assert_eq!(bed.report(id).await.unwrap().broken_rules, ["silver/sales/transactions: quarantined_share"]);
    assert!(bed.last_heard().body().contains("Broken rule: silver/sales/transactions: quarantined_share"));
    let warnings = bed.report(id).await.unwrap().warnings;
    let shown: Vec<String> = warnings.iter().map(|w| format!("{} {} {}", w.rule, w.observed, w.expected)).collect();
    assert_eq!(shown, ["silver/sales/transactions: customer_id 12 % < 10 %"]);
    let line = "Warning: silver/sales/transactions: customer_id: observed 12 %, expected < 10 %";
    assert_eq!(bed.last_heard().body().matches("Warning: ").count(), 1);
    assert!(bed.last_heard().body().contains(line), "{}", bed.last_heard().body());
}

#[tokio::test]
async fn failures_are_reported_with_the_functions_own_message() {
    let bed = bed();
    let id = "20260107T060000Z-e0a5d4";
    for attempt in [1, 2] {
        bed.put(&format!("runs/retail/{id}/plan-{attempt}.json"), json!({"status": "planned", "objects": []})).await;
    }
    bed.notify(0, FAILED).await.unwrap();
    let report = bed.report(id).await.unwrap();
    let error = report.error.unwrap();
    assert_eq!((report.outcome, report.attempt, error.error.as_str()), (Outcome::Failed, 2, "Unavailable"));
    assert!(error.cause.starts_with("cannot write 's3://"), "{}", error.cause);

    bed.notify(0, TIMED_OUT).await.unwrap();
    let error = bed.report("20260109T060000Z-5be7c8").await.unwrap().error.unwrap();
    assert_eq!(error.error.as_str(), "States.Timeout");
    bed.notify(0, STOPPED).await.unwrap();
    let error = bed.report("20260110T060000Z-0b1c2d").await.unwrap().error.unwrap();
    assert_eq!((error.error.as_str(), error.cause.as_str()), ("Stopped", "stopped by ann"));
}

#[tokio::test]
async fn an_unreadable_request_is_still_reported() {
    let bed = bed();
    let output = bed.notify(0, FAILED_VALIDATE).await.unwrap();
    assert_eq!(output, Output { uri: None, outcome: Outcome::Failed });
    let announcement = bed.last_heard();
    assert_eq!((announcement.subject().as_str(), announcement.report.attempt), ("Sluice: unknown failed", 0));
    assert!(announcement.body().contains("unknown field `pipline`"), "{}", announcement.body());
    assert!(bed.ports.documents.list(&"runs".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_request_is_reported_in_the_pipeline_it_names() {
    // As it is, and as EventBridge Pipes sends it.
    for input in [json!({"pipeline": "retail", "landing": 7}), json!([{"pipeline": "retail", "landing": 7}])] {
        let bed = bed();
        let mut event: Value = serde_json::from_str(FAILED_VALIDATE).unwrap();
        event["detail"]["input"] = json!(input.to_string());
        assert!(bed.notify(0, &event.to_string()).await.unwrap().uri.is_some());
        assert_eq!(bed.report("20260108T060000Z-93bb10").await.unwrap().attempt, 0);
    }
}

#[tokio::test]
async fn a_failing_channel_does_not_stop_the_others() {
    let mut bed = bed();
    put_published(&bed).await;
    let deaf = |name| Box::new(Listener { answer: Some(name), ..Listener::default() }) as Box<dyn Announce>;
    bed.ports.announcers.insert(0, deaf(ErrorName::NotFound));
    bed.ports.announcers.insert(1, deaf(ErrorName::Throttled));
    let error = bed.notify(0, PUBLISHED).await.unwrap_err();
    assert_eq!(error.name, ErrorName::NotFound);
    assert!(error.message.starts_with("run `20260105T060000Z-4f9c2a` is complete"), "{error}");
    assert_eq!(bed.listener.heard.lock().unwrap().len(), 1);
}

#[test]
fn wrong_payloads_are_named() {
    let check = |from: &str, to: &str, expected: &str| {
        let text = PUBLISHED.replacen(from, to, 1);
        let error = serde_path_to_error::deserialize::<_, Input>(&mut serde_json::Deserializer::from_str(&text));
        let error = error.unwrap_err();
        assert!(format!("{}: {}", error.path(), error.inner()).contains(expected), "{error}");
    };
    check("\"published\"", "\"done\"", "at `outcome`: unknown variant `done`");
    // A failure is an event of its execution.
    check("\"published\"", "\"failed\"", "at `outcome`: unknown variant `failed`");
    check("20260105T060000Z-4f9c2a", "a b", "at `execution_name`: 'a b' is no run id");
    check("\"attempt\": 1", "\"attempt\": \"1\"", "state.run.attempt");
    check("\"outcome\"", "\"dry_run\": true, \"outcome\"", "unknown field `dry_run`");
}

#[test]
fn announcements_keep_the_limits_of_their_channels() {
    let report = Report {
        pipeline: Some("a".repeat(48).parse().unwrap()),
        run_id: "r".repeat(80).parse().unwrap(),
        attempt: 1,
        outcome: Outcome::Rejected,
        ended_at: at(0),
        sources: Vec::new(),
        held: Default::default(),
        waiting: BTreeMap::new(),
        rows: BTreeMap::new(),
        committed: Vec::new(),
        broken_rules: (0..500).map(|rule| format!("silver/sales/t: rule_{rule}")).collect(),
        warnings: (0..300)
            .map(|rule| ReportedWarning {
                rule: format!("silver/sales/t: warned_{rule}"),
                observed: "1".to_owned(),
                expected: "= 0".to_owned(),
            })
            .collect(),
        error: Some(sluice_core::run::ReportedError { error: ErrorName::EtlFailed.into(), cause: "ü".repeat(30_000) }),
    };
    for outcome in [Outcome::Published, Outcome::Skipped, Outcome::Rejected, Outcome::Failed] {
        let announcement =
            Announcement { report: Report { outcome, ..report.clone() }, report_uri: None, page_uri: None };
        assert!(announcement.subject().len() <= 100 && announcement.subject().is_ascii());
        assert!(
            announcement.body().len() < 32_768
                && ["rules not listed: 480", "Warnings not listed: 280"]
                    .iter()
                    .all(|line| announcement.body().contains(line)),
            "{}",
            announcement.body().len()
        );
        let detail = serde_json::to_value(announcement.detail()).unwrap();
        assert!(detail.to_string().len() < 32_768);
        assert_eq!(detail["broken_rule_count"], 500);
        assert_eq!((&detail["warning_count"], detail["warnings"].as_array().map(Vec::len)), (&json!(300), Some(20)));
        assert_eq!(detail["outcome"], outcome_text(outcome));
        let few = Report { broken_rules: vec!["a".to_owned()], warnings: Vec::new(), outcome, ..report.clone() };
        let announcement = Announcement { report: few, report_uri: None, page_uri: None };
        assert_eq!(announcement.detail().broken_rules, ["a"]);
        assert!(!announcement.body().contains("not listed"));
    }
}

impl Bed {
    async fn page(&self, run: &str, attempt: u32) -> Option<String> {
        let path: LakePath = format!("runs/retail/{run}/report-{attempt}.html").parse().unwrap();
        self.ports.documents.read_text(&path).await.unwrap()
    }

    /// When the page was written.
    fn written(&self, run: &str) -> std::time::SystemTime {
        let page = self.folder.path().join(format!("runs/retail/{run}/report-1.html"));
        std::fs::metadata(page).unwrap().modified().unwrap()
    }
}

#[tokio::test]
async fn every_end_has_a_page_that_its_messages_lead_to() {
    let bed = bed();
    put_published(&bed).await;
    let id = "20260105T060000Z-4f9c2a";
    bed.notify(5, PUBLISHED).await.unwrap();
    let page = bed.page(id, 1).await.unwrap();
    for words in ["retail: ", "published</span>", "silver/sales/transactions", "landing/retail/a.csv"] {
        assert!(page.contains(words), "no {words}");
    }
    let announcement = bed.last_heard();
    let address = format!("/runs/retail/{id}/report-1.html");
    assert!(announcement.page_uri.as_ref().unwrap().as_str().ends_with(&address));
    let root = bed.ports.documents.root().to_string();
    let open = format!("sluice runs report {id} --open --lake {}\n", root.trim_end_matches('/'));
    for words in [&address, &open] {
        assert!(announcement.body().contains(words), "no {words} in {}", announcement.body());
    }
    assert!(announcement.detail().page_uri.unwrap().ends_with(&address));

    bed.notify(0, TIMED_OUT).await.unwrap();
    let unplanned = bed.page("20260109T060000Z-5be7c8", 0).await.unwrap();
    assert!(unplanned.contains("failed</span>") && unplanned.contains("States.Timeout"), "a run without a plan");
}

#[tokio::test]
async fn a_repeated_end_writes_no_page_and_another_end_of_the_attempt_replaces_it() {
    let bed = bed();
    let id = "20260105T060000Z-4f9c2a";
    bed.put(&format!("runs/retail/{id}/plan-1.json"), json!({"status": "planned", "objects": []})).await;
    bed.notify(9, &ended(id, 1, "FAILED", "Unavailable")).await.unwrap();
    let (failed, written) = (bed.page(id, 1).await.unwrap(), bed.written(id));
    assert!(failed.contains("failed</span>"));
    bed.notify(10, &ended(id, 1, "FAILED", "Unavailable")).await.unwrap();
    assert_eq!((bed.page(id, 1).await.unwrap(), bed.written(id)), (failed, written), "the same end");

    put_published(&bed).await;
    bed.notify(20, PUBLISHED).await.unwrap();
    let published = bed.page(id, 1).await.unwrap();
    assert!(published.contains("published</span>") && !published.contains("failed</span>"));
    bed.notify(30, &ended(id, 10, "FAILED", "Throttled")).await.unwrap();
    assert_eq!(bed.page(id, 1).await.unwrap(), published, "a late event");
}

#[tokio::test]
async fn a_page_that_cannot_be_written_keeps_no_message_back() {
    let bed = bed();
    put_published(&bed).await;
    let id = "20260105T060000Z-4f9c2a";
    // A folder where the page has to be.
    let page = bed.folder.path().join(format!("runs/retail/{id}/report-1.html/x"));
    std::fs::create_dir_all(page).unwrap();
    let error = bed.notify(5, PUBLISHED).await.unwrap_err();
    assert!(error.message.contains("report-1.html"), "{error}");
    assert_eq!((bed.last_heard().page_uri, bed.last_heard().report.outcome), (None, Outcome::Published));
}
