use polars::prelude::{IntoLazy, df};
use proptest::prelude::*;
use sluice_core::contract::{Bound, ColumnType, RowCheck, Severity};

use super::*;
use crate::engine::cast::testing::contract;

fn number(text: &str) -> DecimalNumber {
    text.parse().unwrap()
}

fn names(columns: &[&str]) -> Vec<ColumnName> {
    columns.iter().map(|name| name.parse().unwrap()).collect()
}

fn rows() -> DataFrame {
    df!(
        "k" => [Some("a"), Some("a"), Some("b"), None, None, Some("a"), Some("c"), Some("c")],
        "n" => [Some(1), Some(1), Some(1), Some(1), Some(1), Some(1), Some(2), None],
    )
    .unwrap()
}

fn with_metric(metric: Metric, unit: MetricUnit, bound: Bound) -> TableContract {
    let mut contract = contract(&[("k", ColumnType::Text), ("n", ColumnType::Int32)]);
    contract.dataset_rules.push(DatasetRule {
        id: "r".to_owned(),
        metric,
        unit,
        bound,
        severity: Severity::Error,
        dimension: None,
        description: None,
    });
    contract
}

/// Observes every rule of rows that a run wrote, and of the table with them.
fn observe_rows(
    staged: LazyFrame,
    whole: &LazyFrame,
    contract: &TableContract,
    tests: &[RowTest],
    table_rows: u64,
) -> Result<Audit, EngineError> {
    observe(&count_row_rules(staged, tests)?, whole, contract, tests, table_rows)
}

fn observed(metric: Metric, unit: MetricUnit) -> Result<Vec<RuleResult>, EngineError> {
    let contract = with_metric(metric, unit, Bound::Be(DecimalNumber::ZERO));
    let audit = observe_rows(rows().slice(0, 3).lazy(), &rows().lazy(), &contract, &[], 8)?;
    assert_eq!(audit.rows(), 3);
    judge(&audit, &contract)
}

#[test]
fn metrics_are_counted_over_the_whole_table() {
    let check = |metric: Metric, unit: MetricUnit, expected: &str| {
        let results = observed(metric.clone(), unit).unwrap();
        assert_eq!(results.len(), 1);
        assert_eq!(results[0].observed, expected, "{metric}");
        assert_eq!(results[0].passed, expected == "0", "{metric}");
    };
    let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    let [k, n] = [|| "k".parse::<ColumnName>().unwrap(), || "n".parse().unwrap()];
    let (rows, percent) = (MetricUnit::Rows, MetricUnit::Percent);
    let invalid = |values: Option<&[&str]>, regex: Option<&str>| Metric::InvalidValues {
        column: k(),
        valid_values: values.map(texts),
        regex: regex.map(str::to_owned),
    };
    check(Metric::RowCount, rows, "8");
    check(Metric::NullValues { column: k() }, rows, "2");
    check(Metric::NullValues { column: k() }, percent, "25 %");
    check(Metric::NullValues { column: n() }, percent, "12.5 %");
    check(Metric::MissingValues { column: k(), values: texts(&["b"]) }, rows, "3");
    check(Metric::MissingValues { column: n(), values: texts(&["2"]) }, rows, "2");
    check(invalid(Some(&["a", "c"]), None), rows, "1");
    check(invalid(None, Some("^[ab]$")), rows, "2");
    check(invalid(Some(&["a", "b"]), Some("^[bc]$")), rows, "5");
    check(invalid(Some(&["a", "b", "c"]), None), rows, "0");
    check(Metric::DuplicateValues { columns: names(&["k"]) }, rows, "5");
    check(Metric::DuplicateValues { columns: names(&["k"]) }, percent, "83.3333 %");
    check(Metric::DuplicateValues { columns: names(&["k", "n"]) }, rows, "3");
    check(Metric::DuplicateValues { columns: names(&["n", "k"]) }, percent, "60 %");
    let sql = |query: &str| Metric::Sql { query: query.parse().unwrap() };
    check(sql("SELECT COUNT(DISTINCT k) FROM object"), rows, "3");
    check(sql("SELECT SUM(n) FROM object WHERE k = 'a'"), rows, "3");
    check(sql("SELECT ROUND(AVG(n), 3) FROM object"), rows, "1.143");
    check(sql("SELECT MAX(ROUND(n * 0.125, 2)) FROM object"), rows, "0.25");
    check(sql("SELECT COUNT(*) FROM (SELECT k FROM object GROUP BY k HAVING COUNT(*) > 2) AS t"), rows, "1");
    check(sql("SELECT MAX(n) FROM object WHERE k = 'x'"), rows, "null");
}

#[test]
fn empty_tables_have_no_share_and_no_duplicates() {
    let metric = Metric::NullValues { column: "k".parse().unwrap() };
    let contract = with_metric(metric, MetricUnit::Percent, Bound::LessThan(number("1")));
    let empty = rows().clear().lazy();
    let results = judge(&observe_rows(empty.clone(), &empty, &contract, &[], 0).unwrap(), &contract).unwrap();
    assert_eq!((results[0].observed.as_str(), results[0].expected.as_str(), results[0].passed), ("0 %", "< 1 %", true));
}

/// The table with which Soda's documentation explains `duplicate_percent`, and the list of Great Expectations'.
#[test]
fn shares_of_duplicates_are_those_of_other_tools() {
    let check = |keys: &[Option<i32>], rows: &str, percent: &str| {
        let frame = df!("n" => keys).unwrap().lazy();
        let observed = |unit| {
            let metric = Metric::DuplicateValues { columns: names(&["n"]) };
            let contract = with_metric(metric, unit, Bound::Be(DecimalNumber::ZERO));
            let audit = observe_rows(frame.clone(), &frame, &contract, &[], keys.len() as u64).unwrap();
            judge(&audit, &contract).unwrap()[0].observed.clone()
        };
        assert_eq!((observed(MetricUnit::Rows).as_str(), observed(MetricUnit::Percent).as_str()), (rows, percent));
    };
    check(&[Some(1), Some(1), Some(2), None, None], "2", "66.6666 %");
    check(&[Some(1), Some(2), Some(3), Some(3), Some(3)], "3", "60 %");
    check(&[None, None], "0", "0 %");
    check(&[], "0", "0 %");
}

#[test]
fn row_rules_are_counted_on_staged_rows() {
    let mut contract = contract(&[("k", ColumnType::Text), ("n", ColumnType::Int32)]);
    let mut add = |id: &str, column: &str, check: RowCheck, severity: Severity| {
        let (id, column) = (id.to_owned(), Some(column.parse().unwrap()));
        contract.row_rules.push(RowRule { id, column, check, severity, dimension: None, description: None });
    };
    add("k.required", "k", RowCheck::Required, Severity::Warning);
    add("n.low", "n", RowCheck::Minimum { bound: "2".into(), exclusive: false }, Severity::Error);
    let tests = compile(&contract).unwrap();
    let audit = observe_rows(rows().lazy(), &rows().lazy(), &contract, &tests, 8).unwrap();
    assert_eq!(audit.rows(), 8);
    let results = judge(&audit, &contract).unwrap();
    let short: Vec<(&str, &str, bool)> =
        results.iter().map(|r| (r.rule.as_str(), r.observed.as_str(), r.passed)).collect();
    assert_eq!(short, [("k.required", "2", false), ("n.low", "6", false)]);
    // What was counted of the rows in two halves is what is counted of all.
    let count = |start: i64| count_row_rules(rows().slice(start, 4).lazy(), &tests).unwrap();
    let halves = count(0).and(&count(4)).unwrap();
    assert_eq!(observe(&halves, &rows().lazy(), &contract, &tests, 8).unwrap(), audit);
    let nothing = count_row_rules(rows().clear().lazy(), &tests).unwrap();
    assert_eq!((nothing.rows, nothing.broken["k.required"], nothing.broken["n.low"]), (0, 0, 0));
    let error = observe(&AuditedRows { broken: Default::default(), rows: 8 }, &rows().lazy(), &contract, &tests, 8);
    assert!(error.unwrap_err().to_string().contains("`k.required`"), "a rule that was not counted");
}

#[test]
fn metrics_that_cannot_run_are_refused_by_name() {
    let check = |metric: Metric, expected: &str| {
        let contract = with_metric(metric, MetricUnit::Rows, Bound::Be(DecimalNumber::ZERO));
        let error = super::check(&contract).unwrap_err();
        let text = sluice_core::error::StepError::new(error.name(), &error).to_string();
        assert!(text.starts_with("InvalidInput: rule `r`") && text.contains(expected), "{text}");
    };
    let sql = |query: &str| Metric::Sql { query: query.parse().unwrap() };
    check(Metric::NullValues { column: "x".parse().unwrap() }, "column `x` is not in the contract");
    check(sql("SELECT COUNT(nope) FROM object"), "nope");
    check(sql("SELECT COUNT(*), 1 FROM object"), "answers 2 columns");
    check(sql("SELECT MAX(k) FROM object"), "is no number");
    check(sql("SELECT n FROM object"), "answers 0 rows");
}

#[test]
fn a_rule_that_the_rows_have_no_number_for_is_broken() {
    let check = |query: &str, unit: MetricUnit, says: &str| {
        // A bound that every number keeps.
        let metric = Metric::Sql { query: query.parse().unwrap() };
        let contract = with_metric(metric, unit, Bound::NotBe(number("-1")));
        super::check(&contract).unwrap();
        let audit = observe_rows(rows().lazy(), &rows().lazy(), &contract, &[], 8).unwrap();
        let results = judge(&audit, &contract).unwrap();
        let [result] = results.as_slice() else { panic!("{query}: {results:?}") };
        assert!(!result.passed, "{query}");
        assert!(
            result.observed.starts_with("none (") && result.observed.contains(says),
            "{query}: {}",
            result.observed
        );
        assert!(!result.observed.contains('\n') && result.observed.len() < 400, "{query}: {}", result.observed);
    };
    check("SELECT SUM(CAST(k AS BIGINT)) FROM object", MetricUnit::Rows, "CAST: 'a' is no BIGINT");
    check("SELECT SUM(n / (n - 1)) FROM object", MetricUnit::Rows, "division by zero");
    check("SELECT SUM(n) * 0.5 FROM object WHERE k = 'c' OR k = 'b'", MetricUnit::Percent, "1.5 is no number of rows");
}

#[test]
fn unknown_observations_are_refused() {
    let audit = Audit {
        rows: 0,
        observations: vec![RuleObservation { rule: "x".to_owned(), observed: None, of: 0, fault: None }],
    };
    assert!(judge(&audit, &contract(&[("k", ColumnType::Text)])).is_err());
}

#[test]
fn shares_are_cut_for_people() {
    assert_eq!(printed(Some(DecimalNumber::percent(2, 3)), MetricUnit::Percent), "66.6666 %");
    assert_eq!(printed(Some(number("0.5")), MetricUnit::Rows), "0.5");
}

proptest! {
    #[test]
    fn duplicates_do_not_depend_on_buckets(keys in prop::collection::vec(prop::option::of(0_i32..6), 0..40)) {
        let mut seen = std::collections::BTreeMap::new();
        keys.iter().flatten().for_each(|key| *seen.entry(*key).or_insert(0_u64) += 1);
        let expected: u64 = seen.values().filter(|count| **count > 1).sum();
        let rows = df!("n" => &keys).unwrap().lazy();
        // The number of rows only decides how many buckets there are.
        for table_rows in [0, BUCKET_ROWS, 3 * BUCKET_ROWS] {
            prop_assert_eq!(duplicates(&rows, &names(&["n"]), table_rows).unwrap(), expected);
        }
    }
}
