//! The rows of an answer as bytes in a format.

use std::io::{self, Write};

use polars::prelude::{
    Column, CsvWriter, DataFrame, DataType, IntoColumn, IntoLazy, IntoSeries, IpcStreamWriter, JsonFormat, JsonWriter,
    ParquetWriter, PolarsResult, SerWriter, Series, StringChunked, StructChunked, col, lit, when,
};
use serde::{Deserialize, Serialize};
use sluice_core::error::with_sources;
use sluice_core::name::TableRef;

use super::ServeError;
use crate::engine::shown::{is_nested, json_expr};

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
/// Lists and objects are JSON in JSON, and JSON texts in CSV.
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
        RowFormat::Parquet => ParquetWriter::new(out).finish(&mut without_the_rest(rows)?).map(drop),
        RowFormat::Arrow => IpcStreamWriter::new(out).finish(&mut without_the_rest(rows)?),
    }
}

/// The rows come in pieces as files and batches had them, and share the memory of their texts with rows that are held
/// back. The writer of Arrow would show it: all of it for texts inside lists and objects, and up to 1 KiB elsewhere. So
/// texts are copied, one by one.
fn without_the_rest(rows: &DataFrame) -> PolarsResult<DataFrame> {
    let mut rows = rows.clone();
    rows.rechunk_mut();
    let has_texts = |column: &&Column| *column.dtype() == DataType::String || is_nested(column.dtype());
    let columns: Vec<Column> = rows.columns().iter().filter(has_texts).cloned().collect();
    for column in columns {
        let values = with_inner(column.as_materialized_series(), &copied)?;
        rows.with_column(values.into_column())?;
    }
    Ok(rows)
}

/// The same values; texts in memory of their own.
fn copied(values: &Series) -> PolarsResult<Series> {
    let Ok(texts) = values.str() else { return Ok(values.clone()) };
    let copies: StringChunked = texts.iter().collect();
    Ok(copies.with_name(values.name().clone()).into_series())
}

/// Values that were changed, with the name that they have; of lists and objects those inside.
fn with_inner(values: &Series, change: &dyn Fn(&Series) -> PolarsResult<Series>) -> PolarsResult<Series> {
    let name = values.name().clone();
    match values.dtype() {
        DataType::List(_) => {
            // Elements that no list has are not changed, but left out.
            let values = values.rechunk();
            let values = values.propagate_nulls().unwrap_or(values);
            let values = values.trim_lists_to_normalized_offsets().unwrap_or(values);
            let lists = values.list()?.apply_to_inner(&|items| with_inner(&items, change))?;
            Ok(lists.into_series().with_name(name))
        }
        DataType::Struct(_) => {
            // Which objects are null can only be said of one chunk.
            let values = values.rechunk();
            let fields = values.struct_()?.fields_as_series();
            let fields = fields.iter().map(|field| with_inner(field, change).map(|inner| inner.rechunk()));
            let fields = fields.collect::<PolarsResult<Vec<_>>>()?;
            let objects = StructChunked::from_series(name, values.len(), fields.iter())?;
            Ok(objects.with_outer_validity(values.rechunk_validity()).into_series())
        }
        _ => change(values),
    }
}

fn as_text(frame: &DataFrame, is_json: bool) -> PolarsResult<DataFrame> {
    let mut frame = frame.clone();
    if is_json {
        let nested: Vec<Column> = frame.columns().iter().filter(|column| is_nested(column.dtype())).cloned().collect();
        for column in nested {
            let values = with_inner(column.as_materialized_series(), &plain_as_text)?;
            frame.with_column(values.into_column())?;
        }
    }
    let columns = frame.schema().iter().map(|(name, dtype)| {
        let column = col(name.clone());
        match dtype {
            DataType::Decimal(..) => column.cast(DataType::String),
            DataType::Date => column.dt().to_string("%Y-%m-%d"),
            DataType::Datetime(..) => column.dt().to_string("%Y-%m-%dT%H:%M:%S%.6fZ"),
            DataType::Float64 if is_json => {
                when(column.clone().is_finite()).then(column).otherwise(lit(polars::prelude::NULL))
            }
            nested if is_nested(nested) && !is_json => json_expr(name.as_str()),
            _ => column,
        }
        .alias(name.clone())
    });
    let columns = columns.collect::<Vec<_>>();
    frame.lazy().select(columns).collect()
}

/// Plain values in the forms of [`as_text`].
fn plain_as_text(values: &Series) -> PolarsResult<Series> {
    let frame = DataFrame::new(values.len(), vec![values.clone().into_column()])?;
    Ok(as_text(&frame, true)?.column(values.name().as_str())?.as_materialized_series().clone())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, df};

    use super::*;

    #[test]
    fn lists_and_objects_are_json_in_json_and_texts_in_csv() {
        let sku = Series::new("sku".into(), ["S1"]);
        let price = Series::new("price".into(), ["1.50"]).cast(&DataType::Decimal(9, 2)).unwrap();
        let fields = [sku, price];
        let object = StructChunked::from_series("".into(), 1, fields.iter()).unwrap().into_series();
        let lines = Series::new("lines".into(), [Some(object.clone()), Some(object.slice(0, 0)), None]);
        let mut rows = df!("id" => [1_i64, 2, 3]).unwrap();
        rows.with_column(lines.into_column()).unwrap();
        let table: TableRef = "silver/sales/orders".parse().unwrap();
        let check = |format: RowFormat, expected: &str| {
            let bytes = written(&rows, format, 1 << 20, &table).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap().trim_end(), expected, "{format:?}");
        };
        let json =
            [r#"{"id":1,"lines":[{"sku":"S1","price":"1.50"}]}"#, r#"{"id":2,"lines":[]}"#, r#"{"id":3,"lines":null}"#];
        check(RowFormat::Json, &format!("[{}]", json.join(",")));
        check(RowFormat::Ndjson, &json.join("\n"));
        check(RowFormat::Csv, "id,lines\n1,\"[{\"\"sku\"\":\"\"S1\"\",\"\"price\"\":\"\"1.50\"\"}]\"\n2,[]\n3,");
    }

    #[test]
    fn texts_of_rows_that_are_held_back_are_in_no_answer() {
        let hidden = "what the caller must not read, and is long";
        let words = Series::new("".into(), ["what the caller may read, and is longer than that", hidden]);
        let (shown, held) = (words.slice(0, 1), words.slice(1, 1));
        let lists = Series::new("lists".into(), [Some(shown), Some(held), None]);
        let tags = lists.clone().with_name("tags".into());
        let objects = StructChunked::from_series("objects".into(), 3, [tags].iter()).unwrap().into_series();
        let mut rows = df!("text" => [words.str().unwrap().get(0), Some(hidden), None]).unwrap();
        rows.with_column(lists.into_column()).unwrap();
        rows.with_column(objects.into_column()).unwrap();
        let table: TableRef = "silver/sales/orders".parse().unwrap();
        let filtered = rows.clone().lazy().filter(col("text").str().starts_with(lit("what the caller may")));
        for rows in [rows.slice(0, 1), filtered.collect().unwrap()] {
            for format in [RowFormat::Json, RowFormat::Csv, RowFormat::Parquet, RowFormat::Arrow] {
                let bytes = written(&rows, format, 1 << 20, &table).unwrap();
                assert!(!bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes()), "{format:?}");
            }
        }
    }
}
