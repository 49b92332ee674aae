//! Statements and filters that try to see what is hidden.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde_json::json;

use super::{HIDDEN_NUMBER, HIDDEN_ROW, HIDDEN_VALUE, PORT, Shop, assert_nothing_hidden};

const MARKERS: [&str; 3] = [HIDDEN_ROW, HIDDEN_VALUE, HIDDEN_NUMBER];
/// Half statements, half filters.
const INPUTS: usize = 10_000;

/// Words that expressions are made of: what may be seen, what may not, and what is not there.
const COLUMNS: [&str; 12] = [
    "country",
    "description",
    "quantity",
    "customer_id",
    "unit_price",
    "t.unit_price",
    "nothing",
    "_source_file",
    "invoice_no",
    "is_cancellation",
    "\"unit_price\"",
    "transactions.unit_price",
];
const TABLES: [&str; 14] = [
    PORT,
    PORT,
    PORT,
    PORT,
    "sales.retail.daily_revenue",
    "sales.retail.customer_rfm",
    "silver.sales.transactions",
    "transactions",
    "read_csv('/etc/passwd')",
    "'silver/sales/transactions/x.parquet'",
    "information_schema.tables",
    "sales.retail.\"../x\"",
    "read_parquet('silver/sales/transactions/*.parquet')",
    "sales.other.t",
];

struct Words(Pcg64Mcg);

impl Words {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(6) {
                0 => "1".to_owned(),
                1 => "'France'".to_owned(),
                _ => self.one(&COLUMNS).to_owned(),
            };
        }
        let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
        match self.below(12) {
            0 => format!("CAST({a} AS INT)"),
            1 => format!("CAST({a} AS STRING)"),
            2 => format!("UPPER({a})"),
            3 => format!("({a} || {b})"),
            4 => format!("({a} / {b})"),
            5 => format!("({a} + {b})"),
            6 => format!("COALESCE({a}, {b})"),
            7 => format!("CASE WHEN {a} = {b} THEN {a} ELSE {b} END"),
            8 => format!("LEFT({a}, 3)"),
            9 => format!("REPLACE({a}, '1', {b})"),
            10 => format!("GREATEST({a}, {b})"),
            _ => a,
        }
    }

    fn predicate(&mut self) -> String {
        let (a, b) = (self.expression(1), self.expression(1));
        let simple = match self.below(7) {
            0 => format!("{a} = {b}"),
            1 => format!("{a} <> {b}"),
            2 => format!("CAST(description AS INT) > {}", self.below(30)),
            3 => format!("1 / (quantity - {}) >= 0", self.below(30)),
            4 => format!("{a} LIKE '%{}%'", self.one(&["1", HIDDEN_ROW, "7391"])),
            5 => format!("{a} IS NOT NULL"),
            _ => format!("{a} BETWEEN {b} AND {a}"),
        };
        match self.below(4) {
            0 => format!("NOT ({simple})"),
            1 => format!("{simple} OR quantity > 0"),
            _ => simple,
        }
    }

    fn statement(&mut self) -> String {
        let (table, expression, predicate) = (self.one(&TABLES), self.expression(2), self.predicate());
        let aggregate = self.one(&["MAX", "MIN", "COUNT", "SUM"]);
        let statement = match self.below(9) {
            0 => format!("SELECT * FROM {table}"),
            1 => format!("SELECT {expression} AS x FROM {table} AS t WHERE {predicate}"),
            2 => format!("SELECT {aggregate}({expression}) AS x FROM {table} AS t"),
            3 => format!("WITH c AS (SELECT * FROM {table} AS t) SELECT {expression} AS x FROM c AS t"),
            4 => format!("SELECT x.* FROM (SELECT * FROM {table} AS t WHERE {predicate}) AS x"),
            5 => format!("SELECT t.*, u.* FROM {table} AS t JOIN {PORT} AS u ON t.quantity = u.quantity"),
            6 => format!(
                "SELECT country, {aggregate}({expression}) AS x FROM {table} AS t GROUP BY country HAVING COUNT(*) > 1"
            ),
            7 => format!("SELECT country FROM {table} AS t ORDER BY {expression} LIMIT 5"),
            _ => format!("SELECT t.country FROM {PORT} AS t LEFT JOIN {table} AS u ON {predicate}"),
        };
        if self.below(8) == 0 { self.damaged(&statement) } else { statement }
    }

    fn damaged(&mut self, text: &str) -> String {
        let at = self.below(text.len());
        let mut characters: Vec<char> = text.chars().collect();
        match self.below(3) {
            0 => drop(characters.remove(at.min(characters.len() - 1))),
            1 => characters.insert(at.min(characters.len()), ['\'', '"', ';', '(', '\0', 'ü'][self.below(6)]),
            _ => characters.truncate(at),
        }
        characters.into_iter().collect()
    }
}

#[test]
fn no_statement_or_filter_shows_what_is_hidden() {
    let shop = Shop::new();
    let token = shop.token("acme");
    let mut words = Words(Pcg64Mcg::seed_from_u64(5));
    let (mut answered, mut refused) = (0, 0);
    for number in 0..INPUTS {
        let (asked, answer) = if number % 2 == 0 {
            let sql = words.statement();
            let answer = shop.served.post("/query", Some(&token), &json!({ "sql": sql }));
            (sql, answer)
        } else {
            let filter = words.predicate();
            let path = url::Url::parse_with_params(
                &format!("{}/data-products/sales/retail/rows", shop.served.endpoint()),
                [("filter", filter.as_str()), ("limit", "5")],
            );
            let answer = shop.served.get(path.unwrap().as_str(), Some(&token));
            (filter, answer)
        };
        // What the caller wrote may be repeated in a message about it.
        let own: Vec<&str> = MARKERS.into_iter().filter(|marker| !asked.contains(marker)).collect();
        assert_nothing_hidden(&answer, &own, &asked);
        match answer.status.as_u16() {
            200 => answered += 1,
            400..=499 => {
                let _ = answer.problem();
                refused += 1;
            }
            status => panic!("{asked}\nis answered {status}: {answer}\n{}", shop.served.log()),
        }
    }
    eprintln!("  {answered} answered, {refused} refused, nothing hidden in any");
    assert!(
        answered > INPUTS / 20 && refused > INPUTS / 20,
        "{answered} answered, {refused} refused: a one-sided test"
    );
}

#[test]
fn a_hidden_column_is_like_one_that_is_not_there() {
    let shop = Shop::new();
    let token = shop.token("acme");
    let query = |column: &str, sql: &str| {
        let answer =
            shop.served.post("/query", Some(&token), &json!({ "sql": sql.replace("COLUMN", column) })).expect(400);
        answer.json()["detail"].as_str().unwrap().replace(column, "COLUMN")
    };
    for sql in [
        "SELECT COLUMN FROM sales.retail.transactions",
        "SELECT country FROM sales.retail.transactions WHERE COLUMN > 1",
        "SELECT t.COLUMN FROM sales.retail.transactions AS t",
        "SELECT MAX(COLUMN) AS x FROM sales.retail.transactions",
        "SELECT country FROM sales.retail.transactions ORDER BY COLUMN",
        "SELECT x.COLUMN FROM (SELECT * FROM sales.retail.transactions) AS x",
    ] {
        assert_eq!(query("unit_price", sql), query("unit_prize", sql), "{sql}");
    }
    let rows = |parameters: &str, column: &str| {
        let path = format!("/data-products/sales/retail/rows?{}", parameters.replace("COLUMN", column));
        let answer = shop.served.get(&path, Some(&token)).expect(400);
        answer.json()["detail"].as_str().unwrap().replace(column, "COLUMN")
    };
    for parameters in ["columns=COLUMN", "order=COLUMN", "filter=COLUMN%3E1"] {
        assert_eq!(rows(parameters, "unit_price"), rows(parameters, "unit_prize"), "{parameters}");
    }
    let unknown = |port: &str| {
        let answer =
            shop.served.get(&format!("/data-products/sales/retail/rows?port={port}"), Some(&token)).expect(404);
        answer.json()["detail"].as_str().unwrap().replace(port, "PORT")
    };
    assert_eq!(unknown("daily_revenue"), unknown("daily_revenues"));
}

#[test]
fn conditions_are_not_evaluated_on_hidden_rows() {
    let shop = Shop::new();
    let token = shop.token("acme");
    // Descriptions of France are numbers, those of hidden rows are not: a CAST that met one would fail, and so tell of it.
    let check = |sql: &str, expected: serde_json::Value| {
        let answer = shop.served.post("/query", Some(&token), &json!({ "sql": sql.replace("PORT", PORT) }));
        assert_eq!(answer.expect(200).json()["rows"], expected, "{sql}");
    };
    check("SELECT SUM(CAST(description AS INT)) AS s FROM PORT", json!([{ "s": 78 }]));
    check("SELECT COUNT(*) AS n FROM PORT WHERE CAST(description AS INT) > 6", json!([{ "n": 6 }]));
    // Thirteen is the quantity of a hidden row.
    check("SELECT COUNT(*) AS n FROM PORT WHERE 1 / (quantity - 13) < 0", json!([{ "n": 12 }]));
    let path = "/data-products/sales/retail/rows?columns=quantity&filter=CAST(description%20AS%20INT)%3E11";
    let rows = shop.served.get(path, Some(&token)).expect(200).json();
    assert_eq!(rows["rows"], json!([{ "quantity": 12 }]));
}
