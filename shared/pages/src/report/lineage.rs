//! What the run made of what: from source objects to gold, as a picture and as a list.

use std::collections::BTreeMap;

use sluice_core::name::{Layer, TableRef};
use sluice_core::run::RunAction;

use super::list::{Cell, table};
use super::tables::table_ends;
use crate::facts::{PipelineFacts, RunFacts};
use crate::html::Html;
use crate::units::counted;

/// Most boxes of a picture: more than these nobody can follow, and the list has them.
const MAX_BOXES: usize = 60;
/// Most lines of a picture.
const MAX_LINES: usize = 200;
/// Width and height of a box, and of the grid that boxes are in, in units of the picture.
const BOX_WIDTH: u64 = 230;
const BOX_HEIGHT: u64 = 44;
const COLUMN: u64 = 290;
const ROW: u64 = 60;
/// Characters of a name that fit a box.
const MAX_NAME: usize = 31;

/// The left upper corner of each place's box, in units of the picture.
type Boxes<'a> = BTreeMap<&'a Place, (u64, u64)>;

/// What rows come from or go to. Ordered as the run goes through them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The source objects.
    Sources,
    /// A table.
    Table(TableRef),
}

/// Places with the column that each is in, and which is made of which.
#[derive(Default)]
struct Graph {
    columns: BTreeMap<Place, u64>,
    lines: Vec<(Place, Place)>,
}

impl Graph {
    fn of(facts: &RunFacts, pipeline: &PipelineFacts) -> Self {
        let mut graph = Self::default();
        let is_replay = facts.plan.as_ref().is_some_and(|plan| plan.request.action == RunAction::Replay);
        for (_, bronze) in pipeline.sources() {
            let bronze = Place::Table(bronze.clone());
            graph.columns.insert(bronze.clone(), 1);
            if !is_replay {
                graph.columns.insert(Place::Sources, 0);
                graph.lines.push((Place::Sources, bronze));
            }
        }
        for silver in &pipeline.silver {
            let bronze = Place::Table(pipeline.bronze_of(silver.source.as_ref()).clone());
            let (table, quarantine) = (Place::Table(silver.table.clone()), Place::Table(silver.quarantine.clone()));
            graph.columns.insert(quarantine.clone(), if is_replay { 1 } else { 2 });
            graph.columns.insert(table.clone(), 2);
            if is_replay {
                graph.lines.push((quarantine, table));
            } else {
                graph.lines.push((bronze.clone(), table));
                graph.lines.push((bronze, quarantine));
            }
        }
        for end in table_ends(facts).iter().filter(|end| end.table.layer() == Layer::Deletes) {
            // It has the name of the table that it deletes from.
            let of_table = pipeline.silver.iter().find(|silver| silver.table.table() == end.table.table());
            let bronze = pipeline.bronze_of(of_table.and_then(|silver| silver.source.as_ref()));
            let deletes = Place::Table(end.table.clone());
            graph.columns.insert(deletes.clone(), 2);
            graph.lines.push((Place::Table(bronze.clone()), deletes));
        }
        for gold in &pipeline.gold {
            let mut column = 3;
            for input in &gold.inputs {
                // A table of another pipeline stands with silver.
                let above = *graph.columns.entry(Place::Table(input.clone())).or_insert(2);
                column = column.max(above + 1);
                graph.lines.push((Place::Table(input.clone()), Place::Table(gold.table.clone())));
            }
            graph.columns.insert(Place::Table(gold.table.clone()), column);
        }
        graph
    }

    /// Where the boxes are, and how large the picture is.
    fn boxes(&self) -> (Boxes<'_>, (u64, u64)) {
        let mut filled: BTreeMap<u64, u64> = BTreeMap::new();
        let mut boxes = BTreeMap::new();
        for (place, column) in &self.columns {
            let rows = filled.entry(*column).or_default();
            boxes.insert(place, (2 + column * COLUMN, 2 + *rows * ROW));
            *rows += 1;
        }
        let width = filled.keys().next_back().map_or(0, |column| column * COLUMN + BOX_WIDTH + 4);
        let height = filled.values().max().map_or(0, |rows| rows * ROW);
        (boxes, (width, height))
    }
}

/// The lineage of the run.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let pipeline = facts.plan.as_ref()?.pipeline.as_ref()?;
    let graph = Graph::of(facts, pipeline);
    let mut notes = BTreeMap::new();
    notes.insert(Place::Sources, counted(facts.sources().len() as u64, "object", "objects"));
    for end in table_ends(facts) {
        let added = end.added();
        let note = if added == "recomputed" { added } else { format!("{added} rows added") };
        notes.insert(Place::Table(end.table.clone()), note);
    }
    let mut html = Html::default();
    if graph.columns.len() <= MAX_BOXES && graph.lines.len() <= MAX_LINES {
        picture(&mut html, &graph, &notes);
    } else {
        html.markup("<p>The pipeline has too many tables for a picture.</p>\n");
    }
    let rows = graph.lines.iter().map(|(from, to)| vec![Cell::text(&name(to)), Cell::text(&name(from))]);
    table(&mut html, "What is made of what", &["Table", "Made of"], graph.lines.len() as u64, rows);
    Some(html)
}

fn picture(html: &mut Html, graph: &Graph, notes: &BTreeMap<Place, String>) {
    let (boxes, (width, height)) = graph.boxes();
    html.markup("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Picture of the lineage\">");
    html.markup("<svg role=\"img\" aria-labelledby=\"lineage-title lineage-text\" viewBox=\"0 0 ");
    html.number(width).markup(" ").number(height).markup("\"><title id=\"lineage-title\">Lineage of the run</title>");
    html.markup("<desc id=\"lineage-text\">From source objects on the left to gold tables on the right; the table ");
    html.markup("below has the same lines.</desc>\n");
    for (from, to) in &graph.lines {
        let (Some((left, above)), Some((right, below))) = (boxes.get(from), boxes.get(to)) else { continue };
        let (begin, middle) = (left + BOX_WIDTH, (left + BOX_WIDTH + right) / 2);
        let (above, below) = (above + BOX_HEIGHT / 2, below + BOX_HEIGHT / 2);
        html.markup("<path class=\"edge\" d=\"M").number(begin).markup(" ").number(above).markup(" C");
        html.number(middle).markup(" ").number(above).markup(" ").number(middle).markup(" ").number(below);
        html.markup(" ").number(*right).markup(" ").number(below).markup("\"/>\n");
    }
    for (place, (left, above)) in &boxes {
        let note = notes.get(*place);
        html.markup(if note.is_some() { "<rect class=\"node changed\" x=\"" } else { "<rect class=\"node\" x=\"" });
        html.number(*left).markup("\" y=\"").number(*above).markup("\" rx=\"4\" width=\"").number(BOX_WIDTH);
        html.markup("\" height=\"").number(BOX_HEIGHT).markup("\"/><text x=\"").number(left + 8).markup("\" y=\"");
        html.number(above + 18).markup("\">").text(&shortened(&name(place))).markup("</text>");
        html.markup("<text class=\"soft\" x=\"").number(left + 8).markup("\" y=\"").number(above + 35).markup("\">");
        html.text(note.map_or("not changed", String::as_str)).markup("</text>\n");
    }
    html.markup("</svg></div>\n");
}

fn name(place: &Place) -> String {
    match place {
        Place::Sources => "source objects".to_owned(),
        Place::Table(table) => table.to_string(),
    }
}

/// The end of a name that is too long for a box: that is where tables differ.
fn shortened(name: &str) -> String {
    let Some(too_many) = name.chars().count().checked_sub(MAX_NAME).filter(|more| *more > 0) else {
        return name.to_owned();
    };
    std::iter::once('…').chain(name.chars().skip(too_many + 1)).collect()
}
