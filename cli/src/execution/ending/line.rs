//! The end of a run in one line, for whoever watches many.

use super::{EndOutcome, Ended};
use crate::console::{Console, Tone};
use crate::grid::{count, seconds};

impl Ended {
    /// Whether files of the landing folder do not count as complete yet: a later run takes them, though nothing about them
    /// changes.
    pub fn waits_for_files(&self) -> bool {
        self.incomplete_files > 0
    }

    /// Outcome, pipeline, numbers and run in one line.
    pub fn line_text(&self, console: &Console) -> String {
        let (tone, outcome) = match self.outcome {
            EndOutcome::Published => (Tone::Good, "published:"),
            EndOutcome::Skipped => (Tone::Faint, "skipped:"),
            EndOutcome::Rejected => (Tone::Bad, "rejected:"),
            EndOutcome::Failed => (Tone::Bad, "failed:"),
            EndOutcome::Interrupted => (Tone::Warning, "interrupted:"),
        };
        let took = seconds(std::time::Duration::try_from_secs_f64(self.duration_seconds).unwrap_or_default());
        let (outcome, pipeline, run_id) = (console.paint(tone, outcome), &self.pipeline, &self.run_id);
        format!("{outcome} {pipeline}: {}, in {took} (run {run_id})", self.what())
    }

    /// What is most important about it.
    fn what(&self) -> String {
        let held = match self.held.len() {
            0 => String::new(),
            1 => ", 1 source object held".to_owned(),
            many => format!(", {} source objects held", count(many as u64)),
        };
        match self.outcome {
            EndOutcome::Published => {
                let tables = self.committed().count();
                let tables = if tables == 1 { "1 table".to_owned() } else { format!("{tables} tables") };
                let read = self.tables.iter().map(|table| table.rows_read).max().unwrap_or_default();
                let quarantined: u64 = self.tables.iter().map(|table| table.rows_quarantined).sum();
                format!("{tables}, {} rows read, {} quarantined{held}", count(read), count(quarantined))
            }
            EndOutcome::Skipped => format!("nothing new{held}"),
            EndOutcome::Rejected => {
                let first = self.broken_rules.iter().find(|rule| rule.expected.ends_with('%'));
                let first = first.or(self.broken_rules.first()).map_or_else(String::new, |rule| {
                    format!("{}: observed {}, expected {}", rule.rule, rule.observed, rule.expected)
                });
                let more = match self.broken_rules.len() {
                    0 | 1 => String::new(),
                    many => format!(" and {} more", many - 1),
                };
                format!("{first}{more}{held}")
            }
            EndOutcome::Failed => {
                self.error.as_ref().map_or_else(String::new, |error| format!("{}: {}", error.error, error.cause))
            }
            EndOutcome::Interrupted => "the next run completes what it began".to_owned(),
        }
    }
}
