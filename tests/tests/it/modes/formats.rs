//! Source formats: every format gives the same orders, plain and compressed.

use std::path::PathBuf;

use sluice_core::run::Outcome;
use sluice_tests::judges::Judges;
use sluice_tests::lab::Lab;

use crate::small::{BRONZE, ORDERS, Python, QUARANTINE, SILVER, assert_says, held_by, land, orders_with, rows};

const SHOWN: [&str; 5] = ["id", "name", "amount", "day", "_source_row"];
/// The rows of every file.
const ROWS: [&str; 3] = ["1|ann|1.50|2026-01-01|1", "2|b \"c\", ü|-2.00|NULL|2", "3|NULL|0.00|2026-01-03|3"];
const NDJSON: &str = concat!(
    "{\"id\": 1, \"name\": \"ann\", \"amount\": 1.50, \"day\": \"2026-01-01\"}\n",
    "{\"day\": null, \"id\": \"2\", \"name\": \"b \\\"c\\\", \\u00fc\", \"amount\": \"-2.00\"}\n",
    "{\"id\": 3, \"amount\": 0, \"day\": \"2026-01-03\", \"more\": {\"a\": [1, 2]}}\n",
);

fn lab(format: &str) -> Lab {
    orders_with(&ORDERS.replace("format: csv", &format!("format: {format}")))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Delivers all files to one lake, runs once, and compares the rows of each.
fn check(format: &str, files: &[(&str, Vec<u8>)]) {
    let lab = lab(format);
    for (name, bytes) in files {
        land(&lab, name, bytes);
    }
    let run = lab.run().expect(Outcome::Published);
    let columns: Vec<&str> = ["_source_file"].into_iter().chain(SHOWN).collect();
    let found = rows(&lab, SILVER, &columns);
    for (name, _) in files {
        let mark = format!("/{name}|");
        let of_file: Vec<&str> = found.iter().filter_map(|row| row.split_once(&mark)).map(|(_, row)| row).collect();
        assert_eq!(of_file, ROWS, "{name}: {run}");
    }
    assert_eq!(found.len(), ROWS.len() * files.len());
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn ndjson_gives_the_same_rows_plain_and_packed() {
    let crlf = NDJSON.replace('\n', "\r\n");
    check(
        "ndjson",
        &[
            ("a.ndjson", NDJSON.into()),
            ("b.ndjson", format!("\u{feff}{crlf}").into()),
            ("c.ndjson", format!("\n{}", NDJSON.trim_end().replace('\n', "\n\n")).into()),
            ("d.ndjson.gz", gzip(NDJSON.as_bytes())),
            ("e.ndjson.zst", zstd::encode_all(NDJSON.as_bytes(), 3).unwrap()),
        ],
    );
}

#[test]
fn json_gives_the_same_rows_plain_and_packed() {
    let array = format!("[{}]", NDJSON.trim_end().replace('\n', ","));
    let spaced = format!(" [\n  {}\n]\n", NDJSON.trim_end().replace('\n', ",\n  "));
    check(
        "json",
        &[
            ("a.json", array.clone().into()),
            ("b.json", spaced.into()),
            ("c.json", NDJSON.into()),
            ("d.json", NDJSON.replace('\n', "").into()),
            ("e.json.gz", gzip(array.as_bytes())),
            ("f.json.zst", zstd::encode_all(array.as_bytes(), 3).unwrap()),
        ],
    );
}

/// Writes Parquet files with pyarrow into `folder`.
const PARQUET: &str = "
import datetime as d, decimal, pyarrow as pa, pyarrow.parquet as pq
days = [d.date(2026, 1, 1), None, d.date(2026, 1, 3)]
columns = {
    'id': pa.array([1, 2, 3], pa.int64()),
    'name': pa.array(['ann', 'b \"c\", ü', None]),
    'amount': pa.array([decimal.Decimal('1.50'), decimal.Decimal('-2.00'), decimal.Decimal('0.00')], pa.decimal128(12, 2)),
    'day': pa.array(days, pa.date32()),
    'at': pa.array([d.datetime(2026, 1, 1, 10), None, d.datetime(2026, 1, 3, 10)], pa.timestamp('us', tz='UTC')),
    'flag': pa.array([True, None, False]),
}
table = pa.table(columns)
for name in ['snappy', 'gzip', 'zstd', 'none']:
    pq.write_table(table, f'{folder}/{name}.parquet', compression=name)
pq.write_table(table, f'{folder}/groups.parquet', row_group_size=1)
small = table.set_column(0, 'id', pa.array([1, 2, 3], pa.int16())).set_column(1, 'name', table['name'].dictionary_encode())
pq.write_table(small, f'{folder}/other-types.parquet')
text = pa.table({name: [None if v is None else str(v) for v in table[name].to_pylist()] for name in ['day', 'amount', 'name', 'id']})
pq.write_table(text, f'{folder}/text.parquet')
pq.write_table(table.slice(0, 0), f'{folder}/no-rows.parquet')
";

#[test]
fn parquet_gives_the_same_rows_and_is_refused_when_packed_or_cut() {
    let Some(python) = Python::or_skip("modes::formats::parquet_gives_the_same_rows_and_is_refused_when_packed_or_cut")
    else {
        return;
    };
    let lab = lab("parquet");
    python.run(&format!("folder = {:?}\n{PARQUET}", lab.landing().display().to_string()));
    let run = lab.run().expect(Outcome::Published);
    let found = rows(&lab, SILVER, &["_source_file", "id", "name", "amount", "day", "_source_row"]);
    let names = ["snappy", "gzip", "zstd", "none", "groups", "other-types", "text"];
    for name in names {
        let mark = format!("/{name}.parquet|");
        let of_file: Vec<&str> = found.iter().filter_map(|row| row.split_once(&mark)).map(|(_, row)| row).collect();
        assert_eq!(of_file, ROWS, "{name}: {run}");
    }
    assert_eq!(found.len(), ROWS.len() * names.len());
    let bronze = rows(&lab, BRONZE, &["_source_file", "_source_row", "at", "flag"]);
    let first = bronze.iter().find(|row| row.contains("/zstd.parquet|1|")).unwrap();
    assert!(
        first.ends_with("|2026-01-01T10:00:00.000000Z|true"),
        "columns without a contract are kept as text: {first}"
    );

    // Files that are compressed as a whole, truncated, or not Parquet at all are refused with a clear message.
    let good = std::fs::read(lab.landing().join("zstd.parquet")).unwrap();
    let bad: [(&str, Vec<u8>, &str); 3] = [
        ("packed.parquet.gz", gzip(&good), "deliver it unpacked"),
        ("cut.parquet", good[..good.len() / 2].to_vec(), "not a readable Parquet file"),
        ("text.csv", b"id,name\n1,a\n".to_vec(), "not a readable Parquet file"),
    ];
    for (name, bytes, says) in bad {
        land(&lab, name, bytes);
        let run = lab.run().expect(Outcome::Rejected);
        assert_says(&held_by(&run), &[name, says], name);
    }
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn json_lines_that_cannot_be_read_are_quarantined() {
    let bad = ["{\"id\": 1,", "[1, 2]", "42", "null", "{\"id\": 1, \"id\": 2}", "{\"id\": 1} {\"id\": 2}", "id=1"];
    let lab = lab("ndjson");
    land(&lab, "a.ndjson", format!("{NDJSON}{}\n{NDJSON}", bad.join("\n")));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "1", "2", "2", "3", "3"]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules", "_raw"]);
    assert_eq!(refused.len(), bad.len());
    for (number, raw) in bad.iter().enumerate() {
        let place = format!("{}|", number + 4);
        let row = refused.iter().find(|row| row.starts_with(&place)).unwrap_or_else(|| panic!("{place} {refused:?}"));
        let raw = format!(r#"{{"_corrupt_record":{}"#, serde_json::Value::from(*raw));
        assert!(row.contains("corrupt_record") && row.contains(&raw), "{row} should have {raw}");
        let line = format!("line {0} (record {0}) ", number + 4);
        assert_eq!(row.matches(&line).count(), 2, "the rule's value and the raw text say where: {row}");
    }
}

#[test]
fn a_json_document_with_a_fault_is_refused_with_its_place() {
    let lab = lab("json");
    land(&lab, "a.json", "[\n{\"id\": 1, \"name\": \"a\", \"amount\": 1, \"day\": null},\n{\"id\": 2, oops}\n]");
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["a.json", "line 3", "column"], "a fault");
    assert_eq!(lab.tables().len(), 0);
    assert_eq!(lab.held().len(), 1);
}

#[test]
fn a_mapped_key_that_no_record_of_a_run_has_is_refused_by_name() {
    let check = |format: &str, file: &str, says: &[&str]| {
        let lab = lab(format);
        land(&lab, "a.json", file);
        let run = lab.run().expect(Outcome::Rejected);
        assert_says(&held_by(&run), says, file);
        assert_eq!((lab.tables().len(), lab.held().len()), (0, 1), "{file}");
        // It costs that object and no other.
        land(&lab, "b.json", NDJSON);
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS, "{file}");
    };
    let without_two = "{\"id\": 1, \"amount\": 1}\n{\"id\": 2, \"more\": 1}\n";
    check("ndjson", without_two, &["/a.json' lacks column name, day; it has id, amount, more"]);
    check("json", without_two, &["/a.json' lacks column name, day; it has id, amount, more"]);
    // What a record cannot be split into says nothing, and a key of a nested object is not a column.
    let nested = "oops\n{\"id\": 1, \"amount\": 1, \"day\": null, \"who\": {\"name\": \"x\"}}\n";
    check("ndjson", nested, &["lacks column name; it has id, amount, day, who"]);
}

#[test]
fn a_key_that_a_record_lacks_is_null() {
    let lab = lab("ndjson");
    land(&lab, "a.ndjson", "{\"id\": 1, \"amount\": 1}\n{\"id\": 2, \"name\": null, \"day\": null}\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ["1|NULL|1.00|NULL|1"]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused, [r#"2|[{"rule":"amount.required","column":"amount","value":null}]"#]);
}

#[test]
fn objects_without_a_good_record_lack_no_key() {
    let empty = lab("json");
    land(&empty, "a.json", "[]");
    let _ = empty.run().expect(Outcome::Published);
    let corrupt = lab("ndjson");
    land(&corrupt, "a.ndjson", "oops\n");
    let _ = corrupt.run().expect(Outcome::Published);
    assert_eq!(rows(&corrupt, QUARANTINE, &["_source_row"]), ["1"]);
}

/// Other readers take no table with such a column, and then cannot read a row of it.
#[test]
fn a_key_that_cannot_be_a_column_costs_its_record() {
    let lab = lab("ndjson");
    let long = "k".repeat(300);
    land(&lab, "a.ndjson", format!("{NDJSON}{{\"id\": 4, \"na\\u0000me\": 1}}\n{{\"id\": 5, \"{long}\": 1}}\n"));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &SHOWN), ROWS);
    let reasons = rows(&lab, BRONZE, &["_source_row", "_corrupt_reason"]);
    assert_says(&reasons[3], &["4|line 4 (record 4) has the key 'na\\0me'", "control character U+0000"], "a NUL");
    assert_says(&reasons[4], &["5|line 5 (record 5) has the key 'kkk", "300 bytes"], "a long key");
    if let Some(judges) = Judges::or_skip("formats::a_key_that_cannot_be_a_column_costs_its_record, by two readers") {
        assert_eq!(judges.judge_tables(lab.lake()).len(), 4);
    }
}

#[test]
fn a_key_that_first_appears_late_is_null_before() {
    let lab = lab("ndjson");
    // More than one batch of the reader, with a key that first appears in the last batch.
    let mut file = String::new();
    let pad = "x".repeat(60_000);
    for id in 0..700 {
        file.push_str(&format!("{{\"id\": {id}, \"amount\": 1, \"pad\": \"{pad}\"}}\n"));
    }
    file.push_str("{\"id\": 700, \"amount\": 1, \"name\": \"late\", \"day\": \"2026-01-01\"}\n");
    land(&lab, "a.ndjson", file);
    let _ = lab.run().expect(Outcome::Published);
    let named = rows(&lab, SILVER, &["name", "day"]);
    assert_eq!(named.len(), 701);
    assert_eq!(named.iter().filter(|row| *row == "NULL|NULL").count(), 700);
    assert!(named.contains(&"late|2026-01-01".to_owned()));
}

/// The landing folder may have subfolders.
#[test]
fn folders_below_the_landing_folder_are_read() {
    let lab = lab("ndjson");
    let path: PathBuf = land(&lab, "2026/01/05/a.ndjson", NDJSON);
    land(&lab, "2026/01/06/a.ndjson", NDJSON);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]).len(), 6, "the same content in two places is two deliveries");
    assert!(path.is_file(), "files stay where they arrived");
}
