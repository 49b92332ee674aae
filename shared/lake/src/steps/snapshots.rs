//! Mode replace: of several full snapshots that wait, the newest replaces the table, whichever run takes them in.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use polars::prelude::{DataFrame, DataType, PolarsResult, col};
use sluice_core::columns::SOURCE_MODIFIED_AT;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{Pipeline, WriteMode};
use sluice_core::run::PlannedObject;
use sluice_core::source::SourceId;
use sluice_core::uri::{FolderUri, ObjectUri};

use crate::delta::OpenTable;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{blocking, remote};

/// Objects whose time is asked for at once: enough to hide the store's latency, few enough for its rate limits.
const AT_ONCE: usize = 16;

/// A full snapshot and when it came; a greater one is newer. A time that nobody knows is older than all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Snapshot {
    modified_at: Option<Timestamp>,
    /// An object in the landing folder itself, or a folder there with all that is below: a snapshot of several files.
    name: String,
}

/// An object, and when it was last modified; `None` where only the store can say.
struct Delivered {
    uri: ObjectUri,
    modified_at: Option<Timestamp>,
}

impl Delivered {
    fn of(planned: &PlannedObject) -> Self {
        Self { uri: planned.object.uri.clone(), modified_at: planned.object.modified_at }
    }
}

/// The objects that each table of mode replace passes by, because it has a newer snapshot, or gets one in the same run.
/// `lacks` says which objects a table lacks, `open` the table as it is.
///
/// # Errors
/// [`LakeError::Store`] and [`LakeError::Io`] when the store does not say when an object was modified; [`LakeError::Polars`]
/// when the table cannot be read.
pub(super) async fn superseded<'t>(
    lake: &Lake,
    landing: &FolderUri,
    pipeline: &Pipeline,
    objects: &[PlannedObject],
    lacks: impl Fn(&TableRef, &SourceId) -> bool,
    open: impl Fn(&TableRef) -> Option<&'t OpenTable>,
) -> Result<BTreeMap<TableRef, BTreeSet<SourceId>>, LakeError> {
    let mut superseded = BTreeMap::new();
    for silver in pipeline.silver.iter().filter(|silver| silver.mode == WriteMode::Replace) {
        let waiting: Vec<&PlannedObject> =
            objects.iter().filter(|planned| lacks(&silver.table, &planned.object.id())).collect();
        let mut delivered: Vec<Delivered> = waiting.iter().map(|planned| Delivered::of(planned)).collect();
        if delivered.is_empty() {
            continue;
        }
        if let Some(table) = open(&silver.table) {
            delivered.extend(present(table).await?);
        }
        let snapshots = snapshots(lake, landing, delivered).await?;
        let Some(newest) = snapshots.values().max() else { continue };
        let passed_by = waiting.iter().filter(|planned| snapshots.get(&planned.object.uri) != Some(newest));
        superseded.insert(silver.table.clone(), passed_by.map(|planned| planned.object.id()).collect());
    }
    Ok(superseded)
}

/// An object whose rows a table has, with the time of its snapshot: the rows are all of one. The table says when that
/// was, because the object may have been removed since; in tables of older versions, the store has to.
async fn present(table: &OpenTable) -> Result<Option<Delivered>, LakeError> {
    let has_times = table.columns().iter().any(|column| column.name == SOURCE_MODIFIED_AT);
    let mut shown = vec![col("_source_file").first()];
    shown.extend(has_times.then(|| col(SOURCE_MODIFIED_AT).max()));
    let doing = format!("reading the source of table `{}`", table.reference());
    let row = table.scan()?.select(shown);
    let failed = LakeError::polars(doing.clone());
    let row = blocking(move || row.collect().map_err(LakeError::polars(doing))).await?;
    delivered(&row, has_times).map_err(failed)
}

fn delivered(row: &DataFrame, has_times: bool) -> PolarsResult<Option<Delivered>> {
    let address = row.column("_source_file")?.str()?.iter().next().flatten();
    let uri: Option<ObjectUri> = address.and_then(|address| address.parse().ok());
    let micros = match has_times {
        true => row.column(SOURCE_MODIFIED_AT)?.cast(&DataType::Int64)?.i64()?.iter().next().flatten(),
        false => None,
    };
    let modified_at = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
    Ok(uri.map(|uri| Delivered { uri, modified_at }))
}

/// The snapshot that each object belongs to, with the time of its newest object.
async fn snapshots(
    lake: &Lake,
    landing: &FolderUri,
    objects: Vec<Delivered>,
) -> Result<BTreeMap<ObjectUri, Snapshot>, LakeError> {
    let times: Vec<(ObjectUri, Option<Timestamp>)> = stream::iter(objects)
        .map(|object| async move {
            let known = match object.modified_at {
                Some(time) => Some(time),
                None => modified_at(lake, &object.uri).await?,
            };
            Ok::<_, LakeError>((object.uri, known))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut newest: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    for (object, modified_at) in &times {
        let time = newest.entry(snapshot_name(landing, object)).or_default();
        *time = (*time).max(*modified_at);
    }
    let snapshot = |(object, _): (ObjectUri, _)| {
        let name = snapshot_name(landing, &object);
        let modified_at = newest.get(&name).copied().flatten();
        (object, Snapshot { modified_at, name })
    };
    Ok(times.into_iter().map(snapshot).collect())
}

/// The first part of an object's address below the landing folder.
fn snapshot_name(landing: &FolderUri, object: &ObjectUri) -> String {
    let address = object.as_str();
    let below = address.strip_prefix(landing.as_url().as_str()).unwrap_or(address);
    below.split('/').next().unwrap_or(below).to_owned()
}

/// When an object was last modified; `None` when it is gone.
async fn modified_at(lake: &Lake, object: &ObjectUri) -> Result<Option<Timestamp>, LakeError> {
    if let Ok(path) = object.as_url().to_file_path() {
        return match std::fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(time) => Ok(Timestamp::try_from(time).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LakeError::Io { doing: "check", path, source }),
        };
    }
    let (store, key) = remote(object, lake.options())?;
    match store.head(&key).await {
        Ok(head) => Ok(Timestamp::from_millisecond(head.last_modified.timestamp_millis()).ok()),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(LakeError::Store { doing: "check", location: object.to_string(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_an_object_of_the_landing_folder_or_a_folder_there() {
        let landing: FolderUri = "s3://lake/landing/shops".parse().expect("folder");
        let check = |object: &str, expected: &str| {
            assert_eq!(snapshot_name(&landing, &object.parse().expect(object)), expected);
        };
        check("s3://lake/landing/shops/2026-01-05.csv", "2026-01-05.csv");
        check("s3://lake/landing/shops/2026-01-05/part-0.csv", "2026-01-05");
        check("s3://lake/landing/shops/day=1/hour=2/part-0.csv", "day=1");
    }

    #[test]
    fn the_newer_snapshot_is_the_one_modified_last_and_then_by_name() {
        let at = |second: i64, name: &str| {
            let modified_at = Timestamp::from_second(second).ok();
            Snapshot { modified_at, name: name.to_owned() }
        };
        assert!(at(2, "export_9") < at(3, "export_10"));
        assert!(at(2, "a") < at(2, "b"));
        assert!(Snapshot { modified_at: None, name: "z".to_owned() } < at(0, "a"));
    }
}
