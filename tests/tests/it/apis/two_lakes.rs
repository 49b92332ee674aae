//! Two lakes that differ in rows that callers may not see, and in nothing else: whatever they ask, both answer alike.
//!
//! The ordinary test asks a few hundred questions. All of them: `SLUICE_QUESTIONS=50000 cargo test -p sluice-tests --test it two_lakes`.

use std::collections::BTreeMap;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::served::{Answer, Served};
use sluice_tests::sluice::Run;

/// Questions of the ordinary test.
const QUESTIONS: usize = 400;
/// Pages that are followed of one question.
const MAX_PAGES: usize = 4;
/// More than a caller can see, so that no answer is complete before all rows were read.
const ALL: usize = 1000;
/// The same for both lakes, so that hashes are, too.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

const PIPELINE: &str = "pipeline: retail
domain: hr
source: { prefix: landing/retail, format: csv }
bronze: { table: pay }
silver:
  - table: pay
    contract: contracts/pay.odcs.yaml
    columns: { id: Id, note: Note, amount: Amount, price: Price, seen: Seen, born: Born, flag: Flag, team: Team, country: Country }
    mode: append
    gate: { quarantined_percent_below: 60 }
";
/// Hidden rows of one lake break the rules, and so many of them `not_rich` that they go to quarantine.
const CONTRACT: &str = "apiVersion: v3.2.0
kind: DataContract
id: hr-pay
version: 1.0.0
status: active
schema:
  - name: pay
    properties:
      - { name: id, logicalType: integer, required: true }
      - { name: note, logicalType: string }
      - { name: amount, logicalType: integer }
      - { name: price, logicalType: number, physicalType: 'DECIMAL(12,3)' }
      - { name: seen, logicalType: timestamp, logicalTypeOptions: { format: 'yyyy-MM-dd HH:mm:ss', defaultTimezone: UTC } }
      - { name: born, logicalType: date }
      - { name: flag, logicalType: boolean }
      - { name: team, logicalType: string }
      - { name: country, logicalType: string, partitioned: true, partitionKeyPosition: 1 }
    quality:
      - { id: nobody_red, type: sql, query: \"SELECT COUNT(*) FROM {object} WHERE team = 'red'\", mustBe: 0, severity: warning }
      - { id: top_amount, type: sql, query: 'SELECT MAX(amount) FROM {object}', mustBeLessThan: 1200000, severity: warning }
      - { id: not_rich, type: sql, query: 'SELECT COUNT(*) FROM {object} WHERE amount > 1500000', mustBe: 0 }
";
const PRODUCT: &str = "apiVersion: v1.0.0
kind: DataProduct
id: 0b6f7c1e-6d1d-4b3c-9a57-2f6f1f1f6a99
domain: hr
name: pay
version: 1.0.0
status: active
description: { purpose: Who is paid what. }
outputPorts:
  - { name: pay, type: tables, version: 1.0.0, contractId: hr-pay }
";
const POLICY: &str = "grants:
  - { name: by-country, principals: ['recipient:country'], doors: [rows, query, sharing], rows: \"country = 'France'\", columns: [id, note, amount, price, seen, born, flag, team, country] }
  - { name: by-team, principals: ['recipient:team'], doors: [rows, query, sharing], rows: \"team = 'blue' AND amount < 1000\", columns: [id, note, amount, price, seen, born, flag, team, country] }
  - { name: nothing, principals: ['recipient:nothing'], doors: [rows, query, sharing], rows: \"team = 'green'\", columns: [id, note, amount, price, seen, born, flag, team, country] }
";
/// Callers, each of whom sees the same rows in both lakes.
const CALLERS: [&str; 3] = ["country", "team", "nothing"];

/// What is delivered on a day. Rows of France and of the team `blue` are the same in both lakes; of the others neither number, values,
/// countries nor places are.
fn delivery(variant: u64, day: usize) -> String {
    let mut hidden = Pcg64Mcg::seed_from_u64(1000 * variant + day as u64);
    let mut below = |limit: u64| hidden.next_u64() % limit;
    let mut text = "Id,Note,Amount,Price,Seen,Born,Flag,Team,Country\n".to_owned();
    for number in 1..=15 {
        for _ in 0..below(4) {
            // Texts that are no numbers, amounts beyond what is seen, teams on both sides of the one that nobody is in.
            let amount = 2000 + below(1_000_000 * (variant + 1));
            let (price, minute, team) = (below(90_000), below(60), ["azure", "red"][below(1 + variant) as usize]);
            let country = ["Denmark", "Germany", "Zambia"][below(1 + 2 * variant) as usize];
            let id = 100_000 + below(1_000_000);
            text.push_str(&format!(
                "{id},HIDDENNOTE of some length {id},{amount},{price}.125,2026-02-{day:02} 10:{minute:02}:00,19{:02}-03-0{day},{},{team},{country}\n",
                below(100), below(2) == 0
            ));
        }
        let id = day * 100 + number;
        let (amount, note) =
            if number % 5 == 0 { (String::new(), String::new()) } else { ((number * day).to_string(), id.to_string()) };
        let (team, country) = if number % 2 == 0 { ("blue", "Poland") } else { ("yellow", "France") };
        let flag = ["true", "false", ""][number % 3];
        text.push_str(&format!(
            "{id},{note},{amount},{number}.250,2026-01-{day:02} 08:{number:02}:00,2026-01-{number:02},{flag},{team},{country}\n"
        ));
    }
    text
}

/// A served lake of a variant, with a token of each caller.
struct Side {
    served: Served,
    tokens: BTreeMap<&'static str, String>,
    _lab: Lab,
}

impl Side {
    fn new(variant: u64) -> Self {
        let lab = Lab::new();
        std::fs::remove_dir_all(lab.pipeline()).unwrap();
        std::fs::create_dir_all(lab.pipeline().join("contracts")).unwrap();
        for (file, text) in [
            ("pipeline.yaml", PIPELINE),
            ("contracts/pay.odcs.yaml", CONTRACT),
            ("product.odps.yaml", PRODUCT),
            ("product.policy.yaml", POLICY),
        ] {
            std::fs::write(lab.pipeline().join(file), text).unwrap();
        }
        for day in 1..=3 {
            std::fs::write(lab.landing().join(format!("day{day}.csv")), delivery(variant, day)).unwrap();
            let mut run = lab.run_command(lab.lake(), &lab.landing());
            run.args(["--run-id", &format!("day{day}")]);
            let _ = Run::of(run).expect(Outcome::Published);
        }
        let mut deploy = lab.command(["deploy"]);
        deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
        let _ = Run::of(deploy).expect_code(0);
        let served = Served::with(&lab, |command| {
            command.env("SLUICE_SECRET", SECRET);
        });
        let token = |caller: &'static str| {
            let file = lab.folder().join(format!("{caller}.share"));
            let mut create = lab.command(["share", "create", "--recipient", caller, "--json"]);
            create.arg("--lake").arg(lab.lake()).args(["--endpoint", served.endpoint()]).arg("--out").arg(&file);
            let _ = Run::of(create).expect_code(0);
            let profile: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            (caller, profile["bearerToken"].as_str().unwrap().to_owned())
        };
        let tokens = CALLERS.into_iter().map(token).collect();
        Self { served, tokens, _lab: lab }
    }

    /// What a caller sees of the answers to a question, one for each page, without what is by chance.
    fn ask(&self, caller: &str, question: &Question) -> Vec<String> {
        let token = Some(self.tokens[caller].as_str());
        match question {
            Question::Rows(parameters) => {
                let mut pages = Vec::new();
                let mut cursor = None;
                while pages.len() < MAX_PAGES {
                    let mut parameters = parameters.clone();
                    parameters.extend(cursor.take().map(|cursor| ("cursor", cursor)));
                    let base = format!("{}/data-products/hr/pay/rows", self.served.endpoint());
                    let path = url::Url::parse_with_params(&base, &parameters).unwrap();
                    let answer = self.served.get(path.as_str(), token);
                    cursor = answer.header("sluice-next-cursor").map(str::to_owned);
                    pages.push(self.seen(&answer, true));
                    if cursor.is_none() {
                        break;
                    }
                }
                pages
            }
            Question::Sql { sql, is_ordered } => {
                let answer = self.served.post("/query", token, &json!({ "sql": sql }));
                vec![self.seen(&answer, *is_ordered)]
            }
            Question::Sharing(body) => {
                let answer = self.served.post("/sharing/shares/hr/schemas/pay/tables/pay/query", token, body);
                vec![self.seen(&answer, true)]
            }
            Question::About(path) => vec![self.seen(&self.served.get(path, token), true)],
        }
    }

    fn seen(&self, answer: &Answer, is_ordered: bool) -> String {
        let by_chance = ["date", "x-request-id", "content-length"];
        let headers = answer.headers.iter().filter(|(name, _)| !by_chance.contains(&name.as_str()));
        let header = |(name, value): &(String, String)| match name.as_str() {
            // Encrypted: its length is all that a caller can read.
            "sluice-next-cursor" => format!("{name}: {} digits", value.len()),
            _ => format!("{name}: {value}"),
        };
        let headers: Vec<String> = headers.map(header).collect();
        let is_text = !headers.iter().any(|header| header.contains("vnd.apache"));
        let body = if is_text {
            let text = answer.text().replace(self.served.endpoint(), "ENDPOINT");
            assert!(!text.contains("HIDDENNOTE"), "{text}");
            let line = |line: &str| match serde_json::from_str::<Value>(line) {
                Ok(value) => settled(value, is_ordered).to_string(),
                Err(_) => line.to_owned(),
            };
            text.lines().map(line).collect::<Vec<_>>().join("\n")
        } else {
            assert!(!answer.text().contains("HIDDENNOTE"), "a hidden text is in the bytes");
            format!("{:?}", answer.body)
        };
        format!("{} {headers:?}\n{body}", answer.status)
    }
}

/// A value without what differs between any two lakes or any two calls.
fn settled(value: Value, is_ordered: bool) -> Value {
    /// Times, random names, addresses that are good for some minutes.
    const BY_CHANCE: [&str; 9] = [
        "requestId",
        "expirationTimestamp",
        "url",
        "committed_at",
        "deployed_at",
        "observed",
        "timestamp",
        "createdTime",
        "audited_at",
    ];
    match value {
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = match (name.as_str(), &value) {
                    (name, _) if BY_CHANCE.contains(&name) => Value::Null,
                    ("next_cursor", Value::String(cursor)) => json!(cursor.len()),
                    // A table's id is random, and a file's is made of its name, which is.
                    ("metaData" | "file", Value::Object(object)) => {
                        let mut object = object.clone();
                        object.remove("id");
                        settled(Value::Object(object), is_ordered)
                    }
                    ("rows", Value::Array(rows)) if !is_ordered => {
                        let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
                        rows.sort_unstable();
                        json!(rows)
                    }
                    _ => settled(value, is_ordered),
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(|value| settled(value, is_ordered)).collect()),
        other => other,
    }
}

#[derive(Debug)]
enum Question {
    Rows(Vec<(&'static str, String)>),
    /// A statement, and whether it says the order of its rows.
    Sql {
        sql: String,
        is_ordered: bool,
    },
    Sharing(Value),
    About(&'static str),
}

struct Words(Pcg64Mcg);

impl Words {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
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

    fn question(&mut self) -> Question {
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

fn questions() -> usize {
    match std::env::var("SLUICE_QUESTIONS") {
        Ok(text) => text.parse().expect("SLUICE_QUESTIONS is a number"),
        Err(_) => QUESTIONS,
    }
}

#[test]
fn hidden_rows_make_no_difference_to_any_answer() {
    let (one, other) = (Side::new(0), Side::new(1));
    let mut words = Words(Pcg64Mcg::seed_from_u64(16));
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..questions() {
        let caller = CALLERS[words.below(CALLERS.len())];
        let question = words.question();
        let (seen, expected) = (one.ask(caller, &question), other.ask(caller, &question));
        assert_eq!(seen, expected, "question {number} of `{caller}` is answered differently: {question:?}");
        for page in &seen {
            *statuses.entry(page[..3].to_owned()).or_default() += 1;
        }
    }
    eprintln!("  answers by status: {statuses:?}");
    for status in ["200", "400"] {
        assert!(statuses.get(status).copied().unwrap_or_default() > questions() / 10, "{statuses:?}: a one-sided test");
    }
    assert!(!statuses.contains_key("500"), "{statuses:?}\n{}", one.served.log());
}
