//! Columns between the contract's types, Delta's and Polars'.

use deltalake::kernel::{DataType as DeltaType, PrimitiveType, StructField};
use polars::prelude::Schema;
use sluice_core::columns::{StoredColumn, stored};
use sluice_core::contract::ColumnType;

use crate::engine::types::polars_type;

/// The Polars schema of stored columns.
pub(crate) fn polars_schema(columns: &[StoredColumn]) -> Schema {
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
