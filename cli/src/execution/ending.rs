//! How a run ended: the outcome, what happened to the tables, and what to do next.

mod line;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use sluice_core::error::ErrorName;
use sluice_core::name::{PipelineName, RunId, TableRef};
use sluice_core::run::{Plan, ReportedError, RunAction, RunRef};
use sluice_core::source::HeldObject;
use sluice_core::uri::ObjectUri;
use sluice_lake::inspect::{CorruptRecords, RunDetails};
use sluice_lake::runs::Held;
use sluice_lake::{Lake, LakeError, inspect, runs};

use super::Execution;
use super::changes::{BrokenRule, TableEnd, broken_rules, rules_text, table_ends, tables_text, warnings};
use super::page::stored_page;
use crate::asl::ExecutionResult;
use crate::console::{Console, Tone};
use crate::fault::Exit;
use crate::grid::{count, seconds};

/// Held objects that an ending names; `sluice source list` names all.
const MAX_HELD: usize = 20;
/// Rows of a table that the ending of a run shows on a terminal, so that the outcome below them stays in sight with the
/// states above: `sluice runs show` has all. Files and pipes get every row.
const MAX_ON_SCREEN: usize = 12;

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOutcome {
    /// Tables were committed.
    Published,
    /// Nothing was new.
    Skipped,
    /// The gate rejected the data.
    Rejected,
    /// A step failed.
    Failed,
    /// Stopped with Ctrl-C.
    Interrupted,
}

impl EndOutcome {
    /// The outcome that a Succeed state of the definition stands for.
    pub fn of_state(name: &str) -> Option<Self> {
        match name {
            "Published" => Some(Self::Published),
            "Skipped" => Some(Self::Skipped),
            "Rejected" => Some(Self::Rejected),
            _ => None,
        }
    }

    /// How the command ends.
    pub fn exit(self) -> Exit {
        match self {
            Self::Published | Self::Skipped => Exit::Done,
            Self::Rejected => Exit::Rejected,
            Self::Failed => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// The end of an execution; also the last line of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    event: &'static str,
    outcome: EndOutcome,
    exit_code: u8,
    pipeline: PipelineName,
    run_id: RunId,
    duration_seconds: f64,
    tables: Vec<TableEnd>,
    broken_rules: Vec<BrokenRule>,
    warnings: Vec<BrokenRule>,
    /// Source objects that the run holds.
    held: Vec<HeldObject>,
    /// Files and folders of the landing folder that are no source objects.
    passed_by: u64,
    /// Those of them, of the ones that the plan names, that are files which do not count as complete yet.
    #[serde(skip_serializing_if = "is_zero")]
    incomplete_files: u64,
    /// Gold tables that were left as they are, because a table of another pipeline is not as they need it, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<TableRef, String>,
    /// Of a replay, the records that stay because they cannot be split into columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    corrupt_records: Vec<CorruptRecords>,
    /// Tables that attempts before the last one have changed.
    #[serde(skip)]
    changed_before: usize,
    /// Whether it re-validated what is in quarantine.
    #[serde(skip)]
    is_replay: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ReportedError>,
    /// Where the run is stored as a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    report_page: Option<ObjectUri>,
    next: Vec<String>,
}

impl Ended {
    /// The end of an execution, with what its run left in the lake.
    pub(super) async fn of(execution: &Execution, result: &ExecutionResult) -> Result<Self> {
        let lake = &execution.lake;
        let (mut outcome, mut error) = (EndOutcome::Failed, None);
        let mut run = (execution.request.pipeline.clone(), execution.run_id.clone());
        match result {
            ExecutionResult::Succeeded { last_state, output } => {
                match EndOutcome::of_state(last_state) {
                    Some(reached) => outcome = reached,
                    None => {
                        let cause = format!(
                            "the state machine ended in `{last_state}`, which this version of sluice does not know"
                        );
                        error = Some(ReportedError { error: ErrorName::Internal.into(), cause });
                    }
                }
                // An acceptance publishes the run that was rejected, not one of its own.
                if let Some(RunRef { pipeline, run_id, .. }) = run_of(output) {
                    run = (pipeline, run_id);
                }
            }
            ExecutionResult::Failed { error: name, cause, .. } => {
                error = Some(ReportedError { error: name.clone().into(), cause: cause.clone() }.unwrapped());
            }
        }
        let details = match inspect::run_details(lake, &run.0, &run.1).await {
            Ok(details) => Some(details),
            Err(LakeError::NotFound { .. }) => None,
            // The user must see the error of the run itself.
            Err(_) if outcome == EndOutcome::Failed => None,
            Err(fault) => return Err(fault.into()),
        };
        let is_rejected = outcome == EndOutcome::Rejected;
        let tables = details.as_ref().filter(|_| outcome != EndOutcome::Skipped).map(table_ends).unwrap_or_default();
        let broken_rules = details.as_ref().filter(|_| is_rejected).map(broken_rules).unwrap_or_default();
        let warnings = details.as_ref().map(warnings).unwrap_or_default();
        let held = match runs::held(lake, &run.0).await {
            Ok(all) => all.into_iter().filter_map(Held::known).filter(|hold| hold.run_id == run.1).collect(),
            Err(_) if outcome == EndOutcome::Failed => Vec::new(),
            Err(fault) => return Err(fault.into()),
        };
        let held: Vec<HeldObject> = held.into_iter().map(HeldObject::from).collect();
        let passed_by =
            details.as_ref().and_then(|details| details.plan.as_ref()).map_or(0, |plan| plan.passed_by.count);
        let plan = details.as_ref().and_then(|details| details.plan.as_ref());
        let incomplete_files = plan.map_or(0, incomplete_files);
        let waiting = plan.map(|plan| plan.waiting.clone()).unwrap_or_default();
        let changeset = details.as_ref().and_then(|details| details.changeset.as_ref());
        let is_staged = changeset.is_some_and(|changeset| !changeset.tables.is_empty());
        let changed_before = plan.map_or(0, |plan| plan.earlier.tables.len());
        let corrupt_records = match outcome {
            EndOutcome::Published | EndOutcome::Skipped if execution.request.action == RunAction::Replay => {
                left_by_replay(lake, details.as_ref()).await?
            }
            _ => Vec::new(),
        };
        let report_page = page_of(lake, details.as_ref(), outcome).await?;
        let next = next_steps(lake, &run.1, outcome, error.as_ref(), (is_staged, !held.is_empty()));
        Ok(Self {
            event: "finished",
            outcome,
            exit_code: outcome.exit().code(),
            pipeline: run.0,
            run_id: run.1,
            duration_seconds: execution.elapsed().as_secs_f64(),
            tables,
            broken_rules,
            warnings,
            held,
            passed_by,
            incomplete_files,
            waiting,
            corrupt_records,
            changed_before,
            is_replay: execution.request.action == RunAction::Replay,
            error,
            report_page,
            next,
        })
    }

    /// The end of an execution that was stopped.
    pub fn interrupted(execution: &Execution) -> Self {
        let outcome = EndOutcome::Interrupted;
        Self {
            event: "finished",
            outcome,
            exit_code: outcome.exit().code(),
            pipeline: execution.request.pipeline.clone(),
            run_id: execution.run_id.clone(),
            duration_seconds: execution.elapsed().as_secs_f64(),
            tables: Vec::new(),
            broken_rules: Vec::new(),
            warnings: Vec::new(),
            held: Vec::new(),
            passed_by: 0,
            incomplete_files: 0,
            waiting: BTreeMap::new(),
            corrupt_records: Vec::new(),
            changed_before: 0,
            is_replay: false,
            error: None,
            report_page: None,
            next: vec!["run the same command again: the next run completes what this one began".to_owned()],
        }
    }

    /// The tables that it committed.
    pub fn committed(&self) -> impl Iterator<Item = &TableRef> {
        self.tables.iter().filter(|table| table.version.is_some()).map(|table| &table.table)
    }

    /// The run: of an acceptance, the one that was rejected.
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        self.outcome.exit()
    }

    /// The summary for standard output.
    pub fn result_text(&self, console: &Console) -> String {
        let took = seconds(std::time::Duration::try_from_secs_f64(self.duration_seconds).unwrap_or_default());
        let run = format!("run {} in {took}", self.run_id);
        match self.outcome {
            EndOutcome::Published if self.tables.is_empty() && self.changed_before == 0 => {
                let title = console.paint(Tone::Good, "unchanged:");
                let why = if self.is_replay {
                    "; the rows in quarantine stay: `sluice quarantine list` has the rules that they break"
                } else {
                    ""
                };
                format!("{}{title} {run}: no table has a new version{why}", self.warnings_text(console))
            }
            EndOutcome::Published => {
                let title = console.paint(Tone::Good, "published:");
                let without = match self.held.len() {
                    0 => String::new(),
                    1 => ", without 1 source object that is held".to_owned(),
                    many => format!(", without {} source objects that are held", count(many as u64)),
                };
                let tables = self.tables_text(console);
                format!("\n{tables}\n\n{}{title} {run}{without}", self.warnings_text(console))
            }
            EndOutcome::Skipped => format!("{} {run}: nothing new", console.paint(Tone::Good, "skipped:")),
            EndOutcome::Rejected => {
                let title = console.paint(Tone::Bad, "rejected:");
                let (tables, warnings) = (self.tables_text(console), self.warnings_text(console));
                let rules = self.rules_text("broken rule", &self.broken_rules, console);
                let changed = match self.changed_before {
                    0 => "no table was changed".to_owned(),
                    1 => "1 table was changed by an attempt before".to_owned(),
                    many => format!("{many} tables were changed by an attempt before"),
                };
                format!("\n{tables}\n\n{rules}\n\n{warnings}{title} {run}; {changed}")
            }
            EndOutcome::Failed | EndOutcome::Interrupted => String::new(),
        }
    }

    /// The warning rules that were broken, with an empty line behind; nothing without one.
    fn warnings_text(&self, console: &Console) -> String {
        if self.warnings.is_empty() {
            return String::new();
        }
        format!("{}\n\n", self.rules_text("warning", &self.warnings, console))
    }

    fn tables_text(&self, console: &Console) -> String {
        cut(&self.tables, console.is_screen().then_some(MAX_ON_SCREEN), &self.run_id, tables_text)
    }

    fn rules_text(&self, title: &str, rules: &[BrokenRule], console: &Console) -> String {
        if !console.is_screen() {
            return rules_text(title, rules);
        }
        cut(&most_important_first(rules), Some(MAX_ON_SCREEN), &self.run_id, |rules| rules_text(title, rules))
    }

    /// The error and the next steps, for standard error.
    pub fn advice_text(&self, console: &Console) -> String {
        let mut lines = Vec::new();
        if let Some(error) = &self.error {
            lines.push(format!("{} {}: {}", console.paint_err(Tone::Bad, "error:"), error.error, error.cause));
        } else if self.outcome == EndOutcome::Interrupted {
            lines.push(format!("{} run {}", console.paint_err(Tone::Warning, "interrupted:"), self.run_id));
        }
        // What is wrong with them is among the broken rules of a rejected run.
        lines.extend(self.held.iter().take(MAX_HELD).map(|HeldObject { uri, reason }| match self.outcome {
            EndOutcome::Rejected => format!("held back: {uri}"),
            _ => format!("held back: {uri}: {reason}"),
        }));
        if let Some(more @ 1..) = self.held.len().checked_sub(MAX_HELD) {
            lines.push(format!("held back: {more} more; `sluice source list` names all"));
        }
        if self.passed_by > 0 {
            let what = if self.passed_by == 1 { "file or folder" } else { "files and folders" };
            lines.push(format!("passed by: {} {what}; `sluice source list` says why", count(self.passed_by)));
        }
        lines.extend(incomplete_text(self.incomplete_files));
        lines.extend(self.waiting.iter().map(|(table, reason)| format!("not computed: {table}: {reason}")));
        lines.extend(self.corrupt_records.iter().map(stays_text));
        lines.extend(self.report_page.iter().map(|page| format!("report: {page}")));
        lines.extend(self.next.iter().map(|step| format!("{} {step}", console.paint_err(Tone::Strong, "next:"))));
        lines.join("\n")
    }
}

/// The first rows as text, at most this many, and how many more the run has.
fn cut<T>(rows: &[T], most: Option<usize>, run_id: &RunId, text: impl Fn(&[T]) -> String) -> String {
    match most.and_then(|most| rows.split_at_checked(most)) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{}\n {} more: sluice runs show {run_id}", text(first), count(rest.len() as u64))
        }
        _ => text(rows),
    }
}

/// Rules about a share of the whole run first: one of them is why most runs are rejected. The others stay in their order.
fn most_important_first(rules: &[BrokenRule]) -> Vec<BrokenRule> {
    let (shares, others): (Vec<_>, Vec<_>) = rules.iter().cloned().partition(|rule| rule.expected.ends_with('%'));
    [shares, others].concat()
}

/// Where the run is stored as a page.
async fn page_of(lake: &Lake, details: Option<&RunDetails>, outcome: EndOutcome) -> Result<Option<ObjectUri>> {
    let Some(details) = details else { return Ok(None) };
    match stored_page(lake, details).await {
        Ok(path) => Ok(path.map(|path| lake.root().object(&path))),
        // The user must see the error of the run itself.
        Err(_) if outcome == EndOutcome::Failed => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// How many files of a plan do not count as complete yet.
fn incomplete_files(plan: &Plan) -> u64 {
    plan.passed_by.named.iter().filter(|passed| passed.reason.is_incomplete_file()).count() as u64
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What becomes of files that do not count as complete yet. Nothing starts a run when they do.
fn incomplete_text(files: u64) -> Option<String> {
    let what = match files {
        0 => return None,
        1 => "1 of these is a file that is".to_owned(),
        many => format!("{} of these are files that are", count(many)),
    };
    Some(format!(
        "waiting: {what} too young or too small for source.files; a later run takes what is complete by then: run again, \
         or by a schedule"
    ))
}

/// The records that a replay has left, because they cannot be split into columns.
async fn left_by_replay(lake: &Lake, details: Option<&RunDetails>) -> Result<Vec<CorruptRecords>> {
    let plan = details.and_then(|details| details.plan.as_ref());
    let mut left = Vec::new();
    for table in plan.iter().flat_map(|plan| &plan.pipeline.silver) {
        left.extend(inspect::corrupt_records(lake, &table.quarantine).await?);
    }
    Ok(left)
}

/// How many records stay in quarantine, and why.
fn stays_text(CorruptRecords { table, rows, reason }: &CorruptRecords) -> String {
    let what = if *rows == 1 { "record stays" } else { "records stay" };
    format!(
        "stays: {} {what} in {table}, because no columns can be made of what was kept (corrupt_record), such as: \
         {reason}; `sluice quarantine show {table} --rule corrupt_record` has all; deliver them again, corrected",
        count(*rows)
    )
}

fn run_of(output: &Value) -> Option<RunRef> {
    serde_json::from_value(output.get("run")?.clone()).ok()
}

fn next_steps(
    lake: &Lake,
    run_id: &RunId,
    outcome: EndOutcome,
    error: Option<&ReportedError>,
    (is_staged, holds): (bool, bool),
) -> Vec<String> {
    let address = lake.root();
    let place = if address.is_local() { address.as_url().to_file_path().ok() } else { None };
    let place = place.map_or_else(|| address.to_string(), |path| path.display().to_string());
    let place = place.trim_end_matches('/');
    let release = format!(
        "to read the source objects again, for example after you changed the contract: sluice source release --run {run_id} --lake {place}"
    );
    let mut steps = Vec::new();
    match outcome {
        EndOutcome::Interrupted => return steps,
        EndOutcome::Published | EndOutcome::Skipped => {}
        EndOutcome::Rejected => {
            steps.push(format!("to see the full verdict: sluice runs show {run_id} --lake {place}"));
            if is_staged {
                steps.push(format!("to publish it anyway: sluice runs accept {run_id} --reason \"…\" --lake {place}"));
            }
        }
        EndOutcome::Failed => {
            steps.extend(error.map(|error| error.error.next_step().to_owned()));
        }
    }
    if holds {
        steps.push(release);
    }
    steps
}

#[cfg(test)]
mod tests;
