//! Columns of the tables of every layer: those of sources and contracts, and the ones that Sluice adds.

mod document_row;
mod names;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::contract::{ColumnType, TableContract};
use crate::pipeline::{SilverTable, Versioned, WriteMode};

pub use self::document_row::DocumentRow;
pub use self::names::{
    CORRUPT, CORRUPT_REASON, CORRUPT_RECORD, INGESTION_DATE, IS_DELETE, LINEAGE, NEWER, NameFault, SOURCE_FILE,
    SOURCE_MODIFIED_AT, SOURCE_ROW, UNCHANGED, folded_name, is_lineage, is_own_of_bronze, is_provenance, lineage_names,
};

/// A column as stored in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Name.
    pub name: String,
    /// Type.
    pub column_type: ColumnType,
}

/// Columns that `scd2` tables have in addition to the contract's. Behind them they have [`UNCHANGED`], which tables of
/// earlier versions lack.
pub const SCD2: [(&str, ColumnType); 3] = [
    ("_valid_from", ColumnType::Timestamp),
    ("_valid_to", ColumnType::Timestamp),
    ("_is_current", ColumnType::Boolean),
];

/// A column of this name and type.
pub fn stored(name: &str, column_type: ColumnType) -> StoredColumn {
    StoredColumn { name: name.to_owned(), column_type }
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

/// Columns of accepted rows: the contract's and the lineage.
pub fn accepted_columns(table: &SilverTable) -> Vec<StoredColumn> {
    contract_columns(&table.contract).chain(lineage_columns()).collect()
}

/// All columns of a silver table.
pub fn silver_columns(table: &SilverTable) -> Vec<StoredColumn> {
    let history = matches!(table.mode, WriteMode::Scd2(_));
    let scd2 = SCD2.into_iter().filter(|_| history).map(|(name, column_type)| stored(name, column_type));
    let unchanged = history.then(|| stored(UNCHANGED, ColumnType::Text));
    accepted_columns(table).into_iter().chain(scd2).chain(unchanged).collect()
}

/// Columns of the delete events of a table whose rows are merged so: the keys, what says which event is newer, and the
/// lineage.
pub fn delete_columns(contract: &TableContract, by: &Versioned) -> Vec<StoredColumn> {
    contract_columns(contract).filter(|column| by.decides(&column.name)).chain(lineage_columns()).collect()
}

/// Columns of every quarantine table.
pub fn quarantine_columns() -> Vec<StoredColumn> {
    let own = [stored("_broken_rules", ColumnType::Text), stored("_raw", ColumnType::Text)];
    lineage_columns().chain(own).collect()
}
