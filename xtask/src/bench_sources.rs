//! `cargo xtask bench --sources`: what every format and way of writing costs, next to plain CSV.

use anyhow::Result;

use crate::bench::{Bench, empty};
use crate::workspace::run;

/// Measures runs over the same rows in all of them, prints a table and leaves the numbers in `<target>/bench/sources.json`.
///
/// # Errors
/// When a run fails, or when it does not bring every row to silver.
pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let (workspace, folder) = (bench.workspace(), bench.folder().join("sources"));
    empty(&folder)?;
    let mut job = workspace.command(bench.python());
    job.arg(workspace.root().join("bench/sources_job.py")).arg("--sluice").arg(workspace.sluice());
    job.arg("--folder").arg(&folder).arg("--out").arg(bench.folder().join("sources.json"));
    run(&mut job)
}
