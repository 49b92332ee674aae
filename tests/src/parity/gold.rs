//! Generated gold tables: aggregates, joins, unions and CTEs over the silver tables, and gold over gold.

use serde_json::{Value, json};

use super::table::{Silver, contract};
use super::value::{Flavour, Kind};
use crate::random::Random;

/// A gold table.
#[derive(Debug, Clone)]
pub(super) struct Gold {
    /// Name.
    pub(super) name: String,
    sql: String,
    contract: Value,
    /// The feature that its query covers.
    pub(super) tag: &'static str,
}

impl Gold {
    fn new(name: &str, tag: &'static str, sql: String, columns: &[(&str, String)], quality: &[Value]) -> Self {
        let property = |(name, stored): &(&str, String)| json!({ "name": name, "physicalType": stored });
        let properties: Vec<Value> = columns.iter().map(property).collect();
        Self { name: name.to_owned(), sql, contract: contract(name, &properties, quality), tag }
    }

    /// The table's entry in the spec.
    pub(super) fn spec(&self) -> Value {
        json!({ "table": self.name, "contract": format!("contracts/gold_{}.yaml", self.name), "sql": self.sql })
    }

    /// The table's contract.
    pub(super) fn contract(&self) -> Value {
        self.contract.clone()
    }
}

/// The type of a column, as SQL names it.
fn stored(kind: &Kind) -> String {
    match kind {
        Kind::Text(_) => "STRING".to_owned(),
        Kind::Sequence | Kind::Int64 => "BIGINT".to_owned(),
        Kind::Int32 => "INT".to_owned(),
        Kind::Double => "DOUBLE".to_owned(),
        Kind::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
        Kind::Boolean => "BOOLEAN".to_owned(),
        Kind::Date(_) => "DATE".to_owned(),
        Kind::Timestamp(..) => "TIMESTAMP".to_owned(),
    }
}

/// Gold tables over one or two silver tables.
pub(super) fn drawn(silver: &[Silver], random: &mut Random) -> Vec<Gold> {
    let first = &silver[0];
    let other = silver.last().expect("a silver table");
    let mut tables = Vec::new();
    let quality = match random.below(3) {
        0 => vec![json!({ "metric": "rowCount", "mustBeLessThan": 400 })],
        1 => vec![
            json!({ "type": "sql", "query": "SELECT SUM(n) FROM {object}", "mustBeGreaterThan": 0, "severity": "warning" }),
        ],
        _ => Vec::new(),
    };
    if random.happens(70) {
        tables.push(totals(first, &quality, random));
        if random.happens(50) {
            tables.push(over_gold());
        }
    }
    if random.happens(40) {
        tables.push(match random.below(4) {
            0 => union(first, other),
            1 => join(first, other, random),
            2 => with_cte(first),
            _ => distinct(first),
        });
    }
    tables
}

fn totals(table: &Silver, quality: &[Value], random: &mut Random) -> Gold {
    let groups = [
        table.field(|kind| matches!(kind, Kind::Text(Flavour::Codes))),
        table.field(|kind| matches!(kind, Kind::Date(_))),
        table.field(|kind| *kind == Kind::Boolean),
    ];
    let groups: Vec<_> = groups.into_iter().flatten().collect();
    let group = *random.pick(&groups);
    let mut items = vec![format!("{} AS g", group.name), "COUNT(*) AS n".to_owned()];
    let mut columns = vec![("g", stored(&group.kind)), ("n", "BIGINT".to_owned())];
    let mut add = |item: String, name: &'static str, stored: String| {
        items.push(format!("{item} AS {name}"));
        columns.push((name, stored));
    };
    add("COUNT(DISTINCT k2)".to_owned(), "keys", "BIGINT".to_owned());
    add(
        "MIN(at)".to_owned(),
        "first_at",
        stored(&table.fields.iter().find(|field| field.name == "at").expect("at").kind),
    );
    if let Some(field) = table.field(|kind| matches!(kind, Kind::Decimal { precision: 0..=12, .. })) {
        let Kind::Decimal { scale, .. } = field.kind else { unreachable!("a decimal") };
        add(format!("SUM({})", field.name), "amount", format!("DECIMAL(38,{scale})"));
        add(format!("ROUND(AVG({}), 4)", field.name), "mean_amount", "DECIMAL(38,6)".to_owned());
        add(format!("MAX({})", field.name), "most", stored(&field.kind));
    }
    if let Some(field) = table.field(|kind| *kind == Kind::Int32) {
        add(format!("SUM({})", field.name), "whole", "BIGINT".to_owned());
        add(format!("AVG({})", field.name), "mean", "DOUBLE".to_owned());
        add(format!("COUNT({})", field.name), "present", "BIGINT".to_owned());
    }
    if let Some(field) = table.field(|kind| *kind == Kind::Double) {
        add(format!("SUM({})", field.name), "measure", "DOUBLE".to_owned());
    }
    if let Some(field) = table.field(|kind| matches!(kind, Kind::Text(Flavour::Words))) {
        add(format!("MAX({})", field.name), "last_word", "STRING".to_owned());
    }
    let having = if random.happens(30) { " HAVING COUNT(*) > 1" } else { "" };
    let filter = if random.happens(30) { " WHERE id IS NOT NULL AND id % 3 <> 0" } else { "" };
    let sql = format!("SELECT {} FROM silver.{}{filter} GROUP BY {}{having}", items.join(", "), table.name, group.name);
    Gold::new("totals", "gold aggregate", sql, &columns, quality)
}

fn over_gold() -> Gold {
    let sql = "SELECT COUNT(*) AS groups, SUM(n) AS n, MAX(CASE WHEN n > 1 THEN n END) AS most FROM gold.totals";
    let bigint = || "BIGINT".to_owned();
    Gold::new(
        "summary",
        "gold over gold",
        sql.to_owned(),
        &[("groups", bigint()), ("n", bigint()), ("most", bigint())],
        &[],
    )
}

fn union(first: &Silver, other: &Silver) -> Gold {
    let sql = format!(
        "SELECT 'first' AS origin, k1, id FROM silver.{} UNION ALL SELECT 'other' AS origin, k1, id FROM silver.{} WHERE \
         id > 3",
        first.name, other.name
    );
    let columns = [("origin", "STRING".to_owned()), ("k1", "STRING".to_owned()), ("id", "BIGINT".to_owned())];
    Gold::new("everything", "gold union", sql, &columns, &[])
}

fn join(first: &Silver, other: &Silver, random: &mut Random) -> Gold {
    let kind = random.pick(&["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
    let sql = format!(
        "SELECT l.k1 AS k1, COALESCE(l.n, 0) AS left_rows, COALESCE(r.n, 0) AS right_rows, r.k1 IS NULL AS alone FROM (SELECT \
         k1, COUNT(*) AS n FROM silver.{} WHERE id % 2 = 0 GROUP BY k1) AS l {kind} (SELECT k1, COUNT(*) AS n FROM silver.{} \
         WHERE id % 3 <> 1 GROUP BY k1) AS r ON l.k1 = r.k1",
        first.name, other.name
    );
    let bigint = || "BIGINT".to_owned();
    let columns = [
        ("k1", "STRING".to_owned()),
        ("left_rows", bigint()),
        ("right_rows", bigint()),
        ("alone", "BOOLEAN".to_owned()),
    ];
    Gold::new("joined", "gold join", sql, &columns, &[])
}

fn with_cte(table: &Silver) -> Gold {
    let sql = format!(
        "WITH rows AS (SELECT k1, id, LENGTH(k1) AS size FROM silver.{}), longest AS (SELECT MAX(size) AS size FROM rows) \
         SELECT rows.k1 AS k1, SUM(rows.id) AS ids, MAX(longest.size - rows.size) AS shorter_by FROM rows CROSS JOIN longest \
         WHERE rows.k1 IS NOT NULL GROUP BY rows.k1",
        table.name
    );
    let columns = [("k1", "STRING".to_owned()), ("ids", "BIGINT".to_owned()), ("shorter_by", "BIGINT".to_owned())];
    Gold::new("sizes", "gold CTE", sql, &columns, &[])
}

fn distinct(table: &Silver) -> Gold {
    let k2 = stored(&table.fields.iter().find(|field| field.name == "k2").expect("k2").kind);
    let sql = format!("SELECT DISTINCT k1, k2 FROM silver.{}", table.name);
    Gold::new("pairs", "gold distinct", sql, &[("k1", "STRING".to_owned()), ("k2", k2)], &[])
}
