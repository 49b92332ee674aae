//! What can be wrong with one record of a source object.

use super::columns::NameFault;
use super::place::RowPositions;
use super::records::RecordPathFault;

/// A record that cannot be split into the object's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CorruptRecord {
    /// Its row, from 0, in the part of the object that holds it.
    pub(super) index: usize,
    /// Line of the object, from 1, on which it starts, where records have lines of their own.
    pub(super) line: Option<u64>,
    /// What is wrong with it.
    pub(super) reason: FaultReason,
    /// Its text; bytes that are not UTF-8 as U+FFFD.
    pub(super) raw: String,
}

impl CorruptRecord {
    /// Place and reason for people, where the rows of the part stand at these positions.
    pub(super) fn explain(&self, positions: &RowPositions) -> String {
        format!("{} {}", positions.place(self.index, self.line), self.reason)
    }

    /// The same record, seen from a whole whose first part has this many rows and lines.
    pub(super) fn moved(self, rows: usize, lines: u64) -> Self {
        Self { index: self.index + rows, line: self.line.map(|line| line + lines), ..self }
    }
}

/// With what the reason begins of a document whose records are not where the spec says.
pub(crate) const NO_RECORDS: &str = "has no records at source.records";
/// The reason of a record that is JSON, but not an object.
pub(crate) const NOT_AN_OBJECT: &str = "is no JSON object";

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FaultReason {
    /// The number of fields is not the header's.
    #[error("has {found} field{} where the header has {expected}", if *found == 1 { "" } else { "s" })]
    FieldCount {
        /// Fields in the header.
        expected: usize,
        /// Fields in the record.
        found: usize,
    },
    /// The number of fields is not that of the columns of an object without header.
    #[error("has {found} field{} where the object has {expected} columns", if *found == 1 { "" } else { "s" })]
    ColumnCount {
        /// Columns of the object.
        expected: usize,
        /// Fields in the record.
        found: usize,
    },
    /// A line has text behind the last column.
    #[error("has {found} characters where the columns end at {expected}; correct the widths, or the line")]
    LineLength {
        /// The last character of the last column, from 1.
        expected: usize,
        /// Characters of the line without spaces at its end.
        found: usize,
    },
    /// A row of a sheet has a value behind the last column.
    #[error(
        "has a value in column {column} of the sheet, and the table ends with column {last}; move it, or write a wider \
         source.xlsx.range"
    )]
    BehindTable {
        /// Letters of the column.
        column: String,
        /// Letters of the last column of the table.
        last: String,
    },
    /// Text between a closing quote and the next delimiter.
    #[error("has text after a closing quote; a quote inside a quoted field is written twice")]
    TextAfterQuote,
    /// The same, in a record that has a backslash before a quote.
    #[error(
        "has text after a closing quote; a quote inside a quoted field is written twice, and this record has \\{quote} \
         as MySQL writes it: set source.csv.escape to a backslash"
    )]
    EscapedQuote {
        /// The quote of the object.
        quote: char,
    },
    /// A letter or digit behind an escape that is not a code.
    #[error("has {sign}{code}, which is not a code of COPY; write {sign}{sign} where {sign} is text")]
    Escape {
        /// The escape.
        sign: char,
        /// What is behind it.
        code: char,
    },
    /// Bytes that are not UTF-8. They are shown as U+FFFD in the raw text.
    #[error("is not UTF-8; deliver the file as UTF-8")]
    InvalidUtf8,
    /// A NUL byte.
    #[error("holds a NUL byte")]
    Nul,
    /// A value of a Parquet or Avro file that has no text of its column's type.
    #[error("has a value in column `{column}` that {problem}; correct it at the source")]
    Value {
        /// The column.
        column: String,
        /// What is wrong with it, after "a value that".
        problem: &'static str,
    },
    /// JSON, but not an object.
    #[error("{}", NOT_AN_OBJECT)]
    NotAnObject,
    /// Not JSON.
    #[error("is not JSON: {message}")]
    NotJson {
        /// What the parser said.
        message: String,
    },
    /// A document whose records are not where the spec says.
    #[error("{}: {fault}", NO_RECORDS)]
    RecordPath {
        /// Where the path leads nowhere, and what the document has instead.
        fault: RecordPathFault,
    },
    /// The same key twice in one object, or a key that is blank.
    #[error("has the key '{key}' more than once, or blank")]
    Key {
        /// The key.
        key: String,
    },
    /// Two keys that are one column.
    #[error(
        "has the keys '{first}' and '{second}', which are one column, because case does not count in its name; write \
         one of them at the source"
    )]
    KeyCase {
        /// The beginning of the first, escaped.
        first: String,
        /// The beginning of the second, escaped.
        second: String,
    },
    /// A key that is one of our names.
    #[error("has the key '{key}', a name that bronze keeps for lineage; rename it at the source")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// More keys than a table should have columns.
    #[error("has {found} keys, and a table has at most {limit} columns; check whether its keys are data")]
    KeyCount {
        /// Keys of the record.
        found: usize,
        /// Most columns that are read.
        limit: usize,
    },
    /// A key that no table can have as a column.
    #[error("has the key '{key}', which {fault}")]
    KeyName {
        /// The beginning of the key, escaped.
        key: String,
        /// What is wrong with it.
        fault: NameFault,
    },
}
