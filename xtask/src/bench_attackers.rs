//! `cargo xtask bench --apis --attackers N`: what some callers who ask for all that they can get do to the others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::bench_apis::{Server, lake, questions};
use crate::judge_tools;
use crate::workspace::{Workspace, output_of};

/// Everybody who is known reads everything: what is measured here is who gets how much of the machine.
const POLICY: &str =
    "grants:\n  - name: everybody\n    principals: ['*']\n    doors: [rows, query]\n    clearance: restricted\n";
/// The others' 99th percentile among attackers is at most so many times that without.
const MOST_SLOWER: f64 = 2.0;
const TABLE: &str = "sales.retail.transactions";

/// Measures the others without the attackers and among them, and leaves the numbers as JSON in `<target>/bench/attackers.json`.
///
/// # Errors
/// When a program fails, when the server does not answer at the end, and when the others are slowed down by more than they may be.
pub(crate) fn measure(workspace: &Workspace, callers: u32, seconds: u32, attackers: u32) -> Result<()> {
    ensure!(attackers < callers, "of {callers} callers, {attackers} cannot be attackers: somebody must be attacked");
    workspace.build_binaries()?;
    let folder = workspace.target().join("bench/apis");
    let pipeline = pipeline(workspace, POLICY)?;
    let lake = lake(workspace, &folder, &pipeline)?;
    let mut server = Server::start(workspace, &lake, &folder)?;
    println!("Making a token for each of {callers} callers …");
    let tokens = tokens(workspace, &lake, &folder, &server.endpoint, callers)?;
    let attack = folder.join("attack.txt");
    fs::write(&attack, attacks().join("\n"))?;
    println!("\n{} callers for {seconds} s each, alone and among {attackers} attackers\n", callers - attackers);
    println!("  {:<34} {:>10} {:>9} {:>9} {:>9}", "question", "per second", "p50 ms", "p95 ms", "p99 ms");
    let (mut measured, mut slow) = (Vec::new(), Vec::new());
    for (name, requests) in questions(&folder)? {
        let load = |callers: u32, attackers: u32| -> Result<Value> {
            let mut load = Command::new(workspace.target().join("debug/sluice-load"));
            load.args(["--endpoint", &server.endpoint]).arg("--requests").arg(&requests).arg("--tokens").arg(&tokens);
            load.args(["--callers", &callers.to_string(), "--seconds", &seconds.to_string()]);
            load.args(["--attackers", &attackers.to_string()]).arg("--attack").arg(&attack);
            serde_json::from_slice(&output_of(&mut load)?).context("what sluice-load printed")
        };
        let alone = load(callers - attackers, 0)?;
        let among = load(callers, attackers)?;
        let ms = |report: &Value, field: &str| report.get(field).and_then(Value::as_f64).unwrap_or_default();
        for (report, how) in [(&alone, ""), (&among, ", attacked")] {
            println!(
                "  {:<34} {:>10.1} {:>9.1} {:>9.1} {:>9.1}   {} {}",
                format!("{name}{how}"),
                ms(report, "requests_per_second"),
                ms(report, "p50_ms"),
                ms(report, "p95_ms"),
                ms(report, "p99_ms"),
                report.get("statuses").unwrap_or(&Value::Null),
                report.get("attackers").unwrap_or(&Value::Null),
            );
        }
        let slower = ms(&among, "p99_ms") / ms(&alone, "p99_ms").max(f64::MIN_POSITIVE);
        println!("  {:<34} {slower:.2} times slower at p99", "");
        if slower > MOST_SLOWER {
            slow.push(format!("{name}: {slower:.2} times"));
        }
        measured.push(json!({ "question": name, "alone": alone, "among_attackers": among, "slower": slower }));
    }
    let file = workspace.target().join("bench/attackers.json");
    fs::write(&file, serde_json::to_string_pretty(&measured)?)?;
    println!("\nNumbers: {}", workspace.shown(&file));
    ensure!(server.is_alive()?, "the server ended: read {}", folder.join("serve.log").display());
    ensure!(slow.is_empty(), "attackers slow others down by more than {MOST_SLOWER} times:\n  {}", slow.join("\n  "));
    Ok(())
}

/// What attackers ask: texts that double, pairs without end, sorts and groups of everything.
fn attacks() -> Vec<String> {
    let joins: Vec<String> = (1..8).map(|number| format!("CROSS JOIN {TABLE} AS t{number}")).collect();
    let doubled: Vec<String> =
        (0..32).map(|step| format!("a{} AS (SELECT x || x AS x FROM a{step})", step + 1)).collect();
    let statements = [
        format!("SELECT SUM(t0.quantity + t7.quantity) AS n FROM {TABLE} AS t0 {}", joins.join(" ")),
        format!(
            "WITH a0 AS (SELECT description AS x FROM {TABLE}), {} SELECT LENGTH(x) AS n FROM a32 LIMIT 1",
            doubled.join(", ")
        ),
        format!(
            "SELECT a.invoice_no FROM {TABLE} AS a JOIN {TABLE} AS b ON a.country = b.country ORDER BY a.unit_price LIMIT 1"
        ),
        format!(
            "SELECT description, stock_code, invoice_no, COUNT(*) AS n FROM {TABLE} GROUP BY description, stock_code, invoice_no ORDER BY n LIMIT 1"
        ),
        format!("SELECT invoice_no FROM {TABLE} ORDER BY description, invoice_no, unit_price LIMIT 10000"),
    ];
    let rows =
        "GET /data-products/sales/retail/rows?port=transactions&limit=10000&order=description,invoice_no".to_owned();
    statements.iter().map(|sql| format!("POST /query {}", json!({ "sql": sql }))).chain([rows]).collect()
}

/// The pipeline with a policy by which every caller reads.
pub(crate) fn pipeline(workspace: &Workspace, policy: &str) -> Result<PathBuf> {
    let (from, to) = (workspace.root().join("pipelines/retail"), workspace.target().join("bench/open/retail"));
    judge_tools::remove(&to)?;
    copy(&from, &to)?;
    fs::write(to.join("product.policy.yaml"), policy)?;
    Ok(to)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// A file with a new token of each caller, one a line.
pub(crate) fn tokens(
    workspace: &Workspace,
    lake: &Path,
    folder: &Path,
    endpoint: &str,
    callers: u32,
) -> Result<PathBuf> {
    let (profile, file) = (folder.join("caller.share"), folder.join("tokens.txt"));
    let mut tokens = Vec::new();
    for number in 0..callers {
        if profile.exists() {
            fs::remove_file(&profile)?;
        }
        let mut create = workspace.command(workspace.sluice());
        create.args(["share", "create", "--json", "--recipient", &format!("caller{number}"), "--endpoint", endpoint]);
        output_of(create.arg("--lake").arg(lake).arg("--out").arg(&profile))?;
        let written: Value = serde_json::from_slice(&fs::read(&profile)?)?;
        tokens.push(written.get("bearerToken").and_then(Value::as_str).context("a profile has no token")?.to_owned());
    }
    fs::write(&file, tokens.join("\n"))?;
    Ok(file)
}
