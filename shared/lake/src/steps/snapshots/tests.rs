use std::sync::Arc;
use std::time::Duration;

use sluice_documents::{S3Answer, S3Error, S3Object, S3Objects};

use super::*;
use crate::lake::StoreOptions;

const LANDING: &str = "s3://lake/landing/shops";

/// A version of an object below the landing folder, and the second at which it was modified.
fn object(name: &str, etag: &str, second: i64) -> SourceObject {
    let uri = format!("{LANDING}/{name}").parse().expect(name);
    SourceObject { uri, etag: etag.to_owned(), size_bytes: 1, modified_at: Timestamp::from_second(second).ok() }
}

#[test]
fn a_snapshot_is_an_object_of_the_landing_folder_or_the_folder_above_an_object() {
    let landing: FolderUri = LANDING.parse().expect("folder");
    let check = |object: &str, expected: &str| {
        let uri = object.parse().expect(object);
        assert_eq!(snapshot_name(&landing, SnapshotSpec::Folder, &uri), expected);
        assert_eq!(snapshot_name(&landing, SnapshotSpec::Object, &uri), object);
    };
    check("s3://lake/landing/shops/2026-01-05.csv", "s3://lake/landing/shops/2026-01-05.csv");
    check("s3://lake/landing/shops/2026-01-05/part-0.csv", "s3://lake/landing/shops/2026-01-05");
    check("s3://lake/landing/shops/daily/2026-01-05/part-0.csv", "s3://lake/landing/shops/daily/2026-01-05");
    check("s3://lake/landing/shops/day=1/hour=2/part-0.csv", "s3://lake/landing/shops/day=1/hour=2");
    // Of another folder nobody knows how it was delivered.
    check("s3://lake/elsewhere/day/a.csv", "s3://lake/elsewhere/day/a.csv");
    check("s3://lake/landing/shops-2/day/a.csv", "s3://lake/landing/shops-2/day/a.csv");
}

#[test]
fn the_newer_snapshot_is_the_one_modified_last_and_then_by_name() {
    let at = |second: i64, name: &'static str| Snapshot { modified_at: Timestamp::from_second(second).ok(), name };
    assert!(at(2, "export_9") < at(3, "export_10"));
    assert!(at(2, "a") < at(2, "b"));
    assert!(Snapshot { modified_at: None, name: "z" } < at(0, "a"));
}

fn cloned(objects: &[&SourceObject]) -> Vec<SourceObject> {
    objects.iter().map(|object| (*object).clone()).collect()
}

/// What a run does to a table with this history: etags of the objects passed by, and of those read again.
fn replacement(history: &History) -> (Vec<String>, Vec<String>) {
    let Replacement { superseded, again, .. } =
        history.replacement(&LANDING.parse().expect("folder"), SnapshotSpec::Folder);
    let passed = history.waiting.iter().filter(|object| superseded.contains(&object.id()));
    (passed.map(|object| object.etag.clone()).collect(), again.iter().map(|object| object.etag.clone()).collect())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A table that is compared with snapshots knows by the landing folder what it took in last, because its rows may all be
/// of older ones.
#[test]
fn a_table_that_is_compared_takes_what_is_newer_than_all_that_it_has_taken_in() {
    let (first, second) = (object("1.csv", "first", 1), object("2.csv", "second", 2));
    let (third, fourth) = (object("3.csv", "third", 3), object("4.csv", "fourth", 4));
    let check = |waiting: &[&SourceObject], taken: &[&SourceObject], each: bool, passed_by: &[&str]| {
        let (waiting, taken) = (cloned(waiting), cloned(taken));
        let history = History { waiting, gone: BTreeSet::new(), taken, shown: vec![first.clone()] };
        let found = history.comparison(&LANDING.parse().expect("folder"), SnapshotSpec::Object, each);
        let passed = history.waiting.iter().filter(|object| found.superseded.contains(&object.id()));
        let passed: Vec<String> = passed.map(|object| object.etag.clone()).collect();
        assert_eq!(passed, texts(passed_by), "{:?} {:?}", history.waiting, history.taken);
        assert!(found.again.is_empty(), "{:?}", history.waiting);
    };
    for each in [false, true] {
        check(&[&second], &[&first], each, &[]);
        check(&[&second], &[&first, &third], each, &["second"]);
        check(&[&second, &fourth], &[&third], each, &["second"]);
    }
    check(&[&second, &third], &[&first], false, &["second"]);
    check(&[&second, &third], &[&first], true, &[]);
    // Of two of one second, whichever waits, the one of the lesser name is passed by.
    let (also_second, also_third) = (object("2b.csv", "also second", 2), object("3b.csv", "also third", 3));
    check(&[&second, &also_second, &third], &[&first], true, &["second"]);
    check(&[&also_second, &second], &[&first], false, &["second"]);
    check(&[&second], &[&first, &also_second], true, &["second"]);
    check(&[&third, &also_third, &fourth], &[&first], true, &["third"]);
}

/// `passed_by` and `again` are etags.
fn check(waiting: &SourceObject, taken: &[&SourceObject], shown: &[&SourceObject], passed_by: &[&str], again: &[&str]) {
    let waiting = vec![waiting.clone()];
    let history = History { waiting, gone: BTreeSet::new(), taken: cloned(taken), shown: cloned(shown) };
    let when = format!("{:?} {taken:?} {shown:?}", history.waiting);
    assert_eq!(replacement(&history), (texts(passed_by), texts(again)), "{when}");
}

#[test]
fn a_late_part_takes_the_others_along_that_the_landing_folder_still_has() {
    let (first, late, last) =
        (object("day/0.csv", "first", 1), object("day/1.csv", "late", 2), object("day/1.csv", "last", 6));
    let other = object("z.csv", "other", 5);
    check(&late, &[&first], &[&first], &[], &["first"]);
    // Another snapshot was newer than the first part: the table never had its rows.
    check(&last, &[&first, &other], &[&other], &[], &["first"]);
    check(&late, &[&first, &other], &[&other], &["late"], &[]);
    // The folder was written again as a whole: the table has rows of a part that is gone.
    check(&late, &[], &[&first], &[], &[]);
}

#[test]
fn a_table_without_a_row_has_the_snapshot_that_it_took_in_last() {
    let (old, empty) = (object("a.csv", "old", 1), object("e.csv", "empty", 5));
    let released = object("b.csv", "released", 3);
    check(&released, &[&old, &empty], &[], &["released"], &[]);
    check(&released, &[], &[], &[], &[]);
}

#[test]
fn an_earlier_version_does_not_replace_a_later_one_that_the_table_has() {
    let (earlier, later) = (object("full.csv", "earlier", 1), object("full.csv", "later", 2));
    let history = |waiting: &SourceObject, taken: &[&SourceObject], shown: &SourceObject, is_gone: bool| {
        let gone = if is_gone { BTreeSet::from([waiting.id()]) } else { BTreeSet::new() };
        History { waiting: vec![waiting.clone()], gone, taken: cloned(taken), shown: vec![shown.clone()] }
    };
    let passed = (texts(&["earlier"]), texts(&[]));
    assert_eq!(replacement(&history(&earlier, &[&later], &later, true)), passed);
    assert_eq!(replacement(&history(&earlier, &[], &later, true)), passed, "both are gone from the folder");
    let taken = (texts(&[]), texts(&[]));
    assert_eq!(replacement(&history(&later, &[], &earlier, true)), taken);
    assert_eq!(replacement(&history(&earlier, &[], &later, false)), taken, "the folder has it again");
}

/// A bucket of which no key may be asked about.
#[derive(Debug)]
struct Denied;

impl S3Objects for Denied {
    fn list<'a>(&'a self, _: &'a str, _: &'a str) -> S3Answer<'a, Vec<S3Object>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn head<'a>(&'a self, bucket: &'a str, key: &'a str) -> S3Answer<'a, Option<S3Object>> {
        let address = format!("{bucket}/{key}");
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        Box::pin(async move {
            let name = ErrorName::AccessDenied;
            Err(S3Error::Call { action: "head", address, name, source: Box::new(source) })
        })
    }

    fn signed_url<'a>(&'a self, _: &'a str, key: &'a str, _: Duration) -> S3Answer<'a, String> {
        Box::pin(async move { Ok(key.to_owned()) })
    }
}

#[tokio::test]
async fn an_object_that_the_run_may_not_ask_about_has_no_time() {
    let folder = tempfile::tempdir().expect("folder");
    let root = format!("file://{}", folder.path().display()).parse().expect("root");
    let lake = Lake::open(&root, &StoreOptions::new()).expect("lake").with_s3(Some(Arc::new(Denied)));
    let time = modified_at(&lake, &"s3://lake/landing/shops/a.csv".parse().expect("object")).await;
    assert_eq!(time.expect("no time is no fault"), None);
    assert!(is_unknown(std::io::ErrorKind::PermissionDenied) && is_unknown(std::io::ErrorKind::NotFound));
    assert!(!is_unknown(std::io::ErrorKind::InvalidData));
}
