//! JSON documents: an array of objects, or objects (or such arrays) one after the other; or, where the spec has a path
//! of records, documents with such arrays inside, one after the other.
//!
//! The parser streams: memory holds one record and one batch. An element that is no object, or has a key twice, is set
//! aside as corrupt. A syntax error refuses the object, for nobody can tell where the next record starts. So does a path
//! that leads nowhere in one of its documents.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use memchr::memchr2_iter;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::de::IoRead;
use serde_json::value::RawValue;
use sluice_core::path::RecordPath;
use sluice_core::run::Positions;

use super::chunk::ReadLimits;
use super::error::{Place, SourceError};
use super::objects::ObjectRows;
use super::place::Spot;
use super::records::{RecordTaker, Stopped, WalkError, walk};
use super::stream::explain;
use super::{Sink, SourceSummary};

/// Stored bytes asked for at a time.
const BUFFER_BYTES: usize = 64 << 10;

type Parser = serde_json::Deserializer<IoRead<BufReader<Metered>>>;

/// Reads the text of a whole object. `records`: where the records of a document are; `None` where it is the record, or
/// a list of records.
pub(super) fn read(
    records: Option<&RecordPath>,
    stream: Box<dyn Read + Send>,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let meter = Rc::new(Meter::default());
    let metered = Metered { stream, meter: Rc::clone(&meter), limits };
    let buffered = BufReader::with_capacity(BUFFER_BYTES.min(limits.record_bytes), metered);
    let mut parser = serde_json::Deserializer::from_reader(buffered);
    let rows = ObjectRows::new(object, limits.chunk_bytes, Positions::Numbers, sink);
    let limit_bytes = limits.record_bytes;
    let mut reader = DocumentReader { object, limit_bytes, rows, documents: 0, meter, failure: None };
    loop {
        // `end` peeks at the next token without taking it: an error means that a token follows.
        match parser.end() {
            Ok(()) if reader.documents == 0 => return Err(SourceError::EmptyObject { object: object.to_owned() }),
            Ok(()) => return reader.rows.finish(None),
            Err(error) if error.is_io() => return Err(reader.stop(error)),
            Err(_) => reader.documents += 1,
        }
        if let Err(fault) = reader.read_document(records, &mut parser) {
            return Err(reader.rows.stop(fault));
        }
    }
}

/// Passes records from the parser on as they come.
struct DocumentReader<'o, 's> {
    object: &'o str,
    limit_bytes: usize,
    rows: ObjectRows<'o, 's>,
    /// Documents begun.
    documents: u64,
    meter: Rc<Meter>,
    /// What stopped us; the parser's own error says only that we stopped it.
    failure: Option<SourceError>,
}

impl DocumentReader<'_, '_> {
    fn read_document(&mut self, records: Option<&RecordPath>, parser: &mut Parser) -> Result<(), SourceError> {
        let outcome = match records {
            None => DeserializeSeed::deserialize(&mut *self, &mut *parser).map_err(WalkError::Parser),
            Some(path) => walk(path, &mut *parser, &mut *self),
        };
        outcome.map_err(|error| match error {
            WalkError::Parser(error) => self.explain(error),
            WalkError::Path(fault) => {
                let (object, document, rows) = (self.object.to_owned(), self.documents, self.rows.next_row() - 1);
                SourceError::RecordPath { object, document, rows, fault }
            }
        })
    }

    fn push<E: serde::de::Error>(&mut self, raw: &str) -> Result<(), E> {
        self.meter.since_record.set(0);
        let pushed =
            if raw.len() > self.limit_bytes { Err(self.too_large()) } else { self.rows.push(raw, Spot::UNKNOWN) };
        pushed.map_err(|failure| {
            self.failure = Some(failure);
            E::custom("stopped by the reader")
        })
    }

    fn too_large(&self) -> SourceError {
        let place = Place::Record { row: self.rows.next_row(), line: None };
        SourceError::RecordTooLarge { object: self.object.to_owned(), place, limit_bytes: self.limit_bytes }
    }

    fn stop(&mut self, error: serde_json::Error) -> SourceError {
        let fault = self.explain(error);
        self.rows.stop(fault)
    }

    fn explain(&mut self, error: serde_json::Error) -> SourceError {
        if let Some(failure) = self.failure.take() {
            return failure;
        }
        if !error.is_io() {
            let (object, rows) = (self.object.to_owned(), self.rows.next_row() - 1);
            return SourceError::Json { object, line: error.line(), column: error.column(), rows, source: error };
        }
        let error = io::Error::from(error);
        if error.get_ref().is_some_and(|inner| inner.is::<RecordLimit>()) {
            return self.too_large();
        }
        explain(self.object, error)
    }
}

impl RecordTaker for DocumentReader<'_, '_> {
    fn take(&mut self, raw: &str) -> Result<(), Stopped> {
        self.push::<serde_json::Error>(raw).map_err(|_| Stopped)
    }

    fn passing(&mut self, is_passing: bool) {
        self.meter.is_passing.set(is_passing);
        self.meter.since_record.set(0);
    }
}

impl<'de> DeserializeSeed<'de> for &mut DocumentReader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut DocumentReader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects, or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            self.push(element.get())?;
        }
        Ok(())
    }

    /// An object that is no element of an array. The parser has taken its brace already, so it is put together again.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut raw = String::from("{");
        while let Some((key, value)) = entries.next_entry::<String, Box<RawValue>>()? {
            if raw.len() > 1 {
                raw.push(',');
            }
            raw.push_str(&serde_json::to_string(&key).map_err(A::Error::custom)?);
            raw.push(':');
            raw.push_str(value.get());
        }
        raw.push('}');
        self.push(&raw)
    }
}

/// What the parser may keep.
#[derive(Debug, Default)]
struct Meter {
    /// Bytes read since the last record, as far as the parser may keep them.
    since_record: Cell<usize>,
    /// Whether the parser passes over a value. It keeps a byte for each bracket that is open then, so brackets count
    /// and other bytes do not.
    is_passing: Cell<bool>,
}

/// Refuses to read on when one record takes too many bytes: the parser would keep them all in memory.
struct Metered {
    stream: Box<dyn Read + Send>,
    meter: Rc<Meter>,
    limits: ReadLimits,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What was read ahead belongs to this record or to the ones before it: hence a buffer more than the limit.
        let since_record = self.meter.since_record.get();
        if since_record > self.limits.record_bytes + BUFFER_BYTES.min(self.limits.record_bytes) {
            return Err(io::Error::other(RecordLimit));
        }
        let count = self.stream.read(buffer)?;
        let kept = if self.meter.is_passing.get() {
            memchr2_iter(b'[', b'{', buffer.get(..count).unwrap_or_default()).count()
        } else {
            count
        };
        self.meter.since_record.set(since_record + kept);
        Ok(count)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("record is too large")]
struct RecordLimit;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{ReadTest, SMALL, corrupt, good};
    use sluice_core::spec::SourceFormat;

    fn read(text: &str) -> ReadTest {
        ReadTest::new(SourceFormat::Json, text.as_bytes())
    }

    #[test]
    fn arrays_and_concatenated_objects_give_the_same_rows() {
        let check = |text: &str| {
            let table = read(text).table();
            assert_eq!(table.columns, ["a", "b"], "{text}");
            assert_eq!(
                table.rows,
                [good(1, &[Some("1"), Some("{\"x\":[1]}")]), good(2, &[Some("é\n"), None])],
                "{text}"
            );
        };
        check(r#"[{"a":1,"b":{ "x" : [1] }},{"a":"é\n"}]"#);
        check("\u{FEFF} [\n {\"a\":1, \"b\":{\"x\":[1]}} ,\r\n {\"a\":\"\\u00e9\\n\", \"b\": null}\n]\n");
        check(r#"{"a":1,"b":{"x":[1]}}{"a":"é\n"}"#);
        check("{\"a\":1,\"b\":{\"x\":[1]}}\n[{\"a\":\"é\\n\"}]");
    }

    #[test]
    fn a_document_without_records_has_none() {
        assert_eq!(read("[]").table().summary.rows, 0);
        for text in ["", " \n\t ", "\u{FEFF}"] {
            assert!(matches!(read(text).error(), SourceError::EmptyObject { .. }), "{text:?}");
        }
    }

    #[test]
    fn records_that_are_no_rows_are_set_aside() {
        let table = read(r#"[{"a":1}, 5, {"b":1,"b":2}, {"a":2}]"#).table();
        assert_eq!(table.columns, ["a"]);
        let rows =
            [good(1, &[Some("1")]), corrupt(2, 1, "5"), corrupt(3, 1, r#"{"b":1,"b":2}"#), good(4, &[Some("2")])];
        assert_eq!(table.rows, rows);
        let reasons = ["record 2 is no JSON object", "record 3 has the key 'b' more than once, or blank"];
        assert_eq!(table.reasons, reasons);
        let long = "k".repeat(256);
        let text = format!(r#"[{{"a":1}}, {{"a":2,"b\u0000c":2}}, {{"{long}":3}}, {{"b":{{"\u0000":4}}}}]"#);
        let table = read(&text).table();
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(table.rows[1], corrupt(2, 2, r#"{"a":2,"b\u0000c":2}"#));
        let reasons = [
            "record 2 has the key 'b\\0c', which holds the control character U+0000".to_owned(),
            format!("record 3 has the key '{}', which has 256 bytes, and at most 255 are kept", "k".repeat(40)),
        ];
        assert_eq!(table.reasons, reasons);
        let table = read(r#"[{"a":1}, {"A":2,"a":3}, {"_source_row":4}, {"A":5}]"#).table();
        assert_eq!(table.columns, ["a"]);
        assert_eq!(table.rows[3], good(4, &[Some("5")]));
        let reasons = [
            "record 2 has the keys 'A' and 'a', which are one column, because case does not count in its name; write \
             one of them at the source",
            "record 3 has the key '_source_row', a name that bronze keeps for lineage; rename it at the source",
        ];
        assert_eq!(table.reasons, reasons);
        let table = read(r#"{"a":1}{"b":"\"","b":2}"#).table();
        assert_eq!(table.rows[1], corrupt(2, 1, r#"{"b":"\"","b":2}"#));
    }

    #[test]
    fn syntax_errors_refuse_the_object_with_their_place() {
        let check = |text: &str, line: usize, column: usize, rows: u64| {
            let error = read(text).error();
            let place = match &error {
                SourceError::Json { line, column, rows, .. } => (*line, *column, *rows),
                _ => panic!("{text}: {error:?}"),
            };
            assert_eq!(place, (line, column, rows), "{text}");
            assert!(error.to_string().starts_with(&format!("object 'data' line {line} column {column}: ")));
        };
        check("[{\"a\":1},\n{\"a\":]", 2, 6, 1);
        check("[{\"a\":1}", 1, 8, 1);
        check("{\"a\":1} x", 1, 9, 1);
        check("17", 1, 2, 0);
    }

    #[test]
    fn a_huge_record_is_refused_before_it_is_in_memory() {
        for size_bytes in [SMALL.record_bytes, 3 * SMALL.record_bytes, 1 << 20] {
            let long = format!("[{{\"a\":1}},{{\"a\":\"{}\"}}]", "x".repeat(size_bytes));
            let error = read(&long).limits(SMALL).error();
            let expected = Place::Record { row: 2, line: None };
            assert!(matches!(&error, SourceError::RecordTooLarge { place, .. } if *place == expected), "{error:?}");
        }
        // An endless one ends too.
        let endless = Read::chain(io::Cursor::new("[{\"a\":\""), io::repeat(b'x'));
        let outcome = super::read(None, Box::new(endless), "data", SMALL, &mut |_| Ok(()));
        assert!(matches!(outcome, Err(SourceError::RecordTooLarge { .. })));
    }
}
