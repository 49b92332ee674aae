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
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::Type;
use sluice_core::contract::{ColumnType, ObjectField};
use sluice_core::error::ErrorName;
use sluice_documents::{classify, object_refusal};

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
        let metadata = caught(reader.get_metadata(None)).await.map_err(|fault| match fault {
            Fault::Store(source) => LakeError::Store { doing: "read footer of", location, source },
            Fault::File(words) => {
                LakeError::Unreadable { what: format!("file {location} has no readable Parquet footer: {words}") }
            }
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

/// Why a footer was not read.
#[derive(Debug)]
enum Fault {
    /// The store refused the file or did not answer.
    Store(object_store::Error),
    /// What is wrong with the file, in words.
    File(String),
}

/// What the library reads, or why it does not. A panic about a damaged footer is a property of the file, and ends
/// nothing else.
async fn caught<T>(reading: impl Future<Output = Result<T, ParquetError>>) -> Result<T, Fault> {
    // The reader is not used again after a panic.
    match AssertUnwindSafe(reading).catch_unwind().await {
        Ok(read) => read.map_err(fault_of),
        Err(panic) => Err(Fault::File(format!("the Parquet library stopped: {}", panic_text(&*panic)))),
    }
}

fn fault_of(error: ParquetError) -> Fault {
    let words = error.to_string();
    let ParquetError::External(source) = error else { return Fault::File(words) };
    match source.downcast::<object_store::Error>() {
        // A range that the file does not have is a fault of the file.
        Ok(source) if classify(&source) != ErrorName::Internal || object_refusal(&source).is_some() => {
            Fault::Store(*source)
        }
        _ => Fault::File(words),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The column type of a Parquet field, or its Parquet type in words.
pub(super) fn column_type(field: &Type) -> Result<ColumnType, String> {
    if !field.is_primitive() {
        return nested_type(field);
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

/// The type of a group: a list in three levels, as the format has had it since its version 2, or an object.
fn nested_type(field: &Type) -> Result<ColumnType, String> {
    let info = field.get_basic_info();
    let is_list =
        matches!(info.logical_type_ref(), Some(LogicalType::List)) || info.converted_type() == ConvertedType::LIST;
    if is_list {
        let [middle] = field.get_fields() else { return Err("a list of an unknown form".to_owned()) };
        let elements: &[Arc<Type>] = if middle.is_primitive() { &[] } else { middle.get_fields() };
        let [element] = elements else { return Err("a list of two levels".to_owned()) };
        return Ok(ColumnType::Array(Box::new(column_type(element)?)));
    }
    if info.logical_type_ref().is_some() || info.converted_type() != ConvertedType::NONE {
        return Err("nested values".to_owned());
    }
    let fields = field.get_fields().iter();
    let fields = fields.map(|inner| {
        let column_type = column_type(inner)?;
        Ok::<_, String>(ObjectField { name: inner.name().to_owned(), column_type })
    });
    Ok(ColumnType::Object(fields.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a file, in words; nothing when the store is to blame.
    fn words(fault: Fault) -> Option<String> {
        match fault {
            Fault::Store(_) => None,
            Fault::File(words) => Some(words),
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_library_is_a_footer_that_cannot_be_read() {
        let panics = async { if true { panic!("no such type") } else { Ok(()) } };
        let stopped = "the Parquet library stopped: no such type".to_owned();
        assert_eq!(caught(panics).await.map_err(words), Err(Some(stopped)));
        let fails = async { Err::<(), _>(ParquetError::General("cut off".to_owned())) };
        assert_eq!(caught(fails).await.map_err(words), Err(Some("Parquet error: cut off".to_owned())));
        assert_eq!(caught(async { Ok(1) }).await.map_err(words), Ok(1));
    }

    #[test]
    fn a_file_that_the_store_refuses_is_a_fault_of_the_store() {
        let check = |answer: &str, is_of_the_store: bool| {
            let text = format!("Server returned non-2xx status code: {answer}");
            let error = object_store::Error::Generic { store: "S3", source: text.into() };
            assert_eq!(words(fault_of(error.into())).is_none(), is_of_the_store, "{answer}");
        };
        check("400 Bad Request: <Error><Code>InvalidRequest</Code></Error>", true);
        check("400 Bad Request: <Error><Code>KMS.DisabledException</Code></Error>", true);
        check("503 Slow Down: <Error><Code>SlowDown</Code></Error>", true);
        check("416 Range Not Satisfiable: <Error><Code>InvalidRange</Code></Error>", false);
    }
}
