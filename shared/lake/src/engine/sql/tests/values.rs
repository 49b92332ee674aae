//! What Polars would compute otherwise, value by value.

use super::*;

fn check(sql: &str, expected: &str) {
    assert_eq!(expression(sql), expected, "{sql}");
}

fn check_fails(sql: &str, expected: &str) {
    let error = query(&format!("SELECT {sql} AS x FROM silver.t")).unwrap_err();
    let text = StepError::new(error.name(), &error).to_string();
    assert!(text.contains(expected), "{sql}: {text}");
}

#[test]
fn integers_have_64_bits_or_fail() {
    check("q + q", "i64: 12 -4 null");
    check("q - b", "i64: 5 -4 null");
    check("-q", "i64: -6 2 null");
    check("ABS(q)", "i64: 6 2 null");
    check("b + 9223372036854775804", "i64: 9223372036854775805 9223372036854775806 9223372036854775807");
    check_fails("b + 9223372036854775806", "overflow: the sum of 2 and 9223372036854775806 leaves 64 bits");
    check_fails("-9223372036854775807 - b", "overflow: the difference");
    check_fails("ts - ts", "use numbers, and DATEDIFF for days");
    check_fails("t + 1", "there is no sum of str and i32");
    assert_eq!(
        column("SELECT SUM(b * 3000000000000000000) AS x FROM silver.t WHERE b < 3"),
        "i64: 9000000000000000000"
    );
    let error = query("SELECT SUM(b * 3000000000000000000) AS x FROM silver.t").unwrap_err();
    assert!(StepError::new(error.name(), &error).message.contains("leaves 64 bits"), "{error:?}");
}

#[test]
fn decimals_have_38_digits_or_fail() {
    check("-p", "decimal[38,3]: -2.555 -1.005 -0.333");
    check("p + f", "f64: 3.055 2.505 2.833");
    check_fails("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)) + b", "38");
    check_fails("CAST('1e0' AS DECIMAL(38,0))", "'1e0' is no DECIMAL(38,0)");
    check_fails("p / CAST('100000000000000000000' AS DECIMAL(38,0))", "overflow: a decimal quotient");
    check(
        "CAST('199.123456789012345678' AS DECIMAL(38,18)) / b",
        "decimal[38,18]: 199.123456789012345678 99.561728394506172839 66.374485596337448559",
    );
    let error = query("SELECT SUM(CAST(b AS DECIMAL(38,28))) AS x FROM silver.t").unwrap_err();
    assert!(StepError::new(error.name(), &error).message.contains("at most 28 digits"), "{error:?}");
}

#[test]
fn decimals_of_other_lengths_compare_exactly() {
    let wide = "CAST(100000000 + b AS DECIMAL(12,3))";
    check(&format!("{wide} >= 4.94999999999"), "bool: true true true");
    check(&format!("{wide} > -0.00000000001"), "bool: true true true");
    check(&format!("{wide} BETWEEN 0.0000000001 AND 100000002.0000000001"), "bool: true true false");
    check(&format!("{wide} IN (100000001.0000000000, 0.00000000001)"), "bool: true false false");
    let long = "CAST(0.5 AS DECIMAL(12,11))";
    check(&format!("{wide} > {long}"), "bool: true true true");
    check(&format!("NULLIF({wide}, {long}) = {wide}"), "bool: true true true");
    check(&format!("COALESCE({wide}, {long}) = {wide}"), "bool: true true true");
    check(&format!("CASE WHEN b = 1 THEN {long} ELSE {wide} END = {wide}"), "bool: false true true");
    check(&format!("CASE {wide} WHEN {long} THEN 1 ELSE 2 END"), "i32: 2 2 2");
    check(&format!("CASE WHEN b > 1 THEN {wide} ELSE 0.00000000001 END = {wide}"), "bool: false true true");
}

#[test]
fn decimals_of_other_lengths_meet_in_joins_and_unions() {
    let wide = "SELECT b, CAST(100000000 + b AS DECIMAL(12,3)) AS x FROM silver.t";
    let long = "SELECT b, CAST(b / 10.0 AS DECIMAL(12,11)) AS x FROM gold.u";
    let count = |sql: &str| column(&format!("SELECT COUNT(*) AS n FROM ({sql}) AS z"));
    assert_eq!(
        count(&format!("SELECT x FROM ({wide}) AS a WHERE x IS NOT NULL UNION ALL SELECT x FROM ({long}) AS c")),
        "u32: 6"
    );
    let both = format!("SELECT x FROM ({wide}) AS a UNION ALL SELECT x FROM ({long}) AS c");
    assert_eq!(count(&format!("SELECT x FROM ({both}) AS both WHERE x IS NULL")), "u32: 0");
    // Keys of a join have one type: another is refused, never compared wrongly.
    let keys = format!("SELECT a.b FROM ({wide}) AS a JOIN ({long}) AS c ON a.x = c.x");
    let refused = query(&keys).expect_err("keys of two types");
    assert!(
        StepError::new(refused.name(), &refused).message.contains("CAST one side to the type of the other"),
        "{refused:?}"
    );
    assert_eq!(
        count(&format!("SELECT a.b FROM ({wide}) AS a JOIN ({long}) AS c ON a.b = c.b AND a.x > c.x")),
        "u32: 3"
    );
}

#[test]
fn null_by_zero_is_null() {
    check("CASE WHEN q = 99 THEN q END / 0", "f64: null null null");
    check("CASE WHEN q = 99 THEN q END % 0", "i64: null null null");
    check("CASE WHEN q = 99 THEN p END / 0", "decimal[38,6]: null null null");
}

#[test]
fn doubles_round_by_their_shortest_text() {
    check("ROUND(f + 1.175e0, 2)", "f64: 1.68 2.68 3.68");
    check("ROUND(f * 2.01e0, 3)", "f64: 1.005 3.015 5.025");
    check("CAST(f + 1.175e0 AS DECIMAL(18,2))", "decimal[18,2]: 1.68 2.68 3.68");
    check("CEIL(-f)", "f64: 0.0 -1.0 -2.0");
    check("CEIL(m)", "decimal[38,0]: 2 -1 null");
    check("FLOOR(m)", "decimal[38,0]: 1 -2 null");
    check("SIGN(m)", "i32: 1 -1 null");
    check_fails("CAST(9.5e0 * b AS DECIMAL(1,0))", " does not fit DECIMAL(1,0)");
}

#[test]
fn texts_are_cut_and_read_strictly() {
    check("LEFT(t, -1)", "str:   null");
    check("RIGHT(t, q)", "str: 536365  null");
    check("SUBSTR(t, b)", "str: C536365 x  null");
    check("SUBSTR(t, b - 2, 2)", "str: C5  x null");
    check("REPLACE(t, '', '-')", "str: C536365  x  null");
    check("REPLACE(t, '36', '')", "str: C55  x  null");
    // Blanks alone: tabs and line ends stay.
    check("TRIM(' \ta\n ') = '\ta\n'", "bool: true true true");
    check("LTRIM(' \ta ') = '\ta '", "bool: true true true");
    check("RTRIM(' a\t ') = ' a\t'", "bool: true true true");
    check("LTRIM(' a ') || RTRIM(' b ') = 'a  b'", "bool: true true true");
    check("TRIM(t)", "str: C536365 x null");
    check("CAST(' +7 ' AS INT)", "i32: 7 7 7");
    check_fails("CAST(t AS INT)", "'C536365' is no INT");
    check_fails("CAST('1.005' AS DECIMAL(18,2))", "'1.005' is no DECIMAL(18,2)");
}

#[test]
fn places_of_doubles_have_their_order_with_nan_as_the_greatest() {
    let ascending =
        [f64::NEG_INFINITY, -1e300, -1.5, -f64::MIN_POSITIVE, -0.0, 0.0, 5e-324, 2.25, 1e300, f64::INFINITY, f64::NAN];
    let places = extremes::ordinal(&Column::new("f".into(), ascending)).unwrap();
    let in_order: Vec<i128> = places.i128().unwrap().into_no_null_iter().collect();
    assert!(in_order.is_sorted_by(|a, b| a < b), "{in_order:?}");
    let back = extremes::from_ordinal(&places).unwrap();
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back.f64().unwrap().into_no_null_iter().collect::<Vec<_>>()), bits(&ascending));
    let negative = extremes::ordinal(&Column::new("f".into(), [-f64::NAN])).unwrap();
    assert_eq!(negative.i128().unwrap().get(0), in_order.last().copied(), "every NaN is one");
}

#[test]
fn greatest_and_least_pass_nulls_by_and_take_nan_for_the_greatest() {
    let column = |values: [Option<f64>; 5]| Column::new("f".into(), values);
    let nan = Some(f64::NAN);
    let a = column([Some(1.0), nan, None, Some(-0.5), None]);
    let check = |b: Column, greatest: [Option<f64>; 5], least: [Option<f64>; 5]| {
        for (kept, expected) in [(extremes::Kept::Greatest, greatest), (extremes::Kept::Least, least)] {
            for pair in [[a.clone(), b.clone()], [b.clone(), a.clone()]] {
                let found = extremes::extreme(&pair, kept).unwrap();
                assert!(found.equals_missing(&column(expected)), "{kept:?} of {pair:?}: {found:?}");
            }
        }
    };
    let b = column([nan, Some(2.0), nan, Some(-1.5), None]);
    check(b, [nan, nan, nan, Some(-0.5), None], [Some(1.0), Some(2.0), nan, Some(-1.5), None]);
    let same = Column::new_scalar("s".into(), polars::prelude::Scalar::from(1_i32), 5);
    let [one, none] = [Some(1.0), None::<f64>];
    check(same.clone(), [one, nan, one, one, one], [one, one, one, Some(-0.5), one]);
    check(same.head(Some(1)), [one, nan, one, one, one], [one, one, one, Some(-0.5), one]);
    check(
        Column::full_null("n".into(), 5, &DataType::Null),
        [one, nan, none, Some(-0.5), none],
        [one, nan, none, Some(-0.5), none],
    );
}
