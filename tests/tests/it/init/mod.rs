//! `sluice init`: files with the habits of real exporters become pipelines that run without an edit.

mod documents;
mod exports;
mod programs;
mod shapes;
mod together;
mod writing;

use apache_avro::Codec;
use apache_avro::types::Value as Avro;
use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::modes::avro_file;
use crate::small::{land, rows};
use crate::workbook::Workbook;

const SILVER: &str = "silver/main/t";

/// A file, and what is to become of it.
struct Habit {
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    /// Columns with their types, `name TYPE`.
    columns: &'static [&'static str],
    /// Rows of the silver table, sorted.
    rows: &'static [&'static str],
}

fn habit(
    name: &'static str,
    file: &'static str,
    bytes: impl Into<Vec<u8>>,
    columns: &'static [&'static str],
    rows: &'static [&'static str],
) -> Habit {
    Habit { name, file, bytes: bytes.into(), columns, rows }
}

fn lab() -> Lab {
    let lab = Lab::new();
    sluice_tests::files::remove_folder(&lab.pipeline());
    lab
}

fn init(lab: &Lab, more: &[&str]) -> Run {
    let mut command = lab.command(["init"]);
    command.arg(lab.landing()).arg("--to").arg(lab.pipeline()).args(["--name", "t", "--json"]).args(more);
    Run::of(command)
}

fn types(found: &Value) -> Vec<String> {
    let text = |column: &Value| {
        let column_type = match &column["column_type"] {
            Value::String(name) => name.clone(),
            other => format!("decimal({},{})", other["decimal"]["precision"], other["decimal"]["scale"]),
        };
        format!("{} {column_type}", column["name"].as_str().unwrap())
    };
    found["proposal"]["columns"].as_array().unwrap().iter().map(text).collect()
}

fn check(habit: &Habit) {
    let name = habit.name;
    let lab = lab();
    land(&lab, habit.file, &habit.bytes);
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), habit.columns, "{name}: {found:#}");
    let mut checks = lab.command(["check"]);
    checks.arg(lab.pipeline());
    let _ = Run::of(checks).expect_code(0);
    let run = lab.run().expect(Outcome::Published);
    let shown: Vec<&str> = habit.columns.iter().map(|column| column.split(' ').next().unwrap()).collect();
    assert_eq!(rows(&lab, SILVER, &shown), habit.rows, "{name}: {run}");
    assert!(!lab.tables().contains_key("quarantine/main/t"), "{name}: {run}");
    let _ = lab.run().expect(Outcome::Skipped);
}

fn workbook(rows: &[&[&str]]) -> Vec<u8> {
    Workbook::of_cells(rows).bytes()
}

fn events() -> Vec<u8> {
    let fields = r#"{"name": "id", "type": "int"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "who", "type": {"type": "record", "name": "Who", "fields": [{"name": "name", "type": "string"}]}}"#;
    let record = |id: i32, millis: i64, name: &str| {
        let who = Avro::Record(vec![("name".to_owned(), Avro::String(name.to_owned()))]);
        [("id", Avro::Int(id)), ("at", Avro::TimestampMillis(millis)), ("who", who)]
    };
    let (ann, bob) = (record(1, 1_706_707_800_000, "Ann"), record(2, 1_706_745_600_000, "Bob"));
    avro_file(fields, Codec::Null, &[&ann, &bob])
}

fn utf16(text: &str) -> Vec<u8> {
    [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat()
}
