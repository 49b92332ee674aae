//! What can be wrong inside a Parquet file.

use std::any::Any;

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
    Io(std::io::Error),
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
    /// A value does not fit the type of its column.
    #[error("column `{column}`, near record {row}: {problem}")]
    Value {
        /// The column.
        column: String,
        /// A record, from 1, at or before the value.
        row: u64,
        /// What is wrong.
        problem: &'static str,
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

    /// A panic of the library: a property of the file, which would stop every later run, too.
    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&'static str>().copied());
        Self::Panicked { message: message.unwrap_or("no message").to_owned() }
    }
}

impl From<ParquetError> for ParquetFault {
    fn from(error: ParquetError) -> Self {
        Self::Library(error)
    }
}

impl From<std::io::Error> for ParquetFault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PolarsError> for ParquetFault {
    fn from(error: PolarsError) -> Self {
        Self::Polars(error)
    }
}
