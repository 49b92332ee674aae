//! The pipeline spec: what a person writes in `pipeline.yaml`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::RunPolicy;
use crate::alert::AlertsSpec;
use crate::columns::folded_name;
use crate::contract::ContractError;
use crate::engine::EnginePreference;
use crate::files::FileSelection;
use crate::name::{DomainName, PipelineName, SourceName, TableName, TableRef};
use crate::path::RecordPath;
use crate::sql::SqlError;
use crate::uri::LakePath;

mod archive;
mod columns;
mod csv;
mod fixed_width;
mod limit;
mod silver;
mod size;
mod wording;
mod xlsx;

pub use self::archive::ArchiveSpec;
pub use self::columns::{ColumnSource, Minus, Percent, ReadSpec};
pub use self::csv::{
    AsciiChar, CsvHeader, CsvSpec, Delimiter, EscapeCodes, HeaderLines, HeaderNames, Quote, RaggedRecords, RecordEnd,
    SignsError, TextEncoding, UnknownEncoding,
};
pub use self::fixed_width::{FixedColumn, FixedWidthSpec};
pub use self::limit::{DeletedLimit, PercentBelow, PercentBelowError, QuarantineLimit};
pub use self::silver::{FeedSpec, GateSpec, SilverSpec, SnapshotSpec, WriteModeSpec};
pub use self::size::{LambdaLimits, PartsSpec};
pub use self::xlsx::{CellRange, CellRangeError, SheetChoice, XlsxSpec};

/// Largest spec or contract accepted, in bytes: far above any real one, far below what could exhaust a Lambda.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// Why a spec cannot run. The message names the file, the table and the fix.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not YAML, an unknown key, or a value of the wrong type.
    #[error("spec {origin}: {message}")]
    Unreadable {
        /// File the spec came from.
        origin: String,
        /// What and where, with line and column.
        message: String,
    },
    /// The spec names a contract that does not exist.
    #[error("spec of `{pipeline}`: contract {path} is missing; its path is relative to the spec")]
    MissingContract {
        /// The pipeline.
        pipeline: PipelineName,
        /// Path as the spec writes it.
        path: LakePath,
    },
    /// A contract is wrong or asks for what is not executed.
    #[error("spec of `{pipeline}`: table `{table}`")]
    Contract {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table whose contract it is.
        table: TableName,
        /// What is wrong with the contract.
        #[source]
        source: Box<ContractError>,
    },
    /// A SQL text is refused.
    #[error("spec of `{pipeline}`: table `{table}`: sql")]
    Sql {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table whose SQL it is.
        table: TableName,
        /// What is refused, with its position.
        #[source]
        source: SqlError,
    },
    /// A function cannot have these limits.
    #[error(
        "spec of `{pipeline}`: lambda_limits of {memory_mb} MB and {duration_seconds} s: a Lambda function has 128 to \
         10240 MB of memory and 1 to 900 s; to use Spark always, write `engine: emr`"
    )]
    LambdaLimits {
        /// The pipeline.
        pipeline: PipelineName,
        /// Memory as written.
        memory_mb: u64,
        /// Duration as written.
        duration_seconds: u64,
    },
    /// Parts cannot be of this size, or so many be read at once.
    #[error(
        "spec of `{pipeline}`: parts of {size_mb} MB, {at_once} at once, ranges from {ranges_from_mb} MB: a part has 1 to \
         25000 MB of text, 1 to 1000 parts are read at once, and objects of 1 to 1000000 MB or more are read in ranges"
    )]
    Parts {
        /// The pipeline.
        pipeline: PipelineName,
        /// Size as written.
        size_mb: u64,
        /// Number as written.
        at_once: u32,
        /// Size of objects as written.
        ranges_from_mb: u64,
    },
    /// The sources of the spec contradict each other, or its silver tables.
    #[error("spec of `{pipeline}`: {problem}")]
    Sources {
        /// The pipeline.
        pipeline: PipelineName,
        /// What contradicts what, and the fix.
        problem: String,
    },
    /// Alerts that nobody would get, or that contradict each other.
    #[error("spec of `{pipeline}`: {problem}")]
    Alerts {
        /// The pipeline.
        pipeline: PipelineName,
        /// What is wrong, and the fix.
        problem: String,
    },
    /// Statements of the spec contradict each other.
    #[error("spec of `{pipeline}`: table `{table}`: {problem}")]
    Table {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table concerned.
        table: TableName,
        /// What contradicts what, and the fix.
        problem: String,
    },
}

/// A pipeline as written in `pipeline.yaml`. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// Name of the pipeline; also the folder of its runs.
    pub pipeline: PipelineName,
    /// Business domain; the folder above its tables.
    pub domain: DomainName,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where files arrive and what they are, where all of them are of one kind. Its raw table is `bronze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceSpec>,
    /// Several sources by name, at most 20, in the place of `source` and `bronze`. Each has its own folder, format and raw
    /// table, and each silver table names the one that it reads. A run takes the new files of all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<SourceName, SourceSpec>,
    /// The raw table of `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bronze: Option<BronzeSpec>,
    /// Tables of other pipelines that gold tables read. Each run reads one version of each; gold is computed again when
    /// one of them has moved on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputSpec>,
    /// Clean tables, each row of which comes from one source record.
    pub silver: Vec<SilverSpec>,
    /// Aggregates, recomputed whenever a table they read has changed.
    #[serde(default)]
    pub gold: Vec<GoldSpec>,
    /// Limits of the run as a whole, in addition to those of its tables.
    #[serde(default, skip_serializing_if = "RunGateSpec::is_default")]
    pub gate: RunGateSpec,
    /// What runs it: `lambda` (Polars in a function), `emr` (Spark on a cluster that is started for the run), or `auto`,
    /// which is lambda for every run that is estimated to stay within `lambda_limits`. A run may ask for another.
    #[serde(default)]
    pub engine: EnginePreference,
    /// Up to where `auto` chooses lambda.
    #[serde(default)]
    pub lambda_limits: LambdaLimits,
    /// How a large run is read in parts, each by a call of its own.
    #[serde(default)]
    pub parts: PartsSpec,
    /// Who may start, follow, redrive and stop its runs by the API; nobody when left out.
    #[serde(default, skip_serializing_if = "RunPolicy::is_empty")]
    pub runs: RunPolicy,
    /// Who is alerted of the ends of its runs. Without it, the default channels of the environment get errors and warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsSpec>,
}

impl PipelineSpec {
    /// Reads a spec. `origin` is the file name for messages.
    ///
    /// # Errors
    /// [`SpecError::Unreadable`] with line and column.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SpecError> {
        let unreadable = |message: String| SpecError::Unreadable { origin: origin.to_owned(), message };
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(unreadable(format!("is larger than {MAX_DOCUMENT_BYTES} bytes")));
        }
        // Only `true` and `false` are booleans, so that a source column may be called `no`.
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| unreadable(wording::explained(&error)))
    }

    /// Its sources in the order of their names, each with the name that it has in `sources`.
    pub fn all_sources(&self) -> impl Iterator<Item = (Option<&SourceName>, &SourceSpec)> {
        let named = self.sources.iter().map(|(name, source)| (Some(name), source));
        self.source.iter().map(|source| (None, source)).chain(named)
    }

    /// The contracts it names.
    pub fn contract_paths(&self) -> BTreeSet<&LakePath> {
        let inputs = self.inputs.iter().map(|input| &input.contract);
        let silver = self.silver.iter().map(|table| &table.contract);
        inputs.chain(silver).chain(self.gold.iter().map(|table| &table.contract)).collect()
    }
}

/// Where files arrive and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// Folder below the lake's root that new files arrive in.
    pub prefix: LakePath,
    /// Format of the files. Gzip and Zstandard are recognised by content, whatever the name; not for Parquet and XLSX.
    pub format: SourceFormat,
    /// How CSV files are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvSpec>,
    /// Which cells of XLSX workbooks are the table. Default: the first sheet, whose first row has the names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xlsx: Option<XlsxSpec>,
    /// Which characters of the lines of files of fixed width are which column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_width: Option<FixedWidthSpec>,
    /// Where the records of a JSON document, an NDJSON line, or an Avro record are, if they are not the document itself:
    /// the path of a list, such as `$.Records[*]`. Each of its elements is a record. Of XML, which elements are records:
    /// the path of their names from the root on, such as `/orders/order`; `*` stands for any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordPath>,
    /// That objects may be archives (zip, tar, tar in gzip or Zstandard), and which of their members are read. Without
    /// it, archives are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveSpec>,
    /// Which files of the folder are taken.
    #[serde(default, skip_serializing_if = "FileSelection::is_default")]
    pub files: FileSelection,
    /// Whether the name of a source column must be written as in `columns`. Default `exact`.
    #[serde(default, skip_serializing_if = "ColumnCase::is_default")]
    pub column_case: ColumnCase,
    /// Texts that are null in every column of silver tables, exactly as they are written: `NA`, `NULL`, `-`. Default
    /// none. Bronze keeps the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_words: Vec<String>,
    /// Name of its raw table, for one of several `sources`. The raw table of `source` is written as `bronze` of the
    /// pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bronze: Option<TableName>,
}

/// Whether case counts in the names of source columns that silver tables read. In the keys inside a column that is read
/// by a path it always counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnCase {
    /// An object with a column whose name differs in case alone is refused.
    #[default]
    Exact,
    /// Such a column is read. A header with two of them is refused, and a JSON record with two is quarantined.
    Ignore,
}

impl ColumnCase {
    /// Whether it is what a spec means that does not say it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is compared of a name.
    fn compared(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(name),
            Self::Ignore => Cow::Owned(folded_name(name)),
        }
    }
}

/// Format of source files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceFormat {
    /// Delimited text, with a header line or without one.
    Csv,
    /// One JSON object per line.
    Ndjson,
    /// One JSON array of objects, or objects one after the other.
    Json,
    /// Apache Parquet.
    Parquet,
    /// A sheet of a workbook of Excel.
    Xlsx,
    /// Lines in which each column has its characters.
    FixedWidth,
    /// Object container files of Apache Avro. Their records are documents, as those of JSON are.
    Avro,
    /// Documents of XML. The elements that `records` names are records, and become documents as those of JSON are.
    Xml,
}

impl SourceFormat {
    /// As a spec writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
            Self::FixedWidth => "fixed_width",
            Self::Avro => "avro",
            Self::Xml => "xml",
        }
    }

    /// Whether records are documents: each has keys of its own, values may have values inside, and a document may have
    /// a list of records.
    pub fn has_documents(self) -> bool {
        match self {
            Self::Ndjson | Self::Json | Self::Avro | Self::Xml => true,
            Self::Csv | Self::Parquet | Self::Xlsx | Self::FixedWidth => false,
        }
    }

    /// Whether values are texts, which have no values inside.
    pub fn is_flat(self) -> bool {
        match self {
            Self::Csv | Self::Xlsx | Self::FixedWidth => true,
            Self::Ndjson | Self::Json | Self::Parquet | Self::Avro | Self::Xml => false,
        }
    }

    /// Whether an object is read from its end, so that it has to be a file as a whole.
    pub fn is_read_from_file(self) -> bool {
        matches!(self, Self::Parquet | Self::Xlsx)
    }
}

/// The raw table: every source column as text, plus lineage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BronzeSpec {
    /// Table name.
    pub table: TableName,
}

/// A table of another pipeline of the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The table: `silver/<domain>/<table>` or `gold/<domain>/<table>`. SQL names it with points:
    /// `silver.<domain>.<table>`.
    pub table: TableRef,
    /// Path of a contract (ODCS), relative to the spec: the columns of the table that this pipeline relies on, with their
    /// types. SQL reads these. A copy of the table's own contract, or a part of it.
    pub contract: LakePath,
}

/// Limits of the source objects of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunGateSpec {
    /// A run that holds so many of its source objects, because they cannot be read or stored, is rejected: a whole number
    /// above 0. By default only a run is rejected whose every object is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_objects_below: Option<NonZeroU64>,
}

impl RunGateSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// An aggregate table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoldSpec {
    /// Table name.
    pub table: TableName,
    /// Path of its contract (ODCS), relative to the spec.
    pub contract: LakePath,
    /// Portable SQL over `silver.<table>` and `gold.<table>` of the same pipeline, and `<layer>.<domain>.<table>` of
    /// `inputs`.
    pub sql: String,
}

/// The spec's JSON Schema (draft 2020-12), for editors; committed as `pipelines/pipeline.schema.json`.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(PipelineSpec)
}
