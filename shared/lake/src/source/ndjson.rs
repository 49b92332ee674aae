//! NDJSON: one JSON object per line. Every line is a record of its own, so a broken one is set aside as corrupt; blank
//! lines are skipped and not counted.

use memchr::{memchr, memrchr};

use super::chunk::{Chunk, ChunkReader, Cut, Next, ReadLimits};
use super::error::{FaultReason, Place, SourceError};
use super::objects::ObjectRows;
use super::stream::{SourceInput, open_text};
use super::{Sink, SourceSummary};

/// Reads a whole object.
pub(super) fn read(
    input: SourceInput,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let mut reader = ChunkReader::new(open_text(input, object)?, object, limits);
    let mut rows = ObjectRows::new(object, limits.chunk_bytes, sink);
    match push_all(&mut reader, object, limits, &mut rows) {
        Ok(()) => rows.finish(),
        Err(fault) => Err(rows.stop(fault)),
    }
}

fn push_all(
    reader: &mut ChunkReader<'_>,
    object: &str,
    limits: ReadLimits,
    rows: &mut ObjectRows<'_, '_>,
) -> Result<(), SourceError> {
    loop {
        match reader.next(cut_lines)? {
            Next::Chunk(chunk) => push_lines(&chunk, object, limits, rows)?,
            Next::TooLarge { line } => return Err(too_large(object, rows.next_row(), line, limits)),
            Next::End if rows.next_row() == 1 => return Err(SourceError::EmptyObject { object: object.to_owned() }),
            Next::End => return Ok(()),
        }
    }
}

fn cut_lines(bytes: &[u8], at_end: bool) -> Cut {
    match memrchr(b'\n', bytes) {
        _ if at_end => Cut::Ends(vec![bytes.len()]),
        Some(line_feed) => Cut::Ends(vec![line_feed + 1]),
        None => Cut::More,
    }
}

fn push_lines(
    chunk: &Chunk,
    object: &str,
    limits: ReadLimits,
    rows: &mut ObjectRows<'_, '_>,
) -> Result<(), SourceError> {
    let mut line = chunk.lines_before;
    for piece in chunk.pieces() {
        let mut rest = piece;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).map_or(rest.len(), |line_feed| line_feed + 1);
            let (raw, after) = rest.split_at(end);
            (rest, line) = (after, line + 1);
            let record = raw.trim_ascii();
            if record.len() > limits.record_bytes {
                return Err(too_large(object, rows.next_row(), line, limits));
            }
            match simdutf8::basic::from_utf8(record) {
                Ok("") => {}
                Ok(record) => rows.push(record, Some(line))?,
                Err(_) => rows.push_corrupt(
                    String::from_utf8_lossy(record).into_owned(),
                    Some(line),
                    FaultReason::InvalidUtf8,
                )?,
            }
        }
    }
    Ok(())
}

fn too_large(object: &str, row: u64, line: u64, limits: ReadLimits) -> SourceError {
    let place = Place::Record { row, line: Some(line) };
    SourceError::RecordTooLarge { object: object.to_owned(), place, limit_bytes: limits.record_bytes }
}

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
        check(b"{\"a\":\"\xFF\"}", "{\"a\":\"\u{FFFD}\"}", "is not UTF-8");
        check(b"{\"a\":\"\0\"}", "{\"a\":\"\0\"}", "is not JSON: ");
    }

    #[test]
    fn an_unreadable_object_is_refused_with_the_fix() {
        let check = |text: &str, expected: &str| {
            assert_eq!(read(text).limits(SMALL).error().to_string(), expected);
        };
        check("", "object 'data' is empty: it has no header and no record; deliver it again or remove it");
        check("\n \n", "object 'data' is empty: it has no header and no record; deliver it again or remove it");
        check(
            "{\"a\":1}\n{\"A\":1}\n",
            "object 'data' line 2 (record 2): column 2 `A` repeats column 1 `a` (spaces around and case do not count)",
        );
        check(
            "{\"_run_id\":1}",
            "object 'data' line 1 (record 1): column 1 `_run_id` has a name that the bronze table keeps for lineage; rename it at the source",
        );
        let long = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n", "x".repeat(SMALL.record_bytes));
        assert!(matches!(
            read(&long).limits(SMALL).error(),
            SourceError::RecordTooLarge { place: Place::Record { row: 2, line: Some(2) }, .. }
        ));
    }
}
