//! Days and instants from text, by ISO 8601, by `strftime` patterns, as a count since 1970 or as day numbers of a
//! workbook: the whole text or nothing.

use std::sync::Arc;

use sluice_core::contract::MONTHS;

mod epoch;
mod excel;
mod iso;

use epoch::Epoch;
use excel::Excel;
use iso::delivered_instant;
pub(super) use iso::{iso_day, iso_instant};

/// Microseconds of one day.
const DAY: i64 = 86_400_000_000;

/// An instant as the text has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instant {
    /// Microseconds since 1970 on a wall clock whose zone the text leaves open.
    Local(i64),
    /// Microseconds since 1970 in UTC.
    Utc(i64),
}

/// A field of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(u8),
    Number {
        part: Part,
        least: usize,
        most: usize,
    },
    MonthName {
        short: bool,
    },
    HalfDay,
    /// Digits of a second's fraction, with the dot before them or without.
    Fraction {
        dot: bool,
        digits: usize,
    },
    /// `±hh:mm` or `±hhmm`; `short` also reads `Z` and `±hh`.
    Offset {
        short: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    YearDay,
    Week,
    WeekDay,
    Hour,
    HalfDayHour,
    Minute,
    Second,
}

/// How the texts of a column say a day or an instant.
#[derive(Debug, Clone)]
pub(super) enum TimeText {
    /// By ISO 8601.
    Iso,
    /// By these patterns: the first one that reads a text decides.
    Patterns(Arc<[Pattern]>),
}

impl TimeText {
    /// Whether a text may carry its offset from UTC.
    pub(super) fn may_have_offset(&self) -> bool {
        match self {
            Self::Iso => true,
            Self::Patterns(patterns) => patterns.iter().any(Pattern::has_offset),
        }
    }

    /// Whether every text carries its offset from UTC.
    pub(super) fn always_has_offset(&self) -> bool {
        match self {
            Self::Iso => false,
            Self::Patterns(patterns) => patterns.iter().all(Pattern::has_offset),
        }
    }

    /// Reads a day; `None` where the text is not one, whole.
    pub(super) fn day(&self, text: &str) -> Option<i32> {
        match self {
            Self::Iso => iso_day(text),
            Self::Patterns(patterns) => patterns.iter().find_map(|pattern| pattern.day(text)),
        }
    }

    /// Reads an instant at midnight as its day.
    pub(super) fn day_at_midnight(&self, text: &str) -> Option<i32> {
        let (Instant::Local(micros) | Instant::Utc(micros)) = self.instant(text)?;
        if micros.rem_euclid(DAY) == 0 { i32::try_from(micros.div_euclid(DAY)).ok() } else { None }
    }

    /// Reads an instant; `None` where the text is not one, whole.
    pub(super) fn instant(&self, text: &str) -> Option<Instant> {
        match self {
            Self::Iso => delivered_instant(text),
            Self::Patterns(patterns) => patterns.iter().find_map(|pattern| pattern.instant(text)),
        }
    }
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    items: Vec<Item>,
    /// The unit of a count since 1970, which then is the whole text.
    epoch: Option<Epoch>,
    /// The calendar of day numbers, which then are the whole text.
    excel: Option<Excel>,
    /// The byte between day and time, where the pattern is otherwise that of ISO 8601 to the second. This is by far the
    /// most common pattern, and the ISO reader is twice as fast.
    iso_separator: Option<u8>,
}

impl Pattern {
    /// Compiles the part of `strftime` that contracts translate to. Numbers have exactly the digits of their field
    /// (`%Y` four, the others two); with `-`, one or two. Names of months and halves of the day are English, in any
    /// case.
    ///
    /// # Errors
    /// The first field that is not read.
    pub(super) fn compile(strftime: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let (epoch, excel) = (Epoch::of(strftime), Excel::of(strftime));
        if epoch.is_some() || excel.is_some() {
            return Ok(Self { items, epoch, excel, iso_separator: None });
        }
        let mut rest = strftime;
        while let Some(c) = rest.chars().next() {
            if c != '%' {
                items.extend(c.to_string().bytes().map(Item::Literal));
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            let (field, item) = FIELDS
                .iter()
                .find(|(field, _)| rest.starts_with(field))
                .ok_or_else(|| rest.chars().take(2).collect::<String>())?;
            items.push(item.clone());
            rest = rest.get(field.len()..).unwrap_or_default();
        }
        let iso_separator = match strftime {
            "%Y-%m-%d %H:%M:%S" => Some(b' '),
            "%Y-%m-%dT%H:%M:%S" => Some(b'T'),
            _ => None,
        };
        Ok(Self { items, epoch, excel, iso_separator })
    }

    /// Whether the text carries its offset from UTC.
    pub(super) fn has_offset(&self) -> bool {
        // A count since 1970 begins in UTC.
        self.epoch.is_some() || self.items.iter().any(|item| matches!(item, Item::Offset { .. }))
    }

    /// Reads a day; `None` where the text is not one, whole.
    pub(super) fn day(&self, text: &str) -> Option<i32> {
        match (self.epoch, self.excel) {
            (Some(epoch), _) => epoch.day(text),
            (None, Some(excel)) => excel.day(text),
            (None, None) => self.read(text)?.day(),
        }
    }

    /// Reads an instant; `None` where the text is not one, whole.
    pub(super) fn instant(&self, text: &str) -> Option<Instant> {
        if let Some(separator) = self.iso_separator {
            return if text.len() == 19 && text.as_bytes().get(10) == Some(&separator) {
                iso_instant(text)
            } else {
                None
            };
        }
        match (self.epoch, self.excel) {
            (Some(epoch), _) => epoch.micros(text).map(Instant::Utc),
            (None, Some(excel)) => excel.micros(text).map(Instant::Local),
            (None, None) => self.read(text)?.instant(),
        }
    }

    fn read(&self, text: &str) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = text.as_bytes();
        for item in &self.items {
            rest = parts.take(item, rest)?;
        }
        rest.is_empty().then_some(parts)
    }
}

const fn exactly(part: Part, digits: usize) -> Item {
    Item::Number { part, least: digits, most: digits }
}

const fn open(part: Part) -> Item {
    Item::Number { part, least: 1, most: 2 }
}

const FIELDS: [(&str, Item); 28] = [
    ("%%", Item::Literal(b'%')),
    ("%Y", exactly(Part::Year, 4)),
    ("%m", exactly(Part::Month, 2)),
    ("%-m", open(Part::Month)),
    ("%b", Item::MonthName { short: true }),
    ("%B", Item::MonthName { short: false }),
    ("%d", exactly(Part::Day, 2)),
    ("%-d", open(Part::Day)),
    ("%j", exactly(Part::YearDay, 3)),
    ("%G", exactly(Part::Year, 4)),
    ("%V", exactly(Part::Week, 2)),
    ("%u", exactly(Part::WeekDay, 1)),
    ("%H", exactly(Part::Hour, 2)),
    ("%-H", open(Part::Hour)),
    ("%I", exactly(Part::HalfDayHour, 2)),
    ("%-I", open(Part::HalfDayHour)),
    ("%M", exactly(Part::Minute, 2)),
    ("%-M", open(Part::Minute)),
    ("%S", exactly(Part::Second, 2)),
    ("%-S", open(Part::Second)),
    ("%p", Item::HalfDay),
    ("%.3f", Item::Fraction { dot: true, digits: 3 }),
    ("%.6f", Item::Fraction { dot: true, digits: 6 }),
    ("%3f", Item::Fraction { dot: false, digits: 3 }),
    ("%6f", Item::Fraction { dot: false, digits: 6 }),
    ("%z", Item::Offset { short: false }),
    ("%:z", Item::Offset { short: false }),
    ("%#z", Item::Offset { short: true }),
];

/// What has been read so far.
#[derive(Debug, Default)]
struct Parts {
    /// That of the weeks where the text has one.
    year: i32,
    month: i32,
    day: i32,
    year_day: Option<i32>,
    week: Option<i32>,
    week_day: i32,
    hour: i32,
    half_day_hour: Option<i32>,
    afternoon: bool,
    minute: i32,
    second: i32,
    micros: i32,
    offset_minutes: Option<i32>,
}

impl Parts {
    fn take<'t>(&mut self, item: &Item, text: &'t [u8]) -> Option<&'t [u8]> {
        match item {
            Item::Literal(byte) => text.strip_prefix(std::slice::from_ref(byte)),
            Item::Number { part, least, most } => {
                let (value, rest) = number(text, *least, *most)?;
                *self.slot(*part) = value;
                Some(rest)
            }
            Item::MonthName { short } => self.month_name(text, *short),
            Item::HalfDay => {
                let (word, rest) = text.split_at_checked(2)?;
                self.afternoon = word.eq_ignore_ascii_case(b"pm");
                (self.afternoon || word.eq_ignore_ascii_case(b"am")).then_some(rest)
            }
            Item::Fraction { dot, digits } => {
                let text = if *dot { text.strip_prefix(b".")? } else { text };
                let (value, rest) = number(text, *digits, *digits)?;
                self.micros = if *digits == 3 { value * 1000 } else { value };
                Some(rest)
            }
            Item::Offset { short } => {
                let (minutes, rest) = offset(text, *short)?;
                self.offset_minutes = Some(minutes);
                Some(rest)
            }
        }
    }

    fn slot(&mut self, part: Part) -> &mut i32 {
        match part {
            Part::Year => &mut self.year,
            Part::Month => &mut self.month,
            Part::Day => &mut self.day,
            Part::YearDay => self.year_day.insert(0),
            Part::Week => self.week.insert(0),
            Part::WeekDay => &mut self.week_day,
            Part::Hour => &mut self.hour,
            Part::HalfDayHour => self.half_day_hour.insert(0),
            Part::Minute => &mut self.minute,
            Part::Second => &mut self.second,
        }
    }

    fn month_name<'t>(&mut self, text: &'t [u8], short: bool) -> Option<&'t [u8]> {
        for (number, name) in (1..).zip(MONTHS) {
            let name = name.as_bytes();
            let name = if short { name.get(..3)? } else { name };
            if let Some((head, rest)) = text.split_at_checked(name.len())
                && head.eq_ignore_ascii_case(name)
            {
                self.month = number;
                return Some(rest);
            }
        }
        None
    }

    fn day(&self) -> Option<i32> {
        match (self.year_day, self.week) {
            (Some(day), _) => day_of_year(self.year, day),
            (None, Some(week)) => day_of_week(self.year, week, self.week_day),
            (None, None) => days_since_1970(self.year, self.month, self.day),
        }
    }

    fn instant(&self) -> Option<Instant> {
        let hour = match self.half_day_hour {
            None => self.hour,
            Some(hour @ 1..=12) => hour % 12 + if self.afternoon { 12 } else { 0 },
            Some(_) => return None,
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let seconds = i64::from(hour * 3600 + self.minute * 60 + self.second);
        let local = i64::from(self.day()?) * DAY + seconds * 1_000_000 + i64::from(self.micros);
        Some(match self.offset_minutes {
            None => Instant::Local(local),
            Some(minutes) => Instant::Utc(local - i64::from(minutes) * 60_000_000),
        })
    }
}

/// Minutes of an offset from UTC, at most 18 hours as everywhere.
fn offset(text: &[u8], short: bool) -> Option<(i32, &[u8])> {
    if short && let [b'Z', rest @ ..] = text {
        return Some((0, rest));
    }
    let (sign, rest) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2, 2)?;
    let (minutes, rest) = match rest {
        [b':', rest @ ..] => number(rest, 2, 2)?,
        [digit, ..] if digit.is_ascii_digit() => number(rest, 2, 2)?,
        _ if short => (0, rest),
        _ => return None,
    };
    let total = hours * 60 + minutes;
    (minutes <= 59 && total <= 18 * 60).then_some((sign * total, rest))
}

fn number(text: &[u8], least: usize, most: usize) -> Option<(i32, &[u8])> {
    let mut value = 0;
    let mut length = 0;
    for byte in text.iter().take(most) {
        if !byte.is_ascii_digit() {
            break;
        }
        value = value * 10 + i32::from(byte - b'0');
        length += 1;
    }
    if length < least {
        return None;
    }
    Some((value, text.get(length..)?))
}

fn two(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i32::from(tens) * 10 + i32::from(ones))
}

/// Days since 1970-01-01 of a day in the years 1 to 9999 of the Gregorian calendar.
///
/// Counts years from March, so that the leap day is the last of its year (Howard Hinnant's `days_from_civil`).
fn days_since_1970(year: i32, month: i32, day: i32) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=last).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Days since 1970 of a day of a year, from 1.
fn day_of_year(year: i32, day: i32) -> Option<i32> {
    let (first, last) = (days_since_1970(year, 1, 1)?, days_since_1970(year, 12, 31)?);
    let day = first.checked_add(day)? - 1;
    (first..=last).contains(&day).then_some(day)
}

/// Days since 1970 of a day of a week by ISO 8601: Monday is 1, and the first week of a year has its first Thursday.
fn day_of_week(year: i32, week: i32, day: i32) -> Option<i32> {
    let fourth = days_since_1970(year, 1, 4)?;
    // Day 0 was a Thursday.
    let monday = fourth - (fourth + 3).rem_euclid(7) + (week - 1) * 7;
    let is_week = week >= 1 && monday + 3 <= days_since_1970(year, 12, 31)?;
    let last = days_since_1970(9999, 12, 31)?;
    let found = monday + day - 1;
    (is_week && (1..=7).contains(&day) && found <= last).then_some(found)
}

#[cfg(test)]
mod tests;
