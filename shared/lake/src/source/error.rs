//! What can be wrong with a source object as a whole.

mod words;

use std::io;

use polars::error::PolarsError;
use sluice_core::error::ErrorName;
use sluice_core::source::{Codec, UnreadFormat};

use self::words::{delimiter_words, encoding_words, listed};
use super::archive::ArchiveFault;
use super::avro::AvroFault;
use super::columns::ColumnFault;
use super::parquet::ParquetFault;
pub(super) use super::place::Place;
use super::records::RecordPathFault;
use super::xlsx::XlsxFault;
use super::xml::XmlFault;

/// What a sink hands back when it can take no more batches.
pub(crate) type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why a source object could not be read. Every message names the object; what came before the fault has been handed
/// to the sink, so a caller that gets an error throws away what it wrote for this object.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("object '{object}': cannot be opened")]
    Open {
        /// Name of the object.
        object: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The bytes stopped coming.
    #[error("object '{object}': cannot be read on")]
    Read {
        /// Name of the object.
        object: String,
        /// What the stream said.
        #[source]
        source: io::Error,
    },
    /// A compressed stream is cut off.
    #[error(
        "object '{object}': {codec} stream ends early after {size_bytes} bytes of content; deliver the whole file again"
    )]
    EndsEarly {
        /// Name of the object.
        object: String,
        /// Compression recognised by its first bytes.
        codec: Codec,
        /// Bytes unpacked before the end.
        size_bytes: u64,
    },
    /// Other bytes follow a compressed stream.
    #[error(
        "object '{object}': other bytes follow the end of its {codec} stream, behind {size_bytes} bytes of content; \
         deliver it without them, or all of it packed once"
    )]
    BytesBehind {
        /// Name of the object.
        object: String,
        /// Compression recognised by its first bytes.
        codec: Codec,
        /// Bytes unpacked before them.
        size_bytes: u64,
    },
    /// It is a file of a format that is not read, or not as this one.
    #[error("object '{object}' is {}, which is not read here: {}", format.what(), format.fix())]
    OtherFormat {
        /// Name of the object.
        object: String,
        /// What it is, and what to do.
        format: UnreadFormat,
    },
    /// A compressed stream is damaged; one of Zstandard may be followed by something else.
    #[error("object '{object}': {codec} stream is damaged after {size_bytes} bytes of content; deliver the file again")]
    Damaged {
        /// Name of the object.
        object: String,
        /// Compression recognised by its first bytes.
        codec: Codec,
        /// Bytes unpacked before the damage.
        size_bytes: u64,
        /// What the decoder said.
        #[source]
        source: io::Error,
    },
    /// There is nothing in the object: no byte, or only a byte order mark and blank lines.
    #[error("object '{object}' is empty: it has no header and no record; deliver it again or remove it")]
    EmptyObject {
        /// Name of the object.
        object: String,
    },
    /// Bytes of the text are not of its encoding.
    #[error(
        "object '{object}' line {line} (byte {offset}): these bytes are not {encoding}, although {}",
        encoding_words(*is_marked)
    )]
    NotEncoded {
        /// Name of the object.
        object: String,
        /// Name of the encoding.
        encoding: &'static str,
        /// Whether a byte order mark says that they are of it, and not the spec.
        is_marked: bool,
        /// Line on which they stand.
        line: u64,
        /// The first of them, of the unpacked object.
        offset: u64,
    },
    /// The CSV options contradict each other.
    #[error("object '{object}': delimiter and quote are both '{character}'; choose two different characters")]
    Dialect {
        /// Name of the object.
        object: String,
        /// The character.
        character: char,
    },
    /// The last lines are not those that the spec says.
    #[error(
        "object '{object}': the first of its last {lines} lines begins with '{}' and not with '{expected}', as \
         source.csv.last_lines_begin says; deliver the whole file again, or correct the spec",
        found.escape_debug()
    )]
    LastLines {
        /// Name of the object.
        object: String,
        /// Lines at the end that are not read.
        lines: u32,
        /// What they should begin with.
        expected: String,
        /// The beginning of the first of them.
        found: String,
    },
    /// The last lines, which are not read, are too long to be held back.
    #[error(
        "object '{object}': its last {lines} lines have more than {limit_bytes} bytes; make source.csv.skip_last_lines \
         smaller, or deliver the lines apart"
    )]
    LastLinesTooLarge {
        /// Name of the object.
        object: String,
        /// Lines at the end that are not read.
        lines: u32,
        /// Most bytes that they may have.
        limit_bytes: usize,
    },
    /// The names of the columns cannot be used.
    #[error("object '{object}' {place}: {fault}")]
    Columns {
        /// Name of the object.
        object: String,
        /// Where the name stands.
        place: Place,
        /// What is wrong with them.
        fault: ColumnFault,
    },
    /// The object has none of the columns of these names that silver tables are mapped to.
    #[error("object '{object}' lacks column {}; it has {}{}", missing.join(", "), listed(columns), delimiter_words(delimiter.as_deref()))]
    LacksColumns {
        /// Name of the object.
        object: String,
        /// The mapped columns that it lacks.
        missing: Vec<String>,
        /// The columns that it has: those of its header or footer, or every key of its records.
        columns: Vec<String>,
        /// The delimiter that it was probably written with, where that is not the spec's.
        delimiter: Option<String>,
    },
    /// A column differs in case alone from one that the pipeline reads.
    #[error(
        "object '{object}' has `{column}` where the pipeline reads `{mapped}`: names that differ in case are two to it and \
         one to readers of Delta; write it as `{mapped}` at the source, map `{column}`, or write `column_case: ignore` \
         under source"
    )]
    OtherCase {
        /// Name of the object.
        object: String,
        /// Its column.
        column: String,
        /// The source column that a silver table reads.
        mapped: String,
    },
    /// A quote was opened and never closed, so nobody can tell where the records after it end.
    #[error(
        "object '{object}' {place}: the quoted field that starts here is never closed; close it, or double the quote: a \
         backslash before it means nothing"
    )]
    UnclosedQuote {
        /// Name of the object.
        object: String,
        /// Where the opening quote stands.
        place: Place,
    },
    /// One record is larger than memory allows.
    #[error(
        "object '{object}' {place}: larger than {limit_bytes} bytes; \
         split it, or look for a quote or bracket that is never closed"
    )]
    RecordTooLarge {
        /// Name of the object.
        object: String,
        /// The record.
        place: Place,
        /// Largest record that is read.
        limit_bytes: usize,
    },
    /// A JSON document has a syntax error, after which no record can be recognised.
    #[error("object '{object}' line {line} column {column}: not JSON as expected after {rows} good records")]
    Json {
        /// Name of the object.
        object: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Records read before it.
        rows: u64,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The records of a JSON document are not where the spec says.
    #[error("object '{object}' document {document}: {fault}; correct source.records, or the file")]
    RecordPath {
        /// Name of the object.
        object: String,
        /// Number of the document in the object, from 1.
        document: u64,
        /// Records read before the fault.
        rows: u64,
        /// Where the path leads nowhere, and what the document has instead.
        fault: RecordPathFault,
    },
    /// Parquet cannot be read from a stream.
    #[error("object '{object}': Parquet is read from its end; download it to a file first")]
    ParquetStream {
        /// Name of the object.
        object: String,
    },
    /// The Parquet file as a whole is compressed.
    #[error("object '{object}': Parquet inside {codec}; Parquet compresses its own columns, so deliver it unpacked")]
    ParquetPacked {
        /// Name of the object.
        object: String,
        /// Compression recognised by its first bytes.
        codec: Codec,
    },
    /// The Parquet file cannot be read.
    #[error("object '{object}': not a readable Parquet file")]
    Parquet {
        /// Name of the object.
        object: String,
        /// What is wrong with it.
        #[source]
        source: ParquetFault,
    },
    /// A Parquet column has a type that has no canonical text.
    #[error("object '{object}': column `{column}` is {data_type}, which has no text form; {fix}")]
    ParquetType {
        /// Name of the object.
        object: String,
        /// The column, with the path inside it.
        column: String,
        /// Its type, in words.
        data_type: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// The footer of a Parquet file contradicts itself about the rows.
    #[error(
        "object '{object}': its footer announces {announced} rows, but its row groups have {in_groups}; \
         write the file again"
    )]
    ParquetRows {
        /// Name of the object.
        object: String,
        /// Rows that the footer announces.
        announced: u64,
        /// Rows of all row groups together.
        in_groups: u64,
    },
    /// A workbook cannot be read from a stream.
    #[error("object '{object}': XLSX is read from its end; download it to a file first")]
    XlsxStream {
        /// Name of the object.
        object: String,
    },
    /// The workbook cannot be read.
    #[error("object '{object}': not a readable XLSX workbook")]
    Xlsx {
        /// Name of the object.
        object: String,
        /// What is wrong with it.
        #[source]
        source: XlsxFault,
    },
    /// The Avro file cannot be read.
    #[error("object '{object}': not a readable Avro file")]
    Avro {
        /// Name of the object.
        object: String,
        /// Records read before the fault.
        rows: u64,
        /// What is wrong with it.
        #[source]
        source: AvroFault,
    },
    /// The XML document cannot be read on.
    #[error("object '{object}' line {line}: not readable as XML after {rows} good records")]
    Xml {
        /// Name of the object.
        object: String,
        /// Line, from 1, of what cannot be read.
        line: u64,
        /// Records read before the fault.
        rows: u64,
        /// What is wrong with it.
        #[source]
        source: XmlFault,
    },
    /// The archive, or a member of it, cannot be read.
    #[error("object '{object}': not a readable archive")]
    Archive {
        /// Name of the object.
        object: String,
        /// What is wrong with it.
        #[source]
        source: ArchiveFault,
    },
    /// Polars could not hold the batch.
    #[error("object '{object}': the batch that starts at record {row} of those read cannot be built")]
    Batch {
        /// Name of the object.
        object: String,
        /// First record of the batch, from 1: a number among the records that this reading has.
        row: u64,
        /// What Polars said.
        #[source]
        source: PolarsError,
    },
    /// A parser thread ended with a panic: a defect of ours.
    #[error(
        "object '{object}': parser stopped in the batch that starts at record {row} of those read; \
         this is a defect, please report it"
    )]
    Parser {
        /// Name of the object.
        object: String,
        /// First record of the batch, from 1: a number among the records that this reading has.
        row: u64,
    },
    /// A reader was asked for a part of an object that it cannot find: a defect of ours.
    #[error("object '{object}': {problem}; this is a defect, please report it")]
    Extent {
        /// Name of the object.
        object: String,
        /// Why it cannot.
        problem: &'static str,
    },
    /// A reader ended with a panic: a defect of ours.
    #[error("object '{object}': its reader stopped ({message}); this is a defect, please report it")]
    Reader {
        /// Name of the object.
        object: String,
        /// What the panic said.
        message: String,
    },
    /// The sink took no more.
    #[error("object '{object}': the batch that starts at record {row} of those read could not be passed on")]
    Sink {
        /// Name of the object.
        object: String,
        /// First record of the batch, from 1: a number among the records that this reading has.
        row: u64,
        /// What the sink said.
        #[source]
        source: SinkError,
    },
}

impl SourceError {
    /// The stable name, by what the caller does next. A sink's own error is more exact: check the source first.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorName::NotFound,
            Self::Open { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorName::AccessDenied,
            Self::Open { .. } | Self::Read { .. } => ErrorName::Unavailable,
            Self::Parquet { source, .. } if source.is_of_the_system() => ErrorName::Unavailable,
            Self::Xlsx { source, .. } if source.is_of_the_system() => ErrorName::Unavailable,
            Self::EndsEarly { .. }
            | Self::Damaged { .. }
            | Self::BytesBehind { .. }
            | Self::OtherFormat { .. }
            | Self::EmptyObject { .. }
            | Self::NotEncoded { .. }
            | Self::Dialect { .. }
            | Self::LastLines { .. }
            | Self::LastLinesTooLarge { .. }
            | Self::Columns { .. }
            | Self::LacksColumns { .. }
            | Self::OtherCase { .. }
            | Self::UnclosedQuote { .. }
            | Self::RecordTooLarge { .. }
            | Self::Json { .. }
            | Self::RecordPath { .. }
            | Self::ParquetPacked { .. }
            | Self::Parquet { .. }
            | Self::ParquetType { .. }
            | Self::ParquetRows { .. }
            | Self::Xlsx { .. }
            | Self::Avro { .. }
            | Self::Xml { .. }
            | Self::Archive { .. } => ErrorName::InvalidInput,
            Self::ParquetStream { .. }
            | Self::XlsxStream { .. }
            | Self::Extent { .. }
            | Self::Batch { .. }
            | Self::Parser { .. }
            | Self::Reader { .. }
            | Self::Sink { .. } => ErrorName::Internal,
        }
    }

    /// Whether the fault stands behind a record that can be read. Asked of beginnings, whose records are numbered.
    pub(crate) fn is_behind_a_record(&self) -> bool {
        match self {
            Self::Json { rows, .. }
            | Self::RecordPath { rows, .. }
            | Self::Avro { rows, .. }
            | Self::Xml { rows, .. } => *rows > 0,
            Self::Columns { place: Place::Record { row, .. }, .. }
            | Self::RecordTooLarge { place: Place::Record { row, .. }, .. } => *row > 1,
            _ => false,
        }
    }

    /// Whether reading the object again fails again until it is replaced: it is held, so that it does not stop the others.
    /// An object that our own reader stops at is one of them, although the defect is ours.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Batch { .. } | Self::Parser { .. } | Self::Reader { .. } => true,
            other => other.name() == ErrorName::InvalidInput,
        }
    }
}
