//! Why no pipeline can be proposed.

use crate::spec::SourceFormat;

/// Why no pipeline can be proposed for samples. Every message names the file and the fix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InitError {
    /// Nothing is in it, or blank lines alone.
    #[error("{file} is empty; give a file that has records")]
    Empty {
        /// The file.
        file: String,
    },
    /// It has a header and no record.
    #[error("{file} has a header and no record, so nothing is known about its values; give a file that has records")]
    OnlyHeader {
        /// The file.
        file: String,
    },
    /// It is not text, and no format that is read.
    #[error("{file} is {what}, which is not read; {fix}")]
    Unknown {
        /// The file.
        file: String,
        /// What it is.
        what: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// Bytes that are neither UTF-8 nor Windows-1252.
    #[error(
        "{file} is not UTF-8 ({broken} sequences of bytes are not), and {undefined} bytes are no characters of \
         Windows-1252; name its encoding with `sluice init --encoding`, such as shift_jis, big5, gb18030, euc-kr, \
         koi8-r or iso-8859-2"
    )]
    UnknownEncoding {
        /// The file.
        file: String,
        /// Sequences that are not UTF-8.
        broken: usize,
        /// Bytes that Windows-1252 does not have.
        undefined: usize,
    },
    /// An encoding was named that its bytes do not fit.
    #[error("{file} is not {encoding}: it {what}; name another with --encoding, or leave it out")]
    OtherEncoding {
        /// The file.
        file: String,
        /// The encoding that was named.
        encoding: String,
        /// What contradicts it.
        what: String,
    },
    /// An encoding was named for a format that has one of its own.
    #[error("{file} is {}, and --encoding is for CSV: {why}; leave --encoding out", format_word(*format))]
    EncodingOfFormat {
        /// The file.
        file: String,
        /// Its format.
        format: SourceFormat,
        /// Why it has no other encoding.
        why: &'static str,
    },
    /// A text of several lines that no usual delimiter splits, and that is no list of values either.
    #[error("{file} has no usual delimiter (comma, semicolon, tab or `|`), and looks like {looks}; {fix}")]
    NoDelimiter {
        /// The file.
        file: String,
        /// What it looks like.
        looks: String,
        /// What to do.
        fix: String,
    },
    /// Most lines end with a carriage return alone, and others with both.
    #[error(
        "{file} ends most lines with carriage returns alone, and others with line feeds, too; save it with line feeds \
         (Unix) or both (Windows)"
    )]
    CarriageReturns {
        /// The file.
        file: String,
    },
    /// Samples of two formats.
    #[error(
        "{first} is {} and {second} is {}; a pipeline reads one format, so call init for each of them",
        format_word(*first_format),
        format_word(*second_format)
    )]
    MixedFormats {
        /// A file.
        first: String,
        /// Its format.
        first_format: SourceFormat,
        /// A file of another format.
        second: String,
        /// Its format.
        second_format: SourceFormat,
    },
    /// Samples that are written in two ways.
    #[error(
        "{first} and {second} are written in two ways ({difference}); a pipeline reads one, so call init for \
         each of them"
    )]
    MixedDialects {
        /// A file.
        first: String,
        /// A file that is written in another way.
        second: String,
        /// What differs.
        difference: String,
    },
    /// Samples without a common column.
    #[error("{first} and {second} have no column in common; call init for each of them")]
    NothingInCommon {
        /// A file.
        first: String,
        /// A file with other columns.
        second: String,
    },
    /// Its records have no key at all.
    #[error("the records of {file} have no keys, so a table would have no columns; give a file with values")]
    NoColumns {
        /// The file.
        file: String,
    },
    /// More columns than the documents of a pipeline can list.
    #[error(
        "{file} and the files with it have {columns} columns, and init writes at most {most}; where keys are data, \
         such as ids, deliver them as values, or write the pipeline by hand"
    )]
    TooManyColumns {
        /// The first file.
        file: String,
        /// How many columns.
        columns: usize,
        /// How many init writes.
        most: usize,
    },
    /// Too many records cannot be split into columns for a run to be published.
    #[error(
        "{corrupt} of {records} records of {file} cannot be split into columns ({reason}); mend the file, or give one \
         that is a table"
    )]
    NotATable {
        /// The file.
        file: String,
        /// Records that cannot be split.
        corrupt: usize,
        /// All records of the sample.
        records: usize,
        /// What is wrong with the first of them.
        reason: String,
    },
}

/// The name of a format in a spec.
fn format_word(format: SourceFormat) -> &'static str {
    match format {
        SourceFormat::Csv => "CSV",
        SourceFormat::Ndjson => "NDJSON",
        SourceFormat::Json => "JSON",
        SourceFormat::Parquet => "Parquet",
        SourceFormat::Xlsx => "XLSX",
        SourceFormat::FixedWidth => "fixed width",
        SourceFormat::Avro => "Avro",
        SourceFormat::Xml => "XML",
    }
}
