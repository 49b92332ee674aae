use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::names::{dataset, run_uuid};
use super::run_facets::JobName;
use super::*;
use crate::pipeline::Pipeline;
use crate::run::{Changeset, Report, Verdict};
use crate::spec::PipelineSpec;
use crate::uri::{FolderUri, LakePath};

/// A value of a cell, wherever a document may have one.
const SECRET: &str = "sesame-4711";

const SPEC: &str = "
pipeline: shop
domain: sales
source: {prefix: landing/shop, format: csv}
bronze: {table: orders}
silver:
  - {table: orders, contract: orders.yaml, columns: {city: City, amount: Amount}, mode: append}
gold:
  - {table: cities, contract: cities.yaml, sql: 'SELECT city, SUM(amount) AS amount FROM silver.orders GROUP BY city'}
";

fn pipeline() -> Pipeline {
    let spec = PipelineSpec::parse(SPEC, "pipeline.yaml").unwrap();
    let contract = |table: &str, quality: &str| {
        let columns = "{name: city, logicalType: string, description: Where}, {name: amount, logicalType: integer}";
        let schema = format!("{{name: {table}, properties: [{columns}]{quality}}}");
        format!(
            "apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nversion: 1.0.0\nstatus: active\nschema: [{schema}]\n"
        )
    };
    let greatest =
        ", quality: [{type: sql, name: greatest, query: 'SELECT MAX(amount) FROM {object}', mustBeLessThan: 9}]";
    let contracts: BTreeMap<LakePath, String> = BTreeMap::from([
        ("orders.yaml".parse().unwrap(), contract("orders", greatest)),
        ("cities.yaml".parse().unwrap(), contract("cities", "")),
    ]);
    Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The documents of a run over all three tables.
struct Documents {
    plan: LineagePlan,
    changeset: Changeset,
    verdict: Verdict,
    report: Report,
}

fn run() -> Value {
    json!({"pipeline": "shop", "run_id": "day-1", "attempt": 1})
}

fn change(table: &str, inputs: &[&str]) -> Value {
    let stats = json!({
        "numRecords": 3, "minValues": {"city": SECRET}, "maxValues": {"city": SECRET},
        "nullCount": {"city": 1, "amount": 0, "nested": {"a": 1}},
    });
    let stats = stats.to_string();
    let add = json!({"path": "part-0.parquet", "size_bytes": 100, "rows": 3, "partition_values": {}, "stats": stats});
    let columns: Vec<Value> = match table.starts_with("bronze") {
        true => ["City", "Amount", "_source_file"].map(|name| json!({"name": name, "column_type": "text"})).to_vec(),
        false => {
            vec![json!({"name": "city", "column_type": "text"}), json!({"name": "amount", "column_type": "int64"})]
        }
    };
    json!({
        "table": table, "read_version": null, "kind": "append", "columns": columns, "partition_by": [],
        "adds": [add], "removes": [], "sources": [], "inputs": inputs, "table_rows": 3, "broken_rules": {},
        "rows": {"source": 3, "replaced": 0, "staged": 3, "quarantined": 0, "collapsed": 0}, "schema_changes": [],
    })
}

fn documents(outcome: &str) -> Documents {
    let object = json!({"uri": "s3://lake/prod/landing/shop/a.csv", "etag": "e", "size_bytes": 70});
    let plan = LineagePlan {
        planned_at: Some("2026-01-05T06:00:00Z".parse().unwrap()),
        pipeline: Some(pipeline()),
        objects: serde_json::from_value(json!([{"object": object, "read_from": "landing"}])).unwrap(),
        ..LineagePlan::default()
    };
    let tables = [
        ("bronze/sales/orders", vec![]),
        ("silver/sales/orders", vec![]),
        ("gold/sales/cities", vec!["silver/sales/orders"]),
    ];
    let changes: Vec<Value> = tables.iter().map(|(table, inputs)| change(table, inputs)).collect();
    let changeset = json!({"run": run(), "staged_at": "2026-01-05T06:01:00Z", "tables": changes});
    let rule = |rule: &str, passed: bool, observed: &str| {
        json!({"rule": rule, "description": SECRET, "severity": "error", "dimension": null, "observed": observed,
               "expected": "< 9", "passed": passed})
    };
    let decision = if outcome == "rejected" { "rejected" } else { "passed" };
    let rules = [rule("greatest", outcome != "rejected", SECRET), rule("amount.readable", true, "0")];
    let audited = json!({"table": "silver/sales/orders", "contract": "orders 1.0.0", "score": "50", "rules": rules});
    let verdict =
        json!({"run": run(), "audited_at": "2026-01-05T06:02:00Z", "decision": decision, "tables": [audited]});
    let committed = |(table, _): &(&str, Vec<&str>)| {
        let counts = (3, 1, 0);
        json!({"table": table, "version": 7, "rows": counts.0, "files_added": counts.1, "files_removed": counts.2})
    };
    let committed: Vec<Value> = tables.iter().filter(|_| outcome == "published").map(committed).collect();
    let error = (outcome == "failed").then(|| json!({"Error": "ContractViolation", "Cause": SECRET}));
    let report = json!({
        "pipeline": "shop", "run_id": "day-1", "attempt": 1, "outcome": outcome, "ended_at": "2026-01-05T06:03:00Z",
        "sources": [object], "rows": {}, "committed": committed, "error": error,
        "broken_rules": if outcome == "rejected" { vec!["silver/sales/orders: greatest"] } else { vec![] },
    });
    Documents {
        plan,
        changeset: serde_json::from_value(changeset).unwrap(),
        verdict: serde_json::from_value(verdict).unwrap(),
        report: serde_json::from_value(report).unwrap(),
    }
}

fn lake() -> FolderUri {
    "s3://lake/prod".parse().unwrap()
}

/// The events of a run with this outcome, as they are sent.
fn sent(outcome: &str) -> Vec<Value> {
    let Documents { plan, changeset, verdict, report } = &documents(outcome);
    let facts = RunFacts { plan: Some(plan), changeset: Some(changeset), verdict: Some(verdict), report };
    events(&lake(), &facts).iter().map(|event| serde_json::from_str(&event.to_json()).unwrap()).collect()
}

/// What is known of a run that left no document but its report.
fn without_documents(report: &Report) -> RunFacts<'_> {
    RunFacts { plan: None, changeset: None, verdict: None, report }
}

/// Type and job of each event.
fn shown(events: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.iter().map(|event| format!("{} {}", text(&event["eventType"]), text(&event["job"]["name"]))).collect()
}

fn last_of<'a>(events: &'a [Value], job: &str) -> &'a Value {
    events.iter().rfind(|event| event["job"]["name"] == job).unwrap()
}

#[test]
fn a_published_run_is_a_job_for_each_table_and_one_for_the_audit() {
    let events = sent("published");
    let expected = [
        "START shop",
        "START shop.bronze.sales.orders",
        "START shop.silver.sales.orders",
        "START shop.gold.sales.cities",
        "RUNNING shop",
        "START shop.quality_check",
        "COMPLETE shop.quality_check",
        "COMPLETE shop.bronze.sales.orders",
        "COMPLETE shop.silver.sales.orders",
        "COMPLETE shop.gold.sales.cities",
        "COMPLETE shop",
    ];
    assert_eq!(shown(&events), expected);
    let times: Vec<&str> = events.iter().map(|event| event["eventTime"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let (parent, gold) = (last_of(&events, "shop"), last_of(&events, "shop.gold.sales.cities"));
    assert_eq!(gold["run"]["facets"]["parent"]["run"]["runId"], parent["run"]["runId"]);
    assert!(parent["run"]["facets"].get("parent").is_none() && parent["inputs"] == json!([]));
    let ids: BTreeSet<&str> = events.iter().map(|event| event["run"]["runId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 5, "one run of each job");
}

#[test]
fn tables_have_their_columns_version_size_and_lineage() {
    let events = sent("published");
    let gold = last_of(&events, "shop.gold.sales.cities");
    let names = |datasets: &Value| {
        datasets[0]["namespace"].as_str().unwrap().to_owned() + " " + datasets[0]["name"].as_str().unwrap()
    };
    assert_eq!(names(&gold["inputs"]), "s3://lake prod/silver/sales/orders");
    assert_eq!(names(&gold["outputs"]), "s3://lake prod/gold/sales/cities");
    let facets = &gold["outputs"][0]["facets"];
    assert_eq!(facets["version"]["datasetVersion"], "7");
    let field = &facets["schema"]["fields"][0];
    assert_eq!(
        (&field["name"], &field["type"], &field["description"]),
        (&json!("city"), &json!("STRING"), &json!("Where"))
    );
    let amount = &facets["columnLineage"]["fields"]["amount"]["inputFields"][0];
    assert_eq!((&amount["name"], &amount["field"]), (&json!("prod/silver/sales/orders"), &json!("amount")));
    let expected = json!([{"type": "DIRECT", "subtype": "AGGREGATION", "masking": false}]);
    assert_eq!(amount["transformations"], expected);
    assert_eq!(facets["columnLineage"]["dataset"][0]["transformations"][0]["subtype"], "GROUP_BY");
    let statistics = &gold["outputs"][0]["outputFacets"]["outputStatistics"];
    assert_eq!(
        (&statistics["rowCount"], &statistics["size"], &statistics["fileCount"]),
        (&json!(3), &json!(100), &json!(1))
    );
    assert!(gold["job"]["facets"]["sql"]["query"].as_str().unwrap().contains("SUM(amount)"));

    let bronze = last_of(&events, "shop.bronze.sales.orders");
    assert_eq!(names(&bronze["inputs"]), "s3://lake prod/landing/shop");
    assert_eq!(bronze["inputs"][0]["inputFacets"]["inputStatistics"]["size"], 70);
    let delivered = &bronze["outputs"][0]["facets"]["columnLineage"]["fields"];
    let columns: Vec<&String> = delivered.as_object().unwrap().keys().collect();
    assert_eq!(columns, ["Amount", "City"], "those that Sluice adds come from no file");
    assert_eq!(delivered["City"]["inputFields"][0]["transformations"][0]["subtype"], "IDENTITY");
}

#[test]
fn the_audit_has_every_rule_and_counts_of_nulls() {
    let events = sent("rejected");
    let audit = last_of(&events, "shop.quality_check");
    assert_eq!(audit["eventType"], "FAIL");
    let facets = &audit["inputs"][0]["inputFacets"];
    let [greatest, readable] = facets["dataQualityAssertions"]["assertions"].as_array().unwrap().as_slice() else {
        panic!("{facets}");
    };
    assert_eq!((&greatest["assertion"], &greatest["success"]), (&json!("custom_sql"), &json!(false)));
    assert!(greatest.get("actual").is_none(), "what a SQL rule observes may be a value: {greatest}");
    assert_eq!((&readable["column"], &readable["actual"]), (&json!("amount"), &json!("0")));
    let metrics = &facets["dataQualityMetrics"];
    assert_eq!(metrics["columnMetrics"], json!({"amount": {"nullCount": 0}, "city": {"nullCount": 1}}));
    assert_eq!((&metrics["rowCount"], &metrics["bytes"]), (&json!(3), &json!(100)));
}

#[test]
fn a_run_that_published_nothing_has_no_outputs_and_says_why() {
    let rejected = sent("rejected");
    assert!(rejected.iter().all(|event| event["outputs"] == json!([])));
    assert_eq!(last_of(&rejected, "shop.silver.sales.orders")["eventType"], "ABORT");
    let end = last_of(&rejected, "shop");
    assert_eq!(end["eventType"], "FAIL");
    let message = end["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert_eq!(message, "The data broke error rules: silver/sales/orders: greatest");

    let failed = sent("failed");
    let message = last_of(&failed, "shop")["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(message.starts_with("ContractViolation: ") && message.contains("may quote rows"), "{message}");
}

#[test]
fn a_skipped_run_completes_without_datasets() {
    let Documents { plan, report, .. } = documents("skipped");
    let facts = RunFacts { plan: Some(&plan), changeset: None, verdict: None, report: &report };
    let events: Vec<Value> =
        events(&lake(), &facts).iter().map(|event| serde_json::from_str(&event.to_json()).unwrap()).collect();
    assert_eq!(shown(&events), ["START shop", "COMPLETE shop"]);
}

#[test]
fn a_stopped_run_is_aborted_and_one_without_a_pipeline_has_no_events() {
    let Documents { mut report, .. } = documents("failed");
    report.error = Some(serde_json::from_value(json!({"Error": "Stopped", "Cause": "stopped by ann"})).unwrap());
    let ends: Vec<String> = events(&lake(), &without_documents(&report)).iter().map(RunEvent::to_json).collect();
    assert!(ends.last().unwrap().contains(r#""eventType":"ABORT""#), "{ends:?}");
    report.pipeline = None;
    assert!(events(&lake(), &without_documents(&report)).is_empty());
}

#[test]
fn no_event_has_a_value_of_a_cell() {
    for outcome in ["published", "rejected", "failed", "skipped"] {
        let events = sent(outcome);
        assert!(events.len() > 4 && !json!(events).to_string().contains(SECRET), "{outcome}");
    }
}

#[test]
fn a_large_event_goes_without_what_grows_and_never_cut() {
    let Documents { plan, changeset, verdict, report } = &documents("published");
    let facts = RunFacts { plan: Some(plan), changeset: Some(changeset), verdict: Some(verdict), report };
    let events = events(&lake(), &facts);
    let gold = events.iter().rfind(|event| event.to_json().contains("GROUP_BY")).unwrap();
    let whole = gold.to_json();
    assert_eq!(gold.to_json_below(whole.len()), Some(whole.clone()));
    let light: Value = serde_json::from_str(&gold.to_json_below(whole.len() - 1).unwrap()).unwrap();
    assert!(
        light["outputs"][0]["facets"].get("columnLineage").is_none() && light["job"]["facets"].get("sql").is_none()
    );
    assert_eq!(light["outputs"][0]["facets"]["version"]["datasetVersion"], "7");
    assert_eq!(gold.to_json_below(100), None);
}

#[test]
fn datasets_are_named_by_the_rules_of_the_standard() {
    let check = |address: &str, namespace: &str, name: &str| {
        let folder: FolderUri = address.parse().unwrap();
        let found = dataset(folder.as_url());
        assert_eq!((found.namespace.as_str(), found.name.as_str()), (namespace, name), "{address}");
    };
    check("s3://lake/prod/silver/sales/orders", "s3://lake", "prod/silver/sales/orders");
    check("s3://lake/my%20folder/", "s3://lake", "my folder");
    check("s3://lake", "s3://lake", "/");
    check("file:///srv/my%20lake/silver", "file", "/srv/my lake/silver");
    check("file:///", "file", "/");
}

proptest! {
    #[test]
    fn a_run_has_one_id_and_no_other_run_has_it(
        first in ("[a-z]{1,8}", "[a-z0-9]{1,8}", 1_u32..9),
        second in ("[a-z]{1,8}", "[a-z0-9]{1,8}", 1_u32..9),
    ) {
        let uuid = |(job, run, attempt): &(String, String, u32)| {
            let job = JobName { namespace: "s3://lake".to_owned(), name: job.clone() };
            run_uuid(&job, &run.parse().unwrap(), *attempt)
        };
        prop_assert_eq!(uuid(&first) == uuid(&second), first == second);
        let text = uuid(&first);
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        prop_assert_eq!(lengths, [8, 4, 4, 4, 12]);
        prop_assert_eq!(&text[14..15], "8", "the version");
        prop_assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "the variant of {}", text);
    }
}
