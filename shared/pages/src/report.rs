//! The page of a run: how it ended and what to do next in the first screen, then what the documents of the run say.

mod ending;
mod left_out;
mod lineage;
mod list;
mod rules;
mod sources;
mod tables;
mod timeline;

use sluice_core::run::RunRef;
use sluice_core::uri::FolderUri;

use self::ending::Ending;
use crate::facts::RunFacts;
use crate::html::Html;
use crate::units::{between, duration, instant};

/// Most bytes of a page, however large the run was. Lists end before they make it larger, and say how many things they
/// leave out.
pub const MAX_PAGE_BYTES: usize = 1_000_000;

const STYLE: &str = include_str!("report/style.css");

/// The report of a run as one HTML file.
///
/// `lake` is the lake that the commands on the page name, and `run` the attempt that ended the run: 0 where it had no
/// plan. The same arguments give the same bytes. The page has no script, asks no other host for anything, and shows no
/// value of a cell: messages that may quote one are replaced by what they mean.
pub fn run_report(lake: &FolderUri, run: &RunRef, facts: &RunFacts) -> String {
    let ending = Ending::of(facts);
    let sections = [
        ("next", "What to do next", Some(ending.next_steps(lake, run, facts))),
        ("times", "Times", timeline::section(facts)),
        ("tables", "Tables", tables::section(facts)),
        ("rules", "Quality rules", rules::section(facts)),
        ("left-out", "Objects left out", left_out::section(facts)),
        ("schema", "Schema changes", tables::schema_section(facts)),
        ("sources", "Source objects", sources::section(facts)),
        ("engine", "Engine", sources::engine_section(facts)),
        ("lineage", "Lineage", lineage::section(facts)),
    ];
    let sections: Vec<Section> = sections
        .into_iter()
        .filter_map(|(id, title, content)| content.map(|content| Section { id, title, content }))
        .collect();
    let mut page = Html::default();
    head(&mut page, run, ending);
    header(&mut page, run, facts, ending);
    page.markup("<nav aria-label=\"Sections\"><ul>");
    for Section { id, title, .. } in &sections {
        page.markup("<li><a href=\"#").text(id).markup("\">").text(title).markup("</a></li>");
    }
    page.markup("</ul></nav>\n<main id=\"main\">\n");
    for Section { id, title, content } in &sections {
        page.markup("<section aria-labelledby=\"").text(id).markup("\">\n<h2 id=\"").text(id).markup("\">");
        page.text(title).markup("</h2>\n").append(content).markup("</section>\n");
    }
    page.markup("</main>\n<footer><p>Written by Sluice ").text(env!("CARGO_PKG_VERSION"));
    page.markup(
        " from the documents of the run. Values of cells are not on this page.</p></footer>\n</body>\n</html>\n",
    );
    page.into_string()
}

/// A part of the page below a heading.
struct Section {
    id: &'static str,
    title: &'static str,
    content: Html,
}

fn head(page: &mut Html, run: &RunRef, ending: Ending) {
    page.markup(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n",
    );
    let title = format!("{} {}: run {}", run.pipeline, ending.word(), run.run_id);
    page.element("title", &title).markup("\n<style>\n").markup(STYLE).markup("</style>\n</head>\n<body>\n");
    page.markup("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n");
}

fn header(page: &mut Html, run: &RunRef, facts: &RunFacts, ending: Ending) {
    page.markup("<header>\n<h1>").text(run.pipeline.as_str()).markup(": ");
    page.markup(ending.badge()).text(ending.word()).markup("</span></h1>\n");
    for sentence in ending.sentences(facts) {
        page.element("p", &sentence).markup("\n");
    }
    page.markup("<dl>\n");
    let mut fact = |name: &str, value: &str| {
        page.markup("<div>").element("dt", name).element("dd", value).markup("</div>\n");
    };
    fact("Run", run.run_id.as_str());
    if run.attempt > 0 {
        fact("Attempt", &run.attempt.to_string());
    }
    if let Some(kind) = ending::kind_of_run(facts) {
        fact("Kind", kind);
    }
    let began = facts.plan.as_ref().and_then(|plan| plan.planned_at);
    let ended = facts.report.as_ref().map(|report| report.ended_at);
    if let Some(began) = began {
        fact("Planned", &instant(began));
    }
    if let Some(ended) = ended {
        fact("Ended", &instant(ended));
    }
    if let (Some(began), Some(ended)) = (began, ended) {
        fact("Took", &duration(between(began, ended)));
    }
    page.markup("</dl>\n</header>\n");
}

#[cfg(test)]
mod tests;
