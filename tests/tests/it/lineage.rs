//! Column lineage equals what sqlglot finds in the same SQL, and what `sluice lineage` says about it.
//!
//! sqlglot knows no kinds, so direct edges and the conditions that choose a value are compared together with what it finds.
//! Where both differ, Sluice is right:
//!
//! | where | sqlglot | Sluice |
//! |---|---|---|
//! | `EXCEPT`, `INTERSECT` | values come from both sides | from the left side; the right side decides which rows stay |
//! | a column of `USING` | from both sides, whatever the join | from the side that the join keeps; from both in `FULL` |
//! | `COUNT(*)` | from nothing | from the rows of the table, which is not a column and not compared |

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sluice_core::lineage::{self, ColumnRef, Kind, Lineage};
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::PipelineSpec;
use sluice_core::uri::LakePath;
use sluice_tests::files::{entries, repository};
use sluice_tests::judges::Judges;
use sluice_tests::lab::Lab;
use sluice_tests::random::Random;
use sluice_tests::sluice::Run;

use crate::small::{assert_says, contract};

/// Columns as `<table>.<column>`.
type Columns = BTreeSet<String>;

fn pipeline_of(spec: &str, read: impl Fn(&LakePath) -> String) -> Pipeline {
    let spec = PipelineSpec::parse(spec, "pipeline.yaml").unwrap();
    let mut contracts: BTreeMap<LakePath, String> = BTreeMap::new();
    for path in spec.contract_paths() {
        contracts.insert(path.clone(), read(path));
    }
    Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn pipeline_in(folder: &Path) -> Pipeline {
    let spec = fs::read_to_string(folder.join("pipeline.yaml")).unwrap();
    pipeline_of(&spec, |path| fs::read_to_string(folder.join(path.as_str())).unwrap())
}

/// What values of a column come from, or are chosen by, by our own lineage.
fn ours(lineage: &Lineage, table: &str, column: &str) -> Columns {
    let to = ColumnRef::new(table.parse().unwrap(), column);
    let edges = lineage.edges_to(&to).filter(|edge| edge.kind().is_direct() || edge.kind() == Kind::Conditional);
    edges.filter(|edge| edge.from().column().is_some()).map(|edge| edge.from().to_string()).collect()
}

/// What sqlglot finds, by table and column. It sees the mapped columns of a silver table as a table of bronze with the
/// name of the silver table; they are renamed to the columns of the source here.
fn theirs(judges: &Judges, pipeline: &Pipeline, folder: &Path) -> BTreeMap<(String, String), Columns> {
    let (mut tables, mut statements, mut sources) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for input in &pipeline.inputs {
        let columns = input.contract.columns.iter().map(|column| column.name.to_string());
        tables.insert(input.table.to_string(), columns.collect::<Vec<_>>());
    }
    for silver in &pipeline.silver {
        let name = silver.table.table();
        let seen = format!("bronze/{}/{name}", pipeline.domain);
        for (column, from) in &silver.columns {
            sources.insert(format!("{seen}.{column}"), format!("{}.{from}", pipeline.source.bronze));
        }
        tables.insert(seen, silver.columns.iter().map(|(column, _)| column.to_string()).collect());
        let columns: Vec<String> = silver.contract.columns.iter().map(|column| column.name.to_string()).collect();
        let sql = silver.projection().unwrap().to_string();
        assert_eq!(sql.matches("FROM bronze").count(), 1, "{sql}");
        let sql = sql.replace("FROM bronze", &format!("FROM bronze.{name}"));
        statements.push(json!({ "name": silver.table, "sql": sql, "columns": columns }));
        tables.insert(silver.table.to_string(), columns);
    }
    for gold in &pipeline.gold {
        let columns: Vec<String> = gold.contract.columns.iter().map(|column| column.name.to_string()).collect();
        statements.push(json!({ "name": gold.table, "sql": gold.sql.to_string(), "columns": columns }));
        tables.insert(gold.table.to_string(), columns);
    }
    let question = json!({ "domain": pipeline.domain, "tables": tables, "statements": statements });
    let file = folder.join(format!("{}.lineage.json", pipeline.name));
    fs::write(&file, question.to_string()).unwrap();
    let answer: BTreeMap<String, BTreeMap<String, Columns>> =
        serde_json::from_value(judges.judge_lineage(&file)).unwrap();
    let renamed = |column: String| sources.get(&column).cloned().unwrap_or(column);
    let mut found = BTreeMap::new();
    for (table, columns) in answer {
        for (column, from) in columns {
            found.insert((table.clone(), column), from.into_iter().map(renamed).collect());
        }
    }
    found
}

#[test]
fn sqlglot_finds_the_same_in_every_pipeline_of_the_repository() {
    let Some(judges) = Judges::or_skip("lineage::sqlglot_finds_the_same_in_every_pipeline_of_the_repository") else {
        return;
    };
    let lab = Lab::new();
    let folders = entries(&repository().join("pipelines"));
    let (mut pipelines, mut compared) = (0, 0);
    for folder in folders.iter().filter(|folder| folder.join("pipeline.yaml").is_file()) {
        let pipeline = pipeline_in(folder);
        let lineage = lineage::of(std::slice::from_ref(&pipeline));
        for ((table, column), columns) in theirs(&judges, &pipeline, lab.folder()) {
            assert_eq!(ours(&lineage, &table, &column), columns, "{table}.{column}");
            compared += columns.len();
        }
        pipelines += 1;
    }
    eprintln!("  {pipelines} pipelines, {compared} edges are those of sqlglot");
    assert!(pipelines > 0 && compared > 20, "{compared} edges in {pipelines} pipelines");
}

/// What a generated statement is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Plain,
    Joined,
    Grouped,
    With,
    Union,
    Derived,
    /// `EXCEPT` and `INTERSECT`: a named exception.
    Except,
    /// `USING`: a named exception.
    Using,
}

const SHAPES: [Shape; 8] = [
    Shape::Plain,
    Shape::Joined,
    Shape::Grouped,
    Shape::With,
    Shape::Union,
    Shape::Derived,
    Shape::Except,
    Shape::Using,
];

/// Columns that an expression can name: texts, numbers, days.
struct Names {
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    days: &'static [&'static str],
}

const ORDERS: Names = Names { texts: &["o.name", "o.city"], numbers: &["o.id", "o.amount"], days: &["o.day"] };
const CITIES: Names = Names { texts: &["c.city", "c.country"], numbers: &["c.people"], days: &["c.since"] };
const BOTH: Names = Names {
    texts: &["o.name", "o.city", "c.country"],
    numbers: &["o.id", "o.amount", "c.people"],
    days: &["o.day", "c.since"],
};
const GROUPS: Names = Names { texts: &["w.k", "c.country"], numbers: &["w.m", "c.people"], days: &["w.x"] };

/// Random expressions of the language of docs/sql.md.
struct Writer {
    random: Random,
}

impl Writer {
    fn text(&mut self, names: &Names, depth: usize) -> String {
        let choice = if depth == 0 { 0 } else { self.random.below(9) };
        let below = depth.saturating_sub(1);
        match choice {
            1 => "'x'".to_owned(),
            2 => format!("UPPER({})", self.text(names, below)),
            3 => format!("({} || {})", self.text(names, below), self.text(names, below)),
            4 => format!("LEFT({}, 2)", self.text(names, below)),
            5 => format!("COALESCE({}, {})", self.text(names, below), self.text(names, below)),
            6 => format!("NULLIF({}, {})", self.text(names, below), self.text(names, below)),
            7 => self.case(names, below, Self::text),
            8 => format!("REPLACE(TRIM({}), 'a', 'b')", self.text(names, below)),
            _ => (*self.random.pick(names.texts)).to_owned(),
        }
    }

    /// `CASE` of two values that this writes.
    fn case(&mut self, names: &Names, depth: usize, value: fn(&mut Self, &Names, usize) -> String) -> String {
        let when = self.condition(names, depth);
        let (then, other) = (value(self, names, depth), value(self, names, depth));
        format!("CASE WHEN {when} THEN {then} ELSE {other} END")
    }

    fn number(&mut self, names: &Names, depth: usize) -> String {
        let choice = if depth == 0 { 0 } else { self.random.below(9) };
        let below = depth.saturating_sub(1);
        match choice {
            1 => "2".to_owned(),
            2 => format!("({} + {})", self.number(names, below), self.number(names, below)),
            3 => format!("ABS({} * 2)", self.number(names, below)),
            4 => format!("LENGTH({})", self.text(names, below)),
            5 => format!("GREATEST({}, {})", self.number(names, below), self.number(names, below)),
            6 => format!("DATEDIFF({}, {})", self.day(names, below), self.day(names, below)),
            7 => {
                let (when, then) = (self.condition(names, below), self.number(names, below));
                format!("CASE WHEN {when} THEN {then} END")
            }
            8 => format!("EXTRACT(YEAR FROM {})", self.day(names, below)),
            _ => (*self.random.pick(names.numbers)).to_owned(),
        }
    }

    fn day(&mut self, names: &Names, depth: usize) -> String {
        let choice = if depth == 0 { 0 } else { self.random.below(4) };
        let below = depth.saturating_sub(1);
        match choice {
            1 => "DATE '2026-01-05'".to_owned(),
            2 => format!("COALESCE({}, {})", self.day(names, below), self.day(names, below)),
            3 => self.case(names, below, Self::day),
            _ => (*self.random.pick(names.days)).to_owned(),
        }
    }

    fn condition(&mut self, names: &Names, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        match self.random.below(6) {
            0 => format!("{} > {}", self.number(names, below), self.number(names, below)),
            1 => format!("{} LIKE 'a%'", self.text(names, below)),
            2 => format!("{} IN ('a', 'b')", self.text(names, below)),
            3 => format!("{} IS NOT NULL", self.day(names, below)),
            4 => format!("{} BETWEEN 1 AND {}", self.number(names, below), self.number(names, below)),
            _ if depth > 0 => format!("({} AND NOT ({}))", self.condition(names, below), self.condition(names, below)),
            _ => format!("{} = 'a'", self.text(names, 0)),
        }
    }

    /// `SELECT` of a text `t`, a number `n` and a day `d`.
    fn select(&mut self, names: &Names, from: &str) -> String {
        let (t, n, d) = (self.text(names, 2), self.number(names, 2), self.day(names, 2));
        let filter =
            if self.random.happens(50) { format!(" WHERE {}", self.condition(names, 1)) } else { String::new() };
        format!("SELECT {t} AS t, {n} AS n, {d} AS d FROM {from}{filter}")
    }

    fn statement(&mut self, shape: Shape) -> String {
        const LINES: &str = "silver.orders AS o";
        const PLACES: &str = "silver.cities AS c";
        let join = *self.random.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        match shape {
            Shape::Plain => self.select(&ORDERS, LINES),
            Shape::Joined => self.select(&BOTH, &format!("{LINES} {join} {PLACES} ON o.city = c.city")),
            Shape::Grouped => {
                // A literal is not allowed in GROUP BY.
                let t = format!("UPPER({})", self.text(&BOTH, 1));
                let (n, d) = (self.number(&BOTH, 2), self.day(&BOTH, 2));
                let sum = *self.random.pick(&["SUM", "MIN", "MAX", "AVG", "COUNT"]);
                format!(
                    "SELECT {t} AS t, {sum}({n}) AS n, MAX({d}) AS d FROM {LINES} {join} {PLACES} ON o.city = c.city \
                     GROUP BY {t} HAVING COUNT(*) > 1"
                )
            }
            Shape::With => {
                let (m, x) = (self.number(&ORDERS, 2), self.day(&ORDERS, 1));
                let outer = self.select(&GROUPS, &format!("w {join} {PLACES} ON w.k = c.city"));
                let inner = format!("SELECT o.city AS k, SUM({m}) AS m, MIN({x}) AS x FROM {LINES} GROUP BY o.city");
                format!("WITH w AS ({inner}) {outer}")
            }
            Shape::Union => {
                let all = if self.random.happens(50) { " ALL" } else { "" };
                format!("{} UNION{all} {}", self.select(&ORDERS, LINES), self.select(&CITIES, PLACES))
            }
            Shape::Derived => {
                let inner = self.select(&BOTH, &format!("{LINES} {join} {PLACES} ON o.city = c.city"));
                format!("SELECT q.t AS t, q.n + 1 AS n, q.d AS d FROM ({inner}) AS q WHERE q.n > 1")
            }
            Shape::Except => {
                let operator = *self.random.pick(&["EXCEPT", "INTERSECT"]);
                format!("{} {operator} {}", self.select(&ORDERS, LINES), self.select(&CITIES, PLACES))
            }
            Shape::Using => {
                let (n, d) = (self.number(&BOTH, 2), self.day(&BOTH, 2));
                format!("SELECT city AS t, {n} AS n, {d} AS d FROM {LINES} {join} {PLACES} USING (city)")
            }
        }
    }
}

const ORDER_COLUMNS: [&str; 5] = [
    "name: id, logicalType: integer",
    "name: name, logicalType: string",
    "name: city, logicalType: string",
    "name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)'",
    "name: day, logicalType: date",
];
const CITY_COLUMNS: [&str; 4] = [
    "name: city, logicalType: string",
    "name: country, logicalType: string",
    "name: people, logicalType: integer",
    "name: since, logicalType: date",
];
const GOLD_COLUMNS: [&str; 3] = [
    "name: t, logicalType: string",
    "name: n, logicalType: number, physicalType: 'DECIMAL(18,2)'",
    "name: d, logicalType: date",
];

/// A pipeline with these gold tables, `g0` and so on.
fn generated(statements: &[(Shape, String)]) -> Pipeline {
    let mut spec =
        "pipeline: generated\ndomain: sales\nsource: { prefix: landing/g, format: csv }\nbronze: { table: t }\n\
                    silver:\n  - table: orders\n    contract: orders.yaml\n    mode: append\n    \
                    columns: { id: id, name: name, city: city, amount: amount, day: day }\n  - table: cities\n    \
                    contract: cities.yaml\n    mode: append\n    \
                    columns: { city: city, country: country, people: people, since: since }\ngold:\n"
            .to_owned();
    for (number, (_, sql)) in statements.iter().enumerate() {
        spec.push_str(&format!("  - table: g{number}\n    contract: g{number}.yaml\n    sql: >-\n      {sql}\n"));
    }
    pipeline_of(&spec, |path| match path.as_str() {
        "orders.yaml" => contract("orders", &ORDER_COLUMNS, &[]),
        "cities.yaml" => contract("cities", &CITY_COLUMNS, &[]),
        gold => contract(gold.trim_end_matches(".yaml"), &GOLD_COLUMNS, &[]),
    })
}

#[test]
fn sqlglot_finds_the_same_in_generated_statements() {
    let Some(judges) = Judges::or_skip("lineage::sqlglot_finds_the_same_in_generated_statements") else { return };
    let lab = Lab::new();
    let mut writer = Writer { random: Random::new(19) };
    let statements: Vec<(Shape, String)> =
        SHAPES.iter().cycle().take(104).map(|shape| (*shape, writer.statement(*shape))).collect();
    let pipeline = generated(&statements);
    let lineage = lineage::of(std::slice::from_ref(&pipeline));
    let found = theirs(&judges, &pipeline, lab.folder());
    let (mut compared, mut differences) = (0, BTreeMap::new());
    for (number, (shape, sql)) in statements.iter().enumerate() {
        for column in ["t", "n", "d"] {
            let table = format!("gold/sales/g{number}");
            let sqlglot = &found[&(table.clone(), column.to_owned())];
            let ours = ours(&lineage, &table, column);
            compared += ours.len();
            if ours == *sqlglot {
                continue;
            }
            let extra: Vec<&String> = sqlglot.difference(&ours).collect();
            let is_known = ours.is_subset(sqlglot)
                && match shape {
                    Shape::Except => extra.iter().all(|from| from.starts_with("silver/sales/cities.")),
                    Shape::Using => column == "t" && extra.iter().all(|from| from.ends_with(".city")),
                    _ => false,
                };
            assert!(is_known, "{column} of {sql}\nsluice: {ours:?}\nsqlglot: {sqlglot:?}");
            *differences.entry(*shape).or_insert(0) += 1;
        }
    }
    eprintln!("  {} statements, {compared} edges; known differences: {differences:?}", statements.len());
    assert!(compared > 200, "only {compared} edges");
    let exceptions: Vec<Shape> = differences.keys().copied().collect();
    assert_eq!(exceptions, [Shape::Except, Shape::Using], "an exception that never happens is out of date");
}

/// What people read, of the retail pipeline.
fn shown(lab: &Lab, words: &[&str]) -> Run {
    Run::of(lab.command([&["lineage", "pipelines/retail"], words].concat()))
}

#[test]
fn a_tree_fits_the_screen_and_each_line_says_the_kind() {
    let lab = Lab::new();
    let run = shown(&lab, &["daily_revenue.net_revenue"]).expect_code(0);
    let parts = [
        "gold/sales/daily_revenue.net_revenue\n",
        "├─ silver/sales/transactions.quantity  direct aggregation, indirect conditional\n",
        "bronze/sales/transactions.UnitPrice  direct transformation\n",
        "rows of gold/sales/daily_revenue\n",
        "silver/sales/transactions.country  indirect group by\n",
        "rows of silver/sales/transactions\n",
        "bronze/sales/transactions.InvoiceDate  indirect sort\n",
    ];
    assert_says(&run.stdout, &parts, "upstream");
    let all = shown(&lab, &[]).expect_code(0);
    let down = shown(&lab, &["bronze/sales/transactions.Quantity", "--downstream"]).expect_code(0);
    assert_says(&down.stdout, &["silver/sales/transactions.quantity", "tables that change with it\n"], "downstream");
    for line in [run, all, down].iter().flat_map(|run| run.stdout.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
        let is_edge = line.contains("─ ") && line.contains('.');
        assert!(!is_edge || line.contains(" direct ") || line.contains(" indirect "), "{line}");
    }
}

#[test]
fn the_json_has_the_kinds_of_openlineage() {
    let lab = Lab::new();
    let page: Value = shown(&lab, &["customer_rfm.recency_days", "--json"]).expect_code(0).page();
    assert_eq!(page["of"], json!({ "table": "gold/sales/customer_rfm", "column": "recency_days" }));
    assert_eq!(page["direction"], "upstream");
    let edges = page["edges"].as_array().unwrap();
    let expected = json!({
        "from": { "table": "silver/sales/transactions", "column": "invoice_ts" },
        "to": { "table": "gold/sales/customer_rfm", "column": "recency_days" },
        "type": "DIRECT", "subtype": "AGGREGATION", "masking": false,
    });
    assert!(edges.contains(&expected), "{page:#}");
    let nodes = page["nodes"].as_array().unwrap();
    for end in edges.iter().flat_map(|edge| [&edge["from"], &edge["to"]]) {
        assert!(end["column"].is_null() || nodes.contains(end), "{end} is not a node");
    }
}

#[test]
fn an_unknown_name_is_wrong_use_and_the_nearest_is_named() {
    let lab = Lab::new();
    let check = |name: &str, parts: &[&str]| assert_says(&shown(&lab, &[name]).expect_code(2).stderr, parts, name);
    check("daily_revenue.net_revenu", &["has no column 'net_revenu', did you mean 'net_revenue'?"]);
    check("daily_revenu.orders", &["no table of these pipelines is called", "did you mean 'daily_revenue'?"]);
    check("pipelines/wholesale", &["no table of these pipelines is called 'pipelines/wholesale'"]);
}
