//! Columns of datasets: their schema, and what they are computed from.

use std::collections::BTreeMap;

use super::dataset_facets::{ColumnLineage, FieldLineage, InputField, Schema, SchemaField, Transformation};
use super::facet::Facet;
use super::model::Dataset;
use super::names::table_dataset;
use crate::columns::{StoredColumn, is_own_of_bronze};
use crate::contract::{ColumnType, TableContract};
use crate::lineage::{ColumnRef, Edge, Kind, Lineage};
use crate::name::TableRef;
use crate::uri::FolderUri;

/// The columns of a table, with the descriptions that its contract has.
pub(super) fn schema(columns: &[StoredColumn], contract: Option<&TableContract>) -> Facet<Schema> {
    let field = |(place, StoredColumn { name, column_type }): (usize, &StoredColumn)| {
        let described = contract.and_then(|contract| contract.column(name));
        SchemaField {
            description: described.and_then(|column| column.description.clone()),
            ..schema_field(name, column_type, place)
        }
    };
    Facet::of(Schema { fields: columns.iter().enumerate().map(field).collect() })
}

fn schema_field(name: &str, column_type: &ColumnType, place: usize) -> SchemaField {
    let fields = match column_type {
        ColumnType::Object(inner) => inner
            .iter()
            .enumerate()
            .map(|(place, field)| schema_field(&field.name, &field.column_type, place))
            .collect(),
        _ => Vec::new(),
    };
    SchemaField {
        name: name.to_owned(),
        type_name: column_type.to_string(),
        description: None,
        ordinal_position: place + 1,
        fields,
    }
}

/// What the columns of a silver or gold table are computed from; `None` for a table whose columns the lineage does not
/// have, such as a quarantine.
pub(super) fn computed(lake: &FolderUri, lineage: &Lineage, table: &TableRef) -> Option<Facet<ColumnLineage>> {
    let mut fields = BTreeMap::new();
    for column in lineage.columns_of(table) {
        if let Some(name) = column.column() {
            let input_fields = input_fields(lake, lineage.edges_to(column));
            fields.insert(name.to_owned(), FieldLineage { input_fields });
        }
    }
    let dataset = input_fields(lake, lineage.edges_to(&ColumnRef::rows(table.clone())));
    (!fields.is_empty()).then(|| Facet::of(ColumnLineage { fields, dataset }))
}

/// What takes part, by column. A statement that counts rows names no column: such an edge has no place in the facet.
fn input_fields<'a>(lake: &FolderUri, edges: impl Iterator<Item = &'a Edge>) -> Vec<InputField> {
    let mut by_column: BTreeMap<(&TableRef, &str), Vec<Transformation>> = BTreeMap::new();
    for edge in edges {
        if let Some(column) = edge.from().column() {
            by_column.entry((edge.from().table(), column)).or_default().push(transformation(edge));
        }
    }
    let field = |((table, column), transformations): ((&TableRef, &str), Vec<Transformation>)| {
        input_field(&table_dataset(lake, table), column, transformations)
    };
    by_column.into_iter().map(field).collect()
}

fn input_field(of: &Dataset, column: &str, transformations: Vec<Transformation>) -> InputField {
    let (namespace, name) = (of.namespace.clone(), of.name.clone());
    InputField { namespace, name, field: column.to_owned(), transformations }
}

fn transformation(edge: &Edge) -> Transformation {
    Transformation {
        type_name: edge.kind().type_name(),
        subtype: edge.kind().subtype(),
        description: edge.path().map(|path| format!("the value at {path}")),
        masking: edge.is_masking(),
    }
}

/// What bronze has of its source: each column of the files as it was delivered. The columns that Sluice adds to it come
/// from no file.
pub(super) fn delivered(from: &Dataset, columns: &[StoredColumn]) -> Facet<ColumnLineage> {
    let identity = || Transformation {
        type_name: Kind::Identity.type_name(),
        subtype: Kind::Identity.subtype(),
        description: None,
        masking: false,
    };
    let of_source = columns.iter().filter(|column| !is_own_of_bronze(&column.name));
    let field = |column: &StoredColumn| {
        let input_fields = vec![input_field(from, &column.name, vec![identity()])];
        (column.name.clone(), FieldLineage { input_fields })
    };
    Facet::of(ColumnLineage { fields: of_source.map(field).collect(), dataset: Vec::new() })
}
