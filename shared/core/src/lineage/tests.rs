use proptest::prelude::*;

use super::*;
use crate::name::Layer;
use crate::spec::PipelineSpec;
use crate::uri::LakePath;

/// A contract with these columns, each with its type behind a colon; text without one.
fn contract(table: &str, columns: &str) -> String {
    let column = |column: &str| {
        let (name, kind) = column.split_once(':').unwrap_or((column, "string"));
        format!("{{name: {name}, logicalType: {kind}}}")
    };
    let columns: Vec<String> = columns.split(' ').map(column).collect();
    format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nversion: 1.0.0\nstatus: active\nschema:\n  \
         - name: {table}\n    properties: [{}]\n",
        columns.join(", ")
    )
}

fn pipeline(spec: &str, contracts: &[(&str, &str)]) -> Pipeline {
    let mut files: BTreeMap<LakePath, String> = BTreeMap::new();
    for (table, columns) in contracts {
        files.insert(format!("{table}.yaml").parse().unwrap(), contract(table, columns));
    }
    let spec = PipelineSpec::parse(spec, "pipeline.yaml").unwrap();
    Pipeline::resolve_untyped(&spec, &files).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const SILVER: &str = "\
pipeline: p
domain: d
source: { prefix: landing/p, format: csv }
bronze: { table: t }
silver:
  - { table: a, contract: a.yaml, columns: { k: K, x: X, y: Y }, mode: append }
  - { table: b, contract: b.yaml, columns: { k: K, z: Z }, mode: append }
gold:
";

/// Gold tables over silver `a` (`k`, `x`, `y`) and `b` (`k`, `z`); each with its columns and its SQL.
fn gold(tables: &[(&str, &str, &str)]) -> Lineage {
    let table = |(name, _, sql): &(&str, &str, &str)| {
        format!("  - table: {name}\n    contract: {name}.yaml\n    sql: >-\n      {sql}\n")
    };
    let spec = format!("{SILVER}{}", tables.iter().map(table).collect::<String>());
    let contracts = tables.iter().map(|(name, columns, _)| (*name, *columns));
    let contracts: Vec<(&str, &str)> = contracts.chain([("a", "k x y"), ("b", "k z")]).collect();
    of(&[pipeline(&spec, &contracts)])
}

/// The edges that lead to a table, as `<from> > <to>: <subtype>`.
fn edges_to(lineage: &Lineage, table: &str, from: &str) -> Vec<String> {
    let table: TableRef = table.parse().unwrap();
    let edges = lineage.edges().filter(|edge| edge.to().table() == &table);
    let text = |edge: &Edge| {
        let source = edge.from().to_string().replace(from, "");
        let path = edge.path().map(|path| format!(" {path}")).unwrap_or_default();
        format!("{source}{path} > {}: {}", edge.to().column().unwrap_or("rows"), edge.kind().subtype())
    };
    edges.map(text).collect()
}

#[test]
fn every_part_of_a_statement_says_how_it_takes_part() {
    let check = |columns: &str, sql: &str, expected: &[&str]| {
        let lineage = gold(&[("g", columns, sql)]);
        assert_eq!(edges_to(&lineage, "gold/d/g", "silver/d/"), expected, "{sql}");
    };
    check("c", "SELECT x AS c FROM silver.a", &["a.x > c: IDENTITY"]);
    check("c", "SELECT 1 AS c FROM silver.a", &[]);
    check("c", "SELECT (X) AS c FROM silver.a AS t", &["a.x > c: IDENTITY"]);
    check("c", "SELECT UPPER(x) || y AS c FROM silver.a", &["a.x > c: TRANSFORMATION", "a.y > c: TRANSFORMATION"]);
    check("c", "SELECT NULLIF(x, y) AS c FROM silver.a", &["a.x > c: TRANSFORMATION", "a.y > c: CONDITIONAL"]);
    check(
        "c",
        "SELECT CASE WHEN k = '1' THEN x ELSE y END AS c FROM silver.a",
        &["a.k > c: CONDITIONAL", "a.x > c: TRANSFORMATION", "a.y > c: TRANSFORMATION"],
    );
    check(
        "c",
        "SELECT SUM(CASE WHEN y = '1' THEN x END) AS c FROM silver.a",
        &["a.x > c: AGGREGATION", "a.y > c: CONDITIONAL"],
    );
    check(
        "c d",
        "SELECT x AS c, COUNT(*) AS d FROM silver.a GROUP BY x",
        &["a > d: AGGREGATION", "a.x > rows: GROUP_BY", "a.x > c: IDENTITY"],
    );
    check("c", "SELECT DISTINCT x AS c FROM silver.a", &["a.x > rows: GROUP_BY", "a.x > c: IDENTITY"]);
    check("k x y", "SELECT * FROM silver.a", &["a.k > k: IDENTITY", "a.x > x: IDENTITY", "a.y > y: IDENTITY"]);
    check("k z", "SELECT b.* FROM silver.a, silver.b", &["b.k > k: IDENTITY", "b.z > z: IDENTITY"]);
}

#[test]
fn joins_subqueries_and_set_operations_are_followed() {
    let check = |columns: &str, sql: &str, expected: &[&str]| {
        let lineage = gold(&[("g", columns, sql)]);
        assert_eq!(edges_to(&lineage, "gold/d/g", "silver/d/"), expected, "{sql}");
    };
    check(
        "c d",
        "SELECT a.x AS c, b.z AS d FROM silver.a LEFT JOIN silver.b AS b ON silver.a.k = b.k WHERE y IS NOT NULL",
        &["a.k > rows: JOIN", "a.x > c: IDENTITY", "a.y > rows: FILTER", "b.k > rows: JOIN", "b.z > d: IDENTITY"],
    );
    check(
        "c",
        "WITH w AS (SELECT k, SUM(x) AS s FROM silver.a GROUP BY k HAVING MAX(y) > '1'), v AS (SELECT s FROM w) \
         SELECT s + 1 AS c FROM v",
        &["a.k > rows: GROUP_BY", "a.x > c: AGGREGATION", "a.y > rows: FILTER"],
    );
    check("c", "SELECT q AS c FROM (SELECT x, y FROM silver.a) AS t (p, q)", &["a.y > c: IDENTITY"]);
    check(
        "c",
        "SELECT x AS c FROM silver.a UNION ALL SELECT z FROM silver.b",
        &["a.x > c: IDENTITY", "b.z > c: IDENTITY"],
    );
    check(
        "c",
        "SELECT x AS c FROM silver.a UNION SELECT z FROM silver.b",
        &["a.x > rows: GROUP_BY", "a.x > c: IDENTITY", "b.z > rows: GROUP_BY", "b.z > c: IDENTITY"],
    );
    check(
        "c",
        "SELECT x AS c FROM silver.a EXCEPT SELECT z FROM silver.b",
        &["a.x > rows: FILTER", "a.x > c: IDENTITY", "b.z > rows: FILTER"],
    );
    let using = |join: &str| format!("SELECT k AS c FROM silver.a {join} JOIN silver.b USING (k)");
    check("c", &using("LEFT"), &["a.k > rows: JOIN", "a.k > c: IDENTITY", "b.k > rows: JOIN"]);
    check("c", &using("RIGHT"), &["a.k > rows: JOIN", "b.k > rows: JOIN", "b.k > c: IDENTITY"]);
    let both = ["a.k > rows: JOIN", "a.k > c: TRANSFORMATION", "b.k > rows: JOIN", "b.k > c: TRANSFORMATION"];
    check("c", &using("FULL"), &both);
    // Of `*`, the column is that of both sides, too.
    let every =
        |join: &str| format!("WITH w AS (SELECT * FROM silver.a {join} JOIN silver.b USING (k)) SELECT k AS c FROM w");
    check("c", &every("FULL"), &both);
    check("c", &every("RIGHT"), &["a.k > rows: JOIN", "b.k > rows: JOIN", "b.k > c: IDENTITY"]);
}

#[test]
fn silver_columns_lead_to_the_source_and_keys_to_the_rows() {
    let spec = "\
pipeline: p
domain: d
source: { prefix: landing/p, format: ndjson }
bronze: { table: t }
silver:
  - table: s
    contract: s.yaml
    columns: { id: id, city: $.address.city, day: day, op: op }
    mode: merge
    keys: [id]
    latest_by: day
    delete_when: op = 'D'
";
    let lineage = of(&[pipeline(spec, &[("s", "id city day:date")])]);
    let expected = [
        "address $.address.city > city: TRANSFORMATION",
        "day > rows: SORT",
        "day > day: TRANSFORMATION",
        "id > rows: GROUP_BY",
        "id > id: IDENTITY",
        "op > rows: FILTER",
    ];
    assert_eq!(edges_to(&lineage, "silver/d/s", "bronze/d/t."), expected);
    let spec = spec.replace("    latest_by: day\n", "").replace("id: id, ", "");
    let spec = spec.replace("delete_when: op = 'D'", "sql: SELECT UPPER(op) AS id, city, day FROM bronze");
    let lineage = of(&[pipeline(&spec, &[("s", "id city day:date")])]);
    let edges = edges_to(&lineage, "silver/d/s", "bronze/d/t.");
    let rows: Vec<&String> = edges.iter().filter(|edge| edge.contains("rows") || edge.contains("> id")).collect();
    let expected = ["_source_modified_at > rows: SORT", "op > rows: GROUP_BY", "op > id: TRANSFORMATION"];
    assert_eq!(rows, expected);
}

#[test]
fn lineage_goes_through_another_pipeline_where_it_is_given() {
    let writer = pipeline(
        "pipeline: w\ndomain: e\nsource: { prefix: landing/w, format: csv }\nbronze: { table: u }\nsilver:\n  \
         - { table: c, contract: c.yaml, columns: { k: K, w: W }, mode: append }\n",
        &[("c", "k w")],
    );
    let head = SILVER.replace("silver:\n", "inputs: [{ table: silver/e/c, contract: c.yaml }]\nsilver:\n");
    let spec = format!("{head}  - {{ table: g, contract: g.yaml, sql: 'SELECT w AS c FROM silver.e.c' }}\n");
    let reader = pipeline(&spec, &[("a", "k x y"), ("b", "k z"), ("c", "k w"), ("g", "c")]);
    let check = |pipelines: &[Pipeline], expected: &[&str]| {
        let lineage = of(pipelines);
        let upstream = lineage.upstream(&lineage.find("g.c").unwrap());
        assert_eq!(upstream.edges().map(ToString::to_string).collect::<Vec<_>>(), expected);
    };
    let ends = "silver/e/c.w -> gold/d/g.c: direct identity";
    check(std::slice::from_ref(&reader), &[ends]);
    check(&[reader, writer], &["bronze/e/u.W -> silver/e/c.w: direct identity", ends]);
}

#[test]
fn names_are_found_and_errors_say_the_nearest() {
    let lineage = gold(&[("sums", "amount", "SELECT x AS amount FROM silver.a")]);
    let check = |name: &str, expected: &str| {
        let found = lineage.find(name).map_or_else(|error| error.to_string(), |found| found.to_string());
        assert!(found.contains(expected), "{name}: {found}");
    };
    for name in ["gold/d/sums.amount", "gold.d.sums.amount", "gold.sums.amount", "d.sums.amount", "sums.amount"] {
        check(name, "gold/d/sums.amount");
    }
    check("sums", "gold/d/sums");
    check("t.K", "bronze/d/t.K");
    check("sums.amuont", "has no column 'amuont', did you mean 'amount'?; it has amount");
    check("sums.zzz", "has no column 'zzz'; it has amount");
    check("sum.amount", "no table of these pipelines is called 'sum.amount', did you mean 'sums'?");
}

#[test]
fn a_part_has_the_edges_between_its_columns_alone() {
    let lineage = gold(&[("g", "k x", "SELECT k, SUM(x) AS x FROM silver.a GROUP BY k")]);
    let part = lineage.only(|column| column.table().layer() != Layer::Bronze && column.column() != Some("k"));
    let edges: Vec<String> = part.edges().map(ToString::to_string).collect();
    assert_eq!(edges, ["silver/d/a.x -> gold/d/g.x: direct aggregation"]);
    assert!(part.columns().all(|column| column.column() != Some("k")));
    assert!(lineage.only(|_| true) == lineage && lineage.only(|_| false) == Lineage::default());
}

#[test]
fn what_is_downstream_of_a_column_has_it_upstream() {
    let lineage = gold(&[
        ("g", "c d", "SELECT k AS c, SUM(x) AS d FROM silver.a WHERE y = '1' GROUP BY k"),
        ("h", "e f", "SELECT b.z AS e, g.d AS f FROM silver.b JOIN gold.g ON g.c = b.k"),
        ("i", "n", "SELECT COUNT(*) AS n FROM gold.h"),
    ]);
    let mut pairs = 0;
    for from in lineage.columns() {
        let downstream: BTreeSet<ColumnRef> = lineage.downstream(from).columns().cloned().collect();
        for to in lineage.columns() {
            let is_upstream = lineage.upstream(to).columns().any(|column| column == from);
            assert_eq!(downstream.contains(to), is_upstream, "{from} and {to}");
            pairs += usize::from(is_upstream && from != to);
        }
    }
    assert!(pairs > 20, "only {pairs} pairs");
    let n = lineage.upstream(&lineage.find("i.n").unwrap());
    assert!(n.columns().any(|column| column.to_string() == "silver/d/a.y"), "a count depends on filters");
}

/// An expression, which names each column with its table.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["a.k", "a.x", "a.y", "b.k", "b.z"]).prop_map(str::to_owned),
        Just("1".to_owned())
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} + {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("COALESCE({left}, {right})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(when, then, other)| format!("CASE WHEN {when} = 1 THEN {then} ELSE {other} END")),
            (inner.clone(), inner.clone()).prop_map(|(value, low)| format!("(UPPER({value}) BETWEEN {low} AND 2)")),
            inner.prop_map(|value| format!("CAST(SUBSTR({value}, 1, 2) AS INT)")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Also: a column that names none is a constant, and edges name columns that exist.
    #[test]
    fn a_column_is_computed_from_the_columns_that_its_expression_names(
        first in expression(), second in expression()
    ) {
        let sql = format!("SELECT {first} AS c, {second} AS d FROM silver.a AS a JOIN silver.b AS b ON a.k = b.k");
        let lineage = gold(&[("g", "c d", &sql)]);
        for (column, expr) in [("c", &first), ("d", &second)] {
            let to = ColumnRef::new("gold/d/g".parse().unwrap(), column);
            let found: BTreeSet<String> =
                lineage.edges_to(&to).map(|edge| edge.from().to_string().replace("silver/d/", "")).collect();
            let named = ["a.k", "a.x", "a.y", "b.k", "b.z"].into_iter().filter(|name| expr.contains(*name));
            prop_assert_eq!(found, named.map(str::to_owned).collect::<BTreeSet<String>>(), "{}", sql);
        }
        let known: BTreeSet<&ColumnRef> = lineage.columns().collect();
        for end in lineage.edges().flat_map(|edge| [edge.from(), edge.to()]) {
            prop_assert!(end.column().is_none() || known.contains(end), "{} is in no table", end);
        }
    }
}
