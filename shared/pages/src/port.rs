//! The page of a table of a product: what it holds, how good and how new it is, how to read it, and what depends on it.

mod kept;
mod reading;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use sluice_core::access::{Classification, Treatment};
use sluice_core::lineage::ColumnRef;
use sluice_core::name::{PipelineName, PortName, ProductRef, TableRef};
use sluice_core::run::Outcome;

pub use self::kept::{KEPT_DAYS, KeptFacts};
pub use self::reading::Ways;
use crate::address;
use crate::chart::{self, RunPoint};
use crate::frame::Content;
use crate::grid::{Cell, Link, facts, links, paragraph, section, table};
use crate::html::Html;
use crate::product::{AgePromise, TableState, freshness};
use crate::units::{between, count, duration, instant};

/// What the page of a table is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFacts {
    /// The product.
    pub product: ProductRef,
    /// The table's name for consumers.
    pub port: PortName,
    /// What it holds.
    pub description: Option<String>,
    /// The table.
    pub table: TableRef,
    /// Its pipeline, where the reader may read runs.
    pub pipeline: Option<PipelineName>,
    /// Id and version of its contract.
    pub contract: (String, String),
    /// The columns that exist for the reader.
    pub columns: Vec<ColumnLine>,
    /// Whether rows are held back from the reader.
    pub has_row_filter: bool,
    /// What is known of the table.
    pub state: TableState,
    /// Its newest versions.
    pub versions: Vec<VersionLine>,
    /// The promise about the age of its data.
    pub promise: Option<AgePromise>,
    /// How that promise was kept lately.
    pub kept: Option<KeptFacts>,
    /// The other promises of its contract, in words.
    pub others_promised: Vec<String>,
    /// How the newest run of its pipeline ended, where the reader may read runs.
    pub newest_run: Option<(RunPointer, Outcome)>,
    /// The newest audit.
    pub audit: Option<AuditFacts>,
    /// What the newest runs did to it, the oldest first; empty where rows are held back from the reader.
    pub past: Vec<RunPoint>,
    /// The ways that the reader may read it by.
    pub ways: Ways,
    /// What is made of it, as far as the reader may know.
    pub downstream: Vec<Dependent>,
    /// Rows as the reader may read them, where they asked for some.
    pub sample: Option<Sample>,
    /// Whether the reader may ask for rows.
    pub may_sample: bool,
    /// The time of the page.
    pub now: Timestamp,
}

impl PortFacts {
    /// A run by its name, for a reader who may read runs; for others, runs have no names.
    fn run(&self, run: &str) -> Option<Link> {
        self.pipeline.as_ref().map(|pipeline| Link::new(run, address::run(pipeline, &run)))
    }
}

/// A column as the reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnLine {
    /// Name.
    pub name: String,
    /// Type as it is read.
    pub column_type: String,
    /// Description.
    pub description: Option<String>,
    /// Class.
    pub class: Classification,
    /// Form in which the reader gets it.
    pub treatment: Treatment,
}

/// A version of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionLine {
    /// The version.
    pub version: u64,
    /// When it was committed.
    pub at: Option<Timestamp>,
    /// The run that made it.
    pub run: Option<String>,
}

/// A run of the table's pipeline, and when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPointer {
    /// The run.
    pub run: String,
    /// When it ended.
    pub at: Timestamp,
}

/// An audit of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFacts {
    /// The run that made it.
    pub run: RunPointer,
    /// Share of rules that hold, in percent; `None` where rows are held back from the reader.
    pub score: Option<String>,
    /// The rules that the reader may see.
    pub rules: Vec<RuleLine>,
    /// How many are left out.
    pub hidden: u64,
}

/// A rule, as far as the reader may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    /// Its id.
    pub rule: String,
    /// What is measured.
    pub description: String,
    /// Whether it holds.
    pub passed: Option<bool>,
    /// What was measured.
    pub observed: Option<String>,
    /// What was expected.
    pub expected: String,
}

/// Something that is made of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependent {
    /// A table.
    Table(TableRef),
    /// A product.
    Product(ProductRef),
}

/// Rows as texts, `None` for null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Names of columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Option<String>>>,
}

/// The form of a column in words.
pub(crate) fn treatment_words(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Clear => "as it is",
        Treatment::Hash => "hashed",
        Treatment::Partial => "its end alone",
        Treatment::Null => "empty",
        Treatment::Hide => "hidden",
    }
}

/// The page of a table.
pub fn page(of: &PortFacts) -> Content {
    let mut body = Html::default();
    if let Some(description) = &of.description {
        paragraph(&mut body, description);
    }
    navigation(&mut body, of);
    summary(&mut body, of);
    columns(&mut body, of);
    sample(&mut body, of);
    quality(&mut body, of);
    past(&mut body, of);
    if let Some(kept) = &of.kept {
        kept.write(&mut body);
    }
    of.ways.write(&mut body, of);
    versions(&mut body, of);
    downstream(&mut body, of);
    let above = vec![crate::product::above(), (of.product.to_string(), address::product(&of.product))];
    Content { title: format!("{}: {}", of.product, of.port), above, body }
}

fn navigation(body: &mut Html, of: &PortFacts) {
    let mut places = vec![
        Link::new("Lineage", address::lineage(&of.table)),
        Link::new("Who may read what", address::access(&of.product)),
    ];
    if let Some(pipeline) = &of.pipeline {
        places.push(Link::new("Runs", address::runs(pipeline)));
        places.push(Link::new("Quarantined rows", address::quarantine(pipeline)));
        places.push(Link::new("Source objects", address::sources(pipeline)));
    }
    links(body, "Of this table", &places);
}

fn summary(body: &mut Html, of: &PortFacts) {
    let (version, at, rows) = match of.state {
        TableState::Published { version, at, rows } => (Some(version), at, rows),
        TableState::Empty | TableState::NotOpened => (None, None, None),
    };
    let age = at.map(|at| Cell::Text(format!("{}, {} ago", instant(at), duration(between(at, of.now)))));
    let (id, contract_version) = &of.contract;
    let entries = [
        ("Table", Some(Cell::text(&of.table))),
        ("Rows", rows.map(|rows| Cell::Number(count(rows)))),
        ("Version", version.map(|version| Cell::text(&version))),
        ("Newest data", age),
        ("Freshness", of.promise.as_ref().map(|promise| freshness(Some(promise)))),
        ("Contract", Some(Cell::Text(format!("{id} {contract_version}")))),
    ];
    facts(body, &entries);
    if of.state == TableState::Empty {
        paragraph(
            body,
            "The table has no data yet. It gets them with the first run of its pipeline that is published.",
        );
    }
    if of.has_row_filter {
        paragraph(body, "A grant holds rows back from you. What is counted over all rows is not shown here.");
    }
    if let Some((run, outcome)) = &of.newest_run {
        newest_run(body, of, run, *outcome);
    }
    if !of.others_promised.is_empty() {
        paragraph(body, &format!("Its contract promises as well: {}.", of.others_promised.join("; ")));
    }
}

/// How the newest run ended: mostly why a table is late.
fn newest_run(body: &mut Html, of: &PortFacts, run: &RunPointer, outcome: Outcome) {
    let words = match outcome {
        Outcome::Published => "published its tables",
        Outcome::Skipped => "found nothing new to read",
        Outcome::Rejected => "was rejected by the quality gate, and no table changed",
        Outcome::Failed => "failed",
    };
    let is_late = of.promise.as_ref().is_some_and(|promise| promise.is_kept == Some(false));
    body.markup(if is_late { "<p class=\"note bad\">The table is late. " } else { "<p>" });
    body.markup("The newest run of its pipeline ");
    if let Some(pipeline) = &of.pipeline {
        body.markup("(");
        Link::new(&run.run, address::run(pipeline, &run.run)).write(body);
        body.markup(") ");
    }
    body.markup(words).markup(" at ").text(&instant(run.at)).markup(".</p>\n");
}

fn columns(body: &mut Html, of: &PortFacts) {
    section(body, "columns", "Columns");
    let row = |column: &ColumnLine| {
        let form = treatment_words(column.treatment).to_owned();
        vec![
            Cell::link(&column.name, address::lineage(&ColumnRef::new(of.table.clone(), column.name.as_str()))),
            Cell::Code(column.column_type.clone()),
            Cell::text(&column.class),
            if column.treatment.is_clear() { Cell::Text(form) } else { Cell::Warning(form) },
            Cell::Text(column.description.clone().unwrap_or_default()),
        ]
    };
    let rows: Vec<Vec<Cell>> = of.columns.iter().map(row).collect();
    if rows.is_empty() {
        paragraph(body, "No column of this table exists for you.");
        return;
    }
    let titles = ["Column", "Type", "Class", "You read it", "Description"];
    table(body, "Columns as you read them; each leads to its lineage", &titles, &rows);
}

fn sample(body: &mut Html, of: &PortFacts) {
    let Some(sample) = &of.sample else {
        if of.may_sample && of.state != TableState::Empty {
            let to = format!("{}/sample", address::port(&of.product, &of.port));
            body.markup("<p>");
            Link::new("Show ten rows", to).write(body);
            body.markup(" as you may read them. This is a read, and is recorded as one.</p>\n");
        }
        return;
    };
    section(body, "rows", "Rows");
    if sample.rows.is_empty() {
        paragraph(body, "The table has no rows for you.");
        return;
    }
    let cell = |value: &Option<String>| Cell::Text(value.clone().unwrap_or_else(|| "null".to_owned()));
    let rows: Vec<Vec<Cell>> = sample.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let titles: Vec<&str> = sample.columns.iter().map(String::as_str).collect();
    table(body, "Some rows as you may read them, in no order", &titles, &rows);
}

fn quality(body: &mut Html, of: &PortFacts) {
    section(body, "quality", "Quality");
    let Some(audit) = &of.audit else {
        paragraph(body, "No published run has audited this table yet.");
        return;
    };
    let score = audit.score.as_ref().map(|score| format!("{score} % of the listed rules hold. ")).unwrap_or_default();
    body.markup("<p>").text(&score).markup("Audited at ").text(&instant(audit.run.at));
    if let Some(run) = of.run(&audit.run.run) {
        body.markup(" by run ");
        run.write(body);
    }
    body.markup(".</p>\n");
    if audit.hidden > 0 {
        paragraph(body, "Rules about columns that do not exist for you are left out.");
    }
    let mut rules: Vec<&RuleLine> = audit.rules.iter().collect();
    rules.sort_by_key(|rule| rule.passed != Some(false));
    let row = |rule: &&RuleLine| {
        let result = match rule.passed {
            Some(true) => Cell::Good("holds".to_owned()),
            Some(false) => Cell::Bad("broken".to_owned()),
            None => Cell::text("not shown"),
        };
        vec![
            Cell::text(&rule.rule),
            result,
            Cell::text(&rule.description),
            Cell::Number(rule.observed.clone().unwrap_or_else(|| "–".to_owned())),
            Cell::Number(rule.expected.clone()),
        ]
    };
    let rows: Vec<Vec<Cell>> = rules.iter().map(row).collect();
    if !rows.is_empty() {
        let titles = ["Rule", "Result", "What is measured", ">Observed", ">Limit"];
        table(body, "Rules of the newest audit", &titles, &rows);
    }
}

fn past(body: &mut Html, of: &PortFacts) {
    if of.past.is_empty() {
        return;
    }
    section(body, "past", "Rows and quarantine over time");
    chart::write(body, &of.past);
    let dash = || "–".to_owned();
    let row = |point: &RunPoint| {
        vec![
            Cell::Text(instant(point.at)),
            Cell::Links(of.run(point.run.as_str()).into_iter().collect()),
            Cell::Number(count(point.source)),
            Cell::Number(point.added.map_or_else(|| "recomputed".to_owned(), count)),
            Cell::Number(count(point.quarantined)),
            Cell::Number(point.share_text()),
            Cell::Number(point.rows.map_or_else(dash, count)),
        ]
    };
    let rows: Vec<Vec<Cell>> = of.past.iter().rev().take(chart::MAX_BARS).map(row).collect();
    let titles = ["Ended", "Run", ">Read", ">Added", ">Quarantined", ">Share", ">Rows afterwards"];
    table(body, "What the newest runs did to the table", &titles, &rows);
}

fn versions(body: &mut Html, of: &PortFacts) {
    if of.versions.is_empty() {
        return;
    }
    section(body, "versions", "Versions");
    let row = |version: &VersionLine| {
        let run = version.run.as_ref().and_then(|run| of.run(run));
        vec![
            Cell::Text(version.version.to_string()),
            Cell::Text(version.at.map_or_else(|| "–".to_owned(), instant)),
            Cell::Links(run.into_iter().collect()),
        ]
    };
    let rows: Vec<Vec<Cell>> = of.versions.iter().map(row).collect();
    table(body, "Newest versions of the table", &["Version", "Committed", "Run"], &rows);
}

fn downstream(body: &mut Html, of: &PortFacts) {
    section(body, "downstream", "What depends on it");
    if of.downstream.is_empty() {
        paragraph(body, "Nothing that you may see is made of this table.");
        return;
    }
    let row = |dependent: &Dependent| match dependent {
        Dependent::Table(table) => vec![Cell::link(table, address::lineage(table)), Cell::text("table")],
        Dependent::Product(product) => {
            vec![Cell::link(product, address::product(product)), Cell::text("data product")]
        }
    };
    let rows: Vec<Vec<Cell>> = of.downstream.iter().map(row).collect();
    table(body, "Made of this table, at any distance", &["Name", "What it is"], &rows);
}
