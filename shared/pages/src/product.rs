//! The products that a reader may find, and the page of one.

use jiff::Timestamp;
use sluice_core::name::{PipelineName, PortName, ProductRef};
use sluice_core::product::About;

use crate::address;
use crate::frame::Content;
use crate::grid::{Cell, Link, facts, links, paragraph, section, table};
use crate::html::Html;
use crate::units::{between, count, duration, instant};

/// A table of a product in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLine {
    /// Its name for consumers.
    pub port: PortName,
    /// What it holds.
    pub description: Option<String>,
    /// What is known of the table itself.
    pub state: TableState,
    /// The promise about the age of its data; `None` where its contract makes none.
    pub promise: Option<AgePromise>,
    /// How its newest audit ended, over the rules that the reader may see; `None` where that is not known, or rows are
    /// held back from the reader.
    pub quality: Option<QualityLine>,
}

/// What is known of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableState {
    /// The list is long, and the table was not opened.
    NotOpened,
    /// Its pipeline has not published it.
    Empty,
    /// It has data.
    Published {
        /// The newest version.
        version: u64,
        /// When it was committed.
        at: Option<Timestamp>,
        /// Rows; `None` where they are not counted, or rows are held back from the reader.
        rows: Option<u64>,
    },
}

/// A promise about the age of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgePromise {
    /// As the contract writes it, such as `1 d`.
    pub words: String,
    /// Whether it is kept now; `None` where nobody can say.
    pub is_kept: Option<bool>,
}

/// How an audit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QualityLine {
    /// Rules that were audited.
    pub rules: u64,
    /// Those that are broken.
    pub broken: u64,
}

/// A product in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductLine {
    /// The product.
    pub product: ProductRef,
    /// What is said of it.
    pub about: About,
    /// The tables that the reader may find.
    pub tables: Vec<TableLine>,
}

/// The page of all products that the reader may find.
pub fn list_page(products: &[ProductLine], now: Timestamp) -> Content {
    let mut body = Html::default();
    if products.is_empty() {
        paragraph(
            &mut body,
            "No data product lets you find it. Ask the owner of a product for a grant in its policy; an owner \
             publishes one with an *.odps.yaml file next to pipeline.yaml, and `sluice deploy`.",
        );
    } else {
        let rows: Vec<Vec<Cell>> = products.iter().flat_map(|product| list_rows(product, now)).collect();
        let titles = ["Product", "Table", "What it is for", "Owner", "Newest data", "Freshness", "Quality"];
        table(&mut body, "Data products that you may find", &titles, &rows);
    }
    Content { title: "Data products".to_owned(), above: Vec::new(), body }
}

fn list_rows(line: &ProductLine, now: Timestamp) -> Vec<Vec<Cell>> {
    let ProductLine { product, about, tables } = line;
    let row = |of: &TableLine| {
        let what = of.description.as_ref().or(about.purpose.as_ref());
        vec![
            Cell::link(product, address::product(product)),
            Cell::link(&of.port, address::port(product, &of.port)),
            Cell::Text(what.cloned().unwrap_or_default()),
            Cell::Text(owner(about)),
            newest(&of.state, now),
            freshness(of.promise.as_ref()),
            quality(of.quality.as_ref()),
        ]
    };
    tables.iter().map(row).collect()
}

fn owner(about: &About) -> String {
    about.team.clone().unwrap_or_else(|| about.owners.join(", "))
}

fn newest(state: &TableState, now: Timestamp) -> Cell {
    match state {
        TableState::NotOpened => Cell::text("see its page"),
        TableState::Empty => Cell::text("no data yet"),
        TableState::Published { version, at: Some(at), .. } => {
            Cell::Text(format!("version {version}, {} ago", duration(between(*at, now))))
        }
        TableState::Published { version, at: None, .. } => Cell::Text(format!("version {version}")),
    }
}

/// Whether the promise about the age of data is kept.
pub(crate) fn freshness(promise: Option<&AgePromise>) -> Cell {
    match promise {
        None => Cell::text("nothing promised"),
        Some(AgePromise { words, is_kept: Some(true) }) => Cell::Good(format!("within {words}")),
        Some(AgePromise { words, is_kept: Some(false) }) => Cell::Bad(format!("older than {words}")),
        Some(AgePromise { words, is_kept: None }) => Cell::Text(format!("{words} promised")),
    }
}

/// How the newest audit ended.
pub(crate) fn quality(quality: Option<&QualityLine>) -> Cell {
    match quality {
        None => Cell::text("not known"),
        Some(QualityLine { rules: 0, .. }) => Cell::text("no rules"),
        Some(QualityLine { rules, broken: 0 }) => Cell::Good(format!("all {rules} rules hold")),
        Some(QualityLine { rules, broken }) => Cell::Warning(format!("{broken} of {rules} rules broken")),
    }
}

/// What the page of a product is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductFacts {
    /// The product with the tables that the reader may find.
    pub line: ProductLine,
    /// When it was deployed.
    pub deployed_at: Timestamp,
    /// Its pipeline, where the reader may read runs.
    pub pipeline: Option<PipelineName>,
    /// The contracts that it is made from.
    pub inputs: Vec<String>,
    /// The time of the page.
    pub now: Timestamp,
}

/// The page of a product.
pub fn product_page(of: &ProductFacts) -> Content {
    let ProductFacts { line, deployed_at, pipeline, inputs, now } = of;
    let ProductLine { product, about, tables } = line;
    let mut body = Html::default();
    if let Some(purpose) = &about.purpose {
        paragraph(&mut body, purpose);
    }
    let mut places = vec![Link::new("Who may read what", address::access(product))];
    if let Some(pipeline) = pipeline {
        places.push(Link::new("Runs", address::runs(pipeline)));
        places.push(Link::new("Quarantined rows", address::quarantine(pipeline)));
        places.push(Link::new("Source objects", address::sources(pipeline)));
    }
    links(&mut body, "Of this product", &places);
    let status = match about.status.as_str() {
        "active" => Cell::Good(about.status.clone()),
        "deprecated" | "retired" => Cell::Bad(about.status.clone()),
        _ => Cell::Warning(about.status.clone()),
    };
    let listed = |texts: &[String]| (!texts.is_empty()).then(|| Cell::Text(texts.join(", ")));
    let entries = [
        ("Status", Some(status)),
        ("Version", Some(Cell::text(&about.version))),
        ("Team", about.team.as_ref().map(Cell::text)),
        ("Owners", listed(&about.owners)),
        ("Tags", listed(&about.tags)),
        ("Made from contracts", listed(inputs)),
        ("Deployed", Some(Cell::Text(instant(*deployed_at)))),
    ];
    facts(&mut body, &entries);
    section(&mut body, "tables", "Tables");
    let rows: Vec<Vec<Cell>> = tables.iter().map(|of| table_row(product, of, *now)).collect();
    let titles = ["Table", "What it holds", ">Rows", "Newest data", "Freshness", "Quality"];
    table(&mut body, "Tables that you may find", &titles, &rows);
    for (id, title, text) in
        [("usage", "How to use it", &about.usage), ("limits", "What it is not for", &about.limitations)]
    {
        if let Some(text) = text {
            section(&mut body, id, title);
            paragraph(&mut body, text);
        }
    }
    if !about.support.is_empty() {
        section(&mut body, "help", "Help");
        // Addresses of others are words: a page sends nobody to where a document says.
        let row = |one: &sluice_core::product::SupportChannel| {
            vec![
                Cell::text(&one.channel),
                Cell::text(&one.url),
                Cell::Text(one.description.clone().unwrap_or_default()),
            ]
        };
        let rows: Vec<Vec<Cell>> = about.support.iter().map(row).collect();
        table(&mut body, "Where help is", &["Channel", "Address", "What for"], &rows);
    }
    Content { title: product.to_string(), above: vec![above()], body }
}

/// The page above that of a product.
pub(crate) fn above() -> (String, String) {
    ("Data products".to_owned(), "products".to_owned())
}

fn table_row(product: &ProductRef, of: &TableLine, now: Timestamp) -> Vec<Cell> {
    let rows = match of.state {
        TableState::Published { rows: Some(rows), .. } => count(rows),
        TableState::Published { rows: None, .. } | TableState::Empty | TableState::NotOpened => "–".to_owned(),
    };
    vec![
        Cell::link(&of.port, address::port(product, &of.port)),
        Cell::Text(of.description.clone().unwrap_or_default()),
        Cell::Number(rows),
        newest(&of.state, now),
        freshness(of.promise.as_ref()),
        quality(of.quality.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\"><script>alert(1)</script>";

    fn now() -> Timestamp {
        "2026-01-05T06:00:00Z".parse().unwrap()
    }

    fn line(text: &str, state: TableState) -> ProductLine {
        let about = serde_json::json!({"id": "i", "version": text, "status": text, "purpose": text, "usage": text,
            "limitations": text, "tags": [text], "team": text, "owners": [text],
            "support": [{"channel": text, "url": text, "description": text}]});
        ProductLine {
            product: "sales/retail".parse().unwrap(),
            about: serde_json::from_value(about).unwrap(),
            tables: vec![TableLine {
                port: "orders".parse().unwrap(),
                description: Some(text.to_owned()),
                state,
                promise: Some(AgePromise { words: text.to_owned(), is_kept: Some(false) }),
                quality: Some(QualityLine { rules: 7, broken: 2 }),
            }],
        }
    }

    #[test]
    fn a_list_without_products_says_what_to_do() {
        let body = list_page(&[], now()).body.into_string();
        assert!(body.contains("Ask the owner") && !body.contains("<table"), "{body}");
    }

    #[test]
    fn what_products_say_of_themselves_is_escaped() {
        let line = line(HOSTILE, TableState::Published { version: 3, at: Some(now()), rows: Some(1200) });
        let product = ProductFacts {
            line: line.clone(),
            deployed_at: now(),
            pipeline: Some("retail".parse().unwrap()),
            inputs: vec![HOSTILE.to_owned()],
            now: now(),
        };
        for body in [list_page(&[line], now()).body, product_page(&product).body] {
            let body = body.into_string();
            assert!(!body.contains("<script") && body.contains("&lt;script&gt;"), "{body}");
            assert!(body.contains("<a href=\"/console/products/sales/retail/orders\">orders</a>"), "{body}");
        }
    }

    #[test]
    fn states_are_in_words() {
        let check = |state: TableState, expected: &str| {
            let body = list_page(&[line("text", state)], now()).body.into_string();
            assert!(body.contains(&format!("<td>{expected}</td>")), "{expected}: {body}");
            assert!(body.contains("<td class=\"bad\">older than text</td>"), "{body}");
            assert!(body.contains("<td class=\"warn\">2 of 7 rules broken</td>"), "{body}");
        };
        let hour_before = "2026-01-05T05:00:00Z".parse().unwrap();
        check(TableState::Empty, "no data yet");
        check(TableState::NotOpened, "see its page");
        check(TableState::Published { version: 3, at: None, rows: None }, "version 3");
        check(TableState::Published { version: 3, at: Some(hour_before), rows: None }, "version 3, 1 h 0 min ago");
    }

    #[test]
    fn runs_are_linked_for_those_who_may_read_them() {
        let check = |pipeline: Option<&str>, is_linked: bool| {
            let page = product_page(&ProductFacts {
                line: line("text", TableState::Empty),
                deployed_at: now(),
                pipeline: pipeline.map(|name| name.parse().unwrap()),
                inputs: Vec::new(),
                now: now(),
            });
            let body = page.body.into_string();
            assert_eq!(body.contains("/console/quarantine/retail"), is_linked, "{body}");
            assert!(body.contains("/console/access/sales/retail"), "{body}");
        };
        check(Some("retail"), true);
        check(None, false);
    }
}
