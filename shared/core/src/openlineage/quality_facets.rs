//! Facets of what an audit found in a dataset.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facet::FacetBody;

/// What was counted in the rows that were audited. Least and greatest values would be values of cells, so they are not
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metrics {
    pub(super) row_count: u64,
    pub(super) bytes: u64,
    pub(super) file_count: usize,
    pub(super) column_metrics: BTreeMap<String, ColumnMetrics>,
}

/// What was counted in one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnMetrics {
    pub(super) null_count: u64,
}

impl FacetBody for Metrics {
    const NAME: &'static str = "DataQualityMetricsInputDatasetFacet";
    const VERSION: &'static str = "1-0-3";
}

/// The rules, and whether they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Assertions {
    pub(super) assertions: Vec<Assertion>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Assertion {
    pub(super) assertion: String,
    pub(super) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<String>,
    pub(super) severity: &'static str,
    pub(super) name: String,
    pub(super) expected: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actual: Option<String>,
}

impl FacetBody for Assertions {
    const NAME: &'static str = "DataQualityAssertionsDatasetFacet";
    const VERSION: &'static str = "1-1-0";
}
