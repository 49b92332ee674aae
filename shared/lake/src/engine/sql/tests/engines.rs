//! The judge of the portable subset: one table of statements on Polars and on a real Spark.
//!
//! It needs a Spark 3.5, named by `SLUICE_SPARK_HOME` or `SPARK_HOME`, or that of the pyspark of `python3`. Without one
//! it says so, and only finds out that Polars answers or refuses what it should.

use std::fmt::Write;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use sluice_spark::sql::{Relation, SETTINGS, SparkQuery, SqlType, query as translate};

use super::*;

/// The rows of [`table`], for Spark.
const ROWS: &str = "
CREATE OR REPLACE TEMPORARY VIEW silver_t AS SELECT CAST(q AS INT) q, CAST(b AS BIGINT) b, CAST(f AS DOUBLE) f, t, c,
  CAST(p AS DECIMAL(12,3)) p, CAST(m AS DECIMAL(12,2)) m, CAST(ts AS TIMESTAMP) ts
FROM VALUES (6, 1, 0.5, 'C536365', true, '2.555', '1.05', '2011-01-01 23:59:59'),
  (-2, 2, 1.5, ' x ', false, '1.005', '-1.15', '2011-01-02 00:00:00'),
  (null, 3, 2.5, null, null, '0.333', null, '2011-03-01 12:00:00') AS v(q, b, f, t, c, p, m, ts);
CREATE OR REPLACE TEMPORARY VIEW gold_u AS SELECT * FROM silver_t;
";

/// Expressions over `silver.t`, and queries with one column `x`, that both engines answer alike.
const ANSWERED: &[&str] = &[
    // Integers.
    "q + q",
    "q - b",
    "-q",
    "-(-5)",
    "+b",
    "q * 2147483647",
    "b + 9223372036854775804",
    "9223372036854775807 - b",
    "q % 4",
    "-7 % 3",
    "ABS(q)",
    "SIGN(q)",
    "SIGN(m)",
    "SIGN(-f)",
    "q / 4",
    "q / q",
    "CEIL(q)",
    "ROUND(q, 1)",
    // Decimals.
    "p + m",
    "p - m",
    "p + q",
    "p - 0.5",
    "-p",
    "-1.50",
    "p * m",
    "p * q",
    "p * 1.2",
    "p / 3",
    "m / -3",
    "p / m",
    "p / q",
    "p / 0.00000000001",
    "CAST('99999999999999999999.5' AS DECIMAL(38,10)) / CAST('3' AS DECIMAL(38,10))",
    "CAST('199.123456789012345678' AS DECIMAL(38,18)) / CAST('7.5' AS DECIMAL(38,18))",
    "CAST('5' AS DECIMAL(38,18)) / CAST('99999999999999999999' AS DECIMAL(38,18))",
    "p % 1",
    "m % 0.4",
    "ABS(m)",
    "CAST(100000000 + b AS DECIMAL(12,3)) >= 4.94999999999",
    "CAST(100000000 + b AS DECIMAL(12,3)) > -0.00000000001",
    "CAST(100000000 + b AS DECIMAL(12,3)) > CAST(0.5 AS DECIMAL(12,11))",
    "CEIL(p)",
    "CEIL(m)",
    "FLOOR(p)",
    "FLOOR(m)",
    "ROUND(p)",
    "ROUND(p, 1)",
    "ROUND(p, 2)",
    "ROUND(-p, 2)",
    "ROUND(p, 5)",
    "ROUND(p * m, 4)",
    "p + f",
    "p * f",
    "CAST('123456789012345678.123' AS DECIMAL(38,3)) * 1e0",
    // Doubles.
    "f + q",
    "-f",
    "f * 0.1e0",
    "f / 3",
    "(f - f + 420.362e0) / 7",
    "f / 0.3e0",
    "ROUND(f)",
    "ROUND(-f)",
    "ROUND(f + 1.675e0, 2)",
    "ROUND(1.005e0, 2)",
    "ROUND(2.675e0, 2)",
    "ROUND(0.5e-7, 7)",
    "ROUND(1e300, 3)",
    "ROUND(-0.4e0)",
    "CEIL(f)",
    "CEIL(-f)",
    "FLOOR(-f)",
    "CEIL(1e18)",
    "-1E-3 * f",
    "1.5e0",
    ".5e1 + 1.e0",
    "ROUND(1234567.891e0, 1)",
    "CAST(0.1e0 * 3 AS DECIMAL(38,18))",
    // Null with zero.
    "CAST(NULL AS INT) / 0",
    "CAST(NULL AS INT) % 0",
    "CAST(NULL AS DECIMAL(5,2)) / 0",
    "CAST(NULL AS DOUBLE) / 0",
    "p / NULLIF(m - m, 0)",
    "q / NULLIF(0, 0)",
    // Casts.
    "CAST(p AS DECIMAL(18,2))",
    "CAST(q AS DECIMAL(18,2))",
    "CAST(b AS DECIMAL(3,0))",
    "CAST(f AS DECIMAL(18,0))",
    "CAST(1.005e0 AS DECIMAL(18,2))",
    "CAST(-2.675e0 AS DECIMAL(18,2))",
    "CAST(' 1.5 ' AS DECIMAL(18,2))",
    "CAST('.50' AS DECIMAL(18,1))",
    "CAST('1.500' AS DECIMAL(18,1))",
    "CAST('+007' AS INT)",
    "CAST(' -12 ' AS BIGINT)",
    "CAST('1e3' AS DOUBLE)",
    "CAST('-.5' AS DOUBLE)",
    "CAST(' True ' AS BOOLEAN)",
    "CAST(p AS INT)",
    "CAST(-p AS BIGINT)",
    "CAST(f AS INT)",
    "CAST(-f AS BIGINT)",
    "CAST(c AS INT)",
    "CAST(m AS DOUBLE)",
    "CAST(q AS STRING)",
    "CAST(m AS STRING)",
    "CAST(0.00000001 AS STRING)",
    "CAST(c AS STRING)",
    "CAST(ts AS DATE)",
    "CAST(CAST(ts AS DATE) AS STRING)",
    "CAST('2011-01-02' AS TIMESTAMP)",
    "CAST('2011-01-02T10:00:00+02:00' AS TIMESTAMP)",
    "CAST(NULL AS DATE)",
    // Texts.
    "TRIM(t)",
    "LENGTH(TRIM(' \ta\t '))",
    "LENGTH(LTRIM(' \ta\t '))",
    "LENGTH(RTRIM(' \ta\t '))",
    "LENGTH(t)",
    "UPPER(t) || LOWER(t)",
    "LEFT(t, 2)",
    "LEFT(t, 0)",
    "LEFT(t, -1)",
    "LEFT(t, q)",
    "LEFT(t, LENGTH(t) - 2)",
    "RIGHT(t, 2)",
    "RIGHT(t, -1)",
    "RIGHT(t, 99)",
    "RIGHT(t, q)",
    "LEFT('äöü', 2)",
    "RIGHT('äöü', 2)",
    "SUBSTR(t, 2)",
    "SUBSTR(t, 2, 3)",
    "SUBSTR(t, 99)",
    "SUBSTR(t, b)",
    "SUBSTR(t, b - 2)",
    "SUBSTR(t, b - 2, 2)",
    "SUBSTR(t, q, b)",
    "SUBSTR(t, 2, q)",
    "SUBSTRING('äöü' FROM 2 FOR 1)",
    "REPLACE(t, '36', '-')",
    "REPLACE(t, '', '-')",
    "REPLACE(t, '5', '')",
    "NULLIF(TRIM(t), 'x')",
    "t LIKE 'C%'",
    "t NOT LIKE '_536365'",
    // Conditions and choices.
    "p = 1.005",
    "p IN (1.005, 2.5550)",
    "q NOT IN (6, -7)",
    "p BETWEEN 1 AND 2.5549",
    "c IS NOT TRUE",
    "c IS FALSE",
    "ts > '2011-01-02'",
    "'2011-01-02' < ts",
    "ts BETWEEN '2011-01-01' AND '2011-01-02'",
    "'2011-01-02' BETWEEN ts AND ts",
    "ts IN ('2011-01-02', '2011-03-01 12:00:00')",
    "CAST(ts AS DATE) NOT IN ('2011-01-02')",
    "CASE ts WHEN '2011-01-02' THEN 1 ELSE 2 END",
    "ts >= DATE '2011-01-02'",
    "GREATEST(q, b)",
    "LEAST(p, m)",
    "COALESCE(q * p, 0)",
    "CASE WHEN q > 0 THEN q * p ELSE 0 END",
    "CASE WHEN c THEN q ELSE f END",
    // Days and instants.
    "DATEDIFF(ts, DATE '2011-01-01')",
    "EXTRACT(YEAR FROM ts)",
    "EXTRACT(WEEK FROM ts)",
    "EXTRACT(SECOND FROM ts)",
    "EXTRACT(DOY FROM CAST(ts AS DATE))",
    // Queries.
    "SELECT COUNT(*) AS x FROM (SELECT b FROM silver.t UNION ALL SELECT b FROM gold.u) AS o",
    "SELECT SUM(q) AS x FROM silver.t",
    "SELECT SUM(b) AS x FROM silver.t",
    "SELECT SUM(b * 3074457345618258600) - 1 AS x FROM silver.t WHERE b < 3",
    "SELECT SUM(p) AS x FROM silver.t",
    "SELECT SUM(f) AS x FROM silver.t",
    "SELECT SUM(q) AS x FROM silver.t WHERE b > 9",
    "SELECT SUM(CAST(b * 3333333333 AS DECIMAL(38,18))) AS x FROM silver.t",
    "SELECT AVG(p) AS x FROM silver.t",
    "SELECT AVG(b) AS x FROM silver.t",
    "SELECT AVG(p) AS x FROM silver.t WHERE b > 9",
    "SELECT SUM(q) AS x FROM silver.t GROUP BY c HAVING SUM(b) > 1",
    "SELECT COUNT(DISTINCT t) + COUNT(*) AS x FROM silver.t",
    "SELECT COUNT(1) AS x FROM silver.t",
    "SELECT COUNT(1) AS x FROM silver.t WHERE b > 9",
    "SELECT COUNT(1) AS x FROM silver.t GROUP BY c",
    "SELECT COUNT(NULL) AS x FROM silver.t",
    "SELECT SUM(CASE WHEN c THEN 1 ELSE 0 END) AS x FROM silver.t",
    "SELECT AVG(f) AS x FROM silver.t GROUP BY q > 0",
    "SELECT DISTINCT b % 2 AS x FROM silver.t",
    "SELECT SUM(SIGN(q)) AS x FROM silver.t",
    "SELECT MAX(-q) AS x FROM silver.t",
    // Infinity less infinity is NaN, which is greater than all numbers.
    "SELECT MAX(CASE WHEN b = 2 THEN f * 1e308 * 1e308 - f * 1e308 * 1e308 ELSE f END) AS x FROM silver.t",
    "SELECT MIN(CASE WHEN b = 2 THEN f * 1e308 * 1e308 - f * 1e308 * 1e308 ELSE f END) AS x FROM silver.t",
    "SELECT MAX(f * 1e308 * -1e308 * f) AS x FROM silver.t",
    "SELECT MIN(CAST(ts AS DATE)) AS x FROM silver.t",
    "SELECT SUM(t.b - u.b) AS x FROM silver.t JOIN gold.u ON t.b < u.b",
    "SELECT t.q + n.one AS x FROM silver.t CROSS JOIN (SELECT 1 AS one) AS n",
    "SELECT COALESCE(u.b, 0) AS x FROM silver.t LEFT JOIN gold.u ON t.b = u.b AND u.q > 0",
    "SELECT COALESCE(t.b, 0) AS x FROM silver.t RIGHT JOIN gold.u ON t.b < u.b",
    "SELECT COALESCE(t.b, 0) - COALESCE(u.b, 0) AS x FROM silver.t FULL JOIN gold.u ON t.b = u.b AND t.q < u.b",
    "SELECT b AS x FROM silver.t FULL JOIN gold.u USING (b)",
    "SELECT b AS x FROM silver.t GROUP BY b HAVING b > 1",
    "SELECT b % 2 + COUNT(*) AS x FROM silver.t GROUP BY b % 2 HAVING b % 2 = 1 OR COUNT(*) = 1",
    "SELECT COUNT(*) AS x FROM silver.t HAVING MAX(b) = 3",
    "SELECT q - 1 AS x FROM silver.t UNION SELECT b FROM gold.u",
    "SELECT x FROM (SELECT p AS x FROM silver.t UNION ALL SELECT q FROM gold.u) AS o WHERE x > 1",
    "WITH a (y) AS (SELECT ROUND(p, 1) FROM silver.t) SELECT SUM(y - 1) AS x FROM a",
];

/// What fails on both engines, when it is computed.
const FAILING: &[&str] = &[
    "b + 9223372036854775807",
    "-9223372036854775807 - b",
    "b * 9223372036854775807",
    "-(b - 2 - 9223372036854775807)",
    "CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)) + b",
    "CAST('9999999999999999999999999999' AS DECIMAL(38,0)) * CAST('99999999999999' AS DECIMAL(38,0))",
    "q / 0",
    "p / 0",
    "f / 0",
    "q % 0",
    "p % 0",
    "b / (b - b)",
    "p / CAST('100000000000000000000' AS DECIMAL(38,0))",
    "CAST('100000000000000000000' AS DECIMAL(38,0)) / p",
    "CAST('seven' AS INT)",
    "CAST('1.0' AS INT)",
    "CAST('2147483648' AS INT)",
    "CAST('' AS BIGINT)",
    "CAST('inf' AS DOUBLE)",
    "CAST('1e999' AS DOUBLE)",
    "CAST('1.005' AS DECIMAL(18,2))",
    "CAST('1e2' AS DECIMAL(18,2))",
    "CAST('1000' AS DECIMAL(5,2))",
    "CAST(1000 * b AS DECIMAL(5,2))",
    "CAST(9.5e0 * b AS DECIMAL(1,0))",
    "CAST('yes' AS BOOLEAN)",
    "CAST(LEFT('2011-02-30', 10) AS DATE)",
    "CAST(3000000000 * b AS INT)",
    "SELECT SUM(b + 9223372036854775800) AS x FROM silver.t",
    "SELECT SUM(CAST(b * 12345678901 AS DECIMAL(38,18))) AS x FROM silver.t",
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

fn whole_query(sql: &str) -> String {
    if sql.contains("SELECT ") { sql.to_owned() } else { format!("SELECT {sql} AS x FROM silver.t") }
}

fn translated(sql: &str) -> SparkQuery {
    let inputs =
        BTreeMap::from([("silver.t".to_owned(), relation("silver_t")), ("gold.u".to_owned(), relation("gold_u"))]);
    whole_query(sql)
        .parse::<TableSql>()
        .and_then(|parsed| translate(&parsed, &inputs))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// A type as far as a contract cares: integers of every width are one, and so are decimals with the same places.
fn spark_type(sql_type: SqlType) -> String {
    match sql_type {
        SqlType::Int32 | SqlType::Int64 => "integer".to_owned(),
        SqlType::Decimal { scale, .. } => format!("decimal with {scale} places"),
        other => other.to_string(),
    }
}

fn polars_type_of(dtype: &DataType) -> String {
    match dtype {
        whole if whole.is_integer() => "integer".to_owned(),
        DataType::Decimal(_, scale) => format!("decimal with {scale} places"),
        other => crate::engine::types::column_type(other).map_or_else(|| other.to_string(), |known| known.to_string()),
    }
}

/// Type and values: in their order for an expression, sorted for a query. Doubles as Rust writes them.
fn shown(sql: &str, sql_type: &str, mut values: Vec<String>) -> String {
    if sql_type == "DOUBLE" {
        let double = |text: &String| text.parse::<f64>().map_or_else(|_| text.clone(), |value| format!("{value:?}"));
        values = values.iter().map(double).collect();
    }
    if sql.contains("SELECT ") {
        values.sort();
    }
    format!("{sql_type}: {}", values.join("|"))
}

/// What Polars answers; an error as `failed` with its message.
fn polars(sql: &str) -> Result<String, String> {
    let answered = query(&whole_query(sql)).map_err(|error| StepError::new(error.name(), &error).to_string())?;
    let [column] = answered.columns() else { panic!("{sql}: {} columns", answered.width()) };
    let sql_type = polars_type_of(column.dtype());
    let column = match column.dtype() {
        DataType::Datetime(..) => column.cast(&DataType::Int64).unwrap(),
        _ => column.clone(),
    };
    let texts = column.cast(&DataType::String).unwrap();
    let values = texts.str().unwrap().iter().map(|text| text.unwrap_or("null").to_owned()).collect();
    Ok(shown(sql, &sql_type, values))
}

fn spark_home() -> Option<PathBuf> {
    let named = std::env::var_os("SLUICE_SPARK_HOME").or_else(|| std::env::var_os("SPARK_HOME"));
    if let Some(home) = named {
        return Some(PathBuf::from(home));
    }
    let script = "import os, pyspark; print(os.path.dirname(pyspark.__file__))";
    let found = Command::new("python3").args(["-c", script]).output().ok().filter(|found| found.status.success())?;
    Some(PathBuf::from(String::from_utf8(found.stdout).ok()?.trim()))
}

/// What Spark answers to each statement; nothing where it fails. The statements come from its standard input, where an
/// error does not end the session; their answers begin with a mark that is not in their text, which is echoed.
fn spark(home: &std::path::Path, statements: &[&str]) -> Vec<Option<String>> {
    let mut script = String::new();
    for (name, value, _) in SETTINGS {
        writeln!(script, "SET {name}={value};").unwrap();
    }
    script.push_str(ROWS);
    let mut types = Vec::with_capacity(statements.len());
    for (index, sql) in statements.iter().enumerate() {
        let statement = translated(sql);
        let sql_type = statement.columns.first().unwrap().1;
        types.push(spark_type(sql_type));
        let text = if sql_type == SqlType::Timestamp { "unix_micros(x)" } else { "x" };
        let values = format!("concat_ws('|', collect_list(coalesce(CAST({text} AS STRING), 'null')))");
        writeln!(script, "SELECT concat('@', '@{index}#'), {values} FROM (\n{}\n) AS z;", statement.text).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("statements.sql");
    std::fs::write(&file, script).unwrap();
    let temporary = format!("-Djava.io.tmpdir={} -XX:TieredStopAtLevel=1", folder.path().display());
    let ran = Command::new(home.join("bin").join("spark-sql"))
        .args(["--master", "local[1]", "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=1"])
        .args(["--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1"])
        .args(["--conf", "spark.sql.catalogImplementation=in-memory", "--driver-java-options", &temporary])
        .current_dir(folder.path())
        .stdin(File::open(&file).unwrap())
        .output()
        .unwrap();
    let answered = String::from_utf8(ran.stdout).unwrap();
    assert!(answered.contains("@@0#"), "Spark answers: {}", String::from_utf8_lossy(&ran.stderr));
    let answers = statements.iter().zip(&types).enumerate().map(|(index, (sql, sql_type))| {
        let mark = format!("@@{index}#\t");
        let values = answered.lines().find_map(|line| line.strip_prefix(mark.as_str()))?;
        Some(shown(sql, sql_type, values.split('|').map(ToOwned::to_owned).collect()))
    });
    answers.collect()
}

#[test]
fn both_engines_answer_alike() {
    let mut differences = Vec::new();
    for sql in ANSWERED {
        differences.extend(polars(sql).err().map(|error| format!("{sql}: Polars fails: {error}")));
    }
    for sql in FAILING {
        differences.extend(polars(sql).ok().map(|answer| format!("{sql}: Polars answers {answer}")));
    }
    if let Some(home) = spark_home() {
        let statements = [ANSWERED, FAILING].concat();
        for (sql, answer) in statements.iter().zip(spark(&home, &statements)) {
            let fails = FAILING.contains(sql);
            match (polars(sql).ok().filter(|_| !fails), answer) {
                (Some(expected), Some(answer)) if expected == answer => {}
                (None, None) => {}
                (expected, answer) => differences.push(format!("{sql}: Polars {expected:?}, Spark {answer:?}")),
            }
        }
    } else {
        eprintln!("SKIPPED on Spark: no Spark was found; set SLUICE_SPARK_HOME to its folder");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
