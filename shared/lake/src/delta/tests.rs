//! Logs that other tools have worked on.

use std::path::PathBuf;

use serde_json::json;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::name::TableRef;
use sluice_core::run::RunRef;
use sluice_core::uri::layout;

use super::{OpenTable, open_table};
use crate::inspect;
use crate::lake::{Lake, StoreOptions};

/// A table whose versions each add a file of one row.
struct Bed {
    _folder: tempfile::TempDir,
    log: PathBuf,
    lake: Lake,
    table: TableRef,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let table: TableRef = "silver/sales/t".parse().expect("table");
        let log = folder.path().join(layout::log(&table).as_str());
        std::fs::create_dir_all(&log).expect("log");
        let root = format!("file://{}", folder.path().display()).parse().expect("root");
        Self { lake: Lake::open(&root, &StoreOptions::new()).expect("lake"), _folder: folder, log, table }
    }

    fn write(&self, version: u64, says_who: bool) {
        let mut lines = Vec::new();
        if says_who {
            lines.push(json!({ "commitInfo": {
                "timestamp": 1000 * version, "operation": "WRITE", "sluice.pipeline": "retail",
                "sluice.run_id": format!("r{version}"), "sluice.attempt": 1,
            } }));
        }
        if version == 0 {
            let column = json!({ "name": "a", "type": "string", "nullable": true, "metadata": {} });
            let schema = json!({ "type": "struct", "fields": [column] }).to_string();
            lines.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
            lines.push(json!({ "metaData": {
                "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": { "provider": "parquet", "options": {} },
                "schemaString": schema, "partitionColumns": [], "configuration": {}, "createdTime": 0,
            } }));
        }
        lines.push(json!({ "txn": { "appId": format!("sluice.run/r{version}/1"), "version": 1 } }));
        lines.push(json!({ "add": {
            "path": format!("f{version}.parquet"), "partitionValues": {}, "size": 1, "modificationTime": 1,
            "dataChange": true, "stats": json!({ "numRecords": 1 }).to_string(),
        } }));
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        std::fs::write(self.log.join(format!("{version:020}.json")), text.join("\n")).expect("entry");
    }

    async fn open(&self, version: Option<u64>) -> OpenTable {
        open_table(&self.lake, &self.table, version).await.expect("readable").expect("there")
    }

    /// Versions 0 to 7 with a checkpoint at 5, and without the entries before it.
    async fn cleaned_up(last_says_who: bool) -> Self {
        let bed = Self::new();
        (0..=5).for_each(|version| bed.write(version, true));
        deltalake::checkpoints::create_checkpoint(&bed.open(None).await.table, None).await.expect("checkpoint");
        bed.write(6, last_says_who);
        bed.write(7, true);
        for version in 0..5 {
            std::fs::remove_file(bed.log.join(format!("{version:020}.json"))).expect("entry");
        }
        bed
    }

    async fn history(&self, version: Option<u64>, limit: usize) -> Vec<(u64, Option<String>)> {
        let history = self.open(version).await.history(limit).await.expect("history");
        history.into_iter().map(|entry| (entry.version, entry.run_id)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_entry_of_a_log_is_named_by_table_and_file() {
    let bed = Bed::new();
    (0..=3).for_each(|version| bed.write(version, true));
    let check = async |damage: &str| {
        std::fs::write(bed.log.join("00000000000000000003.json"), damage).expect("entry");
        let error = match open_table(&bed.lake, &bed.table, None).await {
            Ok(table) => table.expect("there").ledger().await.expect_err(damage),
            Err(error) => error,
        };
        assert_eq!(error.name(), ErrorName::TableUnreadable, "{damage}");
        let text = with_sources(&error);
        let file = "table `silver/sales/t`: file 'silver/sales/t/_delta_log/00000000000000000003.json'";
        assert!(text.starts_with(file), "{damage}: {text}");
    };
    check("garbage").await;
    check("{\"add\":{\"path\":").await;
    check("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_is_named_by_table_and_file() {
    let bed = Bed::cleaned_up(true).await;
    let name = "00000000000000000005.checkpoint.parquet";
    let whole = std::fs::read(bed.log.join(name)).expect("checkpoint");
    std::fs::write(bed.log.join(name), vec![7; whole.len()]).expect("checkpoint");
    let error = open_table(&bed.lake, &bed.table, None).await.expect_err("damaged");
    assert_eq!(error.name(), ErrorName::TableUnreadable);
    let text = with_sources(&error);
    assert!(text.starts_with("table `silver/sales/t`: file ") && text.contains(name), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_entry_before_a_checkpoint_leaves_the_history_readable() {
    let bed = Bed::new();
    (0..=5).for_each(|version| bed.write(version, true));
    deltalake::checkpoints::create_checkpoint(&bed.open(None).await.table, None).await.expect("checkpoint");
    std::fs::write(bed.log.join("00000000000000000003.json"), "garbage").expect("entry");
    let shown = inspect::history(&bed.lake, &bed.table, 10).await.expect("history");
    let rows: Vec<(u64, Option<u64>)> = shown.iter().map(|version| (version.version, version.rows)).collect();
    assert_eq!(rows, [(5, Some(6)), (4, None), (3, None), (2, Some(3)), (1, Some(2)), (0, Some(1))]);
}

fn of_runs(versions: &[u64]) -> Vec<(u64, Option<String>)> {
    versions.iter().map(|version| (*version, Some(format!("r{version}")))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_whose_first_entries_were_cleaned_up_keeps_its_numbers() {
    let bed = Bed::cleaned_up(true).await;
    assert_eq!(bed.history(None, 10).await, of_runs(&[7, 6, 5]));
    assert_eq!(bed.history(None, 2).await, of_runs(&[7, 6]));
    assert_eq!(bed.history(Some(6), 10).await, of_runs(&[6, 5]));
    let shown = inspect::history(&bed.lake, &bed.table, 10).await.expect("history");
    let rows: Vec<(u64, Option<u64>)> = shown.iter().map(|version| (version.version, version.rows)).collect();
    assert_eq!(rows, [(7, Some(8)), (6, Some(7)), (5, Some(6))]);
    assert_eq!(shown.iter().filter_map(|version| version.committed_at).map(|at| at.as_second()).min(), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_does_not_say_who_committed_keeps_its_place_in_the_history() {
    let bed = Bed::cleaned_up(false).await;
    let [newest, oldest] = [7, 5].map(|version| (version, Some(format!("r{version}"))));
    assert_eq!(bed.history(None, 10).await, [newest, (6, None), oldest]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_knows_what_came_before_the_entries_that_were_cleaned_up() {
    let bed = Bed::cleaned_up(true).await;
    let check = async |version: Option<u64>, newest: u64| {
        let ledger = bed.open(version).await.ledger().await.expect("ledger");
        for run in 0..=7 {
            let run_id = format!("r{run}").parse().expect("run");
            let attempt = RunRef { pipeline: "retail".parse().expect("pipeline"), run_id, attempt: 1 };
            assert_eq!(ledger.has_run(&attempt), run <= newest, "run {run} at version {version:?}");
        }
    };
    check(None, 7).await;
    check(Some(6), 6).await;
    check(Some(5), 5).await;
}
