//! Source readers: an object of any supported format becomes frames of text.
//!
//! Bronze is text, so every source column of every batch is a `String` column. Reading is one pass with bounded memory,
//! push style: the reader calls the sink with one batch after the other, in the order of the records. A record that
//! cannot be split into columns is not dropped and does not stop the object: it becomes a row whose source columns are
//! null, with its raw text in `_corrupt_record` and its place and fault in `_corrupt_reason`. What makes the rest of an object unreadable refuses the object.

mod archive;
mod avro;
mod batch;
mod chunk;
mod columns;
mod corrupt;
mod csv;
mod decode;
mod documents;
mod error;
mod extent;
mod fixed_width;
mod gzip;
mod joined;
mod json;
mod keys;
mod ndjson;
mod nested;
mod objects;
mod options;
mod parquet;
mod place;
mod records;
mod sample;
mod sink;
mod stream;
#[cfg(test)]
mod testing;
mod xlsx;
mod xml;
mod zip_end;
mod zip_entry;

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::file::metadata::ParquetMetaData;
use sluice_core::columns::is_own_of_bronze;
use sluice_core::engine::ObjectMeasure;
use sluice_core::run::Positions;
use sluice_core::spec::{SourceFormat, TextEncoding};

pub(crate) use self::archive::{MemberBeginning, read_first_member, read_members};
pub(crate) use self::batch::SourceBatch;
use self::chunk::ReadLimits;
pub(crate) use self::columns::{ColumnFault, MAX_COLUMNS, delimiter_hint};
pub(crate) use self::corrupt::{NO_RECORDS, NOT_AN_OBJECT};
pub(crate) use self::documents::{DocumentRecord, split_documents};
pub use self::error::SourceError;
pub(crate) use self::extent::{Begin, Extent};
pub(crate) use self::nested::{NestedText, NoValue, value_text};
pub(crate) use self::options::SourceOptions;
pub(crate) use self::place::Place;
use self::sample::measure;
pub(crate) use self::sink::{Sink, SourceSummary};
pub(crate) use self::stream::{SourceInput, is_plain_text, read_beginning};
use self::stream::{open_bytes, open_extent, open_text};
pub(crate) use self::xlsx::{check_size as check_workbook_size, sample_sheet};

/// Most bytes of text that the beginning of an object has where a path leads to its records: they may come late or
/// never.
const BEGINNING_BYTES: u64 = 8 << 20;

/// Reads an object, or the part of it that `extent` names, and hands its records to `sink`, about 32 MiB of source
/// bytes at a time.
///
/// The stream starts at [`Extent::stream_begin`]; no more of it is read than the records need. Where the begin was
/// guessed, the summary says what was found. Rows and faults count only once that is proven: after a wrong guess, the
/// text between two quoted fields of CSV may seem to be a field that is never closed.
///
/// `object` is the object's name in errors. Blocks, and uses as many threads as the machine has cores for CSV: call it
/// from a blocking thread. Gzip and Zstandard are recognised by content, whatever the name says. A record may have
/// 64 MiB.
///
/// All batches of an object that has no documents have the same columns. Documents may bring new keys: a batch then has
/// the columns met so far, in the order in which they first came, so a later batch may have more columns than an
/// earlier one. Those of an archive have the columns of the member that they are of.
///
/// # Errors
///
/// Everything that makes the rest of the object unreadable; see [`SourceError`]. Batches before the fault have reached
/// the sink by then.
pub(crate) fn read_source(
    format: SourceFormat,
    options: &SourceOptions,
    input: SourceInput,
    object: &str,
    extent: Extent<'_>,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    caught(object, || read_with_limits(format, options, input, object, extent, ReadLimits::default(), sink))
}

/// A reader's panic as an error of the object it read, which is held then: a defect of ours stops one object and not the
/// pipeline.
fn caught<T>(object: &str, read: impl FnOnce() -> Result<T, SourceError>) -> Result<T, SourceError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "without a message".to_owned());
        Err(SourceError::Reader { object: object.to_owned(), message })
    })
}

fn read_with_limits(
    format: SourceFormat,
    options: &SourceOptions,
    input: SourceInput,
    object: &str,
    extent: Extent<'_>,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    extent.check(format, object)?;
    let input = match options.archive() {
        None => input,
        Some(_) if !extent.is_whole() => {
            let problem = "records of archives are not found by bytes";
            return Err(SourceError::Extent { object: object.to_owned(), problem });
        }
        Some(how) => match archive::open(input, how, object)? {
            archive::Opened::Plain(input) => input,
            archive::Opened::Archive(opened) => {
                return archive::read(format, options, how, opened, object, limits, sink);
            }
        },
    };
    match format {
        SourceFormat::Csv => csv::read(options.csv(), input, object, extent, limits, sink),
        SourceFormat::Ndjson => {
            let text = open_extent(input, object, extent, TextEncoding::default())?;
            ndjson::read(options.records(), text, object, extent, limits, sink)
        }
        SourceFormat::Json => {
            let text = open_text(input, object, TextEncoding::default())?;
            json::read(options.records(), text.stream, object, limits, sink)
        }
        SourceFormat::Parquet => parquet::read(input, object, limits, sink),
        SourceFormat::Xlsx => xlsx::read(options.xlsx(), input, object, limits, sink),
        SourceFormat::FixedWidth => fixed_width::read(options.fixed_width(), input, object, extent, limits, sink),
        SourceFormat::Avro => avro::read(options.records(), input, object, limits, sink),
        SourceFormat::Xml => xml::read(options, input, object, limits, sink),
    }
}

/// The names of an object's columns, from its beginning (Parquet: its footer).
///
/// CSV and XLSX: the header. Fixed width: the names in the spec. NDJSON, JSON, Avro and XML: the keys of the first
/// records (about 64 KiB), so later records may bring more. Reads no more of a stream than it needs; of one with a
/// record path at most 8 MiB of text, which may show no column. Those of an archive: the columns of all its members.
///
/// # Errors
///
/// As [`read_source`], as far as the beginning shows it.
pub(crate) fn read_columns(
    format: SourceFormat,
    options: &SourceOptions,
    input: SourceInput,
    object: &str,
) -> Result<Vec<String>, SourceError> {
    caught(object, || match options.archive() {
        None => columns_of(format, options, input, object),
        Some(how) => archive::read_columns(format, options, how, input, object),
    })
}

/// The names of an object's columns, and what is in it. Those of an archive are the columns of all its members. `first`
/// are the first bytes of the object as it is stored, and the input has them, too.
///
/// # Errors
/// As [`read_columns`].
pub(crate) fn look_at_beginning(
    format: SourceFormat,
    options: &SourceOptions,
    input: SourceInput,
    (object, first, size_bytes): (&str, &[u8], u64),
) -> Result<(Vec<String>, ObjectMeasure), SourceError> {
    caught(object, || match options.archive() {
        Some(how) => archive::look(format, options, how, input, (object, first, size_bytes)),
        None => {
            let columns = columns_of(format, options, input, object)?;
            let measured = measure(format, options, first, size_bytes, columns.len());
            Ok((columns, measured))
        }
    })
}

/// The names of the columns of one file.
fn columns_of(
    format: SourceFormat,
    options: &SourceOptions,
    input: SourceInput,
    object: &str,
) -> Result<Vec<String>, SourceError> {
    match format {
        SourceFormat::Csv => csv::read_header(options.csv(), input, object),
        SourceFormat::Ndjson | SourceFormat::Json => {
            let (records, limits) = (options.records(), ReadLimits::sniff());
            let mut text = open_text(input, object, TextEncoding::default())?;
            if records.is_some() {
                text.stream = Box::new(Beginning { stream: text.stream, left: BEGINNING_BYTES });
            }
            first_columns(|sink| {
                if format == SourceFormat::Json {
                    json::read(records, text.stream, object, limits, sink)
                } else {
                    ndjson::read(records, text, object, Extent::whole(Positions::Numbers), limits, sink)
                }
            })
        }
        SourceFormat::Parquet => parquet::read_columns(input, object),
        SourceFormat::Xlsx => xlsx::look(options.xlsx(), input, object).map(|(columns, _)| columns),
        SourceFormat::FixedWidth => first_columns(|sink| {
            let (extent, limits) = (Extent::whole(Positions::Numbers), ReadLimits::sniff());
            fixed_width::read(options.fixed_width(), input, object, extent, limits, sink)
        }),
        SourceFormat::Xml => {
            let stream = Box::new(Beginning { stream: open_bytes(input, object)?, left: BEGINNING_BYTES });
            let input = SourceInput::Stream(stream);
            first_columns(|sink| xml::read(options, input, object, ReadLimits::sniff(), sink))
        }
        SourceFormat::Avro => {
            let (records, limits) = (options.records(), ReadLimits::sniff());
            let input = if records.is_some() {
                let stream = open_bytes(input, object)?;
                SourceInput::Stream(Box::new(Beginning { stream, left: BEGINNING_BYTES }))
            } else {
                input
            };
            first_columns(|sink| avro::read(records, input, object, limits, sink))
        }
    }
}

/// The names of the columns of a sheet, and what is in its workbook, from the beginning of the sheet and the sizes of
/// the workbook's parts.
///
/// # Errors
/// As [`read_source`], as far as these show it.
pub(crate) fn look_at_workbook(
    options: &SourceOptions,
    input: SourceInput,
    object: &str,
) -> Result<(Vec<String>, ObjectMeasure), SourceError> {
    caught(object, || xlsx::look(options.xlsx(), input, object))
}

/// The names of a Parquet file's columns, from its footer alone.
///
/// # Errors
/// As [`read_source`], as far as the footer shows it: columns of a type without text form, and numbers of rows that
/// contradict each other.
pub(crate) fn parquet_columns(footer: &ParquetMetaData, object: &str) -> Result<Vec<String>, SourceError> {
    parquet::columns_of(footer, object)
}

/// Says that enough was seen.
#[derive(Debug, thiserror::Error)]
#[error("enough was read")]
struct Enough;

/// The beginning of a text. Where more follows, it ends with the error [`Enough`].
struct Beginning {
    stream: Box<dyn Read + Send>,
    left: u64,
}

impl Read for Beginning {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return match self.stream.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(Enough)),
            };
        }
        let count = self.stream.by_ref().take(self.left).read(buffer)?;
        self.left -= count as u64;
        Ok(count)
    }
}

fn first_columns(
    read: impl FnOnce(Sink<'_>) -> Result<SourceSummary, SourceError>,
) -> Result<Vec<String>, SourceError> {
    let mut columns = Vec::new();
    let outcome = read(&mut |batch| {
        let names = batch.frame.get_column_names();
        columns = names.iter().map(|name| name.to_string()).filter(|name| !is_own_of_bronze(name)).collect();
        Err(Box::new(Enough))
    });
    match outcome {
        Ok(summary) => Ok(summary.columns),
        Err(SourceError::Sink { source, .. }) if source.is::<Enough>() => Ok(columns),
        Err(SourceError::Read { source, .. }) if source.get_ref().is_some_and(|inner| inner.is::<Enough>()) => {
            Ok(columns)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_ends_with_an_error_where_more_follows() {
        let check = |text: &'static str, is_all: bool| {
            let mut beginning = Beginning { stream: Box::new(text.as_bytes()), left: 3 };
            let mut read = String::new();
            assert_eq!(beginning.read_to_string(&mut read).is_ok(), is_all, "{text}");
        };
        check("", true);
        check("abc", true);
        check("abcd", false);
    }

    #[test]
    fn a_panic_of_a_reader_is_an_error_of_its_object() {
        let error = caught::<()>("a.csv", || panic!("no such type")).expect_err("it panicked");
        assert_eq!(
            error.to_string(),
            "object 'a.csv': its reader stopped (no such type); this is a defect, please report it"
        );
        assert!(error.is_refusal(), "the object is held, and the others go on");
        assert_eq!(error.name(), sluice_core::error::ErrorName::Internal);
    }
}
