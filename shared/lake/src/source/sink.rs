//! What a reader hands over: batches on the way, and a summary at the end.

use super::batch::SourceBatch;
use super::error::SinkError;

/// Takes one batch after the other.
pub type Sink<'a> = &'a mut dyn FnMut(SourceBatch) -> Result<(), SinkError>;

/// What was in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    /// Records, good and corrupt.
    pub rows: u64,
    /// Records that could not be split into columns.
    pub corrupt_rows: u64,
    /// Names of the source columns in their order.
    pub columns: Vec<String>,
}
