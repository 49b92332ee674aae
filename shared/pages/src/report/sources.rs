//! What the run read, and the engine that it was given to.

use sluice_core::run::ReadFrom;
use sluice_core::source::SourceObject;

use super::list::{Cell, table};
use crate::facts::RunFacts;
use crate::html::Html;
use crate::units::{count, counted, instant, size};

/// The source objects with their sizes.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let objects = facts.sources();
    if objects.is_empty() {
        return None;
    }
    let total = objects.iter().map(|object| object.size_bytes).fold(0, u64::saturating_add);
    let mut html = Html::default();
    let words = format!("{} of {} together.", counted(objects.len() as u64, "object", "objects"), size(total));
    html.element("p", &words).markup("\n");
    let rows = objects.iter().map(|object| {
        let modified = object.modified_at.map_or_else(|| "–".to_owned(), instant);
        let read_from = Cell::text(read_from(facts, object));
        vec![Cell::text(&object.uri), Cell::Number(size(object.size_bytes)), Cell::Text(modified), read_from]
    });
    let titles = ["Object", ">Size", "Modified", "Rows read from"];
    table(&mut html, "Source objects of the run", &titles, objects.len() as u64, rows);
    Some(html)
}

/// Where the rows of an object were read. Looks a plan through for each object that a page lists: a few hundred.
fn read_from(facts: &RunFacts, object: &SourceObject) -> &'static str {
    let planned = facts.plan.iter().flat_map(|plan| &plan.objects);
    match planned.into_iter().find(|planned| planned.object.is_same_version(object)).map(|planned| planned.read_from) {
        Some(ReadFrom::Landing) => "the object",
        Some(ReadFrom::Bronze) => "bronze, which has them",
        None => "an attempt before",
    }
}

/// The engine, why it was chosen, and what the run was estimated to need.
pub(super) fn engine_section(facts: &RunFacts) -> Option<Html> {
    let choice = facts.engine()?;
    let mut html = Html::default();
    html.element("p", &format!("{}: {}.", choice.engine, choice.reason)).markup("\n");
    if let Some(estimate) = facts.plan.as_ref().and_then(|plan| plan.estimate) {
        let entries = [
            ("Source objects", count(estimate.objects)),
            ("Size as stored", size(estimate.stored_bytes)),
            ("Size as text", size(estimate.text_bytes)),
            ("Rows", count(estimate.rows)),
            ("Rows of tables read again", count(estimate.table_rows)),
            ("Parts", count(estimate.parts.max(1))),
            ("Most memory", size(estimate.peak_memory_bytes)),
            ("Disk for rows that wait", size(estimate.spilled_bytes)),
            ("Time of the longest step", counted(estimate.duration_seconds, "second", "seconds")),
        ];
        let rows = entries.iter().map(|(name, value)| vec![Cell::text(name), Cell::Number(value.clone())]);
        let caption = "Estimate before the run, an upper bound for the function";
        table(&mut html, caption, &["Of what", ">Estimate"], entries.len() as u64, rows);
    }
    Some(html)
}
