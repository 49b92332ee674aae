//! The front of an object: lines that are not read, and the names of the columns.

use sluice_core::spec::{CsvHeader, CsvSpec, HeaderLines, HeaderNames};

use super::general::GeneralParser;
use super::options::CsvOptions;
use super::record::{Field, FieldKind, Record, RecordParser};
use super::syntax::{Records, Syntax};
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
    syntax: &Syntax,
    object: &str,
    limits: ReadLimits,
) -> Result<SourceColumns, SourceError> {
    let origin = reader.origin();
    let front = Front { options, syntax, object, origin };
    let columns = reader.take_front(|bytes, at_end| match syntax {
        Syntax::Usual(dialect) => front.parse(RecordParser::new(*dialect), bytes, at_end),
        Syntax::General(dialect) => front.parse(GeneralParser::new(dialect), bytes, at_end),
    })?;
    columns.ok_or_else(|| {
        let (object, place) = (object.to_owned(), origin.place(&[], 0));
        SourceError::RecordTooLarge { object, place, limit_bytes: limits.record_bytes }
    })
}

/// How the front of an object is read.
struct Front<'a> {
    options: &'a CsvOptions,
    syntax: &'a Syntax,
    object: &'a str,
    origin: Origin,
}

/// The columns, and where the records begin; `None` where more bytes are needed.
type Found = Option<(SourceColumns, usize)>;

impl Front<'_> {
    /// The columns and where the records begin, once the first record is whole.
    fn parse<R: Records>(&self, mut parser: R, bytes: &[u8], at_end: bool) -> Result<Found, SourceError> {
        let spec = self.options.spec();
        let Some(begin) = self.syntax.after_lines(bytes, spec.skip_lines) else { return self.more(at_end) };
        if let Some(lines) = &spec.header_lines {
            return self.several(&mut parser, lines, bytes, begin, at_end);
        }
        let Some(record) = self.first_record(&mut parser, bytes, begin, at_end)? else { return self.more(at_end) };
        if spec.header == CsvHeader::Absent {
            self.check_line_ends(&parser, bytes, record)?;
            let columns = without_header(spec, parser.fields().len());
            // Blank lines before the first record are records where one column is.
            return self.placed(columns, bytes, record).map(|columns| Some((columns, begin)));
        }
        let names = match spec.names {
            None => Some(self.placed(self.names(&parser, bytes, record), bytes, record)?),
            Some(_) => None,
        };
        let columns = match &names {
            Some(names) => self.of_names(names),
            None => self.of_spec(&parser, record),
        };
        let columns = self.placed(columns, bytes, record)?;
        if names.is_some_and(|names| is_every_second_blank(&names, spec.delimiter.as_str())) {
            let below = self.first_record(&mut parser, bytes, record.next, at_end)?;
            match below {
                None if !at_end => return Ok(None),
                Some(_) if is_every_second_null(parser.fields(), columns.len()) => {
                    let delimiter = spec.delimiter.as_str().repeat(2);
                    return self.placed(Err(ColumnFault::DelimiterTwice { delimiter }), bytes, record);
                }
                Some(_) | None => {}
            }
        }
        Ok(Some((columns, record.next)))
    }

    /// The columns of a header of several records.
    fn several<R: Records>(
        &self,
        parser: &mut R,
        lines: &HeaderLines,
        bytes: &[u8],
        begin: usize,
        at_end: bool,
    ) -> Result<Found, SourceError> {
        let spec = self.options.spec();
        let mut joined: Vec<String> = Vec::new();
        let (mut at, mut columns) = (begin, None);
        for number in 1..=lines.count {
            let Some(record) = self.first_record(parser, bytes, at, at_end)? else {
                return self.more(at_end);
            };
            at = record.next;
            if spec.names.is_some() {
                let is_last = number == lines.count;
                columns = is_last.then(|| self.placed(self.of_spec(parser, record), bytes, record)).transpose()?;
                continue;
            }
            if lines.take.is_some_and(|take| take != number) {
                continue;
            }
            let names = self.placed(self.names(parser, bytes, record), bytes, record)?;
            if joined.is_empty() {
                joined.resize(names.len(), String::new());
            }
            let (found, expected) = (names.len(), joined.len());
            if found != expected {
                return self.placed(Err(ColumnFault::HeaderWidth { number, found, expected }), bytes, record);
            }
            join(&mut joined, &names, lines.join.as_deref().unwrap_or_default());
            if number == lines.count || lines.take.is_some() {
                columns = Some(self.placed(self.of_names(&joined), bytes, record)?);
            }
        }
        Ok(columns.map(|columns| (columns, at)))
    }

    /// What the bytes mean in which no record is.
    fn more<T>(&self, at_end: bool) -> Result<Option<T>, SourceError> {
        if at_end { Err(SourceError::EmptyObject { object: self.object.to_owned() }) } else { Ok(None) }
    }

    /// What is wrong with the columns of a record, with the place of the record.
    fn placed<T>(&self, columns: Result<T, ColumnFault>, bytes: &[u8], record: Record) -> Result<T, SourceError> {
        columns.map_err(|fault| {
            let place = self.origin.place(bytes, record.start);
            SourceError::Columns { object: self.object.to_owned(), place, fault }
        })
    }

    /// Refuses lines that end with a carriage return alone: without a header nothing else shows it.
    fn check_line_ends<R: Records>(&self, parser: &R, bytes: &[u8], record: Record) -> Result<(), SourceError> {
        let has_return = |field: &Field| {
            let text = bytes.get(field.start..field.end).unwrap_or_default();
            field.kind == FieldKind::Plain && text.contains(&b'\r')
        };
        let is_one_line = self.ends_with_line_feeds() && !record.terminated;
        if is_one_line && parser.fields().iter().any(has_return) {
            return self.placed(Err(ColumnFault::HeaderCarriageReturn), bytes, record);
        }
        Ok(())
    }

    fn ends_with_line_feeds(&self) -> bool {
        self.options.spec().record_end.is_line_feed()
    }

    /// The first record that is no blank line, if it is whole.
    fn first_record<R: Records>(
        &self,
        parser: &mut R,
        bytes: &[u8],
        begin: usize,
        at_end: bool,
    ) -> Result<Option<Record>, SourceError> {
        let mut at = begin;
        while at < bytes.len() {
            if let Some(next) = parser.comment_end(bytes, at) {
                at = next;
                continue;
            }
            let record = parser.next(bytes, at);
            if !record.terminated && !at_end {
                return Ok(None);
            }
            if let Some(quote) = record.open_quote {
                let place = self.origin.place(bytes, quote);
                return Err(SourceError::UnclosedQuote { object: self.object.to_owned(), place });
            }
            if record.is_blank() {
                at = record.next;
                continue;
            }
            // Else the next value would silently begin with it.
            if record.terminated && !self.syntax.has_lines() {
                match bytes.get(record.next) {
                    None if !at_end => return Ok(None),
                    Some(b'\n') => {
                        let end = self.options.spec().record_end.as_str().to_owned();
                        return self.placed(Err(ColumnFault::LineFeedBehindEnd { end }), bytes, record);
                    }
                    Some(_) | None => {}
                }
            }
            return Ok(Some(record));
        }
        Ok(None)
    }

    /// The columns of a header whose names the spec replaces.
    fn of_spec<R: Records>(&self, parser: &R, record: Record) -> Result<SourceColumns, ColumnFault> {
        let names = self.options.spec().names.as_deref().unwrap_or_default();
        if record.text_after_quote {
            return Err(ColumnFault::HeaderQuote);
        }
        let found = parser.fields().len();
        if names.len() != found {
            return Err(ColumnFault::NameCount { named: names.len(), found });
        }
        SourceColumns::from_header(names)
    }

    /// The columns of these names.
    fn of_names(&self, names: &[String]) -> Result<SourceColumns, ColumnFault> {
        match self.options.spec().header_names {
            HeaderNames::Strict => SourceColumns::from_header(names),
            HeaderNames::ByPosition => SourceColumns::by_position(names, self.options.mapped()),
        }
    }

    /// The names as the header has them.
    fn names<R: Records>(&self, parser: &R, bytes: &[u8], record: Record) -> Result<Vec<String>, ColumnFault> {
        let raw = bytes.get(record.start..record.end).unwrap_or_default();
        let text = std::str::from_utf8(raw).map_err(|_| ColumnFault::HeaderUtf8)?;
        if text.contains('\0') {
            return Err(ColumnFault::HeaderNul);
        }
        if record.text_after_quote {
            return Err(ColumnFault::HeaderQuote);
        }
        if let Some((sign, code)) = parser.bad_escape() {
            return Err(ColumnFault::HeaderEscape { sign, code });
        }
        let mut names = Vec::with_capacity(parser.fields().len());
        for field in parser.fields() {
            let name = text.get(field.start - record.start..field.end - record.start).unwrap_or_default();
            if field.kind == FieldKind::Plain && name.contains('\r') && self.ends_with_line_feeds() {
                return Err(ColumnFault::HeaderCarriageReturn);
            }
            names.push(parser.name(field.kind, name));
        }
        Ok(names)
    }
}

/// Adds the names of one record of a header to those of the records before it. Blank ones add nothing.
fn join(joined: &mut [String], names: &[String], between: &str) {
    for (joined, name) in joined.iter_mut().zip(names) {
        let name = name.trim();
        if !joined.is_empty() && !name.is_empty() {
            joined.push_str(between);
        }
        joined.push_str(name);
    }
}

/// Whether the second, the fourth and so on of the names are blank, and no other: as they are where the delimiter of the
/// file is twice that of the spec. Of signs that files often have singly, two columns without a name are no proof.
fn is_every_second_blank(names: &[String], delimiter: &str) -> bool {
    let fewest = if matches!(delimiter, "," | ";" | "\t") { 5 } else { 3 };
    let is_blank = |(index, name): (usize, &String)| name.trim().is_empty() == (index % 2 == 1);
    names.len() >= fewest && names.len() % 2 == 1 && names.iter().enumerate().all(is_blank)
}

/// Whether a record with as many fields as columns has no value in the second, the fourth and so on.
fn is_every_second_null(fields: &[Field], columns: usize) -> bool {
    fields.len() == columns && fields.iter().skip(1).step_by(2).all(Field::is_null)
}

/// The columns where no header is: those of the spec, or as many as the first record has fields.
fn without_header(spec: &CsvSpec, fields: usize) -> Result<SourceColumns, ColumnFault> {
    match &spec.names {
        Some(names) => SourceColumns::from_header(names),
        None => SourceColumns::from_header((1..=fields).map(CsvSpec::generated_name)),
    }
}
