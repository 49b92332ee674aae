//! `sluice sample`.

use anyhow::{Context, Result};

use crate::arguments::SampleArguments;
use crate::console::{Console, Tone};
use crate::fault::Exit;
use crate::grid::{Grid, count, size};
use crate::sample::{FileState, SampleOrder, write_samples};

/// Writes the files and reports what they contain.
pub(crate) fn run(arguments: SampleArguments, console: &Console) -> Result<Exit> {
    let report = write_samples(&SampleOrder {
        folder: arguments.folder.or(arguments.out).context("no folder was given")?,
        start: arguments.start,
        days: arguments.days,
        rows_per_day: arguments.rows,
        seed: arguments.seed,
        dirt: arguments.dirt,
        force: arguments.force,
    })?;
    if console.is_json() {
        console.json_page(&report)?;
        return Ok(Exit::Done);
    }
    let mut grid = Grid::new(["file", "", ">rows", ">dirt", ">repeated", ">cancelled", ">size"]);
    for file in &report.files {
        let state = match file.state {
            FileState::Written => "written",
            FileState::Unchanged => "unchanged",
        };
        grid.row([
            file.path.display().to_string(),
            state.to_owned(),
            count(file.rows),
            count(file.dirt_lines),
            count(file.duplicate_lines),
            count(file.cancelled_lines),
            size(file.size_bytes),
        ]);
    }
    console.line(&grid.text())?;
    let total = format!(
        "{} files, {} rows, {} of them dirt, {}",
        count(report.files.len() as u64),
        count(report.rows),
        count(report.dirt_lines),
        size(report.size_bytes)
    );
    console.line(&console.paint(Tone::Strong, &total))?;
    Ok(Exit::Done)
}
