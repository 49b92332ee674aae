//! The page of a run: how it ended and what to do next in the first screen, then what the documents of the run say.

mod cost;
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
use crate::cost_line::CostLine;
use crate::facts::RunFacts;
use crate::frame::STYLE;
use crate::html::Html;
use crate::units::{between, duration, instant};

/// Most bytes of a page, however large the run was. Lists end before they make it larger, and say how many things they
/// leave out.
pub const MAX_PAGE_BYTES: usize = 1_000_000;

/// The section of what a person does next.
const NEXT: &str = "next";

/// The report of a run as one HTML file.
///
/// `lake` is the lake that the commands on the page name, and `run` the attempt that ended the run: 0 where it had no
/// plan. The same arguments give the same bytes. The page has no script, asks no other host for anything, and shows no
/// value of a cell: messages that may quote one are replaced by what they mean.
pub fn run_report(lake: &FolderUri, run: &RunRef, facts: &RunFacts) -> String {
    let ending = Ending::of(facts);
    let sections = sections(lake, run, facts, ending);
    let mut page = Html::default();
    head(&mut page, run, ending);
    page.markup("<header>\n<h1>").text(run.pipeline.as_str()).markup(": ");
    page.markup(ending.badge()).text(ending.word()).markup("</span></h1>\n");
    summary(&mut page, run, facts, ending);
    page.markup("</header>\n");
    contents(&mut page, &sections);
    page.markup("<main id=\"main\">\n");
    for section in &sections {
        section.write(&mut page);
    }
    page.markup("</main>\n<footer><p>Written by Sluice ").text(env!("CARGO_PKG_VERSION"));
    page.markup(
        " from the documents of the run. Values of cells are not on this page.</p></footer>\n</body>\n</html>\n",
    );
    page.into_string()
}

/// The report of a run as a part of a page of the console, below its heading. `links`: what the page links to, after
/// the summary; `is_running`: the run goes on, so that nobody has to do anything next.
pub(crate) fn run_body(lake: &FolderUri, run: &RunRef, facts: &RunFacts, links: &Html, is_running: bool) -> Html {
    let ending = Ending::of(facts);
    let mut sections = sections(lake, run, facts, ending);
    sections.retain(|section| !is_running || section.id != NEXT);
    let mut body = Html::default();
    body.markup("<p>").markup(ending.badge()).text(ending.word()).markup("</span></p>\n");
    summary(&mut body, run, facts, ending);
    body.append(links);
    contents(&mut body, &sections);
    for section in &sections {
        section.write(&mut body);
    }
    body
}

fn sections(lake: &FolderUri, run: &RunRef, facts: &RunFacts, ending: Ending) -> Vec<Section> {
    let sections = [
        (NEXT, "What to do next", Some(ending.next_steps(lake, run, facts))),
        ("times", "Times", timeline::section(facts)),
        ("tables", "Tables", tables::section(facts)),
        ("rules", "Quality rules", rules::section(facts)),
        ("left-out", "Objects left out", left_out::section(facts)),
        ("schema", "Schema changes", tables::schema_section(facts)),
        ("sources", "Source objects", sources::section(facts)),
        ("engine", "Engine", sources::engine_section(facts)),
        ("cost", "Cost", cost::section(facts)),
        ("lineage", "Lineage", lineage::section(facts)),
    ];
    let section = |(id, title, content): (&'static str, &'static str, Option<Html>)| {
        content.map(|content| Section { id, title, content })
    };
    sections.into_iter().filter_map(section).collect()
}

/// The sections, as links.
fn contents(page: &mut Html, sections: &[Section]) {
    page.markup("<nav aria-label=\"Sections\"><ul>");
    for Section { id, title, .. } in sections {
        page.markup("<li><a href=\"#").text(id).markup("\">").text(title).markup("</a></li>");
    }
    page.markup("</ul></nav>\n");
}

/// A part of the page below a heading.
struct Section {
    id: &'static str,
    title: &'static str,
    content: Html,
}

impl Section {
    fn write(&self, page: &mut Html) {
        let Self { id, title, content } = self;
        page.markup("<section aria-labelledby=\"").text(id).markup("\">\n<h2 id=\"").text(id).markup("\">");
        page.text(title).markup("</h2>\n").append(content).markup("</section>\n");
    }
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

/// How the run ended, and when.
fn summary(page: &mut Html, run: &RunRef, facts: &RunFacts, ending: Ending) {
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
    if let Some(cost) = facts.cost.as_ref().and_then(|cost| cost.receipt.as_ref()).map(CostLine::of) {
        fact("Cost", &cost.words());
    }
    page.markup("</dl>\n");
}

#[cfg(test)]
mod tests;
