//! Specs and contracts that cannot run: `check` and `run` both refuse them with a clear message, before any file is read.

use std::fs;

use serde_json::Value;
use sluice_tests::lab::Lab;

use super::good_file;
use crate::small::{ORDERS, TOTAL_COLUMNS, assert_says, contract, land, orders};

/// A change of the good pipeline that makes it bad.
pub(super) struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// What the message must say.
    says: &'static [&'static str],
}

pub(super) const SPEC: &str = "pipeline.yaml";
const CONTRACT: &str = "contracts/orders.yaml";
const TOTALS: &str = "contracts/totals.yaml";

pub(super) fn edit(file: &'static str, from: &'static str, to: &'static str, says: &'static [&'static str]) -> Edit {
    Edit { file, from, to, says }
}

/// The good pipeline in mode merge, with this condition of delete events.
fn deletes(condition: &str, says: &'static [&'static str]) -> Edit {
    let to = format!("mode: merge\n    keys: [id]\n    latest_by: day\n    delete_when: {condition}");
    edit(SPEC, "mode: append", to.leak(), says)
}

/// The problems that `sluice check --json` and `sluice run --json` report; both must end with 1, and no lake may be created.
pub(super) fn problems(lab: &Lab, when: &str) -> [String; 2] {
    let mut command = lab.command(["check"]);
    command.arg(lab.pipeline()).arg("--json");
    let check = sluice_tests::sluice::Run::of(command).expect_code(1);
    let run = lab.run().expect_code(1);
    assert_eq!(lab.log_files(), Vec::<std::path::PathBuf>::new(), "{when}");
    let problems_of = |run: &sluice_tests::sluice::Run| -> String {
        let text = run.stdout.trim();
        let last = text.lines().last().unwrap_or_else(|| panic!("{when}: nothing was reported: {run}"));
        let page: Value = serde_json::from_str(text).or_else(|_| serde_json::from_str(last)).unwrap();
        if let Some(problems) = page["problems"].as_array() {
            return problems.iter().map(|problem| problem.as_str().unwrap()).collect::<Vec<_>>().join("\n");
        }
        let error = &page["error"];
        let name = error["Error"].as_str().or(error["name"].as_str()).or(page["name"].as_str());
        assert_eq!(name, Some("InvalidInput"), "{when}: {run}");
        let message = error["Cause"].as_str().or(error["message"].as_str()).or(page["message"].as_str());
        message.or(error.as_str()).unwrap_or_else(|| panic!("{when}: no message: {run}")).to_owned()
    };
    [problems_of(&check), problems_of(&run)]
}

pub(super) fn check(edits: &[Edit]) {
    for Edit { file, from, to, says } in edits {
        let lab = orders();
        land(&lab, "good.csv", good_file(0));
        lab.edit_pipeline(file, from, to);
        for message in problems(&lab, to) {
            assert_says(&message, says, to);
        }
    }
}

#[test]
fn specs_that_cannot_be_read_are_refused() {
    check(&[
        edit(SPEC, "domain: sales\n", "domain: sales\nsurprise: 1\n", &["pipeline.yaml", "surprise", "line 3"]),
        edit(SPEC, "format: csv }", "format: csv, fromat: csv }", &["pipeline.yaml", "fromat", "line 3"]),
        edit(SPEC, "    mode: append\n", "    mode: upsert\n", &["pipeline.yaml", "upsert", "line"]),
        edit(SPEC, "    mode: append\n", "", &["pipeline.yaml", "mode"]),
        edit(SPEC, "    mode: append\n", "    mode: [append]\n", &["pipeline.yaml", "line 9"]),
        edit(SPEC, "{ table: orders }", "orders", &["pipeline.yaml", "line 4"]),
        edit(SPEC, "domain: sales\n", "domain: sales\ndomain: sales\n", &["pipeline.yaml", "domain", "line 3"]),
        edit(SPEC, "domain: sales", "domain: [", &["pipeline.yaml", "line"]),
        edit(SPEC, "format: csv }", "format: csv, csv: { delimiter: '' } }", &["pipeline.yaml", "line 3", "1 to 8"]),
        edit(SPEC, "format: csv }", "format: orc }", &["pipeline.yaml", "orc", "csv"]),
        edit(SPEC, "day: day }", "day: { form: day } }", &["pipeline.yaml", "form", "line 8"]),
        edit(SPEC, "day: day }", "day: { decimal: ',' } }", &["pipeline.yaml", "from", "line"]),
        edit(SPEC, "day: day }", "day: true }", &["pipeline.yaml", "in quotes", "line"]),
        edit(SPEC, "amount: amount", "amount: { from: amount, decimal: ',,' }", &["pipeline.yaml", "line 8"]),
    ]);
}

#[test]
fn names_that_leave_their_folder_are_refused() {
    check(&[
        edit(SPEC, "domain: sales", "domain: ../sales", &["'../sales' is no domain name", "a-z"]),
        edit(SPEC, "pipeline: retail", "pipeline: ..", &["'..' is no pipeline name"]),
        edit(SPEC, "{ table: orders }", "{ table: ../../orders }", &["'../../orders' is no table name"]),
        edit(SPEC, "  - table: totals", "  - table: a/b", &["'a/b' is no table name"]),
        edit(SPEC, "prefix: landing/orders", "prefix: ../orders", &["'../orders'", "leaves its folder"]),
        edit(SPEC, "prefix: landing/orders", "prefix: /etc", &["'/etc'"]),
        edit(SPEC, "contract: contracts/orders.yaml", "contract: ../../secret.yaml", &["'../../secret.yaml'"]),
        edit(SPEC, "contract: contracts/orders.yaml", "contract: /etc/passwd", &["'/etc/passwd'"]),
        edit(SPEC, "contract: contracts/orders.yaml", "contract: 'a\\..\\b.yaml'", &["a\\..\\b.yaml"]),
        edit(CONTRACT, "name: day,", "name: ../day,", &["../day"]),
    ]);
}

#[test]
fn specs_that_contradict_themselves_or_their_contract_are_refused() {
    check(&[
        edit(SPEC, "contracts/totals.yaml", "contracts/gone.yaml", &["contracts/gone.yaml is missing", "the spec"]),
        edit(SPEC, "day: day }", "day: day, colour: colour }", &["table `orders`", "`colour` is not in contract"]),
        edit(SPEC, ", day: day }", " }", &["table `orders`", "`day` is neither listed in columns nor computed"]),
        edit(SPEC, "mode: append", "mode: merge", &["table `orders`", "need keys"]),
        edit(
            SPEC,
            "mode: append",
            "mode: merge\n    keys: [id]\n    latest_by: when",
            &["`when` in keys or latest_by"],
        ),
        edit(SPEC, "mode: append", "mode: append\n    keys: [id]", &["keys and latest_by belong to"]),
        edit(SPEC, "mode: append", "mode: append\n    snapshot: folder", &["snapshot belongs to modes replace"]),
        edit(
            SPEC,
            "mode: append",
            "mode: append\n    delete_when: name = 'D'",
            &["table `orders`", "delete_when belongs to modes merge and scd2", "keeps a delete event as a row"],
        ),
        edit(
            SPEC,
            "mode: append",
            "mode: replace\n    delete_when: name = 'D'",
            &["delete_when belongs to modes merge and scd2", "whole snapshots"],
        ),
        edit(
            SPEC,
            "mode: append",
            "mode: snapshot\n    keys: [id]\n    delete_when: name = 'D'",
            &["table `orders`", "delete_when belongs to modes merge and scd2", "full extracts, which have no events"],
        ),
        edit(
            SPEC,
            "mode: append",
            "mode: scd2\n    keys: [id]\n    snapshot: object\n    delete_when: name = 'D'",
            &["table `orders`", "delete_when does not go with snapshot", "take delete_when out, or snapshot"],
        ),
        deletes("1 = 1", &["delete_when names no column"]),
        deletes("op = 'D'", &["table `orders`", "delete_when, which is about the names under columns"]),
        deletes("amount", &["table `orders`", "delete_when", "a condition of type"]),
        deletes("COUNT(id) > 1", &["delete_when", "aggregate COUNT at line 1, column 1"]),
        deletes("SOUNDEX(name) = 'D'", &["delete_when", "SOUNDEX at line 1, column 1"]),
        deletes("name = ", &["delete_when"]),
        edit(SPEC, "mode: append", "mode: replace\n    snapshot: file", &["pipeline.yaml", "folder"]),
        edit(
            SPEC,
            "mode: append",
            "mode: scd2\n    keys: [id, id]\n    latest_by: day",
            &["keys names a column twice"],
        ),
        edit(SPEC, "mode: append", "mode: merge\n    keys: [id]\n    track: [name]", &["track belongs to mode scd2"]),
        edit(SPEC, "mode: append", "mode: scd2\n    keys: [id]\n    track: []", &["track names no column"]),
        edit(
            SPEC,
            "mode: append",
            "mode: scd2\n    keys: [id]\n    track: [nam]",
            &["`nam` in track is not in contract"],
        ),
        edit(SPEC, "mode: append", "mode: scd2\n    keys: [id]\n    track: [id]", &["`id` in track is in keys"]),
        edit(SPEC, "mode: append", "mode: scd2\n    keys: [id]\n    track: [name, name]", &["`name` twice"]),
        edit(SPEC, "mode: append", "mode: snapshot", &["table `orders`", "need keys"]),
        edit(
            SPEC,
            "mode: append",
            "mode: snapshot\n    keys: [id]\n    latest_by: day",
            &["latest_by does not go with full snapshots", "take latest_by out"],
        ),
        edit(
            SPEC,
            "mode: append",
            "mode: scd2\n    keys: [id]\n    latest_by: day\n    snapshot: object",
            &["latest_by does not go with full snapshots"],
        ),
        edit(
            SPEC,
            "mode: append",
            "mode: merge\n    keys: [id]\n    snapshot: object",
            &["snapshot belongs to modes replace, snapshot and scd2"],
        ),
        edit(SPEC, "below: none", "below: none, deleted_percent_below: 20", &["it belongs to mode snapshot"]),
        edit(SPEC, "below: none", "below: none, deleted_percent_below: 0", &["pipeline.yaml", "above 0"]),
        edit(SPEC, "below: none", "below: 0", &["pipeline.yaml", "line 10", "must be above 0"]),
        edit(SPEC, "below: none", "below: 100.5", &["pipeline.yaml", "line 10", "at most 100"]),
        edit(SPEC, "below: none", "below: x", &["pipeline.yaml", "line 10", "or `none` for no limit"]),
        edit(SPEC, "below: none", "below: null", &["pipeline.yaml", "line 10", "or `none` for no limit"]),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, files: { include: [] } }",
            &["pipeline.yaml", "no file would be taken"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, files: { exclude: ['a**'] } }",
            &["pattern 'a**'", "** stands alone"],
        ),
        edit(SPEC, "silver.orders GROUP", "silver.order GROUP", &["table `totals`", "silver.order"]),
        edit(
            SPEC,
            "gold:\n",
            "gold:\n  - { table: totals, contract: contracts/totals.yaml, sql: 'SELECT * FROM silver.orders' }\n",
            &["two gold tables"],
        ),
    ]);
}

#[test]
fn snapshots_that_spark_would_compare_are_refused() {
    for mode in ["mode: snapshot\n    keys: [id]", "mode: scd2\n    keys: [id]\n    snapshot: object"] {
        let lab = orders();
        land(&lab, "good.csv", good_file(0));
        lab.edit_pipeline(SPEC, "mode: append", mode);
        lab.edit_pipeline(SPEC, "domain: sales", "domain: sales\nengine: emr");
        for message in problems(&lab, mode) {
            let says = ["table `orders`", "snapshots are compared with the table by lambda", "`engine: auto`"];
            assert_says(&message, &says, mode);
        }
    }
}

#[test]
fn a_history_whose_keys_may_occur_once_is_refused() {
    let history = "mode: scd2\n    keys: [id]\n    latest_by: day";
    let day = "name: day, logicalType: date";
    for (id, day_too, refused) in [
        ("name: id, primaryKey: true, primaryKeyPosition: 1,", false, true),
        ("name: id, unique: true,", false, true),
        ("name: id, primaryKey: true, primaryKeyPosition: 1,", true, false),
        ("name: id,", false, false),
    ] {
        let lab = orders();
        lab.edit_pipeline(SPEC, "mode: append", history);
        lab.edit_pipeline(CONTRACT, "name: id,", id);
        if day_too {
            lab.edit_pipeline(CONTRACT, day, &format!("{day}, primaryKey: true, primaryKeyPosition: 2"));
        }
        land(&lab, "a.csv", good_file(0));
        if refused {
            for message in problems(&lab, id) {
                assert_says(&message, &["table `orders`", "mode scd2 keeps every version", "`day`"], id);
            }
            continue;
        }
        for file in ["a.csv", "b.csv"] {
            land(&lab, file, good_file(0).replace("2026-01", if file == "a.csv" { "2026-01" } else { "2026-02" }));
            let run = lab.run();
            assert_eq!(run.code, Some(0), "{id}: what the check accepts runs: {run}");
        }
    }
}

#[test]
fn sql_that_cannot_run_is_refused() {
    let silver = "mode: append";
    let gold = "SELECT name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY name";
    check(&[
        edit(SPEC, silver, "mode: append\n    sql: SELEC id FROM bronze", &["table `orders`", "sql", "SELEC"]),
        edit(
            SPEC,
            silver,
            "mode: append\n    sql: SELECT id, name, amount, day FROM bronze WHERE id > 1",
            &["table `orders`", "WHERE"],
        ),
        edit(
            SPEC,
            silver,
            "mode: append\n    sql: SELECT id, name, amount, dya AS day FROM bronze",
            &["orders", "dya"],
        ),
        edit(SPEC, silver, "mode: append\n    sql: SELECT id, name, amount FROM bronze", &["orders", "day"]),
        edit(
            SPEC,
            silver,
            "mode: append\n    sql: SELECT id, name, MD5(name) AS amount, day FROM bronze",
            &["orders", "MD5"],
        ),
        edit(
            SPEC,
            silver,
            "mode: append\n    sql: SELECT id, name, name || 'x' AS amount, day FROM bronze",
            &["orders", "amount"],
        ),
        edit(SPEC, gold, "SELECT nam AS name, amount, 1 AS orders FROM silver.orders", &["totals", "nam"]),
        edit(SPEC, gold, "SELECT name, SUM(amount) AS amount FROM silver.orders GROUP BY name", &["totals", "orders"]),
        edit(
            SPEC,
            gold,
            "SELECT name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY",
            &["totals", "sql"],
        ),
        edit(SPEC, gold, "DELETE FROM silver.orders", &["table `totals`", "sql"]),
        edit(SPEC, gold, "SELECT 1 AS orders", &["table `totals`"]),
    ]);
}

#[test]
fn contracts_that_cannot_run_are_refused() {
    check(&[
        edit(CONTRACT, "kind: DataContract", "kind: Data", &["table `orders`", "kind"]),
        edit(CONTRACT, "apiVersion: v3.2.0", "apiVersion: v9.0.0", &["table `orders`", "apiVersion"]),
        edit(CONTRACT, "status: active", "status: active\nsurprise: 1", &["table `orders`", "surprise"]),
        edit(CONTRACT, "name: day, logicalType: date", "name: day, logicalType: datum", &["table `orders`", "datum"]),
        edit(
            CONTRACT,
            "name: day, logicalType: date",
            "name: day, logicalType: date, requierd: true",
            &["orders", "requierd"],
        ),
        edit(
            CONTRACT,
            "name: day, logicalType: date",
            "name: day, logicalType: array",
            &["table `orders`", "`day`", "array"],
        ),
        edit(
            CONTRACT,
            "name: day, logicalType: date",
            "name: id, logicalType: date",
            &["table `orders`", "`id`", "twice"],
        ),
        edit(CONTRACT, "'DECIMAL(10,2)'", "'DECIMAL(50,2)'", &["table `orders`", "amount", "DECIMAL"]),
        edit(CONTRACT, "id: orders\n", "id: [\n", &["table `orders`", "contracts/orders.yaml"]),
        edit(TOTALS, "schema:\n  - name: totals", "schema:\n  - name: total", &["table `totals`", "totals"]),
    ]);
}

#[test]
fn gold_tables_that_read_each_other_are_refused() {
    let circle = "gold:\n  - { table: a, contract: contracts/totals.yaml, sql: 'SELECT name, amount, orders FROM gold.b' }\n  \
                  - { table: b, contract: contracts/totals.yaml, sql: 'SELECT name, amount, orders FROM gold.c' }\n  \
                  - { table: c, contract: contracts/totals.yaml, sql: 'SELECT name, amount, orders FROM gold.a' }\n";
    let itself =
        "gold:\n  - { table: a, contract: contracts/totals.yaml, sql: 'SELECT name, amount, orders FROM gold.a' }\n";
    for (gold, says) in [(circle, &["circle", "a, b, c"]), (itself, &["circle", "`a`"])] {
        let spec = format!("{}{gold}", ORDERS.split("gold:").next().unwrap());
        let lab = crate::small::orders_with(&spec);
        let totals = contract("totals", &TOTAL_COLUMNS, &[]);
        let objects: String =
            ["a", "b", "c"].map(|name| totals.split("schema:\n").nth(1).unwrap().replace("totals", name)).concat();
        let text = format!("{}schema:\n{objects}", totals.split("schema:\n").next().unwrap());
        fs::write(lab.pipeline().join(TOTALS), text).unwrap();
        for message in problems(&lab, gold) {
            assert_says(&message, says, gold);
        }
    }
}

#[test]
fn all_problems_are_reported_together() {
    let lab = orders();
    lab.edit_pipeline(SPEC, "mode: append", "mode: merge");
    lab.edit_pipeline(SPEC, "silver.orders GROUP", "silver.other GROUP");
    for message in problems(&lab, "two problems") {
        assert_says(&message, &["need keys", "silver.other"], "both problems");
    }
}

#[test]
fn files_that_are_not_specs_are_refused() {
    let bombs = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                 d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                 g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\npipeline: *g\n";
    let deep = format!("pipeline: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{ORDERS}# {}\n", "x".repeat(2 << 20));
    let cases: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("no mapping", b"- a\n- b\n".to_vec()),
        ("aliases of aliases", bombs.as_bytes().to_vec()),
        ("deeply nested", deep.into_bytes()),
        ("larger than a spec may be", large.into_bytes()),
        ("not UTF-8", b"pipeline: retail\xff\n".to_vec()),
    ];
    for (name, bytes) in cases {
        let lab = orders();
        fs::write(lab.pipeline().join(SPEC), bytes).unwrap();
        for message in problems(&lab, name) {
            assert_says(&message, &["pipeline.yaml"], name);
        }
    }
    let lab = orders();
    fs::remove_file(lab.pipeline().join(SPEC)).unwrap();
    let run = lab.run().expect_code(2);
    assert!(run.stdout.contains("NotFound") && run.stdout.contains("does not exist"), "{run}");
}
