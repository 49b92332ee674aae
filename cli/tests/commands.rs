//! The command as a user runs it: exit codes, what is on which stream, and that a run can be followed by its JSON lines.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder for one test, with the retail pipeline of the repository in it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn sluice(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.args(arguments).env_remove("SLUICE_LAKE").env("USER", "tester").output().unwrap()
    }

    /// Runs a command that must end with this code and returns its standard output.
    fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.sluice(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n--- stdout\n{out}\n--- stderr\n{err}");
        out
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let out = self.expect(code, &[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}"))
    }

    fn sample(&self, start: &str, dirt: &str) {
        self.expect(0, &["sample", &self.path("landing"), "--start", start, "--rows", "600", "--dirt", dirt]);
    }

    /// Runs the retail pipeline and returns the events.
    fn run(&self, code: i32, more: &[&str]) -> Vec<Value> {
        let (lake, landing) = (self.path("lake"), self.path("landing"));
        let pipeline = pipeline().to_str().unwrap().to_owned();
        let fixed = ["run", &pipeline, "--lake", &lake, "--landing", &landing, "--json"];
        let out = self.expect(code, &[&fixed, more].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn tables(&self) -> Vec<(String, u64, u64)> {
        let tables = self.json(0, &["table", "list", "--lake", &self.path("lake")]);
        let number = |table: &Value, key: &str| table[key].as_u64().unwrap();
        let list = tables.as_array().unwrap().iter();
        list.map(|t| (t["table"].as_str().unwrap().to_owned(), number(t, "version"), number(t, "rows"))).collect()
    }
}

fn pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/retail")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn rows(tables: &[(String, u64, u64)], name: &str) -> u64 {
    tables.iter().find(|(table, ..)| table == name).map_or(0, |(_, _, rows)| *rows)
}

#[test]
fn wrong_use_is_exit_code_2_and_help_is_0() {
    let bench = Bench::new();
    let lake = bench.path("no-lake");
    let check = |code: i32, arguments: &[&str], on_stderr: &str| {
        let output = bench.sluice(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(on_stderr), "{arguments:?}: {}", text(&output.stderr));
    };
    check(0, &["--help"], "");
    check(0, &["run", "--help"], "");
    check(2, &["nonsense"], "unrecognized subcommand");
    check(2, &["table", "list", "--lake", &lake], "does not exist");
    check(2, &["run", &bench.path(""), "--lake", &lake], "pipeline.yaml");
    check(
        2,
        &["run", pipeline().to_str().unwrap(), "--lake", &lake, "--landing", &bench.path("none")],
        "landing folder",
    );
    assert!(!Path::new(&lake).exists(), "wrong use must not create a lake");
}

#[test]
fn errors_are_json_with_the_option_json() {
    let bench = Bench::new();
    let error = bench.json(2, &["table", "list", "--lake", &bench.path("no-lake")]);
    assert_eq!(error["error"]["exit_code"], 2);
    assert!(error["error"]["message"].as_str().unwrap().contains("does not exist"), "{error}");
    let error = bench.json(2, &["table", "list"]);
    assert!(error["error"]["message"].as_str().unwrap().contains("--lake"), "{error}");
}

#[test]
fn the_retail_pipeline_can_run_and_the_schema_is_printed() {
    let bench = Bench::new();
    let checked = bench.json(0, &["check", pipeline().to_str().unwrap()]);
    assert_eq!((checked["pipeline"].as_str(), checked["problems"].as_array().map(Vec::len)), (Some("retail"), Some(0)));
    let schema: Value = serde_json::from_str(&bench.expect(0, &["check", "--schema"])).unwrap();
    assert_eq!(schema["title"], "PipelineSpec");
}

#[test]
fn a_broken_pipeline_is_reported_by_check_and_fails_a_run() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("broken/contracts")).unwrap();
    for file in ["pipeline.yaml", "contracts/daily_revenue.odcs.yaml", "contracts/customer_rfm.odcs.yaml"] {
        fs::copy(pipeline().join(file), Path::new(&bench.path("broken")).join(file)).unwrap();
    }
    let checked = bench.json(1, &["check", &bench.path("broken")]);
    assert!(checked["problems"][0].as_str().unwrap().contains("transactions.odcs.yaml"), "{checked}");
    bench.sample("2026-01-05", "0");
    let out = bench.expect(
        1,
        &["run", &bench.path("broken"), "--lake", &bench.path("lake"), "--landing", &bench.path("landing"), "--json"],
    );
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!((last["outcome"].as_str(), last["error"]["Error"].as_str()), (Some("failed"), Some("InvalidInput")));
    assert_eq!(bench.tables(), []);
}

#[test]
fn days_are_published_skipped_rejected_and_accepted() {
    let bench = Bench::new();
    let lake = bench.path("lake");
    bench.sample("2026-01-05", "0.01");
    let events = bench.run(0, &["--run-id", "first"]);
    assert_eq!((events[0]["event"].as_str(), events[0]["run_id"].as_str()), (Some("started"), Some("first")));
    let entered: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "state_entered")
        .filter_map(|event| event["state"].as_str())
        .collect();
    for state in ["Validate", "Process", "QualityCheck", "Publish", "NotifyPublished"] {
        assert!(entered.contains(&state), "{state} is not in {entered:?}");
    }
    let last = events.last().unwrap();
    assert_eq!((last["event"].as_str(), last["outcome"].as_str()), (Some("finished"), Some("published")), "{last}");
    let first = bench.tables();
    assert_eq!((rows(&first, "bronze/sales/transactions"), rows(&first, "quarantine/sales/transactions")), (600, 6));

    assert_eq!(bench.run(0, &[]).last().unwrap()["outcome"], "skipped");
    assert_eq!(bench.tables(), first, "a skipped run changes nothing");

    bench.sample("2026-01-06", "0.5");
    let rejected = bench.run(3, &["--run-id", "second"]);
    let last = rejected.last().unwrap();
    assert!(!last["broken_rules"].as_array().unwrap().is_empty(), "{last}");
    assert!(last["held"][0]["uri"].as_str().unwrap().ends_with("2026-01-06.csv"), "{last}");
    assert_eq!(bench.tables(), first, "a rejected run changes nothing");
    let held = bench.json(0, &["source", "list", "--lake", &lake]);
    assert_eq!(held[0]["run_id"], "second");
    let runs = bench.json(0, &["runs", "list", "--lake", &lake]);
    assert!(runs["runs"].as_array().unwrap().iter().any(|run| run["run_id"] == "second" && run["state"] == "rejected"));
    assert_eq!(runs["held"][0]["id"], held[0]["id"]);

    bench.expect(0, &["runs", "accept", "second", "--lake", &lake, "--reason", "known", "--by", "me", "--json"]);
    let after = bench.tables();
    assert_eq!(rows(&after, "bronze/sales/transactions"), 1200);
    let shown = bench.json(0, &["runs", "show", "second", "--lake", &lake]);
    assert_eq!(
        (shown["state"].as_str(), shown["verdict"]["acceptance"]["by"].as_str()),
        (Some("accepted"), Some("me"))
    );
    bench.expect(2, &["runs", "accept", "first", "--lake", &lake, "--reason", "x", "--by", "me"]);
    bench.expect(2, &["runs", "show", "nobody", "--lake", &lake]);
    assert_eq!(bench.run(0, &[]).last().unwrap()["outcome"], "skipped", "accepted files are not read again");
}

#[test]
fn a_released_file_is_read_by_the_next_run() {
    let bench = Bench::new();
    let lake = bench.path("lake");
    bench.sample("2026-01-05", "0.5");
    bench.run(3, &["--run-id", "bad"]);
    assert_eq!(bench.run(0, &[]).last().unwrap()["outcome"], "skipped", "held files are not read");
    bench.expect(2, &["source", "release", "2026-01-09.csv", "--lake", &lake]);
    let released = bench.json(0, &["source", "release", "2026-01-05.csv", "--lake", &lake]);
    assert_eq!(released.as_array().map(Vec::len), Some(1));
    bench.run(3, &[]);
}

#[test]
fn tables_and_quarantine_are_shown() {
    let bench = Bench::new();
    let lake = bench.path("lake");
    bench.sample("2026-01-05", "0.05");
    bench.run(0, &["--run-id", "only"]);
    let quarantine = bench.json(0, &["quarantine", "list", "--lake", &lake]);
    assert_eq!((quarantine[0]["rows"].as_u64(), quarantine.as_array().map(Vec::len)), (Some(30), Some(1)));
    let rules = quarantine[0]["rules"].as_object().unwrap();
    let (rule, rows) = rules.iter().next().unwrap();
    let table = "quarantine/sales/transactions";
    let shown =
        bench.expect(0, &["quarantine", "show", table, "--lake", &lake, "--rule", rule, "--rows", "100", "--json"]);
    assert_eq!(Some(shown.lines().count() as u64), rows.as_u64(), "rows of {rule}");
    for line in shown.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert!(row["rules"].as_array().unwrap().contains(&Value::from(rule.as_str())), "{row}");
    }
    let head =
        bench.expect(0, &["table", "head", "silver/sales/transactions", "--lake", &lake, "--rows", "3", "--json"]);
    assert_eq!(head.lines().count(), 3);
    assert!(head.starts_with("{\"invoice_no\":"), "columns are in the table's order: {head}");
    let history = bench.json(0, &["table", "history", "gold/sales/daily_revenue", "--lake", &lake]);
    assert_eq!((history[0]["run_id"].as_str(), history[0]["version"].as_u64()), (Some("only"), Some(0)));
    let details = bench.json(0, &["table", "show", "gold/sales/daily_revenue", "--lake", &lake]);
    assert!(details["columns"].as_array().unwrap().iter().any(|column| column["name"] == "net_revenue"), "{details}");
    bench.expect(2, &["table", "show", "gold/sales/nothing", "--lake", &lake]);
    bench.expect(2, &["table", "show", "gold/sales/daily_revenue", "--version", "99", "--lake", &lake]);
    for arguments in [vec!["table", "list"], vec!["runs", "list"], vec!["quarantine", "list"], vec!["source", "list"]] {
        let out = bench.expect(0, &[&arguments[..], &["--lake", &lake]].concat());
        assert!(!out.contains('\u{1b}'), "no colours without a terminal: {out}");
    }
    bench.expect(0, &["quarantine", "replay", pipeline().to_str().unwrap(), "--lake", &lake, "--json"]);
}

#[test]
fn a_deployment_names_the_columns_of_the_tables_that_readers_get() {
    let bench = Bench::new();
    let deployed = bench.json(0, &["deploy", pipeline().to_str().unwrap(), "--lake", &bench.path("lake")]);
    let tables: Vec<&str> =
        deployed["tables"].as_array().unwrap().iter().map(|t| t["table"].as_str().unwrap()).collect();
    assert_eq!(tables, ["silver/sales/transactions", "gold/sales/daily_revenue", "gold/sales/customer_rfm"]);
    let columns = |table: usize| deployed["tables"][table]["columns"].as_array().unwrap();
    let has = |table: usize, name: &str, of: &str| columns(table).iter().any(|c| c["name"] == name && c["type"] == of);
    assert!(has(0, "invoice_no", "STRING") && has(0, "_ingested_at", "TIMESTAMP"), "{deployed}");
    assert!(has(1, "net_revenue", "DECIMAL(18,2)") && !has(1, "_ingested_at", "TIMESTAMP"), "{deployed}");
}

#[test]
fn an_event_starts_the_run_that_the_deployment_would() {
    let bench = Bench::new();
    bench.sample("2026-01-05", "0.01");
    copy(&pipeline(), &Path::new(&bench.path("lake")).join("pipelines/retail"));
    let (event, trace) = (bench.path("event.json"), bench.path("trace.jsonl"));
    let landing = url::Url::from_directory_path(bench.path("landing")).unwrap();
    fs::write(&event, format!(r#"{{"pipeline": "retail", "landing": "{landing}"}}"#)).unwrap();
    let lake = bench.path("lake");
    let out = bench.expect(0, &["run", "--event", &event, "--lake", &lake, "--trace", &trace, "--json"]);
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "published", "{out}");

    let traced: Vec<Value> =
        fs::read_to_string(trace).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(traced[0]["name"], "Receive");
    assert_eq!(traced[0]["input"]["landing"], landing.as_str());
    assert_eq!(traced.last().unwrap()["event"], "execution_succeeded");

    // An event that does not start a run, a file that does not exist, and both ways to start at once.
    fs::write(&event, r#"{"pipeline": "retail", "laning": "x"}"#).unwrap();
    let refused = bench.sluice(&["run", "--event", &event, "--lake", &lake]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("unknown field `laning`")), (Some(2), true));
    let refused = bench.sluice(&["run", "--event", "none.json", "--lake", &lake]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("event none.json")), (Some(2), true));
    bench.expect(2, &["run", "--event", &event, pipeline().to_str().unwrap(), "--lake", &lake]);
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}
