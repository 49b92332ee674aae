//! The canonical text of values; see "Parquet values as text" in `docs/contracts.md`.

use std::fmt::Write as _;

/// The fractions of a second that a type counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    fn per_second(self) -> i64 {
        match self {
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Writes the proleptic Gregorian date of a day counted from 1970-01-01. Years beyond four digits have a sign, as ISO 8601
/// wants. Every day of 64 bits of milliseconds has a date.
pub(super) fn write_date(text: &mut String, days: i64) {
    // Days are counted from 0000-03-01 so that the leap day ends the year; 146 097 days are 400 years.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // Writing to a string cannot fail.
    let _ = match year {
        0..=9999 => write!(text, "{year:04}-{month:02}-{day:02}"),
        _ => write!(text, "{year:+05}-{month:02}-{day:02}"),
    };
}

/// Writes a time of day; `false` for one that no day has.
pub(super) fn write_time(text: &mut String, ticks: i64, unit: TimeUnit) -> bool {
    let per_second = unit.per_second();
    // 24:00:00 is a time of SQL.
    let of_a_day = (0..=SECONDS_PER_DAY * per_second).contains(&ticks);
    if of_a_day {
        write_clock(text, ticks / per_second, ticks % per_second * (NANOS_PER_SECOND / per_second));
    }
    of_a_day
}

fn write_clock(text: &mut String, second_of_day: i64, nanos: i64) {
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let _ = match nanos % 1000 {
        0 => write!(text, "{hour:02}:{minute:02}:{second:02}.{:06}", nanos / 1000),
        _ => write!(text, "{hour:02}:{minute:02}:{second:02}.{nanos:09}"),
    };
}

/// Writes an instant counted from 1970-01-01, with `Z` if it is in UTC and not in local time.
pub(super) fn write_timestamp(text: &mut String, ticks: i64, unit: TimeUnit, utc: bool) {
    let per_second = unit.per_second();
    let (seconds, fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    let nanos = fraction * (NANOS_PER_SECOND / per_second);
    write_instant(text, seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY), nanos);
    if utc {
        text.push('Z');
    }
}

/// Writes an INT96: a Julian day and nanoseconds of it. The nanoseconds of some writers leave the day.
///
/// Spark counts from the first Julian day in 64 bits of microseconds, which overflow in the year 287 396, and wraps when it
/// writes as when it reads. So an instant that leaves 64 bits here is one that was wrapped.
pub(super) fn write_julian(text: &mut String, julian_day: i32, nanos: i64) {
    /// The Julian day of 1970-01-01.
    const EPOCH: i64 = 2_440_588;
    const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * 1_000_000;
    let days = i64::from(julian_day) - EPOCH;
    let micros = days.wrapping_mul(MICROS_PER_DAY).wrapping_add(nanos.div_euclid(1000));
    let (days, micros) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
    write_instant(text, days, micros / 1_000_000, micros % 1_000_000 * 1000 + nanos.rem_euclid(1000));
}

fn write_instant(text: &mut String, days: i64, second_of_day: i64, nanos: i64) {
    write_date(text, days);
    text.push('T');
    write_clock(text, second_of_day, nanos);
}

/// Writes a whole number of units of the last of `scale` decimals.
pub(super) fn write_decimal(text: &mut String, units: i128, scale: usize) {
    if units < 0 {
        text.push('-');
    }
    let digits = format!("{:0width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    text.push_str(whole);
    if scale > 0 {
        text.push('.');
        text.push_str(decimals);
    }
}

/// The number of 16 bits in IEEE 754's binary16. Every one of them is a number of 32 bits, too.
pub(super) fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (bits >> 10 & 0x1F, f32::from(bits & 0x3FF));
    let magnitude = match exponent {
        0 => fraction * 2_f32.powi(-24),
        0x1F if fraction == 0.0 => f32::INFINITY,
        0x1F => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(i32::from(exponent) - 15),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        write(&mut text);
        text
    }

    #[test]
    fn days_become_iso_dates_in_every_year() {
        let check = |days, expected: &str| assert_eq!(written(|text| write_date(text, days)), expected);
        check(0, "1970-01-01");
        check(-1, "1969-12-31");
        check(11_016, "2000-02-29");
        check(11_017, "2000-03-01");
        check(14_944, "2010-12-01");
        check(-719_528, "0000-01-01");
        check(-719_529, "-0001-12-31");
        check(2_932_896, "9999-12-31");
        check(2_932_897, "+10000-01-01");
    }

    #[test]
    fn ticks_become_iso_timestamps_with_their_precision() {
        let check = |ticks, unit, utc, expected: &str| {
            assert_eq!(written(|text| write_timestamp(text, ticks, unit, utc)), expected);
        };
        check(0, TimeUnit::Milliseconds, false, "1970-01-01T00:00:00.000000");
        check(-1, TimeUnit::Microseconds, true, "1969-12-31T23:59:59.999999Z");
        check(1_291_191_960_123, TimeUnit::Milliseconds, true, "2010-12-01T08:26:00.123000Z");
        check(1_291_191_960_123_456_000, TimeUnit::Nanoseconds, false, "2010-12-01T08:26:00.123456");
        check(1_291_191_960_123_456_789, TimeUnit::Nanoseconds, false, "2010-12-01T08:26:00.123456789");
        // The ends of the range have a text too.
        assert!(written(|text| write_timestamp(text, i64::MAX, TimeUnit::Milliseconds, false)).starts_with('+'));
        assert!(written(|text| write_timestamp(text, i64::MIN, TimeUnit::Milliseconds, false)).starts_with('-'));
    }

    #[test]
    fn times_outside_of_a_day_have_no_text() {
        let check = |ticks, unit, expected: Option<&str>| {
            let mut text = String::new();
            let written = write_time(&mut text, ticks, unit);
            assert_eq!(written.then_some(text.as_str()), expected);
        };
        check(30_360_000, TimeUnit::Milliseconds, Some("08:26:00.000000"));
        check(86_399_999_999_999, TimeUnit::Nanoseconds, Some("23:59:59.999999999"));
        check(86_400_000_000, TimeUnit::Microseconds, Some("24:00:00.000000"));
        check(86_400_000_001, TimeUnit::Microseconds, None);
        check(-1, TimeUnit::Milliseconds, None);
        check(i64::MAX, TimeUnit::Nanoseconds, None);
    }

    #[test]
    fn julian_days_become_timestamps_far_from_now() {
        let check = |day, nanos, expected: &str| assert_eq!(written(|text| write_julian(text, day, nanos)), expected);
        check(2_440_588, 0, "1970-01-01T00:00:00.000000");
        check(2_440_588, 1, "1970-01-01T00:00:00.000000001");
        check(5_373_484, 86_399_999_999_000, "9999-12-31T23:59:59.999999");
        check(1_721_426, 0, "0001-01-01T00:00:00.000000");
        check(2_440_588, -1_000, "1969-12-31T23:59:59.999999");
        check(2_440_588, 86_400_000_000_000, "1970-01-02T00:00:00.000000");
        assert!(written(|text| write_julian(text, i32::MAX, i64::MAX)).starts_with('+'));
        assert!(written(|text| write_julian(text, i32::MIN, i64::MIN)).starts_with('-'));
    }

    #[test]
    fn decimals_are_plain_and_keep_their_scale() {
        let check = |units, scale, expected: &str| {
            assert_eq!(written(|text| write_decimal(text, units, scale)), expected);
        };
        check(150, 2, "1.50");
        check(-5, 2, "-0.05");
        check(0, 3, "0.000");
        check(-7, 0, "-7");
        check(99_999_999_999_999_999_999_999_999_999_999_999_999, 38, "0.99999999999999999999999999999999999999");
        check(i128::MIN, 0, "-170141183460469231731687303715884105728");
    }

    #[test]
    fn half_floats_are_exact() {
        let check = |bits, expected: f32| assert_eq!(half(bits).to_bits(), expected.to_bits(), "{bits:04x}");
        check(0x3E00, 1.5);
        check(0xC000, -2.0);
        check(0x8000, -0.0);
        check(0x0001, 5.960_464_5e-8);
        check(0x03FF, 6.097_555e-5);
        check(0x0400, 6.103_515_6e-5);
        check(0x7BFF, 65_504.0);
        check(0x7C00, f32::INFINITY);
        check(0xFC00, f32::NEG_INFINITY);
        assert!(half(0x7E00).is_nan());
    }
}
