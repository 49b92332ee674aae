use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::cost::{BilledAs, Item, ReportCost, Where};
use sluice_core::run::RunKey;
use sluice_documents::DocumentStore;
use sluice_documents::usage::CallFacts;

use super::*;
use crate::announce::Announce;
use crate::{Input, handle};

/// A call does not know its requests while another one runs in its process: tests with calls take turns.
static TURNS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A channel that costs something, and what of it nobody counts.
struct Channel(Option<&'static str>);

impl Announce for Channel {
    fn announce<'a>(
        &'a self,
        _: &'a crate::announce::Announcement,
    ) -> futures::future::BoxFuture<'a, Result<(), sluice_core::error::StepError>> {
        Box::pin(async { Ok(()) })
    }

    fn requests(&self) -> Requests {
        Requests { sns: 1, ..Requests::default() }
    }

    fn not_counted(&self) -> Option<&'static str> {
        self.0
    }
}

fn used(function: &str, second: u32, scanned: u64) -> Value {
    json!({
        "function": function, "where": "lambda", "began_at": format!("2026-12-01T06:00:{second:02}Z"), "millis": 1000,
        "start_millis": 0, "memory_mb": 1024, "peak_memory_mb": 100, "architecture": "arm64", "region": "us-east-1",
        "requests": {"s3_get": 2, "s3_put": 1, "scanned_files": scanned},
    })
}

fn run() -> Value {
    json!({"pipeline": "retail", "run_id": "r1", "attempt": 1})
}

/// What the report of a run says about its cost; its documents are these.
async fn cost_of(outcome: &str, documents: &[(&str, Value)]) -> RunCost {
    cost_with(Channel(None), outcome, documents).await
}

/// The same, announced by this channel. Announced again, the report and its cost stay.
async fn cost_with(channel: Channel, outcome: &str, documents: &[(&str, Value)]) -> RunCost {
    let folder = tempfile::tempdir().unwrap();
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let store = DocumentStore::open(&root, &BTreeMap::new()).unwrap();
    for (name, document) in documents {
        store.write(&format!("runs/retail/r1/{name}.json").parse().unwrap(), document).await.unwrap();
    }
    let key = RunKey { pipeline: "retail".parse().unwrap(), run_id: "r1".parse().unwrap() };
    let ports = Ports { documents: store, announcers: vec![Box::new(channel)], alerts: None };
    let event = json!({"outcome": outcome, "execution_name": "r1", "state": {"run": run()}});
    let input: Input = serde_json::from_value(event).unwrap();
    let facts = CallFacts {
        function: "notify".to_owned(),
        ran: Where::Lambda,
        began_at: Timestamp::UNIX_EPOCH,
        memory_mb: 256,
        region: Some("us-east-1".to_owned()),
        start: std::time::Duration::ZERO,
    };
    let _turn = TURNS.lock().await;
    let later = "2026-12-01T07:00:00Z".parse().unwrap();
    usage::measured(facts.clone(), handle(&ports, Timestamp::UNIX_EPOCH, input.clone())).await.unwrap();
    let report: ReportCost = ports.documents.of(&key).get().await.unwrap().unwrap();
    usage::measured(CallFacts { began_at: later, ..facts }, handle(&ports, later, input)).await.unwrap();
    assert_eq!(ports.documents.of(&key).get::<ReportCost>().await.unwrap().as_ref(), Some(&report));
    report.cost.unwrap()
}

fn plan(usage: &Value) -> Value {
    let engine = json!({"engine": "lambda", "reason": "small"});
    json!({"status": "planned", "engine": engine, "objects": [], "usage": usage})
}

fn functions(cost: &RunCost) -> Vec<&str> {
    cost.usage.calls.iter().map(|call| call.function.as_str()).collect()
}

#[tokio::test]
async fn the_report_of_a_run_has_its_receipt() {
    let changeset =
        json!({"run": run(), "staged_at": "2026-12-01T06:00:05Z", "tables": [], "usage": used("process", 4, 3)});
    let verdict = json!({
        "run": run(), "audited_at": "2026-12-01T06:00:06Z", "decision": "passed", "tables": [],
        "usage": used("quality-check", 5, 0),
    });
    let receipt = json!({
        "run": run(), "published_at": "2026-12-01T06:00:07Z", "tables": [], "usage": used("publish", 6, 0),
    });
    let documents = [
        ("plan-1", plan(&used("validate", 1, 0))),
        ("changeset-1", changeset),
        ("verdict-1", verdict),
        ("receipt-1", receipt),
    ];
    let cost = cost_of("published", &documents).await;
    assert_eq!(functions(&cost), ["validate", "process", "quality-check", "publish", "notify"]);
    assert_eq!(cost.usage.transitions, Some(11));
    assert_eq!(cost.usage.not_known, Vec::<String>::new());
    let receipt = cost.receipt.unwrap();
    assert!(receipt.is_billed);
    let line = |item: Item, function: &str| {
        receipt.lines.iter().find(|line| line.item == item && line.function.as_deref() == Some(function)).unwrap()
    };
    assert_eq!(line(Item::SnsMessage, "notify").amount, 1, "what is sent after the report is on it");
    assert_eq!(line(Item::LambdaArm64GbSecond, "publish").amount, 1_024_000);
    let polars = receipt.lines.iter().find(|line| line.arithmetic.contains("Polars")).unwrap();
    assert_eq!((polars.amount, polars.billed_as), (9, BilledAs::Estimated));
    assert_eq!(receipt.lines.iter().map(|line| line.cost).sum::<sluice_core::cost::Money>(), receipt.total);
}

#[tokio::test]
async fn what_no_document_says_is_not_known() {
    let verdict = |decision: &str| json!({"run": run(), "audited_at": "2026-12-01T06:00:06Z", "decision": decision, "tables": []});
    let documents = [("plan-1", plan(&used("validate", 1, 0))), ("verdict-1", verdict("rejected"))];
    let cost = cost_of("rejected", &documents).await;
    assert_eq!(functions(&cost), ["validate", "notify"]);
    assert_eq!(cost.usage.not_known, ["the call that wrote the verdict", HOLDS]);
    assert_eq!(cost.receipt.unwrap().not_known, ["the call that wrote the verdict", HOLDS]);

    let mut of_spark = plan(&used("validate", 1, 0));
    of_spark["engine"]["engine"] = json!("emr");
    let read = json!({"run": run(), "usage": used("process", 2, 0)});
    let documents = [("plan-1", of_spark), ("read-1", read), ("verdict-1", verdict("rejected"))];
    let cost = cost_of("rejected", &documents).await;
    assert_eq!(functions(&cost), ["validate", "process", "notify"]);
    assert_eq!(cost.usage.transitions, None);
    let cluster = "the cluster, and the calls of start-emr, run-etl and terminate";
    assert!(cost.usage.not_known.iter().any(|what| what == cluster), "{:?}", cost.usage.not_known);
}

#[tokio::test]
async fn what_a_channel_requests_and_nobody_counts_is_named() {
    let documents = [("plan-1", plan(&used("validate", 1, 0)))];
    let cost = cost_with(Channel(Some("requests for events")), "skipped", &documents).await;
    assert_eq!(cost.usage.not_known, ["requests for events"]);
    let own = cost.usage.calls.last().and_then(|call| call.requests).unwrap();
    // The counters are those of the process: other tests may add to them.
    assert!(own.sns == 1 && own.s3_put >= 2, "what can be foreseen is counted: {own:?}");
}

#[tokio::test]
async fn a_step_that_writes_two_documents_is_one_call() {
    let changeset = json!({
        "run": run(), "staged_at": "2026-12-01T06:00:05Z", "tables": [], "usage": used("quality-check", 5, 0),
    });
    let mut later = used("quality-check", 5, 0);
    later["millis"] = json!(3000);
    let verdict = json!({
        "run": run(), "audited_at": "2026-12-01T06:00:06Z", "decision": "rejected", "tables": [], "usage": later,
    });
    let documents = [("plan-1", plan(&used("validate", 1, 0))), ("changeset-1", changeset), ("verdict-1", verdict)];
    let cost = cost_of("rejected", &documents).await;
    assert_eq!(functions(&cost), ["validate", "quality-check", "notify"]);
    assert_eq!(cost.usage.calls.get(1).map(|call| call.millis), Some(3000));
}
