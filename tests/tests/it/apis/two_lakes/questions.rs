//! Questions by chance: rows, statements, sharing, and what is said about a product.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

/// More than a caller can see, so that no answer is complete before all rows were read.
const ALL: usize = 1000;

/// What a caller asks both lakes.
#[derive(Debug)]
pub(super) enum Question {
    Rows(Vec<(&'static str, String)>),
    /// A statement, and whether it says the order of its rows.
    Sql {
        sql: String,
        is_ordered: bool,
    },
    Sharing(Value),
    About(&'static str),
}

/// A seeded stream of questions.
pub(super) struct Words(Pcg64Mcg);

impl Words {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    pub(super) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn number(&mut self) -> usize {
        let limit = [20, 400, 3000, 3_000_000][self.below(4)];
        self.below(limit)
    }

    /// A comparison that fails on no value.
    fn comparison(&mut self) -> String {
        let sign = self.one(&["=", "<", "<=", ">", ">=", "<>"]);
        match self.below(9) {
            0 => format!("id {sign} {}", self.number()),
            1 => format!("amount {sign} {}", self.number()),
            2 => format!("price {sign} {}.25", self.number()),
            3 => format!(
                "seen {sign} TIMESTAMP '2026-0{}-0{} 08:0{}:00'",
                1 + self.below(2),
                1 + self.below(4),
                self.below(9)
            ),
            4 => format!("born {sign} DATE '{}-01-0{}'", self.one(&["1950", "2026"]), 1 + self.below(9)),
            5 => format!("team {sign} '{}'", self.one(&["azure", "blue", "green", "red", "yellow"])),
            6 => format!("country {sign} '{}'", self.one(&["Denmark", "France", "Poland", "Zambia"])),
            7 => format!("{} IS {}NULL", self.one(&["note", "amount", "flag"]), self.one(&["", "NOT "])),
            _ => format!("note LIKE '%{}%'", self.one(&["1", "HIDDEN", "length"])),
        }
    }

    /// A condition that fails on some values, or on all.
    fn failing(&mut self) -> String {
        match self.below(6) {
            0 => "1 / (id - id) = 1".to_owned(),
            1 => format!("1 / (amount - {}) >= 0", self.number()),
            2 => format!("CAST(note AS INT) > {}", self.number()),
            3 => format!("CAST(team AS INT) = {}", self.number()),
            4 => "1 / 0 = 1".to_owned(),
            _ => format!("CAST(CAST(amount AS STRING) || note AS INT) < {}", self.number()),
        }
    }

    fn condition(&mut self, may_fail: bool) -> String {
        let one = self.comparison();
        let other = if may_fail && self.below(2) == 0 { self.failing() } else { self.comparison() };
        match self.below(5) {
            0 => one,
            1 => format!("{other} AND {one}"),
            2 => format!("NOT ({one}) AND {other}"),
            3 => format!("({one} OR {other})"),
            _ => format!("{one} AND {other}"),
        }
    }

    pub(super) fn question(&mut self) -> Question {
        match self.below(10) {
            0..4 => self.rows(),
            4..8 => self.statement(),
            8 => self.sharing(),
            _ => Question::About(self.one(&[
                "/data-products/hr/pay",
                "/data-products/hr/pay/schema?port=pay",
                "/data-products/hr/pay/quality?port=pay",
                "/data-products/hr/pay/lineage",
                "/data-products",
                "/sharing/shares/hr/schemas/pay/tables/pay/metadata",
                "/sharing/shares/hr/schemas/pay/tables/pay/version",
                "/sharing/shares/hr/schemas/pay/tables/pay/changes?startingVersion=0",
            ])),
        }
    }

    fn rows(&mut self) -> Question {
        let limit = [1, 2, 5, 7, ALL][self.below(5)];
        let mut parameters = vec![("limit", limit.to_string())];
        if self.below(6) > 0 {
            // A page that is complete early may or may not meet a row that it fails on.
            parameters.push(("filter", self.condition(limit == ALL)));
        }
        if self.below(2) == 0 {
            let order = self.one(&["id", "-id", "amount,id", "-price,id", "team,-seen", "country,born", "nothing"]);
            parameters.push(("order", order.to_owned()));
        }
        if self.below(3) == 0 {
            parameters.push((
                "columns",
                self.one(&["id", "id,amount", "note,seen,price", "country,team", "id,_source_row"]).to_owned(),
            ));
        }
        if self.below(8) == 0 {
            parameters.push(("version", self.below(5).to_string()));
        }
        parameters.push(("format", self.one(&["json", "json", "ndjson", "csv", "parquet", "arrow"]).to_owned()));
        Question::Rows(parameters)
    }

    fn statement(&mut self) -> Question {
        let table = "hr.pay.pay";
        let condition = self.condition(true);
        let expression =
            self.one(&["amount", "price", "id + amount", "CAST(note AS INT)", "10 / (id - 107)", "LENGTH(note)"]);
        let aggregate = self.one(&["MIN", "MAX", "SUM", "COUNT"]);
        let (sql, is_ordered) = match self.below(9) {
            0 => (format!("SELECT id, {expression} AS x FROM {table} WHERE {condition}"), false),
            1 => (format!("SELECT {aggregate}({expression}) AS x, COUNT(*) AS n FROM {table} WHERE {condition}"), true),
            2 => (
                format!(
                    "SELECT country, {aggregate}({expression}) AS x FROM {table} WHERE {condition} GROUP BY country"
                ),
                false,
            ),
            3 => (format!("SELECT * FROM {table} WHERE {condition} ORDER BY id LIMIT {}", 1 + self.below(20)), true),
            4 => (
                format!(
                    "SELECT a.id, b.team FROM {table} AS a JOIN {table} AS b ON a.born = b.born AND a.id < b.id ORDER BY a.id, b.id LIMIT 50"
                ),
                true,
            ),
            5 => (format!("WITH c AS (SELECT * FROM {table} WHERE {condition}) SELECT COUNT(*) AS n FROM c"), true),
            6 => (
                format!(
                    "SELECT team, COUNT(*) AS n FROM {table} GROUP BY team HAVING MAX({expression}) > {}",
                    self.number()
                ),
                false,
            ),
            7 => {
                (format!("SELECT id FROM {table} WHERE {condition} UNION ALL SELECT amount AS id FROM {table}"), false)
            }
            _ => (
                format!("SELECT id, ROW_NUMBER() OVER (PARTITION BY team ORDER BY id) AS r FROM {table} ORDER BY id"),
                true,
            ),
        };
        Question::Sql { sql, is_ordered }
    }

    fn sharing(&mut self) -> Question {
        let mut body = json!({});
        for _ in 0..self.below(3) {
            match self.below(4) {
                0 => body["predicateHints"] = json!([self.condition(true), self.comparison()]),
                1 => {
                    let literal = json!({ "op": "literal", "value": self.number().to_string(), "valueType": "long" });
                    let column = json!({ "op": "column", "name": self.one(&["amount", "id"]), "valueType": "long" });
                    let op = self.one(&["equal", "lessThan", "greaterThan"]);
                    body["jsonPredicateHints"] = json!(json!({ "op": op, "children": [column, literal] }).to_string());
                }
                2 => body["limitHint"] = json!(self.below(40)),
                _ => body["version"] = json!(self.below(4)),
            }
        }
        Question::Sharing(body)
    }
}
