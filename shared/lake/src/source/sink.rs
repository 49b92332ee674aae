//! What a reader hands over: batches on the way, and a summary at the end.

use sluice_core::run::FoundRange;

use super::batch::SourceBatch;
use super::error::SinkError;

/// Takes one batch after the other.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(SourceBatch) -> Result<(), SinkError>;

/// What was in an object, or in the part of it that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceSummary {
    /// Records, good and corrupt.
    pub(crate) rows: u64,
    /// Records that could not be split into columns.
    pub(crate) corrupt_rows: u64,
    /// Names of the source columns in their order.
    pub(crate) columns: Vec<String>,
    /// Where the records begin and end, where they are found by bytes.
    pub(crate) found: Option<FoundRange>,
}
