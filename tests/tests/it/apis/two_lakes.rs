//! Two lakes that differ in rows that callers may not see, and in nothing else: whatever they ask, both answer alike.
//!
//! The ordinary test asks a few hundred questions. All of them: `SLUICE_QUESTIONS=50000 cargo test -p sluice-tests --test it two_lakes`,
//! and others with `SLUICE_QUESTIONS_SEED=17`. A page of an answer takes some 6 ms of a machine that has nothing else to do, and up to
//! thirty times as long next to a build: the workers of a server have a low priority.

mod questions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::served::{Answer, Served};
use sluice_tests::sluice::Run;

use self::questions::{Question, Words};

/// Questions of the ordinary test.
const QUESTIONS: u64 = 400;
/// Where the questions begin, unless another seed is given.
const SEED: u64 = 16;
/// Threads that ask, each one question at a time of both lakes. A server has a place at once for four questions of one caller, so that
/// nobody waits. The same on every machine, and so are the questions.
const THREADS: u64 = 3;
/// After so many questions, progress is reported.
const REPORTED: usize = 1000;
/// Pages that are followed of one question.
const MAX_PAGES: usize = 4;
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

/// A number in the environment.
fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse::<u64>().unwrap_or_else(|error| panic!("{variable} is not a number: {error}")),
        Err(_) => default,
    }
}

/// Answers by status.
type Statuses = BTreeMap<String, usize>;

/// What the threads have done so far.
struct Progress {
    all: u64,
    done: AtomicUsize,
    has_failed: AtomicBool,
    began: Instant,
}

impl Progress {
    fn count(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(REPORTED) {
            eprintln!("  {done} of {} questions after {} s", self.all, self.began.elapsed().as_secs());
        }
    }
}

/// Ends the other threads when this one fails, at the end of a question.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The answers of both lakes, which are asked at the same time.
fn ask_both(sides: &[Side; 2], caller: &str, question: &Question) -> [Vec<String>; 2] {
    let [one, other] = sides;
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| other.ask(caller, question));
        let seen = one.ask(caller, question);
        [seen, asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))]
    })
}

/// Asks so many questions, one after the other.
fn ask_all(sides: &[Side; 2], mut words: Words, count: u64, progress: &Progress) -> Statuses {
    let _alarm = Alarm(&progress.has_failed);
    let mut statuses = Statuses::new();
    for _ in 0..count {
        if progress.has_failed.load(Ordering::Relaxed) {
            break;
        }
        let caller = words.one(&CALLERS);
        let question = words.question();
        let [seen, expected] = ask_both(sides, caller, &question);
        assert_eq!(seen, expected, "a question of `{caller}` is answered differently: {question:?}");
        for page in &seen {
            *statuses.entry(page[..3].to_owned()).or_default() += 1;
        }
        progress.count();
    }
    statuses
}

/// Asks so many questions by several threads.
fn ask_side_by_side(sides: &[Side; 2], seed: u64, all: u64) -> Statuses {
    let progress =
        Progress { all, done: AtomicUsize::new(0), has_failed: AtomicBool::new(false), began: Instant::now() };
    let progress = &progress;
    std::thread::scope(|scope| {
        let start = |thread: u64| {
            let count = all / THREADS + u64::from(thread < all % THREADS);
            // No thread asks what a thread of the next seed asks.
            let words = Words::new(seed.wrapping_mul(THREADS).wrapping_add(thread));
            scope.spawn(move || ask_all(sides, words, count, progress))
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        let mut statuses = Statuses::new();
        for thread in threads {
            for (status, count) in thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
                *statuses.entry(status).or_default() += count;
            }
        }
        statuses
    })
}

#[test]
fn hidden_rows_make_no_difference_to_any_answer() {
    let sides = [Side::new(0), Side::new(1)];
    let (all, seed) = (number("SLUICE_QUESTIONS", QUESTIONS), number("SLUICE_QUESTIONS_SEED", SEED));
    let statuses = ask_side_by_side(&sides, seed, all);
    eprintln!("  answers by status: {statuses:?}");
    for status in ["200", "400"] {
        let answers = statuses.get(status).copied().unwrap_or_default() as u64;
        assert!(answers > all / 10, "{statuses:?}: a one-sided test");
    }
    assert!(!statuses.contains_key("500"), "{statuses:?}\n{}", sides[0].served.log());
}
