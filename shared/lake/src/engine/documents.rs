//! Documents in quarantine: lines of NDJSON in which `source.records` led nowhere when they were read, and that a replay
//! splits into their records by the path of the spec then.
//!
//! Only what was kept as a whole is split. A record that is corrupt for another reason was a part of a document, or has
//! lost bytes that are not UTF-8, and stays as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use polars::prelude::DataFrame;
use serde_json::{Map, Value};
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, DocumentRow, SOURCE_FILE, SOURCE_ROW};
use sluice_core::spec::SourceFormat;

use super::reread::Quarantined;
use crate::error::LakeError;
use crate::source::{DocumentRecord, NO_RECORDS, NOT_AN_OBJECT, SourceOptions, split_documents};

/// Whether the run with this id took each line of NDJSON for a record.
type TookLines<'a> = &'a dyn Fn(&str) -> Result<bool, LakeError>;

/// How documents are split.
pub(crate) struct Documents<'a> {
    options: &'a SourceOptions,
    format: SourceFormat,
    took_lines: TookLines<'a>,
}

/// A row that has a document.
struct Document<'w> {
    text: &'w str,
    /// Why it was kept as a whole.
    reason: &'w str,
    /// Where its object has it: the words with which the reason begins.
    place: &'w str,
    /// The same as a position.
    source_row: i64,
    /// The index of the row in the table.
    row: usize,
    /// Its index among the rows on their way.
    index: usize,
}

impl<'a> Documents<'a> {
    /// Documents of sources of this format, which are read with these options.
    pub(crate) fn new(options: &'a SourceOptions, format: SourceFormat, took_lines: TookLines<'a>) -> Self {
        Self { options, format, took_lines }
    }

    /// The rows with the records of documents in the place of these, and whether rows are others than before. `rows`
    /// are those of the table.
    ///
    /// # Errors
    /// Those of `took_lines`, and of reading; what is wrong with documents is no error: they stay.
    pub(super) fn split<'r>(
        &self,
        rows: &DataFrame,
        quarantined: Vec<Quarantined<'r>>,
        named: impl Fn(&str) -> String,
    ) -> Result<(Vec<Quarantined<'r>>, bool), LakeError> {
        let mut split: BTreeMap<usize, Vec<Quarantined<'r>>> = BTreeMap::new();
        for (object, documents) in self.found(rows, &quarantined)? {
            let texts: Vec<&str> = documents.iter().map(|document| document.text).collect();
            match split_documents(self.options, object, &texts) {
                Ok(records) => {
                    for (document, records) in documents.iter().zip(records) {
                        split.extend(self.rows_of(document, records, &named).map(|rows| (document.index, rows)));
                    }
                }
                Err(error) if error.is_refusal() => {
                    let reason = format!("{NO_RECORDS} that can be read: {error}");
                    for document in &documents {
                        split.extend(refused(document, &reason).map(|rows| (document.index, rows)));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let is_other = !split.is_empty();
        if !is_other {
            return Ok((quarantined, false));
        }
        let mut all = Vec::with_capacity(quarantined.len());
        for (index, row) in quarantined.into_iter().enumerate() {
            match split.remove(&index) {
                None => all.push(row),
                Some(records) => all.extend(records),
            }
        }
        Ok((all, true))
    }

    /// The documents among the rows, by the address of their object.
    fn found<'w>(
        &self,
        rows: &'w DataFrame,
        quarantined: &'w [Quarantined<'_>],
    ) -> Result<BTreeMap<&'w str, Vec<Document<'w>>>, LakeError> {
        let mut found: BTreeMap<&str, Vec<Document<'_>>> = BTreeMap::new();
        if !self.format.has_documents() {
            return Ok(found);
        }
        let failed = || LakeError::polars("lineage of quarantined rows");
        let files = rows.column(SOURCE_FILE).and_then(|column| column.str()).map_err(failed())?;
        let runs = rows.column("_run_id").and_then(|column| column.str()).map_err(failed())?;
        let places = rows.column(SOURCE_ROW).and_then(|column| column.i64()).map_err(failed())?;
        for (index, of) in quarantined.iter().enumerate() {
            let (Some(file), Some(source_row)) = (files.get(of.row), places.get(of.row)) else { continue };
            // A record that was split out of a document is not one itself.
            if DocumentRow::of(source_row).is_some() {
                continue;
            }
            let text_of = |name: &str| of.object.get(name).and_then(Value::as_str);
            let (Some(text), Some(reason)) = (text_of(CORRUPT_RECORD), text_of(CORRUPT_REASON)) else { continue };
            if let Some(place) = self.place_of_document(reason, runs.get(of.row).unwrap_or_default())? {
                let row = of.row;
                found.entry(file).or_default().push(Document { text, reason, place, source_row, row, index });
            }
        }
        Ok(found)
    }

    /// The place of a document that this run has kept as a whole for this reason; `None` where that was another record.
    fn place_of_document<'w>(&self, reason: &'w str, run: &str) -> Result<Option<&'w str>, LakeError> {
        let (before, _) = reason.split_once(NO_RECORDS).unwrap_or_default();
        if !before.is_empty() && is_place(before) {
            return Ok(Some(before.trim_end()));
        }
        match reason.strip_suffix(NOT_AN_OBJECT).filter(|before| is_place(before)) {
            Some(before) if (self.took_lines)(run)? => Ok(Some(before.trim_end())),
            _ => Ok(None),
        }
    }

    /// The rows that take the place of a document; `None` where it stays as it is.
    fn rows_of<'r>(
        &self,
        document: &Document<'_>,
        records: Vec<DocumentRecord>,
        named: impl Fn(&str) -> String,
    ) -> Option<Vec<Quarantined<'r>>> {
        if let [DocumentRecord::Corrupt { raw, reason }] = records.as_slice()
            && raw == document.text
        {
            return refused(document, reason);
        }
        let mut rows = Vec::with_capacity(records.len());
        for (index, record) in records.into_iter().enumerate() {
            let source_row = match (self.options.records(), DocumentRow::new(document.source_row, index)) {
                // Without a path the document is its record, and keeps its place.
                (None, _) => None,
                (Some(_), Some(place)) => Some(place.source_row()),
                (Some(_), None) => return refused(document, &too_many()),
            };
            let row = document.row;
            rows.push(match record {
                DocumentRecord::Good(values) => good(values, row, source_row, &named),
                DocumentRecord::Corrupt { raw, reason } => {
                    let reason = format!("{}, record {} in it, {reason}", document.place, index + 1);
                    corrupt(&raw, &reason, row, source_row)
                }
            });
        }
        Some(rows)
    }
}

/// Whether a reason begins so: with a place, and not with a key that has the words.
fn is_place(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, ' ' | '(' | ')'))
}

fn too_many() -> String {
    let most = DocumentRow::MAX_RECORDS;
    format!(
        "{NO_RECORDS} that a replay can number: it takes at most {most} records from a line, of the first 16 GiB of an \
         object; deliver the line again"
    )
}

/// The row of a document that stays, with what is wrong with it now; `None` where nothing is to be changed. A reason of
/// another kind would not say that it is a document.
fn refused<'r>(document: &Document<'_>, reason: &str) -> Option<Vec<Quarantined<'r>>> {
    let words = format!("{} {reason}", document.place);
    let is_new = reason.starts_with(NO_RECORDS) && words != document.reason;
    is_new.then(|| vec![corrupt(document.text, &words, document.row, None)])
}

/// A record with source columns, as quarantine would have it.
fn good<'r>(
    values: Vec<(String, Option<String>)>,
    row: usize,
    source_row: Option<i64>,
    named: impl Fn(&str) -> String,
) -> Quarantined<'r> {
    let value = |text: Option<String>| text.map_or(Value::Null, Value::String);
    quarantined(values.into_iter().map(|(name, text)| (named(&name), value(text))).collect(), row, source_row)
}

/// A record that cannot be split into columns.
fn corrupt<'r>(raw: &str, reason: &str, row: usize, source_row: Option<i64>) -> Quarantined<'r> {
    let texts = [(CORRUPT_RECORD, raw), (CORRUPT_REASON, reason)];
    let object = texts.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
    quarantined(object, row, source_row)
}

fn quarantined<'r>(object: BTreeMap<String, Value>, row: usize, source_row: Option<i64>) -> Quarantined<'r> {
    let raw = Value::Object(object.clone().into_iter().collect::<Map<_, _>>()).to_string();
    Quarantined { object, raw: Some(Cow::Owned(raw)), row, source_row }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoColumn, NamedFrom, Series};

    use super::*;

    /// Rows of a quarantine table that have these texts, all of one object and at the positions from 1 on.
    fn table(count: i64) -> DataFrame {
        let places: Vec<i64> = (1..=count).collect();
        let text = |text: &str| vec![text.to_owned(); places.len()];
        let columns = vec![
            Series::new(SOURCE_FILE.into(), text("file:///a")).into_column(),
            Series::new("_run_id".into(), text("run-1")).into_column(),
            Series::new(SOURCE_ROW.into(), places.as_slice()).into_column(),
        ];
        DataFrame::new(places.len(), columns).expect("a frame")
    }

    /// What becomes of corrupt records with these texts and reasons: places and texts.
    fn split(path: Option<&str>, took_lines: bool, records: &[(&str, &str)]) -> (Vec<(Option<i64>, String)>, bool) {
        let options = SourceOptions::of_records(path.map(|path| path.parse().expect(path)));
        let took_lines = |run: &str| {
            assert_eq!(run, "run-1");
            Ok(took_lines)
        };
        let documents = Documents::new(&options, SourceFormat::Ndjson, &took_lines);
        let rows = records.iter().enumerate().map(|(row, (raw, reason))| corrupt(raw, reason, row, None)).collect();
        let count = i64::try_from(records.len()).expect("few");
        let (rows, is_other) = documents.split(&table(count), rows, str::to_owned).expect("rows");
        let text = |of: &Quarantined<'_>| (of.source_row, of.raw.as_deref().unwrap_or_default().to_owned());
        (rows.iter().map(text).collect(), is_other)
    }

    fn place(document: i64, index: usize) -> Option<i64> {
        DocumentRow::new(document, index).map(DocumentRow::source_row)
    }

    const MISSED: &str = "line 2 (record 1) has no records at source.records: `$.rows` is missing: `$` has items";

    #[test]
    fn a_document_becomes_its_records_each_with_a_place_of_its_own() {
        let documents = [
            (r#"{"items":[{"a":1},5]}"#, MISSED),
            (r#"{"items":[]}"#, MISSED),
            (
                r#"{"items":[{"a":"x"}]}"#,
                "byte 77 has no records at source.records: `$.rows` is missing: `$` has items",
            ),
        ];
        let (rows, is_other) = split(Some("$.items[*]"), false, &documents);
        assert!(is_other);
        let reason = "line 2 (record 1), record 2 in it, is no JSON object";
        let expected = [
            (place(1, 0), r#"{"a":"1"}"#.to_owned()),
            (place(1, 1), format!(r#"{{"_corrupt_reason":"{reason}","_corrupt_record":"5"}}"#)),
            (place(3, 0), r#"{"a":"x"}"#.to_owned()),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn without_a_path_a_document_is_the_record_of_its_place() {
        let (rows, is_other) = split(None, false, &[(r#"{"items":[1]}"#, MISSED)]);
        assert_eq!((rows, is_other), (vec![(None, r#"{"items":"[1]"}"#.to_owned())], true));
    }

    #[test]
    fn a_document_that_still_has_no_records_says_why_now_and_stays() {
        let document = r#"{"items":[{"a":1}]}"#;
        let (rows, is_other) = split(Some("$.other[*]"), false, &[(document, MISSED)]);
        let reason = "line 2 (record 1) has no records at source.records: `$.other` is missing: `$` has items";
        assert!(is_other && rows.len() == 1 && rows[0].0.is_none() && rows[0].1.contains(reason), "{rows:?}");
        assert!(!split(Some("$.other[*]"), false, &[(document, reason)]).1, "nothing is new the second time");
    }

    #[test]
    fn other_corrupt_records_stay_as_they_are() {
        let check = |raw: &str, reason: &str, took_lines: bool, expected: bool| {
            assert_eq!(split(Some("$[*]"), took_lines, &[(raw, reason)]).1, expected, "{reason}");
        };
        let list = r#"[{"a":1}]"#;
        check(list, "line 1 (record 1) is no JSON object", true, true);
        // An element of a list that was read as a record: nobody has asked for the records in it.
        check(list, "line 1 (record 1) is no JSON object", false, false);
        check(list, "line 1 (record 1) is not UTF-8; deliver the file as UTF-8", true, false);
        let key = "line 1 (record 1) has the key 'has no records at source.records' more than once, or blank";
        check(list, key, true, false);
        check(list, "line 1 (record 1), record 2 in it, is no JSON object", true, false);
    }

    #[test]
    fn a_line_with_more_records_than_have_places_stays_whole() {
        let count = usize::try_from(DocumentRow::MAX_RECORDS).expect("small") + 1;
        let document = format!(r#"{{"items":[{}]}}"#, vec!["{}"; count].join(","));
        let (rows, is_other) = split(Some("$.items[*]"), false, &[(&document, MISSED)]);
        assert!(is_other && rows.len() == 1 && rows[0].1.contains("at most 262144 records"), "{} rows", rows.len());
    }
}
