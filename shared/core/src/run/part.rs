//! Parts of a plan: each is read by a call of its own, and knows no other part.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditedRows, EngineChoice, FoundRange, RunRef, StagedFile, TableChange};
use crate::cost::CallUsage;
use crate::name::{ColumnName, SourceName, TableRef};
use crate::source::SourceObject;

/// Number of a part of a plan, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartNumber(NonZeroU32);

impl PartNumber {
    pub(super) const FIRST: Self = Self(NonZeroU32::MIN);

    pub(super) fn index(self) -> usize {
        usize::try_from(self.0.get() - 1).unwrap_or(usize::MAX)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One part of one attempt of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRef {
    /// The attempt.
    pub run: RunRef,
    /// The part.
    pub part: PartNumber,
    /// Which reading of it.
    pub reading: Reading,
}

impl PartRef {
    /// The first reading of a part.
    pub fn first(run: &RunRef, part: PartNumber) -> Self {
        Self { run: run.clone(), part, reading: Reading::First }
    }
}

/// Readings of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The one that knows no other part.
    First,
    /// The one that knows the parts before it: where the first has other names for their columns, or has guessed wrongly where
    /// its records begin.
    Again,
}

/// The keys of the JSON records of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectKeys {
    /// The object.
    pub object: SourceObject,
    /// Its keys.
    pub keys: Vec<String>,
}

/// What a part brings to one silver table and its quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadTable {
    /// The silver table.
    pub table: TableRef,
    /// Files with the accepted rows: those of the table itself, or, where rows are merged, those of the typed rows.
    pub accepted_files: Vec<StagedFile>,
    /// Files of its quarantine.
    pub quarantine_files: Vec<StagedFile>,
    /// Files of the table of its delete events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete_files: Vec<StagedFile>,
    /// Files, next to those of the typed rows, of delete events that their table has already, from a run that did not
    /// come to the silver table: they end rows, and are not stored once more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored_delete_files: Vec<StagedFile>,
    /// Rows read.
    pub source: u64,
    /// Rows of them that broke an error rule.
    pub quarantined: u64,
    /// The others but the delete events.
    pub accepted: u64,
    /// Broken rules, by id.
    pub broken_rules: BTreeMap<String, u64>,
    /// What parts have counted in the accepted files. `None` where rows are merged, because the rows to audit are still
    /// to be made, for what one call has read, and where a part was read by an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audited: Option<AuditedRows>,
    /// Of columns that are read by a path: whether a row has its last step. `false`: rows have an object that lacks a
    /// key of the path, or a list that is too short, and no row has it. A column is left out where no row says
    /// either: what comes before is null, or of another kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths_met: BTreeMap<ColumnName, bool>,
}

/// What reading a part left. Written by process, once per part of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPart {
    /// The attempt.
    pub run: RunRef,
    /// The part.
    pub part: PartNumber,
    /// The source that its objects are from; `None` where the pipeline has one source without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// When it was read.
    pub read_at: Timestamp,
    /// Files of bronze.
    pub bronze_files: Vec<StagedFile>,
    /// The source columns of bronze with those that the part met, as its files have them.
    pub columns: Vec<String>,
    /// The silver tables of its source, in the order of the pipeline.
    pub tables: Vec<ReadTable>,
    /// The keys of its JSON records; `None` where it has no good record of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeSet<String>>,
    /// Its objects with their keys, where the part lacks a mapped key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<ObjectKeys>,
    /// By silver table, mapped columns that its rows from bronze have as null, because bronze does not have them: another part
    /// has to bring them there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<TableRef, BTreeSet<String>>,
    /// Where its records begin and end, where the part is a byte range of a landing object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundRange>,
    /// What the call that read it used; `None` of a part that process has read by itself, and while it is read. The store of
    /// documents adds it when the document is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<CallUsage>,
}

impl ReadPart {
    /// Records of the part.
    pub fn rows(&self) -> u64 {
        self.bronze_files.iter().map(|file| file.rows).sum()
    }
}

/// What was read of an attempt whose rows Spark combines. Written by process, once per attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRun {
    /// The attempt.
    pub run: RunRef,
    /// When the first of its parts was read.
    pub read_at: Timestamp,
    /// What the run wants to do to the bronze table of its (first) source.
    pub bronze: TableChange,
    /// The same for the bronze tables of the sources after the first, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_bronze: Vec<TableChange>,
    /// The silver tables, in the order of the pipeline.
    pub tables: Vec<ReadTable>,
    /// Mapped columns that no object of the run has (of JSON, no record), where bronze has them, and paths inside
    /// columns that no row has: they are null.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing_keys: BTreeSet<String>,
    /// Why Spark combines, where that was chosen after reading; otherwise the plan says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineChoice>,
}

impl ReadTable {
    /// Delete events among the rows read.
    pub fn deleted(&self) -> u64 {
        self.delete_files.iter().chain(&self.stored_delete_files).map(|file| file.rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_with_one() {
        let read = |text: &str| serde_json::from_str::<PartNumber>(text).map(|part| part.to_string()).ok();
        assert_eq!(read("1").as_deref(), Some("1"));
        for refused in ["0", "-1", "1.5", "\"1\"", "4294967296"] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }
}
