//! Days and instants by ISO 8601.

use super::{DAY, Instant, days_since_1970, offset, two};

/// An ISO day: `YYYY-MM-DD`.
pub(in crate::engine::cast) fn iso_day(text: &str) -> Option<i32> {
    match text.as_bytes() {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
            let (year, month, day) = (two(*y1, *y2)? * 100 + two(*y3, *y4)?, two(*m1, *m2)?, two(*d1, *d2)?);
            days_since_1970(year, month, day)
        }
        _ => None,
    }
}

/// An ISO instant of canonical text: a day (its midnight), or `YYYY-MM-DD[T ]HH:MM:SS[.f{1,9}][Z|±hh:mm]`. Digits of
/// the fraction beyond the microseconds must be zeros.
pub(in crate::engine::cast) fn iso_instant(text: &str) -> Option<Instant> {
    let (day, rest) = text.split_at_checked(10)?;
    let midnight = i64::from(iso_day(day)?) * DAY;
    let [b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest.as_bytes() else {
        return rest.is_empty().then_some(Instant::Local(midnight));
    };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = match rest {
        [b'.', rest @ ..] => iso_fraction(rest)?,
        _ => (0, rest),
    };
    let local = midnight + i64::from(hour * 3600 + minute * 60 + second) * 1_000_000 + i64::from(micros);
    if rest.is_empty() {
        return Some(Instant::Local(local));
    }
    let minutes = match rest {
        b"Z" => 0,
        [_, _, _, b':', _, _] => offset(rest, false)?.0,
        _ => return None,
    };
    Some(Instant::Utc(local - i64::from(minutes) * 60_000_000))
}

/// An ISO instant as systems deliver it: [`iso_instant`], also without seconds, with `,` before the fraction, and with
/// the offset `±hh`, `±hhmm` or, as PostgreSQL writes the local mean times of the 19th century, `±hh:mm:ss`.
pub(super) fn delivered_instant(text: &str) -> Option<Instant> {
    // By far the most texts are canonical, and that reader is twice as fast.
    if let Some(instant) = iso_instant(text) {
        return Some(instant);
    }
    let (day, rest) = text.split_at_checked(10)?;
    let midnight = i64::from(iso_day(day)?) * DAY;
    let [b'T' | b' ', h1, h2, b':', m1, m2, rest @ ..] = rest.as_bytes() else { return None };
    let (hour, minute) = (two(*h1, *h2)?, two(*m1, *m2)?);
    let (second, micros, rest) = match rest {
        [b':', s1, s2, b'.' | b',', rest @ ..] => {
            let (micros, rest) = iso_fraction(rest)?;
            (two(*s1, *s2)?, micros, rest)
        }
        [b':', s1, s2, rest @ ..] => (two(*s1, *s2)?, 0, rest),
        _ => (0, 0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let local = midnight + i64::from(hour * 3600 + minute * 60 + second) * 1_000_000 + i64::from(micros);
    if rest.is_empty() {
        return Some(Instant::Local(local));
    }
    Some(Instant::Utc(local - i64::from(offset_seconds(rest)?) * 1_000_000))
}

/// Seconds of an offset from UTC that is the whole text: `Z`, `±hh`, `±hhmm`, `±hh:mm` or `±hh:mm:ss`.
fn offset_seconds(text: &[u8]) -> Option<i32> {
    let (minutes, rest) = offset(text, true)?;
    let seconds = match rest {
        [] => 0,
        [b':', s1, s2] if text.len() == "+hh:mm:ss".len() => two(*s1, *s2).filter(|seconds| *seconds <= 59)?,
        _ => return None,
    };
    let total = minutes * 60 + if text.first() == Some(&b'-') { -seconds } else { seconds };
    (total.abs() <= 18 * 3600).then_some(total)
}

fn iso_fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let (digits, rest) = text.split_at_checked(length)?;
    let mut micros = 0;
    for place in 0..length.max(6) {
        let digit = digits.get(place).map_or(0, |byte| i32::from(byte - b'0'));
        if place < 6 {
            micros = micros * 10 + digit;
        } else if digit != 0 {
            return None;
        }
    }
    Some((micros, rest))
}
