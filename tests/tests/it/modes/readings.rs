//! How texts are read: null words, signs of numbers, words for booleans, formats of dates, and counts since 1970.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use crate::small::{BRONZE, QUARANTINE, SILVER, Steps, assert_says, contract, lab, land, rows};

/// Weather of stations, as an office delivers it.
const SPEC: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: FORMAT, null_words: [NA, 'NULL', '\\N'] }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns:
      station: Station
      temperature: { from: Temperatur, decimal: ',' }
      cost: { from: Kosten, decimal: ',', thousands: '.', null_words: ['-', NA] }
      people: { from: Personen, thousands: '.' }
      wet: { from: Nass, true_words: [J, ja], false_words: [N] }
      day: { from: Tag, formats: ['%d.%m.%Y', '%Y-%m-%d'] }
      at: Zeit
    mode: append
    gate: { quarantined_percent_below: none }
";
const COLUMNS: [&str; 7] = [
    "name: station, logicalType: string, required: true",
    "name: temperature, logicalType: number, physicalType: DOUBLE",
    "name: cost, logicalType: number, physicalType: 'DECIMAL(12,2)'",
    "name: people, logicalType: integer, physicalType: INT",
    "name: wet, logicalType: boolean",
    "name: day, logicalType: date, required: true, logicalTypeOptions: { format: yyyy/MM/dd }",
    "name: at, logicalType: timestamp",
];
const SHOWN: [&str; 7] = ["station", "temperature", "cost", "people", "wet", "day", "at"];
static KEYS: [&str; 7] = ["Station", "Temperatur", "Kosten", "Personen", "Nass", "Tag", "Zeit"];
/// The records of a delivery.
static RECORDS: [[&str; 7]; 5] = [
    ["a", "-1,5", "1.299,99", "1.200", "J", "31.01.2026", "2026-01-31 12:00:00.5+01"],
    ["b", "NA", "-1.234.567,80", "7", "N", "2026-01-31", "2026-01-31T12:00"],
    ["c", "NULL", "-", "NA", "ja", "01.02.2026", "NA"],
    ["d", "1,0", "1.23,4", "1", "J", "2026/01/31", "NULL"],
    ["NA", "1,0", "1,00", "1", "true", "NA", "\\N"],
];
const GOOD: [&str; 3] = [
    "a|-1.5|1299.99|1200|true|2026-01-31|2026-01-31T11:00:00.5Z",
    "b|NULL|-1234567.80|7|false|2026-01-31|2026-01-31T12:00:00Z",
    "c|NULL|NULL|NULL|true|2026-02-01|NULL",
];

/// Numbered values of one column.
const VALUES: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, SOURCE }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns: { id: id, value: FROM }
    mode: append
    gate: { quarantined_percent_below: none }
";

/// A source of this format with the columns `id` and another, which is read as a value of this type.
fn values(source: &str, from: &str, of_type: &str) -> Lab {
    let value = format!("name: value, {of_type}");
    let columns = ["name: id, logicalType: integer, physicalType: INT, required: true", value.as_str()];
    let spec = VALUES.replace("SOURCE", source).replace("FROM", from);
    lab(&spec, &[("orders", contract("orders", &columns, &[]))])
}

fn weather(format: &str) -> Lab {
    lab(&SPEC.replace("FORMAT", format), &[("orders", contract("orders", &COLUMNS, &[]))])
}

fn csv() -> String {
    let lines = RECORDS.iter().map(|record| record.map(|field| format!("\"{field}\"")).join(","));
    [KEYS.join(",")].into_iter().chain(lines).map(|line| format!("{line}\n")).collect()
}

fn ndjson() -> String {
    let record = |record: &[&str; 7]| {
        let fields = KEYS.iter().zip(record).map(|(key, field)| ((*key).to_owned(), serde_json::Value::from(*field)));
        format!("{}\n", serde_json::Value::Object(fields.collect()))
    };
    RECORDS.iter().map(record).collect()
}

fn replay(lab: &Lab) -> Run {
    Run::of(lab.replay_command(lab.lake()))
}

#[test]
fn texts_are_read_as_the_spec_says_in_every_format() {
    for (format, file) in [("csv", csv()), ("ndjson", ndjson())] {
        let lab = weather(format);
        land(&lab, "a", &file);
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &SHOWN), GOOD, "{format}: {run}");
        // Bronze has the text.
        assert_eq!(rows(&lab, BRONZE, &["Station", "Temperatur", "Kosten"])[2], "b|NA|-1.234.567,80", "{format}");
        // A null word is missing, and not unreadable.
        let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules", "_raw"]);
        let of_row = |row: &str| refused.iter().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{row}"));
        assert_eq!(refused.len(), 2, "{format}: {refused:?}");
        let fourth = ["cost.readable", "1.23,4", "day.readable", "2026/01/31"];
        assert_says(of_row("4|"), &fourth, format);
        assert!(!of_row("4|").contains("at.readable"), "{refused:?}");
        let fifth = ["wet.readable", "\"true\"", "day.required", "\"Tag\":\"NA\""];
        assert_says(of_row("5|"), &fifth, format);
        // The name is a text, for which the word counts as well.
        assert!(of_row("5|").contains("station.required") && !of_row("5|").contains("day.readable"), "{refused:?}");
    }
}

#[test]
fn rows_are_read_again_as_a_changed_spec_says() {
    for (format, file) in [("csv", csv()), ("ndjson", ndjson())] {
        let lab = weather(format);
        lab.edit_pipeline("pipeline.yaml", ", null_words: [NA, 'NULL', '\\N'] }", " }");
        land(&lab, "a", &file);
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &SHOWN), GOOD[..1], "{format}: without null words the others are unreadable");

        let (without, with) =
            (format!("format: {format} }}"), format!("format: {format}, null_words: [NA, 'NULL'] }}"));
        lab.edit_pipeline("pipeline.yaml", &without, &with);
        let _ = replay(&lab).expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &SHOWN), GOOD, "{format}: replayed");
        assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["4", "5"], "{format}");

        lab.edit_pipeline("pipeline.yaml", "'%Y-%m-%d']", "'%Y-%m-%d', '%Y/%m/%d']");
        lab.edit_pipeline("pipeline.yaml", "null_words: ['-', NA]", "null_words: ['1.23,4']");
        let _ = replay(&lab).expect(Outcome::Published);
        let fourth = "d|1|NULL|1|true|2026-01-31|NULL";
        assert_eq!(rows(&lab, SILVER, &SHOWN), [GOOD[0], GOOD[1], GOOD[2], fourth], "{format}: replayed again");
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

#[test]
fn rows_of_bronze_are_read_as_the_spec_says() {
    let lab = weather("csv");
    land(&lab, "a", csv());
    let steps = Steps::new(&lab);
    steps.die_after_bronze();
    let _ = steps.run().expect("bronze has rows that silver lacks");
    assert_eq!(rows(&lab, SILVER, &SHOWN), GOOD);
}

/// One row that cannot be computed makes a batch be computed row by row.
#[test]
fn rows_that_are_judged_one_by_one_are_read_as_the_spec_says() {
    let lab = weather("csv");
    let sql = "mode: append\n    sql: >\n      SELECT station, temperature, cost,\n      \
               CAST(100.0 / people AS INT) AS people, wet, day, at FROM bronze";
    lab.edit_pipeline("pipeline.yaml", "mode: append", sql);
    land(&lab, "a", format!("{}\"z\",\"1,0\",\"1,00\",\"0\",\"N\",\"31.01.2026\",\"NA\"\n", csv()));
    let _ = lab.run().expect(Outcome::Published);
    let stations: Vec<String> = rows(&lab, SILVER, &["station", "temperature", "cost", "day"]);
    assert_eq!(stations, ["a|-1.5|1299.99|2026-01-31", "b|NULL|-1234567.80|2026-01-31", "c|NULL|NULL|2026-02-01"]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]);
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert_says(&refused[2], &["6|", "people.computed"], "a division by zero");
}

#[test]
fn counts_since_1970_are_instants_and_days() {
    let options = |unit: &str| format!("logicalTypeOptions: {{ format: epoch_{unit} }}");
    let columns = [
        format!("name: at, logicalType: timestamp, required: true, {}", options("milliseconds")),
        format!("name: since, logicalType: timestamp, {}", options("seconds")),
        format!("name: day, logicalType: date, {}", options("microseconds")),
    ];
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let spec = SPEC.replace("FORMAT", "ndjson");
    let (head, rest) = spec.split_once("    columns:\n").unwrap();
    let (_, end) = rest.split_once("      at: Zeit\n").unwrap();
    let spec = format!("{head}    columns: {{ at: at, since: since, day: day }}\n{end}");
    let lab = lab(&spec, &[("orders", contract("orders", &columns, &[]))]);
    land(
        &lab,
        "a",
        "{\"at\": 1625565568878, \"since\": 1625565568.25, \"day\": -1}\n\
         {\"at\": -1577926800000, \"since\": \"-1\", \"day\": \"1625565568878000\"}\n\
         {\"at\": 0, \"since\": \"NA\", \"day\": null}\n\
         {\"at\": 1.5, \"since\": \"2021-07-06\", \"day\": 0}\n",
    );
    let _ = lab.run().expect(Outcome::Published);
    let expected = [
        "1919-12-31T23:00:00Z|1969-12-31T23:59:59Z|2021-07-06",
        "1970-01-01T00:00:00Z|NULL|NULL",
        "2021-07-06T09:59:28.878Z|2021-07-06T09:59:28.25Z|1969-12-31",
    ];
    assert_eq!(rows(&lab, SILVER, &["at", "since", "day"]), expected);
    assert_says(&rows(&lab, QUARANTINE, &["_broken_rules"])[0], &["at.readable", "since.readable"], "not counts");
}

/// As `COPY` prints `timestamptz`: an offset of hours alone, and no zeros at the end of the fraction.
#[test]
fn timestamps_as_postgresql_writes_them_are_instants() {
    let lab = values("format: csv", "ts", "logicalType: timestamp, required: true");
    let file = "id,ts\n1,2023-02-10 15:41:33.895+01\n2,2023-02-10 15:45:31+01\n3,2023-02-10 15:41:36.6412+01\n\
                4,2023-02-10 15:41:36.6+05:30\n5,2023-02-10 15:45:00-05:30\n";
    land(&lab, "a.csv", file);
    let run = lab.run().expect(Outcome::Published);
    let expected = [
        "1|2023-02-10T14:41:33.895Z",
        "2|2023-02-10T14:45:31Z",
        "3|2023-02-10T14:41:36.6412Z",
        "4|2023-02-10T10:11:36.6Z",
        "5|2023-02-10T21:15:00Z",
    ];
    assert_eq!(rows(&lab, SILVER, &["id", "value"]), expected, "{run}");
}

#[test]
fn an_amount_that_is_not_a_number_costs_its_row() {
    let money = "{ from: Betrag, decimal: ',', thousands: '.' }";
    let of_type = "logicalType: number, physicalType: 'DECIMAL(12,2)'";
    let lab = values("format: csv, csv: { delimiter: ';' }", money, of_type);
    land(&lab, "good.csv", "id;Betrag\n1;1.299,99\n2;-1.234.567,80\n3;265,64\n4;\n");
    let _ = lab.run().expect(Outcome::Published);
    let good = ["1|1299.99", "2|-1234567.80", "3|265.64", "4|NULL"];
    assert_eq!(rows(&lab, SILVER, &["id", "value"]), good);
    land(&lab, "dirty.csv", "id;Betrag\n5;10,00\n6;k.A.\n");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "value"]), [&good[..], &["5|10.00"]].concat());
    let refused = rows(&lab, QUARANTINE, &["_raw", "_broken_rules"]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_says(&refused[0], &["k.A.", "value.readable"], "no number");
}

#[test]
fn the_spec_can_say_that_a_number_counts_milliseconds() {
    let lab = values(
        "format: ndjson",
        "{ from: ts, formats: [epoch_milliseconds] }",
        "logicalType: timestamp, required: true",
    );
    let file = "{\"id\":1,\"ts\":1625565568878}\n{\"id\":2,\"ts\":-1577926800000}\n{\"id\":3,\"ts\":0}\n";
    land(&lab, "a.ndjson", file);
    let _ = lab.run().expect(Outcome::Published);
    let expected = ["1|2021-07-06T09:59:28.878Z", "2|1919-12-31T23:00:00Z", "3|1970-01-01T00:00:00Z"];
    assert_eq!(rows(&lab, SILVER, &["id", "value"]), expected);
}
