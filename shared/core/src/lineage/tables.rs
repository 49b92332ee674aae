//! The edges of one pipeline: from bronze to silver, and from the inputs of gold to gold.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scope;
use super::statement::{Inputs, Output, Relation, Source, of_query};
use super::{ColumnRef, Edge, Kind, Lineage};
use crate::columns::{SOURCE_MODIFIED_AT, is_lineage};
use crate::contract::{ColumnType, TableContract};
use crate::name::{ColumnName, TableRef};
use crate::pipeline::{GoldTable, Pipeline, SilverTable, Versioned, WriteMode};
use crate::reading::Reading;

/// Adds the columns of a pipeline and its inputs, and their edges.
pub(super) fn add(pipeline: &Pipeline, lineage: &mut Lineage) {
    for input in &pipeline.inputs {
        add_columns(&input.table, &input.contract, lineage);
    }
    for silver in &pipeline.silver {
        let bronze = bronze_of(pipeline, silver);
        for (_, from) in &silver.columns {
            lineage.add_column(ColumnRef::new(bronze.clone(), from));
        }
        add_silver(bronze, silver, lineage);
    }
    for gold in &pipeline.gold {
        add_gold(pipeline, gold, lineage);
    }
}

/// The table whose rows a silver table reads.
fn bronze_of<'a>(pipeline: &'a Pipeline, silver: &SilverTable) -> &'a TableRef {
    let of_silver = pipeline.sources().find(|source| source.name == silver.source);
    &of_silver.unwrap_or(&pipeline.source).bronze
}

fn add_columns(table: &TableRef, contract: &TableContract, lineage: &mut Lineage) {
    for column in &contract.columns {
        lineage.add_column(ColumnRef::new(table.clone(), column.name.as_str()));
    }
}

/// The columns of the contract, as the relation computes them.
fn add_relation(table: &TableRef, contract: &TableContract, relation: &Relation, lineage: &mut Lineage) {
    add_columns(table, contract, lineage);
    for column in &contract.columns {
        if let Some(output) = relation.column(column.name.as_str()) {
            add_edges(&ColumnRef::new(table.clone(), column.name.as_str()), output.inputs.clone(), lineage);
        }
    }
    add_edges(&ColumnRef::rows(table.clone()), relation.rows.clone(), lineage);
}

fn add_edges(to: &ColumnRef, inputs: Inputs, lineage: &mut Lineage) {
    for (source, kind) in inputs.strongest() {
        // What decides about rows of bronze may be one of its own columns, which the source has, mapped or not.
        if source.column.column().is_some() {
            lineage.add_column(source.column.clone());
        }
        lineage.add_edge(Edge::new(source.column, to.clone(), kind, source.path));
    }
}

fn add_silver(bronze: &TableRef, silver: &SilverTable, lineage: &mut Lineage) {
    let mapped = mapped_columns(bronze, silver);
    let mut relation = match &silver.sql {
        Some(sql) => of_query(sql.query(), &BTreeMap::from([("bronze".to_owned(), mapped.clone())])),
        None => mapped.clone(),
    };
    let mut rows = relation.rows.clone();
    match &silver.mode {
        WriteMode::Merge(by) | WriteMode::Scd2(by) => add_versions(bronze, by, &relation, &mut rows),
        WriteMode::Snapshot(by) => add_deciding(&by.keys, Kind::GroupBy, &relation, &mut rows),
        WriteMode::Append | WriteMode::Replace => {}
    }
    if let Some(condition) = &silver.delete_when {
        Scope::of(mapped).read(condition.expr(), Kind::Filter, &mut rows);
    }
    relation.rows = rows;
    add_relation(&silver.table, &silver.contract, &relation, lineage);
}

/// The keys of versions, what says which is newer, and what makes one.
fn add_versions(bronze: &TableRef, by: &Versioned, relation: &Relation, rows: &mut Inputs) {
    add_deciding(&by.keys, Kind::GroupBy, relation, rows);
    add_deciding(&by.latest_by, Kind::Sort, relation, rows);
    add_deciding(&by.track, Kind::Conditional, relation, rows);
    if by.latest_by.is_none() {
        rows.insert(Source { column: ColumnRef::new(bronze.clone(), SOURCE_MODIFIED_AT), path: None }, Kind::Sort);
    }
}

fn add_deciding<'a>(
    columns: impl IntoIterator<Item = &'a ColumnName>,
    kind: Kind,
    relation: &Relation,
    rows: &mut Inputs,
) {
    for column in columns {
        if let Some(output) = relation.column(column.as_str()) {
            rows.add(kind, &output.inputs);
        }
    }
}

/// The mapped columns, which SQL reads from `bronze`, with the source column that each is read from. A text that is read
/// as a number or a time is no longer the value of the source.
fn mapped_columns(bronze: &TableRef, silver: &SilverTable) -> Relation {
    let column = |(name, from): &(ColumnName, String)| {
        let reading = silver.readings.get(name);
        let is_plain = reading.is_none_or(Reading::is_default);
        let is_text = silver.column(name.as_str()).is_some_and(|column| column.column_type == ColumnType::Text);
        let kind = if is_plain && (is_text || is_lineage(from)) { Kind::Identity } else { Kind::Transformation };
        let path = reading.and_then(Reading::path).map(ToString::to_string);
        let source = Source { column: ColumnRef::new(bronze.clone(), from), path };
        Output { name: name.as_str().to_owned(), inputs: Inputs::of(source, kind) }
    };
    let columns = silver.columns.iter().map(column).collect();
    Relation { columns, rows: Inputs::default(), bases: BTreeSet::from([bronze.clone()]) }
}

fn add_gold(pipeline: &Pipeline, gold: &GoldTable, lineage: &mut Lineage) {
    let mut tables = BTreeMap::new();
    for (name, table) in gold.named_inputs() {
        let columns = pipeline.contract(&table).into_iter().flat_map(|contract| &contract.columns);
        tables.insert(name, Relation::of_table(&table, columns.map(|column| column.name.as_str())));
    }
    let relation = of_query(gold.sql.query(), &tables);
    add_relation(&gold.table, &gold.contract, &relation, lineage);
}
