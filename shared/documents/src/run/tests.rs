use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use serde::Deserialize;
use serde_json::json;
use sluice_core::error::ErrorName;
use sluice_core::run::{Changeset, PartialReceipt, Plan, Receipt, Report, Verdict};

use super::*;

fn store() -> DocumentStore {
    DocumentStore::over(&"s3://bucket/lake".parse().expect("root"), Arc::new(InMemory::new())).expect("store")
}

fn key() -> RunKey {
    RunKey { pipeline: "retail".parse().expect("name"), run_id: "day-1".parse().expect("id") }
}

fn changeset(second: u32) -> Changeset {
    let staged_at = format!("2026-01-05T10:00:0{second}Z");
    let changeset = json!({ "run": key().attempt(1), "staged_at": staged_at, "tables": [] });
    serde_json::from_value(changeset).expect("changeset")
}

#[tokio::test]
async fn the_first_document_of_an_attempt_stays_and_later_writers_get_it() {
    let (store, run) = (store(), key().attempt(1));
    let documents = store.of(&run);
    assert_eq!(documents.get::<Changeset>().await.expect("read"), None);
    assert!(!documents.has::<Changeset>().await.expect("look"));
    for second in [1, 2] {
        assert_eq!(documents.settle(changeset(second)).await.expect("settled"), changeset(1));
    }
    assert_eq!(documents.get().await.expect("read"), Some(changeset(1)));
    documents.replace(&changeset(3)).await.expect("written");
    assert_eq!(documents.require::<Changeset>().await.expect("read"), changeset(3));
    assert_eq!(store.of(&key().attempt(2)).get::<Changeset>().await.expect("read"), None);
}

#[tokio::test]
async fn a_missing_document_is_named_with_its_attempt() {
    let store = store();
    let error = store.of(&key().attempt(3)).require::<Verdict>().await.expect_err("missing");
    assert_eq!(error.name(), ErrorName::NotFound);
    assert_eq!(error.to_string(), "run `day-1` of `retail` has no verdict for attempt 3; run the step before");
}

#[tokio::test]
async fn a_part_of_a_document_is_read_as_its_own_type() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct StagedAt {
        staged_at: String,
    }
    impl StepDocument for StagedAt {
        type Of = RunRef;
        const KIND: DocumentKind = Changeset::KIND;
    }
    let (store, run) = (store(), key().attempt(1));
    store.of(&run).settle(changeset(7)).await.expect("settled");
    let part: StagedAt = store.of(&run).require().await.expect("read");
    assert_eq!(part, StagedAt { staged_at: "2026-01-05T10:00:07Z".to_owned() });
}

#[tokio::test]
async fn a_partial_receipt_is_stored_as_a_receipt_is_and_apart_from_it() {
    let (store, run) = (store(), key().attempt(1));
    let receipt = json!({ "run": run, "published_at": "2026-01-05T10:00:00Z", "tables": [] });
    let receipt: Receipt = serde_json::from_value(receipt).expect("receipt");
    store.of(&run).settle(PartialReceipt(receipt.clone())).await.expect("settled");
    assert_eq!(store.of(&run).get::<Receipt>().await.expect("read"), None);
    let path = "runs/retail/day-1/partial-1.json".parse().expect("path");
    assert_eq!(store.read::<Receipt>(&path).await.expect("read"), Some(receipt));
}

#[tokio::test]
async fn the_newest_attempt_is_found_for_each_kind_of_document() {
    let store = store();
    assert!(store.of(&key()).attempts().await.expect("listed").is_empty());
    let put = async |name: &str| {
        let path = format!("lake/runs/retail/day-1/{name}");
        store.objects().put(&path.into(), "{}".into()).await.expect("put");
    };
    for name in ["plan-1.json", "verdict-1.json", "plan-2.json", "plan-10.json", "changeset-2.json", "report.json"] {
        put(name).await;
    }
    for other in ["launch-3-1.json", "verdict-x.json", "scratch-4/plan-4.json", "etl-5.sql"] {
        put(other).await;
    }
    let attempts = store.of(&key()).attempts().await.expect("listed");
    assert!(!attempts.is_empty());
    assert_eq!(attempts.newest_attempt::<Plan>(), Some(key().attempt(10)));
    assert_eq!(attempts.newest_attempt::<Changeset>(), Some(key().attempt(2)));
    assert_eq!(attempts.newest_attempt::<Verdict>(), Some(key().attempt(1)));
    assert_eq!(attempts.newest_attempt::<Receipt>(), None);
}

#[tokio::test]
async fn a_report_is_of_the_run_whatever_the_attempt() {
    let store = store();
    let report = json!({
        "pipeline": "retail", "run_id": "day-1", "attempt": 2, "outcome": "skipped", "ended_at": "2026-01-05T10:00:00Z",
        "sources": [], "rows": {}, "committed": [], "broken_rules": [],
    });
    let report: Report = serde_json::from_value(report).expect("report");
    store.of(&key()).replace(&report).await.expect("written");
    assert_eq!(store.of(&key().attempt(7).key()).get().await.expect("read"), Some(report));
}
