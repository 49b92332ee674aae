//! Source text as typed values in Spark SQL: the strict grammar of `docs/contracts.md`, or null.
//!
//! Spark's own casts guess more than a contract allows (`1.005` rounds, `t` is a boolean, `2020-1-1` a date). So the text
//! is matched against the grammar of its type first, and only what matches is cast.

use super::SparkError;
use super::text::{name, text, type_name};
use crate::contract::{Column, ColumnType};

/// Text without ASCII white space around it.
pub(super) fn trimmed(source: &str) -> String {
    // Spark takes `\f` for the letter.
    format!("trim(BOTH ' \\t\\n\\u000c\\r' FROM {})", name(source))
}

/// Name of the column with the source text of a mapped column.
pub(super) fn given_name(column: &str) -> String {
    format!("_given_{column}")
}

/// Name of the column with that text without white space around it.
pub(super) fn trimmed_name(column: &str) -> String {
    format!("_text_{column}")
}

/// Name of the column that holds, for a mapped column, the source text that could not be read; null where it could.
pub(super) fn unreadable_name(column: &str) -> String {
    format!("_unreadable_{column}")
}

/// A mapped column as the contract's type, from its text; null where the text is blank or cannot be read.
///
/// # Errors
/// [`SparkError::NotExecuted`] for a time pattern with a field that is not known.
pub(super) fn typed(column: &Column) -> Result<String, SparkError> {
    let value = name(&trimmed_name(column.name.as_str()));
    let when = |pattern: &str, then: String| format!("CASE WHEN {value} RLIKE {} THEN {then} END", text(pattern));
    Ok(match &column.column_type {
        ColumnType::Text => name(&given_name(column.name.as_str())),
        ColumnType::Int32 | ColumnType::Int64 => {
            when(r"\A[+-]?[0-9]+\z", format!("try_cast({value} AS {})", type_name(&column.column_type)))
        }
        ColumnType::Double => {
            let read = format!("try_cast({value} AS DOUBLE)");
            let finite = format!("CASE WHEN abs({read}) < CAST('Infinity' AS DOUBLE) THEN {read} END");
            when(r"\A[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\z", finite)
        }
        ColumnType::Decimal { scale, .. } => {
            let pattern = format!(r"\A[+-]?([0-9]+([.][0-9]{{0,{scale}}}0*)?|[.](?=[0-9])[0-9]{{0,{scale}}}0*)\z");
            when(&pattern, format!("try_cast({value} AS {})", type_name(&column.column_type)))
        }
        ColumnType::Boolean => {
            format!("CASE lower({value}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END")
        }
        ColumnType::Date => match &column.format.strftime {
            None => iso_day(&value),
            Some(strftime) => Pattern::compile(column, strftime)?.day(&value),
        },
        ColumnType::Timestamp => instant(column, &value)?,
    })
}

/// The text of a mapped column that cannot be read, for a column next to the typed one; null where it can be read.
pub(super) fn unreadable(column: &Column) -> String {
    if column.column_type == ColumnType::Text {
        return "CAST(NULL AS STRING)".to_owned();
    }
    let (value, own) = (name(&trimmed_name(column.name.as_str())), column.name.as_str());
    format!("CASE WHEN {} IS NULL AND {value} <> '' THEN {} END", name(own), name(&given_name(own)))
}

/// A day `YYYY-MM-DD` of the years 1 to 9999.
fn iso_day(value: &str) -> String {
    let pattern = text(&format!(r"\A{ISO_DAY}\z"));
    format!("CASE WHEN {value} RLIKE {pattern} THEN try_cast({value} AS DATE) END")
}

/// `YYYY-MM-DD`.
const ISO_DAY: &str = "(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}";
/// `[T ]HH:MM:SS[.f{1,9}]`; digits beyond the microseconds must be zeros.
const ISO_TIME: &str = "[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6}0{0,3})?";
/// An offset from UTC of at most 18 hours.
const ISO_OFFSET: &str = r"(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9]|[+-]18:00)";

fn instant(column: &Column, value: &str) -> Result<String, SparkError> {
    if let Some(strftime) = &column.format.strftime {
        return Pattern::compile(column, strftime)?.instant(column, value);
    }
    let local_pattern = text(&format!(r"\A{ISO_DAY}({ISO_TIME})?\z"));
    let offset_pattern = text(&format!(r"\A{ISO_DAY}{ISO_TIME}{ISO_OFFSET}\z"));
    let wall_clock = format!("try_cast(replace(substring({value}, 1, 26), 'T', ' ') AS TIMESTAMP)");
    let local = in_zone(column, &wall_clock);
    let with_offset = {
        let clock = format!("regexp_replace({value}, '(Z|[+-][0-9]{{2}}:[0-9]{{2}})$', '')");
        let clock = format!("try_cast(replace(substring({clock}, 1, 26), 'T', ' ') AS TIMESTAMP)");
        let minutes = offset_minutes(&format!("regexp_extract({value}, '(Z|[+-][0-9]{{2}}:[0-9]{{2}})$', 1)"));
        format!("timestampadd(MINUTE, -{minutes}, {clock})")
    };
    Ok(format!(
        "CASE WHEN {value} RLIKE {local_pattern} THEN {local} WHEN {value} RLIKE {offset_pattern} THEN {with_offset} END"
    ))
}

/// Minutes of an offset such as `Z`, `+05`, `-0530` or `+05:30`.
fn offset_minutes(offset: &str) -> String {
    let digits = format!("replace(substring({offset}, 2), ':', '')");
    format!(
        "(CASE WHEN {offset} = 'Z' THEN 0 ELSE (CASE WHEN {offset} LIKE '-%' THEN -1 ELSE 1 END) * \
         (try_cast(left({digits}, 2) AS INT) * 60 + coalesce(try_cast(substring({digits}, 3) AS INT), 0)) END)"
    )
}

/// A wall-clock time in the column's zone as an instant: of an hour that comes twice the first is meant, one that is
/// skipped cannot be read.
fn in_zone(column: &Column, wall_clock: &str) -> String {
    let zone = column.format.default_timezone.as_deref().filter(|zone| *zone != "UTC" && *zone != "Etc/UTC");
    let Some(zone) = zone.map(text) else { return wall_clock.to_owned() };
    let utc = format!("to_utc_timestamp({wall_clock}, {zone})");
    format!("CASE WHEN from_utc_timestamp({utc}, {zone}) = {wall_clock} THEN {utc} END")
}

/// A `strftime` pattern as a regular expression whose groups are the fields.
struct Pattern {
    regex: String,
    fields: Vec<Field>,
}

/// Part of a day or time, or of the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    MonthName,
    Day,
    Hour,
    HalfDayHour,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Offset,
}

const SHORT_MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const LONG_MONTHS: &str = "January|February|March|April|May|June|July|August|September|October|November|December";
const OFFSET: &str = "[+-](?:0[0-9]|1[0-7]):?[0-5][0-9]|[+-]18:?00";

/// A character that means itself in a regular expression.
fn literal(c: char) -> String {
    let plain = c.is_ascii_alphanumeric() || " -:/_,;='\"@~!".contains(c);
    if plain { c.to_string() } else { format!("\\x{{{:x}}}", u32::from(c)) }
}

/// Fields of patterns, as the contract translates them, and what they match.
const FIELDS: [(&str, &str, Option<Field>); 24] = [
    ("%%", "(%)", None),
    ("%Y", "([0-9]{4})", Some(Field::Year)),
    ("%m", "([0-9]{2})", Some(Field::Month)),
    ("%-m", "([0-9]{1,2}+)", Some(Field::Month)),
    ("%b", "((?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))", Some(Field::MonthName)),
    ("%B", "", Some(Field::MonthName)),
    ("%d", "([0-9]{2})", Some(Field::Day)),
    ("%-d", "([0-9]{1,2}+)", Some(Field::Day)),
    ("%H", "([0-9]{2})", Some(Field::Hour)),
    ("%-H", "([0-9]{1,2}+)", Some(Field::Hour)),
    ("%I", "([0-9]{2})", Some(Field::HalfDayHour)),
    ("%-I", "([0-9]{1,2}+)", Some(Field::HalfDayHour)),
    ("%M", "([0-9]{2})", Some(Field::Minute)),
    ("%-M", "([0-9]{1,2}+)", Some(Field::Minute)),
    ("%S", "([0-9]{2})", Some(Field::Second)),
    ("%-S", "([0-9]{1,2}+)", Some(Field::Second)),
    ("%p", "((?i:am|pm))", Some(Field::HalfDay)),
    ("%.3f", "[.]([0-9]{3})", Some(Field::Fraction)),
    ("%.6f", "[.]([0-9]{6})", Some(Field::Fraction)),
    ("%3f", "([0-9]{3})", Some(Field::Fraction)),
    ("%6f", "([0-9]{6})", Some(Field::Fraction)),
    ("%z", "", Some(Field::Offset)),
    ("%:z", "", Some(Field::Offset)),
    ("%#z", "#", Some(Field::Offset)),
];

impl Pattern {
    fn compile(column: &Column, strftime: &str) -> Result<Self, SparkError> {
        let (mut regex, mut fields) = (String::from(r"\A"), Vec::new());
        let mut rest = strftime;
        while let Some(c) = rest.chars().next() {
            if c != '%' {
                regex.push_str(&literal(c));
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            let known = FIELDS.iter().find(|(field, ..)| rest.starts_with(field));
            let (written, matched, field) = known.ok_or_else(|| SparkError::NotExecuted {
                what: format!("column `{}`: the time format '{strftime}'", column.name),
                hint: "write one of the fields in docs/contracts.md".to_owned(),
            })?;
            match (field, *matched) {
                (Some(Field::MonthName), "") => regex.push_str(&format!("((?i:{LONG_MONTHS}))")),
                (Some(Field::Offset), "") => regex.push_str(&format!("({OFFSET})")),
                (Some(Field::Offset), _) => regex.push_str(&format!("(Z|{OFFSET}|[+-](?:0[0-9]|1[0-8]))")),
                (None, _) => regex.push('%'),
                (_, matched) => regex.push_str(matched),
            }
            fields.extend(*field);
            rest = rest.get(written.len()..).unwrap_or_default();
        }
        regex.push_str(r"\z");
        Ok(Self { regex, fields })
    }

    fn group(&self, value: &str, field: Field) -> Option<String> {
        let index = self.fields.iter().position(|found| *found == field)? + 1;
        Some(format!("regexp_extract({value}, {}, {index})", text(&self.regex)))
    }

    fn two(&self, value: &str, field: Field) -> String {
        self.group(value, field).map_or_else(|| "'00'".to_owned(), |group| format!("lpad({group}, 2, '0')"))
    }

    /// `YYYY-MM-DD` of a text that matches.
    fn iso_day(&self, value: &str) -> String {
        let year = self.group(value, Field::Year).unwrap_or_else(|| "'0000'".to_owned());
        let month = match self.group(value, Field::MonthName) {
            Some(month) => {
                let cases: Vec<String> =
                    (1..).zip(SHORT_MONTHS).map(|(n, m)| format!("WHEN '{m}' THEN '{n:02}'")).collect();
                format!("CASE lower(left({month}, 3)) {} END", cases.join(" "))
            }
            None => self.two(value, Field::Month),
        };
        format!("concat({year}, '-', {month}, '-', {})", self.two(value, Field::Day))
    }

    /// Whether the text matches, is of the years 1 to 9999 and has an hour of its clock.
    fn matches(&self, value: &str) -> String {
        let mut conditions = vec![format!("{value} RLIKE {}", text(&self.regex))];
        if let Some(year) = self.group(value, Field::Year) {
            conditions.push(format!("{year} <> '0000'"));
        }
        if let Some(hour) = self.group(value, Field::HalfDayHour) {
            conditions.push(format!("try_cast({hour} AS INT) BETWEEN 1 AND 12"));
        }
        conditions.join(" AND ")
    }

    fn day(&self, value: &str) -> String {
        format!("CASE WHEN {} THEN try_cast({} AS DATE) END", self.matches(value), self.iso_day(value))
    }

    fn instant(&self, column: &Column, value: &str) -> Result<String, SparkError> {
        let hour = match (self.group(value, Field::HalfDayHour), self.group(value, Field::HalfDay)) {
            (Some(hour), Some(half)) => format!(
                "lpad(CAST(try_cast({hour} AS INT) % 12 + CASE WHEN lower({half}) = 'pm' THEN 12 ELSE 0 END AS STRING), 2, '0')"
            ),
            _ => self.two(value, Field::Hour),
        };
        let fraction = self.group(value, Field::Fraction).unwrap_or_else(|| "'0'".to_owned());
        let (minute, second) = (self.two(value, Field::Minute), self.two(value, Field::Second));
        let clock = format!(
            "try_cast(concat({}, ' ', {hour}, ':', {minute}, ':', {second}, '.', {fraction}) AS TIMESTAMP)",
            self.iso_day(value)
        );
        let utc = match self.group(value, Field::Offset) {
            Some(offset) => format!("timestampadd(MINUTE, -{}, {clock})", offset_minutes(&offset)),
            None => in_zone(column, &clock),
        };
        Ok(format!("CASE WHEN {} THEN {utc} END", self.matches(value)))
    }
}
