//! XML: the elements at the path of `source.records` are records. Each becomes a document of JSON and goes the way of
//! those of NDJSON, so that paths, lists and records that differ in their keys are treated alike.
//!
//! | in a record | JSON |
//! |---|---|
//! | element with text alone | a string, its text as it is |
//! | empty element | an empty string |
//! | `xsi:nil="true"` without content | null |
//! | element with attributes or elements | an object; `@name` for attributes, `#text` for text |
//! | elements of one name in one parent | an array, where they are two or more, or a column reads it as one |
//!
//! Names are local: prefixes and declarations of namespaces are dropped. The parser streams; memory holds one record
//! and one batch. A DTD is not read: definitions in it, and entities other than the five of XML, refuse the object.

mod encoding;
mod fault;
mod record;
mod syntax;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use sluice_core::path::{PathStep, RecordPath};
use sluice_core::run::Positions;

pub(super) use self::fault::XmlFault;
use self::record::{BLANKS, Record};
use self::syntax::{Attributes, check_characters, check_instruction, referenced, split_name};
use super::chunk::ReadLimits;
use super::columns::shown;
use super::error::{Place, SourceError};
use super::objects::ObjectRows;
use super::options::ElementLists;
use super::place::{Spot, count_lines};
use super::records::RecordPathFault;
use super::stream::{SourceInput, explain, open_encoded};
use super::{Sink, SourceOptions, SourceSummary};

/// Bytes asked for at a time.
const BUFFER_BYTES: usize = 64 << 10;
/// Most elements that may be open. Each is one level of JSON, or two where it repeats: 60 of them stay below the 128
/// levels to which JSON is read.
const MAX_DEPTH: usize = 60;
/// Most names that a message lists.
const MAX_NAMES: usize = 20;

/// Reads a whole object, whose records are the elements at the path of the options.
pub(super) fn read(
    options: &SourceOptions,
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let Some(path) = options.records() else {
        let problem = "elements of XML are not found without source.records";
        return Err(SourceError::Extent { object: object.to_owned(), problem });
    };
    let stream = open_encoded(input, object, encoding::FIRST_BYTES, |first| {
        encoding::of(first).map_err(|source| SourceError::Xml { object: object.to_owned(), line: 1, rows: 0, source })
    })?;
    let meter = Rc::new(Cell::new(0));
    let metered = Metered { stream, meter: Rc::clone(&meter), limits };
    let mut reader = Reader::from_reader(BufReader::with_capacity(BUFFER_BYTES.min(limits.record_bytes), metered));
    reader.config_mut().check_comments = true;
    let rows = ObjectRows::new(object, limits.chunk_bytes, Positions::Numbers, sink);
    let mut walk = Walk::new(path, options.lists(), object, limits.record_bytes, rows, meter);
    match walk.read_all(&mut reader) {
        Ok(()) => walk.rows.finish(None),
        Err(fault) => Err(walk.rows.stop(fault)),
    }
}

/// The way through a document.
struct Walk<'a, 's> {
    path: &'a RecordPath,
    /// The elements that are lists however often they occur.
    lists: &'a ElementLists,
    object: &'a str,
    limit_bytes: usize,
    rows: ObjectRows<'a, 's>,
    /// Bytes read since the last record or what lies outside of one.
    meter: Rc<Cell<usize>>,
    /// The line on which the next event begins.
    line: u64,
    /// Whether nothing was met, not even a blank.
    is_first: bool,
    /// Whether nothing but blanks was met.
    is_blank: bool,
    has_root: bool,
    has_doctype: bool,
    /// Elements that are open.
    depth: usize,
    /// How many of them, from the root on, the path leads through.
    matched: usize,
    record: Option<Record>,
    /// Whether a record was met.
    is_found: bool,
    missed: Missed,
}

/// Where the path came to, as long as it has led to no record.
#[derive(Default)]
struct Missed {
    /// Most steps that it came through.
    depth: usize,
    /// The names there that are not the next step's.
    names: Vec<String>,
}

impl<'a, 's> Walk<'a, 's> {
    fn new(
        path: &'a RecordPath,
        lists: &'a ElementLists,
        object: &'a str,
        limit_bytes: usize,
        rows: ObjectRows<'a, 's>,
        meter: Rc<Cell<usize>>,
    ) -> Self {
        Self {
            path,
            lists,
            object,
            limit_bytes,
            rows,
            meter,
            line: 1,
            is_first: true,
            is_blank: true,
            has_root: false,
            has_doctype: false,
            depth: 0,
            matched: 0,
            record: None,
            is_found: false,
            missed: Missed::default(),
        }
    }

    fn read_all<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<(), SourceError> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let event = match reader.read_event_into(&mut buffer) {
                Ok(event) => event,
                Err(error) => return Err(self.explain(error)),
            };
            let is_end = matches!(event, Event::Eof);
            self.is_blank &= is_end || matches!(event, Event::Text(_));
            self.take(event)?;
            if is_end {
                return self.finish();
            }
            self.is_first = false;
            self.line += count_lines(&buffer);
            match &self.record {
                None => self.meter.set(0),
                Some(record) if record.size_bytes() > self.limit_bytes => return Err(self.too_large()),
                Some(_) => {}
            }
        }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), SourceError> {
        match event {
            Event::Start(start) => self.begin(&start),
            Event::Empty(start) => {
                self.begin(&start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => {
                if text.contains("]]>") {
                    return Err(self.fault(XmlFault::grammar("text has `]]>`, which is written `]]&gt;`")));
                }
                self.text(&text.xml10_content())
            }
            Event::CData(text) if self.depth > 0 => self.text(&text.xml10_content()),
            Event::GeneralRef(name) if self.depth > 0 => {
                let character = referenced(&name).map_err(|fault| self.fault(fault))?;
                self.referenced(character);
                Ok(())
            }
            Event::CData(_) | Event::GeneralRef(_) => Err(self.fault(XmlFault::TextOutside)),
            Event::Comment(text) => check_characters(&text).map_err(|fault| self.fault(fault)),
            Event::PI(instruction) => check_instruction(&instruction).map_err(|fault| self.fault(fault)),
            Event::Decl(_) if !self.is_first => {
                Err(self.fault(XmlFault::grammar("a declaration `<?xml` stands at the very beginning, or not at all")))
            }
            Event::DocType(text) => self.doctype(&text),
            Event::Decl(_) | Event::Eof => Ok(()),
        }
    }

    /// A DOCTYPE names the root, and maybe a file, which is never read.
    fn doctype(&mut self, text: &str) -> Result<(), SourceError> {
        if text.contains('[') {
            return Err(self.fault(XmlFault::Definitions));
        }
        if self.has_root || self.has_doctype {
            return Err(self.fault(XmlFault::grammar("a DOCTYPE stands once, before the root element")));
        }
        self.has_doctype = true;
        Ok(())
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), SourceError> {
        let (_, name) = split_name(start.name().into_inner()).map_err(|fault| self.fault(fault))?;
        let attributes = Attributes::of(start).map_err(|fault| self.fault(fault))?;
        if self.depth == 0 && self.has_root {
            return Err(self.fault(XmlFault::SecondRoot { name: shown(name) }));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.fault(XmlFault::TooDeep { limit: MAX_DEPTH }));
        }
        self.has_root = true;
        if let Some(record) = &mut self.record {
            record.begin(name, attributes);
        } else if self.matched == self.depth {
            self.step(name, attributes);
        }
        self.depth += 1;
        Ok(())
    }

    /// Goes one step further on the path, where the element is the next one of it.
    fn step(&mut self, name: &str, attributes: Attributes) {
        let steps = self.path.steps();
        let is_next = match steps.get(self.matched) {
            Some(PathStep::Key(key)) => key == name,
            Some(PathStep::Elements) => true,
            Some(PathStep::Index(_)) | None => false,
        };
        if !is_next {
            self.missed.add(self.matched, name);
            return;
        }
        self.matched += 1;
        if self.matched == steps.len() {
            let mut record = Record::new(self.line);
            record.begin(name, attributes);
            self.record = Some(record);
            self.is_found = true;
        } else {
            self.missed.reach(self.matched);
        }
    }

    fn end(&mut self) -> Result<(), SourceError> {
        self.depth = self.depth.saturating_sub(1);
        self.matched = self.matched.min(self.depth);
        let Some(record) = &mut self.record else { return Ok(()) };
        let line = record.line;
        let Some(json) = record.end(self.lists) else { return Ok(()) };
        if json.len() > self.limit_bytes {
            return Err(self.too_large());
        }
        self.record = None;
        self.rows.push(&json, Spot { line: Some(line), ..Spot::UNKNOWN })
    }

    fn text(&mut self, text: &str) -> Result<(), SourceError> {
        check_characters(text).map_err(|fault| self.fault(fault))?;
        if self.depth == 0 && !text.trim_matches(BLANKS).is_empty() {
            return Err(self.fault(XmlFault::TextOutside));
        }
        if let Some(record) = &mut self.record {
            record.text(text);
        }
        Ok(())
    }

    /// Adds the character of a reference, which may be one that is not written as it is, such as a carriage return.
    fn referenced(&mut self, character: char) {
        if let Some(record) = &mut self.record {
            record.text(character.encode_utf8(&mut [0; 4]));
        }
    }

    fn finish(&self) -> Result<(), SourceError> {
        if self.depth > 0 {
            return Err(self.fault(XmlFault::EndsEarly));
        }
        if !self.has_root {
            // A declaration or a comment alone is no empty file.
            let object = self.object.to_owned();
            let empty = SourceError::EmptyObject { object };
            return Err(if self.is_blank { empty } else { self.fault(XmlFault::NoElement) });
        }
        match self.missed.fault(self.path) {
            Some(fault) if !self.is_found => {
                Err(SourceError::RecordPath { object: self.object.to_owned(), document: 1, rows: 0, fault })
            }
            _ => Ok(()),
        }
    }

    fn fault(&self, source: XmlFault) -> SourceError {
        let (object, rows) = (self.object.to_owned(), self.rows.next_row() - 1);
        SourceError::Xml { object, line: self.line, rows, source }
    }

    fn too_large(&self) -> SourceError {
        let line = self.record.as_ref().map_or(self.line, |record| record.line);
        let place = Place::Record { row: self.rows.next_row(), line: Some(line) };
        SourceError::RecordTooLarge { object: self.object.to_owned(), place, limit_bytes: self.limit_bytes }
    }

    /// The error of the parser, or of the stream below it.
    fn explain(&self, error: quick_xml::Error) -> SourceError {
        let shared = match error {
            quick_xml::Error::Io(shared) => shared,
            quick_xml::Error::Encoding(_) => return self.fault(XmlFault::NotUtf8),
            other => return self.fault(XmlFault::grammar(other.to_string())),
        };
        let error = Arc::try_unwrap(shared)
            .unwrap_or_else(|shared| io::Error::new(shared.kind(), format!("reading failed: {shared}")));
        if error.get_ref().is_some_and(|inner| inner.is::<RecordLimit>()) {
            return self.too_large();
        }
        match explain(self.object, error) {
            SourceError::NotEncoded { encoding, is_marked: false, .. } => {
                self.fault(XmlFault::NotDeclared { encoding })
            }
            other => other,
        }
    }
}

impl Missed {
    /// Notes that the path came through so many steps.
    fn reach(&mut self, depth: usize) {
        if depth > self.depth {
            self.depth = depth;
            self.names.clear();
        }
    }

    /// Notes an element that is not the next one of the path.
    fn add(&mut self, depth: usize, name: &str) {
        let is_news = depth == self.depth && self.names.len() <= MAX_NAMES && !self.names.iter().any(|had| had == name);
        if is_news {
            self.names.push(name.to_owned());
        }
    }

    /// Why no record was met; `None` where the parent of records is empty, as a list may be.
    fn fault(&self, path: &RecordPath) -> Option<RecordPathFault> {
        if self.depth + 1 == path.steps().len() && self.names.is_empty() {
            return None;
        }
        let mut names: Vec<String> = self.names.iter().take(MAX_NAMES).map(|name| shown(name)).collect();
        if self.names.len() > MAX_NAMES {
            names.push("and more".to_owned());
        }
        let content = if names.is_empty() { "no element".to_owned() } else { names.join(", ") };
        Some(RecordPathFault::Missing { path: path.begin(self.depth + 1), within: path.begin(self.depth), content })
    }
}

/// Refuses to read on when one record, or one tag or comment outside of records, takes too many bytes.
struct Metered {
    stream: Box<dyn Read + Send>,
    meter: Rc<Cell<usize>>,
    limits: ReadLimits,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What was read ahead belongs to this record or to the ones before it: hence a buffer more than the limit.
        let since_record = self.meter.get();
        if since_record > self.limits.record_bytes + BUFFER_BYTES.min(self.limits.record_bytes) {
            return Err(io::Error::other(RecordLimit));
        }
        let count = self.stream.read(buffer)?;
        self.meter.set(since_record + count);
        Ok(count)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("record is too large")]
struct RecordLimit;
