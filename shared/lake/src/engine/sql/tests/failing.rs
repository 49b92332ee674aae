//! Rows that fail alone.

use polars::prelude::{BooleanChunked, DataFrame, DataType, IntoLazy, StringChunked, df};
use proptest::prelude::*;
use sluice_core::sql::{RowSql, TableSql};

use super::*;

fn texts() -> DataFrame {
    df!(
        "id" => [1_i64, 2, 3, 4],
        "t" => [Some("12"), Some("abc"), None, Some("7.5")],
        "n" => [Some(6_i64), Some(0), Some(3), Some(i64::MAX)],
        "d" => [Some(2_i64), Some(0), Some(0), Some(1)],
    )
    .expect("rows")
}

fn texts_of(rows: &DataFrame, column: &str) -> Vec<Option<String>> {
    let column = rows.column(column).expect(column).cast(&DataType::String).expect(column);
    let texts: &StringChunked = column.str().expect("texts");
    texts.iter().map(|text| text.map(ToOwned::to_owned)).collect()
}

/// The values of an expression and why rows have none, as a silver table computes them.
fn explained(rows: &DataFrame, expression: &str) -> (Vec<Option<String>>, Vec<Option<String>>) {
    let statement: RowSql = format!("SELECT id, {expression} AS x FROM bronze").parse().expect(expression);
    let tables = vec![("bronze".to_owned(), rows.clone().lazy())];
    let (planned, failing) = run_explained(statement.engine_query(&[]), tables).expect(expression);
    let rows = planned.collect().unwrap_or_else(|error| panic!("{expression}: {error}"));
    let reasons = match failing.as_slice() {
        [] => vec![None; rows.height()],
        [only] if only == "x" => texts_of(&rows, &failure_name("x")),
        other => panic!("{expression}: {other:?}"),
    };
    (texts_of(&rows, "x"), reasons)
}

fn check(expression: &str, values: [Option<&str>; 4], reasons: [Option<&str>; 4]) {
    let (found, why) = explained(&texts(), expression);
    let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, values, "{expression}");
    for (why, part) in why.iter().zip(reasons) {
        assert_eq!(why.is_some(), part.is_some(), "{expression}: {why:?}");
        assert!(why.as_deref().unwrap_or_default().contains(part.unwrap_or_default()), "{expression}: {why:?}");
        for of_the_engine in ["i32", "i64", "f64", "decimal[", "conversion", "precision", "column"] {
            assert!(!why.as_deref().unwrap_or_default().contains(of_the_engine), "{expression}: {why:?}");
        }
    }
}

#[test]
fn a_row_that_cannot_be_computed_says_why() {
    let unreadable = [None, Some("'abc' is no"), None, Some("'7.5' is no")];
    check("CAST(t AS INT)", [Some("12"), None, None, None], unreadable);
    check("CAST(t AS INT) + 1", [Some("13"), None, None, None], unreadable);
    check("LENGTH(t || CAST(CAST(t AS INT) AS STRING))", [Some("4"), None, None, None], unreadable);
    check(
        "n / d",
        [Some("3.0"), None, None, Some("9.223372036854776e+18")],
        [None, Some("division by zero"), Some("division by zero"), None],
    );
    check("n + d", [Some("8"), Some("0"), Some("3"), None], [None, None, None, Some("leaves 64 bits")]);
    check("CAST(t AS DATE)", [None; 4], [Some("ISO 8601"), Some("ISO 8601"), None, Some("ISO 8601")]);
}

#[test]
fn a_reason_has_the_value_and_the_type_in_the_words_of_the_contract() {
    let unreadable = [None, Some("CAST: 'abc' is no INT"), None, Some("CAST: '7.5' is no INT")];
    check("CAST(t AS INT)", [Some("12"), None, None, None], unreadable);
    let unreadable = [None, Some("CAST: 'abc' is no DECIMAL(4,1)"), None, None];
    check("CAST(t AS DECIMAL(4, 1))", [Some("12.0"), None, None, Some("7.5")], unreadable);
    let too_large = |reason| [None, None, None, Some(reason)];
    let numbers = [Some("6"), Some("0"), Some("3"), None];
    check("CAST(n AS INT)", numbers, too_large("9223372036854775807 does not fit INT"));
    check("CAST(CAST(n AS DECIMAL(20, 0)) AS INT)", numbers, too_large("9223372036854775807 does not fit INT"));
    let tenths = [Some("6.0"), Some("0.0"), Some("3.0"), None];
    check("CAST(n AS DECIMAL(3, 1))", tenths, too_large("does not fit DECIMAL(3,1)"));
    check("CAST(CAST(n AS DOUBLE) AS DECIMAL(3, 1))", tenths, too_large("does not fit DECIMAL(3,1)"));
    check("CAST(CAST(n AS DECIMAL(20, 1)) AS DECIMAL(3, 0))", numbers, too_large("does not fit DECIMAL(3,0)"));
    // A number of characters has 32 bits.
    let long = too_large("9223372036854775807 does not fit INT");
    check("SUBSTR(t, n)", [Some(""), Some("abc"), None, None], long);
    check("SUBSTR(t, 1, n)", [Some("12"), Some(""), None, None], long);
    check("LEFT(t, n)", [Some("12"), Some(""), None, None], long);
    check("RIGHT(t, n)", [Some("12"), Some(""), None, None], long);
}

#[test]
fn branches_that_are_not_taken_do_not_fail() {
    let sevenths = [Some("3.0"), None, None, Some("9.223372036854776e+18")];
    check("CASE WHEN d <> 0 THEN n / d END", sevenths, [None; 4]);
    check("CASE d WHEN 0 THEN NULL ELSE n / d END", sevenths, [None; 4]);
    check("CASE WHEN d = 0 THEN NULL WHEN n / d > 5 THEN 1 ELSE 2 END", [Some("2"), None, None, Some("1")], [None; 4]);
    check("COALESCE(id, CAST(t AS BIGINT))", [Some("1"), Some("2"), Some("3"), Some("4")], [None; 4]);
    check("CASE WHEN d <> 0 AND n / d > 5 THEN 1 ELSE 0 END", [Some("0"), Some("0"), Some("0"), Some("1")], [None; 4]);
    check("CASE WHEN d = 0 OR n / d > 5 THEN 1 ELSE 0 END", [Some("0"), Some("1"), Some("1"), Some("1")], [None; 4]);
    let taken = [None, Some("division"), None, None];
    check("CASE WHEN id = 2 THEN n / d ELSE 0.5e0 END", [Some("0.5"), None, Some("0.5"), Some("0.5")], taken);
    check(
        "CASE WHEN CAST(t AS INT) = 12 THEN 1 ELSE 2 END",
        [Some("1"), Some("2"), Some("2"), Some("2")],
        [None, Some("'abc'"), None, Some("'7.5'")],
    );
}

#[test]
fn many_branches_that_can_fail_are_not_nested() {
    let unreadable = [None, Some("'abc'"), None, Some("'7.5'")];
    let buckets: Vec<String> =
        (0..100).map(|number| format!("WHEN CAST(t AS INT) < {number} THEN CAST(t || '{number}' AS INT)")).collect();
    check(&format!("CASE {} END", buckets.join(" ")), [Some("1213"), None, None, None], unreadable);
    let nested = (0..20).fold("n / d".to_owned(), |inner, number| {
        format!(
            "CASE WHEN CASE WHEN CAST(t AS INT) < {number} THEN TRUE END THEN 0.5e0 WHEN t = 'never' THEN {inner} END"
        )
    });
    check(&nested, [Some("0.5"), None, None, None], unreadable);
    let others: Vec<String> = (0..100).map(|number| format!("CAST(NULLIF(t, '12') || '{number}' AS INT)")).collect();
    check(&format!("COALESCE({}, 5)", others.join(", ")), [Some("5"); 4], [None, Some("'abc0'"), None, Some("'7.50'")]);
}

#[test]
fn aggregates_of_branches_that_are_not_taken_do_not_fail() {
    let run = |sql: &str| {
        let statement: TableSql = sql.parse().expect(sql);
        let tables = || vec![("silver.t".to_owned(), texts().lazy())];
        let planned = super::run(statement.engine_query(), tables()).expect(sql);
        assert!(collect_streaming(planned).is_err(), "{sql}: all branches are computed at first");
        let planned = run_by_branches(statement.engine_query(), tables()).expect(sql).expect("it has branches");
        collect_streaming(planned).map(|rows| texts_of(&rows, "x")).map_err(|error| error.to_string())
    };
    let first = |found: Result<Vec<Option<String>>, String>| found.map(|values| values.first().cloned().flatten());
    assert_eq!(
        first(run("SELECT SUM(CASE WHEN d <> 0 AND id < 4 THEN n / d END) AS x FROM silver.t")),
        Ok(Some("3.0".to_owned()))
    );
    assert_eq!(
        first(run("SELECT CASE WHEN SUM(d) > 99 THEN SUM(n * 2) ELSE 5 END AS x FROM silver.t")),
        Ok(Some("5".to_owned()))
    );
    let grouped = run(
        "SELECT CASE WHEN d = 0 THEN 0 ELSE 6 / d END AS x FROM silver.t WHERE CASE WHEN d = 0 THEN FALSE ELSE 6 / d > 5 END",
    );
    assert_eq!(grouped, Ok(vec![Some("6.0".to_owned())]));
    let taken = run("SELECT SUM(CASE WHEN d = 0 THEN n / d END) AS x FROM silver.t");
    assert!(taken.as_ref().is_err_and(|error| error.contains("division by zero")), "{taken:?}");
}

proptest! {
    /// Each row of a batch is computed, and fails, as if it were alone.
    #[test]
    fn rows_fail_as_if_they_were_alone(
        texts in prop::collection::vec(prop::option::of("[0-9.a]{0,3}"), 1..24),
        numbers in prop::collection::vec(prop::option::of(-3_i64..4), 24),
    ) {
        let ids: Vec<i64> = (0..).take(texts.len()).collect();
        let rows = df!("id" => &ids, "t" => &texts, "n" => &numbers[..texts.len()]).expect("rows");
        for expression in [
            "CAST(t AS DECIMAL(4, 1)) / n",
            "CAST(t AS INT) % n",
            "CASE WHEN n > 0 THEN CAST(t AS INT) ELSE 6 % n END",
        ] {
            let (values, reasons) = explained(&rows, expression);
            for row in 0..rows.height() {
                let alone = rows.slice(i64::try_from(row).expect("row"), 1);
                let (value, reason) = explained(&alone, expression);
                prop_assert_eq!(&values[row], &value[0], "{}", expression);
                prop_assert_eq!(&reasons[row], &reason[0], "{}", expression);
                let statement: TableSql = format!("SELECT {expression} AS x FROM silver.t").parse().expect(expression);
                let tables = || vec![("silver.t".to_owned(), alone.clone().lazy())];
                let planned = match run_by_branches(statement.engine_query(), tables()).expect(expression) {
                    Some(planned) => planned,
                    None => super::run(statement.engine_query(), tables()).expect(expression),
                };
                match planned.collect() {
                    Ok(found) => prop_assert_eq!((&texts_of(&found, "x")[0], &reason[0]), (&value[0], &None)),
                    Err(_) => prop_assert!(reason[0].is_some(), "{expression}: row {row} fails without a reason"),
                }
            }
        }
        let none: BooleanChunked = reasons_without_null(&rows);
        prop_assert!(!none.any());
    }
}

/// Rows whose value is null without a reason although nothing in them is.
fn reasons_without_null(rows: &DataFrame) -> BooleanChunked {
    let (values, reasons) = explained(rows, "CAST(t AS INT)");
    let texts = rows.column("t").expect("texts").str().expect("texts").clone();
    texts
        .iter()
        .zip(values)
        .zip(reasons)
        .map(|((text, value), why)| Some(text.is_some() && value.is_none() && why.is_none()))
        .collect()
}
