//! `sluice runs report`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::json;
use sluice_core::uri::LakePath;
use sluice_lake::Lake;
use sluice_lake::inspect::RunDetails;

use crate::console::Console;
use crate::execution::{page_text, stored_page};
use crate::fault::{Exit, Fault};

/// Writes, opens or prints the page of a run.
pub(super) async fn show(
    lake: &Lake,
    details: &RunDetails,
    (open, out): (bool, Option<PathBuf>),
    console: &Console,
) -> Result<Exit> {
    let stored = stored_page(lake, details).await?;
    let text = page_text(lake, details, stored.as_ref()).await?;
    if let Some(out) = &out {
        fs::write(out, &text).with_context(|| format!("cannot write {}", out.display()))?;
    }
    let file = match out {
        Some(out) => Some(out),
        None if open => Some(file_to_open(lake, stored.as_ref(), &text)?),
        None => None,
    };
    if let Some(file) = file.as_deref().filter(|_| open) {
        open_in_browser(file.as_os_str())?;
    }
    if console.is_json() {
        console.json_page(&json!({
            "pipeline": details.summary.pipeline,
            "run_id": details.summary.run_id,
            "report_page": stored.map(|path| lake.root().object(&path)),
            "file": file.map(|file| file.display().to_string()),
        }))?;
    } else {
        match file {
            Some(file) => console.line(&file.display().to_string())?,
            None => console.line(text.trim_end())?,
        }
    }
    Ok(Exit::Done)
}

/// The stored page itself, where a browser can read it, or a copy that stays.
fn file_to_open(lake: &Lake, stored: Option<&LakePath>, text: &str) -> Result<PathBuf> {
    let local = stored.filter(|_| lake.root().is_local());
    if let Some(path) = local.and_then(|path| lake.root().object(path).as_url().to_file_path().ok()) {
        return Ok(path);
    }
    let mut copy = tempfile::Builder::new().prefix("sluice-report-").suffix(".html").tempfile()?;
    copy.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", copy.path().display()))?;
    let (_, path) = copy.keep()?;
    Ok(path)
}

/// Starts the browser with a file or an address, and does not wait for its end.
pub(super) fn open_in_browser(target: &OsStr) -> Result<()> {
    let named = env::var_os("BROWSER").filter(|name| !name.is_empty());
    let program: OsString = match named {
        Some(program) => program,
        None if cfg!(target_os = "macos") => "open".into(),
        None if cfg!(windows) => "explorer".into(),
        None => "xdg-open".into(),
    };
    let mut command = Command::new(&program);
    command.arg(target).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!(
                "cannot start the browser {}: {error}. Open {} yourself, or name a browser in BROWSER",
                program.display(),
                target.display()
            );
            Err(Fault::new(Exit::Failed, message).into())
        }
    }
}
