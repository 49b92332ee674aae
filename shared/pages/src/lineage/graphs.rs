//! The graphs of the page: of tables, and of columns.

use std::collections::BTreeSet;

use sluice_core::lineage::{ColumnRef, Lineage};
use sluice_core::name::{Layer, TableRef};

use super::{LineageFacts, ProductOf, SourceOf};
use crate::address;
use crate::graph::{Graph, Node};
use crate::grid::Link;

/// Sources, tables and products: all, or those of these tables.
pub(super) fn of_tables(of: &LineageFacts, only: Option<&BTreeSet<TableRef>>, focus: Option<&TableRef>) -> Graph {
    let is_wanted = |table: &TableRef| only.is_none_or(|only| only.contains(table));
    let mut graph = Graph::default();
    let offered = of.products.iter().map(|product| &product.table);
    let mut tables: BTreeSet<&TableRef> = of.lineage.tables().into_iter().chain(offered).collect();
    tables.extend(of.sources.iter().map(|source| &source.bronze));
    for table in tables.into_iter().filter(|table| is_wanted(table)) {
        let note = match table.layer() {
            Layer::Bronze => "raw table",
            Layer::Silver => "clean table",
            Layer::Gold => "aggregate",
            Layer::Quarantine => "refused rows",
            Layer::Deletes => "delete events",
        };
        let node = Node {
            link: Link::new(table, address::lineage(table)),
            note: note.to_owned(),
            is_focus: focus == Some(table),
        };
        graph.node(table.to_string(), node);
    }
    for edge in of.lineage.edges() {
        graph.line(edge.from().table().to_string(), edge.to().table().to_string());
    }
    for SourceOf { pipeline, prefix, bronze } in of.sources.iter().filter(|source| is_wanted(&source.bronze)) {
        let key = format!("source {prefix}");
        let link = Link::new(prefix, address::sources(pipeline));
        graph.node(key.clone(), Node { link, note: format!("files of {pipeline}"), is_focus: false });
        graph.line(key, bronze.to_string());
    }
    for ProductOf { product, table, .. } in of.products.iter().filter(|product| is_wanted(&product.table)) {
        let key = format!("product {product}");
        let link = Link::new(product, address::product(product));
        graph.node(key.clone(), Node { link, note: "data product".to_owned(), is_focus: false });
        graph.line(table.to_string(), key);
    }
    graph
}

/// Columns, and the tables whose rows are decided by some.
pub(super) fn of_columns(about: &ColumnRef, parts: [&Lineage; 2]) -> Graph {
    let mut graph = Graph::default();
    let add = |graph: &mut Graph, column: &ColumnRef| {
        let (name, note) = match column.column() {
            Some(name) => (name.to_owned(), column.table().to_string()),
            None => (column.table().to_string(), "which rows it has".to_owned()),
        };
        let node = Node { link: Link::new(&name, address::lineage(column)), note, is_focus: column == about };
        graph.node(column.to_string(), node);
    };
    add(&mut graph, about);
    for part in parts {
        for edge in part.edges() {
            add(&mut graph, edge.from());
            add(&mut graph, edge.to());
            graph.line(edge.from().to_string(), edge.to().to_string());
        }
    }
    graph
}
