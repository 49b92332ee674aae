//! Every kind of rule that is executed: a value that breaks it once is reported as exactly that.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_core::contract::Severity;
use sluice_core::run::{Decision, Outcome};
use sluice_tests::lab::Lab;

use crate::small::{QUARANTINE, SILVER, contract, lab, land, rows};

/// A column with a rule on its rows: its declaration, a good value, a value that breaks it, and the broken rule.
struct RowRule {
    column: &'static str,
    good: &'static str,
    bad: &'static str,
    broken: &'static str,
}

fn rule(column: &'static str, good: &'static str, bad: &'static str, broken: &'static str) -> RowRule {
    RowRule { column, good, bad, broken }
}

/// One rule of every kind that checks rows. The name of each column comes first.
fn row_rules() -> Vec<RowRule> {
    vec![
        rule("name: required, logicalType: string, required: true", "x", "", "required.required"),
        rule("name: whole, logicalType: integer", "1", "1.5", "whole.readable"),
        rule(
            "name: multiple, logicalType: number, physicalType: 'DECIMAL(10,2)', logicalTypeOptions: { multipleOf: 0.05 }",
            "1.15",
            "1.12",
            "multiple.multiple_of",
        ),
        rule(
            "name: multiple_of_seven, logicalType: integer, logicalTypeOptions: { multipleOf: 7 }",
            "-14",
            "15",
            "multiple_of_seven.multiple_of",
        ),
        rule("name: least, logicalType: integer, logicalTypeOptions: { minimum: 3 }", "3", "2", "least.minimum"),
        rule(
            "name: above, logicalType: number, physicalType: 'DECIMAL(10,2)', logicalTypeOptions: { exclusiveMinimum: 3 }",
            "3.01",
            "3.00",
            "above.exclusive_minimum",
        ),
        rule("name: most, logicalType: number, logicalTypeOptions: { maximum: 3.5 }", "3.5", "3.6", "most.maximum"),
        rule(
            "name: below, logicalType: integer, logicalTypeOptions: { exclusiveMaximum: 3 }",
            "2",
            "3",
            "below.exclusive_maximum",
        ),
        rule(
            "name: from_day, logicalType: date, logicalTypeOptions: { minimum: '2026-01-01' }",
            "2026-01-01",
            "2025-12-31",
            "from_day.minimum",
        ),
        rule(
            "name: until, logicalType: timestamp, logicalTypeOptions: { exclusiveMaximum: '2026-01-01T00:00:00Z' }",
            "2025-12-31T23:59:59Z",
            "2026-01-01T00:00:00Z",
            "until.exclusive_maximum",
        ),
        rule(
            "name: small, logicalType: integer, logicalTypeOptions: { format: u8 }",
            "255",
            "256",
            "small.format_maximum",
        ),
        rule(
            "name: not_negative, logicalType: integer, logicalTypeOptions: { format: u16 }",
            "0",
            "-1",
            "not_negative.format_minimum",
        ),
        rule("name: long, logicalType: string, logicalTypeOptions: { minLength: 3 }", "üüü", "üü", "long.min_length"),
        rule(
            "name: short, logicalType: string, logicalTypeOptions: { maxLength: 3 }",
            "üüü",
            "abcd",
            "short.max_length",
        ),
        rule("name: cut, logicalType: string, physicalType: VARCHAR(2)", "ab", "abc", "cut.max_length"),
        rule(
            "name: shape, logicalType: string, logicalTypeOptions: { pattern: '^[A-Z]\\d$' }",
            "A1",
            "A12",
            "shape.pattern",
        ),
        rule(
            "name: mail, logicalType: string, logicalTypeOptions: { format: email }",
            "a@b.org",
            "a at b.org",
            "mail.format",
        ),
        rule(
            "name: key_text, logicalType: string, logicalTypeOptions: { format: uuid }",
            "123e4567-e89b-12d3-a456-426614174000",
            "123e4567",
            "key_text.format",
        ),
        rule(
            "name: address, logicalType: string, logicalTypeOptions: { format: ipv4 }",
            "192.168.0.1",
            "192.168.0.256",
            "address.format",
        ),
        rule(
            "name: listed, logicalType: string, enum: [{ value: red }, { value: blue }]",
            "red",
            "green",
            "listed.enum",
        ),
        rule(
            "name: listed_number, logicalType: number, physicalType: 'DECIMAL(4,1)', enum: [{ value: 0.5 }, { value: 1 }]",
            "1.0",
            "1.5",
            "listed_number.enum",
        ),
        rule(
            "name: no_nulls, logicalType: string, quality: [{ metric: nullValues, mustBe: 0 }]",
            "x",
            "",
            "no_nulls.null_values",
        ),
        rule(
            "name: no_missing, logicalType: string, quality: [{ id: none_missing, metric: missingValues, arguments: { missingValues: ['n/a', '-'] }, mustBe: 0 }]",
            "x",
            "n/a",
            "none_missing",
        ),
        rule(
            "name: no_invalid, logicalType: string, quality: [{ metric: invalidValues, arguments: { validValues: [a, b] }, mustBe: 0 }]",
            "a",
            "c",
            "no_invalid.invalid_values",
        ),
        rule(
            "name: no_mismatch, logicalType: string, quality: [{ metric: invalidValues, arguments: { pattern: '^[a-z]+$' }, mustBeLessThan: 1 }]",
            "abc",
            "ABC",
            "no_mismatch.invalid_values",
        ),
        rule(
            "name: counted, logicalType: integer, quality: [{ id: not_thirteen, type: sql, query: 'SELECT COUNT(*) FROM {object} WHERE {property} = 13', mustBe: 0 }]",
            "12",
            "13",
            "not_thirteen",
        ),
        rule(
            "name: compared, logicalType: integer, quality: [{ id: in_order, type: sql, query: 'SELECT COUNT(*) FROM rules WHERE compared > counted', mustBe: 0 }]",
            "11",
            "12000",
            "in_order",
        ),
    ]
}

fn name_of(column: &str) -> &str {
    column.strip_prefix("name: ").unwrap().split(',').next().unwrap()
}

/// A pipeline with these columns, all mapped by name. Its gate lets any number of quarantined rows pass.
fn with_columns(columns: &[&str], quality: &[&str]) -> Lab {
    let mapped: Vec<String> = columns.iter().map(|column| format!("{0}: {0}", name_of(column))).collect();
    let spec = format!(
        "pipeline: retail\ndomain: sales\nsource: {{ prefix: landing/orders, format: csv }}\nbronze: {{ table: orders }}\n\
         silver:\n  - table: orders\n    contract: contracts/rules.yaml\n    columns: {{ {} }}\n    mode: append\n    \
         gate: {{ quarantined_percent_below: none }}\n",
        mapped.join(", ")
    );
    let text = contract("rules", columns, quality).replace("  - name: rules\n", "  - name: orders\n");
    lab(&spec, &[("rules", text.replace("FROM rules", "FROM orders"))])
}

#[test]
fn each_row_rule_sends_its_row_to_quarantine() {
    let rules = row_rules();
    let columns: Vec<&str> = rules.iter().map(|rule| rule.column).collect();
    let lab = with_columns(&columns, &[]);
    let line = |bad: Option<usize>| -> String {
        let values =
            rules.iter().enumerate().map(|(place, rule)| if bad == Some(place) { rule.bad } else { rule.good });
        values.collect::<Vec<_>>().join(",")
    };
    let header = columns.iter().map(|column| name_of(column)).collect::<Vec<_>>().join(",");
    let mut file = format!("{header}\n{}\n", line(None));
    for place in 0..rules.len() {
        file.push_str(&format!("{}\n", line(Some(place))));
    }
    // Rules other than `required` say nothing about null.
    let nulls: Vec<&str> =
        rules.iter().map(|rule| if rule.bad.is_empty() || rule.broken == "none_missing" { "x" } else { "" }).collect();
    file.push_str(&format!("{}\n", nulls.join(",")));
    land(&lab, "a.csv", file);
    let run = lab.run().expect(Outcome::Published);
    let last = rules.len() + 2;
    assert_eq!(rows(&lab, SILVER, &["_source_row"]), ["1".to_owned(), last.to_string()], "{run}");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), rules.len());
    for (place, RowRule { column, bad, broken, .. }) in rules.iter().enumerate() {
        let mark = format!("{}|", place + 2);
        let row =
            refused.iter().find_map(|row| row.strip_prefix(&mark)).unwrap_or_else(|| panic!("row {mark}: {refused:?}"));
        let reported: Vec<Value> = serde_json::from_str(row).unwrap();
        assert_eq!(reported.len(), 1, "{column}: {row}");
        let (rule, name) = (reported[0]["rule"].as_str(), reported[0]["column"].as_str());
        assert_eq!((rule, name), (Some(*broken), Some(name_of(column))), "{row}");
        let shown = reported[0]["value"].as_str().unwrap_or("");
        assert!(
            shown == *bad || shown.parse::<f64>().ok() == bad.parse::<f64>().ok(),
            "{column}: shows {shown} for {bad}"
        );
    }
    let listed: BTreeMap<String, u64> = lab.quarantines().remove(0).rules;
    let expected: BTreeMap<String, u64> = rules.iter().map(|rule| (rule.broken.to_owned(), 1)).collect();
    assert_eq!(listed, expected, "one row for each rule");
    // The audit evaluates the same rules on the staged rows, and finds nothing.
    let verdict = lab.verdict(&run.run_id(), 1);
    assert_eq!(verdict.decision, Decision::Passed);
    let audited: Vec<&str> = verdict.tables[0].rules.iter().map(|rule| rule.rule.as_str()).collect();
    for RowRule { broken, .. } in rules.iter().filter(|rule| !rule.broken.ends_with(".readable")) {
        assert!(audited.contains(broken), "{broken} is not in the verdict: {audited:?}");
    }
}

/// A rule of the table: its declaration, the observed value, the expected value, and whether it holds.
type DatasetRule = (&'static str, &'static str, &'static str, bool);

/// Rules of column `v`, which has the values 1, 1, 2, n/a, x, null, null, and of `k`, which has 1 to 7 with 7 twice.
const OF_COLUMN: [DatasetRule; 16] = [
    ("metric: nullValues, mustBe: 2", "2", "= 2", true),
    ("metric: nullValues, mustNotBe: 2", "2", "!= 2", false),
    ("metric: nullValues, mustBeGreaterThan: 2", "2", "> 2", false),
    ("metric: nullValues, mustBeGreaterOrEqualTo: 2", "2", ">= 2", true),
    ("metric: nullValues, mustBeLessThan: 2", "2", "< 2", false),
    ("metric: nullValues, mustBeLessOrEqualTo: 2", "2", "<= 2", true),
    ("metric: nullValues, mustBeBetween: [2, 3]", "2", "between 2 and 3", true),
    ("metric: nullValues, mustNotBeBetween: [2, 3]", "2", "not between 2 and 3", false),
    ("metric: nullValues, unit: percent, mustBeLessThan: 26", "25 %", "< 26 %", true),
    ("metric: nullValues, unit: percent, mustBeLessThan: 25", "25 %", "< 25 %", false),
    ("metric: missingValues, arguments: { missingValues: ['n/a'] }, mustBeLessThan: 3", "3", "< 3", false),
    (
        "metric: missingValues, arguments: { missingValues: ['n/a'] }, unit: percent, mustBe: 37.5",
        "37.5 %",
        "= 37.5 %",
        true,
    ),
    ("metric: invalidValues, arguments: { validValues: ['1', '2'] }, mustBeLessOrEqualTo: 2", "3", "<= 2", false),
    (
        "metric: invalidValues, arguments: { pattern: '^[0-9]$' }, unit: percent, mustBeBetween: [37.5, 40]",
        "37.5 %",
        "between 37.5 and 40 %",
        true,
    ),
    ("metric: duplicateValues, mustBeLessThan: 2", "2", "< 2", false),
    ("metric: duplicateValues, unit: percent, mustBeBetween: [33, 34]", "33.3333 %", "between 33 and 34 %", true),
];
/// Rules of the table.
const OF_TABLE: [DatasetRule; 13] = [
    ("metric: rowCount, mustBe: 8", "8", "= 8", true),
    ("metric: rowCount, mustNotBe: 8", "8", "!= 8", false),
    ("metric: rowCount, mustBeGreaterThan: 7", "8", "> 7", true),
    ("metric: rowCount, mustBeGreaterOrEqualTo: 9", "8", ">= 9", false),
    ("metric: rowCount, mustBeLessThan: 8", "8", "< 8", false),
    ("metric: rowCount, mustBeLessOrEqualTo: 8", "8", "<= 8", true),
    ("metric: rowCount, mustBeBetween: [1, 7]", "8", "between 1 and 7", false),
    ("metric: rowCount, mustNotBeBetween: [9, 10]", "8", "not between 9 and 10", true),
    ("metric: duplicateValues, arguments: { properties: [k, v] }, mustBe: 0", "0", "= 0", true),
    ("metric: duplicateValues, arguments: { properties: [k] }, mustBe: 0", "2", "= 0", false),
    ("type: sql, query: 'SELECT COUNT(DISTINCT v) FROM {object}', mustBe: 5", "5", "= 5", true),
    ("type: sql, query: 'SELECT SUM(k) FROM orders', mustBeBetween: [1, 34]", "35", "between 1 and 34", false),
    (
        "type: sql, query: 'SELECT MAX(k) - MIN(k) FROM {object} WHERE v IS NOT NULL', mustBeLessThan: 6.5",
        "6",
        "< 6.5",
        true,
    ),
];
/// Eight rows; the dataset rules count whole tables, so they arrive in two runs.
const DATA: [&str; 2] = ["k,v\n1,1\n2,1\n3,2\n4,n/a\n", "k,v\n5,x\n6,\n7,\n7,z\n"];

#[test]
fn each_dataset_rule_is_evaluated_with_every_operator_and_unit() {
    let numbered = |list: &[DatasetRule], prefix: &str| -> Vec<String> {
        list.iter().enumerate().map(|(n, (rule, ..))| format!("id: {prefix}{n}, severity: warning, {rule}")).collect()
    };
    let of_column =
        numbered(&OF_COLUMN, "column_").iter().map(|rule| format!("{{ {rule} }}")).collect::<Vec<_>>().join(", ");
    let v = format!("name: v, logicalType: string, quality: [{of_column}]");
    let of_table = numbered(&OF_TABLE, "table_");
    let of_table: Vec<&str> = of_table.iter().map(String::as_str).collect();
    let lab = with_columns(&["name: k, logicalType: integer", &v], &of_table);
    land(&lab, "a.csv", DATA[0]);
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.csv", DATA[1]);
    let run = lab.run().expect(Outcome::Published);
    let verdict = lab.verdict(&run.run_id(), 1);
    let all = OF_COLUMN.iter().enumerate().map(|(n, rule)| (format!("column_{n}"), rule));
    let all = all.chain(OF_TABLE.iter().enumerate().map(|(n, rule)| (format!("table_{n}"), rule)));
    for (id, (text, observed, expected, passed)) in all {
        let found = verdict.tables[0].rules.iter().find(|rule| rule.rule == id);
        let found = found.unwrap_or_else(|| panic!("{text} is not in the verdict: {verdict:?}"));
        assert_eq!(
            (found.observed.as_str(), found.expected.as_str(), found.passed),
            (*observed, *expected, *passed),
            "{text}"
        );
        assert_eq!(found.severity, Severity::Warning);
    }
}

#[test]
fn a_broken_key_or_error_rule_of_the_table_rejects_the_run() {
    let check = |columns: &[&str], quality: &[&str], file: &str, broken: &[(&str, &str, &str)]| {
        let lab = with_columns(columns, quality);
        land(&lab, "a.csv", file);
        let run = lab.run().expect(Outcome::Rejected);
        let verdict = lab.verdict(&run.run_id(), 1);
        let found: Vec<(String, &str, &str)> = verdict
            .broken()
            .into_iter()
            .map(|(rule, result)| (rule, result.observed.as_str(), result.expected.as_str()))
            .collect();
        let expected: Vec<(String, &str, &str)> =
            broken.iter().map(|(rule, o, e)| (format!("{SILVER}: {rule}"), *o, *e)).collect();
        assert_eq!(found, expected, "{file}");
        assert_eq!(lab.tables().len(), 0);
        assert_eq!(lab.held().len(), 1);
    };
    let (k, v) = ("name: k, logicalType: integer", "name: v, logicalType: string");
    check(
        &["name: k, logicalType: integer, unique: true", v],
        &[],
        "k,v\n1,a\n1,b\n2,c\n2,d\n2,e\n,f\n,g\n",
        &[("k.unique", "5", "= 0")],
    );
    let keys = [
        "name: k, logicalType: integer, primaryKey: true, primaryKeyPosition: 1",
        "name: v, logicalType: string, primaryKey: true, primaryKeyPosition: 2",
    ];
    check(&keys, &[], "k,v\n1,a\n1,b\n2,a\n1,a\n", &[("primary_key", "2", "= 0")]);
    check(
        &["name: k, logicalType: number, physicalType: 'DECIMAL(10,2)', unique: true", v],
        &[],
        "k,v\n1.50,a\n1.5,b\n",
        &[("k.unique", "2", "= 0")],
    );
    check(
        &["name: k, logicalType: date, unique: true", v],
        &[],
        "k,v\n2026-01-01,a\n2026-01-01,b\n",
        &[("k.unique", "2", "= 0")],
    );
    check(&[k, v], &["id: some, metric: rowCount, mustBeGreaterThan: 2"], "k,v\n1,a\n1,b\n", &[("some", "2", "> 2")]);
    check(
        &[k, v],
        &["id: sum, type: sql, query: 'SELECT SUM(k) FROM {object}', mustBeGreaterThan: 0"],
        "k,v\n,a\n",
        &[("sum", "null", "> 0")],
    );
}

/// Decimals are keys, groups and distinct values like any other.
#[test]
fn decimals_work_as_keys_groups_and_distinct_values() {
    let spec =
        crate::small::ORDERS.replace("mode: append", "mode: merge\n    keys: [amount]\n    latest_by: day").replace(
            "SELECT name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY name",
            "SELECT 'x' AS name, amount, COUNT(DISTINCT amount) AS orders FROM silver.orders GROUP BY amount",
        );
    let lab = crate::small::orders_with(&spec);
    land(&lab, "a.csv", "id,name,amount,day\n1,a,1.50,2026-01-01\n2,b,1.5,2026-01-02\n3,c,-0.05,2026-01-01\n");
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.csv", "id,name,amount,day\n4,d,1.50,2026-01-03\n5,e,1.50,2026-01-02\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "amount"]), ["3|-0.05", "4|1.50"]);
    assert_eq!(rows(&lab, crate::small::GOLD, &["amount", "orders"]), ["-0.05|1", "1.50|1"]);
}
