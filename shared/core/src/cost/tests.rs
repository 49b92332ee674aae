use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::engine::Engine;
use crate::run::{Outcome, RunAction};

fn prices() -> Prices {
    Prices::of_region("us-east-1").expect("built in")
}

fn money(text: &str) -> Money {
    text.parse().expect(text)
}

fn call(function: &str, second: i64) -> CallUsage {
    CallUsage {
        function: function.to_owned(),
        ran: Where::Lambda,
        began_at: Timestamp::from_second(second).expect("time"),
        millis: 1500,
        start_millis: 500,
        memory_mb: 1024,
        peak_memory_mb: Some(200),
        architecture: Architecture::Arm64,
        region: Some("us-east-1".to_owned()),
        requests: Some(Requests { s3_get: 10, s3_put: 2, s3_list: 1, ..Requests::default() }),
        parts: PartsUsage::default(),
    }
}

fn usage(calls: Vec<CallUsage>) -> RunUsage {
    RunUsage { calls, transitions: Some(11), not_known: Vec::new() }
}

#[test]
fn money_is_read_and_printed_exactly() {
    let check = |text: &str, pico: Option<u128>| {
        let read = text.parse::<Money>();
        assert_eq!(read.as_ref().ok().map(|money| money.pico()), pico, "{text}");
        if let Ok(money) = read {
            assert_eq!(money.to_string(), text);
        }
    };
    check("0", Some(0));
    check("0.0000133334", Some(13_333_400));
    check("12.5", Some(12_500_000_000_000));
    check("0.000000000001", Some(1));
    for refused in ["", "-1", "+1", "1.", ".5", "1e3", "0.0000000000001", "1,5", " 1", "1234567890123"] {
        check(refused, None);
    }
}

#[test]
fn people_see_six_digits() {
    let check = |text: &str, shown: &str| assert_eq!(money(text).rounded(), shown, "{text}");
    check("0", "0.000000");
    check("0.0000004", "<0.000001");
    check("0.0000005", "0.000001");
    check("1.2345674999", "1.234567");
    check("0.9999999", "1.000000");
}

#[test]
fn every_built_in_file_has_every_price_with_its_source() {
    for region in Prices::known_regions() {
        let prices = Prices::of_region(region).expect(region);
        assert_eq!((prices.region(), prices.currency()), (region, "USD"));
        for item in Item::ALL {
            assert!(prices.price(item) > Money::ZERO, "{region}: {item}");
            assert!(prices.source(item).starts_with("https://"), "{region}: {item}");
        }
    }
    assert_eq!(Prices::of_region("mars-north-1"), None);
}

#[test]
fn files_that_are_not_of_prices_are_refused_by_name() {
    let good = include_str!("../../../../prices/2026-12-01-us-east-1.yaml");
    let check = |from: &str, to: &str, expected: &str| {
        assert!(good.contains(from), "{from}");
        let error = Prices::parse(&good.replacen(from, to, 1), "mine.yaml").expect_err(to).to_string();
        assert!(error.contains("mine.yaml") && error.contains(expected), "{error}");
    };
    assert!(Prices::parse(good, "mine.yaml").is_ok());
    check("  s3_get:", "  s3_gets:", "s3_get");
    check("\"0.0000133334\"", "\"-1\"", "'-1' is not an amount");
    check("currency: USD\n", "", "currency");
    check("region: us-east-1", "region: us-east-1\nzone: a", "zone");
    check("as_of: 2026-12-01", "as_of: yesterday", "Copy a file of prices/");
    check("\"https://aws.amazon.com/lambda/pricing/\"", "\" \"", "the price of lambda_arm64_gb_second has no source");
}

#[test]
fn a_receipt_shows_its_arithmetic() {
    let receipt = receipt(&usage(vec![call("validate", 1)]), &prices());
    let lines: Vec<(Item, u64, String)> =
        receipt.lines.iter().map(|line| (line.item, line.amount, line.cost.to_string())).collect();
    let expected = [
        // 2 s of 1 GB.
        (Item::LambdaArm64GbSecond, 2_048_000_u64, "0.0000266668"),
        (Item::LambdaRequest, 1, "0.0000002"),
        (Item::S3Get, 10, "0.000004"),
        (Item::S3Put, 2, "0.00001"),
        (Item::S3List, 1, "0.000005"),
        (Item::StateTransition, 11, "0.000275"),
    ];
    assert_eq!(lines, expected.map(|(item, amount, cost)| (item, amount, cost.to_owned())));
    assert_eq!(receipt.total.to_string(), "0.0003208668");
    assert_eq!(receipt.estimated().to_string(), "0.000275");
    assert!(receipt.is_billed && receipt.not_known.is_empty());
    let words = receipt.lines.first().map(|line| line.arithmetic.clone());
    assert_eq!(words.as_deref(), Some("2000 ms x 1024 MB / 1024 / 1000 x 0.0000133334"));
}

/// The first block of this kind on a page.
fn block<'p>(page: &'p str, kind: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("```{kind}\n")).expect(kind);
    rest.split_once("\n```").expect("an end").0
}

#[test]
fn the_receipt_in_the_documentation_is_the_one_that_is_made() {
    let page = include_str!("../../../../docs/cost.md");
    let usage: RunUsage = serde_json::from_str(block(page, "json")).expect("usage");
    let receipt = receipt(&usage, &prices());
    let mut lines: Vec<String> = Vec::new();
    for Line { item, function, cost, billed_as, arithmetic, .. } in &receipt.lines {
        let how = if *billed_as == BilledAs::Measured { "measured" } else { "estimated" };
        let (function, item, cost) = (function.as_deref().unwrap_or_default(), item.as_str(), cost.to_string());
        lines.push(format!("{function:9} {item:23} {cost:15} {how}"));
        lines.push(format!("  {arithmetic}"));
    }
    lines.push(format!("total {}, estimated {} of it", receipt.total, receipt.estimated()));
    assert_eq!(block(page, "text"), lines.join("\n"));
}

#[test]
fn what_is_not_known_is_named_and_not_counted() {
    let unknown = CallUsage { requests: None, ..call("process", 1) };
    let parts = PartsUsage::default().and(None).and(Some(&unknown)).and(Some(&call("process", 2)));
    let found = receipt(
        &RunUsage {
            calls: vec![CallUsage { parts, ..unknown }],
            transitions: None,
            not_known: vec!["publish".to_owned()],
        },
        &prices(),
    );
    let expected = [
        "publish",
        "requests of process: other calls of the same process made some at the same time",
        "1 parts of the run left nothing about what they used",
        "requests of 1 parts of the run",
        "transitions of the state machine",
    ];
    assert_eq!(found.not_known, expected);
    assert!(found.lines.iter().all(|line| line.amount > 0), "{:?}", found.lines);
    let of_parts = found.lines.iter().find(|line| line.function.as_deref() == Some("process (parts)"));
    assert_eq!(of_parts.map(|line| line.amount), Some(2 * 2000 * 1024));
}

#[test]
fn requests_of_polars_are_estimates() {
    let requests = Some(Requests { scanned_files: 7, ..Requests::default() });
    let found = receipt(&usage(vec![CallUsage { requests, ..call("quality-check", 1) }]), &prices());
    let line = found.lines.iter().find(|line| line.item == Item::S3Get).expect("a line");
    assert_eq!((line.amount, line.billed_as), (21, BilledAs::Estimated));
    assert!(line.arithmetic.starts_with("21 requests of Polars, 3 for each of 7 files read"), "{}", line.arithmetic);
}

#[test]
fn a_run_on_a_laptop_is_not_billed() {
    let found = receipt(&usage(vec![CallUsage { ran: Where::Local, ..call("validate", 1) }]), &prices());
    assert!(!found.is_billed);
    assert_eq!(found.estimated(), found.total);
    assert!(!receipt(&usage(Vec::new()), &prices()).is_billed);
}

#[test]
fn two_documents_of_one_call_are_one_call() {
    let mut found = usage(vec![call("quality-check", 5)]);
    found.add(CallUsage { millis: 9000, ..call("quality-check", 5) });
    found.add(call("quality-check", 6));
    found.add(call("publish", 5));
    let millis: Vec<u64> = found.calls.iter().map(|call| call.millis).collect();
    assert_eq!(millis, [9000, 1500, 1500]);
}

#[test]
fn transitions_follow_from_the_end_where_the_way_is_known() {
    let check = |outcome, attempt, engine, parts, expected| {
        assert_eq!(transitions(outcome, &RunAction::Ingest, attempt, engine, parts), expected, "{outcome:?} {parts}");
    };
    check(Outcome::Published, 1, Some(Engine::Lambda), 0, Some(11));
    check(Outcome::Published, 1, Some(Engine::Lambda), 1000, Some(3012));
    check(Outcome::Rejected, 1, Some(Engine::Lambda), 0, Some(10));
    check(Outcome::Skipped, 1, None, 0, Some(6));
    check(Outcome::Published, 2, Some(Engine::Lambda), 0, None);
    check(Outcome::Published, 1, Some(Engine::Emr), 0, None);
    check(Outcome::Published, 1, None, 0, None);
    check(Outcome::Failed, 1, Some(Engine::Lambda), 0, None);
    let accept = RunAction::Accept { run_id: "r".parse().expect("id") };
    assert_eq!(transitions(Outcome::Published, &accept, 1, Some(Engine::Lambda), 0), None);
}

#[test]
fn the_ways_that_are_counted_are_those_of_the_definition() {
    let definition: serde_json::Value =
        serde_json::from_str(include_str!("../../../../statemachines/pipeline.asl.json")).expect("definition");
    let planned = ["Receive", "Validate", "PlanStatus"];
    let audited = ["Process", "ChooseEngine", "QualityCheck", "Gate"];
    let check = |rest: &[&str], outcome: Outcome, parts: u64| {
        let way: Vec<&str> = planned.iter().chain(rest).copied().collect();
        assert_eq!(definition["StartAt"].as_str(), way.first().copied());
        for (from, to) in way.iter().zip(way.iter().skip(1)) {
            let state = &definition["States"][*from];
            let choices = state["Choices"].as_array().into_iter().flatten().map(|choice| &choice["Next"]);
            let nexts: Vec<&str> = choices.chain([&state["Next"]]).filter_map(|next| next.as_str()).collect();
            assert!(nexts.contains(to), "{from} does not lead to {to}: {nexts:?}");
        }
        assert_eq!(definition["States"][way[way.len() - 1]]["Type"].as_str(), Some("Succeed"));
        let of_parts = parts * 3;
        let expected = way.len() as u64 + 1 + of_parts;
        assert_eq!(transitions(outcome, &RunAction::Ingest, 1, Some(Engine::Lambda), parts), Some(expected), "{way:?}");
    };
    check(&["NotifySkipped", "Skipped"], Outcome::Skipped, 0);
    check(&[&audited[..], &["Publish", "NotifyPublished", "Published"]].concat(), Outcome::Published, 0);
    check(&[&audited[..], &["NotifyRejected", "Rejected"]].concat(), Outcome::Rejected, 0);
    check(&[&["Read"][..], &audited[..], &["Publish", "NotifyPublished", "Published"]].concat(), Outcome::Published, 7);
    let parts = &definition["States"]["Read"]["ItemProcessor"]["States"];
    let (task, end) = (&parts["ReadPart"], &parts["PartRead"]);
    assert_eq!((task["Next"].as_str(), end["Type"].as_str()), (Some("PartRead"), Some("Succeed")), "{parts}");
}

#[test]
fn memory_is_advised_from_what_was_used() {
    let of = |calls: u64, peak: Option<u64>, memory_mb: u64| {
        let calls: Vec<CallUsage> = (0..calls)
            .map(|second| CallUsage { peak_memory_mb: peak, memory_mb, ..call("process", second.try_into().unwrap()) })
            .collect();
        let uses = FunctionUse::of_calls(&calls);
        assert_eq!(uses.len(), 1);
        memory(&uses[0], &prices())
    };
    let advice = of(10, Some(400), 3008).expect("advice");
    // 400 MB and 30 % are 520 MB, which is in 576 MB; 20 s x 2432 MB.
    assert_eq!(advice.change, "give process 576 MB of memory instead of 3008 MB");
    assert_eq!(advice.saves, money("0.0006333365"));
    assert_eq!(of(9, Some(400), 3008), None, "too few calls");
    assert_eq!(of(10, None, 3008), None, "no call says what it had");
    assert_eq!(of(10, Some(1800), 3008), None, "it needs what it has");
    assert_eq!(of(10, Some(50), 128), None, "Lambda gives no less");
}

#[test]
fn memory_is_judged_by_the_calls_since_it_was_changed() {
    let calls = [
        CallUsage { memory_mb: 3008, ..call("process", 1) },
        call("process", 2),
        CallUsage { ran: Where::Local, ..call("x", 3) },
    ];
    let uses = FunctionUse::of_calls(&calls);
    assert_eq!(uses.iter().map(|of| (of.memory_mb, of.calls)).collect::<Vec<_>>(), [(1024, 1)]);
}

#[test]
fn a_schedule_is_judged_by_runs_with_nothing_new() {
    let check = |runs, idle_runs, expected: bool| {
        let of = IdleRuns { runs, idle: idle_runs, cost: money("0.003") };
        let advice = idle("retail", of);
        assert_eq!(advice.is_some(), expected, "{runs} {idle_runs}");
        if let Some(advice) = advice {
            assert_eq!(advice.saves, money("0.003"));
            assert!(advice.arithmetic.contains(&format!("{idle_runs} of {runs} runs")), "{}", advice.arithmetic);
        }
    };
    check(19, 10, true);
    check(20, 10, false);
    check(9, 9, false);
}

fn any_call() -> impl Strategy<Value = CallUsage> {
    (0_u32..100_000, 1_u32..10_240, any::<u16>(), any::<u16>(), any::<u16>()).prop_map(
        |(millis, memory_mb, s3_get, s3_put, scanned)| CallUsage {
            millis: millis.into(),
            memory_mb: memory_mb.into(),
            requests: Some(Requests {
                s3_get: s3_get.into(),
                s3_put: s3_put.into(),
                scanned_files: scanned.into(),
                ..Requests::default()
            }),
            ..call("process", 1)
        },
    )
}

#[test]
fn a_report_is_read_with_and_without_its_cost() {
    let rows = serde_json::json!({"source": 9, "replaced": 0, "staged": 9, "quarantined": 1, "collapsed": 0});
    let report = serde_json::json!({
        "pipeline": "retail", "run_id": "day-1", "attempt": 1, "outcome": "published",
        "ended_at": "2026-01-05T07:00:02Z", "waiting": {"gold/sales/totals": "words"},
        "sources": [{"uri": "s3://lake/landing/a.csv", "etag": "e", "size_bytes": 7}],
        "rows": {"silver/sales/orders": rows}, "committed": [], "broken_rules": [],
    });
    let bare: CostedReport = serde_json::from_value(report).expect("a report");
    assert_eq!(bare.cost, None);
    let usage = usage(vec![call("process", 0)]);
    let cost = RunCost { receipt: Some(receipt(&usage, &prices())), usage };
    let written = ReportWithCost { report: bare.report.clone(), cost: cost.clone() };
    let written = serde_json::to_string(&written).expect("JSON");
    let read: CostedReport = serde_json::from_str(&written).expect("a report");
    assert_eq!(read, CostedReport { report: bare.report, cost: Some(cost) });
}

proptest! {
    #[test]
    fn shares_add_up_to_the_total(total in any::<u64>(), weights in prop::collection::vec(any::<u64>(), 0..20)) {
        let total = Money::of_pico(total.into());
        match shares(total, &weights) {
            Some(parts) => {
                prop_assert_eq!(parts.len(), weights.len());
                prop_assert_eq!(parts.into_iter().sum::<Money>(), total);
            }
            None => prop_assert!(weights.iter().all(|weight| *weight == 0)),
        }
    }

    #[test]
    fn a_larger_weight_has_no_smaller_share(total in any::<u32>(), weights in prop::collection::vec(any::<u32>(), 2..20)) {
        let weights: Vec<u64> = weights.into_iter().map(u64::from).collect();
        if let Some(parts) = shares(Money::of_pico(total.into()), &weights) {
            for (part, weight) in parts.iter().zip(&weights) {
                for (other, less) in parts.iter().zip(&weights).filter(|(_, less)| *less < weight) {
                    prop_assert!(part.pico() + 1 >= other.pico(), "{} of {} and {} of {}", part, weight, other, less);
                }
            }
        }
    }

    #[test]
    fn receipts_are_additive(first in prop::collection::vec(any_call(), 0..5), second in prop::collection::vec(any_call(), 0..5)) {
        let prices = prices();
        let total = |calls: &[CallUsage]| receipt(&RunUsage { calls: calls.to_vec(), ..RunUsage::default() }, &prices).total;
        prop_assert_eq!(total(&first) + total(&second), total(&[first, second].concat()));
    }

    #[test]
    fn money_survives_its_text(pico in any::<u64>()) {
        let money = Money::of_pico(pico.into());
        prop_assert_eq!(money.to_string().parse(), Ok(money));
    }

    #[test]
    fn parts_add_up_in_any_order(calls in prop::collection::vec(any_call(), 0..6)) {
        let sum = |calls: &[CallUsage]| calls.iter().fold(PartsUsage::default(), |sum, call| sum.and(Some(call)));
        let mut turned = calls.clone();
        turned.reverse();
        prop_assert_eq!(sum(&calls), sum(&turned));
    }
}
