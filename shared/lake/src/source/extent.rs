//! Which records of an object one reading has.

use sluice_core::run::Positions;
use sluice_core::spec::SourceFormat;

use super::error::SourceError;

/// Which records of an object are read, and what their places are called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent<'a> {
    /// What `_source_row` and the places in messages are.
    pub(crate) positions: Positions,
    /// The first record.
    pub(crate) begin: Begin<'a>,
    /// Records that begin at or after this byte are not read; `None`: all are.
    pub(crate) end: Option<u64>,
}

/// With which record a reading begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begin<'a> {
    /// With the object: the stream starts at its first byte (BOM, header and compression are met there).
    Object,
    /// With the first record at or after this byte (>= 1), which has to be guessed. The stream starts a record end
    /// before it, so that a record that begins there is found.
    Guessed {
        /// The byte.
        at: u64,
        /// Bytes of a record end.
        before: u64,
        /// Names in the object's header; empty for formats without header.
        columns: &'a [String],
    },
    /// With the record that begins at this byte, or with the end of the object. The stream starts there.
    Proven {
        /// The byte.
        at: u64,
        /// Names in the object's header; empty for formats without header.
        columns: &'a [String],
    },
}

impl Extent<'_> {
    /// All records of an object.
    pub(crate) fn whole(positions: Positions) -> Extent<'static> {
        Extent { positions, begin: Begin::Object, end: None }
    }

    /// The byte at which the stream must start.
    pub(crate) fn stream_begin(&self) -> u64 {
        match self.begin {
            Begin::Object => 0,
            Begin::Guessed { at, before, .. } => at.saturating_sub(before),
            Begin::Proven { at, .. } => at,
        }
    }

    /// Whether these are all records of the object.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.begin, Begin::Object) && self.end.is_none()
    }

    /// Refuses what no reader can do.
    pub(super) fn check(&self, format: SourceFormat, object: &str) -> Result<(), SourceError> {
        let problem = match format {
            SourceFormat::Csv | SourceFormat::Ndjson | SourceFormat::FixedWidth
                if self.positions.are_numbers() && !self.is_whole() =>
            {
                "records cannot be numbered where only a part of the object is read"
            }
            SourceFormat::Csv | SourceFormat::Ndjson | SourceFormat::FixedWidth => return Ok(()),
            SourceFormat::Json
            | SourceFormat::Parquet
            | SourceFormat::Xlsx
            | SourceFormat::Avro
            | SourceFormat::Xml
                if self.positions.are_numbers() && self.is_whole() =>
            {
                return Ok(());
            }
            SourceFormat::Json
            | SourceFormat::Parquet
            | SourceFormat::Xlsx
            | SourceFormat::Avro
            | SourceFormat::Xml => "records of this format are not found by bytes",
        };
        Err(SourceError::Extent { object: object.to_owned(), problem })
    }
}
