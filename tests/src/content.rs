//! The content of the tables of a lake, as plain text that can be compared.

use std::collections::BTreeMap;
use std::future::Future;

use serde_json::Value;
use sluice_core::name::TableRef;
use sluice_lake::{Lake, inspect};

/// Columns that differ between two lakes that hold the same: they say when and by which run a row was read, and when
/// this copy of its file was written.
const OF_THE_RUN: [&str; 4] = ["_ingested_at", "_ingestion_date", "_run_id", "_source_modified_at"];
/// Number of differences that are shown of each side.
const SHOWN: usize = 5;

/// Rows of a table: sorted, each a list of `column=value` in the order of the columns' names, repeated rows repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContent {
    /// Names of the compared columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<String>,
}

/// Contents of all tables of a lake by the tables' names.
pub type LakeContent = BTreeMap<String, TableContent>;

/// Waits for a future, with the runtime that the lake's library needs.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Reads all tables of a lake.
pub fn lake_content(lake: &Lake) -> LakeContent {
    let tables = wait(inspect::tables(lake)).expect("the tables can be listed");
    tables.into_iter().map(|table| (table.table.to_string(), table_content(lake, &table.table))).collect()
}

/// Reads a table. File addresses are cut to the file's name, because every test uses different folders.
pub fn table_content(lake: &Lake, table: &TableRef) -> TableContent {
    let head = wait(inspect::head(lake, table, None, u32::MAX)).expect("the table can be read");
    let mut kept: Vec<(usize, &String)> =
        head.columns.iter().enumerate().filter(|(_, name)| !OF_THE_RUN.contains(&name.as_str())).collect();
    kept.sort_by_key(|(_, name)| *name);
    let value = |row: &[inspect::Cell], index: usize, name: &str| {
        if let ("_raw", inspect::Cell::Text(text)) = (name, &row[index]) {
            return json_content(text);
        }
        if let ("_unchanged", inspect::Cell::Text(text)) = (name, &row[index]) {
            return remembered(text);
        }
        let text = serde_json::to_string(&row[index]).expect("a cell is JSON");
        if name == "_source_file" {
            return text.trim_matches('"').rsplit('/').next().unwrap_or_default().to_owned();
        }
        text
    };
    let text = |row: &Vec<inspect::Cell>| {
        let cells: Vec<String> =
            kept.iter().map(|(index, name)| format!("{name}={}", value(row, *index, name))).collect();
        cells.join(" ")
    };
    let mut rows: Vec<String> = head.rows.iter().map(text).collect();
    rows.sort_unstable();
    TableContent { columns: kept.into_iter().map(|(_, name)| name.clone()).collect(), rows }
}

/// The events that a version of a history remembers: when each was, and its place in a file.
fn remembered(text: &str) -> String {
    let events: Vec<Value> = serde_json::from_str(text).expect("a list of events");
    let event = |event: &Value| {
        let file = event["file"].as_str().expect("a file").rsplit('/').next().unwrap_or_default().to_owned();
        format!("{} {file} {}", event["at"], event["row"])
    };
    events.iter().map(event).collect::<Vec<_>>().join(", ")
}

/// The content of a JSON document that a table holds as text: keys in their order by name, and none whose value is null. Which
/// keys of other records a JSON record has as null, and in which order, depends on what was read with it.
pub fn json_content(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => {
            let known: BTreeMap<String, Value> = object.into_iter().filter(|(_, value)| !value.is_null()).collect();
            serde_json::to_string(&known).expect("values of JSON are JSON")
        }
        Ok(value) => value.to_string(),
        Err(error) => format!("not JSON ({error}): {text}"),
    }
}

/// Asserts that two lakes hold the same, and shows the first differences if they do not.
pub fn assert_same(expected: &LakeContent, actual: &LakeContent, when: &str) {
    let names = |content: &LakeContent| content.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(actual), "{when}: tables");
    for (table, wanted) in expected {
        let found = &actual[table];
        assert_eq!(wanted.columns, found.columns, "{when}: columns of {table}");
        if wanted.rows != found.rows {
            let (missing, surplus) = (minus(&wanted.rows, &found.rows), minus(&found.rows, &wanted.rows));
            panic!(
                "{when}: {table} has {} rows, expected {}\n{} missing:\n{}\n{} surplus:\n{}",
                found.rows.len(),
                wanted.rows.len(),
                missing.len(),
                missing[..missing.len().min(SHOWN)].join("\n"),
                surplus.len(),
                surplus[..surplus.len().min(SHOWN)].join("\n"),
            );
        }
    }
}

/// Rows of `left` that `right` does not have, counting repeated rows. Both are sorted.
fn minus(left: &[String], right: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for row in right {
        *counts.entry(row).or_default() += 1;
    }
    let mut rest = Vec::new();
    for row in left {
        match counts.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => rest.push(row.clone()),
        }
    }
    rest
}
