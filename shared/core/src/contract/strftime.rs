//! Date and time patterns as a spec writes them for one column: the fields of `strftime` that engines read.

use super::error::{Refusal, refuse};
use super::model::ColumnType;
use super::time_format::{epoch, white_space_around};

/// Names of months, as `%B` has them; the first three letters are their short form, `%b`.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What a field is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Percent,
    Year,
    Month,
    Day,
    YearDay,
    WeekYear,
    Week,
    WeekDay,
    Hour,
    HalfDayHour,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Offset,
}

impl Part {
    /// Parts of one meaning: hours can be written in two ways.
    fn meaning(self) -> Self {
        match self {
            Self::HalfDayHour => Self::Hour,
            other => other,
        }
    }
}

/// How the text of a field ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// By itself, and it begins with something other than a digit or has no digits.
    Clear,
    /// After a fixed number of digits.
    Digits,
    /// After one digit or two.
    OpenDigits,
}

/// The fields. Of two that begin alike, either may be first: none is the beginning of another.
const FIELDS: [(&str, Part, Ending); 28] = [
    ("%%", Part::Percent, Ending::Clear),
    ("%Y", Part::Year, Ending::Digits),
    ("%m", Part::Month, Ending::Digits),
    ("%-m", Part::Month, Ending::OpenDigits),
    ("%b", Part::Month, Ending::Clear),
    ("%B", Part::Month, Ending::Clear),
    ("%d", Part::Day, Ending::Digits),
    ("%-d", Part::Day, Ending::OpenDigits),
    ("%j", Part::YearDay, Ending::Digits),
    ("%G", Part::WeekYear, Ending::Digits),
    ("%V", Part::Week, Ending::Digits),
    ("%u", Part::WeekDay, Ending::Digits),
    ("%H", Part::Hour, Ending::Digits),
    ("%-H", Part::Hour, Ending::OpenDigits),
    ("%I", Part::HalfDayHour, Ending::Digits),
    ("%-I", Part::HalfDayHour, Ending::OpenDigits),
    ("%p", Part::HalfDay, Ending::Clear),
    ("%M", Part::Minute, Ending::Digits),
    ("%-M", Part::Minute, Ending::OpenDigits),
    ("%S", Part::Second, Ending::Digits),
    ("%-S", Part::Second, Ending::OpenDigits),
    ("%.3f", Part::Fraction, Ending::Clear),
    ("%.6f", Part::Fraction, Ending::Clear),
    ("%3f", Part::Fraction, Ending::Digits),
    ("%6f", Part::Fraction, Ending::Digits),
    ("%z", Part::Offset, Ending::Clear),
    ("%:z", Part::Offset, Ending::Clear),
    ("%#z", Part::Offset, Ending::Clear),
];

/// A field of a pattern.
struct Written {
    field: &'static str,
    part: Part,
    /// Character position in the pattern, from 1.
    position: usize,
}

/// What reads day numbers of a workbook, by the name that specs give it: days since the end of 1899, or since the begin of
/// 1904.
const EXCEL: [&str; 2] = ["excel_1900", "excel_1904"];

/// The pattern for a column of this type: the text itself, or that of a count since 1970. Day numbers of a workbook have
/// their name as pattern.
///
/// # Errors
/// What has no one meaning, or does not make one whole value of the type, with its position.
pub(crate) fn strftime_of(format: &str, column_type: &ColumnType) -> Result<String, String> {
    if let Some(strftime) = epoch(format) {
        return Ok(strftime.to_owned());
    }
    if EXCEL.contains(&format) {
        return Ok(format.to_owned());
    }
    if format.trim_ascii() != format {
        return Err(white_space_around(format).0);
    }
    let checked = fields(format).and_then(|fields| check_value(format, &fields, column_type));
    checked.map(|()| format.to_owned()).map_err(|Refusal(message)| message)
}

fn fields(format: &str) -> Result<Vec<Written>, Refusal> {
    let mut fields: Vec<Written> = Vec::new();
    // How the field before ends, where nothing is between it and the next one.
    let mut before = Ending::Clear;
    let mut rest = format;
    let mut position = 1;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        let mut ending = if c.is_ascii_digit() { Ending::Digits } else { Ending::Clear };
        if c == '%' {
            let Some((field, part, field_ending)) = FIELDS.into_iter().find(|(field, ..)| rest.starts_with(field))
            else {
                let unknown: String = rest.chars().take(2).collect();
                refuse!(
                    "format '{format}': {unknown} at position {position} is not executed; write %Y %m %d %H %M %S, \
                     %b %B for names of months, %I %p, %.3f %.6f, %z, or the first of them with `-` for numbers of one \
                     digit or two (%-d), %j for the day of a year, %G %V %u for year, week and day of ISO 8601"
                )
            };
            if part != Part::Percent {
                if fields.iter().any(|earlier| earlier.part.meaning() == part.meaning()) {
                    refuse!("format '{format}': {field} at position {position} repeats an earlier field");
                }
                fields.push(Written { field, part, position });
            }
            (length, ending) = (field.len(), field_ending);
        }
        let is_open = before == Ending::OpenDigits || ending == Ending::OpenDigits;
        if is_open && before != Ending::Clear && ending != Ending::Clear {
            refuse!("format '{format}': at position {position} two numbers touch; write both with all their digits");
        }
        before = ending;
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        position += taken.chars().count();
        rest = left;
    }
    Ok(fields)
}

/// Checks that the fields make one whole value of the type.
fn check_value(format: &str, fields: &[Written], column_type: &ColumnType) -> Result<(), Refusal> {
    let has = |part: Part| fields.iter().any(|field| field.part == part);
    let of_weeks = [Part::WeekYear, Part::Week, Part::WeekDay];
    let day: &[(Part, &str)] = if has(Part::YearDay) {
        &[(Part::Year, "year (%Y)"), (Part::YearDay, "day of the year (%j)")]
    } else if of_weeks.into_iter().any(has) {
        &[(Part::WeekYear, "year of weeks (%G)"), (Part::Week, "week (%V)"), (Part::WeekDay, "day of the week (%u)")]
    } else {
        &[(Part::Year, "year (%Y)"), (Part::Month, "month (%m)"), (Part::Day, "day (%d)")]
    };
    if let Some((_, name)) = day.iter().find(|(part, _)| !has(*part)) {
        refuse!("format '{format}' has no {name}; formats of a spec are patterns of strftime, such as %d.%m.%Y");
    }
    let is_other = |part: Part| is_of_day(part) && !day.iter().any(|(own, _)| *own == part);
    if let Some(Written { field, position, .. }) = fields.iter().find(|field| is_other(field.part)) {
        refuse!("format '{format}': {field} at position {position} says the day in another way; leave it out");
    }
    if has(Part::HalfDayHour) != has(Part::HalfDay) {
        refuse!("format '{format}' needs both %I and %p for the twelve-hour clock, or %H for the other");
    }
    if *column_type == ColumnType::Date {
        if let Some(Written { field, position, .. }) = fields.iter().find(|field| !is_of_day(field.part)) {
            refuse!(
                "format '{format}': {field} at position {position} is not part of a date; make the column a timestamp"
            );
        }
        return Ok(());
    }
    let has_hour = has(Part::Hour) || has(Part::HalfDayHour);
    if !has_hour || !has(Part::Minute) {
        refuse!("format '{format}' has no hour and minute (%H:%M); make the column a date");
    }
    if has(Part::Fraction) && !has(Part::Second) {
        refuse!("format '{format}' has a fraction but no second (%S)");
    }
    Ok(())
}

fn is_of_day(part: Part) -> bool {
    use Part::{Day, Month, Week, WeekDay, WeekYear, Year, YearDay};
    matches!(part, Year | Month | Day | YearDay | WeekYear | Week | WeekDay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_make_a_value_are_taken_as_they_are() {
        let check = |format: &str, column_type: ColumnType, strftime: &str| {
            assert_eq!(strftime_of(format, &column_type), Ok(strftime.to_owned()), "{format}");
        };
        let same = |format: &str, column_type: ColumnType| check(format, column_type, format);
        same("%d.%m.%Y", ColumnType::Date);
        same("%Y%m%d", ColumnType::Date);
        same("%-d/%-m/%Y", ColumnType::Date);
        same("%B %-d, %Y", ColumnType::Date);
        same("%Y年%m月%d", ColumnType::Date);
        same("%Y-%j", ColumnType::Date);
        same("%G-W%V-%u", ColumnType::Date);
        same("%G-W%V-%u %H:%M", ColumnType::Timestamp);
        same("excel_1900", ColumnType::Date);
        same("excel_1904", ColumnType::Timestamp);
        same("100%% %Y-%m-%d", ColumnType::Date);
        same("%Y-%m-%dT%H:%M:%S%.3f%#z", ColumnType::Timestamp);
        same("%Y%m%d%H%M%S%3f", ColumnType::Timestamp);
        same("%m/%d/%Y %I:%M %p", ColumnType::Timestamp);
        check("epoch_seconds", ColumnType::Timestamp, "%s");
        check("epoch_milliseconds", ColumnType::Date, "%s%3f");
    }

    #[test]
    fn what_has_no_one_meaning_is_refused_with_its_position() {
        let check = |format: &str, column_type: ColumnType, says: &str| {
            let message = strftime_of(format, &column_type).expect_err(format);
            assert!(message.contains(says), "{format}: {message}");
        };
        check("%y-%m-%d", ColumnType::Date, "%y at position 1");
        check("%d.%m.%Y %T", ColumnType::Timestamp, "%T at position 10");
        check("%Y-%", ColumnType::Date, "% at position 4");
        check("dd.MM.yyyy", ColumnType::Date, "no year (%Y)");
        check("%Y-%m", ColumnType::Date, "no day (%d)");
        check("%Y-%m-%d %Y", ColumnType::Date, "%Y at position 10 repeats");
        check("%H %I %p %M %d.%m.%Y", ColumnType::Timestamp, "%I at position 4 repeats");
        check("%Y-%m-%d %H:%M", ColumnType::Date, "%H at position 10 is not part of a date");
        check("%Y-%m-%d", ColumnType::Timestamp, "no hour and minute");
        check("%Y-%m-%d %I:%M", ColumnType::Timestamp, "both %I and %p");
        check("%Y-%m-%d %H:%M%.3f", ColumnType::Timestamp, "no second");
        check("%Y%-m%-d", ColumnType::Date, "at position 3 two numbers touch");
        check("%-d0%m%Y", ColumnType::Date, "at position 4 two numbers touch");
        check("", ColumnType::Date, "no year");
        check("%Y-W%V-%u", ColumnType::Date, "no year of weeks (%G)");
        check("%G-W%V", ColumnType::Date, "no day of the week (%u)");
        check("%Y-%m-%j", ColumnType::Date, "%m at position 4 says the day in another way");
        check("%j", ColumnType::Date, "no year (%Y)");
        check("excel_1905", ColumnType::Date, "no year (%Y)");
        for format in ["%Y-%m-%d ", "\t%Y-%m-%d", "%Y-%m-%d\n", " epoch_seconds"] {
            check(format, ColumnType::Date, "begins or ends with white space");
        }
    }
}
