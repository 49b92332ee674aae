//! What is sent to people and machines, whatever the channel.

use futures::future::BoxFuture;
use serde::Serialize;
use sluice_core::cost::Requests;
use sluice_core::error::StepError;
use sluice_core::name::TableRef;
use sluice_core::run::{CommittedTable, Outcome, Report, ReportedError, ReportedWarning, SnapshotRows};
use sluice_core::source::HeldObject;
use sluice_core::uri::ObjectUri;

/// Broken rules, and as many warnings and held objects, named in one announcement; the report has more. Keeps
/// announcements far below 256 KiB: an address has at most 1 kB, a reason is cut.
const MAX_RULES: usize = 20;
/// Characters of the reason of a held object in one announcement.
const MAX_REASON_CHARS: usize = 300;
/// Characters of an error's cause in one announcement; the report has all of it.
const MAX_CAUSE_CHARS: usize = 4000;

/// One channel: an SNS topic, an event bus, a terminal.
pub trait Announce: Send + Sync {
    /// Sends how a run ended.
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>>;

    /// The requests that an announcement takes and that AWS bills, for the receipt of the run; none where nothing is sent.
    fn requests(&self) -> Requests {
        Requests::default()
    }

    /// What else an announcement requests that nobody counts, in words, for the receipt of the run.
    fn not_counted(&self) -> Option<&'static str> {
        None
    }
}

/// How a run ended, to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The report.
    pub report: Report,
    /// Where the report is; `None` when the pipeline is not known.
    pub report_uri: Option<ObjectUri>,
    /// Where the report is as a page for people; `None` when the pipeline is not known, or the page cannot be written.
    pub page_uri: Option<ObjectUri>,
}

/// What an event says. Public API for the rules and consumers of the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventDetail<'a> {
    /// The pipeline; null when the request could not be read.
    pub pipeline: Option<&'a str>,
    /// The run.
    pub run_id: &'a str,
    /// The attempt; 0 when there was no plan.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub ended_at: String,
    /// Number of source objects.
    pub sources: usize,
    /// The first objects that the run held and went on without, at most 20, with their reasons.
    pub held: Vec<HeldObject>,
    /// How many there are.
    pub held_count: u64,
    /// Tables committed, with their versions.
    pub committed: &'a [CommittedTable],
    /// Gold tables that were not computed, because a table of another pipeline is not as they need it; the report says why.
    pub waiting: Vec<&'a TableRef>,
    /// The first broken error rules, at most 20.
    pub broken_rules: &'a [String],
    /// How many there are.
    pub broken_rule_count: usize,
    /// The first broken warning rules, at most 20.
    pub warnings: &'a [ReportedWarning],
    /// How many there are.
    pub warning_count: usize,
    /// The error of a failed run, its cause cut after 4000 characters.
    pub error: Option<ReportedError>,
    /// Where the whole report is.
    pub report_uri: Option<&'a str>,
    /// Where it is as a page for people.
    pub page_uri: Option<&'a str>,
}

/// The outcome as attribute value and path part.
pub fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Published => "published",
        Outcome::Skipped => "skipped",
        Outcome::Rejected => "rejected",
        Outcome::Failed => "failed",
    }
}

impl Announcement {
    /// The pipeline's name, or `unknown`.
    pub fn pipeline(&self) -> &str {
        self.report.pipeline.as_ref().map_or("unknown", |pipeline| pipeline.as_str())
    }

    /// One line of at most 100 ASCII characters.
    pub fn subject(&self) -> String {
        let happened = match self.report.outcome {
            Outcome::Published => "published",
            Outcome::Skipped => "skipped, nothing new",
            // Shorter next to the number of objects: the name may have 48 characters.
            Outcome::Rejected if self.report.held.is_empty() => "rejected by the quality gate",
            Outcome::Rejected => "rejected",
            Outcome::Failed => "failed",
        };
        let held = match self.report.held.count {
            0 => String::new(),
            1 => ", 1 source object held".to_owned(),
            many => format!(", {many} source objects held"),
        };
        format!("Sluice: {} {happened}{held}", self.pipeline())
    }

    /// The message for people.
    pub fn body(&self) -> String {
        let report = &self.report;
        let mut lines = vec![match report.outcome {
            Outcome::Published => "The tables below have a new version.".to_owned(),
            Outcome::Skipped => "There was nothing new to process; no table changed.".to_owned(),
            Outcome::Rejected if report.committed.is_empty() => {
                "The data broke error rules; no table changed and the source objects are held.".to_owned()
            }
            Outcome::Rejected => {
                "The data broke error rules, and the source objects are held. An attempt before it changed the tables below."
                    .to_owned()
            }
            Outcome::Failed => "A step failed.".to_owned(),
        }];
        match report.outcome {
            _ if report.held.is_empty() => {}
            Outcome::Published => {
                lines.push("The run holds the source objects below, and went on without them.".to_owned());
            }
            _ => lines.push("The run holds the source objects below for faults of their own.".to_owned()),
        }
        lines.push(String::new());
        let held = self.held();
        lines.extend(held.iter().map(|HeldObject { uri, reason }| format!("Held: {uri}: {reason}")));
        if let Some(more @ 1..) = report.held.count.checked_sub(held.len() as u64) {
            lines.push(format!("Held objects not listed: {more}"));
        }
        lines.push(format!("Pipeline: {}", self.pipeline()));
        lines.push(format!("Run: {} (attempt {})", report.run_id, report.attempt));
        lines.push(format!("Ended: {}", report.ended_at));
        if !report.sources.is_empty() {
            lines.push(format!("Source objects: {}", report.sources.len()));
        }
        if let Some(error) = self.error() {
            lines.push(format!("Error: {}: {}", error.error, error.cause));
        }
        for table in &report.committed {
            lines.push(format!("Table: {} version {}, {} rows", table.table, table.version, table.rows));
        }
        lines.extend(report.waiting.iter().map(|(table, reason)| format!("Not computed: {table}: {reason}")));
        for (table, rows) in report.rows.iter().filter(|(_, rows)| rows.quarantined > 0) {
            lines.push(format!("Quarantined: {} of {} rows of {table}", rows.quarantined, rows.source));
        }
        for (table, rows) in report.rows.iter().filter(|(_, rows)| rows.deleted > 0) {
            lines.push(format!("Delete events: {} of {} rows of {table}", rows.deleted, rows.source));
        }
        for (table, rows) in report.rows.iter().filter_map(|(table, rows)| Some((table, rows.snapshot?))) {
            let SnapshotRows { added, changed, removed, unchanged, .. } = rows;
            lines.push(format!(
                "Snapshot of {table}: {added} added, {changed} changed, {removed} removed, {unchanged} unchanged"
            ));
        }
        lines.extend(report.broken_rules.iter().take(MAX_RULES).map(|rule| format!("Broken rule: {rule}")));
        if let Some(more @ 1..) = report.broken_rules.len().checked_sub(MAX_RULES) {
            lines.push(format!("Broken rules not listed: {more}"));
        }
        lines.extend(report.warnings.iter().take(MAX_RULES).map(|ReportedWarning { rule, observed, expected }| {
            format!("Warning: {rule}: observed {observed}, expected {expected}")
        }));
        if let Some(more @ 1..) = report.warnings.len().checked_sub(MAX_RULES) {
            lines.push(format!("Warnings not listed: {more}"));
        }
        if let Some(uri) = &self.report_uri {
            lines.push(format!("Report: {uri}"));
        }
        if let Some(uri) = &self.page_uri {
            lines.push(format!("Page: {uri}"));
            // Its four last parts are the path that layout gives it.
            let lake = uri.as_str().rsplitn(5, '/').nth(4).unwrap_or_default();
            lines.push(format!("To open it: sluice runs report {} --open --lake {lake}", report.run_id));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// The first objects that the run held, with their reasons in short.
    fn held(&self) -> Vec<HeldObject> {
        let short = |HeldObject { uri, reason }: &HeldObject| HeldObject {
            uri: uri.clone(),
            reason: reason.chars().take(MAX_REASON_CHARS).collect(),
        };
        self.report.held.named.iter().take(MAX_RULES).map(short).collect()
    }

    /// Kind of the event for machines.
    pub fn detail_type(&self) -> &'static str {
        match self.report.outcome {
            Outcome::Published => "Sluice Run Published",
            Outcome::Skipped => "Sluice Run Skipped",
            Outcome::Rejected => "Sluice Run Rejected",
            Outcome::Failed => "Sluice Run Failed",
        }
    }

    /// Content of the event for machines.
    pub fn detail(&self) -> EventDetail<'_> {
        let report = &self.report;
        EventDetail {
            pipeline: report.pipeline.as_ref().map(|pipeline| pipeline.as_str()),
            run_id: report.run_id.as_str(),
            attempt: report.attempt,
            outcome: report.outcome,
            ended_at: report.ended_at.to_string(),
            sources: report.sources.len(),
            held: self.held(),
            held_count: report.held.count,
            committed: &report.committed,
            waiting: report.waiting.keys().collect(),
            broken_rules: report.broken_rules.get(..MAX_RULES).unwrap_or(&report.broken_rules),
            broken_rule_count: report.broken_rules.len(),
            warnings: report.warnings.get(..MAX_RULES).unwrap_or(&report.warnings),
            warning_count: report.warnings.len(),
            error: self.error(),
            report_uri: self.report_uri.as_ref().map(ObjectUri::as_str),
            page_uri: self.page_uri.as_ref().map(ObjectUri::as_str),
        }
    }

    fn error(&self) -> Option<ReportedError> {
        self.report.error.as_ref().map(|error| ReportedError {
            error: error.error.clone(),
            cause: error.cause.chars().take(MAX_CAUSE_CHARS).collect(),
        })
    }
}
