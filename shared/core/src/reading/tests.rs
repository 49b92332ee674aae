use super::*;
use crate::contract::TextFormat;

fn column(column_type: ColumnType) -> Column {
    let name = "c".parse().expect("a name");
    let format = TextFormat::default();
    Column { name, column_type, format, required: false, description: None, classification: None }
}

fn read(column_type: ColumnType, spec: &str) -> Result<Reading, ReadingError> {
    let source: ColumnSource = serde_json::from_str(&format!(r#"{{"from": "s"{spec}}}"#)).expect(spec);
    Reading::new(&source, &["NA".to_owned()], &column(column_type))
}

const MONEY: ColumnType = ColumnType::Decimal { precision: 12, scale: 2 };

#[test]
fn null_words_of_a_column_replace_those_of_the_source() {
    let check = |spec: &str, words: &[&str]| {
        assert_eq!(read(ColumnType::Text, spec).expect(spec).null_words(), words, "{spec}");
    };
    check("", &["NA"]);
    check(r#", "null_words": ["-", "NULL"]"#, &["-", "NULL"]);
    check(r#", "null_words": []"#, &[]);
    let by_name = ColumnSource::Name("s".to_owned());
    let reading = Reading::new(&by_name, &["NA".to_owned()], &column(MONEY)).expect("a reading");
    assert_eq!(reading.null_words(), ["NA"]);
    assert!(Reading::new(&by_name, &[], &column(MONEY)).expect("a reading").is_default());
}

#[test]
fn values_of_a_boolean_are_no_null_words_of_it() {
    let words = ["FALSE".to_owned()];
    let check = |spec: &str, column_type: ColumnType, is_good: bool| {
        let source: ColumnSource = serde_json::from_str(spec).expect(spec);
        let reading = Reading::new(&source, &words, &column(column_type));
        assert_eq!(reading.is_ok(), is_good, "{spec}: {reading:?}");
    };
    check(r#""s""#, ColumnType::Boolean, false);
    check(r#"{"from": "s"}"#, ColumnType::Boolean, false);
    check(r#"{"from": "s", "null_words": []}"#, ColumnType::Boolean, true);
    check(r#"{"from": "s", "true_words": ["J"], "false_words": ["N"]}"#, ColumnType::Boolean, true);
    check(r#""s""#, ColumnType::Text, true);
    check(r#"{"from": "s", "null_words": ["-999"]}"#, ColumnType::Int32, true);
}

#[test]
fn a_reading_has_what_its_type_can_have() {
    let amount = read(MONEY, r#", "decimal": ",", "thousands": ".""#).expect("signs");
    assert_eq!((amount.decimal(), amount.thousands()), (Some(','), Some('.')));
    let whole = read(ColumnType::Int32, r#", "thousands": ".""#).expect("a whole number has no decimal sign");
    assert_eq!((whole.decimal(), whole.thousands()), (None, Some('.')));
    let flag = read(ColumnType::Boolean, r#", "true_words": ["J"], "false_words": ["N", "X"]"#).expect("words");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(flag.truth_words(), Some((words(&["J"]).as_slice(), words(&["N", "X"]).as_slice())));
    let day = read(ColumnType::Date, r#", "formats": ["%d.%m.%Y", "epoch_seconds"]"#).expect("formats");
    assert_eq!(day.formats(), ["%d.%m.%Y", "%s"]);
}

#[test]
fn readings_that_cannot_be_are_refused_with_the_fix() {
    let check = |column_type: ColumnType, spec: &str, says: &[&str]| {
        let error = read(column_type, spec).expect_err(spec).to_string();
        for part in says {
            assert!(error.contains(part), "{spec}: no {part:?} in: {error}");
        }
    };
    check(ColumnType::Text, r#", "decimal": ",""#, &["decimal is an option of decimals", "STRING", "take it out"]);
    check(ColumnType::Int64, r#", "decimal": ",""#, &["decimal is an option of decimals", "BIGINT"]);
    check(ColumnType::Date, r#", "thousands": ".""#, &["thousands is an option of numbers", "DATE"]);
    check(MONEY, r#", "true_words": ["J"]"#, &["true_words is an option of booleans", "DECIMAL(12,2)"]);
    check(ColumnType::Boolean, r#", "formats": ["%Y"]"#, &["formats is an option of dates", "BOOLEAN"]);
    check(MONEY, r#", "decimal": ",", "thousands": ",""#, &["','", "two different signs"]);
    check(MONEY, r#", "thousands": ".""#, &["'.'", "by default"]);
    for sign in ["1", "e", "-", "+", " "] {
        check(MONEY, &format!(r#", "decimal": "{sign}""#), &["decimal:", "such as ','"]);
    }
    check(MONEY, r#", "null_words": [""]"#, &["null_words", "is empty"]);
    check(MONEY, r#", "null_words": ["NA "]"#, &["null_words", "'NA '", "white space"]);
    check(MONEY, r#", "null_words": ["-", "-"]"#, &["null_words has '-' twice"]);
    check(ColumnType::Boolean, r#", "true_words": ["J"]"#, &["write both"]);
    check(ColumnType::Boolean, r#", "true_words": [], "false_words": ["N"]"#, &["true_words has no entry"]);
    check(ColumnType::Boolean, r#", "true_words": ["J"], "false_words": ["J"]"#, &["'J'", "true_words", "false_words"]);
    check(
        ColumnType::Boolean,
        r#", "true_words": ["J"], "false_words": ["NA"]"#,
        &["'NA'", "null_words", "false_words"],
    );
    check(ColumnType::Boolean, r#", "null_words": ["-", "False"]"#, &["'False'", "a value of a boolean", "true_words"]);
    check(ColumnType::Date, r#", "formats": []"#, &["formats has no entry"]);
    check(ColumnType::Date, r#", "formats": ["%d.%m.%Y "]"#, &["formats: format '%d.%m.%Y '", "white space"]);
    check(ColumnType::Date, r#", "formats": ["%d.%m.%Y", "%d.%m.%Y"]"#, &["formats has '%d.%m.%Y' twice"]);
    check(ColumnType::Date, r#", "formats": ["%y-%m-%d"]"#, &["formats: format '%y-%m-%d'", "%y"]);
    check(ColumnType::Date, r#", "formats": ["dd.MM.yyyy"]"#, &["formats: format 'dd.MM.yyyy'", "%Y"]);
}

#[test]
fn marks_around_numbers_and_times_of_days_are_checked() {
    let good = |column_type: ColumnType, spec: &str| {
        let reading = read(column_type, spec).expect(spec);
        let stored = serde_json::to_string(&reading).expect("json");
        assert_eq!(serde_json::from_str::<Reading>(&stored).expect(&stored), reading, "{spec}");
        reading
    };
    let money = good(MONEY, r#", "currency": ["$", "USD"], "percent": "fraction", "minus": ["parentheses", "behind"]"#);
    assert_eq!((money.currency().len(), money.percent()), (2, Some(Percent::Fraction)));
    assert_eq!(money.minus(), [Minus::Parentheses, Minus::Behind]);
    assert_eq!(good(ColumnType::Int32, r#", "percent": "number""#).percent(), Some(Percent::Number));
    assert!(good(ColumnType::Date, r#", "midnight": true"#).midnight());
    let instants = good(ColumnType::Date, r#", "midnight": true, "formats": ["%d.%m.%Y %H:%M", "%d.%m.%Y"]"#);
    assert_eq!(instants.formats(), ["%d.%m.%Y %H:%M", "%d.%m.%Y"]);
    assert_eq!(good(ColumnType::Timestamp, r#", "zone": "Europe/Berlin""#).zone(), Some("Europe/Berlin"));
    let _ = good(ColumnType::Timestamp, r#", "zone": "Europe/Berlin", "formats": ["excel_1900", "epoch_seconds"]"#);
    let check = |column_type: ColumnType, spec: &str, says: &str| {
        let error = read(column_type, spec).expect_err(spec).to_string();
        assert!(error.contains(says), "{spec}: {error}");
    };
    check(ColumnType::Text, r#", "currency": ["$"]"#, "currency is an option of numbers");
    check(ColumnType::Date, r#", "percent": "number""#, "percent is an option of numbers");
    check(ColumnType::Boolean, r#", "minus": ["behind"]"#, "minus is an option of numbers");
    check(ColumnType::Timestamp, r#", "midnight": true"#, "midnight is an option of dates");
    check(ColumnType::Date, r#", "zone": "UTC""#, "zone is an option of timestamps");
    check(ColumnType::Int64, r#", "percent": "fraction""#, "a BIGINT has none");
    check(MONEY, r#", "currency": []"#, "currency has no entry");
    check(MONEY, r#", "minus": []"#, "minus has no entry");
    check(MONEY, r#", "minus": ["behind", "behind"]"#, "minus has 'behind' twice");
    check(MONEY, r#", "currency": ["$", "$"]"#, "currency has '$' twice");
    for text in ["", " $", "5", "-", "%", ".", "(EUR)"] {
        check(MONEY, &format!(r#", "currency": ["{text}"]"#), "cannot stand around a number");
    }
    check(ColumnType::Timestamp, r#", "zone": "Europe/Berlim""#, "zone 'Europe/Berlim' is not an IANA time zone");
    check(ColumnType::Timestamp, r#", "zone": "UTC", "formats": ["epoch_seconds"]"#, "every text has its offset");
    check(ColumnType::Date, r#", "midnight": true, "formats": ["%d.%m.%Y"]"#, "midnight changes nothing");
    check(ColumnType::Date, r#", "formats": ["%d.%m.%Y %H:%M"]"#, "is not part of a date");
}

#[test]
fn a_plan_gives_the_reading_back() {
    let check = |reading: Reading, keys: &[&str]| {
        let text = serde_json::to_string(&reading).expect("json");
        assert_eq!(serde_json::from_str::<Reading>(&text).expect(&text), reading);
        let value: serde_json::Value = serde_json::from_str(&text).expect(&text);
        assert_eq!(value.as_object().expect("an object").keys().collect::<Vec<_>>(), keys);
    };
    check(Reading::default(), &[]);
    check(read(MONEY, r#", "decimal": ",", "null_words": []"#).expect("signs"), &["decimal"]);
}

#[test]
fn a_path_is_kept_where_it_leads_into_the_column() {
    let reading = |name: &str| Reading::new(&ColumnSource::Name(name.to_owned()), &[], &column(MONEY));
    let inside = reading("$.s.a[0]").expect("a path");
    assert_eq!(inside.path().map(ToString::to_string).as_deref(), Some("$.s.a[0]"));
    assert!(!inside.is_default());
    let stored = serde_json::to_string(&inside).expect("json");
    assert_eq!(serde_json::from_str::<Reading>(&stored).expect(&stored), inside);
    assert!(reading("$.s").expect("a whole column").is_default());
    assert!(matches!(reading("$.s[*]"), Err(ReadingError::Path(_))));
}

fn read_origin(column_type: ColumnType, from: &str, spec: &str) -> Result<Reading, ReadingError> {
    let source: ColumnSource = serde_json::from_str(&format!(r#"{{"from": "{from}"{spec}}}"#)).expect(spec);
    Reading::new(&source, &["NA".to_owned()], &column(column_type))
}

#[test]
fn null_words_of_the_source_are_not_about_the_origin_of_a_row() {
    let by_key = read_origin(ColumnType::Text, "_source_file.folder.country", "").expect("a key");
    assert_eq!(by_key.part().map(ToString::to_string).as_deref(), Some("folder.country"));
    assert!(by_key.null_words().is_empty());
    let own = read_origin(ColumnType::Date, "_source_file.folder.dt", r#", "null_words": ["all"]"#).expect("a key");
    assert_eq!(own.null_words(), ["all"]);
    assert!(read_origin(ColumnType::Timestamp, "_ingested_at", "").expect("a time").is_default());
    let stored = serde_json::to_string(&own).expect("json");
    assert_eq!(serde_json::from_str::<Reading>(&stored).expect(&stored), own);
}

#[test]
fn values_that_are_no_texts_fit_their_column_and_have_no_options_of_texts() {
    use ColumnType::{Boolean, Date, Double, Int32, Int64, Text, Timestamp};
    for (from, column_type) in [
        ("_source_row", Int64),
        ("_source_row", Int32),
        ("_source_row", Double),
        ("_source_row", MONEY),
        ("_source_row", Text),
        ("_source_modified_at", Timestamp),
        ("_source_modified_at", Date),
        ("_ingested_at", Text),
        ("_run_id", Boolean),
    ] {
        assert!(read_origin(column_type.clone(), from, "").is_ok(), "{from}: {column_type}");
    }
    let check = |from: &str, column_type: ColumnType, spec: &str, says: &str| {
        let error = read_origin(column_type, from, spec).expect_err(from).to_string();
        assert!(error.contains(says), "{from}{spec}: {error}");
    };
    check("_source_row", Date, "", "`_source_row` is a BIGINT, and the type of the column is DATE; make it a number");
    check("_ingested_at", Int64, "", "`_ingested_at` is a TIMESTAMP");
    check("_ingested_at", Date, r#", "formats": ["%Y-%m-%d"]"#, "formats is an option for texts");
    check("_source_row", Int64, r#", "null_words": ["0"]"#, "null_words is an option for texts");
    check("_source_file.path", Text, "", "is not a part of an address");
    for origin in ["_source_file", "_source_file.name", "_source_row", "_ingested_at"] {
        let list = ColumnType::Array(Box::new(Text));
        check(origin, list, "", "and the type of the column is ARRAY<STRING>; make it a");
    }
}
