//! Where documents of a run say what the run used and cost.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CallUsage, Receipt, RunUsage};
use crate::document::StepDocument;
use crate::run::{DocumentKind, Outcome, Report, RowCounts, RunKey};

/// The part of a document of a run in which its call says what it used. `D` is the document.
#[derive(Debug, Deserialize)]
#[serde(bound = "")]
pub struct UsageOf<D> {
    /// `None` in documents of versions that measured nothing, and of calls that were not measured.
    #[serde(default)]
    pub usage: Option<CallUsage>,
    #[serde(skip)]
    of: PhantomData<fn() -> D>,
}

impl<D: StepDocument> StepDocument for UsageOf<D> {
    type Of = D::Of;
    const KIND: DocumentKind = D::KIND;
}

/// What a run used, and what that cost when its report was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCost {
    /// What it used.
    pub usage: RunUsage,
    /// The receipt; `None` where this version of Sluice has no prices of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// The report of a run as notify writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportWithCost {
    /// The report.
    #[serde(flatten)]
    pub report: Report,
    /// What the run cost.
    pub cost: RunCost,
}

impl StepDocument for ReportWithCost {
    type Of = RunKey;
    const KIND: DocumentKind = DocumentKind::Report;
}

/// A report as it is read, with what the run cost where it says that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CostedReport {
    /// The report.
    #[serde(flatten)]
    pub report: Report,
    /// `None` in reports of versions that counted nothing.
    #[serde(default)]
    pub cost: Option<RunCost>,
}

impl StepDocument for CostedReport {
    type Of = RunKey;
    const KIND: DocumentKind = DocumentKind::Report;
}

/// The part of a report that says what the run cost and gave.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReportCost {
    /// How the run ended.
    pub outcome: Outcome,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Row counts per table.
    #[serde(default)]
    pub rows: BTreeMap<String, RowCounts>,
    /// `None` in reports of versions that counted nothing.
    #[serde(default)]
    pub cost: Option<RunCost>,
}

impl StepDocument for ReportCost {
    type Of = RunKey;
    const KIND: DocumentKind = DocumentKind::Report;
}
