//! Columns of the tables of every layer: those of sources and contracts, and the ones that Sluice adds.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::contract::{ColumnType, TableContract};
use crate::pipeline::{SilverTable, WriteMode};

/// A column as stored in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Name.
    pub name: String,
    /// Type.
    pub column_type: ColumnType,
}

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
/// Number of the record in its object, from 1.
pub const SOURCE_ROW: &str = "_source_row";

/// Which of two rows with the same key and the same business time is newer: the one whose first of these columns that
/// differs is greater, and null is less than any value. All of them are stored, so it does not matter how the objects
/// are divided into runs.
pub const NEWER: [&str; 4] = [SOURCE_MODIFIED_AT, SOURCE_FILE, "_ingested_at", SOURCE_ROW];

/// Raw text of a record that could not be split into the object's columns.
pub const CORRUPT_RECORD: &str = "_corrupt_record";
/// Where such a record starts and what is wrong with it: `line 12 (record 10) has 9 fields where the header has 8`.
pub const CORRUPT_REASON: &str = "_corrupt_reason";
/// What bronze says of a record that could not be split into columns.
pub const CORRUPT: [&str; 2] = [CORRUPT_RECORD, CORRUPT_REASON];

/// Partition column of bronze: the UTC day of `_ingested_at`.
pub const INGESTION_DATE: &str = "_ingestion_date";

/// Columns that `scd2` tables have in addition to the contract's.
pub const SCD2: [(&str, ColumnType); 3] = [
    ("_valid_from", ColumnType::Timestamp),
    ("_valid_to", ColumnType::Timestamp),
    ("_is_current", ColumnType::Boolean),
];

/// A column of this name and type.
pub fn stored(name: &str, column_type: ColumnType) -> StoredColumn {
    StoredColumn { name: name.to_owned(), column_type }
}

/// Names of the lineage columns.
pub fn lineage_names() -> [&'static str; LINEAGE.len()] {
    LINEAGE.map(|(name, _)| name)
}

/// Whether this is the name of a lineage column.
pub fn is_lineage(name: &str) -> bool {
    LINEAGE.iter().any(|(lineage, _)| *lineage == name)
}

/// The lineage columns.
pub fn lineage_columns() -> impl Iterator<Item = StoredColumn> {
    LINEAGE.into_iter().map(|(name, column_type)| stored(name, column_type))
}

/// The lineage columns that a table with these columns lacks, because an older version made it.
pub fn missing_lineage(columns: &[StoredColumn]) -> impl Iterator<Item = StoredColumn> + '_ {
    lineage_columns().filter(move |lineage| !columns.iter().any(|column| column.name == lineage.name))
}

/// Columns of a contract, in its order.
pub fn contract_columns(contract: &TableContract) -> impl Iterator<Item = StoredColumn> + '_ {
    contract.columns.iter().map(|c| stored(c.name.as_str(), c.column_type.clone()))
}

/// Whether a table's columns are exactly those of a contract.
pub fn has_contract_columns(columns: &[StoredColumn], contract: &TableContract) -> bool {
    contract_columns(contract).eq(columns.iter().cloned())
}

/// All columns of a bronze table with these source columns.
pub fn bronze_columns(source: impl IntoIterator<Item = String>) -> Vec<StoredColumn> {
    let texts = source.into_iter().chain(CORRUPT.map(str::to_owned));
    let texts = texts.map(|name| StoredColumn { name, column_type: ColumnType::Text });
    texts.chain(lineage_columns()).chain([stored(INGESTION_DATE, ColumnType::Date)]).collect()
}

/// What the names of one column have in common to readers of Delta, which take no notice of case.
pub fn folded_name(name: &str) -> String {
    name.to_lowercase()
}

/// The source columns of a bronze table. Names that differ in case alone are one column of it: the first of them stays,
/// and what comes under the others is stored there.
///
/// # Example
///
/// ```
/// use sluice_core::columns::{BronzeNames, bronze_columns};
///
/// let mut names = BronzeNames::of_table(&bronze_columns(["Extra".to_owned()]));
/// assert!(!names.add("EXTRA"));
/// assert_eq!(names.stored("extra"), Some("Extra"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct BronzeNames {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl BronzeNames {
    /// The source columns of a table with these columns.
    pub fn of_table(columns: &[StoredColumn]) -> Self {
        let mut names = Self::default();
        for column in columns.iter().filter(|column| !is_own_of_bronze(&column.name)) {
            names.add(&column.name);
        }
        names
    }

    /// Adds a source column; `false` where the table has it.
    pub fn add(&mut self, column: &str) -> bool {
        let folded = folded_name(column);
        if self.places.contains_key(&folded) {
            return false;
        }
        self.places.insert(folded, self.names.len());
        self.names.push(column.to_owned());
        true
    }

    /// The name under which the table stores a source column.
    pub fn stored(&self, column: &str) -> Option<&str> {
        self.names.get(*self.places.get(&folded_name(column))?).map(String::as_str)
    }

    /// The source columns of the table, as it stores them.
    pub fn source_columns(&self) -> &[String] {
        &self.names
    }

    /// All columns of the table.
    pub fn columns(&self) -> Vec<StoredColumn> {
        bronze_columns(self.names.iter().cloned())
    }
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

/// Columns of accepted rows: the contract's and the lineage.
pub fn accepted_columns(table: &SilverTable) -> Vec<StoredColumn> {
    contract_columns(&table.contract).chain(lineage_columns()).collect()
}

/// All columns of a silver table.
pub fn silver_columns(table: &SilverTable) -> Vec<StoredColumn> {
    let history = matches!(table.mode, WriteMode::Scd2(_));
    let scd2 = SCD2.into_iter().filter(|_| history).map(|(name, column_type)| stored(name, column_type));
    accepted_columns(table).into_iter().chain(scd2).collect()
}

/// Columns of every quarantine table.
pub fn quarantine_columns() -> Vec<StoredColumn> {
    let own = [stored("_broken_rules", ColumnType::Text), stored("_raw", ColumnType::Text)];
    lineage_columns().chain(own).collect()
}
