//! Groups: keys, aggregates, and conditions of both.

use super::*;

fn check(sql: &str, expected: &str) {
    let answered = query(sql).unwrap_or_else(|error| panic!("{sql}: {}", StepError::new(error.name(), &error)));
    let columns: Vec<Column> =
        answered.columns().iter().map(|column| column.cast(&DataType::String).unwrap()).collect();
    let row = |row: usize| {
        let cells: Vec<&str> = columns.iter().map(|column| column.str().unwrap().get(row).unwrap_or("-")).collect();
        cells.join("/")
    };
    let mut rows: Vec<String> = (0..answered.height()).map(row).collect();
    rows.sort();
    assert_eq!(rows.join(" "), expected, "{sql}");
}

#[test]
fn having_takes_keys_and_aggregates() {
    check("SELECT b AS k, COUNT(*) AS n FROM silver.t GROUP BY b HAVING b > 1", "2/1 3/1");
    check("SELECT COUNT(*) AS n FROM silver.t GROUP BY b HAVING b > 1 AND SUM(f) < 2", "1");
    check("SELECT c AS k FROM silver.t GROUP BY c HAVING c IS NULL", "-");
    check("SELECT c AS k FROM silver.t GROUP BY c HAVING c", "true");
    check("SELECT b % 2 AS k, COUNT(*) AS n FROM silver.t GROUP BY b % 2 HAVING b % 2 = 1", "1/2");
    check("SELECT b % 2 AS k, MAX(b) AS m FROM silver.t GROUP BY b % 2 HAVING MAX(b) - b % 2 = 2", "0/2 1/3");
    check("SELECT ROUND(f, 0) AS k FROM silver.t GROUP BY ROUND(f, 0) HAVING ROUND(f, 0) < 2.5", "1.0 2.0");
    check(
        "SELECT UPPER(t) || '!' AS k, COUNT(*) AS n FROM silver.t GROUP BY UPPER(t) HAVING UPPER(t) LIKE 'C%'",
        "C536365!/1",
    );
    check("SELECT t.b AS k FROM silver.t GROUP BY t.b HAVING b = 2", "2");
    check("SELECT 1 AS one FROM silver.t GROUP BY b, b HAVING NOT (b = 2)", "1 1");
    check("SELECT COUNT(*) AS n FROM silver.t HAVING COUNT(*) > 2", "3");
    check("SELECT COUNT(*) AS n FROM silver.t HAVING COUNT(*) > 3", "");
    check("SELECT 1 AS one FROM silver.t HAVING MAX(b) = 3", "1");
    check("SELECT MAX(b) AS m FROM silver.t WHERE b > 9 HAVING MAX(b) IS NULL", "-");
}

#[test]
fn keys_and_aggregates_go_together_in_an_expression() {
    check("SELECT b + COUNT(*) AS x FROM silver.t GROUP BY b", "2 3 4");
    check("SELECT b * 10 + MAX(b) AS x, b AS k FROM silver.t GROUP BY b", "11/1 22/2 33/3");
    check("SELECT CASE WHEN b > 1 THEN SUM(p) ELSE 0 END AS x FROM silver.t GROUP BY b", "0.000 0.333 1.005");
    check("SELECT (b) AS b, MIN(b) AS m FROM silver.t GROUP BY (b)", "1/1 2/2 3/3");
    check("SELECT COUNT(DISTINCT c) + COUNT(c) + COUNT(*) AS x FROM silver.t", "7");
    check("SELECT DISTINCT COUNT(*) AS n FROM silver.t GROUP BY b", "1");
    let refused = query("SELECT b AS k, f AS x FROM silver.t GROUP BY b").unwrap_err();
    assert!(StepError::new(refused.name(), &refused).message.contains("`f` is not grouped by"), "{refused:?}");
}

/// What is the same in all rows comes once for each of them, also where nothing else of a subquery is read.
#[test]
fn a_value_that_is_the_same_everywhere_comes_once_per_row() {
    check("SELECT 1 AS x FROM silver.t", "1 1 1");
    check("SELECT CASE WHEN -1 <= o.x THEN 1 ELSE 2 END AS x FROM (SELECT 5 AS x, t FROM silver.t) AS o", "1 1 1");
    check("SELECT COUNT(*) AS n FROM (SELECT 5 AS x, b FROM silver.t) AS o GROUP BY CASE WHEN x > 1 THEN 1 END", "3");
    check("SELECT NULLIF(2, o.x) AS x FROM (SELECT b AS b, 2 AS x FROM silver.t) AS o", "- - -");
    check("SELECT SUM(CASE WHEN 3 <= x THEN 1 ELSE 0 END) AS n FROM (SELECT 5 AS x, b FROM silver.t) AS o", "3");
    check("SELECT COUNT(NULLIF(2, x)) AS n FROM (SELECT 5 AS x, b FROM silver.t) AS o", "3");
    check(
        "SELECT SUM(CASE WHEN 'm' <= x THEN 1 ELSE 10 END) AS n FROM (SELECT NULLIF(t, t) AS x FROM silver.t) AS o",
        "30",
    );
}

#[test]
fn aggregates_of_constants_count_every_row() {
    check("SELECT COUNT(1 + 1) AS n, COUNT(CASE WHEN 1 > 2 THEN NULL ELSE 1 END) AS m FROM silver.t", "3/3");
    check("SELECT COUNT(UPPER('a')) AS n, COUNT(-1) AS m, COUNT(NULL) AS o FROM silver.t", "3/3/0");
    check("SELECT SUM(2) AS n, MAX(5) AS m FROM silver.t WHERE b > 1", "4/5");
    check("SELECT MAX(5) AS m, COUNT(DATE '2020-01-01') AS n FROM silver.t WHERE b > 9", "-/0");
    check("SELECT b AS k, COUNT(COALESCE(NULL, 1)) AS n FROM silver.t GROUP BY b", "1/1 2/1 3/1");
}

#[test]
fn greatest_and_least_take_counts_and_literals() {
    check("SELECT GREATEST(COUNT(*), 1) AS n, LEAST(2, COUNT(DISTINCT b)) AS m FROM silver.t", "3/2");
    check("SELECT DISTINCT GREATEST(2, COUNT(*)) AS n FROM silver.t HAVING COUNT(*) >= 0", "3");
    check("SELECT DISTINCT GREATEST('a_b', 'x') AS n, GREATEST(b, 2) AS m FROM silver.t", "x/2 x/3");
}

#[test]
fn columns_without_a_name_of_their_own_go_together() {
    check("SELECT MIN(b), MAX(b), SUM(b) FROM silver.t", "1/3/6");
    check("SELECT SUM(b) AS x, 0 AS y FROM silver.t UNION ALL SELECT MIN(b), MAX(b) FROM silver.t", "1/3 6/0");
    check("SELECT b, b FROM silver.t", "1/1 2/2 3/3");
}

/// Statements as deep and wide as the parser takes them are planned within the stack of a thread, or refused by name.
#[test]
fn the_largest_statements_leave_no_stack() {
    let conditions =
        |operator: &str| format!("SELECT b AS x FROM silver.t WHERE {}", vec!["b = 1"; 140].join(operator));
    let statements = [
        conditions(" AND "),
        conditions(" OR "),
        format!("SELECT {} AS x FROM silver.t", vec!["b"; 140].join(" + ")),
        format!("SELECT {} AS x FROM silver.t", vec!["t"; 140].join(" || ")),
        format!("SELECT CASE {} END AS x FROM silver.t", "WHEN b = 1 THEN 1 ".repeat(140)),
        format!("SELECT b AS x FROM silver.t WHERE b IN ({})", vec!["b"; 140].join(", ")),
        format!("SELECT b AS x FROM silver.t WHERE b IN ({})", vec!["1"; 1_500].join(", ")),
        format!("SELECT b AS x FROM silver.t WHERE b IN ({})", vec!["-1"; 1_200].join(", ")),
        format!("SELECT b AS x FROM silver.t WHERE ts IN ({})", vec!["'2011-01-02'"; 1_500].join(", ")),
        vec!["SELECT b AS x FROM silver.t"; 100].join(" UNION ALL "),
        vec!["SELECT b AS x FROM silver.t"; 60].join(" UNION "),
        format!(
            "SELECT t0.b AS x FROM silver.t AS t0{}",
            (1..30).map(|n| format!(" JOIN silver.t AS t{n} ON t0.b = t{n}.b")).collect::<String>()
        ),
        format!("SELECT {} FROM silver.t", (0..300).map(|n| format!("b + {n} AS x{n}")).collect::<Vec<_>>().join(", ")),
    ];
    for sql in statements {
        let shown = sql.chars().take(60).collect::<String>();
        let answered = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || match query(&sql) {
            Ok(_) => String::new(),
            Err(error) => StepError::new(error.name(), &error).to_string(),
        });
        let answered = answered.unwrap().join().unwrap();
        assert!(answered.is_empty() || answered.starts_with("InvalidInput"), "{shown}: {answered}");
    }
}
