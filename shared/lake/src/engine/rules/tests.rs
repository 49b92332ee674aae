use polars::prelude::{DataFrame, IntoLazy};
use proptest::prelude::*;

use super::*;
use crate::engine::cast::read_exprs;
use crate::engine::cast::testing::contract;
use sluice_core::contract::ColumnType;
use sluice_core::reading::Reading;

const MONEY: ColumnType = ColumnType::Decimal { precision: 8, scale: 2 };

fn rule(id: &str, column: Option<&str>, check: RowCheck, severity: Severity) -> RowRule {
    RowRule {
        id: id.to_owned(),
        column: column.map(|name| name.parse().unwrap()),
        check,
        severity,
        dimension: None,
        description: None,
    }
}

/// A contract whose one column `v` has this rule.
fn with_rule(column_type: ColumnType, check: RowCheck) -> TableContract {
    let mut contract = contract(&[("v", column_type)]);
    contract.row_rules.push(rule("r", Some("v"), check, Severity::Error));
    contract
}

fn mapped(contract: &TableContract) -> Vec<(ColumnName, String)> {
    contract.columns.iter().map(|c| (c.name.clone(), format!("Source {}", c.name))).collect()
}

/// The typed frame of these source rows, as silver's SQL answers it. A row without fields is a corrupt record.
fn typed(contract: &TableContract, rows: &[Option<Vec<Option<&str>>>]) -> DataFrame {
    let mapped = mapped(contract);
    let mut columns = Vec::new();
    for (index, (_, source)) in mapped.iter().enumerate() {
        let texts: Vec<Option<&str>> = rows.iter().map(|row| row.as_ref().and_then(|row| row[index])).collect();
        columns.push(PolarsColumn::new(source.as_str().into(), texts));
    }
    let corrupt: Vec<Option<&str>> = rows.iter().map(|row| row.is_none().then_some("raw")).collect();
    columns.push(PolarsColumn::new(CORRUPT_RECORD.into(), corrupt));
    let reasons: Vec<Option<&str>> = rows.iter().map(|row| row.is_none().then_some("line 7 is torn")).collect();
    columns.push(PolarsColumn::new(CORRUPT_REASON.into(), reasons));
    let mut selected = vec![col(CORRUPT_RECORD), col(CORRUPT_REASON)];
    for (column, (name, source)) in contract.columns.iter().zip(&mapped) {
        let [value, unreadable] = read_exprs(column, &Reading::default(), source).unwrap();
        selected.extend([value.alias(name.as_str()), unreadable.alias(unreadable_name(name.as_str()))]);
    }
    DataFrame::new(rows.len(), columns).unwrap().lazy().select(selected).collect().unwrap()
}

/// Per row, the rules it breaks as JSON text.
fn broken(contract: &TableContract, rows: &[Option<Vec<Option<&str>>>]) -> Vec<String> {
    let tests = compile_source(contract, &mapped(contract)).unwrap();
    let out = typed(contract, rows)
        .lazy()
        .select([any_error_expr(&tests).alias("any"), broken_rules_expr(&tests).alias("rules")])
        .collect()
        .unwrap();
    let any: Vec<bool> = out.column("any").unwrap().bool().unwrap().iter().map(Option::unwrap).collect();
    let rules: Vec<String> =
        out.column("rules").unwrap().str().unwrap().iter().map(|t| t.unwrap().to_owned()).collect();
    for (any, rules) in any.iter().zip(&rules) {
        assert_eq!(*any, rules != "[]", "{rules}");
    }
    rules
}

fn check(column_type: ColumnType, row_check: &RowCheck, good: &[&str], bad: &[&str]) {
    let contract = with_rule(column_type, row_check.clone());
    let rows: Vec<_> = good.iter().chain(bad).map(|text| Some(vec![Some(*text)])).collect();
    for (index, rules) in broken(&contract, &rows).iter().enumerate() {
        assert_eq!(rules == "[]", index < good.len(), "{row_check:?}: {:?} breaks {rules}", rows[index]);
    }
    // Null breaks nothing but the rules about null.
    assert_eq!(broken(&contract, &[Some(vec![None])]), ["[]"], "{row_check:?}");
}

fn by(latest_by: Option<&str>) -> Versioned {
    let name = |name: &str| name.parse().unwrap();
    Versioned { keys: vec![name("id")], latest_by: latest_by.map(name), track: Vec::new() }
}

/// Without `latest_by`, the time of a delete event is that of its file, which it has in any case.
#[test]
fn a_delete_event_by_the_time_of_its_file_needs_its_key_alone() {
    let mut contract = contract(&[("id", ColumnType::Int64), ("at", ColumnType::Date), ("v", ColumnType::Date)]);
    contract.row_rules.push(rule("at.required", Some("at"), RowCheck::Required, Severity::Error));
    let compiled = compile_source(&contract, &mapped(&contract)).unwrap();
    let check = |latest_by: Option<&str>, row: [Option<&str>; 3], is_bad: bool| {
        let tests = with_deletes(&compiled, &by(latest_by), |_| false);
        let rows = typed(&contract, &[Some(row.to_vec())]).lazy();
        let rows = rows.with_column(lit(true).alias(IS_DELETE));
        let out = rows.select([any_error_expr(&tests).alias("any")]).collect().unwrap();
        assert_eq!(out.column("any").unwrap().bool().unwrap().get(0), Some(is_bad), "{latest_by:?} {row:?}");
    };
    check(Some("at"), [Some("1"), None, None], true);
    check(None, [Some("1"), None, None], false);
    check(None, [None, None, None], true);
    check(None, [Some("x"), None, None], true);
}

#[test]
fn what_decides_must_have_a_value_in_a_delete_event_although_its_rule_only_warns() {
    let mut contract = contract(&[("id", ColumnType::Int64), ("at", ColumnType::Date), ("v", ColumnType::Date)]);
    contract.row_rules.extend([
        rule("at.present", Some("at"), RowCheck::Required, Severity::Warning),
        rule("v.required", Some("v"), RowCheck::Required, Severity::Error),
    ]);
    let by = by(Some("at"));
    let tests = with_deletes(&compile_source(&contract, &mapped(&contract)).unwrap(), &by, |_| false);
    let check = |at: Option<&str>, is_delete: bool, is_bad: bool| {
        let rows = typed(&contract, &[Some(vec![Some("1"), at, None])]).lazy();
        let rows = rows.with_column(lit(is_delete).alias(IS_DELETE));
        let out = rows.select([any_error_expr(&tests).alias("any")]).collect().unwrap();
        assert_eq!(out.column("any").unwrap().bool().unwrap().get(0), Some(is_bad), "{at:?} {is_delete}");
    };
    check(Some("2026-01-05"), true, false);
    check(None, true, true);
    check(Some("2026-01-05"), false, true);
}

#[test]
fn a_delete_event_whose_key_is_computed_from_an_unreadable_value_is_refused() {
    let mut contract = contract(&[("id", ColumnType::Int64), ("at", ColumnType::Date), ("v", ColumnType::Date)]);
    contract.row_rules.push(rule("v.readable", Some("v"), RowCheck::Readable, Severity::Error));
    let by = by(Some("at"));
    let compiled = compile_source(&contract, &mapped(&contract)).unwrap();
    let check = |is_behind: bool| {
        let tests = with_deletes(&compiled, &by, |column| is_behind && column == "v");
        let rows = typed(&contract, &[Some(vec![Some("1"), Some("2026-01-05"), Some("soon")])]).lazy();
        let rows = rows.with_column(lit(true).alias(IS_DELETE));
        let out = rows.select([any_error_expr(&tests).alias("any")]).collect().unwrap();
        assert_eq!(out.column("any").unwrap().bool().unwrap().get(0), Some(is_behind));
    };
    check(true);
    check(false);
}

#[test]
fn checks_say_what_a_good_value_is() {
    let minimum = |bound: &str, exclusive| RowCheck::Minimum { bound: bound.to_owned(), exclusive };
    let maximum = |bound: &str, exclusive| RowCheck::Maximum { bound: bound.to_owned(), exclusive };
    let one_of = |values: &[&str]| RowCheck::OneOf { values: values.iter().map(|v| (*v).to_owned()).collect() };
    let step = |step: &str| RowCheck::MultipleOf { step: step.parse().unwrap() };
    check(MONEY, &minimum("0.00", false), &["0", "0.01"], &["-0.01", "-999999.99"]);
    check(MONEY, &minimum("0.00", true), &["0.01"], &["0", "-1"]);
    check(MONEY, &maximum("1.50", false), &["1.5", "-9"], &["1.51"]);
    check(MONEY, &maximum("1.50", true), &["1.49"], &["1.50"]);
    check(ColumnType::Int32, &minimum("-3", false), &["-3"], &["-4"]);
    check(ColumnType::Int64, &maximum("9223372036854775807", false), &["9223372036854775807"], &[]);
    check(ColumnType::Double, &maximum("0.5", false), &["0.5"], &["0.50001"]);
    check(ColumnType::Date, &minimum("2020-02-29", false), &["2020-02-29"], &["2020-02-28"]);
    check(
        ColumnType::Timestamp,
        &maximum("2020-01-01T00:00:00Z", true),
        &["2019-12-31 23:59:59.999999", "2020-01-01T00:30:00+01:00"],
        &["2020-01-01"],
    );
    check(ColumnType::Text, &maximum("b", true), &["a", "B"], &["b", "c"]);
    check(MONEY, &step("0.05"), &["0.10", "-0.05", "0"], &["0.01", "-0.06"]);
    check(ColumnType::Int64, &step("3"), &["9", "-3", "0"], &["1", "-4"]);
    check(ColumnType::Text, &one_of(&["a", "B"]), &["a", "B"], &["b", "", " a"]);
    check(MONEY, &one_of(&["1.50"]), &["1.5", "01.500"], &["1.51"]);
    check(ColumnType::Timestamp, &one_of(&["2020-01-01T00:00:00Z"]), &["2020-01-01"], &["2020-01-02"]);
    check(ColumnType::Boolean, &one_of(&["true"]), &["TRUE"], &["false"]);
    check(ColumnType::Text, &RowCheck::MinLength { characters: 2 }, &["äö"], &["ä", ""]);
    check(ColumnType::Text, &RowCheck::MaxLength { characters: 2 }, &["äö", ""], &["äöü"]);
    let folder = RowCheck::FolderName { max_bytes: 6 };
    check(ColumnType::Text, &folder, &["a-b_c.", "ß", "a b", ""], &["abcdefg", "ßa", NULL_PARTITION]);
    let pattern = RowCheck::Pattern { regex: "^[AC]?[0-9]{6}$".to_owned() };
    check(ColumnType::Text, &pattern, &["536365", "C536365"], &["53636", "B536365", " 536365", "5363651"]);
    let predicate = RowCheck::Predicate { sql: "v = 0 OR ROUND(v, 1) <> v".parse().unwrap() };
    check(MONEY, &predicate, &["0.1", "-7.5"], &["0", "0.01"]);
}

#[test]
fn a_missing_value_breaks_the_rule_that_says_why() {
    let mut contract = contract(&[("a", ColumnType::Int32), ("b", MONEY)]);
    for column in ["a", "b"] {
        contract.row_rules.push(rule(&format!("{column}.readable"), Some(column), RowCheck::Readable, Severity::Error));
        contract.row_rules.push(rule(&format!("{column}.required"), Some(column), RowCheck::Required, Severity::Error));
    }
    let values = vec!["7".to_owned()];
    contract.row_rules.push(rule("a.missing", Some("a"), RowCheck::NotMissing { values }, Severity::Error));
    contract.row_rules.push(rule(
        "b.low",
        Some("b"),
        RowCheck::Minimum { bound: "0".into(), exclusive: false },
        Severity::Warning,
    ));
    let rows = [
        Some(vec![Some("1"), Some("2.50")]),
        Some(vec![Some("n/a"), Some("2.505")]),
        Some(vec![Some("7"), None]),
        Some(vec![Some(" "), Some("-1")]),
        None,
    ];
    assert_eq!(
        broken(&contract, &rows),
        [
            "[]",
            r#"[{"column":"a","rule":"a.readable","value":"n/a"},{"column":"b","rule":"b.readable","value":"2.505"}]"#,
            r#"[{"column":"b","rule":"b.required","value":null},{"column":"a","rule":"a.missing","value":"7"}]"#,
            r#"[{"column":"a","rule":"a.required","value":null},{"column":"a","rule":"a.missing","value":null}]"#,
            r#"[{"column":null,"rule":"corrupt_record","value":"line 7 is torn"}]"#,
        ]
        .map(sorted_keys)
    );
}

/// The JSON text as this build of `serde_json` orders keys.
fn sorted_keys(text: &str) -> String {
    let rules: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let ordered = rules.iter().map(|r| json!({ "rule": r["rule"], "column": r["column"], "value": r["value"] }));
    serde_json::Value::Array(ordered.collect()).to_string()
}

#[test]
fn values_are_escaped() {
    let contract = with_rule(ColumnType::Text, RowCheck::MaxLength { characters: 0 });
    let rules = broken(&contract, &[Some(vec![Some("a\"\\\n\u{1}ü")])]);
    let parsed: serde_json::Value = serde_json::from_str(&rules[0]).unwrap();
    assert_eq!(parsed[0]["value"], "a\"\\\n\u{1}ü");
}

#[test]
fn stored_rows_are_tested_without_their_source() {
    let mut contract = with_rule(MONEY, RowCheck::Required);
    contract.row_rules.push(rule("v.readable", Some("v"), RowCheck::Readable, Severity::Error));
    let tests = compile(&contract).unwrap();
    assert_eq!(tests.iter().map(|test| test.id.as_str()).collect::<Vec<_>>(), ["r"]);
    let frame = typed(&contract, &[Some(vec![None]), Some(vec![Some("1")])]).select(["v"]).unwrap();
    let out = frame.lazy().select([any_error_expr(&tests).alias("any")]).collect().unwrap();
    assert_eq!(out.column("any").unwrap().bool().unwrap().iter().collect::<Vec<_>>(), [Some(true), Some(false)]);
}

#[test]
fn rules_that_cannot_run_are_refused_by_name() {
    let check = |column_type: ColumnType, check: RowCheck, expected: &str| {
        let error = compile(&with_rule(column_type, check)).unwrap_err();
        let text = sluice_core::error::StepError::new(error.name(), &error).to_string();
        assert!(text.starts_with("InvalidInput: rule `r`") && text.contains(expected), "{text}");
    };
    let predicate = |sql: &str| RowCheck::Predicate { sql: sql.parse().unwrap() };
    check(ColumnType::Int32, RowCheck::Minimum { bound: "x".into(), exclusive: false }, "'x' is no INT");
    check(ColumnType::Text, RowCheck::MultipleOf { step: "2".parse().unwrap() }, "2 is no step of STRING");
    check(ColumnType::Int32, predicate("nope > 1"), "nope");
    check(ColumnType::Int32, predicate("v + 1"), "neither true nor false");
    // These are no predicates, so that no rule can hold them.
    let refused = |sql: &str, expected: &str| {
        let error = sql.parse::<sluice_core::sql::Predicate>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused("SUM(v) > 1", "aggregate");
    refused("v >", "Expected");
}

proptest! {
    #[test]
    fn broken_is_never_null(texts in prop::collection::vec(prop::option::of(prop::option::of("[0-9.x-]{0,4}")), 0..12)) {
        let mut contract = contract(&[("v", MONEY)]);
        let predicate = RowCheck::Predicate { sql: "v > 1 AND NOT v = 5".parse().unwrap() };
        let checks = [RowCheck::Readable, RowCheck::Required, RowCheck::NotMissing { values: vec!["1.00".into()] },
            RowCheck::Pattern { regex: "0".into() }, RowCheck::OneOf { values: vec![] }, predicate,
            RowCheck::Maximum { bound: "3".into(), exclusive: true }, RowCheck::MultipleOf { step: "0.5".parse().unwrap() }];
        for (index, check) in checks.into_iter().enumerate() {
            contract.row_rules.push(rule(&format!("r{index}"), Some("v"), check, Severity::Error));
        }
        let rows: Vec<_> = texts.iter().map(|row| row.as_ref().map(|text| vec![text.as_deref()])).collect();
        let tests = compile_source(&contract, &mapped(&contract)).unwrap();
        let each = tests.iter().map(|test| test.broken.clone().alias(test.id.as_str())).collect::<Vec<_>>();
        let out = typed(&contract, &rows).lazy().select(each).collect().unwrap();
        for column in out.columns() {
            prop_assert_eq!(column.null_count(), 0, "{}", column.name());
        }
    }
}

/// Polars evaluates a frame of several pieces piece by piece. A piece may have no rows, while a constant column still has
/// one row.
#[test]
fn no_rows_have_no_broken_rules() {
    let names = [("r".to_owned(), None)];
    let constant = PolarsColumn::new_scalar("value".into(), polars::prelude::Scalar::null(DataType::String), 1);
    for height in [0, 1, 3] {
        let broken = PolarsColumn::new("broken".into(), vec![true; height]);
        let found = broken_rules(&names, &[broken, constant.clone()]).unwrap();
        assert_eq!(found.len(), height);
    }
}
