//! Days and instants from day numbers of a workbook, which are local times: days since a first one, and the part of a
//! day as a fraction.

/// Milliseconds of one day.
const DAY: i64 = 86_400_000;
/// Days from 1970 to the day before the first one of the calendar that begins with 1900.
const BEFORE_1900: i64 = -25_568;
/// Days from 1970 to the first one of the calendar that begins with 1904.
const FIRST_OF_1904: i64 = -24_107;
/// Days from 1970 to the end of the year 9999.
const LAST: i64 = 2_932_896;
/// The number of the 29th of February 1900, a day that was not: Excel has it, because Lotus 1-2-3 had it.
const NO_DAY: i64 = 60;
/// Most digits of a fraction: doubles have fewer.
const MOST_DIGITS: usize = 20;

/// The calendar of a workbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excel {
    /// Day 1 is the first of January 1900.
    From1900,
    /// Day 0 is the first of January 1904.
    From1904,
}

impl Excel {
    /// The calendar that a pattern stands for.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        match pattern {
            "excel_1900" => Some(Self::From1900),
            "excel_1904" => Some(Self::From1904),
            _ => None,
        }
    }

    /// Days since 1970 of a number without a part of a day.
    pub(super) fn day(self, text: &str) -> Option<i32> {
        let millis = self.millis(text)?;
        if millis.rem_euclid(DAY) != 0 {
            return None;
        }
        i32::try_from(millis.div_euclid(DAY)).ok()
    }

    /// Microseconds since 1970 on a wall clock. Parts of a day are doubles, in which no time is exact: the nearest
    /// millisecond is meant.
    pub(super) fn micros(self, text: &str) -> Option<i64> {
        Some(self.millis(text)? * 1000)
    }

    fn millis(self, text: &str) -> Option<i64> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if !(1..=7).contains(&whole.len()) || !(1..=MOST_DIGITS).contains(&fraction.len()) {
            return None;
        }
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let part = digits(fraction)? * u128::from(DAY.unsigned_abs());
        let part = i64::try_from((part + scale / 2) / scale).ok()?;
        let of_calendar = i64::try_from(digits(whole)?).ok()? * DAY + part;
        let first = match (self, of_calendar.div_euclid(DAY)) {
            (Self::From1900, 0 | NO_DAY) => return None,
            (Self::From1900, 1..NO_DAY) => BEFORE_1900,
            (Self::From1900, _) => BEFORE_1900 - 1,
            (Self::From1904, _) => FIRST_OF_1904,
        };
        let millis = of_calendar + first * DAY;
        (millis.div_euclid(DAY) <= LAST).then_some(millis)
    }
}

fn digits(text: &str) -> Option<u128> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Instant, days_since_1970, iso_instant};
    use super::*;

    #[test]
    fn days_are_those_that_excel_shows() {
        let check = |excel: Excel, text: &str, day: Option<(i32, i32, i32)>| {
            let expected = day.and_then(|(year, month, day)| days_since_1970(year, month, day));
            assert_eq!(excel.day(text), expected, "{excel:?}: {text:?}");
        };
        check(Excel::From1900, "1", Some((1900, 1, 1)));
        check(Excel::From1900, "59", Some((1900, 2, 28)));
        check(Excel::From1900, "60", None);
        check(Excel::From1900, "61", Some((1900, 3, 1)));
        check(Excel::From1900, "25569", Some((1970, 1, 1)));
        check(Excel::From1900, "45292.0", Some((2024, 1, 1)));
        check(Excel::From1900, "2958465", Some((9999, 12, 31)));
        check(Excel::From1904, "0", Some((1904, 1, 1)));
        check(Excel::From1904, "43830", Some((2024, 1, 1)));
        check(Excel::From1904, "2957003", Some((9999, 12, 31)));
        for text in ["0", "0.5", "2958466", "45292.5", "-1", "+1", "", ".", "1.", ".5", "1e3", "1,5", "2024-01-01"] {
            check(Excel::From1900, text, None);
        }
        check(Excel::From1904, "2957004", None);
    }

    #[test]
    fn a_fraction_is_a_time_to_the_millisecond() {
        let check = |text: &str, iso: &str| {
            let Some(Instant::Local(expected)) = iso_instant(iso) else { panic!("{iso} is not local") };
            assert_eq!(Excel::From1900.micros(text), Some(expected), "{text}");
        };
        check("45292", "2024-01-01T00:00:00");
        check("45292.5", "2024-01-01T12:00:00");
        check("45292.520833333336", "2024-01-01T12:30:00");
        check("45292.999988425923", "2024-01-01T23:59:59");
        check("45292.99999999999", "2024-01-02T00:00:00");
        check("59.5", "1900-02-28T12:00:00");
        assert_eq!(Excel::From1900.micros("60.25"), None, "a time of a day that was not");
    }
}
