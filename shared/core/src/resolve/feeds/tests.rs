use std::collections::BTreeMap;

use crate::pipeline::Pipeline;
use crate::spec::PipelineSpec;

const ROW: &str = "{name: id, logicalType: integer}, {name: name, logicalType: string}";
const TIMED: &str = "{name: id, logicalType: integer}, {name: name, logicalType: string}, \
                     {name: changed_at, logicalType: timestamp}";

const DMS: &str = "CASE WHEN op = 'D' THEN TRUE WHEN op IN ('I', 'U') THEN FALSE \
                   ELSE CAST(COALESCE(op, 'nothing') || ' is not I, U or D' AS BOOLEAN) END";
const DEBEZIUM: &str = "CASE WHEN op = 'd' THEN TRUE WHEN op IN ('c', 'u', 'r') THEN FALSE \
                        ELSE CAST(COALESCE(op, 'nothing') || ' is not c, u, r or d' AS BOOLEAN) END";

/// The pipeline of one table, in this format, whose contract has these columns; `table` is its YAML.
fn resolve(format: &str, columns: &str, table: &str) -> Result<Pipeline, String> {
    let contract = format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\nschema:\n  \
         - name: a\n    properties: [{columns}]\n"
    );
    let spec = format!(
        "pipeline: p\ndomain: d\nsource: {{ prefix: landing/p, format: {format} }}\nbronze: {{ table: t }}\n\
         silver:\n  - {{ table: a, contract: a.yaml, {table} }}\n"
    );
    let spec = PipelineSpec::parse(&spec, "pipeline.yaml").map_err(|error| error.to_string())?;
    let contracts = BTreeMap::from([("a.yaml".parse().unwrap(), contract)]);
    Pipeline::resolve_untyped(&spec, &contracts)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_preset_means_what_is_written_by_hand() {
    let check = |format: &str, columns: &str, preset: &str, by_hand: &str| {
        let resolved = |table: &str| resolve(format, columns, table).unwrap_or_else(|error| panic!("{table}: {error}"));
        let (preset, by_hand) = (resolved(preset), resolved(by_hand));
        assert_eq!(preset, by_hand);
        assert!(preset.silver.iter().all(|silver| silver.delete_when.is_some()), "{by_hand:?}");
    };
    let merge = "mode: merge, keys: [id]";
    check(
        "csv",
        ROW,
        &format!("columns: {{ id: Id, name: Name }}, {merge}, feed: dms"),
        &format!("columns: {{ id: Id, name: Name, op: Op }}, {merge}, delete_when: \"{DMS}\""),
    );
    let stored = format!("{ROW}, {{name: op, logicalType: string}}");
    check(
        "parquet",
        &stored,
        &format!("columns: {{ id: Id, name: Name, op: Op }}, {merge}, feed: dms"),
        &format!("columns: {{ id: Id, name: Name, op: Op }}, {merge}, delete_when: \"{DMS}\""),
    );
    for (feed, root) in [("debezium", "$"), ("debezium_with_schema", "$.payload")] {
        let by_hand = |mode: &str, name: &str| {
            format!(
                "columns: {{ id_before: {{ from: {root}.before.id, type: integer }}, \
                 id_after: {{ from: {root}.after.id, type: integer }}, name: {name}, \
                 changed_at: {{ from: {root}.ts_ms, formats: [epoch_milliseconds] }}, op: {root}.op }}, \
                 sql: 'SELECT COALESCE(id_after, id_before) AS id, name, changed_at FROM bronze', {mode}, keys: [id], \
                 latest_by: changed_at, delete_when: \"{DEBEZIUM}\""
            )
        };
        for mode in ["mode: merge", "mode: scd2"] {
            let after = format!("{root}.after.name");
            let given = format!("columns: {{ id: id, name: name }}, {mode}, keys: [id], latest_by: changed_at");
            check("ndjson", TIMED, &format!("{given}, feed: {feed}"), &by_hand(mode, &after));
            let mapped = format!("columns: {{ id: id, name: name, changed_at: {root}.ts_ms }}, {mode}, keys: [id]");
            check("avro", TIMED, &format!("{mapped}, feed: {feed}"), &by_hand(mode, &after));
        }
        // A name that no path can have plainly, and options of a reading.
        let named = format!("{{ from: \"{root}.after['full name']\", null_words: [NA] }}");
        let given = "columns: { id: id, name: { from: full name, null_words: [NA] } }, mode: merge, keys: [id], \
                     latest_by: changed_at";
        check("json", TIMED, &format!("{given}, feed: {feed}"), &by_hand("mode: merge", &named));
    }
}

#[test]
fn a_key_is_read_as_its_contract_says() {
    let day = "{name: day, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}, \
               {name: at, logicalType: integer}";
    let preset = "columns: { day: day, at: $.source.lsn }, mode: merge, keys: [day], latest_by: at, feed: debezium";
    let by_hand = format!(
        "columns: {{ day_before: {{ from: $.before.day, type: date, formats: ['%d.%m.%Y'] }}, \
         day_after: {{ from: $.after.day, type: date, formats: ['%d.%m.%Y'] }}, at: $.source.lsn, op: $.op }}, \
         sql: 'SELECT COALESCE(day_after, day_before) AS day, at FROM bronze', mode: merge, keys: [day], \
         latest_by: at, delete_when: \"{DEBEZIUM}\""
    );
    assert_eq!(resolve("ndjson", day, preset), resolve("ndjson", day, &by_hand));
    assert!(resolve("ndjson", day, preset).is_ok());
}

#[test]
fn options_that_do_not_go_with_a_feed_are_refused_with_the_fix() {
    let check = |format: &str, columns: &str, table: &str, says: &str| {
        let error = resolve(format, columns, table).expect_err(table);
        assert!(error.contains(says), "{table}: {error}");
    };
    let map = "columns: { id: id, name: name }";
    let dms = format!("{map}, keys: [id], feed: dms");
    let belongs = "feed dms belongs to modes merge and scd2";
    check("csv", ROW, &format!("{map}, mode: append, feed: dms"), belongs);
    check("csv", ROW, &format!("{dms}, mode: snapshot"), belongs);
    check("csv", ROW, &format!("{dms}, mode: scd2, snapshot: object"), belongs);
    check("csv", ROW, &format!("{dms}, mode: merge, delete_when: name = 'D'"), "take one of them out");
    check("ndjson", ROW, &format!("{dms}, mode: merge"), "source.format is ndjson");
    let odd = "columns: { id: id, name: name, op: kind }, keys: [id], mode: merge, feed: dms";
    check("csv", ROW, odd, "`op` is mapped to `kind`");
    let computed = "columns: { id: id, name: name }, sql: 'SELECT id, name, name AS op FROM bronze', keys: [id], \
                    mode: merge, feed: dms";
    check("csv", &format!("{ROW}, {{name: op, logicalType: string}}"), computed, "map it to `Op`");
    let debezium = format!("{map}, keys: [id], mode: merge, feed: debezium");
    check("csv", TIMED, &format!("{debezium}, latest_by: changed_at"), "columns of csv have none");
    check("ndjson", TIMED, &debezium, "feed debezium needs latest_by");
    let with_sql = format!("{debezium}, latest_by: changed_at, sql: 'SELECT id, name, changed_at FROM bronze'");
    check("ndjson", TIMED, &with_sql, "take sql out");
    let partly = "columns: { id: id }, keys: [id], mode: merge, feed: debezium, latest_by: changed_at";
    check("ndjson", TIMED, partly, "column `name` of contract a.yaml is not listed in columns");
    let of_row =
        "columns: { id: id, name: name, op: op }, keys: [id], mode: merge, feed: debezium, latest_by: changed_at";
    check("ndjson", TIMED, of_row, "map it to `$.op`");
    for (feed, root) in [("debezium", "$"), ("debezium_with_schema", "$.payload")] {
        for of_row in ["at".to_owned(), format!("{root}.after.at"), "{ from: at, null_words: [x] }".to_owned()] {
            let timed = format!(
                "columns: {{ id: id, name: name, changed_at: {of_row} }}, keys: [id], mode: merge, feed: {feed}, \
                 latest_by: changed_at"
            );
            check("ndjson", TIMED, &timed, "latest_by `changed_at` is read from the row inside an event");
        }
        let one_side = format!(
            "columns: {{ id: {root}.after.id, name: name }}, keys: [id], mode: merge, feed: {feed}, \
             latest_by: changed_at"
        );
        check("ndjson", TIMED, &one_side, "which is one side of an event");
    }
    let taken = format!("{TIMED}, {{name: id_after, logicalType: integer}}");
    let twice = "columns: { id: id, name: name, id_after: x }, keys: [id], mode: merge, feed: debezium, \
                 latest_by: changed_at";
    check("ndjson", &taken, twice, "the table has a column `id_after`");
}
