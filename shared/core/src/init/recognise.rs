//! The format of a file, and how it is written, from its first bytes.

use super::encoding::{self, Certainty, has_lone_returns};
use super::envelope::{Document, examine};
use super::error::format_word;
use super::{InitError, Written, csv};
use crate::path::RecordPath;
use crate::shown::shown;
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
    let mut evidence = vec!["format csv: neither JSON nor Parquet".to_owned(), text.evidence];
    let record_end = has_lone_returns(&text.text).then_some("\r");
    let found = match record_end {
        None => csv::find(&text.text),
        // The dialect is found in lines that end with line feeds; each sign keeps its place.
        Some(_) => csv::find(&text.text.chars().map(swapped).collect::<String>()),
    };
    let found = found.ok_or_else(|| InitError::Empty { file: file.to_owned() })?;
    let csv = ended_by(CsvSpec { encoding: text.encoding, ..found.spec }, record_end, file)?;
    evidence.extend(found.evidence);
    Ok(Written { format: SourceFormat::Csv, csv: Some(csv), records: None, evidence, certainty })
}

/// The dialect with what ends its records; `None`: a line feed does. A spec cannot have another end yet, so that the
/// file is refused by name.
///
/// To switch, once `CsvSpec` has `record_end`: the second arm becomes `Some(end) => Ok(CsvSpec { record_end:
/// end.parse().unwrap_or_default(), ..csv })`, and texts with a `"\r\n"` stay refused, because records would begin with
/// line feeds. Then `csv_text` of the command writes `record_end: "\r"`, and the evidence says why.
fn ended_by(csv: CsvSpec, record_end: Option<&str>, file: &str) -> Result<CsvSpec, InitError> {
    match record_end {
        None => Ok(csv),
        Some(_end) => Err(InitError::CarriageReturns { file: file.to_owned() }),
    }
}

fn swapped(c: char) -> char {
    match c {
        '\r' => '\n',
        '\n' => '\r',
        other => other,
    }
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
    let text = below_tombstones(text);
    if !text.starts_with('{') {
        return None;
    }
    let note = match examine(text.trim_end_matches('\u{1a}')) {
        Document::Records => None,
        Document::Envelope { path, others } => {
            let dropped = if others.is_empty() {
                String::new()
            } else {
                let named: Vec<String> = others.iter().take(10).map(|key| shown(key)).collect();
                let more = if others.len() > 10 { " and more" } else { "" };
                format!("; what is around it is not stored: {}{more}", named.join(", "))
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

/// Most lines that are read to tell NDJSON from other JSON.
const JUDGED_LINES: usize = 1000;

/// What a line of a text of objects is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// One object.
    Object,
    /// Several objects, one after the other.
    Several,
    /// A part of an object, or no JSON.
    Other,
}

impl Line {
    fn of(line: &str) -> Self {
        let objects = serde_json::Deserializer::from_str(line);
        let mut count = 0_usize;
        for object in objects.into_iter::<serde_json::Map<String, serde_json::Value>>() {
            match object {
                Ok(_) => count += 1,
                // The text was cut.
                Err(error) if error.is_eof() && count > 0 => break,
                Err(_) => return Self::Other,
            }
        }
        match count {
            0 => Self::Other,
            1 => Self::Object,
            _ => Self::Several,
        }
    }
}

/// Whether a text of objects has one on each line. Tombstones, which are lines with `null` alone, say nothing.
fn object_format(text: &str) -> Option<(SourceFormat, &'static str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != TOMBSTONE);
    let kinds: Vec<(&str, Line)> = lines.take(JUDGED_LINES).map(|line| (line, Line::of(line))).collect();
    let (_, first) = kinds.first()?;
    let has = |kind: Line| kinds.iter().any(|(_, other)| *other == kind);
    if has(Line::Several) && !has(Line::Other) {
        return Some((SourceFormat::Json, "objects one after the other, several of them on a line"));
    }
    let second = kinds.get(1);
    if *first == Line::Object && second.is_none_or(|(line, _)| line.starts_with('{')) {
        return Some((SourceFormat::Ndjson, "a JSON object on each line"));
    }
    // A broken first line of NDJSON costs its record only.
    if second.is_some_and(|(_, kind)| *kind == Line::Object) {
        return Some((SourceFormat::Ndjson, "a JSON object on each line"));
    }
    Some((SourceFormat::Json, "objects that begin with `{` and go over several lines"))
}

/// The word of a line that has nothing but a key elsewhere, as Kafka has it for a deleted row.
const TOMBSTONE: &str = "null";

/// A text without the tombstones at its beginning.
fn below_tombstones(text: &str) -> &str {
    let mut rest = text;
    while let Some((first, below)) = rest.split_once('\n') {
        if first.trim() != TOMBSTONE {
            break;
        }
        rest = below.trim_start();
    }
    rest
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
            shown(mine.delimiter.as_str()),
            shown(theirs.delimiter.as_str())
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
