//! Lists and objects of silver tables, read from JSON texts.
//!
//! The values at each place of all rows are read as one column, by the same expressions as columns of their type. What
//! is wrong with a cell is one text: the fault of the first place that has one, by the end of its rule's id, and the
//! text found there.
//!
//! | in the text | is stored as |
//! |---|---|
//! | `null`, or nothing | null |
//! | `[]` | a list without elements |
//! | `null` in a list | an element that is null |
//! | a key that an object lacks, or `null` at it | null |
//! | a key that the contract does not have | nothing; bronze keeps it |
//! | another kind of value than the contract's, text that is not JSON, an object with a key twice | a fault |
//!
//! In sources of XML an object or a text in the place of a list is a list of one: an element that occurs once is stored
//! so, where nothing said that it is a list when its file was read.

mod lists;

use std::borrow::Cow;

use polars::prelude::{
    BooleanChunked, DataFrame, DataType, Expr, IntoColumn, IntoLazy, IntoSeries, NamedFrom, PolarsResult, Series,
    StringChunked, StructChunked,
};
use serde_json::value::{RawValue, to_raw_value};
use sluice_core::contract::{Column, ColumnType, TextFormat};
use sluice_core::pipeline::SilverTable;
use sluice_core::reading::Reading;

use self::lists::lists;
use super::nested::{beginning, misfit_name, text_name};
use super::origin::OriginTexts;
use super::{EngineError, cast};
use crate::source::{NestedText, NoValue, value_text};

/// Name of the column of texts, in the frame in which the values of a place are read.
const TEXT: &str = "text";
/// Name of the values that were read of them.
const VALUE: &str = "value";
/// Name of the texts that could not be read.
const UNREAD: &str = "unread";
/// What stands between a fault and the text that was found.
const BEHIND_FAULT: char = '\u{1}';

/// The fault of a value at a place that cannot be read. The place of the whole cell is empty.
pub(super) fn unreadable_at(place: &str) -> String {
    format!("{place}.readable")
}

/// The fault of a value at a place that is null and must not be.
pub(super) fn missing_at(place: &str) -> String {
    format!("{place}.required")
}

/// What a text of [`fault_name`] with this fault begins with.
pub(super) fn fault_prefix(fault: &str) -> String {
    format!("{fault}{BEHIND_FAULT}")
}

/// Name of the column with the values of a list or an object.
pub(super) fn value_name(column: &str) -> String {
    format!("\u{1}value of {column}")
}

/// Name of the column with what is wrong with the cells of a list or an object; null where nothing is.
pub(super) fn fault_name(column: &str) -> String {
    format!("\u{1}fault of {column}")
}

/// The columns of a silver table that are lists or objects.
pub(super) struct InsideColumns(Vec<InsideColumn>);

struct InsideColumn {
    name: String,
    /// The column with its texts.
    texts: String,
    /// The column with the texts that its path does not fit.
    misfits: Option<String>,
    null_words: Vec<String>,
    root: Part,
}

/// A value of a column, or inside of one.
struct Part {
    place: String,
    required: bool,
    shape: Shape,
}

enum Shape {
    /// How it is read: the value, and the text that cannot be read.
    Plain(Box<[Expr; 2]>),
    List {
        items: Box<Part>,
        /// Whether one element may stand in the place of a list.
        takes_one: bool,
    },
    Object(Vec<(String, Part)>),
}

impl InsideColumns {
    /// Those of a table.
    ///
    /// # Errors
    /// [`EngineError::Format`], as of columns.
    pub(super) fn of(table: &SilverTable) -> Result<Self, EngineError> {
        let by_contract = Reading::default();
        let mut columns = Vec::new();
        for (name, source) in &table.columns {
            let Some(column) = table.column(name.as_str()).filter(|column| column.column_type.is_nested()) else {
                continue;
            };
            let reading = table.readings.get(name).unwrap_or(&by_contract);
            let has_path = reading.path().is_some();
            let is_taken_out = has_path || OriginTexts::has_text_of(source, reading);
            columns.push(InsideColumn {
                name: name.to_string(),
                texts: if is_taken_out { text_name(name.as_str()) } else { source.clone() },
                misfits: has_path.then(|| misfit_name(name.as_str())),
                null_words: reading.null_words().to_vec(),
                root: Part::of(&column.column_type, String::new(), (column, table.is_of_elements), reading)?,
            });
        }
        Ok(Self(columns))
    }

    /// The rows with the columns of [`value_name`] and [`fault_name`].
    ///
    /// # Errors
    /// Those of Polars.
    pub(super) fn added(&self, mut rows: DataFrame) -> PolarsResult<DataFrame> {
        for column in &self.0 {
            let (values, faults) = column.read(&rows)?;
            rows.with_column(values.with_name(value_name(&column.name).into()).into_column())?;
            rows.with_column(Series::new(fault_name(&column.name).into(), faults).into_column())?;
        }
        Ok(rows)
    }
}

impl InsideColumn {
    fn read(&self, rows: &DataFrame) -> PolarsResult<(Series, Vec<Option<String>>)> {
        let texts = rows.column(&self.texts)?.str()?;
        let mut faults = Faults { by_row: vec![None; rows.height()], null_words: &self.null_words };
        if let Some(misfits) = &self.misfits {
            for (row, misfit) in rows.column(misfits)?.str()?.iter().enumerate() {
                if let Some(misfit) = misfit {
                    faults.note(row, &unreadable_at(""), misfit);
                }
            }
        }
        let mut values = Gathered::of(&self.root);
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default();
            values.push_opened(&NestedText::open(text), text, row, &mut faults);
        }
        let values = values.into_series(&mut faults)?;
        Ok((values, faults.by_row))
    }
}

impl Part {
    /// The part of a column at a place. `takes_one`: whether one element may stand in the place of a list.
    fn of(
        column_type: &ColumnType,
        place: String,
        (column, takes_one): (&Column, bool),
        reading: &Reading,
    ) -> Result<Self, EngineError> {
        let format = column.format.parts.get(&place).cloned().unwrap_or_default();
        let shape = match column_type {
            ColumnType::Array(items) => {
                let items = Self::of(items, format!("{place}[]"), (column, takes_one), reading)?;
                Shape::List { items: Box::new(items), takes_one }
            }
            ColumnType::Object(fields) => {
                let mut parts = Vec::with_capacity(fields.len());
                for field in fields {
                    let place = format!("{place}.{}", field.name);
                    let part = Self::of(&field.column_type, place, (column, takes_one), reading)?;
                    parts.push((field.name.clone(), part));
                }
                Shape::Object(parts)
            }
            plain => {
                let format = TextFormat {
                    strftime: format.strftime,
                    default_timezone: format.default_timezone,
                    ..TextFormat::default()
                };
                let leaf = Column { column_type: plain.clone(), format, ..column.clone() };
                Shape::Plain(Box::new(cast::read_exprs(&leaf, reading, TEXT)?))
            }
        };
        Ok(Self { place, required: format.required, shape })
    }
}

/// What is wrong with the cells of a column.
struct Faults<'w> {
    by_row: Vec<Option<String>>,
    null_words: &'w [String],
}

impl Faults<'_> {
    /// Notes what is wrong with a cell, unless something is already.
    fn note(&mut self, row: usize, fault: &str, text: &str) {
        if let Some(known) = self.by_row.get_mut(row)
            && known.is_none()
        {
            *known = Some(format!("{}{}", fault_prefix(fault), beginning(text)));
        }
    }

    fn is_null_word(&self, text: &str) -> bool {
        self.null_words.iter().any(|word| word == text.trim_ascii())
    }
}

/// A value on its way into a column.
#[derive(Clone, Copy)]
enum Found<'t> {
    Value(&'t RawValue),
    /// A key that an object lacks.
    Missing,
    /// The value around it is null.
    Nowhere,
}

/// The values of a place, over all rows.
struct Gathered<'p> {
    part: &'p Part,
    values: Values<'p>,
}

enum Values<'p> {
    Plain {
        texts: Vec<Option<String>>,
        /// The row of each, and whether the value around it is one.
        rows: Vec<(usize, bool)>,
    },
    List {
        lengths: Vec<Option<usize>>,
        items: Box<Gathered<'p>>,
    },
    Object {
        is_present: Vec<bool>,
        fields: Vec<(&'p str, Gathered<'p>)>,
    },
}

impl<'p> Gathered<'p> {
    fn of(part: &'p Part) -> Self {
        let values = match &part.shape {
            Shape::Plain(_) => Values::Plain { texts: Vec::new(), rows: Vec::new() },
            Shape::List { items, .. } => Values::List { lengths: Vec::new(), items: Box::new(Self::of(items)) },
            Shape::Object(fields) => {
                let fields = fields.iter().map(|(name, part)| (name.as_str(), Self::of(part))).collect();
                Values::Object { is_present: Vec::new(), fields }
            }
        };
        Self { part, values }
    }

    /// Takes the value at this place.
    fn push(&mut self, found: Found<'_>, row: usize, faults: &mut Faults<'_>) {
        if let Values::Plain { texts, rows } = &mut self.values {
            let text = match found {
                Found::Value(value) => plain_text(value).unwrap_or_else(|_| {
                    faults.note(row, &unreadable_at(&self.part.place), value.get());
                    None
                }),
                Found::Missing | Found::Nowhere => None,
            };
            texts.push(text);
            rows.push((row, !matches!(found, Found::Nowhere)));
            return;
        }
        match found {
            Found::Value(value) => self.push_opened(&NestedText::inside(value), value.get(), row, faults),
            Found::Missing => self.push_null(true, row, faults),
            Found::Nowhere => self.push_null(false, row, faults),
        }
    }

    /// Takes the value of a list or an object. `text` is what is shown of it.
    fn push_opened(&mut self, opened: &NestedText<'_>, text: &str, row: usize, faults: &mut Faults<'_>) {
        let is_null = match opened {
            NestedText::Neither(NoValue::Null | NoValue::Missing) => true,
            NestedText::Neither(NoValue::Misfit(Some(word))) => faults.is_null_word(word),
            _ => false,
        };
        if is_null {
            self.push_null(true, row, faults);
            return;
        }
        let takes_one = matches!(self.part.shape, Shape::List { takes_one: true, .. });
        match (&mut self.values, opened) {
            (Values::List { lengths, items }, one) if takes_one && !matches!(one, NestedText::List(_)) => {
                if let Some(value) = raw_value(one, text) {
                    lengths.push(Some(1));
                    items.push(Found::Value(&value), row, faults);
                    return;
                }
            }
            (Values::List { lengths, items }, NestedText::List(elements)) => {
                lengths.push(Some(elements.len()));
                for element in elements {
                    items.push(Found::Value(element), row, faults);
                }
                return;
            }
            (Values::Object { is_present, fields }, NestedText::Object(entries)) => {
                is_present.push(true);
                for (name, field) in fields {
                    let mut of_name = entries.iter().filter(|(key, _)| key == *name);
                    let found = of_name.next().map_or(Found::Missing, |(_, value)| Found::Value(value));
                    if of_name.next().is_some() {
                        faults.note(row, &unreadable_at(&self.part.place), text);
                    }
                    field.push(found, row, faults);
                }
                return;
            }
            _ => {}
        }
        faults.note(row, &unreadable_at(&self.part.place), text);
        self.push_null(false, row, faults);
    }

    /// `counts`: whether null may be a fault here.
    fn push_null(&mut self, counts: bool, row: usize, faults: &mut Faults<'_>) {
        if counts && self.part.required {
            faults.note(row, &missing_at(&self.part.place), "");
        }
        match &mut self.values {
            Values::Plain { texts, rows } => {
                texts.push(None);
                rows.push((row, false));
            }
            Values::List { lengths, .. } => lengths.push(None),
            Values::Object { is_present, fields } => {
                is_present.push(false);
                for (_, field) in fields {
                    field.push(Found::Nowhere, row, faults);
                }
            }
        }
    }

    /// The values in the types of the contract.
    fn into_series(self, faults: &mut Faults<'_>) -> PolarsResult<Series> {
        match self.values {
            Values::Plain { texts, rows } => self.part.read(texts, &rows, faults),
            Values::List { lengths, items } => lists(&lengths, &items.into_series(faults)?),
            Values::Object { is_present, fields } => {
                let mut series = Vec::with_capacity(fields.len());
                for (name, field) in fields {
                    // Which objects are null can only be said of one chunk.
                    series.push(field.into_series(faults)?.with_name(name.into()).rechunk());
                }
                let objects = StructChunked::from_series(VALUE.into(), is_present.len(), series.iter())?;
                if is_present.iter().all(|is_present| *is_present) {
                    return Ok(objects.into_series());
                }
                let present: BooleanChunked = is_present.iter().map(|is_present| is_present.then_some(true)).collect();
                Ok(objects.with_outer_validity(present.into_series().rechunk_validity()).into_series())
            }
        }
    }
}

impl Part {
    /// The values of these texts.
    fn read(
        &self,
        texts: Vec<Option<String>>,
        rows: &[(usize, bool)],
        faults: &mut Faults<'_>,
    ) -> PolarsResult<Series> {
        let Shape::Plain(exprs) = &self.shape else { return Ok(Series::new_empty(VALUE.into(), &DataType::Null)) };
        let [value, unread] = (**exprs).clone();
        let texts = Series::new(TEXT.into(), texts);
        let frame = DataFrame::new(rows.len(), vec![texts.into_column()])?;
        let read = frame.lazy().select([value.alias(VALUE), unread.alias(UNREAD)]).collect()?;
        let values = read.column(VALUE)?.as_materialized_series().clone();
        let unread: &StringChunked = read.column(UNREAD)?.str()?;
        if unread.null_count() < rows.len() {
            for (text, (row, _)) in unread.iter().zip(rows) {
                if let Some(text) = text {
                    faults.note(*row, &unreadable_at(&self.place), text);
                }
            }
        }
        if self.required && values.null_count() > 0 {
            for (is_null, (row, is_inside)) in values.is_null().iter().zip(rows) {
                if *is_inside && is_null == Some(true) {
                    faults.note(*row, &missing_at(&self.place), "");
                }
            }
        }
        Ok(values)
    }
}

/// A value that was opened, as JSON; `None` where it is not an object or a text. `text` is that of an object.
fn raw_value(opened: &NestedText<'_>, text: &str) -> Option<Box<RawValue>> {
    match opened {
        NestedText::Object(_) => RawValue::from_string(text.trim_ascii().to_owned()).ok(),
        NestedText::Neither(NoValue::Misfit(Some(word))) => to_raw_value::<str>(word).ok(),
        NestedText::List(_) | NestedText::Neither(_) => None,
    }
}

/// The text of a plain value; `None` for `null`.
///
/// # Errors
/// [`NoValue::Misfit`] for a list, an object, and half of a surrogate pair.
fn plain_text(value: &RawValue) -> Result<Option<String>, NoValue<'_>> {
    match value.get().as_bytes().first() {
        Some(b'{' | b'[') => Err(NoValue::Misfit(None)),
        _ => Ok(value_text(value)?.map(Cow::into_owned)),
    }
}

#[cfg(test)]
mod tests;
