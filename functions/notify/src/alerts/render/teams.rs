//! Microsoft Teams: a webhook of Workflows with an Adaptive Card
//! (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>).
//!
//! Texts are `TextRun`s of a `RichTextBlock`, which read no Markdown; mentions need an entity, which no card has. A
//! message has at most 28 kB, which 20 texts of at most 400 characters stay below.

use serde_json::{Value, json};
use sluice_core::alert::{Alert, AlertSeverity, AlertState, ChannelAddress};

use super::{Post, cut, how_to_open, lines, web_link};

/// Characters of one text.
const MAX_TEXT: usize = 400;

/// The message.
pub fn post(address: &ChannelAddress, alert: &Alert) -> Post {
    let colour = match (alert.state, alert.severity) {
        (AlertState::Resolved, _) | (_, AlertSeverity::Info) => "good",
        (AlertState::Firing, AlertSeverity::Warning) => "warning",
        (AlertState::Firing, AlertSeverity::Error) => "attention",
    };
    let title = json!({
        "type": "TextRun", "text": cut(&alert.title, MAX_TEXT), "weight": "bolder", "size": "large", "color": colour,
    });
    let mut blocks = vec![json!({ "type": "RichTextBlock", "inlines": [title] })];
    blocks.extend(lines(alert).iter().map(|(label, value)| line(label, value)));
    if let Some(message) = &alert.message {
        blocks.push(line("Message", message));
    }
    blocks.push(line("Next", &alert.next_step));
    if let Some(command) = how_to_open(alert) {
        blocks.push(line("Report", command));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": cut(&alert.title, MAX_TEXT),
        "body": blocks,
    });
    if let (Some(link), Some(card)) = (web_link(alert), card.as_object_mut()) {
        let open = json!({ "type": "Action.OpenUrl", "title": "Report of the run", "url": link });
        card.insert("actions".to_owned(), json!([open]));
    }
    let body = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
        }],
    });
    Post { url: address.as_url().clone(), headers: Vec::new(), body: body.to_string() }
}

fn line(label: &str, value: &str) -> Value {
    json!({
        "type": "RichTextBlock",
        "spacing": "small",
        "inlines": [
            { "type": "TextRun", "text": format!("{label}: "), "weight": "bolder" },
            { "type": "TextRun", "text": cut(value, MAX_TEXT) },
        ],
    })
}
