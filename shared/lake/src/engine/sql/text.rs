//! Parts of texts, counted in characters from 1, and replacement.

use polars::prelude::{Column, DataType, IntoColumn, PolarsError, PolarsResult, StringChunked};

use super::arguments::wrong_arguments;
use super::fit::fitted;

/// Which end a number of characters is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `LEFT`.
    Left,
    /// `RIGHT`.
    Right,
}

/// Which ends lose their blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trimmed {
    /// `TRIM`.
    Both,
    /// `LTRIM`.
    Left,
    /// `RTRIM`.
    Right,
}

/// The type of a text function whose first `texts` arguments are texts and whose others are whole numbers.
pub(super) fn text_type(types: &[DataType], texts: usize) -> PolarsResult<DataType> {
    for (index, dtype) in types.iter().enumerate() {
        let dtype = dtype.clone().materialize_unknown(true)?;
        let fits = if index < texts { dtype.is_string() } else { dtype.is_integer() };
        if !fits && !dtype.is_null() {
            let expected = if index < texts { "text" } else { "a whole number" };
            return Err(PolarsError::InvalidOperation(format!("{dtype} where {expected} belongs; CAST it").into()));
        }
    }
    Ok(DataType::String)
}

/// That many characters from an end; none for a number below zero.
pub(super) fn end([text, count]: [&Column; 2], end: End) -> PolarsResult<Column> {
    let columns = [text.cast(&DataType::String)?, text_count(count)?];
    let [text, count] = &same_length(&columns)?;
    let taken = text.str()?.iter().zip(count.i32()?.iter()).map(|(text, count)| {
        let (text, count) = (text?, characters(count?));
        match end {
            End::Left => text.get(..offset(text, count)),
            End::Right => text.get(offset(text, text.chars().count().saturating_sub(count))..),
        }
    });
    Ok(named(taken.collect(), text))
}

/// The text without blanks at its ends. Tabs and line ends are no blanks.
pub(super) fn trimmed(text: &Column, ends: Trimmed) -> PolarsResult<Column> {
    let column = text.cast(&DataType::String)?;
    let texts = column.str()?.iter().map(|text| {
        text.map(|text| match ends {
            Trimmed::Both => text.trim_matches(' '),
            Trimmed::Left => text.trim_start_matches(' '),
            Trimmed::Right => text.trim_end_matches(' '),
        })
    });
    Ok(named(texts.collect(), text))
}

/// `SUBSTR(text, start[, length])`. A start below 1 counts as 1, a length below zero as zero.
pub(super) fn part(columns: &[Column]) -> PolarsResult<Column> {
    let (text, start, length) = match columns {
        [text, start] => (text, start, &Column::new("length".into(), [i32::MAX])),
        [text, start, length] => (text, start, length),
        _ => return Err(wrong_arguments(3)),
    };
    let columns = [text.cast(&DataType::String)?, text_count(start)?, text_count(length)?];
    let [text, start, length] = &same_length(&columns)?;
    let rows = text.str()?.iter().zip(start.i32()?.iter()).zip(length.i32()?.iter());
    let parts = rows.map(|((text, start), length)| {
        let (text, start, length) = (text?, characters(start?), characters(length?));
        let rest = text.get(offset(text, start.saturating_sub(1))..)?;
        rest.get(..offset(rest, length))
    });
    Ok(named(parts.collect(), text))
}

/// `REPLACE(text, from, to)`: every `from`; nothing where that is empty.
pub(super) fn replaced(columns: &[Column]) -> PolarsResult<Column> {
    let [text, from, to] = columns else { return Err(wrong_arguments(3)) };
    let columns = [text.cast(&DataType::String)?, from.cast(&DataType::String)?, to.cast(&DataType::String)?];
    let [text, from, to] = &same_length(&columns)?;
    let rows = text.str()?.iter().zip(from.str()?.iter()).zip(to.str()?.iter());
    let replaced = rows.map(|((text, from), to)| {
        let (text, from, to) = (text?, from?, to?);
        Some(if from.is_empty() { text.to_owned() } else { text.replace(from, to) })
    });
    Ok(named(replaced.collect(), text))
}

fn named(texts: StringChunked, like: &Column) -> Column {
    texts.with_name(like.name().clone()).into_column()
}

/// A number of characters, in 32 bits as on Spark.
fn text_count(count: &Column) -> PolarsResult<Column> {
    fitted(count, &DataType::Int32)
}

fn characters(count: i32) -> usize {
    usize::try_from(count).unwrap_or_default()
}

/// Where in the text that many characters end; its end where it has fewer.
fn offset(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(offset, _)| offset)
}

/// The columns with single values repeated to the length of the others.
fn same_length<const N: usize>(columns: &[Column; N]) -> PolarsResult<[Column; N]> {
    let length = columns.iter().map(Column::len).find(|length| *length != 1).unwrap_or(1);
    if columns.iter().any(|column| column.len() != 1 && column.len() != length) {
        return Err(PolarsError::ShapeMismatch("the arguments are of different lengths".into()));
    }
    Ok(columns.each_ref().map(
        |column| {
            if column.len() == length { column.clone() } else { column.new_from_index(0, length) }
        },
    ))
}
