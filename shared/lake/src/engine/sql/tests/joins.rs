//! Joins: which rows go together, and which stay without a partner.

use super::*;

/// `l`: 1, 1 · 2, 5 · 3, 1 · 4, null. `r`: 1, 1 · 2, 7 · 3, 1 · 5, null. Both as `id` and `a`; `r` has `x` as well.
fn sides() -> Vec<(String, LazyFrame)> {
    let left = df!("id" => [1, 2, 3, 4], "a" => [Some(1_i64), Some(5), Some(1), None]).unwrap();
    let right =
        df!("id" => [1, 2, 3, 5], "a" => [Some(1_i64), Some(7), Some(1), None], "x" => ["p", "q", "r", "s"]).unwrap();
    vec![("silver.l".to_owned(), left.lazy()), ("silver.r".to_owned(), right.lazy())]
}

/// The rows of a statement as `a/b`, sorted.
fn rows_of(sql: &str, tables: Vec<(String, LazyFrame)>) -> Result<String, EngineError> {
    let parsed: TableSql = sql.parse()?;
    let planned = run(parsed.engine_query(), tables)?;
    let streamed = collect_streaming(planned.clone()).map_err(EngineError::while_running("the query"))?;
    let in_memory = planned.collect().map_err(EngineError::while_running("the query"))?;
    let shown = |frame: &DataFrame| {
        let columns: Vec<_> = frame.columns().iter().map(|column| column.cast(&DataType::String).unwrap()).collect();
        let row = |row: usize| {
            let cells: Vec<&str> = columns.iter().map(|c| c.str().unwrap().get(row).unwrap_or("-")).collect();
            cells.join("/")
        };
        let mut rows: Vec<String> = (0..frame.height()).map(row).collect();
        rows.sort();
        rows.join(" ")
    };
    assert_eq!(shown(&streamed), shown(&in_memory), "{sql}: both engines agree");
    Ok(shown(&streamed))
}

fn check(sql: &str, expected: &str) {
    assert_eq!(rows_of(sql, sides()).unwrap_or_else(|error| panic!("{sql}: {error:?}")), expected, "{sql}");
}

/// The pairs of ids under a join.
fn pairs(join: &str, expected: &str) {
    check(&format!("SELECT l.id AS a, r.id AS b FROM silver.l AS l {join}"), expected);
}

#[test]
fn outer_joins_keep_rows_without_a_partner_under_any_condition() {
    pairs("LEFT JOIN silver.r AS r ON l.a = r.a", "1/1 1/3 2/- 3/1 3/3 4/-");
    pairs("LEFT JOIN silver.r AS r ON l.a = r.a AND r.id > 2", "1/3 2/- 3/3 4/-");
    pairs("LEFT JOIN silver.r AS r ON l.a = r.a AND l.id > 2", "1/- 2/- 3/1 3/3 4/-");
    pairs("LEFT JOIN silver.r AS r ON l.a = r.a AND l.id < r.id", "1/3 2/- 3/- 4/-");
    pairs("LEFT JOIN silver.r AS r ON l.a < r.a", "1/2 2/2 3/2 4/-");
    pairs("LEFT JOIN silver.r AS r ON r.x = 'q'", "1/2 2/2 3/2 4/2");
    pairs("LEFT JOIN silver.r AS r ON r.x = 'none'", "1/- 2/- 3/- 4/-");
    pairs("LEFT JOIN silver.r AS r ON FALSE", "1/- 2/- 3/- 4/-");
    pairs("LEFT JOIN silver.r AS r ON l.a = r.a OR l.id = r.id", "1/1 1/3 2/2 3/1 3/3 4/-");
    pairs("LEFT JOIN silver.r AS r ON l.a + 2 = r.a AND (l.id <= r.id)", "1/- 2/2 3/- 4/-");
    pairs("RIGHT JOIN silver.r AS r ON l.a = r.a", "-/2 -/5 1/1 1/3 3/1 3/3");
    pairs("RIGHT JOIN silver.r AS r ON l.a = r.a AND l.id > 2", "-/2 -/5 3/1 3/3");
    pairs("RIGHT JOIN silver.r AS r ON l.a = r.a AND r.id > 2", "-/1 -/2 -/5 1/3 3/3");
    pairs("RIGHT JOIN silver.r AS r ON l.a < r.a", "-/1 -/3 -/5 1/2 2/2 3/2");
    pairs("FULL JOIN silver.r AS r ON l.a = r.a", "-/2 -/5 1/1 1/3 2/- 3/1 3/3 4/-");
    pairs("FULL JOIN silver.r AS r ON l.a = r.a AND l.id < r.id", "-/1 -/2 -/5 1/3 2/- 3/- 4/-");
    pairs("FULL JOIN silver.r AS r ON l.a > r.a", "-/2 -/5 1/- 2/1 2/3 3/- 4/-");
    pairs("FULL JOIN silver.r AS r ON FALSE", "-/1 -/2 -/3 -/5 1/- 2/- 3/- 4/-");
    pairs("JOIN silver.r AS r ON l.a = r.a AND r.x = 'r'", "1/3 3/3");
}

#[test]
fn a_condition_that_is_written_twice_counts_once() {
    pairs("JOIN silver.r AS r ON l.a = r.a AND l.a = r.a", "1/1 1/3 3/1 3/3");
    pairs("JOIN silver.r AS r ON l.a = r.a AND r.a = l.a", "1/1 1/3 3/1 3/3");
    pairs("LEFT JOIN silver.r AS r ON (l.a = r.a) AND l.a = r.a AND r.id > 2", "1/3 2/- 3/3 4/-");
    pairs("FULL JOIN silver.r AS r ON l.id = r.id AND (r.id = l.id AND l.id = r.id)", "-/5 1/1 2/2 3/3 4/-");
    pairs("JOIN silver.r AS r ON l.id + 1 = r.id AND l.id + 1 = r.id", "1/2 2/3 4/5");
    pairs(", silver.r AS r WHERE l.id = r.id AND l.id = r.id AND l.id > 1", "2/2 3/3");
    // One value of the left side may be compared with two of the right side.
    pairs("JOIN silver.r AS r ON l.id = r.id AND l.id = r.id + 0", "1/1 2/2 3/3");
    check("SELECT id AS a, x AS b FROM silver.l FULL JOIN silver.r USING (id, id)", "1/p 2/q 3/r 4/- 5/s");
}

#[test]
fn outer_joins_can_be_chained() {
    check(
        "SELECT l.id AS a, m.id AS b, r.id AS c FROM silver.l AS l LEFT JOIN silver.l AS m ON l.a = m.a AND l.id < m.id \
         FULL JOIN silver.r AS r ON m.id = r.id AND r.x <> 'p'",
        "-/-/1 -/-/2 -/-/5 1/3/3 2/-/- 3/-/- 4/-/-",
    );
    check(
        "SELECT l.id AS a, COUNT(r.id) AS n FROM silver.l AS l LEFT JOIN silver.r AS r ON l.a = r.a AND r.id > 2 \
         WHERE l.id <> 2 GROUP BY l.id HAVING l.id > 1",
        "3/1 4/0",
    );
    check(
        "SELECT o.a AS a, o.b AS b FROM (SELECT l.id AS a, r.id AS b FROM silver.l AS l LEFT JOIN silver.r AS r \
         ON l.a = r.a AND r.id > 2) AS o LEFT JOIN silver.r AS q ON o.b = q.id AND q.a > 5 WHERE q.id IS NULL",
        "1/3 2/- 3/3 4/-",
    );
    check("SELECT COUNT(*) AS n FROM silver.l AS l LEFT JOIN silver.r AS r ON l.id < r.id", "7");
}

#[test]
fn using_makes_one_column_of_two() {
    check("SELECT id AS a, x AS b FROM silver.l JOIN silver.r USING (id)", "1/p 2/q 3/r");
    check("SELECT id AS a, x AS b FROM silver.l LEFT JOIN silver.r USING (id)", "1/p 2/q 3/r 4/-");
    check("SELECT id AS a, x AS b FROM silver.l RIGHT JOIN silver.r USING (id)", "1/p 2/q 3/r 5/s");
    check("SELECT id AS a, l.id AS b FROM silver.l FULL JOIN silver.r USING (id)", "1/1 2/2 3/3 4/4 5/-");
    check("SELECT id AS a, x AS b FROM silver.l FULL JOIN silver.r USING (id, a)", "1/p 2/- 2/q 3/r 4/- 5/s");
    check(
        "SELECT id AS a, q.x AS b FROM silver.l FULL JOIN silver.r USING (id) LEFT JOIN silver.r AS q USING (id)",
        "1/p 2/q 3/r 4/- 5/s",
    );
    check(
        "SELECT id AS a, COUNT(*) AS n FROM silver.l FULL JOIN silver.r USING (id) GROUP BY id HAVING id > 3",
        "4/1 5/1",
    );
}

#[test]
fn commas_and_names_mean_what_they_say() {
    check("SELECT l.id AS a, r.id AS b FROM silver.l AS l, silver.r AS r WHERE l.a = r.a AND r.id > 1", "1/3 3/3");
    check("SELECT l.id AS a, m.id AS b FROM silver.l AS l, silver.l AS m WHERE l.a = m.a AND l.id < m.id", "1/3");
    check(
        "SELECT l.id AS a, q.id AS b FROM silver.l AS l, silver.r AS r LEFT JOIN silver.l AS q ON r.a = q.a AND q.id > 1 \
         WHERE l.id = r.id",
        "1/3 2/- 3/3",
    );
    check("SELECT x AS a, l.a AS b FROM silver.l AS l CROSS JOIN silver.r AS r WHERE r.id = 5 AND l.id = 2", "s/5");
    // The name of a part of the plan is no name of a table.
    check(
        "WITH _part_1 AS (SELECT id FROM silver.l) SELECT o.n AS a FROM (SELECT COUNT(*) AS n FROM _part_1) AS o",
        "4",
    );
    let refused = |sql: &str, expected: &str| {
        let error = rows_of(sql, sides()).unwrap_err();
        let text = StepError::new(error.name(), &error).to_string();
        assert!(text.starts_with("InvalidInput") && text.contains(expected), "{sql}: {text}");
    };
    refused("SELECT id AS a FROM silver.l AS l, silver.r AS r", "more than one table has the column `id`");
    refused("SELECT z.id AS a FROM silver.l AS l", "there is no table `z` in FROM");
    refused("SELECT l.nope AS a FROM silver.l AS l", "there is no column `l.nope`");
    refused("SELECT l.id AS a FROM silver.l AS l, silver.r AS l", "give one of");
    refused("SELECT l.id AS a FROM silver.l AS l JOIN silver.r AS r ON l.id = r.x", "CAST one side");
}

#[test]
fn keys_of_two_widths_are_joined() {
    let left = df!("k" => [1_i32, 2]).unwrap();
    let right = df!("k" => [1_i64, 3_000_000_000]).unwrap();
    let tables = vec![("silver.l".to_owned(), left.lazy()), ("silver.r".to_owned(), right.lazy())];
    let sql = "SELECT l.k AS a, r.k AS b FROM silver.l AS l FULL JOIN silver.r AS r ON l.k = r.k";
    assert_eq!(rows_of(sql, tables).unwrap(), "-/3000000000 1/1 2/-");
}

/// Each outer join with a further condition doubles the plan; beyond what Polars optimises in a second they are refused.
#[test]
fn many_outer_joins_with_further_conditions_are_planned_or_refused() {
    let chained = |count: usize, kind: &str| {
        let joins: String =
            (1..=count).map(|n| format!(" {kind} JOIN silver.r AS r{n} ON r{n}.a = l.a AND r{n}.id > l.id")).collect();
        rows_of(&format!("SELECT COUNT(*) AS n FROM silver.l AS l{joins}"), sides())
    };
    assert_eq!(chained(9, "LEFT").unwrap(), "4");
    for (count, kind) in [(10, "LEFT"), (7, "FULL"), (40, "RIGHT")] {
        let refused = chained(count, kind).unwrap_err();
        let message = StepError::new(refused.name(), &refused).message;
        assert!(message.contains("more than 9 outer joins"), "{count} {kind}: {message}");
    }
}
