use std::sync::Barrier;
use std::thread;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_core::run::{Changeset, RunRef};
use tokio::sync::Mutex as TaskMutex;

use super::*;
use crate::DocumentStore;

/// Calls at the same time do not know their requests: tests with calls take turns.
static TURNS: TaskMutex<()> = TaskMutex::const_new(());

/// Objects that fill one page.
const OF_A_PAGE: u32 = 1000;

/// A store in memory with counters of its own: those of the process count what other tests do.
fn counted_alone() -> (Arc<dyn ObjectStore>, &'static Counters) {
    let counters: &'static Counters = Box::leak(Box::new(Counters::new()));
    (Arc::new(Counted::with(Arc::new(InMemory::new()), counters)), counters)
}

fn facts() -> CallFacts {
    CallFacts {
        function: "process".to_owned(),
        ran: Where::Lambda,
        began_at: Timestamp::UNIX_EPOCH,
        memory_mb: 3008,
        region: None,
        start: Duration::from_micros(1500),
    }
}

fn changeset() -> Changeset {
    Changeset {
        run: RunRef { pipeline: "retail".parse().unwrap(), run_id: "r1".parse().unwrap(), attempt: 1 },
        staged_at: Timestamp::UNIX_EPOCH,
        tables: Vec::new(),
        missing_keys: [].into(),
        engine: None,
    }
}

fn store(objects: Arc<dyn ObjectStore>) -> DocumentStore {
    DocumentStore::over(&"s3://bucket/lake".parse().unwrap(), objects).unwrap()
}

#[tokio::test]
async fn every_kind_of_request_is_counted_as_s3_counts_it() {
    let (objects, counters) = counted_alone();
    let (one, two) = (Path::from("a/one"), Path::from("a/two"));
    objects.put(&one, "12345".into()).await.unwrap();
    objects.copy(&one, &two).await.unwrap();
    objects.head(&one).await.unwrap();
    assert_eq!(objects.get(&two).await.unwrap().bytes().await.unwrap().len(), 5);
    assert!(objects.get(&Path::from("a/none")).await.is_err());
    objects.list(None).try_collect::<Vec<_>>().await.unwrap();
    objects.list_with_delimiter(None).await.unwrap();
    let mut upload = objects.put_multipart(&Path::from("a/large")).await.unwrap();
    upload.put_part("abc".into()).await.unwrap();
    upload.complete().await.unwrap();
    objects.delete(&one).await.unwrap();
    let expected = Requests {
        s3_get: 3,
        // A write, a copy, and an upload in three steps.
        s3_put: 5,
        s3_list: 2,
        read_bytes: 5,
        written_bytes: 8,
        ..Requests::default()
    };
    assert_eq!(counters.counted(), expected);
}

#[tokio::test]
async fn a_long_listing_has_several_pages() {
    let (objects, counters) = counted_alone();
    let pages = async || {
        let before = counters.counted();
        objects.list(None).try_collect::<Vec<_>>().await.unwrap();
        objects.list_with_delimiter(None).await.unwrap();
        counters.counted().since(&before).s3_list
    };
    for number in 0..OF_A_PAGE {
        objects.put(&Path::from(format!("{number}")), "x".into()).await.unwrap();
    }
    assert_eq!(pages().await, 2, "one page each");
    objects.put(&Path::from("last"), "x".into()).await.unwrap();
    assert_eq!(pages().await, 4, "two pages each");
}

#[tokio::test]
async fn a_document_says_what_its_call_used() {
    let _turn = TURNS.lock().await;
    let store = store(Arc::new(Counted::new(Arc::new(InMemory::new()))));
    let document = changeset();
    let run = document.run.clone();
    let parts = PartsUsage { calls: 3, ..PartsUsage::default() };
    measured(facts(), async {
        assert_eq!(store.of(&run).get::<Changeset>().await.unwrap(), None);
        note_parts(parts);
        store.of(&run).settle(document.clone()).await.unwrap();
    })
    .await;
    let (found, usage) = store.of(&run).get_with_usage::<Changeset>().await.unwrap().unwrap();
    assert_eq!(found, document);
    let usage = usage.expect("usage");
    assert_eq!(
        (usage.function.as_str(), usage.memory_mb, usage.start_millis, usage.parts),
        ("process", 3008, 2, parts)
    );
    let requests = usage.requests.expect("requests");
    // Those of the process: other tests may add to them.
    assert!(requests.s3_get >= 1 && requests.s3_put >= 1, "{requests:?}");
    assert!(usage.millis >= 1);
}

#[tokio::test]
async fn outside_of_a_call_a_document_says_nothing() {
    let store = store(Arc::new(InMemory::new()));
    let run = changeset().run;
    store.of(&run).settle(changeset()).await.unwrap();
    assert_eq!(store.of(&run).get_with_usage::<Changeset>().await.unwrap(), Some((changeset(), None)));
    assert_eq!(so_far(), None);
}

#[tokio::test]
async fn requests_of_calls_at_the_same_time_are_not_known() {
    let _turn = TURNS.lock().await;
    let alone = measured(facts(), async { so_far().unwrap().requests.is_some() }).await;
    assert!(alone);
    let (outer, inner) = measured(facts(), async {
        let inner = measured(facts(), async { so_far().unwrap().requests.is_some() }).await;
        (so_far().unwrap().requests.is_some(), inner)
    })
    .await;
    assert_eq!((outer, inner), (false, false));
    assert!(measured(facts(), async { so_far().unwrap().requests.is_some() }).await, "alone again");
}

#[test]
fn of_calls_that_begin_at_the_same_instant_none_is_alone() {
    let _turn = TURNS.blocking_lock();
    for _ in 0..500 {
        let start = Barrier::new(2);
        let running: Vec<Running> = thread::scope(|scope| {
            let begin = || {
                start.wait();
                Running::begin()
            };
            let threads = [scope.spawn(begin), scope.spawn(begin)];
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let begun = calls().begun;
        assert!(running.iter().all(|call| !call.began_alone || call.number != begun));
    }
}

#[test]
fn the_peak_of_memory_is_read_as_linux_writes_it() {
    let check = |status: &str, expected: Option<u64>| assert_eq!(peak_of(status), expected, "{status}");
    check("Name:\tprocess\nVmPeak:\t  999 kB\nVmHWM:\t   10241 kB\nVmRSS:\t 5 kB\n", Some(11));
    check("Name:\tprocess\n", None);
    check("VmHWM:\t much\n", None);
}
