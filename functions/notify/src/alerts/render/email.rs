//! E-mail, through an SNS topic.

use sluice_core::alert::Alert;

use super::{Letter, how_to_open, lines};

/// Characters of a subject that SNS takes.
const MAX_SUBJECT: usize = 100;

/// The e-mail.
pub fn letter(alert: &Alert) -> Letter {
    let printable = |c: &char| c.is_ascii_graphic() || *c == ' ';
    let mut text = vec![alert.title.clone(), String::new()];
    if let Some(message) = &alert.message {
        text.extend([message.clone(), String::new()]);
    }
    text.push(format!("Next: {}", alert.next_step));
    text.push(String::new());
    text.extend(lines(alert).into_iter().map(|(label, value)| format!("{label}: {value}")));
    text.extend(alert.link.iter().map(|link| format!("Page: {link}")));
    text.extend(how_to_open(alert).map(|command| format!("To open it: {command}")));
    text.push(String::new());
    Letter {
        subject: alert.title.chars().filter(printable).take(MAX_SUBJECT).collect(),
        body: text.join("\n"),
        pipeline: alert.pipeline.to_string(),
        severity: alert.severity.as_str(),
    }
}
