//! A damaged lake, and a copy of a lake in another place, are restored to a consistent point and completed by the next run.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::content::assert_same;
use sluice_tests::files::{all_files, copy_files, copy_folder};
use sluice_tests::lab::{BRONZE, CUSTOMER_RFM, DAILY_REVENUE, Lab, QUARANTINE, SILVER, Sample, open_lake};
use sluice_tests::sluice::{Run, Started};

use crate::small::{self, ORDER_COLUMNS, ORDERS, contract, orders_with, rows_of};

const DAYS: Sample<'_> = Sample { start: "2026-01-05", days: 3, rows: 200, dirt: "0.04" };
const TABLES: [&str; 5] = [BRONZE, QUARANTINE, SILVER, DAILY_REVENUE, CUSTOMER_RFM];

/// A lab with three days published one after the other, from the landing folder in the lake.
fn published() -> Lab {
    let lab = Lab::new();
    let files = lab.sample(&lab.folder().join("samples"), &DAYS);
    for file in &files {
        let _ = copy_files([file], &landing(lab.lake()));
        let _ = run(&lab, lab.lake()).expect(Outcome::Published);
    }
    lab
}

fn landing(lake: &Path) -> PathBuf {
    lake.join("landing/retail")
}

fn run(lab: &Lab, lake: &Path) -> Run {
    Run::of(lab.run_command(lake, &landing(lake)))
}

fn restore(lab: &Lab, lake: &Path, words: &[&str]) -> Value {
    let mut command = lab.command(["restore", "--json"]);
    command.args(words).arg("--lake").arg(lake);
    Run::of(command).expect_code(0).page()
}

/// The versions that tables are set back to, in the order of [`TABLES`]; -1 for none.
fn set_back(page: &Value) -> Vec<i64> {
    let tables = page["restoration"]["tables"].as_array().expect("tables");
    let to = |name: &&str| {
        let found = tables.iter().find(|table| table["table"] == **name);
        found.and_then(|found| found["to"].as_i64()).unwrap_or(-1)
    };
    TABLES.iter().map(to).collect()
}

/// The file that the newest commit of a table added, or the log entry of that commit.
fn newest_file(lake: &Path, table: &str, extension: &str) -> PathBuf {
    let newest = all_files(&lake.join(table).join("_delta_log")).into_iter();
    let newest = newest.filter(|path| path.extension().is_some_and(|end| end == "json")).max().expect("an entry");
    let newest = lake.join(table).join("_delta_log").join(newest);
    if extension == "json" {
        return newest;
    }
    let text = fs::read_to_string(newest).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let added = lines.filter_map(|line| Some(line["add"]["path"].as_str()?.to_owned())).next().expect("an added file");
    lake.join(table).join(added.replace("%3D", "="))
}

/// Empties the receipts of all runs.
fn damage_receipts(lake: &Path) {
    let runs = lake.join("runs");
    let documents = all_files(&runs);
    let receipts: Vec<&PathBuf> = documents.iter().filter(|path| path.ends_with("receipt-1.json")).collect();
    assert!(!receipts.is_empty(), "runs leave receipts");
    receipts.into_iter().for_each(|path| fs::write(runs.join(path), "").unwrap());
}

fn junk(file: &Path) {
    let length = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
    fs::write(file, vec![7; length]).unwrap();
}

#[test]
fn every_kind_of_damage_is_undone_and_the_next_run_completes_the_tables() {
    let check = |name: &str, damage: &dyn Fn(&Path), expected: [i64; 5]| {
        let lab = published();
        let whole = lab.content();
        damage(lab.lake());
        let shown = restore(&lab, lab.lake(), &[]);
        assert_eq!(set_back(&shown), expected, "{name}: {shown}");
        let logs = lab.log_files();
        assert_eq!(restore(&lab, lab.lake(), &[])["restoration"]["tables"], shown["restoration"]["tables"]);
        assert_eq!(lab.log_files(), logs, "{name}: without --yes nothing changes");
        let done = restore(&lab, lab.lake(), &["--yes"]);
        assert_eq!(set_back(&done), expected, "{name}");
        let again = restore(&lab, lab.lake(), &["--yes"]);
        assert_eq!(set_back(&again), expected, "{name}: a second restore has nothing to do");
        let _ = run(&lab, lab.lake()).expect(if expected == [2; 5] { Outcome::Skipped } else { Outcome::Published });
        assert_same(&whole, &lab.content(), name);
        let _ = run(&lab, lab.lake()).expect(Outcome::Skipped);
    };
    check("nothing", &|_| {}, [2; 5]);
    check("receipts are damaged", &damage_receipts, [2; 5]);
    check(
        "a file of silver is missing",
        &|lake| fs::remove_file(newest_file(lake, SILVER, "parquet")).unwrap(),
        [1; 5],
    );
    check(
        "a file of gold was cut",
        &|lake| fs::write(newest_file(lake, DAILY_REVENUE, "parquet"), b"PAR1").unwrap(),
        [1; 5],
    );
    check("a file of bronze was overwritten", &|lake| junk(&newest_file(lake, BRONZE, "parquet")), [1; 5]);
    check(
        "an entry of quarantine's log is missing",
        &|lake| fs::remove_file(newest_file(lake, QUARANTINE, "json")).unwrap(),
        [1; 5],
    );
    check(
        "an entry in the middle of silver's log is missing",
        &|lake| fs::remove_file(entry(lake, SILVER, 1)).unwrap(),
        [0; 5],
    );
    check("the first entry of bronze's log is junk", &|lake| junk(&entry(lake, BRONZE, 0)), [-1; 5]);
}

fn entry(lake: &Path, table: &str, version: u64) -> PathBuf {
    lake.join(table).join(format!("_delta_log/{version:020}.json"))
}

#[test]
fn two_concurrent_restores_to_an_instant_set_tables_back_once() {
    let lab = published();
    let whole = lab.content();
    let shown = restore(&lab, lab.lake(), &[]);
    // Just before the third day was committed to its first table.
    let log = fs::read_to_string(entry(lab.lake(), BRONZE, 2)).unwrap();
    let info = log.lines().find_map(|line| serde_json::from_str::<Value>(line).unwrap().get("commitInfo").cloned());
    let committed = info.unwrap()["timestamp"].as_i64().unwrap();
    let at = jiff::Timestamp::from_millisecond(committed - 1).unwrap().to_string();
    let start = |name: &str| {
        let mut command = lab.command(["restore", "--json", "--yes", "--at", &at]);
        command.arg("--lake").arg(lab.lake());
        Started::new(command, lab.folder(), name)
    };
    let (first, second) = (start("first"), start("second"));
    let _ = (first.wait().expect_code(0), second.wait().expect_code(0));
    assert_eq!(set_back(&shown), [2; 5]);
    assert_eq!(set_back(&restore(&lab, lab.lake(), &[])), [1; 5]);
    let _ = run(&lab, lab.lake()).expect(Outcome::Published);
    assert_same(&whole, &lab.content(), "after the instant and the next run");
}

#[test]
fn an_interrupted_restore_is_finished_first() {
    let lab = published();
    let whole = lab.content();
    fs::remove_file(newest_file(lab.lake(), SILVER, "parquet")).unwrap();
    let planned = restore(&lab, lab.lake(), &[]);
    // The state after a command was killed when it had moved one table.
    fs::create_dir_all(lab.lake().join("restores")).unwrap();
    fs::write(lab.lake().join("restores/pending.json"), planned["restoration"].to_string()).unwrap();
    fs::remove_file(entry(lab.lake(), SILVER, 2)).unwrap();
    let done = restore(&lab, lab.lake(), &["--yes"]);
    assert_eq!(done["restoration"], planned["restoration"]);
    assert!(!lab.lake().join("restores/pending.json").exists());
    let _ = run(&lab, lab.lake()).expect(Outcome::Published);
    assert_same(&whole, &lab.content(), "after a restoration in two halves");
}

#[test]
fn a_promoted_copy_reads_no_file_twice() {
    let lab = published();
    let copy = lab.folder().join("copy");
    copy_folder(lab.lake(), &copy);
    // Objects are copied in any order: an entry of gold exists, but a silver file that it was computed from does not exist yet.
    fs::remove_file(newest_file(&copy, SILVER, "parquet")).unwrap();
    let was = lab.lake().to_str().unwrap().to_owned();
    let done = restore(&lab, &copy, &["--yes", "--was", &was]);
    assert_eq!(set_back(&done), [1; 5]);
    assert_eq!(done["adopted"]["objects"], 3, "{done}");
    let again = restore(&lab, &copy, &["--yes", "--was", &was]);
    assert_eq!(again["adopted"]["added"], serde_json::json!({}), "{again}");
    let completed = run(&lab, &copy).expect(Outcome::Published);
    assert_eq!(completed.times_entered("Process"), 1);
    let rows = |lake: &Path| {
        let mut command = lab.command(["table", "list", "--json"]);
        command.arg("--lake").arg(lake);
        let tables: Value = Run::of(command).expect_code(0).page();
        let of = |name: &&str| {
            let list = tables.as_array().or_else(|| tables["tables"].as_array()).expect("tables");
            list.iter().find(|table| table["table"] == **name).expect(name)["rows"].as_u64()
        };
        TABLES.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(rows(&copy), rows(lab.lake()), "the copy has as many rows as the lake");
    let _ = run(&lab, &copy).expect(Outcome::Skipped);
}

/// Writes a part of a snapshot with these ids.
fn deliver(lake: &Path, name: &str, ids: &[&str]) {
    let folder = landing(lake).join("day");
    fs::create_dir_all(&folder).unwrap();
    let lines: String = ids.iter().map(|id| format!("{id},a,1,\n")).collect();
    fs::write(folder.join(name), format!("id,name,amount,day\n{lines}")).unwrap();
}

/// A promoted copy of a lake whose table shows a snapshot of these parts.
fn promoted(parts: &[(&str, &[&str])]) -> (Lab, PathBuf) {
    let lab = orders_with(&ORDERS.replace("mode: append", "mode: replace\n    snapshot: folder"));
    for (name, ids) in parts {
        deliver(lab.lake(), name, ids);
    }
    let _ = run(&lab, lab.lake()).expect(Outcome::Published);
    let copy = lab.folder().join("copy");
    copy_folder(lab.lake(), &copy);
    let was = lab.lake().to_str().unwrap().to_owned();
    let _ = restore(&lab, &copy, &["--yes", "--was", &was]);
    (lab, copy)
}

/// Bronze has the rows of the first part under the address that it had in the first lake.
#[test]
fn a_promoted_copy_keeps_the_other_parts_when_a_part_of_a_snapshot_comes() {
    let (lab, copy) = promoted(&[("part-0.csv", &["0", "x"])]);
    deliver(&copy, "part-1.csv", &["1"]);
    let _ = run(&lab, &copy).expect(Outcome::Published);
    let ids = |table: &str| rows_of(&open_lake(&copy), table, &["id"]);
    assert_eq!(ids(small::SILVER), ["0", "1"]);
    assert_eq!(ids(small::BRONZE), ["0", "1", "x"], "no file is read twice");
    assert_eq!(rows_of(&open_lake(&copy), small::QUARANTINE, &["_source_row"]), ["2"]);
    let _ = run(&lab, &copy).expect(Outcome::Skipped);
}

#[test]
fn a_new_table_of_a_promoted_copy_gets_the_rows_that_bronze_has() {
    let (lab, copy) = promoted(&[("part-0.csv", &["0", "x"]), ("part-1.csv", &["1"])]);
    let new = |table: &str, mode: &str| {
        fs::write(lab.pipeline().join(format!("contracts/{table}.yaml")), contract(table, &ORDER_COLUMNS, &[]))
            .unwrap();
        format!(
            "  - table: {table}\n    contract: contracts/{table}.yaml\n    \
             columns: {{ id: id, name: name, amount: amount, day: day }}\n    {mode}\n    \
             gate: {{ quarantined_percent_below: none }}\n"
        )
    };
    let silver = new("latest", "mode: replace\n    snapshot: folder") + &new("all", "mode: append");
    lab.edit_pipeline("pipeline.yaml", "gold:\n", &format!("{silver}gold:\n"));
    let _ = run(&lab, &copy).expect(Outcome::Published);
    for table in [small::SILVER, "silver/sales/latest", "silver/sales/all"] {
        assert_eq!(rows_of(&open_lake(&copy), table, &["id"]), ["0", "1"], "{table}");
    }
    let _ = run(&lab, &copy).expect(Outcome::Skipped);
}
