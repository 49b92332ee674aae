//! Answers about runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_core::run::{Decision, Outcome, ReportedError, RowCounts, Verdict};
use sluice_executions::history::PassedState;
use utoipa::ToSchema;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunState {
    /// Runs, or waits for its turn.
    Running,
    /// Tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate said no; nothing was published.
    Rejected,
    /// A step failed, or the run took too long.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It did not fail; the documents with the rest no longer exist.
    Succeeded,
}

impl From<Outcome> for RunState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Published => Self::Published,
            Outcome::Skipped => Self::Skipped,
            Outcome::Rejected => Self::Rejected,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// A run in one line.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct RunSummary {
    /// Identifier.
    pub(crate) run_id: String,
    /// The pipeline; missing where the execution was started with something that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pipeline: Option<String>,
    /// How far it is.
    pub(crate) state: RunState,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) ended_at: Option<Timestamp>,
    /// How often it was redriven.
    pub(crate) redrives: u32,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct RunAnswer {
    /// The run in one line.
    #[serde(flatten)]
    pub(crate) summary: RunSummary,
    /// Who asked for it, where that was a caller of this API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requested_by: Option<String>,
    /// The states it has passed, in order.
    pub(crate) states: Vec<StateAnswer>,
    /// Where the rows went, per table.
    pub(crate) rows: BTreeMap<String, RowsAnswer>,
    /// Tables committed.
    pub(crate) committed: Vec<CommitAnswer>,
    /// What the gate decided; missing before the audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<VerdictAnswer>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorAnswer>,
}

/// A state that was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct StateAnswer {
    /// Name.
    name: String,
    /// When it was entered.
    #[schema(value_type = String, format = DateTime)]
    entered_at: Timestamp,
    /// When it was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    exited_at: Option<Timestamp>,
}

impl From<PassedState> for StateAnswer {
    fn from(state: PassedState) -> Self {
        let PassedState { name, entered_at, exited_at } = state;
        Self { name, entered_at, exited_at }
    }
}

/// Where the rows of a table went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RowsAnswer {
    /// Rows read for this table.
    source: u64,
    /// Rows in the staged files.
    staged: u64,
    /// Rows that broke an error rule.
    quarantined: u64,
    /// Rows that lost to a newer row or delete event of their key, or were there already.
    collapsed: u64,
    /// Rows that are delete events.
    deleted: u64,
}

impl From<RowCounts> for RowsAnswer {
    fn from(rows: RowCounts) -> Self {
        let RowCounts { source, staged, quarantined, collapsed, deleted, .. } = rows;
        Self { source, staged, quarantined, collapsed, deleted }
    }
}

/// A committed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CommitAnswer {
    /// The table.
    pub(crate) table: String,
    /// Its version that holds the change.
    pub(crate) version: u64,
    /// Rows after the commit.
    pub(crate) rows: u64,
}

/// What the gate decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct VerdictAnswer {
    /// `passed`, `rejected` or `accepted` (rejected, and a person accepted it).
    decision: &'static str,
    /// Number of rules that were checked.
    rules: usize,
    /// Broken error rules, as `<table>: <rule>`.
    broken_rules: Vec<String>,
}

impl From<&Verdict> for VerdictAnswer {
    fn from(verdict: &Verdict) -> Self {
        Self {
            decision: match verdict.decision {
                Decision::Passed => "passed",
                Decision::Rejected => "rejected",
                Decision::Accepted => "accepted",
            },
            rules: verdict.tables.iter().map(|table| table.rules.len()).sum(),
            broken_rules: verdict.broken().into_iter().map(|(rule, _)| rule).collect(),
        }
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ErrorAnswer {
    /// Stable name of the error.
    name: String,
    /// What happened, in words. A message that may quote rows or lines of a file is not shown here: `sluice runs show` prints it.
    message: String,
    /// What to do.
    next_step: &'static str,
}

impl From<ReportedError> for ErrorAnswer {
    fn from(error: ReportedError) -> Self {
        let ReportedError { error: name, cause } = error.unwrapped();
        let message = name.message_for_callers(cause);
        let next_step = name.next_step();
        Self { name: name.into(), message, next_step }
    }
}

/// A page of runs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct RunsAnswer {
    /// Runs, newest first. There may be fewer than `limit`, even none, although more follow.
    pub(crate) runs: Vec<RunSummary>,
    /// What to send as `cursor` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}
