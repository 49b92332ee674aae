//! Footers of Parquet files in a store: their size, rows and columns, whichever engine wrote them.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_reader::AsyncFileReader;
#[expect(deprecated, reason = "its successor is an example to copy, not an API")]
use parquet::arrow::async_reader::ParquetObjectReader;
use parquet::basic::{LogicalType, TimeUnit, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::Type;
use sluice_core::contract::ColumnType;

use crate::error::LakeError;

/// The footer of a Parquet file.
#[derive(Debug, Clone)]
pub(crate) struct Footer {
    /// Size of the file in bytes.
    pub(crate) size_bytes: u64,
    /// What the library reads of it.
    pub(super) metadata: Arc<ParquetMetaData>,
}

/// A top-level column of a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its type, or in words a type that no table of Sluice has.
    pub(crate) column_type: Result<ColumnType, String>,
}

impl Footer {
    /// Reads the footer of the file at `key`, with two or three small requests.
    ///
    /// # Errors
    /// [`LakeError::Store`]; [`LakeError::Unreadable`] when the file is no Parquet file.
    pub(crate) async fn read(store: &Arc<dyn ObjectStore>, key: Path) -> Result<Self, LakeError> {
        let failed = |source| LakeError::Store { doing: "read footer of", location: key.to_string(), source };
        let size_bytes = store.head(&key).await.map_err(failed)?.size;
        let location = key.to_string();
        #[expect(deprecated, reason = "its successor is an example to copy, not an API")]
        let mut reader = ParquetObjectReader::new(store.clone(), key).with_file_size(size_bytes);
        let metadata = caught(reader.get_metadata(None)).await.map_err(|error| LakeError::Unreadable {
            what: format!("file {location} has no readable Parquet footer: {error}"),
        })?;
        Ok(Self { size_bytes, metadata })
    }

    /// What the library reads of it.
    pub(crate) fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// Rows of the file.
    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or_default()
    }

    /// Size of all columns before compression, in bytes.
    pub(crate) fn unpacked_bytes(&self) -> u64 {
        let groups = self.metadata.row_groups().iter();
        groups.map(|group| u64::try_from(group.total_byte_size()).unwrap_or_default()).sum()
    }

    /// Rows of the largest row group.
    pub(crate) fn group_rows(&self) -> u64 {
        let groups = self.metadata.row_groups().iter();
        groups.map(|group| u64::try_from(group.num_rows()).unwrap_or_default()).max().unwrap_or_default()
    }

    /// The top-level columns, in the order of the file.
    pub(crate) fn columns(&self) -> Vec<FileColumn> {
        let fields = self.metadata.file_metadata().schema_descr().root_schema().get_fields();
        fields
            .iter()
            .map(|field| FileColumn { name: field.name().to_owned(), column_type: column_type(field) })
            .collect()
    }
}

/// What the library reads, or in words why it does not. A panic about a damaged footer is a property of the file, and
/// ends nothing else.
async fn caught<T>(reading: impl Future<Output = Result<T, ParquetError>>) -> Result<T, String> {
    // The reader is not used again after a panic.
    match AssertUnwindSafe(reading).catch_unwind().await {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("the Parquet library stopped: {}", panic_text(&*panic))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The column type of a Parquet field, or its Parquet type in words.
pub(super) fn column_type(field: &Type) -> Result<ColumnType, String> {
    if !field.is_primitive() {
        return Err("nested values".to_owned());
    }
    let logical = field.get_basic_info().logical_type_ref();
    let physical = field.get_physical_type();
    let unknown = || match logical {
        Some(logical) => format!("{physical:?} ({logical:?})"),
        None => format!("{physical:?}"),
    };
    Ok(match (physical, logical) {
        (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)) => ColumnType::Text,
        (PhysicalType::BOOLEAN, None) => ColumnType::Boolean,
        (PhysicalType::INT32, None) => ColumnType::Int32,
        (PhysicalType::INT64, None) => ColumnType::Int64,
        (PhysicalType::INT32, Some(LogicalType::Integer(int))) if int.is_signed && int.bit_width == 32 => {
            ColumnType::Int32
        }
        (PhysicalType::INT64, Some(LogicalType::Integer(int))) if int.is_signed && int.bit_width == 64 => {
            ColumnType::Int64
        }
        (PhysicalType::DOUBLE, None) => ColumnType::Double,
        (PhysicalType::INT32, Some(LogicalType::Date)) => ColumnType::Date,
        (PhysicalType::INT64, Some(LogicalType::Timestamp(timestamp)))
            if timestamp.is_adjusted_to_u_t_c && timestamp.unit == TimeUnit::MICROS =>
        {
            ColumnType::Timestamp
        }
        (_, Some(LogicalType::Decimal(decimal))) => {
            match (u8::try_from(decimal.precision), u8::try_from(decimal.scale)) {
                (Ok(precision), Ok(scale)) => ColumnType::Decimal { precision, scale },
                _ => return Err(unknown()),
            }
        }
        _ => return Err(unknown()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_library_is_a_footer_that_cannot_be_read() {
        let panics = async { if true { panic!("no such type") } else { Ok(()) } };
        assert_eq!(caught(panics).await, Err("the Parquet library stopped: no such type".to_owned()));
        let fails = async { Err::<(), _>(ParquetError::General("cut off".to_owned())) };
        assert_eq!(caught(fails).await, Err("Parquet error: cut off".to_owned()));
        assert_eq!(caught(async { Ok(1) }).await, Ok(1));
    }
}
