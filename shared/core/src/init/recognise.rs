//! The format of a file, and how it is written, from its first bytes.

use std::borrow::Cow;

use super::encoding::{self, Certainty, Text, has_lone_returns};
use super::envelope::{Document, examine};
use super::{InitError, Written, csv, lines, markup, rulers};
use crate::path::RecordPath;
use crate::shown::shown;
use crate::source::UnreadFormat;
use crate::spec::{CsvHeader, CsvSpec, RecordEnd, SourceFormat, TextEncoding, XlsxSpec};

/// Says what a file is. `head` are its first bytes, unpacked; `is_whole`: nothing comes after them.
///
/// # Errors
/// [`InitError`] for an empty file, one that is neither text nor of a binary format that is read, and one that has no
/// records.
pub fn recognise(file: &str, head: &[u8], is_whole: bool) -> Result<Written, InitError> {
    recognise_as(file, head, is_whole, None)
}

/// Says what a file is, as [`recognise`], whose encoding a person may have named.
///
/// # Errors
/// Those of [`recognise`]; [`InitError`] where the bytes do not fit the encoding, or the format has one of its own.
pub fn recognise_as(
    file: &str,
    head: &[u8],
    is_whole: bool,
    encoding: Option<TextEncoding>,
) -> Result<Written, InitError> {
    let written = recognised(file, head, is_whole, encoding)?;
    let why = match written.format {
        SourceFormat::Csv => return Ok(written),
        SourceFormat::Json | SourceFormat::Ndjson => "it is read as UTF-8, or as UTF-16 with a byte order mark",
        _ => "it says itself how its texts are written",
    };
    match encoding {
        None => Ok(written),
        Some(_) => Err(InitError::EncodingOfFormat { file: file.to_owned(), format: written.format, why }),
    }
}

fn recognised(file: &str, head: &[u8], is_whole: bool, encoding: Option<TextEncoding>) -> Result<Written, InitError> {
    if head.starts_with(b"PAR1") {
        return Ok(marked(SourceFormat::Parquet, "format parquet: the file begins with PAR1"));
    }
    if head.starts_with(b"Obj\x01") {
        return Ok(marked(SourceFormat::Avro, "format avro: the file begins with Obj and the version 1"));
    }
    let unread = |what: &'static str, fix: &'static str| InitError::Unknown { file: file.to_owned(), what, fix };
    if head.starts_with(b"PK\x03\x04") {
        if is_workbook(head) {
            let evidence = "format xlsx: the file is a zip archive with the parts of a workbook";
            return Ok(marked(SourceFormat::Xlsx, evidence));
        }
        // `sluice init` reads archives by their members, so this is one inside an archive, or in gzip.
        return Err(unread("a zip archive and no workbook of Excel", "unpack it"));
    }
    if let Some(format) = UnreadFormat::of(head.get(..UnreadFormat::FIRST_BYTES).unwrap_or(head)) {
        return Err(unread(format.what(), format.fix()));
    }
    let text = match encoding {
        Some(named) => encoding::decode_as(file, head, is_whole, named)?,
        None => encoding::decode(file, head, is_whole)?,
    };
    let trimmed = text.text.trim_start();
    if trimmed.trim_matches('\u{1a}').is_empty() {
        return Err(InitError::Empty { file: file.to_owned() });
    }
    if markup::is_html(trimmed) {
        return Err(unread("HTML", "export the data as CSV, NDJSON, JSON, Avro, XML, XLSX or Parquet"));
    }
    if markup::is_xml(trimmed) {
        return markup::recognise(trimmed, text.certainty).ok_or_else(|| {
            let fix = "write the pipeline by hand, with the path of its records from the root on under source, such as \
                       `records: /orders/order`, whose own text is the column `#text`";
            unread("XML in which no element that has attributes or elements inside repeats", fix)
        });
    }
    if let Some(json) = json_format(trimmed) {
        let Json { format, reason, records, note } = json;
        let mut evidence = vec![format!("format {}: {reason}", format.as_str()), text.evidence];
        evidence.extend(note);
        let certainty = text.certainty;
        let (csv, archive, xlsx) = (None, None, None);
        return Ok(Written { format, csv, records, archive, xlsx, evidence, certainty, has_quotes: false });
    }
    if lines::below_comments(trimmed).is_some_and(|below| json_format(below).is_some()) {
        return Err(unread("JSON behind a comment", "remove the comment before the first `{` or `[`"));
    }
    // The end of a file that is known, but for files of which not all is decoded.
    let end = text.is_cut.then(|| String::from_utf8_lossy(last_bytes(head)).into_owned()).filter(|_| is_whole);
    delimited(file, text, end.as_deref())
}

/// A file whose first bytes say for certain what it is.
fn marked(format: SourceFormat, evidence: &str) -> Written {
    let (evidence, certainty) = (vec![evidence.to_owned()], Certainty::Marked);
    Written { format, csv: None, records: None, archive: None, xlsx: None, evidence, certainty, has_quotes: false }
}

/// The end of a file, which has its last line.
fn last_bytes(file: &[u8]) -> &[u8] {
    file.get(file.len().saturating_sub(1 << 10)..).unwrap_or(file)
}

/// How a text is written as CSV. `end` is that of the file, where more than the text is known of it.
fn delimited(file: &str, text: Text, end: Option<&str>) -> Result<Written, InitError> {
    let Text { text, is_cut, encoding, certainty, evidence } = text;
    let has_returns = has_lone_returns(&text);
    // The dialect is found in lines that end with line feeds; each sign keeps its place.
    let lines: Cow<'_, str> =
        if has_returns { Cow::Owned(text.chars().map(swapped).collect()) } else { Cow::Borrowed(&text) };
    let footer = match end {
        Some(end) => rulers::footer(&lines, end),
        None if is_cut => None,
        None => rulers::footer(&lines, &lines),
    };
    let table_end = footer.filter(|_| !is_cut).and_then(|footer| lines.rfind(footer));
    let table = table_end.and_then(|end| lines.get(..end)).unwrap_or(&lines);
    let found = csv::find(table, !is_cut).ok_or_else(|| InitError::Empty { file: file.to_owned() })?;
    if found.is_one_column {
        if lines::has_table_below_comments(table) {
            return Err(InitError::NoDelimiter {
                file: file.to_owned(),
                looks: "a table below comments of a program (`//` or `/* */`)".to_owned(),
                fix: "remove them, or write the pipeline with `skip_lines` in `source.csv`".to_owned(),
            });
        }
        lines::check(file, table)?;
    }
    let mut csv = CsvSpec { encoding, ..found.spec };
    let mut evidence = vec!["format csv: neither JSON nor Parquet".to_owned(), evidence];
    if has_returns {
        csv = ended_by_returns(csv, &text, file)?;
        evidence.push("record_end \"\\r\": lines end with carriage returns alone".to_owned());
    }
    evidence.extend(found.evidence);
    if let Some(footer) = footer {
        // It follows the lines that are left out anyway, or is the only one.
        csv.skip_last_lines += 1;
        csv.last_lines_begin.get_or_insert_with(|| rulers::FOOTER_BEGIN.to_owned());
        evidence.push(format!(
            "skip_last_lines 1: the last line, `{footer}`, counts the others; a file without such a line is held"
        ));
    }
    let (format, csv, has_quotes) = (SourceFormat::Csv, Some(csv), found.has_quotes);
    Ok(Written { format, csv, records: None, archive: None, xlsx: None, evidence, certainty, has_quotes })
}

/// The dialect with records that end with carriage returns alone.
fn ended_by_returns(mut csv: CsvSpec, text: &str, file: &str) -> Result<CsvSpec, InitError> {
    match "\r".parse::<RecordEnd>() {
        // With line feeds behind some of them, records would begin with one.
        Ok(record_end) if !text.contains("\r\n") => {
            csv.record_end = record_end;
            for name in csv.names.iter_mut().flatten() {
                *name = name.chars().map(swapped).collect();
            }
            Ok(csv)
        }
        Ok(_) | Err(_) => Err(InitError::CarriageReturns { file: file.to_owned() }),
    }
}

fn swapped(c: char) -> char {
    match c {
        '\r' => '\n',
        '\n' => '\r',
        other => other,
    }
}

/// Says which cells of a workbook are the table. `rows` are the first rows of its first sheet as CSV, a line for each of
/// them; `sheets` the names of its sheets.
pub fn recognise_sheet(mut written: Written, rows: &str, sheets: &[String]) -> Written {
    if let [first, others @ ..] = sheets
        && !others.is_empty()
    {
        let others = others.join(", ");
        written.evidence.push(format!("sheet '{first}': it is the first; source.xlsx.sheet names another ({others})"));
    }
    let is_table = |csv: &CsvSpec| csv.delimiter.byte() == Some(b',') && csv.comment.is_none();
    let Some(csv) = csv::find(rows, true).map(|found| found.spec).filter(is_table) else { return written };
    let CsvSpec { header, names, skip_lines, .. } = csv;
    // Whoever reads a sheet passes over rows without a value before its header.
    let skipped = usize::try_from(skip_lines).unwrap_or(usize::MAX);
    let has_values = rows.lines().take(skipped).any(|row| !row.is_empty());
    let skip_lines = if has_values { skip_lines } else { 0 };
    let spec = XlsxSpec { header, names, skip_lines, ..XlsxSpec::default() };
    if spec == XlsxSpec::default() {
        return written;
    }
    if spec.skip_lines > 0 {
        let lines = spec.skip_lines;
        written.evidence.push(format!("skip_lines {lines}: the rows before are narrower than the table"));
    }
    if spec.header == CsvHeader::Absent {
        written.evidence.push("header absent: the first row of the table has values like the others".to_owned());
    } else if spec.names.is_some() {
        written.evidence.push("names: the header has some that are blank or repeated".to_owned());
    }
    written.xlsx = Some(spec);
    written
}

/// Whether a zip archive has the parts of a workbook. Their names are at its end, and before each of them.
fn is_workbook(archive: &[u8]) -> bool {
    /// Bytes of begin and end that are searched.
    const SOUGHT_BYTES: usize = 1 << 20;
    /// Some programs number it, and a binary workbook has another ending: whoever reads it says so.
    const PART: &[u8] = b"xl/workbook";
    let begin = archive.get(..SOUGHT_BYTES).unwrap_or(archive);
    let end = archive.get(archive.len().saturating_sub(SOUGHT_BYTES)..).unwrap_or_default();
    [begin, end].iter().any(|bytes| bytes.windows(PART.len()).any(|window| window == PART))
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
