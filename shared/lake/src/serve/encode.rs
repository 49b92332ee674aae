//! The rows of an answer as bytes in a format.

use std::io::{self, Write};

use polars::prelude::{
    CsvWriter, DataFrame, DataType, IntoLazy, IpcStreamWriter, JsonFormat, JsonWriter, ParquetWriter, PolarsResult,
    SerWriter, col, lit, when,
};
use serde::{Deserialize, Serialize};
use sluice_core::error::with_sources;
use sluice_core::name::TableRef;

use super::ServeError;

/// A format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowFormat {
    /// A JSON array of objects.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// CSV with a header line; nulls are empty, empty texts are `""`.
    Csv,
    /// Parquet, zstd.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

/// Bytes in memory, of which there are only so many.
struct Bounded {
    bytes: Vec<u8>,
    most: u64,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() as u64 + bytes.len() as u64 > self.most {
            self.is_full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The rows in this format.
///
/// In text formats decimals are text with all digits of their scale, because numbers lose them in most readers; dates
/// are ISO 8601, instants RFC 3339 in UTC with microseconds. In JSON doubles that are no numbers are null.
///
/// # Errors
/// [`ServeError::TooLarge`] for more than `most` bytes; [`ServeError::Engine`] for columns that the format cannot hold.
pub(super) fn written(rows: &DataFrame, format: RowFormat, most: u64, table: &TableRef) -> Result<Vec<u8>, ServeError> {
    let mut out = Bounded { bytes: Vec::new(), most, is_full: false };
    match encode(rows, format, &mut out) {
        Ok(()) => Ok(out.bytes),
        Err(_) if out.is_full => {
            let what = format!("the answer has more than {} MiB: ask for fewer rows or columns", most >> 20);
            Err(ServeError::TooLarge { what })
        }
        Err(error) => Err(ServeError::Engine { table: table.clone(), words: with_sources(&error) }),
    }
}

fn encode(rows: &DataFrame, format: RowFormat, out: &mut Bounded) -> PolarsResult<()> {
    match format {
        RowFormat::Json => JsonWriter::new(out).with_json_format(JsonFormat::Json).finish(&mut as_text(rows, true)?),
        RowFormat::Ndjson => {
            JsonWriter::new(out).with_json_format(JsonFormat::JsonLines).finish(&mut as_text(rows, true)?)
        }
        RowFormat::Csv => CsvWriter::new(out).finish(&mut as_text(rows, false)?),
        RowFormat::Parquet => ParquetWriter::new(out).finish(&mut in_one_piece(rows)).map(drop),
        RowFormat::Arrow => IpcStreamWriter::new(out).finish(&mut in_one_piece(rows)),
    }
}

/// The rows come in pieces as files and batches had them, rows that are held back included. The writers would show them.
fn in_one_piece(rows: &DataFrame) -> DataFrame {
    let mut rows = rows.clone();
    rows.rechunk_mut();
    rows
}

fn as_text(frame: &DataFrame, is_json: bool) -> PolarsResult<DataFrame> {
    let columns = frame.schema().iter().map(|(name, dtype)| {
        let column = col(name.clone());
        match dtype {
            DataType::Decimal(..) => column.cast(DataType::String),
            DataType::Date => column.dt().to_string("%Y-%m-%d"),
            DataType::Datetime(..) => column.dt().to_string("%Y-%m-%dT%H:%M:%S%.6fZ"),
            DataType::Float64 if is_json => {
                when(column.clone().is_finite()).then(column).otherwise(lit(polars::prelude::NULL))
            }
            _ => column,
        }
        .alias(name.clone())
    });
    frame.clone().lazy().select(columns.collect::<Vec<_>>()).collect()
}
