use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_core::recipient::SECRET_BYTES;
use sluice_core::uri::FolderUri;

use super::*;

const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/GET/sharing/shares";

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// A lake that keeps a token from January to February.
async fn lake(folder: &std::path::Path, token: &Token, revoked_at: Option<Timestamp>) -> DocumentStore {
    let root: FolderUri = format!("file://{}/", folder.display()).parse().expect("folder");
    let documents = DocumentStore::open(&root, &BTreeMap::new()).expect("store");
    let kept = KeptToken::new(token, at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
    let _ = documents.create(&layout::token(token), &KeptToken { revoked_at, ..kept }).await.expect("kept");
    documents
}

/// The answer to a call, and the events that were written.
async fn asked(documents: &DocumentStore, header: &str, now: &str) -> (Result<Output, StepError>, Vec<Value>) {
    called(documents, header, now, ARN).await
}

async fn called(
    documents: &DocumentStore,
    header: &str,
    now: &str,
    arn: &str,
) -> (Result<Output, StepError>, Vec<Value>) {
    let input = json!({ "type": "TOKEN", "authorizationToken": header, "methodArn": arn });
    let input = serde_json::from_value(input).expect("input");
    let events = RefCell::new(Vec::new());
    let record = |event: &AuditEvent| events.borrow_mut().push(serde_json::to_value(event).expect("json"));
    let answer = handle(documents, at(now), input, record).await;
    (answer, events.into_inner())
}

fn denied(reason: &str, token_id: Option<&str>) -> Value {
    let mut event = json!({
        "at": "2026-01-02T00:00:00Z", "caller": "anonymous", "door": "sharing", "operation": "shares",
        "row_filter": false, "decision": "denied", "reason": reason,
    });
    if let Some(id) = token_id {
        event["token_id"] = json!(id);
    }
    event
}

#[tokio::test]
async fn holders_of_tokens_may_call_the_stage_and_strangers_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
    let other = Token::new("acme".parse().expect("name"), &[8; SECRET_BYTES]);
    let documents = lake(folder.path(), &token, None).await;
    let check = async |header: &str, now: &str, expected: (&str, &str)| {
        let (answer, _) = asked(&documents, header, now).await;
        let found = serde_json::to_value(answer.expect("answer")).expect("json");
        let statement = json!({
            "Effect": expected.1, "Action": "execute-api:Invoke",
            "Resource": "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/*",
        });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        assert_eq!(found, json!({ "principalId": expected.0, "policyDocument": policy }), "{header} {now}");
    };
    let (allowed, denied) = (("recipient:acme", "Allow"), ("stranger", "Deny"));
    check(&format!("Bearer {}", token.reveal()), "2026-01-02T00:00:00Z", allowed).await;
    check(&format!("bearer  {}", token.reveal()), "2026-01-02T00:00:00Z", allowed).await;
    check(&format!("Bearer {}", token.reveal()), "2026-02-01T00:00:00Z", denied).await;
    check(&format!("Bearer {}", other.reveal()), "2026-01-02T00:00:00Z", denied).await;
    check(&format!("Basic {}", token.reveal()), "2026-01-02T00:00:00Z", denied).await;
    check(&token.reveal(), "2026-01-02T00:00:00Z", denied).await;
    check("", "2026-01-02T00:00:00Z", denied).await;
}

#[tokio::test]
async fn revoked_tokens_are_strangers() {
    let folder = tempfile::tempdir().expect("folder");
    let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
    let documents = lake(folder.path(), &token, Some(at("2026-01-02T00:00:00Z"))).await;
    let (answer, _) = asked(&documents, &format!("Bearer {}", token.reveal()), "2026-01-03T00:00:00Z").await;
    assert_eq!(answer.expect("answer").principal_id, "stranger");
}

#[tokio::test]
async fn each_refused_call_leaves_one_event_and_an_allowed_one_leaves_it_to_data_product() {
    let folder = tempfile::tempdir().expect("folder");
    let token = |digit: u8| Token::new("acme".parse().expect("name"), &[digit; SECRET_BYTES]);
    let (good, expired, revoked, unknown) = (token(7), token(8), token(9), token(6));
    let documents = lake(folder.path(), &good, None).await;
    let _ = lake(folder.path(), &revoked, Some(at("2026-01-01T12:00:00Z"))).await;
    let ended = KeptToken::new(&expired, at("2025-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
    let _ = documents.create(&layout::token(&expired), &ended).await.expect("kept");
    // The id of a good token with another secret: whoever sends it is not its holder.
    let forged = format!("acme.{}.{}", good.id(), "0".repeat(64));
    let check = async |header: String, expected: Option<Value>| {
        let (_, events) = asked(&documents, &header, "2026-01-02T00:00:00Z").await;
        assert_eq!(events, Vec::from_iter(expected), "{header}");
        assert!(!events.iter().any(|event| event.to_string().contains(&header)), "{events:?}");
    };
    check(format!("Bearer {}", good.reveal()), None).await;
    check(format!("Bearer {}", expired.reveal()), Some(denied("the token has expired", Some(expired.id())))).await;
    check(format!("Bearer {}", revoked.reveal()), Some(denied("the token was revoked", Some(revoked.id())))).await;
    check(format!("Bearer {}", unknown.reveal()), Some(denied("no such token", None))).await;
    check(format!("Bearer {forged}"), Some(denied("the token is unknown", None))).await;
    check("Bearer nonsense".to_owned(), Some(denied("not a valid token", None))).await;
    check("Basic nonsense".to_owned(), Some(denied("no bearer token", None))).await;
}

#[tokio::test]
async fn events_say_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("folder");
    let documents = lake(folder.path(), &Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]), None).await;
    let check = async |call: &str, expected: &str| {
        let arn = format!("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/{call}");
        let (_, events) = called(&documents, "Bearer nonsense", "2026-01-02T00:00:00Z", &arn).await;
        let found: Vec<_> = events.iter().map(|event| event["operation"].as_str()).collect();
        assert_eq!(found, [Some(expected)], "{call}");
    };
    check("GET/sharing/shares/sales/all-tables", "all-tables").await;
    check("POST/sharing/shares/sales/schemas/retail/tables/orders/query", "query").await;
    check("GET/sharing/other", "unknown").await;
    check("", "unknown").await;
}

#[tokio::test]
async fn a_call_whose_token_cannot_be_looked_up_leaves_an_event_and_fails() {
    let folder = tempfile::tempdir().expect("folder");
    let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
    let documents = lake(folder.path(), &token, None).await;
    let kept = folder.path().join(layout::token(&token).as_str());
    std::fs::write(&kept, "{").expect("damaged");
    let (answer, events) = asked(&documents, &format!("Bearer {}", token.reveal()), "2026-01-02T00:00:00Z").await;
    assert_eq!(answer.expect_err("a fault").name, ErrorName::InvalidInput);
    let found: Vec<_> = events.iter().map(|event| (&event["decision"], &event["reason"])).collect();
    assert_eq!(found, [(&json!("failed"), &json!("internal"))]);
}

#[test]
fn the_token_is_not_printed() {
    let input = Input { authorization_token: "Bearer hush".to_owned(), method_arn: ARN.to_owned() };
    assert!(!format!("{input:?}").contains("hush"));
}

#[test]
fn the_sample_event_is_read() {
    let input: Input = serde_json::from_str(include_str!("../../../events/authorize.json")).expect("event");
    assert_eq!(stage_of(&input.method_arn), "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/live/*");
    let tokenless = serde_json::from_value::<Input>(json!({"type": "TOKEN", "methodArn": ARN})).expect_err("no token");
    assert!(tokenless.to_string().contains("`authorizationToken` is missing"), "{tokenless}");
}
