use object_store::memory::InMemory;
use serde::Deserialize;
use sluice_core::error::{ErrorName, StepError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    writer: u32,
}

fn path(text: &str) -> LakePath {
    text.parse().expect("path")
}

fn local(folder: &std::path::Path) -> DocumentStore {
    let root = format!("file://{}", folder.display()).parse().expect("root");
    DocumentStore::open(&root, &BTreeMap::new()).expect("store")
}

/// What every store has to do, whatever is below it.
async fn check_store(store: DocumentStore) {
    let note = path("runs/retail/r 1%20=ü/plan-1.json");
    assert_eq!(store.read::<Note>(&note).await.expect("read"), None);
    assert_eq!(store.list(&path("runs")).await.expect("list"), []);
    store.delete(&note).await.expect("delete what is not there");

    assert_eq!(store.create(&note, &Note { writer: 1 }).await.expect("create"), Created::Created);
    assert_eq!(store.create(&note, &Note { writer: 2 }).await.expect("create"), Created::AlreadyExists);
    assert_eq!(store.create_or_read(&note, Note { writer: 3 }).await.expect("create"), Note { writer: 1 });
    assert_eq!(store.read(&note).await.expect("read"), Some(Note { writer: 1 }));
    store.write(&note, &Note { writer: 4 }).await.expect("write");
    assert_eq!(store.read(&note).await.expect("read"), Some(Note { writer: 4 }));

    let script = path("runs/retail/r 1%20=ü/etl-1.sql");
    assert!(!store.exists(&script).await.expect("look"));
    assert_eq!(store.create_text(&script, "SELECT 'ü';".to_owned()).await.expect("create"), Created::Created);
    assert_eq!(store.create_text(&script, "SELECT 2;".to_owned()).await.expect("create"), Created::AlreadyExists);
    assert!(!store.keep_text(&script, "SELECT 'ü';").await.expect("keep"), "it is the same text");
    assert!(store.exists(&script).await.expect("look"));
    let stored = store.objects().get(&store.key(&script).expect("key")).await.expect("get").bytes().await;
    assert_eq!(stored.expect("bytes"), "SELECT 'ü';".as_bytes());
    assert!(store.keep_text(&script, "SELECT 3;").await.expect("keep"), "it is another text");
    assert_eq!(store.read_text(&script).await.expect("read").as_deref(), Some("SELECT 3;"));
    store.delete(&script).await.expect("delete");
    assert!(store.keep_text(&script, "SELECT 3;").await.expect("keep"), "the text was deleted");
    store.delete(&script).await.expect("delete");

    let other = path("runs/retail/a.json");
    store.write(&other, &Note { writer: 5 }).await.expect("write");
    store.write(&path("runs/retailer/b.json"), &Note { writer: 6 }).await.expect("write");
    assert_eq!(store.list(&path("runs/retail")).await.expect("list"), [other.clone(), note.clone()]);
    store.delete(&other).await.expect("delete");
    assert_eq!(store.list(&path("runs/retail")).await.expect("list"), [note]);

    let contest = path("holds/contest.json");
    let writers = (0..16).map(|writer| {
        let (store, contest) = (store.clone(), contest.clone());
        tokio::spawn(async move { store.create(&contest, &Note { writer }).await.expect("create") })
    });
    let mut winners = 0;
    for writer in writers.collect::<Vec<_>>() {
        winners += u32::from(writer.await.expect("join") == Created::Created);
    }
    assert_eq!(winners, 1);

    for (text, field) in [("{\"writer\":\"x\"}", "writer"), ("", "."), ("{\"writer\":1} x", "."), ("{\"w\":1}", "w")] {
        let bad = path("runs/bad.json");
        store.objects().put(&store.key(&bad).expect("key"), text.into()).await.expect("put");
        let error = store.read::<Note>(&bad).await.expect_err("undecodable");
        assert_eq!((error.name(), error.is_damaged()), (ErrorName::InvalidInput, true));
        let message = StepError::new(error.name(), &error).message;
        assert!(message.contains("runs/bad.json") && message.contains(&format!("`{field}`")), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_keep_documents() {
    let folder = tempfile::tempdir().expect("folder");
    check_store(local(&folder.path().join("not yet there"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_documents() {
    for root in ["s3://bucket/", "s3://bucket/some/prefix/"] {
        check_store(DocumentStore::over(&root.parse().expect("root"), Arc::new(InMemory::new())).expect("store")).await;
    }
}

#[tokio::test]
async fn a_write_that_would_undo_another_is_not_made() {
    let root = "s3://bucket/lake".parse().expect("root");
    let store = DocumentStore::over(&root, Arc::new(InMemory::new())).expect("store");
    let book = path("alerts/retail.json");
    let (found, absent) = store.read_version::<Note>(&book).await.expect("read");
    assert_eq!(found, None);
    assert!(store.write_version(&book, &Note { writer: 1 }, &absent).await.expect("write"));
    assert!(!store.write_version(&book, &Note { writer: 2 }, &absent).await.expect("write"), "another has written it");
    let (found, first) = store.read_version::<Note>(&book).await.expect("read");
    assert_eq!(found, Some(Note { writer: 1 }));
    assert!(store.write_version(&book, &Note { writer: 3 }, &first).await.expect("write"));
    assert!(!store.write_version(&book, &Note { writer: 4 }, &first).await.expect("write"), "it is another by now");
    assert_eq!(store.read(&book).await.expect("read"), Some(Note { writer: 3 }));
    assert!(store.write_version(&book, &Note { writer: 5 }, &DocumentVersion::any()).await.expect("write"));

    let folder = tempfile::tempdir().expect("folder");
    let store = local(folder.path());
    let (_, absent) = store.read_version::<Note>(&book).await.expect("read");
    assert!(store.write_version(&book, &Note { writer: 1 }, &absent).await.expect("write"));
    let (_, first) = store.read_version::<Note>(&book).await.expect("read");
    assert!(store.write_version(&book, &Note { writer: 2 }, &first).await.expect("write"));
    assert_eq!(store.read(&book).await.expect("read"), Some(Note { writer: 2 }));
}

#[tokio::test]
async fn a_killed_writer_leaves_no_document() {
    let folder = tempfile::tempdir().expect("folder");
    let store = local(folder.path());
    let plan = path("runs/plan-1.json");
    std::fs::create_dir(folder.path().join("runs")).expect("folder");
    std::fs::write(folder.path().join("runs/plan-1.json#1"), "{\"wri").expect("half a document");
    assert_eq!(store.read::<Note>(&plan).await.expect("read"), None);
    assert_eq!(store.list(&path("runs")).await.expect("list"), []);
    assert_eq!(store.create(&plan, &Note { writer: 1 }).await.expect("create"), Created::Created);
    assert_eq!(store.read(&plan).await.expect("read"), Some(Note { writer: 1 }));
}

#[test]
fn options_are_refused_by_name() {
    let root = "s3://bucket/lake".parse().expect("root");
    let check = |option: &str, value: &str, expected: &str| {
        let options = BTreeMap::from([(option.to_owned(), value.to_owned())]);
        let error = DocumentStore::open(&root, &options).expect_err("refused");
        assert_eq!(error.name(), ErrorName::InvalidInput);
        let message = StepError::new(error.name(), &error).message;
        assert!(message.contains("s3://bucket/lake") && message.contains(expected), "{message}");
    };
    check("aws_regoin", "eu-central-1", "aws_regoin");
    check("aws_conditional_put", "dynamo", "dynamo");
    check("aws_allow_http", "perhaps", "perhaps");
    assert!(DocumentStore::open(&"s3://bucket//lake".parse().expect("root"), &BTreeMap::new()).is_err());
}

/// A store that answers every request alike.
async fn s3_that_answers(status: &'static str, body: &'static str) -> DocumentStore {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let endpoint = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    s3_at(&endpoint)
}

fn s3_at(endpoint: &str) -> DocumentStore {
    let root: FolderUri = "s3://bucket/lake".parse().expect("root");
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let objects = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_access_key_id("id")
        .with_secret_access_key("secret")
        .with_retry(retry)
        .build()
        .expect("client");
    DocumentStore::over(&root, Arc::new(objects)).expect("store")
}

#[tokio::test]
async fn faults_of_s3_become_stable_error_names() {
    let plan = path("runs/plan-1.json");
    let cases = [
        ("503 Slow Down", "<Error><Code>SlowDown</Code></Error>", ErrorName::Throttled),
        ("429 Too Many Requests", "", ErrorName::Throttled),
        ("503 Service Unavailable", "<Error><Code>ServiceUnavailable</Code></Error>", ErrorName::Unavailable),
        ("500 Internal Server Error", "", ErrorName::Unavailable),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", ErrorName::AccessDenied),
        ("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>", ErrorName::AccessDenied),
        ("400 Bad Request", "<Error><Code>InvalidToken</Code></Error>", ErrorName::AccessDenied),
        ("400 Bad Request", "<Error><Code>KMS.DisabledException</Code></Error>", ErrorName::AccessDenied),
        ("400 Bad Request", "<Error><Code>InvalidRequest</Code></Error>", ErrorName::Internal),
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", ErrorName::NotFound),
    ];
    for (status, body, expected) in cases {
        let store = s3_that_answers(status, body).await;
        let error = store.write(&plan, &Note { writer: 1 }).await.expect_err(status);
        assert_eq!(error.name(), expected, "{status}: {error:?}");
        assert!(error.to_string().contains("s3://bucket/lake/runs/plan-1.json"), "{error}");
    }
    let store = s3_that_answers("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>").await;
    assert_eq!(store.read::<Note>(&plan).await.expect("read"), None);
    assert!(!store.exists(&plan).await.expect("look"));
    let store = s3_that_answers("403 Forbidden", "").await;
    assert_eq!(store.exists(&plan).await.expect_err("no right").name(), ErrorName::AccessDenied);
    let store = s3_that_answers("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>").await;
    assert_eq!(store.read::<Note>(&plan).await.expect_err("no lake").name(), ErrorName::NotFound);
    let store = s3_that_answers("412 Precondition Failed", "").await;
    assert_eq!(store.create(&plan, &Note { writer: 1 }).await.expect("create"), Created::AlreadyExists);

    let unused = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("port");
    let error = s3_at(&format!("http://{unused}")).read::<Note>(&plan).await.expect_err("nobody there");
    assert_eq!(error.name(), ErrorName::Unavailable, "{error:?}");
}

#[tokio::test]
async fn faults_of_the_file_system_become_stable_error_names() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("runs"), "a file where a folder belongs").expect("write");
    let error = local(folder.path()).write(&path("runs/plan-1.json"), &Note { writer: 1 }).await.expect_err("refused");
    assert_eq!(error.name(), ErrorName::Internal, "{error:?}");
    let error = local(folder.path()).write(&path("plan#1"), &Note { writer: 1 }).await.expect_err("refused");
    assert!(error.to_string().contains("plan%231"), "{error}");
}
