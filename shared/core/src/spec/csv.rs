//! How CSV files are written.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ColumnCase;
use crate::columns::{NameFault, folded_name, is_own_of_bronze};

mod check;
mod encoding;
mod signs;
#[cfg(test)]
mod tests;

pub use self::encoding::{TextEncoding, UnknownEncoding};
pub use self::signs::{Delimiter, Quote, RecordEnd, SignsError};

/// Most lines before a header, and behind the last record.
pub(super) const MAX_SKIPPED_LINES: u32 = 1000;
/// Most columns of an object: readers take no more.
pub(super) const MAX_COLUMNS: usize = 10_000;
/// What the names of columns begin with that have no name of their own.
const GENERATED: &str = "column_";

/// How CSV files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSpec {
    /// What stands between fields: one sign, or 2 to 8, such as `||`. Default `,`.
    #[serde(default = "default_delimiter")]
    pub delimiter: Delimiter,
    /// What stands around fields: one ASCII character, or `none` where quotes are text. Default `"`.
    #[serde(default = "default_quote")]
    pub quote: Quote,
    /// A sign, most often `\`, that makes a delimiter, quote, escape or record end behind it text. Before anything else
    /// it is text itself. Default none: a quote inside of a quoted field is written twice, which is read in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<AsciiChar>,
    /// What stands behind an escape: `signs` (default), or also the codes of `copy`, as `COPY` of PostgreSQL and `SELECT
    /// ... INTO OUTFILE` of MySQL write them: `\t`, `\n`, `\N` (null) and others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub escapes: EscapeCodes,
    /// What stands behind a record, 1 to 8 signs, such as `"\r"`. Default `"\n"`, which is also read with a carriage
    /// return before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub record_end: RecordEnd,
    /// Whether the first record has the names of the columns. Default `present`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub header: CsvHeader,
    /// Names of the columns by position. With a header they replace its names, and their number must be that of the
    /// header. Without a header and names, the columns are `column_1`, `column_2` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// A header of several records. Default: it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_lines: Option<HeaderLines>,
    /// What becomes of blank and repeated names in a header. Default `by_position`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub header_names: HeaderNames,
    /// Lines before the header, or before the first record where no header is present, that are not read: 0 to 1000.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_lines: u32,
    /// Lines at the end that are not read, such as one with totals: 0 to 1000. Blank lines are not counted. Objects are
    /// read as a whole then, and not divided into byte ranges.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_last_lines: u32,
    /// What the first line of `skip_last_lines` begins with. An object in which it does not is refused, so that no record
    /// is lost where the lines at the end are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_lines_begin: Option<String>,
    /// Lines that begin with this ASCII character outside of quotes are skipped and not counted as records. A letter or
    /// digit cannot be it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<AsciiChar>,
    /// Whether header and records end with a delimiter: one empty field at the end of each is dropped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trailing_delimiter: bool,
    /// What becomes of records that have fewer fields than the columns are. Default `quarantine`. `pad` needs a header
    /// or `names`, which say the number of columns.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ragged: RaggedRecords,
    /// Encoding of the text, by its label: `utf-8` (default), `utf-16`, `windows-1252`, `iso-8859-1` and others. UTF-16
    /// with a byte order mark is recognised in any case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub encoding: TextEncoding,
}

/// Whether the first record has the names of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CsvHeader {
    /// It has.
    #[default]
    Present,
    /// It is a record like the others.
    Absent,
}

/// What stands behind an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EscapeCodes {
    /// Signs of the dialect, which are text then.
    #[default]
    Signs,
    /// These, and the codes `b`, `f`, `n`, `r`, `t`, `v` and `Z` for control characters; a field `\N` is null, and an empty
    /// one is empty text. The escape is `\`.
    Copy,
}

/// A header of several records, and which names it gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderLines {
    /// Its records: 2 to 10.
    pub count: u32,
    /// What is put between the names of a column in all records, such as `_`. Blank ones are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// The number of the record, from 1, that has the names. The others are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
}

/// What becomes of blank and repeated names in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeaderNames {
    /// The object is refused.
    Strict,
    /// The column in position N gets the name `column_N` where it has none, and `<name>_N` where an earlier column has
    /// its name. A name that a silver table reads must be that of one column.
    #[default]
    ByPosition,
}

/// What becomes of records that have fewer fields than the columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RaggedRecords {
    /// They are quarantined with their text.
    #[default]
    Quarantine,
    /// The missing fields at the end are null.
    Pad,
}

impl Default for CsvSpec {
    fn default() -> Self {
        Self {
            delimiter: default_delimiter(),
            quote: default_quote(),
            escape: None,
            escapes: EscapeCodes::default(),
            record_end: RecordEnd::default(),
            header: CsvHeader::default(),
            names: None,
            header_lines: None,
            header_names: HeaderNames::default(),
            skip_lines: 0,
            skip_last_lines: 0,
            last_lines_begin: None,
            comment: None,
            trailing_delimiter: false,
            ragged: RaggedRecords::default(),
            encoding: TextEncoding::default(),
        }
    }
}

impl CsvSpec {
    /// The name of a column without one, by its position from 1.
    pub fn generated_name(position: usize) -> String {
        format!("{GENERATED}{position}")
    }

    /// The escape, where the dialect has one.
    pub fn escape_sign(&self) -> Option<AsciiChar> {
        let of_copy = (self.escapes == EscapeCodes::Copy).then_some(AsciiChar(b'\\'));
        self.escape.or(of_copy)
    }

    /// Whether an object that is not packed may be divided into byte ranges. What is decoded has other bytes than the
    /// object, and which lines are the last ones is known at its end alone.
    pub fn is_divisible(&self) -> bool {
        self.encoding.is_utf8() && self.skip_last_lines == 0
    }

    /// What contradicts itself or cannot be used, with the fix.
    pub(crate) fn problem(&self) -> Option<String> {
        check::signs(self)
            .or_else(|| check::lines(self))
            .or_else(|| check::header_lines(self))
            .or_else(|| self.columns_problem())
    }

    fn columns_problem(&self) -> Option<String> {
        if self.header_names == HeaderNames::Strict {
            let why = match (&self.names, self.header) {
                (Some(_), _) => "`names` replaces the names of the header",
                (None, CsvHeader::Absent) => "no header is present",
                (None, CsvHeader::Present) => return None,
            };
            return Some(format!("header_names is strict, but {why}; leave header_names out"));
        }
        let has_width = self.header == CsvHeader::Present || self.names.is_some();
        if self.ragged == RaggedRecords::Pad && !has_width {
            return Some(
                "ragged is pad, but without a header and names the first record says how many columns an object has, \
                 and it may be a short one; write names"
                    .to_owned(),
            );
        }
        self.names.as_deref().and_then(|names| names_problem("names", names))
    }

    /// Whether an object can have a column of this name; where case does not count, one that differs in case alone.
    pub(crate) fn may_have(&self, name: &str, case: ColumnCase) -> bool {
        let name = case.compared(name);
        match (&self.names, self.header) {
            (Some(names), _) => names.iter().any(|known| case.compared(known) == name),
            (None, CsvHeader::Absent) => generated_position(&name).is_some(),
            (None, CsvHeader::Present) => true,
        }
    }

    /// The names that objects have, in words.
    pub(crate) fn names_in_words(&self) -> &'static str {
        match self.names {
            Some(_) => "source.csv.names does not have; add it there, or map one of its names",
            None => {
                "no object has: without a header and source.csv.names, columns are called column_1, column_2 and so \
                 on; map one of these, or write source.csv.names"
            }
        }
    }
}

/// The position from 1 of a column without a name of its own, by the name that it gets.
pub(super) fn generated_position(name: &str) -> Option<usize> {
    let position = name.strip_prefix(GENERATED).and_then(|digits| digits.parse::<usize>().ok())?;
    let can_be = (1..=MAX_COLUMNS).contains(&position);
    (can_be && CsvSpec::generated_name(position) == name).then_some(position)
}

/// What is wrong with names by position, which stand in this option.
pub(super) fn names_problem(option: &str, names: &[String]) -> Option<String> {
    if names.is_empty() {
        return Some(format!("{option} is empty; name every column of the table"));
    }
    if names.len() > MAX_COLUMNS {
        return Some(format!("{option} has {} names, and an object has at most {MAX_COLUMNS} columns", names.len()));
    }
    let mut seen = BTreeSet::new();
    for (position, name) in (1..).zip(names) {
        if name.trim().is_empty() {
            return Some(format!("name {position} of {option} is blank; name every column"));
        }
        if name.trim() != name {
            return Some(format!("name {position} of {option}, '{}', has spaces around it", name.escape_debug()));
        }
        if let Some(fault) = NameFault::of(name) {
            return Some(format!("name {position} of {option} cannot be kept: it {fault}"));
        }
        let folded = folded_name(name);
        if is_own_of_bronze(&folded) {
            return Some(format!("name {position} of {option}, `{name}`, is kept for lineage; choose another"));
        }
        if !seen.insert(folded) {
            return Some(format!("{option} has `{name}` more than once (case does not count); choose different names"));
        }
    }
    None
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_delimiter() -> Delimiter {
    Delimiter::from(AsciiChar(b','))
}

fn default_quote() -> Quote {
    Quote::from(AsciiChar(b'"'))
}

/// One printable ASCII character, or a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "char", into = "char")]
#[schemars(with = "char")]
pub struct AsciiChar(u8);

impl AsciiChar {
    /// A space.
    pub(super) const SPACE: Self = Self(b' ');

    /// The character as a byte.
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl TryFrom<char> for AsciiChar {
    type Error = String;

    fn try_from(value: char) -> Result<Self, String> {
        match u8::try_from(value) {
            Ok(byte) if byte == b'\t' || byte.is_ascii_graphic() || byte == b' ' => Ok(Self(byte)),
            _ => Err(format!("'{}' is no printable ASCII character or tab", value.escape_default())),
        }
    }
}

impl From<AsciiChar> for char {
    fn from(value: AsciiChar) -> char {
        char::from(value.0)
    }
}
