//! Pipelines with several sources: each with its own folder, format and raw table, and all of them in one run.

use sluice_core::name::SourceName;
use sluice_core::run::{Outcome, PlanStatus};
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::parts::ONE_EACH;
use crate::small::{GOLD, SILVER, Steps, TOTAL_COLUMNS, assert_says, contract, held_by, lab, land, land_at, rows};

const SPEC: &str = "\
pipeline: retail
domain: sales
sources:
  orders: { prefix: landing/orders, format: csv, bronze: orders_raw }
  products: { prefix: landing/products, format: json, records: '$.items[*]', bronze: products_raw }
silver:
  - table: orders
    source: orders
    contract: contracts/orders.yaml
    columns: { id: id, product: product, amount: amount }
    mode: append
    gate: { quarantined_percent_below: none }
  - table: products
    source: products
    contract: contracts/products.yaml
    columns: { product: product, name: name }
    mode: replace
gold:
  - table: totals
    contract: contracts/totals.yaml
    sql: |
      SELECT p.name AS name, SUM(o.amount) AS amount, COUNT(*) AS orders
      FROM silver.orders AS o JOIN silver.products AS p ON p.product = o.product GROUP BY p.name
";
const PRODUCTS: &str = "silver/sales/products";
const ORDERS_RAW: &str = "bronze/sales/orders_raw";
const PRODUCTS_RAW: &str = "bronze/sales/products_raw";

const FIRST_ORDERS: &str = "id,product,amount\n1,p1,1.50\n2,p2,2.25\n3,p1,3.00\n";
const FIRST_PRODUCTS: &str = r#"{"items": [{"product": "p1", "name": "pen"}, {"product": "p2", "name": "ink"}]}"#;

/// A lab with this spec.
fn several_with(spec: &str) -> Lab {
    let orders = [
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        "name: product, logicalType: string, required: true",
        "name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)', required: true",
    ];
    let products =
        ["name: product, logicalType: string, required: true", "name: name, logicalType: string, required: true"];
    lab(
        spec,
        &[
            ("orders", contract("orders", &orders, &[])),
            ("products", contract("products", &products, &[])),
            ("names", contract("names", &["name: name, logicalType: string"], &[])),
            ("totals", contract("totals", &TOTAL_COLUMNS, &[])),
        ],
    )
}

/// A lab whose two sources have delivered once.
fn several() -> Lab {
    let lab = several_with(SPEC);
    deliver(&lab);
    lab
}

fn deliver(lab: &Lab) {
    land_at(lab, "orders/a.csv", FIRST_ORDERS, 1);
    land_at(lab, "products/a.json", FIRST_PRODUCTS, 1);
}

fn ids(lab: &Lab) -> Vec<String> {
    rows(lab, SILVER, &["id"])
}

fn names(lab: &Lab) -> Vec<String> {
    rows(lab, PRODUCTS, &["product", "name"])
}

#[test]
fn a_run_takes_the_files_of_all_sources_from_the_folder_of_each_and_gold_joins_them() {
    let lab = several();
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(ids(&lab), ["1", "2", "3"]);
    assert_eq!(names(&lab), ["p1|pen", "p2|ink"]);
    assert_eq!(rows(&lab, GOLD, &["name", "amount", "orders"]), ["ink|2.25|1", "pen|4.50|2"]);
    assert_eq!(rows(&lab, ORDERS_RAW, &["id", "amount"]), ["1|1.50", "2|2.25", "3|3.00"]);
    assert_eq!(rows(&lab, PRODUCTS_RAW, &["name"]), ["ink", "pen"]);
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_landing_folder_without_a_folder_of_a_source_is_refused() {
    let lab = several_with(SPEC);
    land(&lab, "a.csv", FIRST_ORDERS);
    let run = lab.run().expect_code(2);
    assert_says(&run.to_string(), &["no folder of a source", "orders, products"], "files of no source");
}

#[test]
fn reference_data_that_people_edit_replaces_its_table_and_leaves_the_other_source_alone() {
    let lab = several();
    let steps = Steps::new(&lab);
    assert!(steps.run().is_some());
    land_at(&lab, "products/b.json", FIRST_PRODUCTS.replace("ink", "blue ink"), 2);
    let changeset = steps.run().unwrap();
    let changed: Vec<String> = changeset.tables.iter().map(|change| change.table.to_string()).collect();
    assert_eq!(changed, [PRODUCTS_RAW, PRODUCTS, GOLD]);
    assert_eq!(names(&lab), ["p1|pen", "p2|blue ink"]);
    assert_eq!(ids(&lab), ["1", "2", "3"]);
    assert_eq!(rows(&lab, GOLD, &["name", "orders"]), ["blue ink|1", "pen|2"]);
    assert_eq!(steps.run(), None);
}

#[test]
fn one_gate_rejects_the_files_of_all_sources() {
    let lab = several();
    let _ = lab.run().expect(Outcome::Published);
    land_at(&lab, "orders/b.csv", "id,product,amount\n4,p2,1\n", 2);
    let nameless = r#"{"items": [{"product": "p1", "name": null}, {"product": "p2", "name": null}]}"#;
    land_at(&lab, "products/b.json", nameless, 2);
    let _ = lab.run().expect(Outcome::Rejected);
    assert_eq!(ids(&lab), ["1", "2", "3"]);
    assert_eq!(names(&lab), ["p1|pen", "p2|ink"]);
    let held: String = lab.held().iter().map(|held| format!("{held:?}\n")).collect();
    assert_says(&held, &["orders/b.csv", "products/b.json"], "both are held");
}

#[test]
fn a_file_of_one_source_that_is_held_does_not_stop_the_other() {
    let lab = several_with(SPEC);
    land_at(&lab, "orders/bad.csv", "number,product,amount\n1,p1,1\n", 1);
    land_at(&lab, "products/a.json", FIRST_PRODUCTS, 1);
    let run = lab.run().expect(Outcome::Published);
    assert_says(&held_by(&run), &["orders/bad.csv", "lacks column id"], "the file without `id`");
    assert_eq!(names(&lab), ["p1|pen", "p2|ink"]);
    land_at(&lab, "orders/a.csv", FIRST_ORDERS, 2);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(ids(&lab), ["1", "2", "3"]);
}

#[test]
fn a_column_of_one_source_does_not_make_up_for_one_that_another_lacks() {
    let spec = SPEC.replace("{ product: product, name: name }", "{ product: product, name: id }");
    let lab = several_with(&spec);
    deliver(&lab);
    let run = lab.run().expect(Outcome::Published);
    assert_says(&held_by(&run), &["products/a.json", "lacks column id"], "`id` is a column of orders alone");
    assert_eq!(ids(&lab), ["1", "2", "3"]);
}

#[test]
fn files_that_are_read_in_parts_give_the_same_rows_and_a_part_has_files_of_one_source() {
    let lab = several_with(&format!("{SPEC}{ONE_EACH}"));
    deliver(&lab);
    land_at(&lab, "orders/b.csv", "id,product,amount\n4,p2,1\n", 1);
    let steps = Steps::new(&lab);
    let plan = steps.validate().unwrap();
    assert_eq!(plan.cuts.count(), 3, "{:?}", plan.engine);
    let mut sources = Vec::new();
    for part in plan.cuts.numbers() {
        let read = steps.read_part(&plan.run, part).unwrap();
        sources.push(read.source.unwrap().to_string());
    }
    assert_eq!(sources, ["orders", "orders", "products"]);
    let _ = steps.finish(&plan.run);
    assert_eq!(ids(&lab), ["1", "2", "3", "4"]);
    assert_eq!(names(&lab), ["p1|pen", "p2|ink"]);
    assert_eq!(rows(&lab, GOLD, &["name", "amount"]), ["ink|3.25", "pen|4.50"]);
    assert_eq!(rows(&lab, PRODUCTS_RAW, &["name"]), ["ink", "pen"]);
}

#[test]
fn a_new_silver_table_reads_the_raw_table_of_its_source() {
    let lab = several();
    let steps = Steps::new(&lab);
    assert!(steps.run().is_some());
    let table =
        "{ table: names, source: products, contract: contracts/names.yaml, columns: { name: name }, mode: append }";
    lab.edit_pipeline("pipeline.yaml", "gold:\n", &format!("  - {table}\ngold:\n"));
    let changeset = steps.run().unwrap();
    assert!(changeset.tables.iter().any(|change| change.table.to_string() == "silver/sales/names"));
    assert_eq!(rows(&lab, "silver/sales/names", &["name"]), ["ink", "pen"]);
    assert_eq!(rows(&lab, PRODUCTS_RAW, &["name"]), ["ink", "pen"], "the raw table gets no row twice");
    assert_eq!(steps.run(), None);
}

#[test]
fn a_run_that_died_after_the_first_raw_table_is_finished_by_the_next_one() {
    let lab = several();
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().unwrap();
    assert_eq!(ids(&lab), ["1", "2", "3"]);
    assert_eq!(names(&lab), ["p1|pen", "p2|ink"]);
    assert_eq!(rows(&lab, ORDERS_RAW, &["id"]), ["1", "2", "3"]);
    assert_eq!(rows(&lab, PRODUCTS_RAW, &["name"]), ["ink", "pen"]);
}

#[test]
fn a_replay_takes_the_quarantined_rows_of_their_own_source() {
    let lab = several_with(SPEC);
    land_at(&lab, "orders/a.csv", "id,product,amount\n1,p1,1.50\n2,,2.25\n", 1);
    land_at(&lab, "products/a.json", FIRST_PRODUCTS, 1);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(ids(&lab), ["1"]);
    let required = "name: product, logicalType: string, required: true";
    lab.edit_pipeline("contracts/orders.yaml", required, "name: product, logicalType: string");
    let _ = Run::of(lab.replay_command(lab.lake())).expect(Outcome::Published);
    assert_eq!(ids(&lab), ["1", "2"]);
    assert_eq!(names(&lab), ["p1|pen", "p2|ink"]);
}

#[test]
fn quarantined_rows_of_a_full_snapshot_do_not_stop_the_replay_of_another_source() {
    let lab = several_with(SPEC);
    land_at(&lab, "orders/a.csv", "id,product,amount\n1,p1,1.50\n2,,2.25\n", 1);
    land_at(&lab, "products/a.json", FIRST_PRODUCTS.replace("\"ink\"", "null"), 1);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(lab.rows("quarantine/sales/products"), 1);
    let required = "name: product, logicalType: string, required: true";
    lab.edit_pipeline("contracts/orders.yaml", required, "name: product, logicalType: string");
    let _ = Run::of(lab.replay_command(lab.lake())).expect(Outcome::Published);
    assert_eq!(ids(&lab), ["1", "2"]);
    assert_eq!(lab.rows("quarantine/sales/orders"), 0);
    assert_eq!(lab.rows("quarantine/sales/products"), 1);
    assert_eq!(names(&lab), ["p1|pen"]);
}

#[test]
fn a_record_is_shown_as_the_source_of_its_file_is_read() {
    let lab = several();
    let _ = lab.run().expect(Outcome::Published);
    let file = land(&lab, "orders/other.csv", FIRST_ORDERS);
    let mut command = lab.command(["source", "show", "--at", "2", "--lake"]);
    command.arg(lab.lake()).arg(&file);
    let run = Run::of(command).expect_code(0);
    assert_says(&run.stdout, &["record 2 of", "2.25"], "a CSV file");
}

#[test]
fn a_plan_keeps_which_source_an_object_is_of_and_one_without_names_writes_none() {
    let lab = several();
    let plan = Steps::new(&lab).validate().unwrap();
    assert_eq!(plan.status, PlanStatus::Planned);
    let sources: Vec<&str> =
        plan.objects.iter().filter_map(|planned| planned.source.as_ref()).map(SourceName::as_str).collect();
    assert_eq!(sources, ["orders", "products"]);
    let one = crate::small::orders();
    land(&one, "a.csv", "id,name,amount,day\n1,ann,1.50,2026-01-01\n");
    let plan = serde_json::to_value(Steps::new(&one).validate().unwrap()).unwrap();
    assert_eq!(plan["objects"][0].get("source"), None);
    assert_eq!(plan["pipeline"].get("other_sources"), None);
    assert_eq!(plan["pipeline"]["source_format"], "csv");
    let read: sluice_core::run::Plan = serde_json::from_value(plan.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), plan);
}
