//! `/console/runs`: the runs of one pipeline, or of all that the caller may read.

use jiff::Timestamp;
use serde::Deserialize;
use sluice_core::access::RunRight;
use sluice_core::name::{PipelineName, RunId};
use sluice_http::{Caller, Problem, ProblemCode};
use sluice_lake::inspect::ListedRun;
use sluice_pages::{Content, LineState, RunLine, RunsFacts, runs_page};

use super::address::missing;
use crate::App;

/// Runs of a page.
const PAGE: usize = 50;
/// Most runs that a page looks through for those of a state. The next page goes on.
const LOOKED_THROUGH: usize = 500;

/// What is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// Only runs in this state.
    state: Option<String>,
    /// Only runs before this one.
    before: Option<String>,
}

impl Wanted {
    fn state(&self) -> Result<Option<LineState>, Problem> {
        let Some(wanted) = self.state.as_deref().filter(|state| !state.is_empty()) else { return Ok(None) };
        let found = LineState::ALL.into_iter().find(|state| state.as_str() == wanted);
        let unknown = || Problem::new(ProblemCode::InvalidRequest, "runs have no such state").in_field("state");
        found.map(Some).ok_or_else(unknown)
    }

    fn before(&self) -> Result<Option<Place>, Problem> {
        let Some(text) = &self.before else { return Ok(None) };
        let invalid = || Problem::new(ProblemCode::InvalidCursor, "`before` is not a place in this list");
        Place::parse(text).map(Some).ok_or_else(invalid)
    }
}

/// A place in the list of runs: a run whose next older ones follow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Timestamp, RunId, PipelineName);

impl Place {
    fn of(listed: &ListedRun) -> Self {
        Self(listed.began_at, listed.run.run_id.clone(), listed.run.pipeline.clone())
    }

    fn parse(text: &str) -> Option<Self> {
        let (at, rest) = text.split_once('.')?;
        let (run, pipeline) = rest.split_once('.')?;
        let at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
        Some(Self(at, run.parse().ok()?, pipeline.parse().ok()?))
    }

    fn text(&self) -> String {
        format!("{}.{}.{}", self.0.as_microsecond(), self.1, self.2)
    }
}

pub(super) async fn page(
    app: &App,
    caller: &Caller,
    pipeline: Option<PipelineName>,
    wanted: &Wanted,
) -> Result<Content, Problem> {
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    if let Some(pipeline) = &pipeline {
        rights.check(pipeline, RunRight::Read, missing)?;
    }
    let (state, before) = (wanted.state()?, wanted.before()?);
    let listed = app.console.recent.listed().await?;
    let is_wanted = |run: &&ListedRun| {
        let of = &run.run.pipeline;
        pipeline.as_ref().map_or_else(|| rights.may_read(of), |pipeline| pipeline == of)
            && before.as_ref().is_none_or(|before| Place::of(run) < *before)
    };
    let candidates: Vec<ListedRun> = listed.runs.iter().filter(is_wanted).take(LOOKED_THROUGH + 1).cloned().collect();
    let (runs, before_next) = found(app, candidates, state).await?;
    let before_next = before_next.map(|place| place.text());
    Ok(runs_page(&RunsFacts { pipeline, state, runs, before: before_next, is_later: before.is_some() }))
}

/// The runs of a page, and where the next one begins.
async fn found(
    app: &App,
    candidates: Vec<ListedRun>,
    state: Option<LineState>,
) -> Result<(Vec<RunLine>, Option<Place>), Problem> {
    let places: Vec<Place> = candidates.iter().map(Place::of).collect();
    let now = app.now();
    let (mut runs, mut seen) = (Vec::new(), 0);
    let mut rest = candidates.into_iter();
    while runs.len() < PAGE && seen < LOOKED_THROUGH {
        let chunk: Vec<ListedRun> = rest.by_ref().take(PAGE).collect();
        if chunk.is_empty() {
            break;
        }
        for line in app.console.recent.lines(chunk, now).await? {
            if runs.len() == PAGE {
                break;
            }
            seen += 1;
            if state.is_none_or(|state| state == line.state) {
                runs.push(line);
            }
        }
    }
    // More runs follow the last one that was seen.
    let next = if seen < places.len() { seen.checked_sub(1).and_then(|last| places.get(last)).cloned() } else { None };
    Ok((runs, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_what_they_print() {
        let text = "1767592800000001.day-1.retail_b";
        assert_eq!(Place::parse(text).map(|place| place.text()).as_deref(), Some(text));
        for text in ["", "1", "1.day-1", "x.day-1.retail", "1.day 1.retail", "99999999999999999999.a.b"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn states_are_those_of_runs() {
        let check = |state: &str, expected: Result<Option<LineState>, ProblemCode>| {
            let wanted = Wanted { state: Some(state.to_owned()), before: None };
            assert_eq!(wanted.state().map_err(|problem| problem.code), expected, "{state}");
        };
        check("rejected", Ok(Some(LineState::Rejected)));
        check("", Ok(None));
        check("nice", Err(ProblemCode::InvalidRequest));
    }
}
