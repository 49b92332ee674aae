//! Byte ranges of one object: which objects may be divided into them, and the proof that the ranges read have each of
//! its records once.
//!
//! Whoever reads a range without having read what comes before has to guess where its first record begins, because a
//! quoted text may look like the lines around it. Whoever takes the ranges in their order knows it: where the range
//! before ends.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::columns::folded_name;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{ByteRange, FoundRange, PlannedObject, PlannedPart, Positions, ReadFrom, ReadPart};
use sluice_core::source::SourceObject;
use sluice_core::spec::SourceFormat;

use crate::error::LakeError;
use crate::source::{Begin, ColumnFault, Extent, MAX_COLUMNS, Place, SourceError};

/// What `_source_row` says of the records of an object that is not packed. Of rows that bronze has, it says what it
/// said when they were read: the size is then a bound of all of them.
pub(super) fn positions(pipeline: &Pipeline, size_bytes: u64) -> Positions {
    match pipeline.source.format {
        // The bytes of an archive are not those of its members.
        _ if pipeline.source.archive.is_some() => Positions::Numbers,
        SourceFormat::Csv if !pipeline.source.csv.is_divisible() => Positions::Numbers,
        // What is decoded has other bytes than the object.
        SourceFormat::FixedWidth if !pipeline.encoding().is_utf8() => Positions::Numbers,
        // A line may have several records, which begin at one byte.
        SourceFormat::Ndjson if pipeline.source.records.is_some() => Positions::Numbers,
        SourceFormat::Csv | SourceFormat::Ndjson | SourceFormat::FixedWidth => pipeline.parts.positions(size_bytes),
        SourceFormat::Json | SourceFormat::Parquet | SourceFormat::Xlsx | SourceFormat::Avro | SourceFormat::Xml => {
            Positions::Numbers
        }
    }
}

/// The object of which a part reads a range from the landing folder; `None` where it reads whole objects, or bronze.
pub(super) fn landing_range(part: PlannedPart<'_>) -> Option<(&SourceObject, ByteRange)> {
    let range = part.range?;
    let [planned] = part.objects else { return None };
    (planned.read_from == ReadFrom::Landing).then_some((&planned.object, range))
}

/// Which records of a landing object are read, where not all of them are.
#[derive(Debug, Clone, Copy)]
pub(super) struct LandingRange<'r> {
    pub(super) bytes: ByteRange,
    /// The ranges before it; `None` where they are not known.
    pub(super) before: Option<&'r ReadRanges>,
}

impl LandingRange<'_> {
    /// Whether its begin is a guess. What is wrong with the object then may be the guess.
    pub(super) fn is_guess(&self) -> bool {
        self.bytes.begin() > 0 && self.before.is_none()
    }

    /// Where its records are, if it is known to have none: one that began before it ends behind it.
    pub(super) fn without_records(&self, object: &SourceObject) -> Option<FoundRange> {
        let begin = self.before.filter(|_| self.bytes.begin() > 0)?.end;
        let end = self.bytes.end().unwrap_or(object.size_bytes);
        (begin >= end).then_some(FoundRange { begin, end: begin })
    }

    /// What of the object is read.
    ///
    /// # Errors
    /// [`LakeError::Internal`] for an object that cannot be read by ranges.
    pub(super) fn extent<'o>(&self, pipeline: &Pipeline, planned: &'o PlannedObject) -> Result<Extent<'o>, LakeError> {
        let columns: Option<&'o [String]> = match (pipeline.source.format, &planned.shape) {
            (SourceFormat::Csv, Some(shape)) => Some(shape.columns.as_slice()),
            (SourceFormat::Ndjson | SourceFormat::FixedWidth, _) => Some(&[]),
            _ => None,
        };
        let Some(columns) = columns.filter(|_| planned.positions == Positions::Bytes) else {
            let uri = &planned.object.uri;
            let message =
                format!("the plan has byte ranges of '{uri}', whose records cannot be found by bytes; run it again");
            return Err(LakeError::Internal { message });
        };
        let begin = match (self.bytes.begin(), self.before) {
            (0, _) => Begin::Object,
            (at, None) => Begin::Guessed { at, before: pipeline.source.csv.record_end.as_str().len() as u64, columns },
            (_, Some(before)) => Begin::Proven { at: before.end, columns },
        };
        Ok(Extent { positions: planned.positions, begin, end: self.bytes.end() })
    }
}

/// The ranges of one object that were taken so far, in their order and without a gap.
#[derive(Debug, Default)]
pub(super) struct ReadRanges {
    /// The byte at which the next record begins.
    end: u64,
    rows: u64,
    /// Keys of JSON records, by what they are to a reader that ignores case.
    keys: BTreeMap<String, String>,
}

impl ReadRanges {
    /// Whether the records of the next range were read from where they begin.
    pub(super) fn prove(&self, next: &ReadPart) -> bool {
        next.found.is_some_and(|found| found.begin == self.end)
    }

    /// Takes the next range of the object.
    ///
    /// # Errors
    /// [`LakeError::Internal`] where it is not the next one, or the last one does not end with the object.
    pub(super) fn take(&mut self, object: &SourceObject, range: ByteRange, read: &ReadPart) -> Result<(), LakeError> {
        let found = read.found.filter(|found| found.begin == self.end);
        let is_whole = |found: &FoundRange| range.end().is_some() || found.end == object.size_bytes;
        let Some(found) = found.filter(is_whole) else {
            let was_read = match &read.found {
                Some(FoundRange { begin, end }) => format!("from byte {begin} to {end}"),
                None => "without a word of where they are".to_owned(),
            };
            let (part, uri, begin, size) = (read.part, &object.uri, self.end, object.size_bytes);
            let end = range.end().unwrap_or(size);
            let message = format!(
                "part {part} has the records of '{uri}' from byte {begin} to {end} of {size}, but they were read \
                 {was_read}; run it again"
            );
            return Err(LakeError::Internal { message });
        };
        self.end = found.end;
        self.rows += read.rows();
        Ok(())
    }

    /// The keys of the records so far.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.keys.values().cloned().collect()
    }

    /// Takes the keys of the range that was taken last. The answer is what is wrong with the object as a whole, which
    /// no range shows: whoever reads all of it in one call refuses it for the same.
    pub(super) fn fault(
        &mut self,
        pipeline: &Pipeline,
        object: &SourceObject,
        range: ByteRange,
        keys: Option<&BTreeSet<String>>,
    ) -> Option<LakeError> {
        for key in keys.into_iter().flatten() {
            self.keys.entry(folded_name(key)).or_insert_with(|| key.clone());
        }
        if self.keys.len() > MAX_COLUMNS {
            let (place, fault) = (Place::Byte { offset: self.end }, ColumnFault::TooMany { limit: MAX_COLUMNS });
            return Some(LakeError::Source(SourceError::Columns { object: object.uri.to_string(), place, fault }));
        }
        let has_records_alone = matches!(pipeline.source.format, SourceFormat::Ndjson | SourceFormat::FixedWidth);
        let is_empty = range.end().is_none() && self.rows == 0 && has_records_alone;
        is_empty.then(|| LakeError::Source(SourceError::EmptyObject { object: object.uri.to_string() }))
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::run::RunRef;

    use super::*;

    fn range(begin: u64, end: Option<u64>) -> ByteRange {
        ByteRange::new(begin, end).unwrap()
    }

    fn object() -> SourceObject {
        let uri = "s3://b/a.csv".parse().unwrap();
        SourceObject { uri, etag: "e".to_owned(), size_bytes: 30, modified_at: None }
    }

    /// A part whose records were found there.
    fn read(found: Option<(u64, u64)>) -> ReadPart {
        ReadPart {
            run: RunRef { pipeline: "p".parse().unwrap(), run_id: "r".parse().unwrap(), attempt: 1 },
            part: serde_json::from_value(1.into()).unwrap(),
            source: None,
            read_at: "2026-01-05T00:00:00Z".parse().unwrap(),
            bronze_files: Vec::new(),
            columns: Vec::new(),
            tables: Vec::new(),
            keys: None,
            lacking: Vec::new(),
            absent: BTreeMap::new(),
            found: found.map(|(begin, end)| FoundRange { begin, end }),
            usage: None,
        }
    }

    #[test]
    fn a_range_is_proved_by_the_end_of_the_one_before_it() {
        let mut ranges = ReadRanges::default();
        assert!(ranges.prove(&read(Some((0, 12)))) && !ranges.prove(&read(Some((1, 12)))));
        ranges.take(&object(), range(0, Some(10)), &read(Some((0, 12)))).unwrap();
        assert!(ranges.prove(&read(Some((12, 20)))));
        for wrong in [None, Some((10, 20)), Some((13, 20))] {
            assert!(!ranges.prove(&read(wrong)), "{wrong:?}");
            let error = ranges.take(&object(), range(10, Some(20)), &read(wrong)).unwrap_err();
            assert!(error.to_string().contains("part 1 has the records of 's3://b/a.csv' from byte 12"), "{error}");
        }
        let short = ranges.take(&object(), range(10, None), &read(Some((12, 29)))).unwrap_err();
        assert!(short.to_string().contains("of 30"), "{short}");
        ranges.take(&object(), range(10, None), &read(Some((12, 30)))).unwrap();
    }

    #[test]
    fn a_range_within_a_record_has_none() {
        let mut before = ReadRanges::default();
        before.take(&object(), range(0, Some(10)), &read(Some((0, 25)))).unwrap();
        let check = |bytes: ByteRange, is_known: bool, expected: Option<u64>| {
            let of = LandingRange { bytes, before: is_known.then_some(&before) };
            let found = of.without_records(&object());
            assert_eq!(found, expected.map(|at| FoundRange { begin: at, end: at }), "{of:?}");
            assert_eq!(of.is_guess(), !is_known && bytes.begin() > 0);
        };
        check(range(10, Some(20)), true, Some(25));
        check(range(20, Some(25)), true, Some(25));
        check(range(20, Some(26)), true, None);
        check(range(20, None), true, None);
        check(range(10, Some(20)), false, None);
        check(range(0, Some(10)), true, None);
        check(range(0, Some(10)), false, None);
    }
}
