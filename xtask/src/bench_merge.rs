//! What new rows cost that are merged into a table which has millions: `sluice run` next to `deltalake` and DuckDB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::bench::{Bench, Cost, empty};
use crate::workspace::output_of;

/// Rows of the table at first, and how many come to it; half of these have the id of a row that it has.
const MERGES: [(u64, &[u64]); 2] = [(8_000_000, &[1_000, 100_000, 1_000_000]), (50_000_000, &[10_000_000])];
/// Those who merge the same rows, as `bench/merge_job.py` calls them.
const RIVALS: [&str; 2] = ["deltalake", "duckdb"];

/// Merges, measures and compares what the tables have afterwards; prints a table.
///
/// # Errors
/// When a job fails, or when the jobs did not come to the same rows.
pub(crate) fn measure(bench: &Bench<'_>) -> Result<Value> {
    let mut merges = Vec::new();
    for (table_rows, deliveries) in MERGES {
        let merge = Merge { bench, table_rows };
        merge.make_tables()?;
        for new_rows in deliveries {
            merges.push(merge.deliver(*new_rows)?);
        }
    }
    println!("\nRows merged into a table. sluice also reads them into bronze, audits the table and commits both:\n");
    println!("  {:>10} {:>10}   {:<10} {:>8} {:>8} {:>9}", "rows", "new", "job", "wall s", "CPU s", "peak MB");
    for Merged { table_rows, new_rows, costs } in &merges {
        for (job, cost) in costs {
            let (wall, cpu, peak) = (cost.wall_seconds, cost.cpu_seconds, cost.megabytes());
            println!("  {table_rows:>10} {new_rows:>10}   {job:<10} {wall:>8.1} {cpu:>8.1} {peak:>9.0}");
        }
    }
    println!(
        "\n  Aim: below 2000 MB at 10 million rows into 50 million, and memory that hardly grows with the new rows."
    );
    fs::remove_dir_all(bench.folder().join("merge"))?;
    Ok(merges.iter().map(Merged::to_json).collect())
}

/// What one delivery cost each job.
struct Merged {
    table_rows: u64,
    new_rows: u64,
    costs: Vec<(&'static str, Cost)>,
}

impl Merged {
    fn to_json(&self) -> Value {
        let jobs: Vec<Value> = self.costs.iter().map(|(job, cost)| cost.to_json(job)).collect();
        json!({ "table_rows": self.table_rows, "new_rows": self.new_rows, "jobs": jobs })
    }
}

/// A table of so many rows, once for each job.
struct Merge<'b, 'w> {
    bench: &'b Bench<'w>,
    table_rows: u64,
}

impl Merge<'_, '_> {
    fn make_tables(&self) -> Result<()> {
        empty(&self.folder("made"))?;
        let source = self.rows(self.table_rows, None)?;
        self.all(&source, "made").map(drop)
    }

    /// Merges new rows into copies of the tables.
    fn deliver(&self, new_rows: u64) -> Result<Merged> {
        let source = self.rows(new_rows, Some(self.table_rows))?;
        empty(&self.folder("merged"))?;
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(self.folder("made")).arg(self.folder("merged"));
        output_of(&mut copy)?;
        Ok(Merged { table_rows: self.table_rows, new_rows, costs: self.all(&source, "merged")? })
    }

    /// Every job with the same rows.
    fn all(&self, source: &Path, tables: &str) -> Result<Vec<(&'static str, Cost)>> {
        let tables = self.folder(tables);
        let workspace = self.bench.workspace();
        let mut command = workspace.command(workspace.sluice());
        command.arg("run").arg(workspace.root().join("bench/merge")).arg("--lake").arg(tables.join("sluice"));
        command.arg("--landing").arg(source.parent().unwrap_or(source)).args(["--engine", "lambda"]);
        let mut costs = vec![("sluice run", self.bench.measure("sluice", &command)?)];
        let mut command = self.job("summary");
        command.arg("--table").arg(tables.join("sluice/silver/bench/readings"));
        let ours: Value = serde_json::from_slice(&output_of(&mut command)?)?;
        for rival in RIVALS {
            let mut command = self.job(rival);
            command.arg("--source").arg(source).arg("--table").arg(tables.join(rival));
            costs.push((rival, self.bench.measure(rival, &command)?));
            let theirs: Value = serde_json::from_str(&self.bench.last_line(rival)?)
                .with_context(|| format!("{rival} printed no summary"))?;
            ensure!(theirs == ours, "{rival} has {theirs}, sluice {ours}: not the same job, so no comparison");
        }
        Ok(costs)
    }

    /// A file of rows, alone in its folder.
    fn rows(&self, rows: u64, over: Option<u64>) -> Result<PathBuf> {
        let folder = self.folder("landing");
        empty(&folder)?;
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{rows}.csv"));
        let mut command = self.job("rows");
        command.arg("--rows").arg(rows.to_string()).arg("--out").arg(&file);
        if let Some(over) = over {
            command.arg("--over").arg(over.to_string());
        }
        output_of(&mut command)?;
        Ok(file)
    }

    fn job(&self, name: &str) -> Command {
        let workspace = self.bench.workspace();
        let mut command = workspace.command(self.bench.python());
        command.arg(workspace.root().join("bench/merge_job.py")).arg(name);
        command
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.bench.folder().join("merge").join(name)
    }
}
