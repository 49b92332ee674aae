//! Source files of a case: rows written in any format, intact and torn.

use std::collections::BTreeSet;
use std::io::Write;

use super::field::Field;
use super::json;
use super::value::Kind;
use crate::random::Random;
use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, ParquetWriter, Series, TimeUnit, TimeZone};

/// A file that arrives.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path below the landing folder.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// How all files of a case are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    /// Format.
    pub(super) format: Format,
    /// Delimiter of CSV.
    pub(super) delimiter: char,
    /// Quote of CSV.
    pub(super) quote: char,
    /// Percentage of values that are null or odd.
    pub(super) dirt: usize,
    /// Percentage of records that are torn.
    pub(super) torn: usize,
}

/// Format of source files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Delimited text.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A JSON object per line.
    Ndjson,
    /// An array of JSON objects.
    Json,
}

impl Format {
    /// The name in a spec, which files also end with.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
        }
    }
}

/// A record: texts by the position of the column; `None` is null.
pub(super) type Record = Vec<Option<String>>;

/// Draws files, and counts rows through all of them.
pub(super) struct Writer<'a> {
    /// Columns of the source, in the order of the first file.
    pub(super) fields: &'a [Field],
    /// How files are written.
    pub(super) writing: Writing,
    /// Rows written.
    pub(super) rows: u64,
    /// Features that the files have.
    pub(super) tags: BTreeSet<&'static str>,
}

impl Writer<'_> {
    /// A file with this number of rows. `delivery` counts from 0: later files may have other columns in another order.
    pub(super) fn file(&mut self, name: String, delivery: usize, rows: usize, random: &mut Random) -> SourceFile {
        // An object without a byte is refused.
        let rows = if self.writing.format == Format::Ndjson { rows.max(1) } else { rows };
        let mut records: Vec<Record> = Vec::new();
        for _ in 0..rows {
            // Some rows are repeated unchanged.
            let again = (random.happens(6) && !records.is_empty()).then(|| random.pick(&records).clone());
            self.rows += 1;
            records.push(again.unwrap_or_else(|| self.record(random)));
        }
        if rows == 0 {
            self.tags.insert("file without rows");
        }
        let mut order: Vec<usize> = (0..self.fields.len()).collect();
        let mut names: Vec<String> = self.fields.iter().map(|field| field.source.clone()).collect();
        if delivery > 0 && random.happens(35) {
            self.tags.insert("file with other columns");
            random.shuffle(&mut order);
            let extra = format!("Extra {}", random.below(3));
            order.insert(random.below(order.len()), names.len());
            names.push(extra);
            for record in &mut records {
                record.push(random.happens(70).then(|| format!("e{}", random.below(9))));
            }
        }
        let bytes = match self.writing.format {
            Format::Csv => self.csv(&names, &order, &records, random),
            Format::Parquet => self.parquet(&names, &order, &records),
            Format::Ndjson | Format::Json => json::text(self, &names, &order, &records, random),
        };
        let bytes = if name.ends_with(".gz") { packed(&bytes) } else { bytes };
        SourceFile { name, bytes }
    }

    fn record(&self, random: &mut Random) -> Record {
        // The sequence is mostly clean; otherwise every table with unique keys would be rejected.
        let value = |field: &Field, random: &mut Random| {
            let dirt = if field.kind == Kind::Sequence { self.writing.dirt / 4 } else { self.writing.dirt };
            field.value(random, self.rows, dirt)
        };
        self.fields.iter().map(|field| value(field, random)).collect()
    }

    fn csv(&mut self, names: &[String], order: &[usize], records: &[Record], random: &mut Random) -> Vec<u8> {
        let mut out = Vec::new();
        let line_end: &str = if random.happens(25) { "\r\n" } else { "\n" };
        if line_end == "\r\n" {
            self.tags.insert("CRLF");
        }
        if random.happens(10) {
            self.tags.insert("byte order mark");
            out.extend("\u{feff}".as_bytes());
        }
        let header: Vec<String> = order.iter().map(|&place| self.csv_field(Some(&names[place]), random)).collect();
        let delimiter = self.writing.delimiter.to_string();
        out.extend(header.join(&delimiter).as_bytes());
        for record in records {
            out.extend(line_end.as_bytes());
            if random.happens(2) {
                self.tags.insert("blank line");
                out.extend(line_end.as_bytes());
            }
            let mut fields: Vec<Vec<u8>> =
                order.iter().map(|&place| self.csv_field(record[place].as_deref(), random).into_bytes()).collect();
            if random.happens(self.writing.torn) {
                self.tear(&mut fields, random);
            }
            out.extend(fields.join(delimiter.as_bytes()));
        }
        if random.happens(75) || records.is_empty() {
            out.extend(line_end.as_bytes());
        } else {
            self.tags.insert("no line end at the end");
        }
        out
    }

    fn csv_field(&mut self, value: Option<&str>, random: &mut Random) -> String {
        let Some(value) = value else { return String::new() };
        let quote = self.writing.quote;
        let must = value.contains([self.writing.delimiter, '\n', '\r']) || value.starts_with(quote);
        if value.is_empty() && random.happens(70) {
            self.tags.insert("empty text in quotes");
            return format!("{quote}{quote}");
        }
        if !must && !random.happens(20) {
            return value.to_owned();
        }
        if value.contains('\n') {
            self.tags.insert("line break in quotes");
        }
        if value.contains(quote) {
            self.tags.insert("doubled quote");
        }
        self.tags.insert("quoted field");
        format!("{quote}{}{quote}", value.replace(quote, &format!("{quote}{quote}")))
    }

    /// Changes a record so that it cannot be split or read.
    fn tear(&mut self, fields: &mut Vec<Vec<u8>>, random: &mut Random) {
        let place = random.below(fields.len());
        let quote = self.writing.quote;
        match random.below(5) {
            0 => {
                self.tags.insert("torn: field missing");
                fields.remove(place);
            }
            1 => {
                self.tags.insert("torn: field too many");
                fields.insert(place, b"surplus".to_vec());
            }
            2 => {
                self.tags.insert("torn: bad UTF-8");
                fields[place] = b"caf\xE9 \xFF\xFE".to_vec();
            }
            3 => {
                self.tags.insert("torn: text after quote");
                fields[place] = format!("{quote}closed{quote}x").into_bytes();
            }
            _ => {
                self.tags.insert("torn: NUL byte");
                fields[place] = b"a\0b".to_vec();
            }
        }
    }

    fn parquet(&mut self, names: &[String], order: &[usize], records: &[Record]) -> Vec<u8> {
        let column = |&place: &usize| {
            let texts: Vec<Option<&str>> = records.iter().map(|record| record[place].as_deref()).collect();
            typed(&names[place], self.fields.get(place).map(|field| &field.kind), &texts)
        };
        let columns: Vec<Column> = order.iter().map(column).collect();
        let mut frame = DataFrame::new(records.len(), columns).expect("columns of one length");
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).expect("a frame can be written as Parquet");
        bytes
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// The texts as Parquet values of this kind; a text that cannot be read becomes null.
fn typed(name: &str, kind: Option<&Kind>, texts: &[Option<&str>]) -> Column {
    let series = Series::new(name.into(), texts);
    let zoned = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let data_type = match kind {
        Some(Kind::Sequence | Kind::Int64) => DataType::Int64,
        Some(Kind::Int32) => DataType::Int32,
        Some(Kind::Double) => DataType::Float64,
        Some(Kind::Boolean) => {
            let values: Vec<Option<bool>> =
                texts.iter().map(|text| text.as_ref()?.to_lowercase().parse().ok()).collect();
            return Series::new(name.into(), values).into_column();
        }
        Some(Kind::Decimal { precision: 0..=12, scale }) => DataType::Decimal(18, usize::from(*scale)),
        Some(Kind::Date(None)) => DataType::Date,
        Some(Kind::Timestamp(None, None)) => {
            let micros: Vec<Option<i64>> = texts
                .iter()
                .map(|text| Some(text.as_ref()?.parse::<jiff::Timestamp>().ok()?.as_microsecond()))
                .collect();
            let series = Series::new(name.into(), micros);
            return series.cast(&zoned).expect("microseconds are an instant").into_column();
        }
        _ => return series.into_column(),
    };
    series.cast(&data_type).expect("texts become values or null").into_column()
}
