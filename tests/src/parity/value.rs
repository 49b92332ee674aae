//! Texts of values as sources write them: good values, edge cases, and values that cannot be read.

use jiff::civil::{Date, DateTime, date};
use jiff::{SignedDuration, ToSpan};

use crate::random::Random;

/// What a column holds, and how its source writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of this flavour.
    Text(Flavour),
    /// Row numbers counted over all files of a case, so that no value occurs twice by accident.
    Sequence,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// Floating point number.
    Double,
    /// Exact decimal.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// Day in this format; `None` is ISO 8601.
    Date(Option<TimeFormat>),
    /// Instant in this format and zone; `None` is ISO 8601, and UTC where the text has no offset.
    Timestamp(Option<TimeFormat>, Option<&'static str>),
}

/// What texts look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Words from many alphabets.
    Words,
    /// Few short codes: keys and partitions.
    Codes,
    /// E-mail addresses.
    Email,
    /// UUIDs.
    Uuid,
    /// IPv4 addresses.
    Ipv4,
}

/// A format as the contract writes it, and as this generator prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeFormat {
    /// JDK pattern.
    pub(super) jdk: &'static str,
    /// The same for `strftime`.
    pub(super) strftime: &'static str,
}

const fn format(jdk: &'static str, strftime: &'static str) -> TimeFormat {
    TimeFormat { jdk, strftime }
}

/// Formats of days.
pub(super) const DATE_FORMATS: [TimeFormat; 6] = [
    format("dd/MM/yyyy", "%d/%m/%Y"),
    format("d.M.yyyy", "%-d.%-m.%Y"),
    format("yyyyMMdd", "%Y%m%d"),
    format("MMM d, yyyy", "%b %-d, %Y"),
    format("d MMMM uuuu", "%-d %B %Y"),
    format("'day' dd-MM-yyyy", "day %d-%m-%Y"),
];
/// Formats of instants.
pub(super) const TIMESTAMP_FORMATS: [TimeFormat; 8] = [
    format("yyyy-MM-dd HH:mm:ss", "%Y-%m-%d %H:%M:%S"),
    format("dd/MM/yyyy HH:mm", "%d/%m/%Y %H:%M"),
    format("d.M.yyyy H:mm:ss", "%-d.%-m.%Y %-H:%M:%S"),
    format("MMM d, yyyy h:mm a", "%b %-d, %Y %-I:%M %p"),
    format("yyyy-MM-dd'T'HH:mm:ss.SSS", "%Y-%m-%dT%H:%M:%S.123"),
    format("yyyyMMdd HHmmss.SSSSSS", "%Y%m%d %H%M%S.000456"),
    format("yyyy-MM-dd'T'HH:mm:ssXXX", "%Y-%m-%dT%H:%M:%S+05:30"),
    format("yyyy-MM-dd HH:mm:ss Z", "%Y-%m-%d %H:%M:%S -0330"),
];
/// Zones with gaps and overlaps, with full-hour and other offsets, and no zone.
pub(super) const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"];

/// Instants in or near gaps and overlaps of [`ZONES`], and distant ones.
const WALL_CLOCKS: [(Date, i8, i8); 14] = [
    (date(2024, 3, 31), 2, 30),
    (date(2024, 3, 31), 1, 59),
    (date(2024, 3, 31), 3, 0),
    (date(2024, 10, 27), 2, 30),
    (date(2024, 3, 10), 2, 15),
    (date(2024, 11, 3), 1, 30),
    (date(2024, 4, 7), 1, 45),
    (date(2024, 10, 6), 2, 10),
    (date(2018, 11, 4), 0, 20),
    (date(1970, 1, 1), 0, 0),
    (date(1969, 12, 31), 23, 59),
    (date(1900, 1, 1), 0, 0),
    (date(2024, 2, 29), 12, 0),
    (date(2099, 12, 31), 23, 59),
];
const WORDS: [&str; 24] = [
    "white heart",
    "Äpfel & Birnen",
    "naïve café",
    "東京",
    "Москва",
    "🚀 rocket",
    "a\u{301}ccent",
    "O'Brien",
    "50% off_now",
    "back\\slash",
    "semi;colon",
    "comma, here",
    "say \"hi\"",
    "tab\there",
    "ΣΊΣΥΦΟΣ",
    "straße",
    "x",
    "line\nbreak",
    "{json}",
    "null",
    "NULL",
    "-",
    "a/b=c",
    "مرحبا",
];
/// Short codes.
pub(super) const CODES: [&str; 12] =
    ["A-1", "A-2", "B-1", "B-2", "c-3", "Z-9", "é-1", "東-1", "A 1", "a-1", "X/1", "Q%1"];
/// Texts that can be read as some of the types only.
const ODD: [&str; 14] = ["", " ", "abc", "1,5", "1_000", "٣", "0x1F", "1d", "--1", "n/a", "NaN", "∞", "12:00", "1 2"];

/// The day around which days and instants are generated.
const START: Date = date(2024, 1, 1);

impl Kind {
    /// A value that is valid for its column.
    pub(super) fn good(&self, random: &mut Random, row: u64) -> String {
        let small = |random: &mut Random| random.between(-100, 100);
        match self {
            Self::Text(flavour) => flavour.good(random),
            Self::Sequence => row.to_string(),
            Self::Int32 | Self::Int64 => small(random).to_string(),
            Self::Double => format!("{}.{}", small(random), random.below(1000)),
            Self::Decimal { precision, scale } => {
                let whole = u32::from(precision - scale).min(3);
                let digits = if whole == 0 { "0".to_owned() } else { random.below(10_usize.pow(whole)).to_string() };
                let sign = if random.below(4) == 0 { "-" } else { "" };
                match u32::from(*scale).min(6) {
                    0 => format!("{sign}{digits}"),
                    places => format!(
                        "{sign}{digits}.{:0width$}",
                        random.below(10_usize.pow(places)),
                        width = usize::from((*scale).min(6))
                    ),
                }
            }
            Self::Boolean => (*random.pick(&["true", "false", "TRUE", "False"])).to_owned(),
            Self::Date(format) => {
                let day = START + random.between(0, 119).days();
                format.map_or_else(|| day.to_string(), |format| printed(day.at(0, 0, 0, 0), format))
            }
            Self::Timestamp(format, _) => {
                let seconds = 60 * random.between(0, 60 * 24 * 120);
                instant_text(START.at(0, 0, 0, 0) + SignedDuration::from_secs(seconds), *format, random)
            }
        }
    }

    /// A value at the limit of the type, or beyond it.
    pub(super) fn odd(&self, random: &mut Random) -> String {
        let owned = |text: &&str| (*text).to_owned();
        if random.below(4) == 0 {
            return owned(random.pick(&ODD));
        }
        match self {
            Self::Text(_) => {
                owned(random.pick(&["", " ", "  blanks  ", "x\u{0}y", "\u{feff}bom", "ﬀ", "İi", "n/a", "a\r\nb"]))
                    .replace('\u{0}', "\u{1}")
            }
            Self::Sequence | Self::Int32 => owned(random.pick(&[
                "2147483647",
                "-2147483648",
                "2147483648",
                "-2147483649",
                "+7",
                "007",
                " 42 ",
                "1.0",
                "-0",
                "\t5",
            ])),
            Self::Int64 => owned(random.pick(&[
                "9223372036854775807",
                "-9223372036854775808",
                "9223372036854775808",
                "+1",
                "1e3",
                " 8",
                "0000000000000000000012",
            ])),
            Self::Double => owned(random.pick(&[
                "1e10",
                "-0.0",
                "4.9e-324",
                "0.1",
                "1E5",
                "1.",
                ".5",
                "+2.5",
                "inf",
                "nan",
                "1e999",
                "1f",
                "0x1p3",
                "123456789.123456789",
                "1e-7",
                " 3.25 ",
                "-1e3",
                "Infinity",
                "1e",
                "100000000000000000000",
            ])),
            Self::Decimal { precision, scale } => edge_decimal(*precision, *scale, random),
            Self::Boolean => owned(random.pick(&["yes", "1", "t", " true ", "FALSE", "0", "tRuE"])),
            Self::Date(None) => owned(random.pick(&[
                "2024-02-29",
                "2023-02-29",
                "2024-2-9",
                "0001-01-01",
                "9999-12-31",
                "10000-01-01",
                "1582-10-10",
                "1500-02-29",
                "1582-10-04",
                "2024-01-01T00:00:00",
                "20240101",
                " 2024-03-01 ",
                "2024-13-01",
                "1900-02-29",
                "0000-01-01",
            ])),
            Self::Date(Some(format)) => {
                let day = *random.pick(&[date(2024, 2, 29), date(1582, 10, 10), date(1, 1, 1), date(9999, 12, 31)]);
                let text = printed(day.at(0, 0, 0, 0), *format);
                let (blank, longer) = (format!(" {text}"), format!("{text}x"));
                owned(random.pick(&[text.as_str(), &blank, &longer, "31/02/2024", "2024-01-05"]))
            }
            Self::Timestamp(None, _) => owned(random.pick(&[
                "2024-03-31T02:30:00",
                "2024-10-27 02:30:00",
                "2024-03-10T02:15:00",
                "2024-11-03T01:30:00",
                "2024-01-01T00:00:00Z",
                "2024-01-01T00:00:00.123456+05:45",
                "2024-01-01 12:00",
                "2024-01-01",
                "2024-01-01T24:00:00",
                "2024-06-30T23:59:60Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z",
                "1582-10-10T00:00:00Z",
                "1883-11-18T12:00:00",
                "2024-01-01T00:00:00.1234567Z",
                "2024-01-01T00:00:00+0530",
                "2024-01-01T00:00:00 UTC",
                "2024-01-01T00:00:00-23:59",
            ])),
            Self::Timestamp(Some(format), _) => {
                let (day, hour, minute) = *random.pick(&WALL_CLOCKS);
                instant_text(day.at(hour, minute, 0, 0), Some(*format), random)
            }
        }
    }
}

impl Flavour {
    fn good(self, random: &mut Random) -> String {
        match self {
            Self::Words => (*random.pick(&WORDS)).to_owned(),
            Self::Codes => (*random.pick(&CODES)).to_owned(),
            Self::Email => format!("user{}@{}.example.org", random.below(50), random.pick(&["a", "b-c", "d"])),
            Self::Uuid => {
                let part = |random: &mut Random| random.below(0x1_0000);
                let (a, b, c, d, e) = (part(random), part(random), part(random), part(random), part(random));
                format!("{a:04x}{b:04x}-{c:04X}-{d:04x}-{e:04x}-{a:04x}{c:04x}{e:04x}")
            }
            Self::Ipv4 => {
                format!("{}.{}.{}.{}", random.below(256), random.below(256), random.below(258), random.below(256))
            }
        }
    }
}

fn printed(when: DateTime, format: TimeFormat) -> String {
    when.strftime(format.strftime).to_string()
}

fn instant_text(when: DateTime, format: Option<TimeFormat>, random: &mut Random) -> String {
    match format {
        Some(format) => printed(when, format),
        None => printed(
            when,
            *random.pick(&[
                self::format("", "%Y-%m-%dT%H:%M:%S"),
                self::format("", "%Y-%m-%d %H:%M:%S"),
                self::format("", "%Y-%m-%dT%H:%M:%SZ"),
                self::format("", "%Y-%m-%dT%H:%M:%S.25+02:00"),
            ]),
        ),
    }
}

/// A decimal with all its digits, or with one digit too many.
fn edge_decimal(precision: u8, scale: u8, random: &mut Random) -> String {
    let (whole, places) = (usize::from(precision - scale), usize::from(scale));
    let nines = |count: usize| "9".repeat(count);
    let number = |whole: usize, places: usize| match (whole, places) {
        (whole, 0) => nines(whole),
        (0, places) => format!("0.{}", nines(places)),
        (whole, places) => format!("{}.{}", nines(whole), nines(places)),
    };
    match random.below(9) {
        0 => number(whole, places),
        1 => format!("-{}", number(whole, places)),
        2 => number(whole + 1, places),
        3 => number(whole, places + 1),
        4 => format!("1.{}", "0".repeat(places + 2)),
        5 => format!(" +0{} ", number(whole, places)),
        6 => "-0".to_owned(),
        7 => (*random.pick(&[".5", "5.", "1e1", "-.0", "0"])).to_owned(),
        _ => format!("000000{}", number(whole, places)),
    }
}
