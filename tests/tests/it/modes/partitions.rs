//! Partitioned silver tables: every value reads back unchanged, for Sluice and for two other readers.

use sluice_core::run::Outcome;
use sluice_tests::judges::Judges;
use sluice_tests::lab::Lab;

use crate::small::{Python, QUARANTINE, land, rows};

const TABLE: &str = "silver/sales/orders";

/// A pipeline whose silver table is partitioned by one column of this type.
fn partitioned(kind: &str, mode: &str) -> Lab {
    let spec = format!(
        "pipeline: retail\ndomain: sales\nsource: {{ prefix: landing/orders, format: ndjson }}\nbronze: {{ table: orders }}\n\
         silver:\n  - table: orders\n    contract: contracts/orders.yaml\n    columns: {{ id: id, part: part, seen: seen }}\n    {mode}\n    \
         gate: {{ quarantined_percent_below: none }}\n"
    );
    let part = format!("name: part, {kind}, partitioned: true, partitionKeyPosition: 1");
    let columns = [
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        part.as_str(),
        "name: seen, logicalType: integer, physicalType: BIGINT",
    ];
    crate::small::lab(&spec, &[("orders", crate::small::contract("orders", &columns, &[]))])
}

/// A program that asserts what PyPI `deltalake` reads, given as `id|part` lines.
fn read_by_deltalake(lab: &Lab, expected: &[String]) -> String {
    format!(
        "import json\nfrom deltalake import DeltaTable\n\
         def text(value):\n    if value is None: return 'NULL'\n    if isinstance(value, bool): return str(value).lower()\n    \
         return value.astimezone(__import__('datetime').timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ').replace('.000000Z', 'Z') if hasattr(value, 'hour') else str(value)\n\
         rows = DeltaTable({:?}).to_pyarrow_table().to_pylist()\n\
         found = sorted(str(row['id']) + '|' + text(row['part']) for row in rows)\n\
         expected = sorted(json.loads({:?}))\n\
         assert found == expected, (found, expected)\n",
        lab.lake().join(TABLE).display().to_string(),
        serde_json::to_string(expected).unwrap(),
    )
}

fn check(kind: &str, values: &[Option<&str>]) {
    let lab = partitioned(kind, "mode: append");
    let mut expected = Vec::new();
    for (run, name) in ["a.json", "b.json"].into_iter().enumerate() {
        let mut file = String::new();
        for (number, value) in values.iter().enumerate() {
            let id = run * values.len() + number;
            file.push_str(&format!("{}\n", serde_json::json!({ "id": id, "part": value, "seen": 1 })));
            expected.push(format!("{id}|{}", value.unwrap_or("NULL")));
        }
        land(&lab, name, file);
        let _ = lab.run().expect(Outcome::Published);
    }
    expected.sort_unstable();
    assert_eq!(rows(&lab, TABLE, &["id", "part"]), expected, "{kind}");
    let details: serde_json::Value = lab.sluice(&["table", "show", TABLE]).expect_code(0).page();
    assert_eq!(details["partition_by"], serde_json::json!(["part"]), "{kind}");
    if let Some(python) = Python::or_skip("modes::partitions, by two readers") {
        python.run(&read_by_deltalake(&lab, &expected));
        let judged = Judges::or_skip("modes::partitions").unwrap().judge_tables(lab.lake());
        assert_eq!(judged.len(), 2, "{kind}: {judged:?}");
    }
}

#[test]
fn texts_of_any_kind_read_back_as_partition_values() {
    let texts = [
        "north",
        "New York",
        " padded ",
        "ä/ö",
        "a=b",
        "100%",
        "%41",
        "a%20b",
        "日本 🦀",
        "x:y?z#w",
        "it's",
        "\"quoted\"",
        "a\\b",
        ".",
        "..",
        "a\nb",
        "a+b&c",
        "[x]*{y}",
        "NULL",
        "null",
        "__HIVE_DEFAULT_PARTITION__x",
        "0",
        "true",
        "2026-01-01",
    ];
    let mut values: Vec<Option<&str>> = texts.into_iter().map(Some).collect();
    values.push(None);
    check("logicalType: string", &values);
}

#[test]
fn values_of_every_supported_type_read_back_as_partition_values() {
    check("logicalType: date", &[Some("2026-01-01"), Some("1999-12-31"), Some("0001-01-01"), None]);
    check("logicalType: integer, physicalType: INT", &[Some("7"), Some("-7"), Some("0"), None]);
    check("logicalType: integer, physicalType: BIGINT", &[Some("9223372036854775807"), Some("-1"), None]);
    check("logicalType: boolean", &[Some("true"), Some("false"), None]);
}

/// Readers disagree on the texts of other types, and a table with one partition per instant is useless.
#[test]
fn partition_types_that_readers_write_differently_are_refused() {
    for kind in ["logicalType: timestamp", "logicalType: number", "logicalType: number, physicalType: 'DECIMAL(10,2)'"]
    {
        let lab = partitioned(kind, "mode: append");
        land(&lab, "a.json", "{\"id\": 1, \"part\": \"1\", \"seen\": 1}\n");
        let run = lab.run().expect_code(1);
        let (error, message) = crate::small::error_of(&run);
        assert_eq!(error, "InvalidInput", "{run}");
        crate::small::assert_says(
            &message,
            &["column `part`", "partitioned is not executed", "partition by a text"],
            kind,
        );
    }
}

/// Delta has no partition value for empty text: every reader would read null. It is refused, not changed.
#[test]
fn an_empty_text_is_refused_as_a_partition_value() {
    let lab = partitioned("logicalType: string", "mode: append");
    land(&lab, "a.json", "{\"id\": 1, \"part\": \"x\", \"seen\": 1}\n{\"id\": 2, \"part\": \"\", \"seen\": 1}\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, TABLE, &["id", "part"]), ["1|x"]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused, [r#"2|[{"rule":"part.partition_value","column":"part","value":""}]"#]);
}

#[test]
fn a_key_moves_from_one_partition_to_another() {
    let lab = partitioned("logicalType: string", "mode: merge\n    keys: [id]\n    latest_by: seen");
    land(
        &lab,
        "a.json",
        "{\"id\": 1, \"part\": \"a b\", \"seen\": 1}\n{\"id\": 2, \"part\": \"a b\", \"seen\": 1}\n{\"id\": 3, \"part\": null, \"seen\": 1}\n",
    );
    let _ = lab.run().expect(Outcome::Published);
    land(
        &lab,
        "b.json",
        "{\"id\": 1, \"part\": \"ü\", \"seen\": 2}\n{\"id\": 3, \"part\": \"a b\", \"seen\": 2}\n{\"id\": 2, \"part\": \"old\", \"seen\": 0}\n",
    );
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, TABLE, &["id", "part", "seen"]), ["1|ü|2", "2|a b|1", "3|a b|2"]);
    if let Some(judges) = Judges::or_skip("modes::partitions, a moved key, by two readers") {
        assert_eq!(judges.judge_tables(lab.lake()).len(), 2);
    }
}

#[test]
fn scd2_keeps_history_in_partitioned_tables() {
    let spec = |kind: &str| {
        let lab = partitioned("logicalType: string", "mode: scd2\n    keys: [id]\n    latest_by: seen");
        lab.edit_pipeline("contracts/orders.yaml", "name: seen, logicalType: integer, physicalType: BIGINT", kind);
        lab
    };
    let lab = spec("name: seen, logicalType: date");
    let record =
        |id: u32, part: &str, seen: &str| format!("{}\n", serde_json::json!({ "id": id, "part": part, "seen": seen }));
    land(
        &lab,
        "a.json",
        record(1, "a b", "2026-01-01") + &record(1, "ü", "2026-01-03") + &record(2, "ü", "2026-01-01"),
    );
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.json", record(1, "=", "2026-01-02"));
    let _ = lab.run().expect(Outcome::Published);
    let history = rows(&lab, TABLE, &["id", "part", "_valid_from", "_valid_to", "_is_current"]);
    let expected = [
        "1|=|2026-01-02T00:00:00Z|2026-01-03T00:00:00Z|false",
        "1|a b|2026-01-01T00:00:00Z|2026-01-02T00:00:00Z|false",
        "1|ü|2026-01-03T00:00:00Z|NULL|true",
        "2|ü|2026-01-01T00:00:00Z|NULL|true",
    ];
    assert_eq!(history, expected);
    if let Some(judges) = Judges::or_skip("modes::partitions, history, by two readers") {
        assert_eq!(judges.judge_tables(lab.lake()).len(), 2);
    }

    // Key 1 stands next to key 2 in a file that this run rewrites, and has another version elsewhere.
    land(&lab, "c.json", record(2, "=", "2026-01-05"));
    let _ = lab.run().expect(Outcome::Published);
    let history = rows(&lab, TABLE, &["id", "part", "_valid_from", "_valid_to", "_is_current"]);
    let later = [
        &expected[..3],
        &["2|=|2026-01-05T00:00:00Z|NULL|true", "2|ü|2026-01-01T00:00:00Z|2026-01-05T00:00:00Z|false"],
    ];
    assert_eq!(history, later.concat());
    land(&lab, "d.json", record(2, "a b", "2026-01-06"));
    let _ = lab.run().expect(Outcome::Published);
    let history = rows(&lab, TABLE, &["id", "_valid_to", "_is_current"]);
    let closed = "1|2026-01-02T00:00:00Z|false";
    assert!(history.contains(&closed.to_owned()), "the version in the rewritten file stays closed: {history:?}");
    assert_eq!(history.iter().filter(|row| row.ends_with("|true")).count(), 2, "{history:?}");

    let number = spec("name: seen, logicalType: integer, physicalType: BIGINT");
    land(&number, "a.json", record(1, "a", "1"));
    let refused = number.run().expect_code(1);
    assert!(refused.stdout.contains("latest_by of mode scd2 must be a date or timestamp"), "{refused}");
}

/// Polars evaluated conditions over partition columns for a partition at once, and took null for what stood under it.
#[test]
fn conditions_that_are_null_for_a_partition_take_none_of_its_rows() {
    let check = |condition: &str, expected: &str| {
        let lab = partitioned("logicalType: string", "mode: append");
        let gold = format!(
            "gold:\n  - table: totals\n    contract: contracts/totals.yaml\n    sql: SELECT COUNT(*) AS n, SUM(id) AS s FROM \
             silver.orders WHERE {condition}\n"
        );
        let spec = lab.pipeline().join("pipeline.yaml");
        std::fs::write(&spec, std::fs::read_to_string(&spec).unwrap() + &gold).unwrap();
        let column = |name: &str| format!("name: {name}, logicalType: integer, physicalType: BIGINT");
        let contract = crate::small::contract("totals", &[&column("n"), &column("s")], &[]);
        std::fs::write(lab.pipeline().join("contracts/totals.yaml"), contract).unwrap();
        let record =
            |id: u32, part: Option<&str>| serde_json::json!({ "id": id, "part": part, "seen": id }).to_string();
        let lines = [record(1, Some("a")), record(2, Some("b")), record(4, None)];
        land(&lab, "a.json", lines.join("\n") + "\n");
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, "gold/sales/totals", &["n", "s"]), [expected], "{condition}");
    };
    check("part <> 'b'", "1|1");
    check("part NOT IN ('b') AND seen > 0", "1|1");
    check("LOWER(part) NOT LIKE 'b%'", "1|1");
    check("NULLIF(part, 'b') <> 'c'", "1|1");
    check("part IS NULL OR part = 'b'", "2|6");
}
