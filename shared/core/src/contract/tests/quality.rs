//! `quality` rules.

use super::super::{Bound, Metric, MetricUnit, RowCheck, Severity};
use super::*;

const COLUMNS: &str = "- {name: id, logicalType: string}\n- {name: n, logicalType: integer}";

/// A table with one rule on column `n` (in `level: n`), `id`, or the table.
fn with_rule(level: &str, rule: &str) -> (String, String) {
    let on = |name: &str, kind: &str| {
        let quality = if level == name { format!(", quality: [{rule}]") } else { String::new() };
        format!("- {{name: {name}, logicalType: {kind}{quality}}}\n")
    };
    let table = if level == "table" { format!("- {rule}") } else { String::new() };
    (on("id", "string") + &on("n", "integer"), table)
}

#[derive(Debug, PartialEq)]
enum Made {
    Row(String, RowCheck),
    Dataset(String, String),
}

/// What the one rule became, without the rules that the declarations add.
fn made(level: &str, rule: &str) -> Vec<Made> {
    let (properties, table) = with_rule(level, rule);
    let table = compile(&properties, &table).unwrap_or_else(|error| panic!("{error}"));
    let row = table.row_rules.into_iter().filter(|rule| rule.check != RowCheck::Readable);
    let row = row.map(|rule| Made::Row(rule.id, rule.check));
    let dataset = table.dataset_rules.into_iter().map(|rule| {
        let unit = if rule.unit == MetricUnit::Percent { " %" } else { "" };
        Made::Dataset(rule.id, format!("{} {}{unit}", rule.metric, rule.bound))
    });
    row.chain(dataset).collect()
}

fn row(id: &str, check: RowCheck) -> Vec<Made> {
    vec![Made::Row(id.to_owned(), check)]
}

fn dataset(id: &str, text: &str) -> Vec<Made> {
    vec![Made::Dataset(id.to_owned(), text.to_owned())]
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn rules_that_tolerate_no_row_become_row_rules() {
    let check = |operator: &str, is_row: bool| {
        let made = made("n", &format!("{{metric: nullValues, {operator}}}"));
        let expected = Made::Row("n.null_values".to_owned(), RowCheck::Required);
        assert_eq!(made == [expected], is_row, "{operator}: {made:?}");
    };
    for operator in ["mustBe: 0", "mustBeLessThan: 1", "mustBeLessThan: 0.5", "mustBeLessOrEqualTo: 0"] {
        check(operator, true);
    }
    for operator in ["mustBeLessOrEqualTo: 0.9", "mustBeBetween: [-1, 0]", "mustBe: 0, unit: rows"] {
        check(operator, true);
    }
    for operator in ["mustBe: 0, unit: percent", "mustBeLessOrEqualTo: 0, unit: percent"] {
        check(operator, true);
    }
    for operator in ["mustBe: 1", "mustNotBe: 0", "mustBeLessThan: 2", "mustBeGreaterThan: 0", "mustBeLessThan: 0"] {
        check(operator, false);
    }
    for operator in ["mustBeGreaterOrEqualTo: 0", "mustBeBetween: [0, 1]", "mustNotBeBetween: [1, 2]"] {
        check(operator, false);
    }
    for operator in ["mustBeLessThan: 1, unit: percent", "mustBeLessOrEqualTo: 0.1, unit: percent"] {
        check(operator, false);
    }
}

#[test]
fn library_metrics_compile() {
    let check = |level: &str, rule: &str, expected: Vec<Made>| assert_eq!(made(level, rule), expected, "{rule}");
    let missing = "metric: missingValues, arguments: {missingValues: [null, '', n/a]}";
    check(
        "id",
        &format!("{{{missing}, mustBe: 0}}"),
        row("id.missing_values", RowCheck::NotMissing { values: texts(&["", "n/a"]) }),
    );
    check(
        "id",
        &format!("{{{missing}, mustBeLessThan: 5, unit: percent}}"),
        dataset("id.missing_values", "missing values of id < 5 %"),
    );
    let valid = "metric: invalidValues, arguments: {validValues: [1, 2, null]}";
    check(
        "n",
        &format!("{{{valid}, mustBe: 0}}"),
        row("n.invalid_values", RowCheck::OneOf { values: texts(&["1", "2"]) }),
    );
    check(
        "n",
        &format!("{{{valid}, mustNotBeBetween: [1, 5]}}"),
        dataset("n.invalid_values", "invalid values of n not between 1 and 5"),
    );
    let both =
        "{name: 'Code is valid', metric: invalidValues, arguments: {validValues: [a], pattern: '^a'}, mustBe: 0}";
    let expected = vec![
        Made::Row("code_is_valid_values".to_owned(), RowCheck::OneOf { values: texts(&["a"]) }),
        Made::Row("code_is_valid_pattern".to_owned(), RowCheck::Pattern { regex: "^a".to_owned() }),
    ];
    check("id", both, expected);
    check("id", "{metric: duplicateValues, mustBe: 0}", dataset("id.duplicate_values", "duplicate values of id = 0"));
    let pair =
        "{id: pair, metric: duplicateValues, arguments: {properties: [n, id]}, mustBeLessThan: 1, unit: percent}";
    check("table", pair, dataset("pair", "duplicate values of n, id < 1 %"));
    check("table", "{metric: rowCount, mustBeGreaterThan: 0}", dataset("row_count", "rows > 0"));
    check("table", "{type: text, description: complete by noon, schedule: daily}", vec![]);
}

#[test]
fn sql_rules_compile() {
    let check = |level: &str, query: &str, bound: &str, expected: Vec<Made>| {
        let rule = format!("{{id: r, type: sql, query: \"{}\", {bound}}}", query.replace('"', "\\\""));
        assert_eq!(made(level, &rule), expected, "{query}");
    };
    let predicate = |sql: &str| row("r", RowCheck::Predicate { sql: sql.parse().unwrap() });
    check("n", "SELECT COUNT(*) FROM {object} WHERE {property} = 0", "mustBe: 0", predicate("n = 0"));
    check(
        "table",
        "select count(1) as bad from T x where x.n < 0 or t.id = '{object}'",
        "mustBeLessThan: 1",
        predicate("n < 0 OR id = '{object}'"),
    );
    check(
        "table",
        "SELECT COUNT(*) FROM {object} WHERE ROUND(n, 0) <> n AND id = 'it''s'",
        "mustBe: 0",
        predicate("ROUND(n, 0) <> n AND id = 'it''s'"),
    );
    let table = |query: &str, bound: &str| dataset("r", &format!("{query} {bound}"));
    check(
        "n",
        "SELECT COUNT(*) FROM {object} WHERE {property} = 0",
        "mustBeLessThan: 5",
        table("SELECT COUNT(*) FROM object WHERE n = 0", "< 5"),
    );
    check(
        "n",
        "SELECT COUNT(DISTINCT {property}) FROM {object} WHERE n > 0",
        "mustBe: 0",
        table("SELECT COUNT(DISTINCT n) FROM object WHERE n > 0", "= 0"),
    );
    check(
        "n",
        "SELECT COUNT(n) FROM {object} WHERE n > 0",
        "mustBe: 0",
        table("SELECT COUNT(n) FROM object WHERE n > 0", "= 0"),
    );
    check(
        "table",
        "WITH d AS (SELECT id, COUNT(*) AS c FROM {object} GROUP BY id) SELECT COUNT(*) FROM d WHERE c > 1",
        "mustBe: 0",
        table("WITH d AS (SELECT id, COUNT(*) AS c FROM object GROUP BY id) SELECT COUNT(*) FROM d WHERE c > 1", "= 0"),
    );
    check(
        "table",
        "SELECT SUM(n) FROM {object}",
        "mustBeBetween: [0, 10]",
        table("SELECT SUM(n) FROM object", "between 0 and 10"),
    );
}

#[test]
fn compiled_sql_is_what_engines_translate() {
    let (properties, _) = with_rule("none", "");
    let table = compile(
        &properties,
        "- {type: sql, query: 'SELECT SUM(ROUND(n, 2)) FROM {object}', mustBe: 1}\n\
         - {type: sql, query: 'SELECT COUNT(*) FROM {object} WHERE ROUND(n, 2) = 1', mustBe: 0}",
    )
    .unwrap();
    for rule in &table.dataset_rules {
        let Metric::Sql { query } = &rule.metric else { panic!("{rule:?}") };
        assert!(query.to_string().parse::<crate::sql::MetricSql>().is_ok(), "{query}");
    }
    let predicates = table.row_rules.iter().filter_map(|rule| match &rule.check {
        RowCheck::Predicate { sql } => Some(sql),
        _ => None,
    });
    let translated: Vec<String> = predicates.map(|sql| sql.engine_expr().to_string()).collect();
    assert_eq!(translated, ["round_half_away_2(n) = 1"]);
}

#[test]
fn every_operator_is_read() {
    let check = |operator: &str, expected: Bound| {
        let table = compile(COLUMNS, &format!("- {{metric: rowCount, {operator}}}")).unwrap();
        assert_eq!(table.dataset_rules.first().map(|rule| rule.bound.clone()), Some(expected), "{operator}");
    };
    let d = |text: &str| text.parse().unwrap();
    check("mustBe: 5", Bound::Be(d("5")));
    check("mustNotBe: 5", Bound::NotBe(d("5")));
    check("mustBeGreaterThan: -0.5", Bound::GreaterThan(d("-0.5")));
    check("mustBeGreaterOrEqualTo: 5", Bound::GreaterOrEqualTo(d("5")));
    check("mustBeLessThan: 1e3", Bound::LessThan(d("1000")));
    check("mustBeLessOrEqualTo: 5", Bound::LessOrEqualTo(d("5")));
    check("mustBeBetween: [1, 5]", Bound::Between(d("1"), d("5")));
    check("mustNotBeBetween: [1, 5]", Bound::NotBetween(d("1"), d("5")));
}

#[test]
fn severity_dimension_and_description_are_kept() {
    let check = |severity: &str, expected: Severity| {
        let rule = format!("- {{metric: rowCount, mustBe: 1, dimension: coverage, description: All{severity}}}");
        let table = compile(COLUMNS, &rule).unwrap();
        let rule = table.dataset_rules.first().unwrap();
        assert_eq!(rule.severity, expected, "{severity}");
        assert_eq!((rule.dimension.as_deref(), rule.description.as_deref()), (Some("coverage"), Some("All")));
    };
    check("", Severity::Error);
    check(", severity: error", Severity::Error);
    check(", severity: warning", Severity::Warning);
    check(", severity: info", Severity::Warning);
}

#[test]
fn rules_that_cannot_be_executed_are_refused_by_name() {
    let check = |level: &str, rule: &str, expected: &str| {
        let (properties, table) = with_rule(level, rule);
        let error = refusal(&properties, &table);
        assert!(error.contains(expected), "{expected} in {error}");
    };
    check(
        "n",
        "{type: custom, engine: soda, implementation: x}",
        "column `n`: quality rule 1: type custom (engine soda)",
    );
    check(
        "n",
        "{id: r, metric: nullValues, mustBe: 0, severity: fatal}",
        "quality rule `r`: severity fatal is unknown",
    );
    check("n", "{metric: nullValues, mustBe: 0, unit: euros}", "unit euros");
    check("n", "{metric: nullValues, mustBe: none}", "mustBe: \"none\" is no number");
    check("n", "{metric: nullValues, mustBeBetween: [5, 1]}", "smaller number first");
    check("n", "{metric: nullValues, mustBe: 0, schedule: 0 20 * * *}", "schedule");
    check("n", "{metric: nullValues, mustBe: 0, customProperties: [{property: a, value: 1}]}", "customProperties");
    check("n", "{metric: nullValues, mustBe: 0, arguments: {x: 1}}", "arguments.x is no argument of metric nullValues");
    check("n", "{metric: nullValues, mustBe: 0, rule: other}", "rule other contradicts metric nullValues");
    check("n", "{description: nothing}", "has no operator");
    check("n", "{type: text, metric: nullValues, mustBe: 0}", "type text is documentation");
    check("n", "{metric: missingValues, mustBe: 0}", "needs arguments.missingValues");
    check(
        "n",
        "{metric: missingValues, arguments: {missingValues: [n/a]}, mustBe: 0}",
        "arguments.missingValues: \"n/a\"",
    );
    check("n", "{metric: missingValues, arguments: {missingValues: []}, mustBe: 0}", "is empty");
    check("n", "{metric: invalidValues, mustBe: 0}", "needs arguments.validValues or arguments.pattern");
    check("n", "{metric: invalidValues, arguments: {pattern: a}, mustBe: 0}", "pattern is for text");
    check("id", "{metric: invalidValues, arguments: {pattern: 'a(?!b)'}, mustBe: 0}", "lookahead");
    check("n", "{metric: rowCount, mustBe: 1}", "metric rowCount belongs to the table");
    check("table", "{metric: rowCount, mustBe: 1, unit: percent}", "no percent");
    check("table", "{metric: invalidValues, mustBe: 0}", "metric invalidValues belongs to a column");
    check("table", "{metric: duplicateValues, mustBe: 0}", "needs arguments.properties");
    check("table", "{metric: duplicateValues, arguments: {properties: [x]}, mustBe: 0}", "\"x\" is no column");
    check("table", "{metric: duplicateValues, arguments: {properties: [n, n]}, mustBe: 0}", "n is listed twice");
}

#[test]
fn queries_outside_the_table_and_the_subset_are_refused() {
    let check = |query: &str, expected: &str| {
        let error = refusal(COLUMNS, &format!("- {{type: sql, query: \"{query}\", mustBe: 0}}"));
        assert!(error.contains(expected), "{expected} in {error}");
    };
    check("SELECT COUNT(*) FROM {object} WHERE {property} = 0", "{property} is for rules of a column");
    check("SELECT COUNT(*) FROM {objekt}", "{objekt} is unknown");
    check("SELECT COUNT(*) FROM ${table}", "the variable ${table}");
    check("SELECT COUNT(*) FROM other", "`other` is another table");
    check("SELECT COUNT(*) FROM {object} JOIN u ON u.id = id", "`u` is another table");
    check("SELECT COUNT(*) FROM {object} WHERE colour = 1", "`colour` is no column");
    check("SELECT COUNT(*) FROM {object} WHERE COUNT(*) > 1", "aggregate COUNT");
    check("SELECT COUNT(*), SUM(n) FROM {object}", "exactly one expression");
    check("SELECT n FROM {object}", "select an aggregate");
    check("SELECT COUNT(*) FROM {object} GROUP BY id", "GROUP BY");
    check("SELECT COUNT(*) FROM {object} WHERE n = RANDOM()", "function RANDOM at line 1, column 41");
    check("SELECT COUNT(*) FROM {object} WHERE n IN (SELECT n FROM {object})", "subquery");
    check("SELECT SUM(1)", "does not read the table");
    check("DELETE FROM {object}", "write one SELECT");
    check("SELECT COUNT(*) FROM {object}; SELECT 1", "write one SELECT");
    check("SELEC", "query: ");
    check("SELECT 'x", "query: ");
}
