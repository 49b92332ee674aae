//! Reads a leaf column: its levels, and its values as texts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::schema::types::ColumnDescriptor;
use polars::error::PolarsError;
use polars::prelude::{DataType as PolarsType, NamedFrom, PlSmallStr, Series};

use super::fault::ParquetFault;
use super::text;
use super::values::{Json, NOT_EXPECTED, ValueType, Written, utf8};

/// Texts one after the other.
#[derive(Debug, Default)]
struct Texts {
    text: String,
    ends: Vec<usize>,
    /// What is wrong with values, by their number, whose text is only what is stored.
    problems: BTreeMap<usize, &'static str>,
}

impl Texts {
    fn extend<T>(&mut self, values: Vec<T>, write: impl Fn(T, &mut String) -> Written) -> Result<(), LeafFault> {
        self.ends.reserve_exact(values.len());
        for value in values {
            match write(value, &mut self.text) {
                Written::Text => {}
                Written::Raw(problem) => {
                    self.problems.insert(self.ends.len(), problem);
                }
                Written::Damaged => return Err(LeafFault::Value(NOT_EXPECTED)),
            }
            self.ends.push(self.text.len());
        }
        Ok(())
    }

    /// The shortest text that reads back as the same number, as Polars writes it.
    fn extend_with_floats(&mut self, numbers: &Series) -> Result<(), LeafFault> {
        let polars = |error: PolarsError| LeafFault::Other(error.into());
        let written = numbers.cast(&PolarsType::String).map_err(polars)?;
        for text in written.str().map_err(polars)?.iter() {
            self.text.push_str(text.unwrap_or_default());
            self.ends.push(self.text.len());
        }
        Ok(())
    }

    fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }
}

/// The values of a leaf that are not null.
#[derive(Debug)]
enum Values {
    Texts(Texts),
    /// Texts as they are stored. Equal ones of a dictionary share their bytes, so they are not copied before they are
    /// written into a record.
    Stored(Vec<ByteArray>),
}

impl Values {
    /// Bytes of a value's text, as far as they are known before it is written.
    fn size(&self, index: usize) -> usize {
        match self {
            Self::Texts(texts) => texts.get(index).len(),
            Self::Stored(values) => values.get(index).map_or(0, |value| value.data().len()),
        }
    }

    /// A value's text, and what is wrong with it.
    fn text(&self, index: usize) -> (Cow<'_, str>, Option<&'static str>) {
        match self {
            Self::Texts(texts) => (Cow::Borrowed(texts.get(index)), texts.problems.get(&index).copied()),
            Self::Stored(values) => values.get(index).map_or((Cow::Borrowed(""), None), |value| utf8(value.data())),
        }
    }
}

/// A leaf column of one row group, from its current record on.
pub(super) struct LeafReader {
    value_type: ValueType,
    descriptor: Arc<ColumnDescriptor>,
    reader: ColumnReader,
    /// Values and nulls read.
    pub(super) read: u64,
}

/// Why the records of a leaf cannot be read.
pub(super) enum LeafFault {
    /// Fewer records than announced.
    EndsEarly,
    /// A value contradicts the schema.
    Value(&'static str),
    /// A level is beyond the schema's.
    Levels,
    /// Something else.
    Other(ParquetFault),
}

impl LeafReader {
    pub(super) fn new(value_type: ValueType, descriptor: Arc<ColumnDescriptor>, reader: ColumnReader) -> Self {
        Self { value_type, descriptor, reader, read: 0 }
    }

    /// Reads the next records.
    ///
    /// # Errors
    /// [`LeafFault`].
    pub(super) fn read(&mut self, records: usize) -> Result<Leaf, LeafFault> {
        let value_type = self.value_type;
        let mut levels = LeafLevels::default();
        let mut texts = Texts::default();
        let mut stored = None;
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend(values, |value, text| value_type.write_boolean(value, text))?;
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend(values, |value, text| value_type.write_number(i64::from(value), text))?;
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend(values, |value, text| value_type.write_number(value, text))?;
            }
            ColumnReader::Int96ColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend(values, |value, text| value_type.write_int96(&value, text))?;
            }
            ColumnReader::FloatColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend_with_floats(&Series::new(PlSmallStr::EMPTY, values))?;
            }
            ColumnReader::DoubleColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend_with_floats(&Series::new(PlSmallStr::EMPTY, values))?;
            }
            ColumnReader::ByteArrayColumnReader(reader) if value_type == ValueType::Text => {
                stored = Some(read_values(reader, records, &mut levels)?);
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend(values, |value, text| value_type.write_bytes(value.data(), text))?;
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) if value_type == ValueType::Half => {
                let values = read_values(reader, records, &mut levels)?;
                let halves: Result<Vec<f32>, _> = values.iter().map(|value| half_of(value)).collect();
                texts.extend_with_floats(&Series::new(PlSmallStr::EMPTY, halves.map_err(LeafFault::Value)?))?;
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let values = read_values(reader, records, &mut levels)?;
                texts.extend(values, |value, text| value_type.write_bytes(value.data(), text))?;
            }
        }
        let max_definition = self.descriptor.max_def_level();
        if levels.definition.iter().any(|level| !(0..=max_definition).contains(level)) {
            return Err(LeafFault::Levels);
        }
        let values = stored.map_or(Values::Texts(texts), Values::Stored);
        let leaf = Leaf::new(&self.descriptor, levels, values, value_type.json());
        self.read += leaf.entries as u64;
        Ok(leaf)
    }
}

fn half_of(value: &ByteArray) -> Result<f32, &'static str> {
    match value.data() {
        [low, high] => Ok(text::half(u16::from_le_bytes([*low, *high]))),
        _ => Err(NOT_EXPECTED),
    }
}

#[derive(Debug, Default)]
struct LeafLevels {
    definition: Vec<i16>,
    repetition: Vec<i16>,
    values: usize,
}

/// The values of the next records that are not null.
fn read_values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    records: usize,
    levels: &mut LeafLevels,
) -> Result<Vec<T::T>, LeafFault> {
    let (mut values, mut read) = (Vec::new(), 0);
    while read < records {
        let (definition, repetition) = (Some(&mut levels.definition), Some(&mut levels.repetition));
        let (some, _, _) = reader
            .read_records(records - read, definition, repetition, &mut values)
            .map_err(|error| LeafFault::Other(error.into()))?;
        if some == 0 {
            return Err(LeafFault::EndsEarly);
        }
        read += some;
    }
    levels.values = values.len();
    Ok(values)
}

/// Some records of a leaf: a definition and a repetition level for every value and null, and the texts of the values.
pub(super) struct Leaf {
    levels: LeafLevels,
    values: Values,
    json: Json,
    max_definition: i16,
    nested: bool,
    entries: usize,
    /// The current entry, and the number of values before it.
    entry: usize,
    value: usize,
}

impl Leaf {
    fn new(descriptor: &ColumnDescriptor, levels: LeafLevels, values: Values, json: Json) -> Self {
        let max_definition = descriptor.max_def_level();
        let entries = if max_definition > 0 { levels.definition.len() } else { levels.values };
        let nested = descriptor.max_rep_level() > 0;
        Self { levels, values, json, max_definition, nested, entries, entry: 0, value: 0 }
    }

    /// The definition level of the current entry; `None` after the last.
    pub(super) fn definition(&self) -> Option<i16> {
        self.definition_of(self.entry)
    }

    fn definition_of(&self, entry: usize) -> Option<i16> {
        match self.max_definition {
            0 => (entry < self.entries).then_some(0),
            _ => self.levels.definition.get(entry).copied(),
        }
    }

    /// The repetition level of the current entry; `None` after the last.
    pub(super) fn repetition(&self) -> Option<i16> {
        self.repetition_of(self.entry)
    }

    fn repetition_of(&self, entry: usize) -> Option<i16> {
        match self.nested {
            false => (entry < self.entries).then_some(0),
            true => self.levels.repetition.get(entry).copied(),
        }
    }

    /// What the next records take as text, where each entry takes these bytes in addition to its value.
    pub(super) fn size(&self, records: usize, entry_bytes: usize) -> usize {
        let (mut size, mut value, mut begun) = (0_usize, self.value, 0);
        for entry in self.entry..self.entries {
            if self.repetition_of(entry) == Some(0) {
                if begun == records {
                    break;
                }
                begun += 1;
            }
            size = size.saturating_add(entry_bytes);
            if self.definition_of(entry) == Some(self.max_definition) {
                size = size.saturating_add(self.values.size(value));
                value += 1;
            }
        }
        size
    }

    /// Goes to the next entry.
    pub(super) fn advance(&mut self) {
        if self.definition() == Some(self.max_definition) {
            self.value += 1;
        }
        self.entry += 1;
    }

    /// The text of the current entry, which is not null, and what is wrong with it.
    pub(super) fn text(&self) -> (Cow<'_, str>, Option<&'static str>) {
        self.values.text(self.value)
    }

    pub(super) fn json(&self) -> Json {
        self.json
    }
}
