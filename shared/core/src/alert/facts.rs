//! The facts of a run's end.

use super::{Alert, AlertFact, AlertNumber, AlertSeverity, AlertState};
use crate::failure::{FailureName, MachineError};
use crate::name::PipelineName;
use crate::run::{Outcome, Report, ReportedError, ReportedWarning};
use crate::uri::{FolderUri, ObjectUri};

/// Characters of the message of a failed step.
const MAX_MESSAGE_CHARS: usize = 600;
/// Characters of a rule, and of a list of tables.
const MAX_RULE_CHARS: usize = 300;

/// How a run ended, and where people read about it.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'a> {
    /// The report.
    pub report: &'a Report,
    /// Its pipeline.
    pub pipeline: &'a PipelineName,
    /// The lake of the run.
    pub lake: &'a FolderUri,
    /// The report as a page; `None` when it could not be written.
    pub page: Option<&'a ObjectUri>,
    /// Who looks after the pipeline.
    pub owner: Option<&'a str>,
}

impl RunEnd<'_> {
    /// What people may have to read about this end, the most urgent first. A published run is one more fact: an info.
    pub fn alerts(&self) -> Vec<Alert> {
        let mut alerts = match self.report.outcome {
            Outcome::Failed => vec![self.failed()],
            Outcome::Rejected => vec![self.rejected()],
            Outcome::Skipped => self.held().into_iter().collect(),
            Outcome::Published => {
                [self.waiting(), self.held(), self.warnings()].into_iter().flatten().collect::<Vec<_>>()
            }
        };
        if self.report.outcome == Outcome::Published {
            let title = format!("Sluice: {} published", self.pipeline);
            let next_step = "nothing: the tables have a new version".to_owned();
            alerts.push(self.alert(AlertFact::Published, AlertSeverity::Info, title, next_step));
        }
        alerts
    }

    /// Whether this end shows that such a fact is over, where it has not found it again.
    pub(super) fn ends(&self, fact: AlertFact) -> bool {
        match self.report.outcome {
            Outcome::Published => true,
            // It got further than the failed run; the tables are as they were.
            Outcome::Rejected | Outcome::Skipped => fact == AlertFact::Failed,
            Outcome::Failed => false,
        }
    }

    /// The words of an alert that this end is the end of. Key, severity and the time of its beginning stay.
    pub(super) fn close(&self, alert: &mut Alert) {
        let closed = self.alert(alert.fact, alert.severity, String::new(), String::new());
        let over = match alert.fact {
            AlertFact::Failed | AlertFact::Rejected => "is well again",
            AlertFact::Held => "holds no new source objects",
            AlertFact::Warnings => "breaks no warning rules",
            AlertFact::Waiting => "computes all gold tables again",
            AlertFact::Published | AlertFact::Test => "is done",
        };
        let happened = match self.report.outcome {
            Outcome::Published => "published its tables",
            Outcome::Skipped => "found nothing new",
            Outcome::Rejected => "was rejected by the quality gate, which is an alert of its own",
            Outcome::Failed => "failed",
        };
        alert.state = AlertState::Resolved;
        alert.title = format!("Sluice: {} {over}", self.pipeline);
        alert.message = None;
        alert.numbers = closed.numbers;
        alert.first_broken_rule = None;
        alert.next_step = format!("nothing: run {} {happened}", self.report.run_id);
        alert.link = closed.link;
        alert.command = closed.command;
        alert.run_id = closed.run_id;
        alert.ended_at = closed.ended_at;
    }

    fn failed(&self) -> Alert {
        let unnamed = ReportedError { error: FailureName::Machine(MachineError::Unknown), cause: String::new() };
        let error = self.report.error.as_ref().unwrap_or(&unnamed);
        // Somebody did it, and knows.
        let was_stopped = error.error == FailureName::Machine(MachineError::Stopped);
        let severity = if was_stopped { AlertSeverity::Warning } else { AlertSeverity::Error };
        let name = named(&error.error);
        let title = match was_stopped {
            true => format!("Sluice: {} was stopped", self.pipeline),
            false => format!("Sluice: {} failed with {name}", self.pipeline),
        };
        let mut alert = self.alert(AlertFact::Failed, severity, title, error.error.next_step().to_owned());
        alert.key = format!("{}:{name}", alert.key);
        let message = error.error.message_for_callers(error.cause.clone());
        alert.message = Some(cut(&message, MAX_MESSAGE_CHARS)).filter(|message| !message.is_empty());
        alert
    }

    fn rejected(&self) -> Alert {
        let report = self.report;
        let title = format!("Sluice: {} rejected by the quality gate", self.pipeline);
        let next_step = "read the broken rules in the report; correct the files and deliver them again, or publish the run \
                         on your word with `sluice runs accept`";
        let mut alert = self.alert(AlertFact::Rejected, AlertSeverity::Error, title, next_step.to_owned());
        alert.first_broken_rule = report.broken_rules.first().map(|rule| cut(rule, MAX_RULE_CHARS));
        if !report.broken_rules.is_empty() {
            alert.numbers.push(number("Broken rules", &report.broken_rules.len()));
        }
        alert
    }

    fn held(&self) -> Option<Alert> {
        let held = &self.report.held;
        let what = match held.count {
            0 => return None,
            1 => "1 source object".to_owned(),
            many => format!("{many} source objects"),
        };
        let title = format!("Sluice: {} holds {what}", self.pipeline);
        let next_step = "read in the report what is wrong with them; deliver corrected files, or release them with \
                         `sluice source release`";
        let mut alert = self.alert(AlertFact::Held, AlertSeverity::Warning, title, next_step.to_owned());
        if let Some(first) = held.named.first() {
            // Its reason may quote the file.
            alert.numbers.push(number("First held object", &cut(first.uri.as_str(), MAX_RULE_CHARS)));
        }
        Some(alert)
    }

    fn warnings(&self) -> Option<Alert> {
        let warnings = &self.report.warnings;
        let first = warnings.first()?;
        let what = counted(warnings.len(), "warning rule");
        let title = format!("Sluice: {} published, data breaks {what}", self.pipeline);
        let next_step = "read the rules in the report: the tables are published";
        let mut alert = self.alert(AlertFact::Warnings, AlertSeverity::Warning, title, next_step.to_owned());
        // What was observed may be a value of the data, such as the largest amount.
        let ReportedWarning { rule, expected, .. } = first;
        alert.first_broken_rule = Some(cut(&format!("{rule}, expected {expected}"), MAX_RULE_CHARS));
        alert.numbers.push(number("Broken warning rules", &warnings.len()));
        Some(alert)
    }

    fn waiting(&self) -> Option<Alert> {
        let waiting = &self.report.waiting;
        if waiting.is_empty() {
            return None;
        }
        let what = counted(waiting.len(), "gold table");
        let title = format!("Sluice: {} did not compute {what}", self.pipeline);
        let next_step =
            "read in the report which table of another pipeline they wait for; run that pipeline, then this one";
        let mut alert = self.alert(AlertFact::Waiting, AlertSeverity::Warning, title, next_step.to_owned());
        let tables: Vec<String> = waiting.keys().map(ToString::to_string).collect();
        alert.numbers.push(number("Not computed", &cut(&tables.join(", "), MAX_RULE_CHARS)));
        Some(alert)
    }

    fn alert(&self, fact: AlertFact, severity: AlertSeverity, title: String, next_step: String) -> Alert {
        let report = self.report;
        // Environments that share a service must not close each other's incidents.
        let lake: String = blake3::hash(self.lake.to_string().as_bytes()).to_hex().chars().take(12).collect();
        let command = self.page.map(|_| format!("sluice runs report {} --open --lake {}", report.run_id, self.lake));
        Alert {
            key: format!("sluice:{lake}:{}:{}", self.pipeline, fact.as_str()),
            fact,
            state: AlertState::Firing,
            severity,
            pipeline: self.pipeline.clone(),
            owner: self.owner.map(str::to_owned),
            title,
            message: None,
            numbers: numbers(report),
            first_broken_rule: None,
            next_step,
            link: self.page.map(ToString::to_string),
            command,
            run_id: report.run_id.clone(),
            ended_at: report.ended_at,
            since: report.ended_at,
            count: 1,
        }
    }
}

/// The counts of a run that are not 0.
fn numbers(report: &Report) -> Vec<AlertNumber> {
    // Every table that a row reaches counts it: bronze has each row that was read once.
    let of_bronze = report.rows.iter().filter(|(table, _)| table.starts_with("bronze/"));
    let counts = [
        ("Source objects", report.sources.len() as u64),
        ("Source objects held", report.held.count),
        ("Rows read", of_bronze.map(|(_, rows)| rows.source).sum::<u64>()),
        ("Rows quarantined", report.rows.values().map(|rows| rows.quarantined).sum::<u64>()),
        ("Tables committed", report.committed.len() as u64),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(label, count)| number(label, &count)).collect()
}

fn number(label: &str, value: &impl ToString) -> AlertNumber {
    AlertNumber { label: label.to_owned(), value: value.to_string() }
}

/// A number of things, in words.
fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// The name of an error as part of a key and a title. Names of AWS come from outside.
fn named(error: &FailureName) -> String {
    let is_kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = error.as_str().chars().filter(is_kept).take(60).collect();
    if name.is_empty() { MachineError::Unknown.as_str().to_owned() } else { name }
}

/// The text without control characters, cut to so many characters, the last of which says that it was cut.
fn cut(text: &str, max_chars: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= max_chars {
        return text.chars().map(clean).collect();
    }
    let kept: String = text.chars().map(clean).take(max_chars.saturating_sub(1)).collect();
    format!("{kept}…")
}
