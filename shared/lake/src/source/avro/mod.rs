//! Avro: object container files. Each record becomes a document of JSON and goes the way of those of NDJSON, so that
//! paths, records in lists and schemas that differ from file to file are treated alike.
//!
//! | value | JSON |
//! |---|---|
//! | null, boolean, int, long | as they are, digit for digit |
//! | float, double | the shortest number that reads back equal; `"NaN"`, `"inf"`, `"-inf"` |
//! | string, enum, uuid | a string |
//! | bytes, fixed | a string in Base64 |
//! | decimal | a number with all decimals of its scale |
//! | date | `"2024-01-31"` |
//! | time-millis, time-micros | `"13:30:00.123000"` |
//! | timestamp-millis, -micros, -nanos | `"2024-01-31T13:30:00.123000Z"`, with nine digits where six do not suffice |
//! | local-timestamp-millis, -micros, -nanos | the same without `Z` |
//! | duration | `"P1M2DT3.004S"` |
//! | array | an array |
//! | map, record | an object |
//! | union | the value itself |
//!
//! Records are decoded here and not by a library: a record is at no time a tree in memory, depth and sizes are bounded,
//! and a block has to have exactly the bytes of its records.

mod container;
mod fault;
mod schema;
#[cfg(test)]
mod tests;
mod values;

use std::io::Cursor;

use sluice_core::engine::ObjectMeasure;
use sluice_core::path::RecordPath;
use sluice_core::run::Positions;
use sluice_core::source::Codec;

use self::container::{Block, Blocks, ReadError};
pub(super) use self::fault::AvroFault;
use self::schema::Schema;
use self::values::ValueFault;
use super::chunk::ReadLimits;
use super::corrupt::FaultReason;
use super::error::{Place, SourceError};
use super::ndjson::push_document;
use super::objects::ObjectRows;
use super::place::Spot;
use super::sample::scaled;
use super::stream::{SourceInput, explain, open_bytes};
use super::{Sink, SourceSummary};

/// Reads a whole object. `records`: where the records of a document are; `None` where it is the record.
pub(super) fn read(
    records: Option<&RecordPath>,
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let stream = open_bytes(input, object)?;
    let opened = container::open(stream, limits.record_bytes).map_err(|error| refused(object, 0, error))?;
    let Some((schema, mut blocks)) = opened else {
        return Err(SourceError::EmptyObject { object: object.to_owned() });
    };
    let mut rows = ObjectRows::new(object, limits.chunk_bytes, Positions::Numbers, sink);
    let reader = RecordReader { schema, records, object, limit_bytes: limits.record_bytes };
    match reader.push_all(&mut blocks, &mut rows) {
        Ok(()) => rows.finish(None),
        Err(fault) => Err(rows.stop(fault)),
    }
}

fn refused(object: &str, rows: u64, error: ReadError) -> SourceError {
    match error {
        ReadError::Io(error) => explain(object, error),
        ReadError::Fault(source) => SourceError::Avro { object: object.to_owned(), rows, source },
    }
}

/// Makes rows of records.
struct RecordReader<'a> {
    schema: Schema,
    records: Option<&'a RecordPath>,
    object: &'a str,
    limit_bytes: usize,
}

impl RecordReader<'_> {
    fn push_all(&self, blocks: &mut Blocks, rows: &mut ObjectRows<'_, '_>) -> Result<(), SourceError> {
        let mut json = String::new();
        loop {
            let next = blocks.next().map_err(|error| refused(self.object, rows.next_row() - 1, error))?;
            let Some(block) = next else { return Ok(()) };
            self.push_block(&block, &mut json, rows)?;
        }
    }

    fn push_block(&self, block: &Block, json: &mut String, rows: &mut ObjectRows<'_, '_>) -> Result<(), SourceError> {
        let mut rest = block.bytes.as_slice();
        for record in 1..=block.records {
            json.clear();
            match self.schema.write(&mut rest, json, self.limit_bytes) {
                Ok(None) => match self.records {
                    None => rows.push(json, Spot::UNKNOWN)?,
                    Some(path) => push_document(path, json, Spot::UNKNOWN, rows)?,
                },
                Ok(Some((column, problem))) => {
                    let reason = FaultReason::Value { column: column.to_owned(), problem };
                    rows.push_corrupt(json.clone(), Spot::UNKNOWN, reason)?;
                }
                Err(ValueFault::TooLarge) => {
                    let place = Place::Record { row: rows.next_row(), line: None };
                    let (object, limit_bytes) = (self.object.to_owned(), self.limit_bytes);
                    return Err(SourceError::RecordTooLarge { object, place, limit_bytes });
                }
                Err(ValueFault::Damaged(problem)) => {
                    let fault = AvroFault::Record { number: block.number, begin: block.begin, record, problem };
                    return Err(self.damaged(fault, rows));
                }
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        let problem = "has more bytes than its records";
        Err(self.damaged(AvroFault::Block { number: block.number, begin: block.begin, problem }, rows))
    }

    fn damaged(&self, source: AvroFault, rows: &ObjectRows<'_, '_>) -> SourceError {
        SourceError::Avro { object: self.object.to_owned(), rows: rows.next_row() - 1, source }
    }
}

/// What an object of `size_bytes` holds, if it goes on as it begins: `first` are its first bytes as stored.
pub(super) fn measure(first: &[u8], size_bytes: u64, columns: usize) -> ObjectMeasure {
    let columns = columns as u64;
    // Bytes of what is packed as a whole do not say how many of its blocks the object has.
    let sample = if Codec::of(first) == Codec::Plain { Sample::of(first) } else { None };
    match sample {
        Some(Sample { stored, records, text, largest }) if stored > 0 => ObjectMeasure {
            size_bytes,
            unpacked_bytes: scaled(size_bytes, text, stored),
            rows: scaled(size_bytes, records, stored),
            columns,
            group_rows: 0,
            // As it is stored and unpacked.
            held_bytes: largest.saturating_mul(2),
        },
        _ => ObjectMeasure { columns, ..ObjectMeasure::unseen(size_bytes) },
    }
}

/// What the first blocks of an object have.
#[derive(Default)]
struct Sample {
    /// Their bytes in the object.
    stored: u64,
    records: u64,
    /// Bytes of the records as JSON.
    text: u64,
    /// Bytes of the largest, unpacked.
    largest: u64,
}

impl Sample {
    fn of(first: &[u8]) -> Option<Self> {
        /// Bytes of JSON for one of a block that is packed: names of fields come with each record.
        const EXPANSION: u64 = 8;
        /// Bytes of JSON that are enough: a few bytes of a hostile object unpack to gigabytes.
        const ENOUGH_BYTES: u64 = 8 << 20;
        let limit_bytes = ReadLimits::default().record_bytes;
        let (schema, mut blocks) = container::open(Box::new(Cursor::new(first.to_vec())), limit_bytes).ok()??;
        let (begin, mut sample, mut json) = (blocks.offset(), Self::default(), String::new());
        while sample.text < ENOUGH_BYTES
            && let Ok(Some(block)) = blocks.next()
        {
            let (mut rest, mut written, mut text) = (block.bytes.as_slice(), 0, 0);
            while written < block.records && text < ENOUGH_BYTES {
                json.clear();
                schema.write(&mut rest, &mut json, limit_bytes).ok()?;
                text += json.len() as u64;
                written += 1;
            }
            sample.text = sample.text.saturating_add(scaled(text, block.records, written));
            sample.records += block.records;
            sample.stored = blocks.offset() - begin;
            sample.largest = sample.largest.max(block.bytes.len() as u64);
        }
        if sample.records == 0 {
            // The first block is larger than the sample: it says its records and bytes.
            let (records, stored) = blocks.announced();
            let text = stored.saturating_mul(EXPANSION);
            sample = Self { stored, records, text, largest: text };
        }
        Some(sample)
    }
}
