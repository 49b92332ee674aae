//! The judge of the subset's meaning: random statements over small random tables, here and on DuckDB.
//!
//! `cargo xtask fuzz-sql` runs many; a fixed set runs with the tests. It needs the Python judges.
//!
//! Gold tables have no order, so ORDER BY, LIMIT and OFFSET are added to a statement that was checked, as a caller of `POST /query` may
//! ask for them, and always by all columns: in any other order DuckDB may choose other rows. Not drawn, since DuckDB has nothing like it:
//! quotients of decimals, which are doubles there; averages of wide decimals, whose sums have more digits than DuckDB has room for when
//! it divides them exactly; roundings of wide decimals, which may leave the digits of the type that they are brought to.

mod draw;
mod duckdb;
mod expression;
mod statement;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use sluice_core::sql::ProductSql;
use sluice_spark::sql::{Relation, query as translate};

use self::draw::{Random, SCHEMAS, Table, contract_columns, tables};
use self::duckdb::Sql;
use self::statement::{Statement, Statements};
use super::*;

/// Statements over the same tables.
const AT_ONCE: usize = 20;
/// Differences that are shown.
const SHOWN: usize = 20;
/// Faults of a value that a statement has on one engine and may not have on the other, which computes less or later:
/// where `docs/sql.md` says that it is an error.
const VALUES: [&str; 6] = ["leaves 64 bits", "overflow", "NULLIF", "conversion", "does not fit", "can't fit values"];

/// The script that answers statements with DuckDB, as a process.
struct Judge {
    process: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    /// `None`, which is reported as a skip, where the Python judges are not installed.
    fn or_skip(test: &str) -> Option<Self> {
        let python = std::env::var_os("SLUICE_PYTHON").filter(|python| !python.is_empty());
        let Some(python) = python else {
            let line = format!("{test}: needs the Python judges (DuckDB): `cargo xtask test` installs them");
            eprintln!("SKIPPED {line}");
            if let Some(list) = std::env::var_os("SLUICE_SKIPS") {
                let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
                list.write_all(format!("{line}\n").as_bytes()).unwrap();
            }
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/judges/sql_answers.py");
        let mut process = Command::new(python)
            .arg(script)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Some(Self { process, asked, answers })
    }

    /// The rows of each statement, or why it has no answer.
    fn answer(&mut self, tables: &[Table], statements: &[String]) -> Vec<Result<Vec<Vec<Option<String>>>, String>> {
        let tables: Vec<Value> = tables.iter().map(Table::json).collect();
        writeln!(self.asked, "{}", json!({ "tables": tables, "statements": statements })).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answers: Vec<Value> = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let answer = |answer: Value| match answer.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(serde_json::from_value(answer["rows"].clone()).unwrap()),
        };
        answers.into_iter().map(answer).collect()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What became of a statement here.
#[derive(Debug)]
enum Ours {
    /// Refused by `check`, which plans it over empty tables too.
    Refused(String),
    /// Failed when it ran.
    Failed(String),
    /// Its columns are doubles or not, and its rows.
    Rows(Vec<bool>, Vec<Vec<Option<String>>>),
}

impl Ours {
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rows(doubles, rows), Self::Rows(_, others)) => {
                comparable(doubles, rows, false) == comparable(doubles, others, false)
            }
            _ => false,
        }
    }
}

fn inputs() -> BTreeMap<String, Relation> {
    let relation = |schema: &draw::Schema| {
        let relation = Relation { name: schema.theirs.to_owned(), columns: contract_columns(schema) };
        (schema.ours.to_owned(), relation)
    };
    SCHEMAS.iter().map(relation).collect()
}

/// The query in the order that a caller of `POST /query` asks for.
fn ordered(mut query: Query, order: Option<&Sql>) -> Query {
    if let Some(order) = order {
        let asked: ProductSql = format!("SELECT * FROM sales.retail.t {}", order.ours).parse().unwrap();
        let asked = asked.engine_query();
        (query.order_by, query.limit_clause) = (asked.order_by, asked.limit_clause);
    }
    query
}

/// As `check` and a gold table have it: the types of the statement, a plan over empty tables, and then its rows.
fn ours(statement: &Statement, tables: &[Table]) -> Ours {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let parsed: TableSql = match statement.sql.ours.parse() {
            Ok(parsed) => parsed,
            Err(error) => return Ours::Refused(error.to_string()),
        };
        if let Err(error) = translate(&parsed, &inputs()) {
            return Ours::Refused(error.to_string());
        }
        let read = |empty: bool| {
            let names: Vec<String> = parsed.inputs().iter().map(ToString::to_string).collect();
            let read = tables.iter().filter(|table| names.iter().any(|name| name == table.schema.ours));
            read.map(|table| {
                let frame = table.frame();
                (table.schema.ours.to_owned(), if empty { frame.clear() } else { frame }.lazy())
            })
            .collect::<Vec<_>>()
        };
        let named = |error: EngineError| StepError::new(error.name(), &error).to_string();
        let query = ordered(parsed.engine_query(), statement.order.as_ref());
        if let Err(error) = run(query.clone(), read(true)) {
            return Ours::Refused(format!("plan: {}", named(error)));
        }
        let rows = run(query, read(false)).map_err(named).and_then(|planned| {
            let failed = |error| named(EngineError::while_running("the query")(error));
            // Row-wise statements and those with an order run in memory, and the latter there alone.
            let streamed = match statement.order {
                Some(_) => None,
                None => Some(shown(&collect_streaming(planned.clone()).map_err(failed)?)),
            };
            let in_memory = planned.collect().map_err(|error| format!("in memory: {}", failed(error)))?;
            Ok((streamed, shown(&in_memory)))
        });
        match rows {
            Ok((None, in_memory)) => in_memory,
            Ok((Some(streamed), in_memory)) if streamed.is_like(&in_memory) => streamed,
            Ok((Some(streamed), in_memory)) => {
                Ours::Failed(format!("the engines of Polars differ: streaming {streamed:?}, in memory {in_memory:?}"))
            }
            Err(error) => Ours::Failed(error),
        }
    }));
    answered.unwrap_or_else(|_| Ours::Failed("it panics".to_owned()))
}

fn shown(frame: &DataFrame) -> Ours {
    let doubles: Vec<bool> = frame.columns().iter().map(|column| column.dtype().is_float()).collect();
    let columns: Vec<Vec<Option<String>>> = frame
        .columns()
        .iter()
        .map(|column| match column.dtype() {
            DataType::Float64 => {
                column.f64().unwrap().iter().map(|value| value.map(|value| format!("{value:e}"))).collect()
            }
            dtype => {
                let column = if matches!(dtype, DataType::Datetime(..)) {
                    column.cast(&DataType::Int64).unwrap()
                } else {
                    column.clone()
                };
                let texts = column.cast(&DataType::String).unwrap();
                texts.str().unwrap().iter().map(|text| text.map(ToOwned::to_owned)).collect()
            }
        })
        .collect();
    Ours::Rows(
        doubles,
        (0..frame.height()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect(),
    )
}

/// Rows that can be compared: numbers without needless places, doubles with ten digits; sorted, where they have no order.
fn comparable(doubles: &[bool], rows: &[Vec<Option<String>>], is_ordered: bool) -> Vec<Vec<Option<String>>> {
    let value = |(text, double): (&Option<String>, &bool)| {
        let text = text.as_ref()?;
        if *double {
            let number: f64 = text.parse().unwrap_or(f64::NAN);
            return Some(if number == 0.0 { "0".to_owned() } else { format!("{number:.9e}") });
        }
        let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
        let is_decimal = digits.contains('.') && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let digits = if is_decimal { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
        Some(if digits == "0" { digits.to_owned() } else { format!("{sign}{digits}") })
    };
    let mut rows: Vec<Vec<Option<String>>> =
        rows.iter().map(|row| row.iter().zip(doubles).map(value).collect()).collect();
    if !is_ordered {
        rows.sort();
    }
    rows
}

/// What was found of many statements.
#[derive(Default)]
struct Found {
    equal: usize,
    with_rows: usize,
    both_fail: usize,
    by_value: usize,
    refused: BTreeMap<String, usize>,
    not_judged: BTreeMap<String, usize>,
    differences: Vec<String>,
    different: usize,
}

impl Found {
    fn statements(&self) -> usize {
        self.equal
            + self.both_fail
            + self.by_value
            + self.different
            + self.refused.values().sum::<usize>()
            + self.not_judged.values().sum::<usize>()
    }

    fn different(&mut self, seed: u64, index: usize, sql: &Sql, what: &str, tables: &[Table]) {
        self.different += 1;
        if self.differences.len() < SHOWN {
            let tables: Vec<String> = tables.iter().map(|table| table.json().to_string()).collect();
            self.differences.push(format!(
                "seed {seed}, statement {index}: {what}\n  ours:   {}\n  theirs: {}\n  {}",
                sql.ours,
                sql.theirs,
                tables.join("\n  ")
            ));
        }
    }

    fn judge(
        &mut self,
        (seed, index, statement): (u64, usize, &Statement),
        tables: &[Table],
        theirs: Result<Vec<Vec<Option<String>>>, String>,
    ) {
        let sql = &statement.whole();
        match (ours(statement, tables), theirs) {
            (Ours::Refused(reason), _) => *self.refused.entry(reason_of(&reason)).or_default() += 1,
            (Ours::Failed(error), theirs) => {
                let of_value = VALUES.iter().any(|value| error.contains(value)) && !error.contains("panics");
                match theirs {
                    Err(_) if of_value => self.both_fail += 1,
                    Ok(_) if of_value => self.by_value += 1,
                    _ => self.different(seed, index, sql, &format!("it fails: {error}"), tables),
                }
            }
            (Ours::Rows(..), Err(error)) => *self.not_judged.entry(reason_of(&error)).or_default() += 1,
            (Ours::Rows(doubles, rows), Ok(theirs)) => {
                let is_ordered = statement.order.is_some();
                let rows = comparable(&doubles, &rows, is_ordered);
                let theirs = comparable(&doubles, &theirs, is_ordered);
                if rows == theirs {
                    self.equal += 1;
                    self.with_rows += usize::from(!rows.is_empty());
                    return;
                }
                let missing: Vec<_> = theirs.iter().filter(|row| !rows.contains(row)).take(3).collect();
                let extra: Vec<_> = rows.iter().filter(|row| !theirs.contains(row)).take(3).collect();
                let counts = format!("{} rows, DuckDB {}", rows.len(), theirs.len());
                let what = match missing.is_empty() && extra.is_empty() {
                    true => format!("{counts}; in another order or number: {rows:?}, DuckDB {theirs:?}"),
                    false => format!("{counts}; DuckDB alone {missing:?}; here alone {extra:?}"),
                };
                self.different(seed, index, sql, &what, tables);
            }
        }
    }

    fn report(&self) -> String {
        let mut lines = vec![format!(
            "{} statements: {} equal ({} with rows), {} different, {} fail on both, {} fail here on a value, {} refused, {} \
             not judged",
            self.statements(),
            self.equal,
            self.with_rows,
            self.different,
            self.both_fail,
            self.by_value,
            self.refused.values().sum::<usize>(),
            self.not_judged.values().sum::<usize>(),
        )];
        for (title, reasons) in [("refused", &self.refused), ("not judged", &self.not_judged)] {
            let mut reasons: Vec<_> = reasons.iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            lines.extend(reasons.iter().take(12).map(|(reason, count)| format!("  {title} {count}: {reason}")));
        }
        lines.extend(self.differences.iter().cloned());
        lines.join("\n")
    }
}

/// A reason without what is different in every statement.
fn reason_of(text: &str) -> String {
    let line = text.replace("\\n", "\n");
    let line = line.lines().next().unwrap_or_default();
    let plain: String = line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    plain.chars().take(110).collect()
}

/// Judges so many statements, each [`AT_ONCE`] of them over tables of their own seed.
fn fuzz(judge: &mut Judge, first: u64, cases: usize) -> Found {
    let mut found = Found::default();
    let sets = u64::try_from(cases.div_ceil(AT_ONCE)).unwrap();
    for seed in first..first + sets {
        let mut random = Random::new(seed);
        let tables = tables(&mut random);
        let statements: Vec<Statement> = (0..AT_ONCE).map(|_| Statements::new(&mut random).statement()).collect();
        let theirs: Vec<String> = statements.iter().map(|statement| statement.whole().theirs).collect();
        let answers = judge.answer(&tables, &theirs);
        for (index, (statement, theirs)) in statements.iter().zip(answers).enumerate() {
            found.judge((seed, index, statement), &tables, theirs);
        }
    }
    found
}

/// Fails with all differences; and when so few statements were compared that the generator is broken.
fn assert_judged(found: &Found) {
    eprintln!("{}", found.report());
    assert_eq!(found.different, 0, "{}", found.report());
    let of_all = |count: usize| count * 100 / found.statements().max(1);
    assert!(of_all(found.equal) >= 75 && of_all(found.with_rows) >= 40, "few are compared: {}", found.report());
}

#[test]
fn duckdb_answers_the_fixed_statements_alike() {
    let Some(mut judge) = Judge::or_skip("engine::sql::tests::fuzz::duckdb_answers_the_fixed_statements_alike") else {
        return;
    };
    assert_judged(&fuzz(&mut judge, 0, 500));
}

#[test]
#[ignore = "takes long: cargo xtask fuzz-sql runs it"]
fn duckdb_answers_every_statement_alike() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let mut judge = Judge::or_skip("fuzz-sql").expect("the Python judges");
    let cases = usize::try_from(number("SLUICE_FUZZ_CASES", 20_000)).unwrap();
    assert_judged(&fuzz(&mut judge, number("SLUICE_FUZZ_SEED", 0), cases));
}

/// A seed draws the same on every machine, so that a difference can be looked into.
#[test]
fn a_seed_always_draws_the_same_statements() {
    let drawn = |seed| {
        let mut random = Random::new(seed);
        let rows: Vec<String> = tables(&mut random).iter().map(|table| table.json().to_string()).collect();
        (rows, Statements::new(&mut random).statement().whole())
    };
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
}
