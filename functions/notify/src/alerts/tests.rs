use std::sync::{Arc, Mutex};

use futures::FutureExt;
use serde_json::{Value, json};
use sluice_core::alert::{AlertNumber, AlertSeverity, AlertState};
use sluice_core::run::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Every reference is this secret, which is that of a webhook.
struct OneSecret;

impl Secrets for OneSecret {
    fn text<'a>(&'a self, _: &'a SecretRef) -> BoxFuture<'a, Result<String, StepError>> {
        async { Ok("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".to_owned()) }.boxed()
    }
}

/// Answers the requests in order, the last answer for all that follow, and keeps what it was asked.
async fn listening(answers: &'static [&'static str]) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            loop {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if read == 0 || body.len() >= length.parse::<usize>().unwrap() {
                    kept.lock().unwrap().push(text);
                    break;
                }
            }
            let answer = answers[answers.len().min(number + 1) - 1];
            let text = format!("HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    (port, asked)
}

/// Sends a test message to a webhook on this port.
async fn sent_to(port: u16) -> Result<Answer, StepError> {
    let channels = format!(
        r#"[{{"name": "hook", "kind": "webhook", "address": "http://127.0.0.1:{port}/secret-path", "key": "env:A"}}]"#
    );
    let alerts = Alerts::new(channels.parse().unwrap(), Box::new(OneSecret), None);
    let channel = alerts.channels().iter().next().unwrap().clone();
    alerts.test(&channel, &alert(), Timestamp::UNIX_EPOCH).await
}

fn alert() -> Alert {
    Alert::test("retail".parse().unwrap(), "r1".parse().unwrap(), Timestamp::UNIX_EPOCH)
}

fn body(post: &render::Post) -> Value {
    serde_json::from_str(&post.body).unwrap()
}

#[tokio::test]
async fn what_passes_is_tried_again_with_one_id_and_what_does_not_is_named() {
    let (port, asked) = listening(&["503 Busy", "429 Slow\r\nretry-after: 1", "204 Taken"]).await;
    assert_eq!(sent_to(port).await.map(|answer| answer.status), Ok(204));
    let asked = asked.lock().unwrap().clone();
    let ids: Vec<&str> =
        asked.iter().filter_map(|request| request.lines().find(|line| line.starts_with("webhook-id: "))).collect();
    assert_eq!(ids.len(), 3, "{asked:?}");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn refusals_have_stable_names_and_no_address() {
    let check = async |answer: &'static [&'static str], name: ErrorName, expected: &str| {
        let (port, asked) = listening(answer).await;
        let error = sent_to(port).await.unwrap_err();
        assert_eq!(error.name, name, "{error}");
        assert!(error.message.contains(expected) && error.message.contains("`hook`"), "{error}");
        assert!(!error.message.contains("secret-path"), "{error}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    };
    check(&["400 Bad Request"], ErrorName::InvalidInput, "answered 400").await;
    check(&["302 Found\r\nlocation: /other"], ErrorName::InvalidInput, "redirects are not followed").await;
    check(&["401 No"], ErrorName::AccessDenied, "correct its key").await;
    check(&["410 Gone"], ErrorName::NotFound, "make a new one").await;
    // Longer than anybody waits here; the next run sends it.
    check(&["429 Slow\r\nretry-after: 3600"], ErrorName::Throttled, "answered 429").await;
}

/// An end of a run of `retail`, in this second.
fn ended(outcome: Outcome, second: i64) -> Announcement {
    let error = json!({"Error": "EtlFailed", "Cause": ""});
    let report = json!({
        "pipeline": "retail", "run_id": format!("r{second}"), "attempt": 1, "outcome": outcome,
        "ended_at": Timestamp::from_second(second).unwrap(), "sources": [], "rows": {}, "committed": [],
        "broken_rules": [], "error": if outcome == Outcome::Failed { error } else { Value::Null },
    });
    Announcement { report: serde_json::from_value(report).unwrap(), report_uri: None, page_uri: None }
}

/// A lake of this machine, and alerts to a webhook on this port.
struct Bed {
    folder: tempfile::TempDir,
    documents: DocumentStore,
    alerts: Alerts,
}

fn bed(port: u16, secrets: impl FnOnce(&DocumentStore) -> Box<dyn Secrets>) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let documents = DocumentStore::open(&root, &BTreeMap::new()).unwrap();
    let address = format!("http://127.0.0.1:{port}/");
    let channel = json!([{"name": "hook", "kind": "webhook", "address": address, "key": "env:A", "default": true}]);
    let alerts = Alerts::new(channel.to_string().parse().unwrap(), secrets(&documents), None);
    Bed { folder, documents, alerts }
}

impl Bed {
    async fn ends(&self, outcome: Outcome, second: i64) -> Option<String> {
        let announcement = ended(outcome, second);
        self.alerts.announce(&self.documents, &announcement, None, Timestamp::from_second(second).unwrap()).await;
        self.alerts.take_fault()
    }
}

/// The types of the webhooks that were received.
fn types(asked: &Mutex<Vec<String>>) -> Vec<String> {
    let of = |request: &String| {
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        body["type"].as_str().unwrap().to_owned()
    };
    asked.lock().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn a_channel_that_refuses_is_a_fault_once_and_gets_its_message_at_the_next_end() {
    let (port, asked) = listening(&["400 No", "204 Taken"]).await;
    let bed = bed(port, |_| Box::new(OneSecret));
    assert!(bed.ends(Outcome::Failed, 1).await.unwrap().contains("answered 400"));
    assert_eq!(bed.alerts.take_fault(), None);
    assert_eq!(bed.ends(Outcome::Failed, 2).await, None);
    assert_eq!(bed.ends(Outcome::Failed, 3).await, None);
    assert_eq!(types(&asked), ["sluice.alert.firing", "sluice.alert.firing"]);
}

#[tokio::test]
async fn a_book_that_cannot_be_read_silences_nothing() {
    let (port, asked) = listening(&["204 Taken"]).await;
    let bed = bed(port, |_| Box::new(OneSecret));
    std::fs::create_dir_all(bed.folder.path().join("alerts")).unwrap();
    std::fs::write(bed.folder.path().join("alerts/retail.json"), "{").unwrap();
    assert_eq!(bed.ends(Outcome::Failed, 1).await, None);
    assert_eq!(bed.ends(Outcome::Failed, 2).await, None, "the new book is read");
    assert_eq!(types(&asked), ["sluice.alert.firing"]);
}

/// Writes the book of a later end while the first message is on its way.
struct MeanwhileAnotherEnd(DocumentStore);

impl Secrets for MeanwhileAnotherEnd {
    fn text<'a>(&'a self, reference: &'a SecretRef) -> BoxFuture<'a, Result<String, StepError>> {
        async move {
            let path = layout::alerts(&"retail".parse().unwrap());
            if self.0.read::<AlertBook>(&path).await?.is_none() {
                let Announcement { report, .. } = ended(Outcome::Published, 9);
                let (pipeline, lake) = ("retail".parse().unwrap(), self.0.root());
                let mut book = AlertBook::default();
                book.record(&RunEnd { report: &report, pipeline: &pipeline, lake, page: None, owner: None });
                self.0.write(&path, &book).await?;
            }
            OneSecret.text(reference).await
        }
        .boxed()
    }
}

#[tokio::test]
async fn two_ends_at_the_same_time_forget_no_message() {
    let (port, asked) = listening(&["204 Taken"]).await;
    let bed = bed(port, |documents| Box::new(MeanwhileAnotherEnd(documents.clone())));
    assert_eq!(bed.ends(Outcome::Failed, 1).await, None);
    let book: AlertBook = bed.documents.read(&layout::alerts(&"retail".parse().unwrap())).await.unwrap().unwrap();
    let is_open = |alert: &Alert| alert.fact.as_str() == "failed" && alert.state == AlertState::Firing;
    assert!(book.alerts().any(is_open), "{book:?}");
    assert_eq!(bed.ends(Outcome::Published, 10).await, None);
    assert_eq!(types(&asked), ["sluice.alert.firing", "sluice.alert.resolved"]);
}

/// An alert whose every text is long and wants to be markup.
fn hostile() -> Alert {
    let text = format!("<!channel> @here &amp; [a](https://evil.example) *b* <at>x</at> {}", "ä<&>".repeat(3000));
    Alert {
        title: text.clone(),
        message: Some(text.clone()),
        owner: Some(text.clone()),
        numbers: vec![AlertNumber { label: "Not computed".to_owned(), value: text.clone() }; 8],
        first_broken_rule: Some(text.clone()),
        next_step: text,
        link: Some("https://example.com/a|b>c".to_owned()),
        count: 3,
        severity: AlertSeverity::Error,
        ..alert()
    }
}

/// Every text below `texts` of a kind of object.
fn texts<'a>(value: &'a Value, kind: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let (true, Some(text)) = (fields.get("type") == Some(&json!(kind)), fields.get("text")) {
                found.extend(text.as_str());
            }
            fields.values().for_each(|value| texts(value, kind, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, kind, found)),
        _ => {}
    }
}

#[test]
fn slack_gets_no_markup_and_keeps_its_limits() {
    let body = body(&render::slack::post(&"http://127.0.0.1/a".parse().unwrap(), &hostile()));
    let blocks = body["blocks"].as_array().unwrap();
    assert!((3..=50).contains(&blocks.len()), "{}", blocks.len());
    assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
    for block in blocks {
        assert!(block["fields"].as_array().is_none_or(|fields| fields.len() <= 10));
    }
    let mut plain = Vec::new();
    texts(&body, "plain_text", &mut plain);
    assert!(plain.len() > 12);
    for text in plain.iter().chain([&body["text"].as_str().unwrap()]) {
        assert!(!text.contains(['<', '>']) && text.chars().count() <= 3000, "{text}");
    }
    let mut marked = Vec::new();
    texts(&body, "mrkdwn", &mut marked);
    assert_eq!(marked, ["<https://example.com/a%7Cb&gt;c|Report of the run>"]);
}

#[test]
fn teams_gets_runs_of_text_alone_and_at_most_28_kilobytes() {
    let post = render::teams::post(&"http://127.0.0.1/a".parse().unwrap(), &hostile());
    assert!(post.body.len() < 28 * 1024, "{}", post.body.len());
    let body = body(&post);
    let mut runs = Vec::new();
    texts(&body, "TextRun", &mut runs);
    assert!(runs.len() > 12);
    for kind in ["TextBlock", "FactSet", "mention"] {
        assert!(!post.body.contains(&format!("\"{kind}\"")), "{kind}");
    }
}

#[test]
fn pagers_keep_their_limits_and_resolve_by_the_same_key() {
    let address: ChannelAddress = "http://127.0.0.1/base".parse().unwrap();
    let post = render::pagerduty::post(&address, "R0", &hostile());
    let event = body(&post);
    assert_eq!((post.url.path(), event["event_action"].as_str()), ("/base/v2/enqueue", Some("trigger")));
    assert!(event["payload"]["summary"].as_str().unwrap().chars().count() <= 1024 && post.body.len() < 512 * 1024);
    let end = body(&render::pagerduty::post(&address, "R0", &hostile().resolved()));
    assert_eq!((&end["event_action"], &end["dedup_key"]), (&json!("resolve"), &event["dedup_key"]));

    let post = render::opsgenie::post(&address, "K", &hostile());
    let created = body(&post);
    assert_eq!(post.headers, [("authorization", "GenieKey K".to_owned())]);
    assert!(created["message"].as_str().unwrap().chars().count() <= 130);
    assert!(created["description"].as_str().unwrap().chars().count() <= 15_000);
    let details = created["details"].as_object().unwrap();
    let length = |(label, value): (&String, &Value)| label.len() + value.as_str().unwrap().chars().count();
    assert!(details.iter().map(length).sum::<usize>() <= 8000);
    let close = render::opsgenie::post(&address, "K", &hostile().resolved());
    let alias = created["alias"].as_str().unwrap();
    assert_eq!(close.url.path(), format!("/base/v2/alerts/{alias}/close"));
    assert_eq!(close.url.query(), Some("identifierType=alias"));
}

#[test]
fn e_mails_have_a_subject_that_sns_takes() {
    let letter = render::email::letter(&hostile());
    let printable = |c: char| c.is_ascii_graphic() || c == ' ';
    assert!((1..=100).contains(&letter.subject.len()) && letter.subject.chars().all(printable), "{}", letter.subject);
}
