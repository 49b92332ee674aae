//! JSON objects as rows of text.
//!
//! | value | text |
//! |---|---|
//! | string | its characters, unescaped |
//! | number, `true`, `false` | as written, digit for digit |
//! | `null`, or the key is missing | null |
//! | object, array | JSON without white space between tokens, otherwise as written |

use std::borrow::Cow;
use std::fmt;

use polars::error::PolarsResult;
use polars::prelude::{Column, IntoColumn, PlSmallStr, StringChunkedBuilder};
use serde_json::value::RawValue;
use sluice_core::run::{FoundRange, Positions};

use super::batch::SourceBatch;
use super::columns::ColumnFault;
use super::corrupt::{CorruptRecord, FaultReason};
use super::error::{Place, SourceError};
use super::keys::KeyColumns;
use super::place::{RowPositions, Spot};
use super::{Sink, SourceSummary};

/// Collects objects until a batch is full, and hands it out.
pub(super) struct ObjectRows<'o, 's> {
    object: &'o str,
    sink: Sink<'s>,
    batch_bytes: usize,
    positions: Positions,
    columns: KeyColumns,
    batch: ObjectBatch,
    /// Records handed out.
    rows: u64,
    /// Those of them that are corrupt.
    corrupt_rows: u64,
}

impl<'o, 's> ObjectRows<'o, 's> {
    pub(super) fn new(object: &'o str, batch_bytes: usize, positions: Positions, sink: Sink<'s>) -> Self {
        let (columns, batch) = (KeyColumns::default(), ObjectBatch::default());
        Self { object, sink, batch_bytes, positions, columns, batch, rows: 0, corrupt_rows: 0 }
    }

    /// Number of the next record, from 1, among those that are read.
    pub(super) fn next_row(&self) -> u64 {
        self.rows + self.batch.rows as u64 + 1
    }

    /// Adds the record `raw`, which begins at `spot`.
    pub(super) fn push(&mut self, raw: &str, spot: Spot) -> Result<(), SourceError> {
        match Entries::parse(raw) {
            Ok(entries) => match self.batch.push(&mut self.columns, &entries.0) {
                Ok(()) => self.after_record(raw.len(), spot),
                Err(RowFault::Record(reason)) => self.push_corrupt(raw.to_owned(), spot, reason),
                Err(RowFault::Columns(fault)) => {
                    let place = Place::of_record(self.positions, self.next_row(), spot);
                    Err(SourceError::Columns { object: self.object.to_owned(), place, fault })
                }
            },
            Err(reason) => self.push_corrupt(raw.to_owned(), spot, reason),
        }
    }

    /// Adds a record that cannot be split into columns.
    pub(super) fn push_corrupt(&mut self, raw: String, spot: Spot, reason: FaultReason) -> Result<(), SourceError> {
        let size_bytes = raw.len();
        self.batch.push_corrupt(raw, spot.line, reason);
        self.after_record(size_bytes, spot)
    }

    fn after_record(&mut self, size_bytes: usize, spot: Spot) -> Result<(), SourceError> {
        if self.positions == Positions::Bytes {
            self.batch.offsets.push(spot.offset);
        }
        self.batch.size_bytes += size_bytes;
        if self.batch.size_bytes >= self.batch_bytes { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SourceError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.rows == 0 {
            return Ok(());
        }
        let (row, rows, corrupt_rows) = (self.rows + 1, batch.rows as u64, batch.corrupt.len() as u64);
        let frame = batch.into_batch(&self.columns, self.positions, row);
        let batch = frame.map_err(|source| SourceError::Batch { object: self.object.to_owned(), row, source })?;
        self.rows += rows;
        self.corrupt_rows += corrupt_rows;
        (self.sink)(batch.with_other_names(self.columns.take_other_names())).map_err(|source| SourceError::Sink {
            object: self.object.to_owned(),
            row,
            source,
        })
    }

    /// Hands out the records before a fault that refuses the object: the run keeps their columns. Where that fails, too,
    /// the object is refused all the same.
    pub(super) fn stop(&mut self, fault: SourceError) -> SourceError {
        match self.flush() {
            Ok(()) | Err(_) => fault,
        }
    }

    /// Hands out the last batch. `found`: where the records begin and end, where that is known.
    pub(super) fn finish(mut self, found: Option<FoundRange>) -> Result<SourceSummary, SourceError> {
        self.flush()?;
        let columns = self.columns.names().to_vec();
        Ok(SourceSummary { rows: self.rows, corrupt_rows: self.corrupt_rows, columns, found })
    }
}

enum RowFault {
    /// The record cannot be a row.
    Record(FaultReason),
    /// The object's columns cannot be a table.
    Columns(ColumnFault),
}

/// Rows of one batch. Columns that came late are filled with nulls for the rows before.
#[derive(Default)]
struct ObjectBatch {
    columns: Vec<ColumnRows>,
    rows: usize,
    /// Where each of them begins, where records are found by bytes.
    offsets: Vec<u64>,
    corrupt: Vec<CorruptRecord>,
    size_bytes: usize,
}

struct ColumnRows {
    builder: StringChunkedBuilder,
    rows: usize,
}

impl ColumnRows {
    fn new() -> Self {
        Self { builder: StringChunkedBuilder::new(PlSmallStr::EMPTY, 0), rows: 0 }
    }

    fn fill(&mut self, rows: usize) {
        for _ in self.rows..rows {
            self.builder.append_null();
        }
        self.rows = self.rows.max(rows);
    }

    fn into_column(mut self, name: &str, rows: usize) -> Column {
        self.fill(rows);
        self.builder.finish().into_column().with_name(name.into())
    }
}

impl ObjectBatch {
    fn push(&mut self, columns: &mut KeyColumns, entries: &[(Cow<'_, str>, &RawValue)]) -> Result<(), RowFault> {
        // First everything that can make the record corrupt, so that a corrupt record leaves no trace in the columns.
        if let Some(reason) = columns.fault(entries) {
            return Err(RowFault::Record(reason));
        }
        let texts = entries.iter().map(|(_, value)| text_of(value)).collect::<Result<Vec<_>, _>>();
        let texts = texts.map_err(RowFault::Record)?;
        for ((key, _), text) in entries.iter().zip(texts) {
            let index = columns.take(key).map_err(RowFault::Columns)?;
            while self.columns.len() <= index {
                self.columns.push(ColumnRows::new());
            }
            if let Some(column) = self.columns.get_mut(index) {
                column.fill(self.rows);
                column.builder.append_option(text.as_deref());
                column.rows += 1;
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn push_corrupt(&mut self, raw: String, line: Option<u64>, reason: FaultReason) {
        self.corrupt.push(CorruptRecord { index: self.rows, line, reason, raw });
        self.rows += 1;
    }

    fn into_batch(mut self, columns: &KeyColumns, positions: Positions, first_row: u64) -> PolarsResult<SourceBatch> {
        self.columns.resize_with(columns.names().len(), ColumnRows::new);
        let named = columns.names().iter().zip(self.columns);
        let frame = named.map(|(name, column)| column.into_column(name, self.rows)).collect();
        let positions = match positions {
            Positions::Numbers => RowPositions::Numbered { first: first_row },
            Positions::Bytes => RowPositions::Offsets(self.offsets),
        };
        SourceBatch::new(frame, self.rows, &positions, &self.corrupt)
    }
}

/// The keys and values of an object in their order, doubled keys included.
pub(super) struct Entries<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Entries<'a> {
    pub(super) fn parse(raw: &'a str) -> Result<Self, FaultReason> {
        serde_json::from_str(raw).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => FaultReason::NotAnObject,
            _ => FaultReason::NotJson { message: error.to_string() },
        })
    }
}

impl<'de> serde::Deserialize<'de> for Entries<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> serde::de::Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Entries(entries))
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> serde::de::Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

/// The text of a value; see the table on top.
pub(super) fn text_of(value: &RawValue) -> Result<Option<Cow<'_, str>>, FaultReason> {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => match serde_json::from_str::<Key<'_>>(raw) {
            Ok(Key(text)) => Ok(Some(text)),
            // Half of a surrogate pair: JSON allows it, text does not.
            Err(error) => Err(FaultReason::NotJson { message: error.to_string() }),
        },
        Some(b'{' | b'[') => Ok(Some(Cow::Owned(without_white_space(raw)))),
        _ => Ok(Some(Cow::Borrowed(raw))),
    }
}

/// Valid JSON without the white space between its tokens.
fn without_white_space(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if !in_string && character.is_ascii_whitespace() {
            continue;
        }
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
        compact.push(character);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_json_text() {
        let check = |json: &str, expected: Option<&str>| {
            let value: &RawValue = serde_json::from_str(json).expect("json");
            assert_eq!(text_of(value).ok().flatten().as_deref(), expected, "{json}");
        };
        check(r#""a\n\"é""#, Some("a\n\"é"));
        check("\"\"", Some(""));
        check("1.50", Some("1.50"));
        check("12345678901234567890123", Some("12345678901234567890123"));
        check("-0.0e+10", Some("-0.0e+10"));
        check("true", Some("true"));
        check("null", None);
        check(r#"{ "a" : [ 1 , "x \" y\\" ] , "b": { } }"#, Some(r#"{"a":[1,"x \" y\\"],"b":{}}"#));
        check("[\n]", Some("[]"));
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        let value: &RawValue = serde_json::from_str(r#""\ud800""#).expect("json");
        assert!(text_of(value).is_err());
    }
}
