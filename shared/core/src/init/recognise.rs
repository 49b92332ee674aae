//! The format of a file, and how it is written, from its first bytes.

use super::encoding::{self, Certainty};
use super::envelope::{Document, examine};
use super::error::format_word;
use super::{InitError, Written, csv};
use crate::path::RecordPath;
use crate::spec::{CsvSpec, SourceFormat, TextEncoding};

/// First bytes of formats that are not read, what they are, and what to do.
const UNREAD: [(&[u8], &str, &str); 9] = [
    (b"PK\x03\x04", "a zip archive or a workbook of Excel", "unpack it, or save the sheet as CSV UTF-8"),
    (b"\xD0\xCF\x11\xE0", "a workbook of an old Excel", "save the sheet as CSV UTF-8"),
    (b"Obj\x01", "Avro", "convert it to Parquet or NDJSON"),
    (b"ORC", "ORC", "convert it to Parquet"),
    (b"%PDF", "a PDF", "ask for the data as CSV"),
    (b"SQLite format 3", "a SQLite database", "export the table as CSV"),
    (b"BZh", "packed with bzip2", "unpack it, or pack it with gzip or zstd"),
    (b"\xFD7zXZ", "packed with xz", "unpack it, or pack it with gzip or zstd"),
    (b"7z\xBC\xAF", "a 7z archive", "unpack it"),
];

/// Says what a file is. `head` are its first bytes, unpacked; `is_whole`: nothing comes after them.
///
/// # Errors
/// [`InitError`] for an empty file, one that is not text and no Parquet, and one that has no records.
pub fn recognise(file: &str, head: &[u8], is_whole: bool) -> Result<Written, InitError> {
    if head.starts_with(b"PAR1") {
        let evidence = vec!["format parquet: the file begins with PAR1".to_owned()];
        let certainty = Certainty::Marked;
        return Ok(Written { format: SourceFormat::Parquet, csv: None, records: None, evidence, certainty });
    }
    for (first, what, fix) in UNREAD {
        // `ORC` may be the beginning of a text.
        if head.starts_with(first) && (first != b"ORC" || head.contains(&0)) {
            return Err(InitError::Unknown { file: file.to_owned(), what, fix });
        }
    }
    let text = encoding::decode(file, head, is_whole)?;
    let trimmed = text.text.trim_start();
    if trimmed.trim_matches('\u{1a}').is_empty() {
        return Err(InitError::Empty { file: file.to_owned() });
    }
    if trimmed.starts_with("<?xml") || trimmed.starts_with("<!DOCTYPE") || trimmed.starts_with("<html") {
        let fix = "export the data as CSV, NDJSON, JSON or Parquet";
        return Err(InitError::Unknown { file: file.to_owned(), what: "XML or HTML", fix });
    }
    let certainty = text.certainty;
    if let Some(json) = json_format(trimmed) {
        let Json { format, reason, records, note } = json;
        let mut evidence = vec![format!("format {}: {reason}", format_word(format).to_lowercase()), text.evidence];
        evidence.extend(note);
        return Ok(Written { format, csv: None, records, evidence, certainty });
    }
    if has_lone_returns(&text.text) {
        return Err(InitError::CarriageReturns { file: file.to_owned() });
    }
    let found = csv::find(&text.text).ok_or_else(|| InitError::Empty { file: file.to_owned() })?;
    let csv = CsvSpec { encoding: text.encoding, ..found.spec };
    let mut evidence = vec!["format csv: neither JSON nor Parquet".to_owned(), text.evidence];
    evidence.extend(found.evidence);
    Ok(Written { format: SourceFormat::Csv, csv: Some(csv), records: None, evidence, certainty })
}

/// Whether more lines end with a carriage return alone than with a line feed.
fn has_lone_returns(text: &str) -> bool {
    let line_feeds = text.matches('\n').count();
    text.matches('\r').count() - text.matches("\r\n").count() > line_feeds
}

/// What a text of JSON is.
struct Json {
    format: SourceFormat,
    reason: &'static str,
    records: Option<RecordPath>,
    note: Option<String>,
}

/// Whether a text is JSON: an object on each line, a document of records, or one with a list of records inside.
fn json_format(text: &str) -> Option<Json> {
    if let Some(rest) = text.strip_prefix('[') {
        let is_array = rest.trim_start().starts_with(['{', ']']);
        let (format, reason) = (SourceFormat::Json, "an array of objects");
        return is_array.then_some(Json { format, reason, records: None, note: None });
    }
    if !text.starts_with('{') {
        return None;
    }
    let note = match examine(text.trim_end_matches('\u{1a}')) {
        Document::Records => None,
        Document::Envelope { path, others } => {
            let dropped = if others.is_empty() {
                String::new()
            } else {
                let shown: Vec<String> = others.iter().take(10).map(|key| key.escape_debug().to_string()).collect();
                let more = if others.len() > shown.len() { " and more" } else { "" };
                format!("; what is around it is not stored: {}{more}", shown.join(", "))
            };
            let note = format!("records {path}: the document is one object with one list of objects{dropped}");
            let (format, reason) = (SourceFormat::Json, "one object");
            return Some(Json { format, reason, records: Some(path), note: Some(note) });
        }
        Document::Open { paths } => Some(format!(
            "the document is one record; it has several lists of objects: to make a record of each element of one, \
             write `records` with one of {}",
            paths.join(", ")
        )),
    };
    let (format, reason) = object_format(text)?;
    Some(Json { format, reason, records: None, note })
}

/// Whether a text of objects has one on each line.
fn object_format(text: &str) -> Option<(SourceFormat, &'static str)> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next()?;
    let is_object = |line: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
    let second = lines.next();
    if is_object(first) && second.is_none_or(|line| line.trim_start().starts_with('{')) {
        return Some((SourceFormat::Ndjson, "a JSON object on each line"));
    }
    // A broken first line of NDJSON costs its record only.
    if second.is_some_and(is_object) {
        return Some((SourceFormat::Ndjson, "a JSON object on each line"));
    }
    Some((SourceFormat::Json, "objects that begin with `{` and go over several lines"))
}

/// How several files are written together.
///
/// # Errors
/// [`InitError`] where they have two formats or dialects; the first file is an empty list's.
pub fn agree(files: &[(String, Written)]) -> Result<Written, InitError> {
    let Some(((first, written), others)) = files.split_first() else {
        return Err(InitError::Empty { file: "the list of files".to_owned() });
    };
    let mut agreed = written.clone();
    // The file whose bytes decide the encoding.
    let mut decider = first;
    for (file, other) in others {
        agree_on_records((first, &mut agreed), (file, other))?;
        let is_document = agreed.records.is_some() && other.format == SourceFormat::Ndjson;
        if other.format != agreed.format && !is_document {
            return Err(InitError::MixedFormats {
                first: first.clone(),
                first_format: agreed.format,
                second: file.clone(),
                second_format: other.format,
            });
        }
        let (Some(mine), Some(theirs)) = (&mut agreed.csv, &other.csv) else { continue };
        let differs = |first: &String, difference: String| {
            Err(InitError::MixedDialects { first: first.clone(), second: file.clone(), difference })
        };
        let are_found = agreed.certainty == Certainty::Found && other.certainty == Certainty::Found;
        if are_found && mine.encoding != theirs.encoding {
            return differs(decider, format!("encoding {} and {}", label(mine.encoding), label(theirs.encoding)));
        }
        if other.certainty == Certainty::Found && agreed.certainty != Certainty::Found {
            (mine.encoding, agreed.certainty, decider) = (theirs.encoding, Certainty::Found, file);
        } else if mine.encoding != theirs.encoding && agreed.certainty != Certainty::Found {
            // Byte order marks and ASCII are read by the default.
            mine.encoding = TextEncoding::default();
        }
        if theirs.ragged == crate::spec::RaggedRecords::Pad {
            mine.ragged = theirs.ragged;
        }
        let same = CsvSpec { encoding: mine.encoding, ragged: mine.ragged, ..theirs.clone() };
        if same != *mine {
            return differs(first, difference(mine, &same));
        }
    }
    Ok(agreed)
}

/// Where the records are: where one file shows it, the others are read so, too. A list without elements shows nothing,
/// and one line may be a document.
fn agree_on_records(
    (first, agreed): (&String, &mut Written),
    (file, other): (&String, &Written),
) -> Result<(), InitError> {
    match (&agreed.records, &other.records) {
        (Some(mine), Some(theirs)) if mine != theirs => Err(InitError::MixedDialects {
            first: first.clone(),
            second: file.clone(),
            difference: format!("records in `{mine}` and `{theirs}`"),
        }),
        (None, Some(_)) if matches!(agreed.format, SourceFormat::Json | SourceFormat::Ndjson) => {
            agreed.format = other.format;
            agreed.records.clone_from(&other.records);
            agreed.evidence.clone_from(&other.evidence);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn label(encoding: TextEncoding) -> String {
    encoding.into()
}

/// What differs between two dialects.
fn difference(mine: &CsvSpec, theirs: &CsvSpec) -> String {
    if mine.delimiter != theirs.delimiter {
        return format!(
            "delimiter `{}` and `{}`",
            mine.delimiter.as_str().escape_default(),
            theirs.delimiter.as_str().escape_default()
        );
    }
    if mine.quote != theirs.quote {
        return format!("quote `{}` and `{}`", String::from(mine.quote), String::from(theirs.quote));
    }
    if mine.header != theirs.header {
        return "one has a header, the other has none".to_owned();
    }
    if mine.skip_lines != theirs.skip_lines {
        return format!("{} and {} lines before the table", mine.skip_lines, theirs.skip_lines);
    }
    if mine.names != theirs.names {
        return "other columns, of names that have to be given by position".to_owned();
    }
    "comments or delimiters at the end of records".to_owned()
}
