//! Where records and faults stand in an object, for people and for `_source_row`.

use std::fmt;

use sluice_core::run::Positions;

/// A place in an object. Lines and records count from 1, bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line: where the header, or a quoted field, starts.
    Line {
        /// Its number.
        line: u64,
    },
    /// A record.
    Record {
        /// Its number: its `_source_row`.
        row: u64,
        /// Line on which it starts, where records have lines of their own.
        line: Option<u64>,
    },
    /// A byte, in objects whose records are found by bytes.
    Byte {
        /// Its offset. That of a record is its `_source_row`.
        offset: u64,
    },
    /// The footer of a Parquet file.
    Footer,
}

impl Place {
    /// A record, named as `positions` says: by its number, or by where it begins.
    pub(super) fn of_record(positions: Positions, row: u64, spot: Spot) -> Self {
        match positions {
            Positions::Numbers => Self::Record { row, line: spot.line },
            Positions::Bytes => Self::Byte { offset: spot.offset },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line } => write!(f, "line {line}"),
            Self::Record { row, line: Some(line) } => write!(f, "line {line} (record {row})"),
            Self::Record { row, line: None } => write!(f, "record {row}"),
            Self::Byte { offset } => write!(f, "byte {offset}"),
            Self::Footer => f.write_str("footer"),
        }
    }
}

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// Its line, where records have lines of their own.
    pub(super) line: Option<u64>,
    /// Its first byte. Means nothing where records are numbered.
    pub(super) offset: u64,
}

impl Spot {
    /// For formats that know neither lines nor bytes of their records.
    pub(super) const UNKNOWN: Self = Self { line: None, offset: 0 };
}

/// A text within an object: what comes before it, and what places in it are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) positions: Positions,
    /// Bytes of the object before the text.
    pub(super) bytes_before: u64,
    /// Lines of the object before the text, where places are lines.
    pub(super) lines_before: u64,
}

impl Origin {
    /// The place of what stands at the offset `at` of `text`.
    pub(super) fn place(self, text: &[u8], at: usize) -> Place {
        match self.positions {
            Positions::Numbers => {
                Place::Line { line: self.lines_before + count_lines(text.get(..at).unwrap_or_default()) + 1 }
            }
            Positions::Bytes => Place::Byte { offset: self.bytes_before + at as u64 },
        }
    }
}

/// Line feeds in `bytes`.
pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The `_source_row` of the rows of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowPositions {
    /// Numbers that follow each other.
    Numbered {
        /// The first.
        first: u64,
    },
    /// The byte at which each record begins.
    Offsets(Vec<u64>),
}

impl RowPositions {
    /// The place of a row of the batch, which starts on `line` of the object.
    pub(super) fn place(&self, index: usize, line: Option<u64>) -> Place {
        match self {
            Self::Numbered { first } => Place::Record { row: first + index as u64, line },
            Self::Offsets(offsets) => Place::Byte { offset: offsets.get(index).copied().unwrap_or_default() },
        }
    }
}
