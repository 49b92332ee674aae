//! The translated subset on real Spark: the values that the engine's own tests have on Polars (`engine/sql/tests.rs`).
//!
//! It needs a Spark 3.5, named by `SLUICE_SPARK_HOME` or `SPARK_HOME`; without one it says so and passes.
#![expect(clippy::print_stderr, reason = "a skipped test must say so")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it is a test")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use sluice_core::contract::ColumnType;
use sluice_core::name::Layer;
use sluice_core::spark::sql::{Relation, SETTINGS, query};

/// The rows of both tables.
const ROWS: &str = "
CREATE OR REPLACE TEMPORARY VIEW silver_t AS SELECT CAST(q AS INT) q, CAST(b AS BIGINT) b, CAST(f AS DOUBLE) f, t, c,
  CAST(p AS DECIMAL(12,3)) p, CAST(m AS DECIMAL(12,2)) m, CAST(ts AS TIMESTAMP) ts
FROM VALUES (6, 1, 0.5, 'C536365', true, '2.555', '1.05', '2011-01-01 23:59:59'),
  (-2, 2, 1.5, ' x ', false, '1.005', '-1.15', '2011-01-02 00:00:00'),
  (null, 3, 2.5, null, null, '0.333', null, '2011-03-01 12:00:00') AS v(q, b, f, t, c, p, m, ts);
CREATE OR REPLACE TEMPORARY VIEW gold_u AS SELECT * FROM silver_t;
";

/// An expression over `silver.t`, or a query with one column `x`; its type and its values.
const EXPECTED: &[(&str, &str)] = &[
    ("q * p", "DECIMAL(38,3): 15.330|-2.010|null"),
    ("p * m", "DECIMAL(38,5): 2.68275|-1.15575|null"),
    ("p * 1.2", "DECIMAL(38,4): 3.0660|1.2060|0.3996"),
    ("p + 0.5", "DECIMAL(38,3): 3.055|1.505|0.833"),
    ("p - m", "DECIMAL(38,3): 1.505|2.155|null"),
    ("ROUND(q * p, 2)", "DECIMAL(38,2): 15.33|-2.01|null"),
    ("ROUND(p, 2)", "DECIMAL(12,2): 2.56|1.01|0.33"),
    ("ROUND(-p, 2)", "DECIMAL(38,2): -2.56|-1.01|-0.33"),
    ("ROUND(p, 0)", "DECIMAL(12,0): 3|1|0"),
    ("ROUND(p, 5)", "DECIMAL(12,3): 2.555|1.005|0.333"),
    ("CAST(p AS DECIMAL(18, 2))", "DECIMAL(18,2): 2.56|1.01|0.33"),
    ("CAST(q AS DECIMAL(18, 2))", "DECIMAL(18,2): 6.00|-2.00|null"),
    ("CAST('1.5' AS DECIMAL(18, 2))", "DECIMAL(18,2): 1.50|1.50|1.50"),
    ("COALESCE(q * p, 0)", "DECIMAL(38,3): 15.330|-2.010|0.000"),
    ("CASE WHEN q > 0 THEN q * p ELSE 0 END", "DECIMAL(38,3): 15.330|0.000|0.000"),
    ("CASE WHEN q > 0 THEN p ELSE 0.00 END", "DECIMAL(12,3): 2.555|0.000|0.000"),
    ("ABS(m)", "DECIMAL(12,2): 1.05|1.15|null"),
    ("p = 1.005", "BOOLEAN: false|true|false"),
    ("p IN (1.005, 2.5550)", "BOOLEAN: true|true|false"),
    ("p BETWEEN 1 AND 2.5549", "BOOLEAN: false|true|false"),
    ("p / 3", "DECIMAL(38,6): 0.851667|0.335000|0.111000"),
    ("m / -3", "DECIMAL(38,6): -0.350000|0.383333|null"),
    ("p / m", "DECIMAL(38,6): 2.433333|-0.873913|null"),
    ("q / 4", "DOUBLE: 1.5|-0.5|null"),
    ("f / 2", "DOUBLE: 0.25|0.75|1.25"),
    ("SELECT 100.0 * SUM(CASE WHEN q > 0 THEN 1 ELSE 0 END) / COUNT(*) AS x FROM silver.t", "DECIMAL(38,6): 33.333333"),
    ("p / NULLIF(0, 0)", "DECIMAL(38,6): null|null|null"),
    ("SELECT SUM(p) AS x FROM silver.t", "DECIMAL(38,3): 3.893"),
    ("SELECT SUM(q * 2000000000) AS x FROM silver.t", "BIGINT: 8000000000"),
    ("TRIM(t)", "STRING: C536365|x|null"),
    ("NULLIF(TRIM(t), 'x')", "STRING: C536365|null|null"),
    ("t LIKE 'C%'", "BOOLEAN: true|false|null"),
    ("t NOT LIKE '_536365'", "BOOLEAN: false|true|null"),
    ("LEFT(t, LENGTH(t) - 2)", "STRING: C5363| |null"),
    ("LENGTH(t)", "INT: 7|3|null"),
    ("SUBSTR(t, 2, 3)", "STRING: 536|x |null"),
    ("UPPER(t)", "STRING: C536365| X |null"),
    ("t || '!'", "STRING: C536365!| x !|null"),
    ("CAST(ts AS DATE)", "DATE: 2011-01-01|2011-01-02|2011-03-01"),
    ("DATEDIFF(DATE '2011-03-01', CAST(ts AS DATE))", "INT: 59|58|0"),
    ("DATEDIFF(ts, DATE '2011-01-01')", "INT: 0|1|59"),
    ("EXTRACT(YEAR FROM ts)", "INT: 2011|2011|2011"),
    ("ROUND(f)", "DOUBLE: 1.0|2.0|3.0"),
    ("q % 4", "BIGINT: 2|-2|null"),
    ("p % 1", "DECIMAL(38,3): 0.555|0.005|0.333"),
    ("ts > TIMESTAMP '2011-01-02 00:00:00'", "BOOLEAN: false|false|true"),
    ("ts >= DATE '2011-01-02'", "BOOLEAN: false|true|true"),
    ("CAST(ts AS DATE) = DATE '2011-01-01'", "BOOLEAN: true|false|false"),
    ("CAST('2011-01-02' AS TIMESTAMP) = ts", "BOOLEAN: false|true|false"),
    ("ts > '2011-01-02'", "BOOLEAN: false|false|true"),
    ("t IN ('C536365', 'y')", "BOOLEAN: true|false|null"),
    ("q NOT IN (6, 7)", "BOOLEAN: false|true|null"),
    ("GREATEST(q, b)", "BIGINT: 6|2|3"),
    ("LEAST(q, b)", "BIGINT: 1|-2|3"),
    ("c IS TRUE", "BOOLEAN: true|false|false"),
    ("c IS NOT TRUE", "BOOLEAN: false|true|true"),
    ("c IS FALSE", "BOOLEAN: false|true|false"),
    ("c IS NOT FALSE", "BOOLEAN: true|false|true"),
    ("SIGN(q)", "INT: 1|-1|null"),
    ("SELECT AVG(p) AS x FROM silver.t", "DECIMAL(38,6): 1.297667"),
    ("SELECT AVG(q) AS x FROM silver.t", "DOUBLE: 2.0"),
    ("SELECT AVG(p) AS x FROM silver.t WHERE b > 9", "DECIMAL(38,6): null"),
    ("SELECT AVG(p) + ROUND(SUM(p) / 3, 1) AS x FROM silver.t GROUP BY b > 0", "DECIMAL(38,6): 2.597667"),
    ("SELECT COUNT(DISTINCT CASE WHEN c THEN NULL ELSE t END) AS x FROM silver.t", "BIGINT: 1"),
    (
        "SELECT n.d AS x FROM gold.u AS u CROSS JOIN (SELECT MAX(CAST(ts AS DATE)) AS d FROM silver.t) AS n",
        "DATE: 2011-03-01|2011-03-01|2011-03-01",
    ),
    ("SELECT t.q AS x FROM silver.t JOIN gold.u ON t.b = u.b AND t.q = u.q WHERE t.q > 0", "INT: 6"),
    ("WITH a AS (SELECT b FROM silver.t) SELECT COUNT(*) AS x FROM a WHERE a.b > 1", "BIGINT: 2"),
    (
        "WITH a (y) AS (SELECT ROUND(p, 1) FROM silver.t), b AS (SELECT y * 2 AS x FROM a) SELECT SUM(b.x) AS x FROM b",
        "DECIMAL(38,1): 7.8",
    ),
    (
        "SELECT SUM(x) AS x FROM (SELECT ROUND(p, 1) AS x FROM (SELECT p * 2 AS p FROM silver.t) AS i) AS o",
        "DECIMAL(38,1): 7.8",
    ),
    (
        "SELECT SUM(x) AS x FROM (SELECT ROUND(p, 1) AS x FROM silver.t UNION ALL (SELECT q * 2 FROM gold.u)) AS o",
        "DECIMAL(38,1): 11.9",
    ),
    ("SELECT SUM(x) AS x FROM (SELECT q * 1 AS x FROM silver.t UNION SELECT q * 1 AS x FROM gold.u) AS o", "BIGINT: 4"),
    (
        "SELECT o.x FROM (SELECT MAX(q * 2) AS x FROM silver.t) AS o CROSS JOIN (SELECT 1 * 1 AS one FROM silver.t) AS n WHERE o.x > n.one",
        "BIGINT: 12|12|12",
    ),
    ("SELECT t.b * u.b AS x FROM silver.t CROSS JOIN gold.u WHERE t.b < u.b AND u.b < 3", "BIGINT: 2"),
    ("SELECT SUM(t.b * u.b) AS x FROM silver.t, gold.u WHERE t.b <= u.b AND t.q <> u.b", "BIGINT: 16"),
    ("SELECT SUM(t.b * u.b) AS x FROM silver.t JOIN gold.u ON t.b < u.b", "BIGINT: 11"),
];

fn relation(name: &str) -> Relation {
    let columns = [
        ("q", ColumnType::Int32),
        ("b", ColumnType::Int64),
        ("f", ColumnType::Double),
        ("t", ColumnType::Text),
        ("c", ColumnType::Boolean),
        ("p", ColumnType::Decimal { precision: 12, scale: 3 }),
        ("m", ColumnType::Decimal { precision: 12, scale: 2 }),
        ("ts", ColumnType::Timestamp),
    ];
    let columns = columns.into_iter().map(|(name, column_type)| (name.to_owned(), column_type)).collect();
    Relation { name: name.to_owned(), columns }
}

#[test]
fn spark_answers_what_polars_does() {
    let Some(home) = std::env::var_os("SLUICE_SPARK_HOME").or_else(|| std::env::var_os("SPARK_HOME")) else {
        eprintln!("SKIPPED: no Spark; name one by SLUICE_SPARK_HOME");
        return;
    };
    let inputs = BTreeMap::from([
        ((Layer::Silver, "t".parse().unwrap()), relation("silver_t")),
        ((Layer::Gold, "u".parse().unwrap()), relation("gold_u")),
    ]);
    let mut script = String::new();
    for (name, value) in SETTINGS {
        writeln!(script, "SET {name}={value};").unwrap();
    }
    script.push_str(ROWS);
    let mut types = Vec::new();
    for (index, (sql, _)) in EXPECTED.iter().enumerate() {
        let whole =
            if sql.contains("SELECT ") { (*sql).to_owned() } else { format!("SELECT {sql} AS x FROM silver.t") };
        let translated = query(&whole, &inputs).unwrap_or_else(|error| panic!("{sql}: {error}"));
        types.extend(translated.columns.first().map(|(_, sql_type)| sql_type.to_string()));
        let values = "concat_ws('|', collect_list(coalesce(CAST(x AS STRING), 'null')))";
        writeln!(script, "SELECT '#{index}', {values} FROM (\n{}\n) AS z;", translated.text).unwrap();
    }
    let file = std::env::temp_dir().join(format!("sluice-spark-sql-{}.sql", std::process::id()));
    std::fs::write(&file, script).unwrap();
    let ran = Command::new(PathBuf::from(home).join("bin").join("spark-sql"))
        .args(["--master", "local[1]", "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=1"])
        .args(["--conf", "spark.sql.catalogImplementation=in-memory", "-f"])
        .arg(&file)
        .output();
    std::fs::remove_file(&file).unwrap();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let answered = String::from_utf8(ran.stdout).unwrap();
    let values: BTreeMap<&str, &str> =
        answered.lines().filter_map(|line| line.strip_prefix('#')?.split_once('\t')).collect();
    for (index, ((sql, expected), sql_type)) in EXPECTED.iter().zip(&types).enumerate() {
        let value = values.get(index.to_string().as_str()).copied().unwrap_or("no answer");
        assert_eq!(format!("{sql_type}: {value}"), *expected, "{sql}");
    }
}
