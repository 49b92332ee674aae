//! Independent judges: DuckDB and `deltalake` from PyPI, called by the scripts of `tests/judges`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::files;

/// The Python interpreter with the judges' packages.
pub struct Judges {
    python: PathBuf,
}

/// Tables computed from the source files by DuckDB, as Parquet files in a folder.
pub struct Oracle {
    folder: PathBuf,
    /// The oracle's counts.
    pub summary: Value,
}

/// What became of a Parquet file.
#[derive(Debug, serde::Deserialize)]
pub struct ParquetVerdict {
    /// Its name.
    pub file: String,
    /// `right`, `refused`, `wrong` or `failed`; see `parquet_judge.py`.
    pub verdict: String,
    /// The first difference, or the message.
    pub detail: String,
}

/// What became of a table of another writer.
#[derive(Debug, serde::Deserialize)]
pub struct TableVerdict {
    /// Its name.
    pub table: String,
    /// `right`, `refused`, `wrong` or `failed`; see `golden_judge.py`.
    pub verdict: String,
    /// The stable name of the error that it is refused with.
    pub error: Option<String>,
    /// The first difference, or the message.
    pub detail: String,
}

impl Judges {
    /// The judges of this machine; without them the test is reported as skipped.
    pub fn or_skip(test: &str) -> Option<Self> {
        match std::env::var_os("SLUICE_PYTHON") {
            Some(python) if !python.is_empty() => Some(Self { python: python.into() }),
            _ => {
                let reason = "needs the Python judges (DuckDB, deltalake): `cargo xtask test` installs them";
                crate::skip(test, reason);
                None
            }
        }
    }

    /// Computes the retail tables from these files or folders, into `folder`.
    pub fn oracle<'a>(&self, sources: impl IntoIterator<Item = &'a PathBuf>, folder: &Path) -> Oracle {
        let mut command = self.script("retail_oracle.py");
        command.arg("--out").arg(folder).args(sources);
        let summary = answer(&mut command, &[0]);
        Oracle { folder: folder.to_owned(), summary }
    }

    /// Asserts that silver, gold and quarantine of a lake equal the oracle's, row by row, for two Delta readers.
    pub fn assert_equal(&self, lake: &Path, oracle: &Oracle, when: &str) {
        let mut command = self.script("compare.py");
        command.arg("--lake").arg(lake).arg("--oracle").arg(&oracle.folder);
        let judged = answer(&mut command, &[0, 1]);
        let comparisons = judged["comparisons"].as_array().expect("a list of comparisons");
        for one in comparisons {
            eprintln!(
                "  {when}: {} by {}: {} rows in the lake, {} by the oracle, equal: {}",
                one["table"], one["reader"], one["rows"]["lake"], one["rows"]["oracle"], one["equal"]
            );
        }
        // Two readers, each over silver, two gold tables and the quarantine.
        assert_eq!(comparisons.len(), 8, "{when}: {judged:#}");
        assert_eq!(judged["equal"], true, "{when}: {judged:#}");
    }

    /// What two Delta readers find in every table of a lake: contents, statistics, partition values, time travel.
    ///
    /// Fails the test when they find a problem.
    pub fn judge_tables(&self, lake: &Path) -> Vec<Value> {
        let mut command = self.script("delta_judge.py");
        command.arg("--lake").arg(lake);
        let judged = answer(&mut command, &[0, 1]);
        assert_eq!(judged["good"], true, "the Delta readers found problems: {judged:#}");
        judged["tables"].as_array().expect("a list of tables").clone()
    }

    /// How many conditions three Delta readers were asked about a table of a lake, comparing with the bounds of its files.
    ///
    /// Fails the test when one of them finds other rows than all rows have that fit.
    pub fn judge_filters(&self, lake: &Path, table: &str) -> u64 {
        let mut command = self.script("filter_judge.py");
        command.arg("--lake").arg(lake).args(["--table", table]);
        let judged = answer(&mut command, &[0, 1]);
        assert_eq!(judged["good"], true, "the Delta readers leave out rows: {judged:#}");
        judged["questions"].as_u64().expect("a number of questions")
    }

    /// Writes Parquet files of every type by pyarrow, DuckDB and Polars, and returns them with their expected verdicts.
    pub fn write_parquet(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        let mut command = self.script("parquet_files.py");
        command.arg("--out").arg(folder);
        let files = answer(&mut command, &[0]);
        let expected = |verdict: &Value| verdict.as_str().expect("a verdict is text").to_owned();
        let files = files.as_object().expect("verdicts by file");
        files.iter().map(|(name, verdict)| (folder.join(name), expected(verdict))).collect()
    }

    /// Delivers each Parquet file to a pipeline of its own and compares bronze with what pyarrow reads.
    pub fn judge_parquet(&self, files: &[PathBuf], work: &Path) -> Vec<ParquetVerdict> {
        let mut command = self.script("parquet_judge.py");
        command.arg("--sluice").arg(crate::sluice::binary()).arg("--work").arg(work).args(files);
        let judged: Vec<ParquetVerdict> =
            serde_json::from_value(answer(&mut command, &[0])).expect("a verdict for each file");
        assert_eq!(judged.len(), files.len(), "{judged:?}");
        judged
    }

    /// Reads the tables in these archives of golden tables and compares every version with what its writer wrote.
    pub fn judge_golden(&self, archives: &[PathBuf], work: &Path) -> Vec<TableVerdict> {
        let mut command = self.script("golden_judge.py");
        command.arg("--sluice").arg(crate::sluice::binary()).arg("--work").arg(work).args(archives);
        let judged: Vec<TableVerdict> =
            serde_json::from_value(answer(&mut command, &[0])).expect("a verdict for each table");
        assert!(judged.len() >= archives.len(), "{judged:?}");
        judged
    }

    /// Which columns each column of the statements in this file is computed from, by sqlglot; see `lineage_judge.py`.
    pub fn judge_lineage(&self, question: &Path) -> Value {
        let mut command = self.script("lineage_judge.py");
        command.arg(question);
        answer(&mut command, &[0])
    }

    /// What the schemas of OpenLineage and its official client find in these events; see `openlineage_judge.py`. `None` where
    /// the schemas are not on this machine.
    pub fn judge_openlineage(&self, events: &Path) -> Option<Value> {
        let schemas = files::repository().join("../shared/specs/openlineage/spec");
        if !schemas.is_dir() {
            return None;
        }
        let mut command = self.script("openlineage_judge.py");
        command.arg("--spec").arg(schemas).arg(events);
        Some(answer(&mut command, &[0]))
    }

    /// What the readers of Prometheus find in two scrapes of a server, and Grafana's SDK in these dashboards; see
    /// `metrics_judge.py`.
    pub fn judge_metrics(&self, text: &Path, open_metrics: &Path, dashboards: &[PathBuf]) -> Value {
        let mut command = self.script("metrics_judge.py");
        command.arg("--text").arg(text).arg("--openmetrics").arg(open_metrics).args(dashboards);
        answer(&mut command, &[0])
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(files::repository().join("tests/judges").join(name)).stdin(Stdio::null());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

impl Oracle {
    /// A count of the summary.
    pub fn count(&self, name: &str) -> u64 {
        self.summary[name].as_u64().unwrap_or_else(|| panic!("the oracle counted no {name}: {}", self.summary))
    }
}

fn answer(command: &mut Command, codes: &[i32]) -> Value {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let (said, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let expected = output.status.code().is_some_and(|code| codes.contains(&code));
    assert!(expected, "{command:?} ended with {}:\n{erred}\n{said}", output.status);
    serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{command:?} did not print JSON: {error}\n{said}\n{erred}"))
}
