//! Facets of datasets, whether they are read or written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facet::{Facet, FacetBody};
use super::quality_facets::{Assertions, Metrics};

/// The facets of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatasetFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Facet<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Facet<Version>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage: Option<Facet<Storage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ownership: Option<Facet<DatasetOwnership>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column_lineage: Option<Facet<ColumnLineage>>,
}

impl DatasetFacets {
    /// Leaves out the lineage of columns.
    pub(super) fn drop_column_lineage(&mut self) {
        self.column_lineage = None;
    }
}

/// The facets of a dataset as something that is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_statistics: Option<Facet<InputStatistics>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data_quality_metrics: Option<Facet<Metrics>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data_quality_assertions: Option<Facet<Assertions>>,
}

/// The facets of a dataset as something that is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_statistics: Option<Facet<OutputStatistics>>,
}

/// The columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Schema {
    pub(super) fields: Vec<SchemaField>,
}

/// A column, or a value inside one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SchemaField {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) ordinal_position: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<SchemaField>,
}

impl FacetBody for Schema {
    const NAME: &'static str = "SchemaDatasetFacet";
    const VERSION: &'static str = "1-2-0";
}

/// The version of a Delta table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) dataset_version: String,
}

impl FacetBody for Version {
    const NAME: &'static str = "DatasetVersionDatasetFacet";
    const VERSION: &'static str = "1-0-1";
}

/// How it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage {
    pub(super) storage_layer: &'static str,
    pub(super) file_format: &'static str,
}

impl FacetBody for Storage {
    const NAME: &'static str = "StorageDatasetFacet";
    const VERSION: &'static str = "1-0-1";
}

/// Who owns the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DatasetOwnership {
    pub(super) owners: Vec<Owner>,
}

/// An owner: the domain that the spec names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Owner {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) owner_type: &'static str,
}

impl FacetBody for DatasetOwnership {
    const NAME: &'static str = "OwnershipDatasetFacet";
    const VERSION: &'static str = "1-0-1";
}

/// What the columns are computed from, and what decides which rows the dataset has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ColumnLineage {
    pub(super) fields: BTreeMap<String, FieldLineage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) dataset: Vec<InputField>,
}

/// What one column is computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldLineage {
    pub(super) input_fields: Vec<InputField>,
}

/// A column that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct InputField {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) field: String,
    pub(super) transformations: Vec<Transformation>,
}

/// How it takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Transformation {
    #[serde(rename = "type")]
    pub(super) type_name: &'static str,
    pub(super) subtype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) masking: bool,
}

impl FacetBody for ColumnLineage {
    const NAME: &'static str = "ColumnLineageDatasetFacet";
    const VERSION: &'static str = "1-2-0";
}

/// How much was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputStatistics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row_count: Option<u64>,
    pub(super) size: u64,
    pub(super) file_count: usize,
}

impl FacetBody for InputStatistics {
    const NAME: &'static str = "InputStatisticsInputDatasetFacet";
    const VERSION: &'static str = "1-0-0";
}

/// How much was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputStatistics {
    pub(super) row_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    pub(super) file_count: u64,
}

impl FacetBody for OutputStatistics {
    const NAME: &'static str = "OutputStatisticsOutputDatasetFacet";
    const VERSION: &'static str = "1-0-2";
}
