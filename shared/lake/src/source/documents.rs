//! Documents that a run has kept as a whole, because it found no records in them, read once more.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use polars::error::{PolarsError, PolarsResult};
use polars::prelude::DataFrame;
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, DocumentRow, SOURCE_ROW, is_own_of_bronze};
use sluice_core::run::Positions;
use sluice_core::spec::SourceFormat;

use super::{Begin, Extent, SourceError, SourceInput, SourceOptions, read_source};

/// A record of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DocumentRecord {
    /// One with source columns: those of its keys, and, without a value, others of records that were read with it.
    Good {
        /// Their names, which records that were read together share.
        names: Arc<[String]>,
        /// The text of each.
        texts: Vec<Option<String>>,
    },
    /// One that cannot be split into columns; also a document in which no records are found.
    Corrupt {
        /// Its text.
        raw: String,
        /// What is wrong with it, without its place.
        reason: String,
    },
}

/// The records of documents of one object, as they are read from lines of NDJSON: of each document in turn. A document
/// with an empty list has none, and of one with more than [`DocumentRow::MAX_RECORDS`] only one more than these is
/// kept. `documents` have no line feeds.
///
/// # Errors
/// As [`read_source`]: what refuses an object refuses all documents.
pub(crate) fn split_documents(
    options: &SourceOptions,
    object: &str,
    documents: &[&str],
) -> Result<Vec<Vec<DocumentRecord>>, SourceError> {
    let mut begins = HashMap::with_capacity(documents.len());
    let mut text = String::with_capacity(documents.iter().map(|document| document.len() + 1).sum());
    for (index, document) in documents.iter().enumerate() {
        begins.insert(i64::try_from(text.len()).unwrap_or(i64::MAX), index);
        text.push_str(document);
        text.push('\n');
    }
    let mut records: Vec<Vec<DocumentRecord>> = documents.iter().map(|_| Vec::new()).collect();
    // By bytes, all records of a line have the place of their line.
    let extent = Extent { positions: Positions::Bytes, begin: Begin::Object, end: None };
    let input = SourceInput::Stream(Box::new(Cursor::new(text.into_bytes())));
    read_source(SourceFormat::Ndjson, options, input, object, extent, &mut |batch| {
        Ok(take(&batch.frame, &begins, &mut records)?)
    })?;
    Ok(records)
}

/// Adds the records of a batch to those of their documents.
fn take(frame: &DataFrame, begins: &HashMap<i64, usize>, records: &mut [Vec<DocumentRecord>]) -> PolarsResult<()> {
    let offsets = frame.column(SOURCE_ROW)?.i64()?;
    let (raws, reasons) = (frame.column(CORRUPT_RECORD)?.str()?, frame.column(CORRUPT_REASON)?.str()?);
    let (mut names, mut columns) = (Vec::with_capacity(frame.width()), Vec::with_capacity(frame.width()));
    for column in frame.columns() {
        if !is_own_of_bronze(column.name()) {
            names.push(column.name().to_string());
            columns.push(column.str()?);
        }
    }
    let names: Arc<[String]> = names.into();
    for (row, offset) in offsets.iter().enumerate() {
        let offset = offset.unwrap_or(-1);
        let index = begins.get(&offset).copied().unwrap_or(usize::MAX);
        let Some(document) = records.get_mut(index) else {
            return Err(PolarsError::ComputeError("a record begins where no document does".into()));
        };
        // One more than have places says that they are too many.
        if document.len() as u64 > DocumentRow::MAX_RECORDS {
            continue;
        }
        document.push(match raws.get(row) {
            None => DocumentRecord::Good {
                names: Arc::clone(&names),
                texts: columns.iter().map(|texts| texts.get(row).map(str::to_owned)).collect(),
            },
            Some(raw) => {
                let reason = reasons.get(row).unwrap_or_default();
                let reason = reason.strip_prefix(&format!("byte {offset} ")).unwrap_or(reason).to_owned();
                DocumentRecord::Corrupt { raw: raw.to_owned(), reason }
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{NO_RECORDS, NOT_AN_OBJECT};

    fn split(path: Option<&str>, documents: &[&str]) -> Vec<Vec<DocumentRecord>> {
        let options = SourceOptions::of_records(path.map(|path| path.parse().expect(path)));
        split_documents(&options, "data", documents).expect("readable")
    }

    fn good(cells: &[(&str, Option<&str>)]) -> DocumentRecord {
        let cell = |(name, text): &(&str, Option<&str>)| ((*name).to_owned(), text.map(str::to_owned));
        let (names, texts): (Vec<String>, Vec<Option<String>>) = cells.iter().map(cell).unzip();
        DocumentRecord::Good { names: names.into(), texts }
    }

    fn corrupt(raw: &str, reason: &str) -> DocumentRecord {
        DocumentRecord::Corrupt { raw: raw.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn each_document_has_its_own_records() {
        let documents = [r#"{"items":[{"a":1},{"a":2}]}"#, r#"{"items":[]}"#, r#"{"items":[{"a":"é"}],"n":1}"#];
        let row = |text| good(&[("a", Some(text))]);
        assert_eq!(split(Some("$.items[*]"), &documents), [vec![row("1"), row("2")], vec![], vec![row("é")]]);
    }

    #[test]
    fn a_document_or_a_record_that_cannot_be_read_has_its_reason_without_a_place() {
        let documents = [r#"{"items":[{"a":1},5]}"#, r#"{"rows":[]}"#];
        let no_records = format!("{NO_RECORDS}: `$.items` is missing: `$` has rows");
        let expected = [
            vec![good(&[("a", Some("1"))]), corrupt("5", NOT_AN_OBJECT)],
            vec![corrupt(r#"{"rows":[]}"#, &no_records)],
        ];
        assert_eq!(split(Some("$.items[*]"), &documents), expected);
    }

    #[test]
    fn of_a_document_with_too_many_records_one_more_than_have_places_is_kept() {
        let most = usize::try_from(DocumentRow::MAX_RECORDS).expect("small");
        let document = |count: usize| format!(r#"{{"items":[{}]}}"#, vec!["{}"; count].join(","));
        let documents = [document(most), document(most + 2), document(1)];
        let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
        let counts: Vec<usize> = split(Some("$.items[*]"), &documents).iter().map(Vec::len).collect();
        assert_eq!(counts, [most, most + 1, 1]);
    }

    #[test]
    fn records_that_are_read_together_share_the_names_of_their_columns() {
        let records = split(Some("$.items[*]"), &[r#"{"items":[{"a":1},{"b":2}]}"#]);
        let expected = [vec![good(&[("a", Some("1")), ("b", None)]), good(&[("a", None), ("b", Some("2"))])]];
        assert_eq!(records, expected);
        let names = |record: &DocumentRecord| match record {
            DocumentRecord::Good { names, .. } => Arc::clone(names),
            DocumentRecord::Corrupt { .. } => panic!("a good record"),
        };
        assert!(Arc::ptr_eq(&names(&records[0][0]), &names(&records[0][1])));
    }

    #[test]
    fn without_a_path_a_document_is_its_record() {
        let expected = [vec![good(&[("a", Some("[1]"))])], vec![corrupt("[1]", NOT_AN_OBJECT)]];
        assert_eq!(split(None, &[r#"{"a":[1]}"#, "[1]"]), expected);
    }
}
