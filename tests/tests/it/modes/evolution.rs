//! Pipelines that change after their first run: bronze accepts all changes, silver refuses breaking ones with a clear message.

use sluice_core::name::TableRef;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::writes::{MERGE, SCD2, spec};
use crate::small::{
    BRONZE, GOLD, ORDERS, SILVER, Steps, assert_says, contract, error_of, land, orders, orders_with, rows,
};

const FIRST: &str = "id,name,amount,day\n1,ann,1.50,2026-01-01\n2,bob,2.25,2026-01-02\n";
const CONTRACT: &str = "contracts/orders.yaml";

fn published(spec: &str) -> Lab {
    let lab = orders_with(spec);
    land(&lab, "a.csv", FIRST);
    let _ = lab.run().expect(Outcome::Published);
    lab
}

#[test]
fn bronze_accepts_new_columns_and_records_them() {
    let lab = orders();
    let steps = Steps::new(&lab);
    let bronze: TableRef = BRONZE.parse().unwrap();
    land(&lab, "a.csv", FIRST);
    let changes = |changeset: sluice_core::run::Changeset| {
        changeset.tables.into_iter().find(|change| change.table == bronze).unwrap().schema_changes
    };
    assert_eq!(changes(steps.run().unwrap()), Vec::<String>::new());
    land(&lab, "b.csv", "id,name,colour,amount,day,Größe in m\n3,c,red,1,2026-01-01,2\n");
    assert_eq!(changes(steps.run().unwrap()), ["column `colour` is new", "column `Größe in m` is new"]);
    land(&lab, "c.csv", FIRST.replace("1,ann", "4,dan"));
    assert_eq!(changes(steps.run().unwrap()), Vec::<String>::new(), "columns that disappeared are null");
    let found = rows(&lab, BRONZE, &["id", "colour", "Größe in m"]);
    assert_eq!(found, ["1|NULL|NULL", "2|NULL|NULL", "2|NULL|NULL", "3|red|2", "4|NULL|NULL"]);
    assert_eq!(rows(&lab, SILVER, &["id"]).len(), 5, "silver is not affected");
}

/// `sluice check` with the lab's lake.
fn checked(lab: &Lab) -> Run {
    let mut command = lab.command(["check"]);
    command.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
    Run::of(command)
}

#[test]
fn a_check_with_a_lake_says_what_the_next_run_refuses_and_what_means_something_else() {
    let lab = published(&spec(MERGE));
    let page: serde_json::Value = checked(&lab).expect_code(0).page();
    assert_eq!(page["warnings"], serde_json::json!([]), "{page}");
    lab.edit_pipeline("pipeline.yaml", "keys: [id]", "keys: [id, name]");
    let page: serde_json::Value = checked(&lab).expect_code(0).page();
    assert_says(&page["warnings"].to_string(), &[SILVER, "keys were [id]", "[id, name]"], "other keys");
    lab.edit_pipeline("pipeline.yaml", "mode: merge", "mode: scd2");
    let page: serde_json::Value = checked(&lab).expect_code(1).page();
    assert_says(&page["problems"].to_string(), &[SILVER, "no history", "write to a new table"], "another mode");
    land(&lab, "b.csv", FIRST.replace("1,ann", "3,cat"));
    let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
    assert_eq!(error, "ContractViolation");
    assert_says(&message, &["no history", "write to a new table"], "the run says the same");
}

/// Changes the contract of a published table in a way that breaks it.
fn check_refused(from: &str, to: &str, says: &[&str]) {
    let lab = published(ORDERS);
    let (before, logs) = (lab.content(), lab.log_files());
    let contract = std::fs::read_to_string(lab.pipeline().join(CONTRACT)).unwrap();
    lab.edit_pipeline(CONTRACT, from, to);
    land(&lab, "b.csv", FIRST.replace("1,ann", "3,cat"));
    let check = checked(&lab).expect_code(1);
    assert_says(&check.stdout, &[SILVER], to);
    let run = lab.run().expect(Outcome::Failed);
    let (error, message) = error_of(&run);
    assert_eq!(error, "ContractViolation", "{to}: {run}");
    assert_says(&message, &[SILVER], to);
    assert_says(&message, says, to);
    assert_eq!((lab.content(), lab.log_files()), (before, logs), "{to}");
    assert_eq!(lab.held(), [], "{to}: the file is not held for it");
    std::fs::write(lab.pipeline().join(CONTRACT), contract).unwrap();
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(
        rows(&lab, SILVER, &["id"]),
        ["1", "2", "2", "3"],
        "{to}: after the contract is corrected, the run is published"
    );
}

#[test]
fn silver_refuses_a_breaking_change_of_its_contract() {
    let day = "      - { name: day, logicalType: date }\n";
    let amount = "physicalType: 'DECIMAL(10,2)'";
    check_refused("name: day, logicalType: date", "name: day, logicalType: string", &["`day`", "keep the type"]);
    check_refused(amount, "physicalType: 'DECIMAL(8,2)'", &["`amount`", "DECIMAL(8,2)", "DECIMAL(10,2)"]);
    check_refused(amount, "physicalType: 'DECIMAL(12,2)'", &["`amount`", "DECIMAL(12,2)"]);
    check_refused(
        "name: name, logicalType: string",
        "name: name, logicalType: string, partitioned: true",
        &["partition"],
    );
    let lab = published(ORDERS);
    lab.edit_pipeline(CONTRACT, day, "");
    lab.edit_pipeline("pipeline.yaml", ", day: day }", " }");
    let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
    assert_eq!(error, "ContractViolation");
    assert_says(&message, &[SILVER, "drops column `day`", "new table"], "a dropped column");

    let lab = published(ORDERS);
    lab.edit_pipeline(
        CONTRACT,
        day,
        &format!("{day}      - {{ name: colour, logicalType: string, required: true }}\n"),
    );
    lab.edit_pipeline("pipeline.yaml", "day: day }", "day: day, colour: name }");
    let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
    assert_eq!(error, "ContractViolation");
    assert_says(&message, &[SILVER, "required column `colour`", "optional first"], "a new required column");
}

#[test]
fn silver_accepts_a_new_optional_column_in_every_mode() {
    for mode in ["mode: append", "mode: replace", MERGE, SCD2] {
        let lab = published(&spec(mode));
        let day = "      - { name: day, logicalType: date }\n";
        lab.edit_pipeline(CONTRACT, day, &format!("      - {{ name: colour, logicalType: string }}\n{day}"));
        lab.edit_pipeline("pipeline.yaml", "day: day }", "day: day, colour: colour }");
        land(&lab, "b.csv", "colour,id,name,amount,day\nred,2,bob,3.00,2026-01-05\n,3,cat,1.00,2026-01-05\n");
        let run = lab.run().expect(Outcome::Published);
        let expected: &[&str] = match mode {
            "mode: replace" => &["2|red|2026-01-05", "3|NULL|2026-01-05"],
            MERGE => &["1|NULL|2026-01-01", "2|red|2026-01-05", "3|NULL|2026-01-05"],
            _ => &["1|NULL|2026-01-01", "2|NULL|2026-01-02", "2|red|2026-01-05", "3|NULL|2026-01-05"],
        };
        assert_eq!(rows(&lab, SILVER, &["id", "colour", "day"]), expected, "{mode}: {run}");
        let old: Vec<String> = {
            let page = lab.sluice(&["table", "head", SILVER, "--version", "0"]).expect_code(0);
            page.stdout.lines().map(str::to_owned).collect()
        };
        assert!(!old.concat().contains("colour"), "{mode}: time travel shows the old columns: {old:?}");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

/// A table that is added later with a mapped column that exists nowhere: its rows would be null for ever.
#[test]
fn a_silver_table_that_is_added_later_refuses_a_column_that_bronze_does_not_have() {
    for format in ["csv", "ndjson"] {
        let lab = orders_with(&ORDERS.replace("format: csv", &format!("format: {format}")));
        let record = match format {
            "csv" => "id,name,amount,day\n1,ann,1,\n",
            _ => "{\"id\": 1, \"name\": \"ann\", \"amount\": 1, \"day\": null}\n",
        };
        land(&lab, "a", record);
        let _ = lab.run().expect(Outcome::Published);
        let added = "silver:\n  - table: names\n    contract: contracts/names.yaml\n    columns: { id: id, name: nam }\n    \
                     mode: append\n";
        lab.edit_pipeline("pipeline.yaml", "silver:\n", added);
        let columns = ["name: id, logicalType: integer, physicalType: BIGINT", "name: name, logicalType: string"];
        std::fs::write(lab.pipeline().join("contracts/names.yaml"), contract("names", &columns, &[])).unwrap();
        let (error, message) = error_of(&lab.run().expect(Outcome::Failed));
        assert_eq!(error, "ContractViolation", "{format}");
        assert_says(&message, &["silver/sales/names", "source column 'nam' (for `name`) is missing"], format);
        lab.edit_pipeline("pipeline.yaml", "name: nam }", "name: name }");
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, "silver/sales/names", &["id", "name"]), ["1|ann"], "{format}");
    }
}

#[test]
fn a_replay_refuses_a_mapped_column_that_exists_nowhere() {
    let lab = orders();
    land(&lab, "a.csv", "id,name,amount,day\n1,ann,1,\nx,bob,1,\n3,torn\n");
    let _ = lab.run().expect(Outcome::Published);
    let before = lab.tables();
    lab.edit_pipeline("pipeline.yaml", "name: name", "name: nam");
    let refused = Run::of(lab.replay_command(lab.lake())).expect(Outcome::Failed);
    let (error, message) = error_of(&refused);
    assert_eq!(error, "ContractViolation");
    assert_says(&message, &[SILVER, "source column 'nam' (for `name`) is missing", "\"amount\""], "a replay");
    assert_eq!(lab.tables(), before);
}

#[test]
fn a_silver_table_that_is_added_later_is_filled_from_bronze() {
    let lab = published(ORDERS);
    land(&lab, "b.csv", format!("{FIRST}x,bad,1,2026-01-03\n9,short\n"));
    let _ = lab.run().expect(Outcome::Published);
    // The files no longer exist, but bronze has every record.
    sluice_tests::files::remove_folder(&lab.landing());
    std::fs::create_dir_all(lab.landing()).unwrap();
    let added = "silver:\n  - table: names\n    contract: contracts/names.yaml\n    columns: { id: id, name: name }\n    \
                 sql: SELECT id, UPPER(name) AS name FROM bronze\n    mode: append\n    \
                 gate: { quarantined_percent_below: none }\n";
    lab.edit_pipeline("pipeline.yaml", "silver:\n", added);
    let columns =
        ["name: id, logicalType: integer, physicalType: BIGINT, required: true", "name: name, logicalType: string"];
    std::fs::write(lab.pipeline().join("contracts/names.yaml"), contract("names", &columns, &[])).unwrap();
    let before = lab.tables();
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(
        rows(&lab, "silver/sales/names", &["id", "name", "_source_row"]),
        ["1|ANN|1", "1|ANN|1", "2|BOB|2", "2|BOB|2"]
    );
    assert_eq!(rows(&lab, "quarantine/sales/names", &["_source_row"]), ["3", "4"], "{run}");
    let after = lab.tables();
    for table in [BRONZE, SILVER] {
        assert_eq!(after[table], before[table], "{table} is unchanged");
    }
    let _ = lab.run().expect(Outcome::Skipped);
    land(&lab, "c.csv", FIRST);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, "silver/sales/names", &["id"]).len(), 6);
    assert_eq!(rows(&lab, SILVER, &["id"]).len(), 6);
}

#[test]
fn a_gold_table_follows_its_contract_and_its_inputs() {
    let lab = published(ORDERS);
    let columns: Vec<&str> =
        crate::small::TOTAL_COLUMNS.into_iter().chain(["name: newest, logicalType: date"]).collect();
    std::fs::write(lab.pipeline().join("contracts/totals.yaml"), contract("totals", &columns, &[])).unwrap();
    lab.edit_pipeline("pipeline.yaml", "COUNT(*) AS orders", "COUNT(*) AS orders, MAX(day) AS newest");
    let added = "gold:\n  - table: total\n    contract: contracts/total.yaml\n    sql: SELECT SUM(amount) AS amount FROM gold.totals\n";
    lab.edit_pipeline("pipeline.yaml", "gold:\n", added);
    let total = contract("total", &["name: amount, logicalType: number, physicalType: 'DECIMAL(18,2)'"], &[]);
    std::fs::write(lab.pipeline().join("contracts/total.yaml"), total).unwrap();
    let silver = lab.tables()[SILVER].clone();
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(lab.tables()[SILVER], silver, "silver has no new version");
    assert_eq!(
        rows(&lab, GOLD, &["name", "amount", "orders", "newest"]),
        ["ann|1.50|1|2026-01-01", "bob|2.25|1|2026-01-02"]
    );
    assert_eq!(rows(&lab, "gold/sales/total", &["amount"]), ["3.75"]);
    let _ = lab.run().expect(Outcome::Skipped);
}

/// A column that a file lacks is one null for Polars, with a length: conditions with a literal on their left counted it once.
#[test]
fn rows_that_are_older_than_a_column_count_in_conditions_of_it() {
    let lab = published(ORDERS);
    lab.edit_pipeline(
        CONTRACT,
        "name: day, logicalType: date }",
        "name: day, logicalType: date }\n      - { name: note, logicalType: string }",
    );
    lab.edit_pipeline("pipeline.yaml", "day: day }", "day: day, note: note }");
    let counted = "'all' AS name, CAST(SUM(CASE WHEN 'm' <= note THEN 1 ELSE 10 END) AS DECIMAL(18,2)) AS amount, \
                   COUNT(NULLIF('x', note)) AS orders FROM silver.orders";
    lab.edit_pipeline(
        "pipeline.yaml",
        "name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY name",
        counted,
    );
    land(&lab, "b.csv", "id,name,amount,day,note\n3,cat,1,2026-01-01,z\n4,dan,1,2026-01-01,a\n5,eve,1,2026-01-01,x\n");
    let _ = lab.run().expect(Outcome::Published);
    let older = FIRST.lines().count() - 1;
    let expected = format!("all|{}.00|{}", 1 + 10 + 1 + older * 10, 2 + older);
    assert_eq!(rows(&lab, GOLD, &["name", "amount", "orders"]), [expected]);
}

/// The same in the rows of one batch, all of which lack a key.
#[test]
fn rows_without_a_key_are_computed_like_others() {
    let spec = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: ndjson }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns: { id: id, note: note }
    sql: SELECT id, note, CASE WHEN 'm' <= note THEN 1 WHEN -1 <= LENGTH(note) THEN 2 ELSE 3 END AS size FROM bronze
    mode: append
";
    let columns = [
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        "name: note, logicalType: string",
        "name: size, logicalType: integer, physicalType: INT",
    ];
    let lab = crate::small::lab(spec, &[("orders", contract("orders", &columns, &[]))]);
    land(&lab, "a.ndjson", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    land(&lab, "b.ndjson", "{\"id\":4,\"note\":\"z\"}\n{\"id\":5,\"note\":\"a\"}\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "note", "size"]), ["1|NULL|3", "2|NULL|3", "3|NULL|3", "4|z|1", "5|a|2"]);
}
