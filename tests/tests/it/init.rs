//! `sluice init`: files with the habits of real exporters become pipelines that run without an edit.

use std::fs;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{assert_says, land, rows};

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

fn utf16(text: &str) -> Vec<u8> {
    [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat()
}

#[test]
fn spreadsheets_and_statistics_run_without_an_edit() {
    let habits = [
        habit(
            "Excel, German",
            "a.csv",
            b"Nr;Stra\xdfe;Betrag;Datum;Aktiv\r\n1;Allee;1.299,50;31.01.2024;ja\r\n2;Weg;-0,25;01.02.2024;nein\r\n",
            &["nr int64", "strasse text", "betrag decimal(18,2)", "datum date", "aktiv boolean"],
            &["1|Allee|1299.50|2024-01-31|true", "2|Weg|-0.25|2024-02-01|false"],
        ),
        habit(
            "Excel, Unicode text",
            "a.txt",
            utf16("Id\tGröße\r\n1\tgroß\r\n2\tklein\r\n"),
            &["id int64", "groesse text"],
            &["1|groß", "2|klein"],
        ),
        habit(
            "Excel, UTF-8 with mark",
            "a.csv",
            "\u{feff}Id,Name\n1,Zoë\n2,Ann\n",
            &["id int64", "name text"],
            &["1|Zoë", "2|Ann"],
        ),
        habit(
            "Excel, US times",
            "a.csv",
            "Id,Sold\n1,1/31/2024 8:05 PM\n2,2/1/2024 11:00 AM\n",
            &["id int64", "sold timestamp"],
            &["1|2024-01-31T20:05:00Z", "2|2024-02-01T11:00:00Z"],
        ),
        habit(
            "pandas with index",
            "a.csv",
            ",name,score\n0,a,1.5\n1,b,nan\n",
            &["column_1 int64", "name text", "score double"],
            &["0|a|1.5", "1|b|NULL"],
        ),
        habit(
            "pandas booleans",
            "a.csv",
            "id,ok\n1,True\n2,False\n",
            &["id int64", "ok boolean"],
            &["1|true", "2|false"],
        ),
        habit(
            "R with NA",
            "a.csv",
            "\"id\",\"temp\",\"name\"\n1,\"21.5\",\"a\"\n2,NA,NA\n",
            &["id int64", "temp double", "name text"],
            &["1|21.5|a", "2|NULL|NULL"],
        ),
        habit(
            "R with names of rows",
            "a.csv",
            "\"x\",\"y\"\n\"1\",5,\"a\"\n\"2\",6,\"b\"\n",
            &["row_name int64", "x int64", "y text"],
            &["1|5|a", "2|6|b"],
        ),
        habit(
            "title before the header",
            "a.csv",
            "Report of 2024\n\nid,city,n\n1,Bonn,5\n2,Ulm,6\n",
            &["id int64", "city text", "n int64"],
            &["1|Bonn|5", "2|Ulm|6"],
        ),
        habit(
            "weather station",
            "a.csv",
            "# station 4711\n# unit: C\ntime,temp\n2024-01-05 10:00,1.5\n2024-01-05 11:00,-\n",
            &["time timestamp", "temp double"],
            &["2024-01-05T10:00:00Z|1.5", "2024-01-05T11:00:00Z|NULL"],
        ),
        habit(
            "names in a comment",
            "a.csv",
            "# made by hand\n# day, mm\n2024-01-05,3\n2024-01-06,4\n",
            &["day date", "mm int64"],
            &["2024-01-05|3", "2024-01-06|4"],
        ),
        habit("no header", "a.csv", "1,a\n2,b\n", &["column_1 int64", "column_2 text"], &["1|a", "2|b"]),
        habit(
            "repeated header names",
            "a.csv",
            "id,value,value\n1,2,3\n2,4,5\n",
            &["id int64", "value int64", "value_3 int64"],
            &["1|2|3", "2|4|5"],
        ),
        habit(
            "ragged",
            "a.csv",
            "id,a,b\n1,2,3\n2\n3,4,5\n",
            &["id int64", "a int64", "b int64"],
            &["1|2|3", "2|NULL|NULL", "3|4|5"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn databases_run_without_an_edit() {
    let habits = [
        habit(
            "PostgreSQL COPY",
            "a.tsv",
            "id\tat\tnote\n1\t2024-01-05 10:11:12.123+00\tx\n2\t\\N\t\\N\n",
            &["id int64", "at timestamp", "note text"],
            &["1|2024-01-05T10:11:12.123Z|x", "2|NULL|NULL"],
        ),
        habit("PostgreSQL booleans", "a.csv", "id,ok\n1,t\n2,f\n", &["id int64", "ok boolean"], &["1|true", "2|false"]),
        habit(
            "MySQL",
            "a.csv",
            "id,born,n\n1,2024-01-05,NULL\n2,0000-00-00,3\n",
            &["id int64", "born date", "n int64"],
            &["1|2024-01-05|NULL", "2|NULL|3"],
        ),
        habit(
            "SQL Server",
            "a.csv",
            "Id|Amount|At\n1|1.5000|2024-01-05 10:11:12.1230000\n2|2.2500|2024-01-06 00:00:00.0000000\n",
            &["id int64", "amount decimal(18,4)", "at timestamp"],
            &["1|1.5000|2024-01-05T10:11:12.123Z", "2|2.2500|2024-01-06T00:00:00Z"],
        ),
        habit(
            "SAP",
            "a.txt",
            "MATNR;BUDAT;WRBTR;\n000000000000000123;20240105;1.234,50-;\n000000000000000124;20240106;10,00;\n",
            &["matnr text", "budat date", "wrbtr text"],
            &["000000000000000123|2024-01-05|1.234,50-", "000000000000000124|2024-01-06|10,00"],
        ),
        habit(
            "ids above 64 bits",
            "a.csv",
            "id,n\n92233720368547758070,1\n92233720368547758071,2\n",
            &["id text", "n int64"],
            &["92233720368547758070|1", "92233720368547758071|2"],
        ),
        habit(
            "day first",
            "a.csv",
            "id,d\n1,13/02/2024\n2,01/02/2024\n",
            &["id int64", "d date"],
            &["1|2024-02-13", "2|2024-02-01"],
        ),
        habit(
            "either order of day and month",
            "a.csv",
            "id,d\n1,03/02/2024\n2,01/02/2024\n",
            &["id int64", "d text"],
            &["1|03/02/2024", "2|01/02/2024"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn services_and_change_feeds_run_without_an_edit() {
    let habits = [
        habit(
            "MongoDB",
            "a.json",
            "{\"_id\":{\"$oid\":\"65\"},\"n\":1}\n{\"_id\":{\"$oid\":\"66\"},\"n\":2}\n",
            &["id_oid int64", "n int64"],
            &["65|1", "66|2"],
        ),
        habit(
            "Stripe",
            "a.ndjson",
            "{\"id\":\"ch_1\",\"amount\":500,\"created\":1704449472,\"paid\":true}\n",
            &["id text", "amount int64", "created timestamp", "paid boolean"],
            &["ch_1|500|2024-01-05T10:11:12Z|true"],
        ),
        habit(
            "Salesforce",
            "a.csv",
            "\"Id\",\"CreatedDate\"\n\"001x\",\"2024-01-05T10:11:12.000+0000\"\n\
             \"001y\",\"2024-01-06T10:11:12.000+0000\"\n",
            &["id text", "created_date timestamp"],
            &["001x|2024-01-05T10:11:12Z", "001y|2024-01-06T10:11:12Z"],
        ),
        habit(
            "GitHub events",
            "a.ndjson",
            "{\"id\":\"34\",\"type\":\"PushEvent\",\"actor\":{\"id\":1},\"public\":true,\
             \"created_at\":\"2024-01-05T10:11:12Z\"}\n",
            &["id int64", "type text", "actor_id int64", "public boolean", "created_at timestamp"],
            &["34|PushEvent|1|true|2024-01-05T10:11:12Z"],
        ),
        habit(
            "Kafka Connect",
            "a.json",
            "{\"topic\":\"t\",\"offset\":7,\"timestamp\":1704449472123,\"value\":\"x\"}\n\
             {\"topic\":\"t\",\"offset\":8,\"timestamp\":1704449472124,\"value\":null}\n",
            &["topic text", "offset_ int64", "timestamp timestamp", "value text"],
            &["t|7|2024-01-05T10:11:12.123Z|x", "t|8|2024-01-05T10:11:12.124Z|NULL"],
        ),
        habit(
            "DMS",
            "a.csv",
            "Op,id,updated\nI,1,2024-01-05 10:11:12.000000\nU,1,2024-01-05 10:11:13.000000\n",
            &["op text", "id int64", "updated timestamp"],
            &["I|1|2024-01-05T10:11:12Z", "U|1|2024-01-05T10:11:13Z"],
        ),
        habit(
            "Debezium",
            "a.ndjson",
            "{\"op\":\"c\",\"ts_ms\":1704449472123,\"after\":{\"id\":1}}\n",
            &["op text", "ts_ms timestamp", "after_id int64"],
            &["c|2024-01-05T10:11:12.123Z|1"],
        ),
        habit(
            "JSON array",
            "a.json",
            "[{\"id\": 1, \"n\": 1.25},\n {\"id\": 2}]\n",
            &["id int64", "n double"],
            &["1|1.25", "2|NULL"],
        ),
        habit(
            "packed",
            "a.csv.zst",
            zstd::encode_all(&b"id;n\n1;2\n2;3\n"[..], 1).unwrap(),
            &["id int64", "n int64"],
            &["1|2", "2|3"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn nested_documents_run_without_an_edit() {
    let habits = [
        habit(
            "envelope",
            "a.json",
            r#"{"next": null, "Records": [{"id": 1, "customer": {"city": "Ulm", "geo": {"lat": 48.4, "lon": 9.5}},
                "tags": ["a", "b"]}, {"id": 2}]}"#,
            &["id int64", "customer_city text", "customer_geo_lat double", "customer_geo_lon double", "tags text"],
            &["1|Ulm|48.4|9.5|[\"a\",\"b\"]", "2|NULL|NULL|NULL|NULL"],
        ),
        habit(
            "Elasticsearch",
            "a.json",
            r#"{"hits":{"total":{"value":2},"hits":[{"_id":"x","_source":{"n":1}},{"_id":"y","_source":{"n":2}}]}}"#,
            &["id text", "source_n int64"],
            &["x|1", "y|2"],
        ),
        habit(
            "objects in some records only",
            "a.ndjson",
            "{\"id\":1,\"a\":{\"b\":1}}\n{\"id\":2,\"a\":\"x\"}\n",
            &["id int64", "a text"],
            &["1|{\"b\":1}", "2|x"],
        ),
        habit(
            "names like paths",
            "a.ndjson",
            "{\"$.id\":1,\"my a\":{\"b c\":\"x\"}}\n{\"$.id\":2,\"my a\":null}\n",
            &["id int64", "my_a_b_c text"],
            &["1|x", "2|NULL"],
        ),
        habit(
            "numbers as texts",
            "a.ndjson",
            "{\"id\":\"1\",\"n\":\"1.5\"}\n{\"id\":\"2\",\"n\":\"2.125\"}\n",
            &["id int64", "n double"],
            &["1|1.5", "2|2.125"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn odd_names_and_shapes_run_without_an_edit() {
    let habits = [
        habit("one column", "a.csv", "city\nBonn\nUlm\n", &["city text"], &["Bonn", "Ulm"]),
        habit("all null", "a.csv", "id,x\n1,\n2,\n", &["id int64", "x text"], &["1|NULL", "2|NULL"]),
        habit("emoji", "a.csv", "😀,😀\n1,2\n3,4\n", &["column_1 int64", "c_2 int64"], &["1|2", "3|4"]),
        habit(
            "header with a line end",
            "a.csv",
            "\"Order\nid\",n\n1,2\n3,4\n",
            &["order_id int64", "n int64"],
            &["1|2", "3|4"],
        ),
        habit(
            "semicolons and texts with commas",
            "a.csv",
            "Id;Note\r\n1;a, b, c\r\n2;d, e, f\r\n",
            &["id int64", "note text"],
            &["1|a, b, c", "2|d, e, f"],
        ),
        habit(
            "percent and currency",
            "a.csv",
            "id,share,price\n1,5%,$3.50\n2,7%,$4.00\n",
            &["id int64", "share text", "price text"],
            &["1|5%|$3.50", "2|7%|$4.00"],
        ),
        habit(
            "ragged without header",
            "a.csv",
            "1,2,3\n2\n3,4,5\n",
            &["column_1 int64", "column_2 int64", "column_3 int64"],
            &["1|2|3", "2|NULL|NULL", "3|4|5"],
        ),
        habit(
            "zeros in front, and years",
            "a.csv",
            "code,year\n007,2019\n012,2020\n",
            &["code text", "year int64"],
            &["007|2019", "012|2020"],
        ),
        habit(
            "a name like that of a value of the file, CSV",
            "a.csv",
            "id,_source_file.name\n1,x\n2,y\n",
            &["id int64", "source_file_name text"],
            &["1|x", "2|y"],
        ),
        habit(
            "a name like that of a value of the file, NDJSON",
            "a.ndjson",
            "{\"id\":1,\"_source_file.name\":{\"a\":\"x\"}}\n{\"id\":2,\"_source_file.name\":null}\n",
            &["id int64", "source_file_name_a text"],
            &["1|x", "2|NULL"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn wide_files_and_long_names_keep_every_column() {
    let lab = lab();
    let mut header: Vec<String> = (0..299).map(|column| format!("c{column}")).collect();
    header.push("n".repeat(300));
    let row: Vec<String> = (0..300).map(|column| column.to_string()).collect();
    land(&lab, "a.csv", format!("{}\n{}\n", header.join(","), row.join(",")));
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found).len(), 300);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["c0", "c298", &"n".repeat(64)]), ["0|298|299"]);
}

#[test]
fn a_record_with_more_fields_than_the_header_is_announced() {
    let lab = lab();
    let records: String = (2..30).map(|id| format!("{id},b\n")).collect();
    land(&lab, "a.csv", format!("id,name\n1,a,x\n{records}"));
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "name text"]);
    assert_says(&found["proposal"]["notes"].to_string(), &["1 records of", "quarantine"], "the long record");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!((lab.rows(SILVER), lab.rows("quarantine/main/t")), (28, 1));
}

#[test]
fn several_lists_in_a_document_are_left_to_a_person() {
    let lab = lab();
    land(&lab, "a.json", r#"{"data":[{"a":1}],"included":[{"b":1}],"n":1}"#);
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["data text", "included text", "n int64"]);
    assert_says(&found["source"]["evidence"].to_string(), &["$.data[*], $.included[*]"], "the choice");
}

#[test]
fn several_files_with_one_column_less_are_one_pipeline() {
    let lab = lab();
    land(&lab, "a.csv", "id,name\n1,a\n");
    land(&lab, "b.csv", "id,name,extra\n2,b,5\n");
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "name text", "extra int64"]);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "extra"]), ["1|a|NULL", "2|b|5"]);
}

#[test]
fn a_few_odd_values_go_to_quarantine_and_are_shown_before() {
    let lab = lab();
    let records: String = (1..=99).map(|id| format!("{id},{id}.50\n")).collect();
    land(&lab, "a.csv", format!("id,amount\n{records}100,n/a?\n"));
    let found: Value = init(&lab, &[]).expect_code(0).page();
    let refused = &found["proposal"]["columns"][1]["refused"];
    assert_eq!((refused["count"].as_u64(), refused["record"].as_u64()), (Some(1), Some(100)), "{found:#}");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!((lab.rows(SILVER), lab.rows("quarantine/main/t")), (99, 1));
}

#[test]
fn personal_data_get_a_classification() {
    let lab = lab();
    land(
        &lab,
        "a.csv",
        "id,email,iban\n1,ann@example.com,DE89370400440532013000\n2,bob@example.com,GB82WEST12345698765432\n",
    );
    let _ = init(&lab, &[]).expect_code(0);
    let contract = fs::read_to_string(lab.pipeline().join("contracts/t.odcs.yaml")).unwrap();
    assert_says(&contract, &["classification: confidential", "classification: restricted"], "hints");
    let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
    assert_says(&spec, &["mode: append", "[id] is unique"], "the key");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let lab = lab();
    land(&lab, "a.csv", "id,n\n1,2\n");
    let _ = init(&lab, &[]).expect_code(0);
    let run = init(&lab, &[]).expect_code(2);
    assert_says(&run.stdout, &["exists", "--force"], "a second time");
    let _ = init(&lab, &["--force"]).expect_code(0);
}

#[test]
fn what_is_no_table_is_refused_with_the_fix_and_nothing_is_written() {
    let check = |files: &[(&str, &[u8])], code: i32, says: &str| {
        let lab = lab();
        for (name, bytes) in files {
            land(&lab, name, bytes);
        }
        let run = init(&lab, &[]).expect_code(code);
        assert_says(&run.stdout, &[says], says);
        assert!(!lab.pipeline().exists(), "{says}");
    };
    check(&[], 2, "no file that a pipeline would take");
    check(&[("a.csv", b"")], 1, "is empty");
    check(&[("a.csv", b"id,name\n")], 1, "has a header and no record");
    check(&[("a.json", b"{}\n{}\n")], 1, "have no keys");
    check(&[("a.json", b"{\"x\":[{\"a\":1}]}"), ("b.json", b"{\"y\":[{\"a\":1}]}")], 1, "records in `$.x[*]`");
    check(&[("a.xlsx", b"PK\x03\x04\x14\0")], 1, "save the sheet as CSV");
    check(&[("a.csv", b"id,n\r1,2\r3,4\r")], 1, "carriage returns alone");
    // A line feed inside a title does not make other lines of it.
    check(&[("a.csv", b"id,n\r1,\"a\nb\"\r3,4\r")], 1, "carriage returns alone");
    check(&[("a.bin", b"\0\x01\x02\xff\0\x03")], 1, "binary data");
    check(&[("a.csv", b"id,n\n1,2\n"), ("b.csv", b"{\"id\": 1}\n")], 1, "is NDJSON");
    check(&[("a.csv", b"id,n\n1,2\n"), ("b.csv", b"id;n\n1;2\n")], 1, "delimiter");
    check(&[("a.csv", b"id,n\n1,2\n"), ("b.csv", b"x,y\n1,2\n")], 1, "no column in common");
}
