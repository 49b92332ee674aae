//! The dialect of a CSV text, by how consistent its records are in each.

use super::header::{self, judge, names_instead};
use super::split::{Marks, Row, rows};
use crate::spec::{AsciiChar, CsvHeader, CsvSpec, RaggedRecords};

/// The usual delimiters; of equals, the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Most lines before a header that a spec can skip.
const MAX_SKIPPED_LINES: usize = 1000;

/// A dialect, and why.
pub(super) struct Found {
    pub(super) spec: CsvSpec,
    pub(super) evidence: Vec<String>,
}

/// A text in one dialect.
struct Candidate {
    marks: Marks,
    rows: Vec<Row>,
    shape: Shape,
}

/// How well the records of a text fit together.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Fields of most records.
    width: usize,
    /// Whether an empty field at the end is dropped.
    drops_end: bool,
    /// Records of this width.
    fits: usize,
    /// The share of these in thousandths, less what speaks against the dialect.
    score: usize,
}

/// Where the table begins.
struct Front {
    /// Index of the first record of the table, which may be its header.
    first: usize,
    width: usize,
    spec: CsvSpec,
    reason: String,
}

/// Finds the dialect of a text; `None` where it has no record.
pub(super) fn find(text: &str) -> Option<Found> {
    let Some(table) = below_separator_line(text) else { return find_in(text) };
    let mut found = find_in(table)?;
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

fn find_in(text: &str) -> Option<Found> {
    let plain = best(text, None);
    // Without the lines that begin with `#` the others fit better only where these are comments.
    let has_hash = text.lines().any(|line| line.starts_with('#'));
    let without_comments = has_hash.then(|| best(text, Some(b'#')));
    let without_comments = without_comments.filter(|other| other.shape.score > plain.shape.score);
    let chosen = single_quoted(text, without_comments.unwrap_or(plain));
    let Candidate { marks, rows, shape } = &chosen;
    if rows.is_empty() {
        return None;
    }
    let Front { first, width, mut spec, reason } = front(text, &chosen);
    spec.delimiter = ascii(marks.delimiter, spec.delimiter);
    spec.quote = ascii(marks.quote, spec.quote);
    spec.comment = marks.comment.and_then(|comment| AsciiChar::try_from(char::from(comment)).ok());
    spec.trailing_delimiter = shape.drops_end;
    let below = rows.get(first + 1..).unwrap_or_default();
    let short = below.iter().filter(|row| row.width(shape.drops_end) < width).count();
    if short > 0 && short * 20 >= below.len() {
        spec.ragged = RaggedRecords::Pad;
        if spec.header == CsvHeader::Absent && spec.names.is_none() {
            // The first record alone could be a short one.
            spec.names = Some((1..=width).map(CsvSpec::generated_name).collect());
        }
    }
    Some(Found { evidence: evidence(&chosen, &spec, width, short, &reason), spec })
}

fn ascii<T: From<AsciiChar>>(byte: u8, default: T) -> T {
    AsciiChar::try_from(char::from(byte)).map_or(default, T::from)
}

/// The delimiter with which most records have the same number of fields, more than one; otherwise one that does not
/// occur.
fn best(text: &str, comment: Option<u8>) -> Candidate {
    let mut chosen: Option<Candidate> = None;
    for delimiter in DELIMITERS {
        let candidate = candidate(text, Marks { delimiter, quote: b'"', comment });
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
        let mut only = candidate(text, Marks { delimiter: free.unwrap_or(b','), quote: b'"', comment });
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
    let single = candidate(text, Marks { quote: b'\'', ..plain.marks });
    let is_broken = single.rows.iter().any(|row| row.is_broken);
    if is_broken || single.shape.score < plain.shape.score { plain } else { single }
}

/// Where the table begins, and what its columns are called.
fn front(text: &str, candidate: &Candidate) -> Front {
    let Candidate { marks, rows, shape } = candidate;
    let width_of = |row: &Row| row.width(shape.drops_end);
    let mut spec = CsvSpec::default();
    let (mut first, mut width) = (rows.iter().position(|row| width_of(row) == shape.width).unwrap_or(0), shape.width);
    // Records that lack values at their end are shorter than the header.
    let widest = rows.iter().map(width_of).max().unwrap_or(width);
    let is_wide_header =
        |row: &Row| width_of(row) == widest && row.cells.iter().all(|cell| !cell.is_empty() && !header::is_typed(cell));
    if widest > width
        && let Some(index) = rows.iter().take(first + 1).position(is_wide_header)
    {
        (first, width) = (index, widest);
    }
    let Some(row) = rows.get(first) else {
        return Front { first, width, spec, reason: "no record".to_owned() };
    };
    let below = rows.get(first + 1..).unwrap_or_default();
    let judgement = judge(row, below);
    let above = match (judgement.is_header, judgement.is_assumed) {
        (false, _) => row_names(candidate, first).or_else(|| names_in_comment(text, candidate, first)),
        // Where all values are texts, a record that is shorter by one is a header that names no names of rows.
        (true, true) if shape.width > 2 => row_names(candidate, first),
        (true, _) => None,
    };
    if let Some(names) = above {
        spec.header = CsvHeader::Absent;
        spec.skip_lines = if marks.comment.is_some() && first == 0 { 0 } else { lines(row.line) };
        spec.names = Some(names.names);
        return Front { first: first.saturating_sub(1), width, spec, reason: names.reason };
    }
    spec.skip_lines = if first == 0 { 0 } else { lines(row.line) };
    if judgement.is_header {
        let cells: Vec<&str> = row.cells.iter().take(width).map(|cell| cell.text.as_str()).collect();
        spec.names = names_instead(&cells);
    } else {
        spec.header = CsvHeader::Absent;
    }
    Front { first, width, spec, reason: judgement.reason }
}

fn lines(line: usize) -> u32 {
    if line > MAX_SKIPPED_LINES { 0 } else { u32::try_from(line).unwrap_or_default() }
}

/// Names of columns that stand above the records in another form than a header.
struct NamesAbove {
    names: Vec<String>,
    reason: String,
}

fn is_name(text: &str) -> bool {
    let cell = super::split::Cell { text: text.to_owned(), is_quoted: true };
    !text.trim().is_empty() && !header::is_typed(&cell)
}

/// Names in a header without a name above the names of rows, as R writes it.
fn row_names(candidate: &Candidate, first: usize) -> Option<NamesAbove> {
    let above = candidate.rows.get(first.checked_sub(1)?)?;
    let names: Vec<&str> = above.cells.iter().map(|cell| cell.text.trim()).collect();
    if names.len() + 1 != candidate.shape.width || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    let names: Vec<&str> = ["row_name"].into_iter().chain(names).collect();
    let names = names_instead(&names).unwrap_or_else(|| names.iter().map(|name| (*name).to_owned()).collect());
    let reason = "the header has one name less than the records have fields: the first are the names of rows";
    Some(NamesAbove { names, reason: reason.to_owned() })
}

/// Names in the last comment before the records.
fn names_in_comment(text: &str, candidate: &Candidate, first: usize) -> Option<NamesAbove> {
    let Candidate { marks, rows, shape } = candidate;
    let first_row = rows.get(first)?;
    let comment = marks.comment.map(char::from)?;
    let line = text.lines().nth(first_row.line.checked_sub(1)?)?.strip_prefix(comment)?.trim_start_matches(comment);
    let header = super::split::rows(line.trim(), Marks { comment: None, ..*marks });
    let names: Vec<&str> = header.first()?.cells.iter().map(|cell| cell.text.trim()).collect();
    if names.len() != shape.width || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    let names = names_instead(&names).unwrap_or_else(|| names.iter().map(|name| (*name).to_owned()).collect());
    Some(NamesAbove { names, reason: "the last comment before the records has the names".to_owned() })
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
    if marks.quote != b'"' {
        evidence.push(format!("quote {}: it stands around fields of most records", shown(marks.quote)));
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
