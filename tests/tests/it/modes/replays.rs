//! Replays of lines of NDJSON in which `source.records` led nowhere: they are split as if they were read then, each record
//! enters its table once, and the command says what stays.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::columns::DocumentRow;
use sluice_core::name::Layer;
use sluice_core::run::{Outcome, RunAction, RunRequest};
use sluice_lake::{delta, steps};
use sluice_tests::content::{LakeContent, assert_same, lake_content, wait};
use sluice_tests::files::{copy_folder, remove_folder};
use sluice_tests::lab::{Lab, folder_uri, open_lake, retail};
use sluice_tests::sluice::{Run, kill_at_event};

use super::{MERGE, SCD2};
use crate::small::{BRONZE, GOLD, ORDERS, QUARANTINE, SILVER, assert_says, error_of, land, orders_with, rows};

const APPEND: &str = "mode: append";

fn spec(mode: &str, records: &str) -> String {
    ORDERS.replace("mode: append", mode).replace("format: csv", &format!("format: ndjson{records}"))
}

fn record(id: u32, name: &str, amount: &str) -> String {
    format!(r#"{{"id":{id},"name":"{name}","amount":"{amount}","day":"2026-01-0{id}"}}"#)
}

/// Pages of an API, a line each: two records, none, a number among records, and an answer without a list.
fn pages() -> String {
    let pages = [
        format!(r#"{{"items":[{},{}]}}"#, record(1, "ann", "1.00"), record(2, "bob", "2.00")),
        r#"{"items":[]}"#.to_owned(),
        format!(r#"{{"items":[5,{},{}]}}"#, record(3, "eve", "one"), record(4, "dan", "4.00")),
        r#"{"error":"try later"}"#.to_owned(),
    ];
    pages.join("\n")
}

/// A lake whose quarantine has all pages, because the path of the spec was another one; it is right by now.
fn with_wrong_path(mode: &str) -> Lab {
    let lab = orders_with(&spec(mode, ", records: '$.rows[*]'"));
    land(&lab, "a.ndjson", pages());
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["1", "2", "3", "4"], "{run}");
    assert_eq!(rows(&lab, SILVER, &["id"]), Vec::<String>::new(), "{run}");
    lab.edit_pipeline("pipeline.yaml", "$.rows[*]", "$.items[*]");
    lab
}

fn replay(lab: &Lab, lake: &Path) -> Run {
    Run::of(lab.replay_command(lake))
}

/// What the end of a replay says of the records that stay: how many, and why the first of them.
fn stays(run: &Run) -> (u64, String) {
    let end: Value = run.lines().pop().unwrap_or_default();
    let of = &end["corrupt_records"][0];
    (of["rows"].as_u64().unwrap_or_default(), of["reason"].as_str().unwrap_or_default().to_owned())
}

fn place(document: i64, index: usize) -> String {
    DocumentRow::new(document, index).unwrap().source_row().to_string()
}

#[test]
fn lines_with_a_wrong_path_are_split_by_a_replay_and_each_record_is_judged() {
    for mode in [APPEND, MERGE, SCD2] {
        let lab = with_wrong_path(mode);
        let run = replay(&lab, lab.lake()).expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|ann|1.00", "2|bob|2.00", "4|dan|4.00"], "{mode}");
        let places = rows(&lab, SILVER, &["_source_row"]);
        assert_eq!(places, [place(1, 0), place(1, 1), place(3, 2)], "{mode}: each record has a place of its own");
        let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
        assert_eq!(refused.len(), 3, "{mode}: {refused:?}");
        assert_says(&refused[0], &[&place(3, 0), "line 3 (record 3), record 1 in it, is no JSON object"], mode);
        assert_says(&refused[1], &[&place(3, 1), "amount.readable"], mode);
        assert_says(&refused[2], &["4|", "corrupt_record", "line 4", "`$.items` is missing", "error"], mode);
        let (count, reason) = stays(&run);
        assert_eq!(count, 2, "{mode}: {run}");
        assert_says(&reason, &["line"], mode);

        let tables = lab.tables();
        let again = replay(&lab, lab.lake());
        assert_eq!((again.code, stays(&again).0), (Some(0), 2), "{mode}: {again}");
        assert_eq!(lab.tables(), tables, "{mode}: a second replay changes nothing");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

/// Rows that were split out of documents can be replayed again like any other.
#[test]
fn a_record_of_a_document_can_be_replayed_again() {
    let lab = with_wrong_path(APPEND);
    let _ = replay(&lab, lab.lake()).expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "amount: amount", "amount: { from: amount, null_words: [one] }");
    lab.edit_pipeline("contracts/orders.yaml", "'DECIMAL(10,2)', required: true", "'DECIMAL(10,2)'");
    let _ = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "amount"]), ["1|1.00", "2|2.00", "3|NULL", "4|4.00"]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]).len(), 2);
}

#[test]
fn a_killed_replay_of_documents_is_completed_by_the_next() {
    for mode in [APPEND, MERGE] {
        let lab = with_wrong_path(mode);
        let prepared = lab.folder().join("prepared");
        copy_folder(lab.lake(), &prepared);
        let lake = lab.folder().join("killed");
        let content = || -> LakeContent { lake_content(&open_lake(&lake)) };
        copy_folder(&prepared, &lake);
        let _ = replay(&lab, &lake).expect(Outcome::Published);
        let expected = content();
        let mut killed = 0;
        for boundary in 1..=20 {
            remove_folder(&lake);
            copy_folder(&prepared, &lake);
            if kill_at_event(lab.replay_command(&lake), boundary).is_err() {
                break;
            }
            killed += 1;
            let when = format!("{mode}: replayed after a kill at boundary {boundary}");
            let run = replay(&lab, &lake);
            assert_eq!(run.code, Some(0), "{when}: {run}");
            // Where the killed replay left gold stale, an ordinary run computes it.
            let run = Run::of(lab.run_command(&lake, &lab.landing()));
            assert_eq!(run.code, Some(0), "{when}: {run}");
            assert_same(&expected, &content(), &when);
        }
        assert!(killed >= 16, "{mode}: only {killed} replays could be killed");
    }
}

/// A line of NDJSON with a list of records under each of these keys.
fn page(lists: &[(&str, &[String])]) -> String {
    let list = |(key, records): &(&str, &[String])| format!(r#""{key}":[{}]"#, records.join(","));
    format!("{{{}}}\n", lists.iter().map(list).collect::<Vec<_>>().join(","))
}

/// A replay, `killed-1`, that has committed silver, and nothing after it.
fn replay_killed_after_silver(lab: &Lab) {
    let (lake, spec) = (lab.open(), Some(folder_uri(&lab.pipeline())));
    let now: Timestamp = "2026-01-06T00:00:00Z".parse().unwrap();
    let (pipeline, action) = (retail(), RunAction::Replay);
    let request = RunRequest { pipeline, spec, landing: None, action, engine: None, objects: None };
    let plan = wait(steps::validate(&lake, now, "killed-1".parse().unwrap(), request)).unwrap();
    let changeset = wait(steps::process(&lake, now, &plan.run)).unwrap().changeset().unwrap();
    let _ = wait(steps::quality_check(&lake, now, &plan.run)).unwrap();
    let silver = changeset.tables.iter().find(|change| change.table.layer() == Layer::Silver).unwrap();
    let _ = wait(delta::commit(&lake, &plan.run, silver, &[], now)).unwrap();
}

/// The places of records say nothing of the path: by another one, the first record would count as present and be lost.
#[test]
fn a_line_that_a_killed_replay_has_split_waits_for_the_path_of_that_replay() {
    let lab = orders_with(&spec(APPEND, ", records: '$.nothing[*]'"));
    let items = [record(1, "ann", "1.00"), record(2, "bob", "two")];
    let (rows_of_first, rows_of_second) = ([record(3, "eve", "3.00")], [record(4, "dan", "4.00")]);
    let first = page(&[("items", &items), ("rows", &rows_of_first)]);
    land(&lab, "a.ndjson", first + &page(&[("rows", &rows_of_second)]));
    let _ = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "$.nothing[*]", "$.items[*]");
    replay_killed_after_silver(&lab);
    assert_eq!(rows(&lab, SILVER, &["id", "_source_row"]), [format!("1|{}", place(1, 0))]);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["1", "2"]);

    lab.edit_pipeline("pipeline.yaml", "$.items[*]", "$.rows[*]");
    let run = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "4"], "{run}");
    let waits = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert_says(&waits[0], &["1|", "corrupt_record", "replay killed-1", "write `$.items[*]` there"], "the line");
    assert_eq!(stays(&run).0, 1, "{run}");
    let tables = lab.tables();
    let again = replay(&lab, lab.lake()).expect_code(0);
    assert_eq!(lab.tables(), tables, "{again}");

    lab.edit_pipeline("pipeline.yaml", "$.rows[*]", "$.items[*]");
    let run = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "4"], "{run}");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_says(&refused[0], &[&place(1, 1), "amount.readable"], "the other record of the line");
}

/// The first file of a new pipeline is one document, its path is wrong, and the gate is the default.
#[test]
fn a_first_document_with_a_wrong_path_reaches_silver_once_the_path_is_right() {
    let gate = "    gate: { quarantined_percent_below: none }\n";
    let spec = spec(APPEND, ", records: '$.data[*]'");
    assert!(spec.contains(gate), "{spec}");
    let lab = orders_with(&spec.replace(gate, ""));
    land(&lab, "a.ndjson", page(&[("items", &[record(1, "ann", "1.00"), record(2, "bob", "2.00")])]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["1"], "{run}");
    assert_eq!(rows(&lab, SILVER, &["id"]), Vec::<String>::new(), "{run}");
    lab.edit_pipeline("pipeline.yaml", "$.data[*]", "$.items[*]");
    let run = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|ann|1.00", "2|bob|2.00"], "{run}");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), Vec::<String>::new(), "{run}");
    assert_eq!(rows(&lab, GOLD, &["name", "orders"]), ["ann|1", "bob|1"], "{run}");
}

/// Bronze has no column yet, and no record has one that silver reads: the new path is wrong, too.
#[test]
fn a_replay_whose_records_have_no_mapped_key_fails_and_changes_nothing() {
    let lab = orders_with(&spec(APPEND, ", records: '$.rows[*]'"));
    land(&lab, "a.ndjson", "{\"items\":[{\"other\":1}]}\n");
    let _ = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", "$.rows[*]", "$.items[*]");
    let tables = lab.tables();
    let run = replay(&lab, lab.lake()).expect_code(1);
    assert_says(&error_of(&run).1, &["source column 'id'", "is missing", "other"], "the error");
    assert_eq!(lab.tables(), tables, "{run}");
}

/// Key and date are equal: the records of a document are later than the others of their object, although their line was
/// the first, and the last of them stays. A greater date goes before all of it.
#[test]
fn of_rows_of_one_key_in_one_file_that_of_a_document_is_the_later_one() {
    let lab = orders_with(&spec(MERGE, ", records: '$.rows[*]'"));
    let older = record(2, "older", "1.00").replace("2026-01-02", "2025-12-31");
    let split = [record(1, "split", "1.00"), record(1, "last", "2.00"), older];
    let read = [record(1, "read", "3.00"), record(2, "read", "4.00")];
    land(&lab, "a.ndjson", [page(&[("items", &split)]), page(&[("rows", &read)])].concat());
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|read|3.00", "2|read|4.00"]);
    lab.edit_pipeline("pipeline.yaml", "$.rows[*]", "$.items[*]");
    let run = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|last|2.00", "2|read|4.00"], "{run}");
    assert_eq!(rows(&lab, SILVER, &["_source_row"])[1], place(1, 1), "{run}");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), Vec::<String>::new(), "{run}");
}

#[test]
fn lists_that_were_read_without_a_path_are_split_and_lists_in_records_are_not() {
    let lab = orders_with(&spec(APPEND, ""));
    land(&lab, "a.ndjson", format!("{}\n[{},{}]\n", record(1, "a", "1"), record(2, "b", "2"), record(3, "c", "3")));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["2"]);
    lab.edit_pipeline("pipeline.yaml", "format: ndjson", "format: ndjson, records: '$[*]'");
    let run = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2", "3"], "{run}");
    assert_eq!(stays(&run), (0, String::new()));

    // Here the list is an element of the list that the path leads to.
    let lab = orders_with(&spec(APPEND, ", records: '$[*]'"));
    land(&lab, "a.ndjson", format!("[{},[{}]]\n", record(1, "a", "1"), record(2, "b", "2")));
    let _ = lab.run().expect(Outcome::Published);
    let before = rows(&lab, QUARANTINE, &["_source_row", "_raw"]);
    lab.edit_pipeline("pipeline.yaml", "$[*]", "$[*][*]");
    let run = replay(&lab, lab.lake());
    assert_eq!((run.code, stays(&run).0), (Some(0), 1), "{run}");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row", "_raw"]), before, "a part of a line stays as it is");
}

#[test]
fn a_path_that_is_taken_back_makes_each_line_a_record() {
    let lab = orders_with(&spec(APPEND, ", records: '$.items[*]'"));
    land(&lab, "a.ndjson", format!("{}\n{}\n", record(1, "a", "1"), record(2, "b", "x")));
    let _ = lab.run().expect(Outcome::Published);
    lab.edit_pipeline("pipeline.yaml", ", records: '$.items[*]'", "");
    let run = replay(&lab, lab.lake()).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "_source_row"]), ["1|1"], "{run}");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_says(&refused[0], &["2|", "amount.readable"], "judged as a record");
}

#[test]
fn a_replay_of_records_that_cannot_be_split_says_how_many_stay_and_why() {
    let lab = orders_with(&spec(APPEND, ""));
    land(&lab, "a.ndjson", format!("{}\n{{\"id\":2\noops\n", record(1, "a", "1")));
    let _ = lab.run().expect(Outcome::Published);
    let run = replay(&lab, lab.lake());
    assert_eq!(run.code, Some(0), "{run}");
    let (count, reason) = stays(&run);
    assert_eq!(count, 2, "{run}");
    assert_says(&reason, &["is not JSON"], "why");
    let mut command = lab.command(["quarantine", "replay"]);
    command.arg(lab.pipeline()).arg("--lake").arg(lab.lake());
    let run = Run::of(command).expect_code(0);
    let says = ["stays: 2 records stay in quarantine/sales/orders", "is not JSON", "--rule corrupt_record"];
    assert_says(&run.stderr, &says, "for people");
}

#[test]
fn a_record_that_was_split_out_of_a_line_is_shown_from_its_file() {
    let lab = with_wrong_path(APPEND);
    let _ = replay(&lab, lab.lake()).expect(Outcome::Published);
    let show = |at: &str| lab.sluice(&["source", "show", "a.ndjson", "--at", at]);
    let second: Value = show(&place(1, 1)).expect_code(0).page();
    assert_eq!(second["values"], json!({ "id": "2", "name": "bob", "amount": "2.00", "day": "2026-01-02" }));
    assert_eq!(second["position"].to_string(), place(1, 1));
    let number: Value = show(&place(3, 0)).expect_code(0).page();
    assert_eq!((&number["raw"], &number["reason"]), (&json!("5"), &json!("is no JSON object")));
    // The line itself is what the run that has read it took it for.
    let line: Value = show("1").expect_code(0).page();
    assert_says(line["reason"].as_str().unwrap(), &["line 1 (record 1) has no records", "`$.rows`"], "the line");
    let error: Value = show(&place(1, 2)).expect_code(2).page();
    assert_says(&error["error"].to_string(), &["NotFound", "record 3 out of document 1", "position 1"], "no record");
    assert_eq!(rows(&lab, BRONZE, &["_source_row"]), ["1", "2", "3", "4"], "bronze has what was delivered");
}
