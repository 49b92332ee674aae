//! `sluice profile`: what is in files and tables, and what has changed in them.

use std::fs;

use apache_avro::Codec;
use apache_avro::types::Value as Avro;
use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::modes::avro_file;
use crate::small::{QUARANTINE, SILVER, assert_says, land, land_at, orders};
use crate::workbook::Workbook;

/// `sluice profile` with these words, in the folder of the lab.
fn profile(lab: &Lab, words: &[&str]) -> Run {
    let mut command = lab.command(["profile"]);
    command.args(words);
    Run::of(command)
}

fn column<'p>(page: &'p Value, name: &str) -> &'p Value {
    let columns = page["columns"].as_array().unwrap();
    columns.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no {name}: {page:#}"))
}

#[test]
fn a_file_is_described_column_by_column() {
    let lab = Lab::new();
    land(&lab, "a.csv", "Nr;Betrag;Art\n1;1.299,50;AB-1\n2;NA;AB-2\n10;-0,25;\n10;7,00;x\n");
    let page: Value = profile(&lab, &["landing/a.csv", "--json"]).expect_code(0).page();
    assert_eq!((&page["rows"], &page["corrupt"], &page["of"]), (&json!(4), &json!(0), &json!("landing/a.csv")));
    assert_eq!(page["source"]["format"], "csv");
    let amount = column(&page, "Betrag");
    assert_eq!(amount["column_type"], json!({"decimal": {"precision": 18, "scale": 2}}));
    assert_eq!((&amount["nulls"], &amount["null_words"]), (&json!(1), &json!(1)), "{amount:#}");
    assert_eq!((&amount["least"], &amount["greatest"]), (&json!("-0.25"), &json!("1299.50")), "{amount:#}");
    let number = column(&page, "Nr");
    assert_eq!((&number["distinct"], &number["distinct_is_exact"]), (&json!(3), &json!(true)), "{number:#}");
    assert_eq!(number["top"][0], json!({"value": "10", "count": 2}));
    let kind = column(&page, "Art");
    assert_eq!(kind["patterns"][0], json!({"value": "AA-9", "count": 2}));
    assert_eq!(kind["lengths"], json!({"least": 1, "greatest": 4, "mean": 3.0}));
}

#[test]
fn every_format_and_packing_is_profiled() {
    let lab = Lab::new();
    let packed = zstd::encode_all(&b"id,n\n1,x\n2,\n"[..], 1).unwrap();
    let check = |name: &str, bytes: &[u8]| {
        land(&lab, name, bytes);
        let page: Value = profile(&lab, &[format!("landing/{name}").as_str(), "--json"]).expect_code(0).page();
        assert_eq!(page["rows"], 2, "{name}: {page:#}");
        let (id, n) = (column(&page, "id"), column(&page, "n"));
        assert_eq!((&id["column_type"], &id["greatest"]), (&json!("int64"), &json!("2")), "{name}: {page:#}");
        assert_eq!((&n["nulls"], &n["distinct"]), (&json!(1), &json!(1)), "{name}: {page:#}");
    };
    check("a.csv", b"id,n\n1,x\n2,\n");
    check("a.csv.zst", &packed);
    check("a.ndjson", b"{\"id\":1,\"n\":\"x\"}\n{\"id\":2}\n");
    check("a.json", b"{\"items\":[{\"id\":1,\"n\":\"x\"},{\"id\":2,\"n\":null}]}");
    check("a.xml", b"<r><o><id>1</id><n>x</n></o><o><id>2</id></o></r>");
    check("a.xlsx", &Workbook::of_cells(&[&["id", "n"], &["1", "x"], &["2"]]).bytes());
    let fields = r#"{"name": "id", "type": "int"}, {"name": "n", "type": ["null", "string"]}"#;
    let first = [("id", Avro::Int(1)), ("n", Avro::Union(1, Box::new(Avro::String("x".to_owned()))))];
    let second = [("id", Avro::Int(2)), ("n", Avro::Union(0, Box::new(Avro::Null)))];
    check("a.avro", &avro_file(fields, Codec::Null, &[&first, &second]));
}

#[test]
fn people_see_a_block_for_each_of_a_few_columns_and_a_line_for_each_of_many() {
    let lab = Lab::new();
    land(&lab, "few.csv", format!("id,it's\n1,\u{1b}[31mred\n2,{}\n", "b".repeat(60)));
    let run = profile(&lab, &["landing/few.csv"]).expect_code(0);
    assert_says(&run.stdout, &["2 rows, 2 columns", "it's  STRING", "smallest", "patterns", "each once"], "few");
    assert!(!run.stdout.contains('\u{1b}') && run.stdout.contains("\\u{1b}[31mred"), "{run}");
    let header: Vec<String> = (0..40).map(|column| format!("c{column}")).collect();
    land(&lab, "many.csv", format!("{}\n{}\n", header.join(","), ["7"; 40].join(",")));
    let run = profile(&lab, &["landing/many.csv"]).expect_code(0);
    assert_says(&run.stdout, &["most frequent", "c39", "--columns NAME"], "many");
    assert!(!run.stdout.contains("patterns  "), "{run}");
    let run = profile(&lab, &["landing/many.csv", "--columns", "c3,c7"]).expect_code(0);
    assert_says(&run.stdout, &["1 row, 2 columns", "c3  BIGINT", "c7  BIGINT", "patterns"], "chosen");
}

#[test]
fn tables_are_profiled_at_any_version_and_compared_with_an_earlier_one() {
    let lab = orders();
    land_at(
        &lab,
        "1.csv",
        "id,name,amount,day\n1,a,1.50,2026-01-05\n2,b,2.50,2026-01-05\n3,a,3,2026-01-06\nx,a,1,\n",
        1,
    );
    let _ = lab.run().expect(Outcome::Published);
    let page: Value = lab.sluice(&["profile", SILVER]).expect_code(0).page();
    assert_eq!((&page["rows"], &page["table_version"]), (&json!(3), &json!(0)), "{page:#}");
    let amount = column(&page, "amount");
    assert_eq!(amount["column_type"], json!({"decimal": {"precision": 10, "scale": 2}}));
    assert_eq!((&amount["least"], &amount["greatest"]), (&json!("1.50"), &json!("3.00")), "{amount:#}");
    assert_eq!(column(&page, "day")["greatest"], "2026-01-06");
    let waiting: Value = lab.sluice(&["profile", QUARANTINE]).expect_code(0).page();
    assert_eq!(waiting["rows"], 1, "{waiting:#}");

    land_at(&lab, "2.csv", "id,name,amount,day\n4,c,900,2026-01-07\n5,c,2,\n6,a,2,\n", 2);
    let _ = lab.run().expect(Outcome::Published);
    let page: Value = lab.sluice(&["profile", SILVER, "--against", "0"]).expect_code(0).page();
    let changed = |column: &str, kind: &str| {
        let changes = page["changes"].as_array().unwrap();
        changes.iter().any(|change| change["column"] == column && change["kind"] == kind)
    };
    assert!(changed("name", "new_values") && changed("amount", "range") && changed("day", "nulls"), "{page:#}");
    assert!(!changed("day", "range") && !changed("id", "new_values"), "{page:#}");
    let page: Value = lab.sluice(&["profile", SILVER, "--version", "0", "--against", "0"]).expect_code(0).page();
    assert_eq!(page["changes"], json!([]));
}

#[test]
fn a_file_is_compared_with_the_profile_of_an_earlier_one() {
    let lab = Lab::new();
    land(&lab, "1.csv", "id,state,old\n1,open,x\n2,done,y\n3,open,z\n");
    land(&lab, "2.csv", "id,state,new\n1,open,5\n2,lost,6\n3,open,7\n");
    let earlier = profile(&lab, &["landing/1.csv", "--json"]).expect_code(0).stdout;
    fs::write(lab.folder().join("earlier.json"), earlier).unwrap();
    let run = profile(&lab, &["landing/2.csv", "--against", "earlier.json"]).expect_code(0);
    let says = ["new values: `lost`", "no longer occur: `done`", "a new column of type BIGINT", "no longer exists"];
    assert_says(&run.stdout, &says, "the changes");
    let run = profile(&lab, &["landing/2.csv", "--against", "earlier.json", "--columns", "id"]).expect_code(0);
    assert_says(&run.stdout, &["nothing of note has changed since landing/1.csv"], "one column");
}

#[test]
fn wrong_use_is_named_with_the_fix() {
    let lab = orders();
    land(&lab, "a.csv", "id,name,amount,day\n1,a,1.50,2026-01-05\n");
    let _ = lab.run().expect(Outcome::Published);
    let lake = lab.lake().display().to_string();
    let check = |words: &[&str], code: i32, says: &[&str]| {
        let run = profile(&lab, words).expect_code(code);
        assert_says(&run.stderr, says, &words.join(" "));
    };
    check(&["missing.csv"], 2, &["missing.csv does not exist"]);
    check(&["landing"], 2, &["landing is a folder"]);
    check(&["landing/a.csv", "--columns", "id,x"], 2, &["has no column `x`; it has id, name, amount, day"]);
    check(&["landing/a.csv", "--version", "1"], 2, &["files have no versions"]);
    check(&["landing/a.csv", "--against", "missing.json"], 2, &["missing.json does not exist"]);
    check(&["landing/a.csv", "--against", "landing/a.csv"], 2, &["is not a profile"]);
    check(&[SILVER], 2, &["no lake was given", "--lake"]);
    check(&[SILVER, "--lake", &lake, "--columns", "x"], 2, &["has no column `x`"]);
    check(&[SILVER, "--lake", &lake, "--version", "99"], 2, &["has no version 99"]);
    check(&["silver/sales/other", "--lake", &lake], 2, &["does not exist", "sluice table list"]);
    land(&lab, "empty.csv", "");
    check(&["landing/empty.csv"], 1, &["is empty"]);
}
