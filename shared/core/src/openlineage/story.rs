//! The events of a run, in the order of their times.

use jiff::Timestamp;

use super::dataset_facets::{InputFacets, Owner};
use super::datasets::Datasets;
use super::facet::Facet;
use super::facts;
use super::job_facets::{JobFacets, JobOwnership, JobType, SourceCode, Sql};
use super::model::{EventType, InputDataset, Job, OutputDataset, Run, RunEvent};
use super::names;
use super::quality;
use super::run_facets::{ErrorMessage, JobName, Parent, ProcessingEngine, RunFacets, RunId, Tag, Tags};
use super::table_jobs::{TableJob, table_jobs};
use crate::failure::{FailureName, MachineError};
use crate::name::PipelineName;
use crate::run::{Decision, Outcome, TableVerdict, Verdict};
use crate::uri::FolderUri;

/// Broken rules that a message names; the assertions of the audited tables have all of them.
const MAX_RULES: usize = 20;

/// The events of a run that has ended, in the order of their times; none where not even its pipeline is known.
///
/// A run that found nothing new has the two events of the pipeline's job, and no dataset: it completed, and changed
/// nothing. Of an attempt without a plan, START and the end have the time of its end, because nothing says when it
/// began.
pub fn events(lake: &FolderUri, facts: &facts::RunFacts<'_>) -> Vec<RunEvent> {
    let Some(pipeline) = &facts.report.pipeline else { return Vec::new() };
    let story = Story::new(lake, *facts, pipeline);
    let mut events = vec![story.start(&story.job, story.pipeline_facets())];
    events.extend(story.running());
    for job in &story.tables() {
        events.extend(story.table_events(job));
    }
    events.extend(facts.verdict.map(|verdict| story.audit_events(verdict)).into_iter().flatten());
    // Events of one instant stay as they are: a start before its end.
    events.sort_by_key(RunEvent::time);
    let last = events.last().map_or(facts.report.ended_at, |event| event.time().max(facts.report.ended_at));
    events.push(story.end(last));
    events
}

struct Story<'a> {
    facts: facts::RunFacts<'a>,
    datasets: Option<Datasets<'a>>,
    /// The job of the pipeline.
    job: JobName,
    started_at: Timestamp,
}

impl<'a> Story<'a> {
    fn new(lake: &'a FolderUri, facts: facts::RunFacts<'a>, pipeline: &PipelineName) -> Self {
        let planned_at = facts.plan.and_then(|plan| plan.planned_at);
        Self {
            facts,
            datasets: Datasets::of(lake, facts),
            job: names::pipeline_job(lake, pipeline),
            started_at: planned_at.unwrap_or(facts.report.ended_at),
        }
    }

    fn tables(&self) -> Vec<TableJob> {
        let Some(datasets) = &self.datasets else { return Vec::new() };
        let action = self.facts.plan.map(|plan| plan.request.action.clone()).unwrap_or_default();
        table_jobs(datasets, &action)
    }

    fn uuid(&self, job: &JobName) -> String {
        names::run_uuid(job, &self.facts.report.run_id, self.facts.report.attempt)
    }

    /// A run of a job, with the run of the pipeline as its parent unless it is that one.
    fn run(&self, job: &JobName) -> Run {
        let is_part = job.name != self.job.name;
        let parent = is_part.then(|| Parent { run: RunId { run_id: self.uuid(&self.job) }, job: self.job.clone() });
        let facets = RunFacets {
            parent: parent.map(Facet::of),
            processing_engine: Some(Facet::of(ProcessingEngine { version: env!("CARGO_PKG_VERSION"), name: "Sluice" })),
            tags: Some(Facet::of(Tags { tags: self.tags() })),
            error_message: None,
        };
        Run { run_id: self.uuid(job), facets }
    }

    fn tags(&self) -> Vec<Tag> {
        let report = self.facts.report;
        let tag = |key, value: String| Tag { key, value, source: "SLUICE" };
        let outcome = match report.outcome {
            Outcome::Published => "published",
            Outcome::Skipped => "skipped",
            Outcome::Rejected => "rejected",
            Outcome::Failed => "failed",
        };
        let after_reading = self.facts.changeset.and_then(|changeset| changeset.engine.as_ref());
        let engine = after_reading.or_else(|| self.facts.plan?.engine.as_ref());
        let mut tags = vec![
            tag("run_id", report.run_id.to_string()),
            tag("attempt", report.attempt.to_string()),
            tag("outcome", outcome.to_owned()),
        ];
        tags.extend(engine.map(|choice| tag("engine", choice.engine.to_string())));
        tags
    }

    fn job(name: &JobName, facets: JobFacets) -> Job {
        Job { namespace: name.namespace.clone(), name: name.name.clone(), facets }
    }

    fn job_facets(&self, job_type: &'static str) -> JobFacets {
        let domain = self.datasets.as_ref().map(|datasets| &datasets.pipeline.domain);
        let owner = domain.map(|domain| Owner { name: format!("domain:{domain}"), owner_type: "OWNER" });
        JobFacets {
            job_type: Some(Facet::of(JobType::of(job_type))),
            ownership: owner.map(|owner| Facet::of(JobOwnership { owners: vec![owner] })),
            ..JobFacets::default()
        }
    }

    fn pipeline_facets(&self) -> JobFacets {
        self.job_facets("PIPELINE")
    }

    fn start(&self, name: &JobName, facets: JobFacets) -> RunEvent {
        RunEvent::new(EventType::Start, self.started_at, self.run(name), Self::job(name, facets))
    }

    /// That everything is staged, which is when it is known which engine combined the rows.
    fn running(&self) -> Option<RunEvent> {
        let staged_at = self.facts.changeset?.staged_at;
        let job = Self::job(&self.job, self.pipeline_facets());
        Some(RunEvent::new(EventType::Running, staged_at.max(self.started_at), self.run(&self.job), job))
    }

    /// The end of the pipeline's run.
    fn end(&self, at: Timestamp) -> RunEvent {
        let (event_type, message) = self.outcome();
        let mut run = self.run(&self.job);
        run.facets.error_message = message.map(error_message);
        RunEvent::new(event_type, at, run, Self::job(&self.job, self.pipeline_facets()))
    }

    /// How the pipeline's run ended, and why if it did not complete.
    fn outcome(&self) -> (EventType, Option<String>) {
        let report = self.facts.report;
        match report.outcome {
            Outcome::Published | Outcome::Skipped => (EventType::Complete, None),
            Outcome::Rejected => (EventType::Fail, Some(rejection(&report.broken_rules))),
            Outcome::Failed => {
                let message = report.error.as_ref().map(|error| {
                    let words = error.error.message_for_callers(error.cause.clone());
                    format!("{}: {words}", error.error)
                });
                let is_stopped = report
                    .error
                    .as_ref()
                    .is_some_and(|error| error.error == FailureName::Machine(MachineError::Stopped));
                let event_type = if is_stopped { EventType::Abort } else { EventType::Fail };
                (event_type, Some(message.unwrap_or_else(|| "The run failed.".to_owned())))
            }
        }
    }

    /// The start and the end of a table's job. What was staged and not committed came to nothing: it was aborted.
    fn table_events(&self, TableJob { table, inputs, outputs, sql }: &TableJob) -> [RunEvent; 2] {
        let name = names::part_job(&self.job, &names::table_part(table));
        let mut facets = self.job_facets("TABLE");
        facets.sql = sql.clone().map(|query| Facet::of(Sql { query }));
        facets.source_code = sql.clone().map(|source_code| Facet::of(SourceCode { language: "SQL", source_code }));
        let event_type = if outputs.is_empty() { EventType::Abort } else { EventType::Complete };
        let job = Self::job(&name, facets.clone());
        let end = RunEvent::new(event_type, self.report_end(), self.run(&name), job);
        [self.start(&name, facets), end.with(inputs.clone(), outputs.clone())]
    }

    /// When the attempt ended, which is when its tables were committed or given up.
    fn report_end(&self) -> Timestamp {
        self.facts.report.ended_at.max(self.started_at)
    }

    /// The start and the end of the audit, whose inputs are the staged tables with their rules.
    fn audit_events(&self, verdict: &Verdict) -> [RunEvent; 2] {
        let name = names::part_job(&self.job, "quality_check");
        let facets = self.job_facets("QUALITY_CHECK");
        let staged_at = self.facts.changeset.map_or(self.started_at, |changeset| changeset.staged_at);
        let started_at = staged_at.max(self.started_at);
        let start = RunEvent::new(EventType::Start, started_at, self.run(&name), Self::job(&name, facets.clone()));
        let mut run = self.run(&name);
        let event_type = match verdict.decision {
            Decision::Passed | Decision::Accepted => EventType::Complete,
            Decision::Rejected => {
                let broken: Vec<String> = verdict.broken().into_iter().map(|(rule, _)| rule).collect();
                run.facets.error_message = Some(error_message(rejection(&broken)));
                EventType::Fail
            }
        };
        let end = RunEvent::new(event_type, verdict.audited_at.max(started_at), run, Self::job(&name, facets));
        [start, end.with(self.audited(verdict), Vec::<OutputDataset>::new())]
    }

    fn audited(&self, verdict: &Verdict) -> Vec<InputDataset> {
        let Some(datasets) = &self.datasets else { return Vec::new() };
        let audited = |table: &TableVerdict| {
            let metrics = datasets.change(&table.table).map(|change| quality::metrics(&change.adds));
            let input_facets = InputFacets {
                input_statistics: None,
                data_quality_metrics: metrics,
                data_quality_assertions: Some(quality::assertions(table, datasets.pipeline.contract(&table.table))),
            };
            InputDataset { dataset: datasets.table(&table.table), input_facets }
        };
        verdict.tables.iter().map(audited).collect()
    }
}

fn error_message(message: String) -> Facet<ErrorMessage> {
    Facet::of(ErrorMessage { message, programming_language: "RUST" })
}

/// Why nothing was published. Rules have names of contracts, and no values.
fn rejection(broken: &[String]) -> String {
    let named: Vec<&str> = broken.iter().take(MAX_RULES).map(String::as_str).collect();
    match broken.len().checked_sub(MAX_RULES) {
        _ if named.is_empty() => "The quality gate rejected the data.".to_owned(),
        Some(more @ 1..) => format!("The data broke error rules: {}; and {more} more", named.join("; ")),
        _ => format!("The data broke error rules: {}", named.join("; ")),
    }
}
