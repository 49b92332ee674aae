//! A pipeline from samples: what `sluice init` finds out about files that it has not seen before.
//!
//! [`recognise`] says from the first bytes of a file what format it has and, for CSV, in which dialect it is written;
//! [`agree`] says it for several files. [`propose`] takes the records that a reader made of them, and says for each
//! column what it is called, which type it has and how its texts are read. Both say on what evidence, so that a person
//! can judge it. Nothing is guessed in silence: what a sample leaves open stays text, with a note.

mod agree;
mod arrays;
mod case;
mod column;
mod csv;
mod digits;
mod encoding;
mod envelope;
mod error;
mod front;
mod header;
mod hints;
mod keys;
mod legend;
mod lines;
mod markup;
mod names;
mod numbers;
mod order;
mod propose;
mod recognise;
mod rulers;
mod signs;
mod split;
mod times;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::contract::ColumnType;
use crate::name::ColumnName;
use crate::path::RecordPath;
use crate::spec::{ArchiveSpec, ColumnCase, ColumnSource, CsvSpec, SourceFormat, XlsxSpec};

pub use self::agree::agree;
pub use self::case::unify_case;
pub use self::digits::digit_strings;
pub use self::error::InitError;
pub use self::names::{contract_name, pipeline_name_of};
pub(crate) use self::order::{Standing, ValueOrder};
pub use self::propose::propose;
pub use self::recognise::{recognise, recognise_as, recognise_sheet};
pub use self::rulers::is_drawn;

/// Most records of a file that are sampled.
pub const MAX_RECORDS: usize = 10_000;
/// Most columns of a proposal: with more, keys are data, and the documents are larger than a spec may be.
pub const MAX_COLUMNS: usize = 2000;
/// Most bytes of a file that are sampled, unpacked.
pub const MAX_BYTES: usize = 64 << 20;

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Their format.
    pub format: SourceFormat,
    /// How they are written as CSV; `None` for other formats.
    pub csv: Option<CsvSpec>,
    /// Where the records of a JSON document are; `None` where it is the record, or a list of records.
    pub records: Option<RecordPath>,
    /// Set where the file is an archive, whose first member was examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveSpec>,
    /// Which cells are the table of a workbook; `None` for other formats, and where they are the default ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xlsx: Option<XlsxSpec>,
    /// What was decided, and on what evidence: a sentence each.
    pub evidence: Vec<String>,
    /// On what the encoding is based; decides which files agree.
    #[serde(skip)]
    certainty: encoding::Certainty,
    /// Whether fields of a CSV text are quoted; decides which files agree.
    #[serde(skip)]
    has_quotes: bool,
}

/// The records of one file, as its reader gives them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleTable {
    /// Name of the file, for messages.
    pub file: String,
    /// Its columns; all have a value for each of `records`.
    pub columns: Vec<SampleColumn>,
    /// Number of each record in the file, from 1. Those that cannot be split into columns are not among them.
    pub records: Vec<u64>,
    /// How many records cannot be split into columns.
    pub corrupt: usize,
    /// How many of these are the word `null` alone: tombstones, as Kafka writes them for deleted keys.
    pub tombstones: usize,
    /// How many of these draw or count a printed table ([`is_drawn`]).
    pub drawn: usize,
    /// What is wrong with the first record that cannot be split, but for these two.
    pub corrupt_reason: Option<String>,
    /// Keys of JSON that have long digits in quotes: ids, whose values are no numbers ([`digit_strings`]).
    pub digit_strings: BTreeSet<String>,
}

/// The texts of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleColumn {
    /// Name in the file, or the path of a value in it, as a spec writes it.
    pub name: String,
    /// One for each record; `None` where nothing is written.
    pub values: Vec<Option<String>>,
}

/// What a pipeline for the samples should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Null words of the source.
    pub null_words: Vec<String>,
    /// Whether case counts in the names of its columns.
    pub column_case: ColumnCase,
    /// The columns in the order of the file.
    pub columns: Vec<ProposedColumn>,
    /// Columns that together are unique and never null in the sample, and are named like a key; may be empty.
    pub key: Vec<ColumnName>,
    /// The column that could say which of two rows of a key is newer.
    pub latest_by: Option<ColumnName>,
    /// Records of the samples, without those that cannot be split into columns.
    pub records: usize,
    /// Records of the samples that cannot be split into columns.
    pub corrupt: usize,
    /// Those of them that are the word `null` alone.
    pub tombstones: usize,
    /// Those of them that draw or count a printed table.
    pub drawn: usize,
    /// Records that go to quarantine, both kinds.
    pub refused_records: usize,
    /// What is open, or was decided although the sample does not prove it.
    pub notes: Vec<String>,
}

/// A column of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProposedColumn {
    /// Its name in the contract.
    pub name: ColumnName,
    /// The source column, and how its texts are read.
    pub source: ColumnSource,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether null is a broken rule.
    pub required: bool,
    /// What its values seem to be.
    pub classification: Option<Classification>,
    /// Values that are null in the sample.
    pub nulls: usize,
    /// Different values in the sample, without null.
    pub distinct: usize,
    /// The least and the greatest number or ISO day of the sample.
    pub range: Option<(String, String)>,
    /// All values of the sample where these are few and say nothing about a person.
    pub values: Vec<String>,
    /// Values of the sample that cannot be read as the type.
    pub refused: Option<RefusedValues>,
    /// What a person should know about the decision.
    pub notes: Vec<String>,
}

/// Values that cannot be read as the type of their column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedValues {
    /// How many.
    pub count: usize,
    /// Of how many that are not null.
    pub of: usize,
    /// The first of them, shortened.
    pub example: String,
    /// File of the first.
    pub file: String,
    /// Number of its record, from 1.
    pub record: u64,
}

/// What values seem to be, and how confidential that makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// E-mail addresses.
    Email,
    /// Phone numbers.
    Phone,
    /// Numbers of payment cards: their check digit holds.
    Card,
    /// International bank account numbers: their check digits hold.
    Iban,
    /// Names of people, judging by the header.
    PersonName,
    /// Dates of birth, judging by the header.
    BirthDate,
    /// Addresses of people, judging by the header.
    Address,
}

impl Classification {
    /// The contract's word for how it is to be treated.
    pub fn word(self) -> &'static str {
        match self {
            Self::Card | Self::Iban => "restricted",
            Self::Email | Self::Phone | Self::PersonName | Self::BirthDate | Self::Address => "confidential",
        }
    }

    /// What the values seem to be, in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Email => "e-mail addresses",
            Self::Phone => "phone numbers",
            Self::Card => "numbers of payment cards: the check digit holds",
            Self::Iban => "bank account numbers: the check digits hold",
            Self::PersonName => "names of people, by the header",
            Self::BirthDate => "dates of birth, by the header",
            Self::Address => "addresses, by the header",
        }
    }
}
