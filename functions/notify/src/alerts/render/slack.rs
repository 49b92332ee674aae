//! Slack: an incoming webhook with Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! Every text is a `plain_text` object, which has neither markup nor mentions, except the link. `&`, `<` and `>` are
//! written as entities in all of them, as Slack asks for.

use serde_json::{Value, json};
use sluice_core::alert::{Alert, ChannelAddress};

use super::{Post, how_to_open, lines, web_link};

/// Characters of a header, of a section's text, and of one of its fields; fields of a section.
const MAX_HEADER: usize = 150;
const MAX_TEXT: usize = 3000;
const MAX_FIELD: usize = 2000;
const MAX_FIELDS: usize = 10;

/// The message.
pub fn post(address: &ChannelAddress, alert: &Alert) -> Post {
    let mut blocks = vec![json!({ "type": "header", "text": plain(&alert.title, MAX_HEADER) })];
    let fields: Vec<Value> =
        lines(alert).iter().map(|(label, value)| plain(&format!("{label}\n{value}"), MAX_FIELD)).collect();
    blocks.extend(fields.chunks(MAX_FIELDS).map(|fields| json!({ "type": "section", "fields": fields })));
    if let Some(message) = &alert.message {
        blocks.push(json!({ "type": "section", "text": plain(message, MAX_TEXT) }));
    }
    blocks.push(json!({ "type": "section", "text": plain(&format!("Next: {}", alert.next_step), MAX_TEXT) }));
    if let Some(link) = web_link(alert) {
        // A bar would end the address.
        let link = format!("<{}|Report of the run>", escaped(&link.replace('|', "%7C"), MAX_TEXT));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": link, "verbatim": true } }));
    }
    if let Some(command) = how_to_open(alert) {
        blocks.push(json!({ "type": "section", "text": plain(&format!("Report: {command}"), MAX_TEXT) }));
    }
    // What notifications of the phone and screen readers show.
    let body = json!({ "text": escaped(&alert.title, MAX_TEXT), "blocks": blocks });
    Post { url: address.as_url().clone(), headers: Vec::new(), body: body.to_string() }
}

fn plain(text: &str, max_chars: usize) -> Value {
    json!({ "type": "plain_text", "text": escaped(text, max_chars), "emoji": false })
}

/// The text with the three signs that Slack reads as control characters as entities, cut between characters.
fn escaped(text: &str, max_chars: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    for character in text.chars() {
        let entity = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        length += entity.len().max(1);
        // Leaves room for the sign that says that it was cut.
        if length >= max_chars {
            escaped.push('…');
            return escaped;
        }
        if entity.is_empty() {
            escaped.push(character);
        } else {
            escaped.push_str(entity);
        }
    }
    escaped
}
