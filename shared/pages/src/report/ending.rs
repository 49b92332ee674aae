//! How a run ended, in words, and what a person does next.

use sluice_core::failure::{FailureName, MachineError};
use sluice_core::run::{Decision, Outcome, PlanStatus, RunAction, RunRef};
use sluice_core::uri::FolderUri;

use super::tables::table_ends;
use crate::facts::RunFacts;
use crate::frame::sentence;
use crate::html::Html;
use crate::units::counted;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Tables were committed.
    Published,
    /// Tables were committed, because a person accepted what the gate had rejected.
    Accepted,
    /// Nothing was new.
    Skipped,
    /// The gate rejected the data.
    Rejected,
    /// A step failed.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It has no report.
    Unfinished,
}

impl Ending {
    /// How the run with these documents ended.
    pub(super) fn of(facts: &RunFacts) -> Self {
        let decision = facts.verdict.as_ref().map(|verdict| verdict.decision);
        let published = if decision == Some(Decision::Accepted) { Self::Accepted } else { Self::Published };
        let Some(report) = &facts.report else {
            let is_skipped = facts.plan.as_ref().is_some_and(|plan| plan.status == Some(PlanStatus::Skipped));
            return match decision {
                _ if facts.receipt.is_some() => published,
                Some(Decision::Rejected) => Self::Rejected,
                _ if is_skipped => Self::Skipped,
                _ => Self::Unfinished,
            };
        };
        let is_stopped =
            report.error.as_ref().is_some_and(|error| error.error == FailureName::Machine(MachineError::Stopped));
        match report.outcome {
            Outcome::Published => published,
            Outcome::Skipped => Self::Skipped,
            Outcome::Rejected => Self::Rejected,
            Outcome::Failed if is_stopped => Self::Stopped,
            Outcome::Failed => Self::Failed,
        }
    }

    /// One or two words for headings.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Accepted => "accepted and published",
            Self::Skipped => "skipped, nothing new",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unfinished => "not finished",
        }
    }

    /// The beginning of the element around the word.
    pub(super) fn badge(self) -> &'static str {
        match self {
            Self::Published | Self::Accepted | Self::Skipped => "<span class=\"badge good\">",
            Self::Rejected | Self::Failed => "<span class=\"badge bad\">",
            Self::Stopped | Self::Unfinished => "<span class=\"badge warn\">",
        }
    }

    /// What happened, in sentences.
    pub(super) fn sentences(self, facts: &RunFacts) -> Vec<String> {
        let committed = table_ends(facts).iter().filter(|end| end.version.is_some()).count() as u64;
        let mut sentences = vec![match self {
            Self::Published | Self::Accepted => {
                format!("{} a new version.", counted(committed, "table has", "tables have"))
            }
            Self::Skipped => "Nothing was new, and no table changed.".to_owned(),
            Self::Rejected if committed == 0 => {
                "The data broke error rules. No table changed, and the source objects are held.".to_owned()
            }
            Self::Rejected => format!(
                "The data broke error rules, and the source objects are held. An attempt before changed {}.",
                counted(committed, "table", "tables")
            ),
            Self::Failed if committed == 0 => "A step failed. No table is known to have changed.".to_owned(),
            Self::Failed => format!("A step failed after {} changed.", counted(committed, "table had", "tables had")),
            Self::Stopped => MachineError::Stopped.meaning().to_owned(),
            Self::Unfinished => "The run has no report: it still runs, or the program that ran it ended.".to_owned(),
        }];
        if let Some(error) = facts.report.as_ref().and_then(|report| report.error.as_ref()) {
            let message = error.error.message_for_callers(error.cause.clone());
            sentences.push(format!("Error: {}: {message}", error.error));
        }
        if let Some(verdict) = &facts.verdict {
            let broken = verdict.broken();
            sentences.extend(broken.first().map(|(rule, result)| {
                format!("First broken rule: {rule}: observed {}, limit {}.", result.observed, result.expected)
            }));
            sentences.extend(
                verdict
                    .acceptance
                    .as_ref()
                    .map(|acceptance| format!("{} accepted the broken rules: {}", acceptance.by, acceptance.reason)),
            );
        }
        let held = facts.held().count;
        if held > 0 && self != Self::Rejected {
            let objects = counted(held, "source object", "source objects");
            sentences.push(format!("The run holds {objects} for faults of their own."));
        }
        sentences
    }

    /// What a person does next, as a list.
    pub(super) fn next_steps(self, lake: &FolderUri, run: &RunRef, facts: &RunFacts) -> Html {
        let id = &run.run_id;
        let holds = facts.held().count > 0 || self == Self::Rejected;
        let mut steps: Vec<(String, Option<String>)> = Vec::new();
        match self {
            Self::Published | Self::Accepted | Self::Skipped if !holds => {
                steps.push(("Nothing: the run is complete.".to_owned(), None));
            }
            Self::Published | Self::Accepted | Self::Skipped => {}
            Self::Rejected => {
                let is_staged = facts.changeset.as_ref().is_some_and(|changeset| !changeset.tables.is_empty());
                let accept = format!("sluice runs accept {id} --reason \"…\" --lake {lake}");
                if is_staged {
                    steps.push(("The data are right: publish them, on your responsibility.".to_owned(), Some(accept)));
                }
            }
            Self::Failed | Self::Stopped => {
                let error = facts.report.as_ref().and_then(|report| report.error.as_ref());
                steps.extend(error.map(|error| (sentence(error.error.next_step()), None)));
                let show = format!("sluice runs show {id} --lake {lake}");
                steps.push(("The whole message:".to_owned(), Some(show)));
            }
            Self::Unfinished => {
                steps.push(("Run the pipeline again: the next run completes what this one began.".to_owned(), None));
            }
        }
        if holds {
            let replace = "The file is wrong: deliver it again, corrected. A file with other content needs no release.";
            steps.push((replace.to_owned(), None));
            let release = format!("sluice source release --run {id} --lake {lake}");
            let words = "The spec or the contract was wrong: correct it, then have the held objects read again.";
            steps.push((words.to_owned(), Some(release)));
        }
        let mut html = Html::default();
        html.markup("<ul>\n");
        for (words, command) in &steps {
            html.markup("<li>").text(words);
            if let Some(command) = command {
                html.markup("<br>").element("code", command);
            }
            html.markup("</li>\n");
        }
        html.markup("</ul>\n");
        html
    }
}

/// What kind of run it is, where it takes in no new objects.
pub(super) fn kind_of_run(facts: &RunFacts) -> Option<&'static str> {
    match facts.plan.as_ref()?.request.action {
        RunAction::Ingest => None,
        RunAction::Replay => Some("replay of the quarantine"),
        RunAction::Accept { .. } => Some("publication of a rejected run"),
    }
}
