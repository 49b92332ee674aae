//! Days and instants from a count since 1970 in UTC, as event logs and change feeds deliver them.

/// Nanoseconds of one day.
const DAY: i128 = 86_400_000_000_000;
/// Nanoseconds since 1970 of the first instant of the year 1, and of the first one after the year 9999.
const YEARS: std::ops::Range<i128> = -62_135_596_800_000_000_000..253_402_300_800_000_000_000;

/// The unit of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Epoch {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Epoch {
    /// The unit that a pattern stands for: seconds, with so many digits of their fraction where it has some, as `date`
    /// prints them.
    pub(super) fn of(strftime: &str) -> Option<Self> {
        match strftime {
            "%s" => Some(Self::Seconds),
            "%s%3f" => Some(Self::Milliseconds),
            "%s%6f" => Some(Self::Microseconds),
            "%s%9f" => Some(Self::Nanoseconds),
            _ => None,
        }
    }

    /// The UTC day of a count.
    pub(super) fn day(self, text: &str) -> Option<i32> {
        i32::try_from(self.nanos(text)?.div_euclid(DAY)).ok()
    }

    /// Microseconds since 1970 of a count; `None` where it is between two of them.
    pub(super) fn micros(self, text: &str) -> Option<i64> {
        let nanos = self.nanos(text)?;
        if nanos % 1000 != 0 {
            return None;
        }
        i64::try_from(nanos / 1000).ok()
    }

    /// Nanoseconds since 1970: `[+-]?digits`, of seconds also with `.` and 1 to 9 digits, in the years 1 to 9999.
    fn nanos(self, text: &str) -> Option<i128> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
            Some(at) if self == Self::Seconds => (digits.get(..at)?, Some(digits.get(at + 1..)?)),
            _ => (digits, None),
        };
        let part = match fraction {
            Some(fraction) => {
                let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 9)?;
                number(fraction)? * 10_i128.pow(9 - places)
            }
            None => 0,
        };
        let magnitude = number(whole)?.checked_mul(self.nanoseconds())?.checked_add(part)?;
        let nanos = if negative { -magnitude } else { magnitude };
        YEARS.contains(&nanos).then_some(nanos)
    }

    fn nanoseconds(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1000,
            Self::Nanoseconds => 1,
        }
    }
}

/// One digit or more.
fn number(digits: &[u8]) -> Option<i128> {
    if digits.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_are_instants_in_their_unit() {
        let check = |strftime: &str, text: &str, micros: Option<i64>| {
            assert_eq!(Epoch::of(strftime).unwrap().micros(text), micros, "{strftime}: {text:?}");
        };
        check("%s", "0", Some(0));
        check("%s", "-0", Some(0));
        check("%s", "+1", Some(1_000_000));
        check("%s", "-1", Some(-1_000_000));
        check("%s", "1625565568", Some(1_625_565_568_000_000));
        check("%s", "1625565568.878", Some(1_625_565_568_878_000));
        check("%s", "-1.5", Some(-1_500_000));
        check("%s", "-0.25", Some(-250_000));
        check("%s", "1.000001000", Some(1_000_001));
        check("%s%3f", "1625565568878", Some(1_625_565_568_878_000));
        check("%s%3f", "-1577926800000", Some(-1_577_926_800_000_000));
        check("%s%6f", "-1", Some(-1));
        check("%s%9f", "1625565568878123000", Some(1_625_565_568_878_123_000 / 1000));
        check("%s", "-62135596800", Some(-62_135_596_800_000_000));
        check("%s", "253402300799", Some(253_402_300_799_000_000));
    }

    #[test]
    fn what_is_not_a_count_of_microseconds_in_four_digit_years_is_unreadable() {
        let check = |strftime: &str, texts: &[&str]| {
            for text in texts {
                assert_eq!(Epoch::of(strftime).unwrap().micros(text), None, "{strftime}: {text:?}");
            }
        };
        check(
            "%s",
            &["", "-", "+", ".", "1.", ".5", "1,5", "1e3", "--1", "1 ", "1.0000001", "1.0000000000", "1.-5", "x"],
        );
        check("%s", &["-62135596801", "253402300800", "99999999999999999999999999999999999999999999999999"]);
        check("%s%3f", &["1.0", "1625565568878.5", "9999999999999999", "2021-07-06"]);
        check("%s%9f", &["1625565568878123001", "-1"]);
    }

    #[test]
    fn a_day_is_that_of_utc() {
        let check = |strftime: &str, text: &str, day: Option<i32>| {
            assert_eq!(Epoch::of(strftime).unwrap().day(text), day, "{strftime}: {text:?}");
        };
        check("%s", "86399.999", Some(0));
        check("%s", "86400", Some(1));
        check("%s", "-0.5", Some(-1));
        check("%s%3f", "1625565568878", Some(18_814));
        check("%s%9f", "-1", Some(-1));
        check("%s%3f", "1625565568878.5", None);
    }

    proptest! {
        #[test]
        fn counts_read_what_they_print(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            prop_assert_eq!(Epoch::Microseconds.micros(&micros.to_string()), Some(micros));
            prop_assert_eq!(Epoch::Nanoseconds.micros(&(i128::from(micros) * 1000).to_string()), Some(micros));
            let sign = if micros < 0 { "-" } else { "" };
            let magnitude = micros.unsigned_abs();
            let seconds = format!("{sign}{}.{:06}", magnitude / 1_000_000, magnitude % 1_000_000);
            prop_assert_eq!(Epoch::Seconds.micros(&seconds), Some(micros));
            prop_assert_eq!(Epoch::Seconds.day(&seconds).map(i64::from), Some(micros.div_euclid(86_400_000_000)));
        }
    }
}
