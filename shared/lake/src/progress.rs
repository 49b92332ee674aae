//! How far a step has come, for whoever runs it in the same process and shows it to a person.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the records that a step has read. Clones share the count.
///
/// A lake has one that nobody reads, unless it was opened [with another](crate::Lake::with_progress). Counting costs one
/// addition for each batch of records. A step that reads an object again, because another was refused, counts it again.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    rows: Arc<AtomicU64>,
}

impl Progress {
    /// Records read up to now.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Counts records that were read.
    pub(crate) fn add(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_count_and_others_do_not() {
        let (progress, other) = (Progress::default(), Progress::default());
        let clone = progress.clone();
        clone.add(3);
        progress.add(4);
        assert_eq!((progress.rows(), other.rows()), (7, 0));
    }
}
