//! The rows of an answer, and their bytes in a format.

use polars::prelude::{
    CsvWriter, DataFrame, DataType, IntoLazy, IpcStreamWriter, JsonFormat, JsonWriter, ParquetWriter, PolarsError,
    PolarsResult, SerWriter, col, lit, when,
};

/// A format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The rows of an answer, in memory.
#[derive(Debug)]
pub struct Rows(DataFrame);

/// Why rows cannot be written in a format: the words of the writer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EncodeError(PolarsError);

impl Rows {
    pub(super) fn new(frame: DataFrame) -> Self {
        Self(frame)
    }

    /// How many they are.
    pub fn count(&self) -> u64 {
        self.0.height() as u64
    }

    /// The rows in this format.
    ///
    /// In text formats decimals are text with all digits of their scale, because numbers lose them in most readers; dates
    /// are ISO 8601, instants RFC 3339 in UTC with microseconds. In JSON doubles that are no numbers are null.
    ///
    /// # Errors
    /// [`EncodeError`] for columns that the format cannot hold.
    pub fn encode(&self, format: RowFormat) -> Result<Vec<u8>, EncodeError> {
        encode(&self.0, format).map_err(EncodeError)
    }
}

fn encode(frame: &DataFrame, format: RowFormat) -> PolarsResult<Vec<u8>> {
    let mut out = Vec::new();
    match format {
        RowFormat::Json => {
            JsonWriter::new(&mut out).with_json_format(JsonFormat::Json).finish(&mut as_text(frame, true)?)?;
        }
        RowFormat::Ndjson => {
            JsonWriter::new(&mut out).with_json_format(JsonFormat::JsonLines).finish(&mut as_text(frame, true)?)?;
        }
        RowFormat::Csv => CsvWriter::new(&mut out).finish(&mut as_text(frame, false)?)?,
        RowFormat::Parquet => {
            ParquetWriter::new(&mut out).finish(&mut frame.clone())?;
        }
        RowFormat::Arrow => IpcStreamWriter::new(&mut out).finish(&mut frame.clone())?,
    }
    Ok(out)
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
