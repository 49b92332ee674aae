//! Files are written by another implementation, apache-avro, and by hand where it writes no such file.

use std::collections::HashMap;

use apache_avro::types::Value;
use apache_avro::{
    Codec as Packing, Days, Decimal, DeflateSettings, Duration, Millis, Months, Schema as Written, Uuid, Writer,
    ZstandardSettings,
};
use proptest::prelude::*;
use sluice_core::error::with_sources;
use sluice_core::spec::SourceFormat;

use super::*;
use crate::source::testing::{ReadTest, SMALL, corrupt, good};

fn file(schema: &str, packing: Packing, records: Vec<Value>) -> Vec<u8> {
    let schema = Written::parse_str(schema).expect(schema);
    let mut writer = Writer::with_codec(&schema, Vec::new(), packing).expect("a writer");
    for record in records {
        writer.append_value(record).expect("of the schema");
    }
    writer.into_inner().expect("written")
}

fn record(fields: &[(&str, Value)]) -> Value {
    Value::Record(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// A schema with these fields.
fn fields(fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#)
}

/// A schema with the field `v`.
fn one_field(of: &str) -> String {
    fields(&format!(r#"{{"name": "v", "type": {of}}}"#))
}

fn read(bytes: &[u8]) -> ReadTest {
    ReadTest::new(SourceFormat::Avro, bytes)
}

fn error_of(test: ReadTest) -> String {
    let error = test.error();
    assert!(error.is_refusal(), "{error:?}");
    with_sources(&error)
}

fn number(number: i64) -> Vec<u8> {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while left > 0x7F {
        bytes.push(u8::try_from(left & 0x7F).unwrap() | 0x80);
        left >>= 7;
    }
    bytes.push(u8::try_from(left).unwrap());
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [number(i64::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat()
}

const MARKER: [u8; 16] = *b"0123456789abcdef";

/// A file by hand: its schema, the name of its codec, and the records and bytes of its blocks.
fn by_hand(schema: &str, codec: &str, blocks: &[(i64, &[u8])]) -> Vec<u8> {
    let entries = [("avro.schema", schema), ("avro.codec", codec)];
    let entries: Vec<u8> =
        entries.iter().flat_map(|(name, value)| [sized(name.as_bytes()), sized(value.as_bytes())].concat()).collect();
    let mut bytes = [b"Obj\x01".as_slice(), &number(2), &entries, &number(0), &MARKER].concat();
    for (records, block) in blocks {
        bytes.extend([number(*records), sized(block), MARKER.to_vec()].concat());
    }
    bytes
}

#[test]
fn every_type_has_its_text() {
    let check = |of: &str, value: Value, expected: Option<&str>| {
        let table = read(&file(&one_field(of), Packing::Null, vec![record(&[("v", value)])])).table();
        assert_eq!(table.columns, ["v"], "{of}");
        assert_eq!(table.rows, [good(1, &[expected])], "{of}");
    };
    let typed = |of: &str, logical: &str| format!(r#"{{"type": "{of}", "logicalType": "{logical}"}}"#);
    check(r#""boolean""#, Value::Boolean(true), Some("true"));
    check(r#""int""#, Value::Int(i32::MIN), Some("-2147483648"));
    check(r#""long""#, Value::Long(9_007_199_254_740_993), Some("9007199254740993"));
    check(r#""long""#, Value::Long(i64::MIN), Some("-9223372036854775808"));
    check(r#""long""#, Value::Long(i64::MAX), Some("9223372036854775807"));
    check(r#""float""#, Value::Float(0.1), Some("0.1"));
    check(r#""double""#, Value::Double(0.1 + 0.2), Some("0.30000000000000004"));
    check(r#""double""#, Value::Double(17850.0), Some("17850.0"));
    check(r#""double""#, Value::Double(1e300), Some("1e300"));
    check(r#""double""#, Value::Double(f64::NAN), Some("NaN"));
    check(r#""float""#, Value::Float(f32::INFINITY), Some("inf"));
    check(r#""double""#, Value::Double(f64::NEG_INFINITY), Some("-inf"));
    check(r#""string""#, Value::String("é \"\\\n\u{1}".to_owned()), Some("é \"\\\n\u{1}"));
    check(r#""string""#, Value::String(String::new()), Some(""));
    check(r#""bytes""#, Value::Bytes(vec![0, 255]), Some("AP8="));
    let fixed = |size: usize, more: &str| format!(r#"{{"type": "fixed", "name": "F", "size": {size}{more}}}"#);
    check(&fixed(3, ""), Value::Fixed(3, b"abc".to_vec()), Some("YWJj"));
    check(r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#, Value::Enum(1, "B".to_owned()), Some("B"));
    check(r#"["null", "string"]"#, Value::Union(0, Box::new(Value::Null)), None);
    check(r#"["null", "string"]"#, Value::Union(1, Box::new(Value::String("a".to_owned()))), Some("a"));
    check(&typed("int", "date"), Value::Date(19_753), Some("2024-01-31"));
    check(&typed("int", "date"), Value::Date(-1), Some("1969-12-31"));
    check(&typed("int", "time-millis"), Value::TimeMillis(3_723_004), Some("01:02:03.004000"));
    check(&typed("long", "time-micros"), Value::TimeMicros(86_399_999_999), Some("23:59:59.999999"));
    let stamp = "2024-01-31T13:30:00.123000";
    let utc = format!("{stamp}Z");
    check(&typed("long", "timestamp-millis"), Value::TimestampMillis(1_706_707_800_123), Some(&utc));
    check(&typed("long", "timestamp-micros"), Value::TimestampMicros(1_706_707_800_123_000), Some(&utc));
    let nanos = "2024-01-31T13:30:00.123456789Z";
    check(&typed("long", "timestamp-nanos"), Value::TimestampNanos(1_706_707_800_123_456_789), Some(nanos));
    check(&typed("long", "local-timestamp-millis"), Value::LocalTimestampMillis(1_706_707_800_123), Some(stamp));
    check(&typed("long", "local-timestamp-micros"), Value::LocalTimestampMicros(1_706_707_800_123_000), Some(stamp));
    let decimal = r#""logicalType": "decimal", "precision": 5, "scale": 2"#;
    let of_bytes = format!(r#"{{"type": "bytes", {decimal}}}"#);
    check(&of_bytes, Value::Decimal(Decimal::from(vec![0, 0x96])), Some("1.50"));
    check(&of_bytes, Value::Decimal(Decimal::from(vec![0xFB])), Some("-0.05"));
    check(&fixed(4, &format!(", {decimal}")), Value::Decimal(Decimal::from(vec![0xFB])), Some("-0.05"));
    let uuid = "0189f7e5-0c3f-7cc2-8a1b-2f8d3f0a1b2c";
    let value = || Value::Uuid(Uuid::parse_str(uuid).expect("a UUID"));
    check(&typed("string", "uuid"), value(), Some(uuid));
    check(&fixed(16, r#", "logicalType": "uuid""#), value(), Some(uuid));
    let duration = Duration::new(Months::new(1), Days::new(2), Millis::new(3_004));
    check(&fixed(12, r#", "logicalType": "duration""#), Value::Duration(duration), Some("P1M2DT3.004S"));
    let list = |values: &[i32]| Value::Array(values.iter().map(|value| Value::Int(*value)).collect());
    check(r#"{"type": "array", "items": "int"}"#, list(&[1, -2]), Some("[1,-2]"));
    check(r#"{"type": "array", "items": "int"}"#, list(&[]), Some("[]"));
    let map = Value::Map(HashMap::from([("k\"".to_owned(), Value::Double(f64::NAN))]));
    check(r#"{"type": "map", "values": "double"}"#, map, Some(r#"{"k\"":"NaN"}"#));
    let inner =
        r#"{"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "bytes"}]}"#;
    let point = record(&[("x", Value::Int(1)), ("y", Value::Bytes(Vec::new()))]);
    check(inner, point, Some(r#"{"x":1,"y":""}"#));
}

#[test]
fn an_annotation_that_is_not_for_its_type_means_nothing() {
    let check = |of: &str, bytes: &[u8], expected: &str| {
        let table = read(&by_hand(&one_field(of), "null", &[(1, bytes)])).table();
        assert_eq!(table.rows, [good(1, &[Some(expected)])], "{of}");
    };
    check(r#"{"type": "int", "logicalType": "seconds"}"#, &number(7), "7");
    check(r#"{"type": "long", "logicalType": "date"}"#, &number(7), "7");
    check(r#"{"type": "fixed", "name": "F", "size": 2, "logicalType": "uuid"}"#, b"ab", "YWI=");
    check(
        r#"{"type": {"type": "long", "logicalType": "timestamp-millis"}}"#,
        &number(0),
        "1970-01-01T00:00:00.000000Z",
    );
}

#[test]
fn types_are_found_by_their_names() {
    let schema = r#"{"type": "record", "name": "R", "namespace": "a.b", "fields": [
        {"name": "one", "type": {"type": "enum", "name": "E", "symbols": ["X"]}},
        {"name": "two", "type": "E"},
        {"name": "three", "type": {"type": "fixed", "name": "c.F", "size": 1}},
        {"name": "four", "type": ["null", "c.F"]},
        {"name": "five", "type": {"type": "record", "name": "d.P", "fields": [
            {"name": "r", "type": {"type": "enum", "name": "E", "symbols": ["Y"]}}, {"name": "s", "type": "E"}]}}]}"#;
    let block = [number(0), number(0), b"a".to_vec(), number(1), b"b".to_vec(), number(0), number(0)].concat();
    let table = read(&by_hand(schema, "null", &[(1, &block)])).table();
    let cells = ["X", "X", "YQ==", "Yg==", r#"{"r":"Y","s":"Y"}"#].map(Some);
    assert_eq!(table.rows, [good(1, &cells)]);
}

#[test]
fn lists_come_in_groups_with_and_without_their_size() {
    let block = [number(-2), number(2), number(1), number(2), number(1), number(3), number(0)].concat();
    let bytes = by_hand(&one_field(r#"{"type": "array", "items": "int"}"#), "null", &[(1, &block)]);
    assert_eq!(read(&bytes).table().rows, [good(1, &[Some("[1,2,3]")])]);
}

#[test]
fn every_packing_gives_the_same_rows_and_so_does_a_packed_file() {
    let schema = fields(r#"{"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"]}"#);
    let name = |id: i64| match id % 7 {
        0 => Value::Union(0, Box::new(Value::Null)),
        _ => Value::Union(1, Box::new(Value::String(format!("name {id}")))),
    };
    let records: Vec<Value> = (0..5_000).map(|id| record(&[("id", Value::Long(id)), ("name", name(id))])).collect();
    let plain = file(&schema, Packing::Null, records.clone());
    let expected = read(&plain).table();
    assert_eq!(expected.summary.rows, 5_000);
    let packings = [
        Packing::Deflate(DeflateSettings::default()),
        Packing::Snappy,
        Packing::Zstandard(ZstandardSettings::default()),
    ];
    for packing in packings {
        let bytes = file(&schema, packing, records.clone());
        assert!(bytes.len() < plain.len(), "{packing:?}");
        assert_eq!(read(&bytes).table().rows, expected.rows, "{packing:?}");
    }
    let packed = zstd::encode_all(plain.as_slice(), 1).expect("zstd");
    assert_eq!(read(&packed).table().rows, expected.rows);
}

#[test]
fn a_file_without_a_record_is_read_and_one_without_a_byte_is_empty() {
    let table = read(&file(&one_field(r#""int""#), Packing::Null, Vec::new())).table();
    assert_eq!(table.summary.rows, 0);
    assert!(matches!(read(b"").error(), SourceError::EmptyObject { .. }));
}

#[test]
fn records_in_lists_become_rows_and_one_without_the_list_is_set_aside() {
    let item = r#"{"type": "record", "name": "I", "fields": [{"name": "n", "type": "int"}]}"#;
    let schema = one_field(&format!(r#"["null", {{"type": "array", "items": {item}}}, "string"]"#));
    let items = |numbers: &[i32]| {
        let items = numbers.iter().map(|number| record(&[("n", Value::Int(*number))])).collect();
        record(&[("v", Value::Union(1, Box::new(Value::Array(items))))])
    };
    let text = record(&[("v", Value::Union(2, Box::new(Value::String("x".to_owned()))))]);
    let none = record(&[("v", Value::Union(0, Box::new(Value::Null)))]);
    let bytes = file(&schema, Packing::Null, vec![items(&[1, 2]), none, text, items(&[3])]);
    let table = read(&bytes).records("$.v[*]").table();
    assert_eq!(table.columns, ["n"]);
    let rows = [good(1, &[Some("1")]), good(2, &[Some("2")]), corrupt(3, 1, r#"{"v":"x"}"#), good(4, &[Some("3")])];
    assert_eq!(table.rows, rows);
    assert_eq!(read(&bytes).records("$.v[*]").columns(), ["n"]);
}

#[test]
fn a_value_without_a_text_of_its_type_costs_its_record() {
    let check = |of: &str, bad: &[u8], raw: &str, says: &str| {
        let block = [bad, &number(0)].concat();
        let schema = fields(&format!(r#"{{"name": "v", "type": {of}}}, {{"name": "n", "type": "int"}}"#));
        let table = read(&by_hand(&schema, "null", &[(1, &block), (1, &block)])).table();
        assert_eq!(table.rows, [corrupt(1, 0, raw), corrupt(2, 0, raw)], "{of}");
        assert!(
            table.reasons[0].contains(&format!("record 1 has a value in column `v` that {says}")),
            "{:?}",
            table.reasons
        );
    };
    let time = r#"{"type": "int", "logicalType": "time-millis"}"#;
    check(time, &number(86_400_001), r#"{"v":"86400001","n":0}"#, "is not a time between 00:00 and 24:00");
    check(r#""int""#, &number(1 << 40), r#"{"v":"1099511627776","n":0}"#, "leaves the range of its column's type");
    check(r#""string""#, &sized(b"a\xFF"), "{\"v\":\"a\u{FFFD}\",\"n\":0}", "is not UTF-8");
    let decimal = r#"{"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 1}"#;
    let large = sized(&[1; 17]);
    check(
        decimal,
        &large,
        &format!(r#"{{"v":"0x{}","n":0}}"#, "01".repeat(17)),
        "is a decimal without bytes, or of more",
    );
}

#[test]
fn a_file_that_is_cut_off_is_refused_unless_a_block_ends_there() {
    let schema = one_field(r#""string""#);
    let blocks: Vec<Vec<u8>> = ["one", "two", "three"].iter().map(|text| sized(text.as_bytes())).collect();
    let blocks: Vec<(i64, &[u8])> = blocks.iter().map(|block| (1, block.as_slice())).collect();
    let bytes = by_hand(&schema, "null", &blocks);
    let ends: Vec<usize> =
        bytes.windows(16).enumerate().filter(|(_, window)| *window == MARKER).map(|(at, _)| at + 16).collect();
    assert_eq!(ends.len(), 4);
    for kept in 1..=bytes.len() {
        match read(&bytes[..kept]).run() {
            Ok((_, summary)) => {
                assert_eq!(ends.iter().position(|end| *end == kept), usize::try_from(summary.rows).ok(), "{kept}");
            }
            Err(error) => {
                assert!(!ends.contains(&kept), "{kept}: {error:?}");
                assert!(matches!(error, SourceError::Avro { .. }), "{kept}: {error:?}");
            }
        }
    }
}

#[test]
fn damage_is_named_with_its_block() {
    let schema = one_field(r#""string""#);
    let block = sized(b"text");
    let check = |bytes: &[u8], says: &str| {
        let error = error_of(read(bytes));
        assert!(error.contains("object 'data'") && error.contains(says), "{error}");
    };
    let good = by_hand(&schema, "null", &[(1, &block), (1, &block)]);
    let mut torn = good.clone();
    let last = torn.len() - 1;
    torn[last] ^= 1;
    let begin = good.len() - block.len() - 18;
    check(&torn, &format!("block 2, which begins at byte {begin}, does not end with the marker of the file"));
    check(&by_hand(&schema, "null", &[(2, &block)]), "its record 2 has bytes that end within a value");
    check(
        &by_hand(&schema, "null", &[(1, &[block.clone(), block.clone()].concat())]),
        "has more bytes than its records",
    );
    check(&by_hand(&schema, "null", &[(1 << 40, &block)]), "more records than bytes");
    check(&by_hand(&schema, "null", &[(-1, &block)]), "a negative number of records");
    check(&by_hand(&schema, "deflate", &[(1, &block)]), "block 1");
    check(&by_hand(&schema, "zstandard", &[(1, &block)]), "cannot be unpacked");
    check(&by_hand(&schema, "bzip2", &[(1, &block)]), "packed with 'bzip2', which is not read");
    check(b"id,name\n1,a\n", "does not begin as object container files of Avro do");
    check(&[b"Obj\x01".as_slice(), &number(1), &number(1 << 40)].concat(), "its header has a value of a negative size");
    let mut snappy = file(&schema, Packing::Snappy, vec![record(&[("v", Value::String("text".to_owned()))])]);
    let sum = snappy.len() - 17;
    snappy[sum] ^= 1;
    check(&snappy, "another check sum");
    let all = by_hand(&one_field(r#""boolean""#), "null", &[(1, &[2])]);
    check(&all, "neither 0 nor 1");
    check(&by_hand(&one_field(r#"["null", "int"]"#), "null", &[(1, &number(2))]), "has a union without this type");
    let rows = |error: SourceError| matches!(error, SourceError::Avro { rows: 1, .. });
    assert!(rows(read(&torn).error()), "the record before the fault counts");
}

#[test]
fn schemas_that_cannot_be_read_are_named() {
    let check = |schema: &str, says: &str| {
        let error = error_of(read(&by_hand(schema, "null", &[])));
        assert!(error.contains(says), "{schema}: {error}");
    };
    check(r#""long""#, "its schema is a number and no record");
    check(r#"{"type": "array", "items": "int"}"#, "is an array and no record");
    check("{", "is not JSON");
    check(&one_field(r#""Missing""#), "has the type `Missing`, which it does not define");
    check(&one_field("7"), "has 7 where a type is expected");
    check(&one_field(r#"{"items": "int"}"#), "has an object without a type");
    check(&one_field(r#"{"type": "enum", "name": "R", "symbols": []}"#), "defines the type `R` twice");
    check(&one_field(r#"{"type": "fixed", "name": "F"}"#), "has the fixed `F` without a size");
    let long = "n".repeat(5_000);
    check(&format!(r#"{{"type": "record", "name": "{long}", "fields": []}}"#), "whose name has more than 4096 bytes");
    let decimal = r#"{"type": "bytes", "logicalType": "decimal", "precision": 90, "scale": 77}"#;
    check(&one_field(decimal), "a decimal with the scale 77");
}

#[test]
fn no_file_takes_more_memory_or_depth_than_a_record_may_have() {
    let of_nulls = one_field(r#"{"type": "array", "items": "null"}"#);
    let error = read(&by_hand(&of_nulls, "null", &[(1, &[number(1 << 50), number(0)].concat())])).limits(SMALL).error();
    assert!(matches!(error, SourceError::RecordTooLarge { .. }), "{error:?}");
    let list = fields(r#"{"name": "next", "type": ["null", "R"]}"#);
    let error = error_of(read(&by_hand(&list, "null", &[(1, &[2; 100_000])])));
    assert!(error.contains("more than 100 deep"), "{error}");
    let long = file(&one_field(r#""string""#), Packing::Null, vec![record(&[("v", Value::String("x".repeat(300)))])]);
    assert!(matches!(read(&long).limits(SMALL).error(), SourceError::RecordTooLarge { .. }));
    // Its last text is no larger than a record may be, and its JSON is.
    let signs = Value::String("\u{1}".repeat(100));
    let long = file(&one_field(r#""string""#), Packing::Null, vec![record(&[("v", signs)])]);
    assert!(matches!(read(&long).limits(SMALL).error(), SourceError::RecordTooLarge { .. }));
    // Four times what a record may have, packed to a few bytes.
    for packing in [
        Packing::Deflate(DeflateSettings::default()),
        Packing::Snappy,
        Packing::Zstandard(ZstandardSettings::default()),
    ] {
        let bomb = vec![record(&[("v", Value::String("x".repeat(10_000)))])];
        let error = error_of(read(&file(&one_field(r#""string""#), packing, bomb)).limits(SMALL));
        assert!(error.contains("block 1") && error.contains("too large"), "{packing:?}: {error}");
    }
}

#[test]
fn a_beginning_estimates_rows_and_bytes() {
    let schema = fields(r#"{"name": "id", "type": "long"}, {"name": "name", "type": "string"}"#);
    // All of about one size.
    let ids = 1_000_000..1_050_000_i64;
    let records: Vec<Value> = ids
        .clone()
        .map(|id| record(&[("id", Value::Long(id)), ("name", Value::String(format!("{}", id * 7919)))]))
        .collect();
    for packing in [Packing::Null, Packing::Snappy, Packing::Deflate(DeflateSettings::default())] {
        let bytes = file(&schema, packing, records.clone());
        let text: usize = ids.clone().map(|id| format!(r#"{{"id":{id},"name":"{}"}}"#, id * 7919).len()).sum();
        let near = |found: u64, exact: usize| found.abs_diff(exact as u64) * 10 <= exact as u64;
        for kept in [bytes.len(), 64 << 10] {
            let measured = measure(&bytes[..kept.min(bytes.len())], bytes.len() as u64, 2);
            assert!(near(measured.rows, 50_000), "{packing:?}, {kept} bytes: {measured:?}");
            assert!(near(measured.unpacked_bytes, text), "{packing:?}, {kept} bytes: {measured:?}");
        }
        // Not even the first block.
        let measured = measure(&bytes[..2_000], bytes.len() as u64, 2);
        assert!(measured.rows > 10_000 && measured.rows < 250_000, "{packing:?}: {measured:?}");
    }
    assert_eq!(measure(b"no Avro", 700, 3), ObjectMeasure { columns: 3, ..ObjectMeasure::unseen(700) });
}

/// A record of the property test, and its cells.
type Cells = (i64, f64, Option<String>, Vec<u8>);

proptest! {
    #[test]
    fn what_another_implementation_writes_is_read_back_at_any_size_of_blocks_and_batches(
        records in proptest::collection::vec(
            (any::<i64>(), any::<f64>(), proptest::option::of(any::<String>()), any::<Vec<u8>>()), 1..30
        ),
        block_bytes in 1_usize..400,
        chunk_bytes in 1_usize..400,
        packing in prop_oneof![
            Just(Packing::Null),
            Just(Packing::Snappy),
            Just(Packing::Deflate(DeflateSettings::default())),
            Just(Packing::Zstandard(ZstandardSettings::default())),
        ],
    ) {
        let schema = fields(
            r#"{"name": "l", "type": "long"}, {"name": "d", "type": "double"},
               {"name": "s", "type": ["null", "string"]}, {"name": "b", "type": "bytes"}"#,
        );
        let schema = Written::parse_str(&schema).unwrap();
        let mut writer =
            Writer::builder().schema(&schema).writer(Vec::new()).codec(packing).block_size(block_bytes).build().unwrap();
        for (l, d, s, b) in &records {
            let s = match s {
                None => Value::Union(0, Box::new(Value::Null)),
                Some(text) => Value::Union(1, Box::new(Value::String(text.clone()))),
            };
            let fields = [("l", Value::Long(*l)), ("d", Value::Double(*d)), ("s", s), ("b", Value::Bytes(b.clone()))];
            writer.append_value(record(&fields)).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let table = read(&bytes).limits(ReadLimits { chunk_bytes, ..ReadLimits::default() }).table();
        prop_assert_eq!(&table.columns, &["l", "d", "s", "b"]);
        prop_assert_eq!(table.rows.len(), records.len());
        for ((_, cells, raw), expected) in table.rows.iter().zip(&records) {
            prop_assert_eq!(raw, &None);
            let (l, d, s, b): &Cells = expected;
            let number: f64 = cells[1].as_deref().unwrap().parse().unwrap();
            prop_assert_eq!(cells[0].as_deref().unwrap().parse::<i64>(), Ok(*l));
            prop_assert!(number.to_bits() == d.to_bits() || (number.is_nan() && d.is_nan()));
            prop_assert_eq!(&cells[2], s);
            let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, cells[3].as_deref().unwrap());
            prop_assert_eq!(bytes.as_ref(), Ok(b));
        }
    }
}
