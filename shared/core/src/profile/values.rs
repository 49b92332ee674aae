//! The different values of a column: all of them while they are few, and then an estimate with the most frequent ones.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use super::Frequent;
use super::frequent::{Counted, Frequents, top};
use super::sketch::Sketch;

/// What keeping a value takes in addition to its text: 8 bytes for the hash, 32 for text and count, and a free place in
/// the map for some of them.
const ENTRY_BYTES: usize = 64;
/// Values up to which all are listed.
pub(super) const ALL_LISTED: usize = 50;
/// Values that are listed of more.
const LISTED: usize = 10;

/// The different values of a column. Two values count as one where their 64-bit hashes are equal: among 50,000 that has
/// a chance of 50,000^2 / 2^65, 1 in 10^10.
#[derive(Debug)]
pub(super) enum Values {
    /// All of them.
    Exact {
        /// By their hashes.
        counted: HashMap<u64, Counted>,
        /// What they take.
        bytes: usize,
    },
    /// Too many to keep.
    Estimated { sketch: Sketch, frequents: Frequents },
}

/// What is known of the values of a column.
pub(super) struct Summary {
    pub(super) distinct: u64,
    pub(super) is_exact: bool,
    pub(super) top: Vec<Frequent>,
    pub(super) top_is_exact: bool,
}

impl Values {
    pub(super) fn new() -> Self {
        Self::Exact { counted: HashMap::new(), bytes: 0 }
    }

    /// Takes a value. All are kept while they take at most `most_bytes`.
    pub(super) fn add(&mut self, hash: u64, text: &str, most_bytes: usize) {
        match self {
            Self::Exact { counted, bytes } => {
                if let Some(known) = counted.get_mut(&hash) {
                    known.count += 1;
                    return;
                }
                let new = Counted::new(text);
                *bytes += new.text.len() + ENTRY_BYTES;
                let is_full = *bytes > most_bytes;
                let _ = counted.insert(hash, new);
                if is_full {
                    let mut sketch = Sketch::new();
                    counted.keys().for_each(|hash| sketch.add(*hash));
                    *self = Self::Estimated { sketch, frequents: Frequents::of(std::mem::take(counted)) };
                }
            }
            Self::Estimated { sketch, frequents } => {
                sketch.add(hash);
                frequents.add(hash, text);
            }
        }
    }

    pub(super) fn summary(self) -> Summary {
        match self {
            Self::Exact { counted, .. } => {
                let distinct = counted.len();
                let most = if distinct <= ALL_LISTED { ALL_LISTED } else { LISTED };
                let top = top(counted.into_values(), most);
                Summary { distinct: distinct as u64, is_exact: true, top, top_is_exact: true }
            }
            Self::Estimated { sketch, frequents } => {
                let (top, top_is_exact) = frequents.top(LISTED);
                Summary { distinct: sketch.estimate(), is_exact: false, top, top_is_exact }
            }
        }
    }
}

/// The hash of a text: the same in every run of one program.
pub(super) fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}
