//! Every run says in its report what it used, and the command adds up what runs cost.

use std::fs;

use serde_json::Value;
use sluice_core::cost::Money;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{land, orders};

fn money(value: &Value) -> Money {
    value.as_str().unwrap_or_else(|| panic!("no amount: {value}")).parse().unwrap()
}

fn bill(lab: &Lab, words: &[&str]) -> Value {
    lab.sluice(&[&["cost"][..], words].concat()).expect_code(0).page()
}

fn run_of<'b>(bill: &'b Value, id: &str) -> &'b Value {
    bill["runs"].as_array().unwrap().iter().find(|run| run["run_id"] == id).unwrap_or_else(|| panic!("no {id}: {bill}"))
}

/// Checks that a receipt adds up, and returns the functions whose calls are on it.
fn checked(run: &Value) -> Vec<String> {
    let receipt = &run["receipt"];
    let lines = receipt["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| money(&line["cost"])).sum::<Money>(), money(&receipt["total"]), "{receipt}");
    assert_eq!(receipt["is_billed"], false, "no part of this run was on AWS");
    let calls = run["usage"]["calls"].as_array().unwrap();
    calls.iter().map(|call| call["function"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_have_receipts_that_add_up() {
    let lab = orders();
    land(&lab, "1.csv", "id,name,amount,day\n1,ann,2.50,2026-01-05\n2,bob,x,2026-01-05\n");
    let published = lab.run().expect(Outcome::Published);
    let skipped = lab.run().expect(Outcome::Skipped);
    let bill = bill(&lab, &[]);
    let run = run_of(&bill, published.run_id().as_str());
    assert_eq!(checked(run), ["validate", "process", "quality-check", "publish", "notify"]);
    let nothing_new = run_of(&bill, skipped.run_id().as_str());
    assert_eq!(checked(nothing_new), ["validate", "notify"]);

    // A call alone in its process knows its requests; each has written at least its own document.
    for call in run["usage"]["calls"].as_array().unwrap() {
        assert!(call["requests"]["s3_put"].as_u64().unwrap() >= 1, "{call}");
        assert!(call["memory_mb"].as_u64().unwrap() >= 256, "{call}");
    }
    let process = &run["usage"]["calls"][1]["requests"];
    assert!(process["written_bytes"].as_u64().unwrap() > 0, "{process}");

    let total = money(&run["receipt"]["total"]) + money(&nothing_new["receipt"]["total"]);
    assert_eq!(money(&bill["total"]), total);
    let tables = bill["tables"].as_object().unwrap();
    assert_eq!(tables.values().map(money).sum::<Money>(), total, "{tables:?}");
    for table in ["bronze/sales/orders", "silver/sales/orders", "gold/sales/totals", "(not divided)"] {
        assert!(tables.contains_key(table), "{table}: {tables:?}");
    }
    assert_eq!(bill["advice"], serde_json::json!([]), "nothing on this machine can be saved on AWS");
}

#[test]
fn transitions_of_a_receipt_are_the_states_that_were_entered() {
    let lab = orders();
    land(&lab, "1.csv", "id,name,amount,day\n1,ann,2.50,2026-01-05\n");
    for outcome in [Outcome::Published, Outcome::Skipped] {
        let run = lab.run().expect(outcome);
        let entered = run.lines().iter().filter(|line| line["event"] == "state_entered").count() as u64;
        let bill = bill(&lab, &["--run", run.run_id().as_str()]);
        let transitions = bill["runs"][0]["usage"]["transitions"].as_u64();
        assert!(entered > 0, "{run}");
        assert_eq!(transitions, Some(entered + 1), "{outcome:?}: the begin of an execution counts, too");
    }
}

#[test]
fn the_command_prints_receipts_as_text_and_csv() {
    let lab = orders();
    land(&lab, "1.csv", "id,name,amount,day\n1,ann,2.50,2026-01-05\n");
    let run = lab.run().expect(Outcome::Published);
    let id = run.run_id().to_string();
    let text = |words: &[&str]| {
        let mut command = lab.command([&["cost"][..], words, &["--lake"]].concat());
        command.arg(lab.lake());
        Run::of(command).expect_code(0).stdout
    };
    let receipt = text(&["--run", &id]);
    for words in ["_gb_second", "ms x 3008 MB / 1024 / 1000 x 0.0000", "not billed", "estimated  0."] {
        assert!(receipt.contains(words), "no {words:?} in {receipt}");
    }
    let all = text(&[]);
    for words in ["by month", "by table, by rows staged and quarantined", "total 0.", &id] {
        assert!(all.contains(words), "no {words:?} in {all}");
    }
    let lines = bill(&lab, &[])["runs"][0]["receipt"]["lines"].as_array().unwrap().len();
    let csv = text(&["--csv"]);
    assert_eq!(csv.lines().count(), lines + 1, "{csv}");
    assert!(csv.lines().all(|line| line.split(',').count() == 12), "{csv}");
    assert!(text(&["--month", "1999-01"]).contains("no run has ended"));
}

#[test]
fn prices_can_be_replaced_and_wrong_ones_are_refused() {
    let lab = orders();
    land(&lab, "1.csv", "id,name,amount,day\n1,ann,2.50,2026-01-05\n");
    let _ = lab.run().expect(Outcome::Published);
    let usual = money(&bill(&lab, &[])["total"]);
    let prices = sluice_tests::files::repository().join("prices/2026-12-01-us-east-1.yaml");
    let text = fs::read_to_string(prices).unwrap();
    let own = lab.folder().join("own.yaml");
    let own_path = own.to_str().unwrap();
    fs::write(&own, text.replace("price: \"0.", "price: \"1.")).unwrap();
    assert!(money(&bill(&lab, &["--prices", own_path])["total"]) > usual);
    fs::write(&own, text.replace("  s3_list:", "  s3_lists:")).unwrap();
    let refused = lab.sluice(&["cost", "--prices", own_path]).expect_code(2);
    assert!(refused.stdout.contains("own.yaml") && refused.stdout.contains("s3_list"), "{refused}");
    let _ = lab.sluice(&["cost", "--run", "nobody"]).expect_code(2);
    let _ = lab.sluice(&["cost", "--csv"]).expect_code(2);
}

#[test]
fn a_file_that_is_not_of_audit_events_is_refused_with_its_line() {
    let lab = orders();
    land(&lab, "1.csv", "id,name,amount,day\n1,ann,2.50,2026-01-05\n");
    let _ = lab.run().expect(Outcome::Published);
    let audit = lab.folder().join("audit.jsonl");
    fs::write(&audit, "{\"at\":\"2026-01-05T10:00:00Z\"}\n").unwrap();
    let refused = lab.sluice(&["cost", "--audit", audit.to_str().unwrap()]).expect_code(2);
    assert!(refused.stdout.contains("line 1: not an audit event"), "{refused}");
}
