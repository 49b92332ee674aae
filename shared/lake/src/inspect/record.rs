//! One record of a source object, by its position: the way from a row of a table back to the file that it came from.

use std::io::{self, Read};

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};
use serde::{Serialize, Serializer};
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW};
use sluice_core::pipeline::Pipeline;
use sluice_core::run::Positions;
use sluice_core::source::SourceObject;
use sluice_core::spec::SourceFormat;
use sluice_core::uri::ObjectUri;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::Cell;
use crate::engine::scratch_copy;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{ObjectBytes, blocking, bucket_and_key, local_path};
use crate::source::{Begin, Extent, SourceError, SourceInput, SourceOptions, is_plain_text, read_columns, read_source};

/// Up to this byte an object is read from its beginning, which proves where records begin. No header is longer.
const FROM_START_BYTES: u64 = 4 << 20;
/// Bytes before a record that are read to see whether one can begin there.
const BEFORE_BYTES: u64 = 4 << 10;

/// A record of a source object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceRecord {
    /// Address of the object.
    pub uri: ObjectUri,
    /// What its position is: the number of the record, or the byte at which it begins.
    pub positions: Positions,
    /// Its position, as `_source_row` has it.
    pub position: u64,
    /// The source columns in the order of the object, with their values as text. Where the record cannot be split into
    /// columns, all values are null.
    #[serde(serialize_with = "as_map")]
    pub values: Vec<(String, Cell)>,
    /// Text of a record that cannot be split into columns.
    pub raw: Option<String>,
    /// Place of such a record and what is wrong with it.
    pub reason: Option<String>,
}

/// As serde calls it.
fn as_map<S: Serializer>(values: &[(String, Cell)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().map(|(name, cell)| (name, cell)))
}

/// The record at a position of the object at `uri`, which is read as `pipeline` reads its source objects: give the pipeline
/// of the plan of the run that stored the object ([`super::stored_by`]), for another may cut it into other records. Without
/// `positions` the position is what a plan of the pipeline would take it for: a number, or the byte of a large object.
///
/// Behind the first 4 MiB of an object with byte positions reading begins at the byte itself. There a byte that comes
/// after a line end inside a quoted field is taken for the beginning of a record: ask for bytes that a table has.
///
/// # Errors
/// [`LakeError::NotFound`] where no such object or record exists, with the records next to the position;
/// [`LakeError::Invalid`] for the byte of an object that is not plain CSV or NDJSON; [`LakeError::Source`] for an
/// object that is at fault before the record.
pub async fn record(
    lake: &Lake,
    pipeline: &Pipeline,
    uri: &ObjectUri,
    position: u64,
    positions: Option<Positions>,
) -> Result<SourceRecord, LakeError> {
    let object = object_at(lake, uri).await?;
    let (lake, pipeline) = (lake.clone(), pipeline.clone());
    blocking(move || {
        let source = Source { lake: &lake, pipeline: &pipeline, object: &object };
        let positions = source.positions(positions)?;
        let Row { position, values, raw, reason } = match positions {
            Positions::Numbers => source.by_number(position)?,
            Positions::Bytes => source.by_byte(position)?,
        };
        Ok(SourceRecord { uri: object.uri.clone(), positions, position, values, raw, reason })
    })
    .await
}

/// The object that is at an address now.
async fn object_at(lake: &Lake, uri: &ObjectUri) -> Result<SourceObject, LakeError> {
    let missing = || LakeError::NotFound { what: format!("no file exists at {uri}") };
    if uri.as_url().scheme() == "file" {
        let path = local_path(uri.as_url())?;
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Err(missing()),
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(missing()),
            Err(source) => return Err(LakeError::Io { doing: "read", path, source }),
        };
        let modified_at = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        // Its hash would take as long as reading all of it. By size and time it is the version that exists now.
        let (uri, etag, size_bytes) = (uri.clone(), String::new(), metadata.len());
        return Ok(SourceObject { uri, etag, size_bytes, modified_at });
    }
    let (bucket, key) = bucket_and_key(uri.as_url())?;
    let head = lake.s3(uri)?.head(bucket, key.as_ref()).await?.ok_or_else(missing)?;
    let etag =
        head.etag.ok_or_else(|| LakeError::Invalid { message: format!("the store returns no etag for {uri}") })?;
    Ok(SourceObject { uri: uri.clone(), etag, size_bytes: head.size_bytes, modified_at: head.modified_at })
}

/// An object and how it is read. Blocking.
struct Source<'a> {
    lake: &'a Lake,
    pipeline: &'a Pipeline,
    object: &'a SourceObject,
}

impl Source<'_> {
    /// What positions of the object are: as wanted, else as a plan would say.
    fn positions(&self, wanted: Option<Positions>) -> Result<Positions, LakeError> {
        if wanted == Some(Positions::Numbers) {
            return Ok(Positions::Numbers);
        }
        let has_bytes = self.is_plain_text()?;
        match wanted {
            Some(Positions::Bytes) if !has_bytes => {
                let uri = &self.object.uri;
                let message = format!(
                    "records of {uri} have numbers only: those of CSV, NDJSON and fixed width in UTF-8 that is not \
                     packed, and is read without source.records, source.archive and skip_last_lines, can be found by a \
                     byte; ask for the number of the record"
                );
                Err(LakeError::Invalid { message })
            }
            Some(wanted) => Ok(wanted),
            None if has_bytes => Ok(self.pipeline.parts.positions(self.object.size_bytes)),
            None => Ok(Positions::Numbers),
        }
    }

    /// Whether the bytes of the object are its records, one behind the other.
    fn is_plain_text(&self) -> Result<bool, LakeError> {
        match self.pipeline.source.format {
            // As in a plan: the bytes of an archive are not those of its members.
            _ if self.pipeline.source.archive.is_some() => Ok(false),
            // A line may have several records, which begin at one byte.
            SourceFormat::Ndjson if self.pipeline.source.records.is_some() => Ok(false),
            SourceFormat::Csv if !self.pipeline.source.csv.is_divisible() => Ok(false),
            // Whatever its byte order mark says: a plan takes the spec's word.
            SourceFormat::FixedWidth if !self.pipeline.encoding().is_utf8() => Ok(false),
            SourceFormat::Csv | SourceFormat::Ndjson | SourceFormat::FixedWidth => {
                Ok(is_plain_text(&self.bytes(0, 4)?, self.pipeline.encoding()))
            }
            SourceFormat::Json
            | SourceFormat::Parquet
            | SourceFormat::Xlsx
            | SourceFormat::Avro
            | SourceFormat::Xml => Ok(false),
        }
    }

    fn by_number(&self, number: u64) -> Result<Row, LakeError> {
        let uri = &self.object.uri;
        if number == 0 {
            return Err(LakeError::NotFound {
                what: format!("{uri} has no record 0: its records are numbered from 1"),
            });
        }
        let (input, _scratch) = self.input()?;
        let Nearest { before, row } = self.nearest(input, Extent::whole(Positions::Numbers), number)?;
        row.ok_or_else(|| {
            let count = before.unwrap_or_default();
            let records = if count == 1 { "record" } else { "records" };
            LakeError::NotFound { what: format!("{uri} has no record {number}: it has {count} {records}") }
        })
    }

    fn by_byte(&self, byte: u64) -> Result<Row, LakeError> {
        let (uri, size_bytes) = (&self.object.uri, self.object.size_bytes);
        if byte >= size_bytes {
            let what = format!("no record begins at byte {byte} of {uri}: it has {size_bytes} bytes");
            return Err(LakeError::NotFound { what });
        }
        let found = self.nearest_to_byte(byte)?;
        let next = match found {
            Nearest { row: Some(row), .. } if row.position == byte => return Ok(row),
            Nearest { before, row } => next_words(before, row.map(|row| row.position)),
        };
        Err(LakeError::NotFound { what: format!("no record begins at byte {byte} of {uri}{next}") })
    }

    /// The record that begins at a byte, or the first one after it.
    fn nearest_to_byte(&self, byte: u64) -> Result<Nearest, LakeError> {
        if byte < FROM_START_BYTES {
            let extent = Extent { positions: Positions::Bytes, begin: Begin::Object, end: None };
            return self.nearest(SourceInput::Stream(self.stream(0)?), extent, byte);
        }
        let columns = self.header()?;
        let from = byte - BEFORE_BYTES;
        let before = self.bytes(from, BEFORE_BYTES)?;
        let may_begin = match self.pipeline.source.format {
            SourceFormat::Csv => before.ends_with(self.pipeline.source.csv.record_end.as_str().as_bytes()),
            format => may_begin_after(format, &before),
        };
        if may_begin {
            let begin = Begin::Proven { at: byte, columns: &columns };
            return self.nearest_from(begin, byte);
        }
        // No record begins here: the guess is for the message alone, which does without where it fails.
        let before = self.pipeline.source.csv.record_end.as_str().len() as u64;
        Ok(self.nearest_from(Begin::Guessed { at: byte, before, columns: &columns }, byte).unwrap_or_default())
    }

    fn nearest_from(&self, begin: Begin<'_>, byte: u64) -> Result<Nearest, LakeError> {
        let extent = Extent { positions: Positions::Bytes, begin, end: None };
        let input = SourceInput::Stream(self.stream(extent.stream_begin())?);
        self.nearest(input, extent, byte)
    }

    /// Reads until a record is at this position or after it.
    fn nearest(&self, input: SourceInput, extent: Extent<'_>, position: u64) -> Result<Nearest, LakeError> {
        let (format, options) = (self.pipeline.source.format, SourceOptions::of(self.pipeline));
        let mut nearest = Nearest::default();
        let read = read_source(format, &options, input, self.object.uri.as_str(), extent, &mut |batch| {
            nearest.meet(&batch.frame, position)?;
            if nearest.row.is_some() { Err(Box::new(Reached)) } else { Ok(()) }
        });
        match read {
            Ok(_) => Ok(nearest),
            Err(SourceError::Sink { source, .. }) if source.is::<Reached>() => Ok(nearest),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of the header; of formats that have none, empty.
    fn header(&self) -> Result<Vec<String>, LakeError> {
        match self.pipeline.source.format {
            SourceFormat::Csv => {
                let input = SourceInput::Stream(self.stream(0)?);
                let (options, name) = (SourceOptions::of(self.pipeline), self.object.uri.as_str());
                Ok(read_columns(SourceFormat::Csv, &options, input, name)?)
            }
            SourceFormat::Ndjson
            | SourceFormat::Json
            | SourceFormat::Parquet
            | SourceFormat::Xlsx
            | SourceFormat::FixedWidth
            | SourceFormat::Avro
            | SourceFormat::Xml => Ok(Vec::new()),
        }
    }

    /// The whole object. What is read from its end has to be a file.
    fn input(&self) -> Result<(SourceInput, Option<TempDir>), LakeError> {
        if !self.pipeline.source.format.is_read_from_file() {
            return Ok((SourceInput::Stream(self.stream(0)?), None));
        }
        if let Ok(path) = self.object.uri.as_url().to_file_path() {
            return Ok((SourceInput::File(path), None));
        }
        let (path, scratch) = scratch_copy(&mut self.stream(0)?)?;
        Ok((SourceInput::File(path), Some(scratch)))
    }

    /// The bytes of the object from this one on.
    fn stream(&self, begin: u64) -> Result<Box<dyn Read + Send>, LakeError> {
        let options = self.lake.options();
        let opened = if begin == 0 {
            Handle::current().block_on(ObjectBytes::open(self.object, options))
        } else {
            Handle::current().block_on(ObjectBytes::open_at(self.object, begin, options))
        };
        Ok(opened?.into_parts().0)
    }

    /// At most `count` bytes of the object.
    fn bytes(&self, begin: u64, count: u64) -> Result<Vec<u8>, LakeError> {
        let mut bytes = Vec::new();
        match self.stream(begin)?.take(count).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(SourceError::Read { object: self.object.uri.to_string(), source }.into()),
        }
    }
}

/// Says that the record, or one after it, was read.
#[derive(Debug, thiserror::Error)]
#[error("the record was read")]
struct Reached;

/// What is near a position.
#[derive(Debug, Default)]
struct Nearest {
    /// The position of the last record before it that was read.
    before: Option<u64>,
    /// The record there, or else the first one after it.
    row: Option<Row>,
}

impl Nearest {
    /// Takes notice of the records of a batch up to the position.
    fn meet(&mut self, frame: &DataFrame, position: u64) -> PolarsResult<()> {
        for (index, found) in frame.column(SOURCE_ROW)?.i64()?.iter().enumerate() {
            let Some(found) = found.and_then(|found| u64::try_from(found).ok()) else { continue };
            if found >= position {
                self.row = Some(Row::of(frame, index, found)?);
                return Ok(());
            }
            self.before = Some(found);
        }
        Ok(())
    }
}

/// A record as readers hand it out.
#[derive(Debug)]
struct Row {
    position: u64,
    values: Vec<(String, Cell)>,
    raw: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn of(frame: &DataFrame, index: usize, position: u64) -> PolarsResult<Self> {
        let mut row = Self { position, values: Vec::new(), raw: None, reason: None };
        for column in frame.columns() {
            let cell = Cell::of(&column.get(index)?);
            match column.name().as_str() {
                SOURCE_ROW => {}
                CORRUPT_RECORD => row.raw = text(cell),
                CORRUPT_REASON => row.reason = text(cell),
                name => row.values.push((name.to_owned(), cell)),
            }
        }
        Ok(row)
    }
}

fn text(cell: Cell) -> Option<String> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

/// The records next to a byte, for messages.
fn next_words(before: Option<u64>, after: Option<u64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("; records near it begin at bytes {before} and {after}"),
        (Some(near), None) | (None, Some(near)) => format!("; a record near it begins at byte {near}"),
        (None, None) => String::new(),
    }
}

/// Whether a record can begin behind these bytes: behind a line end, or in NDJSON behind the blanks after one.
fn may_begin_after(format: SourceFormat, before: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\x0C');
    let last = match format {
        SourceFormat::Ndjson => before.iter().rev().find(|byte| !is_blank(byte)),
        SourceFormat::Csv
        | SourceFormat::Json
        | SourceFormat::Parquet
        | SourceFormat::Xlsx
        | SourceFormat::FixedWidth
        | SourceFormat::Avro
        | SourceFormat::Xml => before.last(),
    };
    last == Some(&b'\n')
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataType, IntoColumn, NamedFrom, Series};

    use super::*;

    #[test]
    fn a_record_begins_behind_a_line_end() {
        let check = |format, before: &[u8], expected: bool| {
            assert_eq!(may_begin_after(format, before), expected, "{before:?}");
        };
        for format in [SourceFormat::Csv, SourceFormat::Ndjson] {
            check(format, b"1,ann\n", true);
            check(format, b"1,ann\r\n", true);
            check(format, b"1,an", false);
            check(format, b"1,ann\r", false);
            check(format, b"", false);
        }
        check(SourceFormat::Ndjson, b"{}\n \t", true);
        check(SourceFormat::Ndjson, b"{} ", false);
        check(SourceFormat::Csv, b"1,ann\n ", false);
    }

    #[test]
    fn the_record_at_a_position_or_the_first_after_it_is_found_across_batches() {
        let batch = |positions: &[i64]| {
            let columns = vec![
                Series::new("id".into(), positions).cast(&DataType::String).unwrap().into_column(),
                Series::new(SOURCE_ROW.into(), positions).into_column(),
                Column::full_null(CORRUPT_RECORD.into(), positions.len(), &DataType::String),
                Column::full_null(CORRUPT_REASON.into(), positions.len(), &DataType::String),
            ];
            DataFrame::new(positions.len(), columns).unwrap()
        };
        let batches = [batch(&[8, 20]), batch(&[31, 45])];
        let check = |position: u64, before: Option<u64>, found: Option<u64>| {
            let mut nearest = Nearest::default();
            for frame in &batches {
                if nearest.row.is_none() {
                    nearest.meet(frame, position).unwrap();
                }
            }
            assert_eq!(nearest.before, before, "{position}");
            assert_eq!(nearest.row.as_ref().map(|row| row.position), found, "{position}");
            if let (Some(row), Some(found)) = (nearest.row, found) {
                assert_eq!(row.values, [("id".to_owned(), Cell::Text(found.to_string()))]);
                assert_eq!((row.raw, row.reason), (None, None));
            }
        };
        check(0, None, Some(8));
        check(8, None, Some(8));
        check(9, Some(8), Some(20));
        check(31, Some(20), Some(31));
        check(46, Some(45), None);
    }

    #[test]
    fn values_are_written_in_the_order_of_the_columns() {
        let record = SourceRecord {
            uri: "s3://b/a.csv".parse().unwrap(),
            positions: Positions::Bytes,
            position: 12,
            values: vec![("z".to_owned(), Cell::Text("1".to_owned())), ("a".to_owned(), Cell::Null)],
            raw: None,
            reason: None,
        };
        let place = r#""uri":"s3://b/a.csv","positions":"bytes","position":12"#;
        let expected = format!(r#"{{{place},"values":{{"z":"1","a":null}},"raw":null,"reason":null}}"#);
        assert_eq!(serde_json::to_string(&record).unwrap(), expected);
    }
}
