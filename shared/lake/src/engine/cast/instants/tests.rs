use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

#[test]
fn iso_days_are_ten_characters() {
    let check = |text: &str, expected: Option<i32>| assert_eq!(iso_day(text), expected, "{text:?}");
    check("1970-01-01", Some(0));
    check("1969-12-31", Some(-1));
    check("2000-02-29", Some(11_016));
    check("2024-02-29", Some(19_782));
    check("0001-01-01", Some(-719_162));
    check("9999-12-31", Some(2_932_896));
    for text in [
        "2023-02-29",
        "1900-02-29",
        "2020-13-01",
        "2020-00-10",
        "2020-04-31",
        "2020-1-01",
        "20-01-01",
        "2020-01-01 ",
        "2020/01/01",
        "01-01-2020",
        "",
        "0000-01-01",
        "-001-01-01",
        "12020-01-01",
        "2020-01-0١",
    ] {
        check(text, None);
    }
}

#[test]
fn days_of_years_and_of_weeks_are_those_of_iso_8601() {
    let check = |pattern: &str, text: &str, iso: Option<&str>| {
        let day = Pattern::compile(pattern).unwrap().day(text);
        assert_eq!(day, iso.map(|iso| iso_day(iso).unwrap()), "{pattern}: {text:?}");
    };
    check("%Y-%j", "2024-001", Some("2024-01-01"));
    check("%Y-%j", "2024-366", Some("2024-12-31"));
    check("%Y%j", "2023060", Some("2023-03-01"));
    for text in ["2023-366", "2024-000", "2024-367", "2024-1", "0000-001"] {
        check("%Y-%j", text, None);
    }
    check("%G-W%V-%u", "2020-W53-7", Some("2021-01-03"));
    check("%G-W%V-%u", "2021-W01-1", Some("2021-01-04"));
    check("%G-W%V-%u", "2018-W01-1", Some("2018-01-01"));
    check("%G-W%V-%u", "2019-W01-1", Some("2018-12-31"));
    check("%GW%V%u", "2009W531", Some("2009-12-28"));
    check("%G-W%V-%u", "9999-W52-5", Some("9999-12-31"));
    for text in ["2021-W53-1", "2021-W00-1", "2021-W54-1", "2021-W01-0", "2021-W01-8", "2021-W1-1", "9999-W52-6"] {
        check("%G-W%V-%u", text, None);
    }
    let at = Pattern::compile("%G-W%V-%u %H:%M").unwrap().instant("1970-W01-5 00:01");
    assert_eq!(at, Some(Instant::Local(DAY + 60 * SECOND)));
}

#[test]
fn iso_instants_keep_what_is_written() {
    let check = |text: &str, expected: Option<Instant>| assert_eq!(iso_instant(text), expected, "{text:?}");
    let local = |micros| Some(Instant::Local(micros));
    let utc = |micros| Some(Instant::Utc(micros));
    check("1970-01-02", local(DAY));
    check("1970-01-01 00:00:01", local(SECOND));
    check("1970-01-01T00:00:01.5", local(SECOND + 500_000));
    check("1970-01-01T00:00:00.000001", local(1));
    check("1970-01-01T00:00:00.000001000", local(1));
    check("1970-01-01T00:00:00.000001001", None);
    check("1970-01-01T00:00:01Z", utc(SECOND));
    check("1970-01-01T01:00:00+01:00", utc(0));
    check("1969-12-31T23:30:00.250000-00:30", utc(250_000));
    check("1970-01-01T14:00:00+14:00", utc(0));
    for text in [
        "1970-01-01T24:00:00",
        "1970-01-01T00:60:00",
        "1970-01-01T00:00:60",
        "1970-01-01T00:00",
        "1970-01-01T00",
        "1970-01-01T",
        "1970-01-01X00:00:00",
        "1970-01-01T00:00:00.",
        "1970-01-01T00:00:00.1234567890",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+01",
        "1970-01-01T00:00:00+19:00",
        "1970-01-01T00:00:00z",
        "1970-01-01T00:00:00Zx",
        "1970-01-01T0:00:00",
        "1970-01-01T00:00:00 Z",
        "1970-01-01 00:00:00 UTC",
        "1970-01-0é",
    ] {
        check(text, None);
    }
}

#[test]
fn delivered_instants_have_the_forms_that_systems_write() {
    let check = |text: &str, expected: Option<Instant>| assert_eq!(TimeText::Iso.instant(text), expected, "{text:?}");
    let local = |micros| Some(Instant::Local(micros));
    let utc = |micros| Some(Instant::Utc(micros));
    let hour = 3600 * SECOND;
    check("1970-01-02", local(DAY));
    check("1970-01-01T00:00:01.5", local(SECOND + 500_000));
    check("1970-01-01T01:00", local(hour));
    check("1970-01-01 01:00Z", utc(hour));
    check("1970-01-01 01:00+01", utc(0));
    check("1970-01-01 01:00:00+01", utc(0));
    check("1970-01-01 01:00:00+0100", utc(0));
    check("1970-01-01 01:00:00+01:00", utc(0));
    check("1970-01-01 01:00:00-05:30", utc(hour * 13 / 2));
    check("1970-01-01 01:00:00.5+01", utc(500_000));
    check("1970-01-01 01:00:00,5", local(hour + 500_000));
    check("1970-01-01 01:00:00,123456000Z", utc(hour + 123_456));
    check("1970-01-01 00:53:28+00:53:28", utc(0));
    check("1970-01-01 00:00:00-00:00:30", utc(30 * SECOND));
    check("1970-01-01 18:00:00+18:00:00", utc(0));
    // More than microseconds is never cut.
    check("1970-01-01 01:00:00.1234567+01", None);
    check("1970-01-01 01:00:00,1234567", None);
    for text in [
        "1970-01-01T00",
        "1970-01-01T",
        "1970-01-01X00:00",
        "1970-01-01T24:00",
        "1970-01-01T00:60",
        "1970-01-01T00:00:60+01",
        "1970-01-01T00:00:0",
        "1970-01-01T00:00.5",
        "1970-01-01T00:00:00,",
        "1970-01-01T00:00:00.1234567890",
        "1970-01-01T00:00:00+1",
        "1970-01-01T00:00:00+010",
        "1970-01-01T00:00:00+01:",
        "1970-01-01T00:00:00+01:0",
        "1970-01-01T00:00:00+01:60",
        "1970-01-01T00:00:00+19",
        "1970-01-01T00:00:00+18:00:01",
        "1970-01-01T00:00:00+01:00:60",
        "1970-01-01T00:00:00+0100:00",
        "1970-01-01T00:00:00+010000",
        "1970-01-01T00:00:00z",
        "1970-01-01t00:00:00Z",
        "1970-01-01T00:00:00 +01",
        "1970-01-01T00:00:00Z+01",
        "1970-01-01+01",
        "1970-01-01Z",
    ] {
        check(text, None);
    }
}

#[test]
fn the_first_pattern_that_reads_a_text_decides() {
    let patterns = ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%s%3f"].map(|pattern| Pattern::compile(pattern).unwrap());
    let texts = TimeText::Patterns(patterns.into());
    let check = |text: &str, expected: Option<i32>| assert_eq!(texts.day(text), expected, "{text:?}");
    check("02.01.1970", Some(1));
    check("1970-01-02", Some(1));
    check("01/02/1970", Some(1));
    check("86400000", Some(1));
    check("1970-01-02 ", None);
    check("02/13/1970", Some(43));
    check("13/02/1970", None);
    assert!(texts.may_have_offset() && !texts.always_has_offset());
}

#[test]
fn patterns_match_the_whole_text() {
    let check = |pattern: &str, text: &str, expected: Option<Instant>| {
        assert_eq!(Pattern::compile(pattern).unwrap().instant(text), expected, "{pattern}: {text:?}");
    };
    let ten_past_eight = Some(Instant::Local(14_944 * DAY + (8 * 3600 + 600) * SECOND));
    check("%Y-%m-%d %H:%M:%S", "2010-12-01 08:10:00", ten_past_eight);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01 08:10:00 ", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01 8:10:00", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-1 08:10:00", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01  08:10:00", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01 08:10:60", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01T08:10:00", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01 08:10:00Z", None);
    check("%Y-%m-%d %H:%M:%S", "2010-12-01", None);
    check("%Y-%m-%dT%H:%M:%S", "2010-12-01T08:10:00", ten_past_eight);
    check("%-m/%-d/%Y %-H:%M", "12/1/2010 8:10", ten_past_eight);
    check("%-m/%-d/%Y %-H:%M", "12/01/2010 08:10", ten_past_eight);
    check("%-m/%-d/%Y %-H:%M", "12/001/2010 08:10", None);
    check("%-m/%-d/%Y %-H:%M", "13/1/2010 8:10", None);
    check("%m/%d/%Y %I:%M %p", "12/01/2010 08:10 am", ten_past_eight);
    check("%m/%d/%Y %I:%M %p", "12/01/2010 13:10 PM", None);
    check("%m/%d/%Y %I:%M %p", "12/01/2010 00:10 AM", None);
    check("%m/%d/%Y %I:%M %p", "01/01/1970 12:00 AM", Some(Instant::Local(0)));
    check("%m/%d/%Y %I:%M %p", "01/01/1970 12:00 PM", Some(Instant::Local(DAY / 2)));
    check("%d %b %Y %H:%M", "01 DEC 2010 08:10", ten_past_eight);
    check("%B %-d, %Y %H:%M", "December 1, 2010 08:10", ten_past_eight);
    check("%B %-d, %Y %H:%M", "Dec 1, 2010 08:10", None);
    check("%Y%m%d%H%M%S%3f", "19700101000000007", Some(Instant::Local(7000)));
    check("%Y-%m-%dT%H:%M:%S%.3f%#z", "1970-01-01T00:00:00.001Z", Some(Instant::Utc(1000)));
    check("%Y-%m-%dT%H:%M:%S%.3f%#z", "1970-01-01T00:00:00.0010Z", None);
    check("%Y-%m-%dT%H:%M:%S%#z", "1970-01-01T02:00:00+02", Some(Instant::Utc(0)));
    check("%Y-%m-%d %H:%M:%S%z", "1970-01-01 02:00:00+0200", Some(Instant::Utc(0)));
    check("%Y-%m-%d %H:%M:%S%z", "1970-01-01 02:00:00Z", None);
    check("%Y-%m-%d at %H o'clock %M'%%", "1970-01-01 at 00 o'clock 00'%", Some(Instant::Local(0)));
}

#[test]
fn percent_signs_and_other_letters_are_literals() {
    let day = |pattern: &str, text: &str| Pattern::compile(pattern).unwrap().day(text);
    assert_eq!(day("%Y%%%m%%%d", "1970%01%01"), Some(0));
    assert_eq!(day("%Y年%m月%d", "1970年01月02"), Some(1));
    assert_eq!(day("%Y%m%d", "19700102"), Some(1));
}

#[test]
fn other_fields_are_refused_by_name() {
    for (pattern, field) in [("%y-%m-%d", "%y"), ("%Y-%U", "%U"), ("%+", "%+"), ("%Y-%", "%")] {
        assert_eq!(Pattern::compile(pattern), Err(field.to_owned()));
    }
}

proptest! {
    #[test]
    fn days_and_instants_read_what_they_print(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
        let printed = jiff::Timestamp::from_microsecond(micros).unwrap();
        let day = printed.strftime("%Y-%m-%d").to_string();
        prop_assert_eq!(iso_day(&day).map(i64::from), Some(micros.div_euclid(DAY)));
        prop_assert_eq!(iso_instant(&printed.to_string()), Some(Instant::Utc(micros)));
        let text = printed.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
        prop_assert_eq!(iso_instant(&text), Some(Instant::Local(micros)));
        for (format, offset_hours) in [("%Y-%m-%d %H:%M:%S%.6f+05", 5), ("%Y-%m-%dT%H:%M:%S%.6f-0300", -3)] {
            let text = printed.strftime(format).to_string().replace('.', ",");
            let expected = Some(Instant::Utc(micros - offset_hours * 3600 * SECOND));
            prop_assert_eq!(TimeText::Iso.instant(&text), expected);
        }
        prop_assert_eq!(Pattern::compile("%Y-%m-%d %H:%M:%S%.6f").unwrap().instant(&text), Some(Instant::Local(micros)));
        let twelve = printed.strftime("%d %b %Y %I:%M:%S %p").to_string();
        let whole = micros.div_euclid(SECOND) * SECOND;
        prop_assert_eq!(Pattern::compile("%d %b %Y %I:%M:%S %p").unwrap().instant(&twelve), Some(Instant::Local(whole)));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", near in "[0-9T:. +Z-]{0,40}") {
        let pattern = Pattern::compile("%-d %B %Y %-I%p%#z").unwrap();
        for text in [text, near] {
            let (_, _, _) = (iso_day(&text), TimeText::Iso.instant(&text), pattern.instant(&text));
        }
    }
}
