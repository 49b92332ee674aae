//! The story of the demo: what is done, what must come of it, and the check that it did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace::{Workspace, line, output_of};

const PIPELINE: &str = "pipelines/retail";
/// Exit codes of `sluice run`.
const PUBLISHED_OR_SKIPPED: i32 = 0;
const REJECTED: i32 = 3;

/// Version and row count of every table, as `sluice table list --json` prints them.
type Tables = BTreeMap<String, TableState>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct TableState {
    version: u64,
    rows: u64,
}

/// A run of the demo over one folder.
pub(crate) struct Story<'w> {
    workspace: &'w Workspace,
    landing: PathBuf,
    lake: PathBuf,
    rows: u64,
}

impl<'w> Story<'w> {
    /// A story in `folder`, with `rows` rows per sample day.
    pub(crate) fn new(workspace: &'w Workspace, folder: &Path, rows: u64) -> Self {
        Self { workspace, landing: folder.join("landing"), lake: folder.join("lake"), rows }
    }

    /// Runs every chapter.
    ///
    /// # Errors
    /// Names the first expectation that did not come true.
    pub(crate) fn tell(&self) -> Result<()> {
        let first = self.first_load()?;
        let second = self.incremental_day(&first)?;
        self.nothing_new(&second)?;
        self.poisoned_day(&second)?;
        self.next_good_day(&second)?;
        self.inspect()
    }

    fn first_load(&self) -> Result<Tables> {
        chapter("1. Five days of raw files, and the first load");
        self.sample("2026-01-05", 5, "0.01")?;
        self.ingest(PUBLISHED_OR_SKIPPED)?;
        let tables = self.tables()?;
        for table in [
            "bronze/sales/transactions",
            "silver/sales/transactions",
            "gold/sales/daily_revenue",
            "gold/sales/customer_rfm",
        ] {
            let rows = tables.get(table).with_context(|| format!("table {table} was not published"))?.rows;
            ensure!(rows > 0, "table {table} has no rows after the first load");
        }
        verified(&format!(
            "published {} tables, {} silver rows",
            tables.len(),
            rows_of(&tables, "silver/sales/transactions")
        ));
        Ok(tables)
    }

    fn incremental_day(&self, before: &Tables) -> Result<Tables> {
        chapter("2. A new day with some dirt: only the new file is read, bad rows go to quarantine");
        self.sample("2026-01-10", 1, "0.03")?;
        self.ingest(PUBLISHED_OR_SKIPPED)?;
        let after = self.tables()?;
        ensure_grown(before, &after, "bronze/sales/transactions")?;
        ensure_grown(before, &after, "silver/sales/transactions")?;
        let quarantine = "quarantine/sales/transactions";
        ensure_grown(before, &after, quarantine)?;
        verified(&format!(
            "silver grew by {} rows, quarantine by {}",
            rows_of(&after, "silver/sales/transactions") - rows_of(before, "silver/sales/transactions"),
            rows_of(&after, quarantine) - rows_of(before, quarantine),
        ));
        Ok(after)
    }

    fn nothing_new(&self, before: &Tables) -> Result<()> {
        chapter("3. The same again: nothing new, so the run is skipped");
        self.ingest(PUBLISHED_OR_SKIPPED)?;
        self.ensure_untouched(before)?;
        verified("skipped: no table got a new version");
        Ok(())
    }

    fn poisoned_day(&self, before: &Tables) -> Result<()> {
        chapter("4. A poisoned day: over a third of its rows are bad, so the gate rejects it (exit code 3)");
        self.sample("2026-01-11", 1, "0.35")?;
        self.ingest(REJECTED)?;
        self.ensure_untouched(before)?;
        verified("rejected: every table is as it was, version by version");
        Ok(())
    }

    fn next_good_day(&self, before: &Tables) -> Result<()> {
        chapter("5. The next good day publishes: the poisoned file is held and blocks nobody");
        self.sample("2026-01-12", 1, "0.01")?;
        self.ingest(PUBLISHED_OR_SKIPPED)?;
        let after = self.tables()?;
        ensure_grown(before, &after, "bronze/sales/transactions")?;
        ensure_grown(before, &after, "silver/sales/transactions")?;
        let arrived = rows_of(&after, "bronze/sales/transactions") - rows_of(before, "bronze/sales/transactions");
        ensure!(
            arrived < self.rows + self.rows / 2,
            "bronze grew by {arrived} rows, more than the one good day has: the held file was let through"
        );
        verified(&format!("published: bronze grew by {arrived} rows, those of the good day only"));
        Ok(())
    }

    fn inspect(&self) -> Result<()> {
        chapter("6. What is in the lake");
        let lake = self.lake.to_string_lossy();
        for words in [["table", "list"], ["runs", "list"], ["source", "list"], ["quarantine", "list"]] {
            self.sluice(&[words[0], words[1], "--lake", &lake], 0)?;
        }
        chapter("How to read it");
        let revenue = self.lake.join("gold/sales/daily_revenue");
        let silver = self.lake.join("silver/sales/transactions");
        println!("DuckDB (https://duckdb.org):\n");
        println!("  INSTALL delta; LOAD delta;");
        println!("  SELECT * FROM delta_scan('{}') ORDER BY net_revenue DESC LIMIT 5;\n", revenue.display());
        println!("Polars (pip install polars deltalake):\n");
        println!("  import polars as pl");
        println!("  print(pl.scan_delta(\"{}\").group_by(\"country\").len().collect())", silver.display());
        println!(
            "  print(pl.scan_delta(\"{}\", version=0).select(pl.len()).collect())  # time travel\n",
            silver.display()
        );
        println!(
            "The demo ended as it should. Everything it made is in {}",
            self.workspace.shown(self.lake.parent().unwrap_or(&self.lake))
        );
        Ok(())
    }

    fn sample(&self, start: &str, days: u64, dirt: &str) -> Result<()> {
        let (landing, rows, days) = (self.landing.to_string_lossy(), self.rows.to_string(), days.to_string());
        self.sluice(
            &["sample", &landing, "--start", start, "--days", &days, "--rows", &rows, "--seed", "7", "--dirt", dirt],
            0,
        )
    }

    fn ingest(&self, expected: i32) -> Result<()> {
        let (lake, landing) = (self.lake.to_string_lossy(), self.landing.to_string_lossy());
        self.sluice(&["run", PIPELINE, "--lake", &lake, "--landing", &landing], expected)
    }

    /// Runs `sluice` with its output shown, and checks its exit code.
    fn sluice(&self, arguments: &[&str], expected: i32) -> Result<()> {
        let shown: Vec<String> = arguments.iter().map(|word| self.workspace.shown(Path::new(word))).collect();
        println!("$ {} {}", self.workspace.shown(&self.workspace.sluice()), shown.join(" "));
        let mut command = self.workspace.command(self.workspace.sluice());
        let status = command.args(arguments).status().with_context(|| format!("cannot start {}", line(&command)))?;
        ensure!(
            status.code() == Some(expected),
            "`{}` ended with {status}, expected exit code {expected}",
            line(&command)
        );
        Ok(())
    }

    fn tables(&self) -> Result<Tables> {
        let mut command = self.workspace.command(self.workspace.sluice());
        let printed = output_of(command.args(["table", "list", "--json", "--lake"]).arg(&self.lake))?;
        tables_from(&printed).with_context(|| format!("`{}` printed no table list", line(&command)))
    }

    fn ensure_untouched(&self, before: &Tables) -> Result<()> {
        let after = self.tables()?;
        ensure!(after == *before, "tables changed that must not: before {before:?}, after {after:?}");
        Ok(())
    }
}

fn tables_from(json: &[u8]) -> Result<Tables> {
    let list: serde_json::Value = serde_json::from_slice(json)?;
    let field = |entry: &serde_json::Value, key: &str| {
        entry
            .get(key)
            .and_then(serde_json::Value::as_u64)
            .with_context(|| format!("entry {entry} has no whole number `{key}`"))
    };
    let entries = list.as_array().with_context(|| format!("not an array: {list}"))?;
    entries
        .iter()
        .map(|entry| {
            let table = entry
                .get("table")
                .and_then(serde_json::Value::as_str)
                .with_context(|| format!("entry {entry} has no text `table`"))?;
            Ok((table.to_owned(), TableState { version: field(entry, "version")?, rows: field(entry, "rows")? }))
        })
        .collect()
}

fn rows_of(tables: &Tables, table: &str) -> u64 {
    tables.get(table).map_or(0, |state| state.rows)
}

fn ensure_grown(before: &Tables, after: &Tables, table: &str) -> Result<()> {
    let (had, has) = (rows_of(before, table), rows_of(after, table));
    ensure!(has > had, "table {table} should have grown: {had} rows before, {has} after");
    Ok(())
}

fn chapter(title: &str) {
    println!("\n=== {title} ===\n");
}

fn verified(what: &str) {
    println!("\nverified: {what}");
}

#[cfg(test)]
mod tests {
    use super::{TableState, ensure_grown, tables_from};

    fn check(json: &str, expected: Option<(&str, u64, u64)>) {
        let read = tables_from(json.as_bytes());
        match expected {
            None => assert!(read.is_err(), "{json} must be refused"),
            Some((table, version, rows)) => assert_eq!(read.unwrap()[table], TableState { version, rows }, "{json}"),
        }
    }

    #[test]
    fn a_table_list_is_read_strictly() {
        check(
            r#"[{"table": "gold/a/b", "version": 3, "rows": 9, "files": 1, "size_bytes": 5}]"#,
            Some(("gold/a/b", 3, 9)),
        );
        check(r#"[{"table": "gold/a/b", "rows": 9}]"#, None);
        check(r#"[{"table": "gold/a/b", "version": 3, "rows": null}]"#, None);
        check(r#"{"tables": []}"#, None);
        check("", None);
    }

    #[test]
    fn growth_needs_more_rows() {
        let list =
            |rows: u64| tables_from(format!(r#"[{{"table": "t", "version": 0, "rows": {rows}}}]"#).as_bytes()).unwrap();
        assert!(ensure_grown(&list(1), &list(2), "t").is_ok());
        assert!(ensure_grown(&list(2), &list(2), "t").is_err());
        assert!(ensure_grown(&list(2), &list(3), "absent").is_err());
    }
}
