//! Columns between the contract's types, Delta's and Polars'.

use deltalake::kernel::{DataType as DeltaType, PrimitiveType, StructField};
use polars::prelude::Schema;
use sluice_core::contract::{ColumnType, TableContract};
use sluice_core::run::StoredColumn;

use crate::engine::types::polars_type;
use crate::source::{CORRUPT_REASON, CORRUPT_RECORD};

/// Where a row came from: in bronze, silver and quarantine alike, at the end of the row.
pub const LINEAGE: [(&str, ColumnType); 5] = [
    ("_ingested_at", ColumnType::Timestamp),
    ("_source_file", ColumnType::Text),
    ("_source_etag", ColumnType::Text),
    ("_source_row", ColumnType::Int64),
    ("_run_id", ColumnType::Text),
];

/// What bronze says of a record that could not be split into columns: its text, and its place and fault.
pub const CORRUPT: [&str; 2] = [CORRUPT_RECORD, CORRUPT_REASON];

/// Partition column of bronze: the UTC day of `_ingested_at`.
pub const INGESTION_DATE: &str = "_ingestion_date";
/// Columns of `scd2` tables, beside the contract's.
pub const SCD2: [(&str, ColumnType); 3] = [
    ("_valid_from", ColumnType::Timestamp),
    ("_valid_to", ColumnType::Timestamp),
    ("_is_current", ColumnType::Boolean),
];

/// A column of this name and type.
pub fn stored(name: &str, column_type: ColumnType) -> StoredColumn {
    StoredColumn { name: name.to_owned(), column_type }
}

/// Whether this is the name of a lineage column.
pub fn is_lineage(name: &str) -> bool {
    LINEAGE.iter().any(|(lineage, _)| *lineage == name)
}

/// The lineage columns.
pub fn lineage_columns() -> impl Iterator<Item = StoredColumn> {
    LINEAGE.into_iter().map(|(name, column_type)| stored(name, column_type))
}

/// Columns of a contract, in its order.
pub fn contract_columns(contract: &TableContract) -> impl Iterator<Item = StoredColumn> + '_ {
    contract.columns.iter().map(|c| stored(c.name.as_str(), c.column_type.clone()))
}

/// Whether a table's columns are exactly those of a contract.
pub fn has_contract_columns(columns: &[StoredColumn], contract: &TableContract) -> bool {
    contract_columns(contract).eq(columns.iter().cloned())
}

/// Columns of every quarantine table.
pub fn quarantine_columns() -> Vec<StoredColumn> {
    let own = [stored("_broken_rules", ColumnType::Text), stored("_raw", ColumnType::Text)];
    lineage_columns().chain(own).collect()
}

/// The Polars schema of stored columns.
pub fn polars_schema(columns: &[StoredColumn]) -> Schema {
    columns.iter().map(|c| (c.name.as_str().into(), polars_type(&c.column_type))).collect()
}

/// Delta fields of stored columns. Every column is nullable: the gate checks nulls, with a verdict instead of a fault.
pub(crate) fn delta_fields(columns: &[StoredColumn]) -> Result<Vec<StructField>, deltalake::DeltaTableError> {
    columns
        .iter()
        .map(|c| {
            let primitive = match &c.column_type {
                ColumnType::Text => PrimitiveType::String,
                ColumnType::Int32 => PrimitiveType::Integer,
                ColumnType::Int64 => PrimitiveType::Long,
                ColumnType::Double => PrimitiveType::Double,
                ColumnType::Decimal { precision, scale } => PrimitiveType::decimal(*precision, *scale)?,
                ColumnType::Boolean => PrimitiveType::Boolean,
                ColumnType::Date => PrimitiveType::Date,
                ColumnType::Timestamp => PrimitiveType::Timestamp,
            };
            Ok(StructField::new(c.name.clone(), DeltaType::Primitive(primitive), true))
        })
        .collect()
}

/// The stored column of a Delta field; `None` for types that Sluice does not write.
pub(crate) fn stored_column(field: &StructField) -> Option<StoredColumn> {
    let DeltaType::Primitive(primitive) = field.data_type() else { return None };
    let column_type = match primitive {
        PrimitiveType::String => ColumnType::Text,
        PrimitiveType::Integer => ColumnType::Int32,
        PrimitiveType::Long => ColumnType::Int64,
        PrimitiveType::Double => ColumnType::Double,
        PrimitiveType::Decimal(d) => ColumnType::Decimal { precision: d.precision(), scale: d.scale() },
        PrimitiveType::Boolean => ColumnType::Boolean,
        PrimitiveType::Date => ColumnType::Date,
        PrimitiveType::Timestamp => ColumnType::Timestamp,
        _ => return None,
    };
    Some(stored(field.name(), column_type))
}
