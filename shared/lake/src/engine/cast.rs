//! Source text as typed values: what is written, or nothing.
//!
//! Polars' own casts are not used here because they guess: they round decimals to the scale, take exponents and
//! `inf`, and match dates loosely. These read one strict grammar per type, column by column, in one pass:
//!
//! - Text is taken as it is. Other types pass over ASCII white space around the text; blank text is null.
//! - Integers: `[+-]?digits` in range. Decimals: `[+-]?digits[.digits]`, exact, never rounded. No thousands separators.
//! - Doubles: plain or exponent notation, finite. Booleans: `true` or `false` in any case.
//! - Dates and timestamps: by the contract's pattern, whole text and all digits, or ISO 8601 without one.
//! - A column's [`Reading`] says which texts are null, which signs, words and patterns count instead, and what may stand
//!   around a number.
//! - Timestamps without an offset are in the contract's default zone, or UTC. A wall-clock time that a zone skips in
//!   spring is unreadable; of one that happens twice in autumn the first is meant.

mod instants;
mod marks;
pub(super) mod numbers;

use std::sync::Arc;

use polars::prelude::arity::unary_elementwise;
use polars::prelude::{
    AnyValue, BooleanType, Column as PolarsColumn, DataType, Expr, Field, Float64Type, Int32Type, Int64Type,
    Int128Type, IntoColumn, NonExistent, PolarsResult, Scalar, StringChunked, TimeUnit, TimeZone, coalesce, col, lit,
    map_multiple,
};
use sluice_core::contract::{Column, ColumnType};
use sluice_core::reading::Reading;

use super::EngineError;
use super::types::polars_type;
use instants::{Instant, Pattern, TimeText};
use marks::Marks;

/// Name of the column that holds, for a mapped column, the source text that could not be read; null where it could.
pub(crate) fn unreadable_name(column: &str) -> String {
    format!("_unreadable_{column}")
}

/// A text column as the contract's type, null where the text is blank, one of the null words, or cannot be read; and
/// the text that cannot be read, null where it can or says null. Both share the reading: selected together, Polars
/// reads the text once.
///
/// # Errors
/// [`EngineError::Format`] for a pattern with a field, or a zone, that is not known.
pub(crate) fn read_exprs(column: &Column, reading: &Reading, source: &str) -> Result<[Expr; 2], EngineError> {
    let text = without_null_words(column, reading, col(source));
    let typed = match &column.column_type {
        ColumnType::Text => text.clone(),
        ColumnType::Timestamp => timestamp(column, reading, text.clone())?,
        other => scalar(column, reading, other, text.clone())?,
    };
    let unreadable = unreadable(column, typed.clone(), text);
    Ok([typed, unreadable])
}

/// The text, null where it is a null word: of a text column the whole text, of others what is within white space.
fn without_null_words(column: &Column, reading: &Reading, text: Expr) -> Expr {
    if reading.null_words().is_empty() {
        return text;
    }
    let words: Arc<[String]> = reading.null_words().into();
    let is_trimmed = column.column_type != ColumnType::Text;
    let keep = move |column: PolarsColumn| -> PolarsResult<PolarsColumn> {
        let is_value = |text: &&str| !lists(&words, if is_trimmed { text.trim_ascii() } else { text });
        let kept: StringChunked = column.str()?.iter().map(|text| text.filter(is_value)).collect();
        Ok(kept.with_name(column.name().clone()).into_column())
    };
    text.map_with_fmt_str(keep, |_, field: &Field| Ok(field.clone()), "without_null_words")
}

fn unreadable(column: &Column, typed: Expr, text: Expr) -> Expr {
    if column.column_type == ColumnType::Text {
        // Any text is readable as text; the mask keeps the column as long as its frame.
        return map_multiple(|columns| Ok(nulls(columns)), [text], |_, fields| text_field(fields));
    }
    map_multiple(refused, [text, typed], |_, fields| text_field(fields))
}

fn text_field(fields: &[Field]) -> PolarsResult<Field> {
    let name = fields.first().map(|field| field.name().clone()).unwrap_or_default();
    Ok(Field::new(name, DataType::String))
}

fn nulls(columns: &mut [PolarsColumn]) -> PolarsColumn {
    let (name, length) = columns.first().map(|c| (c.name().clone(), c.len())).unwrap_or_default();
    PolarsColumn::full_null(name, length, &DataType::String)
}

/// Of the columns text and typed: the texts that are not blank where the typed value is null.
fn refused(columns: &mut [PolarsColumn]) -> PolarsResult<PolarsColumn> {
    let [text, typed] = columns else { return Ok(nulls(columns)) };
    // No more nulls than the text has: every text was read. This is the usual case, and costs nothing.
    if typed.null_count() == text.null_count() {
        return Ok(PolarsColumn::full_null(text.name().clone(), text.len(), &DataType::String));
    }
    let unread = typed.is_null();
    let kept = text
        .str()?
        .iter()
        .zip(unread.iter())
        .map(|(text, unread)| text.filter(|text| unread == Some(true) && !text.trim_ascii().is_empty()));
    let kept: StringChunked = kept.collect();
    Ok(kept.with_name(text.name().clone()).into_column())
}

/// One function over the trimmed text, as a Polars expression that keeps the column's name.
macro_rules! read_text {
    ($text:expr, $dtype:expr, $polars:ty, $read:expr, $wrap:expr) => {{
        let dtype: DataType = $dtype;
        $text.map_with_fmt_str(
            move |column: PolarsColumn| {
                let text = column.str()?;
                let read = $read;
                let values: polars::prelude::ChunkedArray<$polars> =
                    unary_elementwise(text, |text: Option<&str>| text.and_then(|text| read(text.trim_ascii())));
                let wrap = $wrap;
                Ok(wrap(values.with_name(text.name().clone())).into_column())
            },
            move |_, field: &Field| Ok(Field::new(field.name().clone(), dtype.clone())),
            "read",
        )
    }};
}

fn scalar(column: &Column, reading: &Reading, column_type: &ColumnType, text: Expr) -> Result<Expr, EngineError> {
    let dtype = polars_type(column_type);
    if let Some(signs) = Signs::of(reading, column_type) {
        return Ok(number_with_signs(signs, column_type, text));
    }
    Ok(match *column_type {
        ColumnType::Int32 => read_text!(text, dtype, Int32Type, numbers::integer::<i32>, |v| v),
        ColumnType::Int64 => read_text!(text, dtype, Int64Type, numbers::integer::<i64>, |v| v),
        ColumnType::Double => read_text!(text, dtype, Float64Type, numbers::double, |v| v),
        ColumnType::Boolean => match reading.truth_words() {
            None => read_text!(text, dtype, BooleanType, numbers::boolean, |v| v),
            Some((yes, no)) => {
                let (yes, no): (Arc<[String]>, Arc<[String]>) = (yes.into(), no.into());
                read_text!(text, dtype, BooleanType, |text| one_of_words(text, &yes, &no), |v| v)
            }
        },
        ColumnType::Decimal { precision, scale } => {
            let (digits, places) = (u32::from(precision), usize::from(scale));
            let width = usize::from(precision);
            read_text!(
                text,
                dtype,
                Int128Type,
                |text| numbers::decimal(text, digits, places),
                |v: polars::prelude::ChunkedArray<Int128Type>| v.into_decimal_unchecked(width, places)
            )
        }
        ColumnType::Date => {
            let times = time_text(column, reading)?;
            if reading.midnight() {
                let wrap = |v: polars::prelude::Int32Chunked| v.into_date();
                return Ok(read_text!(text, dtype, Int32Type, |text| times.day_at_midnight(text), wrap));
            }
            read_text!(text, dtype, Int32Type, |text| times.day(text), |v: polars::prelude::Int32Chunked| v.into_date())
        }
        ColumnType::Text | ColumnType::Timestamp | ColumnType::Array(_) | ColumnType::Object(_) => text,
    })
}

/// The signs of numbers in a column, where they are not those of the language.
#[derive(Debug, Clone)]
struct Signs {
    /// Before the fraction; whole numbers have none.
    decimal: Option<char>,
    thousands: Option<char>,
    /// What stands around them.
    marks: Option<Marks>,
}

impl Signs {
    fn of(reading: &Reading, column_type: &ColumnType) -> Option<Self> {
        let (decimal, thousands, marks) = (reading.decimal(), reading.thousands(), Marks::of(reading));
        if decimal.is_none() && thousands.is_none() && marks.is_none() {
            return None;
        }
        let decimal = match column_type {
            ColumnType::Int32 | ColumnType::Int64 => None,
            ColumnType::Double | ColumnType::Decimal { .. } => decimal.or(Some('.')),
            _ => return None,
        };
        Some(Self { decimal, thousands, marks })
    }

    fn plain<'t>(&self, text: &'t str) -> Option<std::borrow::Cow<'t, str>> {
        match &self.marks {
            None => numbers::plain(text, self.decimal, self.thousands),
            Some(marks) => marks.plain(text, self.decimal, self.thousands),
        }
    }
}

/// [`scalar`] of a column of numbers with these signs.
fn number_with_signs(signs: Signs, column_type: &ColumnType, text: Expr) -> Expr {
    let dtype = polars_type(column_type);
    match *column_type {
        ColumnType::Int32 => read_text!(
            text,
            dtype,
            Int32Type,
            |text| signs.plain(text).and_then(|text| numbers::integer::<i32>(&text)),
            |v| v
        ),
        ColumnType::Int64 => read_text!(
            text,
            dtype,
            Int64Type,
            |text| signs.plain(text).and_then(|text| numbers::integer::<i64>(&text)),
            |v| v
        ),
        ColumnType::Double => {
            read_text!(
                text,
                dtype,
                Float64Type,
                |text| signs.plain(text).and_then(|text| numbers::double(&text)),
                |v| v
            )
        }
        ColumnType::Decimal { precision, scale } => {
            let (digits, places) = (u32::from(precision), usize::from(scale));
            let width = usize::from(precision);
            read_text!(
                text,
                dtype,
                Int128Type,
                |text| signs.plain(text).and_then(|text| numbers::decimal(&text, digits, places)),
                |v: polars::prelude::ChunkedArray<Int128Type>| v.into_decimal_unchecked(width, places)
            )
        }
        ColumnType::Text
        | ColumnType::Boolean
        | ColumnType::Date
        | ColumnType::Timestamp
        | ColumnType::Array(_)
        | ColumnType::Object(_) => text,
    }
}

/// Whether a text is a word for true or for false, exactly.
fn one_of_words(text: &str, yes: &[String], no: &[String]) -> Option<bool> {
    if lists(yes, text) {
        return Some(true);
    }
    lists(no, text).then_some(false)
}

fn lists(words: &[String], text: &str) -> bool {
    words.iter().any(|word| word == text)
}

/// How days and instants are written: by the patterns of the reading, else by the contract's, else by ISO 8601.
fn time_text(column: &Column, reading: &Reading) -> Result<TimeText, EngineError> {
    let compile = |format: &String| {
        Pattern::compile(format).map_err(|field| EngineError::Format {
            column: column.name.to_string(),
            format: format.clone(),
            field,
        })
    };
    let patterns: Vec<Pattern> = match reading.formats() {
        [] => column.format.strftime.iter().map(compile).collect::<Result<_, _>>()?,
        formats => formats.iter().map(compile).collect::<Result<_, _>>()?,
    };
    Ok(if patterns.is_empty() { TimeText::Iso } else { TimeText::Patterns(patterns.into()) })
}

/// A value of the column type, from its canonical text; `None` where the text cannot be read as one.
pub(super) fn literal(column_type: &ColumnType, text: &str) -> Option<Expr> {
    let value = match *column_type {
        ColumnType::Text => AnyValue::StringOwned(text.into()),
        ColumnType::Int32 => AnyValue::Int32(numbers::integer(text)?),
        ColumnType::Int64 => AnyValue::Int64(numbers::integer(text)?),
        ColumnType::Double => AnyValue::Float64(numbers::double(text)?),
        ColumnType::Boolean => AnyValue::Boolean(numbers::boolean(text)?),
        ColumnType::Decimal { precision, scale } => {
            let (precision, scale) = (usize::from(precision), usize::from(scale));
            AnyValue::Decimal(numbers::decimal(text, u32::try_from(precision).ok()?, scale)?, precision, scale)
        }
        ColumnType::Date => AnyValue::Date(instants::iso_day(text)?),
        ColumnType::Timestamp => {
            let micros = Take::Both.micros(instants::iso_instant(text)?)?;
            AnyValue::DatetimeOwned(micros, TimeUnit::Microseconds, Some(std::sync::Arc::new(TimeZone::UTC)))
        }
        // Rules compare no lists and no objects.
        ColumnType::Array(_) | ColumnType::Object(_) => return None,
    };
    Some(lit(Scalar::new(polars_type(column_type), value)))
}

/// Days since 1970 of an ISO day.
pub(super) fn day(text: &str) -> Option<i32> {
    instants::iso_day(text)
}

/// Microseconds since 1970 of an ISO instant, in UTC where it has no offset.
pub(super) fn micros(text: &str) -> Option<i64> {
    instants::iso_instant(text).and_then(|instant| Take::Both.micros(instant))
}

/// A step of a column type as a whole number of its smallest units; `None` where it is not one.
pub(super) fn units(column_type: &ColumnType, text: &str) -> Option<i128> {
    match *column_type {
        ColumnType::Int32 | ColumnType::Int64 => numbers::integer(text),
        ColumnType::Decimal { precision, scale } => numbers::decimal(text, u32::from(precision), usize::from(scale)),
        _ => None,
    }
}

/// Which texts an instant is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// Those without an offset, as wall-clock time.
    Local,
    /// Those with one.
    Utc,
    /// All; a wall-clock time counts as UTC.
    Both,
}

impl Take {
    fn micros(self, instant: Instant) -> Option<i64> {
        match (self, instant) {
            (Self::Local | Self::Both, Instant::Local(micros)) | (Self::Utc | Self::Both, Instant::Utc(micros)) => {
                Some(micros)
            }
            (Self::Local, Instant::Utc(_)) | (Self::Utc, Instant::Local(_)) => None,
        }
    }
}

fn timestamp(column: &Column, reading: &Reading, text: Expr) -> Result<Expr, EngineError> {
    let times = time_text(column, reading)?;
    let zone = reading.zone().or(column.format.default_timezone.as_deref());
    let zone = zone.filter(|zone| *zone != "UTC" && *zone != "Etc/UTC");
    let Some(zone) = zone.filter(|_| !times.always_has_offset()) else {
        return Ok(instants_of(text, times, Take::Both));
    };
    let unknown_zone = |_| EngineError::Format {
        column: column.name.to_string(),
        format: column.format.strftime.clone().unwrap_or_default(),
        field: format!("the default time zone {zone}"),
    };
    let zone = TimeZone::opt_try_new(Some(zone)).map_err(unknown_zone)?;
    let local = instants_of(text.clone(), times.clone(), Take::Local)
        .dt()
        .replace_time_zone(zone, lit("earliest"), NonExistent::Null)
        .dt()
        .convert_time_zone(TimeZone::UTC);
    if !times.may_have_offset() {
        return Ok(local);
    }
    Ok(coalesce(&[local, instants_of(text, times, Take::Utc)]))
}

fn instants_of(text: Expr, times: TimeText, take: Take) -> Expr {
    let zone = (take != Take::Local).then_some(TimeZone::UTC);
    let dtype = DataType::Datetime(TimeUnit::Microseconds, zone.clone());
    let wrap = move |v: polars::prelude::Int64Chunked| v.into_datetime(TimeUnit::Microseconds, zone.clone());
    read_text!(text, dtype, Int64Type, |text| times.instant(text).and_then(|i| take.micros(i)), wrap.clone())
}

#[cfg(test)]
pub(crate) mod testing {
    use polars::prelude::{DataFrame, IntoLazy, NamedFrom, Series};
    use sluice_core::contract::{TableContract, TextFormat};

    use super::*;

    /// A column `v` of this type.
    pub(crate) fn column(column_type: ColumnType) -> Column {
        Column {
            name: "v".parse().unwrap(),
            column_type,
            format: TextFormat::default(),
            required: false,
            description: None,
            classification: None,
        }
    }

    /// The reading that a spec gives a column by this JSON.
    pub(crate) fn reading(column: &Column, spec: &str) -> Reading {
        let spec: sluice_core::spec::ColumnSource = serde_json::from_str(spec).unwrap();
        Reading::new(&spec, &[], column).unwrap()
    }

    /// A contract with these columns and no rules.
    pub(crate) fn contract(columns: &[(&str, ColumnType)]) -> TableContract {
        let columns = columns
            .iter()
            .map(|(name, column_type)| Column { name: name.parse().unwrap(), ..column(column_type.clone()) });
        TableContract {
            contract_id: "c".to_owned(),
            contract_version: "1.0.0".to_owned(),
            name: "t".to_owned(),
            columns: columns.collect(),
            primary_key: Vec::new(),
            partition_by: Vec::new(),
            row_rules: Vec::new(),
            dataset_rules: Vec::new(),
        }
    }

    /// The typed values of these texts and the texts that were refused.
    pub(crate) fn read(column: &Column, texts: &[Option<&str>]) -> (Series, Vec<Option<String>>) {
        read_as(column, &Reading::default(), texts)
    }

    /// [`read`] with what a spec says about the column.
    pub(crate) fn read_as(column: &Column, reading: &Reading, texts: &[Option<&str>]) -> (Series, Vec<Option<String>>) {
        let frame = DataFrame::new(texts.len(), vec![Series::new("Source Text".into(), texts).into()]).unwrap();
        let [typed, unreadable] = read_exprs(column, reading, "Source Text").unwrap();
        let mut lazy = frame.lazy().select([typed.alias("v"), unreadable.alias("u")]);
        let schema = lazy.collect_schema().unwrap();
        let out = lazy.collect().unwrap();
        assert_eq!(schema.as_ref(), out.schema().as_ref(), "the planned types are the real ones");
        assert_eq!(*out.column("v").unwrap().dtype(), polars_type(&column.column_type));
        let refused = out.column("u").unwrap().str().unwrap().iter().map(|t| t.map(str::to_owned)).collect();
        (out.column("v").unwrap().as_materialized_series().clone(), refused)
    }
}

#[cfg(test)]
mod tests;
