//! `/metrics`: what a server measures, as Prometheus reads it.
//!
//! A scrape is a call like any other: of a caller who is recognised, audited, and answered with what that caller may
//! know. Pipelines are in it whose runs the caller may read, and no others; whoever may read the runs of no pipeline is
//! refused. Requests are counted by route, so that no name of the lake is among their labels.
//!
//! A scrape takes what the pages of the console take: a listing of runs and holds that is kept for 5 s, and the reports
//! of the newest runs, each of which is read once (`console::recent`).

mod measuring;

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use sluice_core::name::PipelineName;
use sluice_http::exposition::{Exposition, Family, Format, Kind};
use sluice_http::{Caller, Problem, ProblemCode};
use sluice_lake::inspect::ListedRun;
use sluice_pages::LineState;

pub use self::measuring::{Measuring, QuestionLoad, Questions};
use crate::App;
use crate::console::recent::{Listed, ReadRun};

/// Newest runs of a pipeline that its metrics are made of.
const RUNS: usize = 10;
/// Most runs of a scrape. Of more than a hundred pipelines, fewer runs of each are read.
const MAX_RUNS: usize = 1000;

const BUILD: Family = Family {
    name: "sluice_build_info",
    kind: Kind::Gauge,
    help: "Always 1; the version is the label.",
    labels: &["version"],
};
const RUNNING: Family = Family {
    name: "sluice_questions_running",
    kind: Kind::Gauge,
    help: "Questions over rows that have a process or whose answer is sent.",
    labels: &[],
};
const WAITING: Family = Family {
    name: "sluice_questions_waiting",
    kind: Kind::Gauge,
    help: "Questions over rows that wait for a process.",
    labels: &[],
};
const ENDED: Family = Family {
    name: "sluice_pipeline_last_end_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When a run last ended with this outcome, among the ten newest of the pipeline, in seconds since 1970.",
    labels: &["pipeline", "outcome"],
};
const PUBLISHED: Family = Family {
    name: "sluice_pipeline_last_published_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the pipeline last published, of all its runs, in seconds since 1970.",
    labels: &["pipeline"],
};
const ROWS: Family = Family {
    name: "sluice_pipeline_last_run_rows",
    kind: Kind::Gauge,
    help: "Rows of the newest run with a report, over its tables: source, staged or quarantined.",
    labels: &["pipeline", "kind"],
};
const HELD: Family = Family {
    name: "sluice_pipeline_held_objects",
    kind: Kind::Gauge,
    help: "Source objects that are held.",
    labels: &["pipeline"],
};
const UNDECIDED: Family = Family {
    name: "sluice_pipeline_runs_waiting",
    kind: Kind::Gauge,
    help: "Rejected runs that wait for a decision, among the ten newest of the pipeline.",
    labels: &["pipeline"],
};
const GOING_ON: Family = Family {
    name: "sluice_pipeline_runs_running",
    kind: Kind::Gauge,
    help: "Runs that go on, among the ten newest of the pipeline.",
    labels: &["pipeline"],
};

/// The metrics of the server, without those of its meter.
const SERVER_FAMILIES: [Family; 3] = [BUILD, RUNNING, WAITING];
/// The metrics of pipelines.
const LAKE_FAMILIES: [Family; 6] = [ENDED, PUBLISHED, ROWS, HELD, UNDECIDED, GOING_ON];

/// Every metric of `/metrics`, in its order.
pub fn families() -> Vec<Family> {
    SERVER_FAMILIES.into_iter().chain(sluice_http::meter::families()).chain(LAKE_FAMILIES).collect()
}

/// The route.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(api): State<App>, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(measuring) = &api.measuring else {
        return Err(Problem::new(ProblemCode::NotFound, "this server measures nothing"));
    };
    let pipelines = pipelines(&api, &caller).await?;
    let format = Format::of(&headers);
    let mut text = Exposition::new(format);
    write_server(&mut text, measuring);
    write_pipelines(&mut text, &pipelines);
    Ok(([(CONTENT_TYPE, format.media_type())], text.finished()).into_response())
}

/// What is known of a pipeline.
#[derive(Debug, Default)]
struct Facts {
    published_at: Option<Timestamp>,
    held: u64,
    /// Its newest runs, newest first.
    runs: Vec<ReadRun>,
}

/// The pipelines whose runs the caller may read.
///
/// # Errors
/// `forbidden` for a caller without such a pipeline; faults of the store.
async fn pipelines(api: &App, caller: &Caller) -> Result<BTreeMap<PipelineName, Facts>, Problem> {
    let rights = api.console.pipelines().rights(caller).await?;
    let names: BTreeSet<PipelineName> = rights.readable().map(|(pipeline, _)| pipeline.clone()).collect();
    let listed = api.console.recent().listed().await?;
    let runs = newest(&listed, &names);
    let fact = |name: PipelineName| {
        let (published_at, held) = (listed.published.get(&name).copied(), listed.held.get(&name).copied());
        (name, Facts { published_at, held: held.unwrap_or_default(), runs: Vec::new() })
    };
    let mut facts: BTreeMap<PipelineName, Facts> = names.into_iter().map(fact).collect();
    for run in api.console.recent().read_runs(runs, api.now()).await? {
        if let Some(of_pipeline) = facts.get_mut(&run.line.pipeline) {
            of_pipeline.runs.push(run);
        }
    }
    Ok(facts)
}

/// The newest runs of each of these pipelines, newest first.
fn newest(listed: &Listed, pipelines: &BTreeSet<PipelineName>) -> Vec<ListedRun> {
    let of_each = MAX_RUNS.checked_div(pipelines.len()).unwrap_or_default().clamp(1, RUNS);
    let mut counts: BTreeMap<&PipelineName, usize> = BTreeMap::new();
    let mut runs = Vec::new();
    for run in &listed.runs {
        if !pipelines.contains(&run.run.pipeline) {
            continue;
        }
        let count = counts.entry(&run.run.pipeline).or_default();
        if *count < of_each {
            *count += 1;
            runs.push(run.clone());
        }
    }
    runs
}

fn write_server(text: &mut Exposition, measuring: &Measuring) {
    let Questions { running, waiting } = measuring.load.questions();
    text.family(&BUILD);
    text.sample(&BUILD, &[env!("CARGO_PKG_VERSION")], &1);
    text.family(&RUNNING);
    text.sample(&RUNNING, &[], &running);
    text.family(&WAITING);
    text.sample(&WAITING, &[], &waiting);
    measuring.meter.write(text);
}

fn write_pipelines(text: &mut Exposition, pipelines: &BTreeMap<PipelineName, Facts>) {
    text.family(&ENDED);
    for (name, facts) in pipelines {
        for (outcome, at) in ends(&facts.runs) {
            text.sample(&ENDED, &[name.as_str(), outcome], &at.as_second());
        }
    }
    text.family(&PUBLISHED);
    for (name, facts) in pipelines {
        if let Some(at) = facts.published_at {
            text.sample(&PUBLISHED, &[name.as_str()], &at.as_second());
        }
    }
    text.family(&ROWS);
    for (name, facts) in pipelines {
        // Without a report nothing is known, and 0 would be a claim.
        if let Some(rows) = facts.runs.iter().find_map(|run| run.rows) {
            let kinds = [("source", rows.source), ("staged", rows.staged), ("quarantined", rows.quarantined)];
            for (kind, count) in kinds {
                text.sample(&ROWS, &[name.as_str(), kind], &count);
            }
        }
    }
    text.family(&HELD);
    for (name, facts) in pipelines {
        text.sample(&HELD, &[name.as_str()], &facts.held);
    }
    for (family, state) in [(&UNDECIDED, LineState::Rejected), (&GOING_ON, LineState::Running)] {
        text.family(family);
        for (name, facts) in pipelines {
            let count = facts.runs.iter().filter(|run| run.line.state == state).count();
            text.sample(family, &[name.as_str()], &count);
        }
    }
}

/// When a run last ended with each outcome.
fn ends(runs: &[ReadRun]) -> BTreeMap<&'static str, Timestamp> {
    let mut ends: BTreeMap<&'static str, Timestamp> = BTreeMap::new();
    for line in runs.iter().map(|run| &run.line) {
        if let Some(at) = line.ended_at {
            let newest = ends.entry(line.state.as_str()).or_insert(at);
            *newest = at.max(*newest);
        }
    }
    ends
}

#[cfg(test)]
mod tests;
