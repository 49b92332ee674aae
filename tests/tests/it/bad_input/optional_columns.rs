//! Files of CSV and Parquet without a mapped column that no contract requires: it is null where a file lacks it, if
//! another file of the run or bronze has it.

use std::fs;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::HEADER;
use crate::modes::{MERGE, SCD2, spec};
use crate::small::{
    BRONZE, ORDER_COLUMNS, ORDERS, Python, QUARANTINE, SILVER, Steps, TOTAL_COLUMNS, assert_says, contract, held_by,
    lab, land, land_at, orders, orders_with, rows,
};

/// The header of older files, which lack `name`.
const OLD_HEADER: &str = "id,amount,day\n";
const CONTRACT: &str = "contracts/orders.yaml";
/// Writes a Parquet file with one order; without `name` where that is `None`.
const PARQUET: &str = "
import decimal, pyarrow as pa, pyarrow.parquet as pq
columns = {
    'id': pa.array([number], pa.int64()), 'amount': pa.array([decimal.Decimal('1.50')]),
    'day': pa.array([None], pa.date32()),
}
if name is not None:
    columns['name'] = [name]
pq.write_table(pa.table(columns), path)
";

/// Who writes the files of a test.
enum Writer {
    Csv,
    Parquet(Python),
}

impl Writer {
    /// Those of this machine.
    fn all(test: &str) -> Vec<Self> {
        [Self::Csv].into_iter().chain(Python::or_skip(test).map(Self::Parquet)).collect()
    }

    fn orders(&self) -> Lab {
        match self {
            Self::Csv => orders(),
            Self::Parquet(_) => orders_with(&ORDERS.replace("format: csv", "format: parquet")),
        }
    }

    /// Lands a file with one order, `name` being left out where it is `None`.
    fn land(&self, lab: &Lab, file: &str, id: u32, name: Option<&str>) {
        match (self, name) {
            (Self::Csv, None) => drop(land(lab, file, format!("{OLD_HEADER}{id},1.50,\n"))),
            (Self::Csv, Some(name)) => drop(land(lab, file, format!("{HEADER}{id},{name},1.50,\n"))),
            (Self::Parquet(python), name) => {
                fs::create_dir_all(lab.landing()).unwrap();
                let path = lab.landing().join(file).display().to_string();
                let name = name.map_or("None".to_owned(), |name| format!("{name:?}"));
                python.run(&format!("path, number, name = {path:?}, {id}, {name}\n{PARQUET}"));
            }
        }
    }
}

fn old(lab: &Lab, file: &str, id: u32) {
    Writer::Csv.land(lab, file, id, None);
}

fn new(lab: &Lab, file: &str, id: u32) {
    Writer::Csv.land(lab, file, id, Some("bob"));
}

/// The warnings of a run, as its last line has them.
fn warnings(run: &Run) -> Vec<Value> {
    run.lines().pop().unwrap()["warnings"].as_array().unwrap().clone()
}

/// Names of the held files, sorted.
fn held(lab: &Lab) -> Vec<String> {
    let mut names: Vec<String> =
        lab.held().iter().map(|held| held.uri.rsplit('/').next().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn an_optional_column_is_null_where_a_file_lacks_it() {
    for writer in Writer::all("bad_input::optional_columns::an_optional_column_is_null_where_a_file_lacks_it") {
        for (older, newer) in [("a", "b"), ("b", "a")] {
            let lab = writer.orders();
            writer.land(&lab, older, 1, None);
            writer.land(&lab, newer, 2, Some("bob"));
            let run = lab.run().expect(Outcome::Published);
            assert_eq!((warnings(&run).len(), held(&lab).len()), (0, 0), "{older}: {run}");
            for table in [BRONZE, SILVER] {
                assert_eq!(rows(&lab, table, &["id", "name"]), ["1|NULL", "2|bob"], "{older}: {table}");
            }
            let _ = lab.run().expect(Outcome::Skipped);
        }
    }
}

#[test]
fn a_run_without_a_column_that_bronze_has_is_warned_of() {
    for writer in Writer::all("bad_input::optional_columns::a_run_without_a_column_that_bronze_has_is_warned_of") {
        let lab = writer.orders();
        writer.land(&lab, "a", 1, Some("bob"));
        let _ = lab.run().expect(Outcome::Published);
        writer.land(&lab, "b", 2, None);
        let run = lab.run().expect(Outcome::Published);
        let found = warnings(&run);
        let [warning] = found.as_slice() else { panic!("{found:?}: {run}") };
        assert_eq!(warning["rule"], format!("{BRONZE}: missing_keys"), "{run}");
        assert_says(&warning.to_string(), &["'name'"], "the warning");
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|bob", "2|NULL"]);
        writer.land(&lab, "c", 3, None);
        writer.land(&lab, "d", 4, Some("eve"));
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(warnings(&run), Vec::<Value>::new(), "another file of the run has it: {run}");
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|bob", "2|NULL", "3|NULL", "4|eve"]);
        assert_eq!(held(&lab).len(), 0);
    }
}

#[test]
fn a_column_that_nobody_has_holds_the_files() {
    for writer in Writer::all("bad_input::optional_columns::a_column_that_nobody_has_holds_the_files") {
        let lab = writer.orders();
        writer.land(&lab, "a", 1, None);
        writer.land(&lab, "b", 2, None);
        let run = lab.run().expect(Outcome::Rejected);
        let says = ["/a' lacks column name; it has id, amount, day", "/b' lacks column name; it has id, amount, day"];
        assert_says(&held_by(&run), &says, "what is held");
        assert_eq!((lab.tables().len(), held(&lab)), (0, vec!["a".to_owned(), "b".to_owned()]));
        writer.land(&lab, "c", 3, Some("bob"));
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["3|bob"]);
        for held in lab.held() {
            let _ = lab.sluice(&["source", "release", &held.uri]).expect_code(0);
        }
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|NULL", "2|NULL", "3|bob"], "bronze has it now");
    }
}

#[test]
fn a_column_that_one_contract_requires_is_missing() {
    let added = "silver:\n  - table: names\n    contract: contracts/names.yaml\n    columns: { name: name }\n    \
                 mode: append\n";
    let contracts = [
        ("orders", contract("orders", &ORDER_COLUMNS, &[])),
        ("totals", contract("totals", &TOTAL_COLUMNS, &[])),
        ("names", contract("names", &["name: name, logicalType: string, required: true"], &[])),
    ];
    let lab = lab(&ORDERS.replace("silver:\n", added), &contracts);
    old(&lab, "a.csv", 1);
    new(&lab, "b.csv", 2);
    let run = lab.run().expect(Outcome::Published);
    assert_says(&held_by(&run), &["/a.csv' lacks column name; it has id, amount, day"], "another table requires it");
    assert_eq!((held(&lab), rows(&lab, SILVER, &["id"])), (vec!["a.csv".to_owned()], vec!["2".to_owned()]));
}

#[test]
fn every_mode_takes_files_without_an_optional_column() {
    for mode in ["mode: append", "mode: replace", MERGE, SCD2] {
        let lab = orders_with(&spec(mode));
        land(&lab, "a.csv", format!("{HEADER}1,ann,1.00,2026-01-01\n"));
        let _ = lab.run().expect(Outcome::Published);
        land(&lab, "b.csv", format!("{OLD_HEADER}1,2.00,2026-01-02\n"));
        let run = lab.run().expect(Outcome::Published);
        let expected: &[&str] = match mode {
            "mode: replace" | MERGE => &["1|NULL|2026-01-02"],
            _ => &["1|NULL|2026-01-02", "1|ann|2026-01-01"],
        };
        assert_eq!(rows(&lab, SILVER, &["id", "name", "day"]), expected, "{mode}: {run}");
        assert_eq!(rows(&lab, BRONZE, &["id", "name"]), ["1|NULL", "1|ann"], "{mode}");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

/// The parts that came first are read from bronze, with those of the landing folder.
#[test]
fn a_snapshot_may_have_parts_with_and_without_an_optional_column() {
    let lab = orders_with(&spec("mode: replace\n    snapshot: folder"));
    let steps = Steps::new(&lab);
    let deliver = |file: &str, second: u64, text: &str| land_at(&lab, file, text, second);
    deliver("day/0.csv", 1, &format!("{OLD_HEADER}0,1.50,\n"));
    deliver("day/1.csv", 1, &format!("{HEADER}1,bob,1.50,\n"));
    let _ = steps.run().expect("two parts are new");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["0|NULL", "1|bob"]);
    deliver("day/2.csv", 2, &format!("{OLD_HEADER}2,1.50,\n"));
    let changeset = steps.run().expect("a part is new");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["0|NULL", "1|bob", "2|NULL"]);
    assert!(changeset.missing_keys.contains("name"), "no new file has it: {:?}", changeset.missing_keys);
    assert!(steps.run().is_none(), "nothing is left");
}

#[test]
fn rows_that_only_bronze_has_are_null_where_their_file_lacks_a_column() {
    let lab = orders();
    old(&lab, "a.csv", 1);
    new(&lab, "b.csv", 2);
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().expect("silver lacks both");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|NULL", "2|bob"]);
}

/// The refused file brings the column once it is corrected, and bronze has it by then.
#[test]
fn a_column_that_a_refused_file_has_holds_no_other_file() {
    let bad = [
        // Refused before the run by its header, and in the run by its first record.
        ("id,name,day\n9,bob,\n".to_owned(), "lacks column amount"),
        ("id,Name,amount,day\n9,bob,1.50,\n".to_owned(), "`Name` where the pipeline reads `name`"),
        (format!("{HEADER}9,\"open,1.50,\n"), "never closed"),
    ];
    for (text, says) in bad {
        let lab = orders();
        old(&lab, "a.csv", 1);
        land(&lab, "b.csv", &text);
        let run = lab.run().expect(Outcome::Published);
        assert_says(&held_by(&run), &["/b.csv'", says], says);
        assert_eq!(held(&lab), ["b.csv"], "{says}");
        for table in [BRONZE, SILVER] {
            assert_eq!(rows(&lab, table, &["id", "name"]), ["1|NULL"], "{says}: {table}");
        }
        assert_eq!(warnings(&run).len(), 1, "no file that was taken has it: {run}");
        new(&lab, "b.csv", 9);
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|NULL", "9|bob"], "{says}");
    }
}

#[test]
fn a_run_that_dies_next_to_a_refused_file_is_completed_by_the_next() {
    let lab = orders();
    old(&lab, "a.csv", 1);
    land(&lab, "b.csv", "id,name,day\n9,bob,\n");
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().expect("silver lacks the good file");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|NULL"]);
}

#[test]
fn quarantined_rows_without_an_optional_column_are_replayed() {
    let lab = orders();
    land(&lab, "a.csv", format!("{OLD_HEADER}1,,2026-01-05\n"));
    new(&lab, "b.csv", 2);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, QUARANTINE, &["_broken_rules"]).len(), 1);
    let amount = "physicalType: 'DECIMAL(10,2)'";
    lab.edit_pipeline(CONTRACT, &format!("{amount}, required: true"), amount);
    let _ = Run::of(lab.replay_command(lab.lake())).expect(Outcome::Published);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]).len(), 0);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|NULL|NULL", "2|bob|1.50"]);
}
