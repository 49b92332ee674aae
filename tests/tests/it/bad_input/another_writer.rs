//! Tables to which another writer commits: between the steps of a run, and between two runs.

use std::collections::BTreeSet;
use std::path::Path;

use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::TableRef;
use sluice_core::run::{ChangeKind, Changeset, MAX_ATTEMPTS, Outcome, Plan, PlanStatus, RunRef, TableChange};
use sluice_lake::{delta, inspect};
use sluice_tests::content::wait;
use sluice_tests::lab::{Lab, retail};
use sluice_tests::sluice::Run;

use super::{good_file, state_of};
use crate::small::{
    BRONZE, GOLD, ORDERS, Python, QUARANTINE, SILVER, Steps, assert_says, error_of, land, orders_with, rows,
};

const MERGE: &str = "mode: merge\n    keys: [id]\n    latest_by: day";

/// A lab whose tables exist, and a plan for one more file, which has a bad record too.
fn planned(mode: &str) -> (Lab, Steps, Plan) {
    let lab = orders_with(&ORDERS.replace("mode: append", mode));
    let steps = Steps::new(&lab);
    land(&lab, "a.csv", format!("{}x,bad,1,2026-01-01\n", good_file(0)));
    let _ = steps.run().expect("a.csv is new");
    land(&lab, "b.csv", format!("{}x,bad,1,2026-01-01\n", good_file(1)));
    let plan = steps.validate().unwrap();
    (lab, steps, plan)
}

/// Commits a version that changes no row, as another writer.
fn move_on(steps: &Steps, table: &str, number: u32) -> u64 {
    let table: TableRef = table.parse().unwrap();
    let open = wait(delta::open_table(&steps.lake, &table, None)).unwrap().unwrap();
    let change = TableChange {
        read_version: Some(open.version()),
        kind: ChangeKind::Append,
        columns: open.columns().to_vec(),
        partition_by: open.partition_by().unwrap(),
        adds: Vec::new(),
        removes: Vec::new(),
        sources: BTreeSet::new(),
        inputs: BTreeSet::new(),
        rows: Default::default(),
        table_rows: open.rows().unwrap().unwrap(),
        broken_rules: Default::default(),
        schema_changes: Vec::new(),
        audited: None,
        table,
    };
    let run = RunRef { pipeline: retail(), run_id: format!("other-{number}").parse().unwrap(), attempt: 1 };
    let now = "2026-01-06T00:00:00Z".parse().unwrap();
    let done = wait(delta::commit(&steps.lake, &run, &change, &[], now)).unwrap();
    assert!(!done.already);
    done.version
}

/// Rows of silver after both files: with append all four, with merge one per id, with replace those of the last file.
fn expected_ids(mode: &str) -> &'static [&'static str] {
    match mode {
        "mode: append" => &["0", "1", "1", "2"],
        "mode: replace" => &["1", "2"],
        _ => &["0", "1", "2"],
    }
}

fn staged(steps: &Steps, plan: &Plan) -> Changeset {
    let changeset = steps.process(&plan.run).unwrap();
    let _ = steps.quality_check(&plan.run).unwrap();
    changeset
}

/// Commits to one table after the plan; returns the error of publish, if it is refused.
fn check(mode: &str, table: &str, conflict: bool) {
    let when = format!("{mode}: {table} moved");
    let (lab, steps, plan) = planned(mode);
    let changeset = staged(&steps, &plan);
    assert!(changeset.tables.iter().any(|change| change.table.to_string() == table), "{when}");
    let moved_to = move_on(&steps, table, 1);
    match (steps.publish(&plan.run), conflict) {
        (Ok(receipt), false) => {
            let done = receipt.tables.iter().find(|done| done.table.to_string() == table).unwrap();
            assert_eq!(done.version, moved_to + 1, "{when}: committed after the other writer");
        }
        (Err(error), true) => {
            let reported = StepError::from(error);
            assert_eq!(reported.name, ErrorName::CommitConflict, "{when}: {reported}");
            assert_says(&reported.message, &[table, "moved from version", "plans again"], &when);
            let again = steps.replan(&plan.run).unwrap();
            let committed: Vec<String> = changeset
                .tables
                .iter()
                .map(|change| change.table.to_string())
                .take_while(|name| name != table)
                .collect();
            let reported: Vec<String> = again.earlier.tables.iter().map(|e| e.committed.table.to_string()).collect();
            assert_eq!(reported, committed, "{when}: what was committed before the conflict is not forgotten");
            let _ = steps.finish(&again.run);
        }
        (outcome, _) => panic!("{when}: {outcome:?}"),
    }
    assert_eq!(rows(&lab, SILVER, &["id"]), expected_ids(mode), "{when}");
    assert_eq!(rows(&lab, BRONZE, &["id"]).len(), 6, "{when}: each source row once");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["3", "3"], "{when}");
    let orders: u64 = rows(&lab, GOLD, &["orders"]).iter().map(|count| count.parse::<u64>().unwrap()).sum();
    assert_eq!(orders as usize, expected_ids(mode).len(), "{when}: gold is of the new silver");
    assert!(steps.run().is_none(), "{when}: nothing is left to do");
}

#[test]
fn a_table_that_moves_before_publish_is_appended_to_or_planned_again() {
    // Appended rows do not depend on the content of the table; rows computed from the table do.
    check("mode: append", BRONZE, false);
    check("mode: append", SILVER, false);
    check("mode: append", QUARANTINE, false);
    check("mode: append", GOLD, true);
    check(MERGE, BRONZE, false);
    check(MERGE, SILVER, true);
    check(MERGE, GOLD, true);
    check("mode: replace", SILVER, true);
}

#[test]
fn a_run_that_committed_rows_never_ends_as_skipped() {
    let (_lab, steps, plan) = planned(MERGE);
    let _ = staged(&steps, &plan);
    let _ = move_on(&steps, GOLD, 1);
    let reported = StepError::from(steps.publish(&plan.run).unwrap_err());
    assert_eq!(reported.name, ErrorName::CommitConflict, "{reported}");
    let _ = steps.run().expect("another run finds gold behind silver");

    let again = steps.replan(&plan.run).unwrap();
    assert_eq!(again.status, PlanStatus::Planned, "it has committed rows");
    assert_eq!(steps.finish(&again.run).tables, [], "nothing was left to do");
    let details = wait(inspect::run_details(&steps.lake, &plan.run.pipeline, &plan.run.run_id)).unwrap();
    assert_eq!((details.summary.state, details.summary.sources), (inspect::RunState::Published, 1));
    assert_eq!(details.summary.rows_read, 3);
}

impl Steps {
    /// Publishes a plan while another writer commits to its table every time, until the run gives up.
    fn attempts_until_given_up(&self, plan: Plan) -> u32 {
        let mut plan = plan;
        for number in 1.. {
            let _ = staged(self, &plan);
            let _ = move_on(self, SILVER, number);
            let reported = StepError::from(self.publish(&plan.run).unwrap_err());
            assert_eq!(reported.name, ErrorName::CommitConflict, "{reported}");
            match self.replan(&plan.run) {
                Ok(next) => plan = next,
                Err(error) => {
                    let reported = StepError::from(error);
                    assert_eq!(reported.name, ErrorName::CommitConflict);
                    assert_says(&reported.message, &["gave up", "run it again"], "the last message");
                    return plan.run.attempt;
                }
            }
        }
        unreachable!("the loop ends by returning")
    }
}

#[test]
fn a_table_that_moves_every_time_fails_the_run_and_the_next_run_completes_it() {
    let (lab, steps, plan) = planned(MERGE);
    assert_eq!(steps.attempts_until_given_up(plan), MAX_ATTEMPTS);
    let _ = steps.run().expect("the next run finishes the work");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2"]);
    assert_eq!(rows(&lab, BRONZE, &["id"]).len(), 6, "bronze was committed by an early attempt, and once");
}

/// Runs a Python text with `table` set to the table's folder.
fn on_table(python: &Python, lab: &Lab, table: &str, text: &str) {
    let head = format!(
        "import datetime, decimal, pyarrow as pa\nfrom deltalake import DeltaTable, write_deltalake\ntable = {:?}\n",
        lab.lake().join(table).display().to_string()
    );
    python.run(&format!("{head}{text}"));
}

/// Appends a row with id 77 to silver the way another engine would.
const FOREIGN_ROW: &str = "
have = DeltaTable(table).to_pyarrow_table()
row = have.slice(0, 1).to_pylist()[0] | {'id': 77, 'name': 'foreign', 'amount': decimal.Decimal('5.00')}
write_deltalake(table, pa.Table.from_pylist([row], schema=have.schema), mode='append')
";

#[test]
fn rows_of_another_engine_stay_and_are_merged_with() {
    let name = "bad_input::another_writer::rows_of_another_engine_stay_and_are_merged_with";
    let Some(python) = Python::or_skip(name) else { return };
    for mode in ["mode: append", MERGE] {
        let (lab, steps, plan) = planned(mode);
        let _ = staged(&steps, &plan);
        on_table(&python, &lab, SILVER, FOREIGN_ROW);
        let published = steps.publish(&plan.run);
        if let Err(error) = published {
            assert_eq!(error.name(), ErrorName::CommitConflict, "{mode}: {}", StepError::from(error));
            let again = steps.replan(&plan.run).unwrap();
            let _ = steps.finish(&again.run);
        }
        let ids: Vec<String> = rows(&lab, SILVER, &["id"]);
        let expected: Vec<&str> = expected_ids(mode).iter().copied().chain(["77"]).collect();
        assert_eq!(ids, expected, "{mode}");

        // Between two runs: a newer row of ours with the same key as the foreign row.
        on_table(&python, &lab, SILVER, "DeltaTable(table).optimize.compact()\n");
        land(&lab, "c.csv", "id,name,amount,day\n77,ours,6.00,2026-02-01\n");
        let run = lab.run().expect(Outcome::Published);
        let names = rows(&lab, SILVER, &["id", "name", "amount"]);
        let of_key: Vec<&String> = names.iter().filter(|row| row.starts_with("77|")).collect();
        let expected: &[&str] = if mode == MERGE { &["77|ours|6.00"] } else { &["77|foreign|5.00", "77|ours|6.00"] };
        assert_eq!(of_key, expected, "{mode}: {run}");
        let totals = rows(&lab, GOLD, &["name", "amount"]);
        assert!(totals.contains(&"ours|6.00".to_owned()), "{mode}: {totals:?}");
        assert_eq!(totals.contains(&"foreign|5.00".to_owned()), mode != MERGE, "{mode}: {totals:?}");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

#[test]
fn an_unsupported_change_of_another_engine_is_refused_by_name() {
    let name = "bad_input::another_writer::an_unsupported_change_of_another_engine_is_refused_by_name";
    let Some(python) = Python::or_skip(name) else { return };
    let added = "
import pyarrow.compute as pc
have = DeltaTable(table).to_pyarrow_table().slice(0, 1)
have = have.append_column('colour', pa.array(['red']))
write_deltalake(table, have, mode='append', schema_mode='merge')
";
    let retyped = "
have = DeltaTable(table).to_pyarrow_table()
place = have.schema.get_field_index('amount')
have = have.set_column(place, 'amount', have['amount'].cast(pa.string()))
write_deltalake(table, have, mode='overwrite', schema_mode='overwrite')
";
    let nested = "
have = DeltaTable(table).to_pyarrow_table().slice(0, 1)
have = have.append_column('tags', pa.array([['a']]))
write_deltalake(table, have, mode='append', schema_mode='merge')
";
    for (text, says) in [
        (added, ["silver/sales/orders", "`colour`"]),
        (retyped, ["silver/sales/orders", "`amount`"]),
        (nested, ["silver/sales/orders", "`tags`"]),
    ] {
        let (lab, _, _) = planned("mode: append");
        on_table(&python, &lab, SILVER, text);
        let before = lab.log_files();
        let run = lab.run().expect(Outcome::Failed);
        let (error, message) = error_of(&run);
        assert_eq!(error, "ContractViolation", "{run}");
        assert_says(&message, &says, text);
        assert_eq!(lab.log_files(), before, "{run}");
        assert_eq!(lab.held(), [], "the file is not to blame: {run}");
    }
}

#[test]
fn a_restored_table_is_filled_again() {
    let name = "bad_input::another_writer::a_restored_table_is_filled_again";
    let Some(python) = Python::or_skip(name) else { return };
    let (lab, steps, plan) = planned("mode: append");
    let _ = steps.finish(&plan.run);
    let before = rows(&lab, SILVER, &["id", "name"]);
    on_table(&python, &lab, SILVER, "DeltaTable(table).delete()\n");
    assert_eq!(rows(&lab, SILVER, &["id"]).len(), 0);
    let run = lab.run().expect(Outcome::Published);
    assert!(run.stdout.contains(GOLD), "gold is recomputed from the current silver: {run}");
    assert_eq!(rows(&lab, GOLD, &["orders"]).len(), 0);
    assert_eq!(before.len(), 4);
}

/// A log that is damaged is reported with the names of table and file; it is not taken for a new table.
#[test]
fn a_damaged_log_is_reported_with_the_names_of_its_table_and_file() {
    let (lab, _, _) = planned("mode: append");
    let log = lab.lake().join(SILVER).join("_delta_log");
    let newest = |log: &Path| {
        sluice_tests::files::entries(log).into_iter().rfind(|path| path.extension().is_some_and(|end| end == "json"))
    };
    let path = newest(&log).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let file = path.file_name().unwrap().to_str().unwrap();
    let before = lab.log_files();
    for damage in [&text[..text.len() / 2], "garbage", ""] {
        std::fs::write(&path, damage).unwrap();
        let mut command = lab.run_command(lab.lake(), &lab.landing());
        command.env("RUST_BACKTRACE", "1");
        let (error, message) = error_of(&Run::of(command).expect(Outcome::Failed));
        assert_eq!(error, "TableUnreadable", "{message}");
        assert_says(&message, &["silver/sales/orders", file], "the message");
        assert!(!message.contains("   0: "), "no backtrace: {message}");
        assert_eq!(lab.log_files(), before);
    }
    std::fs::write(&path, text).unwrap();
    let (tables, _) = state_of(&lab);
    assert_eq!(tables[SILVER].rows.len(), 2);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "1", "2"]);
}

#[test]
fn a_version_whose_files_were_removed_is_gone_by_name() {
    let (lab, steps, plan) = planned(MERGE);
    let _ = steps.finish(&plan.run);
    let table: TableRef = SILVER.parse().unwrap();
    let paths = |version: Option<u64>| -> BTreeSet<String> {
        let open = wait(delta::open_table(&steps.lake, &table, version)).unwrap().unwrap();
        open.files().unwrap().into_iter().map(|file| file.path).collect()
    };
    let removed: Vec<String> = paths(Some(0)).difference(&paths(None)).cloned().collect();
    assert!(!removed.is_empty(), "the merge has rewritten a file");
    for path in removed {
        std::fs::remove_file(lab.lake().join(SILVER).join(path)).unwrap();
    }
    let head = lab.sluice(&["table", "head", SILVER, "--version", "0"]).expect_code(2);
    let page: serde_json::Value = head.page();
    assert_eq!(page["error"]["name"], "VersionGone", "{head}");
    assert!(!head.stdout.contains("POLARS_"), "no advice of the engine: {head}");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2"], "the newest version has its files");
}
