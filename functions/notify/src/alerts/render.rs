//! An alert as the API of each kind of channel wants it: pure functions, with the documented limits of each.
//!
//! Names of tables, rules and objects come from others. No renderer lets them become markup, a link or a mention.

pub mod email;
pub mod opsgenie;
pub mod pagerduty;
pub mod slack;
pub mod teams;
pub mod webhook;

use sluice_core::alert::{Alert, AlertState};

pub use crate::post::Post;

/// One e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// At most 100 printable ASCII characters.
    pub subject: String,
    /// Text.
    pub body: String,
    /// The pipeline, for filters of subscriptions.
    pub pipeline: String,
    /// `error`, `warning` or `info`, for filters of subscriptions.
    pub severity: &'static str,
}

/// What an alert says apart from its title, message, next step and link: labels with values, at most 16.
fn lines(alert: &Alert) -> Vec<(&str, String)> {
    let mut lines = vec![("State", alert.label().to_owned()), ("Pipeline", alert.pipeline.to_string())];
    if let Some(owner) = &alert.owner {
        lines.push(("Owner", owner.clone()));
    }
    lines.push(("Run", alert.run_id.to_string()));
    lines.push(("Ended", alert.ended_at.to_string()));
    if alert.count > 1 || alert.state == AlertState::Resolved {
        let runs = if alert.count == 1 { "1 run".to_owned() } else { format!("{} runs", alert.count) };
        lines.push(("Found by", format!("{runs}, since {}", alert.since)));
    }
    lines.extend(alert.numbers.iter().map(|number| (number.label.as_str(), number.value.clone())));
    if let Some(rule) = &alert.first_broken_rule {
        lines.push(("First broken rule", rule.clone()));
    }
    lines
}

/// The link of an alert where a browser can open it.
fn web_link(alert: &Alert) -> Option<&str> {
    alert.link.as_deref().filter(|link| link.starts_with("https://"))
}

/// The command that opens the report, where a browser cannot open its address.
fn how_to_open(alert: &Alert) -> Option<&str> {
    if web_link(alert).is_some() { None } else { alert.command.as_deref() }
}

/// The text, cut to so many characters.
fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{kept}…")
}
