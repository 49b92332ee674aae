//! What is in the columns of a file or a table, in numbers: nulls, different values, smallest and largest, lengths, the
//! most frequent values and patterns; and what has changed since an earlier profile.
//!
//! [`Profiler`] takes the texts of values one after the other and keeps a bounded part of them, however many come. What
//! is no longer exact then is said to be an estimate.

mod drift;
mod frequent;
mod gather;
mod pattern;
mod sketch;
mod values;

use serde::{Deserialize, Serialize};

use crate::contract::ColumnType;

pub use self::drift::{Change, ChangeKind, compare};
pub use self::gather::{Profiler, Reading};

/// Version of the document: readers refuse others.
const VERSION: u32 = 1;

/// What is in the columns of a file or a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Version of this document.
    pub profile_version: u32,
    /// The file or table.
    pub of: String,
    /// Version of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_version: Option<u64>,
    /// Rows; of a file, records that can be split into columns.
    pub rows: u64,
    /// Records of a file that cannot be split into columns.
    pub corrupt: u64,
    /// The columns, in the order in which they first come.
    pub columns: Vec<ColumnProfile>,
}

/// What is in a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name in the file or table.
    pub name: String,
    /// Its type; that of a file is guessed, as `sluice init` does.
    pub column_type: ColumnType,
    /// Rows without a value, those with a word for null among them.
    pub nulls: u64,
    /// Rows with a word for null, such as `NA`.
    pub null_words: u64,
    /// Values that are texts of blanks alone, or of nothing.
    pub blanks: u64,
    /// Values that cannot be read as the type; of doubles, those that are not finite.
    pub not_of_type: u64,
    /// Different values.
    pub distinct: u64,
    /// Whether that is exact; otherwise it is right within about 3 %.
    pub distinct_is_exact: bool,
    /// Smallest value of the type; numbers and days as SQL writes them.
    pub least: Option<String>,
    /// Largest value.
    pub greatest: Option<String>,
    /// Lengths of the values in characters; `None` where no value is.
    pub lengths: Option<Lengths>,
    /// The most frequent values, those of equal frequency by text: all of up to 50, otherwise 10.
    pub top: Vec<Frequent>,
    /// Whether their counts are exact; otherwise they occur at least so often.
    pub top_is_exact: bool,
    /// The most frequent patterns, at most 10: `A` is a capital, `a` a small letter, `9` a digit, and `9{8}` eight of
    /// them.
    pub patterns: Vec<Frequent>,
    /// Whether their counts are exact.
    pub patterns_are_exact: bool,
}

impl ColumnProfile {
    /// Values of the column.
    pub fn values(&self, rows: u64) -> u64 {
        rows.saturating_sub(self.nulls)
    }

    /// Whether no value occurs twice, as far as that is known exactly.
    pub fn is_unique(&self, rows: u64) -> bool {
        self.distinct_is_exact && self.distinct > 0 && self.distinct == self.values(rows)
    }
}

/// Lengths in characters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// The shortest.
    pub least: u64,
    /// The longest.
    pub greatest: u64,
    /// The mean.
    pub mean: f64,
}

/// How often something occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frequent {
    /// The value or pattern, cut after 64 characters.
    pub value: String,
    /// How often.
    pub count: u64,
}

/// Why no profile can be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A column that was asked for does not exist.
    #[error("{of} has no column `{column}`; it has {}", named(known))]
    NoColumn {
        /// The file or table.
        of: String,
        /// What was asked for.
        column: String,
        /// The columns that exist.
        known: Vec<String>,
    },
    /// A text is not a profile.
    #[error("{origin} is not a profile; give a file that `sluice profile ... --json` wrote")]
    NotAProfile {
        /// Where the text comes from.
        origin: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another version of Sluice.
    #[error("{origin} is a profile of version {found}, and this program reads version {}; make it again", VERSION)]
    OtherVersion {
        /// Where the text comes from.
        origin: String,
        /// Its version.
        found: u32,
    },
}

/// Names for a message: all of them, or the first of many.
fn named(names: &[String]) -> String {
    const NAMED: usize = 50;
    let mut named: Vec<String> = names.iter().take(NAMED).map(|name| crate::shown::shown(name)).collect();
    if names.len() > NAMED {
        named.push(format!("and {} more", names.len() - NAMED));
    }
    named.join(", ")
}

impl Profile {
    /// Reads the text of a profile; keys that it does not know are left alone. `origin`: for messages.
    ///
    /// # Errors
    /// [`ProfileError::NotAProfile`], [`ProfileError::OtherVersion`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, ProfileError> {
        let failed = |source| ProfileError::NotAProfile { origin: origin.to_owned(), source };
        let VersionOf { profile_version: found } = serde_json::from_str(text).map_err(failed)?;
        if found != VERSION {
            return Err(ProfileError::OtherVersion { origin: origin.to_owned(), found });
        }
        serde_json::from_str(text).map_err(failed)
    }

    /// The profile of these columns alone.
    #[must_use]
    pub fn of_columns(mut self, names: &[String]) -> Self {
        self.columns.retain(|column| names.contains(&column.name));
        self
    }
}

/// The version that a document says it has.
#[derive(Deserialize)]
struct VersionOf {
    profile_version: u32,
}

#[cfg(test)]
mod tests;
