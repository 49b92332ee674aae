//! The front of an object: lines that are not read, and the names of the columns.

use memchr::memchr_iter;
use sluice_core::spec::{CsvHeader, CsvSpec, HeaderNames};

use super::dialect::Dialect;
use super::options::CsvOptions;
use super::record::{Field, FieldKind, Record, RecordParser};
use crate::source::chunk::{ChunkReader, ReadLimits};
use crate::source::columns::{ColumnFault, SourceColumns};
use crate::source::error::{Place, SourceError};
use crate::source::place::Origin;

/// The columns of a header that was read before.
pub(super) fn known_columns(names: &[String], object: &str) -> Result<SourceColumns, SourceError> {
    if names.is_empty() {
        let problem = "its records cannot be read without the columns of its header";
        return Err(SourceError::Extent { object: object.to_owned(), problem });
    }
    SourceColumns::from_header(names).map_err(|fault| {
        let (object, place) = (object.to_owned(), Place::Byte { offset: 0 });
        SourceError::Columns { object, place, fault }
    })
}

/// Takes what comes before the records off the object.
pub(super) fn take_columns(
    reader: &mut ChunkReader<'_>,
    options: &CsvOptions,
    dialect: Dialect,
    object: &str,
    limits: ReadLimits,
) -> Result<SourceColumns, SourceError> {
    let origin = reader.origin();
    let front = Front { options, dialect, object, origin };
    let columns = reader.take_front(|bytes, at_end| front.parse(bytes, at_end))?;
    columns.ok_or_else(|| {
        let (object, place) = (object.to_owned(), origin.place(&[], 0));
        SourceError::RecordTooLarge { object, place, limit_bytes: limits.record_bytes }
    })
}

/// How the front of an object is read.
struct Front<'a> {
    options: &'a CsvOptions,
    dialect: Dialect,
    object: &'a str,
    origin: Origin,
}

impl Front<'_> {
    /// The columns and where the records begin, once the first record is whole.
    fn parse(&self, bytes: &[u8], at_end: bool) -> Result<Option<(SourceColumns, usize)>, SourceError> {
        let spec = self.options.spec();
        let Some(begin) = after_lines(bytes, spec.skip_lines) else { return self.more(at_end) };
        let mut parser = RecordParser::new(self.dialect);
        let Some(record) = self.first_record(&mut parser, bytes, begin, at_end) else { return self.more(at_end) };
        if let Some(quote) = record.open_quote {
            let place = self.origin.place(bytes, quote);
            return Err(SourceError::UnclosedQuote { object: self.object.to_owned(), place });
        }
        let has_return = |field: &Field| {
            let text = bytes.get(field.start..field.end).unwrap_or_default();
            field.kind == FieldKind::Plain && text.contains(&b'\r')
        };
        // Lines that end with a carriage return alone: without a header nothing else shows it.
        if spec.header == CsvHeader::Absent && !record.terminated && parser.fields.iter().any(has_return) {
            let (object, place) = (self.object.to_owned(), self.origin.place(bytes, record.start));
            return Err(SourceError::Columns { object, place, fault: ColumnFault::HeaderCarriageReturn });
        }
        let (columns, end) = match spec.header {
            CsvHeader::Present => (self.of_header(bytes, record, &parser.fields), record.next),
            // Blank lines before the first record are records where one column is.
            CsvHeader::Absent => (without_header(spec, parser.fields.len()), begin),
        };
        match columns {
            Ok(columns) => Ok(Some((columns, end))),
            Err(fault) => {
                let place = self.origin.place(bytes, record.start);
                Err(SourceError::Columns { object: self.object.to_owned(), place, fault })
            }
        }
    }

    /// What the bytes mean in which no record is.
    fn more<T>(&self, at_end: bool) -> Result<Option<T>, SourceError> {
        if at_end { Err(SourceError::EmptyObject { object: self.object.to_owned() }) } else { Ok(None) }
    }

    /// The first record that is no blank line, if it is whole.
    fn first_record(&self, parser: &mut RecordParser, bytes: &[u8], begin: usize, at_end: bool) -> Option<Record> {
        let mut at = begin;
        while at < bytes.len() {
            if let Some(next) = self.dialect.comment_end(bytes, at) {
                at = next;
                continue;
            }
            let record = parser.next(bytes, at);
            if !record.terminated && !at_end {
                return None;
            }
            if !record.is_blank() {
                return Some(record);
            }
            at = record.next;
        }
        None
    }

    fn of_header(&self, bytes: &[u8], record: Record, fields: &[Field]) -> Result<SourceColumns, ColumnFault> {
        let spec = self.options.spec();
        if let Some(names) = &spec.names {
            if record.text_after_quote {
                return Err(ColumnFault::HeaderQuote);
            }
            if names.len() != fields.len() {
                return Err(ColumnFault::NameCount { named: names.len(), found: fields.len() });
            }
            return SourceColumns::from_header(names);
        }
        let names = self.names(bytes, record, fields)?;
        match spec.header_names {
            HeaderNames::Strict => SourceColumns::from_header(&names),
            HeaderNames::ByPosition => SourceColumns::by_position(&names, self.options.mapped()),
        }
    }

    /// The names as the header has them.
    fn names(&self, bytes: &[u8], record: Record, fields: &[Field]) -> Result<Vec<String>, ColumnFault> {
        let raw = bytes.get(record.start..record.end).unwrap_or_default();
        let text = std::str::from_utf8(raw).map_err(|_| ColumnFault::HeaderUtf8)?;
        if text.contains('\0') {
            return Err(ColumnFault::HeaderNul);
        }
        if record.text_after_quote {
            return Err(ColumnFault::HeaderQuote);
        }
        let quote = char::from(self.dialect.quote);
        let doubled: String = [quote, quote].iter().collect();
        let mut names = Vec::with_capacity(fields.len());
        for field in fields {
            let name = text.get(field.start - record.start..field.end - record.start).unwrap_or_default();
            if field.kind == FieldKind::Plain && name.contains('\r') {
                return Err(ColumnFault::HeaderCarriageReturn);
            }
            names.push(name.replace(&doubled, quote.encode_utf8(&mut [0; 4])));
        }
        Ok(names)
    }
}

/// The columns where no header is: those of the spec, or as many as the first record has fields.
fn without_header(spec: &CsvSpec, fields: usize) -> Result<SourceColumns, ColumnFault> {
    match &spec.names {
        Some(names) => SourceColumns::from_header(names),
        None => SourceColumns::from_header((1..=fields).map(CsvSpec::generated_name)),
    }
}

/// Where the line after so many lines begins.
fn after_lines(bytes: &[u8], lines: u32) -> Option<usize> {
    match usize::try_from(lines).unwrap_or(usize::MAX).checked_sub(1) {
        None => Some(0),
        Some(before) => memchr_iter(b'\n', bytes).nth(before).map(|line_feed| line_feed + 1),
    }
}
