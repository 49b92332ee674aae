//! Tables: whether they can be read, how long their logs are, what waits in quarantine, and which files nobody reads.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use object_store::ObjectStore;
use sluice_core::error::with_sources;
use sluice_core::name::{Layer, TableRef};
use sluice_core::uri::layout;
use sluice_lake::delta::{OpenTable, open_table};
use sluice_lake::{Lake, LakeError, inspect};

use super::counted;
use super::finding::Finding;
use super::runs::OpenRuns;
use crate::grid::{count, size};

/// Tables that are opened, in the order of layers and names.
const MAX_TABLES: usize = 100;
/// Files that are listed in the folders of tables, all together: 50 requests to S3.
const MAX_FILES: usize = 50_000;
/// Versions after the newest checkpoint; a commit of Sluice makes one after ten.
const MAX_VERSIONS: u64 = 100;
/// Rows in quarantine for 100 in silver, from which on somebody should look into them.
const MANY_QUARANTINED: u64 = 10;
/// Bytes of files that nobody reads, from which on they are worth a thought.
const MUCH_SPACE: u64 = 1_000_000_000;

/// What was found in the tables that were opened.
#[derive(Default)]
struct Seen {
    /// Rows, where the log has the number.
    rows: BTreeMap<TableRef, u64>,
    /// Tables that cannot be read, and why.
    unreadable: Vec<(TableRef, String)>,
    /// Tables with many versions after their newest checkpoint.
    long_logs: Vec<(TableRef, u64)>,
    leftovers: Leftovers,
}

/// Files that runs have staged which committed nothing.
#[derive(Default)]
struct Leftovers {
    files: u64,
    bytes: u64,
    listed: usize,
    is_cut: bool,
}

/// The checks of the tables.
///
/// # Errors
/// Faults of the store when tables are listed.
pub(super) async fn findings(lake: &Lake, open_runs: &OpenRuns) -> Result<Vec<Finding>, LakeError> {
    let tables = inspect::tables_there(lake).await?;
    let mut seen = Seen::default();
    for table in tables.iter().take(MAX_TABLES) {
        if let Err(error) = look(lake, table, open_runs, &mut seen).await {
            seen.unreadable.push((table.clone(), with_sources(&error)));
        }
    }
    let bound = match tables.len().checked_sub(MAX_TABLES) {
        Some(more @ 1..) => format!("; {more} more were not opened"),
        _ => String::new(),
    };
    let mut findings = Vec::new();
    if seen.unreadable.is_empty() {
        let read = tables.len().min(MAX_TABLES);
        findings.push(Finding::ok("tables", format!("{} can be read{bound}", counted(read, "table"))));
    }
    findings.extend(seen.unreadable.iter().map(|(table, error)| {
        let fix = "`sluice restore` says to which versions the tables fit together, and changes nothing without --yes";
        Finding::problem("tables", format!("table `{table}` cannot be read: {error}"), fix)
    }));
    findings.extend(long_logs(&seen.long_logs));
    findings.extend(quarantined(&seen.rows));
    findings.push(leftovers(&seen.leftovers));
    Ok(findings)
}

async fn look(lake: &Lake, table: &TableRef, open_runs: &OpenRuns, seen: &mut Seen) -> Result<(), LakeError> {
    // A folder without a log, of a first run that was rejected, is no table yet.
    let Some(open) = open_table(lake, table, None).await? else { return Ok(()) };
    if let Some(rows) = open.rows()? {
        seen.rows.insert(table.clone(), rows);
    }
    let names = lake.documents().list(&layout::log(table)).await?;
    let names = names.iter().filter_map(|path| path.as_str().rsplit('/').next());
    let versions = versions_to_replay(open.version(), names);
    if versions > MAX_VERSIONS {
        seen.long_logs.push((table.clone(), versions));
    }
    count_leftovers(lake, &open, open_runs, &mut seen.leftovers).await
}

/// Versions that a reader replays one by one: those after the newest checkpoint. `names` are those of the log's files.
fn versions_to_replay<'a>(version: u64, names: impl Iterator<Item = &'a str>) -> u64 {
    let of_checkpoint = |name: &str| {
        let (version, rest) = name.split_once('.')?;
        if rest.starts_with("checkpoint.") { version.parse::<u64>().ok() } else { None }
    };
    let newest = names.filter_map(of_checkpoint).filter(|checkpoint| *checkpoint <= version).max();
    newest.map_or(version.saturating_add(1), |checkpoint| version - checkpoint)
}

async fn count_leftovers(
    lake: &Lake,
    open: &OpenTable,
    open_runs: &OpenRuns,
    found: &mut Leftovers,
) -> Result<(), LakeError> {
    if found.listed >= MAX_FILES {
        found.is_cut = true;
        return Ok(());
    }
    let folder = layout::table(open.reference());
    let store = |source| LakeError::Store { doing: "list", location: folder.to_string(), source };
    let ledger = open.ledger().await?;
    let current: BTreeSet<String> = open.files()?.into_iter().map(|file| file.path).collect();
    let key = lake.documents().key(&folder)?;
    let mut listed = lake.documents().objects().list(Some(&key));
    while let Some(file) = listed.try_next().await.map_err(store)? {
        if found.listed >= MAX_FILES {
            found.is_cut = true;
            break;
        }
        found.listed += 1;
        let below = file.location.as_ref().strip_prefix(key.as_ref()).unwrap_or_default().trim_start_matches('/');
        let Some(run) = layout::run_of_staged(below) else { continue };
        // What a run has committed may be read at an earlier version.
        if !current.contains(below) && ledger.newest_attempt(&run).is_none() && !open_runs.has(&run) {
            found.files += 1;
            found.bytes = found.bytes.saturating_add(file.size);
        }
    }
    Ok(())
}

fn long_logs(tables: &[(TableRef, u64)]) -> Vec<Finding> {
    if tables.is_empty() {
        return vec![Finding::ok("logs", "every table has a checkpoint that is new enough")];
    }
    let finding = |(table, versions): &(TableRef, u64)| {
        let message = format!("readers of `{table}` replay {} versions one by one", count(*versions));
        let fix =
            "run its pipeline: every tenth commit of Sluice writes a checkpoint; other writers may have to be set to";
        Finding::warning("logs", message, fix)
    };
    tables.iter().map(finding).collect()
}

/// Quarantine tables against the silver tables of the same names.
fn quarantined(rows: &BTreeMap<TableRef, u64>) -> Vec<Finding> {
    let (mut findings, mut all) = (Vec::new(), 0_u64);
    for (table, waiting) in rows.iter().filter(|(table, _)| table.layer() == Layer::Quarantine) {
        all = all.saturating_add(*waiting);
        let silver = TableRef::new(Layer::Silver, table.domain().clone(), table.table().clone());
        let clean = rows.get(&silver).copied().unwrap_or_default();
        if *waiting > 0 && waiting.saturating_mul(100) >= clean.saturating_mul(MANY_QUARANTINED) {
            let message = format!("{} rows wait in `{table}`, and {} are in `{silver}`", count(*waiting), count(clean));
            let fix = "`sluice quarantine list` has the rules; after a correction, `sluice quarantine replay PIPELINE`";
            findings.push(Finding::warning("quarantine", message, fix));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("quarantine", format!("{} rows wait in quarantine", count(all))));
    }
    findings
}

fn leftovers(found: &Leftovers) -> Finding {
    let bound = if found.is_cut {
        format!("; {} files were listed, and no more", count(MAX_FILES as u64))
    } else {
        String::new()
    };
    let message =
        format!("{} staged files of runs that published nothing, {}{bound}", count(found.files), size(found.bytes));
    if found.bytes < MUCH_SPACE {
        return Finding::ok("leftovers", message);
    }
    Finding::warning(
        "leftovers",
        message,
        "no reader sees them; a vacuum of Delta Lake removes them, when no run works",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn versions_are_counted_from_the_newest_checkpoint() {
        let check = |version: u64, names: &[&str], expected: u64| {
            assert_eq!(versions_to_replay(version, names.iter().copied()), expected, "{names:?}");
        };
        let (ten, twenty) =
            ("00000000000000000010.checkpoint.parquet", "00000000000000000020.checkpoint.0000000001.parquet");
        check(4, &["00000000000000000004.json"], 5);
        check(12, &[ten, "00000000000000000012.json", "_last_checkpoint"], 2);
        check(25, &[twenty, ten], 5);
        // Written since the table was opened.
        check(19, &[twenty, ten], 9);
    }

    #[test]
    fn a_quarantine_is_compared_with_its_silver_table() {
        let check = |waiting: u64, clean: u64, expected: State| {
            let rows: BTreeMap<TableRef, u64> = [("quarantine/sales/orders", waiting), ("silver/sales/orders", clean)]
                .into_iter()
                .map(|(table, rows)| (table.parse().unwrap(), rows))
                .collect();
            let states: Vec<State> = quarantined(&rows).iter().map(Finding::state).collect();
            assert_eq!(states, [expected], "{waiting} of {clean}");
        };
        check(0, 0, State::Ok);
        check(9, 100, State::Ok);
        check(10, 100, State::Warning);
        check(1, 0, State::Warning);
        check(u64::MAX, 1, State::Warning);
    }
}
