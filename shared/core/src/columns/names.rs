//! Names of columns: those that Sluice adds, and those that a source may have.

use crate::contract::ColumnType;

/// Where a row came from: in bronze, silver and quarantine alike, behind the other columns.
pub const LINEAGE: [(&str, ColumnType); 6] = [
    ("_ingested_at", ColumnType::Timestamp),
    (SOURCE_FILE, ColumnType::Text),
    ("_source_etag", ColumnType::Text),
    (SOURCE_MODIFIED_AT, ColumnType::Timestamp),
    (SOURCE_ROW, ColumnType::Int64),
    ("_run_id", ColumnType::Text),
];
/// Address of the object.
pub const SOURCE_FILE: &str = "_source_file";
/// When the object was last modified, as the plan saw it. Null in rows that a version without this column wrote.
pub const SOURCE_MODIFIED_AT: &str = "_source_modified_at";
/// Number of the record in its object, from 1; in large objects the byte at which it begins; or a [`super::DocumentRow`].
pub const SOURCE_ROW: &str = "_source_row";

/// Which of two rows with the same key and the same business time is newer: the one whose first of these columns that
/// differs is greater, and null is less than any value. All of them are stored, so it does not matter how the objects
/// are divided into runs.
pub const NEWER: [&str; 4] = [SOURCE_MODIFIED_AT, SOURCE_FILE, "_ingested_at", SOURCE_ROW];

/// Whether a row is a delete event, while it is on its way to its table.
pub const IS_DELETE: &str = "_is_delete";

/// Raw text of a record that could not be split into the object's columns.
pub const CORRUPT_RECORD: &str = "_corrupt_record";
/// Where such a record starts and what is wrong with it: `line 12 (record 10) has 9 fields where the header has 8`.
pub const CORRUPT_REASON: &str = "_corrupt_reason";
/// What bronze says of a record that could not be split into columns.
pub const CORRUPT: [&str; 2] = [CORRUPT_RECORD, CORRUPT_REASON];

/// Partition column of bronze: the UTC day of `_ingested_at`.
pub const INGESTION_DATE: &str = "_ingestion_date";

/// Column of a history (scd2): the later events of a version that changed nothing, as JSON; null where none came. A late
/// event between two of them makes the second one a version.
pub const UNCHANGED: &str = "_unchanged";

/// Names of the lineage columns.
pub fn lineage_names() -> [&'static str; LINEAGE.len()] {
    LINEAGE.map(|(name, _)| name)
}

/// Whether this is the name of a lineage column.
pub fn is_lineage(name: &str) -> bool {
    LINEAGE.iter().any(|(lineage, _)| *lineage == name)
}

/// Whether this is the name of a column that says where rows came from, and nothing of what they are about: readers do
/// not get it unasked.
pub fn is_provenance(name: &str) -> bool {
    is_lineage(name) || name == UNCHANGED
}

/// What the names of one column have in common to readers of Delta, which take no notice of case.
pub fn folded_name(name: &str) -> String {
    name.to_lowercase()
}

/// Longest name of a column, in bytes: the Glue Data Catalog, through which Athena reads, has no longer ones.
const MAX_NAME_BYTES: usize = 255;

/// Why a text cannot be the name of a column, although it is one to its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Programs in C end a name at a NUL, and so refuse the whole table; the others do harm in terminals.
    #[error("holds the control character U+{:04X}", u32::from(*character))]
    Control {
        /// The first of them.
        character: char,
    },
    /// It is too long.
    #[error("has {bytes} bytes, and at most {} are kept", MAX_NAME_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl NameFault {
    /// What is wrong with a name. Tabs and line ends are part of many a header that a spreadsheet wrote.
    pub fn of(name: &str) -> Option<Self> {
        let refused = |character: &char| character.is_control() && !matches!(character, '\t' | '\n' | '\r');
        match name.chars().find(refused) {
            Some(character) => Some(Self::Control { character }),
            None if name.len() > MAX_NAME_BYTES => Some(Self::TooLong { bytes: name.len() }),
            None => None,
        }
    }
}

/// Whether Sluice adds this column to bronze; sources must not have columns of these names.
pub fn is_own_of_bronze(name: &str) -> bool {
    CORRUPT.contains(&name) || name == INGESTION_DATE || is_lineage(name)
}
