//! Facets of runs.

use serde::Serialize;

use super::facet::{Facet, FacetBody};

/// The facets of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Facet<Parent>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_message: Option<Facet<ErrorMessage>>,
    #[serde(rename = "processing_engine", skip_serializing_if = "Option::is_none")]
    pub(super) processing_engine: Option<Facet<ProcessingEngine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Facet<Tags>>,
}

/// The run that this one is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Parent {
    pub(super) run: RunId,
    pub(super) job: JobName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunId {
    pub(super) run_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct JobName {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl FacetBody for Parent {
    const NAME: &'static str = "ParentRunFacet";
    const VERSION: &'static str = "1-2-0";
}

/// Why a run did not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorMessage {
    pub(super) message: String,
    pub(super) programming_language: &'static str,
}

impl FacetBody for ErrorMessage {
    const NAME: &'static str = "ErrorMessageRunFacet";
    const VERSION: &'static str = "1-0-1";
}

/// What executes the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ProcessingEngine {
    pub(super) version: &'static str,
    pub(super) name: &'static str,
}

impl FacetBody for ProcessingEngine {
    const NAME: &'static str = "ProcessingEngineRunFacet";
    const VERSION: &'static str = "1-1-1";
}

/// What else there is to say of a run, such as its id in Sluice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Tags {
    pub(super) tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Tag {
    pub(super) key: &'static str,
    pub(super) value: String,
    pub(super) source: &'static str,
}

impl FacetBody for Tags {
    const NAME: &'static str = "TagsRunFacet";
    const VERSION: &'static str = "1-0-0";
}
