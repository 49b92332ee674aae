//! Column lineage: which columns a column is computed from, and what is computed from it.
//!
//! Computed from the checked spec alone, so no run and no lake is needed. The kinds are those of the column lineage
//! facet 1-2-0 of OpenLineage: [`Kind`]. What takes part in which rows a table has, such as a filter, a join or a key, is
//! an edge to the table as a whole: [`ColumnRef::rows`].
//!
//! Not part of it: the lineage columns that begin with `_` and the tables of quarantine and deletes.
//!
//! # Example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::BTreeMap;
//!
//! use sluice_core::lineage::{self, Kind};
//! use sluice_core::pipeline::Pipeline;
//! use sluice_core::spec::PipelineSpec;
//! use sluice_core::uri::LakePath;
//!
//! let spec = PipelineSpec::parse(
//!     "
//! pipeline: shop
//! domain: sales
//! source: {prefix: landing/shop, format: csv}
//! bronze: {table: orders}
//! silver:
//!   - {table: orders, contract: orders.yaml, columns: {city: City, amount: Amount}, mode: append}
//! gold:
//!   - {table: cities, contract: cities.yaml, sql: 'SELECT city, SUM(amount) AS amount FROM silver.orders GROUP BY city'}
//! ",
//!     "pipeline.yaml",
//! )?;
//! let mut contracts: BTreeMap<LakePath, String> = BTreeMap::new();
//! for table in ["orders", "cities"] {
//!     let columns = "{name: city, logicalType: string}, {name: amount, logicalType: integer}";
//!     let schema = format!("{{name: {table}, properties: [{columns}]}}");
//!     let head = format!("apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nversion: 1.0.0\nstatus: active\n");
//!     contracts.insert(format!("{table}.yaml").parse()?, format!("{head}schema: [{schema}]\n"));
//! }
//! let pipeline = Pipeline::resolve_untyped(&spec, &contracts).map_err(|problems| format!("{problems:?}"))?;
//!
//! let lineage = lineage::of(&[pipeline]);
//! let amount = lineage.find("cities.amount")?;
//! let upstream = lineage.upstream(&amount);
//! let edges: Vec<String> = upstream.edges().map(|edge| edge.to_string()).collect();
//! assert_eq!(
//!     edges,
//!     [
//!         "bronze/sales/orders.Amount -> silver/sales/orders.amount: direct transformation",
//!         "bronze/sales/orders.City -> silver/sales/orders.city: direct identity",
//!         "silver/sales/orders.amount -> gold/sales/cities.amount: direct aggregation",
//!         "silver/sales/orders.city -> gold/sales/cities: indirect group by",
//!     ]
//! );
//! assert!(upstream.edges().all(|edge| !edge.is_masking()));
//! assert!(Kind::Aggregation.is_direct());
//! # Ok(())
//! # }
//! ```

mod find;
mod model;
mod scope;
mod statement;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use self::find::LineageError;
pub use self::model::{ColumnRef, Edge, Kind};
use crate::name::TableRef;
use crate::pipeline::Pipeline;

/// The columns of pipelines, and what each of them is computed from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage {
    columns: BTreeSet<ColumnRef>,
    edges: BTreeSet<Edge>,
}

/// The lineage of these pipelines. What one of them reads of another goes through where both are given, and ends at the
/// input's column where the other is not.
pub fn of(pipelines: &[Pipeline]) -> Lineage {
    let mut lineage = Lineage::default();
    for pipeline in pipelines {
        tables::add(pipeline, &mut lineage);
    }
    lineage
}

impl Lineage {
    /// The columns, those without an edge included: constants, and inputs that nothing reads.
    pub fn columns(&self) -> impl Iterator<Item = &ColumnRef> {
        self.columns.iter()
    }

    /// The tables that have these columns.
    pub fn tables(&self) -> BTreeSet<&TableRef> {
        self.columns.iter().map(ColumnRef::table).collect()
    }

    /// The columns of one table.
    pub fn columns_of(&self, table: &TableRef) -> impl Iterator<Item = &ColumnRef> {
        self.columns.iter().filter(move |column| column.table() == table)
    }

    /// What is computed from what, in the order of the sources.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter()
    }

    /// The edges that lead to a column, or to the rows of a table.
    pub fn edges_to<'a>(&'a self, column: &'a ColumnRef) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |edge| edge.to() == column)
    }

    /// The edges that leave a column, or the rows of a table.
    pub fn edges_from<'a>(&'a self, column: &'a ColumnRef) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |edge| edge.from() == column)
    }

    /// All that a column is computed from, at any distance, and what decides which rows the tables on the way have. Of the
    /// rows of a table: of the table with all its columns.
    pub fn upstream(&self, of: &ColumnRef) -> Self {
        let mut by_end: BTreeMap<&ColumnRef, Vec<&Edge>> = BTreeMap::new();
        for edge in &self.edges {
            by_end.entry(edge.to()).or_default().push(edge);
        }
        self.closure(of, Edge::from, |column| {
            let rows = ColumnRef::rows(column.table().clone());
            let own = by_end.get(column).into_iter().flatten().copied();
            let of_rows = by_end.get(&rows).into_iter().flatten().copied().filter(|_| rows != *column);
            own.chain(of_rows).collect()
        })
    }

    /// All that is computed from a column, at any distance. Where it decides which rows a table has, these are all columns
    /// of the table and what is computed from them. Of the rows of a table: of the table with all its columns.
    pub fn downstream(&self, of: &ColumnRef) -> Self {
        let mut by_start: BTreeMap<&ColumnRef, Vec<&Edge>> = BTreeMap::new();
        let mut by_table: BTreeMap<&TableRef, Vec<&Edge>> = BTreeMap::new();
        for edge in &self.edges {
            by_start.entry(edge.from()).or_default().push(edge);
            by_table.entry(edge.from().table()).or_default().push(edge);
        }
        let mut found = self.closure(of, Edge::to, |column| {
            let found = match column.column() {
                Some(_) => by_start.get(column),
                None => by_table.get(column.table()),
            };
            found.into_iter().flatten().copied().collect()
        });
        // Those that nothing is computed from have no edge that leads to them here.
        let rows = found.edges.iter().map(Edge::to).filter(|to| to.column().is_none());
        let tables: BTreeSet<&TableRef> = rows.map(ColumnRef::table).collect();
        found.columns.extend(tables.into_iter().flat_map(|table| self.columns_of(table)).cloned());
        found
    }

    /// The part of it with these columns, and the edges between them; edges of the rows of a table where `is_wanted`
    /// wants [`ColumnRef::rows`] of it.
    #[must_use]
    pub fn only(&self, is_wanted: impl Fn(&ColumnRef) -> bool) -> Self {
        let columns = self.columns.iter().filter(|column| is_wanted(column)).cloned().collect();
        let edges = self.edges.iter().filter(|edge| is_wanted(edge.from()) && is_wanted(edge.to())).cloned().collect();
        Self { columns, edges }
    }

    /// What the steps lead to from a column on, or from a whole table.
    fn closure<'a>(
        &'a self,
        of: &ColumnRef,
        next: impl Fn(&'a Edge) -> &'a ColumnRef,
        steps: impl Fn(&ColumnRef) -> Vec<&'a Edge>,
    ) -> Self {
        let mut found = Self::default();
        let whole = self.columns_of(of.table()).filter(|_| of.column().is_none());
        let mut waiting: Vec<ColumnRef> = whole.cloned().chain([of.clone()]).collect();
        let mut met: BTreeSet<ColumnRef> = waiting.iter().cloned().collect();
        while let Some(column) = waiting.pop() {
            for edge in steps(&column) {
                found.edges.insert(edge.clone());
                found.columns.extend([edge.from(), edge.to()].into_iter().cloned());
                if met.insert(next(edge).clone()) {
                    waiting.push(next(edge).clone());
                }
            }
        }
        found.columns.extend(met);
        // The rows of a table are not a column.
        found.columns.retain(|column| column.column().is_some());
        found
    }

    fn add_column(&mut self, column: ColumnRef) {
        self.columns.insert(column);
    }

    fn add_edge(&mut self, edge: Edge) {
        self.edges.insert(edge);
    }
}
