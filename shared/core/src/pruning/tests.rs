use std::collections::BTreeMap;

use super::*;

/// Partition values and statistics.
fn file() -> (BTreeMap<String, Option<String>>, String) {
    let stats = r#"{"numRecords":10,"minValues":{"a":5,"t":"b","f":1.5,"b":false,"at":"2026-01-01T00:00:00.000Z"},
        "maxValues":{"a":9,"t":"d","f":2.5,"b":false,"at":"2026-01-02T00:00:00.000Z"},"nullCount":{"a":0,"t":3,"empty":10}}"#;
    let values = BTreeMap::from([("d".to_owned(), Some("2026-01-05".to_owned())), ("n".to_owned(), None)]);
    (values, stats.to_owned())
}

fn may_hold(condition: &Condition) -> bool {
    let (partition_values, stats) = file();
    condition.may_hold(FileFacts { stats: Some(&stats), partition_values: &partition_values })
}

fn columns() -> Vec<StoredColumn> {
    [
        ("a", ColumnType::Int64),
        ("t", ColumnType::Text),
        ("f", ColumnType::Double),
        ("b", ColumnType::Boolean),
        ("at", ColumnType::Timestamp),
        ("d", ColumnType::Date),
        ("n", ColumnType::Text),
        ("empty", ColumnType::Int32),
    ]
    .map(|(name, column_type)| StoredColumn { name: name.to_owned(), column_type })
    .to_vec()
}

fn compare(op: &str, column: &str, value: &str) -> String {
    format!(
        r#"{{"op":"{op}","children":[{{"op":"column","name":"{column}","valueType":"x"}},
        {{"op":"literal","value":"{value}","valueType":"x"}}]}}"#
    )
}

#[test]
fn files_are_left_out_only_when_no_row_can_be_meant() {
    let check = |text: &str, expected: bool| {
        let condition = Condition::of_json(text, &columns()).expect(text);
        assert_eq!(may_hold(&condition), expected, "{text}");
    };
    check(&compare("equal", "a", "5"), true);
    check(&compare("equal", "A", "4"), false);
    check(&compare("lessThan", "a", "5"), false);
    check(&compare("lessThanOrEqual", "a", "5"), true);
    check(&compare("greaterThan", "a", "9"), false);
    check(&compare("greaterThanOrEqual", "a", "9"), true);
    check(&compare("equal", "a", "many"), true);
    check(&compare("equal", "other", "1"), true);
    check(&compare("equal", "t", "e"), false);
    check(&compare("greaterThan", "f", "9"), true);
    check(&compare("lessThan", "f", "1.5"), false);
    check(&compare("equal", "at", "2026-01-02T00:00:00.0005Z"), true);
    check(&compare("equal", "at", "2026-01-03T00:00:00Z"), false);
    check(&compare("equal", "d", "2026-01-05"), true);
    check(&compare("equal", "d", "2026-01-06"), false);
    check(&compare("equal", "n", "x"), false);
    check(&compare("equal", "b", "false"), true);
    check(&compare("equal", "b", "true"), false);
    check(&compare("equal", "empty", "1"), false);
    let not = |text: &str| format!(r#"{{"op":"not","children":[{text}]}}"#);
    check(&not(&compare("greaterThanOrEqual", "a", "5")), false);
    check(&not(&compare("equal", "d", "2026-01-05")), false);
    check(&not(&compare("equal", "empty", "1")), false);
    check(&not(&compare("equal", "t", "b")), true);
    let both = |op: &str, a: &str, b: &str| format!(r#"{{"op":"{op}","children":[{a},{b}]}}"#);
    check(&both("and", &compare("equal", "a", "5"), &compare("equal", "a", "4")), false);
    check(&both("or", &compare("equal", "a", "5"), &compare("equal", "a", "4")), true);
    check(&both("lessThan", r#"{"op":"literal","value":"9"}"#, r#"{"op":"column","name":"a"}"#), false);
    let null = |name: &str| format!(r#"{{"op":"isNull","children":[{{"op":"column","name":"{name}"}}]}}"#);
    check(&null("a"), false);
    check(&null("t"), true);
    check(&null("n"), true);
    check(&null("d"), false);
    check(&not(&null("empty")), false);
    check(r#"{"op":"in","children":[]}"#, true);
}

#[test]
fn predicates_leave_out_the_same_files() {
    let check = |text: &str, expected: bool| {
        assert_eq!(may_hold(&Condition::of_sql(text, &columns())), expected, "{text}");
    };
    check("a = 5", true);
    check("a = 4", false);
    check("a <> 4", true);
    check("4 = a", false);
    check("a BETWEEN 1 AND 4", false);
    check("a BETWEEN 1 AND 5", true);
    check("a NOT BETWEEN 1 AND 100", true);
    check("a IN (1, 2, 3)", false);
    check("a IN (1, 2, 5)", true);
    check("a > -1 AND t = 'e'", false);
    check("a < -1 OR t = 'b'", true);
    check("NOT (a >= 5)", false);
    check("a + 1 = 4", true);
    check("CAST(a AS STRING) = '4'", true);
    check("a = '4'", true);
    check("d = DATE '2026-01-05'", true);
    check("d = DATE '2026-01-06'", false);
    check("d = '2026-01-06'", true);
    check("at >= TIMESTAMP '2026-01-03 00:00:00'", false);
    check("at >= TIMESTAMP '2026-01-01 10:00:00' AND at < TIMESTAMP '2026-01-01 10:30:00'", true);
    check("n IS NOT NULL", false);
    check("t IS NULL", true);
    check("a IS NULL", false);
    check("A = 4", true);
    check("other = 4", true);
    check("f < 1.5", false);
    check("f > 9.5", true);
    check("DELETE FROM x", true);
}

#[test]
fn conditions_on_other_columns_may_always_be() {
    let check = |text: &str, expected: &str| {
        let condition = Condition::of_sql(text, &columns()).about(&|name| name != "t");
        assert_eq!(condition, Condition::of_sql(expected, &columns()), "{text}");
    };
    check("a = 1 AND t = 'x'", "a = 1 AND a + 1 = 2");
    check("a = 1 OR NOT t IS NULL", "a = 1 OR NOT a + 1 = 2");
    check("a = 1 AND d IS NULL", "a = 1 AND d IS NULL");
}

#[test]
fn texts_that_are_not_conditions_are_ignored() {
    for text in ["", "a = 1", "[]", "{\"children\":[]}"] {
        assert_eq!(Condition::of_json(text, &columns()), None, "{text}");
    }
}

#[test]
fn texts_of_the_length_to_which_writers_cut_bound_nothing() {
    let check = |high: &str, expected: bool| {
        let stats =
            format!(r#"{{"numRecords":1,"minValues":{{"t":"a"}},"maxValues":{{"t":"{high}"}},"nullCount":{{"t":0}}}}"#);
        let file = FileFacts { stats: Some(&stats), partition_values: &BTreeMap::new() };
        assert_eq!(Condition::of_sql("t > 'z'", &columns()).may_hold(file), expected, "{high}");
    };
    check(&"m".repeat(31), false);
    check(&"m".repeat(32), true);
    check(&"m".repeat(36), false);
}

/// What a predicate says of a row, by SQL's three truth values; the oracle of [`leaving_out_files_never_loses_a_row`].
fn truth(condition: &Condition, row: &BTreeMap<String, Option<Scalar>>) -> Option<bool> {
    let all = |conditions: &[Condition], settled: bool| {
        let each: Vec<_> = conditions.iter().map(|one| truth(one, row)).collect();
        if each.contains(&Some(settled)) {
            Some(settled)
        } else if each.contains(&None) {
            None
        } else {
            Some(!settled)
        }
    };
    match condition {
        Condition::All(conditions) => all(conditions, false),
        Condition::Any(conditions) => all(conditions, true),
        Condition::Not(condition) => truth(condition, row).map(|truth| !truth),
        Condition::IsNull(column) => Some(row[&column.name].is_none()),
        Condition::Compare(column, comparison, value) => row[&column.name].as_ref().map(|found| match comparison {
            Comparison::Equal => found == value,
            Comparison::Less => found < value,
            Comparison::LessOrEqual => found <= value,
            Comparison::Greater => found > value,
            Comparison::GreaterOrEqual => found >= value,
        }),
        Condition::Unknown => None,
    }
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<i64>, Option<String>);

    fn row() -> impl Strategy<Value = Row> {
        (proptest::option::of(-3_i64..4), proptest::option::of("[a-c]{0,2}"))
    }

    fn leaf() -> impl Strategy<Value = String> {
        let op = || prop_oneof![Just("="), Just("<>"), Just("<"), Just("<="), Just(">"), Just(">=")];
        prop_oneof![
            (op(), -4_i64..5).prop_map(|(op, number)| format!("a {op} {number}")),
            (op(), -4_i64..5).prop_map(|(op, number)| format!("{number} {op} a")),
            (op(), "[a-c]{0,2}").prop_map(|(op, text)| format!("t {op} '{text}'")),
            (-4_i64..5, -4_i64..5).prop_map(|(low, high)| format!("a BETWEEN {low} AND {high}")),
            proptest::collection::vec(-4_i64..5, 1..4)
                .prop_map(|list| format!("a IN ({})", list.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))),
            prop_oneof![Just("a"), Just("t")].prop_map(|name| format!("{name} IS NULL")),
            prop_oneof![Just("a"), Just("t")].prop_map(|name| format!("{name} IS NOT NULL")),
        ]
    }

    fn predicate() -> impl Strategy<Value = String> {
        leaf().prop_recursive(3, 12, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) OR ({b})")),
                inner.prop_map(|a| format!("NOT ({a})")),
            ]
        })
    }

    /// Statistics as a writer makes them of these rows.
    fn statistics(rows: &[Row]) -> String {
        let numbers = rows.iter().filter_map(|(a, _)| *a);
        let texts = || rows.iter().filter_map(|(_, t)| t.clone());
        serde_json::json!({
            "numRecords": rows.len(),
            "minValues": {"a": numbers.clone().min(), "t": texts().min()},
            "maxValues": {"a": numbers.max(), "t": texts().max()},
            "nullCount": {
                "a": rows.iter().filter(|(a, _)| a.is_none()).count(),
                "t": rows.iter().filter(|(_, t)| t.is_none()).count(),
            },
        })
        .to_string()
    }

    proptest! {
        #[test]
        fn leaving_out_files_never_loses_a_row(text in predicate(), rows in proptest::collection::vec(row(), 1..6)) {
            let condition = Condition::of_sql(&text, &columns());
            let fits = rows.iter().any(|(a, t)| {
                let row = BTreeMap::from([
                    ("a".to_owned(), a.map(Scalar::Integer)),
                    ("t".to_owned(), t.clone().map(Scalar::Text)),
                ]);
                truth(&condition, &row) == Some(true)
            });
            let stats = statistics(&rows);
            let file = FileFacts { stats: Some(&stats), partition_values: &BTreeMap::new() };
            prop_assert!(condition.may_hold(file) || !fits, "{text} over {stats}");
        }
    }
}
