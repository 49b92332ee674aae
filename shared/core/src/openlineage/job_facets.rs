//! Facets of jobs.

use serde::Serialize;

use super::dataset_facets::Owner;
use super::facet::{Facet, FacetBody};

/// The facets of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) job_type: Option<Facet<JobType>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ownership: Option<Facet<JobOwnership>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sql: Option<Facet<Sql>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_code: Option<Facet<SourceCode>>,
}

impl JobFacets {
    /// Leaves out the text of the statement.
    pub(super) fn drop_code(&mut self) {
        (self.sql, self.source_code) = (None, None);
    }
}

/// What kind of job it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobType {
    processing_type: &'static str,
    integration: &'static str,
    job_type: &'static str,
    emission_pattern: EmissionPattern,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct EmissionPattern {
    event_trigger: &'static str,
    event_content_mode: &'static str,
}

impl JobType {
    /// A job with a beginning and an end, whose last event says what the others leave out.
    pub(super) fn of(job_type: &'static str) -> Self {
        let emission_pattern = EmissionPattern { event_trigger: "EVENT_BASED", event_content_mode: "ACCUMULATIVE" };
        Self { processing_type: "BATCH", integration: "SLUICE", job_type, emission_pattern }
    }
}

impl FacetBody for JobType {
    const NAME: &'static str = "JobTypeJobFacet";
    const VERSION: &'static str = "2-0-4";
}

/// Who owns the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct JobOwnership {
    pub(super) owners: Vec<Owner>,
}

impl FacetBody for JobOwnership {
    const NAME: &'static str = "OwnershipJobFacet";
    const VERSION: &'static str = "1-0-1";
}

/// The statement that a table is computed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Sql {
    pub(super) query: String,
}

impl FacetBody for Sql {
    const NAME: &'static str = "SQLJobFacet";
    const VERSION: &'static str = "1-1-0";
}

/// The same statement, for readers of code in any language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceCode {
    pub(super) language: &'static str,
    pub(super) source_code: String,
}

impl FacetBody for SourceCode {
    const NAME: &'static str = "SourceCodeJobFacet";
    const VERSION: &'static str = "1-0-1";
}
