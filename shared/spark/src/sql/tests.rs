use std::collections::BTreeMap;

use super::*;

/// `q` INT, `b` BIGINT, `p` DECIMAL(12,3), `m` DECIMAL(12,2), `f` DOUBLE, `t` text, `ts` TIMESTAMP, `c` BOOLEAN.
fn relation(name: &str) -> Relation {
    let decimal = |scale| ColumnType::Decimal { precision: 12, scale };
    let columns = [
        ("q", ColumnType::Int32),
        ("b", ColumnType::Int64),
        ("f", ColumnType::Double),
        ("t", ColumnType::Text),
        ("c", ColumnType::Boolean),
        ("p", decimal(3)),
        ("m", decimal(2)),
        ("ts", ColumnType::Timestamp),
    ];
    let columns = columns.into_iter().map(|(name, column_type)| (name.to_owned(), column_type)).collect();
    Relation { name: name.to_owned(), columns }
}

fn translated(sql: &str) -> Result<SparkQuery, SqlError> {
    let inputs =
        BTreeMap::from([("silver.t".to_owned(), relation("silver_t")), ("gold.u".to_owned(), relation("gold_u"))]);
    query(&sql.parse()?, &inputs)
}

/// The one column of an expression over `silver.t`: its type and text.
fn expression(sql: &str) -> String {
    let answered = translated(&format!("SELECT {sql} AS x FROM silver.t")).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let text = answered.text.strip_prefix("SELECT\n  ").unwrap().strip_suffix(" AS `x`\nFROM `silver_t` AS `t`");
    format!("{}: {}", answered.columns[0].1, text.unwrap().replace("`t`.", "").replace('`', ""))
}

#[test]
fn arithmetic_has_the_widths_and_places_of_the_subset() {
    let check = |sql: &str, expected: &str| assert_eq!(expression(sql), expected, "{sql}");
    check("q + b", "BIGINT: (CAST(q AS BIGINT) + b)");
    check("-q", "BIGINT: (- CAST(q AS BIGINT))");
    check("q * p", "DECIMAL(38,3): (q * p)");
    check("p * m", "DECIMAL(38,5): (p * m)");
    check("p + 0.5", "DECIMAL(38,3): (p + 0.5BD)");
    check("q * f", "DOUBLE: (CAST(q AS DOUBLE) * f)");
    check("q / 4", "DOUBLE: (CAST(q AS DOUBLE) / CAST(4 AS DOUBLE))");
    check(
        "p / 3",
        "DECIMAL(38,6): CAST((CAST(p AS DECIMAL(38,6)) / (CAST(3 AS DECIMAL(38,6)) * 1000000000000BD)) * 1000000000000BD AS DECIMAL(38,6))",
    );
    check("p % 1", "DECIMAL(38,3): (CAST(p AS DECIMAL(38,3)) % CAST(1 AS DECIMAL(38,3)))");
    check("q % 4", "BIGINT: (CAST(q AS BIGINT) % CAST(4 AS BIGINT))");
    check("ROUND(p, 2)", "DECIMAL(12,2): round(p, 2)");
    check("ROUND(q, 2)", "INT: q");
    check("1e3 * .5", "DOUBLE: (1e3D * CAST(0.5BD AS DOUBLE))");
    check("3000000000", "BIGINT: 3000000000L");
}

#[test]
fn values_and_conditions_are_translated() {
    let check = |sql: &str, expected: &str| assert_eq!(expression(sql), expected, "{sql}");
    check("COALESCE(p, 0)", "DECIMAL(13,3): coalesce(CAST(p AS DECIMAL(13,3)), CAST(0 AS DECIMAL(13,3)))");
    check("CASE WHEN c THEN q ELSE b END", "BIGINT: CASE WHEN c THEN CAST(q AS BIGINT) ELSE b END");
    check("ts > '2011-01-02'", "BOOLEAN: (ts > TIMESTAMP '2011-01-02 00:00:00')");
    check("'2011-01-02' < ts", "BOOLEAN: (TIMESTAMP '2011-01-02 00:00:00' < ts)");
    let days = ("TIMESTAMP '2011-01-02 00:00:00'", "TIMESTAMP '2011-01-03 00:00:00'");
    check("ts BETWEEN '2011-01-02' AND '2011-01-03'", &format!("BOOLEAN: ((ts >= {} AND ts <= {}))", days.0, days.1));
    check("'2011-01-02' BETWEEN ts AND ts", &format!("BOOLEAN: (({0} >= ts AND {0} <= ts))", days.0));
    check("ts IN ('2011-01-02', '2011-01-03')", &format!("BOOLEAN: ((ts = {} OR ts = {}))", days.0, days.1));
    check("'2011-01-02' IN (ts)", &format!("BOOLEAN: (({} = ts))", days.0));
    check("TIMESTAMP '2011-01-02T01:00:00+01:00'", "TIMESTAMP: TIMESTAMP '2011-01-02 00:00:00'");
    check("t LIKE 'C%'", "BOOLEAN: (t LIKE 'C%')");
    check("t || 'it''s; -- $x'", r"STRING: (t || 'it\u0027s\u003B -\u002D \u0024x')");
    check("LEFT(t, LENGTH(t) - 2)", "STRING: left(t, CAST((CAST(length(t) AS BIGINT) - CAST(2 AS BIGINT)) AS INT))");
    check("RIGHT(t, 2147483647)", "STRING: right(t, 2147483647)");
    check("c IS NOT TRUE", "BOOLEAN: (c IS NOT TRUE)");
    check("q NOT IN (6, 7)", "BOOLEAN: (NOT (q = 6 OR q = 7))");
    check("DATEDIFF(ts, DATE '2011-01-01')", "INT: datediff(CAST(ts AS DATE), DATE '2011-01-01')");
    check("EXTRACT(YEAR FROM ts)", "INT: year(ts)");
    check("SIGN(q)", "INT: CAST(sign(CAST(q AS BIGINT)) AS INT)");
}

#[test]
fn what_has_no_one_meaning_is_refused_with_its_position() {
    let check = |sql: &str, expected: &str| {
        let error = translated(sql).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{sql}: {error}");
    };
    check("SELECT nope FROM silver.t", "unknown column `nope` at line 1, column 8");
    check("SELECT Q FROM silver.t", "unknown column `Q`");
    check("SELECT x.q FROM silver.t", "unknown table `x`");
    check("SELECT t * 2 AS x FROM silver.t", "arithmetic with STRING at line 1, column 8");
    check("SELECT t = 2 AS x FROM silver.t", "a comparison of STRING with INT");
    check("SELECT f % 2 AS x FROM silver.t", "a remainder of doubles");
    check("SELECT CAST(f AS STRING) AS x FROM silver.t", "a CAST of DOUBLE AS STRING");
    check("SELECT CAST(ts AS STRING) AS x FROM silver.t", "a CAST of TIMESTAMP AS STRING");
    check("SELECT SUBSTR(t, 0) AS x FROM silver.t", "SUBSTR from 0");
    check("SELECT SUBSTR(t, 1, 2147483648) AS x FROM silver.t", "the count 2147483648 at line 1, column 21");
    check("SELECT SUBSTR(t, 3000000000) AS x FROM silver.t", "the count 3000000000");
    check("SELECT LEFT(t, 3000000000) AS x FROM silver.t", "the count 3000000000");
    check("SELECT RIGHT(t, -(3000000000)) AS x FROM silver.t", "the count -3000000000");
    check("SELECT ts > 'yesterday' AS x FROM silver.t", "'yesterday', which is no TIMESTAMP,");
    check("SELECT ts IN ('2011-01-02', 'yesterday') AS x FROM silver.t", "'yesterday', which is no TIMESTAMP,");
    check("SELECT ts IN (t) AS x FROM silver.t", "a comparison of TIMESTAMP with STRING");
    check("SELECT q IN (1, NULL) AS x FROM silver.t", "NULL in an IN list");
    check("SELECT t LIKE t AS x FROM silver.t", "a computed LIKE pattern");
    check("SELECT q, SUM(b) AS x FROM silver.t", "`q`, which is not grouped by,");
    check("SELECT SUM(SUM(b)) AS x FROM silver.t", "an aggregate here");
    check("SELECT q FROM silver.t WHERE SUM(b) > 1", "an aggregate here");
    check("SELECT q * 2 FROM silver.t", "a column without a name");
    check("SELECT q, b AS Q FROM silver.t", "a second column `Q`");
    check("SELECT q FROM silver.t JOIN gold.u ON t.b = u.b", "more than one table has");
    check("SELECT * FROM silver.t JOIN gold.u ON t.b = u.b", "a second column `q`");
    check("SELECT TRIM(t) AS t, COUNT(*) AS n FROM silver.t GROUP BY t", "both a column and what is selected");
    check("SELECT q AS x FROM silver.t UNION SELECT t AS x FROM gold.u", "UNION of INT and STRING");
    check("SELECT CASE WHEN c THEN q ELSE t END AS x FROM silver.t", "INT and STRING as one value");
    check("SELECT COUNT(*) AS n FROM silver.t WHERE q", "a condition of type INT");
    check("SELECT p / CAST(q AS DECIMAL(38,20)) AS x FROM silver.t", "a quotient with 20 places");
    check("SELECT SUM(CAST(q AS DECIMAL(38,29))) AS x FROM silver.t", "a sum of decimals with 29 places");
    check("SELECT SUM(1) AS x FROM silver.t", "an aggregate of a constant at line 1, column 12");
    check("SELECT COUNT(*) AS x", "an aggregate without FROM");
    check("SELECT *", "without FROM");
    check("SELECT 1 AS x WHERE TRUE", "a condition without FROM");
}

#[test]
fn queries_name_their_tables_and_columns() {
    let check = |sql: &str, expected: &str| {
        let text = translated(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).text;
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', ""), expected, "{sql}");
    };
    check(
        "WITH silver_t (y) AS (SELECT p * 2 FROM silver.t) SELECT SUM(y) AS x FROM silver_t",
        "WITH silver_t_ (y) AS ( SELECT (t.p * 2) FROM silver_t AS t ) SELECT sum(CAST(silver_t.y AS DECIMAL(28,3))) AS x FROM silver_t_ AS silver_t",
    );
    check(
        "SELECT u.q AS x FROM silver.t AS a LEFT JOIN gold.u USING (b) WHERE b > 1",
        "SELECT u.q AS x FROM silver_t AS a LEFT JOIN gold_u AS u USING (b) WHERE (b > 1)",
    );
    check(
        "SELECT b AS x FROM silver.t UNION ALL SELECT p FROM gold.u",
        "(SELECT CAST(_1 AS DECIMAL(22,3)) AS x FROM (SELECT t.b AS x FROM silver_t AS t) AS part (_1)) UNION ALL (SELECT CAST(_1 AS DECIMAL(22,3)) AS x FROM (SELECT u.p AS p FROM gold_u AS u) AS part (_1))",
    );
    check(
        "SELECT t.q, n.x FROM silver.t CROSS JOIN (SELECT 1 AS x) AS n",
        "SELECT t.q AS q, n.x AS x FROM silver_t AS t CROSS JOIN ( SELECT 1 AS x ) AS n",
    );
    check(
        "SELECT t, COUNT(*) AS n FROM silver.t GROUP BY t HAVING COUNT(*) > 1",
        "SELECT t.t AS t, count(*) AS n FROM silver_t AS t GROUP BY t.t HAVING (count(*) > 1)",
    );
}

/// Why a caller's statement over `sales.retail.t` and `sales.retail.u` is refused; empty where it is not.
fn refused_to_callers(sql: &str) -> String {
    let statement = ProductSql::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let tables = ["sales.retail.t", "sales.retail.u"].map(relation);
    check_statement(&statement, &tables).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn statements_of_callers_are_refused_as_those_of_tables_are() {
    let check = |sql: &str, expected: &str| {
        let error = refused_to_callers(sql);
        assert!(error.contains(expected), "{sql}: {error}");
    };
    check(
        "SELECT q FROM sales.retail.t WHERE c = 1",
        "a comparison of BOOLEAN with INT at line 1, column 40 is not in the portable SQL subset",
    );
    check("SELECT q FROM sales.retail.t WHERE q > 'x'", "a comparison of INT with STRING");
    check("SELECT q FROM sales.retail.t WHERE q", "a condition of type INT");
    check("SELECT q FROM sales.retail.t ORDER BY c = 1", "a comparison of BOOLEAN with INT");
    check(
        "SELECT q FROM sales.retail.t UNION SELECT q FROM sales.retail.u ORDER BY q || 'x'",
        "where a STRING belongs",
    );
    check("SELECT t.q FROM sales.retail.t JOIN sales.retail.u ON t.q = u.t", "a comparison of INT with STRING");
    check("SELECT SUM(t) AS s FROM sales.retail.t", "arithmetic with STRING");
    check("SELECT t, COUNT(*) AS n FROM sales.retail.t GROUP BY t ORDER BY q", "`q`, which is not grouped by,");
    check("SELECT COUNT(*) AS n FROM sales.retail.t WHERE n > 1", "unknown column `n`");
    check("SELECT q AS x, x + 1 AS y FROM sales.retail.t", "unknown column `x`");
    check("SELECT b AS x, q AS x FROM sales.retail.t", "a second column `x`");
    check("SELECT nope FROM sales.retail.t", "unknown column `nope`");
}

#[test]
fn callers_need_no_names_and_may_use_those_they_give() {
    for sql in [
        "SELECT COUNT(*), SUM(q) FROM sales.retail.t",
        "SELECT t.*, u.* FROM sales.retail.t JOIN sales.retail.u ON t.b = u.b ORDER BY u.b",
        "SELECT EXTRACT(YEAR FROM ts) AS y, COUNT(*) AS n FROM sales.retail.t GROUP BY y HAVING n > 1 \
         ORDER BY n DESC, y, n + 1, SUM(b) LIMIT 3",
        "SELECT q FROM sales.retail.t ORDER BY b, t.ts",
        "SELECT ROUND(p, 1) AS x FROM sales.retail.t UNION SELECT m FROM sales.retail.u ORDER BY x",
        "WITH s AS (SELECT t, SUM(q) AS q FROM sales.retail.t GROUP BY t) SELECT \"s\".* FROM s ORDER BY q",
        "SELECT q FROM sales.retail.t WHERE '2011-01-02' < ts AND ts IN ('2011-01-02')",
    ] {
        assert_eq!(refused_to_callers(sql), "", "{sql}");
    }
}

/// Each of these names a part of it more than once: the text for Spark would have more characters than there are atoms.
#[test]
fn what_is_inside_each_other_is_checked_at_once() {
    let check = |start: &str, level: &dyn Fn(String) -> String, levels: usize| {
        let expression = (0..levels).fold(start.to_owned(), |inner, _| level(inner));
        let sql = format!("SELECT {expression} AS x FROM sales.retail.t GROUP BY {start}");
        assert_eq!(refused_to_callers(&sql), "", "{sql}");
        let sql = format!("SELECT q FROM sales.retail.t ORDER BY {expression}");
        assert_eq!(refused_to_callers(&sql), "", "{sql}");
    };
    // As many calls inside each other as are taken.
    check("f", &|inner| format!("CEIL({inner})"), 10);
    check("c", &|inner| format!("({inner} BETWEEN FALSE AND TRUE)"), 28);
    check("q", &|inner| format!("CASE {inner} WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 3 END"), 28);
    check("q", &|inner| format!("CAST(CAST({inner} AS STRING) AS INT)"), 5);
    let long = vec!["q = 1"; 120].join(" AND ");
    assert_eq!(refused_to_callers(&format!("SELECT q FROM sales.retail.t WHERE {long}")), "");
}

#[test]
fn conditions_of_callers_are_checked() {
    let check = |sql: &str, expected: &str| {
        let condition = sql.parse::<Predicate>().unwrap_or_else(|error| panic!("{sql}: {error}"));
        let found = check_condition(&condition, &relation("t").columns).err();
        let found = found.map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(found.is_empty(), expected.is_empty(), "{sql}: {found}");
        assert!(found.contains(expected), "{sql}: {found}");
    };
    check("c AND q > 1", "");
    check("'2011-01-02' < ts", "");
    check("c = 1", "a comparison of BOOLEAN with INT at line 1, column 5");
    check("q", "a condition of type INT");
    check("nope = 1", "unknown column `nope`");
}

#[test]
fn rules_are_one_number_or_one_condition() {
    let columns = relation("t").columns;
    assert_eq!(
        predicate(&"q = 0 OR t LIKE 'x%'".parse().unwrap(), &columns).as_deref(),
        Ok("((`q` = 0) OR (`t` LIKE 'x%'))")
    );
    assert!(predicate(&"q + 1".parse().unwrap(), &columns).is_err());
    let number = metric(&"SELECT COUNT(*) FROM object WHERE q > 1".parse().unwrap(), &relation("checked")).unwrap();
    assert_eq!(number.text, "SELECT\n  count(*)\nFROM `checked` AS `object`\nWHERE (`object`.`q` > 1)");
    assert!(metric(&"SELECT MAX(t) FROM object".parse().unwrap(), &relation("checked")).is_err());
}

const RETAIL: &str = include_str!("../../../../pipelines/retail/pipeline.yaml");
const CONTRACTS: [(&str, &str); 3] = [
    ("contracts/transactions.odcs.yaml", include_str!("../../../../pipelines/retail/contracts/transactions.odcs.yaml")),
    (
        "contracts/daily_revenue.odcs.yaml",
        include_str!("../../../../pipelines/retail/contracts/daily_revenue.odcs.yaml"),
    ),
    ("contracts/customer_rfm.odcs.yaml", include_str!("../../../../pipelines/retail/contracts/customer_rfm.odcs.yaml")),
];

#[test]
fn a_pipeline_is_checked_where_it_is_resolved() {
    let check = |from: &str, to: &str, expected: &[&str]| {
        assert!(RETAIL.contains(from), "{from}");
        let spec = sluice_core::spec::PipelineSpec::parse(&RETAIL.replace(from, to), "pipeline.yaml").unwrap();
        let contracts: BTreeMap<_, _> =
            CONTRACTS.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned())).collect();
        let problems = crate::resolve(&spec, &contracts).err().unwrap_or_default();
        let texts: Vec<String> = problems
            .iter()
            .map(|problem| {
                let source = std::error::Error::source(problem).map(|source| format!(": {source}"));
                format!("{problem}{}", source.unwrap_or_default())
            })
            .collect();
        assert_eq!(texts, expected, "{to}");
    };
    check("country,", "country,", &[]);
    check(
        "invoice_no LIKE 'C%' AS is_cancellation",
        "quantity + country AS is_cancellation",
        &["spec of `retail`: table `transactions`: sql: arithmetic with STRING at line 10, column 3 is not in the \
             portable SQL subset: use numbers, and DATEDIFF for days"],
    );
    check(
        "COUNT(DISTINCT customer_id) AS customers",
        "AVG(quantity) AS customers",
        &[
            "spec of `retail`: table `daily_revenue`: sql: the unknown column `quantity` at line 32, column 7 is not in \
             the portable SQL subset: name a column of a table in FROM; case counts",
        ],
    );
    check(
        "COUNT(DISTINCT customer_id) AS customers",
        "COUNT(DISTINCT customer_id) / 2 AS customers",
        &[
            "spec of `retail`: table `daily_revenue`: column `customers` is BIGINT in the contract but sql gives DOUBLE; \
             doubles are not exact; compute it from integers and decimals, without AVG or /, or CAST it",
        ],
    );
}
