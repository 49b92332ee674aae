//! What each service documents of its requests, as strict as it is: unknown keys, missing keys and texts that are too
//! long are refused with the service's status and words.

use serde_json::{Value, json};

use super::receiver::Asked;

/// Key of PagerDuty and Opsgenie in these tests.
pub(crate) const KEY: &str = "R0123456789abcdef0123456789abcde";

type Judged = Result<(), String>;

/// Status and body of the answer.
pub(crate) fn answer(asked: &Asked) -> (u16, String) {
    let Ok(body) = serde_json::from_str::<Value>(&asked.text) else { return (400, "no JSON".to_owned()) };
    if asked.headers.get("content-type").is_none_or(|kind| kind != "application/json") {
        return (415, "not application/json".to_owned());
    }
    match asked.service.as_str() {
        // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
        "slack" => match slack(&body) {
            Ok(()) => (200, "ok".to_owned()),
            Err(why) => (400, format!("invalid_blocks {why}")),
        },
        // https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
        "teams" => match teams(asked, &body) {
            Ok(()) => (202, String::new()),
            Err(why) => (400, why),
        },
        // https://developer.pagerduty.com/docs/send-alert-event
        "pagerduty" => match pagerduty(asked, &body) {
            Ok(()) => (202, json!({ "status": "success", "message": "Event processed" }).to_string()),
            Err(why) => (400, json!({ "status": "invalid event", "errors": [why] }).to_string()),
        },
        // https://docs.opsgenie.com/docs/alert-api
        "opsgenie" if asked.headers.get("authorization") != Some(&format!("GenieKey {KEY}")) => {
            (403, json!({ "message": "Key format is not valid!" }).to_string())
        }
        "opsgenie" => match opsgenie(asked, &body) {
            Ok(()) => (202, json!({ "result": "Request will be processed", "requestId": "1" }).to_string()),
            Err(why) => (422, json!({ "message": why }).to_string()),
        },
        // https://www.standardwebhooks.com
        "webhook" => match webhook(asked, &body) {
            Ok(()) => (204, String::new()),
            Err(why) => (400, why),
        },
        other => (404, format!("no service {other}")),
    }
}

/// An object with these keys, and of the others only those that may be left out.
fn has_keys(value: &Value, required: &[&str], optional: &[&str]) -> Judged {
    let fields = value.as_object().ok_or_else(|| format!("no object: {value}"))?;
    if let Some(missing) = required.iter().find(|key| !fields.contains_key(**key)) {
        return Err(format!("no {missing}"));
    }
    let known = |key: &String| required.contains(&key.as_str()) || optional.contains(&key.as_str());
    fields.keys().find(|key| !known(key)).map_or(Ok(()), |key| Err(format!("unknown {key}")))
}

/// A text of 1 to so many characters.
fn is_text(value: &Value, max: usize) -> Judged {
    let text = value.as_str().ok_or_else(|| format!("no text: {value}"))?;
    let length = text.chars().count();
    if (1..=max).contains(&length) { Ok(()) } else { Err(format!("{length} characters, not 1 to {max}")) }
}

fn is_one_of(value: &Value, allowed: &[&str]) -> Judged {
    if value.as_str().is_some_and(|text| allowed.contains(&text)) { Ok(()) } else { Err(format!("{value} is unknown")) }
}

fn each(value: &Value, most: usize, check: impl Fn(&Value) -> Judged) -> Judged {
    let values = value.as_array().ok_or_else(|| format!("no list: {value}"))?;
    if values.is_empty() || values.len() > most {
        return Err(format!("{} items, not 1 to {most}", values.len()));
    }
    values.iter().try_for_each(check)
}

fn slack(body: &Value) -> Judged {
    has_keys(body, &["text", "blocks"], &[])?;
    is_text(&body["text"], 40_000)?;
    each(&body["blocks"], 50, |block| match block["type"].as_str() {
        Some("header") => {
            has_keys(block, &["type", "text"], &["block_id"])?;
            is_one_of(&block["text"]["type"], &["plain_text"])?;
            slack_text(&block["text"], 150)
        }
        Some("section") => {
            has_keys(block, &["type"], &["text", "fields", "block_id"])?;
            match (block.get("text"), block.get("fields")) {
                (Some(text), None) => slack_text(text, 3000),
                (None, Some(fields)) => each(fields, 10, |field| slack_text(field, 2000)),
                _ => Err("a section has text or fields".to_owned()),
            }
        }
        _ => Err(format!("block {block}")),
    })
}

fn slack_text(text: &Value, max: usize) -> Judged {
    match text["type"].as_str() {
        Some("plain_text") => has_keys(text, &["type", "text"], &["emoji"])?,
        Some("mrkdwn") => has_keys(text, &["type", "text"], &["verbatim"])?,
        _ => return Err(format!("text {text}")),
    }
    is_text(&text["text"], max)
}

fn teams(asked: &Asked, body: &Value) -> Judged {
    if asked.text.len() > 28 * 1024 {
        return Err("RequestEntityTooLarge".to_owned());
    }
    has_keys(body, &["type", "attachments"], &[])?;
    is_one_of(&body["type"], &["message"])?;
    each(&body["attachments"], 1, |attachment| {
        has_keys(attachment, &["contentType", "content"], &["contentUrl"])?;
        is_one_of(&attachment["contentType"], &["application/vnd.microsoft.card.adaptive"])?;
        let card = &attachment["content"];
        has_keys(card, &["type", "version", "body", "$schema"], &["actions", "fallbackText"])?;
        is_one_of(&card["type"], &["AdaptiveCard"])?;
        is_one_of(&card["version"], &["1.2", "1.3", "1.4", "1.5"])?;
        each(&card["body"], 50, |block| {
            has_keys(block, &["type", "inlines"], &["spacing"])?;
            is_one_of(&block["type"], &["RichTextBlock"])?;
            each(&block["inlines"], 10, |run| {
                has_keys(run, &["type", "text"], &["weight", "size", "color"])?;
                is_one_of(&run["type"], &["TextRun"])
            })
        })
    })
}

fn pagerduty(asked: &Asked, body: &Value) -> Judged {
    if asked.path != "v2/enqueue" {
        return Err(format!("path {}", asked.path));
    }
    is_one_of(&body["routing_key"], &[KEY])?;
    is_text(&body["dedup_key"], 255)?;
    if body["event_action"] == "resolve" {
        return has_keys(body, &["routing_key", "event_action", "dedup_key"], &[]);
    }
    is_one_of(&body["event_action"], &["trigger"])?;
    has_keys(
        body,
        &["routing_key", "event_action", "dedup_key", "payload"],
        &["client", "client_url", "links", "images"],
    )?;
    let payload = &body["payload"];
    let optional = ["timestamp", "component", "group", "class", "custom_details"];
    has_keys(payload, &["summary", "source", "severity"], &optional)?;
    is_text(&payload["summary"], 1024)?;
    is_text(&payload["source"], 255)?;
    is_one_of(&payload["severity"], &["critical", "error", "warning", "info"])?;
    let time = payload["timestamp"].as_str().ok_or("no timestamp")?;
    time.parse::<jiff::Timestamp>().map(drop).map_err(|error| error.to_string())
}

fn opsgenie(asked: &Asked, body: &Value) -> Judged {
    if let Some(alias) = asked.path.strip_suffix("/close?identifierType=alias") {
        is_text(&json!(alias.strip_prefix("v2/alerts/")), 512)?;
        return has_keys(body, &[], &["user", "source", "note"]);
    }
    if asked.path != "v2/alerts" {
        return Err(format!("path {}", asked.path));
    }
    let optional = [
        "alias",
        "description",
        "responders",
        "visibleTo",
        "actions",
        "tags",
        "details",
        "entity",
        "source",
        "priority",
    ];
    has_keys(body, &["message"], &optional)?;
    is_text(&body["message"], 130)?;
    is_text(&body["alias"], 512)?;
    is_text(&body["description"], 15_000)?;
    is_text(&body["entity"], 512)?;
    is_text(&body["source"], 100)?;
    is_one_of(&body["priority"], &["P1", "P2", "P3", "P4", "P5"])?;
    each(&body["tags"], 20, |tag| is_text(tag, 50))?;
    let details = body["details"].as_object().ok_or("no details")?;
    let length: usize = details.iter().map(|(label, value)| label.len() + value.as_str().map_or(9000, str::len)).sum();
    if length <= 8000 { Ok(()) } else { Err(format!("details of {length} characters")) }
}

/// The signature is judged by the test of its renderer, with the vector of the reference implementation.
fn webhook(asked: &Asked, body: &Value) -> Judged {
    has_keys(body, &["type", "timestamp", "data"], &[])?;
    let header = |name: &str| asked.headers.get(name).cloned().ok_or_else(|| format!("no {name}"));
    if !header("webhook-id")?.starts_with("msg_") {
        return Err("webhook-id".to_owned());
    }
    header("webhook-timestamp")?.parse::<i64>().map_err(|error| error.to_string())?;
    // 32 bytes in base64.
    match header("webhook-signature")?.strip_prefix("v1,") {
        Some(signature) if signature.len() == 44 && signature.ends_with('=') => Ok(()),
        _ => Err("webhook-signature".to_owned()),
    }
}
