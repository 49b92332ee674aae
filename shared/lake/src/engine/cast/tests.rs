use proptest::prelude::*;
use sluice_core::contract::TextFormat;

use super::testing::{column, read, read_as, reading};
use super::*;

#[test]
fn blank_is_null_and_bad_text_is_kept() {
    let check = |column_type: ColumnType, good: &str, bad: &str| {
        let padded = format!(" \t{good}\r\n");
        let (typed, refused) =
            read(&column(column_type), &[Some(good), Some(&padded), Some(bad), Some("  "), Some(""), None]);
        let nulls: Vec<bool> = typed.is_null().iter().flatten().collect();
        assert_eq!(nulls, [false, false, true, true, true, true]);
        assert_eq!(typed.get(0).unwrap(), typed.get(1).unwrap());
        assert_eq!(refused, [None, None, Some(bad.to_owned()), None, None, None]);
    };
    check(ColumnType::Int32, "7", "7.0");
    check(ColumnType::Int64, "-7", "1,000");
    check(ColumnType::Double, "1.5", "inf");
    check(ColumnType::Decimal { precision: 12, scale: 3 }, "1.005", "1.0005");
    check(ColumnType::Boolean, "True", "1");
    check(ColumnType::Date, "2020-02-29", "2021-02-29");
    check(ColumnType::Timestamp, "2020-02-29 10:00:00", "29.02.2020");
}

#[test]
fn text_is_taken_as_it_is() {
    let (typed, refused) = read(&column(ColumnType::Text), &[Some("  a "), Some(""), None]);
    assert_eq!(typed.str().unwrap().iter().collect::<Vec<_>>(), [Some("  a "), Some(""), None]);
    assert_eq!(refused, [None, None, None]);
}

#[test]
fn wall_clock_times_are_in_the_default_zone() {
    let check = |strftime: Option<&str>, text: &str, expected: Option<&str>| {
        let mut column = column(ColumnType::Timestamp);
        let zone = Some("Europe/Berlin".to_owned());
        let strftime = strftime.map(str::to_owned);
        column.format = TextFormat { strftime, default_timezone: zone, ..TextFormat::default() };
        let (typed, refused) = read(&column, &[Some(text)]);
        let micros = typed.datetime().unwrap().phys.get(0);
        let expected = expected.map(|text| text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        assert_eq!(micros, expected, "{text}");
        assert_eq!(refused, [expected.is_none().then(|| text.to_owned())]);
    };
    check(None, "2024-01-01 12:00:00", Some("2024-01-01T11:00:00Z"));
    check(None, "2024-07-01 12:00:00", Some("2024-07-01T10:00:00Z"));
    check(None, "2024-07-01T12:00:00Z", Some("2024-07-01T12:00:00Z"));
    check(None, "2024-07-01T12:00:00-05:00", Some("2024-07-01T17:00:00Z"));
    // Skipped in spring; twice in autumn.
    check(None, "2024-03-31 02:30:00", None);
    check(None, "2024-10-27 02:30:00", Some("2024-10-27T00:30:00Z"));
    check(Some("%d.%m.%Y %H:%M"), "01.07.2024 12:00", Some("2024-07-01T10:00:00Z"));
    check(Some("%d.%m.%Y %H:%M"), "31.03.2024 02:30", None);
    check(Some("%Y-%m-%d %H:%M:%S%z"), "2024-07-01 12:00:00+0200", Some("2024-07-01T10:00:00Z"));
}

#[test]
fn unknown_fields_and_zones_are_refused() {
    let mut column = column(ColumnType::Timestamp);
    column.format.strftime = Some("%y".to_owned());
    let error = read_exprs(&column, &Reading::default(), "s").unwrap_err();
    assert_eq!(error.to_string(), "column `v`: format '%y': %y is not executed");
    column.format = TextFormat { default_timezone: Some("Europe/Berlim".to_owned()), ..TextFormat::default() };
    assert!(read_exprs(&column, &Reading::default(), "s").is_err());
}

#[test]
fn null_words_are_null_and_not_unreadable() {
    let check = |column_type: ColumnType, good: &str| {
        let column = column(column_type);
        let words = reading(&column, r#"{"from": "s", "null_words": ["NA", "\\N", "-"]}"#);
        let texts = [Some("NA"), Some("\\N"), Some("-"), Some(good), Some("na"), None];
        let (typed, refused) = read_as(&column, &words, &texts);
        let is_text = column.column_type == ColumnType::Text;
        let nulls: Vec<bool> = typed.is_null().iter().flatten().collect();
        assert_eq!(nulls, [true, true, true, false, !is_text, true], "{good}");
        let other_case = (!is_text).then(|| "na".to_owned());
        assert_eq!(refused, [None, None, None, None, other_case, None], "{good}");
    };
    check(ColumnType::Text, "NAN");
    check(ColumnType::Int32, "-7");
    check(ColumnType::Double, "-7.5");
    check(ColumnType::Boolean, "true");
    check(ColumnType::Decimal { precision: 5, scale: 2 }, "-1.50");
    check(ColumnType::Date, "2020-02-29");
    check(ColumnType::Timestamp, "2020-02-29 10:00:00+01");
}

#[test]
fn white_space_around_a_null_word_counts_in_texts_alone() {
    let check = |column_type: ColumnType, nulls: usize, refused: usize| {
        let column = column(column_type);
        let words = reading(&column, r#"{"from": "s", "null_words": ["NA"]}"#);
        let (typed, unreadable) = read_as(&column, &words, &[Some(" NA"), Some("NA\t"), Some("NA")]);
        assert_eq!((typed.null_count(), unreadable.iter().flatten().count()), (nulls, refused));
    };
    check(ColumnType::Text, 1, 0);
    check(ColumnType::Int64, 3, 0);
}

#[test]
fn numbers_have_the_signs_of_their_reading() {
    let check = |column_type: ColumnType, spec: &str, good: &str, canonical: &str, bad: &[&str]| {
        let column = column(column_type);
        let texts: Vec<Option<&str>> = [good].iter().chain(bad).map(|text| Some(*text)).collect();
        let (typed, refused) = read_as(&column, &reading(&column, spec), &texts);
        let (expected, _) = read(&column, &[Some(canonical)]);
        assert_eq!(typed.get(0).unwrap(), expected.get(0).unwrap(), "{good}");
        assert_eq!(refused.iter().flatten().collect::<Vec<_>>(), bad, "{good}");
    };
    let money = ColumnType::Decimal { precision: 12, scale: 2 };
    let german = r#"{"from": "s", "decimal": ",", "thousands": "."}"#;
    check(money.clone(), german, " -1.234.567,80 ", "-1234567.80", &["1.23.4", "1.5", "1,234.5", "1,005", "k.A."]);
    check(money, r#"{"from": "s", "decimal": ","}"#, "1299,99", "1299.99", &["1.299,99", "1299.99"]);
    check(ColumnType::Double, german, "1.000,5e1", "1000.5e1", &["1.00,5", "inf"]);
    check(
        ColumnType::Int32,
        r#"{"from": "s", "thousands": "'"}"#,
        "2'147'483'647",
        "2147483647",
        &["2'147'483'648", "1.0"],
    );
    check(ColumnType::Int64, r#"{"from": "s", "thousands": "."}"#, "1.000", "1000", &["1.00", "1.000,0"]);
}

#[test]
fn numbers_have_the_marks_of_their_reading() {
    let check = |column_type: ColumnType, spec: &str, good: &str, canonical: &str, bad: &[&str]| {
        let column = column(column_type);
        let texts: Vec<Option<&str>> = [good].iter().chain(bad).map(|text| Some(*text)).collect();
        let (typed, refused) = read_as(&column, &reading(&column, spec), &texts);
        let (expected, _) = read(&column, &[Some(canonical)]);
        assert_eq!(typed.get(0).unwrap(), expected.get(0).unwrap(), "{good}");
        assert_eq!(refused.iter().flatten().collect::<Vec<_>>(), bad, "{good}");
    };
    let money = ColumnType::Decimal { precision: 12, scale: 2 };
    let dollars = r#"{"from": "s", "currency": ["$"], "thousands": ",", "minus": ["parentheses"]}"#;
    check(money.clone(), dollars, " ($1,234.50) ", "-1234.50", &["€1", "1-", "12 %", "$", "--$1"]);
    check(money.clone(), r#"{"from": "s", "minus": ["behind"]}"#, "12.50-", "-12.50", &["(12.50)", "-12.50-"]);
    check(money, r#"{"from": "s", "percent": "fraction"}"#, "12 %", "0.12", &["12.5 %", "%"]);
    check(ColumnType::Double, r#"{"from": "s", "percent": "number"}"#, "1e1 %", "10", &["1 %%"]);
    check(ColumnType::Int32, r#"{"from": "s", "percent": "number"}"#, "12%", "12", &["1.5%"]);
}

#[test]
fn days_and_zones_are_those_of_the_reading() {
    let check = |column_type: ColumnType, spec: &str, texts: &[(&str, Option<&str>)]| {
        let column = column(column_type);
        let given: Vec<Option<&str>> = texts.iter().map(|(text, _)| Some(*text)).collect();
        let (typed, _) = read_as(&column, &reading(&column, spec), &given);
        let (expected, _) = read(&column, &texts.iter().map(|(_, iso)| *iso).collect::<Vec<_>>());
        assert_eq!(typed, expected, "{spec}");
    };
    let midnight = r#"{"from": "s", "midnight": true}"#;
    check(
        ColumnType::Date,
        midnight,
        &[
            ("2024-02-29 00:00:00", Some("2024-02-29")),
            ("2024-02-29T00:00:00.000Z", Some("2024-02-29")),
            ("2024-02-29", Some("2024-02-29")),
            ("2024-02-29 00:00:01", None),
            ("2024-02-29T00:00:00+02:00", None),
        ],
    );
    check(
        ColumnType::Date,
        r#"{"from": "s", "midnight": true, "formats": ["%d.%m.%Y %H:%M", "%d.%m.%Y"]}"#,
        &[("29.02.2024 00:00", Some("2024-02-29")), ("29.02.2024", Some("2024-02-29")), ("29.02.2024 10:00", None)],
    );
    check(
        ColumnType::Date,
        r#"{"from": "s", "formats": ["excel_1900"]}"#,
        &[("45292", Some("2024-01-01")), ("45292.5", None), ("60", None)],
    );
    check(
        ColumnType::Timestamp,
        r#"{"from": "s", "formats": ["excel_1904"], "zone": "Europe/Berlin"}"#,
        &[("43830.5", Some("2024-01-01T11:00:00Z"))],
    );
    check(
        ColumnType::Timestamp,
        r#"{"from": "s", "zone": "America/New_York"}"#,
        &[
            ("2024-01-01 12:00:00", Some("2024-01-01T17:00:00Z")),
            ("2024-01-01 12:00:00Z", Some("2024-01-01T12:00:00Z")),
            // Skipped in spring; twice in autumn.
            ("2024-03-10 02:30:00", None),
            ("2024-11-03 01:30:00", Some("2024-11-03T05:30:00Z")),
        ],
    );
}

#[test]
fn booleans_have_the_words_of_their_reading() {
    let column = column(ColumnType::Boolean);
    let words = reading(&column, r#"{"from": "s", "true_words": ["J", "ja"], "false_words": ["N"]}"#);
    let texts = ["J", " ja ", "N", "j", "true", "1"].map(Some);
    let (typed, refused) = read_as(&column, &words, &texts);
    let values: Vec<Option<bool>> = typed.bool().unwrap().iter().collect();
    assert_eq!(values, [Some(true), Some(true), Some(false), None, None, None]);
    assert_eq!(refused.iter().flatten().collect::<Vec<_>>(), ["j", "true", "1"]);
}

#[test]
fn formats_of_a_reading_replace_that_of_the_contract() {
    let check = |column_type: ColumnType, formats: &str, zone: Option<&str>, texts: &[(&str, Option<&str>)]| {
        let mut column = column(column_type);
        column.format = TextFormat {
            strftime: Some("%Y/%m/%d %H:%M".to_owned()),
            default_timezone: zone.map(str::to_owned),
            ..TextFormat::default()
        };
        let words = reading(&column, &format!(r#"{{"from": "s", "formats": {formats}}}"#));
        let given: Vec<Option<&str>> = texts.iter().map(|(text, _)| Some(*text)).collect();
        let (typed, _) = read_as(&column, &words, &given);
        let iso = Column { format: TextFormat::default(), ..column };
        let (expected, _) = read(&iso, &texts.iter().map(|(_, iso)| *iso).collect::<Vec<_>>());
        assert_eq!(typed, expected, "{formats}");
    };
    check(
        ColumnType::Date,
        r#"["%d.%m.%Y", "%Y-%m-%d"]"#,
        None,
        &[("29.02.2020", Some("2020-02-29")), ("2020-03-01", Some("2020-03-01")), ("2020/03/01", None)],
    );
    check(
        ColumnType::Timestamp,
        r#"["%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S%z", "epoch_milliseconds"]"#,
        Some("Europe/Berlin"),
        &[
            ("01.07.2024 12:00", Some("2024-07-01T10:00:00Z")),
            ("2024-07-01 12:00:00-0500", Some("2024-07-01T17:00:00Z")),
            ("1625565568878", Some("2021-07-06T09:59:28.878Z")),
            ("31.03.2024 02:30", None),
            ("2024/07/01 12:00", None),
        ],
    );
}

#[test]
fn counts_since_1970_are_instants_and_days() {
    let check = |column_type: ColumnType, strftime: &str, text: &str, iso: &str| {
        let mut counted = column(column_type.clone());
        counted.format = TextFormat {
            strftime: Some(strftime.to_owned()),
            default_timezone: Some("Europe/Berlin".to_owned()),
            ..TextFormat::default()
        };
        let (typed, refused) = read(&counted, &[Some(text), Some("2021-07-06")]);
        let (expected, _) = read(&column(column_type), &[Some(iso), None]);
        assert_eq!(typed, expected, "{strftime}: {text}");
        assert_eq!(refused, [None, Some("2021-07-06".to_owned())]);
    };
    check(ColumnType::Timestamp, "%s%3f", "1625565568878", "2021-07-06T09:59:28.878Z");
    check(ColumnType::Timestamp, "%s%3f", "-1577926800000", "1919-12-31T23:00:00Z");
    check(ColumnType::Timestamp, "%s", "1625565568.25", "2021-07-06T09:59:28.25Z");
    check(ColumnType::Date, "%s%6f", "-1", "1969-12-31");
}

proptest! {
    #[test]
    fn what_is_null_was_blank_or_is_refused(texts in prop::collection::vec(prop::option::of("[ 0-9+.-]{0,6}"), 0..20)) {
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        for each in [ColumnType::Int32, ColumnType::Decimal { precision: 4, scale: 2 }, ColumnType::Date] {
            let (typed, refused) = read(&column(each), &texts);
            for ((text, null), refused) in texts.iter().zip(typed.is_null().iter()).zip(&refused) {
                let blank = text.is_none_or(|text| text.trim().is_empty());
                prop_assert_eq!(refused.is_some(), null == Some(true) && !blank);
            }
        }
    }
}
