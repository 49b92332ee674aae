//! Where tables and columns come from, and what is made of them.

mod graphs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use sluice_core::lineage::{ColumnRef, Edge, Lineage};
use sluice_core::name::{PipelineName, PortName, ProductRef, TableRef};

use self::graphs::{of_columns, of_tables};
use crate::address;
use crate::frame::Content;
use crate::grid::{Cell, Link, links, paragraph, section, table};
use crate::html::Html;

/// What the page is made of: only what the reader may know of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineageFacts {
    /// Columns, and what each is computed from.
    pub lineage: Lineage,
    /// What the page is about: a column, or a table as a whole; `None` for all tables.
    pub of: Option<ColumnRef>,
    /// What was asked for and not found, and what to write instead.
    pub unknown: Option<String>,
    /// Where files arrive.
    pub sources: Vec<SourceOf>,
    /// The ports of products.
    pub products: Vec<ProductOf>,
}

/// A folder where files arrive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceOf {
    /// The pipeline that reads them.
    pub pipeline: PipelineName,
    /// The folder, below the lake.
    pub prefix: String,
    /// The raw table.
    pub bronze: TableRef,
}

/// A port of a product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProductOf {
    /// The product.
    pub product: ProductRef,
    /// Its name for the table.
    pub port: PortName,
    /// The table.
    pub table: TableRef,
}

/// The page of lineage.
pub fn page(of: &LineageFacts) -> Content {
    let mut body = Html::default();
    if let Some(unknown) = &of.unknown {
        body.markup("<p class=\"note warn\" role=\"alert\">").text(unknown).markup("</p>\n");
    }
    ask(&mut body, of);
    let Some(about) = &of.of else {
        all(&mut body, of);
        return Content { title: "Lineage".to_owned(), above: Vec::new(), body };
    };
    let (upstream, downstream) = (of.lineage.upstream(about), of.lineage.downstream(about));
    navigation(&mut body, of, about);
    match about.column() {
        Some(_) => {
            of_columns(about, [&upstream, &downstream]).write(&mut body, "graph", "Lineage of the column");
        }
        None => {
            let tables = tables_of(&[&upstream, &downstream], about);
            of_tables(of, Some(&tables), Some(about.table())).write(&mut body, "graph", "Lineage of the table");
        }
    }
    section(&mut body, "from", "Where it comes from");
    edges(&mut body, "What it is computed from, at any distance", &upstream, "Nothing that you may see leads to it.");
    section(&mut body, "breaks", "What breaks without it");
    breaks(&mut body, of, about, &downstream);
    edges(&mut body, "What is computed from it, at any distance", &downstream, "");
    section(&mut body, "columns", "Columns of the table");
    columns(&mut body, of, about.table());
    let mut above = vec![("Lineage".to_owned(), "lineage".to_owned())];
    if about.column().is_some() {
        above.push((about.table().to_string(), address::lineage(about.table())));
    }
    Content { title: format!("Lineage of {about}"), above, body }
}

/// A form for the name of a table or a column.
fn ask(body: &mut Html, of: &LineageFacts) {
    body.markup(
        "<form class=\"ask\" action=\"/console/lineage\" method=\"get\">\n<label for=\"of\">Table or column<br>",
    );
    body.markup("<input id=\"of\" name=\"of\" maxlength=\"300\" spellcheck=\"false\" autocomplete=\"off\" ");
    body.markup("placeholder=\"gold/sales/orders.amount\" value=\"");
    body.text(&of.of.as_ref().map(ToString::to_string).unwrap_or_default());
    body.markup("\"></label>\n<button>Show</button>\n</form>\n");
}

fn navigation(body: &mut Html, of: &LineageFacts, about: &ColumnRef) {
    let mut places: Vec<Link> = Vec::new();
    if about.column().is_some() {
        places.push(Link::new(&format!("Whole table {}", about.table()), address::lineage(about.table())));
    }
    for ProductOf { product, port, .. } in of.products.iter().filter(|product| product.table == *about.table()) {
        places.push(Link::new(&format!("Data product {product}: {port}"), address::port(product, port)));
    }
    if !places.is_empty() {
        links(body, "Of this table", &places);
    }
}

/// All tables.
fn all(body: &mut Html, of: &LineageFacts) {
    let tables = of.lineage.tables();
    if tables.is_empty() && of.products.is_empty() {
        paragraph(
            body,
            "No table is known to you yet. You see the tables of data products that you may find, and of pipelines \
             whose runs you may read. `sluice deploy` puts a pipeline into the lake.",
        );
        return;
    }
    let graph = of_tables(of, None, None);
    graph.write(body, "graph", "Tables, and what they are made of");
    let rows: Vec<Vec<Cell>> = graph
        .named_lines()
        .map(|(from, to)| vec![Cell::Links(vec![to.clone()]), Cell::Links(vec![from.clone()])])
        .collect();
    if !rows.is_empty() {
        table(body, "What is made of what", &["What", "Made of"], &rows);
    }
    let row = |table: &&TableRef| {
        let columns = of.lineage.columns_of(table).count();
        vec![Cell::link(*table, address::lineage(*table)), Cell::Number(columns.to_string())]
    };
    let rows: Vec<Vec<Cell>> = tables.iter().map(row).collect();
    if !rows.is_empty() {
        table(body, "Tables; each leads to its columns", &["Table", ">Columns"], &rows);
    }
}

/// The tables of these parts, and the one that they are of.
fn tables_of(parts: &[&Lineage], about: &ColumnRef) -> BTreeSet<TableRef> {
    let mut tables = BTreeSet::from([about.table().clone()]);
    for part in parts {
        tables.extend(part.tables().into_iter().cloned());
        // The rows of a table are no column, and have edges.
        tables.extend(part.edges().flat_map(|edge| [edge.from().table().clone(), edge.to().table().clone()]));
    }
    tables
}

/// What is lost with a column or a table.
fn breaks(body: &mut Html, of: &LineageFacts, about: &ColumnRef, downstream: &Lineage) {
    let tables = tables_of(&[downstream], about);
    let products: BTreeSet<&ProductOf> = of.products.iter().filter(|product| tables.contains(&product.table)).collect();
    let others = tables.iter().filter(|table| *table != about.table());
    let mut rows: Vec<Vec<Cell>> = others.map(|table| breaking_table(table, downstream)).collect();
    let product_row = |of: &&ProductOf| {
        let words = format!("{}: {}", of.product, of.port);
        vec![Cell::link(&words, address::port(&of.product, &of.port)), Cell::Text(format!("offers {}", of.table))]
    };
    rows.extend(products.iter().map(product_row));
    if rows.is_empty() {
        paragraph(body, "Nothing that you may see is made of it.");
        return;
    }
    table(body, "Tables and data products that need it", &["What", "How"], &rows);
}

fn breaking_table(table: &TableRef, downstream: &Lineage) -> Vec<Cell> {
    let decides = downstream.edges().any(|edge| edge.to().table() == table && edge.to().column().is_none());
    let columns: Vec<&str> = downstream.columns_of(table).filter_map(ColumnRef::column).collect();
    let named = columns.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    let more = if columns.len() > 8 { format!(" and {} more", columns.len() - 8) } else { String::new() };
    let words = if decides { "decides which rows it has".to_owned() } else { format!("columns {named}{more}") };
    vec![Cell::link(table, address::lineage(table)), Cell::Text(words)]
}

fn edges(body: &mut Html, caption: &str, part: &Lineage, empty: &str) {
    let rows: Vec<Vec<Cell>> = part.edges().map(edge_row).collect();
    if rows.is_empty() {
        if !empty.is_empty() {
            paragraph(body, empty);
        }
        return;
    }
    table(body, caption, &["What", "Computed from", "How"], &rows);
}

fn edge_row(edge: &Edge) -> Vec<Cell> {
    let path = edge.path().map(|path| format!(", {path} of it")).unwrap_or_default();
    vec![
        Cell::link(edge.to(), address::lineage(edge.to())),
        Cell::link(edge.from(), address::lineage(edge.from())),
        Cell::Text(format!("{}{path}", edge.kind())),
    ]
}

/// The columns of a table, with the nearest columns on both sides.
fn columns(body: &mut Html, of: &LineageFacts, table_ref: &TableRef) {
    let linked = |columns: BTreeSet<&ColumnRef>| {
        Cell::Links(columns.into_iter().map(|column| Link::new(column, address::lineage(column))).collect())
    };
    let row = |column: &ColumnRef| {
        let from = of.lineage.edges_to(column).map(Edge::from).collect();
        let to = of.lineage.edges_from(column).map(Edge::to).collect();
        let name = column.column().unwrap_or_default();
        vec![Cell::link(name, address::lineage(column)), linked(from), linked(to)]
    };
    let rows: Vec<Vec<Cell>> = of.lineage.columns_of(table_ref).map(row).collect();
    if rows.is_empty() {
        paragraph(body, "No column of this table is known to you.");
        return;
    }
    table(body, "Columns, and their nearest on both sides", &["Column", "Comes from", "Goes to"], &rows);
}
