//! `sluice doctor`: checks this machine, a lake and pipelines, and says how to fix what is wrong.
//!
//! Each section gives what it found, and a fault in one keeps no other from its work. The number of requests is bounded:
//! the sections name what they did not look through.

mod finding;
mod machine;
mod runs;
mod specs;
mod store;
mod tables;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sluice_lake::Lake;

use self::finding::{Finding, State};
use crate::arguments::DoctorArguments;
use crate::console::{Console, Tone};
use crate::fault::Exit;
use crate::place::Place;

/// Runs every check, and ends with a failure when one of them found a problem.
pub(crate) async fn run(arguments: DoctorArguments, console: &Console) -> Result<Exit> {
    let lake_folder = arguments.lake.as_ref().and_then(Place::local);
    let mut findings = machine::findings(lake_folder.as_deref());
    findings.extend(of_lake(arguments.lake.as_ref(), arguments.read_only).await);
    findings.extend(specs::of_folders(&arguments.folders).await?);
    let count = |state: State| findings.iter().filter(|finding| finding.state() == state).count();
    let (problems, warnings) = (count(State::Problem), count(State::Warning));
    if console.is_json() {
        console.json_page(&json!({ "findings": findings, "problems": problems, "warnings": warnings }))?;
    } else {
        for finding in &findings {
            console.line(&finding.text(console))?;
        }
        let tone = if problems > 0 { Tone::Bad } else { Tone::Good };
        let summary = format!("{} and {}", counted(problems, "problem"), counted(warnings, "warning"));
        console.line(&format!("\n{} in {}", console.paint(tone, &summary), counted(findings.len(), "check")))?;
    }
    Ok(if problems > 0 { Exit::Failed } else { Exit::Done })
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Everything about a lake. What is in it is checked only where it can be read.
async fn of_lake(place: Option<&Place>, is_read_only: bool) -> Vec<Finding> {
    let Some(place) = place else {
        return vec![Finding::skipped("lake", "no lake was given: name one with --lake or SLUICE_LAKE")];
    };
    let lake = match place.open_lake().await {
        Ok(lake) => lake,
        Err(error) => return vec![Finding::of_error("lake", &error)],
    };
    let (mut findings, can_read) = store::findings(&lake, is_read_only).await;
    if can_read {
        findings.extend(content(&lake).await);
    }
    findings
}

async fn content(lake: &Lake) -> Vec<Finding> {
    let now = Timestamp::now();
    let mut findings = Vec::new();
    // What runs may still publish, so that its files are no leftovers.
    let mut open_runs = runs::OpenRuns::default();
    match runs::findings(lake, now).await {
        Ok((found, open)) => {
            findings.extend(found);
            open_runs = open;
        }
        Err(error) => findings.push(Finding::of_lake_error("runs", &error)),
    }
    match tables::findings(lake, &open_runs).await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::of_lake_error("tables", &error)),
    }
    match specs::deployed(lake, now).await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::of_lake_error("deployed", &error)),
    }
    findings
}
