use std::collections::BTreeMap;

use serde_json::json;
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

async fn asked(documents: &DocumentStore, header: &str, now: &str) -> serde_json::Value {
    let input = json!({ "type": "TOKEN", "authorizationToken": header, "methodArn": ARN });
    let input = serde_json::from_value(input).expect("input");
    let output = handle(documents, at(now), input).await.expect("answer");
    serde_json::to_value(output).expect("json")
}

#[tokio::test]
async fn holders_of_tokens_may_call_the_stage_and_strangers_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
    let other = Token::new("acme".parse().expect("name"), &[8; SECRET_BYTES]);
    let documents = lake(folder.path(), &token, None).await;
    let check = async |header: &str, now: &str, expected: (&str, &str)| {
        let found = asked(&documents, header, now).await;
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
    let found = asked(&documents, &format!("Bearer {}", token.reveal()), "2026-01-03T00:00:00Z").await;
    assert_eq!(found["principalId"], "stranger");
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
