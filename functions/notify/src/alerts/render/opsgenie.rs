//! Opsgenie: the Alert API (<https://docs.opsgenie.com/docs/alert-api>).
//!
//! Alerts with one `alias` are one alert: creating it again counts, and `close` ends it.

use serde_json::{Map, Value, json};
use sluice_core::alert::{Alert, AlertSeverity, AlertState, ChannelAddress};

use super::{Post, cut, how_to_open, lines, web_link};

/// Characters of a message, an alias, a description, and of the values of all details together.
const MAX_MESSAGE: usize = 130;
const MAX_ALIAS: usize = 512;
const MAX_DESCRIPTION: usize = 15_000;
/// 16 details of at most so many characters, and their labels, are below the 8,000 that all of them may have.
const MAX_DETAIL: usize = 400;

/// The request that creates or closes the alert.
pub fn post(address: &ChannelAddress, key: &str, alert: &Alert) -> Post {
    let alias: String = alert.key.chars().take(MAX_ALIAS).collect();
    let headers = vec![("authorization", format!("GenieKey {key}"))];
    if alert.state == AlertState::Resolved {
        // A key has letters, digits and `:._-` alone, which a path may have as they are.
        let mut url = address.below(&format!("/v2/alerts/{alias}/close"));
        url.set_query(Some("identifierType=alias"));
        let note = format!("{}. {}", alert.title, alert.next_step);
        let body = json!({ "source": "Sluice", "user": "Sluice", "note": note });
        return Post { url, headers, body: body.to_string() };
    }
    let priority = match alert.severity {
        AlertSeverity::Error => "P2",
        AlertSeverity::Warning => "P4",
        AlertSeverity::Info => "P5",
    };
    let details: Map<String, Value> =
        lines(alert).into_iter().map(|(label, value)| (label.to_owned(), json!(cut(&value, MAX_DETAIL)))).collect();
    let said = alert.message.iter().cloned().chain([format!("Next: {}", alert.next_step)]);
    let report = web_link(alert).or_else(|| how_to_open(alert)).map(|report| format!("Report: {report}"));
    let description = said.chain(report).collect::<Vec<_>>().join("\n");
    let body = json!({
        "message": cut(&alert.title, MAX_MESSAGE),
        "alias": alias,
        "description": cut(&description, MAX_DESCRIPTION),
        "priority": priority,
        "source": "Sluice",
        "entity": alert.pipeline,
        "tags": ["sluice", alert.severity.as_str(), alert.fact.as_str()],
        "details": details,
    });
    Post { url: address.below("/v2/alerts"), headers, body: body.to_string() }
}
