//! The canonical text of cells; see "Cells" in `docs/sources/xlsx.md`.

use std::borrow::Cow;
use std::fmt::Write as _;

use calamine::{DataRef, ExcelDateTime};
use jiff::Span;
use jiff::civil::{Date, date};

/// Milliseconds of a day: times of Excel are no finer.
const DAY_MILLIS: i64 = 86_400_000;

/// The text of a cell; `None` where nobody sees a value in it.
pub(super) fn text<'a>(value: &DataRef<'a>, is_1904: bool) -> Option<Cow<'a, str>> {
    let text = match value {
        DataRef::Empty => return None,
        DataRef::SharedString(text) => Cow::Borrowed(*text),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cow::Owned(text.clone()),
        DataRef::Bool(true) => Cow::Borrowed("true"),
        DataRef::Bool(false) => Cow::Borrowed("false"),
        DataRef::Int(number) => Cow::Owned(number.to_string()),
        DataRef::Float(float) => Cow::Owned(number(*float)),
        DataRef::DateTime(time) => Cow::Owned(time_text(time, is_1904)),
        DataRef::Error(error) => Cow::Owned(error.to_string()),
    };
    (!text.is_empty()).then_some(text)
}

/// The shortest text that reads back equal; whole numbers have no fraction.
fn number(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// The text of a number of days that is shown as a time. Where Excel shows no time for it, it stays a number.
fn time_text(time: &ExcelDateTime, is_1904: bool) -> String {
    let days = time.as_f64();
    let text = millis(days)
        .and_then(|millis| if time.is_duration() { Some(duration(millis)) } else { instant(millis, is_1904) });
    text.unwrap_or_else(|| number(days))
}

/// Days as milliseconds; `None` where that is no time.
#[expect(clippy::cast_possible_truncation, reason = "the number is whole and small")]
fn millis(days: f64) -> Option<i64> {
    /// Far beyond the year 9999, and far below what doubles count.
    const MOST_DAYS: f64 = 10_000_000.0;
    let is_a_time = days.is_finite() && days.abs() < MOST_DAYS;
    is_a_time.then(|| (days * 86_400_000.0).round() as i64)
}

/// `PT26H30M0S`.
fn duration(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, millis) = (millis.abs() / 1000, millis.abs() % 1000);
    let mut text = format!("{sign}PT{}H{}M{}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    push_fraction(&mut text, millis);
    text.push('S');
    text
}

/// A day, a day and a time, or a time of day where no whole day is; `None` for what Excel shows as no time.
fn instant(millis: i64, is_1904: bool) -> Option<String> {
    if millis < 0 {
        return None;
    }
    let (day, of_day) = (millis / DAY_MILLIS, millis % DAY_MILLIS);
    if day == 0 {
        return Some(clock(of_day));
    }
    let mut text = day_text(day, is_1904)?;
    if of_day > 0 {
        text.push('T');
        text.push_str(&clock(of_day));
    }
    Some(text)
}

fn clock(millis: i64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    push_fraction(&mut text, millis);
    text
}

fn push_fraction(text: &mut String, millis: i64) {
    if millis > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{millis:03}");
    }
}

/// The day of a number >= 1, up to the year 9999. Since Lotus, 1900 has a 29th of February, which is number 60.
fn day_text(day: i64, is_1904: bool) -> Option<String> {
    const LAST: Date = date(9999, 12, 31);
    let zeroth = match day {
        _ if is_1904 => date(1904, 1, 1),
        60 => return Some("1900-02-29".to_owned()),
        ..60 => date(1899, 12, 31),
        _ => date(1899, 12, 30),
    };
    let days = Span::new().try_days(day).ok()?;
    zeroth.checked_add(days).ok().filter(|found| *found <= LAST).map(|found| found.to_string())
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn numbers_are_the_shortest_text_that_reads_back() {
        let check = |value: f64, expected: &str| {
            let text = text(&DataRef::Float(value), false).expect("a text").into_owned();
            assert_eq!(text, expected);
            assert_eq!(text.parse::<f64>().expect("a number"), value);
        };
        check(5.0, "5");
        check(-0.0, "0");
        check(0.1, "0.1");
        check(0.1 + 0.2, "0.30000000000000004");
        check(1234567890123.0, "1234567890123");
        check(1e21, "1000000000000000000000");
        check(1e-7, "0.0000001");
    }

    #[test]
    fn times_are_iso_8601_in_both_date_systems() {
        let check = |days: f64, is_1904: bool, expected: &str| {
            let time = ExcelDateTime::new(days, ExcelDateTimeType::DateTime, is_1904);
            assert_eq!(text(&DataRef::DateTime(time), is_1904).as_deref(), Some(expected), "{days} {is_1904}");
        };
        check(1.0, false, "1900-01-01");
        check(59.0, false, "1900-02-28");
        check(60.0, false, "1900-02-29");
        check(61.0, false, "1900-03-01");
        check(45_943.0, false, "2025-10-13");
        check(45_943.541, false, "2025-10-13T12:59:02.400");
        check(45_943.5, false, "2025-10-13T12:00:00");
        check(0.5, false, "12:00:00");
        check(0.0, false, "00:00:00");
        check(0.000_011_574_074_1, false, "00:00:01");
        check(2_958_465.0, false, "9999-12-31");
        check(2_958_466.0, false, "2958466");
        check(-1.0, false, "-1");
        check(1.0, true, "1904-01-02");
        check(44_481.0, true, "2025-10-13");
        check(0.25, true, "06:00:00");
        check(2_957_003.0, true, "9999-12-31");
    }

    #[test]
    fn durations_are_iso_8601() {
        let check = |days: f64, expected: &str| {
            let time = ExcelDateTime::new(days, ExcelDateTimeType::TimeDelta, false);
            assert_eq!(text(&DataRef::DateTime(time), false).as_deref(), Some(expected), "{days}");
        };
        check(1.5, "PT36H0M0S");
        check(0.0, "PT0H0M0S");
        check(-0.5, "-PT12H0M0S");
        check(1.25 / 86_400.0, "PT0H0M1.250S");
    }
}
