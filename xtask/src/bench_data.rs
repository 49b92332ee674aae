//! One large CSV file for the benchmark, made of sample days without ever holding one in memory.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace::{Workspace, output_of};

/// The file spans this many days.
const DAYS: u64 = 25;
/// Rows of the trial day that shows how many bytes a row has.
const TRIAL_ROWS: u64 = 5000;
const DIRT: &str = "0.01";

/// A generated source file, alone in its folder.
pub(crate) struct Source {
    /// The CSV file.
    pub(crate) file: PathBuf,
    /// Its size, header included.
    pub(crate) size_bytes: u64,
}

impl Source {
    /// The folder to land from.
    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }
}

/// Generates about `wanted_bytes` below `folder`, which is emptied first.
///
/// # Errors
/// When `sluice sample` fails or the disk is full.
pub(crate) fn generate(workspace: &Workspace, folder: &Path, wanted_bytes: u64) -> Result<Source> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let landing = folder.join("landing");
    fs::create_dir_all(&landing)?;
    let parts = folder.join("parts");
    let trial = folder.join("trial.csv");
    append_days(workspace, &parts, 1, TRIAL_ROWS, &trial)?;
    // Sample days vary in length by a little: the size wanted is met within a few per cent.
    let trial_bytes = fs::metadata(&trial)?.len().max(1);
    fs::remove_file(&trial)?;
    let rows_per_day = (wanted_bytes / DAYS * TRIAL_ROWS / trial_bytes).max(1);
    let file = landing.join("sales.csv");
    append_days(workspace, &parts, DAYS, rows_per_day, &file)?;
    let size_bytes = fs::metadata(&file)?.len();
    Ok(Source { file, size_bytes })
}

/// Samples days into `parts` and moves their lines to the end of `file`.
fn append_days(workspace: &Workspace, parts: &Path, days: u64, rows: u64, file: &Path) -> Result<()> {
    let mut sample = workspace.command(workspace.sluice());
    sample.arg("sample").arg(parts).args(["--start", "2026-01-05", "--seed", "7", "--dirt", DIRT]);
    sample.args(["--days", &days.to_string(), "--rows", &rows.to_string()]);
    output_of(&mut sample)?;
    let mut made = fs::read_dir(parts)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    made.sort();
    ensure!(!made.is_empty(), "`sluice sample` wrote no file into {}", parts.display());
    for part in &made {
        append_lines(part, file).with_context(|| format!("cannot append to {}", file.display()))?;
        fs::remove_file(part)?;
    }
    fs::remove_dir_all(parts)?;
    Ok(())
}

/// Appends a CSV file to another; the header only where the other is new.
fn append_lines(part: &Path, file: &Path) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(part)?);
    let mut writer = BufWriter::with_capacity(1 << 20, File::options().create(true).append(true).open(file)?);
    let mut header = Vec::new();
    reader.read_until(b'\n', &mut header)?;
    if fs::metadata(file)?.len() == 0 {
        writer.write_all(&header)?;
    }
    io::copy(&mut reader, &mut writer)?;
    writer.flush()?;
    Ok(())
}
