//! The kinds of documents that a run has.

use std::fmt;

use super::RunRef;
use crate::name::{PipelineName, RunId};

/// A run with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub run_id: RunId,
}

impl RunKey {
    /// An attempt of the run.
    pub fn attempt(&self, attempt: u32) -> RunRef {
        RunRef { pipeline: self.pipeline.clone(), run_id: self.run_id.clone(), attempt }
    }
}

impl RunRef {
    /// The run that this is an attempt of.
    pub fn key(&self) -> RunKey {
        RunKey { pipeline: self.pipeline.clone(), run_id: self.run_id.clone() }
    }
}

/// What a document says about a run. Its name is part of the document's path, so a name that lakes have must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// What an attempt is going to do.
    Plan,
    /// What an attempt wants to do to the tables.
    Changeset,
    /// What reading one part of an attempt left.
    Part,
    /// What was read of an attempt whose rows Spark combines.
    Read,
    /// The audit of an attempt's changeset.
    Verdict,
    /// What an attempt published.
    Receipt,
    /// What an attempt published before a conflict stopped it.
    PartialReceipt,
    /// That an attempt wants no cluster any more.
    Closed,
    /// The whole run in one page.
    Report,
    /// The events of an attempt that has ended, as they are sent to catalogues.
    Lineage,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Plan,
        Self::Part,
        Self::Read,
        Self::Changeset,
        Self::Verdict,
        Self::Receipt,
        Self::PartialReceipt,
        Self::Closed,
        Self::Report,
        Self::Lineage,
    ];

    /// The name, as paths and messages have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Part => "part",
            Self::Read => "read",
            Self::Changeset => "changeset",
            Self::Verdict => "verdict",
            Self::Receipt => "receipt",
            Self::PartialReceipt => "partial",
            Self::Closed => "closed",
            Self::Report => "report",
            Self::Lineage => "lineage",
        }
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mark that an attempt's search for one cluster and one step leaves, one per round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterMark {
    /// A caller's turn to launch the cluster.
    Launch,
    /// A caller's turn to submit the step.
    Step,
    /// The cluster that was launched.
    Cluster,
}

impl ClusterMark {
    /// The name, as paths have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Step => "step",
            Self::Cluster => "cluster",
        }
    }
}
