use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::json;
use sluice_core::run::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::*;

/// A server of catalogues that gives these answers in turn, and the last one from then on. It keeps the requests.
struct Server {
    url: Url,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering<const N: usize>(answers: [&'static str; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/lineage?key=query", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            let (mut answers, mut answer) = (answers.into_iter(), "500 No Answer");
            while let Ok((mut stream, _)) = listener.accept().await {
                answer = answers.next().unwrap_or(answer);
                let mut request = Vec::new();
                while !is_whole(&request) && stream.read_buf(&mut request).await.unwrap() > 0 {}
                seen.lock().unwrap().push(String::from_utf8(request).unwrap());
                let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwhy?");
                stream.write_all(head.as_bytes()).await.unwrap();
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn destination(&self, key: Option<&str>) -> Destination {
        let key = key.map(|key| key.parse().unwrap());
        Destination::without_bus(Target::Http(self.url.clone()), key).unwrap()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

fn run() -> RunRef {
    RunRef { pipeline: "retail".parse().unwrap(), run_id: "day-1".parse().unwrap(), attempt: 1 }
}

fn lines() -> Vec<String> {
    vec![r#"{"eventType":"START"}"#.to_owned(), r#"{"eventType":"COMPLETE"}"#.to_owned()]
}

#[tokio::test]
async fn each_event_is_one_request_with_the_key() {
    let server = Server::answering(["201 Created"]).await;
    server.destination(Some("hush")).send(&run(), &lines()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for (request, event) in requests.iter().zip(lines()) {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /api/v1/lineage?key=query HTTP/1.1"), "{head}");
        assert!(
            head.contains("authorization: Bearer hush") && head.contains("content-type: application/json"),
            "{head}"
        );
        assert_eq!(body, event);
    }
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_and_no_key_is_sent_where_none_is_given() {
    let server = Server::answering(["503 Busy", "429 Slow Down", "200 OK"]).await;
    server.destination(None).send(&run(), &lines()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 4, "two tries of the first event fail");
    assert!(requests.iter().all(|request| !request.contains("authorization")));
}

#[tokio::test]
async fn what_cannot_be_sent_is_named_with_what_was_sent_before() {
    let check = async |answers: [&'static str; 2], name: ErrorName, says: &str, tries: usize| {
        let server = Server::answering(answers).await;
        let error = server.destination(None).send(&run(), &lines()).await.unwrap_err();
        assert_eq!((error.name, server.requests().len()), (name, tries), "{error}");
        assert!(error.message.contains(says) && !error.message.contains("query"), "{error}");
    };
    check(["401 No", "401 No"], ErrorName::AccessDenied, "0 of 2 OpenLineage events were sent: http://", 1).await;
    check(["200 OK", "400 No"], ErrorName::InvalidInput, "1 of 2 OpenLineage events were sent: http://", 2).await;
    check(["404 No", "404 No"], ErrorName::NotFound, "answered 404", 1).await;
    check(["500 No", "500 No"], ErrorName::Unavailable, "why?", 3).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_because_its_events_would_be_lost() {
    let server = Server::answering(["301 Moved\r\nLocation: /other", "200 OK"]).await;
    let error = server.destination(Some("hush")).send(&run(), &lines()).await.unwrap_err();
    assert_eq!((error.name, server.requests().len()), (ErrorName::InvalidInput, 1), "{error}");
    assert!(error.message.contains("redirects are not followed"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let url = "http://127.0.0.1:9/api/v1/lineage".parse().unwrap();
    let error = Destination::without_bus(Target::Http(url), None).unwrap().send(&run(), &lines()).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Unavailable, "{error}");
}

#[test]
fn keys_are_visible_characters_and_are_not_printed() {
    let key: ApiKey = "hush".parse().unwrap();
    assert!(!format!("{key:?}").contains("hush"));
    for wrong in ["", "a b", "a\nb", "é"] {
        assert_eq!(wrong.parse::<ApiKey>().unwrap_err(), ApiKeyError, "{wrong:?}");
    }
    assert!(Destination::without_bus(Target::Events, None).is_err_and(|error| error.message.contains("event bus")));
}

/// A failed run of a fresh lake, announced to OpenLineage.
async fn announced(destination: Destination) -> (tempfile::TempDir, LineageEvents, Result<(), StepError>) {
    let folder = tempfile::tempdir().unwrap();
    let (events, result) = announced_in(&folder, destination).await;
    (folder, events, result)
}

async fn announced_in(folder: &tempfile::TempDir, destination: Destination) -> (LineageEvents, Result<(), StepError>) {
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let documents = DocumentStore::open(&root, &BTreeMap::new()).unwrap();
    let report: Report = serde_json::from_value(json!({
        "pipeline": "retail", "run_id": "day-1", "attempt": 1, "outcome": Outcome::Failed,
        "ended_at": Timestamp::UNIX_EPOCH, "sources": [], "rows": {}, "committed": [], "broken_rules": [],
        "error": {"Error": "EtlFailed", "Cause": "'sesame' is no number"},
    }))
    .unwrap();
    let events = LineageEvents::new(documents, destination);
    let announcement = Announcement { report, report_uri: None, page_uri: None };
    let result = events.announce(&announcement).await;
    (events, result)
}

#[tokio::test]
async fn events_are_kept_with_their_run_and_written_to_a_folder() {
    let target = tempfile::tempdir().unwrap();
    let address = format!("file://{}", target.path().display()).parse().unwrap();
    let destination = Destination::without_bus(Target::Folder(address), None).unwrap();
    let (lake, events, result) = announced(destination).await;
    assert_eq!((result, events.take_fault()), (Ok(()), None));
    let kept = std::fs::read_to_string(lake.path().join("runs/retail/day-1/lineage-1.json")).unwrap();
    let kept: KeptEvents = serde_json::from_str(&kept).unwrap();
    let text = std::fs::read_to_string(target.path().join("retail-day-1-1.ndjson")).unwrap();
    assert_eq!(text.lines().map(str::to_owned).collect::<Vec<_>>(), kept.lines());
    assert_eq!(kept.events.len(), 2);
    assert!(text.contains("EtlFailed") && !text.contains("sesame"), "{text}");
}

#[tokio::test]
async fn events_that_are_not_sent_are_kept_and_keep_nothing_else_back() {
    let server = Server::answering(["403 No"]).await;
    let (lake, events, result) = announced(server.destination(None)).await;
    assert_eq!(result, Ok(()));
    assert!(lake.path().join("runs/retail/day-1/lineage-1.json").is_file());
    assert!(events.take_fault().unwrap().contains("0 of 2") && events.take_fault().is_none());
}

#[tokio::test]
async fn events_that_cannot_be_made_keep_nothing_back_either() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("runs/retail/day-1")).unwrap();
    std::fs::write(folder.path().join("runs/retail/day-1/plan-1.json"), "7").unwrap();
    let (events, result) = announced_in(&folder, Destination::Kept).await;
    assert_eq!(result, Ok(()));
    assert!(events.take_fault().unwrap().contains("plan-1.json"));
}
