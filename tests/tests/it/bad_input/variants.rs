//! Valid ways to write a file that look wrong: every one gives the same rows.

use sluice_core::run::Outcome;

use super::{HEADER, gzip, row_counts};
use crate::small::{BRONZE, QUARANTINE, SILVER, land, orders, orders_with, rows};

/// The file to which all variants are equivalent.
const PLAIN: &str = "id,name,amount,day\n1,ann,1.50,2026-01-01\n2,\"b, \"\"c\"\"\",-2.00,\n";
/// Its rows in silver.
const ROWS: [&str; 2] = ["1|ann|1.50|2026-01-01|1", "2|b, \"c\"|-2.00|NULL|2"];

fn variants() -> Vec<(&'static str, Vec<u8>)> {
    let reordered = "day,amount,name,id\n2026-01-01,1.50,ann,1\n,-2.00,\"b, \"\"c\"\"\",2\n";
    let extra = "id,name,colour,amount,day,Größe\n1,ann,red,1.50,2026-01-01,9\n2,\"b, \"\"c\"\"\",,-2.00,,\n";
    let quoted = "\"id\",\"name\",\"amount\",\"day\"\n\"1\",\"ann\",\"1.50\",\"2026-01-01\"\n\"2\",\"b, \"\"c\"\"\",\"-2.00\",\n";
    let crlf = PLAIN.replace('\n', "\r\n");
    let text = |text: &str| text.as_bytes().to_vec();
    let members = [gzip(&PLAIN[..30]), gzip(&PLAIN[30..])].concat();
    vec![
        ("plain.csv", text(PLAIN)),
        ("bom.csv", text(&format!("\u{feff}{PLAIN}"))),
        ("bom-crlf.csv", text(&format!("\u{feff}{crlf}"))),
        ("crlf.csv", text(&crlf)),
        ("mixed-ends.csv", text(&PLAIN.replacen('\n', "\r\n", 1))),
        ("no-last-end.csv", text(PLAIN.trim_end())),
        ("blank-lines.csv", text(&format!("\n{}\n\n", PLAIN.replace('\n', "\n\n")))),
        ("reordered.csv", text(reordered)),
        ("extra-columns.csv", text(extra)),
        ("all-quoted.csv", text(quoted)),
        ("spaced-header.csv", text(&PLAIN.replace("id,name,amount,day", " id , name, amount ,day"))),
        ("packed.csv.gz", gzip(PLAIN)),
        ("packed-bom.csv.gz", gzip(format!("\u{feff}{PLAIN}"))),
        ("packed-under-a-plain-name.csv", gzip(PLAIN)),
        ("packed-in-two.csv.gz", members),
        ("packed.csv.zst", zstd::encode_all(PLAIN.as_bytes(), 3).unwrap()),
        ("plain-under-a-packed-name.csv.gz", text(PLAIN)),
    ]
}

#[test]
fn every_variant_gives_the_same_rows() {
    let lab = orders();
    let variants = variants();
    for (name, bytes) in &variants {
        land(&lab, name, bytes);
    }
    let run = lab.run().expect(Outcome::Published);
    let silver = rows(&lab, SILVER, &["_source_file", "id", "name", "amount", "day", "_source_row"]);
    for (name, _) in &variants {
        let mark = format!("/{name}|");
        let of_file: Vec<&str> = silver.iter().filter_map(|row| row.split_once(&mark)).map(|(_, row)| row).collect();
        assert_eq!(of_file, ROWS, "{name}: {run}");
    }
    assert_eq!(silver.len(), 2 * variants.len());
    assert!(!lab.tables().contains_key(QUARANTINE));
    // Bronze also keeps columns that the contract does not have.
    let extra = rows(&lab, BRONZE, &["_source_file", "colour", "Größe"]);
    assert!(extra.iter().any(|row| row.ends_with("extra-columns.csv|red|9")), "{extra:?}");
    assert!(extra.iter().any(|row| row.ends_with("plain.csv|NULL|NULL")), "{extra:?}");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn delimiter_and_quote_can_be_set_in_the_spec() {
    let spec = crate::small::ORDERS.replace("format: csv", "format: csv, csv: { delimiter: ';', quote: \"'\" }");
    let lab = orders_with(&spec);
    land(&lab, "a.csv", "id;name;amount;day\n1;'a;\"b''c';1.50;2026-01-01\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "amount"]), ["1|a;\"b'c|1.50"]);
}

#[test]
fn quoted_line_ends_stay_in_their_field() {
    let lab = orders();
    let mut file = HEADER.to_owned();
    let mut expected = Vec::new();
    for id in 0..2_000 {
        let name = format!("first {id}\nsecond,{id}\r\n\nlast \"{id}\"");
        file.push_str(&format!("{id},\"{}\",1.00,2026-01-01\n", name.replace('"', "\"\"")));
        expected.push(format!("{id}|{name}|{}", id + 1));
    }
    expected.sort_unstable();
    land(&lab, "a.csv", &file);
    land(&lab, "b.csv.gz", gzip(file.replace("2026-01-01", "2026-01-02")));
    let _ = lab.run().expect(Outcome::Published);
    for day in ["2026-01-01", "2026-01-02"] {
        let of_day: Vec<String> = rows(&lab, SILVER, &["day", "id", "name", "_source_row"])
            .iter()
            .filter_map(|row| row.strip_prefix(day))
            .map(|row| row[1..].to_owned())
            .collect();
        assert_eq!(of_day, expected, "{day}");
    }
}

#[test]
fn a_header_alone_is_a_day_without_orders() {
    let lab = orders();
    land(&lab, "a.csv", HEADER);
    let first = lab.run().expect(Outcome::Published);
    assert_eq!(row_counts(&lab).values().sum::<u64>(), 0, "{first}");
    let _ = lab.run().expect(Outcome::Skipped);
    land(&lab, "b.csv", super::good_file(0));
    let _ = lab.run().expect(Outcome::Published);
    let before = lab.content();
    land(&lab, "c.csv", HEADER.trim_end());
    land(&lab, "d.csv.gz", gzip(format!("\u{feff}{}", HEADER.replace('\n', "\r\n"))));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(lab.content(), before, "no row was added or removed");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_rule_on_the_table_stops_a_header_alone() {
    let contract = |rules: &[&str]| crate::small::contract("orders", &crate::small::ORDER_COLUMNS, rules);
    let totals = crate::small::contract("totals", &crate::small::TOTAL_COLUMNS, &[]);
    let rule = "id: not_empty, metric: rowCount, mustBeGreaterThan: 0";
    let lab = crate::small::lab(crate::small::ORDERS, &[("orders", contract(&[rule])), ("totals", totals)]);
    land(&lab, "a.csv", HEADER);
    let run = lab.run().expect(Outcome::Rejected);
    let broken = run.lines().pop().unwrap()["broken_rules"][0].clone();
    assert_eq!(broken["rule"], format!("{SILVER}: not_empty"), "{run}");
    assert_eq!((broken["observed"].as_str(), broken["expected"].as_str()), (Some("0"), Some("> 0")));
    assert_eq!(lab.tables().len(), 0);
}

#[test]
fn a_field_of_ten_megabytes_is_a_value_like_any_other() {
    const FIELD_BYTES: usize = 10_000_000;
    let lab = orders();
    let long = "é".repeat(FIELD_BYTES / 2);
    let digits = "9".repeat(FIELD_BYTES);
    let quoted = "line\n".repeat(FIELD_BYTES / 5);
    let file = format!(
        "{HEADER}1,{long},1.00,2026-01-01\n2,short,{digits},2026-01-01\n3,\"{quoted}\",1.00,2026-01-01\n4,x,1,2026-01-01,{digits}\n5,last,1.00,2026-01-01\n"
    );
    land(&lab, "a.csv", file);
    let _ = lab.run().expect(Outcome::Published);
    let names = rows(&lab, SILVER, &["id", "name"]);
    assert!(
        names == [format!("1|{long}"), format!("3|{quoted}"), "5|last".to_owned()],
        "long values are kept completely"
    );
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_raw"]);
    let places: Vec<&str> = refused.iter().map(|row| &row[..2]).collect();
    assert_eq!(places, ["2|", "4|"]);
    assert!(refused.iter().all(|row| row.contains(&digits)), "quarantined values are kept completely");
    for log in lab.log_files() {
        let size_bytes = std::fs::metadata(lab.lake().join(&log)).unwrap().len();
        assert!(size_bytes < 100_000, "{}: {size_bytes} bytes: statistics must cut long values", log.display());
    }
}
