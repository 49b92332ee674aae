//! `/console/`: what needs a person, which products are late, and the runs of the last days.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sluice_core::name::PipelineName;
use sluice_http::{Caller, Problem};
use sluice_lake::inspect::ListedRun;
use sluice_pages::{
    Content, GRID_DAYS, GRID_RUNS, OverviewFacts, PipelineState, ProductState, Promise, RunLine, day_of, overview_page,
};

use super::recent::Listed;
use crate::App;

/// Most runs whose reports a page needs. With [`GRID_RUNS`] a day, 9 pipelines that run all day.
const MAX_RUNS: usize = 800;

pub(super) async fn page(app: &App, caller: &Caller) -> Result<Content, Problem> {
    let now = app.now();
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    let pipelines: Vec<PipelineName> = rights.readable().map(|(pipeline, _)| pipeline.clone()).collect();
    let listed = app.console.recent.listed().await?;
    let products = products(app, caller, &listed).await?;
    let of_month = of_month(&listed, now);
    let Shown { runs, mut more } = shown(&listed, &pipelines, now);
    let mut lines: BTreeMap<PipelineName, Vec<RunLine>> = BTreeMap::new();
    for line in app.console.recent.lines(runs, now).await? {
        lines.entry(line.pipeline.clone()).or_default().push(line);
    }
    let state = |pipeline: PipelineName| PipelineState {
        held: listed.held.get(&pipeline).copied().unwrap_or_default(),
        runs: lines.remove(&pipeline).unwrap_or_default(),
        more: more.remove(&pipeline).unwrap_or_default().into_iter().collect(),
        month_runs: of_month.get(&pipeline).copied().unwrap_or_default(),
        pipeline,
    };
    let pipelines = pipelines.into_iter().map(state).collect();
    Ok(overview_page(&OverviewFacts { now, products, pipelines }))
}

async fn products(app: &App, caller: &Caller, listed: &Listed) -> Result<Vec<ProductState>, Problem> {
    let found = app.visible(caller).await?;
    let states = found.iter().map(|(product, ports)| ProductState {
        product: product.product.clone(),
        team: product.about.team.clone(),
        promise: Promise::of(
            ports.iter().flat_map(|access| access.port.sla.iter().map(move |level| (&access.port.name, level))),
        ),
        published_at: listed.published.get(&product.pipeline).copied(),
    });
    Ok(states.collect())
}

/// How many runs each pipeline began in the month of this time, in UTC.
fn of_month(listed: &Listed, now: Timestamp) -> BTreeMap<PipelineName, u64> {
    let first = day_of(now).first_of_month();
    let mut runs = BTreeMap::new();
    for run in listed.runs.iter().take_while(|run| day_of(run.began_at) >= first) {
        *runs.entry(run.run.pipeline.clone()).or_default() += 1;
    }
    runs
}

/// The runs that the grid shows, and how many more each pipeline has on each day.
struct Shown {
    runs: Vec<ListedRun>,
    more: BTreeMap<PipelineName, BTreeMap<Date, u64>>,
}

fn shown(listed: &Listed, pipelines: &[PipelineName], now: Timestamp) -> Shown {
    let oldest = now.checked_sub(SignedDuration::from_hours(24 * GRID_DAYS)).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut shown = Shown { runs: Vec::new(), more: BTreeMap::new() };
    let mut of_days: BTreeMap<(&PipelineName, Date), usize> = BTreeMap::new();
    for run in listed.runs.iter().take_while(|run| run.began_at > oldest) {
        let pipeline = &run.run.pipeline;
        // The pipelines are in order.
        if pipelines.binary_search(pipeline).is_err() {
            continue;
        }
        let day = day_of(run.began_at);
        let of_day = of_days.entry((pipeline, day)).or_default();
        if *of_day < GRID_RUNS && shown.runs.len() < MAX_RUNS {
            *of_day += 1;
            shown.runs.push(run.clone());
        } else {
            *shown.more.entry(pipeline.clone()).or_default().entry(day).or_default() += 1;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use sluice_core::run::RunKey;

    use super::*;

    fn run(pipeline: &str, number: usize, at: Timestamp) -> ListedRun {
        let run_id = format!("run-{number}").parse().expect("run");
        let run = RunKey { pipeline: pipeline.parse().expect("name"), run_id };
        ListedRun { run, began_at: at, changed_at: at, reported_at: Some(at), published_at: None }
    }

    #[test]
    fn runs_of_the_month_are_counted_by_pipeline() {
        let run = |pipeline: &str, at: &str| run(pipeline, 1, at.parse().expect("time"));
        let runs = vec![
            run("mine", "2026-02-03T00:00:00Z"),
            run("other", "2026-02-02T00:00:00Z"),
            run("mine", "2026-02-01T00:00:00Z"),
            run("mine", "2026-01-31T23:59:59Z"),
        ];
        let listed = Listed { runs, ..Listed::default() };
        let counted = of_month(&listed, "2026-02-03T12:00:00Z".parse().expect("time"));
        let counted: Vec<(&str, u64)> = counted.iter().map(|(pipeline, runs)| (pipeline.as_str(), *runs)).collect();
        assert_eq!(counted, [("mine", 2), ("other", 1)]);
    }

    #[test]
    fn a_grid_has_runs_of_the_readers_pipelines_and_counts_the_rest() {
        let now: Timestamp = "2026-01-15T12:00:00Z".parse().expect("time");
        let old: Timestamp = "2026-01-01T11:59:59Z".parse().expect("time");
        let mut runs: Vec<ListedRun> = (0..10).map(|number| run("mine", number, now)).collect();
        runs.push(run("hidden", 20, now));
        runs.push(run("mine", 21, old));
        let listed = Listed { runs, ..Listed::default() };
        let mine: PipelineName = "mine".parse().expect("name");
        let Shown { runs, more } = shown(&listed, std::slice::from_ref(&mine), now);
        assert_eq!(runs.len(), GRID_RUNS);
        assert!(runs.iter().all(|run| run.run.pipeline == mine));
        let more: Vec<u64> = more.into_values().flat_map(BTreeMap::into_values).collect();
        assert_eq!(more, [10 - GRID_RUNS as u64]);
    }
}
