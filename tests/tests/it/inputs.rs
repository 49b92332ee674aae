//! Gold that reads tables of other pipelines, and pipelines that run after those.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{GOLD, SILVER, assert_says, contract, orders, rows};

const BY_COUNTRY: &str = "gold/sales/by_country";
const SHARES: &str = "gold/reports/shares";
const INPUT: &str = "{ table: silver/places/cities, contract: contracts/cities.yaml }";

const ORDERS: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: csv }
bronze: { table: orders }
inputs:
  - { table: silver/places/cities, contract: contracts/cities.yaml }
silver:
  - { table: orders, contract: contracts/orders.yaml, columns: { id: id, name: name, amount: amount, day: day }, mode: append }
gold:
  - table: totals
    contract: contracts/totals.yaml
    sql: SELECT name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY name
  - table: by_country
    contract: contracts/by_country.yaml
    sql: |
      SELECT cities.country, SUM(orders.amount) AS amount
      FROM silver.orders JOIN silver.places.cities ON cities.name = orders.name GROUP BY cities.country
";
const PLACES: &str = "\
pipeline: places
domain: places
source: { prefix: landing/places, format: csv }
bronze: { table: cities }
silver:
  - { table: cities, contract: contracts/cities.yaml, columns: { name: name, country: country, people: people }, mode: replace }
";
const REPORTS: &str = "\
pipeline: reports
domain: reports
source: { prefix: landing/reports, format: csv }
bronze: { table: notes }
inputs:
  - { table: gold/sales/by_country, contract: contracts/by_country.yaml }
  - { table: silver/places/cities, contract: contracts/cities.yaml }
silver:
  - { table: notes, contract: contracts/notes.yaml, columns: { note: note }, mode: append }
gold:
  - table: shares
    contract: contracts/shares.yaml
    sql: |
      SELECT b.country, b.amount, COUNT(*) AS cities
      FROM gold.sales.by_country AS b JOIN silver.places.cities AS c ON c.country = b.country GROUP BY b.country, b.amount
";
const COUNTRY: &str = "name: country, logicalType: string";
const AMOUNT: &str = "name: amount, logicalType: number, physicalType: 'DECIMAL(18,2)'";

fn write(lab: &Lab, folder: &str, name: &str, text: &str) {
    let path = lab.folder().join("pipelines").join(folder).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Orders whose gold joins cities of another pipeline, and reports that read both.
fn lab() -> Lab {
    let lab = orders();
    write(&lab, "retail", "pipeline.yaml", ORDERS);
    // What the pipeline relies on: not the number of people.
    let relied_on = contract("cities", &["name: name, logicalType: string", COUNTRY], &[]);
    write(&lab, "retail", "contracts/cities.yaml", &relied_on);
    write(&lab, "retail", "contracts/by_country.yaml", &contract("by_country", &[COUNTRY, AMOUNT], &[]));
    write(&lab, "places", "pipeline.yaml", PLACES);
    let people = "name: people, logicalType: integer, physicalType: BIGINT";
    let cities = contract("cities", &["name: name, logicalType: string", COUNTRY, people], &[]);
    write(&lab, "places", "contracts/cities.yaml", &cities);
    write(&lab, "reports", "pipeline.yaml", REPORTS);
    write(&lab, "reports", "contracts/by_country.yaml", &contract("by_country", &[COUNTRY, AMOUNT], &[]));
    write(&lab, "reports", "contracts/cities.yaml", &relied_on);
    write(&lab, "reports", "contracts/notes.yaml", &contract("notes", &["name: note, logicalType: string"], &[]));
    let number = "name: cities, logicalType: integer, physicalType: BIGINT";
    write(&lab, "reports", "contracts/shares.yaml", &contract("shares", &[COUNTRY, AMOUNT, number], &[]));
    lab
}

/// Writes a file to the landing folder of a pipeline in the lake.
fn deliver(lab: &Lab, pipeline: &str, name: &str, text: &str) {
    let path = lab.lake().join("landing").join(pipeline).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn deliver_orders(lab: &Lab) {
    deliver(lab, "orders", "1.csv", "id,name,amount,day\n1,Ulm,1.00,2026-01-01\n2,Lyon,2.00,\n3,Bonn,4.00,\n");
}

fn run(lab: &Lab, pipeline: &str, more: &[&str]) -> Run {
    lab.sluice(&[&["run", &format!("pipelines/{pipeline}")], more].concat())
}

/// `sluice check` of the pipeline that reads from another.
fn checked(lab: &Lab) -> Run {
    let mut command = lab.command(["check", "pipelines/retail", "--json"]);
    command.current_dir(lab.folder());
    Run::of(command)
}

/// How each run of a command ended: its pipeline and outcome.
fn ends(run: &Run) -> Vec<(String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let finished = run.lines().into_iter().filter(|line| line["event"] == "finished");
    finished.map(|line| (text(&line, "pipeline"), text(&line, "outcome"))).collect()
}

fn assert_ends(run: Run, expected: &[(&str, &str)]) {
    let run = run.expect_code(0);
    let found = ends(&run);
    let found: Vec<(&str, &str)> = found.iter().map(|(name, outcome)| (name.as_str(), outcome.as_str())).collect();
    assert_eq!(found, expected, "{run}");
}

fn version(lab: &Lab, table: &str) -> Option<u64> {
    let tables: Value = lab.sluice(&["table", "show", table]).page();
    tables["version"].as_u64()
}

#[test]
fn gold_waits_for_a_table_of_another_pipeline_and_then_follows_it() {
    let lab = lab();
    deliver_orders(&lab);
    let first = run(&lab, "retail", &[]).expect_code(0);
    let last = first.lines().pop().unwrap();
    let reason = last["waiting"][BY_COUNTRY].as_str().unwrap_or_else(|| panic!("{first}"));
    assert_says(
        reason,
        &["table `silver/places/cities` does not exist yet", "run the pipeline that writes it"],
        "waiting",
    );
    assert_eq!(rows(&lab, GOLD, &["name"]).len(), 3, "other gold is computed");
    assert_eq!(version(&lab, BY_COUNTRY), None);
    assert_ends(run(&lab, "retail", &[]), &[("retail", "skipped")]);

    deliver(&lab, "places", "1.csv", "name,country,people\nUlm,DE,120000\nBonn,DE,330000\nLyon,FR,520000\n");
    assert_ends(run(&lab, "places", &[]), &[("places", "published")]);
    let silver = version(&lab, SILVER);
    assert_ends(run(&lab, "retail", &[]), &[("retail", "published")]);
    assert_eq!(rows(&lab, BY_COUNTRY, &["country", "amount"]), ["DE|5.00", "FR|2.00"]);
    assert_eq!(version(&lab, SILVER), silver, "silver has nothing new");
    assert_ends(run(&lab, "retail", &[]), &[("retail", "skipped")]);

    deliver(&lab, "places", "2.csv", "name,country,people\nUlm,DE,120000\nBonn,DE,330000\nLyon,DE,520000\n");
    assert_ends(run(&lab, "places", &[]), &[("places", "published")]);
    assert_ends(run(&lab, "retail", &[]), &[("retail", "published")]);
    assert_eq!(rows(&lab, BY_COUNTRY, &["country", "amount"]), ["DE|7.00"]);
}

#[test]
fn pipelines_that_read_a_changed_table_run_once_after_it_and_after_each_other() {
    let lab = lab();
    deliver_orders(&lab);
    deliver(&lab, "reports", "1.csv", "note\nhello\n");
    deliver(&lab, "places", "1.csv", "name,country,people\nUlm,DE,120000\nBonn,DE,330000\nLyon,FR,520000\n");
    let all = [("places", "published"), ("retail", "published"), ("reports", "published")];
    assert_ends(run(&lab, "places", &["--with-downstream"]), &all);
    assert_eq!(rows(&lab, SHARES, &["country", "amount", "cities"]), ["DE|5.00|2", "FR|2.00|1"]);
    assert_ends(run(&lab, "places", &["--with-downstream"]), &[("places", "skipped")]);

    deliver(&lab, "orders", "2.csv", "id,name,amount,day\n4,Ulm,10.00,2026-01-01\n");
    assert_ends(run(&lab, "retail", &["--with-downstream"]), &[("retail", "published"), ("reports", "published")]);
    assert_eq!(rows(&lab, SHARES, &["country", "amount", "cities"]), ["DE|15.00|2", "FR|2.00|1"]);
    // Nothing of the spec or of its places changes what a table of another pipeline is.
    assert_ends(run(&lab, "reports", &["--with-downstream"]), &[("reports", "skipped")]);
}

#[test]
fn a_table_that_is_not_as_an_input_relies_on_it_costs_the_gold_that_reads_it() {
    let lab = lab();
    deliver_orders(&lab);
    deliver(&lab, "places", "1.csv", "name,country,people\nUlm,DE,120000\nBonn,DE,330000\nLyon,FR,520000\n");
    assert_ends(run(&lab, "places", &[]), &[("places", "published")]);
    let check = |columns: &[&str], says: &str, number: u32| {
        write(&lab, "retail", "contracts/cities.yaml", &contract("cities", columns, &[]));
        deliver(&lab, "orders", &format!("{number}.csv"), &format!("id,name,amount,day\n{number},Ulm,1.00,\n"));
        let run = run(&lab, "retail", &[]).expect_code(0);
        let last = run.lines().pop().unwrap();
        assert_eq!(last["outcome"], "published", "{run}");
        assert_says(&last["waiting"].to_string(), &[says], "waiting");
        assert_eq!(rows(&lab, GOLD, &["orders"]).len(), 3, "{run}");
    };
    let name = "name: name, logicalType: string";
    let _ = run(&lab, "retail", &[]).expect_code(0);
    assert_eq!(rows(&lab, GOLD, &["orders"]).len(), 3);
    let as_text = [name, COUNTRY, "name: people, logicalType: string"];
    check(&as_text, "column `people` of table `silver/places/cities` is", 10);
    let with_mayor = [name, COUNTRY, "name: mayor, logicalType: string"];
    check(&with_mayor, "table `silver/places/cities` has no column `mayor`", 11);
}

#[test]
fn check_refuses_inputs_that_cannot_be_read() {
    let check = |from: &str, to: &str, says: &[&str]| {
        let lab = lab();
        lab.edit_pipeline("pipeline.yaml", from, to);
        let run = checked(&lab);
        assert_says(&run.expect_code(1).stdout, says, to);
    };
    let own = "silver.orders JOIN silver.places.cities";
    check(
        INPUT,
        "{ table: bronze/places/cities, contract: contracts/cities.yaml }",
        &["bronze/places/cities cannot be read"],
    );
    check(INPUT, "{ table: silver/sales/orders, contract: contracts/orders.yaml }", &["is a table of this pipeline"]);
    check(INPUT, &format!("{INPUT}\n  - {INPUT}"), &["silver/places/cities is named twice"]);
    check(INPUT, "{ table: silver/places/cities }", &["contract"]);
    check(INPUT, "{ table: places.cities, contract: contracts/cities.yaml }", &["<layer>/<domain>/<table>"]);
    check(
        own,
        "silver.orders JOIN silver.orders AS cities",
        &["no gold table reads silver/places/cities", "silver.places.cities"],
    );
    check(own, "silver.orders JOIN silver.places.towns", &["sql reads silver.places.towns", "`inputs`"]);
    check(own, "silver.orders JOIN places.cities", &["table 'places.cities'", "silver.<domain>.<table>"]);
    check("SELECT cities.country,", "SELECT cities.people,", &["people"]);
}

#[test]
fn check_compares_inputs_with_the_pipelines_of_the_folders_next_to_it() {
    let lab = lab();
    let ok = checked(&lab).expect_code(0);
    assert!(!ok.stdout.contains("no pipeline in"), "{ok}");
    write(
        &lab,
        "retail",
        "contracts/cities.yaml",
        &contract("cities", &["name: name, logicalType: string", COUNTRY, "name: people, logicalType: string"], &[]),
    );
    let run = checked(&lab).expect_code(1);
    assert_says(
        &run.stdout,
        &["column `people` of table `silver/places/cities` is", "pipeline `places`"],
        "another type",
    );

    fs::remove_dir_all(lab.folder().join("pipelines/places")).unwrap();
    let run = checked(&lab).expect_code(0);
    assert_says(&run.stdout, &["no pipeline in", "writes silver/places/cities"], "nobody writes it");
}

#[test]
fn gold_that_reads_itself_through_another_pipeline_is_refused() {
    let lab = lab();
    lab.edit_pipeline(
        "pipeline.yaml",
        "inputs:\n",
        "inputs:\n  - { table: gold/reports/shares, contract: contracts/shares.yaml }\n",
    );
    lab.edit_pipeline(
        "pipeline.yaml",
        "silver.orders JOIN",
        "gold.reports.shares AS s JOIN silver.orders ON s.country = orders.name JOIN",
    );
    let shares = fs::read_to_string(lab.folder().join("pipelines/reports/contracts/shares.yaml")).unwrap();
    write(&lab, "retail", "contracts/shares.yaml", &shares);
    let says = ["in a circle: gold/reports/shares, gold/sales/by_country"];
    assert_says(&checked(&lab).expect_code(1).stdout, &says, "check");
    deliver(&lab, "places", "1.csv", "name,country,people\nUlm,DE,120000\n");
    assert_says(&run(&lab, "places", &["--with-downstream"]).expect_code(1).stdout, &says, "run");
    assert!(!Path::new(&lab.lake().join("silver")).exists(), "nothing ran");
}
