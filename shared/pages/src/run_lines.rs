//! Runs in one line each, as the overview and the lists of the console have them.

use jiff::Timestamp;
use sluice_core::name::{PipelineName, RunId};

use crate::cost_line::CostLine;
use crate::grid::{begin_table, end_table, heading_link, link};
use crate::html::Html;
use crate::units::{between, count, counted, duration, instant};

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineState {
    /// Tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate rejected the data, and nobody has accepted them.
    Rejected,
    /// A step failed.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It runs.
    Running,
    /// It has no report, and nothing of it was written for an hour.
    Unfinished,
    /// Its report cannot be read.
    Unreadable,
}

impl LineState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Published,
        Self::Skipped,
        Self::Rejected,
        Self::Failed,
        Self::Stopped,
        Self::Running,
        Self::Unfinished,
        Self::Unreadable,
    ];

    /// The word for it, which addresses have as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Skipped => "skipped",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Unfinished => "unfinished",
            Self::Unreadable => "unreadable",
        }
    }

    /// The sign for it, so that colour is not the only difference.
    fn sign(self) -> &'static str {
        match self {
            Self::Published => "✓",
            Self::Skipped => "–",
            Self::Rejected => "!",
            Self::Failed | Self::Unreadable => "✕",
            Self::Stopped => "■",
            Self::Running => "…",
            Self::Unfinished => "?",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Published | Self::Skipped => "good",
            Self::Rejected | Self::Failed | Self::Unreadable => "bad",
            Self::Stopped | Self::Running | Self::Unfinished => "warn",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub run_id: RunId,
    /// How far it came.
    pub state: LineState,
    /// When its first document was written.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Source objects that it held.
    pub held: u64,
    /// The first broken rule of a rejected run, or the name of the error of a failed one.
    pub reason: Option<String>,
    /// What it cost, where its report says that.
    pub cost: Option<CostLine>,
}

impl RunLine {
    /// Its page, below `/console/`.
    pub(crate) fn address(&self) -> String {
        format!("runs/{}/{}", self.pipeline, self.run_id)
    }

    /// A small square that leads to its page.
    pub(crate) fn square(&self, html: &mut Html) {
        let words = format!("{} {} {}", self.pipeline, self.state.as_str(), instant(self.began_at));
        html.markup("<a class=\"run ").markup(self.state.class()).markup("\" href=\"/console/").text(&self.address());
        html.markup("\" title=\"").text(&words).markup("\" aria-label=\"").text(&words).markup("\">");
        html.markup(self.state.sign()).markup("</a>");
    }
}

/// Adds a table of runs.
pub(crate) fn runs_table(html: &mut Html, caption: &str, runs: &[RunLine]) {
    let titles = ["Run", "Pipeline", "State", "Why", "Began", ">Took", ">Objects held", ">Cost"];
    begin_table(html, None, caption, &titles);
    for run in runs {
        html.markup("<tr>");
        heading_link(html, &run.address(), run.run_id.as_str());
        html.markup("<td>");
        link(html, &format!("runs/{}", run.pipeline), run.pipeline.as_str());
        html.markup("</td><td class=\"").markup(run.state.class()).markup("\">").text(run.state.as_str());
        html.markup("</td>").element("td", run.reason.as_deref().unwrap_or_default());
        html.element("td", &instant(run.began_at));
        let took = run.ended_at.map_or_else(|| "–".to_owned(), |ended| duration(between(run.began_at, ended)));
        html.element("td class=\"n\"", &took).element("td class=\"n\"", &count(run.held));
        let cost = run.cost.as_ref().map_or_else(|| "–".to_owned(), CostLine::words);
        html.element("td class=\"n\"", &cost).markup("</tr>\n");
    }
    end_table(html);
}

/// Which runs a list has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunsFacts {
    /// The pipeline that they are of, where it is one.
    pub pipeline: Option<PipelineName>,
    /// The state that they have, where it is one.
    pub state: Option<LineState>,
    /// The runs, newest first.
    pub runs: Vec<RunLine>,
    /// Where the list goes on: a text of letters, digits, `.`, `-` and `_`.
    pub before: Option<String>,
    /// Whether this is not the first page.
    pub is_later: bool,
}

/// The list of runs.
pub fn runs_page(facts: &RunsFacts) -> crate::Content {
    let mut body = Html::default();
    let place = facts.pipeline.as_ref().map_or_else(|| "runs".to_owned(), |pipeline| format!("runs/{pipeline}"));
    if let Some(pipeline) = &facts.pipeline {
        body.append(&pipeline_links(pipeline));
    }
    filters(&mut body, &place, facts.state);
    if facts.runs.is_empty() {
        let words = match (facts.state, facts.is_later) {
            (None, false) => "No run that you may see is in this lake.",
            _ => "No run in this part of the list is of this kind.",
        };
        body.element("p", words).markup("\n");
    } else {
        let number = counted(facts.runs.len() as u64, "run", "runs");
        runs_table(&mut body, &format!("{number}, newest first"), &facts.runs);
    }
    if facts.is_later || facts.before.is_some() {
        let state = facts.state.map(|state| format!("state={}", state.as_str()));
        body.markup("<p class=\"pages\">");
        if facts.is_later {
            let newest = state.as_ref().map_or_else(|| place.clone(), |state| format!("{place}?{state}"));
            link(&mut body, &newest, "Newest runs");
        }
        if let Some(before) = &facts.before {
            let state = state.map_or_else(String::new, |state| format!("{state}&"));
            link(&mut body, &format!("{place}?{state}before={before}"), "Older runs");
        }
        body.markup("</p>\n");
    }
    match &facts.pipeline {
        None => crate::Content { title: "Runs".to_owned(), above: Vec::new(), body },
        Some(pipeline) => crate::Content {
            title: format!("Runs of {pipeline}"),
            above: vec![("Runs".to_owned(), "runs".to_owned())],
            body,
        },
    }
}

/// The other pages about a pipeline.
pub(crate) fn pipeline_links(pipeline: &PipelineName) -> Html {
    let mut html = Html::default();
    html.markup("<p class=\"pages\">");
    link(&mut html, &format!("sources/{pipeline}"), "Sources and what is held");
    link(&mut html, &format!("quarantine/{pipeline}"), "Quarantine");
    html.markup("</p>\n");
    html
}

fn filters(body: &mut Html, place: &str, chosen: Option<LineState>) {
    body.markup("<nav aria-label=\"States\"><ul>");
    let mut entry = |address: &str, words: &str, is_chosen: bool| {
        body.markup("<li><a href=\"/console/").text(address);
        body.markup(if is_chosen { "\" aria-current=\"true\">" } else { "\">" }).text(words).markup("</a></li>");
    };
    entry(place, "all", chosen.is_none());
    for state in LineState::ALL {
        entry(&format!("{place}?state={}", state.as_str()), state.as_str(), chosen == Some(state));
    }
    body.markup("</ul></nav>\n");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn line(run: &str, state: LineState, began: &str) -> RunLine {
        RunLine {
            pipeline: "retail".parse().unwrap(),
            run_id: run.parse().unwrap(),
            state,
            began_at: began.parse().unwrap(),
            ended_at: None,
            held: 0,
            reason: Some("silver/sales/orders: <rule>".to_owned()),
            cost: None,
        }
    }

    fn page(facts: &RunsFacts) -> String {
        runs_page(facts).body.into_string()
    }

    #[test]
    fn a_list_links_to_its_runs_and_goes_on() {
        let facts = RunsFacts {
            pipeline: Some("retail".parse().unwrap()),
            state: Some(LineState::Rejected),
            runs: vec![line("day-1", LineState::Rejected, "2026-01-05T06:00:00Z")],
            before: Some("17.day-1".to_owned()),
            is_later: false,
        };
        let text = page(&facts);
        for part in [
            "href=\"/console/runs/retail/day-1\"",
            "silver/sales/orders: &lt;rule&gt;",
            "href=\"/console/runs/retail?state=rejected&amp;before=17.day-1\">Older runs",
            "href=\"/console/runs/retail?state=rejected\" aria-current=\"true\"",
            "2026-01-05 06:00:00 UTC",
            "href=\"/console/quarantine/retail\"",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("Newest runs"));
    }

    #[test]
    fn an_empty_list_says_so() {
        assert!(page(&RunsFacts::default()).contains("No run that you may see"));
        let later = RunsFacts { is_later: true, ..RunsFacts::default() };
        assert!(page(&later).contains("in this part of the list") && page(&later).contains("Newest runs"));
    }

    #[test]
    fn every_state_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> = LineState::ALL.iter().map(|state| state.as_str()).collect();
        assert_eq!(words.len(), LineState::ALL.len());
    }
}
