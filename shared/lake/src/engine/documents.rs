//! Documents in quarantine: lines of NDJSON in which `source.records` led nowhere when they were read, and that a replay
//! splits into their records by the path of the spec then.
//!
//! Only what was kept as a whole is split. A record that is corrupt for another reason was a part of a document, or has
//! lost bytes that are not UTF-8, and stays as it is. So does a document of which the table has records by another
//! path: these are of a replay that was killed before it took the document out of quarantine, and the places of records
//! say nothing of the path.

use std::borrow::Cow;
use std::collections::BTreeMap;

use polars::prelude::DataFrame;
use serde_json::{Map, Value};
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, DocumentRow, SOURCE_FILE, SOURCE_ROW};
use sluice_core::path::RecordPath;
use sluice_core::spec::SourceFormat;

use super::in_table::{DocumentKey, DocumentsInTable};
use super::reread::Quarantined;
use crate::error::LakeError;
use crate::source::{DocumentRecord, NO_RECORDS, NOT_AN_OBJECT, SourceOptions, split_documents};

/// How a run has read its objects, or split its documents.
#[derive(Debug, Clone)]
pub(crate) struct RunReading {
    /// Format of the objects.
    pub(crate) format: SourceFormat,
    /// Where in a document the records are; `None` where it is the record.
    pub(crate) records: Option<RecordPath>,
}

/// How the run with this id has read; `None` where its plan does not say it any more.
type ReadingOf<'a> = &'a dyn Fn(&str) -> Result<Option<RunReading>, LakeError>;

/// How documents are split.
pub(crate) struct Documents<'a> {
    options: &'a SourceOptions,
    format: SourceFormat,
    reading_of: ReadingOf<'a>,
    /// Those of which the table has records.
    in_table: DocumentsInTable,
}

/// A row that has a document.
struct Document<'w> {
    text: &'w str,
    /// Why it was kept as a whole.
    reason: &'w str,
    /// Where its object has it: the words with which the reason begins.
    place: &'w str,
    /// The version of its object.
    etag: &'w str,
    /// The same as a position.
    source_row: i64,
    /// The index of the row in the table.
    row: usize,
    /// Its index among the rows on their way.
    index: usize,
}

impl<'a> Documents<'a> {
    /// Documents of sources of this format, which are read with these options.
    pub(crate) fn new(options: &'a SourceOptions, format: SourceFormat, reading_of: ReadingOf<'a>) -> Self {
        Self { options, format, reading_of, in_table: DocumentsInTable::default() }
    }

    /// The same, where the table that their records go to has records of these documents already. A record enters it
    /// once by its place, which is the same by every path.
    pub(crate) fn with_records_in(self, in_table: DocumentsInTable) -> Self {
        Self { in_table, ..self }
    }

    /// The rows with the records of documents in the place of these, and whether rows are others than before. `rows`
    /// are those of the table.
    ///
    /// # Errors
    /// Those of `reading_of`, and of reading; what is wrong with documents is no error: they stay.
    pub(super) fn split<'r>(
        &self,
        rows: &DataFrame,
        quarantined: Vec<Quarantined<'r>>,
        named: impl Fn(&str) -> String,
    ) -> Result<(Vec<Quarantined<'r>>, bool), LakeError> {
        let mut split: BTreeMap<usize, Vec<Quarantined<'r>>> = BTreeMap::new();
        for (object, found) in self.found(rows, &quarantined)? {
            let mut documents = Vec::with_capacity(found.len());
            for document in found {
                match self.split_otherwise(object, &document)? {
                    None => documents.push(document),
                    Some(reason) => split.extend(refused(&document, &reason).map(|rows| (document.index, rows))),
                }
            }
            if documents.is_empty() {
                continue;
            }
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
        // A path of elements leads nowhere in documents of another format, which the source had before.
        if !self.format.has_documents() || self.format == SourceFormat::Xml {
            return Ok(found);
        }
        let failed = || LakeError::polars("lineage of quarantined rows");
        let files = rows.column(SOURCE_FILE).and_then(|column| column.str()).map_err(failed())?;
        let runs = rows.column("_run_id").and_then(|column| column.str()).map_err(failed())?;
        let places = rows.column(SOURCE_ROW).and_then(|column| column.i64()).map_err(failed())?;
        let etags = rows.column("_source_etag").and_then(|column| column.str()).map_err(failed())?;
        for (index, of) in quarantined.iter().enumerate() {
            let (Some(file), Some(source_row)) = (files.get(of.row), places.get(of.row)) else { continue };
            // A record that was split out of a document is not one itself.
            if DocumentRow::of(source_row).is_some() {
                continue;
            }
            let text_of = |name: &str| of.object.get(name).and_then(Value::as_str);
            let (Some(text), Some(reason)) = (text_of(CORRUPT_RECORD), text_of(CORRUPT_REASON)) else { continue };
            if let Some(place) = self.place_of_document(reason, runs.get(of.row).unwrap_or_default())? {
                let (row, etag) = (of.row, etags.get(of.row).unwrap_or_default());
                found.entry(file).or_default().push(Document { text, reason, place, etag, source_row, row, index });
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
            Some(before) if self.took_lines(run)? => Ok(Some(before.trim_end())),
            _ => Ok(None),
        }
    }

    /// Whether a run took each line of NDJSON for a record. Nobody knows it of a run without a plan.
    fn took_lines(&self, run: &str) -> Result<bool, LakeError> {
        let reading = (self.reading_of)(run)?;
        Ok(reading.is_some_and(|reading| reading.format == SourceFormat::Ndjson && reading.records.is_none()))
    }

    /// Why a document of this object stays whole, where the table has records of it that another path has led to, or
    /// nobody knows which.
    fn split_otherwise(&self, object: &str, document: &Document<'_>) -> Result<Option<String>, LakeError> {
        let key = DocumentKey { file: object.to_owned(), etag: document.etag.to_owned(), row: document.source_row };
        for run in self.in_table.runs_of(&key) {
            let reading = match run {
                Some(run) => (self.reading_of)(run.as_str())?,
                None => None,
            };
            let records = reading.map(|reading| reading.records);
            if records.as_ref().map(Option::as_ref) == Some(self.options.records()) {
                continue;
            }
            let fix = match records.flatten() {
                Some(path) => format!("write `{path}` there and replay again; then change it"),
                None => "its path is not known any more: deliver what the table lacks of the line".to_owned(),
            };
            let who = run.as_ref().map_or_else(|| "a replay".to_owned(), |run| format!("replay {run}"));
            return Ok(Some(format!(
                "{NO_RECORDS} that a replay can take now: {who} has brought records of it into the table by another \
                 path, and was stopped before it took the line out of quarantine; {fix}"
            )));
        }
        Ok(None)
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
        if records.len() as u64 > DocumentRow::MAX_RECORDS {
            return refused(document, &too_many());
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
                DocumentRecord::Good { names, texts } => good(&names, texts, row, source_row, &named),
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
    names: &[String],
    texts: Vec<Option<String>>,
    row: usize,
    source_row: Option<i64>,
    named: impl Fn(&str) -> String,
) -> Quarantined<'r> {
    let value = |text: Option<String>| text.map_or(Value::Null, Value::String);
    quarantined(names.iter().zip(texts).map(|(name, text)| (named(name), value(text))).collect(), row, source_row)
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
mod tests;
