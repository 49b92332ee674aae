//! Date and time patterns: the JDK's `DateTimeFormatter` as the contract writes them, `strftime` as engines read them.

use super::error::{Refusal, refuse};
use super::model::ColumnType;

/// What a translated pattern reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TimeFormat {
    /// The pattern in chrono's `strftime` dialect.
    pub strftime: String,
    /// Whether the text carries its offset from UTC.
    pub has_offset: bool,
}

/// A run of one letter in a JDK pattern.
struct Field {
    letter: char,
    count: usize,
    /// Character position in the pattern, from 1.
    position: usize,
}

/// Names of IANA time zones, one per line, sorted.
static ZONES: &str = include_str!("zones.txt");

/// Whether a name is one of an IANA time zone, case included.
pub(crate) fn is_zone(name: &str) -> bool {
    ZONES.lines().any(|zone| zone == name)
}

/// The pattern of a count since 1970 in UTC, by the name that contracts and specs give it: seconds, with so many digits
/// of their fraction.
pub(super) fn epoch(format: &str) -> Option<&'static str> {
    match format {
        "epoch_seconds" => Some("%s"),
        "epoch_milliseconds" => Some("%s%3f"),
        "epoch_microseconds" => Some("%s%6f"),
        "epoch_nanoseconds" => Some("%s%9f"),
        _ => None,
    }
}

/// Why a pattern that begins or ends with white space reads no text.
pub(super) fn white_space_around(format: &str) -> Refusal {
    Refusal(format!(
        "format '{}' begins or ends with white space, which is passed over around a text, so that no text fits; take \
         it out",
        format.escape_debug()
    ))
}

/// Translates a JDK pattern, or the name of a count since 1970, for a column of this type.
pub(super) fn translate(pattern: &str, column_type: &ColumnType) -> Result<TimeFormat, Refusal> {
    if let Some(strftime) = epoch(pattern) {
        return Ok(TimeFormat { strftime: strftime.to_owned(), has_offset: true });
    }
    let mut out = String::new();
    let mut fields: Vec<Field> = Vec::new();
    // Whether the last piece was a number of unknown length, or any number: two of them in a row cannot be separated.
    let mut last_number: Option<bool> = None;
    let mut chars = pattern.chars().enumerate().peekable();
    while let Some((index, c)) = chars.next() {
        let position = index + 1;
        if c.is_ascii_alphabetic() {
            let mut count = 1;
            while chars.next_if(|(_, next)| *next == c).is_some() {
                count += 1;
            }
            let field = Field { letter: c, count, position };
            if fields.iter().any(|earlier| meaning(earlier.letter) == meaning(c)) {
                refuse!("format '{pattern}': the letter {c} at position {position} repeats an earlier field");
            }
            // The day of a week has one digit in any case.
            let open = is_number(&field).then_some(count == 1 && c != 'e');
            if let (Some(before), Some(now)) = (last_number, open)
                && (before || now)
            {
                refuse!(
                    "format '{pattern}': at position {position} two numbers touch; write both with all their digits"
                );
            }
            last_number = open;
            push_field(pattern, &field, &mut out)?;
            fields.push(field);
            continue;
        }
        last_number = None;
        match c {
            '\'' => quoted(pattern, position, &mut chars, &mut out)?,
            '[' | ']' | '{' | '}' | '#' => {
                refuse!("format '{pattern}': {c} at position {position} is not executed")
            }
            '%' => out.push_str("%%"),
            other => out.push(other),
        }
    }
    if out.trim_ascii() != out {
        return Err(white_space_around(pattern));
    }
    check_fields(pattern, &fields, column_type)?;
    let has_offset = fields.iter().any(|field| meaning(field.letter) == 'X');
    Ok(TimeFormat { strftime: out, has_offset })
}

/// Letters of one field: years, hours and offsets can be written in several ways.
fn meaning(letter: char) -> char {
    match letter {
        'u' => 'y',
        'h' => 'H',
        'x' | 'Z' => 'X',
        'D' | 'e' => 'd',
        other => other,
    }
}

fn is_number(field: &Field) -> bool {
    match field.letter {
        'M' => field.count <= 2,
        letter => "yudHhmsSYweD".contains(letter),
    }
}

fn push_field(pattern: &str, field: &Field, out: &mut String) -> Result<(), Refusal> {
    let Field { letter, count, position } = *field;
    let piece = match (letter, count) {
        ('y' | 'u', 1 | 4) => "%Y",
        ('y' | 'u', 2) => refuse!(
            "format '{pattern}': {letter}{letter} at position {position} is not executed, since engines differ in the \
             century; deliver four digits"
        ),
        ('M', 1) => "%-m",
        ('M', 2) => "%m",
        ('M', 3) => "%b",
        ('M', 4) => "%B",
        ('d', 1) => "%-d",
        ('d', 2) => "%d",
        ('D', 3) => "%j",
        ('Y', 4) => "%G",
        ('w', 2) => "%V",
        ('e', 1) => "%u",
        ('H', 1) => "%-H",
        ('H', 2) => "%H",
        ('h', 1) => "%-I",
        ('h', 2) => "%I",
        ('m', 1) => "%-M",
        ('m', 2) => "%M",
        ('s', 1) => "%-S",
        ('s', 2) => "%S",
        ('a', 1) => "%p",
        ('S', 3 | 6) => return push_fraction(count, out),
        ('S', _) => refuse!(
            "format '{pattern}': S at position {position} is executed as SSS or SSSSSS, with at most the microseconds \
             that a timestamp keeps"
        ),
        // X reads `Z` for UTC, and alone `+01`; the others never do.
        ('X', 1..=3) | ('Z', 5) => "%#z",
        ('Z', 1..=3) | ('x', 2) => "%z",
        ('x', 1) => "%#z",
        ('x', 3) => "%:z",
        _ => {
            let letters = letter.to_string().repeat(count);
            refuse!("format '{pattern}': {letters} at position {position} is not executed")
        }
    };
    out.push_str(piece);
    Ok(())
}

/// Adds a fraction; chrono takes the dot before it as part of the field.
fn push_fraction(count: usize, out: &mut String) -> Result<(), Refusal> {
    if out.ends_with('.') {
        out.pop();
        out.push_str(&format!("%.{count}f"));
    } else {
        out.push_str(&format!("%{count}f"));
    }
    Ok(())
}

/// Adds the literal text of a quote; `''` is one apostrophe, inside and outside of it.
fn quoted(
    pattern: &str,
    position: usize,
    chars: &mut std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'_>>>,
    out: &mut String,
) -> Result<(), Refusal> {
    if chars.next_if(|(_, next)| *next == '\'').is_some() {
        out.push('\'');
        return Ok(());
    }
    while let Some((_, c)) = chars.next() {
        match c {
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_some() => out.push('\''),
            '\'' => return Ok(()),
            '%' => out.push_str("%%"),
            other => out.push(other),
        }
    }
    refuse!("format '{pattern}': the quote at position {position} is never closed")
}

/// Checks that the fields make one whole value of the type.
fn check_fields(pattern: &str, fields: &[Field], column_type: &ColumnType) -> Result<(), Refusal> {
    let has = |letter: char| fields.iter().any(|field| field.letter == letter);
    let has_meaning = |letter: char| fields.iter().any(|field| meaning(field.letter) == letter);
    let day: &[(char, &str)] = match (has('D'), has('Y') || has('w') || has('e')) {
        (true, _) => &[('y', "year (yyyy)"), ('D', "day of the year (DDD)")],
        (_, true) => &[('Y', "year of weeks (YYYY)"), ('w', "week (ww)"), ('e', "day of the week (e)")],
        _ => &[('y', "year (yyyy)"), ('M', "month (MM)"), ('d', "day (dd)")],
    };
    let is_known = |letter: char| if matches!(letter, 'D' | 'e') { has(letter) } else { has_meaning(letter) };
    if let Some((_, name)) = day.iter().find(|(letter, _)| !is_known(*letter)) {
        refuse!("format '{pattern}' has no {name}");
    }
    let of_other_days = |letter: char| "yMdYw".contains(letter) && !day.iter().any(|(own, _)| meaning(*own) == letter);
    if let Some(field) = fields.iter().find(|field| of_other_days(meaning(field.letter))) {
        let Field { letter, position, .. } = field;
        refuse!("format '{pattern}': {letter} at position {position} says the day in another way; leave it out");
    }
    if has('h') != has('a') {
        refuse!("format '{pattern}' needs both h and a for the twelve-hour clock, or H for the other");
    }
    if *column_type == ColumnType::Date {
        if let Some(field) = fields.iter().find(|field| !matches!(meaning(field.letter), 'y' | 'M' | 'd' | 'Y' | 'w')) {
            let Field { letter, position, .. } = field;
            refuse!(
                "format '{pattern}': {letter} at position {position} is no part of a date; make the column a timestamp"
            );
        }
        return Ok(());
    }
    if !has_meaning('H') || !has('m') {
        refuse!("format '{pattern}' has no hour and minute (HH:mm); make the column a date");
    }
    if has('S') && !has('s') {
        refuse!("format '{pattern}' has a fraction (S) but no second (ss)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jdk_patterns_become_strftime() {
        let check = |pattern: &str, column_type: ColumnType, strftime: &str, has_offset: bool| {
            let expected = TimeFormat { strftime: strftime.to_owned(), has_offset };
            assert_eq!(translate(pattern, &column_type), Ok(expected), "{pattern}");
        };
        check("yyyy-MM-dd", ColumnType::Date, "%Y-%m-%d", false);
        check("uuuuMMdd", ColumnType::Date, "%Y%m%d", false);
        check("d.M.y", ColumnType::Date, "%-d.%-m.%Y", false);
        check("dd MMM yyyy", ColumnType::Date, "%d %b %Y", false);
        check("yyyy-DDD", ColumnType::Date, "%Y-%j", false);
        check("yyyyDDD", ColumnType::Date, "%Y%j", false);
        check("YYYY-'W'ww-e", ColumnType::Date, "%G-W%V-%u", false);
        check("YYYY'W'wwe'T'HHmmss", ColumnType::Timestamp, "%GW%V%uT%H%M%S", false);
        check("MMMM d, yyyy", ColumnType::Date, "%B %-d, %Y", false);
        check("yyyy-MM-dd HH:mm:ss", ColumnType::Timestamp, "%Y-%m-%d %H:%M:%S", false);
        check("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", ColumnType::Timestamp, "%Y-%m-%dT%H:%M:%S%.3f%#z", true);
        check("yyyyMMddHHmmssSSS", ColumnType::Timestamp, "%Y%m%d%H%M%S%3f", false);
        check("MM/dd/yyyy hh:mm a", ColumnType::Timestamp, "%m/%d/%Y %I:%M %p", false);
        check("yyyy-MM-dd HH:mm:ssZ", ColumnType::Timestamp, "%Y-%m-%d %H:%M:%S%z", true);
        check("epoch_seconds", ColumnType::Timestamp, "%s", true);
        check("epoch_milliseconds", ColumnType::Timestamp, "%s%3f", true);
        check("epoch_microseconds", ColumnType::Date, "%s%6f", true);
        check("epoch_nanoseconds", ColumnType::Timestamp, "%s%9f", true);
        check("yyyy-MM-dd 'at' HH 'o''clock' mm''%", ColumnType::Timestamp, "%Y-%m-%d at %H o'clock %M'%%", false);
    }

    #[test]
    fn what_has_no_one_meaning_is_refused_with_its_position() {
        let check = |pattern: &str, column_type: ColumnType, expected: &str| {
            let error = translate(pattern, &column_type).unwrap_err().0;
            assert!(error.contains(expected), "{error}");
        };
        check("yy-MM-dd", ColumnType::Date, "yy at position 1");
        check("yyyy-MM-dd QQQ", ColumnType::Date, "QQQ at position 12");
        check("yyyy-MM-dd HH:mm z", ColumnType::Timestamp, "z at position 18");
        check("yyyy-MM-dd HH:mm:ss.S", ColumnType::Timestamp, "S at position 21");
        check("yyyy-MM-dd HH:mm:ss.SSSSSSSSS", ColumnType::Timestamp, "microseconds");
        check("yyyy-MM-dd HH:mm", ColumnType::Date, "H at position 12 is no part of a date");
        check("yyyy-MM-dd", ColumnType::Timestamp, "no hour");
        check("yyyy-MM", ColumnType::Date, "no day");
        check("yyyy-MM-dd hh:mm", ColumnType::Timestamp, "both h and a");
        check("yyyy-MM-dd HH:mm a", ColumnType::Timestamp, "both h and a");
        check("yyyyMd", ColumnType::Date, "at position 5 two numbers touch");
        check("yyyy-MM-dd'T", ColumnType::Date, "quote at position 11");
        check("yyyy-MM-dd[ HH:mm]", ColumnType::Timestamp, "[ at position 11");
        check("yyyy-MM-dd uuuu", ColumnType::Date, "repeats");
        check("yyyy-MM-dd HH:mm.SSS", ColumnType::Timestamp, "no second");
        check("", ColumnType::Date, "no year");
        check("epoch_minutes", ColumnType::Timestamp, "p at position 2");
        check("YYYY-MM-dd", ColumnType::Date, "no week (ww)");
        check("yyyy-'W'ww-e", ColumnType::Date, "no year of weeks (YYYY)");
        check("YYYY-'W'ww-e yyyy", ColumnType::Date, "y at position 14 says the day in another way");
        check("yyyy-MM-DDD", ColumnType::Date, "M at position 6 says the day in another way");
        check("yyyy-DD", ColumnType::Date, "DD at position 6");
        check("MM-DDD", ColumnType::Date, "no year (yyyy)");
        check("yyyy-MM-dd-e", ColumnType::Date, "repeats");
        for format in ["yyyy-MM-dd ", " yyyy-MM-dd", "yyyy-MM-dd' '", "yyyy-MM-dd\t"] {
            check(format, ColumnType::Date, "begins or ends with white space");
        }
    }

    #[test]
    fn zones_are_known_by_their_exact_names() {
        for zone in ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"] {
            assert!(is_zone(zone), "{zone}");
        }
        for zone in ["", "europe/berlin", "Europe/Berlim", "+01:00", "UTC\n"] {
            assert!(!is_zone(zone), "{zone}");
        }
    }
}
