//! Runs that were left in the middle, that failed, or that wait for a person, and what they hold.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::uri::layout;
use sluice_lake::inspect::{self, RunState, RunSummary};
use sluice_lake::{Lake, LakeError, runs};

use super::counted;
use super::finding::Finding;

/// Newest runs that are read: up to six documents of each.
const MAX_RUNS: usize = 50;
/// Pipelines whose holds are read.
const MAX_PIPELINES: usize = 100;
/// A run that was planned longer ago and has not ended is hardly at work: a function may take 15 minutes.
const STILL_AT_WORK: Duration = Duration::from_secs(60 * 60);

/// Runs whose staged files may still be published.
#[derive(Debug, Default)]
pub(super) struct OpenRuns(BTreeSet<RunId>);

impl OpenRuns {
    /// Whether a run may still be published.
    pub(super) fn has(&self, run: &RunId) -> bool {
        self.0.contains(run)
    }
}

/// The checks of the newest runs and of all holds.
///
/// # Errors
/// Faults of the store.
pub(super) async fn findings(lake: &Lake, now: Timestamp) -> Result<(Vec<Finding>, OpenRuns), LakeError> {
    let newest = inspect::runs(lake, None, MAX_RUNS).await?;
    let mut findings = Vec::new();
    let bound = if newest.len() == MAX_RUNS {
        format!("; those before the newest {MAX_RUNS} were not read")
    } else {
        String::new()
    };
    findings.push(Finding::ok("runs", format!("{}{bound}", counted(newest.len(), "run"))));
    findings.extend(unfinished(&newest, now));
    findings.extend(unreadable(&newest));
    findings.extend(failed(&newest));
    findings.extend(restoration(lake).await?);
    let (holders, held) = held(lake).await?;
    findings.push(held);
    findings.push(waiting(&newest, &holders));
    let is_open = |run: &&RunSummary| matches!(run.state, RunState::Unfinished | RunState::Rejected);
    let open = newest.iter().filter(is_open).map(|run| run.run_id.clone()).collect();
    Ok((findings, OpenRuns(open)))
}

/// The first three names, and how many more there are.
fn names<'a>(names: impl ExactSizeIterator<Item = &'a RunId>) -> String {
    let more = names.len().saturating_sub(3);
    let shown: Vec<&str> = names.take(3).map(RunId::as_str).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn with_state(runs: &[RunSummary], state: RunState) -> Vec<&RunSummary> {
    runs.iter().filter(|run| run.state == state).collect()
}

fn unfinished(runs: &[RunSummary], now: Timestamp) -> Vec<Finding> {
    let unfinished = with_state(runs, RunState::Unfinished);
    let age =
        |run: &RunSummary| run.planned_at.map(|at| Duration::try_from(now.duration_since(at)).unwrap_or_default());
    let (at_work, left): (Vec<&RunSummary>, Vec<&RunSummary>) =
        unfinished.into_iter().partition(|run| age(run).is_some_and(|age| age < STILL_AT_WORK));
    if !left.is_empty() {
        let message = format!(
            "{} began more than an hour ago and did not end: {}",
            if left.len() == 1 { "1 run".to_owned() } else { format!("{} runs", left.len()) },
            names(left.iter().map(|run| &run.run_id))
        );
        let fix = "run the pipeline again, or redrive the execution: what was begun is completed, and nothing twice";
        return vec![Finding::warning("unfinished", message, fix)];
    }
    let message = match at_work.len() {
        0 => "no run was left in the middle".to_owned(),
        _ => format!("may be at work: {}", names(at_work.iter().map(|run| &run.run_id))),
    };
    vec![Finding::ok("unfinished", message)]
}

fn unreadable(runs: &[RunSummary]) -> Option<Finding> {
    let damaged = with_state(runs, RunState::Unreadable);
    let first = damaged.first()?;
    let cause = first.error.as_ref().map(|error| error.cause.as_str()).unwrap_or_default();
    let message = format!("documents cannot be read of {}: {cause}", names(damaged.iter().map(|run| &run.run_id)));
    let fix = "restore the document from an earlier version of the object, or delete it: tables are as their logs say";
    Some(Finding::problem("documents", message, fix))
}

/// A restoration that was begun and is not finished: until then, tables are at versions that do not fit together.
async fn restoration(lake: &Lake) -> Result<Option<Finding>, LakeError> {
    if !lake.documents().exists(&layout::pending_restoration()).await? {
        return Ok(None);
    }
    let fix = "`sluice restore --yes` on this lake finishes it";
    Ok(Some(Finding::problem("restore", "a restoration was begun and is not finished", fix)))
}

/// Pipelines whose newest run has failed.
fn failed(runs: &[RunSummary]) -> Vec<Finding> {
    let mut seen: BTreeSet<&PipelineName> = BTreeSet::new();
    // Newest first.
    let newest = runs.iter().filter(|run| seen.insert(&run.pipeline));
    let failed = newest.filter(|run| run.state == RunState::Failed).filter_map(|run| Some((run, run.error.as_ref()?)));
    failed
        .map(|(run, error)| {
            let message = format!(
                "the newest run of pipeline `{}`, {}, failed: {}: {}",
                run.pipeline, run.run_id, error.error, error.cause
            );
            Finding::warning("failed", message, error.error.next_step())
        })
        .collect()
}

/// What is held, and by which runs.
async fn held(lake: &Lake) -> Result<(BTreeSet<RunId>, Finding), LakeError> {
    let pipelines = inspect::held_pipelines(lake).await?;
    let (mut holders, mut objects, mut damaged) = (BTreeSet::new(), 0_usize, 0_usize);
    for pipeline in pipelines.iter().take(MAX_PIPELINES) {
        for hold in runs::held(lake, pipeline).await? {
            objects += 1;
            match hold.run_id() {
                Some(run) => {
                    holders.insert(run.clone());
                }
                None => damaged += 1,
            }
        }
    }
    let bound = match pipelines.len().checked_sub(MAX_PIPELINES) {
        Some(more @ 1..) => format!("; {more} pipelines were not looked through"),
        _ => String::new(),
    };
    if objects == 0 {
        return Ok((holders, Finding::ok("held", format!("no source object is held back{bound}"))));
    }
    let damaged = if damaged == 0 { String::new() } else { format!(", {damaged} by a hold that is damaged") };
    let message = format!("source objects that runs leave out: {objects}{damaged}{bound}");
    let fix = "`sluice source list` says why; correct them, then `sluice source release`";
    Ok((holders, Finding::warning("held", message, fix)))
}

/// Rejected runs whose source objects nobody has released, and which nobody has accepted.
fn waiting(runs: &[RunSummary], holders: &BTreeSet<RunId>) -> Finding {
    let mut rejected = with_state(runs, RunState::Rejected);
    rejected.retain(|run| holders.contains(&run.run_id));
    if rejected.is_empty() {
        return Finding::ok("decisions", "no rejected run waits for a decision");
    }
    let message = format!("rejected, and waiting for a decision: {}", names(rejected.iter().map(|run| &run.run_id)));
    let fix = "`sluice runs show RUN`, then `sluice runs accept RUN`, or `sluice source release --run RUN`";
    Finding::warning("decisions", message, fix)
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn run(id: &str, state: RunState, planned_at: &str) -> RunSummary {
        RunSummary {
            pipeline: "retail".parse().unwrap(),
            run_id: id.parse().unwrap(),
            state,
            action: None,
            attempt: 1,
            planned_at: Some(planned_at.parse().unwrap()),
            ended_at: None,
            sources: 1,
            rows_read: 1,
            broken_rules: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn a_run_is_left_in_the_middle_when_it_began_an_hour_ago() {
        let now = "2026-01-05T12:00:00Z".parse().unwrap();
        let check = |planned_at: &str, expected: State| {
            let found = unfinished(&[run("r-1", RunState::Unfinished, planned_at)], now);
            assert_eq!(found.iter().map(Finding::state).collect::<Vec<_>>(), [expected], "{planned_at}");
        };
        check("2026-01-05T11:30:00Z", State::Ok);
        check("2026-01-05T11:00:00Z", State::Warning);
        // The clock of whoever planned it is ahead.
        check("2026-01-05T12:30:00Z", State::Ok);
    }

    #[test]
    fn a_rejected_run_waits_while_its_objects_are_held() {
        let rejected = [run("r-1", RunState::Rejected, "2026-01-05T11:30:00Z")];
        let check = |holder: &str, expected: State| {
            let holders = BTreeSet::from([holder.parse::<RunId>().unwrap()]);
            assert_eq!(waiting(&rejected, &holders).state(), expected, "{holder}");
        };
        check("r-1", State::Warning);
        check("r-2", State::Ok);
    }

    #[test]
    fn many_names_are_counted() {
        let runs: Vec<RunId> = ["a", "b", "c", "d", "e"].iter().map(|id| id.parse().unwrap()).collect();
        assert_eq!(names(runs.iter()), "a, b, c and 2 more");
        assert_eq!(names(runs.iter().take(2)), "a, b");
    }
}
