//! What a run cost, from what its steps have left in their documents.

use sluice_core::cost::{Prices, Requests, RunCost, RunUsage, receipt, transitions};
use sluice_core::engine::Engine;
use sluice_core::run::{DocumentKind, Outcome, Report, RunAction};
use sluice_documents::usage;

use crate::Ports;
use crate::report::Facts;

/// The steps of an attempt with the document of each, as people know them.
const STEPS: [(DocumentKind, &str); 4] = [
    (DocumentKind::Plan, "validate"),
    (DocumentKind::Changeset, "process"),
    (DocumentKind::Verdict, "quality-check"),
    (DocumentKind::Receipt, "publish"),
];

/// What quality-check does after its document, where the gate has rejected the run.
const HOLDS: &str = "the requests by which quality-check holds the source objects, after its verdict";

/// What notify requests after it has counted: the report, its page, and what it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StillToCome {
    requests: Requests,
    /// What cannot be foreseen, in words.
    not_counted: Vec<&'static str>,
}

impl StillToCome {
    pub(crate) fn of(ports: &Ports) -> Self {
        let documents = Requests { s3_put: 2, ..Requests::default() };
        let announcers = || ports.announcers.iter();
        let requests = announcers().map(|announcer| announcer.requests()).fold(documents, |sum, one| sum + one);
        let mut not_counted: Vec<&'static str> = announcers().filter_map(|announcer| announcer.not_counted()).collect();
        if ports.alerts.is_some() {
            not_counted.push("requests for alerts");
        }
        Self { requests, not_counted }
    }
}

/// What the run of this report cost, at the prices that this version has of its region.
pub(crate) fn of_run(report: &Report, facts: &Facts, still_to_come: &StillToCome) -> RunCost {
    let mut used = RunUsage::default();
    for (kind, call) in &facts.used {
        match call {
            Some(call) => used.add(call.clone()),
            None => used.not_known.push(format!("the call that wrote the {kind}")),
        }
    }
    if let Some(mut own) = usage::so_far() {
        own.requests = own.requests.map(|requests| requests + still_to_come.requests);
        used.add(own);
    } else {
        used.not_known.push("notify".to_owned());
    }
    used.not_known.extend(still_to_come.not_counted.iter().map(|what| (*what).to_owned()));
    used.not_known.extend(missing(report, facts));
    if !facts.is_accepted() {
        let parts = facts.plan().map_or(0, |plan| plan.cuts.count() as u64);
        let action = facts.plan().map_or(RunAction::Ingest, |plan| plan.request.action.clone());
        used.transitions = transitions(report.outcome, &action, report.attempt, facts.engine(), parts);
    }
    let region = used.calls.iter().find_map(|call| call.region.as_deref());
    let receipt = region.and_then(Prices::of_region).map(|prices| receipt(&used, &prices));
    RunCost { usage: used, receipt }
}

/// What the run used that left no document.
fn missing(report: &Report, facts: &Facts) -> Vec<String> {
    let mut missing = Vec::new();
    if report.attempt > 1 {
        missing.push(format!("the attempts before attempt {}", report.attempt));
    }
    if facts.engine() == Some(Engine::Emr) {
        missing.push("the cluster, and the calls of start-emr, run-etl and terminate".to_owned());
    }
    if facts.is_accepted() {
        missing.push("the execution in which a person accepted the run, or the one before it".to_owned());
    }
    if report.outcome == Outcome::Rejected {
        missing.push(HOLDS.to_owned());
    }
    let failed = report.outcome == Outcome::Failed;
    let has = |kind: DocumentKind| facts.used.iter().any(|(known, _)| *known == kind);
    if let Some((_, step)) = STEPS.iter().find(|(kind, _)| failed && !has(*kind)) {
        missing.push(format!("the calls of {step} that failed"));
    }
    missing
}

#[cfg(test)]
mod tests;
