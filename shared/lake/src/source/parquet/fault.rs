//! What can be wrong inside a Parquet file.

use std::any::Any;
use std::io;

use parquet::errors::ParquetError;
use polars::error::PolarsError;

/// Why a Parquet file cannot be read. The file's name is in the error around it.
#[derive(Debug, thiserror::Error)]
pub enum ParquetFault {
    /// The library cannot read the footer or a page.
    #[error("{0}")]
    Library(ParquetError),
    /// The file itself cannot be read.
    #[error("{0}")]
    Io(io::Error),
    /// The footer contradicts itself.
    #[error("footer: {problem}")]
    Footer {
        /// What is wrong.
        problem: String,
    },
    /// A page is damaged, or its header contradicts the footer.
    #[error("column `{column}`, row group {group}, page at byte {offset}: {problem}")]
    Page {
        /// The column, with the path inside it.
        column: String,
        /// Number of the row group, from 1.
        group: usize,
        /// Offset of the page's header in the file.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// A column has fewer values than the footer says.
    #[error("column `{column}`, row group {group}: ends before record {row}")]
    EndsEarly {
        /// The column.
        column: String,
        /// Number of the row group, from 1.
        group: usize,
        /// The record, from 1, that is missing.
        row: u64,
    },
    /// The levels, which say where lists and nulls are, contradict each other.
    #[error("column `{column}`: the levels that describe its nested values are damaged at record {row}")]
    Levels {
        /// The column.
        column: String,
        /// The record, from 1.
        row: u64,
    },
    /// A value has another type than its column.
    #[error("column `{column}`, near record {row}: {problem}")]
    Value {
        /// The column.
        column: String,
        /// A record, from 1, at or before the value.
        row: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A value is larger than a record may be.
    #[error(
        "column `{column}`, record {row}: larger than {limit_bytes} bytes as text, or a list of too many elements; split it"
    )]
    TooLarge {
        /// The column.
        column: String,
        /// The record, from 1.
        row: u64,
        /// Largest text of a record; each element of a list counts with at least 16 bytes.
        limit_bytes: usize,
    },
    /// Polars could not hold the values.
    #[error("{0}")]
    Polars(PolarsError),
    /// The library stopped with a panic.
    #[error("the Parquet library stopped: {message}; write the file again with another program, or report this")]
    Panicked {
        /// The panic's message.
        message: String,
    },
}

impl ParquetFault {
    /// A footer that contradicts itself.
    pub(super) fn footer(problem: impl Into<String>) -> Self {
        Self::Footer { problem: problem.into() }
    }

    /// Whether the file could not be read because of the machine: the file may be good, and a later run may read it.
    pub(crate) fn is_of_the_system(&self) -> bool {
        match self {
            Self::Io(error) => is_of_the_system(error),
            Self::Library(ParquetError::External(error)) => {
                error.downcast_ref::<io::Error>().is_some_and(is_of_the_system)
            }
            _ => false,
        }
    }

    /// A panic of the library: a property of the file, which would stop every later run, too.
    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&'static str>().copied());
        Self::Panicked { message: message.unwrap_or("no message").to_owned() }
    }
}

/// Whether an error came from the operating system, such as one of a disk. Those of decoders have no code of it, and
/// one about an argument is about an offset that the file gave.
pub(crate) fn is_of_the_system(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != io::ErrorKind::InvalidInput
}

impl From<ParquetError> for ParquetFault {
    fn from(error: ParquetError) -> Self {
        Self::Library(error)
    }
}

impl From<io::Error> for ParquetFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PolarsError> for ParquetFault {
    fn from(error: PolarsError) -> Self {
        Self::Polars(error)
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::error::ErrorName;

    use super::*;
    use crate::source::SourceError;

    #[test]
    fn a_fault_of_the_disk_is_not_one_of_the_file() {
        let check = |source: ParquetFault, expected: ErrorName| {
            let error = SourceError::Parquet { object: "x.parquet".to_owned(), source };
            assert_eq!(
                (error.name(), error.is_refusal()),
                (expected, expected == ErrorName::InvalidInput),
                "{error:?}"
            );
        };
        let system = io::Error::from_raw_os_error;
        let library = |error: io::Error| ParquetFault::Library(ParquetError::External(Box::new(error)));
        // EIO and EMFILE.
        for code in [5, 24] {
            check(ParquetFault::Io(system(code)), ErrorName::Unavailable);
            check(library(system(code)), ErrorName::Unavailable);
        }
        // EINVAL: an offset that no file has.
        check(library(system(22)), ErrorName::InvalidInput);
        // As decoders of gzip and zstd report damage.
        for kind in [io::ErrorKind::InvalidInput, io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof] {
            check(library(io::Error::new(kind, "corrupt stream")), ErrorName::InvalidInput);
            check(ParquetFault::Io(kind.into()), ErrorName::InvalidInput);
        }
        check(ParquetFault::Library(ParquetError::General("odd".to_owned())), ErrorName::InvalidInput);
    }
}
