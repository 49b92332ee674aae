//! Source text as typed values: what is written, or nothing.
//!
//! Polars' own casts are not used here because they guess: they round decimals to the scale, take exponents and
//! `inf`, and match dates loosely. These read one strict grammar per type, column by column, in one pass:
//!
//! - Text is taken as it is. Other types pass over ASCII white space around the text; blank text is null.
//! - Integers: `[+-]?digits` in range. Decimals: `[+-]?digits[.digits]`, exact, never rounded. No thousands separators.
//! - Doubles: plain or exponent notation, finite. Booleans: `true` or `false` in any case.
//! - Dates and timestamps: by the contract's pattern, whole text and all digits, or ISO 8601 without one.
//! - Timestamps without an offset are in the contract's default zone, or UTC. A wall-clock time that a zone skips in
//!   spring is unreadable; of one that happens twice in autumn the first is meant.

mod instants;
pub(super) mod numbers;

use polars::prelude::arity::unary_elementwise;
use polars::prelude::{
    AnyValue, BooleanType, Column as PolarsColumn, DataType, Expr, Field, Float64Type, Int32Type, Int64Type,
    Int128Type, IntoColumn, NonExistent, PolarsResult, Scalar, StringChunked, TimeUnit, TimeZone, coalesce, col, lit,
    map_multiple,
};
use sluice_core::contract::{Column, ColumnType};

use super::EngineError;
use super::types::polars_type;
use instants::{Instant, Pattern};

/// Name of the column that holds, for a mapped column, the source text that could not be read; null where it could.
pub(crate) fn unreadable_name(column: &str) -> String {
    format!("_unreadable_{column}")
}

/// A text column as the contract's type; null where the text is blank or cannot be read.
///
/// # Errors
/// [`EngineError::Format`] for a pattern with a field, or a zone, that is not known.
pub(crate) fn cast_expr(column: &Column, source: &str) -> Result<Expr, EngineError> {
    let text = col(source);
    Ok(match &column.column_type {
        ColumnType::Text => text,
        ColumnType::Timestamp => timestamp(column, text)?,
        other => scalar(column, other, text)?,
    })
}

/// [`cast_expr`], and the text that cannot be read as the contract's type, which is null where it can or is blank. Both
/// share the reading: selected together, Polars reads the text once.
///
/// # Errors
/// As [`cast_expr`].
pub(crate) fn read_exprs(column: &Column, source: &str) -> Result<[Expr; 2], EngineError> {
    let typed = cast_expr(column, source)?;
    let unreadable = unreadable(column, typed.clone(), source);
    Ok([typed, unreadable])
}

fn unreadable(column: &Column, typed: Expr, source: &str) -> Expr {
    if column.column_type == ColumnType::Text {
        // Any text is readable as text; the mask keeps the column as long as its frame.
        return map_multiple(|columns| Ok(nulls(columns)), [col(source)], |_, fields| text_field(fields));
    }
    map_multiple(refused, [col(source), typed], |_, fields| text_field(fields))
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

fn scalar(column: &Column, column_type: &ColumnType, text: Expr) -> Result<Expr, EngineError> {
    let dtype = polars_type(column_type);
    Ok(match *column_type {
        ColumnType::Int32 => read_text!(text, dtype, Int32Type, numbers::integer::<i32>, |v| v),
        ColumnType::Int64 => read_text!(text, dtype, Int64Type, numbers::integer::<i64>, |v| v),
        ColumnType::Double => read_text!(text, dtype, Float64Type, numbers::double, |v| v),
        ColumnType::Boolean => read_text!(text, dtype, BooleanType, numbers::boolean, |v| v),
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
        ColumnType::Date => match pattern(column)? {
            None => {
                read_text!(text, dtype, Int32Type, instants::iso_day, |v: polars::prelude::Int32Chunked| v.into_date())
            }
            Some(pattern) => {
                read_text!(text, dtype, Int32Type, |text| pattern.day(text), |v: polars::prelude::Int32Chunked| v
                    .into_date())
            }
        },
        ColumnType::Text | ColumnType::Timestamp => text,
    })
}

fn pattern(column: &Column) -> Result<Option<Pattern>, EngineError> {
    let compile = |format: &String| {
        Pattern::compile(format).map_err(|field| EngineError::Format {
            column: column.name.to_string(),
            format: format.clone(),
            field,
        })
    };
    column.format.strftime.as_ref().map(compile).transpose()
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

fn timestamp(column: &Column, text: Expr) -> Result<Expr, EngineError> {
    let pattern = pattern(column)?;
    let may_have_offset = pattern.as_ref().is_none_or(Pattern::has_offset);
    let always_has_offset = pattern.as_ref().is_some_and(Pattern::has_offset);
    let zone = column.format.default_timezone.as_deref().filter(|zone| *zone != "UTC" && *zone != "Etc/UTC");
    let Some(zone) = zone.filter(|_| !always_has_offset) else {
        return Ok(instants_of(text, pattern, Take::Both));
    };
    let unknown_zone = |_| EngineError::Format {
        column: column.name.to_string(),
        format: column.format.strftime.clone().unwrap_or_default(),
        field: format!("the default time zone {zone}"),
    };
    let zone = TimeZone::opt_try_new(Some(zone)).map_err(unknown_zone)?;
    let local = instants_of(text.clone(), pattern.clone(), Take::Local)
        .dt()
        .replace_time_zone(zone, lit("earliest"), NonExistent::Null)
        .dt()
        .convert_time_zone(TimeZone::UTC);
    if !may_have_offset {
        return Ok(local);
    }
    Ok(coalesce(&[local, instants_of(text, pattern, Take::Utc)]))
}

fn instants_of(text: Expr, pattern: Option<Pattern>, take: Take) -> Expr {
    let zone = (take != Take::Local).then_some(TimeZone::UTC);
    let dtype = DataType::Datetime(TimeUnit::Microseconds, zone.clone());
    let wrap = move |v: polars::prelude::Int64Chunked| v.into_datetime(TimeUnit::Microseconds, zone.clone());
    match pattern {
        None => {
            read_text!(
                text,
                dtype,
                Int64Type,
                |text| instants::iso_instant(text).and_then(|i| take.micros(i)),
                wrap.clone()
            )
        }
        Some(pattern) => {
            read_text!(text, dtype, Int64Type, |text| pattern.instant(text).and_then(|i| take.micros(i)), wrap.clone())
        }
    }
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
        let frame = DataFrame::new(texts.len(), vec![Series::new("Source Text".into(), texts).into()]).unwrap();
        let [typed, unreadable] = read_exprs(column, "Source Text").unwrap();
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
mod tests {
    use proptest::prelude::*;
    use sluice_core::contract::TextFormat;

    use super::testing::{column, read};
    use super::*;

    #[test]
    fn blank_is_null_and_bad_text_is_kept() {
        let check = |column_type: ColumnType, good: &str, bad: &str| {
            let padded = format!(" \t{good}\r\n");
            let (typed, refused) =
                read(&column(column_type), &[Some(good), Some(&padded), Some(bad), Some("  "), Some(""), None]);
            let nulls: Vec<bool> = typed.is_null().iter().flatten().collect();
            assert_eq!(nulls, [false, false, true, true, true, true]);
            assert_eq!(typed.get(0).unwrap(), typed.get(1).unwrap());
            assert_eq!(refused, [None, None, Some(bad.to_owned()), None, None, None]);
        };
        check(ColumnType::Int32, "7", "7.0");
        check(ColumnType::Int64, "-7", "1,000");
        check(ColumnType::Double, "1.5", "inf");
        check(ColumnType::Decimal { precision: 12, scale: 3 }, "1.005", "1.0005");
        check(ColumnType::Boolean, "True", "1");
        check(ColumnType::Date, "2020-02-29", "2021-02-29");
        check(ColumnType::Timestamp, "2020-02-29 10:00:00", "29.02.2020");
    }

    #[test]
    fn text_is_taken_as_it_is() {
        let (typed, refused) = read(&column(ColumnType::Text), &[Some("  a "), Some(""), None]);
        assert_eq!(typed.str().unwrap().iter().collect::<Vec<_>>(), [Some("  a "), Some(""), None]);
        assert_eq!(refused, [None, None, None]);
    }

    #[test]
    fn wall_clock_times_are_in_the_default_zone() {
        let check = |strftime: Option<&str>, text: &str, expected: Option<&str>| {
            let mut column = column(ColumnType::Timestamp);
            let zone = Some("Europe/Berlin".to_owned());
            column.format = TextFormat { strftime: strftime.map(str::to_owned), default_timezone: zone };
            let (typed, refused) = read(&column, &[Some(text)]);
            let micros = typed.datetime().unwrap().phys.get(0);
            let expected = expected.map(|text| text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
            assert_eq!(micros, expected, "{text}");
            assert_eq!(refused, [expected.is_none().then(|| text.to_owned())]);
        };
        check(None, "2024-01-01 12:00:00", Some("2024-01-01T11:00:00Z"));
        check(None, "2024-07-01 12:00:00", Some("2024-07-01T10:00:00Z"));
        check(None, "2024-07-01T12:00:00Z", Some("2024-07-01T12:00:00Z"));
        check(None, "2024-07-01T12:00:00-05:00", Some("2024-07-01T17:00:00Z"));
        // Skipped in spring; twice in autumn.
        check(None, "2024-03-31 02:30:00", None);
        check(None, "2024-10-27 02:30:00", Some("2024-10-27T00:30:00Z"));
        check(Some("%d.%m.%Y %H:%M"), "01.07.2024 12:00", Some("2024-07-01T10:00:00Z"));
        check(Some("%d.%m.%Y %H:%M"), "31.03.2024 02:30", None);
        check(Some("%Y-%m-%d %H:%M:%S%z"), "2024-07-01 12:00:00+0200", Some("2024-07-01T10:00:00Z"));
    }

    #[test]
    fn unknown_fields_and_zones_are_refused() {
        let mut column = column(ColumnType::Timestamp);
        column.format.strftime = Some("%y".to_owned());
        assert_eq!(cast_expr(&column, "s").unwrap_err().to_string(), "column `v`: format '%y': %y is not executed");
        column.format = TextFormat { strftime: None, default_timezone: Some("Europe/Berlim".to_owned()) };
        assert!(read_exprs(&column, "s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_null_was_blank_or_is_refused(texts in prop::collection::vec(prop::option::of("[ 0-9+.-]{0,6}"), 0..20)) {
            let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            for each in [ColumnType::Int32, ColumnType::Decimal { precision: 4, scale: 2 }, ColumnType::Date] {
                let (typed, refused) = read(&column(each), &texts);
                for ((text, null), refused) in texts.iter().zip(typed.is_null().iter()).zip(&refused) {
                    let blank = text.is_none_or(|text| text.trim().is_empty());
                    prop_assert_eq!(refused.is_some(), null == Some(true) && !blank);
                }
            }
        }
    }
}
