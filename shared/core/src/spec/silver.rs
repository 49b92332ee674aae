//! Clean tables: what they are made from, how rows enter them, and when a run is rejected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::ColumnSource;
use super::limit::{DeletedLimit, QuarantineLimit};
use crate::name::{ColumnName, SourceName, TableName};
use crate::uri::LakePath;

/// A clean table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilverSpec {
    /// Table name.
    pub table: TableName,
    /// The source that it reads, by its name in `sources`. Needed where the pipeline has `sources`, and left out where it
    /// has `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// Path of its contract (ODCS), relative to the spec.
    pub contract: LakePath,
    /// Contract column -> source column, or the path of a value inside one, such as `$.address.city`, or a value about the
    /// origin of the row, such as `_source_file.name`. Source columns are read as text and cast to the contract's type
    /// before the SQL runs. Contract columns that are not listed here are computed by the SQL. A name that the contract
    /// does not have is a helper: the SQL reads it, and it is not stored.
    pub columns: BTreeMap<ColumnName, ColumnSource>,
    /// `SELECT <expressions> FROM bronze`: row-wise, portable SQL. Left out: the listed columns as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// How rows enter the table.
    pub mode: WriteModeSpec,
    /// Key columns, for `merge`, `scd2` and `snapshot`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ColumnName>,
    /// The column that decides which of two rows with one key is newer, for `merge` and `scd2`. Left out: the time at
    /// which the source object was modified last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_by: Option<ColumnName>,
    /// The columns whose values make a version of a key, for `scd2`: an event that changes none of them makes no version.
    /// Left out: all columns of the contract but `keys` and `latest_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Vec<ColumnName>>,
    /// Which source rows are delete events, for `merge` and `scd2`: a condition on the columns that the SQL reads, such
    /// as `op = 'D'`. Of a delete event, only the keys and `latest_by` count. Merge removes its key, scd2 ends the
    /// current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_when: Option<String>,
    /// The tool that writes the feed of inserts, updates and deletes, for `merge` and `scd2`. It stands for `delete_when`
    /// and for columns that are read as this tool writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedSpec>,
    /// What is one full snapshot in a folder below the landing folder, for `replace` and `snapshot`. Needed where such a
    /// folder has several objects. With `scd2`, every delivery is a full snapshot: keys that it lacks end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotSpec>,
    /// Limits of the run as a whole, in addition to the contract's rules.
    #[serde(default)]
    pub gate: GateSpec,
}

/// How rows enter a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WriteModeSpec {
    /// Rows are added.
    Append,
    /// The rows of the newest snapshot replace the table.
    Replace,
    /// One row per key: the newest by `latest_by`, ties by the newer delivery.
    Merge,
    /// Every version of a key, with `_valid_from`, `_valid_to` and `_is_current`.
    Scd2,
    /// One row per key, those of the newest full snapshot: rows that did not change are not written again.
    Snapshot,
}

/// A tool that writes a feed of inserts, updates and deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedSpec {
    /// AWS DMS, as CSV or Parquet: the column `Op` is `D` in a delete event.
    Dms,
    /// Debezium: each event is an envelope with the row `before` and `after` the change. Names in `columns` are those of
    /// the row, paths begin at the envelope. `latest_by` is read from `$.ts_ms` where `columns` does not map it.
    Debezium,
    /// Debezium with the schema in each event: the envelope is in `payload`. Paths begin at the event: `$.payload.ts_ms`.
    DebeziumWithSchema,
}

impl FeedSpec {
    /// As a spec writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dms => "dms",
            Self::Debezium => "debezium",
            Self::DebeziumWithSchema => "debezium_with_schema",
        }
    }

    /// The path of the envelope that rows are in; `None` where records are rows.
    pub fn envelope(self) -> Option<&'static str> {
        match self {
            Self::Dms => None,
            Self::Debezium => Some("$"),
            Self::DebeziumWithSchema => Some("$.payload"),
        }
    }
}

/// What is one full snapshot in a folder below the landing folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotSpec {
    /// The objects directly in one folder are the parts of one snapshot, as Spark writes them. While one of them is
    /// held, still changes, is not complete yet or cannot be read, the table keeps the snapshot that it has.
    Folder,
    /// Each object is a snapshot.
    Object,
}

/// Limits of the rows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSpec {
    /// The share of the run's rows that goes to quarantine must be below this many percent (above 0, up to 100), or `none`
    /// for no limit. By default a run is rejected when 10 % of its rows or more are quarantined, and more than one. Source
    /// objects that are within the limit by themselves are published, and the others held.
    #[serde(default)]
    pub quarantined_percent_below: QuarantineLimit,
    /// The share of the table's keys that a snapshot lacks must be below this many percent (above 0, up to 100), or `none`
    /// for no limit: for `snapshot`, and `scd2` with `snapshot`. By default a run is rejected whose snapshot lacks 50 % of
    /// the keys or more, and more than one.
    #[serde(default, skip_serializing_if = "DeletedLimit::is_default")]
    pub deleted_percent_below: DeletedLimit,
}
