//! The JSON formats of the command that the tests rely on, in one place.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
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
    /// The event of a line of standard output; `None` for other lines.
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
    let ending = lines.iter().rev().find_map(|line| line.get("outcome"))?;
    serde_json::from_value(ending.clone()).ok()
}

/// The run id in the lines of `sluice run --json`. An acceptance ends with the id of the run that it publishes.
pub fn run_id(lines: &[Value]) -> Option<RunId> {
    lines.iter().rev().find_map(|line| line.get("run_id"))?.as_str()?.parse().ok()
}

/// A table in the output of `sluice table list --json`.
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

/// A held source object in the output of `sluice source list --json`.
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

/// Something that is passed by, in the output of `sluice source list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PassedSource {
    /// Its address.
    pub uri: String,
    /// The newest run that listed the folder.
    pub run_id: RunId,
    /// Why.
    pub reason: String,
}

/// The entries of `sluice source list --json` that are in this state.
pub fn left_out<T: DeserializeOwned>(page: Value, state: &str) -> Vec<T> {
    let entries: Vec<Value> = serde_json::from_value(page).expect("a list");
    let wanted = entries.into_iter().filter(|entry| entry["state"] == state);
    wanted.map(|entry| serde_json::from_value(entry).expect("an entry")).collect()
}

/// A run in the output of `sluice runs list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedRun {
    /// The run.
    pub run_id: RunId,
    /// Its state.
    pub state: String,
    /// Broken error rules, as `<table>: <rule>`.
    pub broken_rules: Vec<String>,
}

/// The output of `sluice runs list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunList {
    /// The newest runs, newest first.
    pub runs: Vec<ListedRun>,
    /// What is held back.
    pub held: Vec<HeldSource>,
}

/// A quarantine table in the output of `sluice quarantine list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QuarantineState {
    /// The quarantine table.
    pub table: TableRef,
    /// Rows in it.
    pub rows: u64,
    /// Rows by broken rule.
    pub rules: BTreeMap<String, u64>,
}
