//! PagerDuty: the Events API v2 (<https://developer.pagerduty.com/docs/send-alert-event>).
//!
//! Events with one `dedup_key` are one incident: a reminder adds to it, and `resolve` ends it. An event has at most 512
//! kB; these are below 16 kB.

use serde_json::{Map, Value, json};
use sluice_core::alert::{Alert, AlertState, ChannelAddress};

use super::{Post, cut, how_to_open, lines, web_link};

/// Characters of a summary and of a key.
const MAX_SUMMARY: usize = 1024;
const MAX_KEY: usize = 255;

/// The event.
pub fn post(address: &ChannelAddress, routing_key: &str, alert: &Alert) -> Post {
    let dedup_key: String = alert.key.chars().take(MAX_KEY).collect();
    let body = match alert.state {
        AlertState::Resolved => {
            json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key })
        }
        AlertState::Firing => {
            let mut details: Map<String, Value> =
                lines(alert).into_iter().map(|(label, value)| (label.to_owned(), Value::String(value))).collect();
            details.insert("Next".to_owned(), json!(alert.next_step));
            if let Some(message) = &alert.message {
                details.insert("Message".to_owned(), json!(message));
            }
            if let Some(command) = how_to_open(alert) {
                details.insert("Report".to_owned(), json!(command));
            }
            let links: Vec<Value> =
                web_link(alert).map(|href| json!({ "href": href, "text": "Report of the run" })).into_iter().collect();
            json!({
                "routing_key": routing_key,
                "event_action": "trigger",
                "dedup_key": dedup_key,
                "client": "Sluice",
                "payload": {
                    "summary": cut(&alert.title, MAX_SUMMARY),
                    "source": alert.pipeline,
                    "severity": alert.severity.as_str(),
                    "timestamp": alert.ended_at.to_string(),
                    "component": "sluice",
                    "group": alert.pipeline,
                    "class": alert.fact.as_str(),
                    "custom_details": details,
                },
                "links": links,
            })
        }
    };
    Post { url: address.below("/v2/enqueue"), headers: Vec::new(), body: body.to_string() }
}
