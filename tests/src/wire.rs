//! The shapes of the command's JSON that the tests rely on, in one place.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sluice_core::name::{RunId, TableRef};
use sluice_core::run::Outcome;
use sluice_core::source::SourceId;

/// An event of the state machine, one line of `sluice run --json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateEvent {
    /// A state began.
    Entered(String),
    /// A state ended.
    Exited(String),
}

impl StateEvent {
    /// The event of a line of standard output; `None` for lines that tell something else.
    pub fn of(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let name = value.get("state")?.as_str()?.to_owned();
        match value.get("event")?.as_str()? {
            "state_entered" => Some(Self::Entered(name)),
            "state_exited" => Some(Self::Exited(name)),
            _ => None,
        }
    }

    /// Name of the state.
    pub fn state(&self) -> &str {
        match self {
            Self::Entered(state) | Self::Exited(state) => state,
        }
    }
}

/// The outcome that the lines of `sluice run --json` end with.
pub fn outcome(lines: &[Value]) -> Option<Outcome> {
    let told = lines.iter().rev().find_map(|line| line.get("outcome"))?;
    serde_json::from_value(told.clone()).ok()
}

/// The run that the lines of `sluice run --json` tell of. An acceptance ends with the run that it publishes.
pub fn run_id(lines: &[Value]) -> Option<RunId> {
    lines.iter().rev().find_map(|line| line.get("run_id"))?.as_str()?.parse().ok()
}

/// A table as `sluice table list --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableState {
    /// The table.
    pub table: TableRef,
    /// Its newest version.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
    /// Its data files.
    pub files: u64,
}

/// The tables of a lake by name.
pub type Tables = BTreeMap<String, TableState>;

/// Reads `sluice table list --json`.
pub fn tables(page: Value) -> Tables {
    let list: Vec<TableState> = serde_json::from_value(page).expect("a list of tables");
    list.into_iter().map(|state| (state.table.to_string(), state)).collect()
}

/// A held source object as `sluice source list --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldSource {
    /// Its id.
    pub id: SourceId,
    /// Its address.
    pub uri: String,
    /// The run that held it.
    pub run_id: RunId,
    /// Why.
    pub reason: String,
}

/// A run as `sluice runs list --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedRun {
    /// The run.
    pub run_id: RunId,
    /// How far it came.
    pub state: String,
    /// Broken error rules, as `<table>: <rule>`.
    pub broken_rules: Vec<String>,
}

/// What `sluice runs list --json` tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunList {
    /// The newest runs, newest first.
    pub runs: Vec<ListedRun>,
    /// What is held back.
    pub held: Vec<HeldSource>,
}

/// A quarantine table as `sluice quarantine list --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QuarantineState {
    /// The quarantine table.
    pub table: TableRef,
    /// Rows in it.
    pub rows: u64,
    /// Rows by broken rule.
    pub rules: BTreeMap<String, u64>,
}
