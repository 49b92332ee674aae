//! `cargo xtask bench --apis`: many callers at once on `sluice serve`, compared with DuckDB answering the same in its own process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::bench_attackers;
use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, output_of, run};

/// Deliveries, each of them a run: the table's files are as many as a month of days makes.
const DELIVERIES: u32 = 20;
/// Rows of a delivery; together 10 million.
const ROWS: u32 = 500_000;
/// First day of the deliveries.
const START: &str = "2026-01-05";
/// Everybody reads as an analyst does. Each is a caller of their own, because few calls of one caller are answered at once.
const POLICY: &str = "grants:\n  - name: analysts\n    principals: ['*']\n    doors: [rows, query]\n    clearance: internal\n    \
    masking: { confidential: hash }\n";
const TABLE: &str = "silver/sales/transactions";

/// Makes the lake, serves it, calls it, asks DuckDB, and leaves the numbers as JSON in `<target>/bench/apis.json`.
///
/// # Errors
/// When a program fails or an answer is no success.
pub(crate) fn measure(workspace: &Workspace, callers: u32, seconds: u32) -> Result<()> {
    let Tool::Ready(python) = judge_tools::python(workspace)? else {
        bail!("the comparison with DuckDB needs Python 3.11 or newer");
    };
    workspace.build_binaries()?;
    let folder = workspace.target().join("bench/apis");
    let pipeline = bench_attackers::pipeline(workspace, POLICY)?;
    let lake = lake(workspace, &folder, &pipeline)?;
    let server = Server::start(workspace, &lake, &folder)?;
    println!("Making a token for each of {callers} callers …");
    let tokens = bench_attackers::tokens(workspace, &lake, &folder, &server.endpoint, callers)?;
    println!("\n{callers} callers at once for {seconds} s each, on this machine's cores together with the server\n");
    println!("  {:<34} {:>10} {:>9} {:>9} {:>9}", "question", "per second", "p50 ms", "p95 ms", "p99 ms");
    let mut measured = Vec::new();
    for (name, requests) in questions(&folder)? {
        let before = server.audited()?.len();
        let mut load = Command::new(workspace.target().join("debug/sluice-load"));
        load.args(["--endpoint", &server.endpoint]).arg("--requests").arg(&requests).arg("--tokens").arg(&tokens);
        load.args(["--callers", &callers.to_string(), "--seconds", &seconds.to_string()]);
        let report: Value = serde_json::from_slice(&output_of(&mut load)?).context("what sluice-load printed")?;
        let ms = |field: &str| report.get(field).and_then(Value::as_f64).unwrap_or_default();
        println!(
            "  {name:<34} {:>10.1} {:>9.1} {:>9.1} {:>9.1}   {}",
            ms("requests_per_second"),
            ms("p50_ms"),
            ms("p95_ms"),
            ms("p99_ms"),
            report.get("statuses").unwrap_or(&Value::Null)
        );
        let files = files_read(&server.audited()?.split_off(before));
        measured.push(json!({ "question": name, "load": report, "files_read_and_there": files }));
    }
    drop(server);
    let mut rival = workspace.command(&python);
    rival.arg("bench/apis_duckdb.py").arg(lake.join(TABLE)).arg("--seconds").arg(seconds.min(20).to_string());
    let rival: Value = serde_json::from_slice(&output_of(&mut rival)?).context("what apis_duckdb.py printed")?;
    println!(
        "\n  DuckDB in its own process, {} threads of callers: {rival:#}",
        rival.get("callers").unwrap_or(&Value::Null)
    );
    let file = workspace.target().join("bench/apis.json");
    fs::write(&file, serde_json::to_string_pretty(&json!({ "sluice": measured, "duckdb": rival }))?)?;
    println!("\nNumbers: {}", workspace.shown(&file));
    Ok(())
}

/// The lake with 10 million rows, made once, with the products of this pipeline.
pub(crate) fn lake(workspace: &Workspace, folder: &Path, pipeline: &Path) -> Result<PathBuf> {
    let (lake, done) = (folder.join("lake"), folder.join("lake.done"));
    if !done.is_file() {
        judge_tools::remove(folder)?;
        fs::create_dir_all(folder)?;
        println!("Making a table of {} rows in {DELIVERIES} runs: some minutes, once.", DELIVERIES * ROWS);
        let all = folder.join("all");
        let sluice = |words: &[&str]| {
            let mut command = workspace.command(workspace.sluice());
            command.args(words);
            command
        };
        let mut sample = sluice(&["sample", "--start", START]);
        sample.args(["--days", &DELIVERIES.to_string(), "--rows", &ROWS.to_string()]).arg("--out").arg(&all);
        output_of(&mut sample)?;
        let mut files: Vec<PathBuf> = fs::read_dir(&all)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        let landing = folder.join("landing");
        fs::create_dir_all(&landing)?;
        for file in files {
            fs::rename(&file, landing.join(file.file_name().context("a file has a name")?))?;
            let mut command = sluice(&["run", "pipelines/retail"]);
            output_of(command.arg("--lake").arg(&lake).arg("--landing").arg(&landing).arg("--json"))?;
        }
        File::create(done)?;
    }
    let mut deploy = workspace.command(workspace.sluice());
    run(deploy.arg("deploy").arg(pipeline).arg("--lake").arg(&lake))?;
    Ok(lake)
}

/// The questions, each as a file of requests.
pub(crate) fn questions(folder: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let base = "/data-products/sales/retail";
    let days: Vec<String> = (0..DELIVERIES).map(|day| format!("2026-01-{:02}", 5 + day)).collect();
    let rows = days.iter().map(|day| {
        let filter = format!("invoice_ts >= TIMESTAMP '{day} 10:00:00' AND invoice_ts < TIMESTAMP '{day} 10:30:00'");
        let filter = filter.replace(' ', "%20").replace('\'', "%27").replace('>', "%3E").replace('<', "%3C");
        format!("GET {base}/rows?port=transactions&limit=100&filter={filter}")
    });
    let sql = "SELECT country, COUNT(*) AS lines, SUM(quantity) AS pieces FROM sales.retail.transactions";
    let query = days.iter().map(|day| {
        let body = json!({ "sql": format!("{sql} WHERE invoice_ts >= TIMESTAMP '{day} 00:00:00' AND invoice_ts < TIMESTAMP '{day} 12:00:00' GROUP BY country") });
        format!("POST /query {body}")
    });
    let write = |name: &str, lines: Vec<String>| -> Result<PathBuf> {
        let file = folder.join(name);
        fs::write(&file, lines.join("\n"))?;
        Ok(file)
    };
    Ok(vec![
        ("manifest", write("manifest.txt", vec![format!("GET {base}")])?),
        ("100 rows of 10 million by range", write("rows.txt", rows.collect())?),
        ("aggregate over half a day", write("query.txt", query.collect())?),
    ])
}

/// Files read and there of the newest access that says so.
fn files_read(events: &[Value]) -> Option<Value> {
    events.iter().rev().find_map(|event| event.get("files").cloned())
}

/// A running `sluice serve`; it ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) endpoint: String,
    audit: PathBuf,
}

impl Server {
    /// Starts it.
    pub(crate) fn start(workspace: &Workspace, lake: &Path, folder: &Path) -> Result<Self> {
        let audit = folder.join("audit.jsonl");
        if audit.exists() {
            fs::remove_file(&audit)?;
        }
        let mut command = workspace.command(workspace.sluice());
        command.args(["serve", "--port", "0", "--json"]).arg("--lake").arg(lake);
        command.arg("--audit").arg(&audit).stdout(Stdio::piped()).stderr(File::create(folder.join("serve.log"))?);
        let mut child = command.spawn().context("cannot start sluice serve")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let announced: Value = serde_json::from_str(&line).context("sluice serve printed no address")?;
        let endpoint =
            announced.get("endpoint").and_then(Value::as_str).context("sluice serve printed no address")?.to_owned();
        ensure!(endpoint.starts_with("http://127.0.0.1:"), "sluice serve listens at {endpoint}");
        Ok(Self { child, endpoint, audit })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    fn audited(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(&self.audit).unwrap_or_default();
        // The last line may be half written.
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
