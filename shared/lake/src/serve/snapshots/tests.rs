use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::lake::StoreOptions;

/// A table whose versions each add a file of one row.
struct Bed {
    _folder: tempfile::TempDir,
    log: PathBuf,
    table: TableRef,
    snapshots: Snapshots,
}

impl Bed {
    fn new(versions: u64) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let table: TableRef = "silver/sales/t".parse().expect("table");
        let log = folder.path().join(layout::log(&table).as_str());
        std::fs::create_dir_all(&log).expect("log");
        let root = format!("file://{}", folder.path().display()).parse().expect("root");
        let snapshots = Snapshots::new(Lake::open(&root, &StoreOptions::new()).expect("lake"));
        let bed = Self { _folder: folder, log, table, snapshots };
        (0..versions).for_each(|version| bed.write(version));
        bed
    }

    fn write(&self, version: u64) {
        let mut lines = Vec::new();
        if version == 0 {
            let column = json!({ "name": "a", "type": "string", "nullable": true, "metadata": {} });
            let schema = json!({ "type": "struct", "fields": [column] }).to_string();
            lines.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
            lines.push(json!({ "metaData": {
                "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": { "provider": "parquet", "options": {} },
                "schemaString": schema, "partitionColumns": [], "configuration": {}, "createdTime": 0,
            } }));
        }
        lines.push(json!({ "add": {
            "path": format!("f{version}.parquet"), "partitionValues": {}, "size": 1, "modificationTime": 1,
            "dataChange": true, "stats": json!({ "numRecords": 1 }).to_string(),
        } }));
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        std::fs::write(self.log.join(format!("{version:020}.json")), text.join("\n")).expect("entry");
    }

    async fn open(&self, version: Version) -> Result<u64, ServeError> {
        self.snapshots.open(&self.table, version).await.map(|open| open.version())
    }

    /// The newest version, as it is kept.
    async fn newest_kept(&self) -> Option<Opened> {
        let slot = self.snapshots.slot(&(self.table.clone(), None));
        slot.lock().await.clone()
    }

    /// Makes the newest version that is kept so much older.
    async fn age(&self, by: Duration) {
        let slot = self.snapshots.slot(&(self.table.clone(), None));
        let mut kept = slot.lock().await;
        let opened = kept.as_mut().expect("kept");
        opened.at = opened.at.checked_sub(by).expect("the machine has run for so long");
    }

    /// The versions that are kept; none is the newest.
    fn kept(&self) -> Vec<Option<u64>> {
        let mut kept: Vec<Option<u64>> = self.snapshots.slots().0.keys().map(|(_, version)| *version).collect();
        kept.sort_unstable();
        kept
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_do_not_exist_are_not_kept() {
    let bed = Bed::new(3);
    for asked in 3..50 {
        assert_eq!(bed.open(Version::At(asked)).await, Err(ServeError::NoVersion { asked, newest: 2 }));
    }
    std::fs::remove_file(bed.log.join(format!("{:020}.json", 0))).expect("entry");
    let gone = bed.open(Version::At(0)).await;
    assert!(gone.is_err(), "{gone:?}");
    assert!(bed.kept().iter().all(Option::is_none), "{:?}", bed.kept());
}

#[tokio::test(flavor = "multi_thread")]
async fn few_older_versions_are_kept_and_the_newest_stays() {
    let bed = Bed::new(12);
    for asked in 0..12 {
        assert_eq!(bed.open(Version::At(asked)).await, Ok(asked));
    }
    // The newest, 11, is kept once, under whichever name it is asked for.
    let expected: Vec<Option<u64>> = std::iter::once(None).chain((3..11).map(Some)).collect();
    assert_eq!(bed.kept(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_found_as_soon_as_it_is_committed() {
    let bed = Bed::new(1);
    assert_eq!(bed.open(Version::Newest).await, Ok(0));
    bed.write(1);
    assert_eq!(bed.open(Version::At(1)).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_is_renewed_before_its_time_is_up_and_nobody_waits() {
    let bed = Bed::new(1);
    assert_eq!(bed.open(Version::Newest).await, Ok(0));
    bed.write(1);
    bed.age(RENEWED_AFTER).await;
    let began = Instant::now();
    assert_eq!(bed.open(Version::Newest).await, Ok(0), "the one that is kept");
    while bed.newest_kept().await.expect("kept").table.version() == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not renewed");
        tokio::task::yield_now().await;
    }
    let renewed = bed.newest_kept().await.expect("kept");
    assert!(renewed.at >= began && !renewed.is_being_renewed, "{renewed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_renewed_is_given_for_no_longer_than_it_is_kept() {
    let bed = Bed::new(1);
    assert_eq!(bed.open(Version::Newest).await, Ok(0));
    std::fs::remove_dir_all(&bed.log).expect("log");
    bed.age(RENEWED_AFTER).await;
    let before = bed.newest_kept().await.expect("kept");
    let slot = bed.snapshots.slot(&(bed.table.clone(), None));
    bed.snapshots.clone().renew((bed.table.clone(), None), slot).await;
    let after = bed.newest_kept().await.expect("kept");
    assert_eq!((after.at, after.table.version()), (before.at, 0));
    bed.age(NEWEST_KEPT).await;
    assert_eq!(bed.open(Version::Newest).await, Err(ServeError::NoTable));
}

#[test]
fn what_is_opened_for_long_is_dropped() {
    let (mut slots, began) = (Slots::default(), Instant::now());
    let key = |number: u64| -> Key { (format!("silver/sales/t{number}").parse().expect("table"), None) };
    for number in 0..3 {
        let _ = slots.slot(&key(number), 2, began + Duration::from_secs(number));
    }
    assert!(!slots.0.contains_key(&key(0)) && slots.0.len() == 2, "the first makes room: {slots:?}");
    let _ = slots.slot(&key(3), 2, began + KEPT + Duration::from_secs(1));
    let mut kept: Vec<&Key> = slots.0.keys().collect();
    kept.sort_unstable();
    assert_eq!(kept, [&key(2), &key(3)]);
}
