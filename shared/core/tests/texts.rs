//! Texts of any length, width and depth are read or refused: none takes a parser, or whoever goes over what it made, off
//! the stack of a thread or into minutes of work.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sluice_core::columns::StoredColumn;
use sluice_core::contract::{ColumnType, Contract};
use sluice_core::pruning::{Condition, FileFacts};
use sluice_core::spec::PipelineSpec;
use sluice_core::sql::{MetricSql, Predicate, ProductSql, RowSql, TableSql, caller_predicate};

/// The stack of a thread, as the runtime of a function and of a test has it.
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// Longest time for one text at one entrance, without optimisation on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

/// A way in for texts: whether it takes one. What it takes is gone over as its users do.
type Entrance = (&'static str, fn(&str) -> bool);

const ENTRANCES: [Entrance; 10] = [
    ("silver SQL", |text| {
        text.parse::<RowSql>()
            .is_ok_and(|sql| sql.clone() == sql && !sql.engine_query(&["_row"]).to_string().is_empty())
    }),
    ("gold SQL", |text| {
        text.parse::<TableSql>().is_ok_and(|sql| sql.clone() == sql && !sql.engine_query().to_string().is_empty())
    }),
    ("the SQL of a rule", |text| {
        text.parse::<MetricSql>().is_ok_and(|sql| sql.clone() == sql && !sql.engine_query().to_string().is_empty())
    }),
    ("a condition", |text| {
        text.parse::<Predicate>().is_ok_and(|sql| sql.clone() == sql && !sql.engine_expr().to_string().is_empty())
    }),
    ("a caller's statement", |text| {
        ProductSql::parse(text).is_ok_and(|sql| sql.clone() == sql && !sql.engine_query().to_string().is_empty())
    }),
    ("a caller's condition", |text| {
        caller_predicate(text).is_ok_and(|sql| !sql.columns().is_empty() && !sql.engine_expr().to_string().is_empty())
    }),
    ("a hint in SQL", |text| pruned(&Condition::of_sql(text, &columns()))),
    ("a hint in JSON", |text| Condition::of_json(text, &columns()).is_some_and(|condition| pruned(&condition))),
    ("a pipeline", |text| PipelineSpec::parse(text, "pipeline.yaml").is_ok()),
    ("a contract", |text| Contract::parse(text, "contract.yaml").is_ok()),
];

fn columns() -> Vec<StoredColumn> {
    let column = |name: &str| StoredColumn { name: name.to_owned(), column_type: ColumnType::Int64 };
    vec![column("a"), column("b")]
}

/// Whether the condition is understood in part; it is held against a file.
fn pruned(condition: &Condition) -> bool {
    let values = std::collections::BTreeMap::new();
    let file = FileFacts {
        stats: Some(r#"{"numRecords":1,"minValues":{"a":1},"maxValues":{"a":1}}"#),
        partition_values: &values,
    };
    let _ = condition.clone().about(&|name| name == "a").may_hold(file);
    condition.may_hold(file) && *condition != Condition::Unknown
}

/// Gives every entrance the text, on a thread with the stack that callers' threads have.
fn read(text: &str, what: &str) -> Vec<&'static str> {
    let text = text.to_owned();
    let read = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        let mut taken = Vec::new();
        for (entrance, takes) in ENTRANCES {
            let start = Instant::now();
            if takes(&text) {
                taken.push(entrance);
            }
            assert!(start.elapsed() < LONGEST, "{entrance} takes {:?}", start.elapsed());
        }
        taken
    });
    read.unwrap().join().unwrap_or_else(|_| panic!("{what}: an entrance panics"))
}

/// Texts of `n` parts: a beginning, a part that is repeated, a middle, a part that closes each, an end.
const SHAPES: [[&str; 5]; 81] = [
    ["", "CAST(", "AND", "", ""],
    ["", "NOT (", "AND", "", ""],
    ["", "CEIL(", "AND", "", ""],
    ["", "FLOOR(", "AND", "", ""],
    ["", "SUBSTRING(", "AND", "", ""],
    ["", "EXTRACT(", "AND", "", ""],
    ["", "POSITION(", "AND", "", ""],
    ["", "OVERLAY(", "AND", "", ""],
    ["", "CONVERT(", "AND", "", ""],
    ["", "TRY_CAST(", "AND", "", ""],
    ["", "CASE (", "AND", "", ""],
    ["", "POINT (", "AND", "", ""],
    ["", "TRIM(", "AND", "", ""],
    ["", "EXISTS (", "AND", "", ""],
    ["", "ARRAY(", "AND", "", ""],
    ["", "(", "a = 1", ")", ""],
    ["", "(", "", "", ""],
    ["", "", "", ")", ""],
    ["", "a = 1 AND ", "a = 1", "", ""],
    ["", "a = 1 OR ", "a = 1", "", ""],
    ["", "(a = 1 OR ", "a = 1", ")", ""],
    ["a = ", "1 + ", "1", "", ""],
    ["a = ", "1 - (", "1", ")", ""],
    ["b = ", "'x' || ", "'x'", "", ""],
    ["", "NOT ", "a = 1", "", ""],
    ["a = ", "- ", "1", "", ""],
    ["a", " IS NULL", "", "", ""],
    ["a", " IS NOT TRUE", "", "", ""],
    ["a", "::int", " = 1", "", ""],
    ["a", "[1]", " = 1", "", ""],
    ["a", ".a", " = 1", "", ""],
    ["a", " AT TIME ZONE 'UTC'", " = 1", "", ""],
    ["a", " COLLATE x", " = 1", "", ""],
    ["a", " -> 'x'", " = 1", "", ""],
    ["a ", "BETWEEN 1 AND 2 = TRUE AND a ", "= 1", "", ""],
    ["a = ", "CASE WHEN a = 1 THEN ", "1", " END", ""],
    ["a = CASE ", "WHEN a = 1 THEN 1 ", "", "", "END"],
    ["a IN (1", ", 1", ")", "", ""],
    ["", "a IN (1, ", "2", ")", ""],
    ["", "a IN (", "1", ")", ""],
    ["a = ", "COALESCE(1, ", "1", ")", ""],
    ["a = COALESCE(1", ", 1", ")", "", ""],
    ["CAST(a AS ", "ARRAY<", "INT", ">", ") = 1"],
    ["CAST(a AS ", "STRUCT<a ", "INT", ">", ") = 1"],
    ["CAST(a AS ", "NULLABLE(", "INT", ")", ") = 1"],
    ["CAST(a AS ", "MAP(INT, ", "INT", ")", ") = 1"],
    ["CAST(a AS INT", "[]", ") = 1", "", ""],
    ["", "EXISTS (SELECT 1 WHERE ", "a = 1", ")", ""],
    ["a = ", "INTERVAL ", "1", "", ""],
    ["a = ", "x -> ", "1", "", ""],
    ["a = ", "(x) -> (", "1", ")", ""],
    ["", "/*", "", "*/", "a = 1"],
    ["a = '", "''", "'", "", ""],
    ["a = ", "\"", "", "", ""],
    ["a = 1 -- ", "x", "", "", ""],
    ["", "é", "", "", ""],
    ["SELECT a", ", a", " FROM silver.t", "", ""],
    ["SELECT a FROM silver.t", " UNION ALL SELECT a FROM silver.t", "", "", ""],
    ["SELECT a FROM silver.t", " INTERSECT SELECT a FROM silver.t", "", "", ""],
    ["", "(SELECT a FROM silver.t UNION ", "SELECT a FROM silver.t", ")", ""],
    ["", "(", "SELECT a FROM silver.t", ")", ""],
    ["SELECT a FROM silver.t", " CROSS JOIN silver.t", "", "", ""],
    ["SELECT a FROM silver.t", " JOIN silver.t ON t.a = t.a", "", "", ""],
    ["SELECT a FROM silver.t", ", silver.t", "", "", ""],
    ["SELECT a FROM ", "(", "silver.t", ")", ""],
    ["SELECT a FROM ", "(silver.t JOIN ", "silver.t ON TRUE", ") ON TRUE", ""],
    ["SELECT a FROM ", "(SELECT a FROM ", "silver.t", ") AS x", ""],
    ["SELECT a FROM ", "((SELECT a FROM ", "silver.t", ") AS x)", ""],
    ["SELECT a FROM ", "((SELECT a FROM ", "", "", ""],
    ["SELECT a FROM silver.t", " PIVOT(SUM(a) FOR a IN (1))", "", "", ""],
    ["", "WITH x AS (", "SELECT a FROM silver.t", ") SELECT a FROM x", ""],
    ["", "WITH x AS (SELECT 1) INSERT INTO t ", "SELECT 1", "", ""],
    ["", "EXPLAIN ", "SELECT a FROM silver.t", "", ""],
    ["SELECT a FROM silver.t, ", "(", "silver.t", ")", ""],
    ["SELECT a FROM silver.t JOIN silver.t ON TRUE, ", "(silver.t JOIN ", "silver.t ON TRUE", ") ON TRUE", ""],
    ["WITH x AS (SELECT a FROM silver.t)", ", x AS (SELECT a FROM x)", " SELECT a FROM x", "", ""],
    ["SELECT a FROM silver.t GROUP BY a", ", a", "", "", ""],
    ["", "EXPLAIN ", "SELECT a FROM silver.t", "", ""],
    ["", "SELECT 1;", "", "", ""],
    [
        "",
        "{\"op\":\"not\",\"children\":[",
        "{\"op\":\"isNull\",\"children\":[{\"op\":\"column\",\"name\":\"a\"}]}",
        "]}",
        "",
    ],
    ["{\"op\":\"and\",\"children\":[{\"op\":\"x\"}", ",{\"op\":\"or\"}", "]}", "", ""],
];

fn shaped([begins, opens, middle, closes, ends]: [&str; 5], n: usize) -> String {
    format!("{begins}{}{middle}{}{ends}", opens.repeat(n), closes.repeat(n))
}

#[test]
fn deep_long_and_wide_texts_are_read_or_refused_at_every_entrance() {
    let mut taken = std::collections::BTreeSet::new();
    for shape in SHAPES {
        for n in [1, 5, 30, 45, 100, 140, 400, 1_000, 2_500, 10_000] {
            let text = shaped(shape, n);
            let what = format!("{shape:?} of {n} parts");
            taken.extend(read(&text, &what));
            taken.extend(read(&format!("SELECT {text} FROM silver.t"), &what));
            taken.extend(read(&format!("SELECT a FROM sales.retail.t WHERE {text}"), &what));
        }
    }
    for shape in ["[", "{a: ", "- ", "? ", "&a [*a, ", "!t ", "{", "a:\n ", "'", "\"\\"] {
        for n in [10, 100, 10_000, 200_000] {
            read(&shape.repeat(n), &format!("{n} of {shape}"));
        }
    }
    // Every entrance for SQL takes some of them: the limits refuse no ordinary text.
    for entrance in [
        "gold SQL",
        "the SQL of a rule",
        "a condition",
        "a caller's statement",
        "a caller's condition",
        "a hint in SQL",
        "a hint in JSON",
    ] {
        assert!(taken.contains(entrance), "{entrance} takes nothing: {taken:?}");
    }
}

#[test]
fn what_is_too_much_is_said() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Predicate>().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{}…: {error}", &text[..40]);
    };
    check(&vec!["a = 1"; 140].join(" AND "), "");
    assert!(vec!["a = 1"; 140].join(" AND ").parse::<Predicate>().is_ok());
    check(&vec!["a = 1"; 200].join(" AND "), "201 levels of conditions and sums inside each other, more than the 150");
    check(&vec!["a = 1"; 10_000].join(" AND "), "bytes, more than the 65536");
    check(&vec!["a=1"; 5_000].join(" OR "), "words and signs, more than the 4000");
    check(
        &format!("{}1{} = a", "(".repeat(60), ")".repeat(60)),
        "60 brackets and CASEs inside each other, more than the 30",
    );
    let cases = format!("{}1{} = a", "CASE WHEN b THEN ".repeat(40), " END".repeat(40));
    check(&cases, "40 brackets and CASEs inside each other, more than the 30");
    check(&format!("a = CAST(b AS {}INT)", "ARRAY<".repeat(60)), "61 brackets and CASEs inside each other");
    let error = |text: String| text.parse::<TableSql>().err().map(|error| error.to_string()).unwrap_or_default();
    let select = "SELECT a FROM silver.t";
    assert!(error(vec![select; 101].join(" UNION ALL ")).contains("101 SELECTs, more than the 100"));
    assert!(error(format!("{select}{}", " CROSS JOIN silver.t".repeat(100))).contains("101 tables in FROM"));
}

/// Parts of statements, to be put together in any order.
const PARTS: [&str; 52] = [
    "a",
    "b",
    "1",
    "1.5",
    "'x'",
    "NULL",
    "TRUE",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ";",
    "+",
    "-",
    "*",
    "/",
    "||",
    "=",
    "<",
    ">",
    "<=",
    "::",
    "AND",
    "OR",
    "NOT",
    "IS NULL",
    "IN (",
    "BETWEEN",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "AS",
    "INT",
    "ARRAY<",
    "SELECT",
    "FROM",
    "silver.t",
    "WHERE",
    "JOIN",
    "ON",
    "UNION",
    "WITH x AS (",
    "\"",
    "'",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_an_entrance(parts in prop::collection::vec((0..PARTS.len(), 1_usize..200), 1..40)) {
        let text: Vec<String> =
            parts.iter().map(|(part, times)| format!("{} ", PARTS[*part]).repeat(*times)).collect();
        read(&text.concat(), &text.concat());
    }
}
