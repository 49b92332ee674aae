//! Records with a value that has no text of its column's type: they are corrupt records, like those of CSV that
//! cannot be split, so that one odd value quarantines its record and not its file.

use std::collections::BTreeMap;

use polars::prelude::{Column, IntoColumn, StringChunked};

use super::column::ColumnTexts;
use super::fault::ParquetFault;
use super::records::write_string;
use crate::source::corrupt::{CorruptRecord, FaultReason};

/// The columns of a batch, in which corrupt records are null, and the corrupt records, with all their values as JSON.
///
/// # Errors
/// Those of Polars.
pub(super) fn set_aside(
    names: &[&str],
    columns: Vec<ColumnTexts>,
) -> Result<(Vec<Column>, Vec<CorruptRecord>), ParquetFault> {
    let mut reasons = BTreeMap::new();
    for (name, column) in names.iter().zip(&columns) {
        for &(record, problem) in &column.problems {
            reasons.entry(record).or_insert_with(|| FaultReason::Value { column: (*name).to_owned(), problem });
        }
    }
    if reasons.is_empty() {
        return Ok((columns.into_iter().map(|column| column.texts).collect(), Vec::new()));
    }
    let texts = columns.iter().map(|column| column.texts.str()).collect::<Result<Vec<_>, _>>()?;
    let kept = texts.iter().map(|texts| without(texts, &reasons)).collect();
    let corrupt = reasons.iter().map(|(record, reason)| CorruptRecord {
        index: *record,
        line: None,
        reason: reason.clone(),
        raw: record_json(names, &texts, *record),
    });
    Ok((kept, corrupt.collect()))
}

/// A column in which these records are null.
fn without(texts: &StringChunked, records: &BTreeMap<usize, FaultReason>) -> Column {
    let kept = texts.iter().enumerate().map(|(record, text)| text.filter(|_| !records.contains_key(&record)));
    let kept: StringChunked = kept.collect();
    kept.with_name(texts.name().clone()).into_column()
}

/// The texts of a record as a JSON object.
fn record_json(names: &[&str], texts: &[&StringChunked], record: usize) -> String {
    let (mut json, mut before) = (String::new(), '{');
    for (name, texts) in names.iter().zip(texts) {
        json.push(before);
        write_string(name, &mut json);
        json.push(':');
        match texts.get(record) {
            Some(text) => write_string(text, &mut json),
            None => json.push_str("null"),
        }
        before = ',';
    }
    json.push('}');
    json
}
