//! NDJSON: one JSON object per line. Every line is a record of its own, so a broken one is set aside as corrupt; blank
//! lines are skipped and not counted. Where the spec has a path of records, every line is a document of its own, with any
//! number of records; one that the path does not fit is set aside as corrupt.

use memchr::{memchr, memrchr};
use sluice_core::path::RecordPath;

use super::chunk::{Chunk, ChunkReader, Cut, Next, ReadLimits};
use super::corrupt::FaultReason;
use super::error::{Place, SourceError};
use super::extent::{Begin, Extent};
use super::objects::ObjectRows;
use super::place::Spot;
use super::records::{RecordTaker, Stopped, Unkept, WalkError, walk};
use super::stream::Text;
use super::{Sink, SourceSummary};

/// Reads the records of an extent, whose text begins where it must.
pub(super) fn read(
    records: Option<&RecordPath>,
    text: Text,
    object: &str,
    extent: Extent<'_>,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let mut reader = ChunkReader::new(text, object, extent, limits);
    if matches!(extent.begin, Begin::Guessed { .. }) {
        // No guess: a line feed always ends a record.
        reader.skip_to(|bytes, at_end| match memchr(b'\n', bytes) {
            Some(line_feed) => Some(line_feed + 1),
            None => at_end.then_some(bytes.len()),
        })?;
    }
    let mut rows = ObjectRows::new(object, limits.chunk_bytes, extent.positions, sink);
    let lines = Lines { records, object, extent, limits };
    match lines.push_all(&mut reader, &mut rows) {
        Ok(()) => rows.finish(reader.found()),
        Err(fault) => Err(rows.stop(fault)),
    }
}

/// `end`: the first line end at or after it is the last one.
fn cut_lines(bytes: &[u8], at_end: bool, end: usize) -> Cut {
    let from = end.saturating_sub(1);
    if let Some(line_feed) = bytes.get(from..).and_then(|rest| memchr(b'\n', rest)) {
        return Cut::Ends(vec![from + line_feed + 1]);
    }
    match memrchr(b'\n', bytes) {
        _ if at_end => Cut::Ends(vec![bytes.len()]),
        Some(line_feed) => Cut::Ends(vec![line_feed + 1]),
        None => Cut::More,
    }
}

/// How the lines of an object are read.
#[derive(Clone, Copy)]
struct Lines<'a> {
    /// Where the records of a line are; `None` where it is the record.
    records: Option<&'a RecordPath>,
    object: &'a str,
    extent: Extent<'a>,
    limits: ReadLimits,
}

impl Lines<'_> {
    fn push_all(self, reader: &mut ChunkReader<'_>, rows: &mut ObjectRows<'_, '_>) -> Result<(), SourceError> {
        let mut is_blank = true;
        loop {
            match reader.next(cut_lines)? {
                Next::Chunk(chunk) => is_blank &= !self.push_chunk(&chunk, rows)?,
                Next::TooLarge(spot) => return Err(self.too_large(rows.next_row(), spot)),
                // Of a part of an object nobody knows that the rest is empty, too.
                Next::End if is_blank && self.extent.is_whole() => {
                    return Err(SourceError::EmptyObject { object: self.object.to_owned() });
                }
                Next::End => return Ok(()),
            }
        }
    }

    /// Adds the records of a chunk. Gives whether it has a line that is not blank.
    fn push_chunk(self, chunk: &Chunk, rows: &mut ObjectRows<'_, '_>) -> Result<bool, SourceError> {
        let mut line = chunk.lines_before;
        let mut has_text = false;
        for (begin, piece) in chunk.pieces() {
            let (mut rest, mut offset) = (piece, begin);
            while !rest.is_empty() {
                let end = memchr(b'\n', rest).map_or(rest.len(), |line_feed| line_feed + 1);
                let (raw, after) = rest.split_at(end);
                line += 1;
                has_text |= self.push_line(raw, Spot { line: Some(line), offset }, rows)?;
                rest = after;
                offset += end as u64;
            }
        }
        Ok(has_text)
    }

    /// Adds the records of a line. `spot` is where it begins. Gives whether it is not blank.
    fn push_line(self, raw: &[u8], spot: Spot, rows: &mut ObjectRows<'_, '_>) -> Result<bool, SourceError> {
        let text = raw.trim_ascii_start();
        let record = text.trim_ascii_end();
        if record.len() > self.limits.record_bytes {
            return Err(self.too_large(rows.next_row(), spot));
        }
        let spot = Spot { offset: spot.offset + (raw.len() - text.len()) as u64, ..spot };
        match (simdutf8::basic::from_utf8(record), self.records) {
            (Ok(""), _) => return Ok(false),
            (Ok(record), None) => rows.push(record, spot)?,
            (Ok(document), Some(path)) => push_document(path, document, spot, rows)?,
            (Err(_), _) => {
                rows.push_corrupt(String::from_utf8_lossy(record).into_owned(), spot, FaultReason::InvalidUtf8)?;
            }
        }
        Ok(true)
    }

    fn too_large(self, row: u64, spot: Spot) -> SourceError {
        let (object, place) = (self.object.to_owned(), Place::of_record(self.extent.positions, row, spot));
        SourceError::RecordTooLarge { object, place, limit_bytes: self.limits.record_bytes }
    }
}

/// Adds the records of a document: all of them, or the document as a corrupt record. It is read twice, so that none has
/// to be kept until the last one is known.
pub(super) fn push_document(
    path: &RecordPath,
    document: &str,
    spot: Spot,
    rows: &mut ObjectRows<'_, '_>,
) -> Result<(), SourceError> {
    if let Err(reason) = walk_document(path, document, &mut Unkept) {
        return rows.push_corrupt(document.to_owned(), spot, reason);
    }
    let mut taker = DocumentRows { rows: &mut *rows, spot, failure: None };
    // Its only fault can be that the rows take no more.
    let walked = walk_document(path, document, &mut taker);
    match taker.failure {
        Some(failure) => Err(failure),
        None => walked.or_else(|reason| rows.push_corrupt(document.to_owned(), spot, reason)),
    }
}

fn walk_document<T: RecordTaker>(path: &RecordPath, document: &str, taker: &mut T) -> Result<(), FaultReason> {
    let mut parser = serde_json::Deserializer::from_str(document);
    let walked = walk(path, &mut parser, taker).and_then(|()| parser.end().map_err(WalkError::Parser));
    walked.map_err(|error| match error {
        WalkError::Path(fault) => FaultReason::RecordPath { fault },
        WalkError::Parser(error) => FaultReason::NotJson { message: error.to_string() },
    })
}

/// Passes the records of a document on.
struct DocumentRows<'r, 'o, 's> {
    rows: &'r mut ObjectRows<'o, 's>,
    spot: Spot,
    /// Why the rows take no more.
    failure: Option<SourceError>,
}

impl RecordTaker for DocumentRows<'_, '_, '_> {
    fn take(&mut self, raw: &str) -> Result<(), Stopped> {
        self.rows.push(raw, self.spot).map_err(|failure| {
            self.failure = Some(failure);
            Stopped
        })
    }
}

#[cfg(test)]
mod ranges;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{ReadTest, SMALL, corrupt, good};
    use sluice_core::spec::SourceFormat;

    fn read(text: &str) -> ReadTest {
        ReadTest::new(SourceFormat::Ndjson, text.as_bytes())
    }

    #[test]
    fn objects_become_rows_and_keys_become_columns() {
        let table = read("{\"a\":1,\"b\":\"x\"}\r\n\n  \n{\"b\":null,\"c\":[1, 2]}\n{}").table();
        assert_eq!(table.columns, ["a", "b", "c"]);
        let rows = [
            good(1, &[Some("1"), Some("x"), None]),
            good(2, &[None, None, Some("[1,2]")]),
            good(3, &[None, None, None]),
        ];
        assert_eq!(table.rows, rows);
    }

    #[test]
    fn late_keys_widen_later_batches() {
        let frames = read("{\"a\":1}\n{\"a\":2}\n{\"b\":3}\n").limits(SMALL).frames();
        let widths: Vec<usize> = frames.iter().map(polars::prelude::DataFrame::width).collect();
        assert_eq!(widths.first(), Some(&4));
        assert_eq!(widths.last(), Some(&5));
    }

    #[test]
    fn broken_lines_are_set_aside() {
        let check = |line: &[u8], raw: &str, reason: &str| {
            let text = [b"{\"a\":1}\n".as_slice(), line, b"\n{\"a\":2}\n"].concat();
            let table = ReadTest::new(SourceFormat::Ndjson, &text).table();
            assert_eq!(table.columns, ["a"], "{raw}");
            assert_eq!(table.rows, [good(1, &[Some("1")]), corrupt(2, 1, raw), good(3, &[Some("2")])]);
            let expected = format!("line 2 (record 2) {reason}");
            assert!(table.reasons.len() == 1 && table.reasons[0].starts_with(&expected), "{raw}: {:?}", table.reasons);
        };
        check(b"{\"a\":1", "{\"a\":1", "is not JSON: ");
        check(b"{\"a\":1} x", "{\"a\":1} x", "is not JSON: ");
        check(b"{\"z\":1,\"y\":tru}", "{\"z\":1,\"y\":tru}", "is not JSON: ");
        check(b"{\"z\":\"\\ud800\"}", "{\"z\":\"\\ud800\"}", "is not JSON: ");
        check(b"[1]", "[1]", "is no JSON object");
        check(b"null", "null", "is no JSON object");
        check(b"{\"z\":1,\"z\":2}", "{\"z\":1,\"z\":2}", "has the key 'z' more than once");
        check(b"{\"\":1}", "{\"\":1}", "has the key '' more than once, or blank");
        check(b"{\"z\":1,\"Z\":2}", "{\"z\":1,\"Z\":2}", "has the keys 'z' and 'Z', which are one column");
        check(b"{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}", "has the keys 'a' and 'A', which are one column");
        check(b"{\"z\":1,\"_run_id\":2}", "{\"z\":1,\"_run_id\":2}", "has the key '_run_id', a name that bronze keeps");
        check(b"{\"a\":\"\xFF\"}", "{\"a\":\"\u{FFFD}\"}", "is not UTF-8");
        check(b"{\"a\":\"\0\"}", "{\"a\":\"\0\"}", "is not JSON: ");
    }

    #[test]
    fn records_that_write_a_key_in_another_case_have_the_same_column() {
        let text = "{\"id\":1,\"Extra\":\"a\"}\n{\"ID\":2,\"extra\":\"b\"}\n{\"id\":3,\"EXTRA\":\"c\"}\n";
        for limits in [SMALL, ReadLimits::default()] {
            let table = read(text).limits(limits).table();
            assert_eq!(table.columns, ["id", "Extra"]);
            let row = |id: i64, extra: &str| good(id, &[Some(&id.to_string()), Some(extra)]);
            assert_eq!(table.rows, [row(1, "a"), row(2, "b"), row(3, "c")]);
        }
    }

    #[test]
    fn an_unreadable_object_is_refused_with_the_fix() {
        let check = |text: &str, expected: &str| {
            assert_eq!(read(text).limits(SMALL).error().to_string(), expected);
        };
        check("", "object 'data' is empty: it has no header and no record; deliver it again or remove it");
        check("\n \n", "object 'data' is empty: it has no header and no record; deliver it again or remove it");
        let long = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n", "x".repeat(SMALL.record_bytes));
        assert!(matches!(
            read(&long).limits(SMALL).error(),
            SourceError::RecordTooLarge { place: Place::Record { row: 2, line: Some(2) }, .. }
        ));
    }
}
