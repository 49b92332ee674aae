//! Values about the origin of a row, helper columns, and names of columns in another case.

use sluice_core::run::Outcome;
use sluice_lake::inspect;
use sluice_tests::content::{assert_same, wait};
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{
    BRONZE, ORDERS, Python, QUARANTINE, SILVER, Steps, assert_says, contract, held_by, lab, land, land_at, orders_with,
    rows,
};

const SPEC: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: FORMAT, null_words: [NA] }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns:
      id: id
      day: _source_file.folder.dt
      shop: _source_file.folder['shop name']
      country: { from: '_source_file.folder[-3]' }
      file: _source_file.name
      position: _source_row
      modified: _source_modified_at
      modified_on: _source_modified_at
      taken_in: _ingested_at
      run: _run_id
    mode: append
    gate: { quarantined_percent_below: none }
";
const COLUMNS: [&str; 10] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: day, logicalType: date, required: true",
    "name: shop, logicalType: string",
    "name: country, logicalType: string",
    "name: file, logicalType: string",
    "name: position, logicalType: integer, physicalType: INT",
    // The format is that of texts: an instant does not need it.
    "name: modified, logicalType: timestamp, logicalTypeOptions: { format: 'yyyy/MM/dd HH:mm:ss' }",
    "name: modified_on, logicalType: date",
    "name: taken_in, logicalType: timestamp",
    "name: run, logicalType: string",
];
const SHOWN: [&str; 10] =
    ["id", "day", "shop", "country", "file", "position", "modified", "modified_on", "taken_in", "run"];
/// As Hive names a folder whose key has a blank and whose value has a letter of another alphabet.
const FOLDER: &str = "NA/dt=2026-01-05/shop%20name=K%C3%B6ln";

fn delivery(spec: &str, format: &str) -> Lab {
    lab(&spec.replace("FORMAT", format), &[("orders", contract("orders", &COLUMNS, &[]))])
}

/// A record of each of these numbers.
fn records(format: &str, ids: &[u32]) -> String {
    let json = ids.iter().map(|id| format!("{{\"id\":{id}}}"));
    match format {
        "csv" => ids.iter().fold("id\n".to_owned(), |text, id| format!("{text}{id}\n")),
        "ndjson" => json.map(|line| line + "\n").collect(),
        _ => format!("[{}]", json.collect::<Vec<_>>().join(",")),
    }
}

fn expected(id: u32, position: u32) -> String {
    format!("{id}|2026-01-05|Köln|NA|day one|{position}|2026-01-05T08:00:07Z|2026-01-05|2026-01-05T00:01:00Z|run-0001")
}

fn replay(lab: &Lab) -> Run {
    Run::of(lab.replay_command(lab.lake()))
}

#[test]
fn the_origin_of_a_row_is_read_in_every_format() {
    for format in ["csv", "ndjson", "json"] {
        let lab = delivery(SPEC, format);
        land_at(&lab, format!("{FOLDER}/day one"), records(format, &[5, 6]), 7);
        let _ = Steps::new(&lab).run().expect("a new object");
        assert_eq!(rows(&lab, SILVER, &SHOWN), [expected(5, 1), expected(6, 2)], "{format}");
    }
}

#[test]
fn the_origin_of_rows_of_parquet_is_read() {
    let Some(python) = Python::or_skip("modes::file_values::the_origin_of_rows_of_parquet_is_read") else { return };
    let lab = delivery(SPEC, "parquet");
    let path = land(&lab, format!("{FOLDER}/day one"), "");
    let text =
        format!("import pyarrow as pa, pyarrow.parquet as pq\npq.write_table(pa.table({{'id': [5]}}), {path:?})");
    python.run(&text);
    let bytes = std::fs::read(path).unwrap();
    land_at(&lab, format!("{FOLDER}/day one"), bytes, 7);
    let _ = Steps::new(&lab).run().expect("a new object");
    assert_eq!(rows(&lab, SILVER, &SHOWN), [expected(5, 1)]);
}

/// Another run takes the rows in, at another time.
#[test]
fn rows_of_bronze_keep_the_origin_that_they_had() {
    let lab = delivery(SPEC, "csv");
    land_at(&lab, format!("{FOLDER}/day one"), records("csv", &[5, 6]), 7);
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().expect("bronze has rows that silver lacks");
    assert_eq!(rows(&lab, SILVER, &SHOWN), [expected(5, 1), expected(6, 2)]);
}

#[test]
fn a_folder_that_cannot_be_read_costs_its_rows_which_keep_their_origin_when_replayed() {
    let lab = delivery(SPEC, "csv");
    land_at(&lab, format!("{FOLDER}/day one"), records("csv", &[1]), 7);
    land_at(&lab, "NA/dt=05.01.2026/shop%20name=K%C3%B6ln/day one", records("csv", &[5, 6]), 7);
    land_at(&lab, "NA/none/shop%20name=K%C3%B6ln/other", records("csv", &[7]), 7);
    let _ = Steps::new(&lab).run().expect("new objects");
    assert_eq!(rows(&lab, SILVER, &SHOWN), [expected(1, 1)]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_raw", "_broken_rules"]);
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert_says(&refused[0], &["1|", "day.readable", "05.01.2026"], "a day that is written otherwise");
    assert_says(&refused[1], &["1|", "\"id\":\"7\"", "day.required"], "no such folder");

    let by_format = "{ from: _source_file.folder.dt, formats: ['%d.%m.%Y'] }";
    lab.edit_pipeline("pipeline.yaml", "_source_file.folder.dt", by_format);
    let run = replay(&lab).expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), [expected(1, 1), expected(5, 1), expected(6, 2)], "{run}");
    assert_eq!(rows(&lab, QUARANTINE, &["_broken_rules"]).len(), 1, "{run}");
}

#[test]
fn a_run_in_parts_reads_the_same_origin() {
    let deliver = |lab: &Lab| {
        let pad = " ".repeat(700_000);
        for id in 0..3_u32 {
            land_at(lab, format!("{FOLDER}/{id}"), format!("[{{\"id\":{id}}}]{pad}"), u64::from(id));
        }
    };
    let whole = delivery(SPEC, "json");
    deliver(&whole);
    let _ = Steps::new(&whole).run().expect("a run");
    let cut = delivery(&format!("{SPEC}parts: {{ size_mb: 1 }}\n"), "json");
    deliver(&cut);
    let steps = Steps::new(&cut);
    let plan = steps.validate().unwrap();
    assert!(plan.cuts.count() > 1, "{:?}", plan.engine);
    for part in plan.cuts.numbers() {
        let _ = steps.read_part(&plan.run, part).unwrap();
    }
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&cut, SILVER, &["file", "shop"]), ["0|Köln", "1|Köln", "2|Köln"]);
    assert_same(&whole.content(), &cut.content(), "in parts");
}

/// Orders whose total is computed from columns that are not stored.
const HELPERS: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: FORMAT }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns:
      id: id
      price: { from: Preis, type: 'DECIMAL(10,2)', decimal: ',' }
      pieces: { from: pieces, type: integer }
      note: note
      file_name: _source_file.name
    sql: SELECT id, price * pieces AS total, file_name || '/' || note AS note FROM bronze
    mode: append
    gate: { quarantined_percent_below: none }
";

fn totals(spec: &str, format: &str, more_of_total: &str) -> Lab {
    let total = format!("name: total, logicalType: number, physicalType: 'DECIMAL(18,2)'{more_of_total}");
    let columns = [
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        total.as_str(),
        "name: note, logicalType: string",
    ];
    lab(&spec.replace("FORMAT", format), &[("orders", contract("orders", &columns, &[]))])
}

#[test]
fn helpers_are_read_by_the_sql_and_not_stored() {
    let csv = "id,Preis,pieces,note\n1,\"1,50\",2,x\n2,k.A.,1,y\n3,\"2,00\",1.5,z\n4,,,\n";
    let ndjson = "{\"id\":1,\"Preis\":\"1,50\",\"pieces\":2,\"note\":\"x\"}\n{\"id\":2,\"Preis\":\"k.A.\",\"pieces\":1,\
                  \"note\":\"y\"}\n{\"id\":3,\"Preis\":\"2,00\",\"pieces\":1.5,\"note\":\"z\"}\n{\"id\":4}\n";
    for (format, file) in [("csv", csv), ("ndjson", ndjson)] {
        let lab = totals(HELPERS, format, "");
        land(&lab, "a", file);
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id", "total", "note"]), ["1|3.00|a/x", "4|NULL|NULL"], "{format}: {run}");
        let (table, helpers) = (SILVER.parse().unwrap(), ["price", "pieces", "file_name"]);
        let head = wait(inspect::head(&lab.open(), &table, None, 1)).unwrap();
        assert!(!head.columns.iter().any(|name| helpers.contains(&name.as_str())), "{:?}", head.columns);
        let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert_says(&refused[0], &["2|", "price.readable", "k.A."], format);
        assert_says(&refused[1], &["3|", "pieces.readable", "1.5"], format);

        lab.edit_pipeline("pipeline.yaml", "decimal: ','", "decimal: ',', null_words: [k.A.]");
        let _ = replay(&lab).expect(Outcome::Published);
        let found = rows(&lab, SILVER, &["id", "total", "note"]);
        assert_eq!(found, ["1|3.00|a/x", "2|NULL|a/y", "4|NULL|NULL"], "{format}: replayed");
    }
}

#[test]
fn a_helper_that_cannot_be_read_breaks_no_rule_of_the_column_that_is_computed_from_it() {
    let rule = "{ metric: missingValues, arguments: { missingValues: [0] }, mustBe: 0 }";
    let lab = totals(HELPERS, "csv", &format!(", required: true, quality: [{rule}]"));
    land(&lab, "a", "id,Preis,pieces,note\n1,\"1,50\",2,x\n2,k.A.,1,y\n3,,1,z\n4,0,1,z\n");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "total"]), ["1|3.00"], "{run}");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_says(&refused[0], &["2|", "price.readable", "k.A."], "a text that is no price");
    assert!(!refused[0].contains("total"), "{}", refused[0]);
    assert_says(&refused[1], &["3|", "total.required"], "no price");
    assert_says(&refused[2], &["4|", "total", "0.00"], "a price that counts as missing");
    assert!(!format!("{refused:?}").contains("price.required"), "{refused:?}");
}

#[test]
fn an_object_without_the_column_that_a_required_value_is_computed_from_is_held() {
    let lab = totals(HELPERS, "csv", ", required: true");
    land(&lab, "a", "id,pieces,note,Preis\n1,2,x,1\n");
    land(&lab, "b", "id,Preis,pieces\n2,1,1\n");
    land(&lab, "c", "id,pieces,note\n3,2,x\n");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "total"]), ["1|2.00", "2|1.00"], "{run}");
    assert_says(&held_by(&run), &["/c' lacks column Preis; it has id, pieces, note"], "the price is part of the total");
}

#[test]
fn a_column_in_another_case_is_read_where_the_spec_says_so() {
    let csv = ["ID,Name,amount,DAY\n1,ann,1.50,2026-01-01\n2,bob,2.00,n/a\n", "id,name,amount,day\n3,eve,1,\n"];
    let ndjson = [
        "{\"ID\":1,\"Name\":\"ann\",\"amount\":1.50,\"DAY\":\"2026-01-01\"}\n\
         {\"ID\":2,\"Name\":\"bob\",\"amount\":2,\"DAY\":\"n/a\"}\n",
        "{\"id\":3,\"name\":\"eve\",\"amount\":1,\"day\":null}\n",
    ];
    for (format, [first, second]) in [("csv", csv), ("ndjson", ndjson)] {
        let spec = ORDERS.replace("format: csv", &format!("format: {format}"));
        let lab = orders_with(&spec);
        land(&lab, "a", first);
        let run = lab.run().expect(Outcome::Rejected);
        assert_says(&held_by(&run), &["`ID`", "`id`"], format);

        let lab = orders_with(&spec.replace("prefix:", "column_case: ignore, prefix:"));
        land(&lab, "a", first);
        let run = lab.run().expect(Outcome::Published);
        let shown = ["id", "name", "amount", "day"];
        assert_eq!(rows(&lab, SILVER, &shown), ["1|ann|1.50|2026-01-01"], "{format}: {run}");
        let refused = rows(&lab, QUARANTINE, &["_broken_rules", "_raw"]);
        assert_says(&refused[0], &["day.readable", "n/a", "\"day\":", "\"name\":"], format);
        assert_eq!(rows(&lab, BRONZE, &["Name"]), ["ann", "bob"], "{format}: bronze has the name of the file");

        lab.edit_pipeline("pipeline.yaml", "day: day }", "day: { from: day, null_words: [n/a] } }");
        let run = replay(&lab).expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &shown)[1..], ["2|bob|2.00|NULL"], "{format}: {run}");
        land(&lab, "b", second);
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|ann", "2|bob", "3|eve"], "{format}: {run}");
    }
}

/// Quarantine has the rows under the names that the spec had when they were refused.
#[test]
fn quarantined_rows_are_read_in_another_case_when_the_spec_has_it_later() {
    let csv = "id,Name,amount,DAY\n1,ann,1.50,2026-01-01\n2,bob,2.00,n/a\n3,eve,x,n/a\n";
    let ndjson = "{\"id\":1,\"Name\":\"ann\",\"amount\":1.50,\"DAY\":\"2026-01-01\"}\n\
                  {\"id\":2,\"Name\":\"bob\",\"amount\":2.00,\"DAY\":\"n/a\"}\n\
                  {\"id\":3,\"Name\":\"eve\",\"amount\":\"x\",\"DAY\":\"n/a\"}\n";
    for (format, file) in [("csv", csv), ("ndjson", ndjson)] {
        let spec = ORDERS.replace("format: csv", &format!("format: {format}"));
        let lab =
            orders_with(&spec.replace("name: name, amount: amount, day: day", "name: Name, amount: amount, day: DAY"));
        land(&lab, "a", file);
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &["id"]), ["1"], "{format}: {run}");
        let raw = rows(&lab, QUARANTINE, &["_source_row", "_raw"]);
        assert_says(&raw[1], &["\"Name\":\"eve\"", "\"DAY\":\"n/a\""], format);

        lab.edit_pipeline("pipeline.yaml", "name: Name", "name: name");
        lab.edit_pipeline("pipeline.yaml", "day: DAY", "day: { from: day, null_words: [n/a] }");
        lab.edit_pipeline("pipeline.yaml", "prefix:", "column_case: ignore, prefix:");
        let run = replay(&lab).expect(Outcome::Published);
        let found = rows(&lab, SILVER, &["id", "name", "amount", "day"]);
        assert_eq!(found, ["1|ann|1.50|2026-01-01", "2|bob|2.00|NULL"], "{format}: {run}");
        assert_eq!(rows(&lab, QUARANTINE, &["_source_row", "_raw"]), raw[1..], "{format}: letter by letter");
        let broken = rows(&lab, QUARANTINE, &["_broken_rules"]);
        assert!(broken[0].contains("amount.readable") && !broken[0].contains("day"), "{format}: {broken:?}");
    }
}

#[test]
fn names_by_position_are_read_in_another_case() {
    let check = |options: &str, columns: &str| {
        let source = format!("format: csv, column_case: ignore, csv: {{ header: absent{options} }}");
        let spec = ORDERS.replace("format: csv", &source);
        let lab = orders_with(&spec.replace("id: id, name: name, amount: amount, day: day", columns));
        land(&lab, "a", "1,ann,1.50,2026-01-01\n");
        let mut checks = lab.command(["check"]);
        checks.arg(lab.pipeline());
        let _ = Run::of(checks).expect_code(0);
        let run = lab.run().expect(Outcome::Published);
        let found = rows(&lab, SILVER, &["id", "name", "amount", "day"]);
        assert_eq!(found, ["1|ann|1.50|2026-01-01"], "{columns}: {run}");
    };
    check(", names: [ID, Name, AMOUNT, day]", "id: id, name: name, amount: amount, day: day");
    check("", "id: column_1, name: Column_2, amount: COLUMN_3, day: column_4");
}

#[test]
fn a_header_with_a_name_in_two_cases_is_refused_all_the_same() {
    let lab = orders_with(&ORDERS.replace("format: csv", "format: csv, column_case: ignore"));
    land(&lab, "a", "id,ID,name,amount,day\n1,2,a,1,\n");
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["`ID`", "repeats"], "csv");
}

/// Records of one file are as those of several: only one that has both spellings is no row.
#[test]
fn records_that_write_a_key_in_two_cases_share_its_column() {
    let record = |id: u32, more: &str| format!(r#"{{"id":{id},"name":"a","amount":1,"day":null{more}}}"#);
    let records = [
        record(1, r#","Extra":"x""#),
        record(2, r#","extra":"y""#),
        record(3, r#","extra":1,"EXTRA":2"#),
        record(4, ""),
    ];
    for format in ["ndjson", "json"] {
        for case in ["exact", "ignore"] {
            let when = format!("{format}, {case}");
            let lab = orders_with(&ORDERS.replace("format: csv", &format!("format: {format}, column_case: {case}")));
            land(&lab, "a", records.join("\n"));
            let run = lab.run().expect(Outcome::Published);
            assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2", "4"], "{when}: {run}");
            assert_eq!(rows(&lab, BRONZE, &["id", "Extra"]), ["1|x", "2|y", "4|NULL", "NULL|NULL"], "{when}");
            let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
            assert_eq!(refused.len(), 1, "{when}: {refused:?}");
            assert_says(&refused[0], &["3|", "corrupt_record", "'extra' and 'EXTRA'", "one column"], &when);
        }
    }
}

/// What is read does not depend on which spelling comes first.
#[test]
fn a_mapped_key_in_two_cases_is_one_column_where_case_does_not_count_and_refused_where_it_does() {
    let (mapped, other) =
        (r#"{"id":1,"name":"a","amount":1,"day":null}"#, r#"{"ID":2,"Name":"b","amount":2,"day":null}"#);
    let both = r#"{"id":3,"ID":4,"name":"c","amount":3,"day":null}"#;
    for format in ["ndjson", "json"] {
        for records in [[mapped, other, both], [other, both, mapped], [both, mapped, other]] {
            let file = records.join("\n");
            let spec = |case: &str| ORDERS.replace("format: csv", &format!("format: {format}, column_case: {case}"));
            let lab = orders_with(&spec("ignore"));
            land(&lab, "a", &file);
            let run = lab.run().expect(Outcome::Published);
            assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|a", "2|b"], "{file}: {run}");
            let refused = rows(&lab, QUARANTINE, &["_broken_rules"]);
            assert_eq!(refused.len(), 1, "{file}: {refused:?}");
            assert_says(&refused[0], &["corrupt_record", "'id' and 'ID'"], &file);

            let lab = orders_with(&spec("exact"));
            land(&lab, "a", &file);
            let run = lab.run().expect(Outcome::Rejected);
            assert_says(&held_by(&run), &["where the pipeline reads", "column_case: ignore"], &file);
        }
    }
}

#[test]
fn rows_of_bronze_are_read_in_another_case() {
    let lab = orders_with(&ORDERS.replace("prefix:", "column_case: ignore, prefix:"));
    land(&lab, "a.csv", "ID,NAME,amount,day\n1,ann,1.50,\n");
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().expect("bronze has rows that silver lacks");
    assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|ann|1.50"]);
}
