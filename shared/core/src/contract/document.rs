//! The parts of an ODCS document that are executed or refused. Everything else is documentation and not read.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContractDocument {
    pub id: String,
    pub version: String,
    pub api_version: String,
    #[serde(default)]
    pub schema: Vec<SchemaObject>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaObject {
    pub name: String,
    pub logical_type: Option<String>,
    #[serde(default)]
    pub properties: Vec<Property>,
    #[serde(default)]
    pub quality: Vec<Quality>,
    #[serde(default)]
    pub relationships: Vec<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Property {
    pub name: String,
    pub physical_name: Option<String>,
    pub description: Option<String>,
    pub logical_type: Option<String>,
    pub logical_type_options: Map<String, Value>,
    pub physical_type: Option<String>,
    pub required: bool,
    pub unique: bool,
    pub primary_key: bool,
    pub primary_key_position: Option<i64>,
    pub partitioned: bool,
    pub partition_key_position: Option<i64>,
    pub classification: Option<String>,
    pub semantic_type: Option<String>,
    #[serde(rename = "enum")]
    pub allowed: Vec<EnumValue>,
    pub relationships: Vec<Value>,
    pub quality: Vec<Quality>,
    /// The elements of a list.
    pub items: Option<Box<Property>>,
    /// The values inside an object.
    pub properties: Vec<Property>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct EnumValue {
    pub value: Value,
}

/// One entry of `quality`. Fields that only document a rule are left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Quality {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub metric: Option<String>,
    pub rule: Option<String>,
    pub query: Option<String>,
    pub engine: Option<String>,
    pub arguments: Map<String, Value>,
    pub unit: Option<String>,
    pub severity: Option<String>,
    pub dimension: Option<String>,
    pub description: Option<String>,
    pub schedule: Option<String>,
    pub scheduler: Option<String>,
    pub custom_properties: Vec<Value>,
    pub must_be: Option<Value>,
    pub must_not_be: Option<Value>,
    pub must_be_greater_than: Option<Value>,
    pub must_be_greater_or_equal_to: Option<Value>,
    pub must_be_less_than: Option<Value>,
    pub must_be_less_or_equal_to: Option<Value>,
    pub must_be_between: Option<Vec<Value>>,
    pub must_not_be_between: Option<Vec<Value>>,
}
