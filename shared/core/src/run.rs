//! The documents of a run: one small JSON file per step, each the pointer target of a state machine payload.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::columns::StoredColumn;
use crate::contract::Severity;
use crate::engine::EnginePreference;
use crate::failure::FailureName;
use crate::name::{PipelineName, RunId, TableRef};
use crate::source::{FirstOf, HeldObject, SourceId, SourceObject};
use crate::uri::{FolderUri, ObjectUri};

mod audited;
mod cuts;
mod document;
mod part;
mod plan;

pub use self::audited::AuditedRows;
pub(crate) use self::cuts::Cut;
pub use self::cuts::{ByteRange, Cuts, CutsError, FoundRange, PartCut};
pub use self::document::{ClusterMark, DocumentKind, RunKey};
pub use self::part::{ObjectKeys, PartNumber, PartRef, ReadPart, ReadRun, ReadTable, Reading};
pub use self::plan::{
    EngineChoice, Plan, PlanStatus, PlannedObject, PlannedPart, PlannedTable, PlannedWork, ReadFrom, SourceShape,
};

pub use crate::source::Positions;

/// Most attempts of one run. Each replan answers a conflict with another writer; after 8 in a row something is wrong
/// that planning again does not solve, and the run fails with `CommitConflict`.
pub const MAX_ATTEMPTS: u32 = 8;

/// One attempt of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRef {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub run_id: RunId,
    /// 1 for the first plan; one more for every plan made again.
    pub attempt: u32,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Folder of the pipeline's spec, when it is not the lake's own `pipelines/<pipeline>/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<FolderUri>,
    /// Folder to take new files from, when it is not the pipeline's own prefix. Of a pipeline with named sources, it has a
    /// folder for each, with the name of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landing: Option<FolderUri>,
    /// What to do.
    #[serde(default)]
    pub action: RunAction,
    /// The engine, when it is not left to the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EnginePreference>,
    /// The only objects of the landing folder to take, when it is not all that is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<BTreeSet<ObjectUri>>,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RunAction {
    /// Takes new source objects to the tables.
    #[default]
    Ingest,
    /// Re-validates quarantined rows against the contract and spec as they are now.
    Replay,
    /// Publishes what a rejected run staged, on a person's word.
    Accept {
        /// The rejected run.
        run_id: RunId,
    },
}

/// A Parquet file that no reader can see until it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Path below the table's folder, as the store has it.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Partition values, as text.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Delta statistics, as the log has them (JSON text).
    pub stats: String,
}

/// How a commit changes its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Files are added; commits of others in between do not matter.
    Append,
    /// Files are replaced by rows computed from the read version.
    Rewrite,
    /// The whole table is replaced.
    Overwrite,
}

/// Where the rows of a table's change went. Every row that was read or recalled is in exactly one of the counts of
/// staged, quarantined, collapsed and deleted rows: `source + replaced + recalled = staged + quarantined + collapsed +
/// deleted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows read from the source objects (or the quarantine) for this table.
    pub source: u64,
    /// Rows of replaced files, read to be merged with.
    pub replaced: u64,
    /// Rows in the staged files.
    pub staged: u64,
    /// Rows that broke an error rule.
    pub quarantined: u64,
    /// Rows that lost to a newer row or delete event of their key, changed nothing, or were there already; of a snapshot
    /// also the rows of replaced files that it lacks.
    pub collapsed: u64,
    /// Rows that are delete events.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// Events of a history that had changed nothing, and are versions now because a late event came between.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recalled: u64,
    /// What a snapshot changed, where it was compared with the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotRows>,
}

/// Whether a count can be left out of a document.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What full snapshots did to the keys of a table. In a history, the rows are versions: a key that comes back is added,
/// and a changed key has one more version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SnapshotRows {
    /// Keys that the table did not have.
    pub added: u64,
    /// Keys whose values changed.
    pub changed: u64,
    /// Keys that the snapshot lacks.
    pub removed: u64,
    /// Keys that stay as they were.
    pub unchanged: u64,
    /// Keys that one snapshot of the run lacks: of those that lack more than the spec allows, or else of all, the one
    /// that lacks the largest share.
    pub lacked: u64,
    /// The keys that the table had before this snapshot.
    pub lacked_of: u64,
}

/// What a run does to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChange {
    /// The table.
    pub table: TableRef,
    /// Version the change was computed from; `None` creates the table.
    pub read_version: Option<u64>,
    /// How the commit changes the table.
    pub kind: ChangeKind,
    /// All columns of the table after the commit.
    pub columns: Vec<StoredColumn>,
    /// Partition columns in order.
    pub partition_by: Vec<String>,
    /// Files to add.
    pub adds: Vec<StagedFile>,
    /// Paths of files to remove, as the log has them.
    pub removes: Vec<String>,
    /// Objects whose rows this commit brings.
    pub sources: BTreeSet<SourceId>,
    /// Tables whose content this one was computed from (gold).
    pub inputs: BTreeSet<TableRef>,
    /// Where the rows went.
    pub rows: RowCounts,
    /// Rows in the table after the commit.
    pub table_rows: u64,
    /// Warning rules that accepted rows broke and rules that quarantined rows broke: rule id and number of rows, above 0.
    pub broken_rules: BTreeMap<String, u64>,
    /// What changed in the columns, in words.
    pub schema_changes: Vec<String>,
    /// What the parts of the run have counted in the files to add, where each of them has and no other file is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audited: Option<AuditedRows>,
}

/// Everything a run wants to do to the tables. Written by process, once per attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changeset {
    /// The attempt.
    pub run: RunRef,
    /// When it was staged.
    pub staged_at: Timestamp,
    /// Changes in the order of publication.
    pub tables: Vec<TableChange>,
    /// Mapped columns that no object of the run has (of JSON, no record), where bronze has them, and paths inside
    /// columns that no row has: they are null.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing_keys: BTreeSet<String>,
    /// The engine that combined the rows, where that was chosen after they were read; otherwise it is that of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineChoice>,
}

impl Changeset {
    /// The engine that combined the rows of a plan.
    pub fn engine<'a>(&'a self, plan: &'a Plan) -> &'a EngineChoice {
        self.engine.as_ref().unwrap_or(&plan.engine)
    }
}

/// What the gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Every error rule holds.
    Passed,
    /// An error rule is broken; nothing is published.
    Rejected,
    /// An error rule is broken and a person accepted it.
    Accepted,
}

/// The outcome of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleResult {
    /// Stable name of the rule within its table.
    pub rule: String,
    /// What is measured, in words.
    pub description: String,
    /// What a broken rule leads to.
    pub severity: Severity,
    /// Quality dimension.
    pub dimension: Option<String>,
    /// The number observed.
    pub observed: String,
    /// What was expected, such as `= 0` or `< 10 %`.
    pub expected: String,
    /// Whether it holds.
    pub passed: bool,
}

/// The audit of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVerdict {
    /// The table.
    pub table: TableRef,
    /// Contract audited against.
    pub contract: String,
    /// Share of rules that hold, 0 to 100.
    pub score: String,
    /// Every rule.
    pub rules: Vec<RuleResult>,
}

/// A person's word for a rejected changeset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Who accepted.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// The broken rules accepted, as `<table>: <rule>`. Others still reject.
    pub rules: BTreeSet<String>,
}

/// The audit of a changeset. Written by quality-check, once per attempt; an acceptance is added to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The attempt.
    pub run: RunRef,
    /// When it was made.
    pub audited_at: Timestamp,
    /// The decision.
    pub decision: Decision,
    /// One audit per table.
    pub tables: Vec<TableVerdict>,
    /// A person's word, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
}

impl Verdict {
    /// The error rules that are broken, as `<table>: <rule>`, with their results.
    pub fn broken(&self) -> Vec<(String, &RuleResult)> {
        self.broken_with(Severity::Error)
    }

    /// The warning rules that are broken, as `<table>: <rule>`, with their results. They reject nothing.
    pub fn warnings(&self) -> Vec<(String, &RuleResult)> {
        self.broken_with(Severity::Warning)
    }

    fn broken_with(&self, severity: Severity) -> Vec<(String, &RuleResult)> {
        let broken = |rule: &&RuleResult| !rule.passed && rule.severity == severity;
        self.tables
            .iter()
            .flat_map(|t| t.rules.iter().filter(broken).map(move |r| (format!("{}: {}", t.table, r.rule), r)))
            .collect()
    }
}

/// A committed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedTable {
    /// The table.
    pub table: TableRef,
    /// Its version that holds the change.
    pub version: u64,
    /// Rows after the commit.
    pub rows: u64,
    /// Files added and removed by the commit.
    pub files_added: u64,
    /// Files removed by the commit.
    pub files_removed: u64,
}

/// What the attempts before a plan committed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Earlier {
    /// Their source objects.
    pub objects: Vec<SourceObject>,
    /// The tables they committed.
    pub tables: Vec<EarlierCommit>,
}

impl Earlier {
    /// Whether nothing was committed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Its source objects and those of a later plan, each once.
    pub fn and<'a>(&'a self, planned: &'a [PlannedObject]) -> impl Iterator<Item = &'a SourceObject> {
        let is_planned = |object: &SourceObject| planned.iter().any(|planned| planned.object.is_same_version(object));
        let earlier = self.objects.iter().filter(move |object| !is_planned(object));
        earlier.chain(planned.iter().map(|planned| &planned.object))
    }
}

/// A table that an earlier attempt of a run committed, with what it did to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierCommit {
    /// The table as committed.
    pub committed: CommittedTable,
    /// How the commit changed the table.
    pub kind: ChangeKind,
    /// Where the rows went.
    pub rows: RowCounts,
}

/// What was published. Written by publish, last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The attempt.
    pub run: RunRef,
    /// When the last table was committed.
    pub published_at: Timestamp,
    /// Tables in the order of their commits.
    pub tables: Vec<CommittedTable>,
}

/// What was published before a conflict stopped the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartialReceipt(pub Receipt);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate said no.
    Rejected,
    /// A step failed.
    Failed,
}

/// The run in one page, for people and machines. Written by notify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The pipeline; unknown when the request could not be read.
    pub pipeline: Option<PipelineName>,
    /// The run.
    pub run_id: RunId,
    /// Attempt that ended the run; 0 when there was no plan.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Source objects of the run.
    pub sources: Vec<SourceObject>,
    /// Objects that the run held, because they are at fault, and went on without.
    #[serde(default, skip_serializing_if = "FirstOf::is_empty")]
    pub held: FirstOf<HeldObject>,
    /// Gold tables that were left as they are, because a table of another pipeline is not as they need it, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<TableRef, String>,
    /// Row counts per table.
    pub rows: BTreeMap<String, RowCounts>,
    /// Tables committed.
    pub committed: Vec<CommittedTable>,
    /// Broken error rules.
    pub broken_rules: Vec<String>,
    /// Broken warning rules, whatever the outcome.
    #[serde(default)]
    pub warnings: Vec<ReportedWarning>,
    /// The error of a failed run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ReportedError>,
}

/// A warning rule that the run's data broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedWarning {
    /// Table and rule, as `<table>: <rule>`.
    pub rule: String,
    /// What was observed: rows that break a row rule, the number of a rule about the table.
    pub observed: String,
    /// What was expected.
    pub expected: String,
}

impl From<(String, &RuleResult)> for ReportedWarning {
    fn from((rule, result): (String, &RuleResult)) -> Self {
        Self { rule, observed: result.observed.clone(), expected: result.expected.clone() }
    }
}

/// The error of a failed run, as the state machine has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// Stable name.
    #[serde(rename = "Error", default)]
    pub error: FailureName,
    /// Message.
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

impl ReportedError {
    /// The error with the function's own message as its cause. Lambda wraps the message in JSON, with a stack trace.
    #[must_use]
    pub fn unwrapped(self) -> Self {
        #[derive(Deserialize)]
        struct Wrapped {
            #[serde(rename = "errorMessage")]
            message: String,
        }
        match serde_json::from_str(&self.cause) {
            Ok(Wrapped { message }) => Self { cause: message, ..self },
            Err(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorName;

    #[test]
    fn causes_are_the_functions_own_words() {
        let check = |cause: &str, expected: &str| {
            let error = ReportedError { error: ErrorName::NotFound.into(), cause: cause.to_owned() };
            let expected = ReportedError { error: ErrorName::NotFound.into(), cause: expected.to_owned() };
            assert_eq!(error.unwrapped(), expected);
        };
        check(r#"{"errorMessage":"no table","errorType":"NotFound","trace":[]}"#, "no table");
        check("no table", "no table");
        check(r#"{"errorType":"Runtime.ExitError"}"#, r#"{"errorType":"Runtime.ExitError"}"#);
        check("", "");
    }
}
