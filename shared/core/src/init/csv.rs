//! The dialect of a CSV text, by how consistent its records are in each.

use super::front::{Front, front};
use super::legend::{self, Tail};
use super::split::{Marks, Row, all_rows, rows};
use super::{MAX_RECORDS, rulers};
use crate::spec::{AsciiChar, CsvHeader, CsvSpec, EscapeCodes, RaggedRecords};

/// The usual delimiters; of equals, the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Least score of a dialect that an escape shows.
const LEAST_ESCAPED: usize = 900;
/// A field that is null in texts of `COPY`.
const NULL_CODE: &str = "\\N";

/// A dialect, and why.
pub(super) struct Found {
    pub(super) spec: CsvSpec,
    pub(super) evidence: Vec<String>,
    /// Whether fields are quoted.
    pub(super) has_quotes: bool,
    /// Whether no delimiter fits.
    pub(super) is_one_column: bool,
}

/// A text in one dialect.
pub(super) struct Candidate {
    pub(super) marks: Marks,
    pub(super) rows: Vec<Row>,
    pub(super) shape: Shape,
}

/// How well the records of a text fit together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Fields of most records.
    pub(super) width: usize,
    /// Whether an empty field at the end is dropped.
    pub(super) drops_end: bool,
    /// Records of this width.
    fits: usize,
    /// The share of these in thousandths, less what speaks against the dialect.
    score: usize,
}

/// Finds the dialect of a text; `None` where it has no record. `is_whole`: its end is that of the file.
pub(super) fn find(text: &str, is_whole: bool) -> Option<Found> {
    let Some(table) = below_separator_line(text) else { return find_in(text, is_whole) };
    let mut found = find_in(table, is_whole)?;
    found.spec.skip_lines += 1;
    found.evidence.push("skip_lines: the first line is `sep=`, which says the delimiter to Excel".to_owned());
    Some(found)
}

/// What follows the line in which Excel reads the delimiter, if the text begins with one.
fn below_separator_line(text: &str) -> Option<&str> {
    let (first, below) = text.split_once('\n')?;
    let first = first.trim_end_matches('\r').trim_matches('"').to_ascii_lowercase();
    let delimiter = first.strip_prefix("sep=")?;
    (delimiter.chars().count() == 1).then_some(below)
}

fn find_in(text: &str, is_whole: bool) -> Option<Found> {
    let chosen = match rulers::comment(text) {
        Some(sign) => best(text, Some(sign)),
        None => escaped(text, single_quoted(text, with_or_without_comments(text))),
    };
    if chosen.rows.is_empty() {
        return None;
    }
    let chosen = with_later_values(text, chosen);
    let (front, copied) = match (front(text, &chosen), unquoted(text, &chosen)) {
        (Front { spec, .. }, Some(bare)) if spec.header == CsvHeader::Absent && spec.names.is_none() => {
            (front(text, &bare), Some(bare))
        }
        (front, _) => (front, None),
    };
    let chosen = copied.unwrap_or(chosen);
    let Candidate { marks, rows, shape } = &chosen;
    let Front { first, width, mut spec, reason } = front;
    spec.delimiter = ascii(marks.delimiter, spec.delimiter);
    spec.quote = ascii(marks.quote, spec.quote);
    spec.comment = marks.comment.and_then(|comment| AsciiChar::try_from(char::from(comment)).ok());
    spec.trailing_delimiter = shape.drops_end;
    spec.escape = marks.escape.and_then(|escape| AsciiChar::try_from(char::from(escape)).ok());
    if is_copy(&chosen) {
        spec.escapes = EscapeCodes::Copy;
        spec.quote = "none".parse().unwrap_or(spec.quote);
    }
    let tail = if is_whole { Tail::of(text, &chosen, width) } else { None };
    let below = tail.as_ref().map_or(rows.as_slice(), |tail| tail.records_before(rows)).get(first + 1..);
    let below = below.unwrap_or_default();
    let strays = rulers::count_strays(below, width);
    let short = below.iter().filter(|row| row.width(shape.drops_end) < width).count();
    let short = short.saturating_sub(strays);
    // Padded, a ruler or a footer would be a row of the table.
    if strays == 0 && short > 0 && short * 20 >= below.len() {
        spec.ragged = RaggedRecords::Pad;
        if spec.header == CsvHeader::Absent && spec.names.is_none() {
            // The first record alone could be a short one.
            spec.names = Some((1..=width).map(CsvSpec::generated_name).collect());
        }
    }
    let mut evidence = evidence(&chosen, &spec, width, short, &reason);
    evidence.extend(rulers::evidence(below, width, strays));
    evidence.extend(tail.map(|tail| legend::leave_out(tail, &mut spec)));
    evidence.extend(escapes(&chosen, &spec));
    let has_quotes = rows.iter().any(|row| row.cells.iter().any(|cell| cell.is_quoted));
    Some(Found { spec, evidence, has_quotes, is_one_column: width < 2 })
}

/// The dialect with `#` before comments, or without comments.
fn with_or_without_comments(text: &str) -> Candidate {
    let plain = best(text, None);
    if !text.lines().any(|line| line.starts_with('#')) {
        return plain;
    }
    // Without the lines that begin with `#` the others fit better only where these are comments.
    let without_comments = best(text, Some(b'#'));
    if without_comments.shape.score > plain.shape.score { without_comments } else { plain }
}

/// Whether a text is one that `COPY` of PostgreSQL or `mysqldump --tab` has written: no quotes, and backslashes in
/// codes alone. A backslash that is written twice shows it, or `\N` where nothing else stands for a value that is
/// missing.
fn is_copy(Candidate { marks, rows, shape }: &Candidate) -> bool {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let has_tabs = marks.delimiter == b'\t' && shape.width > 1;
    if !has_tabs || cells().any(|cell| cell.is_quoted || !has_codes_alone(&cell.text)) {
        return false;
    }
    let texts = || cells().map(|cell| cell.text.as_str());
    let has_nulls = texts().any(|text| text == NULL_CODE);
    let has_escapes = texts().any(|text| text != NULL_CODE && text.contains('\\'));
    let is_null_alone = has_escapes || !texts().any(str::is_empty);
    texts().any(|text| text.contains("\\\\")) || (has_nulls && is_null_alone)
}

/// Whether each backslash begins a code.
fn has_codes_alone(text: &str) -> bool {
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        let is_code = |code: char| matches!(code, 'b' | 'f' | 'n' | 'r' | 't' | 'v' | 'Z' | '\\');
        if sign == '\\' && text != NULL_CODE && !signs.next().is_some_and(is_code) {
            return false;
        }
    }
    true
}

/// Says what becomes of `\t` and the like, as `COPY` of PostgreSQL and `mysqldump` write them.
fn escapes(Candidate { marks, rows, .. }: &Candidate, spec: &CsvSpec) -> Option<String> {
    if spec.escapes == EscapeCodes::Copy {
        let evidence = "escapes copy: all backslashes begin codes, such as `\\N` and `\\\\`, and quotes are text";
        return Some(evidence.to_owned());
    }
    let mut cells = rows.iter().flat_map(|row| &row.cells);
    let is_dump = marks.delimiter == b'\t' || cells.clone().any(|cell| cell.text == "\\N");
    let has_escape = |text: &str| ["\\t", "\\n", "\\r", "\\\\"].iter().any(|escape| text.contains(escape));
    (is_dump && cells.any(|cell| has_escape(&cell.text))).then(|| {
        "escapes: `\\t`, `\\n`, `\\r` and `\\\\` in values stay two characters; where they stand for tabs and line \
         ends, write `escapes: copy` and `quote: none`"
            .to_owned()
    })
}

fn ascii<T: From<AsciiChar>>(byte: u8, default: T) -> T {
    AsciiChar::try_from(char::from(byte)).map_or(default, T::from)
}

/// The delimiter with which most records have the same number of fields, more than one; otherwise one that does not
/// occur.
fn best(text: &str, comment: Option<u8>) -> Candidate {
    let mut chosen: Option<Candidate> = None;
    for delimiter in DELIMITERS {
        let candidate = candidate(text, Marks { delimiter, quote: b'"', comment, escape: None });
        let Shape { width, fits, score, .. } = candidate.shape;
        if width < 2 || fits * 2 < candidate.rows.len() {
            continue;
        }
        let is_better = |other: &Candidate| (score, width) > (other.shape.score, other.shape.width);
        if chosen.as_ref().is_none_or(is_better) {
            chosen = Some(candidate);
        }
    }
    chosen.unwrap_or_else(|| {
        let free = DELIMITERS.into_iter().find(|delimiter| !text.contains(char::from(*delimiter)));
        let delimiter = free.unwrap_or(b',');
        let mut only = candidate(text, Marks { delimiter, quote: b'"', comment, escape: None });
        // Any text is a table of one column: more of them say more.
        only.shape.score /= 2;
        only
    })
}

fn candidate(text: &str, marks: Marks) -> Candidate {
    let rows = rows(text, marks);
    let shape = shape(&rows, marks.delimiter);
    Candidate { marks, rows, shape }
}

fn shape(rows: &[Row], delimiter: u8) -> Shape {
    let mode_of = |drops_end: bool| mode(rows.iter().filter(|row| !row.is_broken).map(|row| row.width(drops_end)));
    let ((whole, whole_fits), (dropped, dropped_fits)) = (mode_of(false), mode_of(true));
    let mut of_width = rows.iter().filter(|row| row.width(false) == whole);
    let all_end_empty = whole > 1 && of_width.all(Row::ends_empty);
    // A wider record shows that an empty field at the end is a value that is missing.
    let is_widest = rows.iter().all(|row| row.width(true) <= dropped);
    let drops_end = all_end_empty || (dropped_fits > whole_fits && is_widest);
    let (width, fits) = if drops_end { (dropped, dropped_fits) } else { (whole, whole_fits) };
    let foreign = rows.iter().filter(|row| has_other_delimiter(row, delimiter)).count();
    let first = rows.first().map_or(0, |row| row.width(drops_end));
    // R writes no name above the names of rows.
    let begins_apart = first != width && (first < 2 || first + 1 != width);
    let total = rows.len().max(1);
    let against = foreign * 200 / total + if begins_apart { 300 } else { 0 };
    Shape { width, drops_end, fits, score: (fits * 1000 / total).saturating_sub(against) }
}

/// The most frequent number, and how often it occurs; of equals, the greatest.
fn mode(numbers: impl Iterator<Item = usize>) -> (usize, usize) {
    let mut counts = std::collections::BTreeMap::new();
    for number in numbers {
        *counts.entry(number).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(number, count)| (*count, *number)).unwrap_or((0, 0))
}

/// Whether a field has a delimiter that stands in texts more rarely than this one.
fn has_other_delimiter(row: &Row, delimiter: u8) -> bool {
    let rarer: &[char] = match delimiter {
        b',' => &[';', '\t', '|'],
        b';' => &['\t', '|'],
        b'|' => &['\t'],
        _ => &[],
    };
    row.cells.iter().any(|cell| !cell.is_quoted && cell.text.contains(rarer))
}

/// The same with `'` as quote, where that is what stands around fields.
fn single_quoted(text: &str, plain: Candidate) -> Candidate {
    let is_quoted = |row: &Row| {
        row.cells.iter().any(|cell| {
            let text = cell.text.as_str();
            !cell.is_quoted && text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'')
        })
    };
    let has_double = plain.rows.iter().any(|row| row.cells.iter().any(|cell| cell.is_quoted));
    let count = plain.rows.iter().filter(|row| is_quoted(row)).count();
    if has_double || count * 2 < plain.rows.len() || count == 0 {
        return plain;
    }
    let single = escaped(text, candidate(text, Marks { quote: b'\'', ..plain.marks }));
    let is_broken = single.rows.iter().any(|row| row.is_broken);
    if is_broken || single.shape.score < plain.shape.score { plain } else { single }
}

/// The same with a backslash before quotes in fields, where that mends records which are broken without.
fn escaped(text: &str, plain: Candidate) -> Candidate {
    let quote = char::from(plain.marks.quote);
    let is_odd = |candidate: &Candidate| candidate.rows.iter().any(|row| row.is_broken);
    let is_one_column = plain.shape.width < 2;
    if !text.contains(&format!("\\{quote}")) || !(is_one_column || is_odd(&plain)) {
        return plain;
    }
    let delimiters = if is_one_column { DELIMITERS.to_vec() } else { vec![plain.marks.delimiter] };
    let escaped = delimiters.into_iter().map(|delimiter| {
        let marks = Marks { delimiter, escape: Some(b'\\'), ..plain.marks };
        candidate(text, marks)
    });
    let is_better = |other: &Candidate| {
        !is_odd(other) && other.shape.width > 1 && other.shape.score >= plain.shape.score.max(LEAST_ESCAPED)
    };
    let best = escaped.filter(is_better).max_by_key(|other| other.shape.score);
    best.unwrap_or(plain)
}

/// A text without header as `COPY` writes it, which knows no quotes: `\N` in it says more than a few fields in quotes.
fn unquoted(text: &str, plain: &Candidate) -> Option<Candidate> {
    let cells = || plain.rows.iter().flat_map(|row| &row.cells);
    let (quoted, all) = (cells().filter(|cell| cell.is_quoted).count(), cells().count());
    let is_rare = quoted == 1 || (quoted > 0 && quoted * 10 <= all);
    if plain.marks.delimiter != b'\t' || !is_rare || !text.contains(NULL_CODE) {
        return None;
    }
    let bare = candidate(text, Marks { quote: 0, escape: None, ..plain.marks });
    let has_nulls = bare.rows.iter().any(|row| row.cells.iter().any(|cell| cell.text == NULL_CODE));
    (has_nulls && is_copy(&bare)).then_some(bare)
}

/// The same with the field at the end of records, where it has a value in a later record than those which were split.
fn with_later_values(text: &str, mut chosen: Candidate) -> Candidate {
    let Candidate { marks, rows, shape } = &mut chosen;
    let has_value = |row: Row| row.cells.len() == shape.width + 1 && !row.ends_empty();
    // A header without the field says that it is no column.
    let mut headers = rows.iter().filter(|row| row.width(true) == shape.width);
    let has_end = headers.next().is_some_and(|row| row.cells.len() > shape.width);
    if shape.drops_end && has_end && all_rows(text, *marks).take(MAX_RECORDS).any(has_value) {
        shape.width += 1;
        shape.drops_end = false;
        shape.fits = rows.iter().filter(|row| row.cells.len() == shape.width).count();
    }
    chosen
}

fn evidence(chosen: &Candidate, spec: &CsvSpec, width: usize, short: usize, reason: &str) -> Vec<String> {
    let Candidate { marks, rows, shape } = chosen;
    let shown = |byte: u8| if byte == b'\t' { "tab".to_owned() } else { format!("`{}`", char::from(byte)) };
    let mut evidence = Vec::new();
    evidence.push(if width < 2 {
        "one column: no usual delimiter gives most records the same number of fields".to_owned()
    } else {
        let (fits, all) = (shape.fits, rows.len());
        format!("delimiter {}: {fits} of the first {all} records have {} fields", shown(marks.delimiter), shape.width)
    });
    if marks.quote != b'"' && spec.quote.sign().is_some() {
        evidence.push(format!("quote {}: it stands around fields of most records", shown(marks.quote)));
    }
    if spec.escape.is_some() {
        evidence.push("escape `\\`: records with it before a quote are broken otherwise".to_owned());
    }
    if let Some(comment) = marks.comment {
        evidence.push(format!("comment {}: without the lines that begin with it more records fit", shown(comment)));
    }
    if spec.skip_lines > 0 {
        evidence.push(format!("skip_lines {}: the table begins after these lines", spec.skip_lines));
    }
    let header = if spec.header == CsvHeader::Present { "header present" } else { "header absent" };
    evidence.push(format!("{header}: {reason}"));
    if spec.names.is_some() && spec.header == CsvHeader::Present {
        evidence.push("names: the header repeats a name, or has one that a table cannot have".to_owned());
    }
    if spec.trailing_delimiter {
        evidence.push("trailing_delimiter: records end with a delimiter and nothing after it".to_owned());
    }
    if spec.ragged == RaggedRecords::Pad {
        evidence.push(format!("ragged pad: {short} records have fewer fields than columns exist"));
    }
    evidence
}
