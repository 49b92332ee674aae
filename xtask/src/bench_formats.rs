//! The benchmark's file in other formats, and what a plan had estimated for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::Value;

use crate::bench_data::Source;
use crate::workspace::{Workspace, output_of};

/// A format of the benchmark's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Plain CSV.
    Csv,
    /// CSV packed with gzip.
    Gzip,
    /// JSON lines.
    Ndjson,
    /// Parquet with columns of text.
    Parquet,
}

impl Format {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Gzip => "gzip",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// As a spec writes it: compression is recognised by content.
    fn in_spec(self) -> &'static str {
        match self {
            Self::Csv | Self::Gzip => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes the rows of a CSV file in another format, alone in a folder next to it.
///
/// # Errors
/// When `bench/convert.py` fails or the disk is full.
pub(crate) fn convert(
    workspace: &Workspace,
    python: &Path,
    source: &Source,
    format: Format,
    folder: &Path,
) -> Result<Source> {
    let out = folder.join("data").join(format.as_str());
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let mut command = workspace.command(python);
    command.arg(workspace.root().join("bench/convert.py")).arg("--source").arg(&source.file);
    command.args(["--format", format.as_str(), "--out"]).arg(&out);
    output_of(&mut command)?;
    let made = fs::read_dir(&out)?.next().context("convert.py wrote no file")??.path();
    Ok(Source { size_bytes: fs::metadata(&made)?.len(), file: made })
}

/// The folder of the retail pipeline with this source format.
///
/// # Errors
/// When the pipeline cannot be copied, or its spec no longer reads CSV.
pub(crate) fn pipeline(workspace: &Workspace, format: Format, folder: &Path) -> Result<PathBuf> {
    let from = workspace.root().join("pipelines/retail");
    let to = folder.join("pipelines").join(format.as_str()).join("retail");
    fs::create_dir_all(to.join("contracts"))?;
    for entry in fs::read_dir(from.join("contracts"))? {
        let path = entry?.path();
        fs::copy(&path, to.join("contracts").join(path.file_name().context("a contract has a name")?))?;
    }
    let spec = fs::read_to_string(from.join("pipeline.yaml"))?;
    ensure!(spec.matches("format: csv").count() == 1, "pipelines/retail/pipeline.yaml must say `format: csv` once");
    fs::write(to.join("pipeline.yaml"), spec.replace("format: csv", &format!("format: {}", format.in_spec())))?;
    Ok(to)
}

/// The peak memory in bytes that the plan of a lake's only run had estimated.
///
/// # Errors
/// When there is not exactly one plan, or it has no estimate.
pub(crate) fn estimated_memory(lake: &Path) -> Result<u64> {
    let runs = fs::read_dir(lake.join("runs/retail"))?.collect::<std::io::Result<Vec<_>>>()?;
    let [run] = runs.as_slice() else {
        anyhow::bail!("the lake has {} runs instead of one", runs.len());
    };
    let plan: Value = serde_json::from_slice(&fs::read(run.path().join("plan-1.json"))?)?;
    let estimated = plan.get("estimate").and_then(|estimate| estimate.get("peak_memory_bytes")).and_then(Value::as_u64);
    estimated.with_context(|| format!("{} has no estimate", run.path().join("plan-1.json").display()))
}
