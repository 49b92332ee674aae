use sluice_core::cost::{Architecture, CallUsage, PartsUsage, Prices, Receipt, ReportCost, RunCost, RunUsage, Where};
use sluice_core::run::RunKey;

use super::*;

fn found_run(id: &str, outcome: Outcome, pico: Option<u128>, rows: &[(&str, u64, u64)]) -> FoundRun {
    let counts = |staged, quarantined| RowCounts { staged, quarantined, ..RowCounts::default() };
    let receipt = |pico| Receipt {
        prices_as_of: "2026-12-01".parse().unwrap(),
        region: "us-east-1".to_owned(),
        currency: "USD".to_owned(),
        is_billed: true,
        lines: Vec::new(),
        total: Money::of_pico(pico),
        not_known: Vec::new(),
    };
    FoundRun {
        run: RunKey { pipeline: "retail".parse().unwrap(), run_id: id.parse().unwrap() },
        report: ReportCost {
            outcome,
            ended_at: "2026-12-01T10:00:00Z".parse().unwrap(),
            rows: rows.iter().map(|(table, staged, bad)| ((*table).to_owned(), counts(*staged, *bad))).collect(),
            cost: None,
        },
        receipt: pico.map(receipt),
    }
}

fn found(runs: Vec<FoundRun>) -> Found {
    Found { runs, without_report: 1 }
}

#[test]
fn shares_of_tables_add_up_to_the_total() {
    let runs = vec![
        found_run(
            "a",
            Outcome::Published,
            Some(1050),
            &[("bronze/s/t", 10, 0), ("silver/s/t", 7, 3), ("gold/s/g", 1, 0)],
        ),
        found_run("b", Outcome::Skipped, Some(77), &[]),
        found_run("c", Outcome::Published, None, &[("silver/s/t", 5, 0)]),
    ];
    let bill = Bill::new(&found(runs), &[], None, &PriceList::BuiltIn);
    assert_eq!(bill.total, Money::of_pico(1127));
    assert_eq!(bill.tables.values().copied().sum::<Money>(), bill.total);
    assert_eq!(bill.tables[NOT_DIVIDED], Money::of_pico(77), "a run without rows is divided among no tables");
    assert_eq!(bill.tables["bronze/s/t"], bill.tables["silver/s/t"], "quarantined rows are work, too");
    assert_eq!(bill.months["2026-12"], Part { runs: 3, cost: bill.total });
    assert_eq!(bill.not_counted, 1);
}

#[test]
fn the_cost_of_pipelines_without_products_is_shown_as_such() {
    let bill = Bill::new(&found(vec![found_run("a", Outcome::Rejected, Some(9), &[])]), &[], None, &PriceList::BuiltIn);
    let products: Vec<(&str, Money)> =
        bill.products.iter().map(|product| (product.product.as_str(), product.cost)).collect();
    assert_eq!(products, [(NOT_DIVIDED, Money::of_pico(9))]);
    assert!(bill.advice.is_empty(), "no advice without numbers");
}

#[test]
fn advice_counts_with_the_prices_that_were_given() {
    let call = |place: u32| CallUsage {
        function: "process".to_owned(),
        ran: Where::Lambda,
        began_at: format!("2026-12-01T10:00:{place:02}Z").parse().unwrap(),
        millis: 1000,
        start_millis: 0,
        memory_mb: 2048,
        peak_memory_mb: Some(100),
        architecture: Architecture::Arm64,
        region: Some("mars-north-1".to_owned()),
        requests: None,
        parts: PartsUsage::default(),
    };
    let mut run = found_run("a", Outcome::Published, Some(9), &[]);
    let usage = RunUsage { calls: (0..10).map(call).collect(), ..RunUsage::default() };
    run.report.cost = Some(RunCost { usage, receipt: None });
    let found = found(vec![run]);
    let saves = |prices: &PriceList| Bill::new(&found, &[], None, prices).advice.iter().map(|one| one.saves).collect();
    let without: Vec<Money> = saves(&PriceList::BuiltIn);
    assert!(without.is_empty(), "this version has no prices of the region");
    let given = Prices::of_region("us-east-1").unwrap();
    // 100 MB and 30 % are 130 MB, which is in 192 MB: 10 s x 1856 MB.
    assert_eq!(saves(&PriceList::Given(Box::new(given))), [Money::of_pico(241_667_875)]);
}
