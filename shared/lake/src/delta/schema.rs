//! Columns between the contract's types, Delta's and Polars'.

use deltalake::kernel::{ArrayType, DataType as DeltaType, PrimitiveType, StructField, StructType};
use polars::prelude::Schema;
use sluice_core::columns::{StoredColumn, stored};
use sluice_core::contract::{ColumnType, ObjectField};

use crate::engine::types::polars_type;

/// The Polars schema of stored columns.
pub(crate) fn polars_schema(columns: &[StoredColumn]) -> Schema {
    columns.iter().map(|c| (c.name.as_str().into(), polars_type(&c.column_type))).collect()
}

/// Delta fields of stored columns. Every column is nullable: the gate checks nulls, with a verdict instead of a fault.
pub(crate) fn delta_fields(columns: &[StoredColumn]) -> Result<Vec<StructField>, deltalake::DeltaTableError> {
    columns.iter().map(|c| delta_field(&c.name, &c.column_type)).collect()
}

/// A nullable Delta field; what is inside of it is nullable, too.
fn delta_field(name: &str, column_type: &ColumnType) -> Result<StructField, deltalake::DeltaTableError> {
    Ok(StructField::new(name.to_owned(), delta_type(column_type)?, true))
}

fn delta_type(column_type: &ColumnType) -> Result<DeltaType, deltalake::DeltaTableError> {
    let primitive = match column_type {
        ColumnType::Text => PrimitiveType::String,
        ColumnType::Int32 => PrimitiveType::Integer,
        ColumnType::Int64 => PrimitiveType::Long,
        ColumnType::Double => PrimitiveType::Double,
        ColumnType::Decimal { precision, scale } => PrimitiveType::decimal(*precision, *scale)?,
        ColumnType::Boolean => PrimitiveType::Boolean,
        ColumnType::Date => PrimitiveType::Date,
        ColumnType::Timestamp => PrimitiveType::Timestamp,
        ColumnType::Array(items) => {
            return Ok(DeltaType::Array(Box::new(ArrayType::new(delta_type(items)?, true))));
        }
        ColumnType::Object(fields) => {
            let fields = fields.iter().map(|field| delta_field(&field.name, &field.column_type));
            let fields = fields.collect::<Result<Vec<_>, _>>()?;
            return Ok(DeltaType::Struct(Box::new(StructType::try_new(fields)?)));
        }
    };
    Ok(DeltaType::Primitive(primitive))
}

/// The stored column of a Delta field; `None` for types that Sluice does not write.
pub(crate) fn stored_column(field: &StructField) -> Option<StoredColumn> {
    Some(stored(field.name(), column_type(field.data_type())?))
}

fn column_type(delta: &DeltaType) -> Option<ColumnType> {
    let primitive = match delta {
        DeltaType::Primitive(primitive) => primitive,
        DeltaType::Array(array) => return Some(ColumnType::Array(Box::new(column_type(&array.element_type)?))),
        DeltaType::Struct(fields) => {
            let field = |field: &StructField| {
                let column_type = column_type(field.data_type())?;
                Some(ObjectField { name: field.name().to_owned(), column_type })
            };
            return Some(ColumnType::Object(fields.fields().map(field).collect::<Option<_>>()?));
        }
        _ => return None,
    };
    Some(match primitive {
        PrimitiveType::String => ColumnType::Text,
        PrimitiveType::Integer => ColumnType::Int32,
        PrimitiveType::Long => ColumnType::Int64,
        PrimitiveType::Double => ColumnType::Double,
        PrimitiveType::Decimal(d) => ColumnType::Decimal { precision: d.precision(), scale: d.scale() },
        PrimitiveType::Boolean => ColumnType::Boolean,
        PrimitiveType::Date => ColumnType::Date,
        PrimitiveType::Timestamp => ColumnType::Timestamp,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_go_there_and_back() {
        let field = |name: &str, column_type| ObjectField { name: name.to_owned(), column_type };
        let list = |items| ColumnType::Array(Box::new(items));
        let price = ColumnType::Decimal { precision: 9, scale: 2 };
        let object = ColumnType::Object(vec![field("sku", ColumnType::Text), field("prices", list(price))]);
        let columns = [stored("lines", list(object.clone())), stored("one", object), stored("n", ColumnType::Int64)];
        let back: Vec<Option<StoredColumn>> = delta_fields(&columns).unwrap().iter().map(stored_column).collect();
        assert_eq!(back, columns.map(Some));
    }
}
