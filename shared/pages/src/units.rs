//! Numbers, sizes and times for people.

use jiff::Timestamp;

/// A count with thousands separators: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things: `1 object`, `1,200 objects`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A size in decimal units: `12.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.into_iter().find(|(_, worth)| bytes >= *worth) {
        Some((unit, worth)) => {
            let tenths = bytes / (worth / 10);
            format!("{}.{} {unit}", count(tenths / 10), tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// A duration: `120 ms`, `1.23 s`, `3 min 5 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{:02} s", milliseconds % 1000 / 10),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", count(seconds / 86_400), seconds % 86_400 / 3600),
    }
}

/// Milliseconds from one instant to another; 0 where that is earlier, as clocks of different machines may have it.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or(0)
}

/// An instant to the second, in UTC: `2026-01-05 06:00:00 UTC`.
pub(crate) fn instant(at: Timestamp) -> String {
    format!("{at:.0}").replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let check = |number: u64, as_count: &str, as_size: &str, as_duration: &str| {
            let shown = (count(number), size(number), duration(number));
            assert_eq!(shown, (as_count.to_owned(), as_size.to_owned(), as_duration.to_owned()), "{number}");
        };
        check(0, "0", "0 B", "0 ms");
        check(999, "999", "999 B", "999 ms");
        check(1_239, "1,239", "1.2 kB", "1.23 s");
        check(185_000, "185,000", "185.0 kB", "3 min 5 s");
        check(7_500_000, "7,500,000", "7.5 MB", "2 h 5 min");
        check(273_600_000, "273,600,000", "273.6 MB", "3 d 4 h");
        assert_eq!((counted(1, "row", "rows"), counted(1200, "row", "rows")), ("1 row".into(), "1,200 rows".into()));
    }

    #[test]
    fn instants_are_in_utc_and_no_time_is_negative() {
        let at = |second: i64| Timestamp::from_second(1_767_592_800 + second).unwrap();
        assert_eq!(instant(at(0)), "2026-01-05 06:00:00 UTC");
        assert_eq!((between(at(0), at(2)), between(at(2), at(0))), (2000, 0));
    }
}
