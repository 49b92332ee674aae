//! `feed`: the presets of change feeds do to tables what the feeds say, with and without the schema in each event.

use crate::small::{QUARANTINE, SILVER, Steps, assert_says, contract, lab, land_at, rows};

const DELETES: &str = "deletes/sales/orders";

const COLUMNS: [&str; 3] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: name, logicalType: string, required: true",
    "name: changed_at, logicalType: timestamp, required: true",
];

fn spec(format: &str, how: &str) -> String {
    format!(
        "pipeline: retail\ndomain: sales\nsource: {{ prefix: landing/orders, format: {format} }}\n\
         bronze: {{ table: orders }}\nsilver:\n  - table: orders\n    contract: contracts/orders.yaml\n    \
         {how}\n    gate: {{ quarantined_percent_below: none }}\n"
    )
}

#[test]
fn debezium_envelopes_insert_update_and_delete() {
    let insert = |id: u32, name: &str, millis: u64| {
        format!(r#"{{"before":null,"after":{{"id":{id},"name":"{name}"}},"op":"c","ts_ms":{millis}}}"#)
    };
    let delete = |id: u32, millis: u64| {
        format!(r#"{{"before":{{"id":{id},"name":"x"}},"after":null,"op":"d","ts_ms":{millis}}}"#)
    };
    let first = [insert(1, "one", 1000), insert(2, "two", 1000), delete(1, 3000)];
    // An update that comes late, and one that is new.
    let second = [insert(1, "late", 2000), insert(2, "two again", 2000)];
    for (feed, is_wrapped) in [("debezium", false), ("debezium_with_schema", true)] {
        let how = format!(
            "columns: {{ id: id, name: name }}\n    mode: merge\n    keys: [id]\n    latest_by: changed_at\n    \
             feed: {feed}"
        );
        let lab = lab(&spec("ndjson", &how), &[("orders", contract("orders", &COLUMNS, &[]))]);
        let steps = Steps::new(&lab);
        for (second_of, lines) in [first.as_slice(), second.as_slice()].into_iter().enumerate() {
            let line = |event: &String| {
                if is_wrapped { format!("{{\"schema\":{{}},\"payload\":{event}}}\n") } else { format!("{event}\n") }
            };
            let text: String = lines.iter().map(line).collect();
            land_at(&lab, format!("{second_of}.ndjson"), text, second_of as u64);
            let _ = steps.run().expect(feed);
        }
        let shown = rows(&lab, SILVER, &["id", "name", "changed_at"]);
        assert_eq!(shown, ["2|two again|1970-01-01T00:00:02Z"], "{feed}");
        assert_eq!(rows(&lab, DELETES, &["id"]), ["1"], "{feed}");
    }
}

#[test]
fn dms_rows_insert_update_and_delete() {
    let how = "columns: { id: id, name: name, changed_at: at }\n    mode: merge\n    keys: [id]\n    \
               latest_by: changed_at\n    feed: dms";
    let lab = lab(&spec("csv", how), &[("orders", contract("orders", &COLUMNS, &[]))]);
    let steps = Steps::new(&lab);
    let at = |second: u32| format!("2026-01-05T00:00:0{second}Z");
    let text = format!("Op,id,name,at\nI,1,one,{}\nI,2,two,{}\nD,1,one,{}\nU,2,again,{}\n", at(1), at(1), at(2), at(2));
    land_at(&lab, "a.csv", text, 0);
    let _ = steps.run().expect("a delivery");
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["2|again"]);
    assert_eq!(rows(&lab, DELETES, &["id"]), ["1"]);
}

/// Rows of a feed whose kind is one that the tool does not write for rows: each has a key, a name and a time.
fn refuses(format: &str, how: &str, text: &str, kinds: &[&str]) {
    let lab = lab(&spec(format, how), &[("orders", contract("orders", &COLUMNS, &[]))]);
    let steps = Steps::new(&lab);
    land_at(&lab, "a", text, 0);
    let _ = steps.run().expect("a delivery");
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), kinds.len(), "{refused:?}");
    for (row, kind) in refused.iter().zip(kinds) {
        assert_says(row, &["delete_when.computed", kind], kind);
    }
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|one", "2|again"], "the others are rows");
}

#[test]
fn a_row_of_dms_of_another_kind_than_it_writes_is_refused() {
    let how = "columns: { id: id, name: name, changed_at: at }\n    mode: merge\n    keys: [id]\n    \
               latest_by: changed_at\n    feed: dms";
    let mut second = 0;
    let mut row = |kind: &str, id: u32, name: &str| {
        second += 1;
        format!("{kind},{id},{name},2026-01-05T00:00:0{second}Z\n")
    };
    let good = [row("I", 1, "one"), row("I", 2, "two"), row("U", 2, "again"), row("I", 3, "x"), row("D", 3, "x")];
    let bad = [row("X", 4, "x"), row("", 5, "x"), row("d", 1, "one"), row("T", 6, "x")];
    let text = format!("Op,id,name,at\n{}{}", good.concat(), bad.concat());
    let kinds = ["X", "nothing", "d", "T"].map(|kind| format!("{kind} is not I, U or D"));
    refuses("csv", how, &text, &kinds.each_ref().map(String::as_str));
}

#[test]
fn an_event_of_debezium_of_another_kind_than_rows_have_is_refused() {
    let how = "columns: { id: id, name: name }\n    mode: merge\n    keys: [id]\n    latest_by: changed_at\n    \
               feed: debezium";
    let mut millis = 0;
    let mut event = |kind: &str, id: u32, name: &str| {
        millis += 1;
        format!("{{\"before\":null,\"after\":{{\"id\":{id},\"name\":\"{name}\"}},\"op\":{kind},\"ts_ms\":{millis}}}\n")
    };
    let good = [event("\"r\"", 1, "one"), event("\"c\"", 2, "two"), event("\"u\"", 2, "again")];
    let bad = [event("\"t\"", 4, "x"), event("\"m\"", 5, "x"), event("null", 6, "x"), event("\"D\"", 1, "one")];
    let text = format!("{}{}", good.concat(), bad.concat());
    let kinds = ["t", "m", "nothing", "D"].map(|kind| format!("{kind} is not c, u, r or d"));
    refuses("ndjson", how, &text, &kinds.each_ref().map(String::as_str));
}
