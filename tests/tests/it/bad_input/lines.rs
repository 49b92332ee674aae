//! Records that cannot be read: quarantined with the rules they broke, their raw text and their position; the rest is published.

use serde_json::{Value, json};
use sluice_core::run::Outcome;

use super::HEADER;
use crate::small::{BRONZE, GOLD, QUARANTINE, SILVER, land, orders, rows};

/// A record that must be quarantined.
struct Quarantined {
    /// Name of its file, without the extension.
    name: &'static str,
    /// The record, without its line end.
    record: Vec<u8>,
    /// The rules it breaks, with the values that are shown.
    broken: &'static [(&'static str, Option<&'static str>)],
    /// Its raw text: unchanged if the record could not be split, otherwise JSON by source column.
    raw: &'static str,
}

fn quarantined(
    name: &'static str,
    record: impl Into<Vec<u8>>,
    broken: &'static [(&'static str, Option<&'static str>)],
    raw: &'static str,
) -> Quarantined {
    Quarantined { name, record: record.into(), broken, raw }
}

/// Delivers a file per case, each with a good record before and after the bad one, and runs once.
fn check(cases: &[Quarantined]) {
    let lab = orders();
    for (number, case) in cases.iter().enumerate() {
        let good = |id: usize| format!("{id},ann,1.00,2026-01-01\n").into_bytes();
        let file = [HEADER.as_bytes(), &good(2 * number), &case.record, b"\n", &good(2 * number + 1)].concat();
        land(&lab, format!("{}.csv", case.name), file);
    }
    let run = lab.run().expect(Outcome::Published);
    let (cases_read, good) = (cases.len(), 2 * cases.len());
    assert_eq!(rows(&lab, BRONZE, &["_source_row"]).len(), 3 * cases_read, "bronze has every record");
    assert_eq!(
        rows(&lab, SILVER, &["id", "name", "amount", "day"]).len(),
        good,
        "the good records are published: {run}"
    );
    assert_eq!(rows(&lab, GOLD, &["amount"]), [format!("{good}.00")], "and nothing else is aggregated");
    assert_eq!(rows(&lab, QUARANTINE, &["_raw"]).len(), cases_read);

    let page = lab.sluice(&["quarantine", "show", QUARANTINE, "--rows", "100"]).expect_code(0).lines();
    let reasons = rows(&lab, QUARANTINE, &["_source_file", "_source_row", "_broken_rules"]);
    for Quarantined { name, broken, raw, .. } in cases {
        let file = format!("/{name}.csv");
        let row = page.iter().find(|row| row["source_file"].as_str().unwrap().ends_with(&file));
        let row = row.unwrap_or_else(|| panic!("{name} is not in quarantine: {page:?}"));
        assert_eq!(row["source_row"], 2, "{name}: its place: {row}");
        let raw = match broken[0].0 {
            "corrupt_record" => json!({ "_corrupt_record": raw, "_corrupt_reason": broken[0].1 }).to_string(),
            _ => (*raw).to_owned(),
        };
        assert_eq!(row["raw"], raw, "{name}: its raw text");
        let rules: Vec<&str> = row["rules"].as_array().unwrap().iter().map(|rule| rule.as_str().unwrap()).collect();
        let expected: Vec<&str> = broken.iter().map(|(rule, _)| *rule).collect();
        assert_eq!(rules, expected, "{name}");
        let line = reasons.iter().find(|line| line.contains(&file)).unwrap();
        let list: Vec<Value> = serde_json::from_str(line.splitn(3, '|').nth(2).unwrap()).unwrap();
        let values: Vec<Option<&str>> = list.iter().map(|rule| rule["value"].as_str()).collect();
        let expected: Vec<Option<&str>> = broken.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, expected, "{name}: {list:?}");
    }
    let again = lab.run().expect(Outcome::Skipped);
    assert_eq!(again.times_entered("Process"), 0);
}

#[test]
fn records_that_cannot_be_split_are_quarantined() {
    // The header is line 1 and a good record line 2.
    macro_rules! corrupt {
        ($reason:literal) => {
            &[("corrupt_record", Some(concat!("line 3 (record 2) ", $reason)))]
        };
    }
    let one_field = corrupt!("has 1 field where the header has 4");
    let three_fields = corrupt!("has 3 fields where the header has 4");
    let five_fields = corrupt!("has 5 fields where the header has 4");
    let not_utf8 = corrupt!("is not UTF-8; deliver the file as UTF-8");
    let quote = corrupt!("has text after a closing quote; a quote inside a quoted field is written twice");
    check(&[
        quarantined("too-many", "7,x,1.00,2026-01-01,more", five_fields, "7,x,1.00,2026-01-01,more"),
        quarantined("too-few", "7,x,1.00", three_fields, "7,x,1.00"),
        quarantined("one-field", "--- end of page 1 ---", one_field, "--- end of page 1 ---"),
        quarantined("invalid-utf8", &b"7,caf\xe9,1.00,2026-01-01"[..], not_utf8, "7,caf\u{fffd},1.00,2026-01-01"),
        quarantined("nul", "7,a\0b,1.00,2026-01-01", corrupt!("holds a NUL byte"), "7,a\0b,1.00,2026-01-01"),
        quarantined("after-quote", "7,\"a\"b,1.00,2026-01-01", quote, "7,\"a\"b,1.00,2026-01-01"),
        quarantined("other-delimiter", "7;x;1.00;2026-01-01", one_field, "7;x;1.00;2026-01-01"),
        quarantined("many-lines", "7,\"a\nb\",1.00", three_fields, "7,\"a\nb\",1.00"),
    ]);
}

#[test]
fn values_that_cannot_be_read_are_quarantined() {
    check(&[
        quarantined(
            "thousands",
            "7,x,\"1,234.50\",2026-01-01",
            &[("amount.readable", Some("1,234.50"))],
            r#"{"id":"7","name":"x","amount":"1,234.50","day":"2026-01-01"}"#,
        ),
        quarantined(
            "decimal-comma",
            "7,x,\"1.234,50\",2026-01-01",
            &[("amount.readable", Some("1.234,50"))],
            r#"{"id":"7","name":"x","amount":"1.234,50","day":"2026-01-01"}"#,
        ),
        quarantined(
            "currency",
            "7,x,£5.00,2026-01-01",
            &[("amount.readable", Some("£5.00"))],
            r#"{"id":"7","name":"x","amount":"£5.00","day":"2026-01-01"}"#,
        ),
        quarantined(
            "too-exact",
            "7,x,1.005,2026-01-01",
            &[("amount.readable", Some("1.005"))],
            r#"{"id":"7","name":"x","amount":"1.005","day":"2026-01-01"}"#,
        ),
        quarantined(
            "too-large",
            "99999999999999999999,x,123456789.00,2026-01-01",
            &[("id.readable", Some("99999999999999999999")), ("amount.readable", Some("123456789.00"))],
            r#"{"id":"99999999999999999999","name":"x","amount":"123456789.00","day":"2026-01-01"}"#,
        ),
        quarantined(
            "slashes",
            "7,x,1.00,01/02/2026",
            &[("day.readable", Some("01/02/2026"))],
            r#"{"id":"7","name":"x","amount":"1.00","day":"01/02/2026"}"#,
        ),
        quarantined(
            "german-day",
            "7,x,1.00,1.2.2026",
            &[("day.readable", Some("1.2.2026"))],
            r#"{"id":"7","name":"x","amount":"1.00","day":"1.2.2026"}"#,
        ),
        quarantined(
            "no-such-day",
            "7,x,1.00,2026-02-30",
            &[("day.readable", Some("2026-02-30"))],
            r#"{"id":"7","name":"x","amount":"1.00","day":"2026-02-30"}"#,
        ),
        quarantined(
            "excel-day",
            "7,x,1.00,46023",
            &[("day.readable", Some("46023"))],
            r#"{"id":"7","name":"x","amount":"1.00","day":"46023"}"#,
        ),
        quarantined(
            "missing",
            ",x,,",
            &[("id.required", None), ("amount.required", None)],
            r#"{"id":null,"name":"x","amount":null,"day":null}"#,
        ),
        quarantined(
            "words",
            "seven,x,n/a,today",
            &[("id.readable", Some("seven")), ("amount.readable", Some("n/a")), ("day.readable", Some("today"))],
            r#"{"id":"seven","name":"x","amount":"n/a","day":"today"}"#,
        ),
    ]);
}

#[test]
fn a_quarantined_row_names_its_record_and_a_torn_record_its_line_too() {
    let lab = orders();
    let file = format!("{HEADER}1,\"two\nlines\",1.00,2026-01-01\n\n2,x,one,2026-01-01\n3,y,1.00,2026-01-01,more\n");
    land(&lab, "a.csv", file);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["_source_row", "name"]), ["1|two\nlines"]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), 2);
    assert!(refused[0].starts_with("2|") && refused[0].contains("amount.readable"), "{refused:?}");
    assert!(refused[1].starts_with("3|"), "{refused:?}");
    let torn = "line 6 (record 3) has 5 fields where the header has 4";
    assert!(refused[1].contains("corrupt_record") && refused[1].contains(torn), "{refused:?}");
    assert_eq!(rows(&lab, BRONZE, &["_corrupt_reason"]), ["NULL", "NULL", torn]);
}

#[test]
fn a_file_of_bad_records_alone_reaches_the_gate() {
    let spec = crate::small::ORDERS.replace("quarantined_percent_below: none", "quarantined_percent_below: 50");
    let lab = crate::small::orders_with(&spec);
    land(&lab, "good.csv", super::good_file(0));
    let _ = lab.run().expect(Outcome::Published);
    let before = super::state_of(&lab);
    land(&lab, "bad.csv", format!("{HEADER}x,y,z\nx,y,z\n"));
    let run = lab.run().expect(Outcome::Rejected);
    assert_eq!(super::state_of(&lab), before);
    let broken = run.lines().pop().unwrap()["broken_rules"].clone();
    assert_eq!(broken.as_array().unwrap().len(), 1, "{broken}");
    assert_eq!(broken[0]["rule"], format!("{SILVER}: quarantined_share"));
    assert_eq!((broken[0]["observed"].as_str(), broken[0]["expected"].as_str()), (Some("100 %"), Some("< 50 %")));
    land(&lab, "next.csv", super::good_file(2));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]).len(), 4);
}
