//! Writes the files of a page. The content of a format that is no text is made from the text that the page shows.

use std::fs;

use apache_avro::Codec;
use apache_avro::types::Value as Avro;
use polars::prelude::{DataFrame, NamedFrom, ParquetWriter, Series};
use serde_json::{Map, Value, json};
use sluice_tests::lab::Lab;

use crate::modes::avro_file;
use crate::workbook::{Workbook, archive, rows_xml};

/// Writes a file to the folder of a page.
pub(super) fn write(lab: &Lab, path: &str, text: &str) {
    let to = lab.folder().join(path);
    fs::create_dir_all(to.parent().expect("a file is in a folder")).unwrap();
    let bytes = match to.extension().and_then(|ending| ending.to_str()) {
        Some("avro") => avro(text),
        Some("parquet") => parquet(text),
        Some("xlsx") => workbook(text),
        Some("zip") => zip(text),
        _ => text.as_bytes().to_vec(),
    };
    fs::write(to, bytes).unwrap();
}

fn records(text: &str) -> Vec<Map<String, Value>> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// A zip archive of the members that a text shows, each behind a line with its name, as `head` prints several files.
fn zip(text: &str) -> Vec<u8> {
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("==> ").and_then(|name| name.strip_suffix(" <==")) {
            Some(name) => members.push((name.to_owned(), Vec::new())),
            None => {
                let (_, content) = members.last_mut().expect("a line with the name of a member comes first");
                content.extend_from_slice(format!("{line}\n").as_bytes());
            }
        }
    }
    archive(&members)
}

/// A field of an Avro schema that fits this value.
fn avro_field(name: &str, value: &Value) -> Value {
    let field_type = match value {
        Value::Bool(_) => json!("boolean"),
        Value::Number(number) if number.is_i64() => json!("long"),
        Value::Number(_) => json!("double"),
        Value::String(_) => json!("string"),
        Value::Object(fields) => {
            let fields: Vec<Value> = fields.iter().map(|(name, value)| avro_field(name, value)).collect();
            json!({ "type": "record", "name": name, "fields": fields })
        }
        Value::Null | Value::Array(_) => panic!("{name}: the type of {value} is not known"),
    };
    json!({ "name": name, "type": field_type })
}

fn avro_value(value: &Value) -> Avro {
    match value {
        Value::Bool(value) => Avro::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Avro::Long(number),
            None => Avro::Double(number.as_f64().expect("a double")),
        },
        Value::String(text) => Avro::String(text.clone()),
        Value::Object(fields) => {
            Avro::Record(fields.iter().map(|(name, value)| (name.clone(), avro_value(value))).collect())
        }
        Value::Null | Value::Array(_) => panic!("the type of {value} is not known"),
    }
}

fn avro_record(record: &Map<String, Value>) -> Vec<(&str, Avro)> {
    record.iter().map(|(name, value)| (name.as_str(), avro_value(value))).collect()
}

/// An Avro file of these JSON records; the first one has the types.
fn avro(text: &str) -> Vec<u8> {
    let records = records(text);
    let fields: Vec<String> = records[0].iter().map(|(name, value)| avro_field(name, value).to_string()).collect();
    let values: Vec<Vec<(&str, Avro)>> = records.iter().map(avro_record).collect();
    let values: Vec<&[(&str, Avro)]> = values.iter().map(Vec::as_slice).collect();
    avro_file(&fields.join(", "), Codec::Null, &values)
}

/// A Parquet file of these JSON records without values inside; the first one has the types.
fn parquet(text: &str) -> Vec<u8> {
    let records = records(text);
    let mut series: Vec<Series> = Vec::new();
    for (name, first) in &records[0] {
        let values = records.iter().map(|record| &record[name]);
        let name = name.as_str().into();
        series.push(match first {
            Value::Number(number) if number.is_i64() => {
                Series::new(name, values.map(Value::as_i64).collect::<Vec<Option<i64>>>())
            }
            Value::Number(_) => Series::new(name, values.map(Value::as_f64).collect::<Vec<Option<f64>>>()),
            _ => Series::new(name, values.map(Value::as_str).collect::<Vec<Option<&str>>>()),
        });
    }
    let mut frame = DataFrame::new(records.len(), series.into_iter().map(Into::into).collect()).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

/// A workbook whose sheet `Orders` has these cells.
fn workbook(text: &str) -> Vec<u8> {
    let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let cells: Vec<&[&str]> = cells.iter().map(Vec::as_slice).collect();
    Workbook::new().sheet("Orders", &rows_xml(&cells)).bytes()
}
