//! Avro: records that another implementation wrote become typed rows.

use apache_avro::types::Value;
use apache_avro::{Codec, Decimal, DeflateSettings, Schema, Writer};
use sluice_core::run::Outcome;

use crate::small::{BRONZE, ORDERS, Python, SILVER, assert_says, held_by, land, orders_with, rows};

const SHOWN: [&str; 5] = ["id", "name", "amount", "day", "_source_row"];

/// An object container file of records with these fields.
pub(crate) fn avro_file(fields: &str, codec: Codec, records: &[&[(&str, Value)]]) -> Vec<u8> {
    let schema = format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#);
    let schema = Schema::parse_str(&schema).expect("a schema");
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec).expect("a writer");
    for fields in records {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        writer.append_value(Value::Record(fields)).expect("a record of the schema");
    }
    writer.into_inner().expect("written")
}

fn some(value: Value) -> Value {
    Value::Union(1, Box::new(value))
}

fn none() -> Value {
    Value::Union(0, Box::new(Value::Null))
}

fn money(cents: i16) -> Value {
    Value::Decimal(Decimal::from(cents.to_be_bytes()))
}

const ID: &str = r#"{"name": "id", "type": "long"}"#;
const AMOUNT: &str =
    r#"{"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}}"#;
const DAY: &str = r#"{"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]}"#;
/// Day 20 454 is 2026-01-01.
const FIRST_DAY: i32 = 20_454;

fn orders() -> Vec<u8> {
    let who = r#"{"name": "who", "type": {"type": "record", "name": "Who", "fields": [
        {"name": "name", "type": ["null", "string"]}]}}"#;
    let named = |name: Value| Value::Record(vec![("name".to_owned(), name)]);
    let first = [
        ("id", Value::Long(1)),
        ("who", named(some(Value::String("größe".to_owned())))),
        ("amount", money(150)),
        ("day", some(Value::Date(FIRST_DAY))),
    ];
    let second = [("id", Value::Long(2)), ("who", named(none())), ("amount", money(-200)), ("day", none())];
    avro_file(&format!("{ID}, {who}, {AMOUNT}, {DAY}"), Codec::Snappy, &[&first, &second])
}

fn spec(source: &str) -> String {
    ORDERS.replace("format: csv", source).replace("name: name", "name: '$.who.name'")
}

#[test]
fn records_of_schemas_that_differ_become_typed_rows() {
    let lab = orders_with(&spec("format: avro"));
    land(&lab, "a.avro", orders());
    // A later schema: the fields in another order, one less, one more.
    let more = r#"{"name": "more", "type": {"type": "map", "values": "double"}}"#;
    let map = Value::Map([("x".to_owned(), Value::Double(0.5))].into_iter().collect());
    let third =
        [("more", map), ("day", some(Value::Date(FIRST_DAY + 2))), ("amount", money(250)), ("id", Value::Long(3))];
    let codec = Codec::Deflate(DeflateSettings::default());
    land(&lab, "b.avro", avro_file(&format!("{more}, {DAY}, {AMOUNT}, {ID}"), codec, &[&third]));
    let run = lab.run().expect(Outcome::Published);
    let expected = ["1|größe|1.50|2026-01-01|1", "2|NULL|-2.00|NULL|2", "3|NULL|2.50|2026-01-03|1"];
    assert_eq!(rows(&lab, SILVER, &SHOWN), expected, "{run}");
    let expected = [r#"1|{"name":"größe"}|NULL"#, r#"2|{"name":null}|NULL"#, r#"3|NULL|{"x":0.5}"#];
    assert_eq!(rows(&lab, BRONZE, &["id", "who", "more"]), expected, "{run}");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn records_in_a_list_become_rows() {
    let lab = orders_with(&spec("format: avro, records: '$.items[*]'"));
    let item = format!(r#"{{"type": "record", "name": "Item", "fields": [{ID}, {AMOUNT}]}}"#);
    let items = format!(r#"{{"name": "items", "type": {{"type": "array", "items": {item}}}}}"#);
    let item = |id: i64| Value::Record(vec![("id".to_owned(), Value::Long(id)), ("amount".to_owned(), money(100))]);
    let documents = [[("items", Value::Array(vec![item(1), item(2)]))], [("items", Value::Array(vec![item(3)]))]];
    let documents: Vec<&[(&str, Value)]> = documents.iter().map(|document| document.as_slice()).collect();
    land(&lab, "a.avro", avro_file(&items, Codec::Null, &documents));
    // Another object has the columns that this one lacks.
    let day = format!(
        r#"{{"name": "items", "type": {{"type": "array", "items":
        {{"type": "record", "name": "Item", "fields": [{ID}, {AMOUNT}, {DAY},
            {{"name": "who", "type": {{"type": "map", "values": "string"}}}}]}}}}}}"#
    );
    let who = Value::Map([("name".to_owned(), Value::String("d".to_owned()))].into_iter().collect());
    let fourth = [("id", Value::Long(4)), ("amount", money(400)), ("day", none()), ("who", who)];
    let fourth = Value::Record(fourth.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    land(&lab, "b.avro", avro_file(&day, Codec::Null, &[&[("items", Value::Array(vec![fourth]))]]));
    let run = lab.run().expect(Outcome::Published);
    let expected = ["1|NULL|1.00|NULL|1", "2|NULL|1.00|NULL|2", "3|NULL|1.00|NULL|3", "4|d|4.00|NULL|1"];
    assert_eq!(rows(&lab, SILVER, &SHOWN), expected, "{run}");
}

#[test]
fn a_file_that_is_damaged_or_no_table_costs_that_file() {
    let lab = orders_with(&spec("format: avro"));
    land(&lab, "a.avro", orders());
    let bytes = orders();
    land(&lab, "cut.avro", &bytes[..bytes.len() - 5]);
    land(&lab, "csv.avro", "id,name,amount,day\n1,a,1.00,\n");
    let schema = Schema::parse_str(r#""long""#).unwrap();
    let mut writer = Writer::new(&schema, Vec::new()).unwrap();
    writer.append_value(Value::Long(1)).unwrap();
    land(&lab, "numbers.avro", writer.into_inner().unwrap());
    let run = lab.run().expect(Outcome::Published);
    let held = held_by(&run);
    assert_says(&held, &["cut.avro", "block 1, which begins at byte", "ends early"], "a part of a file");
    assert_says(&held, &["csv.avro", "does not begin as object container files of Avro do"], "a text");
    assert_says(&held, &["numbers.avro", "its schema is a number and no record"], "numbers");
    assert!(!held.contains("/a.avro"), "{held}");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"], "{run}");
}

/// Writes files with fastavro into `folder`: one packed and one not, each record in a block of its own.
const FASTAVRO: &str = "
import datetime as d, decimal, fastavro
D = decimal.Decimal
at = {'type': 'long', 'logicalType': 'timestamp-micros'}
more = {'type': 'record', 'name': 'More', 'fields': [
    {'name': 'at', 'type': at}, {'name': 'tags', 'type': {'type': 'array', 'items': 'string'}},
    {'name': 'ratio', 'type': 'double'}, {'name': 'next', 'type': ['null', 'More'], 'default': None}]}
schema = fastavro.parse_schema({'type': 'record', 'name': 'sales.Order', 'fields': [
    {'name': 'id', 'type': 'int'},
    {'name': 'name', 'type': ['null', 'string'], 'default': None},
    {'name': 'amount', 'type': {'type': 'bytes', 'logicalType': 'decimal', 'precision': 10, 'scale': 2}},
    {'name': 'day', 'type': ['null', {'type': 'int', 'logicalType': 'date'}]},
    {'name': 'more', 'type': ['null', more], 'default': None}]})
utc = d.datetime(2026, 1, 1, 10, tzinfo=d.timezone.utc)
inner = {'at': utc, 'tags': [], 'ratio': float('nan')}
records = [
    {'id': 1, 'name': 'ann', 'amount': D('1.50'), 'day': d.date(2026, 1, 1),
     'more': {'at': utc, 'tags': ['a', 'ü'], 'ratio': 0.1, 'next': inner}},
    {'id': 2, 'name': 'b \"c\", ü', 'amount': D('-2.00'), 'day': None},
    {'id': 3, 'amount': D('0.00'), 'day': d.date(2026, 1, 3)}]
for codec in ['null', 'deflate']:
    with open(f'{folder}/{codec}.avro', 'wb') as file:
        fastavro.writer(file, schema, records, codec, sync_interval=1)
";

#[test]
fn files_of_fastavro_have_the_same_rows() {
    let Some(python) = Python::or_skip("modes::avro::files_of_fastavro_have_the_same_rows") else { return };
    let lab = orders_with(&ORDERS.replace("format: csv", "format: avro"));
    python.run(&format!("folder = {:?}\n{FASTAVRO}", lab.landing().display().to_string()));
    let run = lab.run().expect(Outcome::Published);
    let expected = ["1|ann|1.50|2026-01-01|1", "2|b \"c\", ü|-2.00|NULL|2", "3|NULL|0.00|2026-01-03|3"];
    let found = rows(&lab, SILVER, &SHOWN);
    assert_eq!(found.len(), 2 * expected.len(), "{run}");
    for row in expected {
        assert_eq!(found.iter().filter(|found| *found == row).count(), 2, "{row}: {found:?}");
    }
    let inner = r#"{"at":"2026-01-01T10:00:00.000000Z","tags":[],"ratio":"NaN","next":null}"#;
    let more = format!(r#"{{"at":"2026-01-01T10:00:00.000000Z","tags":["a","ü"],"ratio":0.1,"next":{inner}}}"#);
    let found = rows(&lab, BRONZE, &["more"]);
    assert_eq!(found.iter().filter(|found| **found == more).count(), 2, "{found:?}");
}
