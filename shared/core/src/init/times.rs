//! Days and instants: ISO 8601 as the engine reads it, and the patterns in which others write them.

use crate::contract::MONTHS;

/// Patterns of days. Of those that begin alike, the ones with all digits are first.
pub(super) const DAYS: [&str; 24] = [
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%-d.%-m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%-d/%-m/%Y",
    "%-m/%-d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%-d-%-m-%Y",
    "%-m-%-d-%Y",
    "%Y/%m/%d",
    "%Y/%-m/%-d",
    "%Y.%m.%d",
    "%Y-%-m-%-d",
    "%d-%b-%Y",
    "%-d-%b-%Y",
    "%d %b %Y",
    "%-d %b %Y",
    "%-d %B %Y",
    "%b %d, %Y",
    "%b %-d, %Y",
    "%B %-d, %Y",
    "%d/%b/%Y",
];
const CLOCKS: [&str; 14] = [
    "%H:%M:%S",
    "%H:%M:%S%.3f",
    "%H:%M:%S%.6f",
    "%H:%M",
    "%-H:%M:%S",
    "%-H:%M",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%-I:%M:%S %p",
    "%-I:%M %p",
    "%-I:%M:%S%p",
    "%-I:%M%p",
    "%H.%M.%S",
    "%H.%M",
];
const BETWEEN: [&str; 4] = [" ", "T", ", ", ":"];
const ZONES: [&str; 5] = ["", "%#z", " %#z", " UTC", " GMT"];

/// The order of day and month in a pattern of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    DayFirst,
    MonthFirst,
}

/// Which order a pattern of days has that could also be in the other one: `/` and `-` stand in both, `.` never after a
/// month.
pub(super) fn order(pattern: &str) -> Option<Order> {
    let plain = pattern.replace("%-", "%");
    let begins = |starts: [&str; 2]| starts.iter().any(|start| plain.starts_with(start));
    if begins(["%d/%m/%Y", "%d-%m-%Y"]) {
        return Some(Order::DayFirst);
    }
    begins(["%m/%d/%Y", "%m-%d-%Y"]).then_some(Order::MonthFirst)
}

/// The patterns that read a text whole, those of days first.
pub(super) fn patterns_of(text: &str) -> Vec<String> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits < 5 || text.len() > 45 || text.contains('\n') {
        return Vec::new();
    }
    let mut found = Vec::new();
    for day in DAYS {
        let mut parts = Parts::default();
        let Some(rest) = take(day, text.as_bytes(), &mut parts) else { continue };
        if !parts.is_day() {
            continue;
        }
        if rest.is_empty() {
            found.push(day.to_owned());
            continue;
        }
        for between in BETWEEN {
            let Some(rest) = rest.strip_prefix(between.as_bytes()) else { continue };
            for clock in CLOCKS {
                for zone in ZONES {
                    let clock = format!("{clock}{zone}");
                    if take(&clock, rest, &mut parts.clone()).is_some_and(<[u8]>::is_empty) {
                        found.push(format!("{day}{between}{clock}"));
                    }
                }
            }
        }
    }
    found
}

/// Whether a pattern reads the whole text.
pub(super) fn reads(pattern: &str, text: &str) -> bool {
    day(pattern, text).is_some()
}

/// Year, month and day of a text that a pattern reads whole.
pub(super) fn day(pattern: &str, text: &str) -> Option<(usize, usize, usize)> {
    let mut parts = Parts::default();
    let is_read = take(pattern, text.as_bytes(), &mut parts).is_some_and(<[u8]>::is_empty) && parts.is_day();
    is_read.then_some((parts.year, parts.month, parts.day))
}

/// Whether a pattern is of an instant, and not of a day.
pub(super) fn has_time(pattern: &str) -> bool {
    pattern.contains("%M")
}

/// Whether a text is an ISO day.
pub(super) fn is_iso_day(text: &str) -> bool {
    text.len() == 10 && reads("%Y-%m-%d", text)
}

/// Whether a text is an ISO instant as systems deliver it, or an ISO day.
pub(super) fn is_iso_instant(text: &str) -> bool {
    let Some((day, rest)) = text.split_at_checked(10) else { return false };
    if !is_iso_day(day) {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    let Some(rest) = rest.strip_prefix(['T', ' ']) else { return false };
    let mut parts = Parts::default();
    let Some(rest) = take("%H:%M", rest.as_bytes(), &mut parts) else { return false };
    let rest = match take(":%S", rest, &mut parts) {
        Some(after) => match after {
            [b'.' | b',', digits @ ..] => match fraction(digits) {
                Some(after) => after,
                None => return false,
            },
            other => other,
        },
        None => rest,
    };
    rest.is_empty() || is_offset(rest)
}

/// What follows 1 to 9 digits, of which those beyond the microseconds are zeros.
fn fraction(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let is_exact = digits.iter().skip(6).all(|digit| *digit == b'0');
    ((1..=9).contains(&length) && is_exact).then_some(rest)
}

fn is_offset(text: &[u8]) -> bool {
    let two = |tens: &u8, ones: &u8| tens.is_ascii_digit() && ones.is_ascii_digit();
    match text {
        b"Z" => true,
        [b'+' | b'-', h1, h2] => two(h1, h2) && is_hour(*h1, *h2),
        [b'+' | b'-', h1, h2, m1, m2] | [b'+' | b'-', h1, h2, b':', m1, m2] => {
            two(h1, h2) && two(m1, m2) && is_hour(*h1, *h2) && *m1 <= b'5'
        }
        _ => false,
    }
}

/// Offsets have less than 18 hours.
fn is_hour(tens: u8, ones: u8) -> bool {
    tens == b'0' || (tens == b'1' && ones <= b'7')
}

#[derive(Debug, Clone, Default)]
struct Parts {
    year: usize,
    month: usize,
    day: usize,
}

impl Parts {
    fn is_day(&self) -> bool {
        let Self { year, month, day } = *self;
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        year > 0 && (1..=days).contains(&day)
    }
}

/// Reads a pattern off the front of a text, and gives the rest.
fn take<'t>(pattern: &str, text: &'t [u8], parts: &mut Parts) -> Option<&'t [u8]> {
    let mut rest = text;
    let mut signs = pattern.bytes();
    while let Some(sign) = signs.next() {
        if sign != b'%' {
            rest = rest.strip_prefix(&[sign])?;
            continue;
        }
        let mut field = signs.next()?;
        let is_open = field == b'-';
        if is_open {
            field = signs.next()?;
        }
        rest = match field {
            b'.' => {
                let digits = usize::from(signs.next()? - b'0');
                let _f = signs.next()?;
                number(rest.strip_prefix(b".")?, digits, digits)?.1
            }
            b'#' => {
                let _z = signs.next()?;
                return is_offset(rest).then_some(&[][..]);
            }
            b'p' => half_of_day(rest)?,
            b'b' | b'B' => {
                let (month, after) = month_name(rest, field == b'b')?;
                parts.month = month;
                after
            }
            _ => take_number(field, is_open, rest, parts)?,
        };
    }
    Some(rest)
}

fn take_number<'t>(field: u8, is_open: bool, rest: &'t [u8], parts: &mut Parts) -> Option<&'t [u8]> {
    let most = if field == b'Y' { 4 } else { 2 };
    let (value, after) = number(rest, if is_open { 1 } else { most }, most)?;
    let fits = match field {
        b'Y' => {
            parts.year = value;
            true
        }
        b'm' => {
            parts.month = value;
            true
        }
        b'd' => {
            parts.day = value;
            true
        }
        b'H' => value <= 23,
        b'I' => (1..=12).contains(&value),
        b'M' | b'S' => value <= 59,
        _ => false,
    };
    fits.then_some(after)
}

fn number(text: &[u8], least: usize, most: usize) -> Option<(usize, &[u8])> {
    let length = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let value = digits.iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0'));
    (length >= least).then_some((value, rest))
}

fn half_of_day(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'a' | b'A' | b'p' | b'P', b'm' | b'M', rest @ ..] => Some(rest),
        _ => None,
    }
}

fn month_name(text: &[u8], is_short: bool) -> Option<(usize, &[u8])> {
    for (month, name) in (1..).zip(MONTHS) {
        let name = if is_short { name.as_bytes().get(..3)? } else { name.as_bytes() };
        if let Some((front, rest)) = text.split_at_checked(name.len())
            && front.eq_ignore_ascii_case(name)
        {
            return Some((month, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_patterns_that_read_all_of_it() {
        let check = |text: &str, expected: &[&str]| assert_eq!(patterns_of(text), expected, "{text}");
        check("31.01.2026", &["%d.%m.%Y", "%-d.%-m.%Y"]);
        check("1.2.2026", &["%-d.%-m.%Y"]);
        check("13/02/2026", &["%d/%m/%Y", "%-d/%-m/%Y"]);
        check("02/13/2026", &["%m/%d/%Y", "%-m/%-d/%Y"]);
        check("05-JAN-2024", &["%d-%b-%Y", "%-d-%b-%Y"]);
        check("Jan 5, 2024", &["%b %-d, %Y"]);
        check("5 January 2024", &["%-d %B %Y"]);
        check("31.01.2026 08:05", &["%d.%m.%Y %H:%M", "%d.%m.%Y %-H:%M", "%-d.%-m.%Y %H:%M", "%-d.%-m.%Y %-H:%M"]);
        check("1/31/2026 8:05 PM", &["%-m/%-d/%Y %-I:%M %p"]);
        check(
            "2024-01-05 10:11:12 UTC",
            &["%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %-H:%M:%S UTC", "%Y-%-m-%-d %H:%M:%S UTC", "%Y-%-m-%-d %-H:%M:%S UTC"],
        );
        for text in ["31.02.2026", "2026-13-01", "12345678", "31.01.26", "hello", "", "31.01.2026 25:00"] {
            check(text, &[]);
        }
    }

    #[test]
    fn orders_of_day_and_month_are_open_with_slashes_and_hyphens() {
        let check = |pattern: &str, expected: Option<Order>| assert_eq!(order(pattern), expected, "{pattern}");
        check("%d/%m/%Y", Some(Order::DayFirst));
        check("%-m/%-d/%Y %H:%M", Some(Order::MonthFirst));
        check("%d-%m-%Y", Some(Order::DayFirst));
        check("%-m-%-d-%Y", Some(Order::MonthFirst));
        check("%d.%m.%Y", None);
        check("%-d.%-m.%Y", None);
        check("%Y-%-m-%-d", None);
        check("%Y/%m/%d", None);
        check("%d-%b-%Y", None);
        check("%d/%b/%Y", None);
    }

    #[test]
    fn iso_instants_are_those_that_the_engine_reads() {
        let check = |text: &str, expected: bool| assert_eq!(is_iso_instant(text), expected, "{text}");
        for text in [
            "2024-01-05",
            "2024-01-05 10:11",
            "2024-01-05T10:11:12",
            "2024-01-05 10:11:12.123+00",
            "2024-01-05T10:11:12.000+0000",
            "2024-01-05T10:11:12.123456Z",
            "2024-01-05T10:11:12.123456000-05:30",
            "2024-01-05 10:11:12,5",
        ] {
            check(text, true);
        }
        for text in ["2024-02-30", "2024-01-05 24:00:00", "2024-01-05T10:11:12.1234567Z", "2024-01-05 10", "10:11:12"] {
            check(text, false);
        }
    }
}
