//! The gate without a limit of the spec's own, and warnings, which reject nothing and are not silent.

use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{ORDER_COLUMNS, ORDERS, SILVER, TOTAL_COLUMNS, contract, lab, land, orders, orders_with, rows};

const NO_LIMIT: &str = "    gate: { quarantined_percent_below: none }\n";

/// Order lines of which `bad` have no amount.
fn records(good: usize, bad: usize) -> String {
    let line = |id: usize, amount: &str| format!("{id},a,{amount},2026-01-01\n");
    let good: String = (0..good).map(|id| line(id, "1.00")).collect();
    let bad: String = (0..bad).map(|id| line(1_000 + id, "")).collect();
    format!("id,name,amount,day\n{good}{bad}")
}

#[test]
fn a_run_is_rejected_when_a_tenth_of_its_rows_is_quarantined() {
    let spec = ORDERS.replace(NO_LIMIT, "");
    assert_ne!(spec, ORDERS);
    let lab = orders_with(&spec);
    land(&lab, "a.csv", records(91, 9));
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.csv", records(90, 10));
    let rejected = lab.run().expect(Outcome::Rejected);
    let broken = rejected.lines().pop().unwrap()["broken_rules"].clone();
    assert_eq!(broken[0]["rule"], format!("{SILVER}: quarantined_share"));
    assert_eq!(
        (broken[0]["observed"].as_str(), broken[0]["expected"].as_str()),
        (Some("10 %"), Some("< 10 %, or one row"))
    );
    assert_eq!(rows(&lab, SILVER, &["id"]).len(), 91);
    land(&lab, "one.csv", records(1, 1));
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "two.csv", records(2, 2));
    let _ = lab.run().expect(Outcome::Rejected);
    lab.edit_pipeline("pipeline.yaml", "    mode: append\n", &format!("    mode: append\n{NO_LIMIT}"));
    land(&lab, "c.csv", records(0, 10));
    let _ = lab.run().expect(Outcome::Published);
}

#[test]
fn check_says_from_which_share_on_a_run_is_rejected() {
    let check = |limit: &str, line: &str, json: Value| {
        let lab = orders_with(&ORDERS.replace(NO_LIMIT, limit));
        let mut command = lab.command(["check"]);
        let run = Run::of({
            command.arg(lab.pipeline());
            command
        });
        assert!(run.stdout.lines().any(|printed| printed == line), "{run}");
        let mut command = lab.command(["check", "--json"]);
        command.arg(lab.pipeline());
        let page: Value = Run::of(command).expect_code(0).page();
        assert_eq!(page["gates"], json!([{ "table": SILVER, "quarantined_percent_below": json }]));
    };
    let rejected =
        |percent: &str| format!("a run is rejected when {percent} % or more of its rows for {SILVER} are quarantined");
    check("", &format!("{}, and more than one", rejected("10")), json!("10"));
    check("    gate: { quarantined_percent_below: 0.5 }\n", &rejected("0.5"), json!("0.5"));
    let published = format!("a run is published however many of its rows for {SILVER} are quarantined");
    check(NO_LIMIT, &published, Value::Null);
}

/// Orders whose names should not be missing; with another severity they must not.
fn with_warning() -> Lab {
    let name = "name: name, logicalType: string, \
                quality: [{ id: named, type: library, metric: nullValues, mustBe: 0, severity: warning }]";
    let columns = [ORDER_COLUMNS[0], name, ORDER_COLUMNS[2], ORDER_COLUMNS[3]];
    let total = "id: few, type: sql, query: 'SELECT COUNT(*) FROM {object}', mustBeLessThan: 2, severity: warning";
    let contracts =
        [("orders", contract("orders", &columns, &[total])), ("totals", contract("totals", &TOTAL_COLUMNS, &[]))];
    lab(ORDERS, &contracts)
}

#[test]
fn warnings_are_counted_in_summary_and_report() {
    let lab = with_warning();
    land(&lab, "a.csv", "id,name,amount,day\n1,a,1.00,\n2,,1.00,\n3,,1.00,\n");
    let run = lab.run().expect(Outcome::Published);
    let expected = [
        json!({ "rule": format!("{SILVER}: named"), "observed": "2", "expected": "= 0" }),
        json!({ "rule": format!("{SILVER}: few"), "observed": "3", "expected": "< 2" }),
    ];
    let report = std::fs::read_to_string(lab.lake().join(format!("runs/retail/{}/report.json", run.run_id()))).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["warnings"], json!(expected));
    let last = run.lines().pop().unwrap();
    let shown: Vec<(&Value, &Value)> =
        last["warnings"].as_array().unwrap().iter().map(|warning| (&warning["rule"], &warning["observed"])).collect();
    assert_eq!(shown, expected.iter().map(|warning| (&warning["rule"], &warning["observed"])).collect::<Vec<_>>());

    land(&lab, "b.csv", "id,name,amount,day\n4,,1.00,\n");
    let mut command = lab.command(["run"]);
    command.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--landing").arg(lab.landing());
    let run = Run::of(command).expect_code(0);
    for part in ["warning", "orders: named", "orders: few", "published:"] {
        assert!(run.stdout.contains(part), "no {part}: {run}");
    }
    // Without a broken rule there is no word of it.
    let calm = orders();
    land(&calm, "a.csv", records(1, 0));
    let run = calm.run().expect(Outcome::Published);
    assert_eq!(run.lines().pop().unwrap()["warnings"], json!([]));
}
