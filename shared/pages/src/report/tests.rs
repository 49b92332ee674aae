use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::facts::PlanFacts;

const RUN: &str = "day-1";

fn run() -> RunRef {
    RunRef { pipeline: "retail".parse().unwrap(), run_id: RUN.parse().unwrap(), attempt: 1 }
}

fn lake() -> FolderUri {
    "s3://lake/prod".parse().unwrap()
}

fn page(facts: &RunFacts) -> String {
    run_report(&lake(), &run(), facts)
}

/// A plan of `objects` objects, with this text wherever a text may stand.
fn plan(objects: usize, text: &str) -> PlanFacts {
    let object = |number: usize| {
        let uri = format!("s3://lake/prod/landing/retail/2026-01-05/orders it's {number:06}.csv");
        json!({"object": {"uri": uri, "etag": "e", "size_bytes": 1_234_567}, "read_from": "landing"})
    };
    let plan = json!({
        "request": {"pipeline": "retail"},
        "planned_at": "2026-01-05T06:00:00Z",
        "status": "planned",
        "engine": {"engine": "lambda", "reason": text},
        "estimate": {"objects": objects, "stored_bytes": 9_000_000, "text_bytes": 9_000_000, "rows": 12_000,
            "table_rows": 0, "peak_memory_bytes": 600_000_000, "duration_seconds": 4},
        "pipeline": {
            "name": "retail", "bronze": "bronze/sales/orders",
            "silver": [{"table": "silver/sales/orders", "quarantine": "quarantine/sales/orders"}],
            "gold": [{"table": "gold/sales/totals", "inputs": ["silver/sales/orders", "silver/other/rates"]}],
        },
        "objects": (0..objects).map(object).collect::<Vec<_>>(),
        "waiting": {"gold/sales/late": text},
        "held_by_run": {"count": 1, "named": [{"uri": "s3://lake/prod/landing/retail/bad.csv", "reason": text}]},
        "passed_by": {"count": 1, "named": [{"uri": text, "reason": {"excluded": {"pattern": text}}}]},
    });
    serde_json::from_value(plan).unwrap()
}

fn of_run() -> Value {
    json!({"pipeline": "retail", "run_id": RUN, "attempt": 1})
}

/// The documents of a run that was published, with this text wherever a text may stand.
fn published(objects: usize, text: &str) -> RunFacts {
    let rows = json!({"source": 12_000, "replaced": 100, "staged": 11_000, "quarantined": 900, "collapsed": 200});
    let change = json!({
        "table": "silver/sales/orders", "read_version": 1, "kind": "append", "columns": [], "partition_by": [],
        "adds": [], "removes": [], "sources": [], "inputs": [], "rows": rows, "table_rows": 1_234_567,
        "broken_rules": {text: 900}, "schema_changes": [text],
    });
    let rule = |name: &str, severity: &str, passed: bool| {
        json!({"rule": name, "description": text, "severity": severity, "dimension": null, "observed": text,
            "expected": text, "passed": passed})
    };
    let rules = [rule("holds", "error", true), rule("warned", "warning", false), rule(text, "error", false)];
    let table = json!({"table": "silver/sales/orders", "contract": "c", "score": "33", "rules": rules});
    let acceptance = json!({"by": text, "at": "2026-01-05T07:00:00Z", "reason": text, "rules": []});
    let committed = json!({"table": "silver/sales/orders", "version": 2, "rows": 1_234_567, "files_added": 1,
        "files_removed": 0});
    RunFacts {
        plan: Some(plan(objects, text)),
        changeset: serde_json::from_value(json!({
            "run": of_run(), "staged_at": "2026-01-05T06:00:04Z", "tables": [change], "missing_keys": [text],
        }))
        .unwrap(),
        verdict: serde_json::from_value(json!({
            "run": of_run(), "audited_at": "2026-01-05T06:00:05Z", "decision": "accepted", "tables": [table],
            "acceptance": acceptance,
        }))
        .unwrap(),
        receipt: serde_json::from_value(json!({
            "run": of_run(), "published_at": "2026-01-05T07:00:01Z", "tables": [committed],
        }))
        .unwrap(),
        report: None,
        cost: None,
    }
}

/// The facts with a report of this outcome, and this error.
fn reported(facts: RunFacts, outcome: &str, error: Option<(&str, &str)>) -> RunFacts {
    let error = error.map(|(name, cause)| json!({"Error": name, "Cause": cause}));
    let held = facts.plan.as_ref().map(|plan| plan.held_by_run.clone()).unwrap_or_default();
    let report = serde_json::from_value(json!({
        "pipeline": "retail", "run_id": RUN, "attempt": 1, "outcome": outcome, "ended_at": "2026-01-05T07:00:02Z",
        "sources": [], "held": held, "rows": {}, "committed": [], "broken_rules": [], "error": error,
    }));
    RunFacts { report: report.unwrap(), ..facts }
}

/// The texts between this beginning and end, in the order of the page.
fn between_all<'a>(page: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    page.split(begin).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

#[test]
fn a_published_run_has_every_section_with_its_captions() {
    let page = page(&reported(published(3, "words"), "published", None));
    let ids = between_all(&page, "<section aria-labelledby=\"", "\"");
    let expected = ["next", "times", "tables", "rules", "left-out", "schema", "sources", "engine", "lineage"];
    assert_eq!(ids, expected);
    for id in expected {
        assert!(page.contains(&format!("<h2 id=\"{id}\">")), "{id} has no heading");
        assert!(page.contains(&format!("<li><a href=\"#{id}\">")), "nothing leads to {id}");
    }
    let captions = between_all(&page, "<caption>", "</caption>");
    let expected = [
        "Steps of the run",
        "Rows by table",
        "Tables that were not computed",
        "Rules of the quality gate",
        "Rules that rows of this run broke",
        "Held by this run",
        "Passed by",
        "Changes of columns",
        "Mapped columns that no object of the run has: they are null",
        "Source objects of the run",
        "Estimate before the run, an upper bound for the function",
        "What is made of what",
    ];
    assert_eq!(captions, expected);
    for landmark in ["<header>", "<nav aria-label=\"Sections\">", "<main id=\"main\">", "<footer>", "<h1>"] {
        assert_eq!(page.matches(landmark).count(), 1, "{landmark}");
    }
    assert_eq!(page.matches("<svg role=\"img\" aria-labelledby=").count(), 2);
    for shown in ["1,234,567", "12,000", "10,900", "1.2 MB", "600.0 MB", "1 h 0 min", "silver/other/rates"] {
        assert!(page.contains(shown), "{shown} is missing");
    }
}

#[test]
fn broken_rules_come_before_warnings_and_those_before_rules_that_hold() {
    let page = page(&published(1, "broken_one"));
    let place = |rule: &str| page.find(&format!("<th scope=\"row\">{rule}</th>")).unwrap_or_else(|| panic!("{rule}"));
    assert!(place("broken_one") < place("warned") && place("warned") < place("holds"));
}

#[test]
fn a_page_asks_no_other_host_and_has_no_script() {
    let page = page(&reported(published(3, "words"), "published", None));
    for refused in
        ["<script", "<link", "<img", "<iframe", "src=", "url(", "@import", "http://", "https://", "onload=", "onclick="]
    {
        assert!(!page.contains(refused), "{refused}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
}

#[test]
fn every_ending_has_its_words_and_the_next_step() {
    let check = |facts: &RunFacts, expected: &[&str]| {
        let page = page(facts);
        for words in expected {
            assert!(page.contains(words), "no {words:?} in {}", page.split("<body>").nth(1).unwrap());
        }
    };
    let bare = || RunFacts { plan: Some(PlanFacts::default()), ..RunFacts::default() };
    check(&reported(bare(), "published", None), &["published</span>", "Nothing: the run is complete."]);
    check(
        &reported(published(1, "w"), "published", None),
        &["accepted and published</span>", "1 table has a new version."],
    );
    check(&reported(bare(), "skipped", None), &["skipped, nothing new</span>", "no table changed"]);
    let mut rejected = published(1, "w");
    rejected.receipt = None;
    let accept = "sluice runs accept day-1 --reason &quot;…&quot; --lake s3://lake/prod/";
    let release = "sluice source release --run day-1 --lake s3://lake/prod/";
    check(&reported(rejected, "rejected", None), &["rejected</span>", "First broken rule", accept, release]);
    let failed = reported(bare(), "failed", Some(("Unavailable", "disk is full")));
    check(&failed, &["failed</span>", "Error: Unavailable: disk is full", "Run again when the store answers"]);
    let stopped = reported(RunFacts::default(), "failed", Some(("Stopped", "stopped by ann")));
    check(&stopped, &["stopped</span>", "stopped by ann", "redrive the run"]);
    check(&bare(), &["not finished</span>", "Run the pipeline again"]);
    let mut replay = bare();
    let request = serde_json::from_value(json!({"pipeline": "retail", "action": "replay"})).unwrap();
    replay.plan.as_mut().unwrap().request = request;
    check(&reported(replay, "published", None), &["replay of the quarantine"]);
}

#[test]
fn a_message_that_may_quote_a_row_is_not_shown() {
    let failed = reported(RunFacts::default(), "failed", Some(("InvalidInput", "'17850' is no number")));
    let page = page(&failed);
    assert!(!page.contains("17850"), "a value is on the page");
    assert!(page.contains("sluice runs show day-1"));
}

#[test]
fn a_large_run_has_a_small_page_that_says_what_it_leaves_out() {
    let mut facts = reported(published(10_000, &"<&'\">".repeat(200)), "published", None);
    let held: Vec<_> = (0..1000)
        .map(|number| json!({"uri": format!("s3://lake/{}/{number}", "x".repeat(900)), "reason": "<".repeat(900)}))
        .collect();
    let held = serde_json::from_value(json!({"count": 10_000, "named": held})).unwrap();
    facts.report.as_mut().unwrap().held = held;
    let page = page(&facts);
    assert!(page.len() < MAX_PAGE_BYTES, "{}", page.len());
    assert!(page.contains("10,000 objects of 12.3 GB together."));
    assert!(page.contains("more are not listed here."), "it does not say what it leaves out");
}

#[test]
fn the_same_documents_give_the_same_bytes() {
    let facts = reported(published(3, "words"), "published", None);
    assert_eq!(page(&facts), page(&facts.clone()));
}

#[test]
fn plans_of_other_versions_are_read() {
    let plan: PlanFacts = serde_json::from_value(json!({"status": "planned", "objects": [], "new_field": 1})).unwrap();
    let page = page(&RunFacts { plan: Some(plan), ..RunFacts::default() });
    assert!(page.contains("not finished</span>"));
}

/// The signs that make markup.
fn signs(page: &str) -> [usize; 4] {
    ['<', '>', '"', '\''].map(|sign| page.matches(sign).count())
}

proptest! {
    #[test]
    fn no_text_adds_markup(text in "[a-z<>&\"'/=\\\\\u{0}\u{202e}é]{1,40}", tag in "(<script>|</td>|\" onload=\"|<!--|&lt;)") {
        let hostile = format!("{text}{tag}");
        let error = ("Unavailable", hostile.as_str());
        let given = page(&reported(published(2, &hostile), "failed", Some(error)));
        let plain = page(&reported(published(2, "words"), "failed", Some(("Unavailable", "words"))));
        prop_assert_eq!(signs(&given), signs(&plain));
        prop_assert!(!given.contains("<script"));
        let is_turned = given.contains('\u{202e}');
        prop_assert!(!is_turned);
    }
}

#[test]
fn each_table_is_made_of_the_source_that_it_reads() {
    let mut facts = RunFacts { plan: Some(plan(1, "x")), ..RunFacts::default() };
    let pipeline = json!({
        "source": "orders", "bronze": "bronze/sales/orders",
        "other_sources": [{"source": "weather", "bronze": "bronze/sales/weather"}],
        "silver": [
            {"source": "weather", "table": "silver/sales/days", "quarantine": "quarantine/sales/days"},
            {"source": "orders", "table": "silver/sales/orders", "quarantine": "quarantine/sales/orders"},
        ],
    });
    facts.plan.as_mut().unwrap().pipeline = serde_json::from_value(pipeline).unwrap();
    let page = page(&facts);
    let check = |table: &str, from: &str| {
        let row = format!("<tr><th scope=\"row\">{table}</th><td>{from}</td></tr>");
        assert!(page.contains(&row), "{row}: {page}");
    };
    check("bronze/sales/weather", "source objects");
    check("bronze/sales/orders", "source objects");
    check("silver/sales/days", "bronze/sales/weather");
    check("quarantine/sales/days", "bronze/sales/weather");
    check("silver/sales/orders", "bronze/sales/orders");
    assert!(!page.contains("<tr><th scope=\"row\">silver/sales/days</th><td>bronze/sales/orders</td></tr>"));
}
