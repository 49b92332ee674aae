mod engines;
mod failing;
mod fuzz;
mod groups;
mod joins;
mod values;

use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame, DataType, IntoLazy, NamedFrom, Series, TimeUnit, TimeZone, df};
use sluice_core::contract::ColumnType;
use sluice_core::error::StepError;
use sluice_core::pipeline::Pipeline;
use sluice_core::reading::Reading;
use sluice_core::spec::PipelineSpec;
use sluice_core::sql::TableSql;

use super::*;
use crate::engine::cast::read_exprs;
use crate::engine::cast::testing::contract;
use crate::engine::collect_streaming;
use crate::engine::types::canonical_text;

fn decimals(name: &str, scale: usize, values: &[Option<&str>]) -> Column {
    Series::new(name.into(), values).cast(&DataType::Decimal(12, scale)).unwrap().into()
}

/// `q` INT, `b` BIGINT, `p` DECIMAL(12,3), `m` DECIMAL(12,2), `f` DOUBLE, `t` text, `ts` TIMESTAMP, `c` BOOLEAN.
fn table() -> DataFrame {
    // 23:59:59 on New Year's Day 2011, the second after, and noon on the first of March.
    let instants = Series::new("ts".into(), [1_293_926_399_000_000_i64, 1_293_926_400_000_000, 1_298_980_800_000_000])
        .cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)))
        .unwrap();
    let mut frame = df!(
        "q" => [Some(6), Some(-2), None],
        "b" => [1_i64, 2, 3],
        "f" => [0.5, 1.5, 2.5],
        "t" => [Some("C536365"), Some(" x "), None],
        "c" => [Some(true), Some(false), None],
    )
    .unwrap();
    frame.with_column(decimals("p", 3, &[Some("2.555"), Some("1.005"), Some("0.333")])).unwrap();
    frame.with_column(decimals("m", 2, &[Some("1.05"), Some("-1.15"), None])).unwrap();
    frame.with_column(instants.into()).unwrap();
    frame
}

#[test]
fn conditions_of_constants_or_of_one_column_are_expressions() {
    let columns = table().schema().as_ref().clone();
    for (condition, kept) in [("NOT ('France' LIKE '%1%')", 3), ("TRUE", 3), ("1 = 2", 0), ("c", 1), ("NOT c", 1)] {
        let predicate: Predicate = condition.parse().unwrap();
        let expr = predicate_over(&predicate, &columns).expect(condition);
        assert_eq!(table().lazy().filter(expr).collect().expect(condition).height(), kept, "{condition}");
    }
}

/// What both engines answer: the streaming one, which most statements run on, and the one in memory.
fn query(sql: &str) -> Result<DataFrame, EngineError> {
    let parsed: TableSql = sql.parse()?;
    let tables = vec![("silver.t".to_owned(), table().lazy()), ("gold.u".to_owned(), table().lazy())];
    let planned = run(parsed.engine_query(), tables)?;
    let schema = planned.clone().collect_schema()?;
    let answered = collect_streaming(planned.clone()).map_err(EngineError::while_running("the query"))?;
    assert_eq!(schema.as_ref(), answered.schema().as_ref(), "{sql}: the planned types are the real ones");
    let in_memory = planned.collect().map_err(EngineError::while_running("the query"))?;
    assert_eq!(in_memory.schema(), answered.schema(), "{sql}: both engines agree");
    assert_eq!(texts(&in_memory), texts(&answered), "{sql}: both engines agree");
    Ok(answered)
}

/// The rows as texts, in order of these.
fn texts(rows: &DataFrame) -> Vec<String> {
    let row = |row: usize| {
        let cells = rows.columns().iter().map(|column| column.get(row).unwrap().to_string());
        cells.collect::<Vec<_>>().join("/")
    };
    let mut texts: Vec<String> = (0..rows.height()).map(row).collect();
    texts.sort();
    texts
}

#[test]
fn nulls_come_last_in_either_direction() {
    let check = |order: &str, expected: [Option<i64>; 3]| {
        let sql = format!("SELECT v FROM sales.retail.t ORDER BY {order}");
        let parsed: sluice_core::sql::ProductSql = sql.parse().unwrap();
        let rows = df!("v" => [Some(1_i64), None, Some(2)]).unwrap();
        let planned = run(parsed.engine_query(), vec![("sales.retail.t".to_owned(), rows.lazy())]).unwrap();
        for answered in [planned.clone().collect().unwrap(), collect_streaming(planned).unwrap()] {
            let found: Vec<Option<i64>> = answered.column("v").unwrap().i64().unwrap().iter().collect();
            assert_eq!(found, expected, "{sql}");
        }
    };
    let [one, two] = [Some(1), Some(2)];
    check("v", [one, two, None]);
    check("v DESC", [two, one, None]);
    check("v NULLS FIRST", [None, one, two]);
    check("v DESC NULLS FIRST", [None, two, one]);
    check("v + 1 DESC", [two, one, None]);
}

/// The one column of a query as `TYPE: text text …`.
fn column(sql: &str) -> String {
    let answered = query(sql).unwrap_or_else(|error| panic!("{sql}: {}", StepError::new(error.name(), &error)));
    let [column] = answered.columns() else { panic!("{sql}: {} columns", answered.width()) };
    let text = column.cast(&DataType::String).unwrap();
    let texts: Vec<&str> = text.str().unwrap().iter().map(|t| t.unwrap_or("null")).collect();
    format!("{}: {}", column.dtype(), texts.join(" "))
}

fn expression(sql: &str) -> String {
    column(&format!("SELECT {sql} AS x FROM silver.t"))
}

#[test]
fn money_stays_exact() {
    let check = |sql: &str, expected: &str| assert_eq!(expression(sql), expected, "{sql}");
    check("q * p", "decimal[38,3]: 15.330 -2.010 null");
    check("p * m", "decimal[38,5]: 2.68275 -1.15575 null");
    check("p * 1.2", "decimal[38,4]: 3.0660 1.2060 0.3996");
    check("p + 0.5", "decimal[38,3]: 3.055 1.505 0.833");
    check("p - m", "decimal[38,3]: 1.505 2.155 null");
    check("ROUND(q * p, 2)", "decimal[38,2]: 15.33 -2.01 null");
    check("ROUND(p, 2)", "decimal[12,2]: 2.56 1.01 0.33");
    check("ROUND(-p, 2)", "decimal[38,2]: -2.56 -1.01 -0.33");
    check("ROUND(p, 0)", "decimal[12,0]: 3 1 0");
    check("ROUND(p, 5)", "decimal[12,3]: 2.555 1.005 0.333");
    check("CAST(p AS DECIMAL(18, 2))", "decimal[18,2]: 2.56 1.01 0.33");
    check("CAST(q AS DECIMAL(18, 2))", "decimal[18,2]: 6.00 -2.00 null");
    check("CAST('1.5' AS DECIMAL(18, 2))", "decimal[18,2]: 1.50 1.50 1.50");
    check("COALESCE(q * p, 0)", "decimal[38,3]: 15.330 -2.010 0.000");
    check("CASE WHEN q > 0 THEN q * p ELSE 0 END", "decimal[38,3]: 15.330 0.000 0.000");
    check("CASE WHEN q > 0 THEN p ELSE 0.00 END", "decimal[38,3]: 2.555 0.000 0.000");
    check("ABS(m)", "decimal[12,2]: 1.05 1.15 null");
    check("p = 1.005", "bool: false true false");
    check("p IN (1.005, 2.5550)", "bool: true true false");
    check("p BETWEEN 1 AND 2.5549", "bool: false true false");
}

#[test]
fn quotients_have_places() {
    let check = |sql: &str, expected: &str| assert_eq!(expression(sql), expected, "{sql}");
    check("p / 3", "decimal[38,6]: 0.851667 0.335000 0.111000");
    check("m / -3", "decimal[38,6]: -0.350000 0.383333 null");
    check("p / m", "decimal[38,6]: 2.433333 -0.873913 null");
    check("q / 4", "f64: 1.5 -0.5 null");
    check("f / 2", "f64: 0.25 0.75 1.25");
    assert_eq!(
        column("SELECT 100.0 * SUM(CASE WHEN q > 0 THEN 1 ELSE 0 END) / COUNT(*) AS x FROM silver.t"),
        "decimal[38,6]: 33.333333"
    );
    for sql in ["p / 0", "q / 0", "p / (m - m)", "q % 0", "p % 0"] {
        let error = query(&format!("SELECT {sql} AS x FROM silver.t")).unwrap_err();
        assert!(StepError::new(error.name(), &error).message.contains("NULLIF"), "{sql}: {error:?}");
    }
}

#[test]
fn sums_do_not_wrap() {
    assert_eq!(column("SELECT SUM(p) AS x FROM silver.t"), "decimal[38,3]: 3.893");
    assert_eq!(column("SELECT SUM(q * 2000000000) AS x FROM silver.t"), "i64: 8000000000");
    let big = df!("q" => [i32::MAX, i32::MAX]).unwrap().lazy();
    let sum: TableSql = "SELECT SUM(q) AS x FROM silver.t".parse().unwrap();
    let sum = run(sum.engine_query(), vec![("silver.t".to_owned(), big)]).unwrap().collect().unwrap();
    assert_eq!(sum.column("x").unwrap().i64().unwrap().get(0), Some(4_294_967_294));
    let error = query("SELECT b * 9223372036854775807 AS x FROM silver.t").unwrap_err();
    assert_eq!(error.name(), sluice_core::error::ErrorName::ContractViolation);
    assert_eq!(
        column("SELECT SUM(CASE WHEN q > 100 THEN q * p ELSE 0 END) AS x FROM silver.t"),
        "decimal[38,3]: 0.000"
    );
}

#[test]
fn functions_mean_what_the_subset_says() {
    let check = |sql: &str, expected: &str| assert_eq!(expression(sql), expected, "{sql}");
    check("TRIM(t)", "str: C536365 x null");
    check("NULLIF(TRIM(t), 'x')", "str: C536365 null null");
    check("t LIKE 'C%'", "bool: true false null");
    check("t NOT LIKE '_536365'", "bool: false true null");
    check("LEFT(t, LENGTH(t) - 2)", "str: C5363  null".replace("C5363  ", "C5363   ").as_str());
    check("LENGTH(t)", "u32: 7 3 null");
    check("SUBSTR(t, 2, 3)", "str: 536 x  null");
    check("UPPER(t)", "str: C536365  X  null");
    check("t || '!'", "str: C536365!  x ! null");
    check("CAST(ts AS DATE)", "date: 2011-01-01 2011-01-02 2011-03-01");
    check("DATEDIFF(DATE '2011-03-01', CAST(ts AS DATE))", "i32: 59 58 0");
    check("DATEDIFF(ts, DATE '2011-01-01')", "i32: 0 1 59");
    check("EXTRACT(YEAR FROM ts)", "i32: 2011 2011 2011");
    check("ROUND(f)", "f64: 1.0 2.0 3.0");
    check("q % 4", "i64: 2 -2 null");
    check("p % 1", "decimal[38,3]: 0.555 0.005 0.333");
    check("ts > TIMESTAMP '2011-01-02 00:00:00'", "bool: false false true");
    check("ts >= DATE '2011-01-02'", "bool: false true true");
    check("CAST(ts AS DATE) = DATE '2011-01-01'", "bool: true false false");
    check("CAST('2011-01-02' AS TIMESTAMP) = ts", "bool: false true false");
    check("ts > '2011-01-02'", "bool: false false true");
    check("'2011-01-02' < ts", "bool: false false true");
    check("('2011-01-02T00:00:00Z') = ts", "bool: false true false");
    check("ts BETWEEN '2011-01-01' AND '2011-01-02'", "bool: true true false");
    check("ts NOT BETWEEN '2011-01-01' AND '2011-01-02'", "bool: false false true");
    check("'2011-01-02' BETWEEN ts AND '2011-03-01'", "bool: true true false");
    check("ts IN ('2011-01-02', '2011-03-01 12:00:00')", "bool: false true true");
    check("ts NOT IN ('2011-01-02')", "bool: true false true");
    check("'2011-01-02' IN (ts, ts)", "bool: false true false");
    check("CAST(ts AS DATE) >= '2011-01-02'", "bool: false true true");
    check("'2011-01-02' <> CAST(ts AS DATE)", "bool: true false true");
    check("CAST(ts AS DATE) IN ('2011-01-01', '2011-01-02')", "bool: true true false");
    check("COALESCE(ts, ts) > '2011-01-02'", "bool: false false true");
    check("CASE ts WHEN '2011-01-02' THEN 1 ELSE 2 END", "i32: 2 1 2");
    check("NULLIF(ts, '2011-01-02') IS NULL", "bool: false true false");
    check("DATE '2011-01-01' < '2011-01-02'", "bool: true true true");
    assert_eq!(column("SELECT b AS x FROM silver.t WHERE '2011-01-02' <= ts"), "i64: 2 3");
    assert_eq!(column("SELECT MAX(b) AS x FROM silver.t HAVING '2011-01-02' < MAX(ts)"), "i64: 3");
    assert_eq!(column("SELECT SUM(CASE WHEN '2011-01-02' < ts THEN b END) AS x FROM silver.t"), "i64: 3");
    assert_eq!(column("SELECT t.b AS x FROM silver.t JOIN gold.u ON t.b = u.b AND '2011-01-02' < u.ts"), "i64: 3");
    assert_eq!(column("SELECT '2011-01-02' < DATE '2011-01-03' AS x"), "bool: true");
    check("t IN ('C536365', 'y')", "bool: true false null");
    check("q NOT IN (6, 7)", "bool: false true null");
    check("GREATEST(q, b)", "i64: 6 2 3");
    check("c IS TRUE", "bool: true false false");
    check("c IS NOT TRUE", "bool: false true true");
    check("c IS FALSE", "bool: false true false");
    check("c IS NOT FALSE", "bool: true false true");
    check("SIGN(q)", "i32: 1 -1 null");
    assert_eq!(column("SELECT AVG(p) AS x FROM silver.t"), "decimal[38,6]: 1.297667");
    assert_eq!(column("SELECT AVG(q) AS x FROM silver.t"), "f64: 2.0");
    assert_eq!(column("SELECT AVG(p) AS x FROM silver.t WHERE b > 9"), "decimal[38,6]: null");
    assert_eq!(
        column("SELECT AVG(p) + ROUND(SUM(p) / 3, 1) AS x FROM silver.t GROUP BY b > 0"),
        "decimal[38,6]: 2.597667"
    );
    assert_eq!(column("SELECT COUNT(DISTINCT CASE WHEN c THEN NULL ELSE t END) AS x FROM silver.t"), "u32: 1");
    assert_eq!(column("SELECT COUNT(DISTINCT q) AS x FROM silver.t"), "u32: 2");
    assert_eq!(column("SELECT COUNT(q) AS x FROM silver.t"), "u32: 2");
    assert_eq!(
        column("SELECT n.d AS x FROM gold.u AS u CROSS JOIN (SELECT MAX(CAST(ts AS DATE)) AS d FROM silver.t) AS n"),
        "date: 2011-03-01 2011-03-01 2011-03-01"
    );
    assert_eq!(column("SELECT t.q AS x FROM silver.t JOIN gold.u ON t.b = u.b AND t.q = u.q WHERE t.q > 0"), "i32: 6");
    assert_eq!(column("WITH a AS (SELECT b FROM silver.t) SELECT COUNT(*) AS x FROM a WHERE a.b > 1"), "u32: 2");
}

#[test]
fn functions_are_known_in_every_part_of_a_query() {
    let check = |sql: &str, expected: &str| assert_eq!(column(sql), expected, "{sql}");
    check(
        "WITH a (y) AS (SELECT ROUND(p, 1) FROM silver.t), b AS (SELECT y * 2 AS x FROM a) SELECT SUM(b.x) AS x FROM b",
        "decimal[38,1]: 7.8",
    );
    check(
        "SELECT SUM(x) AS x FROM (SELECT ROUND(p, 1) AS x FROM (SELECT p * 2 AS p FROM silver.t) AS i) AS o",
        "decimal[38,1]: 7.8",
    );
    check(
        "SELECT SUM(x) AS x FROM (SELECT ROUND(p, 1) AS x FROM silver.t UNION ALL (SELECT q * 2 FROM gold.u)) AS o",
        "decimal[38,1]: 11.9",
    );
    check(
        "SELECT SUM(x) AS x FROM (SELECT q * 1 AS x FROM silver.t UNION SELECT q * 1 AS x FROM gold.u) AS o",
        "i64: 4",
    );
    check(
        "SELECT o.x FROM (SELECT MAX(q * 2) AS x FROM silver.t) AS o CROSS JOIN (SELECT 1 * 1 AS one) AS n WHERE o.x > n.one",
        "i64: 12",
    );
}

#[test]
fn joins_by_inequality_run() {
    let check = |sql: &str, expected: &str| assert_eq!(column(sql), expected, "{sql}");
    check("SELECT t.b * u.b AS x FROM silver.t CROSS JOIN gold.u WHERE t.b < u.b AND u.b < 3", "i64: 2");
    check("SELECT SUM(t.b * u.b) AS x FROM silver.t, gold.u WHERE t.b <= u.b AND t.q <> u.b", "i64: 16");
    check("SELECT SUM(t.b * u.b) AS x FROM silver.t JOIN gold.u ON t.b = u.b AND t.q <= u.q", "i64: 5");
    check("SELECT SUM(t.b * u.b) AS x FROM silver.t JOIN gold.u ON t.b < u.b", "i64: 11");
}

#[test]
fn what_does_not_fit_is_named() {
    let check = |sql: &str, expected: &str| {
        let error = query(sql).unwrap_err();
        let text = StepError::new(error.name(), &error).to_string();
        assert!(text.starts_with("InvalidInput: sql") && text.contains(expected), "{sql}: {text}");
    };
    check("SELECT nope FROM silver.t", "nope");
    check("SELECT t * 2 AS x FROM silver.t", "there is no product of str and i32");
    check("SELECT DATEDIFF(t, ts) AS x FROM silver.t", "DATEDIFF takes dates");
    check("SELECT x.q FROM silver.t", "x");
}

#[test]
fn results_become_the_contract_or_an_error() {
    let check = |sql: &str, column_type: ColumnType, expected: &str| {
        let contract = contract(&[("x", column_type.clone())]);
        let parsed: TableSql = sql.parse().unwrap();
        let planned = run(parsed.engine_query(), vec![("silver.t".to_owned(), table().lazy())]).unwrap();
        let text = match conform(planned, &contract) {
            Err(error) => StepError::new(error.name(), &error).to_string(),
            Ok(rows) => match collect_streaming(rows.select([canonical_text("x", &column_type)])) {
                Err(error) => format!("failed: {error}"),
                Ok(rows) => rows
                    .column("x")
                    .unwrap()
                    .str()
                    .unwrap()
                    .iter()
                    .map(|t| t.unwrap_or("null"))
                    .collect::<Vec<_>>()
                    .join(" "),
            },
        };
        assert!(text.contains(expected) && !text.is_empty(), "{sql} as {column_type}: {text}");
    };
    let money = ColumnType::Decimal { precision: 18, scale: 2 };
    let tiny = ColumnType::Decimal { precision: 3, scale: 2 };
    check("SELECT COUNT(*) AS x FROM silver.t", ColumnType::Int64, "3");
    check("SELECT SUM(q) AS x FROM silver.t", ColumnType::Int32, "4");
    check("SELECT SUM(q * 1000000000) AS x FROM silver.t", ColumnType::Int32, "failed");
    check("SELECT SUM(ROUND(p, 2)) AS x FROM silver.t", money.clone(), "3.90");
    check("SELECT q AS x FROM silver.t", money.clone(), "6.00 -2.00 null");
    check("SELECT 1000 * ROUND(p, 2) AS x FROM silver.t", tiny, "failed");
    check(
        "SELECT p AS x FROM silver.t",
        money.clone(),
        "is DECIMAL(18,2) in the contract but sql gives DECIMAL(12,3); round it",
    );
    check("SELECT f AS x FROM silver.t", money.clone(), "doubles are not exact");
    check("SELECT AVG(q) AS x FROM silver.t", ColumnType::Int64, "doubles are not exact");
    check("SELECT t AS x FROM silver.t", money, "but sql gives STRING; CAST it");
    check(
        "SELECT ts AS x FROM silver.t",
        ColumnType::Date,
        "column `x` is DATE in the contract but sql gives TIMESTAMP",
    );
    check("SELECT NULL AS x FROM silver.t", ColumnType::Date, "null");
    check("SELECT p AS x FROM silver.t", ColumnType::Double, "2.555 1.005 0.333");
    check("SELECT p AS y FROM silver.t", ColumnType::Double, "gives the column `y`");
    check("SELECT p AS _y FROM silver.t", ColumnType::Double, "gives no column `x`");
}

#[test]
fn carried_columns_come_last() {
    let rows = table().lazy();
    let out = conform_with(
        rows.select([polars::prelude::col("q"), polars::prelude::col("b").alias("_row")]),
        &contract(&[("q", ColumnType::Int64)]),
        &["_row"],
    );
    let names: Vec<String> = out.unwrap().collect_schema().unwrap().iter_names().map(ToString::to_string).collect();
    assert_eq!(names, ["q", "_row"]);
}

fn retail() -> Pipeline {
    let contracts = [
        (
            "contracts/transactions.odcs.yaml",
            include_str!("../../../../../pipelines/retail/contracts/transactions.odcs.yaml"),
        ),
        (
            "contracts/daily_revenue.odcs.yaml",
            include_str!("../../../../../pipelines/retail/contracts/daily_revenue.odcs.yaml"),
        ),
        (
            "contracts/customer_rfm.odcs.yaml",
            include_str!("../../../../../pipelines/retail/contracts/customer_rfm.odcs.yaml"),
        ),
    ];
    let spec =
        PipelineSpec::parse(include_str!("../../../../../pipelines/retail/pipeline.yaml"), "pipeline.yaml").unwrap();
    let contracts: BTreeMap<_, _> =
        contracts.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned())).collect();
    sluice_spark::resolve(&spec, &contracts).unwrap()
}

/// Source rows of the retail pipeline: invoice, product, description, quantity, time, price, customer, country.
const LINES: [[&str; 8]; 7] = [
    ["536365", "85123A", " HEART ", "6", "2010-12-01 08:26:00", "2.555", "17850.0", "UK"],
    ["536365", "71053", "LANTERN", "3", "2010-12-01 23:59:59", "0.335", "17850.0", "UK"],
    ["C536366", "71053", "LANTERN", "-3", "2010-12-02 00:00:00", "0.335", "17850.0", "UK"],
    ["536367", "POST", "POSTAGE", "1", "2010-12-03 10:00:00", "18", "", "France"],
    ["536368", "POST", "POSTAGE", "1", "2010-12-03 11:00:00", "18.00", "12583", "France"],
    ["C536369", "POST", "POSTAGE", "-1", "2010-12-03 11:00:00", "18.00", "99999.0", "France"],
    ["536370", "X", "   ", "1", "2010-12-05 11:00:00", "1.00", "12583", "France"],
];

fn retail_silver(pipeline: &Pipeline) -> DataFrame {
    let silver = &pipeline.silver[0];
    let columns = silver.columns.iter().enumerate().map(|(index, (_, source))| {
        let texts: Vec<Option<&str>> =
            LINES.iter().map(|line| Some(line[index]).filter(|text| !text.is_empty())).collect();
        Column::new(source.as_str().into(), texts)
    });
    let bronze = DataFrame::new(LINES.len(), columns.collect()).unwrap();
    let typed = silver.columns.iter().map(|(name, source)| {
        let column = silver.contract.column(name.as_str()).unwrap();
        let [value, _] = read_exprs(column, &Reading::default(), source).unwrap();
        value.alias(name.as_str())
    });
    let view = bronze.lazy().select(typed.collect::<Vec<_>>());
    let sql = silver.sql.as_ref().unwrap().engine_query(&[]);
    let projected = run(sql, vec![("bronze".to_owned(), view)]).unwrap();
    collect_streaming(conform(projected, &silver.contract).unwrap()).unwrap()
}

fn rows_of(frame: &DataFrame, contract: &TableContract) -> Vec<String> {
    let texts = contract
        .columns
        .iter()
        .map(|c| canonical_text(c.name.as_str(), &c.column_type).fill_null(polars::prelude::lit("-")));
    let texts = frame.clone().lazy().select(texts.collect::<Vec<_>>()).collect().unwrap();
    let row =
        |row: usize| texts.columns().iter().map(|c| c.str().unwrap().get(row).unwrap().to_owned()).collect::<Vec<_>>();
    let mut rows: Vec<String> = (0..texts.height()).map(|index| row(index).join("|")).collect();
    rows.sort();
    rows
}

#[test]
fn the_retail_pipeline_computes_what_the_issue_says() {
    let pipeline = retail();
    let silver = retail_silver(&pipeline);
    assert_eq!(
        rows_of(&silver, &pipeline.silver[0].contract),
        [
            "536365|71053|LANTERN|3|2010-12-01T23:59:59Z|0.335|17850|UK|false",
            "536365|85123A|HEART|6|2010-12-01T08:26:00Z|2.555|17850|UK|false",
            "536367|POST|POSTAGE|1|2010-12-03T10:00:00Z|18.000|-|France|false",
            "536368|POST|POSTAGE|1|2010-12-03T11:00:00Z|18.000|12583|France|false",
            "536370|X|-|1|2010-12-05T11:00:00Z|1.000|12583|France|false",
            "C536366|71053|LANTERN|-3|2010-12-02T00:00:00Z|0.335|17850|UK|true",
            "C536369|POST|POSTAGE|-1|2010-12-03T11:00:00Z|18.000|99999|France|true",
        ]
    );
    let good = silver.lazy().filter(polars::prelude::col("description").is_not_null());
    let gold = |name: &str| {
        let table = pipeline.gold.iter().find(|table| table.table.table().as_str() == name).unwrap();
        let inputs = table.named_inputs().map(|(name, _)| (name, good.clone()));
        let planned = run(table.sql.engine_query(), inputs.collect()).unwrap();
        let rows = collect_streaming(conform(planned, &table.contract).unwrap()).unwrap();
        rows_of(&rows, &table.contract)
    };
    assert_eq!(
        gold("daily_revenue"),
        [
            // 6 * 2.555 = 15.33; 3 * 0.335 = 1.005, half away from zero 1.01.
            "2010-12-01|UK|16.34|0.00|16.34|1|1",
            "2010-12-02|UK|0.00|-1.01|-1.01|0|1",
            "2010-12-03|France|36.00|-18.00|18.00|2|2",
        ]
    );
    assert_eq!(gold("customer_rfm"), ["12583|2010-12-03|1|18.00|0", "17850|2010-12-01|1|15.33|2"]);
}
