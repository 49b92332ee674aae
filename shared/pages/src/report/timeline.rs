//! The steps of the run in time, as a picture and as a table.

use jiff::Timestamp;
use sluice_core::run::Outcome;

use super::list::{Cell, table};
use crate::facts::RunFacts;
use crate::html::Html;
use crate::units::{between, counted, duration, instant};

/// Where bars begin, in units of the picture.
const LEFT: u64 = 220;
/// How wide all of them are together.
const WIDTH: u64 = 400;
/// Height of a row.
const ROW: u64 = 30;

/// A step.
struct Step {
    name: String,
    from: Timestamp,
    to: Timestamp,
}

/// The steps, as far as the documents say when they ended. Each begins where the one before it ended.
fn steps(facts: &RunFacts) -> Vec<Step> {
    let Some(plan) = &facts.plan else { return Vec::new() };
    let Some(planned_at) = plan.planned_at else { return Vec::new() };
    let reading = match plan.cuts.count() {
        0 | 1 => "Read and combine".to_owned(),
        parts => format!("Read in {} and combine", counted(parts as u64, "part", "parts")),
    };
    let has_failed = facts.report.as_ref().is_some_and(|report| report.outcome == Outcome::Failed);
    let last = if has_failed { "Until it failed" } else { "Announce the end" };
    let accepted = facts.verdict.as_ref().and_then(|verdict| verdict.acceptance.as_ref());
    let ends = [
        (reading, facts.changeset.as_ref().map(|changeset| changeset.staged_at)),
        ("Check".to_owned(), facts.verdict.as_ref().map(|verdict| verdict.audited_at)),
        ("Wait for a person".to_owned(), accepted.map(|acceptance| acceptance.at)),
        ("Publish".to_owned(), facts.receipt.as_ref().map(|receipt| receipt.published_at)),
        (last.to_owned(), facts.report.as_ref().map(|report| report.ended_at)),
    ];
    let mut from = planned_at;
    let mut steps = Vec::new();
    for (name, end) in ends {
        let Some(to) = end else { continue };
        steps.push(Step { name, from, to });
        from = from.max(to);
    }
    steps
}

/// The steps of the run.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let steps = steps(facts);
    let (first, last) = (steps.first()?, steps.last()?);
    let began = first.from;
    let all = between(began, last.to).max(1);
    let mut html = Html::default();
    html.markup("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Picture of the times\">");
    html.markup("<svg role=\"img\" aria-labelledby=\"times-title times-text\" viewBox=\"0 0 760 ");
    html.number(steps.len() as u64 * ROW).markup("\"><title id=\"times-title\">Steps in time</title>");
    html.markup("<desc id=\"times-text\">").text(&in_words(&steps)).markup("</desc>\n");
    for (row, step) in (0_u64..).zip(&steps) {
        let took = between(step.from, step.to);
        let begin = between(began, step.from).min(all) * WIDTH / all;
        let width = (took.min(all) * WIDTH / all).max(2);
        html.markup("<text x=\"0\" y=\"").number(row * ROW + 20).markup("\">").text(&step.name).markup("</text>");
        html.markup("<rect class=\"bar\" x=\"").number(LEFT + begin).markup("\" y=\"").number(row * ROW + 6);
        html.markup("\" width=\"").number(width).markup("\" height=\"18\"/>");
        html.markup("<text class=\"soft\" x=\"").number(LEFT + begin + width + 8).markup("\" y=\"");
        html.number(row * ROW + 20).markup("\">").text(&duration(took)).markup("</text>\n");
    }
    html.markup("</svg></div>\n");
    let rows = steps.iter().map(|step| {
        let took = Cell::Number(duration(between(step.from, step.to)));
        vec![Cell::text(&step.name), Cell::Text(instant(step.from)), Cell::Text(instant(step.to)), took]
    });
    table(&mut html, "Steps of the run", &["Step", "Began", "Ended", ">Took"], steps.len() as u64, rows);
    Some(html)
}

fn in_words(steps: &[Step]) -> String {
    let words = |step: &Step| format!("{}: {}", step.name, duration(between(step.from, step.to)));
    steps.iter().map(words).collect::<Vec<_>>().join("; ")
}
